/*
 * text.c - a string that grows.
 */
#include "lyncaudit/text.h"

#include <stdio.h>
#include <string.h>

#include "lyncaudit/alloc.h"

static bool make_room(struct lya_text *t, size_t more)
{
	if (t->failed)
		return false;
	if (lya_grow((void **)&t->data, &t->cap, t->len + more + 1, 1) < 0) {
		t->failed = true;
		return false;
	}
	return true;
}

void lya_text_add_len(struct lya_text *t, const char *s, size_t len)
{
	if (!make_room(t, len))
		return;
	memcpy(t->data + t->len, s, len);
	t->len += len;
	t->data[t->len] = '\0';
}

void lya_text_add(struct lya_text *t, const char *s)
{
	lya_text_add_len(t, s, strlen(s));
}

void lya_text_vaddf(struct lya_text *t, const char *fmt, va_list ap)
{
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (n < 0 || !make_room(t, (size_t)n))
		return;
	(void)vsnprintf(t->data + t->len, (size_t)n + 1, fmt, ap);
	t->len += (size_t)n;
}

void lya_text_addf(struct lya_text *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	lya_text_vaddf(t, fmt, ap);
	va_end(ap);
}

void lya_text_clear(struct lya_text *t)
{
	t->len = 0;
	if (t->data != NULL)
		t->data[0] = '\0';
}

void lya_text_fini(struct lya_text *t)
{
	lya_free(t->data);
	memset(t, 0, sizeof(*t));
}

const char *lya_text_str(const struct lya_text *t)
{
	return t->data != NULL ? t->data : "";
}
