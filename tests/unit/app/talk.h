/*
 * talk.h - a conversation by hand, and the ways in which packets may carry it.
 *
 * A talk is a list of parts, each sent by one side.  It is fed whole, cut in
 * two anywhere, byte by byte, out of order, or captured short; what is
 * recognised must not depend on that.
 */
#ifndef TEST_APP_TALK_H
#define TEST_APP_TALK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lyncaudit/app.h"

enum { TCP = 6, UDP = 17, PARTS_MAX = 64 };

struct talk {
	uint8_t bytes[65536];
	size_t n;
	struct {
		unsigned side;
		size_t at, len;
	} part[PARTS_MAX];
	size_t parts;
};

/* Building -------------------------------------------------------------------- */

static inline void say(struct talk *t, unsigned side)
{
	assert_true(t->parts < PARTS_MAX);
	t->part[t->parts].side = side;
	t->part[t->parts].at = t->n;
	t->part[t->parts].len = 0;
	t->parts++;
}

static inline void add(struct talk *t, const void *bytes, size_t n)
{
	assert_true(n <= sizeof(t->bytes) - t->n);
	memcpy(t->bytes + t->n, bytes, n);
	t->n += n;
	t->part[t->parts - 1].len += n;
}

static inline void add8(struct talk *t, unsigned v)
{
	uint8_t b = (uint8_t)v;

	add(t, &b, 1);
}

static inline void add16(struct talk *t, unsigned v)
{
	add8(t, v >> 8);
	add8(t, v & 0xFF);
}

static inline void add24(struct talk *t, unsigned v)
{
	add8(t, v >> 16);
	add16(t, v & 0xFFFF);
}

static inline void add32(struct talk *t, uint32_t v)
{
	add16(t, v >> 16);
	add16(t, v & 0xFFFF);
}

static inline void add_text(struct talk *t, const char *s)
{
	add(t, s, strlen(s));
}

static inline void add_fill(struct talk *t, size_t n, unsigned first)
{
	for (size_t i = 0; i < n; i++)
		add8(t, (unsigned)(first + i * 7) & 0xFF);
}

/* A length of `bytes` bytes to be filled in when what it counts is there. */
static inline size_t open_len(struct talk *t, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		add8(t, 0);
	return t->n;
}

static inline void close_len(struct talk *t, size_t mark, unsigned bytes)
{
	size_t n = t->n - mark;

	for (unsigned i = 1; i <= bytes; i++, n >>= 8)
		t->bytes[mark - i] = (uint8_t)n;
}

/* A part of text, of bytes. */
static inline void say_text(struct talk *t, unsigned side, const char *s)
{
	say(t, side);
	add_text(t, s);
}

#define SAY_BYTES(t, side, ...)                                                                    \
	do {                                                                                       \
		static const uint8_t bytes_[] = { __VA_ARGS__ };                                   \
		say(t, side);                                                                      \
		add(t, bytes_, sizeof(bytes_));                                                    \
	} while (0)

/* What an observer heard ------------------------------------------------------ */

struct heard {
	char text[4096]; /* one line per thing told */
	uint8_t scratch[LYA_APP_SCRATCH];
	unsigned lent;
	bool no_scratch;
};

static inline void hear(struct heard *h, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static inline void hear(struct heard *h, const char *fmt, ...)
{
	size_t n = strlen(h->text);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(h->text + n, sizeof(h->text) - n, fmt, ap);
	va_end(ap);
}

static inline void *hear_lend(void *ctx)
{
	struct heard *h = ctx;

	if (h->no_scratch)
		return NULL;
	h->lent++;
	return h->scratch;
}

static inline void hear_stun(void *ctx, unsigned side, const struct lya_stun *m)
{
	if (!m->cut)
		hear(ctx, "%u stun %04x\n", side, m->type);
}

static inline void hear_client_hello(void *ctx, unsigned side, const struct lya_tls_hello *h)
{
	hear(ctx, "%u hello %04x suite %04x of %u random %02x..%02x session %u%s%s\n", side,
	     h->version, h->suite, h->suites, h->random[0], h->random[31], h->session_id_len,
	     h->ticket ? " ticket" : "", h->pseudo ? " pseudo" : "");
}

static inline void hear_server_hello(void *ctx, unsigned side, const struct lya_tls_hello *h)
{
	hear(ctx, "%u choice %04x suite %04x session %u%s%s\n", side, h->version, h->suite,
	     h->session_id_len, h->retry ? " retry" : "", h->pseudo ? " pseudo" : "");
}

static inline void hear_sni(void *ctx, unsigned side, const char *name)
{
	hear(ctx, "%u sni %s\n", side, name);
}

static inline void hear_ticket(void *ctx, unsigned side, const uint8_t *ticket, size_t len)
{
	hear(ctx, "%u ticket %zu %02x..%02x\n", side, len, ticket[0], ticket[len - 1]);
}

static inline void hear_cert_name(void *ctx, unsigned side, const char *name, bool common)
{
	hear(ctx, "%u %s %s\n", side, common ? "cn" : "dns", name);
}

static inline void hear_epm_port(void *ctx, unsigned side, uint16_t port)
{
	hear(ctx, "%u epm %u\n", side, port);
}

static inline void hear_sql(void *ctx, unsigned side, const char *instance, uint16_t port)
{
	hear(ctx, "%u sql %s %u\n", side, instance, port);
}

static inline struct lya_app_observer hearing(struct heard *h)
{
	return (struct lya_app_observer){
		.ctx = h,
		.lend = hear_lend,
		.on_stun = hear_stun,
		.on_client_hello = hear_client_hello,
		.on_server_hello = hear_server_hello,
		.on_sni = hear_sni,
		.on_ticket = hear_ticket,
		.on_cert_name = hear_cert_name,
		.on_epm_port = hear_epm_port,
		.on_sql_instance = hear_sql,
	};
}

/* Feeding --------------------------------------------------------------------- */

/* How the talk is carried. */
struct way {
	size_t cut_part, cut_at; /* this part comes in two segments, when cut_at > 0 */
	bool swap;               /* and the second of them first */
	size_t step;             /* every part in segments of so many bytes; 0: whole */
	size_t snap;             /* only so many bytes of each packet captured; 0: all */
	size_t end;              /* nothing after so many bytes of the talk; 0: all */
	bool mirror;             /* sides exchanged */
	bool no_start;           /* the SYN was not seen */
	bool lose;               /* the first of the two segments is lost */
	bool drip;               /* the beginning is only kept, as long as it dribbles in */
};

/* Where it is fed: a state, or what is kept before there is one. */
struct fed {
	struct lya_app_state *st;
	const struct lya_app_observer *obs;
	struct lya_app_drip drip;
	bool drips;
};

static inline void begin_state(struct fed *to, uint8_t transport)
{
	memset(to->st, 0xA5, lya_app_state_size(transport));
	lya_app_init(to->st, transport);
	if (to->obs != NULL)
		lya_app_observe(to->st, to->obs);
}

static inline void end_drip(struct fed *to)
{
	if (!to->drips)
		return;
	to->drips = false;
	begin_state(to, TCP);
	lya_app_drip_pour(&to->drip, to->st);
}

static inline void feed_segment(struct fed *to, const struct way *way, unsigned side,
				uint32_t seq, const uint8_t *data, size_t len)
{
	size_t captured = way->snap != 0 && len > way->snap ? way->snap : len;
	uint8_t *copy = malloc(captured == 0 ? 1 : captured); /* exact: a byte too many is seen */

	assert_non_null(copy);
	memcpy(copy, data, captured);
	side = way->mirror ? !side : side;
	if (!to->drips || !lya_app_drip_feed(&to->drip, side, seq, copy, captured, len)) {
		end_drip(to);
		lya_app_feed(to->st, side, seq, copy, captured, len);
	}
	free(copy);
}

static inline void feed_part(struct fed *to, const struct talk *t, const struct way *way, size_t i,
			     uint32_t seq, size_t len)
{
	const uint8_t *p = t->bytes + t->part[i].at;
	unsigned side = t->part[i].side;

	if (way->cut_at > 0 && way->cut_part == i && way->cut_at < len) {
		size_t at = way->cut_at;

		if (way->swap)
			feed_segment(to, way, side, seq + (uint32_t)at, p + at, len - at);
		if (!way->lose)
			feed_segment(to, way, side, seq, p, at);
		if (!way->swap)
			feed_segment(to, way, side, seq + (uint32_t)at, p + at, len - at);
		return;
	}
	if (way->step == 0) {
		feed_segment(to, way, side, seq, p, len);
		return;
	}
	for (size_t at = 0; at < len; at += way->step)
		feed_segment(to, way, side, seq + (uint32_t)at, p + at,
			     len - at < way->step ? len - at : way->step);
}

/* The result of the talk, carried this way; heard may be NULL. */
static inline struct lya_app_result carry(const struct talk *t, uint8_t transport,
					  const struct way *way, struct heard *heard)
{
	struct fed to = { .st = malloc(lya_app_state_size(transport)), .drips = way->drip };
	uint32_t seq[2] = { 0xFFFFFFF0u, 1000 }; /* one side's numbers wrap */
	struct lya_app_observer obs;
	struct lya_app_result res;

	assert_non_null(to.st);
	if (heard != NULL) {
		heard->text[0] = '\0';
		obs = hearing(heard);
		to.obs = &obs;
	}
	begin_state(&to, transport);
	lya_app_drip_init(&to.drip);
	if (transport == TCP && !way->no_start) {
		lya_app_start(to.st, way->mirror, seq[0]);
		lya_app_start(to.st, !way->mirror, seq[1]);
		lya_app_drip_start(&to.drip, way->mirror, seq[0]);
		lya_app_drip_start(&to.drip, !way->mirror, seq[1]);
	}
	for (size_t i = 0; i < t->parts; i++) {
		unsigned side = t->part[i].side;
		size_t len = t->part[i].len;

		if (way->end != 0 && t->part[i].at + len > way->end)
			len = way->end > t->part[i].at ? way->end - t->part[i].at : 0;
		if (len == 0 && t->part[i].len > 0)
			continue;
		feed_part(&to, t, way, i, transport == TCP ? seq[side] : 0, len);
		seq[side] += (uint32_t)len;
	}
	end_drip(&to);
	lya_app_end(to.st);
	lya_app_result(to.st, &res);
	assert_true(lya_app_scratch_take(to.st) == NULL || heard != NULL);
	free(to.st);
	return res;
}

/* Expectations ---------------------------------------------------------------- */

struct expect {
	enum lya_app app;
	int client;
	unsigned tls;
	unsigned version;
	unsigned seen;
	bool service;
	bool ice;
	const char *heard; /* NULL: nothing is said of it */
};

static inline void check_result(const char *name, const char *how, const struct expect *want,
				const struct lya_app_result *got)
{
	if (got->app == want->app && got->client_side == want->client && got->tls == want->tls &&
	    got->tls_version == want->version && got->seen == want->seen &&
	    got->service_payload == want->service && got->ice == want->ice)
		return;
	fail_msg("%s, %s: got %s client %d tls %04x version %04x seen %02x service %d ice %d; "
		 "want %s client %d tls %04x version %04x seen %02x service %d ice %d",
		 name, how, lya_app_name(got->app), got->client_side, (unsigned)got->tls,
		 (unsigned)got->tls_version, (unsigned)got->seen, got->service_payload, got->ice,
		 lya_app_name(want->app), want->client, want->tls, want->version, want->seen,
		 want->service, want->ice);
}

static inline void check_one_way(const char *name, const char *how, const struct talk *t,
				 uint8_t transport, const struct way *way,
				 const struct expect *want, struct heard *heard)
{
	struct lya_app_result got = carry(t, transport, way, heard);

	check_result(name, how, want, &got);
	if (heard != NULL && !heard->no_scratch && want->heard != NULL && !way->mirror &&
	    strcmp(heard->text, want->heard) != 0)
		fail_msg("%s, %s: heard\n%swant\n%s", name, how, heard->text, want->heard);
}

/* The same, where the beginning of a stream is only kept at first. */
static inline void check_way(const char *name, const char *how, const struct talk *t,
			     uint8_t transport, const struct way *way, const struct expect *want,
			     struct heard *heard)
{
	struct way drip = *way;
	char text[96];

	check_one_way(name, how, t, transport, way, want, heard);
	if (transport != TCP)
		return;
	drip.drip = true;
	snprintf(text, sizeof(text), "%s, dribbling", how);
	check_one_way(name, text, t, transport, &drip, want, heard);
}

/* The first bytes of each side, as they were sent. */
static inline void check_prefix(const char *name, const struct talk *t,
				const struct lya_app_result *res)
{
	uint8_t want[2][LYA_APP_PREFIX];
	size_t n[2] = { 0, 0 };

	for (size_t i = 0; i < t->parts; i++) {
		unsigned side = t->part[i].side;

		for (size_t k = 0; k < t->part[i].len && n[side] < LYA_APP_PREFIX; k++)
			want[side][n[side]++] = t->bytes[t->part[i].at + k];
	}
	for (unsigned s = 0; s < 2; s++)
		if (res->prefix_len[s] > n[s] ||
		    memcmp(res->prefix[s], want[s], res->prefix_len[s]))
			fail_msg("%s: prefix of side %u differs", name, s);
}

/* A TCP talk, carried in every way that must make no difference. */
static inline void check_talk(const char *name, const struct talk *t, const struct expect *want)
{
	static struct heard heard;
	struct way whole = { 0 };
	struct expect mirrored = *want;
	struct lya_app_result res = carry(t, TCP, &whole, NULL);

	memset(&heard, 0, sizeof(heard));
	check_result(name, "unobserved", want, &res);
	check_prefix(name, t, &res);
	check_way(name, "whole", t, TCP, &whole, want, &heard);
	check_way(name, "without the SYNs", t, TCP, &(struct way){ .no_start = true }, want,
		  &heard);
	for (size_t step = 1; step <= 7; step += 3)
		check_way(name, "in small steps", t, TCP, &(struct way){ .step = step }, want,
			  &heard);
	check_way(name, "in steps of 1460", t, TCP, &(struct way){ .step = 1460 }, want, &heard);
	if (want->client >= 0)
		mirrored.client = !want->client;
	check_way(name, "mirrored", t, TCP, &(struct way){ .mirror = true }, &mirrored, &heard);

	for (size_t i = 0; i < t->parts; i++) {
		for (size_t at = 1; at<t->part[i].len; at += t->n> 4000 ? 13 : 1) {
			struct way way = { .cut_part = i, .cut_at = at };
			char how[64];

			snprintf(how, sizeof(how), "part %zu cut at %zu", i, at);
			check_way(name, how, t, TCP, &way, want, &heard);
			heard.no_scratch = true;
			check_way(name, how, t, TCP, &way, want, &heard);
			heard.no_scratch = false;
			if (t->part[i].len - at > 6000)
				continue; /* more than may wait */
			way.swap = true;
			snprintf(how, sizeof(how), "part %zu cut at %zu, swapped", i, at);
			check_way(name, how, t, TCP, &way, want, &heard);
		}
	}
}

/*
 * The talk ends after every byte, every packet is captured short, a segment is
 * lost: nothing may crash, and no other protocol than these two may come out.
 */
static inline void check_damaged(const char *name, const struct talk *t, uint8_t transport,
				 enum lya_app want, enum lya_app also)
{
	static struct heard heard;
	size_t stride = t->n > 2000 ? 7 : 1;

	memset(&heard, 0, sizeof(heard));
	for (size_t k = 1; k < t->n; k += stride) {
		const struct way ways[] = { { .end = k }, { .snap = k } };

		for (size_t w = 0; w < 2; w++) {
			struct lya_app_result res = carry(t, transport, &ways[w], &heard);

			if (res.app != LYA_APP_NONE && res.app != LYA_APP_UNKNOWN &&
			    res.app != want && res.app != also)
				fail_msg("%s, %s at %zu: %s", name, w == 0 ? "ended" : "snapped", k,
					 lya_app_name(res.app));
		}
	}
	for (size_t i = 0; transport == TCP && i < t->parts; i++) {
		for (size_t at = 1; at < t->part[i].len; at += stride) {
			struct way way = { .cut_part = i, .cut_at = at, .lose = true };
			struct lya_app_result res = carry(t, TCP, &way, &heard);

			if (res.app != LYA_APP_NONE && res.app != LYA_APP_UNKNOWN &&
			    res.app != want && res.app != also)
				fail_msg("%s, lost %zu of part %zu: %s", name, at, i,
					 lya_app_name(res.app));
		}
	}
}

#endif
