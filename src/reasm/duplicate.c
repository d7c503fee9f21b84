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

enum { WAYS = 4, SETS = 8192, BATCH = 64, PAYLOAD_KEY = 16, EDGE = 64, UDP = 17, TCP = 6 };

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
	for (; n >= 8; p += 8, n -= 8)
		h = lya_hash_mix(h ^ load64(p), salt[8]);
	if (n > 0)
		h = lya_hash_mix(h ^ load_part(p, n) ^ n << 56, salt[9]);
	return h;
}

static inline uint64_t hash_ends(const struct lya_packet *pkt)
{
	const uint8_t *s = pkt->src.bytes;
	const uint8_t *d = pkt->dst.bytes;

	if (pkt->src.family == 4)
		return lya_hash_mix(load_part(s, 4) ^ salt[0], load_part(d, 4) ^ salt[1]);
	return lya_hash_mix(load64(s) ^ salt[0], load64(d) ^ salt[1]) +
	       lya_hash_mix(load64(s + 8) ^ salt[2], load64(d + 8) ^ salt[3]);
}

/* What the packet's bytes add when no IP id speaks for it. */
static uint64_t hash_without_id(const struct lya_packet *pkt, uint64_t h, const uint8_t *p,
				size_t left)
{
	size_t at = pkt->transport == TCP ? 16 : 6; /* the checksum */
	bool has_ports = pkt->kind == LYA_PKT_TCP || pkt->kind == LYA_PKT_UDP;

	if (has_ports && pkt->ip_captured >= pkt->l4_at + at + 2)
		h = hash_bytes(h, pkt->ip + pkt->l4_at + at, 2);
	if (left <= 2 * EDGE)
		return hash_bytes(h, p, left);
	return hash_bytes(hash_bytes(h, p, EDGE), p + left - EDGE, EDGE);
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
	if (left >= PAYLOAD_KEY)
		h ^= lya_hash_mix(load64(p) ^ salt[8], load64(p + 8) ^ h);
	else if (left > 0)
		h = hash_bytes(h, p, left);
	if (pkt->ip_id == 0)
		h = hash_without_id(pkt, h, p, left);
	return h | 1; /* 0 is a free entry */
}

static inline uint32_t hash_link(const struct lya_packet *pkt)
{
	uint64_t h = load64((const uint8_t *)pkt->path.vlan) ^ salt[0];

	h = lya_hash_mix(h, ((uint64_t)pkt->path.tunnel_id << 16 |
			     (uint64_t)pkt->path.n_tunnels << 8 | pkt->path.tunnel) ^
				salt[5]); /* a factor of 0 would fold all to 0 */
	if (pkt->eth_src != NULL)
		h ^= lya_hash_mix(load_part(pkt->eth_src, 6) ^ salt[1], salt[2]);
	if (pkt->eth_dst != NULL)
		h ^= lya_hash_mix(load_part(pkt->eth_dst, 6) ^ salt[3], salt[4]);
	return ((uint32_t)(h >> 32) & 0xffffff00U) | pkt->ttl;
}

static enum lya_duplicate kind_of(uint32_t first, uint32_t second)
{
	if ((first & 0xff) != (second & 0xff))
		return LYA_DUP_ROUTED;
	return first == second ? LYA_DUP_EXACT : LYA_DUP_VLAN;
}

/* Look for pkt in its set; remember it when it is new. */
static enum lya_duplicate sight(struct sighting *set, uint64_t hash, const struct lya_packet *pkt)
{
	uint32_t ticks = (uint32_t)((uint64_t)pkt->time_ns >> 10);
	uint32_t window = pkt->ip_id == 0 ? TICKS_NO_ID : TICKS_WINDOW;
	uint32_t link = hash_link(pkt);
	unsigned oldest = 0;

	for (unsigned i = 0; i < WAYS; i++) {
		if (set[i].hash == hash) {
			if (ticks - set[i].ticks <= window)
				return kind_of(set[i].link, link);
			oldest = i; /* the same again, later: a packet of its own */
			break;
		}
		if (set[i].hash == 0 || ticks - set[i].ticks > ticks - set[oldest].ticks)
			oldest = i;
		if (set[i].hash == 0)
			break;
	}
	set[oldest] = (struct sighting){ .hash = hash, .ticks = ticks, .link = link };
	return LYA_DUP_NONE;
}

static bool is_comparable(const struct lya_packet *pkt)
{
	return pkt->ip != NULL && pkt->kind != LYA_PKT_BAD && pkt->kind != LYA_PKT_NOT_IP;
}

/* Hash all, so that the sets are on their way into the cache; then look. */
static void mark_batch(struct duplicates *d, struct lya_packet *pkts, size_t n, uint64_t counts[4])
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
		if (kind != LYA_DUP_NONE)
			counts[kind]++;
	}
}

void duplicates_mark(struct duplicates *d, struct lya_packet *pkts, size_t n, uint64_t counts[4])
{
	for (size_t i = 0; i < n; i += BATCH)
		mark_batch(d, pkts + i, n - i < BATCH ? n - i : BATCH, counts);
}
