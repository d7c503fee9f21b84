/*
 * watch_options.h - the command line of lyncaudit watch.
 */
#ifndef LYNCAUDIT_SRC_CLI_WATCH_OPTIONS_H
#define LYNCAUDIT_SRC_CLI_WATCH_OPTIONS_H

#include <stdbool.h>

#include "lyncaudit/live.h"

struct watch_options {
	struct lya_watch_options live; /* lists are owned */
	const char **interfaces;       /* the same lists, to be filled and freed */
	struct lya_capture_offset *offsets;
	bool list;  /* -D */
	bool quiet;
};

/* As audit_options_read and _fini (audit_options.h). */
int watch_options_read(struct watch_options *o, int argc, char **argv);
void watch_options_fini(struct watch_options *o);

#endif
