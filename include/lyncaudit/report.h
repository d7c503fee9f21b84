/*
 * report.h - what an audit leaves behind: the JSON report, a summary to read,
 * a line per flow and a line per finding.
 *
 * Everything here writes to a struct lya_output, whose errors are sticky: the
 * caller asks when it commits.  But for `run`, the same audit gives the same
 * bytes.
 */
#ifndef LYNCAUDIT_REPORT_H
#define LYNCAUDIT_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lyncaudit/capture.h"
#include "lyncaudit/decode.h"
#include "lyncaudit/finding.h"
#include "lyncaudit/output.h"
#include "lyncaudit/snat.h"
#include "lyncaudit/validity.h"

/* How this run came about; the one part that may differ between two reports. */
struct lya_report_run {
	const char *version;
	const char *host; /* the machine's name; NULL: not known */
	int64_t started_ns, finished_ns;
	const char *const *arguments;
	size_t n_arguments;
};

/* Packet counts of the whole audit. */
struct lya_report_totals {
	uint64_t not_ip, not_tcp_udp;
	uint64_t events[LYA_EV_COUNT]; /* packets with each event */
	uint64_t duplicates;
	bool interrupted; /* the audit was stopped before its input ended */
	bool gaps;        /* an interface could not be listened to for some time */
};

/* One external A/V VIP and one node behind it. */
struct lya_report_snat_pair {
	struct lya_addr vip, node;
	uint64_t transactions_preserved, transactions_rewritten;
	uint64_t connections_preserved, connections_rewritten;
};

/* The proof, either way, that A/V traffic keeps its source address. */
struct lya_report_snat {
	uint64_t transactions_preserved, transactions_rewritten;
	uint64_t connections_preserved, connections_rewritten;
	uint64_t unpaired; /* seen on one side only */
	uint64_t dropped;  /* forgotten for want of room while the other side might have come */
	const struct lya_report_snat_pair *pairs; /* sorted by vip, then node; borrowed */
	size_t n_pairs;
};

/* A time that a period's evidence does not cover. */
struct lya_report_gap {
	int64_t from_ns, to_ns;
	const char *source; /* NULL: the sensor as a whole */
	const char *why;    /* one sentence */
};

/* What happened to the sensor. */
struct lya_report_event {
	const char *kind;
	int64_t from_ns, to_ns;
	const char *source; /* or NULL */
	uint64_t count;
	const char *text;
};

/* By what a part of the period was judged. */
struct lya_report_stretch {
	int64_t from_ns, to_ns;
	const char *site_sha256, *rules_sha256;
};

/* What a nightly report has besides. */
struct lya_report_night {
	const char *sensor;
	const char *name; /* "2026-11-21" */
	int64_t from_ns, to_ns;
	const char *timezone;
	bool partial;
	const struct lya_report_gap *gaps;
	size_t n_gaps;
	const struct lya_report_stretch *stretches;
	size_t n_stretches;
	const struct lya_report_event *events;
	size_t n_events;
	const char *previous_file, *previous_sha256; /* NULL: it is the first */
	/* Ids of findings; findings that are gone, as objects on a line each. */
	const char *const *new_ids, *const *persisting_ids, *const *resolved;
	size_t n_new, n_persisting, n_resolved;
};

/* Everything a report is made of; all of it borrowed. */
struct lya_report_input {
	struct lya_report_run run;
	const char *filter; /* what packets had to pass; NULL: all were taken */
	const struct lya_source *sources;
	size_t n_sources;
	struct lya_report_totals totals;
	struct lya_flow_stats flow_stats;
	const struct lya_ledger *ledger; /* finished */
	const struct lya_limit *limits;
	size_t n_limits;
	struct lya_report_snat snat;
	/* Packets in a file of evidence, one for each finding; NULL: none was asked for. */
	const struct lya_finding_packets *evidence;
	struct lya_finding_packets evidence_total; /* a packet of several findings once */
	enum lya_severity fail_on; /* the lowest severity that fails */
	const struct lya_report_night *night; /* NULL: an audit that was not a service's */
};

/*
 * Every external A/V VIP with every A/V Edge node behind it (same pool, same
 * address family), counts zero, sorted.  *list is freed with lya_free.  How many a site may
 * have is bounded where it is audited (lya_snat_new).
 */
int lya_report_snat_pairs(const struct lya_site *site, struct lya_report_snat_pair **list,
			  size_t *n, struct lya_error *err);

/* Enter what was counted: into each of the pairs, and in all into out, which borrows them. */
void lya_report_snat_fill(const struct lya_snat *snat, struct lya_report_snat_pair *pairs,
			  size_t n, struct lya_report_snat *out);

enum lya_report_verdict {
	LYA_REPORT_COMPLIANT,
	LYA_REPORT_NON_COMPLIANT, /* a finding at or above fail_on */
	LYA_REPORT_INCOMPLETE     /* none, but the evidence is incomplete */
};

const char *lya_report_verdict_name(enum lya_report_verdict v); /* "non-compliant" */
/* False: not a single flow was held against the rows, which shows nothing of the deployment. */
bool lya_report_judged(const struct lya_report_input *in);
/*
 * False when packets were lost, flows evicted or undetermined, no flow was judged, the audit
 * was interrupted, or an interface could not be listened to for some time, or a period has
 * gaps.
 */
bool lya_report_complete(const struct lya_report_input *in);
enum lya_report_verdict lya_report_verdict(const struct lya_report_input *in);
/* The exit status of the program that says the same: 0, 1 or 3. */
int lya_report_exit_status(enum lya_report_verdict v);

/* The JSON report (lyncaudit-report/1). */
void lya_report_json(struct lya_output *out, const struct lya_report_input *in);
/* The readable summary, in lines of at most `width` columns (0: 80). */
void lya_report_summary(struct lya_output *out, const struct lya_report_input *in, bool colour,
			unsigned width);

/* One line of the flow log; raised may be NULL. */
void lya_report_flow_line(struct lya_output *out, const struct lya_policy *policy,
			  const struct lya_flow *flow, const struct lya_policy_end ends[static 2],
			  const struct lya_verdict *verdict,
			  const struct lya_flow_findings *raised);
/* One line for a finding, as it stands in the report. */
void lya_report_finding_line(struct lya_output *out, const struct lya_policy *policy,
			     const struct lya_source *sources, size_t n_sources,
			     const struct lya_finding *finding);

#endif
