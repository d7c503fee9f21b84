/*
 * scan.h - the check that a text must pass before json-c sees it.
 */
#ifndef JSON_SCAN_H
#define JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "lyncaudit/status.h"

/*
 * Check text (len bytes and a NUL behind them) and blank its comments in
 * place, so that offsets stay what they were.  Faults go to diags; false when
 * the text is no JSON at all, which is then the last fault noted.  *nomem is
 * set when memory ran out.
 */
bool json_scan(char *text, size_t len, const char *name, struct lya_diags *diags, bool *nomem);

/*
 * Is there a control character (C0, DEL, C1) in the UTF-8 text at s?  Returns it,
 * 0 when there is none; *at (may be NULL) is where.
 */
unsigned json_find_control(const char *s, const char **at);
/* Put '?' for control characters: messages quote what files hold, and terminals obey it. */
void json_clean(char *s);

#endif
