/*
 * test_filter.c - pcap filter expressions, tagged frames above all.
 */
#include "build.h"

#include "capture/filter.h"

/* An Ethernet frame with `tags` VLAN tags around UDP to a port. */
static void udp_frame(struct bytes *b, size_t tags, uint16_t tag_type, uint16_t port)
{
	static const uint8_t ip[20] = { 0x45, 0, 0,  28, 0, 0, 0,  0, 64, 17,
					0,    0, 10, 0,  0, 1, 10, 0, 0,  2 };

	put_zeros(b, 12);
	for (size_t i = 0; i < tags; i++) {
		put_num(b, tag_type, 2, true);
		put_num(b, 5 + i, 2, true);
	}
	put_num(b, 0x0800, 2, true);
	put(b, ip, sizeof(ip));
	put_num(b, 40000, 2, true);
	put_num(b, port, 2, true);
	put_num(b, 8, 2, true);
	put_num(b, 0, 2, true);
}

static bool matches(const char *expression, uint16_t link, const struct bytes *b)
{
	struct lya_frame frame = { .data = b->data,
				   .caplen = (uint32_t)b->len,
				   .wirelen = (uint32_t)b->len,
				   .link = link };
	struct lya_error err = { .status = LYA_OK };
	struct capture_filter *f;
	bool pass;

	assert_int_equal(capture_filter_new(&f, expression, &err), LYA_OK);
	if (capture_filter_match(f, &frame, &pass, &err) != LYA_OK)
		fail_msg("%s", err.text);
	capture_filter_free(f);
	return pass;
}

static void tagged_frames_are_asked_inside(void **state)
{
	static const struct {
		const char *expression;
		size_t tags;
		uint16_t type, port;
		bool pass;
	} cases[] = {
		{ "port 5061", 0, 0, 5061, true },
		{ "port 5061", 0, 0, 80, false },
		{ "port 5061", 1, 0x8100, 5061, true },
		{ "port 5061", 1, 0x88a8, 5061, true },
		{ "port 5061", 1, 0x9100, 5061, true },
		{ "port 5061", 1, 0x8100, 80, false },
		{ "port 5061", 2, 0x8100, 5061, true },
		{ "port 5061", 4, 0x8100, 5061, true },
		{ "not port 80", 0, 0, 80, false },
		{ "not port 80", 1, 0x8100, 80, false }, /* "or (vlan and ...)" would let it pass */
		{ "not port 80", 2, 0x8100, 80, false },
		{ "not port 80", 2, 0x8100, 81, true },
		{ "port 80 or port 5061", 1, 0x8100, 5061,
		  true }, /* the whole, not its first half */
		{ "vlan and port 5061", 1, 0x8100, 5061, true },
		{ "vlan and port 5061", 0, 0, 5061, false },
		{ "vlan 6", 1, 0x8100, 5061, false },
		{ "vlan 5", 1, 0x8100, 5061, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bytes b = { 0 };

		udp_frame(&b, cases[i].tags, cases[i].type, cases[i].port);
		if (matches(cases[i].expression, LYA_LINK_ETHERNET, &b) != cases[i].pass)
			fail_msg("%s, %zu tags, port %u", cases[i].expression, cases[i].tags,
				 cases[i].port);
		bytes_free(&b);
	}
}

/* Frames that are cut inside their tags match nothing that asks for more, and are not read past. */
static void cut_frames(void **state)
{
	struct bytes whole = { 0 };

	(void)state;
	udp_frame(&whole, 3, 0x8100, 5061);
	for (size_t len = 0; len < whole.len; len++) {
		struct bytes b = bytes_cut(&whole, len);

		/* The ports end 4 bytes before the datagram's header does. */
		assert_int_equal(matches("port 5061", LYA_LINK_ETHERNET, &b), len >= whole.len - 4);
		bytes_free(&b);
	}
	bytes_free(&whole);
}

/* Link types whose number in a file is not libpcap's own number. */
static void link_types_are_translated(void **state)
{
	struct bytes b = { 0 };
	struct bytes ip = { 0 };

	(void)state;
	udp_frame(&b, 0, 0, 5061);
	put(&ip, b.data + 14, b.len - 14);
	assert_true(matches("udp port 5061", LYA_LINK_RAW, &ip));
	assert_true(matches("udp port 5061", LYA_LINK_IPV4, &ip));
	assert_false(matches("udp port 80", LYA_LINK_RAW, &ip));
	bytes_free(&b);
	bytes_free(&ip);
}

/* Errors name the expression; a link type nobody knows does not fail, it matches nothing. */
static void what_cannot_be_asked(void **state)
{
	struct lya_error err = { .status = LYA_OK };
	struct capture_filter *f;
	struct bytes b = { 0 };

	(void)state;
	assert_int_equal(capture_filter_new(&f, "prot 5061", &err), LYA_OK);
	assert_int_equal(capture_filter_prepare(f, LYA_LINK_ETHERNET, &err), LYA_EUSAGE);
	assert_non_null(strstr(err.text, "prot 5061"));
	assert_non_null(strstr(err.text, "syntax error"));
	assert_false(capture_filter_used(f));
	capture_filter_free(f);

	udp_frame(&b, 0, 0, 5061);
	assert_false(matches("port 5061", 189, &b)); /* USB */
	bytes_free(&b);
}

/* Through the capture: what is left out is counted, and numbers stay those of the file. */
static void filtered_frames_are_counted(void **state)
{
	struct folder dir;
	struct bytes b = { 0 };
	char paths[2][256];
	const char *list[2] = { paths[0], paths[1] };
	struct lya_capture_options options = { .paths = list, .filter = "port 5061" };
	struct lya_error err = { .status = LYA_OK };
	struct lya_frame frames[64];
	const struct lya_source *sources;
	struct lya_capture *c;
	size_t n;

	(void)state;
	folder_make(&dir);
	pcap_header(&b, 0xa1b2c3d4, false, 1);
	for (uint16_t i = 0; i < 10; i++) {
		struct bytes frame = { 0 };

		udp_frame(&frame, i % 3, 0x8100, i % 2 == 0 ? 80 : 5061);
		put_num(&b, 1700000000U + i, 4, false);
		put_num(&b, 0, 4, false);
		put_num(&b, frame.len, 4, false);
		put_num(&b, frame.len, 4, false);
		put(&b, frame.data, frame.len);
		bytes_free(&frame);
	}
	folder_file(&dir, "a", &b, paths[0]);
	folder_file(&dir, "b", &b, paths[1]);
	for (options.n_paths = 1; options.n_paths <= 2; options.n_paths++) {
		uint64_t last[2] = { 0, 0 };

		assert_int_equal(lya_capture_open(&c, &options, &err), LYA_OK);
		do {
			assert_int_equal(lya_capture_next(c, frames, 64, &n, &err), LYA_OK);
			for (size_t i = 0; i < n; i++) {
				assert_int_equal(frames[i].number % 2, 0);
				last[frames[i].source] = frames[i].number;
			}
		} while (n > 0);
		sources = lya_capture_sources(c, &n);
		for (size_t s = 0; s < n; s++) {
			assert_int_equal(last[s], 10);
			assert_int_equal(sources[s].packets, 5);
			assert_int_equal(sources[s].filtered, 5);
			assert_int_equal(sources[s].first_ns, START + SECOND);
		}
		lya_capture_close(c);
	}
	options.n_paths = 1;
	options.filter = "tcp port";
	assert_int_equal(lya_capture_open(&c, &options, &err), LYA_EUSAGE);
	/* A capture without packets has no link type to ask for: the expression is checked all the
	 * same. */
	b.len = 24;
	folder_file(&dir, "a", &b, paths[0]);
	assert_int_equal(lya_capture_open(&c, &options, &err), LYA_EUSAGE);
	options.filter = "  ";
	assert_int_equal(lya_capture_open(&c, &options, &err), LYA_OK);
	lya_capture_close(c);
	bytes_free(&b);
	folder_remove(&dir);
}

/* Who asks to stop is heard although no frame passes; what comes after goes on as before. */
static void stopping_needs_no_frame(void **state)
{
	volatile sig_atomic_t stop = 1;
	struct lya_error err = { .status = LYA_OK };
	struct lya_frame frames[64];
	struct folder dir;
	char path[256];
	const char *list[] = { path };
	struct lya_capture_options options = {
		.paths = list, .n_paths = 1, .filter = "tcp", .stop = &stop
	};
	struct bytes b = { 0 };
	struct lya_capture *c;
	size_t n;

	(void)state;
	folder_make(&dir);
	pcap_header(&b, 0xa1b2c3d4, false, 1);
	for (uint16_t i = 0; i < 5000; i++) {
		struct bytes frame = { 0 };

		udp_frame(&frame, 0, 0, 5061);
		put_num(&b, 1700000000U + i, 4, false);
		put_num(&b, 0, 4, false);
		put_num(&b, frame.len, 4, false);
		put_num(&b, frame.len, 4, false);
		put(&b, frame.data, frame.len);
		bytes_free(&frame);
	}
	folder_file(&dir, "a", &b, path);
	assert_int_equal(lya_capture_open(&c, &options, &err), LYA_OK);
	assert_int_equal(lya_capture_next(c, frames, 64, &n, &err), LYA_ESTOP);
	assert_in_range(lya_capture_sources(c, &n)->filtered, 1, 4999);
	stop = 0;
	assert_int_equal(lya_capture_next(c, frames, 64, &n, &err), LYA_OK);
	assert_int_equal(n, 0);
	assert_int_equal(lya_capture_sources(c, &n)->filtered, 5000);
	lya_capture_close(c);
	bytes_free(&b);
	folder_remove(&dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tagged_frames_are_asked_inside),
		cmocka_unit_test(cut_frames),
		cmocka_unit_test(link_types_are_translated),
		cmocka_unit_test(what_cannot_be_asked),
		cmocka_unit_test(filtered_frames_are_counted),
		cmocka_unit_test(stopping_needs_no_frame),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
