/*
 * flow_log.h - from the sensor to the courier: a line for every flow that ended.
 *
 * Lines are gathered, and go by the piece.  Nobody waits for who writes them, but a ring of
 * files that is read, for a little, and the end of all: what there is no room for is lost,
 * counted and said.
 */
#ifndef LYNCAUDIT_LIVE_FLOW_LOG_H
#define LYNCAUDIT_LIVE_FLOW_LOG_H

#include "live/live.h"
#include "lyncaudit/audit.h"

enum {
	LIVE_FLOW_LOG_PIECE = 48 * 1024,       /* bytes of lines that go together */
	LIVE_FLOW_LOG_WAITING = 4 * 1024 * 1024 /* that may wait */
};

struct live_flow_log;

/* fd: the end of a post, which stays the caller's.  NULL: no memory. */
struct live_flow_log *live_flow_log_new(const struct live_watch *w, int fd);
void live_flow_log_free(struct live_flow_log *l);

/* A flow that ended: ctx is the log.  From one thread at a time; always 0. */
int live_flow_log_take(void *log, const struct lya_audit_flow *f);
/* Once a second, from the sensor's thread: what waits goes, and losses are said. */
void live_flow_log_tick(struct live_flow_log *l, int64_t now_ns);
/* From now on lines may wait for room, for so long in all. */
void live_flow_log_wait(struct live_flow_log *l, int64_t for_ns);
/* The end: what waits goes, within that time; what is lost is said. */
void live_flow_log_end(struct live_flow_log *l);
uint64_t live_flow_log_lost(struct live_flow_log *l);

#endif
