/*
 * validity.h - what this capture could not show, measured.
 *
 * A clean report over a one-sided mirror proves little: each limit names its
 * place, its share, and which checks it weakens.
 */
#ifndef LYNCAUDIT_VALIDITY_H
#define LYNCAUDIT_VALIDITY_H

#include <stddef.h>
#include <stdint.h>

#include "lyncaudit/capture.h"
#include "lyncaudit/flow.h"
#include "lyncaudit/status.h"

/* In the order in which they are listed. */
enum lya_limit_kind {
	LYA_LIMIT_ONE_SIDED,
	LYA_LIMIT_LOSS,
	LYA_LIMIT_DROPS,
	LYA_LIMIT_DUPLICATES,
	LYA_LIMIT_SNAPLEN,
	LYA_LIMIT_GAP,
	LYA_LIMIT_CLOCK,
	LYA_LIMIT_EVICTED,
	LYA_LIMIT_TRUNCATED,
	LYA_LIMIT_CHECKSUMS,
	LYA_LIMITS
};

const char *lya_limit_name(enum lya_limit_kind kind); /* "one-sided" */

struct lya_limit {
	enum lya_limit_kind kind;
	const char *where; /* a source's name (borrowed from the sources), or "flow table" */
	double share;      /* 0 to 1, of what `what` says; 0 where no share can be given */
	char *what;        /* one sentence */
};

/* What others measured in one source; zeroes where nothing was measured. */
struct lya_source_measures {
	uint64_t lost;          /* TCP bytes acknowledged and never seen */
	uint64_t seen;          /* TCP bytes seen, for the share */
	uint64_t duplicates;    /* packets recognised as a second sighting */
	uint64_t bad_checksums; /* packets */
	uint64_t gaps;          /* silences in otherwise steady traffic */
	int64_t gap_ns;         /* their length together */
};

struct lya_validity;

int lya_validity_new(struct lya_validity **v, struct lya_error *err);
void lya_validity_free(struct lya_validity *v);
/* Take a flow that ended.  LYA_ENOMEM or 0. */
int lya_validity_take(struct lya_validity *v, const struct lya_flow *flow);
/* Add what `from` holds; from may only be freed after that. */
int lya_validity_merge(struct lya_validity *v, const struct lya_validity *from);

/* Flows by source: those that show traffic past a first attempt, and of them the one-sided. */
void lya_validity_tcp(const struct lya_validity *v, size_t source, uint64_t *flows,
		      uint64_t *one_sided);

/*
 * The limits of this audit, by kind, then place; freed with lya_limits_free.
 * measures has one entry per source, or is NULL.
 */
int lya_validity_limits(const struct lya_validity *v, const struct lya_source *sources,
			size_t n_sources, const struct lya_source_measures *measures,
			const struct lya_flow_stats *flows, struct lya_limit **list, size_t *n,
			struct lya_error *err);
void lya_limits_free(struct lya_limit *list, size_t n);

#endif
