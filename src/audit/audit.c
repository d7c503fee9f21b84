/*
 * audit.c - the pipeline: frames in, judged flows and a ledger out.
 */
#include "audit/state.h"

#include <string.h>

#include "lyncaudit/alloc.h"
#include "lyncaudit/timeutil.h"

/* Where one flow in ten shows one direction only, the mirror is lame. */
enum { ONE_SIDED_PART = 10 };

/* Legs pair within seconds: what holds more than a few seconds only leaves the caches. */
enum { SNAT_BYTES_MAX = 16 * 1024 * 1024 };

/* A side that is a known listener helps only a flow that shows nothing itself. */
static int known_side(const struct lya_audit *a, const struct lya_flow *flow)
{
	if (flow->unknown != LYA_UNKNOWN_NOT || flow->syn_side >= 0 || flow->synack_side >= 0)
		return -1;
	return audit_listeners_side(a->listeners, flow);
}

/* With what is known of its other leg where it has one. */
int audit_judge(struct lya_audit *a, const struct lya_flow *flow, struct audit_judged *j)
{
	int server = audit_details_expected(a->details, flow), rc;
	bool known;
	int32_t shown;

	lya_policy_end_of(a->policy, &flow->addr[0], &j->ends[0]);
	lya_policy_end_of(a->policy, &flow->addr[1], &j->ends[1]);
	known = lya_snat_flow(a->snat, flow, j->ends, &j->evidence);
	j->flow = flow;
	if (known) {
		j->joined = *flow;
		lya_snat_join(&j->evidence, &j->joined);
		j->flow = &j->joined;
	}
	lya_policy_judge(a->policy, a->memo, j->flow, j->ends, known_side(a, j->flow),
			 &j->verdict);
	if (server >= 0)
		lya_policy_expect(a->policy, a->memo, j->flow, j->ends, server, &j->verdict);
	lya_policy_inspect(a->policy, j->flow, j->ends, &j->verdict);
	rc = audit_details_shown(a->details, j->flow, &shown);
	j->verdict.payload.shown = shown + 1;
	if (known || j->verdict.finding == LYA_FINDING_AV_EDGE_SNAT)
		lya_snat_judge(&j->evidence, j->flow, &j->verdict);
	return rc;
}

/* Enter a judged flow that has ended. */
static int enter(struct lya_audit *a, struct audit_judged *j, struct lya_flow_findings *findings)
{
	int rc;

	if (a->options.continuous)
		return audit_take_share(a, j, findings);
	rc = lya_validity_take(a->validity, j->flow);
	return rc != 0 ? rc
		       : lya_ledger_take(a->ledger, j->flow, j->ends, &j->verdict, findings);
}

/* One conversation is over: judge it and enter it. */
static int take_flow(void *ctx, const struct lya_flow *flow)
{
	struct lya_audit *a = ctx;
	struct audit_judged j;
	struct lya_flow_findings findings = { 0 };
	int rc = a->listeners_known ? 0 : audit_listeners_note(a->listeners, flow);

	if (rc == 0)
		rc = audit_judge(a, flow, &j);
	if (rc == 0)
		rc = enter(a, &j, &findings);
	if (rc != 0 || a->options.on_flow == NULL)
		return rc;
	return a->options.on_flow(a->options.ctx,
				  &(struct lya_audit_flow){ j.flow, j.ends, &j.verdict, &findings });
}

static int take_detail(void *ctx, const struct lya_flow_detail *detail)
{
	struct lya_audit *a = ctx;

	return audit_details_take(a->details, detail);
}

static void tell_stun(void *ctx, const struct lya_packet *pkt, const struct lya_stun *msg)
{
	const struct lya_audit *a = ctx;

	lya_snat_stun(a->snat, pkt, msg);
}

static void tell_hello(void *ctx, const struct lya_packet *pkt, const struct lya_tls_hello *hello)
{
	const struct lya_audit *a = ctx;

	lya_snat_hello(a->snat, pkt, hello);
}

/*
 * Without end there are up to six ledgers at a time: flows that ended, flows that are open,
 * the same of a pass under way, and those who keep them join two more.
 */
struct lya_ledger_options audit_ledger_options(const struct lya_audit *a)
{
	if (a->options.continuous)
		return (struct lya_ledger_options){
			.max_bytes = lya_audit_ledger_bytes(a->options.max_memory)
		};
	return (struct lya_ledger_options){ .max_bytes = a->options.max_memory / 4,
					    .on_new = a->options.on_finding,
					    .ctx = a->options.ctx };
}

size_t lya_audit_ledger_bytes(size_t max_memory)
{
	return (max_memory != 0 ? max_memory : (size_t)LYA_AUDIT_MEMORY) / 24;
}

struct lya_snat_options audit_snat_options(const struct lya_audit *a)
{
	size_t bytes = a->options.max_memory / 64;

	return (struct lya_snat_options){
		.max_bytes = bytes < SNAT_BYTES_MAX ? bytes : (size_t)SNAT_BYTES_MAX,
		.source_name = a->options.source_name,
		.ctx = a->options.ctx,
	};
}

/* Half of the cap is the flow table's; findings, listeners, fragments and buffers share the rest. */
static int make_parts(struct lya_audit *a, struct lya_error *err)
{
	size_t memory = a->options.max_memory;
	struct lya_flow_options flow_options = {
		.max_flows = a->options.max_flows,
		.max_bytes = memory / 2,
		.vlan_in_key = lya_policy_site(a->policy)->vlan_in_key,
		.shares = a->options.continuous,
		.on_end = take_flow,
		.on_detail = take_detail,
		.ctx = a,
		.observer = { .ctx = a, .on_stun = tell_stun, .on_client_hello = tell_hello },
	};
	struct lya_snat_options snat_options = audit_snat_options(a);
	struct lya_reasm_options reasm_options = { .max_bytes = memory / 32 };
	struct lya_ledger_options ledger_options = audit_ledger_options(a);
	int rc;

	a->memo = lya_policy_memo_new(a->policy);
	a->listeners = audit_listeners_new(memory / 16);
	a->details = audit_details_new(a->policy, memory / 64);
	if (a->memo == NULL || a->listeners == NULL || a->details == NULL)
		return lya_error_nomem(err);
	rc = lya_site_check(lya_policy_site(a->policy), &a->faults, &a->n_faults, err);
	if (rc == LYA_OK)
		rc = lya_validity_new(&a->validity, err);
	if (rc == LYA_OK)
		rc = lya_ledger_new(&a->ledger, a->policy, &ledger_options, err);
	if (rc == LYA_OK && a->options.continuous)
		rc = lya_minutes_new(&a->minutes, a->policy, err);
	if (rc == LYA_OK)
		rc = lya_reasm_new(&a->reasm, &reasm_options, err);
	if (rc == LYA_OK)
		rc = lya_snat_new(&a->snat, a->policy, &snat_options, err);
	if (rc < 0)
		return rc;
	return lya_flow_table_new(&a->flows, &flow_options, err);
}

int lya_audit_new(struct lya_audit **result, const struct lya_policy *policy,
                  const struct lya_audit_options *options, struct lya_error *err)
{
	struct lya_audit *a = lya_calloc(1, sizeof(*a));
	int rc;

	if (a == NULL)
		return lya_error_nomem(err);
	a->policy = policy;
	a->options = *options;
	if (a->options.max_memory == 0)
		a->options.max_memory = LYA_AUDIT_MEMORY;
	a->counts.first_ns = LYA_TIME_NONE;
	a->counts.last_ns = LYA_TIME_NONE;
	rc = make_parts(a, err);
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
	lya_flow_table_free(a->flows);
	lya_reasm_free(a->reasm);
	lya_snat_free(a->snat);
	lya_ledger_free(a->ledger);
	lya_site_faults_free(a->faults, a->n_faults);
	lya_limits_free(a->limits, a->n_limits);
	lya_validity_free(a->validity);
	audit_listeners_free(a->listeners);
	audit_details_free(a->details);
	lya_policy_memo_free(a->memo);
	lya_minutes_free(a->minutes);
	lya_audit_part_fini(&a->pass.part);
	lya_free(a->sources);
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
static void count_packets(struct lya_audit *a, size_t n, const struct lya_batch *batch)
{
	for (size_t i = 0; i < n && !batch->plain; i++)
		count_packet(a, &a->batch[i]);
}

/* What the flow table answered: its own failure, or what a callback said. */
int audit_tell_failure(int rc, struct lya_error *err)
{
	return rc == LYA_ENOMEM ? lya_error_nomem(err) : rc;
}

/* n packets of the batch, and what reasm released before each of them or after the last. */
static int follow_in_order(struct lya_audit *a, size_t n, const struct lya_batch *batch)
{
	size_t n_released;
	struct lya_packet *released = lya_reasm_released(a->reasm, &n_released);
	const uint32_t *at = lya_reasm_released_at(a->reasm);
	size_t done = 0;
	int rc = 0;

	if (n_released == 0)
		return lya_flow_table_take(a->flows, a->batch, n, batch);
	rc = lya_validity_duplicates(a->validity, released, n_released);
	for (size_t k = 0; rc == 0 && k < n_released; k++) {
		if (at[k] > done)
			rc = lya_flow_table_take(a->flows, a->batch + done, at[k] - done, NULL);
		if (rc == 0)
			rc = lya_flow_table_take(a->flows, &released[k], 1, NULL);
		done = at[k];
	}
	return rc != 0 ? rc : lya_flow_table_take(a->flows, a->batch + done, n - done, NULL);
}

/* True when reasm has recognised second sightings since it was asked last. */
static bool has_duplicates(struct lya_audit *a)
{
	uint64_t before = a->counts.duplicates;

	a->counts.duplicates = lya_reasm_duplicates(a->reasm);
	return a->counts.duplicates != before;
}

static int follow(struct lya_audit *a, size_t n, const struct lya_batch *batch)
{
	int rc = lya_validity_packets(a->validity, a->batch, n, batch);

	if (rc != 0)
		return rc;
	n = lya_reasm_take(a->reasm, a->batch, n);
	if (lya_reasm_failed(a->reasm))
		return LYA_ENOMEM;
	lya_snat_packets(a->snat, a->batch, n);
	if (has_duplicates(a))
		rc = lya_validity_duplicates(a->validity, a->batch, n);
	return rc != 0 ? rc : follow_in_order(a, n, batch);
}

int lya_audit_take(struct lya_audit *a, const struct lya_frame *frames, size_t n,
                   struct lya_error *err)
{
	for (size_t done = 0; done < n;) {
		size_t some = n - done < AUDIT_BATCH ? n - done : AUDIT_BATCH;
		struct lya_batch batch;
		int rc;

		lya_decode_batch(&frames[done], a->batch, some, &batch);
		count_frames(&a->counts, some, &batch);
		count_packets(a, some, &batch);
		rc = a->options.continuous ? audit_note_sources(a, &frames[done], some, &batch) : 0;
		if (rc == 0)
			rc = follow(a, some, &batch);
		if (rc != 0)
			return audit_tell_failure(rc, err);
		done += some;
	}
	return LYA_OK;
}

static int note_listener(void *ctx, const struct lya_flow *flow)
{
	struct lya_audit *a = ctx;

	return audit_listeners_note(a->listeners, flow);
}

/*
 * The flows that are left end together: what each shows of a listener must
 * help all of them, whichever is judged first.
 */
int audit_end_flows(struct lya_audit *a)
{
	int rc = lya_flow_table_each(a->flows, note_listener, a);

	a->listeners_known = true;
	return rc != 0 ? rc : lya_flow_table_flush(a->flows);
}

/* What reasm says of the clocks goes to the measures of the sources. */
static int measure_clocks(const struct lya_audit *a, struct lya_source_measures *measures,
			  size_t n_sources, struct lya_error *err)
{
	struct lya_clock_offset *list;
	size_t n;
	int rc = lya_reasm_clocks(a->reasm, &list, &n, err);

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

static int make_limits(struct lya_audit *a, const struct lya_source *sources, size_t n_sources,
		       struct lya_error *err)
{
	struct lya_source_measures *measures = lya_calloc(n_sources + 1, sizeof(*measures));
	struct lya_flow_stats stats;
	int rc;

	if (measures == NULL)
		return lya_error_nomem(err);
	for (size_t i = 0; i < n_sources; i++)
		lya_validity_measures(a->validity, i, &measures[i]);
	lya_flow_table_stats(a->flows, &stats);
	rc = measure_clocks(a, measures, n_sources, err);
	if (rc == LYA_OK)
		rc = lya_validity_limits(a->validity, sources, n_sources, measures, &stats,
					 &a->limits, &a->n_limits, err);
	lya_free(measures);
	return rc;
}

/* What the ledger must know of the sources: where silence proves nothing. */
static int tell_sources(const struct lya_audit *a, const struct lya_source *sources,
			size_t n_sources, struct lya_ledger_source **out, struct lya_error *err)
{
	*out = lya_calloc(n_sources + 1, sizeof(**out));
	if (*out == NULL)
		return lya_error_nomem(err);
	for (size_t i = 0; i < n_sources; i++) {
		uint64_t flows, one_sided;

		lya_validity_tcp(a->validity, i, &flows, &one_sided);
		(*out)[i].one_sided = one_sided > flows / ONE_SIDED_PART;
		(*out)[i].last_ns = sources[i].last_ns;
	}
	return LYA_OK;
}

static int finish_ledger(struct lya_audit *a, const struct lya_source *sources, size_t n_sources,
			 struct lya_error *err)
{
	struct lya_ledger_end end = { .first_ns = a->counts.first_ns, .last_ns = a->counts.last_ns,
				      .faults = a->faults, .n_faults = a->n_faults,
				      .n_sources = n_sources };
	struct lya_ledger_source *told;
	int rc = tell_sources(a, sources, n_sources, &told, err);

	if (rc != LYA_OK)
		return rc;
	end.sources = told;
	rc = lya_ledger_finish(a->ledger, &end, err);
	lya_free(told);
	return rc;
}

int audit_flush_packets(struct lya_audit *a)
{
	lya_reasm_flush(a->reasm);
	return follow_in_order(a, 0, NULL);
}

int lya_audit_finish(struct lya_audit *a, const struct lya_source *sources, size_t n_sources,
                     struct lya_error *err)
{
	int rc;

	rc = audit_flush_packets(a);
	if (rc == 0)
		rc = audit_end_flows(a);
	if (rc != 0)
		return audit_tell_failure(rc, err);
	lya_snat_finish(a->snat);
	rc = make_limits(a, sources, n_sources, err);
	return rc < 0 ? rc : finish_ledger(a, sources, n_sources, err);
}

const struct lya_ledger *lya_audit_ledger(const struct lya_audit *a)
{
	return a->ledger;
}

const struct lya_limit *lya_audit_limits(const struct lya_audit *a, size_t *n)
{
	*n = a->n_limits;
	return a->limits;
}

void lya_audit_counts(const struct lya_audit *a, struct lya_audit_counts *out)
{
	*out = a->counts;
}

const struct lya_snat *lya_audit_snat(const struct lya_audit *a)
{
	return a->snat;
}

void lya_audit_flow_stats(const struct lya_audit *a, struct lya_flow_stats *out)
{
	lya_flow_table_stats(a->flows, out);
}
