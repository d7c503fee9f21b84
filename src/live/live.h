/*
 * live.h - what the files of the service share.
 */
#ifndef LYNCAUDIT_SRC_LIVE_H
#define LYNCAUDIT_SRC_LIVE_H

#include "lyncaudit/live.h"
#include "lyncaudit/policy.h"
#include "lyncaudit/process.h"

/* What all processes know: it was there before they were. */
struct live_watch {
	const struct lya_watch_options *options;
	struct lya_user user;
	int64_t started_ns; /* wall clock */
	struct live_screen *screen; /* NULL: there is none */
	bool evidence_inside; /* its files lie below the state directory */
	/*
	 * The state directory, open: the warden's guard (folder.h) against links that stand
	 * below it.  -1: there is none.
	 */
	int state;
	int bundle;         /* the configuration at the start; -1: it was handed over */
	int sensor_end, warden_end; /* of the post between them */
	/* Of those of the courier, with the sensor and with the warden; -1: there is none. */
	int tell_end, tale_end, errand_out, errand_in;
	int flows_out, flows_in; /* the sensor's and the courier's, for lines of flows; -1: none */
};

/* Say something, as printf does. */
void live_say(const struct live_watch *w, enum lya_watch_level level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

int64_t live_wall_ns(void);
int64_t live_steady_ns(void);

/* sensor.c: the process that sees packets; 0: it was asked to stop. */
int live_sensor(void *watch);
/* courier.c: the process that tells others; 0: everybody else has ended. */
int live_courier(void *watch);
bool live_courier_wanted(const struct live_watch *w);
/* warden.c: the one that was started; 0, or a failure that has been said or is in err. */
int live_warden(struct live_watch *w, pid_t sensor, pid_t courier, int signals,
		struct lya_error *err);

/* policy.c: site, rules and what follows from them. */
struct live_policy {
	struct lya_site *site;
	struct lya_rules *rules;
	struct lya_policy *policy;
};

/* From a bundle, which is closed.  False: what is wrong with it has been said. */
bool live_policy_load(struct live_policy *p, const struct live_watch *w, int bundle);
void live_policy_free(struct live_policy *p);

#endif
