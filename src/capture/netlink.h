/*
 * netlink.h - what the kernel says of an interface (rtnetlink(7)).
 */
#ifndef LYNCAUDIT_CAPTURE_NETLINK_H
#define LYNCAUDIT_CAPTURE_NETLINK_H

#include <stdbool.h>
#include <stdint.h>

#include "lyncaudit/status.h"

struct capture_link {
	bool exists;
	int index;
	int arphrd;     /* ARPHRD_... */
	bool up;        /* switched on */
	bool carrier;   /* something is at the other end of the wire */
	uint64_t lost;    /* frames for which the card had no room */
	uint64_t dropped; /* those for which the kernel had none, or no use (absence.c) */
};

/* A socket to ask by; wants no capability. */
int capture_netlink_open(int *fd, struct lya_error *err);
/* Ask for the interface of that name.  LYA_EIO or 0; an interface that is not there is no failure. */
int capture_netlink_ask(int fd, const char *name, struct capture_link *link,
			struct lya_error *err);

#endif
