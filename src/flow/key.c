/*
 * key.c - which flow a packet belongs to.
 */
#include "flow/table.h"

#include <string.h>

static inline uint32_t load32(const uint8_t *p)
{
	return lya_packet_be32(p);
}

static inline uint64_t load64(const uint8_t *p)
{
	return (uint64_t)load32(p) << 32 | load32(p + 4);
}

/*
 * Two multiplications with secret factors: whoever does not know the key
 * cannot choose addresses that fall together.
 */
static inline uint64_t mix_ends(const struct lya_flow_table *t, uint64_t lower, uint64_t upper)
{
	return lya_hash_mix(t->key.k0 ^ lower, t->key.k1 ^ upper);
}

static inline uint32_t tag_from(const struct lya_flow_table *t, uint64_t h)
{
	h = lya_hash_mix(h ^ t->key.k1, t->key.k0);
	return (uint32_t)(h >> 32) | 1; /* the low bit is no part of any line's number */
}

void flow_key_tag(const struct lya_flow_table *t, struct flow_key *key)
{
	uint64_t h = mix_ends(t, key->end[0], key->end[1]);

	if ((flow_key_kind(key) & FLOW_KIND_WIDE) != 0) {
		h = lya_hash_mix(h ^ load64(key->wide[0]), t->key.k1 ^ load64(key->wide[0] + 8));
		h = lya_hash_mix(h ^ load64(key->wide[1]), t->key.k1 ^ load64(key->wide[1] + 8));
	}
	key->tag = tag_from(t, h);
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

/* Put IPv4 ends in order, without a branch: the lower one, address then port, is side 0. */
static inline void set_narrow(struct flow_key *key, uint64_t from, uint64_t to, uint64_t ctx,
			      uint64_t kind)
{
	key->end[0] = (from < to ? from : to) | ctx;
	key->end[1] = (from < to ? to : from) | kind;
	key->side = from > to;
}

static inline uint64_t narrow_end(const struct lya_addr *addr, uint16_t port)
{
	return (uint64_t)load32(addr->bytes) << 32 | (uint32_t)port << 16;
}

/* src and dst are 16 bytes each, borrowed by the key. */
static inline void set_wide(struct flow_key *key, const uint8_t *src, uint16_t sport,
			    const uint8_t *dst, uint16_t dport, uint64_t ctx, uint64_t kind)
{
	uint64_t from = load64(src);
	uint64_t to = load64(dst);
	bool swap;

	if (from == to) {
		from = load64(src + 8);
		to = load64(dst + 8);
	}
	swap = from != to ? from > to : sport > dport;
	key->side = swap;
	key->wide[0] = swap ? dst : src;
	key->wide[1] = swap ? src : dst;
	key->end[0] = (uint64_t)(swap ? dport : sport) << 16 | ctx;
	key->end[1] = (uint64_t)(swap ? sport : dport) << 16 | kind | FLOW_KIND_WIDE;
}

static void set_ends(struct flow_key *key, const struct lya_addr *src, uint16_t sport,
		     const struct lya_addr *dst, uint16_t dport, uint64_t ctx, uint64_t kind)
{
	if (src->family == 4)
		set_narrow(key, narrow_end(src, sport), narrow_end(dst, dport), ctx, kind);
	else
		set_wide(key, src->bytes, sport, dst->bytes, dport, ctx, kind);
}

static inline uint8_t kind_of(uint8_t transport, enum lya_flow_unknown unknown)
{
	return (uint8_t)(FLOW_KIND_USED | (transport == 6 ? FLOW_KIND_TCP : 0) |
			 (unsigned)unknown << FLOW_KIND_UNKNOWN_SHIFT);
}

static bool has_flow(uint8_t transport)
{
	return transport == 6 || transport == 17;
}

/* The key of any packet; end[1] 0 when it stands for no flow. */
static void key_of(struct lya_flow_table *t, const struct lya_packet *pkt, struct flow_key *key)
{
	enum lya_flow_unknown unknown = LYA_UNKNOWN_NOT;
	bool has_ports = true;

	key->end[1] = 0;
	if (pkt->duplicate != LYA_DUP_NONE || !has_flow(pkt->transport))
		return; /* of a duplicate, the first sighting was counted */
	switch (pkt->kind) {
	case LYA_PKT_TCP:
	case LYA_PKT_UDP:
		break;
	case LYA_PKT_FRAGMENT:
		unknown = LYA_UNKNOWN_FRAGMENT;
		has_ports = false;
		break;
	case LYA_PKT_CUT:
		unknown = LYA_UNKNOWN_CUT;
		has_ports = false;
		break;
	default:
		return;
	}
	set_ends(key, &pkt->src, has_ports ? pkt->sport : 0, &pkt->dst, has_ports ? pkt->dport : 0,
		 packet_ctx(t, &pkt->path), kind_of(pkt->transport, unknown));
	flow_key_tag(t, key);
}

/* Of a packet that is plain: as key_of says, straight from what stands in its headers. */
static inline void narrow_key(const struct lya_flow_table *t, const struct lya_packet *pkt,
			      struct flow_key *key)
{
	uint64_t kind = FLOW_KIND_USED | (pkt->kind == LYA_PKT_TCP) * (uint64_t)FLOW_KIND_TCP;

	set_narrow(key, pkt->end[0], pkt->end[1], 0, kind);
	key->tag = tag_from(t, mix_ends(t, key->end[0], key->end[1]));
}

static inline void wide_key(const struct lya_flow_table *t, const struct lya_packet *pkt,
			    struct flow_key *key)
{
	uint32_t ports = load32(pkt->ip + pkt->l4_at);

	set_wide(key, pkt->ip + 8, (uint16_t)(ports >> 16), pkt->ip + 24, (uint16_t)ports, 0,
		 kind_of(pkt->transport, LYA_UNKNOWN_NOT));
	flow_key_tag(t, key);
}

/* Nothing in the key but the ends: nearly always. */
static inline bool is_simple(const struct lya_packet *pkt, bool vlan_in_key)
{
	return (lya_packet_is_plain(pkt) & (pkt->duplicate == LYA_DUP_NONE)) != 0 &&
	       !(vlan_in_key && pkt->path.n_vlan != 0);
}

void flow_keys_of(struct lya_flow_table *t, struct lya_packet *pkts, size_t n)
{
	const struct flow_line *lines = t->index.lines;
	const bool vlan_in_key = t->options.vlan_in_key;
	const unsigned shift = 32 - t->index.bits;

	for (size_t i = 0; i < n; i++) {
		struct flow_key *key = &t->ahead[i].key;

		if (__builtin_expect(!is_simple(&pkts[i], vlan_in_key), 0)) {
			lya_packet_fill(&pkts[i]);
			key->tag = 1;
			key_of(t, &pkts[i], key);
		} else if (pkts[i].form == LYA_FORM_IPV4) {
			narrow_key(t, &pkts[i], key);
		} else {
			wide_key(t, &pkts[i], key);
		}
		__builtin_prefetch(&lines[key->tag >> shift]);
	}
}

bool flow_key_quoted(struct lya_flow_table *t, const struct lya_packet *pkt, struct flow_key *key)
{
	if (pkt->kind != LYA_PKT_ICMP_ERROR || !pkt->quoted.has_ports ||
	    pkt->quoted.src.family != pkt->quoted.dst.family || !has_flow(pkt->quoted.transport))
		return false;
	set_ends(key, &pkt->quoted.src, pkt->quoted.sport, &pkt->quoted.dst, pkt->quoted.dport,
		 packet_ctx(t, &pkt->path), kind_of(pkt->quoted.transport, LYA_UNKNOWN_NOT));
	flow_key_tag(t, key);
	return true;
}

void flow_key_again(const struct lya_flow_table *t, uint32_t n, struct flow_key *key)
{
	const struct flow_hot *h = flow_hot_at(t, n);

	key->end[0] = h->end[0];
	key->end[1] = h->end[1];
	key->side = 0;
	if ((n & FLOW_WIDE) != 0) {
		key->wide[0] = t->wide[n & ~FLOW_WIDE].addr[0];
		key->wide[1] = t->wide[n & ~FLOW_WIDE].addr[1];
	}
	flow_key_tag(t, key);
}

uint32_t flow_find(const struct lya_flow_table *t, const struct flow_key *key)
{
	size_t i = flow_index_home(&t->index, key->tag);

	for (;; i = flow_index_next(&t->index, i)) {
		const struct flow_line *line = &t->index.lines[i];
		unsigned match = flow_line_match(line->tag, key->tag);

		for (; match != 0; match &= match - 1) {
			uint32_t n = line->record[flow_line_first(match)];

			if (flow_key_matches(t, n, flow_hot_at(t, n), key))
				return n;
		}
		if (flow_line_match(line->tag, 0) != 0)
			return 0;
	}
}
