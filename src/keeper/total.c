/*
 * total.c - the period so far, in memory: for views, and to begin a store anew.
 *
 * Sources have the numbers that a stretch gave them; in the period they have those of the
 * joined tally.  As sources of a stretch only become more, and what was before it is
 * fixed, each keeps the number that it got.
 */
#include "keeper/keeper.h"

#include <string.h>

#include "lyncaudit/alloc.h"
#include "lyncaudit/text.h"

static int new_ledger(struct lya_ledger **l, const struct keeper_policy *policy, size_t bound,
		      struct lya_error *err)
{
	struct lya_ledger_options options = { .max_bytes = bound };

	return lya_ledger_new(l, policy->p.policy, &options, err);
}

int total_begin(struct total *t, struct keeper_policy *policy, size_t bound, struct lya_error *err)
{
	int rc;

	total_fini(t);
	t->bound = bound;
	t->policy = keeper_policy_use(policy);
	rc = new_ledger(&t->ended, policy, bound, err);
	if (rc == LYA_OK)
		rc = lya_tally_new(&t->before, err);
	return rc == LYA_OK ? lya_tally_new(&t->tally, err) : rc;
}

void total_fini(struct total *t)
{
	lya_ledger_free(t->ended);
	lya_tally_free(t->before);
	lya_tally_free(t->tally);
	lya_pack_fini(&t->open);
	lya_free(t->open_map);
	lya_free(t->map);
	keeper_policy_leave(t->policy);
	*t = (struct total){ 0 };
}

int total_rebase(struct total *t, struct keeper_policy *policy, struct lya_error *err)
{
	struct lya_pack pack = { 0 };
	struct lya_ledger *fresh;
	int rc = new_ledger(&fresh, policy, t->bound, err);

	if (rc != LYA_OK)
		return rc;
	rc = lya_ledger_pack(t->ended, &pack) == LYA_OK ? LYA_OK : lya_error_nomem(err);
	if (rc == LYA_OK)
		rc = lya_ledger_unpack(fresh, pack.data, pack.len, NULL, 0, err);
	lya_pack_fini(&pack);
	if (rc != LYA_OK) {
		lya_ledger_free(fresh);
		return rc;
	}
	lya_ledger_free(t->ended);
	t->ended = fresh;
	keeper_policy_leave(t->policy);
	t->policy = keeper_policy_use(policy);
	return LYA_OK;
}

/* tally = before + more; the map is that of more's sources. */
static int join_tallies(struct total *t, const struct lya_tally *more, struct lya_error *err)
{
	uint32_t *map = lya_calloc(more->n_sources + t->before->n_sources + 1, sizeof(*map));
	struct lya_tally *tally;
	int rc;

	if (map == NULL)
		return lya_error_nomem(err);
	rc = lya_tally_new(&tally, err);
	if (rc == LYA_OK)
		rc = lya_tally_merge(tally, t->before, map, err);
	if (rc == LYA_OK)
		rc = lya_tally_merge(tally, more, map, err);
	if (rc != LYA_OK) {
		lya_free(map);
		lya_tally_free(tally);
		return rc;
	}
	lya_tally_free(t->tally);
	lya_free(t->map);
	t->tally = tally;
	t->map = map;
	t->n_map = more->n_sources;
	return LYA_OK;
}

/* What is under way is over: the sum so far is what comes before the next one. */
static int end_stretch(struct total *t, struct lya_error *err)
{
	struct lya_tally *tally;
	int rc = lya_tally_new(&tally, err);

	if (rc != LYA_OK)
		return rc;
	lya_tally_free(t->before);
	t->before = t->tally;
	t->tally = tally;
	return LYA_OK;
}

static int add_ended(struct total *t, const struct lya_ledger *ended, struct lya_error *err)
{
	struct lya_pack pack = { 0 };
	int rc = lya_ledger_pack(ended, &pack) == LYA_OK ? LYA_OK : lya_error_nomem(err);

	if (rc == LYA_OK)
		rc = lya_ledger_unpack(t->ended, pack.data, pack.len, t->map, t->n_map, err);
	lya_pack_fini(&pack);
	return rc;
}

static int set_open(struct total *t, const struct lya_audit_part *part, struct lya_error *err)
{
	lya_pack_fini(&t->open);
	lya_free(t->open_map);
	t->open_map = NULL;
	t->n_open_map = 0;
	t->open_flows = part->open_flows;
	if (part->open == NULL)
		return LYA_OK;
	t->open_map = lya_calloc(t->n_map + 1, sizeof(*t->open_map));
	if (t->open_map == NULL || lya_ledger_pack(part->open, &t->open) != LYA_OK)
		return lya_error_nomem(err);
	memcpy(t->open_map, t->map, t->n_map * sizeof(*t->map));
	t->n_open_map = t->n_map;
	return LYA_OK;
}

int total_add(struct total *t, unsigned stretch_no, const struct lya_audit_part *part,
	      bool keep_open, struct lya_error *err)
{
	int rc = LYA_OK;

	if (t->stretch_no != stretch_no && t->map != NULL)
		rc = end_stretch(t, err);
	t->stretch_no = stretch_no;
	if (rc == LYA_OK)
		rc = join_tallies(t, part->tally, err);
	if (rc == LYA_OK)
		rc = add_ended(t, part->ended, err);
	return rc == LYA_OK && !keep_open ? set_open(t, part, err) : rc;
}

/* From the store ----------------------------------------------------------------------------- */

struct loading {
	struct total *t;
	struct lya_error *err;
	bool known; /* the stretch's tally could be read */
};

static int load_tally(void *ctx, const void *data, size_t len, bool good)
{
	struct loading *l = ctx;
	struct lya_tally *tally;
	int rc;

	l->known = good && lya_tally_unpack(&tally, data, len, l->err) == LYA_OK;
	if (!l->known)
		return LYA_OK; /* it is told by the report, which reads it again */
	rc = end_stretch(l->t, l->err);
	if (rc == LYA_OK)
		rc = join_tallies(l->t, tally, l->err);
	lya_tally_free(tally);
	return rc;
}

/* A ledger that could not be read whole may hold half of it: so it is read aside first. */
static int load_part(void *ctx, const void *data, size_t len, bool open, bool good)
{
	struct loading *l = ctx;
	struct lya_ledger *aside;
	int rc;

	(void)open; /* what was open when its process ended is evidence for good */
	if (!good || !l->known)
		return LYA_OK;
	rc = new_ledger(&aside, l->t->policy, l->t->bound, l->err);
	if (rc != LYA_OK)
		return rc;
	rc = lya_ledger_unpack(aside, data, len, l->t->map, l->t->n_map, l->err);
	if (rc == LYA_OK && lya_ledger_merge(l->t->ended, aside) != LYA_OK)
		rc = lya_error_nomem(l->err);
	lya_ledger_free(aside);
	return rc == LYA_EINPUT ? LYA_OK : rc;
}

int total_load(struct total *t, struct lya_store *s, int64_t period, struct lya_error *err)
{
	struct loading loading = { .t = t, .err = err };
	struct lya_store_taker taker = { &loading, load_tally, load_part };
	struct lya_store_stretch *list;
	size_t n;
	int rc = lya_store_stretches(s, period, &list, &n, err);

	for (size_t i = 0; i < n && rc == LYA_OK; i++)
		rc = lya_store_read_stretch(s, list[i].id, &taker, err);
	lya_free(list);
	return rc;
}

/* Views -------------------------------------------------------------------------------------- */

static int join_ledgers(struct view *v, const struct total *t, struct lya_error *err)
{
	int rc = new_ledger(&v->ledger, t->policy, t->bound, err);

	if (rc == LYA_OK && lya_ledger_merge(v->ledger, t->ended) != LYA_OK)
		rc = lya_error_nomem(err);
	if (rc == LYA_OK && t->open.len > 0)
		rc = lya_ledger_unpack(v->ledger, t->open.data, t->open.len, t->open_map,
				       t->n_open_map, err);
	return rc;
}

static int finish(struct view *v, const struct total *t, struct lya_error *err)
{
	const struct lya_site *site = t->policy->p.site;
	struct lya_ledger_source *told = NULL;
	struct lya_ledger_end end = { 0 };
	int rc = lya_tally_end(t->tally, &end, &told, err);

	if (rc == LYA_OK)
		rc = lya_site_check(site, &v->faults, &v->n_faults, err);
	end.faults = v->faults;
	end.n_faults = v->n_faults;
	if (rc == LYA_OK)
		rc = lya_ledger_finish(v->ledger, &end, err);
	lya_free(told);
	if (rc == LYA_OK)
		rc = lya_tally_limits(t->tally, v->ledger, &v->limits, &v->in.n_limits, err);
	if (rc == LYA_OK)
		rc = lya_tally_report(t->tally, site, &v->in, &v->pairs, err);
	v->in.ledger = v->ledger;
	v->in.limits = v->limits;
	return rc;
}

int view_make(struct view *v, const struct total *t, struct lya_error *err)
{
	int rc;

	*v = (struct view){ 0 };
	rc = join_ledgers(v, t, err);
	return rc == LYA_OK ? finish(v, t, err) : rc;
}

void view_fini(struct view *v)
{
	lya_ledger_free(v->ledger);
	lya_limits_free(v->limits, v->in.n_limits);
	lya_site_faults_free(v->faults, v->n_faults);
	lya_free(v->pairs);
}

/* Rows --------------------------------------------------------------------------------------- */

static int finding_json(const struct lya_report_input *in, const struct lya_finding *f, char **json,
			struct lya_error *err)
{
	struct lya_text text = { 0 };
	struct lya_output *out;
	int rc = lya_output_open_text(&out, &text, err);

	*json = NULL;
	if (rc != LYA_OK)
		return rc;
	lya_report_finding_line(out, lya_ledger_policy(in->ledger), in->sources, in->n_sources, f);
	rc = lya_output_commit(out, err);
	if (rc == LYA_OK && text.len > 0 && text.data[text.len - 1] == '\n')
		text.data[text.len - 1] = '\0';
	if (rc == LYA_OK)
		*json = text.data;
	else
		lya_text_fini(&text);
	return rc;
}

static void rows_free(struct lya_store_finding *rows, size_t n)
{
	for (size_t i = 0; rows != NULL && i < n; i++)
		lya_free((char *)(uintptr_t)rows[i].json); /* ours */
	lya_free(rows);
}

static int make_rows(const struct lya_report_input *in, struct lya_store_finding **rows, size_t *n,
		     struct lya_error *err)
{
	const struct lya_finding *list = lya_ledger_findings(in->ledger, n);
	int rc = LYA_OK;

	*rows = lya_calloc(*n + 1, sizeof(**rows));
	if (*rows == NULL)
		return lya_error_nomem(err);
	for (size_t i = 0; i < *n && rc == LYA_OK; i++) {
		char *json;

		rc = finding_json(in, &list[i], &json, err);
		(*rows)[i] = (struct lya_store_finding){ &list[i], json };
	}
	return rc;
}

int view_put_facts(const struct lya_report_input *in, struct lya_store *s, int64_t period,
		   struct lya_error *err)
{
	struct lya_store_facts facts = { .period = period, .ledger = in->ledger };
	struct lya_store_limit *limits = lya_calloc(in->n_limits + 1, sizeof(*limits));
	struct lya_store_finding *rows = NULL;
	int rc;

	if (limits == NULL)
		return lya_error_nomem(err);
	for (size_t i = 0; i < in->n_limits; i++)
		limits[i] = (struct lya_store_limit){ lya_limit_name(in->limits[i].kind),
						      in->limits[i].where, in->limits[i].what,
						      in->limits[i].share };
	facts.limits = limits;
	facts.n_limits = in->n_limits;
	rc = make_rows(in, &rows, &facts.n_findings, err);
	facts.findings = rows;
	if (rc == LYA_OK)
		rc = lya_store_put_facts(s, &facts, err);
	rows_free(rows, facts.n_findings);
	lya_free(limits);
	return rc;
}
