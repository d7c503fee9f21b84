/*
 * intern.c - numbered items.
 */
#include "flow/intern.h"

#include <string.h>

#include "lyncaudit/alloc.h"
#include "lyncaudit/hash.h"
#include "lyncaudit/status.h"

int flow_intern_init(struct flow_intern *in, size_t item_size, size_t max)
{
	memset(in, 0, sizeof(*in));
	in->item_size = item_size;
	in->max = max;
	in->numbers = lya_map_new(item_size, sizeof(uint32_t), max);
	return in->numbers == NULL ? LYA_ENOMEM : LYA_OK;
}

void flow_intern_fini(struct flow_intern *in)
{
	lya_map_free(in->numbers);
	lya_free(in->items);
	memset(in, 0, sizeof(*in));
}

const void *flow_intern_at(const struct flow_intern *in, uint32_t number)
{
	return in->items + (size_t)(number - 1) * in->item_size;
}

static uint32_t intern_new(struct flow_intern *in, const void *item)
{
	void *items = in->items;
	uint32_t *number;

	if (in->n >= in->max)
		return 0;
	if (lya_grow(&items, &in->cap, in->n + 1, in->item_size) != LYA_OK) {
		in->nomem = true;
		return 0;
	}
	in->items = items;
	number = lya_map_put(in->numbers, item, NULL);
	if (number == NULL) {
		in->nomem = true;
		return 0;
	}
	memcpy(in->items + in->n * in->item_size, item, in->item_size);
	*number = (uint32_t)++in->n;
	return *number;
}

uint32_t flow_intern_put(struct flow_intern *in, const void *item)
{
	const uint32_t *found;

	if (in->last != 0 && memcmp(flow_intern_at(in, in->last), item, in->item_size) == 0)
		return in->last;
	found = lya_map_find(in->numbers, item);
	in->last = found != NULL ? *found : intern_new(in, item);
	return in->last;
}

size_t flow_intern_bytes(const struct flow_intern *in)
{
	/* the map holds each item once more, with its number and a slot */
	return in->cap * in->item_size + in->n * (in->item_size + 16);
}
