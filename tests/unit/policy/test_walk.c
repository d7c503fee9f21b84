/*
 * test_walk.c - a property: a walk by ports meets every row that has one of them, in order; and of
 * thousands of rows it meets few.
 */
#include "judge.h"

#include "policy/policy.h"

#include <stdlib.h>

enum { ROUNDS = 20000, MANY = 3000 };

static uint64_t next_random(uint64_t *s)
{
	*s ^= *s << 13; /* xorshift64 */
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s;
}

/* A port at or beside the edge of some row, or any. */
static uint16_t pick_port(const struct lya_policy *p, uint64_t *s)
{
	const struct policy_row *row = &p->rows[next_random(s) % p->n_rows];
	const struct lya_port_range *range;

	if (row->n_ports == 0 || next_random(s) % 3 == 0)
		return (uint16_t)next_random(s);
	range = &row->ports[next_random(s) % row->n_ports];
	return (uint16_t)((next_random(s) % 2 ? range->first : range->last) +
			  next_random(s) % 3 - 1);
}

static bool may_match(const struct policy_row *row, uint16_t iport, uint16_t rport)
{
	return !row->rule->statement &&
	       (policy_row_has_port(row, iport) || policy_row_has_port(row, rport));
}

/* Walk, and hold it against asking every row.  Returns how many rows were met. */
static size_t walk_all(const struct lya_policy *p, uint16_t iport, uint16_t rport)
{
	struct policy_walk walk = policy_walk(p, iport, rport);
	size_t met = 0;
	int before = -1;
	int k;

	do {
		k = policy_walk_next(&walk);
		assert_true(k < 0 || k > before);
		for (int left = before + 1; left < (k < 0 ? (int)p->n_rows : k); left++) {
			if (may_match(&p->rows[left], iport, rport))
				fail_msg("ports %u, %u: %s is left out", iport, rport,
					 p->rows[left].rule->id);
		}
		met += k >= 0;
		before = k;
	} while (k >= 0);
	assert_int_equal(policy_walk_next(&walk), -1);
	return met;
}

static void walk_site(const char *site, bool strict, uint64_t seed)
{
	struct court c;

	court_open(&c, NULL, site, strict);
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint16_t iport = pick_port(c.policy, &seed);
		uint16_t rport = i % 50 == 0 ? iport : pick_port(c.policy, &seed);

		(void)walk_all(c.policy, iport, rport);
	}
	court_close(&c);
}

static void test_every_row(void **state)
{
	(void)state;
	walk_site("site-hlb.json", false, 1);
	walk_site("site-dns.json", true, 2);
	walk_site("site-moved.json", false, 3); /* ports that the site moved */
}

static int put_row(char *at, size_t room, int row, const char *ports)
{
	return snprintf(at, room,
			"%s{\"id\": \"edge.1.%d\", \"title\": \"T\", \"from\": [\"client\"], "
			"\"to\": [\"front-end\"], \"transport\": [\"tcp\"], \"ports\": [%s], "
			"\"port_of\": \"responder\", \"strict\": null, \"application\": \"tcp\", "
			"\"feature\": null, \"required\": false, "
			"\"document\": {\"key\": \"edge\", \"table\": 1, \"row\": %d}}",
			row > 1 ? ", " : "", row, ports, row);
}

/* Rows with ports of their own, a single one and a few more, and a last one that has all ports. */
static void many_rules(struct lya_rules **rules)
{
	enum { ROOM = MANY * 512 };
	char *text = malloc(ROOM);
	struct lya_diags diags = { 0 };
	struct lya_error err = { 0 };
	int len;

	assert_non_null(text);
	len = snprintf(text, ROOM,
		       "{\"schema\": \"lyncaudit-rules/1\", \"document\": {\"key\": \"edge\", "
		       "\"title\": \"T\", \"source\": \"S\"}, \"rules\": [");
	for (int i = 1; i < MANY; i++) {
		char ports[64];

		snprintf(ports, sizeof(ports), "\"%d\", \"%d-%d\"", 20 * i, 20 * i + 5, 20 * i + 9);
		len += put_row(text + len, ROOM - (size_t)len, i, ports);
	}
	len += put_row(text + len, ROOM - (size_t)len, MANY, "\"1-65535\"");
	(void)snprintf(text + len, ROOM - (size_t)len, "]}");
	if (lya_rules_load_text(rules, "many.json", text, strlen(text), &diags, &err) != LYA_OK)
		fail_msg("%s", err.text);
	lya_diags_fini(&diags);
	free(text);
}

static void test_few_of_many(void **state)
{
	static const struct {
		uint16_t iport, rport;
		size_t met; /* with the row that has all ports */
	} cases[] = {
		{ 1, 2, 1 },          { 20, 1, 2 },        { 1, 20, 2 },   { 40, 46, 2 },
		{ 40, 60, 3 },        { 41, 64, 1 },       { 49, 50, 2 },  { 59980, 59989, 2 },
		{ 59990, 65535, 1 },  { 0, 0, 1 },
	};
	struct lya_diags diags = { 0 };
	struct lya_error err = { 0 };
	struct court c;

	(void)state;
	court_open(&c, NULL, "site-hlb.json", false);
	lya_policy_free(c.policy);
	lya_rules_free(c.rules);
	many_rules(&c.rules);
	assert_int_equal(lya_policy_new(&c.policy, c.site, c.rules, false, &diags, &err), LYA_OK);
	for (size_t i = 0; i < LENGTH(cases); i++)
		assert_int_equal(walk_all(c.policy, cases[i].iport, cases[i].rport), cases[i].met);
	lya_diags_fini(&diags);
	court_close(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_every_row),
					    cmocka_unit_test(test_few_of_many) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
