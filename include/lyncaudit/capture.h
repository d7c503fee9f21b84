/*
 * capture.h - frames from files, standard input and interfaces, merged in packet time.
 */
#ifndef LYNCAUDIT_CAPTURE_H
#define LYNCAUDIT_CAPTURE_H

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

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
	const char *kind; /* "file", "stdin", "interface", or "ring" of files */
	dev_t dev;        /* of a file: which one it is, by whatever name; ino 0: it is none */
	ino_t ino;
	uint16_t links[LYA_SOURCE_LINKS_MAX]; /* link types met, ascending */
	size_t n_links;
	struct lya_interfaces interfaces; /* those met; fewer where there was no memory for more */
	uint64_t packets, bytes;   /* given out; bytes: of the frames as they were on the wire */
	int64_t first_ns, last_ns; /* least and greatest packet time, or LYA_TIME_NONE */
	int64_t time_offset_ns;
	bool truncated;      /* the file ends inside a record */
	bool unread;         /* not read to its end, for which there is still time */
	uint64_t dropped;    /* told by the file's own statistics, or by kernel and interface */
	uint64_t snapped;    /* packets of which less was captured than sent */
	uint64_t steps_back; /* packets older than the one before them */
	uint64_t filtered;   /* packets that the filter left out, */
	bool filtered_unseen; /* and the kernel may have left out others, which nobody counts */
	uint8_t digits;      /* decimals of its clock: 6 or 9 */
	bool skipped;        /* a file in a directory that is no capture: `error` says why */
	/*
	 * What went wrong with it, or NULL.  When it is not `skipped`, packets that it
	 * holds may be missing from what was given.
	 */
	char *error;
};

/* A filter left packets of it out. */
static inline bool lya_source_filtered(const struct lya_source *s)
{
	return s->filtered > 0 || s->filtered_unseen;
}

struct lya_capture;

/*
 * Something that happened while listening: packets that are missing, and when they came.
 * What goes on for long is told in pieces, the first at the next full quarter of
 * an hour.  Borrowed for the call.
 */
enum lya_capture_event_kind {
	LYA_CAPTURE_GAP, /* nothing could be seen from..to */
	LYA_CAPTURE_DROP /* count packets were lost between from and to */
};

struct lya_capture_event {
	enum lya_capture_event_kind kind;
	uint32_t source;
	int64_t from_ns, to_ns; /* by the clock of lya_capture_tick */
	uint64_t count;
	bool over;        /* false: it goes on */
	const char *what; /* "the interface was down", "the kernel's buffer was full" */
};

enum { LYA_CAPTURE_RINGS_MAX = 16, LYA_CAPTURE_HOLD_MAX = 31 };

struct lya_capture_listen_options {
	const char *const *interfaces; /* names; borrowed during listen */
	size_t n_interfaces;
	const char *filter;            /* as for files; NULL: none */
	const struct lya_capture_offset *offsets;
	size_t n_offsets;
	unsigned rings;                /* buffers that share the frames of each interface, at most
	                                  LYA_CAPTURE_RINGS_MAX; 0: one */
	size_t ring_bytes;             /* of each buffer; 0: 64 MiB */
	unsigned hold;                 /* as for files; at most LYA_CAPTURE_HOLD_MAX */
	bool adapter_time;             /* time stamps by the network card's clock */
	void (*on_event)(void *ctx, const struct lya_capture_event *event); /* may be NULL */
	void *ctx;
};

/*
 * Listen to interfaces.  Wants CAP_NET_RAW (adapter_time: CAP_NET_ADMIN too); what is called
 * afterwards wants no capability.  (Where several rings share an interface: it may be made anew
 * eight times, or as often as 64 sockets for all interfaces suffice; then it has one ring.)
 * Frames that come from then on are kept in the
 * buffers until they are asked for.  LYA_EINPUT: there is no such interface, or it is
 * down; LYA_EUSAGE as for files, or adapter_time cannot be had; LYA_EIO: no capability,
 * or the kernel refuses.
 */
int lya_capture_listen(struct lya_capture **c, const struct lya_capture_listen_options *options,
		       struct lya_error *err);

struct lya_capture_follow_options {
	const char *dir;    /* borrowed during follow */
	const char *filter; /* as for files; NULL: none */
	const struct lya_capture_offset *offsets;
	size_t n_offsets;
	int64_t from_ns; /* packets up to that time are passed over; LYA_TIME_NONE: none are */
	size_t max_bytes;
	unsigned hold; /* as for files */
	void (*on_event)(void *ctx, const struct lya_capture_event *event); /* may be NULL */
	void *ctx;
};

/*
 * Follow a folder into which another program writes captures, one after another: those that
 * are there, then as they come.  They are one source of kind "ring".  A file that is deleted
 * before it is read, that breaks off, or that is no capture is an event; times of such
 * events are those at which files were written.  To be asked again like one that listens.
 * LYA_EINPUT: there is no such folder; LYA_EUSAGE as for files.
 */
int lya_capture_follow(struct lya_capture **c, const struct lya_capture_follow_options *options,
		       struct lya_error *err);

/* Packets up to options.from_ns were there, so that nothing between was missed. */
bool lya_capture_follow_resumed(const struct lya_capture *c);

/*
 * When to ask a capture that listens again: once one of fds (room for max) can be read, and
 * after *timeout_ms (-1: no need to) in any case.
 */
size_t lya_capture_poll(const struct lya_capture *c, struct pollfd *fds, size_t max,
			int *timeout_ms);

/*
 * Nobody borrows frames any more: buffers of interfaces go back to the kernel.  With `hold`
 * to be called before waiting, or a buffer may be full of what was given.
 */
void lya_capture_release(struct lya_capture *c);

/*
 * To be called about once a second, and when a descriptor polls with an error: counters
 * are read, and an interface that was away is listened to again.
 */
int lya_capture_tick(struct lya_capture *c, int64_t now_ns, struct lya_error *err);

/* From now on frames of interfaces are given as they are there: no older ones are waited for. */
void lya_capture_listen_last(struct lya_capture *c);

/* The end of listening: tell of what is still going on. */
void lya_capture_listen_end(struct lya_capture *c, int64_t now_ns);

/* One interface that could be listened to. */
struct lya_capture_device {
	char *name;
	char *description; /* NULL: none */
	bool up, running, loopback;
};

/* All of them; *list is freed with lya_capture_devices_free. */
int lya_capture_devices(struct lya_capture_device **list, size_t *n, struct lya_error *err);
void lya_capture_devices_free(struct lya_capture_device *list, size_t n);

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
 * has passed the filter yet; nothing is lost, and the next call goes on.  Of a capture that
 * listens *n is 0 when there is nothing just now.  LYA_ELIMIT: too many captures overlap in
 * time to be held open at once.  LYA_EUSAGE: a link type was met that the filter cannot be
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
