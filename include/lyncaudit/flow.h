/*
 * flow.h - follow TCP and UDP conversations.
 *
 * Packets go in, in batches; a struct lya_flow comes out when a conversation
 * has ended (closed and forgotten, idle for its timeout by packet time,
 * evicted at the limit, or flushed).  The table knows no roles and no rules:
 * it records what was seen of who began, and leaves the judgement to others.
 */
#ifndef LYNCAUDIT_FLOW_H
#define LYNCAUDIT_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lyncaudit/app.h"
#include "lyncaudit/decode.h"
#include "lyncaudit/status.h"

/* TCP state at the end; UDP flows have LYA_STATE_NONE. */
enum lya_flow_state {
	LYA_STATE_NONE,
	LYA_STATE_ATTEMPTED,   /* SYN only */
	LYA_STATE_REFUSED,     /* RST to a SYN */
	LYA_STATE_ESTABLISHED,
	LYA_STATE_CLOSED,      /* FIN from both sides */
	LYA_STATE_RESET,
	LYA_STATE_MIDSTREAM    /* neither SYN nor SYN-ACK was seen */
};

const char *lya_flow_state_name(enum lya_flow_state state); /* "attempted"; "none" for UDP */

/* Why a flow's ends or ports could not be known. */
enum lya_flow_unknown {
	LYA_UNKNOWN_NOT,      /* they are known */
	LYA_UNKNOWN_FRAGMENT, /* fragments whose head was not seen */
	LYA_UNKNOWN_CUT       /* header cut by the snap length */
};

/* Packets and IP bytes of both sides together. */
struct lya_flow_sum {
	uint64_t packets, bytes;
};

/* What was counted of a flow when; see lya_flow_table_cut. */
struct lya_flow_marks {
	struct lya_flow_sum cut, earlier; /* at the last cut, and at the one before; 0: began later */
	struct lya_flow_sum told;         /* when it was visited last */
	int64_t cut_ns, earlier_ns;       /* where these cuts were */
	int64_t cut_last_ns;              /* its last packet before the last cut */
	uint32_t place;                   /* in the order of visits */
};

/*
 * One conversation.  Side 0 is the lower endpoint (address, then port);
 * arrays of two are indexed by side, counters by the side that sent.
 */
struct lya_flow {
	struct lya_addr addr[2];
	uint16_t port[2];       /* 0 when unknown != LYA_UNKNOWN_NOT */
	uint8_t transport;      /* 6 or 17 */
	uint8_t state;          /* enum lya_flow_state */
	uint8_t unknown;        /* enum lya_flow_unknown */
	uint8_t vlan_split;     /* another conversation with the same ends has other VLANs */
	int8_t first_side;      /* side that sent the first packet seen */
	int8_t syn_side;        /* side that sent a SYN without ACK; -1: none seen */
	int8_t synack_side;     /* side that sent a SYN-ACK; -1: none seen */
	bool synack_continued;  /* the other side went on after the SYN-ACK */
	bool answered;          /* UDP: both sides sent; TCP: SYN-ACK or data or RST came back */
	bool acked;             /* TCP: somebody has acknowledged something, or a reset came */
	bool group_dst;         /* UDP to a group: a frame had its MAC, and nobody answered */
	bool icmp_error;        /* an ICMP error answered it */
	bool relayed;           /* left false: for who finds that it carries on a client's request */
	uint8_t icmp_type, icmp_code;
	uint64_t packets[2], bytes[2];    /* bytes: IP bytes */
	uint64_t payload_bytes[2];
	/*
	 * Where periods are told apart: what of it counts in others, before and after, and the
	 * bounds of what is left (see lya_flow_share).  Zeroes: all of it counts.
	 */
	struct lya_flow_sum before, after;
	int64_t since_ns, until_ns; /* set where before, after are not zero */
	uint64_t measured_before;   /* of payload_bytes: counted beside other lost_bytes */
	const struct lya_flow_marks *marks; /* with `shares`; borrowed with the flow */
	bool measured;          /* TCP, both sides seen, and followed for lost_bytes */
	uint32_t lost_bytes[2]; /* of each sender: acknowledged by the other, and not seen */
	int64_t first_ns, last_ns;
	uint32_t source;        /* of the first packet */
	uint64_t number;        /* packet number of the first packet in that source */
	uint8_t digits;         /* decimals of that source's clock */
	struct lya_path path;   /* of the first packet */
	uint8_t mac[2][6];      /* source MAC of the first packet of each side; zero: none */
	uint8_t to_mac[2][6];   /* likewise, its destination */
	struct lya_app_result app; /* prefix: of known protocols alone, while there is room */
	uint64_t serial;        /* 1, 2, ... in order of the flows' first packets */
	uint32_t record;        /* a number that it alone had while it went on */
};

/* What counts of a flow, and when that was. */
static inline struct lya_flow_sum lya_flow_share(const struct lya_flow *f)
{
	return (struct lya_flow_sum){
		f->packets[0] + f->packets[1] - f->before.packets - f->after.packets,
		f->bytes[0] + f->bytes[1] - f->before.bytes - f->after.bytes
	};
}

static inline int64_t lya_flow_first_ns(const struct lya_flow *f)
{
	return f->before.packets != 0 ? f->since_ns : f->first_ns;
}

static inline int64_t lya_flow_last_ns(const struct lya_flow *f)
{
	return f->after.packets != 0 ? f->until_ns : f->last_ns;
}

/* What a payload says on its way, while the flow goes on; borrowed until the call returns. */
enum lya_flow_detail_kind {
	LYA_DETAIL_RPC_PORT, /* the endpoint mapper named a port of its host */
	LYA_DETAIL_CERT_NAME, /* one name of the certificate that this side shows */
	LYA_DETAIL_SNI        /* the name of the host that this side asks the other for */
};

struct lya_flow_detail {
	enum lya_flow_detail_kind kind;
	uint64_t serial;       /* the flow's */
	uint32_t record;       /* likewise */
	int64_t time_ns;       /* of the packet that told it */
	struct lya_addr addr;  /* the side that says it */
	struct lya_addr peer;  /* the other one */
	uint16_t port;         /* of the side that says it */
	bool client;           /* that side is the client */
	uint16_t rpc_port;     /* LYA_DETAIL_RPC_PORT */
	/* LYA_DETAIL_CERT_NAME, all names of one certificate in a row, and LYA_DETAIL_SNI */
	const char *name;
};

/* Who wants details of TCP payload as they come; functions may be NULL, all is borrowed. */
struct lya_flow_observer {
	void *ctx;
	/* pkt is the segment that completed the message; it went as the message did. */
	void (*on_stun)(void *ctx, const struct lya_packet *pkt, const struct lya_stun *msg);
	void (*on_client_hello)(void *ctx, const struct lya_packet *pkt,
				const struct lya_tls_hello *hello);
};

/* A packet that was counted, and where; borrowed until the call returns. */
struct lya_flow_sight {
	struct lya_packet *pkt; /* an ICMP error: it answers the flow and is not counted */
	uint64_t packets[2];    /* of the flow by now, by side; the last 32 bits of each */
	uint32_t record;        /* the flow's */
	uint8_t side;           /* that sent it; of an ICMP error: that it answers */
	bool settled;           /* what the flow speaks is known: payload changes nothing more */
	bool settles;           /* ... since this packet */
};

enum { LYA_FLOW_ENOUGH = 1 };

struct lya_flow_options {
	size_t max_flows;        /* 0: from max_bytes */
	size_t max_bytes;        /* cap for all state of the table; 0: 1 GiB */
	size_t inspect_bytes;    /* of these, for payload under inspection; 0: max_bytes / 32,
	                            at most 24 MiB */
	bool vlan_in_key;
	bool shares;             /* marks are kept: lya_flow_table_cut, lya_flow_table_visit */
	/*
	 * Called for every flow that ends, in order of end; a negative answer
	 * stops, and is what every later call answers.  flow is borrowed.
	 */
	int (*on_end)(void *ctx, const struct lya_flow *flow);
	/*
	 * Called for every detail, in order of packets; a negative answer as above.
	 * May be NULL, then none is looked for.
	 */
	int (*on_detail)(void *ctx, const struct lya_flow_detail *detail);
	/*
	 * Called for every packet of a flow when all was done with it; a negative answer
	 * as above, LYA_FLOW_ENOUGH: of this flow no more are wanted.  May be NULL: packets
	 * then go by the handful, which is faster.
	 */
	int (*on_packet)(void *ctx, const struct lya_flow_sight *sight);
	void *ctx;
	struct lya_flow_observer observer;
};

struct lya_flow_stats {
	uint64_t flows;          /* made */
	uint64_t evicted;        /* ended because the table was full */
	uint64_t open;           /* now */
	uint64_t open_peak;
	uint64_t given_up;       /* payload inspections cut short because too many were under way */
	uint64_t details_lost;   /* MACs, paths, ICMP codes, handshakes, messages in several
	                            segments: not kept for want of room */
	size_t bytes;            /* memory held */
};

/* Idle timeouts in packet time (policy: long enough that no live dialogue is cut in two). */
enum {
	LYA_FLOW_UDP_IDLE_S = 120,
	LYA_FLOW_TCP_IDLE_S = 3600,
	LYA_FLOW_TCP_OPENING_S = 60,  /* SYN seen, nothing established */
	LYA_FLOW_TCP_CLOSED_S = 60    /* FIN from both or RST: linger, then end */
};

struct lya_flow_table;

int lya_flow_table_new(struct lya_flow_table **t, const struct lya_flow_options *options,
                       struct lya_error *err);
void lya_flow_table_free(struct lya_flow_table *t); /* flows still open are dropped, not ended */
/*
 * Take n packets (kinds TCP, UDP, FRAGMENT, CUT and ICMP_ERROR; others, and
 * those marked as duplicates, are passed over but tell the time), in order of
 * time.  What is known of them together spares work; batch may be NULL.  Their bytes
 * are not kept; some of them are filled.  Returns 0, or what on_end answered, or
 * LYA_ENOMEM.
 */
int lya_flow_table_take(struct lya_flow_table *t, struct lya_packet *pkts, size_t n,
			const struct lya_batch *batch);
/* While a flow ends (on_end): the last packet that had come by then; else NULL. */
const struct lya_packet *lya_flow_table_packet(const struct lya_flow_table *t);
/*
 * Where packets are shown and come one at a time: n of them come next, at most 64.
 * Memory that they will want is asked for; nothing else changes.
 */
void lya_flow_table_expect(struct lya_flow_table *t, struct lya_packet *pkts, size_t n);
/*
 * Show every open flow with known ports that was answered, as it would end now,
 * in no order of meaning but the same for the same packets; a negative answer of
 * fn stops, and is the answer.  Ends, evidence, counters and app are filled, times,
 * source, path, MAC addresses and losses are not.  Payload under inspection is given
 * up for that: call it when all packets are in.  flow is borrowed.
 */
int lya_flow_table_answered(struct lya_flow_table *t,
                            int (*fn)(void *ctx, const struct lya_flow *flow), void *ctx);
/*
 * The flow of a sight that is settled, as it would end now, but for what was lost.
 * Only from on_packet; borrowed until that returns.
 */
const struct lya_flow *lya_flow_table_peek(struct lya_flow_table *t,
					   const struct lya_flow_sight *sight);
/*
 * For a table that is never flushed.  A cut notes of every open flow what it has counted
 * so far, in some ten nanoseconds a flow, so that what comes later is another period's; of
 * flows that had shown enough, packets are shown again.
 * Flows that end later tell it in their marks, and so do visits.
 */
void lya_flow_table_cut(struct lya_flow_table *t, int64_t time_ns);
/*
 * Show up to max open flows from *place on (0 begins) as they would end now, and leave
 * them as they are: of payload under inspection as much is told as is recognised.
 * Everything is filled.  *place is 0 again when there are no more; fewer than max, or none,
 * are shown where much of the table is empty.  Flows whose marks say
 * a place below it have been visited, unless they began since.  Marks are `told` from then
 * on up to now.  With at_cut flows that began after the last cut are passed over, marks are
 * told up to that cut, and lost_bytes begin anew.  A
 * negative answer of fn stops, and is the answer.
 */
int lya_flow_table_visit(struct lya_flow_table *t, uint32_t *place, size_t max, bool at_cut,
                         int (*fn)(void *ctx, const struct lya_flow *flow), void *ctx);
/* End every flow, in order of its last packet, then serial. */
int lya_flow_table_flush(struct lya_flow_table *t);
void lya_flow_table_stats(const struct lya_flow_table *t, struct lya_flow_stats *out);

#endif
