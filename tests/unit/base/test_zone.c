/*
 * test_zone.c - time zones: what the C library says of the same instants, days of 23 and 25
 * hours, and files that are damaged.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lyncaudit/alloc.h"
#include "lyncaudit/timeutil.h"
#include "lyncaudit/zone.h"

static const char *const zones[] = {
	"UTC",
	"Europe/Paris",
	"Europe/London",
	"Europe/Dublin", /* its summer time is the standard one */
	"Europe/Moscow",
	"Europe/Lisbon",
	"America/New_York",
	"America/Sao_Paulo",
	"America/Santiago", /* changes at midnight */
	"America/Havana",
	"America/St_Johns",
	"America/Nuuk", /* a rule whose time is before the day */
	"Asia/Kolkata",
	"Asia/Kathmandu",
	"Asia/Gaza",
	"Asia/Tehran",
	"Asia/Beirut",
	"Africa/Casablanca",
	"Africa/Monrovia",
	"Atlantic/Azores",
	"Australia/Lord_Howe", /* half an hour of summer time */
	"Australia/Adelaide",
	"Pacific/Apia",
	"Pacific/Kiritimati",
	"Pacific/Chatham",
	"Antarctica/Troll", /* two hours of it */
};

enum { ZONES = sizeof(zones) / sizeof(zones[0]), INSTANTS = 4000 };

static struct lya_zone *load(const char *name)
{
	struct lya_error err = { 0 };
	struct lya_zone *z;

	if (lya_zone_load(&z, name, &err) != LYA_OK)
		fail_msg("%s", err.text);
	return z;
}

static void set_zone(const char *name)
{
	char text[128];

	(void)snprintf(text, sizeof(text), ":%s", name);
	(void)setenv("TZ", text, 1);
	tzset();
}

/* Any instant from 1890 to 2180, and those around changes of our time. */
static int64_t some_instant(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return -2524521600 + (int64_t)*seed * 2 + (*seed >> 7) % 3600;
}

static void test_as_the_library(void **state)
{
	uint32_t seed = 7;

	(void)state;
	for (size_t i = 0; i < ZONES; i++) {
		struct lya_zone *z = load(zones[i]);

		set_zone(zones[i]);
		for (unsigned k = 0; k < INSTANTS; k++) {
			time_t at = (time_t)some_instant(&seed);
			struct tm tm;

			assert_non_null(localtime_r(&at, &tm));
			if (tm.tm_gmtoff != lya_zone_offset(z, at))
				fail_msg("%s at %lld: %d, the library says %ld", zones[i],
					 (long long)at, (int)lya_zone_offset(z, at), tm.tm_gmtoff);
		}
		/* Hour by hour over two years: every change is met. */
		for (time_t at = 1790000000; at < 1790000000 + 2 * 366 * 86400; at += 1799) {
			struct tm tm;

			assert_non_null(localtime_r(&at, &tm));
			if (tm.tm_gmtoff != lya_zone_offset(z, at))
				fail_msg("%s at %lld", zones[i], (long long)at);
		}
		lya_zone_free(z);
	}
}

/* Where a day begins, another day has been before it, and no instant later is of one before. */
static void test_days(void **state)
{
	(void)state;
	for (size_t i = 0; i < ZONES; i++) {
		struct lya_zone *z = load(zones[i]);

		for (int64_t day = 13000; day < 25000; day++) {
			int64_t at = lya_zone_instant(z, day, 0);
			int64_t next = lya_zone_instant(z, day + 1, 0);

			assert_true(next >= at);
			if (next == at)
				continue; /* a day that never was */
			assert_int_equal(lya_zone_day(z, at), day);
			assert_true(lya_zone_day(z, at - 1) <= day);
			assert_int_equal(lya_zone_day(z, next - 1), day);
		}
		lya_zone_free(z);
	}
}

static const struct {
	const char *what, *zone;
	int year;
	unsigned month, day, second;
	int u_year; /* the instant, in UTC */
	unsigned u_month, u_day, u_hour, u_minute;
} cases[] = {
	{ "a winter day", "Europe/Paris", 2026, 11, 21, 0, 2026, 11, 20, 23, 0 },
	{ "a summer day", "Europe/Paris", 2026, 7, 1, 0, 2026, 6, 30, 22, 0 },
	{ "left out: 02:30 is 03:00", "Europe/Paris", 2026, 3, 29, 9000, 2026, 3, 29, 1, 0 },
	{ "twice: the first 02:30", "Europe/Paris", 2026, 10, 25, 9000, 2026, 10, 25, 0, 30 },
	{ "by the rule", "Europe/Paris", 2090, 7, 1, 0, 2090, 6, 30, 22, 0 },
	{ "the other half of the world", "Pacific/Chatham", 2026, 1, 1, 0, 2025, 12, 31, 10, 15 },
	{ "a morning", "America/New_York", 2026, 11, 21, 21600, 2026, 11, 21, 11, 0 },
	{ "begins at one", "America/Sao_Paulo", 2017, 10, 15, 0, 2017, 10, 15, 3, 0 },
	{ "never was", "Pacific/Apia", 2011, 12, 30, 43200, 2011, 12, 30, 10, 0 },
	{ "midnight comes twice: the first", "Atlantic/Azores", 2026, 10, 25, 0, 2026, 10, 25, 0, 0 },
	{ "a quarter past in Nepal", "Asia/Kathmandu", 2026, 1, 1, 0, 2025, 12, 31, 18, 15 },
};

static void test_instants(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct lya_zone *z = load(cases[i].zone);
		int64_t day, utc, wanted, ns;
		char text[LYA_TIME_TEXT];

		assert_true(lya_date_days(cases[i].year, cases[i].month, cases[i].day, &day));
		assert_true(lya_date_days(cases[i].u_year, cases[i].u_month, cases[i].u_day, &utc));
		wanted = ((utc * 24 + cases[i].u_hour) * 60 + cases[i].u_minute) * 60 *
			 LYA_SECOND_NS;
		ns = lya_zone_instant(z, day, cases[i].second);
		if (ns != wanted)
			fail_msg("%s: %s", cases[i].what, lya_time_format(ns, 0, text));
		lya_zone_free(z);
	}
}

static int64_t hours_of(const struct lya_zone *z, int year, unsigned month, unsigned day)
{
	int64_t days;

	assert_true(lya_date_days(year, month, day, &days));
	return (lya_zone_instant(z, days + 1, 0) - lya_zone_instant(z, days, 0)) /
	       (3600 * LYA_SECOND_NS);
}

static void test_short_and_long(void **state)
{
	struct lya_zone *z = load("Europe/Paris");

	(void)state;
	assert_int_equal(hours_of(z, 2026, 3, 29), 23);
	assert_int_equal(hours_of(z, 2026, 10, 25), 25);
	assert_int_equal(hours_of(z, 2026, 11, 21), 24);
	assert_int_equal(hours_of(z, 2150, 3, 29), 23); /* by the rule, for ever */
	lya_zone_free(z);
}

static void test_bounds(void **state)
{
	struct lya_zone *z = load("Europe/Paris");

	(void)state;
	assert_true(lya_zone_instant(z, INT64_MAX, 0) == INT64_MAX);
	assert_true(lya_zone_instant(z, INT64_MIN, 0) == INT64_MIN + 1);
	assert_true(lya_zone_instant(z, 2932896, 0) == INT64_MAX); /* 9999-12-31 */
	(void)lya_zone_day(z, INT64_MAX);
	(void)lya_zone_day(z, INT64_MIN);
	(void)lya_zone_offset(z, INT64_MAX);
	(void)lya_zone_offset(z, INT64_MIN);
	lya_zone_free(z);
}

static void test_names(void **state)
{
	static const char *const wrong[] = { "", "/etc/passwd", "../../etc/passwd", "Mars/Olympus",
					     "Europe", "Europe/Paris\n", "zone.tab", "." };

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct lya_error err = { 0 };
		struct lya_zone *z;

		assert_int_equal(lya_zone_load(&z, wrong[i], &err), LYA_EINPUT);
		assert_null(z);
		assert_true(err.text[0] != '\0');
	}
}

/* A file of our own: version 2, one change, and a rule. */
static size_t make_file(uint8_t *out, const char *rule)
{
	static const uint8_t header[44] = { 'T', 'Z', 'i', 'f', '2', [43] = 8 };
	uint8_t *p = out;

	for (uint8_t block = 0; block < 2; block++) {
		memcpy(p, header, sizeof(header));
		p[35] = block;     /* times: one in the second block */
		p[39] = (uint8_t)(1 + block); /* types */
		p += sizeof(header);
		if (block == 1) {
			static const uint8_t at[8] = { 0, 0, 0, 0, 0x60, 0, 0, 0 };

			memcpy(p, at, 8);
			p[8] = 1; /* its type */
			p += 9;
		}
		for (unsigned type = 0; type <= block; type++) {
			const uint8_t ttinfo[6] = { 0, 0, 0x0e, (uint8_t)(0x10 * (type + 1)), 0, 0 };

			memcpy(p, ttinfo, 6);
			p += 6;
		}
		memcpy(p, "LMT\0CET", 8);
		p += 8;
	}
	p += sprintf((char *)p, "\n%s\n", rule);
	return (size_t)(p - out);
}

static int parse(const uint8_t *data, size_t len, struct lya_zone **z)
{
	uint8_t *exact = malloc(len + (len == 0));
	int rc;

	memcpy(exact, data, len);
	rc = lya_zone_parse(z, "zone", exact, len, NULL);
	free(exact);
	return rc;
}

static void test_file(void **state)
{
	uint8_t file[256];
	size_t len = make_file(file, "CET-1CEST,M3.5.0,M10.5.0/3");
	struct lya_zone *z;

	(void)state;
	assert_int_equal(parse(file, len, &z), LYA_OK);
	assert_int_equal(lya_zone_offset(z, 0), 0x0e10);
	assert_int_equal(lya_zone_offset(z, 0x60000000 - 1), 0x0e10);
	assert_int_equal(lya_zone_offset(z, 1782864000), 7200); /* 2026-07-01 */
	lya_zone_free(z);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(parse(file, i, &z), LYA_EINPUT);
	for (size_t i = 0; i < len; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			file[i] ^= (uint8_t)(1 << bit);
			if (parse(file, len, &z) == LYA_OK) {
				(void)lya_zone_instant(z, 20000, 0);
				lya_zone_free(z);
			}
			file[i] ^= (uint8_t)(1 << bit);
		}
	}
}

static void test_rules(void **state)
{
	static const struct {
		const char *rule;
		bool good;
		int32_t summer, winter; /* offsets in July and December 2026 */
	} rules[] = {
		{ "CET-1", true, 3600, 3600 },
		{ "<+0330>-3:30", true, 12600, 12600 },
		{ "EST5EDT,M3.2.0,M11.1.0", true, -14400, -18000 },
		{ "EST5EDT,0/0,J365/25", true, -14400, -14400 },
		{ "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", true, 37800, 39600 },
		{ "IST-1GMT0,M10.5.0,M3.5.0/1", true, 3600, 0 },
		{ "<-02>2<-01>,M3.5.0/-1,M10.5.0/0", true, -3600, -7200 },
		{ "XXX3YYY,J60,J300", true, -7200, -10800 },
		{ "", true, 7200, 7200 }, /* none: what held last goes on */
		{ "CET", false, 0, 0 },
		{ "-1", false, 0, 0 },
		{ "CET-1CEST", false, 0, 0 },
		{ "CET-1CEST,M13.1.0,M10.5.0", false, 0, 0 },
		{ "CET-1CEST,M3.6.0,M10.5.0", false, 0, 0 },
		{ "CET-1CEST,M3.5.7,M10.5.0", false, 0, 0 },
		{ "CET-1CEST,J0,J1", false, 0, 0 },
		{ "CET-99999999999999999999", false, 0, 0 },
		{ "CET-1CEST,M3.5.0,M10.5.0/3 ", false, 0, 0 },
		{ "<CET-1", false, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		uint8_t file[256];
		size_t len = make_file(file, rules[i].rule);
		struct lya_zone *z;

		if (parse(file, len, &z) != (rules[i].good ? LYA_OK : LYA_EINPUT))
			fail_msg("\"%s\"", rules[i].rule);
		if (!rules[i].good)
			continue;
		if (i == 8) { /* the only type that a change leads to */
			assert_int_equal(lya_zone_offset(z, 1782864000), 0x0e20);
		} else {
			assert_int_equal(lya_zone_offset(z, 1782864000), rules[i].summer);
			assert_int_equal(lya_zone_offset(z, 1798000000), rules[i].winter);
		}
		lya_zone_free(z);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_the_library), cmocka_unit_test(test_days),
		cmocka_unit_test(test_instants),       cmocka_unit_test(test_short_and_long),
		cmocka_unit_test(test_bounds),         cmocka_unit_test(test_names),
		cmocka_unit_test(test_file),           cmocka_unit_test(test_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
