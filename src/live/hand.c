/*
 * hand.c - what the sensor wrote goes to the warden.
 */
#include "live/hand.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lyncaudit/post.h"

int live_hand_begin(struct lya_output **out, int *fd, struct lya_error *err)
{
	int rc;

	*fd = memfd_create("lyncaudit-output", MFD_CLOEXEC);
	if (*fd == -1)
		return lya_error_set(err, LYA_EIO, NULL, NULL, "there is no memory for an output: %s",
				     strerror(errno));
	rc = lya_output_open_fd(out, *fd, "output", err);
	if (rc != LYA_OK)
		(void)close(*fd);
	return rc;
}

int live_hand_over(const struct live_watch *w, const struct live_hand *hand, struct lya_error *err)
{
	size_t len = hand->told != NULL ? strlen(hand->told) : 0;
	int rc = lya_output_commit(hand->out, err);

	if (rc == LYA_OK && lya_post_send(w->sensor_end, LIVE_OUTPUT, hand->number, hand->told, len,
					  hand->fd) != LYA_OK)
		rc = lya_error_set(err, LYA_EIO, NULL, NULL, "an output cannot be handed over");
	(void)close(hand->fd);
	return rc;
}

void live_hand_drop(const struct live_hand *hand)
{
	lya_output_abort(hand->out);
	(void)close(hand->fd);
}
