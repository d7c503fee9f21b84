/*
 * state.h - what the parts of a capture share: its sources, and those of them
 * that are open.
 */
#ifndef LYNCAUDIT_CAPTURE_STATE_H
#define LYNCAUDIT_CAPTURE_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture/budget.h"
#include "capture/filter.h"
#include "capture/reader.h"
#include "capture/shelf.h"
#include "lyncaudit/capture.h"

enum {
	CAPTURE_BATCH = 64,
	/* Held open at once: half of the descriptors that a process usually may have. */
	CAPTURE_OPEN_MAX = 512,
	/* With more open than this each gets a smaller buffer. */
	CAPTURE_OPEN_FEW = 64,
	CAPTURE_BUFFER_MANY = 65536,
	/* With more open than this they take turns anyway, and are unpacked where they are read. */
	CAPTURE_AHEAD_MAX = 4
};

/* A source that is open: its reader, and frames read ahead of the merge. */
struct capture_lane {
	struct capture_reader *reader;
	uint32_t source;
	size_t head, n; /* frames[head..n) are still to be given */
	struct lya_frame frames[CAPTURE_BATCH];
};

/* What is kept of a source beside its public face. */
struct capture_input {
	const char *given;         /* the argument that brought it; borrowed during open */
	struct capture_lane *lane; /* open between the look and the merge, else NULL */
	int64_t first_ns;          /* time of its first packet */
	int64_t before_ns;         /* time of the packet given last */
	bool in_directory;
	bool was_open; /* it is a capture */
	bool stays;    /* cannot be opened a second time: stays open */
	bool pending;  /* has packets, and the merge has not reached them */
};

struct capture_listen; /* listen.h */
struct capture_follow; /* follow.h */

struct lya_capture {
	struct capture_cap cap;
	struct capture_shelf shelf;
	struct capture_filter *filter; /* NULL: none */
	const volatile sig_atomic_t *stop; /* borrowed; NULL: none */
	struct lya_source *sources;
	struct capture_input *inputs; /* of the same index */
	size_t n_sources, cap_sources, cap_inputs;
	uint32_t *pending; /* sources by first time */
	size_t n_pending, next_pending;
	struct capture_lane **heap; /* the one to give next is first */
	size_t n_heap;
	size_t n_open;
	uint64_t bytes_total; /* in all regular files, as they lie on the disk */
	uint64_t bytes_done;  /* read from sources that are closed */
	struct capture_listen *listen; /* interfaces instead of files, */
	struct capture_follow *follow; /* or a folder that is followed; both NULL: files */
};

/* sources.c: what there is to read. */
int capture_sources_find(struct lya_capture *c, const struct lya_capture_options *options,
			 struct lya_error *err);
int capture_sources_probe(struct lya_capture *c, struct lya_error *err);
void capture_sources_free(struct lya_capture *c);
/* A new source, its given name borrowed; *at is its index. */
int capture_source_add(struct lya_capture *c, const char *given, const char *name,
		       const char *kind, uint32_t *at, struct lya_error *err);
int capture_sources_offset(struct lya_capture *c, const struct lya_capture_offset *offsets, size_t n,
			   struct lya_error *err);

/* lane.c: one open source. */

/* Put the name of source s in front of the error, unless it is about memory; returns rc. */
int capture_lane_error(const struct lya_capture *c, uint32_t s, int rc, struct lya_error *err);
/* Open source s.  Errors do not name it yet: LYA_EINPUT and LYA_EIO are the file's own fault. */
int capture_lane_open(struct lya_capture *c, uint32_t s, size_t buffer, struct lya_error *err);
/* Close it; what the reader knows of the file goes to its struct lya_source. */
int capture_lane_finish(struct lya_capture *c, struct capture_lane *lane, struct lya_error *err);
/* Close it without a trace. */
void capture_lane_drop(struct lya_capture *c, struct capture_lane *lane);
/* Up to max frames that pass the filter; *n 0 at the end. */
int capture_lane_read(struct lya_capture *c, struct capture_lane *lane, struct lya_frame *frames,
		      size_t max, size_t *n, struct lya_error *err);
/* Keep the frames of source s that pass the filter, in place. */
int capture_lane_filter(struct lya_capture *c, uint32_t s, struct lya_frame *frames, size_t *n,
			struct lya_error *err);
/* Count frames of one source as given; uniform: all are of one link type and resolution. */
void capture_account(struct lya_capture *c, const struct lya_frame *frames, size_t n, bool uniform);

/* merge.c: frames of all in order of time. */
int capture_merge_begin(struct lya_capture *c, struct lya_error *err);
int capture_merge_next(struct lya_capture *c, struct lya_frame *frames, size_t max, size_t *n,
		       struct lya_error *err);
void capture_merge_end(struct lya_capture *c);

#endif
