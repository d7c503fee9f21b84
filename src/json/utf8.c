/*
 * utf8.c - what is a UTF-8 character (RFC 3629) and what is not.
 */
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
