/*
 * follow.h - a folder into which another program writes captures, file after file.
 *
 * Files are read in the order in which they were written last.  The newest grows: at its end
 * there is nothing just now, until it has more or another file is newer.
 */
#ifndef LYNCAUDIT_CAPTURE_FOLLOW_H
#define LYNCAUDIT_CAPTURE_FOLLOW_H

#include <sys/types.h>

#include "capture/state.h"

enum { CAPTURE_FOLLOW_LOOK_MS = 250 };

/* A file of the folder.  One that is written anew has another time or size. */
struct capture_followed {
	char *name; /* with the folder */
	dev_t dev;
	ino_t ino;
	int64_t written_ns;
	off_t size;
	bool done;  /* read to its end, or nothing to read */
	bool there; /* at the last look */
};

struct capture_follow {
	char *dir;
	struct capture_followed *list;
	size_t n, cap;
	struct capture_reader *reader; /* NULL: no file is open */
	struct capture_followed open;  /* the one that is: name owned */
	/*
	 * Interfaces of the open file, and the numbers that they have in the ring, where those
	 * that are told alike are one.
	 */
	struct lya_interfaces told;
	uint16_t map[LYA_SOURCE_INTERFACES_MAX];
	size_t n_map;
	bool moved;                    /* not all have the same numbers */
	uint64_t number;               /* frames so far, of all files */
	int64_t from_ns;               /* frames up to that time were read by a process before */
	bool resumed;                  /* there were such frames */
	int64_t last_ns;               /* of the last frame; LYA_TIME_NONE: none yet */
	int64_t looked_ns;             /* CLOCK_MONOTONIC */
	void (*on_event)(void *ctx, const struct lya_capture_event *event);
	void *ctx;
};

int capture_follow_begin(struct lya_capture *c, const struct lya_capture_follow_options *options,
			 struct lya_error *err);
void capture_follow_free(struct lya_capture *c); /* of one that follows nothing, too */
int capture_follow_next(struct lya_capture *c, struct lya_frame *frames, size_t max, size_t *n,
			struct lya_error *err);

#endif
