/*
 * fuzz_ledger.c - packed ledgers: any bytes are refused, or evidence that a report can be
 * made of and that is packed again as the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lyncaudit/alloc.h"
#include "lyncaudit/finding.h"
#include "lyncaudit/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SOURCES = 4 };

/* The policy that all are read under. */
static const struct lya_policy *the_policy(void)
{
	static struct lya_policy *policy;
	struct lya_diags diags = { 0 };
	struct lya_rules *rules;
	struct lya_site *site;

	if (policy != NULL)
		return policy;
	if (lya_rules_load(&rules, TEST_SOURCE_DIR "/rules/lync-server-2013", &diags, NULL) !=
		LYA_OK ||
	    lya_site_load(&site, TEST_SOURCE_DIR "/docs/examples/site.json", &diags, NULL) !=
		LYA_OK ||
	    lya_policy_new(&policy, site, rules, false, &diags, NULL) != LYA_OK)
		abort();
	lya_diags_fini(&diags);
	return policy;
}

static struct lya_ledger *new_ledger(void)
{
	struct lya_ledger_options options = { .max_bytes = (size_t)4 << 20 };
	struct lya_ledger *l;

	if (lya_ledger_new(&l, the_policy(), &options, NULL) != LYA_OK)
		abort();
	return l;
}

static int unpack(struct lya_ledger *l, const uint8_t *data, size_t size)
{
	static const uint32_t map[SOURCES] = { 1, 0, 3, 2 };
	struct lya_error err = { 0 };
	int rc = lya_ledger_unpack(l, data, size, map, SOURCES, &err);

	if (rc != LYA_OK && (rc != LYA_EINPUT || err.text[0] == '\0'))
		abort();
	return rc;
}

static struct lya_ledger *again(const struct lya_ledger *l)
{
	struct lya_ledger *copy = new_ledger();
	struct lya_pack pack = { 0 };

	if (lya_ledger_pack(l, &pack) != LYA_OK || unpack(copy, pack.data, pack.len) != LYA_OK)
		abort();
	lya_pack_fini(&pack);
	return copy;
}

static void report(struct lya_ledger *l, struct lya_text *text)
{
	static char names[SOURCES][8] = { "eth0", "eth1", "eth2", "eth3" };
	struct lya_source sources[SOURCES] = { { 0 } };
	struct lya_report_input in = { .ledger = l, .sources = sources, .n_sources = SOURCES };
	struct lya_ledger_source told[SOURCES] = { { 0 } };
	struct lya_ledger_end end = { .sources = told, .n_sources = SOURCES };
	struct lya_output *out;

	in.run.version = "";
	for (size_t i = 0; i < SOURCES; i++) {
		sources[i].name = names[i];
		sources[i].kind = "interface";
	}
	if (lya_ledger_finish(l, &end, NULL) != LYA_OK ||
	    lya_output_open_text(&out, text, NULL) != LYA_OK)
		abort();
	lya_report_json(out, &in);
	lya_report_summary(out, &in, false, 0);
	if (lya_output_commit(out, NULL) != LYA_OK)
		abort();
}

/* Twice packed and unpacked, for the map to lead back, it says the same. */
static void check_again(struct lya_ledger *l)
{
	struct lya_ledger *once = again(l), *twice = again(once);
	struct lya_text first = { 0 }, second = { 0 };

	report(l, &first);
	report(twice, &second);
	if (first.len != second.len || memcmp(first.data, second.data, first.len) != 0)
		abort();
	lya_text_fini(&first);
	lya_text_fini(&second);
	lya_ledger_free(once);
	lya_ledger_free(twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lya_ledger *l = new_ledger();

	if (unpack(l, data, size) == LYA_OK)
		check_again(l);
	lya_ledger_free(l);
	return 0;
}
