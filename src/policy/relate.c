/*
 * relate.c - how two ends stand to one another on given ports: everything
 * that follows from roles, hosts and rows, and from nothing a flow did.
 */
#include "policy/policy.h"

#include <string.h>

/* A row that matches, while the most specific is looked for. */
struct candidate {
	int16_t row;
	bool leg;
};

/* Ports in the row's range that holds the port, less one: 0 for a single port. */
static uint16_t width_of(const struct policy_row *row, uint16_t iport, uint16_t rport)
{
	uint16_t port = policy_row_has_port(row, rport) ? rport : iport;

	for (size_t i = 0; i < row->n_ports; i++) {
		if (port >= row->ports[i].first && port <= row->ports[i].last)
			return (uint16_t)(row->ports[i].last - row->ports[i].first);
	}
	return UINT16_MAX;
}

/* The row is about VIPs alone: a leg is reported as the VIP's row. */
static bool is_vip_row(const struct policy_row *row)
{
	return (row->to_named & ~LYA_ROLES_VIPS) == 0;
}

/*
 * More specific first: rows of deployed features, rows before legs, among legs
 * the VIPs' own rows, fewest roles, narrowest range, then the order of the
 * documents.
 */
static bool is_before(const struct lya_policy *p, struct candidate a, struct candidate b,
                      uint16_t iport, uint16_t rport)
{
	const struct policy_row *ra = &p->rows[a.row];
	const struct policy_row *rb = &p->rows[b.row];
	uint16_t wa = width_of(ra, iport, rport);
	uint16_t wb = width_of(rb, iport, rport);

	if (ra->feature_on != rb->feature_on)
		return ra->feature_on;
	if (a.leg != b.leg)
		return b.leg;
	if (a.leg && is_vip_row(ra) != is_vip_row(rb))
		return is_vip_row(ra);
	if (ra->breadth != rb->breadth)
		return ra->breadth < rb->breadth;
	if (wa != wb)
		return wa < wb;
	return a.row < b.row;
}

/* Put c where it belongs among the n that are most specific; returns how many they are then. */
static size_t put_candidate(const struct lya_policy *p, struct candidate *list, size_t n,
                            struct candidate c, uint16_t iport, uint16_t rport)
{
	size_t k = n;

	for (; k > 0 && is_before(p, c, list[k - 1], iport, rport); k--)
		if (k < LYA_VERDICT_RULES_MAX)
			list[k] = list[k - 1];
	if (k < LYA_VERDICT_RULES_MAX)
		list[k] = c;
	return n < LYA_VERDICT_RULES_MAX ? n + 1 : n;
}

static bool row_fits(const struct policy_row *row, uint8_t t_bit, uint16_t iport, uint16_t rport)
{
	return !row->rule->statement && (row->rule->transports & t_bit) &&
	       policy_row_ports_fit(row, iport, rport);
}

static void find_documented(const struct lya_policy *p, const struct lya_policy_end *i,
                            const struct lya_policy_end *r, uint8_t t_bit, uint16_t iport,
                            uint16_t rport, struct policy_relation *out)
{
	struct candidate list[LYA_VERDICT_RULES_MAX];
	struct policy_walk walk = policy_walk(p, iport, rport);
	size_t n = 0;
	bool direct = false;

	out->feature_off = true;
	for (int k; (k = policy_walk_next(&walk)) >= 0;) {
		const struct policy_row *row = &p->rows[k];
		bool joins;

		if (!row_fits(row, t_bit, iport, rport))
			continue;
		joins = policy_row_joins(row, i, r);
		if (!joins && !policy_leg_joins(p, row, i, r))
			continue;
		n = put_candidate(p, list, n, (struct candidate){ .row = (int16_t)k, .leg = !joins },
		                  iport, rport);
		direct = direct || joins;
		out->feature_off = out->feature_off && !row->feature_on;
	}
	if (n == 0) {
		out->feature_off = false;
		return;
	}
	out->documented = true;
	out->balanced = !direct;
	out->width = width_of(&p->rows[list[0].row], iport, rport);
	for (size_t k = 0; k < n; k++)
		out->rules[k] = list[k].row;
	out->n_rules = (uint16_t)n;
}

/* A row that would match, were it not for the load balancing mode of the VIP. */
static void find_mode_row(const struct lya_policy *p, const struct lya_policy_end *i,
                          const struct lya_policy_end *r, uint8_t t_bit, uint16_t iport,
                          uint16_t rport, struct policy_relation *out)
{
	if (!(r->roles & LYA_ROLES_VIPS))
		return;
	for (size_t k = 0; k < p->n_rows; k++) {
		const struct policy_row *row = &p->rows[k];
		struct policy_row every = *row;

		if (row->rule->statement || row->to == row->to_any_mode)
			continue;
		every.to = row->to_any_mode;
		if (!policy_row_joins(&every, i, r))
			continue;
		/* With hlb every port is given that a table gives: the plain finding says it. */
		if (policy_vips_balanced_otherwise(p, r->roles & row->to_any_mode & ~row->to))
			out->mode_reach = true;
		if (row_fits(row, t_bit, iport, rport) && out->mode_row < 0)
			out->mode_row = (int16_t)k;
	}
}

/*
 * Which of two rows tells better what the right direction is: a row of a
 * table before a statement of the prose, then the one with fewer openers.
 */
static bool opposes_better(const struct policy_row *a, const struct policy_row *b)
{
	int from_a = __builtin_popcount(a->from_named);
	int from_b = __builtin_popcount(b->from_named);

	if ((a->rule->doc_statement == NULL) != (b->rule->doc_statement == NULL))
		return a->rule->doc_statement == NULL;
	return from_a != from_b ? from_a < from_b : a->breadth < b->breadth;
}

/*
 * The same port is documented the other way round, or the flow comes from the
 * documented service port towards the documented initiator.  Only a row that
 * names both roles and a port counts.
 */
static void find_direction_row(const struct lya_policy *p, const struct lya_policy_end *i,
                               const struct lya_policy_end *r, uint8_t t_bit, uint16_t iport,
                               uint16_t rport, struct policy_relation *out)
{
	struct policy_walk walk = policy_walk(p, iport, rport);

	for (int k; (k = policy_walk_next(&walk)) >= 0;) {
		const struct policy_row *row = &p->rows[k];

		if (row->rule->statement || policy_row_any_port(row) || !(row->rule->transports & t_bit))
			continue;
		if (!(r->effective & row->from_named) || !(i->effective & row->to_named))
			continue;
		if (!policy_row_has_port(row, rport) && !policy_row_has_port(row, iport))
			continue;
		if (out->direction_row < 0 || opposes_better(row, &p->rows[out->direction_row]))
			out->direction_row = (int16_t)k;
	}
}

static void find_reach(const struct lya_policy *p, const struct lya_policy_end *i,
                       const struct lya_policy_end *r, struct policy_relation *out)
{
	for (size_t k = 0; k < p->n_rows && out->n_reach < LYA_VERDICT_RULES_MAX; k++) {
		if (policy_row_reaches(p, &p->rows[k], i, r))
			out->reach[out->n_reach++] = (int16_t)k;
	}
}

/* A row gives this port to the member, or to the VIP in front of it. */
static bool gives_port(const struct policy_row *row, lya_roles member_and_vip, uint8_t t_bit,
                       uint16_t rport)
{
	return !row->rule->statement && (row->rule->transports & t_bit) &&
	       (row->to_named & member_and_vip) && row->rule->port_of != LYA_PORT_INITIATOR &&
	       policy_row_has_port(row, rport);
}

/* policy-model "Load balancer's own traffic": the conditions that ends and ports can fulfil. */
static void find_probe(const struct lya_policy *p, const struct lya_policy_end *i,
                       const struct lya_policy_end *r, uint8_t t_bit, uint16_t rport,
                       struct policy_relation *out)
{
	struct policy_walk walk = policy_walk(p, rport, rport);
	lya_roles ends = 0;

	if (!(i->roles & LYA_ROLE_BIT(LYA_ROLE_HLB)) || (i->roles & LYA_ROLES_VIPS))
		return;
	for (size_t k = 0; k < p->n_vips; k++) {
		enum lya_role member = lya_role_behind(p->vips[k].role);

		if (p->vips[k].host == i->host && p->vips[k].pool == r->pool &&
		    (r->roles & LYA_ROLE_BIT(member)))
			ends |= LYA_ROLE_BIT(member) | LYA_ROLE_BIT(p->vips[k].role);
	}
	for (int k; ends != 0 && !out->probe && (k = policy_walk_next(&walk)) >= 0;) {
		if (!gives_port(&p->rows[k], ends, t_bit, rport))
			continue;
		out->probe = true;
		if (out->n_rules == 0)
			out->rules[out->n_rules++] = (int16_t)k;
	}
}

/* The port carries A/V traffic through the Edge's internal interface: udp 3478, tcp 443. */
static bool is_internal_av(const struct lya_policy *p, const struct lya_policy_end *r,
                           uint8_t t_bit, uint16_t rport)
{
	struct policy_walk walk = policy_walk(p, rport, rport);

	if (!(r->roles & LYA_ROLE_BIT(LYA_ROLE_EDGE_INTERNAL)))
		return false;
	for (int k; (k = policy_walk_next(&walk)) >= 0;) {
		if (p->rows[k].rule->app == LYA_ROW_STUN &&
		    gives_port(&p->rows[k], LYA_ROLE_BIT(LYA_ROLE_EDGE_INTERNAL), t_bit, rport))
			return true;
	}
	return false;
}

static void find_av_rewrite(const struct lya_policy *p, const struct lya_policy_end *i,
                            const struct lya_policy_end *r, uint8_t t_bit, uint16_t rport,
                            struct policy_relation *out)
{
	if (!p->forbids_snat || !policy_is_balancer(i))
		return;
	out->av_internal = is_internal_av(p, r, t_bit, rport);
	out->av_rewrite = out->av_internal || (r->roles & LYA_ROLE_BIT(LYA_ROLE_EDGE_AV)) != 0;
}

void policy_relate(const struct lya_policy *p, const struct lya_policy_end *i,
                   const struct lya_policy_end *r, uint8_t transport, uint16_t iport,
                   uint16_t rport, struct policy_relation *out)
{
	uint8_t t_bit = transport == 6 ? LYA_T_TCP : LYA_T_UDP;

	memset(out, 0, sizeof(*out));
	out->mode_row = -1;
	out->direction_row = -1;
	out->nearest = -1;
	out->mixup = -1;
	find_documented(p, i, r, t_bit, iport, rport, out);
	find_av_rewrite(p, i, r, t_bit, rport, out);
	find_probe(p, i, r, t_bit, rport, out);
	if (out->documented && !out->av_rewrite)
		return;
	find_mode_row(p, i, r, t_bit, iport, rport, out);
	find_direction_row(p, i, r, t_bit, iport, rport, out);
	find_reach(p, i, r, out);
	policy_find_nearest(p, i, r, t_bit, iport, rport, out);
}
