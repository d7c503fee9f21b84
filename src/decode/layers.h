/*
 * layers.h - what the decoder's files share.
 *
 * Each layer takes what is left of the frame and hands on what follows its
 * own header.  Two lengths go along, because a capture may hold less than the
 * wire did: a header that the wire had and the capture has not is "cut", one
 * that the wire had no room for is "malformed".
 *
 * A layer answers true when its header was sound, that is, when somebody who
 * only guessed that it begins here (a tunnel by its port number) may believe
 * it.  The packet is filled in either case.
 */
#ifndef LYNCAUDIT_DECODE_LAYERS_H
#define LYNCAUDIT_DECODE_LAYERS_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "lyncaudit/decode.h"

/* Invariant: left <= wire.  Two registers when passed by value. */
struct bytes {
	const uint8_t *p; /* borrowed from the frame */
	uint32_t left;    /* captured from p on */
	uint32_t wire;    /* on the wire from p on, as the layers around it claim */
};

/* What follows the next n bytes, which must have been captured. */
static inline struct bytes bytes_after(struct bytes b, uint32_t n)
{
	assert(n <= b.left);
	return (struct bytes){ .p = b.p + n, .left = b.left - n, .wire = b.wire - n };
}

/* The same without all that lies past the next n bytes (padding, trailers). */
static inline struct bytes bytes_limit(struct bytes b, uint32_t n)
{
	if (n < b.wire)
		b.wire = n;
	if (n < b.left)
		b.left = n;
	return b;
}

static inline uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* The payload of pkt: what was captured at b, `len` bytes as claimed. */
static inline void set_payload(struct lya_packet *pkt, struct bytes b, uint32_t len)
{
	pkt->payload.pos = b.p;
	pkt->payload.end = b.p + b.left;
	pkt->payload.failed = false;
	pkt->payload_len = len;
}

/* Mark pkt as malformed by ev, or as cut by ev_cut when the wire had `need` bytes. */
static inline void note_short(struct lya_packet *pkt, struct bytes b, uint32_t need,
			      enum lya_event ev_cut, enum lya_event ev)
{
	lya_packet_note(pkt, b.wire >= need ? ev_cut : ev);
	pkt->kind = LYA_PKT_BAD;
}

/* EtherType values that more than one file needs. */
enum {
	ETHERTYPE_IPV4 = 0x0800,
	ETHERTYPE_IPV6 = 0x86dd,
	ETHERTYPE_MPLS = 0x8847,
	ETHERTYPE_MPLS_UPSTREAM = 0x8848,
	ETHERTYPE_TEB = 0x6558 /* transparent Ethernet bridging: a frame follows */
};

/* IP protocol numbers. */
enum {
	PROTO_HOP_BY_HOP = 0,
	PROTO_ICMP = 1,
	PROTO_IPV4 = 4,
	PROTO_TCP = 6,
	PROTO_UDP = 17,
	PROTO_IPV6 = 41,
	PROTO_ROUTING = 43,
	PROTO_FRAGMENT = 44,
	PROTO_GRE = 47,
	PROTO_AH = 51,
	PROTO_ICMPV6 = 58,
	PROTO_DEST_OPTIONS = 60,
	PROTO_MOBILITY = 135,
	PROTO_HIP = 139,
	PROTO_SHIM6 = 140
};

/* Any frame, layer by layer: what plain.c hands on.  As lya_decode. */
void decode_general(const struct lya_frame *frame, struct lya_packet *pkt);

/* A layer's entrance. */
typedef bool decode_layer(struct lya_packet *pkt, struct bytes b);

decode_layer decode_ethernet;
decode_layer decode_ipv4;
decode_layer decode_ipv4_checked; /* sound only with a right header checksum */
decode_layer decode_ipv6;
decode_layer decode_ip;    /* by the version in its first nibble */
decode_layer decode_mpls;  /* at the first label */
decode_layer decode_pppoe; /* at the PPPoE header */
decode_layer decode_ppp;   /* at the protocol number, without address and control */

/* What follows an EtherType, at b: tags, IP, or something that is not IP. */
bool decode_ethertype(struct lya_packet *pkt, uint16_t type, struct bytes b);

/* What follows the IP headers.  pkt's IP fields are set; sets kind and all below IP. */
void decode_transport(struct lya_packet *pkt, uint8_t proto, struct bytes b);
void decode_tcp(struct lya_packet *pkt, struct bytes b);
void decode_udp(struct lya_packet *pkt, struct bytes b);
void decode_icmp(struct lya_packet *pkt, struct bytes b);
void decode_icmpv6(struct lya_packet *pkt, struct bytes b);

/*
 * The fragment fields are set and b is what follows the IP headers: note what
 * cannot be.  True when the packet is done with (a later fragment, or a bad
 * one), false when b begins with the transport header.
 */
bool decode_fragment(struct lya_packet *pkt, uint8_t proto, struct bytes b);

/* Pass over an authentication header; false (kind set) when it is not whole. */
bool decode_ah(struct lya_packet *pkt, uint8_t *proto, struct bytes *b, enum lya_event ev_cut,
	       enum lya_event ev);

/*
 * Read what a tunnel carries, at b, as `layer`.  When that answers true pkt
 * becomes the inner packet; otherwise it stays as it was, but for the events
 * TUNNEL_DEPTH and, with *events given, what was noted inside.
 */
bool decode_inner(struct lya_packet *pkt, enum lya_tunnel_kind kind, uint32_t id,
		  decode_layer *layer, struct bytes b, uint32_t *events);

/* IP protocols 4, 41 and 47: kind is set in any case. */
void decode_ip_in_ip(struct lya_packet *pkt, uint8_t proto, struct bytes b);
void decode_gre(struct lya_packet *pkt, struct bytes b);
/*
 * pkt is a UDP packet: when it is a tunnel by its port and by all that is
 * inside, it becomes the inner packet.
 */
void decode_udp_tunnel(struct lya_packet *pkt);

#endif
