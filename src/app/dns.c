/*
 * dns.c - DNS messages (RFC 1035), on any port.
 *
 * There is no magic number, so everything that can be checked without the
 * answers is: flags, counts, the one question's name, type and class.
 */
#include "app/machine.h"

enum { DNS_HDR = 12, LABEL_MAX = 63, NAME_MAX = 255 };

enum { OP_QUERY = 0, OP_NOTIFY = 4, OP_UPDATE = 5 };

/* NetBIOS names: one label of 32 letters A to P, and same header; another protocol. */
static bool is_netbios_label(const uint8_t *p, size_t n)
{
	if (n != 32)
		return false;
	for (size_t i = 0; i < n; i++)
		if (p[i] < 'A' || p[i] > 'P')
			return false;
	return true;
}

/* Pass over the question's name; it is the first in the message and cannot be compressed. */
static bool take_name(struct lya_cursor *c)
{
	size_t total = 0;

	for (;;) {
		uint8_t n = lya_cursor_u8(c);
		const uint8_t *label;

		if (c->failed || n > LABEL_MAX)
			return false;
		total += n + (size_t)1;
		if (total > NAME_MAX)
			return false;
		if (n == 0)
			return true;
		label = lya_cursor_take(c, n);
		if (label == NULL || (total == n + (size_t)1 && is_netbios_label(label, n)))
			return false;
	}
}

static bool is_class(uint16_t class)
{
	class &= 0x7FFF; /* multicast DNS uses the top bit */
	return class == 1 || class == 3 || class == 4 || class == 254 || class == 255;
}

bool app_dns_read(const uint8_t *data, size_t len, bool *query)
{
	struct lya_cursor c = lya_cursor_of(data, len);
	uint16_t flags, qd, an, ns, ar, type, class;
	unsigned opcode;

	lya_cursor_skip(&c, 2);
	flags = lya_cursor_u16(&c);
	qd = lya_cursor_u16(&c);
	an = lya_cursor_u16(&c);
	ns = lya_cursor_u16(&c);
	ar = lya_cursor_u16(&c);
	*query = (flags & 0x8000) == 0;
	opcode = flags >> 11 & 15;
	if (c.failed || qd != 1 || (flags & 0x0040) != 0)
		return false;
	if (opcode != OP_QUERY && opcode != OP_NOTIFY && opcode != OP_UPDATE)
		return false;
	if (*query && opcode == OP_QUERY && (an != 0 || ns != 0 || ar > 2 || (flags & 0x0F) != 0))
		return false;
	if (!take_name(&c))
		return false;
	type = lya_cursor_u16(&c);
	class = lya_cursor_u16(&c);
	if (c.failed || type == 0 || !is_class(class))
		return false;
	return (lya_cursor_left(&c) == 0) == (an + ns + ar == 0);
}

bool app_dns_datagram(struct lya_app_state *st, unsigned side, const uint8_t *data, size_t len)
{
	bool query;

	if (!app_dns_read(data, len, &query))
		return false;
	app_is(st, LYA_APP_DNS);
	app_client_is(st, query ? side : !side);
	st->service = true;
	st->settled = true;
	return true;
}
