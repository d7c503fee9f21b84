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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_legs),
		cmocka_unit_test(test_leg_after_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
