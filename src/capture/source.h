/*
 * source.h - raw bytes, as a descriptor or memory holds them; for stream and
 * unpack only.
 */
#ifndef LYNCAUDIT_CAPTURE_SOURCE_H
#define LYNCAUDIT_CAPTURE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lyncaudit/status.h"

enum {
	/* As many bytes as the longest signature of a compressed file (xz). */
	CAPTURE_HEAD_LEN = 6,
	/* Read at once to look at them: that, a file header and a first packet in one go. */
	CAPTURE_HEAD_ROOM = 4096
};

struct capture_bytes {
	int fd;             /* -1: memory */
	const uint8_t *mem; /* borrowed */
	size_t mem_left;
	const uint8_t *head; /* looked at before the reading began, not read yet; borrowed */
	size_t head_left;
	uint64_t raw; /* bytes read from fd */
	bool grows;   /* at its end there is nothing just now: LYA_ESTOP */
};

/* As capture_stream_read, without unpacking. */
int capture_bytes_read(struct capture_bytes *b, uint8_t *buf, size_t size, size_t *got,
		       struct lya_error *err);

#endif
