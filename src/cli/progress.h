/*
 * progress.h - how far the reading is, on standard error.
 */
#ifndef LYNCAUDIT_SRC_CLI_PROGRESS_H
#define LYNCAUDIT_SRC_CLI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cli_progress {
	bool shown;
	uint64_t packets, next_look; /* the clock is asked every so many packets */
	int64_t next_ns;
};

/* wanted: 1 yes, 0 no, -1 when standard error is a terminal. */
void cli_progress_begin(struct cli_progress *p, int wanted, bool quiet);
void cli_progress_step(struct cli_progress *p, size_t packets);
/* Clear the line. */
void cli_progress_end(struct cli_progress *p);

#endif
