/*
 * output.h - files that appear whole or not at all.
 *
 * A regular file is written without a name or, where the file system cannot do
 * that, under a temporary one beside the final one; lya_output_commit flushes it
 * to disk and gives it its name.  Until then the final name keeps what it had.
 * Devices, pipes and standard output ("-") are written to
 * directly.  Write errors are sticky: write on, and ask commit.
 */
#ifndef LYNCAUDIT_OUTPUT_H
#define LYNCAUDIT_OUTPUT_H

#include <stddef.h>

#include "lyncaudit/status.h"
#include "lyncaudit/text.h"

struct lya_output;

/*
 * Open `path` ("-" is standard output) with permissions 0600 or, when
 * `readable` is set, 0644 less the umask.  *out is to be committed or aborted.
 * Errors: LYA_EOUTPUT naming the path, LYA_ENOMEM.
 */
int lya_output_open(struct lya_output **out, const char *path, bool readable,
                    struct lya_error *err);
/*
 * The same where `guard` is a folder below which others write (folder.h; -1: none): no
 * symbolic link of theirs leads elsewhere.
 */
int lya_output_open_guarded(struct lya_output **out, const char *path, int guard, bool readable,
                            struct lya_error *err);
/* The same into a descriptor, which stays the caller's; name is for messages. */
int lya_output_open_fd(struct lya_output **out, int fd, const char *name, struct lya_error *err);
/*
 * The same into a text (appended at the latest by commit), which must outlive *out; what it
 * lacks memory for is told by the text.
 */
int lya_output_open_text(struct lya_output **out, struct lya_text *text, struct lya_error *err);
/* Add bytes; buffered. */
void lya_output_write(struct lya_output *out, const void *data, size_t len);
void lya_output_puts(struct lya_output *out, const char *s);
void lya_output_printf(struct lya_output *out, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Push what is buffered to the kernel (line logs that others follow). 0 or LYA_EOUTPUT. */
int lya_output_flush(struct lya_output *out);
/* Nonzero once a write has failed. */
int lya_output_failed(const struct lya_output *out);
/*
 * Finish: flush, fsync, rename.  Frees out in any case.  On failure returns
 * LYA_EOUTPUT, and no file stands under the final name that was not there before.
 */
int lya_output_commit(struct lya_output *out, struct lya_error *err);
/* Drop what was written; frees out; NULL is fine. */
void lya_output_abort(struct lya_output *out);

#endif
