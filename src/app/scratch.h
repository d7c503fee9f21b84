/*
 * scratch.h - who uses which part of the lent scratch memory.
 *
 *   side 0: segments that wait | big piece | side 1: segments that wait | big piece
 */
#ifndef LYNCAUDIT_APP_SCRATCH_H
#define LYNCAUDIT_APP_SCRATCH_H

#include "app/machine.h"

enum {
	APP_HELD_MAX = 6144, /* four full Ethernet segments */
	APP_BIG_MAX = 4096   /* a certificate; larger ones are rare and skipped */
};

/* This side's part, borrowing scratch memory first if need be; NULL: none to be had. */
uint8_t *app_scratch_held(struct lya_app_state *st, unsigned side);
uint8_t *app_scratch_big(struct lya_app_state *st, unsigned side);

#endif
