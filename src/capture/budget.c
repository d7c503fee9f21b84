/*
 * budget.c - memory counted against a cap.
 */
#include "capture/budget.h"

#include <stdatomic.h>
#include <stdint.h>

#include "lyncaudit/alloc.h"

/* Room for the size in front of a block, without spoiling its alignment. */
enum { SIZE_ROOM = 16 };

bool capture_budget_take(struct capture_budget *b, size_t size)
{
	size_t used = b->cap->used;

	do {
		b->refused = size > b->cap->max - used;
		if (b->refused)
			return false;
	} while (!atomic_compare_exchange_weak(&b->cap->used, &used, used + size));
	return true;
}

void capture_budget_give(struct capture_budget *b, size_t size)
{
	b->cap->used -= size;
}

void *capture_budget_alloc(struct capture_budget *b, size_t size)
{
	return capture_budget_realloc(b, NULL, 0, size);
}

void *capture_budget_realloc(struct capture_budget *b, void *p, size_t old, size_t size)
{
	void *q;

	if (!capture_budget_take(b, size))
		return NULL;
	q = lya_realloc(p, size);
	capture_budget_give(b, q == NULL ? size : old);
	return q;
}

void capture_budget_free(struct capture_budget *b, void *p, size_t size)
{
	if (p == NULL)
		return;
	lya_free(p);
	capture_budget_give(b, size);
}

void *capture_budget_alloc_sized(struct capture_budget *b, size_t size)
{
	uint8_t *p;

	if (size > SIZE_MAX - SIZE_ROOM) {
		b->refused = true;
		return NULL;
	}
	p = capture_budget_alloc(b, size + SIZE_ROOM);
	if (p == NULL)
		return NULL;
	*(size_t *)(void *)p = size + SIZE_ROOM;
	return p + SIZE_ROOM;
}

void capture_budget_free_sized(struct capture_budget *b, void *p)
{
	uint8_t *block;

	if (p == NULL)
		return;
	block = (uint8_t *)p - SIZE_ROOM;
	capture_budget_free(b, block, *(size_t *)(void *)block);
}

int capture_budget_error(const struct capture_budget *b, const char *what, struct lya_error *err)
{
	if (!b->refused)
		return lya_error_nomem(err);
	return lya_error_set(err, LYA_ELIMIT, NULL, NULL,
			     "%s would pass the cap of %zu MiB for reading captures "
			     "(--max-memory raises it)", what,
			     b->cap->max >> 20);
}
