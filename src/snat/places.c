/*
 * places.c - the declared A/V Edge nodes and VIPs, and their ports.
 *
 * Nearly every packet that is asked about is none of ours, so the answer comes
 * from a small table of single addresses; a declared network is no VIP and no
 * node.  The ports are those of the rows, as the site has moved them.
 */
#include "snat/snat.h"

#include <stdlib.h>
#include <string.h>

#include "lyncaudit/alloc.h"
#include "lyncaudit/word.h"

static const lya_roles PLACE_ROLES =
    LYA_ROLE_BIT(LYA_ROLE_EDGE_AV) | LYA_ROLE_BIT(LYA_ROLE_EDGE_AV_VIP) |
    LYA_ROLE_BIT(LYA_ROLE_EDGE_INTERNAL) | LYA_ROLE_BIT(LYA_ROLE_EDGE_INTERNAL_VIP);

static bool is_single(const struct lya_site_address *a)
{
	return a->net.bits == (a->net.addr.family == 4 ? 32 : 128);
}

static bool is_place(const struct lya_site_address *a)
{
	return (LYA_ROLE_BIT(a->role) & PLACE_ROLES) != 0 && is_single(a);
}

/* The table holds what the site declares, so there is no need of a secret: nobody else adds. */
static size_t home_of(const struct snat_places *p, const struct lya_addr *addr)
{
	uint64_t h = lya_word64(addr->bytes) * UINT64_C(0x9e3779b97f4a7c15) +
		     lya_word64(addr->bytes + 8) * UINT64_C(0xc2b2ae3d27d4eb4f);

	return (size_t)(h >> 32) & p->mask;
}

static bool same_addr(const struct lya_addr *a, const struct lya_addr *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

static size_t slot_of(const struct snat_places *p, const struct lya_addr *addr)
{
	size_t i = home_of(p, addr);

	while (p->slots[i] != 0 && !same_addr(&p->list[p->slots[i] - 1].addr, addr))
		i = (i + 1) & p->mask;
	return i;
}

const struct snat_place *snat_place_at(const struct snat_places *p, const struct lya_addr *addr)
{
	uint32_t number = p->slots[slot_of(p, addr)];

	return number == 0 ? NULL : &p->list[number - 1];
}

static size_t sieve_bit(const uint8_t *bytes, size_t n)
{
	uint32_t word; /* of the address's end: networks have their beginnings in common */

	memcpy(&word, bytes + n - sizeof(word), sizeof(word));
	return word * UINT32_C(0x9e3779b1) >> 20;
}

_Static_assert(SNAT_SIEVE == 1 << (32 - 20), "sieve_bit names a bit of the sieve");

static bool sieve_holds(const struct snat_sieve *sieve, const uint8_t *bytes, size_t n)
{
	size_t bit = sieve_bit(bytes, n);

	return (sieve->bits[bit / 64] >> bit % 64 & 1) != 0;
}

static void sieve_add(struct snat_sieve *sieve, const struct lya_addr *addr)
{
	size_t bit = sieve_bit(addr->bytes, addr->family == 4 ? 4 : 16);

	sieve->bits[bit / 64] |= UINT64_C(1) << bit % 64;
}

bool snat_is_elsewhere(const struct snat_places *p, const struct lya_packet *pkt)
{
	const uint8_t *src = pkt->src.bytes, *dst = pkt->dst.bytes;
	size_t n = pkt->src.family == 4 ? 4 : 16;

	if (lya_packet_is_plain(pkt)) { /* both stand in the header, one behind the other */
		n = pkt->form == LYA_FORM_IPV4 ? 4 : 16;
		src = pkt->ip + (pkt->form == LYA_FORM_IPV4 ? 12 : 8);
		dst = src + n;
	}
	return !sieve_holds(&p->sieve, src, n) && !sieve_holds(&p->sieve, dst, n);
}

bool snat_may_be_beside(const struct snat_places *p, const struct lya_addr ends[static 2])
{
	size_t n = ends[0].family == 4 ? 4 : 16;

	return sieve_holds(&p->sieve, ends[0].bytes, n) || sieve_holds(&p->sieve, ends[1].bytes, n);
}

static int by_addr(const void *a, const void *b)
{
	return lya_addr_cmp(a, b);
}

bool snat_is_balancer_address(const struct snat_places *p, const struct lya_addr *addr)
{
	return sieve_holds(&p->balancer_sieve, addr->bytes, addr->family == 4 ? 4 : 16) &&
	       bsearch(addr, p->balancers, p->n_balancers, sizeof(*addr), by_addr) != NULL;
}

/* An address with two of the roles is what its first one says. */
static void add_place(struct snat_places *p, const struct lya_policy *policy,
		      const struct lya_site_address *a)
{
	struct snat_place *place = &p->list[p->n];
	size_t slot = slot_of(p, &a->net.addr);
	struct lya_policy_end end;

	if (p->slots[slot] != 0)
		return;
	lya_policy_end_of(policy, &a->net.addr, &end);
	*place = (struct snat_place){
		.addr = a->net.addr,
		.pool = end.pool,
		.vip = a->role == LYA_ROLE_EDGE_AV_VIP || a->role == LYA_ROLE_EDGE_INTERNAL_VIP,
		.internal = a->role == LYA_ROLE_EDGE_INTERNAL ||
			    a->role == LYA_ROLE_EDGE_INTERNAL_VIP,
	};
	if (!place->internal)
		place->number = place->vip ? p->n_vips++ : p->n_nodes++;
	p->slots[slot] = (uint32_t)++p->n;
	sieve_add(&p->sieve, &place->addr);
}

static bool is_balancer(const struct lya_site_address *a)
{
	return (LYA_ROLE_BIT(a->role) & (LYA_ROLES_VIPS | LYA_ROLE_BIT(LYA_ROLE_HLB))) != 0;
}

static void add_balancer(struct snat_places *p, const struct lya_site_address *a)
{
	if (!is_single(a)) {
		p->balancer_networks = true;
		return;
	}
	p->balancers[p->n_balancers++] = a->net.addr;
	sieve_add(&p->balancer_sieve, &a->net.addr);
}

static size_t count(const struct lya_site *site, bool (*is)(const struct lya_site_address *))
{
	size_t n = 0;

	for (size_t i = 0; i < site->n_hosts; i++)
		for (size_t k = 0; k < site->hosts[i].n_addresses; k++)
			n += is(&site->hosts[i].addresses[k]);
	return n;
}

static void add_ports(struct snat_ports *ports, const struct lya_policy *policy, size_t rule)
{
	const struct lya_port_range *list;
	size_t n;

	list = lya_policy_ports(policy, rule, &n);
	ports->any = ports->any || n > 0;
	for (size_t i = 0; i < n; i++)
		for (unsigned port = list[i].first; port <= list[i].last; port++)
			ports->bits[port / 64] |= UINT64_C(1) << port % 64;
}

static void read_ports(struct snat_places *p, const struct lya_policy *policy)
{
	const struct lya_rules *rules = lya_policy_rules(policy);

	for (size_t i = 0; i < rules->n; i++) {
		const struct lya_rule *r = &rules->list[i];
		lya_roles both = r->from.named | r->to.named;

		if (r->statement || r->any_port)
			continue;
		if ((both & LYA_ROLE_BIT(LYA_ROLE_EDGE_AV)) != 0 && r->port_of == LYA_PORT_EITHER)
			add_ports(&p->relay, policy, i);
		if (r->app != LYA_ROW_STUN || (r->transports & LYA_T_TCP) == 0)
			continue;
		if ((r->to.named & LYA_ROLE_BIT(LYA_ROLE_EDGE_AV_VIP)) != 0)
			add_ports(&p->tcp[0], policy, i);
		if ((r->to.named & LYA_ROLE_BIT(LYA_ROLE_EDGE_INTERNAL_VIP)) != 0)
			add_ports(&p->tcp[1], policy, i);
	}
}

int snat_places_init(struct snat_places *p, const struct lya_policy *policy)
{
	const struct lya_site *site = lya_policy_site(policy);
	size_t n = count(site, is_place), slots = 16;

	while (slots < 4 * n)
		slots *= 2;
	p->mask = slots - 1;
	p->list = lya_calloc(n + 1, sizeof(*p->list));
	p->slots = lya_calloc(slots, sizeof(*p->slots));
	p->balancers = lya_calloc(count(site, is_balancer) + 1, sizeof(*p->balancers));
	if (p->list == NULL || p->slots == NULL || p->balancers == NULL)
		return LYA_ENOMEM;
	for (size_t i = 0; i < site->n_hosts; i++) {
		for (size_t k = 0; k < site->hosts[i].n_addresses; k++) {
			if (is_place(&site->hosts[i].addresses[k]))
				add_place(p, policy, &site->hosts[i].addresses[k]);
			if (is_balancer(&site->hosts[i].addresses[k]))
				add_balancer(p, &site->hosts[i].addresses[k]);
		}
	}
	if (p->n_balancers > 0)
		qsort(p->balancers, p->n_balancers, sizeof(*p->balancers), by_addr);
	read_ports(p, policy);
	return LYA_OK;
}

void snat_places_fini(struct snat_places *p)
{
	lya_free(p->list);
	lya_free(p->slots);
	lya_free(p->balancers);
}

bool snat_has_port(const struct snat_ports *ports, uint16_t port)
{
	return (ports->bits[port / 64] >> port % 64 & 1) != 0;
}
