/*
 * look_around.c - linked into the program: try, where input is about to be
 * read, what a hit in a parser would try, and say what came of it.
 *
 * The linker sends the program's calls here; each goes on as if nothing had
 * been.  A line on standard error for each try: "at WHERE: WHAT: ANSWER",
 * ANSWER being "yes" or the name of the error.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lyncaudit/capture.h"
#include "lyncaudit/rule.h"
#include "lyncaudit/store.h"

int __real_lya_rules_load(struct lya_rules **rules, const char *path, struct lya_diags *diags,
			  struct lya_error *err);
int __wrap_lya_rules_load(struct lya_rules **rules, const char *path, struct lya_diags *diags,
			  struct lya_error *err);
int __real_lya_capture_open(struct lya_capture **c, const struct lya_capture_options *options,
			    struct lya_error *err);
int __wrap_lya_capture_open(struct lya_capture **c, const struct lya_capture_options *options,
			    struct lya_error *err);

int __real_lya_store_open(struct lya_store **s, const char *dir,
			  const struct lya_store_writer *writer, char **aside,
			  struct lya_error *err);
int __wrap_lya_store_open(struct lya_store **s, const char *dir,
			  const struct lya_store_writer *writer, char **aside,
			  struct lya_error *err);

static void tell(const char *where, const char *what, int rc)
{
	fprintf(stderr, "at %s: %s: %s\n", where, what, rc == -1 ? strerrorname_np(errno) : "yes");
	if (rc > STDERR_FILENO)
		(void)close(rc);
}

static void look_around(const char *where)
{
	char *argv[] = { (char *)"/bin/true", NULL };
	char *envp[] = { NULL };

	tell(where, "read another file", open("other", O_RDONLY));
	tell(where, "read a file of the system", open("/etc/passwd", O_RDONLY));
	tell(where, "write a named input", open("named.pcap", O_WRONLY));
	tell(where, "write into the state directory", open("state/new", O_WRONLY | O_CREAT, 0600));
	tell(where, "write a report of the state directory",
	     open("state/reports/2026-11-21.json", O_WRONLY));
	tell(where, "write a new file", open("new", O_WRONLY | O_CREAT, 0600));
	tell(where, "write beside an output", open("out/new", O_WRONLY | O_CREAT, 0600));
	tell(where, "give another file a name beside an output",
	     linkat(AT_FDCWD, "other", AT_FDCWD, "out/other", 0));
	tell(where, "open a socket", socket(AF_INET, SOCK_STREAM, 0));
	tell(where, "open a local socket", socket(AF_UNIX, SOCK_STREAM, 0));
	tell(where, "trace", (int)ptrace(PTRACE_PEEKUSER, getppid(), NULL, NULL));
	tell(where, "use a capability", chroot("."));
	tell(where, "start a program",
	     execve(argv[0], argv, envp)); /* the last: if it can, it is gone */
}

int __wrap_lya_rules_load(struct lya_rules **rules, const char *path, struct lya_diags *diags,
			  struct lya_error *err)
{
	look_around("rules");
	return __real_lya_rules_load(rules, path, diags, err);
}

int __wrap_lya_capture_open(struct lya_capture **c, const struct lya_capture_options *options,
			    struct lya_error *err)
{
	look_around("captures");
	return __real_lya_capture_open(c, options, err);
}

int __wrap_lya_store_open(struct lya_store **s, const char *dir,
			  const struct lya_store_writer *writer, char **aside,
			  struct lya_error *err)
{
	look_around("state");
	return __real_lya_store_open(s, dir, writer, aside, err);
}
