/*
 * status.h - what a function answers, and why it failed.
 *
 * Zero is success, a failure is negative.  The reason is told once, where it
 * is known, in the caller's struct lya_error: which file, where in it, what
 * was wanted and what was found.  Only the program prints and exits.
 */
#ifndef LYNCAUDIT_STATUS_H
#define LYNCAUDIT_STATUS_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

enum lya_status {
	LYA_OK = 0,
	LYA_ENOMEM = -1,  /* an allocation failed */
	LYA_EIO = -2,     /* a read, open or other system call failed */
	LYA_EINPUT = -3,  /* a file is not what it should be */
	LYA_EOUTPUT = -4, /* an output cannot be written */
	LYA_EUSAGE = -5,  /* the caller asked for something impossible */
	LYA_ELIMIT = -6,  /* a bound of ours was reached */
	LYA_ESTOP = -7    /* asked to stop */
};

enum { LYA_ERROR_LEN = 1024 };

/* The reason of one failure; caller's storage, valid text always. */
struct lya_error {
	enum lya_status status;
	char text[LYA_ERROR_LEN]; /* "FILE: PLACE: what was wanted and found" */
};

/*
 * Note a failure in err (which may be NULL) and return status, so that a
 * function can end with `return lya_error_set(...)`.  file and place may be
 * NULL and are then left out.  An error that is already noted is replaced.
 */
int lya_error_set(struct lya_error *err, enum lya_status status, const char *file,
                  const char *place, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

/* The same for "out of memory", whose text needs no memory.  Returns LYA_ENOMEM. */
int lya_error_nomem(struct lya_error *err);

/*
 * A bounded list of messages, for checks that name every fault at once.
 * Zero-initialise; free with lya_diags_fini.
 */
enum lya_diag_level { LYA_DIAG_ERROR, LYA_DIAG_WARNING, LYA_DIAG_NOTE };

struct lya_diag {
	enum lya_diag_level level;
	char *text; /* "FILE: PLACE: text"; owned by the list */
};

enum { LYA_DIAGS_MAX = 1000 }; /* a file of nothing but faults must not fill memory */

struct lya_diags {
	struct lya_diag *list;
	size_t n, cap;
	size_t errors;  /* of all levels LYA_DIAG_ERROR, beyond the bound too */
	size_t dropped; /* messages beyond LYA_DIAGS_MAX */
	bool nomem;     /* memory ran out: what was found is not all, and no more is added */
};

void lya_diags_add(struct lya_diags *d, enum lya_diag_level level, const char *file,
                   const char *place, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
void lya_diags_fini(struct lya_diags *d);

/* Set err to the first error of d (with "and N more") and return LYA_EINPUT; LYA_OK without one. */
int lya_diags_error(const struct lya_diags *d, struct lya_error *err);

#endif
