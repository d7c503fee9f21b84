/*
 * lock.c - one writer at a time.
 *
 * The lock belongs to the open file, so it is gone with the process, however that ends.
 */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lyncaudit/timeutil.h"

enum { LOCK_TEXT = 512 };

static int open_lock(const char *dir, int flags)
{
	char path[4096];
	int n = snprintf(path, sizeof(path), "%s/lock", dir);

	if (n < 0 || (size_t)n >= sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
}

/* What its holder wrote into it, as one line that a terminal can show. */
static void read_holder(int fd, char text[static LOCK_TEXT])
{
	ssize_t n = pread(fd, text, LOCK_TEXT - 1, 0);
	size_t len = n > 0 ? (size_t)n : 0;

	text[len] = '\0';
	text[strcspn(text, "\n")] = '\0';
	for (char *c = text; *c != '\0'; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	}
}

static bool write_holder(int fd, const struct lya_store_writer *writer)
{
	char text[LOCK_TEXT], when[LYA_TIME_TEXT];
	int n = snprintf(text, sizeof(text), "process %ld, sensor %.200s, since %s\n",
			 (long)getpid(), writer->sensor, lya_time_format(writer->now_ns, 0, when));

	return ftruncate(fd, 0) == 0 && n > 0 && pwrite(fd, text, (size_t)n, 0) == n;
}

int store_lock(struct lya_store *s, const struct lya_store_writer *writer, struct lya_error *err)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char holder[LOCK_TEXT];
	int fd = open_lock(s->dir, O_RDWR | O_CREAT), rc = LYA_OK;

	if (fd == -1)
		return lya_error_set(err, LYA_EOUTPUT, s->dir, "lock", "cannot be written: %s",
				     strerror(errno));
	if (fcntl(fd, F_OFD_SETLK, &whole) == -1) {
		read_holder(fd, holder);
		rc = errno == EAGAIN || errno == EACCES
			 ? lya_error_set(err, LYA_EUSAGE, s->dir, NULL,
					 "another instance uses this state directory (%s)",
					 holder[0] != '\0' ? holder : "it does not say which")
			 : lya_error_set(err, LYA_EOUTPUT, s->dir, "lock", "cannot be locked: %s",
					 strerror(errno));
	} else if (!write_holder(fd, writer)) {
		rc = lya_error_set(err, LYA_EOUTPUT, s->dir, "lock", "cannot be written: %s",
				   strerror(errno));
	}
	if (rc == LYA_OK)
		s->lock = fd;
	else
		(void)close(fd);
	return rc;
}

bool lya_store_is_locked(const struct lya_store *s)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = open_lock(s->dir, O_RDONLY);
	bool locked = false;

	if (fd == -1)
		return false;
	if (fcntl(fd, F_OFD_GETLK, &whole) == 0)
		locked = whole.l_type != F_UNLCK;
	(void)close(fd);
	return locked;
}
