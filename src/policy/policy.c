/*
 * policy.c - put site and rules together.
 */
#include "policy/policy.h"

#include "lyncaudit/alloc.h"

static int allocate(struct lya_policy *p)
{
	size_t hosts = p->site->n_hosts;

	p->rows = lya_calloc(p->rules->n, sizeof(*p->rows));
	p->vips = lya_calloc(hosts * LYA_ROLES_DECLARED, sizeof(*p->vips));
	p->host_pool = lya_calloc(hosts, sizeof(*p->host_pool));
	p->pool_vips = lya_calloc(hosts + 1, sizeof(*p->pool_vips));
	p->host_stand_in = lya_calloc(hosts, sizeof(*p->host_stand_in));
	if (p->rows == NULL || p->vips == NULL || p->host_pool == NULL || p->pool_vips == NULL ||
	    p->host_stand_in == NULL)
		return LYA_ENOMEM;
	return LYA_OK;
}

int lya_policy_new(struct lya_policy **result, const struct lya_site *site,
                   const struct lya_rules *rules, bool strict, struct lya_diags *diags,
                   struct lya_error *err)
{
	struct lya_policy *p = lya_calloc(1, sizeof(*p));
	int rc;

	if (p == NULL)
		return lya_error_nomem(err);
	p->site = site;
	p->rules = rules;
	p->strict = strict;
	p->forbids_snat = lya_rules_find(rules, "edge.p.av-no-snat") != NULL;
	if (allocate(p) < 0) {
		lya_policy_free(p);
		return lya_error_nomem(err);
	}
	if (policy_ends_init(p) < 0 || policy_names_init(p) < 0) {
		lya_policy_free(p);
		return lya_error_nomem(err);
	}
	rc = policy_rows_init(p, diags, err);
	if (rc < 0) {
		lya_policy_free(p);
		return rc;
	}
	*result = p;
	return LYA_OK;
}

bool lya_policy_forbids_snat(const struct lya_policy *p)
{
	return p->forbids_snat;
}

void lya_policy_free(struct lya_policy *p)
{
	if (p == NULL)
		return;
	lya_free(p->rows);
	lya_free(p->vips);
	lya_free(p->host_pool);
	lya_free(p->pool_vips);
	lya_free(p->host_stand_in);
	lya_free(p->names);
	policy_walk_fini(p);
	lya_free(p);
}

const struct lya_site *lya_policy_site(const struct lya_policy *p)
{
	return p->site;
}

const struct lya_rules *lya_policy_rules(const struct lya_policy *p)
{
	return p->rules;
}

bool lya_policy_is_strict(const struct lya_policy *p)
{
	return p->strict;
}
