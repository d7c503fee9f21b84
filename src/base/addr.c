/*
 * addr.c - IPv4 and IPv6 addresses and networks as text, and what kind they are.
 */
#include "lyncaudit/addr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

const char *lya_addr_format(const struct lya_addr *addr, char buf[static LYA_ADDR_TEXT])
{
	if (inet_ntop(addr->family == 4 ? AF_INET : AF_INET6, addr->bytes, buf, LYA_ADDR_TEXT) ==
	    NULL)
		buf[0] = '\0';
	return buf;
}

const char *lya_net_format(const struct lya_net *net, char buf[static LYA_NET_TEXT])
{
	char text[LYA_ADDR_TEXT];
	unsigned full = net->addr.family == 4 ? 32 : 128;

	lya_addr_format(&net->addr, text);
	if (net->bits == full)
		snprintf(buf, LYA_NET_TEXT, "%s", text);
	else
		snprintf(buf, LYA_NET_TEXT, "%s/%u", text, (unsigned)net->bits);
	return buf;
}

bool lya_addr_parse(const char *text, struct lya_addr *addr)
{
	memset(addr, 0, sizeof(*addr));
	if (inet_pton(AF_INET, text, addr->bytes) == 1) {
		addr->family = 4;
		return true;
	}
	memset(addr, 0, sizeof(*addr));
	if (inet_pton(AF_INET6, text, addr->bytes) == 1) {
		addr->family = 6;
		return true;
	}
	return false;
}

/* Read 0..max as plain decimal digits; false otherwise. */
static bool parse_bits(const char *text, unsigned max, uint8_t *bits)
{
	unsigned value = 0;

	if (text[0] == '\0')
		return false;
	for (const char *p = text; *p != '\0'; p++) {
		if (*p < '0' || *p > '9')
			return false;
		value = value * 10 + (unsigned)(*p - '0');
		if (value > max)
			return false;
	}
	*bits = (uint8_t)value;
	return true;
}

static bool has_host_bits(const struct lya_net *net)
{
	unsigned full = net->addr.family == 4 ? 32 : 128;

	for (unsigned i = net->bits; i < full; i++) {
		if (net->addr.bytes[i / 8] & (0x80u >> (i % 8)))
			return true;
	}
	return false;
}

bool lya_net_parse(const char *text, struct lya_net *net, bool *host_bits)
{
	char copy[LYA_NET_TEXT];
	const char *slash = strchr(text, '/');
	size_t len = slash != NULL ? (size_t)(slash - text) : strlen(text);

	if (host_bits != NULL)
		*host_bits = false;
	if (len >= sizeof(copy))
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (!lya_addr_parse(copy, &net->addr))
		return false;
	net->bits = net->addr.family == 4 ? 32 : 128;
	if (slash == NULL)
		return true;
	if (!parse_bits(slash + 1, net->bits, &net->bits))
		return false;
	if (!has_host_bits(net))
		return true;
	if (host_bits != NULL)
		*host_bits = true;
	return false;
}

int lya_addr_cmp(const struct lya_addr *a, const struct lya_addr *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->bytes, b->bytes, a->family == 4 ? 4 : 16);
}

bool lya_net_holds(const struct lya_net *net, const struct lya_addr *addr)
{
	unsigned whole = net->bits / 8;
	unsigned rest = net->bits % 8;

	if (net->addr.family != addr->family)
		return false;
	if (memcmp(net->addr.bytes, addr->bytes, whole) != 0)
		return false;
	if (rest == 0)
		return true;
	return ((net->addr.bytes[whole] ^ addr->bytes[whole]) & (0xff00u >> rest) & 0xff) == 0;
}

bool lya_addr_is_multicast(const struct lya_addr *a)
{
	if (a->family == 4)
		return (a->bytes[0] & 0xf0) == 0xe0; /* RFC 5771 */
	return a->bytes[0] == 0xff;                  /* RFC 4291 2.7 */
}

bool lya_addr_is_broadcast(const struct lya_addr *a)
{
	static const uint8_t all[4] = { 255, 255, 255, 255 };

	return a->family == 4 && memcmp(a->bytes, all, sizeof(all)) == 0;
}

static bool is_link_local(const struct lya_addr *a)
{
	if (a->family == 4)
		return a->bytes[0] == 169 && a->bytes[1] == 254;    /* RFC 3927 */
	return a->bytes[0] == 0xfe && (a->bytes[1] & 0xc0) == 0x80; /* RFC 4291 2.5.6 */
}

bool lya_addr_is_private(const struct lya_addr *a)
{
	const uint8_t *b = a->bytes;

	if (is_link_local(a))
		return true;
	if (a->family == 6)
		return (b[0] & 0xfe) == 0xfc; /* RFC 4193 */
	return b[0] == 10 || (b[0] == 172 && (b[1] & 0xf0) == 16) || (b[0] == 192 && b[1] == 168) ||
	       (b[0] == 100 && (b[1] & 0xc0) == 64); /* RFC 1918, RFC 6598 */
}

bool lya_addr_plays_no_role(const struct lya_addr *a)
{
	static const uint8_t zero[15];

	if (lya_addr_is_multicast(a) || lya_addr_is_broadcast(a) || is_link_local(a))
		return true;
	if (a->family == 4)
		return a->bytes[0] == 127 || a->bytes[0] == 0;
	return memcmp(a->bytes, zero, sizeof(zero)) == 0 && a->bytes[15] <= 1; /* :: and ::1 */
}
