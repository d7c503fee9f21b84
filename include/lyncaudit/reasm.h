/*
 * reasm.h - what needs memory before a flow is known: fragments and duplicates.
 *
 * Packets go through in batches and come out with what only other packets can
 * tell: the ports of a later fragment, the payload of a datagram put together,
 * the mark of a second sighting.  Memory is bounded, whatever the traffic.
 *
 *	lya_reasm_mark(r, pkts, n);
 *	n = lya_reasm_take(r, pkts, n, whole);
 *	... pkts[0..n-1] go on
 *	more = lya_reasm_released(r, &n_more);
 *	... more[0..n_more-1] go on as well
 */
#ifndef LYNCAUDIT_REASM_H
#define LYNCAUDIT_REASM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lyncaudit/decode.h"
#include "lyncaudit/status.h"

enum {
	/*
	 * A mirror's second copy comes within a millisecond; the window must stay
	 * below the shortest retransmission time of TCP, 200 ms.
	 */
	LYA_DUPLICATE_WINDOW_MS = 10,
	/* Without an IP id nothing but the bytes tells a copy from a second packet. */
	LYA_DUPLICATE_NO_ID_WINDOW_MS = 2,
	/*
	 * Hosts wait 15 s or more for missing fragments.  What a wire reorders is
	 * over in milliseconds, and IP ids come again within seconds on a busy host.
	 */
	LYA_FRAGMENT_TIMEOUT_S = 5
};

struct lya_reasm_options {
	size_t max_bytes; /* cap for all state; 0: 16 MiB; less than 1 MiB counts as that */
};

struct lya_reasm_stats {
	uint64_t duplicates[4];   /* by enum lya_duplicate; [LYA_DUP_NONE] stays 0 */
	uint64_t fragments;       /* of TCP and UDP, heads included */
	uint64_t reassembled;     /* UDP datagrams put together */
	/* Packets of which only memory tells; each has the event of the decoder beside it. */
	uint64_t overlaps;        /* fragments that contradicted earlier ones: fragment-overlap */
	uint64_t lengths;         /* the datagram that they completed has another length: udp-length */
	uint64_t tunnels;         /* later fragments of tunnels, which became LYA_PKT_OTHER_IP */
	uint64_t given_up;        /* fragments handed on without ports */
	uint64_t evicted;         /* datagrams forgotten, not known to be whole, for want of room */
	size_t bytes, bytes_peak; /* memory held */
};

/* The clock of one source beside another's, by packets that both hold. */
struct lya_clock_offset {
	uint32_t source, twin; /* twin: the source of the lower number */
	int64_t ahead_ns;      /* of source: its times less the twin's */
	uint64_t packets;      /* that agree, of the sample kept */
};

struct lya_reasm;

int lya_reasm_new(struct lya_reasm **r, const struct lya_reasm_options *options,
		  struct lya_error *err);
void lya_reasm_free(struct lya_reasm *r);

/*
 * Mark second sightings (`duplicate`) among n packets, which come in order of time; returns
 * how many there are.  Only packets with an IP header are compared.  A TCP retransmission is
 * none (its IP id or its time differs), a copy with translated addresses neither.  Another
 * thread may meanwhile take packets that were marked before.
 */
size_t lya_reasm_mark(struct lya_reasm *r, struct lya_packet *pkts, size_t n);

/*
 * Take n packets that were marked, in the same order: a copy of a fragment must not be put
 * together a second time.  They are changed in place:
 *
 * - A later fragment of TCP or UDP whose head is known becomes LYA_PKT_TCP or
 *   LYA_PKT_UDP with the head's ports (TCP: seq, ack, window and flags 0).  Its
 *   payload is empty, payload_len stays what it carries.
 * - The fragment that completes a UDP datagram has `reassembled` set and the
 *   whole datagram's payload at `payload`, borrowed until the next call for r;
 *   payload_len stays what this packet carries.  The head kept its own part of
 *   the payload: what reads messages takes the head for a beginning only.
 * - A later fragment of a tunnel whose head was opened becomes LYA_PKT_OTHER_IP:
 *   the flow inside was counted with the head, and the tunnel is nobody's flow.
 * - A later fragment that comes before its head is taken out, to be released
 *   when the head has come or the wait is over.
 *
 * whole: the caller knows that there are no fragments among them, and none whose tunnel's head
 * is one (tunnel_head); false: there may be.
 * Returns how many packets are left, in their order.
 */
size_t lya_reasm_take(struct lya_reasm *r, struct lya_packet *pkts, size_t n, bool whole);

/*
 * The packets that the last lya_reasm_take or _flush released: with ports, or
 * as LYA_PKT_FRAGMENT when their head did not come.  They are older than those
 * of the batch, belong to r and last until the next call for r.  Their `ip`
 * and MAC addresses are copies (ip: at most the header), their payload is empty.
 */
struct lya_packet *lya_reasm_released(const struct lya_reasm *r, size_t *n);
/*
 * Where they belong: the k-th goes before that packet of what the take left, which
 * is ascending and may be the number of packets (after all of them); 0 after a
 * flush.  Who follows them there gets the same, however many packets come at a time.
 */
const uint32_t *lya_reasm_released_at(const struct lya_reasm *r);

/* At the end: release all that is held. */
void lya_reasm_flush(struct lya_reasm *r);

/*
 * Of every source that shares enough packets with one before it: how far its
 * clock is ahead, with times as the packets had them.  By source; *list is
 * freed with lya_free.
 */
int lya_reasm_clocks(const struct lya_reasm *r, struct lya_clock_offset **list, size_t *n,
		     struct lya_error *err);

/* How many second sightings were marked so far. */
uint64_t lya_reasm_duplicates(const struct lya_reasm *r);

/* Sticky: memory ran out below the cap, and a message in fragments was not put together. */
bool lya_reasm_failed(const struct lya_reasm *r);
void lya_reasm_stats(const struct lya_reasm *r, struct lya_reasm_stats *out);

#endif
