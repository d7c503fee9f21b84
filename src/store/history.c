/*
 * history.c - how things went, night by night.
 */
#include "store/store.h"

#include <string.h>

/* The first of the last `nights` that have a report. */
static int first_night(struct lya_store *s, unsigned nights, int64_t *period, struct lya_error *err)
{
	sqlite3_stmt *st;
	int rc = store_query(s, STORE_HISTORY_FROM, err, &st, "i", (int64_t)nights);

	*period = st != NULL ? sqlite3_column_int64(st, 0) : 0;
	store_done(st);
	return rc;
}

static const char *text_at(sqlite3_stmt *st, int column)
{
	const unsigned char *text = sqlite3_column_text(st, column);

	return text != NULL ? (const char *)text : "";
}

static uint64_t count_at(sqlite3_stmt *st, int column)
{
	return (uint64_t)sqlite3_column_int64(st, column);
}

int lya_store_read_nights(struct lya_store *s, unsigned nights,
			  int (*fn)(void *ctx, const struct lya_store_night *night), void *ctx,
			  struct lya_error *err)
{
	sqlite3_stmt *st;
	int64_t from;
	int rc = first_night(s, nights, &from, err);

	if (rc != LYA_OK)
		return rc;
	rc = store_query(s, STORE_HISTORY_NIGHTS, err, &st, "i", from);
	while (rc == LYA_OK && st != NULL) {
		struct lya_store_night night = {
			.name = text_at(st, 0),
			.file = text_at(st, 1),
			.verdict = text_at(st, 2),
			.partial = sqlite3_column_int64(st, 3) != 0,
			.findings = count_at(st, 4),
			.infos = count_at(st, 5),
			.fresh = count_at(st, 6),
			.resolved = count_at(st, 7),
			.period = sqlite3_column_int64(st, 8),
		};

		rc = fn(ctx, &night);
		if (rc == LYA_OK)
			rc = store_next(s, &st, err);
	}
	store_done(st);
	return rc;
}

/* The columns behind key, night and period differ. */
static void fill(enum lya_trend which, sqlite3_stmt *st, struct lya_store_trend *t)
{
	*t = (struct lya_store_trend){ .key = text_at(st, 0),
				       .night = text_at(st, 1),
				       .period = sqlite3_column_int64(st, 2) };
	switch (which) {
	case LYA_TREND_FINDINGS:
		t->type = text_at(st, 3);
		t->severity = text_at(st, 4);
		t->flows = count_at(st, 5);
		t->what = text_at(st, 6);
		break;
	case LYA_TREND_RULES:
		t->status = text_at(st, 3);
		t->flows = count_at(st, 4);
		t->packets = count_at(st, 5);
		t->bytes = count_at(st, 6);
		break;
	case LYA_TREND_HOSTS:
		t->flows = count_at(st, 3);
		t->undocumented = count_at(st, 4);
		t->packets = count_at(st, 5);
		t->bytes = count_at(st, 6);
		break;
	}
}

int lya_store_read_trend(struct lya_store *s, enum lya_trend which, unsigned nights,
			 int (*fn)(void *ctx, const struct lya_store_trend *row), void *ctx,
			 struct lya_error *err)
{
	static const enum store_statement statements[] = {
		[LYA_TREND_FINDINGS] = STORE_HISTORY_FINDINGS,
		[LYA_TREND_RULES] = STORE_HISTORY_RULES,
		[LYA_TREND_HOSTS] = STORE_HISTORY_HOSTS,
	};
	sqlite3_stmt *st;
	int64_t from;
	int rc = first_night(s, nights, &from, err);

	if (rc != LYA_OK)
		return rc;
	rc = store_query(s, statements[which], err, &st, "i", from);
	while (rc == LYA_OK && st != NULL) {
		struct lya_store_trend row;

		fill(which, st, &row);
		rc = fn(ctx, &row);
		if (rc == LYA_OK)
			rc = store_next(s, &st, err);
	}
	store_done(st);
	return rc;
}
