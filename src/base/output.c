/*
 * output.c - files that appear whole or not at all.
 *
 * A file is made without a name (O_TMPFILE), so that nothing is left of it
 * whatever ends the program.  It gets a temporary one when it is whole, because
 * link(2) replaces nothing and rename(2) does.  Where the file system cannot do
 * that, it has its temporary name from the beginning.  Either way that stands
 * in the directory of the final one, which is held open, so that the rename cannot
 * cross a file system, and ends in six random letters.
 */
#include "lyncaudit/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lyncaudit/alloc.h"
#include "lyncaudit/folder.h"

enum { BUFFER_BYTES = 65536 };

struct lya_output {
	char *path;
	struct lya_folder folder; /* of the path; fd -1: none, what is written to is open already */
	char *temporary;          /* a name in it; NULL when written to directly */
	bool nameless;            /* the temporary name is not given yet */
	int fd;
	int failed; /* errno of the first failure; 0: none */
	bool close_fd;
	struct lya_text *text; /* NULL: a descriptor is written to */
	size_t used;
	char buffer[BUFFER_BYTES];
};

static void release(struct lya_output *out)
{
	if (out->close_fd && out->fd != -1)
		(void)close(out->fd);
	lya_folder_close(&out->folder);
	lya_free(out->temporary);
	lya_free(out->path);
	lya_free(out);
}

/* Something stands there that is no regular file; a link that is not followed is replaced. */
static bool is_special(const struct lya_folder *f)
{
	int flags = f->guarded ? AT_SYMLINK_NOFOLLOW : 0;
	struct stat st;

	return fstatat(f->fd, f->name, &st, flags) == 0 && !S_ISREG(st.st_mode) &&
	       !S_ISLNK(st.st_mode);
}

/* Who may put a pipe there must not make us wait for its reader. */
static int open_direct(struct lya_output *out, int guard)
{
	int wait = out->folder.guarded ? O_NONBLOCK : 0;

	out->fd = lya_folder_file(out->path, guard, O_WRONLY | O_NOCTTY | wait, 0);
	return out->fd == -1 ? -1 : 0;
}

static const char template[] = ".XXXXXX";

/* The name with the template behind it; NULL without memory. */
static char *temporary_of(const char *name)
{
	size_t len = strlen(name);
	char *temporary = lya_malloc(len + sizeof(template));

	if (temporary == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	memcpy(temporary, name, len);
	memcpy(temporary + len, template, sizeof(template));
	return temporary;
}

/* Put letters in the place of the six X at the end of a name. */
static bool choose_name(char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEF";
	uint8_t random[6];
	char *at = name + strlen(name) - sizeof(random);

	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return false;
	for (size_t i = 0; i < sizeof(random); i++)
		at[i] = letters[random[i] % (sizeof(letters) - 1)];
	return true;
}

static int give_name(int fd, int folder, const char *name)
{
	char self[32];

	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, self, folder, name, AT_SYMLINK_FOLLOW);
}

static int open_nameless(int folder)
{
	return openat(folder, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
}

/* Can a file that is made without a name get one here later?  Tried with another one. */
static bool can_name_later(int folder, const char *name)
{
	int fd = open_nameless(folder);
	bool can = fd != -1 && give_name(fd, folder, name) == 0;

	if (can)
		can = unlinkat(folder, name, 0) == 0;
	if (fd != -1)
		(void)close(fd);
	return can;
}

/* As mkstemp(3) does it, which knows no folder by its descriptor. */
static int open_named(int folder, char *name)
{
	enum { TRIES = 100 };
	int fd = -1;

	for (unsigned i = 0; i < TRIES && fd == -1 && choose_name(name); i++) {
		fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd == -1 && errno != EEXIST)
			break;
	}
	return fd;
}

/* With the name that it will have, or with one that it has at once. */
static void open_in(struct lya_output *out, int folder)
{
	if (choose_name(out->temporary) && can_name_later(folder, out->temporary))
		out->fd = open_nameless(folder);
	out->nameless = out->fd != -1;
	if (!out->nameless)
		out->fd = open_named(folder, out->temporary);
}

static int open_temporary(struct lya_output *out, bool readable)
{
	mode_t mask;

	out->temporary = temporary_of(out->folder.name);
	if (out->temporary == NULL)
		return -1;
	open_in(out, out->folder.fd);
	if (out->fd == -1) {
		lya_free(out->temporary);
		out->temporary = NULL;
		return -1;
	}
	if (readable) {
		mask = umask(0);
		(void)umask(mask);
		(void)fchmod(out->fd, 0644 & ~mask);
	}
	return 0;
}

/* Why a path cannot be written; running out of memory is no fault of the path. */
static int tell_failure(struct lya_error *err, const char *path, int failed)
{
	if (failed == ENOMEM)
		return lya_error_nomem(err);
	return lya_error_set(err, LYA_EOUTPUT, strcmp(path, "-") == 0 ? "standard output" : path,
			     NULL, "cannot be written: %s", lya_folder_error(failed));
}

static struct lya_output *output_new(const char *path)
{
	struct lya_output *out = lya_malloc(sizeof(*out));

	if (out == NULL)
		return NULL;
	out->folder = (struct lya_folder){ .fd = -1 };
	out->temporary = NULL;
	out->nameless = false;
	out->fd = -1;
	out->failed = 0;
	out->close_fd = false;
	out->text = NULL;
	out->used = 0;
	out->path = lya_strdup(path);
	if (out->path != NULL)
		return out;
	release(out);
	return NULL;
}

static int open_path(struct lya_output *out, int guard, bool readable)
{
	if (strcmp(out->path, "-") == 0) {
		out->fd = STDOUT_FILENO;
		return 0;
	}
	out->close_fd = true;
	if (lya_folder_open(&out->folder, out->path, guard) == -1)
		return -1;
	return is_special(&out->folder) ? open_direct(out, guard) : open_temporary(out, readable);
}

int lya_output_open_guarded(struct lya_output **result, const char *path, int guard, bool readable,
			    struct lya_error *err)
{
	struct lya_output *out = output_new(path);
	int rc;

	if (out == NULL)
		return lya_error_nomem(err);
	if (open_path(out, guard, readable) == -1) {
		rc = tell_failure(err, path, errno);
		release(out);
		return rc;
	}
	*result = out;
	return LYA_OK;
}

int lya_output_open(struct lya_output **result, const char *path, bool readable,
		    struct lya_error *err)
{
	return lya_output_open_guarded(result, path, -1, readable, err);
}

int lya_output_open_fd(struct lya_output **result, int fd, const char *name, struct lya_error *err)
{
	struct lya_output *out = output_new(name);

	if (out == NULL)
		return lya_error_nomem(err);
	out->fd = fd;
	*result = out;
	return LYA_OK;
}

int lya_output_open_text(struct lya_output **result, struct lya_text *text, struct lya_error *err)
{
	struct lya_output *out = output_new("text");

	if (out == NULL)
		return lya_error_nomem(err);
	out->text = text;
	*result = out;
	return LYA_OK;
}

/* Write all of data, noting the first failure. */
static void push(struct lya_output *out, const char *data, size_t len)
{
	if (out->text != NULL) {
		lya_text_add_len(out->text, data, len);
		if (out->text->failed && out->failed == 0)
			out->failed = ENOMEM;
		return;
	}
	while (len > 0 && out->failed == 0) {
		ssize_t n = write(out->fd, data, len);

		if (n == -1) {
			if (errno == EINTR)
				continue;
			out->failed = errno;
			return;
		}
		data += n;
		len -= (size_t)n;
	}
}

static void drain(struct lya_output *out)
{
	push(out, out->buffer, out->used);
	out->used = 0;
}

void lya_output_write(struct lya_output *out, const void *data, size_t len)
{
	if (len > BUFFER_BYTES - out->used)
		drain(out);
	if (len > BUFFER_BYTES) {
		push(out, data, len);
		return;
	}
	memcpy(out->buffer + out->used, data, len);
	out->used += len;
}

void lya_output_puts(struct lya_output *out, const char *s)
{
	lya_output_write(out, s, strlen(s));
}

void lya_output_printf(struct lya_output *out, const char *fmt, ...)
{
	char text[2048];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	if ((size_t)n < sizeof(text)) {
		lya_output_write(out, text, (size_t)n);
		return;
	}
	char *longer = lya_malloc((size_t)n + 1);
	if (longer == NULL) {
		if (out->failed == 0)
			out->failed = ENOMEM;
		return;
	}
	va_start(ap, fmt);
	(void)vsnprintf(longer, (size_t)n + 1, fmt, ap);
	va_end(ap);
	lya_output_write(out, longer, (size_t)n);
	lya_free(longer);
}

int lya_output_flush(struct lya_output *out)
{
	drain(out);
	return out->failed != 0 ? LYA_EOUTPUT : LYA_OK;
}

int lya_output_failed(const struct lya_output *out)
{
	return out->failed;
}

/* Make the data durable and give it its name. */
static int settle(struct lya_output *out)
{
	if (out->temporary == NULL)
		return 0;
	if (fsync(out->fd) == -1)
		return -1;
	if (out->nameless && give_name(out->fd, out->folder.fd, out->temporary) == -1)
		return -1;
	out->nameless = false;
	return renameat(out->folder.fd, out->temporary, out->folder.fd, out->folder.name);
}

static void remove_temporary(const struct lya_output *out)
{
	if (out->temporary != NULL && !out->nameless)
		(void)unlinkat(out->folder.fd, out->temporary, 0);
}

int lya_output_commit(struct lya_output *out, struct lya_error *err)
{
	int rc = LYA_OK;

	drain(out);
	if (out->failed == 0 && settle(out) == -1)
		out->failed = errno;
	if (out->close_fd && close(out->fd) == -1 && out->failed == 0)
		out->failed = errno;
	out->fd = -1;
	if (out->failed != 0) {
		remove_temporary(out);
		rc = tell_failure(err, out->path, out->failed);
	}
	release(out);
	return rc;
}

void lya_output_abort(struct lya_output *out)
{
	if (out == NULL)
		return;
	remove_temporary(out);
	release(out);
}
