/*
 * test_hook.c - programs that are started for findings: good ones, and others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "live/hook.h"
#include "lyncaudit/timeutil.h"

static char folder[64], program[96], result[96];
static char said[512];
static unsigned n_said;

static int set_up(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/lyncaudit-hook-XXXXXX");
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(program, sizeof(program), "%s/program", folder);
	snprintf(result, sizeof(result), "%s/result", folder);
	said[0] = '\0';
	n_said = 0;
	return 0;
}

static int tear_down(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command);
}

static void say(void *ctx, const char *text)
{
	(void)ctx;
	snprintf(said, sizeof(said), "%s", text);
	n_said++;
}

static void write_program(const char *body)
{
	FILE *f = fopen(program, "w");

	assert_non_null(f);
	fprintf(f, "#!/bin/sh\ncd %s\n%s\n", folder, body);
	fclose(f);
	assert_int_equal(chmod(program, 0700), 0);
}

static struct live_hook *hook(unsigned a_minute, unsigned seconds)
{
	struct live_hook_options options = { .path = program,
					     .a_minute = a_minute,
					     .seconds = seconds,
					     .silent = true,
					     .say = say };
	struct live_hook *h = live_hook_new(&options);

	assert_non_null(h);
	return h;
}

static int64_t steady_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * LYA_SECOND_NS + now.tv_nsec;
}

/* Run it until nothing waits, or for so many seconds. */
static void run(struct live_hook *h, double seconds)
{
	int64_t end_ns = steady_ns() + (int64_t)(seconds * 1e9);
	struct pollfd fd;

	while (steady_ns() < end_ns) {
		live_hook_work(h, steady_ns());
		if (live_hook_wait(h, steady_ns(), &fd) == -1)
			return;
		(void)poll(&fd, fd.fd == -1 ? 0 : 1, 10);
	}
}

static struct live_hook_counts counts_of(const struct live_hook *h)
{
	struct live_hook_counts counts;

	live_hook_counts(h, &counts);
	return counts;
}

static char *read_result(void)
{
	static char text[1 << 20];
	FILE *f = fopen(result, "r");
	size_t n = 0;

	if (f != NULL) {
		n = fread(text, 1, sizeof(text) - 1, f);
		fclose(f);
	}
	text[n] = '\0';
	return text;
}

static void it_gets_the_finding(void **state)
{
	struct live_hook *h = hook(6000, 10);

	(void)state;
	write_program("cat >>result; echo $# >>result; env | grep -v -e ^PWD= -e ^_= -e ^OLDPWD= | wc -l >>result");
	live_hook_add(h, "{\"id\":\"F-1\"}", 12);
	live_hook_add(h, "{\"id\":\"F-2\"}", 12);
	run(h, 20);
	/* the line, no argument, and of the environment PATH alone; one after the other */
	assert_string_equal(read_result(), "{\"id\":\"F-1\"}\n0\n1\n{\"id\":\"F-2\"}\n0\n1\n");
	assert_int_equal(counts_of(h).started, 2);
	assert_int_equal(counts_of(h).failed, 0);
	live_hook_free(h);
}

/* More than a pipe holds. */
static void a_long_one_comes_whole(void **state)
{
	enum { LEN = 300000 };
	struct live_hook *h = hook(6000, 10);
	char *text = malloc(LEN);

	(void)state;
	memset(text, 'x', LEN);
	write_program("sleep 0.2; wc -c >result");
	live_hook_add(h, text, LEN);
	run(h, 20);
	assert_int_equal(atoi(read_result()), LEN + 1);
	free(text);
	live_hook_free(h);
}

static void one_that_does_not_read_is_fine(void **state)
{
	struct live_hook *h = hook(6000, 10);
	char *text = malloc(300000);

	(void)state;
	memset(text, 'x', 300000);
	write_program("exec <&-; echo done >result");
	live_hook_add(h, text, 300000);
	run(h, 20);
	assert_string_equal(read_result(), "done\n");
	assert_int_equal(counts_of(h).failed, 0);
	free(text);
	live_hook_free(h);
}

/* With all that it started. */
static void one_that_hangs_is_killed(void **state)
{
	struct live_hook *h = hook(6000, 1);
	int64_t from_ns = steady_ns();
	pid_t child;

	(void)state;
	write_program("trap '' TERM INT HUP; sleep 100 & echo $! >result; wait");
	live_hook_add(h, "{}", 2);
	run(h, 20);
	assert_true(steady_ns() - from_ns < 5 * LYA_SECOND_NS);
	assert_int_equal(counts_of(h).failed, 1);
	assert_non_null(strstr(said, "did not end in time"));
	child = atoi(read_result());
	assert_true(child > 1);
	usleep(50000);
	{
		char path[64], state_letter = 'X';
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%d/stat", child);
		f = fopen(path, "r");
		if (f != NULL) { /* it may still be a zombie, if nobody reaps orphans here */
			(void)fscanf(f, "%*d (%*[^)]) %c", &state_letter);
			fclose(f);
		}
		assert_true(state_letter == 'X' || state_letter == 'Z');
	}
	live_hook_free(h);
}

static void failures_are_said(void **state)
{
	struct live_hook *h = hook(6000, 10);

	(void)state;
	write_program("exit 3");
	live_hook_add(h, "{}", 2);
	run(h, 20);
	assert_non_null(strstr(said, "ended with status 3"));
	live_hook_add(h, "{}", 2);
	run(h, 20);
	assert_int_equal(counts_of(h).failed, 2);
	assert_int_equal(n_said, 1); /* at most one a minute */
	live_hook_free(h);
	assert_int_equal(unlink(program), 0);
	h = hook(6000, 10);
	live_hook_add(h, "{}", 2);
	run(h, 20);
	assert_non_null(strstr(said, "cannot be started"));
	live_hook_free(h);
}

static void it_is_started_so_often_and_no_more(void **state)
{
	struct live_hook *h = hook(60, 10); /* one a second */

	(void)state;
	write_program("echo >>result");
	for (unsigned i = 0; i < LIVE_HOOK_WAITING + 5; i++)
		live_hook_add(h, "{}", 2);
	assert_int_equal(counts_of(h).lost, 5);
	run(h, 2.5);
	assert_int_equal(counts_of(h).started, 3);
	assert_int_equal(counts_of(h).waiting, LIVE_HOOK_WAITING - 3);
	live_hook_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(it_gets_the_finding, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_long_one_comes_whole, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_that_does_not_read_is_fine, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_that_hangs_is_killed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(failures_are_said, set_up, tear_down),
		cmocka_unit_test_setup_teardown(it_is_started_so_often_and_no_more, set_up, tear_down),
	};

	signal(SIGPIPE, SIG_IGN); /* as the service does */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
