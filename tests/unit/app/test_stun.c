/*
 * test_stun.c - single messages: RFC 5769, MS-TURN and RFC 3489.
 */
#include "talk.h"

/* RFC 5769 2.1 and 2.2 */
static const uint8_t rfc5769_request[] = {
	0x00, 0x01, 0x00, 0x58, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34,
	0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x10, 0x53, 0x54, 0x55, 0x4e,
	0x20, 0x74, 0x65, 0x73, 0x74, 0x20, 0x63, 0x6c, 0x69, 0x65, 0x6e, 0x74, 0x00, 0x24,
	0x00, 0x04, 0x6e, 0x00, 0x01, 0xff, 0x80, 0x29, 0x00, 0x08, 0x93, 0x2f, 0xf9, 0xb1,
	0x51, 0x26, 0x3b, 0x36, 0x00, 0x06, 0x00, 0x09, 0x65, 0x76, 0x74, 0x6a, 0x3a, 0x68,
	0x36, 0x76, 0x59, 0x20, 0x20, 0x20, 0x00, 0x08, 0x00, 0x14, 0x9a, 0xea, 0xa7, 0x0c,
	0xbf, 0xd8, 0xcb, 0x56, 0x78, 0x1e, 0xf2, 0xb5, 0xb2, 0xd3, 0xf2, 0x49, 0xc1, 0xb5,
	0x71, 0xa2, 0x80, 0x28, 0x00, 0x04, 0xe5, 0x7a, 0x3b, 0xcf,
};

static const uint8_t rfc5769_response[] = {
	0x01, 0x01, 0x00, 0x3c, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34,
	0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x0b, 0x74, 0x65, 0x73, 0x74,
	0x20, 0x76, 0x65, 0x63, 0x74, 0x6f, 0x72, 0x20, 0x00, 0x20, 0x00, 0x08, 0x00, 0x01,
	0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43, 0x00, 0x08, 0x00, 0x14, 0x2b, 0x91, 0xf5, 0x99,
	0xfd, 0x9e, 0x90, 0xc3, 0x8c, 0x74, 0x89, 0xf9, 0x2a, 0xf9, 0xba, 0x53, 0xf0, 0x6b,
	0xe7, 0xd7, 0x80, 0x28, 0x00, 0x04, 0xc0, 0x7d, 0x4c, 0x96,
};

static void check_addr(const struct lya_stun_addr *got, const char *addr, unsigned port)
{
	struct lya_addr want;

	assert_true(lya_addr_parse(addr, &want));
	assert_int_equal(lya_addr_cmp(&got->addr, &want), 0);
	assert_int_equal(got->port, port);
}

static void test_rfc5769(void **state)
{
	struct lya_stun m;

	(void)state;
	assert_true(
	    lya_stun_read(rfc5769_request, sizeof(rfc5769_request), sizeof(rfc5769_request), &m));
	assert_true(m.request && m.binding && m.rfc5389 && m.username && m.ice);
	assert_false(m.response || m.error || m.indication || m.msturn || m.allocate || m.cut);
	assert_memory_equal(m.id, rfc5769_request + 4, 16);
	assert_int_equal(m.mapped.addr.family, 0);

	assert_true(lya_stun_read(rfc5769_response, sizeof(rfc5769_response),
				  sizeof(rfc5769_response), &m));
	assert_true(m.response && m.binding && m.rfc5389);
	assert_false(m.request || m.ice || m.username);
	check_addr(&m.mapped, "192.0.2.1", 32853); /* found only past the padding of 8022 */
}

/* A message by hand; the id is given, attributes follow. */
static void begin(struct talk *t, unsigned type, const char *id)
{
	memset(t, 0, sizeof(*t));
	say(t, 0);
	add16(t, type);
	(void)open_len(t, 2);
	add(t, id, 16);
}

static void add_attr(struct talk *t, unsigned type, const void *value, size_t len)
{
	add16(t, type);
	add16(t, (unsigned)len);
	add(t, value, len);
}

static void add_ms_cookie(struct talk *t)
{
	add_attr(t, 0x000F, "\x72\xC6\x4B\xC6", 4);
}

static bool read_talk(struct talk *t, struct lya_stun *m)
{
	size_t len = t->n - 20;

	t->bytes[2] = (uint8_t)(len >> 8);
	t->bytes[3] = (uint8_t)len;
	return lya_stun_read(t->bytes, t->n, t->n, m);
}

static const char old_id[] = "123456789:;<=>?@"; /* 31 32 ... 3F 40: no modern cookie */
static const char new_id[] = "\x21\x12\xA4\x42"
			     "abcdefghijkl";

/* Client 198.51.100.7:4000, by both kinds of id (worked out by hand). */
static void test_xor_rule(void **state)
{
	static const uint8_t by_new[] = { 0, 1, 0x2E, 0xB2, 0xE7, 0x21, 0xC0, 0x45 };
	static const uint8_t by_old[] = { 0, 1, 0x3E, 0x92, 0xF7, 0x01, 0x57, 0x33 };
	static const struct {
		const char *name, *id;
		const uint8_t *value;
		unsigned attr;
	} cases[] = {
		{ "new id, 0020", new_id, by_new, 0x0020 },
		{ "new id, 8020", new_id, by_new, 0x8020 },
		{ "old id, 8020", old_id, by_old, 0x8020 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		static struct talk t;
		struct lya_stun m;

		begin(&t, 0x0103, cases[i].id);
		add_ms_cookie(&t);
		add_attr(&t, cases[i].attr, cases[i].value, 8);
		assert_true(read_talk(&t, &m));
		check_addr(&m.mapped, "198.51.100.7", 4000);
	}
}

static void test_xor_ipv6(void **state)
{
	static struct talk t;
	struct lya_stun m;
	struct lya_addr addr;
	uint8_t value[20] = { 0, 2, 0x2E, 0xB2 };

	(void)state;
	assert_true(lya_addr_parse("2001:db8::7", &addr));
	begin(&t, 0x0101, new_id);
	for (int i = 0; i < 16; i++)
		value[4 + i] = (uint8_t)(addr.bytes[i] ^ (uint8_t)new_id[i]);
	add_attr(&t, 0x0020, value, 20);
	assert_true(read_talk(&t, &m));
	check_addr(&m.mapped, "2001:db8::7", 4000);
}

/* An Allocate response as [MS-TURN] lays it out, its attributes not padded. */
static void test_allocate_response(void **state)
{
	static struct talk t;
	struct lya_stun m;
	uint8_t seq[24];

	(void)state;
	for (int i = 0; i < 20; i++)
		seq[i] = (uint8_t)(0xA0 + i);
	memcpy(seq + 20, "\x00\x00\x00\x05", 4);
	begin(&t, 0x0103, old_id);
	add_ms_cookie(&t);
	add_attr(&t, 0x0006, "opaque!", 7);
	add_attr(&t, 0x0001, "\x00\x01\xC3\x50\xCB\x00\x71\x1E", 8); /* 203.0.113.30:50000 */
	add_attr(&t, 0x000E, "\x00\x01\x0D\x96\xCB\x00\x71\x1F", 8); /* 203.0.113.31:3478 */
	add_attr(&t, 0x8008, "\x00\x00\x00\x04", 4);
	add_attr(&t, 0x8050, seq, 24);
	assert_true(read_talk(&t, &m));
	assert_true(m.msturn && m.response && m.allocate && m.username && m.has_sequence);
	assert_false(m.rfc5389 || m.binding || m.ice || m.cut);
	check_addr(&m.relay, "203.0.113.30", 50000);
	check_addr(&m.alternate, "203.0.113.31", 3478);
	assert_int_equal(m.mapped.addr.family, 0);
	assert_int_equal(m.ms_version, 4);
	assert_int_equal(m.sequence, 5);
	assert_memory_equal(m.connection, seq, 20);

	/* With the modern cookie in the id it is MS-TURN all the same: no padding. */
	memcpy(t.bytes + 4, "\x21\x12\xA4\x42", 4);
	assert_true(read_talk(&t, &m));
	assert_true(m.msturn && m.rfc5389 && m.has_sequence);
	check_addr(&m.relay, "203.0.113.30", 50000);
}

static void test_types(void **state)
{
	static const struct {
		const char *name;
		unsigned type;
		bool ms; /* with MS-TURN's cookie */
		char class;
		bool binding, allocate;
	} cases[] = {
		{ "binding request", 0x0001, false, 'q', true, false },
		{ "binding indication", 0x0011, false, 'i', true, false },
		{ "binding success", 0x0101, false, 's', true, false },
		{ "binding error", 0x0111, false, 'e', true, false },
		{ "allocate request", 0x0003, true, 'q', false, true },
		{ "allocate response", 0x0103, true, 's', false, true },
		{ "allocate error", 0x0113, true, 'e', false, true },
		{ "send request", 0x0004, true, 'q', false, false },
		{ "data indication of MS-TURN", 0x0115, true, 'i', false, false },
		{ "set active destination", 0x0006, true, 'q', false, false },
		{ "set active destination response", 0x0106, true, 's', false, false },
		{ "set active destination error", 0x0116, true, 'e', false, false },
		{ "data indication of RFC 5766", 0x0017, false, 'i', false, false },
		{ "channel bind", 0x0009, false, 'q', false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		static struct talk t;
		struct lya_stun m;

		begin(&t, cases[i].type, new_id);
		if (cases[i].ms)
			add_ms_cookie(&t);
		if (!read_talk(&t, &m))
			fail_msg("%s: not read", cases[i].name);
		if (m.request != (cases[i].class == 'q') ||
		    m.indication != (cases[i].class == 'i') ||
		    m.response != (cases[i].class == 's') || m.error != (cases[i].class == 'e') ||
		    m.binding != cases[i].binding || m.allocate != cases[i].allocate)
			fail_msg("%s: wrong class or method", cases[i].name);
	}
}

static void test_error_code(void **state)
{
	static struct talk t;
	struct lya_stun m;

	(void)state;
	begin(&t, 0x0113, old_id);
	add_ms_cookie(&t);
	add_attr(&t, 0x0009, "\x00\x00\x04\x01Unauthorized", 16);
	add_attr(&t, 0x0015, "realm", 5); /* realm: 15 here, 14 in RFC 5389 */
	add_attr(&t, 0x0014, "nonce", 5);
	assert_true(read_talk(&t, &m));
	assert_int_equal(m.error_code, 401);
}

/* XOR and plain: the XOR form counts, in either order. */
static void test_both_forms(void **state)
{
	static const char plain[] = "\x00\x01\x00\x01\x0A\x00\x00\x01";
	static const char xored[] = "\x00\x01\x2E\xB2\xE7\x21\xC0\x45";
	static struct talk t;
	struct lya_stun m;

	(void)state;
	for (int order = 0; order < 2; order++) {
		begin(&t, 0x0101, new_id);
		add_attr(&t, order ? 0x0020 : 0x0001, order ? xored : plain, 8);
		add_attr(&t, order ? 0x0001 : 0x0020, order ? plain : xored, 8);
		assert_true(read_talk(&t, &m));
		check_addr(&m.mapped, "198.51.100.7", 4000);
	}
}

static void test_ice_attributes(void **state)
{
	static const struct {
		unsigned attr;
		bool ice;
	} cases[] = { { 0x0024, true },  { 0x0025, true }, { 0x8029, true },  { 0x802A, true },
		      { 0x8054, true },  { 0x8070, true }, { 0x0006, false }, { 0x8022, false },
		      { 0x8028, false }, { 0x8055, false } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		static struct talk t;
		struct lya_stun m;

		begin(&t, 0x0001, new_id);
		add_attr(&t, cases[i].attr, "\0\0\0\1", 4);
		assert_true(read_talk(&t, &m));
		if (m.ice != cases[i].ice)
			fail_msg("attribute %04x", cases[i].attr);
	}
}

static void test_rejected(void **state)
{
	static struct talk t;
	struct lya_stun m;

	(void)state;
	begin(&t, 0x0001, new_id);
	assert_true(read_talk(&t, &m));
	assert_false(lya_stun_read(t.bytes, t.n, t.n + 4, &m)); /* more than it claims */
	assert_false(lya_stun_read(t.bytes, 19, 19, &m));
	t.bytes[0] = 0x40;
	assert_false(read_talk(&t, &m));

	/* Without a cookie only RFC 3489's own messages, when they come out even. */
	begin(&t, 0x0001, old_id);
	assert_true(read_talk(&t, &m));
	assert_true(m.request && m.binding);
	add_attr(&t, 0x0003, "\0\0\0\2", 4);
	assert_true(read_talk(&t, &m));
	add8(&t, 0);
	assert_false(read_talk(&t, &m));
	begin(&t, 0x0003, old_id);
	assert_false(read_talk(&t, &m));
	begin(&t, 0x0101, old_id);
	add16(&t, 0x0001);
	add16(&t, 9); /* one byte more than there is */
	add(&t, "\0\1\0\1\12\0\0\1", 8);
	assert_false(read_talk(&t, &m));
}

/* Captured short: what is there is read, and it says that it is cut. */
static void test_cut(void **state)
{
	struct lya_stun m;

	(void)state;
	for (size_t n = 0; n < sizeof(rfc5769_response); n++) {
		uint8_t *copy = malloc(n == 0 ? 1 : n);
		bool read;

		assert_non_null(copy);
		memcpy(copy, rfc5769_response, n);
		read = lya_stun_read(copy, n, sizeof(rfc5769_response), &m);
		free(copy);
		assert_true(read == (n >= 20));
		if (!read)
			continue;
		assert_true(m.cut);
		assert_true((m.mapped.addr.family == 4) == (n >= 48));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc5769),    cmocka_unit_test(test_xor_rule),
		cmocka_unit_test(test_xor_ipv6),   cmocka_unit_test(test_allocate_response),
		cmocka_unit_test(test_types),      cmocka_unit_test(test_error_code),
		cmocka_unit_test(test_both_forms), cmocka_unit_test(test_ice_attributes),
		cmocka_unit_test(test_rejected),   cmocka_unit_test(test_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
