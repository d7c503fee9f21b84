/*
 * packets.h - packets as they were captured, stored one behind another.
 *
 *     struct lya_packets | head, bytes, padding | head, bytes, padding | ...
 */
#ifndef LYNCAUDIT_EVIDENCE_PACKETS_H
#define LYNCAUDIT_EVIDENCE_PACKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lyncaudit/evidence.h"
#include "lyncaudit/frame.h"

/* What is known of a stored packet; its caplen bytes follow. */
struct packet_head {
	int64_t time_ns;
	uint64_t number; /* in its source */
	uint32_t source;
	uint32_t caplen, wirelen;
	uint16_t iface, link;
	uint8_t flags, digits; /* as in struct lya_frame */
	uint8_t unused[6];
};

enum { PACKET_ALIGN = 8 };

_Static_assert(sizeof(struct packet_head) % PACKET_ALIGN == 0, "heads stand aligned");

struct lya_packets {
	uint32_t used, cap; /* bytes of data */
	uint32_t n;
	uint32_t left_out; /* that belong here, and found no room */
	/*
	 * When handed over: bytes that came before the last period's end, and packets left out
	 * then; of these, what belongs to the flow's opening.
	 */
	uint32_t before, left_out_before;
	uint32_t opening, left_out_opening;
	_Alignas(PACKET_ALIGN) uint8_t data[];
};

/* Bytes that a packet takes. */
static inline size_t packet_size(uint32_t caplen)
{
	return sizeof(struct packet_head) +
	       (((size_t)caplen + PACKET_ALIGN - 1) & ~(size_t)(PACKET_ALIGN - 1));
}

static inline const uint8_t *packet_data(const struct packet_head *head)
{
	return (const uint8_t *)(head + 1);
}

/* The head that a frame gets. */
struct packet_head packet_head_of(const struct lya_frame *frame);

/* Memory that is held, allocation included. */
static inline size_t packets_bytes(const struct lya_packets *p)
{
	return p == NULL ? 0 : sizeof(*p) + p->cap;
}

/*
 * Memory that *p would hold with one more packet of that size; what it holds now
 * when that has room already.  p may be NULL.
 */
size_t packets_bytes_with(const struct lya_packets *p, size_t size);
/* Add a packet; *p may be NULL, and may move.  LYA_OK or LYA_ENOMEM with *p unchanged. */
int packets_add(struct lya_packets **p, const struct packet_head *head, const uint8_t *data);
/* A copy of the first `used` bytes, which are whole packets; NULL: there is none, or no memory. */
struct lya_packets *packets_dup(const struct lya_packets *p, uint32_t used);
/* Take out the packets between two places. */
void packets_cut(struct lya_packets *p, uint32_t from, uint32_t to);
/* Give back what is not used; *p may move. */
void packets_trim(struct lya_packets **p);
/* The packet behind that one (NULL: the first); NULL at the end. */
const struct packet_head *packets_next(const struct lya_packets *p, const struct packet_head *at);

#endif
