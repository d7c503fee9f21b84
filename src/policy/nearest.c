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

/* How far a row that joins the ends is from the flow; less is nearer. */
static unsigned distance(const struct policy_row *row, uint8_t t_bit, uint16_t rport)
{
	bool same_transport = (row->rule->transports & t_bit) != 0;
	bool single = row->n_ports > 0 && row->ports[0].first == row->ports[0].last;

	if (!same_transport && policy_row_has_port(row, rport) && !policy_row_any_port(row))
		return single ? 0 : 4;
	if (same_transport && are_mixed_up(rport, row))
		return single ? 1 : 5;
	if (!same_transport)
		return 8;
	return row->rule->app == LYA_ROW_DHCP ? 9 : 6;
}

/* Among all rows that let these roles talk: out->reach may not have had room for each. */
static void nearest_by_port(const struct lya_policy *p, const struct lya_policy_end *i,
                            const struct lya_policy_end *r, uint8_t t_bit, uint16_t rport,
                            struct policy_relation *out)
{
	unsigned best = UINT32_MAX;

	for (size_t k = 0; k < p->n_rows; k++) {
		const struct policy_row *row = &p->rows[k];
		unsigned d;

		if (!policy_row_reaches(p, row, i, r))
			continue;
		d = distance(row, t_bit, rport) * 1000 + row->breadth;
		if (d >= best)
			continue;
		best = d;
		out->nearest = (int16_t)k;
		out->but = (row->rule->transports & t_bit) ? LYA_BUT_PORT : LYA_BUT_TRANSPORT;
	}
	if (best < 6 * 1000)
		out->mixup = out->nearest;
}

/* Among the rows that allow this port to one of the two ends: the responder's first. */
static void nearest_by_end(const struct lya_policy *p, const struct lya_policy_end *i,
                           const struct lya_policy_end *r, uint8_t t_bit, uint16_t iport,
                           uint16_t rport, struct policy_relation *out)
{
	unsigned best = UINT32_MAX;

	for (size_t k = 0; k < p->n_rows; k++) {
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
	if (out->n_reach > 0 && !out->av_rewrite)
		nearest_by_port(p, i, r, t_bit, rport, out);
	else
		nearest_by_end(p, i, r, t_bit, iport, rport, out);
}
