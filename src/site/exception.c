/*
 * exception.c - the exceptions of a site.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lyncaudit/alloc.h"
#include "lyncaudit/timeutil.h"
#include "site/load.h"

static const char *const exception_members[] = { "id",     "from",  "to",      "transport", "ports",
						 "reason", "owner", "expires", NULL };

/* A role or a group, a host, an address or a network. */
static void parse_match(struct site_load *load, const struct lya_json *e, const char *member,
			struct lya_site_match *m)
{
	struct lya_json at;
	enum lya_role role;
	bool host_bits;

	if (!lya_json_need(e, member, &at) || !lya_json_text_dup(&at, &m->text))
		return;
	if (lya_role_find(m->text, &role) || lya_role_group_find(m->text, &m->roles)) {
		m->kind = LYA_MATCH_ROLE;
		if (m->roles == 0)
			m->roles = LYA_ROLE_BIT(role);
		if (site_find_host(load, m->text, &m->host))
			lya_json_warn(&at, "\"%s\" is a role and a host: the role is meant",
				      m->text);
	} else if (site_find_host(load, m->text, &m->host)) {
		m->kind = LYA_MATCH_HOST;
	} else if (lya_net_parse(m->text, &m->net, &host_bits)) {
		m->kind = LYA_MATCH_NET;
	} else if (host_bits) {
		lya_json_fault(&at, "\"%s\" has bits set behind its prefix length", m->text);
	} else {
		lya_json_fault(&at, "\"%s\" is no role, no host, no address and no network",
			       m->text);
	}
}

static void parse_transport(const struct lya_json *e, struct lya_exception *x)
{
	struct lya_json at;
	const char *s;

	if (!lya_json_need(e, "transport", &at) || !lya_json_string(&at, &s))
		return;
	if (strcmp(s, "tcp") == 0)
		x->transports = LYA_T_TCP;
	else if (strcmp(s, "udp") == 0)
		x->transports = LYA_T_UDP;
	else if (strcmp(s, "any") == 0)
		x->transports = LYA_T_TCP | LYA_T_UDP;
	else
		lya_json_fault(&at, "wanted \"tcp\", \"udp\" or \"any\", found \"%s\"", s);
}

static void parse_expiry(const struct lya_json *e, struct lya_exception *x)
{
	struct lya_json at;
	unsigned month;
	unsigned day;
	int year;

	if (!lya_json_find(e, "expires", &at) || !lya_json_text_dup(&at, &x->expires))
		return;
	x->has_expiry = lya_date_parse(x->expires, &year, &month, &day) &&
			lya_date_days(year, month, day, &x->expires_days);
	if (!x->has_expiry)
		lya_json_fault(&at, "\"%s\" is not a date (2027-06-30)", x->expires);
}

static void parse_exception(struct site_load *load, const struct lya_json *e,
			    struct lya_exception *x)
{
	struct lya_json at;

	lya_json_known(e, exception_members);
	if (lya_json_need(e, "id", &at))
		(void)lya_json_text_dup(&at, &x->id);
	parse_match(load, e, "from", &x->from);
	parse_match(load, e, "to", &x->to);
	parse_transport(e, x);
	if (lya_json_need(e, "ports", &at))
		site_parse_ports(&at, &x->ports, &x->n_ports, &x->any_port);
	if (lya_json_need(e, "reason", &at))
		(void)lya_json_text_dup(&at, &x->reason);
	if (lya_json_find(e, "owner", &at))
		(void)lya_json_text_dup(&at, &x->owner);
	parse_expiry(e, x);
}

static int compare_ids(const void *a, const void *b, void *exceptions)
{
	const struct lya_exception *list = exceptions;
	size_t x = *(const size_t *)a;
	size_t y = *(const size_t *)b;
	int order = strcmp(list[x].id, list[y].id);

	return order != 0 ? order : (x > y) - (x < y);
}

static void check_ids(struct site_load *load)
{
	const struct lya_site *site = load->site;
	size_t *order = lya_calloc(site->n_exceptions, sizeof(*order));
	size_t n = 0;

	if (order == NULL) {
		load->diags->nomem = true;
		return;
	}
	for (size_t i = 0; i < site->n_exceptions; i++) {
		if (site->exceptions[i].id != NULL)
			order[n++] = i;
	}
	qsort_r(order, n, sizeof(*order), compare_ids, site->exceptions);
	for (size_t i = 1; i < n; i++) {
		char place[64];

		if (strcmp(site->exceptions[order[i - 1]].id, site->exceptions[order[i]].id) != 0)
			continue;
		(void)snprintf(place, sizeof(place), "exceptions[%zu].id", order[i]);
		lya_diags_add(load->diags, LYA_DIAG_ERROR, load->file, place,
			      "\"%s\" is the id of exceptions[%zu] too",
			      site->exceptions[order[i]].id, order[i - 1]);
	}
	lya_free(order);
}

void site_parse_exceptions(struct site_load *load, const struct lya_json *root)
{
	struct lya_site *site = load->site;
	struct lya_json list;
	size_t n;

	if (!lya_json_find(root, "exceptions", &list) || !lya_json_array(&list, &n))
		return;
	site->exceptions = lya_calloc(n, sizeof(*site->exceptions));
	if (site->exceptions == NULL) {
		(void)lya_json_nomem(&list);
		return;
	}
	for (; site->n_exceptions < n; site->n_exceptions++) {
		struct lya_json at = lya_json_at(&list, site->n_exceptions);

		if (lya_json_object(&at))
			parse_exception(load, &at, &site->exceptions[site->n_exceptions]);
	}
	check_ids(load);
}
