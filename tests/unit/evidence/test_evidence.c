/*
 * test_evidence.c - from flows that ended to the file: what is kept, what is counted as
 * missing, and what stands in the file byte for byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "../finding/world.h"
#include "capture/reader.h"
#include "evidence/evidence.h"
#include "lyncaudit/capture.h"

enum { SOURCES = 3, FILE_MAX = 1 << 20 };

struct scene {
	struct world w;
	struct lya_ledger *ledger;
	struct lya_evidence *e;
	struct lya_source sources[SOURCES];
	struct lya_finding_packets counts[64], total;
	const char *period; /* of a service's file */
	int64_t since_ns;
	bool reloaded;
	uint8_t file[FILE_MAX];
	size_t len;
};

static void begin(struct scene *s, size_t max_bytes)
{
	static char names[SOURCES][16] = { "a.pcapng", "b\x1b[2J\xff.pcap", "-" };

	memset(s, 0, sizeof(*s));
	s->since_ns = LYA_TIME_NONE;
	world_open(&s->w, NULL);
	s->ledger = world_ledger(&s->w, 0);
	assert_int_equal(lya_evidence_new(&s->e, max_bytes, NULL), LYA_OK);
	for (size_t i = 0; i < SOURCES; i++)
		s->sources[i] = (struct lya_source){ .name = names[i], .kind = "file" };
}

static void end(struct scene *s)
{
	lya_evidence_free(s->e);
	lya_ledger_free(s->ledger);
	world_close(&s->w);
}

/* A packet whose bytes tell its source and number. */
static struct packet_head packet(uint32_t source, uint64_t number, int64_t time_ns, uint32_t len)
{
	return (struct packet_head){ .time_ns = time_ns, .number = number, .source = source,
				     .caplen = len, .wirelen = len + 4, .link = LYA_LINK_ETHERNET,
				     .digits = 6 };
}

static void body(uint8_t *data, const struct packet_head *h)
{
	for (uint32_t i = 0; i < h->caplen; i++)
		data[i] = (uint8_t)(h->number * 31 + h->source * 17 + i);
}

static void add(struct lya_packets **p, struct packet_head h)
{
	static uint8_t data[70000];

	body(data, &h);
	assert_int_equal(packets_add(p, &h, data), LYA_OK);
}

/* Judge a flow, give it to the ledger, and its packets to the evidence. */
static void take(struct scene *s, struct lya_flow *flow, struct lya_trail_flow packets)
{
	struct lya_policy_end ends[2];
	struct lya_verdict v;

	for (unsigned side = 0; side < 2; side++)
		lya_policy_end_of(s->w.policy, &flow->addr[side], &ends[side]);
	lya_policy_judge(s->w.policy, NULL, flow, ends, -1, &v);
	lya_policy_inspect(s->w.policy, flow, ends, &v);
	assert_int_equal(lya_ledger_take(s->ledger, flow, ends, &v, NULL), LYA_OK);
	assert_int_equal(lya_evidence_take(s->e, s->ledger, flow,
					   lya_finding_concerns(s->w.policy, flow, ends, &v),
					   packets),
			 LYA_OK);
}

/* Against rproxy.2.2, from a front-end's port. */
static struct lya_flow wrong(uint16_t sport, uint32_t source, uint64_t number, int64_t first_ns)
{
	struct lya_flow f = world_flow("10.2.0.11", sport, "10.1.0.41", 4443, 6,
				       LYA_STATE_ESTABLISHED);

	f.source = source;
	f.number = number;
	f.first_ns = first_ns;
	f.last_ns = first_ns + 1;
	return f;
}

static void write_file(struct scene *s)
{
	struct lya_ledger_end last = { .first_ns = WORLD_TIME, .last_ns = WORLD_TIME };
	char path[] = "/tmp/lyncaudit-evidence-XXXXXX";
	const struct lya_evidence_about about = { .ledger = s->ledger,
						  .sources = s->sources,
						  .n_sources = SOURCES,
						  .period = s->period,
						  .since_ns = s->since_ns,
						  .reloaded = s->reloaded };
	struct lya_output *out;
	struct lya_error err;
	int fd = mkstemp(path);

	assert_int_not_equal(fd, -1);
	assert_int_equal(close(fd), 0);
	assert_int_equal(lya_ledger_finish(s->ledger, &last, &err), LYA_OK);
	assert_int_equal(lya_output_open(&out, path, false, &err), LYA_OK);
	assert_int_equal(lya_evidence_write(s->e, &about, out, s->counts, &s->total, &err), LYA_OK);
	assert_int_equal(lya_output_commit(out, &err), LYA_OK);
	FILE *f = fopen(path, "rb");
	assert_non_null(f);
	s->len = fread(s->file, 1, sizeof(s->file), f);
	assert_true(s->len < sizeof(s->file));
	assert_int_equal(fclose(f), 0);
	assert_int_equal(unlink(path), 0);
}

/* The file, read by the product's own reader. */
struct reading {
	struct capture_cap cap;
	struct capture_reader *r;
	struct lya_interfaces ifaces;
};

static void reading_begin(struct reading *g, const struct scene *s)
{
	struct capture_stream *stream;
	struct lya_error err;

	*g = (struct reading){ .cap = { .max = (size_t)32 << 20 } };
	assert_int_equal(capture_stream_open_memory(&stream, s->file, s->len, &g->cap, &err),
			 LYA_OK);
	assert_int_equal(capture_reader_open(&g->r, stream, 65536, &g->cap, &err), LYA_OK);
	assert_int_equal(capture_reader_tell_interfaces(g->r, &g->ifaces, &err), LYA_OK);
}

static void reading_end(struct reading *g)
{
	assert_string_equal(g->r->why, "");
	capture_interfaces_clear(&g->ifaces, &g->cap);
	capture_reader_close(g->r);
}

static bool next(struct reading *g, struct lya_frame *f)
{
	struct lya_error err;
	size_t n;

	assert_int_equal(capture_reader_next(g->r, f, 1, &n, &err), LYA_OK);
	return n == 1;
}

static void expect(struct reading *g, uint32_t source, uint64_t number, int64_t time_ns)
{
	static uint8_t data[70000];
	struct packet_head h = { .number = number, .source = source };
	struct lya_frame f;

	assert_true(next(g, &f));
	h.caplen = f.caplen;
	body(data, &h);
	assert_memory_equal(f.data, data, f.caplen);
	assert_int_equal(f.wirelen, f.caplen + 4);
	assert_int_equal(f.time_ns, time_ns);
}

static size_t count_text(const struct scene *s, const char *text)
{
	size_t n = 0, len = strlen(text);

	for (size_t i = 0; i + len <= s->len; i++)
		n += memcmp(s->file + i, text, len) == 0;
	return n;
}

/* Packets of several flows and a leg, in order of time, each once with all that it proves. */
static void test_file(void **state)
{
	static struct scene s;
	struct reading g;
	struct lya_frame none;
	struct lya_flow one = wrong(40001, 0, 7, WORLD_TIME + 2000),
			two = wrong(40002, 1, 3, WORLD_TIME + 1000), clean;
	struct lya_trail_flow p = { 0 }, q = { 0 }, r = { 0 };

	(void)state;
	begin(&s, (size_t)8 << 20);
	add(&p.first, packet(0, 7, WORLD_TIME + 2000, 60));
	add(&p.first, packet(0, 9, WORLD_TIME + 9000, 61));
	add(&q.first, packet(1, 3, WORLD_TIME + 1000, 0));
	add(&q.first, packet(0, 8, WORLD_TIME + 3000, 1514)); /* another source saw the answer */
	add(&r.first, packet(0, 1, WORLD_TIME, 60));
	take(&s, &one, p);
	take(&s, &two, q);
	clean = world_flow("10.20.0.5", 40000, "10.2.0.11", 443, 6, LYA_STATE_ESTABLISHED);
	clean.number = 1;
	take(&s, &clean, r);
	assert_int_equal(s.e->kept.n, 2); /* nothing is kept of what no finding may show */
	write_file(&s);
	assert_int_equal(s.total.packets, 4);
	assert_int_equal(s.total.left_out, 0);
	assert_int_equal(s.counts[0].packets, 4);
	reading_begin(&g, &s);
	expect(&g, 1, 3, WORLD_TIME + 1000);
	expect(&g, 0, 7, WORLD_TIME + 2000);
	expect(&g, 0, 8, WORLD_TIME + 3000);
	expect(&g, 0, 9, WORLD_TIME + 9000);
	assert_false(next(&g, &none));
	reading_end(&g);
	assert_int_equal(count_text(&s, " wrong-direction (rproxy.2.2): fe01 (front-end"), 4);
	assert_int_equal(count_text(&s, "packet 7 of a.pcapng"), 1);
	assert_int_equal(count_text(&s, "packet 3 of b?[2J?.pcap"), 1); /* no bytes that steer */
	assert_int_equal(count_text(&s, "interface 0 of a.pcapng"), 1);
	assert_int_equal(count_text(&s, "None is missing."), 1);
	end(&s);
}

/* Of one packet in two sets both say what it proves, and it stands there once. */
static void test_shared(void **state)
{
	static struct scene s;
	struct reading g;
	struct lya_frame none;
	struct lya_flow one = wrong(40001, 0, 7, WORLD_TIME);
	struct lya_flow two = world_flow("10.2.0.21", 40002, "10.3.0.5", 5060, 6,
					 LYA_STATE_ESTABLISHED);
	struct lya_trail_flow p = { 0 }, q = { 0 };

	(void)state;
	begin(&s, (size_t)8 << 20);
	two.number = 8;
	add(&p.first, packet(0, 7, WORLD_TIME, 60));
	add(&p.first, packet(0, 8, WORLD_TIME + 1000, 60));
	add(&q.first, packet(0, 8, WORLD_TIME + 1000, 60));
	take(&s, &one, p);
	take(&s, &two, q);
	write_file(&s);
	assert_int_equal(s.total.packets, 2);
	assert_int_equal(s.counts[0].packets + s.counts[1].packets, 3);
	reading_begin(&g, &s);
	expect(&g, 0, 7, WORLD_TIME);
	expect(&g, 0, 8, WORLD_TIME + 1000);
	assert_false(next(&g, &none));
	reading_end(&g);
	assert_int_equal(count_text(&s, "packet 8 of"), 1);
	assert_int_equal(count_text(&s, " wrong-direction ("), 2);
	assert_int_equal(count_text(&s, " undocumented-path"), 1);
	end(&s);
}

/* What is named and not there, and what found no room beside what is, is counted and said. */
static void test_left_out(void **state)
{
	static struct scene s;
	struct lya_trail_flow p = { 0 }, none = { 0 };
	struct lya_flow one = wrong(40001, 0, 7, WORLD_TIME), two = wrong(40002, 0, 8, WORLD_TIME);

	(void)state;
	begin(&s, (size_t)8 << 20);
	add(&p.first, packet(0, 7, WORLD_TIME, 60));
	p.first->left_out = 3;
	take(&s, &one, p);
	take(&s, &two, none);
	write_file(&s);
	assert_int_equal(s.counts[0].packets, 1);
	assert_int_equal(s.counts[0].left_out, 4);
	assert_int_equal(s.total.left_out, 4);
	assert_int_equal(count_text(&s, "4 packets that belong here are missing"), 1);
	end(&s);
}

/*
 * More flows of one finding than there is memory for: those that it does not show go, and
 * those that it shows are there, whichever end first.
 */
static void test_sweep(void **state)
{
	static struct scene s;
	enum { FLOWS = 3000 };

	(void)state;
	for (unsigned backwards = 0; backwards < 2; backwards++) {
		begin(&s, (size_t)1 << 20);
		for (uint32_t i = 0; i < FLOWS; i++) {
			uint32_t n = backwards ? FLOWS - i : i + 1;
			int64_t at = WORLD_TIME + n * LYA_SECOND_NS;
			struct lya_flow f = wrong((uint16_t)(20000 + n), 0, n, at);
			struct lya_trail_flow p = { 0 };

			add(&p.first, packet(0, n, at, 1000));
			take(&s, &f, p);
			assert_true(s.e->kept.bytes <= (size_t)1 << 20);
		}
		write_file(&s);
		assert_int_equal(s.counts[0].packets, LYA_FINDING_SAMPLES);
		assert_int_equal(s.counts[0].left_out, 0);
		assert_int_equal(count_text(&s, "packet 5 of a.pcapng"), 1);
		end(&s);
	}
}

/* Where findings show more than there is memory for, the rest is counted, and no memory taken. */
static void test_full(void **state)
{
	static struct scene s;
	uint64_t left_out = 0, packets = 0;
	size_t n;

	(void)state;
	begin(&s, 1); /* counts as the least there is: 256 KiB */
	for (uint32_t i = 0; i < 60; i++) {
		struct lya_flow f = wrong(50000, 0, i + 1, WORLD_TIME + i);
		struct lya_trail_flow p = { 0 };

		f.addr[1].bytes[2] = (uint8_t)(0xf0 + i / 10); /* 10.2.24x.x: nobody's */
		f.addr[1].bytes[3] = (uint8_t)i;
		f.port[0] = (uint16_t)(1000 + i / 10);
		add(&p.first, packet(0, i + 1, WORLD_TIME + i, 60000));
		take(&s, &f, p);
		assert_true(s.e->kept.bytes <= 256 * 1024);
	}
	write_file(&s);
	(void)lya_ledger_findings(s.ledger, &n);
	for (size_t i = 0; i < n; i++) {
		packets += s.counts[i].packets;
		left_out += s.counts[i].left_out;
	}
	assert_in_range(packets, 3, 4);
	assert_true(left_out > 20);
	assert_int_equal(s.total.left_out, left_out);
	end(&s);
}

/* What the captures say of their interfaces stands in the file again. */
static void test_interfaces(void **state)
{
	static char name[] = "span \xc3\xa9";
	static struct scene s;
	struct reading g;
	struct lya_frame f;
	struct lya_interface told[3] = {
		{ .name = name, .link = LYA_LINK_ETHERNET, .snaplen = 96, .tsresol = 12,
		  .offset_s = WORLD_TIME / LYA_SECOND_NS - 5 },
		{ .link = LYA_LINK_NULL, .tsresol = 0x80 | 20 },
		{ .link = LYA_LINK_NULL, .tsresol = 6 },
	};
	struct packet_head h[5];
	struct lya_flow one;
	struct lya_trail_flow p = { 0 };

	(void)state;
	begin(&s, (size_t)8 << 20);
	s.sources[0].interfaces = (struct lya_interfaces){ told, 3, 3 };
	s.sources[0].time_offset_ns = 1500000000;
	for (unsigned i = 0; i < 5; i++)
		h[i] = packet(0, i + 1, WORLD_TIME + 1000 * i, 60);
	h[1].iface = 1;
	h[1].link = LYA_LINK_NULL;
	h[1].flags = LYA_FRAME_BIG_ENDIAN;
	h[2].iface = 2;
	h[2].link = LYA_LINK_NULL;
	h[3].iface = 9; /* nothing is told of it */
	h[4] = packet(2, 5, -1, 60); /* before 1970 */
	for (unsigned i = 0; i < 5; i++)
		add(&p.first, h[i]);
	one = wrong(40001, 0, 1, WORLD_TIME);
	take(&s, &one, p);
	write_file(&s);
	reading_begin(&g, &s);
	expect(&g, 2, 5, -1);
	expect(&g, 0, 1, WORLD_TIME);
	assert_true(next(&g, &f)); /* 2^-20 s: the next of its units */
	assert_int_equal(f.link, LYA_LINK_LOOP);
	assert_in_range(f.time_ns - WORLD_TIME, 1000, 1000 + 954);
	expect(&g, 0, 3, WORLD_TIME + 2000);
	expect(&g, 0, 4, WORLD_TIME + 3000);
	assert_false(next(&g, &f));
	assert_int_equal(g.ifaces.n, 5);
	assert_string_equal(g.ifaces.list[0].name, name);
	assert_int_equal(g.ifaces.list[0].snaplen, 96);
	assert_int_equal(g.ifaces.list[0].tsresol, 12);
	assert_int_equal(g.ifaces.list[0].offset_s, told[0].offset_s);
	assert_null(g.ifaces.list[1].name);
	assert_int_equal(g.ifaces.list[2].link, LYA_LINK_NULL);
	assert_int_equal(g.ifaces.list[3].tsresol, 6);
	assert_int_equal(g.ifaces.list[4].offset_s, -1);
	reading_end(&g);
	assert_int_equal(count_text(&s, "interface 0 of a.pcapng, times moved by +1.500000 s"), 1);
	assert_int_equal(count_text(&s, "packet 5 of standard input"), 1);
	end(&s);
}

/* Out of memory at any place: said, and nothing lost or leaked. */
static void test_memory(void **state)
{
	static struct scene s;
	struct lya_ledger_end last = { .first_ns = WORLD_TIME, .last_ns = WORLD_TIME };
	struct lya_evidence_about about = { .n_sources = SOURCES, .since_ns = LYA_TIME_NONE };
	bool whole = false;

	(void)state;
	begin(&s, (size_t)8 << 20);
	for (uint32_t i = 1; i <= 4; i++) {
		struct lya_flow f = wrong((uint16_t)(40000 + i), 0, i, WORLD_TIME + i);
		struct lya_trail_flow p = { 0 };

		add(&p.first, packet(0, i, WORLD_TIME + i, 60));
		take(&s, &f, p);
	}
	assert_int_equal(lya_ledger_finish(s.ledger, &last, NULL), LYA_OK);
	about.ledger = s.ledger;
	about.sources = s.sources;
	for (uint64_t nth = 1; !whole; nth++) {
		struct lya_error err = { .status = LYA_OK };
		struct lya_output *out;
		int rc;

		assert_int_equal(lya_output_open(&out, "/dev/null", false, &err), LYA_OK);
		lya_alloc_fail_at(nth);
		rc = lya_evidence_write(s.e, &about, out, s.counts, &s.total, &err);
		lya_alloc_fail_at(0);
		whole = rc == LYA_OK;
		assert_true(whole || (rc == LYA_ENOMEM && err.status == LYA_ENOMEM));
		lya_output_abort(out);
		assert_in_range(nth, 1, 100);
	}
	assert_int_equal(s.total.packets, 4);
	end(&s);
}

static bool file_says(const struct scene *s, const char *text)
{
	return memmem(s->file, s->len, text, strlen(text)) != NULL;
}

/* Parts that are joined, whose sources the ledger knows by other numbers. */
static void test_joined(void **state)
{
	static char names[2][8] = { "eth1", "eth0" };
	struct lya_source told[2] = { { .name = names[0], .kind = "interface" },
				      { .name = names[1], .kind = "interface" } };
	static struct scene s;
	struct lya_evidence_room *room = lya_evidence_room_new((size_t)1 << 20);
	struct lya_evidence *all, *part;
	struct lya_flow f;

	(void)state;
	begin(&s, (size_t)8 << 20);
	assert_int_equal(lya_evidence_new_in(&all, room, NULL), LYA_OK);
	s.sources[0] = told[1];
	s.sources[1] = told[0];
	for (uint32_t i = 0; i < 2; i++) {
		const struct lya_packet_place place = { 7, WORLD_TIME + i, i };
		struct lya_packets *p = NULL;

		assert_int_equal(lya_evidence_new_in(&part, room, NULL), LYA_OK);
		add(&p, packet(i, 7, WORLD_TIME + i, 60 + i));
		assert_int_equal(kept_put(&part->kept, &(struct kept_names){ 0 }, &place, p), LYA_OK);
		assert_int_equal(lya_evidence_tell(part, told, 2, NULL), LYA_OK);
		assert_int_equal(lya_evidence_merge(all, part, s.ledger, s.sources, 2, NULL), LYA_OK);
		assert_int_equal(part->kept.n, 0);
		lya_evidence_free(part);
	}
	f = wrong(40000, 1, 7, WORLD_TIME); /* eth1, which is our first */
	take(&s, &f, (struct lya_trail_flow){ 0 });
	lya_evidence_free(s.e);
	s.e = all;
	write_file(&s);
	assert_int_equal(s.total.packets, 1);
	assert_int_equal(s.total.left_out, 0);
	assert_true(file_says(&s, "packet 7 of eth1"));
	end(&s);
	assert_int_equal(atomic_load(&room->used), 0);
	lya_evidence_room_free(room);
}

struct filler {
	struct lya_evidence_room *room;
	bool too_much, failed;
};

static void put(struct filler *f, struct kept_sets *kept, uint64_t number)
{
	enum { BYTES = 60000 };
	static const uint8_t data[BYTES];
	const struct lya_packet_place place = { number, 1, 0 };
	const struct packet_head head = { .time_ns = 1, .number = number, .caplen = BYTES };
	struct lya_packets *p = NULL;

	f->failed |= packets_add(&p, &head, data) != LYA_OK ||
		     kept_put(kept, &(struct kept_names){ 0 }, &place, p) != LYA_OK;
	f->too_much |= atomic_load(&f->room->used) > f->room->max;
}

/* Fill the room as far as it goes, again and again. */
static void *fill(void *filler)
{
	enum { ROUNDS = 4000, SETS = 8 };
	struct filler *f = filler;

	for (unsigned round = 0; round < ROUNDS; round++) {
		struct kept_sets kept;

		kept_init(&kept, f->room);
		for (unsigned i = 0; i < SETS; i++)
			put(f, &kept, i);
		kept_fini(&kept);
	}
	return NULL;
}

/* Threads that share a room do not take more than there is, at whatever moment they look. */
static void test_shared_room(void **state)
{
	enum { THREADS = 3 };
	struct lya_evidence_room *room = lya_evidence_room_new(0);
	struct filler fillers[THREADS];
	pthread_t threads[THREADS];
	bool failed = false, too_much = false;

	(void)state;
	for (unsigned i = 0; i < THREADS; i++) {
		fillers[i] = (struct filler){ .room = room };
		assert_int_equal(pthread_create(&threads[i], NULL, fill, &fillers[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		failed |= fillers[i].failed;
		too_much |= fillers[i].too_much;
	}
	assert_false(failed);
	assert_false(too_much);
	assert_int_equal(atomic_load(&room->used), 0);
	lya_evidence_room_free(room);
}

/* A number that another process gave to another packet proves nothing. */
static void test_another_process(void **state)
{
	static struct scene s;
	struct lya_flow old, young;
	struct lya_trail_flow p = { 0 };

	(void)state;
	begin(&s, (size_t)8 << 20);
	s.period = "2026-11-21";
	s.since_ns = WORLD_TIME + 50;
	old = wrong(40000, 0, 5, WORLD_TIME);
	take(&s, &old, (struct lya_trail_flow){ 0 });
	young = wrong(40001, 0, 5, WORLD_TIME + 100);
	add(&p.first, packet(0, 5, WORLD_TIME + 100, 60));
	take(&s, &young, p);
	write_file(&s);
	assert_int_equal(s.total.packets, 1);
	assert_int_equal(s.total.left_out, 1);
	assert_true(file_says(&s, "the report 2026-11-21 of the site"));
	assert_true(file_says(&s, "1 packet that belong here came before the sensor was started at"));
	assert_true(file_says(&s, ": 1 packet missing."));
	assert_false(file_says(&s, "want of memory"));
	end(&s);
}

/* A reload makes a fault of a flow that was clean, and let go as such: memory is not to blame. */
static void test_reloaded(void **state)
{
	static const char why[] = ", or because their flows were in order by the site and rules of";
	static struct scene s;
	struct lya_flow f;

	(void)state;
	begin(&s, (size_t)8 << 20);
	f = wrong(40000, 0, 5, WORLD_TIME);
	take(&s, &f, (struct lya_trail_flow){ 0 });
	write_file(&s);
	assert_true(file_says(&s, "want of memory"));
	assert_false(file_says(&s, why));
	end(&s);
	begin(&s, (size_t)8 << 20);
	s.reloaded = true;
	take(&s, &f, (struct lya_trail_flow){ 0 });
	write_file(&s);
	assert_true(file_says(&s, why));
	end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file),       cmocka_unit_test(test_shared),
		cmocka_unit_test(test_left_out),   cmocka_unit_test(test_sweep),
		cmocka_unit_test(test_full),       cmocka_unit_test(test_interfaces),
		cmocka_unit_test(test_memory),     cmocka_unit_test(test_joined),
		cmocka_unit_test(test_shared_room),
		cmocka_unit_test(test_another_process), cmocka_unit_test(test_reloaded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
