/*
 * wire.h - frames by hand, decoded and given to reasm one by one.
 */
#ifndef TEST_REASM_WIRE_H
#define TEST_REASM_WIRE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../decode/build.h"
#include "lyncaudit/reasm.h"

enum { MS = 1000000, US = 1000 };

/* Frames and their bytes live as long as the test, the last ones at least: packets borrow them. */
struct wire {
	struct build frames[40];
	struct lya_frame given[64];
	unsigned n;
	uint64_t number;
};

static inline struct wire *wire_new(void)
{
	struct wire *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	return w;
}

static inline struct build *next_frame(struct wire *w)
{
	assert_true(w->n < sizeof(w->frames) / sizeof(w->frames[0]));
	return &w->frames[w->n++];
}

static inline struct lya_packet decode_at(struct wire *w, const struct build *b, int64_t time_ns)
{
	struct lya_frame *frame = &w->given[w->number % 64];
	struct lya_packet pkt;

	*frame = (struct lya_frame){ .time_ns = time_ns,
				     .data = b->data,
				     .caplen = (uint32_t)b->n,
				     .wirelen = (uint32_t)b->n,
				     .number = ++w->number,
				     .link = LYA_LINK_ETHERNET };
	lya_decode(frame, &pkt);
	return pkt;
}

static inline struct lya_reasm *reasm_new(size_t max_bytes)
{
	struct lya_reasm_options options = { .max_bytes = max_bytes };
	struct lya_error err;
	struct lya_reasm *r;

	assert_int_equal(lya_reasm_new(&r, &options, &err), LYA_OK);
	return r;
}

/* Both steps; what the caller may know, it says. */
static inline size_t reasm_take(struct lya_reasm *r, struct lya_packet *pkts, size_t n)
{
	bool whole = true;

	for (size_t i = 0; i < n; i++)
		whole = whole && !pkts[i].is_fragment && pkts[i].tunnel_head == NULL;
	(void)lya_reasm_mark(r, pkts, n);
	return lya_reasm_take(r, pkts, n, whole);
}

static inline struct lya_reasm_stats stats_of(const struct lya_reasm *r)
{
	struct lya_reasm_stats s;

	lya_reasm_stats(r, &s);
	return s;
}

#endif
