/*
 * gateway.c - Edge nodes whose default gateway is not the Access VIP (edge.p.access-vip-gateway).
 *
 * Judged on the node's own frames: a router's copy bears the router's address, and so it
 * is that of other declared hosts, too.  The gateway's address is the destination of
 * frames for undeclared addresses outside.
 */
#include "finding/gateway.h"

#include <endian.h>
#include <string.h>

#include "finding/ledger.h"
#include "lyncaudit/alloc.h"

#define BIT(name) LYA_ROLE_BIT(LYA_ROLE_##name)

static const lya_roles OUTSIDE = BIT(EDGE_ACCESS) | BIT(EDGE_WEBCONF) | BIT(EDGE_AV);

/* Sets of MAC addresses ----------------------------------------------------------------- */

static inline uint64_t mac_of(const uint8_t bytes[static 6])
{
	uint32_t high;
	uint16_t low;

	memcpy(&high, bytes, sizeof(high));
	memcpy(&low, bytes + sizeof(high), sizeof(low));
	return (uint64_t)be32toh(high) << 16 | be16toh(low);
}

static void mac_bytes(uint64_t mac, uint8_t bytes[static 6])
{
	for (size_t i = 0; i < 6; i++)
		bytes[i] = (uint8_t)(mac >> (40 - 8 * i));
}

/* Of one station. */
static inline bool is_mac(uint64_t mac)
{
	return mac != 0 && (mac >> 40 & 1) == 0;
}

static bool macs_has(const struct macs *m, uint64_t mac)
{
	for (size_t i = 0; i < m->n; i++) {
		if (m->list[i] == mac)
			return true;
	}
	return false;
}

static void macs_put(struct macs *m, uint64_t mac)
{
	size_t at = m->n;

	m->more = m->more || m->n == MACS_MAX;
	while (at > 0 && m->list[at - 1] > mac)
		at--;
	if (at == MACS_MAX)
		return;
	if (m->n < MACS_MAX)
		m->n++;
	for (size_t i = m->n - 1U; i > at; i--)
		m->list[i] = m->list[i - 1];
	m->list[at] = mac;
}

static inline void macs_add(struct macs *m, uint64_t mac)
{
	if (m->list[0] != mac && is_mac(mac) && !macs_has(m, mac)) /* most hosts have one */
		macs_put(m, mac);
}

static void macs_merge(struct macs *m, const struct macs *from)
{
	for (size_t i = 0; i < from->n; i++)
		macs_add(m, from->list[i]);
	m->more = m->more || from->more;
}

static bool is_declared(const struct lya_site_host *host, uint64_t mac)
{
	for (size_t i = 0; i < host->n_macs; i++) {
		if (mac_of(host->macs[i]) == mac)
			return true;
	}
	return false;
}

/* Taking flows -------------------------------------------------------------------------- */

static int32_t vip_pool(const struct lya_policy *p, const struct lya_site_host *host)
{
	struct lya_policy_end end;

	for (size_t i = 0; i < host->n_addresses; i++) {
		if (host->addresses[i].role != LYA_ROLE_EDGE_ACCESS_VIP)
			continue;
		lya_policy_end_of(p, &host->addresses[i].net.addr, &end);
		return end.pool;
	}
	return -1;
}

int gateway_init(struct gateway *g, const struct lya_policy *p)
{
	const struct lya_site *site = lya_policy_site(p);

	*g = (struct gateway){ .n_hosts = site->n_hosts };
	g->hosts = lya_calloc(g->n_hosts + 1, sizeof(*g->hosts));
	if (g->hosts == NULL)
		return LYA_ENOMEM;
	for (size_t i = 0; i < g->n_hosts; i++)
		g->hosts[i].vip_pool = vip_pool(p, &site->hosts[i]);
	return LYA_OK;
}

void gateway_host_fini(struct gateway_host *h)
{
	for (size_t k = 0; k < h->n_sent; k++)
		entry_free(h->sent[k].entry);
	h->n_sent = 0;
}

void gateway_fini(struct gateway *g)
{
	for (size_t i = 0; g->hosts != NULL && i < g->n_hosts; i++)
		gateway_host_fini(&g->hosts[i]);
	lya_free(g->hosts);
	*g = (struct gateway){ 0 };
}

/* From an external interface of the Edge to an undeclared address outside. */
static inline bool goes_outside(const struct lya_flow *flow,
				const struct lya_policy_end ends[static 2], unsigned side)
{
	const struct lya_policy_end *to = &ends[!side];

	return (ends[side].roles & OUTSIDE) != 0 && to->host < 0 && !to->no_role &&
	       (to->roles & BIT(EXTERNAL)) != 0 && !flow->group_dst &&
	       is_mac(mac_of(flow->mac[side])) && is_mac(mac_of(flow->to_mac[side]));
}

/*
 * It is known by now that this is the Access VIP of that pool, or its load balancer.  Where
 * none is declared, who listens for the VIP counts too: a virtual address need not send.
 * That may be a router on the way, which no one who declares addresses has to fear.
 */
static bool is_vip(const struct gateway *g, const struct lya_site *site, int32_t pool, uint64_t mac)
{
	for (size_t i = 0; i < g->n_hosts; i++) {
		const struct gateway_host *h = &g->hosts[i];

		if (h->vip_pool == pool &&
		    (is_declared(&site->hosts[i], mac) || macs_has(&h->macs, mac) ||
		     (site->hosts[i].n_macs == 0 && macs_has(&h->reached, mac))))
			return true;
	}
	return false;
}

static int by_macs(const struct sent *s, uint64_t from, uint64_t to)
{
	if (s->from != from)
		return s->from < from ? -1 : 1;
	return s->to < to ? -1 : s->to > to;
}

/* The sums of what goes from here to there; *out NULL: too many others do. */
static int sent_get(struct gateway_host *h, uint64_t from, uint64_t to, uint8_t role,
		    struct entry **out)
{
	size_t at = h->n_sent;

	while (at > 0 && by_macs(&h->sent[at - 1], from, to) > 0)
		at--;
	*out = NULL;
	if (at > 0 && by_macs(&h->sent[at - 1], from, to) == 0) {
		*out = h->sent[at - 1].entry;
		if (role < h->sent[at - 1].role)
			h->sent[at - 1].role = role;
		return LYA_OK;
	}
	if (at == MACS_MAX)
		return LYA_OK;
	*out = entry_new((struct lya_port_range){ 0, UINT16_MAX });
	if (*out == NULL)
		return LYA_ENOMEM;
	if (h->n_sent == MACS_MAX)
		entry_free(h->sent[--h->n_sent].entry);
	for (size_t i = h->n_sent++; i > at; i--)
		h->sent[i] = h->sent[i - 1];
	h->sent[at] = (struct sent){ .from = from, .to = to, .role = role, .entry = *out };
	return LYA_OK;
}

/* Whoever opened it: here it is told from the side of the node that sends. */
static int take_sent(struct gateway *g, const struct lya_policy *p, const struct lya_flow *flow,
		     const struct lya_policy_end ends[static 2], const struct lya_verdict *v,
		     unsigned side)
{
	struct gateway_host *h = &g->hosts[ends[side].host];
	uint64_t from = mac_of(flow->mac[side]), to = mac_of(flow->to_mac[side]);
	struct lya_verdict about = *v;
	struct entry *e;
	int rc;

	/* What is known of a VIP stays known: that such flows are passed over depends on no order.
	 */
	if (is_vip(g, lya_policy_site(p), ends[side].pool, to))
		return LYA_OK;
	about.initiator = side != 0;
	about.n_rules = 0;
	about.nearest = about.mixup = -1;
	about.expired = -1;
	rc = sent_get(h, from, to, (uint8_t)lya_policy_role(p, &ends[side], -1, true), &e);
	return rc == LYA_OK && e != NULL
		   ? entry_add(e, LYA_FINDING_GATEWAY_MISMATCH, flow, ends, &about)
		   : rc;
}

static inline void note_station(struct gateway *g, const struct lya_flow *flow,
				const struct lya_policy_end *end, unsigned side)
{
	struct gateway_host *h;

	if (end->host < 0)
		return;
	h = &g->hosts[end->host];
	macs_add(&h->macs, mac_of(flow->mac[side]));
	if ((end->roles & BIT(EDGE_ACCESS_VIP)) != 0)
		macs_add(&h->reached, mac_of(flow->to_mac[!side]));
}

int gateway_take(struct gateway *g, const struct lya_policy *p, const struct lya_flow *flow,
		 const struct lya_policy_end ends[static 2], const struct lya_verdict *v)
{
	int rc = LYA_OK;

	note_station(g, flow, &ends[0], 0);
	note_station(g, flow, &ends[1], 1);
	if (goes_outside(flow, ends, 0))
		rc = take_sent(g, p, flow, ends, v, 0);
	if (rc == LYA_OK && goes_outside(flow, ends, 1))
		rc = take_sent(g, p, flow, ends, v, 1);
	return rc;
}

bool gateway_shows(const struct lya_policy *p, const struct lya_flow *flow,
		   const struct lya_policy_end ends[static 2])
{
	const struct lya_site *site = lya_policy_site(p);

	for (unsigned side = 0; side < 2; side++) {
		bool declared = false;

		if (!goes_outside(flow, ends, side))
			continue;
		for (size_t i = 0; i < site->n_hosts && !declared; i++)
			declared = is_declared(&site->hosts[i], mac_of(flow->to_mac[side])) &&
				   vip_pool(p, &site->hosts[i]) == ends[side].pool;
		if (!declared)
			return true;
	}
	return false;
}

int gateway_merge_host(struct gateway_host *h, const struct gateway_host *from)
{
	int rc = LYA_OK;

	macs_merge(&h->macs, &from->macs);
	macs_merge(&h->reached, &from->reached);
	for (size_t k = 0; k < from->n_sent && rc == LYA_OK; k++) {
		const struct sent *s = &from->sent[k];
		struct entry *e;

		rc = sent_get(h, s->from, s->to, s->role, &e);
		if (rc == LYA_OK && e != NULL)
			rc = entry_merge(e, s->entry);
	}
	return rc;
}

int gateway_merge(struct gateway *g, const struct gateway *from)
{
	int rc = LYA_OK;

	for (size_t i = 0; i < g->n_hosts && rc == LYA_OK; i++)
		rc = gateway_merge_host(&g->hosts[i], &from->hosts[i]);
	return rc;
}

void gateway_each_packet(const struct gateway *g, const struct lya_packet_visitor *v)
{
	for (size_t i = 0; i < g->n_hosts; i++) {
		for (size_t k = 0; k < g->hosts[i].n_sent; k++)
			entry_each_packet(g->hosts[i].sent[k].entry, v);
	}
}

/* Findings ------------------------------------------------------------------------------ */

/* A station that other declared hosts' packets come from, too, is a router. */
static bool is_own(const struct gateway *g, const struct lya_site *site, size_t host, uint64_t mac)
{
	for (size_t i = 0; i < g->n_hosts; i++) {
		if (i != host &&
		    (macs_has(&g->hosts[i].macs, mac) || is_declared(&site->hosts[i], mac)))
			return false;
	}
	return site->hosts[host].n_macs == 0 || is_declared(&site->hosts[host], mac);
}

/* The Access VIP that the node stands behind, and one of its MAC addresses.  False: unknown. */
static bool find_vip(const struct gateway *g, const struct lya_site *site, int32_t pool,
		     struct lya_finding_gateway *out)
{
	for (size_t i = 0; i < g->n_hosts; i++) {
		const struct gateway_host *h = &g->hosts[i];

		if (h->vip_pool != pool)
			continue;
		if (h->macs.more || h->reached.more)
			return false;
		out->vip_host = site->hosts[i].name;
		out->declared = site->hosts[i].n_macs > 0;
		if (out->declared)
			memcpy(out->vip, site->hosts[i].macs[0], sizeof(out->vip));
		else if (h->macs.n > 0)
			mac_bytes(h->macs.list[0], out->vip);
		else
			continue; /* it was never seen to send */
		return true;
	}
	return false;
}

static int32_t pool_of(const struct lya_ledger *l, size_t host)
{
	struct lya_policy_end end;

	lya_policy_end_of(l->policy, &l->site->hosts[host].addresses[0].net.addr, &end);
	return end.pool;
}

/* All that goes to a wrong station, in one sum; *out NULL: nothing does. */
static int mismatch_of(const struct lya_ledger *l, size_t host, int32_t pool, struct entry **out,
		       struct pair_key *key)
{
	const struct gateway *g = &l->overall.gateway;
	struct gateway_host *h = &g->hosts[host];
	uint64_t most = 0;
	int rc = LYA_OK;

	*out = NULL;
	for (size_t i = 0; i < h->n_sent && rc == LYA_OK; i++) {
		const struct sent *s = &h->sent[i];

		if (!is_own(g, l->site, host, s->from) || is_vip(g, l->site, pool, s->to))
			continue;
		if (*out == NULL && (*out = entry_new(s->entry->ports)) == NULL)
			return LYA_ENOMEM;
		rc = entry_merge(*out, s->entry);
		if (s->role < key->role[0])
			key->role[0] = s->role;
		if (s->entry->flows > most) {
			most = s->entry->flows;
			mac_bytes(s->to, h->found.sent_to);
		}
	}
	return rc;
}

static int add_mismatch(const struct lya_ledger *l, size_t host, struct lya_finding **list,
			size_t *n, size_t *cap)
{
	struct gateway_host *h = &l->overall.gateway.hosts[host];
	int32_t pool = pool_of(l, host);
	struct pair pair = { .key = { .host = { (int32_t)host, -1 },
				      .role = { LYA_ROLES, LYA_ROLE_EXTERNAL },
				      .type = LYA_FINDING_GATEWAY_MISMATCH } };
	struct lya_finding f = { 0 };
	struct entry *e = NULL;
	int rc;

	if (!find_vip(&l->overall.gateway, l->site, pool, &h->found))
		return LYA_OK;
	rc = mismatch_of(l, host, pool, &e, &pair.key);
	if (rc == LYA_OK && e != NULL) {
		e->gateway = &h->found;
		rc =
		    build_finding(l, &pair, e, &f) ? deployment_push(list, n, cap, &f) : LYA_ENOMEM;
		if (rc != LYA_OK)
			finding_fini(&f);
	}
	entry_free(e);
	return rc;
}

int gateway_findings(const struct lya_ledger *l, struct lya_finding **list, size_t *n, size_t *cap)
{
	int rc = LYA_OK;

	for (size_t i = 0; i < l->overall.gateway.n_hosts && rc == LYA_OK; i++) {
		if (l->overall.gateway.hosts[i].n_sent > 0)
			rc = add_mismatch(l, i, list, n, cap);
	}
	return rc;
}
