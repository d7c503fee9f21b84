/*
 * fuzz_tunnel.c - what a tunnel carries: behind a sound outer IPv4 header that
 * the first byte chooses (GRE, IP in IP, or UDP to a tunnel's port), so that
 * the fuzzer need not find it first.
 */
#include <string.h>

#include "packet_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { IPV4_LEN = 20, UDP_LEN = 8, CONTENT_MAX = 4096 };

static void put16(uint8_t *p, size_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct {
		uint8_t proto;
		uint16_t port;
	} outers[] = {
		{ 47, 0 },    { 4, 0 },     { 41, 0 },     { 17, 4789 },
		{ 17, 8472 }, { 17, 6081 }, { 17, 37008 }, { 17, 3544 },
	};
	uint8_t bytes[IPV4_LEN + UDP_LEN + CONTENT_MAX] = { 0x45 };
	struct lya_frame frame = { .data = bytes, .link = LYA_LINK_RAW };
	struct lya_packet pkt;
	size_t header = IPV4_LEN;
	unsigned choice;

	if (size < 1 || size - 1 > CONTENT_MAX)
		return 0;
	choice = data[0] % 8;
	bytes[9] = outers[choice].proto;
	bytes[15] = 1;
	bytes[19] = 2;
	if (outers[choice].port != 0) {
		put16(bytes + 20, 50000);
		put16(bytes + 22, outers[choice].port);
		put16(bytes + 24, UDP_LEN + size - 1);
		header += UDP_LEN;
	}
	memcpy(bytes + header, data + 1, size - 1);
	put16(bytes + 2, header + size - 1);
	bytes[6] = data[0] & 0x80 ? 0x20 : 0; /* a first fragment */
	frame.caplen = (uint32_t)(header + size - 1);
	frame.wirelen = frame.caplen + (data[0] & 0x40 ? 64 : 0);
	lya_decode(&frame, &pkt);
	check_packet(&pkt, bytes, frame.caplen, frame.wirelen);
	must(pkt.ip != NULL || pkt.path.n_tunnels > 0);
	return 0;
}
