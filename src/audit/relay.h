/*
 * relay.h - the stages of the pipeline in threads of their own.
 *
 *     caller:  decode, mark second sightings ---> blocks --->
 *     thread:  follow ---> events --->
 *     judge:   a thread, or whoever waits
 *
 * Two rings, each filled by one side and emptied by the other, in order: so what
 * is judged, and when, is the same as in one thread.  With two threads whoever has to wait
 * judges, and the caller when events pile up.
 */
#ifndef LYNCAUDIT_SRC_AUDIT_RELAY_H
#define LYNCAUDIT_SRC_AUDIT_RELAY_H

#include "audit/follow.h"

enum { AUDIT_BLOCK_BATCHES = 4, AUDIT_BLOCKS = LYA_AUDIT_HOLD };

/* Packets on their way from the decoder. */
struct audit_block {
	size_t n_batches;
	size_t n[AUDIT_BLOCK_BATCHES];
	struct lya_batch batch[AUDIT_BLOCK_BATCHES];
	struct lya_packet pkts[AUDIT_BLOCK_BATCHES][AUDIT_BATCH];
	struct lya_frame frames[AUDIT_BLOCK_BATCHES][AUDIT_BATCH]; /* that the packets borrow */
};

struct audit_relay;

int audit_relay_new(struct audit_relay **r, struct lya_error *err);
/* What follow is to tell. */
struct audit_sink audit_relay_sink(struct audit_relay *r);
/*
 * Begin, with two threads in all or three; what follow tells is judge's in the end, in the
 * same order.  follow and what judge is told are the threads' until audit_relay_finish, but
 * for the time between audit_relay_settle and the next block, and for the marking of second
 * sightings, which stays the caller's (lya_reasm_mark).
 */
int audit_relay_start(struct audit_relay *r, struct audit_follow *follow,
		      const struct audit_sink *judge, unsigned threads, struct lya_error *err);

/*
 * A block to fill, once one is free.  0, or why there is no use in going on: LYA_ENOMEM or
 * what a callback answered.
 */
int audit_relay_block(struct audit_relay *r, struct audit_block **block);
/* It is filled; the frames behind it stay where they are until it has been followed. */
void audit_relay_send(struct audit_relay *r);
/*
 * Wait until all that was sent is followed and judged: then nobody works, until a block is
 * asked for.  As above.
 */
int audit_relay_settle(struct audit_relay *r);
/* The same, and the threads end: what follow is made to tell from then on is judged at once. */
int audit_relay_end(struct audit_relay *r);
/* No more blocks: everything is followed, every flow ends and is judged.  As above. */
int audit_relay_finish(struct audit_relay *r);
/* End the threads, with whatever is under way; NULL is fine. */
void audit_relay_free(struct audit_relay *r);

#endif
