/*
 * shelf.h - buffers that given frames still borrow, until they may be used again.
 *
 * Frames stay where they are for some calls of lya_capture_next after the one
 * that gave them.  So a reader that needs room takes another buffer, and lays
 * the one it had on the shelf, with the number of that call on it.
 */
#ifndef LYNCAUDIT_CAPTURE_SHELF_H
#define LYNCAUDIT_CAPTURE_SHELF_H

#include <stdint.h>

#include "capture/budget.h"

struct capture_shelved {
	uint8_t *buf;
	size_t size;
	uint64_t call; /* the last that may have given frames in it */
};

/* Invariant: there is room for the buffers of all readers, so that none has to be let go. */
struct capture_shelf {
	struct capture_shelved *list;
	size_t n, cap, readers;
	uint64_t call; /* the one under way, counted from 1 */
	unsigned hold; /* calls for which frames stay; 0: only until the next */
	struct capture_budget budget;
};

/* A reader more will change its buffers here.  LYA_OK or LYA_ENOMEM. */
int capture_shelf_join(struct capture_shelf *s, struct lya_error *err);
/* It is done, and gives up its last one (or NULL).  Those that nobody borrows are let go. */
void capture_shelf_leave(struct capture_shelf *s, uint8_t *buf, size_t size);
/*
 * Give *buf of *size bytes up and have another one in its place, of at least
 * `want` bytes.  On failure (LYA_ENOMEM, LYA_ELIMIT) *buf stays.
 */
int capture_shelf_change(struct capture_shelf *s, uint8_t **buf, size_t *size, size_t want,
			 struct lya_error *err);
/* Nobody borrows any more. */
void capture_shelf_fini(struct capture_shelf *s);

#endif
