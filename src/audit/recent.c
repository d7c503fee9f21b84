/*
 * recent.c - a bounded memory of what is in use.
 */
#include "audit/recent.h"

#include <string.h>

bool audit_recent_init(struct audit_recent *r, size_t key_size, size_t value_size, size_t entries,
		       bool (*is_of_use)(const void *value, int64_t now_ns))
{
	*r = (struct audit_recent){ .key_size = key_size,
				    .value_size = value_size,
				    .max = entries / 2 + 1,
				    .is_of_use = is_of_use };
	r->young = lya_map_new(key_size, value_size, r->max);
	return r->young != NULL;
}

void audit_recent_fini(struct audit_recent *r)
{
	lya_map_free(r->young);
	lya_map_free(r->old);
	*r = (struct audit_recent){ 0 };
}

/* The old generation goes, and the young one becomes old.  False: out of memory. */
static bool turn(struct audit_recent *r, int64_t now_ns)
{
	struct lya_map *fresh = lya_map_new(r->key_size, r->value_size, r->max);
	const void *key;
	void *value;
	size_t pos = 0;

	if (fresh == NULL)
		return false;
	while (r->old != NULL && lya_map_next(r->old, &pos, &key, &value))
		r->lost += lya_map_find(r->young, key) == NULL && r->is_of_use(value, now_ns);
	lya_map_free(r->old);
	r->old = r->young;
	r->young = fresh;
	return true;
}

/* What is found in the old generation goes on in the young one, if that has room. */
static void *find_old(struct audit_recent *r, const void *key)
{
	void *before = r->old != NULL ? lya_map_find(r->old, key) : NULL;
	void *now;

	if (before == NULL || lya_map_count(r->young) >= r->max)
		return before;
	now = lya_map_put(r->young, key, NULL);
	if (now == NULL)
		return before;
	memcpy(now, before, r->value_size);
	return now;
}

void *audit_recent_find(struct audit_recent *r, const void *key)
{
	void *value = lya_map_count(r->young) > 0 ? lya_map_find(r->young, key) : NULL;

	return value != NULL ? value : find_old(r, key);
}

/* One look where there is room, which is nearly always. */
static void *put_young(struct audit_recent *r, const void *key, bool *made)
{
	void *value = lya_map_put(r->young, key, made);
	const void *before;

	if (value == NULL || !*made || r->old == NULL)
		return value;
	before = lya_map_find(r->old, key);
	if (before == NULL)
		return value;
	memcpy(value, before, r->value_size);
	*made = false;
	return value;
}

void *audit_recent_put(struct audit_recent *r, const void *key, int64_t now_ns, bool *made)
{
	void *value;

	if (lya_map_count(r->young) < r->max)
		return put_young(r, key, made);
	value = audit_recent_find(r, key);
	*made = false;
	if (value != NULL)
		return value;
	return turn(r, now_ns) ? put_young(r, key, made) : NULL;
}

void audit_recent_each(const struct audit_recent *r, void (*fn)(void *ctx, void *value), void *ctx)
{
	struct lya_map *maps[] = { r->young, r->old };

	for (size_t i = 0; i < 2; i++) {
		const void *key;
		void *value;
		size_t pos = 0;

		while (maps[i] != NULL && lya_map_next(maps[i], &pos, &key, &value))
			fn(ctx, value);
	}
}
