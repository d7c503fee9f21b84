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
 * one that came first goes.  32768 entries hold 10 ms at 3 million packets a
 * second.  An entry knows 44 bits of its packet's hash, 13 of them by its set:
 * of a thousand million packets two are taken for copies of others.  The hash
 * has a fixed key, for the same capture must give the same marks; an attacker
 * who makes two packets collide hides a packet's bytes from the sum, never its
 * flow.
 */
#include "reasm/reasm.h"

#include <endian.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "lyncaudit/alloc.h"
#include "lyncaudit/hash.h"

enum { WAYS = 4, SETS = 8192, BATCH = 64, PAYLOAD_KEY = 16, EDGE = 64 };

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

/* The key of any packet that is whole. */
static uint64_t hash_packet(const struct lya_packet *pkt)
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

/*
 * What can be read straight from the headers, which nearly all packets allow:
 * TCP or UDP behind a plain IPv4 or IPv6 header.  It must not matter how much
 * of the packet the decoder has set, for the copy may have come another way.
 */
enum layout { LAYOUT_ANY, LAYOUT_IPV4, LAYOUT_IPV6 };

enum { IPV4_LEN = 20, IPV6_LEN = 40, TCP_LEN = 20, UDP_LEN = 8 };

static inline enum layout layout_of(const struct lya_packet *pkt)
{
	if (pkt->form == LYA_FORM_IPV4 && pkt->ip_captured >= IPV4_LEN + 16)
		return LAYOUT_IPV4; /* the same as below, in fewer steps */
	if (pkt->kind > LYA_PKT_UDP || pkt->ip_captured < pkt->l4_at + 16U)
		return LAYOUT_ANY;
	if (pkt->l4_at == IPV4_LEN && pkt->ip[0] == 0x45)
		return LAYOUT_IPV4;
	return pkt->l4_at == IPV6_LEN && pkt->ip[0] >> 4 == 6 && !pkt->is_fragment ? LAYOUT_IPV6
										   : LAYOUT_ANY;
}

/*
 * Such a packet is hashed in blocks of 16 bytes, from its IP header on: four
 * words, each with a number of its place added, multiplied in pairs ("NH" of
 * UMAC, RFC 4418).  What routers change is masked out.
 */
enum { BLOCK = 16, PLACES = 16 };

static const uint32_t places[PLACES][4] = {
	{ 0xf9a6edd5, 0x41e9f265, 0xad4e5508, 0x679a6728 },
	{ 0xde95dfac, 0x527cc0ce, 0x8399bd43, 0x2345f063 },
	{ 0xf2d69e2e, 0x93be6abb, 0x16647e66, 0x470c9d74 },
	{ 0x15a36327, 0x83277846, 0x0b5207cf, 0xbc14f7ae },
	{ 0x1daf0942, 0xb340b690, 0xf3307c7b, 0x69efc344 },
	{ 0x19b50185, 0x839fe4c8, 0xf5ea17d6, 0xedd1797e },
	{ 0x4414e695, 0x5bf89a37, 0xc18dedaa, 0x7831548d },
	{ 0xfdcefd30, 0x662a86d3, 0x6179d52c, 0xc6f8c0f2 },
	{ 0x6cfe0dba, 0xf8acd827, 0x5105d9db, 0x636f743b },
	{ 0x16a64512, 0x8252be9f, 0x7db492ff, 0xfe0b27c6 },
	{ 0x57a2727a, 0xbd42a395, 0x4c48b854, 0xaf4abcdd },
	{ 0x47335376, 0x8cfc5608, 0x27db8261, 0xc3735bac },
	{ 0x12c5fc48, 0xca269ce2, 0x31c816b5, 0x8cb3464c },
	{ 0x2b576170, 0x66b214ad, 0xc29a110a, 0xe281248c },
	{ 0x97787fc5, 0x6ba84774, 0x0b2e98c5, 0x17b48e5b },
	{ 0xbe90875c, 0x81bf7ccd, 0x99ce4e46, 0x874b7af5 },
};

/* Of the first block: no type of service, TTL, header checksum, flags of fragmentation. */
static const uint8_t ipv4_mask[BLOCK] = { 0xff, 0, 0xff, 0xff, 0xff, 0xff, 0x1f, 0xff,
					  0,    0xff, 0, 0,    0xff, 0xff, 0xff, 0xff };
/* No traffic class, no hop limit. */
static const uint8_t ipv6_mask[BLOCK] = { 0,    0,    0xff, 0xff, 0xff, 0xff, 0xff, 0,
					  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

/* A window of 16 bytes onto it, that slides over the two bytes of a checksum. */
enum { WINDOW_BEFORE = 32, WINDOW_LAST = WINDOW_BEFORE + 2 + 16 };

#define ONES_16 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, \
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff
static const uint8_t window[WINDOW_LAST + BLOCK] = { ONES_16, ONES_16, 0, 0, ONES_16, ONES_16 };

#ifdef __SSE2__
typedef __m128i sums;

static inline sums no_sums(void)
{
	return _mm_setzero_si128();
}

static inline sums add_block(sums h, const uint8_t *p, const uint8_t *mask, unsigned place)
{
	__m128i v = _mm_and_si128(_mm_loadu_si128((const void *)p),
				  _mm_loadu_si128((const void *)mask));

	v = _mm_add_epi32(v, _mm_loadu_si128((const void *)places[place]));
	return _mm_add_epi64(h, _mm_mul_epu32(v, _mm_shuffle_epi32(v, _MM_SHUFFLE(3, 3, 1, 1))));
}

static inline uint64_t sum_at(sums h, unsigned i)
{
	uint64_t v[2];

	memcpy(v, &h, sizeof(v));
	return v[i];
}
#else
typedef struct {
	uint64_t v[2];
} sums;

static inline sums no_sums(void)
{
	return (sums){ { 0, 0 } };
}

static inline sums add_block(sums h, const uint8_t *p, const uint8_t *mask, unsigned place)
{
	uint32_t w[4], m[4];

	memcpy(w, p, sizeof(w));
	memcpy(m, mask, sizeof(m));
	for (unsigned i = 0; i < 4; i++)
		w[i] = le32toh(w[i] & m[i]) + places[place][i];
	h.v[0] += (uint64_t)w[0] * w[1];
	h.v[1] += (uint64_t)w[2] * w[3];
	return h;
}

static inline uint64_t sum_at(sums h, unsigned i)
{
	return h.v[i];
}
#endif

/* The block at `at`, without the two bytes at `checksum`. */
static inline sums add_beside(sums h, const uint8_t *ip, size_t at, size_t checksum, unsigned place)
{
	size_t slide = WINDOW_BEFORE + at - checksum;

	return add_block(h, ip + at, window + (slide < WINDOW_LAST ? slide : WINDOW_LAST), place);
}

/*
 * The blocks from the third on, up to `end` (more than 32); the last of them may
 * overlap the one before.
 */
static inline sums add_blocks(sums h, const uint8_t *ip, size_t end, size_t checksum)
{
	size_t at = 2 * BLOCK;
	unsigned place = 2;

	for (; at + BLOCK < end; at += BLOCK) {
		h = add_beside(h, ip, at, checksum, place);
		place = (place + 1) % PLACES;
	}
	return add_beside(h, ip, end - BLOCK, checksum, place);
}

static inline uint64_t finish(sums h, uint64_t more)
{
	return lya_hash_mix(sum_at(h, 0) ^ more, sum_at(h, 1) ^ salt[0]) | 1;
}

static inline size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Where the payload begins; behind the captured bytes when there is none. */
static inline size_t payload_at(const struct lya_packet *pkt)
{
	return (size_t)(pkt->payload.pos - pkt->ip);
}

/* With an IP id: up to the first bytes of the payload. */
static inline uint64_t hash_with_id(const struct lya_packet *pkt)
{
	/* By kind. */
	static const uint8_t checksums[2] = { IPV4_LEN + 16, IPV4_LEN + 6 };
	size_t checksum = checksums[pkt->kind];
	size_t end = least(pkt->ip_captured, payload_at(pkt) + PAYLOAD_KEY);
	sums h = add_block(no_sums(), pkt->ip, ipv4_mask, 0);

	h = add_block(h, pkt->ip + BLOCK, window + WINDOW_BEFORE + BLOCK - checksum, 1);
	return finish(add_blocks(h, pkt->ip, end, checksum), pkt->ip_bytes);
}

/* Without one: the checksum, more of the payload, and its end. */
static uint64_t hash_bytes_too(const struct lya_packet *pkt, const uint8_t *first_mask)
{
	const uint8_t *all = window + WINDOW_LAST;
	size_t behind = payload_at(pkt) + EDGE;
	bool short_one = pkt->ip_captured <= behind + EDGE;
	size_t end = short_one ? pkt->ip_captured : behind;
	sums h = add_block(no_sums(), pkt->ip, first_mask, 0);

	h = add_block(h, pkt->ip + BLOCK, all, 1);
	h = add_blocks(h, pkt->ip, end, 0);
	for (unsigned i = 0; i < EDGE / BLOCK && !short_one; i++)
		h = add_block(h, pkt->ip + pkt->ip_captured - EDGE + (size_t)i * BLOCK, all,
			      PLACES - 1 - i);
	return finish(h, pkt->ip_bytes);
}

static uint32_t hash_link(const struct lya_packet *pkt)
{
	uint64_t path = (uint64_t)pkt->path.tunnel_id << 16 | (uint64_t)pkt->path.n_tunnels << 8 |
			pkt->path.tunnel;
	uint64_t src = pkt->eth_src != NULL ? load48(pkt->eth_src) : 0;
	uint64_t dst = pkt->eth_dst != NULL ? load48(pkt->eth_dst) : 0;
	uint64_t h;

	h = lya_hash_mix(load64((const uint8_t *)pkt->path.vlan) ^ salt[0], path ^ salt[5]) +
	    lya_hash_mix(src ^ salt[1], dst ^ salt[2]);
	return (uint32_t)(h >> 32);
}

/* Of both MAC addresses, which follow each other at p, and of VLANs alone. */
static inline uint32_t hash_plain_link(const struct lya_packet *pkt, const uint8_t *p)
{
	return (uint32_t)((load64(p) * salt[1] + load32(p + 8) * salt[2] +
			   load64((const uint8_t *)pkt->path.vlan) * salt[3]) >>
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

static bool is_comparable(const struct lya_packet *pkt)
{
	return pkt->ip != NULL && pkt->kind != LYA_PKT_BAD && pkt->kind != LYA_PKT_NOT_IP;
}

/* 0 for a packet that is not compared. */
static uint64_t hash_any(struct lya_packet *pkt)
{
	if (!is_comparable(pkt))
		return 0;
	lya_packet_fill(pkt);
	return hash_packet(pkt);
}

static inline uint64_t hash_of(struct lya_packet *pkt)
{
	enum layout layout = layout_of(pkt);

	if (__builtin_expect(layout == LAYOUT_ANY, 0))
		return hash_any(pkt);
	if (layout == LAYOUT_IPV6)
		return hash_bytes_too(pkt, ipv6_mask);
	return (pkt->ip[4] | pkt->ip[5]) != 0 ? hash_with_id(pkt) : hash_bytes_too(pkt, ipv4_mask);
}

static inline struct sightings *set_of(struct duplicates *d, uint64_t hash)
{
	return &d->sets[hash >> 32 & (SETS - 1)];
}

/* Hash all, so that the sets are on their way into the cache; then look. */
static void mark_batch(struct duplicates *d, struct clocks *c, struct lya_packet *pkts, size_t n,
		       uint64_t counts[4])
{
	uint64_t hashes[BATCH];

	for (size_t i = 0; i < n; i++) {
		hashes[i] = hash_of(&pkts[i]);
		__builtin_prefetch(set_of(d, hashes[i]), 1);
	}
	for (size_t i = 0; i < n; i++) {
		enum lya_duplicate kind;

		if (hashes[i] == 0)
			continue;
		kind = sight(set_of(d, hashes[i]), hashes[i], &pkts[i]);
		if (__builtin_expect(hashes[i] <= c->limit, 0))
			clocks_see(c, hashes[i], &pkts[i]);
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
