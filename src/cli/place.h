/*
 * place.h - do two names stand for one file?
 */
#ifndef LYNCAUDIT_SRC_CLI_PLACE_H
#define LYNCAUDIT_SRC_CLI_PLACE_H

#include <stdbool.h>

/* Two outputs, be they there already or not: ./report and report. */
bool cli_same_output(const char *a, const char *b);
/* An output would take the place of this input.  A link to the input is replaced itself. */
bool cli_output_replaces(const char *output, const char *input);

#endif
