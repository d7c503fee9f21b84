/*
 * test_sources.c - files, directories, pipes and standard input; what is told
 * of those that are no captures.
 */
#include "build.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>

#include "lyncaudit/alloc.h"
#include "lyncaudit/timeutil.h"

static struct bytes one_capture(size_t packets)
{
	struct bytes b = { 0 };

	pcap_header(&b, 0xa1b2c3d4, false, 1);
	for (size_t i = 1; i <= packets; i++)
		pcap_at(&b, START + (int64_t)i * SECOND, i, 60);
	return b;
}

static int open_one(const char *path, struct lya_capture **c, struct lya_error *err)
{
	struct lya_capture_options options = { .paths = &path, .n_paths = 1 };

	return lya_capture_open(c, &options, err);
}

static size_t count(struct lya_capture *c)
{
	struct lya_frame frames[64];
	struct lya_error err = { .status = LYA_OK };
	size_t total = 0;
	size_t n;

	do {
		assert_int_equal(lya_capture_next(c, frames, 64, &n, &err), LYA_OK);
		total += n;
	} while (n > 0);
	return total;
}

/* A named file that is no capture is an error that names it, what was wanted and what is there. */
static void named_files_must_be_captures(void **state)
{
	static const struct {
		const char *name, *content;
		const char *text;
	} cases[] = {
		{ "empty.pcap", "", "wanted a capture, found an empty file" },
		{ "text.pcap", "not a capture", "found a file that begins with 6e 6f 74 20" },
		{ "gone.pcap", NULL, "wanted a capture, cannot open it: No such file" },
	};
	struct folder dir;

	(void)state;
	folder_make(&dir);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct lya_error err = { .status = LYA_OK };
		struct bytes b = { 0 };
		struct lya_capture *c;
		char path[256];

		put(&b, cases[i].content == NULL ? "" : cases[i].content,
		    cases[i].content == NULL ? 0 : strlen(cases[i].content));
		folder_file(&dir, cases[i].name, &b, path);
		if (cases[i].content == NULL)
			assert_int_equal(unlink(path), 0);
		assert_int_equal(open_one(path, &c, &err), LYA_EINPUT);
		assert_null(c);
		assert_ptr_equal(strstr(err.text, path), err.text);
		if (strstr(err.text, cases[i].text) == NULL)
			fail_msg("%s", err.text);
		bytes_free(&b);
	}
	folder_remove(&dir);
}

static void a_capture_without_packets_is_fine(void **state)
{
	struct bytes b = one_capture(0);
	struct lya_error err = { .status = LYA_OK };
	struct folder dir;
	struct lya_capture *c;
	const struct lya_source *sources;
	char path[256];
	size_t n;

	(void)state;
	folder_make(&dir);
	folder_file(&dir, "none.pcap", &b, path);
	assert_int_equal(open_one(path, &c, &err), LYA_OK);
	assert_int_equal(count(c), 0);
	sources = lya_capture_sources(c, &n);
	assert_int_equal(n, 1);
	assert_null(sources[0].error);
	assert_true(sources[0].first_ns == LYA_TIME_NONE);
	lya_capture_close(c);
	bytes_free(&b);
	folder_remove(&dir);
}

/* Entries by name; what is none is passed over and listed; what may be one is not passed over. */
static void directories_are_listed(void **state)
{
	struct bytes b = one_capture(2);
	struct bytes text = { 0 };
	struct bytes cut = { 0 };
	struct lya_error err = { .status = LYA_OK };
	struct folder dir;
	struct lya_capture *c;
	const struct lya_source *sources;
	char path[256];
	size_t n;
	static const struct {
		const char *name;
		uint64_t packets;
		bool skipped;
		const char *error;
	} expected[] = {
		{ "a.pcap", 2, false, NULL },
		{ "b.txt", 0, true, "found a file that begins with" },
		{ "c.pcap", 2, false, NULL },
		{ "d.cut", 0, false, "24 bytes of a pcap file header, found 20" },
		{ "e.empty", 0, true, "an empty file" },
		{ "f.fifo", 0, true, "not a regular file" },
		{ "g.directory", 0, true, "a directory inside a directory" },
	};

	(void)state;
	put(&text, "some notes", 10);
	put(&cut, b.data, 20);
	folder_make(&dir);
	folder_file(&dir, "c.pcap", &b, path);
	folder_file(&dir, "e.empty", NULL, path);
	folder_file(&dir, "b.txt", &text, path);
	folder_file(&dir, "a.pcap", &b, path);
	folder_file(&dir, "d.cut", &cut, path);
	snprintf(path, sizeof(path), "%s/f.fifo", dir.path);
	assert_int_equal(mkfifo(path, 0600), 0);
	snprintf(path, sizeof(path), "%s/g.directory", dir.path);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(open_one(dir.path, &c, &err), LYA_OK);
	assert_int_equal(count(c), 4);
	sources = lya_capture_sources(c, &n);
	assert_int_equal(n, sizeof(expected) / sizeof(expected[0]));
	for (size_t i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir.path, expected[i].name);
		assert_string_equal(sources[i].name, path);
		assert_string_equal(sources[i].kind, "file");
		assert_int_equal(sources[i].packets, expected[i].packets);
		assert_int_equal(sources[i].skipped, expected[i].skipped);
		if (expected[i].error == NULL)
			assert_null(sources[i].error);
		else
			assert_non_null(strstr(sources[i].error, expected[i].error));
	}
	lya_capture_close(c);
	bytes_free(&b);
	bytes_free(&text);
	bytes_free(&cut);
	folder_remove(&dir);
}

static void directories_must_hold_a_capture(void **state)
{
	struct lya_error err = { .status = LYA_OK };
	struct bytes text = { 0 };
	struct folder dir;
	struct lya_capture *c;
	char path[256];

	(void)state;
	folder_make(&dir);
	assert_int_equal(open_one(dir.path, &c, &err), LYA_EINPUT);
	assert_non_null(strstr(err.text, "wanted a directory with captures, found an empty one"));
	put(&text, "some notes", 10);
	folder_file(&dir, "notes", &text, path);
	assert_int_equal(open_one(dir.path, &c, &err), LYA_EINPUT);
	assert_non_null(strstr(err.text, "found 1 other entry, notes"));
	bytes_free(&text);
	folder_remove(&dir);
}

/* What one packet of a frame was: link types ascending, cut packets, bytes as on the wire. */
static void sources_are_counted(void **state)
{
	struct bytes b = { 0 };
	struct lya_error err = { .status = LYA_OK };
	struct folder dir;
	struct lya_capture *c;
	const struct lya_source *s;
	char path[256];
	size_t n;

	(void)state;
	folder_make(&dir);
	ng_section(&b, false);
	ng_interface(&b, false, 276, 0, 9, 0);
	ng_interface(&b, false, 1, 0, -1, 0);
	ng_packet_with(&b, false, 0, (uint64_t)START, 1, 60, 1514, NULL);
	ng_packet_with(&b, false, 1, (uint64_t)START / 1000 + 5, 2, 60, 60, NULL);
	folder_file(&dir, "x", &b, path);
	assert_int_equal(open_one(path, &c, &err), LYA_OK);
	assert_int_equal(count(c), 2);
	s = lya_capture_sources(c, &n);
	assert_int_equal(s->packets, 2);
	assert_int_equal(s->bytes, 1574);
	assert_int_equal(s->snapped, 1);
	assert_int_equal(s->n_links, 2);
	assert_int_equal(s->links[0], 1);
	assert_int_equal(s->links[1], 276);
	assert_int_equal(s->digits, 9);
	assert_int_equal(s->first_ns, START);
	assert_int_equal(s->last_ns, START + 5000);
	lya_capture_close(c);
	bytes_free(&b);
	folder_remove(&dir);
}

/* Pipes ---------------------------------------------------------------------- */

struct writer {
	int fd;
	struct bytes b;
	size_t piece; /* written at a time */
};

static void *writer_run(void *arg)
{
	struct writer *w = arg;

	for (size_t at = 0; at < w->b.len; at += w->piece) {
		size_t n = w->b.len - at < w->piece ? w->b.len - at : w->piece;

		if (write(w->fd, w->b.data + at, n) != (ssize_t)n)
			break;
	}
	close(w->fd);
	return NULL;
}

/* Standard input in pieces of any size, alone and merged with a file. */
static void standard_input_is_merged(void **state)
{
	static const size_t pieces[] = { 1, 7, 76, 4096 };
	const int saved = dup(STDIN_FILENO);
	struct bytes file = { 0 };
	struct folder dir;
	char path[256];
	const char *list[2] = { "-", path };

	(void)state;
	folder_make(&dir);
	pcap_header(&file, 0xa1b2c3d4, false, 1);
	for (size_t i = 0; i < 50; i++)
		pcap_at(&file, START + (int64_t)i * 2 * SECOND, i, 60);
	folder_file(&dir, "x", &file, path);
	for (size_t i = 0; i < 8; i++) {
		struct lya_capture_options options = { .paths = list, .n_paths = 1 + i / 4 };
		struct writer w = { .b = one_capture(100), .piece = pieces[i % 4] };
		struct lya_error err = { .status = LYA_OK };
		struct lya_frame frames[64];
		int64_t last = 0;
		struct lya_capture *c;
		const struct lya_source *sources;
		pthread_t thread;
		size_t total = 0;
		size_t n;
		int fds[2];

		assert_int_equal(pipe(fds), 0);
		assert_int_equal(dup2(fds[0], STDIN_FILENO), STDIN_FILENO);
		close(fds[0]);
		w.fd = fds[1];
		assert_int_equal(pthread_create(&thread, NULL, writer_run, &w), 0);
		assert_int_equal(lya_capture_open(&c, &options, &err), LYA_OK);
		do {
			assert_int_equal(lya_capture_next(c, frames, 64, &n, &err), LYA_OK);
			for (size_t k = 0; k < n; k++) {
				assert_true(frames[k].time_ns >= last);
				last = frames[k].time_ns;
			}
			total += n;
		} while (n > 0);
		assert_int_equal(total, i < 4 ? 100 : 150);
		sources = lya_capture_sources(c, &n);
		assert_string_equal(sources[0].name, "-");
		assert_string_equal(sources[0].kind, "stdin");
		assert_int_equal(sources[0].packets, 100);
		lya_capture_close(c);
		assert_int_equal(pthread_join(thread, NULL), 0);
		bytes_free(&w.b);
	}
	assert_int_equal(dup2(saved, STDIN_FILENO), STDIN_FILENO);
	close(saved);
	bytes_free(&file);
	folder_remove(&dir);
}

static void standard_input_is_read_once(void **state)
{
	static const char *const list[] = { "-", "-" };
	struct lya_capture_options options = { .paths = list, .n_paths = 2 };
	struct lya_error err = { .status = LYA_OK };
	struct lya_capture *c;

	(void)state;
	assert_int_equal(lya_capture_open(&c, &options, &err), LYA_EUSAGE);
	assert_non_null(strstr(err.text, "only once"));
}

/* A named pipe is read like a file, though it cannot be opened twice. */
static void named_pipes_are_read(void **state)
{
	struct writer w = { .b = one_capture(10), .piece = 100 };
	struct bytes file = one_capture(10);
	struct lya_error err = { .status = LYA_OK };
	struct folder dir;
	struct lya_capture *c;
	pthread_t thread;
	char paths[2][256];
	const char *list[2] = { paths[0], paths[1] };
	struct lya_capture_options options = { .paths = list, .n_paths = 2 };

	(void)state;
	folder_make(&dir);
	folder_file(&dir, "a.pcap", &file, paths[0]);
	snprintf(paths[1], sizeof(paths[1]), "%s/b.fifo", dir.path);
	assert_int_equal(mkfifo(paths[1], 0600), 0);
	w.fd = open(paths[1], O_RDWR);
	assert_int_not_equal(w.fd, -1);
	/* Written whole before it is read; the write end closes once the reader has opened it. */
	assert_int_equal(write(w.fd, w.b.data, w.b.len), w.b.len);
	assert_int_equal(lya_capture_open(&c, &options, &err), LYA_OK);
	w.b.len = 0;
	assert_int_equal(pthread_create(&thread, NULL, writer_run, &w), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(count(c), 20);
	lya_capture_close(c);
	bytes_free(&w.b);
	bytes_free(&file);
	folder_remove(&dir);
}

static void on_alarm(int sig)
{
	(void)sig;
}

/*
 * A pipe as standard input that gives the first `first` bytes at once, and the
 * rest only after a signal ended the waiting for it: a packet, the signal, a
 * packet, the end.
 */
static void wait_in_the_middle(const struct bytes *b, size_t first)
{
	const int saved = dup(STDIN_FILENO);
	struct sigaction action = { .sa_handler = on_alarm }; /* without SA_RESTART */
	struct lya_error err = { .status = LYA_OK };
	struct lya_frame frames[64];
	struct lya_capture *c;
	size_t n;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(dup2(fds[0], STDIN_FILENO), STDIN_FILENO);
	close(fds[0]);
	assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
	assert_int_equal(write(fds[1], b->data, first), first);
	assert_int_equal(open_one("-", &c, &err), LYA_OK);
	assert_int_equal(lya_capture_next(c, frames, 64, &n, &err), LYA_OK);
	assert_int_equal(n, 1);
	ualarm(100000, 0);
	assert_int_equal(lya_capture_next(c, frames, 64, &n, &err), LYA_ESTOP);
	assert_int_equal(n, 0);
	assert_int_equal(write(fds[1], b->data + first, b->len - first), b->len - first);
	close(fds[1]);
	assert_int_equal(lya_capture_next(c, frames, 64, &n, &err), LYA_OK);
	assert_int_equal(n, 1);
	assert_int_equal(frames[0].number, 2);
	assert_body(&frames[0], 2);
	assert_int_equal(count(c), 0);
	assert_null(lya_capture_sources(c, &n)->error);
	lya_capture_close(c);
	assert_int_equal(dup2(saved, STDIN_FILENO), STDIN_FILENO);
	close(saved);
}

/* A signal ends the waiting, loses nothing, and the reading can go on. */
static void a_signal_ends_the_waiting(void **state)
{
	struct bytes b = one_capture(2);

	(void)state;
	wait_in_the_middle(&b, b.len - 30);
	bytes_free(&b);
}

/* The same inside a block that is passed over, of which nothing is kept. */
static void a_signal_inside_a_passed_block(void **state)
{
	struct bytes b = { 0 };
	struct bytes other = { 0 };
	size_t first;

	(void)state;
	put_zeros(&other, 1000);
	ng_section(&b, false);
	ng_interface(&b, false, 1, 0, -1, 0);
	ng_packet(&b, false, 0, 1, 1, 60);
	first = b.len + 400;
	block(&b, false, 4, &other);
	ng_packet(&b, false, 0, 2, 2, 60);
	wait_in_the_middle(&b, first);
	bytes_free(&b);
	bytes_free(&other);
}

/* Memory --------------------------------------------------------------------- */

/* The n-th allocation fails, for every n: an error, nothing kept, and never a wrong answer. */
static void every_allocation_may_fail(void **state)
{
	struct bytes b = one_capture(3);
	struct bytes ng = { 0 };
	struct bytes text = { 0 };
	struct folder dir;
	const char *list[1] = { dir.path };
	struct lya_capture_options options = { .paths = list,
					       .n_paths = 1,
					       .filter = "not port 80" };
	char path[256];
	bool whole = false;

	(void)state;
	folder_make(&dir);
	folder_file(&dir, "a.pcap", &b, path);
	ng_section(&ng, true);
	ng_interface(&ng, true, 1, 0, 9, 0);
	ng_packet(&ng, true, 0, (uint64_t)START, 1, 60);
	ng.len -= 4;
	folder_file(&dir, "b.pcapng", &ng, path);
	put(&text, "some notes", 10);
	folder_file(&dir, "c.txt", &text, path);
	for (uint64_t nth = 1; !whole; nth++) {
		struct lya_error err = { .status = LYA_OK };
		struct lya_frame frames[64];
		struct lya_capture *c;
		size_t total = 0;
		size_t n = 1;
		int rc;

		lya_alloc_fail_at(nth);
		rc = lya_capture_open(&c, &options, &err);
		while (rc == LYA_OK && n > 0) {
			rc = lya_capture_next(c, frames, 64, &n, &err);
			total += n;
		}
		lya_alloc_fail_at(0);
		whole = rc == LYA_OK;
		assert_true(rc == LYA_OK || rc == LYA_ENOMEM);
		assert_true(rc == LYA_OK || err.status == LYA_ENOMEM);
		assert_true(!whole || total == 3);
		lya_capture_close(c);
		assert_true(nth < 1000);
	}
	bytes_free(&b);
	bytes_free(&ng);
	bytes_free(&text);
	folder_remove(&dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(named_files_must_be_captures),
		cmocka_unit_test(a_capture_without_packets_is_fine),
		cmocka_unit_test(directories_are_listed),
		cmocka_unit_test(directories_must_hold_a_capture),
		cmocka_unit_test(sources_are_counted),
		cmocka_unit_test(standard_input_is_merged),
		cmocka_unit_test(standard_input_is_read_once),
		cmocka_unit_test(named_pipes_are_read),
		cmocka_unit_test(a_signal_ends_the_waiting),
		cmocka_unit_test(a_signal_inside_a_passed_block),
		cmocka_unit_test(every_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
