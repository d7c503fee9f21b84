/*
 * test_tunnel.c - tunnels: opened when the inner headers hold, left alone when not.
 */
#include "cases.h"

/* The outer packet: 10.0.0.1 to 10.0.0.2 as well, but with ports of its own. */
static size_t open_outer(struct build *b, unsigned proto)
{
	return open_ipv4(b, proto, 60);
}

static size_t open_outer_udp(struct build *b, unsigned dport)
{
	size_t ip = open_outer(b, 17);

	add_udp(b, 49152, dport, 0);
	return ip;
}

static void close_outer_udp(struct build *b, size_t ip)
{
	set16(b, ip + 24, (unsigned)(b->n - ip - 20));
	close_ipv4(b, ip);
}

static void add_tagged_frame(struct build *b, unsigned vlan)
{
	add_ethernet(b, 0x8100);
	add16(b, vlan);
	add16(b, 0x0800);
	add_ipv4_udp(b);
}

static void add_frame(struct build *b)
{
	add_ethernet(b, 0x86dd);
	add_ipv6_tcp(b);
}

static void gre_ipv4(struct build *b)
{
	size_t ip = open_outer(b, 47);

	add32(b, 0x00000800);
	add_ipv4_udp(b);
	close_ipv4(b, ip);
}

static void gre_all_fields(struct build *b)
{
	size_t ip = open_outer(b, 47);

	add32(b, 0xb00086dd); /* checksum, key, sequence */
	add32(b, 0x12340000);
	add32(b, 0x00c0ffee);
	add32(b, 99);
	add_ipv6_tcp(b);
	close_ipv4(b, ip);
}

static void gre_routed(struct build *b)
{
	size_t ip = open_outer(b, 47);

	add32(b, 0x60000800); /* routing, key */
	add32(b, 0);
	add32(b, 77);
	add(b, "\x08\x00\x00\x08\x0a\x00\x00\x03\x0a\x00\x00\x04", 12);
	add32(b, 0);
	add_ipv4_udp(b);
	close_ipv4(b, ip);
}

static void gre_ethernet(struct build *b)
{
	size_t ip = open_outer(b, 47);

	add32(b, 0x20006558);
	add32(b, 0x00123401);
	add_tagged_frame(b, 30);
	close_ipv4(b, ip);
}

static void gre_mpls(struct build *b)
{
	size_t ip = open_outer(b, 47);

	add32(b, 0x00008847);
	add32(b, 55U << 12 | 0x100 | 64);
	add_ipv4_udp(b);
	close_ipv4(b, ip);
}

static void gre_pptp(struct build *b)
{
	size_t ip = open_outer(b, 47);

	add32(b, 0x3001880b);
	add32(b, 0x00200001);
	add_fill(b, 40);
	close_ipv4(b, ip);
}

static void gre_keepalive(struct build *b)
{
	size_t ip = open_outer(b, 47);

	add32(b, 0);
	close_ipv4(b, ip);
}

static void gre_garbage(struct build *b)
{
	size_t ip = open_outer(b, 47);

	add32(b, 0x00000800);
	add_fill(b, 40);
	close_ipv4(b, ip);
}

static void gre_short(struct build *b)
{
	size_t ip = open_outer(b, 47);

	add32(b, 0xb0000800);
	add32(b, 0);
	close_ipv4(b, ip);
}

/* The inner packet goes on in the next fragment. */
static void gre_head(struct build *b)
{
	gre_ipv4(b);
	set16(b, 24 + 2, 1000);
	set_ipv4_checksum(b, 24);
	set16(b, 24 + 24, 980);
	b->data[6] = 0x20;
	add_fill(b, 4);
	close_ipv4(b, 0);
}

static void gre_routes_without_end(struct build *b)
{
	size_t ip = open_outer(b, 47);

	add32(b, 0x40000800);
	add32(b, 0);
	add32(b, 0x08000008);
	add_fill(b, 4);
	close_ipv4(b, ip);
}

static void gre_wrong_inner_checksum(struct build *b)
{
	gre_ipv4(b);
	b->data[24 + 10] ^= 0x10;
}

static void erspan1(struct build *b)
{
	size_t ip = open_outer(b, 47);

	add32(b, 0x000088be);
	add_tagged_frame(b, 30);
	close_ipv4(b, ip);
}

static void erspan2_header(struct build *b)
{
	add32(b, 0x100088be);
	add32(b, 7);
	add16(b, 0x1000 | 40); /* version 1, VLAN 40 */
	add16(b, 0x0800 | 513);
	add32(b, 0);
}

static void erspan2(struct build *b)
{
	size_t ip = open_outer(b, 47);

	erspan2_header(b);
	add_frame(b);
	close_ipv4(b, ip);
}

static void erspan2_tagged(struct build *b)
{
	size_t ip = open_outer(b, 47);

	erspan2_header(b);
	add_tagged_frame(b, 30);
	close_ipv4(b, ip);
}

static void erspan2_bad_version(struct build *b)
{
	erspan2(b);
	b->data[28] = 0x70;
}

static void erspan3_header(struct build *b, unsigned last)
{
	add32(b, 0x100022eb);
	add32(b, 7);
	add16(b, 0x2000 | 41);
	add16(b, 514);
	add32(b, 0x01020304);
	add16(b, 0);
	add16(b, last);
}

static void erspan3(struct build *b)
{
	size_t ip = open_outer(b, 47);

	erspan3_header(b, 0);
	add_frame(b);
	close_ipv4(b, ip);
}

static void erspan3_platform(struct build *b)
{
	size_t ip = open_outer(b, 47);

	erspan3_header(b, 0x0001);
	add_fill(b, 8);
	add_frame(b);
	close_ipv4(b, ip);
}

static void erspan3_ip(struct build *b)
{
	size_t ip = open_outer(b, 47);

	erspan3_header(b, 2 << 10);
	add_ipv4_udp(b);
	close_ipv4(b, ip);
}

static void vxlan_port(struct build *b, unsigned port)
{
	size_t ip = open_outer_udp(b, port);

	add32(b, 0x08000000);
	add32(b, 0x00abcd00);
	add_frame(b);
	close_outer_udp(b, ip);
}

static void vxlan(struct build *b)
{
	vxlan_port(b, 4789);
}

static void vxlan_linux(struct build *b)
{
	vxlan_port(b, 8472);
}

static void vxlan_source_port(struct build *b)
{
	vxlan(b);
	set16(b, 20, 4789);
	set16(b, 22, 49152);
}

static void vxlan_arp(struct build *b)
{
	size_t ip = open_outer_udp(b, 4789);

	add32(b, 0x08000000);
	add32(b, 0x00abcd00);
	add_ethernet(b, 0x0806);
	add_fill(b, 28);
	close_outer_udp(b, ip);
}

/* A VXLAN header, and inside a frame whose IP header cannot be. */
static void vxlan_bad_inner(struct build *b)
{
	size_t ip = open_outer_udp(b, 4789);

	add32(b, 0x08000000);
	add32(b, 0x00abcd00);
	add_ethernet(b, 0x0800);
	add_fill(b, 40);
	close_outer_udp(b, ip);
}

/* The inner packet claims more than the datagram carries. */
static void vxlan_long_inner(struct build *b)
{
	vxlan(b);
	set16(b, 28 + 8 + 14 + 4, 21);
}

/* RTP between media ports, one of which happens to be VXLAN's. */
static void vxlan_rtp(struct build *b)
{
	size_t ip = open_outer_udp(b, 4789);

	add(b, "\x80\x00\x00\x01\x00\x00\x00\xa0\x12\x34\x56\x78", 12);
	add_fill(b, 160);
	close_outer_udp(b, ip);
}

static void vxlan_head(struct build *b)
{
	vxlan(b);
	b->data[6] = 0x20;
	while ((b->n - 20) % 8 != 0) /* and so the inner packet is not whole */
		b->n--;
	set16(b, 2, (unsigned)b->n);
	set16(b, 28 + 8 + 14 + 4, 500);
	set16(b, 24, 1000);
	set_ipv4_checksum(b, 0);
}

static void geneve(struct build *b)
{
	size_t ip = open_outer_udp(b, 6081);

	add32(b, 0x02406558); /* 8 bytes of options, critical */
	add32(b, 0x00123400);
	add(b, "\x01\x03\x80\x01\x00\x00\x00\x00", 8);
	add_tagged_frame(b, 31);
	close_outer_udp(b, ip);
}

static void geneve_ipv4(struct build *b)
{
	size_t ip = open_outer_udp(b, 6081);

	add32(b, 0x00000800);
	add32(b, 0x00123400);
	add_ipv4_udp(b);
	close_outer_udp(b, ip);
}

static void geneve_ipv6(struct build *b)
{
	size_t ip = open_outer_udp(b, 6081);

	add32(b, 0x000086dd);
	add32(b, 0x00123400);
	add_ipv6_tcp(b);
	close_outer_udp(b, ip);
}

static void geneve_other(struct build *b)
{
	size_t ip = open_outer_udp(b, 6081);

	add32(b, 0x00008847);
	add32(b, 0x00123400);
	add_fill(b, 40);
	close_outer_udp(b, ip);
}

static void erspan3_bad_version(struct build *b)
{
	erspan3(b);
	b->data[28] = 0x10;
}

static void geneve_stun(struct build *b)
{
	size_t ip = open_outer_udp(b, 6081);

	add(b, "\x00\x01\x00\x08\x21\x12\xa4\x42", 8);
	add_fill(b, 20);
	close_outer_udp(b, ip);
}

static void tzsp(struct build *b)
{
	size_t ip = open_outer_udp(b, 37008);

	add32(b, 0x01000001);
	add(b, "\x00\x0a\x01\xc5\x01", 5); /* padding, signal strength, end */
	add_tagged_frame(b, 32);
	close_outer_udp(b, ip);
}

static void tzsp_wireless(struct build *b)
{
	size_t ip = open_outer_udp(b, 37008);

	add32(b, 0x01000012);
	add8(b, 1);
	add_fill(b, 60);
	close_outer_udp(b, ip);
}

static void ipip(struct build *b)
{
	size_t ip = open_outer(b, 4);

	add_ipv4_udp(b);
	close_ipv4(b, ip);
}

static void six_in_four(struct build *b)
{
	size_t ip = open_outer(b, 41);

	add_ipv6_tcp(b);
	close_ipv4(b, ip);
}

static void four_in_six(struct build *b)
{
	size_t ip = open_ipv6(b, 60);

	add(b, "\x04\x00\x04\x01\x04\x01\x01\x00", 8); /* tunnel encapsulation limit */
	add_ipv4_udp(b);
	close_ipv6(b, ip);
}

static void ipip_garbage(struct build *b)
{
	size_t ip = open_outer(b, 4);

	add_fill(b, 40);
	close_ipv4(b, ip);
}

static void ipip_times(struct build *b, unsigned n)
{
	size_t at[8];

	for (unsigned i = 0; i < n; i++)
		at[i] = open_outer(b, 4);
	add_ipv4_udp(b);
	while (n-- > 0)
		close_ipv4(b, at[n]);
}

static void four_deep(struct build *b)
{
	ipip_times(b, 4);
}

static void five_deep(struct build *b)
{
	ipip_times(b, 5);
}

/* A VLAN of the wire, VXLAN, another VLAN, GRE: ids are the innermost tunnel's. */
static void mixed(struct build *b)
{
	size_t outer, gre;

	add_ethernet(b, 0x8100);
	add16(b, 10);
	add16(b, 0x0800);
	outer = open_outer_udp(b, 4789);
	add32(b, 0x08000000);
	add32(b, 0x00abcd00);
	add_ethernet(b, 0x8100);
	add16(b, 20);
	add16(b, 0x0800);
	gre = open_outer(b, 47);
	add32(b, 0x20000800);
	add32(b, 5);
	add_ipv4_udp(b);
	close_ipv4(b, gre);
	close_outer_udp(b, outer);
}

/* Five deep, and the fifth a UDP tunnel: an ordinary datagram then. */
static void vxlan_too_deep(struct build *b)
{
	size_t at[4];

	for (unsigned i = 0; i < 4; i++)
		at[i] = open_outer(b, 4);
	vxlan(b);
	for (unsigned i = 4; i-- > 0;)
		close_ipv4(b, at[i]);
}

#define IN(kind, id) .tunnel = LYA_TUN_##kind, .tunnel_id = (id), .n_tunnels = 1
#define OUTER(proto) .kind = LYA_PKT_OTHER_IP, .family = 4, .transport = (proto)
#define OUTER_UDP(port, len)                                                                       \
	.kind = LYA_PKT_UDP, .sport = 49152, .dport = (port), .payload_len = (len), .family = 4,   \
	.transport = 17

static const struct decode_case cases[] = {
	{ "GRE, IPv4", LYA_LINK_RAW, gre_ipv4, { UDP_EXPECT, IN(GRE, 0) } },
	{ "GRE with all fields", LYA_LINK_RAW, gre_all_fields, { TCP6_EXPECT, IN(GRE, 0xc0ffee) } },
	{ "GRE with source routes", LYA_LINK_RAW, gre_routed, { UDP_EXPECT, IN(GRE, 77) } },
	{ "GRE, Ethernet",
	  LYA_LINK_RAW,
	  gre_ethernet,
	  { UDP_EXPECT, IN(GRE, 0x123401), .n_vlan = 1, .vlan = { 30 } } },
	{ "GRE, MPLS",
	  LYA_LINK_RAW,
	  gre_mpls,
	  { UDP_EXPECT, .tunnel = LYA_TUN_MPLS, .tunnel_id = 55, .n_tunnels = 2 } },
	{ "PPTP", LYA_LINK_RAW, gre_pptp, { OUTER(47) } },
	{ "GRE keepalive", LYA_LINK_RAW, gre_keepalive, { OUTER(47) } },
	{ "GRE, no IP inside",
	  LYA_LINK_RAW,
	  gre_garbage,
	  { OUTER(47), .events = BIT(LYA_EV_TUNNEL_HEADER) | BIT(LYA_EV_IPV4_HEADER) } },
	{ "GRE, header short",
	  LYA_LINK_RAW,
	  gre_short,
	  { OUTER(47), .events = BIT(LYA_EV_TUNNEL_HEADER) } },
	{ "GRE, inner checksum wrong",
	  LYA_LINK_RAW,
	  gre_wrong_inner_checksum,
	  { UDP_EXPECT, IN(GRE, 0), .events = BIT(LYA_EV_CHECKSUM_IP) } },
	{ "ERSPAN I",
	  LYA_LINK_RAW,
	  erspan1,
	  { UDP_EXPECT, IN(ERSPAN1, 0), .n_vlan = 1, .vlan = { 30 } } },
	{ "ERSPAN II",
	  LYA_LINK_RAW,
	  erspan2,
	  { TCP6_EXPECT, IN(ERSPAN2, 513), .n_vlan = 1, .vlan = { 40 } } },
	{ "ERSPAN II, tag in the frame",
	  LYA_LINK_RAW,
	  erspan2_tagged,
	  { UDP_EXPECT, IN(ERSPAN2, 513), .n_vlan = 1, .vlan = { 30 } } },
	{ "ERSPAN II, version 7",
	  LYA_LINK_RAW,
	  erspan2_bad_version,
	  { OUTER(47), .events = BIT(LYA_EV_TUNNEL_HEADER) } },
	{ "ERSPAN III",
	  LYA_LINK_RAW,
	  erspan3,
	  { TCP6_EXPECT, IN(ERSPAN3, 514), .n_vlan = 1, .vlan = { 41 } } },
	{ "ERSPAN III, platform subheader",
	  LYA_LINK_RAW,
	  erspan3_platform,
	  { TCP6_EXPECT, IN(ERSPAN3, 514), .n_vlan = 1, .vlan = { 41 } } },
	{ "ERSPAN III, IP inside",
	  LYA_LINK_RAW,
	  erspan3_ip,
	  { UDP_EXPECT, IN(ERSPAN3, 514), .n_vlan = 1, .vlan = { 41 } } },
	{ "VXLAN", LYA_LINK_RAW, vxlan, { TCP6_EXPECT, IN(VXLAN, 0xabcd) } },
	{ "VXLAN, 8472", LYA_LINK_RAW, vxlan_linux, { TCP6_EXPECT, IN(VXLAN, 0xabcd) } },
	{ "VXLAN's port as source",
	  LYA_LINK_RAW,
	  vxlan_source_port,
	  { .kind = LYA_PKT_UDP,
	    .sport = 4789,
	    .dport = 49152,
	    .payload_len = 82,
	    .family = 4,
	    .transport = 17 } },
	{ "VXLAN, ARP", LYA_LINK_RAW, vxlan_arp, { .kind = LYA_PKT_NOT_IP, IN(VXLAN, 0xabcd) } },
	{ "VXLAN, inner header bad", LYA_LINK_RAW, vxlan_bad_inner, { OUTER_UDP(4789, 62) } },
	{ "VXLAN, inner packet too long", LYA_LINK_RAW, vxlan_long_inner, { OUTER_UDP(4789, 82) } },
	{ "RTP on VXLAN's port", LYA_LINK_RAW, vxlan_rtp, { OUTER_UDP(4789, 172) } },
	{ "VXLAN, first fragment",
	  LYA_LINK_RAW,
	  vxlan_head,
	  { .kind = LYA_PKT_TCP,
	    .sport = 50000,
	    .dport = 443,
	    .family = 6,
	    .transport = 6,
	    .payload_len = 480,
	    IN(VXLAN, 0xabcd),
	    .events = BIT(LYA_EV_TCP_TRUNCATED) } },
	{ "GENEVE",
	  LYA_LINK_RAW,
	  geneve,
	  { UDP_EXPECT, IN(GENEVE, 0x1234), .n_vlan = 1, .vlan = { 31 } } },
	{ "GENEVE, IPv4", LYA_LINK_RAW, geneve_ipv4, { UDP_EXPECT, IN(GENEVE, 0x1234) } },
	{ "GENEVE, IPv6", LYA_LINK_RAW, geneve_ipv6, { TCP6_EXPECT, IN(GENEVE, 0x1234) } },
	{ "GENEVE, MPLS", LYA_LINK_RAW, geneve_other, { OUTER_UDP(6081, 48) } },
	{ "ERSPAN III, version 1",
	  LYA_LINK_RAW,
	  erspan3_bad_version,
	  { OUTER(47), .events = BIT(LYA_EV_TUNNEL_HEADER) } },
	{ "GRE, first fragment",
	  LYA_LINK_RAW,
	  gre_head,
	  { .kind = LYA_PKT_UDP,
	    .sport = 5000,
	    .dport = 3478,
	    .payload_len = 972,
	    .family = 4,
	    .transport = 17,
	    IN(GRE, 0) } },
	{ "GRE, source routes without end",
	  LYA_LINK_RAW,
	  gre_routes_without_end,
	  { OUTER(47), .events = BIT(LYA_EV_TUNNEL_HEADER) } },
	{ "STUN on GENEVE's port", LYA_LINK_RAW, geneve_stun, { OUTER_UDP(6081, 28) } },
	{ "TZSP", LYA_LINK_RAW, tzsp, { UDP_EXPECT, IN(TZSP, 0), .n_vlan = 1, .vlan = { 32 } } },
	{ "TZSP, 802.11", LYA_LINK_RAW, tzsp_wireless, { OUTER_UDP(37008, 65) } },
	{ "4 in 4", LYA_LINK_RAW, ipip, { UDP_EXPECT, IN(IPIP, 0) } },
	{ "6 in 4", LYA_LINK_RAW, six_in_four, { TCP6_EXPECT, IN(IPIP, 0) } },
	{ "4 in 6", LYA_LINK_RAW, four_in_six, { UDP_EXPECT, IN(IPIP, 0) } },
	{ "4 in 4, no IP inside",
	  LYA_LINK_RAW,
	  ipip_garbage,
	  { OUTER(4), .events = BIT(LYA_EV_TUNNEL_HEADER) | BIT(LYA_EV_IPV4_HEADER) } },
	{ "four deep",
	  LYA_LINK_RAW,
	  four_deep,
	  { UDP_EXPECT, .tunnel = LYA_TUN_IPIP, .n_tunnels = 4 } },
	{ "five deep",
	  LYA_LINK_RAW,
	  five_deep,
	  { OUTER(4), .tunnel = LYA_TUN_IPIP, .n_tunnels = 4,
	    .events = BIT(LYA_EV_TUNNEL_DEPTH) } },
	{ "VLAN, VXLAN, VLAN, GRE",
	  0,
	  mixed,
	  { UDP_EXPECT, .n_vlan = 1, .vlan = { 20 }, .tunnel = LYA_TUN_GRE, .tunnel_id = 5,
	    .n_tunnels = 2 } },
	{ "VXLAN, five deep",
	  LYA_LINK_RAW,
	  vxlan_too_deep,
	  { OUTER_UDP(4789, 82), .tunnel = LYA_TUN_IPIP, .n_tunnels = 4,
	    .events = BIT(LYA_EV_TUNNEL_DEPTH) } },
};

static void test_cases(void **state)
{
	(void)state;
	run_cases(cases, sizeof(cases) / sizeof(cases[0]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
