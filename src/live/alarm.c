/*
 * alarm.c - which findings are told as they happen.
 */
#include "live/alarm.h"

#include <string.h>

#include "lyncaudit/alloc.h"
#include "lyncaudit/hash.h"
#include "lyncaudit/timeutil.h"

/* As many as two periods can have. */
enum { KNOWN_MAX = 2 * LYA_FINDING_MAX };

struct key {
	char id[LYA_FINDING_ID];
};

struct known {
	int64_t since_ns; /* when it was seen first, */
	int64_t told_ns;  /* and when something was said of it last; LYA_TIME_NONE: nothing yet */
	uint64_t flows;   /* by then */
	uint32_t period;  /* in which it was seen last */
};

struct live_alarms {
	int64_t known_ns;
	uint32_t period;
	struct lya_map *map;
};

struct live_alarms *live_alarms_new(int64_t known_ns)
{
	struct live_alarms *a = lya_calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->known_ns = known_ns;
	a->period = 1;
	a->map = lya_map_new(sizeof(struct key), sizeof(struct known), KNOWN_MAX);
	if (a->map == NULL) {
		lya_free(a);
		return NULL;
	}
	return a;
}

void live_alarms_free(struct live_alarms *a)
{
	if (a == NULL)
		return;
	lya_map_free(a->map);
	lya_free(a);
}

/* More packets may show it to be otherwise. */
static bool may_change(const struct lya_finding *f)
{
	switch (f->kind) {
	case LYA_FINDING_SIP_ONE_WAY:
	case LYA_FINDING_BLOCKED_FLOW:
	case LYA_FINDING_EDGE_ROUTING:
	case LYA_FINDING_UNDECLARED_SERVER:
		return true;
	default:
		return f->has_basis && f->grade != LYA_GRADE_CERTAIN;
	}
}

static enum live_alarm tell(struct known *k, const struct lya_finding *f, int64_t now_ns,
			    enum live_alarm what)
{
	k->told_ns = now_ns;
	k->flows = f->flows;
	return what;
}

enum live_alarm live_alarms_take(struct live_alarms *a, const struct lya_finding *f, int64_t now_ns,
				 bool final)
{
	struct known *k;
	struct key key;
	bool fresh;

	if (f->flows == 0) /* what is missing is known at the period's end */
		return LIVE_ALARM_NONE;
	memset(&key, 0, sizeof(key));
	memcpy(key.id, f->id, sizeof(key.id));
	k = lya_map_put(a->map, &key, &fresh);
	if (k == NULL)
		return LIVE_ALARM_NONE;
	if (fresh || k->period + 1 < a->period) { /* absent for a whole period: resolved */
		bool known = fresh && a->known_ns != LYA_TIME_NONE && f->first_ns <= a->known_ns;

		*k = (struct known){ .since_ns = now_ns, .told_ns = known ? now_ns : LYA_TIME_NONE,
				     .flows = f->flows };
	}
	k->period = a->period;
	if (k->told_ns == LYA_TIME_NONE) {
		if (may_change(f) && !final &&
		    now_ns - k->since_ns < LIVE_ALARM_SETTLED_S * LYA_SECOND_NS)
			return LIVE_ALARM_NONE;
		return tell(k, f, now_ns, LIVE_ALARM_NEW);
	}
	if (f->flows == k->flows || now_ns - k->told_ns < LIVE_ALARM_EVERY_S * LYA_SECOND_NS)
		return LIVE_ALARM_NONE;
	return tell(k, f, now_ns, LIVE_ALARM_UPDATE);
}

/* Only what the period that ends had is kept; without memory for that, all is. */
static void forget(struct live_alarms *a)
{
	struct lya_map *map = lya_map_new(sizeof(struct key), sizeof(struct known), KNOWN_MAX);
	const void *key;
	void *value;
	size_t pos = 0;

	while (map != NULL && lya_map_next(a->map, &pos, &key, &value)) {
		const struct known *k = value;
		struct known *copy = k->period < a->period ? NULL : lya_map_put(map, key, NULL);

		if (copy != NULL)
			*copy = *k;
	}
	if (map == NULL)
		return;
	lya_map_free(a->map);
	a->map = map;
}

void live_alarms_period(struct live_alarms *a)
{
	forget(a);
	a->period++;
}
