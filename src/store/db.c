/*
 * db.c - statements: bound, stepped, and what went wrong.
 */
#include "store/store.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

#include "lyncaudit/alloc.h"

int store_error(const struct lya_store *s, int rc, struct lya_error *err)
{
	const char *why = s->db != NULL ? sqlite3_errmsg(s->db) : sqlite3_errstr(rc);

	switch (rc & 0xff) {
	case SQLITE_NOMEM:
		return lya_error_nomem(err);
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_FORMAT:
		return lya_error_set(err, LYA_EINPUT, s->path, NULL, "damaged: %s", why);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return lya_error_set(err, LYA_EIO, s->path, NULL, "somebody else holds it: %s",
				     why);
	default:
		return lya_error_set(err, s->reading ? LYA_EIO : LYA_EOUTPUT, s->path, NULL,
				     "cannot be %s: %s", s->reading ? "read" : "written", why);
	}
}

int store_exec(struct lya_store *s, const char *sql, struct lya_error *err)
{
	int rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? LYA_OK : store_error(s, rc, err);
}

static int prepare(struct lya_store *s, enum store_statement which)
{
	if (s->statements[which] != NULL)
		return SQLITE_OK;
	return sqlite3_prepare_v3(s->db, store_sql[which], -1, SQLITE_PREPARE_PERSISTENT,
				  &s->statements[which], NULL);
}

static int bind_all(sqlite3_stmt *st, const char *types, va_list ap)
{
	int rc = SQLITE_OK;

	for (int i = 1; *types != '\0' && rc == SQLITE_OK; types++, i++) {
		const void *data;

		switch (*types) {
		case 'i':
			rc = sqlite3_bind_int64(st, i, va_arg(ap, int64_t));
			break;
		case 't':
			rc = sqlite3_bind_text(st, i, va_arg(ap, const char *), -1, SQLITE_STATIC);
			break;
		case 'd':
			rc = sqlite3_bind_double(st, i, va_arg(ap, double));
			break;
		default:
			assert(*types == 'b' && "one of the four types");
			data = va_arg(ap, const void *);
			rc = sqlite3_bind_blob64(st, i, data, va_arg(ap, size_t), SQLITE_STATIC);
		}
	}
	return rc;
}

static int query(struct lya_store *s, enum store_statement which, struct lya_error *err,
		 sqlite3_stmt **st, const char *types, va_list ap)
{
	int rc = prepare(s, which);

	*st = NULL;
	if (rc == SQLITE_OK)
		rc = bind_all(s->statements[which], types, ap);
	if (rc != SQLITE_OK)
		return store_error(s, rc, err);
	*st = s->statements[which];
	return store_next(s, st, err);
}

int store_query(struct lya_store *s, enum store_statement which, struct lya_error *err,
		sqlite3_stmt **st, const char *types, ...)
{
	va_list ap;
	int rc;

	va_start(ap, types);
	rc = query(s, which, err, st, types, ap);
	va_end(ap);
	return rc;
}

int store_next(struct lya_store *s, sqlite3_stmt **st, struct lya_error *err)
{
	int rc = sqlite3_step(*st);

	if (rc == SQLITE_ROW)
		return LYA_OK;
	if (rc != SQLITE_DONE)
		rc = store_error(s, rc, err); /* before the reset, which forgets why */
	else
		rc = LYA_OK;
	store_done(*st);
	*st = NULL;
	return rc;
}

void store_done(sqlite3_stmt *st)
{
	if (st == NULL)
		return;
	(void)sqlite3_reset(st); /* what it failed with was told when it did */
	(void)sqlite3_clear_bindings(st);
}

int store_run(struct lya_store *s, enum store_statement which, struct lya_error *err,
	      const char *types, ...)
{
	sqlite3_stmt *st;
	va_list ap;
	int rc;

	va_start(ap, types);
	rc = query(s, which, err, &st, types, ap);
	va_end(ap);
	store_done(st);
	return rc;
}

/* A disk that is full may have rolled back already: then there is nothing to roll back. */
static void roll_back(struct lya_store *s)
{
	if (sqlite3_get_autocommit(s->db) == 0)
		(void)store_run(s, STORE_ROLLBACK, NULL, "");
}

int store_end(struct lya_store *s, int rc, struct lya_error *err)
{
	if (rc == LYA_OK)
		rc = store_run(s, STORE_COMMIT, err, "");
	if (rc != LYA_OK)
		roll_back(s);
	return rc;
}

bool store_text(sqlite3_stmt *st, int column, char **out)
{
	const unsigned char *text = sqlite3_column_text(st, column);

	*out = NULL;
	if (text == NULL)
		return sqlite3_column_type(st, column) == SQLITE_NULL;
	*out = lya_strdup((const char *)text);
	return *out != NULL;
}

void store_text_into(sqlite3_stmt *st, int column, char *out, size_t size)
{
	const unsigned char *text = sqlite3_column_text(st, column);
	size_t len = text != NULL ? strlen((const char *)text) : 0;

	if (len >= size)
		len = size - 1;
	if (len > 0)
		memcpy(out, text, len);
	out[len] = '\0';
}

int store_word(struct lya_store *s, const char *text, int64_t *id, struct lya_error *err)
{
	sqlite3_stmt *st;
	int rc = store_query(s, STORE_WORD_FIND, err, &st, "t", text);

	if (rc == LYA_OK && st == NULL) {
		rc = store_run(s, STORE_WORD_PUT, err, "t", text);
		*id = sqlite3_last_insert_rowid(s->db);
		return rc;
	}
	if (rc == LYA_OK)
		*id = sqlite3_column_int64(st, 0);
	store_done(st);
	return rc;
}
