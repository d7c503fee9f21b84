/*
 * hash.c - a keyed hash, and a map from fixed-size keys.
 */
#include "lyncaudit/hash.h"

#include <sys/random.h>
#include <time.h>

#include "lyncaudit/alloc.h"

struct lya_hash_key lya_hash_key_random(void)
{
	struct lya_hash_key key;

	/* Without random numbers (a kernel long before ours) any key will do: only speed is at
	 * stake. */
	if (getrandom(&key, sizeof(key), 0) != (ssize_t)sizeof(key)) {
		key.k0 = (uint64_t)time(NULL);
		key.k1 = (uint64_t)(uintptr_t)&key;
	}
	key.k0 |= 1; /* a factor of zero would fold everything to zero */
	key.k1 |= 1;
	return key;
}

uint64_t lya_hash(const struct lya_hash_key *key, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t h = key->k0 ^ len;

	for (size_t left = len; left > 0;) {
		uint64_t word = 0;
		size_t n = left < sizeof(word) ? left : sizeof(word);

		memcpy(&word, p, n);
		h = lya_hash_mix(h ^ word, key->k1 ^ UINT64_C(0x9e3779b97f4a7c15));
		p += n;
		left -= n;
	}
	return lya_hash_mix(h ^ key->k1, UINT64_C(0xe7037ed1a0b428db));
}

/*
 * Entries lie in order of insertion, key and value side by side; slots hold
 * entry numbers from 1.  Values move when the map grows.
 */
struct lya_map {
	struct lya_hash_key key;
	size_t key_size, value_size, entry_size, value_at;
	size_t max_items;
	size_t n, cap;
	uint8_t *entries;
	uint32_t *slots;
	size_t n_slots; /* a power of two */
};

enum { FIRST_SLOTS = 64 };

static size_t align8(size_t n)
{
	return (n + 7) & ~(size_t)7;
}

struct lya_map *lya_map_new(size_t key_size, size_t value_size, size_t max_items)
{
	struct lya_map *m = lya_calloc(1, sizeof(*m));

	if (m == NULL)
		return NULL;
	m->slots = lya_calloc(FIRST_SLOTS, sizeof(*m->slots));
	if (m->slots == NULL) {
		lya_free(m);
		return NULL;
	}
	m->key = lya_hash_key_random();
	m->key_size = key_size;
	m->value_size = value_size;
	m->value_at = align8(key_size);
	m->entry_size = m->value_at + align8(value_size);
	m->max_items = max_items != 0 && max_items < UINT32_MAX ? max_items : UINT32_MAX - 1;
	m->n_slots = FIRST_SLOTS;
	return m;
}

void lya_map_free(struct lya_map *m)
{
	if (m == NULL)
		return;
	lya_free(m->entries);
	lya_free(m->slots);
	lya_free(m);
}

size_t lya_map_count(const struct lya_map *m)
{
	return m->n;
}

static uint8_t *entry_at(const struct lya_map *m, size_t i)
{
	return m->entries + i * m->entry_size;
}

/* The slot that holds key, or the free one where it belongs. */
static size_t find_slot(const struct lya_map *m, const void *key)
{
	size_t i = (size_t)lya_hash(&m->key, key, m->key_size) & (m->n_slots - 1);

	while (m->slots[i] != 0) {
		if (memcmp(entry_at(m, m->slots[i] - 1), key, m->key_size) == 0)
			return i;
		i = (i + 1) & (m->n_slots - 1);
	}
	return i;
}

void *lya_map_find(const struct lya_map *m, const void *key)
{
	size_t i = find_slot(m, key);

	return m->slots[i] != 0 ? entry_at(m, m->slots[i] - 1) + m->value_at : NULL;
}

/* Double the slots and enter every key again. */
static bool grow_slots(struct lya_map *m)
{
	uint32_t *old = m->slots;
	uint32_t *slots = lya_calloc(m->n_slots * 2, sizeof(*slots));

	if (slots == NULL)
		return false;
	m->slots = slots;
	m->n_slots *= 2;
	for (size_t i = 0; i < m->n; i++)
		slots[find_slot(m, entry_at(m, i))] = (uint32_t)(i + 1);
	lya_free(old);
	return true;
}

void *lya_map_put(struct lya_map *m, const void *key, bool *made)
{
	void *value = lya_map_find(m, key);

	if (made != NULL)
		*made = false;
	if (value != NULL)
		return value;
	if (m->n >= m->max_items)
		return NULL;
	if ((m->n + 1) * 8 > m->n_slots * 5 && !grow_slots(m))
		return NULL;
	if (lya_grow((void **)&m->entries, &m->cap, m->n + 1, m->entry_size) < 0)
		return NULL;
	m->slots[find_slot(m, key)] = (uint32_t)(m->n + 1);
	memset(entry_at(m, m->n), 0, m->entry_size);
	memcpy(entry_at(m, m->n), key, m->key_size);
	value = entry_at(m, m->n) + m->value_at;
	m->n++;
	if (made != NULL)
		*made = true;
	return value;
}

bool lya_map_next(const struct lya_map *m, size_t *pos, const void **key, void **value)
{
	if (*pos >= m->n)
		return false;
	*key = entry_at(m, *pos);
	*value = entry_at(m, *pos) + m->value_at;
	(*pos)++;
	return true;
}
