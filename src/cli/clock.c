/*
 * clock.c - what time it is, for the one part of a report that may say so.
 */
#include "cli/cli.h"

#include <time.h>

#include "lyncaudit/timeutil.h"

int64_t cli_wall_clock_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * LYA_SECOND_NS + now.tv_nsec;
}
