/*
 * test_initiator.c - who opened a flow, from frames to verdict: each basis of
 * policy-model with the grade that it gives, over captures as span ports make
 * them: begun in the middle, one-sided, out of order, with a clock that steps.
 */
#include "pipeline.h"

enum { MAX_STEPS = 8 };

/* A packet of the client C or of the server S. */
struct step {
	char from;
	uint8_t flags; /* 0: a datagram */
	int64_t at_ms;
	const char *payload; /* "": none; NULL: bytes of no protocol */
};

/* Ports above 1023 at a client are documented for much; below, only the flow itself tells. */
static const struct case_ {
	const char *name;
	uint16_t client_port, server_port;
	struct step steps[MAX_STEPS];
	enum lya_basis basis;
	enum lya_grade grade;
	enum lya_flow_state state;
	bool server_first; /* expected initiator is the server: the hint is wrong, as hints are */
} cases[] = {
	{ "handshake",
	  40000,
	  443,
	  { { 'C', SYN, 0, "" }, { 'S', SYN | ACK, 1, "" }, { 'C', ACK, 2, "" } },
	  LYA_BASIS_SYN,
	  LYA_GRADE_CERTAIN,
	  LYA_STATE_ESTABLISHED,
	  false },
	/* merged mirror ports deliver the answer first: held for 50 ms of packet time */
	{ "SYN-ACK before SYN",
	  40000,
	  443,
	  { { 'S', SYN | ACK, 0, "" }, { 'C', SYN, 3, "" }, { 'C', ACK, 4, "" } },
	  LYA_BASIS_SYN,
	  LYA_GRADE_CERTAIN,
	  LYA_STATE_ESTABLISHED,
	  false },
	{ "ACK before SYN-ACK before SYN",
	  40000,
	  443,
	  { { 'C', ACK, 0, "" }, { 'S', SYN | ACK, 1, "" }, { 'C', SYN, 2, "" } },
	  LYA_BASIS_SYN,
	  LYA_GRADE_CERTAIN,
	  LYA_STATE_ESTABLISHED,
	  false },
	/* the capture begins between SYN and SYN-ACK */
	{ "SYN-ACK, then the other side",
	  40000,
	  443,
	  { { 'S', SYN | ACK, 0, "" }, { 'C', ACK, 1, "" } },
	  LYA_BASIS_SYN_ACK,
	  LYA_GRADE_CERTAIN,
	  LYA_STATE_ESTABLISHED,
	  false },
	/* an asymmetric mirror with the server's half */
	{ "SYN-ACK alone",
	  1000,
	  9999,
	  { { 'S', SYN | ACK, 0, "" }, { 'S', ACK, 5, NULL } },
	  LYA_BASIS_SYN_ACK,
	  LYA_GRADE_STRONG,
	  LYA_STATE_ESTABLISHED,
	  false },
	/* the same with the client's half */
	{ "SYN and what followed, one side",
	  40000,
	  443,
	  { { 'C', SYN, 0, "" }, { 'C', ACK, 1, "" }, { 'C', ACK, 2, NULL } },
	  LYA_BASIS_SYN,
	  LYA_GRADE_CERTAIN,
	  LYA_STATE_ESTABLISHED,
	  false },
	{ "SYN, clock stepped back for the answer",
	  40000,
	  443,
	  { { 'C', SYN, 5000, "" }, { 'S', SYN | ACK, 100, "" }, { 'C', ACK, 101, "" } },
	  LYA_BASIS_SYN,
	  LYA_GRADE_CERTAIN,
	  LYA_STATE_ESTABLISHED,
	  false },
	/* the ports would have it the other way round: payload is better */
	{ "midstream, a request names the client",
	  1000,
	  9999,
	  { { 'S', ACK, 0, "" }, { 'C', ACK, 1, "GET / HTTP/1.1\r\nHost: x\r\n\r\n" } },
	  LYA_BASIS_PROTOCOL,
	  LYA_GRADE_CERTAIN,
	  LYA_STATE_MIDSTREAM,
	  false },
	/* 443 of a front-end is documented for clients (internal.1.12) */
	{ "midstream, documented port",
	  300,
	  443,
	  { { 'S', ACK, 0, NULL }, { 'C', ACK, 1, "" } },
	  LYA_BASIS_DOCUMENTED_PORT,
	  LYA_GRADE_STRONG,
	  LYA_STATE_MIDSTREAM,
	  false },
	{ "midstream, ports in order",
	  1000,
	  9999,
	  { { 'C', ACK, 0, NULL }, { 'S', ACK, 1, NULL } },
	  LYA_BASIS_PORT_ORDER,
	  LYA_GRADE_HINT,
	  LYA_STATE_MIDSTREAM,
	  true },
	{ "midstream, nothing but the first packet",
	  1000,
	  1000,
	  { { 'C', ACK, 0, NULL }, { 'S', ACK, 1, NULL } },
	  LYA_BASIS_FIRST_PACKET,
	  LYA_GRADE_HINT,
	  LYA_STATE_MIDSTREAM,
	  false },
	{ "datagrams of no protocol",
	  1000,
	  999,
	  { { 'S', 0, 0, NULL }, { 'C', 0, 1, NULL } },
	  LYA_BASIS_PORT_ORDER,
	  LYA_GRADE_HINT,
	  LYA_STATE_NONE,
	  false },
};

/* Sequence numbers as a real connection's, so that nothing looks lost. */
static void play(struct pipe *p, const struct case_ *c)
{
	uint32_t next[2] = { 100, 900 };

	for (size_t i = 0; i < MAX_STEPS && c->steps[i].from != 0; i++) {
		const struct step *step = &c->steps[i];
		unsigned side = step->from == 'S';
		const char *payload = step->payload;
		struct segment s = {
			.src = side ? FRONT_END : CLIENT,
			.dst = side ? CLIENT : FRONT_END,
			.sport = side ? c->server_port : c->client_port,
			.dport = side ? c->client_port : c->server_port,
			.proto = step->flags != 0 ? 6 : 17,
			.flags = step->flags,
			.payload = payload,
			.len = (uint16_t)(payload != NULL ? strlen(payload) : 30),
		};

		s.seq = (s.flags & SYN) != 0 ? (side ? 899 : 99) : next[side];
		s.ack = (s.flags & ACK) != 0 ? next[!side] : 0;
		next[side] += s.len;
		pipe_take(p, 0, ms(step->at_ms), &s);
	}
}

static int client_side(const struct lya_flow *f)
{
	return f->addr[0].bytes[1] == 20 ? 0 : 1;
}

static void test_bases(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct case_ *c = &cases[i];
		const struct pipe_flow *f;
		struct pipe p;
		int client;

		pipe_open(&p);
		play(&p, c);
		pipe_finish(&p);
		if (p.n_flows != 1)
			fail_msg("%s: %zu flows", c->name, p.n_flows);
		f = &p.flows[0];
		client = client_side(&f->flow);
		if (f->verdict.basis != c->basis || f->verdict.grade != c->grade)
			fail_msg("%s: %s, %s", c->name, lya_basis_name(f->verdict.basis),
				 lya_grade_name(f->verdict.grade));
		if ((f->verdict.initiator == client) == c->server_first)
			fail_msg("%s: wrong initiator", c->name);
		if (f->flow.state != c->state)
			fail_msg("%s: %s", c->name, lya_flow_state_name(f->flow.state));
		assert_null(pipe_limit(&p, "loss", "a.pcap"));
		pipe_close(&p);
	}
}

/*
 * Another flow to the same address and port showed its SYN.  It lives longer
 * than the one it helps: what is known at the end counts, not what ended first.
 */
static void known_listener(bool both_open)
{
	const struct case_ certain = {
		.client_port = 40000,
		.server_port = 9999,
		.steps = { { 'C', SYN, 5000, "" },
			   { 'S', SYN | ACK, 5001, "" },
			   { 'C', ACK, 5002, "" },
			   { 'S', both_open ? ACK : ACK | FIN, 5003, "" },
			   { 'C', both_open ? ACK : ACK | FIN, 5004, "" } },
	};
	const struct case_ vague = {
		.client_port = 1000, /* the ports alone would make the server the initiator */
		.server_port = 9999,
		.steps = { { 'S', ACK, 0, NULL }, { 'C', ACK, 1, NULL } },
	};
	struct pipe p;

	pipe_open(&p);
	play(&p, &vague);
	play(&p, &certain);
	pipe_finish(&p);
	assert_int_equal(p.n_flows, 2);
	assert_int_equal(p.flows[0].flow.state, LYA_STATE_MIDSTREAM); /* judged first */
	assert_int_equal(p.flows[0].verdict.basis, LYA_BASIS_KNOWN_LISTENER);
	assert_int_equal(p.flows[0].verdict.grade, LYA_GRADE_STRONG);
	assert_int_equal(p.flows[0].verdict.initiator, client_side(&p.flows[0].flow));
	assert_int_equal(p.flows[1].verdict.basis, LYA_BASIS_SYN);
	pipe_close(&p);
}

static void test_known_listener(void **state)
{
	(void)state;
	known_listener(true);
	known_listener(false);
}

/* A listener that refused, or of whom only the SYN was seen, is known to nobody. */
static void test_no_listener(void **state)
{
	static const uint8_t answers[] = { 0, RST | ACK };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		const struct case_ knock = {
			.client_port = 40000,
			.server_port = 9999,
			.steps = { { 'C', SYN, 5000, "" },
				   { answers[i] != 0 ? 'S' : 0, answers[i], 5001, "" } },
		};
		const struct case_ vague = {
			.client_port = 1000,
			.server_port = 9999,
			.steps = { { 'S', ACK, 0, NULL }, { 'C', ACK, 1, NULL } },
		};
		struct pipe p;

		pipe_open(&p);
		play(&p, &vague);
		play(&p, &knock);
		pipe_finish(&p);
		assert_int_equal(p.n_flows, 2);
		assert_int_equal(p.flows[0].verdict.basis, LYA_BASIS_PORT_ORDER);
		pipe_close(&p);
	}
}

/* One-sided flows are told per source, and only where they are. */
static void test_one_sided(void **state)
{
	const struct lya_limit *limit;
	struct pipe p;

	(void)state;
	pipe_open(&p);
	play(&p, &cases[0]);
	for (uint16_t i = 0; i < 3; i++) {
		struct segment s = { .src = CLIENT,
				     .dst = FRONT_END,
				     .sport = (uint16_t)(41000 + i),
				     .dport = 443,
				     .flags = SYN,
				     .seq = 99 };

		pipe_take(&p, 1, ms(10 + i), &s);
		s.flags = ACK;
		s.seq = 100;
		s.ack = 900;
		pipe_take(&p, 1, ms(10 + i), &s);
		s.ack = 5000; /* of a side that this mirror does not show: nothing is lost */
		pipe_take(&p, 1, ms(10 + i), &s);
	}
	pipe_finish(&p);
	assert_null(pipe_limit(&p, "one-sided", "a.pcap"));
	limit = pipe_limit(&p, "one-sided", "b.pcap");
	assert_non_null(limit);
	assert_true(limit->share == 1.0);
	assert_null(pipe_limit(&p, "loss", "b.pcap"));
	pipe_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bases),
		cmocka_unit_test(test_known_listener),
		cmocka_unit_test(test_no_listener),
		cmocka_unit_test(test_one_sided),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
