/*
 * relay.c - the stages of the pipeline in threads of their own.
 *
 * What is shared is counted under one lock: blocks sent and followed, events told and
 * judged.  A place in a ring belongs to who fills it until its number is told, and from
 * then on to who empties it.  Numbers are told by the handful, and who waits for blocks is
 * woken when there are some, so that the lock and the waking of threads cost little.
 */
#include "audit/relay.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "lyncaudit/alloc.h"
#include "lyncaudit/timeutil.h"

enum {
	EVENTS = 128,
	EVENTS_SOME = EVENTS / 4, /* told, and judged, at once */
	BLOCKS_SOME = AUDIT_BLOCKS / 2, /* sent, or free, before who waits for one is woken */
	NAP_NS = 200000 /* a follower without a block waits so long for some of them */
};

enum kind { KIND_FLOW, KIND_LISTENER, KIND_LISTENERS_KNOWN, KIND_DETAIL };

/* What follow tells, kept until it is judged. */
struct event {
	enum kind kind;
	bool has_found;
	union {
		struct {
			struct lya_flow flow;
			struct lya_flow_marks marks; /* where the flow has some */
			struct lya_snat_evidence found;
			struct lya_trail_flow kept; /* KIND_FLOW: until it is judged */
		} ended;
		struct {
			struct lya_flow_detail detail;
			char name[LYA_DNS_NAME];
		} said;
	} of;
};

struct audit_relay {
	struct audit_follow *follow;
	struct audit_sink judge; /* who is told in the end */
	pthread_t follower, judger;
	bool follows, judges; /* the thread was begun */
	bool direct;          /* there are none any more: what is told is judged at once */
	bool in_turn;         /* no thread judges: whoever waits does; set before they begin */

	pthread_mutex_t lock;
	pthread_cond_t changed, filled;
	/* Under the lock: */
	unsigned waiting; /* for a change */
	bool naps;        /* the follower: it is woken when there is enough to do, or time is over */
	uint64_t sent, followed; /* blocks */
	uint64_t told, judged;   /* events */
	bool last_sent, last_told;
	bool judging;
	bool stop;
	int rc; /* not 0: why nothing goes on */

	/* The follower's: */
	uint64_t telling; /* events written */
	uint64_t room;    /* of them, those up to here have a place */

	struct audit_block blocks[AUDIT_BLOCKS];
	struct event events[EVENTS];
};

/* Under the lock ------------------------------------------------------------------- */

static void change(struct audit_relay *r)
{
	if (r->waiting > 0)
		(void)pthread_cond_broadcast(&r->changed);
}

/* As above, where it is not for the packets under way: also who naps is to know it. */
static void change_all(struct audit_relay *r)
{
	change(r);
	if (r->naps)
		(void)pthread_cond_signal(&r->filled);
}

static void wait_for_change(struct audit_relay *r)
{
	r->waiting++;
	(void)pthread_cond_wait(&r->changed, &r->lock);
	r->waiting--;
}

static void fail(struct audit_relay *r, int rc)
{
	if (rc != 0 && r->rc == 0)
		r->rc = rc;
}

static bool is_over(const struct audit_relay *r)
{
	return r->rc != 0 || r->stop;
}

/* Events to be judged: how many of those that were told. */
static size_t some_told(const struct audit_relay *r)
{
	uint64_t n = r->told - r->judged;

	return n < EVENTS_SOME ? (size_t)n : EVENTS_SOME;
}

/* Judging ---------------------------------------------------------------------------- */

static int judge_flow(struct audit_relay *r, struct event *e)
{
	struct lya_trail_flow kept = e->of.ended.kept;

	e->of.ended.kept = (struct lya_trail_flow){ 0 }; /* it is the judge's now */
	return r->judge.flow(r->judge.ctx, &e->of.ended.flow,
			     e->has_found ? &e->of.ended.found : NULL, kept);
}

static int judge_event(struct audit_relay *r, struct event *e)
{
	switch (e->kind) {
	case KIND_FLOW:
		return judge_flow(r, e);
	case KIND_LISTENER:
		return r->judge.listener(r->judge.ctx, &e->of.ended.flow);
	case KIND_LISTENERS_KNOWN:
		return r->judge.listeners_known(r->judge.ctx);
	default:
		if (e->of.said.detail.name != NULL)
			e->of.said.detail.name = e->of.said.name;
		return r->judge.detail(r->judge.ctx, &e->of.said.detail);
	}
}

/* Under the lock, which is let go meanwhile: judge n events.  Nobody else is judging. */
static void judge_some(struct audit_relay *r, size_t n)
{
	uint64_t first = r->judged;
	int rc = 0;

	r->judging = true;
	(void)pthread_mutex_unlock(&r->lock);
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = judge_event(r, &r->events[(first + i) % EVENTS]);
	(void)pthread_mutex_lock(&r->lock);
	r->judging = false;
	r->judged = first + n;
	fail(r, rc);
	change(r);
}

/*
 * Under the lock: what who cannot go on does.  Where no thread is there to judge, caller and
 * follower do it in turn, so that what was told is judged while either waits: the caller
 * for input, however long that is silent, and the follower for a block, or for room.
 */
static void help_or_wait(struct audit_relay *r)
{
	if (r->in_turn && !r->judging && some_told(r) > 0)
		judge_some(r, some_told(r));
	else
		wait_for_change(r);
}

/* Telling (the follower's) ----------------------------------------------------------- */

/* Tell what was written; with `wait`, until there is room for more. */
static int tell(struct audit_relay *r, bool wait)
{
	int rc;

	(void)pthread_mutex_lock(&r->lock);
	r->told = r->telling;
	change(r);
	while (wait && r->telling - r->judged == EVENTS && !is_over(r))
		help_or_wait(r);
	r->room = r->judged + EVENTS;
	rc = r->stop && r->rc == 0 ? LYA_ESTOP : r->rc;
	(void)pthread_mutex_unlock(&r->lock);
	return rc;
}

/* A place for the next event; its number is told later. */
static int next_event(struct audit_relay *r, enum kind kind, struct event **out)
{
	int rc = r->telling == r->room ? tell(r, true) : 0;

	if (rc != 0)
		return rc;
	*out = &r->events[r->telling++ % EVENTS];
	(*out)->kind = kind;
	return 0;
}

static int written(struct audit_relay *r)
{
	return r->telling % EVENTS_SOME == 0 ? tell(r, false) : 0;
}

static void drop_packets(struct lya_trail_flow *kept)
{
	lya_packets_free(kept->first);
	lya_packets_free(kept->legs);
	*kept = (struct lya_trail_flow){ 0 };
}

static int take_flow(void *ctx, const struct lya_flow *flow, const struct lya_snat_evidence *found,
		     struct lya_trail_flow kept)
{
	struct audit_relay *r = ctx;
	struct event *e;
	int rc;

	if (r->direct)
		return r->judge.flow(r->judge.ctx, flow, found, kept);
	rc = next_event(r, KIND_FLOW, &e);
	if (rc != 0) {
		drop_packets(&kept);
		return rc;
	}
	e->of.ended.kept = kept;
	e->of.ended.flow = *flow;
	if (flow->marks != NULL) {
		e->of.ended.marks = *flow->marks;
		e->of.ended.flow.marks = &e->of.ended.marks;
	}
	e->has_found = found != NULL;
	if (found != NULL)
		e->of.ended.found = *found;
	return written(r);
}

static int take_listener(void *ctx, const struct lya_flow *flow)
{
	struct audit_relay *r = ctx;
	struct event *e;
	int rc;

	if (r->direct)
		return r->judge.listener(r->judge.ctx, flow);
	rc = next_event(r, KIND_LISTENER, &e);
	if (rc != 0)
		return rc;
	e->of.ended.flow = *flow;
	return written(r);
}

static int take_listeners_known(void *ctx)
{
	struct audit_relay *r = ctx;
	struct event *e;
	int rc;

	if (r->direct)
		return r->judge.listeners_known(r->judge.ctx);
	rc = next_event(r, KIND_LISTENERS_KNOWN, &e);
	return rc != 0 ? rc : written(r);
}

static int take_detail(void *ctx, const struct lya_flow_detail *detail)
{
	struct audit_relay *r = ctx;
	struct event *e;
	int rc;

	if (r->direct)
		return r->judge.detail(r->judge.ctx, detail);
	rc = next_event(r, KIND_DETAIL, &e);
	if (rc != 0)
		return rc;
	e->of.said.detail = *detail;
	if (detail->name != NULL) /* it does not outlive this call */
		(void)memcpy(e->of.said.name, detail->name, strlen(detail->name) + 1);
	return written(r);
}

struct audit_sink audit_relay_sink(struct audit_relay *r)
{
	return (struct audit_sink){ .ctx = r, .flow = take_flow, .listener = take_listener,
				    .listeners_known = take_listeners_known,
				    .detail = take_detail };
}

/* The judge's thread ------------------------------------------------------------------ */

static void *run_judge(void *arg)
{
	struct audit_relay *r = arg;

	(void)pthread_mutex_lock(&r->lock);
	while (!is_over(r) && (some_told(r) > 0 || !r->last_told)) {
		if (some_told(r) > 0)
			judge_some(r, some_told(r));
		else
			wait_for_change(r);
	}
	(void)pthread_mutex_unlock(&r->lock);
	return NULL;
}

/* Following --------------------------------------------------------------------------- */

static bool lacks_blocks(const struct audit_relay *r)
{
	return r->sent == r->followed && !r->last_sent && !is_over(r);
}

/*
 * Under the lock, with nothing to follow: blocks come one after the other, most of the time,
 * and to sleep and be woken for each costs as much as a part of it.
 */
static void nap(struct audit_relay *r)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += NAP_NS;
	if (until.tv_nsec >= LYA_SECOND_NS) {
		until.tv_nsec -= LYA_SECOND_NS;
		until.tv_sec++;
	}
	r->naps = true;
	(void)pthread_cond_timedwait(&r->filled, &r->lock, &until);
	r->naps = false;
}

/* The next block; NULL: there is none any more. */
static struct audit_block *next_block(struct audit_relay *r)
{
	struct audit_block *block = NULL;

	(void)pthread_mutex_lock(&r->lock);
	if (lacks_blocks(r))
		nap(r);
	while (lacks_blocks(r))
		help_or_wait(r);
	if (r->sent != r->followed && !is_over(r))
		block = &r->blocks[r->followed % AUDIT_BLOCKS];
	(void)pthread_mutex_unlock(&r->lock);
	return block;
}

static int follow_block(struct audit_relay *r, struct audit_block *block)
{
	int rc = 0;

	for (size_t i = 0; i < block->n_batches && rc == 0; i++)
		rc = audit_follow_take(r->follow, block->pkts[i], block->n[i], &block->batch[i]);
	return rc;
}

static bool is_finishing(struct audit_relay *r)
{
	bool finishing;

	(void)pthread_mutex_lock(&r->lock);
	finishing = r->last_sent && !is_over(r);
	(void)pthread_mutex_unlock(&r->lock);
	return finishing;
}

static void *run_follow(void *arg)
{
	struct audit_relay *r = arg;
	struct audit_block *block;
	int rc = 0;

	while (rc == 0 && (block = next_block(r)) != NULL) {
		rc = follow_block(r, block);
		(void)pthread_mutex_lock(&r->lock);
		r->followed++;
		if (r->told != r->telling || r->sent - r->followed <= AUDIT_BLOCKS - BLOCKS_SOME)
			change(r);
		r->told = r->telling;
		(void)pthread_mutex_unlock(&r->lock);
	}
	if (rc == 0 && is_finishing(r))
		rc = audit_follow_finish(r->follow);
	(void)pthread_mutex_lock(&r->lock);
	r->told = r->telling;
	r->last_told = true;
	if (!r->stop)
		fail(r, rc);
	change(r);
	(void)pthread_mutex_unlock(&r->lock);
	return NULL;
}

/* The caller's side ------------------------------------------------------------------- */

int audit_relay_new(struct audit_relay **out, struct lya_error *err)
{
	struct audit_relay *r = lya_calloc(1, sizeof(*r));
	pthread_condattr_t attr;

	*out = r;
	if (r == NULL)
		return lya_error_nomem(err);
	(void)pthread_mutex_init(&r->lock, NULL);
	(void)pthread_cond_init(&r->changed, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&r->filled, &attr);
	(void)pthread_condattr_destroy(&attr);
	r->room = EVENTS;
	return LYA_OK;
}

/* Signals are for the caller, who may be waiting for input. */
static int start(pthread_t *thread, void *(*run)(void *), struct audit_relay *r, bool *begun,
		 struct lya_error *err)
{
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(thread, NULL, run, r);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	*begun = rc == 0;
	if (rc != 0)
		return lya_error_set(err, LYA_EIO, NULL, NULL, "no thread can be begun: %s",
				     strerror(rc));
	return LYA_OK;
}

int audit_relay_start(struct audit_relay *r, struct audit_follow *follow,
		      const struct audit_sink *judge, unsigned threads, struct lya_error *err)
{
	int rc;

	r->follow = follow;
	r->judge = *judge;
	r->in_turn = threads <= 2;
	rc = start(&r->follower, run_follow, r, &r->follows, err);
	if (rc == LYA_OK && !r->in_turn)
		rc = start(&r->judger, run_judge, r, &r->judges, err);
	return rc;
}

int audit_relay_block(struct audit_relay *r, struct audit_block **block)
{
	int rc;

	(void)pthread_mutex_lock(&r->lock);
	if (r->in_turn && !r->judging && !is_over(r) && r->told - r->judged > EVENTS / 2)
		judge_some(r, some_told(r));
	while (r->sent - r->followed == AUDIT_BLOCKS && !is_over(r))
		help_or_wait(r);
	rc = r->rc;
	*block = &r->blocks[r->sent % AUDIT_BLOCKS];
	(void)pthread_mutex_unlock(&r->lock);
	return rc;
}

void audit_relay_send(struct audit_relay *r)
{
	(void)pthread_mutex_lock(&r->lock);
	r->sent++;
	if (!r->naps)
		change(r);
	else if (r->sent - r->followed >= BLOCKS_SOME)
		(void)pthread_cond_signal(&r->filled);
	(void)pthread_mutex_unlock(&r->lock);
}

static void join(struct audit_relay *r)
{
	if (r->follows)
		(void)pthread_join(r->follower, NULL);
	if (r->judges)
		(void)pthread_join(r->judger, NULL);
	r->follows = r->judges = false;
}

/* Under the lock: blocks or events are under way. */
static bool is_busy(const struct audit_relay *r)
{
	return r->sent != r->followed || some_told(r) > 0;
}

int audit_relay_settle(struct audit_relay *r)
{
	bool over;

	(void)pthread_mutex_lock(&r->lock);
	while (is_busy(r) && !is_over(r))
		help_or_wait(r);
	over = is_over(r);
	(void)pthread_mutex_unlock(&r->lock);
	if (over)
		join(r);
	return r->rc;
}

int audit_relay_end(struct audit_relay *r)
{
	int rc = audit_relay_settle(r);

	(void)pthread_mutex_lock(&r->lock);
	r->stop = true;
	change_all(r);
	(void)pthread_mutex_unlock(&r->lock);
	join(r);
	r->direct = true;
	return rc;
}

int audit_relay_finish(struct audit_relay *r)
{
	(void)pthread_mutex_lock(&r->lock);
	r->last_sent = true;
	change_all(r);
	while (!is_over(r) && (!r->last_told || some_told(r) > 0))
		help_or_wait(r);
	(void)pthread_mutex_unlock(&r->lock);
	join(r);
	return r->rc;
}

void audit_relay_free(struct audit_relay *r)
{
	if (r == NULL)
		return;
	(void)pthread_mutex_lock(&r->lock);
	r->stop = true;
	change_all(r);
	(void)pthread_mutex_unlock(&r->lock);
	join(r);
	for (size_t i = 0; i < EVENTS; i++) { /* what was told and never judged */
		if (r->events[i].kind == KIND_FLOW)
			drop_packets(&r->events[i].of.ended.kept);
	}
	(void)pthread_mutex_destroy(&r->lock);
	(void)pthread_cond_destroy(&r->changed);
	(void)pthread_cond_destroy(&r->filled);
	lya_free(r);
}
