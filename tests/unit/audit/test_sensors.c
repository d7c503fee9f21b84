/*
 * test_sensors.c - two sensors on one way, whose files overlap and whose
 * clocks differ: the difference is estimated from the packets that both hold
 * and stated; --time-offset sets it right, and then copies are copies.
 */
#include "pipeline.h"

#include <unistd.h>

enum { TALKS = 12, PACKETS = TALKS * 4, FRAMES = 32 };

struct file {
	uint8_t bytes[65536];
	size_t n;
};

static void put_le(struct file *f, uint32_t v, unsigned size)
{
	for (unsigned i = 0; i < size; i++)
		f->bytes[f->n++] = (uint8_t)(v >> (8 * i));
}

static void file_begin(struct file *f)
{
	f->n = 0;
	put_le(f, 0xa1b2c3d4, 4);
	put_le(f, 2, 2);
	put_le(f, 4, 2);
	put_le(f, 0, 4);
	put_le(f, 0, 4);
	put_le(f, 65535, 4);
	put_le(f, LYA_LINK_ETHERNET, 4);
}

static void file_frame(struct file *f, int64_t time_ns, const uint8_t *frame, size_t len)
{
	put_le(f, (uint32_t)(time_ns / LYA_SECOND_NS), 4);
	put_le(f, (uint32_t)(time_ns % LYA_SECOND_NS / 1000), 4);
	put_le(f, (uint32_t)len, 4);
	put_le(f, (uint32_t)len, 4);
	memcpy(f->bytes + f->n, frame, len);
	f->n += len;
}

/* The i-th packet of TALKS short connections, 20 ms from one to the next. */
static struct segment packet(unsigned i)
{
	unsigned which = i / 4;
	bool client = i % 4 != 1;
	struct segment s = {
		.src = client ? CLIENT : FRONT_END,
		.dst = client ? FRONT_END : CLIENT,
		.sport = (uint16_t)(client ? 40000 + which : 443),
		.dport = (uint16_t)(client ? 443 : 40000 + which),
		.id = (uint16_t)(100 + i),
	};

	switch (i % 4) {
	case 0:
		s.flags = SYN;
		s.seq = 7000 * which + 99;
		break;
	case 1:
		s.flags = SYN | ACK;
		s.seq = 899;
		s.ack = 7000 * which + 100;
		break;
	default:
		s.flags = ACK;
		s.seq = 7000 * which + 100;
		s.ack = 900;
		s.len = i % 4 == 3 ? 60 : 0;
		break;
	}
	return s;
}

/*
 * Two files: what sensor A saw, and what B saw of it behind a router, with
 * a clock that is `ahead_ns` ahead and jitters by 100 us.
 */
struct sensors {
	char dir[32];
	char a[48], b[48];
};

static void write_file(const char *path, const struct file *f)
{
	FILE *out = fopen(path, "wb");

	assert_non_null(out);
	assert_int_equal(fwrite(f->bytes, 1, f->n, out), f->n);
	assert_int_equal(fclose(out), 0);
}

static void sensors_write(struct sensors *s, int64_t ahead_ns, unsigned shared)
{
	static struct file a, b;
	struct pipe unused = { .next_id = 1 };
	uint8_t frame[PIPE_FRAME];

	strcpy(s->dir, "/tmp/lyncaudit-test-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	snprintf(s->a, sizeof(s->a), "%s/a.pcap", s->dir);
	snprintf(s->b, sizeof(s->b), "%s/b.pcap", s->dir);
	file_begin(&a);
	file_begin(&b);
	for (unsigned i = 0; i < PACKETS; i++) {
		struct segment p = packet(i);
		size_t len = pipe_frame(&unused, &p, frame);

		file_frame(&a, ms(20 * (int64_t)i), frame, len);
		p.ttl = 63;
		if (i >= shared) { /* traffic of its own */
			p.sport = (uint16_t)(p.sport + 100 * (p.src == CLIENT));
			p.dport = (uint16_t)(p.dport + 100 * (p.src != CLIENT));
		}
		len = pipe_frame(&unused, &p, frame);
		file_frame(&b, ms(20 * (int64_t)i) + ahead_ns + 100000 * (i % 3), frame, len);
	}
	write_file(s->a, &a);
	write_file(s->b, &b);
}

static void sensors_remove(const struct sensors *s)
{
	(void)unlink(s->a);
	(void)unlink(s->b);
	(void)rmdir(s->dir);
}

/* Audit both files; offset_ns is what --time-offset adds to b's times. */
static void sensors_audit(const struct sensors *s, int64_t offset_ns, struct pipe *p,
			  struct lya_capture **c)
{
	const char *paths[2] = { s->a, s->b };
	struct lya_capture_offset offset = { "b.pcap", offset_ns };
	struct lya_capture_options options = {
		.paths = paths, .n_paths = 2, .offsets = &offset, .n_offsets = offset_ns != 0
	};
	struct lya_frame frames[FRAMES];
	const struct lya_source *sources;
	struct lya_error err;
	size_t n;

	pipe_open(p);
	assert_int_equal(lya_capture_open(c, &options, &err), LYA_OK);
	for (;;) {
		assert_int_equal(lya_capture_next(*c, frames, FRAMES, &n, &err), LYA_OK);
		if (n == 0)
			break;
		assert_int_equal(lya_audit_take(p->audit, frames, n, &err), LYA_OK);
	}
	sources = lya_capture_sources(*c, &n);
	assert_int_equal(n, 2);
	assert_int_equal(lya_audit_finish(p->audit, sources, n, &err), LYA_OK);
}

static uint64_t packets_of(const struct pipe *p)
{
	uint64_t n = 0;

	for (size_t i = 0; i < p->n_flows; i++)
		n += p->flows[i].flow.packets[0] + p->flows[i].flow.packets[1];
	return n;
}

/* Seconds, minutes or hours; either way round. */
static void test_offset_is_stated(void **state)
{
	static const struct {
		int64_t ahead_ns;
		const char *said, *option;
	} cases[] = {
		{ INT64_C(2500000000), "clock is 2.5001", "/b.pcap=-2.5001" },
		{ INT64_C(-90000000000), "clock is 89.9999", "/b.pcap=89.9999" },
		{ INT64_C(7200000000000), "clock is 7200.0001", "/b.pcap=-7200.0001" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct lya_limit *limit;
		struct lya_capture *c;
		struct sensors s;
		struct pipe p;

		sensors_write(&s, cases[i].ahead_ns, PACKETS);
		sensors_audit(&s, 0, &p, &c);
		limit = pipe_limit(&p, "clock", s.b);
		assert_non_null(limit);
		if (strstr(limit->what, cases[i].said) == NULL ||
		    strstr(limit->what, cases[i].option) == NULL)
			fail_msg("%s", limit->what);
		assert_non_null(
		    strstr(limit->what, cases[i].ahead_ns > 0 ? "ahead of that" : "behind that"));
		assert_non_null(strstr(limit->what, "48 packets that both hold"));
		assert_null(pipe_limit(&p, "clock", s.a));
		/* stated, not applied: the copies are traffic of their own as yet */
		assert_int_equal(pipe_counts(&p).duplicates, 0);
		assert_int_equal(packets_of(&p), 2 * PACKETS);
		pipe_close(&p);
		lya_capture_close(c);
		sensors_remove(&s);
	}
}

static void test_offset_by_hand(void **state)
{
	const struct lya_limit *limit;
	const struct lya_source *sources;
	struct lya_capture *c;
	struct sensors s;
	struct pipe p;
	size_t n;

	(void)state;
	sensors_write(&s, INT64_C(2500000000), PACKETS);
	sensors_audit(&s, INT64_C(-2500000000), &p, &c);
	assert_null(pipe_limit(&p, "clock", s.b));
	assert_int_equal(pipe_counts(&p).duplicates, PACKETS);
	limit = pipe_limit(&p, "duplicates", s.b);
	assert_non_null(limit);
	assert_true(limit->share == 1.0);
	assert_non_null(strstr(limit->what, "48 from behind a router"));
	assert_int_equal(p.n_flows, TALKS);
	assert_int_equal(packets_of(&p), PACKETS);
	sources = lya_capture_sources(c, &n);
	assert_int_equal(sources[1].time_offset_ns, INT64_C(-2500000000));
	pipe_close(&p);
	lya_capture_close(c);
	/* set, but not right: the sentence tells what to set in its stead */
	sensors_audit(&s, INT64_C(-2000000000), &p, &c);
	limit = pipe_limit(&p, "clock", s.b);
	assert_non_null(limit);
	assert_non_null(strstr(limit->what, "clock is 0.5001"));
	assert_non_null(strstr(limit->what, "/b.pcap=-2.5001"));
	pipe_close(&p);
	lya_capture_close(c);
	sensors_remove(&s);
}

/* A few packets alike prove nothing, and clocks that agree need no word. */
static void test_nothing_to_say(void **state)
{
	static const struct {
		int64_t ahead_ns;
		unsigned shared;
	} cases[] = {
		{ INT64_C(2500000000), 7 },
		{ INT64_C(2500000000), 0 },
		{ INT64_C(1000000), PACKETS },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct lya_capture *c;
		struct sensors s;
		struct pipe p;

		sensors_write(&s, cases[i].ahead_ns, cases[i].shared);
		sensors_audit(&s, 0, &p, &c);
		assert_null(pipe_limit(&p, "clock", s.a));
		assert_null(pipe_limit(&p, "clock", s.b));
		pipe_close(&p);
		lya_capture_close(c);
		sensors_remove(&s);
	}
}

/*
 * More packets than the sample holds: the sample thins out, both sources alike,
 * and packets that come after thousands of others are in it as well.
 */
static void test_large(void **state)
{
	const struct lya_limit *limit;
	struct pipe p;

	(void)state;
	pipe_open(&p);
	for (unsigned i = 0; i < 60000; i++) {
		struct segment s = { .src = CLIENT,
				     .dst = FRONT_END,
				     .sport = 40000,
				     .dport = 3478,
				     .proto = 17,
				     .len = 20,
				     .id = (uint16_t)(i + 1) };

		pipe_take(&p, 0, ms(i), &s);
		if (i < 30000 || i % 5 != 0)
			continue;
		s.id = (uint16_t)(i - 10000 + 1); /* what a saw 10 s before */
		pipe_take(&p, 1, ms(i), &s);
	}
	pipe_finish(&p);
	limit = pipe_limit(&p, "clock", "b.pcap");
	assert_non_null(limit);
	if (strstr(limit->what, "clock is 10.000000 s ahead of that of a.pcap") == NULL)
		fail_msg("%s", limit->what);
	pipe_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_offset_is_stated),
		cmocka_unit_test(test_offset_by_hand),
		cmocka_unit_test(test_nothing_to_say),
		cmocka_unit_test(test_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
