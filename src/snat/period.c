/*
 * period.c - sums by period, for what never ends.
 */
#include "snat/snat.h"

#include <stdlib.h>
#include <string.h>

#include "lyncaudit/alloc.h"

static size_t n_sums(const struct lya_snat *s)
{
	return (size_t)s->places.n_vips * s->places.n_nodes;
}

void lya_snat_end(struct lya_snat *s)
{
	for (uint32_t n = 1; snat_table_at(&s->transactions, n) != NULL; n++)
		snat_transaction_end(s, snat_table_at(&s->transactions, n));
	for (uint32_t n = 1; snat_table_at(&s->connections, n) != NULL; n++)
		snat_connection_end(s, snat_table_at(&s->connections, n));
}

void lya_snat_begin(struct lya_snat *s)
{
	memset(s->sums, 0, n_sums(s) * sizeof(*s->sums));
	s->stats.all = (struct lya_snat_sums){ 0 };
	s->stats.unpaired = s->stats.dropped = 0;
}

uint64_t lya_snat_waiting(const struct lya_snat *s)
{
	uint64_t alone = 0;

	if (s->finished)
		return 0;
	for (uint32_t n = 1; snat_table_at(&s->transactions, n) != NULL; n++)
		alone += snat_transaction_is_alone(snat_table_at(&s->transactions, n));
	for (uint32_t n = 1; snat_table_at(&s->connections, n) != NULL; n++)
		alone += snat_connection_is_alone(s, snat_table_at(&s->connections, n));
	return alone;
}

/*
 * What was preserved in the period before and turned out to be rewritten in this one is
 * taken from the wrong sum: no sum goes below zero for it.
 */
static uint64_t at_least_zero(uint64_t n)
{
	return n > INT64_MAX ? 0 : n;
}

static struct lya_snat_sums told(const struct lya_snat_sums *sums)
{
	return (struct lya_snat_sums){
		.transactions_preserved = at_least_zero(sums->transactions_preserved),
		.transactions_rewritten = sums->transactions_rewritten,
		.connections_preserved = sums->connections_preserved,
		.connections_rewritten = sums->connections_rewritten,
	};
}

static int pair_cmp(const void *pa, const void *pb)
{
	const struct lya_snat_pair *a = pa, *b = pb;
	int cmp = lya_addr_cmp(&a->vip, &b->vip);

	return cmp != 0 ? cmp : lya_addr_cmp(&a->node, &b->node);
}

static bool is_empty(const struct lya_snat_sums *sums)
{
	return sums->transactions_preserved == 0 && sums->transactions_rewritten == 0 &&
	       sums->connections_preserved == 0 && sums->connections_rewritten == 0;
}

int lya_snat_pairs(const struct lya_snat *s, struct lya_snat_pair **list, size_t *n)
{
	const struct snat_places *p = &s->places;

	*n = 0;
	*list = lya_calloc(n_sums(s) + 1, sizeof(**list));
	if (*list == NULL)
		return LYA_ENOMEM;
	for (size_t i = 0; i < p->n; i++) {
		for (size_t k = 0; k < p->n; k++) {
			const struct snat_place *vip = &p->list[i], *node = &p->list[k];
			uint32_t at = snat_serves(vip, node) ? snat_sums_of(s, vip, node) : 0;

			if (at == 0 || is_empty(&s->sums[at - 1]))
				continue;
			(*list)[(*n)++] =
			    (struct lya_snat_pair){ vip->addr, node->addr, told(&s->sums[at - 1]) };
		}
	}
	qsort(*list, *n, sizeof(**list), pair_cmp);
	return LYA_OK;
}

void lya_snat_adopt(struct lya_snat *s, struct lya_snat *from)
{
	struct snat_table notes = s->notes;

	s->notes = from->notes; /* they speak of addresses alone, whatever the policy */
	from->notes = notes;
	s->now_ns = from->now_ns;
}
