/*
 * night.c - a period as the store has it, ready to be written as a report.
 *
 * Every nightly report is made this way, the first time and whenever it is made again: so it
 * is the same.
 */
#include "keeper/keeper.h"

#include <string.h>

#include "lyncaudit/alloc.h"

/* Evidence ----------------------------------------------------------------------------------- */

/* A stretch while it is read. */
struct reading {
	struct night *n;
	size_t stretch;
	size_t bound;
	uint32_t *map; /* of its sources; NULL: its tally is damaged */
	size_t n_map;
	struct lya_error *err;
};

static int take_tally(void *ctx, const void *data, size_t len, bool good)
{
	struct reading *r = ctx;
	struct lya_tally *tally;
	int rc = good ? lya_tally_unpack(&tally, data, len, r->err) : LYA_EINPUT;

	if (rc == LYA_EINPUT) {
		r->n->damaged[r->stretch] = true;
		return LYA_OK;
	}
	if (rc != LYA_OK)
		return rc;
	r->map = lya_calloc(tally->n_sources + 1, sizeof(*r->map));
	r->n_map = tally->n_sources;
	rc = r->map != NULL ? lya_tally_merge(r->n->tally, tally, r->map, r->err)
			    : lya_error_nomem(r->err);
	lya_tally_free(tally);
	return rc;
}

static int new_ledger(const struct night *n, size_t bound, struct lya_ledger **l,
		      struct lya_error *err)
{
	struct lya_ledger_options options = { .max_bytes = bound };

	return lya_ledger_new(l, n->policy, &options, err);
}

/* Aside first: what turns out to be damaged must not leave half of it behind. */
static int take_part(void *ctx, const void *data, size_t len, bool open, bool good)
{
	struct reading *r = ctx;
	struct lya_ledger *aside;
	int rc;

	(void)open;
	if (!good || r->map == NULL) {
		r->n->damaged[r->stretch] = true;
		return LYA_OK;
	}
	rc = new_ledger(r->n, r->bound, &aside, r->err);
	if (rc != LYA_OK)
		return rc;
	rc = lya_ledger_unpack(aside, data, len, r->map, r->n_map, r->err);
	if (rc == LYA_OK && lya_ledger_merge(r->n->ledger, aside) != LYA_OK)
		rc = lya_error_nomem(r->err);
	lya_ledger_free(aside);
	if (rc != LYA_EINPUT)
		return rc;
	r->n->damaged[r->stretch] = true;
	return LYA_OK;
}

static int read_stretches(struct night *n, struct lya_store *s, size_t bound, struct lya_error *err)
{
	int rc = LYA_OK;

	for (size_t i = 0; i < n->n_stretches && rc == LYA_OK; i++) {
		struct reading r = { .n = n, .stretch = i, .bound = bound, .err = err };
		struct lya_store_taker taker = { &r, take_tally, take_part };

		rc = lya_store_read_stretch(s, n->stretches[i].id, &taker, err);
		lya_free(r.map);
	}
	return rc;
}

/* Policies ----------------------------------------------------------------------------------- */

static int load_policy(struct night *n, struct lya_store *s, int64_t id, struct lya_error *err)
{
	struct lya_diags diags = { 0 };
	bool strict;
	int rc = lya_store_load_policy(s, id, &n->site, &n->rules, &strict, err);

	if (rc == LYA_OK)
		rc = lya_policy_new(&n->policy, n->site, n->rules, strict, &diags, err);
	lya_diags_fini(&diags);
	return rc;
}

/* By what each stretch was judged: where that never changed, once. */
static int read_judged(struct night *n, struct lya_store *s, int64_t to_ns, struct lya_error *err)
{
	size_t kept = 0;

	n->judged = lya_calloc(n->n_stretches + 1, sizeof(*n->judged));
	n->digests = lya_calloc(n->n_stretches + 1, sizeof(*n->digests));
	if (n->judged == NULL || n->digests == NULL)
		return lya_error_nomem(err);
	for (size_t i = 0; i < n->n_stretches; i++) {
		const struct lya_store_stretch *t = &n->stretches[i];
		struct lya_report_stretch *j = &n->judged[kept];
		int64_t until_ns = t->until_ns < to_ns ? t->until_ns : to_ns;
		int rc;

		if (kept > 0 && n->stretches[i - 1].policy == t->policy) {
			n->judged[kept - 1].to_ns = until_ns;
			continue;
		}
		rc = lya_store_policy_digests(s, t->policy, n->digests[kept][0],
					      n->digests[kept][1], err);
		if (rc != LYA_OK)
			return rc;
		*j = (struct lya_report_stretch){ t->begin_ns, until_ns, n->digests[kept][0],
						  n->digests[kept][1] };
		kept++;
	}
	n->night.stretches = n->judged;
	n->night.n_stretches = kept;
	return LYA_OK;
}

/* The whole ---------------------------------------------------------------------------------- */

static int finish_ledger(struct night *n, struct lya_error *err)
{
	struct lya_ledger_source *told = NULL;
	struct lya_ledger_end end = { 0 };
	int rc = lya_tally_end(n->tally, &end, &told, err);

	if (rc == LYA_OK)
		rc = lya_site_check(n->site, &n->faults, &n->n_faults, err);
	end.faults = n->faults;
	end.n_faults = n->n_faults;
	if (rc == LYA_OK)
		rc = lya_ledger_finish(n->ledger, &end, err);
	lya_free(told);
	return rc;
}

static int fill_input(struct night *n, const struct lya_store_period *p, int64_t to_ns,
		      struct lya_error *err)
{
	int rc = lya_tally_limits(n->tally, n->ledger, &n->limits, &n->n_limits, err);

	if (rc == LYA_OK)
		rc = gaps_limits(&n->gaps, p->begin_ns, to_ns, &n->limits, &n->n_limits, err);
	if (rc == LYA_OK)
		rc = lya_tally_report(n->tally, n->site, &n->in, &n->pairs, err);
	n->in.ledger = n->ledger;
	n->in.limits = n->limits;
	n->in.n_limits = n->n_limits;
	n->in.fail_on = (enum lya_severity)p->fail_on;
	n->in.night = &n->night;
	n->night.sensor = p->sensor;
	n->night.name = p->name;
	n->night.timezone = p->timezone;
	n->night.from_ns = p->begin_ns;
	n->night.to_ns = to_ns;
	n->night.partial = p->partial || n->gaps.n > 0 || !p->closed;
	n->night.gaps = n->gaps.list;
	n->night.n_gaps = n->gaps.n;
	n->night.events = n->gaps.events;
	n->night.n_events = n->gaps.n_events;
	return rc;
}

int night_read(struct night *n, struct lya_store *s, const struct lya_store_period *p,
	       const struct night_wanted *wanted, struct lya_error *err)
{
	int64_t to_ns = wanted->to_ns;
	int rc;

	*n = (struct night){ 0 };
	rc = load_policy(n, s, wanted->policy, err);
	if (rc == LYA_OK)
		rc = new_ledger(n, p->bound, &n->ledger, err);
	if (rc == LYA_OK)
		rc = lya_tally_new(&n->tally, err);
	if (rc == LYA_OK)
		rc = lya_store_stretches(s, p->id, &n->stretches, &n->n_stretches, err);
	if (rc == LYA_OK) {
		n->damaged = lya_calloc(n->n_stretches + 1, sizeof(*n->damaged));
		rc =
		    n->damaged != NULL ? read_stretches(n, s, p->bound, err) : lya_error_nomem(err);
	}
	if (rc == LYA_OK)
		rc = read_judged(n, s, to_ns, err);
	if (rc == LYA_OK)
		rc = gaps_make(&n->gaps, s, p->begin_ns, to_ns, wanted->last_event, n->stretches,
			       n->damaged, n->n_stretches, err);
	if (rc == LYA_OK)
		rc = finish_ledger(n, err);
	return rc == LYA_OK ? fill_input(n, p, to_ns, err) : rc;
}

/* Changes ------------------------------------------------------------------------------------ */

static int take_change(void *ctx, enum lya_change change, const char *id, const char *json)
{
	struct night *n = ctx;
	void *list = n->ids[change];
	const char *text = change == LYA_CHANGE_RESOLVED ? json : id;
	char *copy = text != NULL ? lya_strdup(text) : lya_strdup("null");

	if (copy == NULL || lya_grow(&list, &n->cap_ids[change], n->n_ids[change] + 1,
				     sizeof(*n->ids[change])) != LYA_OK) {
		lya_free(copy);
		return LYA_ENOMEM;
	}
	n->ids[change] = list;
	n->ids[change][n->n_ids[change]++] = copy;
	return LYA_OK;
}

int night_read_changes(struct night *n, struct lya_store *s, int64_t period,
		       const struct lya_store_report *previous, struct lya_error *err)
{
	int rc = lya_store_read_changes(s, period, take_change, n, err);

	if (rc != LYA_OK)
		return rc == LYA_ENOMEM ? lya_error_nomem(err) : rc;
	if (previous != NULL) {
		memcpy(n->previous_file, previous->file, sizeof(n->previous_file));
		memcpy(n->previous_sha256, previous->sha256, sizeof(n->previous_sha256));
		n->night.previous_file = n->previous_file;
		n->night.previous_sha256 = n->previous_sha256;
	}
	n->night.new_ids = (const char *const *)n->ids[LYA_CHANGE_NEW];
	n->night.n_new = n->n_ids[LYA_CHANGE_NEW];
	n->night.persisting_ids = (const char *const *)n->ids[LYA_CHANGE_PERSISTING];
	n->night.n_persisting = n->n_ids[LYA_CHANGE_PERSISTING];
	n->night.resolved = (const char *const *)n->ids[LYA_CHANGE_RESOLVED];
	n->night.n_resolved = n->n_ids[LYA_CHANGE_RESOLVED];
	return LYA_OK;
}

void night_fini(struct night *n)
{
	for (unsigned c = 0; c < LYA_CHANGES; c++) {
		for (size_t i = 0; i < n->n_ids[c]; i++)
			lya_free(n->ids[c][i]);
		lya_free(n->ids[c]);
	}
	gaps_fini(&n->gaps);
	lya_limits_free(n->limits, n->n_limits);
	lya_site_faults_free(n->faults, n->n_faults);
	lya_free(n->pairs);
	lya_free(n->stretches);
	lya_free(n->damaged);
	lya_free(n->judged);
	lya_free(n->digests);
	lya_ledger_free(n->ledger);
	lya_tally_free(n->tally);
	lya_policy_free(n->policy);
	lya_site_free(n->site);
	lya_rules_free(n->rules);
}
