/*
 * deployment.c - findings that no single flow makes: faults of the site
 * description, exceptions that end soon or that nothing needed.
 */
#include "finding/ledger.h"

#include <stdlib.h>
#include <string.h>

#include "lyncaudit/alloc.h"

enum { EXPIRING_DAYS = 30 };

bool deployment_days_left(const struct lya_site *site, const struct lya_exception *ex,
			  int64_t last_ns, int64_t *days)
{
	if (!ex->has_expiry || last_ns == LYA_TIME_NONE)
		return false;
	*days = ex->expires_days - lya_zone_day(site->zone, last_ns);
	return true;
}

int deployment_push(struct lya_finding **list, size_t *n, size_t *cap, const struct lya_finding *f)
{
	void *grown = *list;
	int rc = lya_grow(&grown, cap, *n + 1, sizeof(**list));

	if (rc != LYA_OK)
		return rc;
	*list = grown;
	(*list)[(*n)++] = *f;
	return LYA_OK;
}

struct lya_finding deployment_blank(const struct lya_ledger *l, enum lya_finding_type kind,
				    const char *type)
{
	return (struct lya_finding){
		.kind = kind,
		.type = type,
		.severity = severity_of(l->site, kind, type, NULL),
		.nearest = -1,
		.mixup = -1,
		.exception = -1,
		.first_ns = LYA_TIME_NONE,
		.last_ns = LYA_TIME_NONE,
	};
}

static int add_fault(const struct lya_ledger *l, const struct lya_site_fault *fault,
		     struct lya_finding **list, size_t *n, size_t *cap)
{
	struct lya_finding f = deployment_blank(l, LYA_FINDING_SITE, fault->type);
	const struct lya_rule *rule = lya_rules_find(l->rules, fault->rule);
	int rc = LYA_ENOMEM;

	if (rule != NULL)
		f.rules[f.n_rules++] = (int)(rule - l->rules->list);
	f.statement = fault->rule;
	f.place = fault->place;
	identify_subject(fault->type, fault->about, f.id);
	f.what = lya_strdup(fault->what);
	f.why = lya_strdup(fault->why);
	f.fix = lya_strdup(fault->fix);
	if (f.id[0] != '\0' && f.what != NULL && f.why != NULL && f.fix != NULL)
		rc = deployment_push(list, n, cap, &f);
	if (rc != LYA_OK)
		finding_fini(&f);
	return rc;
}

static int add_exception(const struct lya_ledger *l, size_t index, enum lya_finding_type kind,
			 struct lya_finding **list, size_t *n, size_t *cap)
{
	const struct lya_exception *ex = &l->site->exceptions[index];
	struct lya_finding f = deployment_blank(l, kind, lya_finding_type_name(kind));
	int rc = LYA_ENOMEM;

	f.exception = (int)index;
	f.transport = ex->transports == LYA_T_TCP ? 6 : ex->transports == LYA_T_UDP ? 17 : 0;
	identify_subject(f.type, ex->id, f.id);
	f.ports = lya_calloc(ex->n_ports + 1, sizeof(*f.ports));
	if (f.id[0] != '\0' && f.ports != NULL) {
		if (ex->n_ports > 0) /* "any" has no list */
			memcpy(f.ports, ex->ports, ex->n_ports * sizeof(*ex->ports));
		f.n_ports = ex->n_ports;
		if (sentence_write(l, &f))
			rc = deployment_push(list, n, cap, &f);
	}
	if (rc != LYA_OK)
		finding_fini(&f);
	return rc;
}

int deployment_findings(struct lya_ledger *l, struct lya_finding **list, size_t *n, size_t *cap)
{
	int rc = LYA_OK;

	for (size_t i = 0; i < l->end.n_faults && rc == LYA_OK; i++)
		rc = add_fault(l, &l->end.faults[i], list, n, cap);
	/* Without a packet nothing can be said of what traffic needs. */
	for (size_t i = 0; l->end.last_ns != LYA_TIME_NONE && i < l->site->n_exceptions; i++) {
		int64_t days = 0;
		bool dated = deployment_days_left(l->site, &l->site->exceptions[i],
						  l->end.last_ns, &days);

		if (rc == LYA_OK && l->waived[i] == 0 && !l->expired[i] && !l->end.filtered)
			rc = add_exception(l, i, LYA_FINDING_EXCEPTION_UNUSED, list, n, cap);
		if (rc == LYA_OK && dated && days >= 0 && days <= EXPIRING_DAYS)
			rc = add_exception(l, i, LYA_FINDING_EXCEPTION_EXPIRING, list, n, cap);
	}
	return rc;
}

static int waiver_cmp(const void *a, const void *b)
{
	return strcmp(((const struct lya_waiver *)a)->exception->id,
		      ((const struct lya_waiver *)b)->exception->id);
}

static void add_waiver(struct lya_ledger *l, const struct lya_exception *exception, uint64_t flows)
{
	struct lya_waiver *w = &l->waivers[l->n_waivers++];

	w->exception = exception;
	w->flows = flows;
	w->has_days = deployment_days_left(l->site, exception, l->end.last_ns, &w->days_left);
}

int deployment_waivers(struct lya_ledger *l)
{
	l->waivers = lya_calloc(l->site->n_exceptions + l->former.n_waivers + 1,
				sizeof(*l->waivers));
	if (l->waivers == NULL)
		return LYA_ENOMEM;
	for (size_t i = 0; i < l->site->n_exceptions; i++)
		add_waiver(l, &l->site->exceptions[i], l->waived[i]);
	for (size_t i = 0; i < l->former.n_waivers; i++)
		add_waiver(l, &l->former.waivers[i].exception, l->former.waivers[i].flows);
	qsort(l->waivers, l->n_waivers, sizeof(*l->waivers), waiver_cmp);
	return LYA_OK;
}
