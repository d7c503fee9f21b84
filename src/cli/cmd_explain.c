/*
 * cmd_explain.c - lyncaudit explain: what if, without packets.
 */
#include "cli/cli.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lyncaudit/finding.h"
#include "lyncaudit/text.h"
#include "lyncaudit/timeutil.h"

enum { NOON = 12 * 3600 };

static const char help[] =
    "  -s, --site FILE   the site description\n"
    "      --rules DIR   another rule set than the installed one\n"
    "      --strict      read \"any (may be set to ...)\" as the listed roles only\n"
    "      --at DATE     the day to judge for, as 2027-06-30 (default: today)\n"
    "  -h, --help        this text\n\n"
    "The first address opens the flow.  IPv6: [2001:db8::1]:5061.\n"
    "Exit status: 0 documented, waived or out of scope, 1 not documented, 2 error.\n";

/* "10.0.0.5:50123" or "[fd00::5]:50123". */
static bool parse_end(const char *text, struct lya_addr *addr, uint16_t *port)
{
	const char *colon = strrchr(text, ':');
	char host[LYA_ADDR_TEXT + 2];
	size_t len = colon != NULL ? (size_t)(colon - text) : 0;
	struct lya_port_range range;

	if (len == 0 || len >= sizeof(host))
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	if (!lya_ports_parse(colon + 1, &range) || range.first != range.last)
		return false;
	*port = range.first;
	if (host[0] != '[')
		return strchr(host, ':') == NULL && lya_addr_parse(host, addr);
	if (host[len - 1] != ']')
		return false;
	host[len - 1] = '\0';
	return lya_addr_parse(host + 1, addr) && addr->family == 6;
}

/* A flow that got through, as if its opening had been seen. */
static void make_flow(struct lya_flow *flow, uint8_t transport, const struct lya_addr addr[2],
		      const uint16_t port[2])
{
	int order = lya_addr_cmp(&addr[0], &addr[1]);
	int initiator = order < 0 || (order == 0 && port[0] <= port[1]) ? 0 : 1;

	memset(flow, 0, sizeof(*flow));
	for (int i = 0; i < 2; i++) {
		int side = i == 0 ? initiator : 1 - initiator;

		flow->addr[side] = addr[i];
		flow->port[side] = port[i];
		flow->packets[side] = 1;
		flow->payload_bytes[side] = 1;
	}
	flow->transport = transport;
	flow->state = transport == 6 ? LYA_STATE_ESTABLISHED : LYA_STATE_NONE;
	flow->first_side = (int8_t)initiator;
	flow->syn_side = (int8_t)(transport == 6 ? initiator : -1);
	flow->synack_side = -1;
	flow->app.client_side = (int8_t)initiator;
	flow->app.service_payload = true; /* what if it carries what it is for: no probe */
	flow->answered = true;
	flow->serial = 1;
}

static void add_roles(struct lya_text *t, lya_roles roles)
{
	const char *comma = "";

	for (unsigned role = 0; role < LYA_ROLES; role++) {
		if (!(roles & LYA_ROLE_BIT(role)))
			continue;
		lya_text_addf(t, "%s%s", comma, lya_role_name((enum lya_role)role));
		comma = ", ";
	}
	if (roles == 0)
		lya_text_add(t, "no role");
}

static void print_end(const struct cli_loaded *l, const char *word, const struct lya_flow *flow,
		      const struct lya_policy_end *ends, int side)
{
	struct lya_text t = { 0 };
	char addr[LYA_ADDR_TEXT];

	add_roles(&t, ends[side].roles);
	printf("%-10s %s port %u: %s%s%s%s\n", word, lya_addr_format(&flow->addr[side], addr),
	       flow->port[side], lya_text_str(&t), ends[side].host >= 0 ? " (" : "",
	       ends[side].host >= 0 ? l->site->hosts[ends[side].host].name : "",
	       ends[side].host >= 0 ? ")" : "");
	lya_text_fini(&t);
}

static void print_rules(const struct cli_loaded *l, const struct lya_verdict *v)
{
	for (uint16_t i = 0; i < v->n_rules; i++) {
		const struct lya_rule *rule = &l->rules->list[v->rules[i]];

		printf("  %-16s %s\n", rule->id, rule->title);
	}
}

/* The sentences that the report would hold for such a flow. */
static int print_findings(const struct cli_loaded *l, const struct lya_flow *flow,
			  const struct lya_policy_end *ends, const struct lya_verdict *v)
{
	struct lya_ledger_end end = { .first_ns = flow->first_ns, .last_ns = flow->last_ns };
	struct lya_ledger_options options = { 0 };
	const struct lya_finding *list;
	struct lya_ledger *ledger = NULL;
	struct lya_error err;
	size_t n = 0;
	int rc = lya_ledger_new(&ledger, l->policy, &options, &err);

	if (rc == LYA_OK)
		rc = lya_ledger_take(ledger, flow, ends, v, NULL);
	if (rc == LYA_OK)
		rc = lya_ledger_finish(ledger, &end, &err);
	if (rc < 0) {
		cli_error("%s", rc == LYA_ENOMEM ? "out of memory" : err.text);
		lya_ledger_free(ledger);
		return EXIT_ERROR;
	}
	list = lya_ledger_findings(ledger, &n);
	for (size_t i = 0; i < n; i++) {
		if (list[i].flows > 0)
			printf("%s, %s\n  %s\n  why: %s\n  fix: %s\n", list[i].type,
			       lya_severity_name(list[i].severity), list[i].what, list[i].why,
			       list[i].fix);
	}
	lya_ledger_free(ledger);
	return EXIT_FINE;
}

/* An exception is of use for as long as it lasts: its last day belongs to the answer. */
static void print_waiver(const struct lya_exception *e)
{
	printf("  %s: %s; %s%s\n", e->id, e->reason, e->has_expiry ? "last day " : "no last day",
	       e->has_expiry ? e->expires : "");
}

/* What exceptions are judged by: a flow of that day, in the site's time zone. */
static void set_day(const struct cli_loaded *l, int64_t day, struct lya_flow *flow)
{
	flow->first_ns = lya_zone_instant(l->site->zone, day, NOON);
	flow->last_ns = flow->first_ns;
}

static int64_t today(const struct cli_loaded *l)
{
	return lya_zone_day(l->site->zone, cli_wall_clock_ns());
}

/* Noon in UTC is on the same date that the site's noon has. */
static void print_day(int64_t day)
{
	char text[LYA_TIME_TEXT];

	(void)lya_time_format((day * 86400 + NOON) * LYA_SECOND_NS, 0, text);
	printf("date       %.10s\n", text);
}

static int explain(const struct cli_loaded *l, const struct lya_flow *flow)
{
	struct lya_policy_end ends[2];
	struct lya_verdict v;
	int status;

	lya_policy_end_of(l->policy, &flow->addr[0], &ends[0]);
	lya_policy_end_of(l->policy, &flow->addr[1], &ends[1]);
	lya_policy_judge(l->policy, NULL, flow, ends, -1, &v);
	print_end(l, "initiator", flow, ends, v.initiator);
	print_end(l, "responder", flow, ends, 1 - v.initiator);
	printf("verdict    %s%s\n", lya_verdict_name((enum lya_verdict_kind)v.kind),
	       v.leg == LYA_LEG_BALANCED ? " (as a load balancer's leg)" : "");
	if (v.kind == LYA_VERDICT_DOCUMENTED)
		print_rules(l, &v);
	else if (v.kind == LYA_VERDICT_WAIVED)
		print_waiver(&l->site->exceptions[v.exception]);
	status = print_findings(l, flow, ends, &v);
	if (status != EXIT_FINE)
		return status;
	return v.kind == LYA_VERDICT_DOCUMENTED || v.kind == LYA_VERDICT_WAIVED ||
		       v.kind == LYA_VERDICT_OUT_OF_SCOPE
		   ? EXIT_FINE
		   : EXIT_ATTENTION;
}

/* What was asked for on the command line. */
struct asked {
	const char *site, *rules;
	bool strict;
	const char *at; /* NULL: today */
};

static bool parse_date(const char *text, int64_t *day)
{
	int y;
	unsigned m, d;

	return lya_date_parse(text, &y, &m, &d) && lya_date_days(y, m, d, day);
}

static int run(const struct asked *a, char **words)
{
	struct cli_loaded l;
	struct lya_addr addr[2];
	uint16_t port[2];
	struct lya_flow flow;
	int64_t day = 0;
	int status = EXIT_ERROR;

	if (a->at != NULL && !parse_date(a->at, &day))
		return cli_usage_error("explain", "--at wants a date such as 2027-06-30, not \"%s\"",
				       a->at);
	if (strcmp(words[0], "tcp") != 0 && strcmp(words[0], "udp") != 0)
		return cli_usage_error("explain", "\"%s\" is neither tcp nor udp", words[0]);
	for (int i = 0; i < 2; i++) {
		if (!parse_end(words[i + 1], &addr[i], &port[i]))
			return cli_usage_error("explain", "\"%s\" is no ADDRESS:PORT",
					       words[i + 1]);
	}
	if (addr[0].family != addr[1].family)
		return cli_usage_error("explain", "the addresses are of two families");
	make_flow(&flow, strcmp(words[0], "tcp") == 0 ? 6 : 17, addr, port);
	if (cli_load(&l, a->site, a->rules, a->strict)) {
		if (a->at == NULL)
			day = today(&l);
		set_day(&l, day, &flow);
		print_day(day);
		status = explain(&l, &flow);
	}
	cli_unload(&l);
	return status;
}

int cmd_explain(int argc, char **argv)
{
	static const struct option options[] = { { "site", required_argument, NULL, 's' },
						 { "rules", required_argument, NULL, 'R' },
						 { "strict", no_argument, NULL, 'S' },
						 { "at", required_argument, NULL, 'A' },
						 { "help", no_argument, NULL, 'h' },
						 { NULL, 0, NULL, 0 } };
	struct asked asked = { 0 };
	int c;

	while ((c = getopt_long(argc, argv, ":s:h", options, NULL)) != -1) {
		switch (c) {
		case 's':
			asked.site = optarg;
			break;
		case 'R':
			asked.rules = optarg;
			break;
		case 'S':
			asked.strict = true;
			break;
		case 'A':
			asked.at = optarg;
			break;
		case 'h':
			return cli_help("explain", help);
		default:
			return cli_bad_option("explain", c, argv);
		}
	}
	if (asked.site == NULL)
		return cli_usage_error("explain", "no site given: -s FILE");
	if (argc - optind != 3)
		return cli_usage_error("explain", "wanted: tcp|udp SOURCE:PORT DESTINATION:PORT");
	return run(&asked, argv + optind);
}
