/*
 * judge.c - flows that ended, judged and entered in the ledger.
 */
#include "audit/judge.h"

#include "audit/details.h"
#include "audit/listeners.h"
#include "lyncaudit/alloc.h"

enum {
	/* Of the memory: one part in so many. */
	LISTENERS_PART = 32,
	DETAILS_PART = 64,
	LEDGER_PART = 4,
	/* Where one flow in ten shows one direction only, the mirror is lame. */
	ONE_SIDED_PART = 10
};

struct audit_judge {
	const struct lya_policy *policy;
	const struct lya_snat *snat;
	struct lya_audit_options options;
	struct lya_policy_memo *memo;
	struct audit_listeners *listeners;
	struct audit_details *details;
	struct lya_ledger *ledger;
	struct lya_validity *validity;
	struct lya_site_fault *faults;
	size_t n_faults;
	bool listeners_known; /* all there will be */
};

static int make_parts(struct audit_judge *j, struct lya_error *err)
{
	size_t memory = j->options.max_memory;
	struct lya_ledger_options ledger_options = {
		.max_bytes = memory / LEDGER_PART,
		.on_new = j->options.on_finding,
		.ctx = j->options.ctx,
	};
	int rc;

	j->memo = lya_policy_memo_new(j->policy);
	j->listeners = audit_listeners_new(memory / LISTENERS_PART);
	j->details = audit_details_new(j->policy, memory / DETAILS_PART);
	if (j->memo == NULL || j->listeners == NULL || j->details == NULL)
		return lya_error_nomem(err);
	rc = lya_site_check(lya_policy_site(j->policy), &j->faults, &j->n_faults, err);
	if (rc == LYA_OK)
		rc = lya_validity_new(&j->validity, err);
	return rc < 0 ? rc : lya_ledger_new(&j->ledger, j->policy, &ledger_options, err);
}

int audit_judge_new(struct audit_judge **result, const struct lya_policy *policy,
		    const struct lya_audit_options *options, const struct lya_snat *snat,
		    struct lya_error *err)
{
	struct audit_judge *j = lya_calloc(1, sizeof(*j));
	int rc;

	if (j == NULL)
		return lya_error_nomem(err);
	j->policy = policy;
	j->snat = snat;
	j->options = *options;
	rc = make_parts(j, err);
	if (rc < 0) {
		audit_judge_free(j);
		return rc;
	}
	*result = j;
	return LYA_OK;
}

void audit_judge_free(struct audit_judge *j)
{
	if (j == NULL)
		return;
	lya_ledger_free(j->ledger);
	lya_validity_free(j->validity);
	lya_site_faults_free(j->faults, j->n_faults);
	audit_listeners_free(j->listeners);
	audit_details_free(j->details);
	lya_policy_memo_free(j->memo);
	lya_free(j);
}

/* A side that is a known listener helps only a flow that shows nothing itself. */
static int known_side(const struct audit_judge *j, const struct lya_flow *flow)
{
	if (flow->unknown != LYA_UNKNOWN_NOT || flow->syn_side >= 0 || flow->synack_side >= 0)
		return -1;
	return audit_listeners_side(j->listeners, flow);
}

/*
 * Judge a flow, with what is known of its other leg where it has one.  *flow
 * may then be *joined; the verdict borrows *evidence.
 */
static int judge(struct audit_judge *j, const struct lya_flow **flow, struct lya_flow *joined,
		 const struct lya_policy_end ends[static 2],
		 const struct lya_snat_evidence *found, struct lya_snat_evidence *evidence,
		 struct lya_verdict *verdict)
{
	int server = audit_details_expected(j->details, *flow), rc;
	bool known = lya_snat_flow(j->snat, *flow, ends, found, evidence);
	int32_t shown;

	if (known) {
		*joined = **flow;
		lya_snat_join(evidence, joined);
		*flow = joined;
	}
	lya_policy_judge(j->policy, j->memo, *flow, ends, known_side(j, *flow), verdict);
	if (server >= 0)
		lya_policy_expect(j->policy, j->memo, *flow, ends, server, verdict);
	lya_policy_inspect(j->policy, *flow, ends, verdict);
	rc = audit_details_shown(j->details, *flow, &shown);
	verdict->payload.shown = shown + 1;
	if (known || verdict->finding == LYA_FINDING_AV_EDGE_SNAT)
		lya_snat_judge(evidence, *flow, verdict);
	return rc;
}

int audit_judge_flow(struct audit_judge *j, const struct lya_flow *flow,
		     const struct lya_snat_evidence *found)
{
	struct lya_flow joined;
	struct lya_snat_evidence evidence;
	struct lya_policy_end ends[2];
	struct lya_verdict verdict;
	struct lya_flow_findings findings = { 0 };
	struct lya_audit_flow told = { flow, ends, &verdict, &findings };
	int rc = j->listeners_known ? 0 : audit_listeners_note(j->listeners, flow);

	lya_policy_end_of(j->policy, &flow->addr[0], &ends[0]);
	lya_policy_end_of(j->policy, &flow->addr[1], &ends[1]);
	if (rc == 0)
		rc = lya_validity_take(j->validity, flow);
	if (rc != 0)
		return rc;
	rc = judge(j, &flow, &joined, ends, found, &evidence, &verdict);
	told.flow = flow;
	if (rc == 0)
		rc = lya_ledger_take(j->ledger, flow, ends, &verdict, &findings);
	if (rc != 0 || j->options.on_flow == NULL)
		return rc;
	return j->options.on_flow(j->options.ctx, &told);
}

int audit_judge_listener(struct audit_judge *j, const struct lya_flow *flow)
{
	return audit_listeners_note(j->listeners, flow);
}

void audit_judge_listeners_known(struct audit_judge *j)
{
	j->listeners_known = true;
}

int audit_judge_detail(struct audit_judge *j, const struct lya_flow_detail *detail)
{
	return audit_details_take(j->details, detail);
}

const struct lya_validity *audit_judge_validity(const struct audit_judge *j)
{
	return j->validity;
}

/* What the ledger must know of the sources: where silence proves nothing. */
static int tell_sources(const struct lya_validity *validity, const struct lya_source *sources,
			size_t n_sources, struct lya_ledger_source **out, struct lya_error *err)
{
	*out = lya_calloc(n_sources + 1, sizeof(**out));
	if (*out == NULL)
		return lya_error_nomem(err);
	for (size_t i = 0; i < n_sources; i++) {
		uint64_t flows, one_sided;

		lya_validity_tcp(validity, i, &flows, &one_sided);
		(*out)[i].one_sided = one_sided > flows / ONE_SIDED_PART;
		(*out)[i].last_ns = sources[i].last_ns;
	}
	return LYA_OK;
}

int audit_judge_finish(struct audit_judge *j, const struct lya_validity *validity,
		       const struct lya_audit_counts *counts, const struct lya_source *sources,
		       size_t n_sources, struct lya_error *err)
{
	struct lya_ledger_end end = { .first_ns = counts->first_ns, .last_ns = counts->last_ns,
				      .faults = j->faults, .n_faults = j->n_faults,
				      .n_sources = n_sources };
	struct lya_ledger_source *told;
	int rc = tell_sources(validity, sources, n_sources, &told, err);

	if (rc != LYA_OK)
		return rc;
	end.sources = told;
	rc = lya_ledger_finish(j->ledger, &end, err);
	lya_free(told);
	return rc;
}

const struct lya_ledger *audit_judge_ledger(const struct audit_judge *j)
{
	return j->ledger;
}
