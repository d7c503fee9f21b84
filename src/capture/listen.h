/*
 * listen.h - interfaces instead of files: their rings, and what is missing.
 */
#ifndef LYNCAUDIT_CAPTURE_LISTEN_H
#define LYNCAUDIT_CAPTURE_LISTEN_H

#include <net/if.h>

#include "capture/ring.h"
#include "capture/state.h"

/* A time in which something is missing. */
struct capture_spell {
	const char *what; /* NULL: there is none */
	int64_t from_ns;  /* of what was not told yet */
	uint64_t count;
};

struct capture_interface {
	struct capture_ring ring;
	char name[IFNAMSIZ];
	uint32_t source;
	int index;         /* the kernel's number; another one once it was made anew */
	uint64_t number;   /* frames so far */
	uint64_t lost;     /* what the interface itself had lost when it was asked last */
	int64_t ready_ns;  /* CLOCK_MONOTONIC: when its next frame was first seen */
	struct capture_spell gap, full, missed;
};

struct capture_listen {
	struct capture_interface *list;
	size_t n;
	int netlink;       /* descriptor; -1: none */
	int64_t ticked_ns; /* time of the last tick; LYA_TIME_NONE: there was none */
	int64_t wake_ns;   /* CLOCK_MONOTONIC: when frames that are held back are due; 0: none are */
	void (*on_event)(void *ctx, const struct lya_capture_event *event);
	void *ctx;
};

/* listen.c */
int capture_listen_begin(struct lya_capture *c, const struct lya_capture_listen_options *options,
			 struct lya_error *err);
void capture_listen_free(struct capture_listen *l); /* NULL is fine */
int capture_listen_next(struct lya_capture *c, struct lya_frame *frames, size_t max, size_t *n,
			struct lya_error *err);

#endif
