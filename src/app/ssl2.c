/*
 * ssl2.c - a TLS ClientHello in an SSLv2 frame (RFC 5246 appendix E.2).
 *
 * Two bytes of length with the top bit set, 01, the version, three lengths,
 * then cipher specs of three bytes, session id and challenge.  The server
 * answers in TLS records, and so does the client from there on.
 */
#include "app/machine.h"

#include <string.h>

enum { STEP_HEADER, STEP_CHALLENGE };

enum { HEADER = 11, CHALLENGE_MIN = 16, CHALLENGE_MAX = 32 };

/* Header bytes and the three lengths; false when they do not add up. */
static bool read_header(struct app_stream *s, const uint8_t *p)
{
	struct app_tls *t = &s->u.tls;
	size_t len = app_be16(p) & 0x7FFF;
	size_t specs = app_be16(p + 5), session = app_be16(p + 7), challenge = app_be16(p + 9);

	if (len != 9 + specs + session + challenge || specs == 0 || specs % 3 != 0 ||
	    session > 32 || challenge < CHALLENGE_MIN || challenge > CHALLENGE_MAX)
		return false;
	memset(&t->hello, 0, sizeof(t->hello));
	t->hello.version = app_be16(p + 3);
	t->hello.suites = (uint16_t)(specs / 3);
	t->big_len = (uint16_t)challenge;
	s->skip = (uint32_t)(specs + session);
	t->step = STEP_CHALLENGE;
	return true;
}

void app_ssl2_feed(struct lya_app_state *st, unsigned side, struct lya_cursor *in)
{
	struct app_stream *s = &st->stream[side];
	struct app_tls *t = &s->u.tls;

	while (lya_cursor_left(in) > 0) {
		const uint8_t *p;

		if (!app_skip(s, in))
			return;
		p = app_piece(s, in, t->step == STEP_HEADER ? (size_t)HEADER : t->big_len);
		if (p == NULL)
			return;
		if (t->step == STEP_HEADER) {
			if (!read_header(s, p)) {
				app_side_done(st, side);
				return;
			}
			continue;
		}
		memcpy(t->hello.random + sizeof(t->hello.random) - t->big_len, p, t->big_len);
		st->tls |= LYA_TLS_CLIENT_HELLO | LYA_TLS_SSLV2_HELLO;
		st->real_sides |= (uint8_t)(1U << side);
		app_is(st, LYA_APP_TLS);
		app_client_is(st, side);
		app_tls_client_hello(st, side, &t->hello);
		app_become(st, side, APP_TLS_MACHINE);
		app_tls_hello_seen(s);
		return;
	}
}
