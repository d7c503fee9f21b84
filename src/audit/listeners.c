/*
 * listeners.c - addresses and ports that were seen to answer.
 *
 * The basis `known-listener` of policy-model: another flow to the same address
 * and port showed beyond doubt who opened it.  Bounded: when full, further
 * listeners are not learnt, which costs a better basis and no flow, and is counted.
 */
#include "audit/listeners.h"

#include "lyncaudit/alloc.h"
#include "lyncaudit/hash.h"
#include "lyncaudit/policy.h"

struct listener_key {
	struct lya_addr addr; /* 17 bytes */
	uint8_t transport;
	uint16_t port;
};

enum { ENTRY_BYTES = 48 }; /* of the map, slots included */

struct audit_listeners {
	struct lya_map *map;
	size_t max;
	uint64_t forgotten;
};

struct audit_listeners *audit_listeners_new(size_t max_bytes)
{
	struct audit_listeners *l = lya_calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->max = max_bytes / ENTRY_BYTES + 1;
	l->map = lya_map_new(sizeof(struct listener_key), 1, l->max);
	if (l->map == NULL) {
		lya_free(l);
		return NULL;
	}
	return l;
}

void audit_listeners_free(struct audit_listeners *l)
{
	if (l == NULL)
		return;
	lya_map_free(l->map);
	lya_free(l);
}

static struct listener_key key_of(const struct lya_flow *flow, int side)
{
	struct listener_key key;

	memset(&key, 0, sizeof(key));
	key.addr = flow->addr[side];
	key.transport = flow->transport;
	key.port = flow->port[side];
	return key;
}

int audit_listeners_note(struct audit_listeners *l, const struct lya_flow *flow)
{
	struct listener_key key;
	int side;

	if (!flow->answered || flow->state == LYA_STATE_REFUSED ||
	    !lya_policy_certain_responder(flow, &side))
		return LYA_OK;
	key = key_of(flow, side);
	if (lya_map_put(l->map, &key, NULL) != NULL)
		return LYA_OK;
	l->forgotten++;
	return lya_map_count(l->map) < l->max ? LYA_ENOMEM : LYA_OK;
}

uint64_t audit_listeners_forgotten(const struct audit_listeners *l)
{
	return l->forgotten;
}

int audit_listeners_side(const struct audit_listeners *l, const struct lya_flow *flow)
{
	struct listener_key keys[2] = { key_of(flow, 0), key_of(flow, 1) };
	bool known[2];

	for (int side = 0; side < 2; side++)
		known[side] = lya_map_find(l->map, &keys[side]) != NULL;
	if (known[0] == known[1])
		return -1;
	return known[0] ? 0 : 1;
}
