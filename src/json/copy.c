/*
 * copy.c - a value that was read, written again.
 */
#include <json-c/json.h>

#include "lyncaudit/json.h"

enum { DIGITS = 6 }; /* decimals of what is no whole number */

static void copy(struct lya_json_writer *w, struct json_object *value);

static void copy_object(struct lya_json_writer *w, struct json_object *value)
{
	lya_jw_object_open(w);
	json_object_object_foreach(value, name, member)
	{
		lya_jw_key(w, name);
		copy(w, member);
	}
	lya_jw_object_close(w);
}

static void copy_array(struct lya_json_writer *w, struct json_object *value)
{
	size_t n = json_object_array_length(value);

	lya_jw_array_open(w);
	for (size_t i = 0; i < n; i++)
		copy(w, json_object_array_get_idx(value, i));
	lya_jw_array_close(w);
}

static void copy_int(struct lya_json_writer *w, struct json_object *value)
{
	int64_t n = json_object_get_int64(value);

	if (n == INT64_MAX) /* or more than that */
		lya_jw_uint(w, json_object_get_uint64(value));
	else
		lya_jw_int(w, n);
}

/* As deep as what was read, which is bounded. */
static void copy(struct lya_json_writer *w, struct json_object *value)
{
	switch (json_object_get_type(value)) {
	case json_type_object:
		copy_object(w, value);
		break;
	case json_type_array:
		copy_array(w, value);
		break;
	case json_type_string:
		lya_jw_string_len(w, json_object_get_string(value),
				  (size_t)json_object_get_string_len(value));
		break;
	case json_type_int:
		copy_int(w, value);
		break;
	case json_type_double:
		lya_jw_double(w, json_object_get_double(value), DIGITS);
		break;
	case json_type_boolean:
		lya_jw_bool(w, json_object_get_boolean(value) != 0);
		break;
	case json_type_null:
		lya_jw_null(w);
		break;
	}
}

void lya_jw_copy(struct lya_json_writer *w, const struct lya_json *at)
{
	copy(w, at->value);
}
