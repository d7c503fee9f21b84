/*
 * pack_gateway.c - by which stations Edge nodes send outside, as bytes and back.
 */
#include "finding/packing.h"

static const uint64_t MAC_MAX = (UINT64_C(1) << 48) - 1;

static void pack_macs(struct packing *p, const struct macs *m)
{
	lya_pack_uint(&p->body, m->n);
	for (size_t i = 0; i < m->n; i++)
		lya_pack_uint(&p->body, m->list[i]);
	lya_pack_uint(&p->body, m->more);
}

/* Whoever merges them orders them, and leaves out what is no station. */
static void unpack_macs(struct unpacking *u, struct macs *m)
{
	m->n = (uint8_t)lya_unpack_uint(&u->in, MACS_MAX);
	for (size_t i = 0; i < m->n; i++)
		m->list[i] = lya_unpack_uint(&u->in, MAC_MAX);
	m->more = lya_unpack_bool(&u->in);
}

static bool is_empty(const struct gateway_host *h)
{
	return h->macs.n == 0 && h->reached.n == 0 && h->n_sent == 0;
}

static void pack_host(struct packing *p, const struct gateway_host *h)
{
	pack_macs(p, &h->macs);
	pack_macs(p, &h->reached);
	lya_pack_uint(&p->body, h->n_sent);
	for (size_t i = 0; i < h->n_sent; i++) {
		lya_pack_uint(&p->body, h->sent[i].from);
		lya_pack_uint(&p->body, h->sent[i].to);
		lya_pack_uint(&p->body, h->sent[i].role);
		pack_entry(p, h->sent[i].entry);
	}
}

static void unpack_host(struct unpacking *u, struct gateway_host *h)
{
	size_t n;

	unpack_macs(u, &h->macs);
	unpack_macs(u, &h->reached);
	n = (size_t)lya_unpack_uint(&u->in, MACS_MAX);
	while (!unpacking_failed(u) && h->n_sent < n) {
		struct sent *s = &h->sent[h->n_sent];

		s->from = lya_unpack_uint(&u->in, MAC_MAX);
		s->to = lya_unpack_uint(&u->in, MAC_MAX);
		s->role = (uint8_t)lya_unpack_uint(&u->in, LYA_ROLES - 1);
		s->entry = unpack_entry(u);
		h->n_sent = (uint8_t)(h->n_sent + (s->entry != NULL));
	}
}

void pack_gateway(struct packing *p, const struct gateway *g)
{
	size_t n = 0;

	for (size_t i = 0; i < g->n_hosts; i++)
		n += !is_empty(&g->hosts[i]);
	lya_pack_uint(&p->body, n);
	for (size_t i = 0; i < g->n_hosts; i++) {
		if (is_empty(&g->hosts[i]))
			continue;
		packing_name(p, &p->hosts, (int32_t)i);
		pack_host(p, &g->hosts[i]);
	}
}

/* What is told of a host that has no address any more concerns nobody. */
static bool is_known(const struct unpacking *u, const struct gateway *g, int32_t host)
{
	return host >= 0 && (size_t)host < g->n_hosts &&
	       u->ledger->site->hosts[host].n_addresses > 0;
}

void unpack_gateway(struct unpacking *u, struct gateway *g)
{
	size_t n = lya_unpack_count(&u->in, SIZE_MAX, 6);

	for (size_t i = 0; i < n && !unpacking_failed(u); i++) {
		int32_t host = unpacking_host(u);
		struct gateway_host h = { 0 };

		unpack_host(u, &h);
		if (!unpacking_failed(u) && is_known(u, g, host))
			u->nomem = gateway_merge_host(&g->hosts[host], &h) != LYA_OK;
		gateway_host_fini(&h);
	}
}
