/*
 * ends.c - addresses as ends of flows: roles, pools, and which load balancer
 * serves whom.  Source: policy-model "Load-balanced legs".
 */
#include "policy/policy.h"

#include <stdlib.h>
#include <string.h>

#include "lyncaudit/alloc.h"

static int by_pool(const void *a, const void *b)
{
	const struct lya_site_host *const *x = a, *const *y = b;

	return strcmp((*x)->pool, (*y)->pool);
}

/* Pools by name: hosts with the same pool name share a number, those without one share 0. */
static int number_pools(struct lya_policy *p)
{
	const struct lya_site *site = p->site;
	const struct lya_site_host **named = lya_calloc(site->n_hosts + 1, sizeof(*named));
	int32_t number = 0;
	size_t n = 0;

	if (named == NULL)
		return LYA_ENOMEM;
	for (size_t i = 0; i < site->n_hosts; i++) {
		if (site->hosts[i].pool != NULL)
			named[n++] = &site->hosts[i];
	}
	if (n > 0)
		qsort(named, n, sizeof(struct lya_site_host *), by_pool);
	for (size_t i = 0; i < n; i++) {
		number += i == 0 || by_pool(&named[i - 1], &named[i]) != 0;
		p->host_pool[named[i] - site->hosts] = number;
	}
	lya_free(named);
	return LYA_OK;
}

static void list_vips(struct lya_policy *p)
{
	p->n_vips = 0;
	for (size_t i = 0; i < p->site->n_hosts; i++) {
		for (unsigned role = 0; role < LYA_ROLES_DECLARED; role++) {
			if (!(p->site->hosts[i].roles & LYA_ROLES_VIPS & LYA_ROLE_BIT(role)))
				continue;
			p->vips[p->n_vips++] = (struct policy_vip){
				.role = (enum lya_role)role,
				.pool = p->host_pool[i],
				.host = (int32_t)i,
			};
			p->pool_vips[p->host_pool[i]] |= LYA_ROLE_BIT(role);
		}
	}
}

static bool pool_has_vip(const struct lya_policy *p, enum lya_role vip, int32_t pool)
{
	return pool >= 0 && (p->pool_vips[pool] & LYA_ROLE_BIT(vip)) != 0;
}

/* Where an Edge service has no VIP, the VIP's rows apply to its nodes directly. */
static lya_roles stand_in(const struct lya_policy *p, size_t host)
{
	static const enum lya_role services[] = { LYA_ROLE_EDGE_ACCESS, LYA_ROLE_EDGE_WEBCONF,
		                                  LYA_ROLE_EDGE_AV, LYA_ROLE_EDGE_INTERNAL };
	lya_roles roles = 0;

	for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
		enum lya_role vip = lya_role_vip_of(services[i]);

		if (!pool_has_vip(p, vip, p->host_pool[host]))
			roles |= LYA_ROLE_BIT(vip);
	}
	return roles;
}

int policy_ends_init(struct lya_policy *p)
{
	int rc = number_pools(p);

	if (rc != LYA_OK)
		return rc;
	list_vips(p);
	for (size_t i = 0; i < p->site->n_hosts; i++)
		p->host_stand_in[i] = stand_in(p, i);
	return LYA_OK;
}

/* The VIP roles in front of each role of a set. */
static lya_roles vips_of(lya_roles roles)
{
	lya_roles vips = 0;

	for (; roles != 0; roles &= roles - 1) {
		enum lya_role vip = lya_role_vip_of(lya_role_first(roles));

		if (vip != LYA_ROLES)
			vips |= LYA_ROLE_BIT(vip);
	}
	return vips;
}

void lya_policy_end_of(const struct lya_policy *p, const struct lya_addr *addr,
                       struct lya_policy_end *out)
{
	struct lya_endpoint ep;

	lya_site_classify(p->site, addr, &ep);
	out->roles = ep.roles;
	out->effective = ep.roles;
	out->host = ep.host;
	out->pool = -1;
	out->no_role = ep.no_role;
	if (ep.host < 0)
		return;
	out->pool = p->host_pool[ep.host];
	if (p->host_stand_in[ep.host] != 0)
		out->effective |= p->host_stand_in[ep.host] & vips_of(ep.roles);
}

bool policy_is_balancer(const struct lya_policy_end *e)
{
	return (e->roles & (LYA_ROLES_VIPS | LYA_ROLE_BIT(LYA_ROLE_HLB))) != 0;
}

bool policy_has_vip(const struct lya_policy *p, enum lya_role vip,
                    const struct lya_policy_end *member)
{
	return pool_has_vip(p, vip, member->pool);
}

bool policy_serves(const struct lya_policy *p, enum lya_role vip,
                   const struct lya_policy_end *source, const struct lya_policy_end *member)
{
	if (source->roles & LYA_ROLE_BIT(vip))
		return source->pool == member->pool;
	if (!(source->roles & LYA_ROLE_BIT(LYA_ROLE_HLB)))
		return false;
	for (size_t i = 0; i < p->n_vips; i++) {
		if (p->vips[i].role == vip && p->vips[i].pool == member->pool &&
		    p->vips[i].host == source->host)
			return true;
	}
	return false;
}

/* Roles in the order in which they tell most about an end. */
enum lya_role lya_policy_role(const struct lya_policy *p, const struct lya_policy_end *end, int rule,
                              bool is_from)
{
	lya_roles roles = end->roles;

	if (rule >= 0) {
		const struct policy_row *row = &p->rows[rule];
		lya_roles named = is_from ? row->from_named : row->to_named;
		lya_roles all = is_from ? row->from : row->to;

		if (roles & named)
			roles &= named;
		else if (roles & all)
			roles &= all;
	}
	return roles != 0 ? lya_role_first(roles) : LYA_ROLE_EXTERNAL;
}
