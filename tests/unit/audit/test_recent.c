/*
 * test_recent.c - a bounded memory for an audit without end: what is in use stays, the rest
 * makes room, and what is lost with it is counted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "audit/recent.h"
#include "lyncaudit/alloc.h"

enum { ENTRIES = 100, MONTHS = 100000 };

struct value {
	uint64_t n;
	int64_t told_ns;
};

/* For ten units of time after it was told. */
static bool is_of_use(const void *value, int64_t now_ns)
{
	return now_ns - ((const struct value *)value)->told_ns <= 10;
}

static void open_memory(struct audit_recent *r)
{
	assert_true(
	    audit_recent_init(r, sizeof(uint64_t), sizeof(struct value), ENTRIES, is_of_use));
	assert_true(audit_recent_is_empty(r));
}

static bool tell(struct audit_recent *r, uint64_t key, int64_t now_ns)
{
	bool made;
	struct value *v = audit_recent_put(r, &key, now_ns, &made);

	assert_non_null(v);
	assert_int_equal(v->n, made ? 0 : key);
	*v = (struct value){ key, now_ns };
	return made;
}

static bool knows(struct audit_recent *r, uint64_t key)
{
	const struct value *v = audit_recent_find(r, &key);

	if (v != NULL)
		assert_int_equal(v->n, key);
	return v != NULL;
}

/* Without asking for it, which would keep it. */
static bool holds(const struct audit_recent *r, uint64_t key)
{
	return lya_map_find(r->young, &key) != NULL ||
	       (r->old != NULL && lya_map_find(r->old, &key) != NULL);
}

/* The last half of it at least is always there, and never more than all. */
static void test_months(void **state)
{
	struct audit_recent r;

	(void)state;
	open_memory(&r);
	for (uint64_t i = 1; i <= MONTHS; i++) {
		assert_true(tell(&r, i, (int64_t)i * 10)); /* over when the second next comes */
		assert_true(lya_map_count(r.young) + (r.old != NULL ? lya_map_count(r.old) : 0) <=
			    ENTRIES + 2);
		assert_true(i <= ENTRIES / 2 || holds(&r, i - ENTRIES / 2 + 1));
	}
	assert_false(holds(&r, 1));
	assert_int_equal(r.lost, 0);
	audit_recent_fini(&r);
}

/* Who is asked for now and then stays, however much comes between. */
static void test_in_use(void **state)
{
	struct audit_recent r;

	(void)state;
	open_memory(&r);
	(void)tell(&r, 7, 0);
	for (uint64_t i = 1000; i < MONTHS; i++) {
		(void)tell(&r, i, (int64_t)i * 10);
		if (i % (ENTRIES / 2) == 0)
			assert_true(knows(&r, 7));
	}
	assert_false(tell(&r, 7, MONTHS));
	audit_recent_fini(&r);
}

/* More at a time than it holds: those that were still of use are counted, each once. */
static void test_lost(void **state)
{
	struct audit_recent r;
	uint64_t known = 0;

	(void)state;
	open_memory(&r);
	for (uint64_t i = 1; i <= 10 * ENTRIES; i++)
		(void)tell(&r, i, 0);
	for (uint64_t i = 1; i <= 10 * ENTRIES; i++)
		known += knows(&r, i);
	assert_int_equal(known + r.lost, 10 * ENTRIES);
	audit_recent_fini(&r);
}

static void add_one(void *ctx, void *value)
{
	*(uint64_t *)ctx += 1;
	((struct value *)value)->told_ns = 99;
}

static void test_each(void **state)
{
	struct audit_recent r;
	uint64_t n = 0, key = 1;

	(void)state;
	open_memory(&r);
	for (uint64_t i = 1; i <= ENTRIES / 2 + 10; i++)
		(void)tell(&r, i, 0);
	audit_recent_each(&r, add_one, &n);
	assert_int_equal(n, ENTRIES / 2 + 10);
	assert_int_equal(((struct value *)audit_recent_find(&r, &key))->told_ns, 99);
	audit_recent_fini(&r);
}

static void test_no_memory(void **state)
{
	bool failed = true;

	(void)state;
	for (uint64_t fail = 1; failed; fail++) {
		struct audit_recent r;
		bool made;

		lya_alloc_fail_at(fail);
		failed = !audit_recent_init(&r, sizeof(uint64_t), sizeof(struct value), ENTRIES,
					    is_of_use);
		for (uint64_t i = 1; i <= 2 * ENTRIES && !failed; i++)
			failed = audit_recent_put(&r, &i, 0, &made) == NULL;
		lya_alloc_fail_at(0);
		audit_recent_fini(&r);
		assert_true(fail < 1000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_months),    cmocka_unit_test(test_in_use),
		cmocka_unit_test(test_lost),      cmocka_unit_test(test_each),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
