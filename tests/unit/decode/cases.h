/*
 * cases.h - a table of frames and what the decoder must make of them.
 *
 * Every frame is also cut after every byte, once as a snap length does it
 * (the wire had it all) and once as if the wire had ended there.
 */
#ifndef TEST_DECODE_CASES_H
#define TEST_DECODE_CASES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "build.h"
#include "lyncaudit/decode.h"

#define BIT(ev) (UINT32_C(1) << (ev))

struct expect {
	enum lya_packet_kind kind;
	uint32_t events;
	uint16_t sport, dport;
	uint32_t payload_len;
	uint8_t n_vlan;
	uint16_t vlan[LYA_VLANS_MAX];
	enum lya_tunnel_kind tunnel;
	uint32_t tunnel_id;
	uint8_t n_tunnels;
	uint8_t family; /* of the ends; 0: no IP header */
	uint8_t transport;
	bool broadcast;
};

struct decode_case {
	const char *name;
	uint16_t link; /* 0 stands for Ethernet here: see LINK_NULL */
	void (*make)(struct build *b);
	struct expect want;
};

enum { LINK_NULL = 0xffff }; /* LINKTYPE_NULL, which is 0 */

/* What every case with IPv4 and UDP 5000 to 3478 has in common. */
#define UDP_EXPECT                                                                                 \
	.kind = LYA_PKT_UDP, .sport = 5000, .dport = 3478, .payload_len = 12, .family = 4,         \
	.transport = 17
#define TCP6_EXPECT .kind = LYA_PKT_TCP, .sport = 50000, .dport = 443, .family = 6, .transport = 6

static inline uint16_t case_link(const struct decode_case *c)
{
	if (c->link == 0)
		return LYA_LINK_ETHERNET;
	return c->link == LINK_NULL ? LYA_LINK_NULL : c->link;
}

static inline uint32_t cut_events(void)
{
	uint32_t bits = 0;

	for (unsigned ev = 0; ev < LYA_EV_COUNT; ev++)
		if (lya_event_is_cut((enum lya_event)ev))
			bits |= BIT(ev);
	return bits;
}

/* Decode a heap copy of the exact size, so that the sanitizer sees one byte too many. */
static inline uint8_t *decode_copy(const uint8_t *data, size_t captured, size_t wire, uint16_t link,
				   struct lya_packet *pkt)
{
	uint8_t *copy = malloc(captured == 0 ? 1 : captured);
	struct lya_frame frame = { .data = copy,
				   .caplen = (uint32_t)captured,
				   .wirelen = (uint32_t)wire,
				   .link = link,
				   .digits = 6 };

	assert_non_null(copy);
	memcpy(copy, data, captured);
	memset(pkt, 0xee, sizeof(*pkt)); /* what the decoder forgets to set shows */
	lya_decode(&frame, pkt);
	return copy;
}

/* What is true of every packet, whatever the bytes were. */
static inline void check_invariants(const struct lya_packet *pkt, const uint8_t *data,
				    size_t captured, size_t wire)
{
	assert_true(pkt->events < BIT(LYA_EV_COUNT));
	assert_true(pkt->kind <= LYA_PKT_BAD);
	assert_true(pkt->path.n_vlan <= LYA_VLANS_MAX);
	assert_true(pkt->path.n_tunnels <= LYA_TUNNELS_MAX);
	assert_true((pkt->path.n_tunnels == 0) == (pkt->path.tunnel == LYA_TUN_NONE));
	assert_false(pkt->payload.failed);
	if (pkt->payload.pos != NULL) {
		assert_true(pkt->payload.pos >= data && pkt->payload.end <= data + captured);
		assert_true(pkt->payload.pos <= pkt->payload.end);
		assert_true(lya_cursor_left(&pkt->payload) <= pkt->payload_len);
	}
	assert_true(pkt->payload_len <= pkt->ip_bytes);
	assert_true(pkt->ip_bytes <= wire || pkt->path.n_tunnels > 0);
	if (pkt->ip != NULL) {
		assert_true(pkt->ip >= data && pkt->ip + pkt->ip_captured <= data + captured);
		assert_true(pkt->src.family == pkt->dst.family);
	}
	if (pkt->kind != LYA_PKT_TCP && pkt->kind != LYA_PKT_UDP) {
		assert_int_equal(pkt->sport, 0);
		assert_int_equal(pkt->dport, 0);
	}
	if (pkt->kind != LYA_PKT_TCP)
		assert_int_equal(pkt->tcp_flags, 0);
	if (pkt->options != NULL)
		assert_true(pkt->options >= data &&
			    pkt->options + pkt->options_len <= data + captured);
}

static inline void check_case(const struct decode_case *c, const struct lya_packet *pkt)
{
	const struct expect *w = &c->want;

	assert_int_equal(pkt->kind, w->kind);
	assert_int_equal(pkt->events, w->events);
	assert_int_equal(pkt->sport, w->sport);
	assert_int_equal(pkt->dport, w->dport);
	assert_int_equal(pkt->payload_len, w->payload_len);
	assert_int_equal(pkt->transport, w->transport);
	assert_int_equal(pkt->path.n_vlan, w->n_vlan);
	for (unsigned i = 0; i < LYA_VLANS_MAX; i++)
		assert_int_equal(pkt->path.vlan[i], w->vlan[i]);
	assert_int_equal(pkt->path.tunnel, w->tunnel);
	assert_int_equal(pkt->path.tunnel_id, w->tunnel_id);
	assert_int_equal(pkt->path.n_tunnels, w->n_tunnels);
	assert_int_equal(pkt->frame_broadcast, w->broadcast);
	if (w->family == 0)
		assert_null(pkt->ip);
	else
		assert_int_equal(pkt->src.family, w->family);
}

/* Cut by the snap length: less payload, or an event that says so, or a tunnel left unopened. */
static inline void check_cut(const struct lya_packet *whole, const struct lya_packet *cut)
{
	if (whole->kind == LYA_PKT_NOT_IP || whole->kind == LYA_PKT_BAD ||
	    whole->kind == LYA_PKT_OTHER_IP)
		return;
	if (cut->path.n_tunnels < whole->path.n_tunnels)
		return;
	if (cut->events & cut_events())
		return;
	assert_int_equal(cut->kind, whole->kind);
	assert_int_equal(cut->sport, whole->sport);
	assert_int_equal(cut->dport, whole->dport);
	assert_int_equal(cut->payload_len, whole->payload_len);
	assert_int_equal(cut->ip_bytes, whole->ip_bytes);
	assert_true(lya_cursor_left(&cut->payload) <= lya_cursor_left(&whole->payload));
}

static inline void run_case(const struct decode_case *c)
{
	struct build *b = calloc(1, sizeof(*b));
	struct lya_packet whole, cut;
	uint8_t *data;

	assert_non_null(b);
	c->make(b);
	data = decode_copy(b->data, b->n, b->n, case_link(c), &whole);
	check_invariants(&whole, data, b->n, b->n);
	check_case(c, &whole);
	for (size_t i = 0; i < b->n; i++) {
		uint8_t *copy = decode_copy(b->data, i, b->n, case_link(c), &cut);

		check_invariants(&cut, copy, i, b->n);
		check_cut(&whole, &cut);
		free(copy);
		copy = decode_copy(b->data, i, i, case_link(c), &cut);
		check_invariants(&cut, copy, i, i);
		free(copy);
	}
	free(data);
	free(b);
}

static inline void run_cases(const struct decode_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		print_message("  %s\n", cases[i].name);
		run_case(&cases[i]);
	}
}

#endif
