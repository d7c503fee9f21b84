/*
 * period.c - which period a time is in.
 */
#include "keeper/keeper.h"

struct keeper_span keeper_span_of_day(const struct lya_zone *zone, unsigned report_s, int64_t day)
{
	return (struct keeper_span){ day, lya_zone_instant(zone, day, report_s),
				     lya_zone_instant(zone, day + 1, report_s) };
}

/* The local date, or the one before while its report time has not come; days that never were
 * are empty, and no time is in them. */
struct keeper_span keeper_span_of(const struct lya_zone *zone, unsigned report_s, int64_t time_ns)
{
	int64_t day = lya_zone_day(zone, time_ns) + 1;
	struct keeper_span span = keeper_span_of_day(zone, report_s, day);

	while (span.begin_ns > time_ns)
		span = keeper_span_of_day(zone, report_s, --day);
	while (span.end_ns <= time_ns)
		span = keeper_span_of_day(zone, report_s, ++day);
	return span;
}
