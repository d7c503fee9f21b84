/*
 * table.c - a table of fixed size: what comes new overwrites the oldest.
 *
 *	buckets[hash] ---> newest item <--> older one with the same bucket <--> ...
 *	items: a ring, written in order
 */
#include "snat/snat.h"

#include <string.h>

#include "lyncaudit/alloc.h"

enum { CAP_MIN = 64, CAP_MAX = 1 << 20, CHAIN_MAX = 16 };

int snat_table_init(struct snat_table *t, size_t size, size_t key_at, size_t key_len,
		    size_t bytes)
{
	size_t cap = bytes / (size + 2 * sizeof(uint32_t)), buckets = CAP_MIN;

	if (cap < CAP_MIN)
		cap = CAP_MIN;
	if (cap > CAP_MAX)
		cap = CAP_MAX;
	while (buckets < cap)
		buckets *= 2;
	*t = (struct snat_table){ .size = size, .key_at = key_at, .key_len = key_len,
		                  .cap = (uint32_t)cap, .mask = (uint32_t)buckets - 1,
		                  .next = 1, .key = lya_hash_key_random() };
	t->items = lya_map_pages((cap + 1) * size);
	t->buckets = lya_map_pages(buckets * sizeof(*t->buckets));
	return t->items == NULL || t->buckets == NULL ? LYA_ENOMEM : LYA_OK;
}

void snat_table_fini(struct snat_table *t)
{
	lya_unmap_pages(t->items, ((size_t)t->cap + 1) * t->size);
	lya_unmap_pages(t->buckets, ((size_t)t->mask + 1) * sizeof(*t->buckets));
}

/* Items lie one behind another and have a size that keeps each of them aligned. */
static struct snat_item *item_at(const struct snat_table *t, uint32_t n)
{
	return (void *)(t->items + n * t->size);
}

static const uint8_t *key_of(const struct snat_table *t, const struct snat_item *item)
{
	return (const uint8_t *)item + t->key_at;
}

static uint32_t hash_of(const struct snat_table *t, const void *key)
{
	return (uint32_t)lya_hash(&t->key, key, t->key_len);
}

static void *find_from(const struct snat_table *t, uint32_t n, uint32_t hash, const void *key)
{
	for (; n != 0; n = item_at(t, n)->chain) {
		struct snat_item *item = item_at(t, n);

		if (item->hash == hash && memcmp(key_of(t, item), key, t->key_len) == 0)
			return item;
	}
	return NULL;
}

void *snat_table_find(const struct snat_table *t, const void *key)
{
	uint32_t hash = hash_of(t, key);

	return find_from(t, t->buckets[hash & t->mask], hash, key);
}

void *snat_table_again(const struct snat_table *t, const void *item)
{
	const struct snat_item *i = item;

	return find_from(t, i->chain, i->hash, key_of(t, i));
}

void *snat_table_at(const struct snat_table *t, uint32_t n)
{
	return n <= t->cap && item_at(t, n)->used ? item_at(t, n) : NULL;
}

void *snat_table_oldest(const struct snat_table *t)
{
	return snat_table_at(t, t->next);
}

static void unlink_item(struct snat_table *t, uint32_t n)
{
	struct snat_item *item = item_at(t, n);

	if (item->cut)
		return;
	if (item->back != 0)
		item_at(t, item->back)->chain = item->chain;
	else
		t->buckets[item->hash & t->mask] = item->chain;
	if (item->chain != 0)
		item_at(t, item->chain)->back = item->back;
}

static void link_item(struct snat_table *t, uint32_t n)
{
	struct snat_item *item = item_at(t, n);
	uint32_t *first = &t->buckets[item->hash & t->mask];

	item->chain = *first;
	if (*first != 0)
		item_at(t, *first)->back = n;
	*first = n;
}

/*
 * Keys that somebody chose to be alike (sequence numbers are the sender's to
 * choose) must not build a chain that every packet walks: its oldest goes.
 */
static void bound_chain(struct snat_table *t, uint32_t n)
{
	unsigned length = 1;

	for (; item_at(t, n)->chain != 0; n = item_at(t, n)->chain)
		length++;
	if (length <= CHAIN_MAX)
		return;
	unlink_item(t, n);
	item_at(t, n)->cut = true; /* it stays in the ring, and is counted there as unpaired */
}

void *snat_table_put(struct snat_table *t, const void *key)
{
	uint32_t n = t->next, hash = hash_of(t, key);
	struct snat_item *item = item_at(t, n);

	if (item->used)
		unlink_item(t, n);
	memset(item, 0, t->size);
	memcpy((uint8_t *)item + t->key_at, key, t->key_len);
	item->used = true;
	item->hash = hash;
	link_item(t, n);
	bound_chain(t, n);
	t->next = n == t->cap ? 1 : n + 1;
	return item;
}
