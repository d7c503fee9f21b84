/*
 * smb.c - SMB 1 to 3 behind a NetBIOS or direct TCP header.
 *
 * The negotiation names the client.  Later requests may go the other way (a
 * server breaks an oplock) and name nobody.
 */
#include "app/machine.h"

enum { SMB_PART = 24 /* to the flags of either version */ };

enum { SMB1_NEGOTIATE = 0x72, SMB1_REPLY = 0x80, SMB2_REPLY = 0x01 };

static void note_negotiation(struct lya_app_state *st, unsigned side, const uint8_t *p)
{
	bool negotiate, reply;

	if (p[4] == 0xFF) {
		negotiate = p[8] == SMB1_NEGOTIATE;
		reply = p[13] & SMB1_REPLY;
	} else {
		negotiate = p[4] == 0xFE && p[16] == 0 && p[17] == 0;
		reply = p[20] & SMB2_REPLY;
	}
	if (negotiate)
		app_client_is(st, reply ? !side : side);
}

void app_smb_feed(struct lya_app_state *st, unsigned side, struct lya_cursor *in)
{
	const uint8_t *p = app_piece(&st->stream[side], in, SMB_PART);

	if (p == NULL)
		return;
	app_is(st, LYA_APP_SMB);
	st->service = true;
	note_negotiation(st, side, p);
	app_side_done(st, side);
}
