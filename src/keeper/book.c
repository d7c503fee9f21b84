/*
 * book.c - the thread that owns the store: orders come in, evidence and reports go out.
 *
 * An order is absorbed at once: its evidence joins the period so far, and what waits for the
 * disk.  Then all that waits is written, stretch by stretch in their order; what cannot be
 * written now waits on, joined with what comes, and is tried again with every order.
 */
#include "keeper/keeper.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lyncaudit/alloc.h"
#include "lyncaudit/site.h"
#include "lyncaudit/text.h"
#include "lyncaudit/timeutil.h"

/* A view of so many findings is made with every so many-th checkpoint only. */
enum { FINDINGS_PER_VIEW = 1000 };

/* Telling ------------------------------------------------------------------------------------ */

void book_tell(const struct book *b, enum lya_keeper_level level, const char *text)
{
	if (b->options->on_message != NULL)
		b->options->on_message(b->options->ctx, level, text);
}

void book_tellf(const struct book *b, enum lya_keeper_level level, const char *fmt, ...)
{
	struct lya_text text = { 0 };
	va_list ap;

	va_start(ap, fmt);
	lya_text_vaddf(&text, fmt, ap);
	va_end(ap);
	book_tell(b, level, text.failed ? fmt : lya_text_str(&text));
	lya_text_fini(&text);
}

void book_set_status(struct book *b, const struct lya_error *err)
{
	uint64_t bytes = b->store != NULL ? lya_store_bytes(b->store) : 0;

	(void)pthread_mutex_lock(&b->mutex);
	b->status.suspended = err != NULL;
	(void)snprintf(b->status.why, sizeof(b->status.why), "%.255s",
		       err != NULL ? err->text : "");
	b->status.store_bytes = bytes;
	(void)pthread_mutex_unlock(&b->mutex);
}

void book_set_committed(struct book *b, int64_t ns)
{
	(void)pthread_mutex_lock(&b->mutex);
	b->status.committed_ns = ns;
	(void)pthread_mutex_unlock(&b->mutex);
}

struct lya_store_event book_store_event(int64_t from_ns, int64_t to_ns, const char *text)
{
	return (struct lya_store_event){ LYA_EVENT_STORE, from_ns, to_ns, NULL, 0, text };
}

/* Reports may go further than paths of this machine mean something. */
const char *book_file_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

/* The period so far -------------------------------------------------------------------------- */

/* The period so far, in memory; what it lacks memory for it does without until the next. */
static void add_to_total(struct book *b, const struct order *o)
{
	size_t bound = lya_audit_ledger_bytes(b->options->max_memory);
	struct lya_error err = { 0 };
	int rc = LYA_OK;

	if (o->period_no != b->period_no) {
		b->period_no = o->period_no;
		b->total_lost = false;
		rc = total_begin(&b->total, o->policy, bound, &err);
	}
	if (rc == LYA_OK && !b->total_lost && b->total.policy != o->policy)
		rc = total_rebase(&b->total, o->policy, &err);
	if (rc == LYA_OK && !b->total_lost && o->has_part)
		rc = total_add(&b->total, o->stretch_no, &o->part, o->reload, &err);
	if (rc != LYA_OK) {
		b->total_lost = true;
		book_tellf(b, LYA_KEEPER_WARNING, "no view of this period can be made: %s",
			   err.text);
	}
}

/* Views -------------------------------------------------------------------------------------- */

static bool wants_facts(const struct book *b, const struct order *o)
{
	return b->suspended_ns == LYA_TIME_NONE && book_id_of(b->periods, o->period_no) != 0 &&
	       (b->facts_ns == LYA_TIME_NONE ||
		o->clock.mono_ns - b->facts_ns >= BOOK_FACTS_S * LYA_SECOND_NS);
}

static void show_view(struct book *b, const struct order *o, struct view *v)
{
	struct lya_report_night night = {
		.sensor = b->options->sensor,
		.name = "",
		.from_ns = o->span.begin_ns,
		.to_ns = o->until_ns,
		.timezone = o->policy->p.site->timezone,
		.partial = true,
	};
	struct lya_keeper_view view = { &v->in, b->total.open_flows };
	struct lya_error err = { 0 };
	size_t n;

	v->in.run = b->run;
	v->in.run.finished_ns = b->clock.wall_ns;
	v->in.fail_on = b->options->fail_on;
	v->in.night = &night;
	(void)lya_ledger_findings(v->ledger, &n);
	b->views_left = n / FINDINGS_PER_VIEW;
	if (b->options->on_view != NULL)
		b->options->on_view(b->options->ctx, &view);
	v->in.night = NULL;
	if (!wants_facts(b, o))
		return;
	b->facts_ns = o->clock.mono_ns;
	if (view_put_facts(&v->in, b->store, book_id_of(b->periods, o->period_no), &err) != LYA_OK)
		unsaved_note_failure(b, &err);
}

static void make_view(struct book *b, const struct order *o)
{
	struct lya_error err = { 0 };
	struct view v;

	if (!o->has_part || o->period_over || b->total_lost ||
	    (b->options->on_view == NULL && !wants_facts(b, o)))
		return;
	if (b->views_left > 0) {
		b->views_left--;
		return;
	}
	if (view_make(&v, &b->total, &err) == LYA_OK)
		show_view(b, o, &v);
	else
		book_tellf(b, LYA_KEEPER_WARNING, "no view can be made: %s", err.text);
	view_fini(&v);
}

/* The loop ----------------------------------------------------------------------------------- */

/* A clock that was set wrong, years ahead, must not cost what was kept for years. */
static void note_clock(struct book *b, const struct lya_keeper_clock *now)
{
	int64_t leapt_ns = now->wall_ns - b->clock.wall_ns - (now->mono_ns - b->clock.mono_ns);

	if (leapt_ns > LYA_KEEPER_BACK_S * LYA_SECOND_NS)
		b->doubt_until_ns = now->mono_ns + BOOK_DOUBT_S * LYA_SECOND_NS;
	b->clock = *now;
}

static void retain(struct book *b, const struct order *o)
{
	struct lya_error err = { 0 };
	bool more;

	if (b->suspended_ns != LYA_TIME_NONE || !o->has_part ||
	    o->clock.mono_ns < b->doubt_until_ns)
		return;
	if (lya_store_retain(b->store, &b->options->keep, o->clock.wall_ns,
			     book_id_of(b->periods, o->period_no), &more, &err) != LYA_OK)
		unsaved_note_failure(b, &err);
}

/* What is in force: days of which nothing is known are reported under it. */
static void take_policy(struct book *b, struct keeper_policy *policy)
{
	keeper_policy_leave(b->policy);
	b->policy = keeper_policy_use(policy);
}

static void process(struct book *b, struct order *o)
{
	struct order about = *o; /* its plain values: the order is given away */
	struct lya_error err = { 0 };
	int rc;

	about.policy = keeper_policy_use(o->policy);
	note_clock(b, &o->clock);
	b->reloaded = b->reloaded || o->reload;
	take_policy(b, o->policy);
	add_to_total(b, o);
	rc = proof_keep(b, o, &err);
	if (rc != LYA_OK)
		book_tellf(b, LYA_KEEPER_WARNING, "packets that prove findings were lost: %s",
			   err.text);
	rc = unsaved_keep(b, o);
	if (rc == LYA_OK)
		rc = unsaved_bring_whole(b, &err);
	if (rc != LYA_OK) {
		(void)lya_error_nomem(&err);
		book_tellf(b, LYA_KEEPER_WARNING, "evidence was lost: %s", err.text);
	}
	unsaved_save(b);
	proofs_retry(b, about.stop);
	retain(b, &about);
	make_view(b, &about);
	keeper_policy_leave(about.policy);
}

static struct order *next_order(struct book *b)
{
	struct order *o;

	(void)pthread_mutex_lock(&b->mutex);
	while (b->first == NULL && !b->quit)
		(void)pthread_cond_wait(&b->wake, &b->mutex);
	o = b->quit ? NULL : b->first;
	if (o != NULL) {
		b->first = o->next;
		if (b->first == NULL)
			b->last = NULL;
		o->next = NULL;
	}
	(void)pthread_mutex_unlock(&b->mutex);
	return o;
}

/* An order is done: only now does it wait no more. */
static void note_done(struct book *b, bool stop)
{
	(void)pthread_mutex_lock(&b->mutex);
	b->n_orders--;
	b->stopped = b->stopped || stop;
	(void)pthread_cond_broadcast(&b->done);
	(void)pthread_mutex_unlock(&b->mutex);
}

static void *run(void *ctx)
{
	struct book *b = ctx;
	struct order *o;

	start_store(b);
	while ((o = next_order(b)) != NULL) {
		bool stop = o->stop;

		process(b, o);
		note_done(b, stop);
	}
	return NULL;
}

/* From the other thread ---------------------------------------------------------------------- */

static int init_locks(struct book *b)
{
	pthread_condattr_t attr;
	int rc = pthread_condattr_init(&attr);

	if (rc == 0)
		rc = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	if (rc == 0)
		rc = pthread_cond_init(&b->done, &attr);
	if (rc == 0)
		rc = pthread_cond_init(&b->wake, &attr);
	if (rc == 0)
		rc = pthread_mutex_init(&b->mutex, NULL);
	(void)pthread_condattr_destroy(&attr);
	return rc;
}

int book_start(struct book *b, struct lya_error *err)
{
	int rc;

	b->suspended_ns = b->facts_ns = b->doubt_until_ns = LYA_TIME_NONE;
	b->reports_retry_ns = LYA_TIME_NONE;
	b->status.committed_ns = LYA_TIME_NONE;
	rc = init_locks(b);
	if (rc == 0)
		rc = pthread_create(&b->thread, NULL, run, b);
	if (rc != 0)
		return lya_error_set(err, LYA_EIO, NULL, NULL, "no thread can be started: %s",
				     strerror(rc));
	b->started = true;
	return LYA_OK;
}

void book_order(struct book *b, struct order *o)
{
	(void)pthread_mutex_lock(&b->mutex);
	if (b->last != NULL)
		b->last->next = o;
	else
		b->first = o;
	b->last = o;
	b->n_orders++;
	(void)pthread_cond_signal(&b->wake);
	(void)pthread_mutex_unlock(&b->mutex);
}

unsigned book_waiting(struct book *b)
{
	unsigned n;

	(void)pthread_mutex_lock(&b->mutex);
	n = b->n_orders;
	(void)pthread_mutex_unlock(&b->mutex);
	return n;
}

unsigned book_backlog(struct book *b)
{
	unsigned n;

	(void)pthread_mutex_lock(&b->mutex);
	n = b->n_orders + b->n_unsaved;
	(void)pthread_mutex_unlock(&b->mutex);
	return n;
}

void book_status(struct book *b, struct lya_keeper_status *out)
{
	(void)pthread_mutex_lock(&b->mutex);
	*out = b->status;
	out->waiting = b->n_orders + b->n_unsaved;
	(void)pthread_mutex_unlock(&b->mutex);
}

void book_wait_below(struct book *b, unsigned n)
{
	(void)pthread_mutex_lock(&b->mutex);
	while (b->n_orders >= n)
		(void)pthread_cond_wait(&b->done, &b->mutex);
	(void)pthread_mutex_unlock(&b->mutex);
}

/* By the clock that pthread_cond_timedwait goes by here: how long to sleep, not what time it is. */
static struct timespec in_ms(unsigned ms)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += (long)(ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	return until;
}

bool book_wait(struct book *b, unsigned timeout_ms)
{
	struct timespec until = in_ms(timeout_ms);
	bool stopped;
	int rc = 0;

	(void)pthread_mutex_lock(&b->mutex);
	while (!b->stopped && rc == 0)
		rc = pthread_cond_timedwait(&b->done, &b->mutex, &until);
	stopped = b->stopped;
	(void)pthread_mutex_unlock(&b->mutex);
	return stopped;
}

bool book_is_quitting(struct book *b)
{
	bool quit;

	(void)pthread_mutex_lock(&b->mutex);
	quit = b->quit;
	(void)pthread_mutex_unlock(&b->mutex);
	return quit;
}

void book_pause(struct book *b, unsigned ms)
{
	struct timespec until = in_ms(ms);

	(void)pthread_mutex_lock(&b->mutex);
	if (!b->quit)
		(void)pthread_cond_timedwait(&b->wake, &b->mutex, &until);
	(void)pthread_mutex_unlock(&b->mutex);
}

void book_free(struct book *b)
{
	if (b == NULL)
		return;
	if (b->started) {
		(void)pthread_mutex_lock(&b->mutex);
		b->quit = true;
		(void)pthread_cond_signal(&b->wake);
		(void)pthread_mutex_unlock(&b->mutex);
		(void)pthread_join(b->thread, NULL);
		(void)pthread_cond_destroy(&b->wake);
		(void)pthread_cond_destroy(&b->done);
		(void)pthread_mutex_destroy(&b->mutex);
	}
	while (b->first != NULL) {
		struct order *o = b->first;

		b->first = o->next;
		order_free(o);
	}
	while (b->unsaved != NULL) {
		struct unsaved *u = b->unsaved;

		b->unsaved = u->next;
		order_free(u->order);
		lya_free(u);
	}
	proofs_free(b);
	total_fini(&b->total);
	keeper_policy_leave(b->policy);
	lya_store_close(b->store);
	lya_free(b->aside);
	lya_free(b);
}
