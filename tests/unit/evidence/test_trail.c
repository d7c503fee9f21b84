/*
 * test_trail.c - which packets of a flow are kept while it goes on, and for how long.
 *
 * Frames go through decoder and flow table as in an audit; what is handed over at a
 * flow's end is looked at.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>

#include "../app/tls_talk.h"
#include "../audit/pipeline.h"
#include "../finding/world.h"
#include "evidence/trail.h"

enum { SETS = 4096, NUMBERS = 64 };

#define AV_NODE UINT32_C(0xc6336417)  /* 198.51.100.23 */
#define STRANGER UINT32_C(0xcb007107) /* 203.0.113.7 */
#define PROXY UINT32_C(0x0a010029)    /* 10.1.0.41, the reverse proxy */
#define OTHER_FE UINT32_C(0x0a02000c) /* 10.2.0.12 */

/* The packets of a flow that ended. */
struct set {
	uint64_t first;
	uint32_t n, left_out, n_legs, n_before;
	uint64_t numbers[NUMBERS]; /* of first, then of legs */
};

struct stage {
	struct pipe wire; /* makes frames */
	struct world w;
	struct lya_trail *trail;
	struct lya_flow_table *flows;
	struct set sets[SETS];
	size_t n_sets;
	struct set rest; /* of the last of them, for the period in which it ended */
	struct lya_snat_evidence found; /* of every flow that ends */
	bool has_found;
	uint64_t number;
};

static void read_set(struct set *s, const struct lya_trail_flow *kept)
{
	const struct packet_head *head = NULL;

	s->n = kept->first != NULL ? kept->first->n : 0;
	s->left_out = kept->first != NULL ? kept->first->left_out : 0;
	s->n_legs = kept->legs != NULL ? kept->legs->n : 0;
	for (uint32_t i = 0; (head = packets_next(kept->first, head)) != NULL; i++)
		s->numbers[i % NUMBERS] = head->number;
	head = NULL;
	for (uint32_t i = s->n; (head = packets_next(kept->legs, head)) != NULL; i++)
		s->numbers[i % NUMBERS] = head->number;
}

static uint32_t count_before(const struct lya_trail_flow *kept)
{
	struct lya_trail_flow copy;
	uint32_t n;

	assert_int_equal(lya_trail_flow_dup(kept, true, &copy), LYA_OK);
	n = copy.first != NULL ? copy.first->n : 0;
	lya_trail_flow_fini(&copy);
	return n;
}

static int on_end(void *ctx, const struct lya_flow *flow)
{
	struct stage *s = ctx;
	struct lya_trail_flow kept;
	int rc = lya_trail_end(s->trail, flow, s->has_found ? &s->found : NULL, &kept);

	if (rc != LYA_OK)
		return rc;
	assert_true(s->n_sets < SETS);
	s->sets[s->n_sets] = (struct set){ .first = flow->number };
	read_set(&s->sets[s->n_sets], &kept);
	s->sets[s->n_sets++].n_before = count_before(&kept);
	lya_trail_flow_go_on(&kept);
	read_set(&s->rest, &kept);
	lya_packets_free(kept.first);
	lya_packets_free(kept.legs);
	return LYA_OK;
}

static int on_packet(void *ctx, const struct lya_flow_sight *sight)
{
	struct stage *s = ctx;

	return lya_trail_packet(s->trail, s->flows, sight);
}

static int on_detail(void *ctx, const struct lya_flow_detail *detail)
{
	struct stage *s = ctx;

	lya_trail_detail(s->trail, detail);
	return LYA_OK;
}

static void begin_with(struct stage *s, size_t max_bytes, bool shares)
{
	struct lya_flow_options o = { .max_bytes = (size_t)64 << 20, .on_end = on_end,
				      .on_packet = on_packet, .on_detail = on_detail, .ctx = s,
				     .shares = shares };

	memset(s, 0, sizeof(*s));
	s->wire.next_id = 1;
	world_open(&s->w, NULL);
	assert_int_equal(lya_trail_new(&s->trail, s->w.policy, max_bytes, NULL), LYA_OK);
	assert_int_equal(lya_flow_table_new(&s->flows, &o, NULL), LYA_OK);
}

static void begin(struct stage *s, size_t max_bytes)
{
	begin_with(s, max_bytes, false);
}

/* As in an audit without end. */
static void begin_shared(struct stage *s)
{
	begin_with(s, (size_t)8 << 20, true);
}

static struct lya_trail_stats stats_of(const struct stage *s)
{
	struct lya_trail_stats stats;

	lya_trail_stats(s->trail, &stats);
	return stats;
}

static void end_flows(struct stage *s)
{
	assert_int_equal(lya_flow_table_flush(s->flows), LYA_OK);
	assert_int_equal(stats_of(s).kept_bytes, 0);
}

static void end(struct stage *s)
{
	lya_flow_table_free(s->flows);
	lya_trail_free(s->trail);
	world_close(&s->w);
}

/* The next packet, numbered from 1, with `more` bytes of nothing behind it. */
static void send_frame(struct stage *s, const struct segment *g, size_t more)
{
	static uint8_t frame[PIPE_FRAME + 70000];
	size_t len = pipe_frame(&s->wire, g, frame);
	struct lya_frame f = { .time_ns = ms((int64_t)s->number), .data = frame,
			       .caplen = (uint32_t)(len + more), .wirelen = (uint32_t)(len + more),
			       .number = ++s->number, .link = LYA_LINK_ETHERNET, .digits = 6 };
	struct lya_packet pkt;

	lya_decode(&f, &pkt);
	lya_trail_sight(s->trail, &pkt);
	assert_int_equal(lya_flow_table_take(s->flows, &pkt, 1, NULL), LYA_OK);
}

static void tcp(struct stage *s, uint32_t src, uint16_t sport, uint32_t dst, uint16_t dport,
		unsigned flags, const char *payload)
{
	struct segment g = { .src = src, .sport = sport, .dst = dst, .dport = dport,
			     .flags = (uint8_t)flags, .payload = payload,
			     .len = payload != NULL ? (uint16_t)strlen(payload) : 0 };

	g.seq = (flags & SYN) != 0 ? 99 : 100; /* what is said is said first */
	g.ack = (flags & ACK) != 0 ? 100 : 0;
	send_frame(s, &g, 0);
}

static void assert_numbers(const struct set *set, const uint64_t *numbers, size_t n)
{
	assert_int_equal(set->n, n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(set->numbers[i], numbers[i]);
}

/* The opening, what follows without the bare ACKs, and no more than the bounds. */
static void test_first(void **state)
{
	static struct stage s;
	uint64_t expected[32];

	(void)state;
	begin(&s, (size_t)8 << 20);
	tcp(&s, FRONT_END, 40000, PROXY, 4443, SYN, NULL);
	tcp(&s, PROXY, 4443, FRONT_END, 40000, SYN | ACK, NULL);
	for (unsigned i = 0; i < 40; i++) /* 3, 4, ...: an ACK, and something said */
		tcp(&s, FRONT_END, 40000, PROXY, 4443, ACK, i % 2 ? "x" : NULL);
	end_flows(&s);
	assert_int_equal(s.n_sets, 1);
	for (size_t i = 0; i < 3; i++)
		expected[i] = i + 1;
	for (size_t i = 3; i < LYA_TRAIL_PACKETS; i++)
		expected[i] = 4 + 2 * (i - 3);
	assert_numbers(&s.sets[0], expected, LYA_TRAIL_PACKETS);
	assert_int_equal(s.sets[0].left_out, 0);
	end(&s);
}

/* The first two of a side that speaks late are kept all the same. */
static void test_late_side(void **state)
{
	static struct stage s;
	struct segment there = { .src = FRONT_END, .sport = 50000, .dst = PROXY, .dport = 9,
				 .proto = 17, .len = 40 };
	struct segment back = { .src = PROXY, .sport = 9, .dst = FRONT_END, .dport = 50000,
				.proto = 17, .len = 40 };
	size_t n;

	(void)state;
	begin(&s, (size_t)8 << 20);
	for (unsigned i = 0; i < 60; i++)
		send_frame(&s, &there, 0);
	for (unsigned i = 0; i < 5; i++)
		send_frame(&s, &back, 0);
	end_flows(&s);
	n = s.sets[0].n;
	assert_in_range(n, LYA_TRAIL_PACKETS + 2, LYA_TRAIL_PACKETS + 3);
	assert_int_equal(s.sets[0].numbers[n - 2], 61);
	assert_int_equal(s.sets[0].numbers[n - 1], 62);
	end(&s);
}

/* Two ICMP errors of those that answer a flow. */
static void test_icmp(void **state)
{
	static struct stage s;
	static uint8_t frame[PIPE_FRAME], quoted[PIPE_FRAME];
	struct segment asked = { .src = CLIENT, .sport = 50000, .dst = FRONT_END, .dport = 3478,
				 .proto = 17, .len = 40 };
	struct segment error = { .src = FRONT_END, .dst = CLIENT, .proto = 17, .len = 64 };
	static const uint64_t expected[] = { 1, 2, 3 };
	uint8_t *ip = frame + 14;

	(void)state;
	begin(&s, (size_t)8 << 20);
	send_frame(&s, &asked, 0);
	for (unsigned i = 0; i < 4; i++) {
		size_t len = pipe_frame(&s.wire, &error, frame);
		struct lya_frame f = { .time_ns = ms((int64_t)s.number), .data = frame,
				       .caplen = (uint32_t)len, .wirelen = (uint32_t)len,
				       .number = ++s.number, .link = LYA_LINK_ETHERNET };
		struct lya_packet pkt;

		(void)pipe_frame(&s.wire, &asked, quoted);
		ip[9] = 1;
		put32(ip + 20, 0x03030000); /* port unreachable */
		put32(ip + 24, 0);
		memcpy(ip + 28, quoted + 14, 28);
		put16(ip + 10, 0);
		put16(ip + 10, ~sum16(0, ip, 20) & 0xffff);
		lya_decode(&f, &pkt);
		assert_int_equal(pkt.kind, LYA_PKT_ICMP_ERROR);
		assert_int_equal(lya_flow_table_take(s.flows, &pkt, 1, NULL), LYA_OK);
	}
	end_flows(&s);
	assert_numbers(&s.sets[0], expected, 3);
	end(&s);
}

/* What one front-end says to somebody, and hears. */
static void talk(struct stage *s, uint32_t server, uint16_t port, const char *first,
		 const char *second)
{
	tcp(s, OTHER_FE, 40000, server, port, SYN, NULL);
	tcp(s, server, port, OTHER_FE, 40000, SYN | ACK, NULL);
	tcp(s, OTHER_FE, 40000, server, port, ACK, NULL);
	tcp(s, OTHER_FE, 40000, server, port, ACK, first);
	tcp(s, server, port, OTHER_FE, 40000, ACK, second);
}

/*
 * A flow whose payload is what its row documents is let go as soon as that is known; one
 * that is not documented, and one that the rewriting of addresses may concern, are kept.
 */
static void test_clean(void **state)
{
	static struct stage s;
	static const char asks[] = "INVITE sip:a@contoso.com SIP/2.0\r\nVia: x\r\n\r\n";
	static const char says[] = "SIP/2.0 100 Trying to reach you\r\nVia: x\r\n\r\n";

	(void)state;
	begin(&s, (size_t)8 << 20);
	talk(&s, FRONT_END, 5062, asks, says); /* internal.1.6 */
	assert_int_equal(stats_of(&s).flows, 1);
	assert_int_equal(stats_of(&s).cleared, 1);
	assert_int_equal(stats_of(&s).kept_bytes, 0);
	talk(&s, FRONT_END, 5061, asks, says);
	talk(&s, PROXY, 5062, asks, says);
	talk(&s, AV_NODE, 443, asks, says);
	assert_int_equal(stats_of(&s).cleared, 1);
	end_flows(&s);
	assert_int_equal(s.n_sets, 4);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(s.sets[i].n, i == 0 ? 0 : 5);
	end(&s);
}

static struct talk words;

/* A handshake between a client and a front-end: the name asked for, those shown, then data. */
static void shake(struct stage *s, uint16_t sport, const char *sni, const char *shown,
		  unsigned data)
{
	const struct hello client = { .version = 0x0303, .sni = sni, .ticket = -1 };
	const struct hello server = { .version = 0x0303, .session_len = 32, .ticket = -1 };
	uint32_t seq[2] = { 101, 501 };

	memset(&words, 0, sizeof(words));
	say(&words, 0);
	RECORD(&words, 0x0303, add_client_hello(&words, &client));
	say(&words, 1);
	RECORD(&words, 0x0303, add_server_hello(&words, &server));
	RECORD(&words, 0x0303, add_certificate(&words, shown, &shown, 1, 64));
	RECORD(&words, 0x0303, add_body_message(&words, 0x0E, 0));
	for (unsigned side = 0; side < 2; side++) {
		say(&words, side);
		if (side == 0)
			RECORD(&words, 0x0303, add_body_message(&words, 0x10, 130));
		add_finish(&words, 0x0303);
	}
	for (unsigned i = 0; i < data; i++) {
		say(&words, i % 2);
		add_opaque(&words, 23, 0x0303, 64);
	}
	tcp(s, CLIENT, sport, FRONT_END, 443, SYN, NULL);
	tcp(s, FRONT_END, 443, CLIENT, sport, SYN | ACK, NULL);
	for (size_t i = 0; i < words.parts; i++) {
		unsigned side = words.part[i].side;
		struct segment g = { .src = side == 0 ? CLIENT : FRONT_END,
				     .dst = side == 0 ? FRONT_END : CLIENT,
				     .sport = side == 0 ? sport : 443,
				     .dport = side == 0 ? 443 : sport,
				     .flags = ACK,
				     .seq = seq[side],
				     .ack = seq[!side],
				     .len = (uint16_t)words.part[i].len,
				     .payload = (const char *)words.bytes + words.part[i].at };

		seq[side] += g.len;
		send_frame(s, &g, 0);
	}
}

/* A name that may have been asked for in vain, or a certificate of another host: not clean. */
static void test_other_names(void **state)
{
	static const struct {
		const char *sni, *shown;
		unsigned data;
		bool clean;
	} cases[] = {
		{ "fe01.contoso.example", "fe01.contoso.example", 24, true },
		{ "owas.contoso.example", "fe01.contoso.example", 0, false },
		{ "owas.contoso.example", "fe01.contoso.example", 24, true }, /* it went on */
		{ NULL, "owas.contoso.example", 24, false },
	};
	static struct stage s;
	uint64_t clean = 0;

	(void)state;
	begin(&s, (size_t)8 << 20);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		shake(&s, (uint16_t)(50000 + i), cases[i].sni, cases[i].shown, cases[i].data);
		clean += cases[i].clean;
		if (stats_of(&s).cleared != clean)
			fail_msg("case %zu", i);
	}
	end_flows(&s);
	end(&s);
}

/* Where an inspection was given up during the handshake, the flow has not shown all. */
static void test_given_up(void **state)
{
	struct lya_flow f =
	    world_flow("10.20.0.5", 50000, "10.2.0.11", 443, 6, LYA_STATE_ESTABLISHED);
	struct live l = { .seeks_other = true };
	struct world w;

	(void)state;
	world_open(&w, NULL);
	f.app.tls = LYA_TLS_SERVER_CERT;
	assert_false(trail_is_clean(w.policy, NULL, &f, &l));
	f.app.tls |= LYA_TLS_APP_DATA;
	assert_true(trail_is_clean(w.policy, NULL, &f, &l));
	f.app.tls = LYA_TLS_SERVER_CERT | LYA_TLS_GAP;
	assert_true(trail_is_clean(w.policy, NULL, &f, &l));
	world_close(&w);
}

/* A fragment that waits for its head is told of without a frame, and is there all the same. */
static void test_fragment(void **state)
{
	static struct stage s;
	static uint8_t frame[PIPE_FRAME];
	struct segment late = { .src = CLIENT, .dst = FRONT_END, .proto = 17, .len = 64,
				.fragment = 3 };
	struct segment head = { .src = CLIENT, .sport = 50000, .dst = FRONT_END, .dport = 9,
				.proto = 17, .len = 16 };
	static const uint64_t expected[] = { 2, 1 };
	struct lya_frame f = { .time_ns = ms(0), .data = frame, .number = 1,
			       .link = LYA_LINK_ETHERNET };
	struct lya_packet pkt;

	(void)state;
	begin(&s, (size_t)8 << 20);
	f.caplen = f.wirelen = (uint32_t)pipe_frame(&s.wire, &late, frame);
	lya_decode(&f, &pkt);
	assert_int_equal(pkt.kind, LYA_PKT_FRAGMENT);
	lya_trail_fragment(s.trail, &pkt);
	s.number = 1;
	send_frame(&s, &head, 0);
	pkt.kind = LYA_PKT_UDP; /* as reasm releases it */
	pkt.sport = 50000;
	pkt.dport = 9;
	pkt.frame = NULL;
	assert_int_equal(lya_flow_table_take(s.flows, &pkt, 1, NULL), LYA_OK);
	pkt.number = 77; /* one that nobody has any more */
	assert_int_equal(lya_flow_table_take(s.flows, &pkt, 1, NULL), LYA_OK);
	end_flows(&s);
	assert_numbers(&s.sets[0], expected, 2);
	assert_int_equal(s.sets[0].left_out, 1);
	end(&s);
}

/* The legs of a proof are there, wherever they were seen and however long ago. */
static void test_legs(void **state)
{
	static struct stage s;
	struct lya_snat_leg legs[3] = { { .packet = 2 }, { .packet = 3 }, { .packet = 99 } };
	struct segment plain = { .src = STRANGER, .sport = 50000, .dst = AV_NODE, .dport = 3478,
				 .proto = 17, .len = 700 };

	(void)state;
	begin(&s, (size_t)1 << 20);
	for (unsigned i = 0; i < 3; i++)
		send_frame(&s, &plain, 0);
	for (unsigned i = 0; i < 3; i++)
		lya_trail_leg(s.trail, &legs[i]);
	lya_trail_leg(s.trail, &legs[0]); /* named by another proof as well */
	for (unsigned i = 0; i < 2000; i++) /* recent ones have made room since */
		send_frame(&s, &plain, 0);
	s.has_found = true;
	s.found.proof = (struct lya_snat_proof){ .n_legs = 2, .legs = { legs[0], legs[1] } };
	s.found.relay = (struct lya_snat_relay){ .faults = 1, .leg = legs[2] };
	end_flows(&s);
	assert_int_equal(s.sets[0].n_legs, 2);
	assert_int_equal(s.sets[0].numbers[s.sets[0].n], 2);
	assert_int_equal(s.sets[0].numbers[s.sets[0].n + 1], 3);
	end(&s);
}

/* Bytes of a flow are bounded, but for its first packet, and what does not fit is counted. */
static void test_bytes(void **state)
{
	static struct stage s;
	struct segment g = { .src = CLIENT, .sport = 50000, .dst = FRONT_END, .dport = 9,
			     .proto = 17, .len = 40 };

	(void)state;
	begin(&s, (size_t)8 << 20);
	send_frame(&s, &g, 69000);
	send_frame(&s, &g, 100);
	g.sport = 50001;
	for (unsigned i = 0; i < 5; i++)
		send_frame(&s, &g, 20000);
	end_flows(&s);
	assert_int_equal(s.sets[0].n, 1);
	assert_int_equal(s.sets[0].left_out, 1);
	assert_int_equal(s.sets[1].n, 3);
	assert_int_equal(s.sets[1].left_out, 2);
	end(&s);
}

/*
 * More flows than there is memory for: the bound holds, and a crowd of one kind does not
 * shut out the flow of another kind that comes last.
 */
static void test_crowd(void **state)
{
	static struct stage s;
	const size_t max = (size_t)1 << 20;
	struct lya_trail_stats stats;

	(void)state;
	begin(&s, max);
	for (unsigned i = 0; i < 3000; i++)
		tcp(&s, STRANGER + i % 7, (uint16_t)(20000 + i), AV_NODE, 443, SYN, NULL);
	tcp(&s, FRONT_END, 40000, PROXY, 4443, SYN, NULL);
	stats = stats_of(&s);
	assert_true(stats.refused > 1000);
	assert_true(stats.flows > 200);
	assert_true(stats.bytes_peak <= max + (size_t)64 * 1024);
	end_flows(&s);
	assert_int_equal(s.n_sets, 3001);
	assert_int_equal(s.sets[0].n, 1); /* the first of the crowd, */
	assert_int_equal(s.sets[2999].n, 0); /* not the last, */
	assert_int_equal(s.sets[3000].n, 1); /* and the other one */
	end(&s);
}

/* Periods ------------------------------------------------------------------------------- */

struct visit {
	struct stage *s;
	struct set set;
};

static int copy_at_cut(void *ctx, const struct lya_flow *flow)
{
	struct visit *v = ctx;
	struct lya_trail_flow kept;

	assert_int_equal(lya_trail_copy(v->s->trail, flow, NULL, true, &kept), LYA_OK);
	read_set(&v->set, &kept);
	lya_trail_flow_fini(&kept);
	return LYA_OK;
}

static void cut(struct stage *s)
{
	lya_flow_table_cut(s->flows, ms((int64_t)s->number));
	lya_trail_cut(s->trail);
}

/* What the period that was cut has of the only flow. */
static struct set share(struct stage *s)
{
	struct visit v = { .s = s };
	uint32_t place = 0;

	assert_int_equal(lya_flow_table_visit(s->flows, &place, 100, true, copy_at_cut, &v), LYA_OK);
	return v.set;
}

static void chat(struct stage *s, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		tcp(s, FRONT_END, 40000, PROXY, 4443, ACK, NULL);
		tcp(s, PROXY, 4443, FRONT_END, 40000, ACK, NULL);
	}
}

/* Each period has the opening, and the first two packets of each side that came in it. */
static void test_periods(void **state)
{
	static const uint64_t first[] = { 1, 2, 3, 5 }, second[] = { 1, 2, 3, 5, 84, 85, 86, 87 },
			      third[] = { 1, 2, 3, 5, 164, 165, 166, 167 };
	static struct stage s;
	struct set set;

	(void)state;
	begin_shared(&s);
	tcp(&s, FRONT_END, 40000, PROXY, 4443, SYN, NULL);
	tcp(&s, PROXY, 4443, FRONT_END, 40000, SYN | ACK, NULL);
	tcp(&s, FRONT_END, 40000, PROXY, 4443, ACK, NULL);
	chat(&s, 40); /* 4 ... 83 */
	cut(&s);
	chat(&s, 20); /* the visit may be late */
	set = share(&s);
	assert_numbers(&set, first, 4);
	chat(&s, 20);
	cut(&s);
	set = share(&s);
	assert_numbers(&set, second, 8);
	chat(&s, 40);
	end_flows(&s);
	assert_numbers(&s.sets[0], third, 8);
	end(&s);
}

/* A flow that ends before the visit: what is handed over tells where its period ended. */
static void test_ends_unvisited(void **state)
{
	static const uint64_t all[] = { 1, 2, 3, 4, 5 };
	static struct stage s;

	(void)state;
	begin_shared(&s);
	tcp(&s, FRONT_END, 40000, PROXY, 4443, SYN, NULL);
	tcp(&s, PROXY, 4443, FRONT_END, 40000, SYN | ACK, NULL);
	tcp(&s, FRONT_END, 40000, PROXY, 4443, ACK, NULL);
	cut(&s);
	tcp(&s, FRONT_END, 40000, PROXY, 4443, ACK | FIN, NULL);
	tcp(&s, PROXY, 4443, FRONT_END, 40000, ACK | FIN, NULL);
	end_flows(&s);
	assert_numbers(&s.sets[0], all, 5);
	assert_int_equal(s.sets[0].n_before, 3);
	end(&s);
}

/* The same in its third period: that has the opening, and what came in it. */
static void test_ends_late(void **state)
{
	static const uint64_t all[] = { 1, 2, 3, 5, 84, 85, 86, 87, 164, 165 },
			      third[] = { 1, 2, 3, 5, 164, 165 };
	static struct stage s;

	(void)state;
	begin_shared(&s);
	tcp(&s, FRONT_END, 40000, PROXY, 4443, SYN, NULL);
	tcp(&s, PROXY, 4443, FRONT_END, 40000, SYN | ACK, NULL);
	tcp(&s, FRONT_END, 40000, PROXY, 4443, ACK, NULL);
	chat(&s, 40); /* 4 ... 83 */
	cut(&s);
	(void)share(&s);
	chat(&s, 40);
	cut(&s);
	tcp(&s, FRONT_END, 40000, PROXY, 4443, ACK | FIN, NULL);
	tcp(&s, PROXY, 4443, FRONT_END, 40000, ACK | FIN, NULL);
	end_flows(&s);
	assert_numbers(&s.sets[0], all, 10);
	assert_int_equal(s.sets[0].n_before, 8);
	assert_numbers(&s.rest, third, 6);
	end(&s);
}

/* One side says so many bytes more than a frame has. */
static void shout(struct stage *s, size_t more)
{
	struct segment g = { .src = FRONT_END, .sport = 40000, .dst = PROXY, .dport = 4443,
			     .flags = ACK, .seq = 100, .ack = 100 };

	send_frame(s, &g, more);
}

/* What found no room counts in its period, and not in those behind it again. */
static void test_left_out(void **state)
{
	static struct stage s;

	(void)state;
	begin_shared(&s);
	tcp(&s, FRONT_END, 40000, PROXY, 4443, SYN, NULL);
	tcp(&s, PROXY, 4443, FRONT_END, 40000, SYN | ACK, NULL);
	shout(&s, 60000);
	for (unsigned i = 0; i < 40; i++)
		shout(&s, 0);
	cut(&s);
	assert_int_equal(share(&s).left_out, 0);
	shout(&s, 10000);
	shout(&s, 10000);
	cut(&s);
	shout(&s, 10000); /* the visit is late */
	assert_int_equal(share(&s).left_out, 2);
	cut(&s);
	assert_int_equal(share(&s).left_out, 1);
	shout(&s, 10000);
	cut(&s);
	shout(&s, 10000);
	shout(&s, 10000);
	end_flows(&s); /* before a visit */
	assert_int_equal(s.sets[0].left_out, 3);
	assert_int_equal(s.rest.left_out, 2);
	end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first),
		cmocka_unit_test(test_periods),
		cmocka_unit_test(test_left_out),
		cmocka_unit_test(test_ends_late),
		cmocka_unit_test(test_ends_unvisited),    cmocka_unit_test(test_late_side),
		cmocka_unit_test(test_icmp),     cmocka_unit_test(test_clean),
		cmocka_unit_test(test_other_names), cmocka_unit_test(test_given_up),
		cmocka_unit_test(test_fragment), cmocka_unit_test(test_legs),
		cmocka_unit_test(test_bytes),    cmocka_unit_test(test_crowd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
