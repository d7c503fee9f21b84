/*
 * state.h - read a service's state directory with the rights that this takes.
 */
#ifndef LYNCAUDIT_CLI_STATE_H
#define LYNCAUDIT_CLI_STATE_H

#include <limits.h>

#include "lyncaudit/status.h"

/*
 * The state directory by a name without symbolic links, for a data base is opened by no other:
 * whoever says `--state /var/lib/lyncaudit` may have put it on a larger disk.  It need not be
 * there yet.  In room; dir itself when there is nothing to follow.
 */
const char *cli_state_name(const char *dir, char room[static PATH_MAX]);

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
