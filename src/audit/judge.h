/*
 * judge.h - the last stage of the pipeline: flows that ended are judged and entered.
 *
 * It knows flows and what was found of them, and neither packets nor the flow
 * table: those go on meanwhile.
 */
#ifndef LYNCAUDIT_SRC_AUDIT_JUDGE_H
#define LYNCAUDIT_SRC_AUDIT_JUDGE_H

#include "lyncaudit/audit.h"
#include "lyncaudit/validity.h"

struct audit_judge;

/* A flow that was judged; it borrows from itself. */
struct audit_judged {
	const struct lya_flow *flow; /* may be `joined`: with what its other leg shows */
	struct lya_flow joined;
	struct lya_snat_evidence evidence;
	struct lya_policy_end ends[2];
	struct lya_verdict verdict;
};

/* policy and snat are borrowed, snat for what never changes in it. */
int audit_judge_new(struct audit_judge **j, const struct lya_policy *policy,
		    const struct lya_audit_options *options, const struct lya_snat *snat,
		    struct lya_error *err);
void audit_judge_free(struct audit_judge *j);

/*
 * One conversation is over: judge it and enter it.  found is what its other
 * leg showed (lya_snat_found), or NULL; what was kept of its packets is taken in any
 * case.  0, LYA_ENOMEM, or what the callback answered.
 */
int audit_judge_flow(struct audit_judge *j, const struct lya_flow *flow,
		     const struct lya_snat_evidence *found, struct lya_trail_flow kept);
/* Judge a flow as it stands, and enter it nowhere.  LYA_ENOMEM or 0. */
int audit_judge_as(struct audit_judge *j, const struct lya_flow *flow,
		   const struct lya_snat_evidence *found, struct audit_judged *out);
/* A flow goes on, and shows who listens.  0 or LYA_ENOMEM, as below. */
int audit_judge_listener(struct audit_judge *j, const struct lya_flow *flow);
/* All flows that are left were shown: no ending one shows another listener. */
void audit_judge_listeners_known(struct audit_judge *j);
/* What a payload says while its flow goes on. */
int audit_judge_detail(struct audit_judge *j, const struct lya_flow_detail *detail);

/* What the flows that ended tell of the sources. */
struct lya_validity *audit_judge_validity(const struct audit_judge *j);
/* Listeners, ports and names that were not learnt for want of room. */
uint64_t audit_judge_forgotten(const struct audit_judge *j);
/* No more flows: finish the ledger.  validity: of all stages. */
int audit_judge_finish(struct audit_judge *j, const struct lya_validity *validity,
		       const struct lya_audit_counts *counts, const struct lya_source *sources,
		       size_t n_sources, struct lya_error *err);
/* After that; or before, where evidence is handed over in parts. */
struct lya_ledger *audit_judge_ledger(const struct audit_judge *j);
/* What flows are entered in from now on.  Answers the one before, which is the caller's. */
struct lya_ledger *audit_judge_put_ledger(struct audit_judge *j, struct lya_ledger *ledger);
struct lya_ledger_options audit_judge_ledger_options(const struct lya_audit_options *options);
/* What details told so far is known.  LYA_ENOMEM or 0. */
int audit_judge_settle(struct audit_judge *j);
/* After that: go on under another policy, with memo for it, which is taken over. */
void audit_judge_rebase(struct audit_judge *j, const struct lya_policy *policy,
		       const struct lya_snat *snat, struct lya_policy_memo *memo);
const struct lya_evidence *audit_judge_evidence(const struct audit_judge *j); /* NULL: none is kept */
/* Bytes of packets of flows that ended, with that cap. */
size_t audit_evidence_bytes(size_t max_memory);

#endif
