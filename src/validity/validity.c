/*
 * validity.c - count per source what its flows tell of the mirror behind it.
 */
#include "lyncaudit/validity.h"

#include <string.h>

#include "lyncaudit/alloc.h"

struct tcp_counts {
	uint64_t flows, one_sided;
};

struct lya_validity {
	struct tcp_counts *sources;
	size_t n, cap;
};

int lya_validity_new(struct lya_validity **v, struct lya_error *err)
{
	*v = lya_calloc(1, sizeof(**v));
	return *v != NULL ? LYA_OK : lya_error_nomem(err);
}

void lya_validity_free(struct lya_validity *v)
{
	if (v == NULL)
		return;
	lya_free(v->sources);
	lya_free(v);
}

static int reach(struct lya_validity *v, size_t n)
{
	void *list = v->sources;
	int rc;

	if (n <= v->n)
		return LYA_OK;
	rc = lya_grow(&list, &v->cap, n, sizeof(*v->sources));
	if (rc != LYA_OK)
		return rc;
	v->sources = list;
	memset(&v->sources[v->n], 0, (n - v->n) * sizeof(*v->sources));
	v->n = n;
	return LYA_OK;
}

/*
 * Whoever sends an ACK has heard something.  When the other side of such a
 * flow was never seen, the mirror shows one direction.
 */
int lya_validity_take(struct lya_validity *v, const struct lya_flow *flow)
{
	bool silent[2] = { flow->packets[0] == 0, flow->packets[1] == 0 };
	struct tcp_counts *counts;
	int rc;

	if (flow->transport != 6 || flow->unknown != LYA_UNKNOWN_NOT ||
	    ((flow->tcp_flags[0] | flow->tcp_flags[1]) & LYA_TCP_ACK) == 0)
		return LYA_OK;
	rc = reach(v, (size_t)flow->source + 1);
	if (rc != LYA_OK)
		return rc;
	counts = &v->sources[flow->source];
	counts->flows++;
	counts->one_sided += silent[0] != silent[1];
	return LYA_OK;
}

int lya_validity_merge(struct lya_validity *v, const struct lya_validity *from)
{
	int rc = reach(v, from->n);

	if (rc != LYA_OK)
		return rc;
	for (size_t i = 0; i < from->n; i++) {
		v->sources[i].flows += from->sources[i].flows;
		v->sources[i].one_sided += from->sources[i].one_sided;
	}
	return LYA_OK;
}

void lya_validity_tcp(const struct lya_validity *v, size_t source, uint64_t *flows,
		      uint64_t *one_sided)
{
	*flows = source < v->n ? v->sources[source].flows : 0;
	*one_sided = source < v->n ? v->sources[source].one_sided : 0;
}
