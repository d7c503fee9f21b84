/*
 * choose.c - which machine a stream's first bytes ask for.
 *
 * A match for n bytes answers no, yes, or "more could tell".  The first one in
 * the table that does not say no decides; as yes and no are final, the answer
 * for a longer run of the same bytes is the same, and it does not matter where
 * the first segment ends.
 */
#include "app/machine.h"

enum match { MATCH_NO, MATCH_MORE, MATCH_YES };

/* Compare with fixed bytes at offset `at`. */
static enum match bytes_at(const uint8_t *p, size_t n, size_t at, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (at + i >= n)
			return MATCH_MORE;
		if (p[at + i] != (uint8_t)text[i])
			return MATCH_NO;
	}
	return MATCH_YES;
}

static enum match when(size_t n, size_t needed, bool yes)
{
	if (n < needed)
		return MATCH_MORE;
	return yes ? MATCH_YES : MATCH_NO;
}

/* A record: type 20 to 23, version 3.0 to 3.4. */
static enum match match_tls(const uint8_t *p, size_t n)
{
	if (p[0] < 20 || p[0] > 23 || (n > 1 && p[1] != 3))
		return MATCH_NO;
	return when(n, 3, n >= 3 && p[2] <= 4);
}

static enum match match_ssl2(const uint8_t *p, size_t n)
{
	if (!(p[0] & 0x80) || (n > 2 && p[2] != 1) || (n > 3 && p[3] != 3))
		return MATCH_NO;
	return when(n, 5, n >= 5 && p[4] <= 3);
}

static enum match match_ssh(const uint8_t *p, size_t n)
{
	enum match m = bytes_at(p, n, 0, "SSH-2.", 6);

	return m != MATCH_NO ? m : bytes_at(p, n, 0, "SSH-1.", 6);
}

/* A method in capitals, or the blank lines that SIP allows before. */
static enum match match_line(const uint8_t *p, size_t n)
{
	(void)n;
	return (p[0] >= 'A' && p[0] <= 'Z') || p[0] == '\r' || p[0] == '\n' ? MATCH_YES : MATCH_NO;
}

static enum match match_xmpp(const uint8_t *p, size_t n)
{
	enum match m = bytes_at(p, n, 0, "<?xml", 5);

	return m != MATCH_NO ? m : bytes_at(p, n, 0, "<stream:", 8);
}

/* The first byte of the magic says which: 1, 2 and 3, encrypted, compressed. */
static enum match match_smb(const uint8_t *p, size_t n)
{
	if (p[0] != 0)
		return MATCH_NO;
	if (n > 4 && p[4] < 0xFC)
		return MATCH_NO;
	return n > 4 ? bytes_at(p, n, 5, "SMB", 3) : MATCH_MORE;
}

/* RFC 1002 4.3: a session request, of a name of 32 letters first, or the yes to one. */
static enum match match_netbios_session(const uint8_t *p, size_t n)
{
	if (p[0] == 0x82)
		return bytes_at(p, n, 0, "\x82\x00\x00\x00\x00", 5);
	if (p[0] != 0x81 || (n > 1 && p[1] > 1))
		return MATCH_NO;
	return when(n, 5, n >= 5 && p[4] == 32);
}

/* Version 5, no flags but byte order in the data representation; a length that is one. */
static enum match match_rpc(const uint8_t *p, size_t n)
{
	if (p[0] != 5 || (n > 1 && p[1] > 1) || (n > 2 && p[2] > 0x13))
		return MATCH_NO;
	return when(n, 16, n >= 16 && (p[4] & 0xEF) == 0 && p[5] == 0 && p[6] == 0 && p[7] == 0);
}

/* A pre-login message or its answer, whose first option is the version (six bytes). */
static enum match match_tds(const uint8_t *p, size_t n)
{
	if ((p[0] != 0x12 && p[0] != 0x04) || (n > 1 && p[1] != 1))
		return MATCH_NO;
	return when(n, 13,
		    n >= 13 && p[7] == 0 && p[8] == 0 && app_be16(p + 11) == 6 &&
			app_be16(p + 2) >= 8 + 6 + 6 && app_be16(p + 9) >= 6 &&
			app_be16(p + 9) + 6U + 8U <= app_be16(p + 2));
}

/* MS-TURN's control frame: the message in it fills it. */
static enum match match_ms_control(const uint8_t *p, size_t n)
{
	if (p[0] != 2 || (n > 1 && p[1] != 0) || (n > 4 && (p[4] & 0xC0) != 0))
		return MATCH_NO;
	return when(n, 8, n >= 8 && app_be16(p + 6) + 20U == app_be16(p + 2));
}

static enum match match_turn(const uint8_t *p, size_t n)
{
	if (p[0] & 0xC0)
		return MATCH_NO;
	return bytes_at(p, n, 4, "\x21\x12\xA4\x42", 4);
}

static enum match match_rfc4571_stun(const uint8_t *p, size_t n)
{
	if (n > 2 && (p[2] & 0xC0))
		return MATCH_NO;
	if (n > 5 && app_be16(p + 4) + 20U != app_be16(p))
		return MATCH_NO;
	return bytes_at(p, n, 6, "\x21\x12\xA4\x42", 4);
}

/* Length, header with one question and opcode 0, 4 or 5; the machine checks the rest. */
static enum match match_dns(const uint8_t *p, size_t n)
{
	if (n > 1 && app_be16(p) < 17)
		return MATCH_NO;
	if (n > 5 && (p[5] & 0x40))
		return MATCH_NO;
	if (n > 7 && app_be16(p + 6) != 1)
		return MATCH_NO;
	if (n > 4 && (p[4] & 0x78) != 0 && (p[4] & 0x78) != 4 << 3 && (p[4] & 0x78) != 5 << 3)
		return MATCH_NO;
	if (n < 14)
		return MATCH_MORE;
	if (!(p[4] & 0xF8)) /* a query */
		return app_be16(p + 8) == 0 && app_be16(p + 10) == 0 && app_be16(p + 12) <= 2 &&
			       (p[5] & 0x0F) == 0
			   ? MATCH_YES
			   : MATCH_NO;
	return MATCH_YES;
}

/* TPKT with an X.224 connection request or confirm, and what RDP puts behind it. */
static enum match match_rdp(const uint8_t *p, size_t n)
{
	bool request = n > 5 && p[5] == 0xE0;

	if (p[0] != 3 || (n > 1 && p[1] != 0) || (n > 5 && !request && p[5] != 0xD0) ||
	    (n > 4 && p[4] + 5U != app_be16(p + 2)) || (n > 10 && p[10] != 0))
		return MATCH_NO;
	if (n > 10 && app_be16(p + 2) == 11)
		return MATCH_YES;
	if (request)
		return when(n, 12, n >= 12 && (p[11] == 'C' || p[11] == 1));
	return when(n, 12, n >= 12 && (p[11] == 2 || p[11] == 3));
}

static enum match match_ms_data(const uint8_t *p, size_t n)
{
	if (p[0] != 3 || (n > 1 && p[1] != 0))
		return MATCH_NO;
	return when(n, 5, n >= 5 && app_be16(p + 2) >= 12 && (p[4] & 0xC0) == 0x80);
}

static enum match match_rfc4571_rtp(const uint8_t *p, size_t n)
{
	if (n > 2 && (p[2] & 0xC0) != 0x80)
		return MATCH_NO;
	return when(n, 3, n >= 3 && app_be16(p) >= 12);
}

static const struct {
	enum match (*match)(const uint8_t *p, size_t n);
	enum app_machine machine;
} table[] = {
	{ match_tls, APP_TLS_MACHINE },
	{ match_ssl2, APP_SSL2_MACHINE },
	{ match_ssh, APP_SSH_MACHINE },
	{ match_line, APP_LINE_MACHINE },
	{ match_xmpp, APP_XMPP_MACHINE },
	{ match_smb, APP_SMB_MACHINE },
	{ match_netbios_session, APP_SMB_MACHINE },
	{ match_rpc, APP_RPC_MACHINE },
	{ match_tds, APP_TDS_MACHINE },
	{ match_ms_control, APP_MSTURN_MACHINE },
	{ match_turn, APP_TURN_MACHINE },
	{ match_rfc4571_stun, APP_RFC4571_MACHINE },
	{ match_dns, APP_DNS_MACHINE },
	{ match_rdp, APP_RDP_MACHINE },
	{ match_ms_data, APP_MSTURN_MACHINE },
	{ match_rfc4571_rtp, APP_RFC4571_MACHINE },
};

enum app_machine app_choose(const uint8_t *p, size_t n)
{
	if (n == 0)
		return APP_SNIFF;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		enum match m = table[i].match(p, n);

		if (m != MATCH_NO)
			return m == MATCH_YES ? table[i].machine : APP_SNIFF;
	}
	return APP_DEAD;
}
