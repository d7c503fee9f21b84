/*
 * fuzz_app_segments.c - segments in any order, repeated, overlapping, lost and
 * captured short, with scratch memory and without.
 *
 * Input: one byte of options, then segments: side and flags, offset (2),
 * bytes captured (1), bytes not captured (1), and the bytes.
 */
#include "app_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX = 8192, STINGY = 1, START = 2 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lya_app_state *st;
	struct lya_app_result res;

	if (size < 1 || size > MAX)
		return 0;
	st = app_begin(6, data[0] & STINGY);
	if (data[0] & START) {
		lya_app_start(st, 0, 0);
		lya_app_start(st, 1, 0);
	}
	data++;
	size--;
	while (size >= 5) {
		unsigned side = data[0] & 1;
		uint32_t seq = (uint32_t)data[1] << 8 | data[2];
		size_t len = data[3], more = data[4];
		uint8_t *copy;

		if (data[0] & 2) /* far away */
			seq ^= 0x80000000u;
		data += 5;
		size -= 5;
		if (len > size)
			len = size;
		copy = malloc(len == 0 ? 1 : len);
		must(copy != NULL);
		memcpy(copy, data, len);
		lya_app_feed(st, side, seq, copy, len, len + more);
		free(copy);
		data += len;
		size -= len;
	}
	app_end(st, &res);
	return 0;
}
