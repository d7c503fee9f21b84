/*
 * live.c - the packets of flows that go on.
 *
 * Found by the number of the flow's record.  Those are given in order, so that their
 * low bits alone spread them evenly, whoever sends the packets.
 */
#include "evidence/trail.h"

#include "lyncaudit/alloc.h"

enum {
	FLOWS_MIN = 64,
	BYTES_PER_FLOW = 1024, /* so many flows for the bytes: fewer packets are not worth keeping */
	SHORT_PART = 2         /* memory is short from that part of it on */
};

int live_init(struct live_flows *f, size_t max_bytes)
{
	size_t n = max_bytes / BYTES_PER_FLOW;

	*f = (struct live_flows){ .max_bytes = max_bytes, .n_chains = FLOWS_MIN };
	if (n < FLOWS_MIN)
		n = FLOWS_MIN;
	if (n > UINT32_MAX / 2)
		n = UINT32_MAX / 2;
	f->cap = (uint32_t)n;
	while (f->n_chains < f->cap)
		f->n_chains *= 2;
	f->list = lya_map_pages((f->cap + (size_t)1) * sizeof(*f->list));
	f->chains = lya_map_pages(f->n_chains * sizeof(*f->chains));
	return f->list == NULL || f->chains == NULL ? LYA_ENOMEM : LYA_OK;
}

void live_fini(struct live_flows *f)
{
	for (uint32_t i = 1; f->list != NULL && i <= f->high; i++)
		lya_packets_free(f->list[i].packets);
	lya_unmap_pages(f->list, (f->cap + (size_t)1) * sizeof(*f->list));
	lya_unmap_pages(f->chains, f->n_chains * sizeof(*f->chains));
}

size_t live_table_bytes(const struct live_flows *f)
{
	return f->high * sizeof(*f->list) + f->n_chains * sizeof(*f->chains);
}

static uint32_t *chain_of(const struct live_flows *f, uint32_t record)
{
	return &f->chains[record & (f->n_chains - 1)];
}

struct live *live_find(const struct live_flows *f, uint32_t record)
{
	for (uint32_t i = *chain_of(f, record); i != 0; i = f->list[i].next) {
		if (f->list[i].record == record)
			return &f->list[i];
	}
	return NULL;
}

/* A group has had its part when memory is short. */
static bool is_crowded(const struct live_flows *f, uint16_t group)
{
	return f->bytes > f->max_bytes / SHORT_PART && f->groups[group] >= LIVE_GROUP_FLOWS;
}

struct live *live_begin(struct live_flows *f, uint32_t record, uint16_t group)
{
	uint32_t *chain = chain_of(f, record), i = f->free;

	if ((i == 0 && f->high == f->cap) || is_crowded(f, group))
		return NULL;
	if (i != 0)
		f->free = f->list[i].next;
	else
		i = ++f->high;
	f->list[i] = (struct live){ .record = record, .next = *chain, .group = group };
	*chain = i;
	f->groups[group]++;
	return &f->list[i];
}

struct lya_packets *live_end(struct live_flows *f, struct live *l)
{
	uint32_t *link = chain_of(f, l->record), i = (uint32_t)(l - f->list);
	struct lya_packets *packets = l->packets;

	while (*link != i)
		link = &f->list[*link].next;
	*link = l->next;
	f->groups[l->group]--;
	f->bytes -= packets_bytes(packets);
	*l = (struct live){ .next = f->free };
	f->free = i;
	return packets;
}

int live_add(struct live_flows *f, struct live *l, const struct packet_head *head,
	     const uint8_t *data, bool *added)
{
	size_t size = packet_size(head->caplen), has = packets_bytes(l->packets);
	size_t used = l->packets != NULL ? l->packets->used : 0;
	size_t wants = packets_bytes_with(l->packets, size);
	int rc;

	*added = (used == 0 || used + size <= LYA_TRAIL_BYTES) &&
		 f->bytes - has + wants <= f->max_bytes;
	if (!*added) {
		if (l->packets != NULL)
			l->packets->left_out++;
		return LYA_OK;
	}
	rc = packets_add(&l->packets, head, data);
	if (rc != LYA_OK)
		return rc;
	f->bytes += packets_bytes(l->packets) - has;
	l->n++;
	return LYA_OK;
}
