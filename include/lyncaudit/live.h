/*
 * live.h - the service: what `lyncaudit watch` runs.
 *
 * Three processes, of which only one sees packets, and that one can do nothing else:
 *
 *	warden   the one that was started: owns configuration files, outputs by name, signals
 *	         and the service manager; never sees a packet
 *	sensor   an ordinary user without any capability, confined (confine.h): listens,
 *	         parses, judges, writes below the state directory
 *	courier  the same user: what leaves the machine, and the hook; started when wanted
 *
 * They talk by messages (post.h).  When one of them ends, all do.
 */
#ifndef LYNCAUDIT_LIVE_H
#define LYNCAUDIT_LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lyncaudit/capture.h"
#include "lyncaudit/finding.h"
#include "lyncaudit/status.h"

enum lya_watch_level { LYA_WATCH_NOTE, LYA_WATCH_WARNING, LYA_WATCH_ERROR };

struct lya_watch_options {
	const char *site, *rules; /* paths; rules: a folder or a file */
	bool strict;
	const char *const *interfaces;
	size_t n_interfaces;
	const char *follow; /* instead of interfaces a folder of captures; wants `state` */
	const char *filter;
	const struct lya_capture_offset *offsets;
	size_t n_offsets;
	unsigned threads; /* 0, 1: one; more: an interface has so many buffers, too */
	size_t buffer;    /* bytes of each; 0: as capture.h has it */
	bool adapter_time;
	const char *user; /* who the sensor is, when root starts it */
	const char *report; /* path, NULL: none; not together with: */
	const char *state;  /* the state directory (keeper.h); NULL: none, one report at the end */
	const char *sensor; /* its name in reports */
	unsigned report_s;  /* seconds after local midnight at which a period ends */
	unsigned keep_days; /* 0, and 0 bytes: as store.h has it */
	uint64_t keep_bytes;
	const char *findings; /* path: a line for each finding as it happens; NULL: none */
	const char *flows;    /* path: a line for each flow that ended; NULL: none */
	/*
	 * Path: packets that prove findings; with `state` a file for each report, whose name goes
	 * into it before its suffix.  NULL: none.
	 */
	const char *evidence;
	const char *metrics;  /* path: numbers for Prometheus; NULL: none */
	const char *syslog;   /* "local", "udp:ADDRESS:PORT", "tcp:ADDRESS:PORT"; NULL: none */
	const char *hook;     /* path of a program that is started for new findings; NULL: none */
	enum lya_severity hook_severity; /* the lowest one for which it is */
	size_t max_memory, max_flows; /* as for an audit */
	enum lya_severity fail_on;
	bool screen; /* standard output and input are a terminal: show what happens there */
	const char *version, *host; /* for reports */
	const char *const *arguments;
	size_t n_arguments;
	/* Say something to the operator; from any of the processes. */
	void (*say)(void *ctx, enum lya_watch_level level, const char *text);
	void *ctx;
};

/* Whether options.syslog may be that. */
bool lya_watch_syslog_known(const char *text);

/*
 * Run until asked to stop (SIGTERM, SIGINT): 0.  SIGHUP reads site and rules again and
 * opens the files of findings and flows anew, SIGUSR1 makes a report.  Failures have been said
 * or are in err.
 */
int lya_watch_run(const struct lya_watch_options *options, struct lya_error *err);

#endif
