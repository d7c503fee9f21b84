/*
 * validity.c - count per source what its flows tell of the mirror behind it.
 */
#include "validity/validity.h"

#include <string.h>

#include "lyncaudit/alloc.h"

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

int validity_reach(struct lya_validity *v, size_t n)
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
	struct source_state *s;
	int rc;

	if (flow->transport != 6 || flow->unknown != LYA_UNKNOWN_NOT ||
	    !flow->acked)
		return LYA_OK;
	rc = validity_reach(v, (size_t)flow->source + 1);
	if (rc != LYA_OK)
		return rc;
	s = &v->sources[flow->source];
	s->flows++;
	s->one_sided += silent[0] != silent[1];
	if (flow->measured) {
		s->measures.lost += (uint64_t)flow->lost_bytes[0] + flow->lost_bytes[1];
		s->measures.seen +=
		    flow->payload_bytes[0] + flow->payload_bytes[1] - flow->measured_before;
	}
	return LYA_OK;
}

static void add_measures(struct lya_source_measures *m, const struct lya_validity *from, size_t i)
{
	struct lya_source_measures more;

	lya_validity_measures(from, i, &more);
	m->lost += more.lost;
	m->seen += more.seen;
	for (size_t kind = 0; kind < sizeof(m->duplicates) / sizeof(m->duplicates[0]); kind++)
		m->duplicates[kind] += more.duplicates[kind];
	m->cut_ports += more.cut_ports;
	m->cut_flags += more.cut_flags;
	for (size_t why = 0; why < LYA_UNREADS; why++)
		m->unread[why] += more.unread[why];
	m->malformed += more.malformed;
	m->bad_ip_checksums += more.bad_ip_checksums;
	m->checked += more.checked;
	m->bad_checksums += more.bad_checksums;
	m->unfinished += more.unfinished;
	m->gaps += more.gaps;
	m->gap_ns += more.gap_ns;
	m->gap_before_ns += more.gap_before_ns;
	if (more.back_ns > m->back_ns)
		m->back_ns = more.back_ns;
}

int lya_validity_merge_source(struct lya_validity *v, size_t source,
			      const struct lya_validity *from, size_t from_source)
{
	int rc = validity_reach(v, source + 1);

	if (rc != LYA_OK || from_source >= from->n)
		return rc;
	v->sources[source].flows += from->sources[from_source].flows;
	v->sources[source].one_sided += from->sources[from_source].one_sided;
	add_measures(&v->sources[source].measures, from, from_source);
	return LYA_OK;
}

int lya_validity_merge(struct lya_validity *v, const struct lya_validity *from)
{
	int rc = LYA_OK;

	for (size_t i = 0; i < from->n && rc == LYA_OK; i++)
		rc = lya_validity_merge_source(v, i, from, i);
	return rc;
}

void lya_validity_tcp(const struct lya_validity *v, size_t source, uint64_t *flows,
		      uint64_t *one_sided)
{
	*flows = source < v->n ? v->sources[source].flows : 0;
	*one_sided = source < v->n ? v->sources[source].one_sided : 0;
}
