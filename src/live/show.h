/*
 * show.h - the text of the screen, composed by the sensor from copied counters.
 */
#ifndef LYNCAUDIT_LIVE_SHOW_H
#define LYNCAUDIT_LIVE_SHOW_H

#include "live/engine.h"

struct live_show;

/* NULL: out of memory. */
struct live_show *live_show_new(void);
void live_show_free(struct live_show *s);
/* What there is now, with rates since the last time. */
void live_show_compose(struct live_show *s, struct live_engine *e, struct lya_text *t);

/* What a view says, for live_show_compose: findings by severity, rows with traffic. */
void live_show_view(struct lya_text *t, const struct lya_report_input *in);

#endif
