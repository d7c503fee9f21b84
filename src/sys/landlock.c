/*
 * landlock.c - only the files that were named (landlock(7)).
 *
 * Outputs are open before this: what is left to do with them is the rename,
 * which takes a name from a folder and gives it another there.
 */
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lyncaudit/alloc.h"

/* Everything that the first ABI can forbid. */
static const uint64_t all_access =
    LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE |
    LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
    LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
    LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
    LANDLOCK_ACCESS_FS_MAKE_SYM;

/* What later ABIs can forbid besides: moving between folders (2), truncating (3). */
enum { ABI_REFER = 2, ABI_TRUNCATE = 3 };

static const uint64_t access_refer = UINT64_C(1) << 13;
static const uint64_t access_truncate = UINT64_C(1) << 14;

static uint64_t later_access(int abi)
{
	return (abi >= ABI_REFER ? access_refer : 0) | (abi >= ABI_TRUNCATE ? access_truncate : 0);
}

/* Of a folder that is a process's own. */
static const uint64_t write_access =
    LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
    LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |
    LANDLOCK_ACCESS_FS_MAKE_REG;

int sys_landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return abi > 0 ? (int)abi : 0;
}

static int fail(struct lya_error *err, const char *path)
{
	return lya_error_set(err, LYA_EIO, path, NULL, "Landlock: %s", strerror(errno));
}

/* Allow some access below path; a path that does not exist needs none. */
static int allow(int ruleset, const char *path, uint64_t access, struct lya_error *err)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = access };
	struct stat st;
	int rc = LYA_OK;

	rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd == -1)
		return errno == ENOENT || errno == ENOTDIR || errno == EACCES ? LYA_OK
									      : fail(err, path);
	if (fstat(rule.parent_fd, &st) == 0 && !S_ISDIR(st.st_mode))
		rule.allowed_access &= ~(uint64_t)LANDLOCK_ACCESS_FS_READ_DIR;
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == -1)
		rc = fail(err, path);
	(void)close(rule.parent_fd);
	return rc;
}

/* The folder that a path's last part stands in. */
static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		return lya_strdup(".");
	return lya_strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

static int allow_rename(int ruleset, const char *path, struct lya_error *err)
{
	char *folder = folder_of(path);
	int rc;

	if (folder == NULL)
		return lya_error_nomem(err);
	rc = allow(ruleset, folder, LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_FILE,
		   err);
	lya_free(folder);
	return rc;
}

static int allow_all(int ruleset, const struct lya_confine *want, int abi, struct lya_error *err)
{
	int rc = LYA_OK;

	for (size_t i = 0; rc == LYA_OK && i < want->n_reads; i++)
		rc = allow(ruleset, want->reads[i],
			   LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR, err);
	for (size_t i = 0; rc == LYA_OK && i < want->n_changes; i++)
		rc = allow(ruleset, want->changes[i],
			   LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |
			       (later_access(abi) & access_truncate),
			   err);
	for (size_t i = 0; rc == LYA_OK && i < want->n_renames; i++)
		rc = allow_rename(ruleset, want->renames[i], err);
	for (size_t i = 0; rc == LYA_OK && i < want->n_writes; i++)
		rc = allow(ruleset, want->writes[i], write_access | later_access(abi), err);
	return rc;
}

int sys_landlock(const struct lya_confine *want, int abi, struct lya_error *err)
{
	struct landlock_ruleset_attr attr = { .handled_access_fs = all_access | later_access(abi) };
	int ruleset;
	int rc;

	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (ruleset == -1)
		return fail(err, NULL);
	rc = allow_all(ruleset, want, abi, err);
	if (rc == LYA_OK && syscall(SYS_landlock_restrict_self, ruleset, 0) == -1)
		rc = fail(err, NULL);
	(void)close(ruleset);
	return rc;
}
