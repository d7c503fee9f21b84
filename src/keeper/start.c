/*
 * start.c - what a service finds of those before it: periods to go on with, or to close.
 */
#include "keeper/keeper.h"

#include "lyncaudit/alloc.h"
#include "lyncaudit/site.h"
#include "lyncaudit/text.h"

enum { START_PAUSE_MS = 1000 };

/* The start ---------------------------------------------------------------------------------- */

/* Packets that another process kept are not in the store: the report of their period says so. */
static int tell_unproven(struct book *b, int64_t ns, struct lya_error *err)
{
	struct lya_store_event event = book_store_event(
	    ns, ns,
	    "Packets that prove findings are kept in memory: those of before, if any were kept, are "
	    "in the file that was left when the sensor was stopped, or lost if it left none.");

	return b->proves ? lya_store_put_events(b->store, &event, 1, err) : LYA_OK;
}

/* A period of an earlier run that is over by now. */
static int close_old(struct book *b, struct lya_store_period *p, struct lya_error *err)
{
	struct lya_store_stretch *list;
	size_t n;
	int rc = lya_store_stretches(b->store, p->id, &list, &n, err);

	if (rc == LYA_OK && n > 0)
		p->policy = list[n - 1].policy;
	else if (rc == LYA_OK)
		rc = write_policy(b, b->policy, &p->policy, err);
	if (rc == LYA_OK && n > 0)
		rc = tell_unproven(b, list[n - 1].until_ns, err);
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
		rc = write_made_up_days(b, last, b->span.day, err);
	b->reports_due = true;
	return rc == LYA_OK ? write_due_reports(b, err) : rc;
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
		      book_file_name(b->aside));
	book_tell(b, LYA_KEEPER_WARNING, lya_text_str(&text));
	event = book_store_event(b->clock.time_ns, b->clock.time_ns, lya_text_str(&text));
	rc = lya_store_put_events(b->store, &event, 1, err);
	lya_text_fini(&text);
	return rc;
}

static int try_start(struct book *b, struct lya_error *err)
{
	int rc;

	b->period_no = 1;
	b->continued = 0;
	rc = total_begin(&b->total, b->policy, lya_audit_ledger_bytes(b->options->max_memory), err);
	if (rc == LYA_OK)
		rc = take_up(b, err);
	if (rc == LYA_OK && b->continued != 0) {
		book_set_id(b->periods, 1, b->continued);
		rc = total_load(&b->total, b->store, b->continued, err);
	}
	if (rc == LYA_OK)
		rc = make_up_nights(b, err);
	if (rc == LYA_OK)
		rc = tell_aside(b, err);
	if (rc == LYA_OK && b->continued != 0)
		rc = tell_unproven(b, b->since_ns, err);
	return rc;
}

/*
 * Nothing of this run is written before that is done, for it decides which period this run
 * goes on with.  Whatever is in the way, it is tried until it is gone.
 */
void start_store(struct book *b)
{
	while (!book_is_quitting(b)) {
		struct lya_error err = { 0 };
		int rc = try_start(b, &err);

		if (rc == LYA_EINPUT)
			rc = unsaved_begin_anew(b, &err);
		else if (rc == LYA_OK)
			return;
		if (rc == LYA_OK)
			continue;
		unsaved_note_failure(b, &err);
		book_pause(b, START_PAUSE_MS);
	}
}
