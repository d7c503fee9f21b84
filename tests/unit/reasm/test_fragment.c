/*
 * test_fragment.c - ports for later fragments, datagrams put together, and the bounds.
 */
#include "wire.h"

#include "lyncaudit/alloc.h"

enum { PAYLOAD = 9000, TRANSPORT = PAYLOAD + 8 };

/* Byte i of the test datagram's UDP header and payload. */
static uint8_t content(size_t i)
{
	static const uint8_t header[8] = { 5000 >> 8,      5000 & 0xff,      3478 >> 8, 3478 & 0xff,
					   TRANSPORT >> 8, TRANSPORT & 0xff, 0,         0 };

	return i < 8 ? header[i] : (uint8_t)(i * 31 + i / 256);
}

/* Bytes [from, to) of the datagram as a fragment of IPv4. */
static struct build *fragment4(struct wire *w, unsigned id, unsigned proto, size_t from, size_t to)
{
	struct build *b = next_frame(w);
	size_t ip;

	add_ethernet(b, 0x0800);
	ip = open_ipv4(b, proto, 64);
	set16(b, ip + 4, id);
	set16(b, ip + 6, (unsigned)(from / 8) | (to < TRANSPORT ? 0x2000 : 0));
	for (size_t i = from; i < to; i++)
		add8(b, content(i));
	close_ipv4(b, ip);
	return b;
}

static struct build *fragment6(struct wire *w, uint32_t id, size_t from, size_t to)
{
	struct build *b = next_frame(w);
	size_t ip;

	add_ethernet(b, 0x86dd);
	ip = open_ipv6(b, 44);
	add8(b, 17);
	add8(b, 0);
	add16(b, (unsigned)from | (to < TRANSPORT));
	add32(b, id);
	for (size_t i = from; i < to; i++)
		add8(b, content(i));
	close_ipv6(b, ip);
	return b;
}

static void check_whole(const struct lya_packet *pkt)
{
	assert_true(pkt->reassembled);
	assert_int_equal(lya_cursor_left(&pkt->payload), PAYLOAD);
	for (size_t i = 0; i < PAYLOAD; i++)
		assert_int_equal(pkt->payload.pos[i], content(8 + i));
}

static void check_ports(const struct lya_packet *pkt)
{
	assert_int_equal(pkt->kind, LYA_PKT_UDP);
	assert_int_equal(pkt->sport, 5000);
	assert_int_equal(pkt->dport, 3478);
}

/* The three fragments of the datagram, by place. */
static const size_t cut_at[4] = { 0, 1000, 2000, TRANSPORT };

/*
 * Whatever the order: every fragment goes on exactly once and with the ports,
 * payload lengths sum up to the datagram's, one of them brings it whole.
 */
static void check_order(const unsigned order[3], bool ipv6)
{
	struct lya_reasm *r = reasm_new(0);
	struct wire *w = wire_new();
	unsigned seen = 0;
	unsigned whole = 0;
	uint32_t sum = 0;

	for (unsigned i = 0; i < 3; i++) {
		size_t from = cut_at[order[i]];
		size_t to = cut_at[order[i] + 1];
		struct build *b = ipv6 ? fragment6(w, 7, from, to) : fragment4(w, 7, 17, from, to);
		struct lya_packet pkt = decode_at(w, b, i * MS);
		size_t n_released;
		size_t n = reasm_take(r, &pkt, 1);
		const struct lya_packet *more = lya_reasm_released(r, &n_released);

		for (size_t k = 0; k < n + n_released; k++) {
			const struct lya_packet *p = k < n ? &pkt : &more[k - n];

			check_ports(p);
			assert_false(seen & 1U << p->number);
			seen |= 1U << p->number;
			sum += p->payload_len;
			if (p->reassembled) {
				whole++;
				check_whole(p);
			}
		}
	}
	assert_int_equal(seen, 2 | 4 | 8);
	assert_int_equal(sum, PAYLOAD);
	assert_int_equal(whole, 1);
	assert_int_equal(stats_of(r).reassembled, 1);
	assert_int_equal(stats_of(r).fragments, 3);
	assert_int_equal(stats_of(r).given_up, 0);
	assert_int_equal(stats_of(r).overlaps, 0);
	lya_reasm_free(r);
	free(w);
}

static void test_orders(void **state)
{
	static const unsigned orders[6][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
					       { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };

	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		check_order(orders[i], false);
		check_order(orders[i], true);
	}
}

/* All in one batch: what is held is taken out of it, the rest keeps its order. */
static void test_batch(void **state)
{
	struct lya_reasm *r = reasm_new(0);
	struct wire *w = wire_new();
	struct lya_packet pkts[5];
	const struct lya_packet *more;
	struct build *plain = next_frame(w);
	size_t n;

	(void)state;
	add_ethernet(plain, 0x0800);
	add_ipv4_udp(plain);
	pkts[0] = decode_at(w, fragment4(w, 7, 17, 1000, 2000), 0);
	pkts[1] = decode_at(w, plain, 1 * MS);
	pkts[2] = decode_at(w, fragment4(w, 8, 17, 1000, 2000), 2 * MS);
	pkts[3] = decode_at(w, fragment4(w, 7, 17, 0, 1000), 3 * MS);
	pkts[4] = decode_at(w, fragment4(w, 7, 17, 2000, TRANSPORT), 4 * MS);
	assert_int_equal(reasm_take(r, pkts, 5), 3);
	assert_int_equal(pkts[0].number, 2);
	assert_int_equal(pkts[1].number, 4);
	assert_int_equal(pkts[2].number, 5);
	check_whole(&pkts[2]);
	more = lya_reasm_released(r, &n);
	assert_int_equal(n, 1);
	assert_int_equal(more[0].number, 1);
	assert_int_equal(more[0].time_ns, 0);
	check_ports(&more[0]);
	assert_memory_equal(more[0].eth_src, "\x02\x00\x00\x00\x00\x01", 6);
	assert_memory_equal(more[0].ip, w->frames[1].data + 14, 20);
	assert_int_equal(more[0].ip_captured, 20);
	lya_reasm_flush(r);
	more = lya_reasm_released(r, &n);
	assert_int_equal(n, 1);
	assert_int_equal(more[0].number, 3);
	assert_int_equal(more[0].kind, LYA_PKT_FRAGMENT);
	assert_int_equal(more[0].sport, 0);
	reasm_take(r, pkts, 0);
	(void)lya_reasm_released(r, &n);
	assert_int_equal(n, 0);
	lya_reasm_free(r);
	free(w);
}

static size_t take_one(struct lya_reasm *r, struct lya_packet *pkt)
{
	return reasm_take(r, pkt, 1);
}

/* TCP: ports, but neither sequence numbers nor a stream. */
static void test_tcp(void **state)
{
	struct lya_reasm *r = reasm_new(0);
	struct wire *w = wire_new();
	struct build *head = next_frame(w);
	struct lya_packet pkt;
	size_t ip;

	(void)state;
	add_ethernet(head, 0x0800);
	ip = open_ipv4(head, 6, 64);
	set16(head, ip + 4, 9);
	set16(head, ip + 6, 0x2000);
	add_tcp(head, 50000, 443, 0x18);
	add_fill(head, 980);
	close_ipv4(head, ip);
	pkt = decode_at(w, head, 0);
	assert_int_equal(take_one(r, &pkt), 1);
	assert_int_equal(pkt.seq, 1000);
	pkt = decode_at(w, fragment4(w, 9, 6, 1000, TRANSPORT), 1 * MS);
	assert_int_equal(take_one(r, &pkt), 1);
	assert_int_equal(pkt.kind, LYA_PKT_TCP);
	assert_int_equal(pkt.sport, 50000);
	assert_int_equal(pkt.dport, 443);
	assert_int_equal(pkt.tcp_flags | pkt.seq | pkt.ack | pkt.window, 0);
	assert_int_equal(pkt.payload_len, TRANSPORT - 1000);
	assert_int_equal(lya_cursor_left(&pkt.payload), 0);
	assert_false(pkt.reassembled);
	lya_reasm_free(r);
	free(w);
}

/* Other ends, protocol, id or tunnel: another datagram. */
static void test_other_datagrams(void **state)
{
	struct lya_reasm *r = reasm_new(0);
	struct wire *w = wire_new();
	struct lya_packet pkt;
	struct build *b;

	(void)state;
	pkt = decode_at(w, fragment4(w, 7, 17, 0, 1000), 0);
	assert_int_equal(take_one(r, &pkt), 1);
	pkt = decode_at(w, fragment4(w, 8, 17, 1000, 2000), 0);
	assert_int_equal(take_one(r, &pkt), 0);
	pkt = decode_at(w, fragment4(w, 7, 6, 1000, 2000), 0);
	assert_int_equal(take_one(r, &pkt), 0);
	b = fragment4(w, 7, 17, 1000, 2000);
	b->data[14 + 15] = 3;
	pkt = decode_at(w, b, 0);
	assert_int_equal(take_one(r, &pkt), 0);
	pkt = decode_at(w, fragment4(w, 7, 17, 1000, 2000), 0);
	pkt.path.tunnel_id = 5;
	assert_int_equal(take_one(r, &pkt), 0);
	lya_reasm_free(r);
	free(w);
}

/* Contradicting bytes: noted, and nobody can say what the datagram was. */
static void test_overlap(void **state)
{
	struct lya_reasm *r = reasm_new(0);
	struct wire *w = wire_new();
	struct build *evil;
	struct lya_packet pkt;

	(void)state;
	pkt = decode_at(w, fragment4(w, 7, 17, 0, 1000), 0);
	take_one(r, &pkt);
	evil = fragment4(w, 7, 17, 800, 1600);
	evil->data[14 + 20 + 100] ^= 1;
	pkt = decode_at(w, evil, 1 * MS);
	assert_int_equal(take_one(r, &pkt), 1);
	check_ports(&pkt);
	assert_int_equal(pkt.events, UINT32_C(1) << LYA_EV_FRAGMENT_OVERLAP);
	pkt = decode_at(w, fragment4(w, 7, 17, 1000, TRANSPORT), 2 * MS);
	assert_int_equal(take_one(r, &pkt), 1);
	check_ports(&pkt);
	assert_false(pkt.reassembled);
	assert_int_equal(stats_of(r).overlaps, 1);
	lya_reasm_free(r);
	free(w);
}

/* The same bytes again are no contradiction. */
static void test_overlap_harmless(void **state)
{
	struct lya_reasm *r = reasm_new(0);
	struct wire *w = wire_new();
	struct lya_packet pkt;

	(void)state;
	pkt = decode_at(w, fragment4(w, 7, 17, 0, 1000), 0);
	take_one(r, &pkt);
	pkt = decode_at(w, fragment4(w, 7, 17, 800, 2000), 1 * MS);
	take_one(r, &pkt);
	pkt = decode_at(w, fragment4(w, 7, 17, 1600, TRANSPORT), 2 * MS);
	assert_int_equal(take_one(r, &pkt), 1);
	check_whole(&pkt);
	assert_int_equal(stats_of(r).overlaps, 0);
	lya_reasm_free(r);
	free(w);
}

/* Two different ends, and an end before what was already seen. */
static void test_two_ends(void **state)
{
	struct lya_reasm *r = reasm_new(0);
	struct wire *w = wire_new();
	struct build *b;
	struct lya_packet pkt;

	(void)state;
	pkt = decode_at(w, fragment4(w, 7, 17, 0, 1000), 0);
	take_one(r, &pkt);
	b = fragment4(w, 7, 17, 1000, 1100);
	set16(b, 14 + 6, 1000 / 8); /* the last one, it says */
	set_ipv4_checksum(b, 14);
	pkt = decode_at(w, b, 1 * MS);
	take_one(r, &pkt);
	/* 1100 bytes are whole, but the UDP header speaks of more. */
	assert_false(pkt.reassembled);
	assert_int_equal(pkt.events, UINT32_C(1) << LYA_EV_UDP_LENGTH);
	assert_int_equal(stats_of(r).lengths, 1);

	pkt = decode_at(w, fragment4(w, 8, 17, 16, 24), 0);
	take_one(r, &pkt);
	b = fragment4(w, 8, 17, 8, 12);
	set16(b, 14 + 6, 1);
	set_ipv4_checksum(b, 14);
	pkt = decode_at(w, b, 1 * MS);
	take_one(r, &pkt);
	pkt = decode_at(w, fragment4(w, 8, 17, 0, 8), 2 * MS);
	take_one(r, &pkt);
	assert_false(pkt.reassembled);
	assert_int_equal(stats_of(r).overlaps, 1);
	lya_reasm_free(r);
	free(w);
}

/* A mirror's second copy is marked, has the ports, and is not put together again. */
static void test_copies(void **state)
{
	struct lya_reasm *r = reasm_new(0);
	struct wire *w = wire_new();

	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		size_t part = i / 2;
		struct lya_packet pkt =
		    decode_at(w, fragment4(w, 7, 17, cut_at[part], cut_at[part + 1]), i * 10 * US);

		assert_int_equal(take_one(r, &pkt), 1);
		check_ports(&pkt);
		assert_int_equal(pkt.duplicate, i % 2 ? LYA_DUP_EXACT : LYA_DUP_NONE);
		assert_int_equal(pkt.reassembled, i == 4);
	}
	assert_int_equal(stats_of(r).reassembled, 1);
	lya_reasm_free(r);
	free(w);
}

/* An IP id that comes again is a new datagram, finished or not. */
static void test_id_again(void **state)
{
	struct lya_reasm *r = reasm_new(0);
	struct wire *w = wire_new();
	struct build *b;
	struct lya_packet pkt;

	(void)state;
	pkt = decode_at(w, fragment4(w, 7, 17, 0, 1000), 0);
	take_one(r, &pkt); /* the rest is lost */
	b = fragment4(w, 7, 17, 0, 2000);
	set16(b, 14 + 20, 6000);
	pkt = decode_at(w, b, 1000 * (int64_t)MS);
	take_one(r, &pkt);
	pkt = decode_at(w, fragment4(w, 7, 17, 2000, TRANSPORT), 1001 * (int64_t)MS);
	assert_int_equal(take_one(r, &pkt), 1);
	assert_int_equal(pkt.sport, 6000);
	check_whole(&pkt);
	/* Finished: the next fragment of that id waits for a head of its own. */
	pkt = decode_at(w, fragment4(w, 7, 17, 1000, 2000), 1100 * (int64_t)MS);
	assert_int_equal(take_one(r, &pkt), 0);
	lya_reasm_free(r);
	free(w);
}

/* A head that never comes: handed on after the time, without ports. */
static void test_timeout(void **state)
{
	const int64_t timeout_ns = INT64_C(1000000000) * LYA_FRAGMENT_TIMEOUT_S;
	struct lya_reasm *r = reasm_new(0);
	struct wire *w = wire_new();
	struct build *plain = next_frame(w);
	struct lya_packet pkt;
	const struct lya_packet *more;
	size_t n;

	(void)state;
	add_ethernet(plain, 0x0800);
	add_ipv4_udp(plain);
	pkt = decode_at(w, fragment4(w, 7, 17, 1000, 2000), 0);
	assert_int_equal(take_one(r, &pkt), 0);
	pkt = decode_at(w, plain, timeout_ns);
	take_one(r, &pkt);
	(void)lya_reasm_released(r, &n);
	assert_int_equal(n, 0);
	pkt = decode_at(w, plain, timeout_ns + 1);
	take_one(r, &pkt);
	more = lya_reasm_released(r, &n);
	assert_int_equal(n, 1);
	assert_int_equal(more[0].kind, LYA_PKT_FRAGMENT);
	assert_int_equal(more[0].payload_len, 1000);
	assert_int_equal(stats_of(r).given_up, 1);
	lya_reasm_free(r);
	free(w);
}

/* Cut by the snap length: ports as ever, no datagram. */
static void test_cut(void **state)
{
	struct lya_reasm *r = reasm_new(0);
	struct wire *w = wire_new();

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct build *b = fragment4(w, 7, 17, cut_at[i], cut_at[i + 1]);
		struct lya_frame frame = { .time_ns = i,
					   .data = b->data,
					   .caplen = 64,
					   .wirelen = (uint32_t)b->n,
					   .link = LYA_LINK_ETHERNET };
		struct lya_packet pkt;

		lya_decode(&frame, &pkt);
		assert_int_equal(take_one(r, &pkt), 1);
		check_ports(&pkt);
		assert_false(pkt.reassembled);
	}
	lya_reasm_free(r);
	free(w);
}

/* A fragmented VXLAN datagram: the flow inside counts, the later fragments are nobody's. */
static void test_tunnel(void **state)
{
	struct lya_reasm *r = reasm_new(0);
	struct wire *w = wire_new();
	struct build *head = next_frame(w);
	struct lya_packet pkt;
	const struct lya_packet *more;
	size_t ip, n;

	(void)state;
	pkt = decode_at(w, fragment4(w, 7, 17, 2000, TRANSPORT), 0);
	assert_int_equal(take_one(r, &pkt), 0);
	add_ethernet(head, 0x0800);
	ip = open_ipv4(head, 17, 64);
	set16(head, ip + 4, 7);
	set16(head, ip + 6, 0x2000);
	add_udp(head, 50000, 4789, 2500);
	add32(head, 0x08000000);
	add32(head, 0x00000100);
	add_ethernet(head, 0x0800);
	add_ipv4_udp(head);
	add_fill(head, 2); /* 8 + 8 + 14 + 40 and these are a multiple of 8 */
	close_ipv4(head, ip);
	pkt = decode_at(w, head, 1 * MS);
	assert_int_equal(pkt.path.tunnel, LYA_TUN_VXLAN);
	assert_int_equal(take_one(r, &pkt), 1);
	check_ports(&pkt);
	more = lya_reasm_released(r, &n);
	assert_int_equal(n, 1);
	assert_int_equal(more[0].kind, LYA_PKT_OTHER_IP);
	pkt = decode_at(w, fragment4(w, 7, 17, 1000, 2000), 2 * MS);
	assert_int_equal(take_one(r, &pkt), 1);
	assert_int_equal(pkt.kind, LYA_PKT_OTHER_IP);
	assert_int_equal(pkt.sport | pkt.dport, 0);
	assert_int_equal(stats_of(r).tunnels, 2);
	lya_reasm_free(r);
	free(w);
}

/*
 * A flood of fragments that never become whole, in the least memory: it stays
 * under the cap, every packet goes on in the end, and a datagram that comes
 * after it still finds its ports.
 */
static void check_flood(unsigned proto, size_t from, uint64_t given_up)
{
	enum { FLOOD = 20000, CAP = 1 << 20 };
	struct lya_reasm *r = reasm_new(1); /* less than the least */
	struct wire *w = wire_new();
	struct build *b = fragment4(w, 0, proto, from, from + 1000);
	uint64_t out = 0;
	size_t n;

	for (unsigned i = 0; i < FLOOD; i++) {
		struct lya_packet pkt;

		set16(b, 14 + 12, i >> 12);
		set16(b, 14 + 4, i & 0xfff);
		pkt = decode_at(w, b, (int64_t)i * US);
		out += take_one(r, &pkt);
		(void)lya_reasm_released(r, &n);
		out += n;
		assert_true(stats_of(r).bytes <= CAP);
	}
	for (unsigned i = 0; i < 3; i++) {
		struct lya_packet pkt = decode_at(w, fragment4(w, 7, 17, cut_at[i], cut_at[i + 1]),
						  (int64_t)FLOOD * US);

		assert_int_equal(take_one(r, &pkt), 1);
		check_ports(&pkt);
		assert_int_equal(pkt.reassembled, i == 2);
		(void)lya_reasm_released(r, &n);
		out += n;
	}
	lya_reasm_flush(r);
	(void)lya_reasm_released(r, &n);
	assert_int_equal(out + n, FLOOD); /* besides the three */
	assert_true(stats_of(r).evicted > 0);
	assert_int_equal(stats_of(r).given_up, given_up);
	assert_true(stats_of(r).bytes_peak <= CAP);
	lya_reasm_free(r);
	free(w);
}

static void test_flood(void **state)
{
	(void)state;
	check_flood(17, 1000, 20000); /* their bytes fill the memory */
	check_flood(6, 1000, 20000);  /* the packets held */
	check_flood(6, 0, 0);         /* the datagrams: heads whose rest never comes */
	check_flood(17, 0, 0);
}

/* Every allocation may fail: at the beginning an error, later ports without the datagram. */
static void test_no_memory(void **state)
{
	struct lya_reasm_options options = { 0 };
	struct lya_reasm *r;
	struct lya_error err;
	struct wire *w = wire_new();
	unsigned failed = 0;

	(void)state;
	for (;;) {
		lya_alloc_fail_at(failed + 1);
		if (lya_reasm_new(&r, &options, &err) == LYA_OK)
			break;
		assert_null(r);
		assert_int_equal(err.status, LYA_ENOMEM);
		failed++;
	}
	assert_true(failed >= 3);
	lya_alloc_fail_at(1);
	for (unsigned i = 0; i < 3; i++) {
		struct lya_packet pkt =
		    decode_at(w, fragment4(w, 7, 17, cut_at[i], cut_at[i + 1]), i * MS);

		assert_int_equal(take_one(r, &pkt), 1);
		check_ports(&pkt);
		assert_false(pkt.reassembled);
	}
	lya_alloc_fail_at(0);
	lya_reasm_free(r);
	free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_orders),   cmocka_unit_test(test_batch),
		cmocka_unit_test(test_tcp),      cmocka_unit_test(test_other_datagrams),
		cmocka_unit_test(test_overlap),  cmocka_unit_test(test_overlap_harmless),
		cmocka_unit_test(test_two_ends), cmocka_unit_test(test_copies),
		cmocka_unit_test(test_id_again), cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_cut),      cmocka_unit_test(test_tunnel),
		cmocka_unit_test(test_flood),    cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
