/*
 * order.c - what one thread hands to the other.
 */
#include "keeper/keeper.h"

#include "lyncaudit/alloc.h"

struct keeper_policy *keeper_policy_new(const struct lya_keeper_policy *p)
{
	struct keeper_policy *k = lya_calloc(1, sizeof(*k));

	if (k == NULL)
		return NULL;
	atomic_init(&k->users, 1);
	k->p = *p;
	return k;
}

struct keeper_policy *keeper_policy_use(struct keeper_policy *p)
{
	(void)atomic_fetch_add(&p->users, 1);
	return p;
}

void keeper_policy_leave(struct keeper_policy *p)
{
	if (p == NULL || atomic_fetch_sub(&p->users, 1) != 1)
		return;
	lya_policy_free(p->p.policy);
	lya_site_free(p->p.site);
	lya_rules_free(p->p.rules);
	lya_free(p);
}

struct order *order_new(struct keeper_policy *policy)
{
	struct order *o = lya_calloc(1, sizeof(*o));

	if (o != NULL)
		o->policy = keeper_policy_use(policy);
	return o;
}

void events_free(struct lya_store_event *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		lya_free((char *)(uintptr_t)list[i].source); /* copies of our own */
		lya_free((char *)(uintptr_t)list[i].text);
	}
	lya_free(list);
}

void order_free(struct order *o)
{
	if (o == NULL)
		return;
	lya_audit_part_fini(&o->part);
	events_free(o->events, o->n_events);
	keeper_policy_leave(o->policy);
	lya_free(o);
}

int order_add_event(struct order *o, const struct lya_store_event *event)
{
	void *list = o->events;
	struct lya_store_event copy = *event;

	if (o->n_events == ORDER_EVENTS_MAX) {
		o->lost_events++;
		return LYA_OK;
	}
	if (lya_grow(&list, &o->cap_events, o->n_events + 1, sizeof(copy)) != LYA_OK)
		return LYA_ENOMEM;
	o->events = list;
	copy.text = lya_strdup(event->text != NULL ? event->text : "");
	copy.source = event->source != NULL ? lya_strdup(event->source) : NULL;
	o->events[o->n_events++] = copy;
	return copy.text == NULL || (event->source != NULL && copy.source == NULL) ? LYA_ENOMEM
										    : LYA_OK;
}
