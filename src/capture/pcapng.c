/*
 * pcapng.c - the block format (draft-ietf-opsawg-pcapng).
 *
 * A file is sections, each with a byte order and a list of interfaces of its
 * own; an interface has its link type, clock resolution and clock offset.
 * Enhanced packet blocks, which all writers use, are taken in a tight loop;
 * everything else goes block by block.  Blocks that say nothing about packets
 * are passed over whatever their length, without being kept.
 *
 * A block whose length or reference cannot be true ends the reading: what
 * follows it cannot be trusted to begin where it seems to.
 */
#include "capture/reader.h"
#include "capture/wire.h"

#include <inttypes.h>
#include <stdio.h>

#include "lyncaudit/alloc.h"

enum {
	BLOCK_SECTION = 0x0a0d0d0a, /* reads the same in both byte orders */
	BLOCK_INTERFACE = 1,
	BLOCK_PACKET = 2, /* obsolete */
	BLOCK_SIMPLE = 3,
	BLOCK_STATISTICS = 5,
	BLOCK_ENHANCED = 6
};

enum {
	BYTE_ORDER_MAGIC = 0x1a2b3c4d,
	BLOCK_HEADER = 8, /* type and length */
	BLOCK_LEAST = 12, /* and the length again at the end */
	SECTION_LEAST = 28,
	INTERFACE_LEAST = 20,
	PACKET_LEAST = 32, /* obsolete and enhanced alike */
	PACKET_DATA = 28,
	SIMPLE_LEAST = 16,
	SIMPLE_DATA = 12,
	STATISTICS_LEAST = 24,
	IFACES_MAX = 65536 /* a frame's interface number has 16 bits */
};

enum {
	OPTION_END = 0,
	OPTION_IF_NAME = 2,
	OPTION_IF_TSRESOL = 9,
	OPTION_IF_TSOFFSET = 14,
	OPTION_ISB_IFDROP = 5,
	OPTION_ISB_OSDROP = 7,
	OPTION_EPB_DROPCOUNT = 4
};

enum capture_unit {
	UNIT_MULTIPLY, /* scale nanoseconds a unit */
	UNIT_DIVIDE,   /* scale units a nanosecond */
	UNIT_BINARY    /* 2^-scale seconds */
};

/* An option of a block: value points at len bytes. */
struct option {
	uint16_t code, len;
	const uint8_t *value;
};

/* The next option among *left bytes at *p; false when there is none, or none that is whole. */
static bool option_next(const uint8_t **p, size_t *left, bool big, struct option *o)
{
	size_t room;

	if (*left < 4)
		return false;
	o->code = capture_u16(*p, big);
	o->len = capture_u16(*p + 2, big);
	o->value = *p + 4;
	room = ((size_t)o->len + 3) & ~(size_t)3;
	if (o->code == OPTION_END || room > *left - 4)
		return false;
	*p += 4 + room;
	*left -= 4 + room;
	return true;
}

bool capture_pcapng_magic(const uint8_t magic[static 4])
{
	return capture_u32(magic, false) == BLOCK_SECTION;
}

/* Times ------------------------------------------------------------------- */

/* if_tsresol: a power of ten, or of two when the highest bit is set; both negative. */
static void iface_resolution(struct capture_iface *i, uint8_t tsresol)
{
	unsigned power = tsresol & 0x7f;
	uint64_t scale = 1;

	i->digits = 9;
	i->limit = UINT64_MAX;
	if ((tsresol & 0x80) != 0) {
		i->unit = UNIT_BINARY;
		i->scale = power;
		/* Decimals that a power of two needs: 2^-20 is finer than 10^-6. */
		i->digits = power < 20 ? 6 : 9;
		return;
	}
	if (power <= 9) {
		for (unsigned p = power; p < 9; p++)
			scale *= 10;
		i->unit = UNIT_MULTIPLY;
		i->limit = (uint64_t)CAPTURE_TIME_MAX / scale;
		i->digits = power <= 6 ? 6 : 9;
	} else {
		/* 10^19 is the largest power of ten in 64 bits; beyond, all is less than 2 ns. */
		for (unsigned p = 9; p < power && p < 28; p++)
			scale *= 10;
		i->unit = UNIT_DIVIDE;
	}
	i->scale = scale;
}

static int64_t time_unusual(const struct capture_iface *i, uint64_t units)
{
	unsigned __int128 ns;

	if (i->unit == UNIT_BINARY)
		ns = (unsigned __int128)units * (uint64_t)LYA_SECOND_NS >> i->scale;
	else
		ns = units / i->scale;
	return ns > CAPTURE_TIME_MAX ? CAPTURE_TIME_MAX : (int64_t)ns;
}

CAPTURE_INLINE int64_t iface_time(const struct capture_iface *i, const uint8_t *high_low, bool big,
				  int64_t offset_ns)
{
	uint64_t units =
	    (uint64_t)capture_u32(high_low, big) << 32 | capture_u32(high_low + 4, big);
	int64_t ns;

	if (i->unit != UNIT_MULTIPLY)
		ns = time_unusual(i, units);
	else
		ns = units > i->limit ? CAPTURE_TIME_MAX : (int64_t)(units * i->scale);
	return capture_time_add(capture_time_add(ns, i->offset_ns), offset_ns);
}

/* if_tsoffset: seconds. */
static int64_t iface_offset(const uint8_t *value, bool big)
{
	int64_t seconds = (int64_t)capture_u64(value, big);
	int64_t ns;

	if (__builtin_mul_overflow(seconds, LYA_SECOND_NS, &ns))
		return seconds < 0 ? CAPTURE_TIME_MIN : CAPTURE_TIME_MAX;
	return capture_time_add(ns, 0);
}

/* Drop counters ----------------------------------------------------------- */

/*
 * Statistics count from the beginning, packets what was lost before each: the
 * same losses told twice, so the larger of the two is the interface's.
 */
static uint64_t iface_drops(const struct capture_iface *i)
{
	return i->told_drops > i->packet_drops ? i->told_drops : i->packet_drops;
}

static uint64_t sum_held(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static void drops_note(struct capture_reader *r, struct capture_iface *i, uint64_t told,
		       uint64_t more)
{
	uint64_t before = iface_drops(i);

	if (told > i->told_drops)
		i->told_drops = told;
	i->packet_drops = sum_held(i->packet_drops, more);
	r->dropped = sum_held(r->dropped, iface_drops(i) - before);
}

/* epb_dropcount among the options of an enhanced packet block. */
static void packet_options(struct capture_reader *r, struct capture_iface *i, const uint8_t *p,
			   size_t left)
{
	struct option o;

	while (option_next(&p, &left, r->big, &o)) {
		if (o.code == OPTION_EPB_DROPCOUNT && o.len == 8)
			drops_note(r, i, 0, capture_u64(o.value, r->big));
	}
}

/* Packets ----------------------------------------------------------------- */

static uint16_t iface_number(const struct capture_reader *r, size_t id)
{
	size_t number = r->ng.iface_base + id;

	return number > UINT16_MAX ? UINT16_MAX : (uint16_t)number;
}

CAPTURE_INLINE void frame_fill(const struct capture_reader *r, struct lya_frame *f, size_t id,
			       const uint8_t *data, uint32_t caplen, uint32_t wirelen)
{
	const struct capture_iface *i = &r->ng.ifaces[id];

	f->data = data;
	f->caplen = caplen;
	f->wirelen = wirelen;
	f->source = r->source;
	f->link = i->link;
	f->iface = iface_number(r, id);
	f->flags = r->big ? LYA_FRAME_BIG_ENDIAN : 0;
	f->digits = i->digits;
}

/* The whole, sound enhanced packet blocks at pos, up to max of them. */
CAPTURE_INLINE size_t scan(struct capture_reader *r, struct lya_frame *frames, size_t max, bool big)
{
	const uint8_t *at = r->buf + r->pos;
	size_t left = capture_reader_left(r);
	size_t n = 0;

	while (n < max && left >= PACKET_LEAST) {
		struct lya_frame *f = &frames[n];
		uint32_t len = capture_u32(at + 4, big);
		uint32_t id = capture_u32(at + 8, big);
		uint32_t caplen = capture_u32(at + 20, big);

		if (capture_u32(at, big) != BLOCK_ENHANCED || len < PACKET_LEAST || len > left ||
		    len % 4 != 0 || caplen > len - PACKET_LEAST || caplen > LYA_FRAME_MAX ||
		    id >= r->ng.n_ifaces || capture_u32(at + len - 4, big) != len)
			break;
		frame_fill(r, f, id, at + PACKET_DATA, caplen, capture_u32(at + 24, big));
		f->time_ns = iface_time(&r->ng.ifaces[id], at + 12, big, r->offset_ns);
		f->number = r->packets + n + 1;
		if (len - PACKET_LEAST - caplen >= 4)
			packet_options(r, &r->ng.ifaces[id],
				       at + PACKET_DATA + ((caplen + 3) & ~3U),
				       len - PACKET_LEAST - ((caplen + 3) & ~3U));
		at += len;
		left -= len;
		n++;
	}
	r->pos = r->end - left;
	r->packets += n;
	return n;
}

/* What stands in the way of a packet on interface `id` with caplen bytes in `room`. */
static bool packet_sound(struct capture_reader *r, uint32_t id, uint32_t caplen, uint32_t room)
{
	const uint64_t place = r->base + r->pos;
	const uint64_t number = r->packets + 1;

	if (id >= r->ng.n_ifaces)
		capture_reader_break(r, place,
				     "packet %" PRIu64 " is of interface %" PRIu32
				     ", its section has %zu",
				     number, id, r->ng.n_ifaces);
	else if (caplen > LYA_FRAME_MAX)
		capture_reader_break(r, place,
				     "packet %" PRIu64 " claims %" PRIu32
				     " bytes, more than the %d that a frame can have",
				     number, caplen, LYA_FRAME_MAX);
	else if (caplen > room)
		capture_reader_break(r, place,
				     "packet %" PRIu64 " claims %" PRIu32
				     " bytes, its block has room for %" PRIu32,
				     number, caplen, room);
	return !r->done;
}

/* An obsolete packet block: as the enhanced one, but a short interface id and a drop count. */
static void packet_obsolete(struct capture_reader *r, uint32_t len, struct lya_frame *f, size_t *n)
{
	const uint8_t *at = r->buf + r->pos;
	uint32_t id = capture_u16(at + 8, r->big);
	uint16_t drops = capture_u16(at + 10, r->big);
	uint32_t caplen = capture_u32(at + 20, r->big);

	if (!packet_sound(r, id, caplen, len - PACKET_LEAST))
		return;
	frame_fill(r, f, id, at + PACKET_DATA, caplen, capture_u32(at + 24, r->big));
	f->time_ns = iface_time(&r->ng.ifaces[id], at + 12, r->big, r->offset_ns);
	f->number = ++r->packets;
	if (drops != UINT16_MAX) /* that stands for "not known" */
		drops_note(r, &r->ng.ifaces[id], 0, drops);
	*n = 1;
}

/*
 * A simple packet block has neither interface (it is the first) nor time.
 * The time of the packet before is the best there is: zero would be a step
 * back by decades.
 */
static void packet_simple(struct capture_reader *r, uint32_t len, struct lya_frame *f, size_t *n)
{
	const uint8_t *at = r->buf + r->pos;
	uint32_t wirelen = capture_u32(at + 8, r->big);
	uint32_t caplen = wirelen;

	if (r->ng.n_ifaces > 0 && r->ng.ifaces[0].snaplen != 0 && caplen > r->ng.ifaces[0].snaplen)
		caplen = r->ng.ifaces[0].snaplen;
	if (!packet_sound(r, 0, caplen, len - SIMPLE_LEAST))
		return;
	frame_fill(r, f, 0, at + SIMPLE_DATA, caplen, wirelen);
	f->time_ns = r->packets == 0 ? r->offset_ns : r->last_ns;
	f->number = ++r->packets;
	*n = 1;
}

/* Other blocks ------------------------------------------------------------ */

static void section_begin(struct capture_reader *r)
{
	uint16_t major = capture_u16(r->buf + r->pos + 12, r->big);

	r->ng.iface_base += r->ng.n_ifaces;
	r->ng.n_ifaces = 0;
	if (major != 1)
		capture_reader_break(r, r->base + r->pos, "wanted pcapng version 1, found %u",
				     major);
}

static int interface_add(struct capture_reader *r, uint32_t len, struct lya_error *err)
{
	const uint8_t *at = r->buf + r->pos;
	const uint8_t *p = at + 16;
	size_t left = len - INTERFACE_LEAST;
	struct capture_iface i = { .link = capture_u16(at + 8, r->big),
				   .snaplen = capture_u32(at + 12, r->big) };
	struct lya_interface told = { .link = i.link, .snaplen = i.snaplen, .tsresol = 6 };
	struct option o, name = { .value = (const uint8_t *)"" };
	void *list = r->ng.ifaces;

	if (r->ng.n_ifaces == IFACES_MAX) {
		capture_reader_break(r, r->base + r->pos, "more than %d interfaces in a section",
				     IFACES_MAX);
		return LYA_OK;
	}
	while (option_next(&p, &left, r->big, &o)) {
		if (o.code == OPTION_IF_NAME)
			name = o;
		if (o.code == OPTION_IF_TSRESOL && o.len == 1)
			told.tsresol = o.value[0];
		if (o.code == OPTION_IF_TSOFFSET && o.len == 8)
			i.offset_ns = iface_offset(o.value, r->big);
	}
	iface_resolution(&i, told.tsresol);
	told.offset_s = i.offset_ns / LYA_SECOND_NS;
	if (lya_grow(&list, &r->ng.cap_ifaces, r->ng.n_ifaces + 1, sizeof(i)) != LYA_OK)
		return lya_error_nomem(err);
	r->ng.ifaces = list;
	r->ng.ifaces[r->ng.n_ifaces++] = i;
	return capture_interfaces_add(r->interfaces, r->ng.iface_base + r->ng.n_ifaces - 1,
				      r->budget.cap, &told, name.value, name.len, err);
}

static void statistics_note(struct capture_reader *r, uint32_t len)
{
	const uint8_t *at = r->buf + r->pos;
	const uint8_t *p = at + 20;
	size_t left = len - STATISTICS_LEAST;
	uint32_t id = capture_u32(at + 8, r->big);
	uint64_t told = 0;
	struct option o;

	while (option_next(&p, &left, r->big, &o)) {
		if ((o.code == OPTION_ISB_IFDROP || o.code == OPTION_ISB_OSDROP) && o.len == 8)
			told = sum_held(told, capture_u64(o.value, r->big));
	}
	if (id < r->ng.n_ifaces)
		drops_note(r, &r->ng.ifaces[id], told, 0);
}

/* The least length of a block of this type, 0 when its content is not ours to know. */
static uint32_t block_least(uint32_t type)
{
	switch (type) {
	case BLOCK_SECTION:
		return SECTION_LEAST;
	case BLOCK_INTERFACE:
		return INTERFACE_LEAST;
	case BLOCK_PACKET:
	case BLOCK_ENHANCED:
		return PACKET_LEAST;
	case BLOCK_SIMPLE:
		return SIMPLE_LEAST;
	case BLOCK_STATISTICS:
		return STATISTICS_LEAST;
	default:
		return 0;
	}
}

static void length_differs(struct capture_reader *r, uint64_t place, uint32_t len, uint32_t again)
{
	capture_reader_break(r, place,
			     "a block begins with length %" PRIu32 " and ends with %" PRIu32, len,
			     again);
}

/* Have `want` bytes at pos; *whole is false, and the reading ended, when the input has fewer. */
static int block_fill(struct capture_reader *r, size_t want, const char *what, bool *whole,
		      struct lya_error *err)
{
	int rc = capture_reader_fill(r, want, err);

	*whole = rc == LYA_OK && capture_reader_left(r) >= want;
	if (rc == LYA_OK && !*whole)
		capture_reader_cut(r, r->base + r->pos, what, want, capture_reader_left(r));
	return rc;
}

/*
 * Go on passing over the block that was begun.  An interruption may come at
 * any place of it, so how far it got is kept in the reader.
 */
static int skip_go(struct capture_reader *r, struct lya_error *err)
{
	struct capture_pcapng *ng = &r->ng;
	uint64_t passed;
	uint32_t again;
	bool whole;
	int rc = capture_reader_skip(r, ng->skip_left, &passed, err);

	ng->skip_left -= passed;
	if (rc != LYA_OK)
		return rc;
	if (ng->skip_left > 0) {
		capture_reader_cut(r, ng->skip_place, "a block", ng->skip_len,
				   ng->skip_len - 4 - ng->skip_left);
		return LYA_OK;
	}
	rc = block_fill(r, 4, "the end of a block", &whole, err);
	if (rc != LYA_OK || !whole)
		return rc;
	again = capture_u32(r->buf + r->pos, r->big);
	if (again != ng->skip_len)
		length_differs(r, ng->skip_place, ng->skip_len, again);
	r->pos += 4;
	ng->skip_len = 0;
	return LYA_OK;
}

/* Pass over a block of which nothing is needed. */
static int block_skip(struct capture_reader *r, uint32_t len, struct lya_error *err)
{
	r->ng.skip_place = r->base + r->pos;
	r->ng.skip_len = len;
	r->ng.skip_left = len - 4;
	return skip_go(r, err);
}

/* Act on the whole block at pos. */
static int block_use(struct capture_reader *r, uint32_t type, uint32_t len, struct lya_frame *f,
		     size_t *n, struct lya_error *err)
{
	switch (type) {
	case BLOCK_SECTION:
		section_begin(r);
		return LYA_OK;
	case BLOCK_INTERFACE:
		return interface_add(r, len, err);
	case BLOCK_STATISTICS:
		statistics_note(r, len);
		return LYA_OK;
	case BLOCK_PACKET:
		packet_obsolete(r, len, f, n);
		return LYA_OK;
	case BLOCK_SIMPLE:
		packet_simple(r, len, f, n);
		return LYA_OK;
	default:
		return LYA_OK;
	}
}

/* A section header says the byte order of its own length. */
static int section_order(struct capture_reader *r, bool *sound, struct lya_error *err)
{
	int rc = block_fill(r, BLOCK_LEAST, "a section header", sound, err);
	const uint8_t *magic;

	if (rc != LYA_OK || !*sound)
		return rc;
	magic = r->buf + r->pos + 8;
	*sound = capture_u32(magic, false) == BYTE_ORDER_MAGIC ||
		 capture_u32(magic, true) == BYTE_ORDER_MAGIC;
	if (*sound)
		r->big = capture_u32(magic, true) == BYTE_ORDER_MAGIC;
	else
		capture_reader_break(r, r->base + r->pos,
				     "wanted a byte order of 1a2b3c4d, found %02x%02x%02x%02x",
				     magic[0], magic[1], magic[2], magic[3]);
	return LYA_OK;
}

static bool block_length_sound(struct capture_reader *r, uint32_t type, uint32_t len)
{
	const uint64_t place = r->base + r->pos;
	const uint32_t least = block_least(type);

	if (len % 4 != 0 || len < BLOCK_LEAST || len < least)
		capture_reader_break(r, place,
				     "a block of type %" PRIu32 " says it has %" PRIu32
				     " bytes; wanted a multiple of 4, at least %" PRIu32,
				     type, len, least > BLOCK_LEAST ? least : BLOCK_LEAST);
	else if (least != 0 && len > CAPTURE_BLOCK_MAX)
		capture_reader_break(r, place,
				     "a block of type %" PRIu32 " says it has %" PRIu32
				     " bytes; at most %d are read",
				     type, len, CAPTURE_BLOCK_MAX);
	return !r->done;
}

/* The packet that the whole enhanced block at pos holds cannot be true: say why. */
static void enhanced_explain(struct capture_reader *r, uint32_t len)
{
	const uint8_t *at = r->buf + r->pos;

	(void)packet_sound(r, capture_u32(at + 8, r->big), capture_u32(at + 20, r->big),
			   len - PACKET_LEAST);
}

/* A whole block of a type we know; its end must repeat its length. */
static int block_whole(struct capture_reader *r, uint32_t type, uint32_t len, struct lya_frame *f,
		       size_t *n, struct lya_error *err)
{
	uint32_t again = capture_u32(r->buf + r->pos + len - 4, r->big);
	int rc;

	if (again != len) {
		length_differs(r, r->base + r->pos, len, again);
		return LYA_OK;
	}
	if (type == BLOCK_ENHANCED) { /* scan takes it, unless it is unsound */
		enhanced_explain(r, len);
		return LYA_OK;
	}
	rc = block_use(r, type, len, f, n, err);
	if (rc == LYA_OK && !r->done)
		r->pos += len;
	return rc;
}

/* Take the block at pos, whatever it is: at most one frame comes of it. */
static int block_next(struct capture_reader *r, struct lya_frame *f, size_t *n,
		      struct lya_error *err)
{
	bool sound;
	uint32_t type;
	uint32_t len;
	char what[64];
	int rc;

	if (r->ng.skip_len != 0)
		return skip_go(r, err);
	rc = capture_reader_fill(r, 1, err);
	if (rc != LYA_OK)
		return rc;
	if (capture_reader_left(r) == 0) {
		r->done = true;
		return LYA_OK;
	}
	rc = block_fill(r, BLOCK_HEADER, "the header of a block", &sound, err);
	if (rc != LYA_OK || !sound)
		return rc;
	type = capture_u32(r->buf + r->pos, r->big);
	if (type == BLOCK_SECTION) {
		rc = section_order(r, &sound, err);
		if (rc != LYA_OK || !sound)
			return rc;
	}
	len = capture_u32(r->buf + r->pos + 4, r->big);
	if (!block_length_sound(r, type, len))
		return LYA_OK;
	if (block_least(type) == 0)
		return block_skip(r, len, err);
	if (type == BLOCK_ENHANCED || type == BLOCK_PACKET || type == BLOCK_SIMPLE)
		snprintf(what, sizeof(what), "packet %" PRIu64, r->packets + 1);
	else
		snprintf(what, sizeof(what), "a block of type %" PRIu32, type);
	rc = block_fill(r, len, what, &sound, err);
	if (rc != LYA_OK || !sound)
		return rc;
	return block_whole(r, type, len, f, n, err);
}

int capture_pcapng_begin(struct capture_reader *r, struct lya_error *err)
{
	struct lya_frame none;
	size_t n = 0;
	int rc;

	r->format = CAPTURE_PCAPNG;
	rc = block_next(r, &none, &n, err);
	if (rc == LYA_OK && r->done)
		return lya_error_set(err, r->truncated ? LYA_EIO : LYA_EINPUT, NULL, NULL,
				     "wanted a pcapng section header, found: %s", r->why);
	return rc;
}

int capture_pcapng_next(struct capture_reader *r, struct lya_frame *frames, size_t max, size_t *n,
			struct lya_error *err)
{
	for (;;) {
		int rc = LYA_OK;

		*n = r->big ? scan(r, frames, max, true) : scan(r, frames, max, false);
		if (*n == 0 && !r->done)
			rc = block_next(r, frames, n, err);
		if (*n > 0)
			r->last_ns = frames[*n - 1].time_ns;
		if (*n > 0 || r->done || rc != LYA_OK)
			return rc;
	}
}

void capture_pcapng_end(struct capture_reader *r)
{
	lya_free(r->ng.ifaces);
}
