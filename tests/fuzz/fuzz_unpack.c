/*
 * fuzz_unpack.c - compressed captures.  A target of its own: setting up the
 * decompressors takes longer than reading the captures does.
 */
#include "capture_frames.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (capture_packing_find(data, size) != NULL)
		input_check(data, size);
	return 0;
}
