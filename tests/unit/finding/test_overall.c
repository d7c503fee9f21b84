/*
 * test_overall.c - findings that all flows together make, each with traffic
 * that has the fault and with the same traffic without it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "example.h"

#define FE1 "10.2.0.11"
#define FE2 "10.2.0.12"
#define DIR_VIP "10.2.0.20"
#define FE_VIP "10.2.0.10"
#define EDGE_VIP "10.1.0.11"
#define E1I "10.1.0.21"
#define E2I "10.1.0.22"
#define E1ACCESS "198.51.100.21"
#define E1AV "198.51.100.23"
#define AV_VIP "198.51.100.13"
#define ACCESS_VIP "198.51.100.11"
#define HLB_INT "10.2.0.2"
#define RPROXY "10.1.0.41"
#define DESK "10.20.1.5"
#define HOME "203.0.113.50"
#define HOTEL "203.0.113.60"
#define NOBODY "10.9.9.9" /* internal, undeclared */

/* A flow in a few words. */
struct line {
	const char *src, *dst;
	uint16_t sport, dport;
	uint8_t transport;
	enum lya_flow_state state;
	enum lya_app app;
	uint32_t source;
	enum {
		REQUEST = 1,  /* the payload names src the client */
		ANSWERED = 2, /* UDP: dst sent too */
		ICE = 4,      /* nothing but checks */
		MEDIA = 8,    /* media were seen in it */
		LATE = 16,    /* begins in the audit's last second */
		ALONE = 32,   /* TCP: a SYN-ACK of dst is all there is.  UDP: only dst sends */
		HELLO = 64    /* TLS: the server's hello was seen */
	} is;
};

#define END_NS (WORLD_TIME + 3600 * LYA_SECOND_NS)

static struct lya_flow flow_of(const struct line *line)
{
	struct lya_flow f = world_flow(line->src, line->sport != 0 ? line->sport : 50123, line->dst,
				       line->dport, line->transport, line->state);
	unsigned from = (unsigned)f.first_side;

	f.app.app = (uint8_t)line->app;
	f.source = line->source;
	if (line->is & REQUEST)
		f.app.client_side = (int8_t)from;
	if (line->is & MEDIA)
		f.app.seen = LYA_SEEN_MEDIA;
	if (line->is & HELLO)
		f.app.tls = LYA_TLS_CLIENT_HELLO | LYA_TLS_SERVER_HELLO;
	f.app.ice = (line->is & ICE) != 0;
	if (line->transport == 17) {
		f.answered = (line->is & ANSWERED) != 0;
		f.packets[!from] = f.answered;
	}
	if (line->is & LATE)
		f.first_ns = f.last_ns = END_NS - LYA_SECOND_NS / 2;
	if (line->is & ALONE) {
		f.packets[from] = 0;
		f.packets[!from] = 1;
		f.syn_side = -1;
		f.synack_continued = false;
		f.first_side = (int8_t)!from;
	}
	return f;
}

static void take(struct lya_ledger *l, const struct line *lines, size_t n)
{
	for (size_t i = 0; i < n && lines[i].src != NULL; i++) {
		struct lya_flow f = flow_of(&lines[i]);

		world_take(&world, l, &f, NULL, NULL);
	}
}

/* Source 0 shows both directions, source 1 one only. */
static void finish(struct lya_ledger *l, int64_t seconds)
{
	static const struct lya_ledger_source sources[] = { { false, END_NS }, { true, END_NS } };
	struct lya_ledger_end end = { .first_ns = END_NS - seconds * LYA_SECOND_NS,
				      .last_ns = END_NS,
				      .sources = sources,
				      .n_sources = 2 };

	assert_int_equal(lya_ledger_finish(l, &end, NULL), LYA_OK);
}

static size_t count(const struct lya_ledger *l, const char *type)
{
	size_t n, hits = 0;
	const struct lya_finding *list = lya_ledger_findings(l, &n);

	for (size_t i = 0; i < n; i++)
		hits += strcmp(list[i].type, type) == 0;
	return hits;
}

static bool cites(const struct lya_finding *f, const char *rule)
{
	for (size_t i = 0; i < f->n_rules; i++) {
		if (f->rules[i] == world_rule(&world, rule))
			return true;
	}
	return false;
}

enum { LINES = 4 };

struct scene {
	const char *name;
	size_t findings;
	struct line lines[LINES];
};

static void play(const struct scene *scenes, size_t n, const char *type)
{
	for (size_t i = 0; i < n; i++) {
		struct lya_ledger *l = world_ledger(&world, 0);

		take(l, scenes[i].lines, LINES);
		finish(l, 3600);
		if (count(l, type) != scenes[i].findings)
			print_error("scene: %s\n", scenes[i].name);
		assert_int_equal(count(l, type), scenes[i].findings);
		lya_ledger_free(l);
	}
}

#define TRIED LYA_STATE_ATTEMPTED
#define REFUSED LYA_STATE_REFUSED
#define WORKS LYA_STATE_CLOSED
#define UDP LYA_STATE_NONE
#define COUNT_OF(list) (sizeof(list) / sizeof((list)[0]))

static void test_blocked(void **state)
{
	static const struct scene scenes[] = {
		{ "never answered",
		  1,
		  { { FE2, E2I, 0, 50001, 6, TRIED, 0, 0, 0 },
		    { FE2, E2I, 50124, 50001, 6, TRIED, 0, 0, 0 } } },
		{ "refused", 1, { { FE2, E2I, 0, 8057, 6, REFUSED, 0, 0, 0 } } },
		{ "one attempt got through",
		  0,
		  { { FE2, E2I, 0, 8057, 6, REFUSED, 0, 0, 0 },
		    { FE2, E2I, 50124, 8057, 6, WORKS, 0, 0, 0 } } },
		{ "it got through where another sensor looks",
		  0,
		  { { FE2, E2I, 0, 8057, 6, TRIED, 0, 0, 0 },
		    { FE2, E2I, 50124, 8057, 6, WORKS, 0, 1, 0 } } },
		{ "another server's success is not this one's",
		  1,
		  { { FE2, E2I, 0, 8057, 6, TRIED, 0, 0, 0 },
		    { FE1, E2I, 0, 8057, 6, WORKS, 0, 0, 0 },
		    { FE2, E1I, 0, 8057, 6, WORKS, 0, 0, 0 },
		    { FE2, E2I, 0, 50001, 6, WORKS, 0, 0, 0 } } },
		{ "a health probe", 0, { { HLB_INT, FE2, 0, 5061, 6, TRIED, 0, 0, 0 } } },
		{ "not documented", 0, { { FE2, E2I, 0, 1433, 6, TRIED, 0, 0, 0 } } },
		{ "no time for an answer", 0, { { FE2, E2I, 0, 8057, 6, TRIED, 0, 0, LATE } } },
		{ "a refusal needs no time", 1, { { FE2, E2I, 0, 8057, 6, REFUSED, 0, 0, LATE } } },
		{ "one direction only", 0, { { FE2, E2I, 0, 8057, 6, TRIED, 0, 1, 0 } } },
		{ "both sources, one of them whole",
		  1,
		  { { FE2, E2I, 0, 8057, 6, TRIED, 0, 1, 0 },
		    { FE2, E2I, 50124, 8057, 6, TRIED, 0, 0, 0 } } },
		{ "a media port of a front-end",
		  0,
		  { { DESK, FE1, 0, 50200, 6, TRIED, 0, 0, 0 } } },
		{ "from a media port to a listener",
		  1,
		  { { E1AV, "203.0.113.20", 50100, 443, 6, TRIED, 0, 0, 0 } } },
		{ "a STUN request",
		  1,
		  { { FE1, EDGE_VIP, 0, 3478, 17, UDP, LYA_APP_STUN, 0, REQUEST } } },
		{ "a STUN request with an answer",
		  0,
		  { { FE1, EDGE_VIP, 0, 3478, 17, UDP, LYA_APP_STUN, 0, REQUEST | ANSWERED } } },
		{ "ICE checks",
		  0,
		  { { FE1, EDGE_VIP, 0, 3478, 17, UDP, LYA_APP_STUN, 0, REQUEST | ICE } } },
		{ "media follow: somebody did answer",
		  0,
		  { { FE1, EDGE_VIP, 0, 3478, 17, UDP, LYA_APP_MSTURN, 0, REQUEST | MEDIA } } },
		{ "nobody asked anything",
		  0,
		  { { FE1, EDGE_VIP, 0, 3478, 17, UDP, LYA_APP_UNKNOWN, 0, 0 } } },
		{ "a STUN request to a media port",
		  0,
		  { { HOME, E1AV, 0, 50200, 17, UDP, LYA_APP_STUN, 0, REQUEST } } },
		{ "the node answers for its VIP",
		  0,
		  { { HOME, AV_VIP, 0, 3478, 17, UDP, LYA_APP_STUN, 0, REQUEST },
		    { HOME, E1AV, 0, 3478, 17, UDP, LYA_APP_STUN, 0, ALONE } } },
		{ "answers to what was asked elsewhere",
		  0,
		  { { HOME, E1AV, 0, 3478, 17, UDP, LYA_APP_STUN, 0, REQUEST | ALONE } } },
		{ "the node answers somebody else",
		  1,
		  { { HOME, AV_VIP, 0, 3478, 17, UDP, LYA_APP_STUN, 0, REQUEST },
		    { HOTEL, E1AV, 0, 3478, 17, UDP, LYA_APP_STUN, 0, ALONE } } },
	};

	(void)state;
	play(scenes, COUNT_OF(scenes), "blocked-flow");
}

static void test_blocked_told(void **state)
{
	static const struct line lines[] = {
		{ FE2, E2I, 0, 50001, 6, TRIED, 0, 0, 0 },
		{ FE2, E2I, 50124, 50001, 6, TRIED, 0, 0, 0 },
	};
	struct lya_ledger *l = world_ledger(&world, 0);
	const struct lya_finding *f;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct lya_flow flow = flow_of(&lines[i]);

		flow.icmp_error = true;
		flow.icmp_type = 3;
		flow.icmp_code = 13;
		world_take(&world, l, &flow, NULL, NULL);
	}
	finish(l, 3600);
	f = world_finding(l, "blocked-flow");
	assert_non_null(f);
	assert_int_equal(f->severity, LYA_SEVERITY_MEDIUM);
	assert_int_equal(f->flows, 2);
	assert_int_equal(f->attempted, 2);
	assert_string_equal(f->initiator.host, "fe02");
	assert_string_equal(f->responder.host, "edge02");
	assert_int_equal(f->n_ports, 1);
	assert_int_equal(f->ports[0].first, 50001);
	assert_true(cites(f, "edge.2.6"));
	assert_string_equal(f->what,
			    "fe02 (front-end, 10.2.0.12) tried to reach edge02 "
			    "(edge-internal, 10.1.0.22) on tcp 50001 2 times and was never "
			    "answered; an ICMP error said \"administratively prohibited\".");
	assert_non_null(strstr(f->why, "edge.2.6"));
	assert_non_null(strstr(f->fix, "tcp 50001"));
	assert_int_equal(count(l, "undocumented-path"), 0);
	lya_ledger_free(l);
}

static void test_sip(void **state)
{
	static const struct scene scenes[] = {
		{ "the other way fails",
		  1,
		  { { FE1, EDGE_VIP, 0, 5061, 6, WORKS, 0, 0, 0 },
		    { E1I, DIR_VIP, 0, 5061, 6, TRIED, 0, 0, 0 } } },
		{ "the other way is refused",
		  1,
		  { { E1I, FE_VIP, 0, 5061, 6, WORKS, 0, 0, 0 },
		    { FE1, EDGE_VIP, 0, 5061, 6, REFUSED, 0, 0, 0 } } },
		{ "the other way fails once",
		  0,
		  { { FE1, EDGE_VIP, 0, 5061, 6, WORKS, 0, 0, 0 },
		    { E1I, DIR_VIP, 0, 5061, 6, TRIED, 0, 0, 0 },
		    { E2I, FE_VIP, 0, 5061, 6, WORKS, 0, 0, 0 } } },
		{ "both ways",
		  0,
		  { { FE1, EDGE_VIP, 0, 5061, 6, WORKS, 0, 0, 0 },
		    { E1I, DIR_VIP, 0, 5061, 6, WORKS, 0, 0, 0 } } },
		{ "never the other way in an hour",
		  1,
		  { { FE1, EDGE_VIP, 0, 5061, 6, WORKS, 0, 0, 0 } } },
		{ "a leg is no direction of its own",
		  0,
		  { { FE1, EDGE_VIP, 0, 5061, 6, WORKS, 0, 0, 0 },
		    { FE1, E1I, 0, 5061, 6, WORKS, 0, 0, 0 },
		    { E1I, FE_VIP, 0, 5061, 6, WORKS, 0, 0, 0 } } },
		{ "no server but a client", 0, { { DESK, EDGE_VIP, 0, 5061, 6, WORKS, 0, 0, 0 } } },
		{ "authentication is not signalling",
		  0,
		  { { FE1, EDGE_VIP, 0, 5062, 6, WORKS, 0, 0, 0 } } },
		{ "only a probe", 0, { { "10.1.0.2", E1I, 0, 5061, 6, WORKS, 0, 0, 0 } } },
		{ "nothing works at all",
		  0,
		  { { FE1, EDGE_VIP, 0, 5061, 6, TRIED, 0, 0, 0 },
		    { E1I, DIR_VIP, 0, 5061, 6, TRIED, 0, 0, 0 } } },
		{ "who fails sits where one direction is seen",
		  0,
		  { { FE1, EDGE_VIP, 0, 5061, 6, WORKS, 0, 0, 0 },
		    { E1I, DIR_VIP, 0, 5061, 6, TRIED, 0, 1, 0 } } },
	};

	(void)state;
	play(scenes, COUNT_OF(scenes), "sip-one-way");
}

static void test_sip_told(void **state)
{
	static const struct line works = { FE1, EDGE_VIP, 0, 5061, 6, WORKS, 0, 0, 0 };
	static const struct line fails = { E1I, DIR_VIP, 0, 5061, 6, TRIED, 0, 0, 0 };
	char id[LYA_FINDING_ID];
	struct lya_ledger *l;
	const struct lya_finding *f;

	(void)state;
	/* Less than an hour says nothing of what was not seen. */
	l = world_ledger(&world, 0);
	take(l, &works, 1);
	finish(l, 3599);
	assert_int_equal(count(l, "sip-one-way"), 0);
	lya_ledger_free(l);

	l = world_ledger(&world, 0);
	take(l, &works, 1);
	finish(l, 7200);
	f = world_finding(l, "sip-one-way");
	assert_non_null(f);
	assert_int_equal(f->severity, LYA_SEVERITY_HIGH);
	assert_string_equal(f->statement, "edge.p.sip-both-ways");
	assert_non_null(strstr(f->what, "never tried"));
	assert_non_null(strstr(f->what, "120 minutes"));
	assert_null(strstr(f->what, "answered"));
	(void)snprintf(id, sizeof(id), "%s", f->id);
	lya_ledger_free(l);

	/* Tried and failed is other evidence of the same fault; a minute is enough. */
	l = world_ledger(&world, 0);
	take(l, &works, 1);
	take(l, &fails, 1);
	finish(l, 3600);
	f = world_finding(l, "sip-one-way");
	assert_non_null(f);
	assert_string_equal(f->id, id);
	assert_int_equal(f->initiator.role, LYA_ROLE_EDGE_INTERNAL);
	assert_int_equal(f->responder.role, LYA_ROLE_DIRECTOR_VIP);
	assert_int_equal(f->flows, 1);
	assert_non_null(strstr(f->what, "was not answered"));
	assert_null(strstr(f->what, "never tried"));
	lya_ledger_free(l);
}

static bool is_missing(const struct lya_ledger *l, const char *rule)
{
	size_t n;
	const struct lya_finding *list = lya_ledger_findings(l, &n);

	for (size_t i = 0; i < n; i++) {
		if (list[i].kind == LYA_FINDING_MISSING_FLOW && cites(&list[i], rule)) {
			assert_int_equal(list[i].severity, LYA_SEVERITY_INFO);
			assert_int_equal(list[i].flows, 0);
			assert_null(strstr(list[i].what, "answered"));
			return true;
		}
	}
	return false;
}

static void test_missing(void **state)
{
	static const struct {
		const char *name, *rule;
		bool missing;
		struct line lines[LINES];
	} scenes[] = {
		{ "replication never tried",
		  "edge.2.2",
		  true,
		  { { FE1, E1I, 0, 8057, 6, WORKS, 0, 0, 0 } } },
		{ "replication works",
		  "edge.2.2",
		  false,
		  { { FE1, E1I, 0, 4443, 6, WORKS, 0, 0, 0 } } },
		{ "replication blocked is tried",
		  "edge.2.2",
		  false,
		  { { FE1, E1I, 0, 4443, 6, TRIED, 0, 0, 0 } } },
		{ "no front-end in sight",
		  "edge.2.2",
		  false,
		  { { DESK, E1I, 0, 3478, 17, UDP, LYA_APP_STUN, 0, REQUEST | ANSWERED } } },
		{ "no Edge in sight",
		  "edge.2.2",
		  false,
		  { { FE1, FE2, 0, 444, 6, WORKS, 0, 0, 0 } } },
		{ "publishing never tried",
		  "rproxy.2.2",
		  true,
		  { { HOME, "198.51.100.41", 0, 443, 6, WORKS, 0, 0, 0 },
		    { RPROXY, "10.2.0.51", 0, 443, 6, WORKS, 0, 0, 0 },
		    { DESK, FE_VIP, 0, 443, 6, WORKS, 0, 0, 0 } } },
		{ "publishing tried in a way that is not allowed",
		  "rproxy.2.2",
		  false,
		  { { RPROXY, FE1, 0, 443, 6, WORKS, 0, 0, 0 } } },
		{ "not required", "edge.2.3", false, { { FE1, E1I, 0, 4443, 6, WORKS, 0, 0, 0 } } },
		{ "for another mode of balancing",
		  "internal.3.2",
		  false,
		  { { DESK, FE_VIP, 0, 5061, 6, WORKS, 0, 0, 0 } } },
		{ "for this mode of balancing",
		  "internal.2.6",
		  true,
		  { { DESK, FE_VIP, 0, 5061, 6, WORKS, 0, 0, 0 } } },
		{ "nobody outside was seen",
		  "edge.3.3",
		  false,
		  { { DESK, ACCESS_VIP, 0, 5061, 6, WORKS, 0, 0, 0 } } },
		{ "a partner outside was seen, no user",
		  "edge.3.3",
		  true,
		  { { HOME, ACCESS_VIP, 0, 5061, 6, WORKS, 0, 0, 0 } } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(scenes); i++) {
		struct lya_ledger *l = world_ledger(&world, 0);

		take(l, scenes[i].lines, LINES);
		finish(l, 3600);
		if (is_missing(l, scenes[i].rule) != scenes[i].missing)
			print_error("scene: %s\n", scenes[i].name);
		assert_int_equal(is_missing(l, scenes[i].rule), scenes[i].missing);
		lya_ledger_free(l);
	}
}

static void test_routing(void **state)
{
	static const struct scene scenes[] = {
		{ "outside opens to the inside",
		  1,
		  { { E1ACCESS, DESK, 0, 5061, 6, TRIED, 0, 0, 0 } } },
		{ "to a declared server", 1, { { E1AV, FE1, 0, 5061, 6, TRIED, 0, 0, 0 } } },
		{ "many ports, one route",
		  1,
		  { { E1ACCESS, FE1, 0, 5061, 6, TRIED, 0, 0, 0 },
		    { E1ACCESS, FE1, 0, 443, 6, TRIED, 0, 0, 0 },
		    { E1ACCESS, FE1, 0, 53, 17, UDP, LYA_APP_DNS, 0, REQUEST } } },
		{ "candidates of a call",
		  0,
		  { { E1AV, DESK, 50100, 50200, 17, UDP, LYA_APP_STUN, 0, REQUEST | ICE } } },
		{ "an answer to what came in",
		  0,
		  { { DESK, ACCESS_VIP, 0, 443, 6, WORKS, 0, 0, 0 },
		    { DESK, E1ACCESS, 0, 443, 6, WORKS, 0, 0, 0 } } },
		{ "an answer to what came in by the other interface",
		  1,
		  { { DESK, E1ACCESS, 0, 5061, 6, WORKS, 0, 0, ALONE } } },
		{ "outside to outside", 0, { { E1ACCESS, HOME, 0, 5061, 6, WORKS, 0, 0, 0 } } },
		{ "inside opens to the outside", 1, { { E1I, HOME, 0, 5061, 6, TRIED, 0, 0, 0 } } },
		{ "inside answers the outside", 1, { { HOME, E1I, 0, 443, 6, WORKS, 0, 0, 0 } } },
		{ "a stranger knocks inside", 0, { { HOME, E1I, 0, 443, 6, TRIED, 0, 0, 0 } } },
		{ "inside to inside", 0, { { E1I, FE_VIP, 0, 5061, 6, WORKS, 0, 0, 0 } } },
	};
	static const struct line out = { E1ACCESS, DESK, 0, 5061, 6, TRIED, 0, 0, 0 };
	struct lya_flow flow = flow_of(&out);
	struct lya_flow_findings raised;
	struct lya_ledger *l;
	const struct lya_finding *f;

	(void)state;
	play(scenes, COUNT_OF(scenes), "edge-routing");
	l = world_ledger(&world, 0);
	world_take(&world, l, &flow, NULL, &raised);
	finish(l, 3600);
	f = world_finding(l, "edge-routing");
	assert_non_null(f);
	assert_int_equal(f->severity, LYA_SEVERITY_MEDIUM);
	assert_string_equal(f->statement, "edge.p.internal-routed");
	assert_string_equal(f->initiator.host, "edge01");
	assert_int_equal(f->n_ports, 0);
	assert_int_equal(raised.n, 2); /* beside its verdict's own */
	assert_string_equal(raised.ids[1], f->id);
	lya_ledger_free(l);
}

static void test_undeclared(void **state)
{
	static const struct scene scenes[] = {
		{ "SIP over TLS",
		  1,
		  { { DESK, NOBODY, 0, 5061, 6, WORKS, LYA_APP_TLS, 0, HELLO } } },
		{ "asked by a server",
		  1,
		  { { FE1, NOBODY, 0, 5061, 6, WORKS, LYA_APP_TLS, 0, HELLO } } },
		{ "no server's hello",
		  0,
		  { { DESK, NOBODY, 0, 5061, 6, WORKS, LYA_APP_TLS, 0, 0 } } },
		{ "another protocol",
		  0,
		  { { DESK, NOBODY, 0, 5061, 6, WORKS, LYA_APP_SSH, 0, 0 } } },
		{ "refused", 0, { { DESK, NOBODY, 0, 5061, 6, REFUSED, 0, 0, 0 } } },
		{ "a port of everybody",
		  0,
		  { { DESK, NOBODY, 0, 443, 6, WORKS, LYA_APP_TLS, 0, HELLO } } },
		{ "a range", 0, { { DESK, NOBODY, 0, 50200, 6, WORKS, LYA_APP_TLS, 0, HELLO } } },
		{ "declared", 0, { { DESK, FE1, 0, 5061, 6, WORKS, LYA_APP_TLS, 0, HELLO } } },
		{ "outside", 0, { { E1ACCESS, HOME, 0, 5061, 6, WORKS, LYA_APP_TLS, 0, HELLO } } },
		{ "who opened it is not certain",
		  0,
		  { { DESK, NOBODY, 0, 5061, 6, LYA_STATE_MIDSTREAM, LYA_APP_TLS, 0,
		      HELLO | ALONE } } },
	};
	static const struct line line = { DESK, NOBODY, 0, 5061, 6, WORKS, LYA_APP_TLS, 0, HELLO };
	struct lya_ledger *l = world_ledger(&world, 0);
	const struct lya_finding *f;

	(void)state;
	play(scenes, COUNT_OF(scenes), "undeclared-server");
	take(l, &line, 1);
	finish(l, 3600);
	f = world_finding(l, "undeclared-server");
	assert_non_null(f);
	assert_int_equal(f->severity, LYA_SEVERITY_LOW);
	assert_int_equal(f->n_rules, 1);
	assert_non_null(strstr(f->what, NOBODY));
	assert_null(f->responder.host);
	lya_ledger_free(l);
}

/* Many that are blocked, some that are not, far beyond the bound. */
enum { LOT = 6000 };

static void make_lot(struct lya_flow *lot)
{
	for (size_t i = 0; i < LOT; i++) {
		char addr[32];
		unsigned who = (unsigned)(i % (LOT / 2)); /* everybody comes twice */
		bool works = i >= LOT / 2 && who % 3 == 0;

		(void)snprintf(addr, sizeof(addr), "192.0.%u.%u", who >> 8, who & 255);
		lot[i] = world_flow(addr, (uint16_t)(30000 + i), ACCESS_VIP, 443, 6,
				    works ? LYA_STATE_CLOSED : LYA_STATE_ATTEMPTED);
		lot[i].source = i % 5 == 0;
		lot[i].number = i;
	}
}

static void put_findings(struct lya_text *t, const struct lya_ledger *l)
{
	size_t n;
	const struct lya_finding *list = lya_ledger_findings(l, &n);

	for (size_t i = 0; i < n; i++)
		lya_text_addf(t, "%s %u %u %u %s\n", list[i].id, (unsigned)list[i].flows,
			      (unsigned)list[i].initiator.distinct,
			      (unsigned)list[i].samples[0].packet, list[i].what);
	assert_false(t->failed);
}

/* Forwards, backwards, in stripes, in one ledger or in three: the same. */
static void test_order(void **state)
{
	static const size_t bounds[] = { 0, 300, 20 };
	struct lya_flow *lot = calloc(LOT, sizeof(*lot));

	(void)state;
	assert_non_null(lot);
	make_lot(lot);
	for (size_t b = 0; b < COUNT_OF(bounds); b++) {
		struct lya_text want = { 0 };

		for (unsigned round = 0; round < 4; round++) {
			size_t parts = round < 2 ? 1 : 3, step = round == 3 ? 7 : 1;
			struct lya_ledger *l[3] = { NULL };
			struct lya_text got = { 0 };

			for (size_t i = 0; i < parts; i++)
				l[i] = world_ledger(&world, bounds[b]);
			for (size_t i = 0; i < LOT; i++) {
				size_t at = i * step % LOT;

				world_take(&world, l[i % parts],
					   &lot[round == 1 ? LOT - 1 - at : at], NULL, NULL);
			}
			for (size_t i = 1; i < parts; i++) {
				assert_int_equal(lya_ledger_merge(l[0], l[i]), LYA_OK);
				lya_ledger_free(l[i]);
			}
			finish(l[0], 3600);
			assert_int_equal(count(l[0], "blocked-flow"), 1);
			put_findings(round == 0 ? &want : &got, l[0]);
			if (round > 0)
				assert_string_equal(lya_text_str(&got), lya_text_str(&want));
			lya_text_fini(&got);
			lya_ledger_free(l[0]);
		}
		lya_text_fini(&want);
	}
	free(lot);
}

/* Pairs of declared servers stay when strangers fill the memory. */
static void test_flood(void **state)
{
	static const struct line line = { FE2, E2I, 0, 50001, 6, TRIED, 0, 0, 0 };
	struct lya_flow *lot = calloc(LOT, sizeof(*lot));
	struct lya_ledger *l = world_ledger(&world, 20);
	size_t n;
	const struct lya_finding *list;
	bool found = false;

	(void)state;
	assert_non_null(lot);
	make_lot(lot);
	for (size_t i = 0; i < LOT; i++) {
		if (i == LOT / 2)
			take(l, &line, 1);
		world_take(&world, l, &lot[i], NULL, NULL);
	}
	finish(l, 3600);
	list = lya_ledger_findings(l, &n);
	for (size_t i = 0; i < n; i++)
		found = found || (list[i].kind == LYA_FINDING_BLOCKED_FLOW &&
				  list[i].ports[0].first == 50001);
	assert_true(found);
	lya_ledger_free(l);
	free(lot);
}

/* A host is seen when any of its addresses was an end, whatever came of the flow. */
static void test_hosts(void **state)
{
	static const struct line line = { FE2, E2I, 0, 1433, 6, TRIED, 0, 0, 0 };
	struct lya_ledger *parts[2] = { world_ledger(&world, 0), world_ledger(&world, 0) };

	(void)state;
	take(parts[1], &line, 1);
	assert_int_equal(lya_ledger_merge(parts[0], parts[1]), LYA_OK);
	finish(parts[0], 3600);
	for (size_t i = 0; i < world.site->n_hosts; i++) {
		const char *name = world.site->hosts[i].name;

		assert_int_equal(lya_ledger_saw_host(parts[0], i),
				 strcmp(name, "fe02") == 0 || strcmp(name, "edge02") == 0);
	}
	lya_ledger_free(parts[0]);
	lya_ledger_free(parts[1]);
}

/* Every allocation may fail: an error, no leak, no crash. */
static void test_no_memory(void **state)
{
	static const struct line lines[] = {
		{ FE2, E2I, 0, 50001, 6, TRIED, 0, 0, 0 },
		{ FE1, EDGE_VIP, 0, 5061, 6, WORKS, 0, 0, 0 },
		{ E1I, DIR_VIP, 0, 5061, 6, REFUSED, 0, 0, 0 },
		{ E1ACCESS, DESK, 0, 5061, 6, TRIED, 0, 0, 0 },
		{ DESK, NOBODY, 0, 5061, 6, WORKS, LYA_APP_TLS, 0, HELLO },
	};

	(void)state;
	for (uint64_t fail = 1;; fail++) {
		struct lya_ledger_end end = { .first_ns = WORLD_TIME, .last_ns = END_NS };
		struct lya_ledger_options options = { .max_findings = 1 };
		struct lya_ledger *l = NULL;
		int rc;

		lya_alloc_fail_at(fail);
		rc = lya_ledger_new(&l, world.policy, &options, NULL);
		for (size_t i = 0; i < COUNT_OF(lines) && rc == LYA_OK; i++) {
			struct lya_flow f = flow_of(&lines[i]);
			struct lya_policy_end ends[2];
			struct lya_verdict v;

			lya_policy_end_of(world.policy, &f.addr[0], &ends[0]);
			lya_policy_end_of(world.policy, &f.addr[1], &ends[1]);
			lya_policy_judge(world.policy, NULL, &f, ends, -1, &v);
			rc = lya_ledger_take(l, &f, ends, &v, NULL);
		}
		if (rc == LYA_OK)
			rc = lya_ledger_finish(l, &end, NULL);
		lya_alloc_fail_at(0);
		lya_ledger_free(l);
		if (rc == LYA_OK)
			break;
		assert_int_equal(rc, LYA_ENOMEM);
		assert_true(fail < 10000);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blocked),    cmocka_unit_test(test_blocked_told),
		cmocka_unit_test(test_sip),        cmocka_unit_test(test_sip_told),
		cmocka_unit_test(test_missing),    cmocka_unit_test(test_routing),
		cmocka_unit_test(test_undeclared), cmocka_unit_test(test_order),
		cmocka_unit_test(test_flood),      cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, open_example, close_example);
}
