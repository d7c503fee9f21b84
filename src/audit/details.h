/*
 * details.h - what payloads said that concerns other flows.
 */
#ifndef LYNCAUDIT_AUDIT_DETAILS_H
#define LYNCAUDIT_AUDIT_DETAILS_H

#include "lyncaudit/flow.h"
#include "lyncaudit/policy.h"

/* For how long a port that the endpoint mapper named is expected to be used, in packet time. */
enum { AUDIT_RPC_EXPECTED_S = 600 };

struct audit_details;

struct audit_details *audit_details_new(const struct lya_policy *policy, size_t max_bytes);
void audit_details_free(struct audit_details *a);
/* 0 or LYA_ENOMEM, as below. */
int audit_details_take(struct audit_details *a, const struct lya_flow_detail *d);
/* What was told so far is known.  0 or LYA_ENOMEM. */
int audit_details_settle(struct audit_details *a);
/* After that: go on with another policy.  Hosts are known by their names. */
void audit_details_rebase(struct audit_details *a, const struct lya_policy *policy);
/* The side whose endpoint mapper told the other one to come to its port; -1: none. */
int audit_details_expected(struct audit_details *a, const struct lya_flow *flow);
/*
 * *host is the one whose certificate the server of this flow shows instead of
 * its own; -2 - *host the one whose name its client asked for in vain; -1: none.
 */
int audit_details_shown(struct audit_details *a, const struct lya_flow *flow, int32_t *host);
/* How often something was forgotten for want of room while it was of use. */
uint64_t audit_details_lost(const struct audit_details *a);

#endif
