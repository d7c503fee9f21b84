/*
 * gateway.h - by which MAC address Edge nodes send outside, and which one is the Access VIP's.
 *
 * Sets of MAC addresses keep the least ones, so that what is kept does not depend on the
 * order of the flows.  A set that overflowed proves nothing any more.
 */
#ifndef LYNCAUDIT_SRC_FINDING_GATEWAY_H
#define LYNCAUDIT_SRC_FINDING_GATEWAY_H

#include "lyncaudit/finding.h"

enum { MACS_MAX = 8 };

/* As numbers of 48 bits, as they are read; 0: none. */
struct macs {
	uint64_t list[MACS_MAX]; /* ascending */
	uint8_t n;
	bool more; /* there were others */
};

/* What an Edge node sends from its external interface to outside addresses. */
struct sent {
	uint64_t from, to;
	uint8_t role; /* the least of those that its addresses play */
	struct entry *entry;
};

struct gateway_host {
	struct macs macs;           /* its addresses send with */
	struct macs reached;        /* frames to its Access VIP are sent to */
	struct sent sent[MACS_MAX]; /* ascending by from, to */
	uint8_t n_sent;
	int32_t vip_pool;                 /* whose Access VIP it bears; -1: none */
	struct lya_finding_gateway found; /* of its finding */
};

struct gateway {
	struct gateway_host *hosts; /* of the site */
	size_t n_hosts;
};

int gateway_init(struct gateway *g, const struct lya_policy *p);
void gateway_fini(struct gateway *g);
int gateway_take(struct gateway *g, const struct lya_policy *p, const struct lya_flow *flow,
		 const struct lya_policy_end ends[static 2], const struct lya_verdict *v);
/* A flow that may become an example. */
bool gateway_shows(const struct lya_policy *p, const struct lya_flow *flow,
		   const struct lya_policy_end ends[static 2]);
int gateway_merge(struct gateway *g, const struct gateway *from);
int gateway_merge_host(struct gateway_host *h, const struct gateway_host *from);
void gateway_host_fini(struct gateway_host *h);
void gateway_each_packet(const struct gateway *g, const struct lya_packet_visitor *v);
int gateway_findings(const struct lya_ledger *l, struct lya_finding **list, size_t *n, size_t *cap);

#endif
