/*
 * key.c - which flow a packet belongs to.
 */
#include "flow/table.h"

#include <string.h>

static uint32_t load32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint64_t load64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v)); /* hashing only: byte order does not matter */
	return v;
}

/*
 * Two multiplications with secret factors: whoever does not know the key
 * cannot choose addresses that fall together.
 */
void flow_key_hash(const struct lya_flow_table *t, struct flow_key *key)
{
	uint64_t rest = (uint64_t)key->port[0] << 48 | (uint64_t)key->port[1] << 32 |
			(uint64_t)key->ctx << 16 | key->kind;
	uint64_t h;

	if ((key->kind & FLOW_KIND_WIDE) == 0) {
		h = lya_hash_mix(t->key.k0 ^ ((uint64_t)key->addr[0] << 32 | key->addr[1]),
				 t->key.k1 ^ rest);
	} else {
		h = lya_hash_mix(t->key.k0 ^ load64(key->wide[0]),
				 t->key.k1 ^ load64(key->wide[0] + 8));
		h = lya_hash_mix(h ^ load64(key->wide[1]), t->key.k1 ^ load64(key->wide[1] + 8));
		h = lya_hash_mix(h ^ t->key.k0, t->key.k1 ^ rest);
	}
	h = lya_hash_mix(h ^ t->key.k1, t->key.k0 | 1);
	key->hash = (uint32_t)(h >> 32);
}

/* Mirror transports and labels differ by direction: they are no part of who talks to whom. */
static bool tunnel_in_key(uint8_t tunnel)
{
	switch (tunnel) {
	case LYA_TUN_GRE:
	case LYA_TUN_VXLAN:
	case LYA_TUN_GENEVE:
	case LYA_TUN_IPIP:
	case LYA_TUN_PPPOE:
		return true;
	default:
		return false;
	}
}

static uint16_t ctx_of(struct lya_flow_table *t, const struct lya_path *path, bool vlans,
		       bool split)
{
	struct flow_ctx ctx = { .split = split };
	uint32_t n;

	if (path->n_tunnels != 0 && tunnel_in_key(path->tunnel)) {
		ctx.tunnel = path->tunnel;
		ctx.tunnel_id = path->tunnel_id;
	}
	if (vlans && path->n_vlan != 0) {
		ctx.n_vlan = path->n_vlan;
		memcpy(ctx.vlan, path->vlan, path->n_vlan * sizeof(ctx.vlan[0]));
	}
	if (ctx.tunnel == LYA_TUN_NONE && ctx.n_vlan == 0 && !split)
		return 0;
	n = flow_intern_put(&t->ctxs, &ctx);
	if (n == 0)
		t->stats.details_lost++;
	return (uint16_t)n;
}

uint16_t flow_ctx_split(struct lya_flow_table *t, const struct lya_path *path)
{
	return ctx_of(t, path, true, true);
}

static inline uint16_t packet_ctx(struct lya_flow_table *t, const struct lya_path *path)
{
	if (path->n_tunnels == 0 && (path->n_vlan == 0 || !t->options.vlan_in_key))
		return 0;
	return ctx_of(t, path, t->options.vlan_in_key, false);
}

/* Put the ends in order: the lower one, address then port, is side 0. */
static void set_ends(struct flow_key *key, const struct lya_addr *src, uint16_t sport,
		     const struct lya_addr *dst, uint16_t dport)
{
	int order;

	if (src->family == 4) {
		uint32_t s = load32(src->bytes);
		uint32_t d = load32(dst->bytes);

		order = s == d ? (int)sport - (int)dport : s < d ? -1 : 1;
		key->side = order > 0;
		key->addr[key->side] = s;
		key->addr[!key->side] = d;
	} else {
		order = memcmp(src->bytes, dst->bytes, 16);
		if (order == 0)
			order = (int)sport - (int)dport;
		key->side = order > 0;
		memcpy(key->wide[key->side], src->bytes, 16);
		memcpy(key->wide[!key->side], dst->bytes, 16);
		key->addr[0] = key->addr[1] = 0;
		key->kind |= FLOW_KIND_WIDE;
	}
	key->port[key->side] = sport;
	key->port[!key->side] = dport;
}

static bool set_kind(struct flow_key *key, uint8_t transport, enum lya_flow_unknown unknown)
{
	if (transport != 6 && transport != 17)
		return false;
	key->kind = (uint8_t)(FLOW_KIND_USED | (transport == 6 ? FLOW_KIND_TCP : 0) |
			      (unsigned)unknown << FLOW_KIND_UNKNOWN_SHIFT);
	return true;
}

bool flow_key_of(struct lya_flow_table *t, const struct lya_packet *pkt, struct flow_key *key)
{
	enum lya_flow_unknown unknown = LYA_UNKNOWN_NOT;

	if (pkt->duplicate != LYA_DUP_NONE)
		return false; /* its first sighting was counted */
	switch (pkt->kind) {
	case LYA_PKT_TCP:
	case LYA_PKT_UDP:
		break;
	case LYA_PKT_FRAGMENT:
		unknown = LYA_UNKNOWN_FRAGMENT;
		break;
	case LYA_PKT_CUT:
		unknown = LYA_UNKNOWN_CUT;
		break;
	default:
		return false;
	}
	if (!set_kind(key, pkt->transport, unknown))
		return false;
	if (unknown == LYA_UNKNOWN_NOT)
		set_ends(key, &pkt->src, pkt->sport, &pkt->dst, pkt->dport);
	else
		set_ends(key, &pkt->src, 0, &pkt->dst, 0);
	key->ctx = packet_ctx(t, &pkt->path);
	flow_key_hash(t, key);
	return true;
}

bool flow_key_quoted(struct lya_flow_table *t, const struct lya_packet *pkt, struct flow_key *key)
{
	if (pkt->kind != LYA_PKT_ICMP_ERROR || !pkt->quoted.has_ports ||
	    pkt->quoted.src.family != pkt->quoted.dst.family ||
	    !set_kind(key, pkt->quoted.transport, LYA_UNKNOWN_NOT))
		return false;
	set_ends(key, &pkt->quoted.src, pkt->quoted.sport, &pkt->quoted.dst, pkt->quoted.dport);
	key->ctx = packet_ctx(t, &pkt->path);
	flow_key_hash(t, key);
	return true;
}

void flow_key_again(const struct lya_flow_table *t, uint32_t n, struct flow_key *key)
{
	const struct flow_hot *h = flow_hot_at(t, n);

	memcpy(key->port, h->port, sizeof(key->port));
	memcpy(key->addr, h->addr, sizeof(key->addr));
	key->ctx = h->ctx;
	key->kind = flow_kind(h);
	key->side = 0;
	if ((n & FLOW_WIDE) != 0)
		memcpy(key->wide, t->wide[n & ~FLOW_WIDE].addr, sizeof(key->wide));
	flow_key_hash(t, key);
}

uint32_t flow_find(const struct lya_flow_table *t, const struct flow_key *key)
{
	const struct flow_slot *slots = t->index.slots;

	for (size_t i = flow_index_home(&t->index, key->hash); slots[i].record != 0;
	     i = flow_index_next(&t->index, i))
		if (slots[i].hash == key->hash && flow_key_matches(t, slots[i].record, key))
			return slots[i].record;
	return 0;
}
