/*
 * clock.c - how far the clocks of two sensors are apart.
 *
 * A packet that passed both has the same hash in both captures (duplicate.c),
 * so the difference of its times is that of the clocks.  How far they are
 * apart is not known beforehand, it may be hours: so a sample of the whole
 * audit is kept, chosen by the hash alone, that both captures choose the same
 * packets.  When the sample is full its share is halved, and what falls outside
 * is forgotten: memory is fixed, whatever the traffic.
 *
 * One packet proves nothing, for hosts do send the same bytes twice.  Several
 * that agree do.
 */
#include "reasm/reasm.h"

#include <stdlib.h>

#include "lyncaudit/alloc.h"

enum {
	SAMPLE_MAX = 2048,
	SLOTS = 2 * SAMPLE_MAX,
	PROBES = 16,   /* beyond, a packet is left out: chosen hashes must not cost time */
	PAIRS_MIN = 8, /* packets that must agree */
	NOBODY = -1,
	UNSURE = -2 /* the same source saw it more than once */
};

/* Packets that agree differ by what the way from one sensor to the other takes. */
static const int64_t AGREE_NS = INT64_C(10000000);
/* The copies that a mirror makes come within that; later it is another packet. */
static const int64_t COPY_NS = INT64_C(10000000);
/* Ten years: times beyond that are no clock's. */
static const int64_t APART_MAX_NS = INT64_C(315360000) * INT64_C(1000000000);

/* A packet of the sample. */
struct shared {
	uint64_t hash; /* 0: free */
	int64_t time_ns[2];
	int32_t source[2]; /* the first sources that saw it; NOBODY; [1]: UNSURE */
};

struct clocks *clocks_new(void)
{
	struct clocks *c = lya_calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->limit = UINT64_MAX;
	c->slots = lya_calloc(SLOTS, sizeof(*c->slots));
	c->spare = lya_calloc(SAMPLE_MAX, sizeof(*c->spare));
	if (c->slots == NULL || c->spare == NULL) {
		clocks_free(c);
		return NULL;
	}
	return c;
}

void clocks_free(struct clocks *c)
{
	if (c == NULL)
		return;
	lya_free(c->slots);
	lya_free(c->spare);
	lya_free(c);
}

size_t clocks_bytes(void)
{
	return sizeof(struct clocks) + (SLOTS + SAMPLE_MAX) * sizeof(struct shared);
}

/* The place of a hash, which the high bits let in; NULL when there is none. */
static struct shared *find(struct clocks *c, uint64_t hash)
{
	for (size_t i = 0; i < PROBES; i++) {
		struct shared *s = &c->slots[((size_t)(hash >> 1) + i) & (SLOTS - 1)];

		if (s->hash == 0 || s->hash == hash)
			return s;
	}
	return NULL;
}

/* Make room by halving the share of packets that are let in. */
static void halve(struct clocks *c)
{
	size_t n = 0;

	c->limit >>= 1;
	for (size_t i = 0; i < SLOTS; i++) {
		if (c->slots[i].hash != 0 && c->slots[i].hash <= c->limit)
			c->spare[n++] = c->slots[i];
		c->slots[i].hash = 0;
	}
	c->n = 0;
	for (size_t i = 0; i < n; i++) {
		struct shared *s = find(c, c->spare[i].hash);

		if (s == NULL)
			continue;
		*s = c->spare[i];
		c->n++;
	}
}

static bool is_copy(int64_t a, int64_t b)
{
	return (uint64_t)a - (uint64_t)b + (uint64_t)COPY_NS <=
	       2 * (uint64_t)COPY_NS; /* any a, b */
}

static void see_again(struct shared *s, int32_t source, int64_t time_ns)
{
	if (s->source[0] == source) {
		if (!is_copy(s->time_ns[0], time_ns))
			s->source[1] = UNSURE;
	} else if (s->source[1] == NOBODY) {
		s->source[1] = source;
		s->time_ns[1] = time_ns;
	} else if (s->source[1] == source && !is_copy(s->time_ns[1], time_ns)) {
		s->source[1] = UNSURE;
	}
}

void clocks_see(struct clocks *c, uint64_t hash, const struct lya_packet *pkt)
{
	int32_t source = (int32_t)lya_packet_source(pkt);
	struct shared *s;

	if (pkt->kind != LYA_PKT_TCP && pkt->kind != LYA_PKT_UDP)
		return; /* hellos and pings say the same all the time */
	s = find(c, hash);
	if (s == NULL)
		return;
	if (s->hash != 0) {
		see_again(s, source, pkt->time_ns);
		return;
	}
	*s = (struct shared){ .hash = hash,
			      .time_ns = { pkt->time_ns },
			      .source = { source, NOBODY } };
	if (++c->n == SAMPLE_MAX)
		halve(c);
}

/* One packet of two sources: how much later the one of the higher number saw it. */
struct difference {
	uint32_t source, twin;
	int64_t ahead_ns;
};

static int compare(const void *a, const void *b)
{
	const struct difference *x = a;
	const struct difference *y = b;

	if (x->source != y->source)
		return x->source < y->source ? -1 : 1;
	if (x->twin != y->twin)
		return x->twin < y->twin ? -1 : 1;
	return x->ahead_ns < y->ahead_ns ? -1 : x->ahead_ns > y->ahead_ns;
}

/* How much later the source of the higher number saw it; false when that is no difference of
 * clocks. */
static bool difference_of(const struct shared *s, struct difference *d)
{
	unsigned later = s->source[0] > s->source[1] ? 0 : 1;

	if (s->hash == 0 || s->source[1] < 0)
		return false;
	d->source = (uint32_t)s->source[later];
	d->twin = (uint32_t)s->source[!later];
	return !__builtin_sub_overflow(s->time_ns[later], s->time_ns[!later], &d->ahead_ns) &&
	       d->ahead_ns <= APART_MAX_NS && d->ahead_ns >= -APART_MAX_NS;
}

static size_t list_differences(const struct clocks *c, struct difference *list)
{
	size_t n = 0;

	for (size_t i = 0; i < SLOTS; i++)
		n += difference_of(&c->slots[i], &list[n]);
	qsort(list, n, sizeof(*list), compare);
	return n;
}

/* The median of n sorted differences, and how many agree with it. */
static struct lya_clock_offset estimate(const struct difference *list, size_t n)
{
	struct lya_clock_offset o = { .source = list[0].source,
				      .twin = list[0].twin,
				      .ahead_ns = list[n / 2].ahead_ns };

	for (size_t i = 0; i < n; i++) {
		int64_t off = list[i].ahead_ns - o.ahead_ns;

		o.packets += off <= AGREE_NS && -off <= AGREE_NS;
	}
	if (o.packets < PAIRS_MIN || o.packets < n - n / 2)
		o.packets = 0;
	return o;
}

/* Of each source the estimate that most packets speak for. */
static size_t estimate_all(const struct difference *list, size_t n, struct lya_clock_offset *out)
{
	size_t found = 0;

	for (size_t from = 0, to; from < n; from = to) {
		struct lya_clock_offset o;

		for (to = from + 1; to < n && list[to].source == list[from].source &&
				    list[to].twin == list[from].twin;)
			to++;
		o = estimate(&list[from], to - from);
		if (o.packets == 0)
			continue;
		if (found > 0 && out[found - 1].source == o.source) {
			if (o.packets > out[found - 1].packets)
				out[found - 1] = o;
			continue;
		}
		out[found++] = o;
	}
	return found;
}

int clocks_estimate(const struct clocks *c, struct lya_clock_offset **list, size_t *n)
{
	struct difference *differences = lya_calloc(SLOTS, sizeof(*differences));
	size_t found;

	*list = lya_calloc(SAMPLE_MAX / PAIRS_MIN, sizeof(**list));
	if (differences == NULL || *list == NULL) {
		lya_free(differences);
		lya_free(*list);
		*list = NULL;
		return LYA_ENOMEM;
	}
	found = list_differences(c, differences);
	*n = estimate_all(differences, found, *list);
	lya_free(differences);
	return LYA_OK;
}
