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
	/*
	 * Without end there are up to six ledgers at a time: flows that ended, flows that are
	 * open, the same of a pass under way, and those who keep them join two more.
	 */
	LEDGERS = 6,
	EVIDENCE_PART = 32, /* see FLOWS_LESS_PART in follow.c */
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
	struct lya_evidence *evidence; /* NULL: no packets are kept */
	struct lya_validity *validity;
	struct lya_site_fault *faults;
	size_t n_faults;
	bool listeners_known; /* all there will be */
};

size_t lya_audit_ledger_bytes(size_t max_memory)
{
	return (max_memory != 0 ? max_memory : (size_t)LYA_AUDIT_MEMORY) / LEDGER_PART / LEDGERS;
}

size_t audit_evidence_bytes(size_t max_memory)
{
	return max_memory / EVIDENCE_PART;
}

struct lya_ledger_options audit_judge_ledger_options(const struct lya_audit_options *o)
{
	if (o->continuous)
		return (struct lya_ledger_options){
			.max_bytes = lya_audit_ledger_bytes(o->max_memory)
		};
	return (struct lya_ledger_options){ .max_bytes = o->max_memory / LEDGER_PART,
					    .on_new = o->on_finding,
					    .ctx = o->ctx };
}

static int make_parts(struct audit_judge *j, struct lya_error *err)
{
	size_t memory = j->options.max_memory;
	struct lya_ledger_options ledger_options = audit_judge_ledger_options(&j->options);
	int rc;

	j->memo = lya_policy_memo_new(j->policy);
	j->listeners = audit_listeners_new(memory / LISTENERS_PART);
	j->details = audit_details_new(j->policy, memory / DETAILS_PART);
	if (j->memo == NULL || j->listeners == NULL || j->details == NULL)
		return lya_error_nomem(err);
	rc = lya_site_check(lya_policy_site(j->policy), &j->faults, &j->n_faults, err);
	if (rc == LYA_OK)
		rc = lya_validity_new(&j->validity, err);
	if (rc == LYA_OK && j->options.evidence && !j->options.continuous)
		rc = lya_evidence_new(&j->evidence, audit_evidence_bytes(memory), err);
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
	lya_evidence_free(j->evidence);
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

/* With what is known of its other leg where it has one. */
int audit_judge_as(struct audit_judge *j, const struct lya_flow *flow,
		   const struct lya_snat_evidence *found, struct audit_judged *out)
{
	int server = audit_details_expected(j->details, flow), rc;
	bool known;
	int32_t shown;

	lya_policy_end_of(j->policy, &flow->addr[0], &out->ends[0]);
	lya_policy_end_of(j->policy, &flow->addr[1], &out->ends[1]);
	known = lya_snat_flow(j->snat, flow, out->ends, found, &out->evidence);
	out->flow = flow;
	if (known) {
		out->joined = *flow;
		lya_snat_join(&out->evidence, &out->joined);
		out->flow = &out->joined;
	}
	lya_policy_judge(j->policy, j->memo, out->flow, out->ends, known_side(j, out->flow),
			 &out->verdict);
	if (server >= 0)
		lya_policy_expect(j->policy, j->memo, out->flow, out->ends, server, &out->verdict);
	lya_policy_inspect(j->policy, out->flow, out->ends, &out->verdict);
	rc = audit_details_shown(j->details, out->flow, &shown);
	out->verdict.payload.shown = shown + 1;
	if (known && !lya_policy_forbids_snat(j->policy))
		lya_snat_forgive(&out->evidence);
	if (known || out->verdict.finding == LYA_FINDING_AV_EDGE_SNAT)
		lya_snat_judge(&out->evidence, out->flow, &out->verdict);
	return rc;
}

/* The ledger has taken the flow: what was kept of it may be evidence. */
static int take_packets(struct audit_judge *j, const struct lya_audit_flow *f,
			struct lya_trail_flow kept)
{
	bool concerned;

	if (j->evidence == NULL)
		return LYA_OK;
	concerned = lya_finding_concerns(j->policy, f->flow, f->ends, f->verdict);
	return lya_evidence_take(j->evidence, j->ledger, f->flow, concerned, kept);
}

static int enter(struct audit_judge *j, const struct lya_flow *flow,
		 const struct lya_snat_evidence *found, struct lya_trail_flow *kept)
{
	struct audit_judged judged;
	struct lya_flow_findings findings = { 0 };
	struct lya_audit_flow told;
	int rc = audit_judge_listener(j, flow);

	if (rc == 0)
		rc = lya_validity_take(j->validity, flow);
	if (rc == 0)
		rc = audit_judge_as(j, flow, found, &judged);
	if (rc != 0)
		return rc;
	told = (struct lya_audit_flow){ j->policy, judged.flow, judged.ends, &judged.verdict,
					&findings };
	rc = lya_ledger_take(j->ledger, judged.flow, judged.ends, &judged.verdict, &findings);
	if (rc == 0) {
		rc = take_packets(j, &told, *kept);
		*kept = (struct lya_trail_flow){ 0 };
	}
	if (rc != 0 || j->options.on_flow == NULL)
		return rc;
	return j->options.on_flow(j->options.ctx, &told);
}

int audit_judge_flow(struct audit_judge *j, const struct lya_flow *flow,
		     const struct lya_snat_evidence *found, struct lya_trail_flow kept)
{
	int rc = enter(j, flow, found, &kept);

	if (j->evidence != NULL) { /* what was not taken, for it did not come to that */
		lya_packets_free(kept.first);
		lya_packets_free(kept.legs);
	}
	return rc;
}

int audit_judge_listener(struct audit_judge *j, const struct lya_flow *flow)
{
	return j->listeners_known ? 0 : audit_listeners_note(j->listeners, flow);
}

void audit_judge_listeners_known(struct audit_judge *j)
{
	j->listeners_known = true;
}

int audit_judge_detail(struct audit_judge *j, const struct lya_flow_detail *detail)
{
	return audit_details_take(j->details, detail);
}

struct lya_validity *audit_judge_validity(const struct audit_judge *j)
{
	return j->validity;
}

uint64_t audit_judge_forgotten(const struct audit_judge *j)
{
	return audit_listeners_lost(j->listeners) + audit_details_lost(j->details);
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
	int rc = lya_validity_holes(validity, sources, n_sources, NULL, &end.unseen_ns, err);

	if (rc == LYA_OK)
		rc = tell_sources(validity, sources, n_sources, &told, err);
	if (rc != LYA_OK)
		return rc;
	for (size_t i = 0; i < n_sources; i++)
		end.filtered = end.filtered || lya_source_filtered(&sources[i]);
	end.sources = told;
	rc = lya_ledger_finish(j->ledger, &end, err);
	lya_free(told);
	return rc;
}

struct lya_ledger *audit_judge_ledger(const struct audit_judge *j)
{
	return j->ledger;
}

struct lya_ledger *audit_judge_put_ledger(struct audit_judge *j, struct lya_ledger *ledger)
{
	struct lya_ledger *before = j->ledger;

	j->ledger = ledger;
	return before;
}

int audit_judge_settle(struct audit_judge *j)
{
	return audit_details_settle(j->details);
}

void audit_judge_rebase(struct audit_judge *j, const struct lya_policy *policy,
		       const struct lya_snat *snat, struct lya_policy_memo *memo)
{
	lya_policy_memo_free(j->memo);
	j->memo = memo;
	j->snat = snat;
	j->policy = policy;
	audit_details_rebase(j->details, policy);
}

const struct lya_evidence *audit_judge_evidence(const struct audit_judge *j)
{
	return j->evidence;
}
