/*
 * read_option.c - arguments of options that several commands have.
 */
#include "cli/read_option.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

int cli_read_offset(const char *command, char *text, struct lya_capture_offset *offset)
{
	char *equals = strrchr(text, '=');
	char *end = NULL;
	double seconds;

	if (equals == NULL || equals == text)
		return cli_usage_error(command, "--time-offset \"%s\": wanted FILE=SECONDS", text);
	errno = 0;
	seconds = strtod(equals + 1, &end);
	if (end == equals + 1 || *end != '\0' || errno != 0 || !(fabs(seconds) < 1e9))
		return cli_usage_error(command,
				       "--time-offset \"%s\": \"%s\" is no number of seconds", text,
				       equals + 1);
	*equals = '\0';
	offset->name = text;
	offset->offset_ns = (int64_t)llround(seconds * 1e9);
	return -1;
}

int cli_read_number(const char *command, const char *option, const char *text, size_t *value)
{
	char *end = NULL;
	unsigned long long n = 0;

	errno = 0;
	if (text[0] >= '0' && text[0] <= '9')
		n = strtoull(text, &end, 10);
	if (end == NULL || *end != '\0' || errno != 0 || n == 0)
		return cli_usage_error(command, "--%s \"%s\": wanted a number from 1", option, text);
	*value = (size_t)n;
	return -1;
}

int cli_read_color(const char *command, const char *when, enum cli_color *color)
{
	static const char *const words[] = { "auto", "always", "never" };

	if (when == NULL)
		when = "always";
	for (unsigned i = 0; i < 3; i++) {
		if (strcmp(when, words[i]) == 0) {
			*color = (enum cli_color)i;
			return -1;
		}
	}
	return cli_usage_error(command, "--color \"%s\": wanted always, never or auto", when);
}

int cli_read_severity(const char *command, const char *option, const char *name,
		      enum lya_severity *severity)
{
	if (lya_severity_find(name, severity))
		return -1;
	return cli_usage_error(command, "--%s \"%s\": wanted critical, high, medium, low or info",
			       option, name);
}

int cli_read_memory(const char *command, const char *text, size_t *bytes)
{
	enum { LEAST = 16 * 1024 * 1024 }; /* below this not even the buffers fit */

	if (cli_parse_size(text, bytes) && *bytes >= LEAST)
		return -1;
	return cli_usage_error(command,
			       "--max-memory \"%s\": wanted a size of 16MiB or more, such as "
			       "512MiB",
			       text);
}
