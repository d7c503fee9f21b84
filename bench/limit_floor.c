/*
 * limit_floor.c - the least work that following flows is: the floor.
 *
 *     bench_limit_floor FILE
 *
 * Its own reader (pcap and pcapng of this machine's byte order, Ethernet),
 * packets in handfuls with prefetch, and a flow table that keeps ends, opener,
 * first and last time, packets, bytes and TCP flags by direction.  No roles,
 * no rules, no payload, no report, no timeouts, no limits, no hostile input:
 * whatever an audit costs above this is the price of the audit.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	BUFFER = 256 << 10,  /* streams through the second cache */
	FRAME_MAX = 1 << 16, /* longest record taken: the buffer always holds one */
	HANDFUL = 32,
	MIN_BITS = 12
};

#define ARENA ((size_t)8 << 30) /* address space, not memory */

struct record { /* 64 bytes; IPv6 keys fill the line that follows */
	uint64_t addr;
	uint32_t ports;
	uint8_t kind, opener, flags[2];
	uint32_t packets[2];
	uint64_t bytes[2];
	uint64_t first, last;
	uint64_t unused;
};

_Static_assert(sizeof(struct record) == 64, "a record is a cache line");

struct slot {
	uint32_t hash, record; /* record 0: empty */
};

struct key {
	uint64_t addr; /* IPv6: a hash of both; wide holds them */
	uint32_t ports, hash, ip_bytes;
	uint8_t kind, side, flags;
	uint64_t time;
	uint8_t wide[32];
};

struct floor {
	struct slot *slots;
	unsigned bits;
	uint32_t used;
	struct record *records;
	uint32_t lines; /* of the arena in use */
	uint64_t secret[2];
	struct key keys[HANDFUL];
	uint32_t hints[HANDFUL];
	unsigned held;
	uint64_t packets, flows, ip_bytes, other;
};

static uint64_t mix(uint64_t a, uint64_t b)
{
	unsigned __int128 p = (unsigned __int128)a * b;

	return (uint64_t)p ^ (uint64_t)(p >> 64);
}

static unsigned be16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)be16(p) << 16 | be16(p + 2);
}

static uint64_t word(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, 8);
	return v;
}

static void *pages(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED) {
		perror("bench_limit_floor");
		exit(1);
	}
	return p;
}

/* The table -------------------------------------------------------------------- */

static void grow(struct floor *f)
{
	size_t was = (size_t)1 << f->bits;
	struct slot *old = f->slots;

	f->bits++;
	f->slots = pages(2 * was * sizeof(*old));
	for (size_t i = 0; i < was; i++) {
		size_t at = old[i].hash >> (32 - f->bits);

		if (old[i].record == 0)
			continue;
		while (f->slots[at].record != 0)
			at = (at + 1) & (2 * was - 1);
		f->slots[at] = old[i];
	}
	munmap(old, was * sizeof(*old));
}

static bool same(const struct record *r, const struct key *k)
{
	return r->addr == k->addr && r->ports == k->ports && r->kind == k->kind &&
	       ((k->kind & 1) == 0 || memcmp(r + 1, k->wide, 32) == 0);
}

static uint32_t add(struct floor *f, const struct key *k, size_t at)
{
	uint32_t n = f->lines;
	struct record *r = &f->records[n];

	f->lines += (k->kind & 1) != 0 ? 2 : 1;
	r->addr = k->addr;
	r->ports = k->ports;
	r->kind = k->kind;
	r->opener = k->side;
	r->first = k->time;
	if ((k->kind & 1) != 0)
		memcpy(r + 1, k->wide, 32);
	f->flows++;
	f->slots[at] = (struct slot){ k->hash, n };
	if (++f->used > ((size_t)1 << f->bits) / 100 * 62)
		grow(f);
	return n;
}

static uint32_t find(struct floor *f, const struct key *k)
{
	size_t mask = ((size_t)1 << f->bits) - 1;
	size_t at = k->hash >> (32 - f->bits);

	for (; f->slots[at].record != 0; at = (at + 1) & mask)
		if (f->slots[at].hash == k->hash && same(&f->records[f->slots[at].record], k))
			return f->slots[at].record;
	return add(f, k, at);
}

static void update(struct floor *f)
{
	size_t mask = ((size_t)1 << f->bits) - 1;

	for (unsigned i = 0; i < f->held; i++) {
		size_t at = f->keys[i].hash >> (32 - f->bits);

		while (f->slots[at].record != 0 && f->slots[at].hash != f->keys[i].hash)
			at = (at + 1) & mask;
		f->hints[i] = f->slots[at].record;
		__builtin_prefetch(&f->records[f->hints[i]], 1);
	}
	for (unsigned i = 0; i < f->held; i++) {
		const struct key *k = &f->keys[i];
		uint32_t n = f->hints[i];
		struct record *r;

		if (n == 0 || !same(&f->records[n], k))
			n = find(f, k);
		r = &f->records[n];
		r->packets[k->side]++;
		r->bytes[k->side] += k->ip_bytes;
		r->flags[k->side] = (uint8_t)(r->flags[k->side] | k->flags);
		r->last = k->time;
	}
	f->held = 0;
}

/* Packets ---------------------------------------------------------------------- */

static void set_ends(struct key *k, const uint8_t *src, const uint8_t *dst, size_t len,
		     const uint8_t *l4)
{
	int order = memcmp(src, dst, len);
	unsigned sport = be16(l4);
	unsigned dport = be16(l4 + 2);

	if (order == 0)
		order = (int)sport - (int)dport;
	k->side = order > 0;
	k->ports = order > 0 ? dport << 16 | sport : sport << 16 | dport;
	memcpy(k->wide, order > 0 ? dst : src, len);
	memcpy(k->wide + len, order > 0 ? src : dst, len);
}

static void take(struct floor *f, const uint8_t *p, size_t len, uint64_t time)
{
	struct key *k = &f->keys[f->held];
	const uint8_t *end = p + len;
	const uint8_t *l4;
	unsigned type;

	f->packets++;
	f->other++;
	if (len < 14)
		return;
	type = be16(p + 12);
	p += 14;
	while (type == 0x8100 && end - p >= 4) {
		type = be16(p + 2);
		p += 4;
	}
	if (type == 0x0800 && end - p >= 20) {
		l4 = p + (p[0] & 15) * 4;
		k->kind = p[9] == 6 ? 2 : p[9] == 17 ? 4 : 0;
		k->ip_bytes = be16(p + 2);
		if (k->kind == 0 || end - l4 < (k->kind == 2 ? 20 : 8))
			return;
		set_ends(k, p + 12, p + 16, 4, l4);
		k->addr = word(k->wide);
	} else if (type == 0x86dd && end - p >= 40) {
		l4 = p + 40;
		k->kind = p[6] == 6 ? 3 : p[6] == 17 ? 5 : 1;
		k->ip_bytes = be16(p + 4) + 40;
		if (k->kind == 1 || end - l4 < (k->kind == 3 ? 20 : 8))
			return;
		set_ends(k, p + 8, p + 24, 16, l4);
		k->addr = mix(f->secret[0] ^ word(k->wide), f->secret[1] ^ word(k->wide + 8)) ^
			  mix(f->secret[1] ^ word(k->wide + 16), f->secret[0] ^ word(k->wide + 24));
	} else {
		return;
	}
	f->other--;
	k->flags = (k->kind & 2) != 0 ? l4[13] : 0;
	k->time = time;
	k->hash = (uint32_t)(mix(f->secret[0] ^ k->addr,
				 f->secret[1] ^ ((uint64_t)k->ports << 8 | k->kind)) >>
			     32);
	f->ip_bytes += k->ip_bytes;
	__builtin_prefetch(&f->slots[k->hash >> (32 - f->bits)]);
	if (++f->held == HANDFUL)
		update(f);
}

/* The reader ------------------------------------------------------------------- */

static uint32_t host32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return v;
}

/* Records in buf; returns the bytes used up. */
static size_t take_pcap(struct floor *f, const uint8_t *buf, size_t len, uint64_t fraction)
{
	size_t at = 0;

	while (len - at >= 16) {
		uint32_t caplen = host32(buf + at + 8);

		if (caplen > FRAME_MAX || len - at - 16 < caplen)
			break;
		take(f, buf + at + 16, caplen,
		     host32(buf + at) * UINT64_C(1000000000) + host32(buf + at + 4) * fraction);
		at += 16 + caplen;
	}
	return at;
}

static size_t take_pcapng(struct floor *f, const uint8_t *buf, size_t len)
{
	size_t at = 0;

	while (len - at >= 12) {
		uint32_t size = host32(buf + at + 4);

		if (size < 12 || size > FRAME_MAX || len - at < size)
			break;
		if (host32(buf + at) == 6 && size >= 32 && host32(buf + at + 20) <= size - 32)
			take(f, buf + at + 28, host32(buf + at + 20),
			     ((uint64_t)host32(buf + at + 12) << 32 | host32(buf + at + 16)) *
				 1000);
		at += size;
	}
	return at;
}

static int read_all(struct floor *f, int fd)
{
	static uint8_t buf[BUFFER];
	bool first = true;
	bool ng = false;
	uint64_t fraction = 1;
	size_t held = 0;
	ssize_t n;

	while ((n = read(fd, buf + held, sizeof(buf) - held)) > 0) {
		size_t len = held + (size_t)n;
		size_t at = 0;

		if (first) {
			ng = be32(buf) == 0x0a0d0d0a;
			fraction = host32(buf) == 0xa1b23c4d ? 1 : 1000;
			if (!ng && host32(buf) != 0xa1b23c4d && host32(buf) != 0xa1b2c3d4)
				return 1;
			at = ng ? 0 : 24;
			first = false;
		}
		at += ng ? take_pcapng(f, buf + at, len - at)
			 : take_pcap(f, buf + at, len - at, fraction);
		held = len - at;
		memmove(buf, buf + at, held);
	}
	update(f);
	return n < 0 || held != 0;
}

int main(int argc, char **argv)
{
	static struct floor f = { .bits = MIN_BITS, .lines = 1 };
	int fd;

	if (argc != 2) {
		fprintf(stderr, "usage: bench_limit_floor FILE\n");
		return 2;
	}
	fd = open(argv[1], O_RDONLY);
	f.slots = pages(sizeof(*f.slots) << MIN_BITS);
	f.records = pages(ARENA);
	if (fd == -1 || getentropy(f.secret, sizeof(f.secret)) != 0 || read_all(&f, fd) != 0) {
		fprintf(stderr, "bench_limit_floor: %s: cannot be read whole\n", argv[1]);
		return 1;
	}
	printf("{\"packets\": %" PRIu64 ", \"flows\": %" PRIu64 ", \"ip_bytes\": %" PRIu64
	       ", \"other\": %" PRIu64 "}\n",
	       f.packets, f.flows, f.ip_bytes, f.other);
	return 0;
}
