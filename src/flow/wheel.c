/*
 * wheel.c - which flow has been quiet for how long.
 */
#include "flow/table.h"

#include <string.h>

#include "lyncaudit/alloc.h"
#include "lyncaudit/timeutil.h"

/*
 * A clock that steps back by more than this has been set: the table's own
 * goes on from where it was.  Beyond every timeout, so that packets out of
 * order, or two clocks that disagree, cannot drive the table's clock on.
 */
#define CLOCK_SET_NS (INT64_C(7200) * LYA_SECOND_NS)

static const uint32_t TIMEOUTS[FLOW_CLASSES] = {
	[FLOW_CLASS_OPENING] = LYA_FLOW_TCP_OPENING_S, [FLOW_CLASS_ONE_WAY] = LYA_FLOW_UDP_IDLE_S,
	[FLOW_CLASS_STRAY] = LYA_FLOW_TCP_IDLE_S,      [FLOW_CLASS_UDP] = LYA_FLOW_UDP_IDLE_S,
	[FLOW_CLASS_TCP] = LYA_FLOW_TCP_IDLE_S,        [FLOW_CLASS_CLOSED] = LYA_FLOW_TCP_CLOSED_S,
};

/* Buckets for the timeout, the second under way and the one that is ending. */
static uint32_t wheel_size(uint32_t timeout_s)
{
	uint32_t size = 1;

	while (size < timeout_s + 2)
		size *= 2;
	return size;
}

int flow_wheels_init(struct lya_flow_table *t)
{
	uint32_t n = 0;

	for (unsigned f = 0; f < FLOW_FAMILIES; f++) {
		for (unsigned c = 0; c < FLOW_CLASSES; c++) {
			struct flow_wheel *w = &t->wheels[f][c];

			w->timeout_s = TIMEOUTS[c];
			w->mask = wheel_size(TIMEOUTS[c]) - 1;
			w->code = FLOW_BUCKET | n;
			n += w->mask + 1;
		}
	}
	t->n_buckets = n;
	t->buckets = lya_calloc(n, sizeof(*t->buckets));
	if (t->buckets == NULL)
		return LYA_ENOMEM;
	for (unsigned f = 0; f < FLOW_FAMILIES; f++)
		for (unsigned c = 0; c < FLOW_CLASSES; c++)
			t->wheels[f][c].buckets = &t->buckets[t->wheels[f][c].code & ~FLOW_BUCKET];
	return LYA_OK;
}

void flow_wheels_fini(struct lya_flow_table *t)
{
	lya_free(t->buckets);
}

/* The second in which a flow was last seen: within the last 65535 by the table's clock. */
static int64_t seen_at(const struct lya_flow_table *t, const struct flow_hot *h)
{
	return t->now_s - (uint16_t)((uint64_t)t->now_s - h->seen_s);
}

void flow_link(struct lya_flow_table *t, uint32_t n, unsigned class)
{
	struct flow_hot *h = flow_hot_at(t, n);
	struct flow_wheel *w = &t->wheels[flow_family(n)][class];
	int64_t s = seen_at(t, h);
	uint32_t i = (uint32_t)s & w->mask;
	struct flow_bucket *b = &w->buckets[i];

	h->flags =
	    (uint16_t)((h->flags & ((1u << FLOW_CLASS_SHIFT) - 1)) | class << FLOW_CLASS_SHIFT);
	h->next = w->code + i;
	h->prev = b->tail != 0 ? b->tail : w->code + i;
	if (b->tail != 0)
		flow_hot_at(t, b->tail)->next = n;
	else
		b->head = n;
	b->tail = n;
	if (w->count == 0 || s < w->oldest_s)
		w->oldest_s = s;
	w->count++;
	if (class < FLOW_CLASS_HALF_OPEN)
		t->arena[flow_family(n)].half_open++;
}

void flow_unlink(struct lya_flow_table *t, uint32_t n)
{
	struct flow_hot *h = flow_hot_at(t, n);
	bool first = (h->prev & FLOW_BUCKET) == FLOW_BUCKET;
	bool last = (h->next & FLOW_BUCKET) == FLOW_BUCKET;
	unsigned class = flow_class_of(h);

	if (first)
		t->buckets[h->prev & ~FLOW_BUCKET].head = last ? 0 : h->next;
	else
		flow_hot_at(t, h->prev)->next = h->next;
	if (last)
		t->buckets[h->next & ~FLOW_BUCKET].tail = first ? 0 : h->prev;
	else
		flow_hot_at(t, h->next)->prev = h->prev;
	t->wheels[flow_family(n)][class].count--;
	if (class < FLOW_CLASS_HALF_OPEN)
		t->arena[flow_family(n)].half_open--;
}

/* A flow that stands in the bucket of second s: move it on if it was seen since. */
static bool moved_on(struct lya_flow_table *t, uint32_t n, int64_t s)
{
	const struct flow_hot *h = flow_hot_at(t, n);

	if (seen_at(t, h) == s)
		return false;
	flow_unlink(t, n);
	flow_link(t, n, flow_class_of(h));
	return true;
}

/* Of two flows, is a the one to end first? */
static bool ends_before(const struct lya_flow_table *t, uint32_t a, uint32_t b)
{
	int64_t la = flow_hot_at(t, a)->last_ns;
	int64_t lb = flow_hot_at(t, b)->last_ns;

	return la != lb ? la < lb : flow_serial(t, a) < flow_serial(t, b);
}

static uint32_t merge(struct lya_flow_table *t, uint32_t a, uint32_t b)
{
	uint32_t head = 0;
	uint32_t *link = &head;

	while (a != 0 && b != 0) {
		uint32_t *from = ends_before(t, b, a) ? &b : &a;

		*link = *from;
		link = &flow_hot_at(t, *from)->next;
		*from = *link;
	}
	*link = a != 0 ? a : b;
	return head;
}

/* Cut the ascending run at the head of *list off; *list becomes the rest. */
static uint32_t take_run(struct lya_flow_table *t, uint32_t *list)
{
	uint32_t run = *list;
	uint32_t end = run;
	uint32_t next;

	while ((next = flow_hot_at(t, end)->next) != 0 && !ends_before(t, next, end))
		end = next;
	flow_hot_at(t, end)->next = 0;
	*list = next;
	return run;
}

/*
 * Natural merge sort: buckets are nearly in order, and one that is needs a
 * single pass.  Level i holds a merger of 2^i runs.
 */
uint32_t flow_sort(struct lya_flow_table *t, uint32_t list)
{
	uint32_t levels[32] = { 0 };
	uint32_t out = 0;
	unsigned top = 0;

	while (list != 0) {
		uint32_t run = take_run(t, &list);
		unsigned i = 0;

		for (; i < top && levels[i] != 0; i++) {
			run = merge(t, levels[i], run);
			levels[i] = 0;
		}
		levels[i] = run;
		if (i == top)
			top++;
	}
	for (unsigned i = 0; i < top; i++)
		out = merge(t, levels[i], out);
	return out;
}

/* Take what stood still since second s out of a wheel, in front of list. */
static uint32_t take_idle(struct lya_flow_table *t, struct flow_wheel *w, int64_t s, uint32_t list)
{
	struct flow_bucket *b = &w->buckets[(uint32_t)s & w->mask];
	uint32_t first = 0;
	uint32_t *link = &first;

	while (b->head != 0) {
		uint32_t n = b->head;

		if (moved_on(t, n, s))
			continue;
		flow_unlink(t, n);
		*link = n;
		link = &flow_hot_at(t, n)->next;
	}
	*link = list;
	return first;
}

/* End all that is idle at the table's clock, now_s having just begun. */
static int end_idle(struct lya_flow_table *t)
{
	uint32_t list = 0;

	for (unsigned f = 0; f < FLOW_FAMILIES; f++) {
		for (unsigned c = 0; c < FLOW_CLASSES; c++) {
			struct flow_wheel *w = &t->wheels[f][c];

			if (w->count != 0)
				list = take_idle(t, w, t->now_s - w->timeout_s - 1, list);
		}
	}
	if (list == 0)
		return LYA_OK;
	return flow_end_list(t, flow_sort(t, list));
}

static int64_t floor_s(int64_t ns)
{
	return ns >= 0 ? ns / LYA_SECOND_NS : -((-(ns + 1)) / LYA_SECOND_NS) - 1;
}

static int64_t clamped_add(int64_t a, int64_t b)
{
	int64_t sum;

	if (__builtin_add_overflow(a, b, &sum))
		return b > 0 ? INT64_MAX : INT64_MIN;
	return sum;
}

/* True when no flow is open, so that the clock may jump. */
static bool nothing_open(const struct lya_flow_table *t)
{
	return t->arena[0].live == 0 && t->arena[1].live == 0;
}

static void begin_second(struct lya_flow_table *t, int64_t second)
{
	t->now_s = second;
	if (__builtin_mul_overflow(second + 1, LYA_SECOND_NS, &t->second_ends))
		t->second_ends = INT64_MAX;
}

/* Second by second, as long as there is anything to end. */
static int pass_seconds(struct lya_flow_table *t, int64_t target)
{
	while (t->now_s < target) {
		int rc;

		if (nothing_open(t)) {
			begin_second(t, target);
			break;
		}
		begin_second(t, t->now_s + 1);
		rc = end_idle(t);
		if (rc != LYA_OK)
			return rc;
	}
	return LYA_OK;
}

int flow_clock_move(struct lya_flow_table *t, int64_t time_ns)
{
	int64_t at = clamped_add(time_ns, t->skew_ns);

	if (!t->started) {
		t->started = true;
		t->now_ns = at;
		begin_second(t, floor_s(at));
		return LYA_OK;
	}
	if (at < t->now_ns) {
		if (at < clamped_add(t->now_ns, -CLOCK_SET_NS))
			t->skew_ns =
			    clamped_add(t->now_ns, time_ns > -INT64_MAX ? -time_ns : INT64_MAX);
		return LYA_OK;
	}
	t->now_ns = at;
	return pass_seconds(t, floor_s(at));
}

/* The head of a wheel's oldest bucket, after those that were seen since have moved on. */
static uint32_t wheel_quietest(struct lya_flow_table *t, struct flow_wheel *w, int64_t *s)
{
	/* earlier buckets were emptied by the clock, and stand for later seconds now */
	if (w->oldest_s < t->now_s - w->timeout_s)
		w->oldest_s = t->now_s - w->timeout_s;
	while (w->count != 0) {
		uint32_t n = w->buckets[(uint32_t)w->oldest_s & w->mask].head;

		if (n == 0) {
			w->oldest_s++;
		} else if (!moved_on(t, n, w->oldest_s)) {
			*s = w->oldest_s;
			return n;
		}
	}
	return 0;
}

uint32_t flow_quietest(struct lya_flow_table *t, unsigned family, unsigned from, unsigned to)
{
	uint32_t best = 0;
	int64_t best_s = 0;

	for (unsigned f = 0; f < FLOW_FAMILIES; f++) {
		if (family != FLOW_FAMILIES && family != f)
			continue;
		for (unsigned c = from; c < to; c++) {
			int64_t s = 0;
			uint32_t n = wheel_quietest(t, &t->wheels[f][c], &s);

			if (n == 0 || (best != 0 && s > best_s))
				continue;
			if (best == 0 || s < best_s || ends_before(t, n, best)) {
				best = n;
				best_s = s;
			}
		}
	}
	return best;
}
