/*
 * validity.h - what this capture could not show, measured.
 *
 * A clean report over a one-sided mirror proves little: each limit names its
 * place, its share, and which checks it weakens.
 */
#ifndef LYNCAUDIT_VALIDITY_H
#define LYNCAUDIT_VALIDITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lyncaudit/capture.h"
#include "lyncaudit/decode.h"
#include "lyncaudit/flow.h"
#include "lyncaudit/pack.h"
#include "lyncaudit/reasm.h"
#include "lyncaudit/status.h"

/* In the order in which they are listed. */
enum lya_limit_kind {
	LYA_LIMIT_ONE_SIDED,
	LYA_LIMIT_LOSS,
	LYA_LIMIT_DROPS,
	LYA_LIMIT_DUPLICATES,
	LYA_LIMIT_SNAPLEN,
	LYA_LIMIT_GAP,
	LYA_LIMIT_CLOCK,
	LYA_LIMIT_EVICTED,
	LYA_LIMIT_TRUNCATED,
	LYA_LIMIT_CHECKSUMS,
	LYA_LIMIT_UNREAD,
	LYA_LIMITS
};

/* Why what a packet carries could not be read although all of it was there. */
enum lya_unread {
	LYA_UNREAD_LINK,   /* a link type that the decoder does not know */
	LYA_UNREAD_MACSEC, /* encrypted below IP */
	LYA_UNREAD_DEPTH,  /* tags, labels or tunnels nested beyond the bounds */
	LYA_UNREADS
};

const char *lya_limit_name(enum lya_limit_kind kind); /* "one-sided" */

struct lya_limit {
	enum lya_limit_kind kind;
	const char *where; /* a source's name (borrowed from the sources), or what gave way */
	double share;      /* 0 to 1, of what `what` says; 0 where no share can be given */
	char *what;        /* one sentence */
};

/* What was measured in one source; zeroes where nothing was. */
struct lya_source_measures {
	uint64_t lost;             /* TCP bytes acknowledged and never seen, in the flows measured */
	uint64_t seen;             /* TCP bytes seen in these */
	uint64_t duplicates[4];    /* packets recognised as a second sighting, by enum lya_duplicate */
	uint64_t cut_ports;        /* packets cut before their ports or addresses, */
	uint64_t cut_flags;        /* and TCP segments cut before their flags */
	uint64_t unread[LYA_UNREADS]; /* packets that could not be read, by enum lya_unread, */
	uint64_t malformed;        /* and those with headers that cannot be */
	uint64_t bad_ip_checksums; /* packets with a wrong IPv4 header checksum */
	uint64_t checked;          /* packets whose TCP or UDP checksum was looked at, a sample; */
	uint64_t bad_checksums;    /* those of them with a wrong one, */
	uint64_t unfinished;       /* and those with one left to the network card */
	uint64_t gaps;             /* silences in otherwise steady traffic, */
	uint64_t gap_ns;           /* their length together, */
	uint64_t gap_before_ns;    /* and what of it lies between the source before and this one */
	uint64_t back_ns;          /* greatest step back of the clock */
	/* Set by who knows it (lya_reasm_clocks): */
	uint64_t twin_packets; /* packets that another source holds too; 0: no clock to compare */
	size_t twin;           /* that source */
	int64_t ahead_ns;      /* this clock less the twin's */
};

/* What was let go to stay within the memory, beside what the flow table tells of itself. */
struct lya_forgotten {
	uint64_t datagrams; /* that came in fragments, and were not known to be whole */
	uint64_t details;   /* listeners, ports of endpoint mappers, names, that were not learnt */
	uint64_t legs;      /* transactions and connections of the A/V Edge */
};

/* What became of all flows that were seen. */
struct lya_judged {
	uint64_t flows;
	uint64_t out_of_scope, undetermined; /* of them; the others were held against the rows */
};

struct lya_validity;

int lya_validity_new(struct lya_validity **v, struct lya_error *err);
void lya_validity_free(struct lya_validity *v);
/*
 * Take packets as they were decoded, in the order in which they came, with what
 * the decoder says of all of them; their bytes are looked at (a sample of
 * checksums) and not kept.  LYA_ENOMEM or 0.
 */
int lya_validity_packets(struct lya_validity *v, struct lya_packet *pkts, size_t n,
			 const struct lya_batch *batch);
/* Count the second sightings among packets that lya_reasm_mark marked.  LYA_ENOMEM or 0. */
int lya_validity_duplicates(struct lya_validity *v, const struct lya_packet *pkts, size_t n);
/* Take a flow that ended.  LYA_ENOMEM or 0. */
int lya_validity_take(struct lya_validity *v, const struct lya_flow *flow);
/* Add what `from` counted; from may only be freed after that. */
int lya_validity_merge(struct lya_validity *v, const struct lya_validity *from);

/*
 * Without end.  A period's counts are taken out, to be merged: *out is new.  With `begin`
 * those to come begin at zero; times and clocks go on either way.
 */
int lya_validity_period(struct lya_validity *v, bool begin, struct lya_validity **out,
			struct lya_error *err);
/* Add what source `from_source` of `from` counted to source `source`.  LYA_ENOMEM or 0. */
int lya_validity_merge_source(struct lya_validity *v, size_t source,
			      const struct lya_validity *from, size_t from_source);
/* As bytes, and back (into one that is new). */
void lya_validity_pack(const struct lya_validity *v, struct lya_pack *out);
/* LYA_ENOMEM or 0; what is wrong with the bytes is noted in `in`. */
int lya_validity_unpack(struct lya_validity *v, struct lya_unpack *in);

/* Flows by source: those that show traffic past a first attempt, and of them the one-sided. */
void lya_validity_tcp(const struct lya_validity *v, size_t source, uint64_t *flows,
		      uint64_t *one_sided);

/* What was measured in a source so far. */
void lya_validity_measures(const struct lya_validity *v, size_t source,
			   struct lya_source_measures *out);

/*
 * The time between the first packet of all and the last that no source covers, and in which
 * those that do were silent (see lya_source_measures.gaps).  before_ns, when not NULL, has an
 * entry of zero for each source: what lies before it uncovered is entered there.
 */
int lya_validity_holes(const struct lya_validity *v, const struct lya_source *sources, size_t n,
		       uint64_t *before_ns, uint64_t *unseen_ns, struct lya_error *err);

/*
 * The limits of this audit, by kind, then place; freed with lya_limits_free.
 * measures has one entry per source; it, forgotten and judged may be NULL.
 */
int lya_validity_limits(const struct lya_validity *v, const struct lya_source *sources,
			size_t n_sources, const struct lya_source_measures *measures,
			const struct lya_flow_stats *flows,
			const struct lya_forgotten *forgotten, const struct lya_judged *judged,
			struct lya_limit **list, size_t *n, struct lya_error *err);
void lya_limits_free(struct lya_limit *list, size_t n);

#endif
