/*
 * zone.h - a time zone by its IANA name: what local clocks show, and when.
 *
 * Read from the data base of the system (TZif files, RFC 8536) into memory of its own: the
 * C library knows one zone at a time, which is no business of a program with threads.
 * Immutable once loaded.
 */
#ifndef LYNCAUDIT_ZONE_H
#define LYNCAUDIT_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lyncaudit/status.h"

struct lya_zone;

/*
 * The zone of that name, from TZDIR or /usr/share/zoneinfo; "UTC" needs no file.
 * LYA_EINPUT: there is none, or its file is none.
 */
int lya_zone_load(struct lya_zone **z, const char *name, struct lya_error *err);
/* The same from the bytes of a file, which `name` calls. */
int lya_zone_parse(struct lya_zone **z, const char *name, const void *data, size_t len,
		   struct lya_error *err);
void lya_zone_free(struct lya_zone *z);

/* Seconds that local clocks are ahead of UTC at an instant (seconds since 1970). */
int32_t lya_zone_offset(const struct lya_zone *z, int64_t at_s);
/* The local date, in days since 1970. */
int64_t lya_zone_day(const struct lya_zone *z, int64_t time_ns);
/*
 * The first instant at which local clocks show that second of that day, or a later time: of
 * a time that comes twice the first, of one that is left out the end of the leap.  In
 * nanoseconds, held at INT64_MAX and INT64_MIN + 1.
 */
int64_t lya_zone_instant(const struct lya_zone *z, int64_t day, unsigned second);

#endif
