/*
 * edge.c - the external side of the Edge: which of the declared addresses were really seen, and
 * who plays an Edge's role without being one.
 */
#include "report/report.h"

#include <inttypes.h>

/* The services outside, in the order of the documents. */
static const struct {
	enum lya_role node;
	const char *name;
} services[] = {
	{ LYA_ROLE_EDGE_ACCESS, "access" },
	{ LYA_ROLE_EDGE_WEBCONF, "webconf" },
	{ LYA_ROLE_EDGE_AV, "av" },
};
enum { SERVICES = sizeof(services) / sizeof(services[0]), MISSING_SHOWN = 3 };

static const char *kind_of(const struct lya_addr *addr)
{
	return lya_addr_is_private(addr) ? "private" : "public";
}

static bool is_vip(enum lya_role role)
{
	return (LYA_ROLE_BIT(role) & LYA_ROLES_VIPS) != 0;
}

static void write_address(struct lya_json_writer *w, const struct lya_edge_address *a)
{
	char net[LYA_NET_TEXT];

	lya_jw_flat(w);
	lya_jw_object_open(w);
	lya_jw_member_string(w, "address", lya_net_format(&a->declared->net, net));
	lya_jw_member_string(w, "kind", kind_of(&a->declared->net.addr));
	lya_jw_member_string(w, "of", is_vip(a->declared->role) ? "vip" : "node");
	lya_jw_member_string(w, "host", a->host->name);
	lya_jw_member_uint(w, "seen", a->senders);
	lya_jw_member_bool(w, "seen_estimated", a->senders_estimated);
	lya_jw_member_uint(w, "flows", a->flows);
	lya_jw_member_uint(w, "sent", a->sent);
	report_time(w, "first", a->first_ns, a->digits);
	report_time(w, "last", a->last_ns, a->digits);
	lya_jw_object_close(w);
}

static bool is_of(const struct lya_edge_address *a, size_t service)
{
	enum lya_role role = a->declared->role;

	return role == services[service].node || role == lya_role_vip_of(services[service].node);
}

static void write_service(struct lya_json_writer *w, const struct lya_edge_pool *pool,
			  size_t service)
{
	size_t declared = 0, seen = 0;

	for (size_t i = 0; i < pool->n; i++) {
		if (!is_of(&pool->list[i], service))
			continue;
		declared++;
		seen += pool->list[i].senders > 0;
	}
	lya_jw_object_open(w);
	lya_jw_member_string(w, "service", services[service].name);
	lya_jw_member_uint(w, "declared", declared);
	lya_jw_member_uint(w, "seen", seen);
	lya_jw_key(w, "addresses");
	lya_jw_array_open(w);
	for (size_t i = 0; i < pool->n; i++) {
		if (is_of(&pool->list[i], service))
			write_address(w, &pool->list[i]);
	}
	lya_jw_array_close(w);
	lya_jw_object_close(w);
}

static void write_family(struct lya_json_writer *w, const char *family, bool balanced,
			 const struct lya_site_public *p, uint64_t seen)
{
	if (!p->in_use)
		return;
	lya_jw_flat(w);
	lya_jw_object_open(w);
	lya_jw_member_string(w, "family", family);
	if (balanced)
		lya_jw_member_uint(w, "needed", p->needed);
	else
		lya_jw_member_null(w, "needed");
	lya_jw_member_uint(w, "declared", p->declared);
	lya_jw_member_uint(w, "seen", seen);
	lya_jw_object_close(w);
}

static void write_pool(struct lya_json_writer *w, const struct lya_edge_pool *pool)
{
	lya_jw_object_open(w);
	lya_jw_member_string(w, "pool", pool->site.name);
	lya_jw_member_uint(w, "nodes", pool->site.nodes);
	lya_jw_key(w, "public");
	lya_jw_array_open(w);
	write_family(w, "ipv4", pool->site.balanced, &pool->site.ipv4, pool->seen_ipv4);
	write_family(w, "ipv6", pool->site.balanced, &pool->site.ipv6, pool->seen_ipv6);
	lya_jw_array_close(w);
	lya_jw_key(w, "services");
	lya_jw_array_open(w);
	for (size_t i = 0; i < SERVICES; i++)
		write_service(w, pool, i);
	lya_jw_array_close(w);
	lya_jw_object_close(w);
}

static void write_strays(struct lya_json_writer *w, const struct lya_ledger *ledger)
{
	size_t n;
	const struct lya_edge_stray *list = lya_ledger_edge_strays(ledger, &n);

	lya_jw_key(w, "undeclared");
	lya_jw_array_open(w);
	for (size_t i = 0; i < n; i++) {
		lya_jw_flat(w);
		lya_jw_object_open(w);
		report_address(w, "address", &list[i].addr);
		lya_jw_member_string(w, "kind", kind_of(&list[i].addr));
		lya_jw_member_string(w, "type", list[i].finding->type);
		lya_jw_member_string(w, "finding", list[i].finding->id);
		lya_jw_object_close(w);
	}
	lya_jw_array_close(w);
}

void report_edge(struct lya_json_writer *w, const struct lya_report_input *in)
{
	size_t n;
	const struct lya_edge_pool *list = lya_ledger_edge_pools(in->ledger, &n);

	if (report_filtered(in)) {
		lya_jw_member_null(w, "edge_addresses");
		return;
	}
	lya_jw_key(w, "edge_addresses");
	lya_jw_object_open(w);
	lya_jw_key(w, "pools");
	lya_jw_array_open(w);
	for (size_t i = 0; i < n; i++)
		write_pool(w, &list[i]);
	lya_jw_array_close(w);
	write_strays(w, in->ledger);
	lya_jw_object_close(w);
}

/* Words ---------------------------------------------------------------------------------- */

static void add_family(struct lya_text *t, const char *joint, const char *family, bool balanced,
		       const struct lya_site_public *p, uint64_t seen)
{
	lya_text_addf(t, "%s%" PRIu64 " of %" PRIu64 " declared public %s addresses seen", joint,
		      seen, p->declared, family);
	if (balanced && p->declared < p->needed)
		lya_text_addf(t, " (%" PRIu64 " are needed)", p->needed);
}

/* Private addresses that were seen: no fault everywhere, and yet a matter to know. */
static size_t count_private(const struct lya_edge_pool *pool)
{
	size_t n = 0;

	for (size_t i = 0; i < pool->n; i++)
		n += pool->list[i].sent > 0 && !pool->list[i].again &&
		     lya_addr_is_private(&pool->list[i].declared->net.addr);
	return n;
}

static void add_missing(struct lya_text *t, const struct lya_edge_pool *pool)
{
	size_t n = 0;

	for (size_t i = 0; i < pool->n; i++) {
		const struct lya_edge_address *a = &pool->list[i];
		char net[LYA_NET_TEXT];

		if (a->sent > 0 || n++ >= MISSING_SHOWN)
			continue;
		lya_text_addf(t, "%s%s (%s)", n == 1 ? "; not seen: " : ", ",
			      lya_net_format(&a->declared->net, net),
			      lya_role_name(a->declared->role));
	}
	if (n > MISSING_SHOWN)
		lya_text_addf(t, " and %zu more (see the JSON report)", n - MISSING_SHOWN);
}

void report_edge_words(struct lya_text *t, const struct lya_edge_pool *pool)
{
	const struct lya_site_edge_pool *site = &pool->site;
	size_t private = count_private(pool);

	if (site->ipv4.in_use)
		add_family(t, "", "IPv4", site->balanced, &site->ipv4, pool->seen_ipv4);
	if (site->ipv6.in_use)
		add_family(t, site->ipv4.in_use ? ", " : "", "IPv6", site->balanced, &site->ipv6,
			   pool->seen_ipv6);
	if (private > 0)
		lya_text_addf(t, ", %zu private in use", private);
	add_missing(t, pool);
}
