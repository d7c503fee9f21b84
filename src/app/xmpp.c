/*
 * xmpp.c - XMPP streams (RFC 6120) and their change to TLS.
 *
 * A scan for the names of tags, no XML reader: enough to see a stream begin,
 * who began it, and what is said in clear.  After STARTTLS the first byte of a
 * TLS record (22) follows; it cannot stand in XML, so that byte alone is the
 * mark, and a side can be read without the other one.
 */
#include "app/machine.h"

#include <string.h>

enum { OPENER_MAX = 2048, TLS_BYTE = 0x16 };

static bool name_is(const struct app_xmpp *x, const char *name)
{
	size_t n = strlen(name);

	return x->len == n && memcmp(x->name, name, n) == 0;
}

static bool is_stanza(const struct app_xmpp *x)
{
	return name_is(x, "message") || name_is(x, "presence") || name_is(x, "iq") ||
	       name_is(x, "auth") || (x->len >= 3 && memcmp(x->name, "db:", 3) == 0);
}

/* A tag has ended.  Only an answer's stream header carries an id. */
static void end_tag(struct lya_app_state *st, unsigned side)
{
	struct app_xmpp *x = &st->stream[side].u.xmpp;

	if (name_is(x, "stream:stream")) {
		if (st->app != LYA_APP_XMPP || st->client == -1)
			app_client_is(st, x->has_id ? !side : side);
		app_is(st, LYA_APP_XMPP);
		st->service = true;
	} else if (is_stanza(x) && st->app == LYA_APP_XMPP) {
		st->seen |= LYA_SEEN_CLEAR;
	}
	x->in_tag = false;
}

static void begin_tag(struct app_xmpp *x)
{
	x->in_tag = true;
	x->in_name = true;
	x->has_id = false;
	x->len = 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* A character inside a tag, before its '>'. */
static void take_in_tag(struct app_xmpp *x, char c)
{
	if (x->in_name && (is_blank(c) || (c == '/' && x->len > 0))) {
		x->in_name = false;
	} else if (x->in_name && x->len < sizeof(x->name)) {
		x->name[x->len++] = c;
	} else if (c == '=' && x->last[3] == 'd' && x->last[2] == 'i' && is_blank(x->last[1])) {
		x->has_id = true;
	}
}

static void take(struct lya_app_state *st, unsigned side, char c)
{
	struct app_xmpp *x = &st->stream[side].u.xmpp;

	if (c == '<')
		begin_tag(x);
	else if (x->in_tag && c == '>')
		end_tag(st, side);
	else if (x->in_tag)
		take_in_tag(x, c);
	memmove(x->last, x->last + 1, sizeof(x->last) - 1);
	x->last[sizeof(x->last) - 1] = c;
}

void app_xmpp_feed(struct lya_app_state *st, unsigned side, struct lya_cursor *in)
{
	struct app_xmpp *x = &st->stream[side].u.xmpp;

	while (lya_cursor_left(in) > 0) {
		if (in->pos[0] == TLS_BYTE && st->app == LYA_APP_XMPP) {
			app_become(st, side, APP_TLS_MACHINE);
			return;
		}
		take(st, side, (char)lya_cursor_u8(in));
		if ((st->app != LYA_APP_XMPP && ++x->bytes >= OPENER_MAX) ||
		    (st->seen & LYA_SEEN_CLEAR)) {
			app_side_done(st, side);
			return;
		}
	}
}
