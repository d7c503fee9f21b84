/*
 * test_exception.c - what a site exception waives, and until when.
 *
 * Every flow here runs between a front-end and an internal address without a
 * role: no row lets these talk, so that only the exceptions decide.
 */
#include "judge.h"

#define FE01 "10.2.0.11"
#define FE02 "10.2.0.12"
#define CLIENT "10.20.0.5"
#define OTHER "10.9.0.10"
#define NEXT "10.9.0.11"
#define FAR "10.9.1.10"

static const char SITE[] =
    "{\"schema\": \"lyncaudit-site/1\", \"name\": \"waivers\", \"timezone\": \"Europe/Paris\","
    " \"networks\": {\"internal\": [\"10.0.0.0/8\"], \"clients\": [\"10.20.0.0/16\"]},"
    " \"hosts\": [{\"name\": \"fe01\", \"roles\": {\"front-end\": [\"10.2.0.11\"]}},"
    "  {\"name\": \"fe02\", \"roles\": {\"front-end\": [\"10.2.0.12\"]}}],"
    " \"exceptions\": ["
    "  {\"id\": \"ROLE\", \"from\": \"front-end\", \"to\": \"10.9.0.10\","
    "   \"transport\": \"tcp\", \"ports\": \"1001\", \"reason\": \"r\"},"
    "  {\"id\": \"HOST\", \"from\": \"fe01\", \"to\": \"10.9.0.10\","
    "   \"transport\": \"tcp\", \"ports\": \"1002\", \"reason\": \"r\"},"
    "  {\"id\": \"ADDRESS\", \"from\": \"10.2.0.11\", \"to\": \"10.9.0.10\","
    "   \"transport\": \"tcp\", \"ports\": \"1003\", \"reason\": \"r\"},"
    "  {\"id\": \"NETWORK\", \"from\": \"10.2.0.0/24\", \"to\": \"10.9.0.0/24\","
    "   \"transport\": \"tcp\", \"ports\": \"1004\", \"reason\": \"r\"},"
    "  {\"id\": \"TO-HOST\", \"from\": \"10.9.0.10\", \"to\": \"fe01\","
    "   \"transport\": \"tcp\", \"ports\": \"1005\", \"reason\": \"r\"},"
    "  {\"id\": \"TO-ROLE\", \"from\": \"10.9.0.10\", \"to\": \"front-end\","
    "   \"transport\": \"tcp\", \"ports\": \"1006\", \"reason\": \"r\"},"
    "  {\"id\": \"LIST\", \"from\": \"front-end\", \"to\": \"10.9.0.10\","
    "   \"transport\": \"any\", \"ports\": \"53,88,5000-5010\", \"reason\": \"r\"},"
    "  {\"id\": \"UDP\", \"from\": \"front-end\", \"to\": \"10.9.0.10\","
    "   \"transport\": \"udp\", \"ports\": \"1007\", \"reason\": \"r\"},"
    "  {\"id\": \"ANY-PORT\", \"from\": \"fe02\", \"to\": \"10.9.1.10\","
    "   \"transport\": \"any\", \"ports\": \"any\", \"reason\": \"r\"},"
    "  {\"id\": \"WINTER\", \"from\": \"front-end\", \"to\": \"10.9.0.10\","
    "   \"transport\": \"tcp\", \"ports\": \"2001\", \"reason\": \"r\", \"expires\": "
    "\"2026-11-21\"},"
    "  {\"id\": \"SUMMER\", \"from\": \"front-end\", \"to\": \"10.9.0.10\","
    "   \"transport\": \"tcp\", \"ports\": \"2002\", \"reason\": \"r\", \"expires\": "
    "\"2026-06-30\"},"
    "  {\"id\": \"LONG-DAY\", \"from\": \"front-end\", \"to\": \"10.9.0.10\","
    "   \"transport\": \"tcp\", \"ports\": \"2003\", \"reason\": \"r\", \"expires\": "
    "\"2026-10-25\"},"
    "  {\"id\": \"OLD-FIRST\", \"from\": \"front-end\", \"to\": \"10.9.0.10\","
    "   \"transport\": \"tcp\", \"ports\": \"2004\", \"reason\": \"r\", \"expires\": "
    "\"2026-01-01\"},"
    "  {\"id\": \"NEW-SECOND\", \"from\": \"front-end\", \"to\": \"10.9.0.10\","
    "   \"transport\": \"tcp\", \"ports\": \"2004-2005\", \"reason\": \"r\"},"
    "  {\"id\": \"OLD-SECOND\", \"from\": \"front-end\", \"to\": \"10.9.0.10\","
    "   \"transport\": \"tcp\", \"ports\": \"2005\", \"reason\": \"r\", \"expires\": "
    "\"2026-01-01\"},"
    "  {\"id\": \"NEEDLESS\", \"from\": \"client\", \"to\": \"front-end\","
    "   \"transport\": \"tcp\", \"ports\": \"5061\", \"reason\": \"r\"},"
    "  {\"id\": \"BROWSING\", \"from\": \"client\", \"to\": \"0.0.0.0/0\","
    "   \"transport\": \"tcp\", \"ports\": \"443\", \"reason\": \"r\"}"
    "]}";

static const char *exception_id(const struct court *c, int32_t index)
{
	return index >= 0 ? c->site->exceptions[index].id : "-";
}

static void test_matches(void **state)
{
	static const struct {
		const char *name;
		struct talk talk;
		const char *waived_by; /* "-": not waived */
	} cases[] = {
		{ "role", { TCP, FE01, 40000, OTHER, 1001, .seen = SYN_X }, "ROLE" },
		{ "role, another of its addresses",
		  { TCP, FE02, 40000, OTHER, 1001, .seen = SYN_X },
		  "ROLE" },
		{ "role, another responder", { TCP, FE01, 40000, NEXT, 1001, .seen = SYN_X }, "-" },
		{ "host", { TCP, FE01, 40000, OTHER, 1002, .seen = SYN_X }, "HOST" },
		{ "another host", { TCP, FE02, 40000, OTHER, 1002, .seen = SYN_X }, "-" },
		{ "address", { TCP, FE01, 40000, OTHER, 1003, .seen = SYN_X }, "ADDRESS" },
		{ "another address", { TCP, FE02, 40000, OTHER, 1003, .seen = SYN_X }, "-" },
		{ "networks", { TCP, FE02, 40000, NEXT, 1004, .seen = SYN_X }, "NETWORK" },
		{ "outside the network", { TCP, FE01, 40000, FAR, 1004, .seen = SYN_X }, "-" },
		{ "to a host", { TCP, OTHER, 40000, FE01, 1005, .seen = SYN_X }, "TO-HOST" },
		{ "to another host", { TCP, OTHER, 40000, FE02, 1005, .seen = SYN_X }, "-" },
		{ "to a role", { TCP, OTHER, 40000, FE02, 1006, .seen = SYN_X }, "TO-ROLE" },
		{ "the other way round", { TCP, OTHER, 40000, FE01, 1001, .seen = SYN_X }, "-" },
		{ "from the port", { TCP, FE01, 1001, OTHER, 40000, .seen = SYN_X }, "-" },

		{ "below the list", { TCP, FE01, 40000, OTHER, 52, .seen = SYN_X }, "-" },
		{ "first of the list", { TCP, FE01, 40000, OTHER, 53, .seen = SYN_X }, "LIST" },
		{ "between", { TCP, FE01, 40000, OTHER, 54, .seen = SYN_X }, "-" },
		{ "second of the list", { TCP, FE01, 40000, OTHER, 88, .seen = SYN_X }, "LIST" },
		{ "below the range", { TCP, FE01, 40000, OTHER, 4999, .seen = SYN_X }, "-" },
		{ "the range's first", { TCP, FE01, 40000, OTHER, 5000, .seen = SYN_X }, "LIST" },
		{ "the range's last", { TCP, FE01, 40000, OTHER, 5010, .seen = SYN_X }, "LIST" },
		{ "above the range", { TCP, FE01, 40000, OTHER, 5011, .seen = SYN_X }, "-" },
		{ "any transport", { UDP, FE01, 40000, OTHER, 53, .seen = CLIENT_X }, "LIST" },
		{ "tcp alone", { UDP, FE01, 40000, OTHER, 1001, .seen = CLIENT_X }, "-" },
		{ "udp alone", { UDP, FE01, 40000, OTHER, 1007, .seen = CLIENT_X }, "UDP" },
		{ "udp alone, by tcp", { TCP, FE01, 40000, OTHER, 1007, .seen = SYN_X }, "-" },
		{ "any port", { TCP, FE02, 40000, FAR, 1, .seen = SYN_X }, "ANY-PORT" },
		{ "any port, over udp",
		  { UDP, FE02, 40000, FAR, 65535, .seen = CLIENT_X },
		  "ANY-PORT" },
	};
	struct court c;
	size_t failed = 0;

	(void)state;
	court_open(&c, SITE, NULL, false);
	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct lya_verdict v;
		bool waived;

		judge(&c, &cases[i].talk, &v);
		waived = strcmp(cases[i].waived_by, "-") != 0;
		if (strcmp(exception_id(&c, v.exception), cases[i].waived_by) == 0 &&
		    (v.kind == LYA_VERDICT_WAIVED) == waived)
			continue;
		failed++;
		print_error("%s: %s by %s\n", cases[i].name,
			    lya_verdict_name((enum lya_verdict_kind)v.kind),
			    exception_id(&c, v.exception));
	}
	court_close(&c);
	assert_int_equal(failed, 0);
}

/* The first instant of the day after, where the clocks are `hours` ahead of UTC. */
static int64_t end_of_day(int year, unsigned month, unsigned day, int hours)
{
	int64_t days;

	assert_true(lya_date_days(year, month, day, &days));
	return ((days + 1) * 24 - hours) * 3600 * LYA_SECOND_NS;
}

/* The last day is included, in the site's time zone, and the first packet decides. */
static void test_expiry(void **state)
{
	const struct {
		uint16_t port;
		const char *id;
		int64_t end_ns;
	} cases[] = {
		{ 2001, "WINTER", end_of_day(2026, 11, 21, 1) },
		{ 2002, "SUMMER", end_of_day(2026, 6, 30, 2) },
		/* summer time ends on that day: it begins two hours ahead and ends one ahead */
		{ 2003, "LONG-DAY", end_of_day(2026, 10, 25, 1) },
	};
	struct court c;

	(void)state;
	court_open(&c, SITE, NULL, false);
	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct talk talk = { TCP, FE01, 40000, OTHER, cases[i].port, .seen = SYN_X };
		struct lya_verdict v;

		talk.first_ns = cases[i].end_ns - 1; /* and goes on into the next day */
		judge(&c, &talk, &v);
		assert_int_equal(v.kind, LYA_VERDICT_WAIVED);
		assert_string_equal(exception_id(&c, v.exception), cases[i].id);
		assert_int_equal(v.expired, -1);

		talk.first_ns = cases[i].end_ns;
		judge(&c, &talk, &v);
		assert_int_equal(v.kind, LYA_VERDICT_UNDOCUMENTED_PATH);
		assert_int_equal(v.exception, -1);
		assert_string_equal(exception_id(&c, v.expired), cases[i].id);
	}
	court_close(&c);
}

/* One exception in force is enough, wherever in the list an expired one stands. */
static void test_renewed(void **state)
{
	static const struct talk talks[] = {
		{ TCP, FE01, 40000, OTHER, 2004, .seen = SYN_X },
		{ TCP, FE01, 40000, OTHER, 2005, .seen = SYN_X },
	};
	struct court c;

	(void)state;
	court_open(&c, SITE, NULL, false);
	for (size_t i = 0; i < LENGTH(talks); i++) {
		struct lya_verdict v;

		judge(&c, &talks[i], &v);
		assert_int_equal(v.kind, LYA_VERDICT_WAIVED);
		assert_string_equal(exception_id(&c, v.exception), "NEW-SECOND");
		assert_int_equal(v.expired, -1);
	}
	court_close(&c);
}

/* With less than a certain basis, the orientation that is waived is the one assumed. */
static void test_orientation(void **state)
{
	/* 40 is the lower port: alone it would make fe01 the responder */
	static const struct talk open = { UDP, FE01, 40, OTHER, 53, .first = 'Y' };
	static const struct talk certain = { UDP, FE01, 40, OTHER, 53, .seen = CLIENT_Y };
	struct lya_verdict v;
	struct court c;

	(void)state;
	court_open(&c, SITE, NULL, false);
	assert_int_equal(judge(&c, &open, &v), 'X');
	assert_int_equal(v.kind, LYA_VERDICT_WAIVED);
	assert_int_not_equal(v.grade, LYA_GRADE_CERTAIN);

	assert_int_equal(judge(&c, &certain, &v), 'Y');
	assert_int_not_equal(v.kind, LYA_VERDICT_WAIVED);
	court_close(&c);
}

/* The verdicts that come before waived, and the one that has no ports to compare. */
static void test_order(void **state)
{
	static const struct {
		struct talk talk;
		enum lya_verdict_kind kind;
	} cases[] = {
		{ { TCP, CLIENT, 40000, FE01, 5061, .seen = SYN_X }, LYA_VERDICT_DOCUMENTED },
		{ { TCP, CLIENT, 40000, "203.0.113.9", 443, .seen = SYN_X },
		  LYA_VERDICT_OUT_OF_SCOPE },
		{ { TCP, FE02, 0, FAR, 0, .unknown = LYA_UNKNOWN_FRAGMENT },
		  LYA_VERDICT_UNDETERMINED },
	};
	struct court c;

	(void)state;
	court_open(&c, SITE, NULL, false);
	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct lya_verdict v;

		judge(&c, &cases[i].talk, &v);
		assert_int_equal(v.kind, cases[i].kind);
		assert_int_equal(v.exception, -1);
	}
	court_close(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_matches), cmocka_unit_test(test_expiry),
		cmocka_unit_test(test_renewed), cmocka_unit_test(test_orientation),
		cmocka_unit_test(test_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
