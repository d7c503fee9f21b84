/*
 * build.h - frames by hand: headers appended one after the other, lengths and
 * checksums filled in when a header is closed.
 *
 *	struct build b = { 0 };
 *	size_t ip;
 *
 *	add_ethernet(&b, 0x0800);
 *	ip = open_ipv4(&b, 17, 64);
 *	add_udp(&b, 5000, 3478, 12);
 *	add_fill(&b, 12);
 *	close_ipv4(&b, ip);
 */
#ifndef TEST_DECODE_BUILD_H
#define TEST_DECODE_BUILD_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct build {
	uint8_t data[70000];
	size_t n;
};

static inline void add(struct build *b, const void *bytes, size_t n)
{
	assert(n <= sizeof(b->data) - b->n);
	memcpy(b->data + b->n, bytes, n);
	b->n += n;
}

static inline void add8(struct build *b, unsigned v)
{
	uint8_t byte = (uint8_t)v;

	add(b, &byte, 1);
}

static inline void add16(struct build *b, unsigned v)
{
	add8(b, v >> 8);
	add8(b, v & 0xff);
}

static inline void add32(struct build *b, uint32_t v)
{
	add16(b, v >> 16);
	add16(b, v & 0xffff);
}

static inline void set16(struct build *b, size_t at, unsigned v)
{
	b->data[at] = (uint8_t)(v >> 8);
	b->data[at + 1] = (uint8_t)v;
}

/* n bytes that differ from each other and from most headers. */
static inline void add_fill(struct build *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		add8(b, (unsigned)(0xa0 + i * 7) & 0xff);
}

/* From 02:..:01 to 02:..:02. */
static inline void add_ethernet(struct build *b, unsigned type)
{
	static const uint8_t macs[12] = { 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1 };

	add(b, macs, sizeof(macs));
	add16(b, type);
}

static inline void set_ipv4_checksum(struct build *b, size_t at)
{
	uint32_t sum = 0;

	set16(b, at + 10, 0);
	for (size_t i = 0; i < (b->data[at] & 15U) * 4; i += 2)
		sum += (uint32_t)(b->data[at + i] << 8 | b->data[at + i + 1]);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	set16(b, at + 10, ~sum & 0xffff);
}

/* An IPv4 header from 10.0.0.1 to 10.0.0.2 without options; returns where it stands. */
static inline size_t open_ipv4(struct build *b, unsigned proto, unsigned ttl)
{
	size_t at = b->n;

	add16(b, 0x4500);
	add16(b, 0); /* total length: close_ipv4 */
	add16(b, 0x1234);
	add16(b, 0);
	add8(b, ttl);
	add8(b, proto);
	add16(b, 0);
	add32(b, 0x0a000001);
	add32(b, 0x0a000002);
	return at;
}

static inline void close_ipv4(struct build *b, size_t at)
{
	set16(b, at + 2, (unsigned)(b->n - at));
	set_ipv4_checksum(b, at);
}

/* An IPv6 header from 2001:db8::1 to 2001:db8::2. */
static inline size_t open_ipv6(struct build *b, unsigned next)
{
	static const uint8_t net[15] = { 0x20, 0x01, 0x0d, 0xb8 };
	size_t at = b->n;

	add32(b, 0x60000000);
	add16(b, 0); /* payload length: close_ipv6 */
	add8(b, next);
	add8(b, 64);
	add(b, net, 15);
	add8(b, 1);
	add(b, net, 15);
	add8(b, 2);
	return at;
}

static inline void close_ipv6(struct build *b, size_t at)
{
	set16(b, at + 4, (unsigned)(b->n - at - 40));
}

static inline void add_udp(struct build *b, unsigned sport, unsigned dport, size_t payload)
{
	add16(b, sport);
	add16(b, dport);
	add16(b, (unsigned)(8 + payload));
	add16(b, 0);
}

/* Sequence number 1000, acknowledgement 2000, window 0x7210. */
static inline void add_tcp(struct build *b, unsigned sport, unsigned dport, unsigned flags)
{
	add16(b, sport);
	add16(b, dport);
	add32(b, 1000);
	add32(b, 2000);
	add8(b, 0x50);
	add8(b, flags);
	add16(b, 0x7210);
	add32(b, 0);
}

/* IPv4 and UDP 5000 to 3478 with 12 bytes: what most cases carry. */
static inline void add_ipv4_udp(struct build *b)
{
	size_t ip = open_ipv4(b, 17, 64);

	add_udp(b, 5000, 3478, 12);
	add_fill(b, 12);
	close_ipv4(b, ip);
}

/* IPv6 and TCP 50000 to 443, SYN. */
static inline void add_ipv6_tcp(struct build *b)
{
	size_t ip = open_ipv6(b, 6);

	add_tcp(b, 50000, 443, 0x02);
	close_ipv6(b, ip);
}

#endif
