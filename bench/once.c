/*
 * once.c - run a command to its end and note what it used.
 *
 *     bench_once USAGE COMMAND [ARGUMENT...]
 *
 * Writes to the file USAGE, as JSON, user and system CPU time, wall time and
 * peak memory of the command and of what it waited for; ends with its status.
 * A process begins with its parent's peak memory as its own: this one is
 * small, so that small peaks can be seen.
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int64_t now_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int64_t time_us(struct timeval t)
{
	return (int64_t)t.tv_sec * 1000000 + t.tv_usec;
}

int main(int argc, char **argv)
{
	struct rusage used;
	int64_t begun = now_us();
	int status;
	FILE *f;
	pid_t pid;

	if (argc < 3) {
		fprintf(stderr, "usage: bench_once USAGE COMMAND [ARGUMENT...]\n");
		return 125;
	}
	pid = fork();
	if (pid == 0) {
		execvp(argv[2], argv + 2);
		perror(argv[2]);
		_exit(127);
	}
	if (pid == -1 || wait4(pid, &status, 0, &used) == -1) {
		perror("bench_once");
		return 125;
	}
	f = fopen(argv[1], "w");
	if (f == NULL) {
		perror(argv[1]);
		return 125;
	}
	fprintf(f,
		"{\"cpu_us\": %" PRId64 ", \"wall_us\": %" PRId64 ", \"peak_rss\": %" PRId64 "}\n",
		time_us(used.ru_utime) + time_us(used.ru_stime), now_us() - begun,
		(int64_t)used.ru_maxrss * 1024);
	if (fclose(f) != 0)
		return 125;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 126;
}
