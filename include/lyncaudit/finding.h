/*
 * finding.h - from judged flows to things that somebody can fix.
 *
 * A ledger takes every flow that ended, with its ends and its verdict, and
 * keeps sums: findings (folded, bounded), coverage of the rows, the matrix of
 * who talks to whom, counts and waivers.  It opens no file and reads no clock.
 *
 * Everything in it is a sum, a least or a greatest, or a sample chosen by
 * content.  So the order of the flows does not matter, and several ledgers
 * (one per thread) merged are the same as one that took all flows.
 *
 * How flows fold.  One finding has one type, initiator, responder, transport
 * and port.  A declared server is named by host and role, an undeclared
 * address by role alone.  When the same two ends have findings of one type on
 * more than LYA_FINDING_PORTS ports, all of them become one finding with port
 * ranges (a scan).
 *
 * The id is "F-" and the first 8 hexadecimal digits of SHA-256 over type, role
 * and host of initiator and responder, transport and ports, each with a NUL
 * behind it; in place of the ports a scan has "*".  Findings about an exception
 * or the site have type and subject.  Should two findings of a report share
 * these digits, the one whose digest sorts later is given 12.
 *
 * Bound.  At most max_findings are kept: those of the graver types first,
 * among equals a choice by content, so that it does not depend on order.  The
 * flows of what is folded away are counted exactly, the findings by estimate.
 */
#ifndef LYNCAUDIT_FINDING_H
#define LYNCAUDIT_FINDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lyncaudit/flow.h"
#include "lyncaudit/pack.h"
#include "lyncaudit/policy.h"
#include "lyncaudit/rule.h"
#include "lyncaudit/site.h"
#include "lyncaudit/snat.h"
#include "lyncaudit/status.h"

enum lya_severity {
	LYA_SEVERITY_CRITICAL,
	LYA_SEVERITY_HIGH,
	LYA_SEVERITY_MEDIUM,
	LYA_SEVERITY_LOW,
	LYA_SEVERITY_INFO,
	LYA_SEVERITIES
};

const char *lya_severity_name(enum lya_severity s); /* "critical" */
bool lya_severity_find(const char *name, enum lya_severity *s);

enum {
	LYA_FINDING_ID = 16,        /* "F-3f9c2a71", with room for 12 digits */
	LYA_FINDING_PORTS = 10,     /* ports of one pair that stay findings of their own */
	LYA_FINDING_SAMPLES = 5,    /* flows that are shown of one finding */
	LYA_FINDING_RULES = 8,      /* rows that are cited */
	LYA_FINDING_BUSIEST = 16,   /* addresses that are listed of one end */
	LYA_FINDING_ADDRESSES = 64, /* addresses of one end that are counted one by one */
	LYA_FINDING_MAX = 10000     /* findings of a report */
};

/* An address of one end, and what it took part in. */
struct lya_finding_address {
	struct lya_addr addr;
	uint64_t flows;
	bool estimated; /* flows is projected from a sample */
};

/* One end of a finding. */
struct lya_finding_end {
	bool given; /* false: the finding is about no flow, or has no such end */
	enum lya_role role;
	const char *host;        /* borrowed from the site; NULL: undeclared */
	struct lya_addr address; /* the only one; family 0: several */
	struct lya_finding_address busiest[LYA_FINDING_BUSIEST]; /* most flows first */
	size_t n_busiest;
	uint64_t distinct;
	bool distinct_estimated;
};

/* One flow, shown as an example. */
struct lya_finding_sample {
	struct lya_addr src, dst;
	uint16_t sport, dport;
	uint8_t transport;
	uint8_t state; /* enum lya_flow_state */
	uint32_t source;
	uint64_t packet;
	int64_t first_ns;
	uint8_t prefix_len; /* 0: kept of no other finding than protocol-mismatch */
	uint8_t prefix[LYA_APP_PREFIX];
};

/* Where an Edge node sends what is for outside addresses, and where it should. */
struct lya_finding_gateway {
	uint8_t sent_to[6]; /* the station that most of the flows go to */
	uint8_t vip[6];     /* of the load balancer with the Access VIP */
	const char *vip_host;
	bool declared; /* vip is; else it was seen */
};

struct lya_finding {
	char id[LYA_FINDING_ID];
	enum lya_finding_type kind;
	const char *type; /* its name; "site-..." for faults of the site */
	enum lya_severity severity;
	bool has_basis;       /* basis and grade tell something */
	enum lya_basis basis; /* the best one of its flows */
	enum lya_grade grade;
	bool told;            /* to on_new, before the end */
	struct lya_finding_end initiator, responder;
	uint8_t transport;            /* 6, 17, or 0: none or either */
	bool source_port;             /* `ports` are the initiator's, not the responder's */
	struct lya_port_range *ports; /* ascending */
	size_t n_ports;
	int nearest; /* index of a rule, or -1 */
	enum lya_but but;
	int mixup;                    /* rule that was probably meant, or -1 */
	int rules[LYA_FINDING_RULES]; /* rows cited, ascending */
	size_t n_rules;
	int exception;         /* the site's exception it is about, or that has expired; -1 */
	const char *level;     /* av-edge-snat: "proven" or "observed"; else NULL */
	uint16_t snat_kinds;   /* av-edge-snat: kinds of evidence, bits LYA_SNAT_... */
	const struct lya_snat_proof *snat;  /* av-edge-snat: the one that tells most; or NULL */
	const struct lya_snat_relay *relay; /* av-edge-relay: what was answered; else NULL */
	const struct lya_finding_gateway *gateway; /* gateway-mismatch; else NULL */
	const char *statement; /* id of the statement of the prose that is broken, or NULL */
	const char *place;     /* path in the site description, or NULL */
	uint32_t spoken;       /* about payload: what was recognised, bits 1 << enum lya_app */
	const uint8_t *prefix; /* first payload bytes of the earliest sample that has some */
	size_t prefix_len;
	const char *shown; /* identity-mismatch: the host whose certificate it is; else NULL */
	const char *asked; /* ... where it is none's: the host whose name was asked for; or NULL */
	uint64_t flows, packets, bytes;
	uint64_t through; /* of the flows: those that got an answer */
	uint64_t attempted, refused;
	bool answered_by_icmp; /* an ICMP error answered an attempt: its type and code */
	uint16_t icmp;         /* as type * 256 + code; the least, should there be several */
	int64_t first_ns, last_ns; /* LYA_TIME_NONE for findings without flows */
	uint8_t digits;            /* decimals of these times */
	struct lya_finding_sample samples[LYA_FINDING_SAMPLES]; /* the earliest */
	size_t n_samples;
	char *what, *why, *fix; /* one sentence each */
};

/* Packets of a finding in a file of evidence. */
struct lya_finding_packets {
	uint64_t packets;
	uint64_t left_out; /* known to belong there, and not there: mostly for want of memory */
};

/*
 * A packet that a finding names: by its source, its number there, and a time, for the numbers
 * begin anew when a service does: that of a leg itself, and of a flow's first packet the
 * flow's first time.
 */
struct lya_packet_place {
	uint64_t number;
	int64_t time_ns;
	uint32_t source;
};

/* Who is shown packets. */
struct lya_packet_visitor {
	void (*packet)(void *ctx, const struct lya_packet_place *place);
	void *ctx;
};

struct lya_ledger;

struct lya_ledger_options {
	size_t max_findings; /* 0: LYA_FINDING_MAX */
	size_t max_bytes;    /* lowers max_findings where it must; 0: no cap */
	/*
	 * Called when a finding begins, with what is known by then, and at the end
	 * for those that nothing but the end can tell; borrowed until it returns.
	 * A scan begins with its eleventh port.  Nonzero stops, and is what
	 * lya_ledger_take or _finish answers.  May be NULL.
	 */
	int (*on_new)(void *ctx, const struct lya_finding *finding);
	void *ctx;
};

enum { LYA_FLOW_FINDINGS = 8 };

/*
 * What one flow raised, for the flow log.  ids name the findings by their own
 * port, whatever else was seen, so that a flow's line does not depend on other
 * flows; scan_ids name the findings of all ports between the same ends, which
 * stand in the report in their place when there are many ports ("" where a
 * finding never folds).
 */
struct lya_flow_findings {
	size_t n;
	char ids[LYA_FLOW_FINDINGS][LYA_FINDING_ID];
	char scan_ids[LYA_FLOW_FINDINGS][LYA_FINDING_ID];
};

/* policy and what it rests on must outlive the ledger. */
int lya_ledger_new(struct lya_ledger **l, const struct lya_policy *policy,
		   const struct lya_ledger_options *options, struct lya_error *err);
void lya_ledger_free(struct lya_ledger *l);

/*
 * Take one judged flow, with the share of it that counts here (lya_flow_share); of one
 * without a share the findings are named and nothing is counted.  ends are by side, as for
 * lya_policy_judge.  out may be NULL.  Returns 0, LYA_ENOMEM, or what on_new answered.
 */
int lya_ledger_take(struct lya_ledger *l, const struct lya_flow *flow,
		    const struct lya_policy_end ends[static 2], const struct lya_verdict *verdict,
		    struct lya_flow_findings *out);

/*
 * True when a flow so judged is part of a finding, or may be one of those that all flows
 * together make.  Of other flows no ledger shows an example.
 */
bool lya_finding_concerns(const struct lya_policy *p, const struct lya_flow *flow,
			  const struct lya_policy_end ends[static 2], const struct lya_verdict *v);

/*
 * Show the place of every packet that a finding names or, before lya_ledger_finish,
 * may come to name: the first of each flow shown, and the legs of proofs.  Some come twice.
 */
void lya_ledger_each_packet(const struct lya_ledger *l, const struct lya_packet_visitor *v);
void lya_finding_each_packet(const struct lya_finding *f, const struct lya_packet_visitor *v);

/* Add what `from` holds.  Both have the same policy and bound; neither is finished. */
int lya_ledger_merge(struct lya_ledger *l, const struct lya_ledger *from);

/*
 * A ledger as bytes.  They name rules, hosts and exceptions, so that they can be added to a
 * ledger of another policy; what that one does not have any more is left out where it is
 * cited, and stands by its old name where it is an end.  The ledger is not finished.
 */
int lya_ledger_pack(const struct lya_ledger *l, struct lya_pack *out);
/*
 * Add packed evidence.  Source i there is sources[i] here; those beyond n_sources are none.
 * LYA_EINPUT for bytes that are none; the ledger is then of no more use, as after LYA_ENOMEM.
 */
int lya_ledger_unpack(struct lya_ledger *l, const void *data, size_t len, const uint32_t *sources,
		      size_t n_sources, struct lya_error *err);

/* What is known of a capture source once all of it was read. */
struct lya_ledger_source {
	bool one_sided;  /* many of its flows show one direction only: silence proves nothing */
	int64_t last_ns; /* of its packets, or LYA_TIME_NONE */
};

/* What the end of an audit knows. */
struct lya_ledger_end {
	int64_t first_ns, last_ns;           /* of all packets; LYA_TIME_NONE without any */
	const struct lya_site_fault *faults; /* of lya_site_check; borrowed until free */
	size_t n_faults;
	const struct lya_ledger_source *sources; /* borrowed for the call; may be NULL */
	size_t n_sources;
	uint64_t unseen_ns; /* of the time between first and last: no source covers it */
	bool filtered; /* a filter left packets out: that something was not seen shows nothing */
};

/*
 * All flows are in: add what is known only now (faults of the site, unused
 * and expiring exceptions), make and sort the findings.  The functions below
 * may be called after this, and lya_ledger_take no more.  Returns 0, LYA_ENOMEM,
 * or what on_new answered.
 */
int lya_ledger_finish(struct lya_ledger *l, const struct lya_ledger_end *end,
		      struct lya_error *err);

const struct lya_policy *lya_ledger_policy(const struct lya_ledger *l);

/* By severity, then id. */
const struct lya_finding *lya_ledger_findings(const struct lya_ledger *l, size_t *n);

struct lya_ledger_counts {
	uint64_t flows, packets, bytes;
	uint64_t verdicts[LYA_VERDICTS];
	uint64_t probes, av_probes; /* health probes; those to A/V Edge nodes */
	uint64_t mutual[LYA_MUTUALS]; /* flows between servers by rows that say MTLS */
	uint64_t findings[LYA_SEVERITIES];
	uint64_t folded_findings, folded_flows; /* beyond the bound; the first is an estimate */
};
void lya_ledger_counts(const struct lya_ledger *l, struct lya_ledger_counts *out);

enum lya_coverage_status {
	LYA_COVERAGE_OBSERVED,
	LYA_COVERAGE_NOT_OBSERVED,
	LYA_COVERAGE_NOT_OBSERVABLE, /* no address of one of its roles was seen at all */
	LYA_COVERAGE_FEATURE_OFF
};

const char *lya_coverage_status_name(enum lya_coverage_status s);

struct lya_coverage {
	int rule;
	enum lya_coverage_status status;
	uint64_t flows, packets, bytes;
	int64_t first_ns, last_ns; /* LYA_TIME_NONE: none */
	uint8_t digits;
};

/* One entry per port rule, in the order of the rule set. */
const struct lya_coverage *lya_ledger_coverage(const struct lya_ledger *l, size_t *n);

/* Who talked to whom.  Rows with `other` hold the ports above the lowest 64 of a group. */
struct lya_matrix_row {
	enum lya_role from, to;
	uint8_t transport;
	enum lya_verdict_kind verdict;
	struct lya_port_range ports; /* one port, or the documented range; 0-65535: any */
	bool other;
	uint64_t flows, bytes;
};

/* Sorted by the names of from and to, transport, port, verdict. */
const struct lya_matrix_row *lya_ledger_matrix(const struct lya_ledger *l, size_t *n);

struct lya_waiver {
	const struct lya_exception *exception;
	uint64_t flows;
	bool has_days;
	int64_t days_left; /* from the day of the last packet */
};

/* By id of the exception. */
const struct lya_waiver *lya_ledger_waivers(const struct lya_ledger *l, size_t *n);

/*
 * An address or network on the external side of an Edge pool, as it is declared, and what was
 * seen of it.  Who is only sent to was not seen: it may not exist.
 */
struct lya_edge_address {
	const struct lya_site_host *host;
	const struct lya_site_address *declared;
	bool again;       /* it stands before, for another service */
	uint64_t flows;   /* it was an end of */
	uint64_t sent;    /* of the flows: it sent something in them */
	uint64_t senders; /* different addresses that sent: more than one of a network alone */
	bool senders_estimated;
	int64_t first_ns, last_ns; /* LYA_TIME_NONE: no flow */
	uint8_t digits;
};

struct lya_edge_pool {
	struct lya_site_edge_pool site;   /* what is declared, and what is needed */
	uint64_t seen_ipv4, seen_ipv6;    /* different public addresses that sent */
	struct lya_edge_address *list;    /* by service, its nodes first, then by address */
	size_t n;
};

/* By name of the pool. */
const struct lya_edge_pool *lya_ledger_edge_pools(const struct lya_ledger *l, size_t *n);

/* An address that no Edge of the site has, in a role that only an Edge plays. */
struct lya_edge_stray {
	struct lya_addr addr;
	const struct lya_finding *finding; /* that tells of it: undeclared-server, av-edge-relay */
};

/* By address, then finding.  Of a finding with many addresses the busiest. */
const struct lya_edge_stray *lya_ledger_edge_strays(const struct lya_ledger *l, size_t *n);

/* True when an address of that host of the site was an end of any flow. */
bool lya_ledger_saw_host(const struct lya_ledger *l, size_t host);

#endif
