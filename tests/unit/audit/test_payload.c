/*
 * test_payload.c - what is spoken, from frames to findings: clear SIP between
 * servers, real TLS at the A/V Edge, one-way TLS and a session resumed from it,
 * a certificate at the wrong host, and a port that an endpoint mapper named.
 */
#include "../app/tls_talk.h"
#include "pipeline.h"

#define FE02 UINT32_C(0x0a02000c)          /* 10.2.0.12 */
#define EDGE_INT UINT32_C(0x0a010015)      /* 10.1.0.21, of edge01 */
#define STRANGER UINT32_C(0xcb007109)      /* 203.0.113.9 */
#define PROXY_INSIDE UINT32_C(0x0a010029)  /* 10.1.0.41 */
#define PROXY_OUTSIDE UINT32_C(0xc6336429) /* 198.51.100.41 */
#define ACCESS_VIP UINT32_C(0xc633640b)    /* 198.51.100.11 */
#define AV_VIP UINT32_C(0xc633640d)        /* 198.51.100.13 */

enum { V12 = 0x0303, MANY = 200 };

static struct talk talk;
static bool swapped; /* the second and third part are sent the wrong way round */
static struct pipe p;

static void begin_talk(void)
{
	memset(&talk, 0, sizeof(talk));
}

/* The talk as one connection that begins so many milliseconds after the start. */
static void converse(int64_t at_ms, uint32_t client, uint16_t sport, uint32_t server,
		     uint16_t dport)
{
	uint32_t seq[2] = { 100, 500 }, start[PARTS_MAX], acks[PARTS_MAX];
	struct segment s = { .src = client,
			     .dst = server,
			     .sport = sport,
			     .dport = dport,
			     .flags = SYN,
			     .seq = seq[0]++ };

	pipe_take(&p, 0, ms(at_ms), &s);
	s = (struct segment){ .src = server,
			      .dst = client,
			      .sport = dport,
			      .dport = sport,
			      .flags = SYN | ACK,
			      .seq = seq[1]++,
			      .ack = seq[0] };
	pipe_take(&p, 0, ms(at_ms + 1), &s);
	for (size_t i = 0; i < talk.parts; i++) {
		start[i] = seq[talk.part[i].side];
		acks[i] = seq[!talk.part[i].side];
		seq[talk.part[i].side] += (uint32_t)talk.part[i].len;
	}
	for (size_t k = 0; k < talk.parts; k++) {
		size_t i = swapped && (k == 1 || k == 2) ? 3 - k : k;
		unsigned side = talk.part[i].side;

		s = (struct segment){ .src = side == 0 ? client : server,
				      .dst = side == 0 ? server : client,
				      .sport = side == 0 ? sport : dport,
				      .dport = side == 0 ? dport : sport,
				      .flags = ACK,
				      .seq = start[i],
				      .ack = acks[i],
				      .len = (uint16_t)talk.part[i].len,
				      .payload = (const char *)talk.bytes + talk.part[i].at };
		pipe_take(&p, 0, ms(at_ms + 2 + (int64_t)k), &s);
	}
}

static const struct lya_finding *find(enum lya_finding_type kind)
{
	size_t n;
	const struct lya_finding *list = lya_ledger_findings(lya_audit_ledger(p.audit), &n);

	for (size_t i = 0; i < n; i++) {
		if (list[i].kind == kind)
			return &list[i];
	}
	return NULL;
}

/* The flow to that port, of the one who came from sport. */
static const struct pipe_flow *flow_from(uint16_t sport)
{
	for (size_t i = 0; i < p.n_flows; i++) {
		if (p.flows[i].flow.port[p.flows[i].verdict.initiator] == sport)
			return &p.flows[i];
	}
	fail_msg("no flow from port %u", sport);
	return NULL;
}

static void test_clear_sip(void **state)
{
	const struct lya_finding *f;

	(void)state;
	pipe_open(&p);
	begin_talk();
	say_text(&talk, 0,
		 "OPTIONS sip:fe01.contoso.example SIP/2.0\r\nVia: SIP/2.0/TCP x\r\n\r\n");
	say_text(&talk, 1, "SIP/2.0 200 OK\r\n\r\n");
	converse(0, FE02, 50000, FRONT_END, 5061);
	pipe_finish(&p);
	f = find(LYA_FINDING_CLEARTEXT);
	assert_non_null(f);
	assert_int_equal(f->severity, LYA_SEVERITY_HIGH);
	assert_int_equal(f->prefix_len, 0);
	assert_null(find(LYA_FINDING_PROTOCOL_MISMATCH));
	pipe_close(&p);
}

/* Real TLS at the A/V Edge's address is another service; its imitation is STUN. */
static void test_av_edge(void **state)
{
	const struct hello hello = { .version = V12, .sni = "av.contoso.example", .ticket = -1 };

	(void)state;
	pipe_open(&p);
	begin_talk();
	say_pseudo_client(&talk);
	say_pseudo_server(&talk);
	converse(0, STRANGER, 50000, AV_VIP, 443);
	pipe_finish(&p);
	assert_null(find(LYA_FINDING_PROTOCOL_MISMATCH));
	pipe_close(&p);

	pipe_open(&p);
	converse(0, STRANGER, 50000, ACCESS_VIP, 443); /* the addresses are crossed */
	begin_talk();
	say(&talk, 0);
	RECORD(&talk, V12, add_client_hello(&talk, &hello));
	converse(1000, STRANGER, 50001, AV_VIP, 443);
	pipe_finish(&p);
	assert_int_equal(flow_from(50000)->verdict.payload.finding, LYA_FINDING_PROTOCOL_MISMATCH);
	assert_int_equal(flow_from(50001)->verdict.payload.finding, LYA_FINDING_PROTOCOL_MISMATCH);
	assert_null(find(LYA_FINDING_CLEARTEXT));
	pipe_close(&p);
}

/*
 * A handshake in which nobody asks for a client certificate: the client asks for
 * `sni` (NULL: for no name), and the server shows the certificate of `name`, which
 * bears another one, too.  So many records of data follow.
 */
static void one_way_asking(const char *sni, const char *name, const char *too, unsigned data)
{
	const struct hello client = { .version = V12, .sni = sni, .ticket = -1 };
	const struct hello server = { .version = V12, .session_len = 32, .ticket = -1 };

	begin_talk();
	say(&talk, 0);
	RECORD(&talk, V12, add_client_hello(&talk, &client));
	say(&talk, 1);
	RECORD(&talk, V12, add_server_hello(&talk, &server));
	RECORD(&talk, V12, add_certificate(&talk, name, &too, 1, 64));
	RECORD(&talk, V12, add_body_message(&talk, 0x0E, 0));
	say(&talk, 0);
	RECORD(&talk, V12, add_body_message(&talk, 0x10, 130));
	add_finish(&talk, V12);
	say(&talk, 1);
	add_finish(&talk, V12);
	for (unsigned i = 0; i < data; i++) {
		say(&talk, i % 2);
		add_opaque(&talk, 23, V12, 64);
	}
}

static void one_way(const char *name)
{
	one_way_asking(NULL, name, name, 24); /* so that the handshake is known to be over */
}

static void resumed(const char *sni)
{
	const struct hello hello = { .version = V12, .session_len = 32, .sni = sni, .ticket = -1 };

	begin_talk();
	say(&talk, 0);
	RECORD(&talk, V12, add_client_hello(&talk, &hello));
	say(&talk, 1);
	RECORD(&talk, V12, add_server_hello(&talk, &hello));
	add_finish(&talk, V12);
	say(&talk, 0);
	add_finish(&talk, V12);
	say(&talk, 0);
	add_opaque(&talk, 23, V12, 64);
}

static void test_one_way(void **state)
{
	struct lya_ledger_counts counts;
	const struct lya_finding *f;

	(void)state;
	pipe_open(&p);
	one_way("fe01.contoso.example");
	converse(0, EDGE_INT, 50000, FRONT_END, 5061);
	converse(1000, CLIENT, 50001, FRONT_END, 5061); /* a client need not prove anything */
	resumed(NULL);
	converse(60000, EDGE_INT, 50002, FRONT_END, 5061);
	converse(61000, EDGE_INT, 50003, FE02, 5061); /* another server: not seen */
	pipe_finish(&p);
	f = find(LYA_FINDING_MISSING_MUTUAL_TLS);
	assert_non_null(f);
	assert_int_equal(f->flows, 2);
	assert_int_equal(flow_from(50001)->verdict.payload.mutual, LYA_MUTUAL_NOT_DUE);
	assert_int_equal(flow_from(50002)->verdict.payload.mutual, LYA_MUTUAL_ONE_WAY);
	assert_int_equal(flow_from(50003)->verdict.payload.mutual, LYA_MUTUAL_UNDETERMINED);
	lya_ledger_counts(lya_audit_ledger(p.audit), &counts);
	assert_int_equal(counts.mutual[LYA_MUTUAL_ONE_WAY], 2);
	assert_int_equal(counts.mutual[LYA_MUTUAL_UNDETERMINED], 1);
	assert_null(find(LYA_FINDING_IDENTITY_MISMATCH));
	pipe_close(&p);
}

static void test_identity(void **state)
{
	const struct lya_finding *f;

	(void)state;
	pipe_open(&p);
	one_way("pool01.contoso.example"); /* the pool's: its own */
	converse(0, CLIENT, 50000, FE02, 443);
	one_way("meet.contoso.example"); /* the reverse proxy's */
	converse(1000, CLIENT, 50001, FRONT_END, 443);
	one_way("www.example.org"); /* nobody's here */
	converse(2000, CLIENT, 50002, FE02, 443);
	pipe_finish(&p);
	f = find(LYA_FINDING_IDENTITY_MISMATCH);
	assert_non_null(f);
	assert_int_equal(f->flows, 1);
	assert_string_equal(f->shown, "rp01");
	assert_string_equal(f->responder.host, "fe01");
	assert_non_null(strstr(f->what, "certificate of rp01"));
	assert_int_equal(f->severity, LYA_SEVERITY_MEDIUM);
	pipe_close(&p);
}

/* A certificate that was wrong once, and is put right: so are the flows from then on. */
static void test_identity_mended(void **state)
{
	const struct lya_finding *f;

	(void)state;
	pipe_open(&p);
	one_way("meet.contoso.example"); /* the reverse proxy's */
	converse(0, CLIENT, 50000, FRONT_END, 443);
	converse(1000, CLIENT, 50001, FRONT_END, 443);
	one_way("fe01.contoso.example");
	converse(2000, CLIENT, 50002, FRONT_END, 443);
	one_way("meet.contoso.example");
	converse(3000, CLIENT, 50003, FRONT_END, 443);
	one_way("fe01.contoso.example");
	converse(4000, CLIENT, 50004, FRONT_END, 443);
	pipe_finish(&p);
	f = find(LYA_FINDING_IDENTITY_MISMATCH);
	assert_non_null(f);
	assert_int_equal(f->flows, 3);
	for (uint16_t i = 0; i < 5; i++)
		assert_int_equal(flow_from((uint16_t)(50000 + i))->verdict.payload.shown != 0,
				 i < 2 || i == 3);
	pipe_close(&p);
}

/*
 * A client that asks for another's name, is shown that it is not there, and leaves
 * it at that, was sent to the wrong server.
 */
static const struct {
	const char *name;
	uint32_t client, server;
	const char *sni, *shows, *too;
	unsigned data;
	const char *asks; /* the host whose name it is; NULL: no finding */
} ASKS[] = {
	{ "its own", CLIENT, FE02, "pool01.contoso.example", "fe02.contoso.example",
	  "pool01.contoso.example", 0, NULL },
	{ "published at the proxy", STRANGER, PROXY_OUTSIDE, "owas.contoso.example",
	  "lyncweb.contoso.example", "owas.contoso.example", 0, NULL },
	{ "under a wildcard", CLIENT, FE02, "owas.contoso.example", "fe02.contoso.example",
	  "*.contoso.example", 0, NULL },
	{ "passed on by the proxy", PROXY_INSIDE, FE02, "meet.contoso.example",
	  "fe02.contoso.example", "pool01.contoso.example", 0, NULL },
	{ "of nobody here", CLIENT, FE02, "www.example.org", "fe02.contoso.example",
	  "pool01.contoso.example", 0, NULL },
	{ "of a server that shows nobody's", CLIENT, FE02, "owas.contoso.example",
	  "www.example.org", "example.org", 0, NULL },
	{ "and went on", CLIENT, FE02, "owas.contoso.example", "fe02.contoso.example",
	  "pool01.contoso.example", 2, NULL },
	{ "in vain", CLIENT, FRONT_END, "owas.contoso.example", "fe01.contoso.example",
	  "pool01.contoso.example", 0, "owas01" },
};

static void asked_in(unsigned threads)
{
	const struct lya_finding *f;
	size_t failed = 0;

	pipe_open_in(&p, threads);
	for (size_t i = 0; i < sizeof(ASKS) / sizeof(ASKS[0]); i++) {
		one_way_asking(ASKS[i].sni, ASKS[i].shows, ASKS[i].too, ASKS[i].data);
		converse((int64_t)i * 1000, ASKS[i].client, (uint16_t)(50000 + i), ASKS[i].server,
			 443);
	}
	resumed("owas.contoso.example"); /* no certificate, no proof */
	converse(60000, CLIENT, 51000, FE02, 443);
	pipe_finish(&p);
	for (size_t i = 0; i < sizeof(ASKS) / sizeof(ASKS[0]); i++) {
		int32_t shown = flow_from((uint16_t)(50000 + i))->verdict.payload.shown;
		const char *asks = shown < 0 ? p.site->hosts[-shown - 1].name : NULL;

		if (shown <= 0 &&
		    (asks == NULL || ASKS[i].asks == NULL ? asks == ASKS[i].asks
							  : strcmp(asks, ASKS[i].asks) == 0))
			continue;
		failed++;
		print_error("%s: %d\n", ASKS[i].name, (int)shown);
	}
	assert_int_equal(failed, 0);
	assert_int_equal(flow_from(51000)->verdict.payload.shown, 0);
	f = find(LYA_FINDING_IDENTITY_MISMATCH);
	assert_non_null(f);
	assert_int_equal(f->flows, 1);
	assert_null(f->shown);
	assert_string_equal(f->asked, "owas01");
	assert_int_equal(f->severity, LYA_SEVERITY_LOW);
	assert_non_null(strstr(f->what, "for a name of owas01"));
	assert_non_null(strstr(f->why, "was sent to the wrong place"));
	assert_non_null(strstr(f->fix, "names of owas01 resolve to"));
	pipe_close(&p);
}

/* In threads, too: names are judged long after the packet that held them. */
static void test_asked(void **state)
{
	(void)state;
	for (unsigned threads = 1; threads <= 3; threads++)
		asked_in(threads);
}

/* The server's bytes come in two segments, the second one first if so asked. */
static void halve_answer(bool late)
{
	size_t n = talk.part[1].len, half = n / 2;

	assert_true(talk.parts < PARTS_MAX);
	memmove(&talk.part[3], &talk.part[2], (talk.parts - 2) * sizeof(talk.part[0]));
	talk.parts++;
	talk.part[2] = talk.part[1];
	talk.part[1].len = half;
	talk.part[2].at += half;
	talk.part[2].len = n - half;
	swapped = late;
}

/*
 * More connections than there is scratch memory for wait for the client to go on, all
 * their certificates whole; one more, whose server's segments are swapped, is read, too.
 */
static void test_many_open(void **state)
{
	const struct hello client = { .version = V12, .ticket = -1 };
	const struct hello server = { .version = V12, .session_len = 32, .ticket = -1 };

	(void)state;
	pipe_open(&p);
	for (uint16_t i = 0; i < MANY; i++) {
		begin_talk();
		say(&talk, 0);
		RECORD(&talk, V12, add_client_hello(&talk, &client));
		say(&talk, 1);
		RECORD(&talk, V12, add_server_hello(&talk, &server));
		RECORD(&talk, V12, add_certificate(&talk, "fe02.contoso.example", NULL, 0, 600));
		halve_answer(false);
		converse(i, CLIENT, (uint16_t)(40000 + i), FE02, 443);
	}
	one_way("av.contoso.example");
	halve_answer(true);
	converse(1000, STRANGER, 50000, AV_VIP, 443);
	swapped = false;
	pipe_finish(&p);
	assert_non_null(find(LYA_FINDING_PROTOCOL_MISMATCH));
	pipe_close(&p);
}

/* Endpoint mapper ------------------------------------------------------------- */

/* A PDU's common header, little-endian, then so many bytes. */
static void say_pdu(unsigned side, unsigned type, size_t body)
{
	say(&talk, side);
	add8(&talk, 5);
	add8(&talk, 0);
	add8(&talk, type);
	add8(&talk, 3);
	add(&talk, "\x10\x00\x00\x00", 4);
	add8(&talk, (unsigned)(16 + body) & 0xFF);
	add8(&talk, (unsigned)(16 + body) >> 8);
	add(&talk, "\x00\x00\x02\x00\x00\x00", 6);
}

static void ask_mapper(unsigned port)
{
	begin_talk();
	say_pdu(0, 0x0B, 16 + 16 + 4 + 20);
	add(&talk, "\xD0\x16\xD0\x16\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x01\x00", 16);
	add(&talk, "\x08\x83\xAF\xE1\x1F\x5D\xC9\x11\x91\xA4\x08\x00\x2B\x14\xA0\xFA", 16);
	add(&talk, "\x03\x00\x00\x00", 4);
	add_fill(&talk, 20, 4);
	say_pdu(1, 0x0C, 40);
	add_fill(&talk, 40, 5);
	say_pdu(0, 0x00, 120);
	add_fill(&talk, 120, 6);
	say_pdu(1, 0x02, 52 + 7 + 5 + 2 + 9);
	add_fill(&talk, 52, 1);
	add(&talk, "\x01\x00\x0B\x02\x00\x00\x00", 7);
	add(&talk, "\x01\x00\x07\x02\x00", 5);
	add16(&talk, port);
	add(&talk, "\x01\x00\x09\x04\x00\x0A\x02\x00\x0B", 9);
}

static void use_port(void)
{
	begin_talk();
	say_pdu(0, 0x0B, 56);
	add_fill(&talk, 56, 7);
	say_pdu(1, 0x0C, 40);
	add_fill(&talk, 40, 5);
}

static const struct {
	const char *name;
	int64_t at_ms;
	uint32_t client, server;
	uint16_t sport, port;
	bool child;
} CHILDREN[] = {
	{ "before it was named", 0, FE02, FRONT_END, 51000, 2345, false },
	{ "named to another", 2000, CLIENT, FRONT_END, 51001, 2345, false },
	{ "named", 3000, FE02, FRONT_END, 51002, 2345, true },
	{ "another port", 4000, FE02, FRONT_END, 51003, 2346, false },
	{ "still expected", 590000, FE02, FRONT_END, 51004, 2345, true },
	{ "too late", 620000, FE02, FRONT_END, 51005, 2345, false },
};

static void test_mapper(void **state)
{
	size_t failed = 0;

	(void)state;
	pipe_open(&p);
	for (size_t i = 0; i < sizeof(CHILDREN) / sizeof(CHILDREN[0]); i++) {
		if (i == 1) {
			ask_mapper(2345);
			converse(1000, FE02, 50000, FRONT_END, 135);
		}
		use_port();
		converse(CHILDREN[i].at_ms, CHILDREN[i].client, CHILDREN[i].sport,
			 CHILDREN[i].server, CHILDREN[i].port);
	}
	pipe_finish(&p);
	for (size_t i = 0; i < sizeof(CHILDREN) / sizeof(CHILDREN[0]); i++) {
		const struct lya_verdict *v = &flow_from(CHILDREN[i].sport)->verdict;

		if (v->payload.rpc_child == CHILDREN[i].child &&
		    v->kind ==
			(CHILDREN[i].child ? LYA_VERDICT_DOCUMENTED : LYA_VERDICT_UNEXPECTED_PORT))
			continue;
		failed++;
		print_error("%s: %s\n", CHILDREN[i].name,
			    lya_verdict_name((enum lya_verdict_kind)v->kind));
	}
	pipe_close(&p);
	assert_int_equal(failed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clear_sip), cmocka_unit_test(test_av_edge),
		cmocka_unit_test(test_one_way),   cmocka_unit_test(test_identity),
		cmocka_unit_test(test_identity_mended),
		cmocka_unit_test(test_asked),     cmocka_unit_test(test_many_open),
		cmocka_unit_test(test_mapper),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
