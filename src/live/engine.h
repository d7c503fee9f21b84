/*
 * engine.h - the audit as the sensor runs it.
 *
 * With a state directory the keeper (keeper.h) has it: evidence is on disk every few seconds,
 * and there is a report every night.  Without one it is an audit like that of files,
 * whose report is written when it ends.
 */
#ifndef LYNCAUDIT_LIVE_ENGINE_H
#define LYNCAUDIT_LIVE_ENGINE_H

#include "live/flow_log.h"
#include "live/live.h"
#include "live/tell.h"

struct live_engine;

/* Where an engine takes packets from, and who is told; all is borrowed. */
struct live_engine_ends {
	struct lya_capture *capture;
	struct live_tell *tell;
	struct live_flow_log *flows; /* NULL: there is none */
};

/* policy is taken when it goes well; first_ns: where the audit of a ring begins, or LYA_TIME_NONE. */
int live_engine_open(struct live_engine **e, const struct live_watch *w, struct live_policy *policy,
		     const struct live_engine_ends *ends, int64_t first_ns, struct lya_error *err);
int live_engine_take(struct live_engine *e, const struct lya_frame *frames, size_t n,
		     struct lya_error *err);
/* Nobody borrows what was taken any more. */
int live_engine_settle(struct live_engine *e, struct lya_error *err);
/*
 * A slice of what is due otherwise; at the latest after *wait_ms there is something again.
 * idle: there are no packets to be had just now.
 */
int live_engine_step(struct live_engine *e, bool idle, unsigned *wait_ms, struct lya_error *err);
/* Packets are missing. */
int live_engine_missing(struct live_engine *e, const struct lya_capture_event *event,
			struct lya_error *err);
/*
 * Judge by another policy from now on, which is taken then.  LYA_EUSAGE: it cannot be, and
 * nothing has changed.
 */
int live_engine_reload(struct live_engine *e, struct live_policy *policy, struct lya_error *err);
/* A report of what there is so far. */
void live_engine_report(struct live_engine *e);
/* What is to be measured from outside, and the state in a line. */
int live_engine_measure(struct live_engine *e, struct lya_output *out, struct lya_error *err);
void live_engine_status(const struct live_engine *e, char *text, size_t size);
/* All is in: the report. */
int live_engine_stop(struct live_engine *e, struct lya_error *err);
void live_engine_free(struct live_engine *e);

/* The newest packet of which a state directory has evidence; LYA_TIME_NONE: there is none. */
int live_engine_kept_until(const char *state, int64_t *until_ns, struct lya_error *err);

#endif
