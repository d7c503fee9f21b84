/*
 * test_fragments.c - what only reasm knows of a packet is counted as if the decoder had.
 */
#include "pipeline.h"

enum { HEAD_LEN = 96, TAIL_AT = (8 + HEAD_LEN) / 8 };

static const struct segment head = { .src = CLIENT,
				     .dst = FRONT_END,
				     .sport = 40000,
				     .dport = 5000,
				     .proto = 17,
				     .len = HEAD_LEN,
				     .id = 700,
				     .fragment = 0x2000 };
static const struct segment tail = {
	.src = CLIENT, .dst = FRONT_END, .proto = 17, .len = 40, .id = 700, .fragment = TAIL_AT
};

/* A fragment that says otherwise of bytes that were there before. */
static void take_overlap(struct pipe *p)
{
	struct segment other = head;

	other.payload = "another beginning of the datagram, which nobody can have sent as well "
			"as the one that was there.";
	other.len = 48;
	other.fragment = 0x2000 | 1;
	pipe_take(p, 0, ms(0), &head);
	pipe_take(p, 0, ms(20), &other);
	pipe_take(p, 0, ms(40), &tail);
}

/* All bytes are there, and the head speaks of more. */
static void take_length(struct pipe *p)
{
	static uint8_t frame[PIPE_FRAME];
	size_t len = pipe_frame(p, &head, frame);

	put16(frame + 14 + 20 + 4, 4000);
	pipe_take_frame(p, 0, ms(0), frame, len, 0);
	pipe_take(p, 0, ms(20), &tail);
}

/* The head of a VXLAN datagram, with a whole packet in it, and what else it carries. */
static void take_tunnel(struct pipe *p)
{
	static uint8_t inner[PIPE_FRAME], payload[PIPE_FRAME];
	const struct segment in = { .src = CLIENT,
				    .dst = FRONT_END,
				    .sport = 40000,
				    .dport = 5000,
				    .proto = 17,
				    .len = 46 };
	struct segment outer = head;
	size_t len = pipe_frame(p, &in, inner);

	assert_int_equal(8 + 8 + len, 104); /* as the head above */
	payload[0] = 8;
	memcpy(payload + 8, inner, len);
	outer.dport = 4789;
	outer.payload = (const char *)payload;
	pipe_take(p, 0, ms(0), &outer);
	pipe_take(p, 0, ms(20), &tail);
}

static void test_counted(void **state)
{
	static const struct {
		const char *name;
		void (*take)(struct pipe *p);
		uint64_t overlaps, lengths, tunnels;
	} cases[] = {
		{ "overlap", take_overlap, 1, 0, 0 },
		{ "length", take_length, 0, 1, 0 },
		{ "tunnel", take_tunnel, 0, 0, 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (unsigned threads = 1; threads <= 3; threads++) {
			struct lya_audit_counts counts;
			struct pipe p;

			pipe_open_in(&p, threads);
			cases[i].take(&p);
			pipe_finish(&p);
			counts = pipe_counts(&p);
			if (counts.events[LYA_EV_FRAGMENT_OVERLAP] != cases[i].overlaps ||
			    counts.events[LYA_EV_UDP_LENGTH] != cases[i].lengths ||
			    counts.not_tcp_udp != cases[i].tunnels)
				fail_msg("%s, %u threads: %d overlaps, %d lengths, %d of tunnels",
					 cases[i].name, threads,
					 (int)counts.events[LYA_EV_FRAGMENT_OVERLAP],
					 (int)counts.events[LYA_EV_UDP_LENGTH],
					 (int)counts.not_tcp_udp);
			assert_int_equal(counts.packets, i == 0 ? 3 : 2);
			pipe_close(&p);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_counted) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
