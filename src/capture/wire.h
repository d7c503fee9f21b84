/*
 * wire.h - numbers as capture files hold them, and times made of them.
 */
#ifndef LYNCAUDIT_CAPTURE_WIRE_H
#define LYNCAUDIT_CAPTURE_WIRE_H

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "lyncaudit/timeutil.h"

/*
 * The byte order is a constant where these are used in a loop: the loops are
 * written once and compiled twice.
 */
#define CAPTURE_INLINE static inline __attribute__((always_inline))

/* Packet times are held within these (years 1823 to 2116), so that sums of them cannot wrap. */
#define CAPTURE_TIME_MAX (INT64_MAX / 2)
#define CAPTURE_TIME_MIN (-CAPTURE_TIME_MAX)

CAPTURE_INLINE uint16_t capture_u16(const uint8_t *p, bool big)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return big ? be16toh(v) : le16toh(v);
}

CAPTURE_INLINE uint32_t capture_u32(const uint8_t *p, bool big)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return big ? be32toh(v) : le32toh(v);
}

CAPTURE_INLINE uint64_t capture_u64(const uint8_t *p, bool big)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return big ? be64toh(v) : le64toh(v);
}

/* a + b, where both are within twice the bounds, held within them. */
CAPTURE_INLINE int64_t capture_time_add(int64_t a, int64_t b)
{
	int64_t sum;

	if (__builtin_add_overflow(a, b, &sum))
		return a < 0 ? CAPTURE_TIME_MIN : CAPTURE_TIME_MAX;
	if (sum > CAPTURE_TIME_MAX)
		return CAPTURE_TIME_MAX;
	return sum < CAPTURE_TIME_MIN ? CAPTURE_TIME_MIN : sum;
}

#endif
