/*
 * coverage.c - which documented rows were seen in use, and which could not
 * have been seen here.
 */
#include "finding/ledger.h"

#include "lyncaudit/alloc.h"

const char *lya_coverage_status_name(enum lya_coverage_status s)
{
	static const char *const names[] = {
		[LYA_COVERAGE_OBSERVED] = "observed",
		[LYA_COVERAGE_NOT_OBSERVED] = "not-observed",
		[LYA_COVERAGE_NOT_OBSERVABLE] = "not-observable",
		[LYA_COVERAGE_FEATURE_OFF] = "feature-off",
	};

	return names[s];
}

int coverage_init(struct coverage *c, const struct lya_policy *p)
{
	size_t n = lya_policy_rules(p)->n;

	*c = (struct coverage){ .n = n };
	c->list = lya_calloc(n > 0 ? n : 1, sizeof(*c->list));
	if (c->list == NULL)
		return LYA_ENOMEM;
	for (size_t i = 0; i < n; i++) {
		c->list[i].rule = (int)i;
		c->list[i].first_ns = c->list[i].last_ns = LYA_TIME_NONE;
	}
	return LYA_OK;
}

void coverage_fini(struct coverage *c)
{
	lya_free(c->list);
	*c = (struct coverage){ 0 };
}

static void add(struct lya_coverage *to, const struct lya_coverage *more)
{
	if (more->flows == 0)
		return;
	if (to->flows == 0 || more->first_ns < to->first_ns)
		to->first_ns = more->first_ns;
	if (to->flows == 0 || more->last_ns > to->last_ns)
		to->last_ns = more->last_ns;
	if (more->digits > to->digits)
		to->digits = more->digits;
	to->flows += more->flows;
	to->packets += more->packets;
	to->bytes += more->bytes;
}

void coverage_take(struct coverage *c, const struct lya_flow *flow,
		   const struct lya_policy_end ends[static 2], const struct lya_verdict *v)
{
	struct lya_flow_sum share = lya_flow_share(flow);
	struct lya_coverage one = {
		.flows = 1,
		.packets = share.packets,
		.bytes = share.bytes,
		.first_ns = lya_flow_first_ns(flow),
		.last_ns = lya_flow_last_ns(flow),
		.digits = flow->digits,
	};

	for (unsigned side = 0; side < 2; side++)
		c->seen |= ends[side].roles | ends[side].effective;
	if (v->kind != LYA_VERDICT_DOCUMENTED)
		return;
	for (size_t i = 0; i < v->n_rules && i < LYA_VERDICT_RULES_MAX; i++)
		add(&c->list[v->rules[i]], &one);
}

void coverage_add(struct coverage *c, const struct lya_coverage *sums)
{
	add(&c->list[sums->rule], sums);
}

void coverage_merge(struct coverage *c, const struct coverage *from)
{
	c->seen |= from->seen;
	for (size_t i = 0; i < c->n; i++)
		add(&c->list[i], &from->list[i]);
}

static enum lya_coverage_status status_of(const struct coverage *c, const struct lya_policy *p,
					  const struct lya_coverage *row)
{
	lya_roles from, to;

	if (!lya_policy_feature_on(p, (size_t)row->rule))
		return LYA_COVERAGE_FEATURE_OFF;
	if (row->flows > 0)
		return LYA_COVERAGE_OBSERVED;
	lya_policy_rule_ends(p, (size_t)row->rule, &from, &to);
	return (from & c->seen) == 0 || (to & c->seen) == 0 ? LYA_COVERAGE_NOT_OBSERVABLE
							    : LYA_COVERAGE_NOT_OBSERVED;
}

/* Statements of the prose are no rows that a flow could match: they go. */
void coverage_finish(struct coverage *c, const struct lya_policy *p)
{
	const struct lya_rules *rules = lya_policy_rules(p);
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++) {
		if (rules->list[i].statement)
			continue;
		c->list[n] = c->list[i];
		c->list[n].status = status_of(c, p, &c->list[n]);
		n++;
	}
	c->n = n;
}
