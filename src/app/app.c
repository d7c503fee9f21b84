/*
 * app.c - from packets to recognisers, and from recognisers to the result.
 */
#include "app/machine.h"

#include <assert.h>
#include <string.h>

#include "app/stream.h"

enum { PROTO_TCP = 6, PROTO_UDP = 17 };

/*
 * An HTTP exchange is a probe's as long as it is no larger than a request with
 * a few headers and a status page.
 */
enum { PROBE_REQUEST_MAX = 2048, PROBE_ANSWER_MAX = 8192 };

/* Packets of one side after which the first bytes of a silent other side are not waited for. */
enum { PACKETS_ENOUGH = 4 };

/* Datagrams of one side without a known protocol after which a UDP flow is given up. */
enum { UNKNOWN_ENOUGH = 8 };

static const char *const names[LYA_APP_COUNT] = {
	[LYA_APP_NONE] = "none",       [LYA_APP_UNKNOWN] = "unknown",
	[LYA_APP_TLS] = "tls",         [LYA_APP_PSEUDO_TLS] = "pseudo-tls",
	[LYA_APP_STUN] = "stun",       [LYA_APP_MSTURN] = "ms-turn",
	[LYA_APP_RTP] = "rtp",         [LYA_APP_RTCP] = "rtcp",
	[LYA_APP_SIP] = "sip",         [LYA_APP_HTTP] = "http",
	[LYA_APP_DNS] = "dns",         [LYA_APP_DHCP] = "dhcp",
	[LYA_APP_XMPP] = "xmpp",       [LYA_APP_DCERPC] = "dcerpc",
	[LYA_APP_SMB] = "smb",         [LYA_APP_SSRP] = "ssrp",
	[LYA_APP_TDS] = "tds",         [LYA_APP_RDP] = "rdp",
	[LYA_APP_SSH] = "ssh",         [LYA_APP_DTLS] = "dtls",
};

const char *lya_app_name(enum lya_app app)
{
	return (unsigned)app < LYA_APP_COUNT ? names[app] : "unknown";
}

size_t lya_app_state_size(void)
{
	return sizeof(struct lya_app_state);
}

void lya_app_init(struct lya_app_state *st, uint8_t transport)
{
	assert(transport == PROTO_TCP || transport == PROTO_UDP);
	memset(st, 0, sizeof(*st));
	st->transport = transport;
	st->client = -1;
}

void lya_app_observe(struct lya_app_state *st, const struct lya_app_observer *obs)
{
	st->obs = obs;
}

void *lya_app_scratch_take(struct lya_app_state *st)
{
	void *scratch = st->scratch;

	st->scratch = NULL;
	st->side[0].held = st->side[1].held = 0;
	st->side[0].big_have = st->side[1].big_have = 0;
	return scratch;
}

/* Verdicts -------------------------------------------------------------------- */

/* Whether a flow known as `old` is better called `app`. */
static bool is_better(enum lya_app old, enum lya_app app)
{
	switch (old) {
	case LYA_APP_NONE:
		return true;
	case LYA_APP_PSEUDO_TLS:
		return app == LYA_APP_MSTURN || app == LYA_APP_TLS;
	case LYA_APP_STUN:
		return app == LYA_APP_MSTURN || app == LYA_APP_RTP;
	case LYA_APP_RTP:
		return app == LYA_APP_MSTURN;
	case LYA_APP_RTCP:
		return app == LYA_APP_MSTURN || app == LYA_APP_STUN || app == LYA_APP_RTP;
	default:
		return false;
	}
}

void app_is(struct lya_app_state *st, enum lya_app app)
{
	if (is_better(st->app, app))
		st->app = (uint8_t)app;
}

void app_client_is(struct lya_app_state *st, unsigned side)
{
	if (st->client == -1)
		st->client = (int8_t)side;
	else if (st->client != (int8_t)side)
		st->client_conflict = true;
}

void app_side_done(struct lya_app_state *st, unsigned side)
{
	st->side[side].machine = APP_DEAD;
	st->side[side].skip = 0;
}

/* Pieces ---------------------------------------------------------------------- */

const uint8_t *app_piece(struct app_side *s, struct lya_cursor *in, size_t want)
{
	assert(want <= sizeof(s->piece));
	if (s->have == 0 && lya_cursor_left(in) >= want)
		return lya_cursor_take(in, want);
	while (s->have < want && lya_cursor_left(in) > 0)
		s->piece[s->have++] = lya_cursor_u8(in);
	if (s->have < want)
		return NULL;
	s->have = 0;
	return s->piece;
}

bool app_skip(struct app_side *s, struct lya_cursor *in)
{
	size_t n = lya_cursor_left(in);

	if (n > s->skip)
		n = s->skip;
	lya_cursor_skip(in, n);
	s->skip -= (uint32_t)n;
	return s->skip == 0;
}

/* TCP ------------------------------------------------------------------------- */

static const struct {
	void (*feed)(struct lya_app_state *st, unsigned side, struct lya_cursor *in);
	bool (*lost)(struct lya_app_state *st, unsigned side, size_t n); /* NULL: it cannot go on */
} machines[APP_MACHINES] = {
	[APP_TLS_MACHINE] = { app_tls_feed, app_tls_lost },
	[APP_LINE_MACHINE] = { app_line_feed, NULL },
};

static void run(struct lya_app_state *st, unsigned side, const uint8_t *data, size_t len)
{
	struct lya_cursor in = lya_cursor_of(data, len);
	struct app_side *s = &st->side[side];

	while (lya_cursor_left(&in) > 0 && s->machine != APP_DEAD)
		machines[s->machine].feed(st, side, &in);
}

static void keep_head(struct app_side *s, const uint8_t *data, size_t len)
{
	while (s->head_len < LYA_APP_PREFIX && len > 0) {
		s->head[s->head_len++] = *data++;
		len--;
	}
}

static void count_bytes(struct app_side *s, size_t n)
{
	s->bytes = n > UINT32_MAX - s->bytes ? UINT32_MAX : s->bytes + (uint32_t)n;
}

void app_deliver(struct lya_app_state *st, unsigned side, const uint8_t *data, size_t len)
{
	struct app_side *s = &st->side[side];
	uint8_t before = s->head_len;

	count_bytes(s, len);
	keep_head(s, data, len);
	if (s->machine == APP_SNIFF) {
		s->machine = (uint8_t)app_choose(s->head, s->head_len);
		if (s->machine == APP_SNIFF)
			return;
		run(st, side, s->head, before);
	}
	run(st, side, data, len);
}

void app_lost(struct lya_app_state *st, unsigned side, size_t n)
{
	struct app_side *s = &st->side[side];

	count_bytes(s, n);
	if (s->machine == APP_DEAD || (s->machine == APP_SNIFF && s->head_len == 0))
		return;
	if (s->machine == APP_SNIFF || machines[s->machine].lost == NULL ||
	    !machines[s->machine].lost(st, side, n))
		app_side_done(st, side);
}

static void judge_size(struct lya_app_state *st)
{
	if (st->app != LYA_APP_HTTP || st->client == -1)
		return;
	if (st->side[st->client].bytes > PROBE_REQUEST_MAX ||
	    st->side[!st->client].bytes > PROBE_ANSWER_MAX)
		st->service = true;
}

/* Whether a side's first bytes are known, or are not worth waiting for. */
static bool has_prefix(const struct lya_app_state *st, unsigned side)
{
	return st->side[side].head_len == LYA_APP_PREFIX ||
	       st->side[!side].packets >= PACKETS_ENOUGH;
}

static bool is_tcp_settled(const struct lya_app_state *st)
{
	bool over[2] = { st->side[0].machine == APP_DEAD, st->side[1].machine == APP_DEAD };

	if (!has_prefix(st, 0) || !has_prefix(st, 1))
		return false;
	if (st->app == LYA_APP_NONE)
		return over[0] && over[1];
	if (st->app == LYA_APP_HTTP)
		return st->service;
	if (st->app == LYA_APP_TLS)
		return over[0] && over[1];
	return over[0] || over[1];
}

/* UDP ------------------------------------------------------------------------- */

static bool recognise_datagram(struct lya_app_state *st, unsigned side, const uint8_t *data,
                               size_t len, size_t full_len)
{
	return app_stun_datagram(st, side, data, len, full_len) ||
	       app_dns_datagram(st, side, data, len) || app_line_datagram(st, side, data, len);
}

static void feed_datagram(struct lya_app_state *st, unsigned side, const uint8_t *data, size_t len,
                          size_t full_len)
{
	struct app_side *s = &st->side[side];

	count_bytes(s, full_len);
	if (s->head_len == 0)
		keep_head(s, data, len);
	if (full_len == 0)
		return;
	if (recognise_datagram(st, side, data, len, full_len))
		s->recognised = true;
	else if (st->app == LYA_APP_NONE && s->packets >= UNKNOWN_ENOUGH)
		st->settled = true;
}

/* ----------------------------------------------------------------------------- */

void lya_app_feed(struct lya_app_state *st, unsigned side, uint32_t seq, const uint8_t *data,
                  size_t len, size_t full_len)
{
	struct app_side *s = &st->side[side];

	assert(side <= 1);
	if (len > full_len)
		len = full_len;
	if (full_len > 0) {
		st->payload = true;
		if (s->packets < UINT8_MAX)
			s->packets++;
	}
	if (st->settled)
		return;
	if (st->transport == PROTO_UDP) {
		feed_datagram(st, side, data, len, full_len);
		return;
	}
	if (full_len == 0)
		return;
	app_stream_feed(st, side, seq, data, len, full_len);
	judge_size(st);
	st->settled = is_tcp_settled(st);
}

bool lya_app_done(const struct lya_app_state *st)
{
	return st->settled;
}

void lya_app_result(const struct lya_app_state *st, struct lya_app_result *out)
{
	memset(out, 0, sizeof(*out));
	out->app = st->app;
	if (st->app == LYA_APP_NONE && st->payload)
		out->app = LYA_APP_UNKNOWN;
	out->client_side = st->client_conflict ? -1 : st->client;
	out->tls = st->tls;
	out->tls_version = st->tls_version;
	out->seen = st->seen;
	out->service_payload =
	    st->service || (out->app == LYA_APP_UNKNOWN && st->transport == PROTO_TCP);
	out->ice = st->stun_ice && !st->not_ice;
	for (int i = 0; i < 2; i++) {
		out->prefix_len[i] = st->side[i].head_len;
		memcpy(out->prefix[i], st->side[i].head, LYA_APP_PREFIX);
	}
}
