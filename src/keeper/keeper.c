/*
 * keeper.c - what the capture's thread does: passes over open flows, and where periods end.
 *
 * Nothing here waits for the disk, but in one case: where packets come from files, which can
 * wait, days may go by faster than their reports are made.
 */
#include "keeper/keeper.h"

#include <inttypes.h>
#include <string.h>

#include "lyncaudit/alloc.h"
#include "lyncaudit/site.h"
#include "lyncaudit/text.h"
#include "lyncaudit/timeutil.h"

enum {
	/*
	 * LYA_KEEPER_LOSS_S less what a pass and a slow disk may take.  A pass takes some 2600
	 * instructions a flow: where there are many, passes must be as few as they may.
	 */
	CHECKPOINT_MS = 4000,
	CHECKPOINT_MANY_MS = 7000,
	MANY_FLOWS = 200000,
	SLICE_FLOWS = 512, /* about half a millisecond */
	LOOK_MS = 500,     /* a silent wire ends no period later than that */
	BACKLOG_MAX = 8    /* periods and reloads that may wait for the disk */
};

#define MS_NS INT64_C(1000000)
#define BACK_NS (LYA_KEEPER_BACK_S * LYA_SECOND_NS)

/* What the capture knows of its sources. */
struct sources {
	const struct lya_source *list;
	size_t n;
};

static const struct lya_zone *zone_of(const struct lya_keeper *k)
{
	return k->policy->p.site->zone;
}

/* Orders ------------------------------------------------------------------------------------- */

/* About the period and stretch under way, as they are. */
static struct order *begin_order(const struct lya_keeper *k, int64_t until_ns)
{
	struct order *o = order_new(k->policy);

	if (o == NULL)
		return NULL;
	o->period_no = k->period_no;
	o->stretch_no = k->stretch_no;
	o->span = k->span;
	o->span_cut = k->span_cut;
	o->stretch_begin_ns = k->stretch_begin_ns;
	o->until_ns = until_ns > k->stretch_begin_ns ? until_ns : k->stretch_begin_ns;
	return o;
}

static int tell(struct lya_keeper *k, const struct lya_store_event *event)
{
	if (k->pending == NULL)
		k->pending = order_new(k->policy);
	return k->pending != NULL ? order_add_event(k->pending, event) : LYA_ENOMEM;
}

/* One sentence about a moment. */
static int tell_moment(struct lya_keeper *k, enum lya_event_kind kind, int64_t ns, const char *text)
{
	struct lya_store_event event = { .kind = kind, .from_ns = ns, .to_ns = ns, .text = text };

	return tell(k, &event);
}

/* Hand it over, with the events that wait; for_report: one that is wanted can be made of it. */
static void send(struct lya_keeper *k, struct order *o, bool for_report)
{
	struct order *told = k->pending;

	if (told != NULL) {
		o->events = told->events;
		o->n_events = told->n_events;
		o->cap_events = told->cap_events;
		o->lost_events += told->lost_events;
		told->events = NULL;
		told->n_events = 0;
		order_free(told);
		k->pending = NULL;
	}
	if (k->report_wanted && for_report) {
		o->report = true;
		k->report_wanted = false;
	}
	o->clock = k->now;
	book_order(k->book, o);
}

/* Passes ------------------------------------------------------------------------------------- */

/* The pass has been by every flow: its part goes to the book. */
static int end_pass(struct lya_keeper *k, struct lya_error *err)
{
	struct order *o = k->pass == PASS_END ? k->ending : begin_order(k, k->pass_ns);
	bool for_report = k->pass == PASS_REPORT;
	int rc;

	if (o == NULL)
		return lya_error_nomem(err);
	k->ending = NULL;
	k->pass = PASS_NONE;
	rc = lya_audit_pass_end(k->audit, &o->part, err);
	if (rc != LYA_OK) {
		order_free(o);
		return rc;
	}
	o->has_part = true;
	k->open_flows = o->part.open_flows;
	send(k, o, for_report);
	return LYA_OK;
}

static int step_pass(struct lya_keeper *k, struct lya_error *err)
{
	bool done;
	int rc = lya_audit_pass_step(k->audit, SLICE_FLOWS, &done, err);

	return rc == LYA_OK && done ? end_pass(k, err) : rc;
}

/* A checkpoint may be given up, a period's end may not. */
static int settle_pass(struct lya_keeper *k, struct lya_error *err)
{
	int rc = LYA_OK;

	while (k->pass == PASS_END && rc == LYA_OK)
		rc = step_pass(k, err);
	k->pass = PASS_NONE;
	return rc;
}

static int begin_checkpoint(struct lya_keeper *k, const struct sources *s, struct lya_error *err)
{
	bool report = k->report_wanted;
	int rc = lya_audit_pass_begin(k->audit, report ? LYA_PASS_REPORT : LYA_PASS_CHECKPOINT,
				      k->newest_ns, s->list, s->n, err);

	if (rc != LYA_OK)
		return rc;
	k->pass = report ? PASS_REPORT : PASS_OPEN;
	k->pass_ns = k->newest_ns;
	k->pass_mono_ns = k->now.mono_ns;
	return LYA_OK;
}

/* Periods ------------------------------------------------------------------------------------ */

static int begin_end(struct lya_keeper *k, int64_t end_ns, const struct sources *s,
		     struct lya_error *err)
{
	int rc = settle_pass(k, err);

	if (rc != LYA_OK)
		return rc;
	k->ending = begin_order(k, end_ns);
	if (k->ending == NULL)
		return lya_error_nomem(err);
	k->ending->stretch_over = k->ending->period_over = true;
	k->ending->span.end_ns = end_ns;
	rc = lya_audit_pass_begin(k->audit, LYA_PASS_PERIOD, end_ns, s->list, s->n, err);
	if (rc == LYA_OK)
		k->pass = PASS_END;
	return rc;
}

static void begin_period(struct lya_keeper *k, struct keeper_span span, bool cut)
{
	if (span.day > k->span.day + 1) {
		k->ending->skip_from = k->span.day;
		k->ending->skip_to = span.day;
	}
	k->span = span;
	k->span_cut = cut;
	k->period_no++;
	k->stretch_no++;
	k->stretch_begin_ns = span.begin_ns;
	k->pass_mono_ns = k->now.mono_ns;
	if (k->now.by_packets)
		book_wait_below(k->book, BACKLOG_MAX);
}

/* The period is over, and time_ns is in another one. */
static int turn(struct lya_keeper *k, int64_t time_ns, const struct sources *s,
		struct lya_error *err)
{
	int rc = begin_end(k, k->span.end_ns, s, err);

	if (rc == LYA_OK)
		begin_period(k, keeper_span_of(zone_of(k), k->options.report_s, time_ns), false);
	return rc;
}

static int tell_clock(struct lya_keeper *k, const char *way, int64_t from_ns, int64_t to_ns)
{
	char from[LYA_TIME_TEXT], to[LYA_TIME_TEXT];
	struct lya_text text = { 0 };
	int rc;

	lya_text_addf(&text, "The clock was set %s, from %s to %s.", way,
		      lya_time_format(from_ns, 0, from), lya_time_format(to_ns, 0, to));
	rc = tell_moment(k, LYA_EVENT_CLOCK, from_ns, lya_text_str(&text));
	if (rc == LYA_OK)
		rc = tell_moment(k, LYA_EVENT_CLOCK, to_ns, lya_text_str(&text));
	lya_text_fini(&text);
	return rc;
}

/* The clock was set back to time_ns: what comes is another period, of whichever day. */
static int turn_back(struct lya_keeper *k, int64_t time_ns, const struct sources *s,
		     struct lya_error *err)
{
	struct keeper_span span;
	int rc;

	if (tell_clock(k, "back", k->newest_ns, time_ns) != LYA_OK)
		return lya_error_nomem(err);
	k->span_cut = true;
	rc = begin_end(k, k->newest_ns + 1, s, err);
	if (rc != LYA_OK)
		return rc;
	span = keeper_span_of(zone_of(k), k->options.report_s, time_ns);
	span.begin_ns = time_ns;
	begin_period(k, span, true);
	k->newest_ns = time_ns;
	return LYA_OK;
}

/* The time is now time_ns. */
static int go_to(struct lya_keeper *k, int64_t time_ns, const struct sources *s,
		 struct lya_error *err)
{
	int rc = LYA_OK;

	if (k->newest_ns - BACK_NS > time_ns)
		return turn_back(k, time_ns, s, err);
	if (time_ns >= k->span.end_ns)
		rc = turn(k, time_ns, s, err);
	if (time_ns > k->newest_ns)
		k->newest_ns = time_ns;
	return rc;
}

/* Told by the clock, which went further than time did: it was set. */
static int look_at_clock(struct lya_keeper *k, const struct lya_keeper_clock *then,
			 struct lya_error *err)
{
	int64_t passed_ns = k->now.mono_ns - then->mono_ns;

	if (k->now.by_packets || then->by_packets ||
	    k->now.time_ns - then->time_ns - passed_ns <= BACK_NS)
		return LYA_OK;
	return tell_clock(k, "forward", then->time_ns + passed_ns, k->now.time_ns) == LYA_OK
		   ? LYA_OK
		   : lya_error_nomem(err);
}

/* From the caller ---------------------------------------------------------------------------- */

/* Frames from the first on that belong to the period under way. */
static size_t until_turn(const struct lya_keeper *k, const struct lya_frame *frames, size_t n)
{
	int64_t least_ns = k->now.by_packets ? k->newest_ns - BACK_NS : INT64_MIN;
	int64_t most_ns = k->now.by_packets ? INT64_MAX : k->now.time_ns + BACK_NS;
	size_t i = 0;

	if (frames[0].time_ns >= least_ns && frames[n - 1].time_ns < k->span.end_ns)
		return n; /* they are in order of time */
	while (i < n && frames[i].time_ns >= least_ns &&
	       (frames[i].time_ns < k->span.end_ns || frames[i].time_ns > most_ns))
		i++;
	return i;
}

/* What packets tell of time, where it is theirs to tell. */
static void note_newest(struct lya_keeper *k, int64_t time_ns)
{
	if (k->now.by_packets && time_ns > k->newest_ns)
		k->newest_ns = time_ns;
}

int lya_keeper_take(struct lya_keeper *k, const struct lya_frame *frames, size_t n,
		    const struct lya_source *sources, size_t n_sources, struct lya_error *err)
{
	struct sources s = { sources, n_sources };
	int rc = LYA_OK;

	for (size_t done = 0; done < n && rc == LYA_OK;) {
		size_t some = until_turn(k, &frames[done], n - done);

		if (some == 0) {
			rc = go_to(k, frames[done].time_ns, &s, err);
			continue;
		}
		rc = lya_audit_take(k->audit, &frames[done], some, err);
		done += some;
		note_newest(k, frames[done - 1].time_ns);
	}
	return rc;
}

static int64_t until_due_ms(const struct lya_keeper *k)
{
	int64_t every_ms = k->open_flows < MANY_FLOWS ? CHECKPOINT_MS : CHECKPOINT_MANY_MS;
	int64_t due_ns = k->pass_mono_ns + every_ms * MS_NS;

	return k->report_wanted ? 0 : (due_ns - k->now.mono_ns) / MS_NS;
}

int lya_keeper_step(struct lya_keeper *k, const struct lya_keeper_clock *now,
		    const struct lya_source *sources, size_t n_sources, unsigned *wait_ms,
		    struct lya_error *err)
{
	struct sources s = { sources, n_sources };
	struct lya_keeper_clock then = k->now;
	bool busy = book_waiting(k->book) >= BOOK_WAITING_MAX;
	int64_t due_ms;
	int rc;

	k->now = *now;
	rc = look_at_clock(k, &then, err);
	if (rc == LYA_OK)
		rc = go_to(k, now->time_ns, &s, err);
	if (rc == LYA_OK && k->pass != PASS_NONE)
		rc = step_pass(k, err);
	else if (rc == LYA_OK && !busy && until_due_ms(k) <= 0)
		rc = begin_checkpoint(k, &s, err);
	due_ms = busy ? LOOK_MS : until_due_ms(k);
	if (k->pass != PASS_NONE || due_ms < 0)
		due_ms = 0;
	*wait_ms = due_ms < LOOK_MS ? (unsigned)due_ms : LOOK_MS;
	return rc;
}

int lya_keeper_event(struct lya_keeper *k, const struct lya_store_event *event,
		     struct lya_error *err)
{
	return tell(k, event) == LYA_OK ? LYA_OK : lya_error_nomem(err);
}

void lya_keeper_report(struct lya_keeper *k)
{
	k->report_wanted = true;
}

/* Another site may have another time zone: the period ends where its day does there. */
static void follow_zone(struct lya_keeper *k)
{
	struct keeper_span span = keeper_span_of(zone_of(k), k->options.report_s, k->newest_ns);

	if (span.end_ns == k->span.end_ns)
		return;
	k->span.end_ns = span.end_ns;
	k->span_cut = true;
}

static int put_in_force(struct lya_keeper *k, struct keeper_policy *fresh, struct order *o,
			const struct sources *s, struct lya_error *err)
{
	int rc = lya_audit_reload(k->audit, fresh->p.policy, s->list, s->n, &o->part, err);

	if (rc != LYA_OK)
		return rc;
	o->has_part = o->stretch_over = o->reload = true;
	if (tell_moment(k, LYA_EVENT_RELOAD, k->newest_ns, "Site and rules were read again.") !=
	    LYA_OK)
		o->lost_events++; /* there is no way back */
	send(k, o, false);
	keeper_policy_leave(k->policy);
	k->policy = fresh;
	k->stretch_no++;
	k->stretch_begin_ns = k->newest_ns;
	follow_zone(k);
	return LYA_OK;
}

int lya_keeper_reload(struct lya_keeper *k, const struct lya_keeper_policy *policy,
		      const struct lya_keeper_clock *now, const struct lya_source *sources,
		      size_t n_sources, struct lya_error *err)
{
	struct sources s = { sources, n_sources };
	struct keeper_policy *fresh;
	struct order *o;
	int rc;

	if (book_backlog(k->book) >= BACKLOG_MAX)
		return lya_error_set(err, LYA_EIO, k->options.state_dir, NULL,
				     "too much waits for the disk: reload when it is written");
	k->now = *now;
	rc = go_to(k, now->time_ns, &s, err);
	if (rc == LYA_OK)
		rc = settle_pass(k, err);
	if (rc != LYA_OK)
		return rc;
	fresh = keeper_policy_new(policy);
	o = begin_order(k, k->newest_ns);
	rc = fresh != NULL && o != NULL ? put_in_force(k, fresh, o, &s, err) : lya_error_nomem(err);
	if (rc != LYA_OK) {
		order_free(o);
		lya_free(fresh);
	}
	return rc;
}

void lya_keeper_status(const struct lya_keeper *k, struct lya_keeper_status *out)
{
	book_status(k->book, out);
}

/* The beginning ------------------------------------------------------------------------------ */

static bool copy(const char **to, const char *from)
{
	*to = from != NULL ? lya_strdup(from) : NULL;
	return from == NULL || *to != NULL;
}

static int copy_options(struct lya_keeper *k, const struct lya_keeper_options *o)
{
	const char **arguments = lya_calloc(o->n_arguments + 1, sizeof(*arguments));

	k->options = *o;
	k->options.state_dir = k->options.sensor = k->options.version = k->options.host = NULL;
	k->options.arguments = arguments;
	k->options.n_arguments = 0;
	if (arguments == NULL)
		return LYA_ENOMEM;
	for (size_t i = 0; i < o->n_arguments; i++) {
		if (!copy(&arguments[i], o->arguments[i]))
			return LYA_ENOMEM;
		k->options.n_arguments++;
	}
	return copy(&k->options.state_dir, o->state_dir) && copy(&k->options.sensor, o->sensor) &&
		       copy(&k->options.version, o->version) && copy(&k->options.host, o->host)
		   ? LYA_OK
		   : LYA_ENOMEM;
}

static void free_text(const char *s)
{
	lya_free((char *)(uintptr_t)s); /* a copy of our own */
}

static void free_options(struct lya_keeper_options *o)
{
	for (size_t i = 0; i < o->n_arguments; i++)
		free_text(o->arguments[i]);
	lya_free((void *)(uintptr_t)o->arguments);
	free_text(o->state_dir);
	free_text(o->sensor);
	free_text(o->version);
	free_text(o->host);
}

/* The book gets the store; it belongs to it from here on. */
static int start_book(struct lya_keeper *k, struct lya_error *err)
{
	struct lya_store_writer writer = { k->options.sensor, k->now.wall_ns };
	struct book *b = lya_calloc(1, sizeof(*b));
	int rc;

	if (b == NULL)
		return lya_error_nomem(err);
	k->book = b;
	rc = lya_store_open(&b->store, k->options.state_dir, &writer, &b->aside, err);
	if (rc != LYA_OK)
		return rc;
	b->options = &k->options;
	b->run = (struct lya_report_run){
		.version = k->options.version,
		.host = k->options.host,
		.started_ns = k->now.wall_ns,
		.arguments = k->options.arguments,
		.n_arguments = k->options.n_arguments,
	};
	b->span = k->span;
	b->clock = k->now;
	b->proves = k->options.on_proof != NULL;
	b->since_ns = k->now.time_ns;
	b->policy = keeper_policy_use(k->policy);
	return book_start(b, err);
}

static int begin(struct lya_keeper *k, const struct lya_keeper_policy *policy,
		 const struct lya_keeper_options *options, struct lya_error *err)
{
	k->policy = keeper_policy_new(policy);
	if (copy_options(k, options) != LYA_OK || k->policy == NULL)
		return lya_error_nomem(err);
	k->newest_ns = k->stretch_begin_ns = k->now.time_ns;
	k->pass_mono_ns = k->now.mono_ns;
	k->span = keeper_span_of(zone_of(k), options->report_s, k->now.time_ns);
	k->period_no = k->stretch_no = 1;
	if (tell_moment(k, LYA_EVENT_START, k->now.time_ns, "The sensor was started.") != LYA_OK)
		return lya_error_nomem(err);
	return start_book(k, err);
}

/* What *policy holds stays the caller's as long as this may fail. */
static void disown_policy(struct lya_keeper *k)
{
	if (k->policy != NULL)
		k->policy->p = (struct lya_keeper_policy){ 0 };
}

int lya_keeper_open(struct lya_keeper **out, struct lya_audit *audit,
		    const struct lya_keeper_policy *policy,
		    const struct lya_keeper_options *options, const struct lya_keeper_clock *now,
		    struct lya_error *err)
{
	struct lya_keeper *k = lya_calloc(1, sizeof(*k));
	int rc;

	if (k == NULL)
		return lya_error_nomem(err);
	k->audit = audit;
	k->now = *now;
	rc = begin(k, policy, options, err);
	if (rc != LYA_OK) {
		disown_policy(k);
		lya_keeper_free(k);
		return rc;
	}
	*out = k;
	return LYA_OK;
}

/* The end ------------------------------------------------------------------------------------ */

static int last_order(struct lya_keeper *k, const struct sources *s, struct lya_error *err)
{
	struct order *o = begin_order(k, k->newest_ns);
	int rc;

	if (o == NULL)
		return lya_error_nomem(err);
	rc = lya_audit_stop(k->audit, s->list, s->n, &o->part, err);
	if (rc != LYA_OK) {
		order_free(o);
		return rc;
	}
	o->has_part = o->stretch_over = o->stop = true;
	k->report_wanted = true;
	send(k, o, true);
	return LYA_OK;
}

static int wait_for_book(struct lya_keeper *k, unsigned timeout_ms, struct lya_error *err)
{
	struct lya_keeper_status status;

	if (!book_wait(k->book, timeout_ms))
		return lya_error_set(err, LYA_EIO, k->options.state_dir, NULL,
				     "the disk did not take the last evidence in time");
	book_status(k->book, &status);
	return !status.suspended
		   ? LYA_OK
		   : lya_error_set(err, LYA_EOUTPUT, k->options.state_dir, NULL,
				   "the last evidence is not written: %s", status.why);
}

int lya_keeper_stop(struct lya_keeper *k, const struct lya_keeper_clock *now,
		    const struct lya_source *sources, size_t n_sources, unsigned timeout_ms,
		    struct lya_error *err)
{
	struct sources s = { sources, n_sources };
	int rc;

	k->now = *now;
	rc = go_to(k, now->time_ns, &s, err);
	if (rc == LYA_OK)
		rc = settle_pass(k, err);
	if (rc == LYA_OK &&
	    tell_moment(k, LYA_EVENT_STOP, k->newest_ns, "The sensor was stopped.") != LYA_OK)
		rc = lya_error_nomem(err);
	if (rc == LYA_OK)
		rc = last_order(k, &s, err);
	return rc == LYA_OK ? wait_for_book(k, timeout_ms, err) : rc;
}

void lya_keeper_free(struct lya_keeper *k)
{
	if (k == NULL)
		return;
	book_free(k->book);
	order_free(k->ending);
	order_free(k->pending);
	keeper_policy_leave(k->policy);
	free_options(&k->options);
	lya_free(k);
}
