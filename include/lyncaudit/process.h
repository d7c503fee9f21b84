/*
 * process.h - a service in several processes: children, the user that they become,
 * signals as something to wait for, and what is said to the manager of services.
 */
#ifndef LYNCAUDIT_PROCESS_H
#define LYNCAUDIT_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lyncaudit/status.h"

/* Who a process is to be. */
struct lya_user {
	bool change; /* false: the process has no right to be another one, and stays as it is */
	uid_t uid;
	gid_t gid;
	char name[64];
};

/*
 * The user of that name, or of that number.  Who is not root stays who he is: *user says
 * so, whatever the name.  LYA_EUSAGE: there is no such user, or it is root.
 */
int lya_user_find(struct lya_user *user, const char *name, struct lya_error *err);
/* Become that user for good; supplementary groups are given up. */
int lya_user_become(const struct lya_user *user, struct lya_error *err);

/*
 * Start a child that runs `run` and ends with what that answers.  Signals that the parent
 * waits for (below) are ignored in it.  keep: descriptors that stay open beside the
 * standard ones, -1 for none; all others are closed.
 */
int lya_child_start(pid_t *pid, int (*run)(void *ctx), void *ctx, const int *keep, size_t n_keep,
		    struct lya_error *err);

/*
 * SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGCHLD, SIGWINCH come by *fd from now on;
 * SIGPIPE is ignored.  Call it with one thread.
 */
int lya_signals_open(int *fd, struct lya_error *err);
/* The next signal that came; 0: none. */
int lya_signals_next(int fd);

/* The manager of services (sd_notify(3)): one that wants to be told, or none. */
struct lya_notify {
	int fd;              /* -1: nobody is told */
	int64_t watchdog_ns; /* how often it wants to hear WATCHDOG=1; 0: not */
};

/* By the environment, from which the variables are removed. */
int lya_notify_open(struct lya_notify *n, struct lya_error *err);
void lya_notify_close(struct lya_notify *n);
/* "READY=1\nSTATUS=...": at most once, and not waited for. */
void lya_notify_send(const struct lya_notify *n, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
