/*
 * kept.h - packets of flows that have ended and may stand in the file.
 */
#ifndef LYNCAUDIT_EVIDENCE_KEPT_H
#define LYNCAUDIT_EVIDENCE_KEPT_H

#include "evidence/packets.h"

/* Named by its first packet: so findings name the flows that they show. */
struct kept {
	struct lya_packets *packets; /* at least one */
	uint64_t number;
	uint32_t source;
	bool marked; /* the ledger names it */
};

/*
 * What no finding names any more is swept out when it has become much.  Bounded:
 * what then still finds no room is not kept.
 */
struct kept_sets {
	struct kept *list;
	size_t n, cap;
	uint32_t *slots; /* number in list, plus one; 0: free */
	size_t n_slots;  /* a power of two, more than twice n; 0: none yet */
	size_t bytes, max_bytes;
	size_t fresh; /* bytes that came since the last sweep */
};

void kept_init(struct kept_sets *k, size_t max_bytes);
void kept_fini(struct kept_sets *k);
/* The set that begins with that packet; NULL: none. */
struct kept *kept_find(const struct kept_sets *k, uint32_t source, uint64_t number);
/*
 * Keep packets, which are taken in any case; of two sets with the same first packet
 * the larger one stays.  ledger tells what is named.  LYA_OK or LYA_ENOMEM.
 */
int kept_put(struct kept_sets *k, const struct lya_ledger *ledger, uint32_t source,
	     uint64_t number, struct lya_packets *packets);

#endif
