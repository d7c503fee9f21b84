/*
 * plain.c - the frames that nearly all are: Ethernet, one VLAN tag or none,
 * IPv4 without options or fragments or IPv6 without extensions, TCP or UDP
 * with all of its header.
 *
 * They are read in one go, and only what every packet is asked for is kept.
 * Whatever is not as expected is left to the layers (decode_general) from the
 * beginning, so there is one meaning of a frame and two ways to it;
 * test_plain.c compares them.
 */
#include "decode/layers.h"

#include <endian.h>
#include <stddef.h>

#include "decode/print.h"
#include "lyncaudit/word.h"

enum {
	ETHERNET_LEN = 14,
	TAG_LEN = 4,
	ETHERTYPE_VLAN = 0x8100,
	IPV4_LEN = 20,
	IPV6_LEN = 40,
	TCP_LEN = 20,
	UDP_LEN = 8,
	STUN_LEN = 20, /* of a message without attributes */
	STUN_TYPES = 2 /* that a message's first byte stays below: methods up to 0x7f */
};

/* One way for most frames, without a call on it. */
#define ALWAYS_INLINE inline __attribute__((always_inline))

/* The fields of a packet that are nothing here: duplicate to path. */
enum {
	RARE_FROM = offsetof(struct lya_packet, duplicate),
	RARE_TO = offsetof(struct lya_packet, path) + sizeof(struct lya_path)
};

/* For every UDP port that decode_udp looks behind, one bit by its upper bits. */
#define PORT_BIT(port) (UINT64_C(1) << ((port) >> 3 & 63))

/* Not 0 for every UDP packet that may be more than its ports say, and for few others. */
static inline uint64_t may_be_tunnel(const uint8_t *p)
{
	const uint64_t bits =
	    PORT_BIT(4789) | PORT_BIT(8472) | PORT_BIT(6081) | PORT_BIT(37008) | PORT_BIT(3544);

	return (bits >> (be16(p + 2) >> 3 & 63) & 1) | (uint64_t)(be16(p) == 3544);
}

/* Eight bytes, the first one lowest, as a number of the machine. */
#define BYTES(a, b, c, d, e, f, g, h)                                                              \
	htole64((uint64_t)(a) | (uint64_t)(b) << 8 | (uint64_t)(c) << 16 | (uint64_t)(d) << 24 |    \
		(uint64_t)(e) << 32 | (uint64_t)(f) << 40 | (uint64_t)(g) << 48 |                   \
		(uint64_t)(h) << 56)

/* As in ip.c, of a header without options whose first eight bytes are `sum`. */
static inline bool checksum_holds(uint64_t sum, const uint8_t *p)
{
	uint64_t next = lya_word64(p + 8);

	sum += next;
	sum += sum < next; /* a carry out of 64 bits counts one */
	next = sum + lya_word32(p + 16);
	next += next < sum;
	return next % UINT16_MAX == 0 || lya_word16(p + 10) == 0;
}

static inline uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* Where what counts of it ends in the print. */
static inline size_t print_end(const struct lya_packet *pkt)
{
	size_t end = (size_t)(pkt->payload.pos - pkt->ip) + PRINT_PAYLOAD;

	return end < pkt->ip_captured ? end : pkt->ip_captured;
}

static inline bool has_id(const struct lya_packet *pkt)
{
	return lya_word16(pkt->ip + 4) != 0;
}

static inline void set_ends(struct lya_packet *pkt)
{
	uint64_t addrs = be64toh(lya_word64(pkt->ip + 12));
	uint64_t ports = be32(pkt->ip + IPV4_LEN);

	pkt->end[0] = (addrs & ~(uint64_t)UINT32_MAX) | (ports & ~(uint64_t)UINT16_MAX);
	pkt->end[1] = addrs << 32 | (ports & UINT16_MAX) << 16;
}

/*
 * The transport header at p, of `wire` bytes with what it carries, of which
 * `left` are captured, at least TCP_LEN with what follows in the frame.
 */
static inline bool set_tcp(struct lya_packet *pkt, const uint8_t *p, uint32_t wire, uint32_t left)
{
	uint32_t header = p[12] >> 2 & 0x3cU;

	if ((header < TCP_LEN) | (header > left))
		return false;
	pkt->kind = LYA_PKT_TCP;
	pkt->transport = PROTO_TCP;
	pkt->tcp_flags = p[13];
	pkt->opening = (p[13] & (LYA_TCP_SYN | LYA_TCP_ACK)) == LYA_TCP_SYN;
	pkt->payload_len = wire - header;
	pkt->payload.pos = p + header;
	pkt->payload.end = p + left;
	pkt->payload.failed = false;
	return true;
}

static inline bool set_udp(struct lya_packet *pkt, const uint8_t *p, uint32_t wire, uint32_t left)
{
	uint32_t len = be16(p + 4);

	if ((left < UDP_LEN) | (len < UDP_LEN) | (len > wire) | may_be_tunnel(p))
		return false;
	pkt->kind = LYA_PKT_UDP;
	pkt->transport = PROTO_UDP;
	pkt->tcp_flags = 0;
	pkt->payload_len = len - UDP_LEN;
	pkt->payload.pos = p + UDP_LEN;
	pkt->payload.end = p + least(len, left);
	pkt->payload.failed = false;
	pkt->opening = (least(len, left) >= UDP_LEN + STUN_LEN) & (p[UDP_LEN] < STUN_TYPES);
	return true;
}

/* `total` bytes of IP at ip, of which `left` are captured. */
static inline void set_common(struct lya_packet *pkt, const struct lya_frame *frame,
			      const uint8_t *ip, uint32_t total, uint32_t left, uint16_t vlan)
{
	pkt->frame = frame;
	pkt->time_ns = frame->time_ns;
	pkt->ip = ip;
	pkt->ip_bytes = total;
	pkt->ip_captured = left;
	pkt->events = 0;
	pkt->frame_broadcast = frame->data[0] & 1;
	memset((uint8_t *)pkt + RARE_FROM, 0, RARE_TO - RARE_FROM);
	if (vlan != 0) {
		pkt->path.vlan[0] = vlan;
		pkt->path.n_vlan = 1;
	}
}

/* IPv4 at ip, with `left` bytes of the frame, at least the shortest headers, of `wire`. */
static ALWAYS_INLINE bool plain_ipv4(struct lya_packet *pkt, const struct lya_frame *frame,
				     const uint8_t *ip, uint32_t wire, uint32_t left, uint16_t vlan)
{
	/* version and header length; no fragment, whatever the other two flags */
	const uint64_t mask = BYTES(0xff, 0, 0, 0, 0, 0, 0x3f, 0xff);
	uint64_t first = lya_word64(ip);
	uint32_t total = be16(ip + 2);

	if ((first & mask) != BYTES(0x45, 0, 0, 0, 0, 0, 0, 0) || total > wire ||
	    total < IPV4_LEN)
		return false;
	left = least(total, left);
	set_common(pkt, frame, ip, total, left, vlan);
	if (__builtin_expect(!checksum_holds(first, ip), 0))
		lya_packet_note(pkt, LYA_EV_CHECKSUM_IP);
	pkt->form = LYA_FORM_IPV4;
	pkt->print = 0;
	pkt->partial = true;
	pkt->l4_at = IPV4_LEN;
	pkt->ttl = ip[8];
	set_ends(pkt);
	if (ip[9] == PROTO_TCP) {
		if (!set_tcp(pkt, ip + IPV4_LEN, total - IPV4_LEN, left - IPV4_LEN))
			return false;
		if (__builtin_expect(has_id(pkt), 1))
			pkt->print = print_tcp(ip, print_end(pkt), total);
		return true;
	}
	if (ip[9] != PROTO_UDP ||
	    !set_udp(pkt, ip + IPV4_LEN, total - IPV4_LEN, left - IPV4_LEN))
		return false;
	if (__builtin_expect(has_id(pkt) && left >= PRINT_LEAST_UDP, 1))
		pkt->print = print_udp(ip, print_end(pkt), total);
	return true;
}

static inline bool plain_ipv6(struct lya_packet *pkt, const struct lya_frame *frame,
			      const uint8_t *ip, uint32_t wire, uint32_t left, uint16_t vlan)
{
	uint32_t total = IPV6_LEN + be16(ip + 4);

	if (ip[0] >> 4 != 6 || total > wire || total == IPV6_LEN || left < IPV6_LEN + TCP_LEN)
		return false;
	left = least(total, left);
	set_common(pkt, frame, ip, total, left, vlan);
	pkt->form = LYA_FORM_IPV6;
	pkt->print = 0;
	pkt->partial = true;
	pkt->l4_at = IPV6_LEN;
	pkt->ttl = ip[7];
	if (ip[6] == PROTO_TCP)
		return set_tcp(pkt, ip + IPV6_LEN, total - IPV6_LEN, left - IPV6_LEN);
	return ip[6] == PROTO_UDP &&
	       set_udp(pkt, ip + IPV6_LEN, total - IPV6_LEN, left - IPV6_LEN);
}

/* What stands at p behind an EtherType, with `left` bytes of the frame, of `wire`. */
static ALWAYS_INLINE bool plain_ip(struct lya_packet *pkt, const struct lya_frame *frame,
				   const uint8_t *p, uint32_t wire, uint32_t left, uint16_t vlan)
{
	if (lya_word16(p - 2) == htobe16(ETHERTYPE_IPV4))
		return plain_ipv4(pkt, frame, p, wire, left, vlan);
	return lya_word16(p - 2) == htobe16(ETHERTYPE_IPV6) &&
	       plain_ipv6(pkt, frame, p, wire, left, vlan);
}

/* The same behind a tag; apart, so that the way of most frames is short. */
static __attribute__((noinline)) bool plain_tagged(const struct lya_frame *frame,
						   struct lya_packet *pkt, uint32_t wire,
						   uint32_t left)
{
	const uint8_t *p = frame->data + ETHERNET_LEN;

	if (left < TAG_LEN + IPV4_LEN + TCP_LEN)
		return false;
	return plain_ip(pkt, frame, p + TAG_LEN, wire - TAG_LEN, left - TAG_LEN,
			be16(p) & 0x0fff);
}

/* False when the frame is not one of these; pkt is not to be used then. */
static ALWAYS_INLINE bool decode_plain(const struct lya_frame *frame, struct lya_packet *pkt)
{
	const uint8_t *p = frame->data + ETHERNET_LEN;
	uint32_t left = frame->caplen;
	uint32_t wire = frame->wirelen > left ? frame->wirelen : left;

	if (frame->link != LYA_LINK_ETHERNET || left < ETHERNET_LEN + IPV4_LEN + TCP_LEN)
		return false;
	wire -= ETHERNET_LEN;
	left -= ETHERNET_LEN;
	if (lya_word16(p - 2) == htobe16(ETHERTYPE_VLAN))
		return plain_tagged(frame, pkt, wire, left);
	return plain_ip(pkt, frame, p, wire, left, 0);
}

/* Clocks step back now and then, and mirrors are merged out of order. */
static void find_bounds(const struct lya_frame *frames, size_t n, struct lya_batch *batch)
{
	for (size_t i = 0; i < n; i++) {
		if (frames[i].time_ns < batch->oldest_ns)
			batch->oldest_ns = frames[i].time_ns;
		if (frames[i].time_ns > batch->newest_ns)
			batch->newest_ns = frames[i].time_ns;
	}
}

void lya_decode_batch(const struct lya_frame *frames, struct lya_packet *pkts, size_t n,
		      struct lya_batch *batch)
{
	int64_t before_ns = frames[0].time_ns;
	uint64_t bytes = 0;
	uint32_t other = 0;
	uint32_t odd = 0;
	bool short_way = true;
	bool back = false;

	for (size_t i = 0; i < n; i++) {
		if (__builtin_expect(!decode_plain(&frames[i], &pkts[i]), 0)) {
			decode_general(&frames[i], &pkts[i]);
			short_way = false;
		}
		odd |= pkts[i].events | (pkts[i].kind & ~(uint32_t)LYA_PKT_UDP);
		other |= frames[i].source ^ frames[0].source;
		bytes += frames[i].wirelen;
		back |= frames[i].time_ns < before_ns;
		before_ns = frames[i].time_ns;
	}
	*batch = (struct lya_batch){
		.bytes = bytes,
		.oldest_ns = frames[0].time_ns,
		.newest_ns = before_ns,
		.ascending = !back,
		.one_source = other == 0,
		.plain = odd == 0,
		.short_way = short_way,
	};
	if (back)
		find_bounds(frames, n, batch);
}

static void fill_ends(struct lya_packet *pkt, const uint8_t *src, size_t len, uint8_t family)
{
	memset(&pkt->src, 0, sizeof(pkt->src));
	memset(&pkt->dst, 0, sizeof(pkt->dst));
	memcpy(pkt->src.bytes, src, len);
	memcpy(pkt->dst.bytes, src + len, len);
	pkt->src.family = pkt->dst.family = family;
}

void lya_packet_fill_plain(struct lya_packet *pkt)
{
	const uint8_t *l4 = pkt->ip + pkt->l4_at;

	pkt->number = pkt->frame->number;
	pkt->source = pkt->frame->source;
	pkt->digits = pkt->frame->digits;
	pkt->eth_dst = pkt->frame->data;
	pkt->eth_src = pkt->frame->data + 6;
	if (pkt->form == LYA_FORM_IPV4)
		fill_ends(pkt, pkt->ip + 12, 4, 4);
	else
		fill_ends(pkt, pkt->ip + 8, 16, 6);
	pkt->ip_id = pkt->form == LYA_FORM_IPV4 ? be16(pkt->ip + 4) : 0;
	pkt->sport = be16(l4);
	pkt->dport = be16(l4 + 2);
	pkt->options = NULL;
	pkt->options_len = 0;
	if (pkt->kind == LYA_PKT_TCP) {
		pkt->seq = be32(l4 + 4);
		pkt->ack = be32(l4 + 8);
		pkt->window = be16(l4 + 14);
		if (pkt->payload.pos > l4 + TCP_LEN) {
			pkt->options = l4 + TCP_LEN;
			pkt->options_len = (uint8_t)(pkt->payload.pos - pkt->options);
		}
	}
	pkt->partial = false;
}

void lya_decode(const struct lya_frame *frame, struct lya_packet *pkt)
{
	struct lya_batch batch;

	lya_decode_batch(frame, pkt, 1, &batch);
	lya_packet_fill(pkt);
}
