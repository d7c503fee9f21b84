/*
 * cmd_audit.c - lyncaudit audit: captures in, report and logs out.
 *
 * The order matters: outputs are opened while that is still allowed, then all
 * rights that reading does not need are given up, and only then the first byte
 * of any input is parsed.
 */
#include "cli/cli.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/audit_options.h"
#include "cli/place.h"
#include "cli/progress.h"
#include "lyncaudit/alloc.h"
#include "lyncaudit/audit.h"
#include "lyncaudit/confine.h"
#include "lyncaudit/report.h"
#include "lyncaudit/timeutil.h"

enum { FRAMES = 256 };

/* Set by SIGINT, SIGTERM and SIGHUP: a handler can reach nothing else. */
static volatile sig_atomic_t stop_asked;

struct audit_run {
	struct audit_options options;
	int argc;
	char **argv;
	int64_t started_ns;
	char host[HOST_NAME_MAX + 1];
	struct cli_loaded loaded;
	struct lya_capture *capture;
	struct lya_audit *audit;
	struct lya_output *report, *flows, *findings, *evidence;
	struct cli_progress progress;
	bool interrupted;
	struct lya_error err;
};

static void ask_stop(int signal_number)
{
	(void)signal_number;
	stop_asked = 1;
}

/* The first signal ends the reading; a second one ends the program. */
static void catch_signals(void)
{
	struct sigaction action = { .sa_handler = ask_stop, .sa_flags = (int)SA_RESETHAND };
	struct sigaction given;

	sigemptyset(&action.sa_mask);
	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
	if (sigaction(SIGHUP, NULL, &given) == 0 && given.sa_handler != SIG_IGN) /* nohup(1) */
		(void)sigaction(SIGHUP, &action, NULL);
	(void)signal(SIGPIPE, SIG_IGN); /* a broken pipe is an output error with a message */
	(void)signal(SIGXFSZ, SIG_IGN); /* and so is a file that would be too large */
}

static int open_output(struct audit_run *run, struct lya_output **out, const char *path)
{
	return path == NULL ? LYA_OK : lya_output_open(out, path, false, &run->err);
}

/* The report, or where none is wanted the summary, which goes to standard output. */
static const char *report_path(const struct audit_options *o)
{
	if (o->report != NULL)
		return o->report;
	return o->quiet ? NULL : "-";
}

static int open_outputs(struct audit_run *run)
{
	int rc = open_output(run, &run->report, report_path(&run->options));

	if (rc == LYA_OK)
		rc = open_output(run, &run->flows, run->options.flows);
	if (rc == LYA_OK)
		rc = open_output(run, &run->findings, run->options.findings);
	if (rc == LYA_OK)
		rc = open_output(run, &run->evidence, run->options.evidence);
	return rc;
}

/* What may still be read after confinement: what was named, and the time zones. */
static int confine(struct audit_run *run)
{
	const struct audit_options *o = &run->options;
	const char **reads = lya_calloc(o->n_reads + 3, sizeof(*reads));
	const char *renames[] = { o->report, o->flows, o->findings, o->evidence };
	struct lya_confine want = { .reads = reads, .renames = renames };
	struct lya_confined got;
	char rules[PATH_MAX + 64];
	int rc;

	if (reads == NULL)
		return lya_error_nomem(&run->err);
	for (size_t i = 0; i < o->n_reads; i++)
		reads[want.n_reads++] = o->reads[i];
	reads[want.n_reads++] = o->site;
	reads[want.n_reads++] = "/usr/share/zoneinfo";
	if (o->rules != NULL)
		reads[want.n_reads++] = o->rules;
	else if (cli_default_rules(rules, sizeof(rules)))
		reads[want.n_reads++] = rules;
	for (size_t i = 0; i < sizeof(renames) / sizeof(renames[0]); i++) {
		if (renames[i] != NULL)
			renames[want.n_renames++] = renames[i];
	}
	rc = lya_confine(&want, &got, &run->err);
	if (rc == LYA_OK && !o->quiet && (got.landlock_abi == 0 || !got.seccomp))
		cli_error("this kernel offers no %s; the rest of the protection holds",
			  got.landlock_abi == 0 ? "Landlock" : "seccomp");
	lya_free(reads);
	return rc;
}

static int log_flow(void *ctx, const struct lya_audit_flow *f)
{
	struct audit_run *run = ctx;

	lya_report_flow_line(run->flows, run->loaded.policy, f->flow, f->ends, f->verdict,
			     f->findings);
	return lya_output_failed(run->flows) ? LYA_EOUTPUT : 0;
}

static int log_finding(void *ctx, const struct lya_finding *finding)
{
	struct audit_run *run = ctx;
	size_t n;
	const struct lya_source *sources = lya_capture_sources(run->capture, &n);

	lya_report_finding_line(run->findings, run->loaded.policy, sources, n, finding);
	return lya_output_flush(run->findings);
}

static const char *source_name(void *ctx, uint32_t source)
{
	const struct audit_run *run = ctx;
	size_t n;
	const struct lya_source *sources = lya_capture_sources(run->capture, &n);

	return source < n ? sources[source].name : NULL;
}

enum { OUTPUTS = 3 };

/* The files that are gone once the outputs have taken their names; returns how many. */
static size_t find_replaced(const struct audit_options *o, struct cli_replaced list[OUTPUTS])
{
	const char *outputs[OUTPUTS] = { o->report, o->flows, o->findings };
	size_t n = 0;

	for (size_t i = 0; i < OUTPUTS; i++)
		n += outputs[i] != NULL && cli_replaced_find(&list[n], outputs[i]);
	return n;
}

/* output: what would take the place of the input; NULL: nothing does. */
static int keep_input(struct audit_run *run, const char *output, const char *input)
{
	return output == NULL ? LYA_OK
			      : lya_error_set(&run->err, LYA_EUSAGE, output, NULL,
					      "is read as %s, and would be overwritten", input);
}

static int keep_site(struct audit_run *run, const struct cli_replaced *list, size_t n)
{
	const char *site = run->options.site;
	struct stat st;

	if (stat(site, &st) != 0)
		return LYA_OK;
	return keep_input(run, cli_replaced_by(list, n, st.st_dev, st.st_ino), site);
}

/* What is read must still be there when the outputs take their names. */
static int keep_inputs(struct audit_run *run)
{
	struct cli_replaced list[OUTPUTS];
	size_t n_list = find_replaced(&run->options, list), n;
	const struct lya_source *sources = lya_capture_sources(run->capture, &n);
	int rc = keep_site(run, list, n_list);

	for (size_t i = 0; i < n && rc == LYA_OK; i++) {
		const struct lya_source *s = &sources[i];

		if (!s->skipped && s->ino != 0)
			rc = keep_input(run, cli_replaced_by(list, n_list, s->dev, s->ino), s->name);
	}
	return rc;
}

static unsigned threads_of(const struct audit_options *o)
{
	return o->threads < INT_MAX ? (unsigned)o->threads : INT_MAX;
}

/* What the audit leaves of the cap to buffers and unpacking. */
static size_t capture_memory(const struct audit_options *o)
{
	size_t memory = o->max_memory != 0 ? o->max_memory : LYA_AUDIT_MEMORY;

	return memory / LYA_AUDIT_CAPTURE_PART;
}

static int open_inputs(struct audit_run *run)
{
	const struct audit_options *o = &run->options;
	struct lya_capture_options capture = {
		.paths = o->reads,
		.n_paths = o->n_reads,
		.filter = o->filter,
		.offsets = o->offsets,
		.n_offsets = o->n_offsets,
		.max_bytes = capture_memory(o),
		.hold = threads_of(o) > 1 ? LYA_AUDIT_HOLD : 0,
		.stop = &stop_asked,
	};
	struct lya_audit_options audit = {
		.max_memory = o->max_memory,
		.max_flows = o->max_flows,
		.threads = threads_of(o),
		.evidence = run->evidence != NULL,
		.on_flow = run->flows != NULL ? log_flow : NULL,
		.on_finding = run->findings != NULL ? log_finding : NULL,
		.source_name = source_name,
		.ctx = run,
	};
	int rc = lya_capture_open(&run->capture, &capture, &run->err);

	if (rc == LYA_OK)
		rc = keep_inputs(run);
	return rc < 0 ? rc : lya_audit_new(&run->audit, run->loaded.policy, &audit, &run->err);
}

/*
 * An output that failed says why when it is committed: keep that text.  One
 * whose commit failed is gone by now, and has said it.
 */
static int tell_output_failure(struct audit_run *run)
{
	struct lya_output **outputs[] = { &run->flows, &run->findings };

	for (size_t i = 0; i < sizeof(outputs) / sizeof(outputs[0]); i++) {
		if (*outputs[i] == NULL || !lya_output_failed(*outputs[i]))
			continue;
		(void)lya_output_commit(*outputs[i], &run->err);
		*outputs[i] = NULL;
	}
	return LYA_EOUTPUT;
}

static int read_all(struct audit_run *run)
{
	struct lya_frame frames[FRAMES];
	size_t n;
	int rc;

	for (;;) {
		rc = lya_capture_next(run->capture, frames, FRAMES, &n, &run->err);
		if (rc < 0 || n == 0)
			break;
		rc = lya_audit_take(run->audit, frames, n, &run->err);
		if (rc < 0)
			break;
		cli_progress_step(&run->progress, n);
		if (stop_asked) {
			run->interrupted = true;
			break;
		}
	}
	if (rc == LYA_ESTOP) { /* a signal while it waited, or while nothing passed the filter */
		run->interrupted = true;
		rc = LYA_OK;
	}
	return rc;
}

static void fill_totals(const struct audit_run *run, struct lya_report_input *in)
{
	struct lya_audit_counts counts;

	lya_audit_counts(run->audit, &counts);
	in->totals.not_ip = counts.not_ip;
	in->totals.not_tcp_udp = counts.not_tcp_udp;
	memcpy(in->totals.events, counts.events, sizeof(in->totals.events));
	in->totals.duplicates = counts.duplicates;
	in->totals.interrupted = run->interrupted;
	lya_audit_flow_stats(run->audit, &in->flow_stats);
}

static unsigned terminal_width(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == -1)
		return 0;
	return size.ws_col;
}

static bool wants_colour(enum cli_color color)
{
	if (color == CLI_COLOR_AUTO)
		return isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL;
	return color == CLI_COLOR_ALWAYS;
}

static void write_report(struct audit_run *run, const struct lya_report_input *in)
{
	if (run->report == NULL)
		return;
	if (run->options.report != NULL)
		lya_report_json(run->report, in);
	else
		lya_report_summary(run->report, in, wants_colour(run->options.color),
				   terminal_width());
}

static int commit(struct audit_run *run, struct lya_output **out)
{
	struct lya_output *o = *out;

	*out = NULL;
	return o == NULL ? LYA_OK : lya_output_commit(o, &run->err);
}

/* The report last: when it stands, everything stands. */
static int commit_outputs(struct audit_run *run)
{
	int rc = commit(run, &run->flows);

	if (rc == LYA_OK)
		rc = commit(run, &run->findings);
	if (rc == LYA_OK)
		rc = commit(run, &run->evidence);
	if (rc == LYA_OK)
		rc = commit(run, &run->report);
	return rc;
}

/* *counts, one for each finding, is freed with lya_free; NULL where no evidence is wanted. */
static int write_evidence(struct audit_run *run, const struct lya_report_input *in,
			  struct lya_finding_packets **counts, struct lya_finding_packets *total)
{
	size_t n;

	*counts = NULL;
	if (run->evidence == NULL)
		return LYA_OK;
	(void)lya_ledger_findings(lya_audit_ledger(run->audit), &n);
	*counts = lya_calloc(n + 1, sizeof(**counts));
	if (*counts == NULL)
		return lya_error_nomem(&run->err);
	return lya_audit_evidence(run->audit, in->sources, in->n_sources, run->evidence, *counts,
				  total, &run->err);
}

static int finish(struct audit_run *run, int *status)
{
	struct lya_report_input in = { .fail_on = run->options.fail_on,
				       .filter = run->options.filter };
	struct lya_report_snat_pair *pairs = NULL;
	struct lya_finding_packets *evidence = NULL;
	size_t n_pairs = 0;
	int rc;

	in.sources = lya_capture_sources(run->capture, &in.n_sources);
	rc = lya_audit_finish(run->audit, in.sources, in.n_sources, &run->err);
	if (rc == LYA_OK)
		rc = lya_report_snat_pairs(run->loaded.site, &pairs, &n_pairs, &run->err);
	if (rc == LYA_OK)
		rc = write_evidence(run, &in, &evidence, &in.evidence_total);
	if (rc == LYA_OK) {
		in.evidence = evidence;
		lya_report_snat_fill(lya_audit_snat(run->audit), pairs, n_pairs, &in.snat);
		in.ledger = lya_audit_ledger(run->audit);
		in.limits = lya_audit_limits(run->audit, &in.n_limits);
		in.run = (struct lya_report_run){
			.version = LYNCAUDIT_VERSION,
			.host = run->host,
			.started_ns = run->started_ns,
			.finished_ns = cli_wall_clock_ns(),
			.arguments = (const char *const *)run->argv,
			.n_arguments = (size_t)run->argc,
		};
		fill_totals(run, &in);
		write_report(run, &in);
		*status = lya_report_exit_status(lya_report_verdict(&in));
		rc = commit_outputs(run);
	}
	lya_free(pairs);
	lya_free(evidence);
	return rc;
}

static int perform(struct audit_run *run, int *status)
{
	const struct audit_options *o = &run->options;
	int rc = open_outputs(run);

	if (rc == LYA_OK)
		rc = confine(run);
	if (rc < 0)
		return rc;
	if (!cli_load(&run->loaded, o->site, o->rules, o->strict)) {
		*status = EXIT_ERROR; /* said already */
		return LYA_OK;
	}
	rc = open_inputs(run);
	if (rc < 0)
		return rc;
	cli_progress_begin(&run->progress, o->progress, o->quiet);
	rc = read_all(run);
	cli_progress_end(&run->progress);
	if (rc == LYA_OK)
		rc = finish(run, status);
	return rc == LYA_EOUTPUT ? tell_output_failure(run) : rc;
}

static void release(struct audit_run *run)
{
	lya_audit_free(run->audit);
	lya_capture_close(run->capture);
	cli_unload(&run->loaded);
	lya_output_abort(run->report);
	lya_output_abort(run->flows);
	lya_output_abort(run->findings);
	lya_output_abort(run->evidence);
	audit_options_fini(&run->options);
}

int cmd_audit(int argc, char **argv)
{
	struct audit_run run = { .argc = argc, .argv = argv, .started_ns = cli_wall_clock_ns() };
	int status = audit_options_read(&run.options, argc, argv);
	int rc;

	if (status != -1) {
		audit_options_fini(&run.options);
		return status;
	}
	if (gethostname(run.host, sizeof(run.host) - 1) == -1)
		run.host[0] = '\0';
	catch_signals();
	status = EXIT_ERROR;
	rc = perform(&run, &status);
	if (rc < 0) {
		cli_error("%s", run.err.text);
		status = EXIT_ERROR;
	}
	release(&run);
	return status;
}
