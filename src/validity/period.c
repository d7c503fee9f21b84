/*
 * period.c - counts by period, as sums that can be kept and joined.
 */
#include "validity/validity.h"

#include <string.h>

#include "lyncaudit/alloc.h"

enum { SOURCES_MAX = 65536 };

/* What is counted begins again; what tells one second from the next goes on. */
static void begin_again(struct lya_validity *v)
{
	for (size_t i = 0; i < v->n; i++) {
		struct source_state *s = &v->sources[i];

		s->measures = (struct lya_source_measures){ 0 };
		s->flows = s->one_sided = 0;
		s->steady.pending = 0; /* those were told */
		s->steady.pending_ns = 0;
	}
}

int lya_validity_period(struct lya_validity *v, bool begin, struct lya_validity **out,
			struct lya_error *err)
{
	int rc = lya_validity_new(out, err);

	if (rc != LYA_OK)
		return rc;
	if (lya_validity_merge(*out, v) != LYA_OK) {
		lya_validity_free(*out);
		*out = NULL;
		return lya_error_nomem(err);
	}
	if (begin)
		begin_again(v);
	return LYA_OK;
}

/* As bytes ------------------------------------------------------------------------------ */

enum { COUNTERS = 16 };

/* The sums of a source, one after the other; the greatest step back comes last. */
static void counters_of(struct source_state *s, uint64_t *list[static COUNTERS])
{
	struct lya_source_measures *m = &s->measures;
	uint64_t *const all[COUNTERS] = {
		&s->flows,         &s->one_sided,
		&m->lost,          &m->seen,
		&m->duplicates[1], &m->duplicates[2],
		&m->duplicates[3], &m->cut_ports,
		&m->cut_flags,     &m->bad_ip_checksums,
		&m->checked,       &m->bad_checksums,
		&m->unfinished,    &m->gaps,
		&m->gap_ns,        &m->gap_before_ns,
	};

	memcpy(list, all, sizeof(all));
}

void lya_validity_pack(const struct lya_validity *v, struct lya_pack *out)
{
	uint64_t *list[COUNTERS];

	lya_pack_uint(out, v->n);
	for (size_t i = 0; i < v->n; i++) {
		struct source_state told = v->sources[i];

		lya_validity_measures(v, i, &told.measures);
		counters_of(&told, list);
		for (size_t k = 0; k < COUNTERS; k++)
			lya_pack_uint(out, *list[k]);
		lya_pack_uint(out, told.measures.back_ns);
	}
}

int lya_validity_unpack(struct lya_validity *v, struct lya_unpack *in)
{
	size_t n = lya_unpack_count(in, SOURCES_MAX, COUNTERS + 1);
	uint64_t *list[COUNTERS];
	int rc = validity_reach(v, n);

	for (size_t i = 0; i < n && rc == LYA_OK; i++) {
		counters_of(&v->sources[i], list);
		for (size_t k = 0; k < COUNTERS; k++)
			*list[k] = lya_unpack_uint(in, UINT64_MAX);
		v->sources[i].measures.back_ns = lya_unpack_uint(in, UINT64_MAX);
	}
	return rc;
}
