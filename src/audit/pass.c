/*
 * pass.c - evidence in parts, for an audit without end.
 *
 * A pass begins by putting aside what has ended so far; that is the part.  Then every flow
 * that was open at that moment is visited, or ends before its visit: either way it is
 * entered once, as open (a checkpoint) or with its share (a period's end).  So the part is
 * whole as of the pass's beginning, however long the pass takes.  What flows gain is told by
 * the minute in the same places, so that minutes and ledgers hold the same packets.
 */
#include "audit/state.h"

#include <assert.h>
#include <string.h>

#include "lyncaudit/alloc.h"
#include "lyncaudit/timeutil.h"

void lya_audit_part_fini(struct lya_audit_part *part)
{
	lya_ledger_free(part->ended);
	lya_ledger_free(part->open);
	lya_tally_free(part->tally);
	lya_minutes_free(part->minutes);
	lya_evidence_free(part->packets);
	lya_evidence_free(part->open_packets);
	*part = (struct lya_audit_part){ 0 };
}

int audit_pass_init(struct lya_audit *a, const struct lya_policy *policy,
		    const struct lya_audit_options *options, struct lya_error *err)
{
	int rc = LYA_OK;

	a->policy = policy;
	a->options = *options;
	if (options->evidence) {
		a->room = lya_evidence_room_new(audit_evidence_bytes(options->max_memory));
		if (a->room == NULL)
			return lya_error_nomem(err);
		rc = lya_evidence_new_in(&a->packets, a->room, err);
	}
	return rc == LYA_OK ? lya_minutes_new(&a->minutes, policy, err) : rc;
}

void audit_pass_fini(struct lya_audit *a)
{
	lya_minutes_free(a->minutes);
	lya_audit_part_fini(&a->pass.part);
	lya_evidence_free(a->packets);
	lya_evidence_room_free(a->room);
	lya_free(a->sources);
}

/* Sources ---------------------------------------------------------------------------------- */

static int reach_source(struct lya_audit *a, size_t n)
{
	void *list = a->sources;

	if (n <= a->n_sources)
		return LYA_OK;
	if (lya_grow(&list, &a->cap_sources, n, sizeof(*a->sources)) != LYA_OK)
		return LYA_ENOMEM;
	a->sources = list;
	for (; a->n_sources < n; a->n_sources++)
		a->sources[a->n_sources] =
		    (struct audit_source){ .first_ns = LYA_TIME_NONE, .last_ns = LYA_TIME_NONE };
	return LYA_OK;
}

static void note_source(struct audit_source *s, uint64_t packets, uint64_t bytes, int64_t oldest_ns,
			int64_t newest_ns)
{
	s->packets += packets;
	s->bytes += bytes;
	if (s->first_ns == LYA_TIME_NONE || oldest_ns < s->first_ns)
		s->first_ns = oldest_ns;
	if (s->last_ns == LYA_TIME_NONE || newest_ns > s->last_ns)
		s->last_ns = newest_ns;
}

int audit_note_sources(struct lya_audit *a, const struct lya_frame *frames, size_t n,
		       const struct lya_batch *batch)
{
	if (batch->one_source) {
		if (reach_source(a, (size_t)frames[0].source + 1) != LYA_OK)
			return LYA_ENOMEM;
		note_source(&a->sources[frames[0].source], n, batch->bytes, batch->oldest_ns,
			    batch->newest_ns);
		return LYA_OK;
	}
	for (size_t i = 0; i < n; i++) {
		if (reach_source(a, (size_t)frames[i].source + 1) != LYA_OK)
			return LYA_ENOMEM;
		note_source(&a->sources[frames[i].source], 1, frames[i].wirelen, frames[i].time_ns,
			    frames[i].time_ns);
	}
	return LYA_OK;
}

/* The counters of the reader go on for ever: here it is noted where they are. */
static void begin_source(struct audit_source *s, const struct lya_source *at)
{
	*s = (struct audit_source){
		.first_ns = LYA_TIME_NONE,
		.last_ns = LYA_TIME_NONE,
		.dropped = at->dropped,
		.snapped = at->snapped,
		.steps_back = at->steps_back,
		.filtered = at->filtered,
	};
}

static int tell_source(struct lya_tally *t, const struct lya_source *at,
		       const struct audit_source *s)
{
	int number = audit_push_source(t, at->name, at->kind);
	struct lya_source *out;

	if (number < 0)
		return number;
	out = &t->sources[number];
	memcpy(out->links, at->links, sizeof(out->links));
	out->n_links = at->n_links;
	out->packets = s->packets;
	out->bytes = s->bytes;
	out->first_ns = s->first_ns;
	out->last_ns = s->last_ns;
	out->time_offset_ns = at->time_offset_ns;
	out->truncated = at->truncated;
	out->dropped = at->dropped - s->dropped;
	out->snapped = at->snapped - s->snapped;
	out->steps_back = at->steps_back - s->steps_back;
	out->filtered = at->filtered - s->filtered;
	out->digits = at->digits;
	out->filtered_unseen = at->filtered_unseen;
	out->skipped = at->skipped;
	out->error = at->error != NULL ? lya_strdup(at->error) : NULL;
	return at->error != NULL && out->error == NULL ? LYA_ENOMEM : LYA_OK;
}

/* Tallies ---------------------------------------------------------------------------------- */

static int tell_snat(struct lya_audit *a, struct lya_tally *t)
{
	struct lya_snat_stats stats;

	lya_snat_stats(audit_follow_snat(a->follow), &stats);
	t->snat.all = stats.all;
	t->snat.unpaired = stats.unpaired;
	t->snat.dropped = stats.dropped;
	return lya_snat_pairs(audit_follow_snat(a->follow), &t->snat.pairs, &t->snat.n_pairs);
}

static int tell_clocks(const struct lya_audit *a, struct lya_tally *t, struct lya_error *err)
{
	size_t kept = 0;
	int rc = lya_reasm_clocks(audit_follow_reasm(a->follow), &t->clocks, &t->n_clocks, err);

	for (size_t i = 0; rc == LYA_OK && i < t->n_clocks; i++) {
		if (t->clocks[i].source < t->n_sources && t->clocks[i].twin < t->n_sources)
			t->clocks[kept++] = t->clocks[i];
	}
	t->n_clocks = kept;
	return rc;
}

static struct lya_forgotten forgotten_so_far(const struct lya_audit *a)
{
	struct lya_forgotten f;

	audit_follow_forgotten(a->follow, &f);
	f.details += audit_judge_forgotten(a->judge);
	return f;
}

static void tell_flows(const struct lya_audit *a, struct lya_tally *t)
{
	const struct lya_flow_stats *then = &a->stretch_stats;
	struct lya_flow_stats now;
	struct lya_forgotten forgotten;

	audit_follow_stats(a->follow, &now);
	t->flows.flows = now.flows - then->flows;
	t->flows.evicted = now.evicted - then->evicted;
	t->flows.given_up = now.given_up - then->given_up;
	t->flows.details_lost = now.details_lost - then->details_lost;
	forgotten = forgotten_so_far(a);
	t->forgotten.datagrams = forgotten.datagrams - a->stretch_forgotten.datagrams;
	t->forgotten.details = forgotten.details - a->stretch_forgotten.details;
}

/* Everything counts from zero. */
static void begin_counts(struct lya_audit *a, const struct lya_source *sources, size_t n_sources)
{
	for (size_t i = 0; i < n_sources; i++)
		begin_source(&a->sources[i], &sources[i]);
	a->counts =
	    (struct lya_audit_counts){ .first_ns = LYA_TIME_NONE, .last_ns = LYA_TIME_NONE };
	lya_reasm_stats(audit_follow_reasm(a->follow), &a->stretch_reasm);
	audit_follow_stats(a->follow, &a->stretch_stats);
	a->stretch_forgotten = forgotten_so_far(a);
	lya_snat_begin(audit_follow_snat(a->follow));
}

/* What packets and what flows tell of the sources. */
static int tell_validity(struct lya_audit *a, bool begin, struct lya_validity **out,
			 struct lya_error *err)
{
	struct lya_validity *flows;
	int rc = lya_validity_period(audit_follow_validity(a->follow), begin, out, err);

	if (rc != LYA_OK)
		return rc;
	rc = lya_validity_period(audit_judge_validity(a->judge), begin, &flows, err);
	if (rc != LYA_OK)
		return rc;
	rc = lya_validity_merge(*out, flows);
	lya_validity_free(flows);
	return rc;
}

static int fill_tally(struct lya_audit *a, struct lya_tally *t, const struct lya_source *sources,
		      size_t n_sources, bool over, struct lya_error *err)
{
	int rc = reach_source(a, n_sources);

	for (size_t i = 0; i < n_sources && rc == LYA_OK; i++)
		rc = tell_source(t, &sources[i], &a->sources[i]);
	if (rc == LYA_OK) {
		lya_validity_free(t->validity);
		t->validity = NULL;
		rc = tell_validity(a, over, &t->validity, err);
	}
	t->counts = a->counts;
	audit_count_reasm(a, &t->counts);
	tell_flows(a, t);
	if (rc == LYA_OK && over)
		lya_snat_end(audit_follow_snat(a->follow));
	if (rc == LYA_OK)
		rc = tell_snat(a, t);
	if (rc == LYA_OK && !over)
		t->snat.unpaired += lya_snat_waiting(audit_follow_snat(a->follow));
	return rc == LYA_OK ? tell_clocks(a, t, err) : rc;
}

int audit_make_tally(struct lya_audit *a, const struct lya_source *sources, size_t n_sources,
		     bool over, struct lya_tally **out, struct lya_error *err)
{
	int rc;

	if (n_sources > LYA_TALLY_SOURCES)
		return lya_error_set(err, LYA_ELIMIT, NULL, NULL,
				     "%zu sources: at most %d can be followed without end",
				     n_sources, LYA_TALLY_SOURCES);
	rc = lya_tally_new(out, err);
	if (rc == LYA_OK)
		rc = fill_tally(a, *out, sources, n_sources, over, err);
	if (rc == LYA_ENOMEM)
		return lya_error_nomem(err);
	if (rc == LYA_OK && over)
		begin_counts(a, sources, n_sources);
	return rc;
}

/* Parts ------------------------------------------------------------------------------------ */

/* What is begun anew when something is put aside. */
struct anew {
	struct lya_ledger *ledger;
	struct lya_minutes *minutes;
	struct lya_evidence *packets; /* NULL: none are kept */
};

static void anew_fini(struct anew *anew)
{
	lya_ledger_free(anew->ledger);
	lya_minutes_free(anew->minutes);
	lya_evidence_free(anew->packets);
}

static int make_anew(const struct lya_audit *a, struct anew *anew, struct lya_error *err)
{
	struct lya_ledger_options options = audit_judge_ledger_options(&a->options);
	int rc = lya_ledger_new(&anew->ledger, a->policy, &options, err);

	if (rc == LYA_OK)
		rc = lya_minutes_new(&anew->minutes, a->policy, err);
	if (rc == LYA_OK && a->room != NULL)
		rc = lya_evidence_new_in(&anew->packets, a->room, err);
	return rc;
}

/* Packets go to those that were put aside before. */
static int join_packets(struct lya_audit *a, struct lya_audit_part *part, struct lya_error *err)
{
	return a->room == NULL ? LYA_OK
			       : lya_evidence_merge(part->packets, a->packets, part->ended, NULL, 0,
						    err);
}

/* Put aside what has ended, and begin anew.  What was put aside before is joined to it. */
static int put_aside(struct lya_audit *a, struct lya_audit_part *part, struct lya_error *err)
{
	struct anew anew = { 0 };
	struct anew done = { .minutes = a->minutes, .packets = a->packets };
	int rc = make_anew(a, &anew, err);

	if (rc == LYA_OK && part->ended != NULL &&
	    (lya_ledger_merge(part->ended, audit_judge_ledger(a->judge)) != LYA_OK ||
	     lya_minutes_merge(part->minutes, a->minutes) != LYA_OK))
		rc = lya_error_nomem(err);
	if (rc == LYA_OK && part->ended != NULL)
		rc = join_packets(a, part, err);
	if (rc != LYA_OK) {
		anew_fini(&anew);
		return rc;
	}
	done.ledger = audit_judge_put_ledger(a->judge, anew.ledger);
	a->minutes = anew.minutes;
	a->packets = anew.packets;
	if (part->ended != NULL) {
		anew_fini(&done);
		return LYA_OK;
	}
	part->ended = done.ledger;
	part->minutes = done.minutes;
	part->packets = done.packets;
	return LYA_OK;
}

/* A checkpoint that is under way is given up: its ended flows and minutes stay. */
static void give_up(struct audit_pass *pass)
{
	assert((!pass->running || pass->kind != LYA_PASS_PERIOD) &&
	       "a period's pass is brought to its end");
	pass->running = pass->done = false;
	pass->place = 0;
	lya_ledger_free(pass->part.open);
	lya_tally_free(pass->part.tally);
	lya_evidence_free(pass->part.open_packets);
	pass->part.open = NULL;
	pass->part.tally = NULL;
	pass->part.open_packets = NULL;
	pass->part.open_flows = 0;
}

/* Where packets are from: told before they are put aside, so that this may fail. */
static int tell_packets(struct lya_audit *a, const struct lya_source *sources, size_t n_sources,
			struct lya_error *err)
{
	return a->packets != NULL ? lya_evidence_tell(a->packets, sources, n_sources, err) : LYA_OK;
}

int audit_close_stretch(struct lya_audit *a, const struct lya_source *sources, size_t n_sources,
			struct lya_audit_part *part, struct lya_error *err)
{
	int rc;

	give_up(&a->pass);
	rc = tell_packets(a, sources, n_sources, err);
	if (rc == LYA_OK)
		rc = put_aside(a, &a->pass.part, err);
	if (rc != LYA_OK)
		return rc;
	*part = a->pass.part;
	a->pass.part = (struct lya_audit_part){ 0 };
	return LYA_OK;
}

void audit_reopen_stretch(struct lya_audit *a, struct lya_audit_part *part)
{
	lya_ledger_free(audit_judge_put_ledger(a->judge, part->ended));
	lya_minutes_free(a->minutes);
	lya_evidence_free(a->packets);
	a->minutes = part->minutes;
	a->packets = part->packets;
	part->ended = NULL;
	part->minutes = NULL;
	part->packets = NULL;
	lya_audit_part_fini(part);
}

/* What there is for open flows. */
static int begin_open(struct lya_audit *a, struct audit_pass *pass, struct lya_error *err)
{
	struct lya_ledger_options options = audit_judge_ledger_options(&a->options);
	int rc = LYA_OK;

	if (pass->kind != LYA_PASS_PERIOD)
		rc = lya_ledger_new(&pass->part.open, a->policy, &options, err);
	if (rc == LYA_OK && pass->kind == LYA_PASS_REPORT && a->room != NULL)
		rc = lya_evidence_new_in(&pass->part.open_packets, a->room, err);
	return rc;
}

/* What comes from now on is another period's. */
static void cut(struct lya_audit *a, int64_t time_ns)
{
	lya_flow_table_cut(audit_follow_flows(a->follow), time_ns);
	if (a->room != NULL)
		lya_trail_cut(audit_follow_trail(a->follow));
}

int lya_audit_pass_begin(struct lya_audit *a, enum lya_audit_pass kind, int64_t time_ns,
			 const struct lya_source *sources, size_t n_sources, struct lya_error *err)
{
	struct audit_pass *pass = &a->pass;
	int rc;

	assert(a->options.continuous && "passes are for audits without end");
	rc = lya_audit_settle(a, err);
	if (rc != LYA_OK)
		return rc;
	give_up(pass);
	pass->kind = kind;
	rc = tell_packets(a, sources, n_sources, err);
	if (rc == LYA_OK)
		rc = put_aside(a, &pass->part, err);
	if (rc == LYA_OK)
		rc = begin_open(a, pass, err);
	if (rc == LYA_OK)
		rc = audit_make_tally(a, sources, n_sources, kind == LYA_PASS_PERIOD,
				      &pass->part.tally, err);
	if (rc != LYA_OK)
		return rc;
	if (kind == LYA_PASS_PERIOD)
		cut(a, time_ns);
	pass->running = true;
	return LYA_OK;
}

/* Flows ------------------------------------------------------------------------------------ */

static bool is_empty(struct lya_flow_sum sum)
{
	return sum.packets == 0;
}

static struct lya_flow_sum less(struct lya_flow_sum a, struct lya_flow_sum b)
{
	return (struct lya_flow_sum){ a.packets - b.packets, a.bytes - b.bytes };
}

static struct lya_flow_sum greater(struct lya_flow_sum a, struct lya_flow_sum b)
{
	return a.packets >= b.packets ? a : b; /* sums of one flow: bytes follow packets */
}

static struct lya_flow_sum whole(const struct lya_flow *f)
{
	return (struct lya_flow_sum){ f->packets[0] + f->packets[1], f->bytes[0] + f->bytes[1] };
}

/* The flow with the share that it has of the period before. */
static struct lya_flow share_before(const struct lya_flow *f)
{
	struct lya_flow old = *f;

	old.before = f->marks->earlier;
	old.since_ns = f->marks->earlier_ns;
	old.after = less(whole(f), f->marks->cut);
	old.until_ns = f->marks->cut_last_ns;
	return old;
}

static int tell_gain(struct lya_minutes *m, const struct audit_judged *j, struct lya_flow_sum from,
		     struct lya_flow_sum to, int64_t last_ns)
{
	struct lya_flow_sum gained = less(to, from);

	if (to.packets <= from.packets)
		return 0;
	return lya_minutes_add(m, j->flow, j->ends, &j->verdict, last_ns, &gained,
			       from.packets == 0);
}

/* Enter a flow that lived when the period ended into that period. */
static int take_before(struct audit_pass *pass, const struct audit_judged *j)
{
	const struct lya_flow_marks *marks = j->flow->marks;
	struct lya_flow old = share_before(j->flow);
	int rc = tell_gain(pass->part.minutes, j, marks->told, marks->cut, marks->cut_last_ns);

	if (rc != 0 || is_empty(lya_flow_share(&old)))
		return rc;
	rc = lya_validity_take(pass->part.tally->validity, &old);
	return rc != 0 ? rc : lya_ledger_take(pass->part.ended, &old, j->ends, &j->verdict, NULL);
}

/* The same of a flow that ends; what was measured of it is told with that share. */
static int take_last_before(struct audit_pass *pass, struct audit_judged *j)
{
	int rc = take_before(pass, j);

	j->joined = *j->flow;
	j->joined.measured = false;
	j->flow = &j->joined;
	return rc;
}

/* Enter a flow as open. */
static int take_open(struct audit_pass *pass, const struct audit_judged *j)
{
	const struct lya_flow_marks *marks = j->flow->marks;
	int rc = tell_gain(pass->part.minutes, j, greater(marks->told, marks->cut), whole(j->flow),
			   j->flow->last_ns);

	if (rc != 0 || is_empty(lya_flow_share(j->flow)))
		return rc;
	pass->part.open_flows++;
	rc = lya_validity_take(pass->part.tally->validity, j->flow);
	return rc != 0 ? rc : lya_ledger_take(pass->part.open, j->flow, j->ends, &j->verdict, NULL);
}

/* Packets ---------------------------------------------------------------------------------- */

/* Where packets of a flow go, and by which ledger they are named; packets NULL: nowhere. */
struct shelf {
	struct lya_evidence *packets;
	const struct lya_ledger *ledger;
};

/* Of a pass: for a flow that ends before it came by, or that is visited. */
static struct shelf shelf_of(const struct audit_pass *pass)
{
	const struct lya_audit_part *part = &pass->part;

	if (pass->kind == LYA_PASS_PERIOD)
		return (struct shelf){ part->packets, part->ended };
	return (struct shelf){ part->open_packets, part->open };
}

static bool is_shown(const struct lya_audit *a, const struct audit_judged *j)
{
	return lya_finding_concerns(a->policy, j->flow, j->ends, &j->verdict);
}

/* What the pass is to have of a flow that is open still. */
static int copy_packets(struct lya_audit *a, const struct audit_judged *j,
			const struct lya_snat_evidence *found)
{
	struct lya_trail *trail = audit_follow_trail(a->follow);
	struct shelf to = shelf_of(&a->pass);
	bool at_cut = a->pass.kind == LYA_PASS_PERIOD, shown = to.packets != NULL && is_shown(a, j);
	struct lya_trail_flow kept = { 0 };
	int rc;

	if (trail == NULL || (!shown && !at_cut))
		return LYA_OK;
	rc = lya_trail_copy(trail, j->flow, found, at_cut, shown ? &kept : NULL);
	return rc == LYA_OK && shown ? lya_evidence_take(to.packets, to.ledger, j->flow, true, kept)
				     : rc;
}

/* The same of one that ends, whose packets go on. */
static int share_packets(struct lya_audit *a, const struct audit_judged *j,
			 const struct lya_trail_flow *kept)
{
	struct shelf to = shelf_of(&a->pass);
	struct lya_trail_flow copy;
	int rc;

	if (to.packets == NULL || !is_shown(a, j))
		return LYA_OK;
	rc = lya_trail_flow_dup(kept, a->pass.kind == LYA_PASS_PERIOD, &copy);
	return rc == LYA_OK ? lya_evidence_take(to.packets, to.ledger, j->flow, true, copy) : rc;
}

/* And what is left of it when it has ended; they are taken in any case. */
static int take_packets(struct lya_audit *a, const struct audit_judged *j,
			struct lya_trail_flow *kept)
{
	struct lya_trail_flow all = *kept;
	bool shown = !is_empty(lya_flow_share(j->flow)) && is_shown(a, j);

	*kept = (struct lya_trail_flow){ 0 };
	return a->packets == NULL ? LYA_OK
				  : lya_evidence_take(a->packets, audit_judge_ledger(a->judge),
						      j->flow, shown, all);
}

/* Visits and ends -------------------------------------------------------------------------- */

static int visit(void *ctx, const struct lya_flow *flow)
{
	struct lya_audit *a = ctx;
	const struct lya_snat_evidence *found = lya_snat_found(audit_follow_snat(a->follow), flow);
	struct audit_judged j;
	int rc = audit_judge_as(a->judge, flow, found, &j);

	if (rc == 0)
		rc = a->pass.kind == LYA_PASS_PERIOD ? take_before(&a->pass, &j)
						     : take_open(&a->pass, &j);
	return rc == 0 ? copy_packets(a, &j, found) : rc;
}

int lya_audit_pass_step(struct lya_audit *a, size_t max_flows, bool *done, struct lya_error *err)
{
	struct audit_pass *pass = &a->pass;
	int rc = audit_settle(a);

	assert(pass->running && "a pass was begun");
	if (rc == 0 && !pass->done) {
		rc = lya_flow_table_visit(audit_follow_flows(a->follow), &pass->place, max_flows,
					  pass->kind == LYA_PASS_PERIOD, visit, a);
		pass->done = rc == 0 && pass->place == 0;
	}
	*done = pass->done;
	return audit_tell_failure(rc, err);
}

int lya_audit_pass_end(struct lya_audit *a, struct lya_audit_part *part, struct lya_error *err)
{
	struct audit_pass *pass = &a->pass;
	int rc = lya_audit_settle(a, err);

	assert(pass->running && pass->done && "every flow was visited");
	if (rc != LYA_OK)
		return rc;
	*part = pass->part;
	*pass = (struct audit_pass){ 0 };
	return LYA_OK;
}

/* The pass that is under way has not come by this flow, which ends. */
static bool is_unvisited(const struct audit_pass *pass, const struct lya_flow *flow)
{
	return pass->running && !pass->done && flow->marks->place >= pass->place;
}

/* A pass that has not come by a flow gets of it, as it ends, what a visit would have told. */
static int take_unvisited(struct lya_audit *a, struct audit_judged *j, struct lya_trail_flow *kept)
{
	bool at_cut = a->pass.kind == LYA_PASS_PERIOD;
	int rc;

	if (!is_unvisited(&a->pass, j->flow) || (at_cut && is_empty(j->flow->marks->cut)))
		return 0;
	rc = at_cut ? take_last_before(&a->pass, j) : take_open(&a->pass, j);
	if (rc == 0)
		rc = share_packets(a, j, kept);
	if (rc == 0 && at_cut)
		lya_trail_flow_go_on(kept);
	return rc;
}

static int take_share(struct lya_audit *a, struct audit_judged *j, struct lya_trail_flow *kept,
		      struct lya_flow_findings *findings)
{
	const struct lya_flow_marks *marks = j->flow->marks; /* the flow may be replaced */
	bool unvisited = is_unvisited(&a->pass, j->flow);
	int rc = take_unvisited(a, j, kept);

	if (rc == 0 && (!unvisited || a->pass.kind == LYA_PASS_PERIOD))
		rc = tell_gain(a->minutes, j, greater(marks->told, marks->cut), whole(j->flow),
			       j->flow->last_ns);
	if (rc == 0 && !is_empty(lya_flow_share(j->flow)))
		rc = lya_validity_take(audit_judge_validity(a->judge), j->flow);
	if (rc == 0)
		rc = lya_ledger_take(audit_judge_ledger(a->judge), j->flow, j->ends, &j->verdict,
				     findings);
	return rc == 0 ? take_packets(a, j, kept) : rc;
}

static int enter(struct lya_audit *a, const struct lya_flow *flow,
		 const struct lya_snat_evidence *found, struct lya_trail_flow *kept)
{
	struct audit_judged j;
	struct lya_flow_findings findings = { 0 };
	int rc = audit_judge_listener(a->judge, flow);

	if (rc == 0)
		rc = audit_judge_as(a->judge, flow, found, &j);
	if (rc == 0)
		rc = take_share(a, &j, kept, &findings);
	if (rc != 0 || a->options.on_flow == NULL)
		return rc;
	return a->options.on_flow(a->options.ctx,
				  &(struct lya_audit_flow){ a->policy, j.flow, j.ends, &j.verdict,
							    &findings });
}

int audit_pass_flow(struct lya_audit *a, const struct lya_flow *flow,
		    const struct lya_snat_evidence *found, struct lya_trail_flow kept)
{
	int rc = enter(a, flow, found, &kept);

	if (a->packets != NULL) /* what was not taken, for it did not come to that */
		lya_trail_flow_fini(&kept);
	return rc;
}

/* The end ---------------------------------------------------------------------------------- */

int lya_audit_stop(struct lya_audit *a, const struct lya_source *sources, size_t n_sources,
		   struct lya_audit_part *part, struct lya_error *err)
{
	int rc = audit_finish_flows(a);

	if (rc != 0)
		return audit_tell_failure(rc, err);
	rc = audit_close_stretch(a, sources, n_sources, part, err);
	return rc == LYA_OK ? audit_make_tally(a, sources, n_sources, true, &part->tally, err) : rc;
}
