/*
 * state.h - read a service's state directory with the rights that this takes.
 */
#ifndef LYNCAUDIT_CLI_STATE_H
#define LYNCAUDIT_CLI_STATE_H

#include "lyncaudit/status.h"

struct cli_state {
	const char *dir;
	const char *output; /* that is open and takes its name afterwards; NULL: none */
	/* Read, and write what was asked for; it may be called in another process. */
	int (*read)(void *ctx, struct lya_error *err);
	void *ctx;
};

/* EXIT_FINE; EXIT_ERROR, and why has been said.  The process has few rights afterwards, or is root.
 */
int cli_read_state(const struct cli_state *s);

#endif
