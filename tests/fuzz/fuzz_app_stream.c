/*
 * fuzz_app_stream.c - a TCP conversation: every machine, and the two halves of
 * one property: the same bytes in other segments give the same result.
 *
 * Input: parts of two bytes (side in the top bit, length) and that many bytes.
 */
#include "app_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX = 16384 };

/*
 * Feed the conversation; step > 0 cuts every part into segments of so many
 * bytes.  *done tells that the flow was settled before its end: how much of it
 * was looked at then depends on the segments.
 */
static struct lya_app_result run(const uint8_t *data, size_t size, size_t step, bool *done)
{
	struct lya_app_state *st = app_begin(6, false);
	uint32_t seq[2] = { 0xFFFFFF00u, 17 };
	struct lya_app_result res;

	lya_app_start(st, 0, seq[0]);
	lya_app_start(st, 1, seq[1]);
	while (size >= 2) {
		unsigned side = data[0] >> 7;
		size_t len = (size_t)(data[0] & 0x7F) << 8 | data[1];
		size_t cut;

		data += 2;
		size -= 2;
		if (len > size)
			len = size;
		cut = step > 0 ? step : len;
		for (size_t at = 0; at < len; at += cut) {
			size_t n = len - at < cut ? len - at : cut;

			lya_app_feed(st, side, seq[side], data + at, n, n);
			seq[side] += (uint32_t)n;
		}
		data += len;
		size -= len;
	}
	*done |= lya_app_done(st);
	app_end(st, &res);
	return res;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lya_app_result whole, cut;
	bool done = false;

	if (size > MAX)
		return 0;
	whole = run(data, size, 0, &done);
	cut = run(data, size, size % 5 + 1, &done);
	if (done)
		return 0;
	must(whole.app == cut.app && whole.client_side == cut.client_side);
	must(whole.tls == cut.tls && whole.tls_version == cut.tls_version);
	must(whole.seen == cut.seen && whole.service_payload == cut.service_payload);
	return 0;
}
