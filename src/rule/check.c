/*
 * check.c - rows that can never match, ids given twice, rows that say the same.
 */
#include "rule/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lyncaudit/alloc.h"

/* The transports that an application can run over. */
static uint8_t transports_of(enum lya_row_app app)
{
	switch (app) {
	case LYA_ROW_SIP:
	case LYA_ROW_STUN:
	case LYA_ROW_RTP:
	case LYA_ROW_DNS:
		return LYA_T_TCP | LYA_T_UDP;
	case LYA_ROW_SSRP:
	case LYA_ROW_DHCP:
	case LYA_ROW_UDP:
		return LYA_T_UDP;
	default: /* TLS and what is spoken over it, HTTP, RPC, SMB, transfers */
		return LYA_T_TCP;
	}
}

/*
 * Empty ends, transports, ports and strict lists were told already.  What is
 * left: nothing that the row's application speaks goes over its transports.
 */
void rule_check_row(const struct lya_json *at, const struct lya_rule *rule)
{
	uint8_t can = transports_of((enum lya_row_app)rule->app);

	if (rule->statement || rule->transports == 0 || (rule->transports & can) != 0)
		return;
	lya_json_fault(at, "can never match: %s does not run over %s",
		       lya_row_app_name((enum lya_row_app)rule->app),
		       rule->transports == LYA_T_TCP ? "tcp" : "udp");
}

static const char *id_of(const struct lya_rule *rule)
{
	return rule->id != NULL ? rule->id : "";
}

static int compare_ids(const void *a, const void *b, void *list)
{
	const struct lya_rule *rules = list;
	size_t x = *(const size_t *)a;
	size_t y = *(const size_t *)b;
	int order = strcmp(id_of(&rules[x]), id_of(&rules[y]));

	return order != 0 ? order : (x > y) - (x < y);
}

#define COMPARE(x, y)                                                                              \
	do {                                                                                       \
		if ((x) != (y))                                                                    \
			return (x) < (y) ? -1 : 1;                                                 \
	} while (0)

static int compare_ends(const struct lya_row_end *a, const struct lya_row_end *b)
{
	COMPARE(a->roles, b->roles);
	COMPARE(a->named, b->named);
	COMPARE(a->strict, b->strict);
	COMPARE(a->any, b->any);
	COMPARE(a->any_internal, b->any_internal);
	return 0;
}

/* What a row says, apart from its name, place and remarks. */
static int compare_meaning(const struct lya_rule *a, const struct lya_rule *b)
{
	int order;

	COMPARE(a->statement, b->statement);
	COMPARE(a->transports, b->transports);
	COMPARE(a->port_of, b->port_of);
	COMPARE(a->app, b->app);
	COMPARE(a->feature, b->feature);
	COMPARE(a->mode, b->mode);
	COMPARE(a->any_port, b->any_port);
	COMPARE(a->n_ports, b->n_ports);
	for (size_t i = 0; i < a->n_ports; i++) {
		COMPARE(a->ports[i].first, b->ports[i].first);
		COMPARE(a->ports[i].last, b->ports[i].last);
	}
	order = compare_ends(&a->from, &b->from);
	return order != 0 ? order : compare_ends(&a->to, &b->to);
}

static int compare_rows(const void *a, const void *b, void *list)
{
	const struct lya_rule *rules = list;
	size_t x = *(const size_t *)a;
	size_t y = *(const size_t *)b;
	int order = compare_meaning(&rules[x], &rules[y]);

	return order != 0 ? order : (x > y) - (x < y);
}

static void note_at(struct rule_load *load, size_t i, enum lya_diag_level level, const char *what,
		    const char *other)
{
	const struct rule_origin *o = &load->origins[i];
	char place[64];

	(void)snprintf(place, sizeof(place), "rules[%zu]", o->index);
	lya_diags_add(load->diags, level, load->files[o->file], place, "%s %s %s",
		      id_of(&load->rules->list[i]), what, other);
}

static void check_ids(struct rule_load *load)
{
	const struct lya_rules *rules = load->rules;
	size_t first = 0;

	for (size_t i = 1; i < rules->n; i++) {
		const char *id = id_of(&rules->list[rules->by_id[i]]);
		const struct rule_origin *o = &load->origins[rules->by_id[first]];
		char other[512];

		if (id[0] == '\0' || strcmp(id, id_of(&rules->list[rules->by_id[first]])) != 0) {
			first = i;
			continue;
		}
		(void)snprintf(other, sizeof(other), "%s: rules[%zu]", load->files[o->file],
			       o->index);
		note_at(load, rules->by_id[i], LYA_DIAG_ERROR, "is an id given before, in", other);
	}
}

/* twin[i] is the first row that says the same as row i, and i itself when it is the first. */
static void find_twins(const struct lya_rules *rules, size_t *order, size_t *twin)
{
	size_t first = 0;

	for (size_t i = 0; i < rules->n; i++)
		order[i] = i;
	qsort_r(order, rules->n, sizeof(*order), compare_rows, rules->list);
	for (size_t i = 0; i < rules->n; i++) {
		if (compare_meaning(&rules->list[order[first]], &rules->list[order[i]]) != 0)
			first = i;
		twin[order[i]] = order[first];
	}
}

static int check_twins(struct rule_load *load, struct lya_error *err)
{
	const struct lya_rules *rules = load->rules;
	size_t *order = lya_calloc(rules->n, sizeof(*order));
	size_t *twin = lya_calloc(rules->n, sizeof(*twin));
	int rc = LYA_OK;

	if (order == NULL || twin == NULL) {
		rc = lya_error_nomem(err);
	} else {
		find_twins(rules, order, twin);
		for (size_t i = 0; i < rules->n; i++) {
			if (twin[i] != i && !rules->list[i].statement)
				note_at(load, i, LYA_DIAG_NOTE, "says the same as",
					id_of(&rules->list[twin[i]]));
		}
	}
	lya_free(order);
	lya_free(twin);
	return rc;
}

int rule_check_set(struct rule_load *load, struct lya_error *err)
{
	struct lya_rules *rules = load->rules;

	rules->by_id = lya_calloc(rules->n, sizeof(*rules->by_id));
	if (rules->by_id == NULL)
		return lya_error_nomem(err);
	for (size_t i = 0; i < rules->n; i++) {
		rules->by_id[i] = i;
		rules->n_flow += !rules->list[i].statement;
	}
	qsort_r(rules->by_id, rules->n, sizeof(*rules->by_id), compare_ids, rules->list);
	check_ids(load);
	return check_twins(load, err);
}
