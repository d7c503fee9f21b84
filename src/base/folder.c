/*
 * folder.c - the folder in which a path's last part stands, held open.
 *
 * Without a guard the kernel finds it.  With one the way is gone part by part, each opened
 * by the folder before it, so that nothing can be exchanged between a look and a step; links
 * are read and gone here, as long as they may be.
 */
#include "lyncaudit/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINKS_MAX = 40 }; /* as in the kernel: path_resolution(7) */

/* The way ----------------------------------------------------------------------------------- */

struct walk {
	int at; /* the folder that is reached; -1: none */
	int guard;
	bool guarded, passed;
	unsigned links;
	char rest[PATH_MAX];     /* of the way */
	char last[NAME_MAX + 1]; /* what it ends with, once all else is gone */
};

static bool is_same(int a, int b)
{
	struct stat in_a, in_b;

	return fstat(a, &in_a) == 0 && fstat(b, &in_b) == 0 && in_a.st_dev == in_b.st_dev &&
	       in_a.st_ino == in_b.st_ino;
}

/* fd is taken; that it is a folder is seen by what is opened there. */
static void move_to(struct walk *w, int fd)
{
	if (w->at != -1)
		(void)close(w->at);
	w->at = fd;
	w->guarded |= is_same(fd, w->guard);
	w->passed |= w->guarded;
}

static int move_to_root(struct walk *w)
{
	int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd == -1)
		return -1;
	w->guarded = false;
	move_to(w, fd);
	return 0;
}

/* Put len bytes and a slash before the rest of the way. */
static int go_before(struct walk *w, const char *way, size_t len)
{
	size_t rest = strlen(w->rest) + 1;

	if (len + 1 + rest > sizeof(w->rest)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memmove(w->rest + len + 1, w->rest, rest);
	memcpy(w->rest, way, len);
	w->rest[len] = '/';
	return 0;
}

static int follow(struct walk *w, int link)
{
	char way[PATH_MAX];
	ssize_t len;

	if (w->guarded || ++w->links > LINKS_MAX) {
		errno = ELOOP;
		return -1;
	}
	len = readlinkat(link, "", way, sizeof(way));
	if (len == -1 || go_before(w, way, (size_t)len) == -1)
		return -1;
	return len > 0 && way[0] == '/' ? move_to_root(w) : 0;
}

static int step(struct walk *w, const char *part)
{
	int fd = openat(w->at, part, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st = { 0 };
	int rc;

	if (fd == -1)
		return -1;
	(void)fstat(fd, &st); /* of an open file it is known */
	if (!S_ISLNK(st.st_mode)) {
		if (strcmp(part, "..") == 0 && is_same(w->at, w->guard))
			w->guarded = false;
		move_to(w, fd);
		return 0;
	}
	rc = follow(w, fd);
	(void)close(fd);
	return rc;
}

/* The next part of the rest; false: there is none. */
static bool next_part(struct walk *w, char part[static PATH_MAX])
{
	size_t slashes = strspn(w->rest, "/"), len = strcspn(w->rest + slashes, "/");

	memcpy(part, w->rest + slashes, len);
	part[len] = '\0';
	memmove(w->rest, w->rest + slashes + len, strlen(w->rest + slashes + len) + 1);
	return len > 0;
}

static bool is_over(const struct walk *w)
{
	return w->rest[strspn(w->rest, "/")] == '\0';
}

static int put_last(char last[static NAME_MAX + 1], const char *part)
{
	if (strlen(part) > NAME_MAX) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(last, part, strlen(part) + 1);
	return 0;
}

/* All but the last part. */
static int go(struct walk *w)
{
	char part[PATH_MAX] = ".";
	int rc = w->at == -1 ? move_to_root(w) : 0;

	while (rc == 0 && next_part(w, part) && !is_over(w))
		rc = step(w, part);
	return rc == 0 ? put_last(w->last, part[0] != '\0' ? part : ".") : rc;
}

/* From the root on, for the guarded folder may lie above the one in which we are. */
static int begin(struct walk *w, const char *path)
{
	char here[PATH_MAX];

	if (go_before(w, path, strlen(path)) == -1)
		return -1;
	if (path[0] == '/')
		return 0;
	return getcwd(here, sizeof(here)) != NULL ? go_before(w, here, strlen(here)) : -1;
}

/* Errno stays. */
static void leave(struct walk *w)
{
	int error = errno;

	if (w->at != -1)
		(void)close(w->at);
	w->at = -1;
	errno = error;
}

static int walk(struct walk *w, const char *path)
{
	int rc = begin(w, path);

	if (rc == 0)
		rc = go(w);
	if (rc == -1)
		leave(w);
	return rc;
}

/* Folders --------------------------------------------------------------------------------- */

static int open_guarded(struct lya_folder *f, const char *path, int guard)
{
	struct walk w = { .at = -1, .guard = guard };

	if (walk(&w, path) == -1)
		return -1;
	f->fd = w.at;
	f->guarded = w.guarded;
	f->passed = w.passed;
	return put_last(f->name, w.last);
}

static int open_unguarded(struct lya_folder *f, const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash == NULL ? 0 : (size_t)(slash - path) + 1;
	char folder[PATH_MAX] = ".";

	if (len >= sizeof(folder)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (put_last(f->name, path[len] != '\0' ? path + len : ".") == -1)
		return -1;
	if (len > 0) {
		memcpy(folder, path, len);
		folder[len] = '\0';
	}
	f->fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return f->fd == -1 ? -1 : 0;
}

int lya_folder_open(struct lya_folder *f, const char *path, int guard)
{
	*f = (struct lya_folder){ .fd = -1 };
	return guard == -1 ? open_unguarded(f, path) : open_guarded(f, path, guard);
}

void lya_folder_close(struct lya_folder *f)
{
	if (f->fd != -1)
		(void)close(f->fd);
	f->fd = -1;
}

/* Files ----------------------------------------------------------------------------------- */

/* What stands there is a link: go its way, to where the last part of that stands. */
static int follow_last(struct walk *w)
{
	int link = openat(w->at, w->last, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	int rc = link == -1 ? -1 : follow(w, link);

	if (link != -1)
		(void)close(link);
	return rc == 0 ? go(w) : rc;
}

int lya_folder_file(const char *path, int guard, int flags, mode_t mode)
{
	struct walk w = { .at = -1, .guard = guard };
	int fd = -1;

	if (guard == -1)
		return open(path, flags | O_CLOEXEC, mode);
	if (walk(&w, path) == -1)
		return -1;
	do {
		fd = openat(w.at, w.last, flags | O_NOFOLLOW | O_CLOEXEC, mode);
	} while (fd == -1 && errno == ELOOP && follow_last(&w) == 0);
	leave(&w);
	return fd;
}

const char *lya_folder_error(int error)
{
	return error == ELOOP ? "a symbolic link is in the way, and is not followed"
			      : strerror(error);
}
