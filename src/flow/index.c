/*
 * index.c - growing and removal of the flow index.
 */
#include "flow/index.h"

#include <string.h>

#include "lyncaudit/alloc.h"
#include "lyncaudit/status.h"

enum {
	INDEX_MIN_BITS = 12, /* 32 KiB: stays in the first caches for a small capture */
	INDEX_MAX_BITS = 31
};

/* Slots that may be in use: beyond a load of 0.62 probes become long. */
static size_t index_limit(const struct flow_index *x)
{
	return flow_index_size(x) / 100 * 62;
}

int flow_index_init(struct flow_index *x)
{
	x->bits = INDEX_MIN_BITS;
	x->count = 0;
	x->slots = lya_map_pages(flow_index_size(x) * sizeof(*x->slots));
	return x->slots == NULL ? LYA_ENOMEM : LYA_OK;
}

void flow_index_fini(struct flow_index *x)
{
	if (x->slots != NULL)
		lya_unmap_pages(x->slots, flow_index_size(x) * sizeof(*x->slots));
	x->slots = NULL;
}

static void index_place(struct flow_index *x, struct flow_slot slot)
{
	size_t i = flow_index_home(x, slot.hash);

	while (x->slots[i].record != 0)
		i = flow_index_next(x, i);
	x->slots[i] = slot;
}

static int index_grow(struct flow_index *x)
{
	struct flow_index bigger = { .bits = x->bits + 1, .count = x->count };

	if (bigger.bits > INDEX_MAX_BITS)
		return LYA_ENOMEM;
	bigger.slots = lya_map_pages(flow_index_size(&bigger) * sizeof(*bigger.slots));
	if (bigger.slots == NULL)
		return LYA_ENOMEM;
	for (size_t i = 0; i < flow_index_size(x); i++)
		if (x->slots[i].record != 0)
			index_place(&bigger, x->slots[i]);
	flow_index_fini(x);
	*x = bigger;
	return LYA_OK;
}

int flow_index_add(struct flow_index *x, uint32_t hash, uint32_t record)
{
	if (x->count >= index_limit(x)) {
		int rc = index_grow(x);

		if (rc != LYA_OK)
			return rc;
	}
	index_place(x, (struct flow_slot){ .hash = hash, .record = record });
	x->count++;
	return LYA_OK;
}

/*
 * The hole is filled by the next slot of the same run that may stand there,
 * so that no run is ever broken and no grave is left behind.
 */
void flow_index_remove(struct flow_index *x, uint32_t hash, uint32_t record)
{
	size_t mask = flow_index_size(x) - 1;
	size_t hole = flow_index_home(x, hash);

	while (x->slots[hole].record != record)
		hole = flow_index_next(x, hole);
	for (size_t i = flow_index_next(x, hole); x->slots[i].record != 0;
	     i = flow_index_next(x, i)) {
		size_t home = flow_index_home(x, x->slots[i].hash);

		if (((i - home) & mask) >= ((i - hole) & mask)) {
			x->slots[hole] = x->slots[i];
			hole = i;
		}
	}
	x->slots[hole] = (struct flow_slot){ 0 };
	x->count--;
}

void flow_index_clear(struct flow_index *x)
{
	memset(x->slots, 0, flow_index_size(x) * sizeof(*x->slots));
	x->count = 0;
}
