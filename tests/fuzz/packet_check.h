/*
 * packet_check.h - what holds for every decoded packet, whatever the bytes were.
 */
#ifndef FUZZ_PACKET_CHECK_H
#define FUZZ_PACKET_CHECK_H

#include <stdint.h>
#include <stdlib.h>

#include "lyncaudit/decode.h"

static inline void must(bool holds)
{
	if (!holds)
		abort();
}

/* Read every byte that the packet lends, so that the sanitizer sees a loan too large. */
static inline unsigned touch(const uint8_t *p, size_t n)
{
	unsigned sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += p[i];
	return sum;
}

static inline void check_packet(const struct lya_packet *pkt, const uint8_t *data, size_t len,
				size_t wire)
{
	volatile unsigned sum = 0;
	bool has_ports = pkt->kind == LYA_PKT_TCP || pkt->kind == LYA_PKT_UDP;

	must(pkt->kind <= LYA_PKT_BAD);
	must(pkt->events >> LYA_EV_COUNT == 0);
	must(pkt->path.n_vlan <= LYA_VLANS_MAX && pkt->path.n_tunnels <= LYA_TUNNELS_MAX);
	must((pkt->path.n_tunnels == 0) == (pkt->path.tunnel == LYA_TUN_NONE));
	must(has_ports || (pkt->sport == 0 && pkt->dport == 0));
	must(pkt->kind == LYA_PKT_TCP || pkt->tcp_flags == 0);
	must(!pkt->payload.failed && pkt->payload_len <= pkt->ip_bytes);
	must(pkt->path.n_tunnels > 0 || pkt->ip_bytes <= wire);
	if (pkt->payload.pos != NULL) {
		must(pkt->payload.pos >= data && pkt->payload.end <= data + len);
		must(lya_cursor_left(&pkt->payload) <= pkt->payload_len);
		sum += touch(pkt->payload.pos, lya_cursor_left(&pkt->payload));
	}
	if (pkt->ip != NULL) {
		must(pkt->src.family == pkt->dst.family);
		must(pkt->src.family == 4 || pkt->src.family == 6);
		must(pkt->ip >= data && pkt->ip + pkt->ip_captured <= data + len);
		must(pkt->ip_captured <= pkt->ip_bytes);
		sum += touch(pkt->ip, pkt->ip_captured);
	} else {
		must(pkt->kind == LYA_PKT_NOT_IP || pkt->kind == LYA_PKT_BAD);
	}
	if (pkt->options != NULL)
		sum += touch(pkt->options, pkt->options_len);
	if (pkt->eth_src != NULL)
		sum += touch(pkt->eth_src, 6);
	if (pkt->eth_dst != NULL)
		sum += touch(pkt->eth_dst, 6);
	if (pkt->kind == LYA_PKT_ICMP_ERROR)
		must(pkt->quoted.transport == 6 || pkt->quoted.transport == 17);
	(void)sum;
}

#endif
