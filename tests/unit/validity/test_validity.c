/*
 * Limits: what is measured, when it is said, and in which order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "lyncaudit/timeutil.h"
#include "lyncaudit/validity.h"

static char name_a[] = "a.pcap", name_b[] = "b.pcap", broken[] = "bad block length";

static struct lya_source plain(char *name)
{
	return (struct lya_source){ .name = name,
				    .kind = "file",
				    .packets = 100,
				    .bytes = 10000,
				    .first_ns = 0,
				    .last_ns = 100 * LYA_SECOND_NS,
				    .digits = 6 };
}

static struct lya_flow tcp(uint8_t flags0, uint8_t flags1, uint32_t source)
{
	struct lya_flow f = { .transport = 6, .source = source };

	f.acked = ((flags0 | flags1) & 0x10) != 0;
	f.packets[0] = flags0 != 0 ? 3 : 0;
	f.packets[1] = flags1 != 0 ? 3 : 0;
	return f;
}

static const struct lya_limit *find(const struct lya_limit *list, size_t n, const char *kind)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(lya_limit_name(list[i].kind), kind) == 0)
			return &list[i];
	}
	return NULL;
}

/* An unanswered SYN says nothing about the mirror; an ACK into silence does. */
static void test_one_sided(void **state)
{
	struct lya_flow both = tcp(0x12, 0x12, 0), syn = tcp(0x02, 0, 0), ack = tcp(0x12, 0, 0);
	struct lya_flow answer = tcp(0, 0x12, 0), other = tcp(0x10, 0x10, 1), udp = ack;
	struct lya_flow_stats stats = { .flows = 10 };
	struct lya_source sources[2] = { plain(name_a), plain(name_b) };
	struct lya_validity *v;
	struct lya_limit *list;
	uint64_t flows, one_sided;
	size_t n;

	(void)state;
	udp.transport = 17;
	assert_int_equal(lya_validity_new(&v, NULL), LYA_OK);
	assert_int_equal(lya_validity_take(v, &both), LYA_OK);
	assert_int_equal(lya_validity_take(v, &syn), LYA_OK);
	assert_int_equal(lya_validity_take(v, &ack), LYA_OK);
	assert_int_equal(lya_validity_take(v, &answer), LYA_OK);
	assert_int_equal(lya_validity_take(v, &udp), LYA_OK);
	assert_int_equal(lya_validity_take(v, &other), LYA_OK);
	lya_validity_tcp(v, 0, &flows, &one_sided);
	assert_int_equal(flows, 3);
	assert_int_equal(one_sided, 2);
	lya_validity_tcp(v, 7, &flows, &one_sided);
	assert_int_equal(flows, 0);
	assert_int_equal(lya_validity_limits(v, sources, 2, NULL, &stats, NULL, NULL, &list, &n, NULL), LYA_OK);
	assert_int_equal(n, 1);
	assert_string_equal(lya_limit_name(list[0].kind), "one-sided");
	assert_string_equal(list[0].where, "a.pcap");
	assert_true(list[0].share > 0.66 && list[0].share < 0.67);
	assert_non_null(strstr(list[0].what, "2 of 3 TCP flows"));
	lya_limits_free(list, n);
	lya_validity_free(v);
}

/* Two halves merged are the whole. */
static void test_merge(void **state)
{
	struct lya_flow ack = tcp(0x10, 0, 3), both = tcp(0x10, 0x10, 3);
	struct lya_validity *a, *b;
	uint64_t flows, one_sided;

	(void)state;
	assert_int_equal(lya_validity_new(&a, NULL), LYA_OK);
	assert_int_equal(lya_validity_new(&b, NULL), LYA_OK);
	assert_int_equal(lya_validity_take(a, &both), LYA_OK);
	assert_int_equal(lya_validity_take(b, &ack), LYA_OK);
	assert_int_equal(lya_validity_merge(a, b), LYA_OK);
	lya_validity_tcp(a, 3, &flows, &one_sided);
	assert_int_equal(flows, 2);
	assert_int_equal(one_sided, 1);
	lya_validity_free(a);
	lya_validity_free(b);
}

static void test_clean(void **state)
{
	struct lya_source source = plain(name_a);
	struct lya_flow_stats stats = { .flows = 10 };
	struct lya_validity *v;
	struct lya_limit *list;
	size_t n;

	(void)state;
	assert_int_equal(lya_validity_new(&v, NULL), LYA_OK);
	assert_int_equal(lya_validity_limits(v, &source, 1, NULL, &stats, NULL, NULL, &list, &n, NULL), LYA_OK);
	assert_int_equal(n, 0);
	lya_limits_free(list, n);
	lya_validity_free(v);
}

/* Everything at once, in the order of formats.md, each with its share. */
static void test_all(void **state)
{
	static const char *const order[] = { "loss",      "drops",    "duplicates", "snaplen",
					     "gap",       "clock",    "evicted",    "evicted",
					     "evicted",   "evicted",  "evicted",    "truncated",
					     "truncated", "checksums", "unread" };
	static const struct {
		const char *where, *what;
	} evicted[] = {
		{ "flow table", "5 flows were judged before" },
		{ "payload inspection", "4 flows were not listened to" },
		{ "details", "30 times there was no room" },
		{ "fragments", "2 datagrams in fragments" },
		{ "A/V Edge legs", "6 transactions and connections" },
	};
	const struct lya_forgotten forgotten = { .datagrams = 2, .details = 20, .legs = 6 };
	struct lya_source sources[2] = { plain(name_a), plain(name_b) };
	struct lya_source_measures measures[2] = {
		{ .lost = 10,
		  .seen = 90,
		  .duplicates = { 0, 30, 15, 5 },
		  .cut_flags = 3,
		  .cut_ports = 2,
		  .checked = 50,
		  .bad_checksums = 3,
		  .unread = { [LYA_UNREAD_LINK] = 7, [LYA_UNREAD_DEPTH] = 1 },
		  .malformed = 12,
		  .gaps = 1,
		  .gap_ns = 25 * (uint64_t)LYA_SECOND_NS,
		  .back_ns = 1500000000 },
		{ .lost = 0 },
	};
	struct lya_flow_stats stats = { .flows = 10, .evicted = 5, .given_up = 4,
					.details_lost = 10 };
	struct lya_validity *v;
	struct lya_limit *list;
	size_t n;

	(void)state;
	sources[0].dropped = 100;
	sources[0].snapped = 25;
	sources[0].steps_back = 2;
	sources[0].truncated = true;
	sources[1].error = broken;
	assert_int_equal(lya_validity_new(&v, NULL), LYA_OK);
	assert_int_equal(lya_validity_limits(v, sources, 2, measures, &stats, &forgotten, NULL, &list, &n,
					     NULL),
			 LYA_OK);
	assert_int_equal(n, sizeof(order) / sizeof(order[0]));
	for (size_t i = 0; i < n; i++)
		assert_string_equal(lya_limit_name(list[i].kind), order[i]);
	assert_true(find(list, n, "loss")->share == 0.1);
	assert_true(find(list, n, "drops")->share == 0.5);
	assert_true(find(list, n, "duplicates")->share == 0.5);
	assert_true(find(list, n, "snaplen")->share == 0.25);
	assert_true(find(list, n, "gap")->share == 0.25);
	assert_true(find(list, n, "clock")->share == 0.02);
	assert_true(find(list, n, "evicted")->share == 0.5);
	assert_true(find(list, n, "checksums")->share == 0.06);
	assert_true(find(list, n, "unread")->share == 0.2);
	assert_non_null(strstr(find(list, n, "unread")->what,
			       "20 packets could not be read (7 of a link type that is not known, "
			       "1 nested too deep, 12 malformed)"));
	for (size_t i = 0; i < 5; i++) {
		assert_string_equal(list[6 + i].where, evicted[i].where);
		assert_non_null(strstr(list[6 + i].what, evicted[i].what));
	}
	assert_true(list[7].share == 0.4);
	assert_non_null(strstr(find(list, n, "duplicates")->what,
			       "50 packets were second sightings (30 exact, 15 with"));
	assert_non_null(strstr(find(list, n, "snaplen")->what, "3 of them show no TCP flags"));
	assert_non_null(strstr(find(list, n, "snaplen")->what, "2 of them show no ports"));
	assert_non_null(strstr(find(list, n, "clock")->what, "by up to 1.500000 s"));
	assert_non_null(strstr(list[12].what, "bad block length"));
	lya_limits_free(list, n);
	lya_validity_free(v);
}

/* A file in a folder that is no capture was never evidence. */
static void test_skipped(void **state)
{
	struct lya_source source = plain(name_a);
	struct lya_flow_stats stats = { .flows = 1 };
	struct lya_validity *v;
	struct lya_limit *list;
	size_t n;

	(void)state;
	source.skipped = true;
	source.error = broken;
	assert_int_equal(lya_validity_new(&v, NULL), LYA_OK);
	assert_int_equal(lya_validity_limits(v, &source, 1, NULL, &stats, NULL, NULL, &list, &n, NULL), LYA_OK);
	assert_int_equal(n, 0);
	lya_limits_free(list, n);
	lya_validity_free(v);
}

/* Of those that were not judged one is silent as long as a single flow was. */
static void test_none_judged(void **state)
{
	static const struct {
		struct lya_judged judged;
		const char *says;
	} cases[] = {
		{ { 0, 0, 0 }, NULL },
		{ { 154, 153, 0 }, NULL },
		{ { 154, 100, 53 }, NULL },
		{ { 154, 154, 0 }, "154 of 154 flows are out of scope" },
		{ { 154, 150, 4 }, "Of 154 flows 150 are out of scope and 4 undetermined" },
	};
	struct lya_source source = plain(name_a);
	struct lya_flow_stats stats = { .flows = 154 };
	struct lya_validity *v;

	(void)state;
	assert_int_equal(lya_validity_new(&v, NULL), LYA_OK);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct lya_limit *list;
		size_t n;

		assert_int_equal(lya_validity_limits(v, &source, 1, NULL, &stats, NULL,
						     &cases[i].judged, &list, &n, NULL),
				 LYA_OK);
		assert_int_equal(n, cases[i].says != NULL);
		if (n == 1) {
			assert_string_equal(lya_limit_name(list[0].kind), "gap");
			assert_non_null(strstr(list[0].what, cases[i].says));
		}
		lya_limits_free(list, n);
	}
	lya_validity_free(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_sided), cmocka_unit_test(test_merge),
		cmocka_unit_test(test_clean),     cmocka_unit_test(test_all),
		cmocka_unit_test(test_skipped),   cmocka_unit_test(test_none_judged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
