/*
 * parts.h - captures through an audit without end, and what its parts add up to.
 *
 *	lab_open(&lab, "lab-day", true);          an audit over one of the lab's captures
 *	while ((n = lab_next(&lab)) > 0) ...      a handful of its frames, taken
 *	evidence_add(&e, &part)                   parts are packed, and added from their bytes
 *	evidence_report(&e)                       the report of what was added
 */
#ifndef TEST_AUDIT_PARTS_H
#define TEST_AUDIT_PARTS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lyncaudit/alloc.h"
#include "lyncaudit/audit.h"
#include "lyncaudit/report.h"
#include "lyncaudit/timeutil.h"

enum { LAB_FRAMES = 16 }; /* few: the captures are small */

struct lab_world {
	struct lya_site *site;
	struct lya_rules *rules;
	struct lya_policy *policy;
	size_t max_flows; /* of audits: where it is small, flows end all the time */
	unsigned threads; /* of audits without end */
	bool packets;     /* those that prove findings are kept */
};

static inline void lab_world_open(struct lab_world *w, const char *site_text)
{
	struct lya_diags diags = { 0 };
	struct lya_error err = { 0 };
	int rc = lya_rules_load(&w->rules, TEST_SOURCE_DIR "/rules/lync-server-2013", &diags, &err);

	if (rc == LYA_OK && site_text == NULL)
		rc = lya_site_load(&w->site, TEST_SOURCE_DIR "/docs/examples/site.json", &diags,
				   &err);
	else if (rc == LYA_OK && site_text != NULL)
		rc = lya_site_load_text(&w->site, "site.json", site_text, strlen(site_text), &diags,
					&err);
	if (rc == LYA_OK)
		rc = lya_policy_new(&w->policy, w->site, w->rules, false, &diags, &err);
	if (rc != LYA_OK)
		fail_msg("%s", err.text);
	lya_diags_fini(&diags);
}

static inline void lab_world_close(struct lab_world *w)
{
	lya_policy_free(w->policy);
	lya_site_free(w->site);
	lya_rules_free(w->rules);
}

struct lab {
	struct lya_capture *capture;
	struct lya_audit *audit;
	const struct lya_source *sources;
	size_t n_sources;
	int64_t first_ns, now_ns; /* of the packets taken */
	struct lya_frame frames[LAB_FRAMES];
};

static inline void lab_open(struct lab *lab, const struct lab_world *w, const char *name,
			    bool continuous)
{
	struct lya_audit_options options = { .continuous = continuous,
					     .evidence = w->packets,
					     .max_memory = (size_t)64 << 20,
					     .max_flows = w->max_flows,
					     .threads = continuous ? w->threads : 1 };
	struct lya_capture_options capture = { .n_paths = 1, .hold = LYA_AUDIT_HOLD };
	struct lya_error err = { 0 };
	char path[512];
	const char *paths[] = { path };

	memset(lab, 0, sizeof(*lab));
	(void)snprintf(path, sizeof(path), "%s/pcaps/%s.pcapng", TEST_SOURCE_DIR, name);
	capture.paths = paths;
	if (lya_capture_open(&lab->capture, &capture, &err) != LYA_OK ||
	    lya_audit_new(&lab->audit, w->policy, &options, &err) != LYA_OK)
		fail_msg("%s", err.text);
	lab->sources = lya_capture_sources(lab->capture, &lab->n_sources);
	lab->first_ns = LYA_TIME_NONE;
}

static inline void lab_close(struct lab *lab)
{
	lya_audit_free(lab->audit);
	lya_capture_close(lab->capture);
}

/* Frames of the capture, at most max, which are not taken yet; 0: there are no more. */
static inline size_t lab_read(struct lab *lab, size_t max)
{
	struct lya_error err;
	size_t n;

	assert_int_equal(lya_capture_next(lab->capture, lab->frames, max, &n, &err), LYA_OK);
	return n;
}

static inline void lab_take(struct lab *lab, const struct lya_frame *frames, size_t n)
{
	struct lya_error err;

	if (n == 0)
		return;
	if (lab->first_ns == LYA_TIME_NONE)
		lab->first_ns = frames[0].time_ns;
	lab->now_ns = frames[n - 1].time_ns;
	assert_int_equal(lya_audit_take(lab->audit, frames, n, &err), LYA_OK);
}

static inline size_t lab_next(struct lab *lab)
{
	size_t n = lab_read(lab, LAB_FRAMES);

	lab_take(lab, lab->frames, n);
	return n;
}

static inline void pass_begin(struct lab *lab, enum lya_audit_pass kind, int64_t time_ns)
{
	struct lya_error err = { 0 };

	if (lya_audit_pass_begin(lab->audit, kind, time_ns, lab->sources, lab->n_sources, &err) !=
	    LYA_OK)
		fail_msg("%s", err.text);
}

/* A slice of a pass; true when that was the last. */
static inline bool pass_step(struct lab *lab, size_t flows)
{
	struct lya_error err;
	bool done;

	assert_int_equal(lya_audit_pass_step(lab->audit, flows, &done, &err), LYA_OK);
	return done;
}

static inline struct lya_audit_part pass_end(struct lab *lab)
{
	struct lya_audit_part part;
	struct lya_error err;

	assert_int_equal(lya_audit_pass_end(lab->audit, &part, &err), LYA_OK);
	return part;
}

static inline struct lya_audit_part lab_stop(struct lab *lab)
{
	struct lya_audit_part part;
	struct lya_error err;

	assert_int_equal(lya_audit_stop(lab->audit, lab->sources, lab->n_sources, &part, &err),
			 LYA_OK);
	return part;
}

/* Parts added up ---------------------------------------------------------------------------- */

struct evidence {
	const struct lab_world *world;
	struct lya_ledger *ledger;
	struct lya_tally *tally;
	struct lya_flow_sum minutes; /* of all parts */
	uint64_t opened;
};

static inline void evidence_open(struct evidence *e, const struct lab_world *w)
{
	struct lya_ledger_options options = { .max_bytes =
						  lya_audit_ledger_bytes((size_t)64 << 20) };

	memset(e, 0, sizeof(*e));
	e->world = w;
	assert_int_equal(lya_ledger_new(&e->ledger, w->policy, &options, NULL), LYA_OK);
	assert_int_equal(lya_tally_new(&e->tally, NULL), LYA_OK);
}

static inline void evidence_close(struct evidence *e)
{
	lya_ledger_free(e->ledger);
	lya_tally_free(e->tally);
}

static inline void evidence_add_ledger(struct evidence *e, const struct lya_ledger *l)
{
	struct lya_error err = { 0 };
	struct lya_pack pack = { 0 };

	assert_int_equal(lya_ledger_pack(l, &pack), LYA_OK);
	if (lya_ledger_unpack(e->ledger, pack.data, pack.len, NULL, 0, &err) != LYA_OK)
		fail_msg("%s", err.text);
	lya_pack_fini(&pack);
}

static inline void evidence_add_minutes(struct evidence *e, const struct lya_minutes *m)
{
	struct lya_minute row;
	size_t pos = 0;

	while (lya_minutes_next(m, &pos, &row)) {
		e->minutes.packets += row.packets;
		e->minutes.bytes += row.bytes;
		e->opened += row.opened;
	}
}

static inline void evidence_add_tally(struct evidence *e, const struct lya_tally *t)
{
	uint32_t map[LYA_TALLY_SOURCES];
	struct lya_error err = { 0 };
	struct lya_pack pack = { 0 };
	struct lya_tally *again;

	assert_int_equal(lya_tally_pack(t, &pack), LYA_OK);
	if (lya_tally_unpack(&again, pack.data, pack.len, &err) != LYA_OK)
		fail_msg("%s", err.text);
	assert_int_equal(lya_tally_merge(e->tally, again, map, &err), LYA_OK);
	lya_tally_free(again);
	lya_pack_fini(&pack);
}

/*
 * Add what a part holds for good, and release it.  `whole`: what is replaced by the next
 * part as well (open flows, tally): the part is the last of its stretch.
 */
static inline void evidence_add(struct evidence *e, struct lya_audit_part *part, bool whole)
{
	evidence_add_ledger(e, part->ended);
	evidence_add_minutes(e, part->minutes);
	if (whole && part->open != NULL)
		evidence_add_ledger(e, part->open);
	if (whole)
		evidence_add_tally(e, part->tally);
	lya_audit_part_fini(part);
}

static inline struct lya_ledger_counts evidence_counts(const struct evidence *e)
{
	struct lya_ledger_counts counts;

	lya_ledger_counts(e->ledger, &counts);
	return counts;
}

/* Minutes hold what the ledger holds, packet by packet. */
static inline void evidence_agrees(const struct evidence *e)
{
	struct lya_ledger_counts counts = evidence_counts(e);

	assert_int_equal(e->minutes.packets, counts.packets);
	assert_int_equal(e->minutes.bytes, counts.bytes);
}

/* Reports ----------------------------------------------------------------------------------- */

static inline char *report_text(const struct lya_report_input *in)
{
	char path[] = "/tmp/lyncaudit-parts-XXXXXX";
	int fd = mkstemp(path);
	struct lya_output *out;
	struct lya_error err;
	FILE *file;
	char *text;
	long len;

	assert_true(fd != -1);
	(void)close(fd);
	assert_int_equal(lya_output_open(&out, path, false, &err), LYA_OK);
	lya_report_json(out, in);
	assert_int_equal(lya_output_commit(out, &err), LYA_OK);
	file = fopen(path, "rb");
	assert_non_null(file);
	assert_int_equal(fseek(file, 0, SEEK_END), 0);
	len = ftell(file);
	rewind(file);
	text = calloc(1, (size_t)len + 1);
	assert_non_null(text);
	assert_int_equal(fread(text, 1, (size_t)len, file), len);
	(void)fclose(file);
	(void)unlink(path);
	return text;
}

/* The report of all that was added; freed by the caller.  Nothing can be added any more. */
static inline char *evidence_report(struct evidence *e)
{
	struct lya_report_input in = { .run.version = "", .fail_on = LYA_SEVERITY_LOW };
	struct lya_ledger_end end = { 0 };
	struct lya_ledger_source *told = NULL;
	struct lya_report_snat_pair *pairs = NULL;
	struct lya_site_fault *faults = NULL;
	struct lya_limit *limits = NULL;
	struct lya_error err;
	char *text;

	assert_int_equal(lya_tally_end(e->tally, &end, &told, &err), LYA_OK);
	assert_int_equal(lya_site_check(e->world->site, &faults, &end.n_faults, &err), LYA_OK);
	end.faults = faults;
	assert_int_equal(lya_ledger_finish(e->ledger, &end, &err), LYA_OK);
	assert_int_equal(lya_tally_limits(e->tally, e->ledger, &limits, &in.n_limits, &err), LYA_OK);
	assert_int_equal(lya_tally_report(e->tally, e->world->site, &in, &pairs, &err), LYA_OK);
	in.ledger = e->ledger;
	in.limits = limits;
	text = report_text(&in);
	lya_limits_free(limits, in.n_limits);
	lya_free(pairs);
	lya_free(told);
	lya_site_faults_free(faults, end.n_faults);
	return text;
}

/* What an audit that ends says of a capture. */
static inline char *whole_report(const struct lab_world *w, const char *name)
{
	struct lya_report_input in = { .run.version = "", .fail_on = LYA_SEVERITY_LOW };
	struct lya_report_snat_pair *pairs;
	struct lya_audit_counts counts;
	struct lya_error err;
	struct lab lab;
	size_t n_pairs;
	char *text;

	lab_open(&lab, w, name, false);
	while (lab_next(&lab) > 0)
		;
	assert_int_equal(lya_audit_finish(lab.audit, lab.sources, lab.n_sources, &err), LYA_OK);
	assert_int_equal(lya_report_snat_pairs(w->site, &pairs, &n_pairs, &err), LYA_OK);
	lya_report_snat_fill(lya_audit_snat(lab.audit), pairs, n_pairs, &in.snat);
	lya_audit_counts(lab.audit, &counts);
	lya_audit_flow_stats(lab.audit, &in.flow_stats);
	in.sources = lab.sources;
	in.n_sources = lab.n_sources;
	in.ledger = lya_audit_ledger(lab.audit);
	in.limits = lya_audit_limits(lab.audit, &in.n_limits);
	in.totals.not_ip = counts.not_ip;
	in.totals.not_tcp_udp = counts.not_tcp_udp;
	in.totals.duplicates = counts.duplicates;
	memcpy(in.totals.events, counts.events, sizeof(counts.events));
	text = report_text(&in);
	lya_free(pairs);
	lab_close(&lab);
	return text;
}

#endif
