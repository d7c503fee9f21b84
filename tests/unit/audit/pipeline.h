/*
 * pipeline.h - frames by hand through a whole audit, and what came out.
 *
 *	pipe_open(&p);
 *	pipe_take(&p, 0, ms(1), &(struct segment){ .src = CLIENT, ... });
 *	pipe_finish(&p);
 *	... p.flows, pipe_limit(&p, "loss", "a.pcap")
 *	pipe_close(&p);
 *
 * The site is the example site; its client network and a front-end of it are
 * the usual ends.
 */
#ifndef TEST_AUDIT_PIPELINE_H
#define TEST_AUDIT_PIPELINE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lyncaudit/audit.h"
#include "lyncaudit/timeutil.h"

enum {
	PIPE_FLOWS = 256,
	PIPE_SOURCES = 3,
	PIPE_FRAME = 2048,
	FIN = LYA_TCP_FIN,
	SYN = LYA_TCP_SYN,
	RST = LYA_TCP_RST,
	ACK = LYA_TCP_ACK
};

#define CLIENT UINT32_C(0x0a140005)    /* 10.20.0.5 */
#define FRONT_END UINT32_C(0x0a02000b) /* 10.2.0.11 */

/* 2026-11-21T12:00:00Z */
static const int64_t PIPE_START = INT64_C(1795262400) * INT64_C(1000000000);

static inline int64_t ms(int64_t n)
{
	return PIPE_START + n * 1000000;
}

enum { CHECKSUM_SUM, CHECKSUM_BAD, CHECKSUM_PSEUDO };

/* One TCP segment or, with proto 17, one datagram. */
struct segment {
	uint32_t src, dst;
	uint16_t sport, dport;
	uint8_t proto; /* 0: TCP */
	uint8_t flags;
	uint32_t seq, ack;
	uint16_t len;        /* of the payload */
	const char *payload; /* NULL: bytes of no protocol */
	uint16_t id;         /* 0: one of its own */
	uint8_t ttl;         /* 0: 64 */
	uint16_t vlan;       /* 0: untagged */
	uint16_t fragment;   /* the field as it stands in the header */
	uint32_t cut;        /* bytes captured; 0: all */
	int checksum;        /* CHECKSUM_... */
};

struct pipe_flow {
	struct lya_flow flow;
	struct lya_verdict verdict;
	unsigned snat_kinds; /* of the verdict's evidence, which is borrowed */
};

struct pipe {
	struct lya_site *site;
	struct lya_rules *rules;
	struct lya_policy *policy;
	struct lya_audit *audit;
	struct pipe_flow flows[PIPE_FLOWS];
	size_t n_flows;
	struct lya_source sources[PIPE_SOURCES];
	int64_t before_ns[PIPE_SOURCES];
	uint16_t next_id;
	/* Frames stay for as long as the audit asks for. */
	uint8_t frames[LYA_AUDIT_HOLD + 1][PIPE_FRAME];
	unsigned next_frame;
};

static inline int pipe_on_flow(void *ctx, const struct lya_audit_flow *f)
{
	struct pipe *p = ctx;

	assert_true(p->n_flows < PIPE_FLOWS);
	p->flows[p->n_flows++] = (struct pipe_flow){
		*f->flow, *f->verdict, f->verdict->snat != NULL ? f->verdict->snat->kinds : 0
	};
	return 0;
}

static inline void pipe_open_in(struct pipe *p, unsigned threads)
{
	static char names[PIPE_SOURCES][8] = { "a.pcap", "b.pcap", "c.pcap" };
	struct lya_audit_options options = { .threads = threads, .on_flow = pipe_on_flow,
					     .ctx = p };
	struct lya_diags diags = { 0 };
	struct lya_error err;

	memset(p, 0, sizeof(*p));
	err.text[0] = '\0';
	if (lya_rules_load(&p->rules, TEST_SOURCE_DIR "/rules/lync-server-2013", &diags, &err) <
		LYA_OK ||
	    lya_site_load(&p->site, TEST_SOURCE_DIR "/docs/examples/site.json", &diags, &err) <
		LYA_OK ||
	    lya_policy_new(&p->policy, p->site, p->rules, false, &diags, &err) < LYA_OK ||
	    lya_audit_new(&p->audit, p->policy, &options, &err) < LYA_OK)
		fail_msg("%s", err.text);
	lya_diags_fini(&diags);
	for (size_t i = 0; i < PIPE_SOURCES; i++) {
		p->sources[i].name = names[i];
		p->sources[i].kind = "file";
		p->sources[i].digits = 6;
	}
	p->next_id = 1000;
}

static inline void pipe_open(struct pipe *p)
{
	pipe_open_in(p, 1);
}

static inline void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

/* The folded sum of n bytes, byte pairs as they stand. */
static inline uint32_t sum16(uint32_t sum, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sum += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static inline void put_checksum(uint8_t *ip, uint8_t *l4, size_t len, size_t at,
				const struct segment *s)
{
	uint8_t tail[4] = { 0, s->proto == 17 ? 17 : 6 };
	uint32_t pseudo;

	put16(tail + 2, (unsigned)len);
	pseudo = sum16(sum16(0, ip + 12, 8), tail, 4);
	put16(l4 + at, 0);
	if (s->checksum == CHECKSUM_PSEUDO)
		put16(l4 + at, pseudo);
	else
		put16(l4 + at, (~sum16(pseudo, l4, len) & 0xffff) ^
				   (s->checksum == CHECKSUM_BAD ? 0x0101U : 0));
}

/* The frame of a segment; returns its length. */
static inline size_t pipe_frame(struct pipe *p, const struct segment *s, uint8_t *frame)
{
	size_t header = s->fragment & 0x1fff ? 0 : s->proto == 17 ? 8 : 20;
	size_t at = 12;
	uint8_t *ip, *l4;

	memset(frame, 0, PIPE_FRAME);
	frame[0] = frame[6] = 2;
	frame[5] = (uint8_t)s->dst;
	frame[11] = (uint8_t)s->src;
	if (s->vlan != 0) {
		put16(frame + at, 0x8100);
		put16(frame + at + 2, s->vlan);
		at += 4;
	}
	put16(frame + at, 0x0800);
	ip = frame + at + 2;
	l4 = ip + 20;
	ip[0] = 0x45;
	put16(ip + 2, (unsigned)(20 + header + s->len));
	put16(ip + 4, s->id != 0 ? s->id : p->next_id++);
	put16(ip + 6, s->fragment);
	ip[8] = s->ttl != 0 ? s->ttl : 64;
	ip[9] = s->proto == 17 ? 17 : 6;
	put32(ip + 12, s->src);
	put32(ip + 16, s->dst);
	put16(ip + 10, ~sum16(0, ip, 20) & 0xffff);
	if (header != 0) {
		put16(l4, s->sport);
		put16(l4 + 2, s->dport);
	}
	if (header == 8)
		put16(l4 + 4, 8U + s->len);
	if (header == 20) {
		put32(l4 + 4, s->seq);
		put32(l4 + 8, s->ack);
		l4[12] = 5 << 4;
		l4[13] = s->flags;
		put16(l4 + 14, 8192);
	}
	for (size_t i = 0; i < s->len; i++)
		l4[header + i] =
		    s->payload != NULL ? (uint8_t)s->payload[i] : (uint8_t)(0xe1 + i * 13 + s->seq);
	if (s->fragment == 0)
		put_checksum(ip, l4, header + s->len, header == 8 ? 6 : 16, s);
	return (size_t)(l4 - frame) + header + s->len;
}

/* A frame of a source, at a time. */
static inline void pipe_take_frame(struct pipe *p, uint32_t source, int64_t time_ns,
				   const uint8_t *data, size_t len, size_t cut)
{
	struct lya_source *src = &p->sources[source];
	struct lya_frame frame = { .time_ns = time_ns,
				   .data = data,
				   .caplen = (uint32_t)(cut != 0 && cut < len ? cut : len),
				   .wirelen = (uint32_t)len,
				   .number = ++src->packets,
				   .source = source,
				   .link = LYA_LINK_ETHERNET,
				   .digits = 6 };
	struct lya_error err;

	if (frame.number == 1 || time_ns < src->first_ns)
		src->first_ns = time_ns;
	if (frame.number == 1 || time_ns > src->last_ns)
		src->last_ns = time_ns;
	src->steps_back += frame.number > 1 && time_ns < p->before_ns[source];
	p->before_ns[source] = time_ns;
	src->snapped += frame.caplen < frame.wirelen;
	src->bytes += frame.wirelen;
	assert_int_equal(lya_audit_take(p->audit, &frame, 1, &err), LYA_OK);
}

static inline void pipe_take(struct pipe *p, uint32_t source, int64_t time_ns,
			     const struct segment *s)
{
	uint8_t *frame = p->frames[p->next_frame++ % (LYA_AUDIT_HOLD + 1)];
	size_t len = pipe_frame(p, s, frame);

	pipe_take_frame(p, source, time_ns, frame, len, s->cut);
}

static inline void pipe_finish(struct pipe *p)
{
	struct lya_error err;
	size_t n = PIPE_SOURCES;

	while (n > 0 && p->sources[n - 1].packets == 0)
		n--;
	assert_int_equal(lya_audit_finish(p->audit, p->sources, n, &err), LYA_OK);
}

static inline void pipe_close(struct pipe *p)
{
	lya_audit_free(p->audit);
	lya_policy_free(p->policy);
	lya_site_free(p->site);
	lya_rules_free(p->rules);
}

/* The limit of that kind and place; NULL: none. */
static inline const struct lya_limit *pipe_limit(const struct pipe *p, const char *kind,
						 const char *where)
{
	size_t n;
	const struct lya_limit *list = lya_audit_limits(p->audit, &n);

	for (size_t i = 0; i < n; i++)
		if (strcmp(lya_limit_name(list[i].kind), kind) == 0 &&
		    strcmp(list[i].where, where) == 0)
			return &list[i];
	return NULL;
}

static inline size_t pipe_limits(const struct pipe *p)
{
	size_t n;

	(void)lya_audit_limits(p->audit, &n);
	return n;
}

static inline struct lya_audit_counts pipe_counts(const struct pipe *p)
{
	struct lya_audit_counts c;

	lya_audit_counts(p->audit, &c);
	return c;
}

#endif
