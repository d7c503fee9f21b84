/*
 * rtp.c - RTP and RTCP (RFC 3550), encrypted or not.
 *
 * The header has two fixed bits, so one packet is a hint.  Three packets of
 * one source whose sequence numbers go on are RTP; a number that is the length
 * of its own datagram is none, for many protocols have that there.  RTCP is a compound whose
 * lengths come out even; encrypted (SRTCP) only its first header can be read,
 * and again three packets of one source are asked for.
 */
#include "app/machine.h"

enum {
	RTP_HDR = 12,
	RTCP_HDR = 8,
	IN_SEQUENCE = 3,
	STEP_MAX = 50, /* packets that may be missing between two of a sequence */
	RTCP_FIRST = 192,
	RTCP_LAST = 223,
	RTCP_SR = 200,
	RTCP_RR = 201,
	RTCP_XR = 207
};

static bool is_rtcp_type(uint8_t type)
{
	return type >= RTCP_FIRST && type <= RTCP_LAST; /* RFC 5761: RTP keeps clear of these */
}

static bool is_rtp(const uint8_t *p, size_t len, size_t full_len)
{
	return len >= RTP_HDR && (p[0] & 0xC0) == 0x80 && !is_rtcp_type(p[1]) &&
	       full_len >= RTP_HDR + (size_t)(p[0] & 0x0F) * 4 + ((p[0] & 0x10) ? 4 : 0);
}

/* Bytes of the RTCP packet at p, which holds at least its header. */
static size_t rtcp_size(const uint8_t *p)
{
	return ((size_t)app_be16(p + 2) + 1) * 4;
}

/* A compound starts with a report, which fits. */
static bool is_rtcp(const uint8_t *p, size_t len, size_t full_len)
{
	return len >= RTCP_HDR && (p[0] & 0xC0) == 0x80 && (p[1] == RTCP_SR || p[1] == RTCP_RR) &&
	       rtcp_size(p) >= RTCP_HDR && rtcp_size(p) <= full_len;
}

/* True for two or more packets that fill the datagram: encrypted ones do not come out so. */
static bool is_clear_compound(const uint8_t *p, size_t len)
{
	size_t at = 0;
	unsigned packets = 0;

	while (len - at >= 4) {
		if ((p[at] & 0xC0) != 0x80 || p[at + 1] < RTCP_SR || p[at + 1] > RTCP_XR ||
		    rtcp_size(p + at) > len - at)
			return false;
		at += rtcp_size(p + at);
		packets++;
	}
	return at == len && packets >= 2;
}

bool app_rtp_plausible(const uint8_t *data, size_t len, size_t full_len)
{
	return is_rtp(data, len, full_len) || is_rtcp(data, len, full_len);
}

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)app_be16(p) << 16 | app_be16(p + 2);
}

/* The slot of this source: its own, or the one with the shorter history, emptied. */
static struct app_rtp *find_slot(struct app_side *s, uint32_t ssrc)
{
	struct app_rtp *worst = &s->rtp[0];

	for (size_t i = 0; i < APP_RTP_SLOTS; i++) {
		struct app_rtp *r = &s->rtp[i];

		if (r->count > 0 && r->ssrc == ssrc)
			return r;
		if (r->count < worst->count)
			worst = r;
	}
	worst->ssrc = ssrc;
	worst->count = 0;
	return worst;
}

static bool note_rtp(struct app_side *s, const uint8_t *p, size_t full_len)
{
	uint16_t seq = app_be16(p + 2), ahead;
	struct app_rtp *r;

	if (seq == full_len)
		return false;
	r = find_slot(s, be32(p + 8));
	ahead = (uint16_t)(seq - r->seq);
	if (r->count > 0 && ahead >= 1 && ahead <= STEP_MAX)
		r->count = (uint8_t)(r->count < IN_SEQUENCE ? r->count + 1 : IN_SEQUENCE);
	else if (r->count < IN_SEQUENCE && (r->count == 0 || ahead != 0)) /* 0: seen twice */
		r->count = 1;
	r->seq = seq;
	return r->count >= IN_SEQUENCE;
}

static bool note_rtcp(struct app_side *s, const uint8_t *p, size_t len, size_t full_len)
{
	uint32_t ssrc = be32(p + 4);

	if (len == full_len && is_clear_compound(p, len))
		return true;
	s->rtcp_count =
	    (uint8_t)(s->rtcp_ssrc == ssrc && s->rtcp_count > 0
			  ? (s->rtcp_count < IN_SEQUENCE ? s->rtcp_count + 1 : IN_SEQUENCE)
			  : 1);
	s->rtcp_ssrc = ssrc;
	return s->rtcp_count >= IN_SEQUENCE;
}

bool app_rtp_packet(struct lya_app_state *st, unsigned side, const uint8_t *data, size_t len,
		    size_t full_len)
{
	struct app_side *s = &st->side[side];

	if (is_rtp(data, len, full_len)) {
		if (!note_rtp(s, data, full_len))
			return false;
		st->seen |= LYA_SEEN_MEDIA;
		app_is(st, LYA_APP_RTP);
	} else if (is_rtcp(data, len, full_len)) {
		if (!note_rtcp(s, data, len, full_len))
			return false;
		app_is(st, LYA_APP_RTCP);
	} else {
		return false;
	}
	st->service = true;
	return true;
}
