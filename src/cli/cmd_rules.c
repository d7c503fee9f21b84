/*
 * cmd_rules.c - lyncaudit rules list|show|check.
 */
#include "cli/cli.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "lyncaudit/json.h"
#include "lyncaudit/text.h"

static const char help[] =
    "  list              every rule in force, one line each\n"
    "  show ID           one rule: what it allows, why, and where it stands\n"
    "  check DIR         check a rule set; rows that say the same are notes\n\n"
    "  -j, --json        list: one JSON array; show: one JSON object\n"
    "      --rules DIR   another rule set than the installed one\n"
    "  -h, --help        this text\n\n"
    "Exit status: 0 done, 2 error.\n";

static void add_words(struct lya_text *t, char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		lya_text_addf(t, "%s%s", i > 0 ? ", " : "", words[i]);
}

static void add_end(struct lya_text *t, const struct lya_row_end *end)
{
	add_words(t, end->words, end->n_words);
	if (end->n_strict_words == 0)
		return;
	lya_text_add(t, " [");
	add_words(t, end->strict_words, end->n_strict_words);
	lya_text_add(t, "]");
}

static void add_ports(struct lya_text *t, const struct lya_rule *rule)
{
	char port[12];

	if (rule->any_port)
		lya_text_add(t, "any");
	for (size_t i = 0; i < rule->n_ports; i++) {
		lya_port_range_format(&rule->ports[i], port);
		lya_text_addf(t, "%s%s", i > 0 ? "," : "", port);
	}
}

static const char *transport_text(const struct lya_rule *rule)
{
	static const char *const texts[] = { "", "tcp", "udp", "tcp+udp" };

	return texts[rule->transports & 3];
}

static void print_line(const struct lya_rule *rule, struct lya_text *t)
{
	if (rule->statement) {
		printf("%-28s %s\n", rule->id, rule->title);
		return;
	}
	lya_text_clear(t);
	add_end(t, &rule->from);
	lya_text_add(t, " -> ");
	add_end(t, &rule->to);
	lya_text_addf(t, "  %s ", transport_text(rule));
	add_ports(t, rule);
	printf("%-28s %-72s %-10s %s%s%s%s\n", rule->id, lya_text_str(t),
	       lya_row_app_name((enum lya_row_app)rule->app), rule->title,
	       rule->feature >= 0 ? " (feature " : "",
	       rule->feature >= 0 ? lya_feature_name((enum lya_feature)rule->feature) : "",
	       rule->feature >= 0 ? ")" : "");
}

static void write_words(struct lya_json_writer *w, const char *key, char *const *words, size_t n)
{
	lya_jw_key(w, key);
	lya_jw_array_open(w);
	for (size_t i = 0; i < n; i++)
		lya_jw_string(w, words[i]);
	lya_jw_array_close(w);
}

static void write_ports(struct lya_json_writer *w, const struct lya_rule *rule)
{
	char port[12];

	lya_jw_key(w, "ports");
	lya_jw_array_open(w);
	if (rule->any_port)
		lya_jw_string(w, "any");
	for (size_t i = 0; i < rule->n_ports; i++) {
		lya_port_range_format(&rule->ports[i], port);
		lya_jw_string(w, port);
	}
	lya_jw_array_close(w);
}

static void write_strict(struct lya_json_writer *w, const struct lya_rule *rule)
{
	lya_jw_key(w, "strict");
	if (rule->from.n_strict_words == 0 && rule->to.n_strict_words == 0) {
		lya_jw_null(w);
		return;
	}
	lya_jw_object_open(w);
	if (rule->from.n_strict_words > 0)
		write_words(w, "from", rule->from.strict_words, rule->from.n_strict_words);
	if (rule->to.n_strict_words > 0)
		write_words(w, "to", rule->to.strict_words, rule->to.n_strict_words);
	lya_jw_object_close(w);
}

static void write_document(struct lya_json_writer *w, const struct lya_rule *rule)
{
	lya_jw_key(w, "document");
	lya_jw_object_open(w);
	lya_jw_member_string(w, "key", rule->doc_key);
	if (rule->doc_statement != NULL) {
		lya_jw_member_string(w, "statement", rule->doc_statement);
	} else {
		lya_jw_member_int(w, "table", rule->doc_table);
		lya_jw_member_int(w, "row", rule->doc_row);
	}
	lya_jw_object_close(w);
}

static void write_transports(struct lya_json_writer *w, const struct lya_rule *rule)
{
	lya_jw_key(w, "transport");
	lya_jw_array_open(w);
	if (rule->transports & LYA_T_TCP)
		lya_jw_string(w, "tcp");
	if (rule->transports & LYA_T_UDP)
		lya_jw_string(w, "udp");
	lya_jw_array_close(w);
}

/* One entry as it stands in a rule file (formats.md, "Rule files"). */
static void write_rule(struct lya_json_writer *w, const struct lya_rule *rule)
{
	static const char *const port_of[] = { [LYA_PORT_RESPONDER] = "responder",
					       [LYA_PORT_INITIATOR] = "initiator",
					       [LYA_PORT_EITHER] = "either" };

	lya_jw_object_open(w);
	lya_jw_member_string(w, "id", rule->id);
	if (rule->statement)
		lya_jw_member_string(w, "kind", "statement");
	lya_jw_member_string(w, "title", rule->title);
	write_words(w, "from", rule->from.words, rule->from.n_words);
	write_words(w, "to", rule->to.words, rule->to.n_words);
	write_transports(w, rule);
	write_ports(w, rule);
	lya_jw_member_string(w, "port_of", rule->statement ? NULL : port_of[rule->port_of]);
	write_strict(w, rule);
	lya_jw_member_string(w, "application",
			     rule->statement ? NULL
					     : lya_row_app_name((enum lya_row_app)rule->app));
	lya_jw_member_string(w, "feature",
			     rule->feature >= 0 ? lya_feature_name((enum lya_feature)rule->feature)
						: NULL);
	lya_jw_member_bool(w, "required", rule->required);
	if (rule->mode >= 0)
		lya_jw_member_string(w, "load_balancing", rule->mode == LYA_LB_HLB ? "hlb" : "dns");
	if (rule->reason[0] != '\0')
		lya_jw_member_string(w, "reason", rule->reason);
	if (rule->note[0] != '\0')
		lya_jw_member_string(w, "note", rule->note);
	write_document(w, rule);
	lya_jw_object_close(w);
}

static int write_json(const struct lya_rules *rules, const struct lya_rule *only)
{
	struct lya_output *out;
	struct lya_json_writer w;
	struct lya_error err;

	if (lya_output_open(&out, "-", true, &err) < 0) {
		cli_error("%s", err.text);
		return EXIT_ERROR;
	}
	lya_jw_init(&w, out, LYA_JW_PRETTY);
	if (only != NULL) {
		write_rule(&w, only);
	} else {
		lya_jw_array_open(&w);
		for (size_t i = 0; i < rules->n; i++)
			write_rule(&w, &rules->list[i]);
		lya_jw_array_close(&w);
	}
	lya_jw_end(&w);
	if (lya_output_commit(out, &err) == LYA_OK)
		return EXIT_FINE;
	cli_error("%s", err.text);
	return EXIT_ERROR;
}

static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

/* "1 port rule and 2 statements" */
static void print_count(const struct lya_rules *rules)
{
	size_t statements = rules->n - rules->n_flow;

	printf("%zu port rule%s and %zu statement%s", rules->n_flow, plural(rules->n_flow),
	       statements, plural(statements));
}

static int list_rules(const struct lya_rules *rules, bool json)
{
	struct lya_text t = { 0 };

	if (json)
		return write_json(rules, NULL);
	for (size_t i = 0; i < rules->n; i++)
		print_line(&rules->list[i], &t);
	print_count(rules);
	printf(", rule set %s\n", rules->name);
	lya_text_fini(&t);
	return EXIT_FINE;
}

static void print_where(const struct lya_rule *rule)
{
	if (rule->doc_statement != NULL)
		printf("stands in:   %s, the prose (\"%s\")\n", rule->doc_title,
		       rule->doc_statement);
	else
		printf("stands in:   %s, table %d, row %d\n", rule->doc_title, rule->doc_table,
		       rule->doc_row);
}

static void print_flow_part(const struct lya_rule *rule)
{
	struct lya_text t = { 0 };

	add_end(&t, &rule->from);
	printf("from:        %s\n", lya_text_str(&t));
	lya_text_clear(&t);
	add_end(&t, &rule->to);
	printf("to:          %s\n", lya_text_str(&t));
	lya_text_clear(&t);
	add_ports(&t, rule);
	printf("port:        %s %s%s\n", transport_text(rule), lya_text_str(&t),
	       rule->port_of == LYA_PORT_EITHER ? " (of the initiator or of the responder)" : "");
	printf("application: %s\n", lya_row_app_name((enum lya_row_app)rule->app));
	if (rule->feature >= 0)
		printf("feature:     %s\n", lya_feature_name((enum lya_feature)rule->feature));
	if (rule->mode >= 0)
		printf("in force:    with load balancing %s\n",
		       rule->mode == LYA_LB_HLB ? "hlb" : "dns");
	lya_text_fini(&t);
}

static int show_rule(const struct lya_rules *rules, const char *id, bool json)
{
	const struct lya_rule *rule = lya_rules_find(rules, id);

	if (rule == NULL)
		return cli_usage_error("rules", "\"%s\" is no rule of the set %s", id, rules->name);
	if (json)
		return write_json(rules, rule);
	printf("%s  %s\n", rule->id, rule->title);
	if (!rule->statement)
		print_flow_part(rule);
	if (rule->reason[0] != '\0')
		printf("reason:      %s\n", rule->reason);
	if (rule->note[0] != '\0')
		printf("note:        %s\n", rule->note);
	print_where(rule);
	return EXIT_FINE;
}

static int check_rules(const char *path)
{
	struct lya_diags diags = { 0 };
	struct lya_rules *rules = NULL;
	struct lya_error err;
	int rc = lya_rules_load(&rules, path, &diags, &err);

	cli_print_diags(&diags);
	if (rc < 0 && diags.errors == 0)
		cli_error("%s", err.text);
	if (rc == LYA_OK) {
		printf("%s: ", path);
		print_count(rules);
		printf(", no error\n");
	}
	lya_rules_free(rules);
	lya_diags_fini(&diags);
	return rc == LYA_OK ? EXIT_FINE : EXIT_ERROR;
}

static int list_or_show(const char *what, const char *id, const char *path, bool json)
{
	struct cli_loaded l;
	int status = EXIT_ERROR;

	if (cli_load(&l, NULL, path, false))
		status = strcmp(what, "list") == 0 ? list_rules(l.rules, json)
						   : show_rule(l.rules, id, json);
	cli_unload(&l);
	return status;
}

int cmd_rules(int argc, char **argv)
{
	static const struct option options[] = { { "json", no_argument, NULL, 'j' },
						 { "rules", required_argument, NULL, 'R' },
						 { "help", no_argument, NULL, 'h' },
						 { NULL, 0, NULL, 0 } };
	const char *path = NULL;
	bool json = false;
	int c;

	while ((c = getopt_long(argc, argv, ":jh", options, NULL)) != -1) {
		switch (c) {
		case 'j':
			json = true;
			break;
		case 'R':
			path = optarg;
			break;
		case 'h':
			return cli_help("rules", help);
		default:
			return cli_bad_option("rules", c, argv);
		}
	}
	argc -= optind;
	argv += optind;
	if (argc == 1 && strcmp(argv[0], "list") == 0)
		return list_or_show("list", NULL, path, json);
	if (argc == 2 && strcmp(argv[0], "show") == 0)
		return list_or_show("show", argv[1], path, json);
	if (argc == 2 && strcmp(argv[0], "check") == 0)
		return check_rules(argv[1]);
	return cli_usage_error("rules", "rules wants list, show ID or check DIR");
}
