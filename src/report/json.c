/*
 * json.c - the JSON report, object by object in the documented order.
 */
#include "report/report.h"

#include <stdlib.h>
#include <string.h>

#include "lyncaudit/timeutil.h"

static void write_run(struct lya_json_writer *w, const struct lya_report_run *run)
{
	lya_jw_key(w, "run");
	lya_jw_object_open(w);
	lya_jw_member_string(w, "tool", "lyncaudit");
	lya_jw_member_string(w, "version", run->version);
	report_time(w, "started", run->started_ns, 6);
	report_time(w, "finished", run->finished_ns, 6);
	lya_jw_member_string(w, "host", run->host);
	lya_jw_key(w, "arguments");
	lya_jw_flat(w);
	lya_jw_array_open(w);
	for (size_t i = 0; i < run->n_arguments; i++)
		lya_jw_string(w, run->arguments[i]);
	lya_jw_array_close(w);
	lya_jw_object_close(w);
}

static void write_policy(struct lya_json_writer *w, const struct lya_policy *policy)
{
	const struct lya_site *site = lya_policy_site(policy);
	const struct lya_rules *rules = lya_policy_rules(policy);

	lya_jw_key(w, "site");
	lya_jw_object_open(w);
	lya_jw_member_string(w, "name", site->name);
	lya_jw_member_string(w, "sha256", site->sha256);
	lya_jw_object_close(w);
	lya_jw_key(w, "rules");
	lya_jw_object_open(w);
	lya_jw_member_string(w, "name", rules->name);
	lya_jw_member_string(w, "sha256", rules->sha256);
	lya_jw_member_uint(w, "count", rules->n);
	lya_jw_object_close(w);
}

static void write_source(struct lya_json_writer *w, const struct lya_source *s)
{
	char link[24];

	lya_jw_object_open(w);
	lya_jw_member_string(w, "name", s->name);
	lya_jw_member_string(w, "kind", s->kind);
	lya_jw_key(w, "link_types");
	lya_jw_flat(w);
	lya_jw_array_open(w);
	for (size_t i = 0; i < s->n_links; i++)
		lya_jw_string(w, lya_link_name(s->links[i], link));
	lya_jw_array_close(w);
	lya_jw_member_uint(w, "packets", s->packets);
	lya_jw_member_uint(w, "bytes", s->bytes);
	report_time(w, "first", s->first_ns, s->digits);
	report_time(w, "last", s->last_ns, s->digits);
	lya_jw_member_double(w, "time_offset", (double)s->time_offset_ns / (double)LYA_SECOND_NS,
			     6);
	lya_jw_member_bool(w, "truncated", s->truncated);
	lya_jw_member_uint(w, "dropped", s->dropped);
	lya_jw_member_string(w, "error", s->error);
	lya_jw_member_bool(w, "skipped", s->skipped);
	lya_jw_member_uint(w, "snapped", s->snapped);
	lya_jw_member_uint(w, "steps_back", s->steps_back);
	lya_jw_member_uint(w, "filtered", s->filtered);
	lya_jw_member_bool(w, "filtered_unseen", s->filtered_unseen);
	lya_jw_object_close(w);
}

/* Three kinds of events that a reader must not take for one another. */
enum event_class { EVENT_MALFORMED, EVENT_CUT, EVENT_NOTED };

static enum event_class class_of(enum lya_event ev)
{
	if (lya_event_is_cut(ev))
		return EVENT_CUT;
	switch (ev) {
	case LYA_EV_LINK_UNKNOWN:
	case LYA_EV_CHECKSUM_IP:
	case LYA_EV_MACSEC:
	case LYA_EV_TEREDO:
		return EVENT_NOTED;
	default:
		return EVENT_MALFORMED;
	}
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Counts of one class by name; what never happened is left out. */
static void write_events(struct lya_json_writer *w, const char *key, enum event_class class,
			 const uint64_t counts[static LYA_EV_COUNT])
{
	const char *names[LYA_EV_COUNT] = { NULL };
	size_t n = 0;

	for (unsigned ev = 0; ev < LYA_EV_COUNT; ev++) {
		if (counts[ev] > 0 && class_of((enum lya_event)ev) == class)
			names[n++] = lya_event_name((enum lya_event)ev);
	}
	qsort(names, n, sizeof(names[0]), by_name);
	lya_jw_key(w, key);
	lya_jw_object_open(w);
	for (size_t i = 0; i < n; i++) {
		for (unsigned ev = 0; ev < LYA_EV_COUNT; ev++) {
			if (strcmp(lya_event_name((enum lya_event)ev), names[i]) == 0)
				lya_jw_member_uint(w, names[i], counts[ev]);
		}
	}
	lya_jw_object_close(w);
}

static void write_capture(struct lya_json_writer *w, const struct lya_report_input *in)
{
	struct report_span span = report_span(in);

	lya_jw_key(w, "capture");
	lya_jw_object_open(w);
	lya_jw_key(w, "sources");
	lya_jw_array_open(w);
	for (size_t i = 0; i < in->n_sources; i++)
		write_source(w, &in->sources[i]);
	lya_jw_array_close(w);
	lya_jw_member_uint(w, "packets", span.packets);
	lya_jw_member_uint(w, "bytes", span.bytes);
	report_time(w, "first", span.first_ns, span.first_digits);
	report_time(w, "last", span.last_ns, span.last_digits);
	lya_jw_member_uint(w, "not_ip", in->totals.not_ip);
	lya_jw_member_uint(w, "not_tcp_udp", in->totals.not_tcp_udp);
	write_events(w, "malformed", EVENT_MALFORMED, in->totals.events);
	write_events(w, "cut", EVENT_CUT, in->totals.events);
	write_events(w, "noted", EVENT_NOTED, in->totals.events);
	lya_jw_member_uint(w, "duplicates", in->totals.duplicates);
	lya_jw_member_uint(w, "flows_evicted", in->flow_stats.evicted);
	lya_jw_member_bool(w, "interrupted", in->totals.interrupted);
	lya_jw_member_bool(w, "complete", lya_report_complete(in));
	lya_jw_object_close(w);
}

static void write_validity(struct lya_json_writer *w, const struct lya_report_input *in)
{
	lya_jw_key(w, "validity");
	lya_jw_object_open(w);
	lya_jw_key(w, "limits");
	lya_jw_array_open(w);
	for (size_t i = 0; i < in->n_limits; i++) {
		lya_jw_object_open(w);
		lya_jw_member_string(w, "kind", lya_limit_name(in->limits[i].kind));
		lya_jw_member_string(w, "where", in->limits[i].where);
		lya_jw_member_double(w, "share", in->limits[i].share, 6);
		lya_jw_member_string(w, "what", in->limits[i].what);
		lya_jw_object_close(w);
	}
	lya_jw_array_close(w);
	lya_jw_object_close(w);
}

static void write_summary(struct lya_json_writer *w, const struct lya_report_input *in)
{
	static const enum lya_verdict_kind order[] = {
		LYA_VERDICT_DOCUMENTED,        LYA_VERDICT_WAIVED,
		LYA_VERDICT_WRONG_DIRECTION,   LYA_VERDICT_UNEXPECTED_PORT,
		LYA_VERDICT_UNDOCUMENTED_PATH, LYA_VERDICT_UNDETERMINED,
		LYA_VERDICT_OUT_OF_SCOPE,
	};
	struct lya_ledger_counts counts;

	lya_ledger_counts(in->ledger, &counts);
	lya_jw_key(w, "summary");
	lya_jw_object_open(w);
	lya_jw_member_string(w, "verdict", lya_report_verdict_name(lya_report_verdict(in)));
	lya_jw_key(w, "flows");
	lya_jw_object_open(w);
	lya_jw_member_uint(w, "total", counts.flows);
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		lya_jw_member_uint(w, lya_verdict_name(order[i]), counts.verdicts[order[i]]);
	lya_jw_object_close(w);
	lya_jw_key(w, "findings");
	lya_jw_object_open(w);
	for (unsigned s = 0; s < LYA_SEVERITIES; s++)
		lya_jw_member_uint(w, lya_severity_name((enum lya_severity)s), counts.findings[s]);
	lya_jw_object_close(w);
	lya_jw_key(w, "mutual_tls");
	lya_jw_object_open(w);
	for (unsigned m = LYA_MUTUAL_NOT_DUE + 1; m < LYA_MUTUALS; m++)
		lya_jw_member_uint(w, lya_mutual_name((enum lya_mutual)m), counts.mutual[m]);
	lya_jw_object_close(w);
	lya_jw_key(w, "folded");
	lya_jw_object_open(w);
	lya_jw_member_uint(w, "findings", counts.folded_findings);
	lya_jw_member_uint(w, "flows", counts.folded_flows);
	lya_jw_object_close(w);
	lya_jw_object_close(w);
}

static void write_findings(struct lya_json_writer *w, const struct lya_report_input *in)
{
	size_t n;
	const struct lya_finding *list = lya_ledger_findings(in->ledger, &n);

	lya_jw_key(w, "findings");
	lya_jw_array_open(w);
	for (size_t i = 0; i < n; i++)
		report_finding(w, lya_ledger_policy(in->ledger), in->sources, in->n_sources,
			       &list[i], in->evidence != NULL ? &in->evidence[i] : NULL);
	lya_jw_array_close(w);
}

static void write_snat_counts(struct lya_json_writer *w, uint64_t tp, uint64_t tr, uint64_t cp,
			      uint64_t cr)
{
	lya_jw_member_uint(w, "transactions_preserved", tp);
	lya_jw_member_uint(w, "transactions_rewritten", tr);
	lya_jw_member_uint(w, "connections_preserved", cp);
	lya_jw_member_uint(w, "connections_rewritten", cr);
}

static void write_snat(struct lya_json_writer *w, const struct lya_report_input *in)
{
	const struct lya_report_snat *s = &in->snat;
	struct lya_ledger_counts counts;

	lya_ledger_counts(in->ledger, &counts);
	lya_jw_key(w, "snat");
	lya_jw_object_open(w);
	write_snat_counts(w, s->transactions_preserved, s->transactions_rewritten,
			  s->connections_preserved, s->connections_rewritten);
	lya_jw_member_uint(w, "probes", counts.av_probes);
	lya_jw_key(w, "vips");
	lya_jw_array_open(w);
	for (size_t i = 0; i < s->n_pairs; i++) {
		const struct lya_report_snat_pair *p = &s->pairs[i];

		lya_jw_flat(w);
		lya_jw_object_open(w);
		report_address(w, "vip", &p->vip);
		report_address(w, "node", &p->node);
		write_snat_counts(w, p->transactions_preserved, p->transactions_rewritten,
				  p->connections_preserved, p->connections_rewritten);
		lya_jw_object_close(w);
	}
	lya_jw_array_close(w);
	lya_jw_member_uint(w, "unpaired", s->unpaired);
	lya_jw_member_uint(w, "dropped", s->dropped);
	lya_jw_object_close(w);
}

static void write_words(struct lya_json_writer *w, const char *key, const struct lya_row_end *end)
{
	lya_jw_key(w, key);
	lya_jw_array_open(w);
	for (size_t i = 0; i < end->n_words; i++)
		lya_jw_string(w, end->words[i]);
	lya_jw_array_close(w);
}

/* A row's moved ports, with the site's reason. */
static void write_override(struct lya_json_writer *w, const struct lya_port_override *moved)
{
	char text[12];

	lya_jw_key(w, "moved");
	if (moved == NULL) {
		lya_jw_null(w);
		return;
	}
	lya_jw_object_open(w);
	lya_jw_key(w, "ports");
	lya_jw_array_open(w);
	for (size_t i = 0; i < moved->n_ports; i++) {
		lya_port_range_format(&moved->ports[i], text);
		lya_jw_string(w, text);
	}
	lya_jw_array_close(w);
	lya_jw_member_string(w, "reason", moved->reason);
	lya_jw_object_close(w);
}

static void write_coverage(struct lya_json_writer *w, const struct lya_ledger *ledger)
{
	const struct lya_policy *policy = lya_ledger_policy(ledger);
	size_t n;
	const struct lya_coverage *list = lya_ledger_coverage(ledger, &n);

	lya_jw_key(w, "coverage");
	lya_jw_array_open(w);
	for (size_t i = 0; i < n; i++) {
		const struct lya_coverage *c = &list[i];
		const struct lya_rule *rule = &lya_policy_rules(policy)->list[c->rule];

		lya_jw_flat(w);
		lya_jw_object_open(w);
		lya_jw_member_string(w, "rule", rule->id);
		lya_jw_member_string(w, "title", rule->title);
		write_words(w, "from", &rule->from);
		write_words(w, "to", &rule->to);
		lya_jw_member_string(w, "status", lya_coverage_status_name(c->status));
		lya_jw_member_uint(w, "flows", c->flows);
		lya_jw_member_uint(w, "packets", c->packets);
		lya_jw_member_uint(w, "bytes", c->bytes);
		report_time(w, "first", c->first_ns, c->digits);
		report_time(w, "last", c->last_ns, c->digits);
		write_override(w, lya_policy_override(policy, (size_t)c->rule));
		lya_jw_object_close(w);
	}
	lya_jw_array_close(w);
}

static const char *port_text(const struct lya_matrix_row *row, char buf[static 12])
{
	if (row->other)
		return "other";
	if (row->verdict == LYA_VERDICT_UNDETERMINED)
		return "unknown";
	if (row->ports.first == 0 && row->ports.last == UINT16_MAX)
		return "any";
	lya_port_range_format(&row->ports, buf);
	return buf;
}

static void write_matrix(struct lya_json_writer *w, const struct lya_ledger *ledger)
{
	size_t n;
	const struct lya_matrix_row *list = lya_ledger_matrix(ledger, &n);
	char text[12];

	lya_jw_key(w, "matrix");
	lya_jw_array_open(w);
	for (size_t i = 0; i < n; i++) {
		lya_jw_flat(w);
		lya_jw_object_open(w);
		lya_jw_member_string(w, "from", report_role(list[i].from));
		lya_jw_member_string(w, "to", report_role(list[i].to));
		lya_jw_member_string(w, "transport", report_transport(list[i].transport));
		lya_jw_member_string(w, "port", port_text(&list[i], text));
		lya_jw_member_string(w, "verdict", lya_verdict_name(list[i].verdict));
		lya_jw_member_uint(w, "flows", list[i].flows);
		lya_jw_member_uint(w, "bytes", list[i].bytes);
		lya_jw_object_close(w);
	}
	lya_jw_array_close(w);
}

static void write_waivers(struct lya_json_writer *w, const struct lya_ledger *ledger)
{
	size_t n;
	const struct lya_waiver *list = lya_ledger_waivers(ledger, &n);

	lya_jw_key(w, "waivers");
	lya_jw_array_open(w);
	for (size_t i = 0; i < n; i++) {
		lya_jw_flat(w);
		lya_jw_object_open(w);
		lya_jw_member_string(w, "id", list[i].exception->id);
		lya_jw_member_uint(w, "flows", list[i].flows);
		lya_jw_member_string(w, "expires", list[i].exception->expires);
		if (list[i].has_days)
			lya_jw_member_int(w, "days_left", list[i].days_left);
		else
			lya_jw_member_null(w, "days_left");
		lya_jw_member_string(w, "reason", list[i].exception->reason);
		lya_jw_member_string(w, "owner", list[i].exception->owner);
		lya_jw_object_close(w);
	}
	lya_jw_array_close(w);
}

/* Declared, and no packet to or from it: a sensor at another place, or a server that is gone. */
static void write_unseen(struct lya_json_writer *w, const struct lya_report_input *in)
{
	const struct lya_ledger *ledger = in->ledger;
	const struct lya_site *site = lya_policy_site(lya_ledger_policy(ledger));

	if (report_filtered(in)) {
		lya_jw_member_null(w, "unseen_hosts");
		return;
	}
	lya_jw_key(w, "unseen_hosts");
	lya_jw_array_open(w);
	for (size_t i = 0; i < site->n_hosts; i++) {
		if (lya_ledger_saw_host(ledger, i))
			continue;
		lya_jw_flat(w);
		lya_jw_object_open(w);
		lya_jw_member_string(w, "name", site->hosts[i].name);
		lya_jw_key(w, "roles");
		lya_jw_array_open(w);
		for (unsigned role = 0; role < LYA_ROLES; role++) {
			if (site->hosts[i].roles & LYA_ROLE_BIT(role))
				lya_jw_string(w, lya_role_name((enum lya_role)role));
		}
		lya_jw_array_close(w);
		lya_jw_object_close(w);
	}
	lya_jw_array_close(w);
}

void lya_report_json(struct lya_output *out, const struct lya_report_input *in)
{
	struct lya_json_writer w;

	lya_jw_init(&w, out, LYA_JW_PRETTY);
	lya_jw_object_open(&w);
	lya_jw_member_string(&w, "schema", "lyncaudit-report/1");
	write_run(&w, &in->run);
	if (in->night != NULL)
		report_night(&w, in->night);
	write_policy(&w, lya_ledger_policy(in->ledger));
	write_capture(&w, in);
	write_validity(&w, in);
	write_summary(&w, in);
	write_findings(&w, in);
	if (in->night != NULL)
		report_changes(&w, in->night);
	write_snat(&w, in);
	write_coverage(&w, in->ledger);
	write_matrix(&w, in->ledger);
	write_waivers(&w, in->ledger);
	write_unseen(&w, in);
	report_edge(&w, in);
	lya_jw_object_close(&w);
	lya_jw_end(&w);
}
