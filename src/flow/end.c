/*
 * end.c - a flow's end: told to the caller, and forgotten.
 */
#include "flow/table.h"

#include <assert.h>
#include <string.h>

uint64_t flow_serial(const struct lya_flow_table *t, uint32_t n)
{
	return t->serial - (uint32_t)((uint32_t)t->serial - flow_cold_at(t, n)->serial);
}

void flow_address(const struct lya_flow_table *t, uint32_t n, unsigned side, struct lya_addr *out)
{
	const struct flow_hot *h = flow_hot_at(t, n);

	memset(out, 0, sizeof(*out));
	if ((n & FLOW_WIDE) != 0) {
		out->family = 6;
		memcpy(out->bytes, t->wide[n & ~FLOW_WIDE].addr[side], 16);
		return;
	}
	out->family = 4;
	for (unsigned i = 0; i < 4; i++)
		out->bytes[i] = (uint8_t)(h->end[side] >> (56 - 8 * i));
}

static void fill_ends(const struct lya_flow_table *t, uint32_t n, struct lya_flow *f)
{
	const struct flow_hot *h = flow_hot_at(t, n);

	for (unsigned side = 0; side < 2; side++) {
		f->port[side] = flow_port(h, side);
		flow_address(t, n, side, &f->addr[side]);
	}
}

static void fill_counts(const struct lya_flow_table *t, uint32_t n, struct lya_flow *f)
{
	const struct flow_hot *h = flow_hot_at(t, n);
	const struct flow_extra *x = flow_extra_of(t, h);

	for (unsigned side = 0; side < 2; side++) {
		f->packets[side] = h->count[FLOW_PACKETS][side];
		f->bytes[side] = h->count[FLOW_BYTES][side];
		f->payload_bytes[side] = h->count[FLOW_PAYLOAD][side];
		if (flow_extra_number(t, h) == 0)
			continue;
		f->packets[side] += (uint64_t)x->carry[FLOW_PACKETS][side] << 32;
		f->bytes[side] += (uint64_t)x->carry[FLOW_BYTES][side] << 32;
		f->payload_bytes[side] += (uint64_t)x->carry[FLOW_PAYLOAD][side] << 32;
	}
	if (flow_extra_number(t, h) != 0 && x->icmp) {
		f->icmp_error = true;
		f->icmp_type = x->icmp_type;
		f->icmp_code = x->icmp_code;
	}
}

/*
 * Nobody connects to a group, and none answers with one address.  Frames of such
 * flows go to a group's MAC where a network load balancer wants copies, or where
 * somebody hides.
 */
static bool is_to_group(const struct flow_hot *h, const struct lya_flow *f)
{
	return flow_is(h, FLOW_GROUP) && f->transport == 17 &&
	       (f->packets[0] == 0 || f->packets[1] == 0);
}

static void fill_evidence(const struct flow_hot *h, struct lya_flow *f)
{
	f->transport = flow_is_tcp(h) ? 6 : 17;
	f->unknown = (uint8_t)flow_unknown(h);
	f->first_side = flow_is(h, FLOW_FIRST_1);
	f->syn_side = (int8_t)flow_syn_side(h);
	f->synack_side = (int8_t)flow_synack_side(h);
	f->synack_continued = f->synack_side >= 0 && flow_went(h, !f->synack_side);
	f->group_dst = is_to_group(h, f);
	f->vlan_split = flow_is(h, FLOW_SPLIT);
	f->acked = (h->flags & (FLOW_WENT_0 | FLOW_WENT_1 | FLOW_SYNACK | FLOW_REFUSED |
				FLOW_RESET)) != 0;
	if (flow_is_tcp(h) && f->unknown == LYA_UNKNOWN_NOT) {
		f->state = flow_tcp_state(h);
		f->answered = flow_tcp_answered(h);
	} else {
		f->state = LYA_STATE_NONE;
		f->answered = f->packets[0] != 0 && f->packets[1] != 0;
	}
}

static void fill_macs(const uint8_t *macs, unsigned side, struct lya_flow *f)
{
	memcpy(f->to_mac[side], macs, sizeof(f->to_mac[side]));
	memcpy(f->mac[side], macs + sizeof(f->to_mac[side]), sizeof(f->mac[side]));
}

static inline __attribute__((always_inline)) void
fill_origin(const struct lya_flow_table *t, uint32_t n, struct lya_flow *f)
{
	const struct flow_cold *c = flow_cold_at(t, n);

	f->first_ns = c->first_ns;
	f->last_ns = flow_hot_at(t, n)->last_ns;
	f->number = (uint64_t)c->number_hi << 32 | c->number;
	f->serial = flow_serial(t, n);
	for (unsigned side = 0; side < 2; side++)
		if (c->macs[side] != 0)
			fill_macs(flow_intern_at(&t->macs, c->macs[side]), side, f);
	if (c->origin != 0) {
		const struct flow_origin *o = flow_intern_at(&t->origins, c->origin);

		f->source = o->source;
		f->digits = o->digits;
		memcpy(f->path.vlan, o->vlan, sizeof(f->path.vlan));
		f->path.n_vlan = o->n_vlan;
		f->path.tunnel = o->tunnel;
		f->path.n_tunnels = o->n_tunnels;
		f->path.tunnel_id = o->tunnel_id;
	}
}

bool flow_is_beside(const struct lya_flow_table *t, const struct flow_hot *h)
{
	const struct flow_ctx *ctx;

	if (flow_ctx_of(h) == 0)
		return false;
	ctx = flow_intern_at(&t->ctxs, flow_ctx_of(h));
	return ctx->split != 0;
}

static void forget(struct lya_flow_table *t, uint32_t n, uint32_t tag)
{
	struct flow_arena *a = &t->arena[flow_family(n)];
	struct flow_hot *h = flow_hot_at(t, n);

	if (t->index.count != 0) /* a flush empties the index at once */
		flow_index_remove(&t->index, tag, n);
	if (flow_is_beside(t, h))
		t->split_flows--;
	flow_extra_drop(t, n);
	flow_loss_end(t, n);
	if (t->options.shares)
		flow_share_forget(t, n);
	memset(h, 0, sizeof(*h));
	h->next = a->free;
	a->free = n;
	a->live--;
	t->stats.open--;
}

static inline __attribute__((always_inline)) void
fill(const struct lya_flow_table *t, uint32_t n, struct lya_flow *f)
{
	memset(f, 0, sizeof(*f));
	f->record = n;
	fill_ends(t, n, f);
	fill_counts(t, n, f);
	fill_evidence(flow_hot_at(t, n), f);
}

void flow_fill(const struct lya_flow_table *t, uint32_t n, struct lya_flow *f)
{
	fill(t, n, f);
}

void flow_fill_origin(const struct lya_flow_table *t, uint32_t n, struct lya_flow *f)
{
	fill_origin(t, n, f);
}

const struct lya_flow *flow_tell(struct lya_flow_table *t, uint32_t n)
{
	struct lya_flow *f = &t->ended;

	flow_inspect_settle(t, n);
	fill(t, n, f);
	flow_inspect_result(t, n, &f->app);
	return f;
}

const struct lya_flow *lya_flow_table_peek(struct lya_flow_table *t,
					   const struct lya_flow_sight *sight)
{
	const struct lya_flow *f;

	assert(flow_is(flow_hot_at(t, sight->record), FLOW_INSPECTED) &&
	       "an inspection goes on undisturbed");
	f = flow_tell(t, sight->record);
	fill_origin(t, sight->record, &t->ended);
	return f;
}

static int end_tagged(struct lya_flow_table *t, uint32_t n, uint32_t tag)
{
	const struct lya_flow *f = flow_tell(t, n);

	fill_origin(t, n, &t->ended);
	flow_loss_tell(t, n, &t->ended);
	if (t->options.shares)
		flow_share_tell(t, n, &t->ended);
	forget(t, n, tag);
	if (t->status == LYA_OK && t->options.on_end != NULL)
		t->status = t->options.on_end(t->options.ctx, f);
	if (t->status > 0)
		t->status = LYA_OK;
	return t->status;
}

int flow_end(struct lya_flow_table *t, uint32_t n)
{
	struct flow_key key;

	flow_key_again(t, n, &key);
	return end_tagged(t, n, key.tag);
}

/* In handfuls, so that the caches are asked for several records at once. */
int flow_end_list(struct lya_flow_table *t, uint32_t list)
{
	uint32_t numbers[FLOW_BATCH];
	uint32_t tags[FLOW_BATCH];

	flow_drain(t);

	while (list != 0 && t->status == LYA_OK) {
		unsigned n = 0;

		for (; n < FLOW_BATCH && list != 0; n++) {
			struct flow_key key;

			numbers[n] = list;
			flow_key_again(t, list, &key);
			tags[n] = key.tag;
			__builtin_prefetch(&t->index.lines[flow_index_home(&t->index, key.tag)],
					   1);
			__builtin_prefetch(flow_cold_at(t, list));
			__builtin_prefetch(flow_extra_of(t, flow_hot_at(t, list)));
			list = flow_hot_at(t, list)->next;
		}
		for (unsigned i = 0; i < n && t->status == LYA_OK; i++)
			(void)end_tagged(t, numbers[i], tags[i]);
	}
	return t->status;
}
