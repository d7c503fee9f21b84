/*
 * courier.c - the process that tells others: a file of findings, syslog, the hook.
 *
 * It never sees a packet, and has no right but that of an ordinary user to talk to whom the
 * operator named and to start what he named.  It may wait for its file; nobody waits for it.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
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

enum { FD_TALES, FD_ERRANDS, FD_SIGNALS, FD_SYSLOG, FD_HOOK, FDS };

struct courier {
	struct live_watch *watch;
	int findings;              /* -1: none */
	int64_t said_ns;           /* when it was said last that it cannot be written */
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

	return o->findings != NULL || o->syslog != NULL || o->hook != NULL;
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

static int write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -1;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

static void write_finding(struct courier *c, char *json, size_t len)
{
	int64_t now_ns = live_steady_ns();

	if (c->findings == -1)
		return;
	json[len] = '\n'; /* over the NUL behind it */
	if (write_all(c->findings, json, len + 1) == -1 &&
	    (c->said_ns == 0 || now_ns - c->said_ns > MINUTE_NS)) {
		c->said_ns = now_ns;
		live_say(c->watch, LYA_WATCH_ERROR, "%s: a finding is lost: %s",
			 c->watch->options->findings, strerror(errno));
	}
	json[len] = '\0';
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

static void read_errands(struct courier *c)
{
	int rc;

	while ((rc = lya_post_receive(c->watch->errand_in, &c->post)) == 1) {
		if (c->post.kind != LIVE_ERRAND_FINDINGS || c->post.fd == -1)
			continue;
		if (c->findings != -1)
			(void)close(c->findings);
		c->findings = c->post.fd;
		c->said_ns = 0;
	}
	if (rc < 0 && c->until_ns == 0)
		c->until_ns = live_steady_ns() + LAST_NS;
}

/* The loop ----------------------------------------------------------------- */

static int sooner(int a_ms, int b_ms)
{
	return a_ms == -1 || (b_ms != -1 && b_ms < a_ms) ? b_ms : a_ms;
}

static int prepare(struct courier *c, struct pollfd fds[static FDS], int64_t now_ns)
{
	int ms = -1;

	fds[FD_TALES] = (struct pollfd){ .fd = c->until_ns == 0 ? c->watch->tale_end : -1,
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
	return now_ns >= c->until_ns || syslog.waiting + hook.waiting == 0;
}

static void say_untold(const struct courier *c)
{
	struct live_syslog_counts syslog = { 0 };
	struct live_hook_counts hook = { 0 };

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
	struct courier c = { .watch = watch, .findings = -1, .signals = -1 };
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
