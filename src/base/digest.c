/*
 * digest.c - SHA-1 and SHA-256 by nettle, and the Community ID.
 */
#include "lyncaudit/digest.h"

#include <nettle/base64.h>
#include <nettle/sha1.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <string.h>

#include "lyncaudit/alloc.h"

struct lya_digest {
	struct sha256_ctx sha;
};

struct lya_digest *lya_digest_new(void)
{
	struct lya_digest *d = lya_malloc(sizeof(*d));

	if (d != NULL)
		sha256_init(&d->sha);
	return d;
}

void lya_digest_add(struct lya_digest *d, const void *data, size_t len)
{
	sha256_update(&d->sha, len, data);
}

void lya_digest_finish(struct lya_digest *d, char hex[static LYA_SHA256_HEX])
{
	uint8_t digest[SHA256_DIGEST_SIZE];

	sha256_digest(&d->sha, sizeof(digest), digest);
	for (size_t i = 0; i < sizeof(digest); i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	lya_free(d);
}

/* Append an address's bytes to the hashed tuple. */
static size_t add_addr(uint8_t *p, const struct lya_addr *a)
{
	size_t n = a->family == 4 ? 4 : 16;

	memcpy(p, a->bytes, n);
	return n;
}

void lya_community_id(const struct lya_addr *a, uint16_t aport, const struct lya_addr *b,
		      uint16_t bport, uint8_t proto, char out[static LYA_COMMUNITY_ID])
{
	uint8_t tuple[2 + 16 + 16 + 2 + 2 + 2] = { 0, 0 }; /* the seed comes first: 0 */
	uint8_t digest[SHA1_DIGEST_SIZE];
	struct sha1_ctx sha;
	size_t n = 2;
	int order = lya_addr_cmp(a, b);

	if (order > 0 || (order == 0 && aport > bport)) {
		const struct lya_addr *addr = a;
		uint16_t port = aport;

		a = b;
		aport = bport;
		b = addr;
		bport = port;
	}
	n += add_addr(tuple + n, a);
	n += add_addr(tuple + n, b);
	tuple[n++] = proto;
	tuple[n++] = 0;
	tuple[n++] = (uint8_t)(aport >> 8);
	tuple[n++] = (uint8_t)aport;
	tuple[n++] = (uint8_t)(bport >> 8);
	tuple[n++] = (uint8_t)bport;
	sha1_init(&sha);
	sha1_update(&sha, n, tuple);
	sha1_digest(&sha, sizeof(digest), digest);
	memcpy(out, "1:", 2);
	base64_encode_raw(out + 2, sizeof(digest), digest);
	out[2 + BASE64_ENCODE_RAW_LENGTH(SHA1_DIGEST_SIZE)] = '\0';
}
