/*
 * test_handful.c - what an audit finds does not hang on how many packets come at a time.
 */
#include "pipeline.h"

enum {
	AV_VIP = 0xc633640d, /* 198.51.100.13 */
	AV_NODE = 0xc6336417, /* 198.51.100.23 */
	BALANCER = 0xc6336402, /* 198.51.100.2 */
	OUTSIDE = 0xcb007133  /* 203.0.113.51 */
};

/* STUN Binding request, RFC 5389 6: cookie, transaction id of twelve bytes. */
#define REQUEST "\x00\x01\x00\x00\x21\x12\xa4\x42handful-0001"

static const struct segment LEG_TO_NODE = {
	.src = BALANCER, .dst = AV_NODE, .sport = 49543, .dport = 3478, .proto = 17, .len = 20,
	.payload = REQUEST
};
static const struct segment LEG_TO_VIP = {
	.src = OUTSIDE, .dst = AV_VIP, .sport = 49543, .dport = 3478, .proto = 17, .len = 20,
	.payload = REQUEST
};
static const struct segment OTHER = {
	.src = CLIENT, .dst = FRONT_END, .sport = 50000, .dport = 5060, .proto = 17, .len = 8
};

enum { STEPS = 3 };

struct step {
	const struct segment *s;
	int64_t at_ms;
};

/* Evidence that the flow to the node has when it ends, the steps coming `handful` at a time. */
static unsigned kinds_of_node_leg(const struct step steps[STEPS], size_t handful)
{
	static struct pipe p;
	struct lya_frame frames[STEPS];
	struct lya_error err;
	unsigned kinds = 0;

	pipe_open(&p);
	for (size_t i = 0; i < STEPS; i++) {
		size_t len = pipe_frame(&p, steps[i].s, p.frames[i]);

		frames[i] = (struct lya_frame){ .time_ns = ms(steps[i].at_ms),
						.data = p.frames[i],
						.caplen = (uint32_t)len,
						.wirelen = (uint32_t)len,
						.number = i + 1,
						.link = LYA_LINK_ETHERNET,
						.digits = 6 };
	}
	p.sources[0].packets = STEPS;
	for (size_t i = 0; i < STEPS; i += handful)
		assert_int_equal(lya_audit_take(p.audit, &frames[i],
						handful < STEPS - i ? handful : STEPS - i, &err),
				 LYA_OK);
	pipe_finish(&p);
	for (size_t i = 0; i < p.n_flows; i++)
		kinds |= p.flows[i].snat_kinds;
	pipe_close(&p);
	return kinds;
}

/* Within the second: the transaction was seen on both legs, whoever looks. */
static void test_both_legs(void **state)
{
	const struct step steps[STEPS] = { { &LEG_TO_NODE, 0 }, { &LEG_TO_VIP, 1 }, { &OTHER, 2 } };

	(void)state;
	assert_true(kinds_of_node_leg(steps, STEPS) & LYA_SNAT_PAIRED_TRANSACTION);
	assert_true(kinds_of_node_leg(steps, 1) & LYA_SNAT_PAIRED_TRANSACTION);
}

/*
 * A clock that leaps ends the flow to the node before the leg to the VIP is seen, which is
 * of the time before it: what ended cannot have known, however close behind it came.
 */
static void test_leg_after_the_end(void **state)
{
	const struct step steps[STEPS] = {
		{ &LEG_TO_NODE, 0 }, { &OTHER, 86400000 }, { &LEG_TO_VIP, 1 }
	};

	(void)state;
	assert_false(kinds_of_node_leg(steps, 1) & LYA_SNAT_PAIRED_TRANSACTION);
	assert_int_equal(kinds_of_node_leg(steps, STEPS), kinds_of_node_leg(steps, 1));
}

/* The same with the leg before it: what ended did know, however closely they came. */
static void test_leg_before_the_end(void **state)
{
	const struct step steps[STEPS] = {
		{ &LEG_TO_NODE, 0 }, { &LEG_TO_VIP, 1 }, { &OTHER, 86400000 }
	};

	(void)state;
	assert_true(kinds_of_node_leg(steps, 1) & LYA_SNAT_PAIRED_TRANSACTION);
	assert_int_equal(kinds_of_node_leg(steps, STEPS), kinds_of_node_leg(steps, 1));
}

enum {
	DATAGRAMS = 4000, /* more than the least memory holds fragments of */
	BEHIND = 40,      /* so many datagrams later the head comes, if it does */
	TAKEN_MAX = 64,
	MORE_FRAGMENTS = 0x2000
};

/* The n-th frame: a later fragment whose head is still to come, or the head of an older one. */
static size_t fragment_frame(struct pipe *p, size_t n, uint8_t *frame)
{
	size_t i = n / 2;
	bool head = n % 2 == 1 && i >= BEHIND && i % 3 != 0;
	/* of TCP, whose bytes are not put together: there is room for ports, not for all of them */
	struct segment s = { .src = CLIENT, .dst = FRONT_END, .sport = 50000, .dport = 5061,
			     .flags = ACK, .seq = (uint32_t)n, .len = 20, .id = (uint16_t)(1 + i),
			     .fragment = 5 };

	if (head) {
		s.id = (uint16_t)(1 + i - BEHIND);
		s.fragment = MORE_FRAGMENTS;
	} else if (n % 2 == 1) {
		s.id = (uint16_t)(20000 + i);
		s.fragment = 0;
	}
	return pipe_frame(p, &s, frame);
}

/* What came of it all in one line. */
static void audit_fragments(size_t handful, char *out, size_t size)
{
	static struct pipe p;
	static uint8_t bytes[TAKEN_MAX][PIPE_FRAME];
	struct lya_frame frames[TAKEN_MAX];
	struct lya_audit_options options = { .max_memory = (size_t)16 << 20,
					     .on_flow = pipe_on_flow, .ctx = &p };
	const struct lya_limit *forgotten;
	struct lya_error err;
	size_t at;

	pipe_open(&p);
	lya_audit_free(p.audit);
	assert_int_equal(lya_audit_new(&p.audit, p.policy, &options, &err), LYA_OK);
	for (size_t n = 0; n < (size_t)2 * DATAGRAMS; n += handful) {
		size_t k = 0;

		for (; k < handful && n + k < (size_t)2 * DATAGRAMS; k++) {
			size_t len = fragment_frame(&p, n + k, bytes[k]);

			frames[k] = (struct lya_frame){ .time_ns = PIPE_START + (int64_t)(n + k) * 1000,
							.data = bytes[k],
							.caplen = (uint32_t)len,
							.wirelen = (uint32_t)len,
							.number = n + k + 1,
							.link = LYA_LINK_ETHERNET,
							.digits = 6 };
		}
		assert_int_equal(lya_audit_take(p.audit, frames, k, &err), LYA_OK);
	}
	p.sources[0].packets = (uint64_t)2 * DATAGRAMS;
	pipe_finish(&p);
	forgotten = pipe_limit(&p, "evicted", "fragments");
	assert_non_null(forgotten);
	at = (size_t)snprintf(out, size, "%s", forgotten->what);
	for (size_t i = 0; i < p.n_flows && at < size; i++)
		at += (size_t)snprintf(out + at, size - at, "; %u: %llu packets, %llu bytes",
				       p.flows[i].flow.unknown,
				       (unsigned long long)(p.flows[i].flow.packets[0] +
							    p.flows[i].flow.packets[1]),
				       (unsigned long long)(p.flows[i].flow.bytes[0] +
							    p.flows[i].flow.bytes[1]));
	pipe_close(&p);
}

/* When fragments must give way to others, which of them do is a matter of their order alone. */
static void test_fragments_without_room(void **state)
{
	static char alone[4096], many[4096];

	(void)state;
	audit_fragments(1, alone, sizeof(alone));
	audit_fragments(TAKEN_MAX, many, sizeof(many));
	assert_string_equal(alone, many);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_legs),
		cmocka_unit_test(test_leg_after_the_end),
		cmocka_unit_test(test_leg_before_the_end),
		cmocka_unit_test(test_fragments_without_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
