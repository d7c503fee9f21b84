/*
 * validity.h - what the files of validity share.
 */
#ifndef LYNCAUDIT_VALIDITY_VALIDITY_H
#define LYNCAUDIT_VALIDITY_VALIDITY_H

#include <stdbool.h>

#include "lyncaudit/validity.h"

/*
 * Silence in traffic that is steady, that is, had packets in nearly every
 * second of a minute before and a minute after.  Quiet networks have pauses of
 * all lengths, and nobody can tell those from an outage.
 */
struct steadiness {
	bool started;
	int64_t second_ns;   /* begin of the second under way */
	uint64_t active;     /* a bit for each of the last 64 seconds but for silences pending */
	uint64_t pending_ns; /* silences that wait for what comes after */
	uint32_t pending;
	uint32_t since; /* seconds since the last of them */
};

/* What is known of one source. */
struct source_state {
	struct lya_source_measures measures;
	uint64_t flows, one_sided; /* TCP */
	uint64_t next_check;       /* number of the packet whose checksum is looked at next */
	int64_t last_ns;           /* of its packet before; once steady.started */
	struct steadiness steady;
};

struct lya_validity {
	struct source_state *sources;
	size_t n, cap;
	struct steadiness all; /* the sources together: a ring of files has its gaps between them */
	int64_t all_last_ns;
};

/* Have at least n sources.  LYA_ENOMEM or 0. */
int validity_reach(struct lya_validity *v, size_t n);

/* What a transport checksum is. */
enum checksum {
	CHECKSUM_NONE, /* there is none, or it cannot be computed from this packet */
	CHECKSUM_RIGHT,
	CHECKSUM_WRONG,
	CHECKSUM_UNFINISHED /* the network card was to fill it in: captured on the sending host */
};

enum checksum validity_checksum(const struct lya_packet *pkt);

#endif
