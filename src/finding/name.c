/*
 * name.c - the role that an end goes by, and the ports that a flow stands for.
 */
#include "finding/ledger.h"

/*
 * By the row that documents the flow, or the nearest one; where only the
 * direction is wrong, that row's ends stand the other way round.
 */
enum lya_role name_role(const struct lya_policy *p, const struct lya_policy_end *end,
			const struct lya_verdict *v, bool initiator)
{
	bool documented = v->kind == LYA_VERDICT_DOCUMENTED && v->n_rules > 0;
	int rule = documented ? v->rules[0] : v->nearest;
	bool turned = !documented && v->but == LYA_BUT_DIRECTION;

	if ((end->roles | end->effective) == 0)
		return LYA_ROLES;
	return lya_policy_role(p, end, rule, initiator != turned);
}

static const struct lya_port_range *range_with(const struct lya_port_range *list, size_t n,
					       uint16_t port)
{
	for (size_t i = 0; i < n; i++) {
		if (port >= list[i].first && port <= list[i].last)
			return &list[i];
	}
	return NULL;
}

struct lya_port_range name_ports(const struct lya_policy *p, int rule, uint16_t iport,
				 uint16_t rport)
{
	const struct lya_port_range *list, *hit = NULL;
	const struct lya_rule *row;
	size_t n;

	if (rule < 0)
		return (struct lya_port_range){ rport, rport };
	row = &lya_policy_rules(p)->list[rule];
	if (row->any_port)
		return (struct lya_port_range){ 0, UINT16_MAX };
	list = lya_policy_ports(p, (size_t)rule, &n);
	if (row->port_of != LYA_PORT_INITIATOR)
		hit = range_with(list, n, rport);
	if (hit == NULL && row->port_of != LYA_PORT_RESPONDER)
		hit = range_with(list, n, iport);
	return hit != NULL ? *hit : (struct lya_port_range){ rport, rport };
}
