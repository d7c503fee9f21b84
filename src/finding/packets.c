/*
 * packets.c - the packets that findings name, while they are still being found.
 */
#include "finding/ledger.h"

static void legs_each(const struct lya_snat_proof *proof, const struct lya_snat_relay *relay,
		       const struct lya_packet_visitor *v)
{
	for (size_t i = 0; proof != NULL && i < proof->n_legs; i++)
		v->packet(v->ctx, proof->legs[i].source, proof->legs[i].packet);
	if (relay != NULL)
		v->packet(v->ctx, relay->leg.source, relay->leg.packet);
}

void entry_each_packet(const struct entry *e, const struct lya_packet_visitor *v)
{
	for (size_t i = 0; i < e->n_samples; i++)
		v->packet(v->ctx, e->samples[i].source, e->samples[i].packet);
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
	for (size_t i = 0; i < f->n_samples; i++)
		v->packet(v->ctx, f->samples[i].source, f->samples[i].packet);
	legs_each(f->snat, f->relay, v);
}
