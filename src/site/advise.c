/*
 * advise.c - what is well formed and breaks no document, but is hardly what was meant.
 *
 * A misspelled pool, a network that holds the Internet or an exception that waives everything
 * makes an audit quiet rather than loud: nothing else would tell of it.
 */
#include <stdio.h>
#include <string.h>

#include "site/load.h"

#define BIT(name) LYA_ROLE_BIT(LYA_ROLE_##name)
#define OUTSIDE_NODES (BIT(EDGE_ACCESS) | BIT(EDGE_WEBCONF) | BIT(EDGE_AV))

struct advice {
	const struct lya_site *site;
	struct lya_diags *diags;
};

static void warn(const struct advice *a, const char *place, const char *what)
{
	lya_diags_add(a->diags, LYA_DIAG_WARNING, a->site->file, place, "%s", what);
}

/* Networks ------------------------------------------------------------------------------- */

static void advise_networks(const struct advice *a)
{
	char place[64];

	for (size_t i = 0; i < a->site->n_internal; i++) {
		if (a->site->internal[i].bits != 0)
			continue;
		(void)snprintf(place, sizeof(place), "networks.internal[%zu]", i);
		warn(a, place, "holds every address: none is external, and what comes from "
			       "outside is judged as internal");
	}
}

static bool is_internal(const struct lya_site *site, const struct lya_addr *addr)
{
	for (size_t i = 0; i < site->n_internal; i++) {
		if (lya_net_holds(&site->internal[i], addr))
			return true;
	}
	for (size_t i = 0; i < site->n_clients; i++) {
		if (lya_net_holds(&site->clients[i], addr))
			return true;
	}
	return false;
}

/* Hosts ---------------------------------------------------------------------------------- */

static bool same_pool(const struct lya_site_host *a, const struct lya_site_host *b)
{
	if (a->pool == NULL || b->pool == NULL)
		return a->pool == b->pool;
	return strcmp(a->pool, b->pool) == 0;
}

static bool pool_has(const struct lya_site *site, const struct lya_site_host *host,
		     enum lya_role role)
{
	for (size_t i = 0; i < site->n_hosts; i++) {
		if (same_pool(host, &site->hosts[i]) &&
		    (site->hosts[i].roles & LYA_ROLE_BIT(role)) != 0)
			return true;
	}
	return false;
}

static void advise_vip(const struct advice *a, size_t i, enum lya_role vip)
{
	const struct lya_site_host *host = &a->site->hosts[i];
	enum lya_role behind = lya_role_behind(vip);
	char place[64];

	if (pool_has(a->site, host, behind))
		return;
	(void)snprintf(place, sizeof(place), "hosts[%zu].roles.%s", i, lya_role_name(vip));
	if (host->pool == NULL)
		lya_diags_add(a->diags, LYA_DIAG_WARNING, a->site->file, place,
			      "no host without a pool has the role %s: the VIP of %s has no members",
			      lya_role_name(behind), host->name);
	else
		lya_diags_add(a->diags, LYA_DIAG_WARNING, a->site->file, place,
			      "no host of pool \"%s\" has the role %s: the VIP of %s has no members",
			      host->pool, lya_role_name(behind), host->name);
}

static void advise_vips(const struct advice *a, size_t i)
{
	for (unsigned vip = 0; vip < LYA_ROLES_DECLARED; vip++) {
		if ((LYA_ROLE_BIT(vip) & LYA_ROLES_VIPS & a->site->hosts[i].roles) != 0)
			advise_vip(a, i, (enum lya_role)vip);
	}
}

/* An internal server, or the inner side of an Edge, at an address that is nobody's network. */
static void advise_addresses(const struct advice *a, size_t i)
{
	const lya_roles inner = LYA_ROLES_INTERNAL_SERVER | BIT(EDGE_INTERNAL);
	const struct lya_site_host *host = &a->site->hosts[i];
	char place[64], net[LYA_NET_TEXT];

	for (size_t k = 0; k < host->n_addresses; k++) {
		const struct lya_site_address *at = &host->addresses[k];

		if ((LYA_ROLE_BIT(at->role) & inner) == 0 || is_internal(a->site, &at->net.addr))
			continue;
		(void)snprintf(place, sizeof(place), "hosts[%zu].roles.%s", i,
			       lya_role_name(at->role));
		lya_diags_add(a->diags, LYA_DIAG_WARNING, a->site->file, place,
			      "%s of %s is in none of networks.internal",
			      lya_net_format(&at->net, net), host->name);
	}
}

static void advise_roles(const struct advice *a, size_t i)
{
	const struct lya_site_host *host = &a->site->hosts[i];
	char place[64];

	(void)snprintf(place, sizeof(place), "hosts[%zu].roles", i);
	if ((host->roles & OUTSIDE_NODES) != 0 && (host->roles & BIT(EDGE_INTERNAL)) == 0)
		lya_diags_add(a->diags, LYA_DIAG_WARNING, a->site->file, place,
			      "%s is an Edge node without edge-internal: what it says inside is "
			      "judged as a stranger's",
			      host->name);
	if ((host->roles & BIT(CENTRAL_MANAGEMENT)) != 0 && (host->roles & BIT(FRONT_END)) == 0)
		lya_diags_add(a->diags, LYA_DIAG_WARNING, a->site->file, place,
			      "%s is central-management and no front-end: the role is given in "
			      "addition to front-end",
			      host->name);
}

/* Exceptions ----------------------------------------------------------------------------- */

static bool is_anybody(const struct lya_site_match *m)
{
	if (m->kind == LYA_MATCH_ROLE)
		return (m->roles & BIT(EXTERNAL)) != 0;
	return m->kind == LYA_MATCH_NET && m->net.bits == 0;
}

static bool is_same(const struct lya_exception *x, const struct lya_exception *y)
{
	return strcmp(x->from.text, y->from.text) == 0 && strcmp(x->to.text, y->to.text) == 0 &&
	       x->transports == y->transports && x->any_port == y->any_port &&
	       x->n_ports == y->n_ports &&
	       (x->n_ports == 0 ||
		memcmp(x->ports, y->ports, x->n_ports * sizeof(*x->ports)) == 0);
}

static void advise_exception(const struct advice *a, size_t i)
{
	const struct lya_exception *list = a->site->exceptions, *x = &list[i];
	char place[64];

	(void)snprintf(place, sizeof(place), "exceptions[%zu]", i);
	if (x->any_port && x->transports == (LYA_T_TCP | LYA_T_UDP))
		lya_diags_add(a->diags, LYA_DIAG_WARNING, a->site->file, place,
			      "\"%s\" waives every port of both transports from %s to %s", x->id,
			      x->from.text, x->to.text);
	if (is_anybody(&x->from))
		lya_diags_add(a->diags, LYA_DIAG_WARNING, a->site->file, place,
			      "\"%s\" waives what comes from %s, which is the whole Internet", x->id,
			      x->from.text);
	for (size_t k = 0; k < i; k++) {
		if (!is_same(x, &list[k]))
			continue;
		lya_diags_add(a->diags, LYA_DIAG_WARNING, a->site->file, place,
			      "\"%s\" says what \"%s\" says: the first that is in force counts",
			      x->id, list[k].id);
		return;
	}
}

void lya_site_advise(const struct lya_site *site, struct lya_diags *diags)
{
	struct advice a = { site, diags };

	advise_networks(&a);
	for (size_t i = 0; i < site->n_hosts; i++) {
		advise_vips(&a, i);
		advise_addresses(&a, i);
		advise_roles(&a, i);
	}
	for (size_t i = 0; i < site->n_exceptions; i++)
		advise_exception(&a, i);
}
