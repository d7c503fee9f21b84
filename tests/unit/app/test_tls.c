/*
 * test_tls.c - TLS: what each kind of handshake shows (protocol: RFC 2246,
 * 5246, 8446; MS-TURN 2.1 for pseudo-TLS).
 */
#include "tls_talk.h"

enum {
	CH = LYA_TLS_CLIENT_HELLO,
	SH = LYA_TLS_SERVER_HELLO,
	SCERT = LYA_TLS_SERVER_CERT,
	CREQ = LYA_TLS_CERT_REQUEST,
	DONE = LYA_TLS_HELLO_DONE,
	CCERT = LYA_TLS_CLIENT_CERT,
	EMPTY = LYA_TLS_CLIENT_CERT_EMPTY,
	VERIFY = LYA_TLS_CERT_VERIFY,
	CCCS = LYA_TLS_CLIENT_CCS,
	SCCS = LYA_TLS_SERVER_CCS,
	DATA = LYA_TLS_APP_DATA
};

static const char *const server_names[] = { "sip.example.com", "edge1.example.com" };
static const char *const client_names[] = { "fe1.example.com" };

enum client_auth { NOT_ASKED, ANSWERED, ANSWERED_EMPTY };

/* A full handshake up to TLS 1.2, and data both ways unless it is a probe's. */
static void full(struct talk *t, unsigned version, enum client_auth auth, bool data)
{
	struct hello h = { .version = version, .sni = "sip.example.com", .ticket = -1 };

	say(t, 0);
	RECORD(t, version, add_client_hello(t, &h));
	h.session_len = 32;
	say(t, 1);
	RECORD(t, version, {
		add_server_hello(t, &h);
		add_certificate(t, "pool.example.com", server_names, 2, 200);
		add_body_message(t, 0x0C, 60);
		if (auth != NOT_ASKED)
			add_certificate_request(t, 90);
		add_body_message(t, 0x0E, 0);
	});
	say(t, 0);
	if (auth == ANSWERED)
		RECORD(t, version, add_certificate(t, "fe1.example.com", client_names, 1, 100));
	if (auth == ANSWERED_EMPTY) {
		add8(t, 22);
		add16(t, version);
		add(t, "\x00\x07\x0B\x00\x00\x03\x00\x00\x00", 9);
	}
	RECORD(t, version, add_body_message(t, 0x10, 66));
	if (auth == ANSWERED)
		RECORD(t, version, add_body_message(t, 0x0F, 64));
	add_finish(t, version);
	say(t, 1);
	add_finish(t, version);
	if (data) {
		say(t, 0);
		add_opaque(t, 23, version, 120);
		say(t, 1);
		add_opaque(t, 23, version, 220);
	}
}

#define HEARD_CLIENT                                                                               \
	"0 sni sip.example.com\n"                                                                  \
	"0 hello 0303 suite c02f of 3 random 30..09 session 0\n"
#define HEARD_SERVER                                                                               \
	"1 choice 0303 suite 002f session 32\n"                                                    \
	"1 cn pool.example.com\n1 dns sip.example.com\n1 dns edge1.example.com\n"

static void test_full(void **state)
{
	static const struct {
		const char *name;
		unsigned version;
		enum client_auth auth;
		bool data;
		unsigned extra;
		const char *heard;
	} cases[] = {
		{ "1.2, one-way", 0x0303, NOT_ASKED, true, 0, HEARD_CLIENT HEARD_SERVER },
		{ "1.2, mutual", 0x0303, ANSWERED, true, CREQ | CCERT | VERIFY,
		  HEARD_CLIENT HEARD_SERVER "0 cn fe1.example.com\n0 dns fe1.example.com\n" },
		{ "1.2, asked, empty answer", 0x0303, ANSWERED_EMPTY, true, CREQ | EMPTY,
		  HEARD_CLIENT HEARD_SERVER },
		{ "1.2, a probe", 0x0303, NOT_ASKED, false, 0, HEARD_CLIENT HEARD_SERVER },
		{ "1.1, mutual", 0x0302, ANSWERED, true, CREQ | CCERT | VERIFY, NULL },
		{ "1.0, one-way", 0x0301, NOT_ASKED, true, 0, NULL },
		{ "SSL 3.0, one-way", 0x0300, NOT_ASKED, true, 0, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		static struct talk t;
		struct expect want = { .app = LYA_APP_TLS,
				       .client = 0,
				       .version = cases[i].version,
				       .service = cases[i].data,
				       .heard = cases[i].heard };

		memset(&t, 0, sizeof(t));
		full(&t, cases[i].version, cases[i].auth, cases[i].data);
		want.tls = CH | SH | SCERT | DONE | CCCS | SCCS | cases[i].extra |
			   (cases[i].data ? (unsigned)DATA : 0);
		check_talk(cases[i].name, &t, &want);
		check_damaged(cases[i].name, &t, TCP, LYA_APP_TLS, LYA_APP_TLS);
	}
}

/* A request of many kilobytes, cut into records at odd places. */
static void test_long_request(void **state)
{
	static struct talk t, flight;
	struct hello h = { .version = 0x0303, .ticket = -1 };
	struct expect want = { .app = LYA_APP_TLS,
			       .client = 0,
			       .version = 0x0303,
			       .service = true,
			       .tls = CH | SH | SCERT | CREQ | DONE | EMPTY | CCCS | SCCS | DATA };

	(void)state;
	memset(&t, 0, sizeof(t));
	memset(&flight, 0, sizeof(flight));
	say(&flight, 1);
	add_server_hello(&flight, &h);
	add_certificate(&flight, "pool.example.com", server_names, 2, 2500);
	add_certificate_request(&flight, 12000);
	add_body_message(&flight, 0x0E, 0);

	say(&t, 0);
	RECORD(&t, 0x0301, add_client_hello(&t, &h));
	say(&t, 1);
	for (size_t at = 0, n; at < flight.n; at += n) {
		n = at == 0 ? 3 : flight.n - at > 4096 ? 4096 : flight.n - at;
		RECORD(&t, 0x0303, add(&t, flight.bytes + at, n));
	}
	say(&t, 0);
	RECORD(&t, 0x0303, {
		add(&t, "\x0B\x00\x00\x03\x00\x00\x00", 7);
		add_body_message(&t, 0x10, 66);
	});
	add_finish(&t, 0x0303);
	say(&t, 1);
	add_finish(&t, 0x0303);
	add_opaque(&t, 23, 0x0303, 50);
	check_talk("long request", &t, &want);
	check_damaged("long request", &t, TCP, LYA_APP_TLS, LYA_APP_TLS);
}

/* Session id and ticket: both sides go from hello to ChangeCipherSpec. */
static void test_resumption(void **state)
{
	static const struct {
		const char *name;
		unsigned session_len;
		int ticket;
		bool new_ticket;
		const char *heard;
	} cases[] = {
		{ "by session id", 32, -1, false,
		  "0 hello 0303 suite c02f of 3 random 30..09 session 32\n"
		  "1 choice 0303 suite 002f session 32\n" },
		{ "by ticket", 0, 170, false,
		  "0 ticket 170 11..b0\n"
		  "0 hello 0303 suite c02f of 3 random 30..09 session 0 ticket\n"
		  "1 choice 0303 suite 002f session 0\n" },
		{ "by ticket, with a new one", 16, 170, true,
		  "0 ticket 170 11..b0\n"
		  "0 hello 0303 suite c02f of 3 random 30..09 session 16 ticket\n"
		  "1 choice 0303 suite 002f session 16\n1 ticket 160 22..7b\n" },
	};
	const struct expect base = { .app = LYA_APP_TLS,
				     .client = 0,
				     .version = 0x0303,
				     .service = true,
				     .tls = CH | SH | CCCS | SCCS | DATA | LYA_TLS_RESUMED };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		static struct talk t;
		struct hello h = { .version = 0x0303,
				   .session_len = cases[i].session_len,
				   .ticket = cases[i].ticket };
		struct expect want = base;

		want.heard = cases[i].heard;
		memset(&t, 0, sizeof(t));
		say(&t, 0);
		RECORD(&t, 0x0301, add_client_hello(&t, &h));
		say(&t, 1);
		RECORD(&t, 0x0303, add_server_hello(&t, &h));
		if (cases[i].new_ticket)
			RECORD(&t, 0x0303, {
				size_t msg = open_message(&t, 4);

				add32(&t, 7200);
				add16(&t, 160);
				add_fill(&t, 160, 0x22);
				close_message(&t, msg);
			});
		add_finish(&t, 0x0303);
		say(&t, 0);
		add_finish(&t, 0x0303);
		add_opaque(&t, 23, 0x0303, 99);
		check_talk(cases[i].name, &t, &want);
	}
}

/* An anonymous handshake has no certificate, and is no resumption. */
static void test_anonymous(void **state)
{
	static struct talk t;
	struct hello h = { .version = 0x0302, .session_len = 32, .ticket = -1 };
	struct expect want = { .app = LYA_APP_TLS,
			       .client = 0,
			       .version = 0x0302,
			       .tls = CH | SH | DONE | CCCS | SCCS };

	(void)state;
	memset(&t, 0, sizeof(t));
	say(&t, 0);
	RECORD(&t, 0x0302, add_client_hello(&t, &h));
	say(&t, 1);
	RECORD(&t, 0x0302, {
		add_server_hello(&t, &h);
		add_body_message(&t, 0x0C, 100);
		add_body_message(&t, 0x0E, 0);
	});
	say(&t, 0);
	RECORD(&t, 0x0302, add_body_message(&t, 0x10, 66));
	add_finish(&t, 0x0302);
	say(&t, 1);
	add_finish(&t, 0x0302);
	check_talk("anonymous", &t, &want);
}

static void test_renegotiation(void **state)
{
	static struct talk t;
	struct expect want = { .app = LYA_APP_TLS,
			       .client = 0,
			       .version = 0x0303,
			       .service = true,
			       .tls = CH | SH | SCERT | DONE | CCCS | SCCS | DATA |
				      LYA_TLS_RENEGOTIATION };

	(void)state;
	memset(&t, 0, sizeof(t));
	full(&t, 0x0303, NOT_ASKED, true);
	say(&t, 1);
	add_opaque(&t, 22, 0x0303, 36); /* HelloRequest */
	say(&t, 0);
	add_opaque(&t, 22, 0x0303, 300);
	check_talk("renegotiation", &t, &want);
}

/* The server refuses: a fatal alert in clear.  A warning is none. */
static void test_alerts(void **state)
{
	static struct talk t;
	struct hello h = { .version = 0x0303, .ticket = -1 };
	struct expect want = { .app = LYA_APP_TLS, .client = 0, .tls = CH | LYA_TLS_ALERT };

	(void)state;
	memset(&t, 0, sizeof(t));
	say(&t, 0);
	RECORD(&t, 0x0301, add_client_hello(&t, &h));
	SAY_BYTES(&t, 1, 21, 3, 3, 0, 2, 2, 40);
	check_talk("handshake failure", &t, &want);

	memset(&t, 0, sizeof(t));
	say(&t, 0);
	RECORD(&t, 0x0301, add_client_hello(&t, &h));
	SAY_BYTES(&t, 1, 21, 3, 3, 0, 2, 1, 112);
	want.tls = CH;
	check_talk("unrecognised name, a warning", &t, &want);

	/* SSL 3.0: "no certificate" is the empty answer. */
	memset(&t, 0, sizeof(t));
	h.version = 0x0300;
	say(&t, 0);
	RECORD(&t, 0x0300, add_client_hello(&t, &h));
	say(&t, 1);
	RECORD(&t, 0x0300, {
		add_server_hello(&t, &h);
		add_certificate(&t, "pool.example.com", server_names, 2, 20);
		add_certificate_request(&t, 10);
		add_body_message(&t, 0x0E, 0);
	});
	SAY_BYTES(&t, 0, 21, 3, 0, 0, 2, 1, 41);
	want.version = 0x0300;
	want.tls = CH | SH | SCERT | CREQ | DONE | EMPTY;
	check_talk("SSL 3.0, no certificate", &t, &want);
}

static void test_13(void **state)
{
	static struct talk t;
	struct hello h = { .version = 0x0303, .session_len = 32, .ticket = -1, .v13 = true };
	struct expect want = {
		.app = LYA_APP_TLS, .client = 0, .version = 0x0304, .tls = CH | SH | CCCS | SCCS
	};

	(void)state;
	for (int data = 0; data < 2; data++) {
		memset(&t, 0, sizeof(t));
		say(&t, 0);
		RECORD(&t, 0x0301, add_client_hello(&t, &h));
		say(&t, 1);
		RECORD(&t, 0x0303, add_server_hello(&t, &h));
		add_ccs(&t, 0x0303);
		add_opaque(&t, 23, 0x0303, 30);
		add_opaque(&t, 23, 0x0303, 1200);
		add_opaque(&t, 23, 0x0303, 290);
		add_opaque(&t, 23, 0x0303, 69);
		say(&t, 0);
		add_ccs(&t, 0x0303);
		add_opaque(&t, 23, 0x0303, 69); /* Finished */
		say(&t, 1);
		add_opaque(&t, 23, 0x0303, 250); /* tickets */
		add_opaque(&t, 23, 0x0303, 250);
		say(&t, 0);
		if (data) {
			add_opaque(&t, 23, 0x0303, 119);
			want.tls |= DATA;
			want.service = true;
		} else {
			add_opaque(&t, 23, 0x0303, 19); /* close_notify */
		}
		check_talk(data ? "1.3" : "1.3, a probe", &t, &want);
	}
	check_damaged("1.3", &t, TCP, LYA_APP_TLS, LYA_APP_TLS);
}

/*
 * Hellos of TLS 1.2, then records of data without a ChangeCipherSpec: no more is
 * learnt of the handshake, so nobody need listen until the last byte of a long flow.
 */
static void test_data_too_soon(void **state)
{
	static struct talk t;
	struct hello h = { .version = 0x0303, .ticket = -1 };
	struct lya_app_state *st = malloc(lya_app_state_size(TCP));
	struct lya_app_result res;

	(void)state;
	assert_non_null(st);
	memset(&t, 0, sizeof(t));
	say(&t, 0);
	RECORD(&t, 0x0303, add_client_hello(&t, &h));
	say(&t, 1);
	h.session_len = 32;
	RECORD(&t, 0x0303, add_server_hello(&t, &h));
	add_opaque(&t, 23, 0x0303, 16384);
	say(&t, 0);
	add_opaque(&t, 23, 0x0303, 16384);
	lya_app_init(st, TCP);
	for (size_t i = 0; i < t.parts; i++) {
		size_t n = t.part[i].len < 1000 ? t.part[i].len : 1000; /* of the records, a bit */

		assert_false(lya_app_done(st));
		lya_app_feed(st, t.part[i].side, i == 2 ? (uint32_t)t.part[0].len : 0,
			     t.bytes + t.part[i].at, n, n);
	}
	assert_true(lya_app_done(st));
	lya_app_result(st, &res);
	assert_int_equal(res.app, LYA_APP_TLS);
	assert_int_equal(res.tls, CH | SH | DATA);
	free(st);
}

/* Heartbeats may come at any time, even before the server's hello. */
static void test_heartbeat(void **state)
{
	static struct talk t;
	struct hello h = { .version = 0x0303, .ticket = -1 };
	struct expect want = {
		.app = LYA_APP_TLS, .client = 0, .version = 0x0303, .tls = CH | SH | SCERT | DONE
	};

	(void)state;
	memset(&t, 0, sizeof(t));
	say(&t, 0);
	RECORD(&t, 0x0301, add_client_hello(&t, &h));
	add_opaque(&t, 24, 0x0303, 8);
	say(&t, 1);
	RECORD(&t, 0x0303, {
		add_server_hello(&t, &h);
		add_certificate(&t, "pool.example.com", server_names, 1, 20);
	});
	add_opaque(&t, 24, 0x0303, 1000);
	RECORD(&t, 0x0303, add_body_message(&t, 0x0E, 0));
	check_talk("heartbeat", &t, &want);
	check_damaged("heartbeat", &t, TCP, LYA_APP_TLS, LYA_APP_TLS);
}

/* A ServerHello of early drafts: no session id, no ChangeCipherSpec. */
static void test_13_draft(void **state)
{
	static struct talk t;
	struct hello h = { .version = 0x0303, .ticket = -1 };
	struct expect want = { .app = LYA_APP_TLS, .client = 0, .version = 0x0304, .tls = CH | SH };
	static const unsigned versions[] = { 0x0304, 0x7F12 };
	size_t msg;

	(void)state;
	for (int i = 0; i < 2; i++) {
		memset(&t, 0, sizeof(t));
		say(&t, 0);
		RECORD(&t, 0x0301, add_client_hello(&t, &h));
		say(&t, 1);
		RECORD(&t, 0x0301, {
			msg = open_message(&t, 2);
			add16(&t, versions[i]);
			add_fill(&t, 32, 0x80);
			add(&t, "\xC0\x2B\x00\x08\x00\x28\x00\x04\x00\x1D\x00\x00", 12);
			close_message(&t, msg);
		});
		add_opaque(&t, 23, 0x0301, 900);
		check_talk(i == 0 ? "1.3, draft 14" : "1.3, draft 18", &t, &want);
		check_damaged("1.3, draft", &t, TCP, LYA_APP_TLS, LYA_APP_TLS);
	}
}

/* A second pair of hellos in clear follows, after a ChangeCipherSpec for show. */
static void test_13_retry(void **state)
{
	static struct talk t;
	struct hello h = { .version = 0x0303, .session_len = 32, .ticket = -1, .v13 = true };
	struct hello retry = h;
	struct expect want = { .app = LYA_APP_TLS,
			       .client = 0,
			       .version = 0x0304,
			       .tls = CH | SH | CCCS | SCCS,
			       .heard = "0 hello 0303 suite c02f of 3 random 30..09 session 32\n"
					"1 choice 0304 suite 1301 session 32 retry\n"
					"0 hello 0303 suite c02f of 3 random 30..09 session 32\n"
					"1 choice 0304 suite 1301 session 32\n" };

	(void)state;
	memset(&t, 0, sizeof(t));
	retry.retry = true;
	say(&t, 0);
	RECORD(&t, 0x0301, add_client_hello(&t, &h));
	say(&t, 1);
	RECORD(&t, 0x0303, add_server_hello(&t, &retry));
	add_ccs(&t, 0x0303);
	say(&t, 0);
	add_ccs(&t, 0x0303);
	RECORD(&t, 0x0303, add_client_hello(&t, &h));
	say(&t, 1);
	RECORD(&t, 0x0303, add_server_hello(&t, &h));
	add_opaque(&t, 23, 0x0303, 1200);
	say(&t, 0);
	add_opaque(&t, 23, 0x0303, 53);
	check_talk("1.3 with retry", &t, &want);
}

/* RFC 5246 E.2: length, 01, version, three lengths, then specs, session, challenge. */
static void test_ssl2_hello(void **state)
{
	static struct talk t;
	struct hello h = { .version = 0x0301, .session_len = 32, .ticket = -1 };
	struct expect want = { .app = LYA_APP_TLS,
			       .client = 0,
			       .version = 0x0301,
			       .tls = CH | SH | SCERT | DONE | CCCS | SCCS | LYA_TLS_SSLV2_HELLO,
			       .heard = "0 hello 0301 suite 0000 of 3 random 00..99 session 0\n"
					"1 choice 0301 suite 002f session 32\n"
					"1 cn pool.example.com\n1 dns sip.example.com\n" };

	(void)state;
	memset(&t, 0, sizeof(t));
	say(&t, 0);
	add16(&t, 0x8000 | (9 + 9 + 16));
	add8(&t, 1);
	add16(&t, 0x0301);
	add16(&t, 9);
	add16(&t, 0);
	add16(&t, 16);
	add(&t, "\x00\x00\x2F\x00\x00\x35\x01\x00\x80", 9);
	add_fill(&t, 16, 0x30);
	say(&t, 1);
	RECORD(&t, 0x0301, {
		add_server_hello(&t, &h);
		add_certificate(&t, "pool.example.com", server_names, 1, 20);
		add_body_message(&t, 0x0E, 0);
	});
	say(&t, 0);
	RECORD(&t, 0x0301, add_body_message(&t, 0x10, 66));
	add_finish(&t, 0x0301);
	say(&t, 1);
	add_finish(&t, 0x0301);
	check_talk("SSLv2-framed hello", &t, &want);
	check_damaged("SSLv2-framed hello", &t, TCP, LYA_APP_TLS, LYA_APP_TLS);
}

/* The start was missed: nothing of the handshake is claimed. */
static void test_midstream(void **state)
{
	static struct talk t;
	struct expect want = { .app = LYA_APP_TLS, .client = -1, .tls = DATA, .service = true };

	(void)state;
	memset(&t, 0, sizeof(t));
	say(&t, 0);
	add_opaque(&t, 23, 0x0303, 120);
	add_opaque(&t, 23, 0x0303, 42);
	say(&t, 1);
	add_opaque(&t, 23, 0x0303, 1300);
	check_talk("data", &t, &want);

	memset(&t, 0, sizeof(t));
	say(&t, 0);
	add_opaque(&t, 23, 0x0303, 120);
	say(&t, 1);
	add_opaque(&t, 21, 0x0303, 26);
	check_talk("a record from each", &t, &want);

	memset(&t, 0, sizeof(t));
	say(&t, 0);
	RECORD(&t, 0x0303, add_certificate(&t, "fe1.example.com", client_names, 1, 100));
	RECORD(&t, 0x0303, add_body_message(&t, 0x10, 66));
	add_finish(&t, 0x0303);
	say(&t, 1);
	add_finish(&t, 0x0303);
	want.tls = LYA_TLS_GAP;
	want.service = false;
	check_talk("from the client's certificate on", &t, &want);
}

/* Who says nothing but "I could not read that" says it in TLS. */
static void test_lone_alert(void **state)
{
	static struct talk t;
	struct expect want = { .app = LYA_APP_TLS, .client = -1, .tls = LYA_TLS_ALERT };

	(void)state;
	memset(&t, 0, sizeof(t));
	SAY_BYTES(&t, 1, 21, 3, 3, 0, 2, 2, 50);
	check_talk("alert", &t, &want);

	memset(&t, 0, sizeof(t));
	SAY_BYTES(&t, 1, 21, 3, 3, 0, 2, 9, 50);
	want = (struct expect){ .app = LYA_APP_UNKNOWN, .client = -1, .service = true };
	check_talk("no level of alerts", &t, &want);
}

/*
 * Between two records of a message come alerts, which have nothing to do with it.  There are
 * fewer than end the patience with a side that has not said hello.
 */
static void test_alerts_inside_message(void **state)
{
	enum { BEFORE = 38, ALERTS = 5 }; /* a header, and all but one byte of what is read first */
	static struct talk t, choice;
	struct hello h = { .version = 0x0303, .ticket = -1, .session_len = 32 };
	struct expect want = { .app = LYA_APP_TLS, .client = 0, .tls = CH | SH, .version = 0x0303 };
	size_t rec;

	(void)state;
	memset(&t, 0, sizeof(t));
	memset(&choice, 0, sizeof(choice));
	say(&choice, 1);
	add_server_hello(&choice, &h);
	say(&t, 0);
	RECORD(&t, 0x0301, add_client_hello(&t, &h));
	say(&t, 1);
	RECORD(&t, 0x0303, add(&t, choice.bytes, BEFORE));
	for (unsigned i = 0; i < ALERTS; i++) {
		rec = open_record(&t, 21, 0x0303);
		add16(&t, 0x0170); /* a warning */
		close_record(&t, rec);
	}
	RECORD(&t, 0x0303, add(&t, choice.bytes + BEFORE, choice.n - BEFORE));
	check_talk("warnings inside a message", &t, &want);
}

/* Exact layouts, and what is nearly so. */
static void test_pseudo(void **state)
{
	static struct talk t;
	struct expect want = { .app = LYA_APP_PSEUDO_TLS,
			       .client = 0,
			       .seen = LYA_SEEN_PSEUDO_TLS,
			       .heard =
				   "0 hello 0301 suite 0018 of 1 random 44..1d session 0 pseudo\n"
				   "1 choice 0301 suite 0018 session 32 pseudo\n" };

	(void)state;
	memset(&t, 0, sizeof(t));
	say_pseudo_client(&t);
	assert_int_equal(t.n, 50);
	say_pseudo_server(&t);
	assert_int_equal(t.n, 50 + 83);
	check_talk("both", &t, &want);
	check_damaged("both", &t, TCP, LYA_APP_PSEUDO_TLS, LYA_APP_TLS);

	memset(&t, 0, sizeof(t));
	say_pseudo_client(&t);
	want.heard = NULL;
	check_talk("client alone", &t, &want);
	t.part[0].side = 1;
	memset(&t, 0, sizeof(t));
	say_pseudo_server(&t);
	check_talk("server alone", &t, &want);
}

/* The same hello, answered by a server that means it. */
static void test_pseudo_answered_by_real(void **state)
{
	static struct talk t;
	struct hello h = { .version = 0x0301, .session_len = 32, .ticket = -1 };
	struct expect want = {
		.app = LYA_APP_TLS, .client = 0, .version = 0x0301, .tls = CH | SH | SCERT | DONE
	};

	(void)state;
	memset(&t, 0, sizeof(t));
	say_pseudo_client(&t);
	say(&t, 1);
	RECORD(&t, 0x0301, {
		add_server_hello(&t, &h);
		add_certificate(&t, "proxy.example.com", server_names, 1, 20);
		add_body_message(&t, 0x0E, 0);
	});
	check_talk("certificate", &t, &want);

	memset(&t, 0, sizeof(t));
	say_pseudo_client(&t);
	SAY_BYTES(&t, 1, 21, 3, 1, 0, 2, 2, 40);
	want.tls = CH | LYA_TLS_ALERT;
	want.version = 0;
	check_talk("alert", &t, &want);

	/* A real anonymous handshake begins like it, and goes on in records. */
	memset(&t, 0, sizeof(t));
	say_pseudo_client(&t);
	say_pseudo_server(&t);
	say(&t, 0);
	RECORD(&t, 0x0301, add_body_message(&t, 0x10, 66));
	add_finish(&t, 0x0301);
	say(&t, 1);
	add_finish(&t, 0x0301);
	want.tls = CH | SH | DONE | CCCS | SCCS;
	want.version = 0x0301;
	check_talk("anonymous", &t, &want);
}

/* Bytes that only begin like TLS. */
static void test_not_tls(void **state)
{
	static struct talk t;
	struct expect want = { .app = LYA_APP_UNKNOWN, .client = -1, .service = true };

	(void)state;
	memset(&t, 0, sizeof(t));
	SAY_BYTES(&t, 0, 0x16, 3, 1, 0, 60, 1, 0, 0, 56, 9, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	check_talk("version 9.9", &t, &want);

	memset(&t, 0, sizeof(t));
	SAY_BYTES(&t, 0, 23, 3, 3, 0, 4, 1, 2, 3, 4, 'h', 'e', 'l', 'l', 'o', '!');
	check_talk("one record and something else", &t, &want);

	memset(&t, 0, sizeof(t));
	SAY_BYTES(&t, 0, 0x80, 0x2E, 1, 3, 1, 0, 0x15, 0, 0, 0, 0x11, 1, 2, 3);
	check_talk("SSLv2 lengths that do not add up", &t, &want);

	memset(&t, 0, sizeof(t));
	say(&t, 0);
	add16(&t, 0x8000 | (9 + 8 + 16));
	add(&t, "\x01\x03\x01\x00\x08\x00\x00\x00\x10", 9);
	add_fill(&t, 8 + 16, 1);
	check_talk("SSLv2 cipher specs that are no multiple of three", &t, &want);
}

/* Loss inside what is passed over does no harm; loss of structure is a gap. */
static void test_loss(void **state)
{
	static struct talk t;
	struct way way = { .cut_part = 1, .lose = true };
	struct lya_app_result res;
	unsigned whole = CH | SH | SCERT | CREQ | DONE | CCERT | VERIFY | CCCS | SCCS | DATA;

	(void)state;
	memset(&t, 0, sizeof(t));
	full(&t, 0x0303, ANSWERED, true);
	way.cut_at = 30;
	res = carry(&t, TCP, &way, NULL);
	assert_true(res.tls & LYA_TLS_GAP);
	assert_false(res.tls & (SH | SCERT | CREQ | DONE | LYA_TLS_RESUMED));

	/* Captured whole, then so short that the server's flight is cut in its certificate. */
	memset(&t, 0, sizeof(t));
	full(&t, 0x0303, ANSWERED, true);
	res = carry(&t, TCP, &(struct way){ .snap = 2000 }, NULL);
	assert_int_equal(res.tls, whole);
	res = carry(&t, TCP, &(struct way){ .snap = 400 }, NULL);
	assert_true(res.tls & LYA_TLS_GAP);
	assert_false(res.tls & LYA_TLS_RESUMED);
}

/*
 * Certificates in packets of their own, captured short, with and without a
 * place to put them together: their ends are known, so nothing else is lost.
 */
static void test_cut_certificate(void **state)
{
	static struct talk t;
	static struct heard heard;
	struct hello h = { .version = 0x0303, .ticket = -1 };
	struct lya_app_result res;

	(void)state;
	memset(&t, 0, sizeof(t));
	say(&t, 0);
	RECORD(&t, 0x0303, add_client_hello(&t, &h));
	say(&t, 1);
	RECORD(&t, 0x0303, add_server_hello(&t, &h));
	say(&t, 1);
	RECORD(&t, 0x0303, add_certificate(&t, "pool.example.com", server_names, 2, 500));
	say(&t, 1);
	RECORD(&t, 0x0303, {
		add_certificate_request(&t, 10);
		add_body_message(&t, 0x0E, 0);
	});
	say(&t, 0);
	RECORD(&t, 0x0303, add_certificate(&t, "fe1.example.com", client_names, 1, 500));
	say(&t, 0);
	RECORD(&t, 0x0303, add_body_message(&t, 0x10, 66));
	RECORD(&t, 0x0303, add_body_message(&t, 0x0F, 64));
	say(&t, 0);
	add_finish(&t, 0x0303);
	say(&t, 1);
	add_finish(&t, 0x0303);
	for (size_t snap = 160; snap < 1000; snap += 7) {
		for (int scratch = 0; scratch < 2; scratch++) {
			memset(&heard, 0, sizeof(heard));
			heard.no_scratch = !scratch;
			res = carry(&t, TCP, &(struct way){ .snap = snap }, &heard);
			assert_int_equal(res.tls, CH | SH | SCERT | CREQ | DONE | CCERT | VERIFY |
						      CCCS | SCCS);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_long_request),
		cmocka_unit_test(test_resumption),
		cmocka_unit_test(test_anonymous),
		cmocka_unit_test(test_renegotiation),
		cmocka_unit_test(test_alerts),
		cmocka_unit_test(test_13), cmocka_unit_test(test_data_too_soon),
		cmocka_unit_test(test_heartbeat),
		cmocka_unit_test(test_13_draft),
		cmocka_unit_test(test_13_retry),
		cmocka_unit_test(test_ssl2_hello),
		cmocka_unit_test(test_midstream),
		cmocka_unit_test(test_lone_alert),
		cmocka_unit_test(test_alerts_inside_message),
		cmocka_unit_test(test_pseudo),
		cmocka_unit_test(test_pseudo_answered_by_real),
		cmocka_unit_test(test_not_tls),
		cmocka_unit_test(test_loss),
		cmocka_unit_test(test_cut_certificate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
