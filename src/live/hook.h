/*
 * hook.h - a program of the operator's that is started for a finding.
 *
 * It is started without a shell and without arguments, with the finding as one line of JSON
 * on its standard input; one at a time, and no more than so many a minute.  One that does
 * not end is killed.  Findings wait in a queue; what does not fit is lost and counted.
 */
#ifndef LYNCAUDIT_LIVE_HOOK_H
#define LYNCAUDIT_LIVE_HOOK_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct live_hook_options {
	const char *path; /* of the program; borrowed */
	unsigned a_minute;  /* starts; 0: LIVE_HOOK_A_MINUTE */
	unsigned seconds;   /* that it may take; 0: LIVE_HOOK_SECONDS */
	bool silent;        /* what it says on standard error is not let through */
	void (*say)(void *ctx, const char *text); /* what went wrong */
	void *ctx;
};

enum { LIVE_HOOK_A_MINUTE = 30, LIVE_HOOK_SECONDS = 30, LIVE_HOOK_WAITING = 200 };

struct live_hook;

struct live_hook_counts {
	uint64_t started, failed, lost;
	size_t waiting;
};

/* NULL: out of memory. */
struct live_hook *live_hook_new(const struct live_hook_options *options);
/* A program that runs is killed. */
void live_hook_free(struct live_hook *h);
/* len bytes; the line's end is added. */
void live_hook_add(struct live_hook *h, const char *json, size_t len);
int live_hook_wait(const struct live_hook *h, int64_t now_ns, struct pollfd *fd);
/* Also to be called after SIGCHLD. */
void live_hook_work(struct live_hook *h, int64_t now_ns);
void live_hook_counts(const struct live_hook *h, struct live_hook_counts *out);

#endif
