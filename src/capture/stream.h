/*
 * stream.h - the bytes of an input, unpacked when they are compressed.
 *
 * Compression is recognised by the first bytes, never by a name.
 */
#ifndef LYNCAUDIT_CAPTURE_STREAM_H
#define LYNCAUDIT_CAPTURE_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include "capture/budget.h"
#include "lyncaudit/status.h"

struct capture_stream;

/*
 * Begin to read from fd, which is taken (closed with the stream, and on
 * failure too).  Looks at the first bytes, so it waits when fd is a pipe that
 * has none yet.  LYA_EIO, LYA_ENOMEM, LYA_ELIMIT, or LYA_ESTOP when a signal
 * came first.
 */
int capture_stream_open(struct capture_stream **s, int fd, struct capture_cap *cap,
			struct lya_error *err);
/* The same over a file that grows: at its end reading answers LYA_ESTOP, until follow_end. */
int capture_stream_follow(struct capture_stream **s, int fd, struct capture_cap *cap,
			  struct lya_error *err);
void capture_stream_follow_end(struct capture_stream *s);
/* The same over bytes that the caller keeps for as long as the stream lives. */
int capture_stream_open_memory(struct capture_stream **s, const uint8_t *data, size_t len,
			       struct capture_cap *cap, struct lya_error *err);
void capture_stream_close(struct capture_stream *s);
/*
 * Unpack ahead of the reading, in a thread, if there is something to unpack, a
 * thread for it, and room for it under the cap; else nothing changes.  LYA_ENOMEM.
 */
int capture_stream_ahead(struct capture_stream *s, struct lya_error *err);

/*
 * Read up to `size` (> 0) bytes; what a pipe has is given without waiting for
 * more.  *got is 0 only at the end.  LYA_EIO: reading failed; LYA_EINPUT:
 * compressed data is broken or ends too soon; LYA_ELIMIT: it wants more
 * memory than there is for it; LYA_ESTOP: a signal came while waiting, and
 * the call may be repeated.
 */
int capture_stream_read(struct capture_stream *s, uint8_t *buf, size_t size, size_t *got,
			struct lya_error *err);

/* Bytes read from the descriptor so far. */
uint64_t capture_stream_raw(const struct capture_stream *s);
/* "gzip", "zstd", "lz4", "xz"; NULL when the bytes are as they stand. */
const char *capture_stream_packing(const struct capture_stream *s);

#endif
