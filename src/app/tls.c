/*
 * tls.c - TLS 1.0 to 1.3 and SSL 3.0, as far as it is in clear.
 *
 * A walker over records, and over handshake messages inside them: either may
 * span segments, a message may span records.  Nothing is buffered but the
 * piece that is being read; bodies of no interest are counted off.  The only
 * contents kept are those of a hello, until it has been told.
 *
 * Up to TLS 1.2 everything before a side's ChangeCipherSpec is in clear; what
 * follows it is one Finished message, then data.  A handshake record after
 * both Finished is a renegotiation.  TLS 1.3 sends its ChangeCipherSpec only
 * for show and hides everything after the ServerHello in records of type 23.
 *
 * MS-TURN's pseudo-TLS is two fixed hellos, after which each side goes on in
 * frames of its own: told apart by those layouts and by the byte that follows.
 */
#include "app/machine.h"

#include <string.h>

enum {
	REC_CCS = 20,
	REC_ALERT = 21,
	REC_HANDSHAKE = 22,
	REC_DATA = 23,
	REC_HEARTBEAT = 24,    /* RFC 6520; no stream begins with it */
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

enum { EXT_SERVER_NAME = 0x0000, EXT_TICKET = 0x0023, EXT_VERSIONS = 0x002B };

/* What the walk inside a message reads next. */
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
	STEP_SNI_LEN,
	STEP_SNI,
	STEP_OFFERED_TICKET,
	STEP_TICKET_LEN,
	STEP_TICKET,
	STEP_CHAIN_LEN,
	STEP_LEAF_LEN,
	STEP_LEAF
};

/* How many bytes each step reads; those of the hello's session id and of big pieces vary. */
static const uint8_t step_size[] = {
	[STEP_FIXED] = 35,  [STEP_SUITES_LEN] = 2, [STEP_SUITE] = 2,     [STEP_COMPRESSION] = 1,
	[STEP_CHOICE] = 3,  [STEP_EXTS_LEN] = 2,   [STEP_EXT] = 4,       [STEP_VERSIONS] = 2,
	[STEP_SNI_LEN] = 5, [STEP_TICKET_LEN] = 6, [STEP_CHAIN_LEN] = 3, [STEP_LEAF_LEN] = 3,
};

/* flags of a side */
enum {
	TLS_VALID = 1 << 0,        /* one valid record header was seen */
	TLS_HELLO = 1 << 1,        /* its hello was seen */
	TLS_CLEAR_DONE = 1 << 2,   /* what follows is encrypted (not TLS 1.3), or cannot be read */
	TLS_FINISHED = 1 << 3,     /* and one encrypted handshake record went by */
	TLS_PSEUDO_HELLO = 1 << 4, /* the last message was pseudo-TLS's ServerHello */
	TLS_PSEUDO_END = 1 << 5,   /* pseudo-TLS may end here: the next byte tells */
	TLS_13_FINISHED = 1 << 6   /* TLS 1.3: the client's Finished went by */
};

enum {
	TLS_1_0 = 0x0301,
	TLS_1_3 = 0x0304,
	TLS_1_3_DRAFT = 0x7F,  /* first byte of the versions of its drafts */
	SUITE_PSEUDO = 0x0018, /* TLS_DH_anon_WITH_RC4_128_MD5 */
	PSEUDO_CLIENT_REC = 0x2D,
	PSEUDO_CLIENT_MSG = 0x29,
	PSEUDO_SERVER_REC = 0x4E,
	PSEUDO_SERVER_MSG = 0x46
};

/*
 * Records of a side after the handshake that are looked at: HTTP.sys asks for
 * a renegotiation right after the first request, so a few are enough.
 */
enum { AFTER_ENOUGH = 8 };

/*
 * TLS 1.3 hides the end of the handshake among the data.  A client's Finished
 * is 53 or 69 bytes as a record (SHA-256, SHA-384), an alert 19; before it come
 * at most certificate and verify.  A server sends five messages and some tickets.
 */
enum {
	T13_FINISHED_256 = 53,
	T13_FINISHED_384 = 69,
	T13_ALERT = 19,
	T13_CLIENT_HIDDEN = 3,
	T13_SERVER_HIDDEN = 12
};

static bool is_handshake_complete(const struct lya_app_state *st)
{
	const uint16_t both = LYA_TLS_CLIENT_CCS | LYA_TLS_SERVER_CCS;

	return (st->tls & both) == both;
}

static bool is_client(const struct lya_app_state *st, unsigned side)
{
	return st->client == (int8_t)side;
}

static void broken(struct lya_app_state *st, unsigned side)
{
	if (!is_handshake_complete(st))
		st->tls |= LYA_TLS_GAP;
	app_side_done(st, side);
}

static void recognised(struct lya_app_state *st)
{
	if (st->app == LYA_APP_XMPP)
		st->seen |= LYA_SEEN_STARTTLS;
	app_is(st, LYA_APP_TLS);
}

static void is_real(struct lya_app_state *st, unsigned side)
{
	st->real_sides |= (uint8_t)(1U << side);
	st->pseudo_sides &= (uint8_t) ~(1U << side);
}

static void is_pseudo(struct lya_app_state *st, unsigned side)
{
	st->pseudo_sides |= (uint8_t)(1U << side);
	st->stream[side].u.tls.flags |= TLS_PSEUDO_END;
}

/*
 * A hello of pseudo-TLS's lengths is taken for one until its end says more: the
 * capture may have cut it, and a real one has extensions.
 */
static void is_perhaps_pseudo(struct lya_app_state *st, unsigned side)
{
	const struct app_tls *t = &st->stream[side].u.tls;
	bool client = t->msg_type == MSG_CLIENT_HELLO;

	if (t->rec_len == (client ? PSEUDO_CLIENT_REC : PSEUDO_SERVER_REC) &&
	    t->msg_len == (client ? PSEUDO_CLIENT_MSG : PSEUDO_SERVER_MSG))
		st->pseudo_sides |= (uint8_t)(1U << side);
}

/* Hellos ---------------------------------------------------------------------- */

void app_tls_client_hello(struct lya_app_state *st, unsigned side,
			  const struct lya_tls_hello *hello)
{
	if (st->obs != NULL && st->obs->on_client_hello != NULL)
		st->obs->on_client_hello(st->obs->ctx, side, hello);
}

void app_tls_hello_seen(struct app_stream *s)
{
	s->u.tls.flags |= TLS_VALID | TLS_HELLO;
}

static bool is_pseudo_client(const struct app_tls *t)
{
	return t->rec_len == PSEUDO_CLIENT_REC && t->msg_len == PSEUDO_CLIENT_MSG &&
	       t->hello.version == TLS_1_0 && t->hello.session_id_len == 0 &&
	       t->hello.suites == 1 && t->hello.suite == SUITE_PSEUDO;
}

static bool is_pseudo_server(const struct app_tls *t)
{
	return t->rec_len == PSEUDO_SERVER_REC && t->msg_len == PSEUDO_SERVER_MSG &&
	       t->hello.version == TLS_1_0 && t->hello.session_id_len == 32 &&
	       t->hello.suite == SUITE_PSEUDO;
}

static void end_client_hello(struct lya_app_state *st, unsigned side)
{
	struct app_tls *t = &st->stream[side].u.tls;

	t->hello.pseudo = is_pseudo_client(t);
	if (t->hello.pseudo)
		is_pseudo(st, side);
	else
		is_real(st, side);
	app_tls_client_hello(st, side, &t->hello);
}

static void end_server_hello(struct lya_app_state *st, unsigned side)
{
	static const uint8_t retry[32] = { 0xCF, 0x21, 0xAD, 0x74, 0xE5, 0x9A, 0x61, 0x11,
					   0xBE, 0x1D, 0x8C, 0x02, 0x1E, 0x65, 0xB8, 0x91,
					   0xC2, 0xA2, 0x11, 0x16, 0x7A, 0xBB, 0x8C, 0x5E,
					   0x07, 0x9E, 0x09, 0xE2, 0xC8, 0xA8, 0x33, 0x9C };
	struct app_tls *t = &st->stream[side].u.tls;

	st->tls_version = t->hello.version;
	t->hello.retry = memcmp(t->hello.random, retry, sizeof(retry)) == 0;
	t->hello.pseudo = is_pseudo_server(t);
	if (t->hello.pseudo)
		t->flags |= TLS_PSEUDO_HELLO; /* ServerHelloDone must follow at once */
	else
		is_real(st, side);
	if (st->obs != NULL && st->obs->on_server_hello != NULL)
		st->obs->on_server_hello(st->obs->ctx, side, &t->hello);
}

static uint16_t version_of(const uint8_t *p)
{
	return p[0] == TLS_1_3_DRAFT ? TLS_1_3 : app_be16(p);
}

/*
 * Version, random, session id length.  Early drafts of TLS 1.3 left that one out
 * of the ServerHello, which named their version; since then 1.2 stands there.
 */
static bool read_fixed(struct lya_app_state *st, unsigned side, const uint8_t *p)
{
	struct app_tls *t = &st->stream[side].u.tls;
	bool client = t->msg_type == MSG_CLIENT_HELLO;
	bool draft = !client && version_of(p) == TLS_1_3;

	if (!draft && (p[0] != 3 || p[34] > 32))
		return false;
	t->hello.version = version_of(p);
	memcpy(t->hello.random, p + 2, 32);
	t->hello.session_id_len = draft ? 0 : p[34];
	t->flags |= TLS_HELLO;
	t->step = draft ? STEP_SKIP : STEP_SESSION;
	st->tls |= client ? LYA_TLS_CLIENT_HELLO : LYA_TLS_SERVER_HELLO;
	if (!client) /* until supported_versions says otherwise, which may get lost */
		st->tls_version = t->hello.version;
	recognised(st);
	app_client_is(st, client ? side : !side);
	return true;
}

static bool wants(const struct lya_app_state *st, uint8_t step)
{
	if (st->obs == NULL)
		return false;
	switch (step) {
	case STEP_SNI_LEN:
		return st->obs->on_sni != NULL;
	case STEP_LEAF_LEN:
		return st->obs->on_cert_name != NULL;
	default:
		return st->obs->on_ticket != NULL;
	}
}

/* An extension's header: its body is skipped, or read by the next step. */
static void read_ext(struct lya_app_state *st, unsigned side, const uint8_t *p)
{
	struct app_stream *s = &st->stream[side];
	struct app_tls *t = &s->u.tls;
	uint16_t type = app_be16(p), len = app_be16(p + 2);
	bool client = t->msg_type == MSG_CLIENT_HELLO;

	if (client && type == EXT_TICKET && len > 0) {
		t->hello.ticket = true;
		if (wants(st, STEP_OFFERED_TICKET)) {
			t->big_len = len;
			t->step = STEP_OFFERED_TICKET;
			return;
		}
	}
	if (client && type == EXT_SERVER_NAME && len > 5 && wants(st, STEP_SNI_LEN)) {
		t->step = STEP_SNI_LEN;
		t->big_len = (uint16_t)(len - 5); /* corrected when the name's own length is read */
		return;
	}
	if (!client && type == EXT_VERSIONS && len == 2) {
		t->step = STEP_VERSIONS;
		return;
	}
	s->skip = len;
}

/* Big pieces ------------------------------------------------------------------ */

static bool is_big(uint8_t step)
{
	return step == STEP_SNI || step == STEP_OFFERED_TICKET || step == STEP_TICKET ||
	       step == STEP_LEAF;
}

/* What is read after a big piece, or after skipping it. */
static uint8_t after_big(uint8_t step)
{
	return step == STEP_SNI || step == STEP_OFFERED_TICKET ? STEP_EXT : STEP_SKIP;
}

static bool is_host_character(uint8_t c)
{
	return c > ' ' && c < 0x7F;
}

static void tell_sni(struct lya_app_state *st, unsigned side, const uint8_t *name, size_t len)
{
	char text[LYA_DNS_NAME];

	if (len == 0 || len >= sizeof(text))
		return;
	for (size_t i = 0; i < len; i++)
		if (!is_host_character(name[i]))
			return;
	memcpy(text, name, len);
	text[len] = '\0';
	st->obs->on_sni(st->obs->ctx, side, text);
}

static void tell_big(struct lya_app_state *st, unsigned side, const uint8_t *p, size_t len)
{
	switch (st->stream[side].u.tls.step) {
	case STEP_SNI:
		tell_sni(st, side, p, len);
		break;
	case STEP_LEAF:
		app_certificate(st, side, p, len);
		break;
	default:
		st->obs->on_ticket(st->obs->ctx, side, p, len);
		break;
	}
}

/* Gather and tell the big piece at hand; false while more of it is to come. */
static bool read_big(struct lya_app_state *st, unsigned side, struct lya_cursor *in)
{
	struct app_stream *s = &st->stream[side];
	struct app_tls *t = &s->u.tls;
	const uint8_t *p = NULL;

	switch (app_big_piece(st, side, in, t->big_len, &p)) {
	case APP_BIG_MORE:
		return false;
	case APP_BIG_READY:
		tell_big(st, side, p, t->big_len);
		break;
	default:
		s->skip = t->big_len;
		break;
	}
	t->step = after_big(t->step);
	return true;
}

/* Messages -------------------------------------------------------------------- */

static void read_chain_len(struct lya_app_state *st, unsigned side, const uint8_t *p)
{
	struct app_tls *t = &st->stream[side].u.tls;
	bool empty = p[0] == 0 && p[1] == 0 && p[2] == 0;

	if (!is_client(st, side))
		st->tls |= LYA_TLS_SERVER_CERT;
	else
		st->tls |= empty ? LYA_TLS_CLIENT_CERT_EMPTY : LYA_TLS_CLIENT_CERT;
	t->step = !empty && wants(st, STEP_LEAF_LEN) ? STEP_LEAF_LEN : STEP_SKIP;
}

/*
 * A name or ticket with its own length, inside something of `room` bytes more;
 * what is left of the something is passed over by the step after.
 */
static void begin_big(struct app_tls *t, uint8_t step, size_t len, size_t room)
{
	t->step = len <= room && len <= UINT16_MAX ? step : STEP_SKIP;
	t->big_len = (uint16_t)len;
}

/* The small piece that the step asked for is at p. */
static bool take_step(struct lya_app_state *st, unsigned side, const uint8_t *p)
{
	struct app_stream *s = &st->stream[side];
	struct app_tls *t = &s->u.tls;
	uint16_t n;

	switch (t->step) {
	case STEP_FIXED:
		return read_fixed(st, side, p);
	case STEP_SESSION:
		memcpy(t->hello.session_id, p, t->hello.session_id_len);
		t->step = t->msg_type == MSG_CLIENT_HELLO ? STEP_SUITES_LEN : STEP_CHOICE;
		break;
	case STEP_SUITES_LEN:
		t->hello.suites = app_be16(p) / 2;
		t->step = STEP_SUITE;
		return t->hello.suites > 0;
	case STEP_SUITE:
		t->hello.suite = app_be16(p);
		s->skip = ((uint32_t)t->hello.suites - 1) * 2;
		t->step = STEP_COMPRESSION;
		break;
	case STEP_COMPRESSION:
		s->skip = p[0];
		t->step = STEP_EXTS_LEN;
		break;
	case STEP_CHOICE:
		t->hello.suite = app_be16(p);
		t->hello.suites = 1;
		t->step = STEP_EXTS_LEN;
		break;
	case STEP_EXTS_LEN:
		t->step = STEP_EXT;
		break;
	case STEP_EXT:
		read_ext(st, side, p);
		break;
	case STEP_VERSIONS:
		t->hello.version = version_of(p);
		t->step = STEP_EXT;
		break;
	case STEP_SNI_LEN: /* list length, name type, name length: one name is all there is */
		n = app_be16(p + 3);
		if (p[2] == 0 && n == t->big_len) {
			t->step = STEP_SNI;
		} else {
			s->skip = t->big_len;
			t->step = STEP_EXT;
		}
		break;
	case STEP_TICKET_LEN:
		begin_big(t, STEP_TICKET, app_be16(p + 4), t->msg_len - 6);
		break;
	case STEP_CHAIN_LEN:
		read_chain_len(st, side, p);
		break;
	default: /* STEP_LEAF_LEN */
		begin_big(t, STEP_LEAF, (size_t)p[0] << 16 | app_be16(p + 1), t->msg_len - 6);
		break;
	}
	return true;
}

static size_t small_size(const struct app_tls *t)
{
	return t->step == STEP_SESSION ? t->hello.session_id_len : step_size[t->step];
}

/* Read the body of the message at hand from in, which ends with it or sooner. */
static bool read_body(struct lya_app_state *st, unsigned side, struct lya_cursor *in)
{
	struct app_stream *s = &st->stream[side];
	struct app_tls *t = &s->u.tls;

	while (lya_cursor_left(in) > 0) {
		const uint8_t *p;

		if (t->step == STEP_SKIP) {
			lya_cursor_skip(in, lya_cursor_left(in));
			break;
		}
		if (!app_skip(s, in))
			break;
		if (is_big(t->step)) {
			if (!read_big(st, side, in))
				break;
			continue;
		}
		p = app_piece(s, in, small_size(t));
		if (p == NULL)
			break;
		if (!take_step(st, side, p))
			return false;
	}
	return true;
}

/* A message's header is there: note it and choose how its body is read. */
static bool begin_message(struct lya_app_state *st, unsigned side)
{
	struct app_tls *t = &st->stream[side].u.tls;
	const uint8_t *p = t->msg_hdr;

	t->msg_type = p[0];
	t->msg_len = t->msg_left = (uint32_t)p[1] << 16 | app_be16(p + 2);
	t->step = STEP_SKIP;
	switch (t->msg_type) {
	case MSG_CLIENT_HELLO:
	case MSG_SERVER_HELLO:
		memset(&t->hello, 0, sizeof(t->hello));
		is_perhaps_pseudo(st, side);
		t->step = STEP_FIXED;
		return t->msg_left >= 38;
	case MSG_HELLO_REQUEST:
		return t->msg_left == 0;
	case MSG_CERTIFICATE:
		t->step = STEP_CHAIN_LEN;
		return t->msg_left >= 3;
	case MSG_TICKET:
		if (t->msg_left >= 6 && wants(st, STEP_TICKET_LEN))
			t->step = STEP_TICKET_LEN;
		return true;
	case MSG_CERT_REQUEST:
		st->tls |= LYA_TLS_CERT_REQUEST;
		return true;
	case MSG_CERT_VERIFY:
		st->tls |= LYA_TLS_CERT_VERIFY;
		return true;
	case MSG_HELLO_DONE:
		st->tls |= LYA_TLS_HELLO_DONE;
		return t->msg_left == 0;
	case MSG_SERVER_KEY:
	case MSG_CLIENT_KEY:
	case MSG_CERT_STATUS:
	case MSG_FINISHED:
		return true;
	default:
		return false;
	}
}

static void end_message(struct lya_app_state *st, unsigned side)
{
	struct app_stream *s = &st->stream[side];
	struct app_tls *t = &s->u.tls;
	bool after_pseudo = (t->flags & TLS_PSEUDO_HELLO) != 0;

	t->flags &= (uint16_t)~TLS_PSEUDO_HELLO;
	if (t->msg_type == MSG_CLIENT_HELLO)
		end_client_hello(st, side);
	else if (t->msg_type == MSG_SERVER_HELLO)
		end_server_hello(st, side);
	else if (!after_pseudo)
		is_real(st, side);
	else if (t->msg_type == MSG_HELLO_DONE && t->rec_len == PSEUDO_SERVER_REC)
		is_pseudo(st, side);
	else
		is_real(st, side);
	t->msg_have = 0;
	s->have = 0;
	s->big_have = 0;
	s->skip = 0;
}

/*
 * Up to four bytes of a message's header; false when it is none.  A side whose
 * first message is no hello was not seen from its start: it cannot be read.
 */
static bool read_message_header(struct lya_app_state *st, unsigned side, struct lya_cursor *in)
{
	struct app_tls *t = &st->stream[side].u.tls;

	t->msg_hdr[t->msg_have++] = lya_cursor_u8(in);
	if (t->msg_have < sizeof(t->msg_hdr))
		return true;
	if (!(t->flags & TLS_HELLO) && t->msg_hdr[0] > MSG_SERVER_HELLO) {
		t->flags |= TLS_CLEAR_DONE | TLS_FINISHED;
		st->tls |= LYA_TLS_GAP;
		return true;
	}
	if (!begin_message(st, side))
		return false;
	if (t->msg_left == 0)
		end_message(st, side);
	return true;
}

/* Handshake bytes in clear, within one record. */
static bool read_handshake(struct lya_app_state *st, unsigned side, struct lya_cursor *in)
{
	struct app_tls *t = &st->stream[side].u.tls;

	while (lya_cursor_left(in) > 0 && !(t->flags & TLS_CLEAR_DONE)) {
		struct lya_cursor body = *in;
		size_t n;

		if (t->msg_have < sizeof(t->msg_hdr)) {
			if (!read_message_header(st, side, in))
				return false;
			continue;
		}
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
	const uint16_t server_flight =
	    LYA_TLS_SERVER_HELLO | LYA_TLS_SERVER_CERT | LYA_TLS_HELLO_DONE | LYA_TLS_GAP;
	bool server = st->client == (int8_t)!side;

	if (is_client(st, side))
		st->tls |= LYA_TLS_CLIENT_CCS;
	if (server)
		st->tls |= LYA_TLS_SERVER_CCS;
	if (st->tls_version == TLS_1_3)
		return;
	st->stream[side].u.tls.flags |= TLS_CLEAR_DONE;
	if (server && (st->tls & server_flight) == LYA_TLS_SERVER_HELLO)
		st->tls |= LYA_TLS_RESUMED;
}

static void read_encrypted_handshake(struct lya_app_state *st, unsigned side)
{
	struct app_tls *t = &st->stream[side].u.tls;

	if (!(t->flags & TLS_FINISHED))
		t->flags |= TLS_FINISHED;
	else if (is_handshake_complete(st))
		st->tls |= LYA_TLS_RENEGOTIATION;
}

/* TLS 1.3: whether a record of type 23 is data and no longer handshake, as far as it shows. */
static bool is_data_13(struct lya_app_state *st, unsigned side)
{
	struct app_tls *t = &st->stream[side].u.tls;

	if (t->hidden < UINT8_MAX)
		t->hidden++;
	if (!is_client(st, side))
		return t->hidden > T13_SERVER_HIDDEN;
	if (t->flags & TLS_13_FINISHED)
		return t->rec_len != T13_ALERT;
	if (t->rec_len == T13_FINISHED_256 || t->rec_len == T13_FINISHED_384 ||
	    t->hidden >= T13_CLIENT_HIDDEN)
		t->flags |= TLS_13_FINISHED;
	return false;
}

static void read_data(struct lya_app_state *st, unsigned side)
{
	if (st->tls_version == TLS_1_3 && !is_data_13(st, side))
		return;
	st->tls |= LYA_TLS_APP_DATA;
	st->service = true;
}

/* The other side's stream begins with a record, too. */
static bool is_answered(const struct lya_app_state *st, unsigned side)
{
	const struct app_stream *other = &st->stream[!side];

	return other->machine == APP_TLS_MACHINE && (other->u.tls.flags & TLS_VALID);
}

/* A record's header is there; false when it is none. */
static bool begin_record(struct lya_app_state *st, unsigned side)
{
	struct app_tls *t = &st->stream[side].u.tls;
	const uint8_t *p = t->rec_hdr;

	t->rec_type = p[0];
	t->rec_left = t->rec_len = app_be16(p + 3);
	if (p[0] < REC_CCS || p[0] > REC_HEARTBEAT || p[1] != 3 || p[2] > 4 || t->rec_len > REC_MAX)
		return false;
	if ((t->flags & TLS_VALID) || is_answered(st, side))
		recognised(st); /* two, without a hello: a flow whose start was missed */
	t->flags |= TLS_VALID;
	if (t->rec_type != REC_HANDSHAKE && st->app == LYA_APP_TLS)
		is_real(st, side);
	if ((is_handshake_complete(st) || t->hidden > 0 || !(t->flags & TLS_HELLO)) &&
	    t->after < UINT8_MAX)
		t->after++;

	if (t->rec_type == REC_CCS)
		read_ccs(st, side);
	else if (t->rec_type == REC_DATA)
		read_data(st, side);
	else if (t->rec_type == REC_HANDSHAKE && (t->flags & TLS_CLEAR_DONE))
		read_encrypted_handshake(st, side);
	return true;
}

/*
 * The two bytes of an alert in clear.  They are gathered over the record's header, which has
 * been read: a piece of a message may be half gathered in the stream's own place.
 */
static void read_alert(struct lya_app_state *st, unsigned side, struct lya_cursor *in)
{
	enum { WARNING = 1, FATAL = 2, NO_CERTIFICATE = 41 };
	struct app_tls *t = &st->stream[side].u.tls;
	size_t have = (size_t)t->rec_len - t->rec_left;
	uint8_t *p = t->rec_hdr;

	while (have < 2 && lya_cursor_left(in) > 0)
		p[have++] = lya_cursor_u8(in);
	if (have < 2 || (p[0] != WARNING && p[0] != FATAL))
		return;
	recognised(st); /* seven bytes that say nothing else, be they all that was said */
	if (p[0] == FATAL)
		st->tls |= LYA_TLS_ALERT;
	if (p[0] == WARNING && p[1] == NO_CERTIFICATE && is_client(st, side))
		st->tls |= LYA_TLS_CLIENT_CERT_EMPTY; /* how SSL 3.0 says it */
}

/* Bytes of one record; false when they cannot be. */
static bool read_record(struct lya_app_state *st, unsigned side, struct lya_cursor *in)
{
	struct app_tls *t = &st->stream[side].u.tls;

	if (t->flags & TLS_CLEAR_DONE)
		return true;
	if (t->rec_type == REC_HANDSHAKE)
		return read_handshake(st, side, in);
	if (t->rec_type == REC_ALERT && t->rec_len == 2)
		read_alert(st, side, in);
	return true;
}

/*
 * At the first byte of a record.  After pseudo-TLS's last byte either MS-TURN's
 * frames begin, or it was a real handshake that looked like it.
 */
static bool is_frames_begin(struct lya_app_state *st, unsigned side, const struct lya_cursor *in)
{
	struct app_tls *t = &st->stream[side].u.tls;

	if (!(t->flags & TLS_PSEUDO_END) || t->rec_have > 0)
		return false;
	t->flags &= (uint16_t)~TLS_PSEUDO_END;
	if (in->pos[0] == 2 || in->pos[0] == 3)
		return true;
	is_real(st, side);
	return false;
}

/*
 * Data of a side that has said hello and no ChangeCipherSpec, which up to TLS 1.2
 * cannot be: its handshake is not in this stream, whatever comes.
 */
static bool is_past_handshake(const struct lya_app_state *st, unsigned side)
{
	const struct app_tls *t = &st->stream[side].u.tls;

	return t->rec_type == REC_DATA && t->rec_have == sizeof(t->rec_hdr) &&
	       (t->flags & (TLS_HELLO | TLS_CLEAR_DONE)) == TLS_HELLO && st->tls_version != 0 &&
	       st->tls_version != TLS_1_3;
}

/* Asked at every step, not once a segment: where segments end must not matter. */
static bool is_enough(const struct lya_app_state *st, unsigned side)
{
	return st->stream[side].u.tls.after >= AFTER_ENOUGH || is_past_handshake(st, side);
}

/* What there is of a record's header; true when it is whole. */
static bool read_record_header(struct app_tls *t, struct lya_cursor *in)
{
	size_t n = sizeof(t->rec_hdr) - (size_t)t->rec_have;

	if (n > lya_cursor_left(in))
		n = lya_cursor_left(in);
	memcpy(t->rec_hdr + t->rec_have, lya_cursor_take(in, n), n);
	t->rec_have = (uint8_t)(t->rec_have + n);
	return t->rec_have == sizeof(t->rec_hdr);
}

void app_tls_feed(struct lya_app_state *st, unsigned side, struct lya_cursor *in)
{
	struct app_tls *t = &st->stream[side].u.tls;

	while (lya_cursor_left(in) > 0 && !is_enough(st, side)) {
		struct lya_cursor body = *in;
		size_t n;

		if (is_frames_begin(st, side, in)) {
			app_become(st, side, APP_MSTURN_MACHINE);
			return;
		}
		if (t->rec_have < sizeof(t->rec_hdr)) {
			if (!read_record_header(t, in))
				continue;
			if (!begin_record(st, side)) {
				broken(st, side);
				return;
			}
			if (t->rec_left == 0)
				t->rec_have = 0;
			continue;
		}
		lya_cursor_limit(&body, t->rec_left);
		n = lya_cursor_left(&body);
		if (!read_record(st, side, &body)) {
			broken(st, side);
			return;
		}
		lya_cursor_skip(in, n);
		t->rec_left = (uint16_t)(t->rec_left - n);
		if (t->rec_left == 0)
			t->rec_have = 0;
	}
	if (is_enough(st, side))
		app_side_done(st, side);
}

/* Whether n lost bytes lie in a part of a message that is passed over anyway. */
static bool is_skipped(struct app_stream *s, size_t n)
{
	struct app_tls *t = &s->u.tls;

	if (t->msg_have < sizeof(t->msg_hdr) || n > t->msg_left)
		return false;
	if (is_big(t->step) && s->skip == 0) { /* its contents are lost, its end is known */
		s->skip = t->big_len - (uint32_t)s->big_have;
		s->big_have = 0;
		t->step = after_big(t->step);
	}
	if (t->step == STEP_SKIP)
		return true;
	return s->have == 0 && n <= s->skip;
}

bool app_tls_lost(struct lya_app_state *st, unsigned side, size_t n)
{
	struct app_stream *s = &st->stream[side];
	struct app_tls *t = &s->u.tls;
	bool clear = t->rec_type == REC_HANDSHAKE && !(t->flags & TLS_CLEAR_DONE);

	if (t->rec_have < sizeof(t->rec_hdr) || n > t->rec_left || (clear && !is_skipped(s, n))) {
		broken(st, side);
		return false;
	}
	if (clear) {
		s->skip -= s->skip < n ? s->skip : (uint32_t)n;
		t->msg_left -= (uint32_t)n;
		if (t->msg_left == 0)
			end_message(st, side);
	}
	t->rec_left = (uint16_t)(t->rec_left - n);
	if (t->rec_left == 0)
		t->rec_have = 0;
	return true;
}
