/*
 * sources.c - what captures tell of themselves, kept with packets that outlive the telling.
 */
#include "evidence/evidence.h"

#include <string.h>

#include "lyncaudit/alloc.h"

static char *writable(const char *own)
{
	return (char *)(uintptr_t)own; /* a copy of our own */
}

void evidence_sources_free(struct lya_source *list, size_t n)
{
	for (size_t i = 0; list != NULL && i < n; i++) {
		for (size_t k = 0; k < list[i].interfaces.n; k++)
			lya_free(list[i].interfaces.list[k].name);
		lya_free(list[i].interfaces.list);
		lya_free(list[i].name);
		lya_free(writable(list[i].kind));
	}
	lya_free(list);
}

bool evidence_is_source(const struct lya_source *a, const struct lya_source *b)
{
	return strcmp(a->name, b->name) == 0 && strcmp(a->kind, b->kind) == 0;
}

static int copy_interfaces(struct lya_interfaces *to, const struct lya_interfaces *from)
{
	to->list = lya_calloc(from->n + 1, sizeof(*to->list));
	if (to->list == NULL)
		return LYA_ENOMEM;
	for (; to->n < from->n; to->n++) {
		struct lya_interface *i = &to->list[to->n];

		*i = from->list[to->n];
		i->name = i->name != NULL ? lya_strdup(i->name) : NULL;
		if (i->name == NULL && from->list[to->n].name != NULL)
			return LYA_ENOMEM;
	}
	return LYA_OK;
}

static int copy(struct lya_source *to, const struct lya_source *from)
{
	to->name = lya_strdup(from->name);
	to->kind = lya_strdup(from->kind);
	to->time_offset_ns = from->time_offset_ns;
	if (to->name == NULL || to->kind == NULL)
		return LYA_ENOMEM;
	return copy_interfaces(&to->interfaces, &from->interfaces);
}

int lya_evidence_tell(struct lya_evidence *e, const struct lya_source *sources, size_t n,
		      struct lya_error *err)
{
	struct lya_source *list = lya_calloc(n + 1, sizeof(*list));
	int rc = list != NULL ? LYA_OK : LYA_ENOMEM;

	for (size_t i = 0; i < n && rc == LYA_OK; i++)
		rc = copy(&list[i], &sources[i]);
	if (rc != LYA_OK) {
		evidence_sources_free(list, n);
		return lya_error_nomem(err);
	}
	evidence_sources_free(e->sources, e->n_sources);
	e->sources = list;
	e->n_sources = n;
	return LYA_OK;
}
