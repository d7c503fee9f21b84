/*
 * index.c - address to roles, by longest prefix.
 *
 * All networks that the site names, declared addresses, client networks and
 * internal networks, are laid over one another once, when the site is loaded.
 * What comes out cuts the address space into intervals within which every
 * address is the same:
 *
 *     internal  [------------------------------)
 *     clients          [----------)
 *     declared             [--)          [-)
 *     intervals |e|  i |c  |d |c |  i    |d| i |  e      (e: external)
 *
 * so that a lookup is one binary search, whatever overlaps.  There are at most
 * twice as many intervals as networks, and one.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lyncaudit/alloc.h"
#include "site/load.h"

typedef unsigned __int128 u128; /* an address as a number: IPv4 in the low 32 bits */

/* The intervals of one family: number i begins at start[i] and is endpoints[what[i]]. */
struct intervals {
	size_t n, cap, cap_what;
	u128 *start;
	uint32_t *start4; /* IPv4: the same, small enough to stay in the cache */
	uint32_t *what;
};

struct lya_site_index {
	struct intervals v4, v6;
	struct lya_endpoint *endpoints; /* [0]: no network holds the address */
	size_t n_endpoints, cap_endpoints;
};

enum kind { DECLARED, CLIENT, INTERNAL };

/* One network; those of all kinds are sorted together. */
struct entry {
	u128 first, last;
	struct lya_net net;
	enum kind kind;
	lya_roles roles; /* DECLARED */
	int32_t host;
};

/* What holds at some address: per kind the longest network so far, or NULL. */
struct state {
	const struct entry *declared, *client, *internal;
	lya_roles roles; /* of all entries with the declared network */
};

/* A network that is open while the sweep goes from low to high addresses. */
struct open {
	u128 last;
	struct state state;
	uint32_t what;
};

enum { NESTED_MAX = 130 }; /* prefix lengths 0 to 128, and the space itself */

struct sweep {
	struct lya_site_index *index;
	const struct lya_site *site;
	struct intervals *out;
	struct open stack[NESTED_MAX];
	unsigned depth;
};

static uint32_t number_of4(const struct lya_addr *a)
{
	return (uint32_t)a->bytes[0] << 24 | (uint32_t)a->bytes[1] << 16 |
	       (uint32_t)a->bytes[2] << 8 | a->bytes[3];
}

static u128 number_of(const struct lya_addr *a)
{
	u128 value = 0;

	if (a->family == 4)
		return number_of4(a);
	for (size_t i = 0; i < 16; i++)
		value = value << 8 | a->bytes[i];
	return value;
}

static void fill_entry(struct entry *e, const struct lya_net *net, enum kind kind)
{
	unsigned host_bits = (net->addr.family == 4 ? 32u : 128u) - net->bits;

	e->net = *net;
	e->kind = kind;
	e->first = number_of(&net->addr);
	e->last = host_bits == 128 ? ~(u128)0 : e->first | (((u128)1 << host_bits) - 1);
	e->roles = 0;
	e->host = -1;
}

/* By family, then wider networks before those that they hold. */
static int compare_entries(const void *a, const void *b)
{
	const struct entry *x = a;
	const struct entry *y = b;

	if (x->net.addr.family != y->net.addr.family)
		return x->net.addr.family < y->net.addr.family ? -1 : 1;
	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	if (x->net.bits != y->net.bits)
		return x->net.bits < y->net.bits ? -1 : 1;
	return ((int)x->kind > (int)y->kind) - ((int)x->kind < (int)y->kind);
}

/* Everything that the site says about addresses, sorted; NULL without memory. */
static struct entry *collect(const struct lya_site *site, size_t *n)
{
	size_t count = site->n_internal + site->n_clients;
	struct entry *list;

	for (size_t i = 0; i < site->n_hosts; i++)
		count += site->hosts[i].n_addresses;
	list = lya_calloc(count, sizeof(*list));
	if (list == NULL)
		return NULL;
	*n = 0;
	for (size_t i = 0; i < site->n_internal; i++)
		fill_entry(&list[(*n)++], &site->internal[i], INTERNAL);
	for (size_t i = 0; i < site->n_clients; i++)
		fill_entry(&list[(*n)++], &site->clients[i], CLIENT);
	for (size_t h = 0; h < site->n_hosts; h++) {
		const struct lya_site_host *host = &site->hosts[h];

		for (size_t i = 0; i < host->n_addresses; i++) {
			struct entry *e = &list[(*n)++];

			fill_entry(e, &host->addresses[i].net, DECLARED);
			e->roles = LYA_ROLE_BIT(host->addresses[i].role);
			e->host = (int32_t)h;
		}
	}
	if (count > 0)
		qsort(list, count, sizeof(*list), compare_entries);
	return list;
}

/* Edge, reverse proxy and load balancers: `internal` is none of theirs. */
static bool is_perimeter(lya_roles roles)
{
	const lya_roles perimeter =
	    LYA_ROLES_VIPS | LYA_ROLE_BIT(LYA_ROLE_EDGE_ACCESS) |
	    LYA_ROLE_BIT(LYA_ROLE_EDGE_WEBCONF) | LYA_ROLE_BIT(LYA_ROLE_EDGE_AV) |
	    LYA_ROLE_BIT(LYA_ROLE_EDGE_INTERNAL) | LYA_ROLE_BIT(LYA_ROLE_REVERSE_PROXY_EXTERNAL) |
	    LYA_ROLE_BIT(LYA_ROLE_REVERSE_PROXY_INTERNAL) | LYA_ROLE_BIT(LYA_ROLE_HLB);

	return (roles & perimeter) != 0;
}

/* The roles that follow from what holds there (policy-model, "Roles"). */
static void resolve(const struct lya_site *site, const struct state *s, struct lya_endpoint *ep)
{
	bool internal = s->internal != NULL || s->client != NULL;

	memset(ep, 0, sizeof(*ep));
	ep->host = -1;
	/* A client network inside a declared one wins there; of equal ones the declared does. */
	ep->declared = s->declared != NULL &&
		       (s->client == NULL || s->client->net.bits <= s->declared->net.bits);
	if (ep->declared) {
		ep->roles = s->roles;
		ep->host = s->declared->host;
		ep->by = s->declared->net;
	} else if (s->client != NULL) {
		ep->roles = LYA_ROLE_BIT(LYA_ROLE_CLIENT);
		ep->by = s->client->net;
	} else if (s->internal != NULL) {
		if (site->n_clients == 0)
			ep->roles = LYA_ROLE_BIT(LYA_ROLE_CLIENT);
		ep->by = s->internal->net;
	}
	if (ep->roles & LYA_ROLE_BIT(LYA_ROLE_FEDERATED_PARTNER))
		ep->roles |= LYA_ROLE_BIT(LYA_ROLE_EXTERNAL);
	else if (internal && !is_perimeter(ep->roles))
		ep->roles |= LYA_ROLE_BIT(LYA_ROLE_INTERNAL);
	else if (!internal && !ep->declared)
		ep->roles = LYA_ROLE_BIT(LYA_ROLE_EXTERNAL);
}

static int add_endpoint(struct lya_site_index *index, const struct lya_site *site,
			const struct state *state, uint32_t *what)
{
	if (lya_grow((void **)&index->endpoints, &index->cap_endpoints, index->n_endpoints + 1,
		     sizeof(*index->endpoints)) < 0)
		return LYA_ENOMEM;
	resolve(site, state, &index->endpoints[index->n_endpoints]);
	*what = (uint32_t)index->n_endpoints++;
	return LYA_OK;
}

/* From `start` on it is `what`, until said otherwise. */
static int add_interval(struct intervals *v, u128 start, uint32_t what)
{
	if (v->n > 0 && v->start[v->n - 1] == start) {
		v->what[v->n - 1] = what;
		return LYA_OK;
	}
	assert((v->n == 0 || v->start[v->n - 1] < start) && "the sweep goes upwards");
	if (lya_grow((void **)&v->start, &v->cap, v->n + 1, sizeof(*v->start)) < 0 ||
	    lya_grow((void **)&v->what, &v->cap_what, v->n + 1, sizeof(*v->what)) < 0)
		return LYA_ENOMEM;
	v->start[v->n] = start;
	v->what[v->n++] = what;
	return LYA_OK;
}

/* Leave the networks that end before `next`. */
static int close_until(struct sweep *s, u128 next)
{
	while (s->depth > 1 && s->stack[s->depth - 1].last < next) {
		u128 after = s->stack[--s->depth].last + 1;

		if (add_interval(s->out, after, s->stack[s->depth - 1].what) < 0)
			return LYA_ENOMEM;
	}
	return LYA_OK;
}

static void apply(struct state *state, const struct entry *e)
{
	switch (e->kind) {
	case DECLARED:
		if (state->declared == NULL || state->declared->net.bits != e->net.bits)
			state->roles = 0; /* a longer prefix: what the shorter one said is over */
		state->declared = e;
		state->roles |= e->roles;
		break;
	case CLIENT:
		state->client = e;
		break;
	case INTERNAL:
		state->internal = e;
		break;
	}
}

static bool same_net(const struct entry *a, const struct entry *b)
{
	return a->first == b->first && a->net.bits == b->net.bits &&
	       a->net.addr.family == b->net.addr.family;
}

/* Enter the network of the n entries at e, which are all of the same one. */
static int enter(struct sweep *s, const struct entry *e, size_t n)
{
	struct open *top;

	if (close_until(s, e->first) < 0)
		return LYA_ENOMEM;
	assert(s->depth < NESTED_MAX && "each network is longer than the one around it");
	top = &s->stack[s->depth];
	top->state = s->stack[s->depth - 1].state;
	top->last = e->last;
	for (size_t i = 0; i < n; i++)
		apply(&top->state, &e[i]);
	if (add_endpoint(s->index, s->site, &top->state, &top->what) < 0)
		return LYA_ENOMEM;
	s->depth++;
	return add_interval(s->out, e->first, top->what);
}

/* Cut one family's space by its n entries. */
static int sweep_family(struct lya_site_index *index, const struct lya_site *site,
			struct intervals *out, const struct entry *list, size_t n, u128 max)
{
	struct sweep s = { .index = index, .site = site, .out = out, .depth = 1 };
	size_t i = 0;

	s.stack[0].last = max;
	if (add_interval(out, 0, 0) < 0)
		return LYA_ENOMEM;
	while (i < n) {
		size_t same = 1;

		while (i + same < n && same_net(&list[i], &list[i + same]))
			same++;
		if (enter(&s, &list[i], same) < 0)
			return LYA_ENOMEM;
		i += same;
	}
	while (s.depth > 1) {
		u128 last = s.stack[--s.depth].last;

		if (last < max && add_interval(out, last + 1, s.stack[s.depth - 1].what) < 0)
			return LYA_ENOMEM;
	}
	return LYA_OK;
}

static int shrink_v4(struct intervals *v)
{
	v->start4 = lya_calloc(v->n, sizeof(*v->start4));
	if (v->start4 == NULL)
		return LYA_ENOMEM;
	for (size_t i = 0; i < v->n; i++)
		v->start4[i] = (uint32_t)v->start[i];
	lya_free(v->start);
	v->start = NULL;
	return LYA_OK;
}

static int build(struct lya_site_index *index, const struct lya_site *site,
		 const struct entry *list, size_t n)
{
	struct state nowhere = { 0 };
	uint32_t what;
	size_t n4 = 0;

	while (n4 < n && list[n4].net.addr.family == 4)
		n4++;
	if (add_endpoint(index, site, &nowhere, &what) < 0 ||
	    sweep_family(index, site, &index->v4, list, n4, UINT32_MAX) < 0 ||
	    sweep_family(index, site, &index->v6, list + n4, n - n4, ~(u128)0) < 0)
		return LYA_ENOMEM;
	return shrink_v4(&index->v4);
}

struct lya_site_index *site_index_new(const struct lya_site *site)
{
	struct lya_site_index *index = lya_calloc(1, sizeof(*index));
	size_t n = 0;
	struct entry *list = index != NULL ? collect(site, &n) : NULL;
	int rc = list != NULL ? build(index, site, list, n) : LYA_ENOMEM;

	lya_free(list);
	if (rc == LYA_OK)
		return index;
	site_index_free(index);
	return NULL;
}

static void free_intervals(struct intervals *v)
{
	lya_free(v->start);
	lya_free(v->start4);
	lya_free(v->what);
}

void site_index_free(struct lya_site_index *index)
{
	if (index == NULL)
		return;
	free_intervals(&index->v4);
	free_intervals(&index->v6);
	lya_free(index->endpoints);
	lya_free(index);
}

/* The last interval that begins at or before key; the first begins at 0. */
static uint32_t find4(const struct intervals *v, uint32_t key)
{
	const uint32_t *base = v->start4;
	size_t n = v->n;

	while (n > 1) {
		size_t half = n / 2;

		base += base[half] <= key ? half : 0; /* no branch to mispredict */
		n -= half;
	}
	return v->what[base - v->start4];
}

static uint32_t find6(const struct intervals *v, u128 key)
{
	const u128 *base = v->start;
	size_t n = v->n;

	while (n > 1) {
		size_t half = n / 2;

		base += base[half] <= key ? half : 0;
		n -= half;
	}
	return v->what[base - v->start];
}

void lya_site_classify(const struct lya_site *site, const struct lya_addr *addr,
		       struct lya_endpoint *out)
{
	const struct lya_site_index *index = site->index;
	uint32_t what;

	if (lya_addr_plays_no_role(addr)) {
		memset(out, 0, sizeof(*out));
		out->host = -1;
		out->no_role = true;
		return;
	}
	if (addr->family == 4)
		what = find4(&index->v4, number_of4(addr));
	else
		what = find6(&index->v6, number_of(addr));
	*out = index->endpoints[what];
}

bool lya_site_match(const struct lya_site_match *m, const struct lya_addr *addr,
		    const struct lya_endpoint *ep)
{
	switch (m->kind) {
	case LYA_MATCH_ROLE:
		return (ep->roles & m->roles) != 0;
	case LYA_MATCH_HOST:
		return ep->host >= 0 && (size_t)ep->host == m->host;
	case LYA_MATCH_NET:
		return lya_net_holds(&m->net, addr);
	}
	return false;
}
