/*
 * screen.h - what a watch shows on a terminal.
 *
 * The warden draws what the sensor composed; messages of all processes, which would spoil
 * the picture, come by a pipe in place of standard error and stand below it.
 */
#ifndef LYNCAUDIT_LIVE_SCREEN_H
#define LYNCAUDIT_LIVE_SCREEN_H

#include <poll.h>
#include <stddef.h>

#include "lyncaudit/status.h"

struct live_screen;

/* Before other processes are started: from now on standard error is the pipe. */
int live_screen_new(struct live_screen **s, struct lya_error *err);
/* Begin to draw.  LYA_EUSAGE: nothing is known of this terminal. */
int live_screen_begin(struct live_screen *s, struct lya_error *err);
/* What can be waited for: messages and keys. */
void live_screen_wait(const struct live_screen *s, struct pollfd fds[static 2]);
/* Read both; 'q' or another key, 0: none was pressed. */
int live_screen_work(struct live_screen *s);
/* Lines to show; those that begin with '#' are headings. */
void live_screen_show(struct live_screen *s, const char *text);
/* The terminal has another size. */
void live_screen_resize(struct live_screen *s);
/* Back to an ordinary terminal, on which the last messages stand; NULL is fine. */
void live_screen_free(struct live_screen *s);

#endif
