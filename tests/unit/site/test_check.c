/*
 * test_check.c - constraints of the documents that a site description breaks.
 *
 * Each case takes a site that keeps them all, two Edge nodes, two front-ends
 * and two directors behind balancers, and changes one thing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lyncaudit/alloc.h"
#include "lyncaudit/site.h"
#include "lyncaudit/text.h"

static const char whole[] =
    "{\"schema\": \"lyncaudit-site/1\", \"name\": \"t\",\n"
    "\"networks\": {\"internal\": [\"10.0.0.0/8\"]},\n"
    "\"hosts\": [\n"
    "{\"name\": \"edge01\", \"roles\": {\"edge-access\": [\"198.51.100.21\"], "
    "\"edge-webconf\": [\"198.51.100.22\"], \"edge-av\": [\"198.51.100.23\"], "
    "\"edge-internal\": [\"10.1.0.21\"]}},\n"
    "{\"name\": \"edge02\", \"roles\": {\"edge-access\": [\"198.51.100.31\"], "
    "\"edge-webconf\": [\"198.51.100.32\"], \"edge-av\": [\"198.51.100.33\"], "
    "\"edge-internal\": [\"10.1.0.22\"]}},\n"
    "{\"name\": \"lb1\", \"snat\": [\"edge-access-vip\"], \"roles\": {\"hlb\": [\"198.51.100.2\"], "
    "\"edge-access-vip\": [\"198.51.100.11\"], \"edge-webconf-vip\": [\"198.51.100.12\"], "
    "\"edge-av-vip\": [\"198.51.100.13\"]}},\n"
    "{\"name\": \"fe01\", \"roles\": {\"front-end\": [\"10.2.0.11\"], \"mediation\": "
    "[\"10.2.0.11\"]}},\n"
    "{\"name\": \"fe02\", \"roles\": {\"front-end\": [\"10.2.0.12\"], \"mediation\": "
    "[\"10.2.0.12\"]}},\n"
    "{\"name\": \"dir01\", \"roles\": {\"director\": [\"10.2.0.21\"]}},\n"
    "{\"name\": \"dir02\", \"roles\": {\"director\": [\"10.2.0.22\"]}},\n"
    "{\"name\": \"sba01\", \"roles\": {\"survivable-branch\": [\"10.3.0.1\"], \"front-end\": "
    "[\"10.3.0.1\"]}},\n"
    "{\"name\": \"lb2\", \"roles\": {\"hlb\": [\"10.2.0.2\"], \"edge-internal-vip\": "
    "[\"10.1.0.20\"], \"front-end-vip\": [\"10.2.0.10\"], \"director-vip\": [\"10.2.0.20\"]}}],\n"
    "\"load_balancing\": {\"mediation\": \"hlb\"}}\n";

/* One change: the text `out` gives way to `in`; and the faults that follow, in order. */
struct change {
	const char *what;
	const char *out[3], *in[3];
	struct {
		const char *type, *rule, *about, *says;
	} faults[5];
};

#define COUNT "site-public-address-count"
#define PRIVATE "site-private-address"
#define MISSING "site-missing-vip"
#define PUBLIC "edge.p.public-addresses"

static const struct change changes[] = {
	{ "nothing", { NULL }, { NULL }, { { NULL, NULL, NULL, NULL } } },
	{ "two interfaces share one address",
	  { "\"198.51.100.22\"" },
	  { "\"198.51.100.21\"" },
	  { { COUNT, PUBLIC, "edge//ipv4",
	      "edge01 and edge02 have 8 different public IPv4 addresses, 9 are needed" } } },
	{ "a node without a service",
	  { "\"edge-webconf\": [\"198.51.100.32\"], " },
	  { "" },
	  { { COUNT, PUBLIC, "edge//ipv4", "have 8 different public IPv4 addresses" } } },
	{ "a private interface",
	  { "198.51.100.33" },
	  { "192.168.0.33" },
	  { { COUNT, PUBLIC, "edge//ipv4", "have 8 different public IPv4 addresses" },
	    { PRIVATE, PUBLIC, "edge02",
	      "edge02 has 1 private address outside: 192.168.0.33 "
	      "(edge-av)" } } },
	{ "carrier-grade is private as well",
	  { "198.51.100.13" },
	  { "100.64.0.13" },
	  { { COUNT, PUBLIC, "edge//ipv4", "have 8 different" },
	    { PRIVATE, PUBLIC, "lb1", "100.64.0.13 (edge-av-vip)" } } },
	{ "one address of the other family makes it a family in use",
	  { "[\"198.51.100.11\"]" },
	  { "[\"198.51.100.11\", \"2001:db8::11\"]" },
	  { { COUNT, PUBLIC, "edge//ipv6",
	      "have 1 different public IPv6 address, 9 are needed" } } },
	{ "a missing VIP outside",
	  { "\"edge-webconf-vip\": [\"198.51.100.12\"], " },
	  { "" },
	  { { COUNT, PUBLIC, "edge//ipv4", "have 8 different" },
	    { MISSING, PUBLIC, "/edge-webconf-vip",
	      "edge01 and edge02 (edge-webconf) are hardware load balanced, but no "
	      "edge-webconf-vip "
	      "is declared" } } },
	{ "a missing VIP inside",
	  { "\"edge-internal-vip\": [\"10.1.0.20\"], " },
	  { "" },
	  { { MISSING, "edge.4.1", "/edge-internal-vip", "no edge-internal-vip is declared" } } },
	{ "a missing front-end VIP",
	  { "\"front-end-vip\": [\"10.2.0.10\"], ", "\"mediation\": \"hlb\"" },
	  { "", "\"front-end\": \"hlb\"" },
	  { { MISSING, "internal.p.hlb-ports", "/front-end-vip",
	      "fe01 and fe02 (front-end) are hardware load balanced" } } },
	{ "without a word nothing is load balanced",
	  { "\"front-end-vip\": [\"10.2.0.10\"], " },
	  { "" },
	  { { NULL, NULL, NULL, NULL } } },
	{ "DNS load balancing without the VIP that it still needs",
	  { "\"front-end-vip\": [\"10.2.0.10\"], ", "\"mediation\": \"hlb\"" },
	  { "", "\"front-end\": \"dns\"" },
	  { { "site-dns-without-vip", "internal.p.dns-needs-hlb", "/front-end-vip",
	      "fe01 and fe02 (front-end) use DNS load balancing, but no front-end-vip" } } },
	{ "DNS load balancing with it",
	  { "\"mediation\": \"hlb\"" },
	  { "\"front-end\": \"dns\", \"director\": \"dns\"" },
	  { { NULL, NULL, NULL, NULL } } },
	{ "directors on DNS without a VIP",
	  { ", \"director-vip\": [\"10.2.0.20\"]", "\"mediation\": \"hlb\"" },
	  { "", "\"director\": \"dns\"" },
	  { { "site-dns-without-vip", "internal.p.dns-needs-hlb", "/director-vip",
	      "dir01 and dir02 (director)" } } },
	{ "a pool of one needs no balancer",
	  { "\"name\": \"dir02\"", "\"mediation\": \"hlb\"" },
	  { "\"name\": \"dir02\", \"pool\": \"b\"", "\"director\": \"hlb\"" },
	  { { NULL, NULL, NULL, NULL } } },
	{ "a pool of one that is said to have one",
	  { ", \"director-vip\": [\"10.2.0.20\"]", "\"mediation\": \"hlb\"",
	    "{\"name\": \"dir02\", \"roles\": {\"director\": [\"10.2.0.22\"]}},\n" },
	  { "", "\"director\": \"hlb\"", "" },
	  { { MISSING, "internal.p.hlb-ports", "/director-vip",
	      "dir01 (director) is hardware load balanced, but no director-vip is declared" } } },
	{ "a pool of one of which nothing is said",
	  { ", \"director-vip\": [\"10.2.0.20\"]",
	    "{\"name\": \"dir02\", \"roles\": {\"director\": [\"10.2.0.22\"]}},\n" },
	  { "", "" },
	  { { NULL, NULL, NULL, NULL } } },
	{ "standalone Mediation Servers want a VIP",
	  { "{\"name\": \"dir01\"" },
	  { "{\"name\": \"med01\", \"pool\": \"med\", \"roles\": {\"mediation\": [\"10.2.0.31\"]}},"
	    "{\"name\": \"med02\", \"pool\": \"med\", \"roles\": {\"mediation\": [\"10.2.0.32\"]}},"
	    "{\"name\": \"dir01\"" },
	  { { MISSING, "internal.p.hlb-ports", "med/mediation-vip",
	      "med01 and med02 (mediation) are hardware load balanced, but no mediation-vip is "
	      "declared for pool \"med\"" } } },
	{ "the A/V VIP rewrites",
	  { "\"snat\": [\"edge-access-vip\"]" },
	  { "\"snat\": [\"edge-av-vip\"]" },
	  { { "site-av-snat", "edge.p.av-no-snat", "lb1",
	      "The A/V VIP on lb1 is declared to rewrite source addresses" } } },
	{ "a VIP that nobody balances",
	  { "\"mediation\": \"hlb\"" },
	  { "\"director\": \"none\"" },
	  { { "site-vip-without-load-balancing", "internal.p.hlb-ports", "lb2/director-vip",
	      "lb2 declares the role director-vip, but load balancing for \"director\" is "
	      "\"none\"" } } },
	{ "a pool of Edge nodes without any VIP, while another has them",
	  { "\"name\": \"edge01\"", "\"name\": \"edge02\"",
	    "\"edge-internal-vip\": [\"10.1.0.20\"], " },
	  { "\"name\": \"edge01\", \"pool\": \"b\"", "\"name\": \"edge02\", \"pool\": \"b\"", "" },
	  { { COUNT, PUBLIC, "edge/b/ipv4",
	      "have 6 different public IPv4 addresses, 9 are needed" },
	    { MISSING, PUBLIC, "b/edge-access-vip", "for pool \"b\"" },
	    { MISSING, PUBLIC, "b/edge-webconf-vip", "for pool \"b\"" },
	    { MISSING, PUBLIC, "b/edge-av-vip", "for pool \"b\"" },
	    { MISSING, "edge.4.1", "b/edge-internal-vip", "for pool \"b\"" } } },
	{ "one Edge node alone needs no balancer",
	  { "\"name\": \"edge02\"", "\"mediation\": \"hlb\"",
	    "edge-access\": [\"198.51.100.21\"]" },
	  { "\"name\": \"edge02\", \"pool\": \"b\"", "\"edge\": \"hlb\"",
	    "edge-access\": [\"198.51.100.21\"]" },
	  { { NULL, NULL, NULL, NULL } } },
	{ "the Edge's constraints are those of the hardware load balanced one",
	  { "\"mediation\": \"hlb\"", "198.51.100.33",
	    "\"edge-webconf-vip\": [\"198.51.100.12\"], " },
	  { "\"edge\": \"dns\"", "192.168.0.33", "" },
	  { { NULL, NULL, NULL, NULL } } },
};

/* Put `in` where `out` stands, once; the text must hold it. */
static void replace(struct lya_text *t, const char *out, const char *in)
{
	struct lya_text made = { 0 };
	const char *at = strstr(lya_text_str(t), out);

	if (at == NULL)
		fail_msg("the site has no %s", out);
	lya_text_add_len(&made, t->data, (size_t)(at - t->data));
	lya_text_add(&made, in);
	lya_text_add(&made, at + strlen(out));
	lya_text_fini(t);
	*t = made;
}

static struct lya_site *make_site(const struct change *c)
{
	struct lya_diags diags = { 0 };
	struct lya_error err = { 0 };
	struct lya_text text = { 0 };
	struct lya_site *site;

	lya_text_add(&text, whole);
	for (size_t i = 0; i < 3 && c->out[i] != NULL; i++)
		replace(&text, c->out[i], c->in[i]);
	if (lya_site_load_text(&site, "s", lya_text_str(&text), text.len, &diags, &err) != LYA_OK)
		fail_msg("%s: %s", c->what, err.text);
	lya_text_fini(&text);
	lya_diags_fini(&diags);
	return site;
}

/* One sentence: it ends in the only full stop that a blank or nothing follows. */
static void check_sentence(const char *s)
{
	size_t len = strlen(s);

	assert_true(len > 20 && s[len - 1] == '.');
	assert_null(strstr(s, ". "));
}

static void constraints_are_checked(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		const struct change *c = &changes[i];
		struct lya_site *site = make_site(c);
		struct lya_site_fault *list;
		size_t wanted = 0;
		size_t n;

		while (wanted < 5 && c->faults[wanted].type != NULL)
			wanted++;
		assert_int_equal(lya_site_check(site, &list, &n, NULL), LYA_OK);
		if (n != wanted)
			fail_msg("%s: %zu faults, the last \"%s\"", c->what, n,
				 n > 0 ? list[n - 1].what : "");
		for (size_t k = 0; k < n; k++) {
			assert_string_equal(list[k].type, c->faults[k].type);
			assert_string_equal(list[k].rule, c->faults[k].rule);
			assert_string_equal(list[k].about, c->faults[k].about);
			if (strstr(list[k].what, c->faults[k].says) == NULL)
				fail_msg("%s: %s", c->what, list[k].what);
			assert_int_equal(strncmp(list[k].place, "hosts", 5), 0);
			check_sentence(list[k].what);
			check_sentence(list[k].why);
			check_sentence(list[k].fix);
		}
		lya_site_faults_free(list, n);
		lya_site_free(site);
	}
}

/* What is cited must be there to be read. */
static void statements_exist(void **state)
{
	struct lya_diags diags = { 0 };
	struct lya_rules *rules;

	(void)state;
	assert_int_equal(lya_rules_load(&rules, TEST_SOURCE_DIR "/rules/lync-server-2013", &diags,
					NULL),
			 LYA_OK);
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		for (size_t k = 0; k < 5 && changes[i].faults[k].type != NULL; k++)
			assert_non_null(lya_rules_find(rules, changes[i].faults[k].rule));
	}
	lya_rules_free(rules);
	lya_diags_fini(&diags);
}

static void the_fix_names_who_lacks_an_address(void **state)
{
	const struct change c = { "",
				  { "198.51.100.33", "\"edge-webconf-vip\": "
						     "[\"198.51.100.12\"], " },
				  { "10.0.0.33", "" },
				  { { NULL, NULL, NULL, NULL } } };
	struct lya_site *site = make_site(&c);
	struct lya_site_fault *list;
	size_t n;

	(void)state;
	assert_int_equal(lya_site_check(site, &list, &n, NULL), LYA_OK);
	assert_true(n > 0);
	assert_string_equal(list[0].fix,
			    "Give a public IPv4 address of its own to edge-av of edge02, "
			    "the edge-webconf-vip.");
	lya_site_faults_free(list, n);
	lya_site_free(site);
}

static void no_memory_is_an_answer(void **state)
{
	struct lya_site *site = make_site(&changes[3]);
	struct lya_site_fault *list;
	int rc = LYA_ENOMEM;
	size_t n;

	(void)state;
	for (uint64_t at = 1; rc == LYA_ENOMEM; at++) {
		assert_true(at < 1000);
		lya_alloc_fail_at(at);
		rc = lya_site_check(site, &list, &n, NULL);
		lya_alloc_fail_at(0);
		assert_true(rc == LYA_OK ? n == 2 : list == NULL && n == 0);
	}
	lya_site_faults_free(list, n);
	lya_site_free(site);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(constraints_are_checked),
		cmocka_unit_test(statements_exist),
		cmocka_unit_test(the_fix_names_who_lacks_an_address),
		cmocka_unit_test(no_memory_is_an_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
