/*
 * pack.h - numbers, strings and lists as bytes, and back.
 *
 * Numbers are as long as they need to be (seven bits a byte, the lowest first, the
 * eighth says that more follow), signed ones zigzag; byte strings have their length
 * before them.  What is read may be damaged: a struct lya_unpack fails for good at the
 * first thing that cannot be, and yields zero from then on, as a cursor does.
 */
#ifndef LYNCAUDIT_PACK_H
#define LYNCAUDIT_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lyncaudit/addr.h"

/* Zero-initialise; release with lya_pack_fini.  `failed` stays set once memory ran out. */
struct lya_pack {
	uint8_t *data;
	size_t len, cap;
	bool failed;
};

void lya_pack_uint(struct lya_pack *p, uint64_t n);
void lya_pack_int(struct lya_pack *p, int64_t n);
void lya_pack_u64(struct lya_pack *p, uint64_t n);                   /* eight bytes: hashes */
void lya_pack_raw(struct lya_pack *p, const void *data, size_t len); /* without its length */
void lya_pack_bytes(struct lya_pack *p, const void *data, size_t len);
void lya_pack_string(struct lya_pack *p, const char *s); /* NULL is told from "" */
void lya_pack_addr(struct lya_pack *p, const struct lya_addr *addr);
void lya_pack_fini(struct lya_pack *p);

struct lya_unpack {
	const uint8_t *pos, *end; /* borrowed */
	const char *wrong;        /* what cannot be; NULL: all is well so far */
};

static inline bool lya_unpack_failed(const struct lya_unpack *u)
{
	return u->wrong != NULL;
}

/* Note what cannot be, if nothing is noted yet. */
void lya_unpack_fail(struct lya_unpack *u, const char *wrong);
/* A number of at most max. */
uint64_t lya_unpack_uint(struct lya_unpack *u, uint64_t max);
int64_t lya_unpack_int(struct lya_unpack *u);
/* A time in nanoseconds, or LYA_TIME_NONE; far ones are held at where differences still fit. */
int64_t lya_unpack_time(struct lya_unpack *u);
uint64_t lya_unpack_u64(struct lya_unpack *u);
bool lya_unpack_bool(struct lya_unpack *u);
/* len bytes, borrowed; NULL once failed. */
const uint8_t *lya_unpack_raw(struct lya_unpack *u, size_t len);
/* At most max bytes, borrowed. */
const uint8_t *lya_unpack_bytes(struct lya_unpack *u, size_t max, size_t *len);
/* A copy, for lya_free; *s is NULL where none was packed.  False: failed, or out of memory. */
bool lya_unpack_string(struct lya_unpack *u, size_t max, char **s);
void lya_unpack_addr(struct lya_unpack *u, struct lya_addr *addr); /* family 0, 4 or 6 */
/* How many things follow, of which each takes `least` bytes: no more than there can be. */
size_t lya_unpack_count(struct lya_unpack *u, size_t max, size_t least);

#endif
