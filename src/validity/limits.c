/*
 * limits.c - from counts to limits: which checks are weakened, and by how much.
 */
#include "lyncaudit/validity.h"

#include <inttypes.h>
#include <string.h>

#include "lyncaudit/alloc.h"
#include "lyncaudit/reasm.h"
#include "lyncaudit/text.h"
#include "lyncaudit/timeutil.h"

/*
 * A share of one-sided flows below this is the edge of the capture (flows
 * that ended just after it began), not a property of the mirror.
 */
static const double ONE_SIDED_SHARE = 0.01;

/* Fewer wrong checksums than this happen on any network, and mean nothing. */
static const double CHECKSUM_SHARE = 0.05;

/* Nor do fewer malformed packets: more of them are a capture that is not what it says it is. */
static const double MALFORMED_SHARE = 0.05;

/* Between two files of a ring there are pauses; a shorter time between sources is one of those. */
static const uint64_t HOLE_NS = 60 * (uint64_t)LYA_SECOND_NS;

/* Within it even copies without an IP id are recognised; the clocks count as equal. */
#define CLOCKS_EQUAL_NS (LYA_DUPLICATE_NO_ID_WINDOW_MS * (LYA_SECOND_NS / 1000))

static const char *const names[LYA_LIMITS] = {
	[LYA_LIMIT_ONE_SIDED] = "one-sided", [LYA_LIMIT_LOSS] = "loss",
	[LYA_LIMIT_DROPS] = "drops",         [LYA_LIMIT_DUPLICATES] = "duplicates",
	[LYA_LIMIT_SNAPLEN] = "snaplen",     [LYA_LIMIT_GAP] = "gap",
	[LYA_LIMIT_CLOCK] = "clock",         [LYA_LIMIT_EVICTED] = "evicted",
	[LYA_LIMIT_TRUNCATED] = "truncated", [LYA_LIMIT_CHECKSUMS] = "checksums",
	[LYA_LIMIT_UNREAD] = "unread",
};

const char *lya_limit_name(enum lya_limit_kind kind)
{
	return names[kind];
}

struct limits {
	struct lya_limit *list;
	size_t n, cap;
	bool failed;
};

/* Add a limit that says `text`, which is freed. */
static void add_text(struct limits *l, enum lya_limit_kind kind, const char *where, double share,
		     struct lya_text *text)
{
	char *what = text->failed ? NULL : lya_strdup(lya_text_str(text));
	void *list = l->list;

	lya_text_fini(text);
	if (what == NULL || lya_grow(&list, &l->cap, l->n + 1, sizeof(*l->list)) != LYA_OK) {
		lya_free(what);
		l->failed = true;
		return;
	}
	l->list = list;
	l->list[l->n++] = (struct lya_limit){
		.kind = kind,
		.where = where,
		.share = share,
		.what = what,
	};
}

static void add(struct limits *l, enum lya_limit_kind kind, const char *where, double share,
		const char *fmt, ...) __attribute__((format(printf, 5, 6)));

static void add(struct limits *l, enum lya_limit_kind kind, const char *where, double share,
		const char *fmt, ...)
{
	struct lya_text text = { 0 };
	va_list ap;

	va_start(ap, fmt);
	lya_text_vaddf(&text, fmt, ap);
	va_end(ap);
	add_text(l, kind, where, share, &text);
}

static double share_of(uint64_t part, uint64_t whole)
{
	return whole > 0 ? (double)part / (double)whole : 0.0;
}

static void limit_one_sided(struct limits *l, const struct lya_validity *v, size_t i,
			    const struct lya_source *s)
{
	uint64_t flows, one_sided;

	lya_validity_tcp(v, i, &flows, &one_sided);
	if (one_sided == 0 || share_of(one_sided, flows) < ONE_SIDED_SHARE)
		return;
	add(l, LYA_LIMIT_ONE_SIDED, s->name, share_of(one_sided, flows),
	    "%" PRIu64 " of %" PRIu64
	    " TCP flows show one direction only: who opened a flow, whether "
	    "it was answered and what was spoken is known less well.",
	    one_sided, flows);
}

static void limit_loss(struct limits *l, const struct lya_source *s,
		       const struct lya_source_measures *m)
{
	if (m->lost > 0)
		add(l, LYA_LIMIT_LOSS, s->name, share_of(m->lost, m->lost + m->seen),
		    "%" PRIu64
		    " bytes were acknowledged but never seen: payload checks (TLS handshakes, "
		    "cleartext, protocols) may have missed what these packets held.",
		    m->lost);
}

static void limit_drops(struct limits *l, const struct lya_source *s)
{
	if (s->dropped > 0)
		add(l, LYA_LIMIT_DROPS, s->name, share_of(s->dropped, s->dropped + s->packets),
		    "%" PRIu64
		    " packets were dropped while capturing: flows may be missing, and counts "
		    "are too low.",
		    s->dropped);
}

static void limit_duplicates(struct limits *l, const struct lya_source *s,
			     const struct lya_source_measures *m)
{
	uint64_t exact = m->duplicates[LYA_DUP_EXACT];
	uint64_t vlan = m->duplicates[LYA_DUP_VLAN];
	uint64_t routed = m->duplicates[LYA_DUP_ROUTED];

	if (exact + vlan + routed == 0)
		return;
	add(l, LYA_LIMIT_DUPLICATES, s->name, share_of(exact + vlan + routed, s->packets),
	    "%" PRIu64 " packets were second sightings (%" PRIu64 " exact, %" PRIu64
	    " with other VLAN tags or MAC addresses, %" PRIu64
	    " from behind a router) and counted once: copies that come more than %d ms later "
	    "still count as traffic of their own.",
	    exact + vlan + routed, exact, vlan, routed, LYA_DUPLICATE_WINDOW_MS);
}

static void limit_snaplen(struct limits *l, const struct lya_source *s,
			  const struct lya_source_measures *m)
{
	struct lya_text text = { 0 };

	if (s->snapped == 0)
		return;
	lya_text_addf(&text,
		      "%" PRIu64
		      " packets were cut by the snap length: payload checks (TLS handshakes, "
		      "cleartext, protocols, addresses inside STUN) saw only their beginning",
		      s->snapped);
	if (m->cut_flags > 0)
		lya_text_addf(&text,
			      "; %" PRIu64
			      " of them show no TCP flags, so that who opened a flow and whether "
			      "it was answered is known less well",
			      m->cut_flags);
	if (m->cut_ports > 0)
		lya_text_addf(&text,
			      "; %" PRIu64
			      " of them show no ports, so that their flows are undetermined or "
			      "missing",
			      m->cut_ports);
	lya_text_addf(&text, ".");
	add_text(l, LYA_LIMIT_SNAPLEN, s->name, share_of(s->snapped, s->packets), &text);
}

/* What a filter left out was there, and may be what a check looks for in vain. */
static void limit_filter(struct limits *l, const struct lya_source *s)
{
	uint64_t all = s->filtered + s->packets;

	if (!lya_source_filtered(s) || s->packets == 0)
		return;
	if (s->filtered_unseen) {
		add(l, LYA_LIMIT_GAP, s->name, share_of(s->filtered, all),
		    "A filter was in force, and what the kernel left out by it is not counted: "
		    "what those packets show is not in this report, rows may count as not observed "
		    "for that reason, and nothing is said of rows, exceptions, directions and hosts "
		    "that were not seen.");
		return;
	}
	add(l, LYA_LIMIT_GAP, s->name, share_of(s->filtered, all),
	    "The filter left out %" PRIu64 " of its %" PRIu64
	    " packets: what they show is not in this report, rows may count as not observed for "
	    "that reason, and nothing is said of rows, exceptions, directions and hosts that "
	    "were not seen.",
	    s->filtered, all);
}

/* A source without a packet; what could not be read at all is told elsewhere. */
static void limit_empty(struct limits *l, const struct lya_source *s)
{
	if (s->packets > 0 || s->skipped || s->truncated || s->unread || s->error != NULL)
		return;
	if (s->filtered_unseen)
		add(l, LYA_LIMIT_GAP, s->name, 1.0,
		    "The filter passed no packet, and how many the kernel left out by it is not "
		    "counted: nothing was seen there, and rows may count as not observed for that "
		    "reason.");
	else if (s->filtered > 0)
		add(l, LYA_LIMIT_GAP, s->name, 1.0,
		    "The filter passed none of its %" PRIu64
		    " packets: nothing of it is in this report, and rows may count as not "
		    "observed for that reason.",
		    s->filtered);
	else
		add(l, LYA_LIMIT_GAP, s->name, 1.0,
		    "It holds no packets: nothing was seen there, and rows may count as not "
		    "observed for that reason.");
}

/* Packets of other protocols alone: nothing was judged. */
static void limit_no_flows(struct limits *l, const struct lya_source *sources, size_t n,
			   const struct lya_flow_stats *flows)
{
	uint64_t packets = 0;

	for (size_t i = 0; i < n; i++)
		packets += sources[i].packets;
	if (packets > 0 && flows->flows == 0)
		add(l, LYA_LIMIT_GAP, "flow table", 1.0,
		    "None of the %" PRIu64
		    " packets belongs to a TCP or UDP flow: nothing was held against the "
		    "documents.",
		    packets);
}

/* Sources that lie apart; what was told as the silence before one of them is left out. */
static int limit_holes(struct limits *l, const struct lya_validity *v,
		       const struct lya_source *sources, size_t n,
		       const struct lya_source_measures *measures, struct lya_error *err)
{
	uint64_t *before_ns = lya_calloc(n + 1, sizeof(*before_ns)), holes = 0, ns = 0, unseen_ns;
	int64_t first_ns = INT64_MAX, last_ns = INT64_MIN;
	int rc = LYA_ENOMEM;

	if (before_ns != NULL)
		rc = lya_validity_holes(v, sources, n, before_ns, &unseen_ns, err);
	for (size_t i = 0; i < n && rc == LYA_OK; i++) {
		if (sources[i].first_ns == LYA_TIME_NONE)
			continue;
		first_ns = sources[i].first_ns < first_ns ? sources[i].first_ns : first_ns;
		last_ns = sources[i].last_ns > last_ns ? sources[i].last_ns : last_ns;
		if (before_ns[i] < HOLE_NS || (measures != NULL && measures[i].gap_before_ns > 0))
			continue;
		holes++;
		ns += before_ns[i];
	}
	lya_free(before_ns);
	if (holes > 0)
		add(l, LYA_LIMIT_GAP, "between sources",
		    share_of(ns, (uint64_t)last_ns - (uint64_t)first_ns),
		    "The sources lie apart, %" PRIu64 " time%s, %" PRIu64
		    " s together: what happened between them is not in this report, and rows may "
		    "count as not observed for that reason.",
		    holes, holes == 1 ? "" : "s", ns / (uint64_t)LYA_SECOND_NS);
	return rc;
}

/* Flows of strangers and of unknown ports alone: nothing was judged either. */
static void limit_none_judged(struct limits *l, const struct lya_judged *judged)
{
	uint64_t unjudged = judged->out_of_scope + judged->undetermined;

	if (judged->flows == 0 || unjudged < judged->flows)
		return;
	if (judged->undetermined == 0)
		add(l, LYA_LIMIT_GAP, "site", 1.0,
		    "%" PRIu64 " of %" PRIu64
		    " flows are out of scope, and nothing was held against the documents: do the "
		    "site's addresses fit this capture?",
		    judged->out_of_scope, judged->flows);
	else
		add(l, LYA_LIMIT_GAP, "site", 1.0,
		    "Of %" PRIu64 " flows %" PRIu64 " are out of scope and %" PRIu64
		    " undetermined: nothing was held against the documents.",
		    judged->flows, judged->out_of_scope, judged->undetermined);
}

static void limit_gap(struct limits *l, const struct lya_source *s,
		      const struct lya_source_measures *m)
{
	uint64_t span_ns = m->gap_before_ns;
	struct lya_text text = { 0 };

	if (m->gaps == 0)
		return;
	if (s->packets > 0)
		span_ns += (uint64_t)s->last_ns - (uint64_t)s->first_ns;
	lya_text_addf(&text, "%" PRIu64 " gap%s of %" PRIu64 " s together", m->gaps,
		      m->gaps == 1 ? "" : "s", m->gap_ns / (uint64_t)LYA_SECOND_NS);
	if (m->gap_before_ns > 0)
		lya_text_addf(&text, " (%" PRIu64 " s of it before the source begins)",
			      m->gap_before_ns / (uint64_t)LYA_SECOND_NS);
	lya_text_addf(&text, ": what happened then is not in this report, and rows may count as "
			     "not observed for that reason.");
	add_text(l, LYA_LIMIT_GAP, s->name, share_of(m->gap_ns, span_ns), &text);
}

static double seconds(uint64_t ns)
{
	return (double)ns / (double)LYA_SECOND_NS;
}

static void limit_steps(struct limits *l, const struct lya_source *s,
			const struct lya_source_measures *m)
{
	struct lya_text text = { 0 };

	if (s->steps_back == 0)
		return;
	lya_text_addf(&text, "%" PRIu64 " packets are older than one before them", s->steps_back);
	if (m->back_ns > 0)
		lya_text_addf(&text, ", by up to %.6f s", seconds(m->back_ns));
	lya_text_addf(&text,
		      ": order and times within this source are uncertain, and with them who "
		      "answered whom.");
	add_text(l, LYA_LIMIT_CLOCK, s->name, share_of(s->steps_back, s->packets), &text);
}

/* What --time-offset must say to set the clock right is part of the sentence. */
static void limit_offset(struct limits *l, const struct lya_source *sources, size_t i,
			 const struct lya_source_measures *m)
{
	const struct lya_source *s = &sources[i];
	bool ahead = m->ahead_ns > 0;

	if (m->twin_packets == 0 ||
	    (m->ahead_ns <= CLOCKS_EQUAL_NS && m->ahead_ns >= -CLOCKS_EQUAL_NS))
		return;
	add(l, LYA_LIMIT_CLOCK, s->name, 0.0,
	    "Its clock is %.6f s %s that of %s, by %" PRIu64
	    " packets that both hold: copies count as traffic of their own, and order and answers "
	    "across the two are uncertain (--time-offset %s=%.6f sets it right).",
	    seconds((uint64_t)(ahead ? m->ahead_ns : -m->ahead_ns)), ahead ? "ahead of" : "behind",
	    sources[m->twin].name, m->twin_packets, s->name,
	    (double)(s->time_offset_ns - m->ahead_ns) / (double)LYA_SECOND_NS);
}

static void limit_evicted(struct limits *l, const struct lya_flow_stats *flows)
{
	if (flows->evicted > 0)
		add(l, LYA_LIMIT_EVICTED, "flow table", share_of(flows->evicted, flows->flows),
		    "%" PRIu64
		    " flows were judged before they had ended, because the flow table was "
		    "full: a flow may count as several, and answers that came later are missed "
		    "(--max-memory raises the limit).",
		    flows->evicted);
}

/* What had to make room for more, or found none: each costs less than a flow. */
static void limit_forgotten(struct limits *l, const struct lya_flow_stats *flows,
			    const struct lya_forgotten *f)
{
	uint64_t details = flows->details_lost + f->details;

	if (flows->given_up > 0)
		add(l, LYA_LIMIT_EVICTED, "payload inspection",
		    share_of(flows->given_up, flows->flows),
		    "%" PRIu64
		    " flows were not listened to as long as they could have been, because too "
		    "many were at once: what was spoken in them (TLS handshakes, cleartext, "
		    "protocols) is known less well (--max-memory raises the limit).",
		    flows->given_up);
	if (details > 0)
		add(l, LYA_LIMIT_EVICTED, "details", 0.0,
		    "%" PRIu64
		    " times there was no room for what belongs to a flow or a server (MAC "
		    "addresses, paths, ICMP errors, first bytes, handshakes, listeners, names, "
		    "ports of endpoint mappers): checks that need it were left out "
		    "(--max-memory raises the limit).",
		    details);
	if (f->datagrams > 0)
		add(l, LYA_LIMIT_EVICTED, "fragments", 0.0,
		    "%" PRIu64
		    " datagrams in fragments were forgotten before they were whole, because too "
		    "many were under way: what they said was not read, and the ports of later "
		    "fragments may be unknown (--max-memory raises the limit).",
		    f->datagrams);
	if (f->legs > 0)
		add(l, LYA_LIMIT_EVICTED, "A/V Edge legs", 0.0,
		    "%" PRIu64
		    " transactions and connections in front of the A/V Edge were forgotten while "
		    "their other leg could still have come: rewriting may have been missed "
		    "(--max-memory raises the limit).",
		    f->legs);
}

static void limit_truncated(struct limits *l, const struct lya_source *s)
{
	if (s->truncated)
		add(l, LYA_LIMIT_TRUNCATED, s->name, 0.0,
		    "The file breaks off inside a record after packet %" PRIu64
		    ": what came later is "
		    "not in this report.",
		    s->packets);
	else if (s->error != NULL && !s->skipped)
		add(l, LYA_LIMIT_TRUNCATED, s->name, 0.0,
		    "The source could not be read past packet %" PRIu64
		    " (%s): what came later is not "
		    "in this report.",
		    s->packets, s->error);
	else if (s->unread && !s->skipped)
		add(l, LYA_LIMIT_TRUNCATED, s->name, 0.0,
		    "The audit was stopped when packet %" PRIu64
		    " of it had been read: what comes later is not in this report.",
		    s->packets);
}

static void limit_checksums(struct limits *l, const struct lya_source *s,
			    const struct lya_source_measures *m)
{
	double ip = share_of(m->bad_ip_checksums, s->packets);
	double wrong = share_of(m->bad_checksums, m->checked);
	double unfinished = share_of(m->unfinished, m->checked);

	if (ip > CHECKSUM_SHARE)
		add(l, LYA_LIMIT_CHECKSUMS, s->name, ip,
		    "%" PRIu64
		    " packets have a wrong IPv4 header checksum and were judged all the same: "
		    "addresses in damaged headers would be nobody's.",
		    m->bad_ip_checksums);
	if (wrong > CHECKSUM_SHARE)
		add(l, LYA_LIMIT_CHECKSUMS, s->name, wrong,
		    "%" PRIu64 " of %" PRIu64
		    " packets looked at have a wrong TCP or UDP checksum and were judged all the "
		    "same: ports and payload in damaged packets would be nobody's.",
		    m->bad_checksums, m->checked);
	if (unfinished > CHECKSUM_SHARE)
		add(l, LYA_LIMIT_CHECKSUMS, s->name, unfinished,
		    "%" PRIu64 " of %" PRIu64
		    " packets looked at have a TCP or UDP checksum that was left to the network "
		    "card: they were captured on the host that sent them, and what the network "
		    "did to them (address translation, loss) does not show.",
		    m->unfinished, m->checked);
}

static void limit_unread(struct limits *l, const struct lya_source *s,
			 const struct lya_source_measures *m)
{
	static const char *const why[LYA_UNREADS] = {
		[LYA_UNREAD_LINK] = "of a link type that is not known",
		[LYA_UNREAD_MACSEC] = "encrypted with MACsec",
		[LYA_UNREAD_DEPTH] = "nested too deep",
	};
	bool damaged = share_of(m->malformed, s->packets) > MALFORMED_SHARE;
	uint64_t unread = damaged ? m->malformed : 0;
	const char *comma = "";
	struct lya_text text = { 0 };

	for (size_t i = 0; i < LYA_UNREADS; i++)
		unread += m->unread[i];
	if (unread == 0)
		return;
	lya_text_addf(&text, "%" PRIu64 " packets could not be read (", unread);
	for (size_t i = 0; i < LYA_UNREADS; i++) {
		if (m->unread[i] == 0)
			continue;
		lya_text_addf(&text, "%s%" PRIu64 " %s", comma, m->unread[i], why[i]);
		comma = ", ";
	}
	if (damaged)
		lya_text_addf(&text, "%s%" PRIu64 " malformed", comma, m->malformed);
	lya_text_addf(&text, "): what they carry was held against no row, and is not in this report.");
	add_text(l, LYA_LIMIT_UNREAD, s->name, share_of(unread, s->packets), &text);
}

/* One kind of limit over one source. */
static void limit(struct limits *l, enum lya_limit_kind kind, const struct lya_validity *v,
		  size_t i, const struct lya_source *sources, const struct lya_source_measures *m)
{
	const struct lya_source *s = &sources[i];

	switch (kind) {
	case LYA_LIMIT_ONE_SIDED:
		limit_one_sided(l, v, i, s);
		break;
	case LYA_LIMIT_LOSS:
		limit_loss(l, s, m);
		break;
	case LYA_LIMIT_DROPS:
		limit_drops(l, s);
		break;
	case LYA_LIMIT_DUPLICATES:
		limit_duplicates(l, s, m);
		break;
	case LYA_LIMIT_SNAPLEN:
		limit_snaplen(l, s, m);
		break;
	case LYA_LIMIT_GAP:
		limit_gap(l, s, m);
		limit_empty(l, s);
		limit_filter(l, s);
		break;
	case LYA_LIMIT_CLOCK:
		limit_steps(l, s, m);
		limit_offset(l, sources, i, m);
		break;
	case LYA_LIMIT_TRUNCATED:
		limit_truncated(l, s);
		break;
	case LYA_LIMIT_CHECKSUMS:
		limit_checksums(l, s, m);
		break;
	case LYA_LIMIT_UNREAD:
		limit_unread(l, s, m);
		break;
	case LYA_LIMIT_EVICTED: /* of the table, not of a source */
	case LYA_LIMITS:
		break;
	}
}

int lya_validity_limits(const struct lya_validity *v, const struct lya_source *sources,
			size_t n_sources, const struct lya_source_measures *measures,
			const struct lya_flow_stats *flows,
			const struct lya_forgotten *forgotten, const struct lya_judged *judged,
			struct lya_limit **list, size_t *n, struct lya_error *err)
{
	static const struct lya_source_measures nothing = { 0 };
	static const struct lya_forgotten none = { 0 };
	static const struct lya_judged no_flows = { 0 };
	struct limits l = { 0 };
	int rc = LYA_OK;

	for (unsigned kind = 0; kind < LYA_LIMITS; kind++) {
		if (kind == LYA_LIMIT_GAP) {
			limit_no_flows(&l, sources, n_sources, flows);
			limit_none_judged(&l, judged != NULL ? judged : &no_flows);
			rc = limit_holes(&l, v, sources, n_sources, measures, err);
		}
		if (kind == LYA_LIMIT_EVICTED) {
			limit_evicted(&l, flows);
			limit_forgotten(&l, flows, forgotten != NULL ? forgotten : &none);
		}
		for (size_t i = 0; i < n_sources; i++)
			limit(&l, (enum lya_limit_kind)kind, v, i, sources,
			      measures != NULL ? &measures[i] : &nothing);
	}
	*list = NULL;
	*n = 0;
	if (l.failed || rc != LYA_OK) {
		lya_limits_free(l.list, l.n);
		return lya_error_nomem(err);
	}
	*list = l.list;
	*n = l.n;
	return LYA_OK;
}

void lya_limits_free(struct lya_limit *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		lya_free(list[i].what);
	lya_free(list);
}
