/*
 * open.c - the state directory and its data base: made, opened, checked, set aside.
 */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lyncaudit/alloc.h"
#include "lyncaudit/timeutil.h"

enum {
	APPLICATION_ID = 0x4c594153, /* "LYAS", so that file(1) and we know it from others */
	BUSY_MS = 10000,
	ASIDE_MAX = 100
};

/* Larger ones are not read whole at every start: damage shows where it is met. */
#define CHECK_BYTES_MAX (INT64_C(256) << 20)

/*
 * WAL: readers beside the writer, and a transaction is one sync.  FULL: what was
 * committed outlasts a power cut.  No memory maps of the file: a disk that fails must not be
 * a signal.  auto_vacuum is for new files; it gives space back in small steps.
 */
static const char settings[] = "PRAGMA trusted_schema = OFF;"
			       "PRAGMA foreign_keys = ON;"
			       "PRAGMA temp_store = MEMORY;"
			       "PRAGMA mmap_size = 0;"
			       "PRAGMA cache_size = -4096;";
static const char writer_settings[] = "PRAGMA auto_vacuum = INCREMENTAL;"
				      "PRAGMA journal_mode = WAL;"
				      "PRAGMA synchronous = FULL;"
				      "PRAGMA journal_size_limit = 67108864;";

static char *path_of(const char *dir, const char *name, const char *tail)
{
	size_t len = strlen(dir) + strlen(name) + strlen(tail) + 2;
	char *path = lya_malloc(len);

	if (path != NULL)
		(void)snprintf(path, len, "%s/%s%s", dir, name, tail);
	return path;
}

static int fail(struct lya_error *err, const char *path, const char *what)
{
	return lya_error_set(err, LYA_EOUTPUT, path, NULL, "%s: %s", what, strerror(errno));
}

static int make_folder(const char *path, struct lya_error *err)
{
	struct stat st;

	if (mkdir(path, 0700) == -1 && errno != EEXIST)
		return fail(err, path, "cannot be made");
	if (stat(path, &st) == -1 || !S_ISDIR(st.st_mode))
		return lya_error_set(err, LYA_EOUTPUT, path, NULL, "is no directory");
	return LYA_OK;
}

static int make_folders(const char *dir, struct lya_error *err)
{
	char *reports = path_of(dir, "reports", "");
	int rc;

	if (reports == NULL)
		return lya_error_nomem(err);
	rc = make_folder(dir, err);
	if (rc == LYA_OK)
		rc = make_folder(reports, err);
	lya_free(reports);
	return rc;
}

/* SQLite gives its files the mode of this one, which it would make readable itself. */
static int make_file(const struct lya_store *s, struct lya_error *err)
{
	int fd = open(s->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd == -1)
		return fail(err, s->path, "cannot be written");
	(void)close(fd);
	return LYA_OK;
}

/* Opening the data base ---------------------------------------------------------------------- */

static void close_db(struct lya_store *s)
{
	for (size_t i = 0; i < STORE_STATEMENTS; i++) {
		(void)sqlite3_finalize(s->statements[i]);
		s->statements[i] = NULL;
	}
	(void)sqlite3_close(s->db);
	s->db = NULL;
}

static int read_number(struct lya_store *s, const char *sql, int64_t *n, struct lya_error *err)
{
	sqlite3_stmt *st;
	int rc = sqlite3_prepare_v2(s->db, sql, -1, &st, NULL);

	*n = 0;
	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		*n = sqlite3_column_int64(st, 0);
	if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
		rc = store_error(s, rc, err);
		(void)sqlite3_finalize(st);
		return rc;
	}
	(void)sqlite3_finalize(st);
	return LYA_OK;
}

static int check_pages(struct lya_store *s, struct lya_error *err)
{
	sqlite3_stmt *st;
	int rc = sqlite3_prepare_v2(s->db, "PRAGMA quick_check(1)", -1, &st, NULL);
	const unsigned char *said = NULL;

	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		said = sqlite3_column_text(st, 0);
	if (rc != SQLITE_ROW)
		rc = store_error(s, rc, err);
	else if (said == NULL || strcmp((const char *)said, "ok") != 0)
		rc = lya_error_set(err, LYA_EINPUT, s->path, NULL, "damaged: %s",
				   said != NULL ? (const char *)said : "it cannot be checked");
	else
		rc = LYA_OK;
	(void)sqlite3_finalize(st);
	return rc;
}

/* One that is ours, and whole as far as that can be said. */
static int check_ours(struct lya_store *s, struct lya_error *err)
{
	int64_t id = 0, tables = 0, bytes = 0;
	int rc = read_number(s, "PRAGMA application_id", &id, err);

	if (rc == LYA_OK)
		rc = read_number(s, "SELECT count(*) FROM sqlite_schema", &tables, err);
	if (rc == LYA_OK && id != APPLICATION_ID && (id != 0 || tables != 0))
		return lya_error_set(err, LYA_EUSAGE, s->path, NULL,
				     "is a data base of another program");
	if (rc == LYA_OK)
		rc = read_number(s,
				 "SELECT page_count * page_size FROM pragma_page_count,"
				 " pragma_page_size",
				 &bytes, err);
	return rc == LYA_OK && !s->reading && bytes <= CHECK_BYTES_MAX ? check_pages(s, err) : rc;
}

static int open_file(struct lya_store *s, const char *name, int flags, struct lya_error *err)
{
	int rc =
	    sqlite3_open_v2(name, &s->db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW, NULL);

	if (rc != SQLITE_OK)
		return store_error(s, rc, err);
	(void)sqlite3_extended_result_codes(s->db, 1);
	(void)sqlite3_busy_timeout(s->db, BUSY_MS);
	(void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	return store_exec(s, settings, err);
}

static int open_writer(struct lya_store *s, struct lya_error *err)
{
	char id[64];
	int rc = make_file(s, err);

	if (rc == LYA_OK)
		rc = open_file(s, s->path, SQLITE_OPEN_READWRITE, err);
	if (rc == LYA_OK)
		rc = check_ours(s, err);
	if (rc == LYA_OK)
		rc = store_exec(s, writer_settings, err);
	if (rc == LYA_OK) {
		(void)snprintf(id, sizeof(id), "PRAGMA application_id = %d", APPLICATION_ID);
		rc = store_exec(s, id, err);
	}
	return rc == LYA_OK ? store_migrate(s, err) : rc;
}

int lya_store_shared(const char *dir, char *paths[static LYA_STORE_SHARED], struct lya_error *err)
{
	paths[0] = path_of(dir, "store.db", "-shm");
	paths[1] = path_of(dir, "store.db", "-wal");
	if (paths[0] != NULL && paths[1] != NULL)
		return LYA_OK;
	lya_free(paths[0]);
	lya_free(paths[1]);
	return lya_error_nomem(err);
}

/* Everything is in the data base itself: there is no log beside it. */
static bool is_still(const struct lya_store *s)
{
	char *log = path_of(s->dir, "store.db", "-wal");
	bool still = log != NULL && access(log, F_OK) == -1;

	lya_free(log);
	return still;
}

/*
 * Without a writer beside it, whoever may not write into the directory, or was confined, cannot
 * take part in the WAL's protocol; then nothing changes the file either, and it may be read as
 * it is.
 */
static int open_still(struct lya_store *s, struct lya_error *err)
{
	char name[3 * 4096], *out = name;

	out += sprintf(out, "file:");
	for (const char *c = s->path; *c != '\0' && out < name + sizeof(name) - 32; c++)
		out +=
		    sprintf(out, strchr("%?# ", *c) != NULL ? "%%%02X" : "%c", (unsigned char)*c);
	(void)sprintf(out, "?immutable=1");
	close_db(s);
	return open_file(s, name, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, err);
}

static int open_reader(struct lya_store *s, struct lya_error *err)
{
	int rc;

	if (access(s->path, F_OK) == -1)
		return lya_error_set(err, LYA_EUSAGE, s->dir, NULL, "there is no store (%s): %s",
				     s->path, strerror(errno));
	rc = open_file(s, s->path, SQLITE_OPEN_READONLY, err);
	if (rc == LYA_OK)
		rc = check_ours(s, err);
	if (rc == LYA_EIO && !lya_store_is_locked(s) &&
	    (access(s->dir, W_OK) == -1 || is_still(s))) {
		rc = open_still(s, err);
		if (rc == LYA_OK)
			rc = check_ours(s, err);
	}
	return rc == LYA_OK ? store_migrate(s, err) : rc;
}

/* Setting aside ------------------------------------------------------------------------------ */

/* "20261121T134510Z": a name that any file system takes. */
static void stamp(int64_t now_ns, char out[static 32])
{
	char text[LYA_TIME_TEXT];
	size_t n = 0;

	(void)lya_time_format(now_ns, 0, text);
	for (const char *c = text; *c != '\0' && n < 31; c++) {
		if (*c != '-' && *c != ':')
			out[n++] = *c;
	}
	out[n] = '\0';
}

static char *free_name(const struct lya_store *s, int64_t now_ns)
{
	char when[32], tail[64];

	stamp(now_ns, when);
	for (unsigned i = 1; i <= ASIDE_MAX; i++) {
		char *path;

		if (i == 1)
			(void)snprintf(tail, sizeof(tail), ".damaged-%s", when);
		else
			(void)snprintf(tail, sizeof(tail), ".damaged-%s.%u", when, i);
		path = path_of(s->dir, "store.db", tail);
		if (path == NULL || access(path, F_OK) == -1)
			return path;
		lya_free(path);
	}
	return path_of(s->dir, "store.db", ".damaged"); /* the hundredth of one second */
}

/* The log of what was not in the file yet belongs to it. */
static void move_beside(const struct lya_store *s, const char *aside, const char *tail)
{
	char *from = path_of(s->dir, "store.db", tail);
	size_t len = strlen(aside) + strlen(tail) + 1;
	char *to = lya_malloc(len);

	if (from != NULL && to != NULL) {
		(void)snprintf(to, len, "%s%s", aside, tail);
		(void)rename(from, to);
	}
	lya_free(from);
	lya_free(to);
}

static int move_aside(struct lya_store *s, int64_t now_ns, char **aside, struct lya_error *err)
{
	char *to = free_name(s, now_ns);

	close_db(s);
	if (to == NULL)
		return lya_error_nomem(err);
	if (rename(s->path, to) == -1) {
		int rc = fail(err, s->path, "is damaged and cannot be set aside");

		lya_free(to);
		return rc;
	}
	move_beside(s, to, "-wal");
	move_beside(s, to, "-shm");
	if (aside != NULL)
		*aside = to;
	else
		lya_free(to);
	return LYA_OK;
}

int lya_store_set_aside(struct lya_store *s, int64_t now_ns, char **aside, struct lya_error *err)
{
	int rc;

	if (aside != NULL)
		*aside = NULL;
	rc = move_aside(s, now_ns, aside, err);
	return rc == LYA_OK ? open_writer(s, err) : rc;
}

/*  ------------------------------------------------------------------------------------------- */

static int open_for(struct lya_store *s, const struct lya_store_writer *writer, char **aside,
		    struct lya_error *err)
{
	int rc;

	if (writer == NULL)
		return open_reader(s, err);
	rc = make_folders(s->dir, err);
	if (rc == LYA_OK)
		rc = store_lock(s, writer, err);
	if (rc == LYA_OK)
		rc = open_writer(s, err);
	return rc == LYA_EINPUT ? lya_store_set_aside(s, writer->now_ns, aside, err) : rc;
}

int lya_store_open(struct lya_store **out, const char *dir, const struct lya_store_writer *writer,
		   char **aside, struct lya_error *err)
{
	struct lya_store *s = lya_calloc(1, sizeof(*s));
	int rc;

	*out = NULL;
	if (aside != NULL)
		*aside = NULL;
	if (s == NULL)
		return lya_error_nomem(err);
	s->lock = -1;
	s->reading = writer == NULL;
	s->dir = lya_strdup(dir);
	s->path = s->dir != NULL ? path_of(dir, "store.db", "") : NULL;
	rc = s->path != NULL ? open_for(s, writer, aside, err) : lya_error_nomem(err);
	if (rc != LYA_OK) {
		lya_store_close(s);
		return rc;
	}
	*out = s;
	return LYA_OK;
}

void lya_store_close(struct lya_store *s)
{
	if (s == NULL)
		return;
	close_db(s);
	if (s->lock != -1)
		(void)close(s->lock);
	lya_free(s->path);
	lya_free(s->dir);
	lya_free(s);
}

const char *lya_store_dir(const struct lya_store *s)
{
	return s->dir;
}

uint64_t lya_store_bytes(struct lya_store *s)
{
	sqlite3_stmt *st;
	uint64_t bytes = 0;

	if (store_query(s, STORE_BYTES, NULL, &st, "") == LYA_OK && st != NULL)
		bytes = (uint64_t)sqlite3_column_int64(st, 0);
	store_done(st);
	return bytes;
}
