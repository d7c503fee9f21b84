/*
 * What single answers and whole flows show, where the sensor stands, and what
 * becomes of the verdict.
 */
#include "wire.h"

static void answer(struct wire *w, const char *server, uint16_t sport, const char *client,
		   uint16_t cport, const char *mapped, uint16_t mport)
{
	struct message m = message(BINDING_OK, 77);

	put_address(&m, 0x0020, mapped, mport, true);
	send_message(w, &m, server, sport, client, cport);
}

/* protocol-facts 3: what a mapped address proves, by place. */
static void test_mapped_address(void **state)
{
	enum { NO, OBSERVED, PROVEN };
	static const struct {
		const char *place, *server, *mapped;
		uint16_t port, mport;
		int want;
	} cases[] = {
		{ NULL, VIP, HOME, 3478, 4000, NO }, /* the client itself */
		{ "outside", VIP, HOME, 3478, 4000, NO },
		{ "between", NODE1, HOME, 3478, 4000, NO },
		{ NULL, VIP, HLB, 3478, 4000, PROVEN }, /* the balancer's own address */
		{ NULL, VIP, VIP, 3478, 61000, PROVEN },
		{ NULL, NODE1, HLB, 3478, 61000, PROVEN }, /* answered by the node itself */
		{ "outside", VIP, HLB, 3478, 4000, PROVEN },
		{ "behind", NODE1, HLB, 3478, 4000, PROVEN },
		{ NULL, VIP, "192.0.2.1", 3478, 4000, NO }, /* perhaps the client's own router */
		{ "behind", NODE1, "192.0.2.1", 3478, 4000, NO },
		{ "outside", VIP, "192.0.2.1", 3478, 4000, OBSERVED }, /* firewall or balancer */
		{ "between", VIP, "192.0.2.1", 3478, 4000, PROVEN }, /* only the balancer is left */
		{ "between", VIP, HOME, 3478, 4001, PROVEN },	     /* the port counts */
		{ "between", NODE1, "192.0.2.1", 50500, 4000, NO },  /* checks of a relayed peer */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct lya_snat_evidence e;
		struct wire w;

		wire_open(&w, cases[i].place, 0);
		answer(&w, cases[i].server, cases[i].port, HOME, 4000, cases[i].mapped,
		       cases[i].mport);
		e = evidence(&w, 17, HOME, 4000, cases[i].server, cases[i].port);
		if (e.kinds != (cases[i].want == NO ? 0 : LYA_SNAT_MAPPED_ADDRESS) ||
		    e.proven != (cases[i].want == PROVEN))
			fail_msg("case %zu: kinds %x, proven %d", i, e.kinds, e.proven);
		if (cases[i].want != NO) {
			assert_int_equal(e.proof.mapped.port, cases[i].mport);
			assert_int_equal(e.proof.legs[0].client_port, 4000);
		}
		wire_close(&w);
	}
}

/* The balancer's own question is answered with its own address. */
static void test_mapped_probe(void **state)
{
	struct wire w;

	(void)state;
	wire_open(&w, "between", 0);
	answer(&w, NODE1, 3478, HLB, 4000, HLB, 4000);
	answer(&w, NODE1, 3478, HLB, 4001, "198.51.100.3", 4001);
	assert_int_equal(evidence(&w, 17, HLB, 4000, NODE1, 3478).kinds, 0);
	assert_int_equal(evidence(&w, 17, HLB, 4001, NODE1, 3478).kinds, 0);
	wire_close(&w);
}

/* MS-TURN's 8020 is the client's address, its 0001 the relay's. */
static void test_mapped_msturn(void **state)
{
	struct message m = message(ALLOCATE_OK, 5);
	struct lya_snat_evidence e;
	struct wire w;

	(void)state;
	put_ms_cookie(&m);
	put_address(&m, 0x0001, NODE1, 50010, false);
	put_address(&m, 0x8020, HLB, 4000, true);
	wire_open(&w, NULL, 0);
	send_message(&w, &m, VIP, 3478, HOME, 4000);
	e = evidence(&w, 17, HOME, 4000, VIP, 3478);
	assert_int_equal(e.kinds, LYA_SNAT_MAPPED_ADDRESS);
	assert_int_equal(e.relay.faults, 0);
	wire_close(&w);
}

/* With both legs in sight it is one finding: the answer's word goes to the node's leg. */
static void test_mapped_beside_paired(void **state)
{
	struct wire w;

	(void)state;
	wire_open(&w, NULL, 0);
	say(&w, BINDING, 77, HOME, 4000, VIP, 3478);
	say(&w, BINDING, 77, HLB, 4000, NODE1, 3478);
	answer(&w, VIP, 3478, HOME, 4000, HLB, 4000);
	assert_int_equal(evidence(&w, 17, HLB, 4000, NODE1, 3478).kinds,
			 LYA_SNAT_PAIRED_TRANSACTION | LYA_SNAT_MAPPED_ADDRESS);
	assert_int_equal(evidence(&w, 17, HOME, 4000, VIP, 3478).kinds, 0);
	wire_close(&w);
}

static void test_relay(void **state)
{
	static const struct {
		const char *relay, *alternate; /* NULL: not given */
		uint16_t port;
		unsigned faults;
	} cases[] = {
		{ NODE1, NULL, 50000, 0 },
		{ NODE2, NODE1, 59999, 0 },
		{ NODE1, NULL, 49999, LYA_RELAY_PORT },
		{ NODE1, NULL, 60000, LYA_RELAY_PORT },
		{ IN_NODE, NULL, 50000, LYA_RELAY_ADDRESS },
		{ PRIVATE_NODE, NULL, 50000, LYA_RELAY_ADDRESS },
		{ VIP, NULL, 3478, LYA_RELAY_ADDRESS | LYA_RELAY_PORT },
		{ NODE1, VIP, 50000, LYA_RELAY_ALTERNATE },
		{ NULL, IN_VIP, 0, LYA_RELAY_ALTERNATE },
		{ NULL, NODE1, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct message m = message(ALLOCATE_OK, 9);
		struct lya_snat_evidence e;
		struct wire w;

		put_ms_cookie(&m);
		if (cases[i].relay != NULL)
			put_address(&m, 0x0001, cases[i].relay, cases[i].port, false);
		if (cases[i].alternate != NULL)
			put_address(&m, 0x000E, cases[i].alternate, 3478, false);
		wire_open(&w, NULL, 0);
		send_message(&w, &m, NODE1, 3478, HOME, 4000);
		e = evidence(&w, 17, HOME, 4000, NODE1, 3478);
		if (e.relay.faults != cases[i].faults)
			fail_msg("case %zu: faults %x", i, e.relay.faults);
		assert_int_equal(e.kinds, 0);
		if (cases[i].faults != 0)
			assert_int_equal(e.relay.id[15], 9);
		wire_close(&w);
	}
}

/* Servers that are none of ours may answer what they like. */
static void test_foreign_server(void **state)
{
	struct message m = message(ALLOCATE_OK, 9);
	struct wire w;

	(void)state;
	put_ms_cookie(&m);
	put_address(&m, 0x0001, VIP, 1, false);
	put_address(&m, 0x8020, HLB, 1, true);
	wire_open(&w, "between", 0);
	send_message(&w, &m, "192.0.2.1", 3478, NODE1, 50000);
	assert_int_equal(evidence(&w, 17, "192.0.2.1", 3478, NODE1, 50000).kinds, 0);
	assert_int_equal(evidence(&w, 17, "192.0.2.1", 3478, NODE1, 50000).relay.faults, 0);
	wire_close(&w);
}

/* Media from a relay port with the VIP as source. */
static void test_media_from_vip(void **state)
{
	struct lya_snat_evidence e;
	struct lya_flow f;
	struct wire w;

	(void)state;
	wire_open(&w, NULL, 0);
	f = wire_flow(&w, 17, VIP, 50100, HOME, 40000);
	f.app.app = LYA_APP_RTP;
	assert_true(known(&w, &f, &e));
	assert_int_equal(e.kinds, LYA_SNAT_REPLY_FROM_VIP);
	assert_true(e.proven);
	assert_true(e.media_port);

	f = wire_flow(&w, 17, VIP, 40100, HOME, 40000); /* no relay port */
	f.app.app = LYA_APP_RTP;
	assert_false(known(&w, &f, &e));
	f = wire_flow(&w, 17, VIP, 50100, HOME, 53); /* the balancer asks for a name */
	f.app.app = LYA_APP_DNS;
	assert_false(known(&w, &f, &e));
	f = wire_flow(&w, 17, HOME, 40000, VIP, 50100); /* a stranger knocks, nobody answers */
	f.app.app = LYA_APP_RTP;
	assert_false(known(&w, &f, &e));
	f = wire_flow(&w, 17, NODE1, 50100, HOME, 40000); /* the node itself */
	f.app.app = LYA_APP_RTP;
	assert_false(known(&w, &f, &e));
	wire_close(&w);
}

/* Media that stay with the VIP after an allocation; TCP cannot do otherwise. */
static void test_sticky_vip(void **state)
{
	struct lya_snat_evidence e;
	struct lya_flow f;
	struct wire w;

	(void)state;
	wire_open(&w, NULL, 0);
	f = wire_flow(&w, 17, HOME, 4000, VIP, 3478);
	f.app.app = LYA_APP_MSTURN;
	f.app.seen = LYA_SEEN_STUN | LYA_SEEN_TURN | LYA_SEEN_TURN_OK | LYA_SEEN_MEDIA;
	assert_true(known(&w, &f, &e));
	assert_int_equal(e.kinds, LYA_SNAT_STICKY_VIP);
	assert_false(e.proven);
	assert_false(e.internal);
	f.transport = 6;
	assert_false(known(&w, &f, &e));
	f.transport = 17;
	f.app.seen = LYA_SEEN_STUN | LYA_SEEN_TURN | LYA_SEEN_TURN_OK;
	assert_false(known(&w, &f, &e));

	f = wire_flow(&w, 17, HOME, 4000, NODE1, 3478); /* the real server: as documented */
	f.app.seen = LYA_SEEN_TURN_OK | LYA_SEEN_MEDIA;
	assert_false(known(&w, &f, &e));
	f = wire_flow(&w, 17, DESK, 4000, IN_VIP, 3478);
	f.app.seen = LYA_SEEN_TURN_OK | LYA_SEEN_MEDIA;
	assert_true(known(&w, &f, &e));
	assert_true(e.internal);
	wire_close(&w);
}

/* The documented way hides the allocation from the flow to the VIP: the node answers itself. */
static void test_sticky_by_two_paths(void **state)
{
	static const struct {
		unsigned request, answer;
		const char *vip, *node, *client;
		bool media, want, internal;
	} cases[] = {
		{ ALLOCATE, ALLOCATE_OK, VIP, NODE1, HOME, true, true, false },
		{ ALLOCATE, ALLOCATE_OK, IN_VIP, IN_NODE, DESK, true, true, true },
		{ ALLOCATE, ALLOCATE_OK, VIP, NODE1, HOME, false, false, false },
		{ ALLOCATE, ALLOCATE_ERROR, VIP, NODE1, HOME, true, false, false },
		{ BINDING, BINDING_OK, VIP, NODE1, HOME, true, false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct lya_snat_evidence e;
		struct lya_flow f;
		struct wire w;

		wire_open(&w, NULL, 0);
		say(&w, cases[i].request, 5, cases[i].client, 4000, cases[i].vip, 3478);
		say(&w, cases[i].answer, 5, cases[i].node, 3478, cases[i].client, 4000);
		f = wire_flow(&w, 17, cases[i].client, 4000, cases[i].vip, 3478);
		f.app.app = LYA_APP_MSTURN;
		f.app.seen = LYA_SEEN_STUN | LYA_SEEN_TURN;
		if (cases[i].media)
			f.app.seen |= LYA_SEEN_MEDIA;
		assert_true(known(&w, &f, &e));
		if ((e.kinds == LYA_SNAT_STICKY_VIP) != cases[i].want)
			fail_msg("case %zu: kinds %x", i, e.kinds);
		if (cases[i].want) {
			assert_false(e.proven);
			assert_int_equal(e.internal, cases[i].internal);
		}
		wire_close(&w);
	}
}

/* Judge a flow with what is known of it. */
static void judge(struct wire *w, struct lya_flow *f, struct lya_snat_evidence *e,
		  struct lya_verdict *v)
{
	struct lya_policy_memo *memo = lya_policy_memo_new(w->policy);
	struct lya_policy_end ends[2];

	assert_non_null(memo);
	lya_policy_end_of(w->policy, &f->addr[0], &ends[0]);
	lya_policy_end_of(w->policy, &f->addr[1], &ends[1]);
	(void)lya_snat_flow(w->snat, f, ends, lya_snat_found(w->snat, f), e);
	lya_snat_join(e, f);
	lya_policy_judge(w->policy, memo, f, ends, -1, v);
	lya_snat_judge(e, f, v);
	lya_policy_memo_free(memo);
}

/* A plain Binding from the balancer: a probe, unless a client sent that id. */
static void test_probe_or_not(void **state)
{
	struct lya_snat_evidence e;
	struct lya_verdict v;
	struct lya_flow f;
	struct wire w;

	(void)state;
	wire_open(&w, NULL, 0);
	say(&w, BINDING, 1, HLB, 4000, NODE1, 3478);
	f = wire_flow(&w, 17, HLB, 4000, NODE1, 3478);
	f.app.app = LYA_APP_STUN;
	judge(&w, &f, &e, &v);
	assert_int_equal(v.leg, LYA_LEG_PROBE);
	assert_null(v.snat);

	say(&w, BINDING, 2, HOME, 5000, VIP, 3478);
	say(&w, BINDING, 2, HLB, 5000, NODE1, 3478);
	f = wire_flow(&w, 17, HLB, 5000, NODE1, 3478);
	f.app.app = LYA_APP_STUN;
	judge(&w, &f, &e, &v);
	assert_int_equal(v.kind, LYA_VERDICT_UNDOCUMENTED_PATH);
	assert_int_equal(v.finding, LYA_FINDING_AV_EDGE_SNAT);
	assert_true(v.av_proven);
	assert_ptr_equal(v.snat, &e);
	assert_int_equal(e.kinds, LYA_SNAT_PAIRED_TRANSACTION | LYA_SNAT_REWRITTEN_SOURCE);
	assert_int_equal(e.proof.kind, LYA_SNAT_PAIRED_TRANSACTION);

	syn(&w, 9, 5, HOME, 6000, VIP, 443); /* a connection that carried nothing yet */
	syn(&w, 9, 5, HLB, 6000, NODE1, 443);
	f = wire_flow(&w, 6, HLB, 6000, NODE1, 443);
	f.payload_bytes[0] = f.payload_bytes[1] = 0;
	judge(&w, &f, &e, &v);
	assert_int_equal(v.finding, LYA_FINDING_AV_EDGE_SNAT);
	assert_true(v.av_proven);
	wire_close(&w);
}

/* A source that nobody declared reaches the node by a row; the pairing gives it away. */
static void test_undeclared_source(void **state)
{
	struct lya_snat_evidence e;
	struct lya_verdict v;
	struct lya_flow f;
	struct wire w;

	(void)state;
	wire_open(&w, NULL, 0);
	say(&w, ALLOCATE, 2, HOME, 5000, VIP, 3478);
	say(&w, ALLOCATE, 2, "198.51.100.99", 5000, NODE1, 3478);
	f = wire_flow(&w, 17, "198.51.100.99", 5000, NODE1, 3478);
	f.app.app = LYA_APP_MSTURN;
	f.app.service_payload = true;
	judge(&w, &f, &e, &v);
	assert_int_equal(v.kind, LYA_VERDICT_DOCUMENTED);
	assert_int_equal(v.finding, LYA_FINDING_NONE);
	assert_ptr_equal(v.snat, &e);
	assert_true(v.av_proven);
	wire_close(&w);
}

/* Media with the VIP's address: one finding, not the plain one beside it. */
static void test_plain_finding_replaced(void **state)
{
	struct lya_snat_evidence e;
	struct lya_verdict v;
	struct lya_flow f;
	struct wire w;

	(void)state;
	wire_open(&w, NULL, 0);
	f = wire_flow(&w, 17, VIP, 50100, HOME, 40000);
	f.app.app = LYA_APP_RTP;
	judge(&w, &f, &e, &v);
	assert_int_not_equal(v.kind, LYA_VERDICT_DOCUMENTED);
	assert_int_equal(v.finding, LYA_FINDING_AV_EDGE_SNAT);
	assert_true(v.av_proven);
	wire_close(&w);
}

/* Whatever comes first, the same proof is kept. */
static void test_merge(void **state)
{
	struct lya_snat_proof a = { .kind = LYA_SNAT_PAIRED_TRANSACTION, .n_legs = 2 };
	struct lya_snat_proof b = { .kind = LYA_SNAT_MAPPED_ADDRESS, .n_legs = 1 };
	struct lya_snat_proof c = a, to = { 0 };
	struct lya_snat_relay r = { .faults = LYA_RELAY_PORT }, s = { .faults = LYA_RELAY_ADDRESS };
	struct lya_snat_relay sum = { 0 };

	(void)state;
	a.legs[0].time_ns = 20;
	b.legs[0].time_ns = 5;
	c.legs[0].time_ns = 10;
	(void)lya_snat_merge_proof(&to, &b);
	(void)lya_snat_merge_proof(&to, &a);
	assert_int_equal(to.kind, LYA_SNAT_PAIRED_TRANSACTION);
	(void)lya_snat_merge_proof(&to, &c);
	(void)lya_snat_merge_proof(&to, &b);
	(void)lya_snat_merge_proof(&to, &a);
	assert_int_equal(to.legs[0].time_ns, 10);
	r.leg.time_ns = 2;
	s.leg.time_ns = 1;
	(void)lya_snat_merge_relay(&sum, &r);
	(void)lya_snat_merge_relay(&sum, &s);
	assert_int_equal(sum.faults, LYA_RELAY_PORT | LYA_RELAY_ADDRESS);
	assert_int_equal(sum.leg.time_ns, 1);
}

/* A request of HOME to the VIP, its first byte and lengths as told: was it taken for one? */
static uint64_t taken(uint8_t first_byte, size_t captured, uint32_t claimed)
{
	struct message m = message(BINDING, 1);
	struct lya_packet p;
	uint64_t result;
	struct wire w;

	wire_open(&w, NULL, 0);
	p = wire_packet(&w, 17, HOME, 4000, VIP, 3478);
	m.bytes[0] = first_byte;
	p.payload = lya_cursor_of(m.bytes, captured);
	p.payload_len = claimed;
	lya_snat_packets(w.snat, &p, 1);
	result = unpaired(&w);
	wire_close(&w);
	return result;
}

/* What cannot be a STUN message is none. */
static void test_not_wanted(void **state)
{
	struct message m = message(BINDING, 1);

	(void)state;
	assert_int_equal(taken(0, m.len, (uint32_t)m.len), 1);
	assert_int_equal(taken(0x80, m.len, (uint32_t)m.len), 0); /* RTP */
	assert_int_equal(taken(0, 19, (uint32_t)m.len), 0);
	assert_int_equal(taken(0, m.len, 21), 0); /* a length that the message does not have */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mapped_address),
		cmocka_unit_test(test_mapped_probe),
		cmocka_unit_test(test_mapped_msturn),
		cmocka_unit_test(test_mapped_beside_paired),
		cmocka_unit_test(test_relay),
		cmocka_unit_test(test_foreign_server),
		cmocka_unit_test(test_media_from_vip),
		cmocka_unit_test(test_sticky_vip),
		cmocka_unit_test(test_sticky_by_two_paths),
		cmocka_unit_test(test_probe_or_not),
		cmocka_unit_test(test_undeclared_source),
		cmocka_unit_test(test_plain_finding_replaced),
		cmocka_unit_test(test_merge),
		cmocka_unit_test(test_not_wanted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
