/*
 * evidence.h - the packets that prove findings, kept from packets that come once.
 *
 *     packets ---> trail: the first ones of every flow that goes on, and those
 *                    |    that a proof of rewriting may name
 *                    |  a flow ends: its packets are handed over
 *                    v
 *     ledger --> evidence: those of the flows that findings show
 *                    |  all is over
 *                    v
 *                 a pcapng file, each packet commented with what it proves
 *
 * Which flows a finding shows is known when the last one has ended.  So what may
 * yet matter is kept while it may: a flow that is seen to be clean is let go
 * early, one that has ended when no finding shows it.  Both sides are bounded;
 * what does not fit is counted, per finding.  Nothing depends on clocks, hashes or
 * how many packets come at a time: the same packets leave the same file.
 *
 * The trail goes with the packets, the evidence with the ledger: they may be in
 * different threads.
 *
 * An audit without end hands its evidence over in parts, as it does its ledger; those that
 * join them know packets by what findings name, and have their memory in common.
 */
#ifndef LYNCAUDIT_EVIDENCE_H
#define LYNCAUDIT_EVIDENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lyncaudit/capture.h"
#include "lyncaudit/finding.h"
#include "lyncaudit/flow.h"
#include "lyncaudit/output.h"
#include "lyncaudit/snat.h"
#include "lyncaudit/status.h"

enum {
	/* Of a flow's packets: so many of the first ones are looked at, */
	LYA_TRAIL_EARLY = 32,
	/* and so many kept: an opening, a handshake without the bare ACKs, what follows. */
	LYA_TRAIL_PACKETS = 16,
	/* Besides these: the first two of each side, the one that told what is spoken, */
	LYA_TRAIL_SIDE = 2,
	/* and ICMP errors that answer it. */
	LYA_TRAIL_ICMP = 2,
	/* Bytes of packets that a flow may hold, whatever it is: a handshake with its certificates. */
	LYA_TRAIL_BYTES = 65536
};

/* Stored packets, in the order in which they were added.  Opaque; owned by one side at a time. */
struct lya_packets;
void lya_packets_free(struct lya_packets *p); /* NULL is fine */

/* What a trail hands over of a flow; either may be NULL. */
struct lya_trail_flow {
	struct lya_packets *first; /* of the flow */
	struct lya_packets *legs;  /* that its proof of rewriting names, wherever they were seen */
};

/* A copy; with at_cut, of what came before the last period's end.  LYA_OK or LYA_ENOMEM. */
int lya_trail_flow_dup(const struct lya_trail_flow *f, bool at_cut, struct lya_trail_flow *out);
/* Let go what came before the last period's end, but for the flow's opening. */
void lya_trail_flow_go_on(struct lya_trail_flow *f);
void lya_trail_flow_fini(struct lya_trail_flow *f);

/* The trail: it follows packets ----------------------------------------------------- */

struct lya_trail;

/* policy must outlive it. */
int lya_trail_new(struct lya_trail **t, const struct lya_policy *policy, size_t max_bytes,
		  struct lya_error *err);
void lya_trail_free(struct lya_trail *t);

/* A fragment that may be held back, and be told of later without its frame. */
void lya_trail_fragment(struct lya_trail *t, const struct lya_packet *pkt);
/* The observer of address rewriting: packets that proofs may name, and that they name. */
void lya_trail_sight(struct lya_trail *t, const struct lya_packet *pkt);
void lya_trail_leg(struct lya_trail *t, const struct lya_snat_leg *leg);
/* A packet of a flow of that table, from its on_packet: what that is to answer. */
int lya_trail_packet(struct lya_trail *t, struct lya_flow_table *flows,
		     const struct lya_flow_sight *sight);
/* What a payload says on its way. */
void lya_trail_detail(struct lya_trail *t, const struct lya_flow_detail *detail);
/*
 * A flow has ended; found: what its other leg showed, or NULL.  *out is the
 * caller's.  LYA_OK or LYA_ENOMEM.
 */
int lya_trail_end(struct lya_trail *t, const struct lya_flow *flow,
		  const struct lya_snat_evidence *found, struct lya_trail_flow *out);

/*
 * A period ends.  Of flows that go on, the first two packets of each side in the next one are
 * kept, too, beside those of their opening.
 */
void lya_trail_cut(struct lya_trail *t);
/*
 * What is kept of a flow that goes on; with at_cut, up to the last period's end, and of what
 * is kept beside the opening what came before then is let go (out may be NULL: nothing
 * else).  *out is the caller's.  LYA_OK or LYA_ENOMEM.
 */
int lya_trail_copy(struct lya_trail *t, const struct lya_flow *flow,
		   const struct lya_snat_evidence *found, bool at_cut, struct lya_trail_flow *out);
/* Go on with another policy, and a memo for it, which is taken over. */
void lya_trail_rebase(struct lya_trail *t, const struct lya_policy *policy,
		      struct lya_policy_memo *memo);

struct lya_trail_stats {
	uint64_t flows;   /* of which packets were kept, for however long */
	uint64_t cleared; /* of them, those let go before they ended */
	uint64_t refused; /* flows of which nothing was kept: there was no room */
	size_t kept_bytes;        /* of packets, now */
	size_t bytes, bytes_peak; /* of all memory */
};
void lya_trail_stats(const struct lya_trail *t, struct lya_trail_stats *out);

/* The evidence: it follows the ledger ------------------------------------------------ */

struct lya_evidence;

/* Memory for several of them, in any threads; to be freed after all of them.  NULL: no memory. */
struct lya_evidence_room;
struct lya_evidence_room *lya_evidence_room_new(size_t max_bytes);
void lya_evidence_room_free(struct lya_evidence_room *room);

int lya_evidence_new(struct lya_evidence **e, size_t max_bytes, struct lya_error *err);
/* room is borrowed. */
int lya_evidence_new_in(struct lya_evidence **e, struct lya_evidence_room *room,
			struct lya_error *err);
void lya_evidence_free(struct lya_evidence *e);
struct lya_evidence_room *lya_evidence_room_of(const struct lya_evidence *e);

/*
 * A flow was judged and taken by the ledger; its packets are taken in any case.
 * concerned: a finding may show it (lya_finding_concerns).  LYA_OK or LYA_ENOMEM.
 */
int lya_evidence_take(struct lya_evidence *e, const struct lya_ledger *ledger,
		      const struct lya_flow *flow, bool concerned, struct lya_trail_flow packets);

/*
 * What the capture tells of its sources, copied: from then on a ledger's sources are known by
 * their names, whatever their numbers.
 */
int lya_evidence_tell(struct lya_evidence *e, const struct lya_source *sources, size_t n,
		      struct lya_error *err);
/*
 * Add what `from` holds and knows, which is empty then.  ledger, with its sources, tells what
 * is named; NULL: nothing is let go to make room.
 */
int lya_evidence_merge(struct lya_evidence *e, struct lya_evidence *from,
		       const struct lya_ledger *ledger, const struct lya_source *sources,
		       size_t n_sources, struct lya_error *err);

/* What a file is to be of. */
struct lya_evidence_about {
	const struct lya_ledger *ledger; /* finished */
	const struct lya_source *sources;
	size_t n_sources;
	const char *period; /* of a service: "2026-11-21"; NULL: it is an audit's */
	int64_t since_ns;   /* what came before was another process's; LYA_TIME_NONE: nothing did */
	bool reloaded;      /* packets may have been let go that only later rules ask for */
};

/*
 * Write the packets of a finished ledger's findings, in order of time.  counts (one
 * for each finding, may be NULL) tells what each of them has, total all together (a
 * packet of two findings once).  LYA_OK or LYA_ENOMEM; write errors stay with out.
 */
int lya_evidence_write(const struct lya_evidence *e, const struct lya_evidence_about *about,
		       struct lya_output *out, struct lya_finding_packets *counts,
		       struct lya_finding_packets *total, struct lya_error *err);

#endif
