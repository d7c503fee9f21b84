/*
 * store.h - what the files of this module share.
 *
 *	open.c        directory, lock, data base, what is set aside
 *	schema.c      tables, step by step; every statement that is asked
 *	db.c          statements: bound, stepped, and what went wrong
 *	checkpoint.c  what a service hands over; evidence.c reads it
 *	facts.c       findings and reports; history.c reads them night by night
 *	retain.c      drops what is old
 */
#ifndef LYNCAUDIT_SRC_STORE_H
#define LYNCAUDIT_SRC_STORE_H

#include <sqlite3.h>

#include "lyncaudit/store.h"

enum store_statement {
	STORE_BEGIN,
	STORE_COMMIT,
	STORE_ROLLBACK,
	STORE_POLICY_FIND,
	STORE_POLICY_PUT,
	STORE_POLICY_GET,
	STORE_PERIOD_PUT,
	STORE_PERIOD_NAMES,
	STORE_PERIOD_CLOSE,
	STORE_PERIODS,
	STORE_PERIOD_FIND,
	STORE_PERIOD_GET,
	STORE_UNREPORTED,
	STORE_LAST_DAY,
	STORE_STRETCH_PUT,
	STORE_STRETCH_SET,
	STORE_STRETCHES,
	STORE_TALLY_GET,
	STORE_PART_PUT,
	STORE_PARTS,
	STORE_PARTS_COUNT,
	STORE_PARTS_DROP,
	STORE_WORD_PUT,
	STORE_WORD_FIND,
	STORE_MINUTE_PUT,
	STORE_HOST_PUT,
	STORE_EVENT_PUT,
	STORE_EVENTS,
	STORE_EVENT_LAST,
	STORE_FINDINGS_DROP,
	STORE_FINDING_PUT,
	STORE_COVERAGE_DROP,
	STORE_COVERAGE_PUT,
	STORE_WAIVERS_DROP,
	STORE_WAIVER_PUT,
	STORE_LIMITS_DROP,
	STORE_LIMIT_PUT,
	STORE_REPORT_PUT,
	STORE_REPORT_OF,
	STORE_REPORT_LAST,
	STORE_CHANGES_DROP,
	STORE_CHANGES_PUT,
	STORE_CHANGES_PUT_OLD,
	STORE_CHANGES,
	STORE_BYTES,
	STORE_OLD_PERIOD,
	STORE_OLD_MINUTE,
	STORE_PERIOD_MINUTE,
	STORE_OLD_EVIDENCE,
	STORE_MINUTES_DROP,
	STORE_EVIDENCE_DROP,
	STORE_EVIDENCE_DROPPED,
	STORE_PERIOD_DROP,
	STORE_POLICIES_DROP,
	STORE_EVENTS_DROP,
	STORE_HISTORY_FROM,
	STORE_HISTORY_NIGHTS,
	STORE_HISTORY_FINDINGS,
	STORE_HISTORY_RULES,
	STORE_HISTORY_HOSTS,
	STORE_STATEMENTS
};

/* The SQL of each. */
extern const char *const store_sql[STORE_STATEMENTS];

struct lya_store {
	char *dir, *path; /* of the data base */
	sqlite3 *db;
	sqlite3_stmt *statements[STORE_STATEMENTS]; /* prepared when first asked for */
	int lock;                                   /* descriptor; -1: not held */
	bool reading;
};

/* lock.c */
int store_lock(struct lya_store *s, const struct lya_store_writer *writer, struct lya_error *err);

/* schema.c: bring the tables up to this version, which is at most that of the program. */
int store_migrate(struct lya_store *s, struct lya_error *err);
enum { STORE_VERSION = 1 };

/* db.c --------------------------------------------------------------------------------------- */

/* What SQLite answered, as one of ours, with its reason. */
int store_error(const struct lya_store *s, int rc, struct lya_error *err);
int store_exec(struct lya_store *s, const char *sql, struct lya_error *err);
/*
 * Bind and take a first step: i int64_t; t text or NULL; b const void * and size_t, borrowed
 * until the statement is done; d double.  *st is at a row, or NULL when there is none.
 */
int store_query(struct lya_store *s, enum store_statement which, struct lya_error *err,
		sqlite3_stmt **st, const char *types, ...);
/* The next row; *st is NULL when there is none. */
int store_next(struct lya_store *s, sqlite3_stmt **st, struct lya_error *err);
/* Done with it before its last row. */
void store_done(sqlite3_stmt *st);
/* A statement without rows. */
int store_run(struct lya_store *s, enum store_statement which, struct lya_error *err,
	      const char *types, ...);
/* The end of a transaction: commit, or roll back and answer rc. */
int store_end(struct lya_store *s, int rc, struct lya_error *err);
/* A copy of a text column; NULL for NULL.  False: out of memory. */
bool store_text(sqlite3_stmt *st, int column, char **out);
/* A text column into a buffer, cut where it must. */
void store_text_into(sqlite3_stmt *st, int column, char *out, size_t size);
/* The number of a word, made when it is new. */
int store_word(struct lya_store *s, const char *text, int64_t *id, struct lya_error *err);
/* The seal of bytes. */
void store_seal(const void *data, size_t len, char seal[static LYA_SHA256_HEX]);
int store_put_event(struct lya_store *s, const struct lya_store_event *event,
		    struct lya_error *err);

#endif
