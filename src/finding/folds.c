/*
 * folds.c - findings by pair of ends, then by port; scans folded; bounded.
 *
 * ledger.h says why the outcome does not depend on the order of the flows.
 */
#include "finding/ledger.h"

#include <stdlib.h>
#include <string.h>

#include "lyncaudit/alloc.h"

enum { PORT_WORDS = 65536 / 64 };

int folds_init(struct folds *f, size_t max)
{
	*f = (struct folds){ .max = max };
	f->map = lya_map_new(sizeof(struct pair_key), sizeof(struct pair *), 0);
	return f->map != NULL ? LYA_OK : LYA_ENOMEM;
}

void pair_free(struct pair *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < p->n_entries; i++)
		entry_free(p->entries[i]);
	lya_free(p->entries);
	entry_free(p->scan);
	lya_free(p->ports);
	lya_free(p);
}

void folds_fini(struct folds *f)
{
	for (size_t i = 0; i < f->n; i++)
		pair_free(f->heap[i]);
	lya_free(f->heap);
	lya_map_free(f->map);
	marks_fini(&f->marks);
	*f = (struct folds){ 0 };
}

/* A scan weighs what its first ports weighed and one more: weights never fall. */
static size_t weight_of(const struct pair *p)
{
	return p->scan != NULL ? LYA_FINDING_PORTS + 1 : p->n_entries;
}

static bool comes_before(uint8_t rank_a, uint64_t hash_a, uint8_t rank_b, uint64_t hash_b)
{
	return rank_a != rank_b ? rank_a < rank_b : hash_a < hash_b;
}

static bool pair_before(const struct pair *a, const struct pair *b)
{
	return comes_before(a->rank, a->hash, b->rank, b->hash);
}

static int heap_push(struct folds *f, struct pair *p)
{
	void *list = f->heap;
	int rc = lya_grow(&list, &f->cap, f->n + 1, sizeof(struct pair *));
	size_t at = f->n;

	if (rc != LYA_OK)
		return rc;
	f->heap = list;
	f->n++;
	while (at > 0 && pair_before(f->heap[(at - 1) / 2], p)) {
		f->heap[at] = f->heap[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	f->heap[at] = p;
	return LYA_OK;
}

static struct pair *heap_pop(struct folds *f)
{
	struct pair *top = f->heap[0], *last = f->heap[--f->n];
	size_t at = 0;

	for (;;) {
		size_t child = 2 * at + 1;

		if (child >= f->n)
			break;
		if (child + 1 < f->n && pair_before(f->heap[child], f->heap[child + 1]))
			child++;
		if (!pair_before(last, f->heap[child]))
			break;
		f->heap[at] = f->heap[child];
		at = child;
	}
	f->heap[at] = last;
	return top;
}

/* The map forgets nothing by itself: make it anew when most of it is dropped pairs. */
static int map_tidy(struct folds *f)
{
	struct lya_map *map;

	if (lya_map_count(f->map) < 4 * f->n + 4096)
		return LYA_OK;
	map = lya_map_new(sizeof(struct pair_key), sizeof(struct pair *), 0);
	if (map == NULL)
		return LYA_ENOMEM;
	for (size_t i = 0; i < f->n; i++) {
		struct pair **slot = lya_map_put(map, &f->heap[i]->key, NULL);

		if (slot == NULL) {
			lya_map_free(map);
			return LYA_ENOMEM;
		}
		*slot = f->heap[i];
	}
	lya_map_free(f->map);
	f->map = map;
	return LYA_OK;
}

/* Drop from the end of the order until the rest fits. */
static int shrink(struct folds *f)
{
	bool dropped = false;

	while (f->weight > f->max && f->n > 0) {
		struct pair *p = heap_pop(f);
		struct pair **slot = lya_map_find(f->map, &p->key);

		f->closed = dropped = true;
		f->closed_rank = p->rank;
		f->closed_hash = p->hash;
		f->weight -= weight_of(p);
		if (slot != NULL)
			*slot = NULL;
		pair_free(p);
	}
	return dropped ? map_tidy(f) : LYA_OK;
}

/* *out is NULL when the pair lies beyond the bound. */
static int pair_get(struct folds *f, const struct pair_key *key, uint8_t rank, struct pair **out)
{
	struct pair **slot = lya_map_find(f->map, key);
	uint64_t hash;
	int rc;

	*out = slot != NULL ? *slot : NULL;
	if (*out != NULL)
		return LYA_OK;
	hash = finding_hash(key, sizeof(*key));
	if (f->closed && !comes_before(rank, hash, f->closed_rank, f->closed_hash))
		return LYA_OK;
	*out = lya_calloc(1, sizeof(**out));
	if (*out == NULL)
		return LYA_ENOMEM;
	(*out)->key = *key;
	(*out)->rank = rank;
	(*out)->hash = hash;
	slot = lya_map_put(f->map, key, NULL);
	rc = slot != NULL ? heap_push(f, *out) : LYA_ENOMEM;
	if (rc != LYA_OK) {
		lya_free(*out);
		*out = NULL;
		return rc;
	}
	*slot = *out;
	return LYA_OK;
}

static int ports_cmp(struct lya_port_range a, struct lya_port_range b)
{
	if (a.first != b.first)
		return a.first < b.first ? -1 : 1;
	return (a.last > b.last) - (a.last < b.last);
}

static void set_ports(uint64_t *words, struct lya_port_range r)
{
	for (unsigned port = r.first; port <= r.last; port++)
		words[port / 64] |= UINT64_C(1) << (port % 64);
}

/* Make the pair's entries one. */
static int make_scan(struct folds *f, struct pair *p)
{
	struct entry *scan;
	int rc = LYA_OK;

	p->ports = lya_calloc(PORT_WORDS, sizeof(*p->ports));
	scan = entry_new((struct lya_port_range){ 0, 0 });
	if (p->ports == NULL || scan == NULL) {
		lya_free(p->ports);
		p->ports = NULL;
		entry_free(scan);
		return LYA_ENOMEM;
	}
	f->weight -= weight_of(p);
	for (size_t i = 0; i < p->n_entries; i++) {
		if (rc == LYA_OK)
			rc = entry_merge(scan, p->entries[i]);
		set_ports(p->ports, p->entries[i]->ports);
		entry_free(p->entries[i]);
	}
	lya_free(p->entries);
	p->entries = NULL;
	p->n_entries = 0;
	p->scan = scan;
	f->weight += weight_of(p);
	return rc;
}

/* A new entry in its place among the pair's. */
static int insert_entry(struct folds *f, struct pair *p, struct lya_port_range ports,
			struct entry **out)
{
	size_t at = p->n_entries;

	if (p->entries == NULL)
		p->entries = lya_calloc(LYA_FINDING_PORTS, sizeof(struct entry *));
	*out = p->entries != NULL ? entry_new(ports) : NULL;
	if (*out == NULL)
		return LYA_ENOMEM;
	for (; at > 0 && ports_cmp(p->entries[at - 1]->ports, ports) > 0; at--)
		p->entries[at] = p->entries[at - 1];
	p->entries[at] = *out;
	p->n_entries++;
	f->weight++;
	return LYA_OK;
}

/* The entry for these ports, made when there is none; *made tells (a scan too). */
static int entry_get(struct folds *f, struct pair *p, struct lya_port_range ports,
		     struct entry **out, bool *made)
{
	int rc;

	*made = false;
	for (size_t i = 0; i < p->n_entries; i++) {
		if (ports_cmp(p->entries[i]->ports, ports) == 0) {
			*out = p->entries[i];
			return LYA_OK;
		}
	}
	if (p->scan == NULL) {
		*made = true;
		if (p->n_entries < LYA_FINDING_PORTS)
			return insert_entry(f, p, ports, out);
		rc = make_scan(f, p);
		if (rc != LYA_OK)
			return rc;
	}
	set_ports(p->ports, ports);
	*out = p->scan;
	return LYA_OK;
}

static int mark(struct folds *f, const struct pair_key *key, struct lya_port_range ports)
{
	struct {
		struct pair_key key;
		struct lya_port_range ports;
	} both;

	memset(&both, 0, sizeof(both));
	both.key = *key;
	both.ports = ports;
	return marks_add(&f->marks, finding_hash(&both, sizeof(both)));
}

int folds_add(struct folds *f, const struct pair_key *key, uint8_t rank,
	      struct lya_port_range ports, const struct lya_flow *flow,
	      const struct lya_policy_end ends[static 2], const struct lya_verdict *v,
	      struct fold_place *place)
{
	struct pair *p;
	struct entry *e;
	bool made;
	int rc;

	*place = (struct fold_place){ 0 };
	f->flows++;
	if ((rc = mark(f, key, ports)) != LYA_OK || (rc = pair_get(f, key, rank, &p)) != LYA_OK)
		return rc;
	if (p == NULL)
		return LYA_OK;
	if ((rc = entry_get(f, p, ports, &e, &made)) != LYA_OK ||
	    (rc = entry_add(e, (enum lya_finding_type)key->type, flow, ends, v)) != LYA_OK)
		return rc;
	if (f->weight > f->max) {
		if ((rc = shrink(f)) != LYA_OK)
			return rc;
		if (f->closed && !comes_before(rank, finding_hash(key, sizeof(*key)),
					       f->closed_rank, f->closed_hash))
			return LYA_OK; /* it was this one that had to go */
	}
	*place = (struct fold_place){ .pair = p, .entry = e, .made = made };
	return LYA_OK;
}

int folds_put(struct folds *f, const struct pair_key *key, uint8_t rank,
	      struct lya_port_range ports, const struct entry *sums)
{
	struct pair *p;
	struct entry *e;
	bool made;
	int rc;

	f->flows += sums->flows;
	if ((rc = mark(f, key, ports)) != LYA_OK || (rc = pair_get(f, key, rank, &p)) != LYA_OK)
		return rc;
	if (p == NULL)
		return LYA_OK;
	if ((rc = entry_get(f, p, ports, &e, &made)) == LYA_OK)
		rc = entry_merge(e, sums);
	return rc == LYA_OK ? shrink(f) : rc;
}

static int pair_merge(struct folds *f, struct pair *p, const struct pair *from)
{
	int rc = LYA_OK;

	if (from->scan != NULL) {
		if (p->scan == NULL && (rc = make_scan(f, p)) != LYA_OK)
			return rc;
		for (size_t i = 0; i < PORT_WORDS; i++)
			p->ports[i] |= from->ports[i];
		return entry_merge(p->scan, from->scan);
	}
	for (size_t i = 0; i < from->n_entries && rc == LYA_OK; i++) {
		struct entry *e;
		bool made;

		rc = entry_get(f, p, from->entries[i]->ports, &e, &made);
		if (rc == LYA_OK)
			rc = entry_merge(e, from->entries[i]);
	}
	return rc;
}

/* What lies from there on was dropped elsewhere, so it is incomplete here too. */
void folds_close(struct folds *f, uint8_t rank, uint64_t hash)
{
	if (!f->closed || comes_before(rank, hash, f->closed_rank, f->closed_hash)) {
		f->closed = true;
		f->closed_rank = rank;
		f->closed_hash = hash;
	}
	while (f->n > 0 &&
	       !comes_before(f->heap[0]->rank, f->heap[0]->hash, f->closed_rank, f->closed_hash)) {
		struct pair *p = heap_pop(f);
		struct pair **slot = lya_map_find(f->map, &p->key);

		f->weight -= weight_of(p);
		*slot = NULL;
		pair_free(p);
	}
}

int folds_take(struct folds *f, const struct pair *from)
{
	struct pair *p;
	int rc = pair_get(f, &from->key, from->rank, &p);

	if (rc == LYA_OK && p != NULL)
		rc = pair_merge(f, p, from);
	return rc == LYA_OK ? shrink(f) : rc;
}

int folds_merge(struct folds *f, const struct folds *from)
{
	int rc = marks_merge(&f->marks, &from->marks);

	f->flows += from->flows;
	if (from->closed)
		folds_close(f, from->closed_rank, from->closed_hash);
	for (size_t i = 0; i < from->n && rc == LYA_OK; i++)
		rc = folds_take(f, from->heap[i]);
	return rc;
}

size_t folds_count(const struct folds *f)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n; i++)
		n += f->heap[i]->scan != NULL ? 1 : f->heap[i]->n_entries;
	return n;
}

/* Keys with ports that a pair holds. */
static uint64_t keys_of(const struct pair *p)
{
	uint64_t n = 0;

	if (p->scan == NULL)
		return p->n_entries;
	for (size_t i = 0; i < PORT_WORDS; i++)
		n += (uint64_t)__builtin_popcountll(p->ports[i]);
	return n;
}

void folds_dropped(const struct folds *f, uint64_t *findings, uint64_t *flows)
{
	uint64_t kept_flows = 0, kept = 0, all;
	bool estimated;

	*findings = *flows = 0;
	if (!f->closed)
		return;
	for (size_t i = 0; i < f->n; i++) {
		const struct pair *p = f->heap[i];

		for (size_t k = 0; k < p->n_entries; k++)
			kept_flows += p->entries[k]->flows;
		if (p->scan != NULL)
			kept_flows += p->scan->flows;
		kept += keys_of(p);
	}
	all = marks_count(&f->marks, &estimated);
	*flows = f->flows - kept_flows;
	/* An estimate; but something was dropped, and each of them had a flow. */
	*findings = all > kept ? all - kept : 1;
	if (*findings > *flows)
		*findings = *flows;
}
