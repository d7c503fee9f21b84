/*
 * test_listen.c - frames from interfaces, in a network namespace of the test's own.
 *
 * a0 and b0 are the two ends of one wire, a1 and b1 of another: what is sent on a b
 * is listened to on an a, through one ring and through several.  Where no namespace can be
 * made, the cases say so.
 */
#include "build.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "capture/listen.h"
#include "lyncaudit/timeutil.h"

enum { FRAMES = 64, FRAME_LEN = 60, EVENTS = 16 };

static bool able;
static unsigned rings = 1; /* of each interface */
static unsigned hold;      /* calls for which frames stay */

static void run(const char *command)
{
	int status = system(command);

	if (status != 0)
		fail_msg("%s: status %d", command, status);
}

static void wire(const char *a, const char *b)
{
	char command[256];

	snprintf(command, sizeof(command),
		 "ip link add %s type veth peer name %s && ip link set %s up && ip link set %s up", a,
		 b, a, b);
	run(command);
}

/* IPv6 would send frames of its own. */
static int set_up_all(void **state)
{
	(void)state;
	able = unshare(CLONE_NEWNET) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0;
	if (!able) {
		printf("left out: listening; no network namespace can be made here (%s)\n",
		       strerror(errno));
		return 0;
	}
	run("echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6");
	run("ip link set lo up");
	return 0;
}

static int set_up(void **state)
{
	(void)state;
	if (!able)
		return 0;
	wire("a0", "b0");
	wire("a1", "b1");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	if (able)
		(void)system("ip link del a0 2>/dev/null; ip link del a1 2>/dev/null");
	return 0;
}

static int sender(const char *name)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET };
	int fd = socket(AF_PACKET, SOCK_RAW, 0);
	int yes = 1;

	assert_true(fd != -1);
	/* a queue takes frames up to a second after its interface came up */
	assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &yes, sizeof(yes)), 0);
	to.sll_ifindex = (int)if_nametoindex(name);
	assert_int_not_equal(to.sll_ifindex, 0);
	assert_int_equal(bind(fd, (const void *)&to, sizeof(to)), 0);
	return fd;
}

/* The frame of a number: to a group, so that nobody answers. */
static void frame_of(uint8_t *bytes, unsigned number)
{
	memset(bytes, 0, FRAME_LEN);
	memset(bytes, 0xff, 6);
	bytes[6] = 2;
	bytes[12] = 0x88;
	bytes[13] = 0xb5; /* a type for experiments */
	bytes[14] = (uint8_t)(number >> 8);
	bytes[15] = (uint8_t)number;
}

static unsigned number_of(const struct lya_frame *f)
{
	return (unsigned)(f->data[14] << 8 | f->data[15]);
}

static void send_frame(int fd, unsigned number)
{
	uint8_t bytes[FRAME_LEN];

	frame_of(bytes, number);
	assert_int_equal(write(fd, bytes, sizeof(bytes)), sizeof(bytes));
}

static int64_t wall_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * SECOND + now.tv_nsec;
}

/* What was told of what is missing. */
struct told {
	struct lya_capture_event list[EVENTS];
	size_t n;
};

static void tell(void *ctx, const struct lya_capture_event *event)
{
	struct told *told = ctx;

	assert_true(told->n < EVENTS);
	told->list[told->n++] = *event;
}

static struct lya_capture *listen_to(const char *first, const char *second, const char *filter,
				     size_t bytes, struct told *told)
{
	const char *names[] = { first, second };
	struct lya_capture_listen_options options = { .interfaces = names,
						      .n_interfaces = second == NULL ? 1 : 2,
						      .filter = filter,
						      .rings = rings,
						      .hold = hold,
						      .ring_bytes = bytes,
						      .on_event = told == NULL ? NULL : tell,
						      .ctx = told };
	struct lya_error err = { .status = LYA_OK };
	struct lya_capture *c;

	if (lya_capture_listen(&c, &options, &err) != LYA_OK)
		fail_msg("%s", err.text);
	return c;
}

/* Wait until there are frames, as a service does; 0: there were none for eight blocks' time. */
static size_t next(struct lya_capture *c, struct lya_frame *frames)
{
	int64_t end_ns = wall_ns() + SECOND / 5 * 2;
	struct lya_error err;
	size_t n = 0;

	for (;;) {
		struct pollfd fds[4];
		int timeout_ms;
		size_t n_fds;

		assert_int_equal(lya_capture_next(c, frames, FRAMES, &n, &err), LYA_OK);
		if (n > 0 || wall_ns() >= end_ns)
			return n;
		lya_capture_release(c);
		n_fds = lya_capture_poll(c, fds, 4, &timeout_ms);
		assert_true(n_fds > 0 || timeout_ms >= 0);
		(void)poll(fds, n_fds, timeout_ms < 0 || timeout_ms > 100 ? 100 : timeout_ms);
	}
}

/* A frame that waits for those of another interface, for as long as is needed to be sure of it. */
static void wait_held(struct lya_capture *c, struct lya_frame *frames)
{
	int64_t end_ns = wall_ns() + 2 * SECOND;
	struct lya_error err;
	size_t n;

	do {
		assert_true(wall_ns() < end_ns);
		assert_int_equal(lya_capture_next(c, frames, FRAMES, &n, &err), LYA_OK);
		assert_int_equal(n, 0);
	} while (c->listen->wake_ns == 0);
}

/* Times of ticks, far from a quarter of an hour. */
#define T(s) (START / (900 * SECOND) * (900 * SECOND) + (s) * SECOND)

static void tick(struct lya_capture *c, int64_t now_ns)
{
	struct lya_error err;

	if (lya_capture_tick(c, now_ns, &err) != LYA_OK)
		fail_msg("%s", err.text);
}

static void frames_come_as_they_were_sent(void **state)
{
	struct lya_frame frames[FRAMES];
	struct lya_capture *c;
	const struct lya_source *source;
	uint8_t wanted[FRAME_LEN];
	int64_t from_ns = wall_ns();
	size_t n, count = 0;
	int fd;

	(void)state;
	if (!able)
		skip();
	c = listen_to("a0", NULL, NULL, 0, NULL);
	fd = sender("b0");
	for (unsigned i = 1; i <= 100; i++)
		send_frame(fd, i);
	while (count < 100 && (n = next(c, frames)) > 0) {
		for (size_t k = 0; k < n; k++) {
			frame_of(wanted, (unsigned)++count);
			assert_int_equal(frames[k].number, count);
			assert_int_equal(frames[k].caplen, FRAME_LEN);
			assert_int_equal(frames[k].wirelen, FRAME_LEN);
			assert_memory_equal(frames[k].data, wanted, FRAME_LEN);
			assert_int_equal(frames[k].link, LYA_LINK_ETHERNET);
			assert_int_equal(frames[k].digits, 9);
			assert_true(frames[k].time_ns >= from_ns && frames[k].time_ns <= wall_ns());
		}
	}
	assert_int_equal(count, 100);
	source = lya_capture_sources(c, &n);
	assert_int_equal(n, 1);
	assert_string_equal(source->name, "a0");
	assert_string_equal(source->kind, "interface");
	assert_int_equal(source->packets, 100);
	assert_int_equal(source->bytes, 100 * FRAME_LEN);
	lya_capture_close(c);
	close(fd);
}

/* The kernel takes the outer tag out of the frame: it must come back whole. */
static void tags_are_put_back(void **state)
{
	static const uint16_t types[] = { 0x8100, 0x88a8 };
	struct lya_frame frames[FRAMES];
	struct lya_capture *c;
	int fd;

	(void)state;
	if (!able)
		skip();
	c = listen_to("a0", NULL, NULL, 0, NULL);
	fd = sender("b0");
	for (size_t i = 0; i < 4; i++) {
		uint8_t bytes[FRAME_LEN + 8];
		uint16_t type = types[i % 2];
		size_t at = 12, len;

		frame_of(bytes, 7);
		for (size_t tags = 0; tags <= i / 2; tags++, at += 4) {
			bytes[at] = (uint8_t)(type >> 8);
			bytes[at + 1] = (uint8_t)type;
			bytes[at + 2] = 0x60;
			bytes[at + 3] = (uint8_t)(5 + tags);
		}
		bytes[at] = 0x88;
		bytes[at + 1] = 0xb5;
		len = at + 40;
		for (size_t k = at + 2; k < len; k++)
			bytes[k] = (uint8_t)k;
		assert_int_equal(write(fd, bytes, len), len);
		assert_int_equal(next(c, frames), 1);
		assert_int_equal(frames[0].caplen, len);
		assert_int_equal(frames[0].wirelen, len);
		assert_memory_equal(frames[0].data, bytes, len);
	}
	lya_capture_close(c);
	close(fd);
}

/* A frame with a tag that no interface of its own wants counts as dropped, and is none. */
static void tagged_frames_are_no_loss(void **state)
{
	struct lya_frame frames[FRAMES];
	struct told told = { .n = 0 };
	struct lya_capture *c;
	size_t n;
	int fd;

	(void)state;
	if (!able)
		skip();
	c = listen_to("a0", NULL, NULL, 0, &told);
	fd = sender("b0");
	for (int s = 1; s < 6; s++) {
		uint8_t bytes[FRAME_LEN + 8];

		tick(c, T(s));
		frame_of(bytes, 7);
		bytes[12] = 0x81;
		bytes[13] = bytes[14] = 0;
		assert_int_equal(write(fd, bytes, FRAME_LEN), FRAME_LEN);
		assert_int_equal(next(c, frames), 1);
	}
	lya_capture_listen_end(c, T(9));
	assert_int_equal(told.n, 0);
	assert_int_equal(lya_capture_sources(c, &n)->dropped, 0);
	lya_capture_close(c);
	close(fd);
}

static void udp_of(uint8_t *bytes, unsigned tags, uint16_t port)
{
	size_t at = 12;

	frame_of(bytes, 0);
	for (; tags > 0; tags--, at += 4) {
		bytes[at] = 0x81;
		bytes[at + 1] = 0;
		bytes[at + 2] = 0;
		bytes[at + 3] = 9;
	}
	bytes[at++] = 8;
	bytes[at++] = 0;
	memset(bytes + at, 0, 28);
	bytes[at] = 0x45;
	bytes[at + 3] = 28;
	bytes[at + 8] = 64;
	bytes[at + 9] = 17;
	bytes[at + 12] = 10;
	bytes[at + 16] = 10;
	bytes[at + 22] = (uint8_t)(port >> 8);
	bytes[at + 23] = (uint8_t)port;
}

/* The same answer as for files, however many tags and whoever asks: kernel or program. */
static void a_filter_leaves_out(void **state)
{
	static const struct {
		const char *filter;
		unsigned sees[3]; /* of ports 80 and 5061 with 0, 1, 2 tags: bits */
	} cases[] = {
		{ "udp port 5061", { 2, 2, 2 } }, { "not port 80", { 2, 2, 2 } },
		{ "vlan 9", { 0, 3, 3 } },        { "greater 60", { 3, 3, 3 } },
		{ " ", { 3, 3, 3 } },             { "ether[12:2] = 0x800 and port 80", { 1, 0, 0 } },
	};
	struct lya_frame frames[FRAMES];
	int fd;

	(void)state;
	if (!able)
		skip();
	fd = sender("b0");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct lya_capture *c = listen_to("a0", NULL, cases[i].filter, 0, NULL);

		for (unsigned tags = 0; tags < 3; tags++) {
			unsigned seen = 0;
			size_t n;

			for (unsigned k = 0; k < 2; k++) {
				uint8_t bytes[FRAME_LEN + 8];

				udp_of(bytes, tags, k == 0 ? 80 : 5061);
				assert_int_equal(write(fd, bytes, FRAME_LEN), FRAME_LEN);
			}
			while ((n = next(c, frames)) > 0) {
				for (size_t k = 0; k < n; k++)
					seen |= frames[k].data[12 + 4 * tags + 2 + 23] == 80 ? 1 : 2;
			}
			if (seen != cases[i].sees[tags])
				fail_msg("\"%s\", %u tags: %u", cases[i].filter, tags, seen);
		}
		lya_capture_close(c);
	}
	close(fd);
}

/* From a client's port to a server's, or back; `number` in the IPv4 header's identification. */
static size_t flow_frame(uint8_t *bytes, unsigned tags, uint16_t client, bool back, uint16_t number)
{
	size_t at = 14 + 4 * (size_t)tags;

	udp_of(bytes, tags, back ? client : 5061);
	bytes[at + 4] = (uint8_t)(number >> 8);
	bytes[at + 5] = (uint8_t)number;
	bytes[at + (back ? 16 : 12) + 3] = (uint8_t)(client >> 3 | 1); /* many clients */
	bytes[at + 20] = back ? 5061 >> 8 : (uint8_t)(client >> 8);
	bytes[at + 21] = back ? 5061 & 0xff : (uint8_t)client;
	return FRAME_LEN;
}

static struct capture_ring_options ring_options(void)
{
	return (struct capture_ring_options){ .name = "a0", .arphrd = ARPHRD_ETHER,
					      .bytes = 16 * CAPTURE_RING_BLOCK };
}

/* The ring that a frame came through; it is taken. */
static int ring_of(struct capture_ring *list, int n)
{
	int64_t end_ns = wall_ns() + SECOND;

	while (wall_ns() < end_ns) {
		for (int i = 0; i < n; i++) {
			struct lya_frame f;

			capture_ring_release(&list[i], list[i].done);
			if (capture_ring_take(&list[i], &f, 1, INT64_MAX) == 1)
				return i;
		}
		usleep(1000);
	}
	fail_msg("no frame came");
	return -1;
}

/* Both directions of a flow come through the same ring of a group, and flows through all. */
static void flows_are_spread_whole(void **state)
{
	enum { RINGS = 3, FLOWS = 40 };
	struct capture_ring_options o = ring_options();
	struct capture_ring list[RINGS];
	struct lya_error err;
	unsigned group = 0, used = 0;
	int fd;

	(void)state;
	if (!able)
		skip();
	for (int i = 0; i < RINGS; i++) {
		assert_int_equal(capture_ring_open(&list[i], &o, &err), LYA_OK);
		assert_int_equal(capture_ring_bind(&list[i], (int)if_nametoindex("a0")), 0);
		assert_int_equal(capture_ring_join(&list[i], &o, &group, &err), LYA_OK);
		assert_int_equal(capture_ring_furnish(&list[i], &o, &err), LYA_OK);
	}
	fd = sender("b0");
	for (unsigned flow = 0; flow < FLOWS; flow++) {
		int ring = -1;

		for (unsigned k = 0; k < 4; k++) {
			uint8_t bytes[FRAME_LEN + 8];
			size_t len = flow_frame(bytes, flow % 2, (uint16_t)(40000 + 7 * flow),
						k % 2 != 0, 1);
			int came;

			assert_int_equal(write(fd, bytes, len), len);
			came = ring_of(list, RINGS);
			if (ring != -1)
				assert_int_equal(came, ring);
			ring = came;
		}
		used |= 1u << ring;
	}
	assert_int_equal(used, (1u << RINGS) - 1);
	for (int i = 0; i < RINGS; i++)
		capture_ring_close(&list[i]);
	close(fd);
}

static bool has_frames(struct capture_ring *r)
{
	int64_t time_ns;
	bool fresh;

	return capture_ring_peek(r, &time_ns, &fresh);
}

/*
 * A ring of a group that has no room leaves what comes to the others.  Nobody reads; blocks
 * are handed over for want of time as well.
 */
static void a_full_ring_overflows(void **state)
{
	enum { RINGS = 2, ROUNDS = 100, SOME = 200 };
	struct capture_ring_options o = ring_options();
	struct capture_ring list[RINGS];
	struct lya_frame frames[FRAMES];
	struct lya_error err;
	unsigned group = 0, sent = 0;
	size_t count = 0, n;
	int fd;

	(void)state;
	if (!able)
		skip();
	for (int i = 0; i < RINGS; i++) {
		assert_int_equal(capture_ring_open(&list[i], &o, &err), LYA_OK);
		assert_int_equal(capture_ring_bind(&list[i], (int)if_nametoindex("a0")), 0);
		assert_int_equal(capture_ring_join(&list[i], &o, &group, &err), LYA_OK);
		assert_int_equal(capture_ring_furnish(&list[i], &o, &err), LYA_OK);
	}
	fd = sender("b0");
	for (int round = 0; round < ROUNDS && !(has_frames(&list[0]) && has_frames(&list[1]));
	     round++) {
		for (unsigned i = 0; i < SOME; i++) /* of one flow */
			send_frame(fd, sent++);
		usleep(60000);
	}
	for (int i = 0; i < RINGS; i++) {
		assert_true(has_frames(&list[i]));
		assert_int_equal(capture_ring_dropped(&list[i]), 0);
	}
	usleep(150000);
	for (int i = 0; i < RINGS; i++) {
		while ((n = capture_ring_take(&list[i], frames, FRAMES, INT64_MAX)) > 0)
			count += n;
		capture_ring_close(&list[i]);
	}
	assert_int_equal(count, sent);
	close(fd);
}

/* What many flows send comes as it was sent, whichever ring it came through. */
static void rings_are_merged(void **state)
{
	enum { SENT = 3000 };
	struct lya_frame frames[FRAMES];
	struct lya_capture *c;
	const struct lya_source *source;
	int64_t before_ns = 0;
	unsigned count = 0;
	size_t n;
	int fd;

	(void)state;
	if (!able)
		skip();
	c = listen_to("a0", NULL, NULL, 0, NULL);
	fd = sender("b0");
	for (unsigned i = 0; i < SENT; i++) {
		uint8_t bytes[FRAME_LEN + 8];
		size_t len = flow_frame(bytes, 0, (uint16_t)(40000 + i % 97), i % 3 == 0,
					(uint16_t)i);

		assert_int_equal(write(fd, bytes, len), len);
		if (i % 500 == 499)
			usleep(60000); /* across blocks */
	}
	while (count < SENT && (n = next(c, frames)) > 0) {
		for (size_t k = 0; k < n; k++, count++) {
			assert_int_equal(frames[k].data[18] << 8 | frames[k].data[19], count);
			assert_int_equal(frames[k].number, count + 1);
			assert_true(frames[k].time_ns >= before_ns);
			before_ns = frames[k].time_ns;
		}
	}
	assert_int_equal(count, SENT);
	source = lya_capture_sources(c, &n);
	assert_int_equal(n, 1);
	assert_int_equal(source->packets, SENT);
	assert_int_equal(source->steps_back, 0);
	lya_capture_close(c);
	close(fd);
}

/* While rings are opened one after the other nothing comes twice. */
static void a_busy_wire_is_joined_once(void **state)
{
	struct lya_frame frames[FRAMES];
	struct lya_capture *c;
	unsigned count = 0, last = 0;
	int64_t before_ns = 0;
	pid_t child;
	size_t n;

	(void)state;
	if (!able)
		skip();
	child = fork();
	if (child == 0) {
		int fd = sender("b0");

		for (unsigned i = 1;; i++) {
			uint8_t bytes[FRAME_LEN + 8];
			size_t len = flow_frame(bytes, 0, (uint16_t)(40000 + i % 97), false,
						(uint16_t)(i & 0x7fff));

			if (write(fd, bytes, len) != (ssize_t)len)
				_exit(1);
			usleep(20);
		}
	}
	usleep(20000);
	c = listen_to("a0", NULL, NULL, 0, NULL);
	while (count < 5000 && (n = next(c, frames)) > 0) {
		for (size_t k = 0; k < n; k++, count++) {
			unsigned number = (unsigned)(frames[k].data[18] << 8 | frames[k].data[19]);

			/* those of the time in which rings began to hear may be missing */
			assert_true(frames[k].time_ns > before_ns);
			before_ns = frames[k].time_ns;
			if (count > 500)
				assert_int_equal(number, (last + 1) & 0x7fff);
			else
				assert_true(count == 0 || ((number - last) & 0x7fff) < 0x4000);
			assert_true(count == 0 || number != last);
			last = number;
		}
	}
	assert_true(count >= 5000);
	(void)kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
	lya_capture_close(c);
}

/* Frames of the calls before, as they were given. */
struct lent {
	struct lya_frame frames[FRAMES];
	uint8_t bytes[FRAMES][FRAME_LEN];
	size_t n;
};

static void assert_unchanged(const struct lent *l)
{
	for (size_t k = 0; k < l->n; k++)
		assert_memory_equal(l->frames[k].data, l->bytes[k], FRAME_LEN);
}

/* Frames stay for as many calls as was wanted, while the kernel fills what it may. */
static void what_is_held_stays(void **state)
{
	enum { HOLD = 4, SENT = 60000, SOME = 3000 };
	const char *names[] = { "a0" };
	struct lya_capture_listen_options options = { .interfaces = names, .n_interfaces = 1,
						      .rings = rings, .hold = HOLD,
						      .ring_bytes = 8 * CAPTURE_RING_BLOCK };
	struct lent *lent = calloc(HOLD + 1, sizeof(*lent));
	struct lya_capture *c;
	struct lya_error err;
	unsigned count = 0, calls = 0;
	int fd;

	(void)state;
	if (!able) {
		free(lent);
		skip();
	}
	assert_non_null(lent);
	assert_int_equal(lya_capture_listen(&c, &options, &err), LYA_OK);
	fd = sender("b0");
	for (unsigned sent = 0; sent < SENT;) {
		for (unsigned i = 0; i < SOME; i++)
			send_frame(fd, sent++);
		while (count < sent) {
			struct lent *l = &lent[calls++ % (HOLD + 1)];

			l->n = next(c, l->frames);
			if (l->n == 0)
				break;
			for (size_t k = 0; k < l->n; k++) {
				assert_int_equal(number_of(&l->frames[k]), count++ & 0xffff);
				memcpy(l->bytes[k], l->frames[k].data, FRAME_LEN);
			}
			for (unsigned k = 0; k <= HOLD; k++)
				assert_unchanged(&lent[k]);
		}
		assert_int_equal(count, sent);
		for (unsigned i = 0; i < 20; i++) /* while these are held */
			send_frame(fd, sent++);
		for (unsigned k = 0; k <= HOLD; k++) {
			assert_unchanged(&lent[k]);
			lent[k].n = 0;
		}
		lya_capture_release(c);
	}
	lya_capture_close(c);
	close(fd);
	free(lent);
}

static void two_interfaces_are_merged(void **state)
{
	struct lya_frame frames[FRAMES];
	struct lya_capture *c;
	unsigned count = 0;
	int64_t before_ns = 0;
	int fds[2];
	size_t n;

	(void)state;
	if (!able)
		skip();
	c = listen_to("a0", "a1", NULL, 0, NULL);
	fds[0] = sender("b0");
	fds[1] = sender("b1");
	/* in turns, then one alone, then the other */
	for (unsigned i = 0; i < 300; i++) {
		send_frame(fds[i < 100 ? i % 2 : i < 200 ? 0 : 1], i);
		if (i % 50 == 49)
			usleep(60000); /* across blocks */
	}
	while (count < 300 && (n = next(c, frames)) > 0) {
		for (size_t k = 0; k < n; k++, count++) {
			assert_int_equal(number_of(&frames[k]), count);
			assert_true(frames[k].time_ns >= before_ns);
			before_ns = frames[k].time_ns;
		}
	}
	assert_int_equal(count, 300);
	assert_int_equal(lya_capture_sources(c, &n)[0].packets, 150);
	assert_int_equal(lya_capture_sources(c, &n)[1].packets, 150);
	assert_int_equal(lya_capture_sources(c, &n)[1].steps_back, 0);
	lya_capture_close(c);
	close(fds[0]);
	close(fds[1]);
}

/* At the end nothing is waited for: what was handed over is given. */
static void the_last_are_given_at_once(void **state)
{
	struct lya_frame frames[FRAMES];
	struct lya_capture *c;
	struct lya_error err;
	size_t n;
	int fd;

	(void)state;
	if (!able)
		return;
	c = listen_to("a0", "a1", NULL, 0, NULL);
	fd = sender("b1");
	send_frame(fd, 7);
	wait_held(c, frames);
	lya_capture_listen_last(c);
	assert_int_equal(lya_capture_next(c, frames, FRAMES, &n, &err), LYA_OK);
	assert_int_equal(n, 1);
	assert_int_equal(number_of(&frames[0]), 7);
	(void)close(fd);
	lya_capture_close(c);
}

/* A frame that is sent now comes through. */
static void assert_hears(struct lya_capture *c, const char *name, unsigned number)
{
	struct lya_frame frames[FRAMES];
	int fd = sender(name);

	send_frame(fd, number);
	assert_int_equal(next(c, frames), 1);
	assert_int_equal(number_of(&frames[0]), number);
	close(fd);
}

static void assert_gap(const struct told *told, int64_t from_ns, int64_t to_ns, const char *what)
{
	const struct lya_capture_event *e = &told->list[told->n - 1];

	assert_int_equal(e->kind, LYA_CAPTURE_GAP);
	assert_true(e->over);
	assert_string_equal(e->what, what);
	assert_int_equal(e->from_ns, from_ns);
	assert_int_equal(e->to_ns, to_ns);
}

/* Sockets that listen to an interface (packet(7), /proc/net/packet). */
static unsigned rings_of(const char *name)
{
	FILE *f = fopen("/proc/self/net/packet", "r");
	char line[256];
	unsigned count = 0, index;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL)
		count += sscanf(line, "%*s %*s %*s %*s %u", &index) == 1 &&
			 index == if_nametoindex(name);
	(void)fclose(f);
	return count;
}

static void down_and_up_is_a_gap(void **state)
{
	struct told told = { .n = 0 };
	struct lya_capture *c;

	(void)state;
	if (!able)
		skip();
	c = listen_to("a0", NULL, NULL, 0, &told);
	tick(c, T(1));
	assert_hears(c, "b0", 1);
	run("ip link set a0 down");
	tick(c, T(2));
	tick(c, T(3));
	assert_int_equal(told.n, 0);
	run("ip link set a0 up");
	tick(c, T(4));
	assert_int_equal(told.n, 1);
	assert_gap(&told, T(1), T(4), "the interface was down");
	assert_hears(c, "b0", 2);
	run("ip link set a0 down; ip link set a0 up"); /* between two ticks */
	tick(c, T(5));
	assert_int_equal(told.n, 2);
	assert_gap(&told, T(4), T(5), "the interface went down and came up");
	run("ip link set b0 down");
	tick(c, T(6));
	run("ip link set b0 up");
	tick(c, T(7));
	assert_int_equal(told.n, 3);
	assert_gap(&told, T(5), T(7), "the interface had no carrier");
	tick(c, T(8));
	assert_int_equal(told.n, 3);
	assert_hears(c, "b0", 3);
	lya_capture_close(c);
}

static void removed_and_made_anew_is_a_gap(void **state)
{
	struct told told = { .n = 0 };
	struct lya_capture *c;

	(void)state;
	if (!able)
		skip();
	c = listen_to("a0", NULL, NULL, 0, &told);
	tick(c, T(1));
	assert_hears(c, "b0", 99);
	for (int i = 0; i < 3; i++) {
		run("ip link del a0");
		tick(c, T(2 + 10 * i));
		wire("a0", "b0");
		tick(c, T(3 + 10 * i));
		assert_int_equal(told.n, 1 + i);
		assert_gap(&told, T(i == 0 ? 1 : 4 + 10 * (i - 1)), T(3 + 10 * i),
			   "there was no such interface");
		assert_hears(c, "b0", 100);
		tick(c, T(4 + 10 * i));
		assert_hears(c, "b0", 101);
		assert_int_equal(rings_of("a0"), rings);
	}
	run("ip link del a0");
	run("ip link add a0 type veth peer name b0; ip link set b0 up"); /* not up yet */
	tick(c, T(40));
	run("ip link set a0 up");
	tick(c, T(41));
	assert_int_equal(told.n, 4);
	assert_gap(&told, T(24), T(41), "the interface was down");
	assert_hears(c, "b0", 200);
	lya_capture_close(c);
}

static void make_anew_from_nothing(struct lya_capture *c)
{
	tick(c, T(1));
	wire("a0", "b0");
	tick(c, T(2));
}

static void make_anew(struct lya_capture *c)
{
	run("ip link del a0");
	make_anew_from_nothing(c);
}

/* What came through the rings before is given, and comes first. */
static void made_anew_before_it_was_read(void **state)
{
	enum { FLOWS = 12 };
	struct lya_frame frames[FRAMES];
	struct lya_capture *c;
	size_t n, count = 0;

	(void)state;
	if (!able)
		skip();
	c = listen_to("a0", NULL, NULL, 0, NULL);
	for (unsigned round = 0; round < 2; round++) {
		int fd = sender("b0");

		for (unsigned i = 0; i < FLOWS; i++) {
			uint8_t bytes[FRAME_LEN + 8];
			size_t len = flow_frame(bytes, 0, (uint16_t)(40000 + 7 * i), false,
						(uint16_t)(FLOWS * round + i));

			assert_int_equal(write(fd, bytes, len), len);
		}
		close(fd);
		if (round == 0)
			make_anew(c);
	}
	tick(c, T(3));
	while ((n = next(c, frames)) > 0) {
		for (size_t k = 0; k < n; k++, count++)
			assert_int_equal(frames[k].data[18] << 8 | frames[k].data[19], count);
		tick(c, T(4));
	}
	assert_int_equal(count, 2 * FLOWS);
	assert_int_equal(rings_of("a0"), rings);
	lya_capture_close(c);
}

/* With so many rings it can be made anew so often; then it goes on with one. */
static void make_anew_until_alone(unsigned many, unsigned wanted)
{
	unsigned before = rings, times = 0;
	struct lya_capture *c;

	if (rings == 1) /* it has no stock */
		return;
	rings = many;
	c = listen_to("a0", NULL, NULL, 4 * CAPTURE_RING_BLOCK, NULL);
	while (rings_of("a0") == rings && times++ < 64)
		make_anew(c);
	assert_int_equal(times, wanted + 1);
	assert_int_equal(rings_of("a0"), 1);
	assert_hears(c, "b0", 1);
	make_anew(c);
	assert_int_equal(rings_of("a0"), 1);
	assert_hears(c, "b0", 2);
	lya_capture_close(c);
	rings = before;
}

/* Nobody may open sockets by then: those in stock are used up. */
static void made_anew_time_and_again(void **state)
{
	(void)state;
	if (!able)
		skip();
	make_anew_until_alone(2, 8);
	make_anew_until_alone(LYA_CAPTURE_RINGS_MAX, 3); /* 64 sockets, of which one is left */
}

/* The kernel goes on leaving out what is not wanted: nobody here has to. */
static void made_anew_with_a_filter(void **state)
{
	uint8_t bytes[FRAME_LEN + 8];
	struct lya_frame frames[FRAMES];
	struct lya_capture *c;
	size_t len = flow_frame(bytes, 0, 40000, false, 7), n;
	int fd;

	(void)state;
	if (!able)
		skip();
	c = listen_to("a0", NULL, "udp", 0, NULL);
	make_anew(c);
	assert_int_equal(rings_of("a0"), rings);
	fd = sender("b0");
	for (unsigned i = 0; i < 20; i++)
		send_frame(fd, i);
	assert_int_equal(write(fd, bytes, len), len);
	assert_int_equal(next(c, frames), 1);
	assert_memory_equal(frames[0].data, bytes, len);
	assert_int_equal(next(c, frames), 0);
	assert_int_equal(lya_capture_sources(c, &n)->filtered, 0);
	lya_capture_close(c);
	close(fd);
}

/* It was gone once more before it could be listened to: another time it can. */
static void made_anew_and_gone(void **state)
{
	struct capture_interface *i;
	struct lya_capture *c;

	(void)state;
	if (!able)
		skip();
	c = listen_to("a0", NULL, NULL, 0, NULL);
	i = &c->listen->list[0];
	run("ip link del a0");
	for (int k = 0; k < 3; k++)
		assert_false(capture_group_follow(c->listen, i, INT32_MAX));
	make_anew_from_nothing(c);
	assert_int_equal(rings_of("a0"), rings);
	assert_hears(c, "b0", 1);
	while (i->n_stock > 1)
		capture_ring_close(&i->stock[--i->n_stock]);
	run("ip link del a0");
	for (int k = 0; k < 3; k++)
		assert_false(capture_group_follow(c->listen, i, INT32_MAX));
	make_anew_from_nothing(c);
	assert_int_equal(rings_of("a0"), 1);
	assert_hears(c, "b0", 2);
	lya_capture_close(c);
}

/* A long one is told in pieces that end at quarters of an hour, the rest at the end. */
static void what_goes_on_is_told_in_pieces(void **state)
{
	struct told told = { .n = 0 };
	struct lya_capture *c;

	(void)state;
	if (!able)
		skip();
	c = listen_to("a0", NULL, NULL, 0, &told);
	tick(c, T(800));
	run("ip link set a0 down");
	tick(c, T(801));
	tick(c, T(899));
	assert_int_equal(told.n, 0);
	tick(c, T(901));
	assert_int_equal(told.n, 1);
	assert_int_equal(told.list[0].from_ns, T(800));
	assert_int_equal(told.list[0].to_ns, T(900));
	assert_false(told.list[0].over);
	tick(c, T(902));
	assert_int_equal(told.n, 1);
	lya_capture_listen_end(c, T(1000));
	assert_int_equal(told.n, 2);
	assert_gap(&told, T(900), T(1000), "the interface was down");
	lya_capture_close(c);
}

/* Nobody reads: what does not fit is counted to the last frame, and told with its time. */
static void a_full_buffer_is_counted(void **state)
{
	enum { SENT = 70000 };
	struct lya_frame frames[FRAMES];
	struct told told = { .n = 0 };
	const struct lya_source *source;
	struct lya_capture *c;
	size_t n;
	int fd;

	(void)state;
	if (!able)
		skip();
	c = listen_to("a0", NULL, NULL, 4 * 262144, &told);
	fd = sender("b0");
	tick(c, T(1));
	for (unsigned i = 0; i < SENT; i++)
		send_frame(fd, i);
	usleep(100000);
	tick(c, T(2));
	assert_int_equal(told.n, 0); /* it may go on */
	while (next(c, frames) > 0)
		;
	tick(c, T(3));
	source = lya_capture_sources(c, &n);
	assert_true(source->dropped > 0 && source->packets > 0);
	assert_int_equal(source->packets + source->dropped, SENT);
	assert_int_equal(told.n, 1);
	assert_int_equal(told.list[0].kind, LYA_CAPTURE_DROP);
	assert_int_equal(told.list[0].count, source->dropped);
	assert_int_equal(told.list[0].from_ns, T(1));
	assert_int_equal(told.list[0].to_ns, T(2));
	assert_true(told.list[0].over);
	assert_string_equal(told.list[0].what, "the kernel's packet buffer was full");
	lya_capture_close(c);
	close(fd);
}

/* Many blocks, read while they are filled, round and round: every frame, once, in order. */
static void blocks_come_round(void **state)
{
	enum { SENT = 60000, SOME = 5000 };
	struct lya_frame frames[FRAMES];
	struct lya_capture *c;
	unsigned count = 0;
	size_t n;
	int fd;

	(void)state;
	if (!able)
		skip();
	c = listen_to("a0", NULL, NULL, 8 * 262144, NULL);
	fd = sender("b0");
	for (unsigned sent = 0; sent < SENT;) {
		for (unsigned i = 0; i < SOME; i++)
			send_frame(fd, sent++);
		while (count < sent && (n = next(c, frames)) > 0) {
			for (size_t k = 0; k < n; k++)
				assert_int_equal(number_of(&frames[k]), count++ & 0xffff);
		}
		assert_int_equal(count, sent);
	}
	lya_capture_close(c);
	close(fd);
}

static void a_loopback_shows_a_packet_once(void **state)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9) };
	struct lya_frame frames[FRAMES];
	struct lya_capture *c;
	size_t count = 0, n;
	int fd;

	(void)state;
	if (!able)
		skip();
	c = listen_to("lo", NULL, "udp", 0, NULL);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (int i = 0; i < 10; i++)
		(void)sendto(fd, "x", 1, 0, (const void *)&to, sizeof(to));
	while ((n = next(c, frames)) > 0)
		count += n;
	assert_int_equal(count, 10);
	lya_capture_close(c);
	close(fd);
}

/* An interface without Ethernet: packets begin with their IP header. */
static void a_tunnel_gives_packets(void **state)
{
	static const uint8_t packet[28] = { 0x45, 0, 0,  28, 0, 0, 0,  0, 64, 17,
					    0,    0, 10, 0,  0, 1, 10, 0, 0,  2 };
	struct ifreq ifr = { .ifr_name = "t0", .ifr_flags = IFF_TUN | IFF_NO_PI };
	struct lya_frame frames[FRAMES];
	struct lya_capture *c;
	int fd = open("/dev/net/tun", O_RDWR);

	(void)state;
	if (!able)
		skip();
	if (fd == -1 || ioctl(fd, TUNSETIFF, &ifr) == -1) {
		printf("left out: no TUN interface can be made here\n");
		skip();
	}
	run("ip link set t0 up");
	c = listen_to("t0", NULL, "udp", 0, NULL);
	assert_int_equal(write(fd, packet, sizeof(packet)), sizeof(packet));
	assert_int_equal(next(c, frames), 1);
	assert_int_equal(frames[0].link, LYA_LINK_RAW);
	assert_int_equal(frames[0].caplen, sizeof(packet));
	assert_memory_equal(frames[0].data, packet, sizeof(packet));
	lya_capture_close(c);
	close(fd);
}

static void assert_refused(const char *const *names, size_t n, const char *filter, bool adapter,
			   int wanted, const char *text)
{
	struct lya_capture_listen_options options = {
		.interfaces = names, .n_interfaces = n, .filter = filter, .adapter_time = adapter
	};
	struct lya_error err = { .status = LYA_OK };
	struct lya_capture *c;

	assert_int_equal(lya_capture_listen(&c, &options, &err), wanted);
	assert_null(c);
	assert_int_equal(err.status, wanted);
	if (strstr(err.text, text) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", err.text, text);
}

static void what_cannot_be_listened_to_is_said(void **state)
{
	const char *none[] = { "nowhere0" }, *longer[] = { "a-name-of-more-than-15" };
	const char *good[] = { "a0", "a0" };

	(void)state;
	if (!able)
		skip();
	assert_refused(none, 1, NULL, false, LYA_EINPUT, "nowhere0: there is no such interface");
	assert_refused(longer, 1, NULL, false, LYA_EINPUT, "there is no such interface");
	assert_refused(good, 2, NULL, false, LYA_EUSAGE, "a0: the interface is named twice");
	assert_refused(good, 0, NULL, false, LYA_EUSAGE, "no interface");
	assert_refused(good, 1, "port (", false, LYA_EUSAGE, "filter: \"port (\"");
	assert_refused(good, 1, NULL, true, LYA_EUSAGE, "offers no time stamps");
	run("ip link set a0 down");
	assert_refused(good, 1, NULL, false, LYA_EINPUT, "a0: the interface is down");
}

/* In a child: the capability is gone for good. */
static void without_a_capability_it_says_which(void **state)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct nothing[2] = { 0 };
	const char *names[] = { "a0" };
	pid_t child;
	int status;

	(void)state;
	if (!able)
		skip();
	child = fork();
	if (child == 0) {
		struct lya_capture_listen_options options = { .interfaces = names,
							      .n_interfaces = 1 };
		struct lya_error err;
		struct lya_capture *c;

		if (syscall(SYS_capset, &header, nothing) == -1)
			_exit(2);
		_exit(lya_capture_listen(&c, &options, &err) == LYA_EIO &&
			      strstr(err.text, "CAP_NET_RAW") != NULL
			  ? 0
			  : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void interfaces_are_listed(void **state)
{
	struct lya_capture_device *list;
	struct lya_error err;
	bool lo = false, a0 = false;
	size_t n;

	(void)state;
	if (!able)
		skip();
	assert_int_equal(lya_capture_devices(&list, &n, &err), LYA_OK);
	for (size_t i = 0; i < n; i++) {
		lo = lo || (strcmp(list[i].name, "lo") == 0 && list[i].loopback);
		a0 = a0 || (strcmp(list[i].name, "a0") == 0 && list[i].up);
		assert_string_not_equal(list[i].name, "any");
	}
	assert_true(lo && a0);
	lya_capture_devices_free(list, n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(frames_come_as_they_were_sent, set_up, tear_down),
		cmocka_unit_test_setup_teardown(tags_are_put_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(tagged_frames_are_no_loss, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_filter_leaves_out, set_up, tear_down),
		cmocka_unit_test_setup_teardown(flows_are_spread_whole, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_full_ring_overflows, set_up, tear_down),
		cmocka_unit_test_setup_teardown(rings_are_merged, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_busy_wire_is_joined_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_held_stays, set_up, tear_down),
		cmocka_unit_test_setup_teardown(two_interfaces_are_merged, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_last_are_given_at_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(down_and_up_is_a_gap, set_up, tear_down),
		cmocka_unit_test_setup_teardown(removed_and_made_anew_is_a_gap, set_up, tear_down),
		cmocka_unit_test_setup_teardown(made_anew_before_it_was_read, set_up, tear_down),
		cmocka_unit_test_setup_teardown(made_anew_time_and_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(made_anew_and_gone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(made_anew_with_a_filter, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_goes_on_is_told_in_pieces, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_full_buffer_is_counted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(blocks_come_round, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_loopback_shows_a_packet_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_tunnel_gives_packets, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_cannot_be_listened_to_is_said, set_up, tear_down),
		cmocka_unit_test_setup_teardown(without_a_capability_it_says_which, set_up, tear_down),
		cmocka_unit_test_setup_teardown(interfaces_are_listed, set_up, tear_down),
	};

	int failed = cmocka_run_group_tests(tests, set_up_all, NULL);

	rings = 3;
	hold = 4;
	return failed + cmocka_run_group_tests(tests, set_up_all, NULL);
}
