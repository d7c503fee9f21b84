/*
 * stream.c - bytes from a descriptor or from memory.
 */
#include "capture/stream.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture/ahead.h"
#include "capture/source.h"
#include "capture/unpack.h"
#include "lyncaudit/alloc.h"

struct capture_stream {
	struct capture_bytes bytes;
	struct capture_unpack *unpack; /* NULL: the bytes are the capture */
	struct capture_ahead *ahead;   /* NULL: it unpacks when it is read */
	struct capture_budget budget; /* of unpacking */
	uint8_t head[CAPTURE_HEAD_ROOM];
};

static int bytes_from_fd(struct capture_bytes *b, uint8_t *buf, size_t size, size_t *got,
			 struct lya_error *err)
{
	ssize_t n = read(b->fd, buf, size);

	*got = 0;
	if (n == -1 && errno == EINTR)
		return lya_error_set(err, LYA_ESTOP, NULL, NULL,
				     "interrupted while waiting for input");
	if (n == -1)
		return lya_error_set(err, LYA_EIO, NULL, NULL, "cannot be read: %s",
				     strerror(errno));
	if (n == 0 && b->grows)
		return lya_error_set(err, LYA_ESTOP, NULL, NULL, "there is no more of it yet");
	*got = (size_t)n;
	b->raw += *got;
	return LYA_OK;
}

static size_t bytes_take(const uint8_t **from, size_t *left, uint8_t *buf, size_t size)
{
	size_t n = size < *left ? size : *left;

	memcpy(buf, *from, n);
	*from += n;
	*left -= n;
	return n;
}

int capture_bytes_read(struct capture_bytes *b, uint8_t *buf, size_t size, size_t *got,
		       struct lya_error *err)
{
	if (b->head_left > 0) {
		*got = bytes_take(&b->head, &b->head_left, buf, size);
		return LYA_OK;
	}
	if (b->fd == -1) {
		*got = b->mem_left == 0 ? 0 : bytes_take(&b->mem, &b->mem_left, buf, size);
		return LYA_OK;
	}
	return bytes_from_fd(b, buf, size, got, err);
}

/* Read the first bytes, to be read again by whoever comes next; a signature's are enough. */
static int stream_peek(struct capture_stream *s, struct lya_error *err)
{
	size_t have = 0;
	size_t got = 0;

	do {
		int rc = capture_bytes_read(&s->bytes, s->head + have, sizeof(s->head) - have, &got,
					    err);

		if (rc != LYA_OK)
			return rc;
		have += got;
	} while (got > 0 && have < CAPTURE_HEAD_LEN);
	s->bytes.head = s->head;
	s->bytes.head_left = have;
	return LYA_OK;
}

static int stream_begin(struct capture_stream *s, struct lya_error *err)
{
	const struct capture_packing *packing;
	int rc = stream_peek(s, err);

	if (rc != LYA_OK)
		return rc;
	packing = capture_packing_find(s->bytes.head, s->bytes.head_left);
	if (packing == NULL)
		return LYA_OK;
	return capture_unpack_open(&s->unpack, packing, &s->bytes, &s->budget, err);
}

static int stream_open(struct capture_stream **out, const struct capture_bytes *bytes,
		       struct capture_cap *cap, struct lya_error *err)
{
	struct capture_stream *s = lya_malloc(sizeof(*s));
	int rc;

	*out = NULL;
	if (s == NULL) {
		if (bytes->fd != -1)
			close(bytes->fd);
		return lya_error_nomem(err);
	}
	memset(s, 0, offsetof(struct capture_stream, head)); /* the rest is read into */
	s->bytes = *bytes;
	s->budget.cap = cap;
	rc = stream_begin(s, err);
	if (rc != LYA_OK) {
		capture_stream_close(s);
		return rc;
	}
	*out = s;
	return LYA_OK;
}

int capture_stream_open(struct capture_stream **s, int fd, struct capture_cap *cap,
			struct lya_error *err)
{
	return stream_open(s, &(struct capture_bytes){ .fd = fd }, cap, err);
}

int capture_stream_follow(struct capture_stream **s, int fd, struct capture_cap *cap,
			  struct lya_error *err)
{
	return stream_open(s, &(struct capture_bytes){ .fd = fd, .grows = true }, cap, err);
}

void capture_stream_follow_end(struct capture_stream *s)
{
	s->bytes.grows = false;
}

int capture_stream_open_memory(struct capture_stream **s, const uint8_t *data, size_t len,
			       struct capture_cap *cap, struct lya_error *err)
{
	return stream_open(s, &(struct capture_bytes){ .fd = -1, .mem = data, .mem_left = len },
			   cap, err);
}

void capture_stream_close(struct capture_stream *s)
{
	if (s == NULL)
		return;
	capture_ahead_close(s->ahead);
	capture_unpack_close(s->unpack);
	if (s->bytes.fd != -1)
		close(s->bytes.fd);
	lya_free(s);
}

/* A pipe may be silent for hours, and nobody could end a thread that waits for it. */
static bool never_waits(const struct capture_stream *s)
{
	struct stat st;

	return s->bytes.fd == -1 || (fstat(s->bytes.fd, &st) == 0 && S_ISREG(st.st_mode));
}

int capture_stream_ahead(struct capture_stream *s, struct lya_error *err)
{
	int rc;

	if (s->unpack == NULL || s->ahead != NULL || !never_waits(s))
		return LYA_OK;
	rc = capture_ahead_open(&s->ahead, s->unpack, &s->bytes, s->budget.cap, err);
	return rc == LYA_ENOMEM ? rc : LYA_OK;
}

int capture_stream_read(struct capture_stream *s, uint8_t *buf, size_t size, size_t *got,
			struct lya_error *err)
{
	*got = 0;
	if (s->ahead != NULL)
		return capture_ahead_read(s->ahead, buf, size, got, err);
	if (s->unpack != NULL)
		return capture_unpack_read(s->unpack, buf, size, got, err);
	return capture_bytes_read(&s->bytes, buf, size, got, err);
}

uint64_t capture_stream_raw(const struct capture_stream *s)
{
	return s->ahead != NULL ? capture_ahead_raw(s->ahead) : s->bytes.raw;
}

const char *capture_stream_packing(const struct capture_stream *s)
{
	return s->unpack == NULL ? NULL : capture_unpack_name(s->unpack);
}
