/*
 * report.h - what the files of this module share.
 */
#ifndef LYNCAUDIT_SRC_REPORT_H
#define LYNCAUDIT_SRC_REPORT_H

#include "lyncaudit/json.h"
#include "lyncaudit/report.h"
#include "lyncaudit/text.h"

/* The time as a string, or null for LYA_TIME_NONE. */
void report_time(struct lya_json_writer *w, const char *name, int64_t time_ns, unsigned digits);
/* "tcp", "udp"; NULL for others */
const char *report_transport(uint8_t transport);
/* The name of a role, "none" for LYA_ROLES. */
const char *report_role(enum lya_role role);
void report_address(struct lya_json_writer *w, const char *name, const struct lya_addr *addr);

/* finding_json.c: one finding object; evidence: its packets in a file, or NULL */
void report_finding(struct lya_json_writer *w, const struct lya_policy *policy,
		    const struct lya_source *sources, size_t n_sources,
		    const struct lya_finding *f, const struct lya_finding_packets *evidence);

/* night.c: the objects of a nightly report, before and behind the others */
void report_night(struct lya_json_writer *w, const struct lya_report_night *night);
void report_changes(struct lya_json_writer *w, const struct lya_report_night *night);

/* edge.c: the external side of the Edge, pool by pool */
void report_edge(struct lya_json_writer *w, const struct lya_report_input *in);
/* "7 of 9 declared public IPv4 addresses seen; not seen: ..." */
void report_edge_words(struct lya_text *t, const struct lya_edge_pool *pool);

/* A filter left packets of some source out: nothing is said of what was not seen. */
bool report_filtered(const struct lya_report_input *in);

/* Sums over all sources. */
struct report_span {
	uint64_t packets, bytes;
	int64_t first_ns, last_ns; /* LYA_TIME_NONE: no packet */
	unsigned first_digits, last_digits;
};
struct report_span report_span(const struct lya_report_input *in);

#endif
