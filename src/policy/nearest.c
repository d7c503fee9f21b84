/*
 * nearest.c - the row that a forbidden flow comes closest to, and the mix-up
 * that probably explains it.
 */
#include "policy/policy.h"

/* Ports that people take for one another (policy-model "unexpected-port"). */
static const uint16_t mixups[][2] = {
	{ 443, 4443 }, { 80, 8080 }, { 5060, 5061 }, { 8080, 4443 }, { 80, 443 },
};

enum { N_MIXUPS = sizeof(mixups) / sizeof(mixups[0]) };

static bool are_mixed_up(uint16_t found, const struct policy_row *row)
{
	for (size_t i = 0; i < N_MIXUPS; i++) {
		if ((found == mixups[i][0] && policy_row_has_port(row, mixups[i][1])) ||
		    (found == mixups[i][1] && policy_row_has_port(row, mixups[i][0])))
			return !policy_row_any_port(row);
	}
	return false;
}

void policy_mark_mixups(uint16_t edges[65536])
{
	for (size_t i = 0; i < N_MIXUPS; i++) {
		for (size_t k = 0; k < 2; k++) {
			edges[mixups[i][k]] = 1;
			edges[mixups[i][k] + 1] = 1;
		}
	}
}

/* The row as it would be without the site's load balancing mode, or with it. */
static struct policy_row in_any_mode(const struct policy_row *row)
{
	struct policy_row every = *row;

	every.to = row->to_any_mode;
	every.to_named = row->rule->to.named;
	return every;
}

/*
 * The row names the responder, or the VIP before it.  What an outside address
 * was meant to be asked for cannot be guessed, nor where the row says `any`.
 */
static bool names_responder(const struct lya_policy *p, const struct policy_row *row,
                            const struct lya_policy_end *i, const struct lya_policy_end *r)
{
	lya_roles named = row->to_named & ~LYA_ROLE_BIT(LYA_ROLE_EXTERNAL);

	return (r->effective & named) != 0 || policy_leg_joins(p, row, i, r);
}

/* How far a row that joins the ends is from the flow; less is nearer, below FAR a mix-up. */
enum { FAR = 6 };

static unsigned distance(const struct policy_row *row, uint8_t t_bit, uint16_t rport, bool named)
{
	bool same_transport = (row->rule->transports & t_bit) != 0;
	bool single = row->n_ports > 0 && row->ports[0].first == row->ports[0].last;

	if (named && !same_transport && policy_row_has_port(row, rport) &&
	    !policy_row_any_port(row))
		return single ? 0 : 4;
	if (named && same_transport && are_mixed_up(rport, row))
		return single ? 1 : 5;
	if (!same_transport)
		return FAR + 2;
	return row->rule->app == LYA_ROW_DHCP ? FAR + 3 : FAR;
}

/*
 * Among all rows that let these roles talk: out->reach may not have had room
 * for each.  Where the load balancing mode is in the way of a VIP, those that
 * it leaves out come behind the others.
 */
static void nearest_by_port(const struct lya_policy *p, const struct lya_policy_end *i,
                            const struct lya_policy_end *r, uint8_t t_bit, uint16_t rport,
                            struct policy_relation *out)
{
	unsigned best = UINT32_MAX;

	for (size_t k = 0; k < p->n_rows; k++) {
		struct policy_row row = p->rows[k];
		bool in_force = policy_row_reaches(p, &row, i, r);
		unsigned d;

		if (!in_force && out->mode_reach)
			row = in_any_mode(&row);
		if (!in_force && !(out->mode_reach && policy_row_reaches(p, &row, i, r)))
			continue;
		d = distance(&row, t_bit, rport, names_responder(p, &row, i, r)) * 1000 +
		    row.breadth + (in_force ? 0 : 500);
		if (d >= best)
			continue;
		best = d;
		out->nearest = (int16_t)k;
		out->but = (row.rule->transports & t_bit) ? LYA_BUT_PORT : LYA_BUT_TRANSPORT;
	}
	if (best < FAR * 1000)
		out->mixup = out->nearest;
}

/* The row without the narrower lists that a strict reading holds to. */
static struct policy_row read_broadly(const struct policy_row *row)
{
	struct policy_row broad = *row;
	lya_roles forbidden = row->to_any_mode & ~row->to;

	broad.from = row->rule->from.roles;
	broad.from_any = row->rule->from.any;
	broad.to = row->rule->to.roles & ~forbidden;
	broad.to_any = row->rule->to.any;
	return broad;
}

/* Strict: a row allows this very flow, were it not for the list of whom it is for. */
static bool nearest_by_list(const struct lya_policy *p, const struct lya_policy_end *i,
                            const struct lya_policy_end *r, uint8_t t_bit, uint16_t iport,
                            uint16_t rport, struct policy_relation *out)
{
	struct policy_walk walk = policy_walk(p, iport, rport);

	for (int k; p->strict && (k = policy_walk_next(&walk)) >= 0;) {
		const struct policy_row *row = &p->rows[k];
		struct policy_row broad = read_broadly(row);

		if (!row->feature_on || !(row->rule->transports & t_bit) ||
		    !policy_row_ports_fit(row, iport, rport) ||
		    !policy_row_reaches(p, &broad, i, r))
			continue;
		out->nearest = (int16_t)k;
		out->but = (i->effective & row->from) ? LYA_BUT_RESPONDER : LYA_BUT_INITIATOR;
		return true;
	}
	return false;
}

static lya_roles roles_behind(lya_roles vips)
{
	lya_roles behind = 0;

	for (unsigned role = 0; role < LYA_ROLES_DECLARED; role++) {
		if (vips & LYA_ROLES_VIPS & LYA_ROLE_BIT(role))
			behind |= LYA_ROLE_BIT(lya_role_behind((enum lya_role)role));
	}
	return behind;
}

/* The right service at the wrong address: a row gives this port to the servers behind the VIP. */
static bool nearest_behind(const struct lya_policy *p, const struct lya_policy_end *i,
                           const struct lya_policy_end *r, uint8_t t_bit, uint16_t rport,
                           struct policy_relation *out)
{
	struct policy_walk walk = policy_walk(p, rport, rport);
	lya_roles behind = roles_behind(r->roles);

	for (int k; behind != 0 && (k = policy_walk_next(&walk)) >= 0;) {
		const struct policy_row *row = &p->rows[k];

		if (row->rule->statement || !row->feature_on || policy_row_any_port(row) ||
		    !(row->rule->transports & t_bit) || !(i->effective & row->from) ||
		    !(behind & row->to_named) || row->rule->port_of == LYA_PORT_INITIATOR ||
		    !policy_row_has_port(row, rport))
			continue;
		out->nearest = out->mixup = (int16_t)k;
		out->but = LYA_BUT_RESPONDER;
		return true;
	}
	return false;
}

/* Among the rows that allow this port to one of the two ends: the responder's first. */
static void nearest_by_end(const struct lya_policy *p, const struct lya_policy_end *i,
                           const struct lya_policy_end *r, uint8_t t_bit, uint16_t iport,
                           uint16_t rport, struct policy_relation *out)
{
	struct policy_walk walk = policy_walk(p, iport, rport);
	unsigned best = UINT32_MAX;

	for (int k; (k = policy_walk_next(&walk)) >= 0;) {
		const struct policy_row *row = &p->rows[k];
		bool to = (r->effective & row->to_named) != 0;
		bool from = (i->effective & row->from_named) != 0;
		unsigned d;

		if (row->rule->statement || policy_row_any_port(row) || !(row->rule->transports & t_bit) ||
		    !policy_row_ports_fit(row, iport, rport) || (!to && !from))
			continue;
		d = (to ? 0u : 1000u) + row->breadth;
		if (d >= best)
			continue;
		best = d;
		out->nearest = (int16_t)k;
		out->but = to ? LYA_BUT_INITIATOR : LYA_BUT_RESPONDER;
	}
}

void policy_find_nearest(const struct lya_policy *p, const struct lya_policy_end *i,
                         const struct lya_policy_end *r, uint8_t t_bit, uint16_t iport,
                         uint16_t rport, struct policy_relation *out)
{
	bool reach = out->n_reach > 0 || out->mode_reach;

	if (out->av_rewrite) {
		nearest_by_end(p, i, r, t_bit, iport, rport, out);
		return;
	}
	if (nearest_by_list(p, i, r, t_bit, iport, rport, out))
		return;
	if (reach && nearest_behind(p, i, r, t_bit, rport, out))
		return;
	if (reach)
		nearest_by_port(p, i, r, t_bit, rport, out);
	else
		nearest_by_end(p, i, r, t_bit, iport, rport, out);
}
