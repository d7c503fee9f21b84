/*
 * print.c - prints of all packets but the plainest, which plain.c takes itself.
 *
 * It must not matter which way a packet came to be decoded, for its copy may
 * have come another: so the print follows from what the packet is.
 */
#include "decode/print.h"

#include "decode/layers.h"
#include "lyncaudit/word.h"

enum { IPV4_LEN = 20, IPV6_LEN = 40, TCP_CHECKSUM = 16, UDP_CHECKSUM = 6, HALF = 16 };

/* What counts of the first 16 bytes of a header. */
struct mask {
	uint64_t low, high;
};

/* No type of service, flags of fragmentation, TTL, header checksum. */
static const struct mask ipv4_mask = { UINT64_C(0xff1fffffffff00ff), UINT64_C(0xffffffff0000ff00) };
/* No traffic class, no hop limit. */
static const struct mask ipv6_mask = { UINT64_C(0x00ffffffffff0000), UINT64_MAX };

static inline size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Where the payload begins; behind the captured bytes when there is none. */
static inline size_t payload_at(const struct lya_packet *pkt)
{
	return (size_t)(pkt->payload.pos - pkt->ip);
}

/* Hash n bytes, at least 16, into h; the last of them may be taken twice. */
static uint64_t hash_through(uint64_t h, const uint8_t *p, size_t n)
{
	const uint8_t *last = p + n - HALF;

	for (; p < last; p += HALF)
		h = lya_hash_mix(h ^ print_word(p), print_word(p + 8) ^ print_salt[7]);
	return lya_hash_mix(h ^ print_word(last), print_word(last + 8) ^ print_salt[8]);
}

/* Without an IP id: the checksum, more of the payload, and its end. */
static uint64_t print_without_id(const struct lya_packet *pkt, const struct mask *mask)
{
	const uint8_t *ip = pkt->ip;
	size_t behind = payload_at(pkt) + PRINT_EDGE;
	bool short_one = pkt->ip_captured <= behind + PRINT_EDGE;
	size_t end = short_one ? pkt->ip_captured : behind;
	uint64_t h = lya_hash_mix((print_word(ip) & mask->low) ^ print_salt[0],
				  (print_word(ip + 8) & mask->high) ^ print_salt[1]);

	h = hash_through(h, ip + HALF, end - HALF);
	if (!short_one)
		h = hash_through(h, ip + pkt->ip_captured - PRINT_EDGE, PRINT_EDGE);
	return print_finish(h, 0, pkt->ip_bytes);
}

/* Any other packet, by its fields ------------------------------------------------- */

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
		h = lya_hash_mix(h ^ lya_word64(p), lya_word64(p + 8) ^ print_salt[8]);
	if (n >= 8) {
		h = lya_hash_mix(h ^ lya_word64(p), print_salt[7]);
		p += 8;
		n -= 8;
	}
	if (n > 0)
		h = lya_hash_mix(h ^ load_part(p, n) ^ (uint64_t)n << 56, print_salt[9]);
	return h;
}

static uint64_t hash_ends(const struct lya_packet *pkt)
{
	const uint8_t *s = pkt->src.bytes;
	const uint8_t *d = pkt->dst.bytes;

	if (pkt->src.family == 4)
		return lya_hash_mix(lya_word32(s) ^ print_salt[0], lya_word32(d) ^ print_salt[1]);
	return lya_hash_mix(lya_word64(s) ^ print_salt[0], lya_word64(d) ^ print_salt[1]) +
	       lya_hash_mix(lya_word64(s + 8) ^ print_salt[2], lya_word64(d + 8) ^ print_salt[3]);
}

/* What the packet's bytes add when no IP id speaks for it. */
static uint64_t hash_without_id(const struct lya_packet *pkt, uint64_t h, const uint8_t *p,
				size_t left)
{
	size_t at = pkt->l4_at + (pkt->kind == LYA_PKT_TCP ? (size_t)TCP_CHECKSUM : UDP_CHECKSUM);
	bool has_ports = pkt->kind == LYA_PKT_TCP || pkt->kind == LYA_PKT_UDP;

	if (has_ports && pkt->ip_captured >= at + 2)
		h = lya_hash_mix(h ^ pkt->ip[at] ^ (uint64_t)pkt->ip[at + 1] << 8, print_salt[6]);
	if (left <= (size_t)2 * PRINT_EDGE)
		return hash_bytes(h, p, left);
	return hash_bytes(h, p, PRINT_EDGE) + hash_bytes(~h, p + left - PRINT_EDGE, PRINT_EDGE);
}

/* The first 16 bytes; fewer so that each counts, some twice (their number is in the key). */
static void first_words(const uint8_t *p, size_t left, uint64_t words[2])
{
	words[0] = words[1] = 0;
	if (left >= 8) {
		words[0] = lya_word64(p);
		words[1] = lya_word64(p + (left >= PRINT_PAYLOAD ? 8 : left - 8));
	} else if (left >= 4) {
		words[0] = lya_word32(p);
		words[1] = lya_word32(p + left - 4);
	} else if (left > 0) {
		words[0] = (uint64_t)p[0] << 16 | (uint64_t)p[left / 2] << 8 | p[left - 1];
	}
}

/* The bytes above IP that belong to the key, behind what the fields hold. */
static const uint8_t *key_bytes(const struct lya_packet *pkt, size_t *left)
{
	if (pkt->payload.pos != NULL) {
		*left = lya_cursor_left(&pkt->payload);
		return pkt->payload.pos;
	}
	*left = pkt->ip_captured > pkt->l4_at ? pkt->ip_captured - pkt->l4_at : 0;
	return pkt->ip + pkt->ip_captured - *left;
}

static uint64_t print_fields(const struct lya_packet *pkt)
{
	size_t left;
	const uint8_t *p = key_bytes(pkt, &left);
	uint64_t h = hash_ends(pkt);
	uint64_t words[2];

	h += lya_hash_mix(((uint64_t)pkt->ip_id << 32 | pkt->ip_bytes) ^ print_salt[4],
			  ((uint64_t)pkt->sport << 48 | (uint64_t)pkt->dport << 32 |
			   (uint64_t)pkt->transport << 24 | pkt->frag_offset) ^
			      print_salt[5]);
	if (pkt->kind == LYA_PKT_TCP) {
		h += lya_hash_mix(((uint64_t)pkt->seq << 32 | pkt->ack) ^ print_salt[6],
				  ((uint64_t)pkt->window << 8 | pkt->tcp_flags) ^ print_salt[7]);
		if (pkt->options_len > 0)
			h = hash_bytes(h, pkt->options, pkt->options_len);
	}
	first_words(p, left, words);
	h ^= lya_hash_mix(words[0] ^ print_salt[8], words[1] ^ h);
	if (pkt->ip_id == 0)
		h = hash_without_id(pkt, h, p, left);
	return h | 1;
}

/* ----------------------------------------------------------------------------------- */

/* TCP or UDP behind a header of that version and length, with enough of it captured. */
static bool stands(const struct lya_packet *pkt, unsigned version, size_t header)
{
	size_t least = pkt->kind == LYA_PKT_TCP ? PRINT_LEAST_TCP : PRINT_LEAST_UDP;

	return pkt->kind <= LYA_PKT_UDP && pkt->l4_at == header &&
	       pkt->ip_captured >= header + least - IPV4_LEN && pkt->ip[0] >> 4 == version;
}

/* Of IPv4 whose headers stand there. */
static uint64_t print_ipv4(const struct lya_packet *pkt)
{
	size_t end = least(pkt->ip_captured, payload_at(pkt) + PRINT_PAYLOAD);

	if ((pkt->ip[4] | pkt->ip[5]) == 0)
		return print_without_id(pkt, &ipv4_mask);
	if (pkt->kind == LYA_PKT_TCP)
		return print_tcp(pkt->ip, end, pkt->ip_bytes);
	return print_udp(pkt->ip, end, pkt->ip_bytes);
}

uint64_t lya_packet_print(struct lya_packet *pkt)
{
	if (pkt->ip == NULL || pkt->kind == LYA_PKT_BAD || pkt->kind == LYA_PKT_NOT_IP)
		return 0;
	if (stands(pkt, 6, IPV6_LEN) && !pkt->is_fragment)
		return print_without_id(pkt, &ipv6_mask);
	if (stands(pkt, 4, IPV4_LEN))
		return print_ipv4(pkt);
	lya_packet_fill(pkt);
	return print_fields(pkt);
}
