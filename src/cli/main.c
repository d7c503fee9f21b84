/*
 * main.c - the subcommands and what they have in common.
 */
#include "cli/cli.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli/version.h"

const struct cli_command cli_commands[] = {
	{ "audit", "audit -s SITE -r FILE|DIR|- ... [options]", "judge every flow of captures",
	  cmd_audit },
	{ "watch", "watch -s SITE -i INTERFACE ... [options]", "judge what goes by, as a service",
	  cmd_watch },
	{ "rules", "rules list|show ID|check DIR [options]", "the table of allowed flows",
	  cmd_rules },
	{ "explain", "explain -s SITE tcp|udp SRC:PORT DST:PORT", "what if, without packets",
	  cmd_explain },
	{ "site", "site check|roles -s SITE [ADDRESS...]", "the site description", cmd_site },
	{ "report", "report make --state DIR --day DAY [-o FILE]",
	  "a night's report again, from the store", cmd_report },
	{ "history", "history --state DIR [options]", "trends over nights", cmd_history },
	{ NULL, NULL, NULL, NULL },
};

static int print_usage(void)
{
	puts("usage: lyncaudit COMMAND [options]\n\n"
	     "Audit the traffic of a Lync Server 2013 deployment against the documented ports.\n");
	for (const struct cli_command *c = cli_commands; c->name != NULL; c++)
		printf("  lyncaudit %-46s %s\n", c->usage, c->purpose);
	puts("\n  -h, --help     this text, or a command's own behind its name\n"
	     "  -V, --version  version, what is compiled in, what this kernel offers\n\n"
	     "Exit status of audit: 0 compliant, 1 findings, 2 error, 3 incomplete evidence.");
	return EXIT_FINE;
}

int main(int argc, char **argv)
{
	/*
	 * Who reads `rules list` may have seen enough: that ends it like any filter,
	 * without a word, whatever the caller ignores.  Commands that leave files
	 * ignore the signal, and name the output that broke.
	 */
	(void)signal(SIGPIPE, SIG_DFL);
	opterr = 0; /* what getopt does not like is said by cli_bad_option */
	if (argc < 2) {
		cli_error("no command given; lyncaudit --help lists them");
		return EXIT_ERROR;
	}
	if (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0 ||
	    strcmp(argv[1], "help") == 0)
		return cli_finish_stdout(print_usage());
	if (strcmp(argv[1], "-V") == 0 || strcmp(argv[1], "--version") == 0)
		return cli_finish_stdout(cli_print_version());
	for (const struct cli_command *c = cli_commands; c->name != NULL; c++) {
		if (strcmp(argv[1], c->name) == 0)
			return cli_finish_stdout(c->run(argc - 1, argv + 1));
	}
	cli_error("\"%s\" is no command; lyncaudit --help lists them", argv[1]);
	return EXIT_ERROR;
}
