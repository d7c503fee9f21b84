/*
 * ipv6.c - IPv6 (RFC 8200) and its chain of extension headers.
 */
#include "decode/layers.h"

enum {
	IPV6_LEN = 40,
	FRAGMENT_LEN = 8,
	NO_NEXT_HEADER = 59,
	EXTENSIONS_MAX = 16, /* RFC 8504 lets hosts stop at 8; twice that is nobody's real packet */
	OPTION_PAD1 = 0,
	OPTION_JUMBO = 0xc2
};

/* A hop-by-hop header at p with the jumbo payload option (RFC 2675)? */
static bool has_jumbo(const uint8_t *p, uint32_t len)
{
	for (uint32_t i = 2; i < len;) {
		if (p[i] == OPTION_PAD1) {
			i++;
			continue;
		}
		if (p[i] == OPTION_JUMBO)
			return true;
		if (len - i < 2)
			return false;
		i += 2U + p[i + 1];
	}
	return false;
}

/* The fragment header at b.  False when the packet is done with. */
static bool pass_fragment(struct lya_packet *pkt, uint8_t *proto, struct bytes *b)
{
	uint16_t offset = be16(b->p + 2);

	*proto = b->p[0];
	pkt->ip_id = be32(b->p + 4);
	*b = bytes_after(*b, FRAGMENT_LEN);
	pkt->frag_offset = offset & 0xfff8U;
	pkt->frag_more = offset & 1;
	/* "Atomic" fragments are whole (RFC 6946). */
	pkt->is_fragment = pkt->frag_offset != 0 || pkt->frag_more;
	if (!pkt->is_fragment)
		return true;
	pkt->transport = *proto;
	pkt->l4_at = (uint16_t)(b->p - pkt->ip);
	return !decode_fragment(pkt, *proto, *b);
}

static bool is_extension(uint8_t proto)
{
	switch (proto) {
	case PROTO_HOP_BY_HOP:
	case PROTO_ROUTING:
	case PROTO_FRAGMENT:
	case PROTO_AH:
	case PROTO_DEST_OPTIONS:
	case PROTO_MOBILITY:
	case PROTO_HIP:
	case PROTO_SHIM6:
		return true;
	default:
		return false;
	}
}

/* One extension header of kind *proto at *b.  False when the packet is done with. */
static bool pass_extension(struct lya_packet *pkt, uint8_t *proto, struct bytes *b)
{
	uint32_t len;

	if (b->left < 8) {
		note_short(pkt, *b, 8, LYA_EV_IPV6_TRUNCATED, LYA_EV_IPV6_HEADER);
		return false;
	}
	if (*proto == PROTO_FRAGMENT)
		return pass_fragment(pkt, proto, b);
	if (*proto == PROTO_AH)
		return decode_ah(pkt, proto, b, LYA_EV_IPV6_TRUNCATED, LYA_EV_IPV6_HEADER);
	len = ((uint32_t)b->p[1] + 1) * 8;
	if (b->left < len) {
		note_short(pkt, *b, len, LYA_EV_IPV6_TRUNCATED, LYA_EV_IPV6_HEADER);
		return false;
	}
	if (*proto == PROTO_HOP_BY_HOP && has_jumbo(b->p, len)) {
		lya_packet_note(pkt, LYA_EV_IPV6_JUMBOGRAM);
		pkt->kind = LYA_PKT_BAD;
		return false;
	}
	*proto = b->p[0];
	*b = bytes_after(*b, len);
	return true;
}

static void decode_chain(struct lya_packet *pkt, uint8_t proto, struct bytes b)
{
	for (unsigned depth = 0; is_extension(proto); depth++) {
		if (depth == EXTENSIONS_MAX) {
			lya_packet_note(pkt, LYA_EV_IPV6_EXT_DEPTH);
			pkt->kind = LYA_PKT_BAD;
			return;
		}
		if (!pass_extension(pkt, &proto, &b))
			return;
	}
	decode_transport(pkt, proto, b);
}

bool decode_ipv6(struct lya_packet *pkt, struct bytes b)
{
	const uint8_t *p = b.p;
	uint32_t len;
	bool fits;

	if (b.left < IPV6_LEN) {
		note_short(pkt, b, IPV6_LEN, LYA_EV_IPV6_TRUNCATED, LYA_EV_IPV6_HEADER);
		return false;
	}
	if (p[0] >> 4 != 6) {
		lya_packet_note(pkt, LYA_EV_IPV6_HEADER);
		pkt->kind = LYA_PKT_BAD;
		return false;
	}
	len = be16(p + 4);
	if (len == 0 &&
	    p[6] != NO_NEXT_HEADER) /* segmentation offload, or a jumbogram: see there */
		len = b.wire - IPV6_LEN;
	fits = IPV6_LEN + len <= b.wire;
	if (!fits)
		lya_packet_note(pkt, LYA_EV_IPV6_HEADER);
	b = bytes_limit(b, IPV6_LEN + len);

	pkt->ip = p;
	pkt->ip_captured = b.left;
	pkt->ip_bytes = b.wire;
	pkt->ip_id = 0;
	pkt->ttl = p[7];
	pkt->transport = p[6];
	pkt->l4_at = IPV6_LEN;
	memcpy(pkt->src.bytes, p + 8, 16);
	pkt->src.family = 6;
	memcpy(pkt->dst.bytes, p + 24, 16);
	pkt->dst.family = 6;
	b = bytes_after(b, IPV6_LEN);
	if (p[6] == PROTO_TCP || p[6] == PROTO_UDP)
		decode_transport(pkt, p[6], b);
	else
		decode_chain(pkt, p[6], b);
	return fits;
}
