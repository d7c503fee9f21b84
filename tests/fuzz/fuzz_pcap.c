/*
 * fuzz_pcap.c - the pcap reader.
 */
#include "capture_frames.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* What is neither pcap nor packed belongs to the other target, or to none. */
	if (size >= 4 && capture_pcapng_magic(data))
		return 0;
	input_check(data, size);
	return 0;
}
