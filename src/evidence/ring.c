/*
 * ring.c - the latest packets of some kind.
 *
 *     data   | ... oldest packets ... newest |  free  |
 *                  ^ begin                   ^ end       (both counted on for ever)
 *
 * A packet does not go round the end of the memory: what is left there is skipped.
 */
#include "evidence/ring.h"

#include <string.h>

#include "lyncaudit/alloc.h"
#include "lyncaudit/hash.h"

enum { BYTES_PER_CHAIN = 128, CHAINS_MIN = 64, LARGEST_PART = 8 };

/* In front of a packet.  Everything is a multiple of it, so that one fits wherever bytes are left. */
struct slot {
	uint64_t older; /* as in chains */
	uint64_t size;  /* of all, this included; the packet's, or what is skipped */
};

enum { SLOT = sizeof(struct slot) };

static size_t chains_of(size_t size)
{
	size_t n = CHAINS_MIN;

	while (n * BYTES_PER_CHAIN < size)
		n *= 2;
	return n;
}

static size_t whole(size_t size)
{
	return size & ~(size_t)(SLOT - 1);
}

size_t ring_bytes(size_t size)
{
	return whole(size) + chains_of(size) * sizeof(uint64_t);
}

int ring_init(struct ring *r, size_t size)
{
	*r = (struct ring){ .size = whole(size), .n_chains = chains_of(size) };
	r->data = lya_map_pages(r->size);
	r->chains = lya_map_pages(r->n_chains * sizeof(*r->chains));
	return r->data == NULL || r->chains == NULL ? LYA_ENOMEM : LYA_OK;
}

void ring_fini(struct ring *r)
{
	lya_unmap_pages(r->data, r->size);
	lya_unmap_pages(r->chains, r->n_chains * sizeof(*r->chains));
}

static void *at(const struct ring *r, uint64_t pos)
{
	return r->data + pos % r->size;
}

/* The same in every run: that somebody may choose packets that fall together costs him alone. */
static uint64_t *chain_of(const struct ring *r, uint32_t source, uint64_t number)
{
	uint64_t h = lya_hash_mix(number ^ UINT64_C(0x9e3779b97f4a7c15),
				  source ^ UINT64_C(0xc2b2ae3d27d4eb4f));

	return &r->chains[h & (r->n_chains - 1)];
}

/* Let the oldest go until there are `size` bytes between end and begin. */
static void make_room(struct ring *r, size_t size)
{
	while (r->end + size - r->begin > r->size) {
		const struct slot *oldest = at(r, r->begin);

		r->begin += oldest->size;
	}
}

/* Take `size` bytes in one piece. */
static struct slot *take(struct ring *r, size_t size)
{
	size_t left = r->size - (size_t)(r->end % r->size);
	struct slot *slot;

	if (left < size) {
		make_room(r, left);
		*(struct slot *)at(r, r->end) = (struct slot){ .size = left };
		r->end += left;
	}
	make_room(r, size);
	slot = at(r, r->end);
	slot->size = size;
	return slot;
}

void ring_add(struct ring *r, const struct packet_head *head, const uint8_t *data)
{
	size_t size = whole(SLOT + packet_size(head->caplen) + SLOT - 1);
	uint64_t *chain = chain_of(r, head->source, head->number);
	struct slot *slot;

	if (size > r->size / LARGEST_PART)
		return;
	slot = take(r, size);
	slot->older = *chain;
	*chain = r->end + 1;
	memcpy(slot + 1, head, sizeof(*head));
	if (head->caplen > 0)
		memcpy((uint8_t *)(slot + 1) + sizeof(*head), data, head->caplen);
	r->end += size;
}

const struct packet_head *ring_find(const struct ring *r, uint32_t source, uint64_t number)
{
	uint64_t pos = *chain_of(r, source, number);

	while (pos != 0 && pos - 1 >= r->begin) {
		const struct slot *slot = at(r, pos - 1);
		const struct packet_head *head = (const void *)(slot + 1);

		if (head->source == source && head->number == number)
			return head;
		pos = slot->older;
	}
	return NULL;
}
