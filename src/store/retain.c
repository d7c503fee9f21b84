/*
 * retain.c - what is old goes, and the oldest where there is too much.
 *
 * Whole periods go by age, with everything that is known of them.  By size, minutes go
 * first, an hour of them at a time; then the evidence of the oldest nights, whose findings,
 * coverage and reports stay: they are small, and what trends are made of.  Report files are
 * not touched.
 */
#include "store/store.h"

#include "lyncaudit/timeutil.h"

/* The number in the first column of the only row; *found false: none, or NULL. */
static int ask(struct lya_store *s, enum store_statement which, bool *found, int64_t *n,
	       int64_t *second, struct lya_error *err, int64_t a, int64_t b, const char *types)
{
	sqlite3_stmt *st;
	int rc = store_query(s, which, err, &st, types, a, b);

	*found = st != NULL && sqlite3_column_type(st, 0) != SQLITE_NULL;
	if (*found) {
		*n = sqlite3_column_int64(st, 0);
		*second = sqlite3_column_int64(st, 1);
	}
	store_done(st);
	return rc;
}

/* An hour of minutes, so that no transaction is long; then the period with what is left. */
static int drop_period(struct lya_store *s, int64_t period, int64_t limit_ns, struct lya_error *err)
{
	int64_t minute = 0, unused;
	bool found;
	int rc = ask(s, STORE_PERIOD_MINUTE, &found, &minute, &unused, err, period, 0, "i");

	if (rc != LYA_OK || found)
		return rc == LYA_OK ? store_run(s, STORE_MINUTES_DROP, err, "ii", period, minute)
				    : rc;
	rc = store_run(s, STORE_PERIOD_DROP, err, "i", period);
	if (rc == LYA_OK)
		rc = store_run(s, STORE_POLICIES_DROP, err, "");
	return rc == LYA_OK ? store_run(s, STORE_EVENTS_DROP, err, "i", limit_ns) : rc;
}

static int drop_by_age(struct lya_store *s, const struct lya_store_keep *keep, int64_t now_ns,
		       int64_t now, bool *more, struct lya_error *err)
{
	int64_t days = keep->days != 0 ? keep->days : LYA_STORE_DAYS;
	int64_t limit_ns, period = 0, unused;
	int rc;

	if (__builtin_sub_overflow(now_ns, days * 86400 * LYA_SECOND_NS, &limit_ns))
		return LYA_OK;
	rc = ask(s, STORE_OLD_PERIOD, more, &period, &unused, err, limit_ns, now, "ii");
	return rc == LYA_OK && *more ? drop_period(s, period, limit_ns, err) : rc;
}

static int drop_by_size(struct lya_store *s, const struct lya_store_keep *keep, int64_t now,
			bool *more, struct lya_error *err)
{
	uint64_t limit = keep->bytes != 0 ? keep->bytes : LYA_STORE_BYTES;
	int64_t period = 0, minute = 0;
	int rc;

	*more = false;
	if (lya_store_bytes(s) <= limit)
		return LYA_OK;
	rc = ask(s, STORE_OLD_MINUTE, more, &period, &minute, err, now, 0, "i");
	if (rc != LYA_OK || *more)
		return rc == LYA_OK ? store_run(s, STORE_MINUTES_DROP, err, "ii", period, minute)
				    : rc;
	rc = ask(s, STORE_OLD_EVIDENCE, more, &period, &minute, err, now, 0, "i");
	if (rc == LYA_OK && *more)
		rc = store_run(s, STORE_EVIDENCE_DROP, err, "i", period);
	if (rc == LYA_OK && *more)
		rc = store_run(s, STORE_EVIDENCE_DROPPED, err, "i", period);
	return rc;
}

int lya_store_retain(struct lya_store *s, const struct lya_store_keep *keep, int64_t now_ns,
		     int64_t now, bool *more, struct lya_error *err)
{
	bool old = false;
	int rc = store_run(s, STORE_BEGIN, err, "");

	*more = false;
	if (rc != LYA_OK)
		return rc;
	rc = drop_by_age(s, keep, now_ns, now, &old, err);
	if (rc == LYA_OK && !old)
		rc = drop_by_size(s, keep, now, more, err);
	*more = *more || old;
	rc = store_end(s, rc, err);
	return rc == LYA_OK && *more ? store_exec(s, "PRAGMA incremental_vacuum(1024)", err) : rc;
}
