/*
 * hash.c - a keyed hash, and a map from fixed-size keys.
 */
#include "lyncaudit/hash.h"

#include <sys/random.h>
#include <time.h>

#include "lyncaudit/alloc.h"
#include "lyncaudit/word.h"

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

/* The last bytes, fewer than eight. */
static inline uint64_t tail_at(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)p[i] << 8 * i;
	return v;
}

uint64_t lya_hash(const struct lya_hash_key *key, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t h = key->k0 ^ len;
	size_t left = len;

	for (; left >= 16; p += 16, left -= 16)
		h = lya_hash_mix(h ^ lya_word64(p), key->k1 ^ lya_word64(p + 8));
	if (left >= 8) {
		h = lya_hash_mix(h ^ lya_word64(p), key->k1);
		p += 8;
		left -= 8;
	}
	if (left > 0)
		h = lya_hash_mix(h ^ tail_at(p, left), key->k1 ^ UINT64_C(0x9e3779b97f4a7c15));
	return lya_hash_mix(h ^ key->k1, UINT64_C(0xe7037ed1a0b428db));
}

/* What a slot holds of its entry: enough to pass by nearly every other key's. */
struct slot {
	uint32_t hash; /* low half */
	uint32_t entry; /* number from 1; 0: free */
};

/*
 * Entries lie in order of insertion, key and value side by side; slots find
 * them.  Values move when the map grows.
 */
struct lya_map {
	struct lya_hash_key key;
	size_t key_size, value_size, entry_size, value_at;
	size_t max_items;
	size_t n, cap;
	uint8_t *entries;
	struct slot *slots;
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

static inline uint32_t hash_of(const struct lya_map *m, const void *key)
{
	return (uint32_t)lya_hash(&m->key, key, m->key_size);
}

/* The slot that holds key, or the free one where it belongs. */
static size_t find_slot(const struct lya_map *m, const void *key, uint32_t hash)
{
	size_t i = hash & (m->n_slots - 1);

	for (; m->slots[i].entry != 0; i = (i + 1) & (m->n_slots - 1))
		if (m->slots[i].hash == hash &&
		    memcmp(entry_at(m, m->slots[i].entry - 1), key, m->key_size) == 0)
			return i;
	return i;
}

void *lya_map_find(const struct lya_map *m, const void *key)
{
	size_t i = find_slot(m, key, hash_of(m, key));

	return m->slots[i].entry != 0 ? entry_at(m, m->slots[i].entry - 1) + m->value_at : NULL;
}

/* Double the slots and enter all of them again. */
static bool grow_slots(struct lya_map *m)
{
	size_t mask = m->n_slots * 2 - 1;
	struct slot *slots = lya_calloc(m->n_slots * 2, sizeof(*slots));

	if (slots == NULL)
		return false;
	for (size_t k = 0; k < m->n_slots; k++) {
		size_t i = m->slots[k].hash & mask;

		if (m->slots[k].entry == 0)
			continue;
		while (slots[i].entry != 0)
			i = (i + 1) & mask;
		slots[i] = m->slots[k];
	}
	lya_free(m->slots);
	m->slots = slots;
	m->n_slots *= 2;
	return true;
}

/* A new entry for a key that is not there. */
static void *add_entry(struct lya_map *m, const void *key, uint32_t hash)
{
	uint8_t *entry;

	if (m->n >= m->max_items)
		return NULL;
	if ((m->n + 1) * 8 > m->n_slots * 5 && !grow_slots(m))
		return NULL;
	if (lya_grow((void **)&m->entries, &m->cap, m->n + 1, m->entry_size) < 0)
		return NULL;
	m->slots[find_slot(m, key, hash)] = (struct slot){ hash, (uint32_t)m->n + 1 };
	entry = entry_at(m, m->n++);
	memset(entry, 0, m->entry_size);
	memcpy(entry, key, m->key_size);
	return entry + m->value_at;
}

void *lya_map_put(struct lya_map *m, const void *key, bool *made)
{
	uint32_t hash = hash_of(m, key);
	size_t i = find_slot(m, key, hash);
	void *value;

	if (made != NULL)
		*made = false;
	if (m->slots[i].entry != 0)
		return entry_at(m, m->slots[i].entry - 1) + m->value_at;
	value = add_entry(m, key, hash);
	if (made != NULL)
		*made = value != NULL;
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
