/*
 * snat.c - the module's state, and what its files ask of one another.
 */
#include "snat/snat.h"

#include <assert.h>
#include <string.h>

#include "lyncaudit/alloc.h"

enum {
	DEFAULT_BYTES = 16 * 1024 * 1024,
	UDP = 17,
	STUN_LEN = 20, /* of a message without attributes */
	SNAT_ID = 16,
	/* Of a VIP and a node: their sums here, and their place in parts, tallies and reports. */
	PAIR_BYTES = 256,
	PAIRS_MIN = 64 /* as the tables have, however little memory there is */
};

static int make_tables(struct lya_snat *s, size_t bytes)
{
	int rc = snat_table_init(&s->transactions, sizeof(struct snat_transaction),
				 offsetof(struct snat_transaction, id), SNAT_ID,
				 offsetof(struct snat_transaction, legs), bytes / 4);

	if (rc == LYA_OK)
		rc = snat_table_init(&s->connections, sizeof(struct snat_connection),
				     offsetof(struct snat_connection, value), LYA_SNAT_VALUE,
				     sizeof(struct snat_connection), bytes / 4);
	if (rc == LYA_OK)
		rc = snat_table_init(&s->notes, sizeof(struct snat_note),
				     offsetof(struct snat_note, key), sizeof(struct snat_note_key),
				     sizeof(struct snat_note), bytes / 2);
	return rc;
}

/* VIPs times nodes is the site's to choose: no more of them than fit into half of the memory. */
static int make_sums(struct lya_snat *s, size_t *bytes, struct lya_error *err)
{
	uint64_t pairs = (uint64_t)s->places.n_vips * s->places.n_nodes;
	size_t room = *bytes / 2 / PAIR_BYTES, taken = (size_t)pairs * PAIR_BYTES;

	if (room < PAIRS_MIN)
		room = PAIRS_MIN;
	if (pairs > room)
		return lya_error_set(err, LYA_ELIMIT, lya_policy_site(s->policy)->file, "hosts",
				     "%u A/V VIPs and %u A/V Edge addresses make more pairs than "
				     "the %zu that there is memory to tell apart (--max-memory "
				     "raises the limit)",
				     s->places.n_vips, s->places.n_nodes, room);
	*bytes -= taken < *bytes ? taken : *bytes;
	s->sums = lya_calloc((size_t)pairs + 1, sizeof(*s->sums));
	return s->sums != NULL ? LYA_OK : lya_error_nomem(err);
}

int lya_snat_new(struct lya_snat **out, const struct lya_policy *policy,
		 const struct lya_snat_options *options, struct lya_error *err)
{
	struct lya_snat *s = lya_calloc(1, sizeof(*s));
	size_t bytes;
	int rc;

	*out = NULL;
	if (s == NULL)
		return lya_error_nomem(err);
	s->policy = policy;
	s->options = *options;
	s->stats.bytes = options->max_bytes != 0 ? options->max_bytes : (size_t)DEFAULT_BYTES;
	s->now_ns = INT64_MIN;
	bytes = s->stats.bytes;
	rc = snat_places_init(&s->places, policy) == LYA_OK ? make_sums(s, &bytes, err)
							    : lya_error_nomem(err);
	if (rc == LYA_OK && make_tables(s, bytes) != LYA_OK)
		rc = lya_error_nomem(err);
	if (rc != LYA_OK) {
		lya_snat_free(s);
		return rc;
	}
	*out = s;
	return LYA_OK;
}

void lya_snat_free(struct lya_snat *s)
{
	if (s == NULL)
		return;
	snat_table_fini(&s->transactions);
	snat_table_fini(&s->connections);
	snat_table_fini(&s->notes);
	snat_places_fini(&s->places);
	lya_free(s->sums);
	lya_free(s);
}

/* ----------------------------------------------------------------------------------------- */

void snat_leg_of(const struct lya_packet *pkt, bool answer, struct lya_snat_leg *leg)
{
	*leg = (struct lya_snat_leg){
		.client = answer ? pkt->dst : pkt->src,
		.server = answer ? pkt->src : pkt->dst,
		.client_port = answer ? pkt->dport : pkt->sport,
		.server_port = answer ? pkt->sport : pkt->dport,
		.source = pkt->source,
		.packet = pkt->number,
		.time_ns = pkt->time_ns,
		.digits = pkt->digits,
	};
}

bool snat_same_client(const struct lya_snat_leg *a, const struct lya_snat_leg *b)
{
	return a->client_port == b->client_port && lya_addr_cmp(&a->client, &b->client) == 0;
}

bool snat_same_leg(const struct lya_snat_leg *a, const struct lya_snat_leg *b)
{
	return snat_same_client(a, b) && a->server_port == b->server_port &&
	       lya_addr_cmp(&a->server, &b->server) == 0;
}

bool snat_is_balancer(const struct lya_snat *s, const struct lya_addr *addr)
{
	struct lya_policy_end end;

	if (snat_is_balancer_address(&s->places, addr))
		return true;
	if (!s->places.balancer_networks)
		return false;
	lya_policy_end_of(s->policy, addr, &end);
	return (end.roles & (LYA_ROLES_VIPS | LYA_ROLE_BIT(LYA_ROLE_HLB))) != 0;
}

/* A sensor is named by the source's whole name, or by what follows its last slash. */
enum lya_place snat_place_of_source(const struct lya_snat *s, uint32_t source)
{
	const struct lya_site *site = lya_policy_site(s->policy);
	const char *name, *base;

	if (site->n_sensors == 0 || s->options.source_name == NULL)
		return LYA_PLACE_UNKNOWN;
	name = s->options.source_name(s->options.ctx, source);
	if (name == NULL)
		return LYA_PLACE_UNKNOWN;
	base = strrchr(name, '/');
	base = base != NULL ? base + 1 : name;
	for (size_t i = 0; i < site->n_sensors; i++)
		if (strcmp(site->sensors[i].source, name) == 0 ||
		    strcmp(site->sensors[i].source, base) == 0)
			return site->sensors[i].place;
	return LYA_PLACE_UNKNOWN;
}

uint32_t snat_sums_of(const struct lya_snat *s, const struct snat_place *vip,
		      const struct snat_place *node)
{
	if (vip->internal || node->internal)
		return 0;
	return vip->number * s->places.n_nodes + node->number + 1;
}

/* ----------------------------------------------------------------------------------------- */

static void move_clock(struct lya_snat *s, const struct lya_packet *pkt)
{
	if (pkt->time_ns > s->now_ns)
		s->now_ns = pkt->time_ns;
}

/* A packet that is looked at. */
struct wanted {
	struct lya_packet *pkt;
	uint32_t hash; /* of a datagram's transaction */
};

static void take(struct lya_snat *s, const struct wanted *w)
{
	struct lya_packet *pkt = w->pkt;
	size_t len = lya_cursor_left(&pkt->payload);
	size_t full_len = pkt->reassembled ? len : pkt->payload_len;
	const uint8_t *p = pkt->payload.pos;
	struct lya_stun msg;

	lya_packet_fill(pkt);
	move_clock(s, pkt);
	if (pkt->transport != UDP)
		snat_connection_syn(s, pkt);
	else if (lya_stun_is_request(p, len, full_len))
		snat_transaction_request(s, pkt, p + 4, w->hash);
	else if (lya_stun_read(p, len, full_len, &msg))
		snat_transaction_take(s, pkt, &msg, w->hash);
}

/* A whole UDP datagram with the shape of a STUN message, or a SYN; no duplicates. */
static bool is_wanted(const struct lya_packet *pkt)
{
	if (pkt->duplicate != LYA_DUP_NONE)
		return false;
	if (lya_packet_is_plain(pkt))
		return pkt->opening;
	if (pkt->kind == LYA_PKT_UDP)
		return lya_cursor_left(&pkt->payload) >= STUN_LEN && pkt->payload.pos[0] < 2;
	return pkt->kind == LYA_PKT_TCP &&
	       (pkt->tcp_flags & (LYA_TCP_SYN | LYA_TCP_ACK)) == LYA_TCP_SYN;
}

void lya_snat_packets(struct lya_snat *s, struct lya_packet *pkts, size_t n)
{
	struct wanted wanted[SNAT_BATCH + 1];
	size_t n_wanted = 0, here = 0;

	assert(n <= SNAT_BATCH);
	for (size_t i = 0; i < n; i++) { /* without a branch: they come mixed */
		wanted[n_wanted].pkt = &pkts[i];
		n_wanted += pkts[i].opening;
	}
	for (size_t i = 0; i < n_wanted; i++) {
		struct lya_packet *pkt = wanted[i].pkt;

		if (!is_wanted(pkt) || snat_is_elsewhere(&s->places, pkt))
			continue;
		wanted[here].pkt = pkt;
		wanted[here].hash = pkt->kind == LYA_PKT_UDP ?
					snat_transaction_ask(s, pkt->payload.pos + 4, (uint32_t)here) :
					0;
		here++;
	}
	for (size_t i = 0; i < here; i++)
		if (wanted[i].pkt->kind == LYA_PKT_UDP)
			snat_transaction_look_up(s, wanted[i].hash);
	for (size_t i = 0; i < here; i++)
		take(s, &wanted[i]);
}

void lya_snat_stun(struct lya_snat *s, const struct lya_packet *pkt, const struct lya_stun *msg)
{
	move_clock(s, pkt);
	snat_transaction_take(s, pkt, msg, snat_transaction_ask(s, msg->id, 0));
}

void lya_snat_hello(struct lya_snat *s, const struct lya_packet *pkt,
		    const struct lya_tls_hello *hello)
{
	move_clock(s, pkt);
	snat_connection_hello(s, pkt, hello);
}

void lya_snat_finish(struct lya_snat *s)
{
	if (s->finished)
		return;
	s->finished = true;
	for (uint32_t n = 1; snat_table_at(&s->transactions, n) != NULL; n++)
		snat_transaction_close(s, snat_table_at(&s->transactions, n), false);
	for (uint32_t n = 1; snat_table_at(&s->connections, n) != NULL; n++)
		snat_connection_close(s, snat_table_at(&s->connections, n), false);
}

void lya_snat_stats(const struct lya_snat *s, struct lya_snat_stats *out)
{
	*out = s->stats;
}

void lya_snat_pair(const struct lya_snat *s, const struct lya_addr *vip,
		   const struct lya_addr *node, struct lya_snat_sums *out)
{
	const struct snat_place *v = snat_place_at(&s->places, vip);
	const struct snat_place *n = snat_place_at(&s->places, node);
	uint32_t sums = v != NULL && n != NULL && snat_serves(v, n) ? snat_sums_of(s, v, n) : 0;

	*out = sums != 0 ? s->sums[sums - 1] : (struct lya_snat_sums){ 0 };
}
