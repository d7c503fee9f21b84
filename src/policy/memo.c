/*
 * memo.c - relations asked before.
 *
 * A relation depends on the ends' roles and hosts and on the stretch of ports
 * (atom) that each port lies in, so a deployment has few of them, however
 * many flows.  The memo is direct mapped: a new relation takes the place of an
 * old one that falls on the same slot, so it never grows.
 */
#include "policy/memo.h"

#include "lyncaudit/alloc.h"
#include "lyncaudit/hash.h"

enum { MEMO_SLOTS = 4096 }; /* about 1 MiB; a power of two */

struct memo_key {
	lya_roles iroles, rroles;
	int32_t ihost, rhost;
	uint16_t iatom, ratom;
	uint8_t transport;
	uint8_t used;
	uint8_t zero[2]; /* no padding: keys are compared as bytes */
};

struct memo_slot {
	struct memo_key key;
	struct policy_relation relation;
};

struct lya_policy_memo {
	struct lya_hash_key hash;
	struct memo_slot slots[MEMO_SLOTS];
};

struct lya_policy_memo *lya_policy_memo_new(const struct lya_policy *p)
{
	struct lya_policy_memo *m = lya_calloc(1, sizeof(*m));

	(void)p; /* a memo belongs to one policy: the caller keeps them together */
	if (m != NULL)
		m->hash = lya_hash_key_random();
	return m;
}

void lya_policy_memo_free(struct lya_policy_memo *m)
{
	lya_free(m);
}

const struct policy_relation *policy_memo_relate(struct lya_policy_memo *memo,
                                                 const struct lya_policy *p,
                                                 const struct lya_policy_end *i,
                                                 const struct lya_policy_end *r,
                                                 uint8_t transport, uint16_t iport,
                                                 uint16_t rport, struct policy_relation *room)
{
	struct memo_key key = { .iroles = i->roles, .rroles = r->roles, .ihost = i->host,
		                .rhost = r->host, .iatom = p->atom[iport], .ratom = p->atom[rport],
		                .transport = transport, .used = 1 };
	struct memo_slot *slot;

	if (memo == NULL) {
		policy_relate(p, i, r, transport, iport, rport, room);
		return room;
	}
	slot = &memo->slots[lya_hash(&memo->hash, &key, sizeof(key)) & (MEMO_SLOTS - 1)];
	if (memcmp(&slot->key, &key, sizeof(key)) != 0) {
		slot->key = key;
		policy_relate(p, i, r, transport, iport, rport, &slot->relation);
	}
	/* The other orientation may fall on the same slot: hand out a copy. */
	*room = slot->relation;
	return room;
}
