/*
 * misplaced.c - what one flow shows of routes that are missing, of private addresses where
 * public ones are due, and of servers that nobody declared.
 */
#include "finding/ledger.h"

#define BIT(name) LYA_ROLE_BIT(LYA_ROLE_##name)

static const lya_roles EDGE_OUTSIDE = BIT(EDGE_ACCESS) | BIT(EDGE_WEBCONF) | BIT(EDGE_AV);

/* Both sides of the Edge on one address: which interface sends cannot be told. */
static bool is_outside(const struct lya_policy_end *end)
{
	return (end->roles & EDGE_OUTSIDE) != 0 && (end->roles & BIT(EDGE_INTERNAL)) == 0;
}

static bool is_inside(const struct lya_policy_end *end)
{
	return (end->roles & BIT(EDGE_INTERNAL)) != 0 && (end->roles & EDGE_OUTSIDE) == 0;
}

/* Servers and whatever else is in the internal networks; nobody that sits in between. */
static bool is_internal(const struct lya_policy_end *end)
{
	static const lya_roles between = BIT(EDGE_ACCESS) | BIT(EDGE_WEBCONF) | BIT(EDGE_AV) |
					 BIT(EDGE_INTERNAL) | BIT(EDGE_ACCESS_VIP) |
					 BIT(EDGE_WEBCONF_VIP) | BIT(EDGE_AV_VIP) |
					 BIT(EDGE_INTERNAL_VIP) | BIT(REVERSE_PROXY_EXTERNAL) |
					 BIT(REVERSE_PROXY_INTERNAL) | BIT(HLB);

	return (end->roles & LYA_ROLES_ANY_INTERNAL) != 0 && (end->roles & between) == 0 &&
	       (end->roles & BIT(EXTERNAL)) == 0;
}

static bool is_external(const struct lya_policy_end *end)
{
	return (end->roles & (BIT(EXTERNAL) | BIT(FEDERATED_PARTNER))) != 0;
}

/*
 * The interface chose the way by itself: it opened the flow, or it answers what
 * was never sent to it (the request went to the other interface).  An answer to
 * what did come in here may leave where it likes.
 */
static bool chose_way(const struct lya_flow *flow, const struct lya_verdict *v, unsigned side)
{
	if (flow->packets[side] == 0)
		return false;
	if (v->initiator == side)
		return v->grade != LYA_GRADE_HINT;
	return flow->packets[!side] == 0 &&
	       (flow->synack_side == (int)side ||
		(flow->app.client_side >= 0 && flow->app.client_side == (int)!side));
}

bool misplaced_route(const struct lya_flow *flow, const struct lya_policy_end ends[static 2],
		     const struct lya_verdict *v)
{
	if (flow->unknown != LYA_UNKNOWN_NOT || flow->group_dst || flow->app.ice ||
	    ends[0].no_role || ends[1].no_role || v->leg == LYA_LEG_PROBE ||
	    v->kind == LYA_VERDICT_WAIVED)
		return false;
	for (unsigned side = 0; side < 2; side++) {
		const struct lya_policy_end *edge = &ends[side], *other = &ends[!side];

		if (is_outside(edge) && is_internal(other) && chose_way(flow, v, side))
			return true;
		if (is_inside(edge) && is_external(other) &&
		    (chose_way(flow, v, side) || (flow->packets[side] > 0 && flow_through(flow))))
			return true;
	}
	return false;
}

/* An A/V node or VIP of a pool whose VIPs stand on a hardware load balancer. */
static bool is_balanced_av(const struct lya_policy *p, const struct lya_policy_end *end)
{
	if (lya_policy_site(p)->lb[LYA_LB_EDGE] != LYA_LB_HLB)
		return false;
	if ((end->roles & BIT(EDGE_AV_VIP)) != 0)
		return true;
	/* A node that stands in for the VIP has none in front of it. */
	return (end->roles & BIT(EDGE_AV)) != 0 && (end->effective & BIT(EDGE_AV_VIP)) == 0;
}

/* A relay address that is private is told by av-edge-relay. */
static bool gives_private_relay(const struct lya_verdict *v)
{
	return v->snat != NULL && (v->snat->relay.faults & LYA_RELAY_ADDRESS) != 0 &&
	       lya_addr_is_private(&v->snat->relay.relay.addr);
}

int misplaced_address(const struct lya_policy *p, const struct lya_flow *flow,
		      const struct lya_policy_end ends[static 2], const struct lya_verdict *v)
{
	const lya_roles av = BIT(EDGE_AV) | BIT(EDGE_AV_VIP);

	if (((ends[0].roles | ends[1].roles) & av) == 0) /* nearly always */
		return -1;
	if (flow->unknown != LYA_UNKNOWN_NOT || flow->group_dst || ends[0].no_role ||
	    ends[1].no_role || v->leg == LYA_LEG_PROBE || v->kind == LYA_VERDICT_WAIVED ||
	    !flow_through(flow) || gives_private_relay(v))
		return -1;
	for (unsigned side = 0; side < 2; side++) {
		if (is_balanced_av(p, &ends[side]) && lya_addr_is_private(&flow->addr[side]) &&
		    flow->packets[side] > 0 && is_external(&ends[!side]) &&
		    !lya_addr_is_private(&flow->addr[!side]))
			return (int)side;
	}
	return -1;
}

/* Ports that many a server has which is none of the product's. */
static bool is_common(uint16_t port)
{
	static const uint16_t common[] = { 53, 80, 135, 443, 445, 1434 };

	for (size_t i = 0; i < sizeof(common) / sizeof(common[0]); i++) {
		if (port == common[i])
			return true;
	}
	return false;
}

/* Spoken as the row says, and so that nothing else can be meant. */
static bool speaks(const struct lya_flow *flow, enum lya_row_app app)
{
	const struct lya_app_result *said = &flow->app;

	switch (app) {
	case LYA_ROW_SIP_TLS:
	case LYA_ROW_SIP_MTLS:
	case LYA_ROW_HTTPS:
	case LYA_ROW_PSOM_TLS:
	case LYA_ROW_PSOM_MTLS:
	case LYA_ROW_XMPP_MTLS:
	case LYA_ROW_MTLS:
	case LYA_ROW_TLS:
	case LYA_ROW_WCF_TLS:
		return said->app == LYA_APP_TLS && (said->tls & LYA_TLS_SERVER_HELLO) != 0;
	case LYA_ROW_SIP:
		return said->app == LYA_APP_SIP;
	case LYA_ROW_HTTP:
		return said->app == LYA_APP_HTTP;
	case LYA_ROW_STUN:
		return (said->app == LYA_APP_STUN || said->app == LYA_APP_MSTURN) && !said->ice;
	case LYA_ROW_XMPP:
		return said->app == LYA_APP_XMPP;
	default: /* nothing that would be told from other servers' */
		return false;
	}
}

static bool is_listener(const struct lya_policy *p, size_t rule, const struct lya_flow *flow,
			uint16_t port)
{
	const struct lya_rule *row = &lya_policy_rules(p)->list[rule];
	uint8_t transport = flow->transport == 6 ? LYA_T_TCP : LYA_T_UDP;
	const struct lya_port_range *list;
	size_t n;

	if (row->statement || row->any_port || row->port_of != LYA_PORT_RESPONDER ||
	    (row->transports & transport) == 0 || !lya_policy_feature_on(p, rule))
		return false;
	list = lya_policy_ports(p, rule, &n);
	for (size_t i = 0; i < n; i++) {
		if (list[i].first == port && list[i].last == port)
			return speaks(flow, (enum lya_row_app)row->app);
	}
	return false;
}

int misplaced_server(const struct lya_policy *p, const struct lya_flow *flow,
		     const struct lya_policy_end ends[static 2], const struct lya_verdict *v)
{
	const struct lya_policy_end *to = &ends[!v->initiator];
	uint16_t port = flow->port[!v->initiator];

	if (flow->unknown != LYA_UNKNOWN_NOT || flow->group_dst || to->no_role || to->host >= 0 ||
	    (to->roles & (BIT(INTERNAL) | BIT(CLIENT))) == 0 || v->grade != LYA_GRADE_CERTAIN ||
	    v->kind == LYA_VERDICT_WAIVED || v->leg == LYA_LEG_PROBE || !flow->answered ||
	    !flow_through(flow) || is_common(port))
		return -1;
	for (size_t i = 0; i < lya_policy_rules(p)->n; i++) {
		if (is_listener(p, i, flow, port))
			return (int)i;
	}
	return -1;
}
