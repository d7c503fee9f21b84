/*
 * notify.c - the protocol of sd_notify(3): a datagram of lines to a local socket.
 */
#include "lyncaudit/process.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lyncaudit/timeutil.h"

enum { US_NS = 1000 };

static int connect_to(const char *path, struct lya_error *err)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t len = strlen(path);
	int fd;

	if ((path[0] != '/' && path[0] != '@') || len >= sizeof(to.sun_path))
		return lya_error_set(err, LYA_EUSAGE, "NOTIFY_SOCKET", NULL,
				     "wanted the path of a local socket, found \"%s\"", path);
	memcpy(to.sun_path, path, len);
	if (path[0] == '@')
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd != -1 && connect(fd, (const struct sockaddr *)&to,
				(socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) == 0)
		return fd;
	(void)lya_error_set(err, LYA_EIO, path, NULL, "the service manager cannot be reached: %s",
			    strerror(errno));
	if (fd != -1)
		(void)close(fd);
	return LYA_EIO;
}

/* The variable's number is for the process that WATCHDOG_PID names, or for any. */
static int64_t watchdog_ns(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	long long n;

	if (usec == NULL || (pid != NULL && strtoll(pid, NULL, 10) != getpid()))
		return 0;
	n = strtoll(usec, NULL, 10);
	return n > 0 && n < INT64_MAX / US_NS ? n * US_NS : 0;
}

int lya_notify_open(struct lya_notify *n, struct lya_error *err)
{
	const char *path = getenv("NOTIFY_SOCKET");

	*n = (struct lya_notify){ .fd = -1, .watchdog_ns = watchdog_ns() };
	if (path != NULL && path[0] != '\0') {
		n->fd = connect_to(path, err);
		if (n->fd < 0) {
			int rc = n->fd;

			n->fd = -1;
			return rc;
		}
	}
	(void)unsetenv("NOTIFY_SOCKET");
	(void)unsetenv("WATCHDOG_USEC");
	(void)unsetenv("WATCHDOG_PID");
	return LYA_OK;
}

void lya_notify_close(struct lya_notify *n)
{
	if (n->fd != -1)
		(void)close(n->fd);
	n->fd = -1;
}

void lya_notify_send(const struct lya_notify *n, const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	int len;

	if (n->fd == -1)
		return;
	va_start(ap, fmt);
	len = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (len > 0)
		(void)send(n->fd, text, (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1,
			   MSG_NOSIGNAL | MSG_DONTWAIT);
}
