/*
 * test_folder.c - the folder of a path, with links where they may be followed and where not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lyncaudit/folder.h"
#include "lyncaudit/output.h"

/*
 *	outside/         another's
 *	guard/inner/     guarded
 *	guard/door    -> ../outside
 *	guard/file    -> ../outside/file
 *	guard/loop    -> loop
 *	to-guard      -> guard
 *	to-inner      -> TOP/guard/inner      an absolute one
 *	to-door       -> guard/door
 *	to-outside    -> guard/../outside
 *	round         -> round
 */
static const char *const folders[] = { "outside", "guard", "guard/inner" };
static const char *const links[][2] = {
	{ "guard/door", "../outside" }, { "guard/file", "../outside/file" },
	{ "guard/loop", "loop" },       { "to-guard", "guard" },
	{ "to-door", "guard/door" },    { "to-outside", "guard/../outside" },
	{ "round", "round" },
};

struct tree {
	char top[64];
	int guard, top_fd;
};

static int make_tree(void **state)
{
	static struct tree t;
	char inner[128];

	(void)snprintf(t.top, sizeof(t.top), "/tmp/lyncaudit-folder-XXXXXX");
	assert_non_null(mkdtemp(t.top));
	t.top_fd = open(t.top, O_PATH | O_DIRECTORY);
	assert_int_not_equal(t.top_fd, -1);
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		assert_int_equal(mkdirat(t.top_fd, folders[i], 0700), 0);
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		assert_int_equal(symlinkat(links[i][1], t.top_fd, links[i][0]), 0);
	(void)snprintf(inner, sizeof(inner), "%s/guard/inner", t.top);
	assert_int_equal(symlinkat(inner, t.top_fd, "to-inner"), 0);
	t.guard = openat(t.top_fd, "guard", O_PATH | O_DIRECTORY);
	assert_int_not_equal(t.guard, -1);
	*state = &t;
	return 0;
}

static int remove_tree(void **state)
{
	struct tree *t = *state;
	char command[128];

	(void)close(t->guard);
	(void)close(t->top_fd);
	(void)snprintf(command, sizeof(command), "rm -r %s", t->top);
	assert_int_equal(system(command), 0);
	return 0;
}

static const struct {
	const char *path;
	int error;          /* 0: it is found, */
	const char *folder; /* and is this one */
	bool guarded;
} cases[] = {
	{ "outside/x", 0, "outside", false },
	{ "x", 0, ".", false },
	{ "x/", 0, ".", false },
	{ "guard//x", 0, "guard", true },
	{ "./outside//x", 0, "outside", false },
	{ "guard/x", 0, "guard", true },
	{ "guard/inner/x", 0, "guard/inner", true },
	{ "guard/inner/../x", 0, "guard", true },
	{ "guard/inner/../../x", 0, ".", false },
	{ "guard/../outside/x", 0, "outside", false },
	{ "guard/door/x", ELOOP, NULL, false },
	{ "guard/inner/../door/x", ELOOP, NULL, false },
	{ "guard/loop/x", ELOOP, NULL, false },
	{ "to-guard/x", 0, "guard", true },
	{ "to-guard/inner/x", 0, "guard/inner", true },
	{ "to-guard/door/x", ELOOP, NULL, false },
	{ "to-inner/x", 0, "guard/inner", true },
	{ "to-inner/../door/x", ELOOP, NULL, false },
	{ "to-door/x", ELOOP, NULL, false },
	{ "to-outside/x", 0, "outside", false },
	{ "round/x", ELOOP, NULL, false },
	{ "nowhere/x", ENOENT, NULL, false },
	{ "guard/nowhere/x", ENOENT, NULL, false },
};

static void check(const struct tree *t, size_t i, const char *path)
{
	struct lya_folder f;
	struct stat got, want;
	int rc = lya_folder_open(&f, path, t->guard);

	if (cases[i].error != 0) {
		if (rc != -1 || errno != cases[i].error)
			fail_msg("%s: wanted %s, found %s", path, strerror(cases[i].error),
				 rc == -1 ? strerror(errno) : "a folder");
		return;
	}
	if (rc == -1)
		fail_msg("%s: %s", path, strerror(errno));
	assert_int_equal(fstat(f.fd, &got), 0);
	assert_int_equal(fstatat(t->top_fd, cases[i].folder, &want, 0), 0);
	if (got.st_ino != want.st_ino || f.guarded != cases[i].guarded)
		fail_msg("%s: wanted %s, found %s", path, cases[i].folder,
			 got.st_ino == want.st_ino ? "it guarded otherwise" : "another");
	assert_string_equal(f.name, "x");
	lya_folder_close(&f);
}

static void paths_with_a_guard(void **state)
{
	const struct tree *t = *state;
	char path[256], here[PATH_MAX];

	assert_non_null(getcwd(here, sizeof(here)));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", t->top, cases[i].path);
		check(t, i, path);
		assert_int_equal(chdir(t->top), 0);
		check(t, i, cases[i].path);
		assert_int_equal(chdir(here), 0);
	}
}

/* Who stands below the guarded folder names files without it. */
static void a_name_alone_below_the_guard(void **state)
{
	const struct tree *t = *state;
	struct lya_folder f;
	char path[128], here[PATH_MAX];

	assert_non_null(getcwd(here, sizeof(here)));
	(void)snprintf(path, sizeof(path), "%s/guard/inner", t->top);
	assert_int_equal(chdir(path), 0);
	assert_int_equal(lya_folder_open(&f, "x", t->guard), 0);
	assert_true(f.guarded);
	lya_folder_close(&f);
	assert_int_equal(lya_folder_open(&f, "../door/x", t->guard), -1);
	assert_int_equal(errno, ELOOP);
	assert_int_equal(chdir(here), 0);
}

static void paths_that_are_too_long(void **state)
{
	const struct tree *t = *state;
	static char path[PATH_MAX + 2];
	struct lya_folder f;

	memset(path, '/', sizeof(path) - 2);
	path[sizeof(path) - 2] = 'x';
	assert_int_equal(lya_folder_open(&f, path, -1), -1);
	assert_int_equal(errno, ENAMETOOLONG);
	assert_int_equal(lya_folder_open(&f, path, t->guard), -1);
	assert_int_equal(errno, ENAMETOOLONG);
}

static int open_file(const struct tree *t, const char *name, int guard)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", t->top, name);
	return lya_folder_file(path, guard, O_WRONLY | O_CREAT, 0600);
}

static void makes(const struct tree *t, const char *name, int guard, const char *file)
{
	int fd = open_file(t, name, guard);

	if (fd == -1)
		fail_msg("%s: %s", name, strerror(errno));
	(void)close(fd);
	assert_int_equal(unlinkat(t->top_fd, file, 0), 0);
}

static void files_with_a_guard(void **state)
{
	static const char *const refused[] = { "guard/file", "to-guard/file", "to-file",
					       "to-to-file", "guard/door/x",  "to-door-x",
					       "round" };
	const struct tree *t = *state;

	assert_int_equal(symlinkat("guard/file", t->top_fd, "to-file"), 0);
	assert_int_equal(symlinkat("to-file", t->top_fd, "to-to-file"), 0);
	assert_int_equal(symlinkat("guard/door/x", t->top_fd, "to-door-x"), 0);
	assert_int_equal(symlinkat("guard/inner/x", t->top_fd, "to-x"), 0);
	assert_int_equal(symlinkat("outside/x", t->top_fd, "to-outside-x"), 0);
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		if (open_file(t, refused[i], t->guard) != -1 || errno != ELOOP)
			fail_msg("%s: %s", refused[i], strerror(errno));
	}
	makes(t, "to-x", t->guard, "guard/inner/x");
	makes(t, "guard/x", t->guard, "guard/x");
	makes(t, "to-outside-x", t->guard, "outside/x");
	makes(t, "guard/file", -1, "outside/file");
}

static struct lya_output *open_output(const struct tree *t, const char *name, int want)
{
	struct lya_output *out = NULL;
	struct lya_error err;
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", t->top, name);
	assert_int_equal(lya_output_open_guarded(&out, path, t->guard, false, &err), want);
	if (want != LYA_OK)
		assert_non_null(strstr(err.text, "symbolic link"));
	return out;
}

static void is_regular(const struct tree *t, const char *name)
{
	struct stat st;

	assert_int_equal(fstatat(t->top_fd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISREG(st.st_mode));
}

/* What stands outside stays as it is, and what is ours comes in the place of the link. */
static void outputs_with_a_guard(void **state)
{
	const struct tree *t = *state;
	struct lya_output *out;
	struct lya_error err;

	(void)open_output(t, "guard/door/x", LYA_EOUTPUT);
	assert_int_equal(symlinkat("/dev/full", t->top_fd, "guard/device"), 0);
	out = open_output(t, "guard/device", LYA_OK); /* not the device itself, */
	lya_output_puts(out, "x");
	assert_int_equal(lya_output_commit(out, &err), LYA_OK);
	is_regular(t, "guard/device");
	assert_int_equal(faccessat(t->top_fd, "outside/x", F_OK, 0), -1);
}

/* A folder that loses its name while its file is written: what takes the name gets nothing. */
static void an_output_stays_in_its_folder(void **state)
{
	const struct tree *t = *state;
	struct lya_output *out = open_output(t, "guard/inner/x", LYA_OK);
	struct lya_error err;

	assert_int_equal(renameat(t->top_fd, "guard/inner", t->top_fd, "guard/moved"), 0);
	assert_int_equal(symlinkat("../outside", t->top_fd, "guard/inner"), 0);
	assert_int_equal(lya_output_commit(out, &err), LYA_OK);
	assert_int_equal(faccessat(t->top_fd, "outside/x", F_OK, 0), -1);
	is_regular(t, "guard/moved/x");
}

/* Nobody reads it, and nobody waits for that. */
static void a_pipe_below_the_guard(void **state)
{
	const struct tree *t = *state;
	struct lya_output *out;
	struct lya_error err;
	char path[128];

	assert_int_equal(mkfifoat(t->top_fd, "guard/pipe", 0600), 0);
	(void)snprintf(path, sizeof(path), "%s/guard/pipe", t->top);
	assert_int_equal(lya_output_open_guarded(&out, path, t->guard, false, &err), LYA_EOUTPUT);
}

#define WITH_TREE(test) cmocka_unit_test_setup_teardown(test, make_tree, remove_tree)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_TREE(paths_with_a_guard),      WITH_TREE(a_name_alone_below_the_guard),
		WITH_TREE(paths_that_are_too_long), WITH_TREE(files_with_a_guard),
		WITH_TREE(outputs_with_a_guard),    WITH_TREE(an_output_stays_in_its_folder),
		WITH_TREE(a_pipe_below_the_guard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
