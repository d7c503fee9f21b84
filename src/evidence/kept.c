/*
 * kept.c - packets of flows that have ended.
 */
#include "evidence/kept.h"

#include "lyncaudit/alloc.h"
#include "lyncaudit/hash.h"

enum { SLOTS_MIN = 64, SWEEP_PART = 4 };

void kept_init(struct kept_sets *k, size_t max_bytes)
{
	*k = (struct kept_sets){ .max_bytes = max_bytes };
}

void kept_fini(struct kept_sets *k)
{
	for (size_t i = 0; i < k->n; i++)
		lya_packets_free(k->list[i].packets);
	lya_free(k->list);
	lya_free(k->slots);
}

/* Memory that a set takes, its record and slots included. */
static size_t cost_of(const struct lya_packets *p)
{
	return packets_bytes(p) + 2 * sizeof(struct kept) + 4 * sizeof(uint32_t);
}

/* Where the set stands, or the free slot where it would. */
static uint32_t *slot_of(const struct kept_sets *k, uint32_t source, uint64_t number)
{
	uint64_t h = lya_hash_mix(number ^ UINT64_C(0x9e3779b97f4a7c15),
				  source ^ UINT64_C(0xc2b2ae3d27d4eb4f));
	size_t i = h & (k->n_slots - 1);

	for (; k->slots[i] != 0; i = (i + 1) & (k->n_slots - 1)) {
		const struct kept *s = &k->list[k->slots[i] - 1];

		if (s->number == number && s->source == source)
			break;
	}
	return &k->slots[i];
}

struct kept *kept_find(const struct kept_sets *k, uint32_t source, uint64_t number)
{
	uint32_t i = k->n_slots == 0 ? 0 : *slot_of(k, source, number);

	return i == 0 ? NULL : &k->list[i - 1];
}

/* Enter all sets anew, in so many slots. */
static int index_all(struct kept_sets *k, size_t n_slots)
{
	uint32_t *slots = lya_calloc(n_slots, sizeof(*slots));

	if (slots == NULL)
		return LYA_ENOMEM;
	lya_free(k->slots);
	k->slots = slots;
	k->n_slots = n_slots;
	for (size_t i = 0; i < k->n; i++)
		*slot_of(k, k->list[i].source, k->list[i].number) = (uint32_t)i + 1;
	return LYA_OK;
}

static void mark(void *ctx, uint32_t source, uint64_t number)
{
	struct kept *s = kept_find(ctx, source, number);

	if (s != NULL)
		s->marked = true;
}

/* Let go what the ledger does not name. */
static int sweep(struct kept_sets *k, const struct lya_ledger *ledger)
{
	struct lya_packet_visitor visitor = { .packet = mark, .ctx = k };
	size_t n = 0;

	for (size_t i = 0; i < k->n; i++)
		k->list[i].marked = false;
	lya_ledger_each_packet(ledger, &visitor);
	for (size_t i = 0; i < k->n; i++) {
		if (k->list[i].marked) {
			k->list[n++] = k->list[i];
			continue;
		}
		k->bytes -= cost_of(k->list[i].packets);
		lya_packets_free(k->list[i].packets);
	}
	k->n = n;
	k->fresh = 0;
	return index_all(k, k->n_slots);
}

/* Room for a set more; *room tells.  Sweeping takes a look at all findings: it has to pay. */
static int make_room(struct kept_sets *k, const struct lya_ledger *ledger, size_t cost, bool *room)
{
	int rc = LYA_OK;

	if (k->bytes + cost > k->max_bytes && k->fresh >= k->max_bytes / SWEEP_PART)
		rc = sweep(k, ledger);
	*room = k->bytes + cost <= k->max_bytes;
	return rc;
}

static int enter(struct kept_sets *k, uint32_t source, uint64_t number,
		 struct lya_packets *packets)
{
	size_t n_slots = k->n_slots == 0 ? (size_t)SLOTS_MIN : k->n_slots;
	void *list = k->list;
	int rc = lya_grow(&list, &k->cap, k->n + 1, sizeof(*k->list));

	if (rc != LYA_OK)
		return rc;
	k->list = list;
	while (n_slots < 2 * (k->n + 1))
		n_slots *= 2;
	if (n_slots != k->n_slots && (rc = index_all(k, n_slots)) != LYA_OK)
		return rc;
	*slot_of(k, source, number) = (uint32_t)k->n + 1;
	k->list[k->n++] = (struct kept){ .packets = packets, .number = number, .source = source };
	k->bytes += cost_of(packets);
	k->fresh += cost_of(packets);
	return LYA_OK;
}

static void replace(struct kept_sets *k, struct kept *old, struct lya_packets *packets)
{
	k->bytes += cost_of(packets) - cost_of(old->packets);
	lya_packets_free(old->packets);
	old->packets = packets;
}

int kept_put(struct kept_sets *k, const struct lya_ledger *ledger, uint32_t source,
	     uint64_t number, struct lya_packets *packets)
{
	struct kept *old;
	bool room;
	int rc = make_room(k, ledger, cost_of(packets), &room);

	old = rc == LYA_OK ? kept_find(k, source, number) : NULL;
	if (rc == LYA_OK && room && old == NULL && k->n < UINT32_MAX / 4) {
		rc = enter(k, source, number, packets);
		if (rc == LYA_OK)
			return rc;
	} else if (rc == LYA_OK && room && old != NULL && packets->n > old->packets->n) {
		replace(k, old, packets);
		return rc;
	}
	lya_packets_free(packets);
	return rc;
}
