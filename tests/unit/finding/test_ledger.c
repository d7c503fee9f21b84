/*
 * Folding, ids, bounds, coverage, matrix, waivers; and that neither the order
 * of the flows nor the number of ledgers matters.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <stddef.h>
#include <cmocka.h>

#include "lyncaudit/digest.h"
#include "example.h"
#include "lot.h"

static size_t findings(const struct lya_ledger *l, const char *type)
{
	size_t n, hits = 0;
	const struct lya_finding *list = lya_ledger_findings(l, &n);

	for (size_t i = 0; i < n; i++)
		hits += strcmp(list[i].type, type) == 0;
	return hits;
}

/* The id that finding.h promises for these parts. */
static void expect_id(const char *id, const char *const *parts, size_t n)
{
	struct lya_digest *d = lya_digest_new();
	char hex[LYA_SHA256_HEX], want[LYA_FINDING_ID];

	for (size_t i = 0; i < n; i++)
		lya_digest_add(d, parts[i], strlen(parts[i]) + 1);
	lya_digest_finish(d, hex);
	(void)snprintf(want, sizeof(want), "F-%.8s", hex);
	assert_string_equal(id, want);
}

/* Same matter, other client port, other time: one finding, sums, first and last. */
static void test_fold(void **state)
{
	static const char *const parts[] = { "unexpected-port",
					     "reverse-proxy-internal",
					     "rp01",
					     "front-end",
					     "fe01",
					     "tcp",
					     "443" };
	struct lya_ledger *l = world_ledger(&world, 0);
	struct lya_flow f =
	    world_flow("10.1.0.41", 50001, "10.2.0.11", 443, 6, LYA_STATE_ESTABLISHED);
	struct lya_flow_findings raised;
	const struct lya_finding *found;
	struct lya_verdict v;

	(void)state;
	world_take(&world, l, &f, &v, &raised);
	assert_int_equal(v.kind, LYA_VERDICT_UNEXPECTED_PORT);
	assert_int_equal(raised.n, 1);
	f = world_flow("10.1.0.41", 50002, "10.2.0.11", 443, 6, LYA_STATE_CLOSED);
	f.first_ns -= 5 * LYA_SECOND_NS;
	f.last_ns += 5 * LYA_SECOND_NS;
	world_take(&world, l, &f, NULL, NULL);
	world_finish(l);
	found = world_finding(l, "unexpected-port");
	assert_non_null(found);
	assert_int_equal(found->flows, 2);
	assert_int_equal(found->packets, 32);
	assert_int_equal(found->bytes, 4200);
	assert_true(found->first_ns == WORLD_TIME - 5 * LYA_SECOND_NS);
	assert_true(found->last_ns == WORLD_TIME + 6 * LYA_SECOND_NS);
	assert_int_equal(found->n_samples, 2);
	assert_int_equal(found->samples[0].sport, 50002); /* the earlier one */
	assert_string_equal(found->initiator.host, "rp01");
	assert_int_equal(found->initiator.role, LYA_ROLE_REVERSE_PROXY_INTERNAL);
	assert_int_equal(found->n_ports, 1);
	assert_int_equal(found->ports[0].first, 443);
	expect_id(found->id, parts, 7);
	assert_string_equal(raised.ids[0], found->id);
	lya_ledger_free(l);
}

/* Another host, port or transport is another matter. */
static void test_apart(void **state)
{
	struct lya_ledger *l = world_ledger(&world, 0);
	struct lya_flow f;

	(void)state;
	f = world_flow("10.1.0.41", 50001, "10.2.0.11", 443, 6, LYA_STATE_ESTABLISHED);
	world_take(&world, l, &f, NULL, NULL);
	f = world_flow("10.1.0.41", 50001, "10.2.0.12", 443, 6, LYA_STATE_ESTABLISHED);
	world_take(&world, l, &f, NULL, NULL);
	f = world_flow("10.1.0.41", 50001, "10.2.0.11", 80, 6, LYA_STATE_ESTABLISHED);
	world_take(&world, l, &f, NULL, NULL);
	f = world_flow("10.1.0.41", 50001, "10.2.0.11", 443, 17, LYA_STATE_NONE);
	world_take(&world, l, &f, NULL, NULL);
	world_finish(l);
	assert_int_equal(findings(l, "unexpected-port"), 4);
	lya_ledger_free(l);
}

/* Undeclared addresses fold by role; the busiest are listed, all are counted. */
static void test_strangers(void **state)
{
	struct lya_ledger *l = world_ledger(&world, 0);
	const struct lya_finding *found;
	char addr[32];

	(void)state;
	for (unsigned i = 0; i < 40; i++) {
		(void)snprintf(addr, sizeof(addr), "192.0.2.%u", i + 1);
		for (unsigned k = 0; k < (i == 7 ? 3u : 1u); k++) {
			struct lya_flow f = world_flow(addr, (uint16_t)(50000 + k), "198.51.100.21",
						       23, 6, LYA_STATE_ATTEMPTED);

			world_take(&world, l, &f, NULL, NULL);
		}
	}
	world_finish(l);
	found = world_finding(l, "unexpected-port");
	assert_non_null(found);
	assert_null(found->initiator.host);
	assert_int_equal(found->initiator.address.family, 0);
	assert_int_equal(found->initiator.distinct, 40);
	assert_false(found->initiator.distinct_estimated);
	assert_int_equal(found->initiator.n_busiest, LYA_FINDING_BUSIEST);
	assert_int_equal(found->initiator.busiest[0].addr.bytes[3], 8);
	assert_int_equal(found->initiator.busiest[0].flows, 3);
	assert_int_equal(found->responder.address.bytes[3], 21);
	lya_ledger_free(l);
}

/* A crowd too large to count one by one: estimate within a tenth, busiest still found. */
static void test_crowd(void **state)
{
	struct lya_ledger *l = world_ledger(&world, 0);
	const struct lya_finding *found;
	char addr[32];

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		struct lya_flow f;

		(void)snprintf(addr, sizeof(addr), "192.%u.%u.7", 1 + i / 250, i % 250);
		f = world_flow(addr, 50000, "198.51.100.21", 23, 6, LYA_STATE_ATTEMPTED);
		world_take(&world, l, &f, NULL, NULL);
		f = world_flow("203.0.113.99", (uint16_t)(1024 + i), "198.51.100.21", 23, 6,
			       LYA_STATE_ATTEMPTED);
		f.first_ns += i;
		world_take(&world, l, &f, NULL, NULL);
	}
	world_finish(l);
	found = world_finding(l, "unexpected-port");
	assert_non_null(found);
	assert_true(found->initiator.distinct_estimated);
	assert_in_range(found->initiator.distinct, 16000, 24000);
	assert_true(found->initiator.busiest[0].estimated);
	assert_int_equal(found->initiator.busiest[0].addr.bytes[3], 99);
	assert_in_range(found->initiator.busiest[0].flows, 10000, 30000);
	lya_ledger_free(l);
}

/* Ten ports stay ten findings, the eleventh makes them a scan; the flow log has both ids. */
static void test_scan(void **state)
{
	static const char *const parts[] = { "unexpected-port", "external", "", "edge-access-vip",
					     "hlb-ext",         "tcp",      "*" };
	for (unsigned ports = 10; ports <= 11; ports++) {
		struct lya_ledger *l = world_ledger(&world, 0);
		struct lya_flow_findings raised;
		const struct lya_finding *found;
		char first_id[LYA_FINDING_ID] = "";

		for (unsigned i = 0; i < ports; i++) {
			struct lya_flow f = world_flow("203.0.113.99", 40000, "198.51.100.11",
						       (uint16_t)(i < 5 ? 20 + i : 1000 + i), 6,
						       LYA_STATE_ATTEMPTED);

			world_take(&world, l, &f, NULL, &raised);
			if (i == 0)
				memcpy(first_id, raised.ids[0], sizeof(first_id));
		}
		world_finish(l);
		assert_int_equal(findings(l, "unexpected-port"), ports == 10 ? 10 : 1);
		if (ports == 10) {
			lya_ledger_free(l);
			continue;
		}
		found = world_finding(l, "unexpected-port");
		assert_int_equal(found->flows, 11);
		assert_int_equal(found->n_ports, 2);
		assert_int_equal(found->ports[0].first, 20);
		assert_int_equal(found->ports[0].last, 24);
		assert_int_equal(found->ports[1].first, 1005);
		assert_int_equal(found->ports[1].last, 1010);
		expect_id(found->id, parts, 7);
		assert_string_equal(raised.scan_ids[0], found->id);
		assert_string_not_equal(first_id, found->id);
		lya_ledger_free(l);
	}
	(void)state;
}

/* What the service port opens itself folds on that port, not on each client's. */
static void test_source_port(void **state)
{
	struct lya_ledger *l = world_ledger(&world, 0);
	const struct lya_finding *found;

	(void)state;
	for (uint16_t port = 49000; port < 49020; port++) {
		struct lya_flow f =
		    world_flow("10.1.0.21", 5061, "10.2.0.11", port, 6, LYA_STATE_ESTABLISHED);
		struct lya_verdict v;

		world_take(&world, l, &f, &v, NULL);
		assert_int_equal(v.kind, LYA_VERDICT_WRONG_DIRECTION);
	}
	world_finish(l);
	found = world_finding(l, "wrong-direction");
	assert_non_null(found);
	assert_true(found->source_port);
	assert_int_equal(found->n_ports, 1);
	assert_int_equal(found->ports[0].first, 5061);
	assert_int_equal(found->flows, 20);
	lya_ledger_free(l);
}

/* Relay ports differ in every call: the range is what the finding is about. */
static void test_relay_ports(void **state)
{
	static const char *const parts[] = { "av-edge-snat", "hlb", "hlb-ext",    "edge-av",
					     "edge01",       "udp", "50000-59999" };
	struct lya_ledger *l = world_ledger(&world, 0);
	const struct lya_finding *found;

	(void)state;
	for (uint16_t port = 50100; port < 50103; port++) {
		struct lya_flow f =
		    world_flow("198.51.100.2", 60500, "198.51.100.23", port, 17, LYA_STATE_NONE);

		f.app.app = LYA_APP_RTP;
		f.app.service_payload = true;
		world_take(&world, l, &f, NULL, NULL);
	}
	world_finish(l);
	found = world_finding(l, "av-edge-snat");
	assert_non_null(found);
	assert_int_equal(found->flows, 3);
	assert_string_equal(found->level, "proven");
	assert_int_equal(found->severity, LYA_SEVERITY_CRITICAL);
	expect_id(found->id, parts, 7);
	/* The broken statement is cited beside the nearest row. */
	assert_int_equal(found->n_rules, 2);
	assert_true(found->rules[0] == world_rule(&world, "edge.p.av-no-snat") ||
		    found->rules[1] == world_rule(&world, "edge.p.av-no-snat"));
	lya_ledger_free(l);
}

static void shuffle(struct lya_flow *lot, uint32_t seed)
{
	for (size_t i = LOT - 1; i > 0; i--) {
		struct lya_flow swap = lot[i];
		size_t k;

		seed = seed * 1664525 + 1013904223;
		k = (seed >> 8) % (i + 1);
		lot[i] = lot[k];
		lot[k] = swap;
	}
}

/* Any order, any split over ledgers, with and without the bound: the same to the letter. */
static void test_order(void **state)
{
	static const size_t bounds[] = { 0, 30, 7 };
	struct lya_flow *lot = calloc(LOT, sizeof(*lot));

	(void)state;
	make_lot(lot);
	for (size_t b = 0; b < 3; b++) {
		struct lya_text want = { 0 };

		for (uint32_t round = 0; round < 6; round++) {
			size_t parts = 1 + round % 3;
			struct lya_ledger *l[3] = { NULL };
			struct lya_text got = { 0 };

			for (size_t i = 0; i < parts; i++)
				l[i] = world_ledger(&world, bounds[b]);
			for (size_t i = 0; i < LOT; i++)
				world_take(&world, l[i % parts], &lot[i], NULL, NULL);
			for (size_t i = 1; i < parts; i++) {
				assert_int_equal(lya_ledger_merge(l[0], l[i]), LYA_OK);
				lya_ledger_free(l[i]);
			}
			world_finish(l[0]);
			put_ledger(round == 0 ? &want : &got, l[0]);
			if (round > 0)
				assert_string_equal(lya_text_str(&got), lya_text_str(&want));
			lya_text_fini(&got);
			lya_ledger_free(l[0]);
			shuffle(lot, round);
		}
		lya_text_fini(&want);
	}
	free(lot);
}

/* The bound holds, keeps the graver types, and counts every flow that it folds away. */
static void test_bound(void **state)
{
	enum { MAX = 12 }; /* more than one pair of ends has ports here, fewer than all have */
	struct lya_ledger *l = world_ledger(&world, MAX);
	struct lya_ledger_counts counts;
	uint64_t kept_flows = 0, raised = 0;
	const struct lya_finding *list;
	char addr[32];
	size_t n;

	(void)state;
	for (unsigned i = 0; i < 30; i++) {
		struct lya_flow f = world_flow("10.2.0.11", 50000, "10.9.0.1",
					       (uint16_t)(7000 + i / 4), 6, LYA_STATE_ESTABLISHED);
		static const char *const other[] = { "10.2.0.12", "10.1.0.41", "10.2.0.41",
						     "10.2.0.51", "10.2.0.21", "10.2.0.22",
						     "10.1.0.21", "10.1.0.22" };

		(void)snprintf(addr, sizeof(addr), "%s", other[i % 8]);
		world_take(&world, l, &f, NULL, NULL);
		f = world_flow(addr, 50000, "10.9.0.1", (uint16_t)(7000 + i), 6,
			       LYA_STATE_ESTABLISHED);
		world_take(&world, l, &f, NULL, NULL);
		raised += 2;
	}
	world_finish(l);
	list = lya_ledger_findings(l, &n);
	for (size_t i = 0; i < n; i++)
		kept_flows += list[i].kind == LYA_FINDING_UNDOCUMENTED_PATH ? list[i].flows : 0;
	assert_in_range(findings(l, "undocumented-path"), 1, MAX);
	lya_ledger_counts(l, &counts);
	assert_int_equal(counts.flows, raised);
	assert_int_equal(counts.folded_flows + kept_flows, raised);
	assert_in_range(counts.folded_findings, 1, counts.folded_flows);
	lya_ledger_free(l);
}

static const struct lya_coverage *coverage_of(const struct lya_ledger *l, const char *id)
{
	size_t n;
	const struct lya_coverage *list = lya_ledger_coverage(l, &n);
	int rule = world_rule(&world, id);

	for (size_t i = 0; i < n; i++) {
		if (list[i].rule == rule)
			return &list[i];
	}
	return NULL;
}

static void test_coverage(void **state)
{
	struct lya_ledger *l = world_ledger(&world, 0);
	struct lya_flow f =
	    world_flow("203.0.113.78", 51002, "198.51.100.11", 443, 6, LYA_STATE_CLOSED);

	(void)state;
	world_take(&world, l, &f, NULL, NULL);
	world_finish(l);
	assert_int_equal(coverage_of(l, "edge.3.3")->status, LYA_COVERAGE_OBSERVED);
	assert_int_equal(coverage_of(l, "edge.3.3")->flows, 1);
	assert_int_equal(coverage_of(l, "edge.3.3")->bytes, 2100);
	/* The twin row in the other document was matched as well. */
	assert_int_equal(coverage_of(l, "internal.4.2")->flows, 1);
	/* Both ends seen, the port not. */
	assert_int_equal(coverage_of(l, "edge.3.4")->status, LYA_COVERAGE_NOT_OBSERVED);
	assert_true(coverage_of(l, "edge.3.4")->first_ns == LYA_TIME_NONE);
	/* No reverse proxy was seen. */
	assert_int_equal(coverage_of(l, "rproxy.2.2")->status, LYA_COVERAGE_NOT_OBSERVABLE);
	/* Strangers were seen, the Web Conferencing VIP was not. */
	assert_int_equal(coverage_of(l, "edge.3.6")->status, LYA_COVERAGE_NOT_OBSERVABLE);
	/* The site does not list federation-ocs2007. */
	assert_int_equal(coverage_of(l, "edge.1.7")->status, LYA_COVERAGE_FEATURE_OFF);
	/* A statement of the prose is no row. */
	assert_null(coverage_of(l, "edge.p.av-no-snat"));
	lya_ledger_free(l);
}

/* Flows and bytes of the matrix add up to all; the highest ports share one row. */
static void test_matrix(void **state)
{
	struct lya_ledger *l = world_ledger(&world, 0);
	const struct lya_matrix_row *rows;
	uint64_t flows = 0, other = 0;
	bool media = false;
	struct lya_flow f;
	size_t n;

	(void)state;
	for (unsigned port = 1; port <= 100; port++) {
		f = world_flow("203.0.113.99", 40000, "198.51.100.11", (uint16_t)port, 6,
			       LYA_STATE_ATTEMPTED);
		world_take(&world, l, &f, NULL, NULL);
	}
	f = world_flow("203.0.113.99", 40000, "198.51.100.23", 50010, 6, LYA_STATE_ESTABLISHED);
	world_take(&world, l, &f, NULL, NULL);
	world_finish(l);
	rows = lya_ledger_matrix(l, &n);
	for (size_t i = 0; i < n; i++) {
		flows += rows[i].flows;
		other += rows[i].other ? rows[i].flows : 0;
		media = media || (rows[i].ports.first == 50000 && rows[i].ports.last == 59999);
	}
	assert_int_equal(flows, 101);
	assert_int_equal(other, 100 - 64);
	assert_true(media);
	lya_ledger_free(l);
}

static const char dated_site[] =
    "{\"schema\": \"lyncaudit-site/1\", \"name\": \"dated\", \"timezone\": \"Europe/Paris\","
    " \"networks\": {\"internal\": [\"10.0.0.0/8\"], \"clients\": [\"10.20.0.0/16\"]},"
    " \"hosts\": [{\"name\": \"fe01\", \"roles\": {\"front-end\": [\"10.2.0.11\"]}}],"
    " \"exceptions\": ["
    "{\"id\": \"FAR\", \"from\": \"front-end\", \"to\": \"10.9.0.1\", \"transport\": \"tcp\","
    " \"ports\": \"1433\", \"reason\": \"sql\", \"expires\": \"2027-06-30\"},"
    "{\"id\": \"NEAR\", \"from\": \"front-end\", \"to\": \"10.9.0.2\", \"transport\": \"tcp\","
    " \"ports\": \"1433\", \"reason\": \"sql\", \"expires\": \"2026-12-21\"},"
    "{\"id\": \"NEXT\", \"from\": \"front-end\", \"to\": \"10.9.0.3\", \"transport\": \"tcp\","
    " \"ports\": \"1433\", \"reason\": \"sql\", \"expires\": \"2026-12-22\"},"
    "{\"id\": \"PAST\", \"from\": \"front-end\", \"to\": \"10.9.0.4\", \"transport\": \"tcp\","
    " \"ports\": \"1433\", \"reason\": \"sql\", \"owner\": \"dba\", \"expires\": \"2026-11-20\"},"
    "{\"id\": \"EVER\", \"from\": \"front-end\", \"to\": \"10.9.0.5\", \"transport\": \"tcp\","
    " \"ports\": \"1433\", \"reason\": \"sql\"}]}";

static bool has_exception(const struct lya_ledger *l, const struct world *w, const char *type,
			  const char *id)
{
	size_t n;
	const struct lya_finding *list = lya_ledger_findings(l, &n);

	for (size_t i = 0; i < n; i++) {
		if (strcmp(list[i].type, type) == 0 &&
		    strcmp(w->site->exceptions[list[i].exception].id, id) == 0)
			return true;
	}
	return false;
}

/* The last packet is of 2026-11-21: thirty days on is 12-21, the last day included. */
static void test_exceptions(void **state)
{
	static const char *const to[] = { "10.9.0.1", "10.9.0.2", "10.9.0.4" };
	struct world w;
	struct lya_ledger *l;
	const struct lya_waiver *waivers;
	size_t n;

	(void)state;
	world_open(&w, dated_site);
	l = world_ledger(&w, 0);
	for (size_t i = 0; i < 3; i++) {
		struct lya_flow f =
		    world_flow("10.2.0.11", 50000, to[i], 1433, 6, LYA_STATE_ESTABLISHED);

		world_take(&w, l, &f, NULL, NULL);
	}
	world_finish(l);
	waivers = lya_ledger_waivers(l, &n);
	assert_int_equal(n, 5);
	assert_string_equal(waivers[0].exception->id, "EVER");
	assert_false(waivers[0].has_days);
	assert_string_equal(waivers[1].exception->id, "FAR");
	assert_int_equal(waivers[1].flows, 1);
	assert_int_equal(waivers[1].days_left, 221); /* formats.md's own example */
	assert_int_equal(waivers[4].days_left, -1);
	assert_true(has_exception(l, &w, "exception-expiring", "NEAR"));
	assert_false(has_exception(l, &w, "exception-expiring", "NEXT"));
	assert_false(has_exception(l, &w, "exception-expiring", "PAST"));
	assert_true(has_exception(l, &w, "exception-unused", "NEXT"));
	assert_true(has_exception(l, &w, "exception-unused", "EVER"));
	assert_false(has_exception(l, &w, "exception-unused", "FAR"));
	/* Needed, but over: that is another thing than unused. */
	assert_false(has_exception(l, &w, "exception-unused", "PAST"));
	assert_true(has_exception(l, &w, "exception-expired", "PAST"));
	assert_int_equal(findings(l, "undocumented-path"), 1);
	lya_ledger_free(l);
	world_close(&w);
}

/* Faults of the site become findings; their id is of type and subject. */
static void test_faults(void **state)
{
	static const char *const parts[] = { "site-vip-missing", "edge-av-vip" };
	char what[] = "W.", why[] = "Y.", fix[] = "F.", place[] = "hosts", about[] = "edge-av-vip";
	struct lya_site_fault fault = {
		"site-vip-missing", "edge.p.public-addresses", place, what, why, fix, about
	};
	struct lya_ledger_end end = { .first_ns = LYA_TIME_NONE, .last_ns = LYA_TIME_NONE,
				      .faults = &fault, .n_faults = 1 };
	struct lya_ledger *l = world_ledger(&world, 0);
	const struct lya_finding *found;

	(void)state;
	assert_int_equal(lya_ledger_finish(l, &end, NULL), LYA_OK);
	found = world_finding(l, "site-vip-missing");
	assert_non_null(found);
	assert_int_equal(found->severity, LYA_SEVERITY_MEDIUM);
	assert_string_equal(found->what, "W.");
	assert_string_equal(found->place, "hosts");
	assert_int_equal(found->n_rules, 1);
	assert_true(found->first_ns == LYA_TIME_NONE);
	expect_id(found->id, parts, 2);
	/* No packet: nothing is said of exceptions that nobody used. */
	assert_int_equal(findings(l, "exception-unused"), 0);
	lya_ledger_free(l);
}

static int note_new(void *ctx, const struct lya_finding *f)
{
	lya_text_addf(ctx, "%s %u\n", f->id, (unsigned)f->n_ports);
	return 0;
}

/* Each finding is told once, a scan once when it begins. */
static void test_news(void **state)
{
	struct lya_text told = { 0 };
	struct lya_ledger_options options = { .on_new = note_new, .ctx = &told };
	struct lya_ledger *l;
	unsigned lines = 0;

	(void)state;
	assert_int_equal(lya_ledger_new(&l, world.policy, &options, NULL), LYA_OK);
	for (unsigned i = 0; i < 30; i++) {
		struct lya_flow f = world_flow("203.0.113.99", 40000, "198.51.100.11",
					       (uint16_t)(100 + i / 2), 6, LYA_STATE_ATTEMPTED);

		world_take(&world, l, &f, NULL, NULL);
	}
	for (const char *c = lya_text_str(&told); *c != '\0'; c++)
		lines += *c == '\n';
	assert_int_equal(lines, 11); /* ten ports, then the scan */
	lya_text_fini(&told);
	lya_ledger_free(l);
}

/* Every allocation may fail: an error, no leak, no crash. */
static void test_no_memory(void **state)
{
	struct lya_flow lot[4];

	(void)state;
	lot[0] = world_flow("10.1.0.41", 50001, "10.2.0.11", 443, 6, LYA_STATE_ESTABLISHED);
	lot[1] = world_flow("10.2.0.11", 50001, "10.9.0.20", 10050, 6, LYA_STATE_ESTABLISHED);
	lot[2] = world_flow("203.0.113.78", 51002, "198.51.100.11", 443, 6, LYA_STATE_CLOSED);
	lot[3] = world_flow("203.0.113.78", 51002, "198.51.100.11", 22, 6, LYA_STATE_ATTEMPTED);
	for (uint64_t fail = 1;; fail++) {
		struct lya_ledger_end end = { .first_ns = WORLD_TIME, .last_ns = WORLD_TIME };
		struct lya_ledger_options options = { 0 };
		struct lya_flow_findings raised;
		struct lya_ledger *l = NULL;
		int rc;

		lya_alloc_fail_at(fail);
		rc = lya_ledger_new(&l, world.policy, &options, NULL);
		for (size_t i = 0; i < 4 && rc == LYA_OK; i++) {
			struct lya_policy_end ends[2];
			struct lya_verdict v;

			lya_policy_end_of(world.policy, &lot[i].addr[0], &ends[0]);
			lya_policy_end_of(world.policy, &lot[i].addr[1], &ends[1]);
			lya_policy_judge(world.policy, NULL, &lot[i], ends, -1, &v);
			rc = lya_ledger_take(l, &lot[i], ends, &v, &raised);
		}
		if (rc == LYA_OK)
			rc = lya_ledger_finish(l, &end, NULL);
		lya_alloc_fail_at(0);
		lya_ledger_free(l);
		if (rc == LYA_OK)
			break;
		assert_int_equal(rc, LYA_ENOMEM);
		assert_true(fail < 5000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fold),        cmocka_unit_test(test_apart),
		cmocka_unit_test(test_strangers),   cmocka_unit_test(test_crowd),
		cmocka_unit_test(test_scan),        cmocka_unit_test(test_source_port),
		cmocka_unit_test(test_relay_ports), cmocka_unit_test(test_order),
		cmocka_unit_test(test_bound),       cmocka_unit_test(test_coverage),
		cmocka_unit_test(test_matrix),      cmocka_unit_test(test_exceptions),
		cmocka_unit_test(test_faults),      cmocka_unit_test(test_news),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, open_example, close_example);
}
