/*
 * test_edge.c - which addresses of the Edge were seen outside, of what kind, and when a private
 * one is a finding.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lot.h"
#include "lyncaudit/pack.h"

#define ACCESS "198.51.100.21"
#define AV_PRIVATE "172.16.9.23"
#define VIP_PRIVATE "172.16.9.13"
#define PARTNER "203.0.113.80"
#define HOME "203.0.113.50"
#define DESK "10.20.1.5"
#define HLB "198.51.100.2"
#define COUNT_OF(list) (sizeof(list) / sizeof((list)[0]))

/* North behind a balancer with private A/V addresses, south one Edge with one address. */
#define HEAD                                                                                       \
	"{\"schema\": \"lyncaudit-site/1\", \"name\": \"t\", \"timezone\": \"UTC\","               \
	" \"networks\": {\"internal\": [\"10.0.0.0/8\"], \"clients\": [\"10.20.0.0/16\"]},"        \
	" \"hosts\": ["                                                                            \
	"{\"name\": \"hlb\", \"pool\": \"north\", \"roles\": {\"hlb\": [\"" HLB "\"],"             \
	" \"edge-access-vip\": [\"198.51.100.11\"], \"edge-webconf-vip\": [\"198.51.100.12\"],"    \
	" \"edge-av-vip\": [\"" VIP_PRIVATE "\"]}},"
#define EDGE01                                                                                     \
	"{\"name\": \"edge01\", \"pool\": \"north\", \"roles\": {\"edge-access\": [\"" ACCESS      \
	"\"], \"edge-webconf\": [\"198.51.100.64/28\"], \"edge-av\": [\"" AV_PRIVATE               \
	"\", \"2001:db8:1::23\"]}},"
#define TAIL                                                                                       \
	"{\"name\": \"south\", \"pool\": \"south\", \"roles\": {"                                  \
	" \"edge-access\": [\"198.51.100.99\"], \"edge-webconf\": [\"198.51.100.99\"],"            \
	" \"edge-av\": [\"198.51.100.99\", \"172.16.8.1\"], \"edge-internal\": [\"10.1.0.9\"]}},"  \
	"{\"name\": \"partner\", \"roles\": {\"federated-partner\": [\"" PARTNER "\"]}}"

static const char with_edge[] = HEAD EDGE01 TAIL "]}";
static const char without_edge[] = HEAD TAIL "]}";
static const char waived[] =
    HEAD EDGE01 TAIL "], \"exceptions\": [{\"id\": \"EX-1\", \"from\": \"edge-av\","
		     " \"to\": \"external\", \"transport\": \"tcp\", \"ports\": \"25\","
		     " \"reason\": \"mail\"}]}";
static const char by_dns[] = HEAD EDGE01 TAIL "], \"load_balancing\": {\"edge\": \"dns\"}}";

static const struct lya_edge_address *address_of(const struct lya_ledger *l, const char *net,
						 enum lya_role role)
{
	size_t n;
	const struct lya_edge_pool *pools = lya_ledger_edge_pools(l, &n);

	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < pools[i].n; k++) {
			const struct lya_edge_address *a = &pools[i].list[k];
			char text[LYA_NET_TEXT];

			if (a->declared->role == role &&
			    strcmp(lya_net_format(&a->declared->net, text), net) == 0)
				return a;
		}
	}
	return NULL;
}

static void expect(const struct lya_ledger *l, const char *net, enum lya_role role, size_t flows,
		   size_t sent, size_t senders)
{
	const struct lya_edge_address *a = address_of(l, net, role);

	assert_non_null(a);
	if (a->flows != flows || a->sent != sent || a->senders != senders)
		fail_msg("%s: %d flows, sent in %d, %d senders", net, (int)a->flows, (int)a->sent,
			 (int)a->senders);
	assert_int_equal(a->first_ns, flows > 0 ? WORLD_TIME : LYA_TIME_NONE);
	assert_int_equal(a->last_ns, flows > 0 ? WORLD_TIME + LYA_SECOND_NS : LYA_TIME_NONE);
}

/* The flows of the first test, the i-th of every `step` from `first` on. */
static void take_some(const struct world *w, struct lya_ledger *l, size_t first, size_t step)
{
	static const struct {
		const char *src, *dst;
		uint16_t port;
		enum lya_flow_state state;
	} flows[] = {
		{ HOME, "198.51.100.11", 443, LYA_STATE_CLOSED },
		{ HOME, "198.51.100.12", 443, LYA_STATE_ATTEMPTED }, /* who may not be there */
		{ ACCESS, PARTNER, 5061, LYA_STATE_ATTEMPTED },      /* sent, whoever heard it */
		{ HOME, "198.51.100.65", 443, LYA_STATE_CLOSED },
		{ HOME, "198.51.100.66", 443, LYA_STATE_CLOSED },
		{ HOME, "198.51.100.67", 443, LYA_STATE_ATTEMPTED },
		{ HOME, "198.51.100.65", 444, LYA_STATE_CLOSED },
		{ HOME, "198.51.100.99", 443, LYA_STATE_CLOSED },
		{ HOME, "198.51.100.99", 443, LYA_STATE_CLOSED }, /* once more: in all its roles */
		{ DESK, "10.1.0.9", 443, LYA_STATE_CLOSED }, /* inside: no matter of this */
		{ HOME, "2001:db8:1::23", 443, LYA_STATE_CLOSED },
	};

	for (size_t i = first; i < COUNT_OF(flows); i += step) {
		bool six = strchr(flows[i].dst, ':') != NULL;
		struct lya_flow f =
		    world_flow(six ? "2001:db8:9::1" : flows[i].src, (uint16_t)(40000 + i),
			       flows[i].dst, flows[i].port, 6, flows[i].state);

		world_take(w, l, &f, NULL, NULL);
	}
}

static void expect_some(const struct lya_ledger *l)
{
	size_t n;
	const struct lya_edge_pool *pools = lya_ledger_edge_pools(l, &n);

	assert_int_equal(n, 2);
	assert_string_equal(pools[0].site.name, "north");
	assert_true(pools[0].site.balanced);
	assert_int_equal(pools[0].site.nodes, 1);
	assert_int_equal(pools[0].site.ipv4.needed, 6);
	assert_int_equal(pools[0].site.ipv4.declared, 1 + 16 + 2); /* a network of 16 */
	assert_int_equal(pools[0].seen_ipv4, 1 + 2 + 1);
	assert_int_equal(pools[0].site.ipv6.declared, 1);
	assert_int_equal(pools[0].seen_ipv6, 1);
	assert_int_equal(pools[1].site.ipv4.declared, 1); /* three services, one address */
	assert_int_equal(pools[1].seen_ipv4, 1);
	expect(l, "198.51.100.11", LYA_ROLE_EDGE_ACCESS_VIP, 1, 1, 1);
	expect(l, "198.51.100.12", LYA_ROLE_EDGE_WEBCONF_VIP, 1, 0, 0);
	expect(l, ACCESS, LYA_ROLE_EDGE_ACCESS, 1, 1, 1);
	expect(l, "198.51.100.64/28", LYA_ROLE_EDGE_WEBCONF, 4, 3, 2);
	expect(l, AV_PRIVATE, LYA_ROLE_EDGE_AV, 0, 0, 0);
	expect(l, "2001:db8:1::23", LYA_ROLE_EDGE_AV, 1, 1, 1);
	expect(l, "198.51.100.99", LYA_ROLE_EDGE_ACCESS, 2, 2, 1);
	expect(l, "198.51.100.99", LYA_ROLE_EDGE_WEBCONF, 2, 2, 1);
	expect(l, "198.51.100.99", LYA_ROLE_EDGE_AV, 2, 2, 1);
	assert_null(address_of(l, "10.1.0.9", LYA_ROLE_EDGE_INTERNAL));
}

static void test_seen(void **state)
{
	struct world w;
	struct lya_ledger *l;

	(void)state;
	world_open(&w, with_edge);
	l = world_ledger(&w, 0);
	take_some(&w, l, 0, 1);
	world_finish(l);
	expect_some(l);
	lya_ledger_free(l);
	world_close(&w);
}

/* Each service has its nodes first, then the VIP. */
static void test_sorted(void **state)
{
	static const enum lya_role want[] = {
		LYA_ROLE_EDGE_ACCESS,      LYA_ROLE_EDGE_ACCESS_VIP, LYA_ROLE_EDGE_WEBCONF,
		LYA_ROLE_EDGE_WEBCONF_VIP, LYA_ROLE_EDGE_AV,         LYA_ROLE_EDGE_AV,
		LYA_ROLE_EDGE_AV_VIP,
	};
	struct world w;
	struct lya_ledger *l;
	const struct lya_edge_pool *pools;
	size_t n;

	(void)state;
	world_open(&w, with_edge);
	l = world_ledger(&w, 0);
	world_finish(l);
	pools = lya_ledger_edge_pools(l, &n);
	assert_int_equal(pools[0].n, COUNT_OF(want));
	for (size_t i = 0; i < COUNT_OF(want); i++)
		assert_int_equal(pools[0].list[i].declared->role, want[i]);
	lya_ledger_free(l);
	world_close(&w);
}

/* In threads, and as bytes: the same as in one. */
static void test_joined(void **state)
{
	struct world w;
	struct lya_ledger *merged, *packed;

	(void)state;
	world_open(&w, with_edge);
	merged = world_ledger(&w, 0);
	packed = world_ledger(&w, 0);
	for (size_t i = 0; i < 3; i++) {
		struct lya_ledger *l = world_ledger(&w, 0);
		struct lya_pack pack = { 0 };

		take_some(&w, l, i, 3);
		assert_int_equal(lya_ledger_merge(merged, l), LYA_OK);
		assert_int_equal(lya_ledger_pack(l, &pack), LYA_OK);
		assert_int_equal(lya_ledger_unpack(packed, pack.data, pack.len, NULL, 0, NULL),
				 LYA_OK);
		lya_pack_fini(&pack);
		lya_ledger_free(l);
	}
	world_finish(merged);
	world_finish(packed);
	expect_some(merged);
	expect_some(packed);
	lya_ledger_free(merged);
	lya_ledger_free(packed);
	world_close(&w);
}

/* The site lost an Edge meanwhile: what was seen of it is seen of nobody, the rest stays. */
static void test_gone(void **state)
{
	struct world old, new;
	struct lya_ledger *l, *to;
	struct lya_pack pack = { 0 };

	(void)state;
	world_open(&old, with_edge);
	world_open(&new, without_edge);
	l = world_ledger(&old, 0);
	to = world_ledger(&new, 0);
	take_some(&old, l, 0, 1);
	assert_int_equal(lya_ledger_pack(l, &pack), LYA_OK);
	assert_int_equal(lya_ledger_unpack(to, pack.data, pack.len, NULL, 0, NULL), LYA_OK);
	world_finish(to);
	assert_null(address_of(to, ACCESS, LYA_ROLE_EDGE_ACCESS));
	expect(to, "198.51.100.11", LYA_ROLE_EDGE_ACCESS_VIP, 1, 1, 1);
	expect(to, "198.51.100.99", LYA_ROLE_EDGE_AV, 2, 2, 1);
	lya_pack_fini(&pack);
	lya_ledger_free(l);
	lya_ledger_free(to);
	world_close(&old);
	world_close(&new);
}

struct scene {
	const char *name, *site, *src, *dst;
	uint16_t port;
	uint8_t transport;
	enum lya_flow_state state;
	bool answered;    /* UDP */
	const char *host; /* of whom the finding is; NULL: there is none */
};

static struct lya_flow flow_of(const struct scene *s)
{
	struct lya_flow f = world_flow(s->src, 40123, s->dst, s->port, s->transport, s->state);

	if (s->transport == 17) {
		f.answered = s->answered;
		f.packets[!f.first_side] = s->answered;
	}
	return f;
}

static void test_private(void **state)
{
	static const struct scene scenes[] = {
		{ "a client outside", with_edge, HOME, AV_PRIVATE, 3478, 17, 0, true, "edge01" },
		{ "by TCP", with_edge, HOME, AV_PRIVATE, 443, 6, LYA_STATE_CLOSED, 0, "edge01" },
		{ "nobody answers", with_edge, HOME, AV_PRIVATE, 3478, 17, 0, false, NULL },
		{ "refused", with_edge, HOME, AV_PRIVATE, 443, 6, LYA_STATE_REFUSED, 0, NULL },
		{ "it opens", with_edge, AV_PRIVATE, HOME, 443, 6, LYA_STATE_CLOSED, 0, "edge01" },
		{ "in vain", with_edge, AV_PRIVATE, HOME, 443, 6, LYA_STATE_ATTEMPTED, 0, NULL },
		{ "a partner", with_edge, PARTNER, AV_PRIVATE, 3478, 17, 0, true, "edge01" },
		{ "the VIP", with_edge, HOME, VIP_PRIVATE, 3478, 17, 0, true, "hlb" },
		{ "inside", with_edge, DESK, AV_PRIVATE, 3478, 17, 0, true, NULL },
		{ "a private network beyond", with_edge, "192.168.7.7", AV_PRIVATE, 3478, 17, 0,
		  true, NULL },
		{ "a health probe", with_edge, HLB, AV_PRIVATE, 443, 6, LYA_STATE_CLOSED, 0, NULL },
		{ "another service", with_edge, HOME, ACCESS, 443, 6, LYA_STATE_CLOSED, 0, NULL },
		{ "without a balancer", with_edge, HOME, "172.16.8.1", 3478, 17, 0, true, NULL },
		{ "by DNS", by_dns, HOME, AV_PRIVATE, 3478, 17, 0, true, NULL },
		{ "waived", waived, AV_PRIVATE, HOME, 25, 6, LYA_STATE_CLOSED, 0, NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(scenes); i++) {
		struct lya_flow f = flow_of(&scenes[i]);
		const struct lya_finding *got;
		struct lya_ledger *l;
		struct world w;

		world_open(&w, scenes[i].site);
		l = world_ledger(&w, 0);
		world_take(&w, l, &f, NULL, NULL);
		world_finish(l);
		got = world_finding(l, "edge-private-address");
		if ((got != NULL) != (scenes[i].host != NULL))
			fail_msg("scene: %s", scenes[i].name);
		if (got != NULL)
			assert_string_equal(got->initiator.host, scenes[i].host);
		lya_ledger_free(l);
		world_close(&w);
	}
}

/* One finding of an address, whoever opens what to whom. */
static void test_folds(void **state)
{
	static const struct scene scenes[] = {
		{ "", NULL, HOME, AV_PRIVATE, 3478, 17, 0, true, NULL },
		{ "", NULL, "203.0.113.51", AV_PRIVATE, 443, 6, LYA_STATE_CLOSED, 0, NULL },
		{ "", NULL, AV_PRIVATE, PARTNER, 443, 6, LYA_STATE_CLOSED, 0, NULL },
	};
	struct lya_flow_findings raised;
	const struct lya_finding *f;
	struct lya_ledger *l;
	struct world w;

	(void)state;
	world_open(&w, with_edge);
	l = world_ledger(&w, 0);
	for (size_t i = 0; i < COUNT_OF(scenes); i++) {
		struct lya_flow flow = flow_of(&scenes[i]);

		world_take(&w, l, &flow, NULL, &raised);
	}
	world_finish(l);
	f = world_finding(l, "edge-private-address");
	assert_non_null(f);
	assert_int_equal(f->flows, 3);
	assert_int_equal(f->severity, LYA_SEVERITY_MEDIUM);
	assert_int_equal(f->responder.role, LYA_ROLE_EXTERNAL);
	assert_int_equal(f->responder.distinct, 3);
	assert_int_equal(f->n_ports, 0);
	assert_string_equal(f->statement, "edge.p.av-firewall-keeps-address");
	assert_string_equal(f->what,
			    "edge01 (edge-av, 172.16.9.23) talks with 3 external addresses (the "
			    "busiest is 203.0.113.50) from a private address.");
	assert_string_equal(raised.ids[raised.n - 1], f->id);
	lya_ledger_free(l);
	world_close(&w);
}

/* A flow whose private relay address is told of does not tell of the address as well. */
static void test_relay(void **state)
{
	static const struct {
		const char *relay;
		bool twice;
	} cases[] = { { AV_PRIVATE, false }, { "198.51.100.77", true } };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct lya_snat_evidence evidence = {
			.relay = { .faults = LYA_RELAY_ADDRESS, .relay = { .port = 50000 } },
		};
		struct lya_flow f = world_flow(HOME, 50123, AV_PRIVATE, 443, 6, LYA_STATE_CLOSED);
		const struct lya_edge_stray *strays;
		struct lya_ledger *l;
		struct world w;
		size_t n;

		assert_true(lya_addr_parse(cases[i].relay, &evidence.relay.relay.addr));
		world_open(&w, with_edge);
		l = world_ledger(&w, 0);
		world_take_snat(&w, l, &f, &evidence);
		world_finish(l);
		assert_non_null(world_finding(l, "av-edge-relay"));
		assert_int_equal(world_finding(l, "edge-private-address") != NULL, cases[i].twice);
		strays = lya_ledger_edge_strays(l, &n);
		assert_int_equal(n, cases[i].twice); /* one that is declared is no stranger */
		if (n > 0)
			assert_string_equal(strays[0].finding->type, "av-edge-relay");
		lya_ledger_free(l);
		world_close(&w);
	}
}

/* Undeclared servers: those that play what an Edge alone plays. */
static void test_strays(void **state)
{
	static const struct {
		const char *dst;
		uint16_t port;
		uint8_t transport;
		enum lya_app app;
	} flows[] = {
		{ "10.9.9.9", 3478, 17, LYA_APP_STUN },
		{ "10.9.9.10", 5061, 6, LYA_APP_TLS }, /* may be a front-end's */
	};
	const struct lya_edge_stray *strays;
	struct lya_ledger *l;
	struct world w;
	char text[LYA_ADDR_TEXT];
	size_t n;

	(void)state;
	world_open(&w, with_edge);
	l = world_ledger(&w, 0);
	for (size_t i = 0; i < COUNT_OF(flows); i++) {
		struct lya_flow f = world_flow(DESK, 50123, flows[i].dst, flows[i].port,
					       flows[i].transport, LYA_STATE_CLOSED);

		f.app.app = (uint8_t)flows[i].app;
		f.app.client_side = f.first_side;
		f.app.tls = LYA_TLS_CLIENT_HELLO | LYA_TLS_SERVER_HELLO;
		f.answered = true;
		f.packets[!f.first_side] = 1;
		world_take(&w, l, &f, NULL, NULL);
	}
	world_finish(l);
	strays = lya_ledger_edge_strays(l, &n);
	assert_int_equal(n, 1);
	assert_string_equal(lya_addr_format(&strays[0].addr, text), "10.9.9.9");
	assert_string_equal(strays[0].finding->type, "undeclared-server");
	lya_ledger_free(l);
	world_close(&w);
}

static void test_no_memory(void **state)
{
	struct world w;
	int rc = LYA_ENOMEM;

	(void)state;
	world_open(&w, with_edge);
	for (uint64_t fail = 1; rc != LYA_OK; fail++) {
		struct lya_ledger_options options = { 0 };
		struct lya_ledger_end end = { .first_ns = WORLD_TIME, .last_ns = WORLD_TIME };
		struct lya_ledger *l = NULL;
		struct lya_flow f =
		    world_flow(HOME, 50123, "198.51.100.65", 443, 6, LYA_STATE_CLOSED);
		struct lya_policy_end ends[2];
		struct lya_verdict v;

		lya_policy_end_of(w.policy, &f.addr[0], &ends[0]);
		lya_policy_end_of(w.policy, &f.addr[1], &ends[1]);
		lya_policy_judge(w.policy, NULL, &f, ends, -1, &v);
		lya_alloc_fail_at(fail);
		rc = lya_ledger_new(&l, w.policy, &options, NULL);
		if (rc == LYA_OK)
			rc = lya_ledger_take(l, &f, ends, &v, NULL);
		if (rc == LYA_OK)
			rc = lya_ledger_finish(l, &end, NULL);
		lya_alloc_fail_at(0);
		lya_ledger_free(l);
		assert_true(rc == LYA_OK || rc == LYA_ENOMEM);
		assert_true(fail < 10000);
	}
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_seen),      cmocka_unit_test(test_sorted),
		cmocka_unit_test(test_joined),    cmocka_unit_test(test_gone),
		cmocka_unit_test(test_private),   cmocka_unit_test(test_folds),
		cmocka_unit_test(test_relay),     cmocka_unit_test(test_strays),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
