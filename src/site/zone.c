/*
 * zone.c - the last day of an exception, in the site's time zone, as an instant.
 *
 * The C library knows one time zone at a time, the one in TZ: it is set, asked
 * and put back.  That is no business of a process with threads; loading a site
 * comes before them.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lyncaudit/alloc.h"
#include "lyncaudit/timeutil.h"
#include "site/load.h"

enum { ZONE_NAME_MAX = 100, HALF_DAY = 12 * 3600 };

/* Letters, digits and "_+-/" in relative parts: nothing that could leave the folder. */
static bool is_zone_name(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_+-/";
	size_t len = strlen(name);

	return len > 0 && len <= ZONE_NAME_MAX && name[0] != '/' && strspn(name, allowed) == len;
}

bool site_zone_exists(const char *name)
{
	const char *folder = getenv("TZDIR");
	char path[4096];
	char magic[4];
	FILE *f;
	bool ok;
	int n;

	if (!is_zone_name(name))
		return false;
	if (strcmp(name, "UTC") == 0)
		return true; /* with or without a data base of zones */
	n = snprintf(path, sizeof(path), "%s/%s",
		     folder != NULL && folder[0] != '\0' ? folder : "/usr/share/zoneinfo", name);
	if (n < 0 || (size_t)n >= sizeof(path))
		return false;
	f = fopen(path, "re");
	if (f == NULL)
		return false;
	ok = fread(magic, sizeof(magic), 1, f) == 1 && memcmp(magic, "TZif", 4) == 0;
	(void)fclose(f);
	return ok;
}

/* Is it, at this instant, a later day in the zone than the given one? */
static bool is_later(time_t at, int year, unsigned month, unsigned day)
{
	struct tm tm;

	if (localtime_r(&at, &tm) == NULL)
		return true;
	if (tm.tm_year + 1900 != year)
		return tm.tm_year + 1900 > year;
	if (tm.tm_mon + 1 != (int)month)
		return tm.tm_mon + 1 > (int)month;
	return tm.tm_mday > (int)day;
}

/*
 * The first second of the day after.  It is searched for rather than computed:
 * there are zones where a day begins at one o'clock, or does not exist.
 */
static time_t day_after(int year, unsigned month, unsigned day)
{
	struct tm noon = { .tm_year = year - 1900,
			   .tm_mon = (int)month - 1,
			   .tm_mday = (int)day,
			   .tm_hour = 12,
			   .tm_isdst = -1 };
	time_t low = mktime(&noon) - (time_t)4 * HALF_DAY; /* surely not later */
	time_t high = low + (time_t)8 * HALF_DAY;          /* surely later */

	while (high - low > 1) {
		time_t mid = low + (high - low) / 2;

		if (is_later(mid, year, month, day))
			high = mid;
		else
			low = mid;
	}
	return high;
}

static int64_t to_ns(time_t seconds)
{
	if (seconds > INT64_MAX / LYA_SECOND_NS)
		return INT64_MAX; /* "9999-12-31" means for ever */
	if (seconds < INT64_MIN / LYA_SECOND_NS + 1)
		return INT64_MIN + 1;
	return (int64_t)seconds * LYA_SECOND_NS;
}

static void set_expiry(struct lya_exception *e)
{
	unsigned month;
	unsigned day;
	int year;
	bool ok = lya_date_parse(e->expires, &year, &month, &day);

	assert(ok && "the date was read before");
	(void)ok;
	e->expires_ns = to_ns(day_after(year, month, day));
}

int site_set_expiries(struct lya_site *site, struct lya_error *err)
{
	const char *now = getenv("TZ");
	char *before = now != NULL ? lya_strdup(now) : NULL;
	char zone[ZONE_NAME_MAX + 2];

	if (now != NULL && before == NULL)
		return lya_error_nomem(err);
	(void)snprintf(zone, sizeof(zone), ":%s", site->timezone);
	(void)setenv("TZ", zone, 1);
	tzset();
	for (size_t i = 0; i < site->n_exceptions; i++) {
		if (site->exceptions[i].has_expiry)
			set_expiry(&site->exceptions[i]);
	}
	if (before != NULL)
		(void)setenv("TZ", before, 1);
	else
		(void)unsetenv("TZ");
	tzset();
	lya_free(before);
	return LYA_OK;
}
