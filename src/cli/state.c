/*
 * state.c - read a service's state directory with the rights that this takes.
 *
 * What is in it came from packets, some of it as they were.  So it is read by a process that
 * may read there and nowhere else.  A directory belongs to who reads packets, and root without
 * its capabilities may not look into it: root leaves that to a child who is its owner, and
 * gives the output its name when the child has written it.
 */
#include "cli/state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "lyncaudit/alloc.h"
#include "lyncaudit/confine.h"
#include "lyncaudit/process.h"
#include "lyncaudit/store.h"

/* Of a copy: the data base has a log beside it, and SQLite has to make the rest. */
static bool lacks_locks(char *const changes[static LYA_STORE_SHARED])
{
	return access(changes[1], F_OK) == 0 && access(changes[0], F_OK) == -1;
}

static int confine(const struct cli_state *s, bool renames, struct lya_error *err)
{
	const char *reads[] = { s->dir, "/usr/share/zoneinfo" };
	char *changes[LYA_STORE_SHARED];
	struct lya_confine want = { .reads = reads,
				    .n_reads = 2,
				    .renames = &s->output,
				    .n_renames = renames && s->output != NULL ? 1 : 0 };
	struct lya_confined got;
	int rc = lya_store_shared(s->dir, changes, err);

	if (rc != LYA_OK)
		return rc;
	want.changes = (const char *const *)changes;
	want.n_changes = LYA_STORE_SHARED;
	want.writes = &s->dir;
	want.n_writes = lacks_locks(changes) ? 1 : 0;
	rc = lya_confine(&want, &got, err);
	if (rc == LYA_OK && (got.landlock_abi == 0 || !got.seccomp))
		cli_error("this kernel offers no %s; the rest of the protection holds",
			  got.landlock_abi == 0 ? "Landlock" : "seccomp");
	for (size_t i = 0; i < LYA_STORE_SHARED; i++)
		lya_free(changes[i]);
	return rc;
}

static int tell(int rc, const struct lya_error *err)
{
	if (rc == LYA_OK)
		return EXIT_FINE;
	cli_error("%s", rc == LYA_ENOMEM ? "out of memory" : err->text);
	return EXIT_ERROR;
}

/* Where a directory that is to be made is going to be. */
static bool name_beside(const char *dir, char room[static PATH_MAX])
{
	const char *slash = strrchr(dir, '/');
	const char *name = slash != NULL ? slash + 1 : dir;
	size_t above = (size_t)(name - dir), len = strlen(name);
	char parent[PATH_MAX];

	if (len == 0 || above >= sizeof(parent))
		return false;
	(void)snprintf(parent, sizeof(parent), "%.*s", above != 0 ? (int)above : 1,
		       above != 0 ? dir : ".");
	if (realpath(parent, room) == NULL || strlen(room) + 1 + len >= PATH_MAX)
		return false;
	(void)strcat(strcat(room, "/"), name);
	return true;
}

const char *cli_state_name(const char *dir, char room[static PATH_MAX])
{
	if (realpath(dir, room) != NULL)
		return room;
	return errno == ENOENT && name_beside(dir, room) ? room : dir;
}

static int read_here(const struct cli_state *s, bool renames)
{
	struct lya_error err = { 0 };
	int rc = confine(s, renames, &err);

	if (rc == LYA_OK)
		rc = s->read(s->ctx, &err);
	return tell(rc, &err);
}

static int read_as(const struct cli_state *s, const struct lya_user *user)
{
	struct lya_error err = { 0 };
	int rc = lya_user_become(user, &err);

	return rc == LYA_OK ? cli_finish_stdout(read_here(s, false)) : tell(rc, &err);
}

static int wait_for(pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) == -1) {
		if (errno != EINTR)
			return EXIT_ERROR;
	}
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	cli_error("the process that reads the state directory was ended by signal %d",
		  WTERMSIG(status));
	return EXIT_ERROR;
}

int cli_read_state(const struct cli_state *s)
{
	struct lya_user user = { .change = true };
	struct stat st;
	pid_t child;

	if (geteuid() != 0 || stat(s->dir, &st) == -1 || st.st_uid == 0)
		return read_here(s, true);
	user.uid = st.st_uid;
	user.gid = st.st_gid;
	(void)snprintf(user.name, sizeof(user.name), "%u", (unsigned)st.st_uid);
	(void)fflush(stdout); /* or the child would write it, too */
	child = fork();
	if (child == -1) {
		cli_error("a process cannot be started: %s", strerror(errno));
		return EXIT_ERROR;
	}
	if (child == 0)
		_exit(read_as(s, &user));
	return wait_for(child);
}
