/*
 * test_read.c - strict reading: what is JSON, where a fault stands, typed access.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lyncaudit/alloc.h"
#include "lyncaudit/json.h"

/* Texts and the exact message each must get. */
static const struct {
	const char *what, *text, *message;
} bad[] = {
	{ "nothing", "", "f:1:1: wanted a value, found the end of the file" },
	{ "blanks", " \n\n ", "f:3:2: wanted a value, found the end of the file" },
	{ "two values", "{}\n {}", "f:2:2: wanted nothing more, found '{'" },
	{ "trailing comma", "{\"a\": 1,\n}", "f:2:1: no ',' may stand before the closing '}'" },
	{ "comma in array", "[1,]", "f:1:4: no ',' may stand before the closing ']'" },
	{ "no comma", "[1 2]", "f:1:4: wanted ',' or ']', found '2'" },
	{ "no colon", "{\"a\" 1}", "f:1:6: wanted ':' after the member name, found '1'" },
	{ "bare name", "{a: 1}", "f:1:2: wanted a member name in double quotes, found 'a'" },
	{ "single quotes", "['a']", "f:1:2: wanted a value, found '''" },
	{ "wrong bracket", "[1}", "f:1:3: wanted ',' or ']', found '}'" },
	{ "open object", "{\"a\": 1", "f:1:8: wanted ',' or '}', found the end of the file" },
	{ "open string", "[\"ab", "f:1:2: the string that begins here has no end in its line" },
	{ "line in string", "[\"a\nb\"]",
	  "f:1:2: the string that begins here has no end in its line" },
	{ "tab in string", "[\"a\tb\"]",
	  "f:1:4: control character 0x09 in a string: write \\u0009" },
	{ "escape", "[\"\\x\"]",
	  "f:1:3: wanted an escape of JSON (\\\" \\\\ \\/ \\b \\f \\n \\r \\t "
	  "\\uXXXX) after the backslash" },
	{ "short escape", "[\"\\u12\"]", "f:1:3: wanted four hexadecimal digits after \\u" },
	{ "NUL", "[\"\\u0000\"]", "f:1:3: a NUL character (\\u0000) has no place in a string" },
	{ "high surrogate", "[\"\\ud83dx\"]", "f:1:3: half of a surrogate pair is no character" },
	{ "low surrogate", "[\"\\ude00\"]", "f:1:3: half of a surrogate pair is no character" },
	{ "wrong pair", "[\"\\ud83d\\u0041\"]", "f:1:3: half of a surrogate pair is no character" },
	{ "not UTF-8", "[\"\xc3(\"]", "f:1:3: wanted UTF-8, found byte 0xc3" },
	{ "overlong", "[\"\xc0\xaf\"]", "f:1:3: wanted UTF-8, found byte 0xc0" },
	{ "surrogate bytes", "[\"\xed\xa0\x80\"]", "f:1:3: wanted UTF-8, found byte 0xed" },
	{ "past the end", "[\"\xf4\x90\x80\x80\"]", "f:1:3: wanted UTF-8, found byte 0xf4" },
	{ "not UTF-8 in a comment", "[] // \xff", "f:1:7: wanted UTF-8, found byte 0xff" },
	{ "octal", "[01]", "f:1:2: a number does not begin with 0" },
	{ "no digit", "[-]", "f:1:3: wanted a digit, found ']'" },
	{ "no fraction", "[1.]", "f:1:4: wanted a digit, found ']'" },
	{ "no exponent", "[1e+]", "f:1:5: wanted a digit, found ']'" },
	{ "plus", "[+1]", "f:1:2: wanted a value, found '+'" },
	{ "not a number", "[NaN]", "f:1:2: wanted a value, found \"NaN\"" },
	{ "infinity", "[Infinity]", "f:1:2: wanted a value, found \"Infinity\"" },
	{ "shouting", "[TRUE]", "f:1:2: wanted a value, found \"TRUE\"" },
	{ "word that goes on", "[trueish]", "f:1:2: wanted a value, found \"trueish\"" },
	{ "open comment", "{}\n/* a\nb", "f:3:2: the comment that begins in line 2 has no end" },
	{ "half a comment", "{} /", "f:1:4: wanted nothing more, found '/'" },
	{ "byte", "\x01", "f:1:1: wanted a value, found byte 0x01" },
	{ "twice", "{\"a\": 1,\n \"b\": 2,\n \"a\": 3}",
	  "f:3: a: is given twice, first in line 1" },
	{ "twice, and nothing for a terminal",
	  "{\"a\\u001b[2J\\u009b\\u00e9\": 1, \"a\\u001b[2J\\u009b\\u00e9\": 2}",
	  "f:1: a?[2J??\xc3\xa9: is given twice, first in line 1" },
	{ "twice, and no name", "{\"\": 1, \"\": 2}", "f:1: \"\": is given twice, first in line 1" },
	{ "twice by escape", "{\"h\": [{}, {\"r\": {\"ab\": 1, \"\\u0061b\": 2}}]}",
	  "f:1: h[1].r.ab: is given twice, first in line 1" },
};

static void bad_text_is_refused_with_its_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct lya_diags diags = { 0 };
		struct lya_error err = { 0 };
		struct lya_json_doc *doc = (struct lya_json_doc *)&err;

		assert_int_equal(lya_json_parse(&doc, "f", bad[i].text, strlen(bad[i].text), &diags,
						&err),
				 LYA_EINPUT);
		assert_null(doc);
		assert_int_equal(diags.n, 1);
		assert_string_equal(diags.list[0].text, bad[i].message);
		assert_string_equal(err.text, bad[i].message);
		lya_diags_fini(&diags);
	}
}

static void every_double_is_named(void **state)
{
	static const char text[] = "{\"a\": 1, \"a\": 2, \"b\": {\"c\": 1, \"c\": 2}, \"a\": 3}";
	struct lya_diags diags = { 0 };
	struct lya_json_doc *doc;

	(void)state;
	assert_int_equal(lya_json_parse(&doc, "f", text, strlen(text), &diags, NULL), LYA_EINPUT);
	assert_int_equal(diags.errors, 3);
	assert_string_equal(diags.list[0].text, "f:1: b.c: is given twice, first in line 1");
	assert_string_equal(diags.list[1].text, "f:1: a: is given twice, first in line 1");
	assert_string_equal(diags.list[2].text, "f:1: a: is given twice, first in line 1");
	lya_diags_fini(&diags);
}

static void depth_is_bounded(void **state)
{
	char text[2 * LYA_JSON_DEPTH_MAX + 3];
	struct lya_diags diags = { 0 };
	struct lya_json_doc *doc;
	const int max = LYA_JSON_DEPTH_MAX;

	(void)state;
	memset(text, '[', (size_t)max);
	memset(text + max, ']', (size_t)max);
	assert_int_equal(lya_json_parse(&doc, "f", text, 2 * (size_t)max, &diags, NULL), LYA_OK);
	lya_json_free(doc);
	memset(text, '[', (size_t)max + 1);
	memset(text + max + 1, ']', (size_t)max + 1);
	assert_int_equal(lya_json_parse(&doc, "f", text, 2 * (size_t)max + 2, &diags, NULL),
			 LYA_EINPUT);
	assert_non_null(strstr(diags.list[0].text, "f:1:33: more than 32 arrays and objects"));
	lya_diags_fini(&diags);
}

static void size_is_bounded(void **state)
{
	size_t len = (size_t)LYA_JSON_BYTES_MAX + 1;
	char *text = calloc(1, len);
	struct lya_diags diags = { 0 };
	struct lya_error err = { 0 };
	struct lya_json_doc *doc;

	(void)state;
	assert_non_null(text);
	assert_int_equal(lya_json_parse(&doc, "f", text, len, &diags, &err), LYA_EINPUT);
	assert_string_equal(err.text, "f: wanted at most 67108864 bytes, found more");
	assert_int_equal(diags.errors, 1);
	lya_diags_fini(&diags);
	free(text);
}

static struct lya_json_doc *parse(const char *text, struct lya_diags *diags)
{
	struct lya_error err = { 0 };
	struct lya_json_doc *doc;

	if (lya_json_parse(&doc, "f", text, strlen(text), diags, &err) != LYA_OK)
		fail_msg("%s", err.text);
	return doc;
}

static void comments_are_white_space(void **state)
{
	struct lya_diags diags = { 0 };
	struct lya_json_doc *doc =
	    parse("\xef\xbb\xbf// one\r\n{/**/\"a\"/* \n ** / */:// x\n\"//no/*\""
		  "} // end",
		  &diags);
	struct lya_json root = lya_json_root(doc);
	struct lya_json at;
	const char *s;

	(void)state;
	assert_true(lya_json_need(&root, "a", &at));
	assert_true(lya_json_string(&at, &s));
	assert_string_equal(s, "//no/*");
	lya_json_free(doc);
	lya_diags_fini(&diags);
}

static void lines_are_counted_through_comments(void **state)
{
	static const char text[] = "/* 1\n2\n*/ // 3\n{\"a\":\n\n  x}";
	struct lya_diags diags = { 0 };
	struct lya_json_doc *doc;

	(void)state;
	assert_int_equal(lya_json_parse(&doc, "f", text, strlen(text), &diags, NULL), LYA_EINPUT);
	assert_string_equal(diags.list[0].text, "f:6:3: wanted a value, found \"x\"");
	lya_diags_fini(&diags);
}

static void strings_are_decoded(void **state)
{
	struct lya_diags diags = { 0 };
	struct lya_json_doc *doc = parse("[\"\\u00e9\\ud83d\\ude00\\n\\/\\\"\xc3\xa9\"]", &diags);
	struct lya_json root = lya_json_root(doc);
	struct lya_json at = lya_json_at(&root, 0);
	const char *s;

	(void)state;
	assert_true(lya_json_string(&at, &s));
	assert_string_equal(s, "\xc3\xa9\xf0\x9f\x98\x80\n/\"\xc3\xa9");
	lya_json_free(doc);
	lya_diags_fini(&diags);
}

static void bytes_are_kept_as_read(void **state)
{
	static const char text[] = "{} // a comment";
	struct lya_diags diags = { 0 };
	struct lya_json_doc *doc = parse(text, &diags);
	size_t len;

	(void)state;
	assert_string_equal(lya_json_bytes(doc, &len), text);
	assert_int_equal(len, strlen(text));
	lya_json_free(doc);
	lya_diags_fini(&diags);
}

/* What a value is asked for, and what is said when it is not that. */
static const struct {
	const char *value, *message;
	char type;
} types[] = {
	{ "5", "f: m[0].v: wanted a string, found the number 5", 's' },
	{ "null", "f: m[0].v: wanted a string, found null", 's' },
	{ "true", "f: m[0].v: wanted a string, found true", 's' },
	{ "[]", "f: m[0].v: wanted a string, found an array", 's' },
	{ "{}", "f: m[0].v: wanted a string, found an object", 's' },
	{ "\"\"", "f: m[0].v: wanted a text, found an empty string", 't' },
	{ "\"a\\u001b[2J\"",
	  "f: m[0].v: wanted a text in one line, found control character 0x1b in it", 't' },
	{ "\"\\u009b\"", "f: m[0].v: wanted a text in one line, found control character 0x9b in it",
	  't' },
	{ "\"a\\u001b[2J\"", "f: m[0].v: wanted an object, found the string \"a?[2J\"", 'o' },
	{ "\"x\"", "f: m[0].v: wanted an object, found the string \"x\"", 'o' },
	{ "\"x\"", "f: m[0].v: wanted an array, found the string \"x\"", 'a' },
	{ "0", "f: m[0].v: wanted true or false, found the number 0", 'b' },
	{ "1.5", "f: m[0].v: wanted a whole number, found the number 1.5", 'i' },
	{ "\"1\"", "f: m[0].v: wanted a whole number, found the string \"1\"", 'i' },
	{ "0", "f: m[0].v: wanted a number from 1 to 9, found 0", 'i' },
	{ "10", "f: m[0].v: wanted a number from 1 to 9, found 10", 'i' },
	{ "99999999999999999999",
	  "f: m[0].v: wanted a number from 1 to 9, found 9223372036854775807", 'i' },
};

static bool ask(const struct lya_json *at, char type)
{
	const char *s;
	int64_t n;
	size_t count;
	bool b;

	switch (type) {
	case 's':
		return lya_json_string(at, &s);
	case 't':
		return lya_json_text(at, &s);
	case 'o':
		return lya_json_object(at);
	case 'a':
		return lya_json_array(at, &count);
	case 'b':
		return lya_json_bool(at, &b);
	default:
		return lya_json_int(at, 1, 9, &n);
	}
}

static void wrong_types_say_wanted_and_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct lya_diags diags = { 0 };
		struct lya_json_doc *doc;
		struct lya_json root, list, item, at;
		char text[128];

		(void)snprintf(text, sizeof(text), "{\"m\": [{\"v\": %s}]}", types[i].value);
		doc = parse(text, &diags);
		root = lya_json_root(doc);
		assert_true(lya_json_need(&root, "m", &list));
		item = lya_json_at(&list, 0);
		assert_true(lya_json_need(&item, "v", &at));
		assert_false(ask(&at, types[i].type));
		assert_int_equal(diags.errors, 1);
		assert_string_equal(diags.list[0].text, types[i].message);
		lya_json_free(doc);
		lya_diags_fini(&diags);
	}
}

static void members_are_looked_up_and_checked(void **state)
{
	static const char *const known[] = { "a", "b", NULL };
	struct lya_diags diags = { 0 };
	struct lya_json_doc *doc = parse("{\"o\": {\"a\": 1, \"x-note\": {}, \"c\": 2}}", &diags);
	struct lya_json root = lya_json_root(doc);
	struct lya_json object, at;
	void *iter = NULL;
	char order[16] = "";

	(void)state;
	assert_true(lya_json_need(&root, "o", &object));
	assert_false(lya_json_find(&object, "b", &at));
	assert_int_equal(diags.errors, 0);
	assert_false(lya_json_need(&object, "b", &at));
	lya_json_known(&object, known);
	assert_int_equal(diags.n, 2);
	assert_string_equal(diags.list[0].text, "f: o: member \"b\" is missing");
	assert_string_equal(diags.list[1].text, "f: o: unknown member \"c\"");
	while (lya_json_next(&object, &iter, &at))
		strncat(order, at.name, 1);
	assert_string_equal(order, "axc");
	lya_json_free(doc);
	lya_diags_fini(&diags);
}

static void a_copy_replaces_the_one_before(void **state)
{
	struct lya_diags diags = { 0 };
	struct lya_json_doc *doc = parse("[\"one\", \"two\", 3]", &diags);
	struct lya_json root = lya_json_root(doc);
	char *copy = NULL;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct lya_json at = lya_json_at(&root, i);

		assert_true(lya_json_text_dup(&at, &copy));
	}
	assert_string_equal(copy, "two");
	lya_free(copy);
	lya_json_free(doc);
	lya_diags_fini(&diags);
}

static void files_that_cannot_be_read(void **state)
{
	struct lya_diags diags = { 0 };
	struct lya_error err = { 0 };
	struct lya_json_doc *doc;

	(void)state;
	assert_int_equal(lya_json_load(&doc, "/nonexistent/site.json", &diags, &err), LYA_EIO);
	assert_string_equal(err.text,
			    "/nonexistent/site.json: cannot be opened: No such file or directory");
	assert_int_equal(lya_json_load(&doc, "/", &diags, &err), LYA_EIO);
	assert_string_equal(err.text, "/: cannot be read: Is a directory");
	assert_int_equal(diags.n, 0);
	assert_int_equal(lya_json_load(&doc, "/dev/null", &diags, &err), LYA_EINPUT);
	assert_string_equal(err.text, "/dev/null:1:1: wanted a value, found the end of the file");
	lya_diags_fini(&diags);
}

static void no_memory_is_an_answer(void **state)
{
	static const char text[] = "{\"a\": {\"b\": 1, \"b\": 2}, \"c\": [\"d\"]}";

	(void)state;
	for (uint64_t n = 1; n < 40; n++) {
		struct lya_diags diags = { 0 };
		struct lya_error err = { 0 };
		struct lya_json_doc *doc;
		int rc;

		lya_alloc_fail_at(n);
		rc = lya_json_parse(&doc, "f", text, strlen(text), &diags, &err);
		lya_alloc_fail_at(0);
		assert_true(rc == LYA_ENOMEM || rc == LYA_EINPUT);
		assert_null(doc);
		lya_diags_fini(&diags);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_text_is_refused_with_its_place),
		cmocka_unit_test(every_double_is_named),
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(size_is_bounded),
		cmocka_unit_test(comments_are_white_space),
		cmocka_unit_test(lines_are_counted_through_comments),
		cmocka_unit_test(strings_are_decoded),
		cmocka_unit_test(bytes_are_kept_as_read),
		cmocka_unit_test(wrong_types_say_wanted_and_found),
		cmocka_unit_test(members_are_looked_up_and_checked),
		cmocka_unit_test(a_copy_replaces_the_one_before),
		cmocka_unit_test(files_that_cannot_be_read),
		cmocka_unit_test(no_memory_is_an_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
