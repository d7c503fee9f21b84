/*
 * hash.h - a keyed hash, and a map from fixed-size keys.
 *
 * The key is random per table, so that chosen addresses cannot build chains.
 * No output order may come from a hash: sort what is written.
 */
#ifndef LYNCAUDIT_HASH_H
#define LYNCAUDIT_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct lya_hash_key {
	uint64_t k0, k1;
};

/* A key from the kernel's random numbers. */
struct lya_hash_key lya_hash_key_random(void);

/* 64x64 to 128-bit multiply, folded: the mixing step (as wyhash and others use it). */
static inline uint64_t lya_hash_mix(uint64_t a, uint64_t b)
{
	unsigned __int128 p = (unsigned __int128)a * b;

	return (uint64_t)p ^ (uint64_t)(p >> 64);
}

/* Hash of len bytes. */
uint64_t lya_hash(const struct lya_hash_key *key, const void *data, size_t len);

/*
 * A map: keys of key_size bytes (padding zeroed by the caller), values of
 * value_size bytes, both copied in.  Open addressing; memory in one block.
 */
struct lya_map;

/* max_items bounds the number of entries (0: none); NULL when out of memory. */
struct lya_map *lya_map_new(size_t key_size, size_t value_size, size_t max_items);
void lya_map_free(struct lya_map *m);
size_t lya_map_count(const struct lya_map *m);
/* The value of key, borrowed until the next put; NULL when absent. */
void *lya_map_find(const struct lya_map *m, const void *key);
/*
 * The value of key, made zero when it was absent (*made tells; may be NULL).
 * NULL when out of memory or full.
 */
void *lya_map_put(struct lya_map *m, const void *key, bool *made);
/*
 * Walk in order of insertion: start with *pos 0; false at the end.  Entries
 * may be changed, none may be added meanwhile.
 */
bool lya_map_next(const struct lya_map *m, size_t *pos, const void **key, void **value);

#endif
