/*
 * print.h - a packet's print: what a switch or a router does not change of it,
 * in 64 bits (protocol-facts 9.1).
 *
 * Addresses, protocol, IP id, place of the fragment, total length, transport
 * header without checksum, the first 16 bytes of the payload (RTP needs them).
 * Where the IP id is 0, or there is none (IPv6), a second packet may look the
 * same up to there; then the checksum and more of the payload, its end too,
 * are in the print as well.
 *
 * A packet whose headers stand where they are expected is hashed by words of eight bytes
 * from its headers, two at a time; what routers change is masked out.
 */
#ifndef LYNCAUDIT_DECODE_PRINT_H
#define LYNCAUDIT_DECODE_PRINT_H

#include <endian.h>

#include "lyncaudit/decode.h"
#include "lyncaudit/hash.h"
#include "lyncaudit/word.h"

enum {
	PRINT_PAYLOAD = 16,   /* bytes of the payload, */
	PRINT_EDGE = 64,      /* and without an IP id, at its beginning and its end */
	PRINT_LEAST_TCP = 40, /* bytes captured from an IPv4 header on, of which there are words */
	PRINT_LEAST_UDP = 36
};

/* Odd numbers without structure, one for every place. */
static const uint64_t print_salt[] = {
	UINT64_C(0x9e3779b97f4a7c15), UINT64_C(0xbf58476d1ce4e5b9), UINT64_C(0x94d049bb133111eb),
	UINT64_C(0xd6e8feb86659fd93), UINT64_C(0xe7037ed1a0b428db), UINT64_C(0x8ebc6af09c88c6e3),
	UINT64_C(0x589965cc75374cc3), UINT64_C(0x1d8e4e27c47d124f), UINT64_C(0xeb44accab455d165),
	UINT64_C(0xa0761d6478bd642f),
};

/* Eight bytes, the first one lowest. */
static inline uint64_t print_word(const uint8_t *p)
{
	return le64toh(lya_word64(p));
}

/*
 * Of IPv4 without options: addresses, length, IP id, protocol; no TTL, no flags.  l4, more:
 * what counts of the 16 bytes behind it.
 */
static inline uint64_t print_head(const uint8_t *ip, uint64_t l4, uint64_t more)
{
	uint64_t fields = print_word(ip + 2) & UINT64_C(0xff00ff1fffffffff);

	return lya_hash_mix(print_word(ip + 12) ^ print_salt[0], l4 ^ print_salt[1]) +
	       lya_hash_mix(fields ^ print_salt[2], more ^ print_salt[3]);
}

static inline uint64_t print_finish(uint64_t h, uint64_t last, uint32_t ip_bytes)
{
	return (h + lya_hash_mix(last ^ print_salt[4], ip_bytes ^ print_salt[5])) |
	       1; /* 0 is no print */
}

/*
 * Of IPv4 at ip with an IP id and no options, and TCP: `end` (at least PRINT_LEAST_TCP)
 * captured bytes, or those up to the 16th of the payload.
 */
static inline uint64_t print_tcp(const uint8_t *ip, size_t end, uint32_t ip_bytes)
{
	const uint8_t *p = ip + 38; /* behind the checksum */
	size_t n = end - 38;
	uint64_t h = print_head(ip, print_word(ip + 20), print_word(ip + 28));

	for (; n > 8; p += 8, n -= 8)
		h = lya_hash_mix(h ^ print_word(p), print_salt[6]);
	return print_finish(h, print_word(ip + end - 8) >> (64 - 8 * n), ip_bytes);
}

/* The same of UDP, of which at least PRINT_LEAST_UDP are captured. */
static inline uint64_t print_udp(const uint8_t *ip, size_t end, uint32_t ip_bytes)
{
	uint64_t ports = print_word(ip + 20) & UINT64_C(0x0000ffffffffffff); /* no checksum */

	return print_finish(print_head(ip, ports, print_word(ip + 28)), print_word(ip + end - 8),
			    ip_bytes);
}

#endif
