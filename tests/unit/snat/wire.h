/*
 * wire.h - what the tests of this module share: a site with an A/V VIP and two
 * nodes, outside and inside, and packets with STUN messages made by hand.
 */
#ifndef TESTS_SNAT_WIRE_H
#define TESTS_SNAT_WIRE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "lyncaudit/snat.h"
#include "lyncaudit/timeutil.h"

/* Ends of the site below. */
#define VIP "198.51.100.13"
#define NODE1 "198.51.100.23"
#define NODE2 "198.51.100.33"
#define HLB "198.51.100.2"
#define IN_VIP "10.1.0.11"
#define IN_NODE "10.1.0.21"
#define IN_HLB "10.1.0.2"
#define OTHER_NODE "198.51.100.43" /* of another pool */
#define PRIVATE_NODE "10.1.0.43"   /* likewise: an A/V Edge's, as the site says */
#define HOME "203.0.113.50"
#define HOTEL "203.0.113.51"
#define DESK "10.20.1.10"

static const char site_head[] =
    "{\"schema\": \"lyncaudit-site/1\", \"name\": \"t\", \"timezone\": \"UTC\","
    "\"networks\": {\"internal\": [\"10.0.0.0/8\"], \"clients\": [\"10.20.0.0/16\"]},"
    "\"hosts\": ["
    "{\"name\": \"edge01\", \"roles\": {\"edge-av\": [\"" NODE1 "\"],"
    " \"edge-internal\": [\"" IN_NODE "\"]}},"
    "{\"name\": \"edge02\", \"roles\": {\"edge-av\": [\"" NODE2 "\"]}},"
    "{\"name\": \"edge03\", \"pool\": \"b\", \"roles\": {\"edge-av\": [\"" OTHER_NODE "\", \"" PRIVATE_NODE
    "\"]}},"
    "{\"name\": \"hlb-ext\", \"roles\": {\"hlb\": [\"" HLB "\"], \"edge-av-vip\": [\"" VIP "\"]}},"
    "{\"name\": \"hlb-int\", \"roles\": {\"hlb\": [\"" IN_HLB "\"],"
    " \"edge-internal-vip\": [\"" IN_VIP "\"]}}"
    "]";

struct wire {
	struct lya_site *site;
	struct lya_rules *rules;
	struct lya_policy *policy;
	struct lya_snat *snat;
	int64_t now_ns;
	uint64_t number;
	uint8_t duplicate; /* of the packets sent from now on */
};

static const char *wire_source(void *ctx, uint32_t source)
{
	(void)ctx;
	return source == 0 ? "/captures/edge.pcapng" : NULL;
}

/* place NULL: the site names no sensor. */
static inline void wire_open(struct wire *w, const char *place, size_t max_bytes)
{
	struct lya_snat_options options = { .max_bytes = max_bytes, .source_name = wire_source };
	struct lya_diags diags = { 0 };
	struct lya_error err = { 0 };
	char text[2048];
	int n;

	n = place == NULL ? snprintf(text, sizeof(text), "%s}", site_head)
			  : snprintf(text, sizeof(text),
				     "%s, \"sensors\": [{\"source\": \"edge.pcapng\","
				     " \"place\": \"%s\"}]}",
				     site_head, place);
	*w = (struct wire){ .now_ns = INT64_C(1795262400) * LYA_SECOND_NS };
	assert_int_equal(lya_rules_load(&w->rules, TEST_SOURCE_DIR "/rules/lync-server-2013",
					&diags, &err),
			 LYA_OK);
	if (lya_site_load_text(&w->site, "site.json", text, (size_t)n, &diags, &err) != LYA_OK)
		fail_msg("%s", err.text);
	assert_int_equal(
	    lya_policy_new(&w->policy, w->site, w->rules, false, &diags, &err), LYA_OK);
	assert_int_equal(lya_snat_new(&w->snat, w->policy, &options, &err), LYA_OK);
	lya_diags_fini(&diags);
}

static inline void wire_close(struct wire *w)
{
	lya_snat_free(w->snat);
	lya_policy_free(w->policy);
	lya_site_free(w->site);
	lya_rules_free(w->rules);
}

static inline void wire_wait(struct wire *w, int64_t ms)
{
	w->now_ns += ms * 1000000;
}

static inline struct lya_addr wire_addr(const char *text)
{
	struct lya_addr a;

	assert_true(lya_addr_parse(text, &a));
	return a;
}

static inline struct lya_packet wire_packet(struct wire *w, uint8_t transport, const char *src,
					    uint16_t sport, const char *dst, uint16_t dport)
{
	wire_wait(w, 1);
	return (struct lya_packet){
		.opening = true, /* not plain */
		.kind = transport == 6 ? LYA_PKT_TCP : LYA_PKT_UDP,
		.transport = transport,
		.time_ns = w->now_ns,
		.number = ++w->number,
		.digits = 6,
		.duplicate = w->duplicate,
		.src = wire_addr(src),
		.dst = wire_addr(dst),
		.sport = sport,
		.dport = dport,
	};
}

/* STUN messages, byte by byte (RFC 5389, MS-TURN). */
enum {
	BINDING = 0x0001,
	BINDING_OK = 0x0101,
	ALLOCATE = 0x0003,
	ALLOCATE_OK = 0x0103,
	ALLOCATE_ERROR = 0x0113
};

struct message {
	uint8_t bytes[256];
	size_t len;
};

static inline void put16(struct message *m, unsigned n)
{
	m->bytes[m->len++] = (uint8_t)(n >> 8);
	m->bytes[m->len++] = (uint8_t)n;
}

static inline void message_end(struct message *m)
{
	m->bytes[2] = (uint8_t)((m->len - 20) >> 8);
	m->bytes[3] = (uint8_t)(m->len - 20);
}

/* A message whose transaction id ends with `id`. */
static inline struct message message(unsigned type, uint32_t id)
{
	struct message m = { .len = 0 };

	put16(&m, type);
	put16(&m, 0);
	put16(&m, 0x2112);
	put16(&m, 0xA442);
	for (unsigned i = 0; i < 4; i++)
		put16(&m, 0x4d00 + i);
	put16(&m, id >> 16);
	put16(&m, id & 0xffff);
	return m;
}

static inline void put_address(struct message *m, unsigned type, const char *text, unsigned port,
			       bool xored)
{
	struct lya_addr a = wire_addr(text);

	put16(m, type);
	put16(m, 8);
	put16(m, 1);
	put16(m, xored ? port ^ 0x2112 : port);
	for (unsigned i = 0; i < 4; i++)
		m->bytes[m->len++] = xored ? a.bytes[i] ^ m->bytes[4 + i] : a.bytes[i];
	message_end(m);
}

/* The MS-TURN cookie, which must come first. */
static inline void put_ms_cookie(struct message *m)
{
	put16(m, 0x000F);
	put16(m, 4);
	put16(m, 0x72C6);
	put16(m, 0x4BC6);
	message_end(m);
}

static inline void give(struct wire *w, struct lya_packet *p, const struct message *m)
{
	p->payload = lya_cursor_of(m->bytes, m->len);
	p->payload_len = (uint32_t)m->len;
	lya_snat_packets(w->snat, p, 1);
}

static inline void send_message(struct wire *w, const struct message *m, const char *src,
				uint16_t sport, const char *dst, uint16_t dport)
{
	struct lya_packet p = wire_packet(w, 17, src, sport, dst, dport);

	give(w, &p, m);
}

/* A plain message on UDP. */
static inline void say(struct wire *w, unsigned type, uint32_t id, const char *src, uint16_t sport,
		       const char *dst, uint16_t dport)
{
	struct message m = message(type, id);

	send_message(w, &m, src, sport, dst, dport);
}

/* The same in a TCP stream. */
static inline void say_tcp(struct wire *w, unsigned type, uint32_t id, const char *src,
			   uint16_t sport, const char *dst, uint16_t dport)
{
	struct lya_packet p = wire_packet(w, 6, src, sport, dst, dport);
	struct message m = message(type, id);
	struct lya_stun msg;

	assert_true(lya_stun_read(m.bytes, m.len, m.len, &msg));
	lya_snat_stun(w->snat, &p, &msg);
}

/* A SYN with window scale and timestamp. */
static inline void syn(struct wire *w, uint32_t isn, uint32_t ts, const char *src, uint16_t sport,
		       const char *dst, uint16_t dport)
{
	uint8_t options[] = { 2, 4, 5, 0xb4, 1,  3,  3, 7, 8, 10, (uint8_t)(ts >> 24),
			      (uint8_t)(ts >> 16), (uint8_t)(ts >> 8), (uint8_t)ts, 0, 0, 0, 0 };
	struct lya_packet p = wire_packet(w, 6, src, sport, dst, dport);

	p.tcp_flags = LYA_TCP_SYN;
	p.seq = isn;
	p.options = options;
	p.options_len = sizeof(options);
	lya_snat_packets(w->snat, &p, 1);
}

static inline void hello(struct wire *w, uint8_t random, bool pseudo, const char *src,
			 uint16_t sport, const char *dst, uint16_t dport)
{
	struct lya_packet p = wire_packet(w, 6, src, sport, dst, dport);
	struct lya_tls_hello h = { .version = 0x0303, .pseudo = pseudo };

	memset(h.random, random, sizeof(h.random));
	lya_snat_hello(w->snat, &p, &h);
}

/* The flow between two ends, from the beginning to now, without anything of its own. */
static inline struct lya_flow wire_flow(const struct wire *w, uint8_t transport, const char *x,
					uint16_t xport, const char *y, uint16_t yport)
{
	struct lya_addr a = wire_addr(x), b = wire_addr(y);
	int order = lya_addr_cmp(&a, &b);
	unsigned at = order < 0 || (order == 0 && xport <= yport) ? 0 : 1;
	struct lya_flow f = { .transport = transport, .syn_side = -1, .synack_side = -1 };

	f.addr[at] = a;
	f.addr[!at] = b;
	f.port[at] = xport;
	f.port[!at] = yport;
	f.first_side = (int8_t)at;
	f.app.client_side = -1;
	f.first_ns = w->now_ns - 60 * LYA_SECOND_NS;
	f.last_ns = w->now_ns;
	f.packets[at] = 3;
	f.payload_bytes[at] = 100;
	return f;
}

/* What is known of a flow. */
static inline bool known(struct wire *w, const struct lya_flow *f, struct lya_snat_evidence *e)
{
	struct lya_policy_end ends[2];

	lya_policy_end_of(w->policy, &f->addr[0], &ends[0]);
	lya_policy_end_of(w->policy, &f->addr[1], &ends[1]);
	return lya_snat_flow(w->snat, f, ends, lya_snat_found(w->snat, f), e);
}

static inline struct lya_snat_evidence evidence(struct wire *w, uint8_t transport, const char *x,
						uint16_t xport, const char *y, uint16_t yport)
{
	struct lya_flow f = wire_flow(w, transport, x, xport, y, yport);
	struct lya_snat_evidence e;

	(void)known(w, &f, &e);
	return e;
}

/* Sums of all pairs: transactions preserved, rewritten, connections preserved, rewritten. */
static inline void assert_sums(const struct wire *w, unsigned tp, unsigned tr, unsigned cp,
			       unsigned cr)
{
	struct lya_snat_stats stats;

	lya_snat_stats(w->snat, &stats);
	assert_int_equal(stats.all.transactions_preserved, tp);
	assert_int_equal(stats.all.transactions_rewritten, tr);
	assert_int_equal(stats.all.connections_preserved, cp);
	assert_int_equal(stats.all.connections_rewritten, cr);
}

static inline uint64_t unpaired(const struct wire *w)
{
	struct lya_snat_stats stats;

	lya_snat_finish(w->snat);
	lya_snat_stats(w->snat, &stats);
	return stats.unpaired;
}

#endif
