/*
 * test_expect.c - ports that an endpoint mapper named, and names that belong to
 * another host's certificate.
 */
#include "judge.h"

#define CLIENT "10.20.0.5"
#define FE01 "10.2.0.11"
#define FE_VIP "10.2.0.10"
#define DIR01 "10.2.0.21"
#define RP "10.1.0.41"
#define STRANGER "203.0.113.200"

/* Y's mapper named the port that X comes to. */
static const struct {
	const char *name;
	struct talk talk;
	enum lya_verdict_kind kind;
	const char *rule; /* the one named; NULL: whichever */
	bool child;
	bool mismatch; /* DCE/RPC on it is another protocol than documented */
} CASES[] = {
	{ "below every range",
	  { TCP, CLIENT, 50000, FE01, 1040, .seen = SYN_X },
	  LYA_VERDICT_DOCUMENTED,
	  "internal.1.5",
	  true,
	  false },
	{ "inside the media range, whose rows do not document RPC",
	  { TCP, CLIENT, 50000, FE01, 49500, .seen = SYN_X },
	  LYA_VERDICT_DOCUMENTED,
	  "internal.1.5",
	  true,
	  false },
	{ "at the VIP",
	  { TCP, CLIENT, 50000, FE_VIP, 49500, .seen = SYN_X },
	  LYA_VERDICT_DOCUMENTED,
	  "internal.2.3",
	  true,
	  false },
	{ "who may not ask the mapper may not use its answer",
	  { TCP, RP, 50000, FE01, 1040, .seen = SYN_X },
	  LYA_VERDICT_UNEXPECTED_PORT,
	  NULL,
	  false,
	  false },
	{ "a mapper that no row knows",
	  { TCP, CLIENT, 50000, DIR01, 1040, .seen = SYN_X },
	  LYA_VERDICT_UNEXPECTED_PORT,
	  NULL,
	  false,
	  false },
	{ "opened by the server itself",
	  { TCP, CLIENT, 1040, FE01, 49500, .seen = SYN_Y },
	  LYA_VERDICT_DOCUMENTED,
	  NULL,
	  false,
	  true },
	{ "the start missed: the mapper tells who is who",
	  { TCP, CLIENT, 1039, FE01, 1040, .seen = NOTHING },
	  LYA_VERDICT_DOCUMENTED,
	  "internal.1.5",
	  true,
	  false },
	{ "UDP is none of its business",
	  { UDP, STRANGER, 50000, FE01, 1040, .seen = NOTHING },
	  LYA_VERDICT_UNDOCUMENTED_PATH,
	  NULL,
	  false,
	  false },
};

static void test_children(void **state)
{
	struct court c;
	size_t failed = 0;

	(void)state;
	court_open(&c, NULL, "site-hlb.json", false);
	for (size_t i = 0; i < LENGTH(CASES); i++) {
		struct lya_policy_end ends[2];
		struct lya_verdict v;
		struct lya_flow f;
		int x = flow_of(&CASES[i].talk, &f);

		f.app.app = LYA_APP_DCERPC;
		f.app.service_payload = true;
		lya_policy_end_of(c.policy, &f.addr[0], &ends[0]);
		lya_policy_end_of(c.policy, &f.addr[1], &ends[1]);
		lya_policy_judge(c.policy, NULL, &f, ends, -1, &v);
		lya_policy_expect(c.policy, NULL, &f, ends, 1 - x, &v);
		lya_policy_inspect(c.policy, &f, ends, &v);
		if (v.kind == CASES[i].kind && v.payload.rpc_child == CASES[i].child &&
		    (CASES[i].rule == NULL ||
		     strcmp(rule_id(&c, v.rules[0]), CASES[i].rule) == 0) &&
		    (v.payload.finding == LYA_FINDING_PROTOCOL_MISMATCH) == CASES[i].mismatch &&
		    (!CASES[i].child || (v.initiator == x && v.finding == LYA_FINDING_NONE &&
					 v.nearest < 0 && v.mixup < 0)))
			continue;
		failed++;
		print_error("%s: %s by %s%s\n", CASES[i].name,
			    lya_verdict_name((enum lya_verdict_kind)v.kind),
			    v.n_rules > 0 ? rule_id(&c, v.rules[0]) : "-",
			    v.payload.rpc_child ? ", as a child" : "");
	}
	court_close(&c);
	assert_int_equal(failed, 0);
}

static const char NAMED_SITE[] =
    "{\"schema\": \"lyncaudit-site/1\", \"name\": \"n\", \"timezone\": \"UTC\","
    " \"networks\": {\"internal\": [\"10.0.0.0/8\"]}, \"hosts\": ["
    "{\"name\": \"edge01\", \"names\": [\"sip.contoso.com\", \"access.contoso.com\"],"
    "  \"roles\": {\"edge-access\": [\"198.51.100.21\"]}},"
    "{\"name\": \"hlb\", \"names\": [\"pool.contoso.com\"],"
    "  \"roles\": {\"front-end-vip\": [\"10.2.0.10\"]}},"
    "{\"name\": \"fe01.contoso.com\", \"roles\": {\"front-end\": [\"10.2.0.11\"]}},"
    "{\"name\": \"fe02\", \"names\": [\"fe02.contoso.com\", \"shared.contoso.com\"],"
    "  \"roles\": {\"front-end\": [\"10.2.0.12\"]}},"
    "{\"name\": \"rp01\", \"names\": [\"web.contoso.com\", \"shared.contoso.com\"],"
    "  \"roles\": {\"reverse-proxy-external\": [\"198.51.100.41\"],"
    "            \"reverse-proxy-internal\": [\"10.1.0.41\"]}},"
    "{\"name\": \"partner\", \"roles\": {\"federated-partner\": [\"203.0.113.40\"]}}]}";

static const struct {
	const char *name;
	const char *address;
	const char *names[4];
	int32_t shows; /* position of the host in the site; -1: nobody else's */
} CERTIFICATES[] = {
	{ "its own", "198.51.100.21", { "sip.contoso.com" }, -1 },
	{ "another role's", "198.51.100.21", { "web.contoso.com" }, 4 },
	{ "letters large and small", "198.51.100.21", { "Web.Contoso.COM" }, 4 },
	{ "one name of its own is enough",
	  "198.51.100.21",
	  { "web.contoso.com", "access.contoso.com" },
	  -1 },
	{ "a name of nobody", "198.51.100.21", { "www.fabrikam.com" }, -1 },
	{ "the host's name as it stands", "10.2.0.12", { "fe01.contoso.com" }, 2 },
	{ "a label alone is somebody else's", "203.0.113.40", { "edge01.partner.com" }, -1 },
	{ "a member shows the pool's", "10.2.0.11", { "pool.contoso.com" }, -1 },
	{ "a VIP shows a member's", "10.2.0.10", { "fe02.contoso.com" }, -1 },
	{ "a VIP shows another service's", "10.2.0.10", { "web.contoso.com" }, 4 },
	{ "a name of two hosts, shown by one of them",
	  "198.51.100.41",
	  { "shared.contoso.com" },
	  -1 },
	{ "a name of two others: the first", "198.51.100.21", { "shared.contoso.com" }, 3 },
	{ "several of others: the first",
	  "198.51.100.21",
	  { "web.contoso.com", "fe01.contoso.com" },
	  2 },
};

static void test_certificates(void **state)
{
	struct court c;
	size_t failed = 0;

	(void)state;
	court_open(&c, NAMED_SITE, NULL, false);
	for (size_t i = 0; i < LENGTH(CERTIFICATES); i++) {
		struct lya_policy_end end;
		struct lya_addr addr;
		bool own = false;
		int32_t other = -1;

		assert_true(lya_addr_parse(CERTIFICATES[i].address, &addr));
		lya_policy_end_of(c.policy, &addr, &end);
		for (size_t k = 0; k < 4 && CERTIFICATES[i].names[k] != NULL; k++)
			lya_policy_cert_name(c.policy, &end, CERTIFICATES[i].names[k], &own,
					     &other);
		if ((own ? -1 : other) == CERTIFICATES[i].shows)
			continue;
		failed++;
		print_error("%s: own %d, other %d\n", CERTIFICATES[i].name, own, (int)other);
	}
	court_close(&c);
	assert_int_equal(failed, 0);
}

static const struct {
	const char *name;
	const char *client, *server, *sni;
	int32_t asks; /* as above */
} ASKED[] = {
	{ "its own", "10.20.0.5", "10.2.0.12", "fe02.contoso.com", -1 },
	{ "another's", "10.20.0.5", "10.2.0.12", "web.contoso.com", 4 },
	{ "letters large and small", "10.20.0.5", "10.2.0.12", "WEB.contoso.com", 4 },
	{ "of nobody", "10.20.0.5", "10.2.0.12", "meet.contoso.com", -1 },
	{ "of several, it among them", "10.20.0.5", "10.2.0.12", "shared.contoso.com", -1 },
	{ "the pool's, of a member", "10.20.0.5", "10.2.0.11", "pool.contoso.com", -1 },
	{ "a member's, of the VIP", "10.20.0.5", "10.2.0.10", "fe02.contoso.com", -1 },
	{ "of an undeclared host", "10.20.0.5", "10.9.0.9", "web.contoso.com", -1 },
	{ "by the reverse proxy's inner side", "10.1.0.41", "10.2.0.12", "web.contoso.com", -1 },
	{ "by the VIP", "10.2.0.10", "10.2.0.12", "web.contoso.com", -1 },
	{ "by another server", "10.2.0.11", "10.2.0.12", "web.contoso.com", 4 },
};

static void test_asked(void **state)
{
	struct court c;
	size_t failed = 0;

	(void)state;
	court_open(&c, NAMED_SITE, NULL, false);
	for (size_t i = 0; i < LENGTH(ASKED); i++) {
		struct lya_policy_end client, server;
		struct lya_addr addr;
		const char *asked;
		int32_t host;

		assert_true(lya_addr_parse(ASKED[i].client, &addr));
		lya_policy_end_of(c.policy, &addr, &client);
		assert_true(lya_addr_parse(ASKED[i].server, &addr));
		lya_policy_end_of(c.policy, &addr, &server);
		asked = lya_policy_asked(c.policy, &client, &server, ASKED[i].sni, &host);
		if (asked == NULL ? ASKED[i].asks == -1
				  : host == ASKED[i].asks && strcasecmp(asked, ASKED[i].sni) == 0)
			continue;
		failed++;
		print_error("%s: %s\n", ASKED[i].name, asked != NULL ? asked : "nothing");
	}
	court_close(&c);
	assert_int_equal(failed, 0);
}

static void test_covers(void **state)
{
	(void)state;
	assert_true(lya_policy_cert_covers("web.contoso.com", "Web.Contoso.com"));
	assert_false(lya_policy_cert_covers("web.contoso.com", "web.contoso.com.evil.example"));
	assert_true(lya_policy_cert_covers("*.contoso.com", "web.contoso.com"));
	assert_false(lya_policy_cert_covers("*.contoso.com", "contoso.com"));
	assert_false(lya_policy_cert_covers("*.contoso.com", "a.web.contoso.com"));
	assert_false(lya_policy_cert_covers("*.contoso.com", "web"));
	assert_false(lya_policy_cert_covers("*", "web.contoso.com"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_children),
		cmocka_unit_test(test_certificates),
		cmocka_unit_test(test_asked),
		cmocka_unit_test(test_covers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
