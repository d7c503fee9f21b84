/*
 * connection.c - the same TCP connection on both legs.
 *
 * A balancer that only translates keeps the initial sequence number of the
 * client's SYN; behind a full proxy, which opens a connection of its own, the
 * ClientHello is the client's still, random bytes included.  The second leg
 * comes within a second of the first, and not before it.
 */
#include "snat/snat.h"

#include <string.h>

#include "lyncaudit/timeutil.h"

static const int64_t WINDOW_NS = SNAT_CONNECTION_MS * (LYA_SECOND_NS / 1000);

enum { TCP = 6 };

static void be32(uint8_t *out, uint32_t n)
{
	for (unsigned i = 0; i < 4; i++)
		out[i] = (uint8_t)(n >> (24 - 8 * i));
}

/* TCP options that a balancer leaves as they are; it may clamp the segment size. */
static void read_options(const struct lya_packet *pkt, struct snat_connection *c)
{
	struct lya_cursor in = lya_cursor_of(pkt->options, pkt->options_len);

	c->wscale = -1;
	while (lya_cursor_left(&in) > 0) {
		uint8_t kind = lya_cursor_u8(&in), len;
		struct lya_cursor value;

		if (kind == 0)
			return;
		if (kind == 1)
			continue;
		len = lya_cursor_u8(&in);
		if (in.failed || len < 2)
			return;
		value = in;
		lya_cursor_skip(&in, len - 2u);
		if (in.failed)
			return;
		if (kind == 3 && len == 3) {
			c->wscale = lya_cursor_u8(&value);
		} else if (kind == 8 && len == 10) {
			c->ts = lya_cursor_u32(&value);
			c->has_ts = true;
		}
	}
}

static bool options_agree(const struct snat_connection *a, const struct snat_connection *b)
{
	if (a->has_ts && b->has_ts && a->ts != b->ts)
		return false;
	return a->wscale < 0 || b->wscale < 0 || a->wscale == b->wscale;
}

static bool in_time(const struct snat_connection *first, const struct lya_snat_leg *second)
{
	int64_t ns = snat_between(first->client.time_ns, second->time_ns);

	return ns >= 0 && ns <= WINDOW_NS;
}

/* Counting ---------------------------------------------------------------------------- */

static void count(struct lya_snat *s, const struct snat_connection *c,
		  const struct snat_place *vip, const struct snat_place *node, bool same)
{
	uint32_t sums = snat_sums_of(s, vip, node);
	struct snat_note *note = snat_note(s, &c->client, TCP);

	if (note->counted)
		return; /* by its SYN; the hello says the same */
	note->counted = true;
	if (sums == 0)
		return;
	if (same) {
		s->sums[sums - 1].connections_preserved++;
		s->stats.all.connections_preserved++;
	} else {
		s->sums[sums - 1].connections_rewritten++;
		s->stats.all.connections_rewritten++;
	}
}

bool snat_connection_is_alone(const struct lya_snat *s, const struct snat_connection *c)
{
	const struct snat_note *note;

	if (c->state != SNAT_OPEN || c->key != LYA_SNAT_BY_ISN || c->told ||
	    snat_place_at(&s->places, &c->client.server)->internal)
		return false;
	note = snat_note_find(s, &c->client, TCP);
	return note == NULL || !note->counted; /* else its hello was paired */
}

void snat_connection_end(struct lya_snat *s, struct snat_connection *c)
{
	if (!snat_connection_is_alone(s, c) ||
	    snat_between(c->client.time_ns, s->now_ns) <= WINDOW_NS)
		return;
	s->stats.unpaired++;
	c->told = true;
}

void snat_connection_close(struct lya_snat *s, const struct snat_connection *c, bool dropped)
{
	if (!snat_connection_is_alone(s, c))
		return;
	if (dropped)
		s->stats.dropped++;
	else
		s->stats.unpaired++;
}

/* Pairing ----------------------------------------------------------------------------- */

static void note_rewritten(struct lya_snat *s, const struct snat_connection *c, bool internal)
{
	struct lya_snat_proof p = { .kind = LYA_SNAT_PAIRED_CONNECTION, .key = c->key, .n_legs = 2,
		                    .legs = { c->client, c->node } };
	struct snat_note *note = snat_note(s, &c->node, TCP);

	p.value_len = c->key == LYA_SNAT_BY_ISN ? 4 : LYA_SNAT_VALUE;
	memcpy(p.value, c->value, p.value_len);
	note->found.relayed = true;
	snat_note_proof(s, note, &p, true, internal);
}

static void pair(struct lya_snat *s, struct snat_connection *c, const struct snat_connection *seen,
		 const struct snat_place *node)
{
	const struct snat_place *vip = snat_place_at(&s->places, &c->client.server);
	bool same = snat_same_client(&c->client, &seen->client);

	c->node = seen->client;
	c->state = same ? SNAT_PRESERVED : SNAT_REWRITTEN;
	count(s, c, vip, node, same);
	if (!same)
		note_rewritten(s, c, node->internal);
}

/* What was seen at a node may be the second leg of c. */
static bool fits(const struct lya_snat *s, const struct snat_connection *c,
		 const struct snat_connection *seen, const struct snat_place *node)
{
	return c->key == seen->key && in_time(c, &seen->client) &&
	       c->client.server_port == seen->client.server_port && options_agree(c, seen) &&
	       snat_serves(snat_place_at(&s->places, &c->client.server), node);
}

/*
 * The connection whose second leg was seen at a node; NULL: none, one that is
 * paired already, or more than one.  Some clients send the same imitated hello
 * every time: then only the client's own address on both legs tells.
 */
static struct snat_connection *find_first(const struct lya_snat *s,
					  const struct snat_connection *seen,
					  const struct snat_place *node)
{
	uint32_t hash = snat_table_hash(&s->connections, seen->value);
	struct snat_connection *c, *only = NULL;
	size_t n = 0;

	for (c = snat_table_find(&s->connections, hash, seen->value); c != NULL;
	     c = snat_table_again(&s->connections, c)) {
		if (c->state != SNAT_OPEN && snat_same_leg(&c->node, &seen->client))
			return NULL;
		if (c->state != SNAT_OPEN || !fits(s, c, seen, node))
			continue;
		if (snat_same_client(&c->client, &seen->client))
			return c;
		only = c;
		n++;
	}
	return n == 1 && !only->repeated && !seen->repeated ? only : NULL;
}

static void enter_node(struct lya_snat *s, const struct snat_connection *seen,
		       const struct snat_place *node)
{
	struct snat_connection *c = find_first(s, seen, node);

	if (c != NULL)
		pair(s, c, seen, node);
}

/* A client's connection to a VIP; a SYN sent again takes the place of the first. */
static void enter_vip(struct lya_snat *s, const struct snat_connection *seen)
{
	uint32_t hash = snat_table_hash(&s->connections, seen->value);
	struct snat_connection *c, *old;
	struct snat_item item;
	bool repeated = false;

	for (c = snat_table_find(&s->connections, hash, seen->value); c != NULL;
	     c = snat_table_again(&s->connections, c)) {
		if (c->key != seen->key)
			continue;
		if (snat_same_leg(&c->client, &seen->client)) {
			c->client = seen->client;
			c->ts = seen->ts;
			return;
		}
		c->repeated = c->repeated || seen->key == LYA_SNAT_BY_RANDOM;
		repeated = seen->key == LYA_SNAT_BY_RANDOM;
	}
	old = snat_table_oldest(&s->connections);
	if (old != NULL)
		snat_connection_close(s, old,
				      snat_between(old->client.time_ns, s->now_ns) <= WINDOW_NS);
	c = snat_table_put(&s->connections, hash, seen->value);
	item = c->item;
	*c = *seen;
	c->item = item;
	c->repeated = repeated;
}

static void enter(struct lya_snat *s, const struct snat_connection *seen,
		  const struct snat_place *place)
{
	if (!place->vip)
		enter_node(s, seen, place);
	else if (!snat_is_balancer(s, &seen->client.client) &&
		 snat_has_port(&s->places.tcp[place->internal], seen->client.server_port))
		enter_vip(s, seen);
}

void snat_connection_syn(struct lya_snat *s, const struct lya_packet *pkt)
{
	const struct snat_place *place = snat_place_at(&s->places, &pkt->dst);
	struct snat_connection seen = { .key = LYA_SNAT_BY_ISN };

	if (place == NULL)
		return;
	snat_observe(s, pkt);
	be32(seen.value, pkt->seq);
	read_options(pkt, &seen);
	snat_leg_of(pkt, false, &seen.client);
	enter(s, &seen, place);
}

void snat_connection_hello(struct lya_snat *s, const struct lya_packet *pkt,
			   const struct lya_tls_hello *hello)
{
	const struct snat_place *place = snat_place_at(&s->places, &pkt->dst);
	struct snat_connection seen = { .key = LYA_SNAT_BY_RANDOM, .wscale = -1 };

	if (place == NULL)
		return;
	snat_observe(s, pkt);
	memcpy(seen.value, hello->random, sizeof(hello->random));
	snat_leg_of(pkt, false, &seen.client);
	/* A random that an imitation may have fixed proves no stranger to be the balancer. */
	if (!place->vip && hello->pseudo && !snat_is_balancer(s, &seen.client.client))
		seen.repeated = true;
	enter(s, &seen, place);
}
