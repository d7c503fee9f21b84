/*
 * test_checksum.c - TCP's and UDP's checksum over both versions of IP, and
 * where it cannot be told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "validity/validity.h"

enum { ROOM = 10000 };

enum how { SUM, WRONG, PSEUDO, ZERO };

struct datagram {
	const char *name;
	int version;
	uint8_t proto;
	size_t payload;
	enum how how;
	bool extension; /* IPv6: destination options between the headers */
	bool fragment;  /* IPv4: more to come */
	size_t cut;     /* bytes not captured */
	enum checksum want;
};

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* RFC 1071, word by word. */
static unsigned add16(unsigned sum, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i + 1 < n; i += 2)
		sum += (unsigned)(p[i] << 8 | p[i + 1]);
	if (n % 2 != 0)
		sum += (unsigned)p[n - 1] << 8;
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static size_t build(const struct datagram *d, uint8_t *p)
{
	size_t header = d->version == 6 ? 40 : 20;
	size_t own = d->proto == 6 ? 20 : 8;
	size_t at = header + (d->extension ? 8 : 0);
	size_t len = own + d->payload;
	size_t field = at + (d->proto == 6 ? 16 : 6);
	unsigned pseudo = d->proto + (unsigned)len;

	memset(p, 0, ROOM);
	for (size_t i = 0; i < d->payload; i++)
		p[at + own + i] = (uint8_t)(i * 31 + 7);
	if (d->version == 6) {
		p[0] = 0x60;
		put16(p + 4, (unsigned)(at - 40 + len));
		p[6] = d->extension ? 60 : d->proto;
		p[7] = 64;
		for (size_t i = 8; i < 40; i++)
			p[i] = (uint8_t)(0x20 + i * 5);
		if (d->extension) {
			p[40] = d->proto;
			p[42] = 1; /* padding */
			p[43] = 4;
		}
		pseudo = add16(pseudo, p + 8, 32);
	} else {
		p[0] = 0x45;
		put16(p + 2, (unsigned)(at + len));
		put16(p + 6, d->fragment ? 0x2000 : 0);
		p[8] = 64;
		p[9] = d->proto;
		memcpy(p + 12, "\xc6\x33\x64\x15\x0a\x14\x00\x05", 8);
		put16(p + 10, ~add16(0, p, 20) & 0xffff);
		pseudo = add16(pseudo, p + 12, 8);
	}
	put16(p + at, 50000);
	put16(p + at + 2, 443);
	if (d->proto == 6) {
		p[at + 12] = 5 << 4;
		p[at + 13] = LYA_TCP_ACK;
	} else {
		put16(p + at + 4, (unsigned)len);
	}
	if (d->how == SUM || d->how == WRONG)
		put16(p + field, ~add16(pseudo, p + at, len) & 0xffff);
	else if (d->how == PSEUDO)
		put16(p + field, pseudo);
	if (d->how == WRONG)
		p[field] ^= 0x10;
	return at + len;
}

static const struct datagram datagrams[] = {
	{ "TCP over IPv4", 4, 6, 100, SUM, false, false, 0, CHECKSUM_RIGHT },
	{ "odd length", 4, 6, 101, SUM, false, false, 0, CHECKSUM_RIGHT },
	{ "nothing in it", 4, 6, 0, SUM, false, false, 0, CHECKSUM_RIGHT },
	{ "UDP over IPv4", 4, 17, 103, SUM, false, false, 0, CHECKSUM_RIGHT },
	{ "TCP over IPv6", 6, 6, 102, SUM, false, false, 0, CHECKSUM_RIGHT },
	{ "UDP over IPv6", 6, 17, 99, SUM, false, false, 0, CHECKSUM_RIGHT },
	{ "wrong, IPv4", 4, 6, 100, WRONG, false, false, 0, CHECKSUM_WRONG },
	{ "wrong, IPv6", 6, 17, 100, WRONG, false, false, 0, CHECKSUM_WRONG },
	{ "pseudo header alone, IPv4", 4, 6, 100, PSEUDO, false, false, 0, CHECKSUM_UNFINISHED },
	{ "pseudo header alone, IPv6", 6, 6, 100, PSEUDO, false, false, 0, CHECKSUM_UNFINISHED },
	{ "TCP with none", 4, 6, 100, ZERO, false, false, 0, CHECKSUM_UNFINISHED },
	{ "UDP over IPv6 with none", 6, 17, 100, ZERO, false, false, 0, CHECKSUM_UNFINISHED },
	/* RFC 768 allows it */
	{ "UDP over IPv4 with none", 4, 17, 100, ZERO, false, false, 0, CHECKSUM_NONE },
	{ "cut", 4, 6, 100, WRONG, false, false, 1, CHECKSUM_NONE },
	{ "a fragment", 4, 17, 104, WRONG, false, true, 0, CHECKSUM_NONE },
	{ "extension headers", 6, 6, 100, WRONG, true, false, 0, CHECKSUM_NONE },
	/* lengths of every rest that a sum by words leaves over */
	{ "1 byte", 4, 17, 1, SUM, false, false, 0, CHECKSUM_RIGHT },
	{ "2 bytes", 4, 17, 2, SUM, false, false, 0, CHECKSUM_RIGHT },
	{ "3 bytes", 4, 17, 3, SUM, false, false, 0, CHECKSUM_RIGHT },
	{ "4 bytes", 4, 17, 4, SUM, false, false, 0, CHECKSUM_RIGHT },
	{ "5 bytes", 4, 17, 5, SUM, false, false, 0, CHECKSUM_RIGHT },
	{ "6 bytes", 4, 17, 6, SUM, false, false, 0, CHECKSUM_RIGHT },
	{ "7 bytes", 4, 17, 7, SUM, false, false, 0, CHECKSUM_RIGHT },
	{ "8 bytes", 4, 17, 8, SUM, false, false, 0, CHECKSUM_RIGHT },
	{ "an offloaded frame", 4, 6, 9300, WRONG, false, false, 0, CHECKSUM_NONE },
};

static void test_checksums(void **state)
{
	static uint8_t bytes[ROOM];

	(void)state;
	for (size_t i = 0; i < sizeof(datagrams) / sizeof(datagrams[0]); i++) {
		const struct datagram *d = &datagrams[i];
		size_t len = build(d, bytes);
		struct lya_frame frame = { .data = bytes,
					   .caplen = (uint32_t)(len - d->cut),
					   .wirelen = (uint32_t)len,
					   .link = LYA_LINK_RAW };
		struct lya_packet pkt;

		lya_decode(&frame, &pkt);
		assert_int_equal(pkt.kind, d->proto == 6 ? LYA_PKT_TCP : LYA_PKT_UDP);
		if (validity_checksum(&pkt) != d->want)
			fail_msg("%s: %d", d->name, validity_checksum(&pkt));
	}
}

/* Feed packets 1 to n of a source, whose checksums are right; how many of them were looked at. */
static uint64_t looked_at(struct lya_validity *v, uint32_t source, uint64_t n)
{
	static const struct datagram d = { "", 4, 17, 20, SUM, false, false, 0, CHECKSUM_RIGHT };
	static uint8_t bytes[ROOM];
	size_t len = build(&d, bytes);
	struct lya_source_measures m;

	for (uint64_t number = 1; number <= n; number++) {
		struct lya_frame frame = { .data = bytes,
					   .caplen = (uint32_t)len,
					   .wirelen = (uint32_t)len,
					   .source = source,
					   .number = number,
					   .link = LYA_LINK_RAW };
		struct lya_packet pkt;
		struct lya_batch batch;

		lya_decode_batch(&frame, &pkt, 1, &batch);
		assert_int_equal(lya_validity_packets(v, &pkt, 1, &batch), LYA_OK);
	}
	lya_validity_measures(v, source, &m);
	assert_int_equal(m.bad_checksums + m.unfinished, 0);
	return m.checked;
}

/* All of the first packets, then one in 64; of very many sources, fewer of each. */
static void test_sample(void **state)
{
	static const struct {
		uint32_t source;
		uint64_t packets, looked_at;
	} cases[] = {
		{ 0, 1, 1 },        { 1, 256, 256 }, { 2, 319, 256 },    { 3, 320, 257 },
		{ 4, 640, 262 },    { 255, 300, 256 }, { 256, 32, 32 },  { 257, 95, 32 },
		{ 258, 96, 33 },    { 259, 300, 36 },  { 10000, 200, 34 },
	};
	struct lya_validity *v;

	(void)state;
	assert_int_equal(lya_validity_new(&v, NULL), LYA_OK);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(looked_at(v, cases[i].source, cases[i].packets),
				 cases[i].looked_at);
	lya_validity_free(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_checksums),
		cmocka_unit_test(test_sample),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
