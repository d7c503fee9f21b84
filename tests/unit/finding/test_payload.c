/*
 * test_payload.c - findings about what is spoken: how grave, what is cited,
 * and how little of the payload they show.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "example.h"

/* A flow from src to dst that begins with these bytes. */
static struct lya_flow talk(const char *src, const char *dst, uint16_t dport, enum lya_app app,
			    const char *begin)
{
	struct lya_flow f = world_flow(src, 50000, dst, dport, 6, LYA_STATE_ESTABLISHED);
	size_t len = strlen(begin) < LYA_APP_PREFIX ? strlen(begin) : LYA_APP_PREFIX;
	struct lya_addr from;

	(void)lya_addr_parse(src, &from);
	f.app.app = (uint8_t)app;
	f.app.service_payload = true;
	for (unsigned side = 0; side < 2; side++) {
		if (lya_addr_cmp(&f.addr[side], &from) != 0)
			continue;
		f.app.prefix_len[side] = (uint8_t)len;
		memcpy(f.app.prefix[side], begin, len);
	}
	return f;
}

static void take(struct lya_ledger *l, const struct lya_flow *f)
{
	struct lya_policy_end ends[2];
	struct lya_verdict v;

	lya_policy_end_of(world.policy, &f->addr[0], &ends[0]);
	lya_policy_end_of(world.policy, &f->addr[1], &ends[1]);
	lya_policy_judge(world.policy, NULL, f, ends, -1, &v);
	lya_policy_inspect(world.policy, f, ends, &v);
	assert_int_equal(lya_ledger_take(l, f, ends, &v, NULL), LYA_OK);
}

static void finish(struct lya_ledger *l)
{
	struct lya_ledger_end end = { .first_ns = WORLD_TIME, .last_ns = WORLD_TIME };

	assert_int_equal(lya_ledger_finish(l, &end, NULL), LYA_OK);
}

static const struct lya_finding *find(const struct lya_ledger *l, enum lya_finding_type kind)
{
	size_t n;
	const struct lya_finding *list = lya_ledger_findings(l, &n);

	for (size_t i = 0; i < n; i++) {
		if (list[i].kind == kind)
			return &list[i];
	}
	return NULL;
}

/* Orders go to who can follow them, and of a client no certificate is said to be wanted. */
static void test_cleartext_words(void **state)
{
	static const struct {
		const char *src, *dst;
		const char *why, *fix;
		bool mutual;
	} cases[] = {
		{ "203.0.113.50", "198.51.100.11", "for SIP in TLS",
		  "Let the servers behind hlb-ext refuse anything but TLS on tcp 5061, so that", false },
		{ "198.51.100.11", "198.51.100.21", "for SIP in TLS",
		  "Look first at who reaches the VIP in clear, which is a finding of its own; if "
		  "nobody does, hlb-ext ends TLS itself",
		  false },
		{ "10.20.1.10", "10.2.0.11", "for SIP in TLS",
		  "On 10.20.1.10, set the transport towards fe01 to TLS, and let fe01 refuse", false },
		{ "10.2.0.12", "10.2.0.11", "for SIP in mutual TLS",
		  "On fe02, set the transport towards fe01 to TLS", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct lya_ledger *l = world_ledger(&world, 0);
		struct lya_flow f = talk(cases[i].src, cases[i].dst, 5061, LYA_APP_SIP, "REGISTER");
		const struct lya_finding *found;

		take(l, &f);
		finish(l);
		found = find(l, LYA_FINDING_CLEARTEXT);
		assert_non_null(found);
		assert_non_null(strstr(found->why, cases[i].why));
		assert_non_null(strstr(found->fix, cases[i].fix));
		assert_int_equal(strstr(found->why, "mutual") != NULL, cases[i].mutual);
		lya_ledger_free(l);
	}
}

static void test_cleartext(void **state)
{
	struct lya_ledger *l = world_ledger(&world, 0);
	struct lya_flow outside = talk("203.0.113.9", "198.51.100.11", 443, LYA_APP_SIP,
				       "REGISTER sip:contoso.com SIP/2.0");
	struct lya_flow inside =
	    talk("10.2.0.11", "10.1.0.21", 8057, LYA_APP_HTTP, "GET / HTTP/1.1");
	const struct lya_finding *f;

	(void)state;
	take(l, &outside);
	finish(l);
	f = find(l, LYA_FINDING_CLEARTEXT);
	assert_non_null(f);
	assert_int_equal(f->severity, LYA_SEVERITY_CRITICAL); /* from an external address */
	assert_int_equal(f->spoken, UINT32_C(1) << LYA_APP_SIP);
	assert_int_equal(f->prefix_len, 0); /* what was said is nobody's business */
	assert_non_null(strstr(f->what, "spoke SIP in clear, where TLS is documented."));
	assert_null(strstr(f->what, "contoso"));
	assert_non_null(strstr(f->why, "edge.3.3"));
	lya_ledger_free(l);

	l = world_ledger(&world, 0);
	take(l, &inside);
	finish(l);
	f = find(l, LYA_FINDING_CLEARTEXT);
	assert_non_null(f);
	assert_int_equal(f->severity, LYA_SEVERITY_HIGH);
	lya_ledger_free(l);
}

/* Instant messages between clients cite the statement that forbids them. */
static void test_mismatch(void **state)
{
	struct lya_ledger *l = world_ledger(&world, 0);
	struct lya_flow im =
	    talk("10.20.0.5", "10.20.0.6", 5060, LYA_APP_SIP, "MESSAGE sip:b@contoso.com SIP/2.0");
	struct lya_flow web =
	    talk("203.0.113.9", "198.51.100.13", 443, LYA_APP_TLS, "\x16\x03\x01");
	const struct lya_finding *f;

	(void)state;
	take(l, &im);
	finish(l);
	f = find(l, LYA_FINDING_PROTOCOL_MISMATCH);
	assert_non_null(f);
	assert_int_equal(f->severity, LYA_SEVERITY_MEDIUM);
	assert_string_equal(f->statement, "internal.p.im-via-front-end");
	assert_non_null(strstr(f->why, "internal.p.im-via-front-end"));
	assert_non_null(strstr(f->what, "SIP"));
	assert_non_null(strstr(f->what, "media (RTP)")); /* both names */
	lya_ledger_free(l);

	l = world_ledger(&world, 0);
	take(l, &web);
	finish(l);
	f = find(l, LYA_FINDING_PROTOCOL_MISMATCH);
	assert_non_null(f);
	assert_null(f->statement);
	assert_non_null(strstr(f->what, "real TLS (first bytes 16 03 01)"));
	assert_non_null(strstr(f->why, "imitates TLS"));
	lya_ledger_free(l);
}

/* Other findings show no payload, whatever was kept of it. */
static void test_no_bytes_elsewhere(void **state)
{
	struct lya_ledger *l = world_ledger(&world, 0);
	struct lya_flow f = talk("203.0.113.9", "10.2.0.11", 9999, LYA_APP_HTTP, "GET /secret");
	const struct lya_finding *list;
	size_t n;

	(void)state;
	take(l, &f);
	finish(l);
	list = lya_ledger_findings(l, &n);
	assert_true(n > 0);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(list[i].prefix_len, 0);
		assert_int_equal(list[i].spoken, 0);
	}
	lya_ledger_free(l);
}

/* Mutual and one-way connections are counted, and the one-way ones a finding. */
static void test_mutual(void **state)
{
	const uint16_t unasked = LYA_TLS_CLIENT_HELLO | LYA_TLS_SERVER_HELLO | LYA_TLS_SERVER_CERT |
				 LYA_TLS_HELLO_DONE | LYA_TLS_CLIENT_CCS | LYA_TLS_SERVER_CCS;
	struct lya_ledger *l = world_ledger(&world, 0), *other = world_ledger(&world, 0);
	struct lya_flow f = talk("10.2.0.11", "10.1.0.21", 8057, LYA_APP_TLS, "\x16\x03\x01");
	struct lya_ledger_counts counts;
	const struct lya_finding *g;

	(void)state;
	f.app.tls_version = 0x0303;
	f.app.tls = unasked | LYA_TLS_CERT_REQUEST | LYA_TLS_CLIENT_CERT | LYA_TLS_CERT_VERIFY;
	take(l, &f);
	f.app.tls = unasked;
	take(l, &f);
	take(other, &f);
	f.app.tls = unasked | LYA_TLS_RENEGOTIATION;
	take(other, &f);
	assert_int_equal(lya_ledger_merge(l, other), LYA_OK);
	lya_ledger_free(other);
	finish(l);
	lya_ledger_counts(l, &counts);
	assert_int_equal(counts.mutual[LYA_MUTUAL_PROVEN], 1);
	assert_int_equal(counts.mutual[LYA_MUTUAL_ONE_WAY], 2);
	assert_int_equal(counts.mutual[LYA_MUTUAL_UNDETERMINED], 1);
	g = find(l, LYA_FINDING_MISSING_MUTUAL_TLS);
	assert_non_null(g);
	assert_int_equal(g->flows, 2);
	assert_int_equal(g->severity, LYA_SEVERITY_HIGH);
	assert_int_equal(g->prefix_len, 0);
	lya_ledger_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cleartext),
		cmocka_unit_test(test_cleartext_words),
		cmocka_unit_test(test_mismatch),
		cmocka_unit_test(test_no_bytes_elsewhere),
		cmocka_unit_test(test_mutual),
	};

	return cmocka_run_group_tests(tests, open_example, close_example);
}
