/*
 * snat.h - does a load balancer rewrite addresses in front of the A/V Edge?
 * Source: policy-model "SNAT on the A/V Edge", protocol-facts 3 and 4.
 *
 * The same transaction or connection is looked for on both sides of the
 * balancer: on the leg to a VIP and on the leg to a node behind it.  What is
 * found is counted per VIP and node, and noted at the flow that shows it, to
 * be fetched when that flow has ended.  So is what makes two flows one: a
 * request to the VIP that the node answers from its real address.
 *
 * Memory is bounded: what is known of a transaction, a connection or a flow
 * makes room for newer ones, and is counted when it was still of use.
 */
#ifndef LYNCAUDIT_SNAT_H
#define LYNCAUDIT_SNAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lyncaudit/app.h"
#include "lyncaudit/decode.h"
#include "lyncaudit/flow.h"
#include "lyncaudit/policy.h"
#include "lyncaudit/status.h"

/* Kinds of evidence, as bits; those that come first tell most. */
enum {
	LYA_SNAT_PAIRED_TRANSACTION = 1 << 0,
	LYA_SNAT_PAIRED_CONNECTION = 1 << 1,
	LYA_SNAT_MAPPED_ADDRESS = 1 << 2,
	LYA_SNAT_REPLY_FROM_VIP = 1 << 3,
	LYA_SNAT_REWRITTEN_SOURCE = 1 << 4,
	LYA_SNAT_STICKY_VIP = 1 << 5,
	LYA_SNAT_KINDS = 6
};

/* "paired-transaction", ... of the kind with that bit's number. */
const char *lya_snat_kind_name(unsigned number);

/* One sighting, told from the client to the server whichever way the packet went. */
struct lya_snat_leg {
	struct lya_addr client, server;
	uint16_t client_port, server_port;
	uint32_t source; /* of the packet */
	uint64_t packet; /* its number there */
	int64_t time_ns;
	uint8_t digits;
};

/* What legs are paired by. */
enum lya_snat_key { LYA_SNAT_BY_NOTHING, LYA_SNAT_BY_ID, LYA_SNAT_BY_ISN, LYA_SNAT_BY_RANDOM };

enum { LYA_SNAT_VALUE = 32 };

/* The proof of one kind of evidence. */
struct lya_snat_proof {
	uint8_t kind;      /* one bit; 0: none */
	uint8_t key;       /* enum lya_snat_key */
	uint8_t value_len; /* 16: transaction id; 4: initial sequence number; 32: ClientHello random */
	uint8_t n_legs;
	uint8_t value[LYA_SNAT_VALUE];
	struct lya_snat_leg legs[2];  /* the client's first */
	struct lya_stun_addr mapped;  /* LYA_SNAT_MAPPED_ADDRESS: whom the server saw */
};

/* What an Allocate answer gives that it must not (av-edge-relay), as bits. */
enum {
	LYA_RELAY_PORT = 1 << 0,     /* a relay port outside the documented range */
	LYA_RELAY_ADDRESS = 1 << 1,  /* a relay address that is private, or no A/V Edge's */
	LYA_RELAY_ALTERNATE = 1 << 2 /* an alternate server that is a VIP */
};

struct lya_snat_relay {
	uint8_t faults; /* bits LYA_RELAY_...; 0: none */
	struct lya_stun_addr relay, alternate;
	uint8_t id[16];
	struct lya_snat_leg leg;
};

/* What is known of a flow that has ended. */
struct lya_snat_evidence {
	uint16_t kinds; /* bits LYA_SNAT_... */
	bool proven;    /* false: observed */
	bool internal;  /* through the internal Edge VIP */
	bool relayed;   /* carries what a client sent to the VIP: no health probe */
	bool answered;  /* answered from another address than asked */
	bool allocated; /* such an answer granted an allocation */
	int8_t client_side; /* of a flow that holds such an answer; -1: none */
	bool media_port;    /* the VIP sends from a relay port */
	struct lya_snat_proof proof; /* of the kind that tells most, the earliest */
	struct lya_snat_relay relay;
};

/* Sums of one VIP and one node, or of all. */
struct lya_snat_sums {
	uint64_t transactions_preserved, transactions_rewritten;
	uint64_t connections_preserved, connections_rewritten;
};

struct lya_snat_stats {
	struct lya_snat_sums all; /* through external A/V VIPs */
	uint64_t unpaired; /* transactions and connections seen on the way to such a VIP alone */
	uint64_t dropped;  /* of anything: forgotten while it was still of use */
	size_t bytes;      /* memory held at most */
};

/* Who keeps the packets that prove rewriting; all is borrowed until the call returns. */
struct lya_snat_observer {
	/* A packet that a proof may come to name. */
	void (*sight)(void *ctx, const struct lya_packet *pkt);
	/* A packet that one names from now on: the one just sighted, or one before it. */
	void (*leg)(void *ctx, const struct lya_snat_leg *leg);
	void *ctx;
};

struct lya_snat_options {
	size_t max_bytes; /* 0: 16 MiB */
	struct lya_snat_observer observer; /* both functions, or none */
	/* The name of a source, for the places of `sensors`; may be NULL, and answer NULL. */
	const char *(*source_name)(void *ctx, uint32_t source);
	void *ctx;
};

struct lya_snat;

/*
 * policy must outlive it.  LYA_ELIMIT: the site has more pairs of an A/V VIP and a node than
 * half of max_bytes holds.
 */
int lya_snat_new(struct lya_snat **s, const struct lya_policy *policy,
		 const struct lya_snat_options *options, struct lya_error *err);
void lya_snat_free(struct lya_snat *s);

enum { LYA_SNAT_BATCH = 64 };

/*
 * Take up to LYA_SNAT_BATCH packets in order of time.  Whole datagrams with the
 * shape of a STUN message and SYNs, to or from an A/V Edge node or VIP, are
 * looked at, and filled; all others, and duplicates, are passed over.
 */
void lya_snat_packets(struct lya_snat *s, struct lya_packet *pkts, size_t n);
/* A STUN message and a ClientHello in a TCP stream; pkt is the segment that completed it. */
void lya_snat_stun(struct lya_snat *s, const struct lya_packet *pkt, const struct lya_stun *msg);
void lya_snat_hello(struct lya_snat *s, const struct lya_packet *pkt,
		    const struct lya_tls_hello *hello);

/*
 * What other legs have told until now of a flow that has ended; NULL: nothing.
 * Borrowed until the next packet.
 */
const struct lya_snat_evidence *lya_snat_found(const struct lya_snat *s,
					       const struct lya_flow *flow);
/*
 * What was found (or NULL), and with it what the flow itself shows; false: nothing is
 * known.  *out is set where an end is an A/V Edge node or VIP.  Reads of s only what never
 * changes: packets may be taken meanwhile.
 */
bool lya_snat_flow(const struct lya_snat *s, const struct lya_flow *flow,
		   const struct lya_policy_end ends[static 2],
		   const struct lya_snat_evidence *found, struct lya_snat_evidence *out);
/*
 * Before it is judged: tell the flow what its other leg shows (that it was
 * answered, who the client is, that it is no probe).
 */
void lya_snat_join(const struct lya_snat_evidence *evidence, struct lya_flow *flow);
/* The rules do not forbid rewriting: what shows it shows no fault. */
void lya_snat_forgive(struct lya_snat_evidence *evidence);
/*
 * After it was judged: join the evidence and the verdict.  The verdict then
 * borrows *evidence; av-edge-snat takes the place of its plain finding.
 */
void lya_snat_judge(struct lya_snat_evidence *evidence, const struct lya_flow *flow,
		    struct lya_verdict *verdict);

/*
 * Put `from` beside `to`: all kinds, and the proof that tells most.  True when that
 * is `from` from now on.
 */
bool lya_snat_merge_proof(struct lya_snat_proof *to, const struct lya_snat_proof *from);
bool lya_snat_merge_relay(struct lya_snat_relay *to, const struct lya_snat_relay *from);

/*
 * Without end: sums and counts are those since a period began.  lya_snat_end counts as
 * unpaired what no other leg can come for any more, once; lya_snat_begin then sets all to
 * zero.  lya_snat_waiting: what lya_snat_finish would count, now.
 */
void lya_snat_end(struct lya_snat *s);
void lya_snat_begin(struct lya_snat *s);
uint64_t lya_snat_waiting(const struct lya_snat *s);
/* A pair of an external VIP and a node with its sums. */
struct lya_snat_pair {
	struct lya_addr vip, node;
	struct lya_snat_sums sums;
};
/* The pairs that have counted anything, by address; freed with lya_free.  LYA_ENOMEM or 0. */
int lya_snat_pairs(const struct lya_snat *s, struct lya_snat_pair **list, size_t *n);
/* Of flows that are still open `from` knows something: it is known to s from now on. */
void lya_snat_adopt(struct lya_snat *s, struct lya_snat *from);

/* No more packets: count what is left unpaired. */
void lya_snat_finish(struct lya_snat *s);
void lya_snat_stats(const struct lya_snat *s, struct lya_snat_stats *out);
/* The sums of an external A/V VIP and a node behind it; zeroes for others. */
void lya_snat_pair(const struct lya_snat *s, const struct lya_addr *vip,
		   const struct lya_addr *node, struct lya_snat_sums *out);

#endif
