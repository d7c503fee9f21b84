/*
 * block.c - blocks of a pcapng file.
 */
#include "evidence/block.h"

#include <string.h>

#include "lyncaudit/json.h"

enum { LENGTH_AT = 4, ALIGN = 4 };

static void put(struct lya_text *b, uint64_t n, size_t size)
{
	char bytes[8];

	for (size_t i = 0; i < size; i++)
		bytes[i] = (char)(uint8_t)(n >> 8 * i);
	lya_text_add_len(b, bytes, size);
}

void block_u16(struct lya_text *b, uint16_t n)
{
	put(b, n, 2);
}

void block_u32(struct lya_text *b, uint32_t n)
{
	put(b, n, 4);
}

void block_u64(struct lya_text *b, uint64_t n)
{
	put(b, n, 8);
}

void block_begin(struct lya_text *b, uint32_t type)
{
	lya_text_clear(b);
	block_u32(b, type);
	block_u32(b, 0); /* its length, later */
}

void block_bytes(struct lya_text *b, const void *data, size_t len)
{
	lya_text_add_len(b, data, len);
	lya_text_add_len(b, "\0\0\0", (ALIGN - len % ALIGN) % ALIGN);
}

/* At most `max` bytes of UTF-8, whole characters. */
static size_t cut(const char *text, size_t len, size_t max)
{
	if (len <= max)
		return len;
	while (max > 0 && ((unsigned char)text[max] & 0xc0) == 0x80)
		max--;
	return max;
}

void block_option(struct lya_text *b, uint16_t code, const void *value, size_t len)
{
	len = cut(value, len, UINT16_MAX);
	block_u16(b, code);
	block_u16(b, (uint16_t)len);
	block_bytes(b, value, len);
}

void block_options_end(struct lya_text *b)
{
	block_u32(b, OPTION_END);
}

void block_write(struct lya_text *b, struct lya_output *out)
{
	uint32_t len = (uint32_t)b->len + sizeof(len);

	block_u32(b, len);
	if (b->failed)
		return; /* who made it asks */
	for (size_t i = 0; i < sizeof(len); i++)
		b->data[LENGTH_AT + i] = (char)(uint8_t)(len >> 8 * i);
	lya_output_write(out, b->data, b->len);
}

void block_line(struct lya_text *b, const char *text)
{
	for (size_t left = strlen(text); left > 0;) {
		unsigned len = lya_utf8_len(text, left);
		unsigned char c = (unsigned char)text[0];
		bool steers = len == 0 || c < 0x20 || c == 0x7f ||
			      (c == 0xc2 && (unsigned char)text[1] < 0xa0);

		if (len == 0)
			len = 1;
		if (steers)
			lya_text_add(b, "?");
		else
			lya_text_add_len(b, text, len);
		text += len;
		left -= len;
	}
}
