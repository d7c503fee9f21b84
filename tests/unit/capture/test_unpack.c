/*
 * test_unpack.c - compressed captures: by content, member after member, cut
 * after every byte, and within the memory there is for them.
 */
#include "build.h"

#include <lz4frame.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

enum { ROOM = 1 << 20 };

static void pack_gzip(const struct bytes *in, struct bytes *out)
{
	static uint8_t room[ROOM];
	z_stream z = {
		.next_in = in->data, .avail_in = (uInt)in->len, .next_out = room, .avail_out = ROOM
	};

	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY),
			 Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	put(out, room, z.total_out);
	deflateEnd(&z);
}

static void pack_zstd(const struct bytes *in, struct bytes *out)
{
	static uint8_t room[ROOM];
	size_t n = ZSTD_compress(room, ROOM, in->data, in->len, 3);

	assert_false(ZSTD_isError(n));
	put(out, room, n);
}

static void pack_lz4(const struct bytes *in, struct bytes *out)
{
	static uint8_t room[ROOM];
	LZ4F_preferences_t preferences = { .frameInfo = { .contentChecksumFlag =
							      LZ4F_contentChecksumEnabled } };
	size_t n = LZ4F_compressFrame(room, ROOM, in->data, in->len, &preferences);

	assert_false(LZ4F_isError(n));
	put(out, room, n);
}

static void pack_xz(const struct bytes *in, struct bytes *out)
{
	static uint8_t room[ROOM];
	size_t n = 0;

	assert_int_equal(lzma_easy_buffer_encode(1, LZMA_CHECK_CRC32, NULL, in->data, in->len, room,
						 &n, ROOM),
			 LZMA_OK);
	put(out, room, n);
}

static const struct {
	const char *name;
	void (*pack)(const struct bytes *in, struct bytes *out);
} kinds[] = {
	{ "gzip", pack_gzip },
	{ "zstd", pack_zstd },
	{ "lz4", pack_lz4 },
	{ "xz", pack_xz },
};

enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

/* Packets first..last with the file header in front of number 1. */
static void packets(struct bytes *b, size_t first, size_t last)
{
	if (first == 1)
		pcap_header(b, 0xa1b2c3d4, false, 1);
	for (size_t i = first; i <= last; i++)
		pcap_at(b, START + (int64_t)i * 1000, i, (uint32_t)(i * 37 % 200));
}

/* Read all; how many packets there were. */
static size_t read_all(struct memory *m)
{
	struct lya_frame f;
	size_t n = 0;

	while (memory_next(m, &f)) {
		assert_int_equal(f.caplen, ++n * 37 % 200);
		assert_body(&f, n);
	}
	return n;
}

/* As memory_open; with a state the stream is unpacked in a thread of its own. */
static int open_as(void **state, struct memory *m, const struct bytes *b)
{
	struct capture_stream *stream;
	int rc;

	if (*state == NULL)
		return memory_open(m, b);
	*m = (struct memory){ .cap = { .max = 64U << 20 } };
	rc = capture_stream_open_memory(&stream, b->data, b->len, &m->cap, &m->err);
	if (rc != LYA_OK)
		return rc;
	rc = capture_stream_ahead(stream, &m->err);
	if (rc != LYA_OK)
		return rc;
	return capture_reader_open(&m->reader, stream, CAPTURE_BUFFER_SMALL, &m->cap, &m->err);
}

static void each_kind_is_recognised(void **state)
{
	for (size_t k = 0; k < KINDS; k++) {
		struct bytes plain = { 0 };
		struct bytes b = { 0 };
		struct memory m;

		packets(&plain, 1, 3000);
		kinds[k].pack(&plain, &b);
		assert_int_equal(open_as(state, &m, &b), LYA_OK);
		assert_string_equal(capture_stream_packing(m.reader->stream), kinds[k].name);
		assert_int_equal(read_all(&m), 3000);
		assert_string_equal(m.reader->why, "");
		memory_close(&m);
		bytes_free(&plain);
		bytes_free(&b);
	}
}

/* What `cat a.gz b.gz` makes: members may end anywhere, and zeros may follow. */
static void members_follow_each_other(void **state)
{
	for (size_t k = 0; k < KINDS; k++) {
		struct bytes plain = { 0 };
		struct bytes b = { 0 };
		struct memory m;

		packets(&plain, 1, 100);
		for (size_t at = 0; at < plain.len; at += 1001) {
			size_t n = plain.len - at < 1001 ? plain.len - at : 1001;
			struct bytes part = { .data = plain.data + at, .len = n };

			kinds[k].pack(&part, &b);
		}
		put_zeros(&b, 512);
		assert_int_equal(open_as(state, &m, &b), LYA_OK);
		assert_int_equal(read_all(&m), 100);
		assert_string_equal(m.reader->why, "");
		memory_close(&m);
		bytes_free(&plain);
		bytes_free(&b);
	}
}

/* What follows and is no member is said, and what came before counts. */
static void rubbish_behind_is_told(void **state)
{
	for (size_t k = 0; k < KINDS; k++) {
		struct bytes plain = { 0 };
		struct bytes b = { 0 };
		struct memory m;

		packets(&plain, 1, 100);
		kinds[k].pack(&plain, &b);
		put(&b, "what is this?", 13);
		assert_int_equal(open_as(state, &m, &b), LYA_OK);
		assert_int_equal(read_all(&m), 100);
		assert_non_null(strstr(m.reader->why, "data is broken here"));
		assert_true(m.reader->truncated);
		memory_close(&m);
		bytes_free(&plain);
		bytes_free(&b);
	}
}

/* Cut after every byte: a beginning of the packets, never more, and the cut is told. */
static void cut_after_every_byte(void **state)
{
	for (size_t k = 0; k < KINDS; k++) {
		struct bytes plain = { 0 };
		struct bytes whole = { 0 };
		size_t before = 0;

		packets(&plain, 1, 40);
		kinds[k].pack(&plain, &whole);
		for (size_t len = 1; len < whole.len; len++) {
			struct bytes b = bytes_cut(&whole, len);
			struct memory m;

			if (open_as(state, &m, &b) == LYA_OK) {
				size_t n = read_all(&m);

				assert_true(n >= before);
				assert_true(m.reader->truncated);
				assert_true(m.reader->why[0] != '\0');
				before = n;
				memory_close(&m);
			} else {
				assert_int_equal(m.cap.used, 0);
				assert_true(m.err.text[0] != '\0');
			}
			bytes_free(&b);
		}
		bytes_free(&plain);
		bytes_free(&whole);
	}
}

/* Any byte made wrong: a count or an error, and everything given back. */
static void flipped_bytes_do_no_harm(void **state)
{
	for (size_t k = 0; k < KINDS; k++) {
		struct bytes plain = { 0 };
		struct bytes whole = { 0 };

		packets(&plain, 1, 40);
		kinds[k].pack(&plain, &whole);
		for (size_t at = 0; at < whole.len; at++) {
			struct bytes b = bytes_cut(&whole, whole.len);
			struct memory m;
			struct lya_frame f;

			b.data[at] ^= 0x41;
			if (open_as(state, &m, &b) == LYA_OK) {
				while (memory_next(&m, &f))
					assert_true(f.caplen <= LYA_FRAME_MAX);
				memory_close(&m);
			} else {
				assert_int_equal(m.cap.used, 0);
			}
			bytes_free(&b);
		}
		bytes_free(&plain);
		bytes_free(&whole);
	}
}

/* A stream that wants a window beyond the cap is refused with the cap as the reason. */
static void windows_have_a_cap(void **state)
{
	static uint8_t room[ROOM];
	struct bytes plain = { 0 };

	(void)state;
	packets(&plain, 1, 3000);
	for (int kind = 0; kind < 2; kind++) {
		struct capture_cap cap = { .max = 4U << 20 };
		struct lya_error err = { .status = LYA_OK };
		struct bytes b = { 0 };
		struct capture_stream *stream;
		struct capture_reader *r;

		if (kind == 0) {
			ZSTD_CCtx *z = ZSTD_createCCtx();
			ZSTD_inBuffer in = { plain.data, plain.len, 0 };
			ZSTD_outBuffer out = { room, ROOM, 0 };

			ZSTD_CCtx_setParameter(z, ZSTD_c_windowLog, 26);
			/* Streamed, so that the frame does not tell how small its content is. */
			ZSTD_compressStream2(z, &out, &in, ZSTD_e_flush);
			assert_int_equal(ZSTD_compressStream2(z, &out, &in, ZSTD_e_end), 0);
			put(&b, room, out.pos);
			ZSTD_freeCCtx(z);
		} else {
			size_t n = 0;

			assert_int_equal(lzma_easy_buffer_encode(9, LZMA_CHECK_CRC32, NULL,
								 plain.data, plain.len, room, &n,
								 ROOM),
					 LZMA_OK);
			put(&b, room, n);
		}
		assert_int_equal(capture_stream_open_memory(&stream, b.data, b.len, &cap, &err),
				 LYA_OK);
		assert_int_equal(capture_reader_open(&r, stream, CAPTURE_BUFFER, &cap, &err),
				 LYA_EIO);
		if (strstr(err.text, "unpacking it would pass the cap of 4 MiB") == NULL)
			fail_msg("%d: %s", kind, err.text);
		assert_int_equal(cap.used, 0);
		bytes_free(&b);
	}
	bytes_free(&plain);
}

/* The same with and without a thread that unpacks ahead. */
#define BOTH(test) cmocka_unit_test(test), { #test " (ahead)", test, NULL, NULL, &ahead }

int main(void)
{
	static bool ahead = true;
	const struct CMUnitTest tests[] = {
		BOTH(each_kind_is_recognised),
		BOTH(members_follow_each_other),
		BOTH(rubbish_behind_is_told),
		BOTH(cut_after_every_byte),
		BOTH(flipped_bytes_do_no_harm),
		cmocka_unit_test(windows_have_a_cap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
