/*
 * world.h - the example site with the documented rows, and flows made by hand,
 * for the tests of findings and reports.
 */
#ifndef TESTS_FINDING_WORLD_H
#define TESTS_FINDING_WORLD_H

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "lyncaudit/alloc.h"
#include "lyncaudit/finding.h"
#include "lyncaudit/text.h"
#include "lyncaudit/timeutil.h"

/* 2026-11-21T00:00:00Z */
#define WORLD_TIME (INT64_C(1795219200) * LYA_SECOND_NS)

struct world {
	struct lya_rules *rules;
	struct lya_site *site;
	struct lya_policy *policy;
};

/* A path below the source folder. */
static inline const char *world_path(const char *name)
{
	static char path[512];

	(void)snprintf(path, sizeof(path), "%s/%s", TEST_SOURCE_DIR, name);
	return path;
}

/* site_text NULL: docs/examples/site.json. */
static inline void world_open(struct world *w, const char *site_text)
{
	struct lya_diags diags = { 0 };
	struct lya_error err = { 0 };
	int rc = lya_rules_load(&w->rules, world_path("rules/lync-server-2013"), &diags, &err);

	if (rc == LYA_OK && site_text == NULL)
		rc = lya_site_load(&w->site, world_path("docs/examples/site.json"), &diags, &err);
	else if (rc == LYA_OK && site_text != NULL)
		rc = lya_site_load_text(&w->site, "site.json", site_text, strlen(site_text), &diags,
					&err);
	if (rc == LYA_OK)
		rc = lya_policy_new(&w->policy, w->site, w->rules, false, &diags, &err);
	if (rc != LYA_OK)
		(void)fprintf(stderr, "%s\n", err.text);
	assert(rc == LYA_OK && "the world can be made");
	lya_diags_fini(&diags);
}

/* The example site, read strictly. */
static inline void world_open_strict(struct world *w)
{
	struct lya_diags diags = { 0 };
	int rc;

	world_open(w, NULL);
	lya_policy_free(w->policy);
	rc = lya_policy_new(&w->policy, w->site, w->rules, true, &diags, NULL);
	assert(rc == LYA_OK && "the policy can be made");
	(void)rc;
	lya_diags_fini(&diags);
}

static inline void world_close(struct world *w)
{
	lya_policy_free(w->policy);
	lya_site_free(w->site);
	lya_rules_free(w->rules);
}

static inline int world_rule(const struct world *w, const char *id)
{
	const struct lya_rule *rule = lya_rules_find(w->rules, id);

	assert(rule != NULL && "the rule is there");
	return (int)(rule - w->rules->list);
}

static inline struct lya_ledger *world_ledger(const struct world *w, size_t max_findings)
{
	struct lya_ledger_options options = { .max_findings = max_findings };
	struct lya_ledger *l = NULL;
	int rc = lya_ledger_new(&l, w->policy, &options, NULL);

	assert(rc == LYA_OK && "a ledger can be made");
	(void)rc;
	return l;
}

/*
 * A flow whose opener is src: TCP with a SYN, UDP with a first packet.  What
 * the state implies is filled in: nine packets and seven back where there was
 * an answer.
 */
static inline struct lya_flow world_flow(const char *src, uint16_t sport, const char *dst,
					 uint16_t dport, uint8_t transport,
					 enum lya_flow_state state)
{
	struct lya_flow f = { .transport = transport, .state = (uint8_t)state };
	struct lya_addr from = { 0 }, to = { 0 };
	bool known = lya_addr_parse(src, &from) && lya_addr_parse(dst, &to);
	bool through = state != LYA_STATE_ATTEMPTED && state != LYA_STATE_REFUSED;
	int cmp;
	unsigned init;

	assert(known && "both are addresses");
	(void)known;
	cmp = lya_addr_cmp(&from, &to);
	init = cmp != 0 ? cmp > 0 : sport > dport;
	f.addr[init] = from;
	f.addr[!init] = to;
	f.port[init] = sport;
	f.port[!init] = dport;
	f.first_side = (int8_t)init;
	f.syn_side = transport == 6 ? (int8_t)init : -1;
	f.synack_side = transport == 6 && through ? (int8_t)!init : -1;
	f.synack_continued = through;
	f.answered = through;
	f.acked = transport == 6 && through;
	f.packets[init] = through ? 9 : 1;
	f.packets[!init] = through ? 7 : 0;
	f.bytes[init] = through ? 1200 : 60;
	f.bytes[!init] = through ? 900 : 0;
	f.payload_bytes[init] = through ? 600 : 0;
	f.payload_bytes[!init] = through ? 400 : 0;
	f.app.client_side = -1;
	f.first_ns = WORLD_TIME;
	f.last_ns = WORLD_TIME + LYA_SECOND_NS;
	f.digits = 6;
	f.number = 1;
	return f;
}

/* Judge the flow and enter it; the verdict is left in *v. */
static inline void world_take(const struct world *w, struct lya_ledger *l, const struct lya_flow *f,
			      struct lya_verdict *v, struct lya_flow_findings *out)
{
	struct lya_policy_end ends[2];
	struct lya_verdict mine;
	int rc;

	if (v == NULL)
		v = &mine;
	lya_policy_end_of(w->policy, &f->addr[0], &ends[0]);
	lya_policy_end_of(w->policy, &f->addr[1], &ends[1]);
	lya_policy_judge(w->policy, NULL, f, ends, -1, v);
	rc = lya_ledger_take(l, f, ends, v, out);
	assert(rc == LYA_OK && "the flow is taken");
	(void)rc;
}

/* The same of a flow with evidence of rewriting. */
static inline void world_take_snat(const struct world *w, struct lya_ledger *l,
				   const struct lya_flow *f, struct lya_snat_evidence *evidence)
{
	struct lya_policy_end ends[2];
	struct lya_verdict v;
	int rc;

	lya_policy_end_of(w->policy, &f->addr[0], &ends[0]);
	lya_policy_end_of(w->policy, &f->addr[1], &ends[1]);
	lya_policy_judge(w->policy, NULL, f, ends, -1, &v);
	lya_snat_judge(evidence, f, &v);
	rc = lya_ledger_take(l, f, ends, &v, NULL);
	assert(rc == LYA_OK && "the flow is taken");
	(void)rc;
}

/* Finish an audit of one hour. */
static inline void world_finish(struct lya_ledger *l)
{
	struct lya_ledger_end end = { .first_ns = WORLD_TIME,
				      .last_ns = WORLD_TIME + 3600 * LYA_SECOND_NS };
	int rc = lya_ledger_finish(l, &end, NULL);

	assert(rc == LYA_OK && "the ledger is finished");
	(void)rc;
}

/* The only finding of that type; NULL: none, or several. */
static inline const struct lya_finding *world_finding(const struct lya_ledger *l, const char *type)
{
	const struct lya_finding *hit = NULL;
	size_t n;
	const struct lya_finding *list = lya_ledger_findings(l, &n);

	for (size_t i = 0; i < n; i++) {
		if (strcmp(list[i].type, type) != 0)
			continue;
		if (hit != NULL)
			return NULL;
		hit = &list[i];
	}
	return hit;
}

#endif
