/*
 * turn.c - STUN, TURN and media in a TCP stream: three ways to frame them.
 *
 *   MS-TURN:   kind (02 control, 03 data), 00, length(2), body
 *   RFC 5766:  STUN messages and ChannelData (4000-7FFF, length, body padded
 *              to four) back to back
 *   RFC 4571:  length(2), packet
 *
 * A STUN message is read whole where that is cheap (one segment holds it) or
 * where scratch memory is lent; of it otherwise, and of anything else always,
 * the first bytes tell enough and the rest is passed over.
 */
#include "app/machine.h"

#include <string.h>

enum { MS_CONTROL = 2, MS_DATA = 3 };

enum {
	PART = 28,       /* STUN's header and the attribute that marks MS-TURN */
	STUN_COPY = 1500 /* of a message of RFC 5766, whose first bytes are its frame's header */
};

/* One way to frame: both functions answer false when the stream cannot be that. */
struct framing {
	size_t header_len;
	bool (*read_header)(struct app_frames *f);
	bool (*take_body)(struct lya_app_state *st, unsigned side, const uint8_t *p, size_t got);
};

enum frame_step { FRAME_MORE, FRAME_NEXT, FRAME_BAD };

/*
 * Get a frame's body if it may be STUN (two bits are zero), else as much of its
 * beginning as PART says.  NULL until it is there; *got is how much of it there is.
 */
static const uint8_t *read_body(struct lya_app_state *st, unsigned side, struct lya_cursor *in,
				size_t *got)
{
	struct app_stream *s = &st->stream[side];
	size_t len = s->u.frames.len;
	const uint8_t *p = NULL;

	if (lya_cursor_left(in) == 0)
		return NULL;
	if (s->have == 0 && (s->big_have > 0 || in->pos[0] < 0x40)) {
		enum app_big big = app_big_piece(st, side, in, len, &p);

		*got = len;
		if (big != APP_BIG_NO)
			return p;
	}
	*got = len < PART ? len : (size_t)PART;
	p = app_piece(s, in, *got);
	if (p != NULL)
		s->skip = (uint32_t)(len - *got);
	return p;
}

static enum frame_step step(struct lya_app_state *st, unsigned side, struct lya_cursor *in,
			    const struct framing *framing)
{
	struct app_stream *s = &st->stream[side];
	struct app_frames *f = &s->u.frames;
	const uint8_t *p;
	size_t got = 0;

	if (!app_skip(s, in))
		return FRAME_MORE;
	if (f->body) {
		p = read_body(st, side, in, &got);
		if (p == NULL)
			return FRAME_MORE;
		f->body = false;
		app_count_message(st);
		return framing->take_body(st, side, p, got) ? FRAME_NEXT : FRAME_BAD;
	}
	p = app_piece(s, in, framing->header_len);
	if (p == NULL)
		return FRAME_MORE;
	memcpy(f->header, p, framing->header_len);
	if (!framing->read_header(f))
		return FRAME_BAD;
	f->body = f->len > 0;
	return FRAME_NEXT;
}

static void feed(struct lya_app_state *st, unsigned side, struct lya_cursor *in,
		 const struct framing *framing)
{
	while (lya_cursor_left(in) > 0) {
		switch (step(st, side, in, framing)) {
		case FRAME_MORE:
			return;
		case FRAME_BAD:
			app_side_done(st, side);
			return;
		default:
			break;
		}
	}
}

/* MS-TURN -------------------------------------------------------------------- */

static bool read_ms_header(struct app_frames *f)
{
	f->len = app_be16(f->header + 2);
	return (f->header[0] == MS_CONTROL || f->header[0] == MS_DATA) && f->header[1] == 0;
}

/* A data frame proves nothing alone: TPKT and others begin alike. */
static bool take_ms_body(struct lya_app_state *st, unsigned side, const uint8_t *p, size_t got)
{
	const struct app_frames *f = &st->stream[side].u.frames;
	struct lya_stun m;
	bool media;

	if (f->header[0] == MS_CONTROL) {
		if (!lya_stun_read(p, got, f->len, &m))
			return false;
		app_is(st, LYA_APP_MSTURN);
		app_stun_message(st, side, &m);
		return true;
	}
	st->not_ice = true;
	media = app_rtp_packet(st, side, p, got, f->len);
	if (!media && st->pseudo_sides == 0 && st->app != LYA_APP_MSTURN)
		return app_rtp_plausible(p, got, f->len);
	app_is(st, LYA_APP_MSTURN);
	st->seen |= LYA_SEEN_TURN;
	st->service = true;
	return true;
}

void app_msturn_feed(struct lya_app_state *st, unsigned side, struct lya_cursor *in)
{
	static const struct framing ms = { 4, read_ms_header, take_ms_body };

	feed(st, side, in, &ms);
}

/* RFC 5766 -------------------------------------------------------------------- */

static bool is_channel(const struct app_frames *f)
{
	return (f->header[0] & 0xC0) == 0x40;
}

static bool read_turn_header(struct app_frames *f)
{
	uint32_t len = app_be16(f->header + 2);

	if (is_channel(f)) {
		f->len = (len + 3) & ~(uint32_t)3;
		return true;
	}
	f->len = len + 16; /* the rest of the header is in the body */
	return f->header[0] < 0x40;
}

static bool take_turn_body(struct lya_app_state *st, unsigned side, const uint8_t *p, size_t got)
{
	const struct app_frames *f = &st->stream[side].u.frames;
	uint8_t copy[STUN_COPY];
	struct lya_stun m;

	if (is_channel(f)) {
		if (st->app == LYA_APP_NONE)
			return false; /* a channel needs a message to open it */
		(void)app_rtp_packet(st, side, p, got, f->len);
		st->not_ice = true;
		st->seen |= LYA_SEEN_TURN;
		st->service = true;
		return true;
	}
	if (got > sizeof(copy) - sizeof(f->header))
		got = sizeof(copy) - sizeof(f->header);
	memcpy(copy, f->header, sizeof(f->header));
	memcpy(copy + sizeof(f->header), p, got);
	if (!lya_stun_read(copy, got + sizeof(f->header), f->len + sizeof(f->header), &m))
		return false;
	app_stun_message(st, side, &m);
	return true;
}

void app_turn_feed(struct lya_app_state *st, unsigned side, struct lya_cursor *in)
{
	static const struct framing turn = { 4, read_turn_header, take_turn_body };

	feed(st, side, in, &turn);
}

/* RFC 4571 -------------------------------------------------------------------- */

static bool read_4571_header(struct app_frames *f)
{
	f->len = app_be16(f->header);
	return true;
}

/* Until the stream is recognised, every frame must at least look like one of ours. */
static bool take_4571_body(struct lya_app_state *st, unsigned side, const uint8_t *p, size_t got)
{
	size_t len = st->stream[side].u.frames.len;
	struct lya_stun m;

	if (lya_stun_read(p, got, len, &m)) {
		app_stun_message(st, side, &m);
		return true;
	}
	st->not_ice = true;
	return app_rtp_packet(st, side, p, got, len) || app_rtp_plausible(p, got, len) ||
	       st->app != LYA_APP_NONE;
}

void app_rfc4571_feed(struct lya_app_state *st, unsigned side, struct lya_cursor *in)
{
	static const struct framing rfc4571 = { 2, read_4571_header, take_4571_body };

	feed(st, side, in, &rfc4571);
}
