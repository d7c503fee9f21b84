/*
 * engine.c - the audit as the sensor runs it.
 */
#include "live/engine.h"

#include <inttypes.h>
#include <stdio.h>

#include "live/parts.h"
#include "lyncaudit/alloc.h"
#include "lyncaudit/timeutil.h"

enum { STOP_MS = 4000, LAZY_MS = 1000 };

/* How long lines of the flows that end with the service may wait for room. */
#define LAST_FLOWS_NS LYA_SECOND_NS

/* Beginning ---------------------------------------------------------------- */

static const char *source_name(void *ctx, uint32_t source)
{
	const struct live_engine *e = ctx;
	size_t n;
	const struct lya_source *sources = lya_capture_sources(e->capture, &n);

	return source < n ? sources[source].name : NULL;
}

static int log_flow(void *ctx, const struct lya_audit_flow *f)
{
	const struct live_engine *e = ctx;

	return live_flow_log_take(e->flows, f);
}

static int start(struct live_engine *e, struct live_policy *policy, struct lya_error *err)
{
	const struct lya_watch_options *o = e->watch->options;
	struct lya_audit_options options = { .max_memory = o->max_memory,
					     .max_flows = o->max_flows,
					     .threads = o->threads,
					     .evidence = o->evidence != NULL,
					     .continuous = o->state != NULL,
					     .on_flow = e->flows != NULL ? log_flow : NULL,
					     .source_name = source_name,
					     .ctx = e };
	int rc;

	e->missing = live_missing_new();
	if (e->missing == NULL)
		return lya_error_nomem(err);
	rc = lya_audit_new(&e->audit, policy->policy, &options, err);
	if (rc != LYA_OK)
		return rc;
	if (o->state != NULL)
		return live_engine_keep(e, policy, err);
	e->policy = *policy;
	return LYA_OK;
}

int live_engine_open(struct live_engine **result, const struct live_watch *w,
		     struct live_policy *policy, const struct live_engine_ends *ends,
		     int64_t first_ns, struct lya_error *err)
{
	struct live_engine *e = lya_calloc(1, sizeof(*e));
	int rc;

	if (e == NULL)
		return lya_error_nomem(err);
	e->watch = w;
	e->capture = ends->capture;
	e->tell = ends->tell;
	e->flows = ends->flows;
	e->newest_ns = first_ns;
	e->period_ns = LYA_TIME_NONE;
	(void)pthread_mutex_init(&e->view.mutex, NULL); /* a plain one cannot fail */
	rc = start(e, policy, err);
	if (rc != LYA_OK) {
		live_engine_free(e);
		return rc;
	}
	*result = e;
	return LYA_OK;
}

struct lya_keeper_clock live_engine_clock(const struct live_engine *e)
{
	bool by_packets = e->newest_ns != LYA_TIME_NONE;
	int64_t wall_ns = live_wall_ns();

	return (struct lya_keeper_clock){ .time_ns = by_packets ? e->newest_ns : wall_ns,
					  .wall_ns = wall_ns,
					  .mono_ns = live_steady_ns(),
					  .by_packets = by_packets };
}

/* Going on ----------------------------------------------------------------- */

int live_engine_take(struct live_engine *e, const struct lya_frame *frames, size_t n,
		     struct lya_error *err)
{
	const struct lya_source *sources;
	size_t n_sources;

	if (e->keeper == NULL)
		return lya_audit_take(e->audit, frames, n, err);
	if (e->watch->options->follow != NULL && frames[n - 1].time_ns > e->newest_ns)
		e->newest_ns = frames[n - 1].time_ns;
	sources = lya_capture_sources(e->capture, &n_sources);
	return lya_keeper_take(e->keeper, frames, n, sources, n_sources, err);
}

int live_engine_settle(struct live_engine *e, struct lya_error *err)
{
	return lya_audit_settle(e->audit, err);
}

int live_engine_step(struct live_engine *e, bool idle, unsigned *wait_ms, struct lya_error *err)
{
	struct lya_keeper_clock now;
	const struct lya_source *sources;
	size_t n;

	*wait_ms = LAZY_MS;
	if (e->keeper == NULL)
		return LYA_OK;
	if (idle)
		e->newest_ns = LYA_TIME_NONE; /* all of the ring is read: it is as late as the clock says */
	now = live_engine_clock(e);
	sources = lya_capture_sources(e->capture, &n);
	return lya_keeper_step(e->keeper, &now, sources, n, wait_ms, err);
}

int live_engine_missing(struct live_engine *e, const struct lya_capture_event *event,
			struct lya_error *err)
{
	struct lya_store_event told = { .kind = event->kind == LYA_CAPTURE_GAP ? LYA_EVENT_GAP
									       : LYA_EVENT_DROP,
					.from_ns = event->from_ns,
					.to_ns = event->to_ns,
					.source = source_name(e, event->source),
					.count = event->count };
	char text[400];

	if (e->keeper == NULL)
		return live_missing_note(e->missing, event) == LYA_OK ? LYA_OK
								      : lya_error_nomem(err);
	(void)snprintf(text, sizeof(text), "It was noticed that %s.", event->what);
	told.text = text;
	return lya_keeper_event(e->keeper, &told, err);
}

int live_engine_reload(struct live_engine *e, struct live_policy *policy, struct lya_error *err)
{
	struct lya_keeper_policy fresh = { policy->site, policy->rules, policy->policy,
					   e->watch->options->strict };
	struct lya_keeper_clock now = live_engine_clock(e);
	const struct lya_source *sources;
	size_t n;

	if (e->keeper == NULL)
		return lya_error_set(err, LYA_EUSAGE, NULL, NULL,
				     "without --state site and rules stay as they were at the start");
	sources = lya_capture_sources(e->capture, &n);
	return lya_keeper_reload(e->keeper, &fresh, &now, sources, n, err);
}

void live_engine_report(struct live_engine *e)
{
	if (e->keeper != NULL)
		lya_keeper_report(e->keeper);
	else
		live_say(e->watch, LYA_WATCH_WARNING, "without --state there is one report, at the end");
}

/* The end ------------------------------------------------------------------ */

static int stop(struct live_engine *e, struct lya_error *err)
{
	struct lya_keeper_clock now = live_engine_clock(e);
	const struct lya_source *sources;
	size_t n;

	sources = lya_capture_sources(e->capture, &n);
	if (e->keeper != NULL)
		return lya_keeper_stop(e->keeper, &now, sources, n, STOP_MS, err);
	return live_engine_last_report(e, err);
}

int live_engine_stop(struct live_engine *e, struct lya_error *err)
{
	if (e->flows != NULL)
		live_flow_log_wait(e->flows, LAST_FLOWS_NS);
	return stop(e, err);
}

void live_engine_free(struct live_engine *e)
{
	if (e == NULL)
		return;
	lya_keeper_free(e->keeper);
	lya_audit_free(e->audit);
	live_alarms_free(e->alarms);
	live_missing_free(e->missing);
	live_policy_free(&e->policy);
	lya_text_fini(&e->view.metrics);
	lya_text_fini(&e->view.picture);
	lya_text_fini(&e->view.newest);
	(void)pthread_mutex_destroy(&e->view.mutex);
	lya_free(e);
}
