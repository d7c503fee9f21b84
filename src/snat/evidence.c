/*
 * evidence.c - what is known of a flow that has ended, and what becomes of its
 * verdict.
 */
#include "snat/snat.h"

#include <string.h>

static const char *const names[LYA_SNAT_KINDS] = {
	"paired-transaction", "paired-connection", "mapped-address",
	"reply-from-vip",     "rewritten-source",  "sticky-vip",
};

const char *lya_snat_kind_name(unsigned number)
{
	return names[number];
}

static const lya_roles NODES =
    LYA_ROLE_BIT(LYA_ROLE_EDGE_AV) | LYA_ROLE_BIT(LYA_ROLE_EDGE_INTERNAL);
static const lya_roles VIPS =
    LYA_ROLE_BIT(LYA_ROLE_EDGE_AV_VIP) | LYA_ROLE_BIT(LYA_ROLE_EDGE_INTERNAL_VIP);

/* Order and merging: the same whatever comes first ---------------------------------- */

static int compare(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int compare_legs(const struct lya_snat_leg *a, const struct lya_snat_leg *b)
{
	int cmp;

	if (a->time_ns != b->time_ns)
		return a->time_ns < b->time_ns ? -1 : 1;
	if ((cmp = lya_addr_cmp(&a->client, &b->client)) != 0 ||
	    (cmp = lya_addr_cmp(&a->server, &b->server)) != 0 ||
	    (cmp = compare(a->client_port, b->client_port)) != 0 ||
	    (cmp = compare(a->server_port, b->server_port)) != 0 ||
	    (cmp = compare(a->source, b->source)) != 0)
		return cmp;
	return compare(a->packet, b->packet);
}

static int compare_proofs(const struct lya_snat_proof *a, const struct lya_snat_proof *b)
{
	int cmp;

	if (a->kind == 0 || b->kind == 0)
		return compare(a->kind == 0, b->kind == 0);
	if ((cmp = compare(a->kind, b->kind)) != 0 ||
	    (cmp = compare_legs(&a->legs[0], &b->legs[0])) != 0 ||
	    (cmp = compare(a->n_legs, b->n_legs)) != 0)
		return cmp;
	if (a->n_legs == 2 && (cmp = compare_legs(&a->legs[1], &b->legs[1])) != 0)
		return cmp;
	return memcmp(a->value, b->value, sizeof(a->value));
}

bool lya_snat_merge_proof(struct lya_snat_proof *to, const struct lya_snat_proof *from)
{
	if (compare_proofs(from, to) >= 0)
		return false;
	*to = *from;
	return true;
}

/* All faults; the ends of the earliest answer. */
bool lya_snat_merge_relay(struct lya_snat_relay *to, const struct lya_snat_relay *from)
{
	uint8_t faults = to->faults | from->faults;
	bool taken =
	    from->faults != 0 && (to->faults == 0 || compare_legs(&from->leg, &to->leg) < 0);

	if (taken)
		*to = *from;
	to->faults = faults;
	return taken;
}

/* What a flow shows as a whole --------------------------------------------------------- */

static bool has_av_payload(const struct lya_flow *flow)
{
	switch ((enum lya_app)flow->app.app) {
	case LYA_APP_STUN:
	case LYA_APP_MSTURN:
	case LYA_APP_RTP:
	case LYA_APP_RTCP:
		return true;
	default:
		return false;
	}
}

static void leg_of_flow(const struct lya_flow *flow, unsigned client, struct lya_snat_leg *leg)
{
	*leg = (struct lya_snat_leg){
		.client = flow->addr[client],
		.server = flow->addr[!client],
		.client_port = flow->port[client],
		.server_port = flow->port[!client],
		.source = flow->source,
		.packet = flow->number,
		.time_ns = flow->first_ns,
		.digits = flow->digits,
	};
}

static void add(struct lya_snat_evidence *e, unsigned kind, const struct lya_flow *flow,
		unsigned client, bool proven)
{
	struct lya_snat_proof p = { .kind = (uint8_t)kind, .n_legs = 1 };

	leg_of_flow(flow, client, &p.legs[0]);
	e->kinds = (uint16_t)(e->kinds | kind);
	e->proven = e->proven || proven;
	(void)lya_snat_merge_proof(&e->proof, &p);
}

/*
 * Ports of the relay are a node's own; media that leave from them with the
 * VIP's address have been rewritten.
 */
static void look_at_media_port(const struct lya_snat *s, const struct lya_flow *flow, unsigned vip,
			       struct lya_snat_evidence *e)
{
	if (!snat_has_port(&s->places.relay, flow->port[vip]) || flow->payload_bytes[vip] == 0 ||
	    !has_av_payload(flow))
		return;
	e->media_port = true;
	add(e, LYA_SNAT_REPLY_FROM_VIP, flow, !vip, true);
}

/*
 * After an allocation media go to the node itself (edge.p.av-client-to-server).
 * It is granted by the VIP, or the documented way by the node, in a flow of its
 * own.  A TCP connection cannot move, so this is asked of UDP alone.
 */
static void look_at_media(const struct lya_flow *flow, unsigned vip, struct lya_snat_evidence *e)
{
	bool granted = e->allocated || (flow->app.seen & LYA_SEEN_TURN_OK) != 0;

	if (flow->transport == 17 && granted && (flow->app.seen & LYA_SEEN_MEDIA) != 0)
		add(e, LYA_SNAT_STICKY_VIP, flow, !vip, false);
}

static void look_at_flow(const struct lya_snat *s, const struct lya_flow *flow,
			 const struct lya_policy_end ends[static 2], struct lya_snat_evidence *e)
{
	for (unsigned side = 0; side < 2; side++) {
		if ((ends[side].roles & VIPS) == 0 || (ends[!side].roles & (NODES | VIPS)) != 0 ||
		    snat_is_balancer(s, &flow->addr[!side]))
			continue;
		if ((ends[side].roles & LYA_ROLE_BIT(LYA_ROLE_EDGE_AV_VIP)) != 0)
			look_at_media_port(s, flow, side, e);
		else
			e->internal = true;
		look_at_media(flow, side, e);
	}
}

const struct lya_snat_evidence *lya_snat_found(const struct lya_snat *s,
					       const struct lya_flow *flow)
{
	const struct snat_note *note;

	if (flow->unknown != LYA_UNKNOWN_NOT || !snat_may_be_beside(&s->places, flow->addr))
		return NULL;
	note = snat_note_of(s, flow);
	return note != NULL ? &note->found : NULL;
}

bool lya_snat_flow(const struct lya_snat *s, const struct lya_flow *flow,
		   const struct lya_policy_end ends[static 2],
		   const struct lya_snat_evidence *found, struct lya_snat_evidence *e)
{
	if (((ends[0].roles | ends[1].roles) & (NODES | VIPS)) == 0)
		return false;
	*e = found != NULL ? *found : (struct lya_snat_evidence){ .client_side = -1 };
	if (flow->unknown != LYA_UNKNOWN_NOT)
		return false;
	look_at_flow(s, flow, ends, e);
	return e->kinds != 0 || e->relay.faults != 0 || e->relayed || e->answered ||
	       e->client_side >= 0;
}

/* Before and after the verdict ----------------------------------------------------------- */

void lya_snat_join(const struct lya_snat_evidence *e, struct lya_flow *flow)
{
	flow->relayed = flow->relayed || e->relayed;
	flow->answered = flow->answered || e->answered;
	if (e->client_side >= 0 && flow->app.client_side < 0)
		flow->app.client_side = e->client_side;
}

/* The findings that a verdict raises by itself when nothing allows the flow. */
static bool is_plain(uint8_t finding)
{
	return finding == LYA_FINDING_WRONG_DIRECTION || finding == LYA_FINDING_UNEXPECTED_PORT ||
	       finding == LYA_FINDING_UNDOCUMENTED_PATH ||
	       finding == LYA_FINDING_WRONG_LOAD_BALANCING;
}

void lya_snat_forgive(struct lya_snat_evidence *e)
{
	if (e->kinds != LYA_SNAT_STICKY_VIP) /* that is about another statement */
		e->kinds = 0;
	e->proven = false;
	e->media_port = false;
}

void lya_snat_judge(struct lya_snat_evidence *e, const struct lya_flow *flow,
		    struct lya_verdict *v)
{
	const unsigned paired = LYA_SNAT_PAIRED_TRANSACTION | LYA_SNAT_PAIRED_CONNECTION;

	if (v->kind == LYA_VERDICT_UNDETERMINED ||
	    (v->kind == LYA_VERDICT_WAIVED && !e->proven && !v->av_proven))
		return;
	if (is_plain(v->finding) && ((e->kinds & paired) != 0 || e->media_port))
		v->finding = LYA_FINDING_AV_EDGE_SNAT;
	if (v->finding == LYA_FINDING_AV_EDGE_SNAT && v->av_proven) {
		e->internal = v->av_internal;
		add(e, LYA_SNAT_REWRITTEN_SOURCE, flow, v->initiator, true);
	}
	if (e->kinds == 0 && e->relay.faults == 0)
		return;
	if (e->kinds != 0) {
		v->av_proven = e->proven;
		v->av_internal = e->internal;
	}
	v->snat = e;
}
