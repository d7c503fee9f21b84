/*
 * night.c - what a nightly report has besides: its sensor and period, the report before it,
 * and what has changed since.
 */
#include "report/report.h"

#include <string.h>

enum { DIGITS = 6 }; /* of the times that a service writes down */

static void gaps(struct lya_json_writer *w, const struct lya_report_night *n)
{
	lya_jw_key(w, "gaps");
	lya_jw_array_open(w);
	for (size_t i = 0; i < n->n_gaps; i++) {
		lya_jw_flat(w);
		lya_jw_object_open(w);
		report_time(w, "from", n->gaps[i].from_ns, DIGITS);
		report_time(w, "to", n->gaps[i].to_ns, DIGITS);
		lya_jw_member_string(w, "source", n->gaps[i].source);
		lya_jw_member_string(w, "why", n->gaps[i].why);
		lya_jw_object_close(w);
	}
	lya_jw_array_close(w);
}

static void stretches(struct lya_json_writer *w, const struct lya_report_night *n)
{
	lya_jw_key(w, "judged_by");
	lya_jw_array_open(w);
	for (size_t i = 0; i < n->n_stretches; i++) {
		lya_jw_flat(w);
		lya_jw_object_open(w);
		report_time(w, "from", n->stretches[i].from_ns, DIGITS);
		report_time(w, "to", n->stretches[i].to_ns, DIGITS);
		lya_jw_member_string(w, "site_sha256", n->stretches[i].site_sha256);
		lya_jw_member_string(w, "rules_sha256", n->stretches[i].rules_sha256);
		lya_jw_object_close(w);
	}
	lya_jw_array_close(w);
}

static void events(struct lya_json_writer *w, const struct lya_report_night *n)
{
	lya_jw_key(w, "events");
	lya_jw_array_open(w);
	for (size_t i = 0; i < n->n_events; i++) {
		lya_jw_flat(w);
		lya_jw_object_open(w);
		lya_jw_member_string(w, "kind", n->events[i].kind);
		report_time(w, "from", n->events[i].from_ns, DIGITS);
		report_time(w, "to", n->events[i].to_ns, DIGITS);
		lya_jw_member_string(w, "source", n->events[i].source);
		lya_jw_member_uint(w, "count", n->events[i].count);
		lya_jw_member_string(w, "text", n->events[i].text);
		lya_jw_object_close(w);
	}
	lya_jw_array_close(w);
}

void report_night(struct lya_json_writer *w, const struct lya_report_night *n)
{
	lya_jw_key(w, "sensor");
	lya_jw_object_open(w);
	lya_jw_member_string(w, "name", n->sensor);
	lya_jw_object_close(w);
	lya_jw_key(w, "period");
	lya_jw_object_open(w);
	lya_jw_member_string(w, "name", n->name);
	report_time(w, "from", n->from_ns, DIGITS);
	report_time(w, "to", n->to_ns, DIGITS);
	lya_jw_member_string(w, "timezone", n->timezone);
	lya_jw_member_bool(w, "partial", n->partial);
	gaps(w, n);
	stretches(w, n);
	events(w, n);
	lya_jw_object_close(w);
	lya_jw_key(w, "previous");
	if (n->previous_file == NULL) {
		lya_jw_null(w);
		return;
	}
	lya_jw_object_open(w);
	lya_jw_member_string(w, "file", n->previous_file);
	lya_jw_member_string(w, "sha256", n->previous_sha256);
	lya_jw_object_close(w);
}

static void ids(struct lya_json_writer *w, const char *key, const char *const *list, size_t n)
{
	lya_jw_key(w, key);
	lya_jw_array_open(w);
	for (size_t i = 0; i < n; i++)
		lya_jw_string(w, list[i]);
	lya_jw_array_close(w);
}

/* A finding as it was kept; one that cannot be read any more is null. */
static void resolved(struct lya_json_writer *w, const char *text)
{
	struct lya_diags diags = { 0 };
	struct lya_json_doc *doc;
	struct lya_json root;

	if (lya_json_parse(&doc, "finding", text, strlen(text), &diags, NULL) == LYA_OK) {
		root = lya_json_root(doc);
		lya_jw_copy(w, &root);
		lya_json_free(doc);
	} else {
		lya_jw_null(w);
	}
	lya_diags_fini(&diags);
}

void report_changes(struct lya_json_writer *w, const struct lya_report_night *n)
{
	lya_jw_key(w, "changes");
	lya_jw_object_open(w);
	ids(w, "new", n->new_ids, n->n_new);
	ids(w, "persisting", n->persisting_ids, n->n_persisting);
	lya_jw_key(w, "resolved");
	lya_jw_array_open(w);
	for (size_t i = 0; i < n->n_resolved; i++)
		resolved(w, n->resolved[i]);
	lya_jw_array_close(w);
	lya_jw_object_close(w);
}
