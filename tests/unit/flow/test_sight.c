/*
 * test_sight.c - packets shown one by one, with the flow that each was counted to.
 */
#include "packets.h"

enum { SIGHTS_MAX = 4096, RECORDS_MAX = 1024 };

/* What was shown, beside what ended. */
struct shown {
	struct test_ended ended; /* first: the table's callbacks have one context */
	struct lya_flow_table *table;
	struct lya_flow_sight list[SIGHTS_MAX];
	size_t n;
	bool peek;              /* at every settled flow */
	struct lya_flow peeked; /* the last one */
	size_t stop_at;
	size_t enough_at; /* 0: never */
	uint64_t of_record[RECORDS_MAX]; /* packets shown since the flow before it ended */
};

static int on_packet(void *ctx, const struct lya_flow_sight *sight)
{
	struct shown *s = ctx;

	assert_in_range(s->n, 0, SIGHTS_MAX - 1);
	s->list[s->n++] = *sight;
	assert_in_range(sight->record, 1, RECORDS_MAX - 1);
	s->of_record[sight->record] += sight->pkt->kind != LYA_PKT_ICMP_ERROR;
	if (s->peek && sight->settled)
		s->peeked = *lya_flow_table_peek(s->table, sight);
	if (s->n == s->enough_at)
		return LYA_FLOW_ENOUGH;
	return s->n == s->stop_at ? LYA_ESTOP : LYA_OK;
}

/* Every packet of a flow was shown, and with the flow's own number. */
static int on_end(void *ctx, const struct lya_flow *flow)
{
	struct shown *s = ctx;

	if (s->enough_at == 0)
		assert_int_equal(s->of_record[flow->record], flow->packets[0] + flow->packets[1]);
	s->of_record[flow->record] = 0;
	return test_on_end(ctx, flow);
}

static void begin(struct shown *s, bool peek)
{
	struct lya_flow_options o = { .max_bytes = (size_t)8 << 20, .on_packet = on_packet,
				      .on_end = on_end, .ctx = s };
	struct lya_error err;

	memset(s, 0, sizeof(*s));
	s->peek = peek;
	assert_int_equal(lya_flow_table_new(&s->table, &o, &err), LYA_OK);
}

static void with_payload(struct lya_packet *p, const char *text)
{
	p->payload = lya_cursor_of((const uint8_t *)text, strlen(text));
	p->payload_len = (uint32_t)strlen(text);
	p->ip_bytes += p->payload_len;
}

/* A connection whose request tells all: known from then on, and from no packet before. */
static void test_settles(void **state)
{
	static struct shown s;
	struct lya_packet p[] = {
		test_tcp(0, 1, 50000, 2, 80, T_SYN),   test_tcp(1, 2, 80, 1, 50000, T_SYNACK),
		test_tcp(2, 1, 50000, 2, 80, T_ACK),   test_tcp(3, 1, 50000, 2, 80, T_ACK),
		test_tcp(4, 2, 80, 1, 50000, T_ACK),   test_tcp(5, 1, 50000, 2, 80, T_FINACK),
	};
	unsigned settled_by = 0;

	(void)state;
	begin(&s, true);
	for (size_t i = 0; i < 6; i++)
		p[i].number = i + 1;
	p[1].ack = p[2].seq = p[3].seq = 1;
	with_payload(&p[3], "SSH-2.0-OpenSSH_9.2\r\n");
	with_payload(&p[4], "SSH-2.0-OpenSSH_8.4\r\n");
	p[2].ack = p[3].ack = p[4].seq = 1;
	assert_int_equal(lya_flow_table_take(s.table, p, 6, NULL), LYA_OK);
	assert_int_equal(s.n, 6);
	for (size_t i = 0; i < 6; i++) {
		assert_ptr_equal(s.list[i].pkt, &p[i]); /* in their order, each once */
		assert_int_equal(s.list[i].record, 1);
		assert_int_equal(s.list[i].side, i == 1 || i == 4);
		assert_int_equal(s.list[i].packets[0] + s.list[i].packets[1], i + 1);
		if (s.list[i].settles)
			settled_by = settled_by * 10 + (unsigned)i;
		assert_true(!s.list[i].settles || s.list[i].settled);
		assert_true(i == 0 || !s.list[i - 1].settled || s.list[i].settled);
	}
	assert_int_equal(settled_by, 4); /* once: both sides have said who they are */
	assert_int_equal(s.peeked.app.app, LYA_APP_SSH);
	assert_int_equal(s.peeked.app.prefix_len[1], LYA_APP_PREFIX);
	assert_int_equal(s.peeked.packets[0], 4);
	assert_int_equal(s.peeked.number, 1);
	assert_int_equal(s.peeked.state, LYA_STATE_ESTABLISHED);
	assert_int_equal(lya_flow_table_flush(s.table), LYA_OK);
	s.peeked.measured = true; /* what was lost is told at the end alone: nothing was */
	assert_memory_equal(&s.ended.list[0], &s.peeked, sizeof(s.peeked));
	test_done(s.table, &s.ended);
}

/* What counts for no flow is not shown; an ICMP error is, as its answer. */
static void test_others(void **state)
{
	static struct shown s;
	struct lya_packet p[] = {
		test_udp(0, 1, 50000, 2, 3478),
		test_udp(1, 1, 50000, 2, 3478),
		test_packet(LYA_PKT_ICMP_ERROR, 1, 2, test_addr4(2), 0, test_addr4(1), 0),
		test_packet(LYA_PKT_ICMP_ERROR, 1, 2, test_addr4(2), 0, test_addr4(1), 0),
		test_packet(LYA_PKT_OTHER_IP, 50, 3, test_addr4(2), 0, test_addr4(1), 0),
		test_tcp(4, 2, 5000, 1, 80, T_SYN),
		test_tcp(5, 2, 5000, 1, 80, T_RST), /* reused ports: see below */
		test_tcp(5 + 90 * LYA_SECOND_NS, 2, 5000, 1, 80, T_SYN),
	};

	(void)state;
	begin(&s, false);
	p[1].duplicate = LYA_DUP_EXACT;
	for (size_t i = 2; i < 4; i++) {
		p[i].quoted.src = test_addr4(1);
		p[i].quoted.dst = test_addr4(2);
		p[i].quoted.sport = 50000;
		p[i].quoted.dport = i == 2 ? 3478 : 3479; /* the latter quotes no flow */
		p[i].quoted.transport = 17;
		p[i].quoted.has_ports = true;
	}
	assert_int_equal(lya_flow_table_take(s.table, p, 8, NULL), LYA_OK);
	assert_int_equal(s.n, 5);
	assert_ptr_equal(s.list[0].pkt, &p[0]);
	assert_ptr_equal(s.list[1].pkt, &p[2]);
	assert_int_equal(s.list[1].record, s.list[0].record);
	assert_int_equal(s.list[1].side, s.list[0].side);
	assert_int_equal(s.list[1].packets[0] + s.list[1].packets[1], 1); /* not counted */
	assert_ptr_equal(s.list[2].pkt, &p[5]);
	assert_int_not_equal(s.list[2].record, s.list[0].record);
	assert_int_equal(s.ended.n, 1); /* of the reused ports: the flow before */
	assert_int_equal(s.list[4].packets[0] + s.list[4].packets[1], 1);
	test_done(s.table, &s.ended);
}

/* The answer of who is shown stops all, and is what every later call answers. */
static void test_stop(void **state)
{
	static struct shown s;
	struct lya_packet p[3] = { test_udp(0, 1, 1, 2, 2), test_udp(1, 1, 1, 2, 2),
				   test_udp(2, 1, 1, 2, 2) };

	(void)state;
	begin(&s, false);
	s.stop_at = 2;
	assert_int_equal(lya_flow_table_take(s.table, p, 3, NULL), LYA_ESTOP);
	assert_int_equal(s.n, 2);
	assert_int_equal(lya_flow_table_take(s.table, p, 3, NULL), LYA_ESTOP);
	assert_int_equal(lya_flow_table_flush(s.table), LYA_ESTOP);
	test_done(s.table, &s.ended);
}

/* Of a flow that has shown enough nothing more comes, of others it does. */
static void test_enough(void **state)
{
	static struct shown s;
	struct lya_packet p[] = {
		test_tcp(0, 1, 50000, 2, 80, T_SYN), test_tcp(1, 1, 50000, 2, 80, T_SYN),
		test_udp(2, 1, 50000, 2, 80),        test_tcp(3, 2, 80, 1, 50000, T_RSTACK),
		test_udp(4, 2, 80, 1, 50000),
	};

	(void)state;
	begin(&s, false);
	s.enough_at = 1;
	assert_int_equal(lya_flow_table_take(s.table, p, 5, NULL), LYA_OK);
	assert_int_equal(s.n, 3);
	assert_ptr_equal(s.list[1].pkt, &p[2]);
	assert_ptr_equal(s.list[2].pkt, &p[4]);
	assert_int_equal(lya_flow_table_flush(s.table), LYA_OK);
	assert_int_equal(s.ended.n, 2);
	assert_int_equal(s.ended.list[0].state, LYA_STATE_REFUSED); /* nor is anything lost of it */
	assert_int_equal(s.ended.list[0].packets[0], 2);
	test_done(s.table, &s.ended);
}

/* A number that looks random and is the same in every run. */
static uint32_t draw(uint64_t *seed, uint32_t below)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(*seed >> 33) % below;
}

static struct lya_packet random_packet(uint64_t *seed, size_t i)
{
	static const char *const texts[] = { "GET / HTTP/1.1\r\n\r\n", "x", "SSH-2.0-x\r\n",
					     "\x16\x03\x01" };
	static const unsigned flags[] = { T_SYN, T_SYNACK, T_ACK, T_ACK, T_FINACK, T_RST };
	uint32_t from = draw(seed, 4) + 1, to = draw(seed, 4) + 1;
	uint16_t sport = (uint16_t)(draw(seed, 3) + 50000), dport = (uint16_t)(draw(seed, 2) + 80);
	int64_t at = (int64_t)i * LYA_SECOND_NS / 4;
	struct lya_packet p;

	if (draw(seed, 2) == 0) {
		uint32_t t = from;

		from = to;
		to = t;
	}
	p = draw(seed, 4) == 0 ? test_udp(at, from, sport, to, dport)
			       : test_tcp(at, from, sport, to, dport, flags[draw(seed, 6)]);
	p.number = i + 1;
	p.seq = draw(seed, 40);
	if (draw(seed, 8) == 0) {
		p.path.n_vlan = 1;
		p.path.vlan[0] = (uint16_t)(draw(seed, 3) + 10);
	}
	if (draw(seed, 2) == 0)
		with_payload(&p, texts[draw(seed, 4)]);
	return p;
}

/*
 * Whatever comes, in handfuls or one by one: who shows packets finds the same flows,
 * and every packet in one of them.
 */
static void test_same(void **state)
{
	enum { PACKETS = SIGHTS_MAX };
	static struct lya_packet first[PACKETS], second[PACKETS], third[PACKETS];
	static struct shown s;
	struct test_ended plain, single;
	struct lya_flow_table *t = test_table(&plain, (struct lya_flow_options){ 0 });
	struct lya_flow_table *one = test_table(&single, (struct lya_flow_options){ 0 });
	uint64_t seed = 1;

	(void)state;
	begin(&s, true);
	for (size_t i = 0; i < PACKETS; i++)
		third[i] = second[i] = first[i] = random_packet(&seed, i);
	for (size_t i = 0; i < PACKETS; i++)
		assert_int_equal(lya_flow_table_take(one, &third[i], 1, NULL), LYA_OK);
	assert_int_equal(lya_flow_table_take(t, first, PACKETS, NULL), LYA_OK);
	assert_int_equal(lya_flow_table_take(s.table, second, PACKETS, NULL), LYA_OK);
	assert_int_equal(lya_flow_table_flush(t), LYA_OK);
	assert_int_equal(lya_flow_table_flush(one), LYA_OK);
	assert_int_equal(lya_flow_table_flush(s.table), LYA_OK);
	assert_int_equal(s.n, PACKETS);
	assert_true(plain.n > 100);
	assert_int_equal(s.ended.n, plain.n);
	assert_int_equal(single.n, plain.n);
	for (size_t i = 0; i < plain.n; i++) {
		assert_memory_equal(&plain.list[i], &single.list[i], sizeof(plain.list[i]));
		assert_memory_equal(&plain.list[i], &s.ended.list[i], sizeof(plain.list[i]));
	}
	test_done(t, &plain);
	test_done(one, &single);
	test_done(s.table, &s.ended);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_settles), cmocka_unit_test(test_others),
		cmocka_unit_test(test_stop),    cmocka_unit_test(test_enough),
		cmocka_unit_test(test_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
