/*
 * minutes.c - flows folded by minute, roles, hosts, port and verdict.
 */
#include "lyncaudit/minutes.h"

#include <string.h>

#include "finding/ledger.h"
#include "lyncaudit/alloc.h"

/* Padding is zero: it is hashed and compared as bytes. */
struct minute_key {
	int64_t minute;
	int32_t host[2];
	struct lya_port_range ports;
	uint8_t role[2];
	uint8_t transport, verdict;
};

struct minute_sums {
	uint64_t flows, opened, packets, bytes;
};

struct lya_minutes {
	const struct lya_policy *policy;
	struct lya_map *rows, *coarse;
	struct lya_flow_sum lost;
};

int lya_minutes_new(struct lya_minutes **out, const struct lya_policy *policy,
		    struct lya_error *err)
{
	struct lya_minutes *m = lya_calloc(1, sizeof(*m));

	*out = NULL;
	if (m == NULL)
		return lya_error_nomem(err);
	m->policy = policy;
	m->rows =
	    lya_map_new(sizeof(struct minute_key), sizeof(struct minute_sums), LYA_MINUTES_ROWS);
	m->coarse =
	    lya_map_new(sizeof(struct minute_key), sizeof(struct minute_sums), LYA_MINUTES_COARSE);
	if (m->rows == NULL || m->coarse == NULL) {
		lya_minutes_free(m);
		return lya_error_nomem(err);
	}
	*out = m;
	return LYA_OK;
}

void lya_minutes_free(struct lya_minutes *m)
{
	if (m == NULL)
		return;
	lya_map_free(m->rows);
	lya_map_free(m->coarse);
	lya_free(m);
}

static void add_sums(struct minute_sums *s, const struct minute_sums *more)
{
	s->flows += more->flows;
	s->opened += more->opened;
	s->packets += more->packets;
	s->bytes += more->bytes;
}

/* False: no memory, or no room (which *full tells). */
static bool put(struct lya_map *map, size_t max, const struct minute_key *key,
		const struct minute_sums *more, bool *full)
{
	struct minute_sums *s = lya_map_put(map, key, NULL);

	*full = s == NULL && lya_map_count(map) >= max;
	if (s != NULL)
		add_sums(s, more);
	return s != NULL;
}

static int put_coarse(struct lya_minutes *m, const struct minute_key *key,
		      const struct minute_sums *more)
{
	struct minute_key coarse = *key;
	bool full;

	coarse.host[0] = coarse.host[1] = -1;
	coarse.ports = (struct lya_port_range){ 0, UINT16_MAX };
	if (put(m->coarse, LYA_MINUTES_COARSE, &coarse, more, &full))
		return LYA_OK;
	m->lost.packets += more->packets;
	m->lost.bytes += more->bytes;
	return full ? LYA_OK : LYA_ENOMEM;
}

static int put_row(struct lya_minutes *m, const struct minute_key *key,
		   const struct minute_sums *more)
{
	bool full;

	if (put(m->rows, LYA_MINUTES_ROWS, key, more, &full))
		return LYA_OK;
	return full ? put_coarse(m, key, more) : LYA_ENOMEM;
}

static int64_t minute_of(int64_t ns)
{
	const int64_t minute_ns = 60 * LYA_SECOND_NS;

	return ns >= 0 ? ns / minute_ns : -((-(ns + 1)) / minute_ns) - 1;
}

int lya_minutes_add(struct lya_minutes *m, const struct lya_flow *flow,
		    const struct lya_policy_end ends[static 2], const struct lya_verdict *v,
		    int64_t last_ns, const struct lya_flow_sum *gained, bool opened)
{
	bool documented = v->kind == LYA_VERDICT_DOCUMENTED && v->n_rules > 0;
	struct minute_sums one = { 1, opened, gained->packets, gained->bytes };
	struct minute_key key;

	memset(&key, 0, sizeof(key));
	key.minute = minute_of(last_ns);
	for (unsigned i = 0; i < 2; i++) {
		const struct lya_policy_end *end = &ends[i == 0 ? v->initiator : !v->initiator];

		key.host[i] = end->host;
		key.role[i] = (uint8_t)name_role(m->policy, end, v, i == 0);
	}
	key.ports = name_ports(m->policy, documented ? v->rules[0] : -1, flow->port[v->initiator],
			       flow->port[!v->initiator]);
	key.transport = flow->transport;
	key.verdict = v->kind;
	return put_row(m, &key, &one);
}

int lya_minutes_merge(struct lya_minutes *m, const struct lya_minutes *from)
{
	const void *key;
	void *value;
	size_t pos = 0;
	int rc = LYA_OK;

	while (rc == LYA_OK && lya_map_next(from->rows, &pos, &key, &value))
		rc = put_row(m, key, value);
	pos = 0;
	while (rc == LYA_OK && lya_map_next(from->coarse, &pos, &key, &value))
		rc = put_coarse(m, key, value);
	m->lost.packets += from->lost.packets;
	m->lost.bytes += from->lost.bytes;
	return rc;
}

const struct lya_policy *lya_minutes_policy(const struct lya_minutes *m)
{
	return m->policy;
}

static void tell(const struct minute_key *key, const struct minute_sums *s, bool other,
		 struct lya_minute *row)
{
	*row = (struct lya_minute){
		.minute = key->minute,
		.host = { key->host[0], key->host[1] },
		.role = { key->role[0], key->role[1] },
		.transport = key->transport,
		.verdict = key->verdict,
		.ports = key->ports,
		.other = other,
		.flows = s->flows,
		.opened = s->opened,
		.packets = s->packets,
		.bytes = s->bytes,
	};
}

bool lya_minutes_next(const struct lya_minutes *m, size_t *pos, struct lya_minute *row)
{
	size_t rows = lya_map_count(m->rows), at = *pos;
	const void *key;
	void *value;

	if (at < rows) {
		(void)lya_map_next(m->rows, pos, &key, &value);
		tell(key, value, false, row);
		return true;
	}
	at -= rows;
	if (!lya_map_next(m->coarse, &at, &key, &value))
		return false;
	*pos = rows + at;
	tell(key, value, true, row);
	return true;
}

struct lya_flow_sum lya_minutes_lost(const struct lya_minutes *m)
{
	return m->lost;
}
