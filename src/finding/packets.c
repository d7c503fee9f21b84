/*
 * packets.c - the packets that findings name, while they are still being found.
 */
#include "finding/ledger.h"

static void leg_show(const struct lya_snat_leg *leg, const struct lya_packet_visitor *v)
{
	const struct lya_packet_place place = { leg->packet, leg->time_ns, leg->source };

	v->packet(v->ctx, &place);
}

static void legs_each(const struct lya_snat_proof *proof, const struct lya_snat_relay *relay,
		       const struct lya_packet_visitor *v)
{
	for (size_t i = 0; proof != NULL && i < proof->n_legs; i++)
		leg_show(&proof->legs[i], v);
	if (relay != NULL)
		leg_show(&relay->leg, v);
}

static void samples_each(const struct lya_finding_sample *samples, size_t n,
			 const struct lya_packet_visitor *v)
{
	for (size_t i = 0; i < n; i++) {
		const struct lya_packet_place place = { samples[i].packet, samples[i].first_ns,
							samples[i].source };

		v->packet(v->ctx, &place);
	}
}

void entry_each_packet(const struct entry *e, const struct lya_packet_visitor *v)
{
	samples_each(e->samples, e->n_samples, v);
	legs_each(e->snat, e->relay, v);
}

void split_each_packet(const struct split *s, const struct lya_packet_visitor *v)
{
	for (size_t i = 0; i < s->n; i++)
		entry_each_packet(s->list[i].entry, v);
}

static void folds_each_packet(const struct folds *f, const struct lya_packet_visitor *v)
{
	for (size_t i = 0; i < f->n; i++) {
		const struct pair *p = f->heap[i];

		if (p->scan != NULL)
			entry_each_packet(p->scan, v);
		for (size_t k = 0; k < p->n_entries; k++)
			entry_each_packet(p->entries[k], v);
	}
}

void lya_ledger_each_packet(const struct lya_ledger *l, const struct lya_packet_visitor *v)
{
	folds_each_packet(&l->folds, v);
	attempts_each_packet(&l->overall.attempts, v);
	gateway_each_packet(&l->overall.gateway, v);
	for (size_t i = 0; i < l->overall.n_pools; i++) {
		for (unsigned way = 0; way < SIP_WAYS; way++)
			split_each_packet(&l->overall.sip[i][way], v);
	}
}

void lya_finding_each_packet(const struct lya_finding *f, const struct lya_packet_visitor *v)
{
	samples_each(f->samples, f->n_samples, v);
	legs_each(f->snat, f->relay, v);
}
