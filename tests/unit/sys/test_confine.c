/*
 * test_confine.c - what a confined process still can do, and what it cannot.
 *
 * Each case runs in a child, since there is no way back.  Where the kernel
 * lacks a mechanism the case says so and checks what remains.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lyncaudit/confine.h"
#include "lyncaudit/output.h"

static char folder[64];
static char named[96], other[96], output[96];
static struct lya_confined offer;

static void write_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd != -1);
	assert_int_equal(write(fd, "x", 1), 1);
	close(fd);
}

static int set_up(void **state)
{
	(void)state;
	lya_confine_offer(&offer);
#ifdef __SANITIZE_ADDRESS__
	printf("left out: seccomp and Landlock, which the leak checker of this build cannot bear; "
	       "the build without sanitizers has them\n");
	offer = (struct lya_confined){ 0 };
#endif
	printf("landlock abi %d, seccomp %s\n", offer.landlock_abi, offer.seccomp ? "yes" : "no");
	snprintf(folder, sizeof(folder), "/tmp/lyncaudit-sys-XXXXXX");
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(named, sizeof(named), "%s/named", folder);
	snprintf(other, sizeof(other), "%s/other", folder);
	snprintf(output, sizeof(output), "%s/output", folder);
	write_file(named);
	write_file(other);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	(void)unlink(named);
	(void)unlink(other);
	(void)unlink(output);
	return rmdir(folder);
}

/* Confine a child, run the case there, and take its answer: 0 is as wanted. */
static void run_confined(int (*run)(struct lya_output *))
{
	pid_t child = fork();
	int status;

	assert_true(child != -1);
	if (child == 0) {
		const char *reads[] = { named, "/nonexistent" };
		const char *renames[] = { output };
		struct lya_confine want = { .reads = reads, .n_reads = 2, .renames = renames,
			                    .n_renames = 1 };
		struct lya_confined got;
		struct lya_output *out;
		struct lya_error err;

		if (lya_output_open(&out, output, false, &err) < 0)
			_exit(100);
		if (lya_confine(&want, &got, &err) < 0) {
			fprintf(stderr, "%s\n", err.text);
			_exit(101);
		}
		_exit(run(out));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static int read_named_only(struct lya_output *out)
{
	int fd = open(named, O_RDONLY);

	lya_output_abort(out);
	if (fd == -1)
		return 1;
	if (offer.landlock_abi == 0)
		return 0;
	if (open(other, O_RDONLY) != -1 || errno != EACCES)
		return 2;
	if (open("/etc/passwd", O_RDONLY) != -1 || errno != EACCES)
		return 3;
	if (open(named, O_WRONLY) != -1 || errno != EACCES)
		return 4;
	if (open(output, O_WRONLY | O_CREAT, 0600) != -1 || errno != EACCES)
		return 5;
	return 0;
}

static int output_appears(struct lya_output *out)
{
	struct lya_error err;

	lya_output_puts(out, "whole");
	if (lya_output_commit(out, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	return 0;
}

static int no_sockets(struct lya_output *out)
{
	lya_output_abort(out);
	if (!offer.seccomp)
		return 0;
	if (socket(AF_INET, SOCK_STREAM, 0) != -1 || errno != EPERM)
		return 1;
	if (socket(AF_UNIX, SOCK_DGRAM, 0) != -1 || errno != EPERM)
		return 2;
	return 0;
}

static int no_exec(struct lya_output *out)
{
	char *argv[] = { (char *)"/bin/true", NULL };
	char *envp[] = { NULL };

	lya_output_abort(out);
	(void)execve(argv[0], argv, envp);
	return errno == (offer.seccomp ? EPERM : EACCES) ? 0 : 1;
}

static int no_capabilities(struct lya_output *out)
{
	lya_output_abort(out);
	/* chroot takes a capability, or is no call of ours at all */
	return chroot("/") == -1 && errno == EPERM ? 0 : 1;
}

static int no_processes(struct lya_output *out)
{
	lya_output_abort(out);
	if (!offer.seccomp)
		return 0;
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != -1 || errno != EPERM)
		return 1;
	return fork() == -1 ? 0 : 2;
}

static void *note(void *arg)
{
	*(int *)arg = 1;
	return NULL;
}

static int threads_work(struct lya_output *out)
{
	pthread_t thread;
	int ran = 0;

	lya_output_abort(out);
	if (pthread_create(&thread, NULL, note, &ran) != 0 || pthread_join(thread, NULL) != 0)
		return 1;
	return ran == 1 ? 0 : 2;
}

static void test_read_named_only(void **state)
{
	(void)state;
	run_confined(read_named_only);
}

static void test_output_appears(void **state)
{
	(void)state;
	run_confined(output_appears);
	assert_int_equal(access(output, F_OK), 0);
}

static void test_no_sockets(void **state)
{
	(void)state;
	run_confined(no_sockets);
}

static void test_no_exec(void **state)
{
	(void)state;
	run_confined(no_exec);
}

static void test_no_capabilities(void **state)
{
	(void)state;
	run_confined(no_capabilities);
}

static void test_no_processes(void **state)
{
	(void)state;
	run_confined(no_processes);
}

static void test_threads_work(void **state)
{
	(void)state;
	run_confined(threads_work);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read_named_only), cmocka_unit_test(test_output_appears),
		cmocka_unit_test(test_no_sockets),      cmocka_unit_test(test_no_exec),
		cmocka_unit_test(test_no_capabilities), cmocka_unit_test(test_no_processes),
		cmocka_unit_test(test_threads_work),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
