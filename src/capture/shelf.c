/*
 * shelf.c - buffers that given frames still borrow.
 */
#include "capture/shelf.h"

#include <stdbool.h>

#include "lyncaudit/alloc.h"

static bool is_free(const struct capture_shelf *s, const struct capture_shelved *b)
{
	return b->call + s->hold < s->call;
}

static struct capture_shelved take_out(struct capture_shelf *s, size_t i)
{
	struct capture_shelved b = s->list[i];

	s->list[i] = s->list[--s->n];
	return b;
}

/* A buffer that nobody borrows any more; those that are too small are of no use to anybody. */
static struct capture_shelved find(struct capture_shelf *s, size_t want)
{
	for (size_t i = 0; i < s->n;) {
		struct capture_shelved b;

		if (!is_free(s, &s->list[i])) {
			i++;
			continue;
		}
		b = take_out(s, i);
		if (b.size >= want)
			return b;
		capture_budget_free(&s->budget, b.buf, b.size);
	}
	return (struct capture_shelved){ .size = want,
					 .buf = capture_budget_alloc(&s->budget, want) };
}

static int have_room(struct capture_shelf *s, size_t n, struct lya_error *err)
{
	void *list = s->list;

	if (lya_grow(&list, &s->cap, n, sizeof(*s->list)) != LYA_OK)
		return lya_error_nomem(err);
	s->list = list;
	return LYA_OK;
}

int capture_shelf_join(struct capture_shelf *s, struct lya_error *err)
{
	int rc = have_room(s, s->n + s->readers + 1, err);

	s->readers += rc == LYA_OK;
	return rc;
}

/* Let go of what nobody borrows any more. */
static void trim(struct capture_shelf *s)
{
	for (size_t i = 0; i < s->n;) {
		if (is_free(s, &s->list[i])) {
			struct capture_shelved b = take_out(s, i);

			capture_budget_free(&s->budget, b.buf, b.size);
		} else {
			i++;
		}
	}
}

void capture_shelf_leave(struct capture_shelf *s, uint8_t *buf, size_t size)
{
	trim(s); /* small files never change their buffer: a ring of them would fill the shelf */
	s->readers--;
	if (buf != NULL)
		s->list[s->n++] = (struct capture_shelved){ buf, size, s->call };
}

int capture_shelf_change(struct capture_shelf *s, uint8_t **buf, size_t *size, size_t want,
			 struct lya_error *err)
{
	int rc = have_room(s, s->n + s->readers + 1, err);
	struct capture_shelved b;

	if (rc != LYA_OK)
		return rc;
	b = find(s, want);
	if (b.buf == NULL)
		return capture_budget_error(&s->budget, "a buffer for its packets", err);
	s->list[s->n++] = (struct capture_shelved){ *buf, *size, s->call };
	*buf = b.buf;
	*size = b.size;
	return LYA_OK;
}

void capture_shelf_fini(struct capture_shelf *s)
{
	for (size_t i = 0; i < s->n; i++)
		capture_budget_free(&s->budget, s->list[i].buf, s->list[i].size);
	lya_free(s->list);
	s->list = NULL;
	s->n = s->cap = 0;
}
