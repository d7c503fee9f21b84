/*
 * ssrp.c - SQL Browser ([MC-SQLR]), UDP 1434.
 *
 * A request may be a single byte; that alone is no proof, the answer is.
 */
#include "app/machine.h"

#include <string.h>

enum { ASK_INSTANCE = 0x04, ASK_DAC = 0x0F, ANSWER = 0x05, ANSWER_HDR = 3, INSTANCE_MAX = 32 };

static bool is_instance_character(uint8_t c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '$' || c == '#' || c == '&';
}

/* A name and its NUL, and nothing after. */
static bool is_instance(const uint8_t *p, size_t len)
{
	if (len < 2 || len > INSTANCE_MAX + 1 || p[len - 1] != 0)
		return false;
	for (size_t i = 0; i + 1 < len; i++)
		if (!is_instance_character(p[i]))
			return false;
	return true;
}

static bool is_request(const uint8_t *data, size_t len)
{
	if (len >= 3 && data[0] == ASK_DAC && data[1] == 1)
		return is_instance(data + 2, len - 2);
	return len >= 3 && data[0] == ASK_INSTANCE && is_instance(data + 1, len - 1);
}

static bool is_answer(const uint8_t *data, size_t len, size_t full_len)
{
	static const char first[] = "ServerName;";
	size_t n = sizeof(first) - 1;

	return len >= ANSWER_HDR + n && data[0] == ANSWER &&
	       (size_t)(data[2] << 8 | data[1]) + ANSWER_HDR == full_len &&
	       memcmp(data + ANSWER_HDR, first, n) == 0;
}

/* The next text up to a semicolon, which is passed over; false at the end. */
static bool next_text(struct lya_cursor *c, struct lya_cursor *text)
{
	size_t n = 0;

	if (lya_cursor_left(c) == 0)
		return false;
	while (n < lya_cursor_left(c) && c->pos[n] != ';')
		n++;
	*text = lya_cursor_of(c->pos, n);
	lya_cursor_skip(c, n);
	lya_cursor_skip(c, lya_cursor_left(c) > 0 ? 1 : 0);
	return true;
}

static bool text_is(const struct lya_cursor *c, const char *s)
{
	size_t n = strlen(s);

	return lya_cursor_left(c) == n && memcmp(c->pos, s, n) == 0;
}

static uint16_t read_port(const struct lya_cursor *c)
{
	uint32_t n = 0;

	for (const uint8_t *p = c->pos; p < c->end; p++) {
		if (*p < '0' || *p > '9' || n > UINT16_MAX)
			return 0;
		n = n * 10 + (uint32_t)(*p - '0');
	}
	return n > UINT16_MAX ? 0 : (uint16_t)n;
}

static void tell(const struct lya_app_state *st, unsigned side, const struct lya_cursor *instance,
		 uint16_t port)
{
	char name[INSTANCE_MAX + 1];
	size_t n = lya_cursor_left(instance);

	if (n == 0 || n > INSTANCE_MAX)
		return;
	for (size_t i = 0; i < n; i++)
		if (!is_instance_character(instance->pos[i]))
			return;
	memcpy(name, instance->pos, n);
	name[n] = '\0';
	st->obs->on_sql_instance(st->obs->ctx, side, name, port);
}

/* Instances: "key;value;key;value;;", one after the other. */
static void tell_instances(const struct lya_app_state *st, unsigned side, struct lya_cursor c)
{
	struct lya_cursor key, value, instance = lya_cursor_of(c.pos, 0);
	uint16_t port = 0;

	while (next_text(&c, &key)) {
		if (lya_cursor_left(&key) == 0) { /* the second semicolon */
			tell(st, side, &instance, port);
			instance = lya_cursor_of(c.pos, 0);
			port = 0;
			continue;
		}
		if (!next_text(&c, &value))
			break;
		if (text_is(&key, "InstanceName"))
			instance = value;
		else if (text_is(&key, "tcp"))
			port = read_port(&value);
	}
	tell(st, side, &instance, port);
}

bool app_ssrp_datagram(struct lya_app_state *st, unsigned side, const uint8_t *data, size_t len,
		       size_t full_len)
{
	if (len == full_len && is_request(data, len)) {
		app_is_single(st, LYA_APP_SSRP, (int)side);
		return true;
	}
	if (!is_answer(data, len, full_len))
		return false;
	app_is_single(st, LYA_APP_SSRP, (int)!side);
	if (st->obs != NULL && st->obs->on_sql_instance != NULL)
		tell_instances(st, side, lya_cursor_of(data + ANSWER_HDR, len - ANSWER_HDR));
	return true;
}
