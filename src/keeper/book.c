/*
 * book.c - the thread that owns the store: orders come in, evidence and reports go out.
 *
 * An order is absorbed at once: its evidence joins the period so far, and what waits for the
 * disk.  Then all that waits is written, stretch by stretch in their order; what cannot be
 * written now waits on, joined with what comes, and is tried again with every order.
 */
#include "keeper/keeper.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lyncaudit/alloc.h"
#include "lyncaudit/text.h"
#include "lyncaudit/timeutil.h"

/* A view of so many findings is made with every so many-th checkpoint only. */
enum { FINDINGS_PER_VIEW = 1000 };

/* Telling -------------------------------------------------------------------------------- */

static void tell(const struct book *b, enum lya_keeper_level level, const char *text)
{
	if (b->options->on_message != NULL)
		b->options->on_message(b->options->ctx, level, text);
}

static void tellf(const struct book *b, enum lya_keeper_level level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void tellf(const struct book *b, enum lya_keeper_level level, const char *fmt, ...)
{
	struct lya_text text = { 0 };
	va_list ap;

	va_start(ap, fmt);
	lya_text_vaddf(&text, fmt, ap);
	va_end(ap);
	tell(b, level, text.failed ? fmt : lya_text_str(&text));
	lya_text_fini(&text);
}

static void set_status(struct book *b, const struct lya_error *err)
{
	uint64_t bytes = b->store != NULL ? lya_store_bytes(b->store) : 0;

	(void)pthread_mutex_lock(&b->mutex);
	b->status.suspended = err != NULL;
	(void)snprintf(b->status.why, sizeof(b->status.why), "%.255s",
		       err != NULL ? err->text : "");
	b->status.store_bytes = bytes;
	(void)pthread_mutex_unlock(&b->mutex);
}

static void set_committed(struct book *b, int64_t ns)
{
	(void)pthread_mutex_lock(&b->mutex);
	b->status.committed_ns = ns;
	(void)pthread_mutex_unlock(&b->mutex);
}

/* Numbers of the store --------------------------------------------------------------------- */

static int64_t id_of(const struct book_id list[static BOOK_IDS], unsigned no)
{
	return list[no % BOOK_IDS].no == no ? list[no % BOOK_IDS].id : 0;
}

static void set_id(struct book_id list[static BOOK_IDS], unsigned no, int64_t id)
{
	list[no % BOOK_IDS] = (struct book_id){ no, id };
}

/* The period of an order, as the store is to have it. */
static struct lya_store_period period_of(const struct book *b, const struct order *o)
{
	return (struct lya_store_period){
		.id = id_of(b->periods, o->period_no),
		.day = o->span.day,
		.begin_ns = o->span.begin_ns,
		.end_ns = o->span.end_ns,
		.partial = o->span_cut,
		.bound = lya_audit_ledger_bytes(b->options->max_memory),
		.fail_on = (uint8_t)b->options->fail_on,
		.sensor = (char *)(uintptr_t)b->options->sensor, /* read only */
		.timezone = o->policy->p.site->timezone,
	};
}

static int policy_id(struct book *b, const struct keeper_policy *policy, int64_t *id,
		     struct lya_error *err)
{
	struct lya_store_policy p = { .site = policy->p.site, .rules = policy->p.rules,
				      .strict = policy->p.strict };
	int rc = lya_store_put_policy(b->store, &p, err);

	*id = p.id;
	return rc;
}

/* Reports ------------------------------------------------------------------------------------ */

static struct reports reports_of(const struct book *b)
{
	struct reports r = { .store = b->store, .run = b->run, .wall_ns = b->clock.wall_ns,
			     .on_report = b->options->on_report, .ctx = b->options->ctx };

	r.run.finished_ns = b->clock.wall_ns;
	return r;
}

/* Of all periods that are over, those that lack a report. */
static int make_reports(struct book *b, struct lya_error *err)
{
	struct reports r = reports_of(b);
	struct lya_store_period *list;
	size_t n;
	int rc = lya_store_unreported(b->store, &list, &n, err);

	for (size_t i = 0; i < n && rc == LYA_OK; i++)
		rc = reports_make(&r, &list[i], err);
	lya_store_periods_free(list, n);
	return rc;
}

/* The period of this order, as it is so far. */
static int make_report_now(struct book *b, const struct order *o, struct lya_error *err)
{
	struct reports r = reports_of(b);
	int64_t id = id_of(b->periods, o->period_no), policy;
	struct lya_store_period p;
	int rc;

	if (id == 0)
		return lya_error_set(err, LYA_EUSAGE, b->options->state_dir, NULL,
				     "there is nothing to report yet");
	rc = lya_store_get_period(b->store, id, &p, err);
	if (rc != LYA_OK)
		return rc;
	rc = policy_id(b, o->policy, &policy, err);
	if (rc == LYA_OK)
		rc = reports_make_now(&r, &p, policy, o->until_ns, err);
	lya_store_period_fini(&p);
	return rc;
}

/* A report that cannot be made is told, once; only damage is more than that. */
static int note_report(struct book *b, int rc, struct lya_error *err)
{
	if (rc != LYA_OK && rc != LYA_EINPUT && !b->reports_failed)
		tellf(b, LYA_KEEPER_WARNING, "a report cannot be made: %s", err->text);
	b->reports_failed = rc != LYA_OK;
	return rc == LYA_EINPUT ? rc : LYA_OK;
}

/* Reports that are due; those that cannot be made now stay due. */
static int make_due_reports(struct book *b, struct lya_error *err)
{
	int rc;

	if (!b->reports_due)
		return LYA_OK;
	rc = make_reports(b, err);
	b->reports_due = rc != LYA_OK;
	return note_report(b, rc, err);
}

/* Joining parts ---------------------------------------------------------------------------------- */

struct joining {
	struct lya_ledger *ledger;
	bool damaged;
	struct lya_error *err;
};

static int skip_tally(void *ctx, const void *data, size_t len, bool good)
{
	(void)ctx, (void)data, (void)len, (void)good;
	return LYA_OK;
}

static int join_part(void *ctx, const void *data, size_t len, bool open, bool good)
{
	struct joining *j = ctx;
	int rc;

	if (open || j->damaged)
		return LYA_OK;
	rc = good ? lya_ledger_unpack(j->ledger, data, len, NULL, 0, j->err) : LYA_EINPUT;
	j->damaged = rc == LYA_EINPUT;
	return rc == LYA_EINPUT ? LYA_OK : rc;
}

/* Many small parts of a stretch become one; where one is damaged, all stay as they are. */
static int join_parts(struct book *b, int64_t stretch, const struct keeper_policy *policy,
		      struct lya_error *err)
{
	struct lya_ledger_options options = {
		.max_bytes = lya_audit_ledger_bytes(b->options->max_memory)
	};
	struct joining j = { .err = err };
	struct lya_store_taker taker = { &j, skip_tally, join_part };
	struct lya_pack pack = { 0 };
	int rc = lya_ledger_new(&j.ledger, policy->p.policy, &options, err);

	if (rc == LYA_OK)
		rc = lya_store_read_stretch(b->store, stretch, &taker, err);
	if (rc == LYA_OK && !j.damaged && lya_ledger_pack(j.ledger, &pack) != LYA_OK)
		rc = lya_error_nomem(err);
	if (rc == LYA_OK && !j.damaged)
		rc = lya_store_join(b->store, stretch, &pack, err);
	lya_pack_fini(&pack);
	lya_ledger_free(j.ledger);
	return rc;
}

/* Writing ------------------------------------------------------------------------------------------ */

struct packs {
	struct lya_pack ended, open, tally;
};

static void packs_fini(struct packs *p)
{
	lya_pack_fini(&p->ended);
	lya_pack_fini(&p->open);
	lya_pack_fini(&p->tally);
}

static int make_packs(struct packs *p, const struct lya_audit_part *part, struct lya_error *err)
{
	*p = (struct packs){ 0 };
	if (lya_ledger_pack(part->ended, &p->ended) == LYA_OK &&
	    (part->open == NULL || lya_ledger_pack(part->open, &p->open) == LYA_OK) &&
	    lya_tally_pack(part->tally, &p->tally) == LYA_OK)
		return LYA_OK;
	packs_fini(p);
	return lya_error_nomem(err);
}

static int commit(struct book *b, const struct order *o, struct lya_store_period *period,
		  struct lya_store_stretch *stretch, struct lya_error *err)
{
	struct lya_store_checkpoint c = {
		.period = period,
		.stretch = stretch,
		.minutes = o->part.minutes,
		.events = o->events,
		.n_events = o->n_events,
		.keep_open = o->reload,
	};
	struct packs packs;
	int rc = make_packs(&packs, &o->part, err);

	if (rc != LYA_OK)
		return rc;
	c.ended = &packs.ended;
	c.tally = &packs.tally;
	if (o->part.open != NULL)
		c.open = &packs.open;
	if (!o->reload && b->lingering != stretch->id)
		c.replaces = b->lingering;
	rc = lya_store_commit(b->store, &c, err);
	packs_fini(&packs);
	return rc;
}

/* What a reload leaves open stands until the stretch after it says the same and more. */
static void note_lingering(struct book *b, const struct order *o, int64_t stretch)
{
	if (!o->reload)
		b->lingering = 0;
	else if (b->lingering == 0)
		b->lingering = stretch;
}

static int write_part(struct book *b, const struct order *o, struct lya_error *err)
{
	struct lya_store_period period = period_of(b, o);
	struct lya_store_stretch stretch = {
		.id = id_of(b->stretches, o->stretch_no),
		.begin_ns = o->stretch_begin_ns,
		.until_ns = o->until_ns,
		.final = o->stretch_over,
	};
	int rc = policy_id(b, o->policy, &stretch.policy, err);

	if (rc == LYA_OK)
		rc = commit(b, o, &period, &stretch, err);
	if (rc != LYA_OK)
		return rc;
	set_id(b->periods, o->period_no, period.id);
	set_id(b->stretches, o->stretch_no, stretch.id);
	note_lingering(b, o, stretch.id);
	set_committed(b, o->until_ns);
	if (lya_store_parts(b->store, stretch.id) > (o->stretch_over ? 1U : (size_t)BOOK_JOIN_AT))
		rc = join_parts(b, stretch.id, o->policy, err);
	return rc;
}

/* A day of which nothing is known; not one that never was. */
static int make_up_day(struct book *b, int64_t day, struct lya_error *err)
{
	struct keeper_span span = keeper_span_of_day(b->policy->p.site->zone, b->options->report_s,
						     day);
	struct order o = { .span = span, .policy = b->policy };
	struct lya_store_period p = period_of(b, &o);
	bool known;
	int rc = lya_store_has_day(b->store, day, &known, err);

	p.id = 0;
	if (rc != LYA_OK || known || span.begin_ns >= span.end_ns)
		return rc;
	rc = policy_id(b, b->policy, &p.policy, err);
	return rc == LYA_OK ? lya_store_close_period(b->store, &p, err) : rc;
}

/* Days between the last one that is known and the one under way. */
static int make_up_days(struct book *b, int64_t last, int64_t now, struct lya_error *err)
{
	struct lya_store_event event;
	int rc = LYA_OK;

	if (now - last - 1 > LYA_KEEPER_MISSED_MAX) {
		event = (struct lya_store_event){
			LYA_EVENT_CLOCK, b->clock.time_ns, b->clock.time_ns, NULL,
			(uint64_t)(now - last - 1),
			"More days are missing than are made up: a clock was wrong, or the "
			"sensor was away for long."
		};
		return lya_store_put_events(b->store, &event, 1, err);
	}
	for (int64_t day = last + 1; day < now && rc == LYA_OK; day++)
		rc = make_up_day(b, day, err);
	return rc;
}

/* Close it; days that were leapt over behind it are over too. */
static int close_period(struct book *b, const struct order *o, struct lya_error *err)
{
	struct lya_store_period period = period_of(b, o);
	int rc = policy_id(b, o->policy, &period.policy, err);

	if (rc == LYA_OK)
		rc = lya_store_close_period(b->store, &period, err);
	if (rc != LYA_OK)
		return rc;
	set_id(b->periods, o->period_no, period.id);
	b->reports_due = true;
	return make_up_days(b, o->skip_from, o->skip_to, err);
}

/* One order that waits; what of it was written is taken off it. */
static int write_order(struct book *b, struct order *o, struct lya_error *err)
{
	int rc = LYA_OK;

	if (o->has_part)
		rc = write_part(b, o, err);
	else if (o->n_events > 0)
		rc = lya_store_put_events(b->store, o->events, o->n_events, err);
	if (rc != LYA_OK)
		return rc;
	lya_audit_part_fini(&o->part);
	o->has_part = false;
	events_free(o->events, o->n_events);
	o->events = NULL;
	o->n_events = o->cap_events = 0;
	if (o->period_over)
		rc = close_period(b, o, err);
	o->period_over = o->period_over && rc != LYA_OK;
	if (rc != LYA_OK || !o->report)
		return rc;
	o->report = false; /* asked for once: a report that cannot be made is told, not owed */
	return note_report(b, make_report_now(b, o, err), err);
}

/* Damage -------------------------------------------------------------------------------------------- */

static struct lya_store_event store_event(int64_t from_ns, int64_t to_ns, const char *text)
{
	return (struct lya_store_event){ LYA_EVENT_STORE, from_ns, to_ns, NULL, 0, text };
}

/* A copy of the period so far, for a store that has none of it. */
static int whole_period(struct book *b, struct order *o, struct lya_error *err)
{
	struct lya_ledger_options options = { .max_bytes = b->total.bound };
	uint32_t map[LYA_TALLY_SOURCES];
	struct lya_audit_part part = { 0 };
	int rc = lya_ledger_new(&part.ended, b->total.policy->p.policy, &options, err);

	if (rc == LYA_OK && lya_ledger_merge(part.ended, b->total.ended) != LYA_OK)
		rc = lya_error_nomem(err);
	if (rc == LYA_OK)
		rc = lya_tally_new(&part.tally, err);
	if (rc == LYA_OK)
		rc = lya_tally_merge(part.tally, b->total.tally, map, err);
	if (rc != LYA_OK) {
		lya_audit_part_fini(&part);
		return rc;
	}
	part.minutes = o->part.minutes;
	part.open = o->part.open;
	part.open_flows = o->part.open_flows;
	o->part.minutes = NULL;
	o->part.open = NULL;
	lya_audit_part_fini(&o->part);
	o->part = part;
	o->has_part = true;
	return LYA_OK;
}

static struct unsaved *last_unsaved(struct book *b)
{
	struct unsaved *u = b->unsaved;

	while (u != NULL && u->next != NULL)
		u = u->next;
	return u;
}

/* Reports may go further than paths of this machine mean something. */
static const char *file_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

/* What the order brings is in the whole period already: only its minutes and events are not. */
static int strip_order(const struct book *b, struct order *o, struct lya_error *err)
{
	struct lya_ledger_options options = { .max_bytes = b->total.bound };
	struct lya_audit_part bare = { .minutes = o->part.minutes };
	int rc = lya_ledger_new(&bare.ended, o->policy->p.policy, &options, err);

	if (rc == LYA_OK)
		rc = lya_tally_new(&bare.tally, err);
	o->part.minutes = NULL;
	lya_audit_part_fini(&o->part);
	o->part = bare;
	o->has_part = rc == LYA_OK;
	return rc;
}

/* Once there is an order of the period under way, that brings all of it. */
static int bring_whole(struct book *b, struct lya_error *err)
{
	struct unsaved *last = last_unsaved(b);
	int rc = LYA_OK;

	if (!b->anew || last == NULL || last->order->period_no != b->period_no)
		return LYA_OK;
	b->anew = false;
	if (b->total_lost)
		return LYA_OK;
	for (struct unsaved *u = b->unsaved; u != last && rc == LYA_OK; u = u->next) {
		if (u->order->period_no == b->period_no && u->order->has_part)
			rc = strip_order(b, u->order, err);
	}
	return rc == LYA_OK ? whole_period(b, last->order, err) : rc;
}

/*
 * The data base is damaged: a new one is begun, and the period so far goes there as one
 * part.  What was written of earlier periods is in the old one, under its new name.
 */
static int begin_anew(struct book *b, struct lya_error *err)
{
	char *aside = NULL;
	struct lya_text text = { 0 };
	struct lya_store_event event;
	int rc = lya_store_set_aside(b->store, b->clock.wall_ns, &aside, err);

	if (rc != LYA_OK)
		return rc;
	lya_text_addf(&text, "The data base was damaged and set aside as %s; a new one was begun.",
		      file_name(aside));
	tell(b, LYA_KEEPER_WARNING, lya_text_str(&text));
	memset(b->periods, 0, sizeof(b->periods));
	memset(b->stretches, 0, sizeof(b->stretches));
	b->lingering = 0;
	b->reports_due = false;
	b->anew = true;
	event = store_event(b->clock.time_ns, b->clock.time_ns, lya_text_str(&text));
	rc = lya_store_put_events(b->store, &event, 1, err);
	lya_text_fini(&text);
	lya_free(aside);
	return rc == LYA_OK ? bring_whole(b, err) : rc;
}

/* What waits for the disk ------------------------------------------------------------------------------ */

static void drop_first(struct book *b)
{
	struct unsaved *u = b->unsaved;

	b->unsaved = u->next;
	order_free(u->order);
	lya_free(u);
	(void)pthread_mutex_lock(&b->mutex);
	b->n_unsaved--;
	(void)pthread_mutex_unlock(&b->mutex);
}

static bool is_done(const struct order *o)
{
	return !o->has_part && !o->period_over && o->n_events == 0 && !o->report;
}

/* The newest stretch stays at hand for what comes to it. */
static int write_unsaved(struct book *b, struct lya_error *err)
{
	int rc = LYA_OK;

	while (b->unsaved != NULL && rc == LYA_OK) {
		rc = write_order(b, b->unsaved->order, err);
		if (rc == LYA_OK || is_done(b->unsaved->order))
			drop_first(b);
	}
	return rc;
}

static void note_suspended(struct book *b, const struct lya_error *err)
{
	if (b->suspended_ns == LYA_TIME_NONE) {
		b->suspended_ns = b->clock.time_ns;
		tellf(b, LYA_KEEPER_WARNING,
		      "writing is suspended, the audit goes on in memory: %s", err->text);
	}
	set_status(b, err);
}

static int note_resumed(struct book *b, struct lya_error *err)
{
	struct lya_store_event event;
	int rc = LYA_OK;

	if (b->suspended_ns != LYA_TIME_NONE) {
		event = store_event(b->suspended_ns, b->clock.time_ns,
				    "Nothing could be written meanwhile; the evidence was kept in "
				    "memory, and nothing of it is lost.");
		rc = lya_store_put_events(b->store, &event, 1, err);
		if (rc == LYA_OK) {
			b->suspended_ns = LYA_TIME_NONE;
			tell(b, LYA_KEEPER_NOTE, "writing goes on; nothing was lost");
		}
	}
	return rc;
}

static int write_all(struct book *b, struct lya_error *err)
{
	int rc = write_unsaved(b, err);

	return rc == LYA_OK ? make_due_reports(b, err) : rc;
}

/* Try to write all that waits. */
static void save(struct book *b)
{
	struct lya_error err = { 0 };
	int rc = write_all(b, &err);

	if (rc == LYA_EINPUT) {
		rc = begin_anew(b, &err);
		if (rc == LYA_OK)
			rc = write_all(b, &err);
	}
	if (rc == LYA_OK)
		rc = note_resumed(b, &err);
	if (rc == LYA_OK)
		set_status(b, NULL);
	else
		note_suspended(b, &err);
}

/* Absorbing -------------------------------------------------------------------------------------------- */

/* The newer order goes on where the older one, which was not written, stood. */
static int join_orders(struct order *old, struct order *new)
{
	struct lya_audit_part *o = &old->part, *n = &new->part;
	int rc = LYA_OK;

	for (size_t i = 0; i < new->n_events && rc == LYA_OK; i++)
		rc = order_add_event(old, &new->events[i]);
	old->lost_events += new->lost_events;
	if (new->has_part && old->has_part) {
		if (rc == LYA_OK)
			rc = lya_ledger_merge(o->ended, n->ended);
		if (rc == LYA_OK)
			rc = lya_minutes_merge(o->minutes, n->minutes);
		lya_ledger_free(o->open);
		lya_tally_free(o->tally);
		o->open = n->open;
		o->tally = n->tally;
		o->open_flows = n->open_flows;
		n->open = NULL;
		n->tally = NULL;
	} else if (new->has_part) {
		*o = *n;
		*n = (struct lya_audit_part){ 0 };
		old->has_part = true;
	}
	old->until_ns = new->until_ns;
	old->clock = new->clock;
	old->span = new->span;
	old->span_cut = new->span_cut;
	old->stretch_over = old->stretch_over || new->stretch_over;
	old->reload = new->reload;
	old->period_over = old->period_over || new->period_over;
	if (new->skip_to > new->skip_from) {
		old->skip_from = new->skip_from;
		old->skip_to = new->skip_to;
	}
	old->report = old->report || new->report;
	order_free(new);
	return rc;
}

/* Too much waits: the oldest evidence is given up, and its time becomes a gap. */
static int lose_oldest(struct book *b)
{
	struct unsaved *u = b->unsaved;
	struct lya_store_event event = {
		.kind = LYA_EVENT_GAP,
		.text = "Nothing could be written for too long: the evidence of this time was given "
			"up to keep memory bounded.",
	};

	while (u != NULL && !u->order->has_part)
		u = u->next;
	if (u == NULL)
		return LYA_OK;
	lya_audit_part_fini(&u->order->part);
	u->order->has_part = false;
	event.from_ns = u->order->stretch_begin_ns;
	event.to_ns = u->order->until_ns;
	tell(b, LYA_KEEPER_WARNING, event.text);
	return order_add_event(u->order, &event);
}

static int keep_order(struct book *b, struct order *o)
{
	struct unsaved *last = last_unsaved(b), *u;

	if (last != NULL && last->order->stretch_no == o->stretch_no &&
	    last->order->period_no == o->period_no)
		return join_orders(last->order, o);
	u = lya_calloc(1, sizeof(*u));
	if (u == NULL) {
		order_free(o);
		return LYA_ENOMEM;
	}
	u->order = o;
	if (last != NULL)
		last->next = u;
	else
		b->unsaved = u;
	(void)pthread_mutex_lock(&b->mutex);
	b->n_unsaved++;
	(void)pthread_mutex_unlock(&b->mutex);
	return b->n_unsaved > BOOK_UNSAVED_MAX ? lose_oldest(b) : LYA_OK;
}

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
		tellf(b, LYA_KEEPER_WARNING, "no view of this period can be made: %s", err.text);
	}
}

/* Views ------------------------------------------------------------------------------------------------- */

static bool wants_facts(const struct book *b, const struct order *o)
{
	return b->suspended_ns == LYA_TIME_NONE && id_of(b->periods, o->period_no) != 0 &&
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
	if (view_put_facts(&v->in, b->store, id_of(b->periods, o->period_no), &err) != LYA_OK)
		note_suspended(b, &err);
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
		tellf(b, LYA_KEEPER_WARNING, "no view can be made: %s", err.text);
	view_fini(&v);
}

/* The start ---------------------------------------------------------------------------------------------- */

/* A period of an earlier run that is over by now. */
static int close_old(struct book *b, struct lya_store_period *p, struct lya_error *err)
{
	struct lya_store_stretch *list;
	size_t n;
	int rc = lya_store_stretches(b->store, p->id, &list, &n, err);

	if (rc == LYA_OK && n > 0)
		p->policy = list[n - 1].policy;
	else if (rc == LYA_OK)
		rc = policy_id(b, b->policy, &p->policy, err);
	lya_free(list);
	return rc == LYA_OK ? lya_store_close_period(b->store, p, err) : rc;
}

static bool goes_on(const struct book *b, const struct lya_store_period *p)
{
	return p->day == b->span.day && p->end_ns == b->span.end_ns &&
	       p->begin_ns <= b->clock.time_ns &&
	       p->bound == lya_audit_ledger_bytes(b->options->max_memory);
}

/* Close what is over; the one that goes on is the first of this run. */
static int take_up(struct book *b, struct lya_error *err)
{
	struct lya_store_period *list;
	size_t n;
	int rc = lya_store_periods(b->store, true, &list, &n, err);

	for (size_t i = 0; i < n && rc == LYA_OK; i++) {
		if (i + 1 == n && goes_on(b, &list[i]))
			b->continued = list[i].id;
		else
			rc = close_old(b, &list[i], err);
	}
	lya_store_periods_free(list, n);
	return rc;
}

static int make_up_nights(struct book *b, struct lya_error *err)
{
	int64_t last;
	bool found;
	int rc = lya_store_last_day(b->store, &found, &last, err);

	if (rc == LYA_OK && found)
		rc = make_up_days(b, last, b->span.day, err);
	b->reports_due = true;
	return rc == LYA_OK ? make_due_reports(b, err) : rc;
}

static int tell_aside(struct book *b, struct lya_error *err)
{
	struct lya_text text = { 0 };
	struct lya_store_event event;
	int rc;

	if (b->aside == NULL)
		return LYA_OK;
	lya_text_addf(&text,
		      "The data base was damaged and set aside as %s; a new one was begun, and "
		      "evidence of before is not in this report.",
		      file_name(b->aside));
	tell(b, LYA_KEEPER_WARNING, lya_text_str(&text));
	event = store_event(b->clock.time_ns, b->clock.time_ns, lya_text_str(&text));
	rc = lya_store_put_events(b->store, &event, 1, err);
	lya_text_fini(&text);
	return rc;
}

static void begin(struct book *b)
{
	struct lya_error err = { 0 };
	int rc;

	b->period_no = 1;
	rc = total_begin(&b->total, b->policy, lya_audit_ledger_bytes(b->options->max_memory),
			 &err);
	if (rc == LYA_OK)
		rc = tell_aside(b, &err);
	if (rc == LYA_OK)
		rc = take_up(b, &err);
	if (rc == LYA_OK && b->continued != 0) {
		set_id(b->periods, 1, b->continued);
		rc = total_load(&b->total, b->store, b->continued, &err);
	}
	if (rc == LYA_OK)
		rc = make_up_nights(b, &err);
	if (rc != LYA_OK)
		note_suspended(b, &err);
}

/* The loop ------------------------------------------------------------------------------------------------ */

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
			     id_of(b->periods, o->period_no), &more, &err) != LYA_OK)
		note_suspended(b, &err);
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
	take_policy(b, o->policy);
	add_to_total(b, o);
	rc = keep_order(b, o);
	if (rc == LYA_OK)
		rc = bring_whole(b, &err);
	if (rc != LYA_OK) {
		(void)lya_error_nomem(&err);
		tellf(b, LYA_KEEPER_WARNING, "evidence was lost: %s", err.text);
	}
	save(b);
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

	begin(b);
	while ((o = next_order(b)) != NULL) {
		bool stop = o->stop;

		process(b, o);
		note_done(b, stop);
	}
	return NULL;
}

/* From the other thread ------------------------------------------------------------------------------------- */

static int init_locks(struct book *b)
{
	pthread_condattr_t attr;
	int rc = pthread_condattr_init(&attr);

	if (rc == 0)
		rc = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	if (rc == 0)
		rc = pthread_cond_init(&b->done, &attr);
	if (rc == 0)
		rc = pthread_cond_init(&b->wake, NULL);
	if (rc == 0)
		rc = pthread_mutex_init(&b->mutex, NULL);
	(void)pthread_condattr_destroy(&attr);
	return rc;
}

int book_start(struct book *b, struct lya_error *err)
{
	int rc;

	b->suspended_ns = b->facts_ns = b->doubt_until_ns = LYA_TIME_NONE;
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

bool book_wait(struct book *b, unsigned timeout_ms)
{
	struct timespec until;
	bool stopped;
	int rc = 0;

	(void)clock_gettime(CLOCK_MONOTONIC, &until); /* how long to sleep, not what time it is */
	until.tv_sec += timeout_ms / 1000;
	until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	(void)pthread_mutex_lock(&b->mutex);
	while (!b->stopped && rc == 0)
		rc = pthread_cond_timedwait(&b->done, &b->mutex, &until);
	stopped = b->stopped;
	(void)pthread_mutex_unlock(&b->mutex);
	return stopped;
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
	total_fini(&b->total);
	keeper_policy_leave(b->policy);
	lya_store_close(b->store);
	lya_free(b->aside);
	lya_free(b);
}
