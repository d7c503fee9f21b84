/*
 * packets.h - packets in a line each, and what became of them.
 */
#ifndef LYNCAUDIT_TEST_FLOW_PACKETS_H
#define LYNCAUDIT_TEST_FLOW_PACKETS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lyncaudit/flow.h"
#include "lyncaudit/timeutil.h"

enum {
	T_FIN = LYA_TCP_FIN,
	T_SYN = LYA_TCP_SYN,
	T_RST = LYA_TCP_RST,
	T_ACK = LYA_TCP_ACK,
	T_SYNACK = LYA_TCP_SYN | LYA_TCP_ACK,
	T_FINACK = LYA_TCP_FIN | LYA_TCP_ACK,
	T_RSTACK = LYA_TCP_RST | LYA_TCP_ACK
};

/* An end by number: 10.0.0.n, or 2001:db8::n. */
static inline struct lya_addr test_addr4(uint32_t n)
{
	struct lya_addr a = { .family = 4 };

	a.bytes[0] = 10;
	a.bytes[1] = (uint8_t)(n >> 16);
	a.bytes[2] = (uint8_t)(n >> 8);
	a.bytes[3] = (uint8_t)n;
	return a;
}

static inline struct lya_addr test_addr6(uint32_t n)
{
	struct lya_addr a = { .family = 6, .bytes = { 0x20, 0x01, 0x0d, 0xb8 } };

	a.bytes[13] = (uint8_t)(n >> 16);
	a.bytes[14] = (uint8_t)(n >> 8);
	a.bytes[15] = (uint8_t)n;
	return a;
}

/* A packet without payload; the cursor is empty, not absent. */
static inline struct lya_packet test_packet(enum lya_packet_kind kind, uint8_t transport,
					    int64_t time_ns, struct lya_addr src, uint16_t sport,
					    struct lya_addr dst, uint16_t dport)
{
	static const uint8_t nothing[1];
	struct lya_packet p = {
		.kind = (uint8_t)kind,
		.transport = transport,
		.time_ns = time_ns,
		.src = src,
		.dst = dst,
		.sport = sport,
		.dport = dport,
		.ip_bytes = transport == 6 ? 40 : 28,
		.payload = lya_cursor_of(nothing, 0),
	};

	return p;
}

static inline struct lya_packet test_tcp(int64_t time_ns, uint32_t from, uint16_t sport,
					 uint32_t to, uint16_t dport, unsigned flags)
{
	struct lya_packet p =
	    test_packet(LYA_PKT_TCP, 6, time_ns, test_addr4(from), sport, test_addr4(to), dport);

	p.tcp_flags = (uint8_t)flags;
	return p;
}

static inline struct lya_packet test_udp(int64_t time_ns, uint32_t from, uint16_t sport,
					 uint32_t to, uint16_t dport)
{
	return test_packet(LYA_PKT_UDP, 17, time_ns, test_addr4(from), sport, test_addr4(to),
			   dport);
}

/* Ended flows, in order. */
struct test_ended {
	struct lya_flow *list;
	size_t n, cap;
	size_t stop_at; /* answer LYA_ESTOP at the end of that one; 0: never */
};

static inline int test_on_end(void *ctx, const struct lya_flow *flow)
{
	struct test_ended *e = ctx;

	if (e->n == e->cap) {
		e->cap = e->cap * 2 + 16;
		e->list = realloc(e->list, e->cap * sizeof(*e->list));
		assert_non_null(e->list);
	}
	e->list[e->n++] = *flow;
	return e->n == e->stop_at ? LYA_ESTOP : LYA_OK;
}

static inline struct lya_flow_table *test_table(struct test_ended *e, struct lya_flow_options o)
{
	struct lya_flow_table *t;
	struct lya_error err;

	memset(e, 0, sizeof(*e));
	if (o.max_bytes == 0)
		o.max_bytes = (size_t)8 << 20;
	o.on_end = test_on_end;
	o.ctx = e;
	assert_int_equal(lya_flow_table_new(&t, &o, &err), LYA_OK);
	return t;
}

static inline void test_done(struct lya_flow_table *t, struct test_ended *e)
{
	lya_flow_table_free(t);
	free(e->list);
}

#endif
