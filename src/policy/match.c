/*
 * match.c - does one row, or the load balancer's leg of it, join two ends?
 */
#include "policy/policy.h"

bool policy_row_ports_fit(const struct policy_row *row, uint16_t iport, uint16_t rport)
{
	switch ((enum lya_port_of)row->rule->port_of) {
	case LYA_PORT_INITIATOR:
		return policy_row_has_port(row, iport);
	case LYA_PORT_EITHER:
		return policy_row_has_port(row, rport) || policy_row_has_port(row, iport);
	case LYA_PORT_RESPONDER:
		break;
	}
	return policy_row_has_port(row, rport);
}

/* Nothing but an A/V Edge node: an address that plays another role may be meant by that one. */
static bool is_only_av(lya_roles roles)
{
	return (roles & ~(LYA_ROLE_BIT(LYA_ROLE_EDGE_AV) | LYA_ROLE_BIT(LYA_ROLE_EDGE_AV_VIP))) == 0;
}

bool policy_row_joins(const struct policy_row *row, const struct lya_policy_end *i,
                      const struct lya_policy_end *r)
{
	if (!(i->effective & row->from) || !(r->effective & row->to))
		return false;
	if (!row->names_av) /* what the Access VIP may open to `any` is not meant for an A/V Edge node */
		return !(row->to_any && policy_is_balancer(i) && is_only_av(r->effective));
	/* In rows that name an A/V Edge node `any` is never a load balancer (policy-model). */
	return !(row->from_any && policy_is_balancer(i)) && !(row->to_any && policy_is_balancer(r));
}

/* The initiator may reach the VIP by this row, and so its members by the leg. */
static bool may_reach_vip(const struct policy_row *row, const struct lya_policy_end *i)
{
	if (!(i->effective & row->from))
		return false;
	return !(row->media && row->from_any && policy_is_balancer(i));
}

/*
 * Source translation is permitted on every leg but those of A/V traffic,
 * outside and inside (edge.p.av-no-snat, edge.p.snat-permitted).
 */
static bool may_translate(const struct policy_row *row)
{
	return !row->media;
}

bool policy_leg_joins(const struct lya_policy *p, const struct policy_row *row,
                      const struct lya_policy_end *i, const struct lya_policy_end *r)
{
	lya_roles vips = row->to_named & LYA_ROLES_VIPS;

	for (unsigned role = 0; vips != 0; role++, vips >>= 1) {
		enum lya_role vip = (enum lya_role)role;

		if (!(vips & 1) || !(r->roles & LYA_ROLE_BIT(lya_role_behind(vip))))
			continue;
		if (!policy_has_vip(p, vip, r))
			continue;
		if (may_reach_vip(row, i) || (may_translate(row) && policy_serves(p, vip, i, r)))
			return true;
	}
	return false;
}

bool policy_row_reaches(const struct lya_policy *p, const struct policy_row *row,
                        const struct lya_policy_end *i, const struct lya_policy_end *r)
{
	return !row->rule->statement &&
	       (policy_row_joins(row, i, r) || policy_leg_joins(p, row, i, r));
}
