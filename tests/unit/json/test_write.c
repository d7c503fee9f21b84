/*
 * test_write.c - the writer: bytes as they must be, and read back by our own reader.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lyncaudit/json.h"

static char path[] = "test_write.XXXXXX";

static int make_file(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	if (fd == -1)
		return -1;
	return close(fd);
}

static int remove_file(void **state)
{
	(void)state;
	return unlink(path);
}

static struct lya_output *begin(void)
{
	struct lya_output *out;

	assert_int_equal(lya_output_open(&out, path, true, NULL), LYA_OK);
	return out;
}

/* What was written, in static storage. */
static const char *finish(struct lya_output *out)
{
	static char text[65536];
	size_t n;
	FILE *f;

	assert_int_equal(lya_output_commit(out, NULL), LYA_OK);
	f = fopen(path, "r");
	assert_non_null(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
	return text;
}

/* A value with everything in it. */
static void write_all(struct lya_json_writer *w)
{
	lya_jw_object_open(w);
	lya_jw_member_string(w, "text", "a \"b\" \\ c");
	lya_jw_member_int(w, "low", INT64_MIN);
	lya_jw_member_uint(w, "high", UINT64_MAX);
	lya_jw_member_bool(w, "yes", true);
	lya_jw_member_null(w, "nothing");
	lya_jw_member_double(w, "share", 0.25, 3);
	lya_jw_key(w, "empty");
	lya_jw_array_open(w);
	lya_jw_array_close(w);
	lya_jw_key(w, "none");
	lya_jw_object_open(w);
	lya_jw_object_close(w);
	lya_jw_key(w, "flat");
	lya_jw_flat(w);
	lya_jw_array_open(w);
	lya_jw_uint(w, 1);
	lya_jw_object_open(w);
	lya_jw_member_bool(w, "a", false);
	lya_jw_member_int(w, "b", -1);
	lya_jw_object_close(w);
	lya_jw_array_close(w);
	lya_jw_key(w, "list");
	lya_jw_array_open(w);
	lya_jw_int(w, 0);
	lya_jw_array_open(w);
	lya_jw_null(w);
	lya_jw_array_close(w);
	lya_jw_array_close(w);
	lya_jw_object_close(w);
	lya_jw_end(w);
}

static const char pretty[] = "{\n"
			     "  \"text\": \"a \\\"b\\\" \\\\ c\",\n"
			     "  \"low\": -9223372036854775808,\n"
			     "  \"high\": 18446744073709551615,\n"
			     "  \"yes\": true,\n"
			     "  \"nothing\": null,\n"
			     "  \"share\": 0.250,\n"
			     "  \"empty\": [],\n"
			     "  \"none\": {},\n"
			     "  \"flat\": [1, {\"a\": false, \"b\": -1}],\n"
			     "  \"list\": [\n"
			     "    0,\n"
			     "    [\n"
			     "      null\n"
			     "    ]\n"
			     "  ]\n"
			     "}\n";
static const char compact[] =
    "{\"text\":\"a \\\"b\\\" \\\\ c\",\"low\":-9223372036854775808,\"high\":18446744073709551615,"
    "\"yes\":true,\"nothing\":null,\"share\":0.250,\"empty\":[],\"none\":{},"
    "\"flat\":[1,{\"a\":false,\"b\":-1}],\"list\":[0,[null]]}\n";

static void both_styles(void **state)
{
	struct lya_json_writer w;
	struct lya_output *out = begin();

	(void)state;
	lya_jw_init(&w, out, LYA_JW_PRETTY);
	write_all(&w);
	assert_string_equal(finish(out), pretty);
	out = begin();
	lya_jw_init(&w, out, LYA_JW_COMPACT);
	write_all(&w);
	assert_string_equal(finish(out), compact);
}

static void flat_items_stand_on_lines_of_their_own(void **state)
{
	struct lya_json_writer w;
	struct lya_output *out = begin();

	(void)state;
	lya_jw_init(&w, out, LYA_JW_PRETTY);
	lya_jw_array_open(&w);
	for (int i = 0; i < 2; i++) {
		lya_jw_flat(&w);
		lya_jw_array_open(&w);
		lya_jw_int(&w, i);
		lya_jw_bool(&w, true);
		lya_jw_array_close(&w);
	}
	lya_jw_array_close(&w);
	lya_jw_end(&w);
	assert_string_equal(finish(out), "[\n  [0, true],\n  [1, true]\n]\n");
}

static void lines_follow_one_another(void **state)
{
	struct lya_json_writer w;
	struct lya_output *out = begin();

	(void)state;
	lya_jw_init(&w, out, LYA_JW_COMPACT);
	for (int i = 0; i < 3; i++) {
		lya_jw_array_open(&w);
		lya_jw_int(&w, i);
		lya_jw_array_close(&w);
		lya_jw_end(&w);
	}
	assert_string_equal(finish(out), "[0]\n[1]\n[2]\n");
}

static const struct {
	const char *what, *in, *out;
} strings[] = {
	{ "empty", "", "\"\"" },
	{ "controls", "\x01\t\n\r\b\f\x1f\x7f", "\"\\u0001\\t\\n\\r\\b\\f\\u001f\\u007f\"" },
	{ "UTF-8 stays", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80",
	  "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"" },
	{ "a lone tail", "a\x80z", "\"a\xef\xbf\xbdz\"" },
	{ "cut character", "a\xe2\x82", "\"a\xef\xbf\xbd\xef\xbf\xbd\"" },
	{ "overlong", "\xc0\xaf", "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
	{ "surrogate", "\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
	{ "slash", "a/b", "\"a/b\"" },
};

static void strings_are_escaped(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
		struct lya_json_writer w;
		struct lya_output *out = begin();

		lya_jw_init(&w, out, LYA_JW_COMPACT);
		lya_jw_string(&w, strings[i].in);
		assert_string_equal(finish(out), strings[i].out);
	}
}

static void any_bytes_are_read_back(void **state)
{
	struct lya_diags diags = { 0 };
	struct lya_json_writer w;
	struct lya_output *out = begin();
	struct lya_json_doc *doc;
	struct lya_error err = { 0 };
	const char *text;
	char bytes[255];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i + 1);
	lya_jw_init(&w, out, LYA_JW_PRETTY);
	lya_jw_object_open(&w);
	lya_jw_key(&w, "bytes");
	lya_jw_string_len(&w, bytes, sizeof(bytes));
	lya_jw_object_close(&w);
	lya_jw_end(&w);
	text = finish(out);
	if (lya_json_parse(&doc, "written", text, strlen(text), &diags, &err) != LYA_OK)
		fail_msg("%s", err.text);
	lya_json_free(doc);
	lya_diags_fini(&diags);
}

static void doubles_are_fixed(void **state)
{
	struct lya_json_writer w;
	struct lya_output *out = begin();

	(void)state;
	lya_jw_init(&w, out, LYA_JW_COMPACT);
	lya_jw_array_open(&w);
	lya_jw_double(&w, 1.0 / 3, 4);
	lya_jw_double(&w, -2.5, 0);
	lya_jw_double(&w, NAN, 2);
	lya_jw_double(&w, INFINITY, 2);
	lya_jw_double(&w, 1e300, 0);
	lya_jw_array_close(&w);
	lya_jw_end(&w);
	assert_memory_equal(finish(out), "[0.3333,-2,null,null,1000000000000000052504760255204420",
			    54);
}

static void deep_values_are_indented(void **state)
{
	struct lya_json_writer w;
	struct lya_output *out = begin();
	const char *text;

	(void)state;
	lya_jw_init(&w, out, LYA_JW_PRETTY);
	for (int i = 0; i < LYA_JW_DEPTH_MAX; i++)
		lya_jw_array_open(&w);
	lya_jw_int(&w, 7);
	for (int i = 0; i < LYA_JW_DEPTH_MAX; i++)
		lya_jw_array_close(&w);
	lya_jw_end(&w);
	text = strchr(finish(out), '7');
	assert_non_null(text);
	for (int i = 1; i <= 2 * LYA_JW_DEPTH_MAX; i++)
		assert_int_equal(text[-i], ' ');
	assert_int_equal(text[-2 * LYA_JW_DEPTH_MAX - 1], '\n');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_styles),
		cmocka_unit_test(flat_items_stand_on_lines_of_their_own),
		cmocka_unit_test(lines_follow_one_another),
		cmocka_unit_test(strings_are_escaped),
		cmocka_unit_test(any_bytes_are_read_back),
		cmocka_unit_test(doubles_are_fixed),
		cmocka_unit_test(deep_values_are_indented),
	};

	return cmocka_run_group_tests(tests, make_file, remove_file);
}
