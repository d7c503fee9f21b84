/*
 * metrics.c - numbers for Prometheus, in its text format (exposition format 0.0.4).
 *
 * Labels are bounded: interfaces that were named, kinds and severities of findings, states of
 * rules.  Counters begin with the service.
 */
#include "live/engine.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "live/parts.h"
#include "lyncaudit/output.h"
#include "lyncaudit/timeutil.h"

/* A label's value: names of interfaces may hold anything but a slash. */
static void add_label(struct lya_text *t, const char *value)
{
	for (; *value != '\0'; value++) {
		if (*value == '\\' || *value == '"')
			lya_text_add_len(t, "\\", 1);
		lya_text_add_len(t, value, 1);
	}
}

static void head(struct lya_text *t, const char *name, const char *type, const char *help)
{
	lya_text_addf(t, "# HELP lyncaudit_%s %s\n# TYPE lyncaudit_%s %s\n", name, help, name, type);
}

static void number(struct lya_text *t, const char *name, const char *type, const char *help,
		   uint64_t value)
{
	head(t, name, type, help);
	lya_text_addf(t, "lyncaudit_%s %" PRIu64 "\n", name, value);
}

/* Of the period so far ----------------------------------------------------- */

enum { TYPES_MAX = 64 }; /* more than there are */

struct type_counts {
	const char *type;
	uint64_t by_severity[LYA_SEVERITIES];
};

static struct type_counts *counts_of(struct type_counts list[static TYPES_MAX], const char *type)
{
	for (size_t i = 0; i < TYPES_MAX; i++) {
		if (list[i].type == NULL)
			list[i].type = type;
		if (strcmp(list[i].type, type) == 0)
			return &list[i];
	}
	return NULL;
}

static void add_findings(struct lya_text *t, const struct lya_report_input *in)
{
	struct type_counts counts[TYPES_MAX] = { { .type = NULL } };
	size_t n;
	const struct lya_finding *list = lya_ledger_findings(in->ledger, &n);

	for (size_t i = 0; i < n; i++) {
		struct type_counts *c = counts_of(counts, list[i].type);

		if (c != NULL)
			c->by_severity[list[i].severity]++;
	}
	head(t, "findings", "gauge", "Findings of the period so far.");
	for (size_t i = 0; i < TYPES_MAX && counts[i].type != NULL; i++) {
		for (unsigned k = 0; k < LYA_SEVERITIES; k++) {
			if (counts[i].by_severity[k] > 0)
				lya_text_addf(t,
					      "lyncaudit_findings{type=\"%s\",severity=\"%s\"} %" PRIu64
					      "\n",
					      counts[i].type, lya_severity_name((enum lya_severity)k),
					      counts[i].by_severity[k]);
		}
	}
}

static void add_coverage(struct lya_text *t, const struct lya_report_input *in)
{
	static const char *const names[] = {
		[LYA_COVERAGE_OBSERVED] = "observed",
		[LYA_COVERAGE_NOT_OBSERVED] = "not-observed",
		[LYA_COVERAGE_NOT_OBSERVABLE] = "not-observable",
		[LYA_COVERAGE_FEATURE_OFF] = "feature-off",
	};
	uint64_t counts[sizeof(names) / sizeof(names[0])] = { 0 };
	size_t n;
	const struct lya_coverage *list = lya_ledger_coverage(in->ledger, &n);

	for (size_t i = 0; i < n; i++)
		counts[list[i].status]++;
	head(t, "rules", "gauge", "Documented rows by what was seen of them in the period so far.");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		lya_text_addf(t, "lyncaudit_rules{status=\"%s\"} %" PRIu64 "\n", names[i], counts[i]);
}

void live_metrics_view(struct lya_text *t, const struct lya_report_input *in)
{
	add_findings(t, in);
	add_coverage(t, in);
}

/* Of now ------------------------------------------------------------------- */

static void add_sources(struct lya_text *t, const struct lya_source *s, size_t n, const char *name,
			const char *help, size_t at)
{
	head(t, name, "counter", help);
	for (size_t i = 0; i < n; i++) {
		uint64_t value;

		memcpy(&value, (const char *)&s[i] + at, sizeof(value));
		lya_text_addf(t, "lyncaudit_%s{source=\"", name);
		add_label(t, s[i].name);
		lya_text_addf(t, "\"} %" PRIu64 "\n", value);
	}
}

static void add_capture(struct lya_text *t, const struct live_engine *e)
{
	size_t n;
	const struct lya_source *s = lya_capture_sources(e->capture, &n);

	add_sources(t, s, n, "packets_total", "Packets audited.", offsetof(struct lya_source, packets));
	add_sources(t, s, n, "bytes_total", "Their bytes on the wire.",
		    offsetof(struct lya_source, bytes));
	add_sources(t, s, n, "dropped_packets_total", "Packets lost by kernel or interface.",
		    offsetof(struct lya_source, dropped));
}

static void add_flows(struct lya_text *t, const struct live_engine *e)
{
	struct lya_flow_stats stats;

	lya_audit_flow_stats(e->audit, &stats);
	number(t, "flows_total", "counter", "Flows that were followed.", stats.flows);
	number(t, "evicted_flows_total", "counter",
	       "Flows that ended early because there was no room for more.", stats.evicted);
	number(t, "open_flows", "gauge", "Flows that are followed now.", stats.open);
	number(t, "flow_memory_bytes", "gauge", "Memory that they take.", stats.bytes);
}

static void add_store(struct lya_text *t, const struct live_engine *e)
{
	struct lya_keeper_status status;
	int64_t lag_ns;

	if (e->keeper == NULL)
		return;
	lya_keeper_status(e->keeper, &status);
	lag_ns = live_wall_ns() - (status.committed_ns != LYA_TIME_NONE ? status.committed_ns
									 : e->watch->started_ns);
	number(t, "store_bytes", "gauge", "Size of the store.", status.store_bytes);
	number(t, "store_suspended", "gauge", "1: nothing can be written just now.",
	       status.suspended);
	head(t, "store_lag_seconds", "gauge", "Age of the newest evidence that is safe.");
	lya_text_addf(t, "lyncaudit_store_lag_seconds %.3f\n", (double)(lag_ns > 0 ? lag_ns : 0) / 1e9);
}

int live_engine_measure(struct live_engine *e, struct lya_output *out, struct lya_error *err)
{
	struct lya_text t = { 0 };
	int rc = LYA_OK;

	add_capture(&t, e);
	add_flows(&t, e);
	number(&t, "untold_total", "counter", "Findings for which the outlets had no room.",
	       live_tell_lost(e->tell));
	if (e->flows != NULL)
		number(&t, "unlogged_flows_total", "counter",
		       "Flows for which the flow log had no room.", live_flow_log_lost(e->flows));
	add_store(&t, e);
	(void)pthread_mutex_lock(&e->view.mutex);
	lya_text_add(&t, lya_text_str(&e->view.metrics));
	(void)pthread_mutex_unlock(&e->view.mutex);
	if (t.failed)
		rc = lya_error_nomem(err);
	else
		lya_output_write(out, t.data, t.len);
	lya_text_fini(&t);
	return rc;
}

void live_engine_status(const struct live_engine *e, char *text, size_t size)
{
	size_t n;
	const struct lya_source *s = lya_capture_sources(e->capture, &n);
	struct lya_flow_stats stats;
	uint64_t packets = 0, dropped = 0;

	for (size_t i = 0; i < n; i++) {
		packets += s[i].packets;
		dropped += s[i].dropped;
	}
	lya_audit_flow_stats(e->audit, &stats);
	(void)snprintf(text, size, "%" PRIu64 " packets, %" PRIu64 " lost, %" PRIu64 " flows open",
		       packets, dropped, stats.open);
}
