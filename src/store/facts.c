/*
 * facts.c - what a period's report says, as rows to ask; reports; changes from night to night.
 */
#include "store/store.h"

#include <stdio.h>
#include <string.h>

#include "lyncaudit/alloc.h"
#include "lyncaudit/text.h"
#include "lyncaudit/timeutil.h"

/* Findings ----------------------------------------------------------------------------------- */

/* "fe01", or by role where nobody is declared; NULL for findings that have no such end. */
static const char *end_word(const struct lya_finding_end *end)
{
	if (!end->given)
		return NULL;
	if (end->host != NULL)
		return end->host;
	return end->role < LYA_ROLES ? lya_role_name(end->role) : "none";
}

static void ports_text(const struct lya_finding *f, struct lya_text *text)
{
	char one[12];

	for (size_t i = 0; i < f->n_ports; i++) {
		lya_port_range_format(&f->ports[i], one);
		lya_text_addf(text, "%s%s", i > 0 ? "," : "", one);
	}
}

/* Times that there are none of are 0: such findings have no flows either. */
static int64_t time_of(int64_t ns)
{
	return ns == LYA_TIME_NONE ? 0 : ns;
}

static int put_finding(struct lya_store *s, int64_t period, size_t place,
		       const struct lya_store_finding *row, struct lya_error *err)
{
	const struct lya_finding *f = row->finding;
	struct lya_text ports = { 0 };
	int rc;

	ports_text(f, &ports);
	if (ports.failed) {
		lya_text_fini(&ports);
		return lya_error_nomem(err);
	}
	rc = store_run(s, STORE_FINDING_PUT, err, "itittttttiiiiitt", period, f->id, (int64_t)place,
		       f->type, lya_severity_name(f->severity), end_word(&f->initiator),
		       end_word(&f->responder),
		       f->transport == 6    ? "tcp"
		       : f->transport == 17 ? "udp"
					    : NULL,
		       lya_text_str(&ports), (int64_t)f->flows, (int64_t)f->packets,
		       (int64_t)f->bytes, time_of(f->first_ns), time_of(f->last_ns), f->what,
		       row->json);
	lya_text_fini(&ports);
	return rc;
}

static int put_coverage(struct lya_store *s, int64_t period, const struct lya_ledger *l,
			struct lya_error *err)
{
	const struct lya_rules *rules = lya_policy_rules(lya_ledger_policy(l));
	size_t n;
	const struct lya_coverage *list = lya_ledger_coverage(l, &n);
	int rc = store_run(s, STORE_COVERAGE_DROP, err, "i", period);

	for (size_t i = 0; i < n && rc == LYA_OK; i++)
		rc = store_run(s, STORE_COVERAGE_PUT, err, "ititiiiii", period,
			       rules->list[list[i].rule].id, (int64_t)i,
			       lya_coverage_status_name(list[i].status), (int64_t)list[i].flows,
			       (int64_t)list[i].packets, (int64_t)list[i].bytes,
			       time_of(list[i].first_ns), time_of(list[i].last_ns));
	return rc;
}

static int put_waivers(struct lya_store *s, int64_t period, const struct lya_ledger *l,
		       struct lya_error *err)
{
	size_t n;
	const struct lya_waiver *list = lya_ledger_waivers(l, &n);
	int rc = store_run(s, STORE_WAIVERS_DROP, err, "i", period);

	for (size_t i = 0; i < n && rc == LYA_OK; i++)
		rc = store_run(s, STORE_WAIVER_PUT, err,
			       "ititi"
			       "tt",
			       period, list[i].exception->id, (int64_t)list[i].flows,
			       list[i].exception->expires,
			       list[i].has_days ? list[i].days_left : INT64_C(0),
			       list[i].exception->reason, list[i].exception->owner);
	return rc;
}

static int put_limits(struct lya_store *s, const struct lya_store_facts *facts,
		      struct lya_error *err)
{
	int rc = store_run(s, STORE_LIMITS_DROP, err, "i", facts->period);

	for (size_t i = 0; i < facts->n_limits && rc == LYA_OK; i++)
		rc = store_run(s, STORE_LIMIT_PUT, err, "iittdt", facts->period, (int64_t)i,
			       facts->limits[i].kind, facts->limits[i].place,
			       facts->limits[i].share, facts->limits[i].what);
	return rc;
}

static int put_facts(struct lya_store *s, const struct lya_store_facts *facts,
		     struct lya_error *err)
{
	int rc = store_run(s, STORE_FINDINGS_DROP, err, "i", facts->period);

	for (size_t i = 0; i < facts->n_findings && rc == LYA_OK; i++)
		rc = put_finding(s, facts->period, i, &facts->findings[i], err);
	if (rc == LYA_OK)
		rc = put_coverage(s, facts->period, facts->ledger, err);
	if (rc == LYA_OK)
		rc = put_waivers(s, facts->period, facts->ledger, err);
	return rc == LYA_OK ? put_limits(s, facts, err) : rc;
}

int lya_store_put_facts(struct lya_store *s, const struct lya_store_facts *facts,
			struct lya_error *err)
{
	int rc = store_run(s, STORE_BEGIN, err, "");

	return rc == LYA_OK ? store_end(s, put_facts(s, facts, err), err) : rc;
}

/* Reports ------------------------------------------------------------------------------------ */

int lya_store_put_report(struct lya_store *s, const struct lya_store_report *r,
			 struct lya_error *err)
{
	const char *previous = r->previous_file[0] != '\0' ? r->previous_file : NULL;

	return store_run(s, STORE_REPORT_PUT, err, "itttiiiitti", r->period, r->file, r->sha256,
			 r->verdict, r->made_ns, r->to_ns, (int64_t)r->partial,
			 (int64_t)r->on_demand, previous,
			 previous != NULL ? r->previous_sha256 : NULL, r->last_event);
}

static void read_report(sqlite3_stmt *st, struct lya_store_report *r)
{
	memset(r, 0, sizeof(*r));
	r->period = sqlite3_column_int64(st, 0);
	store_text_into(st, 1, r->file, sizeof(r->file));
	store_text_into(st, 2, r->sha256, sizeof(r->sha256));
	store_text_into(st, 3, r->verdict, sizeof(r->verdict));
	r->made_ns = sqlite3_column_int64(st, 4);
	r->to_ns = sqlite3_column_int64(st, 5);
	r->partial = sqlite3_column_int64(st, 6) != 0;
	r->on_demand = sqlite3_column_int64(st, 7) != 0;
	store_text_into(st, 8, r->previous_file, sizeof(r->previous_file));
	store_text_into(st, 9, r->previous_sha256, sizeof(r->previous_sha256));
	r->last_event = sqlite3_column_int64(st, 10);
}

static int find_report(struct lya_store *s, enum store_statement which, int64_t period, bool *found,
		       struct lya_store_report *out, struct lya_error *err)
{
	sqlite3_stmt *st;
	int rc = store_query(s, which, err, &st, "i", period);

	*found = st != NULL;
	if (st != NULL)
		read_report(st, out);
	store_done(st);
	return rc;
}

int lya_store_find_report(struct lya_store *s, int64_t period, bool *found,
			  struct lya_store_report *out, struct lya_error *err)
{
	return find_report(s, STORE_REPORT_OF, period, found, out, err);
}

int lya_store_last_report(struct lya_store *s, int64_t before_period, bool *found,
			  struct lya_store_report *out, struct lya_error *err)
{
	return find_report(s, STORE_REPORT_LAST, before_period, found, out, err);
}

/* Changes ------------------------------------------------------------------------------------ */

static int compare(struct lya_store *s, int64_t period, int64_t before, struct lya_error *err)
{
	int rc = store_run(s, STORE_CHANGES_DROP, err, "i", period);

	if (rc == LYA_OK)
		rc = store_run(s, STORE_CHANGES_PUT, err, "ii", period, before);
	if (rc == LYA_OK)
		rc = store_run(s, STORE_CHANGES_PUT_OLD, err, "ii", period, before);
	return rc;
}

int lya_store_compare(struct lya_store *s, int64_t period, int64_t before, struct lya_error *err)
{
	int rc = store_run(s, STORE_BEGIN, err, "");

	return rc == LYA_OK ? store_end(s, compare(s, period, before, err), err) : rc;
}

int lya_store_read_changes(struct lya_store *s, int64_t period,
			   int (*fn)(void *ctx, enum lya_change change, const char *id,
				     const char *json),
			   void *ctx, struct lya_error *err)
{
	sqlite3_stmt *st;
	int rc = store_query(s, STORE_CHANGES, err, &st, "i", period);

	while (rc == LYA_OK && st != NULL) {
		int64_t kind = sqlite3_column_int64(st, 0);
		const char *id = (const char *)sqlite3_column_text(st, 1);

		if (kind >= 0 && kind < LYA_CHANGES && id != NULL)
			rc = fn(ctx, (enum lya_change)kind, id,
				(const char *)sqlite3_column_text(st, 2));
		if (rc == LYA_OK)
			rc = store_next(s, &st, err);
	}
	store_done(st);
	return rc;
}
