/*
 * test_observer.c - whoever keeps packets hears of every packet that a proof names, when it
 * is named, and of the packet itself before.
 */
#include "wire.h"

struct heard {
	struct wire w;
	uint64_t sights[64];
	size_t n_sights;
	struct lya_snat_leg legs[64];
	size_t n_legs;
};

static void on_sight(void *ctx, const struct lya_packet *pkt)
{
	struct heard *h = ctx;

	assert_true(h->n_sights < 64);
	h->sights[h->n_sights++] = pkt->number;
}

static void on_leg(void *ctx, const struct lya_snat_leg *leg)
{
	struct heard *h = ctx;
	bool sighted = false;

	for (size_t i = 0; i < h->n_sights; i++)
		sighted |= h->sights[i] == leg->packet;
	assert_true(sighted);
	assert_true(h->n_legs < 64);
	h->legs[h->n_legs++] = *leg;
}

static void begin(struct heard *h, const char *place)
{
	struct lya_snat_options options = {
		.source_name = wire_source,
		.observer = { .sight = on_sight, .leg = on_leg, .ctx = h },
	};

	memset(h, 0, sizeof(*h));
	wire_open(&h->w, place, 0);
	lya_snat_free(h->w.snat);
	assert_int_equal(lya_snat_new(&h->w.snat, h->w.policy, &options, NULL), LYA_OK);
}

static void assert_heard(const struct heard *h, size_t n_sights, const uint64_t *legs,
			 size_t n_legs)
{
	assert_int_equal(h->n_sights, n_sights);
	assert_int_equal(h->n_legs, n_legs);
	for (size_t i = 0; i < n_legs; i++)
		assert_int_equal(h->legs[i].packet, legs[i]);
}

#define HEARD(h, n_sights, ...)                                                                    \
	assert_heard(h, n_sights, (const uint64_t[]){ __VA_ARGS__ },                               \
		     sizeof((const uint64_t[]){ __VA_ARGS__ }) / sizeof(uint64_t))

/* Both legs, once: what tells no more than the proof that is there names nothing. */
static void test_transaction(void **state)
{
	static struct heard h;

	(void)state;
	begin(&h, NULL);
	say(&h.w, ALLOCATE, 7, HOME, 4000, VIP, 3478);
	say(&h.w, BINDING, 8, HOME, 4001, HOTEL, 3478); /* neither end is a place */
	say(&h.w, ALLOCATE, 7, HLB, 4000, NODE1, 3478);
	say(&h.w, ALLOCATE, 9, HOME, 4000, VIP, 3478);
	say(&h.w, ALLOCATE, 9, HLB, 4000, NODE1, 3478);
	HEARD(&h, 4, 1, 3);
	wire_close(&h.w);
}

static void test_preserved(void **state)
{
	static struct heard h;

	(void)state;
	begin(&h, NULL);
	say(&h.w, ALLOCATE, 7, HOME, 4000, VIP, 3478);
	say(&h.w, ALLOCATE, 7, HOME, 4000, NODE1, 3478);
	assert_heard(&h, 2, NULL, 0);
	wire_close(&h.w);
}

static void test_reply(void **state)
{
	static struct heard h;

	(void)state;
	begin(&h, NULL);
	say(&h.w, ALLOCATE, 7, HOME, 4000, NODE1, 3478);
	say(&h.w, ALLOCATE_OK, 7, VIP, 3478, HOME, 4000);
	HEARD(&h, 2, 1, 2);
	wire_close(&h.w);
}

static void test_mapped(void **state)
{
	static struct heard h;
	struct message m = message(BINDING_OK, 7);

	(void)state;
	begin(&h, NULL);
	put_address(&m, 0x0020, HLB, 4000, true);
	say(&h.w, BINDING, 7, HOME, 4000, VIP, 3478);
	send_message(&h.w, &m, VIP, 3478, HOME, 4000);
	HEARD(&h, 2, 2); /* the answer proves it */
	wire_close(&h.w);
}

static void test_relay(void **state)
{
	static struct heard h;
	struct message m = message(ALLOCATE_OK, 7);

	(void)state;
	begin(&h, NULL);
	put_ms_cookie(&m);
	put_address(&m, 0x0001, NODE1, 1234, false); /* no relay port */
	say(&h.w, ALLOCATE, 7, HOME, 4000, NODE1, 3478);
	send_message(&h.w, &m, NODE1, 3478, HOME, 4000);
	send_message(&h.w, &m, NODE1, 3478, HOME, 4000); /* again: the first one is named */
	HEARD(&h, 3, 2);
	wire_close(&h.w);
}

/* By sequence number, and behind a proxy by the hello; in a stream by its messages. */
static void test_connections(void **state)
{
	static struct heard h;

	(void)state;
	begin(&h, NULL);
	syn(&h.w, 500, 1, HOME, 4000, VIP, 443);
	syn(&h.w, 500, 1, HLB, 4000, NODE1, 443);
	HEARD(&h, 2, 1, 2);
	hello(&h.w, 9, false, HOTEL, 4000, VIP, 443);
	hello(&h.w, 9, false, HLB, 4001, NODE1, 443);
	HEARD(&h, 4, 1, 2, 3, 4);
	say_tcp(&h.w, ALLOCATE, 7, HOME, 5000, VIP, 443);
	say_tcp(&h.w, ALLOCATE, 7, HLB, 5000, NODE1, 443);
	HEARD(&h, 6, 1, 2, 3, 4, 5, 6);
	wire_close(&h.w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_transaction), cmocka_unit_test(test_preserved),
		cmocka_unit_test(test_reply),       cmocka_unit_test(test_mapped),
		cmocka_unit_test(test_relay),       cmocka_unit_test(test_connections),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
