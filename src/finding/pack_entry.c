/*
 * pack_entry.c - the sums of one finding as bytes, and back.
 *
 * An entry that is read is only ever added to another one, which puts every list in its
 * order again: here only bounds are asked for, and that no number is one that a
 * table of names does not have.
 */
#include "finding/packing.h"

#include <string.h>

#include "lyncaudit/alloc.h"

enum { NONE = 0, DIGITS_MAX = 9 };

void pack_ports(struct packing *p, struct lya_port_range ports)
{
	lya_pack_uint(&p->body, ports.first);
	lya_pack_uint(&p->body, ports.last);
}

struct lya_port_range unpack_ports(struct unpacking *u)
{
	struct lya_port_range ports;

	ports.first = (uint16_t)lya_unpack_uint(&u->in, UINT16_MAX);
	ports.last = (uint16_t)lya_unpack_uint(&u->in, UINT16_MAX);
	if (ports.last < ports.first)
		lya_unpack_fail(&u->in, "a range of ports ends before it begins");
	return ports;
}

static uint8_t digits(struct unpacking *u)
{
	return (uint8_t)lya_unpack_uint(&u->in, DIGITS_MAX);
}

/* Crowds ------------------------------------------------------------------------------- */

void pack_marks(struct packing *p, const struct marks *m)
{
	lya_pack_uint(&p->body, m->n);
	for (size_t i = 0; i < m->n; i++)
		lya_pack_u64(&p->body, m->list[i]);
}

void unpack_marks(struct unpacking *u, struct marks *m)
{
	size_t n = lya_unpack_count(&u->in, MARKS_MAX, 8);

	for (size_t i = 0; i < n && !unpacking_failed(u); i++)
		u->nomem = marks_add(m, lya_unpack_u64(&u->in)) != LYA_OK;
}

static void pack_crowd(struct packing *p, const struct crowd *c)
{
	lya_pack_uint(&p->body, c->flows);
	lya_pack_uint(&p->body, c->many);
	lya_pack_uint(&p->body, c->n_members);
	for (size_t i = 0; i < c->n_members; i++) {
		lya_pack_addr(&p->body, &c->members[i].addr);
		lya_pack_uint(&p->body, c->members[i].flows);
	}
	lya_pack_uint(&p->body, c->n_draws);
	for (size_t i = 0; i < c->n_draws; i++) {
		lya_pack_u64(&p->body, c->draws[i].hash);
		lya_pack_addr(&p->body, &c->draws[i].addr);
	}
	pack_marks(p, &c->marks);
}

static void *room(struct unpacking *u, size_t n, size_t size)
{
	void *list = n > 0 && !unpacking_failed(u) ? lya_calloc(n, size) : NULL;

	u->nomem = u->nomem || (n > 0 && !lya_unpack_failed(&u->in) && list == NULL);
	return list;
}

static void unpack_members(struct unpacking *u, struct crowd *c)
{
	size_t n = lya_unpack_count(&u->in, c->many ? NONE : LYA_FINDING_ADDRESSES, 2);

	c->members = room(u, n, sizeof(*c->members));
	for (; c->members != NULL && c->n_members < n; c->n_members++) {
		lya_unpack_addr(&u->in, &c->members[c->n_members].addr);
		c->members[c->n_members].flows = lya_unpack_uint(&u->in, UINT64_MAX);
	}
}

static void unpack_draws(struct unpacking *u, struct crowd *c)
{
	size_t n = lya_unpack_count(&u->in, CROWD_DRAWS, 9);

	c->draws = room(u, n, sizeof(*c->draws));
	for (; c->draws != NULL && c->n_draws < n; c->n_draws++) {
		c->draws[c->n_draws].hash = lya_unpack_u64(&u->in);
		lya_unpack_addr(&u->in, &c->draws[c->n_draws].addr);
	}
}

static void unpack_crowd(struct unpacking *u, struct crowd *c)
{
	c->flows = lya_unpack_uint(&u->in, UINT64_MAX);
	c->many = lya_unpack_bool(&u->in);
	unpack_members(u, c);
	unpack_draws(u, c);
	unpack_marks(u, &c->marks);
}

/* Samples and proofs --------------------------------------------------------------------- */

static void pack_sample(struct packing *p, const struct lya_finding_sample *s)
{
	lya_pack_addr(&p->body, &s->src);
	lya_pack_addr(&p->body, &s->dst);
	lya_pack_uint(&p->body, s->sport);
	lya_pack_uint(&p->body, s->dport);
	lya_pack_uint(&p->body, s->transport);
	lya_pack_uint(&p->body, s->state);
	lya_pack_uint(&p->body, s->source);
	lya_pack_uint(&p->body, s->packet);
	lya_pack_int(&p->body, s->first_ns);
	lya_pack_bytes(&p->body, s->prefix, s->prefix_len);
}

static void unpack_sample(struct unpacking *u, struct lya_finding_sample *s)
{
	const uint8_t *prefix;
	size_t len;

	lya_unpack_addr(&u->in, &s->src);
	lya_unpack_addr(&u->in, &s->dst);
	s->sport = (uint16_t)lya_unpack_uint(&u->in, UINT16_MAX);
	s->dport = (uint16_t)lya_unpack_uint(&u->in, UINT16_MAX);
	s->transport = (uint8_t)lya_unpack_uint(&u->in, UINT8_MAX);
	s->state = (uint8_t)lya_unpack_uint(&u->in, LYA_STATE_MIDSTREAM);
	s->source = unpacking_source(u);
	s->packet = lya_unpack_uint(&u->in, UINT64_MAX);
	s->first_ns = lya_unpack_time(&u->in);
	prefix = lya_unpack_bytes(&u->in, LYA_APP_PREFIX, &len);
	if (prefix != NULL)
		memcpy(s->prefix, prefix, len);
	s->prefix_len = (uint8_t)len;
}

static void pack_leg(struct packing *p, const struct lya_snat_leg *l)
{
	lya_pack_addr(&p->body, &l->client);
	lya_pack_addr(&p->body, &l->server);
	lya_pack_uint(&p->body, l->client_port);
	lya_pack_uint(&p->body, l->server_port);
	lya_pack_uint(&p->body, l->source);
	lya_pack_uint(&p->body, l->packet);
	lya_pack_int(&p->body, l->time_ns);
	lya_pack_uint(&p->body, l->digits);
}

static void unpack_leg(struct unpacking *u, struct lya_snat_leg *l)
{
	lya_unpack_addr(&u->in, &l->client);
	lya_unpack_addr(&u->in, &l->server);
	l->client_port = (uint16_t)lya_unpack_uint(&u->in, UINT16_MAX);
	l->server_port = (uint16_t)lya_unpack_uint(&u->in, UINT16_MAX);
	l->source = unpacking_source(u);
	l->packet = lya_unpack_uint(&u->in, UINT64_MAX);
	l->time_ns = lya_unpack_time(&u->in);
	l->digits = digits(u);
}

static void pack_stun_addr(struct packing *p, const struct lya_stun_addr *a)
{
	lya_pack_addr(&p->body, &a->addr);
	lya_pack_uint(&p->body, a->port);
}

static void unpack_stun_addr(struct unpacking *u, struct lya_stun_addr *a)
{
	lya_unpack_addr(&u->in, &a->addr);
	a->port = (uint16_t)lya_unpack_uint(&u->in, UINT16_MAX);
}

static void pack_proof(struct packing *p, const struct lya_snat_proof *proof)
{
	lya_pack_uint(&p->body, proof->kind);
	lya_pack_uint(&p->body, proof->key);
	lya_pack_bytes(&p->body, proof->value, proof->value_len);
	lya_pack_uint(&p->body, proof->n_legs);
	for (size_t i = 0; i < proof->n_legs; i++)
		pack_leg(p, &proof->legs[i]);
	pack_stun_addr(p, &proof->mapped);
}

static bool is_kind(uint8_t kind)
{
	return kind != 0 && (kind & (kind - 1)) == 0 && kind < 1 << LYA_SNAT_KINDS;
}

static void unpack_proof(struct unpacking *u, struct lya_snat_proof *proof)
{
	const uint8_t *value;
	size_t len;

	proof->kind = (uint8_t)lya_unpack_uint(&u->in, UINT8_MAX);
	proof->key = (uint8_t)lya_unpack_uint(&u->in, LYA_SNAT_BY_RANDOM);
	value = lya_unpack_bytes(&u->in, LYA_SNAT_VALUE, &len);
	if (value != NULL)
		memcpy(proof->value, value, len);
	proof->value_len = (uint8_t)len;
	proof->n_legs = (uint8_t)lya_unpack_uint(&u->in, 2);
	for (size_t i = 0; i < proof->n_legs; i++)
		unpack_leg(u, &proof->legs[i]);
	unpack_stun_addr(u, &proof->mapped);
	if (!is_kind(proof->kind) || proof->n_legs == 0)
		lya_unpack_fail(&u->in, "a proof proves nothing");
}

static void pack_relay(struct packing *p, const struct lya_snat_relay *r)
{
	lya_pack_uint(&p->body, r->faults);
	pack_stun_addr(p, &r->relay);
	pack_stun_addr(p, &r->alternate);
	lya_pack_raw(&p->body, r->id, sizeof(r->id));
	pack_leg(p, &r->leg);
}

static void unpack_relay(struct unpacking *u, struct lya_snat_relay *r)
{
	const uint8_t *id;

	r->faults = (uint8_t)lya_unpack_uint(&u->in, LYA_RELAY_PORT | LYA_RELAY_ADDRESS |
							 LYA_RELAY_ALTERNATE);
	unpack_stun_addr(u, &r->relay);
	unpack_stun_addr(u, &r->alternate);
	id = lya_unpack_raw(&u->in, sizeof(r->id));
	if (id != NULL)
		memcpy(r->id, id, sizeof(r->id));
	unpack_leg(u, &r->leg);
}

static void pack_proofs(struct packing *p, const struct entry *e)
{
	lya_pack_uint(&p->body, e->snat_kinds);
	lya_pack_uint(&p->body, e->snat != NULL);
	if (e->snat != NULL)
		pack_proof(p, e->snat);
	lya_pack_uint(&p->body, e->relay != NULL);
	if (e->relay != NULL)
		pack_relay(p, e->relay);
}

static void unpack_proofs(struct unpacking *u, struct entry *e)
{
	e->snat_kinds = (uint16_t)lya_unpack_uint(&u->in, (1 << LYA_SNAT_KINDS) - 1);
	if (lya_unpack_bool(&u->in) && (e->snat = room(u, 1, sizeof(*e->snat))) != NULL)
		unpack_proof(u, e->snat);
	if (lya_unpack_bool(&u->in) && (e->relay = room(u, 1, sizeof(*e->relay))) != NULL)
		unpack_relay(u, e->relay);
}

/* Entries -------------------------------------------------------------------------------- */

/* The least index, or INT32_MAX for none. */
static int32_t least(int32_t index)
{
	return index != INT32_MAX ? index : -1;
}

static int32_t not_least(int32_t index)
{
	return index >= 0 ? index : INT32_MAX;
}

enum { IS_INTRUSION = 1, IS_EXTERNAL = 2, IS_PROVEN = 4, IS_INTERNAL = 8, FACTS = 15 };

static unsigned facts_of(const struct entry *e)
{
	return (e->intrusion ? IS_INTRUSION : 0U) | (e->external ? IS_EXTERNAL : 0U) |
	       (e->proven ? IS_PROVEN : 0U) | (e->av_internal ? IS_INTERNAL : 0U);
}

static void pack_sums(struct packing *p, const struct entry *e)
{
	lya_pack_uint(&p->body, e->flows);
	lya_pack_uint(&p->body, e->packets);
	lya_pack_uint(&p->body, e->bytes);
	lya_pack_uint(&p->body, e->through);
	lya_pack_uint(&p->body, e->attempted);
	lya_pack_uint(&p->body, e->refused);
	lya_pack_int(&p->body, e->first_ns);
	lya_pack_int(&p->body, e->last_ns);
	lya_pack_uint(&p->body, e->digits);
	lya_pack_uint(&p->body, e->basis);
	lya_pack_uint(&p->body, e->grade);
	lya_pack_uint(&p->body, facts_of(e));
	lya_pack_uint(&p->body, e->spoken);
	lya_pack_uint(&p->body, e->icmp);
}

static void unpack_sums(struct unpacking *u, struct entry *e)
{
	unsigned facts;

	e->flows = lya_unpack_uint(&u->in, UINT64_MAX);
	e->packets = lya_unpack_uint(&u->in, UINT64_MAX);
	e->bytes = lya_unpack_uint(&u->in, UINT64_MAX);
	e->through = lya_unpack_uint(&u->in, UINT64_MAX);
	e->attempted = lya_unpack_uint(&u->in, UINT64_MAX);
	e->refused = lya_unpack_uint(&u->in, UINT64_MAX);
	e->first_ns = lya_unpack_time(&u->in);
	e->last_ns = lya_unpack_time(&u->in);
	e->digits = digits(u);
	e->basis = (uint8_t)lya_unpack_uint(&u->in, LYA_BASIS_FIRST_PACKET);
	e->grade = (uint8_t)lya_unpack_uint(&u->in, LYA_GRADE_HINT);
	facts = (unsigned)lya_unpack_uint(&u->in, FACTS);
	e->intrusion = (facts & IS_INTRUSION) != 0;
	e->external = (facts & IS_EXTERNAL) != 0;
	e->proven = (facts & IS_PROVEN) != 0;
	e->av_internal = (facts & IS_INTERNAL) != 0;
	e->spoken = (uint32_t)lya_unpack_uint(&u->in, (UINT32_C(1) << LYA_APP_COUNT) - 1);
	e->icmp = (uint16_t)lya_unpack_uint(&u->in, UINT16_MAX);
}

static void pack_rows(struct packing *p, const struct entry *e)
{
	packing_name(p, &p->rules, least(e->nearest));
	lya_pack_uint(&p->body, e->nearest != INT32_MAX ? e->but : 0U);
	packing_name(p, &p->rules, least(e->mixup));
	packing_name(p, &p->exceptions, least(e->expired));
	packing_name(p, &p->hosts, least(e->shown));
	packing_name(p, &p->hosts, least(e->asked));
	lya_pack_uint(&p->body, e->n_rules);
	for (size_t i = 0; i < e->n_rules; i++)
		packing_name(p, &p->rules, e->rules[i]);
}

static void unpack_rows(struct unpacking *u, struct entry *e)
{
	size_t n;

	e->nearest = not_least(unpacking_rule(u));
	e->but = (uint8_t)lya_unpack_uint(&u->in, LYA_BUT_RESPONDER);
	e->mixup = not_least(unpacking_rule(u));
	e->expired = not_least(unpacking_expired(u));
	e->shown = not_least(unpacking_host(u));
	e->asked = not_least(unpacking_host(u));
	n = (size_t)lya_unpack_uint(&u->in, LYA_FINDING_RULES);
	for (size_t i = 0; i < n; i++) {
		int32_t rule = unpacking_rule(u);

		if (rule >= 0)
			e->rules[e->n_rules++] = rule;
	}
}

void pack_entry(struct packing *p, const struct entry *e)
{
	pack_ports(p, e->ports);
	pack_sums(p, e);
	pack_rows(p, e);
	lya_pack_uint(&p->body, e->n_samples);
	for (size_t i = 0; i < e->n_samples; i++)
		pack_sample(p, &e->samples[i]);
	pack_proofs(p, e);
	pack_crowd(p, &e->crowds[0]);
	pack_crowd(p, &e->crowds[1]);
}

struct entry *unpack_entry(struct unpacking *u)
{
	struct lya_port_range ports = unpack_ports(u);
	struct entry *e = unpacking_failed(u) ? NULL : entry_new(ports);

	if (e == NULL) {
		u->nomem = u->nomem || !lya_unpack_failed(&u->in);
		return NULL;
	}
	unpack_sums(u, e);
	unpack_rows(u, e);
	e->n_samples = (size_t)lya_unpack_uint(&u->in, LYA_FINDING_SAMPLES);
	for (size_t i = 0; i < e->n_samples; i++)
		unpack_sample(u, &e->samples[i]);
	unpack_proofs(u, e);
	unpack_crowd(u, &e->crowds[0]);
	unpack_crowd(u, &e->crowds[1]);
	if (e->flows == 0 || e->n_samples == 0)
		lya_unpack_fail(&u->in, "a finding has no flow");
	if (!unpacking_failed(u))
		return e;
	entry_free(e);
	return NULL;
}
