/*
 * state.h - the audit's own state, as its files see it.
 *
 *	audit.c   frames into flows, flows into the ledger
 *	pass.c    parts of evidence, for an audit without end
 *	reload.c  another policy
 */
#ifndef LYNCAUDIT_SRC_AUDIT_STATE_H
#define LYNCAUDIT_SRC_AUDIT_STATE_H

#include "audit/details.h"
#include "audit/listeners.h"
#include "lyncaudit/audit.h"
#include "lyncaudit/reasm.h"

enum {
	AUDIT_BATCH = LYA_SNAT_BATCH /* packets taken at a time: they stay in the first caches */
};

/* What a source gave since a stretch began, and where its own counters were then. */
struct audit_source {
	uint64_t packets, bytes;
	int64_t first_ns, last_ns;                       /* LYA_TIME_NONE: nothing */
	uint64_t dropped, snapped, steps_back, filtered; /* then */
};

/* A pass over the open flows that is under way. */
struct audit_pass {
	bool running, done;
	enum lya_audit_pass kind;
	uint32_t place; /* the first that is not visited yet */
	struct lya_audit_part part;
};

struct lya_audit {
	const struct lya_policy *policy;
	struct lya_policy_memo *memo;
	struct lya_audit_options options;
	struct lya_reasm *reasm;
	struct lya_flow_table *flows;
	struct audit_listeners *listeners;
	struct audit_details *details;
	struct lya_snat *snat;
	struct lya_ledger *ledger;
	struct lya_validity *validity;
	struct lya_limit *limits;
	size_t n_limits;
	struct lya_site_fault *faults;
	size_t n_faults;
	struct lya_audit_counts counts;
	bool listeners_known; /* all there will be */
	/* Without end: */
	struct lya_minutes *minutes;
	struct audit_source *sources;
	size_t n_sources, cap_sources;
	struct lya_flow_stats stretch_stats; /* as they were when it began */
	uint64_t stretch_duplicates;
	struct audit_pass pass;
	struct lya_packet batch[AUDIT_BATCH];
};

/* A flow that was judged; it borrows from itself. */
struct audit_judged {
	const struct lya_flow *flow; /* may be `joined` */
	struct lya_flow joined;
	struct lya_snat_evidence evidence;
	struct lya_policy_end ends[2];
	struct lya_verdict verdict;
};

/* Judge a flow as it stands.  LYA_ENOMEM or 0. */
int audit_judge(struct lya_audit *a, const struct lya_flow *flow, struct audit_judged *out);
/* All flows end.  What a callback answered, or LYA_ENOMEM. */
int audit_end_flows(struct lya_audit *a);
int audit_flush_packets(struct lya_audit *a);
/* What the flow table answered: its own failure, or what a callback said. */
int audit_tell_failure(int rc, struct lya_error *err);
struct lya_ledger_options audit_ledger_options(const struct lya_audit *a);
struct lya_snat_options audit_snat_options(const struct lya_audit *a);

/* pass.c: an ended flow's shares and gains go where they belong. */
int audit_take_share(struct lya_audit *a, struct audit_judged *j,
		     struct lya_flow_findings *findings);
int audit_note_sources(struct lya_audit *a, const struct lya_frame *frames, size_t n,
		       const struct lya_batch *batch);
/* A source of a tally, whether there is one of that name or not: its number, or LYA_ENOMEM. */
int audit_push_source(struct lya_tally *t, const char *name, const char *kind);
/* The counts of a stretch, which ends with `over`. */
int audit_make_tally(struct lya_audit *a, const struct lya_source *sources, size_t n_sources,
		     bool over, struct lya_tally **out, struct lya_error *err);
/* The end of a stretch: what is not handed over yet becomes *part, without its open flows. */
int audit_close_stretch(struct lya_audit *a, struct lya_audit_part *part, struct lya_error *err);

#endif
