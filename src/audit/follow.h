/*
 * follow.h - the middle stage of the pipeline: decoded packets in, ended flows out.
 *
 * Everything that must see the packets in order: fragments, the other legs of rewritten
 * conversations, the flow table.
 */
#ifndef LYNCAUDIT_SRC_AUDIT_FOLLOW_H
#define LYNCAUDIT_SRC_AUDIT_FOLLOW_H

#include "lyncaudit/audit.h"
#include "lyncaudit/reasm.h"
#include "lyncaudit/snat.h"
#include "lyncaudit/validity.h"

enum { AUDIT_BATCH = LYA_SNAT_BATCH }; /* packets taken at a time: they stay in the first caches */

/*
 * Who is told, in order; all is borrowed for the call.  An answer other than 0 stops,
 * and is what is answered to who called.
 */
struct audit_sink {
	void *ctx;
	/*
	 * A flow has ended; found: what its other leg showed until then, or NULL.  What was
	 * kept of its packets is the sink's, whatever it answers.
	 */
	int (*flow)(void *ctx, const struct lya_flow *flow, const struct lya_snat_evidence *found,
		    struct lya_trail_flow kept);
	/* No more packets: every flow that is left, before the first of them ends; then that. */
	int (*listener)(void *ctx, const struct lya_flow *flow);
	int (*listeners_known)(void *ctx);
	int (*detail)(void *ctx, const struct lya_flow_detail *detail);
};

struct audit_follow;

/* policy is borrowed. */
int audit_follow_new(struct audit_follow **f, const struct lya_policy *policy,
		     const struct lya_audit_options *options, const struct audit_sink *sink,
		     struct lya_error *err);
void audit_follow_free(struct audit_follow *f);

/*
 * Take n packets, at most AUDIT_BATCH, in order of time, whose second sightings are marked
 * (audit_follow_reasm), and what is known of them together.  Their bytes are not kept.
 * 0, LYA_ENOMEM, or what the sink answered.
 */
int audit_follow_take(struct audit_follow *f, struct lya_packet *pkts, size_t n,
		      const struct lya_batch *batch);
/* No more packets: end every flow. */
int audit_follow_finish(struct audit_follow *f);
/*
 * Go on under another policy, of which snat was made, and memo for the trail (NULL where there
 * is none): evidence that flows carry goes along.
 */
void audit_follow_rebase(struct audit_follow *f, const struct lya_policy *policy,
			 struct lya_snat *snat, struct lya_policy_memo *memo);
/* snat for a policy.  observer: the struct audit_follow that keeps packets, where it does. */
int audit_follow_make_snat(const struct lya_policy *policy, const struct lya_audit_options *options,
			   void *observer, struct lya_snat **snat, struct lya_error *err);

/* Borrowed. */
struct lya_snat *audit_follow_snat(struct audit_follow *f);
/* What the packets tell of the sources. */
struct lya_validity *audit_follow_validity(struct audit_follow *f);
struct lya_reasm *audit_follow_reasm(struct audit_follow *f);
struct lya_flow_table *audit_follow_flows(struct audit_follow *f);
struct lya_trail *audit_follow_trail(struct audit_follow *f); /* NULL: no packets are kept */
void audit_follow_stats(const struct audit_follow *f, struct lya_flow_stats *out);
/* What was let go for want of room. */
void audit_follow_forgotten(const struct audit_follow *f, struct lya_forgotten *out);

#endif
