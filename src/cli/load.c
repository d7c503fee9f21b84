/*
 * load.c - site, rules and policy as the options name them.
 */
#include "cli/cli.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char rule_set[] = "rules/lync-server-2013";

/* Compose DIR/SUFFIX/rules/lync-server-2013; true when it is there. */
static bool try_rules(char *path, size_t size, const char *dir, const char *suffix)
{
	int n = snprintf(path, size, "%s%s/%s", dir, suffix, rule_set);

	return n > 0 && (size_t)n < size && access(path, R_OK) == 0;
}

bool cli_default_rules(char *path, size_t size)
{
	char exe[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	if (n > 0) {
		exe[n] = '\0';
		*strrchr(exe, '/') = '\0';
		/* bin/ beside share/lyncaudit/, or a build folder with its link to the rules */
		if (try_rules(path, size, exe, "/../share/lyncaudit") ||
		    try_rules(path, size, exe, ""))
			return true;
	}
	return try_rules(path, size, LYNCAUDIT_DATADIR, "");
}

static bool load_rules(struct cli_loaded *l, const char *path, struct lya_diags *diags)
{
	char standard[PATH_MAX + 64];
	struct lya_error err;

	if (path == NULL) {
		if (!cli_default_rules(standard, sizeof(standard))) {
			cli_error("%s: the installed rule set is missing; --rules names another",
				  standard);
			return false;
		}
		path = standard;
	}
	if (lya_rules_load(&l->rules, path, diags, &err) == LYA_OK)
		return true;
	if (diags->errors == 0)
		cli_error("%s", err.text);
	return false;
}

static bool load_site(struct cli_loaded *l, const char *path, struct lya_diags *diags)
{
	struct lya_error err;

	if (lya_site_load(&l->site, path, diags, &err) == LYA_OK)
		return true;
	if (diags->errors == 0)
		cli_error("%s", err.text);
	return false;
}

/* Notes about a rule set that says something twice are for `rules check` alone. */
static void print_faults(struct lya_diags *diags)
{
	size_t errors = 0;

	for (size_t i = 0; i < diags->n; i++) {
		errors += diags->list[i].level == LYA_DIAG_ERROR;
		if (diags->list[i].level == LYA_DIAG_ERROR)
			fprintf(stderr, "lyncaudit: %s\n", diags->list[i].text);
		else if (diags->list[i].level == LYA_DIAG_WARNING)
			fprintf(stderr, "lyncaudit: warning: %s\n", diags->list[i].text);
	}
	if (diags->errors > errors)
		fprintf(stderr, "lyncaudit: and %zu more errors\n", diags->errors - errors);
	if (diags->nomem && diags->errors > 0) /* otherwise it was said */
		cli_error("out of memory");
}

bool cli_load(struct cli_loaded *l, const char *site_path, const char *rules_path, bool strict)
{
	struct lya_diags diags = { 0 };
	struct lya_error err;
	bool good;

	*l = (struct cli_loaded){ NULL, NULL, NULL };
	good = load_rules(l, rules_path, &diags);
	if (site_path != NULL) /* both files' faults in one run */
		good = load_site(l, site_path, &diags) && good;
	if (good && site_path != NULL &&
	    lya_policy_new(&l->policy, l->site, l->rules, strict, &diags, &err) < 0) {
		good = false;
		if (diags.errors == 0)
			cli_error("%s", err.text);
	}
	print_faults(&diags);
	lya_diags_fini(&diags);
	return good;
}

void cli_unload(struct cli_loaded *l)
{
	lya_policy_free(l->policy);
	lya_site_free(l->site);
	lya_rules_free(l->rules);
}

bool cli_parse_size(const char *text, size_t *bytes)
{
	static const struct {
		const char *unit;
		unsigned shift;
	} units[] = { { "", 0 },   { "K", 10 },   { "KiB", 10 }, { "M", 20 },  { "MiB", 20 },
		      { "G", 30 }, { "GiB", 30 }, { "T", 40 },   { "TiB", 40 } };
	char *end;
	unsigned long long n;

	if (text[0] < '0' || text[0] > '9')
		return false;
	n = strtoull(text, &end, 10);
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(end, units[i].unit) != 0)
			continue;
		if (n > SIZE_MAX >> units[i].shift)
			return false;
		*bytes = (size_t)n << units[i].shift;
		return true;
	}
	return false;
}
