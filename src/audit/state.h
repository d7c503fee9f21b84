/*
 * state.h - the audit's own state, as its files see it.
 *
 *	audit.c   frames into flows, flows into the ledger
 *	pass.c    parts of evidence, for an audit without end
 *	reload.c  another policy
 */
#ifndef LYNCAUDIT_SRC_AUDIT_STATE_H
#define LYNCAUDIT_SRC_AUDIT_STATE_H

#include "audit/follow.h"
#include "audit/judge.h"
#include "audit/relay.h"
#include "lyncaudit/audit.h"

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
	struct audit_follow *follow;
	struct audit_judge *judge;
	struct audit_relay *relay; /* NULL: all in the caller's thread */
	struct lya_audit_counts counts;
	struct lya_limit *limits;
	size_t n_limits;
	/* Without end: */
	const struct lya_policy *policy;
	struct lya_audit_options options;
	struct lya_minutes *minutes;
	struct lya_evidence_room *room; /* NULL: no packets are kept */
	struct lya_evidence *packets;   /* of the flows that minutes and ledger have */
	struct audit_source *sources;
	size_t n_sources, cap_sources;
	struct lya_flow_stats stretch_stats; /* as they were when it began */
	struct lya_reasm_stats stretch_reasm;
	struct lya_forgotten stretch_forgotten;
	struct audit_pass pass;
	struct lya_packet batch[AUDIT_BATCH];
};

/* audit.c: add what reasm counted since the stretch began. */
void audit_count_reasm(const struct lya_audit *a, struct lya_audit_counts *counts);

/* tally.c: what became of the flows that were entered; ledger may be NULL. */
struct lya_judged audit_judged_of(const struct lya_ledger *ledger);

/* What the flow table answered: its own failure, or what a callback said. */
int audit_tell_failure(int rc, struct lya_error *err);

/* With threads: wait until all that was taken is judged.  0, or why there is no use in going on. */
int audit_settle(const struct lya_audit *a);
/* No more frames: every flow ends and is judged.  As above. */
int audit_finish_flows(struct lya_audit *a);

/* pass.c: a flow has ended, its shares, gains and packets go where they belong. */
int audit_pass_flow(struct lya_audit *a, const struct lya_flow *flow,
		    const struct lya_snat_evidence *found, struct lya_trail_flow kept);
int audit_pass_init(struct lya_audit *a, const struct lya_policy *policy,
		    const struct lya_audit_options *options, struct lya_error *err);
void audit_pass_fini(struct lya_audit *a);
int audit_note_sources(struct lya_audit *a, const struct lya_frame *frames, size_t n,
		       const struct lya_batch *batch);
/* A source of a tally, whether there is one of that name or not: its number, or LYA_ENOMEM. */
int audit_push_source(struct lya_tally *t, const char *name, const char *kind);
/* The counts of a stretch, which ends with `over`. */
int audit_make_tally(struct lya_audit *a, const struct lya_source *sources, size_t n_sources,
		     bool over, struct lya_tally **out, struct lya_error *err);
/* The end of a stretch: what is not handed over yet becomes *part, without its open flows. */
int audit_close_stretch(struct lya_audit *a, const struct lya_source *sources, size_t n_sources,
			struct lya_audit_part *part, struct lya_error *err);
/* It is not to be: the stretch goes on with what *part holds, which is empty then. */
void audit_reopen_stretch(struct lya_audit *a, struct lya_audit_part *part);

#endif
