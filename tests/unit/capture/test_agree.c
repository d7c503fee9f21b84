/*
 * test_agree.c - the own readers deliver what libpcap delivers, packet by
 * packet, of files made here and of the project's captures.
 */
#include "build.h"

#include <dirent.h>
#include <pcap/pcap.h>

#include "lyncaudit/timeutil.h"

/* The next packet of libpcap; false at its end. */
static bool libpcap_next(pcap_t *p, struct pcap_pkthdr **h, const u_char **data)
{
	int rc = pcap_next_ex(p, h, data);

	return rc == 1;
}

/* How many packets the two agreed on. */
static size_t compare(const char *path)
{
	char errbuf[PCAP_ERRBUF_SIZE];
	pcap_t *p =
	    pcap_open_offline_with_tstamp_precision(path, PCAP_TSTAMP_PRECISION_NANO, errbuf);
	struct lya_capture_options options = { .paths = &path, .n_paths = 1 };
	struct lya_error err = { .status = LYA_OK };
	struct lya_frame frames[64];
	struct lya_capture *c;
	struct pcap_pkthdr *h;
	const u_char *data;
	size_t total = 0;
	size_t n;

	if (p == NULL)
		fail_msg("%s", errbuf);
	if (lya_capture_open(&c, &options, &err) != LYA_OK)
		fail_msg("%s", err.text);
	do {
		assert_int_equal(lya_capture_next(c, frames, 64, &n, &err), LYA_OK);
		for (size_t i = 0; i < n; i++) {
			const struct lya_frame *f = &frames[i];

			assert_true(libpcap_next(p, &h, &data));
			assert_int_equal(f->number, ++total);
			assert_int_equal(f->time_ns, h->ts.tv_sec * SECOND + h->ts.tv_usec);
			assert_int_equal(f->caplen, h->caplen);
			assert_int_equal(f->wirelen, h->len);
			assert_memory_equal(f->data, data, h->caplen);
		}
	} while (n > 0);
	assert_false(libpcap_next(p, &h, &data));
	lya_capture_close(c);
	pcap_close(p);
	return total;
}

static void pcap_files_agree(void **state)
{
	static const struct {
		uint32_t magic;
		bool big;
		uint32_t link;
	} cases[] = {
		{ 0xa1b2c3d4, false, 1 },  { 0xa1b2c3d4, true, 113 }, { 0xa1b23c4d, false, 101 },
		{ 0xa1b23c4d, true, 276 }, { 0xa1b2cd34, false, 1 },  { 0xa1b2cd34, true, 1 },
	};
	struct folder dir;

	(void)state;
	folder_make(&dir);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bytes b = { 0 };
		char path[256];

		pcap_header(&b, cases[i].magic, cases[i].big, cases[i].link);
		for (uint32_t k = 0; k < 2000; k++) {
			const uint32_t caplen = k * 13 % 1400;

			put_num(&b, 1700000000 + k, 4, cases[i].big);
			put_num(&b, k * 499, 4, cases[i].big);
			put_num(&b, caplen, 4, cases[i].big);
			put_num(&b, caplen + k % 3, 4, cases[i].big);
			if (cases[i].magic == 0xa1b2cd34)
				put_num(&b, k, 8, cases[i].big);
			put_body(&b, k, caplen);
		}
		folder_file(&dir, "x", &b, path);
		assert_int_equal(compare(path), 2000);
		/* A file that breaks off: the same whole packets. */
		assert_int_equal(truncate(path, (off_t)b.len / 2), 0);
		assert_in_range(compare(path), 500, 1500);
		bytes_free(&b);
	}
	folder_remove(&dir);
}

/* One link type and snap length for all: that is what libpcap can read of pcapng. */
static void pcapng_files_agree(void **state)
{
	static const int resolutions[] = { -1, 0, 3, 6, 7, 9, 0x80, 0x8a, 0x94, 0x9e };
	struct folder dir;

	(void)state;
	folder_make(&dir);
	for (size_t i = 0; i < 2 * sizeof(resolutions) / sizeof(resolutions[0]); i++) {
		const bool big = i % 2 == 1;
		const int resolution = resolutions[i / 2];
		struct bytes b = { 0 };
		struct bytes other = { 0 };
		char path[256];

		put_zeros(&other, 40);
		ng_section(&b, big);
		ng_interface(&b, big, 1, 262144, resolution, 0);
		ng_interface(&b, big, 1, 262144, 9, 1000);
		for (uint32_t k = 0; k < 1000; k++) {
			ng_packet(&b, big, k % 2, k % 2 == 1 ? (uint64_t)k << 32 | k : 1000003U * k,
				  k, k * 13 % 1400);
			if (k % 100 == 0)
				block(&b, big, 4 + 0x10 * (k % 200), &other);
		}
		folder_file(&dir, "x", &b, path);
		assert_int_equal(compare(path), 1000);
		bytes_free(&b);
		bytes_free(&other);
	}
	folder_remove(&dir);
}

static bool ends_with(const char *name, const char *end)
{
	const size_t len = strlen(name);

	return len >= strlen(end) && strcmp(name + len - strlen(end), end) == 0;
}

/* Can libpcap read the whole file?  It does not take several link types in one. */
static bool libpcap_can_read(const char *path)
{
	char errbuf[PCAP_ERRBUF_SIZE];
	pcap_t *p = pcap_open_offline(path, errbuf);
	struct pcap_pkthdr *h;
	const u_char *data;
	int rc;

	if (p == NULL)
		return false;
	do {
		rc = pcap_next_ex(p, &h, &data);
	} while (rc == 1);
	pcap_close(p);
	return rc == PCAP_ERROR_BREAK; /* the end of the file */
}

static void shipped_captures_agree(void **state)
{
	DIR *dir = opendir(TEST_SOURCE_DIR "/pcaps");
	struct dirent *entry;

	(void)state;
	assert_non_null(dir); /* the project ships them */
	while ((entry = readdir(dir)) != NULL) {
		char path[512];

		if (!ends_with(entry->d_name, ".pcap") && !ends_with(entry->d_name, ".pcapng"))
			continue;
		snprintf(path, sizeof(path), "%s/%s", TEST_SOURCE_DIR "/pcaps", entry->d_name);
		if (libpcap_can_read(path))
			(void)compare(path);
	}
	closedir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pcap_files_agree),
		cmocka_unit_test(pcapng_files_agree),
		cmocka_unit_test(shipped_captures_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
