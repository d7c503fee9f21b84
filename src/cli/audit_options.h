/*
 * audit_options.h - the command line of lyncaudit audit.
 */
#ifndef LYNCAUDIT_SRC_CLI_AUDIT_OPTIONS_H
#define LYNCAUDIT_SRC_CLI_AUDIT_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/read_option.h"
#include "lyncaudit/capture.h"
#include "lyncaudit/finding.h"

struct audit_options {
	const char *site, *rules, *filter;
	const char **reads; /* room for argc entries; owned */
	size_t n_reads;
	struct lya_capture_offset *offsets; /* names are cut out of argv; owned */
	size_t n_offsets;
	const char *report, *flows, *findings, *evidence; /* NULL: not wanted */
	bool strict, quiet;
	int progress; /* 1 yes, 0 no, -1 when standard error is a terminal */
	enum cli_color color;
	enum lya_severity fail_on;
	size_t max_memory, max_flows, threads; /* 0: not given */
};

/*
 * Read argv.  Answers -1 to go on, or the exit status to end with (help was
 * printed, or what is wrong was said).  Release with audit_options_fini.
 */
int audit_options_read(struct audit_options *o, int argc, char **argv);
void audit_options_fini(struct audit_options *o);

#endif
