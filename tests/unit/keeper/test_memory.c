/*
 * test_memory.c - a service, and a report made again, in which the n-th allocation fails.
 *
 * Whatever n: what is asked for is refused for want of memory, or done as always.  Leaks are
 * the address sanitizer's to find.  Of the n, a spread: dense at first, then ever wider.
 */
#include "../store/state_dir.h"
#include "service.h"

static struct service s;

static uint64_t next(uint64_t n)
{
	return n + 1 + n / 16;
}

/* A report made again ------------------------------------------------------------------------ */

static int make_again(struct lya_text *text)
{
	struct lya_error err = { 0 };

	return service_make(dir, "2026-11-21", text, &err);
}

static void test_make(void **state)
{
	struct lya_text whole = { 0 };
	uint64_t n = 1;
	int rc = LYA_ENOMEM;

	(void)state;
	service_open(&s, dir, utc(2026, 11, 21, 12, 0), NULL);
	service_flow(&s, 50000);
	service_go(&s, 86400);
	(void)service_wait(&s);
	service_close(&s);
	assert_int_equal(make_again(&whole), LYA_OK);
	for (; n < 1000000; n = next(n)) {
		struct lya_text text = { 0 };

		lya_alloc_fail_at(n);
		rc = make_again(&text);
		lya_alloc_fail_at(0);
		assert_true(rc == LYA_OK || rc == LYA_ENOMEM);
		if (rc == LYA_OK && !text.failed)
			assert_string_equal(text.data, whole.data);
		lya_text_fini(&text);
	}
	assert_int_equal(rc, LYA_OK);
	lya_text_fini(&whole);
}

/* A service ---------------------------------------------------------------------------------- */

/* As much of a day as memory allows; false: it ran out for the capture's thread. */
static bool live_a_while(void)
{
	struct lya_error err = { 0 };
	unsigned wait_ms;
	int rc = service_try_open(&s, dir, utc(2026, 11, 21, 22, 50), NULL, &err);

	if (rc != LYA_OK) {
		assert_int_equal(rc, LYA_ENOMEM);
		return false;
	}
	for (unsigned i = 0; i < 300 && rc == LYA_OK; i++) {
		s.clock.time_ns += 4 * LYA_SECOND_NS;
		s.clock.wall_ns += 4 * LYA_SECOND_NS;
		s.clock.mono_ns += 4 * LYA_SECOND_NS;
		rc = lya_keeper_step(s.keeper, &s.clock, &s.source, 1, &wait_ms, &err);
	}
	if (rc == LYA_OK)
		rc = lya_keeper_stop(s.keeper, &s.clock, &s.source, 1, WAIT_MS, &err);
	assert_true(rc == LYA_OK || rc == LYA_ENOMEM);
	return rc == LYA_OK;
}

/* The book's thread goes on as well as it can: what it could not do is told. */
static void test_service(void **state)
{
	(void)state;
	for (uint64_t n = 1; n < 40000; n += 1 + n / 8) {
		bool lived;

		service_fail_at = n;
		service_proves = n % 2 == 0;
		lived = live_a_while();
		lya_alloc_fail_at(0);
		if (lived)
			assert_true(s.n_reports > 0 ||
				    strstr(lya_text_str(&s.messages), "warning") != NULL);
		if (s.keeper != NULL)
			service_close(&s);
		else
			lya_audit_free(s.audit);
		(void)remove_dir(NULL);
		(void)make_dir(NULL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_make, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_service, make_dir, remove_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
