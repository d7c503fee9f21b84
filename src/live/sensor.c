/*
 * sensor.c - the process that sees packets.
 *
 * Interfaces are opened while that is still allowed, then all rights are given up, and
 * only then a byte of configuration or of a packet is looked at.
 *
 * One thread does everything with packets, in turns: what the capture has, then what
 * the clock asks for, then a wait for either.  Nothing here waits for a packet.
 */
#include "live/live.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "live/engine.h"
#include "live/hand.h"
#include "live/messages.h"
#include "live/show.h"
#include "lyncaudit/audit.h"
#include "lyncaudit/confine.h"
#include "lyncaudit/post.h"
#include "lyncaudit/timeutil.h"

enum {
	FRAMES = 256,
	TURN = 64, /* batches of frames before the clock is asked again */
	FDS = 64,  /* buffers, and the post */
	LOOK_MS = 10
};

#define TICK_NS LYA_SECOND_NS
#define MEASURE_NS (5 * LYA_SECOND_NS)
#define END_NS (LYA_SECOND_NS / 4)

struct sensor {
	struct live_watch *watch;
	struct lya_capture *capture;
	struct live_engine *engine;
	struct live_tell *tell;
	struct live_flow_log *flows; /* NULL: none is written */
	struct live_show *show; /* NULL: there is no screen */
	int64_t tick_ns;    /* CLOCK_MONOTONIC: the next tick, */
	int64_t measure_ns; /* and when metrics are due */
	size_t n_frames;    /* of a ring, that were read before the engine was there, */
	int64_t first_ns;   /* and where its audit begins; LYA_TIME_NONE: now */
	unsigned step_ms;   /* within which the engine wants to go on */
	bool stopping;
	struct lya_error failed; /* status not 0: something is lost that the report must say */
	struct lya_post post;
	struct lya_frame frames[FRAMES];
};

/* Beginning ---------------------------------------------------------------- */

static void tell_event(void *ctx, const struct lya_capture_event *event)
{
	struct sensor *s = ctx;
	char from[LYA_TIME_TEXT], to[LYA_TIME_TEXT], text[320];
	size_t n;
	const char *name = lya_capture_sources(s->capture, &n)[event->source].name;

	if (s->engine != NULL) /* else it is said, below */
		(void)live_engine_missing(s->engine, event, &s->failed);
	lya_time_format(event->from_ns, 3, from);
	lya_time_format(event->to_ns, 3, to);
	if (event->kind == LYA_CAPTURE_DROP)
		(void)snprintf(text, sizeof(text), "%s: %" PRIu64 " packets lost from %s to %s: %s",
			       name, event->count, from, to, event->what);
	else
		(void)snprintf(text, sizeof(text), "%s: nothing seen from %s to %s: %s", name, from,
			       to, event->what);
	live_say(s->watch, LYA_WATCH_WARNING, "%s", text);
	live_tell_trouble(s->tell, text);
}

/* Who works beside us borrows frames. */
static unsigned hold_of(const struct lya_watch_options *o)
{
	return o->threads > 1 ? LYA_AUDIT_HOLD : 0;
}

static int listen_all(struct sensor *s, struct lya_error *err)
{
	const struct lya_watch_options *o = s->watch->options;
	struct lya_capture_listen_options options = {
		.interfaces = o->interfaces,
		.n_interfaces = o->n_interfaces,
		.filter = o->filter,
		.offsets = o->offsets,
		.n_offsets = o->n_offsets,
		.rings = o->threads,
		.ring_bytes = o->buffer,
		.hold = hold_of(o),
		.adapter_time = o->adapter_time,
		.on_event = tell_event,
		.ctx = s,
	};

	return lya_capture_listen(&s->capture, &options, err);
}

/* Files are looked at with the rights that reading needs alone. */
static int follow(struct sensor *s, struct lya_error *err)
{
	const struct lya_watch_options *o = s->watch->options;
	struct lya_capture_follow_options options = { .dir = o->follow,
						      .filter = o->filter,
						      .offsets = o->offsets,
						      .n_offsets = o->n_offsets,
						      .hold = hold_of(o),
						      .on_event = tell_event,
						      .ctx = s };
	int rc = live_engine_kept_until(o->state, &options.from_ns, err);

	if (rc == LYA_OK)
		rc = lya_capture_follow(&s->capture, &options, err);
	if (rc == LYA_OK)
		rc = lya_capture_next(s->capture, s->frames, FRAMES, &s->n_frames, err);
	if (rc != LYA_OK)
		return rc;
	if (s->n_frames > 0)
		s->first_ns = s->frames[0].time_ns;
	if (lya_capture_follow_resumed(s->capture))
		s->first_ns = options.from_ns;
	return LYA_OK;
}

static int give_up_rights(struct sensor *s, struct lya_error *err)
{
	const char *reads[] = { "/usr/share/zoneinfo", s->watch->options->follow };
	struct lya_confine want = { .reads = reads, .n_reads = 1, .listens = true,
				    .regroups = s->watch->options->threads > 1,
				    .writes = &s->watch->options->state };
	struct lya_confined got = { .landlock_abi = 0 };
	int rc = lya_user_become(&s->watch->user, err);

	want.n_writes = s->watch->options->state != NULL;
	if (s->watch->options->follow != NULL)
		want.n_reads++;
	if (rc == LYA_OK)
		rc = lya_confine(&want, &got, err);
	if (rc == LYA_OK && (got.landlock_abi == 0 || !got.seccomp))
		live_say(s->watch, LYA_WATCH_WARNING,
			 "this kernel offers no %s; the rest of the protection holds",
			 got.landlock_abi == 0 ? "Landlock" : "seccomp");
	return rc;
}

static int begin_engine(struct sensor *s, struct lya_error *err)
{
	struct live_engine_ends ends = { s->capture, s->tell, s->flows };
	struct live_policy policy;
	int bundle = s->watch->bundle;
	int rc;

	s->watch->bundle = -1;
	if (!live_policy_load(&policy, s->watch, bundle))
		return LYA_ESTOP; /* said already */
	rc = live_engine_open(&s->engine, s->watch, &policy, &ends, s->first_ns, err);
	if (rc != LYA_OK) {
		live_policy_free(&policy);
		return rc;
	}
	return s->n_frames > 0 ? live_engine_take(s->engine, s->frames, s->n_frames, err) : LYA_OK;
}

static int begin_outlets(struct sensor *s, struct lya_error *err)
{
	s->tell = live_tell_new(s->watch->tell_end);
	if (s->watch->options->screen)
		s->show = live_show_new();
	if (s->watch->flows_out != -1)
		s->flows = live_flow_log_new(s->watch, s->watch->flows_out);
	if (s->tell == NULL || (s->show == NULL && s->watch->options->screen) ||
	    (s->flows == NULL && s->watch->flows_out != -1))
		return lya_error_nomem(err);
	return LYA_OK;
}

static int begin(struct sensor *s, struct lya_error *err)
{
	bool follows = s->watch->options->follow != NULL;
	int rc = follows ? LYA_OK : listen_all(s, err);

	if (rc == LYA_OK)
		rc = give_up_rights(s, err);
	if (rc == LYA_OK)
		rc = begin_outlets(s, err);
	if (rc == LYA_OK && follows)
		rc = follow(s, err);
	return rc == LYA_OK ? begin_engine(s, err) : rc;
}

/* The loop ----------------------------------------------------------------- */

static int capture_tick(struct sensor *s, struct lya_error *err)
{
	int rc = lya_capture_tick(s->capture, live_wall_ns(), err);

	if (rc == LYA_OK && s->failed.status != LYA_OK) {
		*err = s->failed;
		rc = s->failed.status;
	}
	return rc;
}

static int measure(struct sensor *s, struct lya_error *err)
{
	struct live_hand hand = { .number = LIVE_OUTPUT_METRICS };
	int rc = live_hand_begin(&hand.out, &hand.fd, err);

	if (rc != LYA_OK)
		return rc;
	rc = live_engine_measure(s->engine, hand.out, err);
	if (rc == LYA_OK)
		return live_hand_over(s->watch, &hand, err);
	live_hand_drop(&hand);
	return rc;
}

/* What cannot be measured now is measured in a while. */
static void measure_in_time(struct sensor *s, int64_t now_ns)
{
	struct lya_error err;

	if (s->watch->options->metrics == NULL || now_ns < s->measure_ns)
		return;
	s->measure_ns = now_ns + MEASURE_NS;
	if (measure(s, &err) != LYA_OK)
		live_say(s->watch, LYA_WATCH_WARNING, "%s", err.text);
}

static void show(struct sensor *s)
{
	struct lya_text text = { 0 };

	if (s->show == NULL)
		return;
	live_show_compose(s->show, s->engine, &text);
	if (!text.failed)
		(void)lya_post_send(s->watch->sensor_end, LIVE_PICTURE, 0, text.data, text.len, -1);
	lya_text_fini(&text);
}

static int tick(struct sensor *s, int64_t now_ns, struct lya_error *err)
{
	char status[160];

	s->tick_ns = now_ns + TICK_NS;
	live_engine_status(s->engine, status, sizeof(status));
	(void)lya_post_send(s->watch->sensor_end, LIVE_ALIVE, 0, status, strlen(status), -1);
	measure_in_time(s, now_ns);
	show(s);
	if (s->flows != NULL)
		live_flow_log_tick(s->flows, now_ns);
	return capture_tick(s, err);
}

/* Before the wait for more: no buffer is kept from being filled. */
static int rest(struct sensor *s, struct lya_error *err)
{
	int rc = live_engine_settle(s->engine, err);

	lya_capture_release(s->capture);
	return rc;
}

/* *more: there may be frames left. */
static int drain(struct sensor *s, bool *more, struct lya_error *err)
{
	*more = true;
	for (unsigned i = 0; i < TURN; i++) {
		size_t n;
		int rc = lya_capture_next(s->capture, s->frames, FRAMES, &n, err);

		*more = n > 0;
		if (rc == LYA_OK && n > 0)
			rc = live_engine_take(s->engine, s->frames, n, err);
		if (rc == LYA_OK && n == 0)
			rc = rest(s, err);
		if (rc == LYA_OK)
			rc = live_engine_step(s->engine, n == 0, &s->step_ms, err);
		if (rc != LYA_OK || n == 0)
			return rc;
	}
	return LYA_OK;
}

/* Of the new configuration all is in force, or nothing. */
static void reload(struct sensor *s, int bundle)
{
	struct live_policy policy;
	struct lya_error err;
	bool good = live_policy_load(&policy, s->watch, bundle);

	if (good && live_engine_reload(s->engine, &policy, &err) != LYA_OK) {
		live_say(s->watch, LYA_WATCH_ERROR, "%s", err.text);
		live_policy_free(&policy);
		good = false;
	}
	if (good)
		live_say(s->watch, LYA_WATCH_NOTE, "site and rules were read again");
	else
		live_say(s->watch, LYA_WATCH_ERROR, "the site and rules of before stay in force");
	(void)lya_post_send(s->watch->sensor_end, LIVE_RELOADED, !good, NULL, 0, -1);
}

static void take_order(struct sensor *s)
{
	int fd = s->post.fd;

	switch (s->post.kind) {
	case LIVE_STOP:
		s->stopping = true;
		break;
	case LIVE_RELOAD:
		reload(s, fd);
		fd = -1;
		break;
	case LIVE_REPORT:
		live_engine_report(s->engine);
		break;
	default:
		break;
	}
	if (fd != -1)
		(void)close(fd);
}

/* When the warden is gone it is over. */
static void read_post(struct sensor *s)
{
	int rc;

	while ((rc = lya_post_receive(s->watch->sensor_end, &s->post)) == 1)
		take_order(s);
	if (rc < 0)
		s->stopping = true;
}

static int wait_ms(const struct sensor *s, int capture_ms, int64_t now_ns)
{
	int64_t left_ns = s->tick_ns - now_ns;
	int ms = left_ns <= 0 ? 0 : (int)(left_ns / 1000000 + 1);

	if (s->step_ms < (unsigned)ms)
		ms = (int)s->step_ms;
	return capture_ms >= 0 && capture_ms < ms ? capture_ms : ms;
}

/* Wait for a frame, an order, or the clock; with frames left only look. */
static int wait(struct sensor *s, bool more, struct lya_error *err)
{
	struct pollfd fds[FDS] = { { .fd = s->watch->sensor_end, .events = POLLIN } };
	int64_t now_ns = live_steady_ns();
	int timeout_ms = 0;
	size_t n = 1;
	bool failed = false;

	if (!more) {
		n += lya_capture_poll(s->capture, fds + 1, FDS - 1, &timeout_ms);
		timeout_ms = wait_ms(s, timeout_ms, now_ns);
	}
	if (poll(fds, n, timeout_ms) == -1 && errno != EINTR)
		return lya_error_set(err, LYA_EIO, NULL, NULL, "cannot wait: %s", strerror(errno));
	if (fds[0].revents != 0)
		read_post(s);
	for (size_t i = 1; i < n; i++)
		failed = failed || (fds[i].revents & POLLERR) != 0;
	now_ns = live_steady_ns();
	return failed || now_ns >= s->tick_ns ? tick(s, now_ns, err) : LYA_OK;
}

static int work(struct sensor *s, struct lya_error *err)
{
	bool more = false;
	int rc = tick(s, live_steady_ns(), err);

	while (rc == LYA_OK && !s->stopping) {
		rc = drain(s, &more, err);
		if (rc == LYA_OK)
			rc = wait(s, more, err);
	}
	return rc;
}

/*
 * Frames that came before it was asked to stop count: they may be on their way to us for as
 * long as END_NS.  What is there then is taken, although older ones may be missing.
 */
static int drain_last(struct sensor *s, struct lya_error *err)
{
	int64_t end_ns = live_steady_ns() + END_NS;
	bool more = true;
	int rc = LYA_OK;

	for (unsigned i = 0; rc == LYA_OK && (more ? i < TURN : live_steady_ns() < end_ns); i++) {
		if (!more && poll(NULL, 0, LOOK_MS) == -1 && errno != EINTR)
			break;
		rc = drain(s, &more, err);
	}
	lya_capture_listen_last(s->capture);
	more = true;
	for (unsigned i = 0; rc == LYA_OK && more && i < TURN; i++)
		rc = drain(s, &more, err);
	return rc;
}

static int end(struct sensor *s, struct lya_error *err)
{
	int rc = drain_last(s, err);

	if (rc == LYA_OK)
		rc = capture_tick(s, err);
	lya_capture_listen_end(s->capture, live_wall_ns());
	return rc == LYA_OK ? live_engine_stop(s->engine, err) : rc;
}

static int run(struct sensor *s, struct lya_error *err)
{
	int rc = begin(s, err);

	if (rc != LYA_OK)
		return rc;
	(void)lya_post_send(s->watch->sensor_end, LIVE_READY, 0, NULL, 0, -1);
	rc = work(s, err);
	return rc == LYA_OK ? end(s, err) : rc;
}

int live_sensor(void *watch)
{
	struct sensor s = { .watch = watch, .first_ns = LYA_TIME_NONE };
	struct lya_error err;
	int rc = run(&s, &err);

	if (rc != LYA_OK && rc != LYA_ESTOP)
		live_say(s.watch, LYA_WATCH_ERROR, "%s", err.text);
	live_engine_free(s.engine);
	if (s.flows != NULL)
		live_flow_log_end(s.flows);
	live_tell_free(s.tell);
	live_flow_log_free(s.flows);
	live_show_free(s.show);
	lya_capture_close(s.capture);
	return rc == LYA_OK ? 0 : 1;
}
