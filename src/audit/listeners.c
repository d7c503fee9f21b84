/*
 * listeners.c - addresses and ports that were seen to answer.
 *
 * The basis `known-listener` of policy-model: another flow to the same address
 * and port showed beyond doubt who opened it.  Bounded: those that nobody asked for or that
 * did not answer for longest make room, which costs a better basis and no flow; where
 * they answered a short while ago, that is counted.
 */
#include "audit/listeners.h"

#include "audit/recent.h"
#include "lyncaudit/alloc.h"
#include "lyncaudit/policy.h"
#include "lyncaudit/timeutil.h"

struct listener_key {
	struct lya_addr addr; /* 17 bytes */
	uint8_t transport;
	uint16_t port;
};

struct listener {
	int64_t last_ns;
};

enum { ENTRY_BYTES = 48, SHORT_S = 600 }; /* of the maps, slots included */

struct audit_listeners {
	struct audit_recent memory;
};

static bool is_of_use(const void *value, int64_t now_ns)
{
	return now_ns - ((const struct listener *)value)->last_ns <= SHORT_S * LYA_SECOND_NS;
}

struct audit_listeners *audit_listeners_new(size_t max_bytes)
{
	struct audit_listeners *l = lya_calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	if (audit_recent_init(&l->memory, sizeof(struct listener_key), sizeof(struct listener),
			      max_bytes / ENTRY_BYTES, is_of_use))
		return l;
	lya_free(l);
	return NULL;
}

void audit_listeners_free(struct audit_listeners *l)
{
	if (l == NULL)
		return;
	audit_recent_fini(&l->memory);
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
	struct listener *listener;
	bool made;
	int side;

	if (!flow->answered || flow->state == LYA_STATE_REFUSED ||
	    !lya_policy_certain_responder(flow, &side))
		return LYA_OK;
	key = key_of(flow, side);
	listener = audit_recent_put(&l->memory, &key, flow->last_ns, &made);
	if (listener == NULL)
		return LYA_ENOMEM;
	if (made || flow->last_ns > listener->last_ns)
		listener->last_ns = flow->last_ns;
	return LYA_OK;
}

uint64_t audit_listeners_lost(const struct audit_listeners *l)
{
	return l->memory.lost;
}

int audit_listeners_side(struct audit_listeners *l, const struct lya_flow *flow)
{
	struct listener_key keys[2] = { key_of(flow, 0), key_of(flow, 1) };
	bool known[2];

	for (int side = 0; side < 2; side++)
		known[side] = audit_recent_find(&l->memory, &keys[side]) != NULL;
	if (known[0] == known[1])
		return -1;
	return known[0] ? 0 : 1;
}
