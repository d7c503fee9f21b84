/*
 * fuzz_pcap.c - the pcap reader.
 */
#include "capture_frames.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 4 || !capture_pcap_magic(data))
		return 0;
	input_check(data, size);
	return 0;
}
