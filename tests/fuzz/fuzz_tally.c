/*
 * fuzz_tally.c - packed tallies: any bytes are refused, or counts that add up, that limits
 * can be told of, and that are packed again as the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lyncaudit/alloc.h"
#include "lyncaudit/tally.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_again(const struct lya_tally *t)
{
	struct lya_pack first = { 0 }, second = { 0 };
	struct lya_tally *again;

	if (lya_tally_pack(t, &first) != LYA_OK ||
	    lya_tally_unpack(&again, first.data, first.len, NULL) != LYA_OK ||
	    lya_tally_pack(again, &second) != LYA_OK)
		abort();
	if (first.len != second.len || memcmp(first.data, second.data, first.len) != 0)
		abort();
	lya_tally_free(again);
	lya_pack_fini(&first);
	lya_pack_fini(&second);
}

static void tell_limits(const struct lya_tally *t)
{
	struct lya_ledger_source *sources;
	struct lya_ledger_end end = { 0 };
	struct lya_limit *limits;
	size_t n;

	if (lya_tally_limits(t, NULL, &limits, &n, NULL) != LYA_OK ||
	    lya_tally_end(t, &end, &sources, NULL) != LYA_OK)
		abort();
	lya_limits_free(limits, n);
	lya_free(sources);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lya_error err = { 0 };
	struct lya_tally *t, *sum;
	uint32_t *map;
	int rc = lya_tally_unpack(&t, data, size, &err);

	if (rc != LYA_OK && (rc != LYA_EINPUT || err.text[0] == '\0'))
		abort();
	if (rc != LYA_OK)
		return 0;
	check_again(t);
	map = lya_calloc(t->n_sources + 1, sizeof(*map));
	if (map == NULL || lya_tally_new(&sum, NULL) != LYA_OK ||
	    lya_tally_merge(sum, t, map, NULL) != LYA_OK ||
	    lya_tally_merge(sum, t, map, NULL) != LYA_OK)
		abort();
	tell_limits(sum);
	lya_free(map);
	lya_tally_free(sum);
	lya_tally_free(t);
	return 0;
}
