/*
 * watch.c - start the processes of the service, and be the first of them.
 */
#include "live/live.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "live/bundle.h"
#include "live/proof.h"
#include "live/screen.h"
#include "lyncaudit/confine.h"
#include "lyncaudit/folder.h"
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
static int try_output(const struct live_watch *w, const char *path, struct lya_error *err)
{
	struct lya_output *out;
	int rc;

	if (path == NULL)
		return LYA_OK;
	rc = lya_output_open_guarded(&out, path, w->state, false, err);
	if (rc == LYA_OK)
		lya_output_abort(out);
	return rc;
}

/* Gone into as if it were a folder: so its own name may be a link, too. */
static int check_hook(const struct live_watch *w, struct lya_error *err)
{
	const char *hook = w->options->hook;
	struct lya_folder f;
	char path[PATH_MAX];

	if (hook == NULL || w->state == -1)
		return LYA_OK;
	(void)snprintf(path, sizeof(path), "%s/.", hook);
	if (lya_folder_open(&f, path, w->state) == -1)
		return lya_error_set(err, LYA_EUSAGE, hook, NULL, "cannot be started: %s",
				     lya_folder_error(errno));
	lya_folder_close(&f);
	return f.passed ? lya_error_set(err, LYA_EUSAGE, hook, NULL,
					"lies below the state directory, or is reached through it, "
					"where who reads packets could put another program")
			: LYA_OK;
}

static void close_end(int *fd)
{
	if (*fd != -1)
		(void)close(*fd);
	*fd = -1;
}

/* A directory that is made here belongs to who will write to it. */
static int give_state(const struct live_watch *w, struct lya_error *err)
{
	if (!w->user.change ||
	    fchownat(w->state, "", w->user.uid, w->user.gid, AT_EMPTY_PATH) == 0)
		return LYA_OK;
	return lya_error_set(err, LYA_EOUTPUT, w->options->state, NULL,
			     "cannot be given to user %s: %s", w->user.name, strerror(errno));
}

/* Of one that is there already it is the keeper's to say whether it can be used. */
static int have_state(struct live_watch *w, struct lya_error *err)
{
	const char *path = w->options->state;
	bool made;

	if (path == NULL)
		return LYA_OK;
	made = mkdir(path, 0700) == 0;
	if (!made && errno != EEXIST)
		return lya_error_set(err, LYA_EOUTPUT, path, NULL, "cannot be made: %s",
				     strerror(errno));
	w->state = open(path, O_PATH | O_CLOEXEC | (made ? O_NOFOLLOW : 0));
	if (w->state == -1)
		return lya_error_set(err, LYA_EOUTPUT, path, NULL, "cannot be opened: %s",
				     strerror(errno));
	return made ? give_state(w, err) : LYA_OK;
}

static int connect_all(struct live_watch *w, struct lya_error *err)
{
	int post[2], tell[2] = { -1, -1 }, errand[2] = { -1, -1 }, flows[2] = { -1, -1 };
	int rc = lya_post_pair(post, err);

	if (rc == LYA_OK && live_courier_wanted(w))
		rc = lya_post_pair(tell, err);
	if (rc == LYA_OK && live_courier_wanted(w))
		rc = lya_post_pair(errand, err);
	if (rc == LYA_OK && w->options->flows != NULL)
		rc = lya_post_pair(flows, err);
	if (rc != LYA_OK)
		return rc;
	w->sensor_end = post[0];
	w->warden_end = post[1];
	w->tell_end = tell[0];
	w->tale_end = tell[1];
	w->errand_out = errand[0];
	w->errand_in = errand[1];
	w->flows_out = flows[0];
	w->flows_in = flows[1];
	return LYA_OK;
}

static int start_courier(struct live_watch *w, pid_t *pid, struct lya_error *err)
{
	int keep[] = { w->tale_end, w->errand_in, w->flows_in };
	int rc = LYA_OK;

	*pid = -1;
	if (live_courier_wanted(w))
		rc = lya_child_start(pid, live_courier, w, keep, sizeof(keep) / sizeof(keep[0]), err);
	close_end(&w->tale_end);
	close_end(&w->errand_in);
	close_end(&w->flows_in);
	return rc;
}

static int start_sensor(struct live_watch *w, pid_t *pid, struct lya_error *err)
{
	int keep[] = { w->sensor_end, w->bundle, w->tell_end, w->flows_out };
	int rc = lya_child_start(pid, live_sensor, w, keep, sizeof(keep) / sizeof(keep[0]), err);

	close_end(&w->sensor_end);
	close_end(&w->bundle);
	close_end(&w->tell_end);
	close_end(&w->flows_out);
	return rc;
}

static int start(struct live_watch *w, struct lya_error *err)
{
	pid_t sensor = -1, courier = -1;
	int signals = -1;
	int rc = connect_all(w, err);

	if (rc == LYA_OK && w->options->screen)
		rc = live_screen_new(&w->screen, err);
	if (rc == LYA_OK)
		rc = lya_signals_open(&signals, err);
	if (rc == LYA_OK)
		rc = start_courier(w, &courier, err);
	if (rc == LYA_OK)
		rc = start_sensor(w, &sensor, err);
	if (rc == LYA_OK && !w->user.change) /* listening was all that it might do */
		rc = lya_confine_powers(err);
	return rc != LYA_OK ? rc : live_warden(w, sensor, courier, signals, err);
}

int lya_watch_run(const struct lya_watch_options *options, struct lya_error *err)
{
	struct live_watch w = {
		.options = options, .started_ns = live_wall_ns(), .bundle = -1, .state = -1
	};
	int rc = lya_user_find(&w.user, options->user, err);

	if (rc == LYA_OK)
		rc = have_state(&w, err);
	if (rc == LYA_OK)
		rc = try_output(&w, options->report, err);
	if (rc == LYA_OK)
		rc = try_output(&w, options->metrics, err);
	if (rc == LYA_OK)
		rc = check_hook(&w, err);
	if (rc == LYA_OK)
		rc = live_proof_prepare(&w, err);
	if (rc == LYA_OK)
		rc = bundle_pack(&w.bundle, options->site, options->rules, w.state, err);
	if (rc == LYA_OK)
		rc = start(&w, err);
	live_screen_free(w.screen);
	close_end(&w.state);
	return rc;
}
