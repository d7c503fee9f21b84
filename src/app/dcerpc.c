/*
 * dcerpc.c - connection-oriented DCE/RPC, and the ports its endpoint mapper names.
 *
 * A bind names the client, its first interface tells whether this is the
 * endpoint mapper.  The mapper's answer carries protocol towers; the floors
 * "TCP port" and "IP address" stand side by side in a fixed form, whichever
 * way the rest was marshalled (NDR or NDR64), and that form is looked for.
 */
#include "app/machine.h"

#include <string.h>

enum {
	PDU_REQUEST = 0x00,
	PDU_RESPONSE = 0x02,
	PDU_FAULT = 0x03,
	PDU_BIND = 0x0B,
	PDU_BIND_ACK = 0x0C,
	PDU_BIND_NAK = 0x0D,
	PDU_ALTER = 0x0E
};

enum {
	PDU_HDR = 16,
	BIND_PART = 32, /* from the header to the end of the first interface's UUID */
	BIND_UUID = 16,
	SEARCH_MAX = 64 * 1024 /* bytes of an endpoint mapper's side that are searched */
};

enum { STEP_HEADER, STEP_BIND, STEP_SEARCH };

/* E1AF8308-5D1F-11C9-91A4-08002B14A0FA, little and big endian as the sender's integers are. */
static const uint8_t epm_uuid[2][16] = {
	{ 0x08, 0x83, 0xAF, 0xE1, 0x1F, 0x5D, 0xC9, 0x11, 0x91, 0xA4, 0x08, 0x00, 0x2B, 0x14, 0xA0,
	  0xFA },
	{ 0xE1, 0xAF, 0x83, 0x08, 0x5D, 0x1F, 0x11, 0xC9, 0x91, 0xA4, 0x08, 0x00, 0x2B, 0x14, 0xA0,
	  0xFA },
};

static uint16_t fragment_length(const uint8_t *p)
{
	const uint16_t big_endian = app_be16(p + 8);

	if (p[4] & 0x10)
		return (uint16_t)(big_endian << 8 | big_endian >> 8);
	return big_endian;
}

static bool is_header(const uint8_t *p)
{
	return p[0] == 5 && p[1] <= 1 && p[2] <= 0x13 && (p[4] & 0xEF) == 0 && p[5] == 0 &&
	       p[6] == 0 && p[7] == 0 && fragment_length(p) >= PDU_HDR;
}

/* What the kind of PDU says of its sender. */
static void note_sender(struct lya_app_state *st, unsigned side, uint8_t type)
{
	switch (type) {
	case PDU_BIND:
	case PDU_ALTER:
	case PDU_REQUEST:
		app_client_is(st, side);
		break;
	case PDU_BIND_ACK:
	case PDU_BIND_NAK:
	case PDU_RESPONSE:
	case PDU_FAULT:
		app_client_is(st, !side);
		break;
	default:
		break;
	}
}

static bool read_header(struct lya_app_state *st, unsigned side, const uint8_t *p)
{
	struct app_stream *s = &st->stream[side];
	struct app_rpc *r = &s->u.rpc;
	uint8_t type = p[2];

	if (!is_header(p))
		return false;
	app_is(st, LYA_APP_DCERPC);
	st->service = true;
	note_sender(st, side, type);
	r->frag_left = (uint16_t)(fragment_length(p) - PDU_HDR);
	if (type == PDU_BIND && !st->rpc_bind && r->frag_left >= BIND_PART) {
		r->step = STEP_BIND;
	} else if (type == PDU_RESPONSE && (st->rpc_epm || !st->rpc_bind)) {
		r->step = STEP_SEARCH;
		r->window_have = 0;
	} else {
		s->skip = r->frag_left;
	}
	return true;
}

static void read_bind(struct lya_app_state *st, unsigned side, const uint8_t *p)
{
	struct app_stream *s = &st->stream[side];

	st->rpc_bind = true;
	st->rpc_epm = memcmp(p + BIND_UUID, epm_uuid[0], 16) == 0 ||
		      memcmp(p + BIND_UUID, epm_uuid[1], 16) == 0;
	s->skip = (uint32_t)(s->u.rpc.frag_left - BIND_PART);
	s->u.rpc.step = STEP_HEADER;
}

/* Floors: left side of 1 byte, 07; right side of 2, the port; 1 byte, 09; 4, an address. */
static bool is_tower(const uint8_t w[12])
{
	static const uint8_t form[12] = { 1, 0, 7, 2, 0, 0, 0, 1, 0, 9, 4, 0 };

	return memcmp(w, form, 5) == 0 && memcmp(w + 7, form + 7, 5) == 0;
}

static void tell_port(struct lya_app_state *st, unsigned side, uint16_t port)
{
	struct app_rpc *r = &st->stream[side].u.rpc;

	if (port == 0 || port == r->port)
		return;
	r->port = port;
	if (st->obs != NULL && st->obs->on_epm_port != NULL)
		st->obs->on_epm_port(st->obs->ctx, side, port);
}

/* Look for towers in what is left of the fragment; bytes are few, so one by one. */
static void search(struct lya_app_state *st, unsigned side, struct lya_cursor *in)
{
	struct app_rpc *r = &st->stream[side].u.rpc;

	while (r->frag_left > 0 && lya_cursor_left(in) > 0) {
		memmove(r->window, r->window + 1, sizeof(r->window) - 1);
		r->window[sizeof(r->window) - 1] = lya_cursor_u8(in);
		if (r->window_have < sizeof(r->window))
			r->window_have++;
		r->frag_left--;
		if (r->window_have == sizeof(r->window) && is_tower(r->window))
			tell_port(st, side, app_be16(r->window + 5));
	}
	if (r->frag_left == 0)
		r->step = STEP_HEADER;
}

void app_rpc_feed(struct lya_app_state *st, unsigned side, struct lya_cursor *in)
{
	struct app_stream *s = &st->stream[side];
	struct app_rpc *r = &s->u.rpc;

	while (lya_cursor_left(in) > 0) {
		const uint8_t *p;

		if (r->step == STEP_SEARCH) {
			search(st, side, in);
			continue;
		}
		if (!app_skip(s, in))
			break;
		p = app_piece(s, in, r->step == STEP_BIND ? (size_t)BIND_PART : PDU_HDR);
		if (p == NULL)
			break;
		if (r->step == STEP_BIND) {
			read_bind(st, side, p);
		} else if (!read_header(st, side, p)) {
			app_side_done(st, side);
			return;
		}
	}
	if (st->side[side].bytes > SEARCH_MAX || (st->rpc_bind && !st->rpc_epm))
		app_side_done(st, side);
}
