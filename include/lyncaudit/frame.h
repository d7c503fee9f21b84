/*
 * frame.h - one captured frame, as a reader hands it to a decoder.
 */
#ifndef LYNCAUDIT_FRAME_H
#define LYNCAUDIT_FRAME_H

#include <stdint.h>

/* Largest frame that is accepted: as libpcap's MAXIMUM_SNAPLEN, for big offloaded frames. */
enum { LYA_FRAME_MAX = 262144 };

/* LINKTYPE_ values (www.tcpdump.org/linktypes.html) that the decoder knows by name. */
enum lya_link {
	LYA_LINK_NULL = 0,
	LYA_LINK_ETHERNET = 1,
	LYA_LINK_PPP = 9,
	LYA_LINK_PPP_HDLC = 50,
	LYA_LINK_PPP_ETHER = 51,
	LYA_LINK_RAW = 101,
	LYA_LINK_C_HDLC = 104,
	LYA_LINK_LOOP = 108,
	LYA_LINK_LINUX_SLL = 113,
	LYA_LINK_IPV4 = 228,
	LYA_LINK_IPV6 = 229,
	LYA_LINK_LINUX_SLL2 = 276
};

/* Flags of a frame. */
enum {
	LYA_FRAME_BIG_ENDIAN = 1 /* the file's byte order: LINKTYPE_NULL needs it */
};

struct lya_frame {
	int64_t time_ns;     /* packet time */
	uint64_t number;     /* of the packet in its source, from 1 */
	const uint8_t *data; /* borrowed from the reader: see lya_capture_next */
	uint32_t caplen;     /* bytes at data */
	uint32_t wirelen;    /* bytes on the wire; >= caplen unless the file lies */
	uint32_t source;     /* index of the source */
	uint16_t link;       /* LINKTYPE_ number */
	uint16_t iface;      /* interface within the source */
	uint8_t flags;
	uint8_t digits;      /* decimals of the clock: 6 or 9 (other resolutions rounded up) */
};

#endif
