/*
 * entry.c - the sums of one finding.  Adding and merging commute: sums, least,
 * greatest, and the least few by content.
 */
#include "finding/ledger.h"

#include <string.h>

#include "lyncaudit/alloc.h"

/* Where strangers are meant to arrive. */
static const lya_roles OUTER_ROLES =
    LYA_ROLE_BIT(LYA_ROLE_EDGE_ACCESS) | LYA_ROLE_BIT(LYA_ROLE_EDGE_WEBCONF) |
    LYA_ROLE_BIT(LYA_ROLE_EDGE_AV) | LYA_ROLE_BIT(LYA_ROLE_EDGE_ACCESS_VIP) |
    LYA_ROLE_BIT(LYA_ROLE_EDGE_WEBCONF_VIP) | LYA_ROLE_BIT(LYA_ROLE_EDGE_AV_VIP) |
    LYA_ROLE_BIT(LYA_ROLE_REVERSE_PROXY_EXTERNAL) | LYA_ROLE_BIT(LYA_ROLE_EXTERNAL);

struct entry *entry_new(struct lya_port_range ports)
{
	struct entry *e = lya_calloc(1, sizeof(*e));

	if (e == NULL)
		return NULL;
	e->ports = ports;
	e->first_ns = INT64_MAX;
	e->last_ns = INT64_MIN;
	e->basis = e->grade = UINT8_MAX;
	e->nearest = e->mixup = e->expired = e->shown = e->asked = INT32_MAX;
	e->icmp = UINT16_MAX;
	return e;
}

void entry_free(struct entry *e)
{
	if (e == NULL)
		return;
	crowd_fini(&e->crowds[0]);
	crowd_fini(&e->crowds[1]);
	lya_free(e->snat);
	lya_free(e->relay);
	lya_free(e);
}

/* The payload names the client, and the other side has spoken: whatever it was asked elsewhere. */
static bool server_spoke(const struct lya_flow *flow)
{
	int client = flow->app.client_side;

	return client >= 0 && flow->packets[!client] > 0;
}

bool flow_through(const struct lya_flow *flow)
{
	if (flow->transport == 17)
		return flow->answered || server_spoke(flow);
	return flow->state != LYA_STATE_ATTEMPTED && flow->state != LYA_STATE_REFUSED;
}

static void rule_add(struct entry *e, int32_t rule)
{
	size_t at = e->n_rules;

	for (size_t i = 0; i < e->n_rules; i++) {
		if (e->rules[i] == rule)
			return;
	}
	if (e->n_rules == LYA_FINDING_RULES) {
		if (rule > e->rules[at - 1])
			return;
		at--;
	} else {
		e->n_rules++;
	}
	for (; at > 0 && e->rules[at - 1] > rule; at--)
		e->rules[at] = e->rules[at - 1];
	e->rules[at] = rule;
}

static int sample_cmp(const struct lya_finding_sample *a, const struct lya_finding_sample *b)
{
	int cmp;

	if (a->first_ns != b->first_ns)
		return a->first_ns < b->first_ns ? -1 : 1;
	if ((cmp = lya_addr_cmp(&a->src, &b->src)) != 0)
		return cmp;
	if ((cmp = lya_addr_cmp(&a->dst, &b->dst)) != 0)
		return cmp;
	if (a->sport != b->sport)
		return a->sport < b->sport ? -1 : 1;
	if (a->dport != b->dport)
		return a->dport < b->dport ? -1 : 1;
	if (a->source != b->source)
		return a->source < b->source ? -1 : 1;
	return (a->packet > b->packet) - (a->packet < b->packet);
}

static void sample_add(struct entry *e, const struct lya_finding_sample *s)
{
	size_t at = e->n_samples;

	if (e->n_samples < LYA_FINDING_SAMPLES)
		e->n_samples++;
	else if (sample_cmp(s, &e->samples[at - 1]) >= 0)
		return;
	else
		at--;
	for (; at > 0 && sample_cmp(s, &e->samples[at - 1]) < 0; at--)
		e->samples[at] = e->samples[at - 1];
	e->samples[at] = *s;
}

static void sample_of(const struct lya_flow *flow, unsigned init, struct lya_finding_sample *s)
{
	*s = (struct lya_finding_sample){
		.src = flow->addr[init],
		.dst = flow->addr[!init],
		.sport = flow->port[init],
		.dport = flow->port[!init],
		.transport = flow->transport,
		.state = flow->state,
		.source = flow->source,
		.packet = flow->number,
		.first_ns = flow->first_ns,
	};
}

static bool is_about_payload(enum lya_finding_type type)
{
	return type == LYA_FINDING_CLEARTEXT || type == LYA_FINDING_PROTOCOL_MISMATCH;
}

/* What was spoken; and of a mismatch alone the first bytes, the opener's where it sent any. */
static void payload_add(struct entry *e, enum lya_finding_type type, const struct lya_flow *flow,
			unsigned init, struct lya_finding_sample *s)
{
	unsigned side = flow->app.prefix_len[init] > 0 ? init : !init;

	if (!is_about_payload(type))
		return;
	e->spoken |= UINT32_C(1) << flow->app.app;
	if (type != LYA_FINDING_PROTOCOL_MISMATCH)
		return;
	s->prefix_len = flow->app.prefix_len[side];
	memcpy(s->prefix, flow->app.prefix[side], s->prefix_len);
}

static void times_add(struct entry *e, int64_t first_ns, int64_t last_ns, uint8_t digits)
{
	if (first_ns < e->first_ns)
		e->first_ns = first_ns;
	if (last_ns > e->last_ns)
		e->last_ns = last_ns;
	if (digits > e->digits)
		e->digits = digits;
}

/* The best grade counts, and its best basis. */
static void basis_add(struct entry *e, uint8_t basis, uint8_t grade)
{
	if (grade < e->grade || (grade == e->grade && basis < e->basis)) {
		e->grade = grade;
		e->basis = basis;
	}
}

static void nearest_add(struct entry *e, int32_t nearest, uint8_t but)
{
	if (nearest < 0)
		return;
	if (nearest < e->nearest || (nearest == e->nearest && but < e->but)) {
		e->nearest = nearest;
		e->but = but;
	}
}

static void least_add(int32_t *least, int32_t n)
{
	if (n >= 0 && n < *least)
		*least = n;
}

static void icmp_add(struct entry *e, uint16_t icmp)
{
	if (icmp < e->icmp)
		e->icmp = icmp;
}

static uint64_t hash_of_flow(const struct lya_flow *flow)
{
	struct {
		struct lya_addr addr[2];
		uint16_t port[2];
		uint8_t transport;
		int64_t first_ns;
	} key;

	memset(&key, 0, sizeof(key));
	memcpy(key.addr, flow->addr, sizeof(key.addr));
	memcpy(key.port, flow->port, sizeof(key.port));
	key.transport = flow->transport;
	key.first_ns = flow->first_ns;
	return finding_hash(&key, sizeof(key));
}

static void facts_add(struct entry *e, const struct lya_flow *flow,
		      const struct lya_policy_end ends[static 2], const struct lya_verdict *v)
{
	lya_roles external = LYA_ROLE_BIT(LYA_ROLE_EXTERNAL);
	const struct lya_policy_end *from = &ends[v->initiator], *to = &ends[!v->initiator];
	struct lya_flow_sum share = lya_flow_share(flow);
	bool through = flow_through(flow);

	e->flows++;
	e->packets += share.packets;
	e->bytes += share.bytes;
	e->through += through;
	e->refused += flow->transport == 6 && flow->state == LYA_STATE_REFUSED;
	e->attempted += !through && !(flow->transport == 6 && flow->state == LYA_STATE_REFUSED);
	e->external = e->external || ((from->roles | to->roles) & external) != 0;
	e->intrusion =
	    e->intrusion || ((from->roles & external) != 0 && (to->roles & OUTER_ROLES) == 0);
	e->proven = e->proven || v->av_proven;
	e->av_internal = e->av_internal || v->av_internal;
	if (flow->icmp_error && !through)
		icmp_add(e, (uint16_t)(flow->icmp_type << 8 | flow->icmp_code));
}

static int snat_add(struct entry *e, const struct lya_snat_proof *proof)
{
	if (e->snat == NULL)
		e->snat = lya_calloc(1, sizeof(*e->snat));
	if (e->snat == NULL)
		return LYA_ENOMEM;
	(void)lya_snat_merge_proof(e->snat, proof);
	return LYA_OK;
}

static int relay_add(struct entry *e, const struct lya_snat_relay *relay)
{
	if (e->relay == NULL)
		e->relay = lya_calloc(1, sizeof(*e->relay));
	if (e->relay == NULL)
		return LYA_ENOMEM;
	(void)lya_snat_merge_relay(e->relay, relay);
	return LYA_OK;
}

static int evidence_add(struct entry *e, enum lya_finding_type type,
			const struct lya_snat_evidence *evidence)
{
	if (type == LYA_FINDING_AV_EDGE_RELAY)
		return relay_add(e, &evidence->relay);
	if (type != LYA_FINDING_AV_EDGE_SNAT || evidence->kinds == 0)
		return LYA_OK;
	e->snat_kinds = (uint16_t)(e->snat_kinds | evidence->kinds);
	return snat_add(e, &evidence->proof);
}

int entry_add(struct entry *e, enum lya_finding_type type, const struct lya_flow *flow,
	      const struct lya_policy_end ends[static 2], const struct lya_verdict *v)
{
	struct lya_finding_sample sample;
	uint64_t hash = hash_of_flow(flow);
	int rc;

	facts_add(e, flow, ends, v);
	times_add(e, lya_flow_first_ns(flow), lya_flow_last_ns(flow), flow->digits);
	basis_add(e, v->basis, v->grade);
	nearest_add(e, v->nearest, v->but);
	least_add(&e->mixup, v->mixup);
	least_add(&e->expired, v->expired);
	least_add(&e->shown, v->payload.shown - 1);
	least_add(&e->asked, -v->payload.shown - 1);
	for (size_t i = 0; i < v->n_rules && i < LYA_VERDICT_RULES_MAX; i++)
		rule_add(e, v->rules[i]);
	sample_of(flow, v->initiator, &sample);
	payload_add(e, type, flow, v->initiator, &sample);
	sample_add(e, &sample);
	rc = v->snat != NULL ? evidence_add(e, type, v->snat) : LYA_OK;
	if (rc == LYA_OK)
		rc = crowd_add(&e->crowds[0], &flow->addr[v->initiator], hash);
	if (rc == LYA_OK)
		rc = crowd_add(&e->crowds[1], &flow->addr[!v->initiator], hash);
	return rc;
}

int entry_merge(struct entry *e, const struct entry *from)
{
	int rc;

	e->flows += from->flows;
	e->packets += from->packets;
	e->bytes += from->bytes;
	e->through += from->through;
	e->attempted += from->attempted;
	e->refused += from->refused;
	e->external = e->external || from->external;
	e->intrusion = e->intrusion || from->intrusion;
	e->proven = e->proven || from->proven;
	e->av_internal = e->av_internal || from->av_internal;
	e->spoken |= from->spoken;
	icmp_add(e, from->icmp);
	times_add(e, from->first_ns, from->last_ns, from->digits);
	basis_add(e, from->basis, from->grade);
	if (from->nearest != INT32_MAX)
		nearest_add(e, from->nearest, from->but);
	least_add(&e->mixup, from->mixup);
	least_add(&e->expired, from->expired);
	least_add(&e->shown, from->shown);
	least_add(&e->asked, from->asked);
	for (size_t i = 0; i < from->n_rules; i++)
		rule_add(e, from->rules[i]);
	for (size_t i = 0; i < from->n_samples; i++)
		sample_add(e, &from->samples[i]);
	e->snat_kinds = (uint16_t)(e->snat_kinds | from->snat_kinds);
	rc = from->snat != NULL ? snat_add(e, from->snat) : LYA_OK;
	if (rc == LYA_OK && from->relay != NULL)
		rc = relay_add(e, from->relay);
	if (rc == LYA_OK)
		rc = crowd_merge(&e->crowds[0], &from->crowds[0]);
	if (rc == LYA_OK)
		rc = crowd_merge(&e->crowds[1], &from->crowds[1]);
	return rc;
}
