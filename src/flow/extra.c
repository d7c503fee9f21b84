/*
 * extra.c - what only some flows keep: first bytes, ICMP errors, carried counters.
 */
#include "flow/table.h"

#include <string.h>

#include "lyncaudit/alloc.h"

enum {
	EXTRAS_MAX = FLOW_SLOT - 1, /* beyond it a record's word is a slot's */
	EXTRAS_SPARE = 1024         /* kept for counters that carry: nothing may be miscounted */
};

int flow_extras_init(struct lya_flow_table *t, size_t bytes)
{
	struct flow_extras *e = &t->extras;
	size_t n = bytes / sizeof(*e->list);

	if (n < (size_t)4 * EXTRAS_SPARE)
		n = (size_t)4 * EXTRAS_SPARE;
	if (n > EXTRAS_MAX)
		n = EXTRAS_MAX;
	e->cap = (uint32_t)n;
	e->list = lya_map_large((n + 1) * sizeof(*e->list));
	return e->list == NULL ? LYA_ENOMEM : LYA_OK;
}

void flow_extras_fini(struct lya_flow_table *t)
{
	lya_unmap_pages(t->extras.list, (t->extras.cap + (size_t)1) * sizeof(*t->extras.list));
}

/* The flow's extra is number i from now on. */
static void set_number(struct lya_flow_table *t, struct flow_hot *h, uint32_t i)
{
	uint32_t word = flow_word(h);

	if ((word & FLOW_SLOT) == 0)
		flow_set_word(h, i);
	else
		flow_links_of(&t->inspect, word)->extra = i;
}

static struct flow_extra *extra_make(struct lya_flow_table *t, struct flow_hot *h, uint32_t spare)
{
	struct flow_extras *e = &t->extras;
	uint32_t i = e->free;

	if (e->used + spare >= e->cap)
		return NULL;
	if (i != 0)
		e->free = e->list[i].next_free;
	else
		i = ++e->high;
	e->used++;
	memset(&e->list[i], 0, sizeof(e->list[i]));
	set_number(t, h, i);
	return &e->list[i];
}

struct flow_extra *flow_extra_need(struct lya_flow_table *t, uint32_t n)
{
	struct flow_hot *h = flow_hot_at(t, n);

	if (flow_extra_number(t, h) != 0)
		return flow_extra_of(t, h);
	return extra_make(t, h, EXTRAS_SPARE);
}

void flow_extra_drop(struct lya_flow_table *t, uint32_t n)
{
	struct flow_hot *h = flow_hot_at(t, n);
	uint32_t i = flow_extra_number(t, h);

	if (i == 0)
		return;
	t->extras.list[i].next_free = t->extras.free;
	t->extras.free = i;
	t->extras.used--;
	set_number(t, h, 0);
}

void flow_extra_carry(struct lya_flow_table *t, uint32_t n, unsigned count, unsigned side)
{
	struct flow_hot *h = flow_hot_at(t, n);
	struct flow_extra *x =
	    flow_extra_number(t, h) != 0 ? flow_extra_of(t, h) : extra_make(t, h, 0);

	if (x != NULL)
		x->carry[count][side]++;
	else /* each of the spare ones stands for 4 GiB: say too little rather than wrap */
		h->count[count][side] = UINT32_MAX;
}
