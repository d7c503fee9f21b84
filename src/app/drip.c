/*
 * drip.c - the first bytes of streams that come in small pieces.
 */
#include "lyncaudit/app.h"

#include <string.h>

enum { TLS_HANDSHAKE = 22 };

void lya_app_drip_init(struct lya_app_drip *d)
{
	memset(d, 0, sizeof(*d));
	d->first = -1;
}

void lya_app_drip_start(struct lya_app_drip *d, unsigned side, uint32_t seq)
{
	if (d->known[side])
		return;
	d->known[side] = true;
	d->next_seq[side] = seq;
}

/* Bytes of a side that are kept at most: with one more a recogniser could speak. */
static size_t limit(const struct lya_app_drip *d, unsigned side, const uint8_t *data)
{
	uint8_t first = d->len[side] != 0 ? d->bytes[side][0] : data[0];

	return first == TLS_HANDSHAKE ? LYA_APP_DRIP : LYA_APP_PREFIX - 1;
}

bool lya_app_drip_feed(struct lya_app_drip *d, unsigned side, uint32_t seq, const uint8_t *data,
		       size_t len, size_t full_len)
{
	uint32_t repeated;

	if (len < full_len)
		return false; /* cut: what is missing will not come */
	if (len == 0)
		return true;
	lya_app_drip_start(d, side, seq);
	repeated = d->next_seq[side] - seq;
	if (repeated > INT32_MAX)
		return false; /* too early */
	if (repeated >= len)
		return true;
	data += repeated;
	len -= repeated;
	if (d->len[side] + len > limit(d, side, data))
		return false;
	memcpy(d->bytes[side] + d->len[side], data, len);
	d->len[side] = (uint8_t)(d->len[side] + len);
	d->next_seq[side] += (uint32_t)len;
	if (d->first < 0)
		d->first = (int8_t)side;
	return true;
}

static void pour_side(const struct lya_app_drip *d, unsigned side, struct lya_app_state *st)
{
	uint32_t seq = d->next_seq[side] - d->len[side];

	if (d->known[side])
		lya_app_start(st, side, seq);
	if (d->len[side] != 0)
		lya_app_feed(st, side, seq, d->bytes[side], d->len[side], d->len[side]);
}

void lya_app_drip_pour(const struct lya_app_drip *d, struct lya_app_state *st)
{
	unsigned first = d->first == 1;

	pour_side(d, first, st);
	pour_side(d, !first, st);
}
