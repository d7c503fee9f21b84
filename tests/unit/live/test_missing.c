/*
 * test_missing.c - times in which packets were missing, as limits of a report.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "live/missing.h"
#include "lyncaudit/timeutil.h"

#define S(n) ((n) * LYA_SECOND_NS)

static struct lya_source sources[] = { { .name = "eth1" }, { .name = "eth2" } };

static void note(struct live_missing *m, enum lya_capture_event_kind kind, uint32_t source,
		 int64_t from_s, int64_t to_s, uint64_t count, bool over)
{
	struct lya_capture_event e = { .kind = kind, .source = source, .from_ns = S(from_s),
				       .to_ns = S(to_s), .count = count, .over = over,
				       .what = kind == LYA_CAPTURE_GAP ? "the interface was down"
								       : "the buffer was full" };

	assert_int_equal(live_missing_note(m, &e), LYA_OK);
}

static struct lya_limit *limits_of(struct live_missing *m, const struct lya_limit *others,
				   size_t n_others, size_t *n)
{
	struct lya_limit *list;
	struct lya_error err;

	assert_int_equal(live_missing_limits(m, sources, others, n_others, &list, n, &err), LYA_OK);
	return list;
}

/* Behind those of their kind, and before those of the next. */
static void they_stand_in_order(void **state)
{
	struct live_missing *m = live_missing_new();
	const struct lya_limit others[] = { { .kind = LYA_LIMIT_LOSS, .where = "a" },
					    { .kind = LYA_LIMIT_DROPS, .where = "b" },
					    { .kind = LYA_LIMIT_CLOCK, .where = "c" } };
	static const enum lya_limit_kind kinds[] = { LYA_LIMIT_LOSS, LYA_LIMIT_DROPS, LYA_LIMIT_DROPS,
						     LYA_LIMIT_GAP, LYA_LIMIT_CLOCK };
	struct lya_limit *list;
	size_t n;

	(void)state;
	assert_false(live_missing_gaps(m));
	note(m, LYA_CAPTURE_DROP, 1, 5, 6, 7, true);
	assert_false(live_missing_gaps(m));
	note(m, LYA_CAPTURE_GAP, 0, 10, 20, 0, true);
	assert_true(live_missing_gaps(m));
	list = limits_of(m, others, 3, &n);
	assert_int_equal(n, 5);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(list[i].kind, kinds[i]);
	assert_string_equal(list[2].where, "eth2");
	assert_string_equal(list[2].what,
			    "7 packets were lost from 1970-01-01T00:00:05.000Z to "
			    "1970-01-01T00:00:06.000Z (the buffer was full): flows of that time may be "
			    "missing, and counts are too low.");
	assert_string_equal(list[3].where, "eth1");
	live_missing_limits_free(list);
	live_missing_free(m);
}

/* What is told in pieces is one, as long as it goes on. */
static void pieces_are_joined(void **state)
{
	struct live_missing *m = live_missing_new();
	struct lya_limit *list;
	size_t n;

	(void)state;
	note(m, LYA_CAPTURE_DROP, 0, 5, 10, 7, false);
	note(m, LYA_CAPTURE_DROP, 1, 5, 10, 100, false);
	note(m, LYA_CAPTURE_DROP, 0, 10, 15, 3, true);
	note(m, LYA_CAPTURE_DROP, 0, 15, 20, 1, true); /* that one was over */
	list = limits_of(m, NULL, 0, &n);
	assert_int_equal(n, 3);
	assert_non_null(strstr(list[0].what, "10 packets were lost from 1970-01-01T00:00:05.000Z to "
					     "1970-01-01T00:00:15.000Z"));
	assert_non_null(strstr(list[1].what, "100 packets"));
	assert_non_null(strstr(list[2].what, "1 packets were lost from 1970-01-01T00:00:15.000Z"));
	live_missing_limits_free(list);
	live_missing_free(m);
}

/* An interface that flaps for years takes no more memory, and what is not listed is counted. */
static void they_are_bounded(void **state)
{
	struct live_missing *m = live_missing_new();
	struct lya_limit *list;
	size_t n;

	(void)state;
	for (unsigned i = 0; i < LIVE_MISSING_MAX + 30; i++)
		note(m, i % 2 == 0 ? LYA_CAPTURE_GAP : LYA_CAPTURE_DROP, 0, i * 10, i * 10 + 1, 1, true);
	list = limits_of(m, NULL, 0, &n);
	assert_int_equal(n, LIVE_MISSING_MAX + 2);
	assert_non_null(strstr(list[LIVE_MISSING_MAX / 2].what, "15 more times"));
	assert_non_null(strstr(list[n - 1].what, "15 more times"));
	live_missing_limits_free(list);
	live_missing_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(they_stand_in_order),
		cmocka_unit_test(pieces_are_joined),
		cmocka_unit_test(they_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
