/*
 * interface.c - what a capture says of its interfaces, kept for who writes its
 * packets again.
 *
 * A file may hold any number of interfaces with names of any length, so both
 * are bounded, and all of it is counted; where it would pass the cap nothing is
 * kept, which loses no packet.
 */
#include "capture/interface.h"

#include <string.h>

enum { FIRST = 4, NAME_MAX_LEN = 255 };

void capture_interfaces_clear(struct lya_interfaces *all, struct capture_cap *cap)
{
	struct capture_budget budget = { .cap = cap };

	for (size_t i = 0; i < all->n; i++) {
		char *name = all->list[i].name;

		capture_budget_free(&budget, name, name != NULL ? strlen(name) + 1 : 0);
	}
	capture_budget_free(&budget, all->list, all->cap * sizeof(*all->list));
	*all = (struct lya_interfaces){ 0 };
}

/* Room for one more; false when there is none. */
static bool grow(struct lya_interfaces *all, struct capture_budget *budget)
{
	size_t cap = all->cap == 0 ? FIRST : 2 * all->cap;
	void *list;

	if (all->n < all->cap)
		return true;
	list = capture_budget_realloc(budget, all->list, all->cap * sizeof(*all->list),
				      cap * sizeof(*all->list));
	if (list == NULL)
		return false;
	all->list = list;
	all->cap = cap;
	return true;
}

int capture_interfaces_add(struct lya_interfaces *all, size_t number,
			   struct capture_cap *cap, const struct lya_interface *what,
			   const void *name, size_t name_len, struct lya_error *err)
{
	struct capture_budget budget = { .cap = cap };
	struct lya_interface *i;

	if (all == NULL || number != all->n || number == LYA_SOURCE_INTERFACES_MAX)
		return LYA_OK;
	if (!grow(all, &budget))
		return budget.refused ? LYA_OK : lya_error_nomem(err);
	i = &all->list[all->n];
	*i = *what;
	i->name = NULL;
	name_len = strnlen(name, name_len < NAME_MAX_LEN ? name_len : NAME_MAX_LEN);
	if (name_len > 0) {
		i->name = capture_budget_alloc(&budget, name_len + 1);
		if (i->name == NULL)
			return budget.refused ? LYA_OK : lya_error_nomem(err);
		memcpy(i->name, name, name_len);
		i->name[name_len] = '\0';
	}
	all->n++;
	return LYA_OK;
}
