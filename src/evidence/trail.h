/*
 * trail.h - what the files of a trail share.
 */
#ifndef LYNCAUDIT_EVIDENCE_TRAIL_H
#define LYNCAUDIT_EVIDENCE_TRAIL_H

#include "evidence/packets.h"
#include "evidence/ring.h"
#include "lyncaudit/hash.h"
#include "lyncaudit/policy.h"

/* live.c: flows that go on, and their packets ------------------------------------- */

struct live {
	struct lya_packets *packets;
	uint32_t record; /* the flow's */
	uint32_t next;   /* with the same hash, or among the free; 0: none */
	uint16_t group;
	uint8_t n, n_icmp; /* packets, and of them ICMP errors */
	bool asked;    /* whether it is clean was asked, and it was not */
	bool seeks_other; /* its client asked for a name of another host */
	uint16_t cut; /* periods that had ended when its last packet came */
	/*
	 * Of one that began in an earlier period: bytes of its packets from there, and up to the
	 * last one's end, and packets left out likewise; so many more of each side are wanted;
	 * how many came since.
	 */
	uint32_t opening, before, left_out_opening, left_out_before;
	uint8_t again[2], since;
	bool own_name; /* a certificate of its server names that host, */
	bool other_name; /* or another one of the site */
};

/*
 * Flows are grouped by who talks to whom.  When memory gets short, a group that has
 * many of the flows gets no more: a crowd of one kind must not shut the others out.
 */
enum { LIVE_GROUPS = 1024, LIVE_GROUP_FLOWS = 64 };

struct live_flows {
	struct live *list; /* [0] unused */
	uint32_t *chains;
	uint32_t cap, high, free;
	uint32_t n_chains; /* a power of two */
	uint32_t groups[LIVE_GROUPS];
	size_t bytes, max_bytes; /* of packets */
};

int live_init(struct live_flows *f, size_t max_bytes);
void live_fini(struct live_flows *f);
/* Memory beside that of packets. */
size_t live_table_bytes(const struct live_flows *f);
struct live *live_find(const struct live_flows *f, uint32_t record);
/* A new one; NULL: there is no room. */
struct live *live_begin(struct live_flows *f, uint32_t record, uint16_t group);
/* Forget it; its packets are the caller's. */
struct lya_packets *live_end(struct live_flows *f, struct live *l);
/* Add a packet; *added tells whether there was room.  LYA_OK or LYA_ENOMEM. */
int live_add(struct live_flows *f, struct live *l, const struct packet_head *head,
	     const uint8_t *data, bool *added);

/* clean.c: flows that no finding will show ------------------------------------------ */

/*
 * A flow whose payload is known, as it would end now: nothing that may still come
 * makes it part of a finding.  It may say no where the ledger will: what other flows
 * tell of it is not asked.
 */
bool trail_is_clean(const struct lya_policy *policy, struct lya_policy_memo *memo,
		    const struct lya_flow *flow, const struct live *l);

#endif
