/*
 * Transactions on both legs of the balancer: what proves rewriting, what
 * proves the opposite, and what proves nothing.
 */
#include "wire.h"

static void test_preserved(void **state)
{
	struct lya_snat_evidence e;
	struct lya_snat_sums sums;
	struct lya_addr vip = wire_addr(VIP), node = wire_addr(NODE2), first = wire_addr(NODE1);
	struct wire w;

	(void)state;
	wire_open(&w, NULL, 0);
	say(&w, BINDING, 1, HOME, 4000, VIP, 3478);
	say(&w, BINDING, 1, HOME, 4000, NODE2, 3478);
	assert_sums(&w, 1, 0, 0, 0);
	lya_snat_pair(w.snat, &vip, &node, &sums);
	assert_int_equal(sums.transactions_preserved, 1);
	lya_snat_pair(w.snat, &vip, &first, &sums);
	assert_int_equal(sums.transactions_preserved, 0);
	e = evidence(&w, 17, HOME, 4000, NODE2, 3478);
	assert_int_equal(e.kinds, 0);
	assert_false(e.relayed);
	assert_int_equal(unpaired(&w), 0);
	wire_close(&w);
}

/* Table: who stands on the node's leg, for a client at HOME port 4000. */
static void test_rewritten(void **state)
{
	static const struct {
		const char *source;
		uint16_t port;
	} cases[] = {
		{ HLB, 4000 },		 /* an address of the balancer's own */
		{ VIP, 61000 },		 /* the VIP */
		{ "198.51.100.99", 4000 }, /* one that nobody declared */
		{ HOME, 4001 },		 /* only the port: that breaks the candidate as well */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct lya_snat_evidence e;
		struct wire w;

		wire_open(&w, NULL, 0);
		say(&w, ALLOCATE, 7, HOME, 4000, VIP, 3478);
		say(&w, ALLOCATE, 7, cases[i].source, cases[i].port, NODE1, 3478);
		assert_sums(&w, 0, 1, 0, 0);
		e = evidence(&w, 17, cases[i].source, cases[i].port, NODE1, 3478);
		assert_int_equal(e.kinds, LYA_SNAT_PAIRED_TRANSACTION);
		assert_true(e.proven);
		assert_false(e.internal);
		assert_true(e.relayed);
		assert_int_equal(e.proof.n_legs, 2);
		assert_int_equal(e.proof.key, LYA_SNAT_BY_ID);
		assert_int_equal(e.proof.value_len, 16);
		assert_int_equal(e.proof.value[15], 7);
		assert_int_equal(e.proof.legs[0].client_port, 4000);
		assert_int_equal(e.proof.legs[0].packet, 1);
		assert_int_equal(e.proof.legs[1].client_port, cases[i].port);
		assert_int_equal(e.proof.legs[1].packet, 2);
		assert_true(e.proof.legs[1].time_ns > e.proof.legs[0].time_ns);
		/* The client's own flow did nothing wrong. */
		e = evidence(&w, 17, HOME, 4000, VIP, 3478);
		assert_int_equal(e.kinds, 0);
		wire_close(&w);
	}
}

/* Two sensors' files merge in any order: the node's leg may come first. */
static void test_either_order(void **state)
{
	struct wire w;

	(void)state;
	wire_open(&w, NULL, 0);
	say(&w, ALLOCATE, 7, HLB, 4000, NODE1, 3478);
	say(&w, ALLOCATE, 7, HOME, 4000, VIP, 3478);
	assert_sums(&w, 0, 1, 0, 0);
	assert_int_equal(evidence(&w, 17, HLB, 4000, NODE1, 3478).kinds,
			 LYA_SNAT_PAIRED_TRANSACTION);
	wire_close(&w);
}

/* Answers alone tell the legs too: a sensor may see one direction. */
static void test_answers_alone(void **state)
{
	struct wire w;

	(void)state;
	wire_open(&w, NULL, 0);
	say(&w, ALLOCATE_ERROR, 7, NODE1, 3478, HLB, 4000);
	say(&w, ALLOCATE_ERROR, 7, VIP, 3478, HOME, 4000);
	assert_sums(&w, 0, 1, 0, 0);
	say(&w, ALLOCATE_ERROR, 8, NODE1, 3478, HOME, 4000);
	say(&w, ALLOCATE_ERROR, 8, VIP, 3478, HOME, 4000);
	assert_sums(&w, 1, 1, 0, 0);
	wire_close(&w);
}

/* A message sent again, on either leg, is the same leg and the same transaction. */
static void test_retransmissions(void **state)
{
	struct wire w;

	(void)state;
	wire_open(&w, NULL, 0);
	for (int i = 0; i < 3; i++) {
		say(&w, BINDING, 1, HOME, 4000, VIP, 3478);
		wire_wait(&w, 500);
	}
	assert_sums(&w, 0, 0, 0, 0);
	for (int i = 0; i < 2; i++)
		say(&w, BINDING, 1, HOME, 4000, NODE1, 3478);
	assert_sums(&w, 1, 0, 0, 0);
	wire_wait(&w, 4000); /* the next one comes late: a transaction is counted once */
	say(&w, BINDING, 1, HOME, 4000, VIP, 3478);
	say(&w, BINDING, 1, HOME, 4000, NODE1, 3478);
	assert_sums(&w, 1, 0, 0, 0);
	assert_int_equal(unpaired(&w), 0);
	wire_close(&w);
}

/* A second copy of a packet is never the second sighting. */
static void test_duplicates(void **state)
{
	struct wire w;

	(void)state;
	wire_open(&w, NULL, 0);
	say(&w, BINDING, 1, HOME, 4000, VIP, 3478);
	w.duplicate = LYA_DUP_ROUTED;
	say(&w, BINDING, 1, HLB, 4000, NODE1, 3478);
	assert_sums(&w, 0, 0, 0, 0);
	assert_int_equal(evidence(&w, 17, HLB, 4000, NODE1, 3478).kinds, 0);
	assert_int_equal(unpaired(&w), 1);
	wire_close(&w);
}

/* Sightings that lie too far apart are not two legs of one message. */
static void test_window(void **state)
{
	struct wire w;

	(void)state;
	wire_open(&w, NULL, 0);
	say(&w, BINDING, 1, HOME, 4000, VIP, 3478);
	wire_wait(&w, 1990);
	say(&w, BINDING, 1, HLB, 4000, NODE1, 3478);
	assert_sums(&w, 0, 1, 0, 0);
	say(&w, BINDING, 2, HOME, 4000, VIP, 3478);
	wire_wait(&w, 2010);
	say(&w, BINDING, 2, HLB, 4000, NODE1, 3478);
	assert_sums(&w, 0, 1, 0, 0);
	wire_close(&w);
}

/* Clients behind one address, each with its own ports and ids, and one with two addresses. */
static void test_clients_behind_one_address(void **state)
{
	struct wire w;

	(void)state;
	wire_open(&w, NULL, 0);
	for (uint16_t i = 0; i < 20; i++)
		say(&w, BINDING, 100u + i, HOME, (uint16_t)(4000 + i), VIP, 3478);
	for (uint16_t i = 0; i < 20; i++)
		say(&w, BINDING, 100u + i, HOME, (uint16_t)(4000 + i), i % 2 ? NODE1 : NODE2, 3478);
	say(&w, BINDING, 200, HOTEL, 4000, VIP, 3478);
	say(&w, BINDING, 201, HOTEL, 4000, NODE1, 3478); /* another id: another transaction */
	assert_sums(&w, 20, 0, 0, 0);
	assert_int_equal(unpaired(&w), 1);
	wire_close(&w);
}

/* The balancer's own question is no client's, however often it is asked. */
static void test_probes(void **state)
{
	struct wire w;

	(void)state;
	wire_open(&w, NULL, 0);
	say(&w, BINDING, 1, HLB, 4000, NODE1, 3478);
	say(&w, BINDING_OK, 1, NODE1, 3478, HLB, 4000);
	say(&w, BINDING, 2, HLB, 4001, VIP, 3478); /* it asks its own VIP, through itself */
	say(&w, BINDING, 2, HLB, 4001, NODE1, 3478);
	assert_sums(&w, 0, 0, 0, 0);
	assert_false(evidence(&w, 17, HLB, 4000, NODE1, 3478).relayed);
	assert_false(evidence(&w, 17, HLB, 4001, NODE1, 3478).relayed);
	assert_int_equal(unpaired(&w), 0);
	wire_close(&w);
}

/* A node of another pool is not behind this VIP. */
static void test_other_pool(void **state)
{
	struct wire w;

	(void)state;
	wire_open(&w, NULL, 0);
	say(&w, BINDING, 1, HOME, 4000, VIP, 3478);
	say(&w, BINDING, 1, HLB, 4000, OTHER_NODE, 3478);
	say(&w, BINDING, 2, HOME, 4000, VIP, 3478);
	say(&w, BINDING, 2, HLB, 4000, IN_NODE, 3478);
	assert_sums(&w, 0, 0, 0, 0);
	assert_int_equal(evidence(&w, 17, HLB, 4000, OTHER_NODE, 3478).kinds, 0);
	wire_close(&w);
}

/* Inside it is proven as well, told apart, and counted in no external sum. */
static void test_internal(void **state)
{
	struct lya_snat_evidence e;
	struct wire w;

	(void)state;
	wire_open(&w, NULL, 0);
	say(&w, ALLOCATE, 1, DESK, 4000, IN_VIP, 3478);
	say(&w, ALLOCATE, 1, IN_HLB, 4000, IN_NODE, 3478);
	e = evidence(&w, 17, IN_HLB, 4000, IN_NODE, 3478);
	assert_int_equal(e.kinds, LYA_SNAT_PAIRED_TRANSACTION);
	assert_true(e.internal);
	assert_sums(&w, 0, 0, 0, 0);
	say(&w, ALLOCATE, 2, DESK, 4001, IN_VIP, 3478);
	assert_int_equal(unpaired(&w), 0);
	wire_close(&w);
}

/* The documented way: asked at the VIP, answered from the node's real address. */
static void test_two_path_answer(void **state)
{
	struct lya_flow asked, answer;
	struct lya_snat_evidence e;
	struct wire w;

	(void)state;
	wire_open(&w, "outside", 0);
	say(&w, ALLOCATE, 1, HOME, 4000, VIP, 3478);
	say(&w, ALLOCATE_ERROR, 1, NODE1, 3478, HOME, 4000);
	assert_sums(&w, 1, 0, 0, 0);

	asked = wire_flow(&w, 17, HOME, 4000, VIP, 3478);
	assert_true(known(&w, &asked, &e));
	assert_int_equal(e.kinds, 0);
	lya_snat_join(&e, &asked);
	assert_true(asked.answered);
	assert_false(asked.relayed);

	answer = wire_flow(&w, 17, NODE1, 3478, HOME, 4000);
	assert_true(known(&w, &answer, &e));
	assert_int_equal(e.kinds, 0);
	lya_snat_join(&e, &answer);
	assert_int_equal(lya_addr_cmp(&answer.addr[answer.app.client_side], &(struct lya_addr){
				      .family = 4, .bytes = { 203, 0, 113, 50 } }), 0);
	assert_int_equal(unpaired(&w), 0);
	wire_close(&w);
}

/* Asked at the node, answered from the VIP. */
static void test_reply_from_vip(void **state)
{
	struct lya_snat_evidence e;
	struct wire w;

	(void)state;
	wire_open(&w, NULL, 0);
	say(&w, BINDING, 1, HOME, 4000, NODE1, 3478);
	say(&w, BINDING_OK, 1, VIP, 3478, HOME, 4000);
	e = evidence(&w, 17, HOME, 4000, VIP, 3478);
	assert_int_equal(e.kinds, LYA_SNAT_REPLY_FROM_VIP);
	assert_true(e.proven);
	assert_int_equal(e.proof.n_legs, 2);
	assert_int_equal(e.proof.legs[0].packet, 1);
	assert_int_equal(e.proof.legs[1].packet, 2);
	assert_true(evidence(&w, 17, HOME, 4000, NODE1, 3478).answered); /* an answer all the same */
	assert_sums(&w, 0, 0, 0, 0); /* no proof of the opposite */
	assert_int_equal(unpaired(&w), 0);
	wire_close(&w);
}

/* A request to the VIP that is answered from the VIP is no violation by itself. */
static void test_vip_answers_vip(void **state)
{
	struct wire w;

	(void)state;
	wire_open(&w, NULL, 0);
	say(&w, BINDING, 1, HOME, 4000, VIP, 3478);
	say(&w, BINDING_OK, 1, VIP, 3478, HOME, 4000);
	say(&w, BINDING, 2, HOME, 4000, VIP, 3478); /* and with the other leg in sight */
	say(&w, BINDING, 2, HOME, 4000, NODE1, 3478);
	say(&w, BINDING_OK, 2, NODE1, 3478, HOME, 4000);
	say(&w, BINDING_OK, 2, VIP, 3478, HOME, 4000);
	assert_int_equal(evidence(&w, 17, HOME, 4000, VIP, 3478).kinds, 0);
	assert_int_equal(evidence(&w, 17, HOME, 4000, NODE1, 3478).kinds, 0);
	assert_sums(&w, 1, 0, 0, 0);
	assert_int_equal(unpaired(&w), 1); /* the first one's other leg was not seen */
	wire_close(&w);
}

/* Behind the balancer a request to a node is one that came by the VIP. */
static void test_reply_behind(void **state)
{
	struct wire w;

	(void)state;
	wire_open(&w, "behind", 0);
	say(&w, BINDING, 1, HOME, 4000, NODE1, 3478);
	say(&w, BINDING_OK, 1, VIP, 3478, HOME, 4000);
	assert_int_equal(evidence(&w, 17, HOME, 4000, VIP, 3478).kinds, 0);
	wire_close(&w);
}

/* In a TCP stream the same, told by who reads it; ids of TCP and UDP are not compared. */
static void test_tcp(void **state)
{
	struct lya_snat_evidence e;
	struct wire w;

	(void)state;
	wire_open(&w, NULL, 0);
	say_tcp(&w, ALLOCATE, 1, HOME, 4000, VIP, 443);
	say_tcp(&w, ALLOCATE, 1, VIP, 4000, NODE1, 443);
	e = evidence(&w, 6, VIP, 4000, NODE1, 443);
	assert_int_equal(e.kinds, LYA_SNAT_PAIRED_TRANSACTION);
	assert_sums(&w, 0, 1, 0, 0);
	say_tcp(&w, ALLOCATE, 2, HOME, 4001, VIP, 443);
	say(&w, ALLOCATE, 2, HOME, 4001, NODE1, 3478);
	assert_sums(&w, 0, 1, 0, 0);
	wire_close(&w);
}

/* A client's port that comes again later is another flow, with nothing known of it. */
static void test_later_flow(void **state)
{
	struct lya_flow f;
	struct lya_snat_evidence e;
	struct wire w;

	(void)state;
	wire_open(&w, NULL, 0);
	say(&w, ALLOCATE, 1, HOME, 4000, VIP, 3478);
	say(&w, ALLOCATE, 1, HLB, 4000, NODE1, 3478);
	wire_wait(&w, 200000);
	f = wire_flow(&w, 17, HLB, 4000, NODE1, 3478);
	assert_false(known(&w, &f, &e));
	assert_int_equal(e.kinds, 0);
	wire_close(&w);
}

/* The least memory: what is forgotten too early is counted, and nothing breaks. */
static void test_bounded(void **state)
{
	struct lya_snat_stats stats;
	struct wire w;

	(void)state;
	wire_open(&w, NULL, 1);
	for (uint32_t i = 0; i < 1000; i++)
		say(&w, ALLOCATE, i, HOME, (uint16_t)(4000 + i), VIP, 3478);
	lya_snat_stats(w.snat, &stats);
	assert_int_equal(stats.dropped, 1000 - 64); /* a table holds no less than 64 */
	assert_int_equal(stats.unpaired, 0);
	say(&w, ALLOCATE, 999, HLB, 4999, NODE1, 3478); /* the latest are still known */
	say(&w, ALLOCATE, 0, HLB, 4000, NODE1, 3478);	/* the first is not */
	assert_sums(&w, 0, 1, 0, 0);
	assert_int_equal(unpaired(&w), 62); /* one made room for the first one's second leg */
	wire_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_preserved),
		cmocka_unit_test(test_rewritten),
		cmocka_unit_test(test_either_order),
		cmocka_unit_test(test_answers_alone),
		cmocka_unit_test(test_retransmissions),
		cmocka_unit_test(test_duplicates),
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_clients_behind_one_address),
		cmocka_unit_test(test_probes),
		cmocka_unit_test(test_other_pool),
		cmocka_unit_test(test_internal),
		cmocka_unit_test(test_two_path_answer),
		cmocka_unit_test(test_reply_from_vip),
		cmocka_unit_test(test_vip_answers_vip),
		cmocka_unit_test(test_reply_behind),
		cmocka_unit_test(test_tcp),
		cmocka_unit_test(test_later_flow),
		cmocka_unit_test(test_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
