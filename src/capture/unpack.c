/*
 * unpack.c - gzip, zstd, lz4 and xz, in bounded memory.
 *
 * Each kind is a row of functions that move bytes from one span to another;
 * what is common is here: reading, members one behind the other (as `cat
 * a.gz b.gz` makes them), zeros behind the last, and an end that comes too
 * soon.  Memory comes from the capture's budget, so a file that claims a
 * window of gigabytes is refused and not obeyed.
 */
#include "capture/unpack.h"

#include <stdbool.h>
#include <string.h>

#include <lz4frame.h>
#include <lzma.h>
#include <zlib.h>
#define ZSTD_STATIC_LINKING_ONLY /* for ZSTD_customMem */
#include <zstd.h>
#include <zstd_errors.h>

#include "lyncaudit/alloc.h"

enum {
	INPUT_LEN = 65536,
	ZSTD_WINDOW_LOG_MAX = 27
}; /* 128 MiB: as far as zstd itself goes unasked */

/* libLZ4 has no allocation hooks: two blocks of 4 MiB, their dictionary and the rest. */
static const size_t lz4_bytes = (size_t)9 << 20;

enum step { STEP_ON, STEP_MEMBER_END, STEP_NO_MEMORY, STEP_BROKEN };

struct span {
	const uint8_t *in;
	size_t in_left;
	uint8_t *out;
	size_t out_left;
};

union state {
	z_stream gzip;
	lzma_stream xz;
	ZSTD_DCtx *zstd;
	LZ4F_dctx *lz4;
};

struct capture_packing {
	const char *name;
	size_t magic_len;
	uint8_t magic[CAPTURE_HEAD_LEN];
	/* Make the state ready for a first member; false: no memory, and nothing to end. */
	bool (*begin)(struct capture_unpack *u);
	/* Make it ready for the next one. */
	bool (*again)(struct capture_unpack *u);
	/* Move what can be moved; *why is set with STEP_BROKEN. */
	enum step (*run)(struct capture_unpack *u, struct span *s, const char **why);
	void (*end)(struct capture_unpack *u);
};

struct capture_unpack {
	const struct capture_packing *packing;
	struct capture_bytes *bytes;
	struct capture_budget *budget;
	union state state;
	lzma_allocator lzma_memory;
	bool between;      /* between members: the last one is whole */
	bool in_end;       /* no more compressed bytes */
	size_t zstd_wants; /* bytes that a call may be given */
	size_t in_pos, in_len;
	uint8_t in[INPUT_LEN];
};

/* gzip (RFC 1952) --------------------------------------------------------- */

static voidpf gzip_alloc(voidpf opaque, uInt n, uInt size)
{
	return capture_budget_alloc_sized(opaque, (size_t)n * size);
}

static void gzip_free(voidpf opaque, voidpf p)
{
	capture_budget_free_sized(opaque, p);
}

static bool gzip_begin(struct capture_unpack *u)
{
	u->state.gzip = (z_stream){ .zalloc = gzip_alloc, .zfree = gzip_free, .opaque = u->budget };
	return inflateInit2(&u->state.gzip, MAX_WBITS + 16) == Z_OK; /* 16: a gzip header */
}

static bool gzip_again(struct capture_unpack *u)
{
	return inflateReset(&u->state.gzip) == Z_OK;
}

static enum step gzip_run(struct capture_unpack *u, struct span *s, const char **why)
{
	z_stream *z = &u->state.gzip;
	size_t out = s->out_left > UINT32_MAX ? UINT32_MAX : s->out_left;
	int rc;

	z->next_in = (Bytef *)(uintptr_t)s->in; /* zlib reads only, but its pointer is not const */
	z->avail_in = (uInt)s->in_left;
	z->next_out = s->out;
	z->avail_out = (uInt)out;
	rc = inflate(z, Z_NO_FLUSH);
	s->in += s->in_left - z->avail_in;
	s->in_left = z->avail_in;
	s->out += out - z->avail_out;
	s->out_left -= out - z->avail_out;
	if (rc == Z_STREAM_END)
		return STEP_MEMBER_END;
	if (rc == Z_OK || rc == Z_BUF_ERROR)
		return STEP_ON;
	*why = z->msg == NULL ? "invalid data" : z->msg;
	return rc == Z_MEM_ERROR ? STEP_NO_MEMORY : STEP_BROKEN;
}

static void gzip_end(struct capture_unpack *u)
{
	inflateEnd(&u->state.gzip);
}

/* xz ---------------------------------------------------------------------- */

static void *xz_alloc(void *opaque, size_t n, size_t size)
{
	if (size != 0 && n > SIZE_MAX / size)
		return NULL;
	return capture_budget_alloc_sized(opaque, n * size);
}

static void xz_free(void *opaque, void *p)
{
	capture_budget_free_sized(opaque, p);
}

static bool xz_again(struct capture_unpack *u)
{
	/* The budget is the limit; the decoder's own would only be a second one. */
	return lzma_stream_decoder(&u->state.xz, UINT64_MAX, 0) == LZMA_OK;
}

static bool xz_begin(struct capture_unpack *u)
{
	u->lzma_memory =
	    (lzma_allocator){ .alloc = xz_alloc, .free = xz_free, .opaque = u->budget };
	u->state.xz = (lzma_stream)LZMA_STREAM_INIT;
	u->state.xz.allocator = &u->lzma_memory;
	return xz_again(u);
}

static const char *xz_reason(lzma_ret rc)
{
	switch (rc) {
	case LZMA_FORMAT_ERROR:
		return "no xz stream";
	case LZMA_OPTIONS_ERROR:
		return "options that are not known";
	case LZMA_DATA_ERROR:
		return "invalid data";
	default:
		return "cannot be unpacked";
	}
}

static enum step xz_run(struct capture_unpack *u, struct span *s, const char **why)
{
	lzma_stream *z = &u->state.xz;
	lzma_ret rc;

	z->next_in = s->in;
	z->avail_in = s->in_left;
	z->next_out = s->out;
	z->avail_out = s->out_left;
	rc = lzma_code(z, LZMA_RUN);
	s->in = z->next_in;
	s->in_left = z->avail_in;
	s->out = z->next_out;
	s->out_left = z->avail_out;
	if (rc == LZMA_STREAM_END)
		return STEP_MEMBER_END;
	if (rc == LZMA_OK || rc == LZMA_BUF_ERROR)
		return STEP_ON;
	*why = xz_reason(rc);
	return rc == LZMA_MEM_ERROR || rc == LZMA_MEMLIMIT_ERROR ? STEP_NO_MEMORY : STEP_BROKEN;
}

static void xz_end(struct capture_unpack *u)
{
	lzma_end(&u->state.xz);
}

/* zstd (RFC 8878) --------------------------------------------------------- */

static void *zstd_alloc(void *opaque, size_t size)
{
	return capture_budget_alloc_sized(opaque, size);
}

static void zstd_free(void *opaque, void *p)
{
	capture_budget_free_sized(opaque, p);
}

static bool zstd_again(struct capture_unpack *u)
{
	u->zstd_wants = ZSTD_FRAMEHEADERSIZE_MAX;
	return !ZSTD_isError(ZSTD_DCtx_reset(u->state.zstd, ZSTD_reset_session_only));
}

static bool zstd_begin(struct capture_unpack *u)
{
	ZSTD_customMem memory = { zstd_alloc, zstd_free, u->budget };

	u->state.zstd = ZSTD_createDCtx_advanced(memory);
	if (u->state.zstd == NULL)
		return false;
	ZSTD_DCtx_setParameter(u->state.zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX);
	return zstd_again(u);
}

/*
 * In a call that fails libzstd does not say what it wrote before.  So it is
 * given no more than it asked for, which is a block: what was whole before the
 * broken one is not lost.
 */
static enum step zstd_run(struct capture_unpack *u, struct span *s, const char **why)
{
	ZSTD_inBuffer in = { s->in, s->in_left < u->zstd_wants ? s->in_left : u->zstd_wants, 0 };
	ZSTD_outBuffer out = { s->out, s->out_left, 0 };
	size_t rc = ZSTD_decompressStream(u->state.zstd, &out, &in);

	s->in += in.pos;
	s->in_left -= in.pos;
	s->out += out.pos;
	s->out_left -= out.pos;
	if (ZSTD_isError(rc)) {
		*why = ZSTD_getErrorName(rc);
		return ZSTD_getErrorCode(rc) == ZSTD_error_memory_allocation ? STEP_NO_MEMORY
									     : STEP_BROKEN;
	}
	u->zstd_wants = rc;
	return rc == 0 ? STEP_MEMBER_END : STEP_ON;
}

static void zstd_end(struct capture_unpack *u)
{
	ZSTD_freeDCtx(u->state.zstd);
}

/* lz4 frames -------------------------------------------------------------- */

static bool lz4_begin(struct capture_unpack *u)
{
	if (!capture_budget_take(u->budget, lz4_bytes))
		return false;
	if (LZ4F_isError(LZ4F_createDecompressionContext(&u->state.lz4, LZ4F_VERSION))) {
		capture_budget_give(u->budget, lz4_bytes);
		return false;
	}
	return true;
}

static bool lz4_again(struct capture_unpack *u)
{
	LZ4F_resetDecompressionContext(u->state.lz4);
	return true;
}

static enum step lz4_run(struct capture_unpack *u, struct span *s, const char **why)
{
	size_t in = s->in_left;
	size_t out = s->out_left;
	size_t rc = LZ4F_decompress(u->state.lz4, s->out, &out, s->in, &in, NULL);

	if (LZ4F_isError(rc)) {
		*why = LZ4F_getErrorName(rc);
		return STEP_BROKEN;
	}
	s->in += in;
	s->in_left -= in;
	s->out += out;
	s->out_left -= out;
	return rc == 0 ? STEP_MEMBER_END : STEP_ON;
}

static void lz4_end(struct capture_unpack *u)
{
	LZ4F_freeDecompressionContext(u->state.lz4);
	capture_budget_give(u->budget, lz4_bytes);
}

/* All of them ------------------------------------------------------------- */

static const struct capture_packing packings[] = {
	{ "gzip", 3, { 0x1f, 0x8b, 0x08 }, gzip_begin, gzip_again, gzip_run, gzip_end },
	{ "zstd", 4, { 0x28, 0xb5, 0x2f, 0xfd }, zstd_begin, zstd_again, zstd_run, zstd_end },
	{ "lz4", 4, { 0x04, 0x22, 0x4d, 0x18 }, lz4_begin, lz4_again, lz4_run, lz4_end },
	{ "xz", 6, { 0xfd, '7', 'z', 'X', 'Z', 0x00 }, xz_begin, xz_again, xz_run, xz_end },
};

const struct capture_packing *capture_packing_find(const uint8_t *head, size_t len)
{
	for (size_t i = 0; i < sizeof(packings) / sizeof(packings[0]); i++) {
		if (len >= packings[i].magic_len &&
		    memcmp(head, packings[i].magic, packings[i].magic_len) == 0)
			return &packings[i];
	}
	return NULL;
}

static int unpack_no_memory(const struct capture_unpack *u, struct lya_error *err)
{
	return capture_budget_error(u->budget, "unpacking it", err);
}

int capture_unpack_open(struct capture_unpack **out, const struct capture_packing *packing,
			struct capture_bytes *bytes, struct capture_budget *budget,
			struct lya_error *err)
{
	struct capture_unpack *u = capture_budget_alloc(budget, sizeof(*u));

	*out = NULL;
	if (u == NULL)
		return capture_budget_error(budget, "unpacking it", err);
	memset(u, 0, sizeof(*u));
	u->packing = packing;
	u->bytes = bytes;
	u->budget = budget;
	budget->refused = false;
	if (!packing->begin(u)) {
		int rc = unpack_no_memory(u, err);

		capture_budget_free(budget, u, sizeof(*u));
		return rc;
	}
	*out = u;
	return LYA_OK;
}

void capture_unpack_close(struct capture_unpack *u)
{
	if (u == NULL)
		return;
	u->packing->end(u);
	capture_budget_free(u->budget, u, sizeof(*u));
}

const char *capture_unpack_name(const struct capture_unpack *u)
{
	return u->packing->name;
}

/* Have compressed bytes, unless there are no more. */
static int unpack_input(struct capture_unpack *u, struct lya_error *err)
{
	int rc;

	if (u->in_pos < u->in_len || u->in_end)
		return LYA_OK;
	u->in_pos = 0;
	u->in_len = 0;
	rc = capture_bytes_read(u->bytes, u->in, sizeof(u->in), &u->in_len, err);
	u->in_end = rc == LYA_OK && u->in_len == 0;
	return rc;
}

static int unpack_broken(const struct capture_unpack *u, const char *why, struct lya_error *err)
{
	return lya_error_set(err, LYA_EINPUT, NULL, NULL, "its %s data is broken here: %s",
			     u->packing->name, why);
}

/* Between members: pass zeros, and begin the next member if there is one. */
static int unpack_again(struct capture_unpack *u, struct lya_error *err)
{
	while (u->between) {
		int rc = unpack_input(u, err);

		if (rc != LYA_OK || u->in_end)
			return rc;
		if (u->in[u->in_pos] == 0) {
			u->in_pos++;
			continue;
		}
		if (!u->packing->again(u))
			return unpack_no_memory(u, err);
		u->between = false;
	}
	return LYA_OK;
}

/* One step of the decompressor into buf. */
static int unpack_step(struct capture_unpack *u, uint8_t *buf, size_t size, size_t *got,
		       struct lya_error *err)
{
	struct span s = { u->in + u->in_pos, u->in_len - u->in_pos, buf, size };
	const char *why = "";
	enum step step;

	u->budget->refused = false;
	step = u->packing->run(u, &s, &why);
	u->in_pos = u->in_len - s.in_left;
	*got = size - s.out_left;
	if (step == STEP_NO_MEMORY)
		return unpack_no_memory(u, err);
	if (step == STEP_BROKEN)
		return unpack_broken(u, why, err);
	u->between = step == STEP_MEMBER_END;
	return LYA_OK;
}

int capture_unpack_read(struct capture_unpack *u, uint8_t *buf, size_t size, size_t *got,
			struct lya_error *err)
{
	*got = 0;
	while (*got == 0) {
		bool last;
		int rc = unpack_again(u, err);

		if (rc == LYA_OK && !u->between)
			rc = unpack_input(u, err);
		if (rc != LYA_OK || u->between)
			return rc;
		last = u->in_end; /* what the decompressor still holds may come without input */
		rc = unpack_step(u, buf, size, got, err);
		if (rc != LYA_OK)
			return rc;
		if (last && *got == 0 && !u->between)
			return unpack_broken(u, "it ends too soon", err);
	}
	return LYA_OK;
}
