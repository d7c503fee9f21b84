/*
 * make_state.c - leave a state directory with nights in it, as a service does.
 *
 *	make_state DIR
 *
 * Four nights of a sensor that begins late, is reloaded, loses packets and sees its
 * interface go down; a finding comes, stays and goes.  The fifth night is under way.
 */
#include "../unit/keeper/service.h"

static const char *dir;
static struct service s;

static void tell_trouble(void)
{
	int64_t now = s.clock.time_ns;
	const struct lya_store_event events[] = {
		{ LYA_EVENT_GAP, now, now + 60 * LYA_SECOND_NS, "eth1", 0,
		  "The interface is down." },
		{ LYA_EVENT_DROP, now, now + LYA_SECOND_NS, "eth1", 7, "The kernel dropped them." },
	};

	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		assert_int_equal(lya_keeper_event(s.keeper, &events[i], NULL), LYA_OK);
}

static void leave_nights(void **state)
{
	struct lya_keeper_policy again = service_policy(NULL);

	(void)state;
	service_open(&s, dir, utc(2026, 11, 21, 12, 0), NULL);
	service_flow(&s, 50000);
	tell_trouble();
	service_go(&s, 86400);
	service_flow(&s, 50000);
	assert_int_equal(lya_keeper_reload(s.keeper, &again, &s.clock, &s.source, 1, NULL), LYA_OK);
	service_go(&s, 3 * 86400);
	service_flow(&s, 50001);
	service_stop(&s);
	service_close(&s);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(leave_nights) };

	if (argc != 2)
		return 2;
	dir = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
