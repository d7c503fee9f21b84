/*
 * fuzz_app_datagrams.c - the datagrams of a UDP flow.
 *
 * Input: datagrams of two bytes (side in the top bit, cut in the next, length)
 * and that many bytes.
 */
#include "app_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lya_app_state *st = app_begin(17, false);
	struct lya_app_result res;

	while (size >= 2) {
		unsigned side = data[0] >> 7;
		bool cut = data[0] & 0x40;
		size_t len = (size_t)(data[0] & 0x0F) << 8 | data[1];
		uint8_t *copy;

		data += 2;
		size -= 2;
		if (len > size)
			len = size;
		copy = malloc(len == 0 ? 1 : len);
		must(copy != NULL);
		memcpy(copy, data, len);
		lya_app_feed(st, side, 0, copy, len, cut ? len + 40 : len);
		free(copy);
		data += len;
		size -= len;
	}
	app_end(st, &res);
	must(res.tls == 0);
	return 0;
}
