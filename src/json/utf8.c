/*
 * utf8.c - what is a UTF-8 character (RFC 3629), and what a terminal would obey.
 */
#include "json/scan.h"
#include "lyncaudit/json.h"

static bool is_tail(unsigned char c)
{
	return (c & 0xc0) == 0x80;
}

unsigned lya_utf8_len(const char *s, size_t left)
{
	const unsigned char *p = (const unsigned char *)s;

	if (left == 0)
		return 0;
	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2) /* a tail, or an overlong form */
		return 0;
	if (p[0] < 0xe0)
		return left >= 2 && is_tail(p[1]) ? 2 : 0;
	if (p[0] < 0xf0) {
		if (left < 3 || !is_tail(p[1]) || !is_tail(p[2]))
			return 0;
		if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f))
			return 0; /* overlong; surrogates */
		return 3;
	}
	if (p[0] < 0xf5) {
		if (left < 4 || !is_tail(p[1]) || !is_tail(p[2]) || !is_tail(p[3]))
			return 0;
		if ((p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
			return 0; /* overlong; past U+10FFFF */
		return 4;
	}
	return 0;
}

unsigned json_find_control(const char *s, const char **at)
{
	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)s[0];
		unsigned char next = (unsigned char)s[1];

		if (at != NULL)
			*at = s;
		if (c < 0x20 || c == 0x7f)
			return c;
		if (c == 0xc2 && next >= 0x80 && next < 0xa0)
			return next; /* U+0080 to U+009F */
	}
	return 0;
}

void json_clean(char *s)
{
	const char *at;
	unsigned c;

	while ((c = json_find_control(s, &at)) != 0) {
		s += at - s;
		*s++ = '?';
		if (c >= 0x80)
			*s++ = '?';
	}
}
