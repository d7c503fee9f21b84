/*
 * host.c - the hosts of a site: names, roles, addresses.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lyncaudit/alloc.h"
#include "lyncaudit/text.h"
#include "site/load.h"

static const char *const host_members[] = {
	"name", "pool", "roles", "snat", "macs", "names", NULL
};

static bool add_declared(struct site_load *load, const struct lya_json *at,
			 const struct site_declared *d)
{
	if (lya_grow((void **)&load->declared, &load->cap_declared, load->n_declared + 1,
		     sizeof(*load->declared)) < 0)
		return lya_json_nomem(at);
	load->declared[load->n_declared++] = *d;
	return true;
}

/* An address that a host can have. */
static bool is_usable(const struct lya_json *at, const struct lya_net *net)
{
	char text[LYA_NET_TEXT];

	if (!lya_addr_plays_no_role(&net->addr))
		return true;
	lya_json_fault(at,
		       "%s is multicast, broadcast, loopback, link-local or unspecified: no host "
		       "has it as its own",
		       lya_net_format(net, text));
	return false;
}

static void parse_role_addresses(struct site_load *load, const struct lya_json *list,
				 enum lya_role role)
{
	struct site_declared d = { .host = load->site->n_hosts, .role = role };
	size_t n;

	if (!lya_json_array(list, &n))
		return;
	if (n == 0)
		lya_json_fault(list, "holds no address");
	for (d.index = 0; d.index < n; d.index++) {
		struct lya_json at = lya_json_at(list, d.index);

		if (site_parse_net(&at, &d.net) && is_usable(&at, &d.net) &&
		    !add_declared(load, &at, &d))
			return;
	}
}

/* "edge-access, edge-webconf, ...": what can be declared. */
static void add_roles(struct lya_text *t)
{
	for (unsigned role = 0; role < LYA_ROLES_DECLARED; role++)
		lya_text_addf(t, "%s%s", role > 0 ? ", " : "",
			      lya_role_name((enum lya_role)role));
}

static void fault_no_role(const struct lya_json *at, const char *name)
{
	struct lya_text t = { 0 };

	add_roles(&t);
	lya_json_fault(at, "\"%s\" is no role; roles are %s", name, lya_text_str(&t));
	lya_text_fini(&t);
}

/* A role that can be declared; the fault says why another name cannot. */
static bool find_declarable(const struct lya_json *at, const char *name, enum lya_role *role)
{
	lya_roles group;

	if (!lya_role_find(name, role)) {
		if (lya_role_group_find(name, &group))
			lya_json_fault(at, "\"%s\" is a group of roles: wanted a role", name);
		else
			fault_no_role(at, name);
		return false;
	}
	if (*role < LYA_ROLES_DECLARED)
		return true;
	lya_json_fault(at, "\"%s\" follows from the networks of the site and cannot be declared",
		       name);
	return false;
}

static void parse_roles(struct site_load *load, const struct lya_json *roles,
			struct lya_site_host *host)
{
	struct lya_json list;
	void *iter = NULL;

	if (!lya_json_object(roles))
		return;
	while (lya_json_next(roles, &iter, &list)) {
		enum lya_role role;

		if (strncmp(list.name, "x-", 2) == 0 || !find_declarable(&list, list.name, &role))
			continue;
		host->roles |= LYA_ROLE_BIT(role);
		parse_role_addresses(load, &list, role);
	}
	if (iter == NULL)
		lya_json_fault(roles, "names no role");
}

/* The host's addresses are the declared ones from `first` on. */
static void keep_addresses(struct site_load *load, const struct lya_json *at,
			   struct lya_site_host *host, size_t first)
{
	size_t n = load->n_declared - first;

	host->addresses = lya_calloc(n, sizeof(*host->addresses));
	if (host->addresses == NULL) {
		(void)lya_json_nomem(at);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		host->addresses[i].net = load->declared[first + i].net;
		host->addresses[i].role = load->declared[first + i].role;
	}
	host->n_addresses = n;
}

static void parse_snat(const struct lya_json *list, struct lya_site_host *host)
{
	size_t n;

	if (!lya_json_array(list, &n))
		return;
	for (size_t i = 0; i < n; i++) {
		struct lya_json at = lya_json_at(list, i);
		enum lya_role role;
		const char *s;

		if (!lya_json_text(&at, &s) || !find_declarable(&at, s, &role))
			continue;
		if (!(LYA_ROLE_BIT(role) & LYA_ROLES_VIPS))
			lya_json_fault(&at, "wanted the role of a VIP, found \"%s\"", s);
		else if (!(LYA_ROLE_BIT(role) & host->roles))
			lya_json_fault(&at, "\"%s\" is no role of this host", s);
		else if (LYA_ROLE_BIT(role) & host->snat)
			lya_json_fault(&at, "\"%s\" stands here twice", s);
		else
			host->snat |= LYA_ROLE_BIT(role);
	}
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* "00:0a:49:00:00:01", or with dashes. */
static bool read_mac(const char *s, uint8_t mac[6])
{
	for (size_t i = 0; i < 6; i++) {
		int high = hex_digit(s[0]);
		int low = high < 0 ? -1 : hex_digit(s[1]);

		if (low < 0)
			return false;
		mac[i] = (uint8_t)(high << 4 | low);
		s += 2;
		if (i < 5 && *s != ':' && *s != '-')
			return false;
		if (i < 5)
			s++;
	}
	return *s == '\0';
}

static void parse_macs(const struct lya_json *list, struct lya_site_host *host)
{
	size_t n;

	if (!lya_json_array(list, &n))
		return;
	host->macs = lya_calloc(n, sizeof(*host->macs));
	if (host->macs == NULL) {
		(void)lya_json_nomem(list);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		struct lya_json at = lya_json_at(list, i);
		const char *s;

		if (!lya_json_text(&at, &s))
			continue;
		if (!read_mac(s, host->macs[host->n_macs]))
			lya_json_fault(&at, "\"%s\" is not a MAC address (00:0a:49:00:00:01)", s);
		else if (host->macs[host->n_macs][0] & 1)
			lya_json_fault(&at, "\"%s\" is a multicast address: no host has it", s);
		else
			host->n_macs++;
	}
}

static void parse_names(const struct lya_json *list, struct lya_site_host *host)
{
	size_t n;

	if (!lya_json_array(list, &n))
		return;
	host->names = lya_calloc(n, sizeof(*host->names));
	if (host->names == NULL) {
		(void)lya_json_nomem(list);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		struct lya_json at = lya_json_at(list, i);

		if (lya_json_text_dup(&at, &host->names[host->n_names]))
			host->n_names++;
	}
}

static void parse_host(struct site_load *load, const struct lya_json *at,
		       struct lya_site_host *host)
{
	size_t first = load->n_declared;
	struct lya_json m;

	lya_json_known(at, host_members);
	if (lya_json_need(at, "name", &m))
		(void)lya_json_text_dup(&m, &host->name);
	if (lya_json_find(at, "pool", &m))
		(void)lya_json_text_dup(&m, &host->pool);
	if (lya_json_need(at, "roles", &m))
		parse_roles(load, &m, host);
	keep_addresses(load, at, host, first);
	if (lya_json_find(at, "snat", &m))
		parse_snat(&m, host);
	if (lya_json_find(at, "macs", &m))
		parse_macs(&m, host);
	if (lya_json_find(at, "names", &m))
		parse_names(&m, host);
}

static int compare_names(const void *a, const void *b, void *hosts)
{
	const struct lya_site_host *list = hosts;
	size_t x = *(const size_t *)a;
	size_t y = *(const size_t *)b;
	int order = strcmp(list[x].name, list[y].name);

	return order != 0 ? order : (x > y) - (x < y);
}

/* Host names are unique; the ordered list serves site_find_host. */
static void check_names(struct site_load *load)
{
	const struct lya_site *site = load->site;

	load->by_name = lya_calloc(site->n_hosts, sizeof(*load->by_name));
	if (load->by_name == NULL) {
		load->diags->nomem = true;
		return;
	}
	for (size_t i = 0; i < site->n_hosts; i++) {
		if (site->hosts[i].name != NULL)
			load->by_name[load->n_by_name++] = i;
	}
	qsort_r(load->by_name, load->n_by_name, sizeof(*load->by_name), compare_names, site->hosts);
	for (size_t i = 1; i < load->n_by_name; i++) {
		size_t one = load->by_name[i - 1];
		size_t two = load->by_name[i];
		char place[64];

		if (strcmp(site->hosts[one].name, site->hosts[two].name) != 0)
			continue;
		(void)snprintf(place, sizeof(place), "hosts[%zu].name", two);
		lya_diags_add(load->diags, LYA_DIAG_ERROR, load->file, place,
			      "\"%s\" is the name of hosts[%zu] too", site->hosts[two].name, one);
	}
}

bool site_find_host(const struct site_load *load, const char *name, size_t *host)
{
	size_t low = 0;
	size_t high = load->n_by_name;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = strcmp(name, load->site->hosts[load->by_name[mid]].name);

		if (order == 0) {
			*host = load->by_name[mid];
			return true;
		}
		if (order < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return false;
}

/* By network, then in the order of the file. */
static int compare_declared(const void *a, const void *b)
{
	const struct site_declared *x = a;
	const struct site_declared *y = b;
	int order = lya_addr_cmp(&x->net.addr, &y->net.addr);

	if (order != 0)
		return order;
	if (x->net.bits != y->net.bits)
		return x->net.bits < y->net.bits ? -1 : 1;
	if (x->host != y->host)
		return x->host < y->host ? -1 : 1;
	if (x->role != y->role)
		return x->role < y->role ? -1 : 1;
	return (x->index > y->index) - (x->index < y->index);
}

static void report_address(struct site_load *load, const struct site_declared *d,
			   const struct site_declared *before)
{
	char net[LYA_NET_TEXT];
	char place[128];

	lya_net_format(&d->net, net);
	(void)snprintf(place, sizeof(place), "hosts[%zu].roles.%s[%zu]", d->host,
		       lya_role_name(d->role), d->index);
	if (d->host == before->host)
		lya_diags_add(load->diags, LYA_DIAG_ERROR, load->file, place,
			      "%s stands in this list twice", net);
	else
		lya_diags_add(load->diags, LYA_DIAG_ERROR, load->file, place,
			      "%s belongs to another host too (hosts[%zu].roles.%s[%zu]%s%s%s)",
			      net, before->host, lya_role_name(before->role), before->index,
			      load->site->hosts[before->host].name != NULL ? ", \"" : "",
			      load->site->hosts[before->host].name != NULL
				  ? load->site->hosts[before->host].name
				  : "",
			      load->site->hosts[before->host].name != NULL ? "\"" : "");
}

/* One address is one host's; under that host it may stand for several roles. */
static void check_addresses(struct site_load *load)
{
	size_t first = 0;

	if (load->n_declared == 0)
		return;
	qsort(load->declared, load->n_declared, sizeof(*load->declared), compare_declared);
	for (size_t i = 1; i < load->n_declared; i++) {
		const struct site_declared *one = &load->declared[first];
		const struct site_declared *two = &load->declared[i];
		const struct site_declared *last = &load->declared[i - 1];

		if (lya_addr_cmp(&one->net.addr, &two->net.addr) != 0 ||
		    one->net.bits != two->net.bits) {
			first = i;
			continue;
		}
		if (one->host != two->host)
			report_address(load, two, one);
		else if (last->role == two->role)
			report_address(load, two, last);
	}
}

void site_parse_hosts(struct site_load *load, const struct lya_json *root)
{
	struct lya_site *site = load->site;
	struct lya_json list;
	size_t n;

	if (!lya_json_need(root, "hosts", &list) || !lya_json_array(&list, &n))
		return;
	if (n == 0)
		lya_json_warn(&list, "names no host: no address will have a role of its own");
	site->hosts = lya_calloc(n, sizeof(*site->hosts));
	if (site->hosts == NULL) {
		(void)lya_json_nomem(&list);
		return;
	}
	for (; site->n_hosts < n; site->n_hosts++) {
		struct lya_json at = lya_json_at(&list, site->n_hosts);

		if (lya_json_object(&at))
			parse_host(load, &at, &site->hosts[site->n_hosts]);
	}
	check_names(load);
	check_addresses(load);
}
