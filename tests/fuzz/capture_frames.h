/*
 * capture_frames.h - read an input with buffers and batches of several sizes,
 * and see the same frames come each time.
 */
#ifndef TESTS_FUZZ_CAPTURE_FRAMES_H
#define TESTS_FUZZ_CAPTURE_FRAMES_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "capture/reader.h"
#include "capture/unpack.h"
#include "capture/wire.h"

/* What one reading gave: a sum over every byte and number of every frame. */
struct reading {
	int rc;
	uint64_t packets, dropped, sum;
	bool truncated;
	char why[CAPTURE_WHY_LEN];
};

static inline void check(bool holds)
{
	if (!holds)
		abort();
}

static inline uint64_t mix(uint64_t sum, uint64_t v)
{
	return (sum ^ v) * UINT64_C(0x9e3779b97f4a7c15) + 1;
}

static inline uint64_t frame_sum(uint64_t sum, const struct lya_frame *f)
{
	sum = mix(sum, (uint64_t)f->time_ns);
	sum = mix(sum, (uint64_t)f->caplen << 32 | f->wirelen);
	sum = mix(sum, (uint64_t)f->link << 32 | (uint64_t)f->iface << 16 |
			   (uint64_t)f->digits << 8 | f->flags);
	for (uint32_t i = 0; i < f->caplen; i++)
		sum = mix(sum, f->data[i]);
	return sum;
}

/* What is told of interfaces belongs to what is read: of each frame's there is the same link. */
static inline uint64_t interfaces_sum(uint64_t sum, const struct lya_interfaces *all)
{
	check(all->n <= LYA_SOURCE_INTERFACES_MAX);
	for (size_t i = 0; i < all->n; i++) {
		const struct lya_interface *one = &all->list[i];

		check(one->name == NULL || (one->name[0] != '\0' && strlen(one->name) < 256));
		sum = mix(sum, (uint64_t)one->offset_s);
		sum = mix(sum, (uint64_t)one->snaplen << 32 | (uint64_t)one->link << 8 | one->tsresol);
		sum = mix(sum, one->name != NULL ? strlen(one->name) : 0);
	}
	return sum;
}

static inline void frames_read(struct capture_reader *r, size_t batch, struct reading *out)
{
	struct lya_frame frames[64];
	struct lya_error err = { .status = LYA_OK };
	size_t n;

	do {
		check(capture_reader_next(r, frames, batch, &n, &err) == LYA_OK);
		check(n <= batch);
		for (size_t i = 0; i < n; i++) {
			check(frames[i].number == ++out->packets);
			check(frames[i].caplen <= LYA_FRAME_MAX);
			check(frames[i].time_ns >= CAPTURE_TIME_MIN &&
			      frames[i].time_ns <= CAPTURE_TIME_MAX);
			check(frames[i].iface >= r->interfaces->n ||
			      r->interfaces->list[frames[i].iface].link == frames[i].link);
			out->sum = frame_sum(out->sum, &frames[i]);
		}
	} while (n > 0);
	check(!r->truncated || r->why[0] != '\0');
	out->dropped = r->dropped;
	out->truncated = r->truncated;
	memcpy(out->why, r->why, sizeof(out->why));
}

static inline void input_read(const uint8_t *data, size_t size, size_t buffer, size_t batch,
			      struct reading *out)
{
	struct capture_cap cap = { .max = (size_t)32 << 20 };
	struct lya_interfaces all = { 0 };
	struct lya_error err = { .status = LYA_OK };
	struct capture_stream *stream;
	struct capture_reader *r;

	memset(out, 0, sizeof(*out));
	out->rc = capture_stream_open_memory(&stream, data, size, &cap, &err);
	if (out->rc == LYA_OK)
		out->rc = capture_reader_open(&r, stream, buffer, &cap, &err);
	if (out->rc == LYA_OK) {
		check(capture_reader_tell_interfaces(r, &all, &err) == LYA_OK);
		frames_read(r, batch, out);
		capture_reader_close(r);
		out->sum = interfaces_sum(out->sum, &all);
		capture_interfaces_clear(&all, &cap);
	} else {
		check(err.text[0] != '\0');
	}
	check(cap.used == 0);
}

/*
 * Neither the size of the buffer nor that of the batches may change what is
 * read.  Of compressed data that is broken a decompressor may give more or
 * less depending on the room it gets, so that is only read.
 */
static inline void input_check(const uint8_t *data, size_t size)
{
	struct reading large;
	struct reading small;

	input_read(data, size, 4096, 64, &large);
	input_read(data, size, 32, 1 + size % 5, &small);
	check(capture_packing_find(data, size) != NULL ||
	      memcmp(&large, &small, sizeof(large)) == 0);
}

#endif
