/*
 * judge.c - the verdict of one flow.
 *
 * First who opened it, as far as the flow itself shows; then, in the order of
 * policy-model, the first verdict that holds.  With less than a certain basis
 * the orientation that is documented is the one assumed.
 */
#include "policy/policy.h"

#include <string.h>

#include "policy/memo.h"

/* A health probe is short: a handshake with a long list of issuers, and room to retry. */
enum { PROBE_PACKETS_MAX = 64 };

struct question {
	const struct lya_policy *p;
	struct lya_policy_memo *memo;
	const struct lya_flow *flow;
	const struct lya_policy_end *ends;
};

/* What the flow itself shows of its opener, without any row. */
struct opening {
	int initiator; /* side; -1: nothing shown */
	enum lya_basis basis;
	enum lya_grade grade;
};

static struct opening read_opening(const struct lya_flow *flow)
{
	if (flow->syn_side >= 0)
		return (struct opening){ flow->syn_side, LYA_BASIS_SYN, LYA_GRADE_CERTAIN };
	if (flow->synack_side >= 0 && flow->synack_continued)
		return (struct opening){ 1 - flow->synack_side, LYA_BASIS_SYN_ACK,
			                 LYA_GRADE_CERTAIN };
	if (flow->app.client_side >= 0)
		return (struct opening){ flow->app.client_side, LYA_BASIS_PROTOCOL,
			                 LYA_GRADE_CERTAIN };
	if (flow->synack_side >= 0)
		return (struct opening){ 1 - flow->synack_side, LYA_BASIS_SYN_ACK,
			                 LYA_GRADE_STRONG };
	return (struct opening){ -1, LYA_BASIS_FIRST_PACKET, LYA_GRADE_HINT };
}

bool lya_policy_certain_responder(const struct lya_flow *flow, int *side)
{
	struct opening o = read_opening(flow);

	if (flow->unknown != LYA_UNKNOWN_NOT || o.initiator < 0 || o.grade != LYA_GRADE_CERTAIN)
		return false;
	*side = 1 - o.initiator;
	return true;
}

/* The best of what is left when neither the flow nor a row tells. */
static struct opening guess_opening(const struct lya_flow *flow, int listener_side)
{
	if (listener_side >= 0)
		return (struct opening){ 1 - listener_side, LYA_BASIS_KNOWN_LISTENER,
			                 LYA_GRADE_STRONG };
	if (flow->port[0] != flow->port[1])
		return (struct opening){ flow->port[0] > flow->port[1] ? 0 : 1,
			                 LYA_BASIS_PORT_ORDER, LYA_GRADE_HINT };
	return (struct opening){ flow->first_side, LYA_BASIS_FIRST_PACKET, LYA_GRADE_HINT };
}

static const struct policy_relation *relate(const struct question *q, int initiator,
                                            struct policy_relation *room)
{
	const struct lya_flow *f = q->flow;

	return policy_memo_relate(q->memo, q->p, &q->ends[initiator], &q->ends[1 - initiator],
	                          f->transport, f->port[initiator], f->port[1 - initiator], room);
}

/* STUN, TURN or media: what a load balancer must not rewrite. */
static bool has_av_payload(const struct lya_flow *flow)
{
	switch ((enum lya_app)flow->app.app) {
	case LYA_APP_STUN:
	case LYA_APP_MSTURN:
	case LYA_APP_PSEUDO_TLS:
	case LYA_APP_RTP:
	case LYA_APP_RTCP:
		return true;
	default:
		return false;
	}
}

/* Short, or as slow as a probe that keeps its source port is. */
static bool is_short(const struct lya_flow *flow)
{
	uint64_t packets = flow->packets[0] + flow->packets[1];
	uint64_t seconds = (uint64_t)(flow->last_ns - flow->first_ns) / UINT64_C(1000000000);

	return packets <= PROBE_PACKETS_MAX || packets <= 2 * seconds;
}

/* A bare connect: whatever the other side says to it, an alert or a banner, is no service. */
static bool says_nothing(const struct lya_flow *flow, int side)
{
	return flow->packets[side] > 0 && flow->payload_bytes[side] == 0;
}

static bool is_probe(const struct lya_flow *flow, int initiator,
                     const struct policy_relation *rel)
{
	return rel->probe && !flow->relayed && is_short(flow) &&
	       (!flow->app.service_payload || says_nothing(flow, initiator));
}

/*
 * Documented in this orientation, be it by a row, by a leg or as a probe.
 * Where a balancer's address and A/V payload meet at an A/V Edge, a row of
 * another service at the same address does not excuse it.
 */
static bool is_documented(const struct lya_flow *flow, int initiator,
                          const struct policy_relation *rel)
{
	if (is_probe(flow, initiator, rel))
		return true;
	if (rel->av_internal || (rel->av_rewrite && has_av_payload(flow)))
		return false;
	return rel->documented;
}

static void copy_rules(struct lya_verdict *out, const int16_t *rules, uint16_t n)
{
	memcpy(out->rules, rules, n * sizeof(rules[0]));
	out->n_rules = n;
}

static void tell_documented(const struct lya_flow *flow, int initiator,
                            const struct policy_relation *rel, struct lya_verdict *out)
{
	out->kind = LYA_VERDICT_DOCUMENTED;
	copy_rules(out, rel->rules, rel->n_rules);
	if (is_probe(flow, initiator, rel))
		out->leg = LYA_LEG_PROBE;
	else if (rel->balanced)
		out->leg = LYA_LEG_BALANCED;
	out->feature_off = rel->feature_off && out->leg != LYA_LEG_PROBE;
}

/*
 * Look for a documented orientation.  True when found: *o is then the opening
 * that the verdict stands on.
 */
static bool find_documented(const struct question *q, int listener_side, struct opening *o,
                            struct lya_verdict *out)
{
	struct policy_relation room[2];
	const struct policy_relation *rel[2];
	bool documented[2];
	int side;

	for (side = 0; side < 2; side++) {
		documented[side] = false;
		if (o->grade == LYA_GRADE_CERTAIN && o->initiator != side)
			continue;
		rel[side] = relate(q, side, &room[side]);
		documented[side] = is_documented(q->flow, side, rel[side]);
	}
	if (!documented[0] && !documented[1])
		return false;
	if (documented[0] && documented[1]) {
		if (o->initiator < 0 && rel[0]->width == rel[1]->width)
			*o = guess_opening(q->flow, listener_side); /* the ports do not tell */
		if (o->initiator >= 0)
			side = o->initiator;
		else
			side = rel[0]->width < rel[1]->width ? 0 : 1;
	} else {
		side = documented[0] ? 0 : 1;
	}
	if (side != o->initiator)
		*o = (struct opening){ side, LYA_BASIS_DOCUMENTED_PORT, LYA_GRADE_STRONG };
	tell_documented(q->flow, side, rel[side], out);
	return true;
}

/*
 * DHCP of clients, broadcasts and 0.0.0.0 included (internal.4.1, internal.4.12):
 * both ports are the row's, and one end plays no role.
 */
static bool find_dhcp(const struct question *q, struct opening *o, struct lya_verdict *out)
{
	const struct lya_policy *p = q->p;
	struct policy_walk walk = policy_walk(p, q->flow->port[0], q->flow->port[0]);

	if (q->flow->transport != 17)
		return false;
	for (int k; (k = policy_walk_next(&walk)) >= 0;) {
		if (p->rows[k].rule->statement || p->rows[k].rule->app != LYA_ROW_DHCP ||
		    !policy_row_has_port(&p->rows[k], q->flow->port[0]) ||
		    !policy_row_has_port(&p->rows[k], q->flow->port[1]))
			continue;
		if (out->n_rules < LYA_VERDICT_RULES_MAX)
			out->rules[out->n_rules++] = (int16_t)k;
	}
	if (out->n_rules == 0)
		return false;
	if (o->initiator < 0)
		*o = (struct opening){ q->flow->port[0] >= q->flow->port[1] ? 0 : 1,
			               LYA_BASIS_DOCUMENTED_PORT, LYA_GRADE_STRONG };
	out->kind = LYA_VERDICT_DOCUMENTED;
	return true;
}

static bool has_port(const struct lya_exception *e, uint16_t port)
{
	if (e->any_port)
		return true;
	for (size_t i = 0; i < e->n_ports; i++) {
		if (port >= e->ports[i].first && port <= e->ports[i].last)
			return true;
	}
	return false;
}

static bool exception_fits(const struct question *q, const struct lya_exception *e, int initiator)
{
	const struct lya_flow *f = q->flow;
	uint8_t t_bit = f->transport == 6 ? LYA_T_TCP : LYA_T_UDP;
	struct lya_endpoint ep[2];

	if (!(e->transports & t_bit) || !has_port(e, f->port[1 - initiator]))
		return false;
	for (int side = 0; side < 2; side++)
		ep[side] = (struct lya_endpoint){ .roles = q->ends[side].roles,
			                          .host = q->ends[side].host };
	return lya_site_match(&e->from, &f->addr[initiator], &ep[initiator]) &&
	       lya_site_match(&e->to, &f->addr[1 - initiator], &ep[1 - initiator]);
}

/* The first unexpired exception that fits, in the site's order; an expired one is noted. */
static bool find_waiver(const struct question *q, int initiator, struct lya_verdict *out)
{
	const struct lya_site *site = q->p->site;

	for (size_t i = 0; i < site->n_exceptions; i++) {
		const struct lya_exception *e = &site->exceptions[i];

		if (!exception_fits(q, e, initiator))
			continue;
		if (e->has_expiry && q->flow->first_ns >= e->expires_ns) {
			if (out->expired < 0)
				out->expired = (int32_t)i;
			continue;
		}
		out->exception = (int32_t)i;
		out->expired = -1; /* one in force is enough, wherever in the list it stands */
		out->kind = LYA_VERDICT_WAIVED;
		return true;
	}
	return false;
}

/* The exception in either orientation, when the opening is not certain. */
static bool find_waiver_any(const struct question *q, struct opening *o, struct lya_verdict *out)
{
	if (find_waiver(q, o->initiator, out))
		return true;
	if (o->grade == LYA_GRADE_CERTAIN || !find_waiver(q, 1 - o->initiator, out))
		return false;
	*o = (struct opening){ 1 - o->initiator, o->basis, LYA_GRADE_HINT };
	return true;
}

static const lya_roles plain_roles = LYA_ROLE_BIT(LYA_ROLE_CLIENT) |
                                     LYA_ROLE_BIT(LYA_ROLE_INTERNAL) |
                                     LYA_ROLE_BIT(LYA_ROLE_EXTERNAL);

static bool is_out_of_scope(const struct question *q)
{
	return ((q->ends[0].roles | q->ends[1].roles) & ~plain_roles) == 0;
}

/*
 * Candidates that two ends try before every call: nothing but STUN Binding with
 * ICE attributes, at one end a role that takes part in media.
 */
static bool is_ice_check(const struct question *q)
{
	const lya_roles media = LYA_ROLE_BIT(LYA_ROLE_FRONT_END) |
	                        LYA_ROLE_BIT(LYA_ROLE_MEDIATION) |
	                        LYA_ROLE_BIT(LYA_ROLE_EDGE_AV) | LYA_ROLE_BIT(LYA_ROLE_CLIENT);

	return q->flow->transport == 17 && q->flow->app.ice &&
	       q->flow->packets[0] + q->flow->packets[1] <= LYA_APP_ICE_MAX &&
	       ((q->ends[0].roles | q->ends[1].roles) & media) != 0;
}

/* The types that a verdict raises when nothing more is known of the flow. */
static bool is_plain(uint8_t finding)
{
	return finding == LYA_FINDING_WRONG_DIRECTION || finding == LYA_FINDING_UNEXPECTED_PORT ||
	       finding == LYA_FINDING_UNDOCUMENTED_PATH;
}

/* Nothing allows it: which of the three undocumented verdicts, and the nearest row. */
static void tell_undocumented(const struct question *q, const struct opening *o,
                              struct lya_verdict *out)
{
	struct policy_relation room;
	const struct policy_relation *rel = relate(q, o->initiator, &room);

	out->nearest = rel->nearest;
	out->but = rel->but;
	if (rel->av_rewrite) {
		out->kind = LYA_VERDICT_UNDOCUMENTED_PATH;
		out->finding = LYA_FINDING_AV_EDGE_SNAT;
		out->av_proven = has_av_payload(q->flow);
		out->av_internal = rel->av_internal;
	} else if (rel->mode_row >= 0) {
		out->kind = LYA_VERDICT_UNEXPECTED_PORT;
		out->finding = LYA_FINDING_WRONG_LOAD_BALANCING;
		out->nearest = rel->mode_row;
		out->but = LYA_BUT_MODE;
	} else if (rel->direction_row >= 0 && o->grade == LYA_GRADE_CERTAIN) {
		out->kind = LYA_VERDICT_WRONG_DIRECTION;
		out->finding = LYA_FINDING_WRONG_DIRECTION;
		out->nearest = rel->direction_row;
		out->but = LYA_BUT_DIRECTION;
	} else if (rel->n_reach > 0 || rel->mode_reach) {
		out->kind = LYA_VERDICT_UNEXPECTED_PORT;
		out->finding = rel->mode_reach ? LYA_FINDING_WRONG_LOAD_BALANCING
		                               : LYA_FINDING_UNEXPECTED_PORT;
		out->mixup = rel->mixup;
		copy_rules(out, rel->reach, rel->n_reach);
	} else {
		out->kind = LYA_VERDICT_UNDOCUMENTED_PATH;
		out->finding = LYA_FINDING_UNDOCUMENTED_PATH;
	}
}

/*
 * An exception allows a flow; it does not allow that a balancer rewrites addresses in front of
 * an A/V Edge, which is a matter of the balancer (edge.p.av-no-snat): what proves that stays.
 */
static void tell_waived(const struct question *q, const struct opening *o, struct lya_verdict *out)
{
	struct policy_relation room;
	const struct policy_relation *rel = relate(q, o->initiator, &room);

	if (!rel->av_rewrite || !has_av_payload(q->flow))
		return;
	out->nearest = rel->nearest;
	out->but = rel->but;
	out->finding = LYA_FINDING_AV_EDGE_SNAT;
	out->av_proven = true;
	out->av_internal = rel->av_internal;
}

static void judge_known(const struct question *q, int listener_side, struct opening *o,
                        struct lya_verdict *out)
{
	bool no_role = q->ends[0].no_role || q->ends[1].no_role || q->flow->group_dst;

	if (no_role ? find_dhcp(q, o, out) : find_documented(q, listener_side, o, out))
		return;
	if (o->initiator < 0)
		*o = guess_opening(q->flow, listener_side);
	if (no_role || is_out_of_scope(q))
		out->kind = LYA_VERDICT_OUT_OF_SCOPE;
	else if (find_waiver_any(q, o, out))
		tell_waived(q, o, out);
	else
		tell_undocumented(q, o, out);
	if (is_plain(out->finding) && is_ice_check(q))
		out->finding = LYA_FINDING_ICE_CHECK;
}

void lya_policy_judge(const struct lya_policy *p, struct lya_policy_memo *memo,
                      const struct lya_flow *flow, const struct lya_policy_end ends[static 2],
                      int listener_side, struct lya_verdict *out)
{
	struct question q = { .p = p, .memo = memo, .flow = flow, .ends = ends };
	struct opening o = read_opening(flow);

	*out = (struct lya_verdict){ .nearest = -1, .mixup = -1, .exception = -1, .expired = -1 };
	if (flow->unknown != LYA_UNKNOWN_NOT) {
		o = (struct opening){ flow->first_side, LYA_BASIS_FIRST_PACKET, LYA_GRADE_HINT };
		if (ends[0].no_role || ends[1].no_role || flow->group_dst || is_out_of_scope(&q))
			out->kind = LYA_VERDICT_OUT_OF_SCOPE;
		else
			out->kind = LYA_VERDICT_UNDETERMINED;
	} else {
		judge_known(&q, listener_side, &o, out);
	}
	out->initiator = (uint8_t)o.initiator;
	out->basis = (uint8_t)o.basis;
	out->grade = (uint8_t)o.grade;
}
