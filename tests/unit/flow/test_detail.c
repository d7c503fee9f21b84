/*
 * test_detail.c - what payloads say on their way, through the whole of a flow
 * table: resumed TLS sessions, certificate names, ports of the endpoint mapper.
 *
 * The flights are those of the recogniser's tests; here it is what is remembered
 * of them that counts.
 */
#include "../app/tls_talk.h"
#include "packets.h"

enum { V12 = 0x0303, SERVER = 1, PORT = 5061 };

static struct talk talk;
static char told[1024];
static bool failing; /* what the table answers is the test's own matter */

/* Take the talk as one connection from client:sport; side 0 of the talk is the client. */
static void connect_as(struct lya_flow_table *t, int64_t at_s, uint32_t client, uint16_t sport,
		       uint16_t port)
{
	uint32_t seq[2] = { 101, 501 };
	struct lya_packet p = test_tcp(at_s * LYA_SECOND_NS, client, sport, SERVER, port, T_SYN);

	p.seq = 100;
	assert_int_equal(lya_flow_table_take(t, &p, 1, NULL), LYA_OK);
	p = test_tcp(at_s * LYA_SECOND_NS + 1, SERVER, port, client, sport, T_SYNACK);
	p.seq = 500;
	p.ack = 101;
	assert_int_equal(lya_flow_table_take(t, &p, 1, NULL), LYA_OK);
	for (size_t i = 0; i < talk.parts; i++) {
		unsigned side = talk.part[i].side;

		p = side == 0 ? test_tcp(at_s * LYA_SECOND_NS + 2 + (int64_t)i, client, sport,
					 SERVER, port, T_ACK)
			      : test_tcp(at_s * LYA_SECOND_NS + 2 + (int64_t)i, SERVER, port,
					 client, sport, T_ACK);
		p.seq = seq[side];
		p.ack = seq[!side];
		p.payload = lya_cursor_of(talk.bytes + talk.part[i].at, talk.part[i].len);
		p.payload_len = (uint32_t)talk.part[i].len;
		seq[side] += p.payload_len;
		assert_true(lya_flow_table_take(t, &p, 1, NULL) == LYA_OK || failing);
	}
}

static void begin_talk(void)
{
	memset(&talk, 0, sizeof(talk));
}

/* Data both ways, so that the handshake is known to be over. */
static void add_data(void)
{
	for (unsigned i = 0; i < 12; i++) {
		say(&talk, i % 2);
		add_opaque(&talk, 23, V12, 64);
	}
}

/* A full handshake; the session gets an id of that length and a ticket. */
static void full(bool mutual, unsigned session_len, int ticket)
{
	struct hello c = { .version = V12, .ticket = ticket > 0 ? 0 : -1 };
	struct hello s = { .version = V12, .session_len = session_len, .ticket = c.ticket };

	begin_talk();
	say(&talk, 0);
	RECORD(&talk, V12, add_client_hello(&talk, &c));
	say(&talk, 1);
	RECORD(&talk, V12, add_server_hello(&talk, &s));
	RECORD(&talk, V12, add_certificate(&talk, "fe01.contoso.com", NULL, 0, 64));
	if (mutual)
		RECORD(&talk, V12, add_certificate_request(&talk, 40));
	RECORD(&talk, V12, add_body_message(&talk, 0x0E, 0));
	say(&talk, 0);
	if (mutual)
		RECORD(&talk, V12, add_certificate(&talk, "edge01.contoso.com", NULL, 0, 64));
	RECORD(&talk, V12, add_body_message(&talk, 0x10, 130));
	if (mutual)
		RECORD(&talk, V12, add_body_message(&talk, 0x0F, 128));
	add_finish(&talk, V12);
	say(&talk, 1);
	if (ticket > 0) {
		size_t rec = open_record(&talk, 22, V12), msg = open_message(&talk, 4);

		add32(&talk, 36000);
		add16(&talk, (unsigned)ticket);
		add_fill(&talk, (size_t)ticket, 0x11); /* as the client's hello offers it */
		close_message(&talk, msg);
		close_record(&talk, rec);
	}
	add_finish(&talk, V12);
	add_data();
}

static void resumed(unsigned session_len, int ticket)
{
	struct hello c = { .version = V12,
			   .session_len = session_len,
			   .ticket = ticket > 0 ? ticket : -1 };
	struct hello s = { .version = V12, .session_len = session_len, .ticket = -1 };

	begin_talk();
	say(&talk, 0);
	RECORD(&talk, V12, add_client_hello(&talk, &c));
	say(&talk, 1);
	RECORD(&talk, V12, add_server_hello(&talk, &s));
	add_finish(&talk, V12);
	say(&talk, 0);
	add_finish(&talk, V12);
	add_data();
}

static const struct {
	const char *name;
	bool seen, mutual; /* the full handshake */
	unsigned session_len;
	int ticket;
	unsigned again_len; /* the resumed one: session id and ticket */
	int again_ticket;
	uint16_t port;
	int64_t after_s;
	enum lya_tls_client want;
} RESUMED[] = {
	{ "by id, mutual", true, true, 32, 0, 32, 0, PORT, 60, LYA_TLS_CLIENT_PROVEN },
	{ "by id, one-way", true, false, 32, 0, 32, 0, PORT, 60, LYA_TLS_CLIENT_ANONYMOUS },
	{ "by ticket, mutual", true, true, 0, 160, 0, 160, PORT, 60, LYA_TLS_CLIENT_PROVEN },
	{ "by ticket with an id made up", true, false, 0, 160, 16, 160, PORT, 60,
	  LYA_TLS_CLIENT_ANONYMOUS },
	{ "another id", true, true, 32, 0, 31, 0, PORT, 60, LYA_TLS_CLIENT_UNKNOWN },
	{ "another ticket", true, true, 0, 160, 0, 161, PORT, 60, LYA_TLS_CLIENT_UNKNOWN },
	{ "the same id at another port", true, true, 32, 0, 32, 0, 444, 60,
	  LYA_TLS_CLIENT_UNKNOWN },
	{ "the full handshake not seen", false, true, 32, 0, 32, 0, PORT, 60,
	  LYA_TLS_CLIENT_UNKNOWN },
	{ "nearly ten hours later", true, true, 32, 0, 32, 0, PORT, 35999, LYA_TLS_CLIENT_PROVEN },
	{ "after that", true, true, 32, 0, 32, 0, PORT, 36010, LYA_TLS_CLIENT_UNKNOWN },
};

static void test_resumed(void **state)
{
	size_t failed = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(RESUMED) / sizeof(RESUMED[0]); i++) {
		struct test_ended e;
		struct lya_flow_table *t = test_table(&e, (struct lya_flow_options){ 0 });
		enum lya_tls_client first, got;

		full(RESUMED[i].mutual, RESUMED[i].session_len, RESUMED[i].ticket);
		if (RESUMED[i].seen)
			connect_as(t, 1, 2, 50000, PORT);
		resumed(RESUMED[i].again_len, RESUMED[i].again_ticket);
		connect_as(t, 1 + RESUMED[i].after_s, 2, 50001, RESUMED[i].port);
		assert_int_equal(lya_flow_table_flush(t), LYA_OK);
		assert_int_equal(e.n, RESUMED[i].seen ? 2 : 1);
		first = lya_app_tls_client(&e.list[0].app);
		got = lya_app_tls_client(&e.list[e.n - 1].app);
		if (got != RESUMED[i].want ||
		    (RESUMED[i].seen && first != (RESUMED[i].mutual ? LYA_TLS_CLIENT_PROVEN
								    : LYA_TLS_CLIENT_ANONYMOUS))) {
			failed++;
			print_error("%s: first %d, then %d\n", RESUMED[i].name, (int)first,
				    (int)got);
		}
		test_done(t, &e);
	}
	assert_int_equal(failed, 0);
}

/* One line per thing told. */
static int note(void *ctx, const struct lya_flow_detail *d)
{
	char addr[LYA_ADDR_TEXT], peer[LYA_ADDR_TEXT];
	size_t n = strlen(told);

	(void)ctx;
	(void)snprintf(told + n, sizeof(told) - n, "%s:%u to %s %s %s%u\n",
		       lya_addr_format(&d->addr, addr), d->client ? 0U : d->port,
		       lya_addr_format(&d->peer, peer), d->client ? "client" : "server",
		       d->kind == LYA_DETAIL_CERT_NAME ? d->name : "port ",
		       d->kind == LYA_DETAIL_CERT_NAME ? 0U : d->rpc_port);
	return LYA_OK;
}

static void test_names(void **state)
{
	struct lya_flow_options o = { .on_detail = note };
	struct test_ended e;
	struct lya_flow_table *t = test_table(&e, o);

	(void)state;
	told[0] = '\0';
	full(true, 32, 0);
	connect_as(t, 1, 2, 50000, PORT);
	assert_string_equal(told, "10.0.0.1:5061 to 10.0.0.2 server fe01.contoso.com0\n"
				  "10.0.0.2:0 to 10.0.0.1 client edge01.contoso.com0\n");
	assert_int_equal(lya_flow_table_flush(t), LYA_OK);
	test_done(t, &e);
}

static int refuse(void *ctx, const struct lya_flow_detail *d)
{
	(void)ctx;
	(void)d;
	return LYA_ENOMEM;
}

/* Who is told and fails ends it all. */
static void test_failure(void **state)
{
	struct lya_flow_options o = { .on_detail = refuse };
	struct test_ended e;
	struct lya_flow_table *t = test_table(&e, o);
	struct lya_packet p = test_tcp(9, 3, 1, 4, 2, T_SYN);

	(void)state;
	full(false, 32, 0);
	talk.parts = 2; /* up to the server's certificate */
	failing = true;
	connect_as(t, 1, 2, 50000, PORT);
	failing = false;
	assert_int_equal(lya_flow_table_take(t, &p, 1, NULL), LYA_ENOMEM);
	test_done(t, &e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_resumed),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
