/*
 * json.h - read JSON strictly, write it in order.
 *
 * Reading.  A document is checked as a whole before it is handed out: UTF-8,
 * grammar (RFC 8259, and comments: // and between slash-stars), depth, size,
 * and no member twice in one object.  A syntax error ends there, with line and
 * column.  After that the caller walks the values with struct lya_json, a
 * small value on its own stack that knows the way it came
 * ("hosts[3].roles.edge-av[0]").  Every reading function notes what is wrong,
 * with that path, in the document's list, and answers false: the caller goes
 * on and one run names every fault.
 *
 *     struct lya_json root = lya_json_root(doc), name;
 *     const char *s;
 *
 *     if (lya_json_need(&root, "name", &name) && lya_json_string(&name, &s)) ...
 *
 * Writing.  A writer puts values on a struct lya_output in the order of the
 * calls, without allocation.  Write errors are the output's, sticky.
 */
#ifndef LYNCAUDIT_JSON_H
#define LYNCAUDIT_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lyncaudit/output.h"
#include "lyncaudit/status.h"

enum {
	LYA_JSON_DEPTH_MAX = 32,            /* arrays and objects within one another */
	LYA_JSON_BYTES_MAX = 64 * 1024 * 1024 /* of one document: it is held in memory twice */
};

struct lya_json_doc; /* a document that passed the checks */

/*
 * Read a file / a text.  Faults go to diags, which must live as long as *doc.
 * A file that cannot be read is told in err alone (LYA_EIO); a document with a
 * fault is LYA_EINPUT, its first fault in err too, and *doc NULL.  `name` is
 * what messages call the document.
 */
int lya_json_load(struct lya_json_doc **doc, const char *path, struct lya_diags *diags,
                  struct lya_error *err);
int lya_json_parse(struct lya_json_doc **doc, const char *name, const char *text, size_t len,
                   struct lya_diags *diags, struct lya_error *err);
void lya_json_free(struct lya_json_doc *doc);
/* The bytes as they were read; borrowed from doc. */
const char *lya_json_bytes(const struct lya_json_doc *doc, size_t *len);

/* A value and the way to it; `parent` must outlive it.  Made by the functions below. */
struct lya_json {
	struct lya_json_doc *doc;
	const struct lya_json *parent; /* NULL: the document itself */
	const char *name;              /* member of an object; NULL: element of an array */
	size_t index;
	void *value;                   /* NULL is JSON's null */
};

struct lya_json lya_json_root(struct lya_json_doc *doc);

/* Note a fault at this value: "FILE: PATH: TEXT", control characters in it as '?'. */
void lya_json_fault(const struct lya_json *at, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void lya_json_warn(const struct lya_json *at, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* What kind of value it is; no fault either way. */
bool lya_json_is_null(const struct lya_json *at);
bool lya_json_is_object(const struct lya_json *at);
bool lya_json_is_array(const struct lya_json *at);
bool lya_json_is_string(const struct lya_json *at);

/*
 * Read a value of one type; a value of another type is a fault that says what
 * was wanted and what was found, and the answer false.  Strings are borrowed
 * from the document and hold no NUL.
 */
bool lya_json_object(const struct lya_json *at);
bool lya_json_array(const struct lya_json *at, size_t *count);
bool lya_json_string(const struct lya_json *at, const char **s);
bool lya_json_bool(const struct lya_json *at, bool *b);
bool lya_json_int(const struct lya_json *at, int64_t min, int64_t max, int64_t *n);
/*
 * A string that is not empty and holds no control characters, borrowed; and a
 * copy of one, for lya_free (*copy is NULL before, or a copy to be dropped).
 */
bool lya_json_text(const struct lya_json *at, const char **s);
bool lya_json_text_dup(const struct lya_json *at, char **copy);
/* Memory ran out while reading: kept in the list, whose lya_diags_error tells. Always false. */
bool lya_json_nomem(const struct lya_json *at);

/*
 * The member of an object.  _find: false when it is absent, which is no fault;
 * _need: that is a fault.  `object` must be one (lya_json_object).
 */
bool lya_json_find(const struct lya_json *object, const char *name, struct lya_json *member);
bool lya_json_need(const struct lya_json *object, const char *name, struct lya_json *member);
/* Element i of an array, i below its count. */
struct lya_json lya_json_at(const struct lya_json *array, size_t i);

/* Walk an object's members in the order of the text: start with *iter NULL. */
bool lya_json_next(const struct lya_json *object, void **iter, struct lya_json *member);
/* Members not in `known` (NULL ends it) are faults that name them, but for x-*. */
void lya_json_known(const struct lya_json *object, const char *const *known);

/*
 * The writer.  Zero-cost to make; `out` is borrowed.  Calls must form one
 * value: key before each value inside an object, every _open with its _close
 * (asserted).
 */
enum lya_jw_style {
	LYA_JW_COMPACT, /* one line, no spaces */
	LYA_JW_PRETTY   /* two spaces per level; ends with a newline */
};

struct lya_json_writer {
	struct lya_output *out;
	enum lya_jw_style style;
	unsigned depth;
	unsigned flat;      /* depth from which on all is written on one line; 0: none */
	uint64_t objects;   /* bit per depth: an object (else an array) */
	uint64_t filled;    /* bit per depth: something was written there */
	bool keyed;         /* a key was written and waits for its value */
};

enum { LYA_JW_DEPTH_MAX = 63 };

void lya_jw_init(struct lya_json_writer *w, struct lya_output *out, enum lya_jw_style style);
void lya_jw_object_open(struct lya_json_writer *w);
void lya_jw_object_close(struct lya_json_writer *w);
void lya_jw_array_open(struct lya_json_writer *w);
void lya_jw_array_close(struct lya_json_writer *w);
/* From the next _open until its _close all is written on one line, pretty or not. */
void lya_jw_flat(struct lya_json_writer *w);
void lya_jw_key(struct lya_json_writer *w, const char *name);

/* Values.  A string that is NULL is written as null; bytes that are no UTF-8 as U+FFFD. */
void lya_jw_string(struct lya_json_writer *w, const char *s);
void lya_jw_string_len(struct lya_json_writer *w, const char *s, size_t len);
void lya_jw_int(struct lya_json_writer *w, int64_t n);
void lya_jw_uint(struct lya_json_writer *w, uint64_t n);
void lya_jw_bool(struct lya_json_writer *w, bool b);
void lya_jw_null(struct lya_json_writer *w);
/* With `digits` decimals (at most 9), in any locale; what is no number becomes null. */
void lya_jw_double(struct lya_json_writer *w, double d, unsigned digits);

/* Key and value in one call. */
void lya_jw_member_string(struct lya_json_writer *w, const char *name, const char *s);
void lya_jw_member_int(struct lya_json_writer *w, const char *name, int64_t n);
void lya_jw_member_uint(struct lya_json_writer *w, const char *name, uint64_t n);
void lya_jw_member_bool(struct lya_json_writer *w, const char *name, bool b);
void lya_jw_member_null(struct lya_json_writer *w, const char *name);
void lya_jw_member_double(struct lya_json_writer *w, const char *name, double d, unsigned digits);
/* A value that was read, member by member in the order of its text. */
void lya_jw_copy(struct lya_json_writer *w, const struct lya_json *at);
/* The value is complete: end the line (JSON lines, or the end of a file); ready for the next. */
void lya_jw_end(struct lya_json_writer *w);

/*
 * The length of the UTF-8 character at s, of which `left` bytes may be read
 * (RFC 3629: no surrogates, nothing overlong, nothing past U+10FFFF); 0: none.
 */
unsigned lya_utf8_len(const char *s, size_t left);

#endif
