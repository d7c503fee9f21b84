/*
 * test_plain.c - the short way through the decoder says what the layers say:
 * of every packet of the shipped captures, of frames made to stand on each
 * side of what the short way takes, and of all of these with bytes changed
 * and with bytes cut.
 */
#include "cases.h"

#include <glob.h>

#include "decode/layers.h"
#include "lyncaudit/capture.h"

#define CAPTURES TEST_SOURCE_DIR "/pcaps/*.pcap*"

enum { FRAMES = 64, HEADERS = 64, MUTATIONS = 8, LONGEST = 2048 };

static void same_addr(const struct lya_addr *a, const struct lya_addr *b)
{
	assert_memory_equal(a->bytes, b->bytes, sizeof(a->bytes));
	assert_int_equal(a->family, b->family);
}

static void same_ip(const struct lya_packet *a, const struct lya_packet *b)
{
	same_addr(&a->src, &b->src);
	same_addr(&a->dst, &b->dst);
	assert_int_equal(a->ttl, b->ttl);
	assert_int_equal(a->ip_id, b->ip_id);
	assert_int_equal(a->ip_captured, b->ip_captured);
	assert_int_equal(a->l4_at, b->l4_at);
}

static void same_path(const struct lya_path *a, const struct lya_path *b)
{
	assert_memory_equal(a->vlan, b->vlan, sizeof(a->vlan));
	assert_int_equal(a->n_vlan, b->n_vlan);
	assert_int_equal(a->tunnel, b->tunnel);
	assert_int_equal(a->n_tunnels, b->n_tunnels);
	assert_int_equal(a->tunnel_id, b->tunnel_id);
}

/* Whatever the kind. */
static void same_always(const struct lya_packet *a, const struct lya_packet *b)
{
	assert_int_equal(a->time_ns, b->time_ns);
	assert_int_equal(a->number, b->number);
	assert_int_equal(a->source, b->source);
	assert_int_equal(a->digits, b->digits);
	assert_int_equal(a->kind, b->kind);
	assert_int_equal(a->transport, b->transport);
	assert_int_equal(a->tcp_flags, b->tcp_flags);
	assert_int_equal(a->events, b->events);
	assert_int_equal(a->duplicate, b->duplicate);
	assert_int_equal(a->sport, b->sport);
	assert_int_equal(a->dport, b->dport);
	assert_int_equal(a->frame_broadcast, b->frame_broadcast);
	assert_int_equal(a->frag_offset, b->frag_offset);
	assert_int_equal(a->frag_more, b->frag_more);
	assert_int_equal(a->is_fragment, b->is_fragment);
	assert_int_equal(a->reassembled, b->reassembled);
	assert_ptr_equal(a->tunnel_head, b->tunnel_head);
	assert_int_equal(a->ip_bytes, b->ip_bytes);
	assert_int_equal(a->payload_len, b->payload_len);
	assert_ptr_equal(a->payload.pos, b->payload.pos);
	assert_ptr_equal(a->payload.end, b->payload.end);
	assert_int_equal(a->payload.failed, b->payload.failed);
	assert_int_equal(a->options_len, b->options_len);
	assert_ptr_equal(a->options, b->options);
	assert_ptr_equal(a->ip, b->ip);
	assert_ptr_equal(a->eth_src, b->eth_src);
	assert_ptr_equal(a->eth_dst, b->eth_dst);
	same_path(&a->path, &b->path);
}

/* By the packet's own fields; the shortest STUN message has 20 bytes, RFC 5389 6. */
static bool is_opening(const struct lya_packet *p)
{
	if (p->kind == LYA_PKT_TCP)
		return (p->tcp_flags & (LYA_TCP_SYN | LYA_TCP_ACK)) == LYA_TCP_SYN;
	return lya_cursor_left(&p->payload) >= 20 && p->payload.pos[0] <= 1;
}

static void compare(const struct lya_frame *f)
{
	struct lya_packet a, b;

	memset(&a, 0xee, sizeof(a)); /* what either forgets to set shows */
	memset(&b, 0x11, sizeof(b));
	lya_decode(f, &a);
	decode_general(f, &b);
	same_always(&a, &b);
	assert_true(b.opening); /* it may be: nobody has looked */
	if (lya_packet_is_plain(&a))
		assert_int_equal(a.opening, is_opening(&b));
	if (a.print == 0)
		a.print = lya_packet_print(&a);
	assert_int_equal(a.print, lya_packet_print(&b));
	if (a.ip != NULL)
		same_ip(&a, &b);
	if (a.kind == LYA_PKT_TCP) {
		assert_int_equal(a.seq, b.seq);
		assert_int_equal(a.ack, b.ack);
		assert_int_equal(a.window, b.window);
	}
}

/* The first bytes of a frame, in memory that ends with them. */
static void compare_cut(const struct lya_frame *f, uint32_t caplen, uint32_t wirelen)
{
	struct lya_frame cut = *f;
	uint8_t *copy = malloc(caplen == 0 ? 1 : caplen);

	assert_non_null(copy);
	memcpy(copy, f->data, caplen);
	cut.data = copy;
	cut.caplen = caplen;
	cut.wirelen = wirelen;
	compare(&cut);
	free(copy);
}

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

/* Copies of f in which one to three bytes of the headers are others. */
static void compare_mutated(const struct lya_frame *f, uint32_t *state)
{
	uint8_t copy[LONGEST];
	struct lya_frame changed = *f;
	uint32_t headers = f->caplen < HEADERS ? f->caplen : HEADERS;

	if (f->caplen > sizeof(copy) || headers == 0)
		return;
	changed.data = copy;
	for (unsigned i = 0; i < MUTATIONS; i++) {
		memcpy(copy, f->data, f->caplen);
		for (unsigned n = 1 + next_random(state) % 3; n > 0; n--)
			copy[next_random(state) % headers] ^=
			    (uint8_t)(1U << next_random(state) % 8);
		compare(&changed);
	}
}

static size_t compare_capture(const char *path, uint32_t *state)
{
	const char *paths[] = { path };
	struct lya_capture_options options = { .paths = paths, .n_paths = 1 };
	struct lya_capture *c;
	struct lya_frame frames[FRAMES];
	struct lya_error err;
	size_t n, total = 0;

	assert_int_equal(lya_capture_open(&c, &options, &err), LYA_OK);
	for (;;) {
		assert_int_equal(lya_capture_next(c, frames, FRAMES, &n, &err), LYA_OK);
		if (n == 0)
			break;
		for (size_t i = 0; i < n; i++) {
			uint32_t cut = next_random(state) % (frames[i].caplen + 1);

			compare(&frames[i]);
			compare_cut(&frames[i], cut, frames[i].wirelen);
			compare_cut(&frames[i], cut, cut);
			compare_mutated(&frames[i], state);
		}
		total += n;
	}
	lya_capture_close(c);
	return total;
}

static void test_captures(void **state)
{
	uint32_t random = 1;
	glob_t found;

	(void)state;
	assert_int_equal(glob(CAPTURES, 0, NULL, &found), 0);
	assert_true(found.gl_pathc > 0);
	for (size_t i = 0; i < found.gl_pathc; i++)
		assert_true(compare_capture(found.gl_pathv[i], &random) > 0);
	globfree(&found);
}

static void tcp(struct build *b)
{
	size_t ip;

	add_ethernet(b, 0x0800);
	ip = open_ipv4(b, 6, 64);
	add_tcp(b, 50000, 443, 0x18);
	add_fill(b, 3);
	close_ipv4(b, ip);
	add_fill(b, 9); /* padding, no payload */
}

static void tcp_options(struct build *b)
{
	size_t ip;

	add_ethernet(b, 0x8100);
	add16(b, 0x6005);
	add16(b, 0x0800);
	ip = open_ipv4(b, 6, 64);
	add_tcp(b, 50000, 443, 0x02);
	b->data[ip + 32] = 0x80;
	add(b, "\x02\x04\x05\xb4\x01\x01\x04\x02\x00\x00\x00\x00", 12);
	close_ipv4(b, ip);
}

static void add_udp_to(struct build *b, unsigned sport, unsigned dport, size_t n)
{
	size_t ip;

	add_ethernet(b, 0x0800);
	ip = open_ipv4(b, 17, 64);
	add_udp(b, sport, dport, (unsigned)n);
	add_fill(b, n);
	close_ipv4(b, ip);
	add_fill(b, n < 18 ? 18 - n : 0);
}

static void udp(struct build *b)
{
	add_udp_to(b, 5000, 3478, 40);
}

static void udp_empty(struct build *b)
{
	add_udp_to(b, 5000, 3478, 0);
}

static void udp_priority_tag(struct build *b)
{
	size_t ip;

	add_ethernet(b, 0x8100);
	add16(b, 0xa000);
	add16(b, 0x0800);
	ip = open_ipv4(b, 17, 64);
	add_udp(b, 5000, 3478, 20);
	add_fill(b, 20);
	close_ipv4(b, ip);
}

/* A frame behind a tunnel's own header of `len` bytes. */
static void tunnel(struct build *b, unsigned port, const char *header, size_t len)
{
	size_t ip;

	add_ethernet(b, 0x0800);
	ip = open_ipv4(b, 17, 64);
	add_udp(b, 5000, port, (unsigned)(len + 14 + 20 + 8 + 12));
	add(b, header, len);
	add_ethernet(b, 0x0800);
	add_ipv4_udp(b);
	close_ipv4(b, ip);
}

static void vxlan(struct build *b)
{
	tunnel(b, 4789, "\x08\x00\x00\x00\x00\x00\x07\x00", 8);
}

static void vxlan_linux(struct build *b)
{
	tunnel(b, 8472, "\x08\x00\x00\x00\x00\x00\x07\x00", 8);
}

static void geneve(struct build *b)
{
	tunnel(b, 6081, "\x00\x00\x65\x58\x00\x00\x07\x00", 8);
}

static void tzsp(struct build *b)
{
	tunnel(b, 37008, "\x01\x00\x00\x01\x01", 5);
}

/* A Teredo bubble: an IPv6 header with nothing behind it. */
static void teredo(struct build *b, unsigned sport, unsigned dport)
{
	size_t ip;

	add_ethernet(b, 0x0800);
	ip = open_ipv4(b, 17, 64);
	add_udp(b, sport, dport, 40);
	add(b, "\x60\x00\x00\x00\x00\x00\x3b\x40", 8);
	add_fill(b, 32);
	close_ipv4(b, ip);
}

static void teredo_to(struct build *b)
{
	teredo(b, 5000, 3544);
}

static void teredo_from(struct build *b)
{
	teredo(b, 3544, 5000);
}

/* Every byte with every bit changed, and every length: of all that the short way looks at. */
static void test_edges(void **state)
{
	static void (*const make[])(struct build *) = {
		tcp,         tcp_options, udp,  udp_empty, udp_priority_tag, vxlan,
		vxlan_linux, geneve,      tzsp, teredo_to, teredo_from,
	};
	struct build *b = malloc(sizeof(*b));

	(void)state;
	assert_non_null(b);
	for (size_t k = 0; k < sizeof(make) / sizeof(make[0]); k++) {
		struct lya_frame f = { .time_ns = 77,
				       .number = 5,
				       .source = 3,
				       .digits = 9,
				       .link = LYA_LINK_ETHERNET,
				       .data = b->data };

		b->n = 0;
		make[k](b);
		f.caplen = f.wirelen = (uint32_t)b->n;
		compare(&f);
		for (uint32_t n = 0; n <= f.caplen; n++) {
			compare_cut(&f, n, f.wirelen);
			compare_cut(&f, n, n);
			compare_cut(&f, n, 0);
		}
		for (uint32_t bit = 0; bit < f.caplen * 8; bit++) {
			b->data[bit / 8] ^= (uint8_t)(1U << bit % 8);
			compare(&f);
			compare_cut(&f, f.caplen - 1, f.wirelen);
			b->data[bit / 8] ^= (uint8_t)(1U << bit % 8);
		}
		for (unsigned v = 0; v < 0x10000; v++) { /* where lengths and ports stand */
			static const size_t places[] = { 16, 20, 34, 36, 38 };

			for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
				uint8_t was[2];

				memcpy(was, b->data + places[i], 2);
				set16(b, places[i], v);
				compare(&f);
				memcpy(b->data + places[i], was, 2);
			}
		}
	}
	free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_captures),
		cmocka_unit_test(test_edges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
