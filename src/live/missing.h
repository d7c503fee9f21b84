/*
 * missing.h - times in which packets were missing, for the report that is left at the end.
 */
#ifndef LYNCAUDIT_LIVE_MISSING_H
#define LYNCAUDIT_LIVE_MISSING_H

#include <stdbool.h>
#include <stddef.h>

#include "lyncaudit/capture.h"
#include "lyncaudit/status.h"
#include "lyncaudit/validity.h"

/* So many are told one by one; the rest is counted. */
enum { LIVE_MISSING_MAX = 200 };

struct live_missing;

/* NULL: out of memory. */
struct live_missing *live_missing_new(void);
void live_missing_free(struct live_missing *m);
/* Note what the capture told; what goes on from a piece to the next is one.  LYA_ENOMEM or 0. */
int live_missing_note(struct live_missing *m, const struct lya_capture_event *event);
/* Somewhere nothing could be seen for a while. */
bool live_missing_gaps(const struct live_missing *m);

/*
 * The n limits of an audit that are in `limits`, and behind those of each kind what is
 * missing.  *list is freed with live_missing_limits_free; it borrows from limits, sources, m.
 */
int live_missing_limits(struct live_missing *m, const struct lya_source *sources,
			const struct lya_limit *limits, size_t n, struct lya_limit **list,
			size_t *n_list, struct lya_error *err);
void live_missing_limits_free(struct lya_limit *list);

#endif
