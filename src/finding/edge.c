/*
 * edge.c - the external side of the Edge, pool by pool: the addresses that are declared, and
 * those that were seen.
 */
#include "finding/ledger.h"

#include <stdlib.h>
#include <string.h>

#include "lyncaudit/alloc.h"

/* Pools ---------------------------------------------------------------------------------- */

static bool same_pool(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static struct lya_edge_address address_of(const struct lya_site_host *host,
					  const struct lya_site_address *declared,
					  const struct seen_sum *sum)
{
	struct lya_edge_address a = { .host = host,
				      .declared = declared,
				      .flows = sum->flows,
				      .sent = sum->sent,
				      .senders = sum->sent > 0,
				      .first_ns = LYA_TIME_NONE,
				      .last_ns = LYA_TIME_NONE,
				      .digits = sum->digits };

	if (seen_is_network(&declared->net))
		a.senders = marks_count(&sum->senders, &a.senders_estimated);
	if (sum->flows > 0) {
		a.first_ns = sum->first_ns;
		a.last_ns = sum->last_ns;
	}
	return a;
}

static enum lya_role service_of(enum lya_role role)
{
	enum lya_role behind = lya_role_behind(role);

	return behind < LYA_ROLES ? behind : role;
}

static int by_service(const void *pa, const void *pb)
{
	const struct lya_edge_address *a = pa, *b = pb;
	enum lya_role ra = a->declared->role, rb = b->declared->role;

	if (service_of(ra) != service_of(rb))
		return service_of(ra) < service_of(rb) ? -1 : 1;
	if (ra != rb) /* VIPs stand behind their nodes in the enumeration, too */
		return ra < rb ? -1 : 1;
	if (lya_addr_cmp(&a->declared->net.addr, &b->declared->net.addr) != 0)
		return lya_addr_cmp(&a->declared->net.addr, &b->declared->net.addr);
	return a->declared->net.bits < b->declared->net.bits ? -1 : 1;
}

static int add_address(struct lya_edge_pool *pool, size_t *cap, const struct lya_edge_address *a)
{
	void *list = pool->list;
	int rc = lya_grow(&list, cap, pool->n + 1, sizeof(*pool->list));

	if (rc != LYA_OK)
		return rc;
	pool->list = list;
	pool->list[pool->n++] = *a;
	return LYA_OK;
}

/* One address may serve several roles: it is counted once. */
static bool is_told_before(const struct lya_edge_pool *pool, size_t at)
{
	const struct lya_net *net = &pool->list[at].declared->net;

	for (size_t i = 0; i < at; i++) {
		const struct lya_net *other = &pool->list[i].declared->net;

		if (other->bits == net->bits && lya_addr_cmp(&other->addr, &net->addr) == 0)
			return true;
	}
	return false;
}

static void count_public(struct lya_edge_pool *pool)
{
	for (size_t i = 0; i < pool->n; i++) {
		struct lya_edge_address *a = &pool->list[i];

		a->again = is_told_before(pool, i);
		if (lya_addr_is_private(&a->declared->net.addr) || a->again)
			continue;
		if (a->declared->net.addr.family == 4)
			pool->seen_ipv4 += a->senders;
		else
			pool->seen_ipv6 += a->senders;
	}
}

static int fill_pool(const struct lya_ledger *l, struct lya_edge_pool *pool)
{
	const struct seen *seen = &l->overall.seen;
	size_t cap = 0;
	int rc = LYA_OK;

	for (size_t i = 0; i < l->site->n_hosts; i++) {
		const struct lya_site_host *host = &l->site->hosts[i];

		for (size_t k = 0; k < host->n_addresses && rc == LYA_OK; k++) {
			struct lya_edge_address a;

			if (!same_pool(host->pool, pool->site.name) ||
			    (LYA_ROLE_BIT(host->addresses[k].role) & LYA_ROLES_EDGE_OUTSIDE) == 0)
				continue;
			a = address_of(host, &host->addresses[k], &seen->list[seen->first[i] + k]);
			rc = add_address(pool, &cap, &a);
		}
	}
	if (pool->n > 0)
		qsort(pool->list, pool->n, sizeof(*pool->list), by_service);
	count_public(pool);
	return rc;
}

static int make_pools(struct lya_ledger *l)
{
	struct lya_site_edge_pool *pools;
	size_t n;
	int rc = lya_site_edge_pools(l->site, &pools, &n, NULL);

	if (rc != LYA_OK)
		return rc;
	l->edge_pools = lya_calloc(n + 1, sizeof(*l->edge_pools));
	if (l->edge_pools == NULL)
		rc = LYA_ENOMEM;
	for (size_t i = 0; i < n && rc == LYA_OK; i++) {
		l->edge_pools[l->n_edge_pools].site = pools[i];
		rc = fill_pool(l, &l->edge_pools[l->n_edge_pools++]);
	}
	lya_free(pools);
	return rc;
}

/* Strays --------------------------------------------------------------------------------- */

/* The row names who listens there: "any" names nobody. */
static bool has_listener(const struct lya_ledger *l, size_t rule, uint8_t transport, uint16_t port)
{
	const struct lya_rule *row = &l->rules->list[rule];
	const struct lya_port_range *list;
	size_t n;

	if (row->statement || row->any_port || row->to.any || row->port_of != LYA_PORT_RESPONDER ||
	    (row->transports & (transport == 6 ? LYA_T_TCP : LYA_T_UDP)) == 0)
		return false;
	list = lya_policy_ports(l->policy, rule, &n);
	for (size_t i = 0; i < n; i++) {
		if (list[i].first == port && list[i].last == port)
			return true;
	}
	return false;
}

/* Of the rows with that listener each is an Edge's. */
static bool is_edge_listener(const struct lya_ledger *l, const struct lya_finding *f)
{
	lya_roles edge = LYA_ROLES_EDGE_OUTSIDE | LYA_ROLE_BIT(LYA_ROLE_EDGE_INTERNAL) |
			 LYA_ROLE_BIT(LYA_ROLE_EDGE_INTERNAL_VIP);

	if (f->kind != LYA_FINDING_UNDECLARED_SERVER || f->n_ports != 1)
		return false;
	for (size_t i = 0; i < l->rules->n; i++) {
		lya_roles from, to;

		if (!has_listener(l, i, f->transport, f->ports[0].first))
			continue;
		lya_policy_rule_ends(l->policy, i, &from, &to);
		if ((to & ~edge) != 0)
			return false;
	}
	return true;
}

/* An address that is given out for relaying, and that no A/V Edge of the site has. */
static bool is_strange_relay(const struct lya_ledger *l, const struct lya_finding *f)
{
	struct lya_policy_end end;

	if (f->kind != LYA_FINDING_AV_EDGE_RELAY || f->relay == NULL ||
	    (f->relay->faults & LYA_RELAY_ADDRESS) == 0)
		return false;
	lya_policy_end_of(l->policy, &f->relay->relay.addr, &end);
	return (end.roles & LYA_ROLE_BIT(LYA_ROLE_EDGE_AV)) == 0;
}

static int add_stray(struct lya_ledger *l, size_t *cap, const struct lya_addr *addr,
		     const struct lya_finding *f)
{
	void *list = l->edge_strays;
	int rc = lya_grow(&list, cap, l->n_edge_strays + 1, sizeof(*l->edge_strays));

	if (rc != LYA_OK)
		return rc;
	l->edge_strays = list;
	l->edge_strays[l->n_edge_strays++] = (struct lya_edge_stray){ *addr, f };
	return LYA_OK;
}

static int by_address(const void *pa, const void *pb)
{
	const struct lya_edge_stray *a = pa, *b = pb;
	int order = lya_addr_cmp(&a->addr, &b->addr);

	return order != 0 ? order : strcmp(a->finding->id, b->finding->id);
}

static int make_strays(struct lya_ledger *l)
{
	size_t cap = 0;
	int rc = LYA_OK;

	for (size_t i = 0; i < l->n_findings && rc == LYA_OK; i++) {
		const struct lya_finding *f = &l->findings[i];
		const struct lya_finding_end *end = &f->responder;

		if (is_strange_relay(l, f))
			rc = add_stray(l, &cap, &f->relay->relay.addr, f);
		if (!is_edge_listener(l, f))
			continue;
		for (size_t k = 0; k < end->n_busiest && rc == LYA_OK; k++)
			rc = add_stray(l, &cap, &end->busiest[k].addr, f);
	}
	if (l->n_edge_strays > 0)
		qsort(l->edge_strays, l->n_edge_strays, sizeof(*l->edge_strays), by_address);
	return rc;
}

int edge_finish(struct lya_ledger *l)
{
	int rc = make_pools(l);

	return rc == LYA_OK ? make_strays(l) : rc;
}

void edge_fini(struct lya_ledger *l)
{
	for (size_t i = 0; i < l->n_edge_pools; i++)
		lya_free(l->edge_pools[i].list);
	lya_free(l->edge_pools);
	lya_free(l->edge_strays);
}
