/*
 * test_balancer.c - the load balancer's own traffic: health probes, balanced
 * legs, and the rewriting that A/V Edges forbid (policy-model "Load balancer's
 * own traffic", "Load-balanced legs", "SNAT on the A/V Edge").
 */
#include "judge.h"

#define FE01 "10.2.0.11"
#define DIR01 "10.2.0.21"
#define FE_VIP "10.2.0.10"
#define HLB_INT "10.2.0.2"
#define HLB_EXT "198.51.100.2"
#define HLB_EXT2 "198.51.100.3"
#define HLB_EDGE "10.1.0.2"
#define EDGE_INT "10.1.0.21"
#define EDGE_INT_VIP "10.1.0.10"
#define ACCESS "198.51.100.21"
#define WEBCONF "198.51.100.22"
#define AV "198.51.100.23"
#define ACCESS_VIP "198.51.100.11"
#define AV_VIP "198.51.100.13"
#define STRANGER "203.0.113.200"

/* How the av-edge-snat finding must look, where there is one. */
enum snat { NO_SNAT, OBSERVED, PROVEN, OBSERVED_INTERNAL, PROVEN_INTERNAL };

struct balancer_case {
	const char *name;
	struct talk talk;
	enum lya_verdict_kind kind;
	enum lya_leg leg;
	enum snat snat;
};

#define DOCUMENTED LYA_VERDICT_DOCUMENTED
#define NO_PATH LYA_VERDICT_UNDOCUMENTED_PATH
#define WRONG_PORT LYA_VERDICT_UNEXPECTED_PORT

static const struct balancer_case CASES[] = {
	/* the kinds of probes */
	{ "bare connect",
	  { TCP, HLB_INT, 40000, FE01, 5061, .seen = SYN_X },
	  DOCUMENTED,
	  LYA_LEG_PROBE,
	  NO_SNAT },
	{ "bare connect that is greeted",
	  { TCP, HLB_INT, 40000, FE01, 5061, .seen = SYN_X, .app = LYA_APP_UNKNOWN, .service = true,
	    .x_silent = true },
	  DOCUMENTED,
	  LYA_LEG_PROBE,
	  NO_SNAT },
	{ "TLS handshake",
	  { TCP, HLB_INT, 40000, FE01, 5061, .seen = SYN_X, .app = LYA_APP_TLS },
	  DOCUMENTED,
	  LYA_LEG_PROBE,
	  NO_SNAT },
	{ "status page",
	  { TCP, HLB_INT, 40000, FE01, 8080, .seen = SYN_X, .app = LYA_APP_HTTP },
	  DOCUMENTED,
	  LYA_LEG_PROBE,
	  NO_SNAT },
	{ "STUN Binding",
	  { UDP, HLB_EXT, 40000, AV, 3478, .seen = CLIENT_X, .app = LYA_APP_STUN },
	  DOCUMENTED,
	  LYA_LEG_PROBE,
	  NO_SNAT },
	{ "empty datagram",
	  { UDP, HLB_EXT, 40000, AV, 3478, .app = LYA_APP_NONE },
	  DOCUMENTED,
	  LYA_LEG_PROBE,
	  NO_SNAT },
	{ "datagram of no known protocol",
	  { UDP, HLB_EXT, 40000, AV, 3478, .app = LYA_APP_UNKNOWN },
	  DOCUMENTED,
	  LYA_LEG_PROBE,
	  NO_SNAT },
	{ "from the standby unit",
	  { TCP, HLB_EXT2, 40000, AV, 443, .seen = SYN_X },
	  DOCUMENTED,
	  LYA_LEG_PROBE,
	  NO_SNAT },
	{ "a port that only the VIP's row has",
	  { TCP, HLB_EXT, 40000, ACCESS, 443, .seen = SYN_X },
	  DOCUMENTED,
	  LYA_LEG_PROBE,
	  NO_SNAT },
	{ "through the Edge's internal side",
	  { UDP, HLB_EDGE, 40000, EDGE_INT, 3478, .seen = NOTHING },
	  DOCUMENTED,
	  LYA_LEG_PROBE,
	  NO_SNAT },
	{ "director",
	  { TCP, HLB_INT, 40000, DIR01, 443, .seen = SYN_X },
	  DOCUMENTED,
	  LYA_LEG_PROBE,
	  NO_SNAT },
	{ "in the middle, by the documented port",
	  { TCP, HLB_INT, 40000, FE01, 5061, .seen = NOTHING },
	  DOCUMENTED,
	  LYA_LEG_PROBE,
	  NO_SNAT },

	/* what is none */
	{ "service payload on a leg that may be translated",
	  { TCP, HLB_INT, 40000, FE01, 5061, .seen = SYN_X, .app = LYA_APP_TLS, .service = true },
	  DOCUMENTED,
	  LYA_LEG_BALANCED,
	  NO_SNAT },
	{ "a long flow without service payload",
	  { TCP, HLB_INT, 40000, FE01, 5061, .seen = SYN_X, .packets = 5000 },
	  DOCUMENTED,
	  LYA_LEG_BALANCED,
	  NO_SNAT },
	{ "a long flow towards the A/V Edge",
	  { UDP, HLB_EXT, 40000, AV, 3478, .app = LYA_APP_UNKNOWN, .packets = 5000 },
	  NO_PATH,
	  LYA_LEG_NONE,
	  OBSERVED },
	{ "the VIP is never a prober",
	  { TCP, ACCESS_VIP, 40000, ACCESS, 443, .seen = SYN_X },
	  DOCUMENTED,
	  LYA_LEG_BALANCED,
	  NO_SNAT },
	{ "a pool's VIP is an internal server to internal.1.3",
	  { TCP, FE_VIP, 40000, FE01, 5061, .seen = SYN_X },
	  DOCUMENTED,
	  LYA_LEG_NONE,
	  NO_SNAT },
	{ "the A/V VIP is never a prober",
	  { UDP, AV_VIP, 40000, AV, 3478, .seen = CLIENT_X, .app = LYA_APP_STUN },
	  NO_PATH,
	  LYA_LEG_NONE,
	  PROVEN },
	{ "a port that nothing documents",
	  { TCP, HLB_INT, 40000, FE01, 9999, .seen = SYN_X },
	  WRONG_PORT,
	  LYA_LEG_NONE,
	  NO_SNAT },
	{ "the outer balancer towards an inner server",
	  { TCP, HLB_EXT, 40000, FE01, 5061, .seen = SYN_X },
	  NO_PATH,
	  LYA_LEG_NONE,
	  NO_SNAT },
	{ "the inner balancer towards an Access Edge",
	  { TCP, HLB_INT, 40000, "198.51.100.21", 443, .seen = SYN_X, .service = true },
	  DOCUMENTED,
	  LYA_LEG_BALANCED,
	  NO_SNAT }, /* edge.3.3 is open to any, and so is its leg */
	{ "the inner balancer towards an A/V Edge",
	  { TCP, HLB_INT, 40000, AV, 443, .seen = SYN_X },
	  NO_PATH,
	  LYA_LEG_NONE,
	  OBSERVED },
	{ "a server towards its balancer",
	  { TCP, FE01, 40000, HLB_INT, 5061, .seen = SYN_X },
	  NO_PATH,
	  LYA_LEG_NONE,
	  NO_SNAT },

	/* rewriting in front of the A/V Edge: what proves it */
	{ "STUN",
	  { UDP, HLB_EXT, 40000, AV, 3478, .seen = CLIENT_X, .app = LYA_APP_STUN, .service = true },
	  NO_PATH,
	  LYA_LEG_NONE,
	  PROVEN },
	{ "MS-TURN",
	  { UDP, HLB_EXT, 40000, AV, 3478, .seen = CLIENT_X, .app = LYA_APP_MSTURN,
	    .service = true },
	  NO_PATH,
	  LYA_LEG_NONE,
	  PROVEN },
	{ "pseudo-TLS",
	  { TCP, HLB_EXT, 40000, AV, 443, .seen = SYN_X, .app = LYA_APP_PSEUDO_TLS,
	    .service = true },
	  NO_PATH,
	  LYA_LEG_NONE,
	  PROVEN },
	{ "media",
	  { UDP, HLB_EXT, 40000, AV, 50010, .app = LYA_APP_RTP, .service = true, .listener = 'Y' },
	  NO_PATH,
	  LYA_LEG_NONE,
	  PROVEN },
	{ "media from the VIP",
	  { UDP, AV_VIP, 40000, AV, 50010, .app = LYA_APP_RTP, .service = true, .listener = 'Y' },
	  NO_PATH,
	  LYA_LEG_NONE,
	  PROVEN },
	{ "something else",
	  { TCP, HLB_EXT, 40000, AV, 443, .seen = SYN_X, .app = LYA_APP_TLS, .service = true },
	  NO_PATH,
	  LYA_LEG_NONE,
	  OBSERVED },
	{ "a port of no row",
	  { TCP, HLB_EXT, 40000, AV, 8443, .seen = SYN_X },
	  NO_PATH,
	  LYA_LEG_NONE,
	  OBSERVED },
	{ "what the Access VIP may open to anybody, to the A/V Edge (edge.1.1)",
	  { TCP, ACCESS_VIP, 40000, AV, 80, .seen = SYN_X, .app = LYA_APP_HTTP, .service = true },
	  NO_PATH,
	  LYA_LEG_NONE,
	  OBSERVED },
	{ "likewise (edge.1.3)",
	  { UDP, ACCESS_VIP, 40000, AV, 53, .seen = CLIENT_X, .app = LYA_APP_DNS, .service = true },
	  NO_PATH,
	  LYA_LEG_NONE,
	  OBSERVED },
	{ "likewise (edge.3.2)",
	  { TCP, ACCESS_VIP, 40000, AV, 5269, .seen = SYN_X },
	  NO_PATH,
	  LYA_LEG_NONE,
	  OBSERVED },
	{ "another VIP",
	  { TCP, ACCESS_VIP, 40000, AV, 443, .seen = SYN_X, .app = LYA_APP_PSEUDO_TLS,
	    .service = true },
	  NO_PATH,
	  LYA_LEG_NONE,
	  PROVEN },

	/* the Edge's internal side: udp 3478 and tcp 443 alone */
	{ "inside, STUN",
	  { UDP, HLB_EDGE, 40000, EDGE_INT, 3478, .seen = CLIENT_X, .app = LYA_APP_STUN,
	    .service = true },
	  NO_PATH,
	  LYA_LEG_NONE,
	  PROVEN_INTERNAL },
	{ "inside, tcp 443",
	  { TCP, EDGE_INT_VIP, 40000, EDGE_INT, 443, .seen = SYN_X, .app = LYA_APP_PSEUDO_TLS,
	    .service = true },
	  NO_PATH,
	  LYA_LEG_NONE,
	  PROVEN_INTERNAL },
	{ "inside, no A/V payload seen",
	  { TCP, HLB_EDGE, 40000, EDGE_INT, 443, .seen = SYN_X, .app = LYA_APP_TLS,
	    .service = true },
	  NO_PATH,
	  LYA_LEG_NONE,
	  OBSERVED_INTERNAL },
	{ "inside, SIP may be rewritten",
	  { TCP, HLB_EDGE, 40000, EDGE_INT, 5061, .seen = SYN_X, .app = LYA_APP_TLS,
	    .service = true },
	  DOCUMENTED,
	  LYA_LEG_BALANCED,
	  NO_SNAT },
	{ "inside, A/V authentication may be rewritten",
	  { TCP, EDGE_INT_VIP, 40000, EDGE_INT, 5062, .seen = SYN_X, .app = LYA_APP_TLS,
	    .service = true },
	  DOCUMENTED,
	  LYA_LEG_BALANCED,
	  NO_SNAT },

	/* what is permitted */
	{ "the Access VIP to anybody else",
	  { TCP, ACCESS_VIP, 40000, STRANGER, 80, .seen = SYN_X, .app = LYA_APP_HTTP,
	    .service = true },
	  DOCUMENTED,
	  LYA_LEG_NONE,
	  NO_SNAT },
	{ "Access Edge behind SNAT",
	  { TCP, HLB_EXT, 40000, ACCESS, 443, .seen = SYN_X, .app = LYA_APP_TLS, .service = true },
	  DOCUMENTED,
	  LYA_LEG_BALANCED,
	  NO_SNAT },
	{ "Web Conferencing behind SNAT",
	  { TCP, HLB_EXT, 40000, WEBCONF, 443, .seen = SYN_X, .app = LYA_APP_TLS, .service = true },
	  DOCUMENTED,
	  LYA_LEG_BALANCED,
	  NO_SNAT },
	{ "A/V Edge with the source kept",
	  { UDP, STRANGER, 40000, AV, 3478, .seen = CLIENT_X, .app = LYA_APP_STUN,
	    .service = true },
	  DOCUMENTED,
	  LYA_LEG_NONE,
	  NO_SNAT },
	{ "the A/V Edge's own traffic to a stranger",
	  { UDP, AV, 50010, STRANGER, 3478, .seen = CLIENT_X, .app = LYA_APP_STUN,
	    .service = true },
	  DOCUMENTED,
	  LYA_LEG_NONE,
	  NO_SNAT },
};

static enum snat snat_of(const struct lya_verdict *v)
{
	if (v->finding != LYA_FINDING_AV_EDGE_SNAT)
		return NO_SNAT;
	if (v->av_internal)
		return v->av_proven ? PROVEN_INTERNAL : OBSERVED_INTERNAL;
	return v->av_proven ? PROVEN : OBSERVED;
}

static void check(const struct court *c, const struct balancer_case *cases, size_t n)
{
	size_t failed = 0;

	for (size_t i = 0; i < n; i++) {
		const struct balancer_case *k = &cases[i];
		struct lya_verdict v;
		char initiator = judge(c, &k->talk, &v);
		bool named = v.kind != DOCUMENTED || v.n_rules > 0;

		if (v.kind == k->kind && v.leg == k->leg && snat_of(&v) == k->snat &&
		    initiator == 'X' && named)
			continue;
		failed++;
		print_error("%s: %s, opened by %c, leg %u, snat %d, %u rows\n", k->name,
			    lya_verdict_name((enum lya_verdict_kind)v.kind), initiator, v.leg,
			    (int)snat_of(&v), v.n_rules);
	}
	assert_int_equal(failed, 0);
}

static void test_balancer(void **state)
{
	struct court c;

	(void)state;
	court_open(&c, NULL, "site-hlb.json", false);
	check(&c, CASES, LENGTH(CASES));
	court_close(&c);
}

/* Nobody needs to answer a probe, and a refusal is an answer to it. */
static void test_unanswered_probe(void **state)
{
	static const enum lya_flow_state states[] = { LYA_STATE_ATTEMPTED, LYA_STATE_REFUSED };
	static const struct talk talk = { TCP, HLB_INT, 40000, FE01, 5061, .seen = SYN_X };
	struct court c;

	(void)state;
	court_open(&c, NULL, "site-hlb.json", false);
	for (size_t i = 0; i < LENGTH(states); i++) {
		struct lya_policy_end ends[2];
		struct lya_verdict v;
		struct lya_flow f;
		int x = flow_of(&talk, &f);

		f.state = (uint8_t)states[i];
		f.answered = states[i] == LYA_STATE_REFUSED;
		f.packets[x] = 1;
		f.packets[1 - x] = f.answered ? 1 : 0;
		lya_policy_end_of(c.policy, &f.addr[0], &ends[0]);
		lya_policy_end_of(c.policy, &f.addr[1], &ends[1]);
		lya_policy_judge(c.policy, NULL, &f, ends, -1, &v);
		assert_int_equal(v.kind, LYA_VERDICT_DOCUMENTED);
		assert_int_equal(v.leg, LYA_LEG_PROBE);
		assert_int_equal(v.finding, LYA_FINDING_NONE);
	}
	court_close(&c);
}

/* A balancer probes the members behind its own VIPs, in the VIP's own pool. */
static void test_pools(void **state)
{
	static const struct balancer_case cases[] = {
		{ "own member",
		  { TCP, "10.2.0.2", 40000, "10.2.0.11", 5061, .seen = SYN_X },
		  DOCUMENTED,
		  LYA_LEG_PROBE,
		  NO_SNAT },
		{ "another balancer's member",
		  { TCP, "10.2.0.2", 40000, "10.2.0.12", 5061, .seen = SYN_X },
		  NO_PATH,
		  LYA_LEG_NONE,
		  NO_SNAT },
		{ "own A/V Edge",
		  { UDP, "198.51.100.4", 40000, "198.51.100.33", 3478, .seen = NOTHING },
		  DOCUMENTED,
		  LYA_LEG_PROBE,
		  NO_SNAT },
		{ "another pool's A/V Edge",
		  { UDP, "198.51.100.4", 40000, "198.51.100.23", 3478, .seen = NOTHING },
		  NO_PATH,
		  LYA_LEG_NONE,
		  OBSERVED },
		{ "own internal Edge interface",
		  { TCP, "10.1.0.3", 40000, "10.1.0.22", 5061, .seen = SYN_X },
		  DOCUMENTED,
		  LYA_LEG_PROBE,
		  NO_SNAT },
		{ "another pool's",
		  { TCP, "10.1.0.3", 40000, "10.1.0.21", 5061, .seen = SYN_X },
		  NO_PATH,
		  LYA_LEG_NONE,
		  NO_SNAT },
		{ "rewritten to the VIP of the pool",
		  { TCP, "10.1.0.10", 40000, "10.1.0.21", 5061, .seen = SYN_X },
		  DOCUMENTED,
		  LYA_LEG_BALANCED,
		  NO_SNAT },
		{ "rewritten to another pool's VIP",
		  { TCP, "10.1.0.10", 40000, "10.1.0.22", 5061, .seen = SYN_X },
		  NO_PATH,
		  LYA_LEG_NONE,
		  NO_SNAT },
	};
	struct court c;

	(void)state;
	court_open(&c, NULL, "site-pools.json", false);
	check(&c, cases, LENGTH(cases));
	court_close(&c);
}

/* Where no VIP stands, no leg leads past it: 5070 is the VIP's (internal.2.16). */
static void test_no_vip(void **state)
{
	static const char site[] =
	    "{\"schema\": \"lyncaudit-site/1\", \"name\": \"no VIP\","
	    " \"networks\": {\"internal\": [\"10.0.0.0/8\"]}, \"hosts\": ["
	    " {\"name\": \"fe01\", \"roles\": {\"front-end\": [\"10.2.0.11\"]}},"
	    " {\"name\": \"fe02\", \"roles\": {\"front-end\": [\"10.2.0.12\"]}}]}";
	static const struct balancer_case cases[] = {
		{ "front-end to front-end",
		  { TCP, "10.2.0.12", 40000, FE01, 5070, .seen = SYN_X },
		  WRONG_PORT,
		  LYA_LEG_NONE,
		  NO_SNAT },
	};
	struct court c;

	(void)state;
	court_open(&c, site, NULL, false);
	check(&c, cases, LENGTH(cases));
	court_close(&c);
}

/* A probe of a service that the site does not list is still a probe, and no finding. */
static void test_probe_of_feature(void **state)
{
	static const struct talk talk = { TCP, HLB_EXT, 40000, ACCESS, 5269, .seen = SYN_X };
	struct lya_verdict v;
	struct court c;

	(void)state;
	court_open(&c, NULL, "site-bare.json", false);
	judge(&c, &talk, &v);
	assert_int_equal(v.leg, LYA_LEG_PROBE);
	assert_false(v.feature_off);
	court_close(&c);
}

/* One address for all services, behind VIPs of their own. */
static const char SINGLE[] =
    "{\"schema\": \"lyncaudit-site/1\", \"name\": \"one address\", \"timezone\": \"UTC\","
    " \"networks\": {\"internal\": [\"10.0.0.0/8\"]},"
    " \"hosts\": [{\"name\": \"edge01\", \"roles\": {"
    "  \"edge-access\": [\"198.51.100.21\"], \"edge-webconf\": [\"198.51.100.21\"],"
    "  \"edge-av\": [\"198.51.100.21\"], \"edge-internal\": [\"10.1.0.21\"]}},"
    " {\"name\": \"hlb-ext\", \"roles\": {\"hlb\": [\"198.51.100.2\", \"198.51.100.13\"],"
    "  \"edge-access-vip\": [\"198.51.100.11\"], \"edge-webconf-vip\": [\"198.51.100.12\"],"
    "  \"edge-av-vip\": [\"198.51.100.13\"]}}]}";

static void test_single_address(void **state)
{
	static const char node[] = "198.51.100.21";
	static const struct balancer_case cases[] = {
		{ "the Access leg may be rewritten",
		  { TCP, HLB_EXT, 40000, node, 443, .seen = SYN_X, .app = LYA_APP_TLS,
		    .service = true },
		  DOCUMENTED,
		  LYA_LEG_BALANCED,
		  NO_SNAT },
		{ "SIP to 5061 as well",
		  { TCP, HLB_EXT, 40000, node, 5061, .seen = SYN_X, .app = LYA_APP_TLS,
		    .service = true },
		  DOCUMENTED,
		  LYA_LEG_BALANCED,
		  NO_SNAT },
		{ "A/V on the same port may not",
		  { TCP, HLB_EXT, 40000, node, 443, .seen = SYN_X, .app = LYA_APP_PSEUDO_TLS,
		    .service = true },
		  NO_PATH,
		  LYA_LEG_NONE,
		  PROVEN },
		{ "nor from the VIP",
		  { TCP, AV_VIP, 40000, node, 443, .seen = SYN_X, .app = LYA_APP_MSTURN,
		    .service = true },
		  NO_PATH,
		  LYA_LEG_NONE,
		  PROVEN },
		{ "udp 3478 is A/V whatever is in it",
		  { UDP, HLB_EXT, 40000, node, 3478, .app = LYA_APP_UNKNOWN, .service = true },
		  NO_PATH,
		  LYA_LEG_NONE,
		  OBSERVED },
		{ "a probe is one",
		  { TCP, HLB_EXT, 40000, node, 443, .seen = SYN_X },
		  DOCUMENTED,
		  LYA_LEG_PROBE,
		  NO_SNAT },
		{ "not from an address that is a VIP as well",
		  { TCP, AV_VIP, 40000, node, 443, .seen = SYN_X },
		  DOCUMENTED,
		  LYA_LEG_BALANCED,
		  NO_SNAT },
	};
	struct court c;

	(void)state;
	court_open(&c, SINGLE, NULL, false);
	check(&c, cases, LENGTH(cases));
	court_close(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_balancer),         cmocka_unit_test(test_unanswered_probe),
		cmocka_unit_test(test_no_vip),           cmocka_unit_test(test_pools),
		cmocka_unit_test(test_probe_of_feature), cmocka_unit_test(test_single_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
