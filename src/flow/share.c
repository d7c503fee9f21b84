/*
 * share.c - flows that live in several periods, and visits to flows that are open.
 *
 * A cut writes down what each open flow has counted; what comes after is another
 * period's.  Two cuts are kept, so that the share between them can be told at leisure,
 * by a visit or by the flow's end, whichever comes first.
 */
#include "flow/table.h"

#include "lyncaudit/alloc.h"

/* Records that are not in use are passed over as fast as memory is read. */
enum { LOOKS_PER_VISIT = 16 };

static size_t list_bytes(const struct lya_flow_table *t, unsigned family)
{
	return (t->arena[family].cap + (size_t)1) * sizeof(struct flow_share);
}

int flow_shares_init(struct lya_flow_table *t)
{
	struct flow_shares *s = &t->shares;

	for (unsigned f = 0; f < FLOW_FAMILIES; f++)
		s->list[f] = lya_map_pages(list_bytes(t, f));
	s->measured = lya_map_pages(FLOW_LOSSES * sizeof(*s->measured));
	if (s->list[0] == NULL || s->list[1] == NULL || s->measured == NULL)
		return LYA_ENOMEM;
	return LYA_OK;
}

void flow_shares_fini(struct lya_flow_table *t)
{
	for (unsigned f = 0; f < FLOW_FAMILIES; f++)
		lya_unmap_pages(t->shares.list[f], list_bytes(t, f));
	lya_unmap_pages(t->shares.measured, FLOW_LOSSES * sizeof(*t->shares.measured));
}

size_t flow_shares_bytes(const struct lya_flow_table *t)
{
	if (!t->options.shares)
		return 0;
	return (t->arena[0].high + t->arena[1].high) * sizeof(struct flow_share);
}

static struct flow_share *share_at(const struct lya_flow_table *t, uint32_t n)
{
	return &t->shares.list[flow_family(n)][n & ~FLOW_WIDE];
}

/* The flow's share; zeroes when nothing is written yet. */
static struct flow_share *share_of(const struct lya_flow_table *t, uint32_t n)
{
	struct flow_share *s = share_at(t, n);
	uint32_t serial = flow_cold_at(t, n)->serial;

	if (s->used == 0 || s->serial != serial)
		*s = (struct flow_share){ .serial = serial, .used = 1 };
	return s;
}

static struct lya_flow_sum sum_of(const struct lya_flow_table *t, uint32_t n)
{
	const struct flow_hot *h = flow_hot_at(t, n);
	struct lya_flow_sum sum = { 0, 0 };
	const struct flow_extra *x = NULL;

	if (flow_extra_number(t, h) != 0)
		x = flow_extra_of(t, h);
	for (unsigned side = 0; side < 2; side++) {
		sum.packets += h->count[FLOW_PACKETS][side];
		sum.bytes += h->count[FLOW_BYTES][side];
		if (x == NULL)
			continue;
		sum.packets += (uint64_t)x->carry[FLOW_PACKETS][side] << 32;
		sum.bytes += (uint64_t)x->carry[FLOW_BYTES][side] << 32;
	}
	return sum;
}

/* Every open flow -------------------------------------------------------------------- */

/* Records in the order of visits: those of IPv4, then the others.  0: there are no more. */
static uint32_t record_from(const struct lya_flow_table *t, uint32_t n)
{
	if (n == 0)
		n = 1;
	if ((n & FLOW_WIDE) == 0 && n > t->arena[0].high)
		n = FLOW_WIDE | 1;
	return (n & FLOW_WIDE) != 0 && (n & ~FLOW_WIDE) > t->arena[1].high ? 0 : n;
}

static bool is_open(const struct lya_flow_table *t, uint32_t n)
{
	return flow_kind(flow_hot_at(t, n)) != 0;
}

void lya_flow_table_cut(struct lya_flow_table *t, int64_t time_ns)
{
	unsigned at = ++t->shares.cuts & 1;

	t->shares.cut_ns[at] = time_ns;
	for (uint32_t n = 0; (n = record_from(t, n)) != 0; n++) {
		struct flow_share *s;

		if (!is_open(t, n))
			continue;
		s = share_of(t, n);
		s->cut[at] = sum_of(t, n);
		s->cut_last_ns = flow_hot_at(t, n)->last_ns;
		if (t->options.on_packet != NULL)
			flow_hot_at(t, n)->word &= ~FLOW_ENOUGH;
	}
}

static void fill_marks(struct lya_flow_table *t, uint32_t n)
{
	const struct flow_share *s = share_of(t, n);
	unsigned at = t->shares.cuts & 1;

	t->shares.marks = (struct lya_flow_marks){
		.cut = s->cut[at],
		.earlier = s->cut[!at],
		.told = s->told,
		.cut_ns = t->shares.cut_ns[at],
		.earlier_ns = t->shares.cut_ns[!at],
		.cut_last_ns = s->cut_last_ns,
		.place = n,
	};
}

void flow_share_tell(struct lya_flow_table *t, uint32_t n, struct lya_flow *f)
{
	fill_marks(t, n);
	f->marks = &t->shares.marks;
	f->before = t->shares.marks.cut;
	f->since_ns = t->shares.marks.cut_ns;
}

void flow_share_expect(const struct lya_flow_table *t, uint32_t n)
{
	const struct flow_share *s = share_at(t, n);

	__builtin_prefetch(s, 1);
	__builtin_prefetch((const char *)(s + 1) - 1, 1); /* it may lie in two lines */
}

void flow_share_forget(struct lya_flow_table *t, uint32_t n)
{
	share_at(t, n)->used = 0;
}

static const struct lya_flow *visit_tell(struct lya_flow_table *t, uint32_t n)
{
	struct lya_flow *f = &t->ended;

	flow_fill(t, n, f);
	flow_fill_origin(t, n, f);
	flow_loss_tell(t, n, f);
	flow_inspect_peek(t, n, &f->app);
	flow_share_tell(t, n, f);
	return f;
}

static int visit(struct lya_flow_table *t, uint32_t n, bool at_cut,
		 int (*fn)(void *ctx, const struct lya_flow *flow), void *ctx)
{
	struct flow_share *s = share_of(t, n);
	const struct lya_flow *f;
	int rc;

	if (at_cut && s->cut[t->shares.cuts & 1].packets == 0)
		return LYA_OK; /* it began since */
	f = visit_tell(t, n);
	rc = fn(ctx, f);
	s->told = at_cut ? s->cut[t->shares.cuts & 1] : sum_of(t, n);
	if (at_cut)
		flow_loss_again(t, n, f);
	return rc;
}

int lya_flow_table_visit(struct lya_flow_table *t, uint32_t *place, size_t max, bool at_cut,
			 int (*fn)(void *ctx, const struct lya_flow *flow), void *ctx)
{
	size_t looks = max * LOOKS_PER_VISIT;

	while (max > 0 && looks > 0 && t->status == LYA_OK) {
		uint32_t n = record_from(t, *place);
		int rc;

		*place = n != 0 ? n + 1 : 0;
		if (n == 0)
			return LYA_OK;
		looks--;
		if (!is_open(t, n))
			continue;
		max--;
		rc = visit(t, n, at_cut, fn, ctx);
		if (rc < 0)
			return rc;
	}
	return t->status;
}
