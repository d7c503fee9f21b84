/*
 * state_dir.h - a state directory that is gone after the test.
 */
#ifndef TESTS_STORE_STATE_DIR_H
#define TESTS_STORE_STATE_DIR_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static inline void state_make(char dir[static 64])
{
	(void)snprintf(dir, 64, "/tmp/lyncaudit-state-XXXXXX");
	assert_non_null(mkdtemp(dir));
}

static inline void state_remove_all(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL) {
		char name[512];

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		(void)snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
		if (unlink(name) == -1)
			state_remove_all(name);
	}
	if (d != NULL)
		(void)closedir(d);
	(void)rmdir(path);
}

#endif
