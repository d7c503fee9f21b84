/*
 * budget.h - a cap on the memory that buffers and decompressors take.
 *
 * How much a compressed file needs is said by the file, and a stranger wrote
 * it.  So every byte is asked for here, and what would pass the cap is refused
 * as if memory had run out, with `refused` set to tell the two apart.
 */
#ifndef LYNCAUDIT_CAPTURE_BUDGET_H
#define LYNCAUDIT_CAPTURE_BUDGET_H

#include <stdbool.h>
#include <stddef.h>

#include "lyncaudit/status.h"

/* Shared by all who read a capture, in whatever thread. */
struct capture_cap {
	size_t max;          /* bytes */
	_Atomic size_t used; /* <= max */
};

/* One reader's or unpacker's view of it. */
struct capture_budget {
	struct capture_cap *cap; /* borrowed */
	bool refused;            /* the last request that failed did so because of the cap */
};

/* Count bytes that somebody else allocates; false when they would pass the cap. */
bool capture_budget_take(struct capture_budget *b, size_t size);
void capture_budget_give(struct capture_budget *b, size_t size);

/* As malloc, realloc (old size included) and free, counted. */
void *capture_budget_alloc(struct capture_budget *b, size_t size);
void *capture_budget_realloc(struct capture_budget *b, void *p, size_t old, size_t size);
void capture_budget_free(struct capture_budget *b, void *p, size_t size);

/* For libraries whose free does not tell the size: it is kept in front of the block. */
void *capture_budget_alloc_sized(struct capture_budget *b, size_t size);
void capture_budget_free_sized(struct capture_budget *b, void *p);

/* Say in err why the last request failed: LYA_ENOMEM, or LYA_ELIMIT for `what`. */
int capture_budget_error(const struct capture_budget *b, const char *what, struct lya_error *err);

#endif
