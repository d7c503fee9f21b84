/*
 * greet.c - TDS pre-login, RDP and SSH: streams whose first bytes say it all.
 *
 * app_choose has compared them; what is left is who the client is.
 */
#include "app/machine.h"

enum { TDS_PRELOGIN = 0x12, X224_REQUEST = 0xE0 };

/* The sender of this first byte, at offset `at`, is the client; any other value answers it. */
static void greet(struct lya_app_state *st, unsigned side, enum lya_app app, size_t at,
		  uint8_t asks)
{
	app_is_single(st, app, st->side[side].head[at] == asks ? (int)side : (int)!side);
	app_side_done(st, side);
}

void app_tds_feed(struct lya_app_state *st, unsigned side, struct lya_cursor *in)
{
	(void)in;
	greet(st, side, LYA_APP_TDS, 0, TDS_PRELOGIN);
}

void app_rdp_feed(struct lya_app_state *st, unsigned side, struct lya_cursor *in)
{
	(void)in;
	greet(st, side, LYA_APP_RDP, 5, X224_REQUEST);
}

/* Both ends of SSH greet alike. */
void app_ssh_feed(struct lya_app_state *st, unsigned side, struct lya_cursor *in)
{
	(void)in;
	app_is_single(st, LYA_APP_SSH, -1);
	app_side_done(st, side);
}
