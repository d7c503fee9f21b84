/*
 * tunnel.c - packets inside packets: GRE and ERSPAN, IP in IP, VXLAN, GENEVE, TZSP.
 *
 * The inner packet is read into a copy and takes the outer one's place when
 * its headers are sound.  A UDP port alone proves nothing (4789 is a media
 * port as good as any): unless all the headers down to the inner IP header
 * were captured and hold, the packet stays what it looked like.
 */
#include "decode/layers.h"

/* Bits of GRE's first two bytes (RFC 2784, 2890, and 1701 for the routing). */
enum {
	GRE_CHECKSUM = 0x8000,
	GRE_ROUTING = 0x4000,
	GRE_KEY = 0x2000,
	GRE_SEQUENCE = 0x1000,
	GRE_VERSION = 0x0007,
	GRE_ERSPAN = 0x88be, /* types I (no sequence number) and II */
	GRE_ERSPAN3 = 0x22eb,
	GRE_ROUTES_MAX = 16
};

enum { ERSPAN2_LEN = 8, ERSPAN3_LEN = 12, ERSPAN_PLATFORM_LEN = 8 };

enum { VXLAN_LEN = 8, GENEVE_LEN = 8, TZSP_LEN = 4, TZSP_TAGS_MAX = 64 };

/* Events that say "cut" and not "cannot be": the tunnel itself is not to blame. */
static bool any_cut(uint32_t events)
{
	for (unsigned ev = 0; ev < LYA_EV_COUNT; ev++)
		if (events & UINT32_C(1) << ev && lya_event_is_cut((enum lya_event)ev))
			return true;
	return false;
}

bool decode_inner(struct lya_packet *pkt, enum lya_tunnel_kind kind, uint32_t id,
		  decode_layer *layer, struct bytes b, uint32_t *events)
{
	struct lya_packet inner;
	bool sound;

	if (pkt->path.n_tunnels == LYA_TUNNELS_MAX) {
		lya_packet_note(pkt, LYA_EV_TUNNEL_DEPTH);
		return false;
	}
	inner = *pkt;
	inner.kind = LYA_PKT_NOT_IP;
	inner.transport = 0;
	inner.tcp_flags = 0;
	inner.sport = 0;
	inner.dport = 0;
	inner.ip_bytes = 0;
	inner.payload_len = 0;
	inner.payload = (struct lya_cursor){ 0 };
	inner.options = NULL;
	inner.options_len = 0;
	inner.frag_offset = 0;
	inner.frag_more = false;
	inner.is_fragment = false;
	if (pkt->is_fragment && pkt->src.family == 4 && pkt->path.n_tunnels == 0)
		inner.tunnel_head = pkt->ip;
	inner.ip = NULL;
	inner.path.tunnel = (uint8_t)kind;
	inner.path.tunnel_id = id;
	inner.path.n_tunnels++;
	sound = layer(&inner, b);
	if (sound)
		*pkt = inner;
	else if (events != NULL)
		*events |= inner.events;
	return sound;
}

/*
 * What an IP protocol of its own carries.  When it cannot be read the packet
 * stays the outer one, with the reason: cut, or a header that cannot be.
 */
static void open_tunnel(struct lya_packet *pkt, enum lya_tunnel_kind kind, uint32_t id,
			decode_layer *layer, struct bytes b)
{
	uint32_t events = 0;

	/* A first fragment holds less than its inner packet claims, and is no liar for it. */
	if (pkt->frag_more)
		b.wire = UINT16_MAX;
	if (decode_inner(pkt, kind, id, layer, b, &events))
		return;
	pkt->kind = LYA_PKT_OTHER_IP;
	pkt->events |= events;
	if (!any_cut(events) && pkt->path.n_tunnels < LYA_TUNNELS_MAX)
		lya_packet_note(pkt, LYA_EV_TUNNEL_HEADER);
}

void decode_ip_in_ip(struct lya_packet *pkt, uint8_t proto, struct bytes b)
{
	open_tunnel(pkt, LYA_TUN_IPIP, 0, proto == PROTO_IPV4 ? decode_ipv4 : decode_ipv6, b);
}

/* A tunnel's own header that is not whole. */
static void tunnel_short(struct lya_packet *pkt, struct bytes b, uint32_t need)
{
	lya_packet_note(pkt, b.wire >= need ? LYA_EV_LINK_TRUNCATED : LYA_EV_TUNNEL_HEADER);
	pkt->kind = LYA_PKT_OTHER_IP;
}

/* A mirrored frame whose tag was taken off: the ERSPAN header remembers its VLAN. */
static void set_mirrored_vlan(struct lya_packet *pkt, unsigned tunnels, uint16_t vlan)
{
	if (pkt->path.n_tunnels > tunnels && pkt->path.n_vlan == 0 && vlan != 0)
		pkt->path.vlan[pkt->path.n_vlan++] = vlan;
}

static void decode_erspan2(struct lya_packet *pkt, struct bytes b)
{
	unsigned tunnels = pkt->path.n_tunnels;

	if (b.left < ERSPAN2_LEN) {
		tunnel_short(pkt, b, ERSPAN2_LEN);
		return;
	}
	if (b.p[0] >> 4 != 1) {
		lya_packet_note(pkt, LYA_EV_TUNNEL_HEADER);
		pkt->kind = LYA_PKT_OTHER_IP;
		return;
	}
	open_tunnel(pkt, LYA_TUN_ERSPAN2, be16(b.p + 2) & 0x03ff, decode_ethernet,
		    bytes_after(b, ERSPAN2_LEN));
	set_mirrored_vlan(pkt, tunnels, be16(b.p) & 0x0fff);
}

static void decode_erspan3(struct lya_packet *pkt, struct bytes b)
{
	unsigned tunnels = pkt->path.n_tunnels;
	uint32_t header = ERSPAN3_LEN;
	bool is_ip;

	if (b.left < ERSPAN3_LEN) {
		tunnel_short(pkt, b, ERSPAN3_LEN);
		return;
	}
	if (b.p[11] & 1) /* O: a platform specific subheader follows */
		header += ERSPAN_PLATFORM_LEN;
	if (b.left < header) {
		tunnel_short(pkt, b, header);
		return;
	}
	if (b.p[0] >> 4 != 2) {
		lya_packet_note(pkt, LYA_EV_TUNNEL_HEADER);
		pkt->kind = LYA_PKT_OTHER_IP;
		return;
	}
	is_ip = (b.p[10] >> 2 & 0x1f) == 2; /* frame type: 0 Ethernet, 2 IP */
	open_tunnel(pkt, LYA_TUN_ERSPAN3, be16(b.p + 2) & 0x03ff,
		    is_ip ? decode_ip : decode_ethernet, bytes_after(b, header));
	set_mirrored_vlan(pkt, tunnels, be16(b.p) & 0x0fff);
}

/* Pass over the source routes of RFC 1701.  False when there is no end to them. */
static bool pass_routes(struct bytes *b)
{
	for (unsigned i = 0; i < GRE_ROUTES_MAX; i++) {
		uint32_t len;
		bool last;

		if (b->left < 4)
			return false;
		len = 4U + b->p[3];
		last = be16(b->p) == 0 && b->p[3] == 0;
		if (b->left < len)
			return false;
		*b = bytes_after(*b, len);
		if (last)
			return true;
	}
	return false;
}

static void decode_gre_payload(struct lya_packet *pkt, uint16_t flags, uint16_t proto, uint32_t key,
			       struct bytes b)
{
	switch (proto) {
	case ETHERTYPE_IPV4:
		open_tunnel(pkt, LYA_TUN_GRE, key, decode_ipv4, b);
		break;
	case ETHERTYPE_IPV6:
		open_tunnel(pkt, LYA_TUN_GRE, key, decode_ipv6, b);
		break;
	case ETHERTYPE_TEB:
		open_tunnel(pkt, LYA_TUN_GRE, key, decode_ethernet, b);
		break;
	case ETHERTYPE_MPLS:
	case ETHERTYPE_MPLS_UPSTREAM:
		open_tunnel(pkt, LYA_TUN_GRE, key, decode_mpls, b);
		break;
	case GRE_ERSPAN:
		if (flags & GRE_SEQUENCE)
			decode_erspan2(pkt, b);
		else
			open_tunnel(pkt, LYA_TUN_ERSPAN1, 0, decode_ethernet, b);
		break;
	case GRE_ERSPAN3:
		decode_erspan3(pkt, b);
		break;
	default:
		pkt->kind = LYA_PKT_OTHER_IP; /* keepalives, PPP, routing protocols */
		break;
	}
}

void decode_gre(struct lya_packet *pkt, struct bytes b)
{
	uint32_t header = 4;
	uint32_t key = 0;
	uint16_t flags, proto;

	if (b.left < header) {
		tunnel_short(pkt, b, header);
		return;
	}
	flags = be16(b.p);
	proto = be16(b.p + 2);
	if ((flags & GRE_VERSION) != 0) { /* 1 is PPTP's, whose content is no IP packet as such */
		pkt->kind = LYA_PKT_OTHER_IP;
		return;
	}
	if (flags & (GRE_CHECKSUM | GRE_ROUTING))
		header += 4;
	if (flags & GRE_KEY)
		header += 4;
	if (flags & GRE_SEQUENCE)
		header += 4;
	if (b.left < header) {
		tunnel_short(pkt, b, header);
		return;
	}
	if (flags & GRE_KEY)
		key = be32(b.p + (flags & (GRE_CHECKSUM | GRE_ROUTING) ? 8 : 4));
	b = bytes_after(b, header);
	if (flags & GRE_ROUTING && !pass_routes(&b)) {
		tunnel_short(pkt, b, b.left + 1);
		return;
	}
	decode_gre_payload(pkt, flags, proto, key, b);
}

/* VXLAN (RFC 7348); the group policy extension uses more of the first four bytes. */
static void open_vxlan(struct lya_packet *pkt, struct bytes b)
{
	if (b.left < VXLAN_LEN || (b.p[0] & 0x7f) != 0x08 || b.p[7] != 0)
		return;
	(void)decode_inner(pkt, LYA_TUN_VXLAN, be32(b.p + 4) >> 8, decode_ethernet,
			   bytes_after(b, VXLAN_LEN), NULL);
}

/* GENEVE (RFC 8926). */
static void open_geneve(struct lya_packet *pkt, struct bytes b)
{
	decode_layer *layer;
	uint32_t header;

	if (b.left < GENEVE_LEN)
		return;
	header = GENEVE_LEN + (b.p[0] & 0x3fU) * 4;
	if (b.p[0] >> 6 != 0 || (b.p[1] & 0x3f) != 0 || b.p[7] != 0 || b.left < header)
		return;
	switch (be16(b.p + 2)) {
	case ETHERTYPE_TEB:
		layer = decode_ethernet;
		break;
	case ETHERTYPE_IPV4:
		layer = decode_ipv4;
		break;
	case ETHERTYPE_IPV6:
		layer = decode_ipv6;
		break;
	default:
		return;
	}
	(void)decode_inner(pkt, LYA_TUN_GENEVE, be32(b.p + 4) >> 8, layer, bytes_after(b, header),
			   NULL);
}

/* TZSP: version 1, a received or a sent packet, Ethernet inside; then tagged fields. */
static void open_tzsp(struct lya_packet *pkt, struct bytes b)
{
	if (b.left < TZSP_LEN || b.p[0] != 1 || b.p[1] > 1 || be16(b.p + 2) != 1)
		return;
	b = bytes_after(b, TZSP_LEN);
	for (unsigned i = 0; i < TZSP_TAGS_MAX && b.left > 0; i++) {
		uint8_t tag = b.p[0];

		if (tag > 1 && (b.left < 2 || b.left < 2U + b.p[1]))
			return;
		b = bytes_after(b, tag > 1 ? 2U + b.p[1] : 1);
		if (tag == 1) { /* the end of the tags; 0 is padding, the rest has a length */
			(void)decode_inner(pkt, LYA_TUN_TZSP, 0, decode_ethernet, b, NULL);
			return;
		}
	}
}

void decode_udp_tunnel(struct lya_packet *pkt)
{
	struct bytes b = { .p = pkt->payload.pos,
			   .left = (uint32_t)lya_cursor_left(&pkt->payload),
			   .wire = pkt->frag_more ? UINT16_MAX : pkt->payload_len };

	switch (pkt->dport) {
	case 4789:
	case 8472:
		open_vxlan(pkt, b);
		break;
	case 6081:
		open_geneve(pkt, b);
		break;
	case 37008:
		open_tzsp(pkt, b);
		break;
	default:
		break;
	}
}
