/*
 * slots.c - where inspections under way are kept.
 *
 * There is a fixed number of slots.  When all of a pool are taken an inspection is
 * ended with what it has learnt, and counted: that of the next slot in turn.  While
 * nothing is given back in between that is the oldest; else it may be any, on average
 * half a round old.
 */
#include "flow/table.h"

#include <string.h>

#include "lyncaudit/alloc.h"

enum {
	SLOTS_MIN = 16, /* however little memory is allowed */
	SCRATCH_MIN = 4,
	/* Of the memory, in eighths: most of what waits is small, what is large does not wait long. */
	SMALL_SHARE = 4,
	LARGE_SHARE = 3,
	SCRATCH_SHARE = 1,
	SHARES = 8
};

static size_t round_up(size_t n)
{
	return (n + FLOW_CACHE_LINE - 1) / FLOW_CACHE_LINE * FLOW_CACHE_LINE;
}

/* beside: what stands at the end of a slot, behind the state of `size` bytes. */
static int pool_init(struct flow_pool *p, size_t size, size_t beside, size_t bytes)
{
	size_t n;

	p->stride = round_up(size + beside);
	n = bytes / p->stride;
	if (n < SLOTS_MIN)
		n = SLOTS_MIN;
	if (n > FLOW_SLOT_NUMBER)
		n = FLOW_SLOT_NUMBER;
	p->n = (uint32_t)n;
	p->memory = lya_map_large(n * p->stride);
	return p->memory == NULL ? LYA_ENOMEM : LYA_OK;
}

static void pool_fini(struct flow_pool *p)
{
	lya_unmap_pages(p->memory, p->n * p->stride);
}

static int scratch_init(struct flow_inspect *in, size_t bytes)
{
	size_t n = bytes / LYA_APP_SCRATCH;

	if (n < SCRATCH_MIN)
		n = SCRATCH_MIN;
	in->n_scratch = (uint32_t)n;
	in->scratch = lya_map_pages(n * LYA_APP_SCRATCH);
	in->observer.lend = flow_scratch_lend;
	return in->scratch == NULL ? LYA_ENOMEM : LYA_OK;
}

int flow_slots_init(struct flow_inspect *in, size_t bytes)
{
	size_t small = lya_app_state_size(17);
	size_t large = lya_app_state_size(6);
	int rc;

	if (small < sizeof(struct lya_app_drip))
		small = sizeof(struct lya_app_drip);
	rc = pool_init(&in->pools[FLOW_SMALL], small, sizeof(struct flow_links),
		       bytes / SHARES * SMALL_SHARE);
	if (rc == LYA_OK)
		rc = pool_init(&in->pools[FLOW_LARGE], large,
			       sizeof(struct flow_handshake) + sizeof(struct flow_links),
			       bytes / SHARES * LARGE_SHARE);
	if (rc == LYA_OK)
		rc = scratch_init(in, bytes / SHARES * SCRATCH_SHARE);
	if (rc != LYA_OK)
		return rc;
	in->last = lya_malloc(round_up(large));
	return in->last == NULL ? LYA_ENOMEM : LYA_OK;
}

void flow_slots_fini(struct flow_inspect *in)
{
	lya_unmap_pages(in->scratch, (size_t)in->n_scratch * LYA_APP_SCRATCH);
	pool_fini(&in->pools[FLOW_SMALL]);
	pool_fini(&in->pools[FLOW_LARGE]);
	lya_free(in->last);
}

size_t flow_slots_bytes(const struct flow_inspect *in)
{
	size_t bytes = in->scratch_high * (size_t)LYA_APP_SCRATCH;

	for (unsigned i = 0; i < FLOW_POOLS; i++)
		bytes += in->pools[i].high * in->pools[i].stride;
	return bytes;
}

/* Scratch memory ----------------------------------------------------------- */

void *flow_scratch_lend(void *ctx)
{
	struct lya_flow_table *t = ctx;
	struct flow_inspect *in = &t->inspect;
	uint32_t i = in->scratch_free;
	uint8_t *piece;

	if (i == 0 && in->scratch_high == in->n_scratch) {
		t->stats.details_lost++;
		return NULL;
	}
	if (i == 0)
		return in->scratch + (size_t)in->scratch_high++ * LYA_APP_SCRATCH;
	piece = in->scratch + (size_t)(i - 1) * LYA_APP_SCRATCH;
	memcpy(&in->scratch_free, piece, sizeof(in->scratch_free));
	return piece;
}

void flow_scratch_give(struct flow_inspect *in, void *piece)
{
	size_t i;

	if (piece == NULL)
		return;
	i = (size_t)((uint8_t *)piece - in->scratch) / LYA_APP_SCRATCH;
	memcpy(piece, &in->scratch_free, sizeof(in->scratch_free));
	in->scratch_free = (uint32_t)i + 1;
}

/* Slots -------------------------------------------------------------------- */

static uint32_t slot_after(const struct flow_pool *p, uint32_t slot)
{
	return slot % p->n + 1;
}

/* What is given up next is to be at hand by then: a slot first, and in the next turn its flow. */
static void ask_for_next(const struct lya_flow_table *t, const struct flow_pool *p)
{
	uint32_t slot = slot_after(p, p->hand);
	uint32_t owner = flow_links_at(p, slot)->owner;
	const uint8_t *later = p->memory + (slot_after(p, slot) - 1) * p->stride;

	for (size_t i = 0; i < p->stride; i += FLOW_CACHE_LINE)
		__builtin_prefetch(later + i, 1);
	__builtin_prefetch(flow_hot_at(t, owner), 1);
	__builtin_prefetch(flow_cold_at(t, owner), 1);
}

static void make_slot_free(struct lya_flow_table *t, struct flow_pool *p)
{
	if (p->free != 0 || p->high < p->n)
		return;
	t->stats.given_up++;
	p->hand = slot_after(p, p->hand);
	flow_inspect_settle(t, flow_links_at(p, p->hand)->owner);
	ask_for_next(t, p);
}

uint32_t flow_slot_take(struct lya_flow_table *t, unsigned pool, uint32_t n)
{
	struct flow_pool *p = &t->inspect.pools[pool];
	struct flow_hot *h = flow_hot_at(t, n);
	uint32_t slot;

	make_slot_free(t, p);
	slot = p->free;
	if (slot != 0)
		p->free = flow_links_at(p, slot)->owner;
	else
		slot = ++p->high;
	*flow_links_at(p, slot) = (struct flow_links){ .owner = n, .extra = flow_word(h) };
	if (pool == FLOW_LARGE)
		*flow_handshake_at(p, slot) = (struct flow_handshake){ 0 };
	slot |= pool == FLOW_LARGE ? FLOW_SLOT | FLOW_SLOT_LARGE : FLOW_SLOT;
	flow_set_word(h, slot);
	return slot;
}

void flow_slot_give(struct lya_flow_table *t, uint32_t n)
{
	struct flow_hot *h = flow_hot_at(t, n);
	uint32_t word = flow_word(h);
	struct flow_pool *p = &t->inspect.pools[(word & FLOW_SLOT_LARGE) != 0];
	uint32_t slot = word & FLOW_SLOT_NUMBER;

	flow_set_word(h, flow_links_at(p, slot)->extra);
	flow_links_at(p, slot)->owner = p->free;
	p->free = slot;
}

uint32_t flow_slot_change(struct lya_flow_table *t, uint32_t n)
{
	flow_slot_give(t, n);
	return flow_slot_take(t, FLOW_LARGE, n);
}
