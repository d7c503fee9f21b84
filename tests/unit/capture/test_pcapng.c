/*
 * test_pcapng.c - sections, interfaces, clocks and blocks, from bytes made by
 * hand after draft-ietf-opsawg-pcapng.
 */
#include "build.h"

/* Resolutions: the units that stand for 1700000000.5 seconds (or near it), and what comes out. */
static const struct {
	const char *name;
	int tsresol;
	uint64_t units;
	int64_t time_ns;
	uint8_t digits;
} clocks[] = {
	{ "none given: microseconds", -1, UINT64_C(1700000000500000), START + SECOND / 2, 6 },
	{ "seconds", 0, 1700000000, START, 6 },
	{ "milliseconds", 3, UINT64_C(1700000000500), START + SECOND / 2, 6 },
	{ "microseconds", 6, UINT64_C(1700000000500001), START + SECOND / 2 + 1000, 6 },
	{ "hundreds of ns", 7, UINT64_C(17000000005000001), START + SECOND / 2 + 100, 9 },
	{ "nanoseconds", 9, UINT64_C(1700000000500000001), START + SECOND / 2 + 1, 9 },
	{ "tenths of ns", 10, UINT64_C(17000000005000000019), START + SECOND / 2 + 1, 9 },
	{ "picoseconds", 12, UINT64_C(5000000001999), 5000000001, 9 },
	{ "10^-19", 19, UINT64_C(18000000000000000000), 1800000000, 9 },
	{ "10^-28", 28, UINT64_MAX, 1, 9 },
	{ "10^-127", 127, UINT64_MAX, 1, 9 },
	{ "2^0", 0x80, 1700000000, START, 6 },
	{ "2^-1", 0x81, UINT64_C(3400000001), START + SECOND / 2, 6 },
	{ "2^-10", 0x8a, UINT64_C(1700000000) * 1024 + 512, START + SECOND / 2, 6 },
	{ "2^-32", 0xa0, (UINT64_C(1700000000) << 32) + (UINT64_C(1) << 31), START + SECOND / 2,
	  9 },
	{ "2^-63", 0xbf, UINT64_C(1) << 63, SECOND, 9 },
	{ "2^-64", 0xc0, UINT64_C(1) << 63, SECOND / 2, 9 },
	{ "2^-127", 0xff, UINT64_MAX, 0, 9 },
	{ "beyond time: held", 0, UINT64_MAX, INT64_MAX / 2, 6 },
	{ "beyond time, binary: held", 0x80, UINT64_MAX, INT64_MAX / 2, 6 },
};

static void clocks_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * sizeof(clocks) / sizeof(clocks[0]); i++) {
		const bool big = i % 2 == 1;
		struct bytes b = { 0 };
		struct memory m;
		struct lya_frame f;

		ng_section(&b, big);
		ng_interface(&b, big, 1, 0, clocks[i / 2].tsresol, 0);
		ng_packet(&b, big, 0, clocks[i / 2].units, 1, 61);
		assert_int_equal(memory_open(&m, &b), LYA_OK);
		assert_true(memory_next(&m, &f));
		if (f.time_ns != clocks[i / 2].time_ns || f.digits != clocks[i / 2].digits)
			print_error("%s\n", clocks[i / 2].name);
		assert_int_equal(f.time_ns, clocks[i / 2].time_ns);
		assert_int_equal(f.digits, clocks[i / 2].digits);
		assert_int_equal(f.caplen, 61);
		assert_int_equal(f.flags, big ? LYA_FRAME_BIG_ENDIAN : 0);
		assert_body(&f, 1);
		assert_false(memory_next(&m, &f));
		assert_string_equal(m.reader->why, "");
		memory_close(&m);
		bytes_free(&b);
	}
}

static void clock_offsets_are_added(void **state)
{
	static const struct {
		int64_t offset, time_ns;
	} cases[] = {
		{ 1700000000, START + 1000 },
		{ -1, 1000 - SECOND },
		{ INT64_MAX, INT64_MAX / 2 },
		{ INT64_MIN, -(INT64_MAX / 2) },
	};

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		struct bytes b = { 0 };
		struct memory m;
		struct lya_frame f;

		ng_section(&b, i % 2 == 1);
		ng_interface(&b, i % 2 == 1, 1, 0, 6, cases[i / 2].offset);
		ng_packet(&b, i % 2 == 1, 0, 1, 1, 60);
		assert_int_equal(memory_open(&m, &b), LYA_OK);
		assert_true(memory_next(&m, &f));
		/* held at the bound first, the packet's microsecond comes on top of the lower one
		 */
		assert_in_range(f.time_ns - cases[i / 2].time_ns + 1000, 0, 2000);
		memory_close(&m);
		bytes_free(&b);
	}
}

/* Two sections in different byte orders; interfaces with a link, clock and snap length each. */
static void sections_and_interfaces(void **state)
{
	struct bytes b = { 0 };
	struct memory m;
	struct lya_frame f;
	static const struct {
		uint16_t link, iface;
		int64_t time_ns;
		uint8_t flags;
	} expected[] = {
		{ 1, 0, START, 0 },
		{ 113, 1, START + 7, 0 },
		{ 1, 0, START + 2000, 0 },
		{ 276, 2, START + 3, LYA_FRAME_BIG_ENDIAN },
	};

	(void)state;
	ng_section(&b, false);
	ng_interface(&b, false, 1, 64, -1, 0);
	ng_packet(&b, false, 0, (uint64_t)START / 1000, 1, 60);
	ng_interface(&b, false, 113, 0, 9, 0);
	ng_packet(&b, false, 1, (uint64_t)START + 7, 2, 60);
	ng_packet(&b, false, 0, (uint64_t)START / 1000 + 2, 3, 60);
	ng_section(&b, true);
	ng_interface(&b, true, 276, 0, 9, 0);
	ng_packet(&b, true, 0, (uint64_t)START + 3, 4, 60);
	assert_int_equal(memory_open(&m, &b), LYA_OK);
	for (size_t i = 0; i < 4; i++) {
		assert_true(memory_next(&m, &f));
		assert_int_equal(f.link, expected[i].link);
		assert_int_equal(f.iface, expected[i].iface);
		assert_int_equal(f.time_ns, expected[i].time_ns);
		assert_int_equal(f.flags, expected[i].flags);
		assert_int_equal(f.number, i + 1);
		assert_body(&f, i + 1);
	}
	assert_false(memory_next(&m, &f));
	assert_string_equal(m.reader->why, "");
	memory_close(&m);
	bytes_free(&b);
}

/* A section starts without interfaces: those of the section before are not its own. */
static void interfaces_end_with_their_section(void **state)
{
	struct bytes b = { 0 };
	struct memory m;
	struct lya_frame f;

	(void)state;
	ng_section(&b, false);
	ng_interface(&b, false, 1, 0, -1, 0);
	ng_packet(&b, false, 0, 1, 1, 60);
	ng_section(&b, false);
	ng_packet(&b, false, 0, 1, 2, 60);
	assert_int_equal(memory_open(&m, &b), LYA_OK);
	assert_true(memory_next(&m, &f));
	assert_false(memory_next(&m, &f));
	assert_non_null(strstr(m.reader->why, "packet 2 is of interface 0, its section has 0"));
	assert_false(m.reader->truncated);
	memory_close(&m);
	bytes_free(&b);
}

/* Simple packet blocks: cut to the first interface's snap length, at the time of the one before. */
static void simple_packets(void **state)
{
	for (int big = 0; big < 2; big++) {
		struct bytes b = { 0 };
		struct bytes body = { 0 };
		struct memory m;
		struct lya_frame f;

		(void)state;
		ng_section(&b, big == 1);
		ng_interface(&b, big == 1, 1, 50, -1, 0);
		ng_packet(&b, big == 1, 0, 77, 1, 10);
		put_num(&body, 1500, 4, big == 1);
		put_body(&body, 2, 50);
		block(&b, big == 1, 3, &body);
		bytes_free(&body);
		put_num(&body, 33, 4, big == 1);
		put_body(&body, 3, 33);
		block(&b, big == 1, 3, &body);
		assert_int_equal(memory_open(&m, &b), LYA_OK);
		assert_true(memory_next(&m, &f));
		assert_true(memory_next(&m, &f));
		assert_int_equal(f.caplen, 50);
		assert_int_equal(f.wirelen, 1500);
		assert_int_equal(f.time_ns, 77000);
		assert_body(&f, 2);
		assert_true(memory_next(&m, &f));
		assert_int_equal(f.caplen, 33);
		assert_int_equal(f.number, 3);
		assert_body(&f, 3);
		assert_false(memory_next(&m, &f));
		memory_close(&m);
		bytes_free(&b);
		bytes_free(&body);
	}
}

/* The obsolete packet block has a short interface number and a drop count. */
static void obsolete_packets(void **state)
{
	for (int big = 0; big < 2; big++) {
		struct bytes b = { 0 };
		struct memory m;
		struct lya_frame f;

		(void)state;
		ng_section(&b, big == 1);
		ng_interface(&b, big == 1, 1, 0, -1, 0);
		ng_interface(&b, big == 1, 101, 0, -1, 0);
		for (size_t i = 1; i <= 2; i++) {
			struct bytes body = { 0 };

			put_num(&body, 1, 2, big == 1);
			put_num(&body, i == 1 ? 5 : 0xffff, 2, big == 1); /* the latter: unknown */
			put_num(&body, 0, 4, big == 1);
			put_num(&body, 9, 4, big == 1);
			put_num(&body, 21, 4, big == 1);
			put_num(&body, 40, 4, big == 1);
			put_body(&body, i, 21);
			block(&b, big == 1, 2, &body);
			bytes_free(&body);
		}
		assert_int_equal(memory_open(&m, &b), LYA_OK);
		for (size_t i = 1; i <= 2; i++) {
			assert_true(memory_next(&m, &f));
			assert_int_equal(f.link, 101);
			assert_int_equal(f.iface, 1);
			assert_int_equal(f.caplen, 21);
			assert_int_equal(f.wirelen, 40);
			assert_int_equal(f.time_ns, 9000);
			assert_body(&f, i);
		}
		assert_false(memory_next(&m, &f));
		assert_int_equal(m.reader->dropped, 5);
		memory_close(&m);
		bytes_free(&b);
	}
}

static void statistics(struct bytes *b, bool big, uint32_t iface, uint64_t ifdrop, uint64_t osdrop)
{
	struct bytes body = { 0 };

	put_num(&body, iface, 4, big);
	put_num(&body, 0, 8, big);
	option_u64(&body, big, 4, 1000); /* received: no drop */
	option_u64(&body, big, 5, ifdrop);
	option_u64(&body, big, 7, osdrop);
	option(&body, big, 0, NULL, 0);
	block(b, big, 5, &body);
	bytes_free(&body);
}

/* Statistics count from the beginning: the last word of each interface counts, then all add up. */
static void drops_are_summed(void **state)
{
	for (int big = 0; big < 2; big++) {
		struct bytes b = { 0 };
		struct bytes options = { 0 };
		struct memory m;
		struct lya_frame f;

		(void)state;
		ng_section(&b, big == 1);
		ng_interface(&b, big == 1, 1, 0, -1, 0);
		ng_interface(&b, big == 1, 1, 0, -1, 0);
		statistics(&b, big == 1, 0, 3, 0);
		statistics(&b, big == 1, 0, 10, 2);
		statistics(&b, big == 1, 1, 100, 0);
		statistics(&b, big == 1, 9, 5000, 0); /* of no interface */
		/* Told by packets, and less than the statistics of the interface: the same losses.
		 */
		option(&options, big == 1, 1, "a comment", 9);
		option_u64(&options, big == 1, 4, 7);
		option(&options, big == 1, 0, NULL, 0);
		ng_packet_with(&b, big == 1, 0, 1, 1, 61, 61, &options);
		/* More than the statistics. */
		for (int i = 0; i < 20; i++)
			ng_packet_with(&b, big == 1, 1, 1, 1, 61, 61, &options);
		ng_section(&b, big == 1);
		ng_interface(&b, big == 1, 1, 0, -1, 0);
		statistics(&b, big == 1, 0, 1000, 0);
		assert_int_equal(memory_open(&m, &b), LYA_OK);
		while (memory_next(&m, &f))
			assert_body(&f, 1);
		assert_int_equal(m.reader->dropped, 12 + 140 + 1000);
		assert_string_equal(m.reader->why, "");
		memory_close(&m);
		bytes_free(&b);
		bytes_free(&options);
	}
}

/* Blocks that say nothing of packets are passed over, however large, without being kept. */
static void other_blocks_are_passed(void **state)
{
	static const uint32_t types[] = { 4, 10, 0xbad, 0x40000bad, 9, 0x80000001 };
	struct bytes b = { 0 };
	struct bytes body = { 0 };
	struct memory m;
	struct lya_frame f;

	(void)state;
	put_zeros(&body, 2U << 20);
	ng_section(&b, true);
	ng_interface(&b, true, 1, 0, -1, 0);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		body.len = i == 0 ? 0 : i == 1 ? 2U << 20 : 17 * i;
		block(&b, true, types[i], &body);
		ng_packet(&b, true, 0, 1, i, 60);
	}
	assert_int_equal(memory_open(&m, &b), LYA_OK);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		assert_true(memory_next(&m, &f));
		assert_body(&f, i);
	}
	assert_false(memory_next(&m, &f));
	assert_string_equal(m.reader->why, "");
	assert_true(m.reader->cap < 100000);
	memory_close(&m);
	bytes_free(&b);
	bytes_free(&body);
}

/* Cut after every byte: whole packets come, and any cut between two blocks is no cut. */
static void cut_after_every_byte(void **state)
{
	for (int big = 0; big < 2; big++) {
		struct bytes whole = { 0 };
		struct bytes other = { 0 };
		size_t ends[8];    /* of blocks */
		size_t packets[8]; /* up to there */
		size_t n_ends = 0;

		(void)state;
		ng_section(&whole, big == 1);
		ends[n_ends] = whole.len, packets[n_ends++] = 0;
		ng_interface(&whole, big == 1, 1, 0, 9, 0);
		ends[n_ends] = whole.len, packets[n_ends++] = 0;
		ng_packet(&whole, big == 1, 0, 1, 1, 61);
		ends[n_ends] = whole.len, packets[n_ends++] = 1;
		put_zeros(&other, 10);
		block(&whole, big == 1, 4, &other);
		ends[n_ends] = whole.len, packets[n_ends++] = 1;
		statistics(&whole, big == 1, 0, 1, 1);
		ends[n_ends] = whole.len, packets[n_ends++] = 1;
		ng_packet(&whole, big == 1, 0, 2, 2, 0);
		ends[n_ends] = whole.len, packets[n_ends++] = 2;
		ng_section(&whole, big == 0);
		ends[n_ends] = whole.len, packets[n_ends++] = 2;
		for (size_t len = 0; len <= whole.len; len++) {
			struct bytes b = bytes_cut(&whole, len);
			struct memory m;
			struct lya_frame f;
			size_t last = 0;
			size_t n = 0;

			if (len < ends[0]) {
				assert_int_equal(memory_open(&m, &b),
						 len < 4 ? LYA_EINPUT : LYA_EIO);
				bytes_free(&b);
				continue;
			}
			while (last + 1 < n_ends && ends[last + 1] <= len)
				last++;
			assert_int_equal(memory_open(&m, &b), LYA_OK);
			while (memory_next(&m, &f))
				assert_body(&f, ++n);
			assert_int_equal(n, packets[last]);
			assert_int_equal(m.reader->truncated, len != ends[last]);
			assert_int_equal(m.reader->why[0] != '\0', len != ends[last]);
			memory_close(&m);
			bytes_free(&b);
		}
		bytes_free(&whole);
		bytes_free(&other);
	}
}

/* One word of a sound file is made wrong: nothing comes after it, and the reason is told. */
static void wrong_words_end_the_reading(void **state)
{
	/* Section header 28 bytes, interface 40, then the packet's block of 96 at 68 (60 bytes at
	 * 96). */
	static const struct {
		const char *name;
		size_t at;
		uint32_t value;
		const char *why;
	} cases[] = {
		{ "length 0", 72, 0, "byte 68: a block of type 6 says it has 0 bytes" },
		{ "length no multiple of 4", 72, 93, "byte 68: a block of type 6 says it has 93" },
		{ "length too small", 72, 28, "byte 68: a block of type 6 says it has 28" },
		{ "length too large", 72, 0xfffffffc, "at most 1048576 are read" },
		{ "length says more than there is", 72, 4096, "packet 1 wants 4096 bytes" },
		{ "the end differs", 156, 88, "begins with length 92 and ends with 88" },
		{ "interface", 76, 1, "packet 1 is of interface 1, its section has 1" },
		{ "interface, high", 76, 0xffffffff, "is of interface 4294967295" },
		{ "caplen", 88, 61, "packet 1 claims 61 bytes, its block has room for 60" },
		{ "caplen, high", 88, 0xffffffff, "packet 1 claims 4294967295 bytes" },
		{ "unknown type, short", 68, 0x77, NULL },
		{ "interface block, short", 32, 16, "byte 28: a block of type 1 says it has 16" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bytes b = { 0 };
		struct bytes word = { 0 };
		struct memory m;
		struct lya_frame f;

		ng_section(&b, false);
		ng_interface(&b, false, 1, 0, 6, 0);
		assert_int_equal(b.len, 68);
		ng_packet(&b, false, 0, 1, 1, 60);
		assert_int_equal(b.len, 160);
		put_num(&word, cases[i].value, 4, false);
		memcpy(b.data + cases[i].at, word.data, 4);
		assert_int_equal(memory_open(&m, &b), LYA_OK);
		assert_false(memory_next(&m, &f));
		if (cases[i].why == NULL)
			assert_string_equal(m.reader->why, "");
		else if (strstr(m.reader->why, cases[i].why) == NULL)
			fail_msg("%s: %s", cases[i].name, m.reader->why);
		memory_close(&m);
		bytes_free(&b);
		bytes_free(&word);
	}
}

/* The end of a block that is passed over is checked too. */
static void passed_blocks_must_end_as_they_began(void **state)
{
	struct bytes b = { 0 };
	struct bytes body = { 0 };
	struct memory m;
	struct lya_frame f;

	(void)state;
	put_zeros(&body, 20);
	ng_section(&b, false);
	ng_interface(&b, false, 1, 0, 6, 0);
	block(&b, false, 4, &body);
	b.data[b.len - 4] ^= 4;
	ng_packet(&b, false, 0, 1, 1, 60);
	assert_int_equal(memory_open(&m, &b), LYA_OK);
	assert_false(memory_next(&m, &f));
	assert_non_null(
	    strstr(m.reader->why, "byte 68: a block begins with length 32 and ends with 36"));
	memory_close(&m);
	bytes_free(&b);
	bytes_free(&body);
}

/* Options that are not whole, or of the wrong length, are not used, and do no harm. */
static void broken_options_are_left(void **state)
{
	static const struct {
		uint8_t data[12];
		size_t len;
	} cases[] = {
		{ { 9, 0, 1 }, 4 },                            /* no value */
		{ { 9, 0, 0xff, 0xff, 9, 0, 0, 0 }, 8 },       /* longer than the block */
		{ { 9, 0, 2, 0, 9, 9, 0, 0 }, 8 },             /* a resolution of two bytes */
		{ { 14, 0, 4, 0, 1, 1, 1, 1 }, 8 },            /* an offset of four */
		{ { 0, 0, 0, 0, 9, 0, 1, 0, 9, 0, 0, 0 }, 12 } /* after the end */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bytes b = { 0 };
		struct bytes body = { 0 };
		struct memory m;
		struct lya_frame f;

		ng_section(&b, false);
		put_num(&body, 1, 8, false);
		put(&body, cases[i].data, cases[i].len);
		block(&b, false, 1, &body);
		ng_packet(&b, false, 0, 5, 1, 60);
		assert_int_equal(memory_open(&m, &b), LYA_OK);
		assert_true(memory_next(&m, &f));
		assert_int_equal(f.time_ns, 5000);
		memory_close(&m);
		bytes_free(&b);
		bytes_free(&body);
	}
}

/* A list of interfaces is memory that a file asks for: it has a bound. */
static void interfaces_have_a_bound(void **state)
{
	struct bytes b = { 0 };
	struct memory m;
	struct lya_frame f;

	(void)state;
	ng_section(&b, false);
	for (size_t i = 0; i < 65537; i++)
		ng_interface(&b, false, 1, 0, -1, 0);
	ng_packet(&b, false, 0, 1, 1, 60);
	assert_int_equal(memory_open(&m, &b), LYA_OK);
	assert_false(memory_next(&m, &f));
	assert_non_null(strstr(m.reader->why, "more than 65536 interfaces"));
	memory_close(&m);
	bytes_free(&b);
}

static void what_is_no_section_is_told(void **state)
{
	struct bytes b = { 0 };
	struct memory m;

	(void)state;
	ng_section(&b, false);
	b.data[8] = 0;
	assert_int_equal(memory_open(&m, &b), LYA_EINPUT);
	assert_non_null(strstr(m.err.text, "byte order"));
	bytes_free(&b);
	ng_section(&b, true);
	b.data[13] = 2;
	assert_int_equal(memory_open(&m, &b), LYA_EINPUT);
	assert_non_null(strstr(m.err.text, "wanted pcapng version 1, found 2"));
	bytes_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clocks_are_read),
		cmocka_unit_test(clock_offsets_are_added),
		cmocka_unit_test(sections_and_interfaces),
		cmocka_unit_test(interfaces_end_with_their_section),
		cmocka_unit_test(simple_packets),
		cmocka_unit_test(obsolete_packets),
		cmocka_unit_test(drops_are_summed),
		cmocka_unit_test(other_blocks_are_passed),
		cmocka_unit_test(cut_after_every_byte),
		cmocka_unit_test(wrong_words_end_the_reading),
		cmocka_unit_test(passed_blocks_must_end_as_they_began),
		cmocka_unit_test(broken_options_are_left),
		cmocka_unit_test(interfaces_have_a_bound),
		cmocka_unit_test(what_is_no_section_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
