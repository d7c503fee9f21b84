/*
 * transport.c - TCP (RFC 9293), UDP (RFC 768) and the errors of ICMP.
 *
 * Ports come first in both headers: four captured bytes name the flow, and
 * what the snap length cut behind them is only missing.  First fragments may
 * end anywhere past the ports as well.
 */
#include "decode/layers.h"

enum {
	PORTS_LEN = 4,
	TCP_LEN = 20,
	UDP_LEN = 8,
	ICMP_LEN = 8,
	IPV4_LEN = 20,
	IPV6_LEN = 40,
	QUOTED_EXTENSIONS_MAX = 8,
	PORT_TEREDO = 3544
};

/* Ports that were not captured: cut, or not there at all. */
static void no_ports(struct lya_packet *pkt, struct bytes b, enum lya_event ev_cut,
		     enum lya_event ev)
{
	if (b.wire < PORTS_LEN) {
		lya_packet_note(pkt, ev);
		pkt->kind = LYA_PKT_BAD;
		return;
	}
	lya_packet_note(pkt, ev_cut);
	pkt->kind = LYA_PKT_CUT;
}

/* Part of a TCP header: the ports, and as much more as there is. */
static void decode_tcp_part(struct lya_packet *pkt, struct bytes b)
{
	const uint8_t *p = b.p;

	if (b.wire < TCP_LEN && !pkt->is_fragment) {
		lya_packet_note(pkt, LYA_EV_TCP_HEADER);
		pkt->kind = LYA_PKT_BAD;
		return;
	}
	if (b.left < PORTS_LEN) {
		no_ports(pkt, b, LYA_EV_TCP_TRUNCATED, LYA_EV_TCP_HEADER);
		return;
	}
	/* A header that the sender spread over fragments is nobody's honest packet. */
	lya_packet_note(pkt, b.wire < TCP_LEN ? LYA_EV_TCP_HEADER : LYA_EV_TCP_TRUNCATED);
	pkt->kind = LYA_PKT_TCP;
	pkt->sport = be16(p);
	pkt->dport = be16(p + 2);
	pkt->seq = b.left >= 8 ? be32(p + 4) : 0;
	pkt->ack = b.left >= 12 ? be32(p + 8) : 0;
	pkt->tcp_flags = b.left >= 14 ? p[13] : 0;
	pkt->window = b.left >= 16 ? be16(p + 14) : 0;
	set_payload(pkt, bytes_after(b, b.left), b.wire > TCP_LEN ? b.wire - TCP_LEN : 0);
}

void decode_tcp(struct lya_packet *pkt, struct bytes b)
{
	const uint8_t *p = b.p;
	uint32_t header, captured;

	if (b.left < TCP_LEN) {
		decode_tcp_part(pkt, b);
		return;
	}
	header = (p[12] >> 4) * 4U;
	if (header < TCP_LEN || (header > b.wire && !pkt->is_fragment)) {
		lya_packet_note(pkt, LYA_EV_TCP_HEADER);
		pkt->kind = LYA_PKT_BAD;
		return;
	}
	pkt->kind = LYA_PKT_TCP;
	pkt->sport = be16(p);
	pkt->dport = be16(p + 2);
	pkt->seq = be32(p + 4);
	pkt->ack = be32(p + 8);
	pkt->tcp_flags = p[13];
	pkt->window = be16(p + 14);
	captured = header < b.left ? header : b.left;
	if (captured < header)
		lya_packet_note(pkt, LYA_EV_TCP_TRUNCATED);
	if (captured > TCP_LEN) {
		pkt->options = p + TCP_LEN;
		pkt->options_len = (uint8_t)(captured - TCP_LEN);
	}
	set_payload(pkt, bytes_after(b, captured), header < b.wire ? b.wire - header : 0);
}

/* Part of a UDP header: the ports. */
static void decode_udp_part(struct lya_packet *pkt, struct bytes b)
{
	if (b.wire < UDP_LEN) {
		lya_packet_note(pkt, LYA_EV_UDP_LENGTH);
		pkt->kind = LYA_PKT_BAD;
		return;
	}
	if (b.left < PORTS_LEN) {
		no_ports(pkt, b, LYA_EV_UDP_TRUNCATED, LYA_EV_UDP_LENGTH);
		return;
	}
	lya_packet_note(pkt, LYA_EV_UDP_TRUNCATED);
	pkt->kind = LYA_PKT_UDP;
	pkt->sport = be16(b.p);
	pkt->dport = be16(b.p + 2);
	set_payload(pkt, bytes_after(b, b.left), b.wire - UDP_LEN);
}

/*
 * Teredo (RFC 4380): an IPv6 packet, perhaps behind an authentication and an
 * origin indication.  It is counted, not opened: the flow is the tunnel's.
 */
static bool is_teredo(struct bytes b)
{
	if (b.left >= 4 && b.p[0] == 0 && b.p[1] == 1) {
		uint32_t len =
		    13U + b.p[2] + b.p[3]; /* nonce, confirmation, client id, its proof */

		if (b.left < len)
			return false;
		b = bytes_after(b, len);
	}
	if (b.left >= 8 && b.p[0] == 0 && b.p[1] == 0)
		b = bytes_after(b, 8);
	return b.left >= IPV6_LEN && b.p[0] >> 4 == 6 &&
	       (uint32_t)IPV6_LEN + be16(b.p + 4) <= b.wire;
}

/* Ports that may be more than a port. */
static inline void look_into_udp(struct lya_packet *pkt, struct bytes b)
{
	switch (pkt->dport) {
	case 4789:  /* VXLAN */
	case 8472:  /* VXLAN, as Linux first had it */
	case 6081:  /* GENEVE */
	case 37008: /* TZSP */
		decode_udp_tunnel(pkt);
		return;
	default:
		break;
	}
	if ((pkt->dport == PORT_TEREDO || pkt->sport == PORT_TEREDO) && is_teredo(b))
		lya_packet_note(pkt, LYA_EV_TEREDO);
}

void decode_udp(struct lya_packet *pkt, struct bytes b)
{
	uint32_t len;

	if (b.left < UDP_LEN) {
		decode_udp_part(pkt, b);
		return;
	}
	len = be16(b.p + 4);
	if (len == 0) /* left to the network card, or too long for the field */
		len = b.wire;
	/* The length is the datagram's: of a first fragment it may say more than this packet has.
	 */
	if (len < UDP_LEN || (len > b.wire && !pkt->frag_more)) {
		lya_packet_note(pkt, LYA_EV_UDP_LENGTH);
		pkt->kind = LYA_PKT_BAD;
		return;
	}
	pkt->kind = LYA_PKT_UDP;
	pkt->sport = be16(b.p);
	pkt->dport = be16(b.p + 2);
	b = bytes_after(bytes_limit(b, len), UDP_LEN);
	set_payload(pkt, b, b.wire);
	look_into_udp(pkt, b);
}

/* The ports of a quoted packet, if its first bytes are there. */
static void set_quoted_ports(struct lya_packet *pkt, struct bytes b)
{
	pkt->quoted.has_ports = b.left >= PORTS_LEN;
	pkt->quoted.sport = pkt->quoted.has_ports ? be16(b.p) : 0;
	pkt->quoted.dport = pkt->quoted.has_ports ? be16(b.p + 2) : 0;
	if (!pkt->quoted.has_ports)
		lya_packet_note(pkt, LYA_EV_ICMP_TRUNCATED);
}

static void set_quoted_fragment(struct lya_packet *pkt)
{
	pkt->quoted.has_ports = false;
	pkt->quoted.sport = 0;
	pkt->quoted.dport = 0;
}

static bool is_tcp_or_udp(uint8_t proto)
{
	return proto == PROTO_TCP || proto == PROTO_UDP;
}

/* True when b quotes an IPv4 packet of TCP or UDP; its lengths are the sender's, uncut. */
static bool quote_ipv4(struct lya_packet *pkt, struct bytes b)
{
	const uint8_t *p = b.p;
	uint32_t header;

	if (b.left < IPV4_LEN) {
		lya_packet_note(pkt, LYA_EV_ICMP_TRUNCATED);
		return false;
	}
	header = (p[0] & 0x0fU) * 4;
	if (p[0] >> 4 != 4 || header < IPV4_LEN || !is_tcp_or_udp(p[9]))
		return false;
	memset(&pkt->quoted.src, 0, sizeof(pkt->quoted.src));
	memcpy(pkt->quoted.src.bytes, p + 12, 4);
	pkt->quoted.src.family = 4;
	memset(&pkt->quoted.dst, 0, sizeof(pkt->quoted.dst));
	memcpy(pkt->quoted.dst.bytes, p + 16, 4);
	pkt->quoted.dst.family = 4;
	pkt->quoted.transport = p[9];
	if (be16(p + 6) & 0x1fff)
		set_quoted_fragment(pkt);
	else
		set_quoted_ports(pkt, bytes_after(b, header < b.left ? header : b.left));
	return true;
}

/* Pass the extension headers of a quoted packet.  True when TCP or UDP follows at *b. */
static bool quoted_chain(struct lya_packet *pkt, uint8_t *proto, struct bytes *b,
			 bool *later_fragment)
{
	for (unsigned i = 0; i < QUOTED_EXTENSIONS_MAX && !is_tcp_or_udp(*proto); i++) {
		uint32_t len = 8;

		if (*proto != PROTO_HOP_BY_HOP && *proto != PROTO_ROUTING &&
		    *proto != PROTO_DEST_OPTIONS && *proto != PROTO_FRAGMENT)
			return false;
		if (b->left >= len && *proto == PROTO_FRAGMENT)
			*later_fragment = be16(b->p + 2) & 0xfff8;
		else if (b->left >= len)
			len = ((uint32_t)b->p[1] + 1) * 8;
		if (b->left < len) {
			lya_packet_note(pkt, LYA_EV_ICMP_TRUNCATED);
			return false;
		}
		*proto = b->p[0];
		*b = bytes_after(*b, len);
	}
	return is_tcp_or_udp(*proto);
}

static bool quote_ipv6(struct lya_packet *pkt, struct bytes b)
{
	const uint8_t *p = b.p;
	bool later_fragment = false;
	uint8_t proto;

	if (b.left < IPV6_LEN) {
		lya_packet_note(pkt, LYA_EV_ICMP_TRUNCATED);
		return false;
	}
	if (p[0] >> 4 != 6)
		return false;
	proto = p[6];
	b = bytes_after(b, IPV6_LEN);
	if (!quoted_chain(pkt, &proto, &b, &later_fragment))
		return false;
	memcpy(pkt->quoted.src.bytes, p + 8, 16);
	pkt->quoted.src.family = 6;
	memcpy(pkt->quoted.dst.bytes, p + 24, 16);
	pkt->quoted.dst.family = 6;
	pkt->quoted.transport = proto;
	if (later_fragment)
		set_quoted_fragment(pkt);
	else
		set_quoted_ports(pkt, b);
	return true;
}

/* An ICMP header at b, whose types of errors are the bits of `errors`. */
static void decode_icmp_error(struct lya_packet *pkt, struct bytes b, uint32_t errors,
			      decode_layer *quote)
{
	pkt->kind = LYA_PKT_OTHER_IP;
	if (b.left < ICMP_LEN) {
		if (b.left == 0 || (b.p[0] < 32 && errors & UINT32_C(1) << b.p[0]))
			lya_packet_note(pkt, LYA_EV_ICMP_TRUNCATED);
		return;
	}
	if (b.p[0] >= 32 || !(errors & UINT32_C(1) << b.p[0]))
		return;
	if (!quote(pkt, bytes_after(b, ICMP_LEN)))
		return;
	pkt->quoted.type = b.p[0];
	pkt->quoted.code = b.p[1];
	pkt->kind = LYA_PKT_ICMP_ERROR;
}

void decode_icmp(struct lya_packet *pkt, struct bytes b)
{
	/* Unreachable, source quench, time exceeded, parameter problem; a redirect is none. */
	decode_icmp_error(pkt, b, 1U << 3 | 1U << 4 | 1U << 11 | 1U << 12, quote_ipv4);
}

void decode_icmpv6(struct lya_packet *pkt, struct bytes b)
{
	/* Unreachable, too big, time exceeded, parameter problem. */
	decode_icmp_error(pkt, b, 1U << 1 | 1U << 2 | 1U << 3 | 1U << 4, quote_ipv6);
}
