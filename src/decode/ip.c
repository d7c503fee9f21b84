/*
 * ip.c - IPv4 (RFC 791) and what both versions share: fragments, AH, and the
 * way to the transport.
 */
#include "decode/layers.h"
#include "lyncaudit/word.h"

enum { IPV4_LEN = 20, AH_MIN = 12, DATAGRAM_MAX = 65535 };

bool decode_fragment(struct lya_packet *pkt, uint8_t proto, struct bytes b)
{
	pkt->frag_at = (uint16_t)(b.p - pkt->ip);
	/* All but the last carry a multiple of 8 bytes, and none reaches past the largest datagram.
	 */
	if (b.wire == 0 || (pkt->frag_more && b.wire % 8 != 0) ||
	    pkt->frag_offset + b.wire > DATAGRAM_MAX) {
		lya_packet_note(pkt, LYA_EV_FRAGMENT_BAD);
		pkt->kind = LYA_PKT_BAD;
		return true;
	}
	if (pkt->frag_offset == 0)
		return false;
	set_payload(pkt, b, b.wire);
	pkt->kind = proto == PROTO_TCP || proto == PROTO_UDP ? LYA_PKT_FRAGMENT : LYA_PKT_OTHER_IP;
	return true;
}

bool decode_ah(struct lya_packet *pkt, uint8_t *proto, struct bytes *b, enum lya_event ev_cut,
	       enum lya_event ev)
{
	uint32_t len;

	if (b->left < AH_MIN) {
		note_short(pkt, *b, AH_MIN, ev_cut, ev);
		return false;
	}
	len = ((uint32_t)b->p[1] + 2) * 4;
	if (len < AH_MIN || b->left < len) {
		note_short(pkt, *b, len < AH_MIN ? UINT32_MAX : len, ev_cut, ev);
		return false;
	}
	*proto = b->p[0];
	*b = bytes_after(*b, len);
	return true;
}

void decode_transport(struct lya_packet *pkt, uint8_t proto, struct bytes b)
{
	pkt->transport = proto;
	pkt->l4_at = (uint16_t)(b.p - pkt->ip);
	if (proto == PROTO_TCP) { /* these two are nearly all there is: no jump table */
		decode_tcp(pkt, b);
		return;
	}
	if (proto == PROTO_UDP) {
		decode_udp(pkt, b);
		return;
	}
	switch (proto) {
	case PROTO_ICMP:
		decode_icmp(pkt, b);
		break;
	case PROTO_ICMPV6:
		decode_icmpv6(pkt, b);
		break;
	case PROTO_IPV4:
	case PROTO_IPV6:
		decode_ip_in_ip(pkt, proto, b);
		break;
	case PROTO_GRE:
		decode_gre(pkt, b);
		break;
	default:
		pkt->kind = LYA_PKT_OTHER_IP;
		break;
	}
}

/*
 * True unless the checksum of the IPv4 header at p is wrong; 0 stands for "not
 * computed yet".  The sum does not mind the byte order (RFC 1071).
 */
static inline bool checksum_holds(const uint8_t *p, uint32_t len)
{
	uint64_t sum =
	    lya_word32(p) + lya_word32(p + 4) + lya_word32(p + 8) + lya_word32(p + 12) + lya_word32(p + 16);

	for (uint32_t i = IPV4_LEN; i < len; i += 4)
		sum += lya_word32(p + i);
	/* Ones' complement: a sum of all ones is a multiple of 0xffff, and never 0 here. */
	return sum % UINT16_MAX == 0 || be16(p + 10) == 0;
}

/* Each option but the two of one byte has a length that must fit. */
static bool options_hold(const uint8_t *p, uint32_t len)
{
	for (uint32_t i = 0; i < len && p[i] != 0;) {
		if (p[i] == 1) {
			i++;
			continue;
		}
		if (len - i < 2 || p[i + 1] < 2 || p[i + 1] > len - i)
			return false;
		i += p[i + 1];
	}
	return true;
}

static bool ipv4_bad(struct lya_packet *pkt)
{
	lya_packet_note(pkt, LYA_EV_IPV4_HEADER);
	pkt->kind = LYA_PKT_BAD;
	return false;
}

static inline void set_ipv4_ends(struct lya_packet *pkt, const uint8_t *p)
{
	memset(&pkt->src, 0, sizeof(pkt->src));
	memcpy(pkt->src.bytes, p + 12, 4);
	pkt->src.family = 4;
	memset(&pkt->dst, 0, sizeof(pkt->dst));
	memcpy(pkt->dst.bytes, p + 16, 4);
	pkt->dst.family = 4;
}

/*
 * An authentication header over IPv4.  Apart, because passing the address of
 * `b` on the common way would cost a third of the decoder's time.
 */
static void decode_ipv4_ah(struct lya_packet *pkt, struct bytes b)
{
	uint8_t proto;

	if (decode_ah(pkt, &proto, &b, LYA_EV_IPV4_TRUNCATED, LYA_EV_IPV4_HEADER))
		decode_transport(pkt, proto, b);
}

/* What stands behind an IPv4 header that was sound; p is the header. */
static void decode_ipv4_payload(struct lya_packet *pkt, const uint8_t *p, struct bytes b)
{
	uint16_t fragment = be16(p + 6);
	uint8_t proto = p[9];

	if (fragment & 0x3fff) { /* more to come, or an offset */
		pkt->is_fragment = true;
		pkt->frag_more = fragment & 0x2000;
		pkt->frag_offset = (fragment & 0x1fffU) * 8;
		pkt->transport = proto;
		pkt->l4_at = (uint16_t)(b.p - pkt->ip);
		if (decode_fragment(pkt, proto, b))
			return;
	}
	if (proto == PROTO_AH)
		decode_ipv4_ah(pkt, b);
	else
		decode_transport(pkt, proto, b);
}

bool decode_ipv4_checked(struct lya_packet *pkt, struct bytes b)
{
	uint32_t header;

	if (b.left < IPV4_LEN)
		return decode_ipv4(pkt, b);
	header = (b.p[0] & 0x0fU) * 4;
	if (header < IPV4_LEN || b.left < header || be16(b.p + 10) == 0 ||
	    !checksum_holds(b.p, header))
		return false;
	return decode_ipv4(pkt, b);
}

bool decode_ipv4(struct lya_packet *pkt, struct bytes b)
{
	const uint8_t *p = b.p;
	uint32_t header, total;
	bool fits;

	if (b.left < IPV4_LEN) {
		note_short(pkt, b, IPV4_LEN, LYA_EV_IPV4_TRUNCATED, LYA_EV_IPV4_HEADER);
		return false;
	}
	header = (p[0] & 0x0fU) * 4;
	total = be16(p + 2);
	if (p[0] >> 4 != 4 || header < IPV4_LEN || header > b.wire)
		return ipv4_bad(pkt);
	if (total == 0) /* left to the network card: segmentation offload */
		total = b.wire;
	if (total < header)
		return ipv4_bad(pkt);
	fits = total <= b.wire;
	if (!fits) /* the rest is judged all the same, but what was not there is not counted */
		lya_packet_note(pkt, LYA_EV_IPV4_HEADER);
	b = bytes_limit(b, total);

	pkt->ip = p;
	pkt->ip_captured = b.left;
	pkt->ip_bytes = b.wire;
	pkt->ip_id = be16(p + 4);
	pkt->ttl = p[8];
	pkt->transport = p[9];
	pkt->l4_at = (uint16_t)header;
	set_ipv4_ends(pkt, p);
	if (b.left < header) {
		lya_packet_note(pkt, LYA_EV_IPV4_TRUNCATED);
		pkt->kind = p[9] == PROTO_TCP || p[9] == PROTO_UDP ? LYA_PKT_CUT : LYA_PKT_OTHER_IP;
		return fits;
	}
	if (!checksum_holds(p, header))
		lya_packet_note(pkt, LYA_EV_CHECKSUM_IP);
	if (header > IPV4_LEN && !options_hold(p + IPV4_LEN, header - IPV4_LEN))
		lya_packet_note(pkt, LYA_EV_IPV4_OPTIONS);
	decode_ipv4_payload(pkt, p, bytes_after(b, header));
	return fits;
}
