/*
 * test_crash.c - a service that is killed, whose disk is full, or whose data base is damaged.
 */
#include "../store/state_dir.h"
#include "service.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { KILLS = 12, FLOWS_OPEN = 40, STEP_MS = 50, CLOCK_DAY = 86400 };

static struct service s;

/* kill -9 ------------------------------------------------------------------------------------ */

/* What the service said before it died. */
struct testimony {
	_Atomic int64_t committed_ns, clock_ns;
	_Atomic uint64_t packets;
};

/* One packet every STEP_MS of the clock, first of a flow or later: as many as steps. */
static void send_one(unsigned step)
{
	uint16_t sport = (uint16_t)(50000 + step % FLOWS_OPEN);

	if (step < FLOWS_OPEN)
		service_packet(&s, sport, 0, SYN, 100, 0);
	else
		service_packet(&s, sport, 0, ACK, 101, 501);
}

static void live_until_killed(struct testimony *t, int64_t begin_ns)
{
	service_open(&s, dir, begin_ns, NULL);
	for (unsigned step = 0;; step++) {
		struct lya_keeper_status status;

		s.clock.time_ns += STEP_MS * INT64_C(1000000);
		s.clock.wall_ns = s.clock.time_ns;
		s.clock.mono_ns += STEP_MS * INT64_C(1000000);
		send_one(step);
		(void)service_step(&s);
		lya_keeper_status(s.keeper, &status);
		atomic_store(&t->packets, s.packets);
		atomic_store(&t->clock_ns, s.clock.time_ns);
		atomic_store(&t->committed_ns, status.committed_ns);
		(void)usleep(200); /* some 250 times as fast as time goes */
	}
}

/* Packets that came up to a time, of a service that began then. */
static uint64_t sent_by(int64_t begin_ns, int64_t ns)
{
	return (uint64_t)((ns - begin_ns) / (STEP_MS * INT64_C(1000000)));
}

static struct lya_keeper_status kill_one(struct testimony *t, int64_t begin_ns, unsigned delay_ms)
{
	pid_t child = fork();
	int status;

	assert_true(child != -1);
	if (child == 0) {
		live_until_killed(t, begin_ns);
		_exit(1);
	}
	(void)usleep(delay_ms * 1000);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	return (struct lya_keeper_status){ .committed_ns = atomic_load(&t->committed_ns) };
}

/* What the store has of the stretches: the packets of each are those that came until its end. */
static uint64_t expect_stretches(const int64_t *begins, unsigned n, int64_t told_ns)
{
	struct lya_store_period *periods;
	struct lya_store_stretch *list;
	struct lya_store *store = state_read();
	struct lya_error err = { 0 };
	size_t n_periods, n_list;
	uint64_t packets = 0;

	assert_int_equal(lya_store_periods(store, false, &periods, &n_periods, &err), LYA_OK);
	assert_int_equal(n_periods, 1);
	assert_int_equal(lya_store_stretches(store, periods[0].id, &list, &n_list, &err), LYA_OK);
	assert_int_equal(n_list, n);
	for (size_t i = 0; i < n_list; i++) {
		assert_int_equal(list[i].begin_ns, begins[i]);
		packets += sent_by(begins[i], list[i].until_ns);
	}
	/* What the service said was safe is safe. */
	assert_true(list[n_list - 1].until_ns >= told_ns);
	lya_free(list);
	lya_store_periods_free(periods, n_periods);
	lya_store_close(store);
	return packets;
}

/* The service that began then left something; it may have been killed before it knew. */
static bool is_there(int64_t begin_ns)
{
	struct lya_store_period *periods = NULL;
	struct lya_store_stretch *list = NULL;
	struct lya_store *store;
	size_t n_periods = 0, n = 0;
	bool found = false;

	if (lya_store_open(&store, dir, NULL, NULL, NULL) != LYA_OK)
		return false;
	assert_int_equal(lya_store_periods(store, false, &periods, &n_periods, NULL), LYA_OK);
	if (n_periods > 0)
		assert_int_equal(lya_store_stretches(store, periods[0].id, &list, &n, NULL),
				 LYA_OK);
	for (size_t i = 0; i < n; i++)
		found = found || list[i].begin_ns == begin_ns;
	lya_free(list);
	lya_store_periods_free(periods, n_periods);
	lya_store_close(store);
	return found;
}

/* The clock of the one that was killed, which it may have told a step too late. */
static int64_t after_all(struct testimony *t)
{
	return atomic_load(&t->clock_ns) + STEP_MS * INT64_C(1000000);
}

/*
 * Killed again and again on one day: after each kill the store holds what was there at the last
 * checkpoint, to the packet, and at the end one report adds it up and names every gap.
 */
static void test_kill(void **state)
{
	struct testimony *t =
	    mmap(NULL, sizeof(*t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int64_t begins[KILLS + 1], at_ns = utc(2026, 11, 20, 23, 0);
	uint64_t packets = 0;
	unsigned n = 0;

	(void)state;
	assert_true(t != MAP_FAILED);
	srand(20261121);
	for (unsigned i = 0; i < KILLS; i++) {
		unsigned delay_ms = 150 + (unsigned)rand() % 350;

		atomic_store(&t->committed_ns, LYA_TIME_NONE);
		(void)kill_one(t, at_ns, delay_ms);
		if (is_there(at_ns)) {
			begins[n++] = at_ns;
			packets = expect_stretches(begins, n, atomic_load(&t->committed_ns));
			at_ns = after_all(t) + LYA_SECOND_NS;
		} else {
			assert_int_equal(atomic_load(&t->committed_ns), LYA_TIME_NONE);
		}
	}
	assert_true(n > KILLS / 2);
	service_open(&s, dir, at_ns, NULL);
	service_go(&s, CLOCK_DAY);
	(void)service_wait(&s);
	assert_int_equal(s.n_reports, 1);
	assert_int_equal(report_number(report_path(dir, "2026-11-21.json"), "capture.packets"),
			 packets);
	assert_int_equal(report_count(report_path(dir, "2026-11-21.json"), "period.gaps"), n);
	service_close(&s);
	assert_int_equal(munmap(t, sizeof(*t)), 0);
}

static int64_t wall_ns(clockid_t clock)
{
	struct timespec now;

	assert_int_equal(clock_gettime(clock, &now), 0);
	return (int64_t)now.tv_sec * LYA_SECOND_NS + now.tv_nsec;
}

/* By the clocks of this machine, a packet every 20 ms. */
static void live_by_the_clock(struct testimony *t)
{
	service_open(&s, dir, wall_ns(CLOCK_REALTIME), NULL);
	for (unsigned step = 0;; step++) {
		s.clock =
		    (struct lya_keeper_clock){ wall_ns(CLOCK_REALTIME), wall_ns(CLOCK_REALTIME),
					       wall_ns(CLOCK_MONOTONIC), false };
		send_one(step);
		while (service_step(&s) == 0)
			;
		atomic_store(&t->packets, s.packets);
		atomic_store(&t->clock_ns, s.clock.time_ns);
		(void)usleep(20000);
	}
}

/* Not more than ten seconds are lost, whenever it comes. */
static void test_kill_by_the_clock(void **state)
{
	struct testimony *t =
	    mmap(NULL, sizeof(*t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct lya_store_period *periods;
	struct lya_store_stretch *list;
	struct lya_store *store;
	size_t n_periods, n;
	int64_t lost_ns;
	pid_t child;

	(void)state;
	assert_true(t != MAP_FAILED);
	child = fork();
	assert_true(child != -1);
	if (child == 0) {
		live_by_the_clock(t);
		_exit(1);
	}
	(void)usleep(11500 * 1000); /* just before the next checkpoint is due */
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	store = state_read();
	assert_int_equal(lya_store_periods(store, false, &periods, &n_periods, NULL), LYA_OK);
	assert_true(n_periods >= 1);
	assert_int_equal(lya_store_stretches(store, periods[n_periods - 1].id, &list, &n, NULL),
			 LYA_OK);
	assert_true(n >= 1);
	lost_ns = atomic_load(&t->clock_ns) - list[n - 1].until_ns;
	assert_true(lost_ns <= LYA_KEEPER_LOSS_S * LYA_SECOND_NS);
	print_message("lost: %.1f s\n", (double)lost_ns / 1e9);
	lya_free(list);
	lya_store_periods_free(periods, n_periods);
	lya_store_close(store);
	assert_int_equal(munmap(t, sizeof(*t)), 0);
}

/* A disk that is full ------------------------------------------------------------------------ */

static void fill_disk(void)
{
	static char block[4096];
	char path[128];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/filler", dir);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd != -1);
	while (write(fd, block, sizeof(block)) > 0)
		;
	assert_int_equal(close(fd), 0);
}

static void make_room(void)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/filler", dir);
	assert_int_equal(unlink(path), 0);
}

static void expect_suspended(void)
{
	struct lya_keeper_status status;

	service_leap(&s, 5);
	for (unsigned i = 0; i < WAIT_MS; i++) {
		lya_keeper_status(s.keeper, &status);
		if (status.suspended)
			break;
		(void)usleep(1000);
	}
	assert_true(status.suspended);
	assert_non_null(strstr(status.why, "full"));
}

/* Over midnight, too: nothing is lost, and both nights are reported when there is room again. */
static void test_full(void **state)
{
	struct lya_error err = { 0 };

	(void)state;
	if (unshare(CLONE_NEWNS) == -1 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1 ||
	    mount("tmpfs", dir, "tmpfs", 0, "size=16m") == -1) {
		print_message("left out: no small file system can be mounted here\n");
		skip();
	}
	service_open(&s, dir, utc(2026, 11, 21, 22, 0), NULL);
	service_flow(&s, 50000);
	service_settle(&s);
	fill_disk();
	service_flow(&s, 50001);
	expect_suspended();
	service_flow(&s, 50002);
	service_go(&s, 7200);
	service_flow(&s, 50003);
	expect_suspended();
	assert_int_equal(s.n_reports, 0);
	assert_non_null(strstr(lya_text_str(&s.messages), "warning: writing is suspended"));
	make_room();
	service_settle(&s);
	assert_non_null(strstr(lya_text_str(&s.messages), "writing goes on; nothing was lost"));
	assert_int_equal(s.n_reports, 1);
	assert_int_equal(report_number(report_path(dir, "2026-11-21.json"), "capture.packets"),
			 3 * FLOW_PACKETS);
	service_go(&s, CLOCK_DAY);
	(void)service_wait(&s);
	assert_int_equal(report_number(report_path(dir, "2026-11-22.json"), "capture.packets"),
			 FLOW_PACKETS);
	fill_disk();
	service_flow(&s, 50004);
	assert_int_equal(lya_keeper_stop(s.keeper, &s.clock, &s.source, 1, WAIT_MS, &err),
			 LYA_EOUTPUT);
	assert_non_null(strstr(err.text, "not written"));
	service_close(&s);
	assert_int_equal(umount(dir), 0);
}

/* A data base that is damaged ---------------------------------------------------------------- */

/* Every page of it, while the service runs. */
static void damage(const char *name)
{
	static char block[4096];
	char path[128];
	struct stat st;
	int fd;

	memset(block, 0x5a, sizeof(block));
	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(fd != -1);
	assert_int_equal(fstat(fd, &st), 0);
	for (off_t at = 0; at < st.st_size; at += (off_t)sizeof(block))
		assert_true(pwrite(fd, block, sizeof(block), at) > 0);
	assert_int_equal(close(fd), 0);
}

static void test_damaged_at_start(void **state)
{
	(void)state;
	service_open(&s, dir, utc(2026, 11, 20, 23, 0), NULL);
	service_flow(&s, 50000);
	service_settle(&s);
	service_close(&s);
	damage("store.db");
	service_open(&s, dir, utc(2026, 11, 21, 3, 0), NULL);
	service_flow(&s, 50000);
	service_go(&s, CLOCK_DAY);
	(void)service_wait(&s);
	assert_non_null(strstr(lya_text_str(&s.messages), "set aside as store.db.damaged"));
	assert_int_equal(report_number(report_path(dir, "2026-11-21.json"), "capture.packets"),
			 FLOW_PACKETS);
	assert_true(report_bool(report_path(dir, "2026-11-21.json"), "period.partial"));
	{
		char *text = file_text(report_path(dir, "2026-11-21.json"));

		assert_non_null(strstr(text, "The data base was damaged and set aside as"));
		free(text);
	}
	service_close(&s);
}

/* While it runs: the period so far is in memory, and goes to the new one whole. */
static void test_damaged_meanwhile(void **state)
{
	(void)state;
	service_open(&s, dir, utc(2026, 11, 20, 23, 0), NULL);
	service_flow(&s, 50000);
	service_settle(&s);
	service_flow(&s, 50001);
	service_settle(&s);
	damage("store.db");
	damage("store.db-wal");
	damage("store.db-shm");
	service_flow(&s, 50002);
	service_settle(&s);
	service_go(&s, CLOCK_DAY);
	(void)service_wait(&s);
	assert_non_null(strstr(lya_text_str(&s.messages), "set aside as"));
	assert_int_equal(report_number(report_path(dir, "2026-11-21.json"), "capture.packets"),
			 3 * FLOW_PACKETS);
	assert_int_equal(report_number(report_path(dir, "2026-11-21.json"), "summary.flows.total"),
			 3);
	service_close(&s);
}

/* The site of one night cannot be read any more: it is told, and other nights are reported. */
static void test_unreadable_site(void **state)
{
	static const char site[] =
	    "{\"schema\": \"lyncaudit-site/1\", \"name\": \"other\", \"timezone\": "
	    "\"Europe/Paris\","
	    " \"networks\": {\"internal\": [\"10.0.0.0/8\"]},"
	    " \"hosts\": [{\"name\": \"fe01\", \"roles\": {\"front-end\": [\"10.2.0.11\"]}}]}";

	(void)state;
	service_open(&s, dir, utc(2026, 11, 20, 23, 0), NULL);
	service_flow(&s, 50000);
	service_settle(&s);
	service_close(&s);
	run_sql("UPDATE policy SET site = '{\"schema\": \"lyncaudit-site/1\"}'");
	service_open(&s, dir, utc(2026, 11, 22, 12, 0), site);
	service_flow(&s, 50000);
	service_go(&s, CLOCK_DAY);
	(void)service_wait(&s);
	assert_int_equal(s.n_reports, 1);
	assert_int_equal(report_number(report_path(dir, "2026-11-22.json"), "capture.packets"),
			 FLOW_PACKETS);
	assert_non_null(
	    strstr(lya_text_str(&s.messages), "the report of 2026-11-21 cannot be made"));
	assert_null(strstr(lya_text_str(&s.messages), "set aside"));
	service_close(&s);
}

/* Somebody else holds the data base: what is taken meanwhile is taken at once, and kept. */
static void test_held(void **state)
{
	struct timespec before, after;
	sqlite3 *db;

	(void)state;
	service_open(&s, dir, utc(2026, 11, 20, 23, 0), NULL);
	service_flow(&s, 50000);
	service_settle(&s);
	db = open_sql();
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	(void)clock_gettime(CLOCK_MONOTONIC, &before);
	service_flow(&s, 50001);
	service_leap(&s, 5); /* a checkpoint is handed over, and waits */
	service_flow(&s, 50002);
	service_go(&s, CLOCK_DAY);
	service_flow(&s, 50003);
	(void)clock_gettime(CLOCK_MONOTONIC, &after);
	assert_int_equal(s.n_reports, 0);
	assert_true(after.tv_sec - before.tv_sec < 8); /* it would be held for ten */
	assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	service_settle(&s);
	assert_int_equal(s.n_reports, 1);
	assert_int_equal(report_number(report_path(dir, "2026-11-21.json"), "capture.packets"),
			 3 * FLOW_PACKETS);
	service_close(&s);
}

/* One service for a state directory. */
static void test_second(void **state)
{
	struct lya_error err = { 0 };
	struct service second;
	char pid[32];

	(void)state;
	service_open(&s, dir, utc(2026, 11, 20, 23, 0), NULL);
	assert_int_equal(service_try_open(&second, dir, utc(2026, 11, 20, 23, 0), NULL, &err),
			 LYA_EUSAGE);
	(void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
	assert_non_null(strstr(err.text, pid));
	assert_non_null(strstr(err.text, "span-1"));
	lya_audit_free(second.audit);
	service_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_kill, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_kill_by_the_clock, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_damaged_at_start, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_damaged_meanwhile, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_unreadable_site, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_held, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_second, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_full, make_dir, remove_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
