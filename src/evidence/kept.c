/*
 * kept.c - packets of flows that have ended.
 */
#include "evidence/kept.h"

#include "lyncaudit/alloc.h"
#include "lyncaudit/hash.h"

enum { SLOTS_MIN = 64, SWEEP_PART = 4 };

void kept_init(struct kept_sets *k, struct lya_evidence_room *room)
{
	*k = (struct kept_sets){ .room = room };
}

/* Memory that a set takes, its record and slots included. */
static size_t cost_of(const struct lya_packets *p)
{
	return packets_bytes(p) + 2 * sizeof(struct kept) + 4 * sizeof(uint32_t);
}

/* Look and take in one: others share the room.  False: there is not so much left. */
static bool take_room(struct kept_sets *k, size_t bytes)
{
	size_t used = atomic_load(&k->room->used);

	do {
		if (used + bytes > k->room->max)
			return false;
	} while (!atomic_compare_exchange_weak(&k->room->used, &used, used + bytes));
	k->bytes += bytes;
	return true;
}

static void give_back(struct kept_sets *k, size_t bytes)
{
	k->bytes -= bytes;
	(void)atomic_fetch_sub(&k->room->used, bytes);
}

void kept_fini(struct kept_sets *k)
{
	for (size_t i = 0; i < k->n; i++)
		lya_packets_free(k->list[i].packets);
	if (k->bytes > 0)
		give_back(k, k->bytes);
	lya_free(k->list);
	lya_free(k->slots);
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

static struct kept *find(const struct kept_sets *k, uint32_t source, uint64_t number)
{
	uint32_t i = k->n_slots == 0 ? 0 : *slot_of(k, source, number);

	return i == 0 ? NULL : &k->list[i - 1];
}

/* What names a leg tells its own time, and what names a flow the flow's first. */
static bool is_named_by(const struct kept *s, int64_t time_ns)
{
	return s->time_ns == time_ns || packets_next(s->packets, NULL)->time_ns == time_ns;
}

struct kept *kept_find(const struct kept_sets *k, const struct lya_packet_place *place)
{
	struct kept *s = find(k, place->source, place->number);

	return s != NULL && is_named_by(s, place->time_ns) ? s : NULL;
}

struct kept *kept_find_named(const struct kept_sets *k, const struct kept_names *names,
			     const struct lya_packet_place *place)
{
	struct lya_packet_place ours = *place;

	if (names->map != NULL)
		ours.source = place->source < names->n_map ? names->map[place->source]
							   : UINT32_MAX;
	return kept_find(k, &ours);
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

struct marking {
	const struct kept_sets *kept;
	const struct kept_names *names;
};

static void mark(void *ctx, const struct lya_packet_place *place)
{
	const struct marking *m = ctx;
	struct kept *s = kept_find_named(m->kept, m->names, place);

	if (s != NULL)
		s->marked = true;
}

/* Let go what the ledger does not name. */
static int sweep(struct kept_sets *k, const struct kept_names *names)
{
	struct marking marking = { k, names };
	struct lya_packet_visitor visitor = { .packet = mark, .ctx = &marking };
	size_t n = 0;

	for (size_t i = 0; i < k->n; i++)
		k->list[i].marked = false;
	lya_ledger_each_packet(names->ledger, &visitor);
	for (size_t i = 0; i < k->n; i++) {
		if (k->list[i].marked) {
			k->list[n++] = k->list[i];
			continue;
		}
		give_back(k, cost_of(k->list[i].packets));
		lya_packets_free(k->list[i].packets);
	}
	k->n = n;
	k->fresh = 0;
	return index_all(k, k->n_slots);
}

/* Sweeping takes a look at all findings: it has to pay. */
static bool pays(const struct kept_sets *k, const struct kept_names *names)
{
	return names->ledger != NULL && k->fresh >= k->room->max / SWEEP_PART;
}

int kept_tidy(struct kept_sets *k, const struct kept_names *names)
{
	return pays(k, names) ? sweep(k, names) : LYA_OK;
}

/* Room for a set more; *taken tells. */
static int make_room(struct kept_sets *k, const struct kept_names *names, size_t cost, bool *taken)
{
	int rc = LYA_OK;

	*taken = take_room(k, cost);
	if (!*taken) {
		rc = kept_tidy(k, names);
		*taken = rc == LYA_OK && take_room(k, cost);
	}
	return rc;
}

/* Its room is taken already. */
static int enter(struct kept_sets *k, const struct lya_packet_place *place,
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
	*slot_of(k, place->source, place->number) = (uint32_t)k->n + 1;
	k->list[k->n++] = (struct kept){ .packets = packets, .number = place->number,
					 .time_ns = place->time_ns, .source = place->source };
	k->fresh += cost_of(packets);
	return LYA_OK;
}

static void replace(struct kept_sets *k, struct kept *old, struct lya_packets *packets)
{
	give_back(k, cost_of(old->packets));
	lya_packets_free(old->packets);
	old->packets = packets;
}

/* Packets whose room is taken; *kept: they stay. */
static int put(struct kept_sets *k, const struct lya_packet_place *place,
	       struct lya_packets *packets, bool *kept)
{
	struct kept *old = find(k, place->source, place->number);
	int rc = LYA_OK;

	*kept = old != NULL ? packets->n > old->packets->n : k->n < UINT32_MAX / 4;
	if (*kept && old != NULL)
		replace(k, old, packets);
	else if (*kept)
		rc = enter(k, place, packets);
	*kept = *kept && rc == LYA_OK;
	return rc;
}

int kept_put(struct kept_sets *k, const struct kept_names *names,
	     const struct lya_packet_place *place, struct lya_packets *packets)
{
	size_t cost = cost_of(packets);
	bool taken, kept = false;
	int rc = make_room(k, names, cost, &taken);

	if (taken)
		rc = put(k, place, packets, &kept);
	if (kept)
		return rc;
	if (taken)
		give_back(k, cost);
	lya_packets_free(packets);
	return rc;
}

int kept_move(struct kept_sets *k, const struct kept_names *names, struct kept_sets *from)
{
	int rc = LYA_OK;

	for (size_t i = 0; i < from->n; i++) {
		struct kept *s = &from->list[i];
		const struct lya_packet_place place = { s->number, s->time_ns, s->source };
		struct lya_packets *packets = s->packets;

		s->packets = NULL;
		give_back(from, cost_of(packets));
		if (rc == LYA_OK)
			rc = kept_put(k, names, &place, packets);
		else
			lya_packets_free(packets);
	}
	from->n = 0;
	kept_fini(from);
	kept_init(from, from->room);
	return rc;
}
