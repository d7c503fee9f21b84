/*
 * lane.c - one source while it is open.
 */
#include "capture/state.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lyncaudit/alloc.h"
#include "lyncaudit/timeutil.h"

/* A descriptor for source s.  Standard input is copied, so that closing it is no special case. */
static int source_fd(struct lya_capture *c, uint32_t s, int *fd, struct lya_error *err)
{
	const struct lya_source *src = &c->sources[s];

	*fd = strcmp(src->kind, "stdin") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
					      : open(src->name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (*fd != -1)
		return LYA_OK;
	if (errno == EINTR)
		return lya_error_set(err, LYA_ESTOP, NULL, NULL, "interrupted while opening it");
	if (errno == EMFILE || errno == ENFILE)
		return lya_error_set(err, LYA_ELIMIT, NULL, NULL,
				     "cannot be opened beside %zu others: %s", c->n_open,
				     strerror(errno));
	return lya_error_set(err, LYA_EIO, NULL, NULL, "wanted a capture, cannot open it: %s",
			     strerror(errno));
}

int capture_lane_error(const struct lya_capture *c, uint32_t s, int rc, struct lya_error *err)
{
	char why[LYA_ERROR_LEN];

	if (rc == LYA_OK || rc == LYA_ENOMEM || err == NULL)
		return rc;
	memcpy(why, err->text, sizeof(why));
	return lya_error_set(err, err->status, c->sources[s].name, NULL, "%s", why);
}

int capture_lane_open(struct lya_capture *c, uint32_t s, size_t buffer, struct lya_error *err)
{
	struct capture_lane *lane;
	struct capture_stream *stream;
	int fd;
	int rc;

	if (c->n_open == CAPTURE_OPEN_MAX)
		return lya_error_set(err, LYA_ELIMIT, NULL, NULL,
				     "more than %d captures overlap in time here; merge some of "
				     "them first",
				     CAPTURE_OPEN_MAX);
	rc = source_fd(c, s, &fd, err);
	if (rc != LYA_OK)
		return rc;
	rc = capture_stream_open(&stream, fd, &c->cap, err);
	if (rc != LYA_OK)
		return rc;
	lane = lya_malloc(sizeof(*lane));
	if (lane == NULL) {
		capture_stream_close(stream);
		return lya_error_nomem(err);
	}
	lane->source = s;
	lane->head = 0;
	lane->n = 0;
	rc = capture_reader_open(&lane->reader, stream, buffer, &c->cap, err);
	if (rc != LYA_OK) {
		lya_free(lane);
		return rc;
	}
	c->inputs[s].was_open = true;
	lane->reader->source = s;
	lane->reader->offset_ns = c->sources[s].time_offset_ns;
	c->inputs[s].lane = lane;
	c->n_open++;
	/* It may have been open before, to be looked at. */
	capture_interfaces_clear(&c->sources[s].interfaces, &c->cap);
	return capture_reader_tell_interfaces(lane->reader, &c->sources[s].interfaces, err);
}

void capture_lane_drop(struct lya_capture *c, struct capture_lane *lane)
{
	c->inputs[lane->source].lane = NULL;
	c->n_open--;
	c->bytes_done += capture_stream_raw(lane->reader->stream);
	capture_reader_close(lane->reader);
	lya_free(lane);
}

int capture_lane_finish(struct lya_capture *c, struct capture_lane *lane, struct lya_error *err)
{
	struct lya_source *src = &c->sources[lane->source];
	const struct capture_reader *r = lane->reader;
	int rc = LYA_OK;

	src->unread = false;
	src->truncated = r->truncated;
	src->dropped = r->dropped;
	if (r->why[0] != '\0' && src->error == NULL) {
		src->error = lya_strdup(r->why);
		if (src->error == NULL)
			rc = lya_error_nomem(err);
	}
	capture_lane_drop(c, lane);
	return rc;
}

int capture_lane_filter(struct lya_capture *c, uint32_t s, struct lya_frame *frames, size_t *n,
			struct lya_error *err)
{
	size_t kept = 0;

	for (size_t i = 0; i < *n; i++) {
		bool pass;
		int rc = capture_filter_match(c->filter, &frames[i], &pass, err);

		if (rc != LYA_OK)
			return rc;
		if (pass)
			frames[kept++] = frames[i];
	}
	c->sources[s].filtered += *n - kept;
	*n = kept;
	return LYA_OK;
}

int capture_lane_read(struct lya_capture *c, struct capture_lane *lane, struct lya_frame *frames,
		      size_t max, size_t *n, struct lya_error *err)
{
	do {
		int rc = capture_reader_next(lane->reader, frames, max, n, err);

		if (rc != LYA_OK || *n == 0)
			return capture_lane_error(c, lane->source, rc, err);
		if (c->filter == NULL)
			return LYA_OK;
		rc = capture_lane_filter(c, lane->source, frames, n, err);
		if (rc != LYA_OK)
			return rc;
		if (*n == 0 && c->stop != NULL && *c->stop)
			return lya_error_set(err, LYA_ESTOP, NULL, NULL,
					     "interrupted while nothing passed the filter");
	} while (*n == 0);
	return LYA_OK;
}

static void link_note(struct lya_source *src, uint16_t link)
{
	size_t i = src->n_links;

	for (size_t k = 0; k < src->n_links; k++) {
		if (src->links[k] == link)
			return;
	}
	if (src->n_links == LYA_SOURCE_LINKS_MAX)
		return;
	for (; i > 0 && src->links[i - 1] > link; i--)
		src->links[i] = src->links[i - 1];
	src->links[i] = link;
	src->n_links++;
}

static void kind_note(struct lya_source *src, const struct lya_frame *f)
{
	link_note(src, f->link);
	if (f->digits > src->digits)
		src->digits = f->digits;
}

/* The least and the greatest time among frames that stepped back. */
static void bounds_note(struct lya_source *src, const struct lya_frame *frames, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (frames[i].time_ns < src->first_ns)
			src->first_ns = frames[i].time_ns;
		if (frames[i].time_ns > src->last_ns)
			src->last_ns = frames[i].time_ns;
	}
}

void capture_account(struct lya_capture *c, const struct lya_frame *frames, size_t n, bool uniform)
{
	struct lya_source *src = &c->sources[frames[0].source];
	struct capture_input *in = &c->inputs[frames[0].source];
	int64_t before = in->before_ns;
	uint64_t bytes = 0;
	uint64_t snapped = 0;
	uint64_t back = 0;

	for (size_t i = 0; i < n; i++) {
		bytes += frames[i].wirelen;
		snapped += frames[i].caplen < frames[i].wirelen;
		back += frames[i].time_ns < before;
		before = frames[i].time_ns;
	}
	if (src->packets == 0)
		src->first_ns = src->last_ns = frames[0].time_ns;
	if (back > 0) {
		bounds_note(src, frames, n);
	} else { /* the first and the last tell it all */
		bounds_note(src, &frames[0], 1);
		bounds_note(src, &frames[n - 1], 1);
	}
	kind_note(src, &frames[0]);
	for (size_t i = 1; i < n && !uniform; i++)
		kind_note(src, &frames[i]);
	in->before_ns = before;
	src->packets += n;
	src->bytes += bytes;
	src->snapped += snapped;
	src->steps_back += back;
}
