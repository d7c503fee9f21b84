/*
 * test_pack.c - ledgers as bytes: what comes back says the same, to another policy too;
 * what is damaged is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "example.h"
#include "lot.h"
#include "lyncaudit/pack.h"

static struct lya_pack pack_of(const struct lya_ledger *l)
{
	struct lya_pack pack = { 0 };

	assert_int_equal(lya_ledger_pack(l, &pack), LYA_OK);
	return pack;
}

/* Add what `from` holds to l, through bytes. */
static void add_packed(struct lya_ledger *l, const struct lya_ledger *from)
{
	struct lya_pack pack = pack_of(from);
	struct lya_error err = { 0 };

	if (lya_ledger_unpack(l, pack.data, pack.len, NULL, 0, &err) != LYA_OK)
		fail_msg("%s", err.text);
	lya_pack_fini(&pack);
}

/* Evidence that a flow carries besides its own; see snat.h. */
static void take_with(struct lya_ledger *l, const struct lya_flow *f,
		      const struct lya_snat_evidence *evidence, int32_t shown)
{
	struct lya_policy_end ends[2];
	struct lya_verdict v;

	lya_policy_end_of(world.policy, &f->addr[0], &ends[0]);
	lya_policy_end_of(world.policy, &f->addr[1], &ends[1]);
	lya_policy_judge(world.policy, NULL, f, ends, -1, &v);
	lya_policy_inspect(world.policy, f, ends, &v);
	v.snat = evidence;
	v.payload.shown = shown + 1;
	assert_int_equal(lya_ledger_take(l, f, ends, &v, NULL), LYA_OK);
}

/* A flow for each kind of sum that an entry has. */
static void take_rare(struct lya_ledger *l)
{
	struct lya_snat_evidence evidence = {
		.kinds = LYA_SNAT_PAIRED_TRANSACTION | LYA_SNAT_MAPPED_ADDRESS,
		.proven = true,
		.proof = { .kind = LYA_SNAT_PAIRED_TRANSACTION,
			   .key = LYA_SNAT_BY_ID,
			   .n_legs = 2,
			   .value_len = 16,
			   .value = { 1, 2, 3 } },
		.relay = { .faults = LYA_RELAY_PORT | LYA_RELAY_ALTERNATE, .id = { 9, 8, 7 } },
	};
	struct lya_flow f = world_flow("203.0.113.9", 40000, "198.51.100.23", 3478, 17, 0);

	for (size_t i = 0; i < 2; i++) {
		evidence.proof.legs[i] = (struct lya_snat_leg){
			.client = f.addr[!f.first_side],
			.server = f.addr[f.first_side],
			.client_port = 40000,
			.server_port = 3478,
			.source = 1,
			.packet = 77 + i,
			.time_ns = WORLD_TIME + (int64_t)i,
			.digits = 9,
		};
	}
	evidence.relay.leg = evidence.proof.legs[0];
	evidence.relay.relay = (struct lya_stun_addr){ f.addr[0], 1234 };
	take_with(l, &f, &evidence, -1);
	f = world_flow("10.2.0.11", 40000, "10.2.0.12", 5061, 6, LYA_STATE_ESTABLISHED);
	f.app.app = LYA_APP_TLS;
	take_with(l, &f, NULL, 0); /* it shows the certificate of the site's first host */
	f.app.app = LYA_APP_HTTP;
	f.app.service_payload = true;
	f.app.prefix_len[0] = 16;
	memcpy(f.app.prefix[0], "GET / HTTP/1.1\r\n", 16);
	take_with(l, &f, NULL, -1);
	f = world_flow("10.1.0.21", 40000, "10.2.0.11", 5061, 6, LYA_STATE_REFUSED);
	f.icmp_error = true;
	f.icmp_type = 3;
	f.icmp_code = 13;
	take_with(l, &f, NULL, -1);
	/* An Edge node that sends by another station than the balancer with the Access VIP. */
	f = world_flow("198.51.100.21", 40000, "203.0.113.9", 5061, 6, LYA_STATE_ESTABLISHED);
	memcpy(f.mac[f.first_side], "\x02\0\0\0\x0e\x01", 6);
	memcpy(f.to_mac[f.first_side], "\x02\0\0\0\x09\x09", 6);
	take_with(l, &f, NULL, -1);
}

static void take_lot(struct lya_ledger *l, const struct lya_flow *lot, size_t from, size_t step,
		     size_t n)
{
	for (size_t i = from; i < n; i += step)
		world_take(&world, l, &lot[i], NULL, NULL);
}

static void expect_same(struct lya_ledger *got, const struct lya_text *want)
{
	struct lya_text text = { 0 };

	world_finish(got);
	put_ledger(&text, got);
	assert_string_equal(lya_text_str(&text), lya_text_str(want));
	lya_text_fini(&text);
}

/* One ledger that took everything, and parts that were packed: the same to the letter. */
static void test_round_trip(void **state)
{
	static const size_t bounds[] = { 0, 30, 7 };
	struct lya_flow *lot = calloc(LOT, sizeof(*lot));

	(void)state;
	make_lot(lot);
	for (size_t b = 0; b < 3; b++) {
		struct lya_ledger *whole = world_ledger(&world, bounds[b]);
		struct lya_ledger *sum = world_ledger(&world, bounds[b]);
		struct lya_text want = { 0 };

		take_lot(whole, lot, 0, 1, LOT);
		take_rare(whole);
		world_finish(whole);
		put_ledger(&want, whole);
		for (size_t part = 0; part < 5; part++) {
			struct lya_ledger *l = world_ledger(&world, bounds[b]);

			take_lot(l, lot, part, 5, LOT);
			if (part == 3)
				take_rare(l);
			add_packed(sum, l);
			lya_ledger_free(l);
		}
		expect_same(sum, &want);
		lya_text_fini(&want);
		lya_ledger_free(whole);
		lya_ledger_free(sum);
	}
	free(lot);
}

/* What was packed, read and packed again says the same as at first. */
static void test_twice(void **state)
{
	struct lya_flow *lot = calloc(LOT, sizeof(*lot));
	struct lya_ledger *first = world_ledger(&world, 40);
	struct lya_ledger *second = world_ledger(&world, 40), *third = world_ledger(&world, 40);
	struct lya_text want = { 0 };

	(void)state;
	make_lot(lot);
	take_lot(first, lot, 0, 1, LOT);
	take_rare(first);
	add_packed(second, first);
	add_packed(third, second);
	world_finish(first);
	put_ledger(&want, first);
	assert_non_null(strstr(lya_text_str(&want), "gateway-mismatch"));
	expect_same(third, &want);
	lya_text_fini(&want);
	lya_ledger_free(first);
	lya_ledger_free(second);
	lya_ledger_free(third);
	free(lot);
}

/* Sources have other numbers where several sensors' evidence is joined. */
static void test_sources(void **state)
{
	static const uint32_t map[] = { 7, 3 };
	struct lya_flow f =
	    world_flow("10.1.0.41", 50001, "10.2.0.11", 443, 6, LYA_STATE_ESTABLISHED);
	struct lya_ledger *l = world_ledger(&world, 0), *to = world_ledger(&world, 0);
	const struct lya_finding *found;
	struct lya_pack pack;

	(void)state;
	for (uint32_t source = 0; source < 3; source++) {
		f.source = source;
		f.first_ns += 1;
		world_take(&world, l, &f, NULL, NULL);
	}
	pack = pack_of(l);
	assert_int_equal(lya_ledger_unpack(to, pack.data, pack.len, map, 2, NULL), LYA_OK);
	world_finish(to);
	found = world_finding(to, "unexpected-port");
	assert_non_null(found);
	assert_int_equal(found->n_samples, 3);
	assert_int_equal(found->samples[0].source, 7);
	assert_int_equal(found->samples[1].source, 3);
	assert_int_equal(found->samples[2].source, UINT32_MAX);
	lya_pack_fini(&pack);
	lya_ledger_free(l);
	lya_ledger_free(to);
}

static const char before[] =
    "{\"schema\": \"lyncaudit-site/1\", \"name\": \"before\", \"timezone\": \"UTC\","
    " \"networks\": {\"internal\": [\"10.0.0.0/8\"], \"clients\": [\"10.20.0.0/16\"]}, \"hosts\": ["
    "{\"name\": \"old\", \"roles\": {\"front-end\": [\"10.2.0.99\"]}},"
    "{\"name\": \"fe01\", \"roles\": {\"front-end\": [\"10.2.0.11\"]}},"
    "{\"name\": \"rp01\", \"roles\": {\"reverse-proxy-internal\": [\"10.1.0.41\"]}}],"
    " \"exceptions\": ["
    "{\"id\": \"GONE\", \"from\": \"front-end\", \"to\": \"10.9.0.1\", \"transport\": \"tcp\","
    " \"ports\": \"1433\", \"reason\": \"sql\", \"owner\": \"dba\", \"expires\": \"2027-06-30\"},"
    "{\"id\": \"STAYS\", \"from\": \"front-end\", \"to\": \"10.9.0.2\", \"transport\": \"tcp\","
    " \"ports\": \"1433\", \"reason\": \"sql\"},"
    "{\"id\": \"PAST\", \"from\": \"front-end\", \"to\": \"10.9.0.4\", \"transport\": \"tcp\","
    " \"ports\": \"1433\", \"reason\": \"sql\", \"expires\": \"2026-11-20\"}]}";

static const char after[] =
    "{\"schema\": \"lyncaudit-site/1\", \"name\": \"after\", \"timezone\": \"UTC\","
    " \"networks\": {\"internal\": [\"10.0.0.0/8\"], \"clients\": [\"10.20.0.0/16\"]}, \"hosts\": ["
    "{\"name\": \"rp01\", \"roles\": {\"reverse-proxy-internal\": [\"10.1.0.41\"]}},"
    "{\"name\": \"fe01\", \"roles\": {\"front-end\": [\"10.2.0.11\"]}}],"
    " \"exceptions\": [{\"id\": \"STAYS\", \"from\": \"front-end\", \"to\": \"10.9.0.2\","
    " \"transport\": \"tcp\", \"ports\": \"1433\", \"reason\": \"sql\"}]}";

static void take_before(const struct world *w, struct lya_ledger *l)
{
	static const struct {
		const char *src, *dst;
		uint16_t port;
	} flows[] = {
		{ "10.1.0.41", "10.2.0.99", 443 }, /* to a host that goes */
		{ "10.1.0.41", "10.2.0.11", 443 }, /* to one that gets another number */
		{ "10.2.0.11", "10.9.0.1", 1433 }, /* waived by an exception that goes, */
		{ "10.2.0.11", "10.9.0.1", 1433 },
		{ "10.2.0.11", "10.9.0.2", 1433 }, /* by one that stays, */
		{ "10.2.0.11", "10.9.0.4", 1433 }, /* and by one that has ended and goes */
	};

	for (size_t i = 0; i < sizeof(flows) / sizeof(flows[0]); i++) {
		struct lya_flow f = world_flow(flows[i].src, (uint16_t)(50000 + i), flows[i].dst,
					       flows[i].port, 6, LYA_STATE_ESTABLISHED);

		world_take(w, l, &f, NULL, NULL);
	}
}

static const struct lya_finding *finding_to(const struct lya_ledger *l, const char *host)
{
	size_t n;
	const struct lya_finding *list = lya_ledger_findings(l, &n);

	for (size_t i = 0; i < n; i++) {
		if (list[i].responder.host != NULL && strcmp(list[i].responder.host, host) == 0 &&
		    strcmp(list[i].type, "unexpected-port") == 0)
			return &list[i];
	}
	return NULL;
}

/* Names as they were are kept; the ids of findings too, for they are made of names. */
static void expect_former(const struct lya_ledger *l, const struct lya_ledger *at_first)
{
	const struct lya_waiver *waivers;
	const char *const hosts[] = { "old", "fe01" };
	size_t n;

	for (size_t i = 0; i < 2; i++) {
		assert_non_null(finding_to(l, hosts[i]));
		assert_string_equal(finding_to(l, hosts[i])->id,
				    finding_to(at_first, hosts[i])->id);
		assert_non_null(strstr(finding_to(l, hosts[i])->what, hosts[i]));
	}
	waivers = lya_ledger_waivers(l, &n);
	assert_int_equal(n, 2);
	assert_string_equal(waivers[0].exception->id, "GONE");
	assert_string_equal(waivers[0].exception->owner, "dba");
	assert_int_equal(waivers[0].flows, 2);
	assert_true(waivers[0].has_days);
	assert_string_equal(waivers[1].exception->id, "STAYS");
	assert_int_equal(waivers[1].flows, 1);
	assert_null(world_finding(l, "exception-expired"));
}

/* A site that was changed meanwhile: hosts and exceptions come, go and change places. */
static void test_other_policy(void **state)
{
	struct world old, new;
	struct lya_ledger *l, *to, *joined;

	(void)state;
	world_open(&old, before);
	world_open(&new, after);
	l = world_ledger(&old, 0);
	to = world_ledger(&new, 0);
	joined = world_ledger(&new, 0);
	take_before(&old, l);
	add_packed(to, l);
	assert_int_equal(lya_ledger_merge(joined, to), LYA_OK); /* former ones go on */
	world_finish(l);
	assert_non_null(world_finding(l, "exception-expired"));
	world_finish(to);
	world_finish(joined);
	expect_former(to, l);
	expect_former(joined, l);
	lya_ledger_free(l);
	lya_ledger_free(to);
	lya_ledger_free(joined);
	world_close(&old);
	world_close(&new);
}

static struct lya_pack small_pack(size_t flows)
{
	struct lya_flow *lot = calloc(LOT, sizeof(*lot));
	struct lya_ledger *l = world_ledger(&world, 0);
	struct lya_pack pack;

	make_lot(lot);
	take_lot(l, lot, 0, 1, flows);
	take_rare(l);
	pack = pack_of(l);
	lya_ledger_free(l);
	free(lot);
	return pack;
}

/* The bytes as an exact allocation, so that one read too many is seen. */
static int unpack_exact(const uint8_t *data, size_t len)
{
	uint8_t *exact = malloc(len + (len == 0));
	struct lya_ledger *l = world_ledger(&world, 0);
	struct lya_error err = { 0 };
	int rc;

	memcpy(exact, data, len);
	rc = lya_ledger_unpack(l, exact, len, NULL, 0, &err);
	if (rc == LYA_EINPUT)
		assert_non_null(strstr(err.text, "packed evidence is damaged"));
	if (rc == LYA_OK)
		world_finish(l);
	lya_ledger_free(l);
	free(exact);
	return rc;
}

static void test_truncated(void **state)
{
	struct lya_pack pack = small_pack(40);

	(void)state;
	for (size_t len = 0; len < pack.len; len++)
		assert_int_equal(unpack_exact(pack.data, len), LYA_EINPUT);
	assert_int_equal(unpack_exact(pack.data, pack.len), LYA_OK);
	lya_pack_fini(&pack);
}

/* Every byte changed, to several values: refused or taken, never more than that. */
static void test_damaged(void **state)
{
	static const uint8_t changes[] = { 0x01, 0x80, 0xff };
	struct lya_pack pack = small_pack(8);
	size_t refused = 0;

	(void)state;
	for (size_t at = 0; at < pack.len; at++) {
		for (size_t i = 0; i < sizeof(changes); i++) {
			int rc;

			pack.data[at] ^= changes[i];
			rc = unpack_exact(pack.data, pack.len);
			assert_true(rc == LYA_OK || rc == LYA_EINPUT);
			refused += rc == LYA_EINPUT;
			pack.data[at] ^= changes[i];
		}
	}
	assert_true(refused > pack.len / 2);
	lya_pack_fini(&pack);
}

static void test_no_memory(void **state)
{
	struct lya_pack pack = small_pack(12);
	int rc = LYA_ENOMEM;

	(void)state;
	for (uint64_t fail = 1; rc != LYA_OK; fail++) {
		struct lya_ledger *l = world_ledger(&world, 0);
		struct lya_pack again = { 0 };

		lya_alloc_fail_at(fail);
		rc = lya_ledger_unpack(l, pack.data, pack.len, NULL, 0, NULL);
		if (rc == LYA_OK)
			rc = lya_ledger_pack(l, &again);
		lya_alloc_fail_at(0);
		assert_true(rc == LYA_OK || rc == LYA_ENOMEM);
		assert_true(fail < 20000);
		lya_pack_fini(&again);
		lya_ledger_free(l);
	}
	lya_pack_fini(&pack);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_twice),
		cmocka_unit_test(test_sources),    cmocka_unit_test(test_other_policy),
		cmocka_unit_test(test_truncated),  cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, open_example, close_example);
}
