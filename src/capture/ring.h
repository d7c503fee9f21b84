/*
 * ring.h - one packet socket and the memory that it shares with the kernel (packet(7),
 * TPACKET_V3).
 *
 * The kernel fills blocks with frames, one after another, and hands a block over when it
 * is full or has waited for CAPTURE_RING_TIMEOUT_MS; who has read it gives it back.
 *
 *	blocks   | given out | being read |  ready or being filled ...  |
 *	          held..at    at
 *
 * Frames are read where the kernel put them.  What was given out is held until it is
 * released, and then goes back to the kernel; while no block is the kernel's it
 * drops what comes, and counts it.
 *
 * Several rings of one interface share its frames as a group (PACKET_FANOUT): each frame
 * comes to one of them, by a hash of its addresses and ports that is the same in both
 * directions, or to any while that one is nearly full.
 *
 * libpcap would do the same, but opens the socket itself and hands a frame at a
 * time to a function, in whose return the frame is lost: every frame would have to be
 * copied before a batch of them can be decoded.
 */
#ifndef LYNCAUDIT_CAPTURE_RING_H
#define LYNCAUDIT_CAPTURE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lyncaudit/frame.h"
#include "lyncaudit/status.h"

enum {
	/* At least one frame of any size; small, so that many half empty ones fit in the ring. */
	CAPTURE_RING_BLOCK = 262144,
	/*
	 * How long a frame waits for others.  With 64 MiB a wire on which little happens
	 * can be left alone for 12 s before all blocks are handed over.
	 */
	CAPTURE_RING_TIMEOUT_MS = 50,
	/* 64 MiB hold 250 ms of the densest traffic that a processor's core can receive. */
	CAPTURE_RING_BYTES = 64 * 1024 * 1024
};

struct capture_ring {
	int fd; /* -1: none */
	uint8_t *map;
	unsigned n_blocks;
	unsigned at;             /* the block that is read, or waited for */
	unsigned held;           /* the first block whose frames were given out and are held */
	uint64_t done, released; /* blocks given out so far, and of them given back */
	const uint8_t *next;    /* header of the next frame of block `at` */
	uint32_t left;          /* frames of it not given out; 0: none is open */
	uint64_t tagged;        /* frames whose VLAN tag was put back */
	bool cooked;            /* frames begin behind their link header */
	uint16_t link;          /* of the frames given out */
};

/* Its socket has that number or more: what a confined process cannot write to (confine.h). */
enum { CAPTURE_RING_FD_MIN = 512 };

struct bpf_program;

struct capture_ring_options {
	const char *name; /* the interface, for messages */
	int arphrd;       /* its kind, ARPHRD_... */
	size_t bytes;     /* of the ring; 0: CAPTURE_RING_BYTES */
	const struct bpf_program *filter; /* what the kernel need not hand over; NULL: nothing */
	bool adapter_time; /* stamps of the network card (adapter.h) */
};

/* The link type of frames from an interface of that kind. */
uint16_t capture_ring_link(int arphrd);

/*
 * Errors name the interface.  LYA_EIO, LYA_ENOMEM.
 *
 * The socket, which listens to nothing yet and has no memory; this alone wants CAP_NET_RAW.
 */
int capture_ring_open(struct capture_ring *r, const struct capture_ring_options *options,
		      struct lya_error *err);
/* Its memory.  What came to its socket before is forgotten. */
int capture_ring_furnish(struct capture_ring *r, const struct capture_ring_options *options,
			 struct lya_error *err);
void capture_ring_close(struct capture_ring *r); /* fd -1 is fine */

/* Listen to the interface of that number; may be done again. */
int capture_ring_bind(struct capture_ring *r, int ifindex);

/*
 * Into a group with others that listen to the same interface, without memory so far.  *group:
 * 0 of the first, who makes one.  A ring of a group cannot listen to another interface any more.
 */
int capture_ring_join(struct capture_ring *r, const struct capture_ring_options *options,
		      unsigned *group, struct lya_error *err);

/* Give blocks back until so many in all (of `done`) are. */
void capture_ring_release(struct capture_ring *r, uint64_t blocks);

/*
 * The time of the next frame; false: there is none yet.  *fresh is set when a block
 * was opened for that.
 */
bool capture_ring_peek(struct capture_ring *r, int64_t *time_ns, bool *fresh);

/*
 * Up to max frames, borrowed until the next release; source, number, and the offset of
 * times are the caller's to fill.  Stops before the first frame that is not older
 * than until_ns.
 */
size_t capture_ring_take(struct capture_ring *r, struct lya_frame *frames, size_t max,
			 int64_t until_ns);

/* Frames that the kernel dropped for want of room since it was asked last. */
uint64_t capture_ring_dropped(struct capture_ring *r);
/* The interface went down or away since it was asked last. */
bool capture_ring_failed(struct capture_ring *r);

#endif
