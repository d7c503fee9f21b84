/*
 * reader.c - the buffer that both formats are read through.
 */
#include "capture/reader.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lyncaudit/alloc.h"

void capture_reader_break(struct capture_reader *r, uint64_t place, const char *fmt, ...)
{
	va_list ap;
	int n;

	r->done = true;
	if (r->why[0] != '\0')
		return;
	n = snprintf(r->why, sizeof(r->why), "byte %" PRIu64 "%s: ", place,
		     capture_stream_packing(r->stream) == NULL ? "" : " unpacked");
	va_start(ap, fmt);
	vsnprintf(r->why + n, sizeof(r->why) - (size_t)n, fmt, ap);
	va_end(ap);
}

void capture_reader_cut(struct capture_reader *r, uint64_t place, const char *what, uint64_t want,
			uint64_t left)
{
	r->truncated = true;
	capture_reader_break(r, place, "%s wants %" PRIu64 " bytes, %" PRIu64 " are left", what,
			     want, left);
}

/* Take the unparsed tail along to another buffer: frames still borrow this one. */
static int reader_move(struct capture_reader *r, size_t cap, struct lya_error *err)
{
	const uint8_t *tail = r->buf + r->pos;
	size_t left = capture_reader_left(r);
	int rc = capture_shelf_change(r->shelf, &r->buf, &r->cap, cap, err);

	if (rc != LYA_OK)
		return rc;
	memcpy(r->buf, tail, left);
	r->base += r->pos;
	r->pos = 0;
	r->end = left;
	return LYA_OK;
}

/*
 * Half a buffer is free behind what is held.  So a small file, whose end is found by one more
 * read, makes do with one.
 */
static bool has_room_behind(const struct capture_reader *r, size_t want)
{
	return r->cap - r->pos >= want && r->cap - r->end >= r->target / 2;
}

/* Carry the unparsed tail down, and have room for `want` bytes from there. */
static int reader_room(struct capture_reader *r, size_t want, struct lya_error *err)
{
	size_t left = capture_reader_left(r);
	size_t cap = want > r->target ? want : r->target;
	uint8_t *buf;

	if (r->pos > 0 && r->shelf != NULL)
		return has_room_behind(r, want) ? LYA_OK : reader_move(r, cap, err);
	if (r->pos > 0) {
		memmove(r->buf, r->buf + r->pos, left);
		r->base += r->pos;
		r->pos = 0;
		r->end = left;
	}
	if (cap <= r->cap)
		return LYA_OK;
	buf = capture_budget_realloc(&r->budget, r->buf, r->cap, cap);
	if (buf == NULL)
		return capture_budget_error(&r->budget, "a buffer for its packets", err);
	r->buf = buf;
	r->cap = cap;
	return LYA_OK;
}

/* One read.  An input that is broken is at its end, with the reason noted. */
static int reader_read(struct capture_reader *r, struct lya_error *err)
{
	struct lya_error why = { .status = LYA_OK };
	size_t got = 0;
	int rc = capture_stream_read(r->stream, r->buf + r->end, r->cap - r->end, &got, &why);

	if (rc == LYA_ESTOP || rc == LYA_ENOMEM)
		return lya_error_set(err, why.status, NULL, NULL, "%s", why.text);
	r->end += got;
	if (rc != LYA_OK) {
		r->truncated = true;
		capture_reader_break(r, r->base + r->end, "%s", why.text);
		r->done = false; /* whole packets before that place are still to be read */
	}
	r->at_end = got == 0 || rc != LYA_OK;
	return LYA_OK;
}

int capture_reader_fill(struct capture_reader *r, size_t want, struct lya_error *err)
{
	int rc;

	if (capture_reader_left(r) >= want || r->at_end)
		return LYA_OK;
	rc = reader_room(r, want, err);
	while (rc == LYA_OK && capture_reader_left(r) < want && !r->at_end)
		rc = reader_read(r, err);
	return rc;
}

int capture_reader_skip(struct capture_reader *r, uint64_t len, uint64_t *passed,
			struct lya_error *err)
{
	*passed = 0;
	while (*passed < len) {
		size_t step;
		int rc = capture_reader_fill(r, 1, err);

		if (rc != LYA_OK)
			return rc;
		step = capture_reader_left(r);
		if (step == 0)
			return LYA_OK;
		if (step > len - *passed)
			step = (size_t)(len - *passed);
		r->pos += step;
		*passed += step;
	}
	return LYA_OK;
}

static int reader_begin(struct capture_reader *r, struct lya_error *err)
{
	int rc = capture_reader_fill(r, 4, err);

	if (rc != LYA_OK)
		return rc;
	if (r->end < 4 && r->why[0] != '\0')
		return lya_error_set(err, LYA_EIO, NULL, NULL, "%s", r->why);
	if (r->end == 0)
		return lya_error_set(err, LYA_EINPUT, NULL, NULL,
				     "wanted a capture, found an empty file");
	if (r->end < 4)
		return lya_error_set(err, LYA_EINPUT, NULL, NULL,
				     "wanted a pcap or pcapng capture, found %zu bytes", r->end);
	if (capture_pcap_magic(r->buf))
		return capture_pcap_begin(r, err);
	if (capture_pcapng_magic(r->buf))
		return capture_pcapng_begin(r, err);
	return lya_error_set(err, LYA_EINPUT, NULL, NULL,
			     "wanted a pcap or pcapng capture, found a file that begins with "
			     "%02x %02x %02x %02x",
			     r->buf[0], r->buf[1], r->buf[2], r->buf[3]);
}

int capture_reader_open(struct capture_reader **out, struct capture_stream *stream, size_t buffer,
			struct capture_cap *cap, struct lya_error *err)
{
	struct capture_reader *r = lya_calloc(1, sizeof(*r));
	int rc;

	*out = NULL;
	if (r == NULL) {
		capture_stream_close(stream);
		return lya_error_nomem(err);
	}
	r->stream = stream;
	r->budget.cap = cap;
	r->target = buffer;
	rc = reader_begin(r, err);
	if (rc != LYA_OK) {
		capture_reader_close(r);
		return rc;
	}
	*out = r;
	return LYA_OK;
}

void capture_reader_close(struct capture_reader *r)
{
	if (r == NULL)
		return;
	capture_pcapng_end(r);
	if (r->shelf != NULL)
		capture_shelf_leave(r->shelf, r->buf, r->cap);
	else
		capture_budget_free(&r->budget, r->buf, r->cap);
	capture_stream_close(r->stream);
	lya_free(r);
}

int capture_reader_tell_interfaces(struct capture_reader *r, struct lya_interfaces *all,
				   struct lya_error *err)
{
	struct lya_interface only = { .link = r->pcap.link, .snaplen = r->pcap.snaplen,
				      .tsresol = r->pcap.digits };

	r->interfaces = all;
	if (r->format != CAPTURE_PCAP)
		return LYA_OK; /* they are in its blocks */
	return capture_interfaces_add(all, 0, r->budget.cap, &only, "", 0, err);
}

int capture_reader_shelve(struct capture_reader *r, struct capture_shelf *shelf,
			  struct lya_error *err)
{
	int rc = capture_shelf_join(shelf, err);

	if (rc == LYA_OK)
		r->shelf = shelf;
	return rc;
}

void capture_reader_grow(struct capture_reader *r, size_t buffer)
{
	r->target = buffer;
}

int capture_reader_next(struct capture_reader *r, struct lya_frame *frames, size_t max, size_t *n,
			struct lya_error *err)
{
	*n = 0;
	if (r->done)
		return LYA_OK;
	if (r->format == CAPTURE_PCAP)
		return capture_pcap_next(r, frames, max, n, err);
	return capture_pcapng_next(r, frames, max, n, err);
}
