/*
 * overall.h - what only all flows together can show.
 *
 * Every part is a sum, a least, a set or a mark, so that the order of the
 * flows does not matter and what several ledgers took can be joined.
 */
#ifndef LYNCAUDIT_SRC_FINDING_OVERALL_H
#define LYNCAUDIT_SRC_FINDING_OVERALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "finding/gateway.h"
#include "lyncaudit/finding.h"

struct entry;
struct seen_sum;
struct lya_map;

/* split.c: sums by capture source, since a source may turn out to show one direction only */

struct split {
	struct split_part {
		uint32_t source;
		struct entry *entry;
	} * list; /* ascending by source */
	size_t n, cap;
};

/* Add a flow under its source; *made (may be NULL) tells of a new part. */
int split_add(struct split *s, const struct lya_flow *flow,
	      const struct lya_policy_end ends[static 2], const struct lya_verdict *v, bool *made);
/* Add the sums of many flows. */
int split_put(struct split *s, uint32_t source, const struct entry *sums);
/* *made: parts that are new. */
int split_merge(struct split *s, const struct split *from, size_t *made);
void split_fini(struct split *s);
void entry_each_packet(const struct entry *e, const struct lya_packet_visitor *v);
void split_each_packet(const struct split *s, const struct lya_packet_visitor *v);

/*
 * True when a part proves that nobody answered: a refusal was seen, or its
 * source shows both directions and there was time for an answer after the first
 * attempt.
 */
bool split_proves(const struct split_part *part, const struct lya_ledger_end *end);

/* attempts.c: who tried to reach whom where, and whether any attempt got through ---- */

/*
 * Bounded without regard to order: at level n only those keys are kept whose
 * hash ends in n zero bits.  Where the kept ones weigh too much the level
 * rises; the last level depends on the set of keys alone.  Keys between two
 * declared servers stay until all others are gone.
 */
struct attempts {
	struct lya_map *map; /* struct attempt_key to struct attempt */
	size_t weight, max;
	unsigned level;
};

int attempts_init(struct attempts *a, size_t max);
void attempts_fini(struct attempts *a);
int attempts_take(struct attempts *a, const struct lya_policy *p, const struct lya_flow *flow,
		  const struct lya_policy_end ends[static 2], const struct lya_verdict *v);
/* A flow that the attempts count as failed, whatever else they hold. */
bool attempts_fail(const struct lya_policy *p, const struct lya_flow *flow,
		   const struct lya_policy_end ends[static 2], const struct lya_verdict *v);
int attempts_merge(struct attempts *a, const struct attempts *from);

void attempts_each_packet(const struct attempts *a, const struct lya_packet_visitor *v);

struct folds;
/* All flows are in: what was tried and never got through becomes findings. */
int attempts_finish(const struct attempts *a, const struct lya_site *site,
		    const struct lya_ledger_end *end, struct folds *folds);

/* seen.c: the declared addresses on the external side of the Edge ----------------------- */

struct seen {
	struct seen_sum *list; /* one for each address of each host, as the site has them */
	size_t *first;         /* by host: where its own begin; and where the last ones end */
	size_t n_hosts;
	/* What was added to last, which is mostly what comes next; NULL: it has other roles, too. */
	const struct lya_addr *last;
	struct seen_sum *last_sum;
};

int seen_init(struct seen *s, const struct lya_site *site);
void seen_fini(struct seen *s);
int seen_take(struct seen *s, const struct lya_site *site, const struct lya_flow *flow,
	      const struct lya_policy_end ends[static 2]);
int seen_merge(struct seen *s, const struct seen *from);

/* overall.c -------------------------------------------------------------------------- */

enum sip_way { SIP_TO_EDGE, SIP_FROM_EDGE, SIP_WAYS };

struct overall {
	struct attempts attempts;
	struct split (*sip)[SIP_WAYS]; /* per number of an Edge pool */
	size_t n_pools;
	bool *tried; /* per rule: a flow that is not allowed was probably meant for it */
	bool *hosts; /* per host of the site: one of its addresses was an end */
	size_t n_rules, n_hosts;
	struct gateway gateway;
	struct seen seen;
};

int overall_init(struct overall *o, const struct lya_policy *p, size_t max_findings);
void overall_fini(struct overall *o);
int overall_take(struct overall *o, const struct lya_policy *p, const struct lya_flow *flow,
		 const struct lya_policy_end ends[static 2], const struct lya_verdict *v);
/* A flow that may be an example of what all flows together show. */
bool overall_shows(const struct lya_policy *p, const struct lya_flow *flow,
		   const struct lya_policy_end ends[static 2], const struct lya_verdict *v);
int overall_merge(struct overall *o, const struct overall *from);

struct lya_ledger;
/* Findings of one-way SIP, rows never tried and wrong gateways are added to the list. */
int overall_findings(const struct lya_ledger *l, struct lya_finding **list, size_t *n, size_t *cap);

/* misplaced.c: what one flow shows of routes, addresses and servers that nobody declared */

/* The side of an A/V Edge with a private address that talks with the Internet; -1: neither. */
int misplaced_address(const struct lya_policy *p, const struct lya_flow *flow,
		      const struct lya_policy_end ends[static 2], const struct lya_verdict *v);

bool misplaced_route(const struct lya_flow *flow, const struct lya_policy_end ends[static 2],
		     const struct lya_verdict *v);
/* The row whose listener an undeclared address plays; -1: none. */
int misplaced_server(const struct lya_policy *p, const struct lya_flow *flow,
		     const struct lya_policy_end ends[static 2], const struct lya_verdict *v);

#endif
