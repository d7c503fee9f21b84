/*
 * record.h - what the table keeps of one flow.
 *
 * Memory decides how fast a table of a million flows is, so a flow has a hot
 * part of one cache line, which every packet touches, and a cold part that is
 * written once.  IPv6 flows carry both parts and their addresses in a wide
 * record of two lines.
 *
 *     number          0          no record
 *                     1 ..       IPv4: hot[n], cold[n]
 *                     WIDE | 1.. IPv6: wide[n & ~WIDE]
 *                     BUCKET | i the bucket of a wheel, where a list ends
 *
 * Counters are 32 bits wide and carry into the flow's extra, which only flows
 * that need one have.
 */
#ifndef LYNCAUDIT_FLOW_RECORD_H
#define LYNCAUDIT_FLOW_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "lyncaudit/app.h"
#include "lyncaudit/decode.h"
#include "lyncaudit/flow.h"

#define FLOW_WIDE UINT32_C(0x80000000)
#define FLOW_BUCKET UINT32_C(0xc0000000)

/*
 * A key is its two ends, the lower one first: IPv4 address << 32 | port << 16
 * (IPv6: the port alone, the addresses lie apart).  The lowest 16 bits hold
 * what else tells flows apart: [0] the ctx (see intern.h), [1] the kind, which
 * is never zero for a record in use.
 */
enum {
	FLOW_KIND_USED = 0x01,
	FLOW_KIND_TCP = 0x02, /* else UDP */
	FLOW_KIND_WIDE = 0x04,
	FLOW_KIND_UNKNOWN_SHIFT = 3 /* enum lya_flow_unknown */
};

enum flow_flag {
	FLOW_FIRST_1 = 1 << 0,  /* side 1 sent the first packet */
	FLOW_SYN = 1 << 1,      /* a SYN was seen, */
	FLOW_SYN_1 = 1 << 2,    /* from side 1 */
	FLOW_SYNACK = 1 << 3,   /* a SYN-ACK was seen, */
	FLOW_SYNACK_1 = 1 << 4, /* from side 1 */
	FLOW_WENT_0 = 1 << 5,   /* side 0 sent an ACK that is neither SYN nor RST */
	FLOW_WENT_1 = 1 << 6,
	FLOW_REFUSED = 1 << 7, /* RST to a SYN */
	FLOW_RESET = 1 << 8,
	FLOW_GROUP = 1 << 9,
	FLOW_SPLIT = 1 << 10,     /* another conversation with these ends has other VLANs */
	FLOW_INSPECTED = 1 << 11, /* nothing more to learn from the payload */
	FLOW_MEASURED = 1 << 12,  /* has a flow_loss */
	FLOW_CLASS_SHIFT = 13     /* enum flow_class, three bits */
};

enum { FLOW_PACKETS, FLOW_BYTES, FLOW_PAYLOAD, FLOW_COUNTS };

struct flow_hot {
	uint64_t end[2];
	uint32_t count[FLOW_COUNTS][2];
	int64_t last_ns;
	uint32_t next, prev; /* in the bucket, or next free record */
	uint32_t word;       /* see flow_word, and above it FLOW_FIN_0 and _1 */
	uint16_t seen_s;     /* the table's clock at the last packet, seconds */
	uint16_t flags;
};

/* Bytes of the MAC addresses in a frame. */
enum { FLOW_MACS = 12 };

struct flow_cold {
	int64_t first_ns;
	uint32_t number; /* of the first packet, low bits */
	uint32_t origin; /* source and path, interned */
	uint32_t isn;    /* of the SYN, or what the SYN-ACK says of it */
	uint32_t serial; /* low bits */
	uint16_t macs[2]; /* destination and source, as in a frame; interned */
	uint16_t number_hi;
	uint16_t result; /* struct lya_app_result but for its prefix, interned */
};

struct flow_wide {
	struct flow_hot hot;
	uint8_t addr[2][16];
	struct flow_cold cold;
};

_Static_assert(sizeof(struct flow_hot) == 64, "a hot record is a cache line");
_Static_assert(sizeof(struct flow_cold) == 32, "cold records must stay small");
_Static_assert(sizeof(struct flow_wide) == 128, "a wide record is two cache lines");

/* What only some flows need. */
struct flow_extra {
	uint32_t carry[FLOW_COUNTS][2]; /* high halves of the counters */
	uint32_t next_free;
	bool icmp;
	uint8_t icmp_type, icmp_code;
	uint8_t prefix_len[2];
	uint8_t prefix[2][LYA_APP_PREFIX];
};

/*
 * What was counted of a flow when, where that is asked for (the option `shares`); an array
 * beside each family's records, touched at cuts, visits and ends alone.
 */
struct flow_share {
	uint32_t serial; /* low bits of the flow's; any other, or !used: all is zero still */
	uint32_t used;
	struct lya_flow_sum cut[2]; /* of the last two cuts, by the cut's number & 1 */
	struct lya_flow_sum told;
	int64_t cut_last_ns;
};

_Static_assert(sizeof(struct flow_share) == 64, "a share is a cache line");

/* What some TCP flows have to measure what the mirror lost; see loss.c. */
struct flow_loss {
	uint32_t owner; /* record; 0: free */
	bool known[2];  /* something of that side was seen */
	struct {
		uint32_t next;    /* one past the highest byte seen or acknowledged */
		uint32_t missing; /* bytes below it that were not seen */
		uint32_t lost;    /* of these, acknowledged */
	} side[2];
};

_Static_assert(sizeof(struct flow_loss) == 32, "two to a cache line");

/* The key of a packet.  IPv6 addresses stay where they are, in the packet or the record. */
struct flow_key {
	uint64_t end[2];        /* as in a record; end[1] 0: no flow's packet */
	uint32_t tag;           /* its hash, for the index; never 0 */
	uint32_t side;          /* the packet's sender */
	const uint8_t *wide[2]; /* IPv6, 16 bytes each; borrowed */
};

static inline unsigned flow_key_kind(const struct flow_key *key)
{
	return (uint16_t)key->end[1];
}

static inline void flow_key_set_ctx(struct flow_key *key, uint16_t ctx)
{
	key->end[0] = (key->end[0] & ~(uint64_t)UINT16_MAX) | ctx;
}

static inline unsigned flow_kind(const struct flow_hot *h)
{
	return (uint16_t)h->end[1];
}

static inline uint16_t flow_ctx_of(const struct flow_hot *h)
{
	return (uint16_t)h->end[0];
}

static inline uint16_t flow_port(const struct flow_hot *h, unsigned side)
{
	return (uint16_t)(h->end[side] >> 16);
}

/* In bits 24 and 25 of a record's word: the side has sent a FIN. */
#define FLOW_FIN_0 UINT32_C(0x01000000)
#define FLOW_FIN_1 UINT32_C(0x02000000)

/* In bit 26: of its packets no more are to be shown. */
#define FLOW_ENOUGH UINT32_C(0x04000000)

/* The number of the flow's extra, or of its slot (FLOW_SLOT, see table.h); 0: neither. */
static inline uint32_t flow_word(const struct flow_hot *h)
{
	return h->word & 0xffffff;
}

static inline void flow_set_word(struct flow_hot *h, uint32_t word)
{
	h->word = (h->word & ~UINT32_C(0xffffff)) | word;
}

static inline bool flow_is(const struct flow_hot *h, unsigned flag)
{
	return (h->flags & flag) != 0;
}

static inline void flow_set(struct flow_hot *h, unsigned flag)
{
	h->flags = (uint16_t)(h->flags | flag);
}

static inline unsigned flow_class_of(const struct flow_hot *h)
{
	return h->flags >> FLOW_CLASS_SHIFT;
}

static inline bool flow_is_tcp(const struct flow_hot *h)
{
	return (flow_kind(h) & FLOW_KIND_TCP) != 0;
}

static inline unsigned flow_unknown(const struct flow_hot *h)
{
	return flow_kind(h) >> FLOW_KIND_UNKNOWN_SHIFT;
}

/* -1: no such packet was seen. */
static inline int flow_syn_side(const struct flow_hot *h)
{
	if (!flow_is(h, FLOW_SYN))
		return -1;
	return flow_is(h, FLOW_SYN_1);
}

static inline int flow_synack_side(const struct flow_hot *h)
{
	if (!flow_is(h, FLOW_SYNACK))
		return -1;
	return flow_is(h, FLOW_SYNACK_1);
}

static inline bool flow_went(const struct flow_hot *h, int side)
{
	return flow_is(h, side == 0 ? FLOW_WENT_0 : FLOW_WENT_1);
}

static inline bool flow_both_fin(const struct flow_hot *h)
{
	return (~h->word & (FLOW_FIN_0 | FLOW_FIN_1)) == 0;
}

#endif
