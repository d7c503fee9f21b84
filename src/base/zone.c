/*
 * zone.c - time zones from TZif files (RFC 8536).
 *
 * A file holds the transitions that were, and at its end a rule for those to come (a TZ
 * string of POSIX, section 8.3).  Leap seconds are passed over: no clock here counts them.
 */
#include "lyncaudit/zone.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lyncaudit/alloc.h"
#include "lyncaudit/cursor.h"
#include "lyncaudit/timeutil.h"

enum {
	NAME_LONGEST = 100,
	FILE_BYTES_MAX = 1 << 20,
	HEADER = 44,
	OFFSET_MAX = 26 * 3600, /* RFC 8536, 3.2: between -25 and 26 hours */
	DAY_S = 86400,
	TRANSITIONS_MAX = 65536
};

/* Instants beyond are not asked for: 64 bits of nanoseconds end long before. */
#define FAR_S INT64_C(100000000000)

/* A day of the year on which the clocks change, and the time of day. */
struct change {
	char form; /* 'J': day 1 to 365, never the 29th of February; 'n': day 0 to 365; 'M' */
	int month, week, day;
	int32_t second; /* local time before the change; may be beyond the day */
};

/* What holds after the last transition. */
struct rule {
	bool given, has_summer;
	int32_t standard, summer; /* seconds ahead of UTC */
	struct change begins, ends;
};

struct transition {
	int64_t at_s;
	int32_t offset; /* from then on */
};

struct lya_zone {
	struct transition *list; /* ascending */
	size_t n;
	int32_t first_offset; /* before the first of them */
	struct rule rule;
};

/* The rule ------------------------------------------------------------------------------ */

static int64_t days_of(int year, unsigned month, unsigned day)
{
	int64_t days = 0;

	(void)lya_date_days(year, month, day, &days); /* the day exists */
	return days;
}

static bool is_leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Week 5 is the last one that has such a day. */
static int64_t weekday_of(int year, const struct change *c)
{
	int64_t first = days_of(year, (unsigned)c->month, 1);
	int64_t next = c->month == 12 ? days_of(year + 1, 1, 1)
				      : days_of(year, (unsigned)c->month + 1, 1);
	int64_t weekday = ((first + 4) % 7 + 7) % 7; /* 1970 began on a Thursday */
	int64_t day = first + (c->day - weekday + 7) % 7 + 7 * (int64_t)(c->week - 1);

	return day < next ? day : day - 7;
}

static int64_t change_at(int year, const struct change *c, int32_t offset)
{
	int64_t day;

	if (c->form == 'M')
		day = weekday_of(year, c);
	else if (c->form == 'J')
		day = days_of(year, 1, 1) + c->day - 1 + (is_leap(year) && c->day >= 60);
	else
		day = days_of(year, 1, 1) + c->day;
	return day * DAY_S + c->second - offset;
}

static int year_of(int64_t at_s)
{
	return 1970 + (int)(at_s / 31556952); /* right to within a year: its neighbours are asked */
}

/* Of the changes around an instant: the last one up to it, and the first one after it. */
static void rule_around(const struct rule *r, int64_t at_s, struct transition *before,
			int64_t *after_s)
{
	*before = (struct transition){ INT64_MIN, r->standard };
	*after_s = INT64_MAX;
	for (int year = year_of(at_s) - 2; r->has_summer && year <= year_of(at_s) + 2; year++) {
		const struct transition both[2] = {
			{ change_at(year, &r->begins, r->standard), r->summer },
			{ change_at(year, &r->ends, r->summer), r->standard },
		};

		for (size_t i = 0; i < 2; i++) {
			if (both[i].at_s <= at_s && both[i].at_s >= before->at_s)
				*before = both[i];
			if (both[i].at_s > at_s && both[i].at_s < *after_s)
				*after_s = both[i].at_s;
		}
	}
}

/* How many transitions are not after an instant. */
static size_t passed(const struct lya_zone *z, int64_t at_s)
{
	size_t lo = 0, hi = z->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (z->list[mid].at_s <= at_s)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* The offset at an instant, and the first instant after it at which it may be another. */
static int32_t offset_until(const struct lya_zone *z, int64_t at_s, int64_t *until_s)
{
	size_t n = passed(z, at_s);
	struct transition before;

	if (n < z->n) {
		*until_s = z->list[n].at_s;
		return n > 0 ? z->list[n - 1].offset : z->first_offset;
	}
	if (!z->rule.given || at_s > FAR_S || at_s < -FAR_S) {
		*until_s = INT64_MAX;
		return n > 0 ? z->list[n - 1].offset : z->first_offset;
	}
	rule_around(&z->rule, at_s, &before, until_s);
	return before.offset;
}

int32_t lya_zone_offset(const struct lya_zone *z, int64_t at_s)
{
	int64_t until_s;

	return offset_until(z, at_s, &until_s);
}

static int64_t floor_div(int64_t a, int64_t b)
{
	return a >= 0 ? a / b : -((-(a + 1)) / b) - 1;
}

int64_t lya_zone_day(const struct lya_zone *z, int64_t time_ns)
{
	int64_t at_s = floor_div(time_ns, LYA_SECOND_NS);

	return floor_div(at_s + lya_zone_offset(z, at_s), DAY_S);
}

static int64_t to_ns(int64_t at_s)
{
	if (at_s > INT64_MAX / LYA_SECOND_NS)
		return INT64_MAX; /* "9999-12-31" means for ever */
	if (at_s < INT64_MIN / LYA_SECOND_NS + 1)
		return INT64_MIN + 1;
	return at_s * LYA_SECOND_NS;
}

int64_t lya_zone_instant(const struct lya_zone *z, int64_t day, unsigned second)
{
	int64_t local, at_s, until_s;

	if (day > FAR_S / DAY_S || day < -FAR_S / DAY_S)
		return day > 0 ? INT64_MAX : INT64_MIN + 1;
	local = day * DAY_S + second;
	at_s = local - OFFSET_MAX; /* surely before it */
	for (;;) {
		int64_t wanted = local - offset_until(z, at_s, &until_s);

		if (wanted < at_s)
			wanted = at_s; /* left out */
		if (wanted < until_s)
			return to_ns(wanted);
		at_s = until_s;
	}
}

/* A TZ string ----------------------------------------------------------------------------- */

struct reading {
	const char *pos, *end;
	bool failed;
};

static char peek(const struct reading *r)
{
	return r->pos < r->end ? *r->pos : '\0';
}

static bool accept(struct reading *r, char c)
{
	if (peek(r) != c || c == '\0')
		return false;
	r->pos++;
	return true;
}

static int number(struct reading *r, int max)
{
	int n = 0;
	const char *from = r->pos;

	while (peek(r) >= '0' && peek(r) <= '9' && n <= max)
		n = n * 10 + (*r->pos++ - '0');
	r->failed = r->failed || r->pos == from || n > max;
	return n;
}

/* "CET", or in angle brackets what has other characters. */
static void name(struct reading *r)
{
	const char *from = r->pos;

	if (accept(r, '<')) {
		while (peek(r) != '\0' && peek(r) != '>')
			r->pos++;
		r->failed = r->failed || !accept(r, '>');
		return;
	}
	while ((peek(r) >= 'A' && peek(r) <= 'Z') || (peek(r) >= 'a' && peek(r) <= 'z'))
		r->pos++;
	r->failed = r->failed || r->pos == from;
}

/* [+-]hh[:mm[:ss]], in seconds */
static int32_t duration(struct reading *r, int max_hours)
{
	bool negative = peek(r) == '-';
	int32_t s;

	if (!accept(r, '-'))
		(void)accept(r, '+');
	s = number(r, max_hours) * 3600;
	if (accept(r, ':'))
		s += number(r, 59) * 60;
	if (accept(r, ':'))
		s += number(r, 59);
	return negative ? -s : s;
}

static struct change change(struct reading *r)
{
	struct change c = { .form = 'n', .second = 2 * 3600 };

	if (accept(r, 'M')) {
		c.form = 'M';
		c.month = number(r, 12);
		r->failed = r->failed || !accept(r, '.');
		c.week = number(r, 5);
		r->failed = r->failed || !accept(r, '.');
		c.day = number(r, 6);
		r->failed = r->failed || c.month == 0 || c.week == 0;
	} else if (accept(r, 'J')) {
		c.form = 'J';
		c.day = number(r, 365);
		r->failed = r->failed || c.day == 0;
	} else {
		c.day = number(r, 365);
	}
	if (accept(r, '/'))
		c.second = duration(r, 167);
	return c;
}

/* "CET-1CEST,M3.5.0,M10.5.0/3": offsets are west of Greenwich there. */
static bool read_rule(struct reading *r, struct rule *out)
{
	name(r);
	out->standard = -duration(r, 25);
	out->given = true;
	if (peek(r) == '\0')
		return !r->failed && r->pos == r->end;
	name(r);
	out->has_summer = true;
	out->summer = out->standard + 3600;
	if (peek(r) != ',')
		out->summer = -duration(r, 25);
	r->failed = r->failed || !accept(r, ',');
	out->begins = change(r);
	r->failed = r->failed || !accept(r, ',');
	out->ends = change(r);
	return !r->failed && r->pos == r->end;
}

/* A file ---------------------------------------------------------------------------------- */

struct counts {
	uint32_t ut, standard, leaps, times, types, chars;
};

static bool read_header(struct lya_cursor *c, unsigned *version, struct counts *n)
{
	const uint8_t *magic = lya_cursor_take(c, 4);
	uint8_t v = lya_cursor_u8(c);

	lya_cursor_skip(c, 15);
	n->ut = lya_cursor_u32(c);
	n->standard = lya_cursor_u32(c);
	n->leaps = lya_cursor_u32(c);
	n->times = lya_cursor_u32(c);
	n->types = lya_cursor_u32(c);
	n->chars = lya_cursor_u32(c);
	*version = v >= '2' ? 2 : 1;
	return !c->failed && memcmp(magic, "TZif", 4) == 0 && n->types > 0 &&
	       n->types <= 256 && n->times <= TRANSITIONS_MAX && n->leaps <= TRANSITIONS_MAX &&
	       n->chars <= TRANSITIONS_MAX && n->ut <= 256 && n->standard <= 256;
}

static size_t block_bytes(const struct counts *n, size_t time_size)
{
	return n->times * (time_size + 1) + n->types * (size_t)6 + n->chars +
	       n->leaps * (time_size + 4) + n->standard + n->ut;
}

static int64_t read_time(struct lya_cursor *c, size_t size)
{
	uint64_t high = size == 8 ? lya_cursor_u32(c) : 0;
	uint32_t low = lya_cursor_u32(c);

	return size == 8 ? (int64_t)(high << 32 | low) : (int64_t)(int32_t)low;
}

/* Offsets of the types, each six bytes: offset, is summer time, name. */
static bool read_types(struct lya_cursor c, size_t n, int32_t offsets[static 256])
{
	for (size_t i = 0; i < n; i++) {
		offsets[i] = (int32_t)lya_cursor_u32(&c);
		lya_cursor_skip(&c, 2);
		if (offsets[i] > OFFSET_MAX || offsets[i] < -OFFSET_MAX)
			return false;
	}
	return !c.failed;
}

/* Times, then a type for each, then the types. */
static bool read_block(struct lya_zone *z, struct lya_cursor *c, const struct counts *n,
		       size_t time_size)
{
	struct lya_cursor times = *c, kinds = *c, types = *c;
	int32_t offsets[256];

	lya_cursor_skip(&kinds, n->times * time_size);
	lya_cursor_skip(&types, n->times * (time_size + 1));
	lya_cursor_skip(c, block_bytes(n, time_size));
	if (c->failed || !read_types(types, n->types, offsets))
		return false;
	z->first_offset = offsets[0];
	for (; z->n < n->times; z->n++) {
		uint8_t kind = lya_cursor_u8(&kinds);

		z->list[z->n].at_s = read_time(&times, time_size);
		if (kind >= n->types ||
		    (z->n > 0 && z->list[z->n].at_s <= z->list[z->n - 1].at_s))
			return false;
		z->list[z->n].offset = offsets[kind];
	}
	return true;
}

/* "\n", a TZ string or nothing, "\n" */
static bool read_footer(struct lya_zone *z, struct lya_cursor *c)
{
	const char *from, *end;
	struct reading r;

	if (lya_cursor_u8(c) != '\n' || c->failed)
		return false;
	from = (const char *)c->pos;
	end = memchr(from, '\n', lya_cursor_left(c));
	if (end == NULL)
		return false;
	r = (struct reading){ from, end, false };
	return from == end || read_rule(&r, &z->rule);
}

static bool read_file(struct lya_zone *z, struct lya_cursor *c, bool *nomem)
{
	struct counts n;
	unsigned version;
	size_t time_size = 4;

	if (!read_header(c, &version, &n))
		return false;
	if (version == 2) { /* the same again in 64 bits, and the rule */
		lya_cursor_skip(c, block_bytes(&n, 4));
		if (!read_header(c, &version, &n))
			return false;
		time_size = 8;
	}
	if (lya_cursor_left(c) < block_bytes(&n, time_size))
		return false;
	z->list = lya_calloc(n.times + (size_t)1, sizeof(*z->list));
	*nomem = z->list == NULL;
	if (z->list == NULL || !read_block(z, c, &n, time_size))
		return false;
	return time_size == 4 || read_footer(z, c);
}

int lya_zone_parse(struct lya_zone **out, const char *name, const void *data, size_t len,
		   struct lya_error *err)
{
	struct lya_zone *z = lya_calloc(1, sizeof(*z));
	struct lya_cursor c = lya_cursor_of(data, len);
	bool nomem = false;

	*out = NULL;
	if (z == NULL)
		return lya_error_nomem(err);
	if (read_file(z, &c, &nomem)) {
		*out = z;
		return LYA_OK;
	}
	lya_zone_free(z);
	if (nomem)
		return lya_error_nomem(err);
	return lya_error_set(err, LYA_EINPUT, name, NULL, "it is no file of a time zone (TZif)");
}

void lya_zone_free(struct lya_zone *z)
{
	if (z == NULL)
		return;
	lya_free(z->list);
	lya_free(z);
}

/* Letters, digits and "_+-/" in relative parts: nothing that could leave the folder. */
static bool is_zone_name(const char *zone)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_+-/";
	size_t len = strlen(zone);

	return len > 0 && len <= NAME_LONGEST && zone[0] != '/' && strspn(zone, allowed) == len;
}

static int load_file(struct lya_zone **z, const char *path, struct lya_error *err)
{
	FILE *f = fopen(path, "re");
	uint8_t *data;
	size_t len;
	int rc;

	if (f == NULL)
		return lya_error_set(err, LYA_EINPUT, path, NULL, "cannot be opened: %s",
				     strerror(errno));
	data = lya_malloc(FILE_BYTES_MAX);
	len = data != NULL ? fread(data, 1, FILE_BYTES_MAX, f) : 0;
	(void)fclose(f);
	rc = data != NULL ? lya_zone_parse(z, path, data, len, err) : lya_error_nomem(err);
	lya_free(data);
	return rc;
}

int lya_zone_load(struct lya_zone **z, const char *zone, struct lya_error *err)
{
	const char *folder = getenv("TZDIR");
	char path[4096];
	int n;

	*z = NULL;
	if (!is_zone_name(zone))
		return lya_error_set(err, LYA_EINPUT, NULL, NULL,
				     "\"%s\" is no name of a time zone (Europe/Paris)", zone);
	if (strcmp(zone, "UTC") == 0) { /* with or without a data base of zones */
		*z = lya_calloc(1, sizeof(**z));
		return *z != NULL ? LYA_OK : lya_error_nomem(err);
	}
	n = snprintf(path, sizeof(path), "%s/%s",
		     folder != NULL && folder[0] != '\0' ? folder : "/usr/share/zoneinfo", zone);
	if (n < 0 || (size_t)n >= sizeof(path))
		return lya_error_set(err, LYA_EINPUT, NULL, NULL, "TZDIR is too long");
	return load_file(z, path, err);
}
