/*
 * cmd_site.c - lyncaudit site check|roles.
 */
#include "cli/cli.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "lyncaudit/text.h"

static const char help[] =
    "  check             every fault of the site description, and every documented\n"
    "                    constraint that it breaks\n"
    "  roles ADDRESS...  what an address is, and why\n\n"
    "  -s, --site FILE   the site description\n"
    "      --rules DIR   another rule set than the installed one\n"
    "  -h, --help        this text\n\n"
    "Exit status: 0 done, 1 a documented constraint is broken, 2 error.\n";

static void advise(const struct lya_site *site)
{
	struct lya_diags diags = { 0 };

	lya_site_advise(site, &diags);
	cli_print_diags(&diags);
	lya_diags_fini(&diags);
}

static int check_site(const struct cli_loaded *l)
{
	struct lya_site_fault *faults;
	struct lya_error err;
	size_t n;

	if (lya_site_check(l->site, &faults, &n, &err) < 0) {
		cli_error("%s", err.text);
		return EXIT_ERROR;
	}
	advise(l->site);
	for (size_t i = 0; i < n; i++)
		printf("%s: %s\n  %s\n  why: %s (%s)\n  fix: %s\n", faults[i].type, faults[i].place,
		       faults[i].what, faults[i].why, faults[i].rule, faults[i].fix);
	if (n == 0)
		printf("%s: %zu hosts, no fault\n", l->site->name, l->site->n_hosts);
	lya_site_faults_free(faults, n);
	return n == 0 ? EXIT_FINE : EXIT_ATTENTION;
}

static void add_roles(struct lya_text *t, const struct lya_site *site, const struct lya_addr *addr)
{
	struct lya_endpoint ep;
	const char *comma = "";

	lya_site_classify(site, addr, &ep);
	if (ep.roles == 0)
		lya_text_add(t, "no role");
	for (unsigned role = 0; role < LYA_ROLES; role++) {
		if (!(ep.roles & LYA_ROLE_BIT(role)))
			continue;
		lya_text_addf(t, "%s%s", comma, lya_role_name((enum lya_role)role));
		comma = ", ";
	}
}

static int print_roles(const struct cli_loaded *l, int n, char **addresses)
{
	struct lya_text t = { 0 };
	int status = EXIT_FINE;

	for (int i = 0; i < n; i++) {
		struct lya_addr addr;

		if (!lya_addr_parse(addresses[i], &addr)) {
			cli_error("\"%s\" is no address", addresses[i]);
			status = EXIT_ERROR;
			continue;
		}
		lya_text_clear(&t);
		lya_text_addf(&t, "%s: ", addresses[i]);
		add_roles(&t, l->site, &addr);
		lya_text_add(&t, " (");
		lya_site_explain(l->site, &addr, &t);
		lya_text_add(&t, ")");
		puts(lya_text_str(&t));
	}
	lya_text_fini(&t);
	return status;
}

static int run(const char *what, const char *site, const char *rules, int n, char **rest)
{
	struct cli_loaded l;
	int status = EXIT_ERROR;

	if (cli_load(&l, site, rules, false))
		status = strcmp(what, "check") == 0 ? check_site(&l) : print_roles(&l, n, rest);
	cli_unload(&l);
	return status;
}

int cmd_site(int argc, char **argv)
{
	static const struct option options[] = { { "site", required_argument, NULL, 's' },
						 { "rules", required_argument, NULL, 'R' },
						 { "help", no_argument, NULL, 'h' },
						 { NULL, 0, NULL, 0 } };
	const char *site = NULL;
	const char *rules = NULL;
	int c;

	while ((c = getopt_long(argc, argv, ":s:h", options, NULL)) != -1) {
		switch (c) {
		case 's':
			site = optarg;
			break;
		case 'R':
			rules = optarg;
			break;
		case 'h':
			return cli_help("site", help);
		default:
			return cli_bad_option("site", c, argv);
		}
	}
	argc -= optind;
	argv += optind;
	if (argc == 2 && strcmp(argv[0], "check") == 0 && site == NULL)
		return run("check", argv[1], rules, 0, NULL);
	if (argc < 1 || (strcmp(argv[0], "check") != 0 && strcmp(argv[0], "roles") != 0))
		return cli_usage_error("site", "site wants check, or roles ADDRESS...");
	if (site == NULL)
		return cli_usage_error("site", "no site given: -s FILE");
	if (strcmp(argv[0], "check") == 0 && argc > 1)
		return cli_usage_error("site", "\"%s\" is one argument too many", argv[1]);
	if (strcmp(argv[0], "roles") == 0 && argc < 2)
		return cli_usage_error("site", "site roles wants an address");
	return run(argv[0], site, rules, argc - 1, argv + 1);
}
