/*
 * plain.c - the frames that nearly all are: Ethernet, one VLAN tag or none,
 * IPv4 without options or fragments, TCP or UDP with all of its header.
 *
 * They are read in one go.  Whatever is not as expected is left to the layers
 * (decode_general) from the beginning, so there is one meaning of a frame and
 * two ways to it; test_plain.c compares them.
 */
#include "decode/layers.h"

#include <endian.h>
#include <stddef.h>

enum {
	ETHERNET_LEN = 14,
	TAG_LEN = 4,
	ETHERTYPE_VLAN = 0x8100,
	IPV4_LEN = 20,
	TCP_LEN = 20,
	UDP_LEN = 8
};

/* The fields of a packet that are nothing here: duplicate to path. */
enum {
	RARE_FROM = offsetof(struct lya_packet, duplicate),
	RARE_TO = offsetof(struct lya_packet, src)
};

/* For every UDP port that decode_udp looks behind, one bit by its upper bits. */
#define PORT_BIT(port) (UINT64_C(1) << ((port) >> 3 & 63))

/* True for every UDP packet that may be more than its ports say, and for few others. */
static inline bool may_be_tunnel(uint16_t sport, uint16_t dport)
{
	const uint64_t bits =
	    PORT_BIT(4789) | PORT_BIT(8472) | PORT_BIT(6081) | PORT_BIT(37008) | PORT_BIT(3544);

	return (bits >> (dport >> 3 & 63) & 1) != 0 || sport == 3544;
}

/* Bytes in the machine's own order: to be compared, or where no order matters. */
static inline bool is16(const uint8_t *p, uint16_t value)
{
	uint16_t word;

	memcpy(&word, p, sizeof(word));
	return word == htobe16(value);
}

static inline bool has16(const uint8_t *p, uint16_t bits)
{
	uint16_t word;

	memcpy(&word, p, sizeof(word));
	return (word & htobe16(bits)) != 0;
}

static inline uint64_t word_at(const uint8_t *p)
{
	uint32_t word;

	memcpy(&word, p, sizeof(word));
	return word;
}

/* As in ip.c, of a header without options. */
static inline bool checksum_holds(const uint8_t *p)
{
	uint64_t sum =
	    word_at(p) + word_at(p + 4) + word_at(p + 8) + word_at(p + 12) + word_at(p + 16);

	return sum % UINT16_MAX == 0 || is16(p + 10, 0);
}

static inline void set_end(struct lya_addr *addr, const uint8_t *p)
{
	memset(addr->bytes, 0, sizeof(addr->bytes));
	memcpy(addr->bytes, p, 4);
	addr->family = 4;
}

static inline uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* The transport header at p, of `wire` bytes with what it carries, of which `left` are captured. */
static inline bool plain_tcp(struct lya_packet *pkt, const uint8_t *p, uint32_t wire, uint32_t left)
{
	uint32_t header = p[12] >> 2 & 0x3cU;

	if (left < TCP_LEN || header < TCP_LEN || header > left)
		return false;
	pkt->kind = LYA_PKT_TCP;
	pkt->transport = PROTO_TCP;
	pkt->tcp_flags = p[13];
	pkt->window = be16(p + 14);
	pkt->seq = be32(p + 4);
	pkt->dport = be16(p + 2);
	pkt->sport = be16(p);
	pkt->ack = be32(p + 8);
	pkt->payload_len = wire - header;
	pkt->payload.pos = p + header;
	pkt->payload.end = p + left;
	pkt->options_len = (uint8_t)(header - TCP_LEN);
	pkt->options = header > TCP_LEN ? p + TCP_LEN : NULL;
	return true;
}

static inline bool plain_udp(struct lya_packet *pkt, const uint8_t *p, uint32_t wire, uint32_t left)
{
	uint32_t len = be16(p + 4);
	uint16_t sport = be16(p);
	uint16_t dport = be16(p + 2);

	if (left < UDP_LEN || len < UDP_LEN || len > wire || may_be_tunnel(sport, dport))
		return false;
	pkt->kind = LYA_PKT_UDP;
	pkt->transport = PROTO_UDP;
	pkt->tcp_flags = 0;
	pkt->dport = dport;
	pkt->sport = sport;
	pkt->payload_len = len - UDP_LEN;
	pkt->payload.pos = p + UDP_LEN;
	pkt->payload.end = p + least(len, left);
	pkt->options_len = 0;
	pkt->options = NULL;
	return true;
}

/* What the frame and its IPv4 header say. */
static inline void set_common(struct lya_packet *pkt, const struct lya_frame *frame,
			      const uint8_t *ip)
{
	const uint8_t *p = frame->data;

	pkt->time_ns = frame->time_ns;
	pkt->number = frame->number;
	pkt->source = frame->source;
	pkt->digits = frame->digits;
	pkt->events = 0;
	if (__builtin_expect(!checksum_holds(ip), 0))
		lya_packet_note(pkt, LYA_EV_CHECKSUM_IP);
	pkt->l4_at = IPV4_LEN;
	pkt->ttl = ip[8];
	pkt->frame_broadcast = p[0] & 1;
	memset((uint8_t *)pkt + RARE_FROM, 0, RARE_TO - RARE_FROM);
	set_end(&pkt->src, ip + 12);
	set_end(&pkt->dst, ip + 16);
	pkt->ip_id = be16(ip + 4);
	pkt->payload.failed = false;
	pkt->ip = ip;
	pkt->eth_src = p + 6;
	pkt->eth_dst = p;
}

/* False when the frame is not one of these; pkt is not to be used then. */
static inline __attribute__((always_inline)) bool decode_plain(const struct lya_frame *frame,
							       struct lya_packet *pkt)
{
	const uint8_t *p = frame->data;
	const uint8_t *ip;
	uint32_t left = frame->caplen;
	uint32_t wire = frame->wirelen > left ? frame->wirelen : left;
	uint32_t tagged, total;
	uint16_t vlan;

	if (frame->link != LYA_LINK_ETHERNET || left < ETHERNET_LEN + IPV4_LEN + TCP_LEN)
		return false;
	/* Selections and no branches: tagged and untagged frames come mixed. */
	tagged = is16(p + 12, ETHERTYPE_VLAN);
	vlan = (uint16_t)(be16(p + 14) & 0x0fff & -tagged);
	ip = p + ETHERNET_LEN + tagged * TAG_LEN;
	if (!is16(ip - 2, ETHERTYPE_IPV4) || ip[0] != 0x45 || has16(ip + 6, 0x3fff))
		return false;
	wire -= ETHERNET_LEN + tagged * TAG_LEN;
	left -= ETHERNET_LEN + tagged * TAG_LEN;
	total = be16(ip + 2);
	if (total > wire || total < IPV4_LEN)
		return false;
	left = least(total, left);
	set_common(pkt, frame, ip);
	pkt->ip_bytes = total;
	pkt->ip_captured = left;
	pkt->path.vlan[0] = vlan;
	pkt->path.n_vlan = vlan != 0;
	if (ip[9] == PROTO_TCP)
		return plain_tcp(pkt, ip + IPV4_LEN, total - IPV4_LEN, left - IPV4_LEN);
	return ip[9] == PROTO_UDP &&
	       plain_udp(pkt, ip + IPV4_LEN, total - IPV4_LEN, left - IPV4_LEN);
}

void lya_decode_batch(const struct lya_frame *frames, struct lya_packet *pkts, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!decode_plain(&frames[i], &pkts[i]))
			decode_general(&frames[i], &pkts[i]);
	}
}

void lya_decode(const struct lya_frame *frame, struct lya_packet *pkt)
{
	lya_decode_batch(frame, pkt, 1);
}
