/*
 * parts.h - what the engine is made of, for its own files.
 */
#ifndef LYNCAUDIT_LIVE_PARTS_H
#define LYNCAUDIT_LIVE_PARTS_H

#include <pthread.h>

#include "live/alarm.h"
#include "live/engine.h"
#include "live/missing.h"
#include "lyncaudit/audit.h"
#include "lyncaudit/keeper.h"

/* What the book's thread leaves for the sensor's. */
struct live_view {
	pthread_mutex_t mutex;
	struct lya_text metrics; /* of findings and coverage of the period so far */
	struct lya_text picture; /* the same for the screen */
	struct lya_text newest;  /* findings, a line each, the newest first */
};

struct live_engine {
	const struct live_watch *watch;
	struct lya_capture *capture;
	struct lya_audit *audit;
	struct live_tell *tell;
	struct live_flow_log *flows; /* NULL: there is none */
	/* Without a state directory: */
	struct live_policy policy;
	struct live_missing *missing;
	/* With one, where policies are the keeper's: */
	struct lya_keeper *keeper;
	struct live_alarms *alarms; /* touched by the book's thread alone, as is */
	int64_t newest_ns;          /* of the packets of a ring; LYA_TIME_NONE: time is the clock's */
	int64_t period_ns;          /* the beginning of the period that it knows */
	struct live_view view;
};

struct lya_keeper_clock live_engine_clock(const struct live_engine *e);

/* What the book's thread left for the screen. */
void live_engine_add_view(struct live_engine *e, struct lya_text *t);

/* last.c: the report of an audit without a state directory, at its end. */
int live_engine_last_report(struct live_engine *e, struct lya_error *err);

/* nights.c: begin to keep; policy is taken when it goes well. */
int live_engine_keep(struct live_engine *e, struct live_policy *policy, struct lya_error *err);

/* metrics.c: what a view says, as text for Prometheus. */
void live_metrics_view(struct lya_text *t, const struct lya_report_input *in);

#endif
