/*
 * packing.h - a ledger as bytes, and back: what the files that do it share.
 *
 *	version
 *	names of rules, hosts and exceptions, in the order in which they are first used
 *	counts, coverage, matrix, waived, overall, attempts, folds
 *
 * Rules, hosts and exceptions are packed as numbers of these lists, from 1; 0 is none.
 * Roles, types, verdicts and other enumerations stand as they are: whoever changes
 * one raises the version.
 *
 * Whoever adds a sum to the ledger packs it here; test_pack compares what comes back.
 */
#ifndef LYNCAUDIT_SRC_FINDING_PACKING_H
#define LYNCAUDIT_SRC_FINDING_PACKING_H

#include "finding/ledger.h"
#include "lyncaudit/pack.h"

enum { PACK_VERSION = 2, PACK_NAME_MAX = 65536 };

/* Indices of one kind that were used, in that order. */
struct packing_names {
	uint32_t *number; /* by index: its place in list, plus one; 0: not used yet */
	size_t n_index;
	uint32_t *list;
	size_t n, cap;
};

struct packing {
	const struct lya_ledger *ledger;
	struct lya_pack body;
	struct packing_names rules, hosts, exceptions;
};

/* index -1: none */
void packing_name(struct packing *p, struct packing_names *names, int32_t index);

struct unpacking {
	struct lya_ledger *ledger;
	struct lya_unpack in;
	bool nomem;
	int32_t *rules, *hosts, *exceptions; /* by number less one: index here; -1: there is none */
	size_t n_rules, n_hosts, n_exceptions;
	const uint32_t *sources;
	size_t n_sources;
};

static inline bool unpacking_failed(const struct unpacking *u)
{
	return u->nomem || lya_unpack_failed(&u->in);
}

int32_t unpacking_rule(struct unpacking *u);
int32_t unpacking_host(struct unpacking *u);
int32_t unpacking_exception(struct unpacking *u);
/* One that ends, as one must that has expired. */
int32_t unpacking_expired(struct unpacking *u);
/* UINT32_MAX: none of those that are known here. */
uint32_t unpacking_source(struct unpacking *u);

/* pack_entry.c */
void pack_entry(struct packing *p, const struct entry *e);
/* NULL: failed, or out of memory (u->nomem). */
struct entry *unpack_entry(struct unpacking *u);
void pack_ports(struct packing *p, struct lya_port_range ports);
struct lya_port_range unpack_ports(struct unpacking *u);

void pack_marks(struct packing *p, const struct marks *m);
void unpack_marks(struct unpacking *u, struct marks *m);

/* pack_folds.c */
void pack_pair_key(struct packing *p, const struct pair_key *key);
/* False: it is about something that is not there any more. */
bool unpack_pair_key(struct unpacking *u, struct pair_key *key);
void pack_folds(struct packing *p, const struct folds *f);
void unpack_folds(struct unpacking *u, struct folds *f);

/* pack_overall.c */
void pack_split(struct packing *p, const struct split *s);
void unpack_split(struct unpacking *u, struct split *s);
void pack_overall(struct packing *p, const struct overall *o);
void unpack_overall(struct unpacking *u, struct overall *o);

/* pack_gateway.c */
void pack_gateway(struct packing *p, const struct gateway *g);
void unpack_gateway(struct unpacking *u, struct gateway *g);

/* attempts.c, matrix.c and seen.c pack what they alone know. */
void attempts_pack(struct packing *p, const struct attempts *a);
void attempts_unpack(struct unpacking *u, struct attempts *a);
void seen_pack(struct packing *p, const struct seen *s);
void seen_unpack(struct unpacking *u, struct seen *s);
void matrix_pack(struct packing *p, const struct matrix *m);
void matrix_unpack(struct unpacking *u, struct matrix *m);

#endif
