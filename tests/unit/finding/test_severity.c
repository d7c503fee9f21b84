/*
 * The table of severities, row by row as policy-model has it, from flows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "example.h"
#include "finding/ledger.h"

/* Policy-model's table for findings whose flows got through and meet no special condition. */
static const struct {
	enum lya_finding_type type;
	enum lya_severity usual;
} usual[] = {
	{ LYA_FINDING_WRONG_DIRECTION, LYA_SEVERITY_HIGH },
	{ LYA_FINDING_UNDOCUMENTED_PATH, LYA_SEVERITY_HIGH },
	{ LYA_FINDING_MISSING_MUTUAL_TLS, LYA_SEVERITY_HIGH },
	{ LYA_FINDING_CLEARTEXT, LYA_SEVERITY_HIGH },
	{ LYA_FINDING_SIP_ONE_WAY, LYA_SEVERITY_HIGH },
	{ LYA_FINDING_UNEXPECTED_PORT, LYA_SEVERITY_MEDIUM },
	{ LYA_FINDING_WRONG_LOAD_BALANCING, LYA_SEVERITY_MEDIUM },
	{ LYA_FINDING_PROTOCOL_MISMATCH, LYA_SEVERITY_MEDIUM },
	{ LYA_FINDING_BLOCKED_FLOW, LYA_SEVERITY_MEDIUM },
	{ LYA_FINDING_EDGE_ROUTING, LYA_SEVERITY_MEDIUM },
	{ LYA_FINDING_AV_EDGE_SNAT, LYA_SEVERITY_MEDIUM },
	{ LYA_FINDING_AV_EDGE_RELAY, LYA_SEVERITY_MEDIUM },
	{ LYA_FINDING_IDENTITY_MISMATCH, LYA_SEVERITY_MEDIUM },
	{ LYA_FINDING_EDGE_PRIVATE_ADDRESS, LYA_SEVERITY_MEDIUM },
	{ LYA_FINDING_SITE, LYA_SEVERITY_MEDIUM },
	{ LYA_FINDING_FEATURE_NOT_DEPLOYED, LYA_SEVERITY_LOW },
	{ LYA_FINDING_GATEWAY_MISMATCH, LYA_SEVERITY_LOW },
	{ LYA_FINDING_UNDECLARED_SERVER, LYA_SEVERITY_LOW },
	{ LYA_FINDING_EXCEPTION_EXPIRED, LYA_SEVERITY_LOW },
	{ LYA_FINDING_MISSING_FLOW, LYA_SEVERITY_INFO },
	{ LYA_FINDING_ICE_CHECK, LYA_SEVERITY_INFO },
	{ LYA_FINDING_EXCEPTION_UNUSED, LYA_SEVERITY_INFO },
	{ LYA_FINDING_EXCEPTION_EXPIRING, LYA_SEVERITY_INFO },
};

static void test_usual(void **state)
{
	struct entry e = { .flows = 1, .through = 1 };

	(void)state;
	assert_int_equal(sizeof(usual) / sizeof(usual[0]), LYA_FINDING_TYPES - 1);
	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
		assert_int_equal(severity_of(world.site, usual[i].type,
					     lya_finding_type_name(usual[i].type), &e),
				 usual[i].usual);
}

static enum lya_severity of(enum lya_finding_type type, const struct entry *e)
{
	return severity_of(world.site, type, lya_finding_type_name(type), e);
}

static void test_conditions(void **state)
{
	struct entry proven = { .flows = 1, .through = 1, .proven = true };
	struct entry inside = { .flows = 1, .through = 1, .proven = true, .av_internal = true };
	struct entry external = { .flows = 1, .through = 1, .external = true };
	struct entry asked = { .flows = 1, .through = 1, .shown = INT32_MAX, .asked = 2 };
	struct entry tried = { .flows = 3, .attempted = 2, .refused = 1 };

	(void)state;
	assert_int_equal(of(LYA_FINDING_AV_EDGE_SNAT, &proven), LYA_SEVERITY_CRITICAL);
	assert_int_equal(of(LYA_FINDING_AV_EDGE_SNAT, &inside), LYA_SEVERITY_MEDIUM);
	assert_int_equal(of(LYA_FINDING_CLEARTEXT, &external), LYA_SEVERITY_CRITICAL);
	assert_int_equal(of(LYA_FINDING_MISSING_MUTUAL_TLS, &external), LYA_SEVERITY_HIGH);
	/* What a client asks for says less than a certificate. */
	assert_int_equal(of(LYA_FINDING_IDENTITY_MISMATCH, &asked), LYA_SEVERITY_LOW);
	/* One lower when nothing got through, but only what no document allows. */
	assert_int_equal(of(LYA_FINDING_WRONG_DIRECTION, &tried), LYA_SEVERITY_MEDIUM);
	assert_int_equal(of(LYA_FINDING_UNEXPECTED_PORT, &tried), LYA_SEVERITY_LOW);
	assert_int_equal(of(LYA_FINDING_FEATURE_NOT_DEPLOYED, &tried), LYA_SEVERITY_LOW);
	assert_int_equal(of(LYA_FINDING_AV_EDGE_SNAT, &tried), LYA_SEVERITY_MEDIUM);
}

/* From flows: who got in from where. */
static const struct {
	const char *name, *src, *dst;
	uint16_t dport;
	enum lya_flow_state state;
	const char *type;
	enum lya_severity severity;
} cases[] = {
	{ "stranger inside", "203.0.113.77", "10.2.0.11", 3389, LYA_STATE_ESTABLISHED,
	  "undocumented-path", LYA_SEVERITY_CRITICAL },
	{ "stranger turned away", "203.0.113.77", "10.2.0.11", 3389, LYA_STATE_REFUSED,
	  "undocumented-path", LYA_SEVERITY_HIGH },
	{ "partner inside", "203.0.113.20", "10.2.0.11", 3389, LYA_STATE_CLOSED,
	  "undocumented-path", LYA_SEVERITY_CRITICAL },
	{ "stranger on the inner side of the Edge", "203.0.113.77", "10.1.0.21", 22,
	  LYA_STATE_MIDSTREAM, "undocumented-path", LYA_SEVERITY_CRITICAL },
	{ "stranger on the outer side of the Edge", "203.0.113.77", "198.51.100.21", 22,
	  LYA_STATE_ESTABLISHED, "unexpected-port", LYA_SEVERITY_MEDIUM },
	{ "stranger on the outer side of the proxy", "203.0.113.77", "198.51.100.41", 22,
	  LYA_STATE_ESTABLISHED, "unexpected-port", LYA_SEVERITY_MEDIUM },
	{ "inside among each other", "10.2.0.11", "10.9.0.9", 9999, LYA_STATE_RESET,
	  "undocumented-path", LYA_SEVERITY_HIGH },
};

static void test_flows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct lya_ledger *l = world_ledger(&world, 0);
		struct lya_flow f = world_flow(cases[i].src, 50000, cases[i].dst, cases[i].dport, 6,
					       cases[i].state);
		const struct lya_finding *found;

		world_take(&world, l, &f, NULL, NULL);
		world_finish(l);
		found = world_finding(l, cases[i].type);
		if (found == NULL || found->severity != cases[i].severity)
			print_error("%s: %s\n", cases[i].name,
				    found != NULL ? lya_severity_name(found->severity)
						  : "no finding");
		assert_non_null(found);
		assert_int_equal(found->severity, cases[i].severity);
		lya_ledger_free(l);
	}
}

/* One that got through among many attempts makes the finding what it is. */
static void test_mixed(void **state)
{
	struct lya_ledger *l = world_ledger(&world, 0);

	(void)state;
	for (int i = 0; i < 20; i++) {
		struct lya_flow f = world_flow("10.2.0.11", (uint16_t)(50000 + i), "10.9.0.9", 9999,
					       6, i == 13 ? LYA_STATE_CLOSED : LYA_STATE_ATTEMPTED);

		world_take(&world, l, &f, NULL, NULL);
	}
	world_finish(l);
	assert_int_equal(world_finding(l, "undocumented-path")->severity, LYA_SEVERITY_HIGH);
	lya_ledger_free(l);
}

static const char own_site[] =
    "{\"schema\": \"lyncaudit-site/1\", \"name\": \"own\", \"timezone\": \"UTC\","
    " \"networks\": {\"internal\": [\"10.0.0.0/8\"], \"clients\": [\"10.20.0.0/16\"]},"
    " \"hosts\": [{\"name\": \"fe01\", \"roles\": {\"front-end\": [\"10.2.0.11\"]}}],"
    " \"severities\": {\"undocumented-path\": \"low\", \"av-edge-snat\": \"info\"}}";

/* The site's own severity stands, one lower for attempts; but not for a stranger inside. */
static void test_override(void **state)
{
	struct entry through = { .flows = 1, .through = 1, .proven = true };
	struct entry tried = { .flows = 1, .attempted = 1 };
	struct entry intrusion = { .flows = 1, .through = 1, .intrusion = true };
	struct entry knock = { .flows = 1, .refused = 1, .intrusion = true };
	struct world w;

	(void)state;
	world_open(&w, own_site);
	assert_int_equal(severity_of(w.site, LYA_FINDING_UNDOCUMENTED_PATH, "undocumented-path",
				     &through),
			 LYA_SEVERITY_LOW);
	assert_int_equal(severity_of(w.site, LYA_FINDING_UNDOCUMENTED_PATH, "undocumented-path",
				     &tried),
			 LYA_SEVERITY_INFO);
	assert_int_equal(severity_of(w.site, LYA_FINDING_UNDOCUMENTED_PATH, "undocumented-path",
				     &intrusion),
			 LYA_SEVERITY_CRITICAL);
	assert_int_equal(severity_of(w.site, LYA_FINDING_UNDOCUMENTED_PATH, "undocumented-path",
				     &knock),
			 LYA_SEVERITY_HIGH);
	assert_int_equal(severity_of(w.site, LYA_FINDING_AV_EDGE_SNAT, "av-edge-snat", &through),
			 LYA_SEVERITY_INFO);
	world_close(&w);
}

static void test_names(void **state)
{
	static const char *const names[] = { "critical", "high", "medium", "low", "info" };
	enum lya_severity s;

	(void)state;
	for (unsigned i = 0; i < LYA_SEVERITIES; i++) {
		assert_string_equal(lya_severity_name((enum lya_severity)i), names[i]);
		assert_true(lya_severity_find(names[i], &s));
		assert_int_equal(s, i);
	}
	assert_false(lya_severity_find("severe", &s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_usual),    cmocka_unit_test(test_conditions),
		cmocka_unit_test(test_flows),    cmocka_unit_test(test_mixed),
		cmocka_unit_test(test_override), cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, open_example, close_example);
}
