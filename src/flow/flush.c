/*
 * flush.c - the end of all flows, in order.
 *
 * A million flows want sorting by their last packet without memory of its own:
 * the index is not needed any more, so its lines are used to sort in: eight
 * bytes a record, the time of the last packet scaled to 32 bits and its number.
 */
#include "flow/table.h"

#include <string.h>

enum { SMALL = 24 }; /* below it insertion is quicker than splitting */

struct place {
	uint32_t time; /* of the last packet, scaled */
	uint32_t record;
};

_Static_assert(sizeof(struct place) * FLOW_LINE == sizeof(struct flow_line),
	       "the index holds a place for each record");

struct sort {
	struct lya_flow_table *t;
	struct place *list;
};

/* Of equal scaled times the records decide. */
static bool comes_before(const struct lya_flow_table *t, struct place a, struct place b)
{
	int64_t la, lb;

	if (a.time != b.time)
		return a.time < b.time;
	la = flow_hot_at(t, a.record)->last_ns;
	lb = flow_hot_at(t, b.record)->last_ns;
	return la != lb ? la < lb : flow_serial(t, a.record) < flow_serial(t, b.record);
}

static void insertion(const struct sort *s, size_t from, size_t to)
{
	for (size_t i = from + 1; i < to; i++) {
		struct place x = s->list[i];
		size_t j = i;

		for (; j > from && comes_before(s->t, x, s->list[j - 1]); j--)
			s->list[j] = s->list[j - 1];
		s->list[j] = x;
	}
}

static void sift(const struct sort *s, size_t from, size_t n, size_t i)
{
	struct place *list = s->list + from;
	struct place x = list[i];

	for (size_t child; (child = 2 * i + 1) < n; i = child) {
		if (child + 1 < n && comes_before(s->t, list[child], list[child + 1]))
			child++;
		if (!comes_before(s->t, x, list[child]))
			break;
		list[i] = list[child];
	}
	list[i] = x;
}

/* For a crowd with one and the same scaled time. */
static void heap(const struct sort *s, size_t from, size_t to)
{
	size_t n = to - from;

	for (size_t i = n / 2; i-- > 0;)
		sift(s, from, n, i);
	while (n > 1) {
		struct place x = s->list[from];

		n--;
		s->list[from] = s->list[from + n];
		s->list[from + n] = x;
		sift(s, from, n, 0);
	}
}

/* Split by one bit of the scaled time after the other; at most 32 levels deep. */
static void radix(const struct sort *s, size_t from, size_t to, int bit)
{
	size_t lo = from;
	size_t hi = to;

	if (to - from <= SMALL) {
		insertion(s, from, to);
		return;
	}
	if (bit < 0) {
		heap(s, from, to);
		return;
	}
	while (lo < hi) {
		if ((s->list[lo].time >> bit & 1) == 0) {
			lo++;
		} else {
			struct place x = s->list[lo];

			hi--;
			s->list[lo] = s->list[hi];
			s->list[hi] = x;
		}
	}
	radix(s, from, lo, bit - 1);
	radix(s, lo, to, bit - 1);
}

/* List the records in use of a family. */
static size_t collect(struct lya_flow_table *t, unsigned family, int64_t min, unsigned shift,
		      struct place *list)
{
	size_t n = 0;

	for (uint32_t i = 1; i <= t->arena[family].high; i++) {
		uint32_t number = family == 0 ? i : i | FLOW_WIDE;
		const struct flow_hot *h = flow_hot_at(t, number);

		if (flow_kind(h) == 0)
			continue;
		list[n].time = (uint32_t)(((uint64_t)h->last_ns - (uint64_t)min) >> shift);
		list[n].record = number;
		n++;
	}
	return n;
}

static void span(const struct lya_flow_table *t, int64_t *min, int64_t *max)
{
	*min = INT64_MAX;
	*max = INT64_MIN;
	for (unsigned f = 0; f < FLOW_FAMILIES; f++) {
		for (uint32_t i = 1; i <= t->arena[f].high; i++) {
			const struct flow_hot *h = flow_hot_at(t, f == 0 ? i : i | FLOW_WIDE);

			if (flow_kind(h) == 0)
				continue;
			if (h->last_ns < *min)
				*min = h->last_ns;
			if (h->last_ns > *max)
				*max = h->last_ns;
		}
	}
}

/* All flows are in the list: no wheel holds any, and their chains are made anew. */
static void empty_wheels(struct lya_flow_table *t)
{
	memset(t->buckets, 0, t->n_buckets * sizeof(*t->buckets));
	for (unsigned f = 0; f < FLOW_FAMILIES; f++) {
		t->arena[f].half_open = 0;
		for (unsigned c = 0; c < FLOW_CLASSES; c++)
			t->wheels[f][c].count = 0;
	}
}

/* In use, and both sides are heard. */
static bool is_answered(const struct flow_hot *h)
{
	if (flow_kind(h) == 0 || flow_unknown(h) != LYA_UNKNOWN_NOT)
		return false;
	return flow_is_tcp(h) ? flow_tcp_answered(h) : flow_class_of(h) == FLOW_CLASS_UDP;
}

int lya_flow_table_answered(struct lya_flow_table *t,
                        int (*fn)(void *ctx, const struct lya_flow *flow), void *ctx)
{
	for (unsigned f = 0; f < FLOW_FAMILIES && t->status == LYA_OK; f++) {
		for (uint32_t i = 1; i <= t->arena[f].high; i++) {
			uint32_t n = f == 0 ? i : i | FLOW_WIDE;
			int rc;

			if (!is_answered(flow_hot_at(t, n)))
				continue;
			rc = fn(ctx, flow_tell(t, n));
			if (rc < 0)
				return rc;
		}
	}
	if (t->status == LYA_OK && flow_lacks_memory(t))
		t->status = LYA_ENOMEM;
	return t->status;
}

int lya_flow_table_flush(struct lya_flow_table *t)
{
	struct sort s = { .t = t, .list = (void *)t->index.lines };
	int64_t min, max;
	unsigned shift = 0;
	size_t n;

	if (t->status != LYA_OK)
		return t->status;
	span(t, &min, &max);
	if (min > max)
		return LYA_OK;
	while ((((uint64_t)max - (uint64_t)min) >> shift) > UINT32_MAX)
		shift++;
	n = collect(t, 0, min, shift, s.list);
	n += collect(t, 1, min, shift, s.list + n);
	radix(&s, 0, n, 31);
	empty_wheels(t);
	t->index.count = 0;
	for (size_t i = 0; i < n && t->status == LYA_OK; i++) {
		if (i + 8 < n) {
			__builtin_prefetch(flow_hot_at(t, s.list[i + 8].record), 1);
			__builtin_prefetch(flow_cold_at(t, s.list[i + 8].record));
			if (t->options.shares)
				flow_share_expect(t, s.list[i + 8].record);
			/* it is here by now */
			__builtin_prefetch(flow_extra_of(t, flow_hot_at(t, s.list[i + 4].record)));
		}
		(void)flow_end(t, s.list[i].record);
	}
	flow_index_clear(&t->index);
	if (t->status == LYA_OK && flow_lacks_memory(t))
		t->status = LYA_ENOMEM;
	return t->status;
}
