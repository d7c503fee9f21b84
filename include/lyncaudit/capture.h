/*
 * capture.h - frames from files and standard input, merged in packet time.
 */
#ifndef LYNCAUDIT_CAPTURE_H
#define LYNCAUDIT_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lyncaudit/frame.h"
#include "lyncaudit/status.h"

/* One --read argument or --time-offset argument. */
struct lya_capture_offset {
	const char *name;  /* as given with -r, or the last part of it */
	int64_t offset_ns; /* added to the times of that source */
};

struct lya_capture_options {
	const char *const *paths; /* files, directories, "-"; borrowed during open */
	size_t n_paths;
	const char *filter;       /* pcap filter expression or NULL */
	const struct lya_capture_offset *offsets;
	size_t n_offsets;
	size_t max_bytes;         /* cap for buffers; 0: a sensible one */
};

enum { LYA_SOURCE_LINKS_MAX = 16 };

/* What is known of one source; filled while reading. */
struct lya_source {
	char *name;             /* as it stands in the report: path as given, or found in a directory */
	const char *kind;       /* "file" or "stdin" (or "interface") */
	uint16_t links[LYA_SOURCE_LINKS_MAX]; /* link types met, ascending */
	size_t n_links;
	uint64_t packets, bytes; /* bytes: captured frame bytes as on the wire */
	int64_t first_ns, last_ns; /* least and greatest packet time; LYA_TIME_NONE without packets */
	int64_t time_offset_ns;
	bool truncated;         /* the file ends inside a record */
	uint64_t dropped;       /* told by the file's own statistics */
	uint64_t snapped;       /* packets of which less was captured than sent */
	uint64_t steps_back;    /* packets older than one before them */
	uint64_t filtered;      /* packets that the filter left out */
	uint8_t digits;         /* decimals of its clock: 6 or 9 */
	bool skipped;           /* a file in a directory that is no capture: `error` says why */
	char *error;            /* what went wrong with it, or NULL */
};

struct lya_capture;

/*
 * Look at every input (directories are listed, each file's first packet time
 * is read) and make ready to read them all in order of time, without holding
 * them all open.  A named file that is missing, unreadable, empty or no
 * capture is LYA_EINPUT/LYA_EIO; one inside a directory is skipped and listed.
 * A directory without any capture is LYA_EINPUT.  "-" is read as it comes.
 */
int lya_capture_open(struct lya_capture **c, const struct lya_capture_options *options,
                     struct lya_error *err);
void lya_capture_close(struct lya_capture *c);

/*
 * The next frames in packet time (equal times: by source, then by place in
 * it), at most `max`.  *n is 0 at the end of all.  The frames' bytes are
 * borrowed until the next call.  A file that breaks off in the middle is no
 * failure: its source says `truncated` or `error`.
 */
int lya_capture_next(struct lya_capture *c, struct lya_frame *frames, size_t max, size_t *n,
                     struct lya_error *err);

/* All sources, in order of name as given; valid until close, final once next gave 0. */
const struct lya_source *lya_capture_sources(const struct lya_capture *c, size_t *n);

#endif
