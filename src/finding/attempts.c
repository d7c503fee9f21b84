/*
 * attempts.c - documented flows that were tried and never got through.
 *
 * One address that never answers another on one port is a firewall, a service
 * that is down or a route that is missing; one attempt in ten without an
 * answer is none of them.  So successes are kept as well as failures, and a
 * success at any time, in any source, outweighs all failures.
 */
#include "finding/ledger.h"
#include "finding/packing.h"

#include <string.h>

#include "lyncaudit/alloc.h"

enum {
	/* A part costs about eight times what a key without one does. */
	KEY_WEIGHT = 1,
	PART_WEIGHT = 8,
	/* From here on a documented range is where media go, and not a listener's. */
	MEDIA_PORTS = 17,
	/* Levels below drop what is undeclared; from here on, all of that is gone. */
	LEVEL_DECLARED = 32
};

/* Padding is zero: it is hashed and compared as bytes. */
struct attempt_key {
	struct lya_addr from, to;
	uint8_t transport, declared;
	uint16_t port;
};

struct attempt {
	bool through;
	bool named;          /* key is set */
	struct pair_key key; /* the least, should several rows name the ends */
	struct split failed;
};

int attempts_init(struct attempts *a, size_t max)
{
	*a = (struct attempts){ .max = max };
	a->map = lya_map_new(sizeof(struct attempt_key), sizeof(struct attempt), 0);
	return a->map != NULL ? LYA_OK : LYA_ENOMEM;
}

void attempts_fini(struct attempts *a)
{
	const void *key;
	void *value;
	size_t pos = 0;

	while (a->map != NULL && lya_map_next(a->map, &pos, &key, &value))
		split_fini(&((struct attempt *)value)->failed);
	lya_map_free(a->map);
	*a = (struct attempts){ 0 };
}

static bool is_kept(const struct attempt_key *key, unsigned level)
{
	if (level == 0)
		return true;
	if (!key->declared && level >= LEVEL_DECLARED)
		return false;
	if (key->declared)
		level = level > LEVEL_DECLARED ? level - LEVEL_DECLARED : 0;
	return (finding_hash(key, sizeof(*key)) & ((UINT64_C(1) << level) - 1)) == 0;
}

static size_t weight_of(const struct attempt *t)
{
	return KEY_WEIGHT + PART_WEIGHT * t->failed.n;
}

/* Go on with what the level keeps, in a map of its own: maps do not forget. */
static int set_level(struct attempts *a, unsigned level)
{
	struct lya_map *map = lya_map_new(sizeof(struct attempt_key), sizeof(struct attempt), 0);
	const void *key;
	void *value;
	size_t pos = 0;

	while (map != NULL && lya_map_next(a->map, &pos, &key, &value)) {
		struct attempt *kept;

		if (!is_kept(key, level))
			continue;
		kept = lya_map_put(map, key, NULL);
		if (kept == NULL) {
			lya_map_free(map);
			map = NULL;
			break;
		}
		*kept = *(struct attempt *)value;
	}
	if (map == NULL)
		return LYA_ENOMEM;
	pos = 0;
	while (lya_map_next(a->map, &pos, &key, &value)) {
		if (is_kept(key, level))
			continue;
		a->weight -= weight_of(value);
		split_fini(&((struct attempt *)value)->failed);
	}
	lya_map_free(a->map);
	a->map = map;
	a->level = level;
	return LYA_OK;
}

static int shrink(struct attempts *a)
{
	int rc = LYA_OK;

	while (rc == LYA_OK && a->weight > a->max && a->level < 2 * LEVEL_DECLARED)
		rc = set_level(a, a->level + 1);
	return rc;
}

/* *out is NULL when the key is not among those kept. */
static int attempt_get(struct attempts *a, const struct attempt_key *key, struct attempt **out)
{
	bool made;

	*out = NULL;
	if (!is_kept(key, a->level))
		return LYA_OK;
	*out = lya_map_put(a->map, key, &made);
	if (*out == NULL)
		return LYA_ENOMEM;
	a->weight += made ? KEY_WEIGHT : 0;
	return LYA_OK;
}

static struct attempt_key key_of(const struct lya_addr *from, const struct lya_addr *to,
				 uint8_t transport, uint16_t port, bool declared)
{
	struct attempt_key key;

	memset(&key, 0, sizeof(key));
	key.from = *from;
	key.to = *to;
	key.transport = transport;
	key.declared = declared;
	key.port = port;
	return key;
}

static int note_through(struct attempts *a, const struct attempt_key *key)
{
	struct attempt *t;
	int rc = attempt_get(a, key, &t);

	if (t != NULL)
		t->through = true;
	return rc == LYA_OK ? shrink(a) : rc;
}

static void name_attempt(struct attempt *t, const struct pair_key *key)
{
	if (t->named && memcmp(&t->key, key, sizeof(*key)) <= 0)
		return;
	t->key = *key;
	t->named = true;
}

static int note_failure(struct attempts *a, const struct attempt_key *key,
			const struct pair_key *pair, const struct lya_flow *flow,
			const struct lya_policy_end ends[static 2], const struct lya_verdict *v)
{
	struct attempt *t;
	bool made;
	int rc = attempt_get(a, key, &t);

	if (rc != LYA_OK || t == NULL)
		return rc;
	name_attempt(t, pair);
	rc = split_add(&t->failed, flow, ends, v, &made);
	a->weight += made ? PART_WEIGHT : 0;
	return rc == LYA_OK ? shrink(a) : rc;
}

/* The row's range is one that media choose their ports from. */
static bool is_media(const struct lya_policy *p, const struct lya_flow *flow,
		     const struct lya_verdict *v)
{
	uint16_t rport = flow->port[!v->initiator];
	struct lya_port_range r;

	if (v->n_rules == 0 || lya_policy_rules(p)->list[v->rules[0]].any_port)
		return false;
	r = name_ports(p, v->rules[0], flow->port[v->initiator], rport);
	if (r.last - r.first + 1 < MEDIA_PORTS)
		return false;
	/* From a media port to a listener: a TCP connection is one like any other. */
	return flow->transport == 17 || (rport >= r.first && rport <= r.last);
}

/* The payload asks something that the listener would answer. */
static bool wants_answer(const struct lya_flow *flow, int initiator)
{
	switch ((enum lya_app)flow->app.app) {
	case LYA_APP_STUN:
	case LYA_APP_MSTURN:
	case LYA_APP_DNS:
	case LYA_APP_SSRP:
		return flow->app.client_side == initiator && !flow->app.ice &&
		       (flow->app.seen & LYA_SEEN_MEDIA) == 0;
	default:
		return false;
	}
}

static bool is_failure(const struct lya_flow *flow, int initiator)
{
	if (flow->transport == 6)
		return flow->syn_side == initiator &&
		       (flow->state == LYA_STATE_ATTEMPTED || flow->state == LYA_STATE_REFUSED);
	return !flow->answered && wants_answer(flow, initiator);
}

/*
 * The A/V Edge answers from its own address what was sent to the VIP, as the
 * documents want it (edge.p.av-real-address): whoever hears from a node has
 * an answer from the VIPs in front of it.
 */
static int note_vips(struct attempts *a, const struct lya_policy *p, const struct lya_flow *flow,
		     const struct lya_policy_end ends[static 2], unsigned node)
{
	static const enum lya_role services[] = { LYA_ROLE_EDGE_AV, LYA_ROLE_EDGE_INTERNAL };
	const struct lya_site *site = lya_policy_site(p);
	lya_roles vips = 0;
	int rc = LYA_OK;

	for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
		if (ends[node].roles & LYA_ROLE_BIT(services[i]))
			vips |= LYA_ROLE_BIT(lya_role_vip_of(services[i]));
	}
	for (size_t h = 0; vips != 0 && h < site->n_hosts; h++) {
		const struct lya_site_host *host = &site->hosts[h];

		for (size_t i = 0; (host->roles & vips) != 0 && i < host->n_addresses; i++) {
			const struct lya_addr *vip = &host->addresses[i].net.addr;
			struct lya_policy_end end;
			struct attempt_key key;

			if ((LYA_ROLE_BIT(host->addresses[i].role) & vips) == 0)
				continue;
			key = key_of(&flow->addr[!node], vip, flow->transport, flow->port[node],
				     ends[!node].host >= 0);
			if (!is_kept(&key, a->level))
				continue;
			lya_policy_end_of(p, vip, &end);
			if (end.pool != ends[node].pool)
				continue;
			if ((rc = note_through(a, &key)) != LYA_OK)
				return rc;
		}
	}
	return rc;
}

static int note_answers(struct attempts *a, const struct lya_policy *p, const struct lya_flow *flow,
			const struct lya_policy_end ends[static 2])
{
	int rc = LYA_OK;

	for (unsigned node = 0; node < 2 && rc == LYA_OK; node++) {
		bool listener = flow->port[node] == (flow->transport == 6 ? 443 : 3478);

		if (listener && flow->packets[node] > 0 && flow->state != LYA_STATE_REFUSED &&
		    flow->state != LYA_STATE_ATTEMPTED)
			rc = note_vips(a, p, flow, ends, node);
	}
	return rc;
}

static struct pair_key pair_of(const struct lya_policy *p, const struct lya_flow *flow,
			       const struct lya_policy_end ends[static 2],
			       const struct lya_verdict *v)
{
	struct pair_key key;

	memset(&key, 0, sizeof(key));
	key.type = LYA_FINDING_BLOCKED_FLOW;
	key.transport = flow->transport;
	for (unsigned i = 0; i < 2; i++) {
		const struct lya_policy_end *end = &ends[i == 0 ? v->initiator : !v->initiator];

		key.host[i] = end->host;
		key.role[i] = (uint8_t)name_role(p, end, v, i == 0);
	}
	return key;
}

/* Between two ends that play a role, whose ports are known. */
static bool is_between_roles(const struct lya_flow *flow, const struct lya_policy_end ends[static 2])
{
	return flow->unknown == LYA_UNKNOWN_NOT && !flow->group_dst && !ends[0].no_role &&
	       !ends[1].no_role;
}

static bool is_attempt(const struct lya_verdict *v)
{
	return v->kind == LYA_VERDICT_DOCUMENTED && v->leg != LYA_LEG_PROBE;
}

bool attempts_fail(const struct lya_policy *p, const struct lya_flow *flow,
		   const struct lya_policy_end ends[static 2], const struct lya_verdict *v)
{
	return is_between_roles(flow, ends) && is_attempt(v) && !flow_through(flow) &&
	       is_failure(flow, v->initiator) && !is_media(p, flow, v);
}

int attempts_take(struct attempts *a, const struct lya_policy *p, const struct lya_flow *flow,
		  const struct lya_policy_end ends[static 2], const struct lya_verdict *v)
{
	unsigned from = v->initiator, to = !v->initiator;
	struct attempt_key key;
	struct pair_key pair;
	int rc;

	if (!is_between_roles(flow, ends))
		return LYA_OK;
	if ((rc = note_answers(a, p, flow, ends)) != LYA_OK)
		return rc;
	if (!is_attempt(v))
		return LYA_OK;
	key = key_of(&flow->addr[from], &flow->addr[to], flow->transport, flow->port[to],
		     ends[0].host >= 0 && ends[1].host >= 0);
	if (!is_kept(&key, a->level) || is_media(p, flow, v)) /* the cheaper question first */
		return LYA_OK;
	if (flow_through(flow))
		return note_through(a, &key);
	if (!is_failure(flow, (int)from))
		return LYA_OK;
	pair = pair_of(p, flow, ends, v);
	return note_failure(a, &key, &pair, flow, ends, v);
}

static int merge_one(struct attempts *a, const struct attempt_key *key, const struct attempt *from)
{
	struct attempt *t;
	size_t made;
	int rc = attempt_get(a, key, &t);

	if (rc != LYA_OK || t == NULL)
		return rc;
	t->through = t->through || from->through;
	if (from->named)
		name_attempt(t, &from->key);
	rc = split_merge(&t->failed, &from->failed, &made);
	a->weight += PART_WEIGHT * made;
	return rc == LYA_OK ? shrink(a) : rc;
}

int attempts_merge(struct attempts *a, const struct attempts *from)
{
	const void *key;
	void *value;
	size_t pos = 0;
	int rc = LYA_OK;

	if (from->level > a->level)
		rc = set_level(a, from->level);
	while (rc == LYA_OK && lya_map_next(from->map, &pos, &key, &value))
		rc = merge_one(a, key, value);
	return rc;
}

/* As bytes, and back --------------------------------------------------------------------- */

static void pack_one(struct packing *p, const struct attempt_key *key, const struct attempt *t)
{
	lya_pack_addr(&p->body, &key->from);
	lya_pack_addr(&p->body, &key->to);
	lya_pack_uint(&p->body, key->transport);
	lya_pack_uint(&p->body, key->declared);
	lya_pack_uint(&p->body, key->port);
	lya_pack_uint(&p->body, t->through);
	lya_pack_uint(&p->body, t->named);
	if (t->named)
		pack_pair_key(p, &t->key);
	pack_split(p, &t->failed);
}

void attempts_pack(struct packing *p, const struct attempts *a)
{
	const void *key;
	void *value;
	size_t pos = 0;

	lya_pack_uint(&p->body, a->level);
	lya_pack_uint(&p->body, lya_map_count(a->map));
	while (lya_map_next(a->map, &pos, &key, &value))
		pack_one(p, key, value);
}

static void unpack_one(struct unpacking *u, struct attempts *a)
{
	struct attempt t = { 0 };
	struct attempt_key key;

	memset(&key, 0, sizeof(key));
	lya_unpack_addr(&u->in, &key.from);
	lya_unpack_addr(&u->in, &key.to);
	key.transport = (uint8_t)lya_unpack_uint(&u->in, UINT8_MAX);
	key.declared = lya_unpack_bool(&u->in);
	key.port = (uint16_t)lya_unpack_uint(&u->in, UINT16_MAX);
	t.through = lya_unpack_bool(&u->in);
	t.named = lya_unpack_bool(&u->in);
	if (t.named && (!unpack_pair_key(u, &t.key) || t.key.type != LYA_FINDING_BLOCKED_FLOW))
		lya_unpack_fail(&u->in, "an attempt is none");
	if (!unpacking_failed(u))
		unpack_split(u, &t.failed);
	if (!t.named && t.failed.n > 0)
		lya_unpack_fail(&u->in, "nobody attempted it");
	if (!unpacking_failed(u))
		u->nomem = merge_one(a, &key, &t) != LYA_OK;
	split_fini(&t.failed);
}

void attempts_unpack(struct unpacking *u, struct attempts *a)
{
	unsigned level = (unsigned)lya_unpack_uint(&u->in, (uint64_t)2 * LEVEL_DECLARED);
	size_t n = lya_unpack_count(&u->in, SIZE_MAX, 8);

	if (!unpacking_failed(u) && level > a->level)
		u->nomem = set_level(a, level) != LYA_OK;
	for (size_t i = 0; i < n && !unpacking_failed(u); i++)
		unpack_one(u, a);
}

int attempts_finish(const struct attempts *a, const struct lya_site *site,
		    const struct lya_ledger_end *end, struct folds *folds)
{
	uint8_t rank = (uint8_t)severity_gravest(site, LYA_FINDING_BLOCKED_FLOW);
	const void *key;
	void *value;
	size_t pos = 0;
	int rc = LYA_OK;

	while (rc == LYA_OK && lya_map_next(a->map, &pos, &key, &value)) {
		uint16_t port = ((const struct attempt_key *)key)->port;
		const struct attempt *t = value;

		for (size_t i = 0; !t->through && i < t->failed.n && rc == LYA_OK; i++) {
			if (split_proves(&t->failed.list[i], end))
				rc = folds_put(folds, &t->key, rank,
					       (struct lya_port_range){ port, port },
					       t->failed.list[i].entry);
		}
	}
	return rc;
}

void attempts_each_packet(const struct attempts *a, const struct lya_packet_visitor *v)
{
	const void *key;
	void *value;
	size_t pos = 0;

	while (lya_map_next(a->map, &pos, &key, &value)) {
		const struct attempt *t = value;

		if (!t->through) /* else it becomes no finding */
			split_each_packet(&t->failed, v);
	}
}
