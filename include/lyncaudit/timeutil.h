/*
 * timeutil.h - packet time: nanoseconds since 1970-01-01 UTC, never a clock's.
 */
#ifndef LYNCAUDIT_TIMEUTIL_H
#define LYNCAUDIT_TIMEUTIL_H

#include <stdbool.h>
#include <stdint.h>

#define LYA_SECOND_NS INT64_C(1000000000)
#define LYA_TIME_NONE INT64_MIN

enum { LYA_TIME_TEXT = 64 };

/*
 * RFC 3339 in UTC with `digits` (0 to 9) decimals: "2026-11-21T00:00:00.000000Z".
 * Years outside 0..9999 are held at the bound.  Returns buf.
 */
const char *lya_time_format(int64_t time_ns, unsigned digits, char buf[static LYA_TIME_TEXT]);

/* Days since 1970-01-01 of a proleptic Gregorian date; false when there is no such date. */
bool lya_date_days(int year, unsigned month, unsigned day, int64_t *days);
/* Read "2027-06-30"; false when it is no date. */
bool lya_date_parse(const char *text, int *year, unsigned *month, unsigned *day);

#endif
