/*
 * dns.c - DNS messages (RFC 1035) over UDP and TCP, on any port.
 *
 * There is no magic number, so everything that can be checked without the
 * answers is: flags, counts, the one question's name, type and class.
 */
#include "app/machine.h"

enum { DNS_HDR = 12, LABEL_MAX = 63, NAME_MAX_BYTES = 255, TCP_HDR = 2 + DNS_HDR };

enum { OP_QUERY = 0, OP_NOTIFY = 4, OP_UPDATE = 5 };

enum { FLAG_RESPONSE = 0x8000, FLAG_ZERO = 0x0040, RCODE = 0x000F };

struct dns_header {
	bool query;
	uint32_t records; /* in all sections after the question */
};

/*
 * NetBIOS names share the header: one label of 32 letters A to P, type NB or
 * NBSTAT.  That is another protocol.
 */
static bool is_netbios_label(const uint8_t *p, size_t n)
{
	if (n != 32)
		return false;
	for (size_t i = 0; i < n; i++)
		if (p[i] < 'A' || p[i] > 'P')
			return false;
	return true;
}

static bool read_header(struct lya_cursor *c, struct dns_header *h)
{
	uint16_t flags, qd, an, ns, ar;
	unsigned opcode;

	lya_cursor_skip(c, 2);
	flags = lya_cursor_u16(c);
	qd = lya_cursor_u16(c);
	an = lya_cursor_u16(c);
	ns = lya_cursor_u16(c);
	ar = lya_cursor_u16(c);
	h->query = (flags & FLAG_RESPONSE) == 0;
	h->records = (uint32_t)an + ns + ar;
	opcode = flags >> 11 & 15;
	if (c->failed || qd != 1 || (flags & FLAG_ZERO) != 0)
		return false;
	if (opcode == OP_QUERY && h->query)
		return an == 0 && ns == 0 && ar <= 2 && (flags & RCODE) == 0;
	return opcode == OP_QUERY || opcode == OP_NOTIFY || opcode == OP_UPDATE;
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
		if (total > NAME_MAX_BYTES)
			return false;
		if (n == 0)
			return true;
		label = lya_cursor_take(c, n);
		if (label == NULL || (total == n + (size_t)1 && is_netbios_label(label, n)))
			return false;
	}
}

static bool is_question(uint16_t type, uint16_t class)
{
	enum { NETBIOS = 32 }; /* a type of DNS as well, which nobody asks for */

	class &= 0x7FFF; /* multicast DNS uses the top bit */
	return type != 0 && type != NETBIOS &&
	       (class == 1 || class == 3 || class == 4 || class == 254 || class == 255);
}

static void recognised(struct lya_app_state *st, unsigned side, bool query)
{
	app_is_single(st, LYA_APP_DNS, query ? (int)side : (int)!side);
}

bool app_dns_datagram(struct lya_app_state *st, unsigned side, const uint8_t *data, size_t len,
		      size_t full_len)
{
	struct lya_cursor c = lya_cursor_of(data, len);
	struct dns_header h;
	uint16_t type, class;

	if (!read_header(&c, &h) || !take_name(&c))
		return false;
	type = lya_cursor_u16(&c);
	class = lya_cursor_u16(&c);
	if (c.failed || !is_question(type, class))
		return false;
	if (len == full_len && (lya_cursor_left(&c) == 0) != (h.records == 0))
		return false; /* something must follow when it was counted, and only then */
	recognised(st, side, h.query);
	return true;
}

/* TCP -------------------------------------------------------------------------- */

enum { STEP_HEADER, STEP_LABEL, STEP_TYPE };

/* The piece at p; false when the stream is no DNS. */
static bool take_step(struct lya_app_state *st, unsigned side, const uint8_t *p)
{
	struct app_stream *s = &st->stream[side];
	struct app_dns *d = &s->u.dns;
	struct lya_cursor c;
	struct dns_header h;

	switch (d->step) {
	case STEP_HEADER:
		c = lya_cursor_of(p + 2, DNS_HDR);
		d->step = STEP_LABEL;
		if (!read_header(&c, &h))
			return false;
		d->query = h.query;
		return true;
	case STEP_LABEL:
		if (p[0] == 0)
			d->step = STEP_TYPE;
		s->skip = p[0];
		d->name_len = (uint16_t)(d->name_len + 1 + p[0]);
		return p[0] <= LABEL_MAX && d->name_len <= NAME_MAX_BYTES;
	default:
		if (is_question(app_be16(p), app_be16(p + 2)))
			recognised(st, side, d->query);
		return false;
	}
}

void app_dns_feed(struct lya_app_state *st, unsigned side, struct lya_cursor *in)
{
	static const uint8_t sizes[] = {
		[STEP_HEADER] = TCP_HDR, [STEP_LABEL] = 1, [STEP_TYPE] = 4
	};
	struct app_stream *s = &st->stream[side];

	while (lya_cursor_left(in) > 0) {
		const uint8_t *p;

		if (!app_skip(s, in))
			return;
		p = app_piece(s, in, sizes[s->u.dns.step]);
		if (p == NULL)
			return;
		if (!take_step(st, side, p)) {
			app_side_done(st, side);
			return;
		}
	}
}
