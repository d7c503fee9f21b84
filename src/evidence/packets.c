/*
 * packets.c - packets stored one behind another.
 */
#include "evidence/packets.h"

#include <string.h>

#include "lyncaudit/alloc.h"

/* A handshake's small packets; most flows that are let go early need no more. */
enum { FIRST_CAP = 512 };

struct packet_head packet_head_of(const struct lya_frame *frame)
{
	return (struct packet_head){
		.time_ns = frame->time_ns,
		.number = frame->number,
		.source = frame->source,
		.caplen = frame->caplen,
		.wirelen = frame->wirelen,
		.iface = frame->iface,
		.link = frame->link,
		.flags = frame->flags,
		.digits = frame->digits,
	};
}

void lya_packets_free(struct lya_packets *p)
{
	lya_free(p);
}

/* Capacity for `want` bytes: twice what there was, as far as that is enough. */
static size_t cap_for(const struct lya_packets *p, size_t want)
{
	size_t cap = p == NULL ? (size_t)FIRST_CAP : p->cap;

	if (p != NULL && want > cap)
		cap *= 2;
	return want > cap ? want : cap;
}

static size_t used_of(const struct lya_packets *p)
{
	return p == NULL ? 0 : p->used;
}

size_t packets_bytes_with(const struct lya_packets *p, size_t size)
{
	return sizeof(*p) + cap_for(p, used_of(p) + size);
}

static int reserve(struct lya_packets **p, size_t want)
{
	size_t cap = cap_for(*p, want);
	struct lya_packets *grown;

	if (*p != NULL && cap == (*p)->cap)
		return LYA_OK;
	grown = lya_realloc(*p, sizeof(*grown) + cap);
	if (grown == NULL)
		return LYA_ENOMEM;
	if (*p == NULL)
		*grown = (struct lya_packets){ 0 };
	grown->cap = (uint32_t)cap;
	*p = grown;
	return LYA_OK;
}

int packets_add(struct lya_packets **p, const struct packet_head *head, const uint8_t *data)
{
	size_t size = packet_size(head->caplen);
	int rc = reserve(p, used_of(*p) + size);
	uint8_t *at;

	if (rc != LYA_OK)
		return rc;
	at = (*p)->data + (*p)->used;
	memcpy(at, head, sizeof(*head));
	if (head->caplen > 0)
		memcpy(at + sizeof(*head), data, head->caplen);
	(*p)->used += (uint32_t)size;
	(*p)->n++;
	return LYA_OK;
}

static uint32_t count_between(const struct lya_packets *p, uint32_t from, uint32_t to)
{
	uint32_t n = 0;

	for (uint32_t at = from; at < to; n++) {
		const struct packet_head *head = (const void *)(p->data + at);

		at += (uint32_t)packet_size(head->caplen);
	}
	return n;
}

struct lya_packets *packets_dup(const struct lya_packets *p, uint32_t used)
{
	struct lya_packets *copy = lya_malloc(sizeof(*copy) + used);

	if (copy == NULL)
		return NULL;
	*copy = (struct lya_packets){ .used = used, .cap = used, .left_out = p->left_out };
	copy->n = used == p->used ? p->n : count_between(p, 0, used);
	memcpy(copy->data, p->data, used);
	return copy;
}

void packets_cut(struct lya_packets *p, uint32_t from, uint32_t to)
{
	p->n -= count_between(p, from, to);
	memmove(p->data + from, p->data + to, p->used - to);
	p->used -= to - from;
}

void packets_trim(struct lya_packets **p)
{
	struct lya_packets *less;

	if (*p == NULL || (*p)->used == (*p)->cap)
		return;
	less = lya_realloc(*p, sizeof(*less) + (*p)->used);
	if (less == NULL)
		return; /* then it stays as it is */
	less->cap = less->used;
	*p = less;
}

const struct packet_head *packets_next(const struct lya_packets *p, const struct packet_head *at)
{
	const uint8_t *next;

	if (p == NULL)
		return NULL;
	next = at == NULL ? p->data : (const uint8_t *)at + packet_size(at->caplen);
	return next == p->data + p->used ? NULL : (const void *)next;
}
