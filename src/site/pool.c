/*
 * pool.c - the pools of a site, and how many public addresses an Edge pool has.
 *
 * Source: edge.p.public-addresses, 3 x (nodes + 1).
 */
#include "site/pool.h"

#include <stdlib.h>
#include <string.h>

#include "lyncaudit/alloc.h"

static const lya_roles EDGE_VIPS = SITE_ROLE(EDGE_ACCESS_VIP) | SITE_ROLE(EDGE_WEBCONF_VIP) |
				   SITE_ROLE(EDGE_AV_VIP) | SITE_ROLE(EDGE_INTERNAL_VIP);

const struct lya_site_host *site_pool_host(const struct site_pool *pool, size_t i)
{
	return &pool->site->hosts[pool->hosts[i]];
}

lya_roles site_pool_roles(const struct site_pool *pool)
{
	lya_roles roles = 0;

	for (size_t i = 0; i < pool->n; i++)
		roles |= site_pool_host(pool, i)->roles;
	return roles;
}

bool site_pool_has(const struct lya_site_host *host, lya_roles any_of, lya_roles none_of)
{
	return (host->roles & any_of) != 0 && (host->roles & none_of) == 0;
}

size_t site_pool_count(const struct site_pool *pool, lya_roles any_of, lya_roles none_of)
{
	size_t n = 0;

	for (size_t i = 0; i < pool->n; i++)
		n += site_pool_has(site_pool_host(pool, i), any_of, none_of);
	return n;
}

/* Every pool -------------------------------------------------------------- */

static int compare_pool_names(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return (a != NULL) - (b != NULL);
	return strcmp(a, b);
}

/* By pool, then in the order of the file. */
static int compare_hosts(const void *a, const void *b, void *hosts)
{
	const struct lya_site_host *list = hosts;
	size_t x = *(const size_t *)a;
	size_t y = *(const size_t *)b;
	int order = compare_pool_names(list[x].pool, list[y].pool);

	return order != 0 ? order : (x > y) - (x < y);
}

static bool each_pool(const struct lya_site *site, size_t *order,
		      bool (*fn)(void *ctx, const struct site_pool *pool), void *ctx)
{
	lya_roles of_site = 0;
	size_t first = 0;
	bool more = true;

	for (size_t i = 0; i < site->n_hosts; i++) {
		order[i] = i;
		of_site |= site->hosts[i].roles;
	}
	qsort_r(order, site->n_hosts, sizeof(*order), compare_hosts, site->hosts);
	for (size_t i = 1; i <= site->n_hosts && more; i++) {
		const char *name = site->hosts[order[first]].pool;
		struct site_pool pool = { .site = site,
					  .name = name,
					  .hosts = order + first,
					  .n = i - first,
					  .of_site = of_site };

		if (i < site->n_hosts && compare_pool_names(name, site->hosts[order[i]].pool) == 0)
			continue;
		more = fn(ctx, &pool);
		first = i;
	}
	return more;
}

bool site_each_pool(const struct lya_site *site,
		    bool (*fn)(void *ctx, const struct site_pool *pool), void *ctx)
{
	size_t *order = lya_calloc(site->n_hosts + 1, sizeof(*order));
	bool good = order != NULL && each_pool(site, order, fn, ctx);

	lya_free(order);
	return good;
}

/* The Edge ----------------------------------------------------------------- */

bool site_pool_wants_vip(const struct site_pool *pool, enum lya_lb_pool lb, lya_roles vips,
			 size_t members)
{
	if (members == 1)
		return pool->site->lb_given[lb] && !(pool->of_site & vips);
	return members > 1;
}

bool site_pool_is_balanced_edge(const struct site_pool *pool)
{
	size_t nodes = site_pool_count(pool, SITE_EDGE_NODES, 0);

	return pool->site->lb[LYA_LB_EDGE] == LYA_LB_HLB && nodes > 0 &&
	       ((site_pool_roles(pool) & EDGE_VIPS) != 0 ||
		site_pool_wants_vip(pool, LYA_LB_EDGE, EDGE_VIPS, nodes));
}

static int compare_nets(const void *a, const void *b)
{
	const struct lya_net *x = a;
	const struct lya_net *y = b;
	int order = lya_addr_cmp(&x->addr, &y->addr);

	return order != 0 ? order : (x->bits > y->bits) - (x->bits < y->bits);
}

/* The outer addresses of the pool of one family, public ones only; *in_use: any at all. */
static struct lya_net *collect_public(const struct site_pool *pool, uint8_t family, size_t *n,
				      bool *in_use)
{
	struct lya_net *list;
	size_t cap = 0;

	*n = 0;
	*in_use = false;
	for (size_t i = 0; i < pool->n; i++)
		cap += site_pool_host(pool, i)->n_addresses;
	list = lya_calloc(cap + 1, sizeof(*list));
	for (size_t i = 0; list != NULL && i < pool->n; i++) {
		const struct lya_site_host *host = site_pool_host(pool, i);

		for (size_t k = 0; k < host->n_addresses; k++) {
			const struct lya_site_address *a = &host->addresses[k];

			if (a->net.addr.family != family ||
			    !(LYA_ROLE_BIT(a->role) & LYA_ROLES_EDGE_OUTSIDE))
				continue;
			*in_use = true;
			if (!lya_addr_is_private(&a->net.addr))
				list[(*n)++] = a->net;
		}
	}
	return list;
}

/* How many different addresses the networks hold; a large network counts as many enough. */
static uint64_t count_addresses(struct lya_net *list, size_t n)
{
	uint64_t count = 0;

	if (n > 0)
		qsort(list, n, sizeof(*list), compare_nets);
	for (size_t i = 0; i < n; i++) {
		unsigned host_bits = (list[i].addr.family == 4 ? 32u : 128u) - list[i].bits;

		if (i == 0 || compare_nets(&list[i - 1], &list[i]) != 0)
			count += UINT64_C(1) << (host_bits > 32 ? 32 : host_bits);
	}
	return count;
}

bool site_pool_public(const struct site_pool *pool, uint8_t family, struct lya_site_public *out)
{
	size_t n;
	struct lya_net *list = collect_public(pool, family, &n, &out->in_use);

	if (list == NULL)
		return false;
	out->declared = count_addresses(list, n);
	out->needed = 3 * ((uint64_t)site_pool_count(pool, SITE_EDGE_NODES, 0) + 1);
	lya_free(list);
	return true;
}

/* The Edge pools of a site, for others -------------------------------------- */

struct edge_pools {
	struct lya_site_edge_pool *list;
	size_t n, cap;
};

static bool add_edge_pool(void *ctx, const struct site_pool *pool)
{
	struct edge_pools *to = ctx;
	void *list = to->list;
	struct lya_site_edge_pool *e;

	if ((site_pool_roles(pool) & LYA_ROLES_EDGE_OUTSIDE) == 0)
		return true;
	if (lya_grow(&list, &to->cap, to->n + 1, sizeof(*to->list)) != LYA_OK)
		return false;
	to->list = list;
	e = &to->list[to->n++];
	*e = (struct lya_site_edge_pool){ .name = pool->name,
					  .nodes = site_pool_count(pool, SITE_EDGE_NODES, 0),
					  .balanced = site_pool_is_balanced_edge(pool) };
	return site_pool_public(pool, 4, &e->ipv4) && site_pool_public(pool, 6, &e->ipv6);
}

int lya_site_edge_pools(const struct lya_site *site, struct lya_site_edge_pool **list, size_t *n,
			struct lya_error *err)
{
	struct edge_pools pools = { 0 };

	*list = NULL;
	*n = 0;
	if (!site_each_pool(site, add_edge_pool, &pools)) {
		lya_free(pools.list);
		return lya_error_nomem(err);
	}
	*list = pools.list;
	*n = pools.n;
	return LYA_OK;
}
