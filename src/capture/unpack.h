/*
 * unpack.h - compressed bytes to plain ones, in bounded memory.
 */
#ifndef LYNCAUDIT_CAPTURE_UNPACK_H
#define LYNCAUDIT_CAPTURE_UNPACK_H

#include <stddef.h>
#include <stdint.h>

#include "capture/budget.h"
#include "capture/source.h"
#include "lyncaudit/status.h"

struct capture_packing; /* one kind of compression */
struct capture_unpack;

/* The kind whose signature stands at head, or NULL. */
const struct capture_packing *capture_packing_find(const uint8_t *head, size_t len);

/* Unpack what `bytes` gives; it is borrowed until close. */
int capture_unpack_open(struct capture_unpack **u, const struct capture_packing *packing,
			struct capture_bytes *bytes, struct capture_budget *budget,
			struct lya_error *err);
void capture_unpack_close(struct capture_unpack *u);
/* As capture_stream_read. */
int capture_unpack_read(struct capture_unpack *u, uint8_t *buf, size_t size, size_t *got,
			struct lya_error *err);
const char *capture_unpack_name(const struct capture_unpack *u);

#endif
