/*
 * test_pcap.c - the classic format, from bytes made by hand.
 */
#include "build.h"

enum { MICRO = 0xa1b2c3d4, NANO = 0xa1b23c4d, MODIFIED = 0xa1b2cd34 };

static const struct {
	const char *name;
	uint32_t magic;
	bool big;
	int64_t fraction_ns; /* of one unit */
	uint8_t digits;
} kinds[] = {
	{ "microseconds, little-endian", MICRO, false, 1000, 6 },
	{ "microseconds, big-endian", MICRO, true, 1000, 6 },
	{ "nanoseconds, little-endian", NANO, false, 1, 9 },
	{ "nanoseconds, big-endian", NANO, true, 1, 9 },
};

static void kinds_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct bytes b = { 0 };
		struct memory m;
		struct lya_frame f;

		pcap_header(&b, kinds[i].magic, kinds[i].big, 113);
		pcap_record(&b, kinds[i].big, 1700000000, 123456, 1, 60, 1514);
		pcap_record(&b, kinds[i].big, 4294967295U, 999999, 2, 0, 0); /* the year 2106 */
		assert_int_equal(memory_open(&m, &b), LYA_OK);
		assert_true(memory_next(&m, &f));
		assert_int_equal(f.time_ns, START + 123456 * kinds[i].fraction_ns);
		assert_int_equal(f.caplen, 60);
		assert_int_equal(f.wirelen, 1514);
		assert_int_equal(f.number, 1);
		assert_int_equal(f.link, 113);
		assert_int_equal(f.iface, 0);
		assert_int_equal(f.digits, kinds[i].digits);
		assert_int_equal(f.flags, kinds[i].big ? LYA_FRAME_BIG_ENDIAN : 0);
		assert_body(&f, 1);
		assert_true(memory_next(&m, &f));
		assert_int_equal(f.time_ns, 4294967295 * SECOND + 999999 * kinds[i].fraction_ns);
		assert_int_equal(f.caplen, 0);
		assert_int_equal(f.number, 2);
		assert_false(memory_next(&m, &f));
		assert_false(m.reader->truncated);
		assert_string_equal(m.reader->why, "");
		memory_close(&m);
		bytes_free(&b);
	}
}

/* The modified format has 8 bytes more in each record's header. */
static void modified_records_are_longer(void **state)
{
	struct bytes b = { 0 };
	struct memory m;
	struct lya_frame f;

	(void)state;
	pcap_header(&b, MODIFIED, true, 1);
	for (size_t i = 1; i <= 2; i++) {
		put_num(&b, 1700000000, 4, true);
		put_num(&b, 5, 4, true);
		put_num(&b, 33, 4, true);
		put_num(&b, 33, 4, true);
		put_num(&b, 0xffffffffffffffff, 8, true); /* interface, protocol, type */
		put_body(&b, i, 33);
	}
	assert_int_equal(memory_open(&m, &b), LYA_OK);
	for (size_t i = 1; i <= 2; i++) {
		assert_true(memory_next(&m, &f));
		assert_int_equal(f.caplen, 33);
		assert_int_equal(f.time_ns, START + 5000);
		assert_body(&f, i);
	}
	assert_false(memory_next(&m, &f));
	memory_close(&m);
	bytes_free(&b);
}

/* Before version 2.3 the sent length came first; in 2.3 either may. */
static void old_versions_swap_lengths(void **state)
{
	static const struct {
		uint8_t minor;
		uint32_t first, second, caplen, wirelen;
	} cases[] = {
		{ 4, 40, 90, 40, 90 }, { 3, 40, 90, 40, 90 }, { 3, 90, 40, 40, 90 },
		{ 2, 90, 40, 40, 90 }, { 2, 40, 40, 40, 40 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bytes b = { 0 };
		struct memory m;
		struct lya_frame f;

		pcap_header(&b, MICRO, false, 1);
		b.data[6] = cases[i].minor;
		put_num(&b, 0, 8, false);
		put_num(&b, cases[i].first, 4, false);
		put_num(&b, cases[i].second, 4, false);
		put_body(&b, 1, cases[i].caplen);
		assert_int_equal(memory_open(&m, &b), LYA_OK);
		assert_true(memory_next(&m, &f));
		assert_int_equal(f.caplen, cases[i].caplen);
		assert_int_equal(f.wirelen, cases[i].wirelen);
		assert_false(memory_next(&m, &f));
		assert_false(m.reader->truncated);
		memory_close(&m);
		bytes_free(&b);
	}
}

/* The upper bits of the link type say how long the checksum is, not what the link is. */
static void checksum_bits_are_no_link(void **state)
{
	struct bytes b = { 0 };
	struct memory m;
	struct lya_frame f;

	(void)state;
	pcap_header(&b, MICRO, false, 0x24000001);
	pcap_at(&b, START, 1, 60);
	assert_int_equal(memory_open(&m, &b), LYA_OK);
	assert_true(memory_next(&m, &f));
	assert_int_equal(f.link, LYA_LINK_ETHERNET);
	memory_close(&m);
	bytes_free(&b);
}

/* Cut after every byte: the whole packets come, and the cut is told unless it is between two. */
static void cut_after_every_byte(void **state)
{
	static const uint32_t sizes[] = { 60, 0, 1, 97 };
	struct bytes whole = { 0 };
	size_t ends[5] = { 24 };

	(void)state;
	pcap_header(&whole, MICRO, false, 1);
	for (size_t i = 0; i < 4; i++) {
		pcap_at(&whole, START + (int64_t)i, i + 1, sizes[i]);
		ends[i + 1] = whole.len;
	}
	for (size_t len = 0; len <= whole.len; len++) {
		struct bytes b = bytes_cut(&whole, len);
		struct memory m;
		struct lya_frame f;
		size_t expected = 0;
		size_t n = 0;

		if (len < 24) {
			assert_int_equal(memory_open(&m, &b), len < 4 ? LYA_EINPUT : LYA_EIO);
			bytes_free(&b);
			continue;
		}
		while (expected < 4 && ends[expected + 1] <= len)
			expected++;
		assert_int_equal(memory_open(&m, &b), LYA_OK);
		while (memory_next(&m, &f))
			assert_body(&f, ++n);
		assert_int_equal(n, expected);
		assert_int_equal(m.reader->truncated, len != ends[expected]);
		assert_int_equal(m.reader->why[0] != '\0', len != ends[expected]);
		memory_close(&m);
		bytes_free(&b);
	}
	bytes_free(&whole);
}

static void faults_name_the_place(void **state)
{
	struct bytes b = { 0 };
	struct memory m;
	struct lya_frame f;

	(void)state;
	pcap_header(&b, MICRO, false, 1);
	pcap_at(&b, START, 1, 60);
	pcap_at(&b, START, 2, 96);
	b.len -= 56;
	assert_int_equal(memory_open(&m, &b), LYA_OK);
	assert_true(memory_next(&m, &f));
	assert_false(memory_next(&m, &f));
	assert_string_equal(m.reader->why, "byte 116: packet 2 wants 96 bytes, 40 are left");
	memory_close(&m);

	b.len = 24 + 76 + 7;
	assert_int_equal(memory_open(&m, &b), LYA_OK);
	assert_true(memory_next(&m, &f));
	assert_false(memory_next(&m, &f));
	assert_string_equal(m.reader->why,
			    "byte 100: the header of packet 2 wants 16 bytes, 7 are left");
	memory_close(&m);
	bytes_free(&b);
}

/* The largest frame is taken; one byte more, or lengths near 2^32, are refused by name. */
static void lengths_have_a_bound(void **state)
{
	static const uint32_t lengths[] = { LYA_FRAME_MAX + 1, 0x7fffffff, 0x80000000, 0xfffffff0,
					    0xffffffff };
	struct bytes b = { 0 };
	struct memory m;
	struct lya_frame f;

	(void)state;
	pcap_header(&b, MICRO, false, 1);
	pcap_at(&b, START, 1, LYA_FRAME_MAX);
	pcap_at(&b, START, 2, 60);
	assert_int_equal(memory_open(&m, &b), LYA_OK);
	assert_true(memory_next(&m, &f));
	assert_int_equal(f.caplen, LYA_FRAME_MAX);
	assert_body(&f, 1);
	assert_true(memory_next(&m, &f));
	assert_body(&f, 2);
	assert_false(memory_next(&m, &f));
	memory_close(&m);
	bytes_free(&b);

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		pcap_header(&b, MICRO, false, 1);
		pcap_at(&b, START, 1, 60);
		put_num(&b, 0, 8, false);
		put_num(&b, lengths[i], 4, false);
		put_num(&b, lengths[i], 4, false);
		put_zeros(&b, 300000);
		assert_int_equal(memory_open(&m, &b), LYA_OK);
		assert_true(memory_next(&m, &f));
		assert_false(memory_next(&m, &f));
		assert_false(m.reader->truncated);
		assert_non_null(strstr(m.reader->why, "byte 100: packet 2 claims"));
		memory_close(&m);
		bytes_free(&b);
	}
}

static void what_is_none_is_told(void **state)
{
	static const struct {
		const char *name;
		uint8_t head[24];
		size_t len;
		const char *text;
	} cases[] = {
		{ "empty", { 0 }, 0, "an empty file" },
		{ "short", { 0xd4, 0xc3 }, 2, "found 2 bytes" },
		{ "text", "hello, world, how are y", 24, "begins with 68 65 6c 6c" },
		{ "version",
		  { 0xd4, 0xc3, 0xb2, 0xa1, 3, 0, 4, 0 },
		  24,
		  "wanted pcap version 2, found 3" },
		{ "cut header", { 0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0 }, 23, "24 bytes" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bytes b = { 0 };
		struct memory m;

		put(&b, cases[i].head, cases[i].len);
		assert_int_not_equal(memory_open(&m, &b), LYA_OK);
		assert_non_null(strstr(m.err.text, cases[i].text));
		assert_int_equal(m.cap.used, 0);
		bytes_free(&b);
	}
}

/* Records that lie across the end of the buffer come whole, in batches of any size. */
static void batches_cross_the_buffer(void **state)
{
	enum { COUNT = 3000 };
	struct bytes b = { 0 };

	(void)state;
	pcap_header(&b, MICRO, false, 1);
	for (size_t i = 1; i <= COUNT; i++)
		pcap_at(&b, START + (int64_t)i * 1000, i, (uint32_t)(i * 7 % 1500));
	for (size_t max = 1; max <= 64; max += 21) {
		struct memory m;
		struct lya_frame frames[64];
		size_t number = 0;
		size_t n;

		assert_int_equal(memory_open(&m, &b), LYA_OK);
		do {
			assert_int_equal(capture_reader_next(m.reader, frames, max, &n, &m.err),
					 LYA_OK);
			for (size_t i = 0; i < n; i++) {
				number++;
				assert_int_equal(frames[i].number, number);
				assert_int_equal(frames[i].caplen, number * 7 % 1500);
				assert_int_equal(frames[i].time_ns, START + (int64_t)number * 1000);
				assert_body(&frames[i], number);
			}
		} while (n > 0);
		assert_int_equal(number, COUNT);
		memory_close(&m);
	}
	bytes_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds_are_read),
		cmocka_unit_test(modified_records_are_longer),
		cmocka_unit_test(old_versions_swap_lengths),
		cmocka_unit_test(checksum_bits_are_no_link),
		cmocka_unit_test(cut_after_every_byte),
		cmocka_unit_test(faults_name_the_place),
		cmocka_unit_test(lengths_have_a_bound),
		cmocka_unit_test(what_is_none_is_told),
		cmocka_unit_test(batches_cross_the_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
