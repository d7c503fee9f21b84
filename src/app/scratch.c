/*
 * scratch.c - who uses which part of the lent scratch memory.
 */
#include "app/scratch.h"

_Static_assert(2 * (APP_HELD_MAX + APP_BIG_MAX) <= LYA_APP_SCRATCH, "both sides have room");

static uint8_t *borrow(struct lya_app_state *st)
{
	if (st->scratch == NULL && st->obs != NULL && st->obs->lend != NULL)
		st->scratch = st->obs->lend(st->obs->ctx);
	return st->scratch;
}

uint8_t *app_scratch_held(struct lya_app_state *st, unsigned side)
{
	uint8_t *scratch = borrow(st);

	return scratch == NULL ? NULL : scratch + side * (size_t)(APP_HELD_MAX + APP_BIG_MAX);
}

uint8_t *app_scratch_big(struct lya_app_state *st, unsigned side)
{
	uint8_t *scratch = app_scratch_held(st, side);

	return scratch == NULL ? NULL : scratch + APP_HELD_MAX;
}
