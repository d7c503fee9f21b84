/*
 * pack_folds.c - findings by pair of ends as bytes, and back.
 */
#include "finding/packing.h"

#include <string.h>

#include "lyncaudit/alloc.h"

enum { PORT_WORDS = 65536 / 64 };

/* Keys ----------------------------------------------------------------------------------- */

static bool is_about_exception(uint8_t type)
{
	return type == LYA_FINDING_EXCEPTION_EXPIRED;
}

void pack_pair_key(struct packing *p, const struct pair_key *key)
{
	lya_pack_uint(&p->body, key->type);
	lya_pack_uint(&p->body, key->transport);
	lya_pack_uint(&p->body, key->source_port);
	for (size_t i = 0; i < 2; i++) {
		lya_pack_uint(&p->body, key->role[i]);
		packing_name(p, is_about_exception(key->type) ? &p->exceptions : &p->hosts,
			     key->host[i]);
	}
}

/* The types that flows raise one by one, or fail by; others are made at the end. */
static bool is_raised(uint8_t type)
{
	switch ((enum lya_finding_type)type) {
	case LYA_FINDING_NONE:
	case LYA_FINDING_SIP_ONE_WAY:
	case LYA_FINDING_MISSING_FLOW:
	case LYA_FINDING_GATEWAY_MISMATCH:
	case LYA_FINDING_EXCEPTION_EXPIRING:
	case LYA_FINDING_EXCEPTION_UNUSED:
	case LYA_FINDING_SITE:
		return false;
	default:
		return type < LYA_FINDING_TYPES;
	}
}

static uint8_t unpack_role(struct unpacking *u)
{
	uint8_t role = (uint8_t)lya_unpack_uint(&u->in, PAIR_NO_ROLE);

	if (role > LYA_ROLES && role != PAIR_NO_ROLE)
		lya_unpack_fail(&u->in, "there is no such role");
	return role;
}

bool unpack_pair_key(struct unpacking *u, struct pair_key *key)
{
	bool gone = false;

	memset(key, 0, sizeof(*key));
	key->type = (uint8_t)lya_unpack_uint(&u->in, LYA_FINDING_TYPES - 1);
	key->transport = (uint8_t)lya_unpack_uint(&u->in, UINT8_MAX);
	key->source_port = lya_unpack_bool(&u->in);
	for (size_t i = 0; i < 2; i++) {
		key->role[i] = unpack_role(u);
		key->host[i] =
		    is_about_exception(key->type) ? unpacking_expired(u) : unpacking_host(u);
	}
	if (!is_raised(key->type))
		lya_unpack_fail(&u->in, "there is no such type of finding");
	gone = is_about_exception(key->type) && key->host[0] < 0;
	return !gone && !unpacking_failed(u);
}

/* Pairs ---------------------------------------------------------------------------------- */

/* The ports of a scan, as runs of set bits. */
static void pack_port_set(struct packing *p, const uint64_t *words)
{
	struct lya_pack runs = { 0 };
	size_t n = 0;
	unsigned end = 0; /* one past the run before */

	for (unsigned port = 0; port <= UINT16_MAX; port++) {
		unsigned first = port;

		while (port <= UINT16_MAX && (words[port / 64] >> (port % 64) & 1) != 0)
			port++;
		if (port == first)
			continue;
		lya_pack_uint(&runs, first - end);
		lya_pack_uint(&runs, port - first);
		end = port;
		n++;
	}
	lya_pack_uint(&p->body, n);
	lya_pack_raw(&p->body, runs.data, runs.len);
	p->body.failed = p->body.failed || runs.failed;
	lya_pack_fini(&runs);
}

static void unpack_port_set(struct unpacking *u, uint64_t *words)
{
	size_t n = lya_unpack_count(&u->in, 65536, 2);
	uint64_t port = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t len;

		port += lya_unpack_uint(&u->in, 65535);
		len = lya_unpack_uint(&u->in, 65536);
		if (port + len > 65536)
			lya_unpack_fail(&u->in, "there is no such port");
		if (unpacking_failed(u))
			return;
		for (; len > 0; len--, port++)
			words[port / 64] |= UINT64_C(1) << (port % 64);
	}
}

static void pack_pair(struct packing *p, const struct pair *pair)
{
	pack_pair_key(p, &pair->key);
	lya_pack_uint(&p->body, pair->scan != NULL);
	if (pair->scan != NULL) {
		pack_port_set(p, pair->ports);
		pack_entry(p, pair->scan);
		return;
	}
	lya_pack_uint(&p->body, pair->n_entries);
	for (size_t i = 0; i < pair->n_entries; i++)
		pack_entry(p, pair->entries[i]);
}

static void unpack_scan(struct unpacking *u, struct pair *pair)
{
	pair->ports = lya_calloc(PORT_WORDS, sizeof(*pair->ports));
	if (pair->ports == NULL) {
		u->nomem = true;
		return;
	}
	unpack_port_set(u, pair->ports);
	pair->scan = unpack_entry(u);
}

static void unpack_entries(struct unpacking *u, struct pair *pair)
{
	size_t n = (size_t)lya_unpack_uint(&u->in, LYA_FINDING_PORTS);

	pair->entries = lya_calloc(LYA_FINDING_PORTS, sizeof(struct entry *));
	u->nomem = u->nomem || pair->entries == NULL;
	while (!unpacking_failed(u) && pair->n_entries < n) {
		struct entry *e = unpack_entry(u);

		if (e != NULL)
			pair->entries[pair->n_entries++] = e;
	}
	if (n == 0)
		lya_unpack_fail(&u->in, "a pair of ends has no finding");
}

/* What the sentences of some types rest on. */
static bool entry_is_told(enum lya_finding_type type, const struct entry *e)
{
	if (type == LYA_FINDING_AV_EDGE_RELAY)
		return e->relay != NULL;
	return type != LYA_FINDING_IDENTITY_MISMATCH || e->shown != INT32_MAX ||
	       e->asked != INT32_MAX;
}

static void check_pair(struct unpacking *u, const struct pair *pair)
{
	enum lya_finding_type type = (enum lya_finding_type)pair->key.type;
	bool good = pair->scan == NULL || entry_is_told(type, pair->scan);

	for (size_t i = 0; i < pair->n_entries; i++)
		good = good && entry_is_told(type, pair->entries[i]);
	if (!good)
		lya_unpack_fail(&u->in, "a finding lacks what it is about");
}

static void unpack_pair(struct unpacking *u, struct folds *f)
{
	struct pair *pair = lya_calloc(1, sizeof(*pair));
	bool wanted;

	if (pair == NULL) {
		u->nomem = true;
		return;
	}
	wanted = unpack_pair_key(u, &pair->key);
	if (!unpacking_failed(u)) {
		if (lya_unpack_bool(&u->in))
			unpack_scan(u, pair);
		else
			unpack_entries(u, pair);
	}
	if (!unpacking_failed(u))
		check_pair(u, pair);
	if (!unpacking_failed(u) && wanted) {
		pair->rank = (uint8_t)severity_gravest(u->ledger->site,
						       (enum lya_finding_type)pair->key.type);
		u->nomem = folds_take(f, pair) != LYA_OK;
	}
	pair_free(pair);
}

void pack_folds(struct packing *p, const struct folds *f)
{
	lya_pack_uint(&p->body, f->flows);
	lya_pack_uint(&p->body, f->closed);
	if (f->closed) {
		lya_pack_uint(&p->body, f->closed_rank);
		lya_pack_u64(&p->body, f->closed_hash);
	}
	lya_pack_uint(&p->body, f->marks.n);
	for (size_t i = 0; i < f->marks.n; i++)
		lya_pack_u64(&p->body, f->marks.list[i]);
	lya_pack_uint(&p->body, f->n);
	for (size_t i = 0; i < f->n; i++)
		pack_pair(p, f->heap[i]);
}

void unpack_folds(struct unpacking *u, struct folds *f)
{
	uint64_t flows = lya_unpack_uint(&u->in, UINT64_MAX);
	size_t n;

	if (lya_unpack_bool(&u->in)) {
		uint8_t rank = (uint8_t)lya_unpack_uint(&u->in, LYA_SEVERITIES - 1);
		uint64_t hash = lya_unpack_u64(&u->in);

		if (!unpacking_failed(u))
			folds_close(f, rank, hash);
	}
	n = lya_unpack_count(&u->in, MARKS_MAX, 8);
	for (size_t i = 0; i < n && !unpacking_failed(u); i++)
		u->nomem = marks_add(&f->marks, lya_unpack_u64(&u->in)) != LYA_OK;
	n = lya_unpack_count(&u->in, SIZE_MAX, 8);
	for (size_t i = 0; i < n && !unpacking_failed(u); i++)
		unpack_pair(u, f);
	f->flows += flows;
}
