/*
 * keeper.h - what a service keeps of an audit that goes on for years, and the
 * report that it leaves every night.
 *
 * How it works.  Time is cut into periods: a day in the site's time zone, from
 * the report time to the next day's (23, 24 or 25 hours).  A period's evidence
 * is a sum, made of what was summed up in stretches (from a start or a reload
 * to the next, within one period) in any order:
 *
 *	stretch = tally            counts of packets, sources, validity, SNAT: all since it began
 *	        + ended flows      appended at every checkpoint, joined now and then
 *	        + open flows       judged as if they ended now; replaced at every checkpoint
 *
 * A checkpoint hands these over in one transaction, so a process that is killed
 * leaves the last one, whole: nothing twice, and a gap (from there to the next
 * start) that the next report names.  A flow that lives over the end of a period
 * counts once in each, with the packets that came in it; one that lives over a
 * reload counts once, judged by what was in force last.
 *
 * Packets that prove findings, where the audit keeps them, are in memory alone until the
 * report of their period is made: a kill loses them, and the next report and file say so.
 *
 * Two threads.  The caller's own, which captures, calls everything here but the
 * callbacks; it visits open flows in slices between batches of packets, and never
 * waits (but where packets come from files, and days go by faster than their reports can
 * be made).  The book's, which the keeper starts, owns the store: it writes, joins,
 * makes reports, and calls back.  When the disk is slow or full the evidence waits in
 * bounded memory, checkpoints are fewer, and lya_keeper_status says so.
 *
 * Clocks are the caller's: nothing here asks one.  A period ends with the first
 * packet of the next, or when lya_keeper_step says that it is over.  It ends as well
 * when the clock is set back by more than LYA_KEEPER_BACK_S: the day that comes
 * a second time is another period, whose report has another name (2026-11-21.2).
 * Smaller steps change nothing: what comes late belongs to the period under way.
 */
#ifndef LYNCAUDIT_KEEPER_H
#define LYNCAUDIT_KEEPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lyncaudit/audit.h"
#include "lyncaudit/capture.h"
#include "lyncaudit/report.h"
#include "lyncaudit/status.h"
#include "lyncaudit/store.h"

enum {
	LYA_KEEPER_BACK_S = 7200,     /* a clock that steps back further has been set */
	LYA_KEEPER_LOSS_S = 10,       /* what a kill may lose, while the disk keeps up */
	LYA_KEEPER_MISSED_MAX = 366   /* days that are made up; beyond, it was the clock */
};

/* Site, rules and policy as they were loaded; site and rules know their own text. */
struct lya_keeper_policy {
	struct lya_site *site;
	struct lya_rules *rules;
	struct lya_policy *policy;
	bool strict; /* as given to lya_policy_new */
};

/* What time it is. */
struct lya_keeper_clock {
	/*
	 * For packets: the wall clock where they come from an interface; where a ring of
	 * captures is followed, the time of the newest packet read, and the wall
	 * clock once there is nothing left to read.
	 */
	int64_t time_ns;
	int64_t wall_ns; /* for `run` and for when something was made */
	int64_t mono_ns; /* CLOCK_MONOTONIC: how long something took */
	/*
	 * time_ns is that of packets: their own times end periods.  Otherwise a packet whose
	 * time is far from it (a network card's clock may be wrong) ends none.
	 */
	bool by_packets;
};

/* The period so far, as its report would say it. */
struct lya_keeper_view {
	/*
	 * Finished.  Findings without flows (missing-flow, exception-unused, ...) say
	 * what would be true if the period ended now: nothing to raise an alarm about.
	 */
	const struct lya_report_input *report;
	uint64_t open_flows; /* that the view holds */
};

/* Packets that prove the findings of a report that stands under its name; borrowed. */
struct lya_keeper_proof {
	const char *name; /* the report's: "2026-11-21", "2026-11-21T134510Z" */
	const struct lya_evidence *packets;
	const struct lya_ledger *ledger;
	const struct lya_source *sources;
	size_t n_sources;
	int64_t since_ns; /* packets of before were another process's; LYA_TIME_NONE: none were */
	bool reloaded;    /* site and rules were read again since then */
	int64_t drop_before_ns; /* what is older need not be kept; LYA_TIME_NONE: everything is */
};

/* Write it as a file of evidence (evidence.h). */
int lya_keeper_proof_write(const struct lya_keeper_proof *proof, struct lya_output *out,
			   struct lya_finding_packets *total, struct lya_error *err);

enum lya_keeper_level { LYA_KEEPER_NOTE, LYA_KEEPER_WARNING };

struct lya_keeper_options {
	const char *state_dir;      /* made when it is not there; copied */
	const char *sensor;         /* the name in reports; copied */
	const char *version, *host; /* of `run`; host may be NULL; copied */
	const char *const *arguments;
	size_t n_arguments;         /* copied */
	unsigned report_s;          /* seconds after local midnight at which a period ends */
	enum lya_severity fail_on;
	struct lya_store_keep keep; /* how much the store keeps */
	size_t max_memory;          /* as given to the audit */
	/*
	 * From the book's thread, which waits meanwhile; all borrowed for the call; may be NULL.
	 * on_view: after every checkpoint, or less often where making a view takes long.
	 */
	void (*on_view)(void *ctx, const struct lya_keeper_view *view);
	/* A report stands under its name: its path, below the state directory, and its verdict. */
	void (*on_report)(void *ctx, const char *path, enum lya_report_verdict verdict);
	/*
	 * After that, where the audit keeps packets: write them somewhere.  Of a night whose
	 * packets cannot be written they are kept for a while, and it is tried again.  Not NULL
	 * when the audit has `evidence`.
	 */
	int (*on_proof)(void *ctx, const struct lya_keeper_proof *proof, struct lya_error *err);
	/* What an operator should know: writing suspended, or goes on; a store set aside. */
	void (*on_message)(void *ctx, enum lya_keeper_level level, const char *text);
	void *ctx;
};

struct lya_keeper;

/*
 * Open the store, take the lock of the state directory, and start the book's thread,
 * which first makes the reports of nights that were missed.  The audit must be
 * `continuous`, made with policy->policy, and outlive the keeper.  On success the
 * keeper owns what *policy holds, and frees each part when nobody needs it any more.
 * Errors say what is in the way: LYA_EOUTPUT (the directory cannot be written),
 * LYA_EUSAGE (another instance, which is named, holds it; the store is of a newer version).
 */
int lya_keeper_open(struct lya_keeper **k, struct lya_audit *audit,
		    const struct lya_keeper_policy *policy,
		    const struct lya_keeper_options *options, const struct lya_keeper_clock *now,
		    struct lya_error *err);

/*
 * Take frames in order of time, as lya_audit_take does; where a period ends between
 * two of them, it ends there.  sources: what the capture knows of each source,
 * these frames included; it must not shrink or change its order, and only counts up.  One
 * entry for an interface or for a ring of files, not one for each file.
 */
int lya_keeper_take(struct lya_keeper *k, const struct lya_frame *frames, size_t n,
		    const struct lya_source *sources, size_t n_sources, struct lya_error *err);

/*
 * Do a slice of what is due, half a millisecond or so.  Call it after every
 * batch, and when *wait_ms (may be 0) are over without one.
 */
int lya_keeper_step(struct lya_keeper *k, const struct lya_keeper_clock *now,
		    const struct lya_source *sources, size_t n_sources, unsigned *wait_ms,
		    struct lya_error *err);

/*
 * Something that the report must name: an interface that was down (LYA_EVENT_GAP, a gap of
 * the period), packets dropped from when to when (LYA_EVENT_DROP), and so on.  Copied.  A
 * gap whose to_ns is LYA_TIME_NONE goes on: it counts in every period until one of the same
 * source and from_ns is told with its end, or the sensor is started again.  Starts, stops,
 * reloads and a clock that is set are noted by the keeper itself.
 */
int lya_keeper_event(struct lya_keeper *k, const struct lya_store_event *event,
		     struct lya_error *err);

/* A report of the period so far, as soon as a checkpoint is made: reports/2026-11-21T134510Z.json. */
void lya_keeper_report(struct lya_keeper *k);

/*
 * Judge by another site and rules from now on.  On success the keeper (and the audit)
 * have *policy; on failure nothing has changed and it is the caller's still.
 */
int lya_keeper_reload(struct lya_keeper *k, const struct lya_keeper_policy *policy,
		      const struct lya_keeper_clock *now, const struct lya_source *sources,
		      size_t n_sources, struct lya_error *err);

/* How the store fares; from any thread. */
struct lya_keeper_status {
	int64_t committed_ns;  /* evidence up to this time is safe; LYA_TIME_NONE: none yet */
	uint64_t store_bytes;
	unsigned waiting;      /* checkpoints handed over and not yet written */
	bool suspended;        /* writing fails; `why` says how */
	char why[256];
};
void lya_keeper_status(const struct lya_keeper *k, struct lya_keeper_status *out);

/*
 * The end: all flows end, the last checkpoint is written, and a report of the period so
 * far is left.  Waits for the book, at most timeout_ms: LYA_EIO when it did not answer
 * (a disk that hangs), in which case the process should simply end; LYA_EOUTPUT when it
 * could not be written (a disk that is full).
 */
int lya_keeper_stop(struct lya_keeper *k, const struct lya_keeper_clock *now,
		    const struct lya_source *sources, size_t n_sources, unsigned timeout_ms,
		    struct lya_error *err);
/* After a stop that went well, or instead of one: what is not written is lost, as by a kill. */
void lya_keeper_free(struct lya_keeper *k);

/* Without a service ------------------------------------------------------------------ */

/*
 * Make a night's report again from a state directory (nothing is written there; a service
 * may be running): the same bytes but for `run`.  name is a day, "2026-11-21", or with
 * its number where that day came more than once, "2026-11-21.2".
 */
int lya_keeper_make(const char *state_dir, const char *name, const struct lya_report_run *run,
		    struct lya_output *out, struct lya_error *err);

#endif
