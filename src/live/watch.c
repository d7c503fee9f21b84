/*
 * watch.c - start the processes of the service, and be the first of them.
 */
#include "live/live.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "live/bundle.h"
#include "lyncaudit/output.h"
#include "lyncaudit/post.h"
#include "lyncaudit/timeutil.h"

void live_say(const struct live_watch *w, enum lya_watch_level level, const char *fmt, ...)
{
	char text[LYA_ERROR_LEN];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	w->options->say(w->options->ctx, level, text);
}

static int64_t clock_ns(clockid_t id)
{
	struct timespec now;

	(void)clock_gettime(id, &now);
	return now.tv_sec * LYA_SECOND_NS + now.tv_nsec;
}

int64_t live_wall_ns(void)
{
	return clock_ns(CLOCK_REALTIME);
}

int64_t live_steady_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

/* An output that cannot be written is better known now than in a month. */
static int try_output(const char *path, struct lya_error *err)
{
	struct lya_output *out;
	int rc = path == NULL ? LYA_OK : lya_output_open(&out, path, false, err);

	if (path != NULL && rc == LYA_OK)
		lya_output_abort(out);
	return rc;
}

static int start_sensor(struct live_watch *w, pid_t *pid, struct lya_error *err)
{
	int keep[] = { w->sensor_end, w->bundle };
	int rc = lya_child_start(pid, live_sensor, w, keep, sizeof(keep) / sizeof(keep[0]), err);

	if (rc != LYA_OK)
		return rc;
	(void)close(w->sensor_end);
	(void)close(w->bundle);
	w->sensor_end = w->bundle = -1;
	return LYA_OK;
}

static int start(struct live_watch *w, struct lya_error *err)
{
	int post[2], signals;
	pid_t sensor;
	int rc = lya_post_pair(post, err);

	if (rc != LYA_OK)
		return rc;
	w->sensor_end = post[0];
	w->warden_end = post[1];
	rc = lya_signals_open(&signals, err);
	if (rc == LYA_OK)
		rc = start_sensor(w, &sensor, err);
	return rc != LYA_OK ? rc : live_warden(w, sensor, signals, err);
}

int lya_watch_run(const struct lya_watch_options *options, struct lya_error *err)
{
	struct live_watch w = { .options = options, .started_ns = live_wall_ns(), .bundle = -1 };
	int rc = lya_user_find(&w.user, options->user, err);

	if (rc == LYA_OK)
		rc = try_output(options->report, err);
	if (rc == LYA_OK)
		rc = bundle_pack(&w.bundle, options->site, options->rules, err);
	return rc != LYA_OK ? rc : start(&w, err);
}
