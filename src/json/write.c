/*
 * write.c - values in the order of the calls, without allocation.
 *
 * Flow logs write millions of lines through this file: what has a length known
 * at once goes to the output in one piece, and strings in runs of bytes that
 * need no escape.
 */
#include "lyncaudit/json.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static void put(struct lya_json_writer *w, const char *s, size_t len)
{
	lya_output_write(w->out, s, len);
}

void lya_jw_init(struct lya_json_writer *w, struct lya_output *out, enum lya_jw_style style)
{
	memset(w, 0, sizeof(*w));
	w->out = out;
	w->style = style;
}

static uint64_t depth_bit(const struct lya_json_writer *w)
{
	return UINT64_C(1) << w->depth;
}

/* Asked by assertions alone. */
__attribute__((unused)) static bool in_object(const struct lya_json_writer *w)
{
	return (w->objects & depth_bit(w)) != 0;
}

static bool is_flat(const struct lya_json_writer *w)
{
	return w->flat != 0 && w->depth >= w->flat;
}

/* Begin a line at the current depth. */
static void indent(struct lya_json_writer *w)
{
	static const char spaces[] = "\n                                                        "
				     "                                                        "
				     "                  ";

	put(w, spaces, 1 + 2 * (size_t)w->depth);
}

/* What stands between the one before and the next item of an array or object. */
static void separate(struct lya_json_writer *w)
{
	bool first = (w->filled & depth_bit(w)) == 0;

	w->filled |= depth_bit(w);
	if (w->depth == 0)
		return;
	if (!first)
		put(w, ",", 1);
	if (w->style != LYA_JW_PRETTY)
		return;
	if (!is_flat(w))
		indent(w);
	else if (!first)
		put(w, " ", 1);
}

/* A value comes next. */
static void begin_value(struct lya_json_writer *w)
{
	if (w->keyed) {
		w->keyed = false;
		return;
	}
	assert(!in_object(w) && "a value in an object follows its key");
	assert((w->depth > 0 || w->filled == 0) && "one value, then lya_jw_end");
	separate(w);
}

static void open_container(struct lya_json_writer *w, bool object)
{
	begin_value(w);
	assert(w->depth < LYA_JW_DEPTH_MAX && "reports are not that deep");
	put(w, object ? "{" : "[", 1);
	w->depth++;
	w->filled &= ~depth_bit(w);
	if (object)
		w->objects |= depth_bit(w);
	else
		w->objects &= ~depth_bit(w);
}

static void close_container(struct lya_json_writer *w, bool object)
{
	bool flat = is_flat(w);
	bool filled = (w->filled & depth_bit(w)) != 0;

	assert(w->depth > 0 && !w->keyed && in_object(w) == object && "close what was opened");
	w->depth--;
	if (w->style == LYA_JW_PRETTY && filled && !flat)
		indent(w);
	if (w->flat > w->depth)
		w->flat = 0;
	put(w, object ? "}" : "]", 1);
}

void lya_jw_object_open(struct lya_json_writer *w)
{
	open_container(w, true);
}

void lya_jw_object_close(struct lya_json_writer *w)
{
	close_container(w, true);
}

void lya_jw_array_open(struct lya_json_writer *w)
{
	open_container(w, false);
}

void lya_jw_array_close(struct lya_json_writer *w)
{
	close_container(w, false);
}

void lya_jw_flat(struct lya_json_writer *w)
{
	if (w->flat == 0)
		w->flat = w->depth + 1;
}

/* A byte that stands in a string as it is; others are looked at more closely. */
static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static void put_escape(struct lya_json_writer *w, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	static const char plain[] = "\"\\\b\f\n\r\t";
	static const char letter[] = "\"\\bfnrt";
	const char *which = memchr(plain, c, sizeof(plain) - 1);
	char out[6] = { '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] };

	if (which != NULL) {
		out[1] = letter[which - plain];
		put(w, out, 2);
		return;
	}
	put(w, out, sizeof(out));
}

static void put_string(struct lya_json_writer *w, const char *s, size_t len)
{
	size_t run = 0; /* where the bytes not yet written begin */
	size_t i = 0;

	put(w, "\"", 1);
	while (i < len) {
		unsigned char c = (unsigned char)s[i];
		unsigned n = is_plain(c) ? 1 : lya_utf8_len(s + i, len - i);

		if (is_plain(c) || n > 1) {
			i += n;
			continue;
		}
		put(w, s + run, i - run);
		if (n == 1)
			put_escape(w, c);
		else
			put(w, "\xef\xbf\xbd", 3); /* U+FFFD */
		i++;
		run = i;
	}
	put(w, s + run, len - run);
	put(w, "\"", 1);
}

void lya_jw_key(struct lya_json_writer *w, const char *name)
{
	assert(w->depth > 0 && in_object(w) && !w->keyed && "keys stand in objects");
	separate(w);
	put_string(w, name, strlen(name));
	if (w->style == LYA_JW_PRETTY)
		put(w, ": ", 2);
	else
		put(w, ":", 1);
	w->keyed = true;
}

void lya_jw_string_len(struct lya_json_writer *w, const char *s, size_t len)
{
	begin_value(w);
	put_string(w, s, len);
}

void lya_jw_string(struct lya_json_writer *w, const char *s)
{
	if (s == NULL)
		lya_jw_null(w);
	else
		lya_jw_string_len(w, s, strlen(s));
}

/* The digits of n, ending before `end`; returns where they begin. */
static char *digits_of(uint64_t n, char *end)
{
	do {
		*--end = (char)('0' + n % 10);
		n /= 10;
	} while (n != 0);
	return end;
}

void lya_jw_uint(struct lya_json_writer *w, uint64_t n)
{
	char buf[20];
	char *p = digits_of(n, buf + sizeof(buf));

	begin_value(w);
	put(w, p, (size_t)(buf + sizeof(buf) - p));
}

void lya_jw_int(struct lya_json_writer *w, int64_t n)
{
	char buf[21];
	char *p = digits_of(n < 0 ? 0 - (uint64_t)n : (uint64_t)n, buf + sizeof(buf));

	if (n < 0)
		*--p = '-';
	begin_value(w);
	put(w, p, (size_t)(buf + sizeof(buf) - p));
}

void lya_jw_bool(struct lya_json_writer *w, bool b)
{
	begin_value(w);
	if (b)
		put(w, "true", 4);
	else
		put(w, "false", 5);
}

void lya_jw_null(struct lya_json_writer *w)
{
	begin_value(w);
	put(w, "null", 4);
}

void lya_jw_double(struct lya_json_writer *w, double d, unsigned digits)
{
	char buf[352]; /* the largest double has 309 digits before the point */
	char *point;
	int n;

	if (!isfinite(d)) {
		lya_jw_null(w);
		return;
	}
	n = snprintf(buf, sizeof(buf), "%.*f", digits > 9 ? 9 : (int)digits, d);
	point = memchr(buf, ',', (size_t)n); /* some locales write it so */
	if (point != NULL)
		*point = '.';
	begin_value(w);
	put(w, buf, (size_t)n);
}

void lya_jw_member_string(struct lya_json_writer *w, const char *name, const char *s)
{
	lya_jw_key(w, name);
	lya_jw_string(w, s);
}

void lya_jw_member_int(struct lya_json_writer *w, const char *name, int64_t n)
{
	lya_jw_key(w, name);
	lya_jw_int(w, n);
}

void lya_jw_member_uint(struct lya_json_writer *w, const char *name, uint64_t n)
{
	lya_jw_key(w, name);
	lya_jw_uint(w, n);
}

void lya_jw_member_bool(struct lya_json_writer *w, const char *name, bool b)
{
	lya_jw_key(w, name);
	lya_jw_bool(w, b);
}

void lya_jw_member_null(struct lya_json_writer *w, const char *name)
{
	lya_jw_key(w, name);
	lya_jw_null(w);
}

void lya_jw_member_double(struct lya_json_writer *w, const char *name, double d, unsigned digits)
{
	lya_jw_key(w, name);
	lya_jw_double(w, d, digits);
}

void lya_jw_end(struct lya_json_writer *w)
{
	assert(w->depth == 0 && !w->keyed && "the value is complete");
	put(w, "\n", 1);
	w->filled = 0;
}
