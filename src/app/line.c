/*
 * line.c - SIP and HTTP: one line decides.
 *
 * OPTIONS, and any other method, exists in both: the version token tells, at
 * the end of a request line and at the start of a status line.
 */
#include "app/machine.h"

#include <string.h>

enum { LINE_MAX = 4096 };

enum { STEP_FIRST, STEP_TARGET, STEP_VERSION, STEP_STATUS };

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_method(const char *t, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!(t[i] >= 'A' && t[i] <= 'Z') && t[i] != '_' && t[i] != '-')
			return false;
	return n > 0;
}

/* The protocol of a whole version token; LYA_APP_NONE when it is none. */
static enum lya_app version_app(const char *t, size_t n)
{
	if (n == 7 && memcmp(t, "SIP/2.0", 7) == 0)
		return LYA_APP_SIP;
	if (n == 8 && memcmp(t, "HTTP/", 5) == 0 && is_digit(t[5]) && t[6] == '.' && is_digit(t[7]))
		return LYA_APP_HTTP;
	return LYA_APP_NONE;
}

/* A health probe asks for a page; what sends something is more than that. */
static bool is_probe_method(const char *t, size_t n)
{
	return (n == 3 && memcmp(t, "GET", 3) == 0) || (n == 4 && memcmp(t, "HEAD", 4) == 0);
}

/* How a line reads that is fed byte by byte; LYA_APP_UNKNOWN: not ours, NONE: go on. */
struct line_end {
	enum lya_app app;
	bool response;
};

static struct line_end step_line(struct app_line *l, char c)
{
	struct line_end end = { LYA_APP_NONE, false };
	bool blank = c == ' ', eol = c == '\r' || c == '\n';
	enum lya_app app;

	end.app = LYA_APP_UNKNOWN;
	switch (l->step) {
	case STEP_FIRST:
		if (eol && l->token_len == 0) { /* SIP's keep-alive, or a blank line before */
			end.app = LYA_APP_NONE;
			return end;
		}
		if (!blank) {
			if (l->token_len >= sizeof(l->token) || eol)
				return end;
			l->token[l->token_len++] = c;
			end.app = LYA_APP_NONE;
			return end;
		}
		if (version_app(l->token, l->token_len) != LYA_APP_NONE)
			l->step = STEP_STATUS;
		else if (is_method(l->token, l->token_len))
			l->step = STEP_TARGET;
		else
			return end;
		end.app = LYA_APP_NONE;
		l->probe = is_probe_method(l->token, l->token_len);
		if (l->step == STEP_TARGET)
			l->token_len = 0;
		l->digits = 0;
		return end;
	case STEP_TARGET:
		if (eol)
			return end;
		end.app = LYA_APP_NONE;
		if (blank)
			l->step = STEP_VERSION;
		return end;
	case STEP_VERSION:
		if (eol) {
			app = version_app(l->token, l->token_len);
			end.app = app == LYA_APP_NONE ? LYA_APP_UNKNOWN : app;
			return end;
		}
		if (l->token_len >= sizeof(l->token))
			return end;
		l->token[l->token_len++] = c;
		end.app = LYA_APP_NONE;
		return end;
	default:
		if (l->digits < 3 ? !is_digit(c) : (!blank && !eol))
			return end;
		end.app = LYA_APP_NONE;
		if (l->digits++ < 3)
			return end;
		end.app = version_app(l->token, l->token_len);
		end.response = true;
		return end;
	}
}

static void recognised(struct lya_app_state *st, unsigned side, struct line_end end)
{
	st->side[side].recognised = true;
	app_is(st, end.app);
	if (end.app == LYA_APP_HTTP) {
		app_client_is(st, end.response ? !side : side);
		if (!end.response && !st->side[side].u.line.probe)
			st->service = true;
	} else {
		st->service = true;
	}
}

void app_line_feed(struct lya_app_state *st, unsigned side, struct lya_cursor *in)
{
	struct app_side *s = &st->side[side];
	struct app_line *l = &s->u.line;

	while (lya_cursor_left(in) > 0) {
		struct line_end end = step_line(l, (char)lya_cursor_u8(in));

		if (end.app == LYA_APP_NONE && ++l->bytes < LINE_MAX)
			continue;
		if (end.app == LYA_APP_SIP || end.app == LYA_APP_HTTP)
			recognised(st, side, end);
		app_side_done(st, side);
		return;
	}
}

bool app_line_datagram(struct lya_app_state *st, unsigned side, const uint8_t *data, size_t len)
{
	struct app_line l = { .step = STEP_FIRST };

	for (size_t i = 0; i < len && i < LINE_MAX; i++) {
		struct line_end end = step_line(&l, (char)data[i]);

		if (end.app == LYA_APP_SIP) {
			recognised(st, side, end);
			return true;
		}
		if (end.app != LYA_APP_NONE)
			return false;
	}
	return false;
}
