/*
 * reader.h - frames of one pcap or pcapng input, in the order of the file.
 *
 * One real buffer is read into, and frames point into it; what is left of a
 * record at its end is carried down before the next read.  Nothing is copied
 * and nothing is called per packet, which is what makes this as fast as the
 * file can be read.
 *
 *   buf        pos                 end          cap
 *    |  handed  |  read, not parsed  |   free     |
 *
 * Invariant: pos <= end <= cap; `base` is the place in the file of buf[0].
 * Only capture_reader_fill moves bytes, and it is only called while no frame
 * of the batch in the making points at them.
 */
#ifndef LYNCAUDIT_CAPTURE_READER_H
#define LYNCAUDIT_CAPTURE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture/budget.h"
#include "capture/interface.h"
#include "capture/shelf.h"
#include "capture/stream.h"
#include "lyncaudit/frame.h"
#include "lyncaudit/status.h"

enum {
	/* Fits the second-level cache; from 128 KiB to 1 MiB nothing changes, beyond it is slower.
	 */
	CAPTURE_BUFFER = 262144,
	/* To learn an input's format and first time. */
	CAPTURE_BUFFER_SMALL = 16384,
	/* The largest block that is read whole: a frame, and comments of more than reason. */
	CAPTURE_BLOCK_MAX = 1 << 20,
	CAPTURE_WHY_LEN = 256
};

enum capture_format { CAPTURE_PCAP, CAPTURE_PCAPNG };

/* What a pcap file header says of all records. */
struct capture_pcap {
	size_t record_len;   /* of a record's header: 16, or 24 with the modified format */
	int64_t fraction_ns; /* of one unit below the second */
	uint32_t snaplen;
	uint16_t link;
	uint16_t minor; /* version 2.minor: before 2.4 the lengths may be swapped */
	uint8_t digits;
};

/* One pcapng interface. */
struct capture_iface {
	int64_t offset_ns;
	uint64_t scale;   /* nanoseconds a unit, or units a nanosecond, or bits of fraction */
	uint64_t limit;   /* the largest number of units with a time of its own */
	uint32_t snaplen; /* 0: none */
	uint16_t link;
	uint8_t unit; /* enum capture_unit */
	uint8_t digits;
	uint64_t told_drops;   /* by interface statistics, which count from the start */
	uint64_t packet_drops; /* summed up from the packets */
};

struct capture_pcapng {
	struct capture_iface *ifaces; /* of the section that is being read */
	size_t n_ifaces, cap_ifaces;
	size_t iface_base; /* interfaces of the sections before */
	/* A block that is being passed over: skip_len is 0 when there is none. */
	uint64_t skip_place, skip_left;
	uint32_t skip_len;
};

struct capture_reader {
	struct capture_stream *stream;
	struct capture_budget budget;
	struct capture_shelf *shelf; /* where frames are held for more than a call; NULL: nowhere */
	uint8_t *buf;
	size_t pos, end, cap;
	size_t target; /* what cap is to grow to at the next fill */
	uint64_t base;
	bool at_end;       /* the stream has no more bytes */
	bool done;         /* no frame will come any more */
	bool truncated;    /* it breaks off inside a record */
	bool big;          /* byte order of the file, or section */
	uint8_t format;    /* enum capture_format */
	uint32_t source;   /* what the frames say they are of */
	int64_t offset_ns; /* added to every packet time */
	int64_t last_ns;   /* of the last frame */
	uint64_t packets;  /* whole ones so far: the number of the last */
	uint64_t dropped;  /* what the file's own counters tell */
	struct lya_interfaces *interfaces; /* borrowed; NULL: not wanted */
	struct capture_pcap pcap;
	struct capture_pcapng ng;
	char why[CAPTURE_WHY_LEN]; /* what is wrong with the input; "" when nothing is */
};

/*
 * Read the file header.  The stream is taken, and closed on failure too.
 * LYA_EINPUT: no capture; LYA_EIO: it may be one, but breaks off inside its
 * header or cannot be read.  The text in err names no file.
 */
int capture_reader_open(struct capture_reader **r, struct capture_stream *stream, size_t buffer,
			struct capture_cap *cap, struct lya_error *err);
void capture_reader_close(struct capture_reader *r);
/*
 * Tell what the input says of its interfaces, from now on; to be called before the
 * first frame is asked for.  all is borrowed.  LYA_OK or LYA_ENOMEM.
 */
int capture_reader_tell_interfaces(struct capture_reader *r, struct lya_interfaces *all,
				   struct lya_error *err);
/*
 * Lay buffers that frames may borrow on the shelf, which must outlive the reader.
 * LYA_OK or LYA_ENOMEM.
 */
int capture_reader_shelve(struct capture_reader *r, struct capture_shelf *shelf,
			  struct lya_error *err);
/* Use a buffer of this size from the next read on. */
void capture_reader_grow(struct capture_reader *r, size_t buffer);

/*
 * Up to max frames, borrowed until the next call, or as the shelf says.  *n is 0
 * at the end, which may come early: r->why and r->truncated then say so.
 * LYA_ENOMEM, LYA_ELIMIT, or LYA_ESTOP, after which the call may be repeated.
 */
int capture_reader_next(struct capture_reader *r, struct lya_frame *frames, size_t max, size_t *n,
			struct lya_error *err);

/* Shared by the two formats ------------------------------------------------- */

/* Bytes read and not yet parsed. */
static inline size_t capture_reader_left(const struct capture_reader *r)
{
	return r->end - r->pos;
}

/* True when the frames so far are all of one link type and one resolution. */
static inline bool capture_reader_is_uniform(const struct capture_reader *r)
{
	return r->format == CAPTURE_PCAP || r->ng.iface_base + r->ng.n_ifaces <= 1;
}

/*
 * Have `want` bytes at pos if the input has them; else all it has, with at_end
 * set (and why, when it is broken rather than at its end).
 */
int capture_reader_fill(struct capture_reader *r, size_t want, struct lya_error *err);
/* Pass over `len` bytes without keeping them; *passed tells how many there were. */
int capture_reader_skip(struct capture_reader *r, uint64_t len, uint64_t *passed,
			struct lya_error *err);
/* No more frames: the input is wrong at byte `place`.  A reason noted before stays. */
void capture_reader_break(struct capture_reader *r, uint64_t place, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The same, because it ends inside something: sets truncated. */
void capture_reader_cut(struct capture_reader *r, uint64_t place, const char *what, uint64_t want,
			uint64_t left);

int capture_pcap_begin(struct capture_reader *r, struct lya_error *err);
int capture_pcap_next(struct capture_reader *r, struct lya_frame *frames, size_t max, size_t *n,
		      struct lya_error *err);
int capture_pcapng_begin(struct capture_reader *r, struct lya_error *err);
int capture_pcapng_next(struct capture_reader *r, struct lya_frame *frames, size_t max, size_t *n,
			struct lya_error *err);
void capture_pcapng_end(struct capture_reader *r);

/* True when the four bytes begin a pcap file; a section header is told by pcapng's own. */
bool capture_pcap_magic(const uint8_t magic[static 4]);
bool capture_pcapng_magic(const uint8_t magic[static 4]);

#endif
