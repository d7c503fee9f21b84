/*
 * TCP connections on both legs: by sequence number, and behind a full proxy by
 * the ClientHello.
 */
#include "wire.h"

static void test_syn_preserved(void **state)
{
	struct wire w;

	(void)state;
	wire_open(&w, NULL, 0);
	syn(&w, 1000, 5, HOME, 4000, VIP, 443);
	syn(&w, 1000, 5, HOME, 4000, NODE1, 443);
	assert_sums(&w, 0, 0, 1, 0);
	assert_int_equal(evidence(&w, 6, HOME, 4000, NODE1, 443).kinds, 0);
	assert_int_equal(unpaired(&w), 0);
	wire_close(&w);
}

static void test_syn_rewritten(void **state)
{
	static const struct {
		const char *source;
		uint16_t port;
	} cases[] = { { HLB, 4000 }, { VIP, 50001 }, { "198.51.100.99", 4000 }, { HOME, 4001 } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct lya_snat_evidence e;
		struct wire w;

		wire_open(&w, NULL, 0);
		syn(&w, 0x01020304, 5, HOME, 4000, VIP, 443);
		syn(&w, 0x01020304, 5, cases[i].source, cases[i].port, NODE1, 443);
		assert_sums(&w, 0, 0, 0, 1);
		e = evidence(&w, 6, cases[i].source, cases[i].port, NODE1, 443);
		assert_int_equal(e.kinds, LYA_SNAT_PAIRED_CONNECTION);
		assert_true(e.proven);
		assert_true(e.relayed);
		assert_int_equal(e.proof.key, LYA_SNAT_BY_ISN);
		assert_int_equal(e.proof.value_len, 4);
		assert_memory_equal(e.proof.value, ((uint8_t[]){ 1, 2, 3, 4 }), 4);
		assert_int_equal(e.proof.legs[0].packet, 1);
		assert_int_equal(e.proof.legs[1].packet, 2);
		wire_close(&w);
	}
}

/* What is no second leg: too late, too early, another number, other options, another port or pool. */
static void test_no_pair(void **state)
{
	struct wire w;

	(void)state;
	wire_open(&w, NULL, 0);
	syn(&w, 1, 5, HOME, 4000, VIP, 443);
	wire_wait(&w, 1010);
	syn(&w, 1, 5, HLB, 4000, NODE1, 443);
	syn(&w, 2, 5, HLB, 4001, NODE1, 443);
	syn(&w, 2, 5, HOME, 4001, VIP, 443);
	syn(&w, 3, 5, HOME, 4002, VIP, 443);
	syn(&w, 4, 5, HLB, 4002, NODE1, 443);
	syn(&w, 5, 5, HOME, 4003, VIP, 443);
	syn(&w, 5, 6, HLB, 4003, NODE1, 443);
	syn(&w, 6, 5, HOME, 4004, VIP, 443);
	syn(&w, 6, 5, HLB, 4004, NODE1, 5061);
	syn(&w, 7, 5, HOME, 4005, VIP, 443);
	syn(&w, 7, 5, HLB, 4005, OTHER_NODE, 443);
	syn(&w, 8, 5, HOME, 4006, VIP, 5061); /* not a port of A/V */
	syn(&w, 8, 5, HLB, 4006, NODE1, 5061);
	assert_sums(&w, 0, 0, 0, 0);
	assert_int_equal(unpaired(&w), 6);
	wire_close(&w);
}

/* A SYN sent again has another timestamp; the connection is one. */
static void test_syn_again(void **state)
{
	struct wire w;

	(void)state;
	wire_open(&w, NULL, 0);
	syn(&w, 1000, 5, HOME, 4000, VIP, 443);
	wire_wait(&w, 3000);
	syn(&w, 1000, 3005, HOME, 4000, VIP, 443);
	assert_sums(&w, 0, 0, 0, 0); /* the same leg twice */
	syn(&w, 1000, 3005, HLB, 4000, NODE1, 443);
	assert_sums(&w, 0, 0, 0, 1);
	syn(&w, 1000, 3005, HLB, 4000, NODE1, 443);
	assert_sums(&w, 0, 0, 0, 1);
	w.duplicate = LYA_DUP_EXACT;
	syn(&w, 2000, 5, HOME, 4001, VIP, 443);
	syn(&w, 2000, 5, HLB, 4001, NODE1, 443);
	assert_sums(&w, 0, 0, 0, 1);
	wire_close(&w);
}

/* Sequence numbers are the sender's to choose: equal ones are bounded, and the newest still pair. */
static void test_same_number(void **state)
{
	struct wire w;

	(void)state;
	wire_open(&w, NULL, 0);
	for (uint16_t i = 0; i < 1000; i++)
		syn(&w, 77, 5, HOME, (uint16_t)(4000 + i), VIP, 443);
	syn(&w, 77, 5, HOME, 4999, NODE1, 443);
	assert_sums(&w, 0, 0, 1, 0);
	syn(&w, 78, 5, HOME, 6000, VIP, 443);
	syn(&w, 78, 5, HOME, 6000, NODE1, 443);
	assert_sums(&w, 0, 0, 2, 0);
	assert_int_equal(unpaired(&w), 999);
	wire_close(&w);
}

/* Balancers that strip options: what is not there cannot differ. */
static void test_stripped_options(void **state)
{
	struct lya_packet p;
	struct wire w;

	(void)state;
	wire_open(&w, NULL, 0);
	syn(&w, 1000, 5, HOME, 4000, VIP, 443);
	p = wire_packet(&w, 6, HLB, 4000, NODE1, 443);
	p.tcp_flags = LYA_TCP_SYN;
	p.seq = 1000;
	lya_snat_packets(w.snat, &p, 1);
	assert_sums(&w, 0, 0, 0, 1);
	wire_close(&w);
}

/* Only a SYN begins a connection; an answer to it does not. */
static void test_syn_ack(void **state)
{
	struct lya_packet p;
	struct wire w;

	(void)state;
	wire_open(&w, NULL, 0);
	p = wire_packet(&w, 6, HOME, 4000, VIP, 443);
	p.tcp_flags = LYA_TCP_SYN | LYA_TCP_ACK;
	lya_snat_packets(w.snat, &p, 1);
	p.tcp_flags = LYA_TCP_ACK;
	lya_snat_packets(w.snat, &p, 1);
	assert_int_equal(unpaired(&w), 0);
	wire_close(&w);
}

/* Through a full proxy: other numbers, the same ClientHello. */
static void test_hello(void **state)
{
	struct lya_snat_evidence e;
	struct wire w;

	(void)state;
	wire_open(&w, NULL, 0);
	syn(&w, 1, 5, HOME, 4000, VIP, 443);
	hello(&w, 0xa1, false, HOME, 4000, VIP, 443);
	syn(&w, 2, 9, HLB, 30000, NODE1, 443);
	hello(&w, 0xa1, false, HLB, 30000, NODE1, 443);
	assert_sums(&w, 0, 0, 0, 1);
	e = evidence(&w, 6, HLB, 30000, NODE1, 443);
	assert_int_equal(e.kinds, LYA_SNAT_PAIRED_CONNECTION);
	assert_int_equal(e.proof.key, LYA_SNAT_BY_RANDOM);
	assert_int_equal(e.proof.value_len, 32);
	assert_int_equal(e.proof.value[31], 0xa1);
	hello(&w, 0xa2, false, HOME, 4001, VIP, 443); /* transparent */
	hello(&w, 0xa2, false, HOME, 4001, NODE1, 443);
	assert_sums(&w, 0, 0, 1, 1);
	assert_int_equal(unpaired(&w), 0);
	wire_close(&w);
}

/* One connection is counted once, by whatever shows it. */
static void test_counted_once(void **state)
{
	struct wire w;

	(void)state;
	wire_open(&w, NULL, 0);
	syn(&w, 1, 5, HOME, 4000, VIP, 443);
	syn(&w, 1, 5, HLB, 4000, NODE1, 443);
	hello(&w, 0xa1, false, HOME, 4000, VIP, 443);
	hello(&w, 0xa1, false, HLB, 4000, NODE1, 443);
	assert_sums(&w, 0, 0, 0, 1);
	wire_close(&w);
}

/*
 * Clients whose imitated hello is the same every time: two of them at once
 * cannot be told apart, and a stranger is no balancer.
 */
static void test_constant_hello(void **state)
{
	struct wire w;

	(void)state;
	wire_open(&w, NULL, 0);
	hello(&w, 0xa1, true, HOME, 4000, VIP, 443);
	hello(&w, 0xa1, true, HOTEL, 5000, NODE1, 443); /* straight to the node */
	assert_sums(&w, 0, 0, 0, 0);
	hello(&w, 0xa1, true, HOTEL, 5001, VIP, 443);
	hello(&w, 0xa1, true, HLB, 30000, NODE1, 443); /* whose? */
	assert_sums(&w, 0, 0, 0, 0);
	hello(&w, 0xa1, true, HOTEL, 5001, NODE1, 443); /* its own address on both legs */
	assert_sums(&w, 0, 0, 1, 0);
	wire_close(&w);
}

/* One such client alone is told by the balancer's own address. */
static void test_single_imitation(void **state)
{
	struct wire w;

	(void)state;
	wire_open(&w, NULL, 0);
	hello(&w, 0xa1, true, HOME, 4000, VIP, 443);
	hello(&w, 0xa1, true, HLB, 30000, NODE1, 443);
	assert_sums(&w, 0, 0, 0, 1);
	wire_close(&w);
}

/* The balancer's look at its own VIP and nodes. */
static void test_probes(void **state)
{
	struct wire w;

	(void)state;
	wire_open(&w, NULL, 0);
	syn(&w, 1, 5, HLB, 4000, VIP, 443);
	syn(&w, 1, 5, HLB, 4000, NODE1, 443);
	assert_sums(&w, 0, 0, 0, 0);
	assert_false(evidence(&w, 6, HLB, 4000, NODE1, 443).relayed);
	assert_int_equal(unpaired(&w), 0);
	wire_close(&w);
}

/* Inside: proven, and in no external sum. */
static void test_internal(void **state)
{
	struct lya_snat_evidence e;
	struct wire w;

	(void)state;
	wire_open(&w, NULL, 0);
	syn(&w, 1, 5, DESK, 4000, IN_VIP, 443);
	syn(&w, 1, 5, IN_HLB, 4000, IN_NODE, 443);
	e = evidence(&w, 6, IN_HLB, 4000, IN_NODE, 443);
	assert_int_equal(e.kinds, LYA_SNAT_PAIRED_CONNECTION);
	assert_true(e.internal);
	syn(&w, 2, 5, DESK, 4001, IN_VIP, 5061); /* SIP may be translated */
	syn(&w, 2, 5, IN_HLB, 4001, IN_NODE, 5061);
	assert_int_equal(evidence(&w, 6, IN_HLB, 4001, IN_NODE, 5061).kinds, 0);
	assert_sums(&w, 0, 0, 0, 0);
	wire_close(&w);
}

/* A flood of SYNs to the VIP: bounded, counted, and the newest still pair. */
static void test_bounded(void **state)
{
	struct lya_snat_stats stats;
	struct wire w;

	(void)state;
	wire_open(&w, NULL, 1);
	for (uint32_t i = 0; i < 500; i++)
		syn(&w, i, 5, HOME, (uint16_t)(4000 + i), VIP, 443);
	lya_snat_stats(w.snat, &stats);
	assert_int_equal(stats.dropped, 500 - 64);
	syn(&w, 499, 5, HLB, 4499, NODE1, 443);
	syn(&w, 0, 5, HLB, 4000, NODE1, 443);
	assert_sums(&w, 0, 0, 0, 1);
	assert_int_equal(unpaired(&w), 63);
	wire_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_syn_preserved),
		cmocka_unit_test(test_syn_rewritten),
		cmocka_unit_test(test_no_pair),
		cmocka_unit_test(test_syn_again),
		cmocka_unit_test(test_same_number),
		cmocka_unit_test(test_stripped_options),
		cmocka_unit_test(test_syn_ack),
		cmocka_unit_test(test_hello),
		cmocka_unit_test(test_counted_once),
		cmocka_unit_test(test_constant_hello),
		cmocka_unit_test(test_single_imitation),
		cmocka_unit_test(test_probes),
		cmocka_unit_test(test_internal),
		cmocka_unit_test(test_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
