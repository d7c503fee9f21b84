/*
 * engine.c - the audit as the sensor runs it.
 */
#include "live/engine.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "live/messages.h"
#include "live/missing.h"
#include "lyncaudit/alloc.h"
#include "lyncaudit/audit.h"
#include "lyncaudit/output.h"
#include "lyncaudit/post.h"
#include "lyncaudit/report.h"

struct live_engine {
	const struct live_watch *watch;
	struct live_policy policy;
	struct lya_capture *capture;
	struct lya_audit *audit;
	struct live_missing *missing;
};

static const char *source_name(void *ctx, uint32_t source)
{
	const struct live_engine *e = ctx;
	size_t n;
	const struct lya_source *sources = lya_capture_sources(e->capture, &n);

	return source < n ? sources[source].name : NULL;
}

int live_engine_open(struct live_engine **result, const struct live_watch *w,
		     struct live_policy *policy, struct lya_capture *capture, struct lya_error *err)
{
	struct live_engine *e = lya_calloc(1, sizeof(*e));
	struct lya_audit_options options = { .max_memory = w->options->max_memory,
					     .max_flows = w->options->max_flows,
					     .source_name = source_name };
	int rc;

	if (e == NULL)
		return lya_error_nomem(err);
	options.ctx = e;
	e->watch = w;
	e->capture = capture;
	e->missing = live_missing_new();
	rc = e->missing == NULL ? lya_error_nomem(err)
				: lya_audit_new(&e->audit, policy->policy, &options, err);
	if (rc != LYA_OK) {
		live_missing_free(e->missing);
		lya_free(e);
		return rc;
	}
	e->policy = *policy;
	*result = e;
	return LYA_OK;
}

int live_engine_take(struct live_engine *e, const struct lya_frame *frames, size_t n,
		     struct lya_error *err)
{
	return lya_audit_take(e->audit, frames, n, err);
}

int live_engine_missing(struct live_engine *e, const struct lya_capture_event *event)
{
	return live_missing_note(e->missing, event);
}

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

/* What was written goes to the warden, who gives it its name. */
static int hand_over(struct live_engine *e, const struct lya_report_input *in,
		     struct lya_error *err)
{
	int fd = memfd_create("lyncaudit-report", MFD_CLOEXEC);
	struct lya_output *out;
	int rc;

	if (fd == -1)
		return lya_error_set(err, LYA_EIO, NULL, NULL, "there is no memory for a report: %s",
				     strerror(errno));
	rc = lya_output_open_fd(&out, fd, "report", err);
	if (rc == LYA_OK) {
		lya_report_json(out, in);
		rc = lya_output_commit(out, err);
	}
	if (rc == LYA_OK && lya_post_send(e->watch->sensor_end, LIVE_OUTPUT, LIVE_OUTPUT_REPORT, NULL,
					  0, fd) != LYA_OK)
		rc = lya_error_set(err, LYA_EIO, NULL, NULL, "the report cannot be handed over");
	(void)close(fd);
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

int live_engine_stop(struct live_engine *e, struct lya_error *err)
{
	struct lya_report_input in = { .n_sources = 0 };
	struct lya_report_snat_pair *pairs = NULL;
	size_t n_pairs = 0;
	int rc;

	in.sources = lya_capture_sources(e->capture, &in.n_sources);
	rc = lya_audit_finish(e->audit, in.sources, in.n_sources, err);
	if (rc == LYA_OK)
		rc = lya_report_snat_pairs(e->policy.site, &pairs, &n_pairs, err);
	if (rc == LYA_OK && e->watch->options->report != NULL) {
		lya_report_snat_fill(lya_audit_snat(e->audit), pairs, n_pairs, &in.snat);
		rc = report(e, &in, err);
	}
	lya_free(pairs);
	return rc;
}

void live_engine_free(struct live_engine *e)
{
	if (e == NULL)
		return;
	lya_audit_free(e->audit);
	live_missing_free(e->missing);
	live_policy_free(&e->policy);
	lya_free(e);
}
