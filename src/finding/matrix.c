/*
 * matrix.c - who talked to whom: role, role, transport, port, verdict.
 *
 * Roles, transports and verdicts are few; ports need a bound.  A group keeps
 * its lowest ports: what is displaced once can never come back, so that the
 * kept ones are complete whatever the order.  The rest is the group's total
 * less what is kept.
 */
#include "finding/ledger.h"
#include "finding/packing.h"

#include <stdlib.h>
#include <string.h>

#include "lyncaudit/alloc.h"

enum { CELLS_MAX = 64 };

struct group_key {
	uint8_t from, to, transport, verdict; /* from, to: LYA_ROLES is no role */
};

struct cell {
	struct lya_port_range ports;
	uint64_t flows, bytes;
};

struct group {
	struct cell *cells; /* ascending */
	size_t n, cap;
	uint64_t flows, bytes;
};

int matrix_init(struct matrix *m)
{
	*m = (struct matrix){ .map =
				  lya_map_new(sizeof(struct group_key), sizeof(struct group), 0) };
	return m->map != NULL ? LYA_OK : LYA_ENOMEM;
}

void matrix_fini(struct matrix *m)
{
	const void *key;
	void *value;
	size_t pos = 0;

	while (m->map != NULL && lya_map_next(m->map, &pos, &key, &value))
		lya_free(((struct group *)value)->cells);
	lya_map_free(m->map);
	lya_free(m->rows);
	*m = (struct matrix){ 0 };
}

static int ports_cmp(struct lya_port_range a, struct lya_port_range b)
{
	if (a.first != b.first)
		return a.first < b.first ? -1 : 1;
	return (a.last > b.last) - (a.last < b.last);
}

static int group_add(struct group *g, const struct cell *more)
{
	size_t lo = 0, hi = g->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (ports_cmp(g->cells[mid].ports, more->ports) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == g->n || ports_cmp(g->cells[lo].ports, more->ports) != 0) {
		if (lo == CELLS_MAX)
			return LYA_OK;
		if (g->n < CELLS_MAX) {
			void *list = g->cells;
			int rc = lya_grow(&list, &g->cap, g->n + 1, sizeof(*g->cells));

			if (rc != LYA_OK)
				return rc;
			g->cells = list;
			g->n++;
		}
		memmove(&g->cells[lo + 1], &g->cells[lo], (g->n - 1 - lo) * sizeof(*g->cells));
		g->cells[lo] = (struct cell){ .ports = more->ports };
	}
	g->cells[lo].flows += more->flows;
	g->cells[lo].bytes += more->bytes;
	return LYA_OK;
}

int matrix_take(struct matrix *m, const struct lya_policy *p, const struct lya_flow *flow,
		const struct lya_policy_end ends[static 2], const struct lya_verdict *v)
{
	unsigned init = v->initiator;
	struct group_key key = {
		.from = (uint8_t)name_role(p, &ends[init], v, true),
		.to = (uint8_t)name_role(p, &ends[!init], v, false),
		.transport = flow->transport,
		.verdict = v->kind,
	};
	bool documented = v->kind == LYA_VERDICT_DOCUMENTED && v->n_rules > 0;
	struct cell one = {
		.ports = name_ports(p, documented ? v->rules[0] : -1, flow->port[init],
				    flow->port[!init]),
		.flows = 1,
		.bytes = lya_flow_share(flow).bytes,
	};
	struct group *g = lya_map_put(m->map, &key, NULL);

	if (g == NULL)
		return LYA_ENOMEM;
	g->flows += one.flows;
	g->bytes += one.bytes;
	return group_add(g, &one);
}

int matrix_merge(struct matrix *m, const struct matrix *from)
{
	const void *key;
	void *value;
	size_t pos = 0;
	int rc = LYA_OK;

	while (rc == LYA_OK && lya_map_next(from->map, &pos, &key, &value)) {
		const struct group *other = value;
		struct group *g = lya_map_put(m->map, key, NULL);

		if (g == NULL)
			return LYA_ENOMEM;
		g->flows += other->flows;
		g->bytes += other->bytes;
		for (size_t i = 0; i < other->n && rc == LYA_OK; i++)
			rc = group_add(g, &other->cells[i]);
	}
	return rc;
}

void matrix_pack(struct packing *p, const struct matrix *m)
{
	const void *key;
	void *value;
	size_t pos = 0;

	lya_pack_uint(&p->body, lya_map_count(m->map));
	while (lya_map_next(m->map, &pos, &key, &value)) {
		const struct group *g = value;

		lya_pack_raw(&p->body, key, sizeof(struct group_key));
		lya_pack_uint(&p->body, g->flows);
		lya_pack_uint(&p->body, g->bytes);
		lya_pack_uint(&p->body, g->n);
		for (size_t i = 0; i < g->n; i++) {
			pack_ports(p, g->cells[i].ports);
			lya_pack_uint(&p->body, g->cells[i].flows);
			lya_pack_uint(&p->body, g->cells[i].bytes);
		}
	}
}

static void unpack_group(struct unpacking *u, struct matrix *m)
{
	const uint8_t *bytes = lya_unpack_raw(&u->in, sizeof(struct group_key));
	struct group_key key;
	struct group *g;
	size_t n;

	if (bytes == NULL)
		return;
	memcpy(&key, bytes, sizeof(key));
	if (key.from > LYA_ROLES || key.to > LYA_ROLES || key.verdict >= LYA_VERDICTS) {
		lya_unpack_fail(&u->in, "there is no such row of the matrix");
		return;
	}
	g = lya_map_put(m->map, &key, NULL);
	u->nomem = g == NULL;
	if (g == NULL)
		return;
	g->flows += lya_unpack_uint(&u->in, UINT64_MAX);
	g->bytes += lya_unpack_uint(&u->in, UINT64_MAX);
	n = (size_t)lya_unpack_uint(&u->in, CELLS_MAX);
	for (size_t i = 0; i < n && !unpacking_failed(u); i++) {
		struct cell cell = { .ports = unpack_ports(u) };

		cell.flows = lya_unpack_uint(&u->in, UINT64_MAX);
		cell.bytes = lya_unpack_uint(&u->in, UINT64_MAX);
		u->nomem = group_add(g, &cell) != LYA_OK;
	}
}

void matrix_unpack(struct unpacking *u, struct matrix *m)
{
	size_t n = lya_unpack_count(&u->in, SIZE_MAX, sizeof(struct group_key) + 3);

	for (size_t i = 0; i < n && !unpacking_failed(u); i++)
		unpack_group(u, m);
}

static const char *role_text(enum lya_role role)
{
	return role < LYA_ROLES ? lya_role_name(role) : "none";
}

static int row_cmp(const void *pa, const void *pb)
{
	const struct lya_matrix_row *a = pa, *b = pb;
	int cmp = strcmp(role_text(a->from), role_text(b->from));

	if (cmp == 0)
		cmp = strcmp(role_text(a->to), role_text(b->to));
	if (cmp == 0)
		cmp = (a->transport > b->transport) - (a->transport < b->transport);
	if (cmp == 0)
		cmp = (a->other > b->other) - (a->other < b->other);
	if (cmp == 0)
		cmp = ports_cmp(a->ports, b->ports);
	if (cmp == 0)
		cmp = strcmp(lya_verdict_name(a->verdict), lya_verdict_name(b->verdict));
	return cmp;
}

/* The rows of one group, its rest last. */
static size_t group_rows(const struct group_key *key, const struct group *g,
			 struct lya_matrix_row *rows)
{
	struct lya_matrix_row row = {
		.from = (enum lya_role)key->from,
		.to = (enum lya_role)key->to,
		.transport = key->transport,
		.verdict = (enum lya_verdict_kind)key->verdict,
	};
	uint64_t flows = g->flows, bytes = g->bytes;
	size_t n = 0;

	for (size_t i = 0; i < g->n; i++) {
		rows[n] = row;
		rows[n].ports = g->cells[i].ports;
		rows[n].flows = g->cells[i].flows;
		rows[n++].bytes = g->cells[i].bytes;
		flows -= g->cells[i].flows;
		bytes -= g->cells[i].bytes;
	}
	if (flows > 0) {
		rows[n] = row;
		rows[n].other = true;
		rows[n].flows = flows;
		rows[n++].bytes = bytes;
	}
	return n;
}

int matrix_finish(struct matrix *m)
{
	const void *key;
	void *value;
	size_t pos = 0, max = 1;

	while (lya_map_next(m->map, &pos, &key, &value))
		max += ((struct group *)value)->n + 1;
	m->rows = lya_calloc(max, sizeof(*m->rows));
	if (m->rows == NULL)
		return LYA_ENOMEM;
	pos = 0;
	while (lya_map_next(m->map, &pos, &key, &value))
		m->n_rows += group_rows(key, value, &m->rows[m->n_rows]);
	qsort(m->rows, m->n_rows, sizeof(*m->rows), row_cmp);
	return LYA_OK;
}
