/*
 * ahead.h - unpacking in a thread of its own, some buffers ahead of the reader.
 *
 *     thread: unpack ---> slot, slot, slot, slot ---> capture_ahead_read
 *
 * Two semaphores hand the slots of a ring to and fro: the one says how many
 * are full, the other how many are free.  Each slot belongs to one side at a
 * time, and nothing else is shared.
 */
#ifndef LYNCAUDIT_CAPTURE_AHEAD_H
#define LYNCAUDIT_CAPTURE_AHEAD_H

#include <stddef.h>
#include <stdint.h>

#include "capture/budget.h"
#include "capture/unpack.h"
#include "lyncaudit/status.h"

struct capture_ahead;

/*
 * Begin to unpack what u gives; it and bytes are the thread's until close.
 * What u reads must never make it wait for long: a regular file.  LYA_ENOMEM,
 * LYA_ELIMIT (buffers beyond the cap) and LYA_EIO (no thread) leave u as it was.
 */
int capture_ahead_open(struct capture_ahead **a, struct capture_unpack *u,
		       const struct capture_bytes *bytes, struct capture_cap *cap,
		       struct lya_error *err);
/* Ends the thread; what was unpacked and not read is lost. */
void capture_ahead_close(struct capture_ahead *a);

/* As capture_stream_read. */
int capture_ahead_read(struct capture_ahead *a, uint8_t *buf, size_t size, size_t *got,
		       struct lya_error *err);
/* Packed bytes behind what was read, as capture_stream_raw. */
uint64_t capture_ahead_raw(const struct capture_ahead *a);

#endif
