/*
 * app.c - from packets to recognisers, and from recognisers to the result.
 */
#include "app/machine.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "app/scratch.h"
#include "app/stream.h"
#include "lyncaudit/ahead.h"

enum { LINE = 64 }; /* bytes of a cache line */

/*
 * An HTTP exchange is a probe's as long as it is no larger than a request with
 * a few headers and a status page.
 */
enum { PROBE_REQUEST_MAX = 2048, PROBE_ANSWER_MAX = 8192 };

enum {
	PREFIX_WAIT = 4, /* packets of one side, then the other's first bytes are not waited for */
	SILENT_ENOUGH = 32768, /* bytes of a side that is done, while the other has little to say */
	TURN_ENOUGH = 64,      /* messages of TURN without media, which may follow, and in TCP of STUN */
	STUN_ENOUGH = 16,      /* datagrams of a flow with STUN, neither TURN nor ICE alone */
	MEDIA_ENOUGH = 8,      /* messages of a flow that is known to carry media */
	UNKNOWN_ENOUGH = 16    /* datagrams of a flow without a known protocol */
};

static const char *const names[LYA_APP_COUNT] = {
	[LYA_APP_NONE] = "none", [LYA_APP_UNKNOWN] = "unknown",
	[LYA_APP_TLS] = "tls",   [LYA_APP_PSEUDO_TLS] = "pseudo-tls",
	[LYA_APP_STUN] = "stun", [LYA_APP_MSTURN] = "ms-turn",
	[LYA_APP_RTP] = "rtp",   [LYA_APP_RTCP] = "rtcp",
	[LYA_APP_SIP] = "sip",   [LYA_APP_HTTP] = "http",
	[LYA_APP_DNS] = "dns",   [LYA_APP_DHCP] = "dhcp",
	[LYA_APP_XMPP] = "xmpp", [LYA_APP_DCERPC] = "dcerpc",
	[LYA_APP_SMB] = "smb",   [LYA_APP_SSRP] = "ssrp",
	[LYA_APP_TDS] = "tds",   [LYA_APP_RDP] = "rdp",
	[LYA_APP_SSH] = "ssh",   [LYA_APP_DTLS] = "dtls",
};

const char *lya_app_name(enum lya_app app)
{
	return (unsigned)app < LYA_APP_COUNT ? names[app] : "unknown";
}

size_t lya_app_state_size(uint8_t transport)
{
	return transport == PROTO_UDP ? offsetof(struct lya_app_state, scratch)
				      : sizeof(struct lya_app_state);
}

/* A machine seldom reads more of what it keeps than the beginning. */
void lya_app_ask_ahead(const struct lya_app_state *st, unsigned side)
{
	const uint8_t *stream = (const uint8_t *)&st->stream[side];

	lya_ask_ahead(st);
	lya_ask_ahead(&st->transport);
	lya_ask_ahead(stream);
	lya_ask_ahead(stream + LINE);
}

void lya_app_init(struct lya_app_state *st, uint8_t transport)
{
	assert(transport == PROTO_TCP || transport == PROTO_UDP);
	memset(st, 0, lya_app_state_size(transport));
	st->transport = transport;
	st->client = -1;
}

void lya_app_observe(struct lya_app_state *st, const struct lya_app_observer *obs)
{
	st->obs = obs;
}

void *lya_app_scratch_take(struct lya_app_state *st)
{
	void *scratch;

	if (st->transport != PROTO_TCP)
		return NULL;
	scratch = st->scratch;
	st->scratch = NULL;
	st->stream[0].held = st->stream[1].held = 0;
	st->stream[0].big_have = st->stream[1].big_have = 0;
	return scratch;
}

void *lya_app_scratch_spare(struct lya_app_state *st)
{
	if (st->transport != PROTO_TCP || st->scratch == NULL || st->stream[0].held != 0 ||
	    st->stream[1].held != 0 || st->stream[0].big_have != 0 || st->stream[1].big_have != 0)
		return NULL;
	return lya_app_scratch_take(st);
}

/* Verdicts -------------------------------------------------------------------- */

/* Whether a flow known as `old` is better called `app`. */
static bool is_better(enum lya_app old, enum lya_app app)
{
	switch (old) {
	case LYA_APP_NONE:
		return true;
	case LYA_APP_TLS: /* what looked like it was pseudo-TLS */
		return app == LYA_APP_MSTURN;
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
	st->stream[side].machine = APP_DEAD;
	st->stream[side].skip = 0;
}

void app_become(struct lya_app_state *st, unsigned side, enum app_machine machine)
{
	struct app_stream *s = &st->stream[side];

	memset(&s->u, 0, sizeof(s->u));
	s->machine = (uint8_t)machine;
	s->skip = 0;
	s->have = 0;
	s->big_have = 0;
}

void app_count_message(struct lya_app_state *st)
{
	if (st->messages < UINT16_MAX)
		st->messages++;
}

void app_is_single(struct lya_app_state *st, enum lya_app app, int client)
{
	app_is(st, app);
	st->single = true;
	st->service = true;
	if (client >= 0)
		app_client_is(st, (unsigned)client);
}

/* Pieces ---------------------------------------------------------------------- */

const uint8_t *app_piece_gather(struct app_stream *s, struct lya_cursor *in, size_t want)
{
	/* nobody asks for less than is there; who did would not be given what lies behind it */
	size_t n = lya_cursor_left(in), lacks = want > s->have ? want - s->have : 0;

	assert(s->have <= want && want <= sizeof(s->piece));
	if (n > lacks)
		n = lacks;
	memcpy(s->piece + s->have, in->pos, n);
	lya_cursor_skip(in, n);
	s->have = (uint8_t)(s->have + n);
	if (n < lacks)
		return NULL;
	s->have = 0;
	return s->piece;
}

enum app_big app_big_piece(struct lya_app_state *st, unsigned side, struct lya_cursor *in,
			   size_t want, const uint8_t **out)
{
	struct app_stream *s = &st->stream[side];
	size_t n = lya_cursor_left(in);
	uint8_t *room;

	if (s->big_have == 0 && n >= want) {
		*out = lya_cursor_take(in, want);
		return APP_BIG_READY;
	}
	room = want <= APP_BIG_MAX ? app_scratch_big(st, side) : NULL;
	if (room == NULL)
		return APP_BIG_NO;
	if (n > want - s->big_have)
		n = want - s->big_have;
	memcpy(room + s->big_have, in->pos, n);
	lya_cursor_skip(in, n);
	s->big_have = (uint16_t)(s->big_have + n);
	if (s->big_have < want)
		return APP_BIG_MORE;
	s->big_have = 0;
	*out = room;
	return APP_BIG_READY;
}

/* TCP ------------------------------------------------------------------------- */

static const struct {
	void (*feed)(struct lya_app_state *st, unsigned side, struct lya_cursor *in);
	bool (*lost)(struct lya_app_state *st, unsigned side, size_t n); /* NULL: lost_in_skip */
} machines[APP_MACHINES] = {
	[APP_TLS_MACHINE] = { app_tls_feed, app_tls_lost },
	[APP_SSL2_MACHINE] = { app_ssl2_feed, NULL },
	[APP_LINE_MACHINE] = { app_line_feed, NULL },
	[APP_XMPP_MACHINE] = { app_xmpp_feed, NULL },
	[APP_DNS_MACHINE] = { app_dns_feed, NULL },
	[APP_RPC_MACHINE] = { app_rpc_feed, NULL },
	[APP_SMB_MACHINE] = { app_smb_feed, NULL },
	[APP_TDS_MACHINE] = { app_tds_feed, NULL },
	[APP_RDP_MACHINE] = { app_rdp_feed, NULL },
	[APP_SSH_MACHINE] = { app_ssh_feed, NULL },
	[APP_MSTURN_MACHINE] = { app_msturn_feed, NULL },
	[APP_TURN_MACHINE] = { app_turn_feed, NULL },
	[APP_RFC4571_MACHINE] = { app_rfc4571_feed, NULL },
};

/* Lost bytes do no harm where the machine would have passed over them. */
static bool lost_in_skip(struct app_stream *s, size_t n)
{
	if (s->have > 0 || s->big_have > 0 || n > s->skip)
		return false;
	s->skip -= (uint32_t)n;
	return true;
}

static void run(struct lya_app_state *st, unsigned side, const uint8_t *data, size_t len)
{
	struct lya_cursor in = lya_cursor_of(data, len);
	struct app_stream *s = &st->stream[side];

	while (lya_cursor_left(&in) > 0 && s->machine != APP_DEAD)
		machines[s->machine].feed(st, side, &in);
}

static void keep_head(struct app_side *s, const uint8_t *data, size_t len)
{
	size_t n = LYA_APP_PREFIX - (size_t)s->head_len;

	if (n > len)
		n = len;
	memcpy(s->head + s->head_len, data, n);
	s->head_len = (uint8_t)(s->head_len + n);
}

static void count_bytes(struct app_side *s, size_t n)
{
	s->bytes = n > UINT32_MAX - s->bytes ? UINT32_MAX : s->bytes + (uint32_t)n;
}

void app_deliver(struct lya_app_state *st, unsigned side, const uint8_t *data, size_t len)
{
	struct app_side *s = &st->side[side];
	struct app_stream *stream = &st->stream[side];
	uint8_t before = s->head_len;

	count_bytes(s, len);
	if (s->head_len < LYA_APP_PREFIX)
		keep_head(s, data, len);
	if (stream->machine == APP_SNIFF) {
		stream->machine = (uint8_t)app_choose(s->head, s->head_len);
		if (stream->machine == APP_SNIFF)
			return;
		run(st, side, s->head, before);
	}
	run(st, side, data, len);
}

void app_lost(struct lya_app_state *st, unsigned side, size_t n)
{
	struct app_stream *s = &st->stream[side];
	bool goes_on;

	count_bytes(&st->side[side], n);
	if (s->machine == APP_DEAD)
		return;
	if (s->machine == APP_SNIFF && st->side[side].head_len == 0) {
		/* the stream begins after the loss */
		st->headless = true;
		return;
	}
	if (s->machine == APP_SNIFF)
		goes_on = false;
	else if (machines[s->machine].lost != NULL)
		goes_on = machines[s->machine].lost(st, side, n);
	else
		goes_on = lost_in_skip(s, n);
	if (!goes_on)
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
	size_t want = st->transport == PROTO_UDP ? 1 : LYA_APP_PREFIX;

	return st->side[side].head_len >= want || st->side[!side].packets >= PREFIX_WAIT;
}

/* Whether what is known of a TCP flow will not change although its machines could go on. */
static bool is_enough(const struct lya_app_state *st)
{
	switch (st->app) {
	case LYA_APP_NONE:
	case LYA_APP_TLS:
	case LYA_APP_XMPP:
		return false;
	case LYA_APP_HTTP:
		return st->service;
	case LYA_APP_DCERPC:
		return st->rpc_bind && !st->rpc_epm;
	case LYA_APP_STUN:
	case LYA_APP_MSTURN:
		return (st->seen & LYA_SEEN_MEDIA) || st->messages >= TURN_ENOUGH;
	default:
		return true;
	}
}

static bool is_tcp_settled(const struct lya_app_state *st)
{
	bool over = true;

	for (unsigned i = 0; i < 2; i++) {
		if (!has_prefix(st, i))
			return false;
		if (st->stream[i].machine != APP_DEAD &&
		    (st->stream[!i].machine != APP_DEAD || st->side[!i].bytes < SILENT_ENOUGH))
			over = false;
	}
	return (over && st->app != LYA_APP_HTTP) || is_enough(st);
}

/* UDP ------------------------------------------------------------------------- */

/* Datagrams that one look shows whole; STUN and media come before. */
static bool (*const datagrams[])(struct lya_app_state *st, unsigned side, const uint8_t *data,
				 size_t len, size_t full_len) = {
	app_dhcp_datagram, app_dns_datagram,  app_ssrp_datagram,
	app_dtls_datagram, app_line_datagram,
};

/* TURN of several sessions on one flow ([MS-TURN] 2.2.3): FF 10, length, id of 8 bytes. */
static bool is_multiplexed_turn(const uint8_t *data, size_t len, size_t full_len)
{
	return len >= 12 && data[0] == 0xFF && data[1] == 0x10 &&
	       app_be16(data + 2) <= full_len - 4 && app_be16(data + 2) + 12U >= full_len;
}

static void recognise_datagram(struct lya_app_state *st, unsigned side, const uint8_t *data,
			       size_t len, size_t full_len)
{
	if (app_stun_datagram(st, side, data, len, full_len))
		return;
	st->not_ice = true;
	if (is_multiplexed_turn(data, len, full_len) && (st->seen & LYA_SEEN_TURN))
		return;
	if (app_rtp_packet(st, side, data, len, full_len) || st->app != LYA_APP_NONE)
		return; /* a flow keeps its protocol: later look-alikes are chance */
	for (size_t i = 0; i < sizeof(datagrams) / sizeof(datagrams[0]); i++)
		if (datagrams[i](st, side, data, len, full_len))
			return;
}

static bool is_udp_settled(const struct lya_app_state *st)
{
	if (st->single)
		return has_prefix(st, 0) && has_prefix(st, 1);
	if (st->app == LYA_APP_NONE)
		return st->messages >= UNKNOWN_ENOUGH;
	if (st->seen & LYA_SEEN_MEDIA)
		return st->messages >= MEDIA_ENOUGH;
	if (st->stun_ice && !st->not_ice)
		return st->messages >= LYA_APP_ICE_MAX;
	return st->messages >= (st->seen & LYA_SEEN_TURN ? TURN_ENOUGH : STUN_ENOUGH);
}

static void feed_datagram(struct lya_app_state *st, unsigned side, const uint8_t *data, size_t len,
			  size_t full_len)
{
	struct app_side *s = &st->side[side];

	if (full_len == 0)
		return;
	if (s->head_len == 0)
		keep_head(s, data, len);
	app_count_message(st);
	recognise_datagram(st, side, data, len, full_len);
	st->settled = is_udp_settled(st);
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

/* The protocol in one word. */
static enum lya_app final_app(const struct lya_app_state *st)
{
	if (st->app == LYA_APP_NONE)
		return st->payload ? LYA_APP_UNKNOWN : LYA_APP_NONE;
	if (st->app == LYA_APP_TLS && st->pseudo_sides != 0 && st->real_sides == 0)
		return LYA_APP_PSEUDO_TLS;
	return st->app;
}

void lya_app_result(const struct lya_app_state *st, struct lya_app_result *out)
{
	memset(out, 0, sizeof(*out));
	out->app = (uint8_t)final_app(st);
	out->client_side = st->client_conflict ? -1 : st->client;
	if (out->app == LYA_APP_TLS || out->app == LYA_APP_XMPP) { /* else it was no handshake */
		out->tls = st->tls;
		if (st->headless)
			out->tls |= LYA_TLS_GAP;
		out->tls_version = st->tls_version;
	}
	out->seen = st->seen;
	if (st->pseudo_sides != 0 && out->app != LYA_APP_TLS)
		out->seen |= LYA_SEEN_PSEUDO_TLS;
	out->service_payload =
	    st->service || (out->app == LYA_APP_UNKNOWN && st->transport == PROTO_TCP);
	out->ice = st->stun_ice && !st->not_ice;
	for (int i = 0; i < 2; i++) {
		out->prefix_len[i] = st->side[i].head_len;
		memcpy(out->prefix[i], st->side[i].head, LYA_APP_PREFIX);
	}
}
