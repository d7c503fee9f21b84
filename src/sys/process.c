/*
 * process.c - children and signals.
 */
#include "lyncaudit/process.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

static const int awaited[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGCHLD, SIGWINCH };

enum { AWAITED = sizeof(awaited) / sizeof(awaited[0]) };

/* Close from..to, both included. */
static void close_between(unsigned from, unsigned to)
{
	if (from > to)
		return;
	if (syscall(SYS_close_range, from, to, 0) == 0)
		return;
	for (unsigned fd = from; fd <= to && fd < 4096; fd++) /* a kernel before 5.9 */
		(void)close((int)fd);
}

static bool is_kept(unsigned fd, const int *keep, size_t n_keep)
{
	for (size_t i = 0; i < n_keep; i++) {
		if (keep[i] == (int)fd)
			return true;
	}
	return false;
}

static void close_others(const int *keep, size_t n_keep)
{
	unsigned from = STDERR_FILENO + 1, top = STDERR_FILENO;

	for (size_t i = 0; i < n_keep; i++) {
		if (keep[i] > (int)top)
			top = (unsigned)keep[i];
	}
	for (unsigned fd = from; fd <= top; fd++) {
		if (!is_kept(fd, keep, n_keep))
			(void)close((int)fd);
	}
	close_between(top + 1, ~0u);
}

/* A terminal's signals go to every process of its group: the parent answers them alone. */
static void forget_signals(void)
{
	sigset_t none;

	for (size_t i = 0; i < AWAITED; i++)
		(void)signal(awaited[i], awaited[i] == SIGCHLD ? SIG_DFL : SIG_IGN);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

int lya_child_start(pid_t *pid, int (*run)(void *ctx), void *ctx, const int *keep, size_t n_keep,
		    struct lya_error *err)
{
	*pid = fork();
	if (*pid == -1)
		return lya_error_set(err, LYA_EIO, NULL, NULL, "a process cannot be started: %s",
				     strerror(errno));
	if (*pid != 0)
		return LYA_OK;
	forget_signals();
	close_others(keep, n_keep);
	_exit(run(ctx));
}

int lya_signals_open(int *fd, struct lya_error *err)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < AWAITED; i++)
		sigaddset(&set, awaited[i]);
	(void)signal(SIGPIPE, SIG_IGN);
	*fd = -1;
	if (sigprocmask(SIG_BLOCK, &set, NULL) == 0)
		*fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (*fd == -1)
		return lya_error_set(err, LYA_EIO, NULL, NULL, "signals cannot be awaited: %s",
				     strerror(errno));
	return LYA_OK;
}

int lya_signals_next(int fd)
{
	struct signalfd_siginfo info;

	if (read(fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return 0;
	return (int)info.ssi_signo;
}
