/*
 * line.c - SIP (RFC 3261) and HTTP: one line decides.
 *
 * OPTIONS, and any other method, exists in both: the version token tells, at
 * the end of a request line and at the start of a status line.  What stands
 * between method and version may hold blanks: servers accept that, and
 * attackers know it.  A SIP request may be sent by either end of a connection;
 * an HTTP request names the client.
 */
#include "app/machine.h"

#include <string.h>

enum { LINE_MAX_BYTES = 4096 };

enum { STEP_FIRST, STEP_TARGET, STEP_VERSION, STEP_BLANK, STEP_STATUS };

enum line { LINE_MORE, LINE_NONE, LINE_SIP, LINE_HTTP };

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_method(const struct app_line *l)
{
	for (size_t i = 0; i < l->len; i++) {
		char c = l->token[i];

		if (!(c >= 'A' && c <= 'Z') && c != '_' && c != '-')
			return false;
	}
	return l->len > 0;
}

static bool token_is(const struct app_line *l, const char *text)
{
	size_t n = strlen(text);

	return l->len == n && memcmp(l->token, text, n) == 0;
}

/* What a version token says; HTTP/2.0 stands in the preface of HTTP/2 without TLS. */
static enum line version_of(const struct app_line *l)
{
	if (token_is(l, "SIP/2.0"))
		return LINE_SIP;
	if (l->len == 8 && memcmp(l->token, "HTTP/", 5) == 0 && is_digit(l->token[5]) &&
	    l->token[6] == '.' && is_digit(l->token[7]))
		return LINE_HTTP;
	return LINE_NONE;
}

/* Of a method or a version; what has others is neither, wherever the blank comes. */
static bool is_first_character(char c)
{
	return (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' || c == '-' || c == '/' || c == '.';
}

static enum line take_character(struct app_line *l, char c)
{
	if (l->len >= sizeof(l->token) || !is_first_character(c))
		return LINE_NONE;
	l->token[l->len++] = c;
	return LINE_MORE;
}

/* The first token: a method or the version of a status line. */
static enum line step_first(struct app_line *l, char c)
{
	bool eol = c == '\r' || c == '\n';

	if (eol) /* SIP's keep-alive is two blank lines */
		return l->len == 0 ? LINE_MORE : LINE_NONE;
	if (c != ' ')
		return take_character(l, c);
	if (version_of(l) != LINE_NONE) {
		l->step = STEP_STATUS;
		return LINE_MORE;
	}
	if (!is_method(l))
		return LINE_NONE;
	l->probe = token_is(l, "GET") || token_is(l, "HEAD");
	l->len = 0;
	l->step = STEP_TARGET;
	return LINE_MORE;
}

/* What follows the method: the last token is the version, or the line is none of ours. */
static enum line step_rest(struct app_line *l, char c)
{
	if (c == '\r' || c == '\n')
		return version_of(l);
	if (c == ' ') {
		l->step = STEP_BLANK;
		return LINE_MORE;
	}
	if (l->step == STEP_BLANK)
		l->len = 0;
	l->step = STEP_VERSION;
	if (l->len < sizeof(l->token)) /* a longer one is no version */
		l->token[l->len++] = c;
	return LINE_MORE;
}

static enum line step_line(struct app_line *l, char c)
{
	bool eol = c == '\r' || c == '\n';

	switch (l->step) {
	case STEP_FIRST:
		return step_first(l, c);
	case STEP_TARGET:
		if (c == ' ')
			l->step = STEP_BLANK;
		return eol ? LINE_NONE : LINE_MORE;
	case STEP_VERSION:
	case STEP_BLANK:
		return step_rest(l, c);
	default: /* STEP_STATUS: three digits, then a blank or the end */
		if (l->digits < 3) {
			l->digits++;
			return is_digit(c) ? LINE_MORE : LINE_NONE;
		}
		l->response = true;
		return c == ' ' || eol ? version_of(l) : LINE_NONE;
	}
}

static void recognised(struct lya_app_state *st, unsigned side, const struct app_line *l,
		       enum line line)
{
	if (line == LINE_SIP) {
		app_is(st, LYA_APP_SIP);
		st->service = true;
		return;
	}
	app_is(st, LYA_APP_HTTP);
	app_client_is(st, l->response ? !side : side);
	if (!l->response && !l->probe)
		st->service = true;
}

void app_line_feed(struct lya_app_state *st, unsigned side, struct lya_cursor *in)
{
	struct app_line *l = &st->stream[side].u.line;

	while (lya_cursor_left(in) > 0) {
		enum line line = step_line(l, (char)lya_cursor_u8(in));

		if (line == LINE_MORE && ++l->bytes < LINE_MAX_BYTES)
			continue;
		if (line == LINE_SIP || line == LINE_HTTP)
			recognised(st, side, l, line);
		app_side_done(st, side);
		return;
	}
}

bool app_line_datagram(struct lya_app_state *st, unsigned side, const uint8_t *data, size_t len,
		       size_t full_len)
{
	struct app_line l = { .step = STEP_FIRST };
	enum line line = LINE_MORE;

	(void)full_len; /* the first line is enough */
	for (size_t i = 0; i < len && i < LINE_MAX_BYTES && line == LINE_MORE; i++)
		line = step_line(&l, (char)data[i]);
	if (line != LINE_SIP) /* HTTP in datagrams is SSDP: another protocol */
		return false;
	recognised(st, side, &l, line);
	st->single = true;
	return true;
}
