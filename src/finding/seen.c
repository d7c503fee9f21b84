/*
 * seen.c - which of the declared addresses on the external side of the Edge were really
 * there (edge.p.public-addresses).
 *
 * An address is seen when it sent something: whoever is only sent to may not exist.
 * There is one sum for each address or network as it is declared, so that the memory
 * is the site's.
 */
#include "finding/packing.h"

#include <string.h>

#include "lyncaudit/alloc.h"

static bool is_outside(const struct lya_site_address *a)
{
	return (LYA_ROLE_BIT(a->role) & LYA_ROLES_EDGE_OUTSIDE) != 0;
}

bool seen_is_network(const struct lya_net *net)
{
	return net->bits < (net->addr.family == 4 ? 32 : 128);
}

int seen_init(struct seen *s, const struct lya_site *site)
{
	size_t n = 0;

	*s = (struct seen){ .n_hosts = site->n_hosts };
	for (size_t i = 0; i < site->n_hosts; i++)
		n += site->hosts[i].n_addresses;
	s->first = lya_calloc(site->n_hosts + 1, sizeof(*s->first));
	s->list = lya_calloc(n + 1, sizeof(*s->list));
	if (s->first == NULL || s->list == NULL)
		return LYA_ENOMEM;
	for (size_t i = 0; i < site->n_hosts; i++)
		s->first[i + 1] = s->first[i] + site->hosts[i].n_addresses;
	return LYA_OK;
}

void seen_fini(struct seen *s)
{
	for (size_t i = 0; s->list != NULL && s->first != NULL && i < s->first[s->n_hosts]; i++)
		marks_fini(&s->list[i].senders);
	lya_free(s->first);
	lya_free(s->list);
	*s = (struct seen){ 0 };
}

static void add_flow(struct seen_sum *sum, const struct lya_flow *flow, unsigned side)
{
	int64_t first_ns = lya_flow_first_ns(flow), last_ns = lya_flow_last_ns(flow);

	if (sum->flows == 0 || first_ns < sum->first_ns)
		sum->first_ns = first_ns;
	if (sum->flows == 0 || last_ns > sum->last_ns)
		sum->last_ns = last_ns;
	if (flow->digits > sum->digits)
		sum->digits = flow->digits;
	sum->flows++;
	sum->sent += flow->packets[side] > 0;
}

/* The beginning of an address, which tells nearly all apart. */
static inline uint64_t begin_of(const struct lya_addr *addr)
{
	uint64_t word;

	memcpy(&word, addr->bytes, sizeof(word));
	return word;
}

/* The address alone, in each of its roles; false: it is not declared so. */
static bool take_single(struct seen *s, struct seen_sum *sums, const struct lya_site_host *host,
			const struct lya_flow *flow, unsigned side)
{
	uint64_t begin = begin_of(&flow->addr[side]);
	bool found = false;

	s->last = NULL;
	for (size_t i = 0; i < host->n_addresses; i++) {
		const struct lya_site_address *a = &host->addresses[i];

		if (begin_of(&a->net.addr) != begin || !is_outside(a) ||
		    seen_is_network(&a->net) ||
		    lya_addr_cmp(&a->net.addr, &flow->addr[side]) != 0)
			continue;
		add_flow(&sums[i], flow, side);
		s->last = found ? NULL : &a->net.addr; /* NULL from its second role on */
		s->last_sum = &sums[i];
		found = true;
	}
	return found;
}

/* How long the prefix is by which the host has the address outside; -1: it has not. */
static int longest(const struct lya_site_host *host, const struct lya_addr *addr)
{
	int bits = -1;

	for (size_t i = 0; i < host->n_addresses; i++) {
		const struct lya_site_address *a = &host->addresses[i];

		if (is_outside(a) && a->net.bits > bits && lya_net_holds(&a->net, addr))
			bits = a->net.bits;
	}
	return bits;
}

static int take_network(struct seen_sum *sums, const struct lya_site_host *host,
			const struct lya_flow *flow, unsigned side)
{
	const struct lya_addr *addr = &flow->addr[side];
	int bits = longest(host, addr), rc = LYA_OK;

	for (size_t i = 0; i < host->n_addresses && rc == LYA_OK; i++) {
		const struct lya_site_address *a = &host->addresses[i];

		if (!is_outside(a) || a->net.bits != bits || !lya_net_holds(&a->net, addr))
			continue;
		add_flow(&sums[i], flow, side);
		if (flow->packets[side] > 0)
			rc = marks_add(&sums[i].senders,
				       finding_hash(addr->bytes, sizeof(addr->bytes)));
	}
	return rc;
}

static int take_side(struct seen *s, const struct lya_site *site, const struct lya_flow *flow,
		     int32_t number, unsigned side)
{
	const struct lya_site_host *host = &site->hosts[number];
	struct seen_sum *sums = &s->list[s->first[number]];

	if (s->last != NULL && begin_of(s->last) == begin_of(&flow->addr[side]) &&
	    lya_addr_cmp(s->last, &flow->addr[side]) == 0) {
		add_flow(s->last_sum, flow, side);
		return LYA_OK;
	}
	return take_single(s, sums, host, flow, side) ? LYA_OK
						      : take_network(sums, host, flow, side);
}

int seen_take(struct seen *s, const struct lya_site *site, const struct lya_flow *flow,
	      const struct lya_policy_end ends[static 2])
{
	int rc = LYA_OK;

	for (unsigned side = 0; side < 2 && rc == LYA_OK; side++) {
		if (ends[side].host >= 0 && (ends[side].roles & LYA_ROLES_EDGE_OUTSIDE) != 0)
			rc = take_side(s, site, flow, ends[side].host, side);
	}
	return rc;
}

int seen_add(struct seen_sum *sum, const struct seen_sum *more)
{
	if (more->flows == 0)
		return LYA_OK;
	if (sum->flows == 0 || more->first_ns < sum->first_ns)
		sum->first_ns = more->first_ns;
	if (sum->flows == 0 || more->last_ns > sum->last_ns)
		sum->last_ns = more->last_ns;
	if (more->digits > sum->digits)
		sum->digits = more->digits;
	sum->flows += more->flows;
	sum->sent += more->sent;
	return marks_merge(&sum->senders, &more->senders);
}

int seen_merge(struct seen *s, const struct seen *from)
{
	int rc = LYA_OK;

	for (size_t i = 0; i < s->first[s->n_hosts] && rc == LYA_OK; i++)
		rc = seen_add(&s->list[i], &from->list[i]);
	return rc;
}

/* As bytes, and back -------------------------------------------------------------------- */

static void pack_one(struct packing *p, size_t host, const struct lya_site_address *a,
		     const struct seen_sum *sum)
{
	packing_name(p, &p->hosts, (int32_t)host);
	lya_pack_uint(&p->body, a->role);
	lya_pack_addr(&p->body, &a->net.addr);
	lya_pack_uint(&p->body, a->net.bits);
	lya_pack_uint(&p->body, sum->flows);
	lya_pack_uint(&p->body, sum->sent);
	lya_pack_int(&p->body, sum->first_ns);
	lya_pack_int(&p->body, sum->last_ns);
	lya_pack_uint(&p->body, sum->digits);
	pack_marks(p, &sum->senders);
}

void seen_pack(struct packing *p, const struct seen *s)
{
	const struct lya_site *site = p->ledger->site;
	size_t n = 0;

	for (size_t i = 0; i < s->first[s->n_hosts]; i++)
		n += s->list[i].flows > 0;
	lya_pack_uint(&p->body, n);
	for (size_t i = 0; i < s->n_hosts; i++) {
		for (size_t k = s->first[i]; k < s->first[i + 1]; k++) {
			if (s->list[k].flows > 0)
				pack_one(p, i, &site->hosts[i].addresses[k - s->first[i]],
					 &s->list[k]);
		}
	}
}

/* The sum of what is declared here as it was there; NULL: it is not any more. */
static struct seen_sum *find(struct seen *s, const struct lya_site *site, int32_t host,
			     enum lya_role role, const struct lya_net *net)
{
	const struct lya_site_host *h;

	if (host < 0 || (size_t)host >= s->n_hosts)
		return NULL;
	h = &site->hosts[host];
	for (size_t i = 0; i < h->n_addresses; i++) {
		const struct lya_site_address *a = &h->addresses[i];

		if (a->role == role && is_outside(a) && a->net.bits == net->bits &&
		    lya_addr_cmp(&a->net.addr, &net->addr) == 0)
			return &s->list[s->first[host] + i];
	}
	return NULL;
}

static void unpack_one(struct unpacking *u, struct seen *s)
{
	int32_t host = unpacking_host(u);
	enum lya_role role = (enum lya_role)lya_unpack_uint(&u->in, LYA_ROLES - 1);
	struct seen_sum sum = { 0 };
	struct lya_net net = { 0 };
	struct seen_sum *to;

	lya_unpack_addr(&u->in, &net.addr);
	net.bits = (uint8_t)lya_unpack_uint(&u->in, 128);
	sum.flows = lya_unpack_uint(&u->in, UINT64_MAX);
	sum.sent = lya_unpack_uint(&u->in, sum.flows);
	sum.first_ns = lya_unpack_time(&u->in);
	sum.last_ns = lya_unpack_time(&u->in);
	sum.digits = (uint8_t)lya_unpack_uint(&u->in, 9);
	unpack_marks(u, &sum.senders);
	if (!unpacking_failed(u)) {
		to = find(s, u->ledger->site, host, role, &net);
		u->nomem = to != NULL && seen_add(to, &sum) != LYA_OK;
	}
	marks_fini(&sum.senders);
}

void seen_unpack(struct unpacking *u, struct seen *s)
{
	size_t n = lya_unpack_count(&u->in, SIZE_MAX, 10);

	for (size_t i = 0; i < n && !unpacking_failed(u); i++)
		unpack_one(u, s);
}
