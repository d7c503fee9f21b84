/*
 * stream.c - TCP segments put in order, within a small window.
 *
 * A side's bytes are handed on as soon as they are next.  A segment that comes
 * too early waits in scratch memory, where one run of adjoining segments has
 * room, until the missing bytes come, the room is used up, or patience ends;
 * then the missing bytes count as lost.
 */
#include "app/stream.h"

#include <string.h>

#include "app/scratch.h"

/* Hand on a segment that begins at next_seq. */
static void consume(struct lya_app_state *st, unsigned side, const uint8_t *data, size_t len,
		    size_t full_len)
{
	st->stream[side].next_seq += (uint32_t)full_len;
	if (len > 0)
		app_deliver(st, side, data, len);
	if (full_len > len)
		app_lost(st, side, full_len - len);
}

/* Hand on what waits, as far as it is next. */
static void consume_held(struct lya_app_state *st, unsigned side)
{
	struct app_stream *s = &st->stream[side];
	uint32_t passed = s->next_seq - s->held_seq; /* bytes of it that came otherwise */
	size_t n = s->held;

	if (n == 0 || passed > INT32_MAX)
		return; /* nothing, or still too early */
	s->held = 0;
	s->held_wait = 0;
	if (passed < n)
		consume(st, side, app_scratch_held(st, side) + passed, n - passed, n - passed);
}

/* The bytes before what waits are lost. */
static void give_up_gap(struct lya_app_state *st, unsigned side)
{
	struct app_stream *s = &st->stream[side];

	if (s->held == 0)
		return;
	consume(st, side, NULL, 0, s->held_seq - s->next_seq);
	consume_held(st, side);
}

/* Add a segment that begins inside what waits, or right after it. */
static bool hold_after(struct app_stream *s, uint8_t *room, size_t at, const uint8_t *data,
		       size_t len)
{
	size_t known = s->held - at;

	if (known >= len)
		return true;
	if (len - known > (size_t)APP_HELD_MAX - s->held)
		return false;
	memcpy(room + s->held, data + known, len - known);
	s->held = (uint16_t)(s->held + (len - known));
	return true;
}

/* Keep a segment that came too early; false when it cannot be kept. */
static bool hold(struct lya_app_state *st, unsigned side, uint32_t seq, const uint8_t *data,
		 size_t len)
{
	struct app_stream *s = &st->stream[side];
	uint32_t after = seq - s->held_seq, before = s->held_seq - seq;
	uint8_t *room;

	if (s->machine == APP_DEAD)
		return false; /* nobody waits for the missing bytes */
	room = app_scratch_held(st, side);
	if (room == NULL)
		return false;
	if (s->held == 0) {
		s->held_seq = seq;
		return hold_after(s, room, 0, data, len);
	}
	if (after <= s->held)
		return hold_after(s, room, after, data, len);
	if (before > len || before > (size_t)APP_HELD_MAX - s->held)
		return false; /* a second run, or too long */
	memmove(room + before, room, s->held);
	memcpy(room, data, before);
	s->held_seq = seq;
	s->held = (uint16_t)(s->held + before);
	return hold_after(s, room, before, data + before, len - before);
}

static void take_segment(struct lya_app_state *st, unsigned side, uint32_t seq, const uint8_t *data,
			 size_t len, size_t full_len)
{
	struct app_stream *s = &st->stream[side];
	uint32_t repeated = s->next_seq - seq;

	if (repeated <= INT32_MAX) {
		if (repeated >= full_len)
			return;
		if (repeated >= len)
			consume(st, side, NULL, 0, full_len - repeated);
		else
			consume(st, side, data + repeated, len - repeated, full_len - repeated);
		consume_held(st, side);
		return;
	}
	if (len == full_len && hold(st, side, seq, data, len)) {
		if (++s->held_wait >= LYA_APP_PATIENCE)
			give_up_gap(st, side);
		return;
	}
	if (s->held > 0) { /* no room for both */
		give_up_gap(st, side);
		take_segment(st, side, seq, data, len, full_len);
		return;
	}
	consume(st, side, NULL, 0, seq - s->next_seq);
	consume(st, side, data, len, full_len);
}

void app_stream_feed(struct lya_app_state *st, unsigned side, uint32_t seq, const uint8_t *data,
		     size_t len, size_t full_len)
{
	struct app_stream *s = &st->stream[side];

	if (!s->seq_known) {
		s->seq_known = true;
		s->next_seq = seq;
	}
	take_segment(st, side, seq, data, len, full_len);
}

void lya_app_start(struct lya_app_state *st, unsigned side, uint32_t seq)
{
	struct app_stream *s = &st->stream[side];

	if (!s->seq_known) {
		s->seq_known = true;
		s->next_seq = seq;
	}
}

void lya_app_end(struct lya_app_state *st)
{
	if (st->transport != PROTO_TCP)
		return;
	give_up_gap(st, 0);
	give_up_gap(st, 1);
}
