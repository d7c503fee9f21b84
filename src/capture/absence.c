/*
 * absence.c - what an interface did not show: it was away, or packets were dropped.
 *
 * A packet socket stays with its interface while that is down, and hears again once it is
 * up.  One that was removed and made again has another number: a socket is bound to that
 * one, for which no capability is needed.
 */
#include "capture/listen.h"

#include <errno.h>
#include <string.h>

#include "capture/netlink.h"
#include "lyncaudit/timeutil.h"

/* What goes on is told by then, so that no report has to wait for its end. */
#define PIECE_NS (900 * LYA_SECOND_NS)

static void tell(const struct capture_listen *l, const struct capture_interface *i,
		 const struct capture_spell *s, enum lya_capture_event_kind kind, int64_t to_ns,
		 bool over)
{
	struct lya_capture_event event = {
		.kind = kind,
		.source = i->source,
		.from_ns = s->from_ns < to_ns ? s->from_ns : to_ns, /* the clock may have been set back */
		.to_ns = to_ns,
		.count = s->count,
		.over = over,
		.what = s->what,
	};

	if (l->on_event != NULL)
		l->on_event(l->ctx, &event);
}

/* It goes on: tell what lies before the last full quarter of an hour. */
static void spell_go_on(const struct capture_listen *l, const struct capture_interface *i,
			struct capture_spell *s, enum lya_capture_event_kind kind, int64_t now_ns)
{
	int64_t quarter_ns = now_ns - now_ns % PIECE_NS;

	if (s->what == NULL || s->from_ns >= quarter_ns)
		return;
	tell(l, i, s, kind, quarter_ns, false);
	s->from_ns = quarter_ns;
	s->count = 0;
}

static void spell_end(const struct capture_listen *l, const struct capture_interface *i,
		      struct capture_spell *s, enum lya_capture_event_kind kind, int64_t now_ns)
{
	if (s->what == NULL)
		return;
	spell_go_on(l, i, s, kind, now_ns);
	tell(l, i, s, kind, now_ns, true);
	*s = (struct capture_spell){ .what = NULL };
}

static void spell_begin(struct capture_spell *s, const char *what, int64_t from_ns)
{
	if (s->what == NULL)
		*s = (struct capture_spell){ .what = what, .from_ns = from_ns };
}

static const char before_capture[] = "the interface lost packets before they were captured";

/* Drops -------------------------------------------------------------------- */

/* count packets were dropped since a tick, the one before or the one before that. */
static void note_drops(struct lya_capture *c, const struct capture_interface *i,
		       struct capture_spell *s, const char *what, uint64_t count, int64_t since_ns,
		       int64_t now_ns)
{
	const struct capture_listen *l = c->listen;

	if (count == 0) {
		spell_end(l, i, s, LYA_CAPTURE_DROP, l->ticked_ns);
		return;
	}
	spell_begin(s, what, since_ns);
	s->count += count;
	c->sources[i->source].dropped += count;
	spell_go_on(l, i, s, LYA_CAPTURE_DROP, now_ns);
}

/* By all rings of an interface. */
static uint64_t dropped(struct lya_capture *c, const struct capture_interface *i)
{
	uint64_t sum = 0;

	for (size_t k = i->first; k < i->first + i->n; k++)
		sum += capture_ring_dropped(&c->listen->queues[k].ring);
	return sum;
}

/*
 * The kernel counts as dropped by an interface what had no room on its way, and every frame
 * with a VLAN tag that no interface of its own wants, though we saw it.  So that counter
 * tells something where no tag is seen; a second later, as frames are on their way to us.
 */
static bool tells_of_losses(const struct lya_capture *c, struct capture_interface *i)
{
	for (size_t k = i->first; k < i->first + i->n; k++)
		i->tagged = i->tagged || c->listen->queues[k].ring.tagged > 0;
	return !i->tagged && c->filter == NULL; /* which may have left tagged ones out */
}

static uint64_t take_suspect(const struct lya_capture *c, struct capture_interface *i,
			     uint64_t fresh)
{
	uint64_t before = i->suspect;

	i->suspect = fresh;
	return tells_of_losses(c, i) ? before : 0;
}

static void count_drops(struct lya_capture *c, struct capture_interface *i,
			const struct capture_link *link, int64_t now_ns)
{
	int64_t since_ns = c->listen->ticked_ns;
	uint64_t missed = 0, fresh = 0, suspect;

	note_drops(c, i, &i->full, "the kernel's packet buffer was full", dropped(c, i), since_ns,
		   now_ns);
	if (!link->exists)
		return;
	if (link->index == i->index && link->lost > i->lost)
		missed = link->lost - i->lost;
	if (link->index == i->index && link->dropped > i->dropped)
		fresh = link->dropped - i->dropped;
	i->lost = link->lost;
	i->dropped = link->dropped;
	suspect = take_suspect(c, i, fresh);
	note_drops(c, i, &i->missed, before_capture, missed + suspect,
		   suspect > 0 ? c->listen->before_ns : since_ns, now_ns);
}

/* Gaps --------------------------------------------------------------------- */

static const char unheard[] = "the interface was made anew and could not be listened to";

static const char *trouble_of(const struct capture_link *link)
{
	if (!link->exists)
		return "there was no such interface";
	if (!link->up)
		return "the interface was down";
	return link->carrier ? NULL : "the interface had no carrier";
}

/* The last time at which it is known to have been fine. */
static int64_t fine_until(const struct lya_capture *c, const struct capture_interface *i,
			  int64_t now_ns)
{
	int64_t last_ns = c->sources[i->source].last_ns;

	if (c->sources[i->source].time_offset_ns == 0 && last_ns != LYA_TIME_NONE &&
	    last_ns > c->listen->ticked_ns && last_ns <= now_ns)
		return last_ns;
	return c->listen->ticked_ns;
}

static void check_gap(const struct lya_capture *c, struct capture_interface *i,
		      const char *trouble, bool failed, int64_t now_ns)
{
	if (failed && trouble == NULL)
		spell_begin(&i->gap, "the interface went down and came up", fine_until(c, i, now_ns));
	if (trouble != NULL) {
		spell_begin(&i->gap, trouble, fine_until(c, i, now_ns));
		spell_go_on(c->listen, i, &i->gap, LYA_CAPTURE_GAP, now_ns);
	} else {
		spell_end(c->listen, i, &i->gap, LYA_CAPTURE_GAP, now_ns);
	}
}

/* It was made anew: listen to that one.  False: it cannot be heard. */
static bool follow(struct lya_capture *c, struct capture_interface *i,
		   const struct capture_link *link)
{
	capture_group_tidy(c->listen, i);
	return !link->exists || link->index == i->index ||
	       capture_group_follow(c->listen, i, link->index);
}

/* One of its rings was told; none of them tells it twice. */
static bool failed(struct lya_capture *c, const struct capture_interface *i)
{
	bool any = false;

	for (size_t k = i->first; k < i->first + i->n; k++)
		any |= capture_ring_failed(&c->listen->queues[k].ring);
	return any;
}

static int tick(struct lya_capture *c, struct capture_interface *i, int64_t now_ns,
		struct lya_error *err)
{
	struct capture_link link;
	bool went = failed(c, i), heard;
	int rc = capture_netlink_ask(c->listen->netlink, i->name, &link, err);

	if (rc != LYA_OK)
		return rc;
	count_drops(c, i, &link, now_ns);
	heard = follow(c, i, &link);
	check_gap(c, i, heard ? trouble_of(&link) : unheard, went, now_ns);
	return LYA_OK;
}

int lya_capture_tick(struct lya_capture *c, int64_t now_ns, struct lya_error *err)
{
	struct capture_listen *l = c->listen;
	int rc = LYA_OK;

	if (l == NULL) /* files are looked at when they are asked for */
		return LYA_OK;
	if (l->ticked_ns == LYA_TIME_NONE)
		l->ticked_ns = l->before_ns = now_ns;
	for (size_t k = 0; rc == LYA_OK && k < l->n; k++)
		rc = tick(c, &l->list[k], now_ns, err);
	l->before_ns = l->ticked_ns;
	l->ticked_ns = now_ns;
	return rc;
}

void lya_capture_listen_end(struct lya_capture *c, int64_t now_ns)
{
	const struct capture_listen *l = c->listen;

	for (size_t k = 0; l != NULL && k < l->n; k++) {
		struct capture_interface *i = &l->list[k];
		uint64_t last = take_suspect(c, i, 0);

		if (last > 0)
			note_drops(c, i, &i->missed, before_capture, last, l->before_ns, now_ns);
		spell_end(l, i, &i->full, LYA_CAPTURE_DROP, now_ns);
		spell_end(l, i, &i->missed, LYA_CAPTURE_DROP, now_ns);
		spell_end(l, i, &i->gap, LYA_CAPTURE_GAP, now_ns);
	}
}
