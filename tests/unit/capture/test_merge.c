/*
 * test_merge.c - many sources, one order of time.
 */
#include "build.h"

#include "capture/state.h"
#include "lyncaudit/timeutil.h"

/* Everything a capture gives: source and number of each frame, in order. */
struct order {
	struct {
		int64_t time_ns;
		uint32_t source;
		uint64_t number;
	} * list;
	size_t n;
};

static void capture_all(struct lya_capture *c, size_t max, struct order *o)
{
	struct lya_frame frames[64];
	struct lya_error err = { .status = LYA_OK };
	size_t n;

	do {
		assert_int_equal(lya_capture_next(c, frames, max, &n, &err), LYA_OK);
		assert_true(n <= max);
		o->list = realloc(o->list, (o->n + n + 1) * sizeof(*o->list));
		assert_non_null(o->list);
		for (size_t i = 0; i < n; i++) {
			/* Borrowed until the next call: all of the batch must still be there. */
			assert_body(&frames[i], frames[i].number);
			o->list[o->n].time_ns = frames[i].time_ns;
			o->list[o->n].source = frames[i].source;
			o->list[o->n++].number = frames[i].number;
		}
	} while (n > 0);
	assert_int_equal(lya_capture_next(c, frames, max, &n, &err), LYA_OK);
	assert_int_equal(n, 0);
}

static struct lya_capture *open_paths(const char *const *paths, size_t n)
{
	struct lya_capture_options options = { .paths = paths, .n_paths = n };
	struct lya_error err = { .status = LYA_OK };
	struct lya_capture *c;

	if (lya_capture_open(&c, &options, &err) != LYA_OK)
		fail_msg("%s", err.text);
	return c;
}

/* Packets of one sequence dealt out to several files come back as the sequence. */
static void dealt_out_files_come_back(void **state)
{
	enum { FILES = 7, PACKETS = 5000 };
	struct folder dir;
	struct bytes b[FILES] = { 0 };
	char paths[FILES][256];
	const char *list[FILES];
	size_t numbers[FILES] = { 0 };
	uint32_t dealt[PACKETS];
	uint32_t seed = 1;
	uint64_t body = 0;

	(void)state;
	folder_make(&dir);
	for (size_t f = 0; f < FILES; f++)
		pcap_header(&b[f], 0xa1b2c3d4, false, 1);
	for (size_t i = 0; i < PACKETS; i++) {
		seed = seed * 1103515245 + 12345;
		dealt[i] = (seed >> 16) % FILES;
		pcap_at(&b[dealt[i]], START + (int64_t)i * 1000, ++numbers[dealt[i]],
			(seed >> 20) % 1500);
		body += (seed >> 20) % 1500;
	}
	for (size_t f = 0; f < FILES; f++) {
		char name[32];

		snprintf(name, sizeof(name), "%zu.pcap", f);
		folder_file(&dir, name, &b[f], paths[f]);
		list[f] = paths[f];
		bytes_free(&b[f]);
	}
	for (size_t max = 1; max <= 64; max += 9) {
		struct lya_capture *c = open_paths(list, FILES);
		struct order o = { 0 };
		const struct lya_source *sources;
		uint64_t done;
		uint64_t total;
		size_t n;

		lya_capture_progress(c, &done, &total);
		assert_int_equal(done, 0);
		capture_all(c, max, &o);
		assert_int_equal(o.n, PACKETS);
		for (size_t i = 0; i < PACKETS; i++) {
			assert_int_equal(o.list[i].time_ns, START + (int64_t)i * 1000);
			assert_int_equal(o.list[i].source, dealt[i]);
		}
		sources = lya_capture_sources(c, &n);
		assert_int_equal(n, FILES);
		for (size_t f = 0; f < FILES; f++) {
			assert_int_equal(sources[f].packets, numbers[f]);
			assert_int_equal(sources[f].steps_back, 0);
			assert_null(sources[f].error);
		}
		lya_capture_progress(c, &done, &total);
		assert_int_equal(total, FILES * 24 + PACKETS * 16 + body);
		assert_int_equal(done, total);
		free(o.list);
		lya_capture_close(c);
	}
	folder_remove(&dir);
}

static void make_file(const struct folder *dir, const char *name, const int *times, size_t n,
		      char path[static 256])
{
	struct bytes b = { 0 };

	pcap_header(&b, 0xa1b2c3d4, false, 1);
	for (size_t i = 0; i < n; i++)
		pcap_at(&b, START + times[i] * SECOND, i + 1, 60);
	folder_file(dir, name, &b, path);
	bytes_free(&b);
}

/* One of many. */
static void make_numbered(const struct folder *dir, int number, const int *times, size_t n)
{
	char name[32];
	char path[256];

	snprintf(name, sizeof(name), "%04d.pcap", number);
	make_file(dir, name, times, n, path);
}

static void assert_order(const struct order *o, const char *expected)
{
	struct bytes text = { 0 };

	for (size_t i = 0; i < o->n; i++) {
		char item[64];

		snprintf(item, sizeof(item), "%c%u ", 'a' + (int)o->list[i].source,
			 (unsigned)o->list[i].number);
		put(&text, item, strlen(item));
	}
	put(&text, "", 1);
	assert_string_equal((char *)text.data, expected);
	bytes_free(&text);
}

/* The frames of the last calls are as they were, whatever was read since. */
static size_t count_held(struct lya_capture *c, unsigned hold)
{
	enum { HOLD_MAX = 64, MAX = 64 };
	static struct lya_frame frames[HOLD_MAX + 1][MAX];
	size_t n[HOLD_MAX + 1] = { 0 }, all = 0;
	struct lya_error err = { .status = LYA_OK };

	assert_true(hold <= HOLD_MAX);
	for (size_t call = 0;; call++) {
		size_t at = call % (hold + 1);

		assert_int_equal(lya_capture_next(c, frames[at], MAX, &n[at], &err), LYA_OK);
		if (n[at] == 0)
			return all;
		all += n[at];
		for (size_t k = 0; k <= hold; k++)
			for (size_t i = 0; i < n[k]; i++)
				assert_body(&frames[k][i], frames[k][i].number);
	}
}

/* Files of several buffers each, that end one after the other and are closed. */
static void frames_stay_for_as_long_as_asked(void **state)
{
	enum { FILES = 3, PACKETS = 1500 };
	char paths[FILES][256];
	const char *list[FILES];
	struct folder dir;

	(void)state;
	folder_make(&dir);
	for (size_t f = 0; f < FILES; f++) {
		struct bytes b = { 0 };
		char name[32];

		pcap_header(&b, 0xa1b2c3d4, false, 1);
		for (size_t i = 0; i < PACKETS; i++)
			pcap_at(&b, START + (int64_t)(i * (f + 1)) * 1000, i + 1,
				(uint32_t)(i % 1500));
		snprintf(name, sizeof(name), "%zu.pcap", f);
		folder_file(&dir, name, &b, paths[f]);
		list[f] = paths[f];
		bytes_free(&b);
	}
	for (unsigned hold = 1; hold <= 40; hold += 3) {
		struct lya_capture_options options = { .paths = list, .n_paths = FILES,
						       .hold = hold };
		struct lya_error err = { .status = LYA_OK };
		struct lya_capture *c;

		assert_int_equal(lya_capture_open(&c, &options, &err), LYA_OK);
		assert_int_equal(count_held(c, hold), FILES * PACKETS);
		lya_capture_close(c);
	}
	folder_remove(&dir);
}

/*
 * Many small files: what was only looked at lends no buffer, and what has been given is let go
 * in time, so that the room that some files need is enough for any number.
 */
static void held_frames_of_many_files_stay_bounded(void **state)
{
	enum { FILES = 300, HOLD = 4, ROOM = (HOLD + 3) * CAPTURE_BUFFER };
	struct lya_error err = { .status = LYA_OK };
	struct lya_capture *c;
	struct folder dir;
	const char *list[1];

	(void)state;
	folder_make(&dir);
	for (int f = 0; f < FILES; f++)
		make_numbered(&dir, f, &f, 1);
	list[0] = dir.path;
	if (lya_capture_open(&c,
			     &(struct lya_capture_options){ .paths = list, .n_paths = 1,
							    .hold = HOLD, .max_bytes = ROOM },
			     &err) != LYA_OK)
		fail_msg("%s", err.text);
	assert_int_equal(count_held(c, HOLD), FILES);
	lya_capture_close(c);
	folder_remove(&dir);
}

/* Equal times: the source named first, then the place in it.  The names' order is not the files'.
 */
static void equal_times_go_by_source(void **state)
{
	static const int a[] = { 1, 2, 2, 3 };
	static const int b[] = { 0, 2, 2, 2, 3 };
	static const int c[] = { 2 };
	struct folder dir;
	char paths[3][256];
	const char *list[3] = { paths[0], paths[1], paths[2] };
	struct order o = { 0 };
	struct lya_capture *capture;

	(void)state;
	folder_make(&dir);
	make_file(&dir, "z", a, 4, paths[0]);
	make_file(&dir, "y", b, 5, paths[1]);
	make_file(&dir, "x", c, 1, paths[2]);
	capture = open_paths(list, 3);
	capture_all(capture, 64, &o);
	assert_order(&o, "b1 a1 a2 a3 b2 b3 b4 c1 a4 b5 ");
	lya_capture_close(capture);
	free(o.list);
	folder_remove(&dir);
}

/* Two files with a packet a second, `late` of them from time `from` on. */
static void within_another(const struct folder *dir, size_t late, int from, size_t max)
{
	enum { PACKETS = 200 };
	int times[2][PACKETS];
	char paths[2][256];
	const char *list[2] = { paths[0], paths[1] };
	struct order o = { 0 };
	struct lya_capture *c;

	for (int i = 0; i < PACKETS; i++) {
		times[late][i] = from + i;
		times[!late][i] = i;
	}
	make_file(dir, "a", times[0], PACKETS, paths[0]);
	make_file(dir, "b", times[1], PACKETS, paths[1]);
	c = open_paths(list, 2);
	capture_all(c, max, &o);
	assert_int_equal(o.n, 2 * PACKETS);
	for (size_t i = 1; i < o.n; i++) {
		if (o.list[i].time_ns == o.list[i - 1].time_ns)
			assert_true(o.list[i].source > o.list[i - 1].source);
		else
			assert_true(o.list[i].time_ns > o.list[i - 1].time_ns);
	}
	lya_capture_close(c);
	free(o.list);
}

/* A file is read in handfuls while it is open alone: another one begins anywhere among them. */
static void a_file_begins_within_another(void **state)
{
	static const size_t max[] = { 1, 7, 63, 64 };
	struct folder dir;

	(void)state;
	folder_make(&dir);
	for (int from = 0; from <= 201; from += from % 64 < 62 && from > 2 ? 9 : 1) {
		for (size_t i = 0; i < sizeof(max) / sizeof(max[0]); i++) {
			within_another(&dir, 0, from, max[i]);
			within_another(&dir, 1, from, max[i]);
		}
	}
	folder_remove(&dir);
}

/* A clock that steps back: its frames come at once, in the order of the file, and are counted. */
static void clocks_that_step_back(void **state)
{
	static const int a[] = { 10, 11, 3, 4, 12 };
	static const int b[] = { 10, 12, 13 };
	struct folder dir;
	char paths[2][256];
	const char *list[2] = { paths[0], paths[1] };
	struct order o = { 0 };
	struct lya_capture *capture;
	const struct lya_source *sources;
	size_t n;

	(void)state;
	folder_make(&dir);
	make_file(&dir, "a", a, 5, paths[0]);
	make_file(&dir, "b", b, 3, paths[1]);
	capture = open_paths(list, 2);
	capture_all(capture, 64, &o);
	assert_order(&o, "a1 b1 a2 a3 a4 a5 b2 b3 ");
	sources = lya_capture_sources(capture, &n);
	assert_int_equal(sources[0].steps_back, 1);
	assert_int_equal(sources[0].first_ns, START + 3 * SECOND);
	assert_int_equal(sources[0].last_ns, START + 12 * SECOND);
	assert_int_equal(sources[1].steps_back, 0);
	lya_capture_close(capture);
	free(o.list);
	folder_remove(&dir);
}

static size_t descriptors(void)
{
	size_t n = 0;

	for (int fd = 0; fd < 2000; fd++)
		n += lseek(fd, 0, SEEK_CUR) != -1; /* files only, no terminals and pipes */
	return n;
}

/* A ring of files in a row: never more than two of them are open. */
static void a_ring_is_not_held_open(void **state)
{
	enum { FILES = 600 }; /* more than may be open at once */
	struct folder dir;
	const size_t before = descriptors();
	struct lya_capture *c;
	struct lya_frame frames[64];
	struct lya_error err = { .status = LYA_OK };
	const char *list[1];
	size_t given = 0;
	size_t n;

	(void)state;
	folder_make(&dir);
	for (int f = 0; f < FILES; f++) {
		const int times[] = { 3 * f, 3 * f + 1, 3 * f + 2 };
		char name[32];
		char path[256];

		snprintf(name, sizeof(name), "ring-%04d.pcap", f);
		make_file(&dir, name, times, 3, path);
	}
	list[0] = dir.path;
	c = open_paths(list, 1);
	assert_int_equal(descriptors(), before);
	do {
		assert_int_equal(lya_capture_next(c, frames, 64, &n, &err), LYA_OK);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(frames[i].time_ns, START + (int64_t)given++ * SECOND);
		assert_true(descriptors() <= before + 2);
	} while (n > 0);
	assert_int_equal(given, 3 * FILES);
	assert_int_equal(descriptors(), before);
	lya_capture_close(c);
	folder_remove(&dir);
}

/* Too many at once is said, with the file at which it happened. */
static void too_many_at_once_is_told(void **state)
{
	enum { FILES = CAPTURE_OPEN_MAX + 1 };
	static const int times[] = { 0, 1000 };
	struct folder dir;
	struct lya_capture *c;
	struct lya_frame frames[64];
	struct lya_error err = { .status = LYA_OK };
	const char *list[1];
	size_t n;
	int rc;

	(void)state;
	folder_make(&dir);
	for (int f = 0; f < FILES; f++)
		make_numbered(&dir, f, times, 2);
	list[0] = dir.path;
	c = open_paths(list, 1);
	do {
		rc = lya_capture_next(c, frames, 64, &n, &err);
	} while (rc == LYA_OK && n > 0);
	assert_int_equal(rc, LYA_ELIMIT);
	assert_int_equal(n, 0);
	assert_non_null(strstr(err.text, "/0512.pcap: more than 512 captures overlap"));
	lya_capture_close(c);
	folder_remove(&dir);
}

/* A cap that is too small for the buffers is an error with the file's name, open or reading. */
static void buffers_have_a_cap(void **state)
{
	static const int times[] = { 0, 1000 };
	static const size_t caps[] = { 1000, CAPTURE_BUFFER_SMALL, CAPTURE_BUFFER + 1000 };
	struct folder dir;
	char paths[2][256];
	const char *list[2] = { paths[0], paths[1] };
	struct lya_capture_options options = { .paths = list, .n_paths = 2 };

	(void)state;
	folder_make(&dir);
	make_file(&dir, "a", times, 2, paths[0]);
	make_file(&dir, "b", times, 2, paths[1]);
	for (size_t i = 0; i < sizeof(caps) / sizeof(caps[0]); i++) {
		struct lya_error err = { .status = LYA_OK };
		struct lya_frame frames[64];
		struct lya_capture *c;
		size_t n = 1;
		int rc;

		options.max_bytes = caps[i];
		rc = lya_capture_open(&c, &options, &err);
		while (rc == LYA_OK && n > 0)
			rc = lya_capture_next(c, frames, 64, &n, &err);
		assert_int_equal(rc, LYA_ELIMIT);
		assert_ptr_equal(strstr(err.text, paths[i == 2 ? 1 : 0]), err.text);
		assert_non_null(strstr(err.text, "would pass the cap"));
		lya_capture_close(c);
	}
	folder_remove(&dir);
}

/* Time offsets: by name as given, by the last part of it, and for a whole directory. */
static void offsets_move_sources(void **state)
{
	static const int a[] = { 10, 20 };
	static const int b[] = { 11, 21 };
	struct folder dir;
	char paths[2][256];
	const char *list[2] = { paths[0], paths[1] };
	const char *whole[1] = { dir.path };
	struct lya_capture_offset offset = { .offset_ns = -5 * SECOND };
	struct lya_capture_options options = {
		.paths = list, .n_paths = 2, .offsets = &offset, .n_offsets = 1
	};
	struct lya_error err = { .status = LYA_OK };
	const struct lya_source *sources;
	struct lya_capture *c;
	size_t n;

	(void)state;
	folder_make(&dir);
	make_file(&dir, "a.pcap", a, 2, paths[0]);
	make_file(&dir, "b.pcap", b, 2, paths[1]);
	for (int i = 0; i < 2; i++) {
		struct order o = { 0 };

		offset.name = i == 0 ? paths[1] : "b.pcap";
		assert_int_equal(lya_capture_open(&c, &options, &err), LYA_OK);
		capture_all(c, 64, &o);
		assert_order(&o, "b1 a1 b2 a2 ");
		sources = lya_capture_sources(c, &n);
		assert_int_equal(sources[0].time_offset_ns, 0);
		assert_int_equal(sources[1].time_offset_ns, -5 * SECOND);
		assert_int_equal(sources[1].first_ns, START + 6 * SECOND);
		lya_capture_close(c);
		free(o.list);
	}
	options.paths = whole;
	options.n_paths = 1;
	offset.name = dir.path;
	assert_int_equal(lya_capture_open(&c, &options, &err), LYA_OK);
	sources = lya_capture_sources(c, &n);
	assert_int_equal(sources[0].time_offset_ns, -5 * SECOND);
	assert_int_equal(sources[1].time_offset_ns, -5 * SECOND);
	lya_capture_close(c);
	offset.name = "c.pcap";
	assert_int_equal(lya_capture_open(&c, &options, &err), LYA_EUSAGE);
	assert_non_null(strstr(err.text, "no input is called \"c.pcap\""));
	folder_remove(&dir);
}

/* Captures without packets, and one that breaks off, do not stop the others. */
static void empty_and_cut_files_among_others(void **state)
{
	static const int a[] = { 1, 3, 5 };
	static const int b[] = { 2, 4, 6 };
	struct folder dir;
	char paths[3][256];
	const char *list[3] = { paths[0], paths[1], paths[2] };
	struct order o = { 0 };
	const struct lya_source *sources;
	struct lya_capture *c;
	size_t n;

	(void)state;
	folder_make(&dir);
	make_file(&dir, "a", a, 3, paths[0]);
	make_file(&dir, "b", b, 3, paths[1]);
	make_file(&dir, "c", NULL, 0, paths[2]);
	assert_int_equal(truncate(paths[0], 24 + 2 * 76 + 20), 0);
	c = open_paths(list, 3);
	capture_all(c, 64, &o);
	assert_order(&o, "a1 b1 a2 b2 b3 ");
	sources = lya_capture_sources(c, &n);
	assert_int_equal(n, 3);
	assert_true(sources[0].truncated);
	assert_string_equal(sources[0].error, "byte 192: packet 3 wants 60 bytes, 4 are left");
	assert_false(sources[1].truncated);
	assert_null(sources[1].error);
	assert_null(sources[2].error);
	assert_int_equal(sources[2].packets, 0);
	assert_true(sources[2].first_ns == LYA_TIME_NONE);
	lya_capture_close(c);
	free(o.list);
	folder_remove(&dir);
}

/* A file that goes away between the look and its turn is missing evidence, and the rest goes on. */
static void a_file_that_goes_away(void **state)
{
	static const int a[] = { 1, 2 };
	static const int b[] = { 3, 4 };
	struct folder dir;
	char paths[2][256];
	const char *list[2] = { paths[0], paths[1] };
	struct order o = { 0 };
	const struct lya_source *sources;
	struct lya_capture *c;
	size_t n;

	(void)state;
	folder_make(&dir);
	make_file(&dir, "a", a, 2, paths[0]);
	make_file(&dir, "b", b, 2, paths[1]);
	c = open_paths(list, 2);
	assert_int_equal(unlink(paths[1]), 0);
	capture_all(c, 64, &o);
	assert_order(&o, "a1 a2 ");
	sources = lya_capture_sources(c, &n);
	assert_non_null(strstr(sources[1].error, "No such file"));
	assert_false(sources[1].skipped);
	lya_capture_close(c);
	free(o.list);
	folder_remove(&dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dealt_out_files_come_back),
		cmocka_unit_test(frames_stay_for_as_long_as_asked),
		cmocka_unit_test(held_frames_of_many_files_stay_bounded),
		cmocka_unit_test(equal_times_go_by_source),
		cmocka_unit_test(a_file_begins_within_another),
		cmocka_unit_test(clocks_that_step_back),
		cmocka_unit_test(a_ring_is_not_held_open),
		cmocka_unit_test(too_many_at_once_is_told),
		cmocka_unit_test(buffers_have_a_cap),
		cmocka_unit_test(offsets_move_sources),
		cmocka_unit_test(empty_and_cut_files_among_others),
		cmocka_unit_test(a_file_that_goes_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
