/*
 * index.c - growing and removal of the flow index.
 */
#include "flow/index.h"

#include <stdbool.h>
#include <string.h>

#include "lyncaudit/alloc.h"
#include "lyncaudit/status.h"

enum {
	INDEX_MIN_BITS = 9, /* 32 KiB: stays in the first caches for a small capture */
	INDEX_MAX_BITS = 28
};

/* Places that may be in use: beyond a load of three quarters too many lines are full. */
static size_t index_limit(const struct flow_index *x)
{
	return flow_index_lines(x) * FLOW_LINE / 4 * 3;
}

size_t flow_index_bytes(const struct flow_index *x)
{
	return flow_index_lines(x) * sizeof(*x->lines);
}

int flow_index_init(struct flow_index *x)
{
	x->bits = INDEX_MIN_BITS;
	x->count = 0;
	x->lines = lya_map_large(flow_index_bytes(x));
	return x->lines == NULL ? LYA_ENOMEM : LYA_OK;
}

void flow_index_fini(struct flow_index *x)
{
	if (x->lines != NULL)
		lya_unmap_pages(x->lines, flow_index_bytes(x));
	x->lines = NULL;
}

static void index_place(struct flow_index *x, uint32_t tag, uint32_t record)
{
	size_t i = flow_index_home(x, tag);
	unsigned empty;

	while ((empty = flow_line_match(x->lines[i].tag, 0)) == 0)
		i = flow_index_next(x, i);
	x->lines[i].tag[flow_line_first(empty)] = tag;
	x->lines[i].record[flow_line_first(empty)] = record;
}

static int index_grow(struct flow_index *x)
{
	struct flow_index bigger = { .bits = x->bits + 1, .count = x->count };

	if (bigger.bits > INDEX_MAX_BITS)
		return LYA_ENOMEM;
	bigger.lines = lya_map_large(flow_index_bytes(&bigger));
	if (bigger.lines == NULL)
		return LYA_ENOMEM;
	for (size_t i = 0; i < flow_index_lines(x); i++)
		for (unsigned k = 0; k < FLOW_LINE; k++)
			if (x->lines[i].tag[k] != 0)
				index_place(&bigger, x->lines[i].tag[k], x->lines[i].record[k]);
	flow_index_fini(x);
	*x = bigger;
	return LYA_OK;
}

int flow_index_add(struct flow_index *x, uint32_t tag, uint32_t record)
{
	if (x->count >= index_limit(x)) {
		int rc = index_grow(x);

		if (rc != LYA_OK)
			return rc;
	}
	index_place(x, tag, record);
	x->count++;
	return LYA_OK;
}

/* A place in line i whose key may stand in line `hole`, an earlier one; FLOW_LINE: none. */
static unsigned movable(const struct flow_index *x, size_t i, size_t hole)
{
	size_t mask = flow_index_lines(x) - 1;
	unsigned k = 0;

	for (; k < FLOW_LINE; k++) {
		uint32_t tag = x->lines[i].tag[k];

		if (tag != 0 && ((i - flow_index_home(x, tag)) & mask) >= ((i - hole) & mask))
			break;
	}
	return k;
}

/*
 * A hole in a line that was full is filled from the lines behind it, as far as
 * those are full too: no look-up ever stops short of its key, and no grave is
 * left behind.
 */
void flow_index_remove(struct flow_index *x, uint32_t tag, uint32_t record)
{
	size_t line = flow_index_home(x, tag);
	bool full;
	unsigned match;
	unsigned hole;

	while ((match = flow_line_match(x->lines[line].record, record)) == 0)
		line = flow_index_next(x, line);
	hole = flow_line_first(match);
	full = flow_line_match(x->lines[line].tag, 0) == 0;
	for (size_t i = flow_index_next(x, line); full; i = flow_index_next(x, i)) {
		unsigned k = movable(x, i, line);

		full = flow_line_match(x->lines[i].tag, 0) == 0;
		if (k == FLOW_LINE)
			continue;
		x->lines[line].tag[hole] = x->lines[i].tag[k];
		x->lines[line].record[hole] = x->lines[i].record[k];
		line = i;
		hole = k;
	}
	x->lines[line].tag[hole] = 0;
	x->lines[line].record[hole] = 0;
	x->count--;
}

void flow_index_clear(struct flow_index *x)
{
	memset(x->lines, 0, flow_index_bytes(x));
	x->count = 0;
}
