/*
 * walk.c - the rows that may have one of two ports, without asking every row.
 *
 * Rows of few stretches of ports (atoms) are listed by stretch; the few others, which
 * document wide ranges or any port, stand in a list of their own that every walk
 * passes.  A rule set of thousands of rows is asked as fast as one of a hundred.
 *
 *     first[atom] --> rows: ascending numbers, up to first[atom + 1]
 *
 * Statements match nothing, and are in no list.
 */
#include "policy/policy.h"

#include "lyncaudit/alloc.h"

/* A row of more is wide: it bounds the lists, whatever the rules are. */
enum { ATOMS_FEW = 64 };

static bool is_listed(const struct policy_row *row)
{
	return !row->rule->statement && (row->n_ports > 0 || policy_row_any_port(row));
}

/* Stretches of all its ranges together, some counted twice where they overlap. */
static size_t count_atoms(const struct lya_policy *p, const struct policy_row *row)
{
	size_t n = 0;

	for (size_t i = 0; i < row->n_ports; i++)
		n += (size_t)(p->atom[row->ports[i].last] - p->atom[row->ports[i].first]) + 1;
	return n;
}

static bool is_wide(const struct lya_policy *p, const struct policy_row *row)
{
	return policy_row_any_port(row) || count_atoms(p, row) > ATOMS_FEW;
}

/*
 * Count in at[atom + 2] the rows of each stretch.  Summed up, at[atom + 1] is where the
 * next row of the stretch goes, and in the end where the next stretch begins.
 */
static void count_rows(struct lya_policy *p, uint32_t *at, size_t n_atoms)
{
	for (size_t k = 0; k < p->n_rows; k++) {
		const struct policy_row *row = &p->rows[k];

		if (!is_listed(row) || is_wide(p, row))
			continue;
		for (size_t i = 0; i < row->n_ports; i++) {
			for (unsigned a = p->atom[row->ports[i].first];
			     a <= p->atom[row->ports[i].last]; a++)
				at[a + 2]++;
		}
	}
	for (size_t a = 2; a < n_atoms + 2; a++)
		at[a] += at[a - 1];
}

static void list_rows(struct lya_policy *p, uint32_t *at)
{
	for (size_t k = 0; k < p->n_rows; k++) {
		const struct policy_row *row = &p->rows[k];

		if (!is_listed(row))
			continue;
		if (is_wide(p, row)) {
			p->lists.wide[p->lists.n_wide++] = (uint16_t)k;
			continue;
		}
		for (size_t i = 0; i < row->n_ports; i++) {
			for (unsigned a = p->atom[row->ports[i].first];
			     a <= p->atom[row->ports[i].last]; a++)
				p->lists.rows[at[a + 1]++] = (uint16_t)k;
		}
	}
}

int policy_walk_init(struct lya_policy *p)
{
	size_t n_atoms = (size_t)p->atom[UINT16_MAX] + 1;
	uint32_t *at = lya_calloc(n_atoms + 2, sizeof(*at));

	p->lists.first = at;
	p->lists.wide = lya_calloc(p->n_rows, sizeof(*p->lists.wide));
	if (at == NULL || p->lists.wide == NULL)
		return LYA_ENOMEM;
	count_rows(p, at, n_atoms);
	p->lists.rows = lya_calloc(at[n_atoms + 1], sizeof(*p->lists.rows));
	if (p->lists.rows == NULL)
		return LYA_ENOMEM;
	list_rows(p, at);
	return LYA_OK;
}

void policy_walk_fini(struct lya_policy *p)
{
	lya_free(p->lists.first);
	lya_free(p->lists.rows);
	lya_free(p->lists.wide);
}

struct policy_walk policy_walk(const struct lya_policy *p, uint16_t iport, uint16_t rport)
{
	const uint32_t *first = p->lists.first;
	const uint16_t *rows = p->lists.rows, *wide = p->lists.wide;
	size_t i = p->atom[iport], r = p->atom[rport];

	return (struct policy_walk){
		.at = { wide, rows + first[i], rows + first[r] },
		.end = { wide + p->lists.n_wide, rows + first[i + 1], rows + first[r + 1] },
	};
}

int policy_walk_next(struct policy_walk *w)
{
	int row = -1;

	for (size_t k = 0; k < POLICY_WALK_LISTS; k++) {
		if (w->at[k] < w->end[k] && (row < 0 || *w->at[k] < row))
			row = *w->at[k];
	}
	for (size_t k = 0; k < POLICY_WALK_LISTS; k++) {
		while (w->at[k] < w->end[k] && *w->at[k] == row)
			w->at[k]++;
	}
	return row;
}
