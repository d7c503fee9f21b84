/*
 * evidence.c - packets of flows that have ended, for the findings that show them.
 */
#include "evidence/evidence.h"

#include "lyncaudit/alloc.h"

enum { MIN_BYTES = 256 * 1024 };

static void init_room(struct lya_evidence_room *room, size_t max_bytes)
{
	atomic_init(&room->used, 0);
	room->max = max_bytes < MIN_BYTES ? (size_t)MIN_BYTES : max_bytes;
}

struct lya_evidence_room *lya_evidence_room_new(size_t max_bytes)
{
	struct lya_evidence_room *room = lya_calloc(1, sizeof(*room));

	if (room != NULL)
		init_room(room, max_bytes);
	return room;
}

void lya_evidence_room_free(struct lya_evidence_room *room)
{
	lya_free(room);
}

static int make(struct lya_evidence **out, struct lya_evidence_room *room, size_t max_bytes,
		struct lya_error *err)
{
	struct lya_evidence *e = lya_calloc(1, sizeof(*e));

	*out = e;
	if (e == NULL)
		return lya_error_nomem(err);
	init_room(&e->own, max_bytes);
	kept_init(&e->kept, room != NULL ? room : &e->own);
	return LYA_OK;
}

int lya_evidence_new(struct lya_evidence **e, size_t max_bytes, struct lya_error *err)
{
	return make(e, NULL, max_bytes, err);
}

int lya_evidence_new_in(struct lya_evidence **e, struct lya_evidence_room *room,
			struct lya_error *err)
{
	return make(e, room, 0, err);
}

void lya_evidence_free(struct lya_evidence *e)
{
	if (e == NULL)
		return;
	kept_fini(&e->kept);
	evidence_sources_free(e->sources, e->n_sources);
	lya_free(e);
}

struct lya_evidence_room *lya_evidence_room_of(const struct lya_evidence *e)
{
	return e->kept.room;
}

/* Each leg by itself: findings name it so, wherever its flow is shown. */
static int put_legs(struct lya_evidence *e, const struct kept_names *names,
		    const struct lya_packets *legs)
{
	const struct packet_head *head = NULL;
	int rc = LYA_OK;

	while (rc == LYA_OK && (head = packets_next(legs, head)) != NULL) {
		const struct lya_packet_place place = { head->number, head->time_ns,
							head->source };
		struct lya_packets *one = NULL;

		rc = packets_add(&one, head, packet_data(head));
		packets_trim(&one);
		if (rc == LYA_OK)
			rc = kept_put(&e->kept, names, &place, one);
	}
	return rc;
}

int lya_evidence_take(struct lya_evidence *e, const struct lya_ledger *ledger,
		      const struct lya_flow *flow, bool concerned, struct lya_trail_flow packets)
{
	const struct lya_packet_place place = { flow->number, flow->first_ns, flow->source };
	const struct kept_names names = { .ledger = ledger };
	int rc = LYA_OK;

	if (concerned && packets.first != NULL) {
		rc = kept_put(&e->kept, &names, &place, packets.first);
		packets.first = NULL; /* it was taken */
	}
	if (concerned && rc == LYA_OK)
		rc = put_legs(e, &names, packets.legs);
	lya_packets_free(packets.first);
	lya_packets_free(packets.legs);
	return rc;
}

/* By name and kind; those of the same name are the same capture. */
static uint32_t number_of(const struct lya_evidence *e, const struct lya_source *source)
{
	for (size_t i = 0; i < e->n_sources; i++) {
		if (evidence_is_source(&e->sources[i], source))
			return (uint32_t)i;
	}
	return UINT32_MAX;
}

int evidence_names(const struct lya_evidence *e, const struct lya_ledger *ledger,
		   const struct lya_source *sources, size_t n_sources, uint32_t **map,
		   struct kept_names *names)
{
	*map = NULL;
	*names = (struct kept_names){ .ledger = ledger };
	if (e->n_sources == 0)
		return LYA_OK;
	*map = lya_calloc(n_sources + 1, sizeof(**map));
	if (*map == NULL)
		return LYA_ENOMEM;
	for (size_t i = 0; i < n_sources; i++)
		(*map)[i] = number_of(e, &sources[i]);
	names->map = *map;
	names->n_map = n_sources;
	return LYA_OK;
}

int lya_evidence_merge(struct lya_evidence *e, struct lya_evidence *from,
		       const struct lya_ledger *ledger, const struct lya_source *sources,
		       size_t n_sources, struct lya_error *err)
{
	struct kept_names names;
	uint32_t *map = NULL;
	int rc = LYA_OK;

	if (from->n_sources > 0) { /* it knows them as they are now */
		evidence_sources_free(e->sources, e->n_sources);
		e->sources = from->sources;
		e->n_sources = from->n_sources;
		from->sources = NULL;
		from->n_sources = 0;
	}
	rc = evidence_names(e, ledger, sources, n_sources, &map, &names);
	if (rc == LYA_OK)
		rc = kept_move(&e->kept, &names, &from->kept);
	if (rc == LYA_OK)
		rc = kept_tidy(&e->kept, &names);
	lya_free(map);
	return rc == LYA_OK ? LYA_OK : lya_error_nomem(err);
}
