/*
 * checksum.c - TCP's and UDP's checksum (RFC 1071), where a packet is whole.
 *
 * A host that leaves the checksum to its network card writes the sum of the
 * pseudo header there, or nothing at all; a capture on that host shows it so.
 */
#include "validity/validity.h"

#include <string.h>

#include "lyncaudit/word.h"

enum {
	TCP = 6,
	UDP = 17,
	IPV6_LEN = 40,
	TCP_AT = 16, /* of the checksum in the header */
	UDP_AT = 6,
	LEN_MAX = 9216 /* beyond, frames were made for or by a network card, and cost time */
};

/* Add n bytes at p; the sum does not mind the byte order. */
static uint64_t add_bytes(uint64_t sum, const uint8_t *p, size_t n)
{
	uint8_t rest[4] = { 0 };

	for (; n >= 8; p += 8, n -= 8) {
		uint64_t two = lya_word64(p);

		sum += (two & UINT32_MAX) + (two >> 32);
	}
	if (n >= 4) {
		sum += lya_word32(p);
		p += 4;
		n -= 4;
	}
	for (size_t i = 0; i < n; i++)
		rest[i] = p[i];
	return sum + lya_word32(rest);
}

static uint16_t fold(uint64_t sum)
{
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* The length of what the checksum covers; 0: it is not all there, or not from one packet. */
static uint32_t covered(const struct lya_packet *pkt)
{
	uint32_t len;

	if ((pkt->kind != LYA_PKT_TCP && pkt->kind != LYA_PKT_UDP) || pkt->is_fragment ||
	    pkt->ip_bytes <= pkt->l4_at ||
	    (pkt->events & ~(UINT32_C(1) << LYA_EV_CHECKSUM_IP)) != 0)
		return 0;
	if (pkt->src.family == 6 && pkt->l4_at != IPV6_LEN)
		return 0; /* a routing header names another destination */
	len = pkt->ip_bytes - pkt->l4_at;
	if (pkt->kind == LYA_PKT_UDP)
		len = pkt->payload_len + 8;
	if (len < (pkt->kind == LYA_PKT_TCP ? 20U : 8U) || len > LEN_MAX ||
	    pkt->ip_captured < pkt->l4_at + len)
		return 0;
	return len;
}

enum checksum validity_checksum(const struct lya_packet *pkt)
{
	uint32_t len = covered(pkt);
	bool is_tcp = pkt->kind == LYA_PKT_TCP;
	const uint8_t *p;
	uint8_t tail[4] = { 0 };
	uint16_t field, pseudo;
	size_t size;

	if (len == 0)
		return CHECKSUM_NONE;
	p = pkt->ip + pkt->l4_at;
	size = pkt->src.family == 6 ? 16 : 4;
	tail[1] = is_tcp ? TCP : UDP;
	tail[2] = (uint8_t)(len >> 8);
	tail[3] = (uint8_t)len;
	pseudo = fold(add_bytes(add_bytes(add_bytes(0, pkt->src.bytes, size), pkt->dst.bytes, size),
				tail, sizeof(tail)));
	memcpy(&field, p + (is_tcp ? TCP_AT : UDP_AT), sizeof(field));
	if (field == 0 && !is_tcp && pkt->src.family == 4)
		return CHECKSUM_NONE; /* UDP over IPv4 may do without */
	if (fold(add_bytes(pseudo, p, len)) == UINT16_MAX)
		return CHECKSUM_RIGHT;
	return field == pseudo || field == 0 ? CHECKSUM_UNFINISHED : CHECKSUM_WRONG;
}
