/*
 * write_samples.c - write one report, flow log and findings log that hold
 * every kind of thing, for the schemas to be tried on.
 *
 *	write_samples REPORT FLOWS FINDINGS
 */
#include "../unit/finding/world.h"
#include "lyncaudit/report.h"

static char names[2][32] = { "edge.pcapng", "core.pcap" };
static char broken[] = "packet 7: block length 3 is too short";

struct sinks {
	struct world *w;
	struct lya_output *flows, *findings;
	struct lya_source *sources;
};

static int on_new(void *ctx, const struct lya_finding *f)
{
	struct sinks *s = ctx;

	lya_report_finding_line(s->findings, s->w->policy, s->sources, 2, f);
	return 0;
}

static void take(struct sinks *s, struct lya_ledger *l, const struct lya_flow *f)
{
	struct lya_flow_findings raised;
	struct lya_policy_end ends[2];
	struct lya_verdict v;

	lya_policy_end_of(s->w->policy, &f->addr[0], &ends[0]);
	lya_policy_end_of(s->w->policy, &f->addr[1], &ends[1]);
	lya_policy_judge(s->w->policy, NULL, f, ends, -1, &v);
	if (lya_ledger_take(l, f, ends, &v, &raised) != LYA_OK)
		return;
	lya_report_flow_line(s->flows, s->w->policy, f, ends, &v, &raised);
}

/* One flow of every sort that a line can be. */
static void take_all(struct sinks *s, struct lya_ledger *l)
{
	static const struct {
		const char *src, *dst;
		uint16_t dport;
		uint8_t transport;
		enum lya_flow_state state;
	} flows[] = {
		{ "203.0.113.78", "198.51.100.11", 443, 6, LYA_STATE_CLOSED },
		{ "10.2.0.11", "10.2.1.20", 1433, 6, LYA_STATE_RESET },
		{ "10.2.0.11", "10.1.0.41", 4443, 6, LYA_STATE_ESTABLISHED },
		{ "10.1.0.41", "10.2.0.11", 443, 6, LYA_STATE_ATTEMPTED },
		{ "10.2.0.11", "10.9.0.20", 10050, 6, LYA_STATE_REFUSED },
		{ "198.51.100.2", "198.51.100.23", 3478, 17, LYA_STATE_NONE },
		{ "203.0.113.79", "198.51.100.23", 50010, 17, LYA_STATE_NONE },
		{ "10.20.1.1", "10.20.1.2", 9999, 6, LYA_STATE_MIDSTREAM },
		{ "fd00:10:2::11", "2001:db8::1", 25, 6, LYA_STATE_ESTABLISHED },
		{ "10.20.1.1", "239.1.1.1", 1900, 17, LYA_STATE_NONE },
		{ "169.254.1.1", "169.254.1.2", 137, 17, LYA_STATE_NONE },
	};
	struct lya_flow f;
	char addr[LYA_ADDR_TEXT];

	for (size_t i = 0; i < sizeof(flows) / sizeof(flows[0]); i++) {
		f = world_flow(flows[i].src, 60500, flows[i].dst, flows[i].dport,
			       flows[i].transport, flows[i].state);
		f.source = i & 1;
		f.digits = i & 1 ? 9 : 6;
		f.app.app = (uint8_t)(flows[i].dport == 3478 ? LYA_APP_STUN : LYA_APP_NONE);
		f.app.service_payload = flows[i].dport == 3478;
		f.path.n_vlan = (uint8_t)(i % 3);
		f.path.tunnel = (uint8_t)(i == 4 ? LYA_TUN_ERSPAN2 : LYA_TUN_NONE);
		take(s, l, &f);
	}
	for (unsigned i = 0; i < 300; i++) {
		(void)snprintf(addr, sizeof(addr), "192.0.2.%u", i % 250);
		f = world_flow(addr, 50000, "198.51.100.21", (uint16_t)(i < 250 ? 23 : i), 6,
			       LYA_STATE_ATTEMPTED);
		take(s, l, &f);
	}
	f = world_flow("10.20.1.1", 60500, "10.9.0.21", 3478, 17, LYA_STATE_NONE);
	f.app.app = LYA_APP_STUN;
	f.app.client_side = f.first_side;
	f.answered = true;
	f.packets[!f.first_side] = 1;
	take(s, l, &f);
	f = world_flow("10.2.0.11", 0, "10.2.1.20", 0, 17, LYA_STATE_NONE);
	f.unknown = LYA_UNKNOWN_FRAGMENT;
	take(s, l, &f);
}

static int write_report(struct sinks *s, struct lya_ledger *l, const char *path,
			struct lya_error *err)
{
	static const char *const arguments[] = { "audit", "-s", "site.json" };
	struct lya_report_snat_pair *pairs = NULL;
	struct lya_limit *limits = NULL;
	struct lya_validity *validity = NULL;
	struct lya_output *out = NULL;
	struct lya_report_input in = {
		.run = { "0", "sensor", WORLD_TIME, WORLD_TIME, arguments, 3 },
		.sources = s->sources,
		.n_sources = 2,
		.ledger = l,
		.fail_on = LYA_SEVERITY_LOW,
	};
	const struct lya_forgotten forgotten = { .datagrams = 4, .details = 5, .legs = 6 };
	int rc = lya_validity_new(&validity, err);

	for (unsigned ev = 0; ev < LYA_EV_COUNT; ev++)
		in.totals.events[ev] = ev;
	in.flow_stats.flows = 10;
	in.flow_stats.evicted = 1;
	in.flow_stats.given_up = 2;
	in.flow_stats.details_lost = 3;
	if (rc == LYA_OK)
		rc = lya_validity_limits(validity, s->sources, 2, NULL, &in.flow_stats, &forgotten,
					 NULL, &limits, &in.n_limits, err);
	if (rc == LYA_OK)
		rc = lya_report_snat_pairs(s->w->site, &pairs, &in.snat.n_pairs, err);
	in.limits = limits;
	in.snat.pairs = pairs;
	if (rc == LYA_OK)
		rc = lya_output_open(&out, path, true, err);
	if (rc == LYA_OK) {
		lya_report_json(out, &in);
		rc = lya_output_commit(out, err);
	}
	lya_free(pairs);
	lya_limits_free(limits, in.n_limits);
	lya_validity_free(validity);
	return rc;
}

int main(int argc, char **argv)
{
	struct lya_source sources[2] = {
		{ .name = names[0],
		  .kind = "file",
		  .links = { 1, 101 },
		  .n_links = 2,
		  .packets = 100,
		  .bytes = 5000,
		  .first_ns = WORLD_TIME,
		  .last_ns = WORLD_TIME + LYA_SECOND_NS,
		  .digits = 9,
		  .dropped = 3,
		  .snapped = 2,
		  .time_offset_ns = -1500000000 },
		{ .name = names[1],
		  .kind = "stdin",
		  .first_ns = LYA_TIME_NONE,
		  .last_ns = LYA_TIME_NONE,
		  .digits = 6,
		  .truncated = true,
		  .error = broken },
	};
	char what[] = "W.", place[] = "hosts", about[] = "edge-av-vip";
	struct lya_site_fault fault = {
		"site-missing-vip", "edge.p.public-addresses", place, what, what, what, about
	};
	struct lya_ledger_end end = { WORLD_TIME, WORLD_TIME + LYA_SECOND_NS, &fault, 1, NULL, 0, 0, false };
	struct world w;
	struct sinks s = { .w = &w, .sources = sources };
	struct lya_ledger_options options = { .on_new = on_new, .ctx = &s };
	struct lya_ledger *l = NULL;
	struct lya_error err = { 0 };
	int rc;

	if (argc != 4)
		return 2;
	world_open(&w, NULL);
	rc = lya_output_open(&s.flows, argv[2], true, &err);
	if (rc == LYA_OK)
		rc = lya_output_open(&s.findings, argv[3], true, &err);
	if (rc == LYA_OK)
		rc = lya_ledger_new(&l, w.policy, &options, &err);
	if (rc == LYA_OK) {
		take_all(&s, l);
		rc = lya_ledger_finish(l, &end, &err);
	}
	if (rc == LYA_OK)
		rc = write_report(&s, l, argv[1], &err);
	if (rc == LYA_OK)
		rc = lya_output_commit(s.flows, &err);
	if (rc == LYA_OK)
		rc = lya_output_commit(s.findings, &err);
	if (rc != LYA_OK)
		(void)fprintf(stderr, "%s\n", err.text);
	lya_ledger_free(l);
	world_close(&w);
	return rc == LYA_OK ? 0 : 1;
}
