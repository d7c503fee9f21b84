/*
 * duplicate.c - the second sighting of a packet on a mirror port.
 *
 * A packet is known by its print (see lyncaudit/decode.h).  TTL, MAC addresses
 * and VLANs are kept beside it and tell which kind of copy it is.  Without an
 * IP id a copy must come within a shorter time.
 *
 * The table has a fixed size: sets of four entries, one cache line each, the
 * one that came first goes.  32768 entries hold 10 ms at 3 million packets a
 * second.  An entry knows 44 bits of its packet's print, 13 of them by its set:
 * of a thousand million packets two are taken for copies of others.  The print
 * has no secret, for the same capture must give the same marks; an attacker
 * who makes two packets collide hides a packet's bytes from the sum, never its
 * flow.
 */
#include "reasm/reasm.h"

#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "lyncaudit/ahead.h"
#include "lyncaudit/alloc.h"
#include "lyncaudit/hash.h"
#include "lyncaudit/word.h"

enum { WAYS = 4, SETS = 8192, BATCH = 64 };

/* Times are kept in units of 1024 ns, modulo 73 minutes. */
enum {
	TICKS_WINDOW = LYA_DUPLICATE_WINDOW_MS * 1000000 / 1024,
	TICKS_NO_ID = LYA_DUPLICATE_NO_ID_WINDOW_MS * 1000000 / 1024
};

/* Four words that are compared at once. */
typedef uint32_t four __attribute__((vector_size(16)));

/* Four packets, in columns; entry i was filled after entry i - 1, and `next` is the oldest. */
struct sightings {
	four tag; /* of the hash; 0: free */
	uint32_t ticks[WAYS];
	uint32_t link[WAYS]; /* hash of MACs, VLANs and tunnel above, TTL in the lowest byte */
	uint32_t next;
	uint32_t unused[3];
};

_Static_assert(sizeof(struct sightings) == 64, "a set is a cache line");

struct duplicates {
	struct sightings sets[SETS];
};

/* Odd numbers without structure. */
static const uint64_t salt[] = {
	UINT64_C(0x9e3779b97f4a7c15), UINT64_C(0xbf58476d1ce4e5b9), UINT64_C(0x94d049bb133111eb),
	UINT64_C(0xd6e8feb86659fd93),
};

struct duplicates *duplicates_new(void)
{
	return lya_map_pages(sizeof(struct duplicates));
}

void duplicates_free(struct duplicates *d)
{
	lya_unmap_pages(d, sizeof(*d));
}

size_t duplicates_bytes(void)
{
	return sizeof(struct duplicates);
}

/* In pieces through registers: a copy through memory stalls the load that follows. */
static inline uint64_t word48(const uint8_t *p)
{
	return lya_word32(p) | (uint64_t)lya_word16(p + 4) << 32;
}

static uint32_t hash_link(const struct lya_packet *pkt)
{
	uint64_t path = (uint64_t)pkt->path.tunnel_id << 16 | (uint64_t)pkt->path.n_tunnels << 8 |
			pkt->path.tunnel;
	uint64_t src = pkt->eth_src != NULL ? word48(pkt->eth_src) : 0;
	uint64_t dst = pkt->eth_dst != NULL ? word48(pkt->eth_dst) : 0;
	uint64_t h;

	h = lya_hash_mix(lya_word64((const uint8_t *)pkt->path.vlan) ^ salt[0], path ^ salt[3]) +
	    lya_hash_mix(src ^ salt[1], dst ^ salt[2]);
	return (uint32_t)(h >> 32);
}

/* Of both MAC addresses, which follow each other at p, and of VLANs alone. */
static inline uint32_t hash_plain_link(const struct lya_packet *pkt, const uint8_t *p)
{
	return (uint32_t)((lya_word64(p) * salt[1] + lya_word32(p + 8) * salt[2] +
			   lya_word64((const uint8_t *)pkt->path.vlan) * salt[3]) >>
			  32);
}

static inline uint32_t link_of(const struct lya_packet *pkt)
{
	uint32_t h;

	if (__builtin_expect(lya_packet_is_plain(pkt), 1))
		h = hash_plain_link(pkt, pkt->frame->data);
	else if (pkt->eth_dst != NULL && pkt->path.n_tunnels == 0)
		h = hash_plain_link(pkt, pkt->eth_dst);
	else
		h = hash_link(pkt);
	return (h & 0xffffff00U) | pkt->ttl;
}

static enum lya_duplicate kind_of(uint32_t first, uint32_t second)
{
	if ((first & 0xff) != (second & 0xff))
		return LYA_DUP_ROUTED;
	return first == second ? LYA_DUP_EXACT : LYA_DUP_VLAN;
}

static bool has_id(const struct lya_packet *pkt)
{
	if (!lya_packet_is_plain(pkt))
		return pkt->ip_id != 0;
	return pkt->form == LYA_FORM_IPV4 && (pkt->ip[4] | pkt->ip[5]) != 0;
}

/*
 * A packet that may be in its set: what it is a copy of, or LYA_DUP_NONE.  The
 * same too late is a packet of its own: it is forgotten, for the new one comes.
 */
static enum lya_duplicate find(struct sightings *set, uint32_t tag, uint32_t ticks, uint32_t link,
			       bool has_id)
{
	uint32_t most = has_id ? TICKS_WINDOW : TICKS_NO_ID;

	for (unsigned i = 0; i < WAYS; i++) {
		if (set->tag[i] != tag)
			continue;
		if (ticks - set->ticks[i] <= most)
			return kind_of(set->link[i], link);
		set->tag[i] = 0;
	}
	return LYA_DUP_NONE;
}

/* A packet with that tag may be in the set. */
static inline bool may_hold(const struct sightings *set, uint32_t tag)
{
	four equal = set->tag == (four){ tag, tag, tag, tag };
#ifdef __SSE2__
	return _mm_movemask_epi8((__m128i)equal) != 0;
#else
	uint64_t same[2];

	memcpy(same, &equal, sizeof(same));
	return (same[0] | same[1]) != 0;
#endif
}

/* Look for pkt in its set; remember it when it is new. */
static inline enum lya_duplicate sight(struct sightings *set, uint64_t hash,
				       const struct lya_packet *pkt)
{
	uint32_t tag = (uint32_t)hash;
	uint32_t ticks = (uint32_t)((uint64_t)pkt->time_ns >> 10);
	uint32_t link = link_of(pkt);
	uint32_t at = set->next;

	if (__builtin_expect(may_hold(set, tag), 0)) {
		enum lya_duplicate kind = find(set, tag, ticks, link, has_id(pkt));

		if (kind != LYA_DUP_NONE)
			return kind;
	}
	set->tag[at] = tag;
	set->ticks[at] = ticks;
	set->link[at] = link;
	set->next = (at + 1) % WAYS;
	return LYA_DUP_NONE;
}

static inline struct sightings *set_of(struct duplicates *d, uint64_t hash)
{
	return &d->sets[hash >> 32 & (SETS - 1)];
}

/* Ask for the sets of all, so that they are on their way into the cache; then look. */
static void mark_batch(struct duplicates *d, struct clocks *c, struct lya_packet *pkts, size_t n,
		       uint64_t counts[4])
{
	for (size_t i = 0; i < n; i++) {
		if (pkts[i].print == 0)
			pkts[i].print = lya_packet_print(&pkts[i]);
		lya_ask_ahead(set_of(d, pkts[i].print));
	}
	for (size_t i = 0; i < n; i++) {
		uint64_t print = pkts[i].print;
		enum lya_duplicate kind;

		if (print == 0)
			continue;
		kind = sight(set_of(d, print), print, &pkts[i]);
		if (__builtin_expect(print <= c->limit, 0))
			clocks_see(c, print, &pkts[i]);
		if (kind != LYA_DUP_NONE) {
			pkts[i].duplicate = (uint8_t)kind;
			counts[kind]++;
		}
	}
}

void duplicates_mark(struct duplicates *d, struct clocks *c, struct lya_packet *pkts, size_t n,
		     uint64_t counts[4])
{
	for (size_t i = 0; i < n; i += BATCH)
		mark_batch(d, c, pkts + i, n - i < BATCH ? n - i : BATCH, counts);
}
