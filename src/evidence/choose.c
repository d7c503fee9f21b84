/*
 * choose.c - which packets go into the file, and for which findings.
 *
 * A finding names the first packet of every flow that it shows, and the legs of its
 * proof.  What was kept with that packet is its evidence; a name for which nothing
 * was kept is counted, and so is what found no room beside it.
 */
#include "evidence/evidence.h"

#include <stdlib.h>
#include <string.h>

#include "lyncaudit/alloc.h"
#include "lyncaudit/timeutil.h"

/* A packet that is named and not there. */
struct missing {
	uint32_t source;
	uint64_t number;
	bool before; /* it came before anything was kept */
};

struct choosing {
	struct chosen *out;
	const struct kept_sets *kept;
	const struct kept_names *names;
	int64_t since_ns;
	struct lya_finding_packets *counts; /* of the finding at hand; NULL: nobody asks */
	uint32_t finding;
	struct missing *missing; /* of all findings */
	size_t n_missing, cap_missing;
	size_t first_missing; /* of the finding at hand */
	int rc;
};

static void *grown(void *list, size_t *cap, size_t n, size_t size, int *rc)
{
	if (*rc == LYA_OK)
		*rc = lya_grow(&list, cap, n, size);
	return list;
}

static void add_claim(struct choosing *c, const struct kept *set)
{
	struct chosen *out = c->out;

	out->claims = grown(out->claims, &out->cap_claims, out->n_claims + 1,
			    sizeof(*out->claims), &c->rc);
	if (c->rc == LYA_OK)
		out->claims[out->n_claims++] = (struct claim){ set, c->finding };
}

static bool is_known_missing(const struct choosing *c, const struct lya_packet_place *p)
{
	for (size_t i = c->first_missing; i < c->n_missing; i++) {
		if (c->missing[i].number == p->number && c->missing[i].source == p->source)
			return true;
	}
	return false;
}

static void add_missing(struct choosing *c, const struct lya_packet_place *p)
{
	if (is_known_missing(c, p))
		return;
	c->missing = grown(c->missing, &c->cap_missing, c->n_missing + 1, sizeof(*c->missing),
			   &c->rc);
	if (c->rc != LYA_OK)
		return;
	c->missing[c->n_missing++] =
	    (struct missing){ p->source, p->number,
			      c->since_ns != LYA_TIME_NONE && p->time_ns < c->since_ns };
	if (c->counts != NULL)
		c->counts[c->finding].left_out++;
}

static void claim_packet(void *ctx, const struct lya_packet_place *place)
{
	struct choosing *c = ctx;
	const struct kept *set = kept_find_named(c->kept, c->names, place);

	if (set != NULL)
		add_claim(c, set);
	else
		add_missing(c, place);
}

static int by_set(const void *pa, const void *pb)
{
	const struct claim *a = pa, *b = pb;

	if (a->set != b->set)
		return a->set < b->set ? -1 : 1;
	return a->finding < b->finding ? -1 : a->finding > b->finding;
}

static int by_place(const void *pa, const void *pb)
{
	const struct missing *a = pa, *b = pb;

	if (a->source != b->source)
		return a->source < b->source ? -1 : 1;
	if (a->number != b->number)
		return a->number < b->number ? -1 : 1;
	return (int)a->before - (int)b->before;
}

/* In order, and each once. */
static size_t unique(void *list, size_t n, size_t size, int (*cmp)(const void *, const void *))
{
	uint8_t *bytes = list;
	size_t kept = n > 0 ? 1 : 0;

	if (n > 0)
		qsort(list, n, size, cmp);
	for (size_t i = 1; i < n; i++) {
		if (cmp(bytes + (kept - 1) * size, bytes + i * size) == 0)
			continue;
		if (kept != i)
			memcpy(bytes + kept * size, bytes + i * size, size);
		kept++;
	}
	return kept;
}

static void add_packets(struct choosing *c, const struct kept *set)
{
	const struct packet_head *head = NULL;
	struct chosen *out = c->out;

	while ((head = packets_next(set->packets, head)) != NULL) {
		out->list =
		    grown(out->list, &out->cap, out->n + 1, sizeof(*out->list), &c->rc);
		if (c->rc != LYA_OK)
			return;
		out->list[out->n++] = (struct choice){ head, set };
	}
}

static int by_time(const void *pa, const void *pb)
{
	const struct packet_head *a = ((const struct choice *)pa)->head;
	const struct packet_head *b = ((const struct choice *)pb)->head;

	if (a->time_ns != b->time_ns)
		return a->time_ns < b->time_ns ? -1 : 1;
	if (a->source != b->source)
		return a->source < b->source ? -1 : 1;
	return a->number < b->number ? -1 : a->number > b->number;
}

static void count_absent(const struct choosing *c, struct absent *absent)
{
	*absent = (struct absent){ 0 };
	for (size_t i = 0; i < c->n_missing; i++) {
		absent->before += c->missing[i].before;
		absent->left_out += !c->missing[i].before;
	}
}

/* The packets of every set that is claimed, and what found no room there. */
static void collect(struct choosing *c, uint64_t *left_out)
{
	const struct chosen *out = c->out;

	for (size_t i = 0; i < out->n_claims; i++) {
		const struct claim *claim = &out->claims[i];

		if (c->counts != NULL)
			c->counts[claim->finding].left_out += claim->set->packets->left_out;
		if (i > 0 && claim->set == out->claims[i - 1].set)
			continue;
		*left_out += claim->set->packets->left_out;
		add_packets(c, claim->set);
	}
	if (out->n > 0)
		qsort(out->list, out->n, sizeof(*out->list), by_time);
}

int chosen_make(struct chosen *out, const struct lya_evidence *e, const struct kept_names *names,
		int64_t since_ns, struct lya_finding_packets *counts, struct absent *absent)
{
	struct choosing c = { .out = out, .kept = &e->kept, .names = names, .since_ns = since_ns,
			      .counts = counts };
	struct lya_packet_visitor visitor = { .packet = claim_packet, .ctx = &c };
	size_t n;
	const struct lya_finding *list = lya_ledger_findings(names->ledger, &n);

	*out = (struct chosen){ 0 };
	for (size_t i = 0; i < n && c.rc == LYA_OK; i++) {
		c.finding = (uint32_t)i;
		c.first_missing = c.n_missing;
		lya_finding_each_packet(&list[i], &visitor);
	}
	if (c.rc == LYA_OK) {
		out->n_claims = unique(out->claims, out->n_claims, sizeof(*out->claims), by_set);
		c.n_missing = unique(c.missing, c.n_missing, sizeof(*c.missing), by_place);
		count_absent(&c, absent);
		collect(&c, &absent->left_out);
	}
	lya_free(c.missing);
	return c.rc;
}

void chosen_fini(struct chosen *c)
{
	lya_free(c->list);
	lya_free(c->claims);
}

const struct claim *chosen_claims(const struct chosen *c, const struct kept *set, size_t *n)
{
	size_t from = 0, to = c->n_claims;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (c->claims[middle].set < set)
			from = middle + 1;
		else
			to = middle;
	}
	*n = 0;
	while (from + *n < c->n_claims && c->claims[from + *n].set == set)
		(*n)++;
	return &c->claims[from];
}
