/*
 * test_alloc.c - a short audit in which the n-th allocation fails, for every n.
 *
 * Whatever n: the audit says that memory ran out and leaves no file behind
 * (neither under the final name nor unfinished beside it), or it could do
 * without and writes what it always writes.  Leaks are the address
 * sanitizer's to find, at the end of this program and of each child.
 *
 * The library is taken through all n in one process.  The program's own
 * command runs in children, for it gives up rights; of the n, a spread.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include "cli/cli.h"
#include "lyncaudit/alloc.h"
#include "lyncaudit/audit.h"
#include "lyncaudit/report.h"

#define SITE TEST_SOURCE_DIR "/docs/examples/site.json"
#define RULES TEST_SOURCE_DIR "/rules/lync-server-2013"

enum { FRAMES = 64, PATH_LEN = 512, OUTPUTS = 3, CHILDREN = 120 };

/* The table of commands is main's, which is left out here. */
const struct cli_command cli_commands[] = {
	{ "audit", "audit", "judge every flow of captures", cmd_audit },
	{ NULL, NULL, NULL, NULL },
};

static const char *const outputs[OUTPUTS] = { "out/report.json", "out/flows", "out/findings" };
static const char *const captures[] = { "in" };
static bool every_one;

/* Everything that one audit holds, so that it can be released wherever it stops. */
struct held {
	struct lya_output *out[OUTPUTS];
	struct lya_rules *rules;
	struct lya_site *site;
	struct lya_policy *policy;
	struct lya_diags diags;
	struct lya_capture *capture;
	struct lya_audit *audit;
	struct lya_report_snat_pair *pairs;
	struct lya_error err;
};

/* Files ----------------------------------------------------------------------- */

struct content {
	uint8_t *data;
	size_t len;
};

static struct content read_file(const char *path)
{
	struct content c = { NULL, 0 };
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd != -1 && fstat(fd, &st) == 0);
	c.len = (size_t)st.st_size;
	c.data = malloc(c.len + 1);
	assert_non_null(c.data);
	assert_int_equal(read(fd, c.data, c.len), st.st_size);
	c.data[c.len] = '\0';
	close(fd);
	return c;
}

static void copy_file(const char *from, const char *to)
{
	struct content c = read_file(from);
	int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd != -1);
	assert_int_equal(write(fd, c.data, c.len), c.len);
	close(fd);
	free(c.data);
}

static void pack_file(const char *from, const char *to)
{
	struct content c = read_file(from);
	gzFile gz = gzopen(to, "wb");

	assert_non_null(gz);
	assert_int_equal(gzwrite(gz, c.data, (unsigned)c.len), c.len);
	assert_int_equal(gzclose(gz), Z_OK);
	free(c.data);
}

static unsigned files_in(const char *folder)
{
	DIR *dir = opendir(folder);
	unsigned n = 0;

	assert_non_null(dir);
	for (const struct dirent *e; (e = readdir(dir)) != NULL;)
		n += e->d_name[0] != '.';
	closedir(dir);
	return n;
}

static void remove_outputs(void)
{
	for (unsigned i = 0; i < OUTPUTS; i++)
		(void)unlink(outputs[i]);
}

static int make_folder(void **state)
{
	static char folder[] = "/tmp/lyncaudit-alloc-XXXXXX";

	*state = folder;
	if (mkdtemp(folder) == NULL || chdir(folder) == -1 || mkdir("in", 0700) == -1 ||
	    mkdir("out", 0700) == -1)
		return -1;
	/* plain pcapng, a pcap with cut packets, packed, and what is no capture */
	copy_file(TEST_SOURCE_DIR "/pcaps/lab-all.pcapng", "in/all");
	copy_file(TEST_SOURCE_DIR "/pcaps/lab-midstream.pcap", "in/midstream");
	pack_file(TEST_SOURCE_DIR "/pcaps/lab-cut.pcap", "in/cut");
	copy_file(SITE, "in/site");
	return 0;
}

static int remove_folder(void **state)
{
	static const char *const inputs[] = { "in/all", "in/midstream", "in/cut", "in/site" };

	remove_outputs();
	for (size_t i = 0; i < sizeof(inputs) / sizeof(inputs[0]); i++)
		(void)unlink(inputs[i]);
	return rmdir("in") == 0 && rmdir("out") == 0 && chdir("/") == 0 ? rmdir(*state) : -1;
}

/* The library ----------------------------------------------------------------- */

static int log_flow(void *ctx, const struct lya_audit_flow *f)
{
	struct held *h = ctx;

	lya_report_flow_line(h->out[1], h->policy, f->flow, f->ends, f->verdict, f->findings);
	return lya_output_failed(h->out[1]) ? LYA_EOUTPUT : 0;
}

static int log_finding(void *ctx, const struct lya_finding *finding)
{
	struct held *h = ctx;
	size_t n;
	const struct lya_source *sources = lya_capture_sources(h->capture, &n);

	lya_report_finding_line(h->out[2], h->policy, sources, n, finding);
	return lya_output_failed(h->out[2]) ? LYA_EOUTPUT : 0;
}

static int load(struct held *h)
{
	int rc = lya_rules_load(&h->rules, RULES, &h->diags, &h->err);

	if (rc == LYA_OK)
		rc = lya_site_load(&h->site, SITE, &h->diags, &h->err);
	if (rc == LYA_OK)
		rc = lya_policy_new(&h->policy, h->site, h->rules, false, &h->diags, &h->err);
	return rc;
}

static int open_all(struct held *h)
{
	struct lya_capture_options capture = { .paths = captures, .n_paths = 1, .filter = "ip" };
	struct lya_audit_options audit = { .max_memory = (size_t)64 << 20,
					   .on_flow = log_flow,
					   .on_finding = log_finding,
					   .ctx = h };
	int rc = LYA_OK;

	for (unsigned i = 0; rc == LYA_OK && i < OUTPUTS; i++)
		rc = lya_output_open(&h->out[i], outputs[i], false, &h->err);
	if (rc == LYA_OK)
		rc = lya_capture_open(&h->capture, &capture, &h->err);
	return rc != LYA_OK ? rc : lya_audit_new(&h->audit, h->policy, &audit, &h->err);
}

static int take_all(struct held *h)
{
	struct lya_frame frames[FRAMES];
	size_t n = 0;
	int rc;

	do {
		rc = lya_capture_next(h->capture, frames, FRAMES, &n, &h->err);
		if (rc == LYA_OK)
			rc = lya_audit_take(h->audit, frames, n, &h->err);
	} while (rc == LYA_OK && n > 0);
	return rc;
}

static int finish(struct held *h)
{
	struct lya_report_input in = { .run = { .version = "0" }, .fail_on = LYA_SEVERITY_LOW };
	struct lya_audit_counts counts;
	int rc;

	in.sources = lya_capture_sources(h->capture, &in.n_sources);
	rc = lya_audit_finish(h->audit, in.sources, in.n_sources, &h->err);
	if (rc == LYA_OK)
		rc = lya_report_snat_pairs(h->site, &h->pairs, &in.snat.n_pairs, &h->err);
	if (rc != LYA_OK)
		return rc;
	in.snat.pairs = h->pairs;
	in.ledger = lya_audit_ledger(h->audit);
	in.limits = lya_audit_limits(h->audit, &in.n_limits);
	lya_audit_counts(h->audit, &counts);
	in.totals.not_ip = counts.not_ip;
	in.totals.not_tcp_udp = counts.not_tcp_udp;
	memcpy(in.totals.events, counts.events, sizeof(in.totals.events));
	lya_audit_flow_stats(h->audit, &in.flow_stats);
	lya_report_json(h->out[0], &in);
	return LYA_OK;
}

static int commit_all(struct held *h)
{
	int rc = LYA_OK;

	for (unsigned i = OUTPUTS; rc == LYA_OK && i-- > 0;) { /* the report last */
		rc = lya_output_commit(h->out[i], &h->err);
		h->out[i] = NULL;
	}
	return rc;
}

static void release(struct held *h)
{
	lya_free(h->pairs);
	lya_audit_free(h->audit);
	lya_capture_close(h->capture);
	for (unsigned i = 0; i < OUTPUTS; i++)
		lya_output_abort(h->out[i]);
}

static void unload(struct held *h)
{
	lya_policy_free(h->policy);
	lya_site_free(h->site);
	lya_rules_free(h->rules);
	lya_diags_fini(&h->diags);
}

/* True when allocation n was reached since `before`, and the hook is off again. */
static bool was_reached(uint64_t before, uint64_t n)
{
	lya_alloc_fail_at(0);
	return lya_alloc_count() - before >= n;
}

/* All faults of a test are told, not the first alone: one look shows the pattern. */
static unsigned check(bool holds, uint64_t n, int status, const char *text)
{
	if (!holds)
		print_error("allocation %" PRIu64 ": status %d, \"%s\"\n", n, status, text);
	return !holds;
}

static bool says_out_of_memory(const struct held *h, int rc)
{
	return rc == LYA_ENOMEM && strstr(h->err.text, "out of memory") != NULL;
}

static void test_load(void **state)
{
	unsigned faults = 0;
	bool reached = true;

	(void)state;
	for (uint64_t n = 1; reached; n++) {
		struct held h = { .err = { .status = LYA_OK } };
		uint64_t before = lya_alloc_count();
		int rc;

		lya_alloc_fail_at(n);
		rc = load(&h);
		reached = was_reached(before, n);
		faults +=
		    check(reached ? says_out_of_memory(&h, rc) : rc == LYA_OK, n, rc, h.err.text);
		faults += check(h.diags.errors == 0, n, rc, "a fault that is none");
		unload(&h);
	}
	assert_int_equal(faults, 0);
}

/* One audit with allocation n failing (0: none).  The outputs are there when it was LYA_OK. */
static int audit_failing(struct held *h, uint64_t n, bool *reached)
{
	uint64_t before = lya_alloc_count();
	int rc;

	lya_alloc_fail_at(n);
	rc = open_all(h);
	if (rc == LYA_OK)
		rc = take_all(h);
	if (rc == LYA_OK)
		rc = finish(h);
	if (rc == LYA_OK)
		rc = commit_all(h);
	release(h);
	*reached = was_reached(before, n);
	return rc;
}

static bool same_files(const struct content want[static OUTPUTS])
{
	bool same = true;

	for (unsigned i = 0; i < OUTPUTS; i++) {
		struct content got = read_file(outputs[i]);

		same =
		    same && got.len == want[i].len && memcmp(got.data, want[i].data, got.len) == 0;
		free(got.data);
	}
	return same;
}

static void test_audit(void **state)
{
	struct held loaded = { .err = { .status = LYA_OK } };
	struct content want[OUTPUTS];
	unsigned faults = 0;
	bool reached = true;
	struct held h;

	(void)state;
	assert_int_equal(load(&loaded), LYA_OK);
	h = loaded;
	assert_int_equal(audit_failing(&h, 0, &reached), LYA_OK);
	for (unsigned i = 0; i < OUTPUTS; i++)
		want[i] = read_file(outputs[i]);
	remove_outputs();
	reached = true;
	for (uint64_t n = 1; reached; n++) {
		int rc;

		h = loaded;
		rc = audit_failing(&h, n, &reached);
		if (rc == LYA_OK)
			faults +=
			    check(same_files(want), n, rc, "another report than without a failure");
		else
			faults +=
			    check(says_out_of_memory(&h, rc) && access(outputs[0], F_OK) == -1, n,
				  rc, h.err.text);
		remove_outputs(); /* the logs may stand whole: the report comes last */
		faults += check(files_in("out") == 0, n, rc, "something unfinished is left");
	}
	assert_int_equal(faults, 0);
	for (unsigned i = 0; i < OUTPUTS; i++)
		free(want[i].data);
	unload(&loaded);
}

/* The program ----------------------------------------------------------------- */

static int run_command(uint64_t n)
{
	char words[][PATH_LEN] = { "audit", "-s", SITE, "--rules",         RULES,     "-r",
				   "in",    "-q", "-o", "out/report.json", "--flows", "out/flows" };
	char *argv[sizeof(words) / sizeof(words[0]) + 1];
	int argc = (int)(sizeof(words) / sizeof(words[0]));

	for (int i = 0; i < argc; i++)
		argv[i] = words[i];
	argv[argc] = NULL;
	lya_alloc_fail_at(n);
	return cmd_audit(argc, argv);
}

/* Run the command in a child; what it says on standard error goes to `message`. */
static int run_child(uint64_t n, char *message, size_t size)
{
	int fd = open("message", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int status;
	ssize_t len;
	pid_t child;

	assert_true(fd != -1);
	child = fork();
	assert_true(child != -1);
	if (child == 0) {
		(void)dup2(fd, STDERR_FILENO);
		exit(run_command(n));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	len = pread(fd, message, size - 1, 0);
	message[len > 0 ? len : 0] = '\0';
	close(fd);
	(void)unlink("message");
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* How many allocations the command makes: counted in a child, told through a pipe. */
static uint64_t count_command(void)
{
	uint64_t n = 0;
	int ends[2];
	pid_t child;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	child = fork();
	assert_true(child != -1);
	if (child == 0) {
		uint64_t before = lya_alloc_count();

		(void)run_command(0);
		n = lya_alloc_count() - before;
		_exit(write(ends[1], &n, sizeof(n)) == (ssize_t)sizeof(n) ? 0 : 1);
	}
	assert_int_equal(read(ends[0], &n, sizeof(n)), sizeof(n));
	assert_int_equal(waitpid(child, NULL, 0), child);
	close(ends[0]);
	close(ends[1]);
	remove_outputs();
	return n;
}

static void test_command(void **state)
{
	uint64_t all = count_command();
	uint64_t step = every_one ? 1 : all / CHILDREN | 1;
	unsigned faults = 0;
	char message[4096];

	(void)state;
	assert_true(all > CHILDREN);
	print_message("allocations of the command: %" PRIu64 ", of which %" PRIu64
		      " failed in turn\n",
		      all, (all + step - 1) / step);
	for (uint64_t n = 1; n <= all; n += step) {
		int status = run_child(n, message, sizeof(message));

		faults += check(status == EXIT_ERROR && strstr(message, "out of memory") != NULL &&
				    access(outputs[0], F_OK) == -1,
				n, status, message);
		remove_outputs();
		faults += check(files_in("out") == 0, n, status, "something unfinished is left");
	}
	assert_int_equal(faults, 0);
}

/* "all": the command takes every allocation, too, which takes long. */
int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_load),
		cmocka_unit_test(test_audit),
		cmocka_unit_test(test_command),
	};

	every_one = argc > 1 && strcmp(argv[1], "all") == 0;
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
