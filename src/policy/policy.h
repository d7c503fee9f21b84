/*
 * policy.h - what the files of this module share: the rows as they are in
 * force at one site, and the relation of two ends.
 */
#ifndef LYNCAUDIT_SRC_POLICY_H
#define LYNCAUDIT_SRC_POLICY_H

#include "lyncaudit/policy.h"

/* A row in force: the document's row with the site's reading applied. */
struct policy_row {
	const struct lya_rule *rule;
	const struct lya_port_override *override; /* NULL: the row's own ports */
	const struct lya_port_range *ports;
	size_t n_ports;
	lya_roles from, to;             /* accepted, with strict and load balancing mode applied */
	lya_roles from_named, to_named; /* of those, the ones that the row names */
	lya_roles to_any_mode;          /* accepted responders whatever the load balancing mode */
	bool from_any, to_any;          /* the end is `any` in this reading */
	bool names_av;                  /* names an A/V Edge node: its `any` is never a load balancer */
	bool media;                     /* STUN or RTP: source translation is forbidden on its legs */
	bool feature_on;
	uint16_t breadth;               /* roles in from and to: fewer is more specific */
};

/* One declared VIP address: which role, for which pool, on which load balancer. */
struct policy_vip {
	enum lya_role role;
	int32_t pool, host;
};

/* A name that certificates may show, and the host that the site gives it to. */
struct policy_name {
	const char *name; /* borrowed from the site */
	int32_t host;
};

/* The rows by port, as walk.c lists them. */
struct policy_lists {
	uint32_t *first; /* by atom: where its rows begin; the next atom's entry is their end */
	uint16_t *rows;
	uint16_t *wide; /* rows of so many ports that they are in no atom's list */
	size_t n_wide;
};

struct lya_policy {
	const struct lya_site *site;
	const struct lya_rules *rules;
	bool strict;
	struct policy_row *rows; /* one per rule, as in the rule set; statements match nothing */
	size_t n_rows;
	struct policy_vip *vips;
	size_t n_vips;
	int32_t *host_pool;      /* number of each host's pool; hosts without a pool name share 0 */
	lya_roles *pool_vips;    /* VIP roles of each pool, by its number */
	lya_roles *host_stand_in; /* VIP roles that each host's nodes stand in for */
	struct policy_name *names; /* of all hosts, in order */
	size_t n_names;
	bool forbids_snat;       /* edge.p.av-no-snat is in force */
	struct policy_lists lists;
	uint16_t atom[65536];    /* ports that no row tells apart have the same number */
};

/*
 * How I (initiator) stands to R (responder) on one transport and pair of
 * ports: all that follows from roles, hosts and rows alone.
 */
struct policy_relation {
	uint16_t n_rules;                     /* rows that document it */
	int16_t rules[LYA_VERDICT_RULES_MAX]; /* the most specific first */
	bool documented;
	bool balanced;       /* only as a load balancer's leg */
	bool feature_off;    /* only by rows of features not deployed */
	uint16_t width;      /* ports in the named row's range, less one */
	bool probe;          /* a health probe may come this way */
	bool av_rewrite;     /* from a load balancer towards A/V: forbidden whatever the row */
	bool av_internal;    /* ... on the Edge's internal side */
	int16_t mode_row;    /* row that the load balancing mode forbids; -1: none */
	bool mode_reach;     /* the responder is a VIP that the mode gives only some ports */
	int16_t direction_row; /* row that documents it the other way round; -1: none */
	int16_t nearest, mixup;
	uint8_t but;
	uint16_t n_reach;    /* rows that let these roles talk, on whatever port */
	int16_t reach[LYA_VERDICT_RULES_MAX];
};

/* ends.c */
int policy_ends_init(struct lya_policy *p); /* 0 or LYA_ENOMEM */
bool policy_is_balancer(const struct lya_policy_end *e); /* an hlb address or a VIP */
/* A VIP of that role exists for the member's pool. */
bool policy_has_vip(const struct lya_policy *p, enum lya_role vip, const struct lya_policy_end *member);
/* source is the VIP itself, or an address of the load balancer that serves it for member's pool. */
bool policy_serves(const struct lya_policy *p, enum lya_role vip,
                   const struct lya_policy_end *source, const struct lya_policy_end *member);

/* rows.c */
int policy_rows_init(struct lya_policy *p, struct lya_diags *diags, struct lya_error *err);
/* The document names no port, nor does the site. */
bool policy_row_any_port(const struct policy_row *row);
bool policy_row_has_port(const struct policy_row *row, uint16_t port);
/* One of these VIP roles belongs to a pool whose load balancing mode is not hlb. */
bool policy_vips_balanced_otherwise(const struct lya_policy *p, lya_roles vips);

/*
 * walk.c: every row that has one of two ports, and a few others; each once, in their order.
 */
enum { POLICY_WALK_LISTS = 3 };

struct policy_walk {
	const uint16_t *at[POLICY_WALK_LISTS], *end[POLICY_WALK_LISTS];
};

int policy_walk_init(struct lya_policy *p); /* once rows and atoms are there; 0 or LYA_ENOMEM */
void policy_walk_fini(struct lya_policy *p);
struct policy_walk policy_walk(const struct lya_policy *p, uint16_t iport, uint16_t rport);
int policy_walk_next(struct policy_walk *w); /* a row's number; -1 when there is none left */

/* identity.c */
int policy_names_init(struct lya_policy *p);

/* relate.c */
void policy_relate(const struct lya_policy *p, const struct lya_policy_end *i,
                   const struct lya_policy_end *r, uint8_t transport, uint16_t iport,
                   uint16_t rport, struct policy_relation *out);

/* match.c: single questions about a row and two ends */
bool policy_row_ports_fit(const struct policy_row *row, uint16_t iport, uint16_t rport);
bool policy_row_joins(const struct policy_row *row, const struct lya_policy_end *i,
                      const struct lya_policy_end *r);
bool policy_leg_joins(const struct lya_policy *p, const struct policy_row *row,
                      const struct lya_policy_end *i, const struct lya_policy_end *r);
/* The row, or its leg, lets the roles of i reach those of r, on whatever port. */
bool policy_row_reaches(const struct lya_policy *p, const struct policy_row *row,
                        const struct lya_policy_end *i, const struct lya_policy_end *r);
/* nearest.c */
void policy_find_nearest(const struct lya_policy *p, const struct lya_policy_end *i,
                         const struct lya_policy_end *r, uint8_t t_bit, uint16_t iport,
                         uint16_t rport, struct policy_relation *out);
void policy_mark_mixups(uint16_t edges[65536]);

#endif
