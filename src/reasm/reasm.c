/*
 * reasm.c - duplicates, and fragments.
 */
#include "reasm/reasm.h"

#include "lyncaudit/alloc.h"

enum { DEFAULT_BYTES = 16 << 20, MIN_BYTES = 1 << 20 };

/* Who marks and who takes may be two threads: what the one writes is in no line of the other. */
struct lya_reasm {
	struct fragments *fragments;
	struct duplicates *duplicates;
	struct clocks *clocks;
	uint8_t apart[64];
	uint64_t duplicate_counts[4];
};

int lya_reasm_new(struct lya_reasm **r, const struct lya_reasm_options *options,
		  struct lya_error *err)
{
	size_t max = options->max_bytes == 0 ? DEFAULT_BYTES : options->max_bytes;
	struct lya_reasm *made = lya_calloc(1, sizeof(*made));

	*r = NULL;
	if (made == NULL)
		return lya_error_nomem(err);
	if (max < MIN_BYTES)
		max = MIN_BYTES;
	made->duplicates = duplicates_new();
	made->clocks = clocks_new();
	made->fragments = fragments_new(max - duplicates_bytes() - clocks_bytes());
	if (made->duplicates == NULL || made->clocks == NULL || made->fragments == NULL) {
		lya_reasm_free(made);
		return lya_error_nomem(err);
	}
	*r = made;
	return LYA_OK;
}

void lya_reasm_free(struct lya_reasm *r)
{
	if (r == NULL)
		return;
	duplicates_free(r->duplicates);
	clocks_free(r->clocks);
	fragments_free(r->fragments);
	lya_free(r);
}

/* A fragment that fragments_take knows what to do with. */
static bool is_ours(const struct lya_packet *pkt)
{
	return pkt->is_fragment && (pkt->kind == LYA_PKT_FRAGMENT || pkt->kind == LYA_PKT_TCP ||
				    pkt->kind == LYA_PKT_UDP);
}

/*
 * What waited too long goes before the very packet that shows it: were it at the
 * end of the batch, what is made of the packets would depend on how many came at
 * a time.
 */
static void release_old(struct lya_reasm *r, size_t place, int64_t now_ns)
{
	fragments_place(r->fragments, place);
	fragments_expire(r->fragments, now_ns);
}

/* True when fragments have to do with none of the packets: nearly always. */
static bool are_whole(const struct lya_packet *pkts, size_t n)
{
	bool any = false;

	for (size_t i = 0; i < n; i++)
		any |= pkts[i].is_fragment | (pkts[i].tunnel_head != NULL);
	return !any;
}

/* Give fragments to where they are put together; returns how many packets are left. */
static size_t take_fragments(struct lya_reasm *r, struct lya_packet *pkts, size_t n)
{
	bool waiting = fragments_waiting(r->fragments);
	size_t left = 0;

	for (size_t i = 0; i < n; i++) {
		bool ours = is_ours(&pkts[i]);

		if (waiting || ours || pkts[i].tunnel_head != NULL) {
			release_old(r, left, pkts[i].time_ns);
			waiting = true;
		}
		if (pkts[i].tunnel_head != NULL)
			fragments_take_tunnel(r->fragments, &pkts[i]);
		if (ours && !fragments_take(r->fragments, &pkts[i]))
			continue;
		if (left != i)
			pkts[left] = pkts[i];
		left++;
	}
	return left;
}

size_t lya_reasm_mark(struct lya_reasm *r, struct lya_packet *pkts, size_t n)
{
	uint64_t before = lya_reasm_duplicates(r);

	duplicates_mark(r->duplicates, r->clocks, pkts, n, r->duplicate_counts);
	return (size_t)(lya_reasm_duplicates(r) - before);
}

size_t lya_reasm_take(struct lya_reasm *r, struct lya_packet *pkts, size_t n, bool whole)
{
	fragments_begin(r->fragments);
	if (!fragments_waiting(r->fragments) && (whole || are_whole(pkts, n)))
		return n;
	return take_fragments(r, pkts, n);
}

struct lya_packet *lya_reasm_released(const struct lya_reasm *r, size_t *n)
{
	return fragments_released(r->fragments, n);
}

const uint32_t *lya_reasm_released_at(const struct lya_reasm *r)
{
	return fragments_released_at(r->fragments);
}

void lya_reasm_flush(struct lya_reasm *r)
{
	fragments_begin(r->fragments);
	fragments_flush(r->fragments);
}

uint64_t lya_reasm_duplicates(const struct lya_reasm *r)
{
	return r->duplicate_counts[LYA_DUP_EXACT] + r->duplicate_counts[LYA_DUP_VLAN] +
	       r->duplicate_counts[LYA_DUP_ROUTED];
}

bool lya_reasm_failed(const struct lya_reasm *r)
{
	return fragments_failed(r->fragments);
}

void lya_reasm_stats(const struct lya_reasm *r, struct lya_reasm_stats *out)
{
	*out = (struct lya_reasm_stats){ 0 };
	fragments_stats(r->fragments, out);
	for (unsigned i = 0; i < 4; i++)
		out->duplicates[i] = r->duplicate_counts[i];
	out->bytes += duplicates_bytes() + clocks_bytes() + sizeof(*r);
	out->bytes_peak += duplicates_bytes() + clocks_bytes() + sizeof(*r);
}

int lya_reasm_clocks(const struct lya_reasm *r, struct lya_clock_offset **list, size_t *n,
		     struct lya_error *err)
{
	int rc = clocks_estimate(r->clocks, list, n);

	return rc == LYA_ENOMEM ? lya_error_nomem(err) : rc;
}
