/*
 * message.c - what the program says, and how it fails.
 */
#include "cli/cli.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void cli_error(const char *fmt, ...)
{
	va_list ap;

	fputs("lyncaudit: ", stderr);
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

int cli_usage_error(const char *command, const char *fmt, ...)
{
	va_list ap;

	fputs("lyncaudit: ", stderr);
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\nlyncaudit %s --help tells more\n", command);
	return EXIT_ERROR;
}

int cli_bad_option(const char *command, int c, char *const *argv)
{
	const char *word = argv[optind - 1];

	if (c == ':')
		return cli_usage_error(command, "%s wants an argument", word);
	if (optopt != 0 && strncmp(word, "--", 2) != 0)
		return cli_usage_error(command, "-%c is no option", optopt);
	if (optopt != 0) /* a long one without arguments that was given one */
		return cli_usage_error(command, "%s takes no argument", word);
	return cli_usage_error(command, "%s is no option", word);
}

int cli_help(const char *command, const char *text)
{
	for (const struct cli_command *c = cli_commands; c->name != NULL; c++) {
		if (strcmp(c->name, command) == 0)
			printf("usage: lyncaudit %s\n\n%s", c->usage, text);
	}
	return EXIT_FINE;
}

void cli_print_diags(const struct lya_diags *diags)
{
	static const char *const levels[] = {
		[LYA_DIAG_ERROR] = "", [LYA_DIAG_WARNING] = "warning: ", [LYA_DIAG_NOTE] = "note: "
	};

	for (size_t i = 0; i < diags->n; i++)
		fprintf(stderr, "%s%s\n", levels[diags->list[i].level], diags->list[i].text);
	if (diags->dropped > 0)
		fprintf(stderr, "and %zu more\n", diags->dropped);
	if (diags->nomem && diags->errors > 0) /* otherwise the caller says it */
		cli_error("out of memory");
}

int cli_finish_stdout(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	cli_error("standard output: cannot be written: %s", strerror(errno));
	return EXIT_ERROR;
}
