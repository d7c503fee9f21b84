/*
 * place.h - do two names stand for one file?
 */
#ifndef LYNCAUDIT_SRC_CLI_PLACE_H
#define LYNCAUDIT_SRC_CLI_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Two outputs, be they there already or not: ./report and report. */
bool cli_same_output(const char *a, const char *b);

/* The file whose place an output will take. */
struct cli_replaced {
	const char *output; /* borrowed */
	dev_t dev;
	ino_t ino;
};

/* Whether there is one.  A link is replaced itself, not what it leads to. */
bool cli_replaced_find(struct cli_replaced *r, const char *output);
/* The output among n that would take the place of this file, or NULL. */
const char *cli_replaced_by(const struct cli_replaced *list, size_t n, dev_t dev, ino_t ino);

#endif
