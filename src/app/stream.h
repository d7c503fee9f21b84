/*
 * stream.h - TCP segments put in order, within a small window.
 */
#ifndef LYNCAUDIT_APP_STREAM_H
#define LYNCAUDIT_APP_STREAM_H

#include "app/machine.h"

/*
 * Take one segment.  Calls app_deliver with bytes in order, each once, and
 * app_lost for those that will not come.
 */
void app_stream_feed(struct lya_app_state *st, unsigned side, uint32_t seq, const uint8_t *data,
		     size_t len, size_t full_len);

/* What the stream calls; app.c. */
void app_deliver(struct lya_app_state *st, unsigned side, const uint8_t *data, size_t len);
void app_lost(struct lya_app_state *st, unsigned side, size_t n);

#endif
