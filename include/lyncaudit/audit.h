/*
 * audit.h - the pipeline: frames in, judged flows and a ledger out.
 *
 * Owns the decoder's counters, the flow table, the memory of known listeners
 * and the ledger, and shares the configured memory among them.  Reads no
 * clock and writes no file: who runs it gets every ended flow by callback and
 * writes the report from what is left at the end.
 */
#ifndef LYNCAUDIT_AUDIT_H
#define LYNCAUDIT_AUDIT_H

#include <stddef.h>
#include <stdint.h>

#include "lyncaudit/capture.h"
#include "lyncaudit/decode.h"
#include "lyncaudit/finding.h"
#include "lyncaudit/flow.h"
#include "lyncaudit/policy.h"
#include "lyncaudit/snat.h"
#include "lyncaudit/status.h"
#include "lyncaudit/validity.h"

/* A flow that has ended, with everything that was found of it; borrowed. */
struct lya_audit_flow {
	const struct lya_flow *flow;
	const struct lya_policy_end *ends; /* two, by side */
	const struct lya_verdict *verdict;
	const struct lya_flow_findings *findings;
};

struct lya_audit_options {
	size_t max_memory;  /* cap for all state, bytes; 0: 1 GiB */
	size_t max_flows;   /* 0: what max_memory allows */
	unsigned threads;   /* 0 and 1: the caller's alone; more than three are not used */
	/* Called for every ended flow, in order of end and from one thread at a time; a negative answer stops.  May be NULL. */
	int (*on_flow)(void *ctx, const struct lya_audit_flow *flow);
	/* Called when a finding begins (see lya_ledger_options).  May be NULL. */
	int (*on_finding)(void *ctx, const struct lya_finding *finding);
	/* The name of a source, by which the site says where it stands.  May be NULL. */
	const char *(*source_name)(void *ctx, uint32_t source);
	void *ctx;
};

/* What the decoder and the readers counted. */
struct lya_audit_counts {
	uint64_t packets, bytes;   /* of all sources; bytes on the wire */
	int64_t first_ns, last_ns; /* LYA_TIME_NONE without packets */
	uint64_t not_ip;
	uint64_t not_tcp_udp;
	uint64_t events[LYA_EV_COUNT]; /* packets with each event */
	uint64_t duplicates;
};

enum {
	LYA_AUDIT_MEMORY = 1024 * 1024 * 1024,
	/* Of the cap, one part in so many is left to who reads the captures. */
	LYA_AUDIT_CAPTURE_PART = 7,
	/* With threads: the calls of lya_audit_take for which frames must stay where they are. */
	LYA_AUDIT_HOLD = 4
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
/* Of address rewriting in front of the A/V Edge; after lya_audit_finish. */
const struct lya_snat *lya_audit_snat(const struct lya_audit *a);
void lya_audit_flow_stats(const struct lya_audit *a, struct lya_flow_stats *out);

#endif
