/*
 * test_clock.c - packet times in the units of any clock, and which of them fit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdint.h>

#include "evidence/clock.h"

#define NOW INT64_C(1795262400123456789)

static const struct {
	const char *name;
	struct clock clock;
	int64_t time_ns;
	bool fits;
	uint64_t units;
} cases[] = {
	{ "seconds", { 0, 0 }, NOW, true, 1795262400 },
	{ "microseconds", { 0, 6 }, NOW, true, 1795262400123456 },
	{ "nanoseconds", { 0, 9 }, NOW, true, 1795262400123456789 },
	{ "picoseconds since then", { 1795262400, 12 }, NOW, true, 123456789000 },
	{ "picoseconds since 1970", { 0, 12 }, NOW, false, 0 },
	{ "finer than 64 bits can be", { 1795262400, 127 }, NOW, false, 0 },
	{ "finer than 64 bits can be, at zero", { 0, 28 }, 0, true, 0 },
	{ "before the offset", { 1795262401, 6 }, NOW, false, 0 },
	{ "before 1970", { 0, 9 }, -1, false, 0 },
	{ "before 1970, offset", { -1, 9 }, -1, true, 999999999 },
	{ "the last there is", { 0, 9 }, INT64_MAX, true, INT64_MAX },
	{ "the first there is", { INT64_MIN / 1000000000 - 1, 9 }, INT64_MIN, true, 145224192 },
	{ "half seconds", { 0, 0x81 }, 1500000000, true, 3 },
	{ "2^-20 s", { 0, 0x80 | 20 }, 1000000953, true, 1048577 },
	{ "2^-32 s", { 0, 0x80 | 32 }, 1, true, 5 },
	{ "2^-100 s", { 0, 0x80 | 100 }, 1, false, 0 },
	{ "an offset beyond all", { INT64_MAX, 9 }, NOW, false, 0 },
	{ "an offset before all", { INT64_MIN, 9 }, NOW, false, 0 },
};

static void test_units(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t units = 0;
		bool fits = clock_units(&cases[i].clock, cases[i].time_ns, &units);

		if (fits != cases[i].fits || (fits && units != cases[i].units))
			fail_msg("%s: %d %llu", cases[i].name, fits, (unsigned long long)units);
	}
}

/* What a reader of a binary clock made of its units, it makes of them again. */
static void test_binary_round(void **state)
{
	(void)state;
	for (uint8_t bits = 1; bits < 40; bits++) {
		struct clock c = { 1700000000, (uint8_t)(0x80 | bits) };

		for (uint64_t n = 1; n < 2000; n++) {
			uint64_t units = (n * n * UINT64_C(7919)) & ((UINT64_C(1) << bits) - 1);
			int64_t ns = (int64_t)((unsigned __int128)units * 1000000000 >> bits);
			uint64_t again;

			assert_true(clock_units(&c, INT64_C(1700000000000000000) + ns, &again));
			assert_int_equal((unsigned __int128)again * 1000000000 >> bits, ns);
			if (bits < 30) /* units of more than a nanosecond */
				assert_int_equal(again, units);
		}
	}
}

/* A clock that cannot tell all times gives way to one that can. */
static void test_choice(void **state)
{
	const struct clock micro = { 0, 6 }, pico = { 1795262400, 12 };
	struct clock c = clock_for(micro, 0, NOW);

	(void)state;
	assert_int_equal(c.tsresol, 6);
	c = clock_for(pico, NOW, NOW + 1);
	assert_int_equal(c.tsresol, 12);
	assert_int_equal(c.offset_s, 1795262400);
	c = clock_for(pico, NOW - INT64_C(1000000000), NOW); /* --time-offset moved it */
	assert_int_equal(c.tsresol, 9);
	assert_int_equal(c.offset_s, 0);
	c = clock_for(micro, -1, NOW);
	assert_int_equal(c.tsresol, 9);
	assert_int_equal(c.offset_s, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_units),
		cmocka_unit_test(test_binary_round),
		cmocka_unit_test(test_choice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
