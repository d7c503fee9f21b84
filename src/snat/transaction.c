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

enum { UDP = 17, TCP = 6, SNAT_ID = 16 };

static const int64_t WINDOW_NS = SNAT_TRANSACTION_MS * (LYA_SECOND_NS / 1000);

/* The marks of a transaction.  Of two bits the first is for the leg to a VIP, then to a node. */
enum {
	STATE = 3,            /* enum snat_state */
	IS_TCP = 1 << 2,
	REPLY = 1 << 3,       /* the VIP answered what a node was asked */
	EXTERNAL = 1 << 4,    /* it went to an external VIP */
	ASKED = 1 << 5,       /* a request was seen on the leg; else an answer alone */
	SEEN = 1 << 7,
	BOTH_SEEN = 3 * SEEN,
	NODE_FIRST = 1 << 9,  /* legs[0] is the one to a node */
	AGAIN = 1 << 10,      /* last_ns is set */
	TOLD = 1 << 11        /* counted as unpaired */
};

/* Of the two bits that begin with `mark`, that of a leg. */
static unsigned mark_at(unsigned mark, unsigned at)
{
	return mark << at;
}

/* One message as a sighting of its transaction. */
struct sighting {
	const uint8_t *id;
	uint32_t hash;                  /* of it */
	const struct lya_stun *msg;     /* of an answer */
	const struct lya_packet *pkt;
	const struct snat_place *place; /* the server's end */
	bool answer;
	struct snat_sight sight;
};

static bool is(const struct snat_transaction *t, unsigned mark)
{
	return (t->item.marks & mark) != 0;
}

static void set(struct snat_transaction *t, unsigned mark)
{
	t->item.marks = (uint16_t)(t->item.marks | mark);
}

static void clear(struct snat_transaction *t, unsigned marks)
{
	t->item.marks = (uint16_t)(t->item.marks & ~marks);
}

static enum snat_state state_of(const struct snat_transaction *t)
{
	return (enum snat_state)(t->item.marks & STATE);
}

/* The leg to a VIP (0) or to a node (1). */
static struct snat_sight *leg_at(struct snat_transaction *t, unsigned at)
{
	return &t->legs[at ^ (is(t, NODE_FIRST) ? 1 : 0)];
}

static const struct lya_addr *client_of(const struct sighting *m)
{
	return m->answer ? &m->pkt->dst : &m->pkt->src;
}

static uint16_t client_port(const struct sighting *m)
{
	return m->answer ? m->pkt->dport : m->pkt->sport;
}

static bool same_client(const struct snat_sight *a, const struct snat_sight *b)
{
	return a->client_port == b->client_port && a->is_ipv4 == b->is_ipv4 &&
	       memcmp(a->client, b->client, sizeof(a->client)) == 0;
}

static bool same_leg(const struct snat_sight *a, const struct snat_sight *b)
{
	return same_client(a, b) && a->server_port == b->server_port && a->place == b->place;
}

static struct lya_snat_leg leg_of(const struct lya_snat *s, const struct snat_sight *sight)
{
	struct lya_snat_leg leg = {
		.client.family = sight->is_ipv4 ? 4 : 6,
		.server = s->places.list[sight->place].addr,
		.client_port = (uint16_t)sight->client_port,
		.server_port = (uint16_t)sight->server_port,
		.source = (uint32_t)sight->source,
		.packet = sight->packet,
		.time_ns = sight->time_ns,
		.digits = (uint8_t)sight->digits,
	};

	memcpy(leg.client.bytes, sight->client, sizeof(leg.client.bytes));
	return leg;
}

static struct lya_snat_proof proof_of(const struct lya_snat *s, const struct sighting *m,
				      unsigned kind)
{
	struct lya_snat_proof p = { .kind = (uint8_t)kind, .key = LYA_SNAT_BY_ID,
		                    .value_len = SNAT_ID, .n_legs = 1 };

	memcpy(p.value, m->id, SNAT_ID);
	p.legs[0] = leg_of(s, &m->sight);
	return p;
}

/* Counting ------------------------------------------------------------------------ */

/* Each transaction counts once; one of whose sightings shows rewriting is rewritten. */
static void count(struct lya_snat *s, struct snat_transaction *t, uint32_t sums,
		  enum snat_state state)
{
	if (state_of(t) == SNAT_PRESERVED && t->sums != 0) {
		s->sums[t->sums - 1].transactions_preserved--;
		s->stats.all.transactions_preserved--;
	}
	t->sums = sums;
	clear(t, STATE);
	set(t, state);
	if (sums == 0)
		return;
	if (state == SNAT_PRESERVED) {
		s->sums[sums - 1].transactions_preserved++;
		s->stats.all.transactions_preserved++;
	} else {
		s->sums[sums - 1].transactions_rewritten++;
		s->stats.all.transactions_rewritten++;
	}
}

bool snat_transaction_is_alone(const struct snat_transaction *t)
{
	const unsigned marks = EXTERNAL | ASKED | REPLY | STATE | TOLD;

	return (t->item.marks & marks) == (EXTERNAL | ASKED | SNAT_OPEN);
}

static int64_t last_of(const struct snat_transaction *t)
{
	return is(t, AGAIN) ? t->last_ns : t->legs[0].time_ns;
}

void snat_transaction_end(struct lya_snat *s, struct snat_transaction *t)
{
	if (!snat_transaction_is_alone(t) || snat_between(last_of(t), s->now_ns) <= WINDOW_NS)
		return;
	s->stats.unpaired++;
	set(t, TOLD);
}

void snat_transaction_close(struct lya_snat *s, const struct snat_transaction *t, bool dropped)
{
	if (!snat_transaction_is_alone(t))
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
	struct lya_snat_proof p = proof_of(s, m, LYA_SNAT_REPLY_FROM_VIP);
	uint8_t transport = m->pkt->transport;

	set(t, REPLY);
	p.n_legs = 2;
	p.legs[0] = leg_of(s, leg_at(t, 1));
	p.legs[1] = leg_of(s, leg_at(t, 0));
	snat_note_proof(s, snat_note(s, &p.legs[1], transport), &p, true, m->place->internal);
	snat_note(s, &p.legs[0], transport)->found.answered = true;
}

static void note_rewritten(struct lya_snat *s, struct snat_transaction *t, const struct sighting *m)
{
	struct lya_snat_proof p = proof_of(s, m, LYA_SNAT_PAIRED_TRANSACTION);
	struct snat_note *note;

	p.n_legs = 2;
	p.legs[0] = leg_of(s, leg_at(t, 0));
	p.legs[1] = leg_of(s, leg_at(t, 1));
	note = snat_note(s, &p.legs[1], m->pkt->transport);
	note->found.relayed = true;
	snat_note_proof(s, note, &p, true, m->place->internal);
}

/* The node answers the client itself: two flows of one side each are one dialogue. */
static void note_answered(struct lya_snat *s, struct snat_transaction *t, const struct sighting *m)
{
	struct lya_snat_leg asked = leg_of(s, leg_at(t, 0)), answers = leg_of(s, leg_at(t, 1));
	struct snat_note *note = snat_note(s, &answers, m->pkt->transport);

	note->found.client_side =
	    (int8_t)(lya_addr_cmp(&note->key.addr[0], &answers.client) != 0 ||
		     note->key.port[0] != answers.client_port);
	note = snat_note(s, &asked, m->pkt->transport);
	note->found.answered = true;
	note->found.allocated |= m->msg->allocate && m->msg->response;
}

static void pair(struct lya_snat *s, struct snat_transaction *t, const struct sighting *m)
{
	const struct snat_sight *first = leg_at(t, 0), *second = leg_at(t, 1);
	const struct snat_place *vip = &s->places.list[first->place];
	const struct snat_place *node = &s->places.list[second->place];

	if (!snat_serves(vip, node) || state_of(t) == SNAT_REWRITTEN)
		return;
	if (!same_client(first, second)) {
		count(s, t, snat_sums_of(s, vip, node), SNAT_REWRITTEN);
		note_rewritten(s, t, m);
	} else if (!is(t, ASKED) && is(t, mark_at(ASKED, 1))) {
		/* Behind the balancer every request to a node is one that came by the VIP. */
		if (snat_place_of_source(s, m->pkt->source) != LYA_PLACE_BEHIND)
			note_reply(s, t, m);
	} else if (state_of(t) == SNAT_OPEN) {
		count(s, t, snat_sums_of(s, vip, node), SNAT_PRESERVED);
	}
}

uint32_t snat_transaction_ask(const struct lya_snat *s, const uint8_t *id, uint32_t nth)
{
	uint32_t hash = snat_table_hash(&s->transactions, id);

	snat_table_ask(&s->transactions, hash, nth);
	return hash;
}

void snat_transaction_look_up(const struct lya_snat *s, uint32_t hash)
{
	snat_table_ask_item(&s->transactions, hash);
}

/* NULL: it was not seen before. */
static struct snat_transaction *known(const struct lya_snat *s, const struct sighting *m)
{
	bool is_tcp = m->pkt->transport == TCP;
	struct snat_transaction *t = snat_table_find(&s->transactions, m->hash, m->id);

	while (t != NULL && is(t, IS_TCP) != is_tcp)
		t = snat_table_again(&s->transactions, t);
	return t;
}

static struct snat_transaction *make(struct lya_snat *s, const struct sighting *m)
{
	struct snat_transaction *t = snat_table_oldest(&s->transactions);

	if (t != NULL)
		snat_transaction_close(s, t, snat_between(last_of(t), s->now_ns) <= WINDOW_NS);
	t = snat_table_put(&s->transactions, m->hash, m->id);
	if (m->pkt->transport == TCP)
		set(t, IS_TCP);
	return t;
}

static struct snat_transaction *transaction_of(struct lya_snat *s, const struct sighting *m)
{
	struct snat_transaction *t = known(s, m);

	if (t == NULL)
		return make(s, m);
	if (snat_between(last_of(t), m->sight.time_ns) > WINDOW_NS)
		clear(t, BOTH_SEEN | 3 * ASKED); /* too old to pair; it stays counted */
	t->last_ns = m->sight.time_ns;
	set(t, AGAIN);
	return t;
}

/* Enter a sighting; true when it shows a leg that was not known. */
static bool enter(struct snat_transaction *t, const struct sighting *m)
{
	unsigned at = m->place->vip ? 0 : 1, asked = m->answer ? 0 : mark_at(ASKED, at);

	if (is(t, mark_at(SEEN, at)) && same_leg(leg_at(t, at), &m->sight)) {
		set(t, asked);
		return false;
	}
	if ((t->item.marks & BOTH_SEEN) == BOTH_SEEN)
		return false; /* paired: a third leg is another node's or another client's */
	if (!is(t, BOTH_SEEN)) {
		clear(t, NODE_FIRST);
		if (at == 1)
			set(t, NODE_FIRST);
	}
	clear(t, mark_at(ASKED, at));
	set(t, asked | mark_at(SEEN, at));
	*leg_at(t, at) = m->sight;
	return true;
}

static void follow(struct lya_snat *s, const struct sighting *m)
{
	struct snat_transaction *t = transaction_of(s, m);
	bool fresh = enter(t, m);

	if (m->place->vip && !m->place->internal && !m->answer)
		set(t, EXTERNAL);
	if (fresh && (t->item.marks & BOTH_SEEN) == BOTH_SEEN)
		pair(s, t, m);
	if (m->answer && !m->place->vip && is(t, ASKED) && is(t, mark_at(SEEN, 1)) &&
	    same_leg(leg_at(t, 1), &m->sight) && same_client(leg_at(t, 0), &m->sight))
		note_answered(s, t, m);
}

/* What an answer says ---------------------------------------------------------------- */

static bool same_stun_addr(const struct lya_stun_addr *a, const struct lya_addr *addr,
			   uint16_t port)
{
	return a->port == port && lya_addr_cmp(&a->addr, addr) == 0;
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
	if (snat_has_port(&s->places.relay, (uint16_t)m->sight.server_port))
		return false; /* relayed checks speak of peers */
	switch (snat_place_of_source(s, m->pkt->source)) {
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
	struct lya_snat_proof p;
	struct snat_transaction *t;
	struct lya_snat_leg leg;
	bool proven;

	if (m->msg->mapped.addr.family == 0 || snat_is_balancer(s, client_of(m)) ||
	    same_stun_addr(&m->msg->mapped, client_of(m), client_port(m)) ||
	    !proves(s, m, &proven))
		return;
	p = proof_of(s, m, LYA_SNAT_MAPPED_ADDRESS);
	p.mapped = m->msg->mapped;
	t = known(s, m);
	leg = t != NULL && state_of(t) == SNAT_REWRITTEN && is(t, mark_at(SEEN, 1)) ?
		  leg_of(s, leg_at(t, 1)) :
		  p.legs[0];
	snat_note_proof(s, snat_note(s, &leg, m->pkt->transport), &p, proven,
			m->place->internal);
}

static void read_relay(struct lya_snat *s, const struct sighting *m)
{
	struct lya_snat_relay r = { .relay = m->msg->relay, .alternate = m->msg->alternate };
	struct lya_policy_end end;

	if (m->msg->response && r.relay.addr.family != 0) {
		lya_policy_end_of(s->policy, &r.relay.addr, &end);
		if ((end.roles & LYA_ROLE_BIT(LYA_ROLE_EDGE_AV)) == 0 ||
		    lya_addr_is_private(&r.relay.addr))
			r.faults |= LYA_RELAY_ADDRESS;
		if (s->places.relay.any && !snat_has_port(&s->places.relay, r.relay.port))
			r.faults |= LYA_RELAY_PORT;
	}
	if (r.alternate.addr.family != 0) {
		lya_policy_end_of(s->policy, &r.alternate.addr, &end);
		if ((end.roles & LYA_ROLES_VIPS) != 0)
			r.faults |= LYA_RELAY_ALTERNATE;
	}
	if (r.faults == 0)
		return;
	r.leg = leg_of(s, &m->sight);
	memcpy(r.id, m->id, sizeof(r.id));
	snat_note_relay(s, snat_note(s, &r.leg, m->pkt->transport), &r);
}

static void keep_client(struct snat_sight *sight, const struct lya_addr *client)
{
	memcpy(sight->client, client->bytes, client->family == 4 ? 4 : sizeof(sight->client));
	sight->is_ipv4 = client->family == 4;
}

/* The ends of a message, whose server must be a place. */
static bool read_sighting(struct lya_snat *s, struct sighting *m)
{
	const struct lya_packet *pkt = m->pkt;
	size_t place;

	m->place = snat_place_at(&s->places, m->answer ? &pkt->src : &pkt->dst);
	if (m->place == NULL)
		return false;
	place = (size_t)(m->place - s->places.list);
	if (pkt->number >> SNAT_PACKET_BITS != 0 || pkt->source >> SNAT_SOURCE_BITS != 0 ||
	    place >> SNAT_PLACE_BITS != 0) {
		s->stats.dropped++;
		return false;
	}
	m->sight = (struct snat_sight){
		.time_ns = pkt->time_ns,
		.packet = pkt->number & ((UINT64_C(1) << SNAT_PACKET_BITS) - 1),
		.source = pkt->source & ((1U << SNAT_SOURCE_BITS) - 1),
		.client_port = client_port(m),
		.server_port = m->answer ? pkt->sport : pkt->dport,
		.place = place & ((1U << SNAT_PLACE_BITS) - 1),
		.digits = (unsigned)pkt->digits & 15U,
	};
	keep_client(&m->sight, client_of(m));
	snat_observe(s, pkt);
	return true;
}

/* A balancer that asks its own VIP is nobody's client. */
static void follow_client(struct lya_snat *s, const struct sighting *m)
{
	if (!m->place->vip || !snat_is_balancer(s, client_of(m)))
		follow(s, m);
}

void snat_transaction_request(struct lya_snat *s, const struct lya_packet *pkt, const uint8_t *id,
			      uint32_t hash)
{
	struct sighting m = { .id = id, .hash = hash, .pkt = pkt };

	if (read_sighting(s, &m))
		follow_client(s, &m);
}

void snat_transaction_take(struct lya_snat *s, const struct lya_packet *pkt,
			   const struct lya_stun *msg, uint32_t hash)
{
	struct sighting m = { .id = msg->id, .hash = hash, .msg = msg, .pkt = pkt,
		              .answer = msg->response || msg->error };

	/* Indications name no server. */
	if (msg->indication || !read_sighting(s, &m))
		return;
	follow_client(s, &m);
	if (!m.answer)
		return;
	if (msg->response)
		read_mapped(s, &m);
	if (msg->allocate)
		read_relay(s, &m);
}
