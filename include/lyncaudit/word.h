/*
 * word.h - bytes that stand anywhere, as a number in the machine's own order: to be
 * compared or hashed, or where no order matters.
 */
#ifndef LYNCAUDIT_WORD_H
#define LYNCAUDIT_WORD_H

#include <stdint.h>
#include <string.h>

static inline uint16_t lya_word16(const uint8_t *p)
{
	uint16_t word;

	memcpy(&word, p, sizeof(word));
	return word;
}

/* As wide as what it is summed up or hashed in. */
static inline uint64_t lya_word32(const uint8_t *p)
{
	uint32_t word;

	memcpy(&word, p, sizeof(word));
	return word;
}

static inline uint64_t lya_word64(const uint8_t *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof(word));
	return word;
}

#endif
