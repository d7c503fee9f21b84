/*
 * place.c - do two names stand for one file?
 */
#include "cli/place.h"

#include <limits.h>
#include <string.h>
#include <sys/stat.h>

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? path : slash + 1;
}

/* The folder that a name lies in. */
static bool stat_folder(const char *path, struct stat *st)
{
	size_t len = (size_t)(last_part(path) - path);
	char folder[PATH_MAX];

	if (len >= sizeof(folder))
		return false;
	memcpy(folder, path, len);
	folder[len] = '\0';
	return stat(len == 0 ? "." : folder, st) == 0;
}

bool cli_same_output(const char *a, const char *b)
{
	struct stat in_a, in_b;

	if (strcmp(a, b) == 0)
		return true;
	return strcmp(last_part(a), last_part(b)) == 0 && stat_folder(a, &in_a) &&
	       stat_folder(b, &in_b) && is_same(&in_a, &in_b);
}

bool cli_output_replaces(const char *output, const char *input)
{
	struct stat out, in;

	return lstat(output, &out) == 0 && S_ISREG(out.st_mode) && stat(input, &in) == 0 &&
	       is_same(&out, &in);
}
