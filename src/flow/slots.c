/*
 * slots.c - where inspections under way are kept.
 *
 * There is a fixed number of slots.  When all of a pool are taken an inspection is
 * ended with what it has learnt, and counted: one slot after the other gives up its
 * own, so each has as long as a round takes.
 */
#include "flow/table.h"

#include <string.h>

#include "lyncaudit/alloc.h"

enum {
	LINE = 64,
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
	return (n + LINE - 1) / LINE * LINE;
}

static int pool_init(struct flow_pool *p, size_t size, size_t beside, size_t bytes)
{
	size_t n;

	p->stride = round_up(size);
	n = bytes / (p->stride + sizeof(*p->links) + beside);
	if (n < SLOTS_MIN)
		n = SLOTS_MIN;
	if (n > FLOW_SLOT_NUMBER)
		n = FLOW_SLOT_NUMBER;
	p->n = (uint32_t)n;
	p->memory = lya_map_large(n * p->stride);
	p->links = lya_map_pages((n + 1) * sizeof(*p->links));
	return p->memory == NULL || p->links == NULL ? LYA_ENOMEM : LYA_OK;
}

static void pool_fini(struct flow_pool *p)
{
	lya_unmap_pages(p->memory, p->n * p->stride);
	lya_unmap_pages(p->links, (p->n + (size_t)1) * sizeof(*p->links));
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
	rc = pool_init(&in->pools[FLOW_SMALL], small, 0, bytes / SHARES * SMALL_SHARE);
	if (rc == LYA_OK)
		rc = pool_init(&in->pools[FLOW_LARGE], large, sizeof(*in->handshakes),
			       bytes / SHARES * LARGE_SHARE);
	if (rc == LYA_OK)
		rc = scratch_init(in, bytes / SHARES * SCRATCH_SHARE);
	if (rc != LYA_OK)
		return rc;
	in->handshakes = lya_map_pages((in->pools[FLOW_LARGE].n + (size_t)1) *
				       sizeof(*in->handshakes));
	in->last = lya_malloc(round_up(large));
	return in->handshakes == NULL || in->last == NULL ? LYA_ENOMEM : LYA_OK;
}

void flow_slots_fini(struct flow_inspect *in)
{
	lya_unmap_pages(in->handshakes,
			(in->pools[FLOW_LARGE].n + (size_t)1) * sizeof(*in->handshakes));
	lya_unmap_pages(in->scratch, (size_t)in->n_scratch * LYA_APP_SCRATCH);
	pool_fini(&in->pools[FLOW_SMALL]);
	pool_fini(&in->pools[FLOW_LARGE]);
	lya_free(in->last);
}

size_t flow_slots_bytes(const struct flow_inspect *in)
{
	size_t bytes = in->scratch_high * (size_t)LYA_APP_SCRATCH;

	for (unsigned i = 0; i < FLOW_POOLS; i++)
		bytes += in->pools[i].high * (in->pools[i].stride + sizeof(struct flow_links));
	return bytes + in->pools[FLOW_LARGE].high * sizeof(*in->handshakes);
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

/* The inspection that is to be given up next: have it at hand by then. */
static void ask_for_next(const struct lya_flow_table *t, const struct flow_pool *p)
{
	uint32_t slot = slot_after(p, p->hand);

	for (size_t i = 0; i < p->stride; i += LINE)
		__builtin_prefetch(p->memory + (slot - 1) * p->stride + i, 1);
	__builtin_prefetch(flow_hot_at(t, p->links[slot].owner), 1);
	__builtin_prefetch(flow_cold_at(t, p->links[slot].owner), 1);
}

static void make_slot_free(struct lya_flow_table *t, struct flow_pool *p)
{
	if (p->free != 0 || p->high < p->n)
		return;
	t->stats.given_up++;
	p->hand = slot_after(p, p->hand);
	flow_inspect_settle(t, p->links[p->hand].owner);
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
		p->free = p->links[slot].owner;
	else
		slot = ++p->high;
	p->links[slot] = (struct flow_links){ .owner = n, .extra = flow_word(h) };
	if (pool == FLOW_LARGE)
		t->inspect.handshakes[slot] = (struct flow_handshake){ 0 };
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

	flow_set_word(h, p->links[slot].extra);
	p->links[slot].owner = p->free;
	p->free = slot;
}

uint32_t flow_slot_change(struct lya_flow_table *t, uint32_t n)
{
	flow_slot_give(t, n);
	return flow_slot_take(t, FLOW_LARGE, n);
}
