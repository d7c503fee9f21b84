/*
 * proof.c - packets that prove a period's findings: kept in memory until its report is made.
 *
 * They are in memory alone.  What a process before had of a period is in the file that it
 * left when it was stopped, or lost; the report names it, and so does the next file.
 */
#include "keeper/keeper.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lyncaudit/alloc.h"
#include "lyncaudit/text.h"
#include "lyncaudit/timeutil.h"

static struct proof *find(struct book *b, unsigned period_no)
{
	struct proof *p = b->proofs;

	while (p != NULL && p->period_no != period_no)
		p = p->next;
	return p;
}

static void proof_free(struct proof *p)
{
	if (p == NULL)
		return;
	lya_evidence_free(p->packets);
	lya_evidence_free(p->open);
	lya_free(p);
}

static void drop(struct book *b, struct proof *p)
{
	struct proof **link = &b->proofs;

	while (*link != p)
		link = &(*link)->next;
	*link = p->next;
	b->n_proofs--;
	proof_free(p);
}

void proofs_free(struct book *b)
{
	while (b->proofs != NULL)
		drop(b, b->proofs);
}

/* Reports cannot be made for long: packets of the oldest period are given up. */
static void give_up_oldest(struct book *b)
{
	struct proof *oldest = b->proofs;

	while (oldest->next != NULL)
		oldest = oldest->next;
	book_tellf(b, LYA_KEEPER_WARNING,
		   "the packets that prove the findings of %s are given up: they could not be "
		   "written",
		   oldest->name[0] != '\0' ? oldest->name : "an earlier period");
	drop(b, oldest);
}

static int begin(struct book *b, unsigned period_no, const struct lya_evidence *first,
		 struct proof **out, struct lya_error *err)
{
	struct proof *p = lya_calloc(1, sizeof(*p));
	int rc;

	if (p == NULL)
		return lya_error_nomem(err);
	rc = lya_evidence_new_in(&p->packets, lya_evidence_room_of(first), err);
	if (rc != LYA_OK) {
		lya_free(p);
		return rc;
	}
	if (b->n_proofs == BOOK_PROOFS_MAX)
		give_up_oldest(b);
	p->period_no = period_no;
	p->retry_ns = LYA_TIME_NONE;
	p->next = b->proofs;
	b->proofs = p;
	b->n_proofs++;
	*out = p;
	return LYA_OK;
}

/* The period so far names what is to be kept; where it is not whole, all is. */
static int join(struct book *b, struct proof *p, struct lya_evidence *from, struct lya_error *err)
{
	const struct total *t = &b->total;
	bool whole = !b->total_lost && b->period_no == p->period_no;

	return lya_evidence_merge(p->packets, from, whole ? t->ended : NULL,
				  whole ? t->tally->sources : NULL,
				  whole ? t->tally->n_sources : 0, err);
}

int proof_keep(struct book *b, struct order *o, struct lya_error *err)
{
	struct proof *p = find(b, o->period_no);
	int rc = LYA_OK;

	if (o->part.packets == NULL)
		return LYA_OK;
	if (p == NULL)
		rc = begin(b, o->period_no, o->part.packets, &p, err);
	if (rc == LYA_OK)
		rc = join(b, p, o->part.packets, err);
	if (rc == LYA_OK && o->part.open_packets != NULL) {
		lya_evidence_free(p->open);
		p->open = o->part.open_packets;
		o->part.open_packets = NULL;
	}
	lya_evidence_free(o->part.packets);
	lya_evidence_free(o->part.open_packets);
	o->part.packets = o->part.open_packets = NULL;
	return rc;
}

/* Writing ------------------------------------------------------------------------------------ */

int lya_keeper_proof_write(const struct lya_keeper_proof *proof, struct lya_output *out,
			   struct lya_finding_packets *total, struct lya_error *err)
{
	const struct lya_evidence_about about = { .ledger = proof->ledger,
						  .sources = proof->sources,
						  .n_sources = proof->n_sources,
						  .period = proof->name,
						  .since_ns = proof->since_ns,
						  .reloaded = proof->reloaded };
	struct lya_finding_packets *counts;
	size_t n;
	int rc;

	(void)lya_ledger_findings(proof->ledger, &n);
	counts = lya_calloc(n + 1, sizeof(*counts));
	if (counts == NULL)
		return lya_error_nomem(err);
	rc = lya_evidence_write(proof->packets, &about, out, counts, total, err);
	lya_free(counts);
	return rc;
}

/* Packets of flows that are open count now; what is more of them comes again when they end. */
static int join_open(struct proof *p, struct lya_error *err)
{
	int rc = p->open == NULL ? LYA_OK : lya_evidence_merge(p->packets, p->open, NULL, NULL, 0, err);

	lya_evidence_free(p->open);
	p->open = NULL;
	return rc;
}

/* As old as what the store drops, and as careful about clocks. */
static int64_t drop_before(const struct book *b)
{
	int64_t days = b->options->keep.days != 0 ? b->options->keep.days : LYA_STORE_DAYS, ns;

	if (b->clock.mono_ns < b->doubt_until_ns ||
	    __builtin_sub_overflow(b->clock.wall_ns, days * 86400 * LYA_SECOND_NS, &ns))
		return LYA_TIME_NONE;
	return ns;
}

static int write_proof(struct book *b, struct proof *p, const struct night *n,
		       struct lya_error *err)
{
	const struct lya_keeper_proof proof = {
		.name = p->name,
		.packets = p->packets,
		.ledger = n->ledger,
		.sources = n->tally->sources,
		.n_sources = n->tally->n_sources,
		.drop_before_ns = drop_before(b),
		.since_ns = n->night.from_ns < b->since_ns ? b->since_ns : LYA_TIME_NONE,
		.reloaded = b->reloaded,
	};
	int rc = join_open(p, err);

	return rc == LYA_OK ? b->options->on_proof(b->options->ctx, &proof, err) : rc;
}

/* The period of the store whose number here that is. */
static struct proof *of_period(struct book *b, int64_t id)
{
	struct proof *p = b->proofs;

	while (p != NULL && book_id_of(b->periods, p->period_no) != id)
		p = p->next;
	return p;
}

static void name_of(const char *file, char name[static 64])
{
	size_t len = strlen(file);

	(void)snprintf(name, 64, "%.*s", (int)(len > 5 ? len - 5 : 0), file); /* ".json" */
}

void proof_tell(void *ctx, const struct night *n, int64_t period, const char *file, bool over)
{
	struct book *b = ctx;
	struct proof *p = of_period(b, period);
	struct lya_error err = { 0 };

	if (p == NULL)
		return;
	name_of(file, p->name);
	if (write_proof(b, p, n, &err) == LYA_OK) {
		if (over)
			drop(b, p);
		return;
	}
	book_tellf(b, LYA_KEEPER_WARNING, "the packets that prove the findings of %s %s: %s",
		   p->name, over ? "wait to be written" : "are not written", err.text);
	if (over)
		p->retry_ns = b->clock.mono_ns + BOOK_RETRY_S * LYA_SECOND_NS;
}

static void retry(struct book *b, struct proof *p)
{
	struct reports r = { .store = b->store };
	int64_t id = book_id_of(b->periods, p->period_no);
	struct lya_error err = { 0 };
	struct night n = { 0 };
	int rc = reports_read_again(&r, id, &n, &err);

	if (rc == LYA_OK)
		rc = write_proof(b, p, &n, &err);
	night_fini(&n);
	p->retry_ns = b->clock.mono_ns + BOOK_RETRY_S * LYA_SECOND_NS;
	if (rc != LYA_OK)
		return;
	book_tellf(b, LYA_KEEPER_NOTE, "the packets that prove the findings of %s are written",
		   p->name);
	drop(b, p);
}

void proofs_retry(struct book *b, bool last)
{
	struct proof *next;

	for (struct proof *p = b->proofs; p != NULL; p = next) {
		next = p->next;
		if (p->retry_ns != LYA_TIME_NONE && (last || b->clock.mono_ns >= p->retry_ns))
			retry(b, p);
	}
	for (struct proof *p = b->proofs; last && p != NULL; p = p->next) {
		if (p->retry_ns != LYA_TIME_NONE)
			book_tellf(b, LYA_KEEPER_WARNING,
				   "the packets that prove the findings of %s are lost: they could "
				   "not be written",
				   p->name);
	}
}
