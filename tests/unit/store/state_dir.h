/*
 * state_dir.h - a state directory that is gone after the test, and what another program
 * sees and does there.
 *
 *	cmocka_unit_test_setup_teardown(test, make_dir, remove_dir)
 *	... dir is its name ...
 */
#ifndef TESTS_STORE_STATE_DIR_H
#define TESTS_STORE_STATE_DIR_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lyncaudit/store.h"

static char dir[64];

static inline void state_remove_all(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL) {
		char name[PATH_MAX];

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		assert_in_range(snprintf(name, sizeof(name), "%s/%s", path, e->d_name), 1,
				sizeof(name) - 1);
		if (unlink(name) == -1)
			state_remove_all(name);
	}
	if (d != NULL)
		(void)closedir(d);
	(void)rmdir(path);
}

static inline int make_dir(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof(dir), "/tmp/lyncaudit-state-XXXXXX");
	assert_non_null(mkdtemp(dir));
	return 0;
}

static inline int remove_dir(void **state)
{
	(void)state;
	state_remove_all(dir);
	return 0;
}

static inline struct lya_store *state_read(void)
{
	struct lya_error err = { 0 };
	struct lya_store *s;

	if (lya_store_open(&s, dir, NULL, NULL, &err) != LYA_OK)
		fail_msg("%s", err.text);
	return s;
}

static inline sqlite3 *open_sql(void)
{
	char path[128];
	sqlite3 *db;

	(void)snprintf(path, sizeof(path), "%s/store.db", dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	return db;
}

static inline void run_sql(const char *sql)
{
	sqlite3 *db = open_sql();
	char *why = NULL;

	if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s: %s", sql, why);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static inline int64_t ask_sql(const char *sql)
{
	sqlite3 *db = open_sql();
	sqlite3_stmt *st;
	int64_t n;

	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	n = sqlite3_column_int64(st, 0);
	(void)sqlite3_finalize(st);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	return n;
}

#endif
