/*
 * netlink.c - what the kernel says of an interface.
 *
 * Unlike /sys it is always about the network namespace that the socket belongs to, and
 * it needs no file to be opened.
 */
#include "capture/netlink.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ANSWER_MAX = 32768 };

/* A question: message, interface, and the attribute that names it. */
struct question {
	struct nlmsghdr header;
	struct ifinfomsg info;
	struct rtattr attr;
	char name[IFNAMSIZ];
};

static int fail(struct lya_error *err, const char *what)
{
	return lya_error_set(err, LYA_EIO, NULL, NULL, "the kernel's list of interfaces %s: %s", what,
			     strerror(errno));
}

int capture_netlink_open(int *fd, struct lya_error *err)
{
	*fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	return *fd != -1 ? LYA_OK : fail(err, "cannot be opened");
}

static int ask(int fd, const char *name)
{
	struct question q = {
		.header = { .nlmsg_len = sizeof(q), .nlmsg_type = RTM_GETLINK,
			    .nlmsg_flags = NLM_F_REQUEST },
		.attr = { .rta_len = RTA_LENGTH(IFNAMSIZ), .rta_type = IFLA_IFNAME },
	};

	(void)snprintf(q.name, sizeof(q.name), "%s", name);
	return send(fd, &q, sizeof(q), 0) == (ssize_t)sizeof(q) ? 0 : -1;
}

static void read_stats(const struct rtattr *attr, struct capture_link *link)
{
	struct rtnl_link_stats64 stats;

	memset(&stats, 0, sizeof(stats));
	memcpy(&stats, RTA_DATA(attr),
	       RTA_PAYLOAD(attr) < sizeof(stats) ? RTA_PAYLOAD(attr) : sizeof(stats));
	link->lost = stats.rx_missed_errors + stats.rx_fifo_errors;
	link->dropped = stats.rx_dropped;
}

static void read_attr(const struct rtattr *attr, struct capture_link *link)
{
	if (attr->rta_type == IFLA_STATS64)
		read_stats(attr, link);
	else if (attr->rta_type == IFLA_CARRIER && RTA_PAYLOAD(attr) >= 1)
		link->carrier = *(const uint8_t *)RTA_DATA(attr) != 0;
}

static void read_link(const struct nlmsghdr *h, struct capture_link *link)
{
	const struct ifinfomsg *info = NLMSG_DATA(h);
	const uint8_t *at = (const uint8_t *)info + NLMSG_ALIGN(sizeof(*info));
	size_t left = h->nlmsg_len - NLMSG_LENGTH(NLMSG_ALIGN(sizeof(*info)));

	link->exists = true;
	link->index = info->ifi_index;
	link->arphrd = info->ifi_type;
	link->up = (info->ifi_flags & IFF_UP) != 0;
	link->carrier = true; /* where nothing is said of one */
	while (left >= sizeof(struct rtattr)) {
		const struct rtattr *attr = (const void *)at;
		size_t step = RTA_ALIGN(attr->rta_len);

		if (attr->rta_len < sizeof(*attr) || attr->rta_len > left)
			break;
		read_attr(attr, link);
		if (step > left)
			break;
		at += step;
		left -= step;
	}
}

int capture_netlink_ask(int fd, const char *name, struct capture_link *link, struct lya_error *err)
{
	union {
		struct nlmsghdr header;
		char bytes[ANSWER_MAX];
	} answer;
	const struct nlmsgerr *error;
	ssize_t n;

	*link = (struct capture_link){ .exists = false };
	if (ask(fd, name) == -1)
		return fail(err, "cannot be asked");
	n = recv(fd, &answer, sizeof(answer), 0); /* the answer is there when the question is sent */
	if (n == -1)
		return fail(err, "does not answer");
	if (!NLMSG_OK(&answer.header, (size_t)n))
		return LYA_OK;
	if (answer.header.nlmsg_type == RTM_NEWLINK) {
		read_link(&answer.header, link);
		return LYA_OK;
	}
	error = NLMSG_DATA(&answer.header);
	errno = -error->error;
	return errno == ENODEV ? LYA_OK : fail(err, name);
}
