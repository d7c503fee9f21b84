/*
 * cli.h - what the files of the program share: subcommands, exit statuses
 * and messages.  Only this folder prints and exits.
 */
#ifndef LYNCAUDIT_SRC_CLI_H
#define LYNCAUDIT_SRC_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lyncaudit/policy.h"
#include "lyncaudit/rule.h"
#include "lyncaudit/site.h"
#include "lyncaudit/status.h"

/* product.md "Command line": exit status. */
enum {
	EXIT_FINE = 0,
	EXIT_ATTENTION = 1, /* findings, or an answer that wants attention */
	EXIT_ERROR = 2,     /* usage, site, rule, input or output error */
	EXIT_INCOMPLETE = 3 /* nothing found, but evidence is missing */
};

/* One subcommand: argv[0] is its name. */
struct cli_command {
	const char *name;
	const char *usage;   /* behind "lyncaudit" */
	const char *purpose; /* one line */
	int (*run)(int argc, char **argv);
};

extern const struct cli_command cli_commands[]; /* ends with name NULL */

int cmd_audit(int argc, char **argv);
int cmd_watch(int argc, char **argv);
int cmd_rules(int argc, char **argv);
int cmd_site(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_history(int argc, char **argv);

/* "lyncaudit: TEXT" on standard error. */
void cli_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The same, and where to find help; returns EXIT_ERROR. */
int cli_usage_error(const char *command, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/*
 * What getopt_long did not like: c is its answer ('?', or ':' for a missing
 * argument; option strings begin with ':').  Returns EXIT_ERROR.
 */
int cli_bad_option(const char *command, int c, char *const *argv);
/* Print a command's usage and the text behind it on standard output; returns EXIT_FINE. */
int cli_help(const char *command, const char *text);
/* Every message of diags on standard error. */
void cli_print_diags(const struct lya_diags *diags);
/* Standard output could be written: status, else a message and EXIT_ERROR. */
int cli_finish_stdout(int status);

/*
 * Site, rules and policy as the options name them; any of site_path (NULL: no
 * site, no policy) and rules_path (NULL: the installed set).  Prints what is
 * wrong.  False on failure; release with cli_unload either way.
 */
struct cli_loaded {
	struct lya_site *site;
	struct lya_rules *rules;
	struct lya_policy *policy;
};

bool cli_load(struct cli_loaded *l, const char *site_path, const char *rules_path, bool strict);
void cli_unload(struct cli_loaded *l);

/* The rule set's folder: beside the program in a build tree, or where it is installed. */
bool cli_default_rules(char *path, size_t size);

/* Nanoseconds since 1970, by the clock on the wall. */
int64_t cli_wall_clock_ns(void);

/* Read "1GiB", "512M", "65536" (bytes; K, M, G with or without iB are powers of 1024). */
bool cli_parse_size(const char *text, size_t *bytes);

#endif
