/*
 * ahead.h - memory that is wanted soon.
 *
 * A table that is larger than the caches is walked in handfuls: first every
 * line of a handful is asked for, then each is used, so that the waits overlap.
 */
#ifndef LYNCAUDIT_AHEAD_H
#define LYNCAUDIT_AHEAD_H

#include <stdint.h>

/*
 * Ask the caches for the line at p, which must be readable.  It is a load that
 * nobody waits for and not a prefetch, for processors drop those when the page's
 * translation is not at hand, as it seldom is in tables of this size.
 */
static inline void lya_ask_ahead(const void *p)
{
	(void)*(const volatile uint8_t *)p;
}

#endif
