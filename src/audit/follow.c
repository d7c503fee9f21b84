/*
 * follow.c - packets in order of time, to flows that end.
 */
#include "audit/follow.h"

#include "lyncaudit/alloc.h"

enum {
	/* Of the memory: one part in so many. */
	FLOWS_PART = 2,
	REASM_PART = 32,
	SNAT_PART = 64,
	/* Where packets are kept, the flow table has less of it. */
	FLOWS_LESS_PART = 16,
	TRAIL_PART = 32,
	/* Legs pair within seconds: what holds more than a few of them only leaves the caches. */
	SNAT_BYTES_MAX = 8 * 1024 * 1024
};

/*
 * Packets that the flow table is taking.  The address proof takes them many at a time, but
 * before it is asked or told anything it must have seen all up to that moment, and no more:
 * else what is known of a flow that ends would hang on how many packets come at a time.
 */
struct in_hand {
	struct lya_packet *pkts;
	size_t n, seen; /* by the address proof */
};

struct audit_follow {
	struct audit_sink sink;
	struct lya_reasm *reasm;
	struct lya_snat *snat;
	struct in_hand hand;
	struct lya_flow_table *flows;
	struct lya_trail *trail; /* NULL: no packets are kept */
	struct lya_validity *validity;
};

/* Of the packets in hand the address proof is to see the first `upto`. */
static void see(struct audit_follow *f, size_t upto)
{
	struct in_hand *h = &f->hand;

	if (upto <= h->seen)
		return;
	lya_snat_packets(f->snat, h->pkts + h->seen, upto - h->seen);
	h->seen = upto;
}

/* The same of all up to a packet; another than those in hand comes behind what was seen. */
static void see_with(struct audit_follow *f, const struct lya_packet *pkt)
{
	const struct in_hand *h = &f->hand;
	uintptr_t first = (uintptr_t)h->pkts, at = (uintptr_t)pkt; /* it may be of another array */

	if (at >= first && at < first + h->n * sizeof(*pkt))
		see(f, (size_t)(pkt - h->pkts) + 1);
}

static int tell_flow(void *ctx, const struct lya_flow *flow)
{
	struct audit_follow *f = ctx;

	see_with(f, lya_flow_table_packet(f->flows));
	return f->sink.flow(f->sink.ctx, flow, lya_snat_found(f->snat, flow),
			    (struct lya_trail_flow){ 0 });
}

/* As tell_flow, where packets are kept. */
static int tell_kept(void *ctx, const struct lya_flow *flow)
{
	struct audit_follow *f = ctx;
	const struct lya_snat_evidence *found = lya_snat_found(f->snat, flow);
	struct lya_trail_flow kept;
	int rc = lya_trail_end(f->trail, flow, found, &kept);

	if (rc == LYA_OK)
		return f->sink.flow(f->sink.ctx, flow, found, kept);
	lya_packets_free(kept.first);
	lya_packets_free(kept.legs);
	return rc;
}

static int keep_packet(void *ctx, const struct lya_flow_sight *sight)
{
	const struct audit_follow *f = ctx;

	return lya_trail_packet(f->trail, f->flows, sight);
}

static void keep_sight(void *ctx, const struct lya_packet *pkt)
{
	const struct audit_follow *f = ctx;

	lya_trail_sight(f->trail, pkt);
}

static void keep_leg(void *ctx, const struct lya_snat_leg *leg)
{
	const struct audit_follow *f = ctx;

	lya_trail_leg(f->trail, leg);
}

static int tell_listener(void *ctx, const struct lya_flow *flow)
{
	struct audit_follow *f = ctx;

	return f->sink.listener(f->sink.ctx, flow);
}

static int tell_detail(void *ctx, const struct lya_flow_detail *detail)
{
	struct audit_follow *f = ctx;

	if (f->trail != NULL)
		lya_trail_detail(f->trail, detail);
	return f->sink.detail(f->sink.ctx, detail);
}

static void tell_stun(void *ctx, const struct lya_packet *pkt, const struct lya_stun *msg)
{
	struct audit_follow *f = ctx;

	see_with(f, pkt);
	lya_snat_stun(f->snat, pkt, msg);
}

static void tell_hello(void *ctx, const struct lya_packet *pkt, const struct lya_tls_hello *hello)
{
	struct audit_follow *f = ctx;

	see_with(f, pkt);
	lya_snat_hello(f->snat, pkt, hello);
}

static int make_flows(struct audit_follow *f, const struct lya_policy *policy,
		      const struct lya_audit_options *options, struct lya_error *err)
{
	size_t less = options->evidence ? options->max_memory / FLOWS_LESS_PART : 0;
	struct lya_flow_options flow_options = {
		.max_flows = options->max_flows,
		.max_bytes = options->max_memory / FLOWS_PART - less,
		.vlan_in_key = lya_policy_site(policy)->vlan_in_key,
		.shares = options->continuous,
		.on_end = options->evidence ? tell_kept : tell_flow,
		.on_detail = tell_detail,
		.on_packet = options->evidence ? keep_packet : NULL,
		.ctx = f,
		.observer = { .ctx = f, .on_stun = tell_stun, .on_client_hello = tell_hello },
	};

	return lya_flow_table_new(&f->flows, &flow_options, err);
}

int audit_follow_make_snat(const struct lya_policy *policy, const struct lya_audit_options *options,
			   void *observer, struct lya_snat **snat, struct lya_error *err)
{
	size_t bytes = options->max_memory / SNAT_PART;
	struct lya_snat_options snat_options = {
		.max_bytes = bytes < SNAT_BYTES_MAX ? bytes : SNAT_BYTES_MAX,
		.source_name = options->source_name,
		.ctx = options->ctx,
	};

	if (options->evidence)
		snat_options.observer = (struct lya_snat_observer){ .sight = keep_sight,
								    .leg = keep_leg,
								    .ctx = observer };
	return lya_snat_new(snat, policy, &snat_options, err);
}

static int make_reasm(struct audit_follow *f, const struct lya_audit_options *options,
		      struct lya_error *err)
{
	struct lya_reasm_options reasm_options = { .max_bytes = options->max_memory / REASM_PART };

	return lya_reasm_new(&f->reasm, &reasm_options, err);
}

int audit_follow_new(struct audit_follow **result, const struct lya_policy *policy,
		     const struct lya_audit_options *options, const struct audit_sink *sink,
		     struct lya_error *err)
{
	struct audit_follow *f = lya_calloc(1, sizeof(*f));
	int rc;

	if (f == NULL)
		return lya_error_nomem(err);
	f->sink = *sink;
	rc = lya_validity_new(&f->validity, err);
	if (rc == LYA_OK)
		rc = make_reasm(f, options, err);
	if (rc == LYA_OK && options->evidence)
		rc = lya_trail_new(&f->trail, policy, options->max_memory / TRAIL_PART, err);
	if (rc == LYA_OK)
		rc = audit_follow_make_snat(policy, options, f, &f->snat, err);
	if (rc == LYA_OK)
		rc = make_flows(f, policy, options, err);
	if (rc < 0) {
		audit_follow_free(f);
		return rc;
	}
	*result = f;
	return LYA_OK;
}

void audit_follow_free(struct audit_follow *f)
{
	if (f == NULL)
		return;
	lya_flow_table_free(f->flows);
	lya_trail_free(f->trail);
	lya_snat_free(f->snat);
	lya_reasm_free(f->reasm);
	lya_validity_free(f->validity);
	lya_free(f);
}

/*
 * Packets that come next.  Where packets are kept, one after the other goes all the way:
 * what is kept, and what has to make room for it, then depends on their order and not on
 * how many come at a time.
 */
static int take_some(struct audit_follow *f, struct lya_packet *pkts, size_t n,
		     const struct lya_batch *batch)
{
	int rc = 0;

	if (n == 0)
		return 0;
	if (f->trail == NULL) {
		rc = lya_flow_table_take(f->flows, pkts, n, batch);
		see(f, (size_t)(pkts + n - f->hand.pkts));
		return rc;
	}
	lya_flow_table_expect(f->flows, pkts, n);
	for (size_t i = 0; i < n && rc == 0; i++) {
		lya_snat_packets(f->snat, &pkts[i], 1);
		rc = lya_flow_table_take(f->flows, &pkts[i], 1, NULL);
	}
	return rc;
}

/* n packets, and what reasm released before each of them or after the last. */
static int take_in_order(struct audit_follow *f, struct lya_packet *pkts, size_t n,
			 const struct lya_batch *batch)
{
	size_t n_released;
	struct lya_packet *released = lya_reasm_released(f->reasm, &n_released);
	const uint32_t *at = lya_reasm_released_at(f->reasm);
	size_t done = 0;
	int rc = 0;

	if (n_released == 0)
		return take_some(f, pkts, n, batch);
	rc = lya_validity_duplicates(f->validity, released, n_released);
	for (size_t k = 0; rc == 0 && k < n_released; k++) {
		if (at[k] > done)
			rc = take_some(f, pkts + done, at[k] - done, NULL);
		if (rc == 0)
			rc = lya_flow_table_take(f->flows, &released[k], 1, NULL);
		done = at[k];
	}
	return rc != 0 || done == n ? rc : take_some(f, pkts + done, n - done, NULL);
}

/* batch: what is known of them together; NULL: nothing is. */
static int take(struct audit_follow *f, struct lya_packet *pkts, size_t n, bool duplicates,
		const struct lya_batch *batch)
{
	int rc = 0;

	n = lya_reasm_take(f->reasm, pkts, n, batch != NULL);
	if (lya_reasm_failed(f->reasm))
		return LYA_ENOMEM;
	if (duplicates)
		rc = lya_validity_duplicates(f->validity, pkts, n);
	if (f->trail == NULL)
		f->hand = (struct in_hand){ .pkts = pkts, .n = n };
	if (rc == 0)
		rc = take_in_order(f, pkts, n, batch);
	f->hand = (struct in_hand){ 0 };
	return rc;
}

/* Reassembly remembers something of it. */
static bool is_for_reasm(const struct lya_packet *pkt)
{
	return pkt->is_fragment || pkt->tunnel_head != NULL;
}

/* Of n packets those up to the first that is for reassembly. */
static size_t whole_ones(const struct lya_packet *pkts, size_t n)
{
	size_t i = 0;

	while (i < n && !is_for_reasm(&pkts[i]))
		i++;
	return i;
}

/*
 * Packets among which some are fragments: each of these comes alone, for what reassembly
 * has room for hangs on what is borrowed of it, until it is called again.
 */
static int take_fragments(struct audit_follow *f, struct lya_packet *pkts, size_t n,
			  bool duplicates)
{
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0;) {
		size_t some = whole_ones(pkts + i, n - i);

		if (some == 0) {
			some = 1;
			if (f->trail != NULL && pkts[i].is_fragment) /* it may wait, and be told later */
				lya_trail_fragment(f->trail, &pkts[i]);
		}
		rc = take(f, pkts + i, some, duplicates, NULL);
		i += some;
	}
	return rc;
}

int audit_follow_take(struct audit_follow *f, struct lya_packet *pkts, size_t n,
		      const struct lya_batch *batch)
{
	int rc = lya_validity_packets(f->validity, pkts, n, batch);

	if (rc != 0)
		return rc;
	if (!batch->short_way && whole_ones(pkts, n) < n)
		return take_fragments(f, pkts, n, batch->duplicates);
	return take(f, pkts, n, batch->duplicates, batch);
}

/*
 * The flows that are left end together: what each shows of a listener must
 * help all of them, whichever is judged first.
 */
static int end_flows(struct audit_follow *f)
{
	int rc = lya_flow_table_answered(f->flows, tell_listener, f);

	if (rc == 0)
		rc = f->sink.listeners_known(f->sink.ctx);
	return rc != 0 ? rc : lya_flow_table_flush(f->flows);
}

int audit_follow_finish(struct audit_follow *f)
{
	int rc;

	lya_reasm_flush(f->reasm);
	rc = take_in_order(f, NULL, 0, NULL);
	if (rc == 0)
		rc = end_flows(f);
	lya_snat_finish(f->snat);
	return rc;
}

void audit_follow_rebase(struct audit_follow *f, const struct lya_policy *policy,
			 struct lya_snat *snat, struct lya_policy_memo *memo)
{
	if (f->trail != NULL)
		lya_trail_rebase(f->trail, policy, memo);
	lya_snat_adopt(snat, f->snat);
	lya_snat_free(f->snat);
	f->snat = snat;
}

struct lya_trail *audit_follow_trail(struct audit_follow *f)
{
	return f->trail;
}

struct lya_snat *audit_follow_snat(struct audit_follow *f)
{
	return f->snat;
}

struct lya_validity *audit_follow_validity(struct audit_follow *f)
{
	return f->validity;
}

struct lya_reasm *audit_follow_reasm(struct audit_follow *f)
{
	return f->reasm;
}

struct lya_flow_table *audit_follow_flows(struct audit_follow *f)
{
	return f->flows;
}

void audit_follow_stats(const struct audit_follow *f, struct lya_flow_stats *out)
{
	lya_flow_table_stats(f->flows, out);
}

void audit_follow_forgotten(const struct audit_follow *f, struct lya_forgotten *out)
{
	struct lya_reasm_stats reasm;
	struct lya_snat_stats snat;

	lya_reasm_stats(f->reasm, &reasm);
	lya_snat_stats(f->snat, &snat);
	*out = (struct lya_forgotten){ .datagrams = reasm.evicted, .legs = snat.dropped };
}
