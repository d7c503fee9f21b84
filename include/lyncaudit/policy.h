/*
 * policy.h - the verdict: a pure function of a flow, its ends' roles and the
 * documented rows.  Source: policy-model, "Flows, initiator, state" and
 * "Verdict of a flow".
 *
 * Nothing here reads a clock, allocates per flow or keeps a memory of flows.
 */
#ifndef LYNCAUDIT_POLICY_H
#define LYNCAUDIT_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lyncaudit/flow.h"
#include "lyncaudit/rule.h"
#include "lyncaudit/site.h"
#include "lyncaudit/status.h"

/* In the order in which they are asked; undetermined comes where ports are unknown. */
enum lya_verdict_kind {
	LYA_VERDICT_DOCUMENTED,
	LYA_VERDICT_OUT_OF_SCOPE,
	LYA_VERDICT_WAIVED,
	LYA_VERDICT_WRONG_DIRECTION,
	LYA_VERDICT_UNEXPECTED_PORT,
	LYA_VERDICT_UNDOCUMENTED_PATH,
	LYA_VERDICT_UNDETERMINED,
	LYA_VERDICTS
};

const char *lya_verdict_name(enum lya_verdict_kind v);

enum lya_basis {
	LYA_BASIS_SYN,
	LYA_BASIS_SYN_ACK,
	LYA_BASIS_PROTOCOL,
	LYA_BASIS_DOCUMENTED_PORT,
	LYA_BASIS_KNOWN_LISTENER,
	LYA_BASIS_PORT_ORDER,
	LYA_BASIS_FIRST_PACKET
};

enum lya_grade { LYA_GRADE_CERTAIN, LYA_GRADE_STRONG, LYA_GRADE_HINT };

const char *lya_basis_name(enum lya_basis b); /* "syn" */
const char *lya_grade_name(enum lya_grade g); /* "certain" */

enum lya_leg { LYA_LEG_NONE, LYA_LEG_BALANCED, LYA_LEG_PROBE };

/* What separates a flow from its nearest row. */
enum lya_but {
	LYA_BUT_NOTHING,   /* no row is near */
	LYA_BUT_DIRECTION,
	LYA_BUT_PORT,
	LYA_BUT_TRANSPORT,
	LYA_BUT_MODE,      /* the site's load balancing mode */
	LYA_BUT_INITIATOR, /* another role may do this */
	LYA_BUT_RESPONDER
};

const char *lya_but_name(enum lya_but b); /* "direction", "port", "transport", "load-balancing", ... */

/* Types of findings, in the order of policy-model's table. */
enum lya_finding_type {
	LYA_FINDING_NONE,
	LYA_FINDING_WRONG_DIRECTION,
	LYA_FINDING_UNEXPECTED_PORT,
	LYA_FINDING_UNDOCUMENTED_PATH,
	LYA_FINDING_AV_EDGE_SNAT,
	LYA_FINDING_FEATURE_NOT_DEPLOYED,
	LYA_FINDING_WRONG_LOAD_BALANCING,
	LYA_FINDING_CLEARTEXT,
	LYA_FINDING_MISSING_MUTUAL_TLS,
	LYA_FINDING_PROTOCOL_MISMATCH,
	LYA_FINDING_SIP_ONE_WAY,
	LYA_FINDING_BLOCKED_FLOW,
	LYA_FINDING_MISSING_FLOW,
	LYA_FINDING_EDGE_ROUTING,
	LYA_FINDING_GATEWAY_MISMATCH,
	LYA_FINDING_AV_EDGE_RELAY,
	LYA_FINDING_EDGE_PRIVATE_ADDRESS,
	LYA_FINDING_ICE_CHECK,
	LYA_FINDING_IDENTITY_MISMATCH,
	LYA_FINDING_UNDECLARED_SERVER,
	LYA_FINDING_EXCEPTION_EXPIRED,
	LYA_FINDING_EXCEPTION_EXPIRING,
	LYA_FINDING_EXCEPTION_UNUSED,
	LYA_FINDING_SITE, /* "site-...": the type's name comes from the site's fault */
	LYA_FINDING_TYPES
};

const char *lya_finding_type_name(enum lya_finding_type t);

/* One end of a flow as the policy sees it. */
struct lya_policy_end {
	lya_roles roles;     /* declared and derived */
	lya_roles effective; /* and the VIP roles a node stands in for */
	int32_t host;        /* index in the site; -1: undeclared */
	int32_t pool;        /* number of the host's pool; -1: undeclared */
	bool no_role;
};

/* A documented flow of rows that say MTLS, opened by a server: did it prove who it is? */
enum lya_mutual {
	LYA_MUTUAL_NOT_DUE, /* no such flow */
	LYA_MUTUAL_PROVEN,
	LYA_MUTUAL_ONE_WAY,
	LYA_MUTUAL_UNDETERMINED,
	LYA_MUTUAL_REJECTED, /* tried, and not accepted: no service either */
	LYA_MUTUALS
};

const char *lya_mutual_name(enum lya_mutual m); /* "mutual", "one_way", ...: keys of the report */

/* What the payload adds to a verdict; zero: nothing. */
struct lya_payload_verdict {
	uint8_t finding; /* enum lya_finding_type: cleartext, protocol-mismatch, missing-mutual-tls */
	uint8_t mutual;  /* enum lya_mutual */
	bool rpc_child;  /* documented by the rows of the endpoint mapper that named its port */
	/*
	 * Another host, its number plus one: the server shows its certificate.
	 * Negative: the client asked for its name in vain.  0: neither.
	 */
	int32_t shown;
};

/* More than any flow matches of the shipped rules; of more than these the most specific are told. */
enum { LYA_VERDICT_RULES_MAX = 24 };

struct lya_snat_evidence;

struct lya_verdict {
	uint8_t kind;        /* enum lya_verdict_kind */
	uint8_t initiator;   /* the flow's side that opened it */
	uint8_t basis, grade;
	uint8_t leg;         /* enum lya_leg */
	uint8_t finding;     /* enum lya_finding_type: the finding the verdict itself raises */
	uint8_t but;         /* enum lya_but */
	bool feature_off;    /* documented, but only by rows of features the site does not list */
	bool av_proven;      /* LYA_FINDING_AV_EDGE_SNAT: STUN, TURN or media payload was seen */
	bool av_internal;    /* ... on the internal side */
	struct lya_payload_verdict payload; /* by lya_policy_inspect */
	int16_t nearest;     /* index of the rule; -1: none */
	int16_t mixup;       /* rule whose port or transport was probably meant; -1: none */
	int32_t exception;   /* that waives it; -1: none */
	int32_t expired;     /* exception that would have, but for its date; -1: none */
	uint16_t n_rules;    /* matching rules (documented), or rows that let these roles talk */
	int16_t rules[LYA_VERDICT_RULES_MAX]; /* the named one first */
	const struct lya_snat_evidence *snat; /* set by lya_snat_judge alone; borrowed; NULL: none */
};

struct lya_policy;

/*
 * Put site and rules together.  Both must outlive the policy.  strict reads
 * "may be set to" as the listed roles only.  Faults (a port override of a
 * rule that does not exist) go to diags; with an error the answer is LYA_EINPUT.
 */
int lya_policy_new(struct lya_policy **p, const struct lya_site *site,
                   const struct lya_rules *rules, bool strict, struct lya_diags *diags,
                   struct lya_error *err);
void lya_policy_free(struct lya_policy *p);

const struct lya_site *lya_policy_site(const struct lya_policy *p);
const struct lya_rules *lya_policy_rules(const struct lya_policy *p);

bool lya_policy_is_strict(const struct lya_policy *p);

/* The roles of an address in this policy. */
void lya_policy_end_of(const struct lya_policy *p, const struct lya_addr *addr,
                       struct lya_policy_end *out);

/*
 * A memo of relations between kinds of ends, so that the same question is
 * answered once; one per thread.  Bounded.  NULL when out of memory.
 */
struct lya_policy_memo;
struct lya_policy_memo *lya_policy_memo_new(const struct lya_policy *p);
void lya_policy_memo_free(struct lya_policy_memo *m);

/*
 * Judge a flow whose ends are given (by side).  listener_side is the side
 * that is a known listener by other flows of this audit, or -1.  memo may be
 * NULL: the answer is the same.
 */
void lya_policy_judge(const struct lya_policy *p, struct lya_policy_memo *memo,
                      const struct lya_flow *flow, const struct lya_policy_end ends[static 2],
                      int listener_side, struct lya_verdict *out);

/*
 * A judged flow goes to a port of server_side that this host's endpoint mapper
 * named to the other end shortly before.  Where rows for the endpoint mapper let
 * the two talk, they document this flow as well: the verdict is made anew.
 */
void lya_policy_expect(const struct lya_policy *p, struct lya_policy_memo *memo,
                       const struct lya_flow *flow, const struct lya_policy_end ends[static 2],
                       int server_side, struct lya_verdict *verdict);

/*
 * One name of a certificate that an end shows.  *own becomes true when the site
 * gives that name to the end's own host, or to one that stands before or behind
 * it as VIP and member; else *other becomes the least host that it gives the name
 * to (start with -1).  A certificate belongs elsewhere when all its names leave
 * own false and other a host.
 */
void lya_policy_cert_name(const struct lya_policy *p, const struct lya_policy_end *end,
                          const char *name, bool *own, int32_t *other);

/*
 * The name that a client asks a server for when it opens TLS.  Returns it as
 * the site spells it, with the least host that has it in *host, when the site
 * gives it to others alone: neither to the server's own host nor to one that
 * stands before or behind it.  NULL when it says nothing: proxies and balancers
 * pass on what others ask for.
 */
const char *lya_policy_asked(const struct lya_policy *p, const struct lya_policy_end *client,
                             const struct lya_policy_end *server, const char *name,
                             int32_t *host);
/* Whether a name of a certificate, which may begin with "*.", stands for this one. */
bool lya_policy_cert_covers(const char *cert_name, const char *name);

/*
 * Look into what a judged flow speaks, and enter it in verdict->payload: is it
 * what the matching rows document, and is it protected as they say?  A finding
 * needs every one of them to be broken.
 */
void lya_policy_inspect(const struct lya_policy *p, const struct lya_flow *flow,
                        const struct lya_policy_end ends[static 2], struct lya_verdict *verdict);

/* True when the flow itself shows who opened it beyond doubt: *side is the responder's side. */
bool lya_policy_certain_responder(const struct lya_flow *flow, int *side);

/* The ports of a rule in force here (moved by the site or the rule's own). */
const struct lya_port_range *lya_policy_ports(const struct lya_policy *p, size_t rule, size_t *n);
/* The site's port override of a rule, or NULL. */
const struct lya_port_override *lya_policy_override(const struct lya_policy *p, size_t rule);
/* The rules hold the statement that av-edge-snat is about (edge.p.av-no-snat). */
bool lya_policy_forbids_snat(const struct lya_policy *p);
/* False when the rule's feature is not deployed. */
bool lya_policy_feature_on(const struct lya_policy *p, size_t rule);
/* The accepted roles of a rule's ends in this reading (strict or not, load balancing mode applied). */
void lya_policy_rule_ends(const struct lya_policy *p, size_t rule, lya_roles *from, lya_roles *to);
/*
 * The role to name an end by: one that the rule's end holds (rule >= 0), else
 * the most telling of its roles.
 */
enum lya_role lya_policy_role(const struct lya_policy *p, const struct lya_policy_end *end,
                              int rule, bool is_from);

#endif
