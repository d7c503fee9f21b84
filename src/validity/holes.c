/*
 * holes.c - the time that no source covers.
 *
 * Two captures of a minute that lie a week apart are no audit of a week: what was not seen
 * in between shows nothing.
 */
#include "lyncaudit/validity.h"

#include <stdlib.h>

#include "lyncaudit/alloc.h"
#include "lyncaudit/timeutil.h"

struct span {
	int64_t first_ns, last_ns;
	uint64_t gaps_ns; /* silences within it */
	size_t source;
};

/* Sources that overlap or touch, as one. */
struct stretch {
	int64_t first_ns, last_ns;
	uint64_t gaps_ns;    /* of all of them */
	uint64_t longest_ns; /* what the best of them saw */
};

static uint64_t apart(int64_t from_ns, int64_t to_ns)
{
	return (uint64_t)to_ns - (uint64_t)from_ns;
}

static int by_first(const void *pa, const void *pb)
{
	const struct span *a = pa, *b = pb;

	if (a->first_ns != b->first_ns)
		return a->first_ns < b->first_ns ? -1 : 1;
	return (a->source > b->source) - (a->source < b->source);
}

static size_t collect(const struct lya_validity *v, const struct lya_source *sources, size_t n,
		      struct span *list)
{
	struct lya_source_measures m;
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		if (sources[i].first_ns == LYA_TIME_NONE)
			continue;
		lya_validity_measures(v, i, &m);
		list[kept++] = (struct span){ sources[i].first_ns, sources[i].last_ns,
					      m.gap_ns - m.gap_before_ns, i };
	}
	if (kept > 0)
		qsort(list, kept, sizeof(*list), by_first);
	return kept;
}

static void extend(struct stretch *s, const struct span *more)
{
	uint64_t length = apart(more->first_ns, more->last_ns);
	uint64_t seen = length > more->gaps_ns ? length - more->gaps_ns : 0;

	if (more->last_ns > s->last_ns)
		s->last_ns = more->last_ns;
	s->gaps_ns += more->gaps_ns;
	if (seen > s->longest_ns)
		s->longest_ns = seen;
}

/* At most: where one source was silent another may have seen something. */
static uint64_t silent(const struct stretch *s)
{
	uint64_t rest = apart(s->first_ns, s->last_ns) - s->longest_ns;

	return s->gaps_ns < rest ? s->gaps_ns : rest;
}

int lya_validity_holes(const struct lya_validity *v, const struct lya_source *sources, size_t n,
		       uint64_t *before_ns, uint64_t *unseen_ns, struct lya_error *err)
{
	struct span *list = lya_calloc(n + 1, sizeof(*list));
	struct stretch s = { 0 };
	size_t kept;

	*unseen_ns = 0;
	if (list == NULL)
		return lya_error_nomem(err);
	kept = collect(v, sources, n, list);
	for (size_t i = 0; i < kept; i++) {
		if (i > 0 && list[i].first_ns > s.last_ns) {
			uint64_t hole = apart(s.last_ns, list[i].first_ns);

			*unseen_ns += hole + silent(&s);
			if (before_ns != NULL)
				before_ns[list[i].source] = hole;
		}
		if (i == 0 || list[i].first_ns > s.last_ns)
			s = (struct stretch){ list[i].first_ns, list[i].first_ns, 0, 0 };
		extend(&s, &list[i]);
	}
	*unseen_ns += silent(&s);
	lya_free(list);
	return LYA_OK;
}
