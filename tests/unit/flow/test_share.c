/*
 * test_share.c - shares of periods, and visits to flows that are open.
 */
#include "packets.h"

#include "lyncaudit/alloc.h"

#define SECOND LYA_SECOND_NS

static struct lya_flow_table *share_table(struct test_ended *e)
{
	return test_table(e, (struct lya_flow_options){ .shares = true });
}

static void take(struct lya_flow_table *t, struct lya_packet p)
{
	assert_int_equal(lya_flow_table_take(t, &p, 1, NULL), LYA_OK);
}

/* n datagrams of 28 bytes, one a second, from client number `from`. */
static void send(struct lya_flow_table *t, uint32_t from, int64_t at_s, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		take(t, test_udp((at_s + i) * SECOND, from, 5000, 1, 3478));
}

/* What visits tell: the flows, and a copy of the marks of each. */
struct seen {
	struct lya_flow flow[16];
	struct lya_flow_marks marks[16];
	size_t n;
};

static int note_visit(void *ctx, const struct lya_flow *flow)
{
	struct seen *seen = ctx;

	assert_true(seen->n < 16);
	seen->flow[seen->n] = *flow;
	seen->marks[seen->n++] = *flow->marks;
	return 0;
}

static size_t visit_all(struct lya_flow_table *t, bool at_cut, struct seen *seen)
{
	uint32_t place = 0;

	seen->n = 0;
	do
		assert_int_equal(lya_flow_table_visit(t, &place, 3, at_cut, note_visit, seen), 0);
	while (place != 0);
	return seen->n;
}

/* Ended flows with the marks that they had. */
struct ends {
	struct seen seen;
};

static int note_end(void *ctx, const struct lya_flow *flow)
{
	return note_visit(&((struct ends *)ctx)->seen, flow);
}

static struct lya_flow_table *marked_table(struct ends *ends)
{
	struct lya_flow_options o = {
		.shares = true, .max_bytes = (size_t)8 << 20, .on_end = note_end, .ctx = ends
	};
	struct lya_flow_table *t;

	ends->seen.n = 0;
	assert_int_equal(lya_flow_table_new(&t, &o, NULL), LYA_OK);
	return t;
}

#define assert_sum(sum, p)                                                                         \
	do {                                                                                       \
		assert_int_equal((sum).packets, p);                                                \
		assert_int_equal((sum).bytes, 28 * (p));                                           \
	} while (0)

/* A flow over two cuts, one that began between them, one that began after both. */
static void test_shares(void **state)
{
	struct ends ends;
	struct lya_flow_table *t = marked_table(&ends);
	const struct lya_flow *f;

	(void)state;
	send(t, 2, 10, 3);
	lya_flow_table_cut(t, 20 * SECOND);
	send(t, 2, 21, 5);
	send(t, 3, 26, 2);
	lya_flow_table_cut(t, 30 * SECOND);
	send(t, 2, 31, 7);
	send(t, 4, 40, 1);
	assert_int_equal(lya_flow_table_flush(t), LYA_OK);
	assert_int_equal(ends.seen.n, 3);
	f = &ends.seen.flow[1]; /* by their last packets: 3, 2, 4 */
	assert_sum(ends.seen.marks[1].earlier, 3);
	assert_sum(ends.seen.marks[1].cut, 8);
	assert_true(ends.seen.marks[1].earlier_ns == 20 * SECOND);
	assert_true(ends.seen.marks[1].cut_ns == 30 * SECOND);
	assert_true(ends.seen.marks[1].cut_last_ns == 25 * SECOND);
	assert_sum(lya_flow_share(f), 7);
	assert_true(lya_flow_first_ns(f) == 30 * SECOND);
	assert_true(f->first_ns == 10 * SECOND);
	assert_true(lya_flow_last_ns(f) == 37 * SECOND);
	f = &ends.seen.flow[0];
	assert_sum(ends.seen.marks[0].earlier, 0);
	assert_sum(ends.seen.marks[0].cut, 2);
	assert_sum(lya_flow_share(f), 0); /* nothing came since */
	f = &ends.seen.flow[2];
	assert_sum(ends.seen.marks[2].cut, 0);
	assert_sum(lya_flow_share(f), 1);
	assert_true(lya_flow_first_ns(f) == 40 * SECOND);
	lya_flow_table_free(t);
}

/* A record that is used again has none of the marks of the flow before. */
static void test_used_again(void **state)
{
	struct ends ends;
	struct lya_flow_table *t = marked_table(&ends);

	(void)state;
	send(t, 2, 10, 3);
	lya_flow_table_cut(t, 20 * SECOND);
	send(t, 3, 1000, 4); /* by then the other one has ended */
	assert_int_equal(ends.seen.n, 1);
	assert_sum(ends.seen.marks[0].cut, 3);
	assert_int_equal(lya_flow_table_flush(t), LYA_OK);
	assert_int_equal(ends.seen.n, 2);
	assert_int_equal(ends.seen.marks[0].place, ends.seen.marks[1].place);
	assert_sum(ends.seen.marks[1].cut, 0);
	assert_sum(ends.seen.marks[1].told, 0);
	assert_sum(lya_flow_share(&ends.seen.flow[1]), 4);
	lya_flow_table_free(t);
}

/* What was told is told again no more; a visit for the share before tells up to the cut. */
static void test_told(void **state)
{
	struct test_ended e;
	struct lya_flow_table *t = share_table(&e);
	struct seen seen;

	(void)state;
	send(t, 2, 10, 3);
	assert_int_equal(visit_all(t, false, &seen), 1);
	assert_sum(seen.marks[0].told, 0);
	assert_int_equal(visit_all(t, false, &seen), 1);
	assert_sum(seen.marks[0].told, 3);
	send(t, 2, 13, 2);
	lya_flow_table_cut(t, 20 * SECOND);
	send(t, 2, 21, 4);
	assert_int_equal(visit_all(t, true, &seen), 1);
	assert_sum(seen.marks[0].told, 3);
	assert_sum(seen.marks[0].cut, 5);
	assert_int_equal(visit_all(t, false, &seen), 1);
	assert_sum(seen.marks[0].told, 5);
	assert_int_equal(visit_all(t, false, &seen), 1);
	assert_sum(seen.marks[0].told, 9);
	lya_flow_table_free(t);
	free(e.list);
}

/* Flows of both families, in slices; some end between two of them, some begin. */
static void test_slices(void **state)
{
	struct test_ended e;
	struct lya_flow_table *t = share_table(&e);
	struct seen seen = { .n = 0 };
	uint32_t place = 0;

	(void)state;
	for (uint32_t i = 0; i < 4; i++) {
		send(t, 10 + i, 10, 1);
		take(t, test_packet(LYA_PKT_UDP, 17, 11 * SECOND, test_addr6(10 + i), 5000,
				    test_addr6(1), 3478));
	}
	assert_int_equal(lya_flow_table_visit(t, &place, 3, false, note_visit, &seen), 0);
	assert_int_equal(seen.n, 3);
	assert_int_not_equal(place, 0);
	send(t, 2, 12, 1); /* comes behind those of its family */
	while (place != 0)
		assert_int_equal(lya_flow_table_visit(t, &place, 3, false, note_visit, &seen), 0);
	assert_int_equal(seen.n, 9);
	for (size_t i = 0; i < seen.n; i++) {
		assert_int_equal(seen.flow[i].addr[0].family, i < 5 ? 4 : 6);
		assert_true(i == 0 || seen.marks[i - 1].place < seen.marks[i].place);
	}
	take(t, test_udp(2000 * SECOND, 9, 9, 9, 10)); /* all others have ended */
	assert_int_equal(visit_all(t, false, &seen), 1);
	lya_flow_table_free(t);
	free(e.list);
}

/* Bytes beyond 32 bits carry into the shares as well. */
static void test_large(void **state)
{
	enum { FRAME = 262144, EACH = 20000 };
	struct ends ends;
	struct lya_flow_table *t = marked_table(&ends);
	struct lya_packet p = test_udp(SECOND, 2, 5000, 1, 3478);

	(void)state;
	p.ip_bytes = FRAME;
	for (unsigned i = 0; i < EACH; i++)
		take(t, p);
	lya_flow_table_cut(t, 2 * SECOND);
	for (unsigned i = 0; i < EACH; i++)
		take(t, p);
	assert_int_equal(lya_flow_table_flush(t), LYA_OK);
	assert_true(ends.seen.marks[0].cut.bytes == (uint64_t)FRAME * EACH);
	assert_true(lya_flow_share(&ends.seen.flow[0]).bytes == (uint64_t)FRAME * EACH);
	lya_flow_table_free(t);
}

static void segment(struct lya_flow_table *t, int64_t at_s, uint32_t from, uint32_t seq,
		    uint32_t ack, uint32_t len)
{
	struct lya_packet p = test_tcp(at_s * SECOND, from, from == 2 ? 5000 : 443,
				       from == 2 ? 1 : 2, from == 2 ? 443 : 5000, T_ACK);

	p.seq = seq;
	p.ack = ack;
	p.payload_len = len;
	take(t, p);
}

/* Losses are told with the payload that they stand beside, in each period its own. */
static void test_losses(void **state)
{
	struct ends ends;
	struct lya_flow_table *t = marked_table(&ends);
	struct seen seen;

	(void)state;
	segment(t, 1, 2, 1000, 500, 100);
	segment(t, 2, 1, 500, 1100, 0);
	segment(t, 3, 2, 1300, 500, 100); /* 200 bytes are missing, */
	segment(t, 4, 1, 500, 1400, 0);   /* and acknowledged */
	lya_flow_table_cut(t, 5 * SECOND);
	assert_int_equal(visit_all(t, true, &seen), 1);
	assert_true(seen.flow[0].measured);
	assert_int_equal(seen.flow[0].lost_bytes[1], 200);
	assert_int_equal(seen.flow[0].measured_before, 0);
	segment(t, 6, 2, 1450, 500, 50); /* 50 more */
	segment(t, 7, 1, 500, 1500, 0);
	assert_int_equal(lya_flow_table_flush(t), LYA_OK);
	assert_int_equal(ends.seen.flow[0].lost_bytes[1], 50);
	assert_int_equal(ends.seen.flow[0].measured_before, 200);
	assert_int_equal(ends.seen.flow[0].payload_bytes[1], 250);
	lya_flow_table_free(t);
}

/* Marks cost memory of the budget, so there are fewer records; without them none is touched. */
static void test_budget(void **state)
{
	enum { FLOWS = 100000 };
	struct test_ended with, without;
	struct lya_flow_stats a, b;
	struct lya_flow_table *s = share_table(&with);
	struct lya_flow_table *t = test_table(&without, (struct lya_flow_options){ 0 });

	(void)state;
	for (uint32_t i = 0; i < FLOWS; i++) {
		take(s, test_udp(SECOND, 100 + i, 5000, 1, 3478));
		take(t, test_udp(SECOND, 100 + i, 5000, 1, 3478));
	}
	lya_flow_table_cut(s, 2 * SECOND);
	lya_flow_table_stats(s, &a);
	lya_flow_table_stats(t, &b);
	assert_true(a.open < b.open);
	assert_true(a.evicted > b.evicted);
	assert_true(a.bytes <= (size_t)8 << 20);
	assert_true(b.bytes <= (size_t)8 << 20);
	assert_null(without.list[0].marks);
	lya_flow_table_free(s);
	lya_flow_table_free(t);
	free(with.list);
	free(without.list);
}

static int stop(void *ctx, const struct lya_flow *flow)
{
	(void)flow;
	return ++*(int *)ctx == 2 ? LYA_ESTOP : 0;
}

static void test_stop(void **state)
{
	struct test_ended e;
	struct lya_flow_table *t = share_table(&e);
	uint32_t place = 0;
	int calls = 0;

	(void)state;
	for (uint32_t i = 0; i < 4; i++)
		send(t, 10 + i, 10, 1);
	assert_int_equal(lya_flow_table_visit(t, &place, 10, false, stop, &calls), LYA_ESTOP);
	assert_int_equal(calls, 2);
	assert_int_equal(lya_flow_table_visit(t, &place, 10, false, stop, &calls), 0);
	assert_int_equal(calls, 4); /* it goes on where it was */
	lya_flow_table_free(t);
	free(e.list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shares), cmocka_unit_test(test_used_again),
		cmocka_unit_test(test_told),   cmocka_unit_test(test_slices),
		cmocka_unit_test(test_large),  cmocka_unit_test(test_losses),
		cmocka_unit_test(test_budget), cmocka_unit_test(test_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
