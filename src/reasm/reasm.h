/*
 * reasm.h - what the files of reasm share.
 */
#ifndef LYNCAUDIT_REASM_REASM_H
#define LYNCAUDIT_REASM_REASM_H

#include "lyncaudit/reasm.h"

/* Second sightings: a table of fixed size, see duplicate.c. */
struct duplicates;

struct duplicates *duplicates_new(void); /* NULL when out of memory */
void duplicates_free(struct duplicates *d);
size_t duplicates_bytes(void);
/* Packets that several sources saw, see clock.c. */
struct clocks {
	uint64_t limit; /* greatest hash of the sample */
	size_t n;
	struct shared *slots, *spare;
};

struct clocks *clocks_new(void); /* NULL when out of memory */
void clocks_free(struct clocks *c);
size_t clocks_bytes(void);
/* A packet of a hash within the limit. */
void clocks_see(struct clocks *c, uint64_t hash, const struct lya_packet *pkt);
/* As lya_reasm_clocks. */
int clocks_estimate(const struct clocks *c, struct lya_clock_offset **list, size_t *n);

/* Mark the second sightings among n packets, count them by kind, and show the sample to c. */
void duplicates_mark(struct duplicates *d, struct clocks *c, struct lya_packet *pkts, size_t n,
		     uint64_t counts[4]);

/* Fragments, see fragment.c. */
struct fragments;

struct fragments *fragments_new(size_t max_bytes); /* NULL when out of memory */
void fragments_free(struct fragments *f);
/* A new batch: what was released or delivered is no longer borrowed. */
void fragments_begin(struct fragments *f);
/* True while datagrams are remembered: only then there is anything to expire. */
bool fragments_waiting(const struct fragments *f);
/* What is released from now on goes before the batch's packet of that number. */
void fragments_place(struct fragments *f, size_t place);
/* A fragment of TCP or UDP: false when it is held back, true when it goes on. */
bool fragments_take(struct fragments *f, struct lya_packet *pkt);
/* What a tunnel's first fragment carried (pkt->tunnel_head): it goes on as it is. */
void fragments_take_tunnel(struct fragments *f, const struct lya_packet *pkt);
/* It is `now`: give up what waited too long. */
void fragments_expire(struct fragments *f, int64_t now_ns);
void fragments_flush(struct fragments *f);
struct lya_packet *fragments_released(const struct fragments *f, size_t *n);
const uint32_t *fragments_released_at(const struct fragments *f);
/* An allocation failed since the beginning. */
bool fragments_failed(const struct fragments *f);
void fragments_stats(const struct fragments *f, struct lya_reasm_stats *out);

#endif
