/*
 * warden.c - the process that was started: it keeps the names and the rights that the
 * sensor must not have, and never sees a packet.
 */
#include "live/live.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "live/bundle.h"
#include "live/messages.h"
#include "live/proof.h"
#include "live/screen.h"
#include "lyncaudit/alloc.h"
#include "lyncaudit/folder.h"
#include "lyncaudit/output.h"
#include "lyncaudit/post.h"
#include "lyncaudit/timeutil.h"

/* How long a sensor that was asked to stop may take; then it is ended. */
#define STOP_NS (5 * LYA_SECOND_NS)
/* How long what the outlets still have may take after that. */
#define COURIER_NS (2 * LYA_SECOND_NS)

struct warden {
	struct live_watch *watch;
	pid_t sensor, courier; /* -1: there is none */
	int signals;
	struct lya_notify notify;
	bool ready, stopping;
	int64_t stop_by_ns; /* CLOCK_MONOTONIC */
	int failure;        /* what the service ends with */
	struct lya_post post;
};

static bool order(struct warden *w, enum live_order what, int fd)
{
	if (lya_post_send(w->watch->warden_end, what, 0, NULL, 0, fd) == LYA_OK)
		return true;
	live_say(w->watch, LYA_WATCH_WARNING, "the sensor does not listen just now");
	return false;
}

/* Orders ------------------------------------------------------------------- */

static void stop(struct warden *w)
{
	if (w->stopping) { /* asked twice: at once */
		(void)kill(w->sensor, SIGKILL);
		return;
	}
	w->stopping = true;
	w->stop_by_ns = live_steady_ns() + STOP_NS;
	lya_notify_send(&w->notify, "STOPPING=1\nSTATUS=stopping");
	(void)order(w, LIVE_STOP, -1); /* who does not listen is killed in time */
}

/* The name may stand for another file by now; the sensor goes on meanwhile. */
static int open_lines(struct warden *w, const char *path, enum live_errand errand,
		      struct lya_error *err)
{
	int fd, rc;

	if (path == NULL)
		return LYA_OK;
	fd = lya_folder_file(path, w->watch->state,
			     O_WRONLY | O_CREAT | O_APPEND | O_NOCTTY | O_NONBLOCK, 0600);
	if (fd == -1)
		return lya_error_set(err, LYA_EOUTPUT, path, NULL, "cannot be written: %s",
				     lya_folder_error(errno));
	rc = lya_post_send(w->watch->errand_out, errand, 0, NULL, 0, fd);
	(void)close(fd);
	return rc == LYA_OK ? LYA_OK
			    : lya_error_set(err, LYA_EIO, path, NULL, "nobody is there to write it");
}

static int open_findings(struct warden *w, struct lya_error *err)
{
	return open_lines(w, w->watch->options->findings, LIVE_ERRAND_FINDINGS, err);
}

static int open_flows(struct warden *w, struct lya_error *err)
{
	return open_lines(w, w->watch->options->flows, LIVE_ERRAND_FLOWS, err);
}

/* The times of sd_notify are CLOCK_MONOTONIC's. */
static void reload(struct warden *w)
{
	const struct lya_watch_options *o = w->watch->options;
	struct lya_error err;
	int fd;

	lya_notify_send(&w->notify, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, live_steady_ns() / 1000);
	if (open_findings(w, &err) != LYA_OK)
		live_say(w->watch, LYA_WATCH_ERROR, "%s; the file of before is written on", err.text);
	if (open_flows(w, &err) != LYA_OK)
		live_say(w->watch, LYA_WATCH_ERROR, "%s; the file of before is written on", err.text);
	if (bundle_pack(&fd, o->site, o->rules, w->watch->state, &err) != LYA_OK) {
		live_say(w->watch, LYA_WATCH_ERROR, "%s", err.text);
		live_say(w->watch, LYA_WATCH_ERROR, "the site and rules of before stay in force");
		lya_notify_send(&w->notify, "READY=1");
		return;
	}
	if (!order(w, LIVE_RELOAD, fd))
		lya_notify_send(&w->notify, "READY=1");
	(void)close(fd);
}

/* Without it nobody learns of what happens: the service ends, and is started again. */
static void look_after_courier(struct warden *w)
{
	if (w->courier == -1 || waitpid(w->courier, NULL, WNOHANG) != w->courier)
		return;
	w->courier = -1;
	if (w->stopping)
		return;
	live_say(w->watch, LYA_WATCH_ERROR, "the process that tells others has ended");
	w->failure = LYA_EIO;
	stop(w);
}

static void take_signal(struct warden *w, int number)
{
	switch (number) {
	case SIGTERM:
	case SIGINT:
		stop(w);
		break;
	case SIGHUP:
		reload(w);
		break;
	case SIGUSR1:
		(void)order(w, LIVE_REPORT, -1);
		break;
	case SIGWINCH:
		if (w->watch->screen != NULL)
			live_screen_resize(w->watch->screen);
		break;
	case SIGCHLD:
		look_after_courier(w);
		break;
	default:
		break;
	}
}

/* News --------------------------------------------------------------------- */

static const char *output_path(const struct lya_watch_options *o, uint32_t number)
{
	switch ((enum live_output)number) {
	case LIVE_OUTPUT_REPORT:
		return o->report;
	case LIVE_OUTPUT_METRICS:
		return o->metrics;
	case LIVE_OUTPUT_EVIDENCE:
		return o->evidence;
	case LIVE_OUTPUTS:
		break;
	}
	return NULL;
}

static int copy_output(const struct live_watch *w, const char *path, bool readable, int fd,
		       struct lya_error *err)
{
	struct lya_output *out;
	char chunk[65536];
	ssize_t n;
	off_t at = 0;
	int rc = lya_output_open_guarded(&out, path, w->state, readable, err);

	if (rc != LYA_OK)
		return rc;
	while ((n = pread(fd, chunk, sizeof(chunk), at)) > 0) {
		lya_output_write(out, chunk, (size_t)n);
		at += n;
	}
	if (n == 0)
		return lya_output_commit(out, err);
	lya_output_abort(out);
	return lya_error_set(err, LYA_EOUTPUT, path, NULL, "the sensor's output cannot be read: %s",
			     strerror(errno));
}

/* A file of evidence for each report, whose name is the sensor's to tell; false: it is none. */
static bool name_output(const struct warden *w, uint32_t number, const char **path,
			struct live_proof_told *told)
{
	const struct lya_watch_options *o = w->watch->options;

	*told = (struct live_proof_told){ .path = NULL };
	*path = output_path(o, number);
	if (*path == NULL || number != LIVE_OUTPUT_EVIDENCE || o->state == NULL)
		return *path != NULL;
	if (!live_proof_hear(told, w->watch, w->post.data))
		return false;
	*path = told->path;
	return true;
}

/* Of a file of evidence nobody has the packets any more; metrics come again. */
static void take_failure(struct warden *w, uint32_t number, const char *path,
			 const struct lya_error *err)
{
	live_say(w->watch, LYA_WATCH_ERROR, "%s", err->text);
	if (number == LIVE_OUTPUT_EVIDENCE)
		live_say(w->watch, LYA_WATCH_ERROR, "the packets of %s are lost", path);
	if (number != LIVE_OUTPUT_METRICS && w->watch->options->state == NULL)
		w->failure = err->status;
}

/* The sensor hands over memory: a pipe could make this process wait.  Metrics are for all. */
static void take_output(struct warden *w, uint32_t number, int fd)
{
	struct live_proof_told told;
	const char *path;
	struct lya_error err;
	struct stat st;

	if (fd == -1 || fstat(fd, &st) == -1 || !S_ISREG(st.st_mode) ||
	    !name_output(w, number, &path, &told))
		return;
	if (copy_output(w->watch, path, number == LIVE_OUTPUT_METRICS, fd, &err) != LYA_OK)
		take_failure(w, number, path, &err);
	else if (told.path != NULL)
		live_proof_say(w->watch, &told);
	lya_free(told.path);
}

static void take_news(struct warden *w)
{
	const struct lya_post *p = &w->post;

	switch (p->kind) {
	case LIVE_READY:
		w->ready = true;
		lya_notify_send(&w->notify, "READY=1\nSTATUS=listening");
		break;
	case LIVE_ALIVE: /* one line, whoever wrote it */
		lya_notify_send(&w->notify, "WATCHDOG=1\nSTATUS=%.*s", (int)strcspn(p->data, "\n"),
				p->data);
		break;
	case LIVE_PICTURE:
		if (w->watch->screen != NULL)
			live_screen_show(w->watch->screen, p->data);
		break;
	case LIVE_RELOADED:
		lya_notify_send(&w->notify, "READY=1");
		break;
	case LIVE_OUTPUT:
		take_output(w, p->number, p->fd);
		break;
	default:
		break;
	}
	if (p->fd != -1)
		(void)close(p->fd);
}

/* True until the sensor has ended. */
static bool read_post(struct warden *w)
{
	int rc;

	while ((rc = lya_post_receive(w->watch->warden_end, &w->post)) == 1)
		take_news(w);
	return rc == 0;
}

/* The loop ----------------------------------------------------------------- */

static int wait_ms(struct warden *w)
{
	int64_t left_ns;

	if (!w->stopping)
		return -1;
	left_ns = w->stop_by_ns - live_steady_ns();
	if (left_ns > 0)
		return (int)(left_ns / (LYA_SECOND_NS / 1000) + 1);
	live_say(w->watch, LYA_WATCH_ERROR, "the sensor does not stop: it is killed");
	(void)kill(w->sensor, SIGKILL);
	w->stop_by_ns = INT64_MAX;
	return -1;
}

/* gone: of the terminal nothing is left. */
static void use_screen(struct warden *w, bool gone)
{
	if (w->watch->screen == NULL)
		return;
	if (live_screen_work(w->watch->screen) == 'q' || (gone && !w->stopping))
		stop(w);
}

static void serve(struct warden *w)
{
	struct pollfd fds[4] = { { .fd = w->signals, .events = POLLIN },
				 { .fd = w->watch->warden_end, .events = POLLIN },
				 { .fd = -1 },
				 { .fd = -1 } };
	bool alive = true;

	if (w->watch->screen != NULL)
		live_screen_wait(w->watch->screen, fds + 2);
	while (alive) {
		int number;

		if (poll(fds, sizeof(fds) / sizeof(fds[0]), wait_ms(w)) == -1 && errno != EINTR)
			break;
		while ((number = lya_signals_next(w->signals)) != 0)
			take_signal(w, number);
		alive = read_post(w);
		use_screen(w, (fds[3].revents & (POLLHUP | POLLERR)) != 0);
	}
}

/* How the sensor ended; it says itself what went wrong, but for this. */
static int reap(struct warden *w)
{
	int status = 0;

	while (waitpid(w->sensor, &status, 0) == -1 && errno == EINTR)
		;
	if (WIFSIGNALED(status))
		live_say(w->watch, LYA_WATCH_ERROR, "the sensor was ended by signal %d (%s)",
			 WTERMSIG(status), strsignal(WTERMSIG(status)));
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? LYA_OK : LYA_EIO;
}

/* It ends by itself when the sensor has, in a while. */
static void reap_courier(struct warden *w)
{
	int64_t by_ns = live_steady_ns() + COURIER_NS;

	if (w->watch->errand_out != -1)
		(void)close(w->watch->errand_out);
	while (w->courier != -1) {
		struct timespec pause = { .tv_nsec = 10000000 };

		if (waitpid(w->courier, NULL, WNOHANG) == w->courier)
			break;
		if (live_steady_ns() > by_ns)
			(void)kill(w->courier, SIGKILL);
		(void)nanosleep(&pause, NULL);
	}
}

static int work(struct warden *w, struct lya_error *err)
{
	int rc = lya_notify_open(&w->notify, err);

	if (rc == LYA_OK)
		rc = open_findings(w, err);
	if (rc == LYA_OK)
		rc = open_flows(w, err);
	if (rc == LYA_OK && w->watch->screen != NULL)
		rc = live_screen_begin(w->watch->screen, err);
	if (rc != LYA_OK) {
		(void)kill(w->sensor, SIGKILL);
		(void)waitpid(w->sensor, NULL, 0);
		return rc;
	}
	err->text[0] = '\0';
	serve(w);
	rc = reap(w);
	return rc != LYA_OK ? rc : w->failure;
}

int live_warden(struct live_watch *watch, pid_t sensor, pid_t courier, int signals,
		struct lya_error *err)
{
	struct warden w = { .watch = watch, .sensor = sensor, .courier = courier,
			    .signals = signals, .notify = { .fd = -1 } };
	int rc = work(&w, err);

	reap_courier(&w);
	lya_notify_close(&w.notify);
	(void)close(watch->warden_end);
	(void)close(signals);
	return rc;
}
