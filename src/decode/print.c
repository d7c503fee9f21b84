/*
 * print.c - prints of all packets but the plainest, which plain.c takes itself.
 *
 * It must not matter which way a packet came to be decoded, for its copy may
 * have come another: so the print follows from what the packet is.
 */
#include "decode/print.h"

#include "decode/layers.h"
#include "lyncaudit/word.h"

enum { IPV4_LEN = 20, IPV6_LEN = 40, TCP_CHECKSUM = 16, UDP_CHECKSUM = 6 };

const uint32_t print_places[PRINT_PLACES][4] __attribute__((aligned(16))) = {
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
const uint8_t print_ipv4_mask[PRINT_BLOCK] __attribute__((aligned(16))) = { 0xff, 0, 0xff, 0xff, 0xff, 0xff, 0x1f, 0xff,
					       0,    0xff, 0, 0,    0xff, 0xff, 0xff, 0xff };
/* No traffic class, no hop limit. */
static const uint8_t ipv6_mask[PRINT_BLOCK] = { 0,    0,    0xff, 0xff, 0xff, 0xff, 0xff, 0,
						0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

#define ONES_16 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, \
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff
const uint8_t print_window[PRINT_WINDOW_LAST + PRINT_BLOCK] = { ONES_16, ONES_16, 0, 0,
								ONES_16, ONES_16 };

/* Odd numbers without structure, one for every place in the key. */
static const uint64_t salt[] = {
	UINT64_C(0x9e3779b97f4a7c15), UINT64_C(0xbf58476d1ce4e5b9), UINT64_C(0x94d049bb133111eb),
	UINT64_C(0xd6e8feb86659fd93), UINT64_C(0xe7037ed1a0b428db), UINT64_C(0x8ebc6af09c88c6e3),
	UINT64_C(0x589965cc75374cc3), UINT64_C(0x1d8e4e27c47d124f), UINT64_C(0xeb44accab455d165),
	UINT64_C(0xa0761d6478bd642f),
};

static inline size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Where the payload begins; behind the captured bytes when there is none. */
static inline size_t payload_at(const struct lya_packet *pkt)
{
	return (size_t)(pkt->payload.pos - pkt->ip);
}

/* Without an IP id: the checksum, more of the payload, and its end. */
static uint64_t print_without_id(const struct lya_packet *pkt, const uint8_t *first_mask)
{
	const uint8_t *all = print_window + PRINT_WINDOW_LAST;
	size_t behind = payload_at(pkt) + PRINT_EDGE;
	bool short_one = pkt->ip_captured <= behind + PRINT_EDGE;
	size_t end = short_one ? pkt->ip_captured : behind;
	print_sums h = print_add(print_none(), pkt->ip, first_mask, 0);

	h = print_add(h, pkt->ip + PRINT_BLOCK, all, 1);
	h = print_blocks(h, pkt->ip, end, 0);
	for (unsigned i = 0; i < PRINT_EDGE / PRINT_BLOCK && !short_one; i++)
		h = print_add(h, pkt->ip + pkt->ip_captured - PRINT_EDGE + (size_t)i * PRINT_BLOCK,
			      all, PRINT_PLACES - 1 - i);
	return print_finish(h, pkt->ip_bytes);
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
		h = lya_hash_mix(h ^ lya_word64(p), lya_word64(p + 8) ^ salt[8]);
	if (n >= 8) {
		h = lya_hash_mix(h ^ lya_word64(p), salt[7]);
		p += 8;
		n -= 8;
	}
	if (n > 0)
		h = lya_hash_mix(h ^ load_part(p, n) ^ (uint64_t)n << 56, salt[9]);
	return h;
}

static uint64_t hash_ends(const struct lya_packet *pkt)
{
	const uint8_t *s = pkt->src.bytes;
	const uint8_t *d = pkt->dst.bytes;

	if (pkt->src.family == 4)
		return lya_hash_mix(lya_word32(s) ^ salt[0], lya_word32(d) ^ salt[1]);
	return lya_hash_mix(lya_word64(s) ^ salt[0], lya_word64(d) ^ salt[1]) +
	       lya_hash_mix(lya_word64(s + 8) ^ salt[2], lya_word64(d + 8) ^ salt[3]);
}

/* What the packet's bytes add when no IP id speaks for it. */
static uint64_t hash_without_id(const struct lya_packet *pkt, uint64_t h, const uint8_t *p,
				size_t left)
{
	size_t at = pkt->l4_at + (pkt->kind == LYA_PKT_TCP ? (size_t)TCP_CHECKSUM : UDP_CHECKSUM);
	bool has_ports = pkt->kind == LYA_PKT_TCP || pkt->kind == LYA_PKT_UDP;

	if (has_ports && pkt->ip_captured >= at + 2)
		h = lya_hash_mix(h ^ pkt->ip[at] ^ (uint64_t)pkt->ip[at + 1] << 8, salt[6]);
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
	return h | 1;
}

/* ----------------------------------------------------------------------------------- */

/* TCP or UDP behind a header of that version and length, with enough of it captured. */
static bool stands(const struct lya_packet *pkt, unsigned version, size_t header)
{
	return pkt->kind <= LYA_PKT_UDP && pkt->l4_at == header &&
	       pkt->ip_captured >= header + PRINT_LEAST - IPV4_LEN && pkt->ip[0] >> 4 == version;
}

uint64_t lya_packet_print(struct lya_packet *pkt)
{
	if (pkt->ip == NULL || pkt->kind == LYA_PKT_BAD || pkt->kind == LYA_PKT_NOT_IP)
		return 0;
	if (stands(pkt, 6, IPV6_LEN) && !pkt->is_fragment)
		return print_without_id(pkt, ipv6_mask);
	if (stands(pkt, 4, IPV4_LEN)) {
		if ((pkt->ip[4] | pkt->ip[5]) == 0)
			return print_without_id(pkt, print_ipv4_mask);
		return print_ipv4(pkt->ip, least(pkt->ip_captured, payload_at(pkt) + PRINT_PAYLOAD),
				  IPV4_LEN + (pkt->kind == LYA_PKT_TCP ? (size_t)TCP_CHECKSUM
								       : UDP_CHECKSUM),
				  pkt->ip_bytes);
	}
	lya_packet_fill(pkt);
	return print_fields(pkt);
}
