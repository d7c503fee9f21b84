/*
 * decode.h - a frame to its layers: who sends to whom, by which ports.
 *
 * The decoder allocates, prints and remembers nothing.  Malformed input is
 * an event on the packet, to be counted by the caller; what the snap length
 * cut is another thing than what the sender got wrong, and has events of its
 * own.  Tunnels that mirror ports use are opened: the packet is the innermost
 * one, the path tells what it came through.
 */
#ifndef LYNCAUDIT_DECODE_H
#define LYNCAUDIT_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lyncaudit/addr.h"
#include "lyncaudit/cursor.h"
#include "lyncaudit/frame.h"

/* What is known of the packet in the end. */
enum lya_packet_kind {
	LYA_PKT_TCP,
	LYA_PKT_UDP,
	LYA_PKT_ICMP_ERROR, /* `quoted` holds the flow that it answers */
	LYA_PKT_FRAGMENT,   /* TCP or UDP, but not the first fragment: no ports */
	LYA_PKT_CUT,        /* TCP or UDP whose ports the snap length cut */
	LYA_PKT_OTHER_IP,   /* IP, but neither TCP nor UDP */
	LYA_PKT_NOT_IP,
	LYA_PKT_BAD         /* malformed, or cut before the ends are known: see events */
};

/* Second sightings of one packet; the decoder says LYA_DUP_NONE, lya_reasm_mark the rest. */
enum lya_duplicate {
	LYA_DUP_NONE,
	LYA_DUP_EXACT,  /* the same in everything */
	LYA_DUP_VLAN,   /* the same from the IP header on: other tags or MAC addresses */
	LYA_DUP_ROUTED  /* the same but for TTL and header checksum: both sides of a router */
};

/*
 * Events: malformed or remarkable input.  The names of malformed ones are the
 * keys of the report's capture.malformed.
 */
enum lya_event {
	LYA_EV_LINK_TRUNCATED,  /* cut inside the link layer */
	LYA_EV_LINK_UNKNOWN,    /* a link type that the decoder does not know */
	LYA_EV_VLAN_DEPTH,      /* more tags than LYA_VLANS_MAX */
	LYA_EV_MPLS_DEPTH,
	LYA_EV_TUNNEL_DEPTH,    /* nesting beyond LYA_TUNNELS_MAX */
	LYA_EV_TUNNEL_HEADER,   /* a tunnel's header that cannot be */
	LYA_EV_IPV4_HEADER,     /* version, header length or total length cannot be */
	LYA_EV_IPV4_TRUNCATED,
	LYA_EV_IPV4_OPTIONS,    /* an option list that cannot be */
	LYA_EV_IPV6_HEADER,
	LYA_EV_IPV6_TRUNCATED,
	LYA_EV_IPV6_EXT_DEPTH,  /* more extension headers than the bound */
	LYA_EV_IPV6_JUMBOGRAM,
	LYA_EV_FRAGMENT_BAD,    /* offset and length beyond 65535, or an empty middle fragment */
	LYA_EV_TCP_HEADER,      /* data offset cannot be */
	LYA_EV_TCP_TRUNCATED,
	LYA_EV_UDP_LENGTH,      /* shorter than its header or longer than what IP carried */
	LYA_EV_UDP_TRUNCATED,
	LYA_EV_ICMP_TRUNCATED,
	LYA_EV_CHECKSUM_IP,     /* wrong IPv4 header checksum: counted, never a reason to drop */
	LYA_EV_MACSEC,          /* encrypted: nothing to read */
	LYA_EV_TEREDO,          /* IPv6 in UDP 3544: counted */
	LYA_EV_FRAGMENT_OVERLAP, /* fragments that contradict each other; set by lya_reasm_take */
	LYA_EV_COUNT
};

/* The report's name of an event: "ipv4-header"; never NULL. */
const char *lya_event_name(enum lya_event ev);
/* True for events that say "cut by the snap length", not "malformed". */
bool lya_event_is_cut(enum lya_event ev);

enum { LYA_VLANS_MAX = 4, LYA_TUNNELS_MAX = 4 };

enum lya_tunnel_kind {
	LYA_TUN_NONE,
	LYA_TUN_GRE,
	LYA_TUN_ERSPAN1,
	LYA_TUN_ERSPAN2,
	LYA_TUN_ERSPAN3,
	LYA_TUN_VXLAN,
	LYA_TUN_GENEVE,
	LYA_TUN_TZSP,
	LYA_TUN_IPIP, /* IPv4 or IPv6 in IPv4 or IPv6 (4in4, 6in4, 4in6, 6in6) */
	LYA_TUN_MPLS,
	LYA_TUN_PPPOE
};

const char *lya_tunnel_name(enum lya_tunnel_kind kind);

/* What the packet came through, outermost first. */
struct lya_path {
	uint16_t vlan[LYA_VLANS_MAX]; /* VLAN ids of the innermost Ethernet frame, outer first;
	                                 a priority tag (id 0) names no VLAN; unused ones are 0 */
	uint8_t n_vlan;
	uint8_t tunnel;     /* innermost tunnel, enum lya_tunnel_kind */
	uint8_t n_tunnels;  /* how many were opened */
	uint32_t tunnel_id; /* its VNI, session id, key or label; 0 where it has none */
};

/* TCP flags as in the header. */
enum {
	LYA_TCP_FIN = 0x01,
	LYA_TCP_SYN = 0x02,
	LYA_TCP_RST = 0x04,
	LYA_TCP_PSH = 0x08,
	LYA_TCP_ACK = 0x10
};

/*
 * The frames that nearly all are (Ethernet, one VLAN tag or none, IP without
 * options, extensions or fragments, TCP or UDP with all of its header) are
 * "plain": of them only the first part of struct lya_packet is set, and
 * lya_packet_fill sets the rest when somebody asks.  Their headers stand where
 * they are expected.
 */
enum lya_form {
	LYA_FORM_OTHER,
	LYA_FORM_IPV4, /* plain: the transport header is 20 bytes behind `ip`, */
	LYA_FORM_IPV6  /* 40 bytes behind it */
};

/*
 * What is always set: the first part; of it, 0 or NULL where there is none,
 * transport, tcp_flags, ip, ip_bytes, payload, payload_len and the fragment
 * fields.  Of a packet that is not partial, also where it came from, what the frame
 * says, and, 0 or NULL where there is none, the ports and options.  Further:
 *
 *	ip != NULL             src, dst, ttl, ip_id, ip_captured, ip_bytes, l4_at
 *	LYA_PKT_TCP            seq, ack, window (0 where the snap length cut them)
 *	LYA_PKT_TCP, _UDP      payload is what follows the transport header
 *	LYA_PKT_FRAGMENT       payload is what follows the IP header, payload_len its claim
 *	LYA_PKT_ICMP_ERROR     quoted
 *
 * Everything else is undefined, so that no time goes into clearing it.
 * Of a fragment, payload_len is what this packet carries, not the datagram.
 */
struct lya_packet {
	/* The first part ---------------------------------------------------------- */
	const struct lya_frame *frame; /* borrowed; NULL once the packet outlives its frame */
	int64_t time_ns;
	const uint8_t *ip;         /* start of the innermost IP header; borrowed; NULL when none */
	struct lya_cursor payload; /* transport payload that was captured; borrowed from the frame */
	uint32_t payload_len;  /* transport payload as the headers claim; the capture may hold less */
	uint32_t ip_bytes;     /* IP header, extensions and payload as the IP header claims;
	                          never more than the frame had on the wire */
	uint32_t ip_captured;  /* bytes captured from `ip` on */
	uint32_t events;       /* bits: 1 << enum lya_event */
	uint16_t l4_at;        /* bytes from `ip` to the transport header */
	uint8_t form;          /* enum lya_form; OTHER once the packet outlives its frame */
	uint8_t kind;          /* enum lya_packet_kind */
	uint8_t transport;     /* IP protocol number of the last header; 0 when not IP */
	uint8_t tcp_flags;     /* 0 unless kind is LYA_PKT_TCP */
	uint8_t ttl;
	bool frame_broadcast;  /* the frame's destination is a group address */

	/* What most packets have none of stands together: it is cleared at once. */
	uint8_t duplicate;     /* enum lya_duplicate */
	bool frag_more;
	bool is_fragment;      /* of any kind, head included */
	bool reassembled;      /* payload is the whole datagram's, whatever payload_len; see reasm.h */
	uint32_t frag_offset;  /* bytes; of any fragment */
	/*
	 * Of what the first fragment of a tunnel's IPv4 packet carries: that packet's
	 * header, so that its later fragments are known for the tunnel's; else NULL.
	 * Borrowed; outermost tunnel alone.
	 */
	const uint8_t *tunnel_head;
	struct lya_path path;

	/*
	 * What no switch and no router changes of it, in 64 bits: second sightings of
	 * one packet have the same.  0: not taken yet, see lya_packet_print.
	 */
	uint64_t print;
	uint64_t end[2];       /* LYA_FORM_IPV4: source and destination, address << 32 | port << 16 */
	bool partial;          /* the second part is not set */
	bool opening;          /* a SYN, or a datagram that STUN's bits begin; not plain: true */

	/* The second part ---------------------------------------------------------- */
	uint8_t digits;        /* decimals of the source's clock */
	uint32_t source;       /* index of the source */
	uint64_t number;       /* packet number in its source */
	struct lya_addr src, dst;
	uint16_t window;       /* TCP */
	uint16_t sport, dport; /* 0 unless kind is TCP or UDP */
	uint16_t frag_at;      /* of any fragment: bytes from `ip` to what it carries */
	uint32_t seq, ack;     /* TCP */
	uint32_t ip_id;        /* for fragments and duplicates */
	uint8_t options_len;   /* TCP options captured */
	const uint8_t *options; /* TCP options; borrowed; NULL when none */
	const uint8_t *eth_src, *eth_dst; /* 6 bytes each of the innermost frame; NULL when none
	                                     (a Linux cooked frame has a source alone) */
	struct {               /* LYA_PKT_ICMP_ERROR: the quoted packet, as its sender sent it */
		struct lya_addr src, dst;
		uint16_t sport, dport;
		uint8_t transport;
		uint8_t type, code;
		bool has_ports;
	} quoted;
};

static inline void lya_packet_note(struct lya_packet *pkt, enum lya_event ev)
{
	pkt->events |= UINT32_C(1) << ev;
}

/* What the packets of a batch have in common, worked out once for all who ask. */
struct lya_batch {
	uint64_t bytes;               /* of the frames as they were on the wire */
	int64_t oldest_ns, newest_ns;
	bool ascending;               /* none is older than the one before it */
	bool one_source;
	bool plain;                   /* nothing but TCP and UDP, without an event */
	bool short_way;               /* every packet is plain (lya_packet_is_plain): no fragments */
	bool duplicates;              /* some were marked as such; set by who marks */
};

/*
 * Decode n > 0 frames.  pkts need not be initialised; they borrow from the
 * frames and their bytes.  `quoted` is set for LYA_PKT_ICMP_ERROR alone.
 */
void lya_decode_batch(const struct lya_frame *frames, struct lya_packet *pkts, size_t n,
		      struct lya_batch *batch);
/* Decode one frame, and fill the packet. */
void lya_decode(const struct lya_frame *frame, struct lya_packet *pkt);

/* Set the second part of a plain packet whose frame is there still. */
void lya_packet_fill_plain(struct lya_packet *pkt);
/* Have all of a packet. */
static inline void lya_packet_fill(struct lya_packet *pkt)
{
	if (pkt->partial)
		lya_packet_fill_plain(pkt);
}

/* The print of a packet, from its bytes; 0 when it has no IP header to speak of.  It may be filled. */
uint64_t lya_packet_print(struct lya_packet *pkt);

static inline bool lya_packet_is_plain(const struct lya_packet *pkt)
{
	return pkt->form != LYA_FORM_OTHER;
}

/* Single fields of the second part, of any packet. */
static inline uint64_t lya_packet_number(const struct lya_packet *pkt)
{
	return lya_packet_is_plain(pkt) ? pkt->frame->number : pkt->number;
}

static inline uint32_t lya_packet_source(const struct lya_packet *pkt)
{
	return lya_packet_is_plain(pkt) ? pkt->frame->source : pkt->source;
}

static inline uint32_t lya_packet_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Of TCP. */
static inline uint32_t lya_packet_seq(const struct lya_packet *pkt)
{
	return lya_packet_is_plain(pkt) ? lya_packet_be32(pkt->ip + pkt->l4_at + 4) : pkt->seq;
}

static inline uint32_t lya_packet_ack(const struct lya_packet *pkt)
{
	return lya_packet_is_plain(pkt) ? lya_packet_be32(pkt->ip + pkt->l4_at + 8) : pkt->ack;
}

/* True when the decoder knows the link type. */
bool lya_link_known(uint16_t link);
/* "EN10MB", ... as tcpdump and the report name it; "LINKTYPE_147" for others (in buf). */
const char *lya_link_name(uint16_t link, char buf[static 24]);

#endif
