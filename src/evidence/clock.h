/*
 * clock.h - packet times as an interface's own clock counts them.
 */
#ifndef LYNCAUDIT_EVIDENCE_CLOCK_H
#define LYNCAUDIT_EVIDENCE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* Units of a resolution as pcapng writes it, counted from so many seconds after 1970. */
struct clock {
	int64_t offset_s;
	uint8_t tsresol;
};

/*
 * The time in units, cut to a whole one of a decimal clock, and for a binary one that
 * which reads as that time again; false: it has none.
 */
bool clock_units(const struct clock *c, int64_t time_ns, uint64_t *units);
/* The clock itself when it can tell all times from first to last, else one of nanoseconds. */
struct clock clock_for(struct clock own, int64_t first_ns, int64_t last_ns);

#endif
