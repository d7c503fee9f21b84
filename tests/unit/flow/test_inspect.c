/*
 * test_inspect.c - payload inspections: their pool, and what is kept of them.
 *
 * The recogniser is a stand-in of this file: the pool is what is tested.  It
 * is content once it has seen a byte 'D' and says what the first byte names.
 */
#include "packets.h"

struct lya_app_state {
	const struct lya_app_observer *obs;
	void *scratch;
	uint32_t start[2];
	struct lya_app_result result;
	unsigned feeds;
	bool done;
	uint8_t weight[1000]; /* so that few fit in the pool */
};

static unsigned fed, begun, ended, lent, refused;

void lya_app_ask_ahead(const struct lya_app_state *st, unsigned side)
{
	(void)st;
	(void)side;
}

size_t lya_app_state_size(uint8_t transport)
{
	(void)transport;
	return sizeof(struct lya_app_state);
}

void lya_app_init(struct lya_app_state *st, uint8_t transport)
{
	memset(st, 0xa5, sizeof(*st));
	memset(&st->result, 0, sizeof(st->result));
	st->result.client_side = -1;
	st->result.app = LYA_APP_UNKNOWN;
	st->result.tls_version = transport;
	st->scratch = NULL;
	st->obs = NULL;
	st->start[0] = st->start[1] = 0;
	st->feeds = 0;
	st->done = false;
	begun++;
}

void lya_app_observe(struct lya_app_state *st, const struct lya_app_observer *obs)
{
	st->obs = obs;
}

void lya_app_start(struct lya_app_state *st, unsigned side, uint32_t seq)
{
	st->start[side] = seq;
}

void lya_app_end(struct lya_app_state *st)
{
	(void)st;
	ended++;
}

void *lya_app_scratch_take(struct lya_app_state *st)
{
	return st->scratch;
}

void *lya_app_scratch_spare(struct lya_app_state *st)
{
	(void)st; /* something always waits in it */
	return NULL;
}

void lya_app_feed(struct lya_app_state *st, unsigned side, uint32_t seq, const uint8_t *data,
		  size_t len, size_t full_len)
{
	if (st->start[side] != 0 && seq != st->start[side])
		st->result.tls_version = 0xbad;
	fed++;
	st->feeds++;
	st->result.tls = (uint16_t)full_len;
	if (len == 0)
		return;
	if (data[0] == 'T') {
		st->result.app = LYA_APP_TLS;
		st->result.client_side = (int8_t)side;
		st->result.service_payload = true;
	}
	if (data[0] == 'S' && st->scratch == NULL) { /* wants scratch memory, and uses all of it */
		st->scratch = st->obs->lend(st->obs->ctx);
		if (st->scratch != NULL) {
			memset(st->scratch, (int)fed, LYA_APP_SCRATCH);
			lent++;
		} else {
			refused++;
		}
	}
	if (st->result.prefix_len[side] == 0) {
		st->result.prefix_len[side] =
		    (uint8_t)(len < LYA_APP_PREFIX ? len : LYA_APP_PREFIX);
		memcpy(st->result.prefix[side], data, st->result.prefix_len[side]);
	}
	st->done = memchr(data, 'D', len) != NULL;
}

bool lya_app_done(const struct lya_app_state *st)
{
	return st->done;
}

void lya_app_result(const struct lya_app_state *st, struct lya_app_result *out)
{
	*out = st->result;
}

static void send_udp(struct lya_flow_table *t, int64_t at, uint32_t from, uint32_t to,
		     const char *text)
{
	struct lya_packet p = test_udp(at, from, 1000, to, 1000);

	p.payload = lya_cursor_of((const uint8_t *)text, strlen(text));
	p.payload_len = (uint32_t)strlen(text);
	assert_int_equal(lya_flow_table_take(t, &p, 1, NULL), LYA_OK);
}

static void test_result(void **state)
{
	struct test_ended e;
	struct lya_flow_table *t = test_table(&e, (struct lya_flow_options){ 0 });
	struct lya_packet syn = test_tcp(5, 1, 7, 2, 7, T_SYN);

	(void)state;
	fed = begun = 0;
	send_udp(t, 1, 2, 1, "T");
	send_udp(t, 2, 1, 2, "xD");
	send_udp(t, 3, 1, 2, "T not looked at any more");
	send_udp(t, 4, 3, 4, "hello");
	assert_int_equal(lya_flow_table_take(t, &syn, 1, NULL), LYA_OK); /* no payload: nothing to feed */
	send_udp(t, 6, 5, 6, ""); /* an empty datagram says something */
	assert_int_equal(fed, 4);
	assert_int_equal(begun, 3);
	assert_int_equal(lya_flow_table_flush(t), LYA_OK);
	assert_int_equal(e.n, 4);
	assert_int_equal(e.list[0].app.app, LYA_APP_TLS);
	assert_int_equal(e.list[0].app.client_side, 1);
	assert_int_equal(e.list[0].app.tls, 2);
	assert_int_equal(e.list[0].app.tls_version, 17);
	assert_true(e.list[0].app.service_payload);
	assert_false(e.list[0].app.ice);
	assert_int_equal(e.list[0].app.prefix_len[1], 1); /* it may be the wrong protocol */
	assert_memory_equal(e.list[0].app.prefix[1], "T", 1);
	assert_int_equal(e.list[1].app.app, LYA_APP_UNKNOWN);
	assert_int_equal(e.list[1].app.prefix_len[0], 0); /* nobody asks for it */
	assert_int_equal(e.list[2].app.app, LYA_APP_NONE);
	assert_int_equal(e.list[2].app.client_side, -1);
	assert_int_equal(e.list[3].app.app, LYA_APP_UNKNOWN);
	test_done(t, &e);
}

/* More flows under inspection than there is room for: one inspection after the other ends early. */
static void test_pool(void **state)
{
	enum { FLOWS = 50 };
	struct test_ended e;
	struct lya_flow_options o = { .inspect_bytes = 20 * (sizeof(struct lya_app_state) + 64) };
	struct lya_flow_table *t = test_table(&e, o);
	struct lya_flow_stats s;
	uint64_t given_up;

	(void)state;
	fed = begun = 0;
	for (uint32_t i = 1; i <= FLOWS; i++)
		send_udp(t, i, i, 100, "T");
	lya_flow_table_stats(t, &s);
	assert_in_range(s.given_up, FLOWS - 22, FLOWS - 13);
	for (uint32_t i = 1; i <= FLOWS; i++)
		send_udp(t, FLOWS + i, i, 100, "xD");
	assert_int_equal(begun, FLOWS);
	assert_int_equal(fed, 2 * FLOWS - s.given_up);
	assert_int_equal(lya_flow_table_flush(t), LYA_OK);
	for (uint32_t i = 0; i < FLOWS; i++) { /* what was learnt until then is kept */
		assert_int_equal(e.list[i].app.app, LYA_APP_TLS);
		assert_int_equal(e.list[i].app.tls, i < s.given_up ? 1 : 2);
	}
	/* what was taken is given back: as many again fit without giving up one */
	for (uint32_t i = 1; i <= FLOWS - s.given_up; i++)
		send_udp(t, 1000 + i, i, 100, "T");
	given_up = s.given_up;
	lya_flow_table_stats(t, &s);
	assert_int_equal(s.given_up, given_up);
	test_done(t, &e);
}

/* Scratch memory is lent, bounded, and given back when the inspection ends. */
static void test_scratch(void **state)
{
	struct test_ended e;
	struct lya_flow_options o = { .inspect_bytes = (size_t)1 << 20 };
	struct lya_flow_table *t = test_table(&e, o);
	struct lya_flow_stats s;

	(void)state;
	lent = refused = ended = 0;
	for (uint32_t i = 1; i <= 100; i++)
		send_udp(t, i, i, 100, "S");
	assert_in_range(lent, 4, (1 << 20) / 4 / LYA_APP_SCRATCH);
	assert_int_equal(lent + refused, 100);
	lya_flow_table_stats(t, &s);
	assert_int_equal(s.details_lost, refused); /* what could not be put together is said */
	assert_int_equal(lya_flow_table_flush(t), LYA_OK);
	assert_int_equal(ended, 100);
	for (unsigned round = 0, first = lent; round < 3; round++) {
		lent = refused = 0;
		for (uint32_t i = 1; i <= first; i++)
			send_udp(t, 1000 + i, i, 100, "S");
		assert_int_equal(lent, first);
		assert_int_equal(refused, 0);
		assert_int_equal(lya_flow_table_flush(t), LYA_OK);
	}
	test_done(t, &e);
}

/* The handshake says where each side's bytes begin. */
static void test_start(void **state)
{
	struct test_ended e;
	struct lya_flow_table *t = test_table(&e, (struct lya_flow_options){ 0 });
	struct lya_packet p[] = {
		test_tcp(0, 1, 9, 2, 443, T_SYN), test_tcp(1, 2, 443, 1, 9, T_SYNACK),
		test_tcp(2, 1, 9, 2, 443, T_ACK), test_tcp(3, 2, 443, 1, 9, T_ACK),
		test_tcp(3, 2, 443, 1, 9, T_ACK),
	};

	(void)state;
	p[0].seq = 100;
	p[1].seq = 900;
	p[1].ack = p[2].seq = 101;
	p[2].ack = p[3].seq = 901;
	p[4].seq = 902; /* not where it begins: the stand-in notes that */
	for (size_t i = 2; i < 5; i++) {
		p[i].payload = lya_cursor_of((const uint8_t *)"x", 1);
		p[i].payload_len = 1;
	}
	assert_int_equal(lya_flow_table_take(t, p, 4, NULL), LYA_OK);
	assert_int_equal(lya_flow_table_flush(t), LYA_OK);
	assert_int_equal(e.list[0].app.tls_version, 6);
	p[3] = p[4];
	assert_int_equal(lya_flow_table_take(t, p, 4, NULL), LYA_OK);
	assert_int_equal(lya_flow_table_flush(t), LYA_OK);
	assert_int_equal(e.list[1].app.tls_version, 0xbad);
	test_done(t, &e);
}

/* Prefixes have a bound of their own; results beyond 65535 kinds lose their handshake only. */
static void test_bounds(void **state)
{
	struct test_ended e;
	struct lya_flow_table *t =
	    test_table(&e, (struct lya_flow_options){ .max_bytes = (size_t)64 << 20 });
	static char text[70000];
	struct lya_flow_stats s;

	(void)state;
	memset(text, 'D', sizeof(text));
	text[0] = 'T';
	for (uint32_t i = 0; i < 140000; i++) {
		struct lya_packet p = test_tcp(i, i, 9, 200000, 443, T_ACK);

		p.payload = lya_cursor_of((const uint8_t *)text, 2);
		p.payload_len = i % 65536 + 1;
		if (i >= 70000)
			p = test_udp(i, i, 9, 200000, 443);
		if (i >= 70000 && i < 139999)
			p.payload = lya_cursor_of((const uint8_t *)"??D", 3);
		assert_int_equal(lya_flow_table_take(t, &p, 1, NULL), LYA_OK);
	}
	lya_flow_table_stats(t, &s);
	assert_true(s.details_lost > 0);
	assert_int_equal(s.given_up, 0);
	assert_int_equal(lya_flow_table_flush(t), LYA_OK);
	assert_int_equal(e.n, 140000);
	assert_int_equal(e.list[69999].app.app, LYA_APP_TLS);
	assert_true(e.list[69999].app.service_payload);
	assert_int_equal(e.list[100].app.prefix_len[0], 2);
	assert_int_equal(e.list[69999].app.prefix_len[0], 0); /* there was no room any more */
	assert_int_equal(e.list[70000].app.app, LYA_APP_UNKNOWN);
	assert_int_equal(e.list[139998].app.app, LYA_APP_UNKNOWN);
	test_done(t, &e);
}

/* A UDP fragment: what was captured of its payload, the payload's length, its place. */
static struct lya_packet fragment(const char *captured, uint32_t len, uint32_t offset)
{
	struct lya_packet p = test_udp(1, 1, 1000, 2, 1000);

	p.is_fragment = true;
	p.frag_offset = offset;
	p.frag_more = true;
	p.payload = lya_cursor_of((const uint8_t *)captured, strlen(captured));
	p.payload_len = len;
	return p;
}

/* A message in fragments is read once, when it is whole, by its whole length. */
static void test_fragments(void **state)
{
	struct test_ended e;
	struct lya_flow_table *t = test_table(&e, (struct lya_flow_options){ 0 });
	struct lya_packet head = fragment("half", 4, 0);
	struct lya_packet middle = fragment("", 8, 12);
	struct lya_packet last = fragment("T and all the rest", 6, 20);
	struct lya_packet tcp_head = test_tcp(1, 3, 7, 4, 7, T_ACK);
	struct lya_packet tcp_rest;

	(void)state;
	fed = begun = 0;
	last.reassembled = true;
	assert_int_equal(lya_flow_table_take(t, &head, 1, NULL), LYA_OK);
	assert_int_equal(lya_flow_table_take(t, &middle, 1, NULL), LYA_OK);
	assert_int_equal(fed, 0);
	assert_int_equal(lya_flow_table_take(t, &last, 1, NULL), LYA_OK);
	assert_int_equal(fed, 1);

	tcp_head.is_fragment = true;
	tcp_head.payload = lya_cursor_of((const uint8_t *)"more than dribbles", 18);
	tcp_head.payload_len = 18;
	tcp_rest = tcp_head;
	tcp_rest.payload = lya_cursor_of((const uint8_t *)"", 0);
	tcp_rest.frag_offset = 24;
	assert_int_equal(lya_flow_table_take(t, &tcp_head, 1, NULL), LYA_OK);
	assert_int_equal(lya_flow_table_take(t, &tcp_rest, 1, NULL), LYA_OK);
	assert_int_equal(fed, 2);

	assert_int_equal(lya_flow_table_flush(t), LYA_OK);
	assert_int_equal(e.n, 2);
	assert_int_equal(e.list[0].app.app, LYA_APP_TLS);
	assert_int_equal(e.list[0].app.tls, strlen("T and all the rest"));
	assert_int_equal(e.list[0].payload_bytes[0], 4 + 8 + 6);
	test_done(t, &e);
}

/* Nothing makes a head whole that was cut itself: it is read as far as it goes. */
static void test_cut_head(void **state)
{
	struct test_ended e;
	struct lya_flow_table *t = test_table(&e, (struct lya_flow_options){ 0 });
	struct lya_packet head = fragment("T", 1472, 0);

	(void)state;
	fed = 0;
	assert_int_equal(lya_flow_table_take(t, &head, 1, NULL), LYA_OK);
	assert_int_equal(fed, 1);
	assert_int_equal(lya_flow_table_flush(t), LYA_OK);
	assert_int_equal(e.list[0].app.app, LYA_APP_TLS);
	assert_int_equal(e.list[0].app.tls, 1472);
	test_done(t, &e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_result),    cmocka_unit_test(test_pool),
		cmocka_unit_test(test_scratch),   cmocka_unit_test(test_start),
		cmocka_unit_test(test_bounds),    cmocka_unit_test(test_fragments),
		cmocka_unit_test(test_cut_head),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
