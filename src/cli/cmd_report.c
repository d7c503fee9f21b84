/*
 * cmd_report.c - lyncaudit report make: a night's report again, from the store.
 */
#include "cli/cli.h"

#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "cli/state.h"
#include "lyncaudit/keeper.h"
#include "lyncaudit/output.h"

static const char help[] =
    "      --state DIR    the state directory of a service, which may be running\n"
    "      --day DAY      the night: 2026-11-21, or 2026-11-21.2 where the clock was set\n"
    "                     back and that day came again\n"
    "  -o, --output FILE  where to write it (default -, standard output)\n"
    "  -h, --help         this text\n\n"
    "The report is the one that the service left, but for `run`.\n"
    "Exit status: 0 done, 2 error.\n";

enum { OPT_STATE = 256, OPT_DAY };

static const struct option options[] = {
	{ "state", required_argument, NULL, OPT_STATE },
	{ "day", required_argument, NULL, OPT_DAY },
	{ "output", required_argument, NULL, 'o' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

struct wanted {
	const char *state, *day, *output;
	bool help;
};

struct making {
	const struct wanted *wanted;
	const struct lya_report_run *run;
	struct lya_output *out;
};

static int make_report(void *ctx, struct lya_error *err)
{
	const struct making *m = ctx;
	int rc = lya_keeper_make(m->wanted->state, m->wanted->day, m->run, m->out, err);

	if (rc == LYA_OK && lya_output_flush(m->out) != LYA_OK)
		rc = lya_error_set(err, LYA_EOUTPUT, m->wanted->output, NULL,
				   "cannot be written: %s", strerror(lya_output_failed(m->out)));
	return rc;
}

static int commit(struct lya_output *out)
{
	struct lya_error err;
	int rc = lya_output_commit(out, &err);

	if (rc == LYA_OK)
		return EXIT_FINE;
	cli_error("%s", rc == LYA_ENOMEM ? "out of memory" : err.text);
	return EXIT_ERROR;
}

/* Who reads packets writes below the state directory: no link there leads root elsewhere. */
static int open_output(const struct wanted *w, struct lya_output **out)
{
	int guard = open(w->state, O_PATH | O_CLOEXEC); /* -1: there is no state to read, either */
	struct lya_error err;
	int rc = lya_output_open_guarded(out, w->output, guard, false, &err);

	if (guard != -1)
		(void)close(guard);
	if (rc != LYA_OK)
		cli_error("%s", err.text);
	return rc;
}

static int make(const struct wanted *w, int argc, char **argv)
{
	char host[HOST_NAME_MAX + 1] = "";
	struct lya_report_run run = {
		.version = LYNCAUDIT_VERSION,
		.started_ns = cli_wall_clock_ns(),
		.arguments = (const char *const *)argv,
		.n_arguments = (size_t)argc,
	};
	struct making m = { .wanted = w, .run = &run };
	struct cli_state state = {
		.dir = w->state, .output = w->output, .read = make_report, .ctx = &m
	};

	if (gethostname(host, sizeof(host) - 1) == 0)
		run.host = host;
	if (open_output(w, &m.out) != LYA_OK)
		return EXIT_ERROR;
	run.finished_ns = cli_wall_clock_ns();
	if (cli_read_state(&state) == EXIT_FINE)
		return commit(m.out);
	lya_output_abort(m.out);
	return EXIT_ERROR;
}

static int read_options(struct wanted *w, int argc, char **argv)
{
	int c;

	while ((c = getopt_long(argc, argv, ":o:h", options, NULL)) != -1) {
		if (c == OPT_STATE)
			w->state = optarg;
		else if (c == OPT_DAY)
			w->day = optarg;
		else if (c == 'o')
			w->output = optarg;
		else if (c == 'h')
			w->help = true;
		else
			return cli_bad_option("report", c, argv);
	}
	if (optind < argc)
		return cli_usage_error("report", "\"%s\" is too much", argv[optind]);
	return EXIT_FINE;
}

int cmd_report(int argc, char **argv)
{
	bool make_it = argc > 1 && strcmp(argv[1], "make") == 0;
	struct wanted w = { .output = "-" };
	char room[PATH_MAX];
	int status = read_options(&w, make_it ? argc - 1 : argc, make_it ? argv + 1 : argv);

	if (w.help)
		return cli_help("report", help);
	if (!make_it)
		return cli_usage_error("report", "what to do with a report: make");
	if (status != EXIT_FINE)
		return status;
	if (w.state == NULL || w.day == NULL)
		return cli_usage_error("report", "--state and --day are needed");
	w.state = cli_state_name(w.state, room);
	return make(&w, argc, argv);
}
