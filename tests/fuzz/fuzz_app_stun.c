/*
 * fuzz_app_stun.c - one STUN message; the first byte is how much of it the
 * capture left out.
 */
#include "app_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lya_stun m;

	if (size < 1)
		return 0;
	if (!lya_stun_read(data + 1, size - 1, size - 1 + data[0], &m)) {
		must(!lya_stun_is_request(data + 1, size - 1, size - 1 + data[0]));
		return 0;
	}
	must(lya_stun_is_request(data + 1, size - 1, size - 1 + data[0]) ==
	     (m.rfc5389 && m.request));
	must(size - 1 >= 20);
	must((size_t)m.length + 20 == size - 1 + data[0]);
	must(m.cut == (data[0] > 0));
	must(m.request + m.response + m.error + m.indication == 1);
	must(m.mapped.addr.family == 0 || m.mapped.addr.family == 4 || m.mapped.addr.family == 6);
	must(m.error_code < 800);
	return 0;
}
