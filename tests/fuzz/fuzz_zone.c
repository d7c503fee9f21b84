/*
 * fuzz_zone.c - files of time zones: whatever they hold, days follow one another.
 */
#include <stdint.h>
#include <stdlib.h>

#include "lyncaudit/timeutil.h"
#include "lyncaudit/zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lya_zone *z;
	int64_t before = INT64_MIN;

	if (lya_zone_parse(&z, "zone", data, size, NULL) != LYA_OK)
		return 0;
	for (int64_t day = -30000; day < 60000; day += 997) {
		int64_t at = lya_zone_instant(z, day, 3600);

		if (at < before)
			abort();
		before = at;
		(void)lya_zone_day(z, at);
	}
	(void)lya_zone_instant(z, INT64_MAX, 86399);
	(void)lya_zone_day(z, INT64_MIN);
	lya_zone_free(z);
	return 0;
}
