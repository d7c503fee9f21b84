/*
 * stun.c - STUN (RFC 3489, 5389), TURN (RFC 5766) and Microsoft's MS-TURN.
 *
 * Three dialects share the header.  They differ in what an attribute number
 * means (MS-TURN's 0001 is the relay address) and in padding: RFC 5389 rounds
 * attributes up to four bytes, the older two do not.  The dialect is told by
 * the message alone, so the choice is made per message; when a whole message
 * does not come out even that way, the other padding is tried.
 */
#include "app/machine.h"

#include <string.h>

enum { STUN_HDR = 20, MSTURN_COOKIE = 0x72C64BC6 };

enum stun_attr {
	ATTR_MAPPED = 0x0001, /* MS-TURN: the relay address */
	ATTR_USERNAME = 0x0006,
	ATTR_ERROR = 0x0009,
	ATTR_MS_ALTERNATE = 0x000E,
	ATTR_MS_COOKIE = 0x000F,
	ATTR_XOR_RELAYED = 0x0016,
	ATTR_XOR_MAPPED = 0x0020,
	ATTR_PRIORITY = 0x0024,
	ATTR_USE_CANDIDATE = 0x0025,
	ATTR_MS_VERSION = 0x8008,
	ATTR_MS_XOR_MAPPED = 0x8020,
	ATTR_ALTERNATE = 0x8023,
	ATTR_ICE_CONTROLLED = 0x8029,
	ATTR_ICE_CONTROLLING = 0x802A,
	ATTR_MS_SEQUENCE = 0x8050,
	ATTR_MS_CANDIDATE = 0x8054,
	ATTR_MS_IMPLEMENTATION = 0x8070
};

/* Methods of RFC 5389 and 5766 that count as TURN or Binding. */
enum { METHOD_BINDING = 1, METHOD_ALLOCATE = 3 };

/* An address value: 00, family, port, address; xor with the bytes at offset 4 when asked. */
static void read_address(struct lya_cursor c, const uint8_t id[16], bool xored,
			 struct lya_stun_addr *out)
{
	struct lya_stun_addr a;
	uint8_t family;
	const uint8_t *bytes;
	size_t n;

	(void)lya_cursor_u8(&c);
	family = lya_cursor_u8(&c);
	memset(&a, 0, sizeof(a));
	a.port = lya_cursor_u16(&c);
	n = family == 2 ? 16 : 4;
	bytes = lya_cursor_take(&c, n);
	if (bytes == NULL || (family != 1 && family != 2) || out->addr.family != 0)
		return; /* the first one of a kind counts */

	a.addr.family = family == 2 ? 6 : 4;
	memcpy(a.addr.bytes, bytes, n);
	if (xored) {
		a.port = (uint16_t)(a.port ^ (id[0] << 8 | id[1]));
		for (size_t i = 0; i < n; i++)
			a.addr.bytes[i] ^= id[i];
	}
	*out = a;
}

/*
 * Servers send the address in both forms; the XOR form replaces the plain one,
 * which gateways that rewrite payloads know how to find.
 */
static void read_xor_mapped(struct lya_cursor c, struct lya_stun *m)
{
	struct lya_stun_addr a = { .port = 0 };

	read_address(c, m->id, true, &a);
	if (a.addr.family != 0)
		m->mapped = a;
}

static void read_sequence(struct lya_cursor c, struct lya_stun *m)
{
	const uint8_t *connection = lya_cursor_take(&c, sizeof(m->connection));
	uint32_t sequence = lya_cursor_u32(&c);

	if (c.failed)
		return;
	memcpy(m->connection, connection, sizeof(m->connection));
	m->sequence = sequence;
	m->has_sequence = true;
}

static void read_error(struct lya_cursor c, struct lya_stun *m)
{
	uint8_t class, number;

	lya_cursor_skip(&c, 2);
	class = lya_cursor_u8(&c) & 7;
	number = lya_cursor_u8(&c);
	if (!c.failed && number < 100)
		m->error_code = (uint16_t)(class * 100 + number);
}

/* One attribute whose value is whole. */
static void read_attribute(uint16_t type, struct lya_cursor c, struct lya_stun *m)
{
	switch (type) {
	case ATTR_MAPPED:
		read_address(c, m->id, false, m->msturn ? &m->relay : &m->mapped);
		break;
	case ATTR_XOR_MAPPED:
	case ATTR_MS_XOR_MAPPED:
		read_xor_mapped(c, m);
		break;
	case ATTR_XOR_RELAYED:
		if (!m->msturn)
			read_address(c, m->id, true, &m->relay);
		break;
	case ATTR_MS_ALTERNATE:
		if (m->msturn)
			read_address(c, m->id, false, &m->alternate);
		break;
	case ATTR_ALTERNATE:
		if (!m->msturn)
			read_address(c, m->id, false, &m->alternate);
		break;
	case ATTR_USERNAME:
		m->username = true;
		break;
	case ATTR_ERROR:
		read_error(c, m);
		break;
	case ATTR_MS_VERSION:
		m->ms_version = lya_cursor_u32(&c);
		break;
	case ATTR_MS_SEQUENCE:
		read_sequence(c, m);
		break;
	case ATTR_PRIORITY:
	case ATTR_USE_CANDIDATE:
	case ATTR_ICE_CONTROLLED:
	case ATTR_ICE_CONTROLLING:
	case ATTR_MS_CANDIDATE:
	case ATTR_MS_IMPLEMENTATION:
		m->ice = true;
		break;
	default:
		break;
	}
}

/*
 * Walk the attributes at c, which holds what was captured of m->length bytes.
 * Returns false when an attribute claims more than the message has, or when
 * bytes are left over that are no attribute.
 */
static bool walk(struct lya_cursor c, bool padded, struct lya_stun *m)
{
	size_t left = m->length; /* as the message claims; the capture may hold less */

	while (left >= 4) {
		uint16_t type = lya_cursor_u16(&c);
		size_t len = lya_cursor_u16(&c);
		size_t step = padded ? (len + 3) & ~(size_t)3 : len;
		struct lya_cursor value = c;

		if (c.failed)
			return true; /* cut by the capture: nothing wrong so far */
		left -= 4;
		if (step > left)
			return false;
		left -= step;
		if (len <= lya_cursor_left(&c)) {
			lya_cursor_limit(&value, len);
			read_attribute(type, value, m);
		}
		lya_cursor_skip(&c, step);
	}
	return left == 0;
}

/* Class and method; the MS-TURN Data indication does not follow the bit rules. */
static void read_type(struct lya_stun *m)
{
	unsigned t = m->type;
	unsigned class = (t & 0x0010) >> 4 | (t & 0x0100) >> 7;
	unsigned method = (t & 0x000F) | (t & 0x00E0) >> 1 | (t & 0x3E00) >> 2;

	if (m->msturn && t == 0x0115)
		class = 1;
	m->request = class == 0;
	m->indication = class == 1;
	m->response = class == 2;
	m->error = class == 3;
	m->binding = method == METHOD_BINDING;
	m->allocate = method == METHOD_ALLOCATE;
}

/* Message types of RFC 3489: Binding and Shared Secret, request, response, error. */
static bool is_classic_type(uint16_t type)
{
	return type == 0x0001 || type == 0x0101 || type == 0x0111 || type == 0x0002 ||
	       type == 0x0102 || type == 0x0112;
}

/* True when the attributes at c begin with MS-TURN's magic cookie. */
static bool starts_with_ms_cookie(struct lya_cursor c)
{
	return lya_cursor_u16(&c) == ATTR_MS_COOKIE && lya_cursor_u16(&c) == 4 &&
	       lya_cursor_u32(&c) == MSTURN_COOKIE;
}

/* The header at data, and what it says by itself; nothing else is set. */
static void read_header(const uint8_t *data, struct lya_cursor attributes, struct lya_stun *m)
{
	memset(m, 0, sizeof(*m));
	m->type = app_be16(data);
	m->length = app_be16(data + 2);
	memcpy(m->id, data + 4, sizeof(m->id));
	m->rfc5389 = memcmp(m->id, "\x21\x12\xA4\x42", 4) == 0;
	m->msturn = starts_with_ms_cookie(attributes);
	m->cut = lya_cursor_left(&attributes) < m->length;
	read_type(m);
}

/* The attributes in the other padding; false, with what was read before, when that is no better. */
static bool read_again(const uint8_t *data, struct lya_cursor attributes, bool padded,
		       struct lya_stun *m)
{
	struct lya_stun first = *m;

	read_header(data, attributes, m);
	if (walk(attributes, padded, m))
		return true;
	*m = first;
	return false;
}

bool lya_stun_read(const uint8_t *data, size_t len, size_t full_len, struct lya_stun *out)
{
	struct lya_cursor c;
	bool padded, even;

	if (len < STUN_HDR || (data[0] & 0xC0) != 0 ||
	    (size_t)app_be16(data + 2) + STUN_HDR != full_len)
		return false;
	c = lya_cursor_of(data + STUN_HDR, len - STUN_HDR);
	lya_cursor_limit(&c, app_be16(data + 2));
	read_header(data, c, out);
	padded = out->rfc5389 && !out->msturn;
	even = walk(c, padded, out) || read_again(data, c, !padded, out);
	return out->rfc5389 || out->msturn || (is_classic_type(out->type) && even);
}

bool lya_stun_is_request(const uint8_t *data, size_t len, size_t full_len)
{
	return len >= STUN_HDR && (data[0] & 0xC1) == 0 && (data[1] & 0x10) == 0 &&
	       memcmp(data + 4, "\x21\x12\xA4\x42", 4) == 0 &&
	       (size_t)app_be16(data + 2) + STUN_HDR == full_len;
}

/*
 * Who is the client.  Both ends of a candidate pair send Binding requests, so
 * with ICE attributes these name nobody, and when plain ones go both ways
 * (ICE of old) neither; an allocation has one client only.
 */
static void name_client(struct lya_app_state *st, unsigned side, const struct lya_stun *m)
{
	bool answer = m->response || m->error;

	if (m->allocate && !m->indication) {
		st->client = (int8_t)(answer ? !side : side);
		st->client_conflict = false;
		st->seen |= LYA_SEEN_TURN;
	} else if (m->binding && !m->ice && !m->indication && !st->stun_ice &&
		   !(st->seen & LYA_SEEN_TURN)) {
		app_client_is(st, answer ? !side : side);
	}
}

/* A STUN message of a flow, in a datagram or a frame: what it says of the flow. */
void app_stun_message(struct lya_app_state *st, unsigned side, const struct lya_stun *m)
{
	st->seen |= LYA_SEEN_STUN;
	app_is(st, m->msturn ? LYA_APP_MSTURN : LYA_APP_STUN);
	if (m->msturn || !m->binding) {
		st->seen |= LYA_SEEN_TURN;
		st->service = true;
	}
	if (m->allocate && m->response)
		st->seen |= LYA_SEEN_TURN_OK;
	if (m->ice)
		st->service = true;
	if (!m->binding || (m->request && !m->ice))
		st->not_ice = true;
	else if (m->ice)
		st->stun_ice = true;
	if (st->obs != NULL && st->obs->on_stun != NULL)
		st->obs->on_stun(st->obs->ctx, side, m);
	name_client(st, side, m);
}

bool app_stun_datagram(struct lya_app_state *st, unsigned side, const uint8_t *data, size_t len,
		       size_t full_len)
{
	struct lya_stun m;

	if (!lya_stun_read(data, len, full_len, &m))
		return false;
	app_stun_message(st, side, &m);
	return true;
}
