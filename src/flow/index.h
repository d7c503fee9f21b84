/*
 * index.h - from a flow's key to its record: open addressing, linear probing.
 *
 * A slot is eight bytes, the key's hash and the record's number; number 0 is
 * an empty slot.  The place of a hash is its high bits, so that growing keeps
 * the order of the slots and needs no look at the records.
 */
#ifndef LYNCAUDIT_FLOW_INDEX_H
#define LYNCAUDIT_FLOW_INDEX_H

#include <stddef.h>
#include <stdint.h>

struct flow_slot {
	uint32_t hash;
	uint32_t record;
};

struct flow_index {
	struct flow_slot *slots;
	unsigned bits;  /* 1 << bits slots */
	uint32_t count; /* in use */
};

static inline size_t flow_index_size(const struct flow_index *x)
{
	return (size_t)1 << x->bits;
}

static inline size_t flow_index_home(const struct flow_index *x, uint32_t hash)
{
	return hash >> (32 - x->bits);
}

static inline size_t flow_index_next(const struct flow_index *x, size_t i)
{
	return (i + 1) & (flow_index_size(x) - 1);
}

/* LYA_OK, or LYA_ENOMEM with nothing held. */
int flow_index_init(struct flow_index *x);
void flow_index_fini(struct flow_index *x);
/* Enter a record whose key is not there.  LYA_ENOMEM when the index cannot grow. */
int flow_index_add(struct flow_index *x, uint32_t hash, uint32_t record);
/* Take a record out that is there. */
void flow_index_remove(struct flow_index *x, uint32_t hash, uint32_t record);
/* Forget all, keep the memory. */
void flow_index_clear(struct flow_index *x);

#endif
