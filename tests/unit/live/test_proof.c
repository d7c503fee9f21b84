/*
 * test_proof.c - names of files of evidence.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "live/proof.h"
#include "lyncaudit/alloc.h"

static void expect_path(const char *evidence, const char *want)
{
	char *path = live_proof_path(evidence, "2026-11-21");

	assert_string_equal(path, want);
	lya_free(path);
}

static void test_paths(void **state)
{
	(void)state;
	expect_path("evidence.pcapng", "evidence-2026-11-21.pcapng");
	expect_path("evidence", "evidence-2026-11-21");
	expect_path("/var/lib/a.b/evidence", "/var/lib/a.b/evidence-2026-11-21");
	expect_path("a.b.c", "a.b-2026-11-21.c");
	expect_path(".hidden", ".hidden-2026-11-21");
	expect_path("./x.pcapng", "./x-2026-11-21.pcapng");
}

/* A name of 64 characters. */
#define TEN "1111111111"
#define LONG TEN TEN TEN TEN TEN TEN "1111"

/* Who sees packets tells the name: it must not lead elsewhere. */
static void test_names(void **state)
{
	static const char *const good[] = { "2026-11-21", "2026-11-21.2", "2026-11-21T134510Z",
					    "2026-11-21-2" };
	static const char *const bad[] = { "", "..", "../2026", "/2026", "2026/11", "-1", "T1",
					   "2026-11-21\n", "2026 11", LONG };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(live_proof_is_name(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(live_proof_is_name(bad[i]));
}

static bool hear(const struct live_watch *w, const char *text, const char *path)
{
	struct live_proof_told told;
	bool heard = live_proof_hear(&told, w, text);

	assert_int_equal(heard, told.path != NULL);
	if (heard && path != NULL) {
		assert_string_equal(told.path, path);
		assert_int_equal(told.packets, 120);
		assert_int_equal(told.missing, 7);
	}
	lya_free(told.path);
	return heard;
}

/* What the sensor may write itself nobody with more rights writes for it. */
static void test_told(void **state)
{
	static const char *const bad[] = { "",
					   "2026-11-21",
					   "2026-11-21 1",
					   "2026-11-21 1 x",
					   "../2026 1 2",
					   " 1 2",
					   "2026-11-21\n 1 2",
					   LONG " 1 2",
					   LONG LONG " 1 2" };
	const struct lya_watch_options o = { .state = "/state", .evidence = "/state/x/e.pcapng" };
	struct live_watch w = { .options = &o };

	(void)state;
	assert_true(hear(&w, "2026-11-21 120 7", "/state/x/e-2026-11-21.pcapng"));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(hear(&w, bad[i], NULL));
	w.evidence_inside = true;
	assert_false(hear(&w, "2026-11-21 120 7", NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
