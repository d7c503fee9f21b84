/*
 * clean.c - flows that no finding will show, told before they end.
 *
 * Connections that are used all day would otherwise keep their handshakes all day.
 */
#include "evidence/trail.h"

/* Of these the observer of address rewriting may tell something at any time. */
static const lya_roles WATCHED =
    LYA_ROLE_BIT(LYA_ROLE_EDGE_AV) | LYA_ROLE_BIT(LYA_ROLE_EDGE_INTERNAL) |
    LYA_ROLE_BIT(LYA_ROLE_EDGE_AV_VIP) | LYA_ROLE_BIT(LYA_ROLE_EDGE_INTERNAL_VIP);

bool trail_is_clean(const struct lya_policy *policy, struct lya_policy_memo *memo,
		    const struct lya_flow *flow, const struct live *l)
{
	struct lya_policy_end ends[2];
	struct lya_verdict v;

	if (l->other_name && !l->own_name)
		return false;
	if (l->seeks_other && (flow->app.tls & (LYA_TLS_APP_DATA | LYA_TLS_GAP)) == 0)
		return false; /* it may turn out to have been in vain */
	for (unsigned side = 0; side < 2; side++) {
		lya_policy_end_of(policy, &flow->addr[side], &ends[side]);
		if ((ends[side].roles & WATCHED) != 0)
			return false;
	}
	lya_policy_judge(policy, memo, flow, ends, -1, &v);
	lya_policy_inspect(policy, flow, ends, &v);
	/* Who opened it may be known better later; a probe that goes on is none. */
	if (v.grade == LYA_GRADE_HINT || v.leg == LYA_LEG_PROBE)
		return false;
	return !lya_finding_concerns(policy, flow, ends, &v);
}
