/*
 * table.h - the flow table, as its own files see it.
 *
 *     take ---> key, hash ---> index ---> record ---> tcp.c: state
 *                                           |   \---> inspect.c: payload, extras
 *                                           v
 *     clock (packet time) ---> wheels: one per family and class, a bucket a second
 *                                           |
 *                                           v
 *                                        end.c: struct lya_flow to on_end
 *
 * Every live flow stands in one bucket of its class's wheel: that of the
 * second in which it was linked.  A packet does not move it; when the bucket
 * comes up for expiry or eviction, a flow that has been seen since is moved to
 * the bucket of that second instead.  So packets cost nothing here, and the
 * end of a flow depends on packets alone: not on hashes, nor on batches.
 */
#ifndef LYNCAUDIT_FLOW_TABLE_H
#define LYNCAUDIT_FLOW_TABLE_H

#include <string.h>

#include "flow/index.h"
#include "flow/intern.h"
#include "flow/record.h"
#include "flow/sessions.h"
#include "lyncaudit/flow.h"
#include "lyncaudit/hash.h"

/*
 * What a flow is, for its timeout and for eviction.  The half-open ones are
 * those that nobody answered: they make room first.
 */
enum flow_class {
	FLOW_CLASS_OPENING,   /* TCP: attempted or refused */
	FLOW_CLASS_ONE_WAY,   /* UDP from one side alone, or unknown */
	FLOW_CLASS_STRAY,     /* TCP midstream from one side alone */
	FLOW_CLASS_HALF_OPEN, /* number of the classes above */
	FLOW_CLASS_UDP = FLOW_CLASS_HALF_OPEN,
	FLOW_CLASS_TCP,
	FLOW_CLASS_CLOSED,
	FLOW_CLASSES
};

enum {
	FLOW_FAMILIES = 2,        /* 0: IPv4, 1: IPv6 (wide) */
	FLOW_ONE_SIDED_MAX = 8,   /* packets after which a flow is no longer taken for a knock */
	FLOW_HALF_OPEN_SHARE = 8, /* an eighth of a full table is left to flows that open */
	FLOW_LOSSES = 4096,       /* TCP flows followed for what the mirror lost; a power of 2 */
	FLOW_BATCH = 64,          /* packets on their way through the caches at once */
	FLOW_CACHE_LINE = 64      /* bytes */
};

struct flow_bucket {
	uint32_t head, tail; /* 0: empty */
};

struct flow_wheel {
	struct flow_bucket *buckets; /* of second s: buckets[s & mask] */
	uint32_t mask;
	uint32_t code;  /* FLOW_BUCKET | number of buckets[0] among all */
	uint32_t count; /* flows linked */
	uint32_t timeout_s;
	int64_t oldest_s; /* no flow stands in the bucket of an earlier second */
};

/* The records of one family: taken in order, given back in any. */
struct flow_arena {
	uint32_t high; /* records ever used; the memory beyond is untouched */
	uint32_t cap;
	uint32_t free; /* first of the list of free ones */
	uint32_t live, half_open;
};

/*
 * Inspections under way are kept in slots of two pools.  The small ones hold
 * what datagrams need, or a stream that dribbles in; the large ones hold a
 * stream's whole state.  The number of a slot stands in the flow's record in
 * place of its extra, which moves to the slot for that time.
 */
enum { FLOW_SMALL, FLOW_LARGE, FLOW_POOLS };

#define FLOW_SLOT UINT32_C(0x800000)       /* of the 24 bits that a record has: a slot, */
#define FLOW_SLOT_LARGE UINT32_C(0x400000) /* of the pool of large ones */
#define FLOW_SLOT_NUMBER UINT32_C(0x3fffff)

/* What is asked only when an inspection begins or ends; the end of its slot. */
struct flow_links {
	uint32_t owner; /* flow under inspection; of a free slot, the next free one */
	uint32_t extra; /* its extra; 0: none */
};

struct flow_pool {
	uint8_t *memory; /* n slots of stride bytes; slot 1 first */
	size_t stride;
	uint32_t n, high, free;
	uint32_t hand; /* the slot whose inspection was given up last */
};

/* What is remembered of a TLS handshake under way; before the links of a large slot. */
struct flow_handshake {
	uint64_t session;    /* the session id that the server chose; 0: none */
	uint64_t tickets[2]; /* the last session ticket that each side sent; 0: none */
	uint8_t hello;       /* the side that sent a ServerHello, plus one; 0: none yet */
};

static inline struct flow_links *flow_links_at(const struct flow_pool *p, uint32_t slot)
{
	void *end = p->memory + slot * p->stride;

	return (struct flow_links *)end - 1;
}

static inline struct flow_handshake *flow_handshake_at(const struct flow_pool *p, uint32_t slot)
{
	void *end = flow_links_at(p, slot);

	return (struct flow_handshake *)end - 1;
}

/* A packet that there is more to do with when its handful has been counted. */
struct flow_due {
	struct lya_packet *pkt;
	uint32_t flow;
	uint32_t side;
};

/* Packets in their order; one place more, so that an entry may be written before it is wanted. */
struct flow_dues {
	struct flow_due list[FLOW_BATCH + 1];
	unsigned n;
};

/* Add an entry if it is wanted: without a branch, for nobody can guess that. */
static inline void flow_due_add(struct flow_dues *d, bool wanted, uint32_t n, unsigned side,
				struct lya_packet *pkt)
{
	d->list[d->n] = (struct flow_due){ pkt, n, side };
	d->n += wanted;
}

struct flow_inspect {
	struct lya_app_observer observer; /* its ctx is the table */
	uint32_t current;  /* the flow that is being fed: what its observer hears is about it */
	uint32_t slot;     /* the large slot that holds its state; 0: another place */
	uint32_t settled;  /* the flow whose inspection ended last in this handful; 0: none did */
	int64_t packet_ns; /* time of that packet */
	struct flow_sessions sessions;
	struct lya_packet *fed; /* that packet, while it is read; NULL: none */
	struct flow_pool pools[FLOW_POOLS];
	struct flow_handshake nobodys; /* of streams without a large slot: nobody asks for it */
	struct lya_app_state *last; /* for what still dribbles when its flow ends */
	uint8_t *scratch; /* n_scratch pieces; a free one begins with the next free one's number */
	uint32_t n_scratch, scratch_high, scratch_free;
	struct flow_dues due;
};

/* Of the slot of that word. */
static inline struct flow_links *flow_links_of(const struct flow_inspect *in, uint32_t word)
{
	return flow_links_at(&in->pools[(word & FLOW_SLOT_LARGE) != 0], word & FLOW_SLOT_NUMBER);
}

struct flow_extras {
	struct flow_extra *list; /* [0] unused */
	uint32_t cap, high, free, used;
};

/* A packet in hand, and what was guessed of it before its turn. */
struct flow_ahead {
	struct flow_key key;
	struct flow_hot *hot; /* of the record that the key may mean; else of record 0 */
	uint32_t record;
};

struct flow_shares {
	struct flow_share *list[FLOW_FAMILIES]; /* NULL: not asked for */
	uint64_t *measured; /* FLOW_LOSSES: payload bytes that other losses were counted beside */
	uint64_t cuts;      /* so far: the last is number cuts */
	int64_t cut_ns[2];  /* of the last two */
	struct lya_flow_marks marks; /* of the flow that is being told */
};

struct lya_flow_table {
	struct lya_flow_options options;
	struct lya_hash_key key;
	struct flow_index index;
	struct flow_hot *hot;
	struct flow_cold *cold;
	struct flow_wide *wide;
	struct flow_loss *losses; /* FLOW_LOSSES, by the low bits of the record's number */
	struct flow_shares shares;
	struct flow_dues measured; /* packets of flows that have one */
	struct flow_arena arena[FLOW_FAMILIES];
	struct flow_wheel wheels[FLOW_FAMILIES][FLOW_CLASSES];
	struct flow_bucket *buckets; /* of all wheels */
	uint32_t n_buckets;
	struct flow_inspect inspect;
	struct flow_extras extras;
	struct flow_intern origins, macs, results, ctxs;
	uint32_t split_flows; /* live flows that stand beside another one with the same ends */
	size_t budget;        /* bytes for records and index */
	int64_t skew_ns;      /* packet time + skew = the table's clock */
	int64_t now_ns;       /* the table's clock: never steps back */
	int64_t now_s;
	int64_t second_ends; /* now_ns stays below that within the second; INT64_MIN: not begun */
	bool started;
	int status; /* sticky failure */
	uint64_t serial;
	struct lya_flow_stats stats;
	struct lya_flow ended; /* the one that is being told */
	const struct lya_packet *packet; /* whose turn it is; NULL: none */
	struct flow_ahead ahead[FLOW_BATCH];
};

/* Something could not be kept for want of memory: what would be told is no longer whole. */
static inline bool flow_lacks_memory(const struct lya_flow_table *t)
{
	return t->origins.nomem || t->macs.nomem || t->ctxs.nomem || t->results.nomem;
}

static inline unsigned flow_family(uint32_t n)
{
	return (n & FLOW_WIDE) != 0;
}

/* Record 0 is there too: its kind is none, and it matches no key. */
static inline struct flow_hot *flow_hot_at(const struct lya_flow_table *t, uint32_t n)
{
	return (n & FLOW_WIDE) != 0 ? &t->wide[n & ~FLOW_WIDE].hot : &t->hot[n];
}

static inline struct flow_cold *flow_cold_at(const struct lya_flow_table *t, uint32_t n)
{
	return (n & FLOW_WIDE) != 0 ? &t->wide[n & ~FLOW_WIDE].cold : &t->cold[n];
}

/* The number of a flow's extra, wherever it stands; 0: it has none. */
static inline uint32_t flow_extra_number(const struct lya_flow_table *t, const struct flow_hot *h)
{
	uint32_t word = flow_word(h);

	if ((word & FLOW_SLOT) == 0)
		return word;
	return flow_links_of(&t->inspect, word)->extra;
}

static inline struct flow_extra *flow_extra_of(const struct lya_flow_table *t,
					       const struct flow_hot *h)
{
	return &t->extras.list[flow_extra_number(t, h)];
}

/* key.c ------------------------------------------------------------------- */

/* The keys of the packets in hand; asks the caches for their lines. */
void flow_keys_of(struct lya_flow_table *t, struct lya_packet *pkts, size_t n);
/* The key of the flow that an ICMP error quotes, as its sender sent it. */
bool flow_key_quoted(struct lya_flow_table *t, const struct lya_packet *pkt, struct flow_key *key);
/* The key of a record: for its place in the index. */
void flow_key_again(const struct lya_flow_table *t, uint32_t n, struct flow_key *key);
/* h: the hot part of record n. */
static inline bool flow_key_matches(const struct lya_flow_table *t, uint32_t n,
				    const struct flow_hot *h, const struct flow_key *key)
{
	const struct flow_wide *w;

	if (h->end[0] != key->end[0] || h->end[1] != key->end[1])
		return false;
	if ((n & FLOW_WIDE) == 0)
		return true;
	w = &t->wide[n & ~FLOW_WIDE];
	return memcmp(w->addr[0], key->wide[0], sizeof(w->addr[0])) == 0 &&
	       memcmp(w->addr[1], key->wide[1], sizeof(w->addr[1])) == 0;
}

void flow_key_tag(const struct lya_flow_table *t, struct flow_key *key);
/* The ctx that a flow beside another one with the same ends has, for its VLANs; 0: no room. */
uint16_t flow_ctx_split(struct lya_flow_table *t, const struct lya_path *path);
/* The record with that key; 0: none. */
uint32_t flow_find(const struct lya_flow_table *t, const struct flow_key *key);

/* wheel.c ----------------------------------------------------------------- */

int flow_wheels_init(struct lya_flow_table *t);
void flow_wheels_fini(struct lya_flow_table *t);
/* Stand a flow in its class's wheel, at the second in which it was last seen. */
void flow_link(struct lya_flow_table *t, uint32_t n, unsigned class);
void flow_unlink(struct lya_flow_table *t, uint32_t n);
/* Bring the clock to a packet's time and end what has been idle too long. */
int flow_clock_move(struct lya_flow_table *t, int64_t time_ns);

/*
 * The same at once for packets from oldest to newest, when no second passes
 * and nothing ends; false: ask for each.
 */
static inline bool flow_clock_stays(struct lya_flow_table *t, int64_t oldest, int64_t newest)
{
	if (t->skew_ns != 0 || oldest < t->now_ns || newest >= t->second_ends)
		return false;
	t->now_ns = newest;
	return true;
}

/*
 * The flow that has been quiet for longest among the classes from..to-1 of a
 * family (FLOW_FAMILIES: of both); 0: none.
 */
uint32_t flow_quietest(struct lya_flow_table *t, unsigned family, unsigned from, unsigned to);
/* Sort a list (linked by next, ended by 0) by last packet, then serial. */
uint32_t flow_sort(struct lya_flow_table *t, uint32_t list);

/* tcp.c ------------------------------------------------------------------- */

/* What a packet is to the flow that has its key. */
enum flow_fit {
	FLOW_FIT_SAME,  /* it belongs to it */
	FLOW_FIT_FRESH, /* it begins another one in its place */
	FLOW_FIT_SPLIT  /* it begins another one beside it, in other VLANs */
};

enum flow_fit flow_tcp_fit(const struct lya_flow_table *t, uint32_t n, unsigned side,
			   const struct lya_packet *pkt);
/* A packet with SYN or RST; what others say is noted with them (table.c). */
void flow_tcp_note(struct lya_flow_table *t, uint32_t n, unsigned side,
		   const struct lya_packet *pkt);
/* True once the other side, or the opener by going on, showed that it was let in. */
bool flow_tcp_established(const struct flow_hot *h);
uint8_t flow_tcp_state(const struct flow_hot *h);
/* True when the other side than the one that began has answered. */
bool flow_tcp_answered(const struct flow_hot *h);

/* loss.c ------------------------------------------------------------------ */

static inline struct flow_loss *flow_loss_at(const struct lya_flow_table *t, uint32_t n)
{
	return &t->losses[n & (FLOW_LOSSES - 1)];
}

int flow_losses_init(struct lya_flow_table *t);
void flow_losses_fini(struct lya_flow_table *t);
/* Follow a new TCP flow, if its place is free. */
void flow_loss_begin(struct lya_flow_table *t, uint32_t n);
void flow_loss_end(struct lya_flow_table *t, uint32_t n);
/* The packets that are due of flows that are followed. */
void flow_loss_drain(struct lya_flow_table *t);
void flow_loss_tell(const struct lya_flow_table *t, uint32_t n, struct lya_flow *f);
/* What was told of flow f is counted: begin again. */
void flow_loss_again(struct lya_flow_table *t, uint32_t n, const struct lya_flow *f);

/* detail.c: what the recognisers tell on their way ------------------------- */

void flow_detail_init(struct lya_flow_table *t);
/* A TLS handshake is over, or as far as it will be seen: what it resumed, what may resume it. */
void flow_detail_session(struct lya_flow_table *t, uint32_t n, const struct flow_handshake *hand,
			 struct lya_app_result *res);

/* inspect.c --------------------------------------------------------------- */

/*
 * What a fragment adds to the inspection.  A datagram in fragments is one
 * message, read when it is whole; only a head that the snap length cut, and
 * that nothing can make whole, is read as far as it goes.  Of a segment in
 * fragments the head is read: where the others belong is not known.
 */
static inline bool flow_is_fed_fragment(const struct lya_packet *pkt)
{
	if (pkt->kind == LYA_PKT_UDP && pkt->reassembled)
		return true;
	return pkt->frag_offset == 0 &&
	       (pkt->kind == LYA_PKT_TCP || lya_cursor_left(&pkt->payload) < pkt->payload_len);
}

/* True when a packet goes on to the inspection of its payload, if that is still under way. */
static inline bool flow_is_fed(const struct lya_packet *pkt)
{
	if (__builtin_expect(pkt->is_fragment, 0) && !flow_is_fed_fragment(pkt))
		return false;
	return pkt->kind == LYA_PKT_UDP || (pkt->kind == LYA_PKT_TCP && pkt->payload_len != 0);
}

int flow_inspect_init(struct lya_flow_table *t, size_t bytes);
void flow_inspect_fini(struct lya_flow_table *t);
/* Ask the caches for what an inspection wants of a flow, begun or not; record 0 is fine. */
void flow_prefetch_slot(const struct lya_flow_table *t, uint32_t n);
/* Inspect the packets that are due. */
void flow_inspect_drain(struct lya_flow_table *t);
/* End an inspection that is under way and keep its small result. */
void flow_inspect_settle(struct lya_flow_table *t, uint32_t n);
void flow_inspect_result(const struct lya_flow_table *t, uint32_t n, struct lya_app_result *out);
/* The same of a flow whose inspection may be under way still, which goes on. */
void flow_inspect_peek(const struct lya_flow_table *t, uint32_t n, struct lya_app_result *out);

/* Do what there is left to do with the packets that have been counted: before any flow ends. */
static inline void flow_drain(struct lya_flow_table *t)
{
	if (t->measured.n != 0)
		flow_loss_drain(t);
	if (t->inspect.due.n != 0)
		flow_inspect_drain(t);
}

/* slots.c ------------------------------------------------------------------ */

int flow_slots_init(struct flow_inspect *in, size_t bytes);
void flow_slots_fini(struct flow_inspect *in);
size_t flow_slots_bytes(const struct flow_inspect *in);
/* A slot for flow n, which gets its word; when all are taken an inspection ends early. */
uint32_t flow_slot_take(struct lya_flow_table *t, unsigned pool, uint32_t n);
/* Give a flow's slot back: its word is its extra's again. */
void flow_slot_give(struct lya_flow_table *t, uint32_t n);
/* A flow's slot goes for one of the large ones, whose word it gets. */
uint32_t flow_slot_change(struct lya_flow_table *t, uint32_t n);
/* What stands in the slot of that word: a struct lya_app_state, or a lya_app_drip. */
static inline void *flow_slot_at(const struct flow_inspect *in, uint32_t word)
{
	const struct flow_pool *pool = &in->pools[(word & FLOW_SLOT_LARGE) != 0];

	/* the stride keeps every slot aligned for anything */
	return pool->memory + ((word & FLOW_SLOT_NUMBER) - 1) * pool->stride;
}
/* For the observer of states: ctx is the table. */
void *flow_scratch_lend(void *ctx);
void flow_scratch_give(struct flow_inspect *in, void *piece);

/* extra.c ------------------------------------------------------------------ */

int flow_extras_init(struct lya_flow_table *t, size_t bytes);
void flow_extras_fini(struct lya_flow_table *t);
/* The extra of a flow, made when it has none; NULL when there is no room. */
struct flow_extra *flow_extra_need(struct lya_flow_table *t, uint32_t n);
void flow_extra_drop(struct lya_flow_table *t, uint32_t n);
/* A counter went over: carry. */
void flow_extra_carry(struct lya_flow_table *t, uint32_t n, unsigned count, unsigned side);

/* share.c ------------------------------------------------------------------ */

enum { FLOW_SHARE_BYTES = sizeof(struct flow_share) };

int flow_shares_init(struct lya_flow_table *t);
void flow_shares_fini(struct lya_flow_table *t);
size_t flow_shares_bytes(const struct lya_flow_table *t);
/* Tell what periods before have counted of a flow, with shares; and forget it at its end. */
void flow_share_tell(struct lya_flow_table *t, uint32_t n, struct lya_flow *f);
/* The share of that flow is looked at soon. */
void flow_share_expect(const struct lya_flow_table *t, uint32_t n);
void flow_share_forget(struct lya_flow_table *t, uint32_t n);

/* end.c ------------------------------------------------------------------- */

/* The address of one side. */
void flow_address(const struct lya_flow_table *t, uint32_t n, unsigned side, struct lya_addr *out);

/* Everything of a flow that is told but what its payload showed. */
void flow_fill(const struct lya_flow_table *t, uint32_t n, struct lya_flow *f);
void flow_fill_origin(const struct lya_flow_table *t, uint32_t n, struct lya_flow *f);
/*
 * What a flow itself shows, its inspection settled: all but where and when it was
 * seen and what was lost.  Borrowed until the next one is told.
 */
const struct lya_flow *flow_tell(struct lya_flow_table *t, uint32_t n);
/* Report a flow that was unlinked, and forget it. */
int flow_end(struct lya_flow_table *t, uint32_t n);
/* The same for a sorted list. */
int flow_end_list(struct lya_flow_table *t, uint32_t list);
/* True when the flow stands beside another one, told apart by its VLANs. */
bool flow_is_beside(const struct lya_flow_table *t, const struct flow_hot *h);
/* The flow's serial number in full. */
uint64_t flow_serial(const struct lya_flow_table *t, uint32_t n);

#endif
