/*
 * test_certname.c - the names of a certificate (RFC 5280), and of what is none.
 */
#include "tls_talk.h"

/* What is heard of this DER as a server's leaf. */
static const char *names_of(const struct talk *der)
{
	static struct talk t;
	static struct heard heard;
	struct hello h = { .version = 0x0303, .ticket = -1 };
	struct lya_app_result res;
	const char *names;
	size_t rec, msg, chain, leaf;

	memset(&t, 0, sizeof(t));
	memset(&heard, 0, sizeof(heard));
	say(&t, 1);
	rec = open_record(&t, 22, 0x0303);
	add_server_hello(&t, &h);
	msg = open_message(&t, 0x0B);
	chain = open_len(&t, 3);
	leaf = open_len(&t, 3);
	add(&t, der->bytes, der->n);
	close_len(&t, leaf, 3);
	close_len(&t, chain, 3);
	close_message(&t, msg);
	add_body_message(&t, 0x0E, 0);
	close_record(&t, rec);
	res = carry(&t, TCP, &(struct way){ .step = 700 }, &heard);
	assert_int_equal(res.tls, LYA_TLS_SERVER_HELLO | LYA_TLS_SERVER_CERT | LYA_TLS_HELLO_DONE);
	names = strchr(heard.text, '\n');
	assert_non_null(names);
	return names + 1;
}

/* A certificate whose subject holds one attribute, given as DER, and nothing more. */
static const char *names_of_subject(const char *attribute, size_t len)
{
	static struct talk t;
	size_t certificate, tbs, list, set, pair;

	memset(&t, 0, sizeof(t));
	say(&t, 1);
	certificate = open_der(&t, 0x30);
	tbs = open_der(&t, 0x30);
	add(&t, "\x02\x01\x07\x30\x00\x30\x00\x30\x00", 9); /* version 1: no [0] */
	list = open_der(&t, 0x30);
	set = open_der(&t, 0x31);
	pair = open_der(&t, 0x30);
	add(&t, attribute, len);
	close_der(&t, pair);
	close_der(&t, set);
	close_der(&t, list);
	close_der(&t, tbs);
	close_der(&t, certificate);
	return names_of(&t);
}

#define SUBJECT(bytes) names_of_subject(bytes, sizeof(bytes) - 1)

static void test_subject(void **state)
{
	(void)state;
	assert_string_equal(SUBJECT("\x06\x03\x55\x04\x03\x13\x03"
				    "abc"),
			    "1 cn abc\n");
	assert_string_equal(SUBJECT("\x06\x03\x55\x04\x03\x0C\x03"
				    "abc"),
			    "1 cn abc\n");
	assert_string_equal(SUBJECT("\x06\x03\x55\x04\x03\x14\x03"
				    "abc"),
			    "1 cn abc\n");
	assert_string_equal(SUBJECT("\x06\x03\x55\x04\x03\x1E\x06\0a\0b\0c"), "1 cn abc\n");
	assert_string_equal(SUBJECT("\x06\x03\x55\x04\x03\x1E\x06\1a\0b\0c"), "");
	assert_string_equal(SUBJECT("\x06\x03\x55\x04\x03\x1E\x05\0a\0b\0"), "");
	assert_string_equal(SUBJECT("\x06\x03\x55\x04\x03\x04\x03"
				    "abc"),
			    ""); /* no string */
	assert_string_equal(SUBJECT("\x06\x03\x55\x04\x0A\x13\x03"
				    "abc"),
			    ""); /* organisation */
	assert_string_equal(SUBJECT("\x06\x03\x55\x04\x03\x13\x03"
				    "a\nc"),
			    "");
	assert_string_equal(SUBJECT("\x06\x03\x55\x04\x03\x13\x03"
				    "a\0c"),
			    "");
	assert_string_equal(SUBJECT("\x06\x03\x55\x04\x03\x13\x04"
				    "abc"),
			    ""); /* beyond the pair */
	assert_string_equal(SUBJECT("\x06\x03\x55\x04\x03\x13\x80"
				    "abc"),
			    ""); /* indefinite */
	assert_string_equal(SUBJECT("\x06\x03\x55\x04\x03\x13\x00"), "");
}

static void test_alternatives(void **state)
{
	static struct talk t;
	static const char *names[LYA_CERT_NAMES_MAX + 5];
	const char *heard;
	unsigned lines = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		names[i] = "a";
	memset(&t, 0, sizeof(t));
	say(&t, 1);
	add_der_certificate(&t, "b", names, sizeof(names) / sizeof(names[0]), 10);
	heard = names_of(&t);
	assert_true(strncmp(heard, "1 cn b\n1 dns a\n", 15) == 0);
	for (const char *p = heard; *p != '\0'; p++)
		lines += *p == '\n';
	assert_int_equal(lines, LYA_CERT_NAMES_MAX);
}

/* Cut after every byte, and every byte changed: some of the names, or none, and no harm. */
static void test_damaged(void **state)
{
	static const char *const names[] = { "sip.example.com" };
	static struct talk t, copy;

	(void)state;
	memset(&t, 0, sizeof(t));
	say(&t, 1);
	add_der_certificate(&t, "pool.example.com", names, 1, 30);
	assert_string_equal(names_of(&t), "1 cn pool.example.com\n1 dns sip.example.com\n");
	for (size_t n = 1; n < t.n; n++) {
		copy = t;
		copy.n = n;
		/* a shorter outer length is an element that does not fit */
		assert_string_equal(names_of(&copy), "");
	}
	for (size_t i = 0; i < t.n; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			copy = t;
			copy.bytes[i] ^= (uint8_t)(1U << bit);
			(void)names_of(&copy);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_subject),
		cmocka_unit_test(test_alternatives),
		cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
