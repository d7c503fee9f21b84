/*
 * test_udp.c - datagrams: what a UDP flow is made of them.
 */
#include "talk.h"

struct udp_case {
	const char *name;
	void (*make)(struct talk *t);
	struct expect want;
	enum lya_app also; /* what damaged datagrams may be taken for */
};

/* STUN ------------------------------------------------------------------------ */

static void add_stun(struct talk *t, unsigned side, unsigned type, unsigned attr)
{
	say(t, side);
	add16(t, type);
	add16(t, attr != 0 ? 8 : 0);
	add32(t, 0x2112A442);
	add_fill(t, 12, 0x31);
	if (attr != 0) {
		add16(t, attr);
		add16(t, 4);
		add32(t, 0x6E0001FF);
	}
}

static void add_turn(struct talk *t, unsigned side, unsigned type)
{
	say(t, side);
	add16(t, type);
	add16(t, 8 + 9);
	add_fill(t, 16, 0xC1);
	add(t, "\x00\x0F\x00\x04\x72\xC6\x4B\xC6\x00\x06\x00\x05token", 17);
}

static void add_rtp(struct talk *t, unsigned side, uint32_t ssrc, unsigned seq)
{
	say(t, side);
	add8(t, 0x80);
	add8(t, 111);
	add16(t, seq & 0xFFFF);
	add32(t, seq * 160);
	add32(t, ssrc);
	add_fill(t, 40, 7);
}

static void stun_probe(struct talk *t)
{
	add_stun(t, 0, 0x0001, 0);
	add_stun(t, 1, 0x0101, 0x8022);
}

static void stun_answer(struct talk *t)
{
	add_stun(t, 0, 0x0101, 0x8022);
}

static void stun_classic(struct talk *t)
{
	say(t, 0);
	add(t, "\x00\x01\x00\x08", 4);
	add_fill(t, 16, 0x77);
	add(t, "\x00\x03\x00\x04\x00\x00\x00\x00", 8);
}

static void stun_both_ways(struct talk *t) /* plain requests from both name nobody */
{
	add_stun(t, 0, 0x0001, 0x0006);
	add_stun(t, 1, 0x0001, 0x0006);
}

static void stun_keepalive(struct talk *t)
{
	add_stun(t, 0, 0x0011, 0);
}

static void ice(struct talk *t)
{
	add_stun(t, 0, 0x0001, 0x0024);
	add_stun(t, 1, 0x0101, 0x8022);
	add_stun(t, 1, 0x0001, 0x802A);
	add_stun(t, 0, 0x0101, 0x8022);
	add_stun(t, 0, 0x0011, 0);
}

static void ice_one_way(struct talk *t)
{
	for (int i = 0; i < 7; i++)
		add_stun(t, 1, 0x0001, 0x8070);
}

static void ice_and_plain(struct talk *t) /* one request without: no longer nothing but ICE */
{
	ice(t);
	add_stun(t, 0, 0x0001, 0x8022);
}

static void ice_and_unknown(struct talk *t)
{
	ice(t);
	say_text(t, 0, "?");
}

static void ice_media(struct talk *t)
{
	ice(t);
	for (unsigned i = 0; i < 3; i++)
		add_rtp(t, 1, 0xABCD, 65534 + i);
}

static void ms_turn(struct talk *t)
{
	add_turn(t, 0, 0x0003);
	add_turn(t, 1, 0x0113);
	add_turn(t, 0, 0x0003);
	add_turn(t, 1, 0x0103);
}

static void ms_turn_answer(struct talk *t)
{
	add_turn(t, 0, 0x0113);
}

static void ms_turn_media(struct talk *t)
{
	ms_turn(t);
	for (unsigned i = 0; i < 3; i++)
		add_rtp(t, 0, 0xABCD, 100 + i);
}

static void ms_turn_multiplexed(struct talk *t)
{
	ms_turn(t);
	SAY_BYTES(t, 0, 0xFF, 0x10, 0, 12, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12);
}

static void ms_data_first(struct talk *t) /* media before the allocation is seen: still TURN */
{
	for (unsigned i = 0; i < 3; i++)
		add_rtp(t, 0, 0xABCD, 100 + i);
	add_turn(t, 1, 0x0115);
}

static void turn_5766(struct talk *t)
{
	add_stun(t, 0, 0x0003, 0x0019);
	add_stun(t, 1, 0x0113, 0x0009);
}

/* Media ----------------------------------------------------------------------- */

static void rtp(struct talk *t)
{
	for (unsigned i = 0; i < 3; i++)
		add_rtp(t, 0, 0xABCD, 7 + i * 50);
}

static void rtp_two(struct talk *t)
{
	for (unsigned i = 0; i < 2; i++) {
		add_rtp(t, 0, 0xABCD, 7 + i);
		add_rtp(t, 1, 0xABCE, 7 + i);
	}
}

static void rtp_jumps(struct talk *t)
{
	for (unsigned i = 0; i < 6; i++)
		add_rtp(t, 0, 0xABCD, 7 + i * 51);
}

static void rtp_sources(struct talk *t)
{
	for (unsigned i = 0; i < 6; i++)
		add_rtp(t, 0, 0xABCD + i, 7 + i);
}

static void rtp_two_sources(struct talk *t)
{
	for (unsigned i = 0; i < 3; i++) {
		add_rtp(t, 0, 0xABCD, 7 + i);
		add_rtp(t, 0, 0x1234, 4000 + i);
	}
}

static void rtp_repeated(struct talk *t) /* the same packet again is no sequence */
{
	for (unsigned i = 0; i < 5; i++)
		add_rtp(t, 0, 0xABCD, 7);
}

static void rtp_twice(struct talk *t) /* by a mirror, say */
{
	for (unsigned i = 0; i < 6; i++)
		add_rtp(t, 0, 0xABCD, 7 + i / 2);
}

static void lengths(struct talk *t) /* a building's controllers: kind, and the length there */
{
	for (unsigned n = 24; n < 30; n++) {
		say(t, 0);
		add(t, "\x81\x0A", 2);
		add16(t, n);
		add(t, "\x01\x08\x00\x0D\x01\x3D\x10\x01", 8);
		add_fill(t, n - 12, 0xC4);
	}
}

static void add_rtcp(struct talk *t, unsigned side, bool clear)
{
	say(t, side);
	add(t, "\x80\xC9\x00\x01\x00\x00\xAB\xCD", 8); /* receiver report without blocks */
	if (clear)
		add(t, "\x81\xCA\x00\x03\x00\x00\xAB\xCD\x01\x04user\x00\x00", 16);
	else
		add_fill(t, 30, 0x61); /* SRTCP: the rest is encrypted, then index and tag */
}

static void rtcp_clear(struct talk *t)
{
	add_rtcp(t, 0, true);
}

static void rtcp_secure(struct talk *t)
{
	for (int i = 0; i < 3; i++)
		add_rtcp(t, 0, false);
}

static void rtcp_hint(struct talk *t)
{
	add_rtcp(t, 0, false);
}

/* DNS and its neighbours -------------------------------------------------------- */

static void add_dns(struct talk *t, unsigned side, unsigned flags, unsigned answers)
{
	say(t, side);
	add16(t, 0x0001);
	add16(t, flags);
	add16(t, 1);
	add16(t, answers);
	add16(t, 0);
	add16(t, 0);
	add(t,
	    "\x04pool\x07"
	    "example\x03"
	    "com\x00\x00\x01\x00\x01",
	    22);
	if (answers > 0)
		add(t, "\xC0\x0C\x00\x01\x00\x01\x00\x00\x00\x3C\x00\x04\x0A\x00\x00\x07", 16);
}

static void dns(struct talk *t)
{
	add_dns(t, 0, 0x0100, 0);
	add_dns(t, 1, 0x8580, 1);
}

static void dns_answer(struct talk *t)
{
	add_dns(t, 0, 0x8580, 1);
}

static void dns_edns(struct talk *t)
{
	add_dns(t, 0, 0x0100, 0);
	t->bytes[11] = 1;
	add(t, "\x00\x00\x29\x10\x00\x00\x00\x80\x00\x00\x00", 11);
}

static void dns_trailing(struct talk *t) /* bytes that no count announces */
{
	add_dns(t, 0, 0x0100, 0);
	add8(t, 0);
}

static void dns_two_questions(struct talk *t)
{
	add_dns(t, 0, 0x0100, 0);
	t->bytes[5] = 2;
}

static void dns_long_label(struct talk *t)
{
	add_dns(t, 0, 0x0100, 0);
	t->bytes[12] = 64;
}

static void dns_pointer(struct talk *t) /* a question has nothing to point back to */
{
	add_dns(t, 0, 0x0100, 0);
	t->bytes[12] = 0xC0;
}

static void netbios(struct talk *t)
{
	say(t, 0);
	add(t, "\x12\x34\x01\x10\x00\x01\x00\x00\x00\x00\x00\x00\x20", 13);
	add_text(t, "EMFCEDEPFDCACACACACACACACACACAAA");
	add(t, "\x00\x00\x20\x00\x01", 5);
}

static void netbios_damaged(struct talk *t) /* the type is NetBIOS's all the same */
{
	netbios(t);
	t->bytes[20] = 'z';
}

static void ntp(struct talk *t)
{
	say(t, 0);
	add(t, "\x23\x00\x06\xEC", 4);
	add_fill(t, 44, 0);
}

static void dhcp_inform(struct talk *t)
{
	say(t, 0);
	add(t, "\x01\x01\x06\x00", 4);
	add_fill(t, 232, 0);
	add(t, "\x63\x82\x53\x63\x35\x01\x08\x3C\x0CMS-UC-Client\xFF", 22);
}

static void dhcp_reply(struct talk *t)
{
	dhcp_inform(t);
	t->bytes[0] = 2;
}

static void dhcp_no_cookie(struct talk *t)
{
	dhcp_inform(t);
	t->bytes[236] = 0;
}

/* SQL Browser ------------------------------------------------------------------- */

static void ssrp_request(struct talk *t)
{
	say(t, 0);
	add(t, "\x04RTC", 5);
}

static void ssrp_exchange(struct talk *t)
{
	size_t mark;

	SAY_BYTES(t, 0, 3);
	say(t, 1);
	add8(t, 5);
	mark = open_len(t, 2);
	add_text(t, "ServerName;SQL1;InstanceName;RTC;IsClustered;No;Version;11.0;tcp;49234;;"
		    "ServerName;SQL1;InstanceName;RTCLOCAL;IsClustered;No;Version;11.0;;");
	t->bytes[mark - 2] = (uint8_t)(t->n - mark);
	t->bytes[mark - 1] = (uint8_t)((t->n - mark) >> 8);
}

static void ssrp_one_byte(struct talk *t)
{
	SAY_BYTES(t, 0, 2);
}

static void ssrp_big_endian(struct talk *t)
{
	ssrp_exchange(t);
	t->bytes[2] ^= t->bytes[3];
	t->bytes[3] ^= t->bytes[2];
	t->bytes[2] ^= t->bytes[3];
}

/* The rest -------------------------------------------------------------------- */

static void sip(struct talk *t)
{
	say_text(t, 0, "OPTIONS sip:gw.example.com:5060 SIP/2.0\r\nVia: SIP/2.0/UDP a\r\n\r\n");
	say_text(t, 1, "SIP/2.0 200 OK\r\n\r\n");
}

static void ssdp(struct talk *t)
{
	say_text(t, 0, "M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n\r\n");
}

static void add_dtls(struct talk *t, unsigned side, unsigned message)
{
	say(t, side);
	add(t, "\x16\xFE\xFF\x00\x00\x00\x00\x00\x00\x00\x00\x00\x20", 13);
	add8(t, message);
	add_fill(t, 31, 0);
}

static void dtls(struct talk *t)
{
	add_dtls(t, 0, 1);
}

static void dtls_old(struct talk *t)
{
	add_dtls(t, 0, 1);
	t->bytes[1] = 1;
	t->bytes[2] = 0;
}

static void dtls_answer(struct talk *t)
{
	add_dtls(t, 0, 2);
}

static void tftp(struct talk *t)
{
	say(t, 0);
	add(t, "\x00\x01ucupdates.cat\x00octet", 22);
}

static void empty(struct talk *t)
{
	say(t, 0);
}

static void one_byte(struct talk *t)
{
	SAY_BYTES(t, 0, 0);
}

enum {
	STUN = LYA_SEEN_STUN,
	TURN = LYA_SEEN_TURN,
	TURN_OK = LYA_SEEN_TURN_OK,
	MEDIA = LYA_SEEN_MEDIA
};

#define IS(a, c, ...)                                                                              \
	{                                                                                          \
		.app = LYA_APP_##a, .client = (c), __VA_ARGS__                                     \
	}

static const struct udp_case cases[] = {
	{ "STUN probe", stun_probe, IS(STUN, 0, .seen = STUN), 0 },
	{ "STUN answer", stun_answer, IS(STUN, 1, .seen = STUN), 0 },
	{ "STUN of RFC 3489", stun_classic, IS(STUN, 0, .seen = STUN), 0 },
	{ "STUN, requests both ways", stun_both_ways, IS(STUN, -1, .seen = STUN), 0 },
	{ "STUN indication", stun_keepalive, IS(STUN, -1, .seen = STUN), 0 },
	{ "ICE", ice, IS(STUN, -1, .seen = STUN, .service = true, .ice = true), 0 },
	{ "ICE unanswered", ice_one_way, IS(STUN, -1, .seen = STUN, .service = true, .ice = true),
	  0 },
	{ "ICE and a plain request", ice_and_plain, IS(STUN, -1, .seen = STUN, .service = true),
	  0 },
	{ "ICE and something else", ice_and_unknown, IS(STUN, -1, .seen = STUN, .service = true),
	  0 },
	{ "ICE, then media", ice_media, IS(RTP, -1, .seen = STUN | MEDIA, .service = true),
	  LYA_APP_STUN },
	{ "MS-TURN", ms_turn,
	  IS(MSTURN, 0, .seen = STUN | TURN | TURN_OK, .service = true,
	     .heard = "0 stun 0003\n1 stun 0113\n0 stun 0003\n1 stun 0103\n"),
	  0 },
	{ "MS-TURN error answer", ms_turn_answer,
	  IS(MSTURN, 1, .seen = STUN | TURN, .service = true), 0 },
	{ "MS-TURN, then media", ms_turn_media,
	  IS(MSTURN, 0, .seen = STUN | TURN | TURN_OK | MEDIA, .service = true), LYA_APP_RTP },
	{ "MS-TURN, multiplexed", ms_turn_multiplexed,
	  IS(MSTURN, 0, .seen = STUN | TURN | TURN_OK, .service = true), 0 },
	{ "media, then MS-TURN data", ms_data_first,
	  IS(MSTURN, -1, .seen = STUN | TURN | MEDIA, .service = true), LYA_APP_RTP },
	{ "TURN of RFC 5766", turn_5766, IS(STUN, 0, .seen = STUN | TURN, .service = true), 0 },
	{ "RTP", rtp, IS(RTP, -1, .seen = MEDIA, .service = true), 0 },
	{ "RTP, two packets", rtp_two, IS(UNKNOWN, -1, .seen = 0), 0 },
	{ "RTP, jumps", rtp_jumps, IS(UNKNOWN, -1, .seen = 0), 0 },
	{ "RTP, a source a packet", rtp_sources, IS(UNKNOWN, -1, .seen = 0), 0 },
	{ "RTP, two sources in turn", rtp_two_sources, IS(RTP, -1, .seen = MEDIA, .service = true),
	  0 },
	{ "RTP, one packet repeated", rtp_repeated, IS(UNKNOWN, -1, .seen = 0), 0 },
	{ "RTP, every packet twice", rtp_twice, IS(RTP, -1, .seen = MEDIA, .service = true), 0 },
	{ "lengths where RTP counts", lengths, IS(UNKNOWN, -1, .seen = 0), 0 },
	{ "RTCP in clear", rtcp_clear, IS(RTCP, -1, .service = true), 0 },
	{ "SRTCP", rtcp_secure, IS(RTCP, -1, .service = true), 0 },
	{ "SRTCP, one packet", rtcp_hint, IS(UNKNOWN, -1, .seen = 0), 0 },
	{ "DNS", dns, IS(DNS, 0, .service = true), 0 },
	{ "DNS answer", dns_answer, IS(DNS, 1, .service = true), 0 },
	{ "DNS with EDNS", dns_edns, IS(DNS, 0, .service = true), 0 },
	{ "DNS, trailing byte", dns_trailing, IS(UNKNOWN, -1, .seen = 0), LYA_APP_DNS },
	{ "DNS, two questions", dns_two_questions, IS(UNKNOWN, -1, .seen = 0), 0 },
	{ "DNS, label of 64", dns_long_label, IS(UNKNOWN, -1, .seen = 0), 0 },
	{ "DNS, pointer in the question", dns_pointer, IS(UNKNOWN, -1, .seen = 0), 0 },
	{ "NetBIOS name service", netbios, IS(UNKNOWN, -1, .seen = 0), 0 },
	{ "NetBIOS name service, damaged", netbios_damaged, IS(UNKNOWN, -1, .seen = 0), 0 },
	{ "NTP", ntp, IS(UNKNOWN, -1, .seen = 0), 0 },
	{ "DHCP inform", dhcp_inform, IS(DHCP, 0, .service = true), 0 },
	{ "DHCP reply", dhcp_reply, IS(DHCP, 1, .service = true), 0 },
	{ "DHCP without cookie", dhcp_no_cookie, IS(UNKNOWN, -1, .seen = 0), 0 },
	{ "SQL Browser request", ssrp_request, IS(SSRP, 0, .service = true), 0 },
	{ "SQL Browser exchange", ssrp_exchange,
	  IS(SSRP, 0, .service = true, .heard = "1 sql RTC 49234\n1 sql RTCLOCAL 0\n"), 0 },
	{ "SQL Browser, one byte", ssrp_one_byte, IS(UNKNOWN, -1, .seen = 0), 0 },
	{ "SQL Browser, length the wrong way", ssrp_big_endian, IS(UNKNOWN, -1, .seen = 0), 0 },
	{ "SIP", sip, IS(SIP, -1, .service = true), 0 },
	{ "SSDP", ssdp, IS(UNKNOWN, -1, .seen = 0), 0 },
	{ "DTLS", dtls, IS(DTLS, 0, .service = true), 0 },
	{ "DTLS of old", dtls_old, IS(DTLS, 0, .service = true), 0 },
	{ "DTLS answer", dtls_answer, IS(DTLS, 1, .service = true), 0 },
	{ "TFTP", tftp, IS(UNKNOWN, -1, .seen = 0), 0 },
	{ "empty", empty, IS(NONE, -1, .seen = 0), 0 },
	{ "one byte", one_byte, IS(UNKNOWN, -1, .seen = 0), 0 },
};

static void test_datagrams(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		static struct talk t;
		static struct heard heard;
		struct expect mirrored = cases[i].want;
		struct lya_app_result res;

		memset(&t, 0, sizeof(t));
		cases[i].make(&t);
		check_way(cases[i].name, "whole", &t, UDP, &(struct way){ 0 }, &cases[i].want,
			  &heard);
		if (mirrored.client >= 0)
			mirrored.client = !mirrored.client;
		check_way(cases[i].name, "mirrored", &t, UDP, &(struct way){ .mirror = true },
			  &mirrored, &heard);
		check_damaged(cases[i].name, &t, UDP, cases[i].want.app, cases[i].also);
		res = carry(&t, UDP, &(struct way){ 0 }, NULL);
		assert_memory_equal(res.prefix[0], t.bytes, res.prefix_len[0]);
	}
}

static struct lya_app_state *state_new(void)
{
	struct lya_app_state *st = malloc(lya_app_state_size(UDP));

	assert_non_null(st);
	lya_app_init(st, UDP);
	return st;
}

/* Nothing but ICE is known only at the end, so the flow is not done early; but bounded. */
static void test_done(void **state)
{
	static struct talk t;
	struct lya_app_state *st = state_new();
	int n = 0;

	(void)state;
	memset(&t, 0, sizeof(t));
	add_stun(&t, 0, 0x0001, 0x0024);
	while (!lya_app_done(st) && n < 100000) {
		lya_app_feed(st, n & 1, 0, t.bytes, t.n, t.n);
		n++;
	}
	assert_in_range(n, 100, 1000);

	lya_app_init(st, UDP);
	for (n = 0; !lya_app_done(st) && n < 100000; n++)
		lya_app_feed(st, 0, 0, (const uint8_t *)"garbage", 7, 7);
	assert_in_range(n, 4, 100);

	lya_app_init(st, UDP);
	memset(&t, 0, sizeof(t));
	dns(&t);
	lya_app_feed(st, 0, 0, t.bytes, t.part[0].len, t.part[0].len);
	assert_false(lya_app_done(st)); /* the answer's first bytes are wanted */
	lya_app_feed(st, 1, 0, t.bytes + t.part[1].at, t.part[1].len, t.part[1].len);
	assert_true(lya_app_done(st));
	free(st);
}

/* Datagrams of one kind that are looked at; so many that more would not matter. */
static size_t listened_to(void (*add_one)(struct talk *t, unsigned i))
{
	struct lya_app_state *st = malloc(lya_app_state_size(UDP));
	static struct talk t;
	size_t n = 0;

	assert_non_null(st);
	lya_app_init(st, UDP);
	while (!lya_app_done(st) && n < 10000) {
		t.n = t.parts = 0;
		add_one(&t, (unsigned)n);
		lya_app_feed(st, (unsigned)n++ % 2, 0, t.bytes, t.n, t.n);
	}
	free(st);
	return n;
}

static void one_keepalive(struct talk *t, unsigned i)
{
	add_stun(t, 0, i % 2 == 0 ? 0x0001 : 0x0101, 0);
}

static void one_turn(struct talk *t, unsigned i)
{
	add_turn(t, 0, i % 2 == 0 ? 0x0003 : 0x0103);
}

static void one_rtp(struct talk *t, unsigned i)
{
	add_rtp(t, 0, 7 + i % 2, i / 2);
}

static void one_unknown(struct talk *t, unsigned i)
{
	say(t, 0);
	add8(t, 0xF0 + i % 8);
	add_fill(t, 12, 0xE3);
}

/*
 * What a flow settled to is not asked again: so long it must be listened to, that media may
 * follow STUN and, longer, an allocation; and no longer, for every datagram costs.
 */
static void test_patience(void **state)
{
	(void)state;
	assert_int_equal(listened_to(one_keepalive), 16);
	assert_int_equal(listened_to(one_turn), 64);
	assert_int_equal(listened_to(one_rtp), 8);
	assert_int_equal(listened_to(one_unknown), 16);
}

static void test_names(void **state)
{
	(void)state;
	for (int i = 0; i < LYA_APP_COUNT; i++) {
		assert_non_null(lya_app_name((enum lya_app)i));
		for (int k = 0; k < i; k++)
			assert_string_not_equal(lya_app_name((enum lya_app)i),
						lya_app_name((enum lya_app)k));
	}
	assert_string_equal(lya_app_name(LYA_APP_PSEUDO_TLS), "pseudo-tls");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_datagrams),
		cmocka_unit_test(test_done),
		cmocka_unit_test(test_patience),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
