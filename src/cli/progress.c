/*
 * progress.c - how far the reading is, on standard error.
 */
#include "cli/progress.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "lyncaudit/timeutil.h"

enum { LOOK_PACKETS = 65536, INTERVAL_MS = 500 };

static int64_t steady_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * LYA_SECOND_NS + now.tv_nsec;
}

void cli_progress_begin(struct cli_progress *p, int wanted, bool quiet)
{
	*p = (struct cli_progress){ .next_look = LOOK_PACKETS };
	p->shown = wanted == -1 ? !quiet && isatty(STDERR_FILENO) : wanted == 1;
	if (p->shown)
		p->next_ns = steady_ns();
}

void cli_progress_step(struct cli_progress *p, size_t packets)
{
	int64_t now;

	p->packets += packets;
	if (!p->shown || p->packets < p->next_look)
		return;
	p->next_look = p->packets + LOOK_PACKETS;
	now = steady_ns();
	if (now < p->next_ns)
		return;
	p->next_ns = now + INTERVAL_MS * (LYA_SECOND_NS / 1000);
	fprintf(stderr, "\r%.1f million packets", (double)p->packets / 1e6);
	fflush(stderr);
}

void cli_progress_end(struct cli_progress *p)
{
	if (p->shown)
		fprintf(stderr, "\r\033[K");
}
