/*
 * test_rows.c - judge every line of rows.tsv and compare.
 *
 * The table was written down from the documents; see README.md.  Prints each
 * line that differs and ends with the number of failures.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lyncaudit/policy.h"

enum { COLUMNS = 13, LINE_MAX_BYTES = 4096, SITES_MAX = 32 };

enum column {
	COL_ROW, COL_CASE, COL_SITE, COL_OPTIONS, COL_TRANSPORT, COL_SRC, COL_SPORT, COL_DST,
	COL_DPORT, COL_VERDICT, COL_RULE, COL_FINDING, COL_REMARK
};

/* 2026-11-20T23:30:00Z: half past midnight in the sites' time zone. */
static const int64_t flow_time = INT64_C(1795217400) * 1000000000;

struct loaded {
	char name[64];
	bool strict;
	struct lya_site *site;
	struct lya_policy *policy;
};

struct walk {
	struct lya_rules *rules;
	struct loaded sites[SITES_MAX];
	size_t n_sites;
	unsigned lines, failures;
};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "%s: %s\n", what, why);
	exit(1);
}

static void print_diags(const struct lya_diags *diags)
{
	for (size_t i = 0; i < diags->n; i++) {
		if (diags->list[i].level == LYA_DIAG_ERROR)
			fprintf(stderr, "%s\n", diags->list[i].text);
	}
}

static const struct loaded *load(struct walk *w, const char *name, bool strict)
{
	struct lya_diags diags = { 0 };
	struct lya_error err;
	struct loaded *l;
	char path[512];

	for (size_t i = 0; i < w->n_sites; i++) {
		if (strcmp(w->sites[i].name, name) == 0 && w->sites[i].strict == strict)
			return &w->sites[i];
	}
	if (w->n_sites == SITES_MAX)
		die(name, "too many sites");
	l = &w->sites[w->n_sites++];
	snprintf(l->name, sizeof(l->name), "%s", name);
	l->strict = strict;
	snprintf(path, sizeof(path), "%s/tests/rules/%s", TEST_SOURCE_DIR, name);
	if (lya_site_load(&l->site, path, &diags, &err) < 0 ||
	    lya_policy_new(&l->policy, l->site, w->rules, strict, &diags, &err) < 0) {
		print_diags(&diags);
		die(path, err.text);
	}
	lya_diags_fini(&diags);
	return l;
}

/* The flow of a line: opened by its source, established, carrying service data. */
static void make_flow(char *const *col, struct lya_flow *flow)
{
	struct lya_addr addr[2];
	uint16_t port[2] = { (uint16_t)atoi(col[COL_SPORT]), (uint16_t)atoi(col[COL_DPORT]) };
	int order;
	int initiator;

	if (!lya_addr_parse(col[COL_SRC], &addr[0]) || !lya_addr_parse(col[COL_DST], &addr[1]))
		die(col[COL_SRC], "no address");
	order = lya_addr_cmp(&addr[0], &addr[1]);
	initiator = order < 0 || (order == 0 && port[0] <= port[1]) ? 0 : 1;
	memset(flow, 0, sizeof(*flow));
	for (int i = 0; i < 2; i++) {
		int side = i == 0 ? initiator : 1 - initiator;

		flow->addr[side] = addr[i];
		flow->port[side] = port[i];
		flow->packets[side] = 10;
		flow->bytes[side] = 1000;
		flow->payload_bytes[side] = 500;
	}
	flow->transport = strcmp(col[COL_TRANSPORT], "tcp") == 0 ? 6 : 17;
	flow->state = flow->transport == 6 ? LYA_STATE_ESTABLISHED : LYA_STATE_NONE;
	flow->first_side = (int8_t)initiator;
	flow->syn_side = (int8_t)(flow->transport == 6 ? initiator : -1);
	flow->synack_side = -1;
	flow->app.client_side = (int8_t)initiator;
	flow->app.service_payload = true;
	flow->answered = true;
	flow->first_ns = flow_time;
	flow->last_ns = flow_time + INT64_C(10000000000);
}

/* The row among the matching ones, or the nearest of a flow that none allows. */
static bool has_rule(const struct walk *w, const struct lya_verdict *v, const char *id)
{
	if (strcmp(id, "-") == 0)
		return true;
	if (v->kind != LYA_VERDICT_DOCUMENTED)
		return v->nearest >= 0 && strcmp(w->rules->list[v->nearest].id, id) == 0;
	for (uint16_t i = 0; i < v->n_rules; i++) {
		if (strcmp(w->rules->list[v->rules[i]].id, id) == 0)
			return true;
	}
	return false;
}

static const char *finding_of(const struct lya_verdict *v)
{
	if (v->kind == LYA_VERDICT_DOCUMENTED && v->feature_off)
		return lya_finding_type_name(LYA_FINDING_FEATURE_NOT_DEPLOYED);
	if (v->finding == LYA_FINDING_NONE)
		return "-";
	return lya_finding_type_name((enum lya_finding_type)v->finding);
}

static void check_line(struct walk *w, unsigned number, char *const *col)
{
	const struct loaded *l = load(w, col[COL_SITE], strcmp(col[COL_OPTIONS], "strict") == 0);
	struct lya_policy_end ends[2];
	struct lya_flow flow;
	struct lya_verdict v;
	const char *verdict;

	make_flow(col, &flow);
	lya_policy_end_of(l->policy, &flow.addr[0], &ends[0]);
	lya_policy_end_of(l->policy, &flow.addr[1], &ends[1]);
	lya_policy_judge(l->policy, NULL, &flow, ends, -1, &v);
	verdict = lya_verdict_name((enum lya_verdict_kind)v.kind);
	w->lines++;
	if (strcmp(verdict, col[COL_VERDICT]) == 0 && has_rule(w, &v, col[COL_RULE]) &&
	    (strcmp(col[COL_FINDING], "*") == 0 || strcmp(col[COL_FINDING], finding_of(&v)) == 0))
		return;
	w->failures++;
	printf("line %u: %s %s (%s %s): %s %s:%s -> %s:%s\n"
	       "  wanted %s %s %s (%s)\n  got    %s %s %s\n",
	       number, col[COL_ROW], col[COL_CASE], col[COL_SITE], col[COL_OPTIONS],
	       col[COL_TRANSPORT], col[COL_SRC], col[COL_SPORT], col[COL_DST], col[COL_DPORT],
	       col[COL_VERDICT], col[COL_RULE], col[COL_FINDING], col[COL_REMARK], verdict,
	       v.nearest >= 0 ? w->rules->list[v.nearest].id
	       : v.n_rules > 0 ? w->rules->list[v.rules[0]].id
	                       : "-",
	       finding_of(&v));
}

static void walk_file(struct walk *w, FILE *f)
{
	char line[LINE_MAX_BYTES];
	unsigned number = 0;

	while (fgets(line, sizeof(line), f) != NULL) {
		char *col[COLUMNS];
		char *rest = line;
		size_t n = 0;

		number++;
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '#' || line[0] == '\0')
			continue;
		while (n < COLUMNS && (col[n] = strsep(&rest, "\t")) != NULL)
			n++;
		if (n != COLUMNS || rest != NULL)
			die(line, "not thirteen columns");
		check_line(w, number, col);
	}
}

int main(void)
{
	struct walk w = { 0 };
	struct lya_diags diags = { 0 };
	struct lya_error err;
	FILE *f = fopen(TEST_SOURCE_DIR "/tests/rules/rows.tsv", "r");

	if (f == NULL)
		die("rows.tsv", "cannot be read");
	if (lya_rules_load(&w.rules, TEST_SOURCE_DIR "/rules/lync-server-2013", &diags, &err) < 0) {
		print_diags(&diags);
		die("rules", err.text);
	}
	walk_file(&w, f);
	fclose(f);
	for (size_t i = 0; i < w.n_sites; i++) {
		lya_policy_free(w.sites[i].policy);
		lya_site_free(w.sites[i].site);
	}
	lya_rules_free(w.rules);
	lya_diags_fini(&diags);
	printf("%u lines, %u failed\n", w.lines, w.failures);
	return w.lines == 0 || w.failures > 0 ? 1 : 0;
}
