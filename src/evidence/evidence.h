/*
 * evidence.h - what the files of this module share of struct lya_evidence.
 */
#ifndef LYNCAUDIT_SRC_EVIDENCE_H
#define LYNCAUDIT_SRC_EVIDENCE_H

#include "evidence/kept.h"

struct lya_evidence {
	struct kept_sets kept;
	struct lya_evidence_room own; /* where it shares none */
	/* What was told of sources; none: they are those of the ledger. */
	struct lya_source *sources;
	size_t n_sources;
};

/*
 * The names of a ledger whose sources are those: *map is freed by the caller, and NULL where
 * they have the same numbers.  LYA_OK or LYA_ENOMEM.
 */
int evidence_names(const struct lya_evidence *e, const struct lya_ledger *ledger,
		   const struct lya_source *sources, size_t n_sources, uint32_t **map,
		   struct kept_names *names);

/* sources.c */
void evidence_sources_free(struct lya_source *list, size_t n);
bool evidence_is_source(const struct lya_source *a, const struct lya_source *b);

/* choose.c: what goes into the file -------------------------------------------------- */

/* A packet, and the findings that it proves. */
struct choice {
	const struct packet_head *head;
	const struct kept *set; /* it is in */
};

/* That a set belongs to a finding. */
struct claim {
	const struct kept *set;
	uint32_t finding; /* index */
};

struct chosen {
	struct choice *list; /* by time, source, number: the same packet may stand there again */
	size_t n, cap;
	struct claim *claims; /* by set, finding; each once */
	size_t n_claims, cap_claims;
};

/* Packets that belong there and are not there, each once. */
struct absent {
	uint64_t left_out; /* for want of memory */
	uint64_t before;   /* they came before since_ns */
};

/*
 * counts (may be NULL): one for each finding, to whose left_out is added; *absent: of all
 * together.  since_ns: see struct lya_evidence_about.  LYA_OK or LYA_ENOMEM; to be finished in
 * any case.
 */
int chosen_make(struct chosen *c, const struct lya_evidence *e, const struct kept_names *names,
		int64_t since_ns, struct lya_finding_packets *counts, struct absent *absent);
void chosen_fini(struct chosen *c);
/* The claims on a set: *n of them from the one that is answered. */
const struct claim *chosen_claims(const struct chosen *c, const struct kept *set, size_t *n);

#endif
