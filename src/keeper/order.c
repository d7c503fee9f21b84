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

/* Whatever there is. */
static int push_event(struct order *o, const struct lya_store_event *event)
{
	void *list = o->events;
	struct lya_store_event copy = *event;

	if (lya_grow(&list, &o->cap_events, o->n_events + 1, sizeof(copy)) != LYA_OK)
		return LYA_ENOMEM;
	o->events = list;
	copy.text = lya_strdup(event->text != NULL ? event->text : "");
	copy.source = event->source != NULL ? lya_strdup(event->source) : NULL;
	o->events[o->n_events++] = copy;
	return copy.text == NULL || (event->source != NULL && copy.source == NULL) ? LYA_ENOMEM
										    : LYA_OK;
}

int order_add_event(struct order *o, const struct lya_store_event *event)
{
	if (o->n_events < ORDER_EVENTS_MAX)
		return push_event(o, event);
	o->lost_events++;
	return LYA_OK;
}

static int tell_lost(struct order *o, uint64_t n, const char *text)
{
	struct lya_store_event event = { LYA_EVENT_STORE, o->until_ns, o->until_ns, NULL, n, text };

	return n > 0 ? push_event(o, &event) : LYA_OK;
}

int order_tell_losses(struct order *o)
{
	int rc = tell_lost(o, o->lost_events,
			   "So many more things happened to the sensor than are kept here.");

	o->lost_events = 0;
	if (rc != LYA_OK || !o->has_part || o->minutes_told)
		return rc;
	o->minutes_told = true;
	return tell_lost(o, lya_minutes_lost(o->part.minutes).packets,
			 "So many packets are missing in the rows by minute, which were too many; "
			 "the report has them.");
}
