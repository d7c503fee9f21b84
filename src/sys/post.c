/*
 * post.c - messages by a socket that keeps their bounds (unix(7), SOCK_SEQPACKET).
 */
#include "lyncaudit/post.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

struct head {
	uint32_t kind, number;
};

/* Room for one descriptor, aligned as the kernel wants it. */
union control {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(sizeof(int))];
};

enum { BUFFER = 1024 * 1024 }; /* several messages: the kernel grants what it allows */

int lya_post_pair(int fds[static 2], struct lya_error *err)
{
	int size = BUFFER;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == -1)
		return lya_error_set(err, LYA_EIO, NULL, NULL,
				     "processes cannot be connected: %s", strerror(errno));
	for (int i = 0; i < 2; i++)
		(void)setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return LYA_OK;
}

static void attach(struct msghdr *msg, union control *control, int fd)
{
	struct cmsghdr *c = &control->header;

	memset(control, 0, sizeof(*control));
	msg->msg_control = control;
	msg->msg_controllen = sizeof(*control);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
}

int lya_post_send(int fd, uint32_t kind, uint32_t number, const void *data, size_t len, int pass)
{
	struct head head = { kind, number };
	struct iovec parts[] = { { &head, sizeof(head) }, { (void *)(uintptr_t)data, len } };
	struct msghdr msg = { .msg_iov = parts, .msg_iovlen = len > 0 ? 2 : 1 };
	union control control;
	ssize_t n;

	if (len > LYA_POST_MAX)
		return LYA_ELIMIT;
	if (pass != -1)
		attach(&msg, &control, pass);
	do {
		n = sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (n == -1 && errno == EINTR);
	if (n != -1)
		return LYA_OK;
	return errno == EAGAIN || errno == EMSGSIZE || errno == ENOBUFS ? LYA_ELIMIT : LYA_EIO;
}

static int descriptor_of(const struct msghdr *msg)
{
	const struct cmsghdr *c = CMSG_FIRSTHDR(msg);
	int fd = -1;

	if (c != NULL && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

int lya_post_receive(int fd, struct lya_post *post)
{
	struct head head = { 0, 0 };
	struct iovec parts[] = { { &head, sizeof(head) }, { post->data, LYA_POST_MAX } };
	union control control;
	struct msghdr msg = { .msg_iov = parts, .msg_iovlen = 2, .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	ssize_t n;

	do {
		n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	} while (n == -1 && errno == EINTR);
	if (n == -1)
		return errno == EAGAIN ? 0 : LYA_EIO;
	post->fd = descriptor_of(&msg);
	if ((size_t)n < sizeof(head)) { /* the end, or nothing of ours */
		if (post->fd != -1)
			(void)close(post->fd);
		return LYA_EIO;
	}
	post->kind = head.kind;
	post->number = head.number;
	post->len = (size_t)n - sizeof(head);
	post->data[post->len] = '\0';
	return 1;
}
