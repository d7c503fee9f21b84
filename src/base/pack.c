/*
 * pack.c - numbers, strings and lists as bytes, and back.
 */
#include "lyncaudit/pack.h"

#include <string.h>

#include "lyncaudit/alloc.h"
#include "lyncaudit/status.h"
#include "lyncaudit/timeutil.h"

/* Years 1842 to 2097. */
#define TIME_MAX_NS INT64_C(4000000000000000000)

enum { VARINT_MAX = 10 }; /* bytes of a number of 64 bits */

/* Writing ------------------------------------------------------------------------------ */

void lya_pack_raw(struct lya_pack *p, const void *data, size_t len)
{
	void *list = p->data;

	if (p->failed || len == 0)
		return;
	if (len > SIZE_MAX - p->len || lya_grow(&list, &p->cap, p->len + len, 1) != LYA_OK) {
		p->failed = true;
		return;
	}
	p->data = list;
	memcpy(p->data + p->len, data, len);
	p->len += len;
}

void lya_pack_uint(struct lya_pack *p, uint64_t n)
{
	uint8_t bytes[VARINT_MAX];
	size_t len = 0;

	while (n > 0x7f) {
		bytes[len++] = (uint8_t)(n | 0x80);
		n >>= 7;
	}
	bytes[len++] = (uint8_t)n;
	lya_pack_raw(p, bytes, len);
}

/* Small numbers of either sign become small ones: 0, -1, 1, -2, ... */
void lya_pack_int(struct lya_pack *p, int64_t n)
{
	lya_pack_uint(p, n < 0 ? ~((uint64_t)n << 1) : (uint64_t)n << 1);
}

void lya_pack_u64(struct lya_pack *p, uint64_t n)
{
	uint8_t bytes[8];

	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(n >> 8 * i);
	lya_pack_raw(p, bytes, sizeof(bytes));
}

void lya_pack_bytes(struct lya_pack *p, const void *data, size_t len)
{
	lya_pack_uint(p, len);
	lya_pack_raw(p, data, len);
}

/* Its length plus one, so that there is a number left for "none". */
void lya_pack_string(struct lya_pack *p, const char *s)
{
	size_t len = s != NULL ? strlen(s) : 0;

	lya_pack_uint(p, s != NULL ? len + 1 : 0);
	lya_pack_raw(p, s, len);
}

static size_t addr_len(const struct lya_addr *addr)
{
	return addr->family == 4 ? 4 : addr->family == 6 ? 16 : 0;
}

void lya_pack_addr(struct lya_pack *p, const struct lya_addr *addr)
{
	lya_pack_uint(p, addr->family);
	lya_pack_raw(p, addr->bytes, addr_len(addr));
}

void lya_pack_fini(struct lya_pack *p)
{
	lya_free(p->data);
	*p = (struct lya_pack){ 0 };
}

/* Reading ------------------------------------------------------------------------------ */

void lya_unpack_fail(struct lya_unpack *u, const char *wrong)
{
	if (u->wrong == NULL)
		u->wrong = wrong;
}

const uint8_t *lya_unpack_raw(struct lya_unpack *u, size_t len)
{
	const uint8_t *at = u->pos;

	if (u->wrong != NULL)
		return NULL;
	if (len > (size_t)(u->end - u->pos)) {
		u->wrong = "it ends too early";
		return NULL;
	}
	u->pos += len;
	return at;
}

static uint8_t next_byte(struct lya_unpack *u)
{
	const uint8_t *at = lya_unpack_raw(u, 1);

	return at != NULL ? *at : 0;
}

uint64_t lya_unpack_uint(struct lya_unpack *u, uint64_t max)
{
	uint64_t n = 0;
	uint8_t byte;

	for (unsigned shift = 0;; shift += 7) {
		byte = next_byte(u);
		if (shift == 63 && byte > 1)
			lya_unpack_fail(u, "a number has more than 64 bits");
		if (u->wrong != NULL)
			return 0;
		n |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80)
			break;
	}
	if (n > max) {
		lya_unpack_fail(u, "a number is larger than can be");
		return 0;
	}
	return n;
}

int64_t lya_unpack_int(struct lya_unpack *u)
{
	uint64_t n = lya_unpack_uint(u, UINT64_MAX);
	uint64_t half = n >> 1;

	return (int64_t)((n & 1) != 0 ? ~half : half);
}

int64_t lya_unpack_time(struct lya_unpack *u)
{
	int64_t ns = lya_unpack_int(u);

	if (ns == LYA_TIME_NONE)
		return ns;
	return ns > TIME_MAX_NS ? TIME_MAX_NS : ns < -TIME_MAX_NS ? -TIME_MAX_NS : ns;
}

uint64_t lya_unpack_u64(struct lya_unpack *u)
{
	const uint8_t *at = lya_unpack_raw(u, 8);
	uint64_t n = 0;

	for (unsigned i = 0; at != NULL && i < 8; i++)
		n |= (uint64_t)at[i] << 8 * i;
	return n;
}

bool lya_unpack_bool(struct lya_unpack *u)
{
	return lya_unpack_uint(u, 1) != 0;
}

const uint8_t *lya_unpack_bytes(struct lya_unpack *u, size_t max, size_t *len)
{
	const uint8_t *at;

	*len = (size_t)lya_unpack_uint(u, max);
	at = lya_unpack_raw(u, *len);
	if (at == NULL)
		*len = 0;
	return at;
}

bool lya_unpack_string(struct lya_unpack *u, size_t max, char **s)
{
	size_t len = (size_t)lya_unpack_uint(u, (uint64_t)max + 1);
	const uint8_t *at;

	*s = NULL;
	if (u->wrong != NULL)
		return false;
	if (len == 0)
		return true;
	at = lya_unpack_raw(u, len - 1);
	if (at == NULL)
		return false;
	if (len > 1 && memchr(at, '\0', len - 1) != NULL) {
		u->wrong = "a NUL inside a string";
		return false;
	}
	*s = lya_strndup((const char *)at, len - 1);
	return *s != NULL;
}

void lya_unpack_addr(struct lya_unpack *u, struct lya_addr *addr)
{
	const uint8_t *at;

	memset(addr, 0, sizeof(*addr));
	addr->family = (uint8_t)lya_unpack_uint(u, 6);
	if (addr->family != 0 && addr->family != 4 && addr->family != 6)
		lya_unpack_fail(u, "an address is neither IPv4 nor IPv6");
	at = lya_unpack_raw(u, addr_len(addr));
	if (at == NULL) {
		addr->family = 0;
		return;
	}
	memcpy(addr->bytes, at, addr_len(addr));
}

size_t lya_unpack_count(struct lya_unpack *u, size_t max, size_t least)
{
	size_t n = (size_t)lya_unpack_uint(u, max);

	if (u->wrong == NULL && least > 0 && n > (size_t)(u->end - u->pos) / least) {
		u->wrong = "a list is longer than what is left";
		return 0;
	}
	return n;
}
