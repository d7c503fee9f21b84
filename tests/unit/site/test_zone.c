/*
 * test_zone.c - the instant at which an exception ends, in the site's time zone.
 *
 * The instants follow from the zones' published rules, worked out by hand.
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

#include "lyncaudit/site.h"
#include "lyncaudit/timeutil.h"

static const struct {
	const char *what, *zone, *last_day;
	int year; /* the first instant that is too late, in UTC */
	unsigned month, day;
	int hour, minute;
} cases[] = {
	{ "UTC", "UTC", "2027-06-30", 2027, 7, 1, 0, 0 },
	{ "summer time, UTC+2", "Europe/Paris", "2027-06-30", 2027, 6, 30, 22, 0 },
	{ "winter time, UTC+1", "Europe/Paris", "2026-12-31", 2026, 12, 31, 23, 0 },
	{ "the day with 23 hours", "Europe/Paris", "2027-03-28", 2027, 3, 28, 22, 0 },
	{ "the day with 25 hours", "Europe/Paris", "2027-10-31", 2027, 10, 31, 23, 0 },
	{ "west of Greenwich", "America/New_York", "2027-01-15", 2027, 1, 16, 5, 0 },
	{ "half hours", "Asia/Kolkata", "2027-01-15", 2027, 1, 15, 18, 30 },
	{ "far east", "Pacific/Kiritimati", "2027-01-15", 2027, 1, 15, 10, 0 },
	/* Clocks went from 23:59 (UTC-3) to 01:00 (UTC-2): the 15th began at one. */
	{ "a day that begins at one", "America/Sao_Paulo", "2017-10-14", 2017, 10, 15, 3, 0 },
	/* Samoa went from the 29th (UTC-10) straight to the 31st (UTC+14). */
	{ "before a day that never was", "Pacific/Apia", "2011-12-29", 2011, 12, 30, 10, 0 },
	{ "a leap day", "UTC", "2028-02-29", 2028, 3, 1, 0, 0 },
	{ "the end of a year", "UTC", "1999-12-31", 2000, 1, 1, 0, 0 },
};

static int64_t expiry(const char *zone, const char *last_day, int64_t *days)
{
	struct lya_diags diags = { 0 };
	struct lya_error err = { 0 };
	struct lya_site *site;
	char text[1024];
	int64_t ns;

	(void)
	    snprintf(text, sizeof(text),
		     "{\"schema\": \"lyncaudit-site/1\", \"name\": \"z\", \"timezone\": \"%s\", "
		     "\"networks\": {\"internal\": []}, \"hosts\": [{\"name\": \"a\", \"roles\": "
		     "{\"director\": [\"10.0.0.1\"]}}], \"exceptions\": [{\"id\": \"E\", \"from\": "
		     "\"any\", \"to\": \"any\", \"transport\": \"any\", \"ports\": \"any\", "
		     "\"reason\": \"r\", \"expires\": \"%s\"}]}",
		     zone, last_day);
	if (lya_site_load_text(&site, "z", text, strlen(text), &diags, &err) != LYA_OK)
		fail_msg("%s", err.text);
	assert_true(site->exceptions[0].has_expiry);
	ns = site->exceptions[0].expires_ns;
	*days = site->exceptions[0].expires_days;
	lya_site_free(site);
	lya_diags_fini(&diags);
	return ns;
}

static void the_last_day_counts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t days;
		int64_t wanted;
		int64_t own;
		int64_t ns = expiry(cases[i].zone, cases[i].last_day, &own);
		char text[LYA_TIME_TEXT];

		assert_true(lya_date_days(cases[i].year, cases[i].month, cases[i].day, &days));
		wanted = ((days * 24 + cases[i].hour) * 60 + cases[i].minute) * 60 * LYA_SECOND_NS;
		if (ns != wanted)
			fail_msg("%s: %s", cases[i].what, lya_time_format(ns, 0, text));
	}
}

static void days_left_counts_dates(void **state)
{
	int64_t days;

	(void)state;
	(void)expiry("Pacific/Kiritimati", "1970-01-02", &days);
	assert_int_equal(days, 1);
}

static void for_ever_is_a_date(void **state)
{
	int64_t days;

	(void)state;
	/* Nanoseconds since 1970 end in 2262. */
	assert_int_equal(expiry("UTC", "9999-12-31", &days), INT64_MAX);
	assert_true(expiry("Europe/Paris", "1600-01-01", &days) < -INT64_MAX / 2);
}

static void the_process_keeps_its_zone(void **state)
{
	static const char *const zones[] = { "Asia/Tokyo", NULL };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		time_t then = 1800000000;
		struct tm before;
		struct tm after;
		int64_t days;

		if (zones[i] != NULL)
			(void)setenv("TZ", zones[i], 1);
		else
			(void)unsetenv("TZ");
		tzset();
		(void)localtime_r(&then, &before);
		(void)expiry("America/New_York", "2027-06-30", &days);
		(void)localtime_r(&then, &after);
		assert_int_equal(before.tm_gmtoff, after.tm_gmtoff);
		if (zones[i] != NULL)
			assert_string_equal(getenv("TZ"), zones[i]);
		else
			assert_null(getenv("TZ"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_day_counts),
		cmocka_unit_test(days_left_counts_dates),
		cmocka_unit_test(for_ever_is_a_date),
		cmocka_unit_test(the_process_keeps_its_zone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
