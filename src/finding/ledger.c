/*
 * ledger.c - take flows, and at the end make findings of what was kept.
 */
#include "finding/ledger.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lyncaudit/alloc.h"

/* A finding with a thousand addresses at each end: what max_bytes is divided by. */
enum { FINDING_BYTES = 16384, FINDINGS_MIN = 64 };

static size_t findings_bound(const struct lya_ledger_options *o)
{
	size_t max = o->max_findings != 0 ? o->max_findings : LYA_FINDING_MAX;

	if (o->max_bytes != 0 && max > o->max_bytes / FINDING_BYTES)
		max = o->max_bytes / FINDING_BYTES;
	return max > FINDINGS_MIN || o->max_findings != 0 ? max : FINDINGS_MIN;
}

int lya_ledger_new(struct lya_ledger **out, const struct lya_policy *policy,
		   const struct lya_ledger_options *options, struct lya_error *err)
{
	struct lya_ledger *l = lya_calloc(1, sizeof(*l));

	*out = NULL;
	if (l == NULL)
		return lya_error_nomem(err);
	l->policy = policy;
	l->site = lya_policy_site(policy);
	l->rules = lya_policy_rules(policy);
	l->options = *options;
	l->waived = lya_calloc(l->site->n_exceptions + 1, sizeof(*l->waived));
	l->expired = lya_calloc(l->site->n_exceptions + 1, sizeof(*l->expired));
	if (l->waived == NULL || l->expired == NULL ||
	    folds_init(&l->folds, findings_bound(options)) != LYA_OK ||
	    coverage_init(&l->coverage, policy) != LYA_OK || matrix_init(&l->matrix) != LYA_OK ||
	    overall_init(&l->overall, policy, findings_bound(options)) != LYA_OK) {
		lya_ledger_free(l);
		return lya_error_nomem(err);
	}
	*out = l;
	return LYA_OK;
}

void lya_ledger_free(struct lya_ledger *l)
{
	if (l == NULL)
		return;
	for (size_t i = 0; i < l->n_findings; i++)
		finding_fini(&l->findings[i]);
	lya_free(l->findings);
	edge_fini(l);
	lya_free(l->waivers);
	lya_free(l->waived);
	lya_free(l->expired);
	folds_fini(&l->folds);
	coverage_fini(&l->coverage);
	matrix_fini(&l->matrix);
	overall_fini(&l->overall);
	former_fini(&l->former);
	lya_free(l);
}

const char *ledger_host_name(const struct lya_ledger *l, int32_t host)
{
	size_t index = (size_t)host;

	return index < l->site->n_hosts ? l->site->hosts[index].name
					: l->former.hosts[index - l->site->n_hosts];
}

const struct lya_policy *lya_ledger_policy(const struct lya_ledger *l)
{
	return l->policy;
}

/* Tell the caller of a finding that has just begun. */
static int tell_new(const struct lya_ledger *l, const struct fold_place *place)
{
	struct lya_finding f;
	int rc = LYA_ENOMEM;

	if (build_finding(l, place->pair, place->entry, &f)) {
		f.id[2 + 8] = '\0';
		rc = l->options.on_new(l->options.ctx, &f);
	}
	finding_fini(&f);
	return rc;
}

/* An id is worked out once and kept with what it names, where that is kept. */
static bool note_id(const struct lya_ledger *l, const struct pair_key *key,
		    const struct lya_port_range *ports, char *kept, char out[LYA_FINDING_ID])
{
	char fresh[LYA_FINDING_ID] = "";
	char *id = kept != NULL ? kept : fresh;

	if (id[0] == '\0')
		identify_pair(l, key, ports, id);
	memcpy(out, id, LYA_FINDING_ID);
	out[2 + 8] = '\0';
	return id[0] != '\0';
}

static int note_ids(const struct lya_ledger *l, const struct pair_key *key,
		    const struct lya_port_range *ports, const struct fold_place *place,
		    struct lya_flow_findings *out)
{
	bool scan = place->pair != NULL && place->pair->scan != NULL;
	size_t n = out->n;

	assert(n < LYA_FLOW_FINDINGS && "a flow raises few findings");
	out->scan_ids[n][0] = '\0';
	if (!note_id(l, key, ports, place->entry != NULL && !scan ? place->entry->id : NULL,
		     out->ids[n]))
		return LYA_ENOMEM;
	if (key->type != LYA_FINDING_EXCEPTION_EXPIRED &&
	    !note_id(l, key, NULL, place->pair != NULL ? place->pair->scan_id : NULL,
		     out->scan_ids[n]))
		return LYA_ENOMEM;
	out->n++;
	return LYA_OK;
}

static bool row_has_port(const struct lya_ledger *l, int rule, uint16_t port)
{
	const struct lya_port_range *list;
	size_t n;

	if (l->rules->list[rule].any_port)
		return false;
	list = lya_policy_ports(l->policy, (size_t)rule, &n);
	for (size_t i = 0; i < n; i++) {
		if (port >= list[i].first && port <= list[i].last)
			return true;
	}
	return false;
}

/* The documented range that holds the VIP's port: relay ports differ in every call. */
static struct lya_port_range media_ports(const struct lya_ledger *l, struct pair_key *key,
					 const struct lya_verdict *v, uint16_t iport,
					 uint16_t rport)
{
	bool vip_opens = v->snat->proof.legs[0].server_port == iport && iport != rport;
	uint16_t port = vip_opens ? iport : rport;
	struct lya_port_range range = { port, port };

	key->source_port = vip_opens;
	for (size_t i = 0; i < l->rules->n && range.first == range.last; i++) {
		const struct lya_rule *r = &l->rules->list[i];

		if (!r->statement && r->port_of == LYA_PORT_EITHER &&
		    ((r->from.named | r->to.named) & LYA_ROLE_BIT(LYA_ROLE_EDGE_AV)) != 0)
			range = name_ports(l->policy, (int)i, port, port);
	}
	return range;
}

/*
 * The ports that a finding stands for: the documented range where a row
 * matches, and for the A/V Edge, whose relay ports differ in every call; the
 * initiator's port where the service sits there (a listener that opens flows
 * itself, towards ports that differ each time); else the responder's.
 */
static struct lya_port_range finding_ports(const struct lya_ledger *l, struct pair_key *key,
					   const struct lya_flow *flow, const struct lya_verdict *v)
{
	uint16_t iport = flow->port[v->initiator], rport = flow->port[!v->initiator];

	if (v->kind == LYA_VERDICT_DOCUMENTED && v->n_rules > 0)
		return name_ports(l->policy, v->rules[0], iport, rport);
	if (key->type == LYA_FINDING_AV_EDGE_SNAT && v->snat != NULL && v->snat->media_port)
		return media_ports(l, key, v, iport, rport);
	if (key->type == LYA_FINDING_AV_EDGE_SNAT)
		return name_ports(l->policy, v->nearest, iport, rport);
	if (v->but == LYA_BUT_DIRECTION && v->nearest >= 0 && row_has_port(l, v->nearest, iport) &&
	    !row_has_port(l, v->nearest, rport)) {
		key->source_port = 1;
		return (struct lya_port_range){ iport, iport };
	}
	return (struct lya_port_range){ rport, rport };
}

/* False: all of the flow counts in other periods. */
static bool counts_here(const struct lya_flow *flow)
{
	return flow->before.packets == 0 || lya_flow_share(flow).packets != 0;
}

static int raise_finding(struct lya_ledger *l, const struct pair_key *key,
			 struct lya_port_range ports, const struct lya_flow *flow,
			 const struct lya_policy_end ends[static 2], const struct lya_verdict *v,
			 struct lya_flow_findings *out)
{
	enum lya_finding_type type = (enum lya_finding_type)key->type;
	struct fold_place place = { 0 };
	int rc = LYA_OK;

	if (counts_here(flow))
		rc = folds_add(&l->folds, key, (uint8_t)severity_gravest(l->site, type), ports,
			       flow, ends, v, &place);

	if (rc == LYA_OK && out != NULL)
		rc = note_ids(l, key, &ports, &place, out);
	if (rc != LYA_OK || !place.made || l->options.on_new == NULL)
		return rc;
	place.entry->told = true;
	return tell_new(l, &place);
}

static struct pair_key key_of(const struct lya_ledger *l, enum lya_finding_type type,
			      const struct lya_flow *flow,
			      const struct lya_policy_end ends[static 2],
			      const struct lya_verdict *v)
{
	const struct lya_policy_end *from = &ends[v->initiator], *to = &ends[!v->initiator];
	struct pair_key key;

	memset(&key, 0, sizeof(key));
	key.type = (uint8_t)type;
	key.transport = flow->transport;
	key.host[0] = from->host;
	key.host[1] = to->host;
	key.role[0] = (uint8_t)name_role(l->policy, from, v, true);
	key.role[1] = (uint8_t)name_role(l->policy, to, v, false);
	return key;
}

static int raise_flow(struct lya_ledger *l, enum lya_finding_type type, const struct lya_flow *flow,
		      const struct lya_policy_end ends[static 2], const struct lya_verdict *v,
		      struct lya_flow_findings *out)
{
	struct pair_key key = key_of(l, type, flow, ends, v);
	struct lya_port_range ports;

	ports = finding_ports(l, &key, flow, v);
	return raise_finding(l, &key, ports, flow, ends, v, out);
}

/* A finding of all ports and either transport between these ends. */
static int raise_any_port(struct lya_ledger *l, struct pair_key *key, const struct lya_flow *flow,
			  const struct lya_policy_end ends[static 2], const struct lya_verdict *v,
			  struct lya_flow_findings *out)
{
	key->transport = 0;
	return raise_finding(l, key, (struct lya_port_range){ 0, UINT16_MAX }, flow, ends, v, out);
}

/* Told from the Edge's side, whoever opened the flow, and of all whom it talks with. */
static int raise_address(struct lya_ledger *l, unsigned side, const struct lya_flow *flow,
			 const struct lya_policy_end ends[static 2], struct lya_verdict about,
			 struct lya_flow_findings *out)
{
	bool vip = (ends[side].roles & LYA_ROLE_BIT(LYA_ROLE_EDGE_AV_VIP)) != 0;
	struct pair_key key;

	about.initiator = (uint8_t)side;
	key = key_of(l, LYA_FINDING_EDGE_PRIVATE_ADDRESS, flow, ends, &about);
	key.role[0] = vip ? LYA_ROLE_EDGE_AV_VIP : LYA_ROLE_EDGE_AV;
	key.role[1] = LYA_ROLE_EXTERNAL;
	key.host[1] = -1;
	return raise_any_port(l, &key, flow, ends, &about, out);
}

/* What a flow shows whatever its verdict; the rows it was judged by are another matter. */
static int raise_misplaced(struct lya_ledger *l, const struct lya_flow *flow,
			   const struct lya_policy_end ends[static 2], const struct lya_verdict *v,
			   struct lya_flow_findings *out)
{
	uint16_t port = flow->port[!v->initiator];
	struct lya_verdict about = *v;
	struct pair_key key;
	int server = misplaced_server(l->policy, flow, ends, v);
	int private_side = misplaced_address(l->policy, flow, ends, v);
	int rc = LYA_OK;

	about.n_rules = 0;
	about.nearest = about.mixup = -1;
	about.expired = -1;
	if (misplaced_route(flow, ends, v)) {
		key = key_of(l, LYA_FINDING_EDGE_ROUTING, flow, ends, v);
		rc = raise_any_port(l, &key, flow, ends, &about, out);
	}
	if (rc == LYA_OK && private_side >= 0)
		rc = raise_address(l, (unsigned)private_side, flow, ends, about, out);
	if (rc == LYA_OK && server >= 0) {
		about.rules[about.n_rules++] = (int16_t)server;
		key = key_of(l, LYA_FINDING_UNDECLARED_SERVER, flow, ends, v);
		rc = raise_finding(l, &key, (struct lya_port_range){ port, port }, flow, ends,
				   &about, out);
	}
	return rc;
}

/* What the flow is found to show of address rewriting, besides its own verdict. */
static int raise_snat(struct lya_ledger *l, const struct lya_flow *flow,
		      const struct lya_policy_end ends[static 2], const struct lya_verdict *v,
		      struct lya_flow_findings *out)
{
	int rc = LYA_OK;

	if (v->snat->kinds != 0 && v->finding != LYA_FINDING_AV_EDGE_SNAT)
		rc = raise_flow(l, LYA_FINDING_AV_EDGE_SNAT, flow, ends, v, out);
	if (rc == LYA_OK && v->snat->relay.faults != 0)
		rc = raise_flow(l, LYA_FINDING_AV_EDGE_RELAY, flow, ends, v, out);
	return rc;
}

static int raise_expired(struct lya_ledger *l, const struct lya_flow *flow,
			 const struct lya_policy_end ends[static 2], const struct lya_verdict *v,
			 struct lya_flow_findings *out)
{
	struct pair_key key;

	memset(&key, 0, sizeof(key));
	key.type = LYA_FINDING_EXCEPTION_EXPIRED;
	key.host[0] = v->expired;
	key.host[1] = -1;
	key.role[0] = key.role[1] = PAIR_NO_ROLE;
	l->expired[v->expired] = l->expired[v->expired] || counts_here(flow);
	return raise_finding(l, &key, (struct lya_port_range){ 0, UINT16_MAX }, flow, ends, v, out);
}

static void count(struct lya_ledger *l, const struct lya_flow *flow,
		  const struct lya_policy_end ends[static 2], const struct lya_verdict *v)
{
	struct lya_flow_sum share = lya_flow_share(flow);
	bool probe = v->leg == LYA_LEG_PROBE;

	l->counts.flows++;
	l->counts.packets += share.packets;
	l->counts.bytes += share.bytes;
	l->counts.verdicts[v->kind]++;
	l->counts.probes += probe;
	l->counts.av_probes +=
	    probe && (ends[!v->initiator].roles & LYA_ROLE_BIT(LYA_ROLE_EDGE_AV)) != 0;
	l->counts.mutual[v->payload.mutual]++;
	if (v->kind == LYA_VERDICT_WAIVED && v->exception >= 0)
		l->waived[v->exception]++;
}

static int take_sums(struct lya_ledger *l, const struct lya_flow *flow,
		     const struct lya_policy_end ends[static 2], const struct lya_verdict *v)
{
	int rc;

	count(l, flow, ends, v);
	coverage_take(&l->coverage, flow, ends, v);
	rc = matrix_take(&l->matrix, l->policy, flow, ends, v);
	return rc == LYA_OK ? overall_take(&l->overall, l->policy, flow, ends, v) : rc;
}

int lya_ledger_take(struct lya_ledger *l, const struct lya_flow *flow,
		    const struct lya_policy_end ends[static 2], const struct lya_verdict *v,
		    struct lya_flow_findings *out)
{
	int rc;

	if (out != NULL)
		out->n = 0;
	rc = counts_here(flow) ? take_sums(l, flow, ends, v) : LYA_OK;
	if (rc == LYA_OK && v->finding != LYA_FINDING_NONE)
		rc = raise_flow(l, (enum lya_finding_type)v->finding, flow, ends, v, out);
	if (rc == LYA_OK && v->snat != NULL)
		rc = raise_snat(l, flow, ends, v, out);
	if (rc == LYA_OK && v->feature_off && v->finding != LYA_FINDING_FEATURE_NOT_DEPLOYED)
		rc = raise_flow(l, LYA_FINDING_FEATURE_NOT_DEPLOYED, flow, ends, v, out);
	if (rc == LYA_OK && v->payload.finding != LYA_FINDING_NONE)
		rc = raise_flow(l, (enum lya_finding_type)v->payload.finding, flow, ends, v, out);
	if (rc == LYA_OK)
		rc = raise_misplaced(l, flow, ends, v, out);
	if (rc == LYA_OK && v->payload.shown != 0)
		rc = raise_flow(l, LYA_FINDING_IDENTITY_MISMATCH, flow, ends, v, out);
	if (rc == LYA_OK && v->expired >= 0)
		rc = raise_expired(l, flow, ends, v, out);
	return rc;
}

bool lya_finding_concerns(const struct lya_policy *p, const struct lya_flow *flow,
			  const struct lya_policy_end ends[static 2], const struct lya_verdict *v)
{
	return v->finding != LYA_FINDING_NONE || v->feature_off || v->expired >= 0 ||
	       v->payload.finding != LYA_FINDING_NONE || v->payload.shown != 0 ||
	       (v->snat != NULL && (v->snat->kinds | v->snat->relay.faults) != 0) ||
	       misplaced_route(flow, ends, v) || misplaced_server(p, flow, ends, v) >= 0 ||
	       misplaced_address(p, flow, ends, v) >= 0 ||
	       overall_shows(p, flow, ends, v);
}

/* Former hosts and waivers have other indices here: their names know them. */
static int merge_packed(struct lya_ledger *l, const struct lya_ledger *from)
{
	struct lya_pack pack = { 0 };
	int rc = lya_ledger_pack(from, &pack);

	if (rc == LYA_OK)
		rc = lya_ledger_unpack(l, pack.data, pack.len, NULL, 0, NULL);
	lya_pack_fini(&pack);
	return rc;
}

int lya_ledger_merge(struct lya_ledger *l, const struct lya_ledger *from)
{
	int rc;

	if (!former_is_empty(&from->former))
		return merge_packed(l, from);
	l->counts.flows += from->counts.flows;
	l->counts.packets += from->counts.packets;
	l->counts.bytes += from->counts.bytes;
	l->counts.probes += from->counts.probes;
	l->counts.av_probes += from->counts.av_probes;
	for (size_t i = 0; i < LYA_VERDICTS; i++)
		l->counts.verdicts[i] += from->counts.verdicts[i];
	for (size_t i = 0; i < LYA_MUTUALS; i++)
		l->counts.mutual[i] += from->counts.mutual[i];
	for (size_t i = 0; i < l->site->n_exceptions; i++) {
		l->waived[i] += from->waived[i];
		l->expired[i] = l->expired[i] || from->expired[i];
	}
	coverage_merge(&l->coverage, &from->coverage);
	rc = matrix_merge(&l->matrix, &from->matrix);
	if (rc == LYA_OK)
		rc = overall_merge(&l->overall, &from->overall);
	return rc == LYA_OK ? folds_merge(&l->folds, &from->folds) : rc;
}

int64_t ledger_watched_ns(const struct lya_ledger *l)
{
	uint64_t span_ns;

	if (l->end.last_ns == LYA_TIME_NONE || l->end.last_ns < l->end.first_ns)
		return 0;
	span_ns = (uint64_t)l->end.last_ns - (uint64_t)l->end.first_ns;
	return span_ns > l->end.unseen_ns && span_ns - l->end.unseen_ns <= INT64_MAX
		       ? (int64_t)(span_ns - l->end.unseen_ns)
		       : 0;
}

static int by_id(const void *pa, const void *pb)
{
	return strcmp(((const struct lya_finding *)pa)->id, ((const struct lya_finding *)pb)->id);
}

static int by_severity(const void *pa, const void *pb)
{
	const struct lya_finding *a = pa, *b = pb;

	if (a->severity != b->severity)
		return a->severity < b->severity ? -1 : 1;
	return strcmp(a->id, b->id);
}

/* Show 8 digits, but 12 of the later ones where two have the same 8. */
static void shorten_ids(struct lya_finding *list, size_t n)
{
	enum { SHORT = 2 + 8 };

	if (n > 0)
		qsort(list, n, sizeof(*list), by_id);
	for (size_t i = n; i-- > 0;) {
		if (i == 0 || strncmp(list[i].id, list[i - 1].id, SHORT) != 0)
			list[i].id[SHORT] = '\0';
	}
}

static int build_all(struct lya_ledger *l)
{
	size_t cap;
	int rc = attempts_finish(&l->overall.attempts, l->site, &l->end, &l->folds);

	if (rc != LYA_OK)
		return rc;
	cap = folds_count(&l->folds) + 1;
	l->findings = lya_calloc(cap, sizeof(*l->findings));
	if (l->findings == NULL)
		return LYA_ENOMEM;
	for (size_t i = 0; i < l->folds.n; i++) {
		const struct pair *p = l->folds.heap[i];
		size_t n = p->scan != NULL ? 1 : p->n_entries;

		for (size_t k = 0; k < n; k++) {
			const struct entry *e = p->scan != NULL ? p->scan : p->entries[k];

			if (!build_finding(l, p, e, &l->findings[l->n_findings++]))
				return LYA_ENOMEM;
		}
	}
	rc = overall_findings(l, &l->findings, &l->n_findings, &cap);
	return rc == LYA_OK ? deployment_findings(l, &l->findings, &l->n_findings, &cap) : rc;
}

/* What the end alone could tell. */
static int tell_late(const struct lya_ledger *l)
{
	int rc = LYA_OK;

	for (size_t i = 0; i < l->n_findings && rc == LYA_OK && l->options.on_new != NULL; i++) {
		if (!l->findings[i].told)
			rc = l->options.on_new(l->options.ctx, &l->findings[i]);
	}
	return rc;
}

int lya_ledger_finish(struct lya_ledger *l, const struct lya_ledger_end *end, struct lya_error *err)
{
	l->end = *end;
	if (build_all(l) != LYA_OK || deployment_waivers(l) != LYA_OK ||
	    matrix_finish(&l->matrix) != LYA_OK)
		return lya_error_nomem(err);
	shorten_ids(l->findings, l->n_findings);
	if (l->n_findings > 0)
		qsort(l->findings, l->n_findings, sizeof(*l->findings), by_severity);
	for (size_t i = 0; i < l->n_findings; i++)
		l->counts.findings[l->findings[i].severity]++;
	if (edge_finish(l) != LYA_OK)
		return lya_error_nomem(err);
	folds_dropped(&l->folds, &l->counts.folded_findings, &l->counts.folded_flows);
	coverage_finish(&l->coverage, l->policy);
	l->end.sources = NULL; /* they were lent */
	l->end.n_sources = 0;
	return tell_late(l);
}

const struct lya_finding *lya_ledger_findings(const struct lya_ledger *l, size_t *n)
{
	*n = l->n_findings;
	return l->findings;
}

void lya_ledger_counts(const struct lya_ledger *l, struct lya_ledger_counts *out)
{
	*out = l->counts;
}

const struct lya_coverage *lya_ledger_coverage(const struct lya_ledger *l, size_t *n)
{
	*n = l->coverage.n;
	return l->coverage.list;
}

const struct lya_matrix_row *lya_ledger_matrix(const struct lya_ledger *l, size_t *n)
{
	*n = l->matrix.n_rows;
	return l->matrix.rows;
}

const struct lya_waiver *lya_ledger_waivers(const struct lya_ledger *l, size_t *n)
{
	*n = l->n_waivers;
	return l->waivers;
}

const struct lya_edge_pool *lya_ledger_edge_pools(const struct lya_ledger *l, size_t *n)
{
	*n = l->n_edge_pools;
	return l->edge_pools;
}

const struct lya_edge_stray *lya_ledger_edge_strays(const struct lya_ledger *l, size_t *n)
{
	*n = l->n_edge_strays;
	return l->edge_strays;
}

bool lya_ledger_saw_host(const struct lya_ledger *l, size_t host)
{
	return l->overall.hosts[host];
}
