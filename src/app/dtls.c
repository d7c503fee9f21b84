/*
 * dtls.c - DTLS 1.0 and 1.2 (RFC 6347): records that fill the datagram.
 *
 * OpenSSL spoke it under the version 1.0 before there was an RFC, and a widely
 * used remote access client still does.
 */
#include "app/machine.h"

enum { DTLS_HDR = 13, CCS = 20, HANDSHAKE = 22, DATA = 23, CLIENT_HELLO = 1, SERVER_HELLO = 2 };

static bool is_record(const uint8_t *p)
{
	uint16_t version = app_be16(p + 1);

	return p[0] >= CCS && p[0] <= DATA &&
	       (version == 0xFEFF || version == 0xFEFD || version == 0x0100);
}

bool app_dtls_datagram(struct lya_app_state *st, unsigned side, const uint8_t *data, size_t len,
		       size_t full_len)
{
	size_t at = 0;
	int client = -1;

	while (full_len - at >= DTLS_HDR && at + DTLS_HDR <= len) {
		if (!is_record(data + at) || app_be16(data + at + 11) > full_len - at - DTLS_HDR)
			return false;
		at += DTLS_HDR + (size_t)app_be16(data + at + 11);
	}
	if (at == 0 || (len == full_len && at != full_len))
		return false;
	if (data[0] == HANDSHAKE && len > DTLS_HDR && data[DTLS_HDR] == CLIENT_HELLO)
		client = (int)side;
	if (data[0] == HANDSHAKE && len > DTLS_HDR && data[DTLS_HDR] == SERVER_HELLO)
		client = (int)!side;
	app_is_single(st, LYA_APP_DTLS, client);
	return true;
}
