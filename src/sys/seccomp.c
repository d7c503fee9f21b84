/*
 * seccomp.c - only the system calls that reading, thinking and writing take.
 *
 * A list of what is allowed: everything else answers EPERM.  Files are
 * Landlock's business; here are no sockets, no exec, no ptrace, no signals to
 * others, no new namespaces.
 */
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>

static const int allowed[] = {
	/* files */
	SCMP_SYS(read),
	SCMP_SYS(readv),
	SCMP_SYS(pread64),
	SCMP_SYS(lseek),
	SCMP_SYS(open),
	SCMP_SYS(openat),
	SCMP_SYS(close),
	SCMP_SYS(fstat),
	SCMP_SYS(stat),
	SCMP_SYS(lstat),
	SCMP_SYS(newfstatat),
	SCMP_SYS(statx),
	SCMP_SYS(access),
	SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2),
	SCMP_SYS(getdents64),
	SCMP_SYS(readlink),
	SCMP_SYS(readlinkat),
	SCMP_SYS(getcwd),
	SCMP_SYS(fsync),
	SCMP_SYS(fdatasync),
	SCMP_SYS(rename),
	SCMP_SYS(renameat),
	SCMP_SYS(renameat2),
	SCMP_SYS(linkat),
	SCMP_SYS(unlink),
	SCMP_SYS(unlinkat),
	SCMP_SYS(fchmod),
	SCMP_SYS(umask),
	SCMP_SYS(ftruncate),
	SCMP_SYS(fadvise64),
	SCMP_SYS(pipe2),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(select),
	SCMP_SYS(pselect6),
	SCMP_SYS(fstatfs),
	SCMP_SYS(statfs),
	/* memory and threads */
	SCMP_SYS(mmap),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(mprotect),
	SCMP_SYS(madvise),
	SCMP_SYS(brk),
	SCMP_SYS(futex),
	SCMP_SYS(rseq),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(sched_yield),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(sched_setaffinity),
	SCMP_SYS(membarrier),
	SCMP_SYS(mlock),
	SCMP_SYS(munlock),
	/* the process itself */
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(getuid),
	SCMP_SYS(geteuid),
	SCMP_SYS(getgid),
	SCMP_SYS(getegid),
	SCMP_SYS(tgkill),
	SCMP_SYS(uname),
	SCMP_SYS(sysinfo),
	SCMP_SYS(getrlimit),
	SCMP_SYS(prlimit64),
	SCMP_SYS(getrusage),
	SCMP_SYS(prctl),
	SCMP_SYS(arch_prctl),
	SCMP_SYS(getrandom),
	/* time */
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(nanosleep),
	SCMP_SYS(time),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(clock_getres),
};

/* What is allowed beside these when nothing is listened to, */
static const int reading[] = {
	SCMP_SYS(write),  SCMP_SYS(writev), SCMP_SYS(pwrite64), SCMP_SYS(fcntl),
	SCMP_SYS(dup),    SCMP_SYS(dup2),   SCMP_SYS(dup3),
};

/* what when something is, */
static const int listening[] = {
	SCMP_SYS(recvmsg),     SCMP_SYS(recvfrom),  SCMP_SYS(bind),  SCMP_SYS(getsockopt),
	SCMP_SYS(getsockname), SCMP_SYS(mkdir),     SCMP_SYS(mkdirat), SCMP_SYS(fallocate),
	SCMP_SYS(link),        SCMP_SYS(linkat),    SCMP_SYS(memfd_create),
};

/* and then by a descriptor that nothing is listened to by. */
static const int writing[] = {
	SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(pwrite64), SCMP_SYS(sendmsg), SCMP_SYS(sendto),
};

/* No copy of a descriptor gets a number that may be written to. */
static const int file_controls[] = {
	F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_GETLK, F_SETLK, F_SETLKW, F_OFD_GETLK, F_OFD_SETLK,
	F_OFD_SETLKW,
};

bool sys_seccomp_offered(void)
{
	/* EFAULT: the mode is known and asked for its program; EINVAL: it is not there. */
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL, 0, 0) == -1 && errno == EFAULT;
}

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static int allow_list(scmp_filter_ctx ctx, const int *list, size_t n)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < n; i++) {
		if (list[i] != __NR_SCMP_ERROR)
			rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, list[i], 0);
	}
	return rc;
}

/* Of system call `call` those whose argument `at` is one of these. */
static int allow_values(scmp_filter_ctx ctx, int call, unsigned at, const int *list, size_t n)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, call, 1,
				      SCMP_CMP(at, SCMP_CMP_EQ, (scmp_datum_t)list[i], 0));
	return rc;
}

/* Terminals are asked for their size and kind, nothing else is controlled. */
static int allow_ioctls(scmp_filter_ctx ctx)
{
	static const int terminals[] = { TCGETS, TIOCGWINSZ };

	return allow_values(ctx, SCMP_SYS(ioctl), 1, terminals, COUNT(terminals));
}

static int allow_listening(scmp_filter_ctx ctx)
{
	int rc = allow_list(ctx, listening, COUNT(listening));

	for (size_t i = 0; rc == 0 && i < COUNT(writing); i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, writing[i], 1,
				      SCMP_A0(SCMP_CMP_LT, LYA_CONFINE_WRITE_FDS, 0));
	if (rc == 0)
		rc = allow_values(ctx, SCMP_SYS(fcntl), 1, file_controls, COUNT(file_controls));
	return rc;
}

/* An interface that was made anew is listened to as a whole, through as many buffers as before. */
static int allow_anew(scmp_filter_ctx ctx, bool regroups)
{
	static const int options[] = { PACKET_ADD_MEMBERSHIP, PACKET_FANOUT, PACKET_RX_RING };
	size_t n = regroups ? COUNT(options) : 1;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(setsockopt), 2,
				      SCMP_A1(SCMP_CMP_EQ, SOL_PACKET, 0),
				      SCMP_A2(SCMP_CMP_EQ, (scmp_datum_t)options[i], 0));
	return rc;
}

/*
 * Threads, but no processes and so no namespaces.  clone3 hides its flags in
 * memory, where a filter cannot look: libc falls back to clone when it is not there.
 */
static int allow_threads(scmp_filter_ctx ctx)
{
	int rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);

	if (rc < 0)
		return rc;
	return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
				SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
}

static int load_filter(scmp_filter_ctx ctx, const struct lya_confine *want)
{
	int rc = allow_ioctls(ctx);

	if (rc == 0)
		rc = allow_threads(ctx);
	if (rc == 0)
		rc = allow_list(ctx, allowed, COUNT(allowed));
	if (rc == 0)
		rc = want->listens ? allow_listening(ctx)
				   : allow_list(ctx, reading, COUNT(reading));
	if (rc == 0 && want->listens)
		rc = allow_anew(ctx, want->regroups);
	return rc < 0 ? rc : seccomp_load(ctx);
}

int sys_seccomp(const struct lya_confine *want, struct lya_error *err)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int rc;

	if (ctx == NULL)
		return lya_error_nomem(err);
	rc = load_filter(ctx, want);
	seccomp_release(ctx);
	if (rc < 0)
		return lya_error_set(err, LYA_EIO, NULL, NULL,
				     "the system call filter cannot be loaded: %s", strerror(-rc));
	return LYA_OK;
}
