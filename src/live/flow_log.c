/*
 * flow_log.c - lines of flows that ended, on their way to who writes them.
 *
 *     lines | sent | waiting ....... newest |      at most LIVE_FLOW_LOG_WAITING bytes
 */
#include "live/flow_log.h"

#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>

#include "live/messages.h"
#include "lyncaudit/alloc.h"
#include "lyncaudit/post.h"
#include "lyncaudit/report.h"
#include "lyncaudit/timeutil.h"

#define SAY_NS (60 * LYA_SECOND_NS)
/* Files can wait, but who writes the ring does not: one that stands still is waited for once. */
#define RING_WAIT_NS LYA_SECOND_NS

struct live_flow_log {
	const struct live_watch *watch;
	int fd;
	pthread_mutex_t mutex; /* of all that follows */
	struct lya_text lines; /* whole ones */
	struct lya_output *out; /* into them; NULL: there was no memory */
	size_t try_at;          /* so long they are to be before it is tried to send some */
	int64_t patience_ns;   /* how long lines may yet be waited for */
	bool ring;             /* packets come from files: patience comes back with room */
	uint64_t lost, said;
	int64_t said_ns;       /* CLOCK_MONOTONIC; 0: never */
};

struct live_flow_log *live_flow_log_new(const struct live_watch *w, int fd)
{
	struct live_flow_log *l = lya_calloc(1, sizeof(*l));
	struct lya_error err;

	if (l == NULL)
		return NULL;
	l->watch = w;
	l->fd = fd;
	l->ring = w->options->follow != NULL;
	l->try_at = LIVE_FLOW_LOG_PIECE;
	l->patience_ns = l->ring ? RING_WAIT_NS : 0;
	(void)pthread_mutex_init(&l->mutex, NULL); /* a plain one cannot fail */
	if (lya_output_open_text(&l->out, &l->lines, &err) == LYA_OK)
		return l;
	live_flow_log_free(l);
	return NULL;
}

void live_flow_log_free(struct live_flow_log *l)
{
	if (l == NULL)
		return;
	lya_output_abort(l->out);
	lya_text_fini(&l->lines);
	(void)pthread_mutex_destroy(&l->mutex);
	lya_free(l);
}

static uint64_t count_lines(const char *data, size_t len)
{
	uint64_t n = 0;

	for (const char *c = data; (c = memchr(c, '\n', len - (size_t)(c - data))) != NULL; c++)
		n++;
	return n;
}

/* Bytes of whole lines that go together; one line that is longer goes alone. */
static size_t piece_of(const char *data, size_t len)
{
	const char *end;

	if (len <= LIVE_FLOW_LOG_PIECE)
		return len;
	end = memrchr(data, '\n', LIVE_FLOW_LOG_PIECE);
	if (end == NULL)
		end = memchr(data, '\n', len);
	return (size_t)(end - data) + 1;
}

static bool wait_for_room(struct live_flow_log *l)
{
	struct pollfd fd = { .fd = l->fd, .events = POLLOUT };
	int64_t since_ns = live_steady_ns();

	if (l->patience_ns <= 0)
		return false;
	(void)poll(&fd, 1, (int)(l->patience_ns / 1000000) + 1);
	l->patience_ns -= live_steady_ns() - since_ns;
	return (fd.revents & POLLOUT) != 0;
}

/* Send what there is room for; what nobody takes any more is lost. */
static void send(struct live_flow_log *l, bool wait)
{
	size_t done = 0;

	while (done < l->lines.len) {
		const char *at = l->lines.data + done;
		size_t len = piece_of(at, l->lines.len - done);
		int rc = lya_post_send(l->fd, LIVE_FLOWS_LINES, 0, at, len, -1);

		if (rc == LYA_ELIMIT && len <= LYA_POST_MAX) {
			if (wait && wait_for_room(l))
				continue;
			break;
		}
		if (rc != LYA_OK)
			l->lost += count_lines(at, len);
		else if (l->ring)
			l->patience_ns = RING_WAIT_NS;
		done += len;
	}
	l->try_at = l->lines.len - done + LIVE_FLOW_LOG_PIECE;
	if (done == 0)
		return;
	memmove(l->lines.data, l->lines.data + done, l->lines.len - done);
	l->lines.len -= done;
	l->lines.data[l->lines.len] = '\0';
}

/* Memory ran out in the middle of a line: that one is lost, and a new beginning is made. */
static void begin_anew(struct live_flow_log *l, size_t whole)
{
	struct lya_error err;

	l->lost++;
	lya_output_abort(l->out);
	l->out = NULL;
	l->lines.failed = false;
	l->lines.len = whole;
	if (lya_output_open_text(&l->out, &l->lines, &err) != LYA_OK)
		l->out = NULL;
}

static void add(struct live_flow_log *l, const struct lya_audit_flow *f)
{
	size_t whole = l->lines.len;

	if (l->out != NULL)
		lya_report_flow_line(l->out, f->policy, f->flow, f->ends, f->verdict, f->findings);
	if (l->out == NULL || lya_output_flush(l->out) != LYA_OK)
		begin_anew(l, whole);
}

int live_flow_log_take(void *log, const struct lya_audit_flow *f)
{
	struct live_flow_log *l = log;

	(void)pthread_mutex_lock(&l->mutex);
	if (l->lines.len >= LIVE_FLOW_LOG_WAITING)
		send(l, true);
	if (l->lines.len < LIVE_FLOW_LOG_WAITING) {
		add(l, f);
		if (l->lines.len >= l->try_at)
			send(l, false);
	} else {
		l->lost++;
	}
	(void)pthread_mutex_unlock(&l->mutex);
	return 0;
}

/* Under the mutex. */
static void say_lost(struct live_flow_log *l, int64_t now_ns)
{
	if (l->lost == l->said)
		return;
	live_say(l->watch, LYA_WATCH_WARNING,
		 "%s: %" PRIu64 " flow%s not in it, for it is not written fast enough",
		 l->watch->options->flows, l->lost - l->said, l->lost - l->said == 1 ? " is" : "s are");
	l->said = l->lost;
	l->said_ns = now_ns;
}

void live_flow_log_tick(struct live_flow_log *l, int64_t now_ns)
{
	(void)pthread_mutex_lock(&l->mutex);
	send(l, false);
	if (l->said_ns == 0 || now_ns - l->said_ns >= SAY_NS)
		say_lost(l, now_ns);
	(void)pthread_mutex_unlock(&l->mutex);
}

void live_flow_log_wait(struct live_flow_log *l, int64_t for_ns)
{
	(void)pthread_mutex_lock(&l->mutex);
	l->ring = false;
	l->patience_ns = for_ns;
	(void)pthread_mutex_unlock(&l->mutex);
}

void live_flow_log_end(struct live_flow_log *l)
{
	(void)pthread_mutex_lock(&l->mutex);
	send(l, true);
	l->lost += count_lines(lya_text_str(&l->lines), l->lines.len);
	lya_text_clear(&l->lines);
	say_lost(l, live_steady_ns());
	(void)pthread_mutex_unlock(&l->mutex);
}

uint64_t live_flow_log_lost(struct live_flow_log *l)
{
	uint64_t lost;

	(void)pthread_mutex_lock(&l->mutex);
	lost = l->lost;
	(void)pthread_mutex_unlock(&l->mutex);
	return lost;
}
