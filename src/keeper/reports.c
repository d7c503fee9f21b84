/*
 * reports.c - files below STATE/reports: named, never written over, told to the store.
 *
 * A file appears whole, and only then the store knows of it.  Should the process be killed
 * in between, the file is found when the report is due again, and taken for what it is.
 * Any other file of that name is left alone: the report gets a name with a number.
 */
#include "keeper/keeper.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lyncaudit/alloc.h"
#include "lyncaudit/json.h"
#include "lyncaudit/timeutil.h"

enum { SAME_NAME_MAX = 1000, READ_BYTES = 65536 };

static char *path_of(const struct reports *r, const char *file)
{
	size_t len = strlen(lya_store_dir(r->store)) + strlen(file) + sizeof("/reports/");
	char *path = lya_malloc(len);

	if (path != NULL)
		(void)snprintf(path, len, "%s/reports/%s", lya_store_dir(r->store), file);
	return path;
}

/* What a file holds -------------------------------------------------------------------------- */

static bool digest_file(const char *path, char hex[static LYA_SHA256_HEX])
{
	uint8_t bytes[READ_BYTES];
	struct lya_digest *d = lya_digest_new();
	FILE *f = fopen(path, "re");
	bool good = d != NULL && f != NULL;
	size_t n;

	while (good && (n = fread(bytes, 1, sizeof(bytes), f)) > 0)
		lya_digest_add(d, bytes, n);
	good = good && ferror(f) == 0;
	if (d != NULL)
		lya_digest_finish(d, hex);
	if (f != NULL)
		(void)fclose(f);
	return good;
}

static bool has_text(const struct lya_json *object, const char *name, const char *want)
{
	struct lya_json at;
	const char *s;

	return lya_json_find(object, name, &at) && lya_json_string(&at, &s) && strcmp(s, want) == 0;
}

static bool has_time(const struct lya_json *object, const char *name, int64_t ns)
{
	char text[LYA_TIME_TEXT];

	return has_text(object, name, lya_time_format(ns, 6, text));
}

/* It is the report of this period, written by a process that was killed before it said so. */
static bool is_report_of(const char *path, const struct night *n, char verdict[static 16])
{
	const struct lya_report_night *want = &n->night;
	struct lya_json root, period, sensor, summary, at;
	struct lya_diags diags = { 0 };
	struct lya_json_doc *doc;
	const char *s;
	bool good;

	if (lya_json_load(&doc, path, &diags, NULL) != LYA_OK) {
		lya_diags_fini(&diags);
		return false;
	}
	root = lya_json_root(doc);
	good = lya_json_object(&root) && lya_json_find(&root, "period", &period) &&
	       lya_json_object(&period) && has_time(&period, "from", want->from_ns) &&
	       has_time(&period, "to", want->to_ns) && lya_json_find(&root, "sensor", &sensor) &&
	       lya_json_object(&sensor) && has_text(&sensor, "name", want->sensor) &&
	       lya_json_find(&root, "summary", &summary) && lya_json_object(&summary) &&
	       lya_json_find(&summary, "verdict", &at) && lya_json_string(&at, &s);
	if (good)
		(void)snprintf(verdict, 16, "%s", s);
	lya_json_free(doc);
	lya_diags_fini(&diags);
	return good;
}

/* Names -------------------------------------------------------------------------------------- */

/* "NAME.json", or with a number where that is taken. */
static void number_name(const char *name, unsigned i, char file[static 64])
{
	if (i == 0)
		(void)snprintf(file, 64, "%s.json", name);
	else
		(void)snprintf(file, 64, "%s-%u.json", name, i + 1);
}

/*
 * The name that a report is to have: *path is owned; *there: the file stands there already,
 * and is this very report.
 */
static int find_name(const struct reports *r, const char *name, const struct night *n,
		     struct lya_store_report *report, char **path, bool *there,
		     struct lya_error *err)
{
	for (unsigned i = 0; i < SAME_NAME_MAX; i++) {
		number_name(name, i, report->file);
		*path = path_of(r, report->file);
		if (*path == NULL)
			return lya_error_nomem(err);
		*there = access(*path, F_OK) == 0;
		if (!*there || is_report_of(*path, n, report->verdict))
			return LYA_OK;
		lya_free(*path);
	}
	return lya_error_set(err, LYA_EOUTPUT, lya_store_dir(r->store), "reports",
			     "there are %d files called %s already", SAME_NAME_MAX, name);
}

/* Writing ------------------------------------------------------------------------------------ */

static int write_file(const char *path, const struct night *n, struct lya_error *err)
{
	struct lya_output *out;
	int rc = lya_output_open(&out, path, false, err);

	if (rc != LYA_OK)
		return rc;
	lya_report_json(out, &n->in);
	return lya_output_commit(out, err);
}

static void tell(const struct reports *r, const char *file, enum lya_report_verdict verdict)
{
	char path[sizeof("reports/") + 64];

	(void)snprintf(path, sizeof(path), "reports/%.63s", file);
	if (r->on_report != NULL)
		r->on_report(r->ctx, path, verdict);
}

static int leave(const struct reports *r, const char *name, struct night *n,
		 struct lya_store_report *report, struct lya_error *err)
{
	bool there;
	char *path;
	int rc = find_name(r, name, n, report, &path, &there, err);

	if (rc != LYA_OK)
		return rc;
	if (!there) {
		(void)snprintf(report->verdict, sizeof(report->verdict), "%s",
			       lya_report_verdict_name(lya_report_verdict(&n->in)));
		rc = write_file(path, n, err);
	}
	if (rc == LYA_OK && !digest_file(path, report->sha256))
		rc = lya_error_set(err, LYA_EOUTPUT, path, NULL, "cannot be read again: %s",
				   strerror(errno));
	if (rc == LYA_OK)
		rc = lya_store_put_report(r->store, report, err);
	if (rc == LYA_OK)
		tell(r, report->file, lya_report_verdict(&n->in));
	if (rc == LYA_OK && r->on_night != NULL)
		r->on_night(r->night_ctx, n, report->period, report->file, !report->on_demand);
	lya_free(path);
	return rc;
}

/* What changed against the last night's report before this period. */
static int compare(const struct reports *r, struct night *n, int64_t period,
		   struct lya_store_report *report, struct lya_error *err)
{
	struct lya_store_report previous;
	bool found = false;
	int rc = lya_store_last_report(r->store, period, &found, &previous, err);

	if (rc == LYA_OK)
		rc = lya_store_compare(r->store, period, found ? previous.period : 0, err);
	if (rc == LYA_OK && found) {
		memcpy(report->previous_file, previous.file, sizeof(report->previous_file));
		memcpy(report->previous_sha256, previous.sha256, sizeof(report->previous_sha256));
	}
	return rc == LYA_OK ? night_read_changes(n, r->store, period, found ? &previous : NULL, err)
			    : rc;
}

static int make(const struct reports *r, const struct lya_store_period *p,
		const struct night_wanted *wanted, const char *name,
		struct lya_store_report *report, struct lya_error *err)
{
	struct night n;
	int rc = night_read(&n, r->store, p, wanted, err);

	if (rc == LYA_OK)
		rc = view_put_facts(&n.in, r->store, p->id, err);
	if (rc == LYA_OK)
		rc = compare(r, &n, p->id, report, err);
	if (rc == LYA_OK) {
		n.in.run = r->run;
		report->period = p->id;
		report->made_ns = r->wall_ns;
		report->to_ns = wanted->to_ns;
		report->last_event = wanted->last_event;
		report->partial = n.night.partial;
		rc = leave(r, name, &n, report, err);
	}
	night_fini(&n);
	return rc;
}

int reports_make(const struct reports *r, const struct lya_store_period *p, struct lya_error *err)
{
	struct night_wanted wanted = { .policy = p->policy, .to_ns = p->end_ns };
	struct lya_store_report report = { 0 };
	bool found;
	int rc = lya_store_find_report(r->store, p->id, &found, &report, err);

	if (rc != LYA_OK || found)
		return rc;
	report = (struct lya_store_report){ 0 };
	rc = lya_store_last_event(r->store, &wanted.last_event, err);
	return rc == LYA_OK ? make(r, p, &wanted, p->name, &report, err) : rc;
}

/* "2026-11-21T134510Z" */
static void moment(int64_t ns, char name[static 32])
{
	char text[LYA_TIME_TEXT];
	size_t n = 0;

	(void)lya_time_format(ns, 0, text);
	for (const char *c = text; *c != '\0' && n < 31; c++) {
		if (*c != ':')
			name[n++] = *c;
	}
	name[n] = '\0';
}

int reports_make_now(const struct reports *r, const struct lya_store_period *p, int64_t policy,
		     int64_t to_ns, struct lya_error *err)
{
	struct night_wanted wanted = { .policy = policy, .to_ns = to_ns };
	struct lya_store_report report = { .on_demand = true };
	char name[32];
	int rc = lya_store_last_event(r->store, &wanted.last_event, err);

	moment(to_ns, name);
	return rc == LYA_OK ? make(r, p, &wanted, name, &report, err) : rc;
}

/* Without a service -------------------------------------------------------------------------- */

/* As it was when its report was made; that one, too. */
static int read_again(struct lya_store *s, const struct lya_store_period *p, struct night *n,
		      struct lya_store_report *report, struct lya_error *err)
{
	struct night_wanted wanted = { .policy = p->policy, .to_ns = p->end_ns };
	bool found;
	int rc = lya_store_find_report(s, p->id, &found, report, err);

	if (rc == LYA_OK && !found)
		return lya_error_set(err, LYA_EUSAGE, lya_store_dir(s), NULL,
				     "the report of %s has not been made yet", p->name);
	wanted.last_event = report->last_event;
	return rc == LYA_OK ? night_read(n, s, p, &wanted, err) : rc;
}

static int make_again(struct lya_store *s, const struct lya_store_period *p,
		      const struct lya_report_run *run, struct lya_output *out,
		      struct lya_error *err)
{
	struct lya_store_report report = { 0 }, previous = { 0 };
	struct night n = { 0 };
	int rc = read_again(s, p, &n, &report, err);

	memcpy(previous.file, report.previous_file, sizeof(previous.file));
	memcpy(previous.sha256, report.previous_sha256, sizeof(previous.sha256));
	if (rc == LYA_OK)
		rc = night_read_changes(&n, s, p->id, previous.file[0] != '\0' ? &previous : NULL,
					err);
	if (rc == LYA_OK) {
		n.in.run = *run;
		lya_report_json(out, &n.in);
	}
	night_fini(&n);
	return rc;
}

int reports_read_again(const struct reports *r, int64_t period, struct night *n,
		       struct lya_error *err)
{
	struct lya_store_report report;
	struct lya_store_period p;
	int rc = lya_store_get_period(r->store, period, &p, err);

	if (rc != LYA_OK)
		return rc;
	rc = read_again(r->store, &p, n, &report, err);
	lya_store_period_fini(&p);
	return rc;
}

/* What ends a period, and makes its report, is a service. */
static int tell_open(const struct lya_store *s, const char *name, struct lya_error *err)
{
	if (lya_store_is_locked(s))
		return lya_error_set(err, LYA_EUSAGE, lya_store_dir(s), NULL,
				     "%s is not over yet: ask the service for a report (SIGUSR1)",
				     name);
	return lya_error_set(err, LYA_EUSAGE, lya_store_dir(s), NULL,
			     "the report of %s has not been made, and no service runs: the next one "
			     "makes it when that night is over",
			     name);
}

int lya_keeper_make(const char *state_dir, const char *name, const struct lya_report_run *run,
		    struct lya_output *out, struct lya_error *err)
{
	struct lya_store_period period = { 0 };
	struct lya_store *s;
	int rc = lya_store_open(&s, state_dir, NULL, NULL, err);

	if (rc != LYA_OK)
		return rc;
	rc = lya_store_find_period(s, name, &period, err);
	if (rc == LYA_OK && !period.closed)
		rc = tell_open(s, name, err);
	if (rc == LYA_OK && period.dropped)
		rc =
		    lya_error_set(err, LYA_EUSAGE, state_dir, NULL,
				  "the evidence of %s was dropped to keep the store small; what is "
				  "left is its file in reports",
				  name);
	if (rc == LYA_OK)
		rc = make_again(s, &period, run, out, err);
	lya_store_period_fini(&period);
	lya_store_close(s);
	return rc;
}
