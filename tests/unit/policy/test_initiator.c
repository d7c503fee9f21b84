/*
 * test_initiator.c - who opened a flow, on what basis and with what grade
 * (policy-model "Flows, initiator, state").
 */
#include "judge.h"

#define CLIENT "10.20.0.5"
#define CLIENT2 "10.20.0.9"
#define FE "10.2.0.11"
#define PSTN "10.3.0.5"
#define MED "10.2.0.31"
#define EDGE_INT "10.1.0.21"
#define RP "10.1.0.41"
#define OTHER "10.9.0.10" /* internal, no declared role */

struct initiator_case {
	const char *name;
	struct talk talk;
	char initiator;
	enum lya_basis basis;
	enum lya_grade grade;
	enum lya_verdict_kind kind;
};

static const struct initiator_case CASES[] = {
	/* syn */
	{ "SYN",
	  { TCP, CLIENT, 40000, FE, 5061, .seen = SYN_X, .first = 'Y' },
	  'X',
	  LYA_BASIS_SYN,
	  LYA_GRADE_CERTAIN,
	  LYA_VERDICT_DOCUMENTED },
	{ "SYN against all else",
	  { TCP, CLIENT, 40000, FE, 5061, .seen = SYN_X | CLIENT_Y, .first = 'Y', .listener = 'X' },
	  'X',
	  LYA_BASIS_SYN,
	  LYA_GRADE_CERTAIN,
	  LYA_VERDICT_DOCUMENTED },
	{ "SYN against the documented direction",
	  { TCP, MED, 40000, PSTN, 5067, .seen = SYN_X },
	  'X',
	  LYA_BASIS_SYN,
	  LYA_GRADE_CERTAIN,
	  LYA_VERDICT_WRONG_DIRECTION },

	/* syn-ack */
	{ "SYN-ACK, went on",
	  { TCP, CLIENT, 40000, FE, 5061, .seen = SYNACK_Y | WENT_ON },
	  'X',
	  LYA_BASIS_SYN_ACK,
	  LYA_GRADE_CERTAIN,
	  LYA_VERDICT_DOCUMENTED },
	{ "SYN-ACK alone",
	  { TCP, CLIENT, 40000, FE, 5061, .seen = SYNACK_Y },
	  'X',
	  LYA_BASIS_SYN_ACK,
	  LYA_GRADE_STRONG,
	  LYA_VERDICT_DOCUMENTED },
	{ "SYN-ACK alone is better than a narrower range",
	  { TCP, CLIENT, 40000, FE, 5061, .seen = SYNACK_X },
	  'Y',
	  LYA_BASIS_SYN_ACK,
	  LYA_GRADE_STRONG,
	  LYA_VERDICT_DOCUMENTED },
	{ "SYN-ACK alone gives way to the documented direction",
	  { TCP, PSTN, 40000, MED, 5067, .seen = SYNACK_X },
	  'X',
	  LYA_BASIS_DOCUMENTED_PORT,
	  LYA_GRADE_STRONG,
	  LYA_VERDICT_DOCUMENTED },
	{ "SYN-ACK, went on, does not",
	  { TCP, PSTN, 40000, MED, 5067, .seen = SYNACK_X | WENT_ON },
	  'Y',
	  LYA_BASIS_SYN_ACK,
	  LYA_GRADE_CERTAIN,
	  LYA_VERDICT_WRONG_DIRECTION },
	{ "wrong direction needs certainty: with it",
	  { TCP, FE, 51000, RP, 4443, .seen = SYNACK_Y | WENT_ON },
	  'X',
	  LYA_BASIS_SYN_ACK,
	  LYA_GRADE_CERTAIN,
	  LYA_VERDICT_WRONG_DIRECTION },
	{ "wrong direction needs certainty: without",
	  { TCP, FE, 51000, RP, 4443, .seen = SYNACK_Y },
	  'X',
	  LYA_BASIS_SYN_ACK,
	  LYA_GRADE_STRONG,
	  LYA_VERDICT_UNDOCUMENTED_PATH },

	/* protocol */
	{ "request over UDP",
	  { UDP, FE, 50000, EDGE_INT, 3478, .seen = CLIENT_X, .first = 'Y' },
	  'X',
	  LYA_BASIS_PROTOCOL,
	  LYA_GRADE_CERTAIN,
	  LYA_VERDICT_DOCUMENTED },
	{ "hello in the middle of a stream",
	  { TCP, CLIENT, 40000, FE, 5061, .seen = CLIENT_X, .first = 'Y' },
	  'X',
	  LYA_BASIS_PROTOCOL,
	  LYA_GRADE_CERTAIN,
	  LYA_VERDICT_DOCUMENTED },
	{ "a certain payload is better than a lone SYN-ACK",
	  { TCP, CLIENT, 40000, FE, 5061, .seen = SYNACK_Y | CLIENT_X },
	  'X',
	  LYA_BASIS_PROTOCOL,
	  LYA_GRADE_CERTAIN,
	  LYA_VERDICT_DOCUMENTED },
	{ "a request against the documented direction",
	  { UDP, EDGE_INT, 40000, FE, 3478, .seen = CLIENT_X },
	  'X',
	  LYA_BASIS_PROTOCOL,
	  LYA_GRADE_CERTAIN,
	  LYA_VERDICT_WRONG_DIRECTION },
	{ "the same without a request: the lower port answers, and no wrong direction",
	  { UDP, EDGE_INT, 40000, FE, 3478, .seen = NOTHING },
	  'X',
	  LYA_BASIS_PORT_ORDER,
	  LYA_GRADE_HINT,
	  LYA_VERDICT_UNEXPECTED_PORT },

	/* documented-port */
	{ "one documented side",
	  { TCP, PSTN, 40000, MED, 5067, .first = 'Y' },
	  'X',
	  LYA_BASIS_DOCUMENTED_PORT,
	  LYA_GRADE_STRONG,
	  LYA_VERDICT_DOCUMENTED },
	{ "one documented side, at the higher port",
	  { TCP, PSTN, 2000, MED, 5067, .first = 'Y' },
	  'X',
	  LYA_BASIS_DOCUMENTED_PORT,
	  LYA_GRADE_STRONG,
	  LYA_VERDICT_DOCUMENTED },
	{ "one documented side, the other a known listener",
	  { TCP, PSTN, 40000, MED, 5067, .listener = 'X' },
	  'X',
	  LYA_BASIS_DOCUMENTED_PORT,
	  LYA_GRADE_STRONG,
	  LYA_VERDICT_DOCUMENTED },
	{ "both documented: a port is narrower than the client range",
	  { TCP, CLIENT, 40000, FE, 5061, .first = 'Y' },
	  'X',
	  LYA_BASIS_DOCUMENTED_PORT,
	  LYA_GRADE_STRONG,
	  LYA_VERDICT_DOCUMENTED },
	{ "both documented: the media range is narrower than the client range",
	  { UDP, CLIENT, 2000, FE, 50000, .first = 'Y' },
	  'X',
	  LYA_BASIS_DOCUMENTED_PORT,
	  LYA_GRADE_STRONG,
	  LYA_VERDICT_DOCUMENTED },

	/* both documented and equally wide: that basis does not tell, the next one does */
	{ "equal ranges: the known listener answers",
	  { UDP, CLIENT, 50020, CLIENT2, 50040, .listener = 'Y' },
	  'X',
	  LYA_BASIS_KNOWN_LISTENER,
	  LYA_GRADE_STRONG,
	  LYA_VERDICT_DOCUMENTED },
	{ "equal ranges: the lower port answers",
	  { UDP, CLIENT, 50020, CLIENT2, 50040, .seen = NOTHING },
	  'Y',
	  LYA_BASIS_PORT_ORDER,
	  LYA_GRADE_HINT,
	  LYA_VERDICT_DOCUMENTED },
	{ "equal ranges and ports: the first packet",
	  { UDP, CLIENT, 50020, CLIENT2, 50020, .first = 'Y' },
	  'Y',
	  LYA_BASIS_FIRST_PACKET,
	  LYA_GRADE_HINT,
	  LYA_VERDICT_DOCUMENTED },

	/* known-listener, port-order, first-packet */
	{ "known listener at the lower port",
	  { TCP, FE, 4000, OTHER, 9000, .listener = 'X' },
	  'Y',
	  LYA_BASIS_KNOWN_LISTENER,
	  LYA_GRADE_STRONG,
	  LYA_VERDICT_UNEXPECTED_PORT },
	{ "known listener at the higher port",
	  { TCP, FE, 4000, OTHER, 9000, .listener = 'Y' },
	  'X',
	  LYA_BASIS_KNOWN_LISTENER,
	  LYA_GRADE_STRONG,
	  LYA_VERDICT_UNDOCUMENTED_PATH },
	{ "lone SYN-ACK is better than a known listener",
	  { TCP, FE, 4000, OTHER, 9000, .seen = SYNACK_X, .listener = 'Y' },
	  'Y',
	  LYA_BASIS_SYN_ACK,
	  LYA_GRADE_STRONG,
	  LYA_VERDICT_UNEXPECTED_PORT },
	{ "port order",
	  { TCP, FE, 4000, OTHER, 9000, .seen = NOTHING },
	  'Y',
	  LYA_BASIS_PORT_ORDER,
	  LYA_GRADE_HINT,
	  LYA_VERDICT_UNEXPECTED_PORT },
	{ "port order, the other way",
	  { TCP, FE, 9000, OTHER, 4000, .seen = NOTHING },
	  'X',
	  LYA_BASIS_PORT_ORDER,
	  LYA_GRADE_HINT,
	  LYA_VERDICT_UNDOCUMENTED_PATH },
	{ "first packet",
	  { TCP, FE, 4000, OTHER, 4000, .first = 'Y' },
	  'Y',
	  LYA_BASIS_FIRST_PACKET,
	  LYA_GRADE_HINT,
	  LYA_VERDICT_UNEXPECTED_PORT },
	{ "first packet of the other end",
	  { TCP, FE, 4000, OTHER, 4000, .seen = NOTHING },
	  'X',
	  LYA_BASIS_FIRST_PACKET,
	  LYA_GRADE_HINT,
	  LYA_VERDICT_UNDOCUMENTED_PATH },
};

static void test_initiator(void **state)
{
	struct court c;
	size_t failed = 0;

	(void)state;
	court_open(&c, NULL, "site-hlb.json", false);
	for (size_t i = 0; i < LENGTH(CASES); i++) {
		const struct initiator_case *k = &CASES[i];
		struct lya_verdict v;
		char initiator = judge(&c, &k->talk, &v);

		if (initiator == k->initiator && v.basis == k->basis && v.grade == k->grade &&
		    v.kind == k->kind)
			continue;
		failed++;
		print_error("%s: %c %s %s %s\n", k->name, initiator,
			    lya_basis_name((enum lya_basis)v.basis),
			    lya_grade_name((enum lya_grade)v.grade),
			    lya_verdict_name((enum lya_verdict_kind)v.kind));
	}
	court_close(&c);
	assert_int_equal(failed, 0);
}

/* Only what is certain makes a known listener for other flows. */
static void test_certain_responder(void **state)
{
	static const struct {
		struct talk talk;
		char responder; /* 0: not certain */
	} cases[] = {
		{ { TCP, CLIENT, 40000, FE, 5061, .seen = SYN_X }, 'Y' },
		{ { TCP, CLIENT, 40000, FE, 5061, .seen = SYN_Y }, 'X' },
		{ { TCP, CLIENT, 40000, FE, 5061, .seen = SYNACK_Y | WENT_ON }, 'Y' },
		{ { UDP, FE, 50000, EDGE_INT, 3478, .seen = CLIENT_X }, 'Y' },
		{ { TCP, CLIENT, 40000, FE, 5061, .seen = SYNACK_Y }, 0 },
		{ { TCP, CLIENT, 40000, FE, 5061, .seen = NOTHING }, 0 },
		{ { TCP, CLIENT, 0, FE, 0, .seen = SYN_X, .unknown = LYA_UNKNOWN_CUT }, 0 },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct lya_flow f;
		int x = flow_of(&cases[i].talk, &f);
		int side = -1;

		assert_int_equal(lya_policy_certain_responder(&f, &side), cases[i].responder != 0);
		if (cases[i].responder != 0)
			assert_int_equal(side, side_of(cases[i].responder, x));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_initiator),
		cmocka_unit_test(test_certain_responder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
