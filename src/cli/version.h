/*
 * version.h - lyncaudit --version.
 */
#ifndef LYNCAUDIT_SRC_CLI_VERSION_H
#define LYNCAUDIT_SRC_CLI_VERSION_H

/* Print version, libraries and what the kernel offers for protection; EXIT_FINE. */
int cli_print_version(void);

#endif
