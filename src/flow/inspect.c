/*
 * inspect.c - payload under inspection, and what only some flows keep.
 *
 * Working states are large, so there is a fixed number of them.  When all are
 * taken the oldest inspection is ended with what it has learnt, and counted.
 * The small result is interned: few combinations occur.
 */
#include "flow/table.h"

#include <string.h>

#include "flow/pages.h"
#include "lyncaudit/alloc.h"

enum {
	SCRATCH_SHARE = 4, /* of the memory for inspections */
	SCRATCH_MIN = 4,
	SESSION_SHARE = 8, /* what is remembered of TLS sessions, beside the inspections */
	STATE_ALIGN = 64,
	SLOTS_MIN = 16, /* however little memory is allowed */
	SLOTS_MAX = 1 << 20,
	EXTRAS_MAX = (1 << 24) - 1, /* a record has 24 bits for it */
	KNOWN_SHARE = 8,            /* of the extras, for first bytes of known protocols */
	EXTRAS_SPARE = 1024         /* kept for counters that carry: nothing may be miscounted */
};

/* The part of lya_app_result that is interned. */
struct result {
	uint16_t tls, tls_version;
	uint8_t app;
	int8_t client_side;
	uint8_t seen;
	uint8_t service_payload, ice;
	uint8_t inherited;
};

/*
 * The plain results, without what a TLS handshake showed, are entered first:
 * there is room for them whatever a stranger's handshakes make up.
 */
enum { RESULTS_MAX = 65535 };

static int results_init(struct lya_flow_table *t)
{
	int rc = flow_intern_init(&t->results, sizeof(struct result), RESULTS_MAX);

	if (rc != LYA_OK)
		return rc;
	for (unsigned i = 0; i < LYA_APP_COUNT * 12u; i++) {
		struct result r = {
			.app = (uint8_t)(i / 12),
			.client_side = (int8_t)((int)(i % 3) - 1),
			.service_payload = i / 3 % 2,
			.ice = i / 6 % 2,
		};

		if (flow_intern_put(&t->results, &r) == 0)
			return LYA_ENOMEM;
	}
	return LYA_OK;
}

static uint16_t results_put(struct lya_flow_table *t, const struct lya_app_result *res)
{
	struct result r = {
		.tls = res->tls,
		.tls_version = res->tls_version,
		.app = res->app,
		.client_side = res->client_side,
		.seen = res->seen,
		.service_payload = res->service_payload,
		.ice = res->ice,
		.inherited = res->inherited,
	};
	uint32_t n = flow_intern_put(&t->results, &r);

	if (n == 0) {
		t->stats.details_lost++;
		r.tls = r.tls_version = r.seen = r.inherited = 0;
		n = flow_intern_put(&t->results, &r);
	}
	return (uint16_t)n;
}

/* Scratch memory ----------------------------------------------------------- */

static void *scratch_lend(void *ctx)
{
	struct flow_inspect *in = &((struct lya_flow_table *)ctx)->inspect;
	uint32_t i = in->scratch_free;
	uint8_t *piece;

	if (i == 0 && in->scratch_high == in->n_scratch)
		return NULL;
	if (i == 0)
		return in->scratch + (size_t)in->scratch_high++ * LYA_APP_SCRATCH;
	piece = in->scratch + (size_t)(i - 1) * LYA_APP_SCRATCH;
	memcpy(&in->scratch_free, piece, sizeof(in->scratch_free));
	return piece;
}

static void scratch_give(struct flow_inspect *in, void *piece)
{
	size_t i;

	if (piece == NULL)
		return;
	i = (size_t)((uint8_t *)piece - in->scratch) / LYA_APP_SCRATCH;
	memcpy(piece, &in->scratch_free, sizeof(in->scratch_free));
	in->scratch_free = (uint32_t)i + 1;
}

static int scratch_init(struct flow_inspect *in, size_t bytes)
{
	size_t n = bytes / LYA_APP_SCRATCH;

	if (n < SCRATCH_MIN)
		n = SCRATCH_MIN;
	in->n_scratch = (uint32_t)n;
	in->scratch = lya_map_pages(n * LYA_APP_SCRATCH);
	in->observer.lend = scratch_lend;
	return in->scratch == NULL ? LYA_ENOMEM : LYA_OK;
}

/* Inspections -------------------------------------------------------------- */

int flow_inspect_init(struct lya_flow_table *t, size_t bytes)
{
	struct flow_inspect *in = &t->inspect;
	size_t n;

	if (scratch_init(in, bytes / SCRATCH_SHARE) != LYA_OK)
		return LYA_ENOMEM;
	bytes -= bytes / SCRATCH_SHARE;
	in->stride = (lya_app_state_size() + STATE_ALIGN - 1) / STATE_ALIGN * STATE_ALIGN;
	n = bytes / (in->stride + sizeof(*in->slots));
	if (n < SLOTS_MIN)
		n = SLOTS_MIN;
	if (n > SLOTS_MAX)
		n = SLOTS_MAX;
	in->n_slots = (uint32_t)n;
	in->states = flow_map_large(n * in->stride);
	in->slots = lya_map_pages((n + 1) * sizeof(*in->slots));
	if (in->states == NULL || in->slots == NULL ||
	    flow_sessions_init(&in->sessions, bytes / SESSION_SHARE) != LYA_OK)
		return LYA_ENOMEM;
	in->observer.ctx = t;
	flow_detail_init(t);
	return results_init(t);
}

void flow_inspect_fini(struct lya_flow_table *t)
{
	struct flow_inspect *in = &t->inspect;

	lya_unmap_pages(in->states, in->n_slots * in->stride);
	lya_unmap_pages(in->slots, (in->n_slots + (size_t)1) * sizeof(*in->slots));
	lya_unmap_pages(in->scratch, (size_t)in->n_scratch * LYA_APP_SCRATCH);
	flow_sessions_fini(&in->sessions);
	flow_intern_fini(&t->results);
}

static struct lya_app_state *state_of(const struct flow_inspect *in, uint32_t slot)
{
	/* the stride keeps every state aligned for anything */
	return (void *)(in->states + (slot - 1) * in->stride);
}

void flow_inspect_prefetch(const struct lya_flow_table *t, uint32_t slot)
{
	const uint8_t *state;

	if (slot == 0)
		return;
	state = (const uint8_t *)state_of(&t->inspect, slot);
	for (size_t i = 0; i < t->inspect.stride; i += STATE_ALIGN)
		__builtin_prefetch(state + i, 1);
}

/* The oldest inspection is the next one to be given up: have it at hand by then. */
static void prefetch_oldest(const struct lya_flow_table *t)
{
	uint32_t slot = t->inspect.slots[0].next;

	flow_inspect_prefetch(t, slot);
	__builtin_prefetch(&t->extras.list[t->inspect.slots[slot].extra], 1);
	__builtin_prefetch(flow_hot_at(t, t->inspect.slots[slot].owner), 1);
	__builtin_prefetch(flow_cold_at(t, t->inspect.slots[slot].owner), 1);
}

static uint32_t slot_take(struct lya_flow_table *t, uint32_t owner)
{
	struct flow_inspect *in = &t->inspect;
	struct flow_slot_state *ring = in->slots;
	uint32_t slot;

	if (in->free == 0 && in->high == in->n_slots) {
		t->stats.given_up++;
		flow_inspect_settle(t, ring[ring[0].next].owner);
		prefetch_oldest(t);
	}
	if (in->free != 0) {
		slot = in->free;
		in->free = ring[slot].next;
	} else {
		slot = ++in->high;
	}
	ring[slot] = (struct flow_slot_state){
		.owner = owner,
		.extra = flow_extra_number(flow_hot_at(t, owner)),
		.next = 0,
		.prev = ring[0].prev,
	};
	ring[ring[0].prev].next = slot;
	ring[0].prev = slot;
	return slot;
}

static void slot_give(struct flow_inspect *in, uint32_t slot)
{
	struct flow_slot_state *ring = in->slots;

	ring[ring[slot].prev].next = ring[slot].next;
	ring[ring[slot].next].prev = ring[slot].prev;
	ring[slot].next = in->free;
	in->free = slot;
}

/*
 * Keep the first bytes.  Of a payload of no known protocol they are all that
 * can be said; of others they are shown where the protocol is the wrong one,
 * so there is room for fewer of them.
 */
static bool keep_prefix(const struct lya_flow_table *t, struct flow_extra *x,
			const struct lya_app_result *res)
{
	if (res->app == LYA_APP_NONE ||
	    (res->app != LYA_APP_UNKNOWN && t->extras.used > t->extras.cap / KNOWN_SHARE))
		return false;
	memcpy(x->prefix_len, res->prefix_len, sizeof(x->prefix_len));
	memcpy(x->prefix, res->prefix, sizeof(x->prefix));
	return true;
}

static bool carries(const struct flow_extra *x)
{
	for (unsigned i = 0; i < FLOW_COUNTS; i++)
		if ((x->carry[i][0] | x->carry[i][1]) != 0)
			return true;
	return false;
}

void flow_inspect_settle(struct lya_flow_table *t, uint32_t n)
{
	struct flow_hot *h = flow_hot_at(t, n);
	struct flow_extra *x = flow_extra_of(t, h);
	struct lya_app_state *st;
	struct lya_app_result res;
	bool needed;

	if (flow_extra_number(h) == 0 || x->slot == 0)
		return;
	st = state_of(&t->inspect, x->slot);
	t->inspect.current = n;
	lya_app_end(st);
	lya_app_result(st, &res);
	if (res.app == LYA_APP_TLS)
		flow_detail_session(t, n, &t->inspect.slots[x->slot], &res);
	scratch_give(&t->inspect, lya_app_scratch_take(st));
	flow_cold_at(t, n)->result = results_put(t, &res);
	flow_set(h, FLOW_INSPECTED);
	slot_give(&t->inspect, x->slot);
	x->slot = 0;
	needed = keep_prefix(t, x, &res);
	if (!needed && !x->icmp && !carries(x))
		flow_extra_drop(t, n);
}

/*
 * Begin with the first packet that carries something.  Where the handshake
 * was seen it says at which byte the opener begins; what the opener
 * acknowledges by its first data is where the other side does.
 */
static void begin(const struct lya_flow_table *t, uint32_t n, struct lya_app_state *st,
		  unsigned side, const struct lya_packet *pkt)
{
	const struct flow_hot *h = flow_hot_at(t, n);
	int syn = flow_syn_side(h);
	int opener = syn >= 0 ? syn : flow_is(h, FLOW_SYNACK) ? !flow_synack_side(h) : -1;

	lya_app_init(st, pkt->transport);
	lya_app_observe(st, &t->inspect.observer);
	if (pkt->kind != LYA_PKT_TCP || opener < 0)
		return;
	lya_app_start(st, (unsigned)opener, flow_cold_at(t, n)->isn + 1);
	if (side == (unsigned)opener &&
	    (pkt->tcp_flags & (LYA_TCP_ACK | LYA_TCP_SYN)) == LYA_TCP_ACK)
		lya_app_start(st, !side, lya_packet_ack(pkt));
}

void flow_inspect_packet(struct lya_flow_table *t, uint32_t n, unsigned side,
			 struct lya_packet *pkt)
{
	struct flow_hot *h = flow_hot_at(t, n);
	struct flow_extra *x = flow_extra_need(t, n);
	size_t captured = lya_cursor_left(&pkt->payload);
	struct lya_app_state *st;

	if (x == NULL) { /* as many flows remember something as may: this one is not looked at */
		t->stats.given_up++;
		flow_set(h, FLOW_INSPECTED);
		return;
	}
	if (x->slot == 0) {
		x->slot = slot_take(t, n);
		begin(t, n, state_of(&t->inspect, x->slot), side, pkt);
	}
	st = state_of(&t->inspect, x->slot);
	t->inspect.current = n;
	t->inspect.packet_ns = pkt->time_ns;
	t->inspect.fed = pkt;
	lya_app_feed(st, side, pkt->kind == LYA_PKT_TCP ? lya_packet_seq(pkt) : 0, pkt->payload.pos, captured,
		     pkt->reassembled ? captured : pkt->payload_len);
	t->inspect.fed = NULL;
	if (lya_app_done(st))
		flow_inspect_settle(t, n);
}

void flow_inspect_result(const struct lya_flow_table *t, uint32_t n, struct lya_app_result *out)
{
	const struct flow_hot *h = flow_hot_at(t, n);
	const struct flow_extra *x = flow_extra_of(t, h);
	const struct result *r;

	memset(out, 0, sizeof(*out));
	out->client_side = -1;
	if (flow_cold_at(t, n)->result == 0)
		return;
	r = flow_intern_at(&t->results, flow_cold_at(t, n)->result);
	out->app = r->app;
	out->client_side = r->client_side;
	out->tls = r->tls;
	out->tls_version = r->tls_version;
	out->seen = r->seen;
	out->service_payload = r->service_payload != 0;
	out->ice = r->ice != 0;
	out->inherited = r->inherited;
	if (flow_extra_number(h) != 0) {
		memcpy(out->prefix_len, x->prefix_len, sizeof(out->prefix_len));
		memcpy(out->prefix, x->prefix, sizeof(out->prefix));
	}
}

/* Extras ------------------------------------------------------------------- */

int flow_extras_init(struct lya_flow_table *t, size_t bytes)
{
	struct flow_extras *e = &t->extras;
	size_t n = bytes / sizeof(*e->list);

	/* each inspection has one, and some more must be able to keep a prefix */
	if (n < t->inspect.n_slots + (size_t)4 * EXTRAS_SPARE)
		n = t->inspect.n_slots + (size_t)4 * EXTRAS_SPARE;
	if (n > EXTRAS_MAX)
		n = EXTRAS_MAX;
	e->cap = (uint32_t)n;
	e->list = flow_map_large((n + 1) * sizeof(*e->list));
	return e->list == NULL ? LYA_ENOMEM : LYA_OK;
}

void flow_extras_fini(struct lya_flow_table *t)
{
	lya_unmap_pages(t->extras.list, (t->extras.cap + (size_t)1) * sizeof(*t->extras.list));
}

static struct flow_extra *extra_make(struct lya_flow_table *t, struct flow_hot *h, uint32_t spare)
{
	struct flow_extras *e = &t->extras;
	uint32_t i = e->free;

	if (e->used + spare >= e->cap)
		return NULL;
	if (i != 0)
		e->free = e->list[i].slot;
	else
		i = ++e->high;
	e->used++;
	memset(&e->list[i], 0, sizeof(e->list[i]));
	flow_set_extra(h, i);
	return &e->list[i];
}

struct flow_extra *flow_extra_need(struct lya_flow_table *t, uint32_t n)
{
	struct flow_hot *h = flow_hot_at(t, n);

	if (flow_extra_number(h) != 0)
		return flow_extra_of(t, h);
	return extra_make(t, h, EXTRAS_SPARE);
}

void flow_extra_drop(struct lya_flow_table *t, uint32_t n)
{
	struct flow_hot *h = flow_hot_at(t, n);
	uint32_t i = flow_extra_number(h);

	if (i == 0)
		return;
	t->extras.list[i].slot = t->extras.free;
	t->extras.free = i;
	t->extras.used--;
	flow_set_extra(h, 0);
}

void flow_extra_carry(struct lya_flow_table *t, uint32_t n, unsigned count, unsigned side)
{
	struct flow_hot *h = flow_hot_at(t, n);
	struct flow_extra *x =
	    flow_extra_number(h) != 0 ? flow_extra_of(t, h) : extra_make(t, h, 0);

	if (x != NULL)
		x->carry[count][side]++;
	else /* each of the spare ones stands for 4 GiB: say too little rather than wrap */
		h->count[count][side] = UINT32_MAX;
}
