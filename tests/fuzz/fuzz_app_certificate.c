/*
 * fuzz_app_certificate.c - the leaf certificate inside a server's flight: the
 * input is the DER.
 */
#include "app_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { DER_MAX = 4000, HELLO = 42 };

static void put24(uint8_t *p, size_t v)
{
	p[0] = (uint8_t)(v >> 16);
	p[1] = (uint8_t)(v >> 8);
	p[2] = (uint8_t)v;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t bytes[5 + HELLO + 10 + DER_MAX] = { 22, 3, 3 };
	uint8_t *hello = bytes + 5, *certificate = hello + HELLO;
	size_t len = HELLO + 10 + size;
	struct lya_app_state *st;
	struct lya_app_result res;

	if (size < 1 || size > DER_MAX)
		return 0;
	bytes[3] = (uint8_t)(len >> 8);
	bytes[4] = (uint8_t)len;
	memcpy(hello, "\x02\x00\x00\x26\x03\x03", 6); /* ServerHello without session id */
	certificate[0] = 0x0B;
	put24(certificate + 1, 6 + size);
	put24(certificate + 4, 3 + size);
	put24(certificate + 7, size);
	memcpy(certificate + 10, data, size);

	st = app_begin(6, false);
	lya_app_feed(st, 1, 0, bytes, 5 + len, 5 + len);
	app_end(st, &res);
	must(res.app == LYA_APP_TLS && (res.tls & LYA_TLS_SERVER_CERT));
	return 0;
}
