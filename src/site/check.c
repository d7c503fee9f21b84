/*
 * check.c - documented constraints that the site description itself breaks.
 *
 * Sources: the list of requirements of the Edge document behind its second
 * table (edge.p.*), and the sentences before tables 2 and 3 of the document on
 * internal servers (internal.p.hlb-ports, internal.p.dns-needs-hlb).
 */
#include <stdio.h>
#include <string.h>

#include "lyncaudit/alloc.h"
#include "lyncaudit/text.h"
#include "site/pool.h"

#define BIT(name) LYA_ROLE_BIT(LYA_ROLE_##name)

/* The three services outside, in the order of the documents. */
static const enum lya_role outside[] = { LYA_ROLE_EDGE_ACCESS, LYA_ROLE_EDGE_WEBCONF,
					 LYA_ROLE_EDGE_AV };
enum { OUTSIDE = sizeof(outside) / sizeof(outside[0]) };

struct faults {
	struct lya_site_fault *list;
	size_t n, cap;
	bool nomem;
};

/* A fault in the making: its texts are moved into the list by add_fault. */
struct draft {
	const char *type, *rule;
	struct lya_text place, what, why, fix, about;
};

static char *take(struct lya_text *t, bool *nomem)
{
	char *s = t->data != NULL ? t->data : lya_strdup("");

	*nomem = *nomem || t->failed || s == NULL;
	memset(t, 0, sizeof(*t));
	return s;
}

static void fault_fini(struct lya_site_fault *f)
{
	lya_free(f->place);
	lya_free(f->what);
	lya_free(f->why);
	lya_free(f->fix);
	lya_free(f->about);
}

static void add_fault(struct faults *faults, struct draft *d)
{
	struct lya_site_fault f = { .type = d->type, .rule = d->rule };

	f.place = take(&d->place, &faults->nomem);
	f.what = take(&d->what, &faults->nomem);
	f.why = take(&d->why, &faults->nomem);
	f.fix = take(&d->fix, &faults->nomem);
	f.about = take(&d->about, &faults->nomem);
	if (lya_grow((void **)&faults->list, &faults->cap, faults->n + 1, sizeof(f)) < 0) {
		faults->nomem = true;
		fault_fini(&f);
		return;
	}
	faults->list[faults->n++] = f;
}

/* "pool "north"", or "the pool" where pools have no names. */
static void add_pool_name(struct lya_text *t, const struct site_pool *pool)
{
	if (pool->name != NULL)
		lya_text_addf(t, "pool \"%s\"", pool->name);
	else
		lya_text_add(t, "the pool");
}

/* What to put before item number i of n: "a", "a and b", "a, b and c". */
static const char *joint(size_t i, size_t n)
{
	if (i == 0)
		return "";
	return i + 1 == n ? " and " : ", ";
}

enum { NAMES_MAX = 8 }; /* hosts or addresses named in one sentence */

/* "edge01 and edge02"; beyond NAMES_MAX the rest is counted. */
static void add_members(struct lya_text *t, const struct site_pool *pool, lya_roles any_of,
			lya_roles none_of)
{
	size_t n = site_pool_count(pool, any_of, none_of);
	size_t shown = n > NAMES_MAX ? NAMES_MAX : n;
	size_t k = 0;

	for (size_t i = 0; i < pool->n && k < shown; i++) {
		const struct lya_site_host *host = site_pool_host(pool, i);

		if (site_pool_has(host, any_of, none_of)) {
			lya_text_addf(t, "%s%s", joint(k, shown == n ? n : n + 1), host->name);
			k++;
		}
	}
	if (shown < n)
		lya_text_addf(t, " and %zu more", n - shown);
}

/* Public addresses ------------------------------------------------------- */

static bool has_public(const struct lya_site_host *host, enum lya_role role, uint8_t family)
{
	for (size_t i = 0; i < host->n_addresses; i++) {
		const struct lya_site_address *a = &host->addresses[i];

		if (a->role == role && a->net.addr.family == family &&
		    !lya_addr_is_private(&a->net.addr))
			return true;
	}
	return false;
}

static bool pool_has_public(const struct site_pool *pool, enum lya_role role, uint8_t family)
{
	for (size_t i = 0; i < pool->n; i++) {
		if (has_public(site_pool_host(pool, i), role, family))
			return true;
	}
	return false;
}

/* "edge-av of edge02 and the edge-av-vip": who has no public address of the family. */
static size_t add_lacking(struct lya_text *t, const struct site_pool *pool, uint8_t family)
{
	size_t n = 0;

	for (size_t i = 0; i < pool->n; i++) {
		const struct lya_site_host *host = site_pool_host(pool, i);

		if (!(host->roles & SITE_EDGE_NODES))
			continue;
		for (size_t k = 0; k < OUTSIDE; k++) {
			if (has_public(host, outside[k], family))
				continue;
			if (n++ < NAMES_MAX)
				lya_text_addf(t, "%s%s of %s", n > 1 ? ", " : "",
					      lya_role_name(outside[k]), host->name);
		}
	}
	for (size_t k = 0; k < OUTSIDE; k++) {
		enum lya_role vip = lya_role_vip_of(outside[k]);

		if (pool_has_public(pool, vip, family))
			continue;
		if (n++ < NAMES_MAX)
			lya_text_addf(t, "%sthe %s", n > 1 ? ", " : "", lya_role_name(vip));
	}
	if (n > NAMES_MAX)
		lya_text_addf(t, " and %zu more", n - NAMES_MAX);
	return n;
}

static void report_count(struct faults *faults, const struct site_pool *pool, uint8_t family,
			 uint64_t found, uint64_t wanted)
{
	struct draft d = { .type = "site-public-address-count", .rule = "edge.p.public-addresses" };
	const char *name = family == 4 ? "IPv4" : "IPv6";
	size_t nodes = site_pool_count(pool, SITE_EDGE_NODES, 0);
	struct lya_text lacking = { 0 };

	lya_text_add(&d.place, "hosts");
	lya_text_addf(&d.about, "edge/%s/%s", pool->name != NULL ? pool->name : "",
		      family == 4 ? "ipv4" : "ipv6");
	lya_text_addf(&d.what, "The external interfaces and VIPs of the Edge pool of ");
	add_members(&d.what, pool, SITE_EDGE_NODES, 0);
	lya_text_addf(&d.what, " have %llu different public %s address%s, %llu are needed.",
		      (unsigned long long)found, name, found == 1 ? "" : "es",
		      (unsigned long long)wanted);
	lya_text_addf(
	    &d.why,
	    "Behind a hardware load balancer each of the three external interfaces of every "
	    "Edge node and each of the three VIPs has a public address of its own, 3 x "
	    "(%zu + 1) for %zu node%s.",
	    nodes, nodes, nodes == 1 ? "" : "s");
	if (add_lacking(&lacking, pool, family) > 0)
		lya_text_addf(&d.fix, "Give a public %s address of its own to %s.", name,
			      lya_text_str(&lacking));
	else
		lya_text_addf(&d.fix,
			      "Replace shared and private addresses, so that every service of "
			      "every node and every VIP has a public %s address of its own.",
			      name);
	faults->nomem = faults->nomem || lacking.failed;
	lya_text_fini(&lacking);
	add_fault(faults, &d);
}

static void check_count(struct faults *faults, const struct site_pool *pool, uint8_t family)
{
	struct lya_site_public p;

	if (!site_pool_public(pool, family, &p)) {
		faults->nomem = true;
		return;
	}
	if (p.in_use && p.declared < p.needed)
		report_count(faults, pool, family, p.declared, p.needed);
}

/* A private address where the documents want a public one? */
static bool is_outer_private(const struct lya_site_address *a)
{
	return (LYA_ROLE_BIT(a->role) & LYA_ROLES_EDGE_OUTSIDE) != 0 &&
	       lya_addr_is_private(&a->net.addr);
}

static void check_private(struct faults *faults, const struct site_pool *pool, size_t i)
{
	struct draft d = { .type = "site-private-address", .rule = "edge.p.public-addresses" };
	const struct lya_site_host *host = site_pool_host(pool, i);
	struct lya_text list = { 0 };
	size_t n = 0;

	for (size_t k = 0; k < host->n_addresses; k++) {
		char net[LYA_NET_TEXT];

		if (!is_outer_private(&host->addresses[k]))
			continue;
		if (n++ < NAMES_MAX)
			lya_text_addf(&list, "%s%s (%s)", n > 1 ? ", " : "",
				      lya_net_format(&host->addresses[k].net, net),
				      lya_role_name(host->addresses[k].role));
	}
	if (n > 0) {
		lya_text_addf(&d.place, "hosts[%zu]", pool->hosts[i]);
		lya_text_add(&d.about, host->name);
		lya_text_addf(&d.what, "%s has %zu private address%s outside: %s%s.", host->name, n,
			      n == 1 ? "" : "es", lya_text_str(&list),
			      n > NAMES_MAX ? " and more" : "");
		lya_text_add(&d.why,
			     "The external interfaces of a hardware load balanced Edge and the "
			     "VIPs in front of them have public addresses; for A/V the clients "
			     "must be given the real one.");
		lya_text_addf(&d.fix,
			      "Give %s public addresses there, or correct the site description "
			      "if these are not the addresses in use.",
			      host->name);
		add_fault(faults, &d);
	}
	faults->nomem = faults->nomem || list.failed;
	lya_text_fini(&list);
}

/* VIPs ------------------------------------------------------------------- */

/* The statement that speaks of a VIP (site.h). */
static const char *statement_of(enum lya_role vip)
{
	if (LYA_ROLE_BIT(vip) & LYA_ROLES_EDGE_OUTSIDE)
		return "edge.p.public-addresses";
	return vip == LYA_ROLE_EDGE_INTERNAL_VIP ? "edge.4.1" : "internal.p.hlb-ports";
}

static const char *pool_word(enum lya_lb_pool pool)
{
	static const char *const words[LYA_LB_POOLS] = {
		[LYA_LB_FRONT_END] = "front-end",
		[LYA_LB_DIRECTOR] = "director",
		[LYA_LB_MEDIATION] = "mediation",
		[LYA_LB_EDGE] = "edge",
	};

	return words[pool];
}

static void report_missing(struct faults *faults, const struct site_pool *pool, enum lya_role vip,
			   lya_roles none_of)
{
	struct draft d = { .type = "site-missing-vip", .rule = statement_of(vip) };
	enum lya_role role = lya_role_behind(vip);

	lya_text_add(&d.place, "hosts");
	lya_text_addf(&d.about, "%s/%s", pool->name != NULL ? pool->name : "", lya_role_name(vip));
	add_members(&d.what, pool, LYA_ROLE_BIT(role), none_of);
	lya_text_addf(&d.what, " (%s) %s hardware load balanced, but no %s is declared for ",
		      lya_role_name(role),
		      site_pool_count(pool, LYA_ROLE_BIT(role), none_of) == 1 ? "is" : "are",
		      lya_role_name(vip));
	add_pool_name(&d.what, pool);
	lya_text_add(&d.what, ".");
	lya_text_add(&d.why, "With hardware load balancing others reach the pool through the "
			     "balancer's VIP, and the documents open ports on that VIP.");
	lya_text_addf(&d.fix,
		      "Declare the address under the balancer's host as \"%s\", or set "
		      "load_balancing \"%s\" to what is in use.",
		      lya_role_name(vip), pool_word(lya_lb_pool_of(vip)));
	add_fault(faults, &d);
}

static void report_dns(struct faults *faults, const struct site_pool *pool, enum lya_role vip,
		       lya_roles none_of)
{
	struct draft d = { .type = "site-dns-without-vip", .rule = "internal.p.dns-needs-hlb" };
	enum lya_role role = lya_role_behind(vip);

	lya_text_add(&d.place, "hosts");
	lya_text_addf(&d.about, "%s/%s", pool->name != NULL ? pool->name : "", lya_role_name(vip));
	add_members(&d.what, pool, LYA_ROLE_BIT(role), none_of);
	lya_text_addf(&d.what, " (%s) %s DNS load balancing, but no %s is declared for ",
		      lya_role_name(role),
		      site_pool_count(pool, LYA_ROLE_BIT(role), none_of) == 1 ? "uses" : "use",
		      lya_role_name(vip));
	add_pool_name(&d.what, pool);
	lya_text_add(&d.what, ".");
	lya_text_add(&d.why,
		     "A front-end or Director pool with DNS load balancing needs a hardware "
		     "load balancer all the same, for its web ports.");
	lya_text_addf(&d.fix,
		      "Put a balancer in front of the web services and declare its address "
		      "as \"%s\".",
		      lya_role_name(vip));
	add_fault(faults, &d);
}

/* A pool of internal servers. */
static void check_internal_pool(struct faults *faults, const struct site_pool *pool, enum lya_role vip,
				lya_roles none_of)
{
	size_t members = site_pool_count(pool, LYA_ROLE_BIT(lya_role_behind(vip)), none_of);
	enum lya_lb_pool lb = lya_lb_pool_of(vip);

	if ((site_pool_roles(pool) & LYA_ROLE_BIT(vip)) ||
	    !site_pool_wants_vip(pool, lb, LYA_ROLE_BIT(vip), members))
		return;
	if (pool->site->lb[lb] == LYA_LB_HLB)
		report_missing(faults, pool, vip, none_of);
	else if (pool->site->lb[lb] == LYA_LB_DNS && lb != LYA_LB_MEDIATION)
		report_dns(faults, pool, vip, none_of);
}

static void check_edge_pool(struct faults *faults, const struct site_pool *pool)
{
	lya_roles roles = site_pool_roles(pool);

	if (!site_pool_is_balanced_edge(pool))
		return;
	check_count(faults, pool, 4);
	check_count(faults, pool, 6);
	for (size_t i = 0; i < pool->n; i++)
		check_private(faults, pool, i);
	for (unsigned vip = LYA_ROLE_EDGE_ACCESS_VIP; vip <= LYA_ROLE_EDGE_INTERNAL_VIP; vip++) {
		enum lya_role behind = lya_role_behind((enum lya_role)vip);

		if ((roles & LYA_ROLE_BIT(behind)) && !(roles & LYA_ROLE_BIT(vip)))
			report_missing(faults, pool, (enum lya_role)vip, 0);
	}
}

static bool check_pool(void *ctx, const struct site_pool *pool)
{
	struct faults *faults = ctx;

	check_edge_pool(faults, pool);
	check_internal_pool(faults, pool, LYA_ROLE_FRONT_END_VIP, BIT(SURVIVABLE_BRANCH));
	check_internal_pool(faults, pool, LYA_ROLE_DIRECTOR_VIP, 0);
	check_internal_pool(faults, pool, LYA_ROLE_MEDIATION_VIP,
			    BIT(FRONT_END) | BIT(SURVIVABLE_BRANCH));
	return !faults->nomem;
}

/* Hosts ------------------------------------------------------------------ */

static void check_av_snat(struct faults *faults, const struct lya_site *site, size_t i)
{
	struct draft d = { .type = "site-av-snat", .rule = "edge.p.av-no-snat" };
	const struct lya_site_host *host = &site->hosts[i];

	if (!(host->snat & BIT(EDGE_AV_VIP)))
		return;
	lya_text_addf(&d.place, "hosts[%zu].snat", i);
	lya_text_add(&d.about, host->name);
	lya_text_addf(&d.what, "The A/V VIP on %s is declared to rewrite source addresses.",
		      host->name);
	lya_text_add(&d.why,
		     "Source translation must not be configured for the A/V Edge: STUN and "
		     "TURN then report the balancer's address in place of the client's, and "
		     "calls lose audio.");
	lya_text_addf(&d.fix,
		      "Turn source translation off for the A/V VIP on %s, and take "
		      "\"edge-av-vip\" out of its \"snat\" list.",
		      host->name);
	add_fault(faults, &d);
}

static void check_unbalanced(struct faults *faults, const struct lya_site *site, size_t i,
			     enum lya_role vip)
{
	struct draft d = { .type = "site-vip-without-load-balancing", .rule = statement_of(vip) };
	const struct lya_site_host *host = &site->hosts[i];
	const char *word = pool_word(lya_lb_pool_of(vip));

	if (!(host->roles & LYA_ROLE_BIT(vip)) || site->lb[lya_lb_pool_of(vip)] != LYA_LB_NONE)
		return;
	lya_text_addf(&d.place, "hosts[%zu].roles.%s", i, lya_role_name(vip));
	lya_text_addf(&d.about, "%s/%s", host->name, lya_role_name(vip));
	lya_text_addf(&d.what,
		      "%s declares the role %s, but load balancing for \"%s\" is \"none\".",
		      host->name, lya_role_name(vip), word);
	lya_text_add(&d.why, "The documents know a VIP only as the address of a load balancer in "
			     "front of the pool.");
	lya_text_addf(&d.fix,
		      "Set load_balancing \"%s\" to \"hlb\" or \"dns\", or take the %s of %s "
		      "out of the site description.",
		      word, lya_role_name(vip), host->name);
	add_fault(faults, &d);
}

static void check_host(struct faults *faults, const struct lya_site *site, size_t i)
{
	check_av_snat(faults, site, i);
	for (unsigned vip = 0; vip < LYA_ROLES_DECLARED; vip++) {
		if (LYA_ROLE_BIT(vip) & LYA_ROLES_VIPS)
			check_unbalanced(faults, site, i, (enum lya_role)vip);
	}
}

int lya_site_check(const struct lya_site *site, struct lya_site_fault **list, size_t *n,
		   struct lya_error *err)
{
	struct faults faults = { 0 };

	*list = NULL;
	*n = 0;
	faults.nomem = !site_each_pool(site, check_pool, &faults);
	for (size_t i = 0; i < site->n_hosts; i++)
		check_host(&faults, site, i);
	if (faults.nomem) {
		lya_site_faults_free(faults.list, faults.n);
		return lya_error_nomem(err);
	}
	*list = faults.list;
	*n = faults.n;
	return LYA_OK;
}

void lya_site_faults_free(struct lya_site_fault *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		fault_fini(&list[i]);
	lya_free(list);
}

/* Beside the rules ------------------------------------------------------- */

int lya_site_check_rules(const struct lya_site *site, const struct lya_rules *rules,
			 struct lya_diags *diags, struct lya_error *err)
{
	size_t before = diags->errors;

	for (size_t i = 0; i < site->n_overrides; i++) {
		const char *id = site->overrides[i].rule;
		const struct lya_rule *rule = lya_rules_find(rules, id);
		char place[64];

		(void)snprintf(place, sizeof(place), "port_overrides[%zu].rule", i);
		if (rule == NULL)
			lya_diags_add(diags, LYA_DIAG_ERROR, site->file, place,
				      "\"%s\" is no rule of %s", id, rules->name);
		else if (rule->statement)
			lya_diags_add(diags, LYA_DIAG_ERROR, site->file, place,
				      "\"%s\" is a statement and has no ports", id);
	}
	if (diags->errors == before && !diags->nomem)
		return LYA_OK;
	return lya_diags_error(diags, err);
}
