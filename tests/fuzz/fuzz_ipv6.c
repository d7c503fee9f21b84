/*
 * fuzz_ipv6.c - a chain of IPv6 headers behind a sound first one.  The first
 * byte is the first next-header number, the second what the snap length cut.
 */
#include <string.h>

#include "packet_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { IPV6_LEN = 40, CONTENT_MAX = 8192 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t bytes[IPV6_LEN + CONTENT_MAX] = { 0x60 };
	struct lya_frame frame = { .data = bytes, .link = LYA_LINK_IPV6 };
	struct lya_packet pkt;
	size_t content;

	if (size < 2 || size - 2 > CONTENT_MAX)
		return 0;
	content = size - 2;
	bytes[4] = (uint8_t)((content + data[1]) >> 8);
	bytes[5] = (uint8_t)(content + data[1]);
	bytes[6] = data[0];
	bytes[7] = 64;
	bytes[23] = 1;
	bytes[39] = 2;
	memcpy(bytes + IPV6_LEN, data + 2, content);
	frame.caplen = (uint32_t)(IPV6_LEN + content);
	frame.wirelen = frame.caplen + data[1];
	lya_decode(&frame, &pkt);
	check_packet(&pkt, bytes, frame.caplen, frame.wirelen);
	must(pkt.ip != NULL || pkt.path.n_tunnels > 0);
	return 0;
}
