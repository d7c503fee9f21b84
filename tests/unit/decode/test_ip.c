/*
 * test_ip.c - IPv4, IPv6 and its chain, TCP, UDP, ICMP errors.  Raw IP frames.
 */
#include "cases.h"

static void ipv4_options(struct build *b)
{
	size_t ip = open_ipv4(b, 17, 64);

	b->data[ip] = 0x47;
	add(b, "\x01\x07\x07\x04\x00\x00\x00\x00", 8); /* no-op, record route, end */
	add_udp(b, 5000, 3478, 12);
	add_fill(b, 12);
	close_ipv4(b, ip);
}

static void ipv4_options_bad(struct build *b)
{
	ipv4_options(b);
	b->data[22] = 1; /* an option shorter than its own header */
	set_ipv4_checksum(b, 0);
}

static void ipv4_version(struct build *b)
{
	add_ipv4_udp(b);
	b->data[0] = 0x35;
}

static void ipv4_header_short(struct build *b)
{
	add_ipv4_udp(b);
	b->data[0] = 0x44;
}

static void ipv4_total_short(struct build *b)
{
	add_ipv4_udp(b);
	set16(b, 2, 19);
	set_ipv4_checksum(b, 0);
}

/* The frame ends 10 bytes before the header says. */
static void ipv4_total_long(struct build *b)
{
	size_t ip = open_ipv4(b, 6, 64);

	add_tcp(b, 50000, 443, 0x18);
	add_fill(b, 20);
	set16(b, 2, 70);
	set_ipv4_checksum(b, ip);
}

static void ipv4_checksum(struct build *b)
{
	add_ipv4_udp(b);
	b->data[10] ^= 0x40;
}

static void ipv4_checksum_offloaded(struct build *b)
{
	add_ipv4_udp(b);
	set16(b, 10, 0);
}

/* Total length 0: the card would have cut the segments. */
static void ipv4_offloaded(struct build *b)
{
	size_t ip = open_ipv4(b, 6, 64);

	add_tcp(b, 50000, 443, 0x18);
	add_fill(b, 3000);
	set_ipv4_checksum(b, ip);
}

static void ipv4_large(struct build *b)
{
	size_t ip = open_ipv4(b, 6, 64);

	add_tcp(b, 50000, 443, 0x18);
	add_fill(b, 65000);
	close_ipv4(b, ip);
}

static void ipv4_esp(struct build *b)
{
	size_t ip = open_ipv4(b, 50, 64);

	add_fill(b, 40);
	close_ipv4(b, ip);
}

static void add_ah(struct build *b, unsigned next)
{
	add8(b, next);
	add8(b, 4); /* 24 bytes */
	add16(b, 0);
	add_fill(b, 20);
}

static void ipv4_ah(struct build *b)
{
	size_t ip = open_ipv4(b, 51, 64);

	add_ah(b, 17);
	add_udp(b, 5000, 3478, 12);
	add_fill(b, 12);
	close_ipv4(b, ip);
}

/* A fragment of IPv4 with n bytes behind its header, which make() adds. */
static size_t open_fragment(struct build *b, unsigned proto, unsigned offset, bool more)
{
	size_t ip = open_ipv4(b, proto, 64);

	set16(b, ip + 6, offset / 8 | (more ? 0x2000 : 0));
	return ip;
}

static void fragment_head(struct build *b)
{
	size_t ip = open_fragment(b, 17, 0, true);

	add_udp(b, 5000, 3478, 1000); /* the datagram: this fragment has 24 of them */
	add_fill(b, 24);
	close_ipv4(b, ip);
}

static void fragment_later(struct build *b)
{
	size_t ip = open_fragment(b, 17, 1480, false);

	add_fill(b, 33);
	close_ipv4(b, ip);
}

static void fragment_other(struct build *b)
{
	size_t ip = open_fragment(b, 50, 1480, false);

	add_fill(b, 33);
	close_ipv4(b, ip);
}

static void fragment_past_end(struct build *b)
{
	size_t ip = open_fragment(b, 17, 65528, false);

	add_fill(b, 8);
	close_ipv4(b, ip);
}

static void fragment_empty(struct build *b)
{
	close_ipv4(b, open_fragment(b, 17, 64, true));
}

static void fragment_odd(struct build *b)
{
	size_t ip = open_fragment(b, 17, 64, true);

	add_fill(b, 13);
	close_ipv4(b, ip);
}

/* The first fragment ends inside the TCP header: ports, and nothing of the flags. */
static void fragment_tiny_tcp(struct build *b)
{
	size_t ip = open_fragment(b, 6, 0, true);

	add(b, "\xc3\x50\x01\xbb\x00\x00\x03\xe8", 8);
	close_ipv4(b, ip);
}

static void ipv6_udp_after(struct build *b)
{
	add_udp(b, 5000, 3478, 12);
	add_fill(b, 12);
}

/* An extension header of len bytes whose content is padding. */
static void add_extension(struct build *b, unsigned next, size_t len)
{
	add8(b, next);
	add8(b, (unsigned)(len / 8 - 1));
	add8(b, 1); /* PadN */
	add8(b, (unsigned)(len - 4));
	for (size_t i = 4; i < len; i++)
		add8(b, 0);
}

static void ipv6_chain(struct build *b)
{
	size_t ip = open_ipv6(b, 0);

	add_extension(b, 60, 8);
	add_extension(b, 43, 16);
	add_extension(b, 135, 8);
	add_extension(b, 139, 40);
	add_extension(b, 140, 8);
	add_extension(b, 51, 8);
	add_ah(b, 17);
	ipv6_udp_after(b);
	close_ipv6(b, ip);
}

static void ipv6_deep(struct build *b)
{
	size_t ip = open_ipv6(b, 60);

	for (unsigned i = 0; i < 16; i++)
		add_extension(b, 60, 8);
	add_extension(b, 17, 8);
	ipv6_udp_after(b);
	close_ipv6(b, ip);
}

static void ipv6_sixteen(struct build *b)
{
	size_t ip = open_ipv6(b, 60);

	for (unsigned i = 0; i < 15; i++)
		add_extension(b, 60, 8);
	add_extension(b, 17, 8);
	ipv6_udp_after(b);
	close_ipv6(b, ip);
}

static void ipv6_jumbogram(struct build *b)
{
	open_ipv6(b, 0);
	add(b, "\x11\x00\xc2\x04\x00\x01\x10\x00", 8);
	ipv6_udp_after(b);
}

/* Payload length 0 without a jumbo option: offload. */
static void ipv6_offloaded(struct build *b)
{
	open_ipv6(b, 6);
	add_tcp(b, 50000, 443, 0x18);
	add_fill(b, 2000);
}

static void ipv6_none(struct build *b)
{
	open_ipv6(b, 59);
}

static void ipv6_esp(struct build *b)
{
	size_t ip = open_ipv6(b, 50);

	add_fill(b, 40);
	close_ipv6(b, ip);
}

static void ipv6_version(struct build *b)
{
	add_ipv6_tcp(b);
	b->data[0] = 0x50;
}

static void ipv6_long(struct build *b)
{
	add_ipv6_tcp(b);
	set16(b, 4, 30);
}

static void ipv6_extension_past_end(struct build *b)
{
	size_t ip = open_ipv6(b, 60);

	add(b, "\x11\x20\x00\x00\x00\x00\x00\x00", 8);
	add_fill(b, 16);
	close_ipv6(b, ip);
}

static void add_ipv6_fragment(struct build *b, unsigned next, unsigned offset, bool more)
{
	add8(b, next);
	add8(b, 0);
	add16(b, offset | more);
	add32(b, 0xdeadbeef);
}

static void ipv6_head(struct build *b)
{
	size_t ip = open_ipv6(b, 44);

	add_ipv6_fragment(b, 17, 0, true);
	add_udp(b, 5000, 3478, 2000);
	add_fill(b, 40);
	close_ipv6(b, ip);
}

static void ipv6_later(struct build *b)
{
	size_t ip = open_ipv6(b, 0);

	add_extension(b, 44, 8);
	add_ipv6_fragment(b, 6, 1448, false);
	add_fill(b, 21);
	close_ipv6(b, ip);
}

static void ipv6_atomic(struct build *b)
{
	size_t ip = open_ipv6(b, 44);

	add_ipv6_fragment(b, 17, 0, false);
	ipv6_udp_after(b);
	close_ipv6(b, ip);
}

static void tcp_with(struct build *b, unsigned offset, const char *options, size_t len, size_t data)
{
	size_t ip = open_ipv4(b, 6, 64);

	add_tcp(b, 50000, 443, 0x12);
	b->data[ip + 32] = (uint8_t)(offset << 4);
	add(b, options, len);
	add_fill(b, data);
	close_ipv4(b, ip);
}

static void tcp_options(struct build *b)
{
	tcp_with(b, 7, "\x02\x04\x05\xb4\x01\x01\x04\x02", 8, 10);
}

static void tcp_offset_small(struct build *b)
{
	tcp_with(b, 4, "", 0, 10);
}

static void tcp_offset_large(struct build *b)
{
	tcp_with(b, 8, "\x01\x01\x01\x01", 4, 0);
}

static void tcp_short(struct build *b)
{
	size_t ip = open_ipv4(b, 6, 64);

	add_fill(b, 19);
	close_ipv4(b, ip);
}

static void udp_length(struct build *b, unsigned len)
{
	size_t ip = open_ipv4(b, 17, 64);

	add_udp(b, 5000, 3478, 0);
	set16(b, ip + 24, len);
	add_fill(b, 12);
	close_ipv4(b, ip);
}

static void udp_length_7(struct build *b)
{
	udp_length(b, 7);
}

static void udp_length_21(struct build *b)
{
	udp_length(b, 21);
}

static void udp_length_10(struct build *b)
{
	udp_length(b, 10);
}

static void udp_length_0(struct build *b)
{
	udp_length(b, 0);
}

static void udp_short(struct build *b)
{
	size_t ip = open_ipv4(b, 17, 64);

	add_fill(b, 7);
	close_ipv4(b, ip);
}

static void teredo(struct build *b)
{
	size_t ip = open_ipv4(b, 17, 64);

	add_udp(b, 40000, 3544, 8 + 60);
	add(b, "\x00\x00\x63\xbf\x3f\xff\xfd\xd2", 8); /* origin indication */
	add_ipv6_tcp(b);
	close_ipv4(b, ip);
}

static void teredo_authenticated(struct build *b)
{
	size_t ip = open_ipv4(b, 17, 64);

	add_udp(b, 3544, 40000, 13 + 4 + 60);
	add(b, "\x00\x01\x02\x02", 4); /* client id and proof of two bytes each */
	add_fill(b, 4 + 8 + 1);
	add_ipv6_tcp(b);
	close_ipv4(b, ip);
}

static void teredo_port_only(struct build *b)
{
	size_t ip = open_ipv4(b, 17, 64);

	add_udp(b, 3544, 40000, 60);
	add_fill(b, 60);
	close_ipv4(b, ip);
}

static void icmp_port_unreachable(struct build *b)
{
	size_t ip = open_ipv4(b, 1, 64);

	add(b, "\x03\x03\x00\x00\x00\x00\x00\x00", 8);
	add_ipv4_udp(b);
	close_ipv4(b, ip);
}

static void icmp_of_fragment(struct build *b)
{
	icmp_port_unreachable(b);
	b->data[28 + 7] = 185;
}

static void icmp_of_icmp(struct build *b)
{
	icmp_port_unreachable(b);
	b->data[28 + 9] = 1;
}

static void icmp_echo(struct build *b)
{
	size_t ip = open_ipv4(b, 1, 64);

	add(b, "\x08\x00\x00\x00\x00\x01\x00\x01", 8);
	add_ipv4_udp(b);
	close_ipv4(b, ip);
}

static void icmp_redirect(struct build *b)
{
	icmp_port_unreachable(b);
	b->data[20] = 5;
}

static void icmpv6_unreachable(struct build *b)
{
	size_t ip = open_ipv6(b, 58);

	add(b, "\x01\x01\x00\x00\x00\x00\x00\x00", 8);
	ipv6_chain(b);
	b->data[40 + 8 + 40 + 8] = 17; /* destination options, then UDP at once */
	close_ipv6(b, ip);
}

static void icmpv6_of_fragment(struct build *b)
{
	size_t ip = open_ipv6(b, 58);

	add(b, "\x01\x01\x00\x00\x00\x00\x00\x00", 8);
	ipv6_later(b);
	close_ipv6(b, ip);
}

static void icmpv6_of_esp(struct build *b)
{
	size_t ip = open_ipv6(b, 58);

	add(b, "\x03\x00\x00\x00\x00\x00\x00\x00", 8);
	ipv6_esp(b);
	close_ipv6(b, ip);
}

static void icmpv6_echo(struct build *b)
{
	size_t ip = open_ipv6(b, 58);

	add(b, "\x80\x00\x00\x00\x00\x01\x00\x01", 8);
	add_ipv6_tcp(b);
	close_ipv6(b, ip);
}

#define UDP6_EXPECT                                                                                \
	.kind = LYA_PKT_UDP, .sport = 5000, .dport = 3478, .payload_len = 12, .family = 6,         \
	.transport = 17
#define TCP_EXPECT .kind = LYA_PKT_TCP, .sport = 50000, .dport = 443, .family = 4, .transport = 6
#define BAD_UDP .kind = LYA_PKT_BAD, .family = 4, .transport = 17

static const struct decode_case cases[] = {
	{ "options", LYA_LINK_RAW, ipv4_options, { UDP_EXPECT } },
	{ "options that cannot be",
	  LYA_LINK_RAW,
	  ipv4_options_bad,
	  { UDP_EXPECT, .events = BIT(LYA_EV_IPV4_OPTIONS) } },
	{ "version 3",
	  LYA_LINK_RAW,
	  ipv4_version,
	  { .kind = LYA_PKT_BAD, .events = BIT(LYA_EV_IPV4_HEADER) } },
	{ "header of 16 bytes",
	  LYA_LINK_RAW,
	  ipv4_header_short,
	  { .kind = LYA_PKT_BAD, .events = BIT(LYA_EV_IPV4_HEADER) } },
	{ "total length 19",
	  LYA_LINK_RAW,
	  ipv4_total_short,
	  { .kind = LYA_PKT_BAD, .events = BIT(LYA_EV_IPV4_HEADER) } },
	{ "total length past the frame",
	  LYA_LINK_RAW,
	  ipv4_total_long,
	  { TCP_EXPECT, .payload_len = 20, .events = BIT(LYA_EV_IPV4_HEADER) } },
	{ "wrong checksum",
	  LYA_LINK_RAW,
	  ipv4_checksum,
	  { UDP_EXPECT, .events = BIT(LYA_EV_CHECKSUM_IP) } },
	{ "checksum left to the card", LYA_LINK_RAW, ipv4_checksum_offloaded, { UDP_EXPECT } },
	{ "total length 0", LYA_LINK_RAW, ipv4_offloaded, { TCP_EXPECT, .payload_len = 3000 } },
	{ "65040 bytes", LYA_LINK_RAW, ipv4_large, { TCP_EXPECT, .payload_len = 65000 } },
	{ "ESP",
	  LYA_LINK_RAW,
	  ipv4_esp,
	  { .kind = LYA_PKT_OTHER_IP, .family = 4, .transport = 50 } },
	{ "AH", LYA_LINK_RAW, ipv4_ah, { UDP_EXPECT } },
	{ "head",
	  LYA_LINK_RAW,
	  fragment_head,
	  { .kind = LYA_PKT_UDP,
	    .sport = 5000,
	    .dport = 3478,
	    .payload_len = 24,
	    .family = 4,
	    .transport = 17 } },
	{ "later fragment",
	  LYA_LINK_RAW,
	  fragment_later,
	  { .kind = LYA_PKT_FRAGMENT, .payload_len = 33, .family = 4, .transport = 17 } },
	{ "later fragment of ESP",
	  LYA_LINK_RAW,
	  fragment_other,
	  { .kind = LYA_PKT_OTHER_IP, .payload_len = 33, .family = 4, .transport = 50 } },
	{ "fragment past 65535",
	  LYA_LINK_RAW,
	  fragment_past_end,
	  { BAD_UDP, .events = BIT(LYA_EV_FRAGMENT_BAD) } },
	{ "empty fragment",
	  LYA_LINK_RAW,
	  fragment_empty,
	  { BAD_UDP, .events = BIT(LYA_EV_FRAGMENT_BAD) } },
	{ "middle fragment of 13",
	  LYA_LINK_RAW,
	  fragment_odd,
	  { BAD_UDP, .events = BIT(LYA_EV_FRAGMENT_BAD) } },
	{ "head with half a TCP header",
	  LYA_LINK_RAW,
	  fragment_tiny_tcp,
	  { TCP_EXPECT, .events = BIT(LYA_EV_TCP_HEADER) } },
	{ "IPv6 chain", LYA_LINK_RAW, ipv6_chain, { UDP6_EXPECT } },
	{ "16 extensions", LYA_LINK_RAW, ipv6_sixteen, { UDP6_EXPECT } },
	{ "17 extensions",
	  LYA_LINK_RAW,
	  ipv6_deep,
	  { .kind = LYA_PKT_BAD,
	    .family = 6,
	    .transport = 60,
	    .events = BIT(LYA_EV_IPV6_EXT_DEPTH) } },
	{ "jumbogram",
	  LYA_LINK_RAW,
	  ipv6_jumbogram,
	  { .kind = LYA_PKT_BAD, .family = 6, .events = BIT(LYA_EV_IPV6_JUMBOGRAM) } },
	{ "IPv6 payload length 0",
	  LYA_LINK_RAW,
	  ipv6_offloaded,
	  { TCP6_EXPECT, .payload_len = 2000 } },
	{ "no next header",
	  LYA_LINK_RAW,
	  ipv6_none,
	  { .kind = LYA_PKT_OTHER_IP, .family = 6, .transport = 59 } },
	{ "IPv6, ESP",
	  LYA_LINK_RAW,
	  ipv6_esp,
	  { .kind = LYA_PKT_OTHER_IP, .family = 6, .transport = 50 } },
	{ "version 5",
	  LYA_LINK_IPV6,
	  ipv6_version,
	  { .kind = LYA_PKT_BAD, .events = BIT(LYA_EV_IPV6_HEADER) } },
	{ "IPv6 length past the frame",
	  LYA_LINK_RAW,
	  ipv6_long,
	  { TCP6_EXPECT, .events = BIT(LYA_EV_IPV6_HEADER) } },
	{ "extension past the packet",
	  LYA_LINK_RAW,
	  ipv6_extension_past_end,
	  { .kind = LYA_PKT_BAD,
	    .family = 6,
	    .transport = 60,
	    .events = BIT(LYA_EV_IPV6_HEADER) } },
	{ "IPv6 head",
	  LYA_LINK_RAW,
	  ipv6_head,
	  { .kind = LYA_PKT_UDP,
	    .sport = 5000,
	    .dport = 3478,
	    .payload_len = 40,
	    .family = 6,
	    .transport = 17 } },
	{ "IPv6 later fragment",
	  LYA_LINK_RAW,
	  ipv6_later,
	  { .kind = LYA_PKT_FRAGMENT, .payload_len = 21, .family = 6, .transport = 6 } },
	{ "atomic fragment", LYA_LINK_RAW, ipv6_atomic, { UDP6_EXPECT } },
	{ "TCP options", LYA_LINK_RAW, tcp_options, { TCP_EXPECT, .payload_len = 10 } },
	{ "data offset 4",
	  LYA_LINK_RAW,
	  tcp_offset_small,
	  { .kind = LYA_PKT_BAD, .family = 4, .transport = 6, .events = BIT(LYA_EV_TCP_HEADER) } },
	{ "data offset past the packet",
	  LYA_LINK_RAW,
	  tcp_offset_large,
	  { .kind = LYA_PKT_BAD, .family = 4, .transport = 6, .events = BIT(LYA_EV_TCP_HEADER) } },
	{ "19 bytes of TCP",
	  LYA_LINK_RAW,
	  tcp_short,
	  { .kind = LYA_PKT_BAD, .family = 4, .transport = 6, .events = BIT(LYA_EV_TCP_HEADER) } },
	{ "UDP length 7",
	  LYA_LINK_RAW,
	  udp_length_7,
	  { BAD_UDP, .events = BIT(LYA_EV_UDP_LENGTH) } },
	{ "UDP length past IP's",
	  LYA_LINK_RAW,
	  udp_length_21,
	  { BAD_UDP, .events = BIT(LYA_EV_UDP_LENGTH) } },
	{ "UDP length short of IP's",
	  LYA_LINK_RAW,
	  udp_length_10,
	  { .kind = LYA_PKT_UDP,
	    .sport = 5000,
	    .dport = 3478,
	    .payload_len = 2,
	    .family = 4,
	    .transport = 17 } },
	{ "UDP length 0", LYA_LINK_RAW, udp_length_0, { UDP_EXPECT } },
	{ "7 bytes of UDP",
	  LYA_LINK_RAW,
	  udp_short,
	  { BAD_UDP, .events = BIT(LYA_EV_UDP_LENGTH) } },
	{ "Teredo",
	  LYA_LINK_RAW,
	  teredo,
	  { .kind = LYA_PKT_UDP,
	    .sport = 40000,
	    .dport = 3544,
	    .payload_len = 68,
	    .family = 4,
	    .transport = 17,
	    .events = BIT(LYA_EV_TEREDO) } },
	{ "Teredo by port alone",
	  LYA_LINK_RAW,
	  teredo_port_only,
	  { .kind = LYA_PKT_UDP,
	    .sport = 3544,
	    .dport = 40000,
	    .payload_len = 60,
	    .family = 4,
	    .transport = 17 } },
	{ "ICMP error",
	  LYA_LINK_RAW,
	  icmp_port_unreachable,
	  { .kind = LYA_PKT_ICMP_ERROR, .family = 4, .transport = 1 } },
	{ "ICMP error about ICMP",
	  LYA_LINK_RAW,
	  icmp_of_icmp,
	  { .kind = LYA_PKT_OTHER_IP, .family = 4, .transport = 1 } },
	{ "ICMP echo",
	  LYA_LINK_RAW,
	  icmp_echo,
	  { .kind = LYA_PKT_OTHER_IP, .family = 4, .transport = 1 } },
	{ "ICMP redirect",
	  LYA_LINK_RAW,
	  icmp_redirect,
	  { .kind = LYA_PKT_OTHER_IP, .family = 4, .transport = 1 } },
	{ "ICMPv6 error",
	  LYA_LINK_RAW,
	  icmpv6_unreachable,
	  { .kind = LYA_PKT_ICMP_ERROR, .family = 6, .transport = 58 } },
	{ "ICMPv6 error about a later fragment",
	  LYA_LINK_RAW,
	  icmpv6_of_fragment,
	  { .kind = LYA_PKT_ICMP_ERROR, .family = 6, .transport = 58 } },
	{ "ICMPv6 error about ESP",
	  LYA_LINK_RAW,
	  icmpv6_of_esp,
	  { .kind = LYA_PKT_OTHER_IP, .family = 6, .transport = 58 } },
	{ "Teredo, authenticated",
	  LYA_LINK_RAW,
	  teredo_authenticated,
	  { .kind = LYA_PKT_UDP,
	    .sport = 3544,
	    .dport = 40000,
	    .payload_len = 77,
	    .family = 4,
	    .transport = 17,
	    .events = BIT(LYA_EV_TEREDO) } },
	{ "ICMPv6 echo",
	  LYA_LINK_RAW,
	  icmpv6_echo,
	  { .kind = LYA_PKT_OTHER_IP, .family = 6, .transport = 58 } },
};

static void test_cases(void **state)
{
	(void)state;
	run_cases(cases, sizeof(cases) / sizeof(cases[0]));
}

/* Decode what make() builds, cut to `captured` bytes (0: whole); caller frees the copy. */
static uint8_t *decode_made(void (*make)(struct build *), size_t captured, struct lya_packet *pkt)
{
	struct build *b = calloc(1, sizeof(*b));
	uint8_t *copy;

	assert_non_null(b);
	make(b);
	copy = decode_copy(b->data, captured == 0 ? b->n : captured, b->n, LYA_LINK_RAW, pkt);
	free(b);
	return copy;
}

static void test_tcp_fields(void **state)
{
	struct lya_packet pkt;
	uint8_t *copy = decode_made(tcp_options, 0, &pkt);

	(void)state;
	assert_int_equal(pkt.seq, 1000);
	assert_int_equal(pkt.ack, 2000);
	assert_int_equal(pkt.window, 0x7210);
	assert_int_equal(pkt.tcp_flags, LYA_TCP_SYN | LYA_TCP_ACK);
	assert_int_equal(pkt.options_len, 8);
	assert_memory_equal(pkt.options, "\x02\x04\x05\xb4\x01\x01\x04\x02", 8);
	assert_int_equal(lya_cursor_left(&pkt.payload), 10);
	assert_ptr_equal(pkt.payload.pos, copy + 48);
	assert_int_equal(pkt.ttl, 64);
	assert_int_equal(pkt.ip_bytes, 58);
	assert_int_equal(pkt.ip_id, 0x1234);
	assert_int_equal(pkt.l4_at, 20);
	assert_ptr_equal(pkt.ip, copy);
	assert_memory_equal(pkt.src.bytes, "\x0a\x00\x00\x01\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	assert_memory_equal(pkt.dst.bytes, "\x0a\x00\x00\x02\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	free(copy);
}

/* Bytes captured from the IP header on, and what must still be known of a TCP packet. */
static void test_tcp_cut(void **state)
{
	static const struct {
		size_t captured;
		enum lya_packet_kind kind;
		uint32_t seq, ack;
		uint8_t flags, options_len;
	} cuts[] = {
		{ 23, LYA_PKT_CUT, 0, 0, 0, 0 },          { 24, LYA_PKT_TCP, 0, 0, 0, 0 },
		{ 28, LYA_PKT_TCP, 1000, 0, 0, 0 },       { 32, LYA_PKT_TCP, 1000, 2000, 0, 0 },
		{ 34, LYA_PKT_TCP, 1000, 2000, 0x12, 0 }, { 40, LYA_PKT_TCP, 1000, 2000, 0x12, 0 },
		{ 44, LYA_PKT_TCP, 1000, 2000, 0x12, 4 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		struct lya_packet pkt;
		uint8_t *copy = decode_made(tcp_options, cuts[i].captured, &pkt);

		assert_int_equal(pkt.kind, cuts[i].kind);
		assert_int_equal(pkt.events, BIT(LYA_EV_TCP_TRUNCATED));
		if (pkt.kind == LYA_PKT_TCP) {
			assert_int_equal(pkt.seq, cuts[i].seq);
			assert_int_equal(pkt.ack, cuts[i].ack);
			assert_int_equal(pkt.tcp_flags, cuts[i].flags);
			assert_int_equal(pkt.options_len, cuts[i].options_len);
		}
		assert_int_equal(pkt.ip_bytes, 58);
		free(copy);
	}
}

static void test_fragment_fields(void **state)
{
	struct lya_packet pkt;
	uint8_t *copy = decode_made(fragment_head, 0, &pkt);

	(void)state;
	assert_true(pkt.is_fragment && pkt.frag_more && pkt.frag_offset == 0);
	free(copy);
	copy = decode_made(fragment_later, 0, &pkt);
	assert_true(pkt.is_fragment && !pkt.frag_more && pkt.frag_offset == 1480);
	assert_ptr_equal(pkt.payload.pos, copy + 20);
	assert_int_equal(lya_cursor_left(&pkt.payload), 33);
	free(copy);
	copy = decode_made(ipv6_later, 0, &pkt);
	assert_true(pkt.is_fragment && !pkt.frag_more && pkt.frag_offset == 1448);
	assert_int_equal(pkt.ip_id, 0xdeadbeef);
	assert_ptr_equal(pkt.payload.pos, copy + 56);
	free(copy);
	copy = decode_made(ipv6_atomic, 0, &pkt);
	assert_false(pkt.is_fragment);
	free(copy);
	copy = decode_made(ipv4_esp, 0, &pkt);
	assert_false(pkt.is_fragment || pkt.frag_more || pkt.frag_offset != 0);
	free(copy);
}

static void test_quoted(void **state)
{
	struct lya_packet pkt;
	uint8_t *copy = decode_made(icmp_port_unreachable, 0, &pkt);

	(void)state;
	assert_int_equal(pkt.quoted.type, 3);
	assert_int_equal(pkt.quoted.code, 3);
	assert_int_equal(pkt.quoted.transport, 17);
	assert_true(pkt.quoted.has_ports);
	assert_int_equal(pkt.quoted.sport, 5000);
	assert_int_equal(pkt.quoted.dport, 3478);
	assert_memory_equal(pkt.quoted.src.bytes, "\x0a\x00\x00\x01\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	assert_memory_equal(pkt.quoted.dst.bytes, "\x0a\x00\x00\x02\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	free(copy);
	copy = decode_made(icmp_of_fragment, 0, &pkt);
	assert_int_equal(pkt.kind, LYA_PKT_ICMP_ERROR);
	assert_false(pkt.quoted.has_ports);
	free(copy);
	copy = decode_made(icmp_port_unreachable, 28 + 20 + 3, &pkt);
	assert_int_equal(pkt.kind, LYA_PKT_ICMP_ERROR);
	assert_false(pkt.quoted.has_ports);
	assert_int_equal(pkt.events, BIT(LYA_EV_ICMP_TRUNCATED));
	free(copy);
	copy = decode_made(icmpv6_unreachable, 0, &pkt);
	assert_int_equal(pkt.quoted.type, 1);
	assert_int_equal(pkt.quoted.code, 1);
	assert_true(pkt.quoted.has_ports);
	assert_int_equal(pkt.quoted.src.bytes[15], 1);
	assert_int_equal(pkt.quoted.dst.bytes[15], 2);
	free(copy);
}

/* A wire length below the captured one is a lie of the file, not of the packet. */
static void test_lying_wire_length(void **state)
{
	struct build *b = calloc(1, sizeof(*b));
	struct lya_packet pkt;
	uint8_t *copy;

	(void)state;
	assert_non_null(b);
	add_ipv4_udp(b);
	copy = decode_copy(b->data, b->n, 5, LYA_LINK_RAW, &pkt);
	assert_int_equal(pkt.kind, LYA_PKT_UDP);
	assert_int_equal(pkt.events, 0);
	free(copy);
	copy = decode_copy(b->data, b->n, UINT32_MAX, LYA_LINK_RAW, &pkt);
	assert_int_equal(pkt.kind, LYA_PKT_UDP);
	assert_int_equal(pkt.events, 0);
	assert_int_equal(pkt.payload_len, 12);
	free(copy);
	free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),   cmocka_unit_test(test_tcp_fields),
		cmocka_unit_test(test_tcp_cut), cmocka_unit_test(test_fragment_fields),
		cmocka_unit_test(test_quoted),  cmocka_unit_test(test_lying_wire_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
