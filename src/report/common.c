/*
 * common.c - how reports write times, addresses, roles; sums over sources;
 * the pairs of A/V VIP and node.
 */
#include "report/report.h"

#include <stdlib.h>
#include <string.h>

#include "lyncaudit/alloc.h"
#include "lyncaudit/timeutil.h"

void report_time(struct lya_json_writer *w, const char *name, int64_t time_ns, unsigned digits)
{
	char text[LYA_TIME_TEXT];

	lya_jw_member_string(w, name,
			     time_ns == LYA_TIME_NONE ? NULL
						      : lya_time_format(time_ns, digits, text));
}

const char *report_transport(uint8_t transport)
{
	return transport == 6 ? "tcp" : transport == 17 ? "udp" : NULL;
}

const char *report_role(enum lya_role role)
{
	return role < LYA_ROLES ? lya_role_name(role) : "none";
}

void report_address(struct lya_json_writer *w, const char *name, const struct lya_addr *addr)
{
	char text[LYA_ADDR_TEXT];

	lya_jw_member_string(w, name, addr->family == 0 ? NULL : lya_addr_format(addr, text));
}

bool report_filtered(const struct lya_report_input *in)
{
	for (size_t i = 0; i < in->n_sources; i++) {
		if (lya_source_filtered(&in->sources[i]))
			return true;
	}
	return false;
}

struct report_span report_span(const struct lya_report_input *in)
{
	struct report_span span = { .first_ns = LYA_TIME_NONE, .last_ns = LYA_TIME_NONE };

	for (size_t i = 0; i < in->n_sources; i++) {
		const struct lya_source *s = &in->sources[i];

		span.packets += s->packets;
		span.bytes += s->bytes;
		if (s->first_ns == LYA_TIME_NONE)
			continue;
		if (span.first_ns == LYA_TIME_NONE || s->first_ns < span.first_ns) {
			span.first_ns = s->first_ns;
			span.first_digits = s->digits;
		}
		if (span.last_ns == LYA_TIME_NONE || s->last_ns > span.last_ns) {
			span.last_ns = s->last_ns;
			span.last_digits = s->digits;
		}
	}
	return span;
}

static bool same_pool(const struct lya_site_host *a, const struct lya_site_host *b)
{
	if (a->pool == NULL || b->pool == NULL)
		return a->pool == b->pool;
	return strcmp(a->pool, b->pool) == 0;
}

/* A declared single address of that role; networks are no VIPs and no nodes. */
static bool is_node(const struct lya_site_address *a, enum lya_role role)
{
	return a->role == role && a->net.bits == (a->net.addr.family == 4 ? 32 : 128);
}

static int pair_cmp(const void *pa, const void *pb)
{
	const struct lya_report_snat_pair *a = pa, *b = pb;
	int cmp = lya_addr_cmp(&a->vip, &b->vip);

	return cmp != 0 ? cmp : lya_addr_cmp(&a->node, &b->node);
}

struct pairs {
	struct lya_report_snat_pair *list;
	size_t n, cap;
};

/* The nodes of one host behind one VIP. */
static int add_nodes(struct pairs *p, const struct lya_addr *vip, const struct lya_site_host *host)
{
	for (size_t i = 0; i < host->n_addresses; i++) {
		const struct lya_site_address *a = &host->addresses[i];
		void *list = p->list;
		int rc;

		if (!is_node(a, LYA_ROLE_EDGE_AV) || a->net.addr.family != vip->family)
			continue;
		rc = lya_grow(&list, &p->cap, p->n + 1, sizeof(*p->list));
		if (rc != LYA_OK)
			return rc;
		p->list = list;
		p->list[p->n++] = (struct lya_report_snat_pair){ .vip = *vip, .node = a->net.addr };
	}
	return LYA_OK;
}

static int add_vips(struct pairs *p, const struct lya_site *site, const struct lya_site_host *host)
{
	int rc = LYA_OK;

	for (size_t i = 0; i < host->n_addresses; i++) {
		if (!is_node(&host->addresses[i], LYA_ROLE_EDGE_AV_VIP))
			continue;
		for (size_t k = 0; k < site->n_hosts && rc == LYA_OK; k++) {
			if (same_pool(host, &site->hosts[k]))
				rc = add_nodes(p, &host->addresses[i].net.addr, &site->hosts[k]);
		}
	}
	return rc;
}

int lya_report_snat_pairs(const struct lya_site *site, struct lya_report_snat_pair **list,
			  size_t *n, struct lya_error *err)
{
	struct pairs p = { 0 };
	int rc = LYA_OK;

	*list = NULL;
	*n = 0;
	for (size_t i = 0; i < site->n_hosts && rc == LYA_OK; i++)
		rc = add_vips(&p, site, &site->hosts[i]);
	if (rc != LYA_OK) {
		lya_free(p.list);
		return lya_error_nomem(err);
	}
	if (p.n > 0)
		qsort(p.list, p.n, sizeof(*p.list), pair_cmp);
	*list = p.list;
	*n = p.n;
	return LYA_OK;
}

void lya_report_snat_fill(const struct lya_snat *snat, struct lya_report_snat_pair *pairs,
			  size_t n, struct lya_report_snat *out)
{
	struct lya_snat_stats stats;

	for (size_t i = 0; i < n; i++) {
		struct lya_snat_sums sums;

		lya_snat_pair(snat, &pairs[i].vip, &pairs[i].node, &sums);
		pairs[i].transactions_preserved = sums.transactions_preserved;
		pairs[i].transactions_rewritten = sums.transactions_rewritten;
		pairs[i].connections_preserved = sums.connections_preserved;
		pairs[i].connections_rewritten = sums.connections_rewritten;
	}
	lya_snat_stats(snat, &stats);
	*out = (struct lya_report_snat){
		.transactions_preserved = stats.all.transactions_preserved,
		.transactions_rewritten = stats.all.transactions_rewritten,
		.connections_preserved = stats.all.connections_preserved,
		.connections_rewritten = stats.all.connections_rewritten,
		.unpaired = stats.unpaired,
		.dropped = stats.dropped,
		.pairs = pairs,
		.n_pairs = n,
	};
}
