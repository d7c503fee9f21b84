/*
 * crowd.c - the addresses of one end of a finding: how many, and which are
 * the busiest, in bounded memory and whatever their order.
 */
#include "finding/ledger.h"

#include <stdlib.h>
#include <string.h>

#include "lyncaudit/alloc.h"

uint64_t finding_hash(const void *data, size_t len)
{
	static const struct lya_hash_key fixed = { UINT64_C(0x8bb84b93962eacc9),
						   UINT64_C(0x2d358dccaa6c78a5) };

	return lya_hash(&fixed, data, len);
}

static uint64_t addr_hash(const struct lya_addr *addr)
{
	uint8_t bytes[17];

	memcpy(bytes, addr->bytes, 16);
	bytes[16] = addr->family;
	return finding_hash(bytes, sizeof(bytes));
}

int marks_add(struct marks *m, uint64_t hash)
{
	size_t lo = 0, hi = m->n;

	if (m->n == MARKS_MAX && hash >= m->list[m->n - 1])
		return LYA_OK;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (m->list[mid] < hash)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo < m->n && m->list[lo] == hash)
		return LYA_OK;
	if (m->n < MARKS_MAX) {
		void *list = m->list;
		int rc = lya_grow(&list, &m->cap, m->n + 1, sizeof(*m->list));

		if (rc != LYA_OK)
			return rc;
		m->list = list;
		m->n++;
	}
	memmove(&m->list[lo + 1], &m->list[lo], (m->n - 1 - lo) * sizeof(*m->list));
	m->list[lo] = hash;
	return LYA_OK;
}

int marks_merge(struct marks *m, const struct marks *from)
{
	for (size_t i = 0; i < from->n; i++) {
		int rc = marks_add(m, from->list[i]);

		if (rc != LYA_OK)
			return rc;
	}
	return LYA_OK;
}

/* The k-th least of n uniform hashes lies at about k / n of their range. */
uint64_t marks_count(const struct marks *m, bool *estimated)
{
	*estimated = m->n == MARKS_MAX;
	if (!*estimated)
		return m->n;
	return (uint64_t)((double)(MARKS_MAX - 1) * 18446744073709551616.0 /
			  ((double)m->list[MARKS_MAX - 1] + 1.0));
}

void marks_fini(struct marks *m)
{
	lya_free(m->list);
	*m = (struct marks){ 0 };
}

/* Count `flows` of addr among the members; past the bound forget them all. */
static int member_add(struct crowd *c, const struct lya_addr *addr, uint64_t flows)
{
	size_t lo = 0, hi = c->n_members;
	void *list = c->members;
	int rc;

	if (c->many)
		return LYA_OK;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (lya_addr_cmp(&c->members[mid].addr, addr) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo < c->n_members && lya_addr_cmp(&c->members[lo].addr, addr) == 0) {
		c->members[lo].flows += flows;
		return LYA_OK;
	}
	if (c->n_members == LYA_FINDING_ADDRESSES) {
		c->many = true;
		lya_free(c->members);
		c->members = NULL;
		c->n_members = c->cap_members = 0;
		return LYA_OK;
	}
	rc = lya_grow(&list, &c->cap_members, c->n_members + 1, sizeof(*c->members));
	if (rc != LYA_OK)
		return rc;
	c->members = list;
	memmove(&c->members[lo + 1], &c->members[lo], (c->n_members - lo) * sizeof(*c->members));
	c->members[lo] = (struct crowd_member){ .addr = *addr, .flows = flows };
	c->n_members++;
	return LYA_OK;
}

static int draw_cmp(const struct crowd_draw *a, const struct crowd_draw *b)
{
	if (a->hash != b->hash)
		return a->hash < b->hash ? -1 : 1;
	return lya_addr_cmp(&a->addr, &b->addr);
}

static int draw_add(struct crowd *c, const struct crowd_draw *draw)
{
	size_t at = c->n_draws;

	if (c->n_draws == CROWD_DRAWS && draw_cmp(draw, &c->draws[c->n_draws - 1]) >= 0)
		return LYA_OK;
	if (c->n_draws < CROWD_DRAWS) {
		void *list = c->draws;
		int rc = lya_grow(&list, &c->cap_draws, c->n_draws + 1, sizeof(*c->draws));

		if (rc != LYA_OK)
			return rc;
		c->draws = list;
		c->n_draws++;
	} else {
		at--;
	}
	while (at > 0 && draw_cmp(draw, &c->draws[at - 1]) < 0) {
		c->draws[at] = c->draws[at - 1];
		at--;
	}
	c->draws[at] = *draw;
	return LYA_OK;
}

int crowd_add(struct crowd *c, const struct lya_addr *addr, uint64_t flow_hash)
{
	struct crowd_draw draw = { .hash = flow_hash, .addr = *addr };
	int rc = member_add(c, addr, 1);

	c->flows++;
	if (rc == LYA_OK)
		rc = draw_add(c, &draw);
	if (rc == LYA_OK)
		rc = marks_add(&c->marks, addr_hash(addr));
	return rc;
}

int crowd_merge(struct crowd *c, const struct crowd *from)
{
	int rc = LYA_OK;

	if (from->many && !c->many) {
		lya_free(c->members);
		c->members = NULL;
		c->n_members = c->cap_members = 0;
		c->many = true;
	}
	for (size_t i = 0; i < from->n_members && rc == LYA_OK; i++)
		rc = member_add(c, &from->members[i].addr, from->members[i].flows);
	for (size_t i = 0; i < from->n_draws && rc == LYA_OK; i++)
		rc = draw_add(c, &from->draws[i]);
	if (rc == LYA_OK)
		rc = marks_merge(&c->marks, &from->marks);
	c->flows += from->flows;
	return rc;
}

static int busiest_cmp(const void *pa, const void *pb)
{
	const struct lya_finding_address *a = pa, *b = pb;

	if (a->flows != b->flows)
		return a->flows > b->flows ? -1 : 1;
	return lya_addr_cmp(&a->addr, &b->addr);
}

/* Count the draws per address: each stands for flows / n_draws flows. */
static size_t read_draws(const struct crowd *c, struct lya_finding_address *list)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n_draws; i++) {
		size_t k = 0;

		while (k < n && lya_addr_cmp(&list[k].addr, &c->draws[i].addr) != 0)
			k++;
		if (k == n)
			list[n++] = (struct lya_finding_address){ .addr = c->draws[i].addr,
								  .estimated = true };
		list[k].flows++;
	}
	for (size_t k = 0; k < n; k++)
		list[k].flows = list[k].flows * c->flows / c->n_draws;
	return n;
}

void crowd_read(const struct crowd *c, struct lya_finding_end *out)
{
	struct lya_finding_address list[LYA_FINDING_ADDRESSES > (int)CROWD_DRAWS
					    ? LYA_FINDING_ADDRESSES
					    : (int)CROWD_DRAWS];
	size_t n = 0;

	if (c->many) {
		n = read_draws(c, list);
	} else {
		for (; n < c->n_members; n++)
			list[n] = (struct lya_finding_address){ .addr = c->members[n].addr,
								.flows = c->members[n].flows };
	}
	qsort(list, n, sizeof(list[0]), busiest_cmp);
	out->n_busiest = n < LYA_FINDING_BUSIEST ? n : LYA_FINDING_BUSIEST;
	memcpy(out->busiest, list, out->n_busiest * sizeof(list[0]));
	out->distinct = marks_count(&c->marks, &out->distinct_estimated);
	if (n == 1 && !c->many)
		out->address = list[0].addr;
}

void crowd_fini(struct crowd *c)
{
	lya_free(c->members);
	lya_free(c->draws);
	marks_fini(&c->marks);
	*c = (struct crowd){ 0 };
}
