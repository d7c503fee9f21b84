/*
 * where.c - what an order needs to be carried out: which firewall, which load
 * balancer, and the way that a firewall rule is written for.
 */
#include "finding/sentence.h"

/* Where a role stands: the outer firewall is before OUTER, the inner one behind INNER. */
enum side { OUTSIDE, OUTER, INNER, INSIDE, ANYWHERE };

static enum side side_of(const struct lya_finding_end *end)
{
	switch (end->role) {
	case LYA_ROLE_EXTERNAL:
	case LYA_ROLE_FEDERATED_PARTNER:
		return OUTSIDE;
	case LYA_ROLE_EDGE_ACCESS:
	case LYA_ROLE_EDGE_WEBCONF:
	case LYA_ROLE_EDGE_AV:
	case LYA_ROLE_EDGE_ACCESS_VIP:
	case LYA_ROLE_EDGE_WEBCONF_VIP:
	case LYA_ROLE_EDGE_AV_VIP:
	case LYA_ROLE_REVERSE_PROXY_EXTERNAL:
		return OUTER;
	case LYA_ROLE_EDGE_INTERNAL:
	case LYA_ROLE_EDGE_INTERNAL_VIP:
	case LYA_ROLE_REVERSE_PROXY_INTERNAL:
		return INNER;
	case LYA_ROLE_HLB: /* there is one on either side */
	case LYA_ROLES:
		return ANYWHERE;
	default:
		return INSIDE;
	}
}

/* What comes from outside, to whatever place, passes the outer firewall first. */
static const char *firewall_of(enum side initiator, enum side responder)
{
	if ((initiator == OUTSIDE && responder != OUTSIDE) ||
	    (initiator == OUTER && responder == OUTSIDE))
		return "the outer firewall";
	if ((initiator == INNER && responder == INSIDE) ||
	    (initiator == INSIDE && responder == INNER))
		return "the inner firewall";
	return "any firewall between the two";
}

void say_firewall(const struct telling *t)
{
	say(t, "%s", firewall_of(side_of(&t->finding->initiator), side_of(&t->finding->responder)));
}

bool is_inside(const struct telling *t)
{
	return side_of(&t->finding->initiator) == INNER || side_of(&t->finding->responder) == INNER;
}

bool is_many(const struct lya_finding_end *end)
{
	return end->host == NULL && end->address.family == 0;
}

void say_end_address(const struct telling *t, const struct lya_finding_end *end)
{
	char addr[LYA_ADDR_TEXT];

	say_end_short(t, end);
	if (end->host != NULL && end->address.family != 0)
		say(t, " (%s)", lya_addr_format(&end->address, addr));
}

void say_way(const struct telling *t)
{
	say(t, "from ");
	say_end_address(t, &t->finding->initiator);
	say(t, " to ");
	say_end_address(t, &t->finding->responder);
	say(t, t->finding->source_port ? " (from " : " (");
	say_ports(t);
	say(t, ")");
}

bool is_balancer_role(enum lya_role role)
{
	return role == LYA_ROLE_HLB ||
	       (role < LYA_ROLES && (LYA_ROLE_BIT(role) & LYA_ROLES_VIPS) != 0);
}

/* The only host of the site with the VIP of a role; NULL: none, or several. */
static const char *host_before(const struct lya_site *site, enum lya_role role)
{
	enum lya_role vip = role < LYA_ROLES ? lya_role_vip_of(role) : LYA_ROLES;
	const char *name = NULL;

	if (vip >= LYA_ROLES)
		return NULL;
	for (size_t i = 0; i < site->n_hosts; i++) {
		if ((site->hosts[i].roles & LYA_ROLE_BIT(vip)) == 0)
			continue;
		if (name != NULL)
			return NULL;
		name = site->hosts[i].name;
	}
	return name;
}

void say_balancer(const struct telling *t)
{
	const struct lya_finding_end *ends[] = { &t->finding->initiator, &t->finding->responder };
	const char *name = NULL;

	for (size_t i = 0; i < 2 && name == NULL; i++) {
		if (is_balancer_role(ends[i]->role))
			name = ends[i]->host;
	}
	for (size_t i = 0; i < 2 && name == NULL; i++)
		name = host_before(t->ledger->site, ends[i]->role);
	say(t, "%s", name != NULL ? name : "the load balancer");
}
