/*
 * test_memo.c - a property: with a memo and without, every verdict is the same.
 *
 * Random flows between addresses of the site and around it, with random ports,
 * transports and evidence; the seed is fixed, so that a failure comes again.
 */
#include "judge.h"

enum { ROUNDS = 20000 };

static uint64_t next_random(uint64_t *s)
{
	*s ^= *s << 13; /* xorshift64 */
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s;
}

static size_t pick(uint64_t *s, size_t n)
{
	return (size_t)(next_random(s) >> 16) % n;
}

static const char *const AROUND[] = {
	"10.20.0.5",       "10.20.0.9",        "10.9.0.10",      "10.9.0.53",
	"203.0.113.77",    "203.0.113.200",    "198.51.100.200", "fd00:10:20::5",
	"fd00:10:9::1",    "2001:db8:ffff::1", "0.0.0.0",        "255.255.255.255",
	"239.255.255.250", "127.0.0.1",        "ff02::1",        "fe80::1",
};

/* Any address of the site, or one around it. */
static struct lya_addr pick_address(const struct lya_site *site, uint64_t *s)
{
	const struct lya_site_host *host = &site->hosts[pick(s, site->n_hosts)];
	struct lya_addr a;

	if (pick(s, 3) == 0 || host->n_addresses == 0) {
		assert_true(lya_addr_parse(AROUND[pick(s, LENGTH(AROUND))], &a));
		return a;
	}
	return host->addresses[pick(s, host->n_addresses)].net.addr;
}

/* A port at or beside the edge of some row, a mix-up's, or any. */
static uint16_t pick_port(const struct lya_rules *rules, uint64_t *s)
{
	static const uint16_t special[] = { 0, 1, 53, 67, 68, 444, 1433, 4444, 5060, 8443, 65535 };
	static const uint16_t common[] = { 443, 3478, 5061, 50001 };
	const struct lya_rule *rule = &rules->list[pick(s, rules->n)];

	switch (pick(s, 5)) {
	case 0:
		return special[pick(s, LENGTH(special))];
	case 1:
		return (uint16_t)next_random(s);
	case 2: /* a few ports often: the same question about hosts that differ little */
		return common[pick(s, LENGTH(common))];
	default:
		if (rule->n_ports == 0)
			return 443;
		return (uint16_t)(pick(s, 2) == 0 ? rule->ports[0].first + pick(s, 3) - 1
						  : rule->ports[0].last + pick(s, 3) - 1);
	}
}

static int8_t pick_side(uint64_t *s)
{
	return (int8_t)((int)pick(s, 4) % 3 - 1); /* -1, 0, 1; -1 twice as often */
}

static void pick_flow(const struct court *c, uint64_t *s, struct lya_flow *f)
{
	*f = (struct lya_flow){ .transport = pick(s, 2) == 0 ? TCP : UDP };
	for (int side = 0; side < 2; side++) {
		f->addr[side] = pick_address(c->site, s);
		f->port[side] = pick_port(c->rules, s);
		f->packets[side] = 1 + pick(s, 100);
		f->payload_bytes[side] = pick(s, 3) * 100;
	}
	f->first_side = (int8_t)pick(s, 2);
	f->syn_side = f->transport == TCP ? pick_side(s) : -1;
	f->synack_side = f->transport == TCP ? pick_side(s) : -1;
	f->synack_continued = pick(s, 2) == 0;
	f->app.client_side = pick_side(s);
	f->app.app = (uint8_t)pick(s, LYA_APP_COUNT);
	f->app.service_payload = pick(s, 2) == 0;
	f->group_dst = pick(s, 16) == 0;
	f->unknown = pick(s, 32) == 0 ? LYA_UNKNOWN_FRAGMENT : LYA_UNKNOWN_NOT;
	f->first_ns = NOON + (int64_t)pick(s, 400) * 86400 * LYA_SECOND_NS;
	f->last_ns = f->first_ns + (int64_t)pick(s, 100) * LYA_SECOND_NS;
}

static bool is_same(const struct lya_verdict *a, const struct lya_verdict *b)
{
	return a->kind == b->kind && a->initiator == b->initiator && a->basis == b->basis &&
	       a->grade == b->grade && a->leg == b->leg && a->finding == b->finding &&
	       a->but == b->but && a->feature_off == b->feature_off &&
	       a->av_proven == b->av_proven && a->av_internal == b->av_internal &&
	       a->nearest == b->nearest && a->mixup == b->mixup && a->exception == b->exception &&
	       a->expired == b->expired && a->n_rules == b->n_rules &&
	       memcmp(a->rules, b->rules, a->n_rules * sizeof(a->rules[0])) == 0;
}

static void compare(const char *site, bool strict, uint64_t seed)
{
	unsigned met[LYA_VERDICTS] = { 0 };
	struct lya_policy_memo *memo;
	struct court c;

	court_open(&c, NULL, site, strict);
	memo = lya_policy_memo_new(c.policy);
	assert_non_null(memo);
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct lya_policy_end ends[2];
		struct lya_verdict with, without;
		struct lya_flow f;
		int listener;

		pick_flow(&c, &seed, &f);
		listener = pick_side(&seed);
		lya_policy_end_of(c.policy, &f.addr[0], &ends[0]);
		lya_policy_end_of(c.policy, &f.addr[1], &ends[1]);
		lya_policy_judge(c.policy, memo, &f, ends, listener, &with);
		lya_policy_judge(c.policy, NULL, &f, ends, listener, &without);
		if (!is_same(&with, &without))
			fail_msg("%s: round %u differs", site, i);
		met[with.kind]++;
	}
	/* The property says little about verdicts that were never met. */
	for (unsigned kind = 0; kind < LYA_VERDICTS; kind++) {
		if (kind != LYA_VERDICT_WAIVED || c.site->n_exceptions > 0)
			assert_int_not_equal(met[kind], 0);
	}
	lya_policy_memo_free(memo);
	court_close(&c);
}

static void test_memo(void **state)
{
	(void)state;
	compare("site-hlb.json", false, 1);
	compare("site-pools.json", true, 2);
	compare("site-waived.json", false, 3);
	compare("site-single.json", false, 4);
	compare("site-dns.json", true, 5);
	compare("site-moved.json", false, 6);
}

/* Ends of the same roles in two pools: what holds of one says nothing of the other. */
static void test_pools(void **state)
{
	static const struct talk talks[] = {
		{ TCP, "10.1.0.2", 40000, "10.1.0.21", 5061, .seen = SYN_X }, /* its own member */
		{ TCP, "10.1.0.2", 40000, "10.1.0.22", 5061, .seen = SYN_X }, /* another's */
		{ TCP, "10.1.0.3", 40000, "10.1.0.21", 5061, .seen = SYN_X },
		{ TCP, "10.1.0.3", 40000, "10.1.0.22", 5061, .seen = SYN_X },
	};
	struct lya_policy_memo *memo;
	struct court c;

	(void)state;
	court_open(&c, NULL, "site-pools.json", false);
	memo = lya_policy_memo_new(c.policy);
	assert_non_null(memo);
	for (size_t i = 0; i < LENGTH(talks); i++) {
		bool own = i == 0 || i == 3;
		struct lya_policy_end ends[2];
		struct lya_verdict v;
		struct lya_flow f;

		(void)flow_of(&talks[i], &f);
		lya_policy_end_of(c.policy, &f.addr[0], &ends[0]);
		lya_policy_end_of(c.policy, &f.addr[1], &ends[1]);
		lya_policy_judge(c.policy, memo, &f, ends, -1, &v);
		assert_int_equal(v.kind,
				 own ? LYA_VERDICT_DOCUMENTED : LYA_VERDICT_UNDOCUMENTED_PATH);
	}
	lya_policy_memo_free(memo);
	court_close(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_memo),
					    cmocka_unit_test(test_pools) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
