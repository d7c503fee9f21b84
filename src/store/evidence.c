/*
 * evidence.c - what was handed over, read again.
 */
#include "store/store.h"

#include <string.h>

#include "lyncaudit/alloc.h"
#include "lyncaudit/site.h"

/* Periods ------------------------------------------------------------------------------------ */

static int read_period(sqlite3_stmt *st, struct lya_store_period *p)
{
	*p = (struct lya_store_period){
		.id = sqlite3_column_int64(st, 0),
		.day = sqlite3_column_int64(st, 2),
		.begin_ns = sqlite3_column_int64(st, 3),
		.end_ns = sqlite3_column_int64(st, 4),
		.closed = sqlite3_column_int64(st, 5) != 0,
		.fail_on = (uint8_t)((uint64_t)sqlite3_column_int64(st, 6) % LYA_SEVERITIES),
		.partial = sqlite3_column_int64(st, 9) != 0,
		.policy = sqlite3_column_int64(st, 10),
		.bound = (size_t)sqlite3_column_int64(st, 11),
		.dropped = sqlite3_column_int64(st, 12) != 0,
	};
	store_text_into(st, 1, p->name, sizeof(p->name));
	if (store_text(st, 7, &p->sensor) && store_text(st, 8, &p->timezone))
		return LYA_OK;
	lya_store_period_fini(p);
	return LYA_ENOMEM;
}

void lya_store_period_fini(struct lya_store_period *p)
{
	lya_free(p->sensor);
	lya_free(p->timezone);
	p->sensor = p->timezone = NULL;
}

void lya_store_periods_free(struct lya_store_period *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		lya_store_period_fini(&list[i]);
	lya_free(list);
}

static int add_period(sqlite3_stmt *st, struct lya_store_period **list, size_t *n, size_t *cap)
{
	void *grown = *list;

	if (lya_grow(&grown, cap, *n + 1, sizeof(**list)) != LYA_OK)
		return LYA_ENOMEM;
	*list = grown;
	if (read_period(st, &(*list)[*n]) != LYA_OK)
		return LYA_ENOMEM;
	(*n)++;
	return LYA_OK;
}

static int read_periods(struct lya_store *s, sqlite3_stmt *st, int rc,
			struct lya_store_period **list, size_t *n, struct lya_error *err)
{
	size_t cap = 0;

	*list = NULL;
	*n = 0;
	while (rc == LYA_OK && st != NULL) {
		rc = add_period(st, list, n, &cap);
		rc = rc == LYA_OK ? store_next(s, &st, err) : lya_error_nomem(err);
	}
	store_done(st);
	if (rc != LYA_OK) {
		lya_store_periods_free(*list, *n);
		*list = NULL;
		*n = 0;
	}
	return rc;
}

int lya_store_periods(struct lya_store *s, bool only_open, struct lya_store_period **list,
		      size_t *n, struct lya_error *err)
{
	sqlite3_stmt *st;
	int rc = store_query(s, STORE_PERIODS, err, &st, "i", only_open ? INT64_C(0) : INT64_C(1));

	return read_periods(s, st, rc, list, n, err);
}

int lya_store_unreported(struct lya_store *s, struct lya_store_period **list, size_t *n,
			 struct lya_error *err)
{
	sqlite3_stmt *st;
	int rc = store_query(s, STORE_UNREPORTED, err, &st, "");

	return read_periods(s, st, rc, list, n, err);
}

int lya_store_find_period(struct lya_store *s, const char *name, struct lya_store_period *out,
			  struct lya_error *err)
{
	sqlite3_stmt *st;
	int rc = store_query(s, STORE_PERIOD_FIND, err, &st, "t", name);

	if (rc != LYA_OK)
		return rc;
	if (st == NULL)
		return lya_error_set(err, LYA_EUSAGE, s->dir, NULL, "nothing is kept of %s", name);
	rc = read_period(st, out);
	store_done(st);
	return rc == LYA_OK ? LYA_OK : lya_error_nomem(err);
}

int lya_store_get_period(struct lya_store *s, int64_t id, struct lya_store_period *out,
			 struct lya_error *err)
{
	sqlite3_stmt *st;
	int rc = store_query(s, STORE_PERIOD_GET, err, &st, "i", id);

	if (rc != LYA_OK)
		return rc;
	if (st == NULL)
		return lya_error_set(err, LYA_EINPUT, s->path, NULL, "a period is missing");
	rc = read_period(st, out);
	store_done(st);
	return rc == LYA_OK ? LYA_OK : lya_error_nomem(err);
}

int lya_store_has_day(struct lya_store *s, int64_t day, bool *known, struct lya_error *err)
{
	sqlite3_stmt *st;
	int rc = store_query(s, STORE_PERIOD_NAMES, err, &st, "i", day);

	*known = rc == LYA_OK && st != NULL && sqlite3_column_int64(st, 0) > 0;
	store_done(st);
	return rc;
}

int lya_store_last_day(struct lya_store *s, bool *found, int64_t *day, struct lya_error *err)
{
	sqlite3_stmt *st;
	int rc = store_query(s, STORE_LAST_DAY, err, &st, "");

	*found = rc == LYA_OK && st != NULL;
	*day = *found ? sqlite3_column_int64(st, 0) : 0;
	store_done(st);
	return rc;
}

/* Stretches ---------------------------------------------------------------------------------- */

int lya_store_stretches(struct lya_store *s, int64_t period, struct lya_store_stretch **list,
			size_t *n, struct lya_error *err)
{
	size_t cap = 0;
	sqlite3_stmt *st;
	int rc = store_query(s, STORE_STRETCHES, err, &st, "i", period);

	*list = NULL;
	*n = 0;
	while (rc == LYA_OK && st != NULL) {
		void *grown = *list;

		if (lya_grow(&grown, &cap, *n + 1, sizeof(**list)) != LYA_OK) {
			rc = lya_error_nomem(err);
			break;
		}
		*list = grown;
		(*list)[(*n)++] = (struct lya_store_stretch){
			.id = sqlite3_column_int64(st, 0),
			.policy = sqlite3_column_int64(st, 1),
			.begin_ns = sqlite3_column_int64(st, 2),
			.until_ns = sqlite3_column_int64(st, 3),
			.final = sqlite3_column_int64(st, 4) != 0,
		};
		rc = store_next(s, &st, err);
	}
	store_done(st);
	if (rc != LYA_OK) {
		lya_free(*list);
		*list = NULL;
		*n = 0;
	}
	return rc;
}

static bool is_sealed(const void *data, size_t len, const char *seal)
{
	char own[LYA_SHA256_HEX];

	store_seal(data, len, own);
	return seal != NULL && own[0] != '\0' && strcmp(own, seal) == 0;
}

/* A blob column and its seal. */
struct sealed {
	const void *data;
	size_t len;
	bool good;
};

static struct sealed sealed_at(sqlite3_stmt *st, int blob, int seal)
{
	struct sealed s = { .data = sqlite3_column_blob(st, blob) };

	s.len = s.data != NULL ? (size_t)sqlite3_column_bytes(st, blob) : 0;
	s.good =
	    s.data != NULL && is_sealed(s.data, s.len, (const char *)sqlite3_column_text(st, seal));
	return s;
}

static int read_tally(struct lya_store *s, int64_t stretch, const struct lya_store_taker *taker,
		      struct lya_error *err)
{
	sqlite3_stmt *st;
	int rc = store_query(s, STORE_TALLY_GET, err, &st, "i", stretch);

	if (rc == LYA_OK && st != NULL) {
		struct sealed b = sealed_at(st, 0, 1);

		rc = taker->tally(taker->ctx, b.data, b.len, b.good);
	}
	store_done(st);
	return rc;
}

int lya_store_read_stretch(struct lya_store *s, int64_t stretch,
			   const struct lya_store_taker *taker, struct lya_error *err)
{
	sqlite3_stmt *st;
	int rc = read_tally(s, stretch, taker, err);

	if (rc != LYA_OK)
		return rc;
	rc = store_query(s, STORE_PARTS, err, &st, "i", stretch);
	while (rc == LYA_OK && st != NULL) {
		struct sealed b = sealed_at(st, 0, 2);

		rc = taker->part(taker->ctx, b.data, b.len, sqlite3_column_int64(st, 1) != 0,
				 b.good);
		if (rc == LYA_OK)
			rc = store_next(s, &st, err);
	}
	store_done(st);
	return rc;
}

size_t lya_store_parts(struct lya_store *s, int64_t stretch)
{
	sqlite3_stmt *st;
	size_t n = 0;

	if (store_query(s, STORE_PARTS_COUNT, NULL, &st, "i", stretch) == LYA_OK && st != NULL)
		n = (size_t)sqlite3_column_int64(st, 0);
	store_done(st);
	return n;
}

/* Policies ----------------------------------------------------------------------------------- */

enum { FILES_MAX = 4096, FILE_MAX = 64 << 20, NAME_MAX_BYTES = 4096 };

static void files_free(struct lya_rules_file *files, size_t n)
{
	for (size_t i = 0; files != NULL && i < n; i++)
		lya_free(files[i].name);
	lya_free(files);
}

/* The texts are borrowed from the bytes. */
static struct lya_rules_file *unpack_files(struct lya_unpack *u, size_t *n)
{
	struct lya_rules_file *files;

	*n = lya_unpack_count(u, FILES_MAX, 2);
	files = lya_calloc(*n + 1, sizeof(*files));
	for (size_t i = 0; files != NULL && i < *n; i++) {
		if (!lya_unpack_string(u, NAME_MAX_BYTES, &files[i].name) || files[i].name == NULL)
			lya_unpack_fail(u, "a file has no name");
		files[i].text =
		    (char *)(uintptr_t)lya_unpack_bytes(u, FILE_MAX, &files[i].len); /* read only */
	}
	return files;
}

static int load_rules(sqlite3_stmt *st, struct lya_rules **rules, struct lya_diags *diags,
		      struct lya_error *err)
{
	const uint8_t *data = sqlite3_column_blob(st, 3);
	size_t n;
	struct lya_unpack u = { 0 };
	char *name = NULL;
	struct lya_rules_file *files;
	int rc;

	if (data == NULL || !store_text(st, 2, &name) || name == NULL) {
		lya_free(name);
		return lya_error_set(err, LYA_EINPUT, NULL, NULL, "a rule set is damaged");
	}
	u = (struct lya_unpack){ data, data + (size_t)sqlite3_column_bytes(st, 3), NULL };
	files = unpack_files(&u, &n);
	if (files == NULL)
		rc = lya_error_nomem(err);
	else if (lya_unpack_failed(&u))
		rc = lya_error_set(err, LYA_EINPUT, NULL, NULL, "a rule set is damaged: %s",
				   u.wrong);
	else
		rc = lya_rules_load_files(rules, name, files, n, diags, err);
	files_free(files, n);
	lya_free(name);
	return rc;
}

static int load_site(sqlite3_stmt *st, struct lya_site **site, struct lya_diags *diags,
		     struct lya_error *err)
{
	const char *text = sqlite3_column_blob(st, 1);

	if (text == NULL)
		return lya_error_set(err, LYA_EINPUT, NULL, NULL, "a site is damaged");
	return lya_site_load_text(site, "site", text, (size_t)sqlite3_column_bytes(st, 1), diags,
				  err);
}

/* They are what they were: the digests beside them say so. */
static bool are_the_same(sqlite3_stmt *st, const struct lya_site *site,
			 const struct lya_rules *rules)
{
	char digest[2][LYA_SHA256_HEX];

	store_text_into(st, 5, digest[0], sizeof(digest[0]));
	store_text_into(st, 6, digest[1], sizeof(digest[1]));
	return strcmp(site->sha256, digest[0]) == 0 && strcmp(rules->sha256, digest[1]) == 0;
}

/* Not the data base is wrong then: a later program may read sites and rules more strictly. */
static int load_both(sqlite3_stmt *st, struct lya_site **site, struct lya_rules **rules,
		     struct lya_diags *diags, struct lya_error *err)
{
	struct lya_error why = { 0 };
	int rc = load_site(st, site, diags, &why);

	if (rc == LYA_OK)
		rc = load_rules(st, rules, diags, &why);
	if (rc == LYA_OK && !are_the_same(st, *site, *rules))
		rc = lya_error_set(&why, LYA_EINPUT, NULL, NULL, "they are damaged");
	if (rc == LYA_OK)
		return LYA_OK;
	lya_site_free(*site);
	lya_rules_free(*rules);
	*site = NULL;
	*rules = NULL;
	if (rc == LYA_ENOMEM)
		return lya_error_nomem(err);
	return lya_error_set(err, LYA_EUSAGE, NULL, NULL,
			     "the site and rules that were in force cannot be read again: %.900s",
			     why.text);
}

int lya_store_load_policy(struct lya_store *s, int64_t id, struct lya_site **site,
			  struct lya_rules **rules, bool *strict, struct lya_error *err)
{
	struct lya_diags diags = { 0 };
	sqlite3_stmt *st;
	int rc = store_query(s, STORE_POLICY_GET, err, &st, "i", id);

	*site = NULL;
	*rules = NULL;
	if (rc == LYA_OK && st == NULL)
		rc = lya_error_set(err, LYA_EINPUT, s->path, NULL,
				   "the site and rules of a period are missing");
	if (rc == LYA_OK)
		rc = load_both(st, site, rules, &diags, err);
	if (rc == LYA_OK)
		*strict = sqlite3_column_int64(st, 4) != 0;
	store_done(st);
	lya_diags_fini(&diags);
	return rc;
}

int lya_store_policy_digests(struct lya_store *s, int64_t id, char site[static LYA_SHA256_HEX],
			     char rules[static LYA_SHA256_HEX], struct lya_error *err)
{
	sqlite3_stmt *st;
	int rc = store_query(s, STORE_POLICY_GET, err, &st, "i", id);

	site[0] = rules[0] = '\0';
	if (st != NULL) {
		store_text_into(st, 5, site, LYA_SHA256_HEX);
		store_text_into(st, 6, rules, LYA_SHA256_HEX);
	}
	store_done(st);
	return rc;
}

/* Events ------------------------------------------------------------------------------------- */

static bool find_kind(const char *name, enum lya_event_kind *kind)
{
	for (unsigned i = 0; name != NULL && i < LYA_EVENT_KINDS; i++) {
		if (strcmp(lya_event_kind_name((enum lya_event_kind)i), name) == 0) {
			*kind = (enum lya_event_kind)i;
			return true;
		}
	}
	return false;
}

int lya_store_last_event(struct lya_store *s, int64_t *number, struct lya_error *err)
{
	sqlite3_stmt *st;
	int rc = store_query(s, STORE_EVENT_LAST, err, &st, "");

	*number = st != NULL ? sqlite3_column_int64(st, 0) : 0;
	store_done(st);
	return rc;
}

int lya_store_read_events(struct lya_store *s, int64_t from_ns, int64_t to_ns, int64_t last,
			  int (*fn)(void *ctx, const struct lya_store_event *event), void *ctx,
			  struct lya_error *err)
{
	sqlite3_stmt *st;
	int rc = store_query(s, STORE_EVENTS, err, &st, "iii", from_ns, to_ns, last);

	while (rc == LYA_OK && st != NULL) {
		struct lya_store_event e = {
			.from_ns = sqlite3_column_int64(st, 0),
			.to_ns = sqlite3_column_int64(st, 1),
			.source = (const char *)sqlite3_column_text(st, 3),
			.count = (uint64_t)sqlite3_column_int64(st, 4),
			.text = (const char *)sqlite3_column_text(st, 5),
		};

		if (find_kind((const char *)sqlite3_column_text(st, 2), &e.kind))
			rc = fn(ctx, &e);
		if (rc == LYA_OK)
			rc = store_next(s, &st, err);
	}
	store_done(st);
	return rc;
}
