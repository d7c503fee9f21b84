/*
 * test_base.c - time, addresses, maps, digests, texts and output files.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lyncaudit/addr.h"
#include "lyncaudit/alloc.h"
#include "lyncaudit/digest.h"
#include "lyncaudit/hash.h"
#include "lyncaudit/output.h"
#include "lyncaudit/text.h"
#include "lyncaudit/timeutil.h"

static void test_time(void **state)
{
	static const struct {
		int64_t ns;
		unsigned digits;
		const char *text;
	} cases[] = {
		{ 0, 6, "1970-01-01T00:00:00.000000Z" },
		{ 0, 0, "1970-01-01T00:00:00Z" },
		{ -1, 9, "1969-12-31T23:59:59.999999999Z" },
		{ INT64_C(951782400) * 1000000000, 6, "2000-02-29T00:00:00.000000Z" },
		{ INT64_C(1795219200) * 1000000000 + 123456789, 9, "2026-11-21T00:00:00.123456789Z" },
		{ INT64_C(1795219200) * 1000000000 + 123456789, 6, "2026-11-21T00:00:00.123456Z" },
		{ INT64_MAX, 9, "2262-04-11T23:47:16.854775807Z" },
		{ INT64_MIN + 1, 0, "1677-09-21T00:12:43Z" },
	};
	char buf[LYA_TIME_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(lya_time_format(cases[i].ns, cases[i].digits, buf),
		                    cases[i].text);
}

static void test_date(void **state)
{
	static const struct {
		const char *text;
		bool good;
		int64_t days;
	} cases[] = {
		{ "1970-01-01", true, 0 },        { "2000-03-01", true, 11017 },
		{ "2024-02-29", true, 19782 },    { "2023-02-29", false, 0 },
		{ "2023-13-01", false, 0 },       { "2023-1-01", false, 0 },
		{ "2023-01-01x", false, 0 },      { "2023/01/01", false, 0 },
		{ "1900-02-29", false, 0 },       { "2023-04-31", false, 0 },
		{ "2023-04-00", false, 0 },       { "", false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int year;
		unsigned month, day;
		int64_t days = -1;

		assert_int_equal(lya_date_parse(cases[i].text, &year, &month, &day), cases[i].good);
		if (!cases[i].good)
			continue;
		assert_true(lya_date_days(year, month, day, &days));
		assert_int_equal(days, cases[i].days);
	}
}

static void test_nets(void **state)
{
	static const struct {
		const char *text;
		bool good, host_bits;
	} cases[] = {
		{ "10.0.0.0/8", true, false },   { "10.0.0.5/8", false, true },
		{ "10.0.0.999", false, false },  { "10.0.0.0/33", false, false },
		{ "10.0.0.0/", false, false },   { "0.0.0.0/0", true, false },
		{ "fd00:10::/32", true, false }, { "fd00:10::1/32", false, true },
		{ "::/129", false, false },      { "10.0.0.0/8x", false, false },
		{ "2001:db8::1", true, false },  { "10.0.0.1/-1", false, false },
	};
	struct lya_net net;
	struct lya_addr addr;
	bool host_bits;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(lya_net_parse(cases[i].text, &net, &host_bits), cases[i].good);
		assert_int_equal(host_bits, cases[i].host_bits);
	}
	assert_true(lya_net_parse("10.20.0.0/14", &net, NULL));
	assert_true(lya_addr_parse("10.23.255.255", &addr) && lya_net_holds(&net, &addr));
	assert_true(lya_addr_parse("10.24.0.0", &addr) && !lya_net_holds(&net, &addr));
	assert_true(lya_addr_parse("::ffff:10.20.0.1", &addr) && !lya_net_holds(&net, &addr));
	assert_true(lya_net_parse("fd00:8000::/17", &net, NULL));
	assert_true(lya_addr_parse("fd00:ffff::1", &addr) && lya_net_holds(&net, &addr));
	assert_true(lya_addr_parse("fd00:7fff::1", &addr) && !lya_net_holds(&net, &addr));
}

static void test_kinds(void **state)
{
	static const struct {
		const char *text;
		bool private, no_role;
	} cases[] = {
		{ "10.1.2.3", true, false },       { "172.31.0.1", true, false },
		{ "172.32.0.1", false, false },    { "192.168.9.9", true, false },
		{ "100.64.0.1", true, false },     { "100.128.0.1", false, false },
		{ "198.51.100.1", false, false },  { "169.254.1.1", true, true },
		{ "224.0.0.1", false, true },      { "239.255.255.250", false, true },
		{ "240.0.0.1", false, false },     { "255.255.255.255", false, true },
		{ "0.0.0.0", false, true },        { "127.0.0.1", false, true },
		{ "fd00::1", true, false },        { "fe80::1", true, true },
		{ "ff02::1", false, true },        { "::", false, true },
		{ "::1", false, true },            { "::2", false, false },
		{ "2001:db8::1", false, false },
	};
	struct lya_addr addr;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_true(lya_addr_parse(cases[i].text, &addr));
		assert_int_equal(lya_addr_is_private(&addr), cases[i].private);
		assert_int_equal(lya_addr_plays_no_role(&addr), cases[i].no_role);
	}
}

/* The vectors of the Community ID specification and of two flows of this domain. */
static void test_community_id(void **state)
{
	static const struct {
		const char *a, *b, *id;
		uint16_t aport, bport;
		uint8_t proto;
	} cases[] = {
		{ "1.2.3.4", "5.6.7.8", "1:wCb3OG7yAFWelaUydu0D+125CLM=", 1122, 3344, 6 },
		{ "5.6.7.8", "1.2.3.4", "1:wCb3OG7yAFWelaUydu0D+125CLM=", 3344, 1122, 6 },
		{ "192.168.1.52", "8.8.8.8", "1:d/FP5EW3wiY1vCndhwleRRKHowQ=", 54585, 53, 17 },
		{ "2001:470:e5bf:dead:4957:2174:e82c:4887", "2607:f8b0:400c:c03::1a",
		  "1:/qFaeAR+gFe1KYjMzVDsMv+wgU4=", 63943, 25, 6 },
		{ "192.0.2.10", "198.51.100.20", "1:6d1d5sTG6bwKVr/1tUqj9QpwgIw=", 50505, 5061, 6 },
		{ "198.51.100.7", "203.0.113.30", "1:MUu71YrjCEPwbcO95ZD/DXAGwm8=", 4000, 3478, 17 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct lya_addr a, b;
		char id[LYA_COMMUNITY_ID];

		assert_true(lya_addr_parse(cases[i].a, &a) && lya_addr_parse(cases[i].b, &b));
		lya_community_id(&a, cases[i].aport, &b, cases[i].bport, cases[i].proto, id);
		assert_string_equal(id, cases[i].id);
	}
}

static void test_sha256(void **state)
{
	struct lya_digest *d = lya_digest_new();
	char hex[LYA_SHA256_HEX];

	(void)state;
	assert_non_null(d);
	lya_digest_add(d, "ab", 2);
	lya_digest_add(d, "c", 1);
	lya_digest_finish(d, hex); /* FIPS 180-2, B.1 */
	assert_string_equal(hex,
	                    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void test_map(void **state)
{
	struct lya_map *m = lya_map_new(sizeof(uint32_t), sizeof(uint64_t), 1000);
	const void *key;
	void *value;
	size_t pos = 0;
	uint32_t want = 0;
	bool made;

	(void)state;
	assert_non_null(m);
	for (uint32_t i = 0; i < 1000; i++) {
		uint32_t k = i * 2654435761u;
		uint64_t *v = lya_map_put(m, &k, &made);

		assert_non_null(v);
		assert_true(made);
		*v = i;
	}
	for (uint32_t i = 0; i < 1000; i++) {
		uint32_t k = i * 2654435761u;

		assert_int_equal(*(uint64_t *)lya_map_find(m, &k), i);
		assert_non_null(lya_map_put(m, &k, &made));
		assert_false(made);
	}
	assert_null(lya_map_put(m, &(uint32_t){ 7 }, NULL)); /* full */
	assert_null(lya_map_find(m, &(uint32_t){ 7 }));
	while (lya_map_next(m, &pos, &key, &value)) {
		assert_int_equal(*(uint64_t *)value, want);
		want++;
	}
	assert_int_equal(want, 1000);
	lya_map_free(m);
}

static void test_text(void **state)
{
	struct lya_text t = { 0 };

	(void)state;
	assert_string_equal(lya_text_str(&t), "");
	lya_text_add(&t, "a");
	lya_text_addf(&t, "%d-%s", 12, "b");
	assert_string_equal(lya_text_str(&t), "a12-b");
	lya_alloc_fail_at(1);
	lya_text_addf(&t, "%1000d", 1);
	assert_true(t.failed);
	lya_text_add(&t, "x");
	assert_string_equal(lya_text_str(&t), "a12-b");
	lya_text_fini(&t);
}

struct folder {
	char path[64];
	char file[80];
};

static void make_folder(struct folder *f)
{
	snprintf(f->path, sizeof(f->path), "/tmp/lyncaudit-base-XXXXXX");
	assert_non_null(mkdtemp(f->path));
	snprintf(f->file, sizeof(f->file), "%s/out", f->path);
}

static void read_file(const char *path, char *buf, size_t size)
{
	FILE *f = fopen(path, "r");
	size_t n;

	assert_non_null(f);
	n = fread(buf, 1, size - 1, f);
	buf[n] = '\0';
	fclose(f);
}

/* The final name keeps what it had until the commit, and keeps it after an abort. */
static void test_output_appears_whole(void **state)
{
	struct folder f;
	struct lya_output *out;
	struct lya_error err;
	struct stat st;
	char text[32];

	(void)state;
	make_folder(&f);
	assert_int_equal(lya_output_open(&out, f.file, false, &err), LYA_OK);
	lya_output_puts(out, "first");
	assert_int_equal(lya_output_flush(out), LYA_OK);
	assert_int_equal(access(f.file, F_OK), -1);
	assert_int_equal(lya_output_commit(out, &err), LYA_OK);
	read_file(f.file, text, sizeof(text));
	assert_string_equal(text, "first");
	assert_int_equal(stat(f.file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(lya_output_open(&out, f.file, false, &err), LYA_OK);
	lya_output_printf(out, "%s", "second");
	lya_output_abort(out);
	read_file(f.file, text, sizeof(text));
	assert_string_equal(text, "first");
	assert_int_equal(unlink(f.file), 0);
	assert_int_equal(rmdir(f.path), 0); /* nothing temporary is left behind */
}

static void test_output_failures(void **state)
{
	struct lya_output *out;
	struct lya_error err;

	(void)state;
	assert_int_equal(lya_output_open(&out, "/nonexistent/dir/file", false, &err), LYA_EOUTPUT);
	assert_string_equal(err.text,
	                    "/nonexistent/dir/file: cannot be written: No such file or directory");
	assert_int_equal(lya_output_open(&out, "/dev/full", false, &err), LYA_OK);
	lya_output_puts(out, "x");
	assert_int_equal(lya_output_commit(out, &err), LYA_EOUTPUT);
	assert_string_equal(err.text, "/dev/full: cannot be written: No space left on device");
	assert_int_equal(access("/dev/full", F_OK), 0);
}

static void test_allocation_failure(void **state)
{
	void *p;

	(void)state;
	lya_alloc_fail_at(2);
	p = lya_malloc(1);
	assert_non_null(p);
	assert_null(lya_calloc(1, 1));
	lya_free(p);
	p = lya_malloc(1);
	assert_non_null(p);
	lya_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_date),
		cmocka_unit_test(test_nets),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_community_id),
		cmocka_unit_test(test_sha256),
		cmocka_unit_test(test_map),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_output_appears_whole),
		cmocka_unit_test(test_output_failures),
		cmocka_unit_test(test_allocation_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
