/*
 * minutes.h - flows folded by minute, roles, hosts, port and verdict.
 *
 * What a flow gained since it was looked at last counts in the minute of its last
 * packet, under the verdict that it has by then: right to within the time between
 * two looks.  Bounded: where there are too many different rows, those to come are
 * folded without host and port; where that is too many still, they are counted as lost.
 */
#ifndef LYNCAUDIT_MINUTES_H
#define LYNCAUDIT_MINUTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lyncaudit/policy.h"
#include "lyncaudit/status.h"

enum {
	LYA_MINUTES_ROWS = 16384, /* rows that are held with host and port, */
	LYA_MINUTES_COARSE = 8192 /* and those without */
};

struct lya_minute {
	int64_t minute;              /* since 1970 */
	int32_t host[2];             /* initiator, responder: index in the site; -1: undeclared */
	uint8_t role[2];             /* enum lya_role; LYA_ROLES: none */
	uint8_t transport, verdict;  /* enum lya_verdict_kind */
	struct lya_port_range ports; /* as in the matrix */
	bool other;                  /* folded: hosts and ports tell nothing */
	uint64_t flows;              /* that were seen in it, */
	uint64_t opened;             /* and of them those seen for the first time */
	uint64_t packets, bytes;
};

struct lya_minutes;

/* policy must outlive it. */
int lya_minutes_new(struct lya_minutes **m, const struct lya_policy *policy, struct lya_error *err);
void lya_minutes_free(struct lya_minutes *m);
/* What a flow gained.  LYA_ENOMEM or 0. */
int lya_minutes_add(struct lya_minutes *m, const struct lya_flow *flow,
		    const struct lya_policy_end ends[static 2], const struct lya_verdict *verdict,
		    int64_t last_ns, const struct lya_flow_sum *gained, bool opened);
/* Add what `from` holds, of the same policy. */
int lya_minutes_merge(struct lya_minutes *m, const struct lya_minutes *from);
const struct lya_policy *lya_minutes_policy(const struct lya_minutes *m);
/* Row by row: *pos is 0 at first; false: there are no more. */
bool lya_minutes_next(const struct lya_minutes *m, size_t *pos, struct lya_minute *row);
/* Packets and bytes that found no row. */
struct lya_flow_sum lya_minutes_lost(const struct lya_minutes *m);

#endif
