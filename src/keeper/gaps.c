/*
 * gaps.c - what a period's evidence does not cover, and what happened to the sensor.
 *
 * Stretches cover what lies between their beginning and their last checkpoint.  What is left
 * is a gap, and so is what the sensor said it could not see.
 */
#include "keeper/keeper.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lyncaudit/alloc.h"
#include "lyncaudit/text.h"
#include "lyncaudit/timeutil.h"

enum { EVENTS_MAX = 1000, LIMITS_MAX = 100 };

/* A copy, kept as NULL for NULL. */
static const char *keep(struct gaps *g, const char *s)
{
	char *copy = s != NULL ? lya_strdup(s) : NULL;

	g->nomem = g->nomem || (s != NULL && copy == NULL);
	return copy;
}

static void add_gap(struct gaps *g, int64_t from_ns, int64_t to_ns, const char *source,
		    const char *why)
{
	void *list = g->list;

	if (from_ns >= to_ns)
		return;
	if (lya_grow(&list, &g->cap, g->n + 1, sizeof(*g->list)) != LYA_OK) {
		g->nomem = true;
		return;
	}
	g->list = list;
	g->list[g->n++] = (struct lya_report_gap){ from_ns, to_ns, keep(g, source), keep(g, why) };
}

/* Stretches ---------------------------------------------------------------------------------- */

static int64_t within(int64_t ns, int64_t from_ns, int64_t to_ns)
{
	return ns < from_ns ? from_ns : ns > to_ns ? to_ns : ns;
}

/* What follows a stretch: it was killed, or stopped. */
static const char *why_after(const struct lya_store_stretch *s)
{
	return s->final ? "The sensor was stopped."
			: "The sensor ended without notice: what came after its last checkpoint "
			  "is lost.";
}

static void uncovered(struct gaps *g, int64_t from_ns, int64_t to_ns,
		      const struct lya_store_stretch *list, size_t n)
{
	int64_t covered_ns = from_ns;
	const char *why = "The sensor was not running, or its clock was wrong.";

	for (size_t i = 0; i < n; i++) {
		int64_t begin_ns = within(list[i].begin_ns, from_ns, to_ns);
		int64_t until_ns = within(list[i].until_ns, from_ns, to_ns);

		add_gap(g, covered_ns, begin_ns, NULL, why);
		if (until_ns > covered_ns)
			covered_ns = until_ns;
		why = why_after(&list[i]);
	}
	add_gap(g, covered_ns, to_ns, NULL, why);
}

static void damaged_parts(struct gaps *g, int64_t from_ns, int64_t to_ns,
			  const struct lya_store_stretch *list, const bool *damaged, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (damaged[i])
			add_gap(g, within(list[i].begin_ns, from_ns, to_ns),
				within(list[i].until_ns, from_ns, to_ns), NULL,
				"Evidence that was kept of this time is damaged, and left out.");
	}
}

/* Events ------------------------------------------------------------------------------------- */

struct reading {
	struct gaps *gaps;
	int64_t from_ns, to_ns;
	int64_t seen_ns; /* the beginning of the period's evidence */
};

/* Who is started knows no flow: those that went on are new ones to it. */
static void note_restart(const struct reading *r, const struct lya_store_event *e)
{
	if (e->kind != LYA_EVENT_START || e->from_ns <= r->seen_ns || e->from_ns >= r->to_ns)
		return;
	r->gaps->restarts++;
	r->gaps->restart_ns = e->from_ns;
}

static int take_event(void *ctx, const struct lya_store_event *e)
{
	const struct reading *r = ctx;
	struct gaps *g = r->gaps;
	void *list = g->events;

	note_restart(r, e);
	if (e->kind == LYA_EVENT_GAP)
		add_gap(g, within(e->from_ns, r->from_ns, r->to_ns),
			within(e->to_ns, r->from_ns, r->to_ns), e->source, e->text);
	if (g->n_events == EVENTS_MAX) {
		g->more_events++;
		return LYA_OK;
	}
	if (lya_grow(&list, &g->cap_events, g->n_events + 1, sizeof(*g->events)) != LYA_OK) {
		g->nomem = true;
		return LYA_OK;
	}
	g->events = list;
	g->events[g->n_events++] = (struct lya_report_event){
		.kind = lya_event_kind_name(e->kind),
		.from_ns = e->from_ns,
		.to_ns = e->to_ns < INT64_MAX ? e->to_ns : r->to_ns, /* it goes on */
		.source = keep(g, e->source),
		.count = e->count,
		.text = keep(g, e->text),
	};
	return LYA_OK;
}

/* What is beyond the bound is one event more. */
static void tell_more(struct gaps *g, int64_t to_ns)
{
	void *list = g->events;

	if (g->more_events == 0)
		return;
	if (lya_grow(&list, &g->cap_events, g->n_events + 1, sizeof(*g->events)) != LYA_OK) {
		g->nomem = true;
		return;
	}
	g->events = list;
	g->events[g->n_events++] = (struct lya_report_event){
		.kind = lya_event_kind_name(LYA_EVENT_STORE),
		.from_ns = to_ns,
		.to_ns = to_ns,
		.count = g->more_events,
		.text = keep(g, "So many more events of this period are in the store."),
	};
}

/* By time, then by source: whatever the order in which they became known. */
static int gap_cmp(const void *pa, const void *pb)
{
	const struct lya_report_gap *a = pa, *b = pb;

	if (a->from_ns != b->from_ns)
		return a->from_ns < b->from_ns ? -1 : 1;
	if (a->to_ns != b->to_ns)
		return a->to_ns < b->to_ns ? -1 : 1;
	if ((a->source == NULL) != (b->source == NULL))
		return a->source == NULL ? -1 : 1;
	return a->source != NULL ? strcmp(a->source, b->source) : 0;
}

int gaps_make(struct gaps *g, struct lya_store *s, int64_t from_ns, int64_t to_ns,
	      int64_t last_event, const struct lya_store_stretch *stretches, const bool *damaged,
	      size_t n, struct lya_error *err)
{
	struct reading reading = { g, from_ns, to_ns, n > 0 ? stretches[0].begin_ns : INT64_MAX };
	int rc;

	*g = (struct gaps){ 0 };
	uncovered(g, from_ns, to_ns, stretches, n);
	damaged_parts(g, from_ns, to_ns, stretches, damaged, n);
	rc = lya_store_read_events(s, from_ns, to_ns, last_event, take_event, &reading, err);
	tell_more(g, to_ns);
	if (rc == LYA_OK && g->nomem)
		rc = lya_error_nomem(err);
	if (g->n > 1)
		qsort(g->list, g->n, sizeof(*g->list), gap_cmp);
	return rc;
}

static void free_text(const char *s)
{
	lya_free((char *)(uintptr_t)s); /* a copy of our own */
}

void gaps_fini(struct gaps *g)
{
	for (size_t i = 0; i < g->n; i++) {
		free_text(g->list[i].source);
		free_text(g->list[i].why);
	}
	for (size_t i = 0; i < g->n_events; i++) {
		free_text(g->events[i].source);
		free_text(g->events[i].text);
	}
	lya_free(g->list);
	lya_free(g->events);
	*g = (struct gaps){ 0 };
}

/* Limits ------------------------------------------------------------------------------------- */

struct limits {
	struct lya_limit *list;
	size_t n, added;
	bool nomem;
};

/* Behind all others of its kind. */
static void insert(struct limits *l, enum lya_limit_kind kind, const char *where, double share,
		   struct lya_text *what)
{
	struct lya_limit *list = lya_realloc(l->list, (l->n + 1) * sizeof(*list));
	char *text = what->failed ? NULL : lya_strdup(lya_text_str(what));
	size_t at = l->n;

	if (list != NULL)
		l->list = list;
	if (list == NULL || text == NULL) {
		lya_free(text);
		l->nomem = true;
		return;
	}
	for (; at > 0 && l->list[at - 1].kind > kind; at--)
		l->list[at] = l->list[at - 1];
	l->list[at] = (struct lya_limit){ kind, where, share, text };
	l->n++;
	l->added++;
}

static void say_span(struct lya_text *t, int64_t from_ns, int64_t to_ns)
{
	char from[LYA_TIME_TEXT], to[LYA_TIME_TEXT];

	lya_text_addf(t, "from %s to %s", lya_time_format(from_ns, 0, from),
		      lya_time_format(to_ns, 0, to));
}

static double share_of(int64_t part_ns, int64_t whole_ns)
{
	return whole_ns > 0 ? (double)part_ns / (double)whole_ns : 0.0;
}

static void limit_gap(struct limits *l, const struct lya_report_gap *g, int64_t whole_ns)
{
	struct lya_text what = { 0 };

	lya_text_addf(&what, "Nothing was seen ");
	say_span(&what, g->from_ns, g->to_ns);
	lya_text_addf(&what,
		      " (%s) What happened then is not in this report, and rows may count as not "
		      "observed for that reason.",
		      g->why);
	insert(l, LYA_LIMIT_GAP, g->source != NULL ? g->source : "sensor",
	       share_of(g->to_ns - g->from_ns, whole_ns), &what);
	lya_text_fini(&what);
}

static void limit_drop(struct limits *l, const struct lya_report_event *e)
{
	struct lya_text what = { 0 };

	lya_text_addf(&what, "%" PRIu64 " packets were dropped ", e->count);
	say_span(&what, e->from_ns, e->to_ns);
	lya_text_addf(&what, ": flows of that time may be missing, and counts are too low.");
	insert(l, LYA_LIMIT_DROPS, e->source != NULL ? e->source : "sensor", 0.0, &what);
	lya_text_fini(&what);
}

static void limit_restarts(struct limits *l, const struct gaps *g)
{
	char when[LYA_TIME_TEXT];
	struct lya_text what = { 0 };

	if (g->restarts == 0)
		return;
	lya_text_addf(&what,
		      "The sensor was started again %" PRIu64 " %s in this period, at last at %s: "
		      "flows that were open then count twice, and how they had begun was not known "
		      "any more.",
		      g->restarts, g->restarts == 1 ? "time" : "times",
		      lya_time_format(g->restart_ns, 0, when));
	insert(l, LYA_LIMIT_GAP, "sensor", 0.0, &what);
	lya_text_fini(&what);
}

/* What is too much to list is one sentence. */
static void limit_rest(struct limits *l, enum lya_limit_kind kind, size_t n, const char *of_what)
{
	struct lya_text what = { 0 };

	if (n == 0)
		return;
	lya_text_addf(&what, "%zu more %s are listed in the period's gaps and events.", n, of_what);
	insert(l, kind, "sensor", 0.0, &what);
	lya_text_fini(&what);
}

int gaps_limits(const struct gaps *g, int64_t from_ns, int64_t to_ns, struct lya_limit **list,
		size_t *n, struct lya_error *err)
{
	struct limits l = { *list, *n, 0, false };
	size_t drops = 0;

	for (size_t i = 0; i < g->n && i < LIMITS_MAX; i++)
		limit_gap(&l, &g->list[i], to_ns - from_ns);
	limit_rest(&l, LYA_LIMIT_GAP, g->n > LIMITS_MAX ? g->n - LIMITS_MAX : 0, "gaps");
	limit_restarts(&l, g);
	for (size_t i = 0; i < g->n_events; i++) {
		if (strcmp(g->events[i].kind, lya_event_kind_name(LYA_EVENT_DROP)) != 0)
			continue;
		if (drops++ < LIMITS_MAX)
			limit_drop(&l, &g->events[i]);
	}
	limit_rest(&l, LYA_LIMIT_DROPS, drops > LIMITS_MAX ? drops - LIMITS_MAX : 0,
		   "losses of packets");
	*list = l.list;
	*n = l.n;
	return l.nomem ? lya_error_nomem(err) : LYA_OK;
}
