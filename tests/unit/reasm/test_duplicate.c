/*
 * test_duplicate.c - which second packets are copies of the first, and which are not.
 */
#include "wire.h"

static void tcp_frame(struct build *b)
{
	size_t ip;

	add_ethernet(b, 0x0800);
	ip = open_ipv4(b, 6, 64);
	add_tcp(b, 50000, 443, 0x18);
	add_fill(b, 40);
	close_ipv4(b, ip);
}

static void udp_frame(struct build *b)
{
	add_ethernet(b, 0x0800);
	add_ipv4_udp(b);
}

static void udp_no_id(struct build *b)
{
	size_t ip;

	add_ethernet(b, 0x0800);
	ip = open_ipv4(b, 17, 64);
	set16(b, ip + 4, 0);
	set16(b, ip + 6, 0x4000);
	add_udp(b, 5000, 3478, 300);
	add_fill(b, 300);
	set16(b, ip + 26, 0xabcd);
	close_ipv4(b, ip);
}

static void udp6_frame(struct build *b)
{
	size_t ip;

	add_ethernet(b, 0x86dd);
	ip = open_ipv6(b, 17);
	add_udp(b, 5000, 3478, 20);
	add_fill(b, 20);
	close_ipv6(b, ip);
}

static void echo_frame(struct build *b)
{
	size_t ip;

	add_ethernet(b, 0x0800);
	ip = open_ipv4(b, 1, 64);
	add(b, "\x08\x00\x12\x34\x00\x01\x00\x02", 8);
	add_fill(b, 56);
	close_ipv4(b, ip);
}

/* With a timestamp: the two no-ops, kind 8, value 1000, echo 2000. */
static void tcp_timestamp(struct build *b)
{
	size_t ip;

	add_ethernet(b, 0x0800);
	ip = open_ipv4(b, 6, 64);
	set16(b, ip + 4, 0);
	add_tcp(b, 50000, 443, 0x18);
	b->data[ip + 32] = 0x80;
	add(b, "\x01\x01\x08\x0a\x00\x00\x03\xe8\x00\x00\x07\xd0", 12);
	add8(b, 0x17);
	close_ipv4(b, ip);
}

static void later_fragment(struct build *b)
{
	size_t ip;

	add_ethernet(b, 0x0800);
	ip = open_ipv4(b, 50, 64);
	set16(b, ip + 6, 185);
	add_fill(b, 40);
	close_ipv4(b, ip);
}

static void tag(struct build *b, unsigned vlan)
{
	memmove(b->data + 18, b->data + 14, b->n - 14);
	b->n += 4;
	b->data[16] = b->data[12];
	b->data[17] = b->data[13];
	set16(b, 12, 0x8100);
	set16(b, 14, vlan);
}

static void same(struct build *b)
{
	(void)b;
}

static void in_vlan(struct build *b)
{
	tag(b, 30);
}

static void other_mac(struct build *b)
{
	b->data[5] = 0x77;
}

static void routed(struct build *b)
{
	b->data[14 + 8]--;
	set_ipv4_checksum(b, 14);
	b->data[5] = 0x77;
	b->data[11] = 0x78;
	tag(b, 31);
}

static void routed6(struct build *b)
{
	b->data[14 + 7]--;
}

/* By a router that sets the class of service and lets others fragment: RFC 2474, and tunnels. */
static void remarked(struct build *b)
{
	b->data[14 + 1] ^= 0xb8;
	b->data[14 + 6] ^= 0x40;
	routed(b);
}

static void remarked6(struct build *b)
{
	b->data[14] ^= 0x0b;
	b->data[14 + 1] ^= 0x80;
	routed6(b);
}

/* A balancer rewrites the destination. */
static void translated(struct build *b)
{
	b->data[14 + 19] = 99;
	set_ipv4_checksum(b, 14);
}

static void other_port(struct build *b)
{
	b->data[14 + 21] ^= 1;
}

static void retransmitted(struct build *b)
{
	set16(b, 14 + 4, 0x1235);
	set_ipv4_checksum(b, 14);
}

static void other_seq(struct build *b)
{
	b->data[14 + 20 + 7] ^= 1;
}

static void other_flags(struct build *b)
{
	b->data[14 + 20 + 13] = 0x10;
}

static void other_payload(struct build *b)
{
	b->data[14 + 20 + 8 + 3] ^= 1;
}

static void tcp_checksum(struct build *b)
{
	set16(b, 14 + 20 + 16, 0x1111);
}

static void last_byte(struct build *b)
{
	b->data[b->n - 1] ^= 1;
}

static void transport_checksum(struct build *b)
{
	set16(b, 14 + 20 + 6, 0xabce);
}

static void other_fragment(struct build *b)
{
	set16(b, 14 + 6, 0x2000);
	set_ipv4_checksum(b, 14);
}

static void other_echo(struct build *b)
{
	b->data[14 + 20 + 7] = 3;
}

static void other_timestamp(struct build *b)
{
	b->data[14 + 20 + 27] = 0xe9;
}

static void other_offset(struct build *b)
{
	set16(b, 14 + 6, 186);
	set_ipv4_checksum(b, 14);
}

static const struct {
	const char *name;
	void (*first)(struct build *b);
	void (*change)(struct build *b); /* what the second one has else */
	int64_t after_ns;
	enum lya_duplicate want;
} cases[] = {
	{ "exact", tcp_frame, same, 3 * US, LYA_DUP_EXACT },
	{ "exact, UDP", udp_frame, same, 0, LYA_DUP_EXACT },
	{ "exact, just inside the window", tcp_frame, same, 9900 * US, LYA_DUP_EXACT },
	{ "exact, past the window", tcp_frame, same, 10100 * US, LYA_DUP_NONE },
	{ "exact, before the first", tcp_frame, same, -1 * MS, LYA_DUP_NONE },
	{ "VLAN", tcp_frame, in_vlan, 3 * US, LYA_DUP_VLAN },
	{ "other MAC address", udp_frame, other_mac, 3 * US, LYA_DUP_VLAN },
	{ "routed", tcp_frame, routed, 100 * US, LYA_DUP_ROUTED },
	{ "routed, IPv6", udp6_frame, routed6, 100 * US, LYA_DUP_ROUTED },
	{ "remarked", tcp_frame, remarked, 100 * US, LYA_DUP_ROUTED },
	{ "remarked, UDP", udp_frame, remarked, 100 * US, LYA_DUP_ROUTED },
	{ "remarked, IPv6", udp6_frame, remarked6, 100 * US, LYA_DUP_ROUTED },
	{ "no id, remarked", udp_no_id, remarked, 100 * US, LYA_DUP_ROUTED },
	{ "no id, remarked, TCP", tcp_timestamp, remarked, 100 * US, LYA_DUP_ROUTED },
	{ "translated", tcp_frame, translated, 3 * US, LYA_DUP_NONE },
	{ "other port", tcp_frame, other_port, 3 * US, LYA_DUP_NONE },
	{ "retransmitted", tcp_frame, retransmitted, 3 * US, LYA_DUP_NONE },
	{ "retransmitted, same id by chance", tcp_frame, same, 200 * MS, LYA_DUP_NONE },
	{ "other sequence number", tcp_frame, other_seq, 3 * US, LYA_DUP_NONE },
	{ "other flags", tcp_frame, other_flags, 3 * US, LYA_DUP_NONE },
	{ "other payload, same headers", udp_frame, other_payload, 3 * US, LYA_DUP_NONE },
	{ "checksum filled in by the card", tcp_frame, tcp_checksum, 3 * US, LYA_DUP_EXACT },
	{ "fragment bits", udp_frame, other_fragment, 3 * US, LYA_DUP_NONE },
	{ "no id, same bytes", udp_no_id, same, 1900 * US, LYA_DUP_EXACT },
	{ "no id, 2.1 ms", udp_no_id, same, 2100 * US, LYA_DUP_NONE },
	{ "no id, other end", udp_no_id, last_byte, 3 * US, LYA_DUP_NONE },
	{ "no id, other checksum", udp_no_id, transport_checksum, 3 * US, LYA_DUP_NONE },
	{ "no id, VLAN", udp_no_id, in_vlan, 3 * US, LYA_DUP_VLAN },
	{ "no id, routed", udp_no_id, routed, 3 * US, LYA_DUP_ROUTED },
	{ "no id, routed, TCP", tcp_timestamp, routed, 3 * US, LYA_DUP_ROUTED },
	{ "ICMP", echo_frame, same, 3 * US, LYA_DUP_EXACT },
	{ "ICMP, next number", echo_frame, other_echo, 3 * US, LYA_DUP_NONE },
	{ "TCP without id", tcp_timestamp, same, 3 * US, LYA_DUP_EXACT },
	{ "TCP without id, other timestamp", tcp_timestamp, other_timestamp, 3 * US, LYA_DUP_NONE },
	{ "TCP without id, other byte", tcp_timestamp, last_byte, 3 * US, LYA_DUP_NONE },
	{ "later fragment", later_fragment, same, 3 * US, LYA_DUP_EXACT },
	{ "later fragment, next place", later_fragment, other_offset, 3 * US, LYA_DUP_NONE },
	{ "IPv6, same bytes", udp6_frame, same, 1 * MS, LYA_DUP_EXACT },
	{ "IPv6, 3 ms", udp6_frame, same, 3 * MS, LYA_DUP_NONE },
};

static void test_pairs(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct lya_reasm *r = reasm_new(0);
		struct wire *w = wire_new();
		struct build *a = next_frame(w);
		struct build *b = next_frame(w);
		struct lya_packet pkts[2];
		int64_t time_ns = INT64_C(1700000000000000000);

		print_message("  %s\n", cases[i].name);
		cases[i].first(a);
		cases[i].first(b);
		cases[i].change(b);
		pkts[0] = decode_at(w, a, time_ns);
		pkts[1] = decode_at(w, b, time_ns + cases[i].after_ns);
		reasm_take(r, pkts, 2);
		assert_int_equal(pkts[0].duplicate, LYA_DUP_NONE);
		assert_int_equal(pkts[1].duplicate, cases[i].want);
		assert_int_equal(stats_of(r).duplicates[LYA_DUP_NONE], 0);
		if (cases[i].want != LYA_DUP_NONE)
			assert_int_equal(stats_of(r).duplicates[cases[i].want], 1);
		lya_reasm_free(r);
		free(w);
	}
}

/* What the second of two frames is taken for, one microsecond after the first. */
static enum lya_duplicate kind_of_second(struct wire *w, const struct build *a,
					 const struct build *b)
{
	struct lya_reasm *r = reasm_new(0);
	struct lya_packet pkts[2] = { decode_at(w, a, 0), decode_at(w, b, US) };
	enum lya_duplicate kind;

	reasm_take(r, pkts, 2);
	kind = (enum lya_duplicate)pkts[1].duplicate;
	lya_reasm_free(r);
	return kind;
}

/* An IPv4 frame with that many bytes of TCP options and of payload. */
static void sized_frame(struct build *b, unsigned proto, size_t options, size_t len)
{
	size_t ip;

	b->n = 0;
	add_ethernet(b, 0x0800);
	ip = open_ipv4(b, proto, 64);
	if (proto == 6) {
		add_tcp(b, 50000, 443, 0x18);
		b->data[ip + 32] = (uint8_t)((20 + options) << 2);
		add_fill(b, options);
	} else {
		add_udp(b, 5000, 3478, (unsigned)len);
	}
	add_fill(b, len);
	close_ipv4(b, ip);
	add_fill(b, 30); /* padding */
}

/* Bytes that are in the key of a frame from sized_frame. */
static bool in_key(unsigned proto, size_t options, size_t len, size_t at)
{
	static const uint8_t ip[20] = { [4] = 1,  [5] = 1,  [12] = 1, [13] = 1, [14] = 1,
					[15] = 1, [16] = 1, [17] = 1, [18] = 1, [19] = 1 };
	size_t header = proto == 6 ? 20 + options : 8;
	size_t key = len < 16 ? len : 16;

	if (at < 20)
		return ip[at];
	at -= 20;
	if (at < header)
		return proto == 17 ? at < 4 : at < 16 || at >= 18;
	return at - header < key;
}

/*
 * Whatever its length, a packet is another one as soon as a byte of its key
 * is, and the same whatever is behind the key.  Only bytes are changed that
 * leave the packet's lengths and kind as they are.
 */
static void check_bytes(struct wire *w, unsigned proto, size_t options, size_t len)
{
	struct build *a = &w->frames[0];
	struct build *b = &w->frames[1];

	sized_frame(a, proto, options, len);
	for (size_t at = 4; at < a->n - 14; at++) {
		enum lya_duplicate want =
		    in_key(proto, options, len, at) ? LYA_DUP_NONE : LYA_DUP_EXACT;

		if (at == 6 || at == 7 || at == 8 || at == 9 || (proto == 6 && at == 20 + 12) ||
		    (proto == 17 && (at == 24 || at == 25)))
			continue;
		sized_frame(b, proto, options, len);
		b->data[14 + at] ^= 0x10;
		assert_int_equal(kind_of_second(w, a, b), want);
	}
	sized_frame(b, proto, options, len + 1);
	assert_int_equal(kind_of_second(w, a, b), LYA_DUP_NONE);
}

static void test_bytes(void **state)
{
	static const size_t options[] = { 0, 4, 12, 40 };
	struct wire *w = wire_new();

	(void)state;
	for (size_t len = 0; len < 20; len++) {
		check_bytes(w, 17, 0, len);
		for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
			check_bytes(w, 6, options[i], len);
	}
	free(w);
}

/* Without an IP id: bytes of a frame from sized_frame that are in the key. */
static bool in_key_without_id(unsigned proto, size_t options, size_t len, size_t at)
{
	size_t payload = 20 + (proto == 6 ? 20 + options : 8);

	if (at < 20)
		return in_key(proto, options, len, at);
	if (at >= payload + len)
		return false;
	return at < payload + 64 || at >= payload + len - 64;
}

static void sized_frame_without_id(struct build *b, unsigned proto, size_t options, size_t len)
{
	sized_frame(b, proto, options, len);
	set16(b, 14 + 4, 0);
	set_ipv4_checksum(b, 14);
}

/* As check_bytes: the checksum counts, and 64 bytes of each end of the payload. */
static void check_bytes_without_id(struct wire *w, unsigned proto, size_t options, size_t len)
{
	struct build *a = &w->frames[0];
	struct build *b = &w->frames[1];

	sized_frame_without_id(a, proto, options, len);
	for (size_t at = 8; at < a->n - 14; at++) {
		enum lya_duplicate want = in_key_without_id(proto, options, len, at)
					      ? LYA_DUP_NONE
					      : LYA_DUP_EXACT;

		if (at == 8 || at == 9 || (proto == 6 && at == 20 + 12) ||
		    (proto == 17 && (at == 24 || at == 25)))
			continue;
		sized_frame_without_id(b, proto, options, len);
		b->data[14 + at] ^= 0x10;
		assert_int_equal(kind_of_second(w, a, b), want);
	}
	sized_frame_without_id(b, proto, options, len + 1);
	assert_int_equal(kind_of_second(w, a, b), LYA_DUP_NONE);
}

static void test_bytes_without_id(void **state)
{
	static const size_t lengths[] = { 0, 1, 7, 8, 9, 16, 17, 63, 64, 65, 127, 128, 129, 200 };
	struct wire *w = wire_new();

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		check_bytes_without_id(w, 17, 0, lengths[i]);
		check_bytes_without_id(w, 6, 0, lengths[i]);
		check_bytes_without_id(w, 6, 12, lengths[i]);
	}
	free(w);
}

/* Three copies: each of the later ones is compared with the first. */
static void test_triple(void **state)
{
	struct lya_reasm *r = reasm_new(0);
	struct wire *w = wire_new();
	struct lya_packet pkt;
	static void (*const changes[])(struct build *) = { same, in_vlan, routed, same };
	static const enum lya_duplicate want[] = { LYA_DUP_NONE, LYA_DUP_VLAN, LYA_DUP_ROUTED,
						   LYA_DUP_EXACT };

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct build *b = next_frame(w);

		tcp_frame(b);
		changes[i](b);
		pkt = decode_at(w, b, i * 10 * US);
		assert_int_equal(reasm_take(r, &pkt, 1), 1);
		assert_int_equal(pkt.duplicate, want[i]);
	}
	lya_reasm_free(r);
	free(w);
}

/* Frames without IP, and malformed ones, are not compared. */
static void test_not_compared(void **state)
{
	struct lya_reasm *r = reasm_new(0);
	struct wire *w = wire_new();
	struct build *arp = next_frame(w);
	struct build *bad = next_frame(w);
	struct lya_packet pkts[4];

	(void)state;
	add_ethernet(arp, 0x0806);
	add_fill(arp, 28);
	tcp_frame(bad);
	bad->data[14 + 32] = 0x10;
	for (unsigned i = 0; i < 4; i++)
		pkts[i] = decode_at(w, i % 2 ? bad : arp, 0);
	assert_int_equal(pkts[1].kind, LYA_PKT_BAD);
	assert_int_equal(reasm_take(r, pkts, 4), 4);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(pkts[i].duplicate, LYA_DUP_NONE);
	lya_reasm_free(r);
	free(w);
}

/*
 * A stream of 200 000 packets at a million a second, one in ten copied 500
 * packets later: all copies are found and nothing else.
 */
static void test_stream(void **state)
{
	enum { PACKETS = 200000, LAG = 500 };
	struct lya_reasm *r = reasm_new(0);
	struct wire *w = wire_new();
	struct build *b = next_frame(w);
	struct lya_packet pkt;
	unsigned expected = 0;

	(void)state;
	udp_frame(b);
	for (unsigned i = 0; i < PACKETS; i++) {
		bool is_copy = i >= LAG && i % 10 == 5;
		unsigned id = is_copy ? i - LAG - 1 : i; /* what was sent then was no copy itself */

		set16(b, 14 + 4, 1 + id % 50000);
		set16(b, 14 + 20, 1024 + id % 60000);
		set_ipv4_checksum(b, 14);
		pkt = decode_at(w, b, (int64_t)i * US);
		reasm_take(r, &pkt, 1);
		assert_int_equal(pkt.duplicate, is_copy ? LYA_DUP_EXACT : LYA_DUP_NONE);
		expected += is_copy;
	}
	assert_int_equal(stats_of(r).duplicates[LYA_DUP_EXACT], expected);
	lya_reasm_free(r);
	free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pairs),  cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_bytes_without_id),
		cmocka_unit_test(test_triple), cmocka_unit_test(test_not_compared),
		cmocka_unit_test(test_stream),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
