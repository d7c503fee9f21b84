/*
 * ledger.h - what the files of this module share.
 *
 *	take -> raise -> folds: pair of ends -> entry per port, or one for a scan
 *	     -> coverage, matrix, waivers
 *	finish: pairs and entries -> struct lya_finding, with sentences, sorted
 */
#ifndef LYNCAUDIT_SRC_FINDING_H
#define LYNCAUDIT_SRC_FINDING_H

#include "finding/overall.h"
#include "lyncaudit/finding.h"
#include "lyncaudit/hash.h"
#include "lyncaudit/text.h"
#include "lyncaudit/timeutil.h"

/* A hash that is the same in every run: where it chooses, the choice must not vary. */
uint64_t finding_hash(const void *data, size_t len);

/* crowd.c: the addresses of one end ------------------------------------------- */

enum { CROWD_DRAWS = 64, MARKS_MAX = 256 };

/* How many different things: the least MARKS_MAX hashes of them, ascending. */
struct marks {
	uint64_t *list;
	size_t n, cap;
};

int marks_add(struct marks *m, uint64_t hash);
int marks_merge(struct marks *m, const struct marks *from);
uint64_t marks_count(const struct marks *m, bool *estimated);
void marks_fini(struct marks *m);

struct crowd_member {
	struct lya_addr addr;
	uint64_t flows;
};

struct crowd_draw {
	uint64_t hash; /* of the flow */
	struct lya_addr addr;
};

/*
 * Members are counted one by one up to LYA_FINDING_ADDRESSES.  Beyond that
 * the busiest are read from a sample of the flows (the CROWD_DRAWS with the
 * least hashes): like the marks it is the same in whatever order they come.
 */
struct crowd {
	struct crowd_member *members; /* ascending */
	size_t n_members, cap_members;
	bool many;                /* there were more: members is empty */
	struct crowd_draw *draws; /* ascending by hash, then address */
	size_t n_draws, cap_draws;
	struct marks marks;
	uint64_t flows;
};

int crowd_add(struct crowd *c, const struct lya_addr *addr, uint64_t flow_hash);
int crowd_merge(struct crowd *c, const struct crowd *from);
void crowd_read(const struct crowd *c, struct lya_finding_end *out);
void crowd_fini(struct crowd *c);

/* seen.c: what was seen of an address as it is declared ------------------------ */

struct seen_sum {
	uint64_t flows; /* it was an end of */
	uint64_t sent;  /* of the flows: it sent something */
	int64_t first_ns, last_ns;
	uint8_t digits;
	struct marks senders; /* of a network: its addresses that sent */
};

/* Add sums to sums. */
int seen_add(struct seen_sum *sum, const struct seen_sum *more);
/* More than one address. */
bool seen_is_network(const struct lya_net *net);

/* entry.c: the sums of one finding -------------------------------------------- */

struct entry {
	char id[LYA_FINDING_ID];     /* all 12 digits; "" until asked for */
	struct lya_port_range ports; /* meaningless in a scan */
	uint64_t flows, packets, bytes, through, attempted, refused;
	int64_t first_ns, last_ns;
	uint8_t digits;
	uint8_t basis, grade; /* the best */
	uint8_t but;
	bool intrusion; /* from outside to an inner role, whether it got through or not */
	bool external;  /* one end is external */
	bool proven, av_internal;
	bool told;       /* to on_new */
	uint32_t spoken; /* bits 1 << enum lya_app; only where the finding is about payload */
	uint16_t icmp;   /* type, code of an error that answered; the least, UINT16_MAX: none */
	uint16_t snat_kinds;         /* bits LYA_SNAT_... */
	struct lya_snat_proof *snat; /* NULL: none */
	struct lya_snat_relay *relay;
	const struct lya_finding_gateway *gateway; /* borrowed; NULL: not about that */
	int32_t nearest, mixup, expired, shown, asked; /* the least; INT32_MAX: none */
	int32_t rules[LYA_FINDING_RULES];
	size_t n_rules;
	struct lya_finding_sample samples[LYA_FINDING_SAMPLES];
	size_t n_samples;
	struct crowd crowds[2]; /* initiators, responders */
};

struct entry *entry_new(struct lya_port_range ports);
void entry_free(struct entry *e);
int entry_add(struct entry *e, enum lya_finding_type type, const struct lya_flow *flow,
	      const struct lya_policy_end ends[static 2], const struct lya_verdict *v);
int entry_merge(struct entry *e, const struct entry *from);
/* The flow got an answer: more than an attempt that nobody or a refusal met. */
bool flow_through(const struct lya_flow *flow);

/* folds.c: pairs of ends, bounded ---------------------------------------------- */

enum { PAIR_NO_ROLE = 0xff };

/* What makes flows one matter.  Padding is zero: it is hashed and compared as bytes. */
struct pair_key {
	int32_t host[2];   /* initiator, responder; -1: undeclared.  Exceptions: their index, -1 */
	uint8_t role[2];   /* enum lya_role or PAIR_NO_ROLE */
	uint8_t type;      /* enum lya_finding_type */
	uint8_t transport; /* 0: a finding of either */
	uint8_t source_port;
	uint8_t zero[3];
};

struct pair {
	struct pair_key key;
	uint8_t rank; /* gravest severity of its type: fixed, unlike the finding's own */
	uint64_t hash;
	struct entry **entries; /* ascending by ports, at most LYA_FINDING_PORTS */
	size_t n_entries;
	struct entry *scan;           /* in place of entries */
	char scan_id[LYA_FINDING_ID]; /* as an entry's */
	uint64_t *ports;              /* of a scan: a bit per port */
};

/*
 * The pairs kept are the first in order of (rank, hash) whose weights fit.  A
 * pair's weight only grows and a pair once dropped stays out, so the outcome
 * is the same in any order: whatever was kept to the end was never dropped.
 */
struct folds {
	struct lya_map *map; /* key to struct pair *, NULL once dropped */
	struct pair **heap;  /* the last in order on top */
	size_t n, cap;
	size_t weight, max;
	bool closed; /* pairs from (rank, hash) on are not taken */
	uint8_t closed_rank;
	uint64_t closed_hash;
	uint64_t flows;     /* raised, kept or not */
	struct marks marks; /* raised: keys with ports */
};

int folds_init(struct folds *f, size_t max);
void folds_fini(struct folds *f);

/* Where folds_add put a flow. */
struct fold_place {
	struct pair *pair; /* NULL: beyond the bound */
	struct entry *entry;
	bool made; /* the entry is new */
};

int folds_add(struct folds *f, const struct pair_key *key, uint8_t rank,
	      struct lya_port_range ports, const struct lya_flow *flow,
	      const struct lya_policy_end ends[static 2], const struct lya_verdict *v,
	      struct fold_place *place);
/* As folds_add, for the sums of many flows. */
int folds_put(struct folds *f, const struct pair_key *key, uint8_t rank,
	      struct lya_port_range ports, const struct entry *sums);
int folds_merge(struct folds *f, const struct folds *from);
/* What folds_merge is made of: a pair's sums, without its count of flows; and a bound. */
int folds_take(struct folds *f, const struct pair *from);
void folds_close(struct folds *f, uint8_t rank, uint64_t hash);
void pair_free(struct pair *p);
/* Kept findings, before sorting; and those that did not fit. */
size_t folds_count(const struct folds *f);
void folds_dropped(const struct folds *f, uint64_t *findings, uint64_t *flows);

/* coverage.c, matrix.c ----------------------------------------------------------- */

struct coverage {
	struct lya_coverage *list; /* one per rule of the set, statements too while it grows */
	size_t n;
	lya_roles seen; /* roles of all addresses of all flows */
};

int coverage_init(struct coverage *c, const struct lya_policy *p);
void coverage_fini(struct coverage *c);
void coverage_take(struct coverage *c, const struct lya_flow *flow,
		   const struct lya_policy_end ends[static 2], const struct lya_verdict *v);
/* Sums of the row sums->rule. */
void coverage_add(struct coverage *c, const struct lya_coverage *sums);
void coverage_merge(struct coverage *c, const struct coverage *from);
void coverage_finish(struct coverage *c, const struct lya_policy *p);

struct matrix {
	struct lya_map *map;         /* group to cells */
	struct lya_matrix_row *rows; /* made at the end */
	size_t n_rows;
};

int matrix_init(struct matrix *m);
void matrix_fini(struct matrix *m);
int matrix_take(struct matrix *m, const struct lya_policy *p, const struct lya_flow *flow,
		const struct lya_policy_end ends[static 2], const struct lya_verdict *v);
int matrix_merge(struct matrix *m, const struct matrix *from);
int matrix_finish(struct matrix *m);

/* name.c: the role that an end of a flow goes by; LYA_ROLES: none ------------------ */

enum lya_role name_role(const struct lya_policy *p, const struct lya_policy_end *end,
			const struct lya_verdict *v, bool initiator);
/*
 * The responder's port, or the documented range of `rule` that holds it (or
 * the initiator's, where the row speaks of that).
 */
struct lya_port_range name_ports(const struct lya_policy *p, int rule, uint16_t iport,
				 uint16_t rport);

/* severity.c ------------------------------------------------------------------------ */

enum lya_severity severity_of(const struct lya_site *site, enum lya_finding_type type,
			      const char *type_name, const struct entry *e);
enum lya_severity severity_gravest(const struct lya_site *site, enum lya_finding_type type);

/* The ledger ------------------------------------------------------------------------ */

/*
 * What packed evidence names and this policy does not have any more: hosts, whose index is
 * that of the site's hosts and these, one after the other; exceptions that waived flows.
 */
struct former {
	char **hosts;
	size_t n_hosts, cap_hosts;
	struct former_waiver {
		struct lya_exception exception; /* id, reason, owner and expiry */
		uint64_t flows;
	} *waivers; /* by id */
	size_t n_waivers, cap_waivers;
};

/* Index of a host by that name, a former one when it must be; -1: out of memory. */
int32_t former_host(struct lya_ledger *l, const char *name);
/* Flows of an exception that is gone; what it owns is taken over or freed. */
int former_waive(struct former *f, struct lya_exception *exception, uint64_t flows);
bool former_is_empty(const struct former *f);
void former_fini(struct former *f);

struct lya_ledger {
	const struct lya_policy *policy;
	const struct lya_site *site;
	const struct lya_rules *rules;
	struct lya_ledger_options options;
	struct folds folds;
	struct coverage coverage;
	struct matrix matrix;
	struct overall overall;
	uint64_t *waived; /* flows per exception */
	bool *expired;    /* per exception: it would have matched */
	struct former former;
	struct lya_ledger_counts counts;
	struct lya_ledger_end end;
	struct lya_finding *findings; /* made at the end, sorted */
	size_t n_findings;
	struct lya_waiver *waivers;
	size_t n_waivers;
	struct lya_edge_pool *edge_pools;
	size_t n_edge_pools;
	struct lya_edge_stray *edge_strays;
	size_t n_edge_strays;
};

/* The name of a host by its index, a former one too. */
const char *ledger_host_name(const struct lya_ledger *l, int32_t host);

/* identify.c: ids.  `ports` NULL: a scan. */
void identify_pair(const struct lya_ledger *l, const struct pair_key *key,
		   const struct lya_port_range *ports, char id[static LYA_FINDING_ID]);
void identify_subject(const char *type, const char *about, char id[static LYA_FINDING_ID]);
/* Give 12 digits to the later of two that share 8; findings are sorted by id. */

/* build.c: a finding from its sums; false when out of memory.  finding_fini frees it. */
bool build_finding(const struct lya_ledger *l, const struct pair *pair, const struct entry *e,
		   struct lya_finding *out);
void finding_fini(struct lya_finding *f);

/* ledger.c: the time that was watched, without holes and silences; 0 without packets */
int64_t ledger_watched_ns(const struct lya_ledger *l);

/* deployment.c: findings about the site and its exceptions */
struct lya_finding deployment_blank(const struct lya_ledger *l, enum lya_finding_type kind,
				    const char *type);
int deployment_push(struct lya_finding **list, size_t *n, size_t *cap, const struct lya_finding *f);
int deployment_findings(struct lya_ledger *l, struct lya_finding **list, size_t *n, size_t *cap);
int deployment_waivers(struct lya_ledger *l);
/*
 * Days from the day of the last packet to the day of expiry, in the site's time zone; false:
 * no expiry or no packets.
 */
bool deployment_days_left(const struct lya_site *site, const struct lya_exception *ex,
			  int64_t last_ns, int64_t *days);

/* edge.c: the external side of the Edge, once findings are sorted */
int edge_finish(struct lya_ledger *l);
void edge_fini(struct lya_ledger *l);

/* sentence.c: what, why and fix; false when out of memory */
bool sentence_write(const struct lya_ledger *l, struct lya_finding *f);

#endif
