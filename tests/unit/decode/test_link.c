/*
 * test_link.c - link layers: Ethernet and its tags, cooked, raw, BSD, PPP, MPLS.
 */
#include "cases.h"

static void eth_ipv4(struct build *b)
{
	add_ethernet(b, 0x0800);
	add_ipv4_udp(b);
}

static void eth_ipv6(struct build *b)
{
	add_ethernet(b, 0x86dd);
	add_ipv6_tcp(b);
}

/* The frame is padded to 60 bytes: 14 + 20 + 8 + 2 leave 16 of padding. */
static void eth_padded(struct build *b)
{
	size_t ip;

	add_ethernet(b, 0x0800);
	ip = open_ipv4(b, 17, 64);
	add_udp(b, 5000, 3478, 2);
	add_fill(b, 2);
	close_ipv4(b, ip);
	add_fill(b, 16);
}

static void eth_multicast(struct build *b)
{
	eth_ipv4(b);
	b->data[0] = 0x01;
}

static void add_tag(struct build *b, unsigned tci, unsigned type)
{
	add16(b, tci);
	add16(b, type);
}

static void vlan(struct build *b)
{
	add_ethernet(b, 0x8100);
	add_tag(b, 0xa064, 0x0800); /* priority 5, id 100 */
	add_ipv4_udp(b);
}

static void vlan_priority(struct build *b)
{
	add_ethernet(b, 0x8100);
	add_tag(b, 0xa000, 0x0800);
	add_ipv4_udp(b);
}

static void qinq(struct build *b)
{
	add_ethernet(b, 0x88a8);
	add_tag(b, 200, 0x8100);
	add_tag(b, 100, 0x86dd);
	add_ipv6_tcp(b);
}

static void qinq_9100(struct build *b)
{
	add_ethernet(b, 0x9100);
	add_tag(b, 200, 0x9200);
	add_tag(b, 300, 0x8100);
	add_tag(b, 100, 0x0800);
	add_ipv4_udp(b);
}

static void vlan_too_deep(struct build *b)
{
	add_ethernet(b, 0x8100);
	for (unsigned i = 1; i <= 4; i++)
		add_tag(b, i, 0x8100);
	add_tag(b, 5, 0x0800);
	add_ipv4_udp(b);
}

static void snap(struct build *b)
{
	add_ethernet(b, 48); /* LLC and SNAP 8, IPv4 and UDP 40 */
	add(b, "\xaa\xaa\x03\x00\x00\x00\x08\x00", 8);
	add_ipv4_udp(b);
}

static void vlan_snap(struct build *b)
{
	add_ethernet(b, 0x8100);
	add_tag(b, 7, 48);
	add(b, "\xaa\xaa\x03\x00\x00\x00\x08\x00", 8);
	add_ipv4_udp(b);
}

/* Tags inside of SNAP count together with those outside. */
static void snap_tags(struct build *b)
{
	add_ethernet(b, 0x8100);
	add_tag(b, 1, 0x8100);
	add_tag(b, 2, 100);
	add(b, "\xaa\xaa\x03\x00\x00\x00\x81\x00", 8);
	add_tag(b, 3, 0x8100);
	add_tag(b, 4, 0x8100);
	add_tag(b, 5, 0x0800);
	add_ipv4_udp(b);
}

/* Without a bound this nests as deep as the frame is long. */
static void snap_in_tags_in_snap(struct build *b)
{
	add_ethernet(b, 0x8100);
	for (unsigned i = 0; i < 100; i++) {
		add_tag(b, 0, 1400);
		add(b, "\xaa\xaa\x03\x00\x00\x00\x81\x00", 8);
	}
}

static void llc_ip(struct build *b)
{
	add_ethernet(b, 43);
	add(b, "\x06\x06\x03", 3);
	add_ipv4_udp(b);
}

static void spanning_tree(struct build *b)
{
	add_ethernet(b, 38);
	b->data[0] = 0x01;
	add(b, "\x42\x42\x03", 3);
	add_fill(b, 35);
}

static void arp(struct build *b)
{
	add_ethernet(b, 0x0806);
	memset(b->data, 0xff, 6);
	add_fill(b, 28);
}

static void macsec(struct build *b)
{
	add_ethernet(b, 0x88e5);
	add_fill(b, 40);
}

static void pppoe_header(struct build *b, size_t len)
{
	add16(b, 0x1100);
	add16(b, 0x4321);
	add16(b, (unsigned)len);
}

static void pppoe(struct build *b)
{
	add_ethernet(b, 0x8100);
	add_tag(b, 9, 0x8864);
	pppoe_header(b, 42);
	add16(b, 0x0021);
	add_ipv4_udp(b);
}

static void pppoe_padded(struct build *b)
{
	add_ethernet(b, 0x8864);
	pppoe_header(b, 62);
	add16(b, 0x0057);
	add_ipv6_tcp(b);
	add_fill(b, 5);
}

/* IPv6 claims 66 bytes, the session 60 of them: all of TCP's header. */
static void pppoe_short(struct build *b)
{
	size_t ip;

	add_ethernet(b, 0x8864);
	pppoe_header(b, 62);
	add16(b, 0x0057);
	ip = open_ipv6(b, 6);
	add_tcp(b, 50000, 443, 0x02);
	add_fill(b, 6);
	close_ipv6(b, ip);
}

static void pppoe_lcp(struct build *b)
{
	add_ethernet(b, 0x8864);
	pppoe_header(b, 8);
	add16(b, 0xc021);
	add_fill(b, 6);
}

static void pppoe_discovery(struct build *b)
{
	add_ethernet(b, 0x8863);
	add(b, "\x11\x09\x00\x00\x00\x00", 6);
}

static void ppp_ether(struct build *b)
{
	pppoe_header(b, 42);
	add16(b, 0x0021);
	add_ipv4_udp(b);
}

/* Labels 16 and 17. */
static void mpls_labels(struct build *b)
{
	add32(b, 16U << 12 | 64);
	add32(b, 17U << 12 | 0x100 | 64);
}

static void mpls_ipv4(struct build *b)
{
	add_ethernet(b, 0x8847);
	mpls_labels(b);
	add_ipv4_udp(b);
}

static void mpls_ipv6(struct build *b)
{
	add_ethernet(b, 0x8848);
	mpls_labels(b);
	add_ipv6_tcp(b);
}

static void mpls_control_word(struct build *b)
{
	add_ethernet(b, 0x8847);
	mpls_labels(b);
	add32(b, 0x00000007);
	vlan(b);
}

static void mpls_bare_frame(struct build *b)
{
	add_ethernet(b, 0x8847);
	mpls_labels(b);
	add_ethernet(b, 0x0800);
	add_ipv4_udp(b);
}

/* The inner frame's destination begins with a 4, as IPv4 does. */
static void mpls_frame_like_ipv4(struct build *b)
{
	mpls_bare_frame(b);
	b->data[14 + 8] = 0x46;
}

static void mpls_control_channel(struct build *b)
{
	add_ethernet(b, 0x8847);
	mpls_labels(b);
	add32(b, 0x10000021);
	add_fill(b, 20);
}

static void mpls_garbage(struct build *b)
{
	add_ethernet(b, 0x8847);
	mpls_labels(b);
	add_fill(b, 40);
}

static void mpls_too_deep(struct build *b)
{
	add_ethernet(b, 0x8847);
	for (unsigned i = 0; i < 17; i++)
		add32(b, (100 + i) << 12);
	add32(b, 999U << 12 | 0x100);
	add_ipv4_udp(b);
}

static void sll_header(struct build *b, unsigned type, unsigned hardware, unsigned proto)
{
	add16(b, type);
	add16(b, hardware);
	add16(b, 6);
	add(b, "\x02\x00\x00\x00\x00\x01\x00\x00", 8);
	add16(b, proto);
}

static void sll(struct build *b)
{
	sll_header(b, 0, 1, 0x0800);
	add_ipv4_udp(b);
}

static void sll_vlan_multicast(struct build *b)
{
	sll_header(b, 2, 1, 0x8100);
	add_tag(b, 100, 0x86dd);
	add_ipv6_tcp(b);
}

static void sll_llc(struct build *b)
{
	sll_header(b, 0, 1, 4);
	add(b, "\xaa\xaa\x03\x00\x00\x00\x08\x00", 8);
	add_ipv4_udp(b);
}

static void sll_netlink(struct build *b)
{
	sll_header(b, 4, 824, 0x0800);
	add_ipv4_udp(b);
}

static void sll2_header(struct build *b, unsigned type, unsigned proto)
{
	add16(b, proto);
	add16(b, 0);
	add32(b, 3);
	add16(b, 1);
	add8(b, type);
	add8(b, 6);
	add(b, "\x02\x00\x00\x00\x00\x01\x00\x00", 8);
}

static void sll2(struct build *b)
{
	sll2_header(b, 0, 0x86dd);
	add_ipv6_tcp(b);
}

static void sll2_broadcast_vlan(struct build *b)
{
	sll2_header(b, 1, 0x8100);
	add_tag(b, 55, 0x0800);
	add_ipv4_udp(b);
}

static void null_little(struct build *b)
{
	add(b, "\x02\x00\x00\x00", 4);
	add_ipv4_udp(b);
}

static void null_big(struct build *b)
{
	add(b, "\x00\x00\x00\x02", 4);
	add_ipv4_udp(b);
}

static void null_macos(struct build *b)
{
	add(b, "\x1e\x00\x00\x00", 4);
	add_ipv6_tcp(b);
}

static void null_freebsd(struct build *b)
{
	add(b, "\x00\x00\x00\x1c", 4);
	add_ipv6_tcp(b);
}

static void null_appletalk(struct build *b)
{
	add(b, "\x10\x00\x00\x00", 4);
	add_fill(b, 20);
}

static void ppp(struct build *b)
{
	add(b, "\xff\x03\x00\x21", 4);
	add_ipv4_udp(b);
}

static void ppp_mpls(struct build *b)
{
	add(b, "\x02\x81", 2);
	mpls_labels(b);
	add_ipv4_udp(b);
}

static void pppoe_version(struct build *b)
{
	add_ethernet(b, 0x8864);
	add(b, "\x21\x00\x43\x21\x00\x2a\x00\x21", 8);
	add_ipv4_udp(b);
}

static void snap_other(struct build *b)
{
	add_ethernet(b, 28);
	add(b, "\xaa\xaa\x03\x00\x00\x0c\x20\x00", 8); /* Cisco's discovery */
	add_fill(b, 20);
}

static void ppp_compressed(struct build *b)
{
	add8(b, 0x57);
	add_ipv6_tcp(b);
}

static void cisco(struct build *b)
{
	add(b, "\x0f\x00\x08\x00", 4);
	add_ipv4_udp(b);
}

static void cisco_slarp(struct build *b)
{
	add(b, "\x8f\x00\x80\x35", 4);
	add_fill(b, 18);
}

#define IN_TUNNEL(kind, id) .tunnel = (kind), .tunnel_id = (id), .n_tunnels = 1

static const struct decode_case cases[] = {
	{ "Ethernet, IPv4", 0, eth_ipv4, { UDP_EXPECT } },
	{ "Ethernet, IPv6", 0, eth_ipv6, { TCP6_EXPECT } },
	{ "padding is no payload",
	  0,
	  eth_padded,
	  { .kind = LYA_PKT_UDP,
	    .sport = 5000,
	    .dport = 3478,
	    .payload_len = 2,
	    .family = 4,
	    .transport = 17 } },
	{ "group destination", 0, eth_multicast, { UDP_EXPECT, .broadcast = true } },
	{ "802.1Q", 0, vlan, { UDP_EXPECT, .n_vlan = 1, .vlan = { 100 } } },
	{ "priority tag", 0, vlan_priority, { UDP_EXPECT } },
	{ "802.1ad", 0, qinq, { TCP6_EXPECT, .n_vlan = 2, .vlan = { 200, 100 } } },
	{ "0x9100, 0x9200", 0, qinq_9100, { UDP_EXPECT, .n_vlan = 3, .vlan = { 200, 300, 100 } } },
	{ "five tags",
	  0,
	  vlan_too_deep,
	  { .kind = LYA_PKT_NOT_IP,
	    .events = BIT(LYA_EV_VLAN_DEPTH),
	    .n_vlan = 4,
	    .vlan = { 1, 2, 3, 4 } } },
	{ "SNAP", 0, snap, { UDP_EXPECT } },
	{ "802.1Q, SNAP", 0, vlan_snap, { UDP_EXPECT, .n_vlan = 1, .vlan = { 7 } } },
	{ "tags, SNAP, tags",
	  0,
	  snap_tags,
	  { .kind = LYA_PKT_NOT_IP,
	    .events = BIT(LYA_EV_VLAN_DEPTH),
	    .n_vlan = 3,
	    .vlan = { 1, 2, 3 } } },
	{ "SNAP in tags in SNAP",
	  0,
	  snap_in_tags_in_snap,
	  { .kind = LYA_PKT_NOT_IP, .events = BIT(LYA_EV_VLAN_DEPTH) } },
	{ "LLC, IP", 0, llc_ip, { UDP_EXPECT } },
	{ "spanning tree", 0, spanning_tree, { .kind = LYA_PKT_NOT_IP, .broadcast = true } },
	{ "ARP", 0, arp, { .kind = LYA_PKT_NOT_IP, .broadcast = true } },
	{ "MACsec", 0, macsec, { .kind = LYA_PKT_NOT_IP, .events = BIT(LYA_EV_MACSEC) } },
	{ "PPPoE in a VLAN",
	  0,
	  pppoe,
	  { UDP_EXPECT, .n_vlan = 1, .vlan = { 9 }, IN_TUNNEL(LYA_TUN_PPPOE, 0x4321) } },
	{ "PPPoE, padded", 0, pppoe_padded, { TCP6_EXPECT, IN_TUNNEL(LYA_TUN_PPPOE, 0x4321) } },
	{ "PPPoE, length short of IP's",
	  0,
	  pppoe_short,
	  { TCP6_EXPECT, IN_TUNNEL(LYA_TUN_PPPOE, 0x4321), .events = BIT(LYA_EV_IPV6_HEADER) } },
	{ "PPPoE, LCP",
	  0,
	  pppoe_lcp,
	  { .kind = LYA_PKT_NOT_IP, IN_TUNNEL(LYA_TUN_PPPOE, 0x4321) } },
	{ "PPPoE discovery", 0, pppoe_discovery, { .kind = LYA_PKT_NOT_IP } },
	{ "MPLS, IPv4", 0, mpls_ipv4, { UDP_EXPECT, IN_TUNNEL(LYA_TUN_MPLS, 17) } },
	{ "MPLS, IPv6", 0, mpls_ipv6, { TCP6_EXPECT, IN_TUNNEL(LYA_TUN_MPLS, 17) } },
	{ "pseudowire with control word",
	  0,
	  mpls_control_word,
	  { UDP_EXPECT, .n_vlan = 1, .vlan = { 100 }, IN_TUNNEL(LYA_TUN_MPLS, 17) } },
	{ "pseudowire without", 0, mpls_bare_frame, { UDP_EXPECT, IN_TUNNEL(LYA_TUN_MPLS, 17) } },
	{ "pseudowire whose MAC looks like IPv4",
	  0,
	  mpls_frame_like_ipv4,
	  { UDP_EXPECT, IN_TUNNEL(LYA_TUN_MPLS, 17) } },
	{ "pseudowire control channel", 0, mpls_control_channel, { .kind = LYA_PKT_NOT_IP } },
	{ "MPLS, nothing known", 0, mpls_garbage, { .kind = LYA_PKT_NOT_IP } },
	{ "MPLS, too deep",
	  0,
	  mpls_too_deep,
	  { .kind = LYA_PKT_NOT_IP, .events = BIT(LYA_EV_MPLS_DEPTH) } },
	{ "cooked", LYA_LINK_LINUX_SLL, sll, { UDP_EXPECT } },
	{ "cooked, VLAN, group",
	  LYA_LINK_LINUX_SLL,
	  sll_vlan_multicast,
	  { TCP6_EXPECT, .n_vlan = 1, .vlan = { 100 }, .broadcast = true } },
	{ "cooked, LLC", LYA_LINK_LINUX_SLL, sll_llc, { UDP_EXPECT } },
	{ "cooked, netlink", LYA_LINK_LINUX_SLL, sll_netlink, { .kind = LYA_PKT_NOT_IP } },
	{ "cooked 2", LYA_LINK_LINUX_SLL2, sll2, { TCP6_EXPECT } },
	{ "cooked 2, VLAN, broadcast",
	  LYA_LINK_LINUX_SLL2,
	  sll2_broadcast_vlan,
	  { UDP_EXPECT, .n_vlan = 1, .vlan = { 55 }, .broadcast = true } },
	{ "raw, IPv4", LYA_LINK_RAW, add_ipv4_udp, { UDP_EXPECT } },
	{ "raw, IPv6", LYA_LINK_RAW, add_ipv6_tcp, { TCP6_EXPECT } },
	{ "raw 12", 12, add_ipv6_tcp, { TCP6_EXPECT } },
	{ "raw 14", 14, add_ipv4_udp, { UDP_EXPECT } },
	{ "IPv4", LYA_LINK_IPV4, add_ipv4_udp, { UDP_EXPECT } },
	{ "IPv6", LYA_LINK_IPV6, add_ipv6_tcp, { TCP6_EXPECT } },
	{ "null, little-endian", LINK_NULL, null_little, { UDP_EXPECT } },
	{ "null, big-endian", LINK_NULL, null_big, { UDP_EXPECT } },
	{ "null, macOS", LINK_NULL, null_macos, { TCP6_EXPECT } },
	{ "null, AppleTalk", LINK_NULL, null_appletalk, { .kind = LYA_PKT_NOT_IP } },
	{ "loop", LYA_LINK_LOOP, null_big, { UDP_EXPECT } },
	{ "loop, FreeBSD", LYA_LINK_LOOP, null_freebsd, { TCP6_EXPECT } },
	{ "PPP", LYA_LINK_PPP, ppp, { UDP_EXPECT } },
	{ "PPP, MPLS", LYA_LINK_PPP, ppp_mpls, { UDP_EXPECT, IN_TUNNEL(LYA_TUN_MPLS, 17) } },
	{ "PPPoE, version 2", 0, pppoe_version, { .kind = LYA_PKT_NOT_IP } },
	{ "SNAP, not an EtherType", 0, snap_other, { .kind = LYA_PKT_NOT_IP } },
	{ "PPP, compressed", LYA_LINK_PPP, ppp_compressed, { TCP6_EXPECT } },
	{ "PPP, Cisco HDLC", LYA_LINK_PPP, cisco, { UDP_EXPECT } },
	{ "PPP HDLC", LYA_LINK_PPP_HDLC, ppp, { UDP_EXPECT } },
	{ "PPP HDLC, Cisco's", LYA_LINK_PPP_HDLC, cisco, { UDP_EXPECT } },
	{ "PPP over Ethernet",
	  LYA_LINK_PPP_ETHER,
	  ppp_ether,
	  { UDP_EXPECT, IN_TUNNEL(LYA_TUN_PPPOE, 0x4321) } },
	{ "Cisco HDLC", LYA_LINK_C_HDLC, cisco, { UDP_EXPECT } },
	{ "Cisco HDLC, SLARP", LYA_LINK_C_HDLC, cisco_slarp, { .kind = LYA_PKT_NOT_IP } },
	{ "802.11", 105, eth_ipv4, { .kind = LYA_PKT_NOT_IP, .events = BIT(LYA_EV_LINK_UNKNOWN) } },
};

static void test_cases(void **state)
{
	(void)state;
	run_cases(cases, sizeof(cases) / sizeof(cases[0]));
}

static void test_macs(void **state)
{
	struct build *b = calloc(1, sizeof(*b));
	struct lya_packet pkt;
	uint8_t *data;

	(void)state;
	assert_non_null(b);
	vlan(b);
	data = decode_copy(b->data, b->n, b->n, LYA_LINK_ETHERNET, &pkt);
	assert_memory_equal(pkt.eth_dst, "\x02\x00\x00\x00\x00\x02", 6);
	assert_memory_equal(pkt.eth_src, "\x02\x00\x00\x00\x00\x01", 6);
	assert_int_equal(pkt.digits, 6);
	assert_int_equal(pkt.duplicate, LYA_DUP_NONE);
	free(data);
	b->n = 0;
	sll2(b);
	data = decode_copy(b->data, b->n, b->n, LYA_LINK_LINUX_SLL2, &pkt);
	assert_null(pkt.eth_dst);
	assert_memory_equal(pkt.eth_src, "\x02\x00\x00\x00\x00\x01", 6);
	free(data);
	b->n = 0;
	add_ipv4_udp(b);
	data = decode_copy(b->data, b->n, b->n, LYA_LINK_RAW, &pkt);
	assert_null(pkt.eth_dst);
	assert_null(pkt.eth_src);
	free(data);
	free(b);
}

static void test_names(void **state)
{
	char buf[24];

	(void)state;
	assert_string_equal(lya_link_name(1, buf), "EN10MB");
	assert_string_equal(lya_link_name(113, buf), "LINUX_SLL");
	assert_string_equal(lya_link_name(276, buf), "LINUX_SLL2");
	assert_string_equal(lya_link_name(0, buf), "NULL");
	assert_string_equal(lya_link_name(105, buf), "IEEE802_11");
	assert_string_equal(lya_link_name(189, buf), "USB_LINUX");
	assert_string_equal(lya_link_name(147, buf), "LINKTYPE_147");
	assert_string_equal(lya_link_name(65535, buf), "LINKTYPE_65535");
	assert_true(lya_link_known(0));
	assert_true(lya_link_known(229));
	assert_false(lya_link_known(105));
	for (unsigned ev = 0; ev < LYA_EV_COUNT; ev++) {
		assert_non_null(lya_event_name((enum lya_event)ev));
		assert_string_not_equal(lya_event_name((enum lya_event)ev), "unknown");
	}
	assert_string_equal(lya_event_name(LYA_EV_IPV4_HEADER), "ipv4-header");
	assert_true(lya_event_is_cut(LYA_EV_TCP_TRUNCATED));
	assert_false(lya_event_is_cut(LYA_EV_TCP_HEADER));
	for (unsigned kind = 0; kind <= LYA_TUN_PPPOE; kind++)
		assert_non_null(lya_tunnel_name((enum lya_tunnel_kind)kind));
	assert_string_equal(lya_tunnel_name(LYA_TUN_VXLAN), "vxlan");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_macs),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
