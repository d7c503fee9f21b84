/*
 * hand.h - what the sensor wrote goes to the warden, who gives it its name.
 */
#ifndef LYNCAUDIT_LIVE_HAND_H
#define LYNCAUDIT_LIVE_HAND_H

#include "live/live.h"
#include "live/messages.h"
#include "lyncaudit/output.h"

/* Begin to write into memory. */
int live_hand_begin(struct lya_output **out, int *fd, struct lya_error *err);
/* What is to be handed over. */
struct live_hand {
	enum live_output number;
	const char *told; /* of it (messages.h); NULL: nothing */
	struct lya_output *out;
	int fd;
};

/* It is whole: hand it over.  out and fd are gone in any case. */
int live_hand_over(const struct live_watch *w, const struct live_hand *hand, struct lya_error *err);
/* It is not to be. */
void live_hand_drop(const struct live_hand *hand);

#endif
