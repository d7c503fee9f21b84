/*
 * test_packets.c - which flows a finding may show, and which packets the findings name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "world.h"

enum { NAMED_MAX = 256 };

struct named {
	uint64_t numbers[NAMED_MAX];
	size_t n;
};

static void name(void *ctx, const struct lya_packet_place *place)
{
	struct named *named = ctx;

	assert_int_equal(place->source, 3);
	assert_true(named->n < NAMED_MAX);
	named->numbers[named->n++] = place->number;
}

static bool has(const struct named *named, uint64_t number)
{
	for (size_t i = 0; i < named->n; i++) {
		if (named->numbers[i] == number)
			return true;
	}
	return false;
}

static struct lya_flow numbered(const char *src, const char *dst, uint16_t dport,
				enum lya_flow_state state, uint64_t number)
{
	struct lya_flow f = world_flow(src, (uint16_t)(40000 + number), dst, dport, 6, state);

	f.source = 3;
	f.number = number;
	f.first_ns += (int64_t)number;
	return f;
}

/* shown: whose certificate the server showed, or the client asked for, as in the verdict. */
static bool concerns(const struct world *w, const struct lya_flow *f, int32_t shown)
{
	struct lya_policy_end ends[2];
	struct lya_verdict v;

	for (unsigned side = 0; side < 2; side++)
		lya_policy_end_of(w->policy, &f->addr[side], &ends[side]);
	lya_policy_judge(w->policy, NULL, f, ends, -1, &v);
	v.payload.shown = shown;
	return lya_finding_concerns(w->policy, f, ends, &v);
}

/* What breaks the table, what may be blocked, and SIP that may turn out to go one way. */
static void test_concerns(void **state)
{
	static const struct {
		const char *src, *dst;
		uint16_t port;
		enum lya_flow_state state;
		bool concerns;
		int32_t shown;
	} cases[] = {
		{ "10.20.0.5", "10.2.0.11", 443, LYA_STATE_ESTABLISHED, false, 0 },
		{ "10.20.0.5", "10.2.0.11", 443, LYA_STATE_ESTABLISHED, true, 1 },
		{ "10.20.0.5", "10.2.0.11", 443, LYA_STATE_ESTABLISHED, true, -1 },
		{ "10.20.0.5", "10.2.0.11", 443, LYA_STATE_ATTEMPTED, true, 0 },
		{ "10.20.0.5", "10.2.0.11", 443, LYA_STATE_REFUSED, true, 0 },
		{ "10.2.0.11", "10.1.0.41", 4443, LYA_STATE_ESTABLISHED, true, 0 },
		{ "10.2.0.11", "10.1.0.11", 5061, LYA_STATE_ESTABLISHED, true, 0 },
		{ "10.20.0.5", "10.20.0.6", 50000, LYA_STATE_ESTABLISHED, false, 0 },
	};
	struct world w;

	(void)state;
	world_open(&w, NULL);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct lya_flow f =
		    numbered(cases[i].src, cases[i].dst, cases[i].port, cases[i].state, 1);

		if (concerns(&w, &f, cases[i].shown) != cases[i].concerns)
			fail_msg("%s to %s %u: wanted %d", cases[i].src, cases[i].dst,
				 cases[i].port, cases[i].concerns);
	}
	world_close(&w);
}

/* Before the end all that may be named is; afterwards each finding names its own. */
static void test_names(void **state)
{
	struct world w;
	struct lya_ledger *l;
	struct named all = { .n = 0 }, own = { .n = 0 };
	struct lya_packet_visitor visitor = { .packet = name, .ctx = &all };
	const struct lya_finding *f;

	(void)state;
	world_open(&w, NULL);
	l = world_ledger(&w, 0);
	for (uint64_t n = 20; n > 0; n--) {
		struct lya_flow wrong =
		    numbered("10.2.0.11", "10.1.0.41", 4443, LYA_STATE_ESTABLISHED, n);
		struct lya_flow blocked =
		    numbered("10.2.0.12", "10.1.0.11", 5062, LYA_STATE_ATTEMPTED, 100 + n);
		struct lya_flow clean =
		    numbered("10.20.0.5", "10.2.0.11", 443, LYA_STATE_ESTABLISHED, 200 + n);

		world_take(&w, l, &wrong, NULL, NULL);
		world_take(&w, l, &blocked, NULL, NULL);
		world_take(&w, l, &clean, NULL, NULL);
	}
	lya_ledger_each_packet(l, &visitor);
	assert_int_equal(all.n, 10);
	for (uint64_t n = 1; n <= 5; n++)
		assert_true(has(&all, n) && has(&all, 100 + n));
	world_finish(l);
	f = world_finding(l, "blocked-flow");
	assert_non_null(f);
	visitor.ctx = &own;
	lya_finding_each_packet(f, &visitor);
	assert_int_equal(own.n, 5);
	for (uint64_t n = 1; n <= 5; n++)
		assert_true(has(&own, 100 + n));
	lya_ledger_free(l);
	world_close(&w);
}

/* Ports of a scan become one finding, whose packets are those of the earliest of all. */
static void test_scan(void **state)
{
	struct world w;
	struct lya_ledger *l;
	struct named all = { .n = 0 };
	struct lya_packet_visitor visitor = { .packet = name, .ctx = &all };

	(void)state;
	world_open(&w, NULL);
	l = world_ledger(&w, 0);
	for (uint64_t n = 1; n <= 30; n++) {
		struct lya_flow f = numbered("10.2.0.11", "10.1.0.41", (uint16_t)(1000 + n),
					     LYA_STATE_ATTEMPTED, n);

		world_take(&w, l, &f, NULL, NULL);
	}
	lya_ledger_each_packet(l, &visitor);
	assert_int_equal(all.n, LYA_FINDING_SAMPLES);
	for (uint64_t n = 1; n <= LYA_FINDING_SAMPLES; n++)
		assert_true(has(&all, n));
	lya_ledger_free(l);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_concerns),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_scan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
