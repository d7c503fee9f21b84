/*
 * timeutil.c - packet time as text, and calendar dates as days.
 */
#include "lyncaudit/timeutil.h"

#include <string.h>

enum { DAY_S = 86400 };

/* Civil date of a day count (Howard Hinnant's algorithm: eras of 400 years). */
static void days_to_civil(int64_t days, int64_t *year, unsigned *month, unsigned *day)
{
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	unsigned doe = (unsigned)(z - era * 146097);
	unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	unsigned mp = (5 * doy + 2) / 153;

	*day = doy - (153 * mp + 2) / 5 + 1;
	*month = mp < 10 ? mp + 3 : mp - 9;
	*year = (int64_t)yoe + era * 400 + (*month <= 2 ? 1 : 0);
}

/* So many decimals of n, with leading zeros; returns what follows them. */
static char *put_decimals(char *at, unsigned width, unsigned n)
{
	for (char *p = at + width; p > at; n /= 10)
		*--p = (char)('0' + n % 10);
	return at + width;
}

/* The same, and then what separates it from the next. */
static char *put_field(char *at, unsigned width, unsigned n, char after)
{
	at = put_decimals(at, width, n);
	*at = after;
	return at + 1;
}

const char *lya_time_format(int64_t time_ns, unsigned digits, char buf[static LYA_TIME_TEXT])
{
	int64_t s = time_ns / LYA_SECOND_NS;
	int64_t ns = time_ns % LYA_SECOND_NS;
	int64_t days;
	int64_t year;
	unsigned month;
	unsigned day;
	unsigned tod;
	char *at = buf;

	if (ns < 0) {
		ns += LYA_SECOND_NS;
		s--;
	}
	days = s / DAY_S;
	if (s % DAY_S < 0)
		days--;
	tod = (unsigned)(s - days * DAY_S);
	days_to_civil(days, &year, &month, &day);
	if (year < 0)
		year = 0;
	if (year > 9999)
		year = 9999;
	at = put_field(at, 4, (unsigned)year, '-');
	at = put_field(at, 2, month, '-');
	at = put_field(at, 2, day, 'T');
	at = put_field(at, 2, tod / 3600, ':');
	at = put_field(at, 2, tod / 60 % 60, ':');
	at = put_decimals(at, 2, tod % 60);
	if (digits > 0) {
		*at++ = '.';
		put_decimals(at, 9, (unsigned)ns);
		at += digits > 9 ? 9 : digits;
	}
	*at++ = 'Z';
	*at = '\0';
	return buf;
}

bool lya_date_days(int year, unsigned month, unsigned day, int64_t *days)
{
	static const unsigned lengths[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	int64_t y = year;
	int64_t era;
	unsigned yoe;
	unsigned doy;

	if (month < 1 || month > 12 || day < 1)
		return false;
	if (day > lengths[month - 1] + (month == 2 && leap ? 1 : 0))
		return false;
	y -= month <= 2 ? 1 : 0;
	era = (y >= 0 ? y : y - 399) / 400;
	yoe = (unsigned)(y - era * 400);
	doy = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	*days = era * 146097 + (int64_t)(yoe * 365 + yoe / 4 - yoe / 100 + doy) - 719468;
	return true;
}

bool lya_date_parse(const char *text, int *year, unsigned *month, unsigned *day)
{
	static const char shape[] = "dddd-dd-dd";
	int64_t days;

	if (strlen(text) != sizeof(shape) - 1)
		return false;
	for (size_t i = 0; shape[i] != '\0'; i++) {
		bool digit = text[i] >= '0' && text[i] <= '9';

		if (shape[i] == 'd' ? !digit : text[i] != shape[i])
			return false;
	}
	*year =
	    (text[0] - '0') * 1000 + (text[1] - '0') * 100 + (text[2] - '0') * 10 + text[3] - '0';
	*month = (unsigned)((text[5] - '0') * 10 + text[6] - '0');
	*day = (unsigned)((text[8] - '0') * 10 + text[9] - '0');
	return lya_date_days(*year, *month, *day, &days);
}
