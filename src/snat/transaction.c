/*
 * transaction.c - the same STUN or TURN transaction on both legs.
 *
 * A transaction id is 96 or 128 random bits, so one that is seen on the way to
 * a VIP and on the way to a node is one message on two legs.  Which client
 * stands on each leg is told by requests and by answers alike.  Sightings with
 * the same ends (retransmissions, answers) are the same leg and prove nothing.
 *
 *	client -> VIP, client -> node     the source was preserved
 *	client -> VIP, other  -> node     it was rewritten, be it only the port
 *	client -> VIP, node -> client     preserved, and answered the documented way
 *	client -> node, VIP -> client     the answer leaves from the VIP
 */
#include "snat/snat.h"

#include <string.h>

#include "lyncaudit/timeutil.h"

enum { UDP = 17, SNAT_ID = 16 };

static const int64_t WINDOW_NS = SNAT_TRANSACTION_MS * (LYA_SECOND_NS / 1000);

/* One message as a sighting of its transaction. */
struct sighting {
	const uint8_t *id;
	const struct lya_stun *msg; /* of an answer */
	const struct snat_place *place; /* the server's end */
	struct lya_snat_leg leg;
	uint8_t transport;
	bool answer;
};

static struct lya_snat_proof proof_of(const struct sighting *m, unsigned kind)
{
	struct lya_snat_proof p = { .kind = (uint8_t)kind, .key = LYA_SNAT_BY_ID,
		                    .value_len = SNAT_ID, .n_legs = 1 };

	memcpy(p.value, m->id, SNAT_ID);
	p.legs[0] = m->leg;
	return p;
}

/* Counting ------------------------------------------------------------------------ */

static struct lya_snat_sums *sums_at(struct lya_snat *s, const struct snat_transaction *t)
{
	return t->sums == 0 ? NULL : &s->sums[t->sums - 1];
}

/* Each transaction counts once; one of whose sightings shows rewriting is rewritten. */
static void count(struct lya_snat *s, struct snat_transaction *t, enum snat_state state)
{
	struct lya_snat_sums *sums = sums_at(s, t);

	if (sums != NULL && state == SNAT_PRESERVED) {
		sums->transactions_preserved++;
		s->stats.all.transactions_preserved++;
	} else if (sums != NULL) {
		if (t->state == SNAT_PRESERVED) {
			sums->transactions_preserved--;
			s->stats.all.transactions_preserved--;
		}
		sums->transactions_rewritten++;
		s->stats.all.transactions_rewritten++;
	}
	t->state = (uint8_t)state;
}

void snat_transaction_close(struct lya_snat *s, const struct snat_transaction *t, bool dropped)
{
	if (t->state != SNAT_OPEN || t->reply || !t->external || !t->asked[0])
		return;
	if (dropped)
		s->stats.dropped++;
	else
		s->stats.unpaired++;
}

/* Pairing ------------------------------------------------------------------------- */

/* The answer to what the node was asked comes from the VIP; it is an answer all the same. */
static void note_reply(struct lya_snat *s, struct snat_transaction *t, const struct sighting *m)
{
	struct lya_snat_proof p = proof_of(m, LYA_SNAT_REPLY_FROM_VIP);

	t->reply = true;
	p.n_legs = 2;
	p.legs[0] = t->legs[1];
	p.legs[1] = t->legs[0];
	snat_note_proof(snat_note(s, &t->legs[0], m->transport), &p, true, m->place->internal);
	snat_note(s, &t->legs[1], m->transport)->found.answered = true;
}

static void note_rewritten(struct lya_snat *s, const struct snat_transaction *t,
			   const struct sighting *m)
{
	struct lya_snat_proof p = proof_of(m, LYA_SNAT_PAIRED_TRANSACTION);
	struct snat_note *note = snat_note(s, &t->legs[1], m->transport);

	p.n_legs = 2;
	p.legs[0] = t->legs[0];
	p.legs[1] = t->legs[1];
	note->found.relayed = true;
	snat_note_proof(note, &p, true, m->place->internal);
}

/* The node answers the client itself: two flows of one side each are one dialogue. */
static void note_answered(struct lya_snat *s, const struct snat_transaction *t,
			  const struct sighting *m)
{
	const struct lya_snat_leg *leg = &t->legs[1];
	struct snat_note *note = snat_note(s, leg, m->transport);

	note->found.client_side = (int8_t)(lya_addr_cmp(&note->key.addr[0], &leg->client) != 0 ||
	                                   note->key.port[0] != leg->client_port);
	note = snat_note(s, &t->legs[0], m->transport);
	note->found.answered = true;
	note->found.allocated |= m->msg->allocate && m->msg->response;
}

static void pair(struct lya_snat *s, struct snat_transaction *t, const struct sighting *m)
{
	const struct snat_place *vip = snat_place_at(&s->places, &t->legs[0].server);
	const struct snat_place *node = snat_place_at(&s->places, &t->legs[1].server);
	bool same = snat_same_client(&t->legs[0], &t->legs[1]);

	if (!snat_serves(vip, node) || t->state == SNAT_REWRITTEN)
		return;
	t->sums = snat_sums_of(s, vip, node);
	if (!same) {
		count(s, t, SNAT_REWRITTEN);
		note_rewritten(s, t, m);
	} else if (!t->asked[0] && t->asked[1]) {
		/* Behind the balancer every request to a node is one that came by the VIP. */
		if (snat_place_of_source(s, m->leg.source) != LYA_PLACE_BEHIND)
			note_reply(s, t, m);
	} else if (t->state == SNAT_OPEN) {
		count(s, t, SNAT_PRESERVED);
	}
}

static struct snat_transaction_key key_of(const uint8_t *id, uint8_t transport)
{
	struct snat_transaction_key key = { .transport = transport };

	memcpy(key.id, id, sizeof(key.id));
	return key;
}

void snat_transaction_prefetch(const struct lya_snat *s, const uint8_t *id)
{
	struct snat_transaction_key key = key_of(id, UDP);

	snat_table_prefetch(&s->transactions, snat_table_hash(&s->transactions, &key));
}

static struct snat_transaction *transaction_of(struct lya_snat *s, const struct sighting *m)
{
	struct snat_transaction_key key = key_of(m->id, m->transport);
	uint32_t hash = snat_table_hash(&s->transactions, &key);
	struct snat_transaction *t, *old;

	t = snat_table_find(&s->transactions, hash, &key);
	if (t == NULL) {
		old = snat_table_oldest(&s->transactions);
		if (old != NULL)
			snat_transaction_close(s, old,
					       snat_between(old->last_ns, s->now_ns) <= WINDOW_NS);
		t = snat_table_put(&s->transactions, hash, &key);
	} else if (snat_between(t->last_ns, m->leg.time_ns) > WINDOW_NS) {
		memset(t->seen, 0, sizeof(t->seen)); /* sightings too old to pair; it stays counted */
		memset(t->asked, 0, sizeof(t->asked));
	}
	t->last_ns = m->leg.time_ns;
	return t;
}

/* Enter a sighting; true when it shows a leg that was not known. */
static bool enter(struct snat_transaction *t, const struct sighting *m)
{
	unsigned at = m->place->vip ? 0 : 1;
	bool known = t->seen[at] && snat_same_leg(&t->legs[at], &m->leg);

	if (known) {
		t->asked[at] = t->asked[at] || !m->answer;
		return false;
	}
	if (t->seen[at] && t->seen[!at])
		return false; /* paired: a third leg is another node's or another client's */
	t->seen[at] = true;
	t->asked[at] = !m->answer;
	t->legs[at] = m->leg;
	return true;
}

static void follow(struct lya_snat *s, const struct sighting *m)
{
	struct snat_transaction *t = transaction_of(s, m);
	bool fresh = enter(t, m);

	if (m->place->vip && !m->place->internal && !m->answer)
		t->external = true;
	if (fresh && t->seen[0] && t->seen[1])
		pair(s, t, m);
	if (m->answer && !m->place->vip && t->asked[0] && t->seen[1] &&
	    snat_same_leg(&t->legs[1], &m->leg) && snat_same_client(&t->legs[0], &m->leg))
		note_answered(s, t, m);
}

/* What an answer says ---------------------------------------------------------------- */

static bool same_stun_addr(const struct lya_stun_addr *a, const struct lya_addr *addr,
			   uint16_t port)
{
	return a->port == port && lya_addr_cmp(&a->addr, addr) == 0;
}

static const struct snat_transaction *known(const struct lya_snat *s, const struct sighting *m)
{
	struct snat_transaction_key key = key_of(m->id, m->transport);

	return snat_table_find(&s->transactions, snat_table_hash(&s->transactions, &key), &key);
}

/*
 * What a mapped address that is not the client's proves, where the sensor
 * stands; false: nothing.  A balancer's address is its own proof.  Between
 * firewall and balancer only the balancer is left to have done it; outside the
 * firewall may have; elsewhere it may be the client's own network.
 */
static bool proves(const struct lya_snat *s, const struct sighting *m, bool *proven)
{
	*proven = true;
	if (snat_is_balancer(s, &m->msg->mapped.addr))
		return true;
	if (snat_has_port(&s->places.relay, m->leg.server_port))
		return false; /* relayed checks speak of peers */
	switch (snat_place_of_source(s, m->leg.source)) {
	case LYA_PLACE_BETWEEN:
		return true;
	case LYA_PLACE_OUTSIDE:
		*proven = false;
		return true;
	default:
		return false;
	}
}

static void read_mapped(struct lya_snat *s, const struct sighting *m)
{
	struct lya_snat_proof p = proof_of(m, LYA_SNAT_MAPPED_ADDRESS);
	const struct snat_transaction *t;
	bool proven;

	if (m->msg->mapped.addr.family == 0 || snat_is_balancer(s, &m->leg.client) ||
	    same_stun_addr(&m->msg->mapped, &m->leg.client, m->leg.client_port) ||
	    !proves(s, m, &proven))
		return;
	p.mapped = m->msg->mapped;
	t = known(s, m);
	if (t != NULL && t->state == SNAT_REWRITTEN && t->seen[1])
		snat_note_proof(snat_note(s, &t->legs[1], m->transport), &p, proven,
				m->place->internal);
	else
		snat_note_proof(snat_note(s, &m->leg, m->transport), &p, proven,
				m->place->internal);
}

static void read_relay(struct lya_snat *s, const struct sighting *m)
{
	struct lya_snat_relay r = { .relay = m->msg->relay, .alternate = m->msg->alternate,
		                    .leg = m->leg };
	struct lya_policy_end end;

	if (m->msg->response && r.relay.addr.family != 0) {
		lya_policy_end_of(s->policy, &r.relay.addr, &end);
		if ((end.roles & LYA_ROLE_BIT(LYA_ROLE_EDGE_AV)) == 0)
			r.faults |= LYA_RELAY_ADDRESS;
		if (s->places.relay.n > 0 && !snat_has_port(&s->places.relay, r.relay.port))
			r.faults |= LYA_RELAY_PORT;
	}
	if (r.alternate.addr.family != 0) {
		lya_policy_end_of(s->policy, &r.alternate.addr, &end);
		if ((end.roles & LYA_ROLES_VIPS) != 0)
			r.faults |= LYA_RELAY_ALTERNATE;
	}
	if (r.faults == 0)
		return;
	memcpy(r.id, m->id, sizeof(r.id));
	lya_snat_merge_relay(&snat_note(s, &m->leg, m->transport)->found.relay, &r);
}

/* The ends of a message, whose server must be a place. */
static bool read_sighting(const struct lya_snat *s, const struct lya_packet *pkt, bool answer,
			  struct sighting *m)
{
	m->transport = pkt->transport;
	m->answer = answer;
	m->place = snat_place_at(&s->places, answer ? &pkt->src : &pkt->dst);
	if (m->place == NULL)
		return false;
	snat_leg_of(pkt, answer, &m->leg);
	return true;
}

/* A balancer that asks its own VIP is nobody's client. */
static void follow_client(struct lya_snat *s, const struct sighting *m)
{
	if (!m->place->vip || !snat_is_balancer(s, &m->leg.client))
		follow(s, m);
}

void snat_transaction_request(struct lya_snat *s, const struct lya_packet *pkt, const uint8_t *id)
{
	struct sighting m = { .id = id };

	if (read_sighting(s, pkt, false, &m))
		follow_client(s, &m);
}

void snat_transaction_take(struct lya_snat *s, const struct lya_packet *pkt,
			   const struct lya_stun *msg)
{
	struct sighting m = { .id = msg->id, .msg = msg };

	/* Indications name no server. */
	if (msg->indication || !read_sighting(s, pkt, msg->response || msg->error, &m))
		return;
	follow_client(s, &m);
	if (!m.answer)
		return;
	if (msg->response)
		read_mapped(s, &m);
	if (msg->allocate)
		read_relay(s, &m);
}
