/*
 * former.c - what evidence names and a site does not have any more: a site that was
 * changed while the evidence was gathered.
 */
#include "finding/ledger.h"

#include <string.h>

#include "lyncaudit/alloc.h"

/* Hosts of a site are many, and former ones few. */
static int32_t find_host(const struct lya_ledger *l, const char *name)
{
	for (size_t i = 0; i < l->site->n_hosts; i++) {
		if (strcmp(l->site->hosts[i].name, name) == 0)
			return (int32_t)i;
	}
	for (size_t i = 0; i < l->former.n_hosts; i++) {
		if (strcmp(l->former.hosts[i], name) == 0)
			return (int32_t)(l->site->n_hosts + i);
	}
	return -1;
}

int32_t former_host(struct lya_ledger *l, const char *name)
{
	struct former *f = &l->former;
	int32_t at = find_host(l, name);
	void *list = f->hosts;

	if (at >= 0)
		return at;
	if (lya_grow(&list, &f->cap_hosts, f->n_hosts + 1, sizeof(*f->hosts)) != LYA_OK)
		return -1;
	f->hosts = list;
	f->hosts[f->n_hosts] = lya_strdup(name);
	if (f->hosts[f->n_hosts] == NULL)
		return -1;
	return (int32_t)(l->site->n_hosts + f->n_hosts++);
}

static void exception_fini(struct lya_exception *e)
{
	lya_free(e->id);
	lya_free(e->reason);
	lya_free(e->owner);
	lya_free(e->expires);
}

int former_waive(struct former *f, struct lya_exception *exception, uint64_t flows)
{
	size_t at = f->n_waivers;
	void *list = f->waivers;

	for (; at > 0 && strcmp(f->waivers[at - 1].exception.id, exception->id) >= 0; at--) {
		if (strcmp(f->waivers[at - 1].exception.id, exception->id) != 0)
			continue;
		f->waivers[at - 1].flows += flows;
		exception_fini(exception);
		return LYA_OK;
	}
	if (lya_grow(&list, &f->cap_waivers, f->n_waivers + 1, sizeof(*f->waivers)) != LYA_OK) {
		exception_fini(exception);
		return LYA_ENOMEM;
	}
	f->waivers = list;
	memmove(&f->waivers[at + 1], &f->waivers[at], (f->n_waivers - at) * sizeof(*f->waivers));
	f->waivers[at] = (struct former_waiver){ .exception = *exception, .flows = flows };
	f->n_waivers++;
	return LYA_OK;
}

bool former_is_empty(const struct former *f)
{
	return f->n_hosts == 0 && f->n_waivers == 0;
}

void former_fini(struct former *f)
{
	for (size_t i = 0; i < f->n_hosts; i++)
		lya_free(f->hosts[i]);
	for (size_t i = 0; i < f->n_waivers; i++)
		exception_fini(&f->waivers[i].exception);
	lya_free(f->hosts);
	lya_free(f->waivers);
	*f = (struct former){ 0 };
}
