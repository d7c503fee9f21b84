/*
 * build.h - captures made byte by byte, for the tests of the readers.
 */
#ifndef TESTS_CAPTURE_BUILD_H
#define TESTS_CAPTURE_BUILD_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "capture/reader.h"
#include "lyncaudit/capture.h"

#define SECOND INT64_C(1000000000)
#define START INT64_C(1700000000000000000)
#define UNUSED_OK __attribute__((unused))

struct bytes {
	uint8_t *data;
	size_t len, cap;
};

UNUSED_OK static void put(struct bytes *b, const void *data, size_t len)
{
	if (b->len + len > b->cap || b->data == NULL) {
		b->cap = 2 * (b->len + len) + 64;
		b->data = realloc(b->data, b->cap);
		assert_non_null(b->data);
	}
	if (len > 0)
		memcpy(b->data + b->len, data, len);
	b->len += len;
}

/* The same bytes in memory of just their length, where a sanitizer sees a byte too many. */
UNUSED_OK static struct bytes bytes_cut(const struct bytes *b, size_t len)
{
	struct bytes copy = { .data = malloc(len == 0 ? 1 : len), .len = len, .cap = len };

	assert_non_null(copy.data);
	if (len > 0)
		memcpy(copy.data, b->data, len);
	return copy;
}

/* A number of `size` bytes in either byte order. */
UNUSED_OK static void put_num(struct bytes *b, uint64_t v, size_t size, bool big)
{
	for (size_t i = 0; i < size; i++) {
		uint8_t byte = (uint8_t)(v >> 8 * (big ? size - 1 - i : i));

		put(b, &byte, 1);
	}
}

UNUSED_OK static void put_zeros(struct bytes *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		put(b, "", 1);
}

/* n bytes that tell where they are from: a packet's number and place. */
UNUSED_OK static void put_body(struct bytes *b, size_t number, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint8_t byte = (uint8_t)(number * 31 + i);

		put(b, &byte, 1);
	}
}

UNUSED_OK static void bytes_free(struct bytes *b)
{
	free(b->data);
	*b = (struct bytes){ 0 };
}

/* pcap --------------------------------------------------------------------- */

UNUSED_OK static void pcap_header(struct bytes *b, uint32_t magic, bool big, uint32_t link)
{
	put_num(b, magic, 4, big);
	put_num(b, 2, 2, big);
	put_num(b, 4, 2, big);
	put_num(b, 0, 8, big);
	put_num(b, 262144, 4, big);
	put_num(b, link, 4, big);
}

UNUSED_OK static void pcap_record(struct bytes *b, bool big, uint32_t seconds, uint32_t fraction,
				  size_t number, uint32_t caplen, uint32_t wirelen)
{
	put_num(b, seconds, 4, big);
	put_num(b, fraction, 4, big);
	put_num(b, caplen, 4, big);
	put_num(b, wirelen, 4, big);
	put_body(b, number, caplen);
}

/* A packet of `len` bytes at a time in nanoseconds, in a little-endian microsecond file. */
UNUSED_OK static void pcap_at(struct bytes *b, int64_t time_ns, size_t number, uint32_t len)
{
	pcap_record(b, false, (uint32_t)(time_ns / SECOND), (uint32_t)(time_ns % SECOND / 1000),
		    number, len, len);
}

/* pcapng ------------------------------------------------------------------- */

UNUSED_OK static void block(struct bytes *b, bool big, uint32_t type, const struct bytes *body)
{
	uint32_t len = (uint32_t)(12 + ((body->len + 3) & ~(size_t)3));

	put_num(b, type, 4, big);
	put_num(b, len, 4, big);
	put(b, body->data, body->len);
	put_zeros(b, len - 12 - body->len);
	put_num(b, len, 4, big);
}

UNUSED_OK static void option(struct bytes *b, bool big, uint16_t code, const void *value,
			     size_t len)
{
	put_num(b, code, 2, big);
	put_num(b, len, 2, big);
	put(b, value, len);
	put_zeros(b, (4 - len % 4) % 4);
}

UNUSED_OK static void option_u64(struct bytes *b, bool big, uint16_t code, uint64_t value)
{
	put_num(b, code, 2, big);
	put_num(b, 8, 2, big);
	put_num(b, value, 8, big);
}

UNUSED_OK static void ng_section(struct bytes *b, bool big)
{
	struct bytes body = { 0 };

	put_num(&body, 0x1a2b3c4d, 4, big);
	put_num(&body, 1, 2, big);
	put_num(&body, 0, 2, big);
	put_num(&body, UINT64_MAX, 8, big);
	block(b, big, 0x0a0d0d0a, &body);
	bytes_free(&body);
}

/* tsresol < 0: the option is left out. */
UNUSED_OK static void ng_interface(struct bytes *b, bool big, uint16_t link, uint32_t snaplen,
				   int tsresol, int64_t tsoffset)
{
	struct bytes body = { 0 };
	uint8_t resolution = (uint8_t)tsresol;

	put_num(&body, link, 2, big);
	put_num(&body, 0, 2, big);
	put_num(&body, snaplen, 4, big);
	option(&body, big, 2, "eth0", 4);
	if (tsresol >= 0)
		option(&body, big, 9, &resolution, 1);
	if (tsoffset != 0)
		option_u64(&body, big, 14, (uint64_t)tsoffset);
	option(&body, big, 0, NULL, 0);
	block(b, big, 1, &body);
	bytes_free(&body);
}

UNUSED_OK static void ng_packet_with(struct bytes *b, bool big, uint32_t iface, uint64_t units,
				     size_t number, uint32_t caplen, uint32_t wirelen,
				     const struct bytes *options)
{
	struct bytes body = { 0 };

	put_num(&body, iface, 4, big);
	put_num(&body, units >> 32, 4, big);
	put_num(&body, units & UINT32_MAX, 4, big);
	put_num(&body, caplen, 4, big);
	put_num(&body, wirelen, 4, big);
	put_body(&body, number, caplen);
	put_zeros(&body, (4 - caplen % 4) % 4);
	if (options != NULL)
		put(&body, options->data, options->len);
	block(b, big, 6, &body);
	bytes_free(&body);
}

UNUSED_OK static void ng_packet(struct bytes *b, bool big, uint32_t iface, uint64_t units,
				size_t number, uint32_t len)
{
	ng_packet_with(b, big, iface, units, number, len, len, NULL);
}

/* Reading from memory -------------------------------------------------------- */

struct memory {
	struct capture_cap cap;
	struct capture_reader *reader;
	struct lya_error err;
};

UNUSED_OK static int memory_open(struct memory *m, const struct bytes *b)
{
	struct capture_stream *stream;
	int rc;

	*m = (struct memory){ .cap = { .max = 64U << 20 } };
	rc = capture_stream_open_memory(&stream, b->data, b->len, &m->cap, &m->err);
	if (rc == LYA_OK)
		rc = capture_reader_open(&m->reader, stream, CAPTURE_BUFFER_SMALL, &m->cap,
					 &m->err);
	return rc;
}

UNUSED_OK static void memory_close(struct memory *m)
{
	capture_reader_close(m->reader);
	assert_int_equal(m->cap.used, 0);
}

/* The next frame alone; false at the end. */
UNUSED_OK static bool memory_next(struct memory *m, struct lya_frame *f)
{
	size_t n;

	assert_int_equal(capture_reader_next(m->reader, f, 1, &n, &m->err), LYA_OK);
	return n == 1;
}

/* Is the frame's content the one that put_body made? */
UNUSED_OK static void assert_body(const struct lya_frame *f, size_t number)
{
	for (size_t i = 0; i < f->caplen; i++)
		assert_int_equal(f->data[i], (uint8_t)(number * 31 + i));
}

/* Files ---------------------------------------------------------------------- */

struct folder {
	char path[64];
};

UNUSED_OK static void folder_make(struct folder *dir)
{
	snprintf(dir->path, sizeof(dir->path), "/tmp/lyncaudit-test-XXXXXX");
	assert_non_null(mkdtemp(dir->path));
}

UNUSED_OK static void folder_remove(struct folder *dir)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf -- %s", dir->path);
	assert_int_equal(system(command), 0);
}

/* Write a file in the folder; *path gets its name. */
UNUSED_OK static void folder_file(const struct folder *dir, const char *name, const struct bytes *b,
				  char path[static 256])
{
	FILE *f;

	snprintf(path, 256, "%s/%s", dir->path, name);
	f = fopen(path, "wb");
	assert_non_null(f);
	if (b != NULL && b->len > 0)
		assert_int_equal(fwrite(b->data, 1, b->len, f), b->len);
	assert_int_equal(fclose(f), 0);
}

#endif
