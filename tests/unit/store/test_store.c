/*
 * test_store.c - the state directory: made, locked, refused, set aside; what is committed
 * and what is not; what is kept.
 */
#include "state.h"

#include "../finding/example.h"

#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>

static const char *path(const char *name)
{
	static char text[128];

	(void)snprintf(text, sizeof(text), "%s/%s", dir, name);
	return text;
}

static int open_status(struct lya_error *err)
{
	struct lya_store_writer writer = { "span-2", WORLD_TIME };
	struct lya_store *s;
	int rc = lya_store_open(&s, dir, &writer, NULL, err);

	lya_store_close(s);
	return rc;
}

/* A checkpoint of a few words. */
struct words {
	const char *ended, *open, *tally;
	int64_t replaces;
	bool keep_open;
};

static int commit(struct lya_store *s, struct lya_store_period *period,
		  struct lya_store_stretch *stretch, const struct words *w, struct lya_error *err)
{
	struct lya_pack ended = state_text(w->ended != NULL ? w->ended : "");
	struct lya_pack open = state_text(w->open != NULL ? w->open : "");
	struct lya_pack tally = state_text(w->tally);
	struct lya_store_checkpoint c = {
		.period = period,
		.stretch = stretch,
		.ended = w->ended != NULL ? &ended : NULL,
		.open = w->open != NULL ? &open : NULL,
		.tally = &tally,
		.replaces = w->replaces,
		.keep_open = w->keep_open,
	};
	int rc = lya_store_commit(s, &c, err);

	lya_pack_fini(&ended);
	lya_pack_fini(&open);
	lya_pack_fini(&tally);
	return rc;
}

static int close_period(struct lya_store *s, struct lya_store_period *period, int64_t policy)
{
	period->policy = policy;
	return lya_store_close_period(s, period, NULL);
}

/* The directory ------------------------------------------------------------------------------ */

static void test_private(void **state)
{
	static const char *const names[] = { "store.db", "store.db-wal", "store.db-shm", "lock" };
	struct lya_store_writer writer = { "span-1", WORLD_TIME };
	char deep[96];
	struct lya_store *s;
	struct stat st;

	(void)state;
	(void)umask(0);
	(void)snprintf(deep, sizeof(deep), "%s/state", dir);
	assert_int_equal(lya_store_open(&s, deep, &writer, NULL, NULL), LYA_OK);
	assert_int_equal(stat(deep, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(stat(path("state/reports"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char name[64];

		(void)snprintf(name, sizeof(name), "state/%s", names[i]);
		assert_int_equal(stat(path(name), &st), 0);
		assert_int_equal(st.st_mode & 0777, 0600);
	}
	(void)umask(022);
	lya_store_close(s);
}

static void test_lock(void **state)
{
	struct lya_store *s = state_open();
	struct lya_error err = { 0 };
	char pid[32];

	(void)state;
	assert_int_equal(open_status(&err), LYA_EUSAGE);
	(void)snprintf(pid, sizeof(pid), "process %ld", (long)getpid());
	assert_non_null(strstr(err.text, pid));
	assert_non_null(strstr(err.text, "sensor span-1"));
	assert_non_null(strstr(err.text, "2026-11-21T00:00:00Z"));
	assert_non_null(strstr(err.text, dir));
	lya_store_close(state_read()); /* readers may */
	lya_store_close(s);
	assert_int_equal(open_status(&err), LYA_OK);
}

/* A process that is killed leaves no lock behind. */
static void test_lock_of_the_dead(void **state)
{
	struct lya_error err;
	int ready[2];
	char c;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		struct lya_store_writer writer = { "span-1", WORLD_TIME };
		struct lya_store *s;

		if (lya_store_open(&s, dir, &writer, NULL, NULL) == LYA_OK)
			(void)!write(ready[1], "x", 1);
		(void)pause();
		_exit(0);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(open_status(&err), LYA_EUSAGE);
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	assert_int_equal(open_status(&err), LYA_OK);
	(void)close(ready[0]);
	(void)close(ready[1]);
}

static void test_refused(void **state)
{
	struct lya_error err;
	struct lya_store *s;

	(void)state;
	/* nothing to read */
	assert_int_equal(lya_store_open(&s, dir, NULL, NULL, &err), LYA_EUSAGE);
	assert_non_null(strstr(err.text, "there is no store"));
	/* of a newer program */
	lya_store_close(state_open());
	run_sql("PRAGMA user_version = 99");
	assert_int_equal(open_status(&err), LYA_EUSAGE);
	assert_non_null(strstr(err.text, "newer version of this program (store 99"));
	assert_int_equal(lya_store_open(&s, dir, NULL, NULL, &err), LYA_EUSAGE);
	assert_int_equal(ask_sql("PRAGMA user_version"), 99);
	/* of another program */
	assert_int_equal(unlink(path("store.db")), 0);
	run_sql("CREATE TABLE bookmarks (url TEXT)");
	assert_int_equal(open_status(&err), LYA_EUSAGE);
	assert_non_null(strstr(err.text, "another program"));
	assert_int_equal(ask_sql("SELECT count(*) FROM bookmarks"), 0);
	/* no directory */
	assert_int_equal(unlink(path("store.db")), 0);
	(void)snprintf(dir + strlen(dir), 8, "/lock");
	assert_int_equal(open_status(&err), LYA_EOUTPUT);
	assert_non_null(strstr(err.text, "is no directory"));
	dir[strlen(dir) - 5] = '\0';
}

static void test_unwritable(void **state)
{
	struct lya_error err;

	(void)state;
	if (geteuid() == 0) { /* root may write anywhere but where nobody can */
		struct lya_store_writer writer = { "span-1", WORLD_TIME };
		struct lya_store *s;

		assert_int_equal(lya_store_open(&s, "/proc/1/lyncaudit", &writer, NULL, &err),
				 LYA_EOUTPUT);
		assert_non_null(strstr(err.text, "/proc/1/lyncaudit"));
		return;
	}
	assert_int_equal(chmod(dir, 0500), 0);
	assert_int_equal(open_status(&err), LYA_EOUTPUT);
	assert_non_null(strstr(err.text, dir));
	assert_int_equal(chmod(dir, 0700), 0);
}

/* Damage ------------------------------------------------------------------------------------- */

static void damage(const char *name, long at, const char *bytes)
{
	FILE *f = fopen(path(name), "r+b");

	assert_non_null(f);
	assert_int_equal(fseek(f, at, SEEK_SET), 0);
	assert_int_equal(fwrite(bytes, 1, strlen(bytes), f), strlen(bytes));
	(void)fclose(f);
}

/* Where the file is no data base any more, and where only a page of it is none. */
static void test_set_aside(void **state)
{
	static const long places[] = { 0, 4096 };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct lya_store_period period = state_period(20778);
		struct lya_store_stretch stretch = { 0 };
		struct lya_store_writer writer = { "span-1", WORLD_TIME };
		struct lya_store *s = state_open();
		struct lya_error err = { 0 };
		char *aside;

		stretch.policy = state_policy(s, &world);
		assert_int_equal(commit(s, &period, &stretch, &(struct words){ .tally = "t" },
					&err),
				 LYA_OK);
		lya_store_close(s);
		damage("store.db", places[i], "this is not what stood here before, is it?");
		if (lya_store_open(&s, dir, &writer, &aside, &err) != LYA_OK)
			fail_msg("%s", err.text);
		assert_non_null(aside);
		assert_non_null(strstr(aside, i == 0 ? "/store.db.damaged-20261121T000000Z"
						     : "/store.db.damaged-20261121T000000Z.2"));
		assert_int_equal(access(aside, F_OK), 0);
		lya_free(aside);
		assert_int_equal(ask_sql("SELECT count(*) FROM period"), 0);
		lya_store_close(s);
	}
}

/* A part that is not what was sealed is told; the others are good. */
static void test_seal(void **state)
{
	struct lya_store_period period = state_period(20778);
	struct lya_store_stretch stretch = { 0 };
	struct lya_store *s = state_open();

	(void)state;
	stretch.policy = state_policy(s, &world);
	assert_int_equal(commit(s, &period, &stretch, &(struct words){ "one", NULL, "t", 0, false },
				NULL),
			 LYA_OK);
	assert_int_equal(commit(s, &period, &stretch, &(struct words){ "two", NULL, "t", 0, false },
				NULL),
			 LYA_OK);
	run_sql(
	    "UPDATE part SET evidence = CAST('onf' AS BLOB) WHERE evidence = CAST('one' AS BLOB)");
	expect_stretch(s, stretch.id, "t|onf!|two");
	run_sql("UPDATE stretch SET tally = CAST('u' AS BLOB)");
	expect_stretch(s, stretch.id, "u!|onf!|two");
	lya_store_close(s);
}

/* Checkpoints -------------------------------------------------------------------------------- */

static void test_checkpoints(void **state)
{
	struct lya_store_period period = state_period(20778);
	struct lya_store_stretch first = { .begin_ns = 5 }, second = { .begin_ns = 9 };
	struct lya_store *s = state_open();
	struct lya_pack joined;

	(void)state;
	first.policy = second.policy = state_policy(s, &world);
	assert_int_equal(first.policy, state_policy(s, &world)); /* the same one is kept once */
	(void)commit(s, &period, &first, &(struct words){ "a", "x", "t1", 0, false }, NULL);
	assert_string_equal(period.name, "2026-11-21");
	assert_int_not_equal(period.id, 0);
	expect_stretch(s, first.id, "t1|a|(x)");
	(void)commit(s, &period, &first, &(struct words){ "b", "y", "t2", 0, false }, NULL);
	expect_stretch(s, first.id, "t2|a|b|(y)");
	/* A reload: what is open stands until the next stretch says the same and more. */
	(void)commit(s, &period, &first, &(struct words){ "c", NULL, "t3", 0, true }, NULL);
	expect_stretch(s, first.id, "t3|a|b|(y)|c");
	(void)commit(s, &period, &second, &(struct words){ "d", "z", "u1", first.id, false }, NULL);
	expect_stretch(s, first.id, "t3|a|b|c");
	expect_stretch(s, second.id, "u1|d|(z)");
	assert_int_equal(lya_store_parts(s, first.id), 3);
	joined = state_text("abc");
	assert_int_equal(lya_store_join(s, first.id, &joined, NULL), LYA_OK);
	lya_pack_fini(&joined);
	expect_stretch(s, first.id, "t3|abc");
	lya_store_close(s);
}

/* A day that comes a second time is another period. */
static void test_names(void **state)
{
	static const char *const names[] = { "2026-11-21", "2026-11-21.2", "2026-11-21.3" };
	struct lya_store *s = state_open();
	struct lya_store_period *list, found;
	struct lya_error err;
	int64_t policy = state_policy(s, &world);
	size_t n;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct lya_store_period period = state_period(20778);
		struct lya_store_stretch stretch = { .policy = policy };

		(void)commit(s, &period, &stretch, &(struct words){ .tally = "t" }, NULL);
		assert_string_equal(period.name, names[i]);
		if (i < 2)
			assert_int_equal(close_period(s, &period, policy), LYA_OK);
	}
	assert_int_equal(lya_store_periods(s, true, &list, &n, NULL), LYA_OK);
	assert_int_equal(n, 1);
	assert_string_equal(list[0].name, names[2]);
	assert_string_equal(list[0].timezone, "Europe/Paris");
	lya_store_periods_free(list, n);
	assert_int_equal(lya_store_periods(s, false, &list, &n, NULL), LYA_OK);
	assert_int_equal(n, 3);
	lya_store_periods_free(list, n);
	assert_int_equal(lya_store_find_period(s, "2026-11-21.2", &found, &err), LYA_OK);
	assert_true(found.closed);
	lya_store_period_fini(&found);
	assert_int_equal(lya_store_find_period(s, "2026-11-22", &found, &err), LYA_EUSAGE);
	assert_non_null(strstr(err.text, "2026-11-22"));
	lya_store_close(s);
}

static void test_policy_again(void **state)
{
	struct lya_store *s = state_open();
	int64_t id = state_policy(s, &world);
	struct lya_site *site;
	struct lya_rules *rules;
	struct lya_error err = { 0 };
	bool strict = true;

	(void)state;
	if (lya_store_load_policy(s, id, &site, &rules, &strict, &err) != LYA_OK)
		fail_msg("%s", err.text);
	assert_string_equal(site->sha256, world.site->sha256);
	assert_string_equal(rules->sha256, world.rules->sha256);
	assert_string_equal(rules->name, world.rules->name);
	assert_false(strict);
	lya_site_free(site);
	lya_rules_free(rules);
	/* What can be read, but is not what it was, is damaged as well. */
	run_sql("UPDATE policy SET site = CAST(site || ' ' AS BLOB)");
	assert_int_equal(lya_store_load_policy(s, id, &site, &rules, &strict, &err), LYA_EUSAGE);
	assert_non_null(strstr(err.text, "damaged"));
	assert_null(site);
	assert_null(rules);
	run_sql("UPDATE policy SET rules = substr(rules, 1, 100)");
	assert_int_equal(lya_store_load_policy(s, id, &site, &rules, &strict, &err), LYA_EUSAGE);
	assert_null(site);
	assert_null(rules);
	lya_store_close(s);
}

/* Minutes add up row by row, and to their hosts. */
static void test_minutes(void **state)
{
	struct lya_store_period period = state_period(20778);
	struct lya_store_stretch stretch = { 0 };
	struct lya_store *s = state_open();
	struct lya_minutes *minutes;
	struct lya_flow f =
	    world_flow("10.1.0.41", 50001, "10.2.0.11", 443, 6, LYA_STATE_ESTABLISHED);
	struct lya_flow_sum gained = { 10, 1000 };
	struct lya_pack tally = state_text("t");
	struct lya_store_checkpoint c = { &period, &stretch, NULL, NULL, &tally,
					  NULL,    NULL,     0,    0,    false };
	struct lya_policy_end ends[2];
	struct lya_verdict v;

	(void)state;
	stretch.policy = state_policy(s, &world);
	lya_policy_end_of(world.policy, &f.addr[0], &ends[0]);
	lya_policy_end_of(world.policy, &f.addr[1], &ends[1]);
	lya_policy_judge(world.policy, NULL, &f, ends, -1, &v);
	assert_int_equal(lya_minutes_new(&minutes, world.policy, NULL), LYA_OK);
	assert_int_equal(lya_minutes_add(minutes, &f, ends, &v, WORLD_TIME, &gained, true), 0);
	assert_int_equal(lya_minutes_add(minutes, &f, ends, &v, WORLD_TIME + 59 * LYA_SECOND_NS,
					 &gained, false),
			 0);
	assert_int_equal(lya_minutes_add(minutes, &f, ends, &v, WORLD_TIME + 60 * LYA_SECOND_NS,
					 &gained, false),
			 0);
	c.minutes = minutes;
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(lya_store_commit(s, &c, NULL), LYA_OK);
	assert_int_equal(ask_sql("SELECT count(*) FROM minute"), 2);
	assert_int_equal(ask_sql("SELECT sum(packets) FROM minute"), 60);
	assert_int_equal(ask_sql("SELECT packets FROM flow_minute WHERE minute ="
				 " '2026-11-21 00:00:00' AND src_host = 'rp01' AND dst_host ="
				 " 'fe01' AND src_role = 'reverse-proxy-internal' AND port = '443'"
				 " AND verdict = 'unexpected-port' AND transport = 'tcp'"),
			 40);
	assert_int_equal(ask_sql("SELECT undocumented FROM host JOIN word ON word.id = host"
				 " WHERE text = 'fe01'"),
			 2);
	lya_minutes_free(minutes);
	lya_pack_fini(&tally);
	lya_store_close(s);
}

static int note_event(void *ctx, const struct lya_store_event *e)
{
	lya_text_addf(ctx, "%s %s %u %s;", lya_event_kind_name(e->kind),
		      e->source != NULL ? e->source : "-", (unsigned)e->count, e->text);
	return LYA_OK;
}

static void test_events(void **state)
{
	static const struct lya_store_event events[] = {
		{ LYA_EVENT_START, 10, 10, NULL, 0, "begins" },
		{ LYA_EVENT_DROP, 20, 30, "eth1", 77, "lost" },
		{ LYA_EVENT_GAP, 5, 100, "eth1", 0, "down" },
	};
	struct lya_store *s = state_open();
	struct lya_text text = { 0 };

	(void)state;
	assert_int_equal(lya_store_put_events(s, events, 3, NULL), LYA_OK);
	assert_int_equal(lya_store_read_events(s, 12, 21, 100, note_event, &text, NULL), LYA_OK);
	assert_string_equal(lya_text_str(&text), "gap eth1 0 down;drop eth1 77 lost;");
	lya_text_clear(&text);
	assert_int_equal(lya_store_read_events(s, 101, 200, 100, note_event, &text, NULL), LYA_OK);
	assert_string_equal(lya_text_str(&text), "");
	lya_text_fini(&text);
	lya_store_close(s);
}

/* A full disk -------------------------------------------------------------------------------- */

/* In a small file system of its own; what this machine does not allow is said. */
static void test_full(void **state)
{
	struct lya_store_period period = state_period(20778);
	struct lya_store_stretch stretch = { 0 };
	struct lya_error err = { 0 };
	struct lya_store *s;
	char *big;
	unsigned before = 0;
	int rc = LYA_OK;

	(void)state;
	if (unshare(CLONE_NEWNS) == -1 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1 ||
	    mount("tmpfs", dir, "tmpfs", 0, "size=2m") == -1) {
		print_message("left out: no small file system can be mounted here\n");
		skip();
	}
	s = state_open();
	stretch.policy = state_policy(s, &world);
	big = calloc(1, 200001);
	memset(big, 'x', 200000);
	for (; rc == LYA_OK && before < 50; before++)
		rc = commit(s, &period, &stretch, &(struct words){ big, "open", "t", 0, false },
			    &err);
	assert_int_equal(rc, LYA_EOUTPUT);
	assert_non_null(strstr(err.text, "store.db"));
	assert_non_null(strstr(err.text, "full"));
	/* What was there before is whole, and nothing of the last one is. */
	assert_int_equal(lya_store_parts(s, stretch.id), before - 1);
	/* With room again it goes on. */
	assert_int_equal(mount("none", dir, NULL, MS_REMOUNT, "size=64m"), 0);
	assert_int_equal(commit(s, &period, &stretch, &(struct words){ big, "open", "t", 0, false },
				&err),
			 LYA_OK);
	assert_int_equal(lya_store_parts(s, stretch.id), before);
	free(big);
	lya_store_close(s);
	assert_int_equal(umount(dir), 0);
}

/* Less of it --------------------------------------------------------------------------------- */

static void put_night(struct lya_store *s, int64_t day, int64_t policy, const char *evidence)
{
	struct lya_store_period period = state_period(day);
	struct lya_store_stretch stretch = { .policy = policy };
	struct lya_minutes *minutes;
	struct lya_pack ended = state_text(evidence), tally = state_text("t");
	struct lya_store_checkpoint c = { &period, &stretch, &ended, NULL, &tally,
					  NULL,    NULL,     0,      0,    false };

	assert_int_equal(lya_minutes_new(&minutes, world.policy, NULL), LYA_OK);
	for (unsigned i = 0; i < 300; i++) {
		struct lya_flow f = world_flow("10.1.0.41", 50001, "10.2.0.11",
					       (uint16_t)(1000 + i), 6, LYA_STATE_ESTABLISHED);
		struct lya_flow_sum gained = { 1, 100 };
		struct lya_policy_end ends[2];
		struct lya_verdict v;

		lya_policy_end_of(world.policy, &f.addr[0], &ends[0]);
		lya_policy_end_of(world.policy, &f.addr[1], &ends[1]);
		lya_policy_judge(world.policy, NULL, &f, ends, -1, &v);
		assert_int_equal(lya_minutes_add(minutes, &f, ends, &v,
						 period.begin_ns + i * 30 * LYA_SECOND_NS, &gained,
						 true),
				 0);
	}
	c.minutes = minutes;
	assert_int_equal(lya_store_commit(s, &c, NULL), LYA_OK);
	assert_int_equal(close_period(s, &period, policy), LYA_OK);
	lya_minutes_free(minutes);
	lya_pack_fini(&ended);
	lya_pack_fini(&tally);
}

static unsigned retain_all(struct lya_store *s, const struct lya_store_keep *keep, int64_t now_ns,
			   int64_t now)
{
	unsigned steps = 0;
	bool more = true;

	for (; more && steps < 1000; steps++) {
		struct lya_error err;

		if (lya_store_retain(s, keep, now_ns, now, &more, &err) != LYA_OK)
			fail_msg("%s", err.text);
	}
	return steps;
}

static void test_retention(void **state)
{
	struct lya_store *s = state_open();
	int64_t policy = state_policy(s, &world);
	struct lya_store_keep keep = { .days = 3 };
	uint64_t bytes;
	char *big = calloc(1, 100001);

	(void)state;
	memset(big, 'x', 100000);
	for (int64_t day = 20770; day < 20780; day++)
		put_night(s, day, policy, big);
	free(big);
	assert_int_equal(ask_sql("SELECT count(*) FROM minute"), 3000);
	/* By age, in small steps: the tenth day is under way, three before it are kept. */
	assert_true(retain_all(s, &keep, INT64_C(20779) * 86400 * LYA_SECOND_NS, 10) > 6);
	assert_int_equal(ask_sql("SELECT min(day) FROM period"), 20775);
	assert_int_equal(ask_sql("SELECT count(*) FROM period"), 5);
	assert_int_equal(ask_sql("SELECT count(*) FROM part"), 5);
	assert_int_equal(ask_sql("SELECT count(*) FROM minute"), 1500);
	/* By size: minutes, then evidence; never of the period that is under way. */
	bytes = lya_store_bytes(s);
	keep = (struct lya_store_keep){ .days = 1000, .bytes = bytes - 1000 };
	(void)retain_all(s, &keep, INT64_C(20779) * 86400 * LYA_SECOND_NS, 10);
	assert_true(ask_sql("SELECT count(*) FROM minute") < 1500);
	assert_int_equal(ask_sql("SELECT count(*) FROM part"), 5);
	keep.bytes = 1;
	(void)retain_all(s, &keep, INT64_C(20779) * 86400 * LYA_SECOND_NS, 10);
	assert_int_equal(ask_sql("SELECT count(*) FROM minute"), 300);
	assert_int_equal(ask_sql("SELECT count(*) FROM part"), 1);
	assert_int_equal(ask_sql("SELECT count(*) FROM period"), 5);
	assert_true(lya_store_bytes(s) < bytes / 2);
	lya_store_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_private, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_lock, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_lock_of_the_dead, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_refused, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_unwritable, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_set_aside, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_seal, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_checkpoints, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_names, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_policy_again, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_minutes, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_events, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_full, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_retention, make_dir, remove_dir),
	};

	return cmocka_run_group_tests(tests, open_example, close_example);
}
