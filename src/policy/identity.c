/*
 * identity.c - whose certificate is it?
 *
 * The names that a host's certificates may show are those that the site lists
 * for it, and its own name as it stands there: a label alone is too little, since
 * a partner's "edge01" is not ours.
 *
 * What a client asks for says less.  A name may mean one host inside and another
 * outside, one server may serve names that the site gives to others, and some
 * clients do not care; whoever uses it must know what the server answered.
 */
#include "policy/policy.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lyncaudit/alloc.h"

static int by_name(const void *pa, const void *pb)
{
	const struct policy_name *a = pa, *b = pb;
	int cmp = strcasecmp(a->name, b->name);

	return cmp != 0 ? cmp : (a->host > b->host) - (a->host < b->host);
}

int policy_names_init(struct lya_policy *p)
{
	const struct lya_site *site = p->site;
	size_t n = 0;

	for (size_t i = 0; i < site->n_hosts; i++)
		n += 1 + site->hosts[i].n_names;
	p->names = lya_calloc(n, sizeof(*p->names));
	if (p->names == NULL)
		return LYA_ENOMEM;
	for (size_t i = 0; i < site->n_hosts; i++) {
		const struct lya_site_host *host = &site->hosts[i];

		p->names[p->n_names++] = (struct policy_name){ host->name, (int32_t)i };
		for (size_t k = 0; k < host->n_names; k++)
			p->names[p->n_names++] = (struct policy_name){ host->names[k], (int32_t)i };
	}
	if (p->n_names > 0)
		qsort(p->names, p->n_names, sizeof(*p->names), by_name);
	return LYA_OK;
}

/* One is a VIP of the other's service: a pool's certificate stands at both. */
static bool stands_before(lya_roles vips, lya_roles members)
{
	for (unsigned role = 0; role < LYA_ROLES_DECLARED; role++) {
		enum lya_role behind;

		if (!(vips & LYA_ROLES_VIPS & LYA_ROLE_BIT(role)))
			continue;
		behind = lya_role_behind((enum lya_role)role);
		if (behind < LYA_ROLES && (members & LYA_ROLE_BIT(behind)) != 0)
			return true;
	}
	return false;
}

static bool is_related(const struct lya_policy *p, const struct lya_policy_end *end, int32_t host)
{
	lya_roles roles = p->site->hosts[host].roles;

	return host == end->host || stands_before(end->roles, roles) ||
	       stands_before(roles, end->roles);
}

/* The first of those that have the name, or of those behind it. */
static size_t lower_bound(const struct lya_policy *p, const char *name)
{
	size_t low = 0, high = p->n_names;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (strcasecmp(p->names[mid].name, name) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

void lya_policy_cert_name(const struct lya_policy *p, const struct lya_policy_end *end,
			  const char *name, bool *own, int32_t *other)
{
	for (size_t i = lower_bound(p, name);
	     i < p->n_names && strcasecmp(p->names[i].name, name) == 0; i++) {
		if (is_related(p, end, p->names[i].host))
			*own = true;
		else if (*other < 0 || p->names[i].host < *other)
			*other = p->names[i].host;
	}
}

/* Its own connections may be for whoever it serves. */
static bool passes_on(const struct lya_policy_end *client)
{
	return policy_is_balancer(client) ||
	       (client->roles & LYA_ROLE_BIT(LYA_ROLE_REVERSE_PROXY_INTERNAL)) != 0;
}

const char *lya_policy_asked(const struct lya_policy *p, const struct lya_policy_end *client,
			     const struct lya_policy_end *server, const char *name, int32_t *host)
{
	bool own = false;

	*host = -1;
	if (server->host < 0 || passes_on(client))
		return NULL;
	lya_policy_cert_name(p, server, name, &own, host);
	return own || *host < 0 ? NULL : p->names[lower_bound(p, name)].name;
}

bool lya_policy_cert_covers(const char *cert_name, const char *name)
{
	const char *rest = strchr(name, '.');

	if (cert_name[0] == '*' && cert_name[1] == '.')
		return rest != NULL && strcasecmp(cert_name + 1, rest) == 0;
	return strcasecmp(cert_name, name) == 0;
}
