/*
 * index.h - from a flow's key to its record: open addressing by cache lines.
 *
 * A line holds eight tags, from the keys' hashes, and the records that they
 * stand for.  All eight are compared at once, so that a look-up is one line
 * and one answer: no run of slots to walk, and nothing for the processor to
 * guess wrong.  A key whose line is full goes to the next one that is not;
 * between a key's own line and the one that it stands in all are full.
 *
 * The line of a tag is its high bits, so that growing keeps the order of the
 * lines and needs no look at the records.  Tag 0 is an empty place.
 */
#ifndef LYNCAUDIT_FLOW_INDEX_H
#define LYNCAUDIT_FLOW_INDEX_H

#include <stddef.h>
#include <stdint.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { FLOW_LINE = 8 };

struct flow_line {
	uint32_t tag[FLOW_LINE];
	uint32_t record[FLOW_LINE];
};

_Static_assert(sizeof(struct flow_line) == 64, "a line is a cache line");

struct flow_index {
	struct flow_line *lines;
	unsigned bits;  /* 1 << bits lines */
	uint32_t count; /* places in use */
};

static inline size_t flow_index_lines(const struct flow_index *x)
{
	return (size_t)1 << x->bits;
}

static inline size_t flow_index_home(const struct flow_index *x, uint32_t tag)
{
	return tag >> (32 - x->bits);
}

static inline size_t flow_index_next(const struct flow_index *x, size_t i)
{
	return (i + 1) & (flow_index_lines(x) - 1);
}

/* Bit i is set where list[i] is v. */
static inline unsigned flow_line_match(const uint32_t list[static FLOW_LINE], uint32_t v)
{
#ifdef __SSE2__
	const __m128i *four = (const void *)list; /* halves of a cache line: aligned */
	__m128i wanted = _mm_set1_epi32((int)v);
	__m128i low = _mm_cmpeq_epi32(_mm_load_si128(four), wanted);
	__m128i high = _mm_cmpeq_epi32(_mm_load_si128(four + 1), wanted);
	__m128i all = _mm_packs_epi16(_mm_packs_epi32(low, high), _mm_setzero_si128());

	return (unsigned)_mm_movemask_epi8(all);
#else
	unsigned found = 0;

	for (unsigned i = 0; i < FLOW_LINE; i++)
		found |= (unsigned)(list[i] == v) << i;
	return found;
#endif
}

/* The first of the places that a match named. */
static inline unsigned flow_line_first(unsigned match)
{
	return (unsigned)__builtin_ctz(match);
}

/* LYA_OK, or LYA_ENOMEM with nothing held. */
int flow_index_init(struct flow_index *x);
void flow_index_fini(struct flow_index *x);
/* Enter a record whose key is not there.  LYA_ENOMEM when the index cannot grow. */
int flow_index_add(struct flow_index *x, uint32_t tag, uint32_t record);
/* Take a record out that is there. */
void flow_index_remove(struct flow_index *x, uint32_t tag, uint32_t record);
/* Forget all, keep the memory. */
void flow_index_clear(struct flow_index *x);
/* Bytes of the lines. */
size_t flow_index_bytes(const struct flow_index *x);

#endif
