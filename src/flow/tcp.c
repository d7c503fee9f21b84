/*
 * tcp.c - what a TCP flow's packets say of its state.
 *
 * Order is not to be relied upon: merged mirror ports deliver a SYN-ACK before
 * its SYN and an ACK before either.  So the state is never stepped along; the
 * evidence is collected and read at the end.
 */
#include "flow/table.h"

#include <string.h>

#include "lyncaudit/timeutil.h"

/*
 * Two ports mirrored into one may swap neighbouring packets by this much: a
 * SYN that comes so soon after a flow's first packet belongs to it.
 */
#define SWAPPED_NS INT64_C(50000000)

/* A live connection must have been quiet for this long before a SYN counts as its successor. */
enum { REUSE_QUIET_S = 1 };

bool flow_tcp_established(const struct flow_hot *h)
{
	int syn = flow_syn_side(h);

	if (flow_is(h, FLOW_SYNACK))
		return true;
	/* the SYN-ACK was missed, but not that both went on from it */
	return syn >= 0 && (flow_went(h, syn) || h->count[FLOW_PAYLOAD][!syn] != 0);
}

static bool is_midstream(const struct flow_hot *h)
{
	return !flow_is(h, FLOW_SYN | FLOW_SYNACK);
}

uint8_t flow_tcp_state(const struct flow_hot *h)
{
	if (is_midstream(h))
		return LYA_STATE_MIDSTREAM;
	if (!flow_tcp_established(h))
		return flow_is(h, FLOW_REFUSED) ? LYA_STATE_REFUSED : LYA_STATE_ATTEMPTED;
	if (flow_is(h, FLOW_RESET))
		return LYA_STATE_RESET;
	return flow_both_fin(h) ? LYA_STATE_CLOSED : LYA_STATE_ESTABLISHED;
}

bool flow_tcp_answered(const struct flow_hot *h)
{
	int opener = flow_syn_side(h);
	int back;

	if (flow_is(h, FLOW_SYNACK))
		return true;
	if (opener < 0)
		opener = flow_is(h, FLOW_FIRST_1);
	back = !opener;
	if (flow_is(h, FLOW_SYN))
		return h->count[FLOW_PAYLOAD][back] != 0 ||
		       (h->count[FLOW_PACKETS][back] != 0 &&
			flow_is(h, FLOW_REFUSED | FLOW_RESET));
	return h->count[FLOW_PACKETS][back] != 0;
}

/* True once the flow is over for its own part and another may take its ports. */
static bool is_over(const struct flow_hot *h)
{
	return flow_is(h, FLOW_RESET) || flow_both_fin(h) ||
	       (flow_is(h, FLOW_REFUSED) && !flow_tcp_established(h));
}

/* The VLANs of the flow's first packet, when side sent it, are not those of path. */
static bool other_vlans(const struct lya_flow_table *t, uint32_t n, unsigned side,
			const struct lya_path *path)
{
	uint32_t origin = flow_cold_at(t, n)->origin;
	const struct flow_origin *first;

	if (origin == 0 || flow_is(flow_hot_at(t, n), FLOW_FIRST_1) != (side == 1))
		return false; /* the ways there and back may well differ */
	first = flow_intern_at(&t->origins, origin);
	return path->n_vlan != first->n_vlan ||
	       memcmp(path->vlan, first->vlan, path->n_vlan * sizeof(path->vlan[0])) != 0;
}

static bool is_quiet(const struct lya_flow_table *t, const struct flow_hot *h)
{
	return (uint16_t)((uint64_t)t->now_s - h->seen_s) > REUSE_QUIET_S;
}

/* A SYN on the ports of a flow that was there before. */
static enum flow_fit fit_syn(const struct lya_flow_table *t, uint32_t n, unsigned side,
			     const struct lya_packet *pkt)
{
	const struct flow_hot *h = flow_hot_at(t, n);
	const struct flow_cold *c = flow_cold_at(t, n);
	int syn = flow_syn_side(h);
	int opener = syn >= 0 ? syn : flow_is(h, FLOW_SYNACK) ? !flow_synack_side(h) : -1;

	if (opener == (int)side && lya_packet_seq(pkt) == c->isn)
		return FLOW_FIT_SAME; /* sent again, or behind its own SYN-ACK */
	if (is_over(h))
		return FLOW_FIT_FRESH;
	if (opener < 0 && pkt->time_ns - c->first_ns <= SWAPPED_NS)
		return FLOW_FIT_SAME;
	if (other_vlans(t, n, side, &pkt->path))
		return FLOW_FIT_SPLIT;
	if (opener < 0)
		return FLOW_FIT_FRESH; /* the end of an older connection was seen */
	if (!flow_tcp_established(h))
		return FLOW_FIT_SAME; /* one more try, or both open at once */
	return is_quiet(t, h) ? FLOW_FIT_FRESH : FLOW_FIT_SAME;
}

static enum flow_fit fit_synack(const struct lya_flow_table *t, uint32_t n,
				const struct lya_packet *pkt)
{
	const struct flow_hot *h = flow_hot_at(t, n);

	if (!is_over(h) || (!is_midstream(h) && lya_packet_ack(pkt) - 1 == flow_cold_at(t, n)->isn))
		return FLOW_FIT_SAME;
	return FLOW_FIT_FRESH;
}

enum flow_fit flow_tcp_fit(const struct lya_flow_table *t, uint32_t n, unsigned side,
			   const struct lya_packet *pkt)
{
	if ((pkt->tcp_flags & (LYA_TCP_SYN | LYA_TCP_RST)) != LYA_TCP_SYN)
		return FLOW_FIT_SAME;
	if ((pkt->tcp_flags & LYA_TCP_ACK) != 0)
		return fit_synack(t, n, pkt);
	return fit_syn(t, n, side, pkt);
}

static void note_syn(struct lya_flow_table *t, uint32_t n, unsigned side,
		     const struct lya_packet *pkt)
{
	struct flow_hot *h = flow_hot_at(t, n);

	if (flow_is(h, FLOW_SYN)) {
		if (flow_syn_side(h) == (int)side && !flow_is(h, FLOW_SYNACK))
			flow_cold_at(t, n)->isn =
			    lya_packet_seq(pkt); /* the next try's answer must be known */
		return;
	}
	flow_set(h, side == 1 ? FLOW_SYN | FLOW_SYN_1 : FLOW_SYN);
	flow_cold_at(t, n)->isn = lya_packet_seq(pkt);
}

static void note_synack(struct lya_flow_table *t, uint32_t n, unsigned side,
			const struct lya_packet *pkt)
{
	struct flow_hot *h = flow_hot_at(t, n);

	if (flow_is(h, FLOW_SYNACK))
		return;
	flow_set(h, side == 1 ? FLOW_SYNACK | FLOW_SYNACK_1 : FLOW_SYNACK);
	if (!flow_is(h, FLOW_SYN))
		flow_cold_at(t, n)->isn = lya_packet_ack(pkt) - 1;
}

static void note_rst(struct flow_hot *h, unsigned side)
{
	if (is_midstream(h) || flow_tcp_established(h)) {
		if (!flow_both_fin(h))
			flow_set(h, FLOW_RESET);
	} else if (flow_syn_side(h) != (int)side) {
		flow_set(h, FLOW_REFUSED);
	}
}

/* Call before the packet is counted. */
void flow_tcp_note(struct lya_flow_table *t, uint32_t n, unsigned side,
		   const struct lya_packet *pkt)
{
	struct flow_hot *h = flow_hot_at(t, n);
	unsigned flags = pkt->tcp_flags;

	if ((flags & LYA_TCP_RST) != 0)
		note_rst(h, side);
	else if ((flags & LYA_TCP_ACK) != 0)
		note_synack(t, n, side, pkt);
	else
		note_syn(t, n, side, pkt);
}
