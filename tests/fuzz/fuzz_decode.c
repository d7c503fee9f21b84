/*
 * fuzz_decode.c - a frame of any link type.  The first byte chooses the type,
 * the second how much the wire had beyond the capture.
 */
#include "packet_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint16_t links[] = {
		LYA_LINK_ETHERNET,
		LYA_LINK_LINUX_SLL,
		LYA_LINK_LINUX_SLL2,
		LYA_LINK_RAW,
		LYA_LINK_NULL,
		LYA_LINK_LOOP,
		LYA_LINK_PPP,
		LYA_LINK_PPP_HDLC,
		LYA_LINK_PPP_ETHER,
		LYA_LINK_C_HDLC,
		LYA_LINK_IPV4,
		LYA_LINK_IPV6,
		12,
		14,
		105,
	};
	struct lya_frame frame = { 0 };
	struct lya_packet pkt;

	if (size < 2 || size - 2 > LYA_FRAME_MAX)
		return 0;
	frame.link = links[data[0] % (sizeof(links) / sizeof(links[0]))];
	frame.data = data + 2;
	frame.caplen = (uint32_t)(size - 2);
	frame.wirelen = frame.caplen + data[1] * 8U;
	lya_decode(&frame, &pkt);
	check_packet(&pkt, frame.data, frame.caplen, frame.wirelen);
	return 0;
}
