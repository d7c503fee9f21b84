/*
 * measure.c - what the packets themselves tell of the capture.
 *
 * Most batches of packets cost a few comparisons here: same second, not before
 * the last one, nothing wrong.  What happens once a second, and what is wrong
 * with a packet, may cost more.
 */
#include "validity/validity.h"

#include <string.h>

#include "lyncaudit/timeutil.h"

enum {
	CHECK_ALL = 256,     /* packets of a source whose checksums are all looked at, */
	CHECK_EVERY = 64,    /* and of the rest every such one */
	CHECK_SOURCES = 256, /* with more sources than these, as a ring of small files has them, */
	CHECK_FEW = 32,      /* so many of each of the others: else it were nearly all packets */
	STEADY_SECONDS = 60  /* of the last 64: the others may be without a packet */
};

/* Shorter ones are too common, and no check depends on them. */
#define SILENCE_NS (10 * (uint64_t)LYA_SECOND_NS)

static bool is_steady(const struct steadiness *s)
{
	return __builtin_popcountll(s->active) >= STEADY_SECONDS;
}

/* Settle the silences that are pending: they count when what followed was steady too. */
static void settle(struct steadiness *s, struct lya_source_measures *m)
{
	if (s->pending != 0 && is_steady(s)) {
		m->gaps += s->pending;
		m->gap_ns += s->pending_ns;
	}
	s->pending = 0;
	s->pending_ns = 0;
}

static uint64_t apart(int64_t from_ns, int64_t to_ns)
{
	return (uint64_t)to_ns - (uint64_t)from_ns;
}

/* The silence from last_ns to time_ns is one of those that matter. */
static bool is_silence(const struct steadiness *s, int64_t last_ns, int64_t time_ns)
{
	return time_ns > last_ns && apart(last_ns, time_ns) >= SILENCE_NS && is_steady(s);
}

/* Where the second begins; nothing that a file may claim overflows. */
static int64_t second_of(int64_t time_ns)
{
	int64_t within = (time_ns % LYA_SECOND_NS + LYA_SECOND_NS) % LYA_SECOND_NS;

	return (int64_t)((uint64_t)time_ns - (uint64_t)within);
}

/* A packet in another second than the one under way. */
static void step(struct steadiness *s, struct lya_source_measures *m, int64_t last_ns,
		 int64_t time_ns)
{
	int64_t second_ns = second_of(time_ns);
	uint64_t seconds;

	if (!s->started) {
		*s = (struct steadiness){ .started = true, .second_ns = second_ns, .active = 1 };
		return;
	}
	if (second_ns <= s->second_ns)
		return; /* the clock stepped back: wait until it is where it was */
	seconds = apart(s->second_ns, second_ns) / (uint64_t)LYA_SECOND_NS;
	if (is_silence(s, last_ns, time_ns)) {
		s->pending++;
		s->pending_ns += apart(last_ns, time_ns);
		s->since = 0;
		seconds = 1;
	} else {
		s->since += seconds < 64 ? (uint32_t)seconds : 64;
	}
	s->active = (seconds < 64 ? s->active << seconds : 0) | 1;
	s->second_ns = second_ns;
	if (s->pending != 0 && s->since >= 64)
		settle(s, m);
}

/* All sources together: only what lies before a source's first packet is not its own affair. */
static void step_all(struct lya_validity *v, struct source_state *s, int64_t time_ns)
{
	struct lya_source_measures between = { 0 };
	bool is_first = !s->steady.started;
	int64_t last_ns = v->all_last_ns;

	if (v->all.started && is_first && is_silence(&v->all, last_ns, time_ns)) {
		s->measures.gaps++;
		s->measures.gap_ns += apart(last_ns, time_ns);
		s->measures.gap_before_ns = apart(last_ns, time_ns);
	}
	step(&v->all, &between, last_ns, time_ns);
	v->all.pending = 0;
}

/* A packet that is not in the second under way, or older than the one before it. */
static void note_time(struct lya_validity *v, struct source_state *s, int64_t last_ns,
		      int64_t time_ns)
{
	if (s->steady.started && time_ns < last_ns && apart(time_ns, last_ns) > s->measures.back_ns)
		s->measures.back_ns = apart(time_ns, last_ns);
	step_all(v, s, time_ns);
	step(&s->steady, &s->measures, last_ns, time_ns);
}

/* The decoder stopped before what the packet carries. */
static void note_unread(struct lya_source_measures *m, uint32_t events)
{
	const uint32_t depth = UINT32_C(1) << LYA_EV_VLAN_DEPTH | UINT32_C(1) << LYA_EV_MPLS_DEPTH |
			       UINT32_C(1) << LYA_EV_TUNNEL_DEPTH;

	if ((events & UINT32_C(1) << LYA_EV_LINK_UNKNOWN) != 0)
		m->unread[LYA_UNREAD_LINK]++;
	else if ((events & UINT32_C(1) << LYA_EV_MACSEC) != 0)
		m->unread[LYA_UNREAD_MACSEC]++;
	else if ((events & depth) != 0)
		m->unread[LYA_UNREAD_DEPTH]++;
}

static void note_events(struct source_state *s, const struct lya_packet *pkt)
{
	const uint32_t flags_cut = UINT32_C(1) << LYA_EV_TCP_TRUNCATED;

	if ((pkt->events & UINT32_C(1) << LYA_EV_CHECKSUM_IP) != 0)
		s->measures.bad_ip_checksums++;
	note_unread(&s->measures, pkt->events);
	if (pkt->kind == LYA_PKT_TCP && (pkt->events & flags_cut) != 0 && pkt->tcp_flags == 0) {
		s->measures.cut_flags++;
		return;
	}
	if (pkt->kind != LYA_PKT_CUT && pkt->kind != LYA_PKT_BAD)
		return;
	for (uint32_t events = pkt->events; events != 0; events &= events - 1) {
		if (lya_event_is_cut((enum lya_event)__builtin_ctz(events))) {
			s->measures.cut_ports++;
			return;
		}
	}
	s->measures.malformed += pkt->kind == LYA_PKT_BAD;
}

static uint64_t number_to_check(uint64_t source, uint64_t after)
{
	uint64_t all = source < CHECK_SOURCES ? CHECK_ALL : CHECK_FEW;

	return after + (after < all ? 1 : CHECK_EVERY);
}

static void check(struct source_state *s, struct lya_packet *pkt)
{
	lya_packet_fill(pkt);
	s->next_check = number_to_check(lya_packet_source(pkt), lya_packet_number(pkt));
	switch (validity_checksum(pkt)) {
	case CHECKSUM_NONE:
		return;
	case CHECKSUM_UNFINISHED:
		s->measures.unfinished++;
		break;
	case CHECKSUM_WRONG:
		s->measures.bad_checksums++;
		break;
	case CHECKSUM_RIGHT:
		break;
	}
	s->measures.checked++;
}

/* n packets of one source.  What most packets ask for is kept in registers. */
static void take_run(struct lya_validity *v, struct source_state *s, struct lya_packet *pkts,
		     size_t n)
{
	int64_t last_ns = s->last_ns;
	int64_t second_ns = s->steady.second_ns;
	uint64_t next_check = s->next_check;
	/* before the first packet of all no time is within the second under way */
	uint64_t within_ns = s->steady.started ? (uint64_t)LYA_SECOND_NS : 0;

	for (size_t i = 0; i < n; i++) {
		struct lya_packet *pkt = &pkts[i];

		if (apart(second_ns, pkt->time_ns) >= within_ns || pkt->time_ns < last_ns) {
			if (i > 0)
				v->all_last_ns = last_ns;
			note_time(v, s, last_ns, pkt->time_ns);
			second_ns = s->steady.second_ns;
			within_ns = (uint64_t)LYA_SECOND_NS;
		}
		last_ns = pkt->time_ns;
		if (pkt->events != 0)
			note_events(s, pkt);
		if (lya_packet_number(pkt) >= next_check) {
			check(s, pkt);
			next_check = s->next_check;
		}
	}
	s->last_ns = v->all_last_ns = last_ns;
}

/* The packets whose turn it is to be checked, among n of ascending numbers. */
static void check_due(struct source_state *s, struct lya_packet *pkts, size_t n)
{
	while (lya_packet_number(&pkts[n - 1]) >= s->next_check) {
		uint64_t first = lya_packet_number(&pkts[0]);
		size_t i = s->next_check > first ? (size_t)(s->next_check - first) : 0;

		if (i >= n) /* a filter left some out between them */
			i = n - 1;
		while (i > 0 && lya_packet_number(&pkts[i - 1]) >= s->next_check)
			i--;
		check(s, &pkts[i]);
	}
}

/* The same as take_run for a batch in which nothing happens; false: something does. */
static bool take_uneventful(struct lya_validity *v, struct lya_packet *pkts, size_t n,
			    const struct lya_batch *batch)
{
	uint32_t source = lya_packet_source(&pkts[0]);
	struct source_state *s;

	if (!batch->ascending || !batch->one_source || !batch->plain || source >= v->n)
		return false;
	s = &v->sources[source];
	if (!s->steady.started || batch->oldest_ns < s->last_ns ||
	    batch->oldest_ns < s->steady.second_ns ||
	    apart(s->steady.second_ns, batch->newest_ns) >= (uint64_t)LYA_SECOND_NS)
		return false;
	check_due(s, pkts, n);
	s->last_ns = v->all_last_ns = batch->newest_ns;
	return true;
}

int lya_validity_packets(struct lya_validity *v, struct lya_packet *pkts, size_t n,
			 const struct lya_batch *batch)
{
	if (take_uneventful(v, pkts, n, batch))
		return LYA_OK;
	for (size_t from = 0, to; from < n; from = to) {
		uint32_t source = lya_packet_source(&pkts[from]);
		int rc = validity_reach(v, (size_t)source + 1);

		if (rc != LYA_OK)
			return rc;
		for (to = from + 1; to < n && lya_packet_source(&pkts[to]) == source;)
			to++;
		take_run(v, &v->sources[source], &pkts[from], to - from);
	}
	return LYA_OK;
}

int lya_validity_duplicates(struct lya_validity *v, const struct lya_packet *pkts, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t source;
		int rc;

		if (pkts[i].duplicate == LYA_DUP_NONE)
			continue;
		source = lya_packet_source(&pkts[i]);
		rc = validity_reach(v, (size_t)source + 1);
		if (rc != LYA_OK)
			return rc;
		v->sources[source].measures.duplicates[pkts[i].duplicate]++;
	}
	return LYA_OK;
}

void lya_validity_measures(const struct lya_validity *v, size_t source,
			   struct lya_source_measures *out)
{
	struct steadiness steady;

	memset(out, 0, sizeof(*out));
	if (source >= v->n)
		return;
	*out = v->sources[source].measures;
	steady = v->sources[source].steady;
	settle(&steady, out);
}
