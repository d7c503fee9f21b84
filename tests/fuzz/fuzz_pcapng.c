/*
 * fuzz_pcapng.c - the pcapng reader.
 */
#include "capture_frames.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 4 || !capture_pcapng_magic(data))
		return 0;
	input_check(data, size);
	return 0;
}
