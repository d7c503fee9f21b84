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

/* As many bytes as the longest signature of a compressed file (xz). */
enum { CAPTURE_HEAD_LEN = 6 };

struct capture_bytes {
	int fd;             /* -1: memory */
	const uint8_t *mem; /* borrowed */
	size_t mem_left;
	uint8_t head[CAPTURE_HEAD_LEN]; /* looked at before the reading began */
	const uint8_t *head_pos;        /* of these, not read yet */
	size_t head_left;
	uint64_t raw; /* bytes read from fd */
	bool grows;   /* at its end there is nothing just now: LYA_ESTOP */
};

/* As capture_stream_read, without unpacking. */
int capture_bytes_read(struct capture_bytes *b, uint8_t *buf, size_t size, size_t *got,
		       struct lya_error *err);

#endif
