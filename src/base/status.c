/*
 * status.c - reasons for failures, one or many.
 */
#include "lyncaudit/status.h"

#include <stdio.h>
#include <string.h>

#include "lyncaudit/alloc.h"

/* Write "FILE: PLACE: " into buf; returns its length, held below size. */
static size_t write_where(char *buf, size_t size, const char *file, const char *place)
{
	int n = snprintf(buf, size, "%s%s%s%s", file != NULL ? file : "", file != NULL ? ": " : "",
			 place != NULL && place[0] != '\0' ? place : "",
			 place != NULL && place[0] != '\0' ? ": " : "");

	if (n < 0)
		return 0;
	return (size_t)n < size ? (size_t)n : size - 1;
}

int lya_error_set(struct lya_error *err, enum lya_status status, const char *file,
		  const char *place, const char *fmt, ...)
{
	char text[LYA_ERROR_LEN]; /* an argument may point into err->text */
	size_t used;
	va_list ap;

	if (err == NULL)
		return status;
	used = write_where(text, sizeof(text), file, place);
	va_start(ap, fmt);
	(void)vsnprintf(text + used, sizeof(text) - used, fmt, ap);
	va_end(ap);
	err->status = status;
	memcpy(err->text, text, sizeof(text));
	return status;
}

int lya_error_nomem(struct lya_error *err)
{
	return lya_error_set(err, LYA_ENOMEM, NULL, NULL, "out of memory");
}

static char *make_text(const char *file, const char *place, const char *fmt, va_list ap)
    __attribute__((format(printf, 3, 0)));

static char *make_text(const char *file, const char *place, const char *fmt, va_list ap)
{
	char text[LYA_ERROR_LEN];
	size_t used = write_where(text, sizeof(text), file, place);

	(void)vsnprintf(text + used, sizeof(text) - used, fmt, ap);
	return lya_strdup(text);
}

void lya_diags_add(struct lya_diags *d, enum lya_diag_level level, const char *file,
		   const char *place, const char *fmt, ...)
{
	va_list ap;
	char *text;

	if (d->nomem) /* something is missing, and this may be about that */
		return;
	if (d->n == LYA_DIAGS_MAX) {
		d->errors += level == LYA_DIAG_ERROR;
		d->dropped++;
		return;
	}
	va_start(ap, fmt);
	text = make_text(file, place, fmt, ap);
	va_end(ap);
	if (text == NULL || lya_grow((void **)&d->list, &d->cap, d->n + 1, sizeof(*d->list)) < 0) {
		lya_free(text);
		d->nomem = true;
		return;
	}
	d->errors += level == LYA_DIAG_ERROR;
	d->list[d->n++] = (struct lya_diag){ .level = level, .text = text };
}

void lya_diags_fini(struct lya_diags *d)
{
	for (size_t i = 0; i < d->n; i++)
		lya_free(d->list[i].text);
	lya_free(d->list);
	memset(d, 0, sizeof(*d));
}

int lya_diags_error(const struct lya_diags *d, struct lya_error *err)
{
	if (d->nomem)
		return lya_error_nomem(err);
	if (d->errors == 0)
		return LYA_OK;
	for (size_t i = 0; i < d->n; i++) {
		if (d->list[i].level != LYA_DIAG_ERROR)
			continue;
		if (d->errors == 1)
			return lya_error_set(err, LYA_EINPUT, NULL, NULL, "%s", d->list[i].text);
		return lya_error_set(err, LYA_EINPUT, NULL, NULL, "%s (and %zu more)",
				     d->list[i].text, d->errors - 1);
	}
	return lya_error_set(err, LYA_EINPUT, NULL, NULL, "%zu errors", d->errors);
}
