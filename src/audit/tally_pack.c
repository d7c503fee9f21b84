/*
 * tally_pack.c - a tally as bytes, and back.
 */
#include "lyncaudit/tally.h"

#include <string.h>

#include "audit/state.h"
#include "lyncaudit/alloc.h"

enum { FLAG_SKIPPED = 1, FLAG_FILTERED_UNSEEN = 2 }; /* of a source */
enum { TALLY_VERSION = 1, NAME_MAX_BYTES = 65536, SOURCES_MAX = LYA_TALLY_SOURCES };

_Static_assert(LYA_EV_COUNT == 23, "events are packed as they are: raise TALLY_VERSION");

/* Writing -------------------------------------------------------------------------------- */

static void pack_source(struct lya_pack *out, const struct lya_source *s)
{
	lya_pack_string(out, s->name);
	lya_pack_string(out, s->kind);
	lya_pack_uint(out, s->n_links);
	for (size_t i = 0; i < s->n_links; i++)
		lya_pack_uint(out, s->links[i]);
	lya_pack_uint(out, s->packets);
	lya_pack_uint(out, s->bytes);
	lya_pack_int(out, s->first_ns);
	lya_pack_int(out, s->last_ns);
	lya_pack_int(out, s->time_offset_ns);
	lya_pack_uint(out, s->truncated);
	lya_pack_uint(out, s->dropped);
	lya_pack_uint(out, s->snapped);
	lya_pack_uint(out, s->steps_back);
	lya_pack_uint(out, s->filtered);
	lya_pack_uint(out, s->digits);
	lya_pack_uint(out, (s->skipped ? FLAG_SKIPPED : 0u) |
			       (s->filtered_unseen ? FLAG_FILTERED_UNSEEN : 0u));
	lya_pack_string(out, s->error);
}

static void pack_counts(struct lya_pack *out, const struct lya_audit_counts *c)
{
	lya_pack_uint(out, c->packets);
	lya_pack_uint(out, c->bytes);
	lya_pack_int(out, c->first_ns);
	lya_pack_int(out, c->last_ns);
	lya_pack_uint(out, c->not_ip);
	lya_pack_uint(out, c->not_tcp_udp);
	for (size_t i = 0; i < LYA_EV_COUNT; i++)
		lya_pack_uint(out, c->events[i]);
	lya_pack_uint(out, c->duplicates);
}

static void pack_sums(struct lya_pack *out, const struct lya_snat_sums *s)
{
	lya_pack_uint(out, s->transactions_preserved);
	lya_pack_uint(out, s->transactions_rewritten);
	lya_pack_uint(out, s->connections_preserved);
	lya_pack_uint(out, s->connections_rewritten);
}

static void pack_snat(struct lya_pack *out, const struct lya_tally_snat *s)
{
	pack_sums(out, &s->all);
	lya_pack_uint(out, s->unpaired);
	lya_pack_uint(out, s->dropped);
	lya_pack_uint(out, s->n_pairs);
	for (size_t i = 0; i < s->n_pairs; i++) {
		lya_pack_addr(out, &s->pairs[i].vip);
		lya_pack_addr(out, &s->pairs[i].node);
		pack_sums(out, &s->pairs[i].sums);
	}
}

int lya_tally_pack(const struct lya_tally *t, struct lya_pack *out)
{
	lya_pack_uint(out, TALLY_VERSION);
	lya_pack_uint(out, t->n_sources);
	for (size_t i = 0; i < t->n_sources; i++)
		pack_source(out, &t->sources[i]);
	lya_validity_pack(t->validity, out);
	lya_pack_uint(out, t->n_clocks);
	for (size_t i = 0; i < t->n_clocks; i++) {
		lya_pack_uint(out, t->clocks[i].source);
		lya_pack_uint(out, t->clocks[i].twin);
		lya_pack_int(out, t->clocks[i].ahead_ns);
		lya_pack_uint(out, t->clocks[i].packets);
	}
	pack_counts(out, &t->counts);
	lya_pack_uint(out, t->flows.flows);
	lya_pack_uint(out, t->flows.evicted);
	lya_pack_uint(out, t->flows.given_up);
	lya_pack_uint(out, t->flows.details_lost);
	lya_pack_uint(out, t->forgotten.datagrams);
	lya_pack_uint(out, t->forgotten.details);
	pack_snat(out, &t->snat);
	return out->failed ? LYA_ENOMEM : LYA_OK;
}

/* Reading -------------------------------------------------------------------------------- */

struct reading {
	struct lya_tally *tally;
	struct lya_unpack in;
	bool nomem;
};

static bool failed(const struct reading *r)
{
	return r->nomem || lya_unpack_failed(&r->in);
}

static char *read_string(struct reading *r)
{
	char *s;

	if (!lya_unpack_string(&r->in, NAME_MAX_BYTES, &s))
		r->nomem = r->nomem || !lya_unpack_failed(&r->in);
	return s;
}

static struct lya_source *read_name(struct reading *r)
{
	char *name = read_string(r), *kind = read_string(r);
	struct lya_source *s = NULL;
	int at = 0;

	if (!failed(r) && (name == NULL || kind == NULL))
		lya_unpack_fail(&r->in, "a source has no name or no kind");
	if (!failed(r)) {
		at = audit_push_source(r->tally, name, kind);
		r->nomem = at < 0;
	}
	if (!failed(r))
		s = &r->tally->sources[at];
	lya_free(name);
	lya_free(kind);
	return s;
}

static void read_source(struct reading *r)
{
	struct lya_source *s = read_name(r);
	uint64_t flags;

	if (s == NULL)
		return;
	s->n_links = (size_t)lya_unpack_uint(&r->in, LYA_SOURCE_LINKS_MAX);
	for (size_t i = 0; i < s->n_links; i++)
		s->links[i] = (uint16_t)lya_unpack_uint(&r->in, UINT16_MAX);
	s->packets = lya_unpack_uint(&r->in, UINT64_MAX);
	s->bytes = lya_unpack_uint(&r->in, UINT64_MAX);
	s->first_ns = lya_unpack_time(&r->in);
	s->last_ns = lya_unpack_time(&r->in);
	s->time_offset_ns = lya_unpack_time(&r->in);
	s->truncated = lya_unpack_bool(&r->in);
	s->dropped = lya_unpack_uint(&r->in, UINT64_MAX);
	s->snapped = lya_unpack_uint(&r->in, UINT64_MAX);
	s->steps_back = lya_unpack_uint(&r->in, UINT64_MAX);
	s->filtered = lya_unpack_uint(&r->in, UINT64_MAX);
	s->digits = (uint8_t)lya_unpack_uint(&r->in, 9);
	flags = lya_unpack_uint(&r->in, FLAG_SKIPPED | FLAG_FILTERED_UNSEEN);
	s->skipped = (flags & FLAG_SKIPPED) != 0;
	s->filtered_unseen = (flags & FLAG_FILTERED_UNSEEN) != 0;
	s->error = read_string(r);
}

static void read_clocks(struct reading *r)
{
	struct lya_tally *t = r->tally;
	size_t n = lya_unpack_count(&r->in, t->n_sources, 4);

	if (failed(r))
		return;
	t->clocks = lya_calloc(n + 1, sizeof(*t->clocks));
	r->nomem = t->clocks == NULL;
	for (; !failed(r) && t->n_clocks < n; t->n_clocks++) {
		struct lya_clock_offset *c = &t->clocks[t->n_clocks];

		/* n <= n_sources: there is one */
		c->source = (uint32_t)lya_unpack_uint(&r->in, t->n_sources - 1);
		c->twin = (uint32_t)lya_unpack_uint(&r->in, t->n_sources - 1);
		c->ahead_ns = lya_unpack_time(&r->in);
		c->packets = lya_unpack_uint(&r->in, UINT64_MAX);
	}
}

static void read_counts(struct reading *r)
{
	struct lya_audit_counts *c = &r->tally->counts;

	c->packets = lya_unpack_uint(&r->in, UINT64_MAX);
	c->bytes = lya_unpack_uint(&r->in, UINT64_MAX);
	c->first_ns = lya_unpack_time(&r->in);
	c->last_ns = lya_unpack_time(&r->in);
	c->not_ip = lya_unpack_uint(&r->in, UINT64_MAX);
	c->not_tcp_udp = lya_unpack_uint(&r->in, UINT64_MAX);
	for (size_t i = 0; i < LYA_EV_COUNT; i++)
		c->events[i] = lya_unpack_uint(&r->in, UINT64_MAX);
	c->duplicates = lya_unpack_uint(&r->in, UINT64_MAX);
}

static void read_sums(struct reading *r, struct lya_snat_sums *s)
{
	s->transactions_preserved = lya_unpack_uint(&r->in, UINT64_MAX);
	s->transactions_rewritten = lya_unpack_uint(&r->in, UINT64_MAX);
	s->connections_preserved = lya_unpack_uint(&r->in, UINT64_MAX);
	s->connections_rewritten = lya_unpack_uint(&r->in, UINT64_MAX);
}

static void read_snat(struct reading *r)
{
	struct lya_tally_snat *s = &r->tally->snat;
	size_t n;

	read_sums(r, &s->all);
	s->unpaired = lya_unpack_uint(&r->in, UINT64_MAX);
	s->dropped = lya_unpack_uint(&r->in, UINT64_MAX);
	n = lya_unpack_count(&r->in, SIZE_MAX, 14);
	if (failed(r))
		return;
	s->pairs = lya_calloc(n + 1, sizeof(*s->pairs));
	r->nomem = s->pairs == NULL;
	for (; !failed(r) && s->n_pairs < n; s->n_pairs++) {
		struct lya_snat_pair *pair = &s->pairs[s->n_pairs];

		lya_unpack_addr(&r->in, &pair->vip);
		lya_unpack_addr(&r->in, &pair->node);
		read_sums(r, &pair->sums);
		if (pair->vip.family == 0 || pair->node.family == 0)
			lya_unpack_fail(&r->in, "a VIP or its node has no address");
	}
}

static void read_all(struct reading *r)
{
	struct lya_tally *t = r->tally;
	size_t n;

	if (lya_unpack_uint(&r->in, UINT64_MAX) != TALLY_VERSION)
		lya_unpack_fail(&r->in, "it was packed by another version");
	n = lya_unpack_count(&r->in, SOURCES_MAX, 17);
	for (size_t i = 0; i < n && !failed(r); i++)
		read_source(r);
	if (!failed(r))
		r->nomem = lya_validity_unpack(t->validity, &r->in) != LYA_OK;
	read_clocks(r);
	read_counts(r);
	t->flows.flows = lya_unpack_uint(&r->in, UINT64_MAX);
	t->flows.evicted = lya_unpack_uint(&r->in, UINT64_MAX);
	t->flows.given_up = lya_unpack_uint(&r->in, UINT64_MAX);
	t->flows.details_lost = lya_unpack_uint(&r->in, UINT64_MAX);
	t->forgotten.datagrams = lya_unpack_uint(&r->in, UINT64_MAX);
	t->forgotten.details = lya_unpack_uint(&r->in, UINT64_MAX);
	read_snat(r);
	if (r->in.pos != r->in.end)
		lya_unpack_fail(&r->in, "something follows that does not belong to it");
}

int lya_tally_unpack(struct lya_tally **t, const void *data, size_t len, struct lya_error *err)
{
	const uint8_t *bytes = data;
	struct reading r = { .in = { bytes, bytes + len, NULL } };
	int rc = lya_tally_new(&r.tally, err);

	*t = NULL;
	if (rc != LYA_OK)
		return rc;
	read_all(&r);
	if (!failed(&r)) {
		*t = r.tally;
		return LYA_OK;
	}
	lya_tally_free(r.tally);
	if (r.nomem)
		return lya_error_nomem(err);
	return lya_error_set(err, LYA_EINPUT, NULL, NULL, "a packed tally is damaged: %s",
			     r.in.wrong);
}
