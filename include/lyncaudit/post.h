/*
 * post.h - messages between the processes of a service.
 *
 * A message has a kind, a number, some bytes, and may bring a descriptor along.  It comes
 * whole or not at all, in order; who sends never waits.
 */
#ifndef LYNCAUDIT_POST_H
#define LYNCAUDIT_POST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lyncaudit/status.h"

enum { LYA_POST_MAX = 128 * 1024 }; /* bytes of one message */

struct lya_post {
	uint32_t kind;
	uint32_t number;
	size_t len;
	int fd; /* that came along, the receiver's to close; -1: none */
	char data[LYA_POST_MAX + 1]; /* NUL behind the bytes */
};

/* Two ends; what is written to one is read from the other. */
int lya_post_pair(int fds[static 2], struct lya_error *err);

/* 0; LYA_ELIMIT: there is no room now, or it is too long; LYA_EIO: nobody is there. */
int lya_post_send(int fd, uint32_t kind, uint32_t number, const void *data, size_t len, int pass);
/* 1: a message; 0: there is none now; LYA_EIO: the other end is closed. */
int lya_post_receive(int fd, struct lya_post *post);

#endif
