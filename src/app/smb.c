/*
 * smb.c - SMB 1 to 3 behind a NetBIOS or direct TCP header.
 *
 * On port 139 a NetBIOS session is opened first, which others may use as well:
 * the message after that tells.  The negotiation names the client.  Later
 * requests may go the other way (a server breaks an oplock) and name nobody.
 */
#include "app/machine.h"

#include <string.h>

enum { SMB_PART = 24 /* to the flags of either version */ };

enum { NETBIOS_HDR = 4, SESSION_REQUEST = 0x81, SESSION_YES = 0x82 };

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

/* Bytes that open a NetBIOS session, at the beginning of the stream. */
static uint32_t opening(const uint8_t head[4])
{
	if (head[0] != SESSION_REQUEST && head[0] != SESSION_YES)
		return 0;
	return NETBIOS_HDR + ((uint32_t)(head[1] & 1) << 16 | app_be16(head + 2));
}

void app_smb_feed(struct lya_app_state *st, unsigned side, struct lya_cursor *in)
{
	struct app_stream *s = &st->stream[side];
	const uint8_t *p;

	if (!s->u.smb.begun) {
		s->u.smb.begun = true;
		s->skip = opening(st->side[side].head);
	}
	if (!app_skip(s, in))
		return;
	p = app_piece(s, in, SMB_PART);
	if (p == NULL)
		return;
	if (p[4] >= 0xFC && memcmp(p + 5, "SMB", 3) == 0) {
		app_is(st, LYA_APP_SMB);
		st->service = true;
		note_negotiation(st, side, p);
	}
	app_side_done(st, side);
}
