/*
 * engine.h - the audit as the sensor runs it.
 */
#ifndef LYNCAUDIT_LIVE_ENGINE_H
#define LYNCAUDIT_LIVE_ENGINE_H

#include "live/live.h"

struct live_engine;

/* policy is taken when it goes well. */
int live_engine_open(struct live_engine **e, const struct live_watch *w, struct live_policy *policy,
		     struct lya_capture *capture, struct lya_error *err);
int live_engine_take(struct live_engine *e, const struct lya_frame *frames, size_t n,
		     struct lya_error *err);
/* Packets are missing. */
int live_engine_missing(struct live_engine *e, const struct lya_capture_event *event);
/* All is in: the report goes to the warden. */
int live_engine_stop(struct live_engine *e, struct lya_error *err);
void live_engine_free(struct live_engine *e);

#endif
