/*
 * audit.c - the pipeline: frames in, judged flows and a ledger out.
 *
 *     frames -> decode, mark second sightings -> follow: packets in order, flows -> judge: ledger
 */
#include "audit/state.h"

#include <string.h>

#include "lyncaudit/alloc.h"
#include "lyncaudit/timeutil.h"

/* What follow tells is judged: at once, or in threads in its turn ------------------------------ */

static int take_flow(void *ctx, const struct lya_flow *flow, const struct lya_snat_evidence *found,
		     struct lya_trail_flow kept)
{
	struct lya_audit *a = ctx;

	if (a->options.continuous)
		return audit_pass_flow(a, flow, found, kept);
	return audit_judge_flow(a->judge, flow, found, kept);
}

static int take_listener(void *ctx, const struct lya_flow *flow)
{
	const struct lya_audit *a = ctx;

	return audit_judge_listener(a->judge, flow);
}

static int take_listeners_known(void *ctx)
{
	const struct lya_audit *a = ctx;

	audit_judge_listeners_known(a->judge);
	return 0;
}

static int take_detail(void *ctx, const struct lya_flow_detail *detail)
{
	const struct lya_audit *a = ctx;

	return audit_judge_detail(a->judge, detail);
}

/* ---------------------------------------------------------------------------------- */

static int make_stages(struct lya_audit *a, const struct lya_policy *policy,
		       const struct lya_audit_options *given, struct lya_error *err)
{
	struct lya_audit_options options = *given;
	const struct audit_sink judge = { .ctx = a, .flow = take_flow, .listener = take_listener,
					  .listeners_known = take_listeners_known,
					  .detail = take_detail };
	struct audit_sink sink = judge;
	int rc = LYA_OK;

	if (options.max_memory == 0)
		options.max_memory = LYA_AUDIT_MEMORY;
	if (options.threads > 1) {
		rc = audit_relay_new(&a->relay, err);
		if (rc < 0)
			return rc;
		sink = audit_relay_sink(a->relay);
	}
	if (options.continuous)
		rc = audit_pass_init(a, policy, &options, err);
	if (rc == LYA_OK)
		rc = audit_follow_new(&a->follow, policy, &options, &sink, err);
	if (rc == LYA_OK)
		rc = audit_judge_new(&a->judge, policy, &options, audit_follow_snat(a->follow), err);
	if (rc < 0 || a->relay == NULL)
		return rc;
	return audit_relay_start(a->relay, a->follow, &judge, options.threads, err);
}

int lya_audit_new(struct lya_audit **result, const struct lya_policy *policy,
                  const struct lya_audit_options *options, struct lya_error *err)
{
	struct lya_audit *a = lya_calloc(1, sizeof(*a));
	int rc;

	if (a == NULL)
		return lya_error_nomem(err);
	a->counts.first_ns = LYA_TIME_NONE;
	a->counts.last_ns = LYA_TIME_NONE;
	rc = make_stages(a, policy, options, err);
	if (rc < 0) {
		lya_audit_free(a);
		return rc;
	}
	*result = a;
	return LYA_OK;
}

void lya_audit_free(struct lya_audit *a)
{
	if (a == NULL)
		return;
	audit_relay_free(a->relay); /* its threads first */
	audit_judge_free(a->judge);
	audit_follow_free(a->follow);
	audit_pass_fini(a);
	lya_limits_free(a->limits, a->n_limits);
	lya_free(a);
}

static void count_events(struct lya_audit *a, uint32_t events)
{
	for (; events != 0; events &= events - 1)
		a->counts.events[__builtin_ctz(events)]++;
}

static void count_frames(struct lya_audit_counts *c, size_t n, const struct lya_batch *batch)
{
	if (c->packets == 0) {
		c->first_ns = batch->oldest_ns;
		c->last_ns = batch->newest_ns;
	}
	if (batch->oldest_ns < c->first_ns)
		c->first_ns = batch->oldest_ns;
	if (batch->newest_ns > c->last_ns)
		c->last_ns = batch->newest_ns;
	c->packets += n;
	c->bytes += batch->bytes;
}

static void count_packet(struct lya_audit *a, const struct lya_packet *pkt)
{
	count_events(a, pkt->events);
	if (pkt->kind == LYA_PKT_NOT_IP)
		a->counts.not_ip++;
	else if (pkt->kind == LYA_PKT_OTHER_IP || pkt->kind == LYA_PKT_ICMP_ERROR)
		a->counts.not_tcp_udp++;
}

/* Few batches hold anything that counts here. */
static void count_packets(struct lya_audit *a, const struct lya_packet *pkts, size_t n,
			  const struct lya_batch *batch)
{
	for (size_t i = 0; i < n && !batch->plain; i++)
		count_packet(a, &pkts[i]);
}

/* What the flow table answered: its own failure, or what a callback said. */
int audit_tell_failure(int rc, struct lya_error *err)
{
	return rc == LYA_ENOMEM ? lya_error_nomem(err) : rc;
}

/* At most AUDIT_BATCH frames. */
static void decode(struct lya_audit *a, const struct lya_frame *frames, struct lya_packet *pkts,
		   size_t n, struct lya_batch *batch)
{
	lya_decode_batch(frames, pkts, n, batch);
	batch->duplicates = lya_reasm_mark(audit_follow_reasm(a->follow), pkts, n) != 0;
	count_frames(&a->counts, n, batch);
	count_packets(a, pkts, n, batch);
}

static size_t batch_of(size_t left)
{
	return left < AUDIT_BATCH ? left : AUDIT_BATCH;
}

/* As many of the frames as a block holds; *n is how many.  LYA_ENOMEM or 0. */
static int fill_block(struct lya_audit *a, const struct lya_frame *frames, size_t *n,
		      struct audit_block *block)
{
	size_t done = 0, i = 0;
	int rc = 0;

	for (; rc == 0 && i < AUDIT_BLOCK_BATCHES && done < *n; i++) {
		block->n[i] = batch_of(*n - done);
		memcpy(block->frames[i], &frames[done], block->n[i] * sizeof(*frames));
		decode(a, block->frames[i], block->pkts[i], block->n[i], &block->batch[i]);
		if (a->options.continuous)
			rc = audit_note_sources(a, block->frames[i], block->n[i],
						&block->batch[i]);
		done += block->n[i];
	}
	block->n_batches = i;
	*n = done;
	return rc;
}

static int take_in_threads(struct lya_audit *a, const struct lya_frame *frames, size_t n)
{
	for (size_t done = 0; done < n;) {
		struct audit_block *block;
		size_t some = n - done;
		int rc = audit_relay_block(a->relay, &block);

		if (rc == 0)
			rc = fill_block(a, &frames[done], &some, block);
		if (rc != 0)
			return rc;
		audit_relay_send(a->relay);
		done += some;
	}
	return 0;
}

static int take_here(struct lya_audit *a, const struct lya_frame *frames, size_t n)
{
	for (size_t done = 0; done < n;) {
		size_t some = batch_of(n - done);
		struct lya_batch batch;
		int rc;

		decode(a, &frames[done], a->batch, some, &batch);
		rc = a->options.continuous ? audit_note_sources(a, &frames[done], some, &batch) : 0;
		if (rc == 0)
			rc = audit_follow_take(a->follow, a->batch, some, &batch);
		if (rc != 0)
			return rc;
		done += some;
	}
	return 0;
}

int lya_audit_take(struct lya_audit *a, const struct lya_frame *frames, size_t n,
                   struct lya_error *err)
{
	int rc = a->relay != NULL ? take_in_threads(a, frames, n) : take_here(a, frames, n);

	return rc != 0 ? audit_tell_failure(rc, err) : LYA_OK;
}

int audit_settle(const struct lya_audit *a)
{
	return a->relay != NULL ? audit_relay_settle(a->relay) : 0;
}

int lya_audit_settle(struct lya_audit *a, struct lya_error *err)
{
	return audit_tell_failure(audit_settle(a), err);
}

/* Decoded packets are counted before reasm has seen them: what that makes of some comes here. */
void audit_count_reasm(const struct lya_audit *a, struct lya_audit_counts *counts)
{
	const struct lya_reasm_stats *then = &a->stretch_reasm;
	struct lya_reasm_stats now;

	lya_reasm_stats(audit_follow_reasm(a->follow), &now);
	for (size_t i = 0; i < sizeof(now.duplicates) / sizeof(now.duplicates[0]); i++)
		counts->duplicates += now.duplicates[i] - then->duplicates[i];
	counts->not_tcp_udp += now.tunnels - then->tunnels;
	counts->events[LYA_EV_FRAGMENT_OVERLAP] += now.overlaps - then->overlaps;
	counts->events[LYA_EV_UDP_LENGTH] += now.lengths - then->lengths;
}

/* What reasm says of the clocks goes to the measures of the sources. */
static int measure_clocks(const struct lya_audit *a, struct lya_source_measures *measures,
			  size_t n_sources, struct lya_error *err)
{
	struct lya_clock_offset *list;
	size_t n;
	int rc = lya_reasm_clocks(audit_follow_reasm(a->follow), &list, &n, err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < n; i++) {
		if (list[i].source >= n_sources)
			continue;
		measures[list[i].source].twin = list[i].twin;
		measures[list[i].source].twin_packets = list[i].packets;
		measures[list[i].source].ahead_ns = list[i].ahead_ns;
	}
	lya_free(list);
	return LYA_OK;
}

static int make_limits(struct lya_audit *a, const struct lya_validity *validity,
		       const struct lya_source *sources, size_t n_sources, struct lya_error *err)
{
	struct lya_source_measures *measures = lya_calloc(n_sources + 1, sizeof(*measures));
	struct lya_judged judged = audit_judged_of(audit_judge_ledger(a->judge));
	struct lya_forgotten forgotten;
	struct lya_flow_stats stats;
	int rc;

	if (measures == NULL)
		return lya_error_nomem(err);
	for (size_t i = 0; i < n_sources; i++)
		lya_validity_measures(validity, i, &measures[i]);
	audit_follow_stats(a->follow, &stats);
	audit_follow_forgotten(a->follow, &forgotten);
	forgotten.details += audit_judge_forgotten(a->judge);
	rc = measure_clocks(a, measures, n_sources, err);
	if (rc == LYA_OK)
		rc = lya_validity_limits(validity, sources, n_sources, measures, &stats,
					 &forgotten, &judged, &a->limits, &a->n_limits, err);
	lya_free(measures);
	return rc;
}

/* What packets and what flows told of the sources. */
static int finish_stages(struct lya_audit *a, struct lya_validity *validity,
			 const struct lya_source *sources, size_t n_sources, struct lya_error *err)
{
	int rc = lya_validity_merge(validity, audit_follow_validity(a->follow));

	if (rc == LYA_OK)
		rc = lya_validity_merge(validity, audit_judge_validity(a->judge));
	if (rc < 0)
		return lya_error_nomem(err);
	rc = make_limits(a, validity, sources, n_sources, err);
	return rc < 0 ? rc : audit_judge_finish(a->judge, validity, &a->counts, sources, n_sources, err);
}

/* A service that is stopped has no time to lose, nor a processor for each thread. */
int audit_finish_flows(struct lya_audit *a)
{
	int rc = 0;

	if (a->relay != NULL && !a->options.continuous)
		return audit_relay_finish(a->relay);
	if (a->relay != NULL)
		rc = audit_relay_end(a->relay);
	return rc == 0 ? audit_follow_finish(a->follow) : rc;
}

int lya_audit_finish(struct lya_audit *a, const struct lya_source *sources, size_t n_sources,
                     struct lya_error *err)
{
	int rc = audit_finish_flows(a);
	struct lya_validity *validity;

	if (rc != 0)
		return audit_tell_failure(rc, err);
	rc = lya_validity_new(&validity, err);
	if (rc < 0)
		return rc;
	rc = finish_stages(a, validity, sources, n_sources, err);
	lya_validity_free(validity);
	return rc;
}

const struct lya_ledger *lya_audit_ledger(const struct lya_audit *a)
{
	return audit_judge_ledger(a->judge);
}

const struct lya_limit *lya_audit_limits(const struct lya_audit *a, size_t *n)
{
	*n = a->n_limits;
	return a->limits;
}

int lya_audit_evidence(const struct lya_audit *a, const struct lya_source *sources,
		       size_t n_sources, struct lya_output *out,
		       struct lya_finding_packets *counts, struct lya_finding_packets *total,
		       struct lya_error *err)
{
	const struct lya_evidence_about about = { .ledger = audit_judge_ledger(a->judge),
						  .sources = sources,
						  .n_sources = n_sources,
						  .since_ns = LYA_TIME_NONE };

	return lya_evidence_write(audit_judge_evidence(a->judge), &about, out, counts, total, err);
}

void lya_audit_counts(const struct lya_audit *a, struct lya_audit_counts *out)
{
	(void)audit_settle(a); /* its failure is told to who takes frames */
	*out = a->counts;
	audit_count_reasm(a, out);
}

const struct lya_snat *lya_audit_snat(const struct lya_audit *a)
{
	return audit_follow_snat(a->follow);
}

void lya_audit_flow_stats(const struct lya_audit *a, struct lya_flow_stats *out)
{
	(void)audit_settle(a); /* as above */
	audit_follow_stats(a->follow, out);
}
