/*
 * intern.c - numbered items.
 */
#include "flow/intern.h"

#include <string.h>

#include "lyncaudit/alloc.h"
#include "lyncaudit/hash.h"
#include "lyncaudit/status.h"

_Static_assert(FLOW_RECENT == 64, "recent_place gives six bits");

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

/* A place among the recent answers; whoever crowds it only makes it slower. */
static unsigned recent_place(const uint8_t *item, size_t size)
{
	uint32_t head, middle, tail;

	memcpy(&head, item, sizeof(head));
	memcpy(&middle, item + size / 2 - 2, sizeof(middle));
	memcpy(&tail, item + size - sizeof(tail), sizeof(tail));
	return (head * UINT32_C(0x9e3779b1) ^ middle * UINT32_C(0x85ebca77) ^
		tail * UINT32_C(0xc2b2ae3d)) >>
	       26;
}

uint32_t flow_intern_put(struct flow_intern *in, const void *item)
{
	uint32_t *recent = &in->recent[recent_place(item, in->item_size)];
	const uint32_t *found;

	if (*recent != 0 && memcmp(flow_intern_at(in, *recent), item, in->item_size) == 0)
		return *recent;
	found = lya_map_find(in->numbers, item);
	*recent = found != NULL ? *found : intern_new(in, item);
	return *recent;
}

size_t flow_intern_bytes(const struct flow_intern *in)
{
	/* the map holds each item once more, with its number and a slot */
	return in->cap * in->item_size + in->n * (in->item_size + 16);
}
