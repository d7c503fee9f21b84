/*
 * test_ring.c - the latest packets: each is there until those after it need its room.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "evidence/ring.h"

enum { SIZE = 4096, SLOT = 16 };

static void add(struct ring *r, uint32_t source, uint64_t number, uint32_t caplen)
{
	struct packet_head head = { .number = number, .source = source, .caplen = caplen };
	uint8_t data[SIZE];

	for (uint32_t i = 0; i < caplen; i++)
		data[i] = (uint8_t)(number * 7 + i + source);
	ring_add(r, &head, data);
}

static bool holds(const struct ring *r, uint32_t source, uint64_t number, uint32_t caplen)
{
	const struct packet_head *head = ring_find(r, source, number);

	if (head == NULL)
		return false;
	assert_int_equal(head->source, source);
	assert_int_equal(head->number, number);
	assert_int_equal(head->caplen, caplen);
	for (uint32_t i = 0; i < caplen; i++)
		assert_int_equal(packet_data(head)[i], (uint8_t)(number * 7 + i + source));
	return true;
}

/* Length of the n-th packet: all that there are, odd ones and none at all. */
static uint32_t len_of(uint64_t n)
{
	return (uint32_t)(n * 37 % 301);
}

/*
 * What is held is always the newest without a gap, and nearly fills the ring: an eighth
 * may be lost at its end, where a packet does not go round, and one packet is on its way.
 */
static void test_latest(void **state)
{
	struct ring r;

	(void)state;
	assert_int_equal(ring_init(&r, SIZE), 0);
	assert_false(holds(&r, 0, 1, len_of(1)));
	for (uint64_t n = 1; n <= 3000; n++) {
		size_t bytes = 0;
		uint64_t k = n;

		add(&r, 0, n, len_of(n));
		for (; k > 0 && holds(&r, 0, k, len_of(k)); k--)
			bytes += packet_size(len_of(k)) + SLOT;
		for (uint64_t gone = k; gone > 0 && gone + 50 > k; gone--)
			assert_null(ring_find(&r, 0, gone));
		assert_true(bytes <= SIZE);
		assert_true(k == 0 || bytes > SIZE - SIZE / 8 - 400);
	}
	ring_fini(&r);
}

/* The same number in two sources is two packets; what is too large is no one's end. */
static void test_names(void **state)
{
	struct ring r;

	(void)state;
	assert_int_equal(ring_init(&r, SIZE), 0);
	add(&r, 1, 5, 40);
	add(&r, 2, 5, 41);
	add(&r, 3, 5, SIZE / 8);
	assert_true(holds(&r, 1, 5, 40));
	assert_true(holds(&r, 2, 5, 41));
	assert_null(ring_find(&r, 3, 5));
	assert_null(ring_find(&r, 1, 6));
	ring_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_latest),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
