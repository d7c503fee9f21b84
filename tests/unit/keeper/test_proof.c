/*
 * test_proof.c - packets that prove a period's findings: in the file of its report, over
 * checkpoints, midnights, reloads and starts, and bounded.
 */
#include "../store/state_dir.h"
#include "service.h"

static struct service s;

enum { NUMBERS = 8192, KEPT = 5 };

/* What a file holds: numbers of packets, in its order. */
struct proof_file {
	uint64_t numbers[NUMBERS];
	size_t n;
	char comment[1024]; /* of the section */
};

static uint32_t le32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void read_block(struct proof_file *f, const uint8_t *block, size_t len)
{
	static const char origin[] = "packet ";
	const uint8_t *at = block, *last = NULL;

	if (le32(block) == 0x0a0d0d0a)
		(void)snprintf(f->comment, sizeof(f->comment), "%.*s", (int)(len - 60),
			       (const char *)block + 60);
	while (le32(block) == 6 &&
	       (at = memmem(at, len - (size_t)(at - block), origin, sizeof(origin) - 1)) != NULL)
		last = at++;
	if (last == NULL)
		return;
	assert_true(f->n < NUMBERS);
	assert_int_equal(sscanf((const char *)last, "packet %lu of eth1", &f->numbers[f->n++]), 1);
}

static void read_proof(struct proof_file *f, const char *name)
{
	char path[256];
	uint8_t *bytes;
	size_t len, at = 0;
	FILE *file;

	memset(f, 0, sizeof(*f));
	(void)snprintf(path, sizeof(path), "%s/proof-%s", dir, name);
	file = fopen(path, "rb");
	if (file == NULL)
		fail_msg("%s is not there", path);
	bytes = calloc(1, (size_t)8 << 20);
	len = fread(bytes, 1, (size_t)8 << 20, file);
	(void)fclose(file);
	for (; at < len; at += le32(bytes + at + 4))
		read_block(f, bytes + at, le32(bytes + at + 4));
	assert_int_equal(at, len);
	free(bytes);
}

static bool is_there(const char *name)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/proof-%s", dir, name);
	return access(path, F_OK) == 0;
}

/* These numbers, ended by 0. */
static void expect_packets(const char *name, const uint64_t *want)
{
	static struct proof_file f;
	size_t n = 0;

	read_proof(&f, name);
	while (want[n] != 0)
		n++;
	assert_int_equal(f.n, n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(f.numbers[i], want[i]);
}

#define EXPECT(name, ...) expect_packets(name, (const uint64_t[]){ __VA_ARGS__, 0 })

static int setup(void **state)
{
	service_proves = true;
	service_proof_failures = 0;
	return make_dir(state);
}

/* A flow of each day, and one that lives over midnight; checkpoints come all the time. */
static void test_days(void **state)
{
	(void)state;
	service_open(&s, dir, utc(2026, 11, 21, 22, 0), NULL);
	service_flow(&s, 50000); /* 1 to 5 */
	service_settle(&s);
	service_go(&s, 2400);
	service_begin_flow(&s, 50001); /* 6 to 8 */
	service_settle(&s);
	service_go(&s, 1800);
	service_end_flow(&s, 50001); /* 9 and 10, behind midnight */
	service_settle(&s);
	service_flow(&s, 50002); /* 11 to 15 */
	service_go(&s, 86400);
	(void)service_wait(&s);
	EXPECT("2026-11-21", 1, 2, 3, 4, 5, 6, 7, 8);
	EXPECT("2026-11-22", 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
	assert_false(s.reloaded);
	service_close(&s);
}

static void test_reload(void **state)
{
	struct lya_keeper_policy again = service_policy(NULL);
	struct lya_error err = { 0 };

	(void)state;
	service_open(&s, dir, utc(2026, 11, 21, 12, 0), NULL);
	service_flow(&s, 50000);
	service_begin_flow(&s, 50001);
	service_settle(&s);
	service_flow(&s, 50002); /* it has ended, and no checkpoint has it */
	if (lya_keeper_reload(s.keeper, &again, &s.clock, &s.source, 1, &err) != LYA_OK)
		fail_msg("%s", err.text);
	service_end_flow(&s, 50001);
	service_settle(&s);
	service_go(&s, 86400);
	(void)service_wait(&s);
	EXPECT("2026-11-21", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
	assert_true(s.reloaded);
	service_close(&s);
}

/* On demand with what is open, which is there again when it has ended. */
static void test_on_demand(void **state)
{
	(void)state;
	service_open(&s, dir, utc(2026, 11, 21, 12, 0), NULL);
	service_flow(&s, 50000);
	service_begin_flow(&s, 50001);
	lya_keeper_report(s.keeper);
	while (service_step(&s) == 0)
		;
	(void)service_wait(&s);
	EXPECT("2026-11-21T120000Z", 1, 2, 3, 4, 5, 6, 7, 8);
	service_go(&s, 60);
	service_end_flow(&s, 50001);
	service_stop(&s);
	EXPECT("2026-11-21T120100Z", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10);
	service_close(&s);
}

/* What was asked for while a checkpoint is under way waits for one with its packets. */
static void test_asked_meanwhile(void **state)
{
	(void)state;
	service_open(&s, dir, utc(2026, 11, 21, 12, 0), NULL);
	service_begin_flow(&s, 50001);
	s.clock.mono_ns += 5 * LYA_SECOND_NS;
	(void)service_step(&s); /* a checkpoint begins */
	lya_keeper_report(s.keeper);
	while (service_step(&s) == 0)
		;
	(void)service_wait(&s);
	while (service_step(&s) == 0)
		;
	(void)service_wait(&s);
	assert_int_equal(s.n_reports, 1);
	EXPECT("2026-11-21T120000Z", 1, 2, 3);
	service_close(&s);
}

/* They wait for room, and are written when there is some. */
static void test_no_room(void **state)
{
	(void)state;
	service_proof_failures = 2;
	service_open(&s, dir, utc(2026, 11, 21, 22, 50), NULL);
	service_flow(&s, 50000);
	service_go(&s, 900);
	(void)service_wait(&s);
	assert_int_equal(s.n_reports, 1);
	assert_false(is_there("2026-11-21"));
	assert_non_null(strstr(lya_text_str(&s.messages), "2026-11-21 wait to be written"));
	service_flow(&s, 50001); /* the next day's */
	for (unsigned i = 0; i < 4; i++) {
		service_go(&s, 61);
		(void)service_wait(&s);
	}
	EXPECT("2026-11-21", 1, 2, 3, 4, 5);
	assert_non_null(strstr(lya_text_str(&s.messages), "2026-11-21 are written"));
	service_close(&s);
}

/* Where nothing can be written for days they are given up, the oldest first, and it is said. */
static void test_given_up(void **state)
{
	(void)state;
	service_proof_failures = 1000000;
	service_open(&s, dir, utc(2026, 11, 21, 12, 0), NULL);
	for (unsigned day = 0; day < 7; day++) {
		service_flow(&s, (uint16_t)(50000 + day));
		service_go(&s, 86400);
		(void)service_wait(&s);
	}
	assert_int_equal(s.n_reports, 7);
	assert_non_null(strstr(lya_text_str(&s.messages), "findings of 2026-11-21 are given up"));
	service_stop(&s);
	assert_non_null(strstr(lya_text_str(&s.messages), "findings of 2026-11-27 are lost"));
	assert_non_null(strstr(lya_text_str(&s.messages), "are not written")); /* the last report's */
	service_close(&s);
}

/* What was in memory at a kill is named by the file, and by the report. */
static void test_kill(void **state)
{
	static struct proof_file f;

	(void)state;
	service_open(&s, dir, utc(2026, 11, 21, 12, 0), NULL);
	service_flow(&s, 50000);
	service_settle(&s);
	service_close(&s);
	service_open(&s, dir, utc(2026, 11, 21, 13, 0), NULL);
	service_flow(&s, 50001);
	service_go(&s, 86400);
	(void)service_wait(&s);
	EXPECT("2026-11-21", 1, 2, 3, 4, 5);
	read_proof(&f, "2026-11-21");
	assert_non_null(strstr(f.comment, "came before the sensor was started at "
					  "2026-11-21T13:00:00Z"));
	assert_non_null(strstr(report_text_at(report_path(dir, "2026-11-21.json"),
					      "period.events.1.text"),
			       "kept in memory"));
	service_close(&s);
}

/* The same of a day that was over before the service came back. */
static void test_kill_overnight(void **state)
{
	const char *path;
	bool told = false;

	(void)state;
	service_open(&s, dir, utc(2026, 11, 21, 12, 0), NULL);
	service_flow(&s, 50000);
	service_settle(&s);
	service_close(&s);
	service_open(&s, dir, utc(2026, 11, 22, 13, 0), NULL);
	service_settle(&s);
	path = report_path(dir, "2026-11-21.json");
	for (size_t i = 0; i < report_count(path, "period.events"); i++) {
		char place[64];

		(void)snprintf(place, sizeof(place), "period.events.%zu.text", i);
		told = told || strstr(report_text_at(path, place), "kept in memory") != NULL;
	}
	assert_true(told);
	assert_false(is_there("2026-11-21"));
	service_close(&s);
}

/* A crowd does not drive out what the report shows, and memory stays below its bound. */
static void test_crowd(void **state)
{
	static struct proof_file f;

	(void)state;
	service_open(&s, dir, utc(2026, 11, 21, 12, 0), NULL);
	for (unsigned i = 0; i < 6000; i++) {
		service_flow(&s, (uint16_t)(1024 + i));
		if (i % 500 == 0)
			service_settle(&s);
	}
	service_go(&s, 86400);
	(void)service_wait(&s);
	read_proof(&f, "2026-11-21");
	assert_int_equal(f.n, 5 * KEPT); /* of the five flows that are shown, the first ones */
	for (size_t i = 0; i < f.n; i++)
		assert_int_equal(f.numbers[i], i + 1);
	service_close(&s);
}

/* What a report that has packets says, and says when it is made again, is the same. */
static void test_made_again(void **state)
{
	struct lya_text again = { 0 };
	struct lya_error err = { 0 };
	char *file;

	(void)state;
	service_open(&s, dir, utc(2026, 11, 21, 12, 0), NULL);
	service_flow(&s, 50000);
	service_go(&s, 86400);
	(void)service_wait(&s);
	service_close(&s);
	file = file_text(report_path(dir, "2026-11-21.json"));
	assert_int_equal(service_make(dir, "2026-11-21", &again, &err), LYA_OK);
	assert_non_null(strstr(file, "\"evidence\": null"));
	assert_string_equal(strstr(again.data, "\"site\":"), strstr(file, "\"site\":"));
	free(file);
	lya_text_fini(&again);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_days, setup, remove_dir),
		cmocka_unit_test_setup_teardown(test_reload, setup, remove_dir),
		cmocka_unit_test_setup_teardown(test_on_demand, setup, remove_dir),
		cmocka_unit_test_setup_teardown(test_asked_meanwhile, setup, remove_dir),
		cmocka_unit_test_setup_teardown(test_no_room, setup, remove_dir),
		cmocka_unit_test_setup_teardown(test_given_up, setup, remove_dir),
		cmocka_unit_test_setup_teardown(test_kill, setup, remove_dir),
		cmocka_unit_test_setup_teardown(test_kill_overnight, setup, remove_dir),
		cmocka_unit_test_setup_teardown(test_crowd, setup, remove_dir),
		cmocka_unit_test_setup_teardown(test_made_again, setup, remove_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
