/*
 * nights.c - the keeper's side: options, and what it calls back with.
 *
 * All callbacks come from the book's thread.
 */
#include "live/parts.h"
#include "lyncaudit/timeutil.h"

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

		if (what != LIVE_ALARM_NONE)
			live_tell_finding(e->tell, policy, in->sources, in->n_sources, &list[i],
					  what == LIVE_ALARM_UPDATE);
	}
}

static void leave_view(struct live_engine *e, const struct lya_report_input *in)
{
	struct lya_text text = { 0 }, old;
	size_t n;

	(void)lya_ledger_findings(in->ledger, &n);
	live_metrics_view(&text, in);
	(void)pthread_mutex_lock(&e->view.mutex);
	old = e->view.metrics;
	e->view.metrics = text;
	e->view.findings = n;
	(void)pthread_mutex_unlock(&e->view.mutex);
	lya_text_fini(&old);
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
	struct lya_keeper_clock now = live_engine_clock();
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
					      .on_message = on_message,
					      .ctx = e };

	e->alarms = live_alarms_new(e->watch->started_ns);
	if (e->alarms == NULL)
		return lya_error_nomem(err);
	return lya_keeper_open(&e->keeper, e->audit, &kept, &options, &now, err);
}
