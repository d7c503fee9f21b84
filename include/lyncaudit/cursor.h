/*
 * cursor.h - read packet bytes without ever passing their end.
 *
 * A cursor is a small value: copy it to look ahead, pass its address to
 * consume.  Invariant: pos <= end, both inside one buffer the caller owns.
 * A read that wants more than is left fails the cursor for good; it and
 * every later read yield zero, so a decoder reads a whole header and asks
 * once whether all of it was there.
 */
#ifndef LYNCAUDIT_CURSOR_H
#define LYNCAUDIT_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lya_cursor {
	const uint8_t *pos; /* next byte to read; borrowed */
	const uint8_t *end; /* one past the last readable byte */
	bool failed;        /* sticky */
};

/* len bytes at data, which may be NULL when there are none. */
static inline struct lya_cursor lya_cursor_of(const uint8_t *data, size_t len)
{
	/* an offset to NULL, be it 0, is undefined */
	return (struct lya_cursor){ .pos = data, .end = len != 0 ? data + len : data };
}

static inline size_t lya_cursor_left(const struct lya_cursor *c)
{
	return (size_t)(c->end - c->pos);
}

/* Consume n bytes and return them, or NULL with the cursor failed. */
static inline const uint8_t *lya_cursor_take(struct lya_cursor *c, size_t n)
{
	const uint8_t *p = c->pos;

	if (c->failed || n > lya_cursor_left(c)) { /* sizes: p + n may wrap */
		c->failed = true;
		return NULL;
	}
	c->pos += n;
	return p;
}

/* Pass over n bytes. */
static inline void lya_cursor_skip(struct lya_cursor *c, size_t n)
{
	(void)lya_cursor_take(c, n);
}

/* Next byte, two or four bytes, network order, as a host value; 0 once failed. */
static inline uint8_t lya_cursor_u8(struct lya_cursor *c)
{
	const uint8_t *p = lya_cursor_take(c, 1);

	if (p == NULL)
		return 0;
	return p[0];
}

static inline uint16_t lya_cursor_u16(struct lya_cursor *c)
{
	const uint8_t *p = lya_cursor_take(c, 2);

	if (p == NULL) /* not ?: - gcc's -Wconversion with UBSan misreads that */
		return 0;
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t lya_cursor_u32(struct lya_cursor *c)
{
	const uint8_t *p = lya_cursor_take(c, 4);

	if (p == NULL)
		return 0;
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Forget all past the next n bytes; fewer bytes left stay as they are. */
static inline void lya_cursor_limit(struct lya_cursor *c, size_t n)
{
	if (n < lya_cursor_left(c))
		c->end = c->pos + n;
}

#endif
