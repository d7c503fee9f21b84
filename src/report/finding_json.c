/*
 * finding_json.c - one finding as an object: in the report, and on a line of
 * its own as it is found.
 */
#include "report/report.h"

#include <stdio.h>

#include "lyncaudit/digest.h"

static void ports(struct lya_json_writer *w, const struct lya_policy *policy,
		  const struct lya_finding *f)
{
	char text[12];

	lya_jw_key(w, "ports");
	lya_jw_flat(w);
	lya_jw_array_open(w);
	for (size_t i = 0; i < f->n_ports; i++) {
		lya_port_range_format(&f->ports[i], text);
		lya_jw_string(w, text);
	}
	if (f->n_ports == 0 && f->exception >= 0 &&
	    lya_policy_site(policy)->exceptions[f->exception].any_port)
		lya_jw_string(w, "any");
	lya_jw_array_close(w);
}

static void addresses(struct lya_json_writer *w, const struct lya_finding_end *end)
{
	lya_jw_key(w, "addresses");
	lya_jw_array_open(w);
	for (size_t i = 0; i < end->n_busiest; i++) {
		lya_jw_object_open(w);
		report_address(w, "address", &end->busiest[i].addr);
		lya_jw_member_uint(w, "flows", end->busiest[i].flows);
		lya_jw_member_bool(w, "estimated", end->busiest[i].estimated);
		lya_jw_object_close(w);
	}
	lya_jw_array_close(w);
	lya_jw_member_uint(w, "distinct", end->distinct);
	lya_jw_member_bool(w, "distinct_estimated", end->distinct_estimated);
}

/* An end that is one address says no more; of several it lists the busiest. */
static void end_of(struct lya_json_writer *w, const char *name, const struct lya_finding_end *end)
{
	lya_jw_key(w, name);
	if (!end->given) {
		lya_jw_null(w);
		return;
	}
	lya_jw_flat(w);
	lya_jw_object_open(w);
	lya_jw_member_string(w, "role", report_role(end->role));
	lya_jw_member_string(w, "host", end->host);
	report_address(w, "address", &end->address);
	if (end->address.family == 0)
		addresses(w, end);
	lya_jw_object_close(w);
}

static void nearest(struct lya_json_writer *w, const struct lya_rules *rules,
		    const struct lya_finding *f)
{
	lya_jw_key(w, "nearest");
	if (f->nearest < 0) {
		lya_jw_null(w);
		return;
	}
	lya_jw_flat(w);
	lya_jw_object_open(w);
	lya_jw_member_string(w, "rule", rules->list[f->nearest].id);
	lya_jw_member_string(w, "but", lya_but_name(f->but));
	lya_jw_object_close(w);
}

static void cited(struct lya_json_writer *w, const struct lya_rules *rules,
		  const struct lya_finding *f)
{
	lya_jw_key(w, "rules");
	lya_jw_flat(w);
	lya_jw_array_open(w);
	for (size_t i = 0; i < f->n_rules; i++)
		lya_jw_string(w, rules->list[f->rules[i]].id);
	lya_jw_array_close(w);
}

static void sample(struct lya_json_writer *w, const struct lya_source *sources, size_t n_sources,
		   const struct lya_finding_sample *s)
{
	char id[LYA_COMMUNITY_ID];

	lya_community_id(&s->src, s->sport, &s->dst, s->dport, s->transport, id);
	lya_jw_flat(w);
	lya_jw_object_open(w);
	report_address(w, "src", &s->src);
	lya_jw_member_uint(w, "sport", s->sport);
	report_address(w, "dst", &s->dst);
	lya_jw_member_uint(w, "dport", s->dport);
	lya_jw_member_string(w, "transport", report_transport(s->transport));
	lya_jw_member_string(w, "state", lya_flow_state_name((enum lya_flow_state)s->state));
	lya_jw_member_string(w, "community_id", id);
	lya_jw_member_string(w, "source", s->source < n_sources ? sources[s->source].name : NULL);
	lya_jw_member_uint(w, "packet", s->packet);
	lya_jw_object_close(w);
}

static void samples(struct lya_json_writer *w, const struct lya_source *sources, size_t n_sources,
		    const struct lya_finding *f)
{
	lya_jw_key(w, "samples");
	lya_jw_array_open(w);
	for (size_t i = 0; i < f->n_samples; i++)
		sample(w, sources, n_sources, &f->samples[i]);
	lya_jw_array_close(w);
}

/* What was recognised, by the names of the flow log, and the first bytes of it. */
static void payload(struct lya_json_writer *w, const struct lya_finding *f)
{
	char hex[2 * LYA_APP_PREFIX + 1];

	lya_jw_key(w, "spoken");
	lya_jw_flat(w);
	lya_jw_array_open(w);
	for (unsigned app = 0; app < LYA_APP_COUNT; app++) {
		if ((f->spoken & UINT32_C(1) << app) != 0)
			lya_jw_string(w, lya_app_name((enum lya_app)app));
	}
	lya_jw_array_close(w);
	for (size_t i = 0; i < f->prefix_len; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", f->prefix[i]);
	lya_jw_member_string(w, "first_bytes", f->prefix_len > 0 ? hex : NULL);
}

static void kinds(struct lya_json_writer *w, uint16_t bits)
{
	lya_jw_key(w, "kinds");
	lya_jw_flat(w);
	lya_jw_array_open(w);
	for (unsigned i = 0; i < LYA_SNAT_KINDS; i++) {
		if ((bits >> i & 1) != 0)
			lya_jw_string(w, lya_snat_kind_name(i));
	}
	lya_jw_array_close(w);
}

/* Bytes in hexadecimal digits; none: null. */
static void hexadecimal(struct lya_json_writer *w, const char *key, const uint8_t *bytes, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	char text[2 * LYA_SNAT_VALUE + 1];

	for (size_t i = 0; i < n; i++) {
		text[2 * i] = digits[bytes[i] >> 4];
		text[2 * i + 1] = digits[bytes[i] & 15];
	}
	text[2 * n] = '\0';
	lya_jw_member_string(w, key, n > 0 ? text : NULL);
}

static void leg(struct lya_json_writer *w, const struct lya_source *sources, size_t n_sources,
		const struct lya_snat_leg *l)
{
	lya_jw_flat(w);
	lya_jw_object_open(w);
	report_address(w, "client", &l->client);
	lya_jw_member_uint(w, "client_port", l->client_port);
	report_address(w, "server", &l->server);
	lya_jw_member_uint(w, "server_port", l->server_port);
	report_time(w, "time", l->time_ns, l->digits);
	lya_jw_member_string(w, "source", l->source < n_sources ? sources[l->source].name : NULL);
	lya_jw_member_uint(w, "packet", l->packet);
	lya_jw_object_close(w);
}

static void stun_addr(struct lya_json_writer *w, const char *key, const struct lya_stun_addr *a)
{
	lya_jw_key(w, key);
	if (a->addr.family == 0) {
		lya_jw_null(w);
		return;
	}
	lya_jw_flat(w);
	lya_jw_object_open(w);
	report_address(w, "address", &a->addr);
	lya_jw_member_uint(w, "port", a->port);
	lya_jw_object_close(w);
}

static void snat_proof(struct lya_json_writer *w, const struct lya_source *sources,
		       size_t n_sources, const struct lya_finding *f)
{
	const struct lya_snat_proof *p = f->snat;

	lya_jw_object_open(w);
	kinds(w, f->snat_kinds);
	hexadecimal(w, "transaction", p->value, p->key == LYA_SNAT_BY_ID ? p->value_len : 0);
	hexadecimal(w, "sequence", p->value, p->key == LYA_SNAT_BY_ISN ? p->value_len : 0);
	hexadecimal(w, "random", p->value, p->key == LYA_SNAT_BY_RANDOM ? p->value_len : 0);
	stun_addr(w, "mapped", &p->mapped);
	lya_jw_key(w, "legs");
	lya_jw_array_open(w);
	for (size_t i = 0; i < p->n_legs; i++)
		leg(w, sources, n_sources, &p->legs[i]);
	lya_jw_array_close(w);
	lya_jw_object_close(w);
}

static void relay_proof(struct lya_json_writer *w, const struct lya_source *sources,
			size_t n_sources, const struct lya_snat_relay *r)
{
	lya_jw_object_open(w);
	hexadecimal(w, "transaction", r->id, sizeof(r->id));
	stun_addr(w, "relay", &r->relay);
	stun_addr(w, "alternate", &r->alternate);
	lya_jw_key(w, "legs");
	lya_jw_array_open(w);
	leg(w, sources, n_sources, &r->leg);
	lya_jw_array_close(w);
	lya_jw_object_close(w);
}

/* Of the findings about the A/V Edge: the messages that show it. */
static void proof(struct lya_json_writer *w, const struct lya_source *sources, size_t n_sources,
		  const struct lya_finding *f)
{
	lya_jw_key(w, "proof");
	if (f->snat != NULL)
		snat_proof(w, sources, n_sources, f);
	else if (f->relay != NULL)
		relay_proof(w, sources, n_sources, f->relay);
	else
		lya_jw_null(w);
}

/* What some findings have and others have not. */
static void details(struct lya_json_writer *w, const struct lya_policy *policy,
		    const struct lya_source *sources, size_t n_sources, const struct lya_finding *f)
{
	const struct lya_rules *rules = lya_policy_rules(policy);

	lya_jw_member_string(w, "level", f->level);
	lya_jw_member_string(w, "port_of", f->source_port ? "initiator" : "responder");
	lya_jw_key(w, "outcomes");
	lya_jw_flat(w);
	lya_jw_object_open(w);
	lya_jw_member_uint(w, "through", f->through);
	lya_jw_member_uint(w, "attempted", f->attempted);
	lya_jw_member_uint(w, "refused", f->refused);
	lya_jw_object_close(w);
	lya_jw_member_string(w, "meant", f->mixup >= 0 ? rules->list[f->mixup].id : NULL);
	lya_jw_member_string(w, "exception",
			     f->exception >= 0
				 ? lya_policy_site(policy)->exceptions[f->exception].id
				 : NULL);
	lya_jw_member_string(w, "statement", f->statement);
	lya_jw_member_string(w, "place", f->place);
	payload(w, f);
	lya_jw_member_string(w, "shown", f->shown);
	lya_jw_member_string(w, "asked", f->asked);
	proof(w, sources, n_sources, f);
}

/* Its packets in the file that was asked for. */
static void packets(struct lya_json_writer *w, const struct lya_finding_packets *p)
{
	lya_jw_key(w, "evidence");
	if (p == NULL) {
		lya_jw_null(w);
		return;
	}
	lya_jw_flat(w);
	lya_jw_object_open(w);
	lya_jw_member_uint(w, "packets", p->packets);
	lya_jw_member_uint(w, "left_out", p->left_out);
	lya_jw_object_close(w);
}

void report_finding(struct lya_json_writer *w, const struct lya_policy *policy,
		    const struct lya_source *sources, size_t n_sources, const struct lya_finding *f,
		    const struct lya_finding_packets *evidence)
{
	const struct lya_rules *rules = lya_policy_rules(policy);

	lya_jw_object_open(w);
	lya_jw_member_string(w, "id", f->id);
	lya_jw_member_string(w, "type", f->type);
	lya_jw_member_string(w, "severity", lya_severity_name(f->severity));
	lya_jw_member_string(w, "basis", f->has_basis ? lya_basis_name(f->basis) : NULL);
	lya_jw_member_string(w, "grade", f->has_basis ? lya_grade_name(f->grade) : NULL);
	end_of(w, "initiator", &f->initiator);
	end_of(w, "responder", &f->responder);
	lya_jw_member_string(w, "transport", report_transport(f->transport));
	ports(w, policy, f);
	nearest(w, rules, f);
	lya_jw_member_uint(w, "flows", f->flows);
	lya_jw_member_uint(w, "packets", f->packets);
	lya_jw_member_uint(w, "bytes", f->bytes);
	report_time(w, "first", f->first_ns, f->digits);
	report_time(w, "last", f->last_ns, f->digits);
	cited(w, rules, f);
	packets(w, evidence);
	lya_jw_member_string(w, "what", f->what);
	lya_jw_member_string(w, "why", f->why);
	lya_jw_member_string(w, "fix", f->fix);
	samples(w, sources, n_sources, f);
	details(w, policy, sources, n_sources, f);
	lya_jw_object_close(w);
}

void lya_report_finding_line(struct lya_output *out, const struct lya_policy *policy,
			     const struct lya_source *sources, size_t n_sources,
			     const struct lya_finding *finding)
{
	struct lya_json_writer w;

	lya_jw_init(&w, out, LYA_JW_COMPACT);
	report_finding(&w, policy, sources, n_sources, finding, NULL);
	lya_jw_end(&w);
}
