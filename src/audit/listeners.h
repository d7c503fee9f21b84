/*
 * listeners.h - addresses and ports that were seen to answer.
 */
#ifndef LYNCAUDIT_SRC_AUDIT_LISTENERS_H
#define LYNCAUDIT_SRC_AUDIT_LISTENERS_H

#include "lyncaudit/flow.h"

struct audit_listeners;

/* At most max_bytes of memory; NULL when out of memory. */
struct audit_listeners *audit_listeners_new(size_t max_bytes);
void audit_listeners_free(struct audit_listeners *l);

/* Note the responder of a flow that shows it beyond doubt and that answered.  LYA_ENOMEM or 0. */
int audit_listeners_note(struct audit_listeners *l, const struct lya_flow *flow);
/* The side of the flow that is a known listener; -1 when neither or both are. */
int audit_listeners_side(struct audit_listeners *l, const struct lya_flow *flow);
/* How often one made room for others a short while after it had answered. */
uint64_t audit_listeners_lost(const struct audit_listeners *l);

#endif
