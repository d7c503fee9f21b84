/*
 * test_parts.c - an audit without end says in all what one that ends says: whatever passes
 * there were, wherever it was cut, and in however many threads.
 */
#include "parts.h"

static struct lab_world world;

static int setup(void **state)
{
	(void)state;
	lab_world_open(&world, NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	lab_world_close(&world);
	return 0;
}

/* Each with something that only lasting state shows: handshakes, transactions, relays, probes. */
static const char *const captures[] = { "lab-day",          "lab-violations",  "lab-tls",
					"lab-av-rewritten", "lab-turn-sticky", "lab-probes",
					"lab-rows",         "lab-xmpp" };

enum { CAPTURES = sizeof(captures) / sizeof(captures[0]) };

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

/* Where two texts differ, with what stands around it. */
static void assert_same_text(const char *got, const char *want, const char *name)
{
	size_t i = 0;

	while (got[i] == want[i] && got[i] != '\0')
		i++;
	if (got[i] != want[i])
		fail_msg("%s: got ...%.200s\nwanted ...%.200s", name, got + (i > 100 ? i - 100 : 0),
			 want + (i > 100 ? i - 100 : 0));
}

/* Passes at any time, in slices of any size, some of them given up for the next. */
static void take_with_passes(struct lab *lab, struct evidence *e, uint32_t seed)
{
	bool running = false;

	while (lab_next(lab) > 0) {
		struct lya_audit_part part;

		if (!running || next_random(&seed) % 40 == 0) {
			if (next_random(&seed) % 4 != 0)
				continue;
			pass_begin(lab, LYA_PASS_CHECKPOINT, 0);
			running = true;
		}
		if (!pass_step(lab, 1 + next_random(&seed) % 7))
			continue;
		part = pass_end(lab);
		evidence_add(e, &part, false);
		running = false;
	}
}

static void check_passes(void)
{
	for (size_t i = 0; i < CAPTURES; i++) {
		char *want = whole_report(&world, captures[i]);

		for (uint32_t seed = 1; seed <= 3; seed++) {
			struct lya_audit_part part;
			struct evidence e;
			struct lab lab;
			char *got;

			evidence_open(&e, &world);
			lab_open(&lab, &world, captures[i], true);
			take_with_passes(&lab, &e, seed);
			part = lab_stop(&lab);
			assert_null(part.open);
			evidence_add(&e, &part, true);
			evidence_agrees(&e);
			got = evidence_report(&e);
			assert_same_text(got, want, captures[i]);
			free(got);
			lab_close(&lab);
			evidence_close(&e);
		}
		free(want);
	}
}

/* What the ledger holds of the capture's first frames, or of those before a time. */
static struct lya_flow_sum packets_until(const char *name, uint64_t frames, int64_t time_ns)
{
	struct lya_ledger_counts counts;
	struct lya_error err;
	uint64_t taken = 0;
	struct lab lab;

	lab_open(&lab, &world, name, false);
	for (;;) {
		size_t n = lab_read(&lab, LAB_FRAMES), k = 0;

		while (k < n && lab.frames[k].time_ns < time_ns && taken + k < frames)
			k++;
		lab_take(&lab, lab.frames, k);
		taken += k;
		if (k < n || n == 0)
			break;
	}
	assert_int_equal(lya_audit_finish(lab.audit, lab.sources, lab.n_sources, &err), LYA_OK);
	lya_ledger_counts(lya_audit_ledger(lab.audit), &counts);
	lab_close(&lab);
	return (struct lya_flow_sum){ counts.packets, counts.bytes };
}

/*
 * A process that is killed leaves what it handed over last: no packet more than had come by
 * then, none twice, and every packet up to where that pass began.
 */
static void check_killed(void)
{
	size_t all_rounds = 0;

	for (size_t i = 0; i < CAPTURES; i++) {
		uint32_t seed = (uint32_t)i + 9;
		struct lab lab;
		size_t rounds = 0;
		struct evidence all;

		evidence_open(&all, &world);
		lab_open(&lab, &world, captures[i], true);
		while (lab_next(&lab) > 0 && rounds < 12) {
			struct lya_audit_part part;
			struct lya_audit_counts at;
			struct evidence e;
			struct lya_ledger_counts counts;

			if (next_random(&seed) % 2 != 0)
				continue;
			lya_audit_counts(lab.audit, &at);
			pass_begin(&lab, LYA_PASS_CHECKPOINT, 0);
			while (!pass_step(&lab, world.max_flows != 0 ? 1 : 8))
				(void)lab_next(&lab);
			part = pass_end(&lab);
			evidence_open(&e, &world);
			e.minutes = all.minutes;
			evidence_add_ledger(&e, all.ledger);
			evidence_add_ledger(&e, part.ended);
			evidence_add_ledger(&e, part.open);
			evidence_add_minutes(&e, part.minutes);
			evidence_agrees(&e);
			counts = evidence_counts(&e);
			assert_true(part.tally->counts.packets == at.packets);
			assert_true(counts.packets >=
				    packets_until(captures[i], at.packets, INT64_MAX).packets);
			assert_int_equal(part.tally->flows.flows <= counts.flows, true);
			lya_audit_counts(lab.audit, &at);
			assert_true(counts.packets <= at.packets);
			evidence_close(&e);
			evidence_add(&all, &part, false);
			rounds++;
		}
		assert_true(rounds > 0);
		all_rounds += rounds;
		lab_close(&lab);
		evidence_close(&all);
	}
	assert_true(all_rounds > 30);
}

/* Periods one after the other; the pass that ends one runs on in the next. */
struct cutting {
	struct lab *lab;
	struct evidence *periods;
	const int64_t *cuts;
	size_t n_cuts, now;
	bool running;
};

static void slice(struct cutting *c, size_t flows)
{
	struct lya_audit_part part;

	if (!c->running || !pass_step(c->lab, flows))
		return;
	part = pass_end(c->lab);
	assert_null(part.open);
	evidence_add(&c->periods[c->now - 1], &part, true);
	c->running = false;
}

static void end_period(struct cutting *c)
{
	while (c->running)
		slice(c, 5);
	pass_begin(c->lab, LYA_PASS_PERIOD, c->cuts[c->now++]);
	c->running = true;
}

static size_t frames_before(const struct cutting *c, size_t from, size_t n)
{
	while (from < n && (c->now == c->n_cuts || c->lab->frames[from].time_ns < c->cuts[c->now]))
		from++;
	return from;
}

static void take_with_cuts(struct cutting *c)
{
	size_t n;

	while ((n = lab_read(c->lab, LAB_FRAMES)) > 0) {
		for (size_t done = 0;;) {
			size_t to = frames_before(c, done, n);

			lab_take(c->lab, c->lab->frames + done, to - done);
			done = to;
			slice(c, 2);
			if (done == n)
				break;
			end_period(c);
		}
	}
	while (c->running)
		slice(c, 100);
}

/* Every packet counts in the period that it came in, and in no other. */
static void check_periods(void)
{
	enum { CUTS = 3 };

	for (size_t i = 0; i < CAPTURES; i++) {
		struct evidence e[CUTS + 1];
		struct lya_flow_sum sum = { 0, 0 };
		struct lya_audit_part part;
		uint64_t flows = 0, opened = 0;
		int64_t cuts[CUTS];
		struct lab lab;

		lab_open(&lab, &world, captures[i], true);
		assert_true(lab_next(&lab) > 0);
		cuts[0] = lab.first_ns;
		while (lab_next(&lab) > 0)
			;
		for (size_t k = CUTS; k-- > 0;)
			cuts[k] = lab.first_ns +
				  (lab.now_ns - lab.first_ns) / (CUTS + 1) * (int64_t)(k + 1);
		lab_close(&lab);
		for (size_t k = 0; k <= CUTS; k++)
			evidence_open(&e[k], &world);
		lab_open(&lab, &world, captures[i], true);
		take_with_cuts(&(struct cutting){ &lab, e, cuts, CUTS, 0, false });
		part = lab_stop(&lab);
		evidence_add(&e[CUTS], &part, true);
		for (size_t k = 0; k <= CUTS; k++) {
			struct lya_ledger_counts counts = evidence_counts(&e[k]);

			evidence_agrees(&e[k]);
			sum.packets += counts.packets;
			sum.bytes += counts.bytes;
			flows += counts.flows;
			opened += e[k].opened;
			if (k < CUTS) {
				struct lya_flow_sum want =
				    packets_until(captures[i], UINT64_MAX, cuts[k]);

				assert_int_equal(sum.packets, want.packets);
				assert_int_equal(sum.bytes, want.bytes);
			}
			assert_true(e[k].tally->counts.first_ns == LYA_TIME_NONE || k == 0 ||
				    e[k].tally->counts.first_ns >= cuts[k - 1]);
			assert_true(e[k].tally->counts.last_ns == LYA_TIME_NONE || k == CUTS ||
				    e[k].tally->counts.last_ns < cuts[k]);
		}
		assert_true(flows >= opened);
		for (size_t k = 0; k <= CUTS; k++)
			evidence_close(&e[k]);
		lab_close(&lab);
	}
}

/* Without a bound, then 4, then 8; threads have the first and the last. */
static size_t table_step(void)
{
	return world.threads > 1 ? 8 : 4;
}

/* With a table so small that flows end all the time, during passes too. */
static void test_passes(void **state)
{
	(void)state;
	for (world.max_flows = 0; world.max_flows <= 8; world.max_flows += table_step())
		check_passes();
	world.max_flows = 0;
}

static void test_killed(void **state)
{
	(void)state;
	for (world.max_flows = 0; world.max_flows <= 8; world.max_flows += table_step())
		check_killed();
	world.max_flows = 0;
}

static void test_periods(void **state)
{
	(void)state;
	for (world.max_flows = 0; world.max_flows <= 8; world.max_flows += table_step())
		check_periods();
	world.max_flows = 0;
}

/*
 * The same site read again and again: flows that live over it count once, and what is known
 * of them, of listeners and of certificates goes on.
 */
static void test_reload(void **state)
{
	static const char *const names[] = { "lab-day", "lab-violations", "lab-tls", "lab-xmpp",
					     "lab-rows" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char *want = whole_report(&world, names[i]), *got;
		struct lab_world worlds[8] = { { .threads = world.threads } };
		struct lya_audit_part part;
		struct evidence e;
		struct lab lab;
		size_t n = 1, batch = 0;

		lab_world_open(&worlds[0], NULL);
		evidence_open(&e, &world);
		lab_open(&lab, &worlds[0], names[i], true);
		while (lab_next(&lab) > 0) {
			struct lya_error err;

			if (++batch % 5 != 0 || n == 8)
				continue;
			if (n % 2 == 0) { /* a checkpoint that was under way is given up */
				pass_begin(&lab, LYA_PASS_CHECKPOINT, 0);
				(void)pass_step(&lab, 2);
			}
			lab_world_open(&worlds[n], NULL);
			assert_int_equal(lya_audit_reload(lab.audit, worlds[n].policy, lab.sources,
							  lab.n_sources, &part, &err),
					 LYA_OK);
			assert_null(part.open);
			evidence_add(&e, &part, true);
			lab_world_close(&worlds[n - 1]);
			n++;
		}
		assert_true(n > 1);
		part = lab_stop(&lab);
		evidence_add(&e, &part, true);
		evidence_agrees(&e);
		got = evidence_report(&e);
		assert_same_text(got, want, names[i]);
		free(got);
		free(want);
		lab_close(&lab);
		lab_world_close(&worlds[n - 1]);
		evidence_close(&e);
	}
}

static const char other_key[] =
    "{\"schema\": \"lyncaudit-site/1\", \"name\": \"x\", \"timezone\": \"UTC\","
    " \"networks\": {\"internal\": [\"10.0.0.0/8\"]}, \"vlan_in_key\": true, \"hosts\": []}";

/* What cannot change is refused, and nothing has changed. */
static void test_reload_refused(void **state)
{
	struct lab_world other;
	struct lya_audit_part part;
	struct lya_error err;
	struct lab lab;

	(void)state;
	lab_world_open(&other, other_key);
	lab_open(&lab, &world, "lab-day", true);
	(void)lab_next(&lab);
	assert_int_equal(lya_audit_reload(lab.audit, other.policy, lab.sources, lab.n_sources,
					  &part, &err),
			 LYA_EUSAGE);
	assert_non_null(strstr(err.text, "vlan_in_key"));
	while (lab_next(&lab) > 0)
		;
	part = lab_stop(&lab);
	assert_true(part.tally->counts.packets > LAB_FRAMES);
	lya_audit_part_fini(&part);
	lab_close(&lab);
	lab_world_close(&other);
}

/* So is what finds no memory, wherever that runs out: the rules of before stay in force. */
static void test_reload_without_memory(void **state)
{
	struct lya_audit_part part;
	struct lya_error err;
	int rc = LYA_ENOMEM;
	uint64_t n = 1;

	(void)state;
	world.packets = true;
	for (; rc != LYA_OK; n++) {
		struct lab_world other;
		struct lab lab;
		size_t frames = 0;

		lab_world_open(&other, NULL);
		lab_open(&lab, &world, "lab-day", true);
		for (unsigned i = 0; i < 2; i++)
			frames += lab_next(&lab);
		assert_int_equal(lya_audit_settle(lab.audit, &err), LYA_OK);
		lya_alloc_fail_at(n); /* of the reload alone */
		rc = lya_audit_reload(lab.audit, other.policy, lab.sources, lab.n_sources, &part,
				      &err);
		lya_alloc_fail_at(0);
		if (rc != LYA_OK) {
			assert_int_equal(rc, LYA_ENOMEM);
			lab_world_close(&other);
		}
		lya_audit_part_fini(&part);
		frames += lab_next(&lab);
		part = lab_stop(&lab);
		assert_ptr_equal(lya_ledger_policy(part.ended),
				 rc == LYA_OK ? other.policy : world.policy);
		if (rc != LYA_OK)
			assert_int_equal(part.tally->counts.packets, frames);
		lya_audit_part_fini(&part);
		lab_close(&lab);
		if (rc == LYA_OK)
			lab_world_close(&other);
	}
	assert_true(n > 10);
	world.packets = false;
}

/* Packets -------------------------------------------------------------------------------- */

/* What an audit that ends writes. */
static void whole_file(const char *name, struct lya_text *text)
{
	struct lya_finding_packets total;
	struct lya_output *out;
	struct lya_error err;
	struct lab lab;

	lab_open(&lab, &world, name, false);
	while (lab_next(&lab) > 0)
		;
	assert_int_equal(lya_audit_finish(lab.audit, lab.sources, lab.n_sources, &err), LYA_OK);
	assert_int_equal(lya_output_open_text(&out, text, NULL), LYA_OK);
	assert_int_equal(lya_audit_evidence(lab.audit, lab.sources, lab.n_sources, out, NULL, &total,
					    &err),
			 LYA_OK);
	assert_int_equal(lya_output_commit(out, &err), LYA_OK);
	lab_close(&lab);
}

/* The packets of parts are joined as their ledgers are. */
static void join_packets(struct lya_evidence **all, struct evidence *e, struct lya_audit_part *part,
			 bool last)
{
	struct lya_error err;

	if (*all == NULL)
		assert_int_equal(lya_evidence_new_in(all, lya_evidence_room_of(part->packets), &err),
				 LYA_OK);
	evidence_add_ledger(e, part->ended);
	if (last)
		evidence_add_tally(e, part->tally);
	assert_int_equal(lya_evidence_merge(*all, part->packets, e->ledger, NULL, 0, &err), LYA_OK);
	if (part->open_packets != NULL) /* they come again when their flows have ended */
		assert_int_equal(lya_evidence_merge(*all, part->open_packets, NULL, NULL, 0, &err),
				 LYA_OK);
	lya_audit_part_fini(part);
}

static void joined_file(const char *name, uint32_t seed, struct lya_text *text)
{
	struct lya_evidence *all = NULL;
	struct lya_finding_packets total;
	struct lya_evidence_about about = { .since_ns = LYA_TIME_NONE };
	struct lya_output *out;
	struct lya_error err;
	struct evidence e;
	struct lab lab;
	char *report;
	struct lya_audit_part part;
	bool running = false;

	evidence_open(&e, &world);
	lab_open(&lab, &world, name, true);
	while (lab_next(&lab) > 0) {
		if (!running || next_random(&seed) % 40 == 0) {
			pass_begin(&lab, next_random(&seed) % 2 ? LYA_PASS_CHECKPOINT : LYA_PASS_REPORT,
				   0);
			running = true;
		}
		if (!pass_step(&lab, 1 + next_random(&seed) % 7))
			continue;
		part = pass_end(&lab);
		join_packets(&all, &e, &part, false);
		running = false;
	}
	part = lab_stop(&lab);
	about.sources = lab.sources;
	about.n_sources = lab.n_sources;
	join_packets(&all, &e, &part, true);
	report = evidence_report(&e); /* it finishes the ledger */
	about.ledger = e.ledger;
	assert_int_equal(lya_output_open_text(&out, text, NULL), LYA_OK);
	assert_int_equal(lya_evidence_write(all, &about, out, NULL, &total, &err), LYA_OK);
	assert_int_equal(lya_output_commit(out, &err), LYA_OK);
	assert_int_equal(total.left_out, 0);
	free(report);
	lya_evidence_free(all);
	lab_close(&lab);
	evidence_close(&e);
}

/* Whatever passes there were: the same packets, byte for byte. */
static void test_packets(void **state)
{
	(void)state;
	world.packets = true;
	for (size_t i = 0; i < CAPTURES; i++) {
		struct lya_text want = { 0 };

		whole_file(captures[i], &want);
		for (uint32_t seed = 1; seed <= 3; seed++) {
			struct lya_text got = { 0 };

			joined_file(captures[i], seed, &got);
			assert_int_equal(got.len, want.len);
			assert_memory_equal(got.data, want.data, want.len);
			lya_text_fini(&got);
		}
		lya_text_fini(&want);
	}
	world.packets = false;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_passes),
		cmocka_unit_test(test_packets),         cmocka_unit_test(test_killed),
		cmocka_unit_test(test_periods),        cmocka_unit_test(test_reload),
		cmocka_unit_test(test_reload_refused),
		cmocka_unit_test(test_reload_without_memory),
	};

	int failed = 0;

	for (world.threads = 1; world.threads <= 3; world.threads++)
		failed += cmocka_run_group_tests(tests, setup, teardown);
	return failed;
}
