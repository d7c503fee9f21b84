/*
 * send.c - put the frames of a capture on an interface, as fast as the machine can.
 *
 *     send [-r RATE] [-n PACKETS] [-m] INTERFACE FILE
 *
 * FILE is a pcap capture of Ethernet frames; when it is through it begins again.
 * Prints as JSON how many frames were sent, in what time and by which way.
 *
 * The fast way is an XDP program that runs on live frames (BPF_PROG_TEST_RUN with
 * BPF_F_TEST_XDP_LIVE_FRAMES): the frames lie in a map, the program copies the next one
 * into the frame at hand and passes it, and the kernel takes it as received on
 * INTERFACE.  It costs the sender a third of what a system call for many
 * frames does.  With -m, or where the kernel does not have it, frames are sent by
 * sendmmsg on INTERFACE, and are received at the other end of the wire.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
	FRAME_MAX = 1600,
	BATCH = 64,          /* frames of one sendmmsg */
	WAITS = 3000,        /* looks at the clock for one frame, of which the verifier allows some
	                        thousands: 100 us or so, the slowest rate is 10,000 a second */
	PCAP_HEADER = 24,
	HEAD = 4             /* of a slot: the frame's length */
};

static const uint64_t held_max = UINT64_C(768) << 20; /* bytes of frames held at once */

struct frames {
	uint8_t *slots; /* slot bytes each: length, frame */
	uint32_t n, slot;
	uint32_t longest;
};

struct sent {
	uint64_t packets;
	double seconds;
	const char *way;
};

static void die(const char *what)
{
	fprintf(stderr, "send: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint32_t u32_of(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint32_t read_record(FILE *file, const char *path)
{
	uint8_t record[16];
	uint32_t len;

	if (fread(record, sizeof(record), 1, file) != 1)
		return 0;
	len = u32_of(record + 8);
	if (len < ETH_HLEN || len > FRAME_MAX) {
		fprintf(stderr, "send: %s: a frame has %u bytes\n", path, len);
		exit(1);
	}
	return len;
}

/* How many there are, and the longest; then the file stands at the first again. */
static void look_at_frames(struct frames *f, FILE *file, const char *path)
{
	uint32_t len;

	while ((len = read_record(file, path)) != 0 && fseek(file, len, SEEK_CUR) == 0) {
		f->n++;
		if (len > f->longest)
			f->longest = len;
	}
	f->slot = (f->longest + HEAD + 7) / 8 * 8;
	if (f->slot != 0 && f->n > held_max / f->slot)
		f->n = (uint32_t)(held_max / f->slot);
	fseek(file, PCAP_HEADER, SEEK_SET);
}

static void read_frames(struct frames *f, const char *path)
{
	FILE *file = fopen(path, "rb");

	if (file == NULL || fseek(file, PCAP_HEADER, SEEK_SET) != 0)
		die(path);
	look_at_frames(f, file, path);
	f->slots = calloc(f->n + 1, f->slot);
	if (f->slots == NULL)
		die("memory");
	for (uint32_t i = 0; i < f->n; i++) {
		uint8_t *slot = f->slots + (size_t)i * f->slot;
		uint32_t len = read_record(file, path);

		memcpy(slot, &len, sizeof(len));
		if (fread(slot + HEAD, len, 1, file) != 1)
			die(path);
	}
	fclose(file);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Sleep until it is time for the packet of that number; rate 0: never. */
static void keep_rate(double start, uint64_t packets, double rate)
{
	double ahead = rate > 0 ? start + (double)packets / rate - now() : 0;
	struct timespec t = { .tv_sec = (time_t)ahead };

	if (ahead <= 0)
		return;
	t.tv_nsec = (long)((ahead - (double)t.tv_sec) * 1e9);
	nanosleep(&t, NULL);
}

/* XDP ---------------------------------------------------------------------- */

static int bpf(int command, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static int make_map(uint32_t value_size, uint32_t n)
{
	union bpf_attr attr = { 0 };

	attr.map_type = BPF_MAP_TYPE_ARRAY;
	attr.key_size = 4;
	attr.value_size = value_size;
	attr.max_entries = n;
	return bpf(BPF_MAP_CREATE, &attr);
}

static int put(int map, uint32_t key, const void *value)
{
	union bpf_attr attr = { 0 };

	attr.map_fd = (uint32_t)map;
	attr.key = (uint64_t)(uintptr_t)&key;
	attr.value = (uint64_t)(uintptr_t)value;
	return bpf(BPF_MAP_UPDATE_ELEM, &attr);
}

static int fill_map(int map, const struct frames *f)
{
	for (uint32_t i = 0; i < f->n; i++) {
		if (put(map, i, f->slots + (size_t)i * f->slot) == -1)
			return -1;
	}
	return 0;
}

/* What the program knows from frame to frame. */
struct state {
	uint64_t next; /* number of the next frame in the map */
	uint64_t due_ns, gap_ns; /* when it is to be sent, and how long after it the next */
};

#define I(op, d, s, o, i) \
	{ .code = (op), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i) }
#define MOV(d, s) I(BPF_ALU64 | BPF_MOV | BPF_X, d, s, 0, 0)
#define SET(d, i) I(BPF_ALU64 | BPF_MOV | BPF_K, d, 0, 0, i)
#define ADD(d, i) I(BPF_ALU64 | BPF_ADD | BPF_K, d, 0, 0, i)
#define PLUS(d, s) I(BPF_ALU64 | BPF_ADD | BPF_X, d, s, 0, 0)
#define SUB(d, s) I(BPF_ALU64 | BPF_SUB | BPF_X, d, s, 0, 0)
#define LOAD(d, s, o) I(BPF_LDX | BPF_MEM | BPF_W, d, s, o, 0)
#define LOAD8(d, s, o) I(BPF_LDX | BPF_MEM | BPF_DW, d, s, o, 0)
#define STORE(d, o, s) I(BPF_STX | BPF_MEM | BPF_W, d, s, o, 0)
#define STORE8(d, o, s) I(BPF_STX | BPF_MEM | BPF_DW, d, s, o, 0)
#define CALL(i) I(BPF_JMP | BPF_CALL, 0, 0, 0, i)
#define MAP(d, fd) I(BPF_LD | BPF_DW | BPF_IMM, d, BPF_PSEUDO_MAP_FD, 0, fd), I(0, 0, 0, 0, 0)
#define IF(op, d, i, o) I(BPF_JMP | (op) | BPF_K, d, 0, o, i)
#define IF2(op, d, s, o) I(BPF_JMP | (op) | BPF_X, d, s, o, 0)
#define EXIT I(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

/*
 * r6 context, r7 state, r8 looks at the clock, later the frame's slot, r9 its length:
 *
 *	while (ktime() < state->due_ns) ;
 *	state->due_ns += state->gap_ns;
 *	i = state->next; state->next = i + 1 < n ? i + 1 : 0;
 *	slot = frames[i];
 *	adjust_tail(ctx, slot->len - (data_end - data));
 *	store_bytes(ctx, 0, slot->frame, slot->len);
 *	return XDP_PASS;
 */
/* Jumps count from the instruction behind them; there the program gives up: */
enum { ABORT = 54 };

static int load_program(int state, int frames, const struct frames *f)
{
	const struct bpf_insn program[] = {
		MOV(6, 1),
		SET(1, 0),
		STORE(10, -4, 1),
		MAP(1, state),
		MOV(2, 10),
		ADD(2, -4),
		CALL(BPF_FUNC_map_lookup_elem),
		IF(BPF_JEQ, 0, 0, ABORT - 9),
		MOV(7, 0),
		SET(8, 0),
		CALL(BPF_FUNC_ktime_get_ns), /* the loop */
		LOAD8(1, 7, offsetof(struct state, due_ns)),
		IF2(BPF_JGE, 0, 1, 2),
		ADD(8, 1),
		IF(BPF_JLT, 8, WAITS, -5),
		LOAD8(1, 7, offsetof(struct state, due_ns)),
		LOAD8(2, 7, offsetof(struct state, gap_ns)),
		PLUS(1, 2),
		STORE8(7, offsetof(struct state, due_ns), 1),
		LOAD8(3, 7, offsetof(struct state, next)),
		MOV(1, 3),
		ADD(1, 1),
		IF(BPF_JLT, 1, (int)f->n, 1),
		SET(1, 0),
		STORE8(7, offsetof(struct state, next), 1),
		STORE(10, -4, 3),
		MAP(1, frames),
		MOV(2, 10),
		ADD(2, -4),
		CALL(BPF_FUNC_map_lookup_elem),
		IF(BPF_JEQ, 0, 0, ABORT - 33),
		MOV(8, 0),
		LOAD(9, 8, 0),
		LOAD(1, 6, 0), /* data */
		LOAD(3, 6, 4), /* data_end */
		SUB(3, 1),
		MOV(2, 9),
		SUB(2, 3),
		MOV(1, 6),
		CALL(BPF_FUNC_xdp_adjust_tail),
		IF(BPF_JNE, 0, 0, ABORT - 43),
		IF(BPF_JLT, 9, ETH_HLEN, ABORT - 44),
		IF(BPF_JGT, 9, (int)f->longest, ABORT - 45),
		MOV(1, 6),
		SET(2, 0),
		MOV(3, 8),
		ADD(3, HEAD),
		MOV(4, 9),
		CALL(190), /* xdp_store_bytes, since 5.18 */
		IF(BPF_JNE, 0, 0, ABORT - 52),
		SET(0, XDP_PASS),
		EXIT,
		SET(0, XDP_ABORTED),
		EXIT,
	};
	union bpf_attr attr = { 0 };

	attr.prog_type = BPF_PROG_TYPE_XDP;
	attr.insns = (uint64_t)(uintptr_t)program;
	attr.insn_cnt = sizeof(program) / sizeof(program[0]);
	attr.license = (uint64_t)(uintptr_t)"GPL";
	return bpf(BPF_PROG_LOAD, &attr);
}

/* A frame of the greatest length: the tail can be moved within it alone. */
static int run_program(int program, unsigned ifindex, uint32_t longest, uint64_t repeat)
{
	static uint8_t frame[FRAME_MAX];
	struct xdp_md context = { .data_end = longest, .ingress_ifindex = ifindex };
	union bpf_attr attr = { 0 };

	attr.test.prog_fd = (uint32_t)program;
	attr.test.data_in = (uint64_t)(uintptr_t)frame;
	attr.test.data_size_in = longest;
	attr.test.ctx_in = (uint64_t)(uintptr_t)&context;
	attr.test.ctx_size_in = sizeof(context);
	attr.test.repeat = (uint32_t)repeat;
	attr.test.batch_size = 64;
	attr.test.flags = 2; /* BPF_F_TEST_XDP_LIVE_FRAMES, since 5.18 */
	return bpf(BPF_PROG_TEST_RUN, &attr);
}

/* False: this kernel does not have it (the reason is printed). */
static bool send_xdp(const struct frames *f, unsigned ifindex, uint64_t packets, double rate,
		     struct sent *sent)
{
	struct state state = { .gap_ns = rate > 0 ? (uint64_t)(1e9 / rate) : 0 };
	int states = make_map(sizeof(state), 1), frames = make_map(f->slot, f->n), program = -1;
	double start;

	if (states != -1 && frames != -1 && fill_map(frames, f) == 0)
		program = load_program(states, frames, f);
	if (program == -1) {
		fprintf(stderr, "send: no XDP program: %s\n", strerror(errno));
		return false;
	}
	start = now();
	state.due_ns = rate > 0 ? (uint64_t)(start * 1e9) : 0;
	if (put(states, 0, &state) == -1 || run_program(program, ifindex, f->longest, packets) == -1) {
		fprintf(stderr, "send: no live frames: %s\n", strerror(errno));
		return false;
	}
	sent->seconds = now() - start;
	sent->packets = packets;
	sent->way = "xdp";
	return true;
}

/* sendmmsg ----------------------------------------------------------------- */

static void send_mmsg(const struct frames *f, unsigned ifindex, uint64_t packets, double rate,
		      struct sent *sent)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_ifindex = (int)ifindex };
	static struct mmsghdr messages[BATCH];
	static struct iovec parts[BATCH];
	int fd = socket(AF_PACKET, SOCK_RAW, 0), yes = 1;
	uint32_t at = 0;
	double start = now();

	if (fd == -1 || bind(fd, (const void *)&to, sizeof(to)) == -1)
		die("packet socket");
	setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &yes, sizeof(yes));
	while (sent->packets < packets) {
		uint64_t some = packets - sent->packets < BATCH ? packets - sent->packets : BATCH;
		int n;

		for (uint64_t i = 0; i < some; i++) {
			uint8_t *slot = f->slots + (size_t)((at + i) % f->n) * f->slot;

			parts[i] = (struct iovec){ slot + HEAD, u32_of(slot) };
			messages[i].msg_hdr.msg_iov = &parts[i];
			messages[i].msg_hdr.msg_iovlen = 1;
		}
		n = sendmmsg(fd, messages, (unsigned)some, 0);
		if (n == -1 && errno != EINTR && errno != ENOBUFS && errno != EAGAIN)
			die("sendmmsg");
		if (n > 0) {
			sent->packets += (uint64_t)n;
			at = (uint32_t)((at + (uint32_t)n) % f->n);
		}
		keep_rate(start, sent->packets, rate);
	}
	sent->seconds = now() - start;
	sent->way = "sendmmsg";
	close(fd);
}

int main(int argc, char **argv)
{
	struct frames f = { 0 };
	struct sent sent = { 0 };
	uint64_t packets = 0;
	double rate = 0;
	bool plain = false;
	unsigned ifindex;
	int c;

	while ((c = getopt(argc, argv, "r:n:m")) != -1) {
		if (c == 'r')
			rate = strtod(optarg, NULL);
		else if (c == 'n')
			packets = strtoull(optarg, NULL, 10);
		else if (c == 'm')
			plain = true;
		else
			return 2;
	}
	if (argc - optind != 2) {
		fprintf(stderr, "usage: send [-r RATE] [-n PACKETS] [-m] INTERFACE FILE\n");
		return 2;
	}
	ifindex = if_nametoindex(argv[optind]);
	if (ifindex == 0)
		die(argv[optind]);
	read_frames(&f, argv[optind + 1]);
	if (f.n == 0)
		die("no frames");
	if (packets == 0)
		packets = f.n;
	if (plain || !send_xdp(&f, ifindex, packets, rate, &sent))
		send_mmsg(&f, ifindex, packets, rate, &sent);
	printf("{\"packets\": %" PRIu64 ", \"seconds\": %.6f, \"way\": \"%s\", \"frames\": %u}\n",
	       sent.packets, sent.seconds, sent.way, f.n);
	return 0;
}
