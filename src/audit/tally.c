/*
 * tally.c - counts that can be joined, and what a report makes of them.
 */
#include "lyncaudit/tally.h"

#include <stdlib.h>
#include <string.h>

#include "audit/state.h"
#include "lyncaudit/alloc.h"
#include "lyncaudit/timeutil.h"

/* Where one flow in ten shows one direction only, the mirror is lame. */
enum { ONE_SIDED_PART = 10 };

/* The kinds that a source may have: borrowed for good. */
static const char *const kinds[] = { "file", "stdin", "interface", "ring" };

int lya_tally_new(struct lya_tally **out, struct lya_error *err)
{
	struct lya_tally *t = lya_calloc(1, sizeof(*t));

	*out = NULL;
	if (t == NULL)
		return lya_error_nomem(err);
	t->counts.first_ns = t->counts.last_ns = LYA_TIME_NONE;
	if (lya_validity_new(&t->validity, err) != LYA_OK) {
		lya_tally_free(t);
		return LYA_ENOMEM;
	}
	*out = t;
	return LYA_OK;
}

void lya_tally_free(struct lya_tally *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->n_sources; i++) {
		lya_free(t->sources[i].name);
		lya_free(t->sources[i].error);
	}
	lya_free(t->sources);
	lya_validity_free(t->validity);
	lya_free(t->clocks);
	lya_free(t->snat.pairs);
	lya_free(t);
}

/* Sources -------------------------------------------------------------------------------- */

static const char *kind_of(const char *kind)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(kinds[i], kind) == 0)
			return kinds[i];
	}
	return kinds[0];
}

int audit_push_source(struct lya_tally *t, const char *name, const char *kind)
{
	void *list = t->sources;
	char *copy;

	if (lya_grow(&list, &t->cap_sources, t->n_sources + 1, sizeof(*t->sources)) != LYA_OK)
		return LYA_ENOMEM;
	t->sources = list;
	copy = lya_strdup(name);
	if (copy == NULL)
		return LYA_ENOMEM;
	t->sources[t->n_sources] = (struct lya_source){ .name = copy,
							.kind = kind_of(kind),
							.first_ns = LYA_TIME_NONE,
							.last_ns = LYA_TIME_NONE };
	return (int)t->n_sources++;
}

int lya_tally_source(struct lya_tally *t, const char *name, const char *kind)
{
	for (size_t i = 0; i < t->n_sources; i++) {
		if (strcmp(t->sources[i].name, name) == 0 && strcmp(t->sources[i].kind, kind) == 0)
			return (int)i;
	}
	return audit_push_source(t, name, kind);
}

static void add_span(int64_t *first_ns, int64_t *last_ns, int64_t more_first, int64_t more_last)
{
	if (more_first != LYA_TIME_NONE && (*first_ns == LYA_TIME_NONE || more_first < *first_ns))
		*first_ns = more_first;
	if (more_last != LYA_TIME_NONE && (*last_ns == LYA_TIME_NONE || more_last > *last_ns))
		*last_ns = more_last;
}

static void add_link(struct lya_source *s, uint16_t link)
{
	size_t at = s->n_links;

	for (size_t i = 0; i < s->n_links; i++) {
		if (s->links[i] == link)
			return;
	}
	if (at == LYA_SOURCE_LINKS_MAX)
		return;
	for (; at > 0 && s->links[at - 1] > link; at--)
		s->links[at] = s->links[at - 1];
	s->links[at] = link;
	s->n_links++;
}

static int add_source(struct lya_source *s, const struct lya_source *more)
{
	for (size_t i = 0; i < more->n_links; i++)
		add_link(s, more->links[i]);
	s->packets += more->packets;
	s->bytes += more->bytes;
	add_span(&s->first_ns, &s->last_ns, more->first_ns, more->last_ns);
	s->time_offset_ns = more->time_offset_ns;
	s->truncated = s->truncated || more->truncated;
	s->dropped += more->dropped;
	s->snapped += more->snapped;
	s->steps_back += more->steps_back;
	s->filtered += more->filtered;
	s->filtered_unseen = s->filtered_unseen || more->filtered_unseen;
	if (more->digits > s->digits)
		s->digits = more->digits;
	s->skipped = s->skipped || more->skipped;
	if (more->error == NULL || s->error != NULL)
		return LYA_OK;
	s->error = lya_strdup(more->error);
	return s->error != NULL ? LYA_OK : LYA_ENOMEM;
}

/* Joining -------------------------------------------------------------------------------- */

static void add_counts(struct lya_audit_counts *c, const struct lya_audit_counts *more)
{
	c->packets += more->packets;
	c->bytes += more->bytes;
	add_span(&c->first_ns, &c->last_ns, more->first_ns, more->last_ns);
	c->not_ip += more->not_ip;
	c->not_tcp_udp += more->not_tcp_udp;
	for (size_t i = 0; i < LYA_EV_COUNT; i++)
		c->events[i] += more->events[i];
	c->duplicates += more->duplicates;
}

static void add_sums(struct lya_snat_sums *s, const struct lya_snat_sums *more)
{
	s->transactions_preserved += more->transactions_preserved;
	s->transactions_rewritten += more->transactions_rewritten;
	s->connections_preserved += more->connections_preserved;
	s->connections_rewritten += more->connections_rewritten;
}

static int pair_cmp(const struct lya_snat_pair *a, const struct lya_snat_pair *b)
{
	int cmp = lya_addr_cmp(&a->vip, &b->vip);

	return cmp != 0 ? cmp : lya_addr_cmp(&a->node, &b->node);
}

static int add_pair(struct lya_tally_snat *s, const struct lya_snat_pair *more)
{
	struct lya_snat_pair *list;
	size_t at = s->n_pairs;

	for (; at > 0 && pair_cmp(&s->pairs[at - 1], more) >= 0; at--) {
		if (pair_cmp(&s->pairs[at - 1], more) != 0)
			continue;
		add_sums(&s->pairs[at - 1].sums, &more->sums);
		return LYA_OK;
	}
	list = lya_realloc(s->pairs, (s->n_pairs + 1) * sizeof(*list));
	if (list == NULL)
		return LYA_ENOMEM;
	memmove(&list[at + 1], &list[at], (s->n_pairs - at) * sizeof(*list));
	list[at] = *more;
	s->pairs = list;
	s->n_pairs++;
	return LYA_OK;
}

static int add_snat(struct lya_tally_snat *s, const struct lya_tally_snat *more)
{
	int rc = LYA_OK;

	add_sums(&s->all, &more->all);
	s->unpaired += more->unpaired;
	s->dropped += more->dropped;
	for (size_t i = 0; i < more->n_pairs && rc == LYA_OK; i++)
		rc = add_pair(s, &more->pairs[i]);
	return rc;
}

/* Of two estimates for a source, the one that more packets agree on. */
static int add_clock(struct lya_tally *t, const struct lya_clock_offset *more)
{
	struct lya_clock_offset *list;

	for (size_t i = 0; i < t->n_clocks; i++) {
		if (t->clocks[i].source != more->source)
			continue;
		if (more->packets > t->clocks[i].packets)
			t->clocks[i] = *more;
		return LYA_OK;
	}
	list = lya_realloc(t->clocks, (t->n_clocks + 1) * sizeof(*list));
	if (list == NULL)
		return LYA_ENOMEM;
	list[t->n_clocks++] = *more;
	t->clocks = list;
	return LYA_OK;
}

static int merge_sources(struct lya_tally *t, const struct lya_tally *from, uint32_t *map)
{
	int rc = LYA_OK;

	for (size_t i = 0; i < from->n_sources && rc == LYA_OK; i++) {
		int at = lya_tally_source(t, from->sources[i].name, from->sources[i].kind);

		if (at < 0)
			return at;
		map[i] = (uint32_t)at;
		rc = add_source(&t->sources[at], &from->sources[i]);
		if (rc == LYA_OK)
			rc = lya_validity_merge_source(t->validity, (size_t)at, from->validity, i);
	}
	for (size_t i = 0; i < from->n_clocks && rc == LYA_OK; i++) {
		struct lya_clock_offset c = from->clocks[i];

		c.source = map[c.source];
		c.twin = map[c.twin];
		rc = add_clock(t, &c);
	}
	return rc;
}

int lya_tally_merge(struct lya_tally *t, const struct lya_tally *from, uint32_t *map,
		    struct lya_error *err)
{
	int rc = merge_sources(t, from, map);

	add_counts(&t->counts, &from->counts);
	t->flows.flows += from->flows.flows;
	t->flows.evicted += from->flows.evicted;
	t->flows.given_up += from->flows.given_up;
	t->flows.details_lost += from->flows.details_lost;
	t->forgotten.datagrams += from->forgotten.datagrams;
	t->forgotten.details += from->forgotten.details;
	if (rc == LYA_OK)
		rc = add_snat(&t->snat, &from->snat);
	return rc == LYA_OK ? LYA_OK : lya_error_nomem(err);
}

/* Reporting ------------------------------------------------------------------------------ */

int lya_tally_end(const struct lya_tally *t, struct lya_ledger_end *end,
		  struct lya_ledger_source **sources, struct lya_error *err)
{
	*sources = lya_calloc(t->n_sources + 1, sizeof(**sources));
	if (*sources == NULL)
		return lya_error_nomem(err);
	for (size_t i = 0; i < t->n_sources; i++) {
		uint64_t flows, one_sided;

		lya_validity_tcp(t->validity, i, &flows, &one_sided);
		(*sources)[i].one_sided = one_sided > flows / ONE_SIDED_PART;
		(*sources)[i].last_ns = t->sources[i].last_ns;
		end->filtered = end->filtered || lya_source_filtered(&t->sources[i]);
	}
	if (lya_validity_holes(t->validity, t->sources, t->n_sources, NULL, &end->unseen_ns, err) !=
	    LYA_OK) {
		lya_free(*sources);
		*sources = NULL;
		return LYA_ENOMEM;
	}
	end->first_ns = t->counts.first_ns;
	end->last_ns = t->counts.last_ns;
	end->sources = *sources;
	end->n_sources = t->n_sources;
	return LYA_OK;
}

struct lya_judged audit_judged_of(const struct lya_ledger *ledger)
{
	struct lya_ledger_counts counts = { 0 };

	if (ledger != NULL)
		lya_ledger_counts(ledger, &counts);
	return (struct lya_judged){ .flows = counts.flows,
				    .out_of_scope = counts.verdicts[LYA_VERDICT_OUT_OF_SCOPE],
				    .undetermined = counts.verdicts[LYA_VERDICT_UNDETERMINED] };
}

int lya_tally_limits(const struct lya_tally *t, const struct lya_ledger *ledger,
		     struct lya_limit **list, size_t *n, struct lya_error *err)
{
	struct lya_source_measures *m = lya_calloc(t->n_sources + 1, sizeof(*m));
	struct lya_judged judged = audit_judged_of(ledger);
	struct lya_forgotten forgotten = t->forgotten;
	int rc;

	if (m == NULL)
		return lya_error_nomem(err);
	for (size_t i = 0; i < t->n_sources; i++)
		lya_validity_measures(t->validity, i, &m[i]);
	forgotten.legs = t->snat.dropped;
	for (size_t i = 0; i < t->n_clocks; i++) {
		m[t->clocks[i].source].twin = t->clocks[i].twin;
		m[t->clocks[i].source].twin_packets = t->clocks[i].packets;
		m[t->clocks[i].source].ahead_ns = t->clocks[i].ahead_ns;
	}
	rc = lya_validity_limits(t->validity, t->sources, t->n_sources, m, &t->flows, &forgotten,
				 &judged, list, n, err);
	lya_free(m);
	return rc;
}

static int report_pair_cmp(const void *pa, const void *pb)
{
	const struct lya_report_snat_pair *a = pa, *b = pb;
	int cmp = lya_addr_cmp(&a->vip, &b->vip);

	return cmp != 0 ? cmp : lya_addr_cmp(&a->node, &b->node);
}

static void fill_pair(struct lya_report_snat_pair *p, const struct lya_snat_pair *from)
{
	*p = (struct lya_report_snat_pair){
		.vip = from->vip,
		.node = from->node,
		.transactions_preserved = from->sums.transactions_preserved,
		.transactions_rewritten = from->sums.transactions_rewritten,
		.connections_preserved = from->sums.connections_preserved,
		.connections_rewritten = from->sums.connections_rewritten,
	};
}

/* The pairs of the site, and those that it does not have any more; sorted. */
static int make_pairs(const struct lya_tally *t, const struct lya_site *site,
		      struct lya_report_snat_pair **pairs, size_t *n, struct lya_error *err)
{
	struct lya_report_snat_pair *list;
	int rc = lya_report_snat_pairs(site, pairs, n, err);
	size_t declared = *n;

	if (rc != LYA_OK)
		return rc;
	list = lya_realloc(*pairs, (declared + t->snat.n_pairs + 1) * sizeof(*list));
	if (list == NULL) {
		lya_free(*pairs);
		*pairs = NULL;
		return lya_error_nomem(err);
	}
	for (size_t i = 0; i < t->snat.n_pairs; i++) {
		struct lya_report_snat_pair key, *hit = NULL;

		fill_pair(&key, &t->snat.pairs[i]);
		if (declared > 0)
			hit = bsearch(&key, list, declared, sizeof(*list), report_pair_cmp);
		*(hit != NULL ? hit : &list[(*n)++]) = key;
	}
	qsort(list, *n, sizeof(*list), report_pair_cmp);
	*pairs = list;
	return LYA_OK;
}

int lya_tally_report(const struct lya_tally *t, const struct lya_site *site,
		     struct lya_report_input *in, struct lya_report_snat_pair **pairs,
		     struct lya_error *err)
{
	size_t n;
	int rc = make_pairs(t, site, pairs, &n, err);

	if (rc != LYA_OK)
		return rc;
	in->sources = t->sources;
	in->n_sources = t->n_sources;
	in->totals.not_ip = t->counts.not_ip;
	in->totals.not_tcp_udp = t->counts.not_tcp_udp;
	memcpy(in->totals.events, t->counts.events, sizeof(in->totals.events));
	in->totals.duplicates = t->counts.duplicates;
	in->flow_stats = t->flows;
	in->snat = (struct lya_report_snat){
		.transactions_preserved = t->snat.all.transactions_preserved,
		.transactions_rewritten = t->snat.all.transactions_rewritten,
		.connections_preserved = t->snat.all.connections_preserved,
		.connections_rewritten = t->snat.all.connections_rewritten,
		.unpaired = t->snat.unpaired,
		.dropped = t->snat.dropped,
		.pairs = *pairs,
		.n_pairs = n,
	};
	return LYA_OK;
}
