/*
 * The report as a whole: its verdict, its bytes, the flow log's lines.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <stddef.h>
#include <cmocka.h>
#include <unistd.h>

#include "../finding/example.h"
#include "lyncaudit/report.h"
#include "report/report.h"

static char source_name[] = "edge.pcapng";

/* What `write` puts into a file, as text; freed by the caller. */
static char *written(void (*write_it)(struct lya_output *out, void *ctx), void *ctx)
{
	char path[] = "/tmp/lyncaudit-test-XXXXXX";
	int fd = mkstemp(path);
	struct lya_output *out = NULL;
	struct lya_error err;
	FILE *file;
	char *text;
	size_t len;

	assert_true(fd != -1);
	(void)close(fd);
	assert_int_equal(lya_output_open(&out, path, true, &err), LYA_OK);
	write_it(out, ctx);
	assert_int_equal(lya_output_commit(out, &err), LYA_OK);
	file = fopen(path, "rb");
	assert_non_null(file);
	text = calloc(1, 4 << 20);
	assert_non_null(text);
	len = fread(text, 1, (4 << 20) - 1, file);
	text[len] = '\0';
	(void)fclose(file);
	(void)unlink(path);
	return text;
}

static struct lya_source source(void)
{
	return (struct lya_source){ .name = source_name,
				    .kind = "file",
				    .links = { 1 },
				    .n_links = 1,
				    .packets = 10,
				    .bytes = 1000,
				    .first_ns = WORLD_TIME,
				    .last_ns = WORLD_TIME + LYA_SECOND_NS,
				    .digits = 6 };
}

/* flow log ------------------------------------------------------------------------------- */

struct line {
	const struct lya_flow *flow;
	const struct lya_flow_findings *raised;
	struct lya_policy_end ends[2];
	struct lya_verdict verdict;
};

static void write_line(struct lya_output *out, void *ctx)
{
	const struct line *line = ctx;

	lya_report_flow_line(out, world.policy, line->flow, line->ends, &line->verdict,
			     line->raised);
}

static struct line judged(const struct lya_flow *f)
{
	struct line line = { .flow = f };

	lya_policy_end_of(world.policy, &f->addr[0], &line.ends[0]);
	lya_policy_end_of(world.policy, &f->addr[1], &line.ends[1]);
	lya_policy_judge(world.policy, NULL, f, line.ends, -1, &line.verdict);
	return line;
}

/* The example of formats.md; the higher address opens it, so that the sides are turned. */
static void test_flow_line(void **state)
{
	struct lya_flow f =
	    world_flow("10.2.0.12", 51000, "10.1.0.41", 4443, 6, LYA_STATE_ESTABLISHED);
	struct lya_flow_findings raised = { .n = 1,
					    .ids = { "F-3f9c2a71" },
					    .scan_ids = { "F-00000001" } };
	struct line line;
	char *text;

	(void)state;
	f.app.app = LYA_APP_TLS;
	line = judged(&f);
	line.raised = &raised;
	text = written(write_line, &line);
	/* Community ID: base64(SHA-1(0000 0a010029 0a02000c 06 00 115b c738)), worked out apart. */
	assert_string_equal(
	    text,
	    "{\"first\":\"2026-11-21T00:00:00.000000Z\",\"last\":\"2026-11-21T00:00:01.000000Z\","
	    "\"transport\":\"tcp\",\"src\":\"10.2.0.12\",\"sport\":51000,\"dst\":\"10.1.0.41\","
	    "\"dport\":4443,\"src_roles\":[\"front-end\",\"mediation\"],"
	    "\"dst_roles\":[\"reverse-proxy-internal\"],\"basis\":\"syn\",\"grade\":\"certain\","
	    "\"state\":\"established\",\"vlan\":[],\"tunnel\":null,\"packets\":[9,7],"
	    "\"bytes\":[1200,900],\"application\":\"tls\",\"verdict\":\"wrong-direction\","
	    "\"rules\":[],\"leg\":null,\"waiver\":null,\"findings\":[\"F-3f9c2a71\"],"
	    "\"scans\":[\"F-00000001\"],\"community_id\":\"1:/QSRlQ618kvXGzFihAxtn+aioDY=\","
	    "\"rpc_child\":false,\"unknown\":null}\n");
	free(text);
}

static void test_flow_details(void **state)
{
	struct lya_flow f =
	    world_flow("203.0.113.78", 51002, "198.51.100.11", 443, 6, LYA_STATE_CLOSED);
	struct line line;
	char *text;

	(void)state;
	f.path.n_vlan = 2;
	f.path.vlan[0] = 100;
	f.path.vlan[1] = 7;
	f.path.tunnel = LYA_TUN_VXLAN;
	f.path.tunnel_id = 4711;
	f.digits = 9;
	line = judged(&f);
	text = written(write_line, &line);
	assert_non_null(
	    strstr(text, "\"vlan\":[100,7],\"tunnel\":{\"kind\":\"vxlan\",\"id\":4711}"));
	assert_non_null(strstr(text, "\"first\":\"2026-11-21T00:00:00.000000000Z\""));
	assert_non_null(strstr(text, "\"application\":null,\"verdict\":\"documented\""));
	assert_non_null(strstr(text, "\"edge.3.3\""));
	assert_non_null(strstr(text, "\"internal.4.2\""));
	assert_non_null(strstr(text, "\"findings\":[],\"scans\":[]"));
	free(text);

	f = world_flow("10.2.0.11", 51002, "10.2.1.20", 1433, 6, LYA_STATE_CLOSED);
	line = judged(&f);
	text = written(write_line, &line);
	assert_non_null(strstr(text, "\"verdict\":\"waived\",\"rules\":[],\"leg\":null,"
				     "\"waiver\":\"EX-10\""));
	free(text);

	f = world_flow("10.2.0.11", 0, "10.2.1.20", 0, 17, LYA_STATE_NONE);
	f.unknown = LYA_UNKNOWN_FRAGMENT;
	line = judged(&f);
	text = written(write_line, &line);
	assert_non_null(strstr(text, "\"sport\":null"));
	assert_non_null(strstr(text, "\"dport\":null"));
	assert_non_null(strstr(text, "\"verdict\":\"undetermined\""));
	assert_non_null(strstr(text, "\"unknown\":\"fragment\""));
	free(text);
}

/* verdict -------------------------------------------------------------------------------- */

struct trial {
	struct lya_source sources[2];
	struct lya_report_input in;
	struct lya_ledger *ledger;
};

static void trial_open(struct trial *t, const struct lya_flow *flows, size_t n)
{
	*t = (struct trial){ .ledger = world_ledger(&world, 0) };
	for (size_t i = 0; i < n; i++)
		world_take(&world, t->ledger, &flows[i], NULL, NULL);
	world_finish(t->ledger);
	t->sources[0] = source();
	t->in = (struct lya_report_input){
		.run = { .version = "1", .started_ns = WORLD_TIME, .finished_ns = WORLD_TIME },
		.sources = t->sources,
		.n_sources = 1,
		.ledger = t->ledger,
		.fail_on = LYA_SEVERITY_LOW,
	};
}

static void trial_close(struct trial *t)
{
	lya_ledger_free(t->ledger);
}

static int exit_of(const struct trial *t)
{
	return lya_report_exit_status(lya_report_verdict(&t->in));
}

/* Nothing found: 0, and 3 for each reason why not all could be seen. */
static void test_complete(void **state)
{
	struct lya_flow good =
	    world_flow("203.0.113.78", 51002, "198.51.100.11", 443, 6, LYA_STATE_CLOSED);
	struct lya_flow blind = world_flow("10.2.0.11", 0, "10.2.1.20", 0, 17, LYA_STATE_NONE);
	static char message[] = "no capture";
	struct trial t;

	(void)state;
	trial_open(&t, &good, 1);
	assert_int_equal(exit_of(&t), 0);
	t.sources[0].truncated = true;
	assert_int_equal(exit_of(&t), 3);
	t.sources[0] = source();
	t.sources[0].dropped = 1;
	assert_int_equal(exit_of(&t), 3);
	t.sources[0] = source();
	t.sources[0].error = message;
	assert_int_equal(exit_of(&t), 3);
	t.sources[0].skipped = true;
	assert_int_equal(exit_of(&t), 0);
	t.sources[0] = source();
	t.sources[0].snapped = 5; /* a limit, but not incompleteness */
	assert_int_equal(exit_of(&t), 0);
	t.in.flow_stats.evicted = 1;
	assert_int_equal(exit_of(&t), 3);
	t.in.flow_stats.evicted = 0;
	t.in.totals.interrupted = true;
	assert_int_equal(exit_of(&t), 3);
	trial_close(&t);

	blind.unknown = LYA_UNKNOWN_CUT;
	trial_open(&t, &blind, 1);
	assert_int_equal(exit_of(&t), 3);
	trial_close(&t);
}

/* Findings win over incompleteness; --fail-on says from which severity on. */
static void test_fail_on(void **state)
{
	struct lya_flow bad =
	    world_flow("10.1.0.41", 50001, "10.2.0.11", 443, 6, LYA_STATE_ESTABLISHED); /* medium */
	struct trial t;

	(void)state;
	trial_open(&t, &bad, 1);
	assert_int_equal(exit_of(&t), 1);
	t.sources[0].truncated = true;
	assert_int_equal(exit_of(&t), 1);
	t.in.fail_on = LYA_SEVERITY_MEDIUM;
	assert_int_equal(exit_of(&t), 1);
	t.in.fail_on = LYA_SEVERITY_HIGH;
	assert_int_equal(exit_of(&t), 3);
	t.sources[0].truncated = false;
	assert_int_equal(exit_of(&t), 0);
	trial_close(&t);
}

/* info findings (unused exceptions) never fail at the default. */
static void test_info(void **state)
{
	struct lya_flow good =
	    world_flow("203.0.113.78", 51002, "198.51.100.11", 443, 6, LYA_STATE_CLOSED);
	struct lya_ledger_counts counts;
	struct trial t;

	(void)state;
	trial_open(&t, &good, 1);
	lya_ledger_counts(t.ledger, &counts);
	assert_true(counts.findings[LYA_SEVERITY_INFO] > 0);
	assert_int_equal(exit_of(&t), 0);
	t.in.fail_on = LYA_SEVERITY_INFO;
	assert_int_equal(exit_of(&t), 1);
	trial_close(&t);
}

/* JSON ----------------------------------------------------------------------------------- */

static void write_json(struct lya_output *out, void *ctx)
{
	lya_report_json(out, ctx);
}

/* The order of formats.md, and the same bytes whatever the order of the flows. */
static void test_json(void **state)
{
	static const char *const order[] = {
		"\n  \"schema\"",  "\n  \"run\"",      "\n  \"site\"",    "\n  \"rules\"",
		"\n  \"capture\"", "\n  \"validity\"", "\n  \"summary\"", "\n  \"findings\"",
		"\n  \"snat\"",    "\n  \"coverage\"", "\n  \"matrix\"",  "\n  \"waivers\"",
		"\n  \"unseen_hosts\"", "\n  \"edge_addresses\""
	};
	struct lya_flow flows[] = {
		world_flow("10.1.0.41", 50001, "10.2.0.11", 443, 6, LYA_STATE_ESTABLISHED),
		world_flow("10.2.0.11", 50001, "10.9.0.20", 10050, 6, LYA_STATE_ESTABLISHED),
		world_flow("203.0.113.78", 51002, "198.51.100.11", 443, 6, LYA_STATE_CLOSED),
		world_flow("203.0.113.79", 51002, "198.51.100.11", 23, 6, LYA_STATE_REFUSED),
		world_flow("203.0.113.80", 51002, "198.51.100.11", 23, 6, LYA_STATE_ATTEMPTED),
	};
	struct lya_flow turned[5];
	struct trial t;
	char *one, *two, *at;

	(void)state;
	for (size_t i = 0; i < 5; i++)
		turned[4 - i] = flows[i];
	trial_open(&t, flows, 5);
	one = written(write_json, &t.in);
	trial_close(&t);
	trial_open(&t, turned, 5);
	two = written(write_json, &t.in);
	trial_close(&t);
	assert_string_equal(one, two);
	at = one;
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		at = strstr(at, order[i]);
		if (at == NULL)
			print_error("%s is missing or out of order\n", order[i] + 3);
		assert_non_null(at);
	}
	assert_non_null(strstr(one, "\"verdict\": \"non-compliant\""));
	assert_non_null(strstr(one, "\"distinct\": 2"));
	free(one);
	free(two);
}

/* summary -------------------------------------------------------------------------------- */

struct look {
	const struct lya_report_input *in;
	bool colour;
	unsigned width;
};

static void write_summary(struct lya_output *out, void *ctx)
{
	const struct look *look = ctx;

	lya_report_summary(out, look->in, look->colour, look->width);
}

static void test_summary(void **state)
{
	struct lya_flow bad =
	    world_flow("10.1.0.41", 50001, "10.2.0.11", 443, 6, LYA_STATE_ESTABLISHED);
	struct look look = { .colour = false, .width = 72 };
	struct trial t;
	char *text;

	(void)state;
	trial_open(&t, &bad, 1);
	look.in = &t.in;
	text = written(write_summary, &look);
	assert_int_equal(strncmp(text, "NON-COMPLIANT", 13), 0);
	assert_non_null(strstr(text, "Medium: 1 finding\n"));
	assert_non_null(strstr(text, "unexpected-port"));
	assert_non_null(strstr(text, "Fix: On rp01"));
	assert_null(strchr(text, '\033'));
	for (const char *line = text; *line != '\0';) {
		size_t len = strcspn(line, "\n");

		if (strncmp(line, "  ", 2) == 0 && strncmp(line, "      ", 6) == 0)
			assert_true(len <= 72);
		line += len + (line[len] == '\n');
	}
	free(text);
	look.colour = true;
	text = written(write_summary, &look);
	assert_non_null(strstr(text, "\033["));
	free(text);
	trial_close(&t);
}

/* A source's name comes from outside: it must not steer the terminal. */
static void test_summary_escape(void **state)
{
	static char evil[] = "a\033[2J\302\233b.pcap", why[] = "not a capture";
	struct look look = { 0 };
	struct trial t;
	char *text;

	(void)state;
	trial_open(&t, NULL, 0);
	t.sources[0].name = evil;
	t.sources[0].skipped = true;
	t.sources[0].error = why;
	look.in = &t.in;
	text = written(write_summary, &look);
	assert_null(strchr(text, '\033'));
	assert_null(strstr(text, "\302\233"));
	assert_non_null(strstr(text, "a?[2J?b.pcap: not a capture"));
	free(text);
	trial_close(&t);
}

/* Both nodes behind the A/V VIP of the example, and nothing else. */
static void test_snat_pairs(void **state)
{
	struct lya_report_snat_pair *list;
	char text[LYA_ADDR_TEXT];
	size_t n;

	(void)state;
	assert_int_equal(lya_report_snat_pairs(world.site, &list, &n, NULL), LYA_OK);
	assert_int_equal(n, 2);
	assert_string_equal(lya_addr_format(&list[0].vip, text), "198.51.100.13");
	assert_string_equal(lya_addr_format(&list[0].node, text), "198.51.100.23");
	assert_string_equal(lya_addr_format(&list[1].node, text), "198.51.100.33");
	lya_free(list);
}

/* One Edge with one private address for three services: that is one address in use. */
static void test_edge_words(void **state)
{
	static const char site[] =
	    "{\"schema\": \"lyncaudit-site/1\", \"name\": \"t\", \"timezone\": \"UTC\","
	    " \"networks\": {\"internal\": [\"10.0.0.0/8\"]}, \"hosts\": ["
	    "{\"name\": \"edge\", \"roles\": {\"edge-access\": [\"172.16.8.1\"],"
	    " \"edge-webconf\": [\"172.16.8.1\"], \"edge-av\": [\"172.16.8.1\", \"198.51.100.9\"],"
	    " \"edge-internal\": [\"10.1.0.9\"]}}]}";
	struct lya_text words = { 0 };
	struct world w;
	struct lya_ledger *l;
	struct lya_flow f;
	size_t n;

	(void)state;
	world_open(&w, site);
	l = world_ledger(&w, 0);
	f = world_flow("203.0.113.50", 40000, "172.16.8.1", 443, 6, LYA_STATE_CLOSED);
	world_take(&w, l, &f, NULL, NULL);
	world_finish(l);
	report_edge_words(&words, &lya_ledger_edge_pools(l, &n)[0]);
	assert_string_equal(lya_text_str(&words),
			    "0 of 1 declared public IPv4 addresses seen, 1 private in use"
			    "; not seen: 198.51.100.9 (edge-av)");
	lya_text_fini(&words);
	lya_ledger_free(l);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flow_line),  cmocka_unit_test(test_flow_details),
		cmocka_unit_test(test_complete),   cmocka_unit_test(test_fail_on),
		cmocka_unit_test(test_info),       cmocka_unit_test(test_json),
		cmocka_unit_test(test_summary),    cmocka_unit_test(test_summary_escape),
		cmocka_unit_test(test_snat_pairs), cmocka_unit_test(test_edge_words),
	};

	return cmocka_run_group_tests(tests, open_example, close_example);
}
