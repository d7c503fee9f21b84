/*
 * ring.h - the latest packets of some kind, found by source and number.
 *
 * A ring of bytes in which the oldest packets make room.  Each remembers the one
 * before it with the same hash, so that nothing has to be taken out: what is older
 * than the ring's beginning is gone, and so is all behind it.
 */
#ifndef LYNCAUDIT_EVIDENCE_RING_H
#define LYNCAUDIT_EVIDENCE_RING_H

#include "evidence/packets.h"

struct ring {
	uint8_t *data;
	uint64_t *chains; /* by hash: where the newest packet stands, plus one; 0: none */
	uint64_t begin, end; /* all bytes ever written; at pos % size */
	size_t size;
	size_t n_chains; /* a power of two */
};

int ring_init(struct ring *r, size_t size);
void ring_fini(struct ring *r);
/* Memory that a ring of that size takes. */
size_t ring_bytes(size_t size);
/* Add a packet; one that is larger than an eighth of the ring is passed over. */
void ring_add(struct ring *r, const struct packet_head *head, const uint8_t *data);
/* Borrowed until the next add; NULL: it was never there, or has made room. */
const struct packet_head *ring_find(const struct ring *r, uint32_t source, uint64_t number);

#endif
