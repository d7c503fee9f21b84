/*
 * scan.c - the check that a text must pass before json-c sees it.
 *
 * json-c accepts more than JSON (NaN, single quotes, what bytes it finds in
 * strings) and lets the last of two equal members win without a word; in its
 * strict mode it knows no comments.  So a small descent over the grammar comes
 * first: it names the place of a syntax error, checks UTF-8, bounds the depth,
 * turns comments into spaces and finds members that are given twice.
 */
#include "json/scan.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lyncaudit/alloc.h"
#include "lyncaudit/json.h"
#include "lyncaudit/text.h"

/* A member name of an object that is still open; its decoded bytes lie in the arena. */
struct key {
	size_t at, len; /* in the arena */
	size_t pos;     /* in the text */
	size_t line;
};

/* Where the scan is in one array or object: the path of a message is made of these. */
struct frame {
	bool is_object;
	size_t first_key; /* the object's keys are those from here on */
	size_t arena_len; /* as it was when the container began */
	size_t count;     /* members or elements so far */
};

struct scan {
	char *text;
	size_t len, pos;
	size_t line, line_start; /* line counts from 1; line_start is an offset */
	const char *name;
	struct lya_diags *diags;
	bool nomem;
	struct frame frames[LYA_JSON_DEPTH_MAX];
	unsigned depth;
	struct key *keys;
	size_t n_keys, cap_keys;
	char *arena;
	size_t arena_len, arena_cap;
};

static bool scan_value(struct scan *s);

/* Note a fault at an offset of the current line; always false. */
__attribute__((format(printf, 3, 4))) static bool fault(struct scan *s, size_t pos, const char *fmt,
							...)
{
	char where[512];
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)snprintf(where, sizeof(where), "%s:%zu:%zu", s->name, s->line,
		       pos - s->line_start + 1);
	lya_diags_add(s->diags, LYA_DIAG_ERROR, where, NULL, "%s", text);
	return false;
}

/* "wanted WHAT, found ..." at the current place; always false. */
static bool wanted(struct scan *s, const char *what)
{
	unsigned char c = (unsigned char)s->text[s->pos];

	if (s->pos == s->len)
		return fault(s, s->pos, "wanted %s, found the end of the file", what);
	if (c == '"')
		return fault(s, s->pos, "wanted %s, found a string", what);
	if (c > 0x20 && c < 0x7f)
		return fault(s, s->pos, "wanted %s, found '%c'", what, c);
	return fault(s, s->pos, "wanted %s, found byte 0x%02x", what, c);
}

/* Step over one character of a string or comment. */
static bool step(struct scan *s)
{
	unsigned n = lya_utf8_len(s->text + s->pos, s->len - s->pos);

	if (n == 0)
		return fault(s, s->pos, "wanted UTF-8, found byte 0x%02x",
			     (unsigned char)s->text[s->pos]);
	s->pos += n;
	return true;
}

static void newline(struct scan *s)
{
	s->pos++;
	s->line++;
	s->line_start = s->pos;
}

/* Blank from `from` to the current place, line ends kept. */
static void blank(struct scan *s, size_t from)
{
	for (size_t i = from; i < s->pos; i++) {
		if (s->text[i] != '\n' && s->text[i] != '\r')
			s->text[i] = ' ';
	}
}

static bool scan_line_comment(struct scan *s)
{
	size_t from = s->pos;

	while (s->pos < s->len && s->text[s->pos] != '\n') {
		if (!step(s))
			return false;
	}
	blank(s, from);
	return true;
}

static bool scan_block_comment(struct scan *s)
{
	size_t from = s->pos;
	size_t line = s->line;

	s->pos += 2;
	while (s->pos < s->len) {
		if (s->text[s->pos] == '*' && s->pos + 1 < s->len && s->text[s->pos + 1] == '/') {
			s->pos += 2;
			blank(s, from);
			return true;
		}
		if (s->text[s->pos] == '\n')
			newline(s);
		else if (!step(s))
			return false;
	}
	return fault(s, s->pos, "the comment that begins in line %zu has no end", line);
}

/* White space and comments. */
static bool skip(struct scan *s)
{
	while (s->pos < s->len) {
		char c = s->text[s->pos];

		if (c == '\n') {
			newline(s);
		} else if (c == ' ' || c == '\t' || c == '\r') {
			s->pos++;
		} else if (c == '/' && s->pos + 1 < s->len && s->text[s->pos + 1] == '/') {
			if (!scan_line_comment(s))
				return false;
		} else if (c == '/' && s->pos + 1 < s->len && s->text[s->pos + 1] == '*') {
			if (!scan_block_comment(s))
				return false;
		} else {
			return true;
		}
	}
	return true;
}

/* Four hexadecimal digits at pos; -1: none. */
static long hex4(const struct scan *s, size_t pos)
{
	long value = 0;

	if (s->len - pos < 4)
		return -1;
	for (size_t i = pos; i < pos + 4; i++) {
		char c = s->text[i];

		if (c >= '0' && c <= '9')
			value = value * 16 + (c - '0');
		else if (c >= 'a' && c <= 'f')
			value = value * 16 + (c - 'a' + 10);
		else if (c >= 'A' && c <= 'F')
			value = value * 16 + (c - 'A' + 10);
		else
			return -1;
	}
	return value;
}

static bool put(struct scan *s, const char *bytes, size_t n)
{
	if (lya_grow((void **)&s->arena, &s->arena_cap, s->arena_len + n + 1, 1) < 0) {
		s->nomem = true;
		return false;
	}
	memcpy(s->arena + s->arena_len, bytes, n);
	s->arena_len += n;
	return true;
}

static bool put_code(struct scan *s, unsigned long code)
{
	char b[4];

	if (code < 0x80) {
		b[0] = (char)code;
		return put(s, b, 1);
	}
	if (code < 0x800) {
		b[0] = (char)(0xc0 | code >> 6);
		b[1] = (char)(0x80 | (code & 0x3f));
		return put(s, b, 2);
	}
	if (code < 0x10000) {
		b[0] = (char)(0xe0 | code >> 12);
		b[1] = (char)(0x80 | (code >> 6 & 0x3f));
		b[2] = (char)(0x80 | (code & 0x3f));
		return put(s, b, 3);
	}
	b[0] = (char)(0xf0 | code >> 18);
	b[1] = (char)(0x80 | (code >> 12 & 0x3f));
	b[2] = (char)(0x80 | (code >> 6 & 0x3f));
	b[3] = (char)(0x80 | (code & 0x3f));
	return put(s, b, 4);
}

/* \uXXXX, or two of them that are a surrogate pair; pos is at the backslash. */
static bool scan_unicode(struct scan *s, unsigned long *code)
{
	long high = hex4(s, s->pos + 2);
	long low;

	if (high < 0)
		return fault(s, s->pos, "wanted four hexadecimal digits after \\u");
	if (high == 0)
		return fault(s, s->pos, "a NUL character (\\u0000) has no place in a string");
	*code = (unsigned long)high;
	if (high < 0xd800 || high > 0xdfff) {
		s->pos += 6;
		return true;
	}
	if (high > 0xdbff || s->len - s->pos < 12 || s->text[s->pos + 6] != '\\' ||
	    s->text[s->pos + 7] != 'u')
		return fault(s, s->pos, "half of a surrogate pair is no character");
	low = hex4(s, s->pos + 8);
	if (low < 0xdc00 || low > 0xdfff)
		return fault(s, s->pos, "half of a surrogate pair is no character");
	*code = 0x10000 + (((unsigned long)high & 0x3ff) << 10) + ((unsigned long)low & 0x3ff);
	s->pos += 12;
	return true;
}

static bool scan_escape(struct scan *s, bool keep)
{
	static const char plain[] = "\"\\/bfnrt";
	static const char means[] = "\"\\/\b\f\n\r\t";
	unsigned long code = 0;
	const char *which;
	char c = s->text[s->pos + 1]; /* the NUL behind the text at worst */

	if (c == 'u') {
		if (!scan_unicode(s, &code))
			return false;
		return !keep || put_code(s, code);
	}
	which = c != '\0' ? strchr(plain, c) : NULL;
	if (which == NULL)
		return fault(s, s->pos,
			     "wanted an escape of JSON (\\\" \\\\ \\/ \\b \\f \\n \\r "
			     "\\t \\uXXXX) after the backslash");
	s->pos += 2;
	return !keep || put(s, means + (which - plain), 1);
}

/* A string at pos; its decoded bytes go to the arena when they are to be kept. */
static bool scan_string(struct scan *s, bool keep)
{
	size_t begin = s->pos++;

	while (s->pos < s->len) {
		unsigned char c = (unsigned char)s->text[s->pos];
		size_t from = s->pos;

		if (c == '"') {
			s->pos++;
			return true;
		}
		if (c == '\n' || c == '\r')
			break;
		if (c < 0x20)
			return fault(s, s->pos,
				     "control character 0x%02x in a string: write \\u%04x", c, c);
		if (c == '\\') {
			if (!scan_escape(s, keep))
				return false;
		} else if (!step(s) || (keep && !put(s, s->text + from, s->pos - from))) {
			return false;
		}
	}
	return fault(s, begin, "the string that begins here has no end in its line");
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool scan_digits(struct scan *s)
{
	if (!is_digit(s->text[s->pos]))
		return wanted(s, "a digit");
	while (is_digit(s->text[s->pos]))
		s->pos++;
	return true;
}

static bool scan_number(struct scan *s)
{
	size_t begin = s->pos;

	if (s->text[s->pos] == '-')
		s->pos++;
	if (s->text[s->pos] == '0' && is_digit(s->text[s->pos + 1]))
		return fault(s, begin, "a number does not begin with 0");
	if (!scan_digits(s))
		return false;
	if (s->text[s->pos] == '.') {
		s->pos++;
		if (!scan_digits(s))
			return false;
	}
	if (s->text[s->pos] == 'e' || s->text[s->pos] == 'E') {
		s->pos++;
		if (s->text[s->pos] == '+' || s->text[s->pos] == '-')
			s->pos++;
		return scan_digits(s);
	}
	return true;
}

static bool scan_word(struct scan *s)
{
	static const char *const words[] = { "true", "false", "null" };
	size_t n = 0;

	while ((s->text[s->pos + n] >= 'a' && s->text[s->pos + n] <= 'z') ||
	       (s->text[s->pos + n] >= 'A' && s->text[s->pos + n] <= 'Z'))
		n++;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strlen(words[i]) == n && memcmp(words[i], s->text + s->pos, n) == 0) {
			s->pos += n;
			return true;
		}
	}
	if (n == 0)
		return wanted(s, "a value");
	return fault(s, s->pos, "wanted a value, found \"%.*s\"", n > 40 ? 40 : (int)n,
		     s->text + s->pos);
}

static int compare_keys(const void *a, const void *b, void *arena)
{
	const struct key *x = a;
	const struct key *y = b;
	size_t n = x->len < y->len ? x->len : y->len;
	int order = memcmp((const char *)arena + x->at, (const char *)arena + y->at, n);

	if (order != 0)
		return order;
	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	return x->pos < y->pos ? -1 : x->pos > y->pos;
}

static bool same_key(const struct scan *s, const struct key *a, const struct key *b)
{
	return a->len == b->len && memcmp(s->arena + a->at, s->arena + b->at, a->len) == 0;
}

/* A name that is nothing is shown as such. */
static void add_name(const struct scan *s, bool first, const struct key *k, struct lya_text *path)
{
	lya_text_addf(path, "%s%.*s", first ? "" : ".", (int)k->len, s->arena + k->at);
	if (k->len == 0)
		lya_text_add(path, "\"\"");
}

/* "hosts[3].roles", the container that is open at the given depth. */
static void add_path(const struct scan *s, unsigned depth, struct lya_text *path)
{
	for (unsigned i = 0; i < depth; i++) {
		const struct frame *f = &s->frames[i];

		if (!f->is_object) {
			lya_text_addf(path, "[%zu]", f->count - 1);
			continue;
		}
		add_name(s, i == 0, &s->keys[f->first_key + f->count - 1], path);
	}
}

static void report_twice(struct scan *s, const struct key *first, const struct key *again)
{
	struct lya_text path = { 0 };
	char where[512];

	add_path(s, s->depth - 1, &path);
	add_name(s, s->depth == 1, again, &path);
	if (path.data != NULL)
		json_clean(path.data);
	(void)snprintf(where, sizeof(where), "%s:%zu", s->name, again->line);
	lya_diags_add(s->diags, LYA_DIAG_ERROR, where, lya_text_str(&path),
		      "is given twice, first in line %zu", first->line);
	s->nomem = s->nomem || path.failed;
	lya_text_fini(&path);
}

/* The innermost object is complete: no name may stand in it twice. */
static void check_keys(struct scan *s)
{
	const struct frame *f = &s->frames[s->depth - 1];
	struct key *keys = s->keys;
	size_t n = s->n_keys - f->first_key;
	size_t first = 0;

	if (n == 0)
		return;
	keys += f->first_key;
	qsort_r(keys, n, sizeof(*keys), compare_keys, s->arena);
	for (size_t i = 1; i < n; i++) {
		if (same_key(s, &keys[first], &keys[i]))
			report_twice(s, &keys[first], &keys[i]);
		else
			first = i;
	}
	s->n_keys = f->first_key;
	s->arena_len = f->arena_len;
}

static bool scan_key(struct scan *s)
{
	struct key key = { .at = s->arena_len, .pos = s->pos, .line = s->line };

	if (s->text[s->pos] != '"')
		return wanted(s, "a member name in double quotes");
	if (!scan_string(s, true))
		return false;
	key.len = s->arena_len - key.at;
	if (key.len == 0 && !put(s, "", 0)) /* names may all be empty, and yet lie somewhere */
		return false;
	if (lya_grow((void **)&s->keys, &s->cap_keys, s->n_keys + 1, sizeof(key)) < 0) {
		s->nomem = true;
		return false;
	}
	s->keys[s->n_keys++] = key;
	if (!skip(s))
		return false;
	if (s->text[s->pos] != ':')
		return wanted(s, "':' after the member name");
	s->pos++;
	return skip(s);
}

/* The members or elements between the brackets; pos is behind the opening one. */
static bool scan_items(struct scan *s, char end)
{
	struct frame *f = &s->frames[s->depth - 1];

	if (!skip(s))
		return false;
	if (s->text[s->pos] == end)
		return true;
	for (;;) {
		if (f->is_object && !scan_key(s))
			return false;
		f->count++;
		if (!scan_value(s) || !skip(s))
			return false;
		if (s->text[s->pos] == end)
			return true;
		if (s->text[s->pos] != ',')
			return wanted(s, f->is_object ? "',' or '}'" : "',' or ']'");
		s->pos++;
		if (!skip(s))
			return false;
		if (s->text[s->pos] == end)
			return fault(s, s->pos, "no ',' may stand before the closing '%c'", end);
	}
}

static bool scan_container(struct scan *s)
{
	bool is_object = s->text[s->pos] == '{';

	if (s->depth == LYA_JSON_DEPTH_MAX)
		return fault(s, s->pos, "more than %d arrays and objects within one another",
			     (int)LYA_JSON_DEPTH_MAX);
	s->frames[s->depth++] = (struct frame){ .is_object = is_object,
						.first_key = s->n_keys,
						.arena_len = s->arena_len };
	s->pos++;
	if (!scan_items(s, is_object ? '}' : ']'))
		return false;
	s->pos++;
	if (is_object)
		check_keys(s);
	s->depth--;
	return true;
}

static bool scan_value(struct scan *s)
{
	char c = s->text[s->pos];

	if (c == '{' || c == '[')
		return scan_container(s);
	if (c == '"')
		return scan_string(s, false);
	if (c == '-' || is_digit(c))
		return scan_number(s);
	return scan_word(s);
}

static bool scan_document(struct scan *s)
{
	if (s->len >= 3 && memcmp(s->text, "\xef\xbb\xbf", 3) == 0) {
		s->pos = 3; /* some editors put a byte order mark there */
		blank(s, 0);
	}
	if (!skip(s) || !scan_value(s) || !skip(s))
		return false;
	return s->pos == s->len || wanted(s, "nothing more");
}

bool json_scan(char *text, size_t len, const char *name, struct lya_diags *diags, bool *nomem)
{
	struct scan s = { .text = text, .len = len, .line = 1, .name = name, .diags = diags };
	bool ok = scan_document(&s);

	lya_free(s.keys);
	lya_free(s.arena);
	*nomem = s.nomem;
	return ok;
}
