/*
 * read.c - documents and typed access to them, on top of json-c.
 *
 * json-c only builds the tree: what is JSON and what is not was decided by
 * json_scan before.  This file and no other includes its headers.
 */
#include "lyncaudit/json.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "json/scan.h"
#include "lyncaudit/alloc.h"
#include "lyncaudit/text.h"

struct lya_json_doc {
	char *name;
	char *bytes; /* as read, with a NUL behind them */
	size_t len;
	struct json_object *root;
	struct lya_diags *diags;
};

void lya_json_free(struct lya_json_doc *doc)
{
	if (doc == NULL)
		return;
	json_object_put(doc->root);
	lya_free(doc->bytes);
	lya_free(doc->name);
	lya_free(doc);
}

const char *lya_json_bytes(const struct lya_json_doc *doc, size_t *len)
{
	*len = doc->len;
	return doc->bytes;
}

/* The tree of a text that json_scan has passed; NULL with a fault or without memory. */
static int build_tree(struct lya_json_doc *doc, const char *text, struct lya_error *err)
{
	/* The scan has bounded the depth; json-c counts the outermost value as well. */
	struct json_tokener *tok = json_tokener_new_ex(LYA_JSON_DEPTH_MAX + 2);
	enum json_tokener_error why;

	if (tok == NULL)
		return lya_error_nomem(err);
	json_tokener_set_flags(tok, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	/* With the NUL behind it: only then is a number at the very end complete. */
	doc->root = json_tokener_parse_ex(tok, text, (int)doc->len + 1);
	why = json_tokener_get_error(tok);
	json_tokener_free(tok);
	if (why == json_tokener_success)
		return LYA_OK;
	lya_diags_add(doc->diags, LYA_DIAG_ERROR, doc->name, NULL, "is not JSON: %s",
		      json_tokener_error_desc(why));
	return LYA_EINPUT;
}

/* Check the copy in `text` (it is changed) and build the tree from it. */
static int check_and_build(struct lya_json_doc *doc, char *text, struct lya_error *err)
{
	size_t before = doc->diags->errors;
	bool nomem = false;
	bool ok = json_scan(text, doc->len, doc->name, doc->diags, &nomem);

	if (nomem)
		return lya_error_nomem(err);
	if (!ok || doc->diags->nomem || doc->diags->errors > before) {
		int rc = lya_diags_error(doc->diags, err);

		return rc != LYA_OK ? rc : LYA_EINPUT;
	}
	return build_tree(doc, text, err);
}

static int too_big(const char *name, struct lya_diags *diags, struct lya_error *err)
{
	lya_diags_add(diags, LYA_DIAG_ERROR, name, NULL, "wanted at most %d bytes, found more",
		      (int)LYA_JSON_BYTES_MAX);
	return lya_error_set(err, LYA_EINPUT, name, NULL, "wanted at most %d bytes, found more",
			     (int)LYA_JSON_BYTES_MAX);
}

/* Make the document; `bytes` is taken, whatever comes of it. */
static int make_doc(struct lya_json_doc **result, const char *name, char *bytes, size_t len,
		    struct lya_diags *diags, struct lya_error *err)
{
	struct lya_json_doc *doc = lya_calloc(1, sizeof(*doc));
	char *text = lya_malloc(len + 1);
	int rc;

	*result = NULL;
	if (doc != NULL) {
		doc->bytes = bytes;
		doc->len = len;
		doc->diags = diags;
		doc->name = lya_strdup(name);
	} else {
		lya_free(bytes);
	}
	if (doc == NULL || text == NULL || doc->name == NULL) {
		rc = lya_error_nomem(err);
	} else {
		memcpy(text, bytes, len + 1);
		rc = check_and_build(doc, text, err);
	}
	lya_free(text);
	if (rc < 0) {
		lya_json_free(doc);
		return rc;
	}
	*result = doc;
	return LYA_OK;
}

int lya_json_parse(struct lya_json_doc **doc, const char *name, const char *text, size_t len,
		   struct lya_diags *diags, struct lya_error *err)
{
	char *bytes;

	*doc = NULL;
	if (len > LYA_JSON_BYTES_MAX)
		return too_big(name, diags, err);
	bytes = lya_strndup(text, len);
	if (bytes == NULL)
		return lya_error_nomem(err);
	return make_doc(doc, name, bytes, len, diags, err);
}

/* Read all of fd, at most one byte more than is allowed, with a NUL behind it. */
static int read_all(int fd, const char *path, char **bytes, size_t *len, struct lya_error *err)
{
	size_t cap = 0;
	ssize_t got;

	*bytes = NULL;
	*len = 0;
	do {
		if (lya_grow((void **)bytes, &cap, *len + 65536, 1) < 0)
			return lya_error_nomem(err);
		got = read(fd, *bytes + *len, cap - *len - 1);
		if (got == -1 && errno == EINTR)
			continue;
		if (got == -1)
			return lya_error_set(err, LYA_EIO, path, NULL, "cannot be read: %s",
					     strerror(errno));
		*len += (size_t)got;
	} while (got != 0 && *len <= LYA_JSON_BYTES_MAX);
	(*bytes)[*len] = '\0';
	return LYA_OK;
}

int lya_json_load(struct lya_json_doc **doc, const char *path, struct lya_diags *diags,
		  struct lya_error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	char *bytes = NULL;
	size_t len = 0;
	int rc;

	*doc = NULL;
	if (fd == -1)
		return lya_error_set(err, LYA_EIO, path, NULL, "cannot be opened: %s",
				     strerror(errno));
	rc = read_all(fd, path, &bytes, &len, err);
	(void)close(fd);
	if (rc == LYA_OK && len > LYA_JSON_BYTES_MAX)
		rc = too_big(path, diags, err);
	if (rc < 0) {
		lya_free(bytes);
		return rc;
	}
	return make_doc(doc, path, bytes, len, diags, err);
}

struct lya_json lya_json_root(struct lya_json_doc *doc)
{
	return (struct lya_json){ .doc = doc, .value = doc->root };
}

static void add_path(const struct lya_json *at, struct lya_text *path)
{
	if (at->parent == NULL)
		return;
	add_path(at->parent, path);
	if (at->name == NULL)
		lya_text_addf(path, "[%zu]", at->index);
	else
		lya_text_addf(path, "%s%s", path->len > 0 ? "." : "", at->name);
}

static void report(const struct lya_json *at, enum lya_diag_level level, const char *fmt,
		   va_list ap) __attribute__((format(printf, 3, 0)));

static void report(const struct lya_json *at, enum lya_diag_level level, const char *fmt,
		   va_list ap)
{
	struct lya_text path = { 0 };
	struct lya_text text = { 0 };

	add_path(at, &path);
	lya_text_vaddf(&text, fmt, ap);
	if (path.data != NULL)
		json_clean(path.data);
	if (text.data != NULL)
		json_clean(text.data);
	lya_diags_add(at->doc->diags, level, at->doc->name, lya_text_str(&path), "%s",
		      lya_text_str(&text));
	if (path.failed || text.failed)
		at->doc->diags->nomem = true;
	lya_text_fini(&text);
	lya_text_fini(&path);
}

void lya_json_fault(const struct lya_json *at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	report(at, LYA_DIAG_ERROR, fmt, ap);
	va_end(ap);
}

void lya_json_warn(const struct lya_json *at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	report(at, LYA_DIAG_WARNING, fmt, ap);
	va_end(ap);
}

static bool is_type(const struct lya_json *at, enum json_type type)
{
	return json_object_is_type(at->value, type) != 0;
}

bool lya_json_is_null(const struct lya_json *at)
{
	return is_type(at, json_type_null);
}

bool lya_json_is_object(const struct lya_json *at)
{
	return is_type(at, json_type_object);
}

bool lya_json_is_array(const struct lya_json *at)
{
	return is_type(at, json_type_array);
}

bool lya_json_is_string(const struct lya_json *at)
{
	return is_type(at, json_type_string);
}

/* What stands there, for "found ...": a number with its digits, else its type. */
static void describe(const struct lya_json *at, char *buf, size_t size)
{
	switch (json_object_get_type(at->value)) {
	case json_type_null:
		(void)snprintf(buf, size, "null");
		break;
	case json_type_boolean:
		(void)snprintf(buf, size, "%s",
			       json_object_get_boolean(at->value) ? "true" : "false");
		break;
	case json_type_int:
		(void)snprintf(buf, size, "the number %" PRId64, json_object_get_int64(at->value));
		break;
	case json_type_double:
		(void)snprintf(buf, size, "the number %g", json_object_get_double(at->value));
		break;
	case json_type_string:
		(void)snprintf(buf, size, "the string \"%.60s\"",
			       json_object_get_string(at->value));
		break;
	case json_type_array:
		(void)snprintf(buf, size, "an array");
		break;
	case json_type_object:
		(void)snprintf(buf, size, "an object");
		break;
	}
}

/* Note "wanted WHAT, found ..."; always false. */
static bool wanted(const struct lya_json *at, const char *what)
{
	char found[128];

	describe(at, found, sizeof(found));
	lya_json_fault(at, "wanted %s, found %s", what, found);
	return false;
}

bool lya_json_object(const struct lya_json *at)
{
	return lya_json_is_object(at) || wanted(at, "an object");
}

bool lya_json_array(const struct lya_json *at, size_t *count)
{
	*count = 0;
	if (!lya_json_is_array(at))
		return wanted(at, "an array");
	*count = json_object_array_length(at->value);
	return true;
}

bool lya_json_string(const struct lya_json *at, const char **s)
{
	*s = NULL;
	if (!lya_json_is_string(at))
		return wanted(at, "a string");
	*s = json_object_get_string(at->value);
	return true;
}

bool lya_json_text(const struct lya_json *at, const char **s)
{
	unsigned control;

	if (!lya_json_string(at, s))
		return false;
	control = json_find_control(*s, NULL);
	if (control != 0)
		lya_json_fault(at,
			       "wanted a text in one line, found control character 0x%02x in it",
			       control);
	else if ((*s)[0] == '\0')
		lya_json_fault(at, "wanted a text, found an empty string");
	return control == 0 && (*s)[0] != '\0';
}

bool lya_json_nomem(const struct lya_json *at)
{
	at->doc->diags->nomem = true;
	return false;
}

bool lya_json_text_dup(const struct lya_json *at, char **copy)
{
	const char *s;

	lya_free(*copy);
	*copy = NULL;
	if (!lya_json_text(at, &s))
		return false;
	*copy = lya_strdup(s);
	return *copy != NULL || lya_json_nomem(at);
}

bool lya_json_bool(const struct lya_json *at, bool *b)
{
	*b = false;
	if (!is_type(at, json_type_boolean))
		return wanted(at, "true or false");
	*b = json_object_get_boolean(at->value) != 0;
	return true;
}

bool lya_json_int(const struct lya_json *at, int64_t min, int64_t max, int64_t *n)
{
	*n = 0;
	if (!is_type(at, json_type_int))
		return wanted(at, "a whole number");
	/* Out of 64 bits json-c answers the bound, which is out of any range asked for. */
	*n = json_object_get_int64(at->value);
	if (*n >= min && *n <= max)
		return true;
	lya_json_fault(at, "wanted a number from %" PRId64 " to %" PRId64 ", found %" PRId64, min,
		       max, *n);
	return false;
}

bool lya_json_find(const struct lya_json *object, const char *name, struct lya_json *member)
{
	struct json_object *value;

	assert(lya_json_is_object(object) && "members are looked for in objects");
	if (!json_object_object_get_ex(object->value, name, &value))
		return false;
	*member =
	    (struct lya_json){ .doc = object->doc, .parent = object, .name = name, .value = value };
	return true;
}

bool lya_json_need(const struct lya_json *object, const char *name, struct lya_json *member)
{
	if (lya_json_find(object, name, member))
		return true;
	lya_json_fault(object, "member \"%s\" is missing", name);
	return false;
}

struct lya_json lya_json_at(const struct lya_json *array, size_t i)
{
	return (struct lya_json){ .doc = array->doc,
				  .parent = array,
				  .index = i,
				  .value = json_object_array_get_idx(array->value, i) };
}

bool lya_json_next(const struct lya_json *object, void **iter, struct lya_json *member)
{
	struct lh_entry *entry = *iter;

	entry = entry == NULL ? json_object_get_object(object->value)->head : entry->next;
	if (entry == NULL)
		return false;
	*iter = entry;
	*member = (struct lya_json){ .doc = object->doc,
				     .parent = object,
				     .name = lh_entry_k(entry),
				     .value = (void *)lh_entry_v(entry) };
	return true;
}

static bool is_known(const char *name, const char *const *known)
{
	if (strncmp(name, "x-", 2) == 0)
		return true;
	for (; *known != NULL; known++) {
		if (strcmp(name, *known) == 0)
			return true;
	}
	return false;
}

void lya_json_known(const struct lya_json *object, const char *const *known)
{
	struct lya_json member;
	void *iter = NULL;

	while (lya_json_next(object, &iter, &member)) {
		if (!is_known(member.name, known))
			lya_json_fault(object, "unknown member \"%.80s\"", member.name);
	}
}
