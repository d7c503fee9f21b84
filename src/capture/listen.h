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

/*
 * An interface is listened to through one ring, or through a group of them, which cannot
 * follow it when it is made anew: then others do (group.c).
 */
enum capture_queue_state {
	CAPTURE_QUEUE_SPARE, /* a place where nothing comes */
	CAPTURE_QUEUE_HEARS,
	CAPTURE_QUEUE_OVER /* nothing comes any more; closed once it is read */
};

/* Calls that are told apart: a power of two, so that their number may wrap. */
enum { CAPTURE_QUEUE_CALLS = LYA_CAPTURE_HOLD_MAX + 1 };

struct capture_queue {
	struct capture_ring ring;
	enum capture_queue_state state;
	size_t of;        /* the interface */
	bool has;         /* a frame: */
	int64_t next_ns;  /* its time, by the source's clock */
	int64_t ready_ns; /* CLOCK_MONOTONIC: when it was first seen */
	uint64_t done_at[CAPTURE_QUEUE_CALLS]; /* ring.done at the end of the calls before */
};

struct capture_interface {
	char name[IFNAMSIZ];
	uint32_t source;
	size_t first, n;   /* of its queues, which are places for */
	size_t rings;      /* so many that share its frames */
	bool alone;        /* it has one ring, for good */
	struct capture_ring_options as;
	struct capture_ring *stock; /* sockets for when it is made anew */
	size_t n_stock;
	int index;         /* the kernel's number; another one once it was made anew */
	uint64_t number;   /* frames so far */
	uint64_t lost;     /* what the interface itself had lost when it was asked last, */
	uint64_t dropped;  /* what the kernel had dropped of it, */
	uint64_t suspect;  /* and of that, since the tick before */
	bool tagged;       /* frames with a VLAN tag were seen */
	struct capture_spell gap, full, missed;
};

struct capture_listen {
	struct capture_interface *list;
	size_t n;
	struct capture_queue *queues;
	size_t n_queues;
	unsigned hold; /* calls for which more what was given stays */
	uint64_t call; /* the one under way, counted from 1 */
	int netlink;       /* descriptor; -1: none */
	int64_t ticked_ns, before_ns; /* the last tick, the one before; LYA_TIME_NONE: none yet */
	int64_t wake_ns;   /* CLOCK_MONOTONIC: when frames that are held back are due; 0: none are */
	bool last;         /* it ends: none is held back */
	void (*on_event)(void *ctx, const struct lya_capture_event *event);
	void *ctx;
};

/* group.c */

/* Queues of an interface with so many rings. */
size_t capture_group_places(unsigned rings);
/*
 * Listen to it, as one of n_interfaces: its name, index, rings and `as` are there.  filter: an
 * expression that the kernel may apply (capture_filter_kernel); what it hands over is asked
 * again.  NULL: none.
 */
int capture_group_begin(struct capture_listen *l, struct capture_interface *i, const char *filter,
			size_t n_interfaces, struct lya_error *err);
/* Its stock is closed. */
void capture_group_end(struct capture_interface *i);
/* Rings that are over, and have been read to their end, are closed. */
void capture_group_tidy(struct capture_listen *l, const struct capture_interface *i);
/* It was made anew: listen to that one.  False: it cannot be just now. */
bool capture_group_follow(struct capture_listen *l, struct capture_interface *i, int ifindex);

/* listen.c */
int capture_listen_begin(struct lya_capture *c, const struct lya_capture_listen_options *options,
			 struct lya_error *err);
void capture_listen_free(struct capture_listen *l); /* NULL is fine */
int capture_listen_next(struct lya_capture *c, struct lya_frame *frames, size_t max, size_t *n,
			struct lya_error *err);

#endif
