/*
 * tell.h - from the sensor to the courier: what happened, as it happens.
 *
 * Any thread may call; nothing waits.  What the courier has no room for is lost and counted.
 */
#ifndef LYNCAUDIT_LIVE_TELL_H
#define LYNCAUDIT_LIVE_TELL_H

#include "live/live.h"
#include "lyncaudit/report.h"

struct live_tell;

/* fd: the end of a post, or -1: there is nobody to tell.  NULL: no memory. */
struct live_tell *live_tell_new(int fd);
void live_tell_free(struct live_tell *t);

/* A finding that began, for which nobody waits to see whether it lasts. */
void live_tell_finding(struct live_tell *t, const struct lya_policy *policy,
		       const struct lya_source *sources, size_t n_sources,
		       const struct lya_finding *f, bool update);
/* What is wrong with the sensor: one sentence. */
void live_tell_trouble(struct live_tell *t, const char *text);
/* What was lost so far. */
uint64_t live_tell_lost(const struct live_tell *t);

#endif
