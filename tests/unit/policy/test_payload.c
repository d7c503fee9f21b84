/*
 * test_payload.c - every kind of row against every protocol, mutual TLS by what
 * the handshake showed, and ICE checks.  Expectations: policy-model, the table
 * of further findings; protocol-facts 2.5, 2.6, 5.2 to 5.5.
 */
#include "judge.h"

#define CLIENT "10.20.0.5"
#define CLIENT2 "10.20.0.9"
#define FE01 "10.2.0.11"
#define FE02 "10.2.0.12"
#define FE_VIP "10.2.0.10"
#define MED "10.2.0.31"
#define PCHAT "10.2.0.41"
#define GATEWAY "10.3.0.4"
#define RCC "10.4.0.5"
#define EDGE_INT "10.1.0.21"
#define ACCESS "198.51.100.21"
#define ACCESS_VIP "198.51.100.11"
#define WEBCONF_VIP "198.51.100.12"
#define AV_VIP "198.51.100.13"
#define AV "198.51.100.23"
#define RP_EXT "198.51.100.41"
#define HLB_EDGE "10.1.0.2"
#define PARTNER "203.0.113.40"
#define STRANGER "203.0.113.200"

/* One letter a protocol, in the order of enum lya_app from LYA_APP_TLS on. */
static const char LETTERS[] = "TpsmrcSHNDXRBQtKhd";

_Static_assert(sizeof(LETTERS) - 1 == LYA_APP_COUNT - LYA_APP_TLS, "a letter for each protocol");

struct row_case {
	const char *name;
	struct talk talk;
	const char *fits;  /* or cannot be told: no finding */
	const char *clear; /* cleartext; every other letter is a mismatch */
};

static const char ALL[] = "TpsmrcSHNDXRBQtKhd";

/* TLS is demanded: what its services would speak without it is cleartext. */
#define SECURED "T", "SHX"

static const struct row_case ROWS[] = {
	{ "sip/tls", { TCP, STRANGER, 40000, ACCESS_VIP, 443, .seen = SYN_X }, SECURED },
	{ "sip/mtls", { TCP, FE01, 40000, PCHAT, 5041, .seen = SYN_X }, SECURED },
	{ "https", { TCP, STRANGER, 40000, RP_EXT, 443, .seen = SYN_X }, SECURED },
	{ "psom/tls", { TCP, STRANGER, 40000, WEBCONF_VIP, 443, .seen = SYN_X }, SECURED },
	{ "psom/mtls", { TCP, FE01, 40000, EDGE_INT, 8057, .seen = SYN_X }, SECURED },
	{ "xmpp/mtls", { TCP, FE01, 40000, EDGE_INT, 23456, .seen = SYN_X }, SECURED },
	{ "mtls", { TCP, FE01, 40000, FE02, 8404, .seen = SYN_X }, SECURED },
	{ "tls", { TCP, CLIENT, 40000, PCHAT, 443, .seen = SYN_X }, SECURED },
	{ "wcf/tls", { TCP, CLIENT, 40000, PCHAT, 881, .seen = SYN_X }, SECURED },
	{ "http", { TCP, STRANGER, 40000, RP_EXT, 80, .seen = SYN_X }, "H", "" },
	{ "stun over TCP: pseudo-TLS is STUN, real TLS is not",
	  { TCP, STRANGER, 40000, AV_VIP, 443, .seen = SYN_X },
	  "psm",
	  "" },
	{ "stun over UDP: media may follow an allocation that was missed",
	  { UDP, STRANGER, 40000, AV_VIP, 3478, .seen = NOTHING },
	  "psmrc",
	  "" },
	{ "rtp", { UDP, STRANGER, 40000, AV, 50005, .seen = NOTHING }, "psmrc", "" },
	{ "rtp over TCP", { TCP, STRANGER, 40000, AV, 50005, .seen = SYN_X }, "psmrc", "" },
	{ "dns", { UDP, ACCESS, 40000, STRANGER, 53, .seen = NOTHING }, "N", "" },
	{ "xmpp", { TCP, PARTNER, 40000, ACCESS_VIP, 5269, .seen = SYN_X }, "X", "" },
	{ "dcom-rpc", { TCP, FE01, 40000, FE02, 135, .seen = SYN_X }, "R", "" },
	{ "smb", { TCP, FE02, 40000, FE01, 445, .seen = SYN_X }, "B", "" },
	{ "ssrp", { UDP, FE01, 40000, FE02, 1434, .seen = NOTHING }, "Q", "" },
	{ "tcp says nothing more", { TCP, RCC, 40000, FE01, 5060, .seen = SYN_X }, ALL, "" },
	{ "media and files of clients: SIP is neither",
	  { TCP, CLIENT, 40000, CLIENT2, 6891, .seen = SYN_X },
	  "Tpsmrc",
	  "" },
	{ "media of clients over UDP",
	  { UDP, CLIENT, 40000, CLIENT2, 6000, .seen = NOTHING },
	  "psmrc",
	  "" },
	{ "several rows, one of them bare: director's 5061",
	  { TCP, FE01, 40000, "10.2.0.21", 5061, .seen = SYN_X },
	  ALL,
	  "" },
	{ "a port of centralised logging inside the media range",
	  { TCP, FE02, 40000, FE01, 50002, .seen = SYN_X },
	  "Tpsmrc",
	  "" },
	{ "another port of that range",
	  { TCP, FE02, 40000, FE01, 50010, .seen = SYN_X },
	  "psmrc",
	  "" },
};

static enum lya_finding_type inspect(const struct court *c, const struct lya_flow *f,
				     struct lya_verdict *v)
{
	struct lya_policy_end ends[2];

	lya_policy_end_of(c->policy, &f->addr[0], &ends[0]);
	lya_policy_end_of(c->policy, &f->addr[1], &ends[1]);
	lya_policy_judge(c->policy, NULL, f, ends, -1, v);
	lya_policy_inspect(c->policy, f, ends, v);
	return (enum lya_finding_type)v->payload.finding;
}

static void test_rows(void **state)
{
	struct court c;
	size_t failed = 0;

	(void)state;
	court_open(&c, NULL, "site-hlb.json", false);
	for (size_t i = 0; i < LENGTH(ROWS); i++) {
		for (unsigned app = LYA_APP_TLS; app < LYA_APP_COUNT; app++) {
			char letter = LETTERS[app - LYA_APP_TLS];
			enum lya_finding_type want =
			    strchr(ROWS[i].fits, letter) != NULL    ? LYA_FINDING_NONE
			    : strchr(ROWS[i].clear, letter) != NULL ? LYA_FINDING_CLEARTEXT
								    : LYA_FINDING_PROTOCOL_MISMATCH;
			enum lya_finding_type got;
			struct lya_verdict v;
			struct lya_flow f;

			(void)flow_of(&ROWS[i].talk, &f);
			f.app.app = (uint8_t)app;
			f.app.service_payload = true;
			got = inspect(&c, &f, &v);
			if (v.kind == LYA_VERDICT_DOCUMENTED && got == want)
				continue;
			failed++;
			print_error("%s, %s: %s, %s instead of %s\n", ROWS[i].name,
				    lya_app_name((enum lya_app)app),
				    lya_verdict_name((enum lya_verdict_kind)v.kind),
				    lya_finding_type_name(got), lya_finding_type_name(want));
		}
	}
	court_close(&c);
	assert_int_equal(failed, 0);
}

/* What the protocol's name alone does not say. */
static const struct {
	const char *name;
	struct talk talk;
	unsigned seen; /* bits LYA_SEEN_... */
	enum lya_finding_type want;
} SPECIAL[] = {
	{ "no payload: nothing can be wrong with it",
	  { TCP, FE01, 40000, PCHAT, 5041, .seen = SYN_X, .app = LYA_APP_NONE },
	  0,
	  LYA_FINDING_NONE },
	{ "an unknown protocol never breaks a row",
	  { TCP, FE01, 40000, PCHAT, 5041, .seen = SYN_X, .app = LYA_APP_UNKNOWN },
	  0,
	  LYA_FINDING_NONE },
	{ "XMPP that went on in TLS, where TLS is due from the first byte",
	  { TCP, FE01, 40000, EDGE_INT, 23456, .seen = SYN_X, .app = LYA_APP_XMPP },
	  LYA_SEEN_STARTTLS,
	  LYA_FINDING_PROTOCOL_MISMATCH },
	{ "XMPP with stanzas before STARTTLS",
	  { TCP, FE01, 40000, EDGE_INT, 23456, .seen = SYN_X, .app = LYA_APP_XMPP },
	  LYA_SEEN_STARTTLS | LYA_SEEN_CLEAR,
	  LYA_FINDING_CLEARTEXT },
	{ "RTP on 443 of the A/V Edge from the first byte",
	  { TCP, STRANGER, 40000, AV_VIP, 443, .seen = SYN_X, .app = LYA_APP_RTP },
	  0,
	  LYA_FINDING_PROTOCOL_MISMATCH },
	{ "the same, the start missed",
	  { TCP, STRANGER, 40000, AV_VIP, 443, .seen = CLIENT_X, .app = LYA_APP_RTP },
	  0,
	  LYA_FINDING_NONE },
	{ "relayed data after an allocation is what it likes",
	  { UDP, STRANGER, 40000, AV_VIP, 3478, .seen = NOTHING, .app = LYA_APP_DTLS },
	  LYA_SEEN_STUN | LYA_SEEN_TURN | LYA_SEEN_TURN_OK,
	  LYA_FINDING_NONE },
	{ "TLS in the middle of an XMPP connection: STARTTLS may have come before",
	  { TCP, PARTNER, 40000, ACCESS_VIP, 5269, .seen = CLIENT_X, .app = LYA_APP_TLS },
	  0,
	  LYA_FINDING_NONE },
	{ "clear SIP is readable from its middle too",
	  { TCP, FE01, 40000, PCHAT, 5041, .seen = NOTHING, .app = LYA_APP_SIP },
	  0,
	  LYA_FINDING_CLEARTEXT },
	{ "SIP between two clients over UDP",
	  { UDP, CLIENT, 40000, CLIENT2, 5060, .seen = NOTHING, .app = LYA_APP_SIP },
	  0,
	  LYA_FINDING_PROTOCOL_MISMATCH },
	{ "a health probe has no finding, whatever it speaks",
	  { TCP, HLB_EDGE, 40000, EDGE_INT, 5061, .seen = SYN_X, .app = LYA_APP_HTTP },
	  0,
	  LYA_FINDING_NONE },
	{ "an undocumented flow is judged by its path alone",
	  { TCP, STRANGER, 40000, FE01, 5061, .seen = SYN_X, .app = LYA_APP_SIP },
	  0,
	  LYA_FINDING_NONE },
};

static void test_special(void **state)
{
	struct court c;
	size_t failed = 0;

	(void)state;
	court_open(&c, NULL, "site-hlb.json", false);
	for (size_t i = 0; i < LENGTH(SPECIAL); i++) {
		enum lya_finding_type got;
		struct lya_verdict v;
		struct lya_flow f;

		(void)flow_of(&SPECIAL[i].talk, &f);
		f.app.seen = (uint8_t)SPECIAL[i].seen;
		got = inspect(&c, &f, &v);
		if (got == SPECIAL[i].want)
			continue;
		failed++;
		print_error("%s: %s\n", SPECIAL[i].name, lya_finding_type_name(got));
	}
	court_close(&c);
	assert_int_equal(failed, 0);
}

/* Handshakes ---------------------------------------------------------------------- */

enum {
	HELLOS = LYA_TLS_CLIENT_HELLO | LYA_TLS_SERVER_HELLO,
	CCS = LYA_TLS_CLIENT_CCS | LYA_TLS_SERVER_CCS,
	UNASKED = HELLOS | LYA_TLS_SERVER_CERT | LYA_TLS_HELLO_DONE,
	ASKED = UNASKED | LYA_TLS_CERT_REQUEST,
	GIVEN = ASKED | LYA_TLS_CLIENT_CERT | LYA_TLS_CERT_VERIFY
};

#define SERVERS                                                                                    \
	{                                                                                          \
		TCP, FE01, 40000, PCHAT, 5041, .seen = SYN_X, .app = LYA_APP_TLS                   \
	}

static const struct {
	const char *name;
	struct talk talk;
	unsigned tls;
	uint16_t version;
	enum lya_tls_client inherited;
	enum lya_mutual want;
} HANDSHAKES[] = {
	{ "asked, given, signed", SERVERS, GIVEN | CCS, 0x0303, 0, LYA_MUTUAL_PROVEN },
	{ "the same in TLS 1.0", SERVERS, GIVEN | CCS, 0x0301, 0, LYA_MUTUAL_PROVEN },
	{ "not asked", SERVERS, UNASKED | CCS | LYA_TLS_APP_DATA, 0x0303, 0, LYA_MUTUAL_ONE_WAY },
	{ "asked, nothing given", SERVERS,
	  ASKED | LYA_TLS_CLIENT_CERT_EMPTY | CCS | LYA_TLS_APP_DATA, 0x0303, 0,
	  LYA_MUTUAL_ONE_WAY },
	{ "given and rejected", SERVERS, GIVEN | LYA_TLS_CLIENT_CCS | LYA_TLS_ALERT, 0x0303, 0,
	  LYA_MUTUAL_REJECTED },
	{ "broken off before the end", SERVERS, UNASKED, 0x0303, 0, LYA_MUTUAL_UNDETERMINED },
	{ "nothing given and turned away", SERVERS,
	  ASKED | LYA_TLS_CLIENT_CERT_EMPTY | LYA_TLS_CLIENT_CCS | LYA_TLS_ALERT, 0x0303, 0,
	  LYA_MUTUAL_UNDETERMINED },
	{ "a gap in the handshake", SERVERS, UNASKED | CCS | LYA_TLS_GAP, 0x0303, 0,
	  LYA_MUTUAL_UNDETERMINED },
	{ "renegotiation may have asked", SERVERS, UNASKED | CCS | LYA_TLS_RENEGOTIATION, 0x0303, 0,
	  LYA_MUTUAL_UNDETERMINED },
	{ "TLS 1.3 hides it", SERVERS, HELLOS | CCS | LYA_TLS_APP_DATA, 0x0304, 0,
	  LYA_MUTUAL_UNDETERMINED },
	{ "resumed, the first one not seen", SERVERS, HELLOS | CCS | LYA_TLS_RESUMED, 0x0303,
	  LYA_TLS_CLIENT_UNKNOWN, LYA_MUTUAL_UNDETERMINED },
	{ "resumed from a mutual one", SERVERS, HELLOS | CCS | LYA_TLS_RESUMED, 0x0303,
	  LYA_TLS_CLIENT_PROVEN, LYA_MUTUAL_PROVEN },
	{ "resumed from a one-way one", SERVERS, HELLOS | CCS | LYA_TLS_RESUMED, 0x0303,
	  LYA_TLS_CLIENT_ANONYMOUS, LYA_MUTUAL_ONE_WAY },
	{ "no part of the handshake seen", SERVERS, LYA_TLS_GAP | LYA_TLS_APP_DATA, 0, 0,
	  LYA_MUTUAL_UNDETERMINED },
	/* who must prove it */
	{ "a client need not",
	  { TCP, CLIENT, 40000, FE01, 5061, .seen = SYN_X, .app = LYA_APP_TLS },
	  UNASKED | CCS,
	  0x0303,
	  0,
	  LYA_MUTUAL_NOT_DUE },
	{ "nor a stranger",
	  { TCP, STRANGER, 40000, ACCESS_VIP, 5061, .seen = SYN_X, .app = LYA_APP_TLS },
	  UNASKED | CCS,
	  0x0303,
	  0,
	  LYA_MUTUAL_NOT_DUE },
	{ "a partner must",
	  { TCP, PARTNER, 40000, ACCESS_VIP, 5061, .seen = SYN_X, .app = LYA_APP_TLS },
	  UNASKED | CCS,
	  0x0303,
	  0,
	  LYA_MUTUAL_ONE_WAY },
	{ "an Edge must",
	  { TCP, EDGE_INT, 40000, FE01, 5061, .seen = SYN_X, .app = LYA_APP_TLS },
	  UNASKED | CCS,
	  0x0303,
	  0,
	  LYA_MUTUAL_ONE_WAY },
	{ "a balancer's leg carries whoever the client is",
	  { TCP, "198.51.100.2", 40000, ACCESS, 5061, .seen = SYN_X, .app = LYA_APP_TLS,
	    .service = true },
	  UNASKED | CCS | LYA_TLS_APP_DATA,
	  0x0303,
	  0,
	  LYA_MUTUAL_NOT_DUE },
	{ "a row that says TLS only",
	  { TCP, GATEWAY, 40000, MED, 5067, .seen = SYN_X, .app = LYA_APP_TLS },
	  UNASKED | CCS,
	  0x0303,
	  0,
	  LYA_MUTUAL_NOT_DUE },
	{ "one of the matching rows says TCP only",
	  { TCP, FE01, 40000, MED, 5070, .seen = SYN_X, .app = LYA_APP_TLS },
	  UNASKED | CCS,
	  0x0303,
	  0,
	  LYA_MUTUAL_NOT_DUE },
	{ "clear SIP is another finding",
	  { TCP, FE01, 40000, PCHAT, 5041, .seen = SYN_X, .app = LYA_APP_SIP },
	  0,
	  0,
	  0,
	  LYA_MUTUAL_NOT_DUE },
};

static void test_mutual(void **state)
{
	struct court c;
	size_t failed = 0;

	(void)state;
	court_open(&c, NULL, "site-hlb.json", false);
	for (size_t i = 0; i < LENGTH(HANDSHAKES); i++) {
		enum lya_finding_type type;
		struct lya_verdict v;
		struct lya_flow f;

		(void)flow_of(&HANDSHAKES[i].talk, &f);
		f.app.tls = (uint16_t)HANDSHAKES[i].tls;
		f.app.tls_version = HANDSHAKES[i].version;
		f.app.inherited = (uint8_t)HANDSHAKES[i].inherited;
		type = inspect(&c, &f, &v);
		if (v.kind == LYA_VERDICT_DOCUMENTED && v.payload.mutual == HANDSHAKES[i].want &&
		    (type == LYA_FINDING_MISSING_MUTUAL_TLS) ==
			(HANDSHAKES[i].want == LYA_MUTUAL_ONE_WAY))
			continue;
		failed++;
		print_error("%s: %s, %s\n", HANDSHAKES[i].name,
			    lya_mutual_name((enum lya_mutual)v.payload.mutual),
			    lya_finding_type_name(type));
	}
	court_close(&c);
	assert_int_equal(failed, 0);
}

/* ICE ------------------------------------------------------------------------------ */

static const struct {
	const char *name;
	struct talk talk;
	bool ice;
	enum lya_finding_type want;
} CHECKS[] = {
	{ "a server tries a candidate behind the firewall",
	  { UDP, FE01, 50000, STRANGER, 61000, .seen = NOTHING, .app = LYA_APP_STUN },
	  true,
	  LYA_FINDING_ICE_CHECK },
	{ "a stranger tries an inner candidate",
	  { UDP, STRANGER, 61000, MED, 60000, .seen = NOTHING, .app = LYA_APP_STUN },
	  true,
	  LYA_FINDING_ICE_CHECK },
	{ "the A/V Edge tries an inner candidate, port aside",
	  { UDP, AV, 3000, FE01, 1000, .seen = NOTHING, .app = LYA_APP_STUN },
	  true,
	  LYA_FINDING_ICE_CHECK },
	{ "STUN that is no such check",
	  { UDP, FE01, 50000, STRANGER, 61000, .seen = NOTHING, .app = LYA_APP_STUN },
	  false,
	  LYA_FINDING_UNDOCUMENTED_PATH },
	{ "no media role at either end",
	  { UDP, PCHAT, 50000, STRANGER, 61000, .seen = NOTHING, .app = LYA_APP_STUN },
	  true,
	  LYA_FINDING_UNDOCUMENTED_PATH },
	{ "more datagrams than were looked at",
	  { UDP, FE01, 50000, STRANGER, 61000, .seen = NOTHING, .app = LYA_APP_STUN,
	    .packets = LYA_APP_ICE_MAX },
	  true,
	  LYA_FINDING_UNDOCUMENTED_PATH },
	{ "over TCP somebody let it in",
	  { TCP, FE01, 50000, STRANGER, 61000, .seen = SYN_X, .app = LYA_APP_STUN },
	  true,
	  LYA_FINDING_UNDOCUMENTED_PATH },
	{ "what is documented needs no excuse",
	  { UDP, CLIENT, 50000, CLIENT2, 50001, .seen = NOTHING, .app = LYA_APP_STUN },
	  true,
	  LYA_FINDING_NONE },
	{ "a balancer's rewriting is told as such",
	  { UDP, AV_VIP, 50000, AV, 3478, .seen = NOTHING, .app = LYA_APP_STUN, .service = true },
	  true,
	  LYA_FINDING_AV_EDGE_SNAT },
};

static void test_ice(void **state)
{
	struct court c;
	size_t failed = 0;

	(void)state;
	court_open(&c, NULL, "site-hlb.json", false);
	for (size_t i = 0; i < LENGTH(CHECKS); i++) {
		struct lya_verdict v;
		struct lya_flow f;

		(void)flow_of(&CHECKS[i].talk, &f);
		f.app.ice = CHECKS[i].ice;
		(void)inspect(&c, &f, &v);
		if (v.finding == CHECKS[i].want)
			continue;
		failed++;
		print_error("%s: %s\n", CHECKS[i].name,
			    lya_finding_type_name((enum lya_finding_type)v.finding));
	}
	court_close(&c);
	assert_int_equal(failed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_special),
		cmocka_unit_test(test_mutual),
		cmocka_unit_test(test_ice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
