/*
 * memo.h - relations asked before.
 */
#ifndef LYNCAUDIT_SRC_POLICY_MEMO_H
#define LYNCAUDIT_SRC_POLICY_MEMO_H

#include "policy/policy.h"

/*
 * The relation of two ends, from the memo or worked out into *room.  The
 * answer is borrowed from either until the next call.  memo may be NULL.
 */
const struct policy_relation *policy_memo_relate(struct lya_policy_memo *memo,
                                                 const struct lya_policy *p,
                                                 const struct lya_policy_end *i,
                                                 const struct lya_policy_end *r,
                                                 uint8_t transport, uint16_t iport,
                                                 uint16_t rport, struct policy_relation *room);

#endif
