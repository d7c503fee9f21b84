/*
 * pack_overall.c - what only all flows together show, as bytes and back.
 *
 * Pools have numbers that are a policy's own: a pool is named by its first host.
 */
#include "finding/packing.h"

#include "lyncaudit/alloc.h"

void pack_split(struct packing *p, const struct split *s)
{
	lya_pack_uint(&p->body, s->n);
	for (size_t i = 0; i < s->n; i++) {
		lya_pack_uint(&p->body, s->list[i].source);
		pack_entry(p, s->list[i].entry);
	}
}

void unpack_split(struct unpacking *u, struct split *s)
{
	size_t n = lya_unpack_count(&u->in, SIZE_MAX, 8);

	for (size_t i = 0; i < n && !unpacking_failed(u); i++) {
		uint32_t source = unpacking_source(u);
		struct entry *e = unpack_entry(u);

		if (e != NULL)
			u->nomem = split_put(s, source, e) != LYA_OK;
		entry_free(e);
	}
}

static int32_t pool_of(const struct lya_ledger *l, int32_t host)
{
	const struct lya_site_host *h;
	struct lya_policy_end end;

	if (host < 0 || (size_t)host >= l->site->n_hosts)
		return -1;
	h = &l->site->hosts[host];
	if (h->n_addresses == 0)
		return -1;
	lya_policy_end_of(l->policy, &h->addresses[0].net.addr, &end);
	return end.host == host ? end.pool : -1;
}

/* The first host of a pool; -1: none that an address leads to. */
static int32_t host_of(const struct lya_ledger *l, int32_t pool)
{
	for (size_t i = 0; i < l->site->n_hosts; i++) {
		if (pool_of(l, (int32_t)i) == pool)
			return (int32_t)i;
	}
	return -1;
}

static void pack_sip(struct packing *p, const struct overall *o)
{
	size_t n = 0;

	for (size_t i = 0; i < o->n_pools; i++)
		n += o->sip[i][SIP_TO_EDGE].n > 0 || o->sip[i][SIP_FROM_EDGE].n > 0;
	lya_pack_uint(&p->body, n);
	for (size_t i = 0; i < o->n_pools; i++) {
		if (o->sip[i][SIP_TO_EDGE].n == 0 && o->sip[i][SIP_FROM_EDGE].n == 0)
			continue;
		packing_name(p, &p->hosts, host_of(p->ledger, (int32_t)i));
		pack_split(p, &o->sip[i][SIP_TO_EDGE]);
		pack_split(p, &o->sip[i][SIP_FROM_EDGE]);
	}
}

static void unpack_sip_way(struct unpacking *u, struct split *to)
{
	struct split s = { 0 };
	size_t made;

	unpack_split(u, &s);
	if (!unpacking_failed(u) && to != NULL)
		u->nomem = split_merge(to, &s, &made) != LYA_OK;
	split_fini(&s);
}

static void unpack_sip(struct unpacking *u, struct overall *o)
{
	size_t n = lya_unpack_count(&u->in, SIZE_MAX, 3);

	for (size_t i = 0; i < n && !unpacking_failed(u); i++) {
		int32_t pool = pool_of(u->ledger, unpacking_host(u));
		struct split *sip = NULL;

		if (pool >= 0 && (size_t)pool < o->n_pools)
			sip = o->sip[pool];
		unpack_sip_way(u, sip != NULL ? &sip[SIP_TO_EDGE] : NULL);
		if (!unpacking_failed(u))
			unpack_sip_way(u, sip != NULL ? &sip[SIP_FROM_EDGE] : NULL);
	}
}

/* The indices of what is marked. */
static void pack_set(struct packing *p, struct packing_names *names, const bool *set, size_t n)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += set[i];
	lya_pack_uint(&p->body, count);
	for (size_t i = 0; i < n; i++) {
		if (set[i])
			packing_name(p, names, (int32_t)i);
	}
}

static void unpack_set(struct unpacking *u, int32_t (*next)(struct unpacking *u), bool *set,
		       size_t n)
{
	size_t count = lya_unpack_count(&u->in, SIZE_MAX, 1);

	for (size_t i = 0; i < count && !unpacking_failed(u); i++) {
		int32_t index = next(u);

		if (index >= 0 && (size_t)index < n)
			set[index] = true;
	}
}

void pack_overall(struct packing *p, const struct overall *o)
{
	pack_sip(p, o);
	pack_set(p, &p->rules, o->tried, o->n_rules);
	pack_set(p, &p->hosts, o->hosts, o->n_hosts);
	attempts_pack(p, &o->attempts);
	pack_gateway(p, &o->gateway);
	seen_pack(p, &o->seen);
}

void unpack_overall(struct unpacking *u, struct overall *o)
{
	unpack_sip(u, o);
	unpack_set(u, unpacking_rule, o->tried, o->n_rules);
	unpack_set(u, unpacking_host, o->hosts, o->n_hosts);
	attempts_unpack(u, &o->attempts);
	unpack_gateway(u, &o->gateway);
	if (!unpacking_failed(u))
		seen_unpack(u, &o->seen);
}
