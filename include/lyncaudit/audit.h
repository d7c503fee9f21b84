/*
 * audit.h - the pipeline: frames in, judged flows and a ledger out.
 *
 * Owns the decoder's counters, the flow table, the memory of known listeners
 * and the ledger, and shares the configured memory among them.  Reads no
 * clock and writes no file: who runs it gets every ended flow by callback and
 * writes the report from what is left at the end.
 *
 * An audit without end is `continuous`: it hands over its evidence part by part, see
 * below.
 */
#ifndef LYNCAUDIT_AUDIT_H
#define LYNCAUDIT_AUDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lyncaudit/capture.h"
#include "lyncaudit/decode.h"
#include "lyncaudit/evidence.h"
#include "lyncaudit/finding.h"
#include "lyncaudit/flow.h"
#include "lyncaudit/minutes.h"
#include "lyncaudit/policy.h"
#include "lyncaudit/snat.h"
#include "lyncaudit/status.h"
#include "lyncaudit/tally.h"
#include "lyncaudit/validity.h"

/* A flow that has ended, with everything that was found of it; borrowed. */
struct lya_audit_flow {
	const struct lya_policy *policy; /* that it was judged by */
	const struct lya_flow *flow;
	const struct lya_policy_end *ends; /* two, by side */
	const struct lya_verdict *verdict;
	const struct lya_flow_findings *findings;
};

struct lya_audit_options {
	size_t max_memory;  /* cap for all state, bytes; 0: 1 GiB */
	size_t max_flows;   /* 0: what max_memory allows */
	unsigned threads;   /* 0 and 1: the caller's alone; more than three are not used */
	bool evidence;      /* keep packets that prove findings */
	/*
	 * What is found is handed over in parts, see below: lya_audit_finish, lya_audit_evidence
	 * and on_finding are not for that.
	 */
	bool continuous;
	/*
	 * Called for every ended flow, in order of end and from one thread at a time; a negative
	 * answer stops.  May be NULL.
	 */
	int (*on_flow)(void *ctx, const struct lya_audit_flow *flow);
	/* Called when a finding begins (see lya_ledger_options).  May be NULL. */
	int (*on_finding)(void *ctx, const struct lya_finding *finding);
	/* The name of a source, by which the site says where it stands.  May be NULL. */
	const char *(*source_name)(void *ctx, uint32_t source);
	void *ctx;
};

enum {
	LYA_AUDIT_MEMORY = 1024 * 1024 * 1024,
	/* Of the cap, one part in so many is left to who reads the captures. */
	LYA_AUDIT_CAPTURE_PART = 7,
	/* With threads: the calls of lya_audit_take for which frames must stay where they are. */
	LYA_AUDIT_HOLD = 16
};

struct lya_audit;

/* policy must outlive the audit. */
int lya_audit_new(struct lya_audit **a, const struct lya_policy *policy,
                  const struct lya_audit_options *options, struct lya_error *err);
void lya_audit_free(struct lya_audit *a);

/*
 * Take n frames in order of time.  They are not kept; with threads their bytes must
 * stay until LYA_AUDIT_HOLD further calls have returned, or the finish.
 */
int lya_audit_take(struct lya_audit *a, const struct lya_frame *frames, size_t n,
                   struct lya_error *err);

/* With threads: wait until all frames are followed and judged, and need not stay any more. */
int lya_audit_settle(struct lya_audit *a, struct lya_error *err);

/*
 * All frames are in: end every flow and finish the ledger.  sources are what
 * the capture knows of them (borrowed for the call).
 */
int lya_audit_finish(struct lya_audit *a, const struct lya_source *sources, size_t n_sources,
                     struct lya_error *err);

/* After lya_audit_finish. */
const struct lya_ledger *lya_audit_ledger(const struct lya_audit *a);
const struct lya_limit *lya_audit_limits(const struct lya_audit *a, size_t *n);
void lya_audit_counts(const struct lya_audit *a, struct lya_audit_counts *out);
/*
 * Write the packets that prove the findings (lya_evidence_write); only with
 * options.evidence, and after lya_audit_finish with the same sources.
 */
int lya_audit_evidence(const struct lya_audit *a, const struct lya_source *sources,
		       size_t n_sources, struct lya_output *out,
		       struct lya_finding_packets *counts, struct lya_finding_packets *total,
		       struct lya_error *err);
/* Of address rewriting in front of the A/V Edge; after lya_audit_finish. */
const struct lya_snat *lya_audit_snat(const struct lya_audit *a);
void lya_audit_flow_stats(const struct lya_audit *a, struct lya_flow_stats *out);

/*
 * Without end ---------------------------------------------------------------------------
 *
 * Evidence is handed over in parts.  A pass over the open flows, in slices between calls of
 * lya_audit_take, makes one:
 *
 *	lya_audit_pass_begin(a, LYA_PASS_CHECKPOINT, ...);
 *	while (!done)
 *		lya_audit_pass_step(a, 1024, &done, ...);
 *	lya_audit_pass_end(a, &part);
 *
 * The ended flows of all parts of a stretch, with the open flows and the tally of its last
 * part, are its evidence as it was when that pass began: a flow that ended before counts as
 * ended, one that was open then counts as open, as it stood when the pass came by, and no
 * flow counts twice.  Payload under inspection is left alone: as much of it counts as is
 * recognised.
 *
 * LYA_PASS_PERIOD ends a period with the packets taken so far: its part has no open flows,
 * each gives its share to `ended` for good, and goes on into the next period as one flow
 * more of it.  What happens during the pass belongs to the next period.
 *
 * lya_audit_reload begins a stretch under another policy: its part has no open flows either,
 * but these give nothing and will be judged by the new policy.
 */
/* The bound of each ledger of a continuous audit with that cap; for those that join them. */
size_t lya_audit_ledger_bytes(size_t max_memory);

struct lya_audit_part {
	struct lya_ledger *ended;     /* flows that ended since the part before */
	struct lya_ledger *open;      /* flows that were open; NULL: the stretch is over */
	struct lya_tally *tally;      /* everything else, since the stretch began */
	struct lya_minutes *minutes;  /* what all flows gained since the part before */
	uint64_t open_flows;
	/* With `evidence` packets of the flows that ended and, for a report, of the open ones. */
	struct lya_evidence *packets, *open_packets; /* NULL: there are none */
};

void lya_audit_part_fini(struct lya_audit_part *part); /* before the audit is freed */

/* LYA_PASS_REPORT: a checkpoint that brings the packets of open flows, too. */
enum lya_audit_pass { LYA_PASS_CHECKPOINT, LYA_PASS_REPORT, LYA_PASS_PERIOD };

/*
 * Begin a pass.  A checkpoint that is under way is given up, and what it would have handed
 * over comes with this one; a period's pass must not be under way.  time_ns: where the
 * next period begins, for LYA_PASS_PERIOD.  sources: counters since the capture began
 * (borrowed for the call).
 */
int lya_audit_pass_begin(struct lya_audit *a, enum lya_audit_pass pass, int64_t time_ns,
			 const struct lya_source *sources, size_t n_sources,
			 struct lya_error *err);
/* Visit at most max_flows open flows; *done: there are no more. */
int lya_audit_pass_step(struct lya_audit *a, size_t max_flows, bool *done, struct lya_error *err);
/* The part that is done; the caller's to release.  Flows that end from now on are in the next. */
int lya_audit_pass_end(struct lya_audit *a, struct lya_audit_part *part, struct lya_error *err);

/*
 * Judge by `policy`, which must outlive the audit, from now on; the one before is needed by
 * *part and what it holds alone.  No period's pass may be under way.  LYA_EUSAGE: the new
 * site wants VLANs in the key and the old one did not, or the other way round.
 */
int lya_audit_reload(struct lya_audit *a, const struct lya_policy *policy,
		     const struct lya_source *sources, size_t n_sources,
		     struct lya_audit_part *part, struct lya_error *err);

/* The end after all: every flow ends, and *part is the last. */
int lya_audit_stop(struct lya_audit *a, const struct lya_source *sources, size_t n_sources,
		   struct lya_audit_part *part, struct lya_error *err);

#endif
