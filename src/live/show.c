/*
 * show.c - the text of the screen.
 */
#include "live/show.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "live/parts.h"
#include "lyncaudit/alloc.h"
#include "lyncaudit/timeutil.h"

enum { SOURCES_MAX = 32, ROWS = 10 };

struct live_show {
	int64_t then_ns; /* CLOCK_MONOTONIC; LYA_TIME_NONE: nothing was shown yet */
	uint64_t packets[SOURCES_MAX], bytes[SOURCES_MAX];
	uint64_t flows;
};

struct live_show *live_show_new(void)
{
	struct live_show *s = lya_calloc(1, sizeof(*s));

	if (s != NULL)
		s->then_ns = LYA_TIME_NONE;
	return s;
}

void live_show_free(struct live_show *s)
{
	lya_free(s);
}

/* Of the period so far ------------------------------------------------------ */

static int by_flows(const void *pa, const void *pb)
{
	const struct lya_coverage *a = pa, *b = pb;

	if (a->flows != b->flows)
		return a->flows > b->flows ? -1 : 1;
	return (a->rule > b->rule) - (a->rule < b->rule);
}

static void add_rows(struct lya_text *t, const struct lya_report_input *in)
{
	size_t n;
	const struct lya_coverage *list = lya_ledger_coverage(in->ledger, &n);
	const struct lya_rules *rules = lya_policy_rules(lya_ledger_policy(in->ledger));
	struct lya_coverage *sorted = lya_malloc((n + 1) * sizeof(*sorted));

	if (sorted == NULL)
		return;
	memcpy(sorted, list, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), by_flows);
	lya_text_addf(t, "#%-18s %12s %14s  rows with traffic\n", "row", "flows", "bytes");
	for (size_t i = 0; i < n && i < ROWS && sorted[i].flows > 0; i++)
		lya_text_addf(t, "%-18s %12" PRIu64 " %14" PRIu64 "  %s\n",
			      rules->list[sorted[i].rule].id, sorted[i].flows, sorted[i].bytes,
			      rules->list[sorted[i].rule].title);
	lya_free(sorted);
}

void live_show_view(struct lya_text *t, const struct lya_report_input *in)
{
	struct lya_ledger_counts counts;

	lya_ledger_counts(in->ledger, &counts);
	lya_text_add(t, "#findings");
	for (unsigned s = 0; s < LYA_SEVERITIES; s++)
		lya_text_addf(t, "  %s %" PRIu64, lya_severity_name((enum lya_severity)s),
			      counts.findings[s]);
	lya_text_add(t, "\n\n");
	add_rows(t, in);
}

/* Of now -------------------------------------------------------------------- */

static double rate(uint64_t now, uint64_t then, double seconds)
{
	return seconds > 0 && now > then ? (double)(now - then) / seconds : 0;
}

static void add_sources(struct live_show *s, const struct live_engine *e, double seconds,
			struct lya_text *t)
{
	size_t n;
	const struct lya_source *list = lya_capture_sources(e->capture, &n);

	lya_text_addf(t, "#%-18s %12s %10s %14s %12s\n", "interface", "packets/s", "Mbit/s", "packets",
		      "lost");
	for (size_t i = 0; i < n && i < SOURCES_MAX; i++) {
		lya_text_addf(t, "%-18s %12.0f %10.1f %14" PRIu64 " %12" PRIu64 "\n", list[i].name,
			      rate(list[i].packets, s->packets[i], seconds),
			      rate(list[i].bytes, s->bytes[i], seconds) * 8 / 1e6, list[i].packets,
			      list[i].dropped);
		s->packets[i] = list[i].packets;
		s->bytes[i] = list[i].bytes;
	}
}

void live_show_compose(struct live_show *s, struct live_engine *e, struct lya_text *t)
{
	int64_t now_ns = live_steady_ns();
	double seconds = s->then_ns != LYA_TIME_NONE ? (double)(now_ns - s->then_ns) / 1e9 : 0;
	struct lya_flow_stats flows;

	add_sources(s, e, seconds, t);
	lya_audit_flow_stats(e->audit, &flows);
	lya_text_addf(t, "\n#flows  %" PRIu64 " open, %.0f/s, %" PRIu64 " evicted\n\n", flows.open,
		      rate(flows.flows, s->flows, seconds), flows.evicted);
	s->flows = flows.flows;
	s->then_ns = now_ns;
	live_engine_add_view(e, t);
}
