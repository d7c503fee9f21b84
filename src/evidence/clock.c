/*
 * clock.c - packet times as an interface's own clock counts them.
 *
 * A reader makes nanoseconds of every clock.  Those of a decimal clock that is not
 * finer are whole units, and so go back without loss; of a binary clock a reader cut
 * the nanoseconds, so the next unit is the one that was read; what a clock counts
 * below the nanosecond is lost.
 */
#include "evidence/clock.h"

#include "lyncaudit/timeutil.h"

enum {
	BINARY = 0x80,
	NANO = 9,
	SCALE_MAX = 19,   /* 10^19 is the largest power of ten in 64 bits */
	BINARY_MAX = 63   /* shifted by so much, 64 bits fit in 128 */
};

static uint64_t power_of_ten(unsigned n)
{
	uint64_t power = 1;

	while (n-- > 0)
		power *= 10;
	return power;
}

bool clock_units(const struct clock *c, int64_t time_ns, uint64_t *units)
{
	const unsigned power = c->tsresol & (BINARY - 1U);
	__int128 since = (__int128)time_ns - (__int128)c->offset_s * LYA_SECOND_NS;
	unsigned __int128 count;

	if (since < 0 || since > UINT64_MAX)
		return false;
	count = (unsigned __int128)since;
	if ((c->tsresol & BINARY) != 0) {
		if (power > BINARY_MAX)
			return false;
		count = ((count << power) + (LYA_SECOND_NS - 1)) / (uint64_t)LYA_SECOND_NS;
	} else if (power <= NANO) {
		count /= power_of_ten(NANO - power);
	} else {
		if (power - NANO > SCALE_MAX)
			return false;
		count *= power_of_ten(power - NANO);
	}
	*units = (uint64_t)count;
	return count <= UINT64_MAX;
}

static int64_t floor_seconds(int64_t ns)
{
	return ns / LYA_SECOND_NS - (ns % LYA_SECOND_NS < 0);
}

struct clock clock_for(struct clock own, int64_t first_ns, int64_t last_ns)
{
	uint64_t units;

	if (clock_units(&own, first_ns, &units) && clock_units(&own, last_ns, &units))
		return own;
	return (struct clock){ .offset_s = first_ns < 0 ? floor_seconds(first_ns) : 0,
			       .tsresol = NANO };
}
