/*
 * alarm.h - which findings are told as they happen: a new one at once, and then that there
 * is more of it, at most once a minute.
 *
 * A finding counts as new when it was not known in this period or the one before, and
 * is not from before the service was started.  What may yet turn out otherwise (an attempt
 * that could still be answered, an initiator who is only assumed) waits until
 * it has stood for LIVE_ALARM_SETTLED_S.
 */
#ifndef LYNCAUDIT_LIVE_ALARM_H
#define LYNCAUDIT_LIVE_ALARM_H

#include <stdbool.h>
#include <stdint.h>

#include "lyncaudit/finding.h"

enum {
	LIVE_ALARM_EVERY_S = 60,
	/* Twice as long as the opening of a flow may take. */
	LIVE_ALARM_SETTLED_S = 120
};

struct live_alarms;

/* Findings that began at known_ns or before (LYA_TIME_NONE: none) are known.  NULL: no memory. */
struct live_alarms *live_alarms_new(int64_t known_ns);
void live_alarms_free(struct live_alarms *a);

/* What to do about a finding. */
enum live_alarm { LIVE_ALARM_NONE, LIVE_ALARM_NEW, LIVE_ALARM_UPDATE };

/*
 * The finding as it stands, at now_ns by CLOCK_MONOTONIC; what is answered has then been told.
 * final: it will not change any more.
 */
enum live_alarm live_alarms_take(struct live_alarms *a, const struct lya_finding *f, int64_t now_ns,
				 bool final);
/* All findings of a period have been seen, and another one begins. */
void live_alarms_period(struct live_alarms *a);

#endif
