/*
 * test_gateway.c - the station that an Edge node sends by, and the Access VIP's.
 *
 * Every scene is played in both directions of time and cut in two ledgers that are merged:
 * the same must come of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "world.h"

#define NODE "198.51.100.21" /* edge01, Access */
#define NODE_AV "198.51.100.23"
#define NODE2 "198.51.100.31" /* edge02 */
#define VIP "198.51.100.11"
#define HOME "203.0.113.50"
#define PARTNER "203.0.113.20" /* declared */
#define DESK "10.20.1.5"
#define PROXY "198.51.100.41"

/* Stations; the last one is what the site declares of its outer balancer. */
enum { NONE, N1, N2, ROUTER, ROUTER2, PROXY_MAC, VIRTUAL, ALL, BALANCER, MANY = 32 };

/* src sends to dst by these stations; nothing comes back. */
struct line {
	const char *src, *dst;
	uint8_t from, to;
};

struct scene {
	const char *name;
	bool undeclared; /* the balancer's address is not in the site */
	uint8_t sent_to; /* the finding's; 0: there is none */
	uint64_t flows;
	struct line lines[6];
};

static const struct scene scenes[] = {
	{ "by the Access VIP", false, 0, 0, { { NODE, HOME, N1, BALANCER } } },
	{ "by a router", false, ROUTER, 1, { { NODE, HOME, N1, ROUTER } } },
	{ "other addresses of the node too",
	  false,
	  ROUTER,
	  2,
	  { { NODE, HOME, N1, ROUTER }, { NODE_AV, HOME, N1, ROUTER } } },
	{ "most by one router",
	  false,
	  ROUTER2,
	  3,
	  { { NODE, HOME, N1, ROUTER },
	    { NODE, HOME, N1, ROUTER2 },
	    { NODE, HOME, N1, ROUTER2 } } },
	{ "some of it as it should be",
	  false,
	  ROUTER,
	  1,
	  { { NODE, HOME, N1, BALANCER }, { NODE, HOME, N1, ROUTER } } },
	{ "to a declared address", false, 0, 0, { { NODE, PARTNER, N1, ROUTER } } },
	{ "to the inside", false, 0, 0, { { NODE, DESK, N1, ROUTER } } },
	{ "to all stations", false, 0, 0, { { NODE, HOME, N1, ALL } } },
	{ "no link layer", false, 0, 0, { { NODE, HOME, NONE, NONE } } },
	{ "a router's copy",
	  false,
	  0,
	  0,
	  { { NODE, HOME, ROUTER, ROUTER2 }, { PROXY, HOME, ROUTER, ROUTER2 } } },
	{ "the balancer's copy",
	  false,
	  0,
	  0,
	  { { NODE, HOME, BALANCER, ROUTER }, { VIP, HOME, BALANCER, ROUTER } } },
	{ "another host's own frames",
	  false,
	  ROUTER,
	  1,
	  { { NODE, HOME, N1, ROUTER }, { PROXY, HOME, PROXY_MAC, ROUTER } } },
	{ "the balancer sends from its second port, and takes there",
	  false,
	  0,
	  0,
	  { { VIP, HOME, VIRTUAL, ROUTER }, { NODE, HOME, N1, VIRTUAL } } },
	{ "unknown where the VIP is", true, 0, 0, { { NODE, HOME, N1, ROUTER } } },
	{ "seen where it is",
	  true,
	  ROUTER,
	  1,
	  { { NODE, HOME, N1, ROUTER }, { VIP, HOME, BALANCER, ROUTER } } },
	{ "seen, and used",
	  true,
	  0,
	  0,
	  { { NODE, HOME, N1, BALANCER }, { VIP, HOME, BALANCER, ROUTER } } },
	{ "a virtual address that never sends",
	  true,
	  0,
	  0,
	  { { NODE, HOME, N1, VIRTUAL },
	    { VIP, HOME, BALANCER, ROUTER },
	    { HOME, VIP, ROUTER, VIRTUAL } } },
	{ "declared, and somebody reaches it by a router",
	  false,
	  ROUTER,
	  1,
	  { { NODE, HOME, N1, ROUTER }, { DESK, VIP, N2, ROUTER } } },
};

static const uint8_t balancer[6] = { 0x02, 0x00, 0x5e, 0x64, 0x00, 0x02 };

static void station(uint8_t which, uint8_t mac[6])
{
	memset(mac, which == ALL ? 0xff : 0, 6);
	if (which == BALANCER)
		memcpy(mac, balancer, 6);
	else if (which != NONE && which != ALL)
		memcpy(mac, (uint8_t[]){ 2, 0, 0, 0, 0, which }, 6);
}

/* The example site; undeclared: without its MAC addresses. */
static void open_world(struct world *w, bool undeclared)
{
	static char text[65536];
	static const char macs[] = "\"macs\": [\"02:00:5e:64:00:02\"],";
	FILE *f = fopen(world_path("docs/examples/site.json"), "r");
	char *at;

	assert_non_null(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	(void)fclose(f);
	at = strstr(text, macs);
	assert_non_null(at);
	if (undeclared)
		memset(at, ' ', sizeof(macs) - 1);
	world_open(w, text);
}

/* Either side may have opened it: what a node sends back is sent, too. */
static struct lya_flow flow_of(const struct line *line, uint64_t n)
{
	struct lya_flow f =
	    world_flow(line->src, (uint16_t)(50000 + n), line->dst, 443, 6, LYA_STATE_ATTEMPTED);
	unsigned from = (unsigned)f.first_side;

	if (n % 2 != 0) { /* the first was not captured */
		f.syn_side = -1;
		f.synack_side = (int8_t)from;
	}
	f.number = n + 1;
	station(line->from, f.mac[from]);
	station(line->to, f.to_mac[from]);
	return f;
}

static size_t n_lines(const struct scene *s)
{
	size_t n = 0;

	while (n < sizeof(s->lines) / sizeof(s->lines[0]) && s->lines[n].src != NULL)
		n++;
	return n;
}

/* way: 0 as it stands, 1 backwards, 2 in two ledgers. */
static struct lya_ledger *play(const struct world *w, const struct scene *s, unsigned way)
{
	struct lya_ledger *l = world_ledger(w, 0), *second = world_ledger(w, 0);
	size_t n = n_lines(s);

	for (size_t i = 0; i < n; i++) {
		size_t at = way == 1 ? n - 1 - i : i;
		struct lya_flow f = flow_of(&s->lines[at], at);

		world_take(w, way == 2 && at % 2 != 0 ? second : l, &f, NULL, NULL);
	}
	assert_int_equal(lya_ledger_merge(l, second), LYA_OK);
	lya_ledger_free(second);
	world_finish(l);
	return l;
}

static bool is_as_wanted(const struct scene *s, const struct lya_finding *f)
{
	uint8_t mac[6];

	station(s->sent_to, mac);
	if (f == NULL || s->sent_to == 0)
		return f == NULL && s->sent_to == 0;
	return memcmp(f->gateway->sent_to, mac, 6) == 0 &&
	       memcmp(f->gateway->vip, balancer, 6) == 0 && f->flows == s->flows &&
	       f->gateway->declared == !s->undeclared && strcmp(f->initiator.host, "edge01") == 0;
}

static void test_scenes(void **state)
{
	size_t failed = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++) {
		struct world w;

		open_world(&w, scenes[i].undeclared);
		for (unsigned way = 0; way < 3; way++) {
			struct lya_ledger *l = play(&w, &scenes[i], way);

			if (!is_as_wanted(&scenes[i], world_finding(l, "gateway-mismatch"))) {
				print_error("%s, way %u\n", scenes[i].name, way);
				failed++;
			}
			lya_ledger_free(l);
		}
		world_close(&w);
	}
	assert_int_equal(failed, 0);
}

static void test_words(void **state)
{
	const struct lya_finding *f;
	struct lya_ledger *l;
	struct world w;

	(void)state;
	open_world(&w, false);
	l = play(&w, &scenes[1], 0);
	f = world_finding(l, "gateway-mismatch");
	assert_non_null(f);
	assert_int_equal(f->severity, LYA_SEVERITY_LOW);
	assert_string_equal(f->statement, "edge.p.access-vip-gateway");
	assert_int_equal(f->n_ports, 0);
	assert_int_equal(f->transport, 0);
	assert_int_equal(f->initiator.role, LYA_ROLE_EDGE_ACCESS);
	assert_int_equal(f->responder.role, LYA_ROLE_EXTERNAL);
	assert_non_null(strstr(f->what, "to 02:00:00:00:00:03, "));
	assert_non_null(strstr(f->what, "hlb-ext (02:00:5e:64:00:02, as declared)"));
	assert_non_null(strstr(f->why, "router to the Internet"));
	lya_ledger_free(l);
	world_close(&w);
}

static void count_packet(void *ctx, const struct lya_packet_place *place)
{
	uint64_t *sum = ctx;

	assert_int_equal(place->source, 0);
	*sum += place->number;
}

/* Each node has its own finding, and its flows name the packets that show it. */
static void test_nodes(void **state)
{
	static const struct line lines[] = { { NODE, HOME, N1, ROUTER },
					     { NODE2, HOME, N2, ROUTER } };
	uint64_t named = 0;
	struct lya_packet_visitor visitor = { .packet = count_packet, .ctx = &named };
	struct lya_ledger *l;
	struct world w;
	const struct lya_finding *list;
	size_t n, found = 0;

	(void)state;
	open_world(&w, false);
	l = world_ledger(&w, 0);
	for (size_t i = 0; i < 2; i++) {
		struct lya_flow f = flow_of(&lines[i], 2 * i);

		world_take(&w, l, &f, NULL, NULL);
	}
	lya_ledger_each_packet(l, &visitor);
	assert_int_equal(named, 1 + 3 + 1 + 3); /* as undocumented paths, too */
	world_finish(l);
	list = lya_ledger_findings(l, &n);
	for (size_t i = 0; i < n; i++) {
		if (list[i].kind != LYA_FINDING_GATEWAY_MISMATCH)
			continue;
		found++;
		assert_int_equal(list[i].n_samples, 1);
		assert_int_equal(list[i].samples[0].packet,
				 strcmp(list[i].initiator.host, "edge01") == 0 ? 1 : 3);
	}
	assert_int_equal(found, 2);
	lya_ledger_free(l);
	world_close(&w);
}

/* A node that seems to know a crowd of gateways: bounded, in whatever order they come. */
static void test_crowd(void **state)
{
	struct lya_ledger *l[2];
	struct world w;

	(void)state;
	open_world(&w, false);
	for (unsigned way = 0; way < 2; way++) {
		l[way] = world_ledger(&w, 0);
		for (uint8_t i = 0; i < MANY; i++) {
			uint8_t to = way == 0 ? i : MANY - 1 - i;
			struct line line = { NODE, HOME, N1, (uint8_t)(64 + to) };
			struct lya_flow f = flow_of(&line, to);

			world_take(&w, l[way], &f, NULL, NULL);
		}
		world_finish(l[way]);
	}
	for (unsigned way = 0; way < 2; way++) {
		const struct lya_finding *f = world_finding(l[way], "gateway-mismatch");

		assert_non_null(f);
		assert_int_equal(f->flows, 8);
		assert_int_equal(f->gateway->sent_to[5], 64);
		lya_ledger_free(l[way]);
	}
	world_close(&w);
}

static bool concerns(const struct world *w, const struct line *line)
{
	struct lya_flow f = flow_of(line, 0);
	struct lya_policy_end ends[2];
	struct lya_verdict v;

	for (unsigned side = 0; side < 2; side++)
		lya_policy_end_of(w->policy, &f.addr[side], &ends[side]);
	f.port[!f.first_side] = 5061;    /* edge.3.5, which a node opens */
	f.state = LYA_STATE_ESTABLISHED; /* else it may be blocked */
	f.answered = f.acked = true;
	lya_policy_judge(w->policy, NULL, &f, ends, -1, &v);
	assert_int_equal(v.kind, LYA_VERDICT_DOCUMENTED);
	return lya_finding_concerns(w->policy, &f, ends, &v);
}

/* Evidence is kept of what may become an example; what is declared to be right never will. */
static void test_concerns(void **state)
{
	static const struct line right = { NODE, HOME, N1, BALANCER };
	static const struct line wrong = { NODE, HOME, N1, ROUTER };
	struct world w;

	(void)state;
	open_world(&w, false);
	assert_false(concerns(&w, &right));
	assert_true(concerns(&w, &wrong));
	world_close(&w);
	open_world(&w, true);
	assert_true(concerns(&w, &right));
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scenes),   cmocka_unit_test(test_words),
		cmocka_unit_test(test_nodes),    cmocka_unit_test(test_crowd),
		cmocka_unit_test(test_concerns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
