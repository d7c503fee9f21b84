/*
 * client.c - did the client of a TLS connection prove who it is?
 *
 * Up to TLS 1.2 a full handshake shows it in clear: the server asks, the client
 * answers with a certificate (or with an empty list), and signs.  A resumed
 * handshake shows nothing and has the standing of the one it resumes.  TLS 1.3
 * and renegotiation hide it, and what was not seen whole tells nothing.
 */
#include "lyncaudit/app.h"

static const uint16_t COMPLETE =
    LYA_TLS_CLIENT_HELLO | LYA_TLS_SERVER_HELLO | LYA_TLS_CLIENT_CCS | LYA_TLS_SERVER_CCS;

static bool has(const struct lya_app_result *res, uint16_t bits)
{
	return (res->tls & bits) == bits;
}

/* Given a certificate, and no handshake came of it: it was not accepted. */
static bool is_rejected(const struct lya_app_result *res)
{
	return has(res, LYA_TLS_CERT_REQUEST | LYA_TLS_CLIENT_CERT | LYA_TLS_ALERT);
}

enum lya_tls_client lya_app_tls_client(const struct lya_app_result *res)
{
	const uint16_t hidden = LYA_TLS_GAP | LYA_TLS_RENEGOTIATION;

	if (res->tls_version >= 0x0304 || (res->tls & hidden) != 0)
		return LYA_TLS_CLIENT_UNKNOWN;
	if (!has(res, COMPLETE))
		return is_rejected(res) ? LYA_TLS_CLIENT_REJECTED : LYA_TLS_CLIENT_UNKNOWN;
	if (has(res, LYA_TLS_RESUMED))
		return (enum lya_tls_client)res->inherited;
	if (has(res, LYA_TLS_CERT_REQUEST | LYA_TLS_CLIENT_CERT | LYA_TLS_CERT_VERIFY))
		return LYA_TLS_CLIENT_PROVEN;
	if (has(res, LYA_TLS_CLIENT_CERT) || !has(res, LYA_TLS_HELLO_DONE))
		return LYA_TLS_CLIENT_UNKNOWN;
	if (has(res, LYA_TLS_CERT_REQUEST) && !has(res, LYA_TLS_CLIENT_CERT_EMPTY))
		return LYA_TLS_CLIENT_UNKNOWN;
	return LYA_TLS_CLIENT_ANONYMOUS;
}
