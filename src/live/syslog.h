/*
 * syslog.h - messages to the machine's own log, or to a server.
 *
 * Nothing here waits: what cannot be sent now is kept, up to a bound, and beyond that the
 * oldest is given up and counted.
 */
#ifndef LYNCAUDIT_LIVE_SYSLOG_H
#define LYNCAUDIT_LIVE_SYSLOG_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lyncaudit/finding.h"
#include "lyncaudit/status.h"

enum live_syslog_way {
	LIVE_SYSLOG_NONE,
	LIVE_SYSLOG_LOCAL, /* /dev/log, in its own form (RFC 3164) */
	LIVE_SYSLOG_UDP,   /* RFC 5424 in a datagram (RFC 5426) */
	LIVE_SYSLOG_TCP    /* RFC 5424, each with its length before it (RFC 6587, octet counting) */
};

struct live_syslog_to {
	enum live_syslog_way way;
	const char *path;     /* LOCAL */
	struct lya_addr addr; /* the others: no name is looked up over the network */
	uint16_t port;
};

/* "local", "udp:192.0.2.5:514", "tcp:[2001:db8::5]:601"; false: it is none of these. */
bool live_syslog_parse(struct live_syslog_to *to, const char *text);

/* The severities of RFC 5424 that are used. */
enum live_syslog_severity {
	LIVE_SYSLOG_CRITICAL = 2,
	LIVE_SYSLOG_ERROR = 3,
	LIVE_SYSLOG_WARNING = 4,
	LIVE_SYSLOG_NOTICE = 5,
	LIVE_SYSLOG_INFO = 6
};

struct live_syslog;

struct live_syslog_options {
	struct live_syslog_to to;
	const char *host; /* this machine; NULL: not known; borrowed */
	int pid;          /* the service's */
	/* It cannot be reached, or can again.  From live_syslog_work alone. */
	void (*say)(void *ctx, bool good, const char *text);
	void *ctx;
};

struct live_syslog_counts {
	uint64_t sent, lost;
	size_t waiting;
};

/* NULL: out of memory. */
struct live_syslog *live_syslog_new(const struct live_syslog_options *options);
void live_syslog_free(struct live_syslog *s);
/* kind: one word without spaces, "finding".  Control characters become '?'. */
void live_syslog_add(struct live_syslog *s, enum live_syslog_severity severity, const char *kind,
		     const char *text, int64_t wall_ns);
/* What to wait for: *fd (fd -1: nothing), and at most so many ms (-1: no matter). */
int live_syslog_wait(const struct live_syslog *s, int64_t now_ns, struct pollfd *fd);
/* Send what can be sent.  now_ns: CLOCK_MONOTONIC. */
void live_syslog_work(struct live_syslog *s, int64_t now_ns);
void live_syslog_counts(const struct live_syslog *s, struct live_syslog_counts *out);

#endif
