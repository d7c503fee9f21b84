/*
 * watch_options.c - the command line of lyncaudit watch (product.md).
 */
#include "cli/watch_options.h"

#include <getopt.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/read_option.h"
#include "lyncaudit/alloc.h"

static const char help[] =
    "  -s, --site FILE        the site description (required)\n"
    "  -i, --interface NAME   interface to listen on; repeatable\n"
    "  -D, --list-interfaces  list them and end\n"
    "  -f, --filter EXPR      a pcap filter expression\n"
    "      --rules DIR|FILE   another rule set than the installed one\n"
    "  -o, --report FILE      JSON report, when it ends\n"
    "      --strict           read \"any (may be set to ...)\" as the listed roles only\n"
    "      --fail-on SEVERITY lowest severity that makes a report non-compliant: critical,\n"
    "                         high, medium, low (default), info\n"
    "      --user NAME        who reads packets when root starts it (default lyncaudit)\n"
    "      --buffer SIZE      packet buffer of each interface (default 64MiB)\n"
    "  -j, --time-stamps host|adapter\n"
    "                         whose clock stamps packets (default host)\n"
    "      --max-memory SIZE  cap for all state (default 1GiB)\n"
    "      --max-flows N      the flow table's share by hand\n"
    "      --time-offset NAME=SECONDS\n"
    "                         add to the times of one interface\n"
    "  -q, --quiet            say nothing but errors\n"
    "  -h, --help             this text\n\n"
    "SIGTERM ends it, SIGHUP reads site and rules again, SIGUSR1 makes a report.\n"
    "Exit status: 0 when it was asked to stop, 2 error.\n";

enum {
	OPT_RULES = 256,
	OPT_STRICT,
	OPT_FAIL_ON,
	OPT_USER,
	OPT_BUFFER,
	OPT_MAX_MEMORY,
	OPT_MAX_FLOWS,
	OPT_TIME_OFFSET
};

static const struct option options[] = {
	{ "site", required_argument, NULL, 's' },
	{ "interface", required_argument, NULL, 'i' },
	{ "list-interfaces", no_argument, NULL, 'D' },
	{ "filter", required_argument, NULL, 'f' },
	{ "rules", required_argument, NULL, OPT_RULES },
	{ "report", required_argument, NULL, 'o' },
	{ "strict", no_argument, NULL, OPT_STRICT },
	{ "fail-on", required_argument, NULL, OPT_FAIL_ON },
	{ "user", required_argument, NULL, OPT_USER },
	{ "buffer", required_argument, NULL, OPT_BUFFER },
	{ "time-stamps", required_argument, NULL, 'j' },
	{ "max-memory", required_argument, NULL, OPT_MAX_MEMORY },
	{ "max-flows", required_argument, NULL, OPT_MAX_FLOWS },
	{ "time-offset", required_argument, NULL, OPT_TIME_OFFSET },
	{ "quiet", no_argument, NULL, 'q' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static int read_buffer(struct watch_options *o, const char *text)
{
	const size_t least = (size_t)1 << 20, most = (size_t)1 << 32; /* the kernel counts in 32 bits */

	if (cli_parse_size(text, &o->live.buffer) && o->live.buffer >= least && o->live.buffer < most)
		return -1;
	return cli_usage_error("watch",
			       "--buffer \"%s\": wanted a size from 1MiB to below 4GiB, such as "
			       "256MiB",
			       text);
}

static int read_time_stamps(struct watch_options *o, const char *text)
{
	o->live.adapter_time = strcmp(text, "adapter") == 0;
	if (o->live.adapter_time || strcmp(text, "host") == 0)
		return -1;
	return cli_usage_error("watch", "--time-stamps \"%s\": wanted host or adapter", text);
}

static int read_long(struct watch_options *o, int c, char *const *argv)
{
	switch (c) {
	case OPT_RULES:
		o->live.rules = optarg;
		return -1;
	case OPT_STRICT:
		o->live.strict = true;
		return -1;
	case OPT_FAIL_ON:
		return cli_read_severity("watch", "fail-on", optarg, &o->live.fail_on);
	case OPT_USER:
		o->live.user = optarg;
		return -1;
	case OPT_BUFFER:
		return read_buffer(o, optarg);
	case OPT_MAX_MEMORY:
		return cli_read_memory("watch", optarg, &o->live.max_memory);
	case OPT_MAX_FLOWS:
		return cli_read_number("watch", "max-flows", optarg, &o->live.max_flows);
	case OPT_TIME_OFFSET:
		return cli_read_offset("watch", optarg, &o->offsets[o->live.n_offsets++]);
	default:
		return cli_bad_option("watch", c, argv);
	}
}

static int read_one(struct watch_options *o, int c, char *const *argv)
{
	switch (c) {
	case 's':
		o->live.site = optarg;
		return -1;
	case 'i':
		o->interfaces[o->live.n_interfaces++] = optarg;
		return -1;
	case 'D':
		o->list = true;
		return -1;
	case 'f':
		o->live.filter = optarg;
		return -1;
	case 'o':
		o->live.report = optarg;
		return -1;
	case 'j':
		return read_time_stamps(o, optarg);
	case 'q':
		o->quiet = true;
		return -1;
	case 'h':
		return cli_help("watch", help);
	default:
		return read_long(o, c, argv);
	}
}

static int check_together(const struct watch_options *o)
{
	if (o->list)
		return -1;
	if (o->live.site == NULL)
		return cli_usage_error("watch", "no site given: nothing is audited without -s FILE");
	if (o->live.n_interfaces == 0)
		return cli_usage_error("watch", "nothing to listen to: -i NAME");
	return -1;
}

int watch_options_read(struct watch_options *o, int argc, char **argv)
{
	size_t room = (size_t)argc;
	int status = -1;
	int c;

	*o = (struct watch_options){ .live = { .fail_on = LYA_SEVERITY_LOW, .user = "lyncaudit" } };
	o->live.interfaces = o->interfaces = lya_calloc(room, sizeof(*o->interfaces));
	o->live.offsets = o->offsets = lya_calloc(room, sizeof(*o->offsets));
	if (o->interfaces == NULL || o->offsets == NULL) {
		cli_error("out of memory");
		return EXIT_ERROR;
	}
	while (status == -1 &&
	       (c = getopt_long(argc, argv, ":s:i:Df:o:j:qh", options, NULL)) != -1)
		status = read_one(o, c, argv);
	if (status == -1 && optind < argc)
		status =
		    cli_usage_error("watch", "\"%s\": interfaces are given with -i", argv[optind]);
	return status == -1 ? check_together(o) : status;
}

void watch_options_fini(struct watch_options *o)
{
	lya_free(o->interfaces);
	lya_free(o->offsets);
}
