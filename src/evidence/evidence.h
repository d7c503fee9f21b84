/*
 * evidence.h - what the files of this module share of struct lya_evidence.
 */
#ifndef LYNCAUDIT_SRC_EVIDENCE_H
#define LYNCAUDIT_SRC_EVIDENCE_H

#include "evidence/kept.h"

struct lya_evidence {
	struct kept_sets kept;
};

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

/*
 * counts (may be NULL): one for each finding, to whose left_out is added; *left_out:
 * of all together.  LYA_OK or LYA_ENOMEM; to be finished in any case.
 */
int chosen_make(struct chosen *c, const struct lya_evidence *e, const struct lya_ledger *ledger,
		struct lya_finding_packets *counts, uint64_t *left_out);
void chosen_fini(struct chosen *c);
/* The claims on a set: *n of them from the one that is answered. */
const struct claim *chosen_claims(const struct chosen *c, const struct kept *set, size_t *n);

#endif
