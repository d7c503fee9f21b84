/*
 * courier.c - the process that tells others: files of findings and of flows, syslog, the hook.
 *
 * It never sees a packet, and has no right but that of an ordinary user to talk to whom the
 * operator named and to start what he named.  It may wait for its file; nobody waits for it.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "live/hook.h"
#include "live/live.h"
#include "live/messages.h"
#include "live/syslog.h"
#include "lyncaudit/confine.h"
#include "lyncaudit/post.h"
#include "lyncaudit/timeutil.h"

/* How long what is still waiting may take when the sensor has ended. */
#define LAST_NS (3 * LYA_SECOND_NS / 2)
#define MINUTE_NS (60 * LYA_SECOND_NS)

enum { FD_TALES, FD_FLOWS, FD_ERRANDS, FD_SIGNALS, FD_SYSLOG, FD_HOOK, FDS };

enum {
	FLOWS_TURN = 8,     /* pieces of the flow log, before findings have their turn */
	FULL_WAIT_MS = 200, /* for who reads a pipe */
};

/* A file of lines that are appended. */
struct lines {
	int fd;          /* -1: none */
	uint64_t lost, said;
	int64_t said_ns; /* when it was said last that it cannot be written; 0: never */
	int why;         /* errno */
	bool stuck;      /* it was waited for in vain: not again, until it takes something */
};

struct courier {
	struct live_watch *watch;
	struct lines findings, flows;
	bool flows_over;           /* of them no more will come */
	struct live_syslog *syslog; /* NULL: none */
	struct live_hook *hook;     /* NULL: none */
	int signals;
	int64_t until_ns;          /* CLOCK_MONOTONIC; 0: the sensor is there */
	struct lya_post post;
};

bool lya_watch_syslog_known(const char *text)
{
	struct live_syslog_to to;

	return live_syslog_parse(&to, text);
}

bool live_courier_wanted(const struct live_watch *w)
{
	const struct lya_watch_options *o = w->options;

	return o->findings != NULL || o->flows != NULL || o->syslog != NULL || o->hook != NULL;
}

/* Beginning ---------------------------------------------------------------- */

static void say_syslog(void *ctx, bool good, const char *text)
{
	const struct courier *c = ctx;

	live_say(c->watch, good ? LYA_WATCH_NOTE : LYA_WATCH_WARNING, "%s", text);
}

static void say_hook(void *ctx, const char *text)
{
	const struct courier *c = ctx;

	live_say(c->watch, LYA_WATCH_WARNING, "%s", text);
}

static int open_outlets(struct courier *c, struct lya_error *err)
{
	const struct lya_watch_options *o = c->watch->options;
	struct live_syslog_options syslog = { .host = o->host, .pid = (int)getppid(),
					      .say = say_syslog, .ctx = c };
	struct live_hook_options hook = { .path = o->hook, .say = say_hook, .ctx = c };

	if (o->syslog != NULL) {
		(void)live_syslog_parse(&syslog.to, o->syslog);
		c->syslog = live_syslog_new(&syslog);
	}
	if (o->hook != NULL)
		c->hook = live_hook_new(&hook);
	if ((o->syslog != NULL && c->syslog == NULL) || (o->hook != NULL && c->hook == NULL))
		return lya_error_nomem(err);
	return LYA_OK;
}

static int begin(struct courier *c, struct lya_error *err)
{
	int rc = lya_user_become(&c->watch->user, err);

	if (rc == LYA_OK)
		rc = lya_confine_powers(err);
	if (rc == LYA_OK)
		rc = lya_signals_open(&c->signals, err); /* only to hear of the hook's end */
	return rc == LYA_OK ? open_outlets(c, err) : rc;
}

/* Telling ------------------------------------------------------------------ */

static int write_all(struct lines *l, const char *data, size_t len)
{
	struct pollfd room = { .fd = l->fd, .events = POLLOUT };

	while (len > 0) {
		ssize_t n = write(l->fd, data, len);

		if (n == -1 && (errno == EINTR || (errno == EAGAIN && !l->stuck &&
						   poll(&room, 1, FULL_WAIT_MS) == 1)))
			continue;
		l->stuck = n == -1;
		if (n == -1)
			return -1;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Of what cannot be written whole nothing stays, where that can be had: no line is cut. */
static void append(struct lines *l, const char *data, size_t len, uint64_t n)
{
	struct stat st;
	bool regular = fstat(l->fd, &st) == 0 && S_ISREG(st.st_mode);

	if (write_all(l, data, len) == 0)
		return;
	l->why = errno;
	l->lost += n;
	if (regular && ftruncate(l->fd, st.st_size) == -1)
		l->why = errno;
}

/* What was lost since it was said last, once a minute, and at the end. */
static void say_lost(const struct courier *c, struct lines *l, const char *path, const char *what,
		     bool end)
{
	int64_t now_ns = live_steady_ns();

	if (l->lost == l->said || (!end && l->said_ns != 0 && now_ns - l->said_ns <= MINUTE_NS))
		return;
	if (l->lost - l->said == 1)
		live_say(c->watch, LYA_WATCH_ERROR, "%s: a %s is lost: %s", path, what,
			 strerror(l->why));
	else
		live_say(c->watch, LYA_WATCH_ERROR, "%s: %zu %ss are lost: %s", path,
			 (size_t)(l->lost - l->said), what, strerror(l->why));
	l->said = l->lost;
	l->said_ns = now_ns;
}

static void write_finding(struct courier *c, char *json, size_t len)
{
	if (c->findings.fd == -1)
		return;
	json[len] = '\n'; /* over the NUL behind it */
	append(&c->findings, json, len + 1, 1);
	json[len] = '\0';
	say_lost(c, &c->findings, c->watch->options->findings, "finding", false);
}

static uint64_t count_lines(const struct lya_post *p)
{
	uint64_t n = 0;

	for (size_t i = 0; i < p->len; i++)
		n += p->data[i] == '\n';
	return n;
}

static void write_flows(struct courier *c)
{
	append(&c->flows, c->post.data, c->post.len, count_lines(&c->post));
	say_lost(c, &c->flows, c->watch->options->flows, "flow", false);
}

static enum live_syslog_severity severity_of(enum lya_severity s)
{
	static const enum live_syslog_severity list[LYA_SEVERITIES] = {
		[LYA_SEVERITY_CRITICAL] = LIVE_SYSLOG_CRITICAL,
		[LYA_SEVERITY_HIGH] = LIVE_SYSLOG_ERROR,
		[LYA_SEVERITY_MEDIUM] = LIVE_SYSLOG_WARNING,
		[LYA_SEVERITY_LOW] = LIVE_SYSLOG_NOTICE,
		[LYA_SEVERITY_INFO] = LIVE_SYSLOG_INFO,
	};

	return list[s];
}

static void take_finding(struct courier *c)
{
	struct lya_post *p = &c->post;
	char *json = memchr(p->data, '\0', p->len);
	unsigned severity = p->number & (LIVE_TALE_UPDATE - 1);
	bool update = (p->number & LIVE_TALE_UPDATE) != 0;
	size_t len;

	if (json == NULL || severity >= LYA_SEVERITIES)
		return;
	json++;
	len = p->len - (size_t)(json - p->data);
	write_finding(c, json, len);
	if (c->syslog != NULL)
		live_syslog_add(c->syslog, severity_of((enum lya_severity)severity), "finding", p->data,
				live_wall_ns());
	if (c->hook != NULL && !update && severity <= (unsigned)c->watch->options->hook_severity)
		live_hook_add(c->hook, json, len);
}

static void take_tale(struct courier *c)
{
	switch (c->post.kind) {
	case LIVE_TALE_FINDING:
		take_finding(c);
		break;
	case LIVE_TALE_TROUBLE:
		if (c->syslog != NULL)
			live_syslog_add(c->syslog, LIVE_SYSLOG_WARNING, "sensor", c->post.data,
					live_wall_ns());
		break;
	default:
		break;
	}
	if (c->post.fd != -1)
		(void)close(c->post.fd);
}

static void read_tales(struct courier *c)
{
	int rc;

	while ((rc = lya_post_receive(c->watch->tale_end, &c->post)) == 1)
		take_tale(c);
	if (rc < 0 && c->until_ns == 0)
		c->until_ns = live_steady_ns() + LAST_NS;
}

/* Lines of flows, a few pieces; they may go on when the sensor has ended. */
static void read_flows(struct courier *c)
{
	int rc = 1;

	for (unsigned i = 0; i < FLOWS_TURN && !c->flows_over && rc == 1; i++) {
		rc = lya_post_receive(c->watch->flows_in, &c->post);
		if (rc == 1 && c->post.fd != -1)
			(void)close(c->post.fd);
		if (rc == 1 && c->post.kind == LIVE_FLOWS_LINES)
			write_flows(c);
		c->flows_over = rc < 0;
	}
}

/* The file is another one from now on. */
static void put_lines(struct courier *c, struct lines *l, const char *path, const char *what)
{
	say_lost(c, l, path, what, true);
	if (l->fd != -1)
		(void)close(l->fd);
	*l = (struct lines){ .fd = c->post.fd };
}

static void take_errand(struct courier *c)
{
	const struct lya_watch_options *o = c->watch->options;

	if (c->post.fd == -1)
		return;
	if (c->post.kind == LIVE_ERRAND_FINDINGS)
		put_lines(c, &c->findings, o->findings, "finding");
	else if (c->post.kind == LIVE_ERRAND_FLOWS)
		put_lines(c, &c->flows, o->flows, "flow");
	else
		(void)close(c->post.fd);
}

static void read_errands(struct courier *c)
{
	int rc;

	while ((rc = lya_post_receive(c->watch->errand_in, &c->post)) == 1)
		take_errand(c);
	if (rc < 0 && c->until_ns == 0)
		c->until_ns = live_steady_ns() + LAST_NS;
}

/* The loop ----------------------------------------------------------------- */

static int sooner(int a_ms, int b_ms)
{
	return a_ms == -1 || (b_ms != -1 && b_ms < a_ms) ? b_ms : a_ms;
}

/* Once there is a file for them. */
static bool wants_flows(const struct courier *c)
{
	return !c->flows_over && c->flows.fd != -1;
}

static int prepare(struct courier *c, struct pollfd fds[static FDS], int64_t now_ns)
{
	int ms = -1;

	fds[FD_TALES] = (struct pollfd){ .fd = c->until_ns == 0 ? c->watch->tale_end : -1,
					 .events = POLLIN };
	fds[FD_FLOWS] = (struct pollfd){ .fd = wants_flows(c) ? c->watch->flows_in : -1,
					 .events = POLLIN };
	fds[FD_ERRANDS] = (struct pollfd){ .fd = c->until_ns == 0 ? c->watch->errand_in : -1,
					   .events = POLLIN };
	fds[FD_SIGNALS] = (struct pollfd){ .fd = c->signals, .events = POLLIN };
	fds[FD_SYSLOG].fd = fds[FD_HOOK].fd = -1;
	if (c->syslog != NULL)
		ms = sooner(ms, live_syslog_wait(c->syslog, now_ns, &fds[FD_SYSLOG]));
	if (c->hook != NULL)
		ms = sooner(ms, live_hook_wait(c->hook, now_ns, &fds[FD_HOOK]));
	if (c->until_ns != 0)
		ms = sooner(ms, c->until_ns <= now_ns ? 0 : (int)((c->until_ns - now_ns) / 1000000 + 1));
	return ms;
}

/* After the end of the others: until nothing waits any more, or it takes too long. */
static bool is_over(const struct courier *c, int64_t now_ns)
{
	struct live_syslog_counts syslog = { 0 };
	struct live_hook_counts hook = { 0 };

	if (c->until_ns == 0)
		return false;
	if (c->syslog != NULL)
		live_syslog_counts(c->syslog, &syslog);
	if (c->hook != NULL)
		live_hook_counts(c->hook, &hook);
	return now_ns >= c->until_ns || (syslog.waiting + hook.waiting == 0 && !wants_flows(c));
}

static void say_untold(struct courier *c)
{
	struct live_syslog_counts syslog = { 0 };
	struct live_hook_counts hook = { 0 };

	say_lost(c, &c->findings, c->watch->options->findings, "finding", true);
	while (wants_flows(c) && lya_post_receive(c->watch->flows_in, &c->post) == 1) {
		c->flows.lost += count_lines(&c->post);
		c->flows.why = ETIMEDOUT;
	}
	say_lost(c, &c->flows, c->watch->options->flows, "flow", true);
	if (c->syslog != NULL)
		live_syslog_counts(c->syslog, &syslog);
	if (c->hook != NULL)
		live_hook_counts(c->hook, &hook);
	if (syslog.lost + syslog.waiting > 0)
		live_say(c->watch, LYA_WATCH_WARNING, "syslog: %zu messages were not sent",
			 (size_t)syslog.lost + syslog.waiting);
	if (hook.lost + hook.waiting > 0)
		live_say(c->watch, LYA_WATCH_WARNING, "hook: it was not started for %zu findings",
			 (size_t)hook.lost + hook.waiting);
}

static void work(struct courier *c)
{
	struct pollfd fds[FDS];
	int64_t now_ns = live_steady_ns();

	while (!is_over(c, now_ns)) {
		if (poll(fds, FDS, prepare(c, fds, now_ns)) == -1 && errno != EINTR)
			break;
		while (lya_signals_next(c->signals) != 0)
			;
		if (c->until_ns == 0) {
			read_errands(c);
			read_tales(c);
		}
		if (wants_flows(c))
			read_flows(c);
		now_ns = live_steady_ns();
		if (c->syslog != NULL)
			live_syslog_work(c->syslog, now_ns);
		if (c->hook != NULL)
			live_hook_work(c->hook, now_ns);
	}
	say_untold(c);
}

int live_courier(void *watch)
{
	struct courier c = { .watch = watch, .findings = { .fd = -1 }, .flows = { .fd = -1 },
			     .signals = -1 };
	struct lya_error err;
	int rc = begin(&c, &err);

	if (rc == LYA_OK)
		work(&c);
	else
		live_say(c.watch, LYA_WATCH_ERROR, "%s", err.text);
	live_syslog_free(c.syslog);
	live_hook_free(c.hook);
	return rc == LYA_OK ? 0 : 1;
}
