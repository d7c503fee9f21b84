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

bool cli_replaced_find(struct cli_replaced *r, const char *output)
{
	struct stat out;

	if (lstat(output, &out) != 0 || !S_ISREG(out.st_mode))
		return false;
	*r = (struct cli_replaced){ .output = output, .dev = out.st_dev, .ino = out.st_ino };
	return true;
}

const char *cli_replaced_by(const struct cli_replaced *list, size_t n, dev_t dev, ino_t ino)
{
	for (size_t i = 0; i < n; i++) {
		if (list[i].dev == dev && list[i].ino == ino)
			return list[i].output;
	}
	return NULL;
}
