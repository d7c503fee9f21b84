/*
 * fuzz_rules.c - rule files: any bytes are a rule set or a list of faults.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lyncaudit/rule.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What every rule that was accepted must be. */
static void check_rule(const struct lya_rule *rule)
{
	if (rule->title[0] == '\0' || rule->reason == NULL || rule->note == NULL)
		abort();
	if (rule->statement)
		return;
	if (rule->from.roles == 0 || rule->to.roles == 0 || rule->transports == 0)
		abort();
	if (rule->any_port ? rule->n_ports != 0 : rule->n_ports == 0)
		abort();
	for (size_t i = 0; i < rule->n_ports; i++) {
		if (rule->ports[i].first == 0 || rule->ports[i].first > rule->ports[i].last)
			abort();
		if (i > 0 && rule->ports[i - 1].last >= rule->ports[i].first)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lya_diags diags = { 0 };
	struct lya_error err = { 0 };
	struct lya_rules *rules;
	int rc = lya_rules_load_text(&rules, "fuzz", (const char *)data, size, &diags, &err);

	if ((rc == LYA_OK) != (rules != NULL) || (rc == LYA_EINPUT) != (diags.errors > 0))
		abort();
	if (rc < 0 && err.text[0] == '\0')
		abort(); /* a failure has a reason */
	for (size_t i = 0; rules != NULL && i < rules->n; i++) {
		check_rule(&rules->list[i]);
		if (lya_rules_find(rules, rules->list[i].id) != &rules->list[i])
			abort();
	}
	lya_rules_free(rules);
	lya_diags_fini(&diags);
	return 0;
}
