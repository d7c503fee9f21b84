/*
 * expect.c - children of the endpoint mapper.
 *
 * Port 135 only opens a conversation: the mapper hands out a port that stands
 * in no table.  Whoever may ask the mapper may use what it was told
 * (internal.1.5, internal.2.3).
 */
#include "policy/policy.h"

#include "policy/memo.h"

enum { PORT_MAPPER = 135 };

/* The rows that let the initiator ask the mapper; true when there are any. */
static bool mapper_rows(const struct lya_policy *p, const struct policy_relation *rel,
			struct lya_verdict *out)
{
	out->n_rules = 0;
	for (size_t i = 0; i < rel->n_rules; i++) {
		if (p->rows[rel->rules[i]].rule->app == LYA_ROW_DCOM_RPC)
			out->rules[out->n_rules++] = rel->rules[i];
	}
	return rel->documented && out->n_rules > 0;
}

/* Rows that document the flow by themselves are cited behind. */
static void keep_rows(const struct lya_verdict *was, struct lya_verdict *out)
{
	for (size_t i = 0; i < was->n_rules && out->n_rules < LYA_VERDICT_RULES_MAX; i++)
		out->rules[out->n_rules++] = was->rules[i];
}

void lya_policy_expect(const struct lya_policy *p, struct lya_policy_memo *memo,
		       const struct lya_flow *flow, const struct lya_policy_end ends[static 2],
		       int server_side, struct lya_verdict *verdict)
{
	struct lya_verdict child = { .kind = LYA_VERDICT_DOCUMENTED,
				     .initiator = (uint8_t)!server_side,
				     .basis = verdict->basis,
				     .grade = verdict->grade,
				     .nearest = -1,
				     .mixup = -1,
				     .exception = -1,
				     .expired = -1,
				     .payload = { .rpc_child = true } };
	struct policy_relation room;
	const struct policy_relation *rel;

	if (flow->transport != 6 || flow->unknown != LYA_UNKNOWN_NOT)
		return;
	if (verdict->initiator == server_side) {
		if (verdict->grade == LYA_GRADE_CERTAIN)
			return;
		child.basis = LYA_BASIS_KNOWN_LISTENER;
		child.grade = LYA_GRADE_STRONG;
	}
	rel = policy_memo_relate(memo, p, &ends[!server_side], &ends[server_side], flow->transport,
				 flow->port[!server_side], PORT_MAPPER, &room);
	if (!mapper_rows(p, rel, &child))
		return;
	if (rel->balanced)
		child.leg = LYA_LEG_BALANCED;
	if (verdict->kind == LYA_VERDICT_DOCUMENTED && verdict->leg != LYA_LEG_PROBE &&
	    verdict->initiator == child.initiator)
		keep_rows(verdict, &child);
	else
		child.feature_off = rel->feature_off;
	*verdict = child;
}
