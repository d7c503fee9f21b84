/*
 * test_state.c - who began, and what became of it: short TCP and UDP stories.
 *
 * A is the lower end (10.0.0.1, side 0), B the higher one (10.0.0.2, side 1).
 */
#include "packets.h"

enum { A = 1, B = 2, MAX_STEPS = 12 };

struct step {
	int ms;         /* time of the packet */
	char from;      /* 'A' or 'B'; 0 ends the story */
	unsigned flags; /* TCP */
	uint32_t seq, ack;
	uint32_t payload;
};

struct story {
	const char *name;
	struct step steps[MAX_STEPS];
	/* of the last flow to end */
	enum lya_flow_state state;
	int syn_side, synack_side;
	bool continued, answered;
	int first_side;
	unsigned flows;
};

/* A story a block, a packet a column. */
/* clang-format off */
static const struct story STORIES[] = {
	{ "handshake, data, both close",
	  { { 0, 'A', T_SYN, 100, 0, 0 }, { 1, 'B', T_SYNACK, 900, 101, 0 },
	    { 2, 'A', T_ACK, 101, 901, 0 }, { 3, 'A', T_ACK, 101, 901, 50 },
	    { 4, 'A', T_FINACK, 151, 901, 0 }, { 5, 'B', T_FINACK, 901, 152, 0 } },
	  LYA_STATE_CLOSED, 0, 1, true, true, 0, 1 },
	{ "the higher end opens",
	  { { 0, 'B', T_SYN, 100, 0, 0 }, { 1, 'A', T_SYNACK, 900, 101, 0 },
	    { 2, 'B', T_ACK, 101, 901, 0 } },
	  LYA_STATE_ESTABLISHED, 1, 0, true, true, 1, 1 },
	{ "SYN alone",
	  { { 0, 'A', T_SYN, 100, 0, 0 } }, LYA_STATE_ATTEMPTED, 0, -1, false, false, 0, 1 },
	{ "SYN sent again",
	  { { 0, 'A', T_SYN, 100, 0, 0 }, { 1000, 'A', T_SYN, 100, 0, 0 },
	    { 3000, 'A', T_SYN, 100, 0, 0 } },
	  LYA_STATE_ATTEMPTED, 0, -1, false, false, 0, 1 },
	{ "refused",
	  { { 0, 'A', T_SYN, 100, 0, 0 }, { 1, 'B', T_RSTACK, 0, 101, 0 } },
	  LYA_STATE_REFUSED, 0, -1, false, true, 0, 1 },
	{ "refused, tried again as the same SYN, let in",
	  { { 0, 'A', T_SYN, 100, 0, 0 }, { 1, 'B', T_RSTACK, 0, 101, 0 },
	    { 500, 'A', T_SYN, 100, 0, 0 }, { 501, 'B', T_SYNACK, 7, 101, 0 } },
	  LYA_STATE_ESTABLISHED, 0, 1, false, true, 0, 1 },
	{ "the opener gives up itself: nobody refused",
	  { { 0, 'A', T_SYN, 100, 0, 0 }, { 900, 'A', T_RST, 101, 0, 0 } },
	  LYA_STATE_ATTEMPTED, 0, -1, false, false, 0, 1 },
	{ "scan: SYN, SYN-ACK, RST",
	  { { 0, 'A', T_SYN, 100, 0, 0 }, { 1, 'B', T_SYNACK, 900, 101, 0 },
	    { 2, 'A', T_RST, 101, 0, 0 } },
	  LYA_STATE_RESET, 0, 1, false, true, 0, 1 },
	{ "SYN-ACK alone",
	  { { 0, 'B', T_SYNACK, 900, 101, 0 } }, LYA_STATE_ESTABLISHED, -1, 1, false, true, 1, 1 },
	{ "SYN-ACK, and the other side went on",
	  { { 0, 'B', T_SYNACK, 900, 101, 0 }, { 1, 'A', T_ACK, 101, 901, 0 } },
	  LYA_STATE_ESTABLISHED, -1, 1, true, true, 1, 1 },
	{ "SYN-ACK answered by RST: it did not go on",
	  { { 0, 'B', T_SYNACK, 900, 101, 0 }, { 1, 'A', T_RST, 101, 0, 0 } },
	  LYA_STATE_RESET, -1, 1, false, true, 1, 1 },
	{ "merged mirrors: SYN-ACK before its SYN",
	  { { 10, 'B', T_SYNACK, 900, 101, 0 }, { 30, 'A', T_SYN, 100, 0, 0 },
	    { 31, 'A', T_ACK, 101, 901, 0 } },
	  LYA_STATE_ESTABLISHED, 0, 1, true, true, 1, 1 },
	{ "merged mirrors: ACK before SYN-ACK",
	  { { 0, 'A', T_SYN, 100, 0, 0 }, { 1, 'A', T_ACK, 101, 901, 0 },
	    { 2, 'B', T_SYNACK, 900, 101, 0 } },
	  LYA_STATE_ESTABLISHED, 0, 1, true, true, 0, 1 },
	{ "merged mirrors: data before SYN",
	  { { 0, 'A', T_ACK, 101, 901, 0 }, { 40, 'A', T_SYN, 100, 0, 0 } },
	  LYA_STATE_ESTABLISHED, 0, -1, false, false, 0, 1 },
	{ "one-sided mirror: SYN, then the same side goes on",
	  { { 0, 'A', T_SYN, 100, 0, 0 }, { 1, 'A', T_ACK, 101, 901, 0 },
	    { 2, 'A', T_ACK, 101, 901, 10 } },
	  LYA_STATE_ESTABLISHED, 0, -1, false, false, 0, 1 },
	{ "midstream, both sides",
	  { { 0, 'B', T_ACK, 1, 1, 10 }, { 1, 'A', T_ACK, 1, 11, 0 } },
	  LYA_STATE_MIDSTREAM, -1, -1, false, true, 1, 1 },
	{ "midstream, one side",
	  { { 0, 'A', T_ACK, 1, 1, 10 } }, LYA_STATE_MIDSTREAM, -1, -1, false, false, 0, 1 },
	{ "midstream to its end stays midstream: the opening was not seen",
	  { { 0, 'A', T_FINACK, 1, 1, 0 }, { 1, 'B', T_FINACK, 1, 2, 0 } },
	  LYA_STATE_MIDSTREAM, -1, -1, false, true, 0, 1 },
	{ "reset by the responder",
	  { { 0, 'A', T_SYN, 100, 0, 0 }, { 1, 'B', T_SYNACK, 900, 101, 0 },
	    { 2, 'A', T_ACK, 101, 901, 0 }, { 9, 'B', T_RST, 901, 0, 0 } },
	  LYA_STATE_RESET, 0, 1, true, true, 0, 1 },
	{ "one FIN, then RST",
	  { { 0, 'A', T_SYN, 100, 0, 0 }, { 1, 'B', T_SYNACK, 900, 101, 0 },
	    { 2, 'A', T_FINACK, 101, 901, 0 }, { 3, 'B', T_RST, 901, 0, 0 } },
	  LYA_STATE_RESET, 0, 1, true, true, 0, 1 },
	{ "RST after both FINs: it was closed",
	  { { 0, 'A', T_SYN, 100, 0, 0 }, { 1, 'B', T_SYNACK, 900, 101, 0 },
	    { 2, 'A', T_FINACK, 101, 901, 0 }, { 3, 'B', T_FINACK, 901, 102, 0 },
	    { 4, 'A', T_RST, 102, 0, 0 } },
	  LYA_STATE_CLOSED, 0, 1, true, true, 0, 1 },
	{ "reuse after close: another ISN is another flow",
	  { { 0, 'A', T_SYN, 100, 0, 0 }, { 1, 'B', T_SYNACK, 900, 101, 0 },
	    { 2, 'A', T_FINACK, 101, 901, 0 }, { 3, 'B', T_FINACK, 901, 102, 0 },
	    { 4, 'A', T_SYN, 5000, 0, 0 } },
	  LYA_STATE_ATTEMPTED, 0, -1, false, false, 0, 2 },
	{ "after close the same SYN once more is no new flow",
	  { { 0, 'A', T_SYN, 100, 0, 0 }, { 1, 'B', T_SYNACK, 900, 101, 0 },
	    { 2, 'A', T_FINACK, 101, 901, 0 }, { 3, 'B', T_FINACK, 901, 102, 0 },
	    { 4, 'A', T_SYN, 100, 0, 0 } },
	  LYA_STATE_CLOSED, 0, 1, true, true, 0, 1 },
	{ "reuse after reset, opened the other way round",
	  { { 0, 'A', T_SYN, 100, 0, 0 }, { 1, 'B', T_SYNACK, 900, 101, 0 },
	    { 2, 'A', T_RST, 101, 0, 0 }, { 3, 'B', T_SYN, 100, 0, 0 } },
	  LYA_STATE_ATTEMPTED, 1, -1, false, false, 1, 2 },
	{ "reuse after reset, the SYN missed: the SYN-ACK begins it",
	  { { 0, 'A', T_SYN, 100, 0, 0 }, { 1, 'B', T_SYNACK, 900, 101, 0 },
	    { 2, 'A', T_RST, 101, 0, 0 }, { 3, 'B', T_SYNACK, 77, 5001, 0 } },
	  LYA_STATE_ESTABLISHED, -1, 1, false, true, 1, 2 },
	{ "reuse after refused",
	  { { 0, 'A', T_SYN, 100, 0, 0 }, { 1, 'B', T_RSTACK, 0, 101, 0 },
	    { 2, 'A', T_SYN, 5000, 0, 0 } },
	  LYA_STATE_ATTEMPTED, 0, -1, false, false, 0, 2 },
	{ "unanswered, tried anew before the timeout: one flow, and its answer is known",
	  { { 0, 'A', T_SYN, 100, 0, 0 }, { 20000, 'A', T_SYN, 5000, 0, 0 },
	    { 20001, 'B', T_SYNACK, 7, 5001, 0 } },
	  LYA_STATE_ESTABLISHED, 0, 1, false, true, 0, 1 },
	{ "unanswered, tried anew after the timeout",
	  { { 0, 'A', T_SYN, 100, 0, 0 }, { 62000, 'A', T_SYN, 100, 0, 0 } },
	  LYA_STATE_ATTEMPTED, 0, -1, false, false, 0, 2 },
	{ "a stray SYN does not cut a busy connection",
	  { { 0, 'A', T_SYN, 100, 0, 0 }, { 1, 'B', T_SYNACK, 900, 101, 0 },
	    { 2, 'A', T_ACK, 101, 901, 0 }, { 500, 'A', T_SYN, 7777, 0, 0 },
	    { 501, 'A', T_ACK, 101, 901, 5 } },
	  LYA_STATE_ESTABLISHED, 0, 1, true, true, 0, 1 },
	{ "a SYN on a quiet connection whose end was missed",
	  { { 0, 'A', T_SYN, 100, 0, 0 }, { 1, 'B', T_SYNACK, 900, 101, 0 },
	    { 2, 'A', T_ACK, 101, 901, 0 }, { 9000, 'A', T_SYN, 7777, 0, 0 } },
	  LYA_STATE_ATTEMPTED, 0, -1, false, false, 0, 2 },
	{ "the last packet of an older connection, then the SYN of a new one",
	  { { 0, 'A', T_ACK, 1, 1, 0 }, { 200, 'A', T_SYN, 100, 0, 0 } },
	  LYA_STATE_ATTEMPTED, 0, -1, false, false, 0, 2 },
	{ "both open at once",
	  { { 0, 'A', T_SYN, 100, 0, 0 }, { 0, 'B', T_SYN, 500, 0, 0 },
	    { 1, 'B', T_SYNACK, 500, 101, 0 }, { 1, 'A', T_SYNACK, 100, 501, 0 } },
	  LYA_STATE_ESTABLISHED, 0, 1, false, true, 0, 1 },
};
/* clang-format on */

static struct lya_packet packet_of(const struct step *s)
{
	bool a = s->from == 'A';
	struct lya_packet p = test_tcp((int64_t)s->ms * 1000000, a ? A : B, a ? 40000 : 443,
				       a ? B : A, a ? 443 : 40000, s->flags);

	p.seq = s->seq;
	p.ack = s->ack;
	p.payload_len = s->payload;
	p.ip_bytes = 40 + s->payload;
	return p;
}

static void check_story(const struct story *story)
{
	struct test_ended e;
	struct lya_flow_table *t = test_table(&e, (struct lya_flow_options){ 0 });
	const struct lya_flow *f;

	print_message("  %s\n", story->name);
	for (const struct step *s = story->steps; s < story->steps + MAX_STEPS && s->from != 0;
	     s++) {
		struct lya_packet p = packet_of(s);

		assert_int_equal(lya_flow_table_take(t, &p, 1, NULL), LYA_OK);
	}
	assert_int_equal(lya_flow_table_flush(t), LYA_OK);
	assert_int_equal(e.n, story->flows);
	f = &e.list[e.n - 1];
	assert_string_equal(lya_flow_state_name(f->state), lya_flow_state_name(story->state));
	assert_int_equal(f->syn_side, story->syn_side);
	assert_int_equal(f->synack_side, story->synack_side);
	assert_int_equal(f->synack_continued, story->continued);
	assert_int_equal(f->answered, story->answered);
	assert_int_equal(f->first_side, story->first_side);
	assert_int_equal(f->serial, story->flows);
	test_done(t, &e);
}

static void test_stories(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(STORIES) / sizeof(STORIES[0]); i++)
		check_story(&STORIES[i]);
}

/* The flow before the reuse is ended as it was, at once. */
static void test_reuse_keeps_the_first(void **state)
{
	struct test_ended e;
	struct lya_flow_table *t = test_table(&e, (struct lya_flow_options){ 0 });
	struct lya_packet p[] = {
		test_tcp(0, A, 40000, B, 443, T_SYN),
		test_tcp(1, B, 443, A, 40000, T_RSTACK),
		test_tcp(2, A, 40000, B, 443, T_SYN),
	};

	(void)state;
	p[2].seq = 9;
	assert_int_equal(lya_flow_table_take(t, p, 3, NULL), LYA_OK);
	assert_int_equal(e.n, 1);
	assert_int_equal(e.list[0].state, LYA_STATE_REFUSED);
	assert_int_equal(e.list[0].packets[0], 1);
	assert_int_equal(e.list[0].packets[1], 1);
	assert_int_equal(e.list[0].last_ns, 1);
	test_done(t, &e);
}

static void test_datagrams(void **state)
{
	struct test_ended e;
	struct lya_flow_table *t = test_table(&e, (struct lya_flow_options){ 0 });
	struct lya_packet p[] = {
		test_udp(5, B, 3478, A, 50000),
		test_udp(6, B, 3478, A, 50001),
		test_udp(7, A, 50001, B, 3478),
	};

	(void)state;
	assert_int_equal(lya_flow_table_take(t, p, 3, NULL), LYA_OK);
	assert_int_equal(lya_flow_table_flush(t), LYA_OK);
	assert_int_equal(e.n, 2);
	assert_false(e.list[0].answered);
	assert_int_equal(e.list[0].first_side, 1);
	assert_int_equal(e.list[0].state, LYA_STATE_NONE);
	assert_true(e.list[1].answered);
	assert_int_equal(e.list[1].port[0], 50001);
	assert_int_equal(e.list[1].port[1], 3478);
	test_done(t, &e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stories),
		cmocka_unit_test(test_reuse_keeps_the_first),
		cmocka_unit_test(test_datagrams),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
