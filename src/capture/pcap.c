/*
 * pcap.c - the classic format (draft-ietf-opsawg-pcap).
 *
 * Five magic numbers in two byte orders say the resolution and the length of
 * a record's header.  Versions before 2.4 had the two lengths of a record in
 * the other order, 2.3 sometimes.
 */
#include "capture/reader.h"
#include "capture/wire.h"

#include <inttypes.h>
#include <stdio.h>

enum {
	FILE_HEADER = 24,
	RECORD_HEADER = 16,
	RECORD_HEADER_MODIFIED = 24, /* and an interface, a protocol and a packet type */
	VERSION_MAJOR = 2,
	VERSION_MINOR = 4
};

static const struct pcap_kind {
	uint32_t magic;
	size_t record_len;
	int64_t fraction_ns;
	uint8_t digits;
} kinds[] = {
	{ 0xa1b2c3d4, RECORD_HEADER, 1000, 6 },
	{ 0xa1b23c4d, RECORD_HEADER, 1, 9 },
	{ 0xa1b2cd34, RECORD_HEADER_MODIFIED, 1000, 6 },
};

static const struct pcap_kind *kind_of(const uint8_t *magic, bool *big)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		for (int order = 0; order < 2; order++) {
			if (capture_u32(magic, order == 1) == kinds[i].magic) {
				*big = order == 1;
				return &kinds[i];
			}
		}
	}
	return NULL;
}

bool capture_pcap_magic(const uint8_t magic[static 4])
{
	bool big;

	return kind_of(magic, &big) != NULL;
}

/* The lower 16 bits are the link type; above them is the length of a checksum at the end. */
static uint16_t header_link(uint32_t field)
{
	return (uint16_t)(field & 0xffff);
}

int capture_pcap_begin(struct capture_reader *r, struct lya_error *err)
{
	const struct pcap_kind *kind = kind_of(r->buf, &r->big);
	int rc = capture_reader_fill(r, FILE_HEADER, err);
	uint16_t major;

	if (rc != LYA_OK)
		return rc;
	if (r->end < FILE_HEADER)
		return lya_error_set(err, LYA_EIO, NULL, NULL,
				     "wanted the %d bytes of a pcap file header, found %zu%s%s",
				     FILE_HEADER, r->end, r->why[0] == '\0' ? "" : ": ", r->why);
	major = capture_u16(r->buf + 4, r->big);
	if (major != VERSION_MAJOR)
		return lya_error_set(err, LYA_EINPUT, NULL, NULL,
				     "wanted pcap version %d, found %u", VERSION_MAJOR, major);
	r->format = CAPTURE_PCAP;
	r->pcap = (struct capture_pcap){
		.record_len = kind->record_len,
		.fraction_ns = kind->fraction_ns,
		.digits = kind->digits,
		.minor = capture_u16(r->buf + 6, r->big),
		.snaplen = capture_u32(r->buf + 16, r->big),
		.link = header_link(capture_u32(r->buf + 20, r->big)),
	};
	r->pos = FILE_HEADER;
	return LYA_OK;
}

/* The captured and the sent length of the record at h; `old`: of a version before 2.4. */
CAPTURE_INLINE void record_lengths(const struct capture_pcap *p, const uint8_t *h, bool big,
				   bool old, uint32_t *caplen, uint32_t *wirelen)
{
	uint32_t first = capture_u32(h + 8, big);
	uint32_t second = capture_u32(h + 12, big);
	bool swapped = old && (p->minor < VERSION_MINOR - 1 || first > second);

	*caplen = swapped ? second : first;
	*wirelen = swapped ? first : second;
}

static bool is_old(const struct capture_pcap *p)
{
	return p->minor < VERSION_MINOR;
}

/* The whole records in the buffer, up to max of them. */
CAPTURE_INLINE size_t scan(struct capture_reader *r, struct lya_frame *frames, size_t max, bool big,
			   bool old)
{
	const struct capture_pcap p = r->pcap;
	const int64_t offset_ns = r->offset_ns;
	const uint32_t source = r->source;
	const uint8_t *at = r->buf + r->pos;
	size_t left = capture_reader_left(r);
	size_t n = 0;

	while (n < max && left >= p.record_len) {
		struct lya_frame *f = &frames[n];
		uint32_t caplen;
		uint32_t wirelen;

		record_lengths(&p, at, big, old, &caplen, &wirelen);
		if (caplen > LYA_FRAME_MAX || caplen > left - p.record_len)
			break;
		/* Two fields of 32 bits stay within the bounds of a time. */
		f->time_ns = (int64_t)capture_u32(at, big) * LYA_SECOND_NS +
			     (int64_t)capture_u32(at + 4, big) * p.fraction_ns;
		if (offset_ns != 0)
			f->time_ns = capture_time_add(f->time_ns, offset_ns);
		f->data = at + p.record_len;
		f->caplen = caplen;
		f->wirelen = wirelen;
		f->number = r->packets + n + 1;
		f->source = source;
		f->link = p.link;
		f->iface = 0;
		f->flags = big ? LYA_FRAME_BIG_ENDIAN : 0;
		f->digits = p.digits;
		at += p.record_len + caplen;
		left -= p.record_len + caplen;
		n++;
	}
	r->pos = r->end - left;
	r->packets += n;
	return n;
}

/* The record at pos is not whole in the buffer: read on, or say why there is no more. */
static int more(struct capture_reader *r, struct lya_error *err)
{
	const uint64_t place = r->base + r->pos;
	char what[64];
	uint32_t caplen;
	uint32_t wirelen;
	size_t want;
	int rc = capture_reader_fill(r, r->pcap.record_len, err);

	if (rc != LYA_OK)
		return rc;
	if (capture_reader_left(r) == 0) {
		r->done = true;
		return LYA_OK;
	}
	if (capture_reader_left(r) < r->pcap.record_len) {
		snprintf(what, sizeof(what), "the header of packet %" PRIu64, r->packets + 1);
		capture_reader_cut(r, place, what, r->pcap.record_len, capture_reader_left(r));
		return LYA_OK;
	}
	record_lengths(&r->pcap, r->buf + r->pos, r->big, is_old(&r->pcap), &caplen, &wirelen);
	if (caplen > LYA_FRAME_MAX) {
		capture_reader_break(r, place,
				     "packet %" PRIu64 " claims %" PRIu32
				     " bytes, more than the %d that a frame can have",
				     r->packets + 1, caplen, LYA_FRAME_MAX);
		return LYA_OK;
	}
	want = r->pcap.record_len + caplen;
	rc = capture_reader_fill(r, want, err);
	if (rc != LYA_OK || capture_reader_left(r) >= want)
		return rc;
	snprintf(what, sizeof(what), "packet %" PRIu64, r->packets + 1);
	capture_reader_cut(r, place + r->pcap.record_len, what, caplen,
			   capture_reader_left(r) - r->pcap.record_len);
	return LYA_OK;
}

/* Written once, compiled for each order of bytes and of lengths. */
static size_t scan_any(struct capture_reader *r, struct lya_frame *frames, size_t max)
{
	if (is_old(&r->pcap))
		return r->big ? scan(r, frames, max, true, true)
			      : scan(r, frames, max, false, true);
	return r->big ? scan(r, frames, max, true, false) : scan(r, frames, max, false, false);
}

int capture_pcap_next(struct capture_reader *r, struct lya_frame *frames, size_t max, size_t *n,
		      struct lya_error *err)
{
	for (;;) {
		int rc;

		*n = scan_any(r, frames, max);
		if (*n > 0 || r->done)
			return LYA_OK;
		rc = more(r, err);
		if (rc != LYA_OK)
			return rc;
	}
}
