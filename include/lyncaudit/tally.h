/*
 * tally.h - what an audit counts besides its ledger, as sums that can be joined.
 *
 * The tallies of all stretches of a period make the tally of the period, in any order.
 */
#ifndef LYNCAUDIT_TALLY_H
#define LYNCAUDIT_TALLY_H

#include <stddef.h>
#include <stdint.h>

#include "lyncaudit/capture.h"
#include "lyncaudit/decode.h"
#include "lyncaudit/finding.h"
#include "lyncaudit/flow.h"
#include "lyncaudit/pack.h"
#include "lyncaudit/reasm.h"
#include "lyncaudit/report.h"
#include "lyncaudit/snat.h"
#include "lyncaudit/status.h"
#include "lyncaudit/validity.h"

enum { LYA_TALLY_SOURCES = 4096 }; /* interfaces, rings and files: more is no sensor */

/* What the decoder and the readers counted. */
struct lya_audit_counts {
	uint64_t packets, bytes;   /* of all sources; bytes on the wire */
	int64_t first_ns, last_ns; /* LYA_TIME_NONE without packets */
	uint64_t not_ip;
	uint64_t not_tcp_udp;
	uint64_t events[LYA_EV_COUNT]; /* packets with each event */
	uint64_t duplicates;
};

/* Counts of SNAT evidence in front of the A/V Edge. */
struct lya_tally_snat {
	struct lya_snat_sums all;
	uint64_t unpaired, dropped;
	struct lya_snat_pair *pairs; /* those with a count, by address; owned */
	size_t n_pairs;
};

struct lya_tally {
	struct lya_audit_counts counts;
	struct lya_source *sources; /* names and errors are owned */
	size_t n_sources, cap_sources;
	struct lya_validity *validity;   /* by number in sources */
	struct lya_clock_offset *clocks; /* one at most of a source; owned */
	size_t n_clocks;
	struct lya_flow_stats flows; /* flows, evicted, given_up, details_lost; others are 0 */
	struct lya_forgotten forgotten; /* its legs are those of snat.dropped, and 0 here */
	struct lya_tally_snat snat;
};

int lya_tally_new(struct lya_tally **t, struct lya_error *err);
void lya_tally_free(struct lya_tally *t);

/* A source of that name and kind, made when there is none: its number, or LYA_ENOMEM. */
int lya_tally_source(struct lya_tally *t, const char *name, const char *kind);

/*
 * Add what `from` holds.  A source that is known by name and kind goes on, others are new:
 * map (room for from->n_sources entries) gets the number of each here.
 */
int lya_tally_merge(struct lya_tally *t, const struct lya_tally *from, uint32_t *map,
		    struct lya_error *err);

int lya_tally_pack(const struct lya_tally *t, struct lya_pack *out);
/* The same again; LYA_EINPUT for bytes that are none. */
int lya_tally_unpack(struct lya_tally **t, const void *data, size_t len, struct lya_error *err);

/* What the ledger must know at its end; *sources is freed with lya_free. */
int lya_tally_end(const struct lya_tally *t, struct lya_ledger_end *end,
		  struct lya_ledger_source **sources, struct lya_error *err);
/*
 * The limits of what was counted, and of what became of its flows in the ledger (may be NULL),
 * freed with lya_limits_free; they borrow names of sources.
 */
int lya_tally_limits(const struct lya_tally *t, const struct lya_ledger *ledger,
		     struct lya_limit **list, size_t *n, struct lya_error *err);
/*
 * Enter sources, totals, flows and SNAT into a report; all of it borrows from t, but *pairs,
 * which is freed with lya_free.
 */
int lya_tally_report(const struct lya_tally *t, const struct lya_site *site,
		     struct lya_report_input *in, struct lya_report_snat_pair **pairs,
		     struct lya_error *err);

#endif
