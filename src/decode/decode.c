/*
 * decode.c - from the link type of a frame to its first layer.
 */
#include "decode/layers.h"

/* Raw IP as some systems' DLT_RAW was written to files before LINKTYPE_RAW. */
enum { LINK_RAW_BSD = 12, LINK_RAW_OPENBSD = 14 };

/* Linux cooked headers (www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL.html, .._SLL2.html). */
enum {
	SLL_LEN = 16,
	SLL2_LEN = 20,
	SLL_BROADCAST = 1, /* packet types: to everybody, to a group */
	SLL_MULTICAST = 2,
	SLL_802_3 = 1, /* "protocols" that are no EtherType: Novell's raw 802.3, 802.2 LLC */
	SLL_802_2 = 4,
	ARPHRD_NETLINK = 824 /* its protocol field is no EtherType either */
};

static bool not_ip(struct lya_packet *pkt, enum lya_event ev)
{
	lya_packet_note(pkt, ev);
	pkt->kind = LYA_PKT_NOT_IP;
	return false;
}

/* What both cooked headers hold, wherever it stands; addr has addr_len bytes. */
static bool decode_cooked(struct lya_packet *pkt, uint16_t proto, uint16_t hardware,
			  unsigned packet_type, const uint8_t *addr, unsigned addr_len,
			  struct bytes rest)
{
	pkt->frame_broadcast = packet_type == SLL_BROADCAST || packet_type == SLL_MULTICAST;
	if (addr_len == 6)
		pkt->eth_src = addr;
	if (hardware == ARPHRD_NETLINK || proto == SLL_802_3)
		return false;
	if (proto == SLL_802_2) /* any value below 1536: LLC follows */
		return decode_ethertype(pkt, (uint16_t)(rest.wire < 1500 ? rest.wire : 1500), rest);
	if (proto < 1536)
		return false;
	return decode_ethertype(pkt, proto, rest);
}

static bool decode_sll(struct lya_packet *pkt, struct bytes b)
{
	if (b.left < SLL_LEN)
		return not_ip(pkt, LYA_EV_LINK_TRUNCATED);
	return decode_cooked(pkt, be16(b.p + 14), be16(b.p + 2), be16(b.p), b.p + 6, be16(b.p + 4),
			     bytes_after(b, SLL_LEN));
}

static bool decode_sll2(struct lya_packet *pkt, struct bytes b)
{
	if (b.left < SLL2_LEN)
		return not_ip(pkt, LYA_EV_LINK_TRUNCATED);
	return decode_cooked(pkt, be16(b.p), be16(b.p + 8), b.p[10], b.p + 12, b.p[11],
			     bytes_after(b, SLL2_LEN));
}

/*
 * BSD null and loop: an address family of four bytes.  It is in the byte
 * order of the machine that wrote it (null) or in network order (loop), which
 * the file may have lost: families are small, so the order shows by itself.
 */
static bool decode_null(struct lya_packet *pkt, struct bytes b)
{
	uint32_t family;

	if (b.left < 4)
		return not_ip(pkt, LYA_EV_LINK_TRUNCATED);
	family = be32(b.p);
	if (family > 0xffff)
		family = __builtin_bswap32(family);
	switch (family) {
	case 2:
		return decode_ipv4(pkt, bytes_after(b, 4));
	case 10: /* AF_INET6 of Linux, */
	case 23: /* Windows, */
	case 24: /* NetBSD and OpenBSD, */
	case 28: /* FreeBSD, */
	case 30: /* macOS */
		return decode_ipv6(pkt, bytes_after(b, 4));
	default:
		return false;
	}
}

bool decode_ip(struct lya_packet *pkt, struct bytes b)
{
	if (b.left == 0) {
		note_short(pkt, b, 1, LYA_EV_IPV4_TRUNCATED, LYA_EV_IPV4_HEADER);
		return false;
	}
	if (b.p[0] >> 4 == 6)
		return decode_ipv6(pkt, b);
	return decode_ipv4(pkt, b);
}

/* Cisco HDLC: address, control, EtherType. */
static bool decode_cisco_hdlc(struct lya_packet *pkt, struct bytes b)
{
	if (b.left < 4)
		return not_ip(pkt, LYA_EV_LINK_TRUNCATED);
	return decode_ethertype(pkt, be16(b.p + 2), bytes_after(b, 4));
}

/*
 * PPP, with or without address and control (RFC 1662 lets the peers drop
 * them).  Routers' serial lines are captured as PPP too when Cisco HDLC runs
 * on them: its address byte (unicast, multicast) begins no PPP packet.
 */
static bool decode_ppp_framed(struct lya_packet *pkt, struct bytes b)
{
	if (b.left >= 1 && (b.p[0] == 0x0f || b.p[0] == 0x8f))
		return decode_cisco_hdlc(pkt, b);
	if (b.left >= 2 && b.p[0] == 0xff && b.p[1] == 0x03)
		b = bytes_after(b, 2);
	return decode_ppp(pkt, b);
}

/* The first layer of a link type; NULL for those that the decoder does not know. */
static decode_layer *link_layer(uint16_t link)
{
	switch (link) {
	case LYA_LINK_ETHERNET:
		return decode_ethernet;
	case LYA_LINK_LINUX_SLL:
		return decode_sll;
	case LYA_LINK_LINUX_SLL2:
		return decode_sll2;
	case LYA_LINK_RAW:
	case LINK_RAW_BSD:
	case LINK_RAW_OPENBSD:
		return decode_ip;
	case LYA_LINK_IPV4:
		return decode_ipv4;
	case LYA_LINK_IPV6:
		return decode_ipv6;
	case LYA_LINK_NULL:
	case LYA_LINK_LOOP:
		return decode_null;
	case LYA_LINK_PPP:
	case LYA_LINK_PPP_HDLC:
		return decode_ppp_framed;
	case LYA_LINK_PPP_ETHER:
		return decode_pppoe;
	case LYA_LINK_C_HDLC:
		return decode_cisco_hdlc;
	default:
		return NULL;
	}
}

bool lya_link_known(uint16_t link)
{
	return link_layer(link) != NULL;
}

/* Field by field and not by clearing it all: this runs for every packet. */
static inline void init(struct lya_packet *pkt, const struct lya_frame *frame)
{
	pkt->frame = frame;
	pkt->form = LYA_FORM_OTHER;
	pkt->partial = false;
	pkt->opening = true;
	pkt->time_ns = frame->time_ns;
	pkt->number = frame->number;
	pkt->source = frame->source;
	pkt->kind = LYA_PKT_NOT_IP;
	pkt->transport = 0;
	pkt->tcp_flags = 0;
	pkt->digits = frame->digits;
	pkt->duplicate = LYA_DUP_NONE;
	pkt->events = 0;
	pkt->sport = 0;
	pkt->dport = 0;
	pkt->ip_bytes = 0;
	pkt->payload_len = 0;
	pkt->payload.pos = NULL;
	pkt->payload.end = NULL;
	pkt->payload.failed = false;
	pkt->options_len = 0;
	pkt->options = NULL;
	pkt->frame_broadcast = false;
	pkt->frag_offset = 0;
	pkt->frag_more = false;
	pkt->is_fragment = false;
	pkt->reassembled = false;
	pkt->tunnel_head = NULL;
	pkt->ip = NULL;
	pkt->eth_src = NULL;
	pkt->eth_dst = NULL;
	memset(&pkt->path, 0, sizeof(pkt->path));
	pkt->print = 0;
}

void decode_general(const struct lya_frame *frame, struct lya_packet *pkt)
{
	struct bytes b = { .p = frame->data, .left = frame->caplen, .wire = frame->wirelen };
	decode_layer *layer;

	if (b.wire < b.left) /* a file that lies: believe what is there */
		b.wire = b.left;
	init(pkt, frame);
	if (frame->link == LYA_LINK_ETHERNET) { /* nearly always: spares the indirect call */
		(void)decode_ethernet(pkt, b);
		return;
	}
	layer = link_layer(frame->link);
	if (layer == NULL)
		lya_packet_note(pkt, LYA_EV_LINK_UNKNOWN);
	else
		(void)layer(pkt, b);
}
