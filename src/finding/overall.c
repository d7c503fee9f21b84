/*
 * overall.c - SIP that goes one way only, and rows that nobody ever tried.
 *
 * "Tried and not answered" is a matter of attempts.c, "tried in a way that the
 * documents do not allow" one of the verdict; a row is missing only when it is
 * neither.
 */
#include "finding/ledger.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "lyncaudit/alloc.h"

#define BIT(name) LYA_ROLE_BIT(LYA_ROLE_##name)
/* Less than this shows nothing of a direction that was not seen. */
#define LONG_NS (INT64_C(3600) * LYA_SECOND_NS)

enum {
	SIP_PORT = 5061,
	ATTEMPTS_PER_FINDING = 8, /* weight, see attempts.c */
	ATTEMPTS_MAX = 16384      /* stays in the second-level cache */
};

int overall_init(struct overall *o, const struct lya_policy *p, size_t max_findings)
{
	size_t max = max_findings * ATTEMPTS_PER_FINDING;

	*o = (struct overall){ .n_pools = lya_policy_site(p)->n_hosts + 1,
			       .n_rules = lya_policy_rules(p)->n,
			       .n_hosts = lya_policy_site(p)->n_hosts };
	o->sip = lya_calloc(o->n_pools, sizeof(*o->sip));
	o->tried = lya_calloc(o->n_rules + 1, sizeof(*o->tried));
	o->hosts = lya_calloc(o->n_hosts + 1, sizeof(*o->hosts));
	if (o->sip == NULL || o->tried == NULL || o->hosts == NULL ||
	    gateway_init(&o->gateway, p) != LYA_OK ||
	    seen_init(&o->seen, lya_policy_site(p)) != LYA_OK)
		return LYA_ENOMEM;
	return attempts_init(&o->attempts, max < ATTEMPTS_MAX ? max : ATTEMPTS_MAX);
}

void overall_fini(struct overall *o)
{
	for (size_t i = 0; o->sip != NULL && i < o->n_pools; i++) {
		split_fini(&o->sip[i][SIP_TO_EDGE]);
		split_fini(&o->sip[i][SIP_FROM_EDGE]);
	}
	lya_free(o->sip);
	lya_free(o->tried);
	lya_free(o->hosts);
	attempts_fini(&o->attempts);
	gateway_fini(&o->gateway);
	seen_fini(&o->seen);
	*o = (struct overall){ 0 };
}

/* One of the matching rows has the port of SIP between servers, wherever the site moved it. */
static bool is_sip(const struct lya_policy *p, const struct lya_verdict *v)
{
	for (size_t i = 0; i < v->n_rules && i < LYA_VERDICT_RULES_MAX; i++) {
		const struct lya_rule *row = &lya_policy_rules(p)->list[v->rules[i]];

		for (size_t k = 0; k < row->n_ports; k++) {
			if (row->ports[k].first == SIP_PORT && row->ports[k].last == SIP_PORT)
				return true;
		}
	}
	return false;
}

/* SIP between an Edge pool and internal servers: in which direction.  False: it is none. */
static inline bool sip_way(const struct lya_policy *p, const struct lya_flow *flow,
		    const struct lya_policy_end ends[static 2], const struct lya_verdict *v,
		    enum sip_way *way)
{
	static const lya_roles edge = BIT(EDGE_INTERNAL) | BIT(EDGE_INTERNAL_VIP);
	const struct lya_policy_end *from = &ends[v->initiator], *to = &ends[!v->initiator];

	if (v->kind != LYA_VERDICT_DOCUMENTED || v->leg == LYA_LEG_PROBE || flow->transport != 6 ||
	    !is_sip(p, v))
		return false;
	*way = SIP_TO_EDGE;
	if ((to->roles & edge) != 0 &&
	    ((from->roles & LYA_ROLES_INTERNAL_SERVER) != 0 || v->leg == LYA_LEG_BALANCED))
		return true;
	*way = SIP_FROM_EDGE;
	return (from->roles & edge) != 0 && (to->roles & LYA_ROLES_INTERNAL_SERVER) != 0;
}

/* The sums of a way that the flow went; NULL: it is no such flow. */
static struct split *sip_of(struct overall *o, const struct lya_policy *p,
			    const struct lya_flow *flow, const struct lya_policy_end ends[static 2],
			    const struct lya_verdict *v)
{
	enum sip_way way;
	int32_t pool;

	if (!sip_way(p, flow, ends, v, &way))
		return NULL;
	pool = ends[way == SIP_TO_EDGE ? !v->initiator : v->initiator].pool;
	assert(pool >= 0 && (size_t)pool < o->n_pools && "a declared host has a pool");
	return &o->sip[pool][way];
}

bool overall_shows(const struct lya_policy *p, const struct lya_flow *flow,
		   const struct lya_policy_end ends[static 2], const struct lya_verdict *v)
{
	enum sip_way way;

	return sip_way(p, flow, ends, v, &way) || attempts_fail(p, flow, ends, v) ||
	       gateway_shows(p, flow, ends);
}

static bool share_port(const struct lya_policy *p, size_t a, size_t b)
{
	size_t na, nb;
	const struct lya_port_range *la = lya_policy_ports(p, a, &na);
	const struct lya_port_range *lb = lya_policy_ports(p, b, &nb);

	for (size_t i = 0; i < na; i++) {
		for (size_t k = 0; k < nb; k++) {
			if (la[i].first <= lb[k].last && lb[k].first <= la[i].last)
				return true;
		}
	}
	return false;
}

/* What was probably meant stands in one row, and in those that say the same of these ends. */
static void note_meant(struct overall *o, const struct lya_policy *p,
		       const struct lya_policy_end ends[static 2], const struct lya_verdict *v)
{
	lya_roles initiator = ends[v->initiator].effective;
	lya_roles responder = ends[!v->initiator].effective;

	for (size_t i = 0; i < o->n_rules; i++) {
		lya_roles from, to;

		if (o->tried[i] || lya_policy_rules(p)->list[i].statement)
			continue;
		lya_policy_rule_ends(p, i, &from, &to);
		if ((initiator & from) != 0 && (responder & to) != 0 &&
		    share_port(p, i, (size_t)v->mixup))
			o->tried[i] = true;
	}
}

int overall_take(struct overall *o, const struct lya_policy *p, const struct lya_flow *flow,
		 const struct lya_policy_end ends[static 2], const struct lya_verdict *v)
{
	struct split *sip = sip_of(o, p, flow, ends, v);
	int rc = attempts_take(&o->attempts, p, flow, ends, v);

	for (unsigned side = 0; side < 2; side++) {
		if (ends[side].host >= 0)
			o->hosts[ends[side].host] = true;
	}
	if (v->kind != LYA_VERDICT_DOCUMENTED && v->mixup >= 0)
		note_meant(o, p, ends, v);
	if (rc == LYA_OK)
		rc = gateway_take(&o->gateway, p, flow, ends, v);
	if (rc == LYA_OK)
		rc = seen_take(&o->seen, lya_policy_site(p), flow, ends);
	if (rc == LYA_OK && sip != NULL)
		rc = split_add(sip, flow, ends, v, NULL);
	return rc;
}

int overall_merge(struct overall *o, const struct overall *from)
{
	int rc = attempts_merge(&o->attempts, &from->attempts);
	size_t made;

	if (rc == LYA_OK)
		rc = gateway_merge(&o->gateway, &from->gateway);
	if (rc == LYA_OK)
		rc = seen_merge(&o->seen, &from->seen);
	for (size_t i = 0; i < o->n_rules; i++)
		o->tried[i] = o->tried[i] || from->tried[i];
	for (size_t i = 0; i < o->n_hosts; i++)
		o->hosts[i] = o->hosts[i] || from->hosts[i];
	for (size_t i = 0; rc == LYA_OK && i < o->n_pools; i++) {
		rc = split_merge(&o->sip[i][SIP_TO_EDGE], &from->sip[i][SIP_TO_EDGE], &made);
		if (rc == LYA_OK)
			rc = split_merge(&o->sip[i][SIP_FROM_EDGE], &from->sip[i][SIP_FROM_EDGE],
					 &made);
	}
	return rc;
}

/* SIP one way ------------------------------------------------------------------------- */

static uint64_t through_of(const struct split *s)
{
	uint64_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		n += s->list[i].entry->through;
	return n;
}

static const char *pool_name(const struct lya_ledger *l, int32_t pool)
{
	for (size_t i = 0; i < l->site->n_hosts; i++) {
		const struct lya_site_host *host = &l->site->hosts[i];
		struct lya_policy_end end;

		if (host->n_addresses == 0 || host->pool == NULL)
			continue;
		lya_policy_end_of(l->policy, &host->addresses[0].net.addr, &end);
		if (end.host == (int32_t)i && end.pool == pool)
			return host->pool;
	}
	return "";
}

/* A balanced leg may be a client's, and a client shows nothing of the servers. */
static bool is_server(const struct lya_ledger *l, const struct lya_addr *addr)
{
	static const lya_roles edge = BIT(EDGE_INTERNAL) | BIT(EDGE_INTERNAL_VIP);
	struct lya_policy_end end;

	lya_policy_end_of(l->policy, addr, &end);
	return (end.roles & (LYA_ROLES_INTERNAL_SERVER | edge)) != 0;
}

static bool server_opens(const struct lya_ledger *l, const struct split *s)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct crowd *c = &s->list[i].entry->crowds[0];

		for (size_t k = 0; k < c->n_members; k++) {
			if (is_server(l, &c->members[k].addr))
				return true;
		}
		for (size_t k = 0; c->many && k < c->n_draws; k++) {
			if (is_server(l, &c->draws[k].addr))
				return true;
		}
	}
	return false;
}

/* The one host of all addresses at an end; -1: there are several, or none is declared. */
static int32_t host_of(const struct lya_ledger *l, const struct crowd *c)
{
	int32_t host = -1;

	for (size_t i = 0; i < c->n_members; i++) {
		struct lya_policy_end end;

		lya_policy_end_of(l->policy, &c->members[i].addr, &end);
		if (i > 0 && end.host != host)
			return -1;
		host = end.host;
	}
	return host;
}

/*
 * The sums that the finding shows: the failures of the way that fails, or the
 * flows of the way that works where the other was never tried.  NULL in *out:
 * nothing is proven.
 */
static int sip_evidence(const struct lya_ledger *l, const struct split *works,
			const struct split *fails, struct entry **out, bool *unseen)
{
	const struct split *shown = fails->n > 0 ? fails : works;
	int rc = LYA_OK;

	*out = NULL;
	*unseen = fails->n == 0;
	if (through_of(works) == 0 || through_of(fails) > 0 ||
	    (*unseen &&
	     (l->end.filtered || ledger_watched_ns(l) < LONG_NS || !server_opens(l, works))))
		return LYA_OK;
	for (size_t i = 0; i < shown->n && rc == LYA_OK; i++) {
		if (!*unseen && !split_proves(&shown->list[i], &l->end))
			continue;
		if (*out == NULL)
			*out = entry_new((struct lya_port_range){ SIP_PORT, SIP_PORT });
		rc = *out != NULL ? entry_merge(*out, shown->list[i].entry) : LYA_ENOMEM;
	}
	return rc;
}

static enum lya_role sip_role(const struct entry *e, const struct lya_ledger *l, unsigned end)
{
	const struct lya_addr *addr =
	    end == 0 ? &e->samples[0].src : &e->samples[0].dst; /* there is one: e has flows */
	struct lya_policy_end at;

	lya_policy_end_of(l->policy, addr, &at);
	return lya_policy_role(l->policy, &at, -1, end == 0);
}

/* way: the direction that is missing. */
static int add_sip(const struct lya_ledger *l, int32_t pool, enum sip_way way,
		   struct lya_finding **list, size_t *n, size_t *cap)
{
	struct pair pair = {
		.key = { .host = { -1, -1 }, .transport = 6, .type = LYA_FINDING_SIP_ONE_WAY }
	};
	struct lya_finding f;
	struct entry *e;
	char about[256];
	bool unseen;
	int rc =
	    sip_evidence(l, &l->overall.sip[pool][!way], &l->overall.sip[pool][way], &e, &unseen);

	if (rc != LYA_OK || e == NULL) {
		entry_free(e);
		return rc;
	}
	for (unsigned end = 0; end < 2; end++) {
		pair.key.role[end] = (uint8_t)sip_role(e, l, end);
		pair.key.host[end] = host_of(l, &e->crowds[end]);
	}
	if (build_finding(l, &pair, e, &f)) {
		(void)snprintf(about, sizeof(about), "%s %s",
			       way == SIP_TO_EDGE ? "to-edge" : "from-edge", pool_name(l, pool));
		identify_subject(f.type, about, f.id);
		rc = f.id[0] != '\0' ? deployment_push(list, n, cap, &f) : LYA_ENOMEM;
	} else {
		rc = LYA_ENOMEM;
	}
	if (rc != LYA_OK)
		finding_fini(&f);
	entry_free(e);
	return rc;
}

/* Rows never tried --------------------------------------------------------------------- */

/* Whom the row speaks of: its own narrower list, or those behind a group. */
static lya_roles wanted(const struct lya_row_end *end, lya_roles in_force)
{
	if (end->strict != 0)
		return end->strict & in_force;
	if (end->any)
		return BIT(EXTERNAL) & in_force;
	return in_force;
}

static bool is_missing(const struct lya_ledger *l, size_t rule)
{
	const struct lya_rule *row = &l->rules->list[rule];
	lya_roles from, to, seen = l->coverage.seen;

	if (row->statement || !row->required || !lya_policy_feature_on(l->policy, rule) ||
	    l->coverage.list[rule].flows > 0 || l->overall.tried[rule])
		return false;
	lya_policy_rule_ends(l->policy, rule, &from, &to);
	return (wanted(&row->from, from) & seen) != 0 && (wanted(&row->to, to) & seen) != 0;
}

static int add_missing(const struct lya_ledger *l, size_t rule, struct lya_finding **list,
		       size_t *n, size_t *cap)
{
	const struct lya_rule *row = &l->rules->list[rule];
	struct lya_finding f = deployment_blank(l, LYA_FINDING_MISSING_FLOW,
						lya_finding_type_name(LYA_FINDING_MISSING_FLOW));
	const struct lya_port_range *ports = lya_policy_ports(l->policy, rule, &f.n_ports);
	int rc = LYA_ENOMEM;

	f.transport = row->transports == LYA_T_TCP ? 6 : row->transports == LYA_T_UDP ? 17 : 0;
	f.rules[f.n_rules++] = (int)rule;
	identify_subject(f.type, row->id, f.id);
	f.ports = lya_calloc(f.n_ports + 1, sizeof(*f.ports));
	if (f.id[0] != '\0' && f.ports != NULL) {
		memcpy(f.ports, ports, f.n_ports * sizeof(*ports));
		if (sentence_write(l, &f))
			rc = deployment_push(list, n, cap, &f);
	}
	if (rc != LYA_OK)
		finding_fini(&f);
	return rc;
}

int overall_findings(const struct lya_ledger *l, struct lya_finding **list, size_t *n, size_t *cap)
{
	int rc = LYA_OK;

	for (size_t i = 0; i < l->overall.n_pools && rc == LYA_OK; i++) {
		rc = add_sip(l, (int32_t)i, SIP_TO_EDGE, list, n, cap);
		if (rc == LYA_OK)
			rc = add_sip(l, (int32_t)i, SIP_FROM_EDGE, list, n, cap);
	}
	for (size_t i = 0; !l->end.filtered && i < l->overall.n_rules && rc == LYA_OK; i++) {
		if (is_missing(l, i))
			rc = add_missing(l, i, list, n, cap);
	}
	return rc == LYA_OK ? gateway_findings(l, list, n, cap) : rc;
}
