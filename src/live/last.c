/*
 * last.c - the report of an audit without a state directory.
 */
#include <string.h>

#include "live/hand.h"
#include "live/parts.h"
#include "lyncaudit/alloc.h"
#include "lyncaudit/report.h"

static void fill(struct live_engine *e, struct lya_report_input *in)
{
	const struct lya_watch_options *o = e->watch->options;
	struct lya_audit_counts counts;

	in->fail_on = o->fail_on;
	in->ledger = lya_audit_ledger(e->audit);
	in->run = (struct lya_report_run){ .version = o->version,
					   .host = o->host,
					   .started_ns = e->watch->started_ns,
					   .finished_ns = live_wall_ns(),
					   .arguments = o->arguments,
					   .n_arguments = o->n_arguments };
	lya_audit_counts(e->audit, &counts);
	in->totals.not_ip = counts.not_ip;
	in->totals.not_tcp_udp = counts.not_tcp_udp;
	memcpy(in->totals.events, counts.events, sizeof(in->totals.events));
	in->totals.duplicates = counts.duplicates;
	in->totals.gaps = live_missing_gaps(e->missing);
	lya_audit_flow_stats(e->audit, &in->flow_stats);
}

static int hand_over(const struct live_engine *e, const struct lya_report_input *in,
		     struct lya_error *err)
{
	struct live_hand hand = { .number = LIVE_OUTPUT_REPORT };
	int rc = live_hand_begin(&hand.out, &hand.fd, err);

	if (rc != LYA_OK)
		return rc;
	lya_report_json(hand.out, in);
	return live_hand_over(e->watch, &hand, err);
}

/* *counts, one for each finding, is freed with lya_free. */
static int hand_over_evidence(const struct live_engine *e, const struct lya_report_input *in,
			      struct lya_finding_packets **counts,
			      struct lya_finding_packets *total, struct lya_error *err)
{
	struct live_hand hand = { .number = LIVE_OUTPUT_EVIDENCE };
	size_t n;
	int rc;

	(void)lya_ledger_findings(lya_audit_ledger(e->audit), &n);
	*counts = lya_calloc(n + 1, sizeof(**counts));
	if (*counts == NULL)
		return lya_error_nomem(err);
	rc = live_hand_begin(&hand.out, &hand.fd, err);
	if (rc != LYA_OK)
		return rc;
	rc = lya_audit_evidence(e->audit, in->sources, in->n_sources, hand.out, *counts, total, err);
	if (rc == LYA_OK)
		return live_hand_over(e->watch, &hand, err);
	live_hand_drop(&hand);
	return rc;
}

static int report(struct live_engine *e, struct lya_report_input *in, struct lya_error *err)
{
	size_t n;
	const struct lya_limit *measured = lya_audit_limits(e->audit, &n);
	struct lya_limit *limits;
	int rc = live_missing_limits(e->missing, in->sources, measured, n, &limits, &in->n_limits, err);

	if (rc != LYA_OK)
		return rc;
	in->limits = limits;
	fill(e, in);
	rc = hand_over(e, in, err);
	live_missing_limits_free(limits);
	return rc;
}

int live_engine_last_report(struct live_engine *e, struct lya_error *err)
{
	struct lya_report_input in = { .n_sources = 0 };
	struct lya_finding_packets *evidence = NULL;
	struct lya_report_snat_pair *pairs = NULL;
	size_t n_pairs = 0;
	int rc;

	in.sources = lya_capture_sources(e->capture, &in.n_sources);
	rc = lya_audit_finish(e->audit, in.sources, in.n_sources, err);
	if (rc == LYA_OK && e->watch->options->evidence != NULL)
		rc = hand_over_evidence(e, &in, &evidence, &in.evidence_total, err);
	in.evidence = evidence;
	if (rc == LYA_OK)
		rc = lya_report_snat_pairs(e->policy.site, &pairs, &n_pairs, err);
	if (rc == LYA_OK && e->watch->options->report != NULL) {
		lya_report_snat_fill(lya_audit_snat(e->audit), pairs, n_pairs, &in.snat);
		rc = report(e, &in, err);
	}
	lya_free(pairs);
	lya_free(evidence);
	return rc;
}
