/*
 * inspect.c - payload under inspection, and the small result of it.
 *
 * A handful of packets is counted first; those that carry something to inspect
 * wait meanwhile for the caches to bring their flows' states.  A stream that
 * dribbles in is only kept, in a small slot, until there is enough of it.  The
 * result of an inspection is interned: few combinations occur.
 */
#include "flow/table.h"

#include <string.h>

#include "lyncaudit/ahead.h"
#include "lyncaudit/alloc.h"

enum {
	SESSION_SHARE = 8, /* what is remembered of TLS sessions, of the memory for inspections */
	KNOWN_SHARE = 8    /* of the extras, for first bytes of known protocols */
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

/* Inspections -------------------------------------------------------------- */

int flow_inspect_init(struct lya_flow_table *t, size_t bytes)
{
	struct flow_inspect *in = &t->inspect;

	if (flow_slots_init(in, bytes - bytes / SESSION_SHARE) != LYA_OK ||
	    flow_sessions_init(&in->sessions, bytes / SESSION_SHARE) != LYA_OK)
		return LYA_ENOMEM;
	in->observer.ctx = t;
	flow_detail_init(t);
	return results_init(t);
}

void flow_inspect_fini(struct lya_flow_table *t)
{
	flow_slots_fini(&t->inspect);
	flow_sessions_fini(&t->inspect.sessions);
	flow_intern_fini(&t->results);
}

/*
 * Keep the first bytes, as far as there is room.  They are shown where a known protocol is the
 * wrong one: payload of none breaks nothing (policy-model, `protocol-mismatch`).
 */
static void keep_prefix(struct lya_flow_table *t, uint32_t n, const struct lya_app_result *res)
{
	struct flow_extra *x;

	if (res->app <= LYA_APP_UNKNOWN || t->extras.used > t->extras.cap / KNOWN_SHARE)
		return;
	x = flow_extra_need(t, n);
	if (x == NULL) {
		t->stats.details_lost++;
		return;
	}
	memcpy(x->prefix_len, res->prefix_len, sizeof(x->prefix_len));
	memcpy(x->prefix, res->prefix, sizeof(x->prefix));
}

static void begin_state(struct lya_flow_table *t, struct lya_app_state *st, uint8_t transport)
{
	lya_app_init(st, transport);
	lya_app_observe(st, &t->inspect.observer);
}

/* The state of what stands in a flow's slot: a dribble is poured into one. */
static struct lya_app_state *last_state(struct lya_flow_table *t, const struct flow_hot *h)
{
	uint32_t word = flow_word(h);

	if (!flow_is_tcp(h) || (word & FLOW_SLOT_LARGE) != 0)
		return flow_slot_at(&t->inspect, word);
	begin_state(t, t->inspect.last, 6);
	lya_app_drip_pour(flow_slot_at(&t->inspect, word), t->inspect.last);
	return t->inspect.last;
}

/* What its observer hears from now on is about flow n. */
static void set_current(struct lya_flow_table *t, uint32_t n)
{
	uint32_t word = flow_word(flow_hot_at(t, n));

	t->inspect.current = n;
	t->inspect.slot = (word & FLOW_SLOT_LARGE) != 0 ? word & FLOW_SLOT_NUMBER : 0;
}

void flow_inspect_settle(struct lya_flow_table *t, uint32_t n)
{
	struct lya_packet *fed = t->inspect.fed;
	struct flow_hot *h = flow_hot_at(t, n);
	struct lya_app_state *st;
	struct lya_app_result res;

	if ((flow_word(h) & FLOW_SLOT) == 0)
		return;
	t->inspect.fed = NULL; /* it may be another flow's, which wants the slot */
	set_current(t, n);
	st = last_state(t, h);
	lya_app_end(st);
	lya_app_result(st, &res);
	if (res.app == LYA_APP_TLS && t->inspect.slot != 0)
		flow_detail_session(
		    t, n, flow_handshake_at(&t->inspect.pools[FLOW_LARGE], t->inspect.slot), &res);
	flow_scratch_give(&t->inspect, lya_app_scratch_take(st));
	flow_slot_give(t, n);
	flow_cold_at(t, n)->result = results_put(t, &res);
	flow_set(h, FLOW_INSPECTED);
	t->inspect.settled = n;
	keep_prefix(t, n, &res);
	t->inspect.fed = fed;
}

/* Who opened a connection whose handshake was seen; -1: not known. */
static int opener_of(const struct flow_hot *h)
{
	int syn = flow_syn_side(h);

	if (syn >= 0)
		return syn;
	return flow_is(h, FLOW_SYNACK) ? !flow_synack_side(h) : -1;
}

/*
 * Begin with the first packet that carries something.  Where the handshake
 * was seen it says at which byte the opener begins; what the opener
 * acknowledges by its first data is where the other side does.
 */
static void begin_stream(struct lya_flow_table *t, uint32_t n, unsigned side,
			 const struct lya_packet *pkt)
{
	struct lya_app_drip *d = flow_slot_at(&t->inspect, flow_slot_take(t, FLOW_SMALL, n));
	int opener = opener_of(flow_hot_at(t, n));

	lya_app_drip_init(d);
	if (opener < 0)
		return;
	lya_app_drip_start(d, (unsigned)opener, flow_cold_at(t, n)->isn + 1);
	if (side == (unsigned)opener &&
	    (pkt->tcp_flags & (LYA_TCP_ACK | LYA_TCP_SYN)) == LYA_TCP_ACK)
		lya_app_drip_start(d, !side, lya_packet_ack(pkt));
}

/* The state of a stream that the next segment, too, belongs to; NULL: it dribbles still. */
static struct lya_app_state *stream_state(struct lya_flow_table *t, uint32_t n, unsigned side,
					  const struct lya_packet *pkt)
{
	size_t captured = lya_cursor_left(&pkt->payload);
	struct flow_hot *h = flow_hot_at(t, n);
	struct lya_app_drip dribbled;
	struct lya_app_state *st;

	if ((flow_word(h) & FLOW_SLOT_LARGE) != 0) {
		__builtin_prefetch(flow_links_of(&t->inspect, flow_word(h))); /* this may be its end */
		return flow_slot_at(&t->inspect, flow_word(h));
	}
	if ((flow_word(h) & FLOW_SLOT) == 0)
		begin_stream(t, n, side, pkt);
	if (lya_app_drip_feed(flow_slot_at(&t->inspect, flow_word(h)), side, lya_packet_seq(pkt),
			      pkt->payload.pos, captured, pkt->payload_len))
		return NULL;
	memcpy(&dribbled, flow_slot_at(&t->inspect, flow_word(h)), sizeof(dribbled));
	st = flow_slot_at(&t->inspect, flow_slot_change(t, n));
	set_current(t, n);
	begin_state(t, st, 6);
	lya_app_drip_pour(&dribbled, st);
	return st;
}

static struct lya_app_state *datagrams_state(struct lya_flow_table *t, uint32_t n)
{
	uint32_t word = flow_word(flow_hot_at(t, n));
	struct lya_app_state *st;

	if ((word & FLOW_SLOT) != 0)
		return flow_slot_at(&t->inspect, word);
	st = flow_slot_at(&t->inspect, flow_slot_take(t, FLOW_SMALL, n));
	begin_state(t, st, 17);
	return st;
}

static void inspect(struct lya_flow_table *t, uint32_t n, unsigned side, struct lya_packet *pkt)
{
	size_t captured = lya_cursor_left(&pkt->payload);
	bool is_tcp = pkt->kind == LYA_PKT_TCP;
	struct lya_app_state *st;

	t->inspect.packet_ns = pkt->time_ns;
	t->inspect.fed = pkt;
	st = is_tcp ? stream_state(t, n, side, pkt) : datagrams_state(t, n);
	if (st != NULL) {
		set_current(t, n);
		lya_app_feed(st, side, is_tcp ? lya_packet_seq(pkt) : 0, pkt->payload.pos, captured,
			     pkt->reassembled ? captured : pkt->payload_len);
		if (is_tcp)
			flow_scratch_give(&t->inspect, lya_app_scratch_spare(st));
	}
	t->inspect.fed = NULL;
	if (st != NULL && lya_app_done(st))
		flow_inspect_settle(t, n);
}

/*
 * Ask the caches for what a packet of that side wants of its flow's state, and where none
 * has begun, for what its beginning wants: of a stream the number it begins with.
 */
static inline void ask_for_state(const struct lya_flow_table *t, uint32_t n, unsigned side)
{
	uint32_t word = flow_word(flow_hot_at(t, n));
	const uint8_t *slot;

	if ((word & FLOW_SLOT) == 0) {
		lya_ask_ahead(flow_cold_at(t, n));
		return;
	}
	slot = flow_slot_at(&t->inspect, word);
	if ((word & FLOW_SLOT_LARGE) != 0) {
		lya_app_ask_ahead((const void *)slot, side);
		return;
	}
	lya_ask_ahead(slot);
	lya_ask_ahead(slot + FLOW_CACHE_LINE);
}

void flow_prefetch_slot(const struct lya_flow_table *t, uint32_t n)
{
	ask_for_state(t, n, 0);
}

void flow_inspect_drain(struct lya_flow_table *t)
{
	struct flow_dues *d = &t->inspect.due;
	unsigned n = d->n;

	d->n = 0;
	for (unsigned i = 0; i < n; i++)
		ask_for_state(t, d->list[i].flow, d->list[i].side);
	for (unsigned i = 0; i < n; i++) {
		const struct flow_due *due = &d->list[i];

		if (!flow_is(flow_hot_at(t, due->flow), FLOW_INSPECTED))
			inspect(t, due->flow, due->side, due->pkt);
	}
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
	if (flow_extra_number(t, h) != 0) {
		memcpy(out->prefix_len, x->prefix_len, sizeof(out->prefix_len));
		memcpy(out->prefix, x->prefix, sizeof(out->prefix));
	}
}

/*
 * What is recognised so far.  Payload that is no known protocol yet may become one: it
 * counts as none.  A stream that dribbles shows nothing yet.
 */
void flow_inspect_peek(const struct lya_flow_table *t, uint32_t n, struct lya_app_result *out)
{
	const struct flow_hot *h = flow_hot_at(t, n);
	uint32_t word = flow_word(h);

	if ((word & FLOW_SLOT) == 0) {
		flow_inspect_result(t, n, out);
		return;
	}
	if (flow_is_tcp(h) && (word & FLOW_SLOT_LARGE) == 0) {
		memset(out, 0, sizeof(*out));
		out->client_side = -1;
		return;
	}
	lya_app_result(flow_slot_at(&t->inspect, word), out);
	if (out->app == LYA_APP_UNKNOWN) {
		out->app = LYA_APP_NONE;
		out->service_payload = false;
	}
}
