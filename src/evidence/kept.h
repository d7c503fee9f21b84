/*
 * kept.h - packets of flows that have ended and may stand in the file.
 */
#ifndef LYNCAUDIT_EVIDENCE_KEPT_H
#define LYNCAUDIT_EVIDENCE_KEPT_H

#include <stdatomic.h>

#include "evidence/packets.h"

/* Named by its first packet: so findings name the flows that they show. */
struct kept {
	struct lya_packets *packets; /* at least one */
	uint64_t number;
	int64_t time_ns; /* by which it is named, too: see struct lya_packet_place */
	uint32_t source;
	bool marked; /* the ledger names it */
};

/* Memory for all sets of several threads. */
struct lya_evidence_room {
	atomic_size_t used;
	size_t max;
};

/* A ledger that names packets; its source i is map[i] here (UINT32_MAX: none). */
struct kept_names {
	const struct lya_ledger *ledger; /* NULL: it is not known what is named */
	const uint32_t *map;             /* NULL: the numbers are the same */
	size_t n_map;
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
	size_t bytes;
	struct lya_evidence_room *room; /* borrowed */
	size_t fresh; /* bytes that came since the last sweep */
};

void kept_init(struct kept_sets *k, struct lya_evidence_room *room);
void kept_fini(struct kept_sets *k);
/* The set that is named so, by our numbers of sources; NULL: none. */
struct kept *kept_find(const struct kept_sets *k, const struct lya_packet_place *place);
/* The same by those of a ledger. */
struct kept *kept_find_named(const struct kept_sets *k, const struct kept_names *names,
			     const struct lya_packet_place *place);
/*
 * Keep packets, which are taken in any case; of two sets with the same first packet
 * the larger one stays.  LYA_OK or LYA_ENOMEM.
 */
int kept_put(struct kept_sets *k, const struct kept_names *names,
	     const struct lya_packet_place *place, struct lya_packets *packets);
/* Keep what `from` holds, which is empty then. */
int kept_move(struct kept_sets *k, const struct kept_names *names, struct kept_sets *from);
/* Let go what is not named, where it has become much. */
int kept_tidy(struct kept_sets *k, const struct kept_names *names);

#endif
