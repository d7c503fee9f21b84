/*
 * trail.c - packets that may yet matter, while their flows go on.
 */
#include "evidence/trail.h"

#include <string.h>

#include "lyncaudit/alloc.h"

enum {
	MIN_BYTES = 256 * 1024,
	/* Of the memory, one part in so many: */
	RECENT_PART = 8,    /* packets that a proof may name: legs pair within seconds */
	LEGS_PART = 8,      /* those that one names, until its flow ends */
	FRAGMENTS_PART = 32, /* fragments that wait for their head */
	/* Packets of one side after which nobody is waited for. */
	SILENT_ENOUGH = 256
};

struct lya_trail {
	const struct lya_policy *policy;
	struct lya_policy_memo *memo;
	struct live_flows live;
	struct ring recent, legs, fragments;
	uint32_t sighted_source; /* the packet that was sighted last */
	uint64_t sighted_number;
	uint16_t cuts; /* periods that have ended */
	size_t fixed_bytes;
	struct lya_trail_stats stats;
};

static int make_rings(struct lya_trail *t, size_t max_bytes)
{
	int rc = ring_init(&t->recent, max_bytes / RECENT_PART);

	if (rc == LYA_OK)
		rc = ring_init(&t->legs, max_bytes / LEGS_PART);
	if (rc == LYA_OK)
		rc = ring_init(&t->fragments, max_bytes / FRAGMENTS_PART);
	t->fixed_bytes = sizeof(*t) + ring_bytes(max_bytes / RECENT_PART) +
			 ring_bytes(max_bytes / LEGS_PART) +
			 ring_bytes(max_bytes / FRAGMENTS_PART);
	return rc;
}

int lya_trail_new(struct lya_trail **out, const struct lya_policy *policy, size_t max_bytes,
		  struct lya_error *err)
{
	struct lya_trail *t = lya_calloc(1, sizeof(*t));
	int rc = LYA_ENOMEM;

	*out = NULL;
	if (t == NULL)
		return lya_error_nomem(err);
	if (max_bytes < MIN_BYTES)
		max_bytes = MIN_BYTES;
	t->policy = policy;
	t->memo = lya_policy_memo_new(policy);
	if (t->memo != NULL)
		rc = make_rings(t, max_bytes);
	if (rc == LYA_OK) /* what stays, less a part for the flows' own records */
		rc = live_init(&t->live, max_bytes / 8 * 5);
	if (rc != LYA_OK) {
		lya_trail_free(t);
		return lya_error_nomem(err);
	}
	*out = t;
	return LYA_OK;
}

void lya_trail_free(struct lya_trail *t)
{
	if (t == NULL)
		return;
	live_fini(&t->live);
	ring_fini(&t->recent);
	ring_fini(&t->legs);
	ring_fini(&t->fragments);
	lya_policy_memo_free(t->memo);
	lya_free(t);
}

void lya_trail_stats(const struct lya_trail *t, struct lya_trail_stats *out)
{
	size_t beside = t->fixed_bytes + live_table_bytes(&t->live);

	*out = t->stats;
	out->kept_bytes = t->live.bytes;
	out->bytes = beside + t->live.bytes;
	out->bytes_peak = beside + t->stats.bytes_peak;
}

/* Packets that are wanted later ------------------------------------------------------- */

void lya_trail_fragment(struct lya_trail *t, const struct lya_packet *pkt)
{
	struct packet_head head;

	if (pkt->frame == NULL || pkt->frag_offset == 0 || pkt->kind != LYA_PKT_FRAGMENT)
		return; /* a head is nobody's to hold back */
	head = packet_head_of(pkt->frame);
	ring_add(&t->fragments, &head, pkt->frame->data);
}

void lya_trail_sight(struct lya_trail *t, const struct lya_packet *pkt)
{
	struct packet_head head;

	if (pkt->frame == NULL)
		return;
	head = packet_head_of(pkt->frame);
	if (head.number == t->sighted_number && head.source == t->sighted_source)
		return; /* several messages in one segment */
	t->sighted_number = head.number;
	t->sighted_source = head.source;
	ring_add(&t->recent, &head, pkt->frame->data);
}

void lya_trail_leg(struct lya_trail *t, const struct lya_snat_leg *leg)
{
	const struct packet_head *head = ring_find(&t->recent, leg->source, leg->packet);

	if (head != NULL && ring_find(&t->legs, leg->source, leg->packet) == NULL)
		ring_add(&t->legs, head, packet_data(head));
}

static void note_asked(const struct lya_trail *t, struct live *l, const struct lya_flow_detail *d)
{
	struct lya_policy_end client, server;
	int32_t host;

	lya_policy_end_of(t->policy, &d->addr, &client);
	lya_policy_end_of(t->policy, &d->peer, &server);
	l->seeks_other |= lya_policy_asked(t->policy, &client, &server, d->name, &host) != NULL;
}

static void note_shown(const struct lya_trail *t, struct live *l, const struct lya_flow_detail *d)
{
	struct lya_policy_end end;
	int32_t other = -1;
	bool own = false;

	lya_policy_end_of(t->policy, &d->addr, &end);
	if (end.host < 0)
		return;
	lya_policy_cert_name(t->policy, &end, d->name, &own, &other);
	l->own_name |= own;
	l->other_name |= other >= 0;
}

void lya_trail_detail(struct lya_trail *t, const struct lya_flow_detail *d)
{
	struct live *l = live_find(&t->live, d->record);

	if (l != NULL && d->kind == LYA_DETAIL_SNI)
		note_asked(t, l, d);
	else if (l != NULL && d->kind == LYA_DETAIL_CERT_NAME && !d->client)
		note_shown(t, l, d);
}

/* Packets of flows ------------------------------------------------------------------------ */

/* Who talks to whom, in a small number. */
static uint16_t group_of(const struct lya_trail *t, const struct lya_packet *pkt)
{
	struct lya_policy_end from, to;
	uint64_t h;

	lya_policy_end_of(t->policy, &pkt->src, &from);
	lya_policy_end_of(t->policy, &pkt->dst, &to);
	h = lya_hash_mix(from.roles ^ (uint64_t)(uint32_t)from.host << 32,
			 UINT64_C(0x9e3779b97f4a7c15)) +
	    lya_hash_mix(to.roles ^ (uint64_t)(uint32_t)to.host << 32,
			 UINT64_C(0xc2b2ae3d27d4eb4f)) +
	    pkt->transport;
	return (uint16_t)(h % LIVE_GROUPS);
}

static bool is_bare_ack(const struct lya_packet *pkt)
{
	return pkt->kind == LYA_PKT_TCP && pkt->payload_len == 0 && !pkt->is_fragment &&
	       (pkt->tcp_flags & (LYA_TCP_SYN | LYA_TCP_FIN | LYA_TCP_RST)) == 0;
}

/* Worth keeping although it is none of the first: without bound only as far as there are few such. */
static bool is_telling(const struct lya_flow_sight *sight)
{
	return sight->settles || sight->packets[sight->side] <= LYA_TRAIL_SIDE;
}

/* A packet of the flow that belongs among those kept. */
static bool is_wanted(const struct live *l, const struct lya_flow_sight *sight)
{
	enum { ALL = LYA_TRAIL_PACKETS + 2 * LYA_TRAIL_SIDE + 1 };
	uint64_t total = sight->packets[0] + sight->packets[1];
	unsigned n = l->n - l->n_icmp;

	if (is_telling(sight))
		return n < ALL;
	return total <= LYA_TRAIL_EARLY && n < LYA_TRAIL_PACKETS &&
	       (total <= 3 || !is_bare_ack(sight->pkt));
}

/* The frame of a packet, as it came or from where it waited; *data NULL: it is gone. */
static struct packet_head frame_of(const struct lya_trail *t, struct lya_packet *pkt,
				   const uint8_t **data)
{
	const struct packet_head *head;

	if (pkt->frame != NULL) {
		*data = pkt->frame->data;
		return packet_head_of(pkt->frame);
	}
	lya_packet_fill(pkt);
	head = ring_find(&t->fragments, pkt->source, pkt->number);
	*data = head != NULL ? packet_data(head) : NULL;
	return head != NULL ? *head : (struct packet_head){ 0 };
}

static void forget(struct lya_trail *t, struct live *l)
{
	lya_packets_free(live_end(&t->live, l));
}

static int keep(struct lya_trail *t, struct live *l, struct lya_packet *pkt)
{
	const uint8_t *data;
	struct packet_head head = frame_of(t, pkt, &data);
	bool added = false;
	int rc = LYA_OK;

	if (data != NULL)
		rc = live_add(&t->live, l, &head, data, &added);
	else if (l->packets != NULL)
		l->packets->left_out++;
	if (t->live.bytes > t->stats.bytes_peak)
		t->stats.bytes_peak = t->live.bytes;
	if (l->packets == NULL) { /* without its first packet a flow shows little */
		t->stats.refused++;
		forget(t, l);
	}
	return rc;
}

static int begin(struct lya_trail *t, const struct lya_flow_sight *sight)
{
	struct live *l;

	lya_packet_fill(sight->pkt);
	l = live_begin(&t->live, sight->record, group_of(t, sight->pkt));
	if (l == NULL) {
		t->stats.refused++;
		return LYA_FLOW_ENOUGH;
	}
	l->cut = t->cuts;
	t->stats.flows++;
	return keep(t, l, sight->pkt);
}

/* Its packets of the period under way begin here, if they have not begun yet. */
static void turn(const struct lya_trail *t, struct live *l)
{
	if (l->cut == t->cuts)
		return;
	l->cut = t->cuts;
	l->before = l->packets->used;
	l->left_out_before = l->packets->left_out;
	if (l->opening == 0) {
		l->opening = l->before;
		l->left_out_opening = l->left_out_before;
	}
	l->again[0] = l->again[1] = LYA_TRAIL_SIDE;
	l->since = 0;
}

static struct live *find(const struct lya_trail *t, uint32_t record)
{
	struct live *l = live_find(&t->live, record);

	if (l != NULL)
		turn(t, l);
	return l;
}

static int add_icmp(struct lya_trail *t, const struct lya_flow_sight *sight)
{
	struct live *l = find(t, sight->record);
	unsigned before;
	int rc;

	if (l == NULL || l->n_icmp == LYA_TRAIL_ICMP || sight->pkt->duplicate != LYA_DUP_NONE)
		return LYA_OK;
	before = l->n;
	rc = keep(t, l, sight->pkt);
	if (rc == LYA_OK)
		l->n_icmp = (uint8_t)(l->n_icmp + l->n - before);
	return rc;
}

/* What the flow speaks is known: it is let go when it will not be wanted. */
static int ask(struct lya_trail *t, struct lya_flow_table *flows,
		const struct lya_flow_sight *sight, struct live *l)
{
	l->asked = true;
	if (!trail_is_clean(t->policy, t->memo, lya_flow_table_peek(flows, sight), l))
		return LYA_OK;
	t->stats.cleared++;
	forget(t, l);
	return LYA_FLOW_ENOUGH;
}

/*
 * Of most flows no more is wanted soon: all is known and kept, unless one side has been
 * silent, whose first packets would tell more than these.
 */
static int enough(const struct lya_flow_sight *sight)
{
	uint64_t total = sight->packets[0] + sight->packets[1];
	bool silent = sight->packets[0] == 0 || sight->packets[1] == 0;

	return sight->settled && total > (silent ? SILENT_ENOUGH : LYA_TRAIL_EARLY) ?
		   (int)LYA_FLOW_ENOUGH :
		   (int)LYA_OK;
}

/* A packet of a flow that lives in another period than it began in: not one of its opening. */
static int again(struct lya_trail *t, struct live *l, const struct lya_flow_sight *sight)
{
	uint8_t n = l->n;
	int rc = LYA_OK;

	if (l->again[sight->side] > 0) {
		l->again[sight->side]--;
		rc = keep(t, l, sight->pkt);
		l->n = n;
	}
	l->since++;
	if (rc != LYA_OK || (l->again[0] + l->again[1] > 0 && l->since < LYA_TRAIL_EARLY))
		return rc;
	return enough(sight);
}

/* A packet beyond the first ones. */
static int later(struct lya_trail *t, const struct lya_flow_sight *sight)
{
	struct live *l = t->cuts != 0 ? find(t, sight->record) : NULL;

	if (t->cuts != 0 && l == NULL)
		return LYA_FLOW_ENOUGH;
	return l != NULL && l->opening != 0 ? again(t, l, sight) : enough(sight);
}

int lya_trail_packet(struct lya_trail *t, struct lya_flow_table *flows,
		     const struct lya_flow_sight *sight)
{
	uint64_t total = sight->packets[0] + sight->packets[1];
	struct live *l;
	int rc = LYA_OK;

	if (sight->pkt->kind == LYA_PKT_ICMP_ERROR)
		return add_icmp(t, sight);
	if (total > LYA_TRAIL_EARLY && !is_telling(sight))
		return later(t, sight);
	if (total == 1)
		return begin(t, sight);
	l = find(t, sight->record);
	if (l == NULL)
		return LYA_FLOW_ENOUGH;
	if (is_wanted(l, sight))
		rc = keep(t, l, sight->pkt);
	else if (l->opening != 0)
		rc = again(t, l, sight);
	if (rc == LYA_FLOW_ENOUGH) /* of these; not of what its opening lacks */
		rc = LYA_OK;
	if (rc == LYA_OK && sight->settled && !l->asked)
		rc = ask(t, flows, sight, l);
	return rc;
}

/* Periods ------------------------------------------------------------------------------ */

void lya_trail_cut(struct lya_trail *t)
{
	t->cuts++;
}

void lya_trail_flow_fini(struct lya_trail_flow *f)
{
	lya_packets_free(f->first);
	lya_packets_free(f->legs);
	*f = (struct lya_trail_flow){ 0 };
}

void lya_trail_flow_go_on(struct lya_trail_flow *f)
{
	struct lya_packets *p = f->first;

	if (p == NULL)
		return;
	packets_cut(p, p->opening, p->before);
	p->left_out -= p->left_out_before - p->left_out_opening;
	p->before = p->opening;
	p->left_out_before = p->left_out_opening;
}

static int copy_first(const struct lya_packets *p, uint32_t used, struct lya_packets **out)
{
	*out = p != NULL && used > 0 ? packets_dup(p, used) : NULL;
	return p != NULL && used > 0 && *out == NULL ? LYA_ENOMEM : LYA_OK;
}

int lya_trail_flow_dup(const struct lya_trail_flow *f, bool at_cut, struct lya_trail_flow *out)
{
	uint32_t used = f->first != NULL ? f->first->used : 0;
	int rc;

	*out = (struct lya_trail_flow){ 0 };
	if (f->first != NULL && at_cut)
		used = f->first->before;
	rc = copy_first(f->first, used, &out->first);
	if (out->first != NULL && at_cut)
		out->first->left_out = f->first->left_out_before;
	if (rc == LYA_OK)
		rc = copy_first(f->legs, f->legs != NULL ? f->legs->used : 0, &out->legs);
	if (rc != LYA_OK)
		lya_trail_flow_fini(out);
	return rc;
}

void lya_trail_rebase(struct lya_trail *t, const struct lya_policy *policy,
		      struct lya_policy_memo *memo)
{
	lya_policy_memo_free(t->memo);
	t->memo = memo;
	t->policy = policy;
}

/* The end of a flow --------------------------------------------------------------------- */

static int add_leg(const struct lya_trail *t, const struct lya_snat_leg *leg,
		   struct lya_packets **out)
{
	const struct packet_head *head = ring_find(&t->legs, leg->source, leg->packet);

	return head == NULL ? LYA_OK : packets_add(out, head, packet_data(head));
}

static int collect_legs(const struct lya_trail *t, const struct lya_snat_evidence *found,
			struct lya_packets **out)
{
	int rc = LYA_OK;

	for (size_t i = 0; i < found->proof.n_legs && rc == LYA_OK; i++)
		rc = add_leg(t, &found->proof.legs[i], out);
	if (rc == LYA_OK && found->relay.faults != 0)
		rc = add_leg(t, &found->relay.leg, out);
	return rc;
}

/* Tell where the packets of the period before end, of those that are kept. */
static void mark_before(const struct lya_trail *t, const struct live *l)
{
	struct lya_packets *p = l->packets;
	bool silent = l->cut != t->cuts, lived = l->opening != 0; /* since then, and before */

	p->before = silent ? p->used : lived ? l->before : 0;
	p->left_out_before = silent ? p->left_out : lived ? l->left_out_before : 0;
	p->opening = lived ? l->opening : p->before;
	p->left_out_opening = lived ? l->left_out_opening : p->left_out_before;
}

/* Let go what came before the period under way, but for the flow's opening. */
static void let_go_before(const struct lya_trail *t, struct live *l)
{
	turn(t, l);
	if (l->opening == 0)
		return;
	packets_cut(l->packets, l->opening, l->before);
	l->packets->left_out -= l->left_out_before - l->left_out_opening;
	l->before = l->opening;
	l->left_out_before = l->left_out_opening;
}

int lya_trail_copy(struct lya_trail *t, const struct lya_flow *flow,
		   const struct lya_snat_evidence *found, bool at_cut, struct lya_trail_flow *out)
{
	struct live *l = live_find(&t->live, flow->record);
	struct lya_trail_flow kept = { 0 };
	int rc = LYA_OK;

	if (l != NULL) {
		kept.first = l->packets;
		mark_before(t, l);
	}
	if (out != NULL)
		rc = lya_trail_flow_dup(&kept, at_cut, out);
	if (out != NULL && rc == LYA_OK && found != NULL)
		rc = collect_legs(t, found, &out->legs);
	if (rc != LYA_OK) {
		lya_trail_flow_fini(out);
		return rc;
	}
	if (l != NULL && at_cut)
		let_go_before(t, l);
	return LYA_OK;
}

int lya_trail_end(struct lya_trail *t, const struct lya_flow *flow,
		  const struct lya_snat_evidence *found, struct lya_trail_flow *out)
{
	struct live *l = live_find(&t->live, flow->record);

	*out = (struct lya_trail_flow){ 0 };
	if (l != NULL) {
		mark_before(t, l);
		out->first = live_end(&t->live, l);
	}
	packets_trim(&out->first);
	return found == NULL ? LYA_OK : collect_legs(t, found, &out->legs);
}
