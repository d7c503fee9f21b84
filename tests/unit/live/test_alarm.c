/*
 * test_alarm.c - what is told of findings, and when.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "live/alarm.h"
#include "lyncaudit/timeutil.h"

#define S(n) ((n) * LYA_SECOND_NS)

static struct lya_finding finding(const char *id, enum lya_finding_type kind, uint64_t flows)
{
	struct lya_finding f = { .kind = kind, .flows = flows, .first_ns = S(1000) };

	snprintf(f.id, sizeof(f.id), "%s", id);
	return f;
}

static void a_new_one_is_told_once_then_once_a_minute(void **state)
{
	struct live_alarms *a = live_alarms_new(LYA_TIME_NONE);
	struct lya_finding f = finding("F-1", LYA_FINDING_UNEXPECTED_PORT, 1);

	(void)state;
	assert_int_equal(live_alarms_take(a, &f, S(0), false), LIVE_ALARM_NEW);
	assert_int_equal(live_alarms_take(a, &f, S(10), false), LIVE_ALARM_NONE);
	f.flows = 2;
	assert_int_equal(live_alarms_take(a, &f, S(59), false), LIVE_ALARM_NONE);
	assert_int_equal(live_alarms_take(a, &f, S(60), false), LIVE_ALARM_UPDATE);
	assert_int_equal(live_alarms_take(a, &f, S(200), false), LIVE_ALARM_NONE); /* no more of it */
	f.flows = 3;
	assert_int_equal(live_alarms_take(a, &f, S(201), false), LIVE_ALARM_UPDATE);
	f.flows = 4;
	assert_int_equal(live_alarms_take(a, &f, S(202), false), LIVE_ALARM_NONE);
	live_alarms_free(a);
}

static void what_may_change_waits(void **state)
{
	static const enum lya_finding_type kinds[] = { LYA_FINDING_BLOCKED_FLOW,
						       LYA_FINDING_SIP_ONE_WAY };
	struct live_alarms *a = live_alarms_new(LYA_TIME_NONE);
	struct lya_finding f;

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		f = finding(i == 0 ? "F-1" : "F-2", kinds[i], 1);
		assert_int_equal(live_alarms_take(a, &f, S(0), false), LIVE_ALARM_NONE);
		assert_int_equal(live_alarms_take(a, &f, S(119), false), LIVE_ALARM_NONE);
		assert_int_equal(live_alarms_take(a, &f, S(120), false), LIVE_ALARM_NEW);
	}
	f = finding("F-3", LYA_FINDING_WRONG_DIRECTION, 1);
	f.has_basis = true;
	f.grade = LYA_GRADE_STRONG;
	assert_int_equal(live_alarms_take(a, &f, S(0), false), LIVE_ALARM_NONE);
	f.grade = LYA_GRADE_CERTAIN;
	assert_int_equal(live_alarms_take(a, &f, S(1), false), LIVE_ALARM_NEW);
	f = finding("F-4", LYA_FINDING_BLOCKED_FLOW, 1);
	assert_int_equal(live_alarms_take(a, &f, S(0), true), LIVE_ALARM_NEW); /* the end: no more to come */
	live_alarms_free(a);
}

static void what_is_missing_is_no_alarm(void **state)
{
	struct live_alarms *a = live_alarms_new(LYA_TIME_NONE);
	struct lya_finding f = finding("F-1", LYA_FINDING_MISSING_FLOW, 0);

	(void)state;
	assert_int_equal(live_alarms_take(a, &f, S(0), true), LIVE_ALARM_NONE);
	live_alarms_free(a);
}

/* What a service knew before it was restarted is not new, but goes on. */
static void what_was_known_is_not_new(void **state)
{
	struct live_alarms *a = live_alarms_new(S(1000));
	struct lya_finding old = finding("F-1", LYA_FINDING_UNEXPECTED_PORT, 5);
	struct lya_finding young = finding("F-2", LYA_FINDING_UNEXPECTED_PORT, 1);

	(void)state;
	young.first_ns = S(1001);
	assert_int_equal(live_alarms_take(a, &old, S(0), false), LIVE_ALARM_NONE);
	assert_int_equal(live_alarms_take(a, &young, S(0), false), LIVE_ALARM_NEW);
	old.flows = 6;
	assert_int_equal(live_alarms_take(a, &old, S(60), false), LIVE_ALARM_UPDATE);
	live_alarms_free(a);
}

static void one_that_was_away_for_a_period_is_new(void **state)
{
	struct live_alarms *a = live_alarms_new(LYA_TIME_NONE);
	struct lya_finding f = finding("F-1", LYA_FINDING_UNEXPECTED_PORT, 1);

	(void)state;
	assert_int_equal(live_alarms_take(a, &f, S(0), false), LIVE_ALARM_NEW);
	live_alarms_period(a);
	f.flows = 2;
	assert_int_equal(live_alarms_take(a, &f, S(1), false), LIVE_ALARM_NONE); /* persists */
	live_alarms_period(a);
	live_alarms_period(a);
	assert_int_equal(live_alarms_take(a, &f, S(2), false), LIVE_ALARM_NEW);
	live_alarms_free(a);
}

/* A year of findings that come and go: there is room for each as it comes. */
static void what_is_over_is_forgotten(void **state)
{
	struct live_alarms *a = live_alarms_new(LYA_TIME_NONE);
	unsigned told = 0;

	(void)state;
	for (unsigned day = 0; day < 10; day++) {
		for (unsigned i = 0; i < LYA_FINDING_MAX; i++) {
			struct lya_finding f = finding("", LYA_FINDING_UNEXPECTED_PORT, 1);

			snprintf(f.id, sizeof(f.id), "F-%u.%u", day, i);
			told += live_alarms_take(a, &f, S(0), false) == LIVE_ALARM_NEW;
		}
		live_alarms_period(a);
	}
	assert_int_equal(told, 10 * LYA_FINDING_MAX);
	live_alarms_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_one_is_told_once_then_once_a_minute),
		cmocka_unit_test(what_may_change_waits),
		cmocka_unit_test(what_is_missing_is_no_alarm),
		cmocka_unit_test(what_was_known_is_not_new),
		cmocka_unit_test(one_that_was_away_for_a_period_is_new),
		cmocka_unit_test(what_is_over_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
