/*
 * duplicate.c - the second sighting of a packet on a mirror port.
 *
 * A packet is known by what a switch or a router does not change: addresses,
 * protocol, IP id, place of the fragment, total length, transport header
 * without checksum, the first bytes of the payload (RTP needs them).  TTL, MAC
 * addresses and VLANs are kept beside it and tell which kind of copy it is.
 *
 * Where the IP id is 0 (or there is none, IPv6) a second packet may look the
 * same up to there; then the checksum and more of the payload, its end too,
 * must be equal as well, within a shorter time.
 *
 * The table has a fixed size: sets of four entries, one cache line each, the
 * oldest goes.  32768 entries hold 10 ms at 3 million packets a second.  Its
 * hash has a fixed key, for the same capture must give the same marks; an
 * attacker who makes two packets collide hides a packet's bytes from the sum,
 * never its flow.
 */
#include "reasm/reasm.h"

#include <string.h>

#include "lyncaudit/alloc.h"
#include "lyncaudit/hash.h"

enum { WAYS = 4, SETS = 8192, BATCH = 64, PAYLOAD_KEY = 16, EDGE = 64 };

/* Times are kept in units of 1024 ns, modulo 73 minutes. */
enum {
	TICKS_WINDOW = LYA_DUPLICATE_WINDOW_MS * 1000000 / 1024,
	TICKS_NO_ID = LYA_DUPLICATE_NO_ID_WINDOW_MS * 1000000 / 1024
};

struct sighting {
	uint64_t hash; /* 0: free */
	uint32_t ticks;
	uint32_t link; /* hash of MACs, VLANs and tunnel above, TTL in the lowest byte */
};

struct duplicates {
	struct sighting sets[SETS][WAYS];
};

/* Odd numbers without structure, one for every place in the key. */
static const uint64_t salt[] = {
	UINT64_C(0x9e3779b97f4a7c15), UINT64_C(0xbf58476d1ce4e5b9), UINT64_C(0x94d049bb133111eb),
	UINT64_C(0xd6e8feb86659fd93), UINT64_C(0xe7037ed1a0b428db), UINT64_C(0x8ebc6af09c88c6e3),
	UINT64_C(0x589965cc75374cc3), UINT64_C(0x1d8e4e27c47d124f), UINT64_C(0xeb44accab455d165),
	UINT64_C(0xa0761d6478bd642f),
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

static inline uint64_t load64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* In pieces through registers: a copy through memory stalls the load that follows. */
static inline uint64_t load32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint64_t load48(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p + 4, sizeof(v));
	return load32(p) | (uint64_t)v << 32;
}

/* Up to 8 bytes, the rest zero. */
static inline uint64_t load_part(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	memcpy(&v, p, n);
	return v;
}

/* Hash n bytes into h. */
static uint64_t hash_bytes(uint64_t h, const uint8_t *p, size_t n)
{
	for (; n >= 16; p += 16, n -= 16)
		h = lya_hash_mix(h ^ load64(p), load64(p + 8) ^ salt[8]);
	if (n >= 8) {
		h = lya_hash_mix(h ^ load64(p), salt[7]);
		p += 8;
		n -= 8;
	}
	if (n > 0)
		h = lya_hash_mix(h ^ load_part(p, n) ^ (uint64_t)n << 56, salt[9]);
	return h;
}

static inline uint64_t hash_ends(const struct lya_packet *pkt)
{
	const uint8_t *s = pkt->src.bytes;
	const uint8_t *d = pkt->dst.bytes;

	if (pkt->src.family == 4)
		return lya_hash_mix(load32(s) ^ salt[0], load32(d) ^ salt[1]);
	return lya_hash_mix(load64(s) ^ salt[0], load64(d) ^ salt[1]) +
	       lya_hash_mix(load64(s + 8) ^ salt[2], load64(d + 8) ^ salt[3]);
}

/* What the packet's bytes add when no IP id speaks for it. */
static uint64_t hash_without_id(const struct lya_packet *pkt, uint64_t h, const uint8_t *p,
				size_t left)
{
	size_t at = pkt->l4_at + (pkt->kind == LYA_PKT_TCP ? 16U : 6U); /* the checksum */
	bool has_ports = pkt->kind == LYA_PKT_TCP || pkt->kind == LYA_PKT_UDP;

	if (has_ports && pkt->ip_captured >= at + 2)
		h = lya_hash_mix(h ^ pkt->ip[at] ^ (uint64_t)pkt->ip[at + 1] << 8, salt[6]);
	if (left <= 2 * EDGE)
		return hash_bytes(h, p, left);
	return hash_bytes(h, p, EDGE) + hash_bytes(~h, p + left - EDGE, EDGE);
}

/* The first 16 bytes; fewer so that each counts, some twice (their number is in the key). */
static inline void first_words(const uint8_t *p, size_t left, uint64_t words[2])
{
	words[0] = words[1] = 0;
	if (left >= 8) {
		words[0] = load64(p);
		words[1] = load64(p + (left >= PAYLOAD_KEY ? 8 : left - 8));
	} else if (left >= 4) {
		words[0] = load32(p);
		words[1] = load32(p + left - 4);
	} else if (left > 0) {
		words[0] = (uint64_t)p[0] << 16 | (uint64_t)p[left / 2] << 8 | p[left - 1];
	}
}

/* The bytes above IP that belong to the key, behind what the fields hold. */
static inline const uint8_t *key_bytes(const struct lya_packet *pkt, size_t *left)
{
	if (pkt->payload.pos != NULL) {
		*left = lya_cursor_left(&pkt->payload);
		return pkt->payload.pos;
	}
	*left = pkt->ip_captured > pkt->l4_at ? pkt->ip_captured - pkt->l4_at : 0;
	return pkt->ip + pkt->ip_captured - *left;
}

static inline uint64_t hash_packet(const struct lya_packet *pkt)
{
	size_t left;
	const uint8_t *p = key_bytes(pkt, &left);
	uint64_t h = hash_ends(pkt);
	uint64_t words[2];

	h += lya_hash_mix(((uint64_t)pkt->ip_id << 32 | pkt->ip_bytes) ^ salt[4],
			  ((uint64_t)pkt->sport << 48 | (uint64_t)pkt->dport << 32 |
			   (uint64_t)pkt->transport << 24 | pkt->frag_offset) ^
			      salt[5]);
	if (pkt->kind == LYA_PKT_TCP) {
		h += lya_hash_mix(((uint64_t)pkt->seq << 32 | pkt->ack) ^ salt[6],
				  ((uint64_t)pkt->window << 8 | pkt->tcp_flags) ^ salt[7]);
		if (pkt->options_len > 0)
			h = hash_bytes(h, pkt->options, pkt->options_len);
	}
	first_words(p, left, words);
	h ^= lya_hash_mix(words[0] ^ salt[8], words[1] ^ h);
	if (pkt->ip_id == 0)
		h = hash_without_id(pkt, h, p, left);
	return h | 1; /* 0 is a free entry */
}

static inline uint32_t hash_link(const struct lya_packet *pkt)
{
	uint64_t path = (uint64_t)pkt->path.tunnel_id << 16 | (uint64_t)pkt->path.n_tunnels << 8 |
			pkt->path.tunnel;
	uint64_t src = pkt->eth_src != NULL ? load48(pkt->eth_src) : 0;
	uint64_t dst = pkt->eth_dst != NULL ? load48(pkt->eth_dst) : 0;
	uint64_t h;

	h = lya_hash_mix(load64((const uint8_t *)pkt->path.vlan) ^ salt[0], path ^ salt[5]) +
	    lya_hash_mix(src ^ salt[1], dst ^ salt[2]);
	return ((uint32_t)(h >> 32) & 0xffffff00U) | pkt->ttl;
}

static enum lya_duplicate kind_of(uint32_t first, uint32_t second)
{
	if ((first & 0xff) != (second & 0xff))
		return LYA_DUP_ROUTED;
	return first == second ? LYA_DUP_EXACT : LYA_DUP_VLAN;
}

/*
 * Look for pkt in its set; remember it when it is new.  No branch depends on
 * which entry is which: those could not be foreseen.  A free one is as old as
 * the clock of the ticks.
 */
static inline enum lya_duplicate sight(struct sighting *set, uint64_t hash,
				       const struct lya_packet *pkt)
{
	uint32_t ticks = (uint32_t)((uint64_t)pkt->time_ns >> 10);
	uint32_t window = pkt->ip_id == 0 ? TICKS_NO_ID : TICKS_WINDOW;
	uint32_t link = hash_link(pkt);
	uint64_t oldest_age = 0;
	unsigned place = 0;
	bool found = false;

	for (unsigned i = 0; i < WAYS; i++) {
		bool same = set[i].hash == hash;
		/* The same again is to be replaced first: too late, it is a packet of its own. */
		uint64_t age = (uint64_t)same << 32 | (ticks - set[i].ticks);

		place = age > oldest_age ? i : place;
		oldest_age = age > oldest_age ? age : oldest_age;
		found |= same;
	}
	if (found && ticks - set[place].ticks <= window)
		return kind_of(set[place].link, link);
	set[place] = (struct sighting){ .hash = hash, .ticks = ticks, .link = link };
	return LYA_DUP_NONE;
}

static bool is_comparable(const struct lya_packet *pkt)
{
	return pkt->ip != NULL && pkt->kind != LYA_PKT_BAD && pkt->kind != LYA_PKT_NOT_IP;
}

/* Hash all, so that the sets are on their way into the cache; then look. */
static void mark_batch(struct duplicates *d, struct clocks *c, struct lya_packet *pkts, size_t n,
		       uint64_t counts[4])
{
	uint64_t hashes[BATCH];

	for (size_t i = 0; i < n; i++) {
		if (!is_comparable(&pkts[i]))
			continue;
		hashes[i] = hash_packet(&pkts[i]);
		__builtin_prefetch(d->sets[hashes[i] >> 32 & (SETS - 1)], 1);
	}
	for (size_t i = 0; i < n; i++) {
		enum lya_duplicate kind;

		if (!is_comparable(&pkts[i]))
			continue;
		kind = sight(d->sets[hashes[i] >> 32 & (SETS - 1)], hashes[i], &pkts[i]);
		pkts[i].duplicate = (uint8_t)kind;
		if (__builtin_expect(hashes[i] <= c->limit, 0))
			clocks_see(c, hashes[i], &pkts[i]);
		if (kind != LYA_DUP_NONE)
			counts[kind]++;
	}
}

void duplicates_mark(struct duplicates *d, struct clocks *c, struct lya_packet *pkts, size_t n,
		     uint64_t counts[4])
{
	for (size_t i = 0; i < n; i += BATCH)
		mark_batch(d, c, pkts + i, n - i < BATCH ? n - i : BATCH, counts);
}
