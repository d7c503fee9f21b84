/*
 * test_keeper.c - nights: what each report holds, and what a service that goes on for days,
 * is stopped, reloaded, or gets its clock set, loses and counts twice: nothing.
 */
#include "../store/state_dir.h"
#include "service.h"

static struct service s;

static void expect_count(const char *file, const char *place, uint64_t want)
{
	int64_t found = report_number(report_path(dir, file), place);

	if ((uint64_t)found != want)
		fail_msg("%s: %s is %lld, not %llu", file, place, (long long)found,
			 (unsigned long long)want);
}

static void expect_text(const char *file, const char *place, const char *want)
{
	assert_string_equal(report_text_at(report_path(dir, file), place), want);
}

/* The report but for `run`, which comes first; freed by the caller with its whole. */
static char *without_run(char *text)
{
	char *site = strstr(text, "\"site\":");

	assert_non_null(site);
	return site;
}

static void expect_made_again(const char *night)
{
	struct lya_text again = { 0 };
	struct lya_error err = { 0 };
	char name[64], *file;

	(void)snprintf(name, sizeof(name), "%s.json", night);
	file = file_text(report_path(dir, name));
	if (service_make(dir, night, &again, &err) != LYA_OK)
		fail_msg("%s", err.text);
	assert_string_equal(without_run(again.data), without_run(file));
	free(file);
	lya_text_fini(&again);
}

/* A night ------------------------------------------------------------------------------------ */

/* Midnight in Paris is 23:00 UTC in November. */
static void test_midnight(void **state)
{
	struct lya_error err = { 0 };
	char *sha256;

	(void)state;
	service_open(&s, dir, utc(2026, 11, 21, 22, 0), NULL);
	service_flow(&s, 50000);
	service_begin_flow(&s, 50001); /* it lives over midnight */
	service_go(&s, 1800);
	service_packet(&s, 50001, 0, ACK, 101, 501);
	service_go(&s, 2400);
	service_packet(&s, 50001, 0, ACK, 101, 501);
	service_settle(&s);
	assert_int_equal(s.n_reports, 1);
	assert_string_equal(s.reports[0], "reports/2026-11-21.json");

	expect_text("2026-11-21.json", "sensor.name", "span-1");
	expect_text("2026-11-21.json", "period.from", "2026-11-20T23:00:00.000000Z");
	expect_text("2026-11-21.json", "period.to", "2026-11-21T23:00:00.000000Z");
	expect_text("2026-11-21.json", "period.timezone", "Europe/Paris");
	expect_text("2026-11-21.json", "previous", "null");
	/* It was not there before 22:00, and says so. */
	assert_true(report_bool(report_path(dir, "2026-11-21.json"), "period.partial"));
	assert_int_equal(report_count(report_path(dir, "2026-11-21.json"), "period.gaps"), 1);
	expect_text("2026-11-21.json", "period.gaps.0.to", "2026-11-21T22:00:00.000000Z");
	expect_count("2026-11-21.json", "capture.packets", FLOW_PACKETS + 4);
	expect_count("2026-11-21.json", "summary.flows.total", 2);
	/* What is found is new, for there is no night before. */
	assert_int_equal(report_count(report_path(dir, "2026-11-21.json"), "findings"),
			 report_count(report_path(dir, "2026-11-21.json"), "changes.new"));

	service_go(&s, 86400);
	(void)service_wait(&s);
	assert_int_equal(s.n_reports, 2);
	/* The second night has the rest of it: one packet, of one flow. */
	expect_count("2026-11-22.json", "capture.packets", 1);
	expect_count("2026-11-22.json", "summary.flows.total", 1);
	assert_false(report_bool(report_path(dir, "2026-11-22.json"), "period.partial"));
	assert_int_equal(report_count(report_path(dir, "2026-11-22.json"), "period.gaps"), 0);
	expect_text("2026-11-22.json", "previous.file", "2026-11-21.json");
	sha256 = lya_strdup(report_text_at(report_path(dir, "2026-11-22.json"), "previous.sha256"));
	{
		char *first = file_text(report_path(dir, "2026-11-21.json"));
		char own[LYA_SHA256_HEX];
		struct lya_digest *d = lya_digest_new();

		lya_digest_add(d, first, strlen(first));
		lya_digest_finish(d, own);
		assert_string_equal(sha256, own);
		free(first);
	}
	lya_free(sha256);
	expect_made_again("2026-11-21");
	expect_made_again("2026-11-22");
	service_settle(&s);
	assert_int_equal(lya_keeper_make(dir, "2026-11-23", &(struct lya_report_run){ 0 }, NULL,
					 &err),
			 LYA_EUSAGE);
	assert_non_null(strstr(err.text, "2026-11-23 is not over yet: ask the service"));
	assert_int_equal(lya_keeper_make(dir, "2025-01-01", &(struct lya_report_run){ 0 }, NULL,
					 &err),
			 LYA_EUSAGE);
	assert_non_null(strstr(err.text, "2025-01-01"));
	assert_true(s.views > 0);
	service_close(&s);
	assert_int_equal(lya_keeper_make(dir, "2026-11-23", &(struct lya_report_run){ 0 }, NULL,
					 &err),
			 LYA_EUSAGE);
	assert_null(strstr(err.text, "ask the service"));
	assert_non_null(strstr(err.text, "no service runs"));
}

/* The id of a finding of that type; "" where there is none. */
static void find_id(const char *file, const char *type, char id[static 32])
{
	const char *path = report_path(dir, file);

	id[0] = '\0';
	for (size_t i = 0; i < report_count(path, "findings"); i++) {
		char place[64];

		(void)snprintf(place, sizeof(place), "findings.%zu.type", i);
		if (strcmp(report_text_at(path, place), type) != 0)
			continue;
		(void)snprintf(place, sizeof(place), "findings.%zu.id", i);
		(void)snprintf(id, 32, "%s", report_text_at(path, place));
	}
}

/* How often an id stands in a list of changes, whose members have it at `member`. */
static size_t times_in(const char *file, const char *list, const char *member, const char *id)
{
	const char *path = report_path(dir, file);
	size_t n = report_count(path, list), found = 0;

	for (size_t i = 0; i < n; i++) {
		char place[64];

		(void)snprintf(place, sizeof(place), "%s.%zu%s", list, i, member);
		found += strcmp(report_text_at(path, place), id) == 0;
	}
	return found;
}

/* Six in the morning, local time: a night is called by the day on which it begins. */
static void test_report_time(void **state)
{
	(void)state;
	service_report_s = 6 * 3600;
	service_open(&s, dir, utc(2026, 11, 21, 4, 0), NULL);
	service_report_s = 0;
	service_flow(&s, 50000);
	service_go(&s, 7200);
	service_flow(&s, 50001);
	service_flow(&s, 50002);
	service_go(&s, 86400);
	(void)service_wait(&s);
	assert_int_equal(s.n_reports, 2);
	expect_count("2026-11-20.json", "capture.packets", FLOW_PACKETS);
	expect_text("2026-11-20.json", "period.to", "2026-11-21T05:00:00.000000Z");
	expect_count("2026-11-21.json", "capture.packets", 2 * FLOW_PACKETS);
	expect_text("2026-11-21.json", "period.to", "2026-11-22T05:00:00.000000Z");
	service_close(&s);
}

/* A finding comes, stays, and goes. */
static void test_changes(void **state)
{
	char id[32], other[32];

	(void)state;
	service_open(&s, dir, utc(2026, 11, 20, 23, 0), NULL);
	for (unsigned day = 0; day < 4; day++) {
		if (day == 1 || day == 2)
			service_flow(&s, 50000); /* a client at the inner port of a front-end */
		service_go(&s, 86400);
	}
	(void)service_wait(&s);
	assert_int_equal(s.n_reports, 4);
	find_id("2026-11-21.json", "unexpected-port", other);
	find_id("2026-11-22.json", "unexpected-port", id);
	assert_string_equal(other, "");
	assert_string_not_equal(id, "");
	assert_int_equal(times_in("2026-11-22.json", "changes.new", "", id), 1);
	assert_int_equal(times_in("2026-11-23.json", "changes.persisting", "", id), 1);
	assert_int_equal(report_count(report_path(dir, "2026-11-23.json"), "changes.new"), 0);
	assert_int_equal(report_count(report_path(dir, "2026-11-23.json"), "changes.resolved"), 0);
	assert_int_equal(times_in("2026-11-24.json", "changes.resolved", ".id", id), 1);
	assert_int_equal(times_in("2026-11-24.json", "changes.persisting", "", id), 0);
	expect_made_again("2026-11-23");
	expect_made_again("2026-11-24");
	service_close(&s);
}

/* Days of 23 and 25 hours -------------------------------------------------------------------- */

static void expect_week(int month, int first, const int hours[static 7])
{
	uint64_t packets = 0;
	char previous[64] = "null";

	for (int i = 0; i < 7; i++) {
		char name[64];

		(void)snprintf(name, sizeof(name), "2026-%02d-%02d.json", month, first + i);
		expect_count(name, "summary.flows.total", (uint64_t)hours[i]);
		packets += (uint64_t)report_number(report_path(dir, name), "capture.packets");
		assert_false(report_bool(report_path(dir, name), "period.partial"));
		if (i > 0)
			expect_text(name, "previous.file", previous);
		(void)snprintf(previous, sizeof(previous), "%s", name);
	}
	assert_int_equal(packets, s.packets);
}

/* A flow each hour of a week, half past: as many a day as the day has hours. */
static void live_a_week(int64_t begin_ns)
{
	service_open(&s, dir, begin_ns, NULL);
	for (unsigned hour = 0; hour < 7 * 24; hour++) {
		service_go(&s, 1800);
		service_flow(&s, (uint16_t)(50000 + hour));
		service_go(&s, 1800);
	}
}

static void test_autumn(void **state)
{
	static const int hours[7] = { 24, 24, 24, 24, 25, 24, 24 }; /* Sunday, 25 October */

	(void)state;
	live_a_week(utc(2026, 10, 20, 22, 0));
	service_go(&s, 1800);
	service_flow(&s, 60000);
	service_go(&s, 1800);
	(void)service_wait(&s);
	assert_int_equal(s.n_reports, 7);
	expect_week(10, 21, hours);
	expect_text("2026-10-25.json", "period.from", "2026-10-24T22:00:00.000000Z");
	expect_text("2026-10-25.json", "period.to", "2026-10-25T23:00:00.000000Z");
	expect_made_again("2026-10-25");
	service_close(&s);
}

static void test_spring(void **state)
{
	static const int hours[7] = { 24, 24, 24, 24, 23, 24, 24 }; /* Sunday, 29 March */

	(void)state;
	live_a_week(utc(2026, 3, 24, 23, 0));
	s.packets -= FLOW_PACKETS; /* the last one is in the eighth day */
	(void)service_wait(&s);
	assert_int_equal(s.n_reports, 7);
	expect_week(3, 25, hours);
	expect_text("2026-03-29.json", "period.to", "2026-03-29T22:00:00.000000Z");
	service_close(&s);
}

/* Away and back ------------------------------------------------------------------------------ */

static void test_downtime(void **state)
{
	(void)state;
	service_open(&s, dir, utc(2026, 11, 20, 23, 0), NULL);
	service_flow(&s, 50000);
	service_go(&s, 36000);
	service_begin_flow(&s, 50001);
	service_stop(&s);
	assert_int_equal(s.n_reports, 1); /* of the period so far */
	expect_count("2026-11-21T090000Z.json", "capture.packets", FLOW_PACKETS + 3);
	service_close(&s);

	service_open(&s, dir, utc(2026, 11, 24, 9, 0), NULL);
	service_settle(&s);
	assert_int_equal(s.n_reports, 3);
	expect_count("2026-11-21.json", "capture.packets", FLOW_PACKETS + 3);
	expect_count("2026-11-21.json", "summary.flows.total", 2);
	expect_text("2026-11-21.json", "period.gaps.0.from", "2026-11-21T09:00:00.000000Z");
	expect_text("2026-11-21.json", "period.gaps.0.to", "2026-11-21T23:00:00.000000Z");
	expect_count("2026-11-22.json", "capture.packets", 0);
	assert_true(report_bool(report_path(dir, "2026-11-22.json"), "period.partial"));
	assert_true(report_bool(report_path(dir, "2026-11-23.json"), "period.partial"));
	expect_text("2026-11-23.json", "summary.verdict", "incomplete");
	expect_text("2026-11-23.json", "previous.file", "2026-11-22.json");
	expect_made_again("2026-11-22");
	service_close(&s);
}

/* The same day twice: one period, with the gap in between. */
static void test_restart(void **state)
{
	(void)state;
	service_open(&s, dir, utc(2026, 11, 20, 23, 0), NULL);
	service_flow(&s, 50000);
	service_go(&s, 3600);
	service_stop(&s);
	service_close(&s);
	service_open(&s, dir, utc(2026, 11, 21, 3, 0), NULL);
	service_flow(&s, 50000);
	service_settle(&s);
	assert_int_equal(s.view_packets, 2 * FLOW_PACKETS);
	service_go(&s, 86400);
	(void)service_wait(&s);
	expect_count("2026-11-21.json", "capture.packets", 2 * FLOW_PACKETS);
	expect_count("2026-11-21.json", "summary.flows.total", 2);
	assert_int_equal(report_count(report_path(dir, "2026-11-21.json"), "period.gaps"), 1);
	expect_text("2026-11-21.json", "period.gaps.0.from", "2026-11-21T00:00:00.000000Z");
	expect_text("2026-11-21.json", "period.gaps.0.to", "2026-11-21T03:00:00.000000Z");
	service_close(&s);
}

/* A gap that goes on counts in each night until it ends; a kill hides nothing of it. */
static void test_ongoing_gap(void **state)
{
	int64_t from_ns = utc(2026, 11, 21, 12, 0);
	struct lya_store_event down = { LYA_EVENT_GAP, from_ns, LYA_TIME_NONE,
					"eth1",        0,       "The interface is down." };

	(void)state;
	service_open(&s, dir, from_ns, NULL);
	assert_int_equal(lya_keeper_event(s.keeper, &down, NULL), LYA_OK);
	service_go(&s, 86400);
	down.to_ns = utc(2026, 11, 22, 12, 0);
	assert_int_equal(lya_keeper_event(s.keeper, &down, NULL), LYA_OK);
	service_go(&s, 2 * 86400);
	(void)service_wait(&s);
	expect_text("2026-11-21.json", "period.gaps.1.source", "eth1");
	expect_text("2026-11-21.json", "period.gaps.1.to", "2026-11-21T23:00:00.000000Z");
	expect_text("2026-11-22.json", "period.gaps.0.source", "eth1");
	expect_text("2026-11-22.json", "period.gaps.0.from", "2026-11-21T23:00:00.000000Z");
	expect_text("2026-11-22.json", "period.gaps.0.to", "2026-11-22T12:00:00.000000Z");
	assert_int_equal(report_count(report_path(dir, "2026-11-23.json"), "period.gaps"), 0);
	expect_made_again("2026-11-21"); /* where the end was not known yet */
	service_close(&s);
}

/* More happens than is kept and listed: how much more is told. */
static void test_many_events(void **state)
{
	int64_t at_ns = utc(2026, 11, 21, 12, 0);
	struct lya_store_event drop = { LYA_EVENT_DROP, at_ns, at_ns, "eth1", 1, "One packet." };
	const char *path;
	size_t n;

	(void)state;
	service_open(&s, dir, at_ns, NULL);
	for (unsigned i = 0; i < 2000; i++)
		assert_int_equal(lya_keeper_event(s.keeper, &drop, NULL), LYA_OK);
	service_go(&s, 86400);
	(void)service_wait(&s);
	path = report_path(dir, "2026-11-21.json");
	n = report_count(path, "period.events");
	assert_int_equal(n, 1001);
	/* 1024 of 2001 with the start were kept, and the sum of the others; 1000 are listed. */
	expect_text("2026-11-21.json", "period.events.1000.kind", "store");
	expect_count("2026-11-21.json", "period.events.1000.count", 25);
	service_close(&s);
}

/* Clocks ------------------------------------------------------------------------------------- */

static uint64_t packets_of(const char *file)
{
	return (uint64_t)report_number(report_path(dir, file), "capture.packets");
}

static void set_clock(int64_t seconds)
{
	s.clock.time_ns += seconds * LYA_SECOND_NS;
	s.clock.wall_ns += seconds * LYA_SECOND_NS;
}

/* Hours back, and forth over midnight: nothing is lost, nothing twice, and it is named. */
static void test_clock(void **state)
{
	(void)state;
	service_open(&s, dir, utc(2026, 11, 20, 23, 0), NULL);
	service_go(&s, 36000);
	service_flow(&s, 50000);
	set_clock(-5 * 3600);
	service_go(&s, 600);
	service_flow(&s, 50001);
	service_begin_flow(&s, 50002); /* it lives over all that follows */
	set_clock(20 * 3600);
	service_go(&s, 600);
	service_packet(&s, 50002, 0, ACK, 101, 501);
	set_clock(-20 * 3600);
	service_go(&s, 600);
	service_packet(&s, 50002, 0, ACK, 101, 501);
	service_go(&s, 2 * 86400);
	(void)service_wait(&s);

	assert_int_equal(packets_of("2026-11-21.json"), FLOW_PACKETS);
	expect_text("2026-11-21.json", "period.to", "2026-11-21T09:00:00.000000Z");
	assert_true(report_bool(report_path(dir, "2026-11-21.json"), "period.partial"));
	assert_int_equal(packets_of("2026-11-21.2.json"), FLOW_PACKETS + 3);
	assert_int_equal(packets_of("2026-11-22.json"), 1);
	assert_int_equal(packets_of("2026-11-21.3.json"), 1);
	assert_int_equal(packets_of("2026-11-22.2.json"), 0);
	expect_made_again("2026-11-21.2");
	service_close(&s);
}

/* An hour back is the clocks' business: the night has one name. */
static void test_small_step(void **state)
{
	(void)state;
	service_open(&s, dir, utc(2026, 11, 20, 23, 0), NULL);
	service_go(&s, 86400 + 600);
	service_flow(&s, 50000);
	set_clock(-3600);
	service_flow(&s, 50001);
	service_go(&s, 2 * 86400);
	(void)service_wait(&s);
	assert_int_equal(packets_of("2026-11-21.json"), 0);
	assert_int_equal(packets_of("2026-11-22.json"), 2 * FLOW_PACKETS);
	assert_int_equal(s.n_reports, 2);
	service_close(&s);
}

static bool is_kept(const char *night)
{
	struct lya_store_period p = { 0 };
	struct lya_store *store = state_read();
	bool kept;

	kept = lya_store_find_period(store, night, &p, NULL) == LYA_OK;
	lya_store_period_fini(&p);
	lya_store_close(store);
	return kept;
}

/* What is old goes by what the clock says, but not while it may be wrong. */
static void test_kept_in_doubt(void **state)
{
	(void)state;
	service_open(&s, dir, utc(2026, 11, 20, 23, 0), NULL);
	service_flow(&s, 50000);
	service_go(&s, 86400);
	service_settle(&s);
	set_clock(INT64_C(500) * 86400);
	service_settle(&s);
	service_go(&s, 3600);
	service_settle(&s);
	assert_true(is_kept("2026-11-21"));
	service_go(&s, 2 * 86400);
	for (unsigned i = 0; i < 30; i++) /* an hour of minutes at a time */
		service_settle(&s);
	assert_false(is_kept("2026-11-21"));
	assert_int_equal(packets_of("2026-11-21.json"), FLOW_PACKETS); /* files stay */
	service_close(&s);
}

/* A packet that claims another time than the clock's ends no night. */
static void test_far_packet(void **state)
{
	struct segment segment = {
		.src = CLIENT, .dst = FRONT_END, .sport = 50000, .dport = 4443, .flags = SYN
	};

	(void)state;
	service_open(&s, dir, utc(2026, 11, 21, 12, 0), NULL);
	service_send(&s, utc(2031, 1, 1, 0, 0), &segment);
	service_send(&s, utc(2001, 1, 1, 0, 0), &segment);
	service_settle(&s);
	assert_int_equal(s.n_reports, 0);
	assert_int_equal(s.view_packets, 2);
	service_close(&s);
}

/* Where packets tell the time, days that they leap over are reported too. */
static void test_packet_time(void **state)
{
	struct segment segment = {
		.src = CLIENT, .dst = FRONT_END, .sport = 50000, .dport = 4443, .flags = SYN
	};

	(void)state;
	service_open(&s, dir, utc(2026, 11, 20, 23, 0), NULL);
	s.clock.by_packets = true;
	(void)service_step(&s);
	service_send(&s, utc(2026, 11, 21, 12, 0), &segment);
	service_send(&s, utc(2026, 11, 24, 12, 0), &segment);
	s.clock.time_ns = utc(2026, 11, 24, 12, 0);
	service_settle(&s);
	assert_int_equal(s.n_reports, 3);
	assert_int_equal(packets_of("2026-11-21.json"), 1);
	assert_int_equal(packets_of("2026-11-22.json"), 0);
	assert_int_equal(packets_of("2026-11-23.json"), 0);
	assert_int_equal(s.view_packets, 1);
	service_close(&s);
}

/* Reload ------------------------------------------------------------------------------------- */

static const char OTHER_SITE[] =
    "{\"schema\": \"lyncaudit-site/1\", \"name\": \"other\", \"timezone\": \"Europe/Paris\","
    " \"networks\": {\"internal\": [\"10.0.0.0/8\"], \"clients\": [\"10.20.0.0/16\"]},"
    " \"hosts\": [{\"name\": \"fe01\", \"roles\": {\"front-end\": [\"10.2.0.11\"]}}],"
    " \"exceptions\": [{\"id\": \"EX-1\", \"from\": \"10.20.0.5\", \"to\": \"10.2.0.11\","
    " \"transport\": \"tcp\", \"ports\": \"4443\", \"reason\": \"a test\"}]}";

/* The new site wants VLANs in the key, the old one did not: all stays as it was. */
static void test_reload_refused(void **state)
{
	static const char site[] =
	    "{\"schema\": \"lyncaudit-site/1\", \"name\": \"other\", \"vlan_in_key\": true,"
	    " \"networks\": {\"internal\": [\"10.0.0.0/8\"]},"
	    " \"hosts\": [{\"name\": \"fe01\", \"roles\": {\"front-end\": [\"10.2.0.11\"]}}]}";
	struct lya_keeper_policy other = service_policy(site);
	struct lya_error err = { 0 };

	(void)state;
	service_open(&s, dir, utc(2026, 11, 20, 23, 0), NULL);
	service_flow(&s, 50000);
	assert_int_equal(lya_keeper_reload(s.keeper, &other, &s.clock, &s.source, 1, &err),
			 LYA_EUSAGE);
	assert_non_null(strstr(err.text, "vlan_in_key"));
	lya_policy_free(other.policy);
	lya_site_free(other.site);
	lya_rules_free(other.rules);
	service_go(&s, 86400);
	(void)service_wait(&s);
	expect_count("2026-11-21.json", "capture.packets", FLOW_PACKETS);
	expect_text("2026-11-21.json", "site.name", "contoso-hq");
	assert_int_equal(report_count(report_path(dir, "2026-11-21.json"), "period.events"), 1);
	service_close(&s);
}

static void test_reload(void **state)
{
	struct lya_keeper_policy other = service_policy(OTHER_SITE);
	struct lya_error err = { 0 };

	(void)state;
	service_open(&s, dir, utc(2026, 11, 20, 23, 0), NULL);
	service_flow(&s, 50000);
	service_go(&s, 7200);
	service_begin_flow(&s, 50001);
	service_settle(&s);
	if (lya_keeper_reload(s.keeper, &other, &s.clock, &s.source, 1, &err) != LYA_OK)
		fail_msg("%s", err.text);
	service_settle(&s);
	assert_int_equal(s.view_packets, FLOW_PACKETS + 3);
	service_end_flow(&s, 50001);
	service_go(&s, 86400);
	(void)service_wait(&s);
	expect_count("2026-11-21.json", "capture.packets", 2 * FLOW_PACKETS);
	expect_count("2026-11-21.json", "summary.flows.total", 2);
	/* The one that lived over it was judged by what was in force last. */
	expect_count("2026-11-21.json", "summary.flows.waived", 1);
	expect_text("2026-11-21.json", "site.name", "other");
	assert_int_equal(report_count(report_path(dir, "2026-11-21.json"), "period.judged_by"), 2);
	assert_int_equal(report_count(report_path(dir, "2026-11-21.json"), "period.events"), 2);
	expect_text("2026-11-21.json", "period.events.1.kind", "reload");
	expect_made_again("2026-11-21");
	service_close(&s);
}

/* On demand ---------------------------------------------------------------------------------- */

static void test_on_demand(void **state)
{
	(void)state;
	service_open(&s, dir, utc(2026, 11, 21, 12, 0), NULL);
	service_flow(&s, 50000);
	lya_keeper_report(s.keeper);
	while (service_step(&s) == 0)
		;
	(void)service_wait(&s);
	assert_int_equal(s.n_reports, 1);
	expect_count("2026-11-21T120000Z.json", "capture.packets", FLOW_PACKETS);
	assert_true(report_bool(report_path(dir, "2026-11-21T120000Z.json"), "period.partial"));
	/* The night's own report is none the less made, and follows no report on demand. */
	service_go(&s, 86400);
	(void)service_wait(&s);
	expect_text("2026-11-21.json", "previous", "null");
	service_close(&s);
}

/* A file that is not ours is left alone. */
static void test_name_taken(void **state)
{
	const char *path;
	FILE *file;
	char *text;

	(void)state;
	service_open(&s, dir, utc(2026, 11, 21, 12, 0), NULL);
	path = report_path(dir, "2026-11-21.json");
	file = fopen(path, "w");
	assert_non_null(file);
	(void)fputs("somebody's notes\n", file);
	(void)fclose(file);
	service_flow(&s, 50000);
	service_go(&s, 86400);
	(void)service_wait(&s);
	assert_int_equal(s.n_reports, 1);
	assert_string_equal(s.reports[0], "reports/2026-11-21-2.json");
	text = file_text(path);
	assert_string_equal(text, "somebody's notes\n");
	free(text);
	expect_count("2026-11-21-2.json", "capture.packets", FLOW_PACKETS);
	service_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_midnight, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_report_time, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_changes, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_autumn, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_spring, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_downtime, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_restart, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_ongoing_gap, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_many_events, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_clock, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_small_step, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_kept_in_doubt, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_far_packet, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_packet_time, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_reload_refused, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_reload, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_on_demand, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_name_taken, make_dir, remove_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
