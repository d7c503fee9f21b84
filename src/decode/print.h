/*
 * print.h - a packet's print: what a switch or a router does not change of it,
 * in 64 bits (protocol-facts 9.1).
 *
 * Addresses, protocol, IP id, place of the fragment, total length, transport
 * header without checksum, the first 16 bytes of the payload (RTP needs them).
 * Where the IP id is 0, or there is none (IPv6), a second packet may look the
 * same up to there; then the checksum and more of the payload, its end too,
 * are in the print as well.
 *
 * A packet whose headers stand where they are expected is hashed in blocks of
 * 16 bytes, from its IP header on: four words, each with a number of its place
 * added, multiplied in pairs ("NH" of UMAC, RFC 4418).  What routers change is
 * masked out.
 */
#ifndef LYNCAUDIT_DECODE_PRINT_H
#define LYNCAUDIT_DECODE_PRINT_H

#include <endian.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "lyncaudit/decode.h"
#include "lyncaudit/hash.h"

enum {
	PRINT_BLOCK = 16,
	PRINT_PLACES = 16,
	PRINT_PAYLOAD = 16, /* bytes of the payload, */
	PRINT_EDGE = 64,    /* and without an IP id, at its beginning and its end */
	PRINT_LEAST = 36    /* bytes captured from the IP header on, that blocks can be taken of */
};

/* A window of 16 bytes onto it, that slides over the two bytes of a checksum. */
enum { PRINT_WINDOW = 32, PRINT_WINDOW_LAST = PRINT_WINDOW + 2 + 16 };

/* Aligned, so that they can be operands where they stand. */
extern const uint32_t print_places[PRINT_PLACES][4] __attribute__((aligned(16)));
extern const uint8_t print_window[PRINT_WINDOW_LAST + PRINT_BLOCK];
extern const uint8_t print_ipv4_mask[PRINT_BLOCK] __attribute__((aligned(16)));

#ifdef __SSE2__
typedef __m128i print_sums;

static inline print_sums print_none(void)
{
	return _mm_setzero_si128();
}

static inline print_sums print_add(print_sums h, const uint8_t *p, const uint8_t *mask,
				   unsigned place)
{
	__m128i v = _mm_and_si128(_mm_loadu_si128((const void *)p),
				  _mm_loadu_si128((const void *)mask));

	v = _mm_add_epi32(v, _mm_load_si128((const void *)print_places[place]));
	return _mm_add_epi64(h, _mm_mul_epu32(v, _mm_shuffle_epi32(v, _MM_SHUFFLE(3, 3, 1, 1))));
}

static inline uint64_t print_sum(print_sums h, unsigned i)
{
	uint64_t v[2];

	memcpy(v, &h, sizeof(v));
	return v[i];
}
#else
typedef struct {
	uint64_t v[2];
} print_sums;

static inline print_sums print_none(void)
{
	return (print_sums){ { 0, 0 } };
}

static inline print_sums print_add(print_sums h, const uint8_t *p, const uint8_t *mask,
				   unsigned place)
{
	uint32_t w[4], m[4];

	memcpy(w, p, sizeof(w));
	memcpy(m, mask, sizeof(m));
	for (unsigned i = 0; i < 4; i++)
		w[i] = le32toh(w[i] & m[i]) + print_places[place][i];
	h.v[0] += (uint64_t)w[0] * w[1];
	h.v[1] += (uint64_t)w[2] * w[3];
	return h;
}

static inline uint64_t print_sum(print_sums h, unsigned i)
{
	return h.v[i];
}
#endif

/* The block at `at`, without the two bytes at `checksum`. */
static inline print_sums print_beside(print_sums h, const uint8_t *ip, size_t at, size_t checksum,
				      unsigned place)
{
	size_t slide = PRINT_WINDOW + at - checksum;

	if (slide > PRINT_WINDOW_LAST)
		slide = PRINT_WINDOW_LAST;
	return print_add(h, ip + at, print_window + slide, place);
}

/*
 * The blocks from the third on, up to `end` (more than 32); the last of them may
 * overlap the one before.
 */
static inline print_sums print_blocks(print_sums h, const uint8_t *ip, size_t end, size_t checksum)
{
	size_t at = 2 * PRINT_BLOCK;
	unsigned place = 2;

	for (; at + PRINT_BLOCK < end; at += PRINT_BLOCK) {
		h = print_beside(h, ip, at, checksum, place);
		place = (place + 1) % PRINT_PLACES;
	}
	return print_beside(h, ip, end - PRINT_BLOCK, checksum, place);
}

static inline uint64_t print_finish(print_sums h, uint64_t more)
{
	return lya_hash_mix(print_sum(h, 0) ^ more,
			    print_sum(h, 1) ^ UINT64_C(0x9e3779b97f4a7c15)) |
	       1; /* 0 is no print */
}

/*
 * Of IPv4 at ip with an IP id and no options, TCP or UDP: with its checksum at
 * `checksum`, and `end` (at least PRINT_LEAST) captured bytes, or those up to
 * the 16th of the payload.
 */
static inline uint64_t print_ipv4(const uint8_t *ip, size_t end, size_t checksum, uint32_t ip_bytes)
{
	print_sums h = print_add(print_none(), ip, print_ipv4_mask, 0);

	h = print_add(h, ip + PRINT_BLOCK, print_window + PRINT_WINDOW + PRINT_BLOCK - checksum, 1);
	return print_finish(print_blocks(h, ip, end, checksum), ip_bytes);
}

#endif
