/*
 * reload.c - another policy, while flows go on.
 *
 * What is known of flows and of payloads stays; what was judged is handed over.  Evidence of
 * address rewriting that flows carry goes on with them; legs that wait for their other one
 * are forgotten: they would have come within two seconds.
 */
#include "audit/state.h"

#include "lyncaudit/alloc.h"

/* What is made anew before anything changes. */
struct fresh {
	struct lya_policy_memo *memo;
	struct lya_policy_memo *trail; /* for that; NULL: there is none */
	struct lya_snat *snat;
};

static int make_fresh(const struct lya_audit *a, const struct lya_policy *policy,
		      struct fresh *fresh, struct lya_error *err)
{
	fresh->memo = lya_policy_memo_new(policy);
	if (a->options.evidence)
		fresh->trail = lya_policy_memo_new(policy);
	if (fresh->memo == NULL || (a->options.evidence && fresh->trail == NULL))
		return lya_error_nomem(err);
	return audit_follow_make_snat(policy, &a->options, a->follow, &fresh->snat, err);
}

/* The stretch under the old policy is over; ledger and minutes begin under the new one. */
static int close_old(struct lya_audit *a, const struct lya_policy *policy,
		     const struct lya_source *sources, size_t n_sources,
		     struct lya_audit_part *part, struct lya_error *err)
{
	const struct lya_policy *old = a->policy;
	int rc;

	a->policy = policy;
	rc = audit_close_stretch(a, sources, n_sources, part, err);
	if (rc == LYA_OK) {
		rc = audit_make_tally(a, sources, n_sources, true, &part->tally, err);
		if (rc != LYA_OK)
			audit_reopen_stretch(a, part);
	}
	if (rc != LYA_OK)
		a->policy = old;
	return rc;
}

/* What may fail before anything changes. */
static int prepare(struct lya_audit *a, const struct lya_policy *policy, struct fresh *fresh,
		   struct lya_error *err)
{
	int rc = make_fresh(a, policy, fresh, err);

	if (rc == LYA_OK && audit_judge_settle(a->judge) != 0)
		rc = lya_error_nomem(err);
	return rc;
}

int lya_audit_reload(struct lya_audit *a, const struct lya_policy *policy,
		     const struct lya_source *sources, size_t n_sources,
		     struct lya_audit_part *part, struct lya_error *err)
{
	struct fresh fresh = { 0 };
	int rc;

	*part = (struct lya_audit_part){ 0 };
	if (lya_policy_site(policy)->vlan_in_key != lya_policy_site(a->policy)->vlan_in_key)
		return lya_error_set(err, LYA_EUSAGE, lya_policy_site(policy)->file, "vlan_in_key",
				     "it cannot change while flows are open: start anew instead");
	rc = lya_audit_settle(a, err);
	if (rc == LYA_OK)
		rc = prepare(a, policy, &fresh, err);
	if (rc == LYA_OK)
		rc = close_old(a, policy, sources, n_sources, part, err);
	if (rc != LYA_OK) {
		lya_policy_memo_free(fresh.memo);
		lya_snat_free(fresh.snat);
		lya_policy_memo_free(fresh.trail);
		return rc;
	}
	audit_follow_rebase(a->follow, policy, fresh.snat, fresh.trail);
	audit_judge_rebase(a->judge, policy, fresh.snat, fresh.memo);
	return LYA_OK;
}
