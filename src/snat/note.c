/*
 * note.c - what is known of a flow, until it ends.
 *
 * A note belongs to the packets that made it: a later flow with the same ends
 * has another time, and a note of its own.
 */
#include "snat/snat.h"

#include <string.h>

#include "lyncaudit/timeutil.h"

/* A client's port comes again after minutes; what was noted before is another flow's. */
static const int64_t FRESH_NS = LYA_FLOW_UDP_IDLE_S * LYA_SECOND_NS;

static struct snat_note_key key_of(const struct lya_snat_leg *leg, uint8_t transport)
{
	int order = lya_addr_cmp(&leg->client, &leg->server);
	int client = order < 0 || (order == 0 && leg->client_port <= leg->server_port) ? 0 : 1;
	struct snat_note_key key;

	memset(&key, 0, sizeof(key));
	key.addr[client] = leg->client;
	key.addr[1 - client] = leg->server;
	key.port[client] = leg->client_port;
	key.port[1 - client] = leg->server_port;
	key.transport = transport;
	return key;
}

struct snat_note *snat_note_find(const struct lya_snat *s, const struct lya_snat_leg *leg,
				 uint8_t transport)
{
	struct snat_note_key key = key_of(leg, transport);
	struct snat_note *note =
	    snat_table_find(&s->notes, snat_table_hash(&s->notes, &key), &key);

	return note != NULL && snat_between(note->last_ns, leg->time_ns) <= FRESH_NS ? note : NULL;
}

struct snat_note *snat_note(struct lya_snat *s, const struct lya_snat_leg *leg, uint8_t transport)
{
	struct snat_note_key key = key_of(leg, transport);
	struct snat_note *note = snat_note_find(s, leg, transport), *old;

	if (note == NULL) {
		old = snat_table_oldest(&s->notes);
		if (old != NULL && snat_between(old->last_ns, s->now_ns) <= FRESH_NS)
			s->stats.dropped++;
		note = snat_table_put(&s->notes, snat_table_hash(&s->notes, &key), &key);
		note->first_ns = note->last_ns = leg->time_ns;
		note->found.client_side = -1;
	}
	if (leg->time_ns < note->first_ns)
		note->first_ns = leg->time_ns;
	if (leg->time_ns > note->last_ns)
		note->last_ns = leg->time_ns;
	return note;
}

struct snat_note *snat_note_of(const struct lya_snat *s, const struct lya_flow *flow)
{
	struct snat_note_key key;
	struct snat_note *note;

	memset(&key, 0, sizeof(key));
	memcpy(key.addr, flow->addr, sizeof(key.addr));
	memcpy(key.port, flow->port, sizeof(key.port));
	key.transport = flow->transport;
	for (note = snat_table_find(&s->notes, snat_table_hash(&s->notes, &key), &key); note != NULL;
	     note = snat_table_again(&s->notes, note))
		if (note->first_ns <= flow->last_ns && note->last_ns >= flow->first_ns)
			return note;
	return NULL;
}

static void observe_leg(const struct lya_snat *s, const struct lya_snat_leg *leg)
{
	if (s->options.observer.leg != NULL)
		s->options.observer.leg(s->options.observer.ctx, leg);
}

void snat_note_proof(const struct lya_snat *s, struct snat_note *note,
		     const struct lya_snat_proof *proof, bool proven, bool internal)
{
	struct lya_snat_evidence *e = &note->found;

	e->kinds = (uint16_t)(e->kinds | proof->kind);
	e->proven = e->proven || proven;
	e->internal = internal;
	if (!lya_snat_merge_proof(&e->proof, proof))
		return;
	for (size_t i = 0; i < proof->n_legs; i++)
		observe_leg(s, &proof->legs[i]);
}

void snat_note_relay(const struct lya_snat *s, struct snat_note *note,
		     const struct lya_snat_relay *relay)
{
	if (lya_snat_merge_relay(&note->found.relay, relay))
		observe_leg(s, &relay->leg);
}
