/*
 * block.h - blocks of a pcapng file, built in memory (draft-ietf-opsawg-pcapng).
 *
 * Always in little-endian order, on whatever machine: the same packets leave the
 * same bytes.
 */
#ifndef LYNCAUDIT_EVIDENCE_BLOCK_H
#define LYNCAUDIT_EVIDENCE_BLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "lyncaudit/output.h"
#include "lyncaudit/text.h"

enum {
	BLOCK_SECTION = 0x0a0d0d0a,
	BLOCK_INTERFACE = 1,
	BLOCK_PACKET = 6 /* enhanced */
};

enum {
	OPTION_END = 0,
	OPTION_COMMENT = 1,
	OPTION_NAME = 2,      /* of an interface */
	OPTION_USERAPPL = 4,  /* of a section: who wrote it */
	OPTION_TSRESOL = 9,
	OPTION_TSOFFSET = 14
};

/* A block in the making: its bytes in a text, whose failure is asked for at the end. */
void block_begin(struct lya_text *b, uint32_t type);
void block_u16(struct lya_text *b, uint16_t n);
void block_u32(struct lya_text *b, uint32_t n);
void block_u64(struct lya_text *b, uint64_t n);
/* Bytes, and zeroes up to a multiple of four. */
void block_bytes(struct lya_text *b, const void *data, size_t len);
/* An option of any bytes; what is longer than an option can be is cut. */
void block_option(struct lya_text *b, uint16_t code, const void *value, size_t len);
/* The end of the options, of which there was one at least. */
void block_options_end(struct lya_text *b);
/* Its length is known: write it. */
void block_write(struct lya_text *b, struct lya_output *out);

/*
 * Text from anywhere as one line of UTF-8: what is none, and what would steer a
 * terminal, becomes '?'.
 */
void block_line(struct lya_text *b, const char *text);

#endif
