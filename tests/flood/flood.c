/*
 * flood.c - a flood as a pcap on standard output, never stored.
 *
 *     flood syn|scan|fragments|sources PACKETS STEADY
 *
 * Around and inside the flood run flows that must keep their verdicts, STEADY
 * of each of five sorts, and each sort once documented (a client asks the
 * front-end at 443) and once not (the front-end connects to the reverse proxy
 * at 4443): begun and ended before the flood, during it, after it, open all
 * along and talking, open all along and silent.
 *
 * The flood goes to the Edge's public addresses of docs/examples/site.json, a
 * packet a microsecond.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIN = 1, SYN = 2, RST = 4, PUSH = 8, ACK = 16, TCP = 6, UDP = 17 };
enum { SAID = 100, TCP_LEN = 20, UDP_LEN = 8, IP_LEN = 20, ETHERNET_LEN = 14, FRAME_MAX = 256 };

#define ADDR(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (d))
#define CLIENTS ADDR(10, 20, 0, 0)
#define FRONT_END ADDR(10, 2, 0, 11)
#define PROXY ADDR(10, 1, 0, 41)
#define ACCESS_EDGE_VIP ADDR(198, 51, 100, 11)
#define AV_EDGE_VIP ADDR(198, 51, 100, 13)
#define SCANNER ADDR(203, 0, 113, 66)

struct gen {
	uint64_t rng;
	uint64_t now_us;
	uint32_t steady;
};

/* An IPv4 packet; l4 is header and payload. */
struct datagram {
	uint32_t src, dst;
	uint8_t protocol;
	uint16_t id, fragment; /* flags and offset, as in the header */
	uint8_t l4[FRAME_MAX - ETHERNET_LEN - IP_LEN];
	size_t len;
};

/* One of the flows that must keep their verdicts. */
struct talk {
	uint32_t client, server;
	uint16_t sport, dport;
	uint32_t sent; /* payload bytes of the client so far */
};

typedef void flood_fn(struct gen *g, uint64_t i);

static uint64_t next_random(struct gen *g)
{
	uint64_t z = g->rng += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
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

static void write_all(const void *data, size_t len)
{
	if (fwrite(data, 1, len, stdout) != len)
		exit(3); /* nobody reads any more */
}

static void write_file_header(void)
{
	static const uint32_t HEADER[] = { UINT32_C(0xa1b2c3d4), 2 | 4 << 16, 0, 0, 65535, 1 };

	write_all(HEADER, sizeof(HEADER));
}

static unsigned header_sum(const uint8_t *ip)
{
	uint32_t sum = 0;

	for (unsigned i = 0; i < IP_LEN; i += 2)
		sum += (uint32_t)ip[i] << 8 | ip[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum += sum >> 16;
	return ~sum & 0xffff;
}

static void send_datagram(struct gen *g, const struct datagram *d)
{
	static const uint64_t START_US = UINT64_C(1767600000) * 1000000; /* 2026-01-05 08:00 UTC */
	uint8_t frame[FRAME_MAX] = { 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0 };
	uint8_t *ip = frame + ETHERNET_LEN;
	uint32_t len = (uint32_t)(ETHERNET_LEN + IP_LEN + d->len);
	uint64_t at = START_US + g->now_us++;
	uint32_t record[] = { (uint32_t)(at / 1000000), (uint32_t)(at % 1000000), len, len };

	ip[0] = 0x45;
	put16(ip + 2, (unsigned)(IP_LEN + d->len));
	put16(ip + 4, d->id);
	put16(ip + 6, d->fragment);
	ip[8] = 64;
	ip[9] = d->protocol;
	put32(ip + 12, d->src);
	put32(ip + 16, d->dst);
	put16(ip + 10, header_sum(ip));
	memcpy(ip + IP_LEN, d->l4, d->len);
	write_all(record, sizeof(record));
	write_all(frame, len);
}

static void send_tcp(struct gen *g, struct datagram *d, uint16_t sport, uint16_t dport,
		     unsigned flags, uint32_t seq, uint32_t ack, size_t payload)
{
	memset(d->l4, 0, sizeof(d->l4));
	d->protocol = TCP;
	d->id = (uint16_t)next_random(g); /* else two SYNs of a scan might be taken for one */
	put16(d->l4, sport);
	put16(d->l4 + 2, dport);
	put32(d->l4 + 4, seq);
	put32(d->l4 + 8, ack);
	d->l4[12] = TCP_LEN / 4 << 4;
	d->l4[13] = (uint8_t)flags;
	put16(d->l4 + 14, 65535);
	memset(d->l4 + TCP_LEN, 0x17, payload);
	d->len = TCP_LEN + payload;
	send_datagram(g, d);
}

static void send_udp(struct gen *g, struct datagram *d, uint16_t sport, uint16_t dport)
{
	memset(d->l4, 0, UDP_LEN + 4);
	d->protocol = UDP;
	d->id = (uint16_t)next_random(g);
	put16(d->l4, sport);
	put16(d->l4 + 2, dport);
	put16(d->l4 + 4, UDP_LEN + 4);
	d->len = UDP_LEN + 4;
	send_datagram(g, d);
}

/* Steady flows ---------------------------------------------------------------- */

enum { CLIENT_ISN = 1000, SERVER_ISN = 5000 };

/* The flow of that number: even ones are documented. */
static struct talk talk_of(uint32_t number)
{
	uint32_t n = number / 2;
	struct talk t = { .sport = (uint16_t)(10000 + n % 50000) };

	if (number % 2 == 0) {
		t.client = CLIENTS + 256 + n % 4096;
		t.server = FRONT_END;
		t.dport = 443;
	} else {
		t.client = FRONT_END;
		t.server = PROXY;
		t.dport = 4443;
	}
	return t;
}

static void say(struct gen *g, const struct talk *t, bool from_client, unsigned flags, uint32_t seq,
		uint32_t ack, size_t payload)
{
	struct datagram d = { .src = from_client ? t->client : t->server,
			      .dst = from_client ? t->server : t->client };

	send_tcp(g, &d, from_client ? t->sport : t->dport, from_client ? t->dport : t->sport, flags,
		 seq, ack, payload);
}

static void open_talk(struct gen *g, const struct talk *t)
{
	say(g, t, true, SYN, CLIENT_ISN, 0, 0);
	say(g, t, false, SYN | ACK, SERVER_ISN, CLIENT_ISN + 1, 0);
	say(g, t, true, ACK, CLIENT_ISN + 1, SERVER_ISN + 1, 0);
}

static void talk_once(struct gen *g, struct talk *t)
{
	say(g, t, true, ACK | PUSH, CLIENT_ISN + 1 + t->sent, SERVER_ISN + 1, SAID);
	t->sent += SAID;
	say(g, t, false, ACK, SERVER_ISN + 1, CLIENT_ISN + 1 + t->sent, 0);
}

static void close_talk(struct gen *g, const struct talk *t)
{
	uint32_t seq = CLIENT_ISN + 1 + t->sent;

	say(g, t, true, FIN | ACK, seq, SERVER_ISN + 1, 0);
	say(g, t, false, FIN | ACK, SERVER_ISN + 1, seq + 1, 0);
	say(g, t, true, ACK, seq + 1, SERVER_ISN + 2, 0);
}

static void whole_talk(struct gen *g, uint32_t number)
{
	struct talk t = talk_of(number);

	open_talk(g, &t);
	talk_once(g, &t);
	close_talk(g, &t);
}

/* Sorts are ranges of numbers, each of both kinds. */
enum sort { BEFORE, DURING, AFTER, TALKING, SILENT };

static uint32_t number_of(const struct gen *g, enum sort sort, uint32_t i)
{
	return (uint32_t)sort * 2 * g->steady + i;
}

static void before_flood(struct gen *g)
{
	for (uint32_t i = 0; i < 2 * g->steady; i++) {
		struct talk talking = talk_of(number_of(g, TALKING, i));
		struct talk silent = talk_of(number_of(g, SILENT, i));

		whole_talk(g, number_of(g, BEFORE, i));
		open_talk(g, &talking);
		open_talk(g, &silent);
	}
}

static void amid_flood(struct gen *g, uint32_t i)
{
	struct talk talking = talk_of(number_of(g, TALKING, i));

	whole_talk(g, number_of(g, DURING, i));
	talk_once(g, &talking);
}

static void after_flood(struct gen *g)
{
	for (uint32_t i = 0; i < 2 * g->steady; i++) {
		struct talk talking = talk_of(number_of(g, TALKING, i));
		struct talk silent = talk_of(number_of(g, SILENT, i));

		talking.sent = SAID;
		talk_once(g, &talking);
		close_talk(g, &talking);
		talk_once(g, &silent);
		close_talk(g, &silent);
		whole_talk(g, number_of(g, AFTER, i));
	}
}

/* Floods ---------------------------------------------------------------------- */

/* From anywhere, mostly to a documented port, at times to any. */
static void flood_syn(struct gen *g, uint64_t i)
{
	uint64_t r = next_random(g);
	struct datagram d = { .src = (uint32_t)r, .dst = ACCESS_EDGE_VIP };

	send_tcp(g, &d, (uint16_t)(r >> 32), i % 4 == 0 ? (uint16_t)(r >> 48) : 443, SYN,
		 (uint32_t)r, 0, 0);
}

/* Every port, again and again. */
static void flood_scan(struct gen *g, uint64_t i)
{
	struct datagram d = { .src = SCANNER, .dst = AV_EDGE_VIP };

	send_udp(g, &d, (uint16_t)(30000 + i / 65536 % 30000), (uint16_t)i);
}

/* Later fragments of datagrams that never began. */
static void flood_fragments(struct gen *g, uint64_t i)
{
	uint64_t r = next_random(g);
	struct datagram d = { .src = (uint32_t)r,
			      .dst = AV_EDGE_VIP,
			      .id = (uint16_t)(r >> 32),
			      .protocol = i % 2 == 0 ? UDP : TCP,
			      .len = 64 };

	d.fragment = (uint16_t)(1 + (r >> 48) % 180); /* in units of eight bytes */
	if (i % 3 != 0)
		d.fragment |= 0x2000; /* more to come */
	send_datagram(g, &d);
}

/* Another source for each connection, whole ones, of which nothing allows any. */
static void flood_sources(struct gen *g, uint64_t i)
{
	struct talk t = { .client = ADDR(100, 0, 0, 0) + (uint32_t)i,
			  .server = ACCESS_EDGE_VIP,
			  .sport = (uint16_t)(20000 + i % 40000),
			  .dport = 3389 };

	open_talk(g, &t);
	say(g, &t, true, RST | ACK, CLIENT_ISN + 1, SERVER_ISN + 1, 0);
}

static const struct {
	const char *name;
	flood_fn *one;
} FLOODS[] = {
	{ "syn", flood_syn },
	{ "scan", flood_scan },
	{ "fragments", flood_fragments },
	{ "sources", flood_sources },
};

static flood_fn *flood_named(const char *name)
{
	for (size_t i = 0; i < sizeof(FLOODS) / sizeof(FLOODS[0]); i++) {
		if (strcmp(FLOODS[i].name, name) == 0)
			return FLOODS[i].one;
	}
	return NULL;
}

static void run(struct gen *g, flood_fn *one, uint64_t packets)
{
	uint64_t gap = packets / (2 * (uint64_t)g->steady);
	uint32_t next = 0;

	write_file_header();
	before_flood(g);
	for (uint64_t i = 0; i < packets; i++) {
		one(g, i);
		if (i % gap == gap / 2 && next < 2 * g->steady)
			amid_flood(g, next++);
	}
	after_flood(g);
}

int main(int argc, char **argv)
{
	struct gen g = { .rng = 1 };
	flood_fn *one = argc == 4 ? flood_named(argv[1]) : NULL;
	uint64_t packets = argc == 4 ? strtoull(argv[2], NULL, 10) : 0;

	g.steady = argc == 4 ? (uint32_t)strtoul(argv[3], NULL, 10) : 0;
	if (one == NULL || g.steady == 0 || g.steady > 5000 || packets < 4 * (uint64_t)g.steady) {
		fprintf(stderr, "usage: flood syn|scan|fragments|sources PACKETS STEADY\n");
		return 2;
	}
	run(&g, one, packets);
	return fflush(stdout) == 0 ? 0 : 3;
}
