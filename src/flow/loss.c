/*
 * loss.c - bytes that were acknowledged and never seen: what the mirror lost.
 *
 * The receiver of a connection acknowledges what reached it.  A byte that it
 * acknowledges and that is not in the capture was lost on the way to the
 * sensor, not on the network.  Per side the highest byte seen is known, and
 * how many below it are missing; an ACK that covers them makes them lost.
 * Which ones are missing is not kept, so that a side is eight bytes: any byte
 * that comes late fills a hole.  That errs to the smaller loss, and forgives
 * merged mirrors that swap data and ACK.
 *
 * A fixed number of flows is followed; others pay one bit of their flags.  A
 * flow has one place, by its number, so that the choice depends on packets
 * alone.
 */
#include "flow/table.h"

#include "lyncaudit/alloc.h"

/*
 * A step beyond this is no hole: a reused port, a forged segment, or an outage
 * that shows as silence.  It is the largest window that hosts use in practice.
 */
enum { STEP_MAX = 16 << 20 };

int flow_losses_init(struct lya_flow_table *t)
{
	t->losses = lya_map_pages(FLOW_LOSSES * sizeof(*t->losses));
	return t->losses == NULL ? LYA_ENOMEM : LYA_OK;
}

void flow_losses_fini(struct lya_flow_table *t)
{
	lya_unmap_pages(t->losses, FLOW_LOSSES * sizeof(*t->losses));
}

void flow_loss_begin(struct lya_flow_table *t, uint32_t n)
{
	struct flow_loss *l = flow_loss_at(t, n);

	if (l->owner != 0)
		return;
	*l = (struct flow_loss){ .owner = n };
	if (t->shares.measured != NULL)
		t->shares.measured[n & (FLOW_LOSSES - 1)] = 0;
	flow_set(flow_hot_at(t, n), FLOW_MEASURED);
}

void flow_loss_end(struct lya_flow_table *t, uint32_t n)
{
	struct flow_hot *h = flow_hot_at(t, n);

	if (!flow_is(h, FLOW_MEASURED))
		return;
	flow_loss_at(t, n)->owner = 0;
	h->flags = (uint16_t)(h->flags & ~(unsigned)FLOW_MEASURED);
}

static void add_capped(uint32_t *sum, uint32_t n)
{
	*sum = n > UINT32_MAX - *sum ? UINT32_MAX : *sum + n;
}

/* Bytes that came late: they were neither missing nor lost. */
static void fill(struct flow_loss *l, unsigned side, uint32_t len)
{
	uint32_t holes = l->side[side].missing < len ? l->side[side].missing : len;

	l->side[side].missing -= holes;
	len -= holes;
	l->side[side].lost -= l->side[side].lost < len ? l->side[side].lost : len;
}

static void note_bytes(struct flow_loss *l, unsigned side, const struct lya_packet *pkt)
{
	uint32_t len = pkt->payload_len + ((pkt->tcp_flags & LYA_TCP_SYN) != 0) +
		       ((pkt->tcp_flags & LYA_TCP_FIN) != 0);
	uint32_t end = lya_packet_seq(pkt) + len;
	int32_t ahead = (int32_t)(lya_packet_seq(pkt) - l->side[side].next);
	int32_t grows = (int32_t)(end - l->side[side].next);

	if (!l->known[side] || ahead > STEP_MAX || ahead < -STEP_MAX ||
	    (ahead > 0 && (pkt->tcp_flags & LYA_TCP_SYN) != 0)) {
		l->known[side] = true;
		l->side[side].next = end;
		l->side[side].missing = 0;
		return;
	}
	if (ahead > 0)
		add_capped(&l->side[side].missing, (uint32_t)ahead);
	else if (ahead < 0)
		fill(l, side, grows > 0 ? (uint32_t)-ahead : len);
	if (grows > 0)
		l->side[side].next = end;
}

/* `side` hears that the other one has everything up to ack. */
static void note_ack(struct flow_loss *l, unsigned side, uint32_t ack)
{
	int32_t ahead = (int32_t)(ack - l->side[side].next);

	if (!l->known[side] || ahead < 0 || ahead > STEP_MAX)
		return;
	add_capped(&l->side[side].missing, (uint32_t)ahead);
	add_capped(&l->side[side].lost, l->side[side].missing);
	l->side[side].missing = 0;
	l->side[side].next = ack;
}

/* True for what most segments are, which is noted: the next bytes in order, nothing new in ACK. */
static inline bool goes_on(struct flow_loss *l, unsigned side, const struct lya_packet *pkt)
{
	const unsigned flags = LYA_TCP_SYN | LYA_TCP_FIN | LYA_TCP_RST | LYA_TCP_ACK;

	if ((pkt->tcp_flags & flags) != LYA_TCP_ACK || pkt->is_fragment || !l->known[side] ||
	    lya_packet_seq(pkt) != l->side[side].next ||
	    (int32_t)(lya_packet_ack(pkt) - l->side[!side].next) > 0 ||
	    l->side[!side].missing != 0)
		return false;
	l->side[side].next += pkt->payload_len;
	return true;
}

static void note(struct lya_flow_table *t, uint32_t n, unsigned side, const struct lya_packet *pkt)
{
	struct flow_loss *l = flow_loss_at(t, n);

	if (pkt->is_fragment) { /* where its other parts belong is not known */
		flow_loss_end(t, n);
		return;
	}
	if (pkt->tcp_flags == 0 || (pkt->tcp_flags & LYA_TCP_RST) != 0)
		return; /* cut before the flags, or numbered by someone who was not listening */
	note_bytes(l, side, pkt);
	if ((pkt->tcp_flags & LYA_TCP_ACK) != 0)
		note_ack(l, !side, lya_packet_ack(pkt));
}

void flow_loss_drain(struct lya_flow_table *t)
{
	struct flow_dues *d = &t->measured;

	for (unsigned i = 0; i < d->n; i++) {
		const struct flow_due *due = &d->list[i];
		struct flow_loss *l = flow_loss_at(t, due->flow);

		if (l->owner == due->flow && !goes_on(l, due->side, due->pkt))
			note(t, due->flow, due->side, due->pkt);
	}
	d->n = 0;
}

void flow_loss_tell(const struct lya_flow_table *t, uint32_t n, struct lya_flow *f)
{
	const struct flow_loss *l = flow_loss_at(t, n);

	if (!flow_is(flow_hot_at(t, n), FLOW_MEASURED))
		return;
	f->measured = l->known[0] && l->known[1];
	f->lost_bytes[0] = l->side[0].lost;
	f->lost_bytes[1] = l->side[1].lost;
	if (t->shares.measured != NULL)
		f->measured_before = t->shares.measured[n & (FLOW_LOSSES - 1)];
}

void flow_loss_again(struct lya_flow_table *t, uint32_t n, const struct lya_flow *f)
{
	struct flow_loss *l = flow_loss_at(t, n);

	if (!flow_is(flow_hot_at(t, n), FLOW_MEASURED))
		return;
	l->side[0].lost = l->side[1].lost = 0;
	t->shares.measured[n & (FLOW_LOSSES - 1)] = f->payload_bytes[0] + f->payload_bytes[1];
}
