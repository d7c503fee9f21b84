/*
 * table.c - packets into flows.
 *
 * A table that is larger than the caches costs a miss or two per packet,
 * unless several misses are under way at once.  So packets are taken in
 * handfuls, pass by pass: hash and ask for the index's line; look for the key
 * and ask for the record; update; inspect what there is to inspect.  All before
 * the update only guess: what they find may end, or be joined by others, before
 * its packet's turn.  The update decides, packet by packet, so that the size of a
 * handful changes nothing.
 */
#include "flow/table.h"

#include <assert.h>
#include <string.h>

#include "lyncaudit/alloc.h"

enum {
	RECORD_BYTES = 64 + 32, /* hot and cold */
	/* index slots per record at its emptiest, and the one that it grew from meanwhile */
	INDEX_BYTES = 40,
	FAMILY_COST_4 = RECORD_BYTES + INDEX_BYTES,
	FAMILY_COST_6 = 128 + INDEX_BYTES,
	ORIGINS_MIN = 1024,
	ORIGIN_BYTES = 64, /* with all that is needed to find it */
	NUMBERS_16 = 65535
};

#define POOL_BYTES_MAX ((size_t)24 << 20)
#define DEFAULT_BYTES ((size_t)1 << 30)
#define MIN_BUDGET ((size_t)64 << 10)
#define RECORDS_MAX (UINT32_C(0x3fffffff))

/* What a record costs of the budget. */
static size_t family_cost(const struct lya_flow_table *t, unsigned family)
{
	return (family == 0 ? (size_t)FAMILY_COST_4 : (size_t)FAMILY_COST_6) +
	       (t->options.shares ? (size_t)FLOW_SHARE_BYTES : 0);
}

const char *lya_flow_state_name(enum lya_flow_state state)
{
	static const char *const NAMES[] = {
		[LYA_STATE_NONE] = "none",           [LYA_STATE_ATTEMPTED] = "attempted",
		[LYA_STATE_REFUSED] = "refused",     [LYA_STATE_ESTABLISHED] = "established",
		[LYA_STATE_CLOSED] = "closed",       [LYA_STATE_RESET] = "reset",
		[LYA_STATE_MIDSTREAM] = "midstream",
	};

	return NAMES[state];
}

/* Memory ------------------------------------------------------------------- */

/*
 * For inspections, and as much for extras: their number follows from how many
 * flows open at a time, not from how many there are.
 */
static size_t pool_bytes(size_t max_bytes)
{
	return max_bytes / 32 < POOL_BYTES_MAX ? max_bytes / 32 : POOL_BYTES_MAX;
}

/*
 * Each family may use seven eighths of the budget, both together all of it:
 * so neither can shut the other out.
 */
static void set_limits(struct lya_flow_table *t)
{
	struct lya_flow_options *o = &t->options;

	if (o->max_bytes == 0)
		o->max_bytes = DEFAULT_BYTES;
	if (o->inspect_bytes == 0)
		o->inspect_bytes = pool_bytes(o->max_bytes);
	t->budget = o->max_bytes - o->max_bytes / 16; /* the rest: pools and interned things */
	if (t->budget < MIN_BUDGET)
		t->budget = MIN_BUDGET;
	for (unsigned f = 0; f < FLOW_FAMILIES; f++) {
		size_t cap = t->budget / 8 * 7 / family_cost(t, f);

		if (o->max_flows != 0 && cap > o->max_flows)
			cap = o->max_flows;
		if (cap > RECORDS_MAX)
			cap = RECORDS_MAX;
		t->arena[f].cap = (uint32_t)cap;
	}
	if (o->max_flows == 0)
		o->max_flows = SIZE_MAX;
}

static size_t records_size(const struct lya_flow_table *t, unsigned family, size_t size)
{
	return (t->arena[family].cap + (size_t)1) * size;
}

static int records_init(struct lya_flow_table *t)
{
	t->hot = lya_map_large(records_size(t, 0, sizeof(*t->hot)));
	t->cold = lya_map_pages(records_size(t, 0, sizeof(*t->cold)));
	t->wide = lya_map_large(records_size(t, 1, sizeof(*t->wide)));
	return t->hot == NULL || t->cold == NULL || t->wide == NULL ? LYA_ENOMEM : LYA_OK;
}

static size_t origins_max(const struct lya_flow_table *t)
{
	size_t n = t->options.max_bytes / 64 / ORIGIN_BYTES;

	return n > ORIGINS_MIN ? n : ORIGINS_MIN;
}

static int table_init(struct lya_flow_table *t)
{
	int rc = records_init(t);

	if (rc == LYA_OK)
		rc = flow_index_init(&t->index);
	if (rc == LYA_OK)
		rc = flow_wheels_init(t);
	if (rc == LYA_OK)
		rc = flow_inspect_init(t, t->options.inspect_bytes);
	if (rc == LYA_OK)
		rc = flow_extras_init(t, pool_bytes(t->options.max_bytes));
	if (rc == LYA_OK)
		rc = flow_losses_init(t);
	if (rc == LYA_OK && t->options.shares)
		rc = flow_shares_init(t);
	if (rc == LYA_OK)
		rc = flow_intern_init(&t->origins, sizeof(struct flow_origin), origins_max(t));
	if (rc == LYA_OK)
		rc = flow_intern_init(&t->macs, FLOW_MACS, NUMBERS_16);
	if (rc == LYA_OK)
		rc = flow_intern_init(&t->ctxs, sizeof(struct flow_ctx), NUMBERS_16);
	return rc;
}

int lya_flow_table_new(struct lya_flow_table **out, const struct lya_flow_options *options,
		       struct lya_error *err)
{
	struct lya_flow_table *t = lya_calloc(1, sizeof(*t));

	*out = NULL;
	if (t == NULL)
		return lya_error_nomem(err);
	t->options = *options;
	t->key = lya_hash_key_random();
	set_limits(t);
	if (table_init(t) != LYA_OK) {
		lya_flow_table_free(t);
		return lya_error_nomem(err);
	}
	*out = t;
	return LYA_OK;
}

void lya_flow_table_free(struct lya_flow_table *t)
{
	if (t == NULL)
		return;
	lya_unmap_pages(t->hot, records_size(t, 0, sizeof(*t->hot)));
	lya_unmap_pages(t->cold, records_size(t, 0, sizeof(*t->cold)));
	lya_unmap_pages(t->wide, records_size(t, 1, sizeof(*t->wide)));
	flow_index_fini(&t->index);
	flow_wheels_fini(t);
	flow_inspect_fini(t);
	flow_extras_fini(t);
	flow_losses_fini(t);
	flow_shares_fini(t);
	flow_intern_fini(&t->origins);
	flow_intern_fini(&t->macs);
	flow_intern_fini(&t->ctxs);
	lya_free(t);
}

void lya_flow_table_stats(const struct lya_flow_table *t, struct lya_flow_stats *out)
{
	*out = t->stats;
	out->bytes = sizeof(*t) + t->arena[0].high * (size_t)RECORD_BYTES +
		     t->arena[1].high * sizeof(*t->wide) +
		     flow_index_bytes(&t->index) +
		     t->n_buckets * sizeof(*t->buckets) +
		     flow_slots_bytes(&t->inspect) + flow_shares_bytes(t) +
		     t->extras.high * sizeof(*t->extras.list) + flow_intern_bytes(&t->origins) +
		     flow_intern_bytes(&t->macs) + flow_intern_bytes(&t->ctxs) +
		     flow_intern_bytes(&t->results);
}

/* Room --------------------------------------------------------------------- */

static bool is_at_count(const struct lya_flow_table *t)
{
	return (size_t)t->arena[0].live + t->arena[1].live >= t->options.max_flows;
}

static bool arena_has_room(const struct lya_flow_table *t, unsigned family)
{
	const struct flow_arena *a = &t->arena[family];
	size_t used = t->arena[0].high * family_cost(t, 0) + t->arena[1].high * family_cost(t, 1);

	return a->free != 0 || (a->high < a->cap && used + family_cost(t, family) <= t->budget);
}

static int evict(struct lya_flow_table *t, uint32_t n)
{
	flow_drain(t);
	t->stats.evicted++;
	flow_unlink(t, n);
	return flow_end(t, n);
}

/*
 * Make room for a flow: half-open ones go first, those that have been quiet
 * for longest before others.
 */
static int make_room(struct lya_flow_table *t, unsigned family)
{
	while (is_at_count(t) || !arena_has_room(t, family)) {
		unsigned where = is_at_count(t) ? FLOW_FAMILIES : family;
		uint32_t n = flow_quietest(t, where, 0, FLOW_CLASS_HALF_OPEN);
		int rc;

		if (n == 0)
			n = flow_quietest(t, where, FLOW_CLASS_HALF_OPEN, FLOW_CLASSES);
		assert(n != 0); /* each family has a share of its own */
		rc = evict(t, n);
		if (rc != LYA_OK)
			return rc;
	}
	return LYA_OK;
}

/*
 * A flow n was let in.  When the table is full, some of it must stay with
 * flows that are opening: otherwise the next of them would push out one that
 * is established.
 */
static int keep_share(struct lya_flow_table *t, uint32_t n)
{
	unsigned family = flow_family(n);
	size_t half_open = t->arena[family].half_open;
	size_t limit = t->arena[family].high;
	uint32_t quietest;

	if (is_at_count(t)) {
		half_open = (size_t)t->arena[0].half_open + t->arena[1].half_open;
		limit = t->options.max_flows;
		family = FLOW_FAMILIES;
	} else if (arena_has_room(t, family)) {
		return LYA_OK;
	}
	if (half_open >= limit / FLOW_HALF_OPEN_SHARE)
		return LYA_OK;
	quietest = flow_quietest(t, family, FLOW_CLASS_HALF_OPEN, FLOW_CLASSES);
	return quietest == n ? LYA_OK : evict(t, quietest);
}

/* Packets ------------------------------------------------------------------ */

static unsigned classify_tcp(const struct flow_hot *h)
{
	uint32_t one = h->count[FLOW_PACKETS][0];
	uint32_t other = h->count[FLOW_PACKETS][1];
	bool midstream = !flow_is(h, FLOW_SYN | FLOW_SYNACK);

	if (!midstream && !flow_tcp_established(h))
		return FLOW_CLASS_OPENING;
	if (one != 0 && other != 0)
		return flow_is(h, FLOW_RESET) || flow_both_fin(h) ? FLOW_CLASS_CLOSED
								  : FLOW_CLASS_TCP;
	if (flow_is(h, FLOW_RESET))
		return FLOW_CLASS_OPENING; /* nothing more will come of it */
	return one + other < FLOW_ONE_SIDED_MAX ? FLOW_CLASS_STRAY : FLOW_CLASS_TCP;
}

static unsigned classify(const struct flow_hot *h)
{
	uint32_t one = h->count[FLOW_PACKETS][0];
	uint32_t other = h->count[FLOW_PACKETS][1];

	if (flow_unknown(h) != LYA_UNKNOWN_NOT)
		return FLOW_CLASS_ONE_WAY;
	if (flow_is_tcp(h))
		return classify_tcp(h);
	if ((one != 0 && other != 0) || one + other >= FLOW_ONE_SIDED_MAX)
		return FLOW_CLASS_UDP;
	return FLOW_CLASS_ONE_WAY;
}

static int reclassify(struct lya_flow_table *t, uint32_t n)
{
	struct flow_hot *h = flow_hot_at(t, n);
	unsigned was = flow_class_of(h);
	unsigned class = classify(h);

	if (class == was)
		return LYA_OK;
	flow_unlink(t, n);
	flow_link(t, n, class);
	if (was < FLOW_CLASS_HALF_OPEN && class >= FLOW_CLASS_HALF_OPEN)
		return keep_share(t, n);
	return LYA_OK;
}

static inline void count(struct lya_flow_table *t, uint32_t n, struct flow_hot *h, unsigned what,
			 unsigned side, uint32_t add)
{
	if (__builtin_add_overflow(h->count[what][side], add, &h->count[what][side]))
		flow_extra_carry(t, n, what, side);
}

/* Of a frame that has no destination, or has it elsewhere. */
static uint32_t put_macs(struct lya_flow_table *t, const struct lya_packet *pkt)
{
	uint8_t pair[FLOW_MACS] = { 0 };

	if (pkt->eth_dst != NULL)
		memcpy(pair, pkt->eth_dst, FLOW_MACS / 2);
	memcpy(pair + FLOW_MACS / 2, pkt->eth_src, FLOW_MACS / 2);
	return flow_intern_put(&t->macs, pair);
}

static void note_macs(struct lya_flow_table *t, uint32_t n, unsigned side, struct lya_packet *pkt)
{
	bool in_a_row;
	uint32_t macs;

	lya_packet_fill(pkt);
	if (pkt->eth_src == NULL)
		return;
	in_a_row = pkt->eth_dst != NULL && pkt->eth_dst + FLOW_MACS / 2 == pkt->eth_src;
	macs = in_a_row ? flow_intern_put(&t->macs, pkt->eth_dst) : put_macs(t, pkt);
	if (macs == 0)
		t->stats.details_lost++;
	flow_cold_at(t, n)->macs[side] = (uint16_t)macs;
}

static inline void count_packet(struct lya_flow_table *t, uint32_t n, struct flow_hot *h,
				unsigned side, const struct lya_packet *pkt)
{
	count(t, n, h, FLOW_PACKETS, side, 1);
	count(t, n, h, FLOW_BYTES, side, pkt->ip_bytes);
	count(t, n, h, FLOW_PAYLOAD, side, pkt->payload_len);
	h->seen_s = (uint16_t)t->now_s;
	h->last_ns = pkt->time_ns > h->last_ns ? pkt->time_ns : h->last_ns;
}

/*
 * What a packet's header says of its flow.  Flags are noted without asking what
 * they are: a branch on packets that come from everywhere is guessed wrong as
 * often as right.  Without TCP they are 0.  went: an ACK that is neither SYN nor RST.
 */
static inline void note_flags(struct flow_hot *h, unsigned side, const struct lya_packet *pkt,
			      unsigned went)
{
	went = (went & LYA_TCP_ACK) * (FLOW_WENT_0 / LYA_TCP_ACK) << side;
	h->flags = (uint16_t)(h->flags | went | pkt->frame_broadcast * (unsigned)FLOW_GROUP);
}

/* What else there is to do with a packet, when the handful has been counted. */
static inline void note_due(struct lya_flow_table *t, uint32_t n, const struct flow_hot *h,
			    unsigned side, struct lya_packet *pkt)
{
	bool fed;

	if (__builtin_expect(lya_packet_is_plain(pkt), 1)) /* as flow_is_fed says */
		fed = (pkt->kind == LYA_PKT_UDP) | (pkt->payload_len != 0);
	else
		fed = flow_is_fed(pkt);
	fed &= !flow_is(h, FLOW_INSPECTED);
	flow_due_add(&t->inspect.due, fed, n, side, pkt);
	flow_due_add(&t->measured, flow_is(h, FLOW_MEASURED), n, side, pkt);
}

/*
 * A packet with SYN or RST.  What an inspection makes of payload depends on where
 * the handshake says that it begins: payload that came before is looked at before.
 */
static void note_turn(struct lya_flow_table *t, uint32_t n, const struct flow_hot *h,
		      unsigned side, const struct lya_packet *pkt)
{
	if ((h->count[FLOW_PAYLOAD][0] | h->count[FLOW_PAYLOAD][1]) != 0)
		flow_drain(t);
	flow_tcp_note(t, n, side, pkt);
}

/* Add a packet to its flow. */
static void update(struct lya_flow_table *t, uint32_t n, struct flow_hot *h, unsigned side,
		   struct lya_packet *pkt)
{
	unsigned flags = pkt->tcp_flags;

	if (h->count[FLOW_PACKETS][side] == 0)
		note_macs(t, n, side, pkt);
	if ((flags & (LYA_TCP_SYN | LYA_TCP_RST)) != 0)
		note_turn(t, n, h, side, pkt);
	note_flags(h, side, pkt, (flags & (LYA_TCP_SYN | LYA_TCP_RST)) != 0 ? 0 : flags);
	if ((flags & LYA_TCP_FIN) != 0)
		h->word |= side == 0 ? FLOW_FIN_0 : FLOW_FIN_1;
	count_packet(t, n, h, side, pkt);
	note_due(t, n, h, side, pkt);
}

/*
 * The same for what nearly all packets are, in a few steps: of a flow that both
 * sides have got under way, with no flag that could turn it.  False: it is another.
 */
static inline bool update_under_way(struct lya_flow_table *t, uint32_t n, struct flow_hot *h,
				    unsigned side, struct lya_packet *pkt)
{
	const unsigned turns = LYA_TCP_SYN | LYA_TCP_FIN | LYA_TCP_RST;

	if ((pkt->tcp_flags & turns) != 0 || h->count[FLOW_PACKETS][side] == 0 ||
	    flow_class_of(h) < FLOW_CLASS_HALF_OPEN)
		return false;
	note_flags(h, side, pkt, pkt->tcp_flags);
	count_packet(t, n, h, side, pkt);
	note_due(t, n, h, side, pkt);
	return true;
}

static uint32_t take_number(struct lya_flow_table *t, unsigned family)
{
	struct flow_arena *a = &t->arena[family];
	uint32_t n = a->free;

	if (n != 0)
		a->free = flow_hot_at(t, n)->next;
	else
		n = ++a->high | (family != 0 ? FLOW_WIDE : 0);
	return n;
}

static void give_number_back(struct lya_flow_table *t, uint32_t n)
{
	struct flow_arena *a = &t->arena[flow_family(n)];

	flow_hot_at(t, n)->next = a->free;
	a->free = n;
}

static uint32_t origin_of(struct lya_flow_table *t, const struct lya_packet *pkt)
{
	struct flow_origin o = {
		.source = pkt->source,
		.tunnel_id = pkt->path.n_tunnels != 0 ? pkt->path.tunnel_id : 0,
		.n_vlan = pkt->path.n_vlan,
		.tunnel = pkt->path.n_tunnels != 0 ? pkt->path.tunnel : (uint8_t)LYA_TUN_NONE,
		.n_tunnels = pkt->path.n_tunnels,
		.digits = pkt->digits,
	};
	uint32_t n;

	memcpy(o.vlan, pkt->path.vlan, o.n_vlan * sizeof(o.vlan[0]));
	n = flow_intern_put(&t->origins, &o);
	if (n == 0)
		t->stats.details_lost++;
	return n;
}

static void fill_record(struct lya_flow_table *t, uint32_t n, const struct flow_key *key,
			const struct lya_packet *pkt)
{
	struct flow_hot *h = flow_hot_at(t, n);
	struct flow_cold *c = flow_cold_at(t, n);

	memset(h, 0, sizeof(*h));
	h->end[0] = key->end[0];
	h->end[1] = key->end[1];
	if ((n & FLOW_WIDE) != 0) {
		memcpy(t->wide[n & ~FLOW_WIDE].addr[0], key->wide[0], 16);
		memcpy(t->wide[n & ~FLOW_WIDE].addr[1], key->wide[1], 16);
	}
	if (key->side == 1)
		flow_set(h, FLOW_FIRST_1);
	if (pkt->kind == LYA_PKT_TCP)
		flow_loss_begin(t, n);
	h->last_ns = pkt->time_ns;
	*c = (struct flow_cold){
		.first_ns = pkt->time_ns,
		.number = (uint32_t)pkt->number,
		.number_hi = (uint16_t)(pkt->number >> 32),
		.origin = origin_of(t, pkt),
		.serial = (uint32_t)++t->serial,
	};
}

/* Make the flow that a packet begins. */
static int create(struct lya_flow_table *t, const struct flow_key *key, struct lya_packet *pkt)
{
	unsigned family = (flow_key_kind(key) & FLOW_KIND_WIDE) != 0;
	int rc = make_room(t, family);
	uint32_t n;

	lya_packet_fill(pkt);
	if (rc != LYA_OK)
		return rc;
	n = take_number(t, family);
	rc = flow_index_add(&t->index, key->tag, n);
	if (rc != LYA_OK) {
		give_number_back(t, n);
		return rc;
	}
	fill_record(t, n, key, pkt);
	t->arena[family].live++;
	t->stats.flows++;
	if (++t->stats.open > t->stats.open_peak)
		t->stats.open_peak = t->stats.open;
	if (flow_is_beside(t, flow_hot_at(t, n))) {
		flow_set(flow_hot_at(t, n), FLOW_SPLIT);
		t->split_flows++;
	}
	update(t, n, flow_hot_at(t, n), key->side, pkt);
	flow_link(t, n, classify(flow_hot_at(t, n)));
	return LYA_OK;
}

/* The flow that stands beside that of a key, for the packet's VLANs; it gets that flow's key. */
static uint32_t find_beside(struct lya_flow_table *t, struct flow_key *key,
			    const struct lya_packet *pkt)
{
	struct flow_key beside = *key;
	uint16_t ctx = flow_ctx_split(t, &pkt->path);
	uint32_t n;

	if (ctx == 0)
		return 0;
	flow_key_set_ctx(&beside, ctx);
	flow_key_tag(t, &beside);
	n = flow_find(t, &beside);
	if (n != 0)
		*key = beside;
	return n;
}

/* As flow_find, where the packet's VLANs may tell two flows apart. */
static inline uint32_t find(struct lya_flow_table *t, struct flow_key *key,
			    const struct lya_packet *pkt)
{
	uint32_t n = t->split_flows != 0 ? find_beside(t, key, pkt) : 0;

	return n != 0 ? n : flow_find(t, key);
}

/* Not when the VLANs are in the key already, nor when there is no number left for them. */
static bool can_split(struct lya_flow_table *t, uint32_t n, const struct lya_packet *pkt)
{
	return !t->options.vlan_in_key && !flow_is_beside(t, flow_hot_at(t, n)) &&
	       flow_ctx_split(t, &pkt->path) != 0;
}

/* A conversation in other VLANs than flow n, with the same ends at the same time. */
static int create_beside(struct lya_flow_table *t, uint32_t n, struct flow_key *key,
			 struct lya_packet *pkt)
{
	flow_set(flow_hot_at(t, n), FLOW_SPLIT);
	flow_key_set_ctx(key, flow_ctx_split(t, &pkt->path));
	flow_key_tag(t, key);
	return create(t, key, pkt);
}

/* Flow n is over, and another one takes its ports. */
static int succeed(struct lya_flow_table *t, uint32_t n, const struct flow_key *key,
		   struct lya_packet *pkt)
{
	int rc;

	flow_drain(t);
	flow_unlink(t, n);
	rc = flow_end(t, n);
	return rc != LYA_OK ? rc : create(t, key, pkt);
}

/* Any packet of a flow; of that key there may be none yet. */
static int take_flow_packet(struct lya_flow_table *t, struct flow_key *key, struct lya_packet *pkt)
{
	const unsigned turns = LYA_TCP_SYN | LYA_TCP_FIN | LYA_TCP_RST;
	uint32_t n = find(t, key, pkt);
	struct flow_hot *h;

	if (n == 0)
		return create(t, key, pkt);
	h = flow_hot_at(t, n);
	if ((pkt->tcp_flags & LYA_TCP_SYN) != 0) {
		enum flow_fit fit = flow_tcp_fit(t, n, key->side, pkt);

		if (fit == FLOW_FIT_FRESH)
			return succeed(t, n, key, pkt);
		if (fit == FLOW_FIT_SPLIT && can_split(t, n, pkt))
			return create_beside(t, n, key, pkt);
	}
	update(t, n, h, key->side, pkt);
	if (flow_class_of(h) < FLOW_CLASS_HALF_OPEN || (pkt->tcp_flags & turns) != 0)
		return reclassify(t, n);
	return LYA_OK;
}

/* An ICMP error answers a flow; it is none, and keeps none alive. */
static void take_icmp(struct lya_flow_table *t, const struct lya_packet *pkt)
{
	struct flow_key key;
	struct flow_extra *x;
	uint32_t n;

	if (!flow_key_quoted(t, pkt, &key))
		return;
	n = find(t, &key, pkt);
	if (n == 0)
		return;
	x = flow_extra_need(t, n);
	if (x == NULL) {
		t->stats.details_lost++;
		return;
	}
	if (!x->icmp) { /* the first one tells the reason */
		x->icmp = true;
		x->icmp_type = pkt->quoted.type;
		x->icmp_code = pkt->quoted.code;
	}
}

/* The records that keys may mean, judging by their tags and their own lines alone. */
static void look_ahead(struct lya_flow_table *t, size_t n)
{
	const struct flow_line *lines = t->index.lines;
	const unsigned shift = 32 - t->index.bits;

	for (size_t i = 0; i < n; i++) {
		struct flow_ahead *a = &t->ahead[i];
		const struct flow_line *line = &lines[a->key.tag >> shift];
		unsigned match = flow_line_match(line->tag, a->key.tag);
		uint32_t record = line->record[flow_line_first(match | 1U << (FLOW_LINE - 1))];

		a->record = match != 0 ? record : 0;
		a->hot = flow_hot_at(t, a->record);
		__builtin_prefetch(a->hot, 1);
		if ((a->record & FLOW_WIDE) != 0)
			__builtin_prefetch(t->wide[a->record & ~FLOW_WIDE].addr);
	}
}

static inline int take_packet(struct lya_flow_table *t, struct flow_ahead *a,
			      struct lya_packet *pkt)
{
	bool guessed = a->record != 0 && t->split_flows == 0 &&
		       flow_key_matches(t, a->record, a->hot, &a->key);

	if (guessed && update_under_way(t, a->record, a->hot, a->key.side, pkt))
		return LYA_OK;
	if (a->key.end[1] != 0)
		return take_flow_packet(t, &a->key, pkt);
	if (pkt->kind == LYA_PKT_ICMP_ERROR)
		take_icmp(t, pkt);
	return LYA_OK;
}

static int take_handful(struct lya_flow_table *t, struct lya_packet *pkts, size_t n,
			bool one_second)
{
	flow_keys_of(t, pkts, n);
	look_ahead(t, n);
	for (size_t i = 0; i < n; i++) {
		int rc = LYA_OK;

		t->packet = &pkts[i];
		if (!one_second)
			rc = flow_clock_move(t, pkts[i].time_ns);
		if (rc == LYA_OK)
			rc = take_packet(t, &t->ahead[i], &pkts[i]);
		if (rc != LYA_OK)
			return rc;
	}
	flow_drain(t);
	return flow_lacks_memory(t) ? LYA_ENOMEM : LYA_OK;
}

const struct lya_packet *lya_flow_table_packet(const struct lya_flow_table *t)
{
	return t->packet;
}

/* The flow that a packet was counted to, or an ICMP error answers; 0: none. */
static uint32_t flow_of(struct lya_flow_table *t, struct flow_key *key,
			const struct lya_packet *pkt)
{
	if (key->end[1] != 0)
		return flow_find(t, key); /* with the VLANs that it was found by */
	return flow_key_quoted(t, pkt, key) ? find(t, key, pkt) : 0;
}

/* Tell of a packet that was taken alone. */
static int show_packet(struct lya_flow_table *t, struct lya_packet *pkt)
{
	struct flow_key *key = &t->ahead[0].key;
	uint32_t n = flow_of(t, key, pkt);
	struct flow_hot *h = flow_hot_at(t, n);
	struct lya_flow_sight sight = {
		.pkt = pkt,
		.packets = { h->count[FLOW_PACKETS][0], h->count[FLOW_PACKETS][1] },
		.record = n,
		.side = (uint8_t)key->side,
		.settled = flow_is(h, FLOW_INSPECTED),
		.settles = t->inspect.settled == n,
	};
	int rc;

	if (n == 0 || (h->word & FLOW_ENOUGH) != 0)
		return LYA_OK;
	rc = t->options.on_packet(t->options.ctx, &sight);
	if (rc == LYA_FLOW_ENOUGH)
		h->word |= FLOW_ENOUGH;
	return rc;
}

void lya_flow_table_expect(struct lya_flow_table *t, struct lya_packet *pkts, size_t n)
{
	assert(n <= FLOW_BATCH);
	flow_keys_of(t, pkts, n);
	look_ahead(t, n);
	for (size_t i = 0; i < n; i++)
		flow_prefetch_slot(t, t->ahead[i].record);
}

int lya_flow_table_take(struct lya_flow_table *t, struct lya_packet *pkts, size_t n,
			const struct lya_batch *batch)
{
	/* The packets' times move the clock within the second at most; it is moved. */
	bool one_second = batch != NULL && n != 0 &&
			  flow_clock_stays(t, batch->oldest_ns, batch->newest_ns);
	size_t most = t->options.on_packet == NULL ? FLOW_BATCH : 1;

	while (n != 0 && t->status == LYA_OK) {
		size_t some = n < most ? n : most;
		int rc;

		t->inspect.settled = 0;
		rc = take_handful(t, pkts, some, one_second);
		if (rc == LYA_OK && t->options.on_packet != NULL)
			rc = show_packet(t, pkts);
		if (t->status == LYA_OK && rc < 0) /* else who was told a detail has failed */
			t->status = rc;
		pkts += some;
		n -= some;
	}
	t->packet = NULL;
	return t->status;
}
