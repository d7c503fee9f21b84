/*
 * audit_options.c - the command line of lyncaudit audit (product.md).
 */
#include "cli/audit_options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/place.h"
#include "cli/read_option.h"
#include "lyncaudit/alloc.h"

static const char help[] =
    "  -s, --site FILE        the site description (required)\n"
    "  -r, --read FILE        capture to read; repeatable; a directory is read in time\n"
    "                         order; - is standard input\n"
    "  -f, --filter EXPR      a pcap filter expression\n"
    "      --rules DIR|FILE   another rule set than the installed one\n"
    "  -o, --report FILE      JSON report (- is standard output); without it a readable\n"
    "                         summary goes to standard output\n"
    "      --flows FILE       one JSON line per flow\n"
    "      --findings FILE    one JSON line per finding, as it is found\n"
    "      --evidence FILE    pcapng with the packets that prove each finding, commented\n"
    "      --strict           read \"any (may be set to ...)\" as the listed roles only\n"
    "      --fail-on SEVERITY lowest severity that makes the run fail: critical, high,\n"
    "                         medium, low (default), info\n"
    "      --max-memory SIZE  cap for all state (default 1GiB)\n"
    "      --max-flows N      the flow table's share by hand\n"
    "      --threads N        share the work among up to three threads (default 1); the\n"
    "                         report is the same\n"
    "      --time-offset FILE=SECONDS\n"
    "                         add to the times of one source\n"
    "  -q, --quiet            say nothing but errors\n"
    "      --progress, --no-progress\n"
    "                         show progress on standard error (default: on a terminal)\n"
    "      --color=WHEN       always, never, auto (default)\n"
    "  -h, --help             this text\n\n"
    "Exit status: 0 compliant, 1 findings, 2 error, 3 incomplete evidence and no finding.\n";

enum {
	OPT_RULES = 256,
	OPT_FLOWS,
	OPT_FINDINGS,
	OPT_EVIDENCE,
	OPT_STRICT,
	OPT_FAIL_ON,
	OPT_MAX_MEMORY,
	OPT_MAX_FLOWS,
	OPT_THREADS,
	OPT_TIME_OFFSET,
	OPT_PROGRESS,
	OPT_NO_PROGRESS,
	OPT_COLOR
};

static const struct option options[] = {
	{ "site", required_argument, NULL, 's' },
	{ "read", required_argument, NULL, 'r' },
	{ "filter", required_argument, NULL, 'f' },
	{ "rules", required_argument, NULL, OPT_RULES },
	{ "report", required_argument, NULL, 'o' },
	{ "flows", required_argument, NULL, OPT_FLOWS },
	{ "findings", required_argument, NULL, OPT_FINDINGS },
	{ "evidence", required_argument, NULL, OPT_EVIDENCE },
	{ "strict", no_argument, NULL, OPT_STRICT },
	{ "fail-on", required_argument, NULL, OPT_FAIL_ON },
	{ "max-memory", required_argument, NULL, OPT_MAX_MEMORY },
	{ "max-flows", required_argument, NULL, OPT_MAX_FLOWS },
	{ "threads", required_argument, NULL, OPT_THREADS },
	{ "time-offset", required_argument, NULL, OPT_TIME_OFFSET },
	{ "quiet", no_argument, NULL, 'q' },
	{ "progress", no_argument, NULL, OPT_PROGRESS },
	{ "no-progress", no_argument, NULL, OPT_NO_PROGRESS },
	{ "color", optional_argument, NULL, OPT_COLOR },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static int read_long(struct audit_options *o, int c, char *const *argv)
{
	switch (c) {
	case OPT_RULES:
		o->rules = optarg;
		return -1;
	case OPT_FLOWS:
		o->flows = optarg;
		return -1;
	case OPT_FINDINGS:
		o->findings = optarg;
		return -1;
	case OPT_EVIDENCE:
		o->evidence = optarg;
		return -1;
	case OPT_STRICT:
		o->strict = true;
		return -1;
	case OPT_FAIL_ON:
		return cli_read_severity("audit", "fail-on", optarg, &o->fail_on);
	case OPT_MAX_MEMORY:
		return cli_read_memory("audit", optarg, &o->max_memory);
	case OPT_MAX_FLOWS:
		return cli_read_number("audit", "max-flows", optarg, &o->max_flows);
	case OPT_THREADS:
		return cli_read_number("audit", "threads", optarg, &o->threads);
	case OPT_TIME_OFFSET:
		return cli_read_offset("audit", optarg, &o->offsets[o->n_offsets++]);
	case OPT_PROGRESS:
	case OPT_NO_PROGRESS:
		o->progress = c == OPT_PROGRESS;
		return -1;
	case OPT_COLOR:
		return cli_read_color("audit", optarg, &o->color);
	default:
		return cli_bad_option("audit", c, argv);
	}
}

static int read_one(struct audit_options *o, int c, char *const *argv)
{
	switch (c) {
	case 's':
		o->site = optarg;
		return -1;
	case 'r':
		o->reads[o->n_reads++] = optarg;
		return -1;
	case 'f':
		o->filter = optarg;
		return -1;
	case 'o':
		o->report = optarg;
		return -1;
	case 'q':
		o->quiet = true;
		return -1;
	case 'h':
		return cli_help("audit", help);
	default:
		return read_long(o, c, argv);
	}
}

/* Two outputs to one place would be mixed; one input cannot be read twice. */
static int check_together(const struct audit_options *o)
{
	const char *outputs[] = { o->report, o->flows, o->findings, o->evidence };
	unsigned on_stdout = 0;

	if (o->site == NULL)
		return cli_usage_error("audit",
				       "no site given: nothing is audited without -s FILE");
	if (o->n_reads == 0)
		return cli_usage_error("audit", "nothing to read: -r FILE");
	for (size_t i = 0; i < sizeof(outputs) / sizeof(outputs[0]); i++) {
		if (outputs[i] == NULL)
			continue;
		on_stdout += strcmp(outputs[i], "-") == 0;
		for (size_t k = 0; k < i; k++) {
			if (outputs[k] != NULL && cli_same_output(outputs[i], outputs[k]))
				return cli_usage_error("audit", "\"%s\" is named for two outputs",
						       outputs[i]);
		}
	}
	if (on_stdout == 1 && o->report == NULL && !o->quiet)
		return cli_usage_error("audit", "the summary goes to standard output too: "
						"give -o FILE or --quiet");
	return -1;
}

int audit_options_read(struct audit_options *o, int argc, char **argv)
{
	size_t room = (size_t)argc;
	int status = -1;
	int c;

	*o = (struct audit_options){ .progress = -1, .fail_on = LYA_SEVERITY_LOW };
	o->reads = lya_calloc(room, sizeof(*o->reads));
	o->offsets = lya_calloc(room, sizeof(*o->offsets));
	if (o->reads == NULL || o->offsets == NULL) {
		cli_error("out of memory");
		return EXIT_ERROR;
	}
	while (status == -1 && (c = getopt_long(argc, argv, ":s:r:f:o:qh", options, NULL)) != -1)
		status = read_one(o, c, argv);
	if (status == -1 && optind < argc)
		status =
		    cli_usage_error("audit", "\"%s\": captures are given with -r", argv[optind]);
	return status == -1 ? check_together(o) : status;
}

void audit_options_fini(struct audit_options *o)
{
	lya_free(o->reads);
	lya_free(o->offsets);
}
