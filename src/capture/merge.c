/*
 * merge.c - frames of all sources in order of packet time.
 *
 * Sources wait in order of their first packet time and are opened when the
 * merge gets there, so that a ring of ten thousand files holds one or two
 * open.  The open ones stand in a heap by the time of their next frame; equal
 * times go by the order of the sources.  A clock that steps back inside a
 * file changes nothing for the others: its frames come at once, as they stand.
 *
 * Frames given out borrow from their reader's buffer, so a batch ends where
 * one of the readers would have to be read again.  A source that is open alone is
 * read straight into the caller's frames; what others come before goes back to it.
 */
#include "capture/state.h"

#include <stdlib.h>
#include <string.h>

#include "lyncaudit/alloc.h"

struct key {
	int64_t time_ns;
	uint32_t source;
};

static bool key_before(struct key a, struct key b)
{
	return a.time_ns != b.time_ns ? a.time_ns < b.time_ns : a.source < b.source;
}

/* Key of a lane that has a frame. */
static struct key lane_key(const struct capture_lane *lane)
{
	return (struct key){ lane->frames[lane->head].time_ns, lane->source };
}

static struct key pending_key(const struct lya_capture *c)
{
	uint32_t s = c->pending[c->next_pending];

	return (struct key){ c->inputs[s].first_ns, s };
}

static bool lane_is_empty(const struct capture_lane *lane)
{
	return lane->head == lane->n;
}

/* The heap ---------------------------------------------------------------- */

static void heap_sift_down(struct lya_capture *c)
{
	struct capture_lane *lane = c->heap[0];
	size_t at = 0;

	for (;;) {
		size_t child = 2 * at + 1;

		if (child >= c->n_heap)
			break;
		if (child + 1 < c->n_heap &&
		    key_before(lane_key(c->heap[child + 1]), lane_key(c->heap[child])))
			child++;
		if (!key_before(lane_key(c->heap[child]), lane_key(lane)))
			break;
		c->heap[at] = c->heap[child];
		at = child;
	}
	c->heap[at] = lane;
}

static void heap_push(struct lya_capture *c, struct capture_lane *lane)
{
	size_t at = c->n_heap++;

	while (at > 0 && key_before(lane_key(lane), lane_key(c->heap[(at - 1) / 2]))) {
		c->heap[at] = c->heap[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	c->heap[at] = lane;
}

static void heap_pop(struct lya_capture *c)
{
	c->heap[0] = c->heap[--c->n_heap];
	if (c->n_heap > 0)
		heap_sift_down(c);
}

/* Opening and reading ----------------------------------------------------- */

static size_t buffer_size(const struct lya_capture *c)
{
	return c->n_open < CAPTURE_OPEN_FEW ? CAPTURE_BUFFER : CAPTURE_BUFFER_MANY;
}

/* Its frames are given out from now on.  What is only looked at lends nothing to anybody. */
static int lane_lend(struct lya_capture *c, struct capture_lane *lane, struct lya_error *err)
{
	return c->shelf.hold == 0 ? LYA_OK : capture_reader_shelve(lane->reader, &c->shelf, err);
}

/* The file was a capture when it was looked at, and is none now. */
static int source_lost(struct lya_capture *c, uint32_t s, const struct lya_error *why,
		       struct lya_error *err)
{
	c->sources[s].unread = false;
	c->sources[s].error = lya_strdup(why->text);
	return c->sources[s].error == NULL ? lya_error_nomem(err) : LYA_OK;
}

static int pending_reopen(struct lya_capture *c, uint32_t s, struct lya_error *err)
{
	struct lya_error why = { .status = LYA_OK };
	int rc = capture_lane_open(c, s, buffer_size(c), &why);

	if (rc == LYA_EINPUT || rc == LYA_EIO)
		return source_lost(c, s, &why, err);
	if (rc == LYA_OK)
		return lane_lend(c, c->inputs[s].lane, err);
	if (err != NULL)
		*err = why;
	return capture_lane_error(c, s, rc, err);
}

static int lane_refill(struct lya_capture *c, struct capture_lane *lane, struct lya_error *err)
{
	lane->head = 0;
	lane->n = 0;
	return capture_lane_read(c, lane, lane->frames, CAPTURE_BATCH, &lane->n, err);
}

/* The filter has not seen the frame by which a source was looked at. */
static int first_filter(struct lya_capture *c, struct capture_lane *lane, struct lya_error *err)
{
	bool pass;
	int rc;

	if (c->filter == NULL || lane_is_empty(lane))
		return LYA_OK;
	rc = capture_filter_match(c->filter, &lane->frames[lane->head], &pass, err);
	if (rc == LYA_OK && !pass) {
		lane->head++;
		c->sources[lane->source].filtered++;
	}
	return rc;
}

/* Open the first of the waiting sources and put it among the others. */
static int pending_open(struct lya_capture *c, struct lya_error *err)
{
	uint32_t s = c->pending[c->next_pending];
	struct capture_input *in = &c->inputs[s];
	int rc = LYA_OK;

	if (in->lane == NULL) {
		rc = pending_reopen(c, s, err);
	} else if (in->pending) {
		capture_reader_grow(in->lane->reader, buffer_size(c));
		rc = lane_lend(c, in->lane, err);
		if (rc == LYA_OK)
			rc = first_filter(c, in->lane, err);
	}
	if (rc != LYA_OK)
		return rc;
	in->pending = false;
	if (in->lane != NULL && c->n_open <= CAPTURE_AHEAD_MAX) {
		rc = capture_stream_ahead(in->lane->reader->stream, err);
		if (rc != LYA_OK)
			return rc;
	}
	if (in->lane != NULL && lane_is_empty(in->lane)) {
		rc = lane_refill(c, in->lane, err);
		if (rc != LYA_OK) /* interrupted: it goes on here when asked again */
			return rc;
	}
	c->next_pending++;
	if (in->lane == NULL)
		return LYA_OK;
	if (lane_is_empty(in->lane))
		return capture_lane_finish(c, in->lane, err);
	heap_push(c, in->lane);
	return LYA_OK;
}

/* Read on in the first lane if its frames are used up. */
static int top_refill(struct lya_capture *c, struct lya_error *err)
{
	struct capture_lane *lane;
	int rc;

	if (c->n_heap == 0 || !lane_is_empty(c->heap[0]))
		return LYA_OK;
	lane = c->heap[0];
	rc = lane_refill(c, lane, err);
	if (rc != LYA_OK)
		return rc;
	if (!lane_is_empty(lane)) {
		heap_sift_down(c);
		return LYA_OK;
	}
	heap_pop(c);
	return capture_lane_finish(c, lane, err);
}

/* Giving ------------------------------------------------------------------ */

static bool pending_is_due(const struct lya_capture *c)
{
	if (c->next_pending == c->n_pending)
		return false;
	return c->n_heap == 0 || key_before(pending_key(c), lane_key(c->heap[0]));
}

/* The key at which somebody else than the first lane is next; false when nobody else is there. */
static bool next_other(const struct lya_capture *c, struct key *other)
{
	bool any = false;

	for (size_t i = 1; i < 3 && i < c->n_heap; i++) {
		if (!any || key_before(lane_key(c->heap[i]), *other))
			*other = lane_key(c->heap[i]);
		any = true;
	}
	if (c->next_pending < c->n_pending && (!any || key_before(pending_key(c), *other))) {
		*other = pending_key(c);
		any = true;
	}
	return any;
}

/* Give frames of the first lane for as long as it is first. */
static size_t run_give(struct lya_capture *c, struct lya_frame *frames, size_t max)
{
	struct capture_lane *lane = c->heap[0];
	struct key other = { 0 };
	bool any = next_other(c, &other);
	size_t n = 0;

	do {
		frames[n++] = lane->frames[lane->head++];
	} while (n < max && !lane_is_empty(lane) && (!any || key_before(lane_key(lane), other)));
	capture_account(c, frames, n, capture_reader_is_uniform(lane->reader));
	if (!lane_is_empty(lane))
		heap_sift_down(c);
	return n;
}

/* Of n frames that were read too far, leave with the lane those that are not before `other`. */
static size_t put_back(struct capture_lane *lane, const struct lya_frame *frames, size_t n,
		       struct key other)
{
	size_t given = 0;

	while (given < n && key_before((struct key){ frames[given].time_ns, lane->source }, other))
		given++;
	lane->head = 0;
	lane->n = n - given;
	memcpy(lane->frames, frames + given, lane->n * sizeof(*frames));
	return given;
}

/*
 * The only source that is open, its frames used up; others may wait for their time.  Nothing may
 * be given because it is at its end, or one of those is first.
 */
static int alone_give(struct lya_capture *c, struct lya_frame *frames, size_t max, size_t *n,
		      struct lya_error *err)
{
	struct capture_lane *lane = c->heap[0];
	struct key other;
	bool any = next_other(c, &other);
	size_t some = any && max > CAPTURE_BATCH ? CAPTURE_BATCH : max;
	int rc = capture_lane_read(c, lane, frames, some, n, err);

	if (rc != LYA_OK)
		return rc;
	if (*n == 0) {
		c->n_heap = 0;
		return capture_lane_finish(c, lane, err);
	}
	if (any)
		*n = put_back(lane, frames, *n, other);
	if (*n > 0)
		capture_account(c, frames, *n, capture_reader_is_uniform(lane->reader));
	return LYA_OK;
}

int capture_merge_next(struct lya_capture *c, struct lya_frame *frames, size_t max, size_t *n,
		       struct lya_error *err)
{
	int rc;

	*n = 0;
	if (c->n_heap == 1 && lane_is_empty(c->heap[0]))
		rc = alone_give(c, frames, max, n, err);
	else
		rc = top_refill(c, err);
	if (*n > 0)
		return rc;
	while (rc == LYA_OK && *n < max) {
		if (c->n_heap > 0 && lane_is_empty(c->heap[0]))
			break;
		if (!pending_is_due(c)) {
			if (c->n_heap == 0)
				break;
			*n += run_give(c, frames + *n, max - *n);
		} else if (*n == 0) {
			rc = pending_open(c, err);
		} else {
			break;
		}
	}
	return rc;
}

static int pending_cmp(const void *a, const void *b, void *arg)
{
	const struct lya_capture *c = arg;
	uint32_t s = *(const uint32_t *)a;
	uint32_t t = *(const uint32_t *)b;
	struct key ks = { c->inputs[s].first_ns, s };
	struct key kt = { c->inputs[t].first_ns, t };

	return key_before(ks, kt) ? -1 : 1;
}

int capture_merge_begin(struct lya_capture *c, struct lya_error *err)
{
	c->pending = lya_calloc(c->n_sources, sizeof(*c->pending));
	c->heap = lya_calloc(c->n_sources, sizeof(struct capture_lane *));
	if (c->pending == NULL || c->heap == NULL)
		return lya_error_nomem(err);
	for (uint32_t s = 0; s < c->n_sources; s++) {
		if (c->inputs[s].pending)
			c->pending[c->n_pending++] = s;
	}
	if (c->n_pending > 0)
		qsort_r(c->pending, c->n_pending, sizeof(*c->pending), pending_cmp, c);
	return LYA_OK;
}

void capture_merge_end(struct lya_capture *c)
{
	lya_free(c->pending);
	lya_free(c->heap);
}
