/*
 * read_option.h - arguments of options that several commands have.
 *
 * All answer -1 to go on, or the exit status to end with once they have said what is
 * wrong; `option` is the long name.
 */
#ifndef LYNCAUDIT_SRC_CLI_READ_OPTION_H
#define LYNCAUDIT_SRC_CLI_READ_OPTION_H

#include <stddef.h>

#include "lyncaudit/capture.h"
#include "lyncaudit/finding.h"

enum cli_color { CLI_COLOR_AUTO, CLI_COLOR_ALWAYS, CLI_COLOR_NEVER };

/* "FILE=SECONDS": the name is cut off in place, and borrowed. */
int cli_read_offset(const char *command, char *text, struct lya_capture_offset *offset);
int cli_read_number(const char *command, const char *option, const char *text, size_t *value);
int cli_read_color(const char *command, const char *when, enum cli_color *color);
int cli_read_severity(const char *command, const char *option, const char *name,
		      enum lya_severity *severity);
/* --max-memory */
int cli_read_memory(const char *command, const char *text, size_t *bytes);

#endif
