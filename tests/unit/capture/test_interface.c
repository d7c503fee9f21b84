/*
 * test_interface.c - what captures say of their interfaces, and the bounds of it.
 */
#include "build.h"

#include "capture/interface.h"

/* An interface block with a name of any bytes. */
static void ng_named(struct bytes *b, bool big, const void *name, size_t len, int64_t offset)
{
	struct bytes body = { 0 };
	uint8_t resolution = 0x80 | 20;

	put_num(&body, 101, 2, big);
	put_num(&body, 0, 2, big);
	put_num(&body, 96, 4, big);
	option(&body, big, 9, &resolution, 1);
	option(&body, big, 2, name, len);
	option_u64(&body, big, 14, (uint64_t)offset);
	block(b, big, 1, &body);
	bytes_free(&body);
}

static void read_all(struct lya_capture *c)
{
	struct lya_frame frames[64];
	struct lya_error err = { .status = LYA_OK };
	size_t n = 1;

	while (n > 0)
		assert_int_equal(lya_capture_next(c, frames, 64, &n, &err), LYA_OK);
}

static void assert_interface(const struct lya_interface *i, const char *name, uint16_t link,
			     uint32_t snaplen, uint8_t tsresol, int64_t offset_s)
{
	if (name == NULL)
		assert_null(i->name);
	else
		assert_string_equal(i->name, name);
	assert_int_equal(i->link, link);
	assert_int_equal(i->snaplen, snaplen);
	assert_int_equal(i->tsresol, tsresol);
	assert_int_equal(i->offset_s, offset_s);
}

/*
 * Numbered on over sections, as frames are.  With two files each is opened, looked at,
 * closed and opened again: its interfaces are there once.
 */
static void interfaces_are_told(void **state)
{
	struct bytes ng = { 0 }, b = { 0 };
	struct folder dir;
	char paths[2][256];
	const char *const list[] = { paths[0], paths[1] };
	struct lya_capture_options options = { .paths = list, .n_paths = 2 };
	struct lya_capture *c;
	struct lya_error err = { .status = LYA_OK };
	const struct lya_source *s;
	size_t n;

	(void)state;
	ng_section(&ng, false);
	ng_interface(&ng, false, 1, 64, -1, 0);
	ng_packet(&ng, false, 0, (uint64_t)START / 1000, 1, 60);
	ng_interface(&ng, false, 113, 0, 9, 0);
	ng_section(&ng, true);
	ng_named(&ng, true, "span \xc3\xa9", 7, -86400);
	pcap_header(&b, 0xa1b23c4d, true, 276);
	pcap_record(&b, true, (uint32_t)(START / SECOND) + 1, 0, 1, 60, 60);
	folder_make(&dir);
	folder_file(&dir, "a.pcapng", &ng, paths[0]);
	folder_file(&dir, "b.pcap", &b, paths[1]);
	assert_int_equal(lya_capture_open(&c, &options, &err), LYA_OK);
	read_all(c);
	s = lya_capture_sources(c, &n);
	assert_int_equal(n, 2);
	assert_int_equal(s[0].interfaces.n, 3);
	assert_interface(&s[0].interfaces.list[0], "eth0", 1, 64, 6, 0);
	assert_interface(&s[0].interfaces.list[1], "eth0", 113, 0, 9, 0);
	assert_interface(&s[0].interfaces.list[2], "span \xc3\xa9", 101, 96, 0x80 | 20, -86400);
	assert_int_equal(s[1].interfaces.n, 1);
	assert_interface(&s[1].interfaces.list[0], NULL, 276, 262144, 9, 0);
	lya_capture_close(c);
	bytes_free(&ng);
	bytes_free(&b);
	folder_remove(&dir);
}

/* Of more than are told the first ones are, with a bound on each name. */
static void interfaces_are_bounded(void **state)
{
	struct bytes b = { 0 };
	struct memory m;
	struct lya_interfaces all = { 0 };
	struct lya_frame f;
	char name[300];

	(void)state;
	memset(name, 'n', sizeof(name));
	ng_section(&b, false);
	for (size_t i = 0; i < LYA_SOURCE_INTERFACES_MAX + 2; i++)
		ng_named(&b, false, name, i == 1 ? 0 : i == 2 ? 255 : sizeof(name), 0);
	ng_packet(&b, false, LYA_SOURCE_INTERFACES_MAX + 1, 1, 1, 60);
	assert_int_equal(memory_open(&m, &b), LYA_OK);
	assert_int_equal(capture_reader_tell_interfaces(m.reader, &all, NULL), LYA_OK);
	assert_true(memory_next(&m, &f));
	assert_int_equal(f.iface, LYA_SOURCE_INTERFACES_MAX + 1);
	assert_int_equal(all.n, LYA_SOURCE_INTERFACES_MAX);
	assert_int_equal(strlen(all.list[0].name), 255);
	assert_null(all.list[1].name);
	assert_int_equal(strlen(all.list[2].name), 255);
	capture_interfaces_clear(&all, &m.cap);
	memory_close(&m);
	bytes_free(&b);
}

/* What would pass the cap is left out, with all that follows it, and that is no failure. */
static void without_room_nothing_is_told(void **state)
{
	static const struct lya_interface what = { .link = 1, .tsresol = 6 };
	struct capture_cap cap = { .max = 4 * sizeof(struct lya_interface) + 8 };
	struct lya_interfaces all = { 0 };

	(void)state;
	assert_int_equal(capture_interfaces_add(&all, 0, &cap, &what, "eth0", 4, NULL), LYA_OK);
	assert_int_equal(capture_interfaces_add(&all, 1, &cap, &what, "eth1", 4, NULL), LYA_OK);
	assert_int_equal(all.n, 1); /* five bytes twice are ten */
	assert_int_equal(capture_interfaces_add(&all, 2, &cap, &what, "", 0, NULL), LYA_OK);
	assert_int_equal(all.n, 1); /* not in the place of the one before */
	capture_interfaces_clear(&all, &cap);
	assert_int_equal(cap.used, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(interfaces_are_told),
		cmocka_unit_test(interfaces_are_bounded),
		cmocka_unit_test(without_room_nothing_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
