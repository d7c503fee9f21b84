/*
 * pool.h - the pools of a site, and what the documents want of an Edge pool.
 */
#ifndef SITE_POOL_H
#define SITE_POOL_H

#include "site/load.h"

#define SITE_ROLE(name) LYA_ROLE_BIT(LYA_ROLE_##name)
#define SITE_EDGE_NODES                                                                            \
	(SITE_ROLE(EDGE_ACCESS) | SITE_ROLE(EDGE_WEBCONF) | SITE_ROLE(EDGE_AV) |                   \
	 SITE_ROLE(EDGE_INTERNAL))

/* The hosts of one pool, which are neighbours in an order by pool. */
struct site_pool {
	const struct lya_site *site;
	const char *name; /* NULL: the pool without a name */
	const size_t *hosts;
	size_t n;
	lya_roles of_site; /* all roles of all hosts of the site */
};

/* Show each pool, by name, until fn answers false.  False: it did, or memory ran out. */
bool site_each_pool(const struct lya_site *site,
		    bool (*fn)(void *ctx, const struct site_pool *pool), void *ctx);

const struct lya_site_host *site_pool_host(const struct site_pool *pool, size_t i);
/* All roles of the pool's hosts. */
lya_roles site_pool_roles(const struct site_pool *pool);
/* Whether a host has one of these roles and none of those; and how many do. */
bool site_pool_has(const struct lya_site_host *host, lya_roles any_of, lya_roles none_of);
size_t site_pool_count(const struct site_pool *pool, lya_roles any_of, lya_roles none_of);

/*
 * Must the pool have VIPs?  With several members it must; one alone (a Standard
 * Edition server, say) only if the site says that it is load balanced and has
 * such a VIP nowhere.
 */
bool site_pool_wants_vip(const struct site_pool *pool, enum lya_lb_pool lb, lya_roles vips,
			 size_t members);
/* It has Edge nodes behind a hardware load balancer, as the Edge document has them. */
bool site_pool_is_balanced_edge(const struct site_pool *pool);
/* Its public addresses of one family; false: out of memory. */
bool site_pool_public(const struct site_pool *pool, uint8_t family, struct lya_site_public *out);

#endif
