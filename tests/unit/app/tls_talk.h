/*
 * tls_talk.h - TLS flights by hand, from RFC 2246, 5246 and 8446.
 */
#ifndef TEST_APP_TLS_TALK_H
#define TEST_APP_TLS_TALK_H

#include "talk.h"

/* rec = open_record(...); ...; close_record(t, rec); likewise for messages. */
static inline size_t open_record(struct talk *t, unsigned type, unsigned version)
{
	add8(t, type);
	add16(t, version);
	return open_len(t, 2);
}

static inline void close_record(struct talk *t, size_t mark)
{
	close_len(t, mark, 2);
}

static inline size_t open_message(struct talk *t, unsigned type)
{
	add8(t, type);
	return open_len(t, 3);
}

static inline void close_message(struct talk *t, size_t mark)
{
	close_len(t, mark, 3);
}

struct hello {
	unsigned version;
	unsigned session_len; /* bytes of session id */
	const char *sni;
	int ticket; /* bytes of ticket; -1: no extension */
	bool v13;   /* supported_versions says 1.3 */
	bool retry;
};

static inline void add_sni(struct talk *t, const char *name)
{
	size_t ext, list, host;

	add16(t, 0);
	ext = open_len(t, 2);
	list = open_len(t, 2);
	add8(t, 0);
	host = open_len(t, 2);
	add_text(t, name);
	close_len(t, host, 2);
	close_len(t, list, 2);
	close_len(t, ext, 2);
}

/* Random of a client is 30, 37, 3E ...; of a server 80, 87 ... */
static inline void add_client_hello(struct talk *t, const struct hello *h)
{
	size_t msg = open_message(t, 1), exts;

	add16(t, h->version);
	add_fill(t, 32, 0x30);
	add8(t, h->session_len);
	add_fill(t, h->session_len, 0x50);
	add16(t, 6);
	add16(t, 0xC02F);
	add16(t, 0x002F);
	add16(t, 0x0035);
	add8(t, 1);
	add8(t, 0);
	exts = open_len(t, 2);
	add16(t, 0x000A); /* supported groups */
	add16(t, 4);
	add16(t, 2);
	add16(t, 0x0017);
	if (h->sni != NULL)
		add_sni(t, h->sni);
	if (h->ticket >= 0) {
		add16(t, 0x0023);
		add16(t, (unsigned)h->ticket);
		add_fill(t, (size_t)h->ticket, 0x11);
	}
	if (h->v13) {
		add16(t, 0x002B);
		add16(t, 5);
		add8(t, 4);
		add16(t, 0x0304);
		add16(t, 0x0303);
	}
	close_len(t, exts, 2);
	close_message(t, msg);
}

static inline void add_server_hello(struct talk *t, const struct hello *h)
{
	static const uint8_t retry[32] = { 0xCF, 0x21, 0xAD, 0x74, 0xE5, 0x9A, 0x61, 0x11,
					   0xBE, 0x1D, 0x8C, 0x02, 0x1E, 0x65, 0xB8, 0x91,
					   0xC2, 0xA2, 0x11, 0x16, 0x7A, 0xBB, 0x8C, 0x5E,
					   0x07, 0x9E, 0x09, 0xE2, 0xC8, 0xA8, 0x33, 0x9C };
	size_t msg = open_message(t, 2), exts;

	add16(t, h->version);
	if (h->retry)
		add(t, retry, sizeof(retry));
	else
		add_fill(t, 32, 0x80);
	add8(t, h->session_len);
	add_fill(t, h->session_len, 0x50);
	add16(t, h->v13 ? 0x1301 : 0x002F);
	add8(t, 0);
	if (h->v13 || h->ticket >= 0) {
		exts = open_len(t, 2);
		if (h->ticket >= 0) {
			add16(t, 0x0023);
			add16(t, 0);
		}
		if (h->v13) {
			add16(t, 0x002B);
			add16(t, 2);
			add16(t, 0x0304);
		}
		close_len(t, exts, 2);
	}
	close_message(t, msg);
}

/* One DER element around what is added until it is closed; lengths of up to 64 KiB. */
static inline size_t open_der(struct talk *t, unsigned tag)
{
	add8(t, tag);
	add8(t, 0x82);
	return open_len(t, 2);
}

static inline void close_der(struct talk *t, size_t mark)
{
	close_len(t, mark, 2);
}

static inline void add_der_text(struct talk *t, unsigned tag, const char *text)
{
	add8(t, tag);
	add8(t, (unsigned)strlen(text));
	add_text(t, text);
}

static inline void add_common_name(struct talk *t, const char *name)
{
	size_t list = open_der(t, 0x30), set = open_der(t, 0x31), pair = open_der(t, 0x30);

	add(t, "\x06\x03\x55\x04\x03", 5);
	add_der_text(t, 0x13, name);
	close_der(t, pair);
	close_der(t, set);
	close_der(t, list);
}

/* A certificate with the parts of RFC 5280 that stand before and after the names. */
static inline void add_der_certificate(struct talk *t, const char *cn, const char *const *names,
				       size_t n, size_t padding)
{
	size_t certificate = open_der(t, 0x30), tbs = open_der(t, 0x30);
	size_t exts, list, ext, octets, sans, key;

	add(t, "\xA0\x03\x02\x01\x02", 5);       /* version 3 */
	add(t, "\x02\x02\x12\x34", 4);           /* serial */
	add(t, "\x30\x03\x06\x01\x2A", 5);       /* signature algorithm */
	add_common_name(t, "issuing authority"); /* issuer: not the subject */
	add(t, "\x30\x04\x17\x00\x17\x00", 6);   /* validity */
	add_common_name(t, cn);
	key = open_der(t, 0x30); /* public key */
	add_fill(t, padding, 0x77);
	close_der(t, key);
	exts = open_der(t, 0xA3);
	list = open_der(t, 0x30);
	add(t, "\x30\x0A\x06\x03\x55\x1D\x0F\x04\x03\x03\x01\x05", 12); /* key usage */
	ext = open_der(t, 0x30);
	add(t, "\x06\x03\x55\x1D\x11\x01\x01\xFF", 8); /* subjectAltName, critical */
	octets = open_der(t, 0x04);
	sans = open_der(t, 0x30);
	add(t, "\x87\x04\x0A\x00\x00\x01", 6); /* an address */
	for (size_t i = 0; i < n; i++)
		add_der_text(t, 0x82, names[i]);
	close_der(t, sans);
	close_der(t, octets);
	close_der(t, ext);
	close_der(t, list);
	close_der(t, exts);
	close_der(t, tbs);
	close_der(t, certificate);
}

/* A Certificate message: this leaf and an issuer of 300 bytes. */
static inline void add_certificate(struct talk *t, const char *cn, const char *const *names,
				   size_t n, size_t padding)
{
	size_t msg = open_message(t, 0x0B), chain = open_len(t, 3), leaf = open_len(t, 3);

	add_der_certificate(t, cn, names, n, padding);
	close_len(t, leaf, 3);
	add24(t, 300);
	add_fill(t, 300, 0x30);
	close_len(t, chain, 3);
	close_message(t, msg);
}

/* TLS 1.2: types, algorithms, and names of `names` bytes. */
static inline void add_certificate_request(struct talk *t, size_t names)
{
	size_t msg = open_message(t, 0x0D);

	add(t, "\x02\x01\x40\x00\x02\x04\x01", 7);
	add16(t, (unsigned)names);
	add_fill(t, names, 0x30);
	close_message(t, msg);
}

static inline void add_body_message(struct talk *t, unsigned type, size_t len)
{
	size_t msg = open_message(t, type);

	add_fill(t, len, 0x99);
	close_message(t, msg);
}

/* A record of len bytes that cannot be read. */
static inline void add_opaque(struct talk *t, unsigned type, unsigned version, size_t len)
{
	size_t rec = open_record(t, type, version);

	add_fill(t, len, 0xE1);
	close_record(t, rec);
}

static inline void add_ccs(struct talk *t, unsigned version)
{
	add8(t, 20);
	add16(t, version);
	add16(t, 1);
	add8(t, 1);
}

/* ChangeCipherSpec and the encrypted Finished. */
static inline void add_finish(struct talk *t, unsigned version)
{
	add_ccs(t, version);
	add_opaque(t, 22, version, 40);
}

/* One handshake message in a record of its own. */
#define RECORD(t, version, what)                                                                   \
	do {                                                                                       \
		size_t rec_ = open_record(t, 22, version);                                         \
		what;                                                                              \
		close_record(t, rec_);                                                             \
	} while (0)

/* The two hellos of MS-TURN over TCP, byte for byte ([MS-TURN] 2.1). */
static inline void say_pseudo_client(struct talk *t)
{
	say(t, 0);
	add(t, "\x16\x03\x01\x00\x2D\x01\x00\x00\x29\x03\x01", 11);
	add_fill(t, 32, 0x44);
	add(t, "\x00\x00\x02\x00\x18\x01\x00", 7);
}

static inline void say_pseudo_server(struct talk *t)
{
	say(t, 1);
	add(t, "\x16\x03\x01\x00\x4E\x02\x00\x00\x46\x03\x01", 11);
	add_fill(t, 32, 0x45);
	add8(t, 32);
	add_fill(t, 32, 0x46);
	add(t, "\x00\x18\x00\x0E\x00\x00\x00", 7);
}

#endif
