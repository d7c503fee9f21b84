/*
 * zone.c - the last day of an exception, in the site's time zone, as an instant.
 */
#include "site/load.h"

/* The first second of the day after: there are zones where that begins at one o'clock. */
void site_set_expiries(struct lya_site *site)
{
	for (size_t i = 0; i < site->n_exceptions; i++) {
		struct lya_exception *e = &site->exceptions[i];

		if (e->has_expiry)
			e->expires_ns = lya_zone_instant(site->zone, e->expires_days + 1, 0);
	}
}
