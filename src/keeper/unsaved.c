/*
 * unsaved.c - evidence that waits for the disk, and what is done when that fails.
 *
 * What waits is joined, stretch by stretch, and written in its order as soon as that can be.
 */
#include "keeper/keeper.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lyncaudit/alloc.h"
#include "lyncaudit/text.h"
#include "lyncaudit/timeutil.h"

/* Damage ------------------------------------------------------------------------------------- */

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
int unsaved_bring_whole(struct book *b, struct lya_error *err)
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
int unsaved_begin_anew(struct book *b, struct lya_error *err)
{
	char *aside = NULL;
	struct lya_text text = { 0 };
	struct lya_store_event event;
	int rc = lya_store_set_aside(b->store, b->clock.wall_ns, &aside, err);

	if (rc != LYA_OK)
		return rc;
	lya_text_addf(&text, "The data base was damaged and set aside as %s; a new one was begun.",
		      book_file_name(aside));
	book_tell(b, LYA_KEEPER_WARNING, lya_text_str(&text));
	memset(b->periods, 0, sizeof(b->periods));
	memset(b->stretches, 0, sizeof(b->stretches));
	b->lingering = 0;
	b->reports_due = false;
	b->anew = true;
	event = book_store_event(b->clock.time_ns, b->clock.time_ns, lya_text_str(&text));
	rc = lya_store_put_events(b->store, &event, 1, err);
	lya_text_fini(&text);
	lya_free(aside);
	return rc == LYA_OK ? unsaved_bring_whole(b, err) : rc;
}

/* What waits for the disk -------------------------------------------------------------------- */

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

void unsaved_note_failure(struct book *b, const struct lya_error *err)
{
	if (b->suspended_ns == LYA_TIME_NONE) {
		b->suspended_ns = b->clock.time_ns;
		book_tellf(b, LYA_KEEPER_WARNING,
			   "writing is suspended, the audit goes on in memory: %s", err->text);
	}
	book_set_status(b, err);
}

static int note_resumed(struct book *b, struct lya_error *err)
{
	struct lya_store_event event;
	int rc = LYA_OK;

	if (b->suspended_ns != LYA_TIME_NONE) {
		event =
		    book_store_event(b->suspended_ns, b->clock.time_ns,
				     "Nothing could be written meanwhile; the evidence was kept in "
				     "memory, and nothing of it is lost.");
		rc = lya_store_put_events(b->store, &event, 1, err);
		if (rc == LYA_OK) {
			b->suspended_ns = LYA_TIME_NONE;
			book_tell(b, LYA_KEEPER_NOTE, "writing goes on; nothing was lost");
		}
	}
	return rc;
}

static int write_all(struct book *b, struct lya_error *err)
{
	int rc = write_unsaved(b, err);

	return rc == LYA_OK ? write_due_reports(b, err) : rc;
}

/* Try to write all that waits. */
void unsaved_save(struct book *b)
{
	struct lya_error err = { 0 };
	int rc = write_all(b, &err);

	if (rc == LYA_EINPUT) {
		rc = unsaved_begin_anew(b, &err);
		if (rc == LYA_OK)
			rc = write_all(b, &err);
	}
	if (rc == LYA_OK)
		rc = note_resumed(b, &err);
	if (rc == LYA_OK)
		book_set_status(b, NULL);
	else
		unsaved_note_failure(b, &err);
}

/* Absorbing ---------------------------------------------------------------------------------- */

/* The newer order goes on where the older one, which was not written, stood. */
static int join_orders(struct order *old, struct order *new)
{
	struct lya_audit_part *o = &old->part, *n = &new->part;
	int rc = LYA_OK;

	for (size_t i = 0; i < new->n_events &&rc == LYA_OK; i++)
		rc = order_add_event(old, &new->events[i]);
	old->lost_events += new->lost_events;
	if (new->has_part && old->has_part) {
		if (rc == LYA_OK)
			rc = lya_ledger_merge(o->ended, n->ended);
		if (rc == LYA_OK)
			rc = lya_minutes_merge(o->minutes, n->minutes);
		old->minutes_told = false;
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
		.text =
		    "Nothing could be written for too long: the evidence of this time was given "
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
	book_tell(b, LYA_KEEPER_WARNING, event.text);
	return order_add_event(u->order, &event);
}

int unsaved_keep(struct book *b, struct order *o)
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
