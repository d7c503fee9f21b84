/*
 * watch_options.c - the command line of lyncaudit watch (product.md).
 */
#include "cli/watch_options.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/read_option.h"
#include "lyncaudit/alloc.h"

static const char help[] =
    "  -s, --site FILE        the site description (required)\n"
    "  -i, --interface NAME   interface to listen on; repeatable\n"
    "      --follow DIR       instead: a folder into which another program writes captures,\n"
    "                         file after file; wants --state\n"
    "  -D, --list-interfaces  list them and end\n"
    "  -f, --filter EXPR      a pcap filter expression\n"
    "      --rules DIR|FILE   another rule set than the installed one\n"
    "      --state DIR        where evidence is kept and reports are left: every night, on\n"
    "                         SIGUSR1 and at the end, in DIR/reports\n"
    "      --sensor NAME      its name in these reports (default the host's)\n"
    "      --report-at HH:MM  when a night's period ends, in the site's time zone\n"
    "                         (default 00:00)\n"
    "      --keep-days N      evidence is kept for so many days (default 400)\n"
    "      --keep-size SIZE   and in so many bytes (default 8GiB)\n"
    "  -o, --report FILE      without --state: JSON report, when it ends\n"
    "      --findings FILE    with --state: append one JSON line per finding, when it begins\n"
    "                         and at most once a minute when there is more of it\n"
    "      --flows FILE       append one JSON line per flow, when it ends\n"
    "      --evidence FILE    the packets that prove each finding, as pcapng: with --state a file\n"
    "                         beside each report, whose name goes into FILE's\n"
    "      --syslog TO        with --state: findings and losses to \"local\", \"udp:ADDRESS:PORT\" or\n"
    "                         \"tcp:ADDRESS:PORT\"\n"
    "      --hook PROGRAM     with --state: start it for each new finding, which is on its\n"
    "                         standard input\n"
    "      --hook-severity SEVERITY\n"
    "                         the lowest for which it is started (default high)\n"
    "      --metrics FILE     numbers for Prometheus, every 5 seconds\n"
    "      --strict           read \"any (may be set to ...)\" as the listed roles only\n"
    "      --fail-on SEVERITY lowest severity that makes a report non-compliant: critical,\n"
    "                         high, medium, low (default), info\n"
    "      --user NAME        who reads packets when root starts it (default lyncaudit)\n"
    "      --threads N        share the work among up to three threads, and receive each\n"
    "                         interface's packets through N buffers (default 1); the same\n"
    "                         reports\n"
    "      --buffer SIZE      size of each packet buffer (default 64MiB)\n"
    "  -j, --time-stamps host|adapter\n"
    "                         whose clock stamps packets (default host)\n"
    "      --max-memory SIZE  cap for all state (default 1GiB)\n"
    "      --max-flows N      the flow table's share by hand\n"
    "      --time-offset NAME=SECONDS\n"
    "                         add to the times of one interface\n"
    "  -q, --quiet            say nothing but errors\n"
    "  -h, --help             this text\n\n"
    "SIGTERM ends it; SIGHUP reads site and rules again and opens --findings and --flows\n"
    "anew; SIGUSR1 makes a report.\n"
    "Exit status: 0 when it was asked to stop, 2 error.\n";

enum {
	OPT_RULES = 256,
	OPT_STRICT,
	OPT_FAIL_ON,
	OPT_USER,
	OPT_BUFFER,
	OPT_MAX_MEMORY,
	OPT_MAX_FLOWS,
	OPT_TIME_OFFSET,
	OPT_STATE,
	OPT_SENSOR,
	OPT_REPORT_AT,
	OPT_KEEP_DAYS,
	OPT_KEEP_SIZE,
	OPT_FINDINGS,
	OPT_FLOWS,
	OPT_EVIDENCE,
	OPT_SYSLOG,
	OPT_HOOK,
	OPT_HOOK_SEVERITY,
	OPT_METRICS,
	OPT_FOLLOW,
	OPT_THREADS
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
	{ "state", required_argument, NULL, OPT_STATE },
	{ "sensor", required_argument, NULL, OPT_SENSOR },
	{ "report-at", required_argument, NULL, OPT_REPORT_AT },
	{ "keep-days", required_argument, NULL, OPT_KEEP_DAYS },
	{ "keep-size", required_argument, NULL, OPT_KEEP_SIZE },
	{ "findings", required_argument, NULL, OPT_FINDINGS },
	{ "flows", required_argument, NULL, OPT_FLOWS },
	{ "evidence", required_argument, NULL, OPT_EVIDENCE },
	{ "syslog", required_argument, NULL, OPT_SYSLOG },
	{ "hook", required_argument, NULL, OPT_HOOK },
	{ "hook-severity", required_argument, NULL, OPT_HOOK_SEVERITY },
	{ "follow", required_argument, NULL, OPT_FOLLOW },
	{ "metrics", required_argument, NULL, OPT_METRICS },
	{ "threads", required_argument, NULL, OPT_THREADS },
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

static int read_threads(struct watch_options *o, const char *text)
{
	size_t n = 0;
	int status = cli_read_number("watch", "threads", text, &n);

	o->live.threads = (unsigned)n;
	if (status != -1 || n <= LYA_CAPTURE_RINGS_MAX)
		return status;
	return cli_usage_error("watch", "--threads \"%s\": wanted at most %d", text,
			       LYA_CAPTURE_RINGS_MAX);
}

static int read_time_stamps(struct watch_options *o, const char *text)
{
	o->live.adapter_time = strcmp(text, "adapter") == 0;
	if (o->live.adapter_time || strcmp(text, "host") == 0)
		return -1;
	return cli_usage_error("watch", "--time-stamps \"%s\": wanted host or adapter", text);
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "03:30" */
static int read_report_at(struct watch_options *o, const char *text)
{
	unsigned hours, minutes;

	if (strlen(text) == 5 && is_digit(text[0]) && is_digit(text[1]) && text[2] == ':' &&
	    is_digit(text[3]) && is_digit(text[4])) {
		hours = (unsigned)(text[0] - '0') * 10 + (unsigned)(text[1] - '0');
		minutes = (unsigned)(text[3] - '0') * 10 + (unsigned)(text[4] - '0');
		o->live.report_s = hours * 3600 + minutes * 60;
		if (hours < 24 && minutes < 60)
			return -1;
	}
	return cli_usage_error("watch", "--report-at \"%s\": wanted a time of day such as 03:30", text);
}

static int read_keep_days(struct watch_options *o, const char *text)
{
	enum { MOST = 36500 };
	size_t days = 0;
	int status = cli_read_number("watch", "keep-days", text, &days);

	o->live.keep_days = (unsigned)days;
	if (status != -1 || days <= MOST)
		return status;
	return cli_usage_error("watch", "--keep-days \"%s\": wanted at most %d", text, MOST);
}

static int read_keep_size(struct watch_options *o, const char *text)
{
	enum { LEAST = 16 * 1024 * 1024 };
	size_t bytes;

	if (!cli_parse_size(text, &bytes) || bytes < LEAST)
		return cli_usage_error("watch",
				       "--keep-size \"%s\": wanted a size of 16MiB or more, such as "
				       "8GiB",
				       text);
	o->live.keep_bytes = bytes;
	return -1;
}

static int read_syslog(struct watch_options *o, const char *text)
{
	o->live.syslog = text;
	if (lya_watch_syslog_known(text))
		return -1;
	return cli_usage_error("watch",
			       "--syslog \"%s\": wanted local, udp:ADDRESS:PORT or tcp:ADDRESS:PORT "
			       "(names are not looked up)",
			       text);
}

/* Found without a search: it must be clear what is started. */
static int read_hook(struct watch_options *o, const char *text)
{
	o->live.hook = text;
	if (strchr(text, '/') == NULL)
		return cli_usage_error("watch", "--hook \"%s\": wanted a path with a slash in it", text);
	if (access(text, X_OK) == 0)
		return -1;
	return cli_usage_error("watch", "--hook \"%s\": cannot be started: %s", text, strerror(errno));
}

static int read_keeping(struct watch_options *o, int c, char *const *argv)
{
	switch (c) {
	case OPT_STATE:
		o->live.state = optarg;
		return -1;
	case OPT_SENSOR:
		o->live.sensor = optarg;
		return -1;
	case OPT_REPORT_AT:
		return read_report_at(o, optarg);
	case OPT_KEEP_DAYS:
		return read_keep_days(o, optarg);
	case OPT_KEEP_SIZE:
		return read_keep_size(o, optarg);
	case OPT_FINDINGS:
		o->live.findings = optarg;
		return -1;
	case OPT_FLOWS:
		o->live.flows = optarg;
		return -1;
	case OPT_EVIDENCE:
		o->live.evidence = optarg;
		return -1;
	case OPT_SYSLOG:
		return read_syslog(o, optarg);
	case OPT_HOOK:
		return read_hook(o, optarg);
	case OPT_HOOK_SEVERITY:
		return cli_read_severity("watch", "hook-severity", optarg, &o->live.hook_severity);
	case OPT_METRICS:
		o->live.metrics = optarg;
		return -1;
	case OPT_FOLLOW:
		o->live.follow = optarg;
		return -1;
	default:
		return cli_bad_option("watch", c, argv);
	}
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
	case OPT_THREADS:
		return read_threads(o, optarg);
	case OPT_MAX_MEMORY:
		return cli_read_memory("watch", optarg, &o->live.max_memory);
	case OPT_MAX_FLOWS:
		return cli_read_number("watch", "max-flows", optarg, &o->live.max_flows);
	case OPT_TIME_OFFSET:
		return cli_read_offset("watch", optarg, &o->offsets[o->live.n_offsets++]);
	default:
		return read_keeping(o, c, argv);
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

/* Open flows are judged at checkpoints alone, which there are for the state directory. */
static int check_outlets(const struct watch_options *o)
{
	static const char text[] = "--%s wants --state: without it findings are known at the end";
	const struct lya_watch_options *l = &o->live;

	if (l->state != NULL)
		return -1;
	if (l->findings != NULL)
		return cli_usage_error("watch", text, "findings");
	if (l->syslog != NULL)
		return cli_usage_error("watch", text, "syslog");
	if (l->hook != NULL)
		return cli_usage_error("watch", text, "hook");
	return -1;
}

static int check_together(const struct watch_options *o)
{
	if (o->list)
		return -1;
	if (o->live.site == NULL)
		return cli_usage_error("watch", "no site given: nothing is audited without -s FILE");
	if (o->live.n_interfaces == 0 && o->live.follow == NULL)
		return cli_usage_error("watch", "nothing to listen to: -i NAME, or --follow DIR");
	if (o->live.n_interfaces > 0 && o->live.follow != NULL)
		return cli_usage_error("watch", "either interfaces are listened to, or a folder is "
						"followed: not both");
	if (o->live.follow != NULL && o->live.state == NULL)
		return cli_usage_error("watch", "--follow wants --state: it is known there how far the "
						"folder was read");
	if (o->live.state != NULL && o->live.report != NULL)
		return cli_usage_error("watch", "--report is for a watch without --state, whose reports "
						"are in the state directory");
	return check_outlets(o);
}

int watch_options_read(struct watch_options *o, int argc, char **argv)
{
	size_t room = (size_t)argc;
	int status = -1;
	int c;

	*o = (struct watch_options){ .live = { .fail_on = LYA_SEVERITY_LOW,
					       .hook_severity = LYA_SEVERITY_HIGH,
					       .user = "lyncaudit" } };
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
