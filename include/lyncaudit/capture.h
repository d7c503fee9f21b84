/*
 * capture.h - frames from files and standard input, merged in packet time.
 */
#ifndef LYNCAUDIT_CAPTURE_H
#define LYNCAUDIT_CAPTURE_H

#include <signal.h>
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
	/*
	 * A pcap filter expression or NULL.  On Ethernet it is asked inside the VLAN
	 * tags of a tagged frame, unless it names `vlan` itself.
	 */
	const char *filter;
	const struct lya_capture_offset *offsets;
	size_t n_offsets;
	size_t max_bytes; /* cap for buffers and unpacking; 0: a sensible one */
	unsigned hold;    /* for how many calls of lya_capture_next more frames stay; see there */
	const volatile sig_atomic_t *stop; /* nonzero: give up looking for a frame that passes the
	                                      filter; NULL: never; borrowed */
};

enum { LYA_SOURCE_LINKS_MAX = 16, LYA_SOURCE_INTERFACES_MAX = 1024 };

/* What a capture says of one of its interfaces. */
struct lya_interface {
	char *name;       /* NULL: it has none */
	int64_t offset_s; /* its clock counts from so many seconds after 1970 */
	uint32_t snaplen; /* bytes; 0: no limit is told */
	uint16_t link;    /* LINKTYPE_ number */
	uint8_t tsresol;  /* resolution of its clock, as pcapng writes it: 6, 9, 0x80 | 20, ... */
};

/* The first LYA_SOURCE_INTERFACES_MAX of a source, by the `iface` of its frames. */
struct lya_interfaces {
	struct lya_interface *list;
	size_t n, cap;
};

/* What is known of one source; filled while reading. */
struct lya_source {
	char *name;       /* in the report: the path as given, or found in a directory */
	const char *kind; /* "file" or "stdin" (or "interface", or "ring" of files) */
	uint16_t links[LYA_SOURCE_LINKS_MAX]; /* link types met, ascending */
	size_t n_links;
	struct lya_interfaces interfaces; /* those met; fewer where there was no memory for more */
	uint64_t packets, bytes;   /* given out; bytes: of the frames as they were on the wire */
	int64_t first_ns, last_ns; /* least and greatest packet time, or LYA_TIME_NONE */
	int64_t time_offset_ns;
	bool truncated;      /* the file ends inside a record */
	bool unread;         /* not read to its end, for which there is still time */
	uint64_t dropped;    /* told by the file's own statistics */
	uint64_t snapped;    /* packets of which less was captured than sent */
	uint64_t steps_back; /* packets older than the one before them */
	uint64_t filtered;   /* packets that the filter left out */
	uint8_t digits;      /* decimals of its clock: 6 or 9 */
	bool skipped;        /* a file in a directory that is no capture: `error` says why */
	/*
	 * What went wrong with it, or NULL.  When it is not `skipped`, packets that it
	 * holds may be missing from what was given.
	 */
	char *error;
};

struct lya_capture;

/*
 * Look at every input (directories are listed, each file's first packet time
 * is read) and make ready to read them all in order of time, without holding
 * them all open.  A named file that is missing, unreadable, empty or no
 * capture is LYA_EINPUT/LYA_EIO; one inside a directory is skipped and listed.
 * A directory without any capture is LYA_EINPUT.  "-" is read as it comes.
 * LYA_EUSAGE: a filter that is wrong, an offset for no input, "-" twice.
 * LYA_ESTOP: a signal came while waiting for standard input or a pipe.
 */
int lya_capture_open(struct lya_capture **c, const struct lya_capture_options *options,
		     struct lya_error *err);
void lya_capture_close(struct lya_capture *c);

/*
 * The next frames in packet time (equal times: by source, then by place in
 * it), at most `max`.  *n is 0 at the end of all.  The frames' bytes are
 * borrowed until the next call, or with `hold` until that many calls after the next.  A file that breaks off in the middle is no
 * failure: its source says `truncated` or `error`.  LYA_ESTOP: a signal came
 * while waiting for standard input or a pipe, or `stop` is set and no frame
 * has passed the filter yet; nothing is lost, and the next call goes on.  LYA_ELIMIT: too many captures overlap in time to be held
 * open at once.  LYA_EUSAGE: a link type was met that the filter cannot be
 * asked of.
 */
int lya_capture_next(struct lya_capture *c, struct lya_frame *frames, size_t max, size_t *n,
		     struct lya_error *err);

/* Bytes read of the bytes that the files have on the disk, for a progress display. */
void lya_capture_progress(const struct lya_capture *c, uint64_t *done, uint64_t *total);

/*
 * All sources as named, those of a directory by name; valid until close, final
 * once next gave 0.
 */
const struct lya_source *lya_capture_sources(const struct lya_capture *c, size_t *n);

#endif
