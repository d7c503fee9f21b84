/*
 * build.c - a finding as the report shows it, from its sums.
 */
#include "finding/ledger.h"

#include <string.h>

#include "lyncaudit/alloc.h"

void finding_fini(struct lya_finding *f)
{
	lya_free(f->ports);
	lya_free(f->what);
	lya_free(f->why);
	lya_free(f->fix);
}

static void build_end(const struct lya_ledger *l, const struct pair_key *key, const struct entry *e,
		      unsigned end, struct lya_finding_end *out)
{
	if (key->type != LYA_FINDING_EXCEPTION_EXPIRED) {
		out->given = true;
		out->role = (enum lya_role)key->role[end];
		if (key->host[end] >= 0)
			out->host = ledger_host_name(l, key->host[end]);
	}
	crowd_read(&e->crowds[end], out);
}

static bool has_port(const uint64_t *words, unsigned port)
{
	return (words[port / 64] >> (port % 64) & 1) != 0;
}

/* The set bits of a scan as ranges; out NULL: how many. */
static size_t scan_ranges(const uint64_t *words, struct lya_port_range *out)
{
	size_t n = 0;

	for (unsigned port = 0; port <= UINT16_MAX; port++) {
		if (!has_port(words, port))
			continue;
		n += port == 0 || !has_port(words, port - 1);
		if (out == NULL)
			continue;
		if (port == 0 || !has_port(words, port - 1))
			out[n - 1].first = (uint16_t)port;
		out[n - 1].last = (uint16_t)port;
	}
	return n;
}

static bool build_ports(const struct lya_ledger *l, const struct pair *pair, const struct entry *e,
			struct lya_finding *out)
{
	const struct lya_exception *ex;

	if (pair->key.type == LYA_FINDING_EXCEPTION_EXPIRED) {
		ex = &l->site->exceptions[pair->key.host[0]];
		out->n_ports = ex->n_ports;
	} else if (pair->key.type == LYA_FINDING_EDGE_ROUTING ||
		   pair->key.type == LYA_FINDING_GATEWAY_MISMATCH ||
		   pair->key.type == LYA_FINDING_EDGE_PRIVATE_ADDRESS) {
		return true; /* a route or an address, whatever port it is used for */
	} else {
		ex = NULL;
		out->n_ports = pair->scan == e ? scan_ranges(pair->ports, NULL) : 1;
	}
	out->ports = lya_calloc(out->n_ports + 1, sizeof(*out->ports));
	if (out->ports == NULL)
		return false;
	if (ex != NULL)
		memcpy(out->ports, ex->ports, ex->n_ports * sizeof(*ex->ports));
	else if (pair->scan == e)
		(void)scan_ranges(pair->ports, out->ports);
	else
		out->ports[0] = e->ports;
	return true;
}

static void build_sums(const struct entry *e, struct lya_finding *out)
{
	out->flows = e->flows;
	out->packets = e->packets;
	out->bytes = e->bytes;
	out->through = e->through;
	out->attempted = e->attempted;
	out->refused = e->refused;
	out->first_ns = e->first_ns;
	out->last_ns = e->last_ns;
	out->digits = e->digits;
	out->told = e->told;
	out->has_basis = true;
	out->basis = (enum lya_basis)e->basis;
	out->grade = (enum lya_grade)e->grade;
	out->n_samples = e->n_samples;
	memcpy(out->samples, e->samples, e->n_samples * sizeof(e->samples[0]));
}

/* What was spoken, and how it began. */
static void build_payload(const struct entry *e, struct lya_finding *out)
{
	out->spoken = e->spoken;
	for (size_t i = 0; i < e->n_samples && out->prefix_len == 0; i++) {
		out->prefix = e->samples[i].prefix;
		out->prefix_len = e->samples[i].prefix_len;
	}
}

/* Nearest row, mix-up, expired exception, and every row that is cited. */
static void build_rows(const struct entry *e, struct lya_finding *out)
{
	out->nearest = e->nearest != INT32_MAX ? e->nearest : -1;
	out->but = out->nearest >= 0 ? (enum lya_but)e->but : LYA_BUT_NOTHING;
	out->mixup = e->mixup != INT32_MAX ? e->mixup : -1;
	out->exception = e->expired != INT32_MAX ? e->expired : -1;
	out->icmp = e->icmp;
	out->answered_by_icmp = e->icmp != UINT16_MAX;
	for (size_t i = 0; i < e->n_rules; i++)
		out->rules[out->n_rules++] = e->rules[i];
	if (out->n_rules == 0 && out->nearest >= 0)
		out->rules[out->n_rules++] = out->nearest;
}

/* The statement that a finding of this type breaks is cited among its rows. */
static void build_statement(const struct lya_ledger *l, const char *id, struct lya_finding *out)
{
	const struct lya_rule *rule = lya_rules_find(l->rules, id);
	size_t at = out->n_rules;
	int index;

	if (rule == NULL || at == LYA_FINDING_RULES)
		return;
	index = (int)(rule - l->rules->list);
	out->statement = id;
	for (; at > 0 && out->rules[at - 1] > index; at--)
		out->rules[at] = out->rules[at - 1];
	out->rules[at] = index;
	out->n_rules++;
}

/* Messages and presence go through the front-end, never from client to client. */
static bool is_im_between_clients(const struct lya_finding *f)
{
	return f->kind == LYA_FINDING_PROTOCOL_MISMATCH &&
	       (f->spoken & UINT32_C(1) << LYA_APP_SIP) != 0 &&
	       f->initiator.role == LYA_ROLE_CLIENT && f->responder.role == LYA_ROLE_CLIENT;
}

/* What prose a route breaks: the gateway is wrong, or a route is missing. */
static const char *route_statement(const struct pair_key *key)
{
	bool inside =
	    key->role[0] == LYA_ROLE_EDGE_INTERNAL || key->role[1] == LYA_ROLE_EDGE_INTERNAL;

	return inside ? "edge.p.access-vip-gateway" : "edge.p.internal-routed";
}

static const char *snat_statement(uint16_t kinds)
{
	return kinds == LYA_SNAT_STICKY_VIP ? "edge.p.av-client-to-server" : "edge.p.av-no-snat";
}

/* A certificate says more than what clients ask for. */
static void build_identity(const struct lya_ledger *l, const struct entry *e,
			   struct lya_finding *out)
{
	if (e->shown != INT32_MAX)
		out->shown = ledger_host_name(l, e->shown);
	else if (e->asked != INT32_MAX)
		out->asked = ledger_host_name(l, e->asked);
}

bool build_finding(const struct lya_ledger *l, const struct pair *pair, const struct entry *e,
		   struct lya_finding *out)
{
	enum lya_finding_type kind = (enum lya_finding_type)pair->key.type;

	*out = (struct lya_finding){ .kind = kind, .type = lya_finding_type_name(kind) };
	out->severity = severity_of(l->site, kind, out->type, e);
	out->transport = pair->key.transport;
	out->source_port = pair->key.source_port != 0;
	identify_pair(l, &pair->key, pair->scan == e ? NULL : &e->ports, out->id);
	build_end(l, &pair->key, e, 0, &out->initiator);
	build_end(l, &pair->key, e, 1, &out->responder);
	build_sums(e, out);
	build_payload(e, out);
	if (kind == LYA_FINDING_IDENTITY_MISMATCH)
		build_identity(l, e, out);
	build_rows(e, out);
	if (is_im_between_clients(out))
		build_statement(l, "internal.p.im-via-front-end", out);
	if (kind == LYA_FINDING_AV_EDGE_SNAT) {
		out->level = e->proven ? "proven" : "observed";
		out->snat_kinds = e->snat_kinds;
		out->snat = e->snat;
		build_statement(l, snat_statement(e->snat_kinds), out);
	} else if (kind == LYA_FINDING_AV_EDGE_RELAY) {
		out->relay = e->relay;
		build_statement(l, "edge.p.av-real-address", out);
	} else if (kind == LYA_FINDING_SIP_ONE_WAY) {
		build_statement(l, "edge.p.sip-both-ways", out);
	} else if (kind == LYA_FINDING_EDGE_ROUTING) {
		build_statement(l, route_statement(&pair->key), out);
	} else if (kind == LYA_FINDING_GATEWAY_MISMATCH) {
		out->gateway = e->gateway;
		build_statement(l, "edge.p.access-vip-gateway", out);
	} else if (kind == LYA_FINDING_EDGE_PRIVATE_ADDRESS) {
		build_statement(l, "edge.p.av-firewall-keeps-address", out);
	}
	return out->id[0] != '\0' && build_ports(l, pair, e, out) && sentence_write(l, out);
}
