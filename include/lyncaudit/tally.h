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
#include "lyncaudit/flow.h"
#include "lyncaudit/pack.h"
#include "lyncaudit/reasm.h"
#include "lyncaudit/report.h"
#include "lyncaudit/snat.h"
#include "lyncaudit/status.h"
#include "lyncaudit/validity.h"

/* What the decoder and the readers counted. */
struct lya_audit_counts {
	uint64_t packets, bytes;   /* of all sources; bytes on the wire */
	int64_t first_ns, last_ns; /* LYA_TIME_NONE without packets */
	uint64_t not_ip;
	uint64_t not_tcp_udp;
	uint64_t events[LYA_EV_COUNT]; /* packets with each event */
	uint64_t duplicates;
};

struct lya_tally {
	struct lya_audit_counts counts;
	struct lya_source *sources; /* names and errors are owned */
	size_t n_sources, cap_sources;
	struct lya_validity *validity; /* by number in sources */
	struct lya_clock_offset *clocks;
	size_t n_clocks, cap_clocks;
	struct lya_flow_stats flows; /* flows, evicted, given_up, details_lost */
	struct lya_report_snat snat; /* pairs are owned: those with a count, by address */
};

int lya_tally_new(struct lya_tally **t, struct lya_error *err);
void lya_tally_free(struct lya_tally *t);

/*
 * Add what `from` holds.  A source that is known by name and kind goes on, others are new:
 * map (room for from->n_sources entries) gets the number of each here.
 */
int lya_tally_merge(struct lya_tally *t, const struct lya_tally *from, uint32_t *map,
		    struct lya_error *err);

int lya_tally_pack(const struct lya_tally *t, struct lya_pack *out);
/* The same again; LYA_EINPUT for bytes that are none. */
int lya_tally_unpack(struct lya_tally **t, const void *data, size_t len, struct lya_error *err);

#endif
