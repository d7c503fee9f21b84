/*
 * capture.c - the module's face.
 */
#include "lyncaudit/capture.h"

#include <assert.h>
#include <string.h>

#include "capture/follow.h"
#include "capture/listen.h"
#include "capture/state.h"
#include "lyncaudit/alloc.h"

/* Two files compressed as hard as zstd can, or all the buffers that can be open, fit. */
static const size_t default_max_bytes = (size_t)320 << 20;

static bool is_blank(const char *text)
{
	return text == NULL || text[strspn(text, " \t\r\n")] == '\0';
}

static struct lya_capture *capture_new(size_t max_bytes, unsigned hold)
{
	struct lya_capture *c = lya_calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->cap.max = max_bytes == 0 ? default_max_bytes : max_bytes;
	c->shelf = (struct capture_shelf){ .hold = hold, .budget = { .cap = &c->cap } };
	return c;
}

static int capture_begin(struct lya_capture *c, const struct lya_capture_options *options,
			 struct lya_error *err)
{
	int rc = LYA_OK;

	c->stop = options->stop;
	if (!is_blank(options->filter))
		rc = capture_filter_new(&c->filter, options->filter, err);
	if (rc == LYA_OK)
		rc = capture_sources_find(c, options, err);
	if (rc == LYA_OK)
		rc = capture_sources_probe(c, err);
	/* Captures without packets name no link type, and the expression may still be wrong. */
	if (rc == LYA_OK && c->filter != NULL && !capture_filter_used(c->filter))
		rc = capture_filter_prepare(c->filter, LYA_LINK_ETHERNET, err);
	if (rc == LYA_OK)
		rc = capture_merge_begin(c, err);
	return rc;
}

int lya_capture_open(struct lya_capture **out, const struct lya_capture_options *options,
		     struct lya_error *err)
{
	struct lya_capture *c = capture_new(options->max_bytes, options->hold);
	int rc;

	*out = NULL;
	if (c == NULL)
		return lya_error_nomem(err);
	rc = capture_begin(c, options, err);
	if (rc != LYA_OK) {
		lya_capture_close(c);
		return rc;
	}
	*out = c;
	return LYA_OK;
}

int lya_capture_listen(struct lya_capture **out, const struct lya_capture_listen_options *options,
		       struct lya_error *err)
{
	struct lya_capture *c = capture_new(0, 0);
	int rc = LYA_OK;

	*out = NULL;
	if (c == NULL)
		return lya_error_nomem(err);
	if (!is_blank(options->filter))
		rc = capture_filter_new(&c->filter, options->filter, err);
	if (rc == LYA_OK)
		rc = capture_listen_begin(c, options, err);
	if (rc != LYA_OK) {
		lya_capture_close(c);
		return rc;
	}
	*out = c;
	return LYA_OK;
}

int lya_capture_follow(struct lya_capture **out, const struct lya_capture_follow_options *options,
		       struct lya_error *err)
{
	struct lya_capture *c = capture_new(options->max_bytes, options->hold);
	int rc = LYA_OK;

	*out = NULL;
	if (c == NULL)
		return lya_error_nomem(err);
	if (!is_blank(options->filter))
		rc = capture_filter_new(&c->filter, options->filter, err);
	if (rc == LYA_OK)
		rc = capture_follow_begin(c, options, err);
	if (rc != LYA_OK) {
		lya_capture_close(c);
		return rc;
	}
	*out = c;
	return LYA_OK;
}

void lya_capture_close(struct lya_capture *c)
{
	if (c == NULL)
		return;
	capture_listen_free(c->listen);
	capture_follow_free(c);
	capture_merge_end(c);
	capture_sources_free(c);
	capture_filter_free(c->filter);
	capture_shelf_fini(&c->shelf);
	assert(c->cap.used == 0 && "what was counted is given back");
	lya_free(c);
}

int lya_capture_next(struct lya_capture *c, struct lya_frame *frames, size_t max, size_t *n,
		     struct lya_error *err)
{
	assert(max > 0 && "nothing at all would look like the end");
	if (c->listen != NULL)
		return capture_listen_next(c, frames, max, n, err);
	c->shelf.call++;
	if (c->follow != NULL)
		return capture_follow_next(c, frames, max, n, err);
	return capture_merge_next(c, frames, max, n, err);
}

void lya_capture_progress(const struct lya_capture *c, uint64_t *done, uint64_t *total)
{
	*done = c->bytes_done;
	*total = c->bytes_total;
	for (size_t i = 0; i < c->n_heap; i++)
		*done += capture_stream_raw(c->heap[i]->reader->stream);
	if (*done > *total) /* what came through a pipe has no size */
		*done = *total;
}

const struct lya_source *lya_capture_sources(const struct lya_capture *c, size_t *n)
{
	*n = c->n_sources;
	return c->sources;
}
