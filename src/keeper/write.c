/*
 * write.c - an order on its way into the store, and the reports that follow from it.
 *
 * Whatever fails is tried again with the next order: so each step can be taken twice.
 */
#include "keeper/keeper.h"

#include <assert.h>

#include "lyncaudit/alloc.h"
#include "lyncaudit/site.h"
#include "lyncaudit/timeutil.h"

/* Numbers of the store ----------------------------------------------------------------------- */

int64_t book_id_of(const struct book_id list[static BOOK_IDS], unsigned no)
{
	return list[no % BOOK_IDS].no == no ? list[no % BOOK_IDS].id : 0;
}

void book_set_id(struct book_id list[static BOOK_IDS], unsigned no, int64_t id)
{
	list[no % BOOK_IDS] = (struct book_id){ no, id };
}

/* The period of an order, as the store is to have it. */
static struct lya_store_period period_of(const struct book *b, const struct order *o)
{
	return (struct lya_store_period){
		.id = book_id_of(b->periods, o->period_no),
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

int write_policy(struct book *b, const struct keeper_policy *policy, int64_t *id,
		 struct lya_error *err)
{
	struct lya_store_policy p = { .site = policy->p.site,
				      .rules = policy->p.rules,
				      .strict = policy->p.strict };
	int rc = lya_store_put_policy(b->store, &p, err);

	*id = p.id;
	return rc;
}

/* Reports ------------------------------------------------------------------------------------ */

static struct reports reports_of(struct book *b)
{
	struct reports r = { .store = b->store,
			     .run = b->run,
			     .wall_ns = b->clock.wall_ns,
			     .on_report = b->options->on_report,
			     .ctx = b->options->ctx,
			     .on_night = b->proves ? proof_tell : NULL,
			     .night_ctx = b };

	r.run.finished_ns = b->clock.wall_ns;
	return r;
}

/* A night that can not be reported any more must not keep others from it. */
static int make_report(struct book *b, const struct lya_store_period *p, struct lya_error *err)
{
	struct reports r = reports_of(b);
	int rc = reports_make(&r, p, err);

	if (rc != LYA_EUSAGE)
		return rc;
	book_tellf(b, LYA_KEEPER_WARNING, "the report of %s cannot be made: %s", p->name,
		   err->text);
	return LYA_OK;
}

/* Of all periods that are over, those that lack a report. */
static int make_reports(struct book *b, struct lya_error *err)
{
	struct lya_store_period *list;
	size_t n;
	int rc = lya_store_unreported(b->store, &list, &n, err);

	for (size_t i = 0; i < n && rc == LYA_OK; i++)
		rc = make_report(b, &list[i], err);
	lya_store_periods_free(list, n);
	return rc;
}

/* The period of this order, as it is so far. */
static int make_report_now(struct book *b, const struct order *o, struct lya_error *err)
{
	struct reports r = reports_of(b);
	int64_t id = book_id_of(b->periods, o->period_no), policy;
	struct lya_store_period p;
	int rc;

	if (id == 0)
		return lya_error_set(err, LYA_EUSAGE, b->options->state_dir, NULL,
				     "there is nothing to report yet");
	rc = lya_store_get_period(b->store, id, &p, err);
	if (rc != LYA_OK)
		return rc;
	rc = write_policy(b, o->policy, &policy, err);
	if (rc == LYA_OK)
		rc = reports_make_now(&r, &p, policy, o->until_ns, err);
	lya_store_period_fini(&p);
	return rc;
}

/* A report that cannot be made is told, once; only damage is more than that. */
static int note_report(struct book *b, int rc, struct lya_error *err)
{
	if (rc != LYA_OK && rc != LYA_EINPUT && !b->reports_failed)
		book_tellf(b, LYA_KEEPER_WARNING, "a report cannot be made: %s", err->text);
	b->reports_failed = rc != LYA_OK;
	return rc == LYA_EINPUT ? rc : LYA_OK;
}

/* Reports that are due; those that cannot be made now stay due. */
int write_due_reports(struct book *b, struct lya_error *err)
{
	int rc;

	if (!b->reports_due || b->clock.mono_ns < b->reports_retry_ns)
		return LYA_OK;
	rc = make_reports(b, err);
	b->reports_due = rc != LYA_OK;
	b->reports_retry_ns =
	    rc != LYA_OK ? b->clock.mono_ns + BOOK_RETRY_S * LYA_SECOND_NS : LYA_TIME_NONE;
	return note_report(b, rc, err);
}

/* Joining parts ------------------------------------------------------------------------------ */

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
	struct lya_ledger_options options = { .max_bytes =
						  lya_audit_ledger_bytes(b->options->max_memory) };
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

/* Writing ------------------------------------------------------------------------------------ */

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
		.id = book_id_of(b->stretches, o->stretch_no),
		.begin_ns = o->stretch_begin_ns,
		.until_ns = o->until_ns,
		.final = o->stretch_over,
	};
	int rc = write_policy(b, o->policy, &stretch.policy, err);

	if (rc == LYA_OK)
		rc = commit(b, o, &period, &stretch, err);
	if (rc != LYA_OK)
		return rc;
	book_set_id(b->periods, o->period_no, period.id);
	book_set_id(b->stretches, o->stretch_no, stretch.id);
	note_lingering(b, o, stretch.id);
	book_set_committed(b, o->until_ns);
	if (lya_store_parts(b->store, stretch.id) > (o->stretch_over ? 1U : (size_t)BOOK_JOIN_AT))
		rc = join_parts(b, stretch.id, o->policy, err);
	return rc;
}

/* A day of which nothing is known; not one that never was. */
static int make_up_day(struct book *b, int64_t day, struct lya_error *err)
{
	struct keeper_span span =
	    keeper_span_of_day(b->policy->p.site->zone, b->options->report_s, day);
	struct order o = { .span = span, .policy = b->policy };
	struct lya_store_period p = period_of(b, &o);
	bool known;
	int rc = lya_store_has_day(b->store, day, &known, err);

	p.id = 0;
	if (rc != LYA_OK || known || span.begin_ns >= span.end_ns)
		return rc;
	rc = write_policy(b, b->policy, &p.policy, err);
	return rc == LYA_OK ? lya_store_close_period(b->store, &p, err) : rc;
}

/* Days between the last one that is known and the one under way. */
int write_made_up_days(struct book *b, int64_t last, int64_t now, struct lya_error *err)
{
	struct lya_store_event event;
	int rc = LYA_OK;

	if (now - last - 1 > LYA_KEEPER_MISSED_MAX) {
		event = (struct lya_store_event){
			LYA_EVENT_CLOCK,
			b->clock.time_ns,
			b->clock.time_ns,
			NULL,
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
	int rc = write_policy(b, o->policy, &period.policy, err);

	if (rc == LYA_OK)
		rc = lya_store_close_period(b->store, &period, err);
	if (rc != LYA_OK)
		return rc;
	book_set_id(b->periods, o->period_no, period.id);
	b->reports_due = true;
	return write_made_up_days(b, o->skip_from, o->skip_to, err);
}

/* One order that waits; what of it was written is taken off it. */
int write_order(struct book *b, struct order *o, struct lya_error *err)
{
	int rc = order_tell_losses(o);

	if (rc != LYA_OK)
		return lya_error_nomem(err);
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
