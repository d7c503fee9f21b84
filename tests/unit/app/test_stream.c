/*
 * test_stream.c - TCP segments: order, repetition, loss, and scratch memory.
 */
#include "tls_talk.h"

static const char request[] = "GET /one/two/three HTTP/1.1\r\nHost: pool.example.com\r\n\r\n";

enum { LEN = sizeof(request) - 1, SEQ = 5000 };

struct flow {
	struct lya_app_state *st;
	struct heard heard;
	struct lya_app_observer obs;
};

static void begin(struct flow *f, bool scratch)
{
	memset(f, 0, sizeof(*f));
	f->heard.no_scratch = !scratch;
	f->obs = hearing(&f->heard);
	f->st = malloc(lya_app_state_size(TCP));
	assert_non_null(f->st);
	lya_app_init(f->st, TCP);
	lya_app_observe(f->st, &f->obs);
}

/* Bytes from..to of the request, in one segment. */
static void send(struct flow *f, size_t from, size_t to)
{
	lya_app_feed(f->st, 0, SEQ + (uint32_t)from, (const uint8_t *)request + from, to - from,
		     to - from);
}

static enum lya_app end(struct flow *f)
{
	struct lya_app_result res;

	lya_app_end(f->st);
	lya_app_result(f->st, &res);
	assert_true(f->heard.lent <= 1);
	assert_ptr_equal(lya_app_scratch_take(f->st), f->heard.lent ? f->heard.scratch : NULL);
	free(f->st);
	return res.app;
}

enum { PIECES = 5 };

/*
 * Whether five segments in this order need no more than one run to wait: the
 * model of what stream.h promises.
 */
static bool is_one_run(const int order[PIECES])
{
	int next = 0, from = 0, to = 0; /* what waits: pieces from..to-1 */

	for (int i = 0; i < PIECES; i++) {
		int piece = order[i];

		if (piece == next)
			next++;
		else if (from == to)
			from = piece, to = piece + 1;
		else if (piece == to)
			to++;
		else if (piece == from - 1)
			from--;
		else
			return false;
		if (from < to && from == next) {
			next = to;
			from = to = 0;
		}
	}
	return true;
}

/* All orders of five segments: one run may wait; with two the line is lost, none is invented. */
static void test_orders(void **state)
{
	static const size_t at[] = { 0, 3, 9, 22, 40, LEN };
	int good = 0;

	(void)state;
	for (int code = 0; code < 3125; code++) {
		struct flow f;
		unsigned used = 0;
		int order[PIECES];
		enum lya_app app;

		for (int i = 0, c = code; i < PIECES; i++, c /= PIECES) {
			order[i] = c % PIECES;
			used |= 1U << order[i];
		}
		if (used != 31)
			continue;
		begin(&f, true);
		lya_app_start(f.st, 0, SEQ);
		for (int i = 0; i < PIECES; i++)
			send(&f, at[order[i]], at[order[i] + 1]);
		app = end(&f);
		if (is_one_run(order)) {
			good++;
			assert_int_equal(app, LYA_APP_HTTP);
		} else {
			assert_true(app == LYA_APP_HTTP || app == LYA_APP_UNKNOWN);
		}
	}
	assert_true(good > 20 && good < 120);
}

static void test_swapped(void **state)
{
	struct flow f;

	(void)state;
	begin(&f, true);
	lya_app_start(f.st, 0, SEQ);
	send(&f, 20, 35);
	send(&f, 10, 20);
	send(&f, 35, LEN);
	assert_false(lya_app_done(f.st));
	send(&f, 0, 10);
	assert_int_equal(end(&f), LYA_APP_HTTP);

	begin(&f, false); /* nowhere to wait: the bytes count as lost */
	lya_app_start(f.st, 0, SEQ);
	send(&f, 10, LEN);
	send(&f, 0, 10);
	assert_int_equal(end(&f), LYA_APP_UNKNOWN);
}

static void test_repeated(void **state)
{
	struct flow f;

	(void)state;
	begin(&f, true);
	send(&f, 0, 10);
	send(&f, 0, 10);
	send(&f, 5, 8); /* inside what is known */
	send(&f, 4, 12);
	send(&f, 20, 30);
	send(&f, 18, 25); /* before what waits, and overlapping */
	send(&f, 20, 30);
	send(&f, 11, 40);
	send(&f, 38, LEN);
	assert_int_equal(end(&f), LYA_APP_HTTP);
}

/* A keep-alive probe repeats one old byte, whatever it is. */
static void test_keepalive(void **state)
{
	struct flow f;

	(void)state;
	begin(&f, true);
	send(&f, 0, 10);
	lya_app_feed(f.st, 0, SEQ + 9, (const uint8_t *)"", 1, 1);
	send(&f, 10, LEN);
	assert_int_equal(end(&f), LYA_APP_HTTP);
}

/* Patience ends; then the stream goes on after the gap, and TLS says so. */
static void test_gap(void **state)
{
	static struct talk t;
	struct hello h = { .version = 0x0303, .sni = "pool.example.com", .ticket = -1 };
	struct flow f;
	struct lya_app_result res;
	uint32_t seq = SEQ;

	(void)state;
	memset(&t, 0, sizeof(t));
	say(&t, 0);
	RECORD(&t, 0x0301, add_client_hello(&t, &h));
	begin(&f, true);
	lya_app_feed(f.st, 0, seq, t.bytes, 40, 40);
	seq += 40 + 10; /* ten bytes never come */
	for (int i = 0; i < LYA_APP_PATIENCE; i++) {
		lya_app_result(f.st, &res);
		assert_false(res.tls & LYA_TLS_GAP);
		lya_app_feed(f.st, 0, seq, t.bytes, 20, 20);
		seq += 20;
	}
	lya_app_result(f.st, &res);
	assert_int_equal(res.app, LYA_APP_UNKNOWN); /* 35 bytes of the hello were not there */
	(void)end(&f);

	begin(&f, true);
	seq = SEQ;
	lya_app_feed(f.st, 0, seq, t.bytes, 60, 60);
	seq += 60 + 10;
	lya_app_feed(f.st, 0, seq, t.bytes + 70, t.n - 70, t.n - 70);
	lya_app_result(f.st, &res);
	assert_int_equal(res.app, LYA_APP_TLS);
	assert_false(res.tls & LYA_TLS_GAP);
	lya_app_end(f.st);
	lya_app_result(f.st, &res);
	assert_true(res.tls & LYA_TLS_GAP);
	(void)end(&f);
}

/* What waits is bounded: more than fits ends the wait. */
static void test_room(void **state)
{
	static uint8_t big[9000];
	struct flow f;

	(void)state;
	memset(big, 'x', sizeof(big));
	begin(&f, true);
	lya_app_start(f.st, 0, SEQ);
	lya_app_feed(f.st, 0, SEQ + 10, big, sizeof(big), sizeof(big));
	send(&f, 0, 10);
	assert_int_equal(end(&f), LYA_APP_UNKNOWN);

	begin(&f, true);
	lya_app_start(f.st, 0, SEQ);
	for (uint32_t i = 0; i < 7; i++)
		lya_app_feed(f.st, 0, SEQ + 10 + i * 1460, big, 1460, 1460);
	send(&f, 0, 10);
	assert_int_equal(end(&f), LYA_APP_UNKNOWN);
}

/* Both sides use scratch memory at once: neither harms the other. */
static void test_both_sides(void **state)
{
	struct flow f;
	static const char answer[] = "HTTP/1.1 200 OK\r\n\r\n";
	struct lya_app_result res;

	(void)state;
	begin(&f, true);
	lya_app_start(f.st, 0, SEQ);
	lya_app_start(f.st, 1, 77);
	send(&f, 10, LEN);
	lya_app_feed(f.st, 1, 77 + 4, (const uint8_t *)answer + 4, sizeof(answer) - 5,
		     sizeof(answer) - 5);
	send(&f, 0, 10);
	lya_app_feed(f.st, 1, 77, (const uint8_t *)answer, 4, 4);
	lya_app_result(f.st, &res);
	assert_int_equal(res.app, LYA_APP_HTTP);
	assert_int_equal(res.client_side, 0);
	assert_int_equal(res.prefix_len[1], LYA_APP_PREFIX);
	assert_memory_equal(res.prefix[1], answer, LYA_APP_PREFIX);
	(void)end(&f);
}

/* Media and strangers need no scratch memory, however they are cut; a STUN message does. */
static void test_no_scratch_for_media(void **state)
{
	static const uint8_t frame[] = { 0, 52, 0x80, 111, 0, 1, 0, 0, 0, 9, 1, 2, 3, 4 };
	static const uint8_t check[] = { 0, 28, 0, 1, 0, 8, 0x21, 0x12, 0xA4, 0x42 };
	struct flow f;

	(void)state;
	begin(&f, true);
	lya_app_feed(f.st, 0, SEQ, frame, sizeof(frame), sizeof(frame));
	assert_int_equal(f.heard.lent, 0);
	(void)end(&f);

	begin(&f, true);
	lya_app_feed(f.st, 0, SEQ, check, sizeof(check), sizeof(check));
	assert_int_equal(f.heard.lent, 1);
	(void)end(&f);
}

/* The n-th message of an exchange of bindings: requests of side 0, answers of side 1. */
static void feed_binding(struct flow *f, unsigned n)
{
	uint8_t msg[20] = { (uint8_t)(n % 2), 1, 0, 0, 0x21, 0x12, 0xA4, 0x42 };

	msg[19] = (uint8_t)(n / 2);
	lya_app_feed(f->st, n % 2, SEQ + n / 2 * (unsigned)sizeof(msg), msg, sizeof(msg), sizeof(msg));
}

/* Media may follow STUN and TURN in a connection, as it may in datagrams. */
static void test_patience(void **state)
{
	struct flow f;
	unsigned n = 0;

	(void)state;
	begin(&f, true);
	while (!lya_app_done(f.st) && n < 10000)
		feed_binding(&f, n++);
	assert_int_equal(n, 64);
	assert_int_equal(end(&f), LYA_APP_STUN);
}

/* A side whose bytes nobody knows is done; the other is waited for, for so many bytes of it. */
static void test_silent_side(void **state)
{
	uint8_t noise[1024];
	struct flow f;
	unsigned n = 0;

	(void)state;
	memset(noise, 0xEE, sizeof(noise));
	begin(&f, true);
	lya_app_feed(f.st, 1, SEQ, (const uint8_t *)"\x16\x03\x03", 3, 3);
	for (; !lya_app_done(f.st) && n < 10000; n++)
		lya_app_feed(f.st, 0, SEQ + n * (unsigned)sizeof(noise), noise, sizeof(noise),
			     sizeof(noise));
	assert_int_equal(n, 32768 / sizeof(noise));
	(void)end(&f);
}

/* Who says too little to be shown is not waited for after four packets of the other side. */
static void test_prefix(void **state)
{
	struct flow f;
	unsigned n = 0;

	(void)state;
	begin(&f, true);
	for (; !lya_app_done(f.st) && n < 10000; n++)
		lya_app_feed(f.st, 0, SEQ + n * 9, (const uint8_t *)"SSH-2.0-a", 9, 9);
	assert_int_equal(n, 4);
	assert_int_equal(end(&f), LYA_APP_SSH);
}

static void test_bounded_state(void **state)
{
	(void)state;
	assert_true(lya_app_state_size(TCP) <= 512);
	assert_true(lya_app_state_size(UDP) <= 128); /* two cache lines */
	assert_true(sizeof(struct lya_app_drip) <= 128);
	assert_true(sizeof(struct lya_app_result) <= 48);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_orders),
		cmocka_unit_test(test_swapped),
		cmocka_unit_test(test_repeated),
		cmocka_unit_test(test_keepalive),
		cmocka_unit_test(test_gap),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_both_sides),
		cmocka_unit_test(test_bounded_state),
		cmocka_unit_test(test_no_scratch_for_media),
		cmocka_unit_test(test_patience),
		cmocka_unit_test(test_silent_side),
		cmocka_unit_test(test_prefix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
