/*
 * test_bundle.c - configuration files from one process to another.
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
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "live/bundle.h"

static char folder[64], site[96], rules[96];

static void put(const char *folder_of, const char *name, const char *text)
{
	char path[160];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder_of, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int set_up(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/lyncaudit-bundle-XXXXXX");
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(site, sizeof(site), "%s/site.json", folder);
	snprintf(rules, sizeof(rules), "%s/rules", folder);
	if (mkdir(rules, 0700) == -1)
		return -1;
	put(folder, "site.json", "the site");
	put(rules, "b.json", "");
	put(rules, "a.json", "rules of a");
	put(rules, "notes.txt", "none");
	return 0;
}

static int tear_down(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command) == 0 ? 0 : -1;
}

static void it_comes_as_it_was(void **state)
{
	struct lya_error err;
	struct bundle b;
	char path[128];
	int fd;

	(void)state;
	assert_int_equal(bundle_pack(&fd, site, rules, -1, &err), LYA_OK);
	put(folder, "site.json", "another"); /* what was packed stays */
	assert_int_equal(bundle_unpack(&b, fd, &err), LYA_OK);
	assert_string_equal(b.site.name, site);
	assert_string_equal(b.site.text, "the site");
	assert_int_equal(b.site.len, strlen("the site"));
	assert_int_equal(b.n_rules, 2);
	snprintf(path, sizeof(path), "%s/a.json", rules);
	assert_string_equal(b.rules[0].name, path);
	assert_string_equal(b.rules[0].text, "rules of a");
	assert_int_equal(b.rules[1].len, 0);
	bundle_fini(&b);
}

static void what_is_not_there_is_named(void **state)
{
	struct lya_error err;
	int fd;

	(void)state;
	assert_int_equal(unlink(site), 0);
	assert_int_equal(bundle_pack(&fd, site, rules, -1, &err), LYA_EIO);
	assert_non_null(strstr(err.text, site));
	put(folder, "site.json", "the site");
	assert_int_equal(bundle_pack(&fd, site, "/no/rules", -1, &err), LYA_EIO);
	assert_non_null(strstr(err.text, "/no/rules"));
}

/* One that was cut, or in which a byte is another: an error or other texts, and no crash. */
static void damage_is_an_error(void **state)
{
	struct lya_error err;
	struct stat st;
	unsigned refused = 0;
	uint8_t *bytes;
	int whole;

	(void)state;
	assert_int_equal(bundle_pack(&whole, site, rules, -1, &err), LYA_OK);
	assert_int_equal(fstat(whole, &st), 0);
	bytes = malloc((size_t)st.st_size);
	assert_int_equal(pread(whole, bytes, (size_t)st.st_size, 0), st.st_size);
	for (off_t at = 0; at < 2 * st.st_size; at++) {
		int fd = memfd_create("damaged", 0);
		size_t len = (size_t)(at < st.st_size ? at : st.st_size);
		struct bundle b;

		if (at >= st.st_size)
			bytes[at - st.st_size] ^= 0xff;
		assert_int_equal(write(fd, bytes, len), len);
		if (at >= st.st_size)
			bytes[at - st.st_size] ^= 0xff;
		if (bundle_unpack(&b, fd, &err) == LYA_OK)
			bundle_fini(&b);
		else
			refused++;
	}
	/* a cut between two files shows no more than fewer rules; of each file the lengths count */
	assert_true(refused >= (unsigned)st.st_size - 3 + 3 * 8);
	free(bytes);
	close(whole);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(it_comes_as_it_was, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_not_there_is_named, set_up, tear_down),
		cmocka_unit_test_setup_teardown(damage_is_an_error, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
