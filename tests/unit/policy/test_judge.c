/*
 * test_judge.c - scope, features, moved ports, load balancing modes, the
 * nearest row and the order in which matching rows are named.  Who may talk to
 * whom, row by row, is tests/rules.
 */
#include "judge.h"

#define CLIENT "10.20.0.5"
#define FE01 "10.2.0.11"
#define FE02 "10.2.0.12"
#define FE_VIP "10.2.0.10"
#define DIR01 "10.2.0.21"
#define DIR_VIP "10.2.0.20"
#define MED "10.2.0.31"
#define EDGE_INT "10.1.0.21"
#define RP "10.1.0.41"
#define OTHER "10.9.0.10"
#define ACCESS "198.51.100.21"
#define WEBCONF "198.51.100.22"
#define ACCESS_VIP "198.51.100.11"
#define STRANGER "203.0.113.200"

struct scope_case {
	const char *name;
	struct talk talk;
	enum lya_verdict_kind kind;
};

static const struct scope_case SCOPE[] = {
	/* DHCP is the exception among flows whose end plays no role */
	{ "DHCP discover",
	  { UDP, "0.0.0.0", 68, "255.255.255.255", 67, .seen = NOTHING },
	  LYA_VERDICT_DOCUMENTED },
	{ "DHCP offer, broadcast",
	  { UDP, OTHER, 67, "255.255.255.255", 68, .seen = NOTHING },
	  LYA_VERDICT_DOCUMENTED },
	{ "DHCP to the subnet's broadcast",
	  { UDP, CLIENT, 68, "10.20.255.255", 67, .seen = NOTHING, .group = true },
	  LYA_VERDICT_DOCUMENTED },
	{ "DHCP renewal", { UDP, CLIENT, 68, OTHER, 67, .seen = NOTHING }, LYA_VERDICT_DOCUMENTED },
	{ "DHCP renewal, answer seen first",
	  { UDP, CLIENT, 68, OTHER, 67, .seen = NOTHING, .first = 'Y' },
	  LYA_VERDICT_DOCUMENTED },
	{ "DHCP relay in the client network",
	  { UDP, "10.20.0.1", 67, OTHER, 67, .seen = NOTHING },
	  LYA_VERDICT_DOCUMENTED },
	{ "broadcast to another port",
	  { UDP, CLIENT, 68, "255.255.255.255", 4011, .seen = NOTHING },
	  LYA_VERDICT_OUT_OF_SCOPE },
	{ "broadcast from another port",
	  { UDP, CLIENT, 40000, "255.255.255.255", 67, .seen = NOTHING },
	  LYA_VERDICT_OUT_OF_SCOPE },
	{ "the ports of DHCP over TCP",
	  { TCP, "0.0.0.0", 68, "255.255.255.255", 67, .seen = SYN_X },
	  LYA_VERDICT_OUT_OF_SCOPE },

	/* ends that play no role */
	{ "multicast",
	  { UDP, FE01, 40000, "239.255.255.250", 1900, .seen = NOTHING },
	  LYA_VERDICT_OUT_OF_SCOPE },
	{ "IPv6 multicast",
	  { UDP, "fd00:10:2::11", 546, "ff02::1:2", 547, .seen = NOTHING },
	  LYA_VERDICT_OUT_OF_SCOPE },
	{ "link-local",
	  { UDP, "fe80::1", 5353, FE01, 5353, .seen = NOTHING },
	  LYA_VERDICT_OUT_OF_SCOPE },
	{ "loopback",
	  { TCP, "127.0.0.1", 40000, FE01, 5061, .seen = SYN_X },
	  LYA_VERDICT_OUT_OF_SCOPE },
	{ "a frame to a group",
	  { UDP, FE01, 138, "10.2.0.255", 138, .seen = NOTHING, .group = true },
	  LYA_VERDICT_OUT_OF_SCOPE },

	/* ends without a server's role */
	{ "client to internal",
	  { TCP, CLIENT, 40000, OTHER, 443, .seen = SYN_X },
	  LYA_VERDICT_OUT_OF_SCOPE },
	{ "client to external",
	  { TCP, CLIENT, 40000, STRANGER, 443, .seen = SYN_X },
	  LYA_VERDICT_OUT_OF_SCOPE },
	{ "external to external",
	  { TCP, "203.0.113.9", 40000, STRANGER, 5061, .seen = SYN_X },
	  LYA_VERDICT_OUT_OF_SCOPE },
	{ "client to client, but documented",
	  { TCP, CLIENT, 40000, "10.20.0.9", 6891, .seen = SYN_X },
	  LYA_VERDICT_DOCUMENTED },
	{ "one end with a role is enough",
	  { TCP, STRANGER, 40000, FE01, 9999, .seen = SYN_X },
	  LYA_VERDICT_UNDOCUMENTED_PATH },

	/* ports that could not be known */
	{ "fragment without its head",
	  { UDP, CLIENT, 0, FE01, 0, .seen = NOTHING, .unknown = LYA_UNKNOWN_FRAGMENT },
	  LYA_VERDICT_UNDETERMINED },
	{ "header cut off",
	  { TCP, CLIENT, 0, FE01, 0, .seen = NOTHING, .unknown = LYA_UNKNOWN_CUT },
	  LYA_VERDICT_UNDETERMINED },
	{ "fragment between ends without a role",
	  { UDP, OTHER, 0, STRANGER, 0, .seen = NOTHING, .unknown = LYA_UNKNOWN_FRAGMENT },
	  LYA_VERDICT_OUT_OF_SCOPE },
	{ "fragment to a group address",
	  { UDP, FE01, 0, "239.1.1.1", 0, .seen = NOTHING, .unknown = LYA_UNKNOWN_FRAGMENT },
	  LYA_VERDICT_OUT_OF_SCOPE },
	{ "cut frame to a group",
	  { UDP, FE01, 0, "10.2.0.255", 0, .seen = NOTHING, .unknown = LYA_UNKNOWN_CUT,
	    .group = true },
	  LYA_VERDICT_OUT_OF_SCOPE },
};

static void test_scope(void **state)
{
	struct court c;
	size_t failed = 0;

	(void)state;
	court_open(&c, NULL, "site-hlb.json", false);
	for (size_t i = 0; i < LENGTH(SCOPE); i++) {
		struct lya_verdict v;
		bool judged;

		judge(&c, &SCOPE[i].talk, &v);
		judged = v.kind != LYA_VERDICT_OUT_OF_SCOPE && v.kind != LYA_VERDICT_UNDETERMINED;
		if (v.kind == SCOPE[i].kind &&
		    (judged || (v.finding == LYA_FINDING_NONE && v.n_rules == 0 && v.nearest < 0)))
			continue;
		failed++;
		print_error("%s: %s\n", SCOPE[i].name,
			    lya_verdict_name((enum lya_verdict_kind)v.kind));
	}
	court_close(&c);
	assert_int_equal(failed, 0);
}

/* DHCP is cited by both its rows, and the client is who asks. */
static void test_dhcp_rows(void **state)
{
	static const struct talk talk = { UDP, OTHER, 67, "255.255.255.255", 68, .seen = NOTHING };
	struct lya_verdict v;
	struct court c;

	(void)state;
	court_open(&c, NULL, "site-hlb.json", false);
	judge(&c, &talk, &v);
	assert_int_equal(v.n_rules, 2);
	assert_string_equal(rule_id(&c, v.rules[0]), "internal.4.1");
	assert_string_equal(rule_id(&c, v.rules[1]), "internal.4.12");
	court_close(&c);
}

static void test_features(void **state)
{
	static const struct talk xmpp = { TCP, STRANGER, 40000, ACCESS_VIP, 5269, .seen = SYN_X };
	static const struct talk sip = { TCP, STRANGER, 40000, ACCESS_VIP, 5061, .seen = SYN_X };
	struct lya_verdict v;
	struct court c;

	(void)state;
	court_open(&c, NULL, "site-bare.json", false);
	judge(&c, &xmpp, &v);
	assert_int_equal(v.kind, LYA_VERDICT_DOCUMENTED);
	assert_true(v.feature_off);
	/* edge.3.4 needs federation, internal.4.6 needs nothing: no finding, and that one is named
	 */
	judge(&c, &sip, &v);
	assert_int_equal(v.kind, LYA_VERDICT_DOCUMENTED);
	assert_false(v.feature_off);
	assert_string_equal(rule_id(&c, v.rules[0]), "internal.4.6");
	assert_int_equal(v.n_rules, 2);
	court_close(&c);

	court_open(&c, NULL, "site-hlb.json", false); /* no list: all features */
	judge(&c, &xmpp, &v);
	assert_false(v.feature_off);
	court_close(&c);
}

/* A moved port replaces the row's, and that of its balanced leg. */
static void test_moved(void **state)
{
	static const struct talk vip = {
		TCP, STRANGER, 40000, "198.51.100.12", 444, .seen = SYN_X
	};
	static const struct talk leg = { TCP, STRANGER, 40000, WEBCONF, 444, .seen = SYN_X };
	const struct lya_port_range *ports;
	const struct lya_rule *rule;
	struct lya_verdict v;
	struct court c;
	size_t n;

	(void)state;
	court_open(&c, NULL, "site-hlb.json", false);
	judge(&c, &vip, &v);
	assert_int_equal(v.kind, LYA_VERDICT_UNEXPECTED_PORT);
	court_close(&c);

	court_open(&c, NULL, "site-moved.json", false);
	judge(&c, &vip, &v);
	assert_int_equal(v.kind, LYA_VERDICT_DOCUMENTED);
	assert_string_equal(rule_id(&c, v.rules[0]), "edge.3.6");
	judge(&c, &leg, &v);
	assert_int_equal(v.kind, LYA_VERDICT_DOCUMENTED);
	assert_int_equal(v.leg, LYA_LEG_BALANCED);

	rule = lya_rules_find(c.rules, "edge.3.6");
	assert_non_null(rule);
	ports = lya_policy_ports(c.policy, (size_t)(rule - c.rules->list), &n);
	assert_int_equal(n, 1);
	assert_int_equal(ports[0].first, 444);
	assert_int_equal(ports[0].last, 444);
	assert_string_equal(lya_policy_override(c.policy, (size_t)(rule - c.rules->list))->reason,
			    "one external address");
	rule = lya_rules_find(c.rules, "edge.3.3");
	assert_non_null(rule);
	assert_null(lya_policy_override(c.policy, (size_t)(rule - c.rules->list)));
	court_close(&c);
}

/* Of rows alike in all else, the one with the narrowest range is named: as moved here. */
static void test_narrowed(void **state)
{
	static const char site[] =
	    "{\"schema\": \"lyncaudit-site/1\", \"name\": \"narrowed\","
	    " \"networks\": {\"internal\": [\"10.0.0.0/8\"], \"clients\": [\"10.20.0.0/16\"]},"
	    " \"hosts\": [{\"name\": \"fe01\", \"roles\": {\"front-end\": [\"10.2.0.11\"]}}],"
	    " \"port_overrides\": [{\"rule\": \"internal.4.11\","
	    "  \"ports\": \"50000-50010,50020\", \"reason\": \"application sharing\"}]}";
	static const struct {
		uint16_t port;
		const char *first;
		uint16_t n;
	} cases[] = { { 50010, "internal.4.11", 4 },
		      { 50020, "internal.4.11", 4 },
		      { 50011, "internal.4.8", 3 } };
	struct court c;

	(void)state;
	court_open(&c, site, NULL, false);
	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct talk talk = {
			TCP, CLIENT, 40000, "10.20.0.9", cases[i].port, .seen = SYN_X
		};
		struct lya_verdict v;

		judge(&c, &talk, &v);
		assert_int_equal(v.kind, LYA_VERDICT_DOCUMENTED);
		assert_string_equal(rule_id(&c, v.rules[0]), cases[i].first);
		assert_int_equal(v.n_rules, cases[i].n);
	}
	court_close(&c);
}

/* A row that leaves the port to the application has the port that the site says. */
static void test_any_port_moved(void **state)
{
	static const char site[] =
	    "{\"schema\": \"lyncaudit-site/1\", \"name\": \"one port\","
	    " \"networks\": {\"internal\": [\"10.0.0.0/8\"]},"
	    " \"hosts\": [{\"name\": \"fe01\", \"roles\": {\"front-end\": [\"10.2.0.11\"]}},"
	    "  {\"name\": \"rcc01\", \"roles\": {\"trusted-application\": [\"10.4.0.5\"]}}],"
	    " \"port_overrides\": [{\"rule\": \"internal.p.rcc\", \"ports\": \"5555\","
	    "  \"reason\": \"the line server's own port\"}]}";
	static const struct talk own = { TCP, FE01, 40000, "10.4.0.5", 5555, .seen = SYN_X };
	static const struct talk other = { TCP, FE01, 40000, "10.4.0.5", 6666, .seen = SYN_X };
	struct lya_verdict v;
	struct court c;

	(void)state;
	court_open(&c, site, NULL, false);
	judge(&c, &own, &v);
	assert_int_equal(v.kind, LYA_VERDICT_DOCUMENTED);
	judge(&c, &other, &v);
	assert_int_equal(v.kind, LYA_VERDICT_UNEXPECTED_PORT);
	court_close(&c);
}

static void test_unknown_override(void **state)
{
	static const char text[] =
	    "{\"schema\": \"lyncaudit-site/1\", \"name\": \"moved\","
	    " \"networks\": {\"internal\": [\"10.0.0.0/8\"]},"
	    " \"hosts\": [{\"name\": \"fe01\", \"roles\": {\"front-end\": [\"10.2.0.11\"]}}],"
	    " \"port_overrides\": ["
	    "  {\"rule\": \"edge.3.6\", \"ports\": \"444\", \"reason\": \"r\"},"
	    "  {\"rule\": \"edge.9.9\", \"ports\": \"445\", \"reason\": \"r\"},"
	    "  {\"rule\": \"edge.p.av-no-snat\", \"ports\": \"446\", \"reason\": \"r\"}]}";
	struct lya_diags diags = { 0 };
	struct lya_error err = { 0 };
	struct lya_policy *policy = NULL;
	struct lya_rules *rules;
	struct lya_site *site;

	(void)state;
	assert_int_equal(lya_rules_load(&rules, TEST_SOURCE_DIR "/rules/lync-server-2013", &diags,
					&err),
			 LYA_OK);
	assert_int_equal(lya_site_load_text(&site, "moved.json", text, sizeof(text) - 1, &diags,
					    &err),
			 LYA_OK);
	assert_int_equal(lya_policy_new(&policy, site, rules, false, &diags, &err), LYA_EINPUT);
	assert_null(policy);
	assert_non_null(strstr(err.text, "moved.json"));
	assert_non_null(strstr(err.text, "port_overrides[1].rule"));
	assert_non_null(strstr(err.text, "edge.9.9"));
	assert_null(strstr(err.text, "edge.3.6"));
	assert_int_equal(diags.errors, 2); /* and the statement, which has no ports to move */
	lya_diags_fini(&diags);
	lya_site_free(site);
	lya_rules_free(rules);
}

struct nearest_case {
	const char *name, *site;
	struct talk talk;
	enum lya_finding_type finding;
	const char *nearest; /* NULL: several are equally near */
	enum lya_but but;
	const char *mixup; /* "-": none; NULL: some row, not asserted which */
};

static const struct nearest_case NEAREST[] = {
	{ "443 for 4443 and 8080 for it",
	  "site-hlb.json",
	  { TCP, RP, 40000, FE01, 443, .seen = SYN_X },
	  LYA_FINDING_UNEXPECTED_PORT,
	  NULL,
	  LYA_BUT_PORT,
	  NULL },
	{ "80 for 8080",
	  "site-hlb.json",
	  { TCP, RP, 40000, FE01, 80, .seen = SYN_X },
	  LYA_FINDING_UNEXPECTED_PORT,
	  NULL,
	  LYA_BUT_PORT,
	  NULL },
	{ "5060 for 5061",
	  "site-hlb.json",
	  { TCP, CLIENT, 40000, FE01, 5060, .seen = SYN_X },
	  LYA_FINDING_UNEXPECTED_PORT,
	  "internal.1.3",
	  LYA_BUT_PORT,
	  "internal.1.3" },
	{ "TCP for UDP",
	  "site-hlb.json",
	  { TCP, FE01, 40000, EDGE_INT, 3478, .seen = SYN_X },
	  LYA_FINDING_UNEXPECTED_PORT,
	  "edge.2.4",
	  LYA_BUT_TRANSPORT,
	  "edge.2.4" },
	{ "UDP for TCP",
	  "site-hlb.json",
	  { UDP, MED, 40000, "10.3.0.5", 5081, .seen = CLIENT_X },
	  LYA_FINDING_UNEXPECTED_PORT,
	  "internal.1.25",
	  LYA_BUT_TRANSPORT,
	  "internal.1.25" },
	{ "UDP for TCP, between roles with many rows",
	  "site-hlb.json",
	  { UDP, FE01, 40000, FE02, 448, .seen = CLIENT_X },
	  LYA_FINDING_UNEXPECTED_PORT,
	  "internal.1.36",
	  LYA_BUT_TRANSPORT,
	  "internal.1.36" },
	{ "no mix-up in sight",
	  "site-hlb.json",
	  { TCP, RP, 40000, FE01, 9999, .seen = SYN_X },
	  LYA_FINDING_UNEXPECTED_PORT,
	  NULL,
	  LYA_BUT_PORT,
	  "-" },
	{ "another may do this",
	  "site-hlb.json",
	  { TCP, STRANGER, 40000, MED, 5067, .seen = SYN_X },
	  LYA_FINDING_UNDOCUMENTED_PATH,
	  "internal.1.23",
	  LYA_BUT_INITIATOR,
	  "-" },
	{ "to another it may",
	  "site-hlb.json",
	  { TCP, MED, 40000, STRANGER, 5081, .seen = SYN_X },
	  LYA_FINDING_UNDOCUMENTED_PATH,
	  "internal.1.25",
	  LYA_BUT_RESPONDER,
	  "-" },
	{ "nothing is near",
	  "site-hlb.json",
	  { TCP, FE01, 40000, STRANGER, 12345, .seen = SYN_X },
	  LYA_FINDING_UNDOCUMENTED_PATH,
	  "-",
	  LYA_BUT_NOTHING,
	  "-" },
	{ "direction",
	  "site-hlb.json",
	  { TCP, FE01, 40000, "10.1.0.41", 4443, .seen = SYN_X },
	  LYA_FINDING_WRONG_DIRECTION,
	  NULL,
	  LYA_BUT_DIRECTION,
	  "-" },
	{ "load balancing mode",
	  "site-dns.json",
	  { TCP, CLIENT, 40000, FE_VIP, 5061, .seen = SYN_X },
	  LYA_FINDING_WRONG_LOAD_BALANCING,
	  "internal.2.1",
	  LYA_BUT_MODE,
	  "-" },
	{ "a port that no mode gives the VIP: the mix-up with one that another mode gives",
	  "site-dns.json",
	  { TCP, CLIENT, 40000, FE_VIP, 5060, .seen = SYN_X },
	  LYA_FINDING_WRONG_LOAD_BALANCING,
	  "internal.2.1",
	  LYA_BUT_PORT,
	  "internal.2.1" },
	{ "for the servers behind the VIP",
	  "site-hlb.json",
	  { TCP, FE01, 40000, "10.1.0.10", 4443, .seen = SYN_X },
	  LYA_FINDING_UNEXPECTED_PORT,
	  "edge.2.2",
	  LYA_BUT_RESPONDER,
	  "edge.2.2" },
	{ "no guess about an outside address",
	  "site-hlb.json",
	  { TCP, "198.51.100.31", 40000, STRANGER, 443, .seen = SYN_X },
	  LYA_FINDING_UNEXPECTED_PORT,
	  NULL,
	  LYA_BUT_PORT,
	  "-" },
	{ "nor about what a partner's port was meant to be",
	  "site-hlb.json",
	  { TCP, "198.51.100.31", 40000, STRANGER, 5060, .seen = SYN_X },
	  LYA_FINDING_UNEXPECTED_PORT,
	  NULL,
	  LYA_BUT_PORT,
	  "-" },
	{ "a Mediation VIP has no port with DNS",
	  "site-dns.json",
	  { TCP, FE01, 40000, "10.2.0.30", 5070, .seen = SYN_X },
	  LYA_FINDING_WRONG_LOAD_BALANCING,
	  "internal.2.15",
	  LYA_BUT_MODE,
	  "-" },
};

static bool is_near(const struct court *c, const struct nearest_case *k,
		    const struct lya_verdict *v)
{
	if (v->finding != k->finding || v->but != k->but)
		return false;
	if (k->nearest != NULL && strcmp(rule_id(c, v->nearest), k->nearest) != 0)
		return false;
	if (k->mixup == NULL)
		return v->mixup >= 0;
	return strcmp(rule_id(c, v->mixup), k->mixup) == 0;
}

static void test_nearest(void **state)
{
	size_t failed = 0;

	(void)state;
	for (size_t i = 0; i < LENGTH(NEAREST); i++) {
		struct lya_verdict v;
		struct court c;

		court_open(&c, NULL, NEAREST[i].site, false);
		judge(&c, &NEAREST[i].talk, &v);
		if (!is_near(&c, &NEAREST[i], &v)) {
			failed++;
			print_error("%s: %s, nearest %s but %s, mix-up %s\n", NEAREST[i].name,
				    lya_finding_type_name((enum lya_finding_type)v.finding),
				    rule_id(&c, v.nearest), lya_but_name((enum lya_but)v.but),
				    rule_id(&c, v.mixup));
		}
		court_close(&c);
	}
	assert_int_equal(failed, 0);
}

/* What only the document's own list keeps out is told by that row, and is no mix-up. */
static void test_nearest_strict(void **state)
{
	static const struct {
		struct talk talk;
		uint8_t finding;
		const char *nearest;
		enum lya_but but;
	} cases[] = {
		{ { TCP, CLIENT, 40000, EDGE_INT, 4443, .seen = SYN_X },
		  LYA_FINDING_UNEXPECTED_PORT, "edge.2.2", LYA_BUT_INITIATOR },
		{ { TCP, "198.51.100.31", 40000, STRANGER, 5061, .seen = SYN_X },
		  LYA_FINDING_UNEXPECTED_PORT, "edge.3.5", LYA_BUT_RESPONDER },
		{ { TCP, EDGE_INT, 40000, CLIENT, 5061, .seen = SYN_X },
		  LYA_FINDING_UNDOCUMENTED_PATH, "edge.4.2", LYA_BUT_RESPONDER },
	};
	struct court c;

	(void)state;
	court_open(&c, NULL, "site-hlb.json", true);
	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct lya_verdict v;

		judge(&c, &cases[i].talk, &v);
		assert_int_equal(v.finding, cases[i].finding);
		assert_string_equal(rule_id(&c, v.nearest), cases[i].nearest);
		assert_int_equal(v.but, cases[i].but);
		assert_int_equal(v.mixup, -1);
	}
	court_close(&c);
}

/* The row of a mix-up has the port that was meant. */
static void test_mixup_port(void **state)
{
	static const struct {
		uint16_t found, meant;
	} cases[] = { { 443, 4443 }, { 80, 8080 } };
	struct court c;

	(void)state;
	court_open(&c, NULL, "site-hlb.json", false);
	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct talk talk = { TCP, RP, 40000, DIR01, cases[i].found, .seen = SYN_X };
		const struct lya_port_range *ports;
		struct lya_verdict v;
		bool has = false;
		size_t n;

		judge(&c, &talk, &v);
		assert_true(v.mixup >= 0);
		ports = lya_policy_ports(c.policy, (size_t)v.mixup, &n);
		for (size_t k = 0; k < n; k++)
			has = has ||
			      (ports[k].first <= cases[i].meant && cases[i].meant <= ports[k].last);
		assert_true(has);
	}
	court_close(&c);
}

/* All matching rows are counted, and the most specific one comes first. */
static void test_naming(void **state)
{
	static const struct {
		const char *name;
		struct talk talk;
		const char *first, *second;
		enum lya_leg leg;
	} cases[] = {
		{ "fewest roles",
		  { TCP, CLIENT, 40000, DIR_VIP, 443, .seen = SYN_X },
		  "director.1.5",
		  "internal.2.17",
		  LYA_LEG_NONE },
		{ "fewest roles before narrowest range",
		  { TCP, CLIENT, 40000, FE01, 50000, .seen = SYN_X },
		  "internal.1.28",
		  "internal.1.39",
		  LYA_LEG_NONE },
		{ "narrowest range",
		  { TCP, CLIENT, 40000, FE01, 60000, .seen = SYN_X },
		  "internal.1.10",
		  "internal.1.28",
		  LYA_LEG_NONE },
		{ "order of the rows",
		  { TCP, CLIENT, 40000, FE01, 443, .seen = SYN_X },
		  "internal.1.12",
		  "internal.1.19",
		  LYA_LEG_NONE },
		{ "a row before a leg",
		  { TCP, CLIENT, 40000, DIR01, 443, .seen = SYN_X },
		  "internal.1.44",
		  "director.1.5",
		  LYA_LEG_NONE },
		{ "a leg, by the VIP's row",
		  { TCP, STRANGER, 40000, ACCESS, 443, .seen = SYN_X },
		  "edge.3.3",
		  "internal.4.2",
		  LYA_LEG_BALANCED },
	};
	struct court c;
	size_t failed = 0;

	(void)state;
	court_open(&c, NULL, "site-hlb.json", false);
	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct lya_verdict v;

		judge(&c, &cases[i].talk, &v);
		if (v.kind == LYA_VERDICT_DOCUMENTED && v.n_rules >= 2 && v.leg == cases[i].leg &&
		    strcmp(rule_id(&c, v.rules[0]), cases[i].first) == 0 &&
		    strcmp(rule_id(&c, v.rules[1]), cases[i].second) == 0)
			continue;
		failed++;
		print_error("%s: %u rows: %s, %s\n", cases[i].name, v.n_rules,
			    rule_id(&c, v.n_rules > 0 ? v.rules[0] : -1),
			    rule_id(&c, v.n_rules > 1 ? v.rules[1] : -1));
	}
	court_close(&c);
	assert_int_equal(failed, 0);
}

/* Rules of a table in which each row is narrower than the one before it. */
static void many_rules(struct lya_rules **rules, unsigned n)
{
	static char text[64 * 1024];
	struct lya_diags diags = { 0 };
	struct lya_error err = { 0 };
	int len = snprintf(text, sizeof(text),
			   "{\"schema\": \"lyncaudit-rules/1\", \"document\": {\"key\": \"edge\", "
			   "\"title\": \"T\", \"source\": \"S\"}, \"rules\": [");

	for (unsigned i = 1; i <= n; i++)
		len += snprintf(text + len, sizeof(text) - (size_t)len,
				"%s{\"id\": \"edge.1.%u\", \"title\": \"T\", \"from\": [\"client\"], "
				"\"to\": [\"front-end\"], \"transport\": [\"tcp\"], "
				"\"ports\": [\"1000-%u\"], \"port_of\": \"responder\", "
				"\"strict\": null, \"application\": \"tcp\", \"feature\": null, "
				"\"required\": false, "
				"\"document\": {\"key\": \"edge\", \"table\": 1, \"row\": %u}}",
				i > 1 ? ", " : "", i, 3000 - i, i);
	(void)snprintf(text + len, sizeof(text) - (size_t)len, "]}");
	if (lya_rules_load_text(rules, "many.json", text, strlen(text), &diags, &err) != LYA_OK)
		fail_msg("%s", err.text);
	lya_diags_fini(&diags);
}

/* Of more matching rows than a verdict has room for, the most specific ones are told. */
static void test_more_than_fit(void **state)
{
	enum { ROWS = 60 };
	static const struct talk talk = { TCP, CLIENT, 40000, FE01, 1500, .seen = SYN_X };
	struct lya_diags diags = { 0 };
	struct lya_error err = { 0 };
	struct lya_verdict v;
	struct court c;

	(void)state;
	court_open(&c, NULL, "site-hlb.json", false);
	lya_policy_free(c.policy);
	lya_rules_free(c.rules);
	many_rules(&c.rules, ROWS);
	assert_int_equal(lya_policy_new(&c.policy, c.site, c.rules, false, &diags, &err), LYA_OK);
	judge(&c, &talk, &v);
	assert_int_equal(v.kind, LYA_VERDICT_DOCUMENTED);
	assert_int_equal(v.n_rules, LYA_VERDICT_RULES_MAX);
	for (int i = 0; i < v.n_rules; i++)
		assert_int_equal(v.rules[i], ROWS - 1 - i);
	lya_diags_fini(&diags);
	court_close(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scope),
		cmocka_unit_test(test_dhcp_rows),
		cmocka_unit_test(test_features),
		cmocka_unit_test(test_moved),
		cmocka_unit_test(test_narrowed),
		cmocka_unit_test(test_any_port_moved),
		cmocka_unit_test(test_unknown_override),
		cmocka_unit_test(test_nearest),
		cmocka_unit_test(test_nearest_strict),
		cmocka_unit_test(test_mixup_port),
		cmocka_unit_test(test_naming),
		cmocka_unit_test(test_more_than_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
