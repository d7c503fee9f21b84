/*
 * test_duplicates.c - what a mirror copies counts once, is told by kind and
 * by source, and changes no flow.
 */
#include "pipeline.h"

enum { PACKETS = 5 };

static const struct segment talk[PACKETS] = {
	{ .src = CLIENT,
	  .dst = FRONT_END,
	  .sport = 40000,
	  .dport = 443,
	  .flags = SYN,
	  .seq = 99,
	  .id = 501 },
	{ .src = FRONT_END,
	  .dst = CLIENT,
	  .sport = 443,
	  .dport = 40000,
	  .flags = SYN | ACK,
	  .seq = 899,
	  .ack = 100,
	  .id = 502 },
	{ .src = CLIENT,
	  .dst = FRONT_END,
	  .sport = 40000,
	  .dport = 443,
	  .flags = ACK,
	  .seq = 100,
	  .ack = 900,
	  .id = 503 },
	{ .src = CLIENT,
	  .dst = FRONT_END,
	  .sport = 40000,
	  .dport = 443,
	  .flags = ACK,
	  .seq = 100,
	  .ack = 900,
	  .len = 77,
	  .id = 504 },
	{ .src = FRONT_END,
	  .dst = CLIENT,
	  .sport = 443,
	  .dport = 40000,
	  .flags = ACK,
	  .seq = 900,
	  .ack = 177,
	  .len = 50,
	  .id = 505 },
};

/* What the talk is, seen once: IP bytes by sender. */
enum { CLIENT_BYTES = 3 * 40 + 77, SERVER_BYTES = 2 * 40 + 50 };

static void assert_seen_once(const struct pipe *p)
{
	const struct lya_flow *f = &p->flows[0].flow;
	unsigned client = f->addr[0].bytes[1] == 20 ? 0 : 1;
	size_t n;
	const struct lya_coverage *rows = lya_ledger_coverage(lya_audit_ledger(p->audit), &n);
	uint64_t covered = 0;

	assert_int_equal(p->n_flows, 1);
	assert_int_equal(f->packets[client], 3);
	assert_int_equal(f->packets[!client], 2);
	assert_int_equal(f->bytes[client], CLIENT_BYTES);
	assert_int_equal(f->bytes[!client], SERVER_BYTES);
	assert_int_equal(f->payload_bytes[client], 77);
	assert_int_equal(f->payload_bytes[!client], 50);
	assert_int_equal(f->state, LYA_STATE_ESTABLISHED);
	assert_int_equal(p->flows[0].verdict.basis, LYA_BASIS_SYN);
	for (size_t i = 0; i < n; i++) {
		if (rows[i].flows == 0)
			continue;
		covered++;
		assert_int_equal(rows[i].packets, PACKETS);
		assert_int_equal(rows[i].bytes, CLIENT_BYTES + SERVER_BYTES);
	}
	assert_true(covered > 0);
}

/* Each kind of copy, 1 ms behind its packet, in the same source. */
static void test_kinds(void **state)
{
	static const struct {
		uint8_t ttl;
		uint16_t vlan;
		const char *said;
	} kinds[] = {
		{ 64, 0,
		  "5 packets were second sightings (5 exact, 0 with other VLAN tags or MAC "
		  "addresses, 0 from behind a router)" },
		{ 64, 7, "(0 exact, 5 with other" },
		{ 63, 7, "(0 exact, 0 with other VLAN tags or MAC addresses, 5 from" },
	};

	(void)state;
	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		const struct lya_limit *limit;
		struct pipe p;

		pipe_open(&p);
		for (size_t i = 0; i < PACKETS; i++) {
			struct segment copy = talk[i];

			copy.ttl = kinds[k].ttl;
			copy.vlan = kinds[k].vlan;
			pipe_take(&p, 0, ms(5 * (int64_t)i), &talk[i]);
			pipe_take(&p, 0, ms(5 * (int64_t)i + 1), &copy);
		}
		pipe_finish(&p);
		assert_seen_once(&p);
		assert_int_equal(pipe_counts(&p).packets, 2 * PACKETS);
		assert_int_equal(pipe_counts(&p).duplicates, PACKETS);
		limit = pipe_limit(&p, "duplicates", "a.pcap");
		assert_non_null(limit);
		assert_true(limit->share == 0.5);
		if (strstr(limit->what, kinds[k].said) == NULL)
			fail_msg("%s", limit->what);
		assert_int_equal(pipe_limits(&p), 1);
		pipe_close(&p);
	}
}

/* Two sensors on one way: the second sighting is the second sensor's. */
static void test_by_source(void **state)
{
	const struct lya_limit *limit;
	struct pipe p;

	(void)state;
	pipe_open(&p);
	for (size_t i = 0; i < PACKETS; i++) {
		pipe_take(&p, 0, ms(5 * (int64_t)i), &talk[i]);
		if (i != 2)
			pipe_take(&p, 1, ms(5 * (int64_t)i + 2), &talk[i]);
	}
	pipe_finish(&p);
	assert_seen_once(&p);
	assert_int_equal(pipe_counts(&p).duplicates, PACKETS - 1);
	assert_null(pipe_limit(&p, "duplicates", "a.pcap"));
	limit = pipe_limit(&p, "duplicates", "b.pcap");
	assert_non_null(limit);
	assert_true(limit->share == 1.0);
	pipe_close(&p);
}

/* Sent again by the host: another IP id, traffic of its own, and nothing is said. */
static void test_retransmission(void **state)
{
	struct segment again = talk[3];
	struct pipe p;

	(void)state;
	again.id = 600;
	pipe_open(&p);
	for (size_t i = 0; i < PACKETS; i++)
		pipe_take(&p, 0, ms(5 * (int64_t)i), &talk[i]);
	pipe_take(&p, 0, ms(23), &again);
	pipe_finish(&p);
	assert_int_equal(pipe_counts(&p).duplicates, 0);
	assert_int_equal(p.flows[0].flow.packets[0] + p.flows[0].flow.packets[1], PACKETS + 1);
	assert_int_equal(pipe_limits(&p), 0);
	pipe_close(&p);
}

/*
 * A fragment and its copy wait for their head: what was held back is in the
 * sum of the sources as in that of the audit.
 */
static void test_held_fragments(void **state)
{
	const struct segment head = { .src = CLIENT,
				      .dst = FRONT_END,
				      .sport = 40000,
				      .dport = 5000,
				      .proto = 17,
				      .len = 96,
				      .id = 700,
				      .fragment = 0x2000 };
	const struct segment tail = { .src = CLIENT,
				      .dst = FRONT_END,
				      .proto = 17,
				      .len = 40,
				      .id = 700,
				      .fragment = 104 / 8 };
	const struct lya_limit *limit;
	struct pipe p;

	(void)state;
	pipe_open(&p);
	pipe_take(&p, 0, ms(0), &tail);
	pipe_take(&p, 0, ms(1), &tail);
	pipe_take(&p, 0, ms(2), &head);
	pipe_take(&p, 0, ms(3), &head);
	pipe_finish(&p);
	assert_int_equal(pipe_counts(&p).duplicates, 2);
	limit = pipe_limit(&p, "duplicates", "a.pcap");
	assert_non_null(limit);
	assert_non_null(strstr(limit->what, "2 packets were second sightings (2 exact"));
	assert_int_equal(p.n_flows, 1);
	assert_int_equal(p.flows[0].flow.packets[0] + p.flows[0].flow.packets[1], 2);
	pipe_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_by_source),
		cmocka_unit_test(test_retransmission),
		cmocka_unit_test(test_held_fragments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
