/*
 * link.c - Ethernet and what stands between it and IP: tags, LLC, PPPoE, PPP, MPLS.
 */
#include "decode/layers.h"

enum {
	ETHERNET_LEN = 14,
	ETHERTYPE_MIN = 0x0600, /* below it, the field is an 802.3 length */
	LENGTH_MAX = 1500,
	ETHERTYPE_VLAN = 0x8100,
	ETHERTYPE_QINQ = 0x88a8,
	ETHERTYPE_QINQ_OLD = 0x9100, /* and 0x9200: before 802.1ad had a number */
	ETHERTYPE_QINQ_OLD2 = 0x9200,
	ETHERTYPE_MACSEC = 0x88e5,
	ETHERTYPE_PPPOE_DISCOVERY = 0x8863,
	ETHERTYPE_PPPOE_SESSION = 0x8864
};

enum { MPLS_LABELS_MAX = 16 };

static bool link_cut(struct lya_packet *pkt)
{
	lya_packet_note(pkt, LYA_EV_LINK_TRUNCATED);
	pkt->kind = LYA_PKT_NOT_IP;
	return false;
}

/*
 * Types that are not IP, yet common enough on a wire to tell a frame from
 * noise: ARP, RARP, LLDP, 802.1X, LACP and OAM, CFM, PTP, wake-on-LAN,
 * loopback test, IS-IS over Ethernet, FCoE and its discovery.
 */
static bool is_known_type(uint16_t type)
{
	switch (type) {
	case 0x0806:
	case 0x8035:
	case 0x88cc:
	case 0x888e:
	case 0x8809:
	case 0x8902:
	case 0x88f7:
	case 0x0842:
	case 0x9000:
	case 0x8870:
	case 0x8906:
	case 0x8914:
	case ETHERTYPE_PPPOE_DISCOVERY:
		return true;
	default:
		return false;
	}
}

/* One VLAN tag at b; *type becomes the type behind it.  False when the packet ends here. */
static bool pass_tag(struct lya_packet *pkt, unsigned depth, uint16_t *type, struct bytes *b)
{
	uint16_t id;

	if (b->left < 4)
		return link_cut(pkt);
	if (depth >= LYA_VLANS_MAX) {
		lya_packet_note(pkt, LYA_EV_VLAN_DEPTH);
		return false;
	}
	id = be16(b->p) & 0x0fff;
	if (id != 0)
		pkt->path.vlan[pkt->path.n_vlan++] = id;
	*type = be16(b->p + 2);
	*b = bytes_after(*b, 4);
	return true;
}

static bool decode_type(struct lya_packet *pkt, uint16_t type, struct bytes b, unsigned depth);

/* 802.2 behind a length: SNAP holds an EtherType, the old IP SAP an IP packet. */
static bool decode_llc(struct lya_packet *pkt, struct bytes b, unsigned depth)
{
	if (b.left < 3)
		return link_cut(pkt);
	if (b.p[0] == 0x06 && b.p[1] == 0x06 && b.p[2] == 0x03)
		return decode_ipv4(pkt, bytes_after(b, 3));
	if (b.p[0] != 0xaa || b.p[1] != 0xaa || b.p[2] != 0x03)
		return false; /* spanning tree, NetBIOS, IS-IS, IPX ... */
	if (b.left < 8)
		return link_cut(pkt);
	/* The organisation code 0 and Apple's bridge tunnel (00-00-f8) both mean EtherType. */
	if (b.p[3] == 0 && b.p[4] == 0 && (b.p[5] == 0 || b.p[5] == 0xf8) &&
	    be16(b.p + 6) >= ETHERTYPE_MIN)
		return decode_type(pkt, be16(b.p + 6), bytes_after(b, 8), depth + 1);
	return false;
}

/* `depth` counts the tags and LLC headers passed so far: they may hold each other. */
static bool decode_type(struct lya_packet *pkt, uint16_t type, struct bytes b, unsigned depth)
{
	for (;; depth++) {
		switch (type) {
		case ETHERTYPE_IPV4:
			return decode_ipv4(pkt, b);
		case ETHERTYPE_IPV6:
			return decode_ipv6(pkt, b);
		case ETHERTYPE_VLAN:
		case ETHERTYPE_QINQ:
		case ETHERTYPE_QINQ_OLD:
		case ETHERTYPE_QINQ_OLD2:
			if (!pass_tag(pkt, depth, &type, &b))
				return false;
			break;
		case ETHERTYPE_MPLS:
		case ETHERTYPE_MPLS_UPSTREAM:
			return decode_mpls(pkt, b);
		case ETHERTYPE_PPPOE_SESSION:
			return decode_pppoe(pkt, b);
		case ETHERTYPE_MACSEC:
			lya_packet_note(pkt, LYA_EV_MACSEC);
			return true;
		default:
			if (type <= LENGTH_MAX)
				return decode_llc(pkt, bytes_limit(b, type), depth);
			return is_known_type(type);
		}
	}
}

bool decode_ethertype(struct lya_packet *pkt, uint16_t type, struct bytes b)
{
	return decode_type(pkt, type, b, 0);
}

bool decode_ethernet(struct lya_packet *pkt, struct bytes b)
{
	const uint8_t *p = b.p;
	uint16_t type;

	if (b.left < ETHERNET_LEN)
		return link_cut(pkt);
	pkt->eth_dst = p;
	pkt->eth_src = p + 6;
	pkt->frame_broadcast = p[0] & 1;
	memset(pkt->path.vlan, 0, sizeof(pkt->path.vlan)); /* in a tunnel: the outer frame's */
	pkt->path.n_vlan = 0;
	type = be16(p + 12);
	b = bytes_after(b, ETHERNET_LEN);
	if (type == ETHERTYPE_IPV4)
		return decode_ipv4(pkt, b);
	return decode_ethertype(pkt, type, b);
}

/* Behind the length of a pseudowire there may be a control word: first nibble 0. */
static bool decode_control_word(struct lya_packet *pkt, struct bytes b)
{
	if (b.left < 4 || b.p[0] >> 4 != 0)
		return false;
	return decode_ethernet(pkt, bytes_after(b, 4));
}

/* IPv4 with a wrong checksum, or none: a total length at least must speak for it. */
static bool decode_doubtful_ipv4(struct lya_packet *pkt, struct bytes b)
{
	if (b.left >= 4 && be16(b.p + 2) == 0)
		return false;
	return decode_ipv4(pkt, b);
}

/*
 * What the bottom label carries is not said.  The first nibble speaks for
 * IPv4 or IPv6, or for a pseudowire's control word; an Ethernet pseudowire
 * without one may begin with any of them.  So the readings are tried, the one
 * that proves most first (RFC 4928 asks senders to keep them apart).
 */
static bool decode_mpls_payload(struct lya_packet *pkt, uint32_t label, struct bytes b)
{
	static decode_layer *const readings[3][3] = {
		{ decode_ipv4_checked, decode_ethernet, decode_doubtful_ipv4 },
		{ decode_ipv6, decode_ethernet, NULL },
		{ decode_control_word, decode_ethernet, NULL },
	};
	unsigned nibble = b.p[0] >> 4;
	uint32_t events = 0;

	if (nibble == 1)
		return true; /* the control channel of a pseudowire (RFC 4385) */
	if (nibble != 4 && nibble != 6 && nibble != 0)
		return decode_inner(pkt, LYA_TUN_MPLS, label, decode_ethernet, b, &pkt->events);
	for (unsigned i = 0; i < 3; i++) {
		decode_layer *reading = readings[nibble == 4 ? 0 : nibble == 6 ? 1 : 2][i];

		if (reading != NULL && decode_inner(pkt, LYA_TUN_MPLS, label, reading, b,
						    reading == decode_ethernet ? NULL : &events))
			return true;
	}
	pkt->events |= events; /* what speaks against IP; a frame was only the other guess */
	return false;
}

bool decode_mpls(struct lya_packet *pkt, struct bytes b)
{
	uint32_t label = 0;
	bool bottom = false;

	for (unsigned depth = 0; !bottom; depth++) {
		if (b.left < 4)
			return link_cut(pkt);
		if (depth == MPLS_LABELS_MAX) {
			lya_packet_note(pkt, LYA_EV_MPLS_DEPTH);
			return false;
		}
		label = be32(b.p) >> 12;
		bottom = b.p[2] & 1;
		b = bytes_after(b, 4);
	}
	if (b.left == 0)
		return link_cut(pkt);
	return decode_mpls_payload(pkt, label, b);
}

bool decode_ppp(struct lya_packet *pkt, struct bytes b)
{
	uint16_t proto;

	if (b.left < 2)
		return link_cut(pkt);
	if (b.p[0] & 1) { /* compressed to one byte: an odd byte is the last one */
		proto = b.p[0];
		b = bytes_after(b, 1);
	} else {
		proto = be16(b.p);
		b = bytes_after(b, 2);
	}
	switch (proto) {
	case 0x0021:
		return decode_ipv4(pkt, b);
	case 0x0057:
		return decode_ipv6(pkt, b);
	case 0x0281:
	case 0x0283:
		return decode_mpls(pkt, b);
	default:
		return proto >= 0x8000; /* a control protocol: LCP, IPCP, ... */
	}
}

/*
 * What a session carries is known and not guessed: an IP packet that claims more
 * than the session's header does (concentrators miscount padding) is judged by
 * what is there, as one is that claims more than its frame.
 */
static bool decode_session(struct lya_packet *pkt, struct bytes b)
{
	return decode_ppp(pkt, b) || pkt->ip != NULL;
}

bool decode_pppoe(struct lya_packet *pkt, struct bytes b)
{
	if (b.left < 6)
		return link_cut(pkt);
	if (b.p[0] != 0x11 || b.p[1] != 0) /* version 1, type 1; codes other than 0: discovery */
		return b.p[0] == 0x11;
	return decode_inner(pkt, LYA_TUN_PPPOE, be16(b.p + 2), decode_session,
			    bytes_limit(bytes_after(b, 6), be16(b.p + 4)), &pkt->events);
}
