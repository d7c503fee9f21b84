/*
 * split.c - the sums of one matter, by capture source.
 */
#include "finding/ledger.h"

#include "lyncaudit/alloc.h"

/* The longest that a patient opener waits before it tries again (RFC 1122: 3 s). */
#define PATIENCE_NS (3 * LYA_SECOND_NS)

static int part_get(struct split *s, uint32_t source, struct entry **out, bool *made)
{
	void *list = s->list;
	size_t at = s->n;
	int rc;

	*made = false;
	for (; at > 0 && s->list[at - 1].source >= source; at--) {
		if (s->list[at - 1].source == source) {
			*out = s->list[at - 1].entry;
			return LYA_OK;
		}
	}
	rc = lya_grow(&list, &s->cap, s->n + 1, sizeof(*s->list));
	if (rc != LYA_OK)
		return rc;
	s->list = list;
	*out = entry_new((struct lya_port_range){ 0, 0 });
	if (*out == NULL)
		return LYA_ENOMEM;
	for (size_t i = s->n; i > at; i--)
		s->list[i] = s->list[i - 1];
	s->list[at] = (struct split_part){ .source = source, .entry = *out };
	s->n++;
	*made = true;
	return LYA_OK;
}

int split_add(struct split *s, const struct lya_flow *flow,
	      const struct lya_policy_end ends[static 2], const struct lya_verdict *v, bool *made)
{
	struct entry *e;
	bool fresh;
	int rc = part_get(s, flow->source, &e, &fresh);

	if (made != NULL)
		*made = rc == LYA_OK && fresh;
	return rc == LYA_OK ? entry_add(e, LYA_FINDING_BLOCKED_FLOW, flow, ends, v) : rc;
}

int split_put(struct split *s, uint32_t source, const struct entry *sums)
{
	struct entry *e;
	bool fresh;
	int rc = part_get(s, source, &e, &fresh);

	return rc == LYA_OK ? entry_merge(e, sums) : rc;
}

int split_merge(struct split *s, const struct split *from, size_t *made)
{
	int rc = LYA_OK;

	*made = 0;
	for (size_t i = 0; i < from->n && rc == LYA_OK; i++) {
		struct entry *e;
		bool fresh;

		rc = part_get(s, from->list[i].source, &e, &fresh);
		if (rc == LYA_OK) {
			*made += fresh;
			rc = entry_merge(e, from->list[i].entry);
		}
	}
	return rc;
}

void split_fini(struct split *s)
{
	for (size_t i = 0; i < s->n; i++)
		entry_free(s->list[i].entry);
	lya_free(s->list);
	*s = (struct split){ 0 };
}

bool split_proves(const struct split_part *part, const struct lya_ledger_end *end)
{
	int64_t last_ns = end->last_ns;

	if (part->entry->refused > 0)
		return true;
	if (part->source < end->n_sources) {
		if (end->sources[part->source].one_sided)
			return false;
		last_ns = end->sources[part->source].last_ns;
	}
	return last_ns == LYA_TIME_NONE || part->entry->first_ns <= last_ns - PATIENCE_NS;
}
