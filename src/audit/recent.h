/*
 * recent.h - a bounded memory that forgets what was not asked for or told for longest.
 *
 * Two generations of at most half its entries each: what is told goes into the young one,
 * and so does what is found in the old one.  When the young one is full the old one goes,
 * and the young one becomes old.  So an audit without end keeps what is in use, and the
 * same packets leave the same behind whatever the hash.
 */
#ifndef LYNCAUDIT_AUDIT_RECENT_H
#define LYNCAUDIT_AUDIT_RECENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lyncaudit/hash.h"

struct audit_recent {
	struct lya_map *young, *old; /* old NULL: nothing was forgotten so far */
	size_t key_size, value_size;
	size_t max; /* entries of a generation */
	/* Whether something is lost when this value is forgotten at that time. */
	bool (*is_of_use)(const void *value, int64_t now_ns);
	uint64_t lost; /* forgotten while they were of use */
};

/* False when out of memory; audit_recent_fini is fine all the same. */
bool audit_recent_init(struct audit_recent *r, size_t key_size, size_t value_size, size_t entries,
		       bool (*is_of_use)(const void *value, int64_t now_ns));
void audit_recent_fini(struct audit_recent *r);

static inline bool audit_recent_is_empty(const struct audit_recent *r)
{
	return lya_map_count(r->young) == 0 && r->old == NULL;
}

/* The value of key, borrowed until the next call; NULL when absent. */
void *audit_recent_find(struct audit_recent *r, const void *key);
/* As lya_map_put, for what is told at that time; NULL: out of memory. */
void *audit_recent_put(struct audit_recent *r, const void *key, int64_t now_ns, bool *made);
/* Show every value, to be changed. */
void audit_recent_each(const struct audit_recent *r, void (*fn)(void *ctx, void *value), void *ctx);

#endif
