/*
 * What is said of a finding: it names hosts, addresses, ports and rows, the
 * likely mix-up, and keeps "tried" apart from "reached".
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "example.h"

enum { WORDS = 4 };

static const struct {
	const char *name, *src;
	uint16_t sport;
	const char *dst;
	uint16_t dport;
	uint8_t transport;
	enum lya_flow_state state;
	enum lya_app app;
	const char *type;
	const char *what[WORDS], *why[WORDS], *fix[WORDS];
} cases[] = {
	{ "internal web site published",
	  "10.1.0.41",
	  50000,
	  "10.2.0.11",
	  443,
	  6,
	  LYA_STATE_ESTABLISHED,
	  LYA_APP_TLS,
	  "unexpected-port",
	  { "rp01 (reverse-proxy-internal, 10.1.0.41)", "reached", "fe01 (front-end, 10.2.0.11)",
	    "tcp 443" },
	  { "rproxy.2.2", "probably tcp 4443 was meant", "443 is the internal web site" },
	  { "On rp01", "tcp 4443 instead", "open that in the inner firewall" } },
	{ "80 for 8080",
	  "10.1.0.41",
	  50000,
	  "10.2.0.11",
	  80,
	  6,
	  LYA_STATE_REFUSED,
	  LYA_APP_NONE,
	  "unexpected-port",
	  { "tried to reach", "the attempt was refused" },
	  { "probably tcp 8080 was meant", "80 is the internal web site" },
	  { "tcp 8080 instead" } },
	{ "SIP in clear",
	  "10.2.0.11",
	  50000,
	  "10.1.0.11",
	  5060,
	  6,
	  LYA_STATE_ATTEMPTED,
	  LYA_APP_NONE,
	  "unexpected-port",
	  { "tried to reach", "hlb-int (edge-internal-vip, 10.1.0.11)", "(not answered)" },
	  { "probably tcp 5061 was meant", "5060 is SIP in clear", "row edge.4.1", "table 4" },
	  { "On fe01", "tcp 5061 instead", "(edge.4.1)" } },
	{ "UDP for TCP",
	  "10.2.0.11",
	  50000,
	  "10.1.0.11",
	  5061,
	  17,
	  LYA_STATE_NONE,
	  LYA_APP_NONE,
	  "unexpected-port",
	  { "udp 5061" },
	  { "tcp 5061 was meant", "the port is right, the transport is not" },
	  { "use tcp 5061" } },
	{ "4443 at the wrong pair",
	  "10.1.0.41",
	  50000,
	  "10.1.0.21",
	  4443,
	  6,
	  LYA_STATE_ATTEMPTED,
	  LYA_APP_NONE,
	  "undocumented-path",
	  { "edge01 (edge-internal, 10.1.0.21)", "tcp 4443", "no document" },
	  { "rproxy.p.4443-caution", "edge.2.2" },
	  { "Nothing got through", "what makes rp01 try edge01 (10.1.0.21) on tcp 4443" } },
	{ "the wrong way round",
	  "10.2.0.11",
	  50000,
	  "10.1.0.41",
	  4443,
	  6,
	  LYA_STATE_ESTABLISHED,
	  LYA_APP_NONE,
	  "wrong-direction",
	  { "fe01 (front-end, 10.2.0.11) opened tcp 4443 to rp01", "the wrong way round" },
	  { "but for the direction", "4443 is used for two different things" },
	  { "Check the rule for tcp 4443 in the inner firewall for exchanged source and destination",
	    "on fe01 (10.2.0.11) opens these connections to rp01 (10.1.0.41)" } },
	{ "from the service port",
	  "10.1.0.21",
	  5061,
	  "10.2.0.11",
	  50123,
	  6,
	  LYA_STATE_ESTABLISHED,
	  LYA_APP_NONE,
	  "wrong-direction",
	  { "edge01", "from its service port tcp 5061" },
	  { "but for the direction" },
	  { "Check the rule for tcp 5061 in the inner firewall" } },
	{ "expired exception",
	  "10.2.0.11",
	  50000,
	  "10.9.0.20",
	  10050,
	  6,
	  LYA_STATE_ESTABLISHED,
	  LYA_APP_NONE,
	  "undocumented-path",
	  { "reached 10.9.0.20 (internal) on tcp 10050" },
	  { "EX-21", "would have waived it, but ended on 2026-06-30" },
	  { "Close the way from fe01 (10.2.0.11) to 10.9.0.20 (tcp 10050) in any firewall between" } },
	{ "stranger",
	  "203.0.113.77",
	  50000,
	  "10.2.0.11",
	  3389,
	  6,
	  LYA_STATE_ESTABLISHED,
	  LYA_APP_NONE,
	  "undocumented-path",
	  { "203.0.113.77 (external) reached fe01" },
	  { "No documented row comes near it." },
	  { "Close the way from 203.0.113.77 to fe01 (10.2.0.11) (tcp 3389) in the outer firewall" } },
	{ "source translation",
	  "198.51.100.2",
	  50000,
	  "198.51.100.23",
	  3478,
	  17,
	  LYA_STATE_NONE,
	  LYA_APP_STUN,
	  "av-edge-snat",
	  { "edge01 (edge-av, 198.51.100.23)", "udp 3478", "hlb-ext (hlb, 198.51.100.2)",
	    "(proven)" },
	  { "edge.p.av-no-snat", "one-way audio" },
	  { "On hlb-ext, turn off source translation (SNAT", "udp 3478",
	    "make hlb-ext the gateway of the A/V Edge" } },
	{ "source translation inside",
	  "10.1.0.2",
	  50000,
	  "10.1.0.21",
	  3478,
	  17,
	  LYA_STATE_NONE,
	  LYA_APP_STUN,
	  "av-edge-snat",
	  { "edge01 (edge-internal, 10.1.0.21)", "hlb-int (hlb, 10.1.0.2)" },
	  { "edge.p.av-no-snat" },
	  { "On hlb-int, turn off source translation",
	    "route the internal client networks through hlb-int by persistent routes" } },
	{ "inside, and outside the table",
	  "10.2.0.12",
	  50000,
	  "192.0.2.80",
	  443,
	  6,
	  LYA_STATE_ESTABLISHED,
	  LYA_APP_NONE,
	  "undocumented-path",
	  { "reached 192.0.2.80 (external) on tcp 443" },
	  { "edge.2.5" },
	  { "Close the way from fe02 (10.2.0.12) to 192.0.2.80 (tcp 443)" } },
	{ "feature",
	  "203.0.113.79",
	  60500,
	  "198.51.100.23",
	  50010,
	  17,
	  LYA_STATE_NONE,
	  LYA_APP_NONE,
	  "feature-not-deployed",
	  { "udp 50000-59999", "\"federation-ocs2007\"" },
	  { "row edge.1.7 of the edge document, table 1" },
	  { "add \"federation-ocs2007\" to the features" } },
	{ "replication to the VIP",
	  "10.2.0.11",
	  50000,
	  "10.1.0.11",
	  4443,
	  6,
	  LYA_STATE_ATTEMPTED,
	  LYA_APP_NONE,
	  "unexpected-port",
	  { "hlb-int (edge-internal-vip, 10.1.0.11) on tcp 4443" },
	  { "for each server behind the VIP, not for the VIP: row edge.2.2" },
	  { "Let fe01 address each of the servers behind hlb-int on tcp 4443 instead of the VIP",
	    "open that in the inner firewall (edge.2.2)" } },
};

static void expect_words(const char *name, const char *text, const char *const words[WORDS])
{
	for (size_t i = 0; i < WORDS && words[i] != NULL; i++) {
		if (strstr(text, words[i]) == NULL)
			print_error("%s: \"%s\" is not in: %s\n", name, words[i], text);
		assert_non_null(strstr(text, words[i]));
	}
	/* A sentence begins and ends like one. */
	assert_true(text[strlen(text) - 1] == '.');
	assert_null(strstr(text, ".."));
	assert_null(strstr(text, "  "));
}

static void test_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct lya_ledger *l = world_ledger(&world, 0);
		struct lya_flow f = world_flow(cases[i].src, cases[i].sport, cases[i].dst,
					       cases[i].dport, cases[i].transport, cases[i].state);
		const struct lya_finding *found;

		f.app.app = (uint8_t)cases[i].app;
		f.app.service_payload = cases[i].app != LYA_APP_NONE;
		if (cases[i].app == LYA_APP_STUN)
			f.app.seen = LYA_SEEN_STUN | LYA_SEEN_TURN;
		world_take(&world, l, &f, NULL, NULL);
		world_finish(l);
		found = world_finding(l, cases[i].type);
		if (found == NULL)
			print_error("%s: no %s\n", cases[i].name, cases[i].type);
		assert_non_null(found);
		expect_words(cases[i].name, found->what, cases[i].what);
		expect_words(cases[i].name, found->why, cases[i].why);
		expect_words(cases[i].name, found->fix, cases[i].fix);
		lya_ledger_free(l);
	}
}

/* Which firewall keeps clients from the server itself depends on the side of the VIP. */
static void test_sticky(void **state)
{
	static const struct {
		const char *client, *vip, *fix;
	} sides[] = {
		{ "203.0.113.50", "198.51.100.13",
		  "Let clients reach each A/V Edge Server's own address on udp 3478 in the outer "
		  "firewall" },
		{ "10.20.1.10", "10.1.0.11",
		  "Let internal clients reach each Edge Server's own internal address on udp 3478 "
		  "in the inner firewall" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(sides) / sizeof(sides[0]); i++) {
		struct lya_ledger *l = world_ledger(&world, 0);
		struct lya_flow f = world_flow(sides[i].client, 50000, sides[i].vip, 3478, 17,
					       LYA_STATE_NONE);
		struct lya_snat_evidence evidence = { .kinds = LYA_SNAT_STICKY_VIP,
						      .internal = i == 1,
						      .client_side = -1 };
		const struct lya_finding *found;

		world_take_snat(&world, l, &f, &evidence);
		world_finish(l);
		found = world_finding(l, "av-edge-snat");
		assert_non_null(found);
		assert_non_null(strstr(found->fix, sides[i].fix));
		lya_ledger_free(l);
	}
}

static const char small_site[] =
    "{\"schema\": \"lyncaudit-site/1\", \"name\": \"small\", \"timezone\": \"UTC\","
    " \"networks\": {\"internal\": [\"10.0.0.0/8\"], \"clients\": [\"10.20.0.0/16\"]},"
    " \"hosts\": [{\"name\": \"edge01\", \"roles\": {\"edge-internal\": [\"10.1.0.21\"]}},"
    "  {\"name\": \"vip\", \"roles\": {\"front-end-vip\": [\"10.2.0.10\"]}},"
    "  {\"name\": \"fe01\", \"roles\": {\"front-end\": [\"10.2.0.11\"]}}],"
    " \"load_balancing\": {\"front-end\": \"dns\"},"
    " \"port_overrides\": [{\"rule\": \"edge.2.2\", \"ports\": \"4445\","
    "  \"reason\": \"moved in 2019\"}],"
    " \"exceptions\": [{\"id\": \"SOON\", \"from\": \"front-end\", \"to\": \"10.9.0.1\","
    "  \"transport\": \"tcp\", \"ports\": \"1433\", \"reason\": \"sql\", \"owner\": \"dba\","
    "  \"expires\": \"2026-11-22\"}]}";

static const struct lya_finding *one_flow(const struct world *w, struct lya_ledger *l,
					  const char *src, const char *dst, uint16_t dport,
					  const char *type)
{
	struct lya_flow f = world_flow(src, 50000, dst, dport, 6, LYA_STATE_ESTABLISHED);

	world_take(w, l, &f, NULL, NULL);
	world_finish(l);
	return world_finding(l, type);
}

/* A moved port is told with the site's reason wherever its row is cited. */
static void test_moved(void **state)
{
	struct world w;
	struct lya_ledger *l;
	const struct lya_finding *found;

	(void)state;
	world_open(&w, small_site);
	l = world_ledger(&w, 0);
	found = one_flow(&w, l, "10.1.0.21", "10.2.0.11", 4445, "wrong-direction");
	assert_non_null(found);
	assert_non_null(strstr(found->why, "edge.2.2"));
	assert_non_null(strstr(found->why, "moved to port 4445 (moved in 2019)"));
	lya_ledger_free(l);
	world_close(&w);
}

static void test_load_balancing(void **state)
{
	struct world w;
	struct lya_ledger *l;
	const struct lya_finding *found;

	(void)state;
	world_open(&w, small_site);
	l = world_ledger(&w, 0);
	found = one_flow(&w, l, "10.20.0.5", "10.2.0.10", 5061, "wrong-load-balancing");
	assert_non_null(found);
	assert_non_null(strstr(found->what, "vip (front-end-vip, 10.2.0.10) on tcp 5061"));
	assert_non_null(strstr(found->fix, "load_balancing"));
	lya_ledger_free(l);
	/* What no mode gives the VIP is a mix-up like any other. */
	l = world_ledger(&w, 0);
	found = one_flow(&w, l, "10.20.0.5", "10.2.0.10", 5060, "wrong-load-balancing");
	assert_non_null(found);
	assert_non_null(strstr(found->why, "probably tcp 5061 was meant, as in row internal.2.1"));
	assert_non_null(strstr(found->fix, "use tcp 5061 of the servers behind the VIP instead"));
	lya_ledger_free(l);
	l = world_ledger(&w, 0);
	found = one_flow(&w, l, "10.20.0.5", "10.2.0.10", 3389, "wrong-load-balancing");
	assert_non_null(found);
	assert_non_null(strstr(found->fix, "close the way from 10.20.0.5 to vip (10.2.0.10)"));
	lya_ledger_free(l);
	world_close(&w);
}

/* A host that only the document's own list leaves out is told so, and no other port. */
static void test_strict(void **state)
{
	static const struct {
		const char *src, *dst;
		uint16_t port;
		const char *why, *fix;
	} unlisted[] = {
		{ "10.20.1.10", "10.1.0.21", 4443,
		  "allows this only from front-end or central-management (--strict), and "
		  "10.20.1.10 is none of these",
		  "If 10.20.1.10 is front-end or central-management, declare that" },
		{ "198.51.100.31", "192.0.2.141", 5061,
		  "allows this only to federated-partner (--strict), and 192.0.2.141 is none of "
		  "these",
		  "If 192.0.2.141 is federated-partner, declare that in the site description; if "
		  "not, close the way from edge02 (198.51.100.31) to 192.0.2.141 (tcp 5061) in "
		  "the outer firewall" },
	};
	struct world w;

	(void)state;
	world_open_strict(&w);
	for (size_t i = 0; i < sizeof(unlisted) / sizeof(unlisted[0]); i++) {
		struct lya_ledger *l = world_ledger(&w, 0);
		const struct lya_finding *found = one_flow(
		    &w, l, unlisted[i].src, unlisted[i].dst, unlisted[i].port, "unexpected-port");

		assert_non_null(found);
		assert_non_null(strstr(found->why, unlisted[i].why));
		assert_non_null(strstr(found->fix, unlisted[i].fix));
		lya_ledger_free(l);
	}
	world_close(&w);
}

/* What nothing tried is told by the reading that is in force. */
static void test_missing_ends(void **state)
{
	static const char *const ends[] = {
		"tried tcp 4443 from any internal address to edge-internal",
		"tried tcp 4443 from front-end or central-management to edge-internal"
	};

	(void)state;
	for (int strict = 0; strict < 2; strict++) {
		struct lya_flow f = world_flow("10.2.0.11", 50000, "10.1.0.21", 8057, 6,
					       LYA_STATE_ESTABLISHED);
		const struct lya_finding *list;
		struct lya_ledger *l;
		struct world w;
		bool said = false;
		size_t n;

		if (strict != 0)
			world_open_strict(&w);
		else
			world_open(&w, NULL);
		l = world_ledger(&w, 0);
		world_take(&w, l, &f, NULL, NULL);
		world_finish(l);
		list = lya_ledger_findings(l, &n);
		for (size_t i = 0; i < n; i++)
			said = said || strstr(list[i].what, ends[strict]) != NULL;
		assert_true(said);
		lya_ledger_free(l);
		world_close(&w);
	}
}

static void test_expiring(void **state)
{
	struct world w;
	struct lya_ledger *l;
	const struct lya_finding *found;

	(void)state;
	world_open(&w, small_site);
	l = world_ledger(&w, 0);
	found = one_flow(&w, l, "10.2.0.11", "10.9.0.1", 1433, "exception-expiring");
	assert_non_null(found);
	assert_string_equal(found->what,
			    "The exception SOON (sql; owner: dba) ends in 1 day, on 2026-11-22.");
	assert_non_null(strstr(found->why, "waived 1 flow of this audit"));
	assert_non_null(strstr(found->fix, "SOON"));
	lya_ledger_free(l);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_sticky),
		cmocka_unit_test(test_moved),
		cmocka_unit_test(test_load_balancing),
		cmocka_unit_test(test_strict),
		cmocka_unit_test(test_missing_ends),
		cmocka_unit_test(test_expiring),
	};

	return cmocka_run_group_tests(tests, open_example, close_example);
}
