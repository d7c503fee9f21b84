/*
 * text.h - a string that grows.
 */
#ifndef LYNCAUDIT_TEXT_H
#define LYNCAUDIT_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Zero-initialise; release with lya_text_fini.  data is NUL-terminated once
 * anything was added, else NULL.  After an allocation failed, `failed` stays
 * set and what is added is dropped: ask once at the end.
 */
struct lya_text {
	char *data;
	size_t len, cap;
	bool failed;
};

void lya_text_add(struct lya_text *t, const char *s);
void lya_text_add_len(struct lya_text *t, const char *s, size_t len);
void lya_text_addf(struct lya_text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void lya_text_vaddf(struct lya_text *t, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));
void lya_text_clear(struct lya_text *t); /* empty, memory kept */
void lya_text_fini(struct lya_text *t);
/* The text so far, "" when empty; valid until the next change. */
const char *lya_text_str(const struct lya_text *t);

#endif
