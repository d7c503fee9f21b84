/*
 * test_measures.c - what a capture could not show, measured from its frames:
 * loss, cuts, silence, clock steps, checksums.
 */
#include "pipeline.h"

/* Loss --------------------------------------------------------------------- */

enum { MAX_STEPS = 8, CLIENT_ISN = 99, SERVER_ISN = 899 };

/*
 * After a handshake: a segment of the client C or of the server S.  Sequence
 * numbers count from the first byte of each side.
 */
struct step {
	char from;
	uint8_t flags; /* besides ACK */
	uint32_t at;
	uint16_t len;
	uint32_t ack;
};

static const struct loss_case {
	const char *name;
	uint32_t isn; /* of the client */
	struct step steps[MAX_STEPS];
	uint32_t lost;
} loss_cases[] = {
	{ "acknowledged, never seen", CLIENT_ISN, { { 'S', 0, 0, 0, 50 } }, 50 },
	{ "a hole in the middle",
	  CLIENT_ISN,
	  { { 'C', 0, 0, 10, 0 }, { 'C', 0, 20, 10, 0 }, { 'S', 0, 0, 0, 30 } },
	  10 },
	{ "two holes, one of them filled",
	  CLIENT_ISN,
	  { { 'C', 0, 10, 10, 0 },
	    { 'C', 0, 35, 5, 0 },
	    { 'C', 0, 0, 10, 0 },
	    { 'S', 0, 0, 0, 40 } },
	  15 },
	{ "across the end of sequence numbers",
	  UINT32_MAX - 20,
	  { { 'C', 0, 0, 10, 0 }, { 'S', 0, 0, 0, 60 }, { 'C', 0, 60, 10, 0 } },
	  50 },
	{ "of both sides", CLIENT_ISN, { { 'S', 0, 0, 0, 50 }, { 'C', 0, 50, 0, 7 } }, 57 },
	{ "a FIN", CLIENT_ISN, { { 'C', 0, 0, 10, 0 }, { 'S', 0, 0, 0, 11 } }, 1 },
	{ "everything seen, with a FIN each",
	  CLIENT_ISN,
	  { { 'C', 0, 0, 10, 0 },
	    { 'S', 0, 0, 20, 10 },
	    { 'C', FIN, 10, 0, 20 },
	    { 'S', FIN, 20, 0, 11 },
	    { 'C', 0, 11, 0, 21 } },
	  0 },
	/* a byte that comes again may be one that was missing: rather too little than too much */
	{ "sent again in part",
	  CLIENT_ISN,
	  { { 'C', 0, 10, 10, 0 }, { 'C', 0, 19, 10, 0 }, { 'S', 0, 0, 0, 29 } },
	  9 },
	/* a merged mirror swaps data and ACK, or two segments */
	{ "the ACK comes first", CLIENT_ISN, { { 'S', 0, 0, 0, 50 }, { 'C', 0, 0, 50, 0 } }, 0 },
	{ "out of order",
	  CLIENT_ISN,
	  { { 'C', 0, 0, 10, 0 },
	    { 'C', 0, 20, 10, 0 },
	    { 'C', 0, 10, 10, 0 },
	    { 'S', 0, 0, 0, 30 } },
	  0 },
	{ "sent again",
	  CLIENT_ISN,
	  { { 'C', 0, 0, 50, 0 }, { 'C', 0, 0, 50, 0 }, { 'S', 0, 0, 0, 50 } },
	  0 },
	/* the network lost it, not the mirror: the receiver has not got it either */
	{ "lost on the network",
	  CLIENT_ISN,
	  { { 'C', 0, 0, 10, 0 },
	    { 'C', 0, 20, 10, 0 },
	    { 'S', 0, 0, 0, 10 },
	    { 'C', 0, 10, 10, 0 },
	    { 'S', 0, 0, 0, 30 } },
	  0 },
	{ "a keep-alive",
	  CLIENT_ISN,
	  { { 'C', 0, 0, 10, 0 }, { 'S', 0, 0, 0, 10 }, { 'C', 0, 9, 1, 0 }, { 'S', 0, 0, 0, 10 } },
	  0 },
	/* what nobody can have sent: a forged ACK, a reset by somebody who only guesses */
	{ "far ahead", CLIENT_ISN, { { 'S', 0, 0, 0, 0x30000000 } }, 0 },
	{ "a reset", CLIENT_ISN, { { 'S', RST, 5000, 0, 5000 } }, 0 },
};

static struct segment segment_of(const struct loss_case *c, char from, uint8_t flags, uint32_t at,
				 uint16_t len, uint32_t ack)
{
	bool client = from == 'C';
	uint32_t own = client ? c->isn : SERVER_ISN;
	uint32_t other = client ? SERVER_ISN : c->isn;

	return (struct segment){
		.src = client ? CLIENT : FRONT_END,
		.dst = client ? FRONT_END : CLIENT,
		.sport = client ? 40000 : 443,
		.dport = client ? 443 : 40000,
		.flags = flags,
		.seq = own + ((flags & SYN) != 0 ? 0 : 1 + at),
		.ack = (flags & ACK) != 0 ? other + 1 + ack : 0,
		.len = len,
	};
}

static void play_loss(struct pipe *p, const struct loss_case *c)
{
	struct segment open[3] = { segment_of(c, 'C', SYN, 0, 0, 0),
				   segment_of(c, 'S', SYN | ACK, 0, 0, 0),
				   segment_of(c, 'C', ACK, 0, 0, 0) };
	int64_t t = 0;

	for (size_t i = 0; i < 3; i++)
		pipe_take(p, 0, ms(t++), &open[i]);
	for (size_t i = 0; i < MAX_STEPS && c->steps[i].from != 0; i++) {
		const struct step *s = &c->steps[i];
		struct segment next =
		    segment_of(c, s->from, (uint8_t)(ACK | s->flags), s->at, s->len, s->ack);

		pipe_take(p, 0, ms(t++), &next);
	}
}

static void test_loss(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(loss_cases) / sizeof(loss_cases[0]); i++) {
		const struct loss_case *c = &loss_cases[i];
		const struct lya_limit *limit;
		uint64_t seen;
		char said[64];
		struct pipe p;

		pipe_open(&p);
		play_loss(&p, c);
		pipe_finish(&p);
		assert_int_equal(p.n_flows, 1);
		assert_true(p.flows[0].flow.measured);
		if ((uint64_t)p.flows[0].flow.lost_bytes[0] + p.flows[0].flow.lost_bytes[1] !=
		    c->lost)
			fail_msg("%s: %u and %u", c->name, p.flows[0].flow.lost_bytes[0],
				 p.flows[0].flow.lost_bytes[1]);
		limit = pipe_limit(&p, "loss", "a.pcap");
		assert_true((limit != NULL) == (c->lost > 0));
		if (limit != NULL) {
			seen = p.flows[0].flow.payload_bytes[0] + p.flows[0].flow.payload_bytes[1];
			assert_true(limit->share == (double)c->lost / (double)(c->lost + seen));
			snprintf(said, sizeof(said), "%u bytes were acknowledged", c->lost);
			assert_non_null(strstr(limit->what, said));
		}
		pipe_close(&p);
	}
}

/* A segment in fragments: only the head has numbers, and nothing is known of the others' place. */
static void test_loss_fragments(void **state)
{
	const struct loss_case *c = &loss_cases[0];
	struct segment head = segment_of(c, 'C', ACK, 0, 44, 0);
	struct segment ack = segment_of(c, 'S', ACK, 0, 0, 100);
	struct pipe p;

	(void)state;
	head.fragment = 0x2000;
	pipe_open(&p);
	play_loss(&p, &(struct loss_case){ .isn = CLIENT_ISN });
	pipe_take(&p, 0, ms(10), &head);
	pipe_take(&p, 0, ms(11), &ack);
	pipe_finish(&p);
	assert_false(p.flows[0].flow.measured);
	assert_null(pipe_limit(&p, "loss", "a.pcap"));
	pipe_close(&p);
}

/* Cuts --------------------------------------------------------------------- */

/* Ethernet 14, IPv4 20; ports 4, flags at 13 of TCP. */
static void test_cuts(void **state)
{
	static const struct {
		uint32_t cut;
		const char *said, *unsaid;
	} cases[] = {
		{ 14 + 20 + 20 + 5, "only their beginning.", "of them" },
		{ 14 + 20 + 8, "1 of them show no TCP flags", "no ports" },
		{ 14 + 20 + 2, "1 of them show no ports", "TCP flags" },
		{ 14 + 10, "1 of them show no ports", "TCP flags" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct segment s = segment_of(&loss_cases[0], 'C', ACK, 0, 100, 0);
		const struct lya_limit *limit;
		struct pipe p;

		pipe_open(&p);
		play_loss(&p, &(struct loss_case){ .isn = CLIENT_ISN });
		s.cut = cases[i].cut;
		pipe_take(&p, 0, ms(10), &s);
		pipe_finish(&p);
		limit = pipe_limit(&p, "snaplen", "a.pcap");
		assert_non_null(limit);
		assert_true(limit->share == 0.25);
		if (strstr(limit->what, cases[i].said) == NULL ||
		    strstr(limit->what, cases[i].unsaid) != NULL)
			fail_msg("cut to %u: %s", cases[i].cut, limit->what);
		assert_null(pipe_limit(&p, "loss", "a.pcap"));
		pipe_close(&p);
	}
}

/* Silence ------------------------------------------------------------------ */

/* A datagram each `every_ms` from one time to another, in seconds. */
static void talk(struct pipe *p, uint32_t source, int64_t from_s, int64_t to_s, int64_t every_ms)
{
	struct segment s = { .src = CLIENT,
			     .dst = FRONT_END,
			     .sport = 40000,
			     .dport = 3478,
			     .proto = 17,
			     .len = 40 };

	for (int64_t t = from_s * 1000; t <= to_s * 1000; t += every_ms)
		pipe_take(p, source, ms(t), &s);
}

static const struct lya_limit *gap_of(struct pipe *p, const char *where)
{
	pipe_finish(p);
	return pipe_limit(p, "gap", where);
}

static void test_silence(void **state)
{
	static const struct {
		const char *name;
		int64_t until, silence, every_before, every_after, rest;
		const char *said;
	} cases[] = {
		{ "a gap", 70, 25, 500, 500, 70, "1 gap of 25 s together" },
		{ "too short", 70, 9, 500, 500, 70, NULL },
		{ "pauses are usual before", 150, 25, 3000, 500, 70, NULL },
		{ "pauses are usual after", 70, 25, 500, 3000, 150, NULL },
		{ "not long enough to tell", 40, 25, 500, 500, 70, NULL },
		{ "the capture ends soon after", 70, 25, 500, 500, 20, "1 gap of 25 s together" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t again = cases[i].until + cases[i].silence;
		const struct lya_limit *limit;
		struct pipe p;

		pipe_open(&p);
		talk(&p, 0, 0, cases[i].until, cases[i].every_before);
		talk(&p, 0, again, again + cases[i].rest, cases[i].every_after);
		limit = gap_of(&p, "a.pcap");
		if ((limit != NULL) != (cases[i].said != NULL) ||
		    (limit != NULL && strstr(limit->what, cases[i].said) == NULL))
			fail_msg("%s: %s", cases[i].name, limit != NULL ? limit->what : "none");
		if (limit != NULL)
			assert_true(limit->share == 25.0 / (double)(again + cases[i].rest));
		pipe_close(&p);
	}
}

static void test_two_silences(void **state)
{
	const struct lya_limit *limit;
	struct pipe p;

	(void)state;
	pipe_open(&p);
	talk(&p, 0, 0, 70, 500);
	talk(&p, 0, 82, 100, 500);
	talk(&p, 0, 112, 190, 500);
	limit = gap_of(&p, "a.pcap");
	assert_non_null(limit);
	assert_non_null(strstr(limit->what, "2 gaps of 24 s together"));
	pipe_close(&p);
}

/* A ring of files has its gap between two; where one file follows the other, there is none. */
static void test_silence_between(void **state)
{
	const struct lya_limit *limit;
	struct pipe p;

	(void)state;
	pipe_open(&p);
	talk(&p, 0, 0, 70, 500);
	talk(&p, 1, 71, 140, 500);
	talk(&p, 2, 340, 400, 500);
	limit = gap_of(&p, "c.pcap");
	assert_non_null(limit);
	assert_non_null(
	    strstr(limit->what, "1 gap of 200 s together (200 s of it before the source begins)"));
	assert_true(limit->share == 200.0 / 260.0);
	assert_null(pipe_limit(&p, "gap", "a.pcap"));
	assert_null(pipe_limit(&p, "gap", "b.pcap"));
	pipe_close(&p);
}

/* One of two sensors fails for a while. */
static void test_silence_of_one(void **state)
{
	struct pipe p;

	(void)state;
	pipe_open(&p);
	for (int64_t t = 0; t < 200; t++) {
		talk(&p, 0, t, t, 1000);
		if (t < 70 || t >= 100)
			talk(&p, 1, t, t, 1000);
	}
	assert_null(gap_of(&p, "a.pcap"));
	assert_non_null(pipe_limit(&p, "gap", "b.pcap"));
	pipe_close(&p);
}

/* Clock -------------------------------------------------------------------- */

static void test_step_back(void **state)
{
	const struct lya_limit *limit;
	struct pipe p;

	(void)state;
	pipe_open(&p);
	talk(&p, 0, 10, 11, 250);
	talk(&p, 0, 8, 12, 250);
	pipe_finish(&p);
	limit = pipe_limit(&p, "clock", "a.pcap");
	assert_non_null(limit);
	assert_non_null(strstr(limit->what, "1 packets are older"));
	assert_non_null(strstr(limit->what, "by up to 3.000000 s"));
	assert_int_equal(p.n_flows, 1); /* and the flow is one */
	assert_int_equal(pipe_limits(&p), 1);
	pipe_close(&p);
}

/* Times that no clock has, as far as readers let them through: nothing is made of them. */
static void test_wild_times(void **state)
{
	static const int64_t far = INT64_MAX / 2;
	const int64_t times[] = { far, -far, 0, far - 5, -1, 1 - far };
	struct segment s = segment_of(&loss_cases[0], 'C', ACK, 0, 10, 0);
	struct pipe p;

	(void)state;
	pipe_open(&p);
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
		for (uint32_t source = 0; source < 2; source++)
			pipe_take(&p, source, times[i], &s);
	pipe_finish(&p);
	assert_null(pipe_limit(&p, "gap", "a.pcap"));
	pipe_close(&p);
}

/* Checksums ---------------------------------------------------------------- */

enum { CHECKED = 40 };

static void checksums(struct pipe *p, uint8_t proto, unsigned odd, int kind, bool bad_header)
{
	pipe_open(p);
	for (unsigned i = 0; i < CHECKED; i++) {
		struct segment s =
		    segment_of(&loss_cases[0], 'C', ACK, 10 * i, (uint16_t)(11 + i % 3), 0);
		uint8_t frame[PIPE_FRAME];
		size_t len;

		s.proto = proto;
		if (i < odd && !bad_header)
			s.checksum = kind;
		len = pipe_frame(p, &s, frame);
		if (i < odd && bad_header)
			frame[14 + 10] ^= 0x55;
		pipe_take_frame(p, 0, ms(i), frame, len, 0);
	}
	pipe_finish(p);
	/* never a reason to drop */
	assert_int_equal(p->n_flows, 1);
	assert_int_equal(p->flows[0].flow.packets[0] + p->flows[0].flow.packets[1], CHECKED);
}

static void test_checksums(void **state)
{
	static const struct {
		const char *name;
		unsigned odd;
		int kind;
		bool bad_header;
		const char *said;
	} cases[] = {
		{ "all right", 0, CHECKSUM_SUM, false, NULL },
		{ "5 % wrong", 2, CHECKSUM_BAD, false, NULL },
		{ "more than 5 % wrong", 3, CHECKSUM_BAD, false,
		  "3 of 40 packets looked at have a wrong TCP or UDP checksum" },
		{ "left to the network card", 30, CHECKSUM_PSEUDO, false,
		  "30 of 40 packets looked at have a TCP or UDP checksum that was left to" },
		{ "5 % of IP headers wrong", 2, CHECKSUM_SUM, true, NULL },
		{ "IP headers wrong", 3, CHECKSUM_SUM, true,
		  "3 packets have a wrong IPv4 header checksum" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (uint8_t proto = 6; proto <= 17; proto = (uint8_t)(proto + 11)) {
			const struct lya_limit *limit;
			struct pipe p;

			checksums(&p, proto, cases[i].odd, cases[i].kind, cases[i].bad_header);
			limit = pipe_limit(&p, "checksums", "a.pcap");
			if ((limit != NULL) != (cases[i].said != NULL) ||
			    (limit != NULL && strstr(limit->what, cases[i].said) == NULL))
				fail_msg("%s, protocol %u: %s", cases[i].name, proto,
					 limit != NULL ? limit->what : "none");
			if (limit != NULL)
				assert_true(limit->share == (double)cases[i].odd / CHECKED);
			pipe_close(&p);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_loss),           cmocka_unit_test(test_loss_fragments),
		cmocka_unit_test(test_cuts),           cmocka_unit_test(test_silence),
		cmocka_unit_test(test_two_silences),   cmocka_unit_test(test_silence_between),
		cmocka_unit_test(test_silence_of_one), cmocka_unit_test(test_step_back),
		cmocka_unit_test(test_wild_times),     cmocka_unit_test(test_checksums),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
