/*
 * hook.c - a program of the operator's that is started for a finding.
 */
#include "live/hook.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lyncaudit/alloc.h"
#include "lyncaudit/process.h"
#include "lyncaudit/timeutil.h"

#define MINUTE_NS (60 * LYA_SECOND_NS)

struct line {
	char *text;
	size_t len;
};

struct live_hook {
	struct live_hook_options options;
	struct line ring[LIVE_HOOK_WAITING];
	size_t first, n;
	pid_t pid;        /* of the one that runs; -1: none does */
	int input;        /* to its standard input; -1: it has all */
	size_t written;   /* bytes of the first line */
	bool taken;       /* the first line is the running one's */
	int64_t until_ns; /* CLOCK_MONOTONIC: it is killed then */
	int64_t next_ns;  /* no other is started before */
	int64_t said_ns;  /* of failures at most one a minute is told */
	struct live_hook_counts counts;
};

struct live_hook *live_hook_new(const struct live_hook_options *options)
{
	struct live_hook *h = lya_calloc(1, sizeof(*h));

	if (h == NULL)
		return NULL;
	h->options = *options;
	if (h->options.a_minute == 0)
		h->options.a_minute = LIVE_HOOK_A_MINUTE;
	if (h->options.seconds == 0)
		h->options.seconds = LIVE_HOOK_SECONDS;
	h->pid = -1;
	h->input = -1;
	h->said_ns = -MINUTE_NS;
	return h;
}

static void drop_first(struct live_hook *h)
{
	lya_free(h->ring[h->first].text);
	h->first = (h->first + 1) % LIVE_HOOK_WAITING;
	h->n--;
}

static void say(struct live_hook *h, int64_t now_ns, const char *what)
{
	char text[512];

	h->counts.failed++;
	if (now_ns - h->said_ns < MINUTE_NS || h->options.say == NULL)
		return;
	h->said_ns = now_ns;
	(void)snprintf(text, sizeof(text), "hook %s: %s", h->options.path, what);
	h->options.say(h->options.ctx, text);
}

void live_hook_add(struct live_hook *h, const char *json, size_t len)
{
	struct line line = { .text = lya_malloc(len + 1), .len = len + 1 };

	if (line.text == NULL || h->n == LIVE_HOOK_WAITING) {
		h->counts.lost++; /* the newest: those before it tell how it began */
		lya_free(line.text);
		return;
	}
	memcpy(line.text, json, len);
	line.text[len] = '\n';
	h->ring[(h->first + h->n++) % LIVE_HOOK_WAITING] = line;
}

/* The program ------------------------------------------------------------- */

struct start {
	const char *path;
	int input;
	bool silent;
};

/* In the child.  It leads a group of its own, so that its children can be killed with it. */
static int become_program(void *ctx)
{
	const struct start *s = ctx;
	const char *path = getenv("PATH");
	char env_path[1024];
	char *argv[] = { (char *)(uintptr_t)s->path, NULL };
	char *envp[] = { env_path, NULL };
	int null = open("/dev/null", O_RDWR);

	(void)setpgid(0, 0);
	(void)snprintf(env_path, sizeof(env_path), "PATH=%s",
		       path != NULL ? path : "/usr/local/bin:/usr/bin:/bin");
	if (null == -1 || dup2(s->input, STDIN_FILENO) == -1 || dup2(null, STDOUT_FILENO) == -1 ||
	    (s->silent && dup2(null, STDERR_FILENO) == -1))
		return 126;
	(void)close(null);
	(void)close(s->input);
	(void)signal(SIGPIPE, SIG_DFL);
	for (int number = 1; number < NSIG; number++) { /* what is ignored stays so over exec */
		struct sigaction action;

		if (sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
			(void)signal(number, SIG_DFL);
	}
	(void)execve(s->path, argv, envp);
	return 127;
}

static void start(struct live_hook *h, int64_t now_ns)
{
	struct start s = { .path = h->options.path, .silent = h->options.silent };
	struct lya_error err;
	int ends[2];

	h->next_ns = now_ns + MINUTE_NS / h->options.a_minute;
	if (pipe2(ends, O_CLOEXEC) == -1) {
		say(h, now_ns, strerror(errno));
		return;
	}
	s.input = ends[0];
	if (lya_child_start(&h->pid, become_program, &s, &s.input, 1, &err) != LYA_OK) {
		h->pid = -1;
		(void)close(ends[1]);
		say(h, now_ns, err.text);
	} else {
		h->counts.started++;
		h->taken = true;
		h->written = 0;
		h->input = ends[1];
		h->until_ns = now_ns + h->options.seconds * LYA_SECOND_NS;
		(void)fcntl(h->input, F_SETFL, O_NONBLOCK);
	}
	(void)close(ends[0]);
}

static void close_input(struct live_hook *h)
{
	if (h->input != -1)
		(void)close(h->input);
	h->input = -1;
}

/* One that does not read is no failure: it may know enough. */
static void feed(struct live_hook *h)
{
	const struct line *line = &h->ring[h->first];

	while (h->input != -1) {
		ssize_t n = write(h->input, line->text + h->written, line->len - h->written);

		if (n == -1 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n > 0)
			h->written += (size_t)n;
		if (n == -1 || h->written == line->len)
			close_input(h);
	}
}

static void ended(struct live_hook *h, int status, int64_t now_ns)
{
	char text[128];

	h->pid = -1;
	close_input(h);
	if (h->taken)
		drop_first(h);
	h->taken = false;
	if (WIFSIGNALED(status))
		(void)snprintf(text, sizeof(text), "was ended by signal %d", WTERMSIG(status));
	else if (WEXITSTATUS(status) == 127)
		(void)snprintf(text, sizeof(text), "cannot be started");
	else
		(void)snprintf(text, sizeof(text), "ended with status %d", WEXITSTATUS(status));
	if (status != 0)
		say(h, now_ns, text);
}

static void kill_group(const struct live_hook *h)
{
	(void)kill(-h->pid, SIGKILL);
	(void)kill(h->pid, SIGKILL); /* before it leads a group */
}

static void watch_over(struct live_hook *h, int64_t now_ns)
{
	int status;

	feed(h);
	if (waitpid(h->pid, &status, WNOHANG) == h->pid) {
		ended(h, status, now_ns);
		return;
	}
	if (now_ns < h->until_ns)
		return;
	kill_group(h);
	while (waitpid(h->pid, &status, 0) == -1 && errno == EINTR)
		;
	ended(h, 0, now_ns);
	say(h, now_ns, "did not end in time, and was killed");
}

void live_hook_work(struct live_hook *h, int64_t now_ns)
{
	if (h->pid != -1)
		watch_over(h, now_ns);
	if (h->pid == -1 && h->n > 0 && now_ns >= h->next_ns) {
		start(h, now_ns);
		if (h->pid != -1)
			feed(h);
	}
}

int live_hook_wait(const struct live_hook *h, int64_t now_ns, struct pollfd *fd)
{
	int64_t at_ns = h->pid != -1 ? h->until_ns : h->next_ns;

	*fd = (struct pollfd){ .fd = h->input, .events = POLLOUT };
	if (h->pid == -1 && h->n == 0)
		return -1;
	return at_ns <= now_ns ? 0 : (int)((at_ns - now_ns) / 1000000 + 1);
}

void live_hook_free(struct live_hook *h)
{
	if (h == NULL)
		return;
	if (h->pid != -1) {
		kill_group(h);
		(void)waitpid(h->pid, NULL, 0);
	}
	close_input(h);
	while (h->n > 0)
		drop_first(h);
	lya_free(h);
}

void live_hook_counts(const struct live_hook *h, struct live_hook_counts *out)
{
	*out = h->counts;
	out->waiting = h->n;
}
