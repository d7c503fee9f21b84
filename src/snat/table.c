/*
 * table.c - a table of fixed size: what comes new overwrites the oldest.
 *
 *	items: a ring, written in order
 *	slots: open addressing, hash and number of an item; at most half are used
 *
 * A slot tells by its hash that an item is another one, so a look-up touches
 * the items that it is for and no others.
 */
#include "snat/snat.h"

#include <string.h>

#include "lyncaudit/ahead.h"
#include "lyncaudit/alloc.h"

enum { CAP_MIN = 64, CAP_MAX = 1 << 20, SAME_MAX = 16, SOON = 16 /* items */ };

int snat_table_init(struct snat_table *t, size_t size, size_t key_at, size_t key_len,
		    size_t clear, size_t bytes)
{
	size_t cap = bytes / (size + 2 * sizeof(struct snat_slot)), slots = 2 * CAP_MIN;

	if (cap < CAP_MIN)
		cap = CAP_MIN;
	if (cap > CAP_MAX)
		cap = CAP_MAX;
	while (slots < 2 * cap)
		slots *= 2;
	*t = (struct snat_table){ .size = size, .key_at = key_at, .key_len = key_len,
				  .clear = clear, .cap = (uint32_t)cap,
				  .mask = (uint32_t)slots - 1, .next = 1,
				  .key = lya_hash_key_random() };
	t->items = lya_map_large((cap + 1) * size);
	t->slots = lya_map_large(slots * sizeof(*t->slots));
	return t->items == NULL || t->slots == NULL ? LYA_ENOMEM : LYA_OK;
}

void snat_table_fini(struct snat_table *t)
{
	lya_unmap_pages(t->items, ((size_t)t->cap + 1) * t->size);
	lya_unmap_pages(t->slots, ((size_t)t->mask + 1) * sizeof(*t->slots));
}

/* Items lie one behind another and have a size that keeps each of them aligned. */
static struct snat_item *item_at(const struct snat_table *t, uint32_t n)
{
	return (void *)(t->items + n * t->size);
}

static uint32_t number_of(const struct snat_table *t, const void *item)
{
	return (uint32_t)((size_t)((const uint8_t *)item - t->items) / t->size);
}

static const uint8_t *key_of(const struct snat_table *t, const struct snat_item *item)
{
	return (const uint8_t *)item + t->key_at;
}

uint32_t snat_table_hash(const struct snat_table *t, const void *key)
{
	return (uint32_t)lya_hash(&t->key, key, t->key_len);
}

static uint32_t slot_after(const struct snat_table *t, uint32_t i)
{
	return (i + 1) & t->mask;
}

/* How long ago an item was written: 1 is the newest. */
static uint32_t age_of(const struct snat_table *t, uint32_t n)
{
	return n < t->next ? t->next - n : t->next + t->cap - n;
}

/* The newest item with that key among those of at least that age. */
static void *find_aged(const struct snat_table *t, uint32_t hash, const void *key, uint32_t least)
{
	uint32_t best = 0;

	for (uint32_t i = hash & t->mask; t->slots[i].item != 0; i = slot_after(t, i)) {
		uint32_t n = t->slots[i].item;

		if (t->slots[i].hash != hash || age_of(t, n) < least ||
		    (best != 0 && age_of(t, best) < age_of(t, n)) ||
		    memcmp(key_of(t, item_at(t, n)), key, t->key_len) != 0)
			continue;
		best = n;
	}
	return best != 0 ? item_at(t, best) : NULL;
}

void *snat_table_find(const struct snat_table *t, uint32_t hash, const void *key)
{
	return find_aged(t, hash, key, 1);
}

void *snat_table_again(const struct snat_table *t, const void *item)
{
	const struct snat_item *i = item;

	return find_aged(t, i->hash, key_of(t, i), age_of(t, number_of(t, item)) + 1);
}

void *snat_table_at(const struct snat_table *t, uint32_t n)
{
	return n <= t->cap && item_at(t, n)->used ? item_at(t, n) : NULL;
}

void *snat_table_oldest(const struct snat_table *t)
{
	return snat_table_at(t, t->next);
}

/* Entries behind a hole move up, so that no look-up stops short of them. */
static void fill_hole(struct snat_table *t, uint32_t hole)
{
	for (uint32_t i = slot_after(t, hole); t->slots[i].item != 0; i = slot_after(t, i)) {
		uint32_t home = t->slots[i].hash & t->mask;

		if (((i - home) & t->mask) < ((i - hole) & t->mask))
			continue;
		t->slots[hole] = t->slots[i];
		hole = i;
	}
	t->slots[hole] = (struct snat_slot){ 0, 0 };
}

static void unlink_item(struct snat_table *t, uint32_t n)
{
	uint32_t i = item_at(t, n)->hash & t->mask;

	if (item_at(t, n)->cut)
		return;
	while (t->slots[i].item != n)
		i = slot_after(t, i);
	fill_hole(t, i);
}

/*
 * Keys that somebody chose to be alike (sequence numbers are the sender's to
 * choose) must not build a run that every packet walks: its oldest goes.
 */
static void bound_same(struct snat_table *t, uint32_t hash)
{
	uint32_t oldest = 0;
	unsigned same = 0;

	for (uint32_t i = hash & t->mask; t->slots[i].item != 0; i = slot_after(t, i)) {
		uint32_t n = t->slots[i].item;

		if (t->slots[i].hash != hash)
			continue;
		same++;
		if (oldest == 0 || age_of(t, n) > age_of(t, oldest))
			oldest = n;
	}
	if (same <= SAME_MAX)
		return;
	unlink_item(t, oldest);
	item_at(t, oldest)->cut = true; /* it stays in the ring, and is counted there as unpaired */
}

/* The number that follows n by `by` in the ring. */
static uint32_t number_after(const struct snat_table *t, uint32_t n, uint32_t by)
{
	return n + by <= t->cap ? n + by : n + by - t->cap;
}

void *snat_table_put(struct snat_table *t, uint32_t hash, const void *key)
{
	uint32_t n = t->next, i = hash & t->mask;
	struct snat_item *item = item_at(t, n);

	if (item->used)
		unlink_item(t, n);
	memset(item, 0, t->clear);
	memcpy((uint8_t *)item + t->key_at, key, t->key_len);
	item->used = true;
	item->hash = hash;
	t->is_full |= n == t->cap;
	t->next = n == t->cap ? 1 : n + 1;
	while (t->slots[i].item != 0)
		i = slot_after(t, i);
	t->slots[i] = (struct snat_slot){ hash, n };
	bound_same(t, hash);
	__builtin_prefetch(item_at(t, number_after(t, t->next, SOON)), 1);
	return item;
}

void snat_table_ask(const struct snat_table *t, uint32_t hash, uint32_t nth)
{
	const struct snat_item *gone = item_at(t, number_after(t, t->next, nth % CAP_MIN));

	lya_ask_ahead(&t->slots[hash & t->mask]);
	if (t->is_full)
		lya_ask_ahead(&t->slots[gone->hash & t->mask]);
}

void snat_table_ask_item(const struct snat_table *t, uint32_t hash)
{
	uint32_t i = hash & t->mask;

	while (t->slots[i].item != 0 && t->slots[i].hash != hash)
		i = slot_after(t, i);
	if (t->slots[i].item != 0)
		lya_ask_ahead(item_at(t, t->slots[i].item));
}
