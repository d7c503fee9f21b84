/*
 * gen.c - captures of the bench's own site, from a seed.
 *
 *     bench_gen -p PROFILE -n PACKETS -o FILE [-s SEED] [-c FLOWS] [-b PERCENT]
 *
 * -c: flows open at once, each as long as the packets allow; -b: of the flows, those that
 * break the table; without them what the profile says.
 * Prints as JSON how many packets, flows and bytes the file holds: what every
 * contender must count before its time means anything.  The same arguments
 * give the same file.  A number of flows is open at any time; each packet
 * belongs to one of them drawn at random, which is as hard on caches as it
 * gets.  Transport checksums are left zero.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Profiles ------------------------------------------------------------------ */

enum sizes { SIZES_TINY, SIZES_IMIX, SIZES_MEDIA };

struct profile {
	const char *name;
	uint32_t slots;       /* flows open at once */
	uint32_t flow_length; /* packets of a flow, in the mean */
	enum sizes sizes;
	unsigned ipv6_percent, vlan_percent;
	bool media; /* RTP alone */
	bool flood; /* a SYN for each packet */
	bool pcapng;
};

static const struct profile PROFILES[] = {
	{ .name = "min1k", .slots = 1000, .flow_length = 2200 },
	{ .name = "min100k", .slots = 100000, .flow_length = 53 },
	{ .name = "min1m", .slots = 1000000, .flow_length = 21 },
	{ .name = "imix", .slots = 50000, .flow_length = 53, .sizes = SIZES_IMIX },
	{ .name = "media",
	  .slots = 1000,
	  .flow_length = 1800,
	  .sizes = SIZES_MEDIA,
	  .media = true },
	{ .name = "mixed",
	  .slots = 75000,
	  .flow_length = 53,
	  .ipv6_percent = 30,
	  .vlan_percent = 50 },
	{ .name = "ng", .slots = 100000, .flow_length = 53, .pcapng = true },
	{ .name = "flood", .slots = 1, .flow_length = 1, .flood = true },
};

enum { PROFILES_N = sizeof(PROFILES) / sizeof(PROFILES[0]) };

/* What flows are for ---------------------------------------------------------- */

enum talk { TALK_TLS, TALK_HTTP, TALK_SIP, TALK_STUN, TALK_RTP };
enum from { FROM_CLIENT, FROM_EXTERNAL, FROM_PSTN };

/* A server: 10.subnet.0.host inside, 198.51.100.host outside; likewise in IPv6. */
struct service {
	enum from from;
	uint8_t subnet; /* 0: outside */
	uint8_t host;
	uint16_t port, last_port;
	bool tcp;
	enum talk talk;
	unsigned weight; /* among those of its transport */
};

static const struct service SERVICES[] = {
	{ FROM_CLIENT, 2, 10, 443, 443, true, TALK_TLS, 25 },        /* internal.2.6 */
	{ FROM_CLIENT, 2, 10, 5061, 5061, true, TALK_TLS, 15 },      /* internal.2.1 */
	{ FROM_CLIENT, 2, 11, 8057, 8057, true, TALK_TLS, 5 },       /* internal.1.7 */
	{ FROM_CLIENT, 2, 10, 80, 80, true, TALK_HTTP, 5 },          /* internal.2.4 */
	{ FROM_CLIENT, 2, 20, 443, 443, true, TALK_TLS, 4 },         /* director.1.5 */
	{ FROM_CLIENT, 2, 51, 443, 443, true, TALK_TLS, 5 },         /* internal.1.40 */
	{ FROM_PSTN, 2, 12, 5068, 5068, true, TALK_SIP, 3 },         /* internal.1.24 */
	{ FROM_EXTERNAL, 0, 11, 443, 443, true, TALK_TLS, 10 },      /* edge.3.3 */
	{ FROM_EXTERNAL, 0, 11, 5061, 5061, true, TALK_TLS, 8 },     /* edge.3.4 */
	{ FROM_EXTERNAL, 0, 12, 443, 443, true, TALK_TLS, 8 },       /* edge.3.6 */
	{ FROM_EXTERNAL, 0, 41, 443, 443, true, TALK_TLS, 9 },       /* rproxy.1.2 */
	{ FROM_EXTERNAL, 0, 41, 80, 80, true, TALK_HTTP, 3 },        /* rproxy.1.1 */
	{ FROM_CLIENT, 2, 11, 49152, 57500, false, TALK_RTP, 50 },   /* internal.1.39 */
	{ FROM_EXTERNAL, 0, 13, 3478, 3478, false, TALK_STUN, 15 },  /* edge.3.7 */
	{ FROM_CLIENT, 1, 11, 3478, 3478, false, TALK_STUN, 15 },    /* edge.4.4 */
	{ FROM_EXTERNAL, 0, 23, 50000, 59999, false, TALK_RTP, 20 }, /* edge.1.7 */
};

enum { SERVICES_N = sizeof(SERVICES) / sizeof(SERVICES[0]), SERVICE_RTP = 12 };

/* One flow in a hundred is one of these: no row lets it be. */
static const struct service BREACHES[] = {
	{ FROM_CLIENT, 2, 11, 3389, 3389, true, TALK_TLS, 1 },
	{ FROM_EXTERNAL, 2, 11, 443, 443, true, TALK_TLS, 1 },
	{ FROM_CLIENT, 2, 10, 8443, 8443, true, TALK_TLS, 1 },
	{ FROM_CLIENT, 1, 41, 4443, 4443, true, TALK_TLS, 1 },
	{ FROM_EXTERNAL, 0, 11, 5060, 5060, false, TALK_SIP, 1 },
};

enum {
	BREACHES_N = sizeof(BREACHES) / sizeof(BREACHES[0]),
	BREACH_PERCENT = 1,
	TCP_PERCENT = 70
};

/* One flow under way. */
struct slot {
	uint32_t number;  /* of the flow, from 0; tells addresses, ports and sequence numbers */
	uint32_t left;    /* packets to come */
	uint32_t sent[2]; /* payload bytes, by side: 0 opened the flow */
	uint16_t sport, dport;
	uint8_t service;    /* SERVICES_N + i: BREACHES[i] */
	uint8_t stage;      /* TCP: packets of the handshake sent */
	uint8_t carried[2]; /* packets with payload, up to a few */
	uint16_t rtp[2];    /* sequence numbers */
	uint32_t asked;     /* STUN: of the last request's transaction id */
	bool ipv6;
	uint16_t vlan;
};

enum {
	FRAME_MIN = 60,
	FRAME_MAX = 1600,
	OUT_SIZE = 1 << 20,
	FLOW_MIN = 6,     /* handshake and two FINs, and something between */
	TINY_CARRIES = 4, /* packets that carry payload in a flow of 60-byte frames */
	SNAPLEN = 262144,
	CLIENTS = 65536,   /* 10.20.0.0/16 */
	EXTERNALS = 131072 /* 198.18.0.0/15, set aside for benchmarks */
};

#define START_NS (UINT64_C(1767600000) * 1000000000) /* 2026-01-05 08:00 UTC */
#define STEP_NS UINT64_C(1000)                       /* a packet a microsecond */

/* A stream of bytes that a side of a TCP flow says, and where it goes on once through. */
struct stream {
	uint8_t *data;
	size_t len, again;
};

struct gen {
	const struct profile *p;
	uint32_t breach_percent;
	uint64_t rng;
	FILE *file;
	uint8_t *out;
	size_t out_len;
	uint64_t file_bytes;
	uint64_t now_ns;
	struct slot *slots;
	struct stream streams[TALK_RTP + 1][2];
	uint64_t packets, flows, tcp_flows, breaches, ip_bytes;
	bool failed;
};

static uint64_t next_random(struct gen *g)
{
	uint64_t z = g->rng += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static uint32_t below(struct gen *g, uint32_t n)
{
	return (uint32_t)((next_random(g) >> 32) * n >> 32);
}

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

/* Streams --------------------------------------------------------------------- */

enum { RANDOM_AT = 11, RANDOM_LEN = 32, RECORD = 16384, RECORDS = 4 };

/* A hello, then records of application data. */
static size_t fill_tls(uint8_t *d, bool client, size_t *again)
{
	static const uint8_t EXTENSIONS[] = {
		0x00, 0x0a, 0x00, 0x04, 0x00, 0x02, 0x00, 0x17, /* supported_groups: P-256 */
		0x00, 0x0d, 0x00, 0x04, 0x00, 0x02, 0x04, 0x01, /* signature_algorithms */
	};
	size_t n = RANDOM_AT + RANDOM_LEN;
	size_t hello;

	d[n++] = 0; /* session id */
	if (client) {
		static const uint8_t SUITES[] = { 0, 6, 0xc0, 0x2f, 0xc0, 0x27, 0, 0x2f, 1, 0 };

		memcpy(d + n, SUITES, sizeof(SUITES));
		n += sizeof(SUITES);
		put16(d + n, sizeof(EXTENSIONS));
		memcpy(d + n + 2, EXTENSIONS, sizeof(EXTENSIONS));
		n += 2 + sizeof(EXTENSIONS);
	} else {
		d[n++] = 0xc0;
		d[n++] = 0x2f;
		d[n++] = 0;
	}
	hello = n - 5;
	memcpy(d, "\x16\x03\x01", 3);
	put16(d + 3, (unsigned)hello);
	put32(d + 5, (client ? UINT32_C(1) : UINT32_C(2)) << 24 | (uint32_t)(hello - 4));
	put16(d + 9, 0x0303);
	*again = n;
	for (unsigned i = 0; i < RECORDS; i++) {
		memcpy(d + n, "\x17\x03\x03", 3);
		put16(d + n + 3, RECORD);
		for (size_t k = 0; k < RECORD; k++)
			d[n + 5 + k] = (uint8_t)(k * 167 + i);
		n += 5 + RECORD;
	}
	return n;
}

static size_t fill_text(uint8_t *d, const char *text, size_t *again)
{
	size_t len = strlen(text);
	size_t n = 0;

	while (n + len < (size_t)RECORDS * RECORD) {
		memcpy(d + n, text, len);
		n += len;
	}
	*again = 0;
	return n;
}

static bool make_streams(struct gen *g)
{
	static const char *const TEXTS[][2] = {
		[TALK_HTTP] = { "GET /meet/ HTTP/1.1\r\nHost: meet.example\r\nAccept: */*\r\n\r\n",
				"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" },
		[TALK_SIP] = { "OPTIONS sip:med.example SIP/2.0\r\nVia: SIP/2.0/TCP 10.3.0.1\r\n"
			       "From: <sip:gw.example>;tag=1\r\nTo: <sip:med.example>\r\n"
			       "Call-ID: 1@gw\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
			       "SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP 10.3.0.1\r\n"
			       "From: <sip:gw.example>;tag=1\r\nTo: <sip:med.example>;tag=2\r\n"
			       "Call-ID: 1@gw\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n" },
	};

	for (unsigned talk = TALK_TLS; talk <= TALK_SIP; talk++) {
		for (unsigned side = 0; side < 2; side++) {
			struct stream *s = &g->streams[talk][side];

			s->data = calloc(RECORDS + 1, RECORD + 64);
			if (s->data == NULL)
				return false;
			s->len = talk == TALK_TLS
				     ? fill_tls(s->data, side == 0, &s->again)
				     : fill_text(s->data, TEXTS[talk][side], &s->again);
		}
	}
	return true;
}

/* The next n bytes of a flow's stream; each TLS hello has a random of its own. */
static void copy_stream(const struct gen *g, enum talk talk, const struct slot *s, unsigned side,
			uint8_t *to, size_t n)
{
	const struct stream *st = &g->streams[talk][side];
	size_t at = s->sent[side];

	if (at >= st->len)
		at = st->again + (at - st->again) % (st->len - st->again);
	for (size_t done = 0; done < n;) {
		size_t some = st->len - at < n - done ? st->len - at : n - done;

		memcpy(to + done, st->data + at, some);
		done += some;
		at = st->again;
	}
	if (talk != TALK_TLS)
		return;
	for (size_t i = s->sent[side]; i < RANDOM_AT + RANDOM_LEN && i < s->sent[side] + n; i++)
		if (i >= RANDOM_AT)
			to[i - s->sent[side]] =
			    (uint8_t)((s->number * UINT64_C(0x9e3779b97f4a7c15) >> (i % 8 * 8)) +
				      i + side);
}

/* Datagrams ------------------------------------------------------------------- */

enum { RTP_LEN = 12 };

static size_t make_rtp(struct slot *s, unsigned side, uint8_t *to, size_t want)
{
	memset(to + RTP_LEN, 0x5a, want - RTP_LEN);
	to[0] = 0x80;
	to[1] = 114; /* RTAudio */
	put16(to + 2, s->rtp[side]);
	put32(to + 4, s->rtp[side]++ * 320U);
	put32(to + 8, s->number * 2 + side + 1);
	return want;
}

/* Frames ---------------------------------------------------------------------- */

static void make_mac(uint8_t *p, const struct service *sv, bool server)
{
	memset(p, 0, 6);
	p[0] = 2;
	p[4] = server ? sv->subnet : 0xff; /* all others come through a router */
	p[5] = server ? sv->host : (uint8_t)sv->from;
}

static const struct service *service_of(const struct slot *s)
{
	return s->service < SERVICES_N ? &SERVICES[s->service] : &BREACHES[s->service - SERVICES_N];
}

/* The address of a flow's opener or its server; returns its length. */
static size_t make_addr(const struct slot *s, const struct service *sv, bool server, uint8_t *p)
{
	uint32_t n = s->number;

	if (s->ipv6) {
		static const uint8_t INSIDE[6] = { 0xfd, 0x00, 0x00, 0x10 };
		static const uint8_t OUTSIDE[6] = { 0x20, 0x01, 0x0d, 0xb8 };
		bool inside = server ? sv->subnet != 0 : sv->from != FROM_EXTERNAL;

		memset(p, 0, 16);
		memcpy(p, inside ? INSIDE : OUTSIDE, 4);
		if (server) {
			p[5] = inside ? sv->subnet : 0x51;
			p[15] =
			    (uint8_t)(sv->host / 10 * 16 + sv->host % 10); /* as it is written */
			return 16;
		}
		p[5] = sv->from == FROM_CLIENT ? 0x20 : sv->from == FROM_PSTN ? 3 : 0x99;
		put32(p + 12, sv->from == FROM_CLIENT ? n % CLIENTS
			      : sv->from == FROM_PSTN ? n % 256
						      : n % EXTERNALS);
		return 16;
	}
	if (server)
		put32(p, sv->subnet != 0
			     ? UINT32_C(0x0a000000) | (uint32_t)sv->subnet << 16 | sv->host
			     : UINT32_C(0xc6336400) | sv->host);
	else if (sv->from == FROM_CLIENT)
		put32(p, UINT32_C(0x0a140000) | n % CLIENTS);
	else if (sv->from == FROM_PSTN)
		put32(p, UINT32_C(0x0a030000) | n % 256);
	else
		put32(p, UINT32_C(0xc6120000) | n % EXTERNALS);
	return 4;
}

enum { STUN_LEN = 20, STUN_MAPPED = 8, STUN_COOKIE = 0x2112a442 };

/* XOR-MAPPED-ADDRESS (RFC 5389 15.2) of the opener, behind the header at `message`. */
static size_t make_mapped(const struct slot *s, uint8_t *message)
{
	uint8_t *to = message + STUN_LEN;
	size_t len = make_addr(s, service_of(s), false, to + STUN_MAPPED);

	put16(to, 0x0020);
	put16(to + 2, (unsigned)len + 4);
	to[4] = 0;
	to[5] = s->ipv6 ? 2 : 1;
	put16(to + 6, s->sport ^ STUN_COOKIE >> 16);
	for (size_t i = 0; i < len; i++)
		to[STUN_MAPPED + i] ^= message[4 + i]; /* the cookie, then the transaction id */
	return STUN_MAPPED + len;
}

static size_t make_stun(struct slot *s, unsigned side, uint8_t *to, size_t want)
{
	size_t attributes;

	if (s->carried[side] >= TINY_CARRIES && want >= 64) { /* relayed: ChannelData */
		memset(to, 0x80, want);
		put16(to, 0x4001);
		put16(to + 2, (unsigned)want - 4);
		return want;
	}
	if (side == 0)
		s->asked = s->sent[0];
	put16(to, side == 0 ? 0x0001 : 0x0101);
	put32(to + 4, STUN_COOKIE);
	put32(to + 8, s->number);
	put32(to + 12, 0);
	put32(to + 16, s->asked); /* an answer has the id of what was asked */
	attributes = side == 0 ? 0 : make_mapped(s, to);
	put16(to + 2, (unsigned)attributes);
	return STUN_LEN + attributes;
}

static unsigned header_sum(const uint8_t *p)
{
	uint32_t sum = 0;

	for (unsigned i = 0; i < 20; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	return ~(sum + (sum >> 16)) & 0xffff;
}

/* The IP header of a datagram with len bytes after it; returns the header's length. */
static size_t make_ip(const struct slot *s, const struct service *sv, unsigned side, size_t len,
		      uint16_t id, uint8_t *p)
{
	uint8_t proto = sv->tcp ? 6 : 17;

	if (s->ipv6) {
		memset(p, 0, 8);
		p[0] = 0x60;
		put16(p + 4, (unsigned)len);
		p[6] = proto;
		p[7] = 60;
		(void)make_addr(s, sv, side == 1, p + 8);
		(void)make_addr(s, sv, side == 0, p + 24);
		return 40;
	}
	memset(p, 0, 20);
	p[0] = 0x45;
	put16(p + 2, (unsigned)len + 20);
	put16(p + 4, id);
	p[6] = 0x40;
	p[8] = 60;
	p[9] = proto;
	(void)make_addr(s, sv, side == 1, p + 12);
	(void)make_addr(s, sv, side == 0, p + 16);
	put16(p + 10, header_sum(p));
	return 20;
}

static size_t link_length(const struct slot *s)
{
	return s->vlan != 0 ? 18 : 14;
}

static void make_link(const struct slot *s, const struct service *sv, unsigned side, uint8_t *p)
{
	make_mac(p, sv, side == 0);
	make_mac(p + 6, sv, side == 1);
	if (s->vlan != 0) {
		put16(p + 12, 0x8100);
		put16(p + 14, s->vlan);
	}
	put16(p + link_length(s) - 2, s->ipv6 ? 0x86dd : 0x0800);
}

enum { F_FIN = 1, F_SYN = 2, F_PSH = 8, F_ACK = 16 };

static uint32_t isn_of(const struct slot *s, unsigned side)
{
	return s->number * UINT32_C(2654435761) + side * UINT32_C(0x51ed270b);
}

static void make_tcp(const struct slot *s, unsigned side, unsigned flags, uint8_t *p)
{
	uint32_t past_syn = s->stage > side; /* this side's SYN was sent before */

	memset(p, 0, 20);
	put16(p, side == 0 ? s->sport : s->dport);
	put16(p + 2, side == 0 ? s->dport : s->sport);
	put32(p + 4, isn_of(s, side) + past_syn + s->sent[side]);
	if ((flags & F_ACK) != 0)
		put32(p + 8, isn_of(s, !side) + 1 + s->sent[!side]);
	p[12] = 0x50;
	p[13] = (uint8_t)flags;
	put16(p + 14, 65000);
}

/* Output ---------------------------------------------------------------------- */

static void flush(struct gen *g)
{
	if (fwrite(g->out, 1, g->out_len, g->file) != g->out_len)
		g->failed = true;
	g->file_bytes += g->out_len;
	g->out_len = 0;
}

static uint8_t *room(struct gen *g, size_t n)
{
	uint8_t *p;

	if (g->out_len + n > OUT_SIZE)
		flush(g);
	p = g->out + g->out_len;
	g->out_len += n;
	return p;
}

static void host32(uint8_t *p, uint32_t v)
{
	memcpy(p, &v, 4);
}

static void write_header(struct gen *g)
{
	uint8_t *p = room(g, g->p->pcapng ? 28 + 20 : 24);

	if (!g->p->pcapng) {
		const uint32_t head[] = { 0xa1b23c4d, 4u << 16 | 2, 0, 0, SNAPLEN, 1 };

		memcpy(p, head, sizeof(head)); /* nanoseconds, this machine's byte order */
		return;
	}
	{
		const uint32_t section[] = { 0x0a0d0d0a, 28,         0x1a2b3c4d, 1,
					     0xffffffff, 0xffffffff, 28 };
		const uint32_t interface[] = { 1, 20, 1, SNAPLEN, 20 }; /* Ethernet, microseconds */

		memcpy(p, section, sizeof(section));
		memcpy(p + 28, interface, sizeof(interface));
	}
}

static void write_frame(struct gen *g, const uint8_t *frame, size_t len)
{
	uint64_t us = g->now_ns / 1000;
	size_t padded = (len + 3) & ~(size_t)3;
	uint8_t *p;

	if (!g->p->pcapng) {
		p = room(g, 16 + len);
		host32(p, (uint32_t)(g->now_ns / 1000000000));
		host32(p + 4, (uint32_t)(g->now_ns % 1000000000));
		host32(p + 8, (uint32_t)len);
		host32(p + 12, (uint32_t)len);
		memcpy(p + 16, frame, len);
		return;
	}
	p = room(g, 32 + padded);
	memset(p + 28 + len, 0, padded - len);
	host32(p, 6);
	host32(p + 4, (uint32_t)(32 + padded));
	host32(p + 8, 0);
	host32(p + 12, (uint32_t)(us >> 32));
	host32(p + 16, (uint32_t)us);
	host32(p + 20, (uint32_t)len);
	host32(p + 24, (uint32_t)len);
	memcpy(p + 28, frame, len);
	host32(p + 28 + padded, (uint32_t)(32 + padded));
}

/* Flows ----------------------------------------------------------------------- */

static uint8_t draw_service(struct gen *g)
{
	bool tcp;
	uint32_t at;

	if (g->p->media)
		return SERVICE_RTP;
	if (below(g, 100) < g->breach_percent)
		return (uint8_t)(SERVICES_N + below(g, BREACHES_N));
	tcp = below(g, 100) < TCP_PERCENT;
	at = below(g, 100); /* the weights of a transport add up to 100 */
	for (uint8_t i = 0; i < SERVICES_N; i++) {
		if (SERVICES[i].tcp != tcp)
			continue;
		if (at < SERVICES[i].weight)
			return i;
		at -= SERVICES[i].weight;
	}
	return 0;
}

/* Flow number n: no two flows share ends and ports. */
static void begin_flow(struct gen *g, struct slot *s)
{
	const struct service *sv;

	memset(s, 0, sizeof(*s));
	s->number = (uint32_t)g->flows++;
	s->service = g->p->flood ? 7 : draw_service(g);
	sv = service_of(s);
	s->left =
	    FLOW_MIN +
	    below(g, 2 * (g->p->flow_length > FLOW_MIN ? g->p->flow_length - FLOW_MIN : 0) + 1);
	s->sport = (uint16_t)(1024 + s->number / 256 % 64000);
	if (sv->from == FROM_EXTERNAL)
		s->sport = (uint16_t)(1024 + s->number / EXTERNALS % 64000);
	s->dport = (uint16_t)(sv->port + below(g, (uint32_t)(sv->last_port - sv->port) + 1));
	s->ipv6 = below(g, 100) < g->p->ipv6_percent;
	if (below(g, 100) < g->p->vlan_percent)
		s->vlan = (uint16_t)(10 + below(g, 8));
	g->tcp_flows += sv->tcp;
	g->breaches += s->service >= SERVICES_N;
}

static size_t frame_size(struct gen *g)
{
	static const uint16_t IMIX[12] = { FRAME_MIN, FRAME_MIN, FRAME_MIN, FRAME_MIN, FRAME_MIN,
		                           FRAME_MIN, FRAME_MIN, 590, 590, 590, 590, 1514 };

	switch (g->p->sizes) {
	case SIZES_IMIX:
		return IMIX[below(g, 12)];
	case SIZES_MEDIA:
		return 1400;
	default:
		return FRAME_MIN;
	}
}

/* Bytes of payload for the next packet, headers being what they are. */
static size_t payload_size(struct gen *g, const struct slot *s, unsigned side, size_t headers)
{
	unsigned carries = g->p->sizes == SIZES_TINY ? TINY_CARRIES : 0;
	size_t size = frame_size(g);

	if (size == FRAME_MIN && service_of(s)->tcp && s->carried[side] >= carries)
		return 0; /* an acknowledgement, as small ones are, in the Internet mix too */
	if (size > headers)
		return size - headers;
	return service_of(s)->tcp ? 0 : RTP_LEN + 6;
}

static void count_payload(struct slot *s, unsigned side, size_t n)
{
	s->sent[side] += (uint32_t)n;
	if (n != 0 && s->carried[side] < 255)
		s->carried[side]++;
}

static void send_frame(struct gen *g, const struct slot *s, unsigned side, uint8_t *frame,
		       size_t l4_len)
{
	const struct service *sv = service_of(s);
	size_t link = link_length(s);
	size_t ip = s->ipv6 ? 40 : 20;
	size_t len = link + ip + l4_len;

	make_link(s, sv, side, frame);
	(void)make_ip(s, sv, side, l4_len, (uint16_t)g->packets, frame + link);
	g->ip_bytes += ip + l4_len;
	if (len < FRAME_MIN) {
		memset(frame + len, 0, FRAME_MIN - len);
		len = FRAME_MIN;
	}
	write_frame(g, frame, len);
	g->packets++;
	g->now_ns += STEP_NS;
}

static void tcp_packet(struct gen *g, struct slot *s, uint8_t *frame)
{
	uint8_t *l4 = frame + link_length(s) + (s->ipv6 ? 40 : 20);
	unsigned side = below(g, 2);
	unsigned flags = F_ACK;
	size_t n = 0;

	if (s->stage < 3) {
		static const uint8_t OPENING[3] = { F_SYN, F_SYN | F_ACK, F_ACK };

		side = s->stage == 1;
		flags = OPENING[s->stage];
	} else if (s->left <= 2) {
		side = s->left == 1;
		flags = F_FIN | F_ACK;
	} else {
		if (s->carried[0] == 0)
			side = 0; /* the client speaks first */
		n = payload_size(g, s, side, (size_t)(l4 - frame) + 20);
		flags = n != 0 ? F_ACK | F_PSH : F_ACK;
		copy_stream(g, service_of(s)->talk, s, side, l4 + 20, n);
	}
	make_tcp(s, side, flags, l4);
	count_payload(s, side, n);
	if (s->stage < 3)
		s->stage++;
	send_frame(g, s, side, frame, 20 + n);
}

static void udp_packet(struct gen *g, struct slot *s, uint8_t *frame)
{
	uint8_t *l4 = frame + link_length(s) + (s->ipv6 ? 40 : 20);
	unsigned side = s->carried[0] == 0 ? 0 : below(g, 2);
	size_t n = payload_size(g, s, side, (size_t)(l4 - frame) + 8);

	switch (service_of(s)->talk) {
	case TALK_STUN:
		n = make_stun(s, side, l4 + 8, n);
		break;
	case TALK_RTP:
		n = make_rtp(s, side, l4 + 8, n);
		break;
	default:
		copy_stream(g, service_of(s)->talk, s, side, l4 + 8, n);
	}
	put16(l4, side == 0 ? s->sport : s->dport);
	put16(l4 + 2, side == 0 ? s->dport : s->sport);
	put16(l4 + 4, (unsigned)n + 8);
	put16(l4 + 6, 0);
	count_payload(s, side, n);
	send_frame(g, s, side, frame, 8 + n);
}

static void generate(struct gen *g, uint64_t packets)
{
	static uint8_t frame[FRAME_MAX];

	while (g->packets < packets && !g->failed) {
		struct slot *s = &g->slots[below(g, g->p->slots)];

		if (s->left == 0)
			begin_flow(g, s);
		if (service_of(s)->tcp)
			tcp_packet(g, s, frame);
		else
			udp_packet(g, s, frame);
		s->left = g->p->flood ? 0 : s->left - 1;
	}
	flush(g);
}

static int run(struct gen *g, uint64_t packets, const char *path, uint64_t seed)
{
	g->rng = seed;
	g->now_ns = START_NS;
	g->slots = calloc(g->p->slots, sizeof(*g->slots));
	g->out = malloc(OUT_SIZE);
	g->file = fopen(path, "wb");
	if (g->slots == NULL || g->out == NULL || g->file == NULL || !make_streams(g)) {
		fprintf(stderr, "bench_gen: %s: cannot begin\n", path);
		return 1;
	}
	setvbuf(g->file, NULL, _IONBF, 0);
	write_header(g);
	generate(g, packets);
	if (fclose(g->file) != 0 || g->failed) {
		fprintf(stderr, "bench_gen: %s: cannot be written\n", path);
		return 1;
	}
	printf("{\"profile\": \"%s\", \"seed\": %" PRIu64 ", \"packets\": %" PRIu64
	       ", \"flows\": %" PRIu64 ", \"tcp_flows\": %" PRIu64 ", \"breaches\": %" PRIu64
	       ", \"ip_bytes\": %" PRIu64 ", \"file_bytes\": %" PRIu64 "}\n",
	       g->p->name, seed, g->packets, g->flows, g->tcp_flows, g->breaches, g->ip_bytes,
	       g->file_bytes);
	return 0;
}

static int usage(void)
{
	fprintf(stderr, "usage: bench_gen -p PROFILE -n PACKETS -o FILE [-s SEED] [-c FLOWS] "
			"[-l LENGTH] [-b PERCENT]\nprofiles:");
	for (unsigned i = 0; i < PROFILES_N; i++)
		fprintf(stderr, " %s", PROFILES[i].name);
	fprintf(stderr, "\n");
	return 2;
}

static const struct profile *find_profile(const char *name)
{
	for (unsigned i = 0; i < PROFILES_N; i++)
		if (strcmp(PROFILES[i].name, name) == 0)
			return &PROFILES[i];
	return NULL;
}

int main(int argc, char **argv)
{
	static struct gen g = { .breach_percent = BREACH_PERCENT };
	static struct profile mine;
	const char *path = NULL;
	uint64_t packets = 0;
	uint64_t seed = 1;
	uint64_t flows = 0;
	uint64_t length = 0;
	int c;

	while ((c = getopt(argc, argv, "p:n:o:s:c:l:b:")) != -1) {
		if (c == 'p')
			g.p = find_profile(optarg);
		else if (c == 'n')
			packets = strtoull(optarg, NULL, 10);
		else if (c == 'o')
			path = optarg;
		else if (c == 's')
			seed = strtoull(optarg, NULL, 10);
		else if (c == 'c')
			flows = strtoull(optarg, NULL, 10);
		else if (c == 'l')
			length = strtoull(optarg, NULL, 10);
		else if (c == 'b')
			g.breach_percent = (uint32_t)strtoul(optarg, NULL, 10);
		else
			return usage();
	}
	if (g.p == NULL || packets == 0 || flows > UINT32_MAX / 2 || length > UINT32_MAX / 2 ||
	    path == NULL || optind != argc)
		return usage();
	if (flows != 0) {
		mine = *g.p;
		mine.slots = (uint32_t)flows;
		mine.flow_length = (uint32_t)(length != 0 ? length : packets / flows);
		g.p = &mine;
	}
	return run(&g, packets, path, seed);
}
