/*
 * nights.c - the keeper's side: options, and what it calls back with.
 *
 * All callbacks come from the book's thread.
 */
#include <string.h>

#include "live/parts.h"
#include "live/proof.h"
#include "live/show.h"
#include "lyncaudit/alloc.h"
#include "lyncaudit/store.h"
#include "lyncaudit/timeutil.h"

enum { NEWEST_BYTES = 4096 };

/* The newest first; what is older than the screen is long is forgotten. */
static void note_newest(struct live_engine *e, const struct lya_finding *f)
{
	struct lya_text text = { 0 };
	const char *rest = lya_text_str(&e->view.newest);
	size_t len = strlen(rest);

	lya_text_addf(&text, "%s %s %s: %s\n", lya_severity_name(f->severity), f->type, f->id, f->what);
	lya_text_add_len(&text, rest, len < NEWEST_BYTES ? len : NEWEST_BYTES);
	(void)pthread_mutex_lock(&e->view.mutex);
	lya_text_fini(&e->view.newest);
	e->view.newest = text;
	(void)pthread_mutex_unlock(&e->view.mutex);
}

/* Findings that are new, or of which there is more. */
static void tell_findings(struct live_engine *e, const struct lya_report_input *in)
{
	size_t n;
	const struct lya_finding *list = lya_ledger_findings(in->ledger, &n);
	const struct lya_policy *policy = lya_ledger_policy(in->ledger);
	int64_t now_ns = live_steady_ns();

	if (in->night != NULL && in->night->from_ns != e->period_ns) {
		if (e->period_ns != LYA_TIME_NONE)
			live_alarms_period(e->alarms);
		e->period_ns = in->night->from_ns;
	}
	for (size_t i = 0; i < n; i++) {
		enum live_alarm what = live_alarms_take(e->alarms, &list[i], now_ns, false);

		if (what == LIVE_ALARM_NEW)
			note_newest(e, &list[i]);
		if (what != LIVE_ALARM_NONE)
			live_tell_finding(e->tell, policy, in->sources, in->n_sources, &list[i],
					  what == LIVE_ALARM_UPDATE);
	}
}

static void exchange(struct lya_text *a, struct lya_text *b)
{
	struct lya_text text = *a;

	*a = *b;
	*b = text;
}

static void leave_view(struct live_engine *e, const struct lya_report_input *in)
{
	struct lya_text metrics = { 0 }, picture = { 0 };

	live_metrics_view(&metrics, in);
	live_show_view(&picture, in);
	(void)pthread_mutex_lock(&e->view.mutex);
	exchange(&e->view.metrics, &metrics);
	exchange(&e->view.picture, &picture);
	(void)pthread_mutex_unlock(&e->view.mutex);
	lya_text_fini(&metrics);
	lya_text_fini(&picture);
}

void live_engine_add_view(struct live_engine *e, struct lya_text *t)
{
	(void)pthread_mutex_lock(&e->view.mutex);
	lya_text_add(t, lya_text_str(&e->view.picture));
	lya_text_add(t, "\n#newest findings\n");
	lya_text_add(t, lya_text_str(&e->view.newest));
	(void)pthread_mutex_unlock(&e->view.mutex);
}

static void on_view(void *ctx, const struct lya_keeper_view *view)
{
	tell_findings(ctx, view->report);
	leave_view(ctx, view->report);
}

static void on_report(void *ctx, const char *path, enum lya_report_verdict verdict)
{
	const struct live_engine *e = ctx;

	live_say(e->watch, LYA_WATCH_NOTE, "%s/%s: %s", e->watch->options->state, path,
		 lya_report_verdict_name(verdict));
}

static int on_proof(void *ctx, const struct lya_keeper_proof *proof, struct lya_error *err)
{
	const struct live_engine *e = ctx;

	return live_proof_write(e->watch, proof, err);
}

static void on_message(void *ctx, enum lya_keeper_level level, const char *text)
{
	const struct live_engine *e = ctx;

	live_say(e->watch, level == LYA_KEEPER_WARNING ? LYA_WATCH_WARNING : LYA_WATCH_NOTE, "%s",
		 text);
	if (level == LYA_KEEPER_WARNING)
		live_tell_trouble(e->tell, text);
}

int live_engine_keep(struct live_engine *e, struct live_policy *policy, struct lya_error *err)
{
	const struct lya_watch_options *o = e->watch->options;
	struct lya_keeper_clock now = live_engine_clock(e);
	struct lya_keeper_policy kept = { policy->site, policy->rules, policy->policy, o->strict };
	struct lya_keeper_options options = { .state_dir = o->state,
					      .sensor = o->sensor,
					      .version = o->version,
					      .host = o->host,
					      .arguments = o->arguments,
					      .n_arguments = o->n_arguments,
					      .report_s = o->report_s,
					      .fail_on = o->fail_on,
					      .keep = { o->keep_days, o->keep_bytes },
					      .max_memory = o->max_memory,
					      .on_view = on_view,
					      .on_report = on_report,
					      .on_proof = o->evidence != NULL ? on_proof : NULL,
					      .on_message = on_message,
					      .ctx = e };

	e->alarms = live_alarms_new(e->watch->started_ns);
	if (e->alarms == NULL)
		return lya_error_nomem(err);
	return lya_keeper_open(&e->keeper, e->audit, &kept, &options, &now, err);
}

/* Where a ring was read to ---------------------------------------------------- */

static int take_tally(void *ctx, const void *data, size_t len, bool good)
{
	int64_t *until_ns = ctx;
	struct lya_tally *t;
	struct lya_error err;

	if (!good || lya_tally_unpack(&t, data, len, &err) != LYA_OK)
		return LYA_OK; /* the keeper tells of what is damaged */
	if (t->counts.last_ns != LYA_TIME_NONE &&
	    (*until_ns == LYA_TIME_NONE || t->counts.last_ns > *until_ns))
		*until_ns = t->counts.last_ns;
	lya_tally_free(t);
	return LYA_OK;
}

static int take_part(void *ctx, const void *data, size_t len, bool open, bool good)
{
	(void)ctx;
	(void)data;
	(void)len;
	(void)open;
	(void)good;
	return LYA_OK;
}

static int until_of(struct lya_store *s, int64_t period, int64_t *until_ns, struct lya_error *err)
{
	const struct lya_store_taker taker = { until_ns, take_tally, take_part };
	struct lya_store_stretch *list;
	size_t n;
	int rc = lya_store_stretches(s, period, &list, &n, err);

	if (rc != LYA_OK)
		return rc;
	for (size_t i = 0; rc == LYA_OK && i < n; i++)
		rc = lya_store_read_stretch(s, list[i].id, &taker, err);
	lya_free(list);
	return rc;
}

int live_engine_kept_until(const char *state, int64_t *until_ns, struct lya_error *err)
{
	struct lya_store_period *list;
	struct lya_store *s;
	size_t n;
	int rc = lya_store_open(&s, state, NULL, NULL, err);

	*until_ns = LYA_TIME_NONE;
	if (rc != LYA_OK)
		return LYA_OK; /* there is none yet, or the keeper says what is wrong with it */
	rc = lya_store_periods(s, false, &list, &n, err);
	if (rc == LYA_OK) {
		for (size_t i = n; rc == LYA_OK && i > 0 && *until_ns == LYA_TIME_NONE; i--)
			rc = until_of(s, list[i - 1].id, until_ns, err);
		lya_store_periods_free(list, n);
	}
	lya_store_close(s);
	return rc;
}
