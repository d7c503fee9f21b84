/*
 * tls.c - TLS 1.0 to 1.3 and SSL 3.0, as far as it is in clear.
 *
 * A walker over records, and over handshake messages inside them: either may
 * span segments, a message may span records.  Nothing is buffered but the
 * piece that is being read; bodies of no interest are counted off.  The only
 * contents kept are those of the two hellos, until they have been told.
 *
 * Up to TLS 1.2 everything before a side's ChangeCipherSpec is in clear; what
 * follows it is one Finished message, then data.  A handshake record after
 * both Finished is a renegotiation.  TLS 1.3 sends its ChangeCipherSpec only
 * for show and hides everything after the ServerHello in records of type 23.
 */
#include "app/machine.h"

#include <string.h>

enum {
	REC_CCS = 20,
	REC_ALERT = 21,
	REC_HANDSHAKE = 22,
	REC_DATA = 23,
	REC_MAX = 16384 + 2048 /* RFC 5246 6.2.3: room for what encryption adds */
};

enum {
	MSG_HELLO_REQUEST = 0x00,
	MSG_CLIENT_HELLO = 0x01,
	MSG_SERVER_HELLO = 0x02,
	MSG_TICKET = 0x04,
	MSG_CERTIFICATE = 0x0B,
	MSG_SERVER_KEY = 0x0C,
	MSG_CERT_REQUEST = 0x0D,
	MSG_HELLO_DONE = 0x0E,
	MSG_CERT_VERIFY = 0x0F,
	MSG_CLIENT_KEY = 0x10,
	MSG_FINISHED = 0x14,
	MSG_CERT_STATUS = 0x16
};

/* Where in a hello the walk stands. */
enum {
	STEP_SKIP, /* the rest of the message is of no interest */
	STEP_FIXED,
	STEP_SESSION,
	STEP_SUITES_LEN,
	STEP_SUITE,
	STEP_COMPRESSION,
	STEP_CHOICE,
	STEP_EXTS_LEN,
	STEP_EXT,
	STEP_VERSIONS,
	STEP_CHAIN_LEN
};

/* flags of a side */
enum {
	TLS_CLEAR_DONE = 1 << 0, /* its ChangeCipherSpec went by (not TLS 1.3) */
	TLS_FINISHED = 1 << 1,   /* and one encrypted handshake record */
	TLS_FIRST_SEEN = 1 << 2  /* one valid record header was seen */
};

enum { TLS_1_3 = 0x0304, RECORDS_ENOUGH = 8 };

static bool is_handshake_complete(const struct lya_app_state *st)
{
	const uint16_t both = LYA_TLS_CLIENT_CCS | LYA_TLS_SERVER_CCS;

	return (st->tls & both) == both;
}

static void broken(struct lya_app_state *st, unsigned side)
{
	if (!is_handshake_complete(st))
		st->tls |= LYA_TLS_GAP;
	app_side_done(st, side);
}

static bool is_client(const struct lya_app_state *st, unsigned side)
{
	return st->client == (int8_t)side;
}

static void recognised(struct lya_app_state *st, unsigned side)
{
	st->side[side].recognised = true;
	app_is(st, LYA_APP_TLS);
}

/* Messages -------------------------------------------------------------------- */

static void tell_hello(struct lya_app_state *st, unsigned side)
{
	const struct app_tls *t = &st->side[side].u.tls;

	if (st->obs == NULL)
		return;
	if (t->msg_type == MSG_CLIENT_HELLO && st->obs->on_client_hello != NULL)
		st->obs->on_client_hello(st->obs->ctx, side, &t->hello);
	if (t->msg_type == MSG_SERVER_HELLO && st->obs->on_server_hello != NULL)
		st->obs->on_server_hello(st->obs->ctx, side, &t->hello);
}

static void end_message(struct lya_app_state *st, unsigned side)
{
	struct app_tls *t = &st->side[side].u.tls;

	if (t->msg_type == MSG_SERVER_HELLO)
		st->tls_version = t->hello.version;
	tell_hello(st, side);
	t->msg_have = 0;
	st->side[side].have = 0;
	st->side[side].skip = 0;
}

/* A message's header is there: note it and choose how its body is read. */
static bool begin_message(struct lya_app_state *st, unsigned side)
{
	struct app_side *s = &st->side[side];
	struct app_tls *t = &s->u.tls;

	t->msg_type = t->msg_hdr[0];
	t->msg_left = (uint32_t)t->msg_hdr[1] << 16 | (uint32_t)t->msg_hdr[2] << 8 | t->msg_hdr[3];
	t->step = STEP_SKIP;
	switch (t->msg_type) {
	case MSG_CLIENT_HELLO:
	case MSG_SERVER_HELLO:
		memset(&t->hello, 0, sizeof(t->hello));
		t->step = STEP_FIXED;
		return t->msg_left >= 38;
	case MSG_CERTIFICATE:
		t->step = STEP_CHAIN_LEN;
		return t->msg_left >= 3;
	case MSG_CERT_REQUEST:
		st->tls |= LYA_TLS_CERT_REQUEST;
		return true;
	case MSG_HELLO_DONE:
		st->tls |= LYA_TLS_HELLO_DONE;
		return t->msg_left == 0;
	case MSG_CERT_VERIFY:
		st->tls |= LYA_TLS_CERT_VERIFY;
		return true;
	case MSG_HELLO_REQUEST:
		return t->msg_left == 0;
	case MSG_TICKET:
	case MSG_SERVER_KEY:
	case MSG_CLIENT_KEY:
	case MSG_CERT_STATUS:
	case MSG_FINISHED:
		return true;
	default:
		return false;
	}
}

/* Version, random, session id length. */
static bool read_fixed(struct lya_app_state *st, unsigned side, const uint8_t *p)
{
	struct app_tls *t = &st->side[side].u.tls;

	if (p[0] != 3 || p[34] > 32)
		return false;
	t->hello.version = (uint16_t)(p[0] << 8 | p[1]);
	memcpy(t->hello.random, p + 2, 32);
	t->hello.session_id_len = p[34];
	recognised(st, side);
	if (t->msg_type == MSG_CLIENT_HELLO) {
		st->tls |= LYA_TLS_CLIENT_HELLO;
		app_client_is(st, side);
	} else {
		st->tls |= LYA_TLS_SERVER_HELLO;
		app_client_is(st, !side);
	}
	t->step = STEP_SESSION;
	return true;
}

static void read_chain_len(struct lya_app_state *st, unsigned side, const uint8_t *p)
{
	bool empty = p[0] == 0 && p[1] == 0 && p[2] == 0;

	if (!is_client(st, side)) {
		st->tls |= LYA_TLS_SERVER_CERT;
		return;
	}
	st->tls |= empty ? LYA_TLS_CLIENT_CERT_EMPTY : LYA_TLS_CLIENT_CERT;
}

/* How many bytes the step at hand reads. */
static size_t step_size(const struct app_tls *t)
{
	switch (t->step) {
	case STEP_FIXED:
		return 35;
	case STEP_SESSION:
		return t->hello.session_id_len;
	case STEP_SUITES_LEN:
	case STEP_SUITE:
	case STEP_EXTS_LEN:
	case STEP_VERSIONS:
		return 2;
	case STEP_COMPRESSION:
		return 1;
	case STEP_CHOICE:
	case STEP_CHAIN_LEN:
		return 3;
	default:
		return 4; /* STEP_EXT */
	}
}

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

/* An extension's header: its body is skipped or read by the next step. */
static void read_ext(struct app_side *s, const uint8_t *p)
{
	struct app_tls *t = &s->u.tls;
	uint16_t type = be16(p), len = be16(p + 2);

	if (type == 0x0023 && t->msg_type == MSG_CLIENT_HELLO)
		t->hello.ticket = len > 0;
	if (type == 0x002B && t->msg_type == MSG_SERVER_HELLO && len == 2) {
		t->step = STEP_VERSIONS;
		return;
	}
	s->skip = len;
}

/* The piece that the step asked for is at p. */
static bool take_step(struct lya_app_state *st, unsigned side, const uint8_t *p)
{
	struct app_side *s = &st->side[side];
	struct app_tls *t = &s->u.tls;

	switch (t->step) {
	case STEP_FIXED:
		return read_fixed(st, side, p);
	case STEP_SESSION:
		memcpy(t->hello.session_id, p, t->hello.session_id_len);
		t->step = t->msg_type == MSG_CLIENT_HELLO ? STEP_SUITES_LEN : STEP_CHOICE;
		return true;
	case STEP_SUITES_LEN:
		t->part_left = be16(p);
		t->hello.suites = t->part_left / 2;
		t->step = STEP_SUITE;
		return t->part_left >= 2;
	case STEP_SUITE:
		t->hello.suite = be16(p);
		s->skip = (uint32_t)t->part_left - 2;
		t->step = STEP_COMPRESSION;
		return true;
	case STEP_COMPRESSION:
		s->skip = p[0];
		t->step = STEP_EXTS_LEN;
		return true;
	case STEP_CHOICE:
		t->hello.suite = be16(p);
		t->hello.suites = 1;
		t->step = STEP_EXTS_LEN;
		return true;
	case STEP_EXTS_LEN:
		t->step = STEP_EXT;
		return true;
	case STEP_EXT:
		read_ext(s, p);
		return true;
	case STEP_VERSIONS:
		t->hello.version = be16(p);
		t->step = STEP_EXT;
		return true;
	default:
		read_chain_len(st, side, p);
		t->step = STEP_SKIP;
		return true;
	}
}

/* Read the body of the message at hand from in, which ends with it or sooner. */
static bool read_body(struct lya_app_state *st, unsigned side, struct lya_cursor *in)
{
	struct app_side *s = &st->side[side];
	struct app_tls *t = &s->u.tls;

	while (lya_cursor_left(in) > 0) {
		const uint8_t *p;

		if (t->step == STEP_SKIP) {
			lya_cursor_skip(in, lya_cursor_left(in));
			return true;
		}
		if (!app_skip(s, in))
			return true;
		p = app_piece(s, in, step_size(t));
		if (p == NULL)
			return true;
		if (!take_step(st, side, p))
			return false;
	}
	return true;
}

/* Handshake bytes in clear, within one record. */
static bool read_handshake(struct lya_app_state *st, unsigned side, struct lya_cursor *in)
{
	struct app_tls *t = &st->side[side].u.tls;

	while (lya_cursor_left(in) > 0) {
		struct lya_cursor body;
		size_t n;

		if (t->msg_have < sizeof(t->msg_hdr)) {
			t->msg_hdr[t->msg_have++] = lya_cursor_u8(in);
			if (t->msg_have < sizeof(t->msg_hdr))
				continue;
			if (!begin_message(st, side))
				return false;
			if (t->msg_left == 0)
				end_message(st, side);
			continue;
		}
		body = *in;
		lya_cursor_limit(&body, t->msg_left);
		n = lya_cursor_left(&body);
		if (!read_body(st, side, &body))
			return false;
		lya_cursor_skip(in, n);
		t->msg_left -= (uint32_t)n;
		if (t->msg_left == 0)
			end_message(st, side);
	}
	return true;
}

/* Records --------------------------------------------------------------------- */

static void read_ccs(struct lya_app_state *st, unsigned side)
{
	const uint16_t server_flight = LYA_TLS_SERVER_HELLO | LYA_TLS_HELLO_DONE | LYA_TLS_GAP;

	if (st->client == -1)
		return;
	st->tls |= is_client(st, side) ? LYA_TLS_CLIENT_CCS : LYA_TLS_SERVER_CCS;
	if (st->tls_version == TLS_1_3)
		return;
	st->side[side].u.tls.flags |= TLS_CLEAR_DONE;
	if (!is_client(st, side) && (st->tls & server_flight) == LYA_TLS_SERVER_HELLO)
		st->tls |= LYA_TLS_RESUMED;
}

static void read_encrypted_handshake(struct lya_app_state *st, unsigned side)
{
	struct app_tls *t = &st->side[side].u.tls;

	if (!(t->flags & TLS_FINISHED)) {
		t->flags |= TLS_FINISHED;
		return;
	}
	if (is_handshake_complete(st))
		st->tls |= LYA_TLS_RENEGOTIATION;
}

/* A record's header is there. */
static bool begin_record(struct lya_app_state *st, unsigned side)
{
	struct app_tls *t = &st->side[side].u.tls;

	t->rec_type = t->rec_hdr[0];
	t->rec_left = t->rec_len = be16(t->rec_hdr + 3);
	if (t->rec_type < REC_CCS || t->rec_type > REC_DATA || t->rec_hdr[1] != 3 ||
	    t->rec_hdr[2] > 4 || t->rec_left > REC_MAX)
		return false;
	if (t->flags & TLS_FIRST_SEEN)
		recognised(st, side);
	t->flags |= TLS_FIRST_SEEN;
	if (t->records < UINT16_MAX)
		t->records++;

	if (t->rec_type == REC_DATA) {
		st->tls |= LYA_TLS_APP_DATA;
		st->service = true;
	}
	if (t->rec_type == REC_CCS)
		read_ccs(st, side);
	else if (t->rec_type == REC_HANDSHAKE && (t->flags & TLS_CLEAR_DONE))
		read_encrypted_handshake(st, side);
	return true;
}

void app_tls_feed(struct lya_app_state *st, unsigned side, struct lya_cursor *in)
{
	struct app_tls *t = &st->side[side].u.tls;

	while (lya_cursor_left(in) > 0) {
		struct lya_cursor body;
		size_t n;

		if (t->rec_left == 0 && t->rec_have < sizeof(t->rec_hdr)) {
			t->rec_hdr[t->rec_have++] = lya_cursor_u8(in);
			if (t->rec_have < sizeof(t->rec_hdr))
				continue;
			if (!begin_record(st, side)) {
				broken(st, side);
				return;
			}
			if (t->rec_left == 0)
				t->rec_have = 0;
			continue;
		}
		body = *in;
		lya_cursor_limit(&body, t->rec_left);
		n = lya_cursor_left(&body);
		if (t->rec_type == REC_HANDSHAKE && !(t->flags & TLS_CLEAR_DONE) &&
		    !read_handshake(st, side, &body)) {
			broken(st, side);
			return;
		}
		lya_cursor_skip(in, n);
		t->rec_left = (uint16_t)(t->rec_left - n);
		if (t->rec_left == 0)
			t->rec_have = 0;
	}
	if (st->service && is_handshake_complete(st) && t->records > RECORDS_ENOUGH)
		app_side_done(st, side);
}

bool app_tls_lost(struct lya_app_state *st, unsigned side, size_t n)
{
	struct app_tls *t = &st->side[side].u.tls;
	bool clear = t->rec_type == REC_HANDSHAKE && !(t->flags & TLS_CLEAR_DONE);

	if (n <= t->rec_left && !clear) {
		t->rec_left = (uint16_t)(t->rec_left - n);
		if (t->rec_left == 0)
			t->rec_have = 0;
		return true;
	}
	broken(st, side);
	return false;
}
