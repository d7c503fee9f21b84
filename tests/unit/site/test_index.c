/*
 * test_index.c - address to roles: the policy model's cases, and random networks
 * against a plain search through the lists.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lyncaudit/site.h"
#include "lyncaudit/text.h"

static struct lya_site *load(const char *text)
{
	struct lya_diags diags = { 0 };
	struct lya_error err = { 0 };
	struct lya_site *site;

	if (lya_site_load_text(&site, "site", text, strlen(text), &diags, &err) != LYA_OK)
		fail_msg("%s", err.text);
	lya_diags_fini(&diags);
	return site;
}

/* Networks within networks, one address with two roles, both families. */
static const char named_clients[] =
    "{\"schema\": \"lyncaudit-site/1\", \"name\": \"t\", \"networks\": {"
    "\"internal\": [\"10.0.0.0/8\", \"fd00::/16\"],"
    "\"clients\": [\"10.20.0.0/16\", \"10.3.5.0/24\", \"10.4.0.0/24\", \"192.168.7.0/24\", "
    "\"fd00:20::/32\"]},"
    "\"hosts\": ["
    "{\"name\": \"fe\", \"roles\": {\"front-end\": [\"10.2.0.11\", \"fd00:2::11\"], "
    "\"mediation\": [\"10.2.0.11\"]}},"
    "{\"name\": \"pstn\", \"roles\": {\"pstn-gateway\": [\"10.3.0.0/16\", \"10.4.0.0/24\"]}},"
    "{\"name\": \"sbc\", \"roles\": {\"trusted-application\": [\"10.3.5.8\"]}},"
    "{\"name\": \"edge\", \"roles\": {\"edge-internal\": [\"10.1.0.21\"], "
    "\"edge-av\": [\"198.51.100.23\"]}},"
    "{\"name\": \"lb\", \"roles\": {\"hlb\": [\"10.1.0.2\"], \"front-end-vip\": "
    "[\"10.2.0.10\"]}},"
    "{\"name\": \"rp\", \"roles\": {\"reverse-proxy-internal\": [\"10.1.0.41\"]}},"
    "{\"name\": \"far\", \"roles\": {\"director\": [\"203.0.113.9\"]}},"
    "{\"name\": \"partner\", \"roles\": {\"federated-partner\": [\"203.0.113.20\"]}}]}";

static const struct {
	const char *addr;
	const char *roles; /* in the order of the roles' table */
	const char *host;  /* NULL: undeclared */
	const char *by;    /* NULL: no network */
	const char *why;
} cases[] = {
	{ "10.2.0.11", "front-end mediation internal", "fe", "10.2.0.11",
	  "declared under host \"fe\" as 10.2.0.11, inside the internal network 10.0.0.0/8" },
	{ "fd00:2::11", "front-end internal", "fe", "fd00:2::11",
	  "declared under host \"fe\" as fd00:2::11, inside the internal network fd00::/16" },
	{ "10.2.0.12", "internal", NULL, "10.0.0.0/8",
	  "in the internal network 10.0.0.0/8, in no client network and declared under no host" },
	{ "10.20.255.255", "client internal", NULL, "10.20.0.0/16",
	  "in the client network 10.20.0.0/16 and declared under no host" },
	{ "10.19.255.255", "internal", NULL, "10.0.0.0/8", NULL },
	{ "10.21.0.0", "internal", NULL, "10.0.0.0/8", NULL },
	/* A client network that the site does not list as internal is internal all the same. */
	{ "192.168.7.9", "client internal", NULL, "192.168.7.0/24", NULL },
	{ "fd00:20::1", "client internal", NULL, "fd00:20::/32", NULL },
	/* The longer prefix wins, whichever of the two it is. */
	{ "10.3.4.1", "pstn-gateway internal", "pstn", "10.3.0.0/16", NULL },
	{ "10.3.5.7", "client internal", NULL, "10.3.5.0/24",
	  "in the client network 10.3.5.0/24, which is longer than 10.3.0.0/16 of host \"pstn\"" },
	{ "10.3.5.8", "trusted-application internal", "sbc", "10.3.5.8", NULL },
	{ "10.3.5.9", "client internal", NULL, "10.3.5.0/24", NULL },
	{ "10.3.6.0", "pstn-gateway internal", "pstn", "10.3.0.0/16", NULL },
	/* Of two networks that are the same the declared one decides. */
	{ "10.4.0.77", "pstn-gateway internal", "pstn", "10.4.0.0/24", NULL },
	/* The perimeter and the balancers are not `internal`, wherever they stand. */
	{ "10.1.0.21", "edge-internal", "edge", "10.1.0.21", NULL },
	{ "10.1.0.2", "hlb", "lb", "10.1.0.2", NULL },
	{ "10.2.0.10", "front-end-vip", "lb", "10.2.0.10", NULL },
	{ "10.1.0.41", "reverse-proxy-internal", "rp", "10.1.0.41", NULL },
	{ "198.51.100.23", "edge-av", "edge", "198.51.100.23",
	  "declared under host \"edge\" as 198.51.100.23, outside every internal network" },
	/* Declared, but in none of the site's networks: neither internal nor external. */
	{ "203.0.113.9", "director", "far", "203.0.113.9", NULL },
	{ "203.0.113.20", "federated-partner external", "partner", "203.0.113.20", NULL },
	{ "203.0.113.21", "external", NULL, NULL,
	  "in no internal network and declared under no host" },
	{ "2001:db8::1", "external", NULL, NULL, NULL },
	{ "0.0.0.0", "", NULL, NULL,
	  "a loopback, link-local or unspecified address: plays no role" },
	{ "127.0.0.1", "", NULL, NULL, NULL },
	{ "169.254.1.1", "", NULL, NULL, NULL },
	{ "224.0.0.1", "", NULL, NULL, "a multicast address: plays no role" },
	{ "255.255.255.255", "", NULL, NULL, "the broadcast address: plays no role" },
	{ "::", "", NULL, NULL, NULL },
	{ "::1", "", NULL, NULL, NULL },
	{ "fe80::1", "", NULL, NULL, NULL },
	{ "ff02::1", "", NULL, NULL, NULL },
};

static void roles_text(lya_roles roles, char *buf, size_t size)
{
	buf[0] = '\0';
	for (unsigned i = 0; i < LYA_ROLES; i++) {
		size_t len = strlen(buf);

		if (roles & LYA_ROLE_BIT(i))
			(void)snprintf(buf + len, size - len, "%s%s", len > 0 ? " " : "",
				       lya_role_name((enum lya_role)i));
	}
}

static void check_case(const struct lya_site *site, size_t i)
{
	struct lya_text why = { 0 };
	struct lya_endpoint ep;
	struct lya_addr addr;
	char roles[512];
	char by[LYA_NET_TEXT];

	assert_true(lya_addr_parse(cases[i].addr, &addr));
	lya_site_classify(site, &addr, &ep);
	roles_text(ep.roles, roles, sizeof(roles));
	if (strcmp(roles, cases[i].roles) != 0)
		fail_msg("%s: %s", cases[i].addr, roles);
	assert_int_equal(ep.no_role, cases[i].roles[0] == '\0');
	assert_int_equal(ep.declared, cases[i].host != NULL);
	if (cases[i].host == NULL)
		assert_int_equal(ep.host, -1);
	else
		assert_string_equal(site->hosts[ep.host].name, cases[i].host);
	if (cases[i].by == NULL)
		assert_int_equal(ep.by.addr.family, 0);
	else
		assert_string_equal(lya_net_format(&ep.by, by), cases[i].by);
	lya_site_explain(site, &addr, &why);
	assert_true(why.len > 0);
	if (cases[i].why != NULL)
		assert_string_equal(lya_text_str(&why), cases[i].why);
	lya_text_fini(&why);
}

static void addresses_play_the_roles_of_the_model(void **state)
{
	struct lya_site *site = load(named_clients);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_case(site, i);
	lya_site_free(site);
}

static void without_client_networks_internal_means_client(void **state)
{
	struct lya_site *site =
	    load("{\"schema\": \"lyncaudit-site/1\", \"name\": \"t\", \"networks\": {\"internal\": "
		 "[\"10.0.0.0/8\"]}, \"hosts\": [{\"name\": \"fe\", \"roles\": {\"front-end\": "
		 "[\"10.2.0.11\"]}}]}");
	struct lya_endpoint ep;
	struct lya_addr addr;

	(void)state;
	assert_true(lya_addr_parse("10.9.9.9", &addr));
	lya_site_classify(site, &addr, &ep);
	assert_int_equal(ep.roles, LYA_ROLE_BIT(LYA_ROLE_CLIENT) | LYA_ROLE_BIT(LYA_ROLE_INTERNAL));
	assert_true(lya_addr_parse("10.2.0.11", &addr));
	lya_site_classify(site, &addr, &ep);
	assert_int_equal(ep.roles,
			 LYA_ROLE_BIT(LYA_ROLE_FRONT_END) | LYA_ROLE_BIT(LYA_ROLE_INTERNAL));
	assert_true(lya_addr_parse("11.0.0.0", &addr));
	lya_site_classify(site, &addr, &ep);
	assert_int_equal(ep.roles, LYA_ROLE_BIT(LYA_ROLE_EXTERNAL));
	lya_site_free(site);
}

/* xorshift64: the same numbers on every machine. */
static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* An address among few enough that networks overlap and are hit. */
static void random_addr(uint64_t *seed, struct lya_addr *a)
{
	static const uint8_t few[] = { 0, 1, 2, 3, 127, 128, 254, 255 };

	memset(a, 0, sizeof(*a));
	a->family = next_random(seed) % 2 ? 4 : 6;
	a->bytes[0] = a->family == 4 ? 10 : 0xfd;
	for (size_t i = 1; i < (a->family == 4 ? 4u : 16u); i++)
		a->bytes[i] = few[next_random(seed) % sizeof(few)];
}

static void random_net(uint64_t *seed, struct lya_net *net)
{
	unsigned width;

	random_addr(seed, &net->addr);
	width = net->addr.family == 4 ? 32 : 128;
	net->bits = (uint8_t)(8 + next_random(seed) % (width - 7));
	for (unsigned i = net->bits; i < width; i++)
		net->addr.bytes[i / 8] &= (uint8_t) ~(0x80u >> (i % 8));
}

enum { NETS = 120, HOSTS = 60, ROUNDS = 60, PROBES = 4000 };

/* Random networks of every kind; hosts take only networks that no other host has. */
static void random_site(uint64_t *seed, struct lya_text *t)
{
	struct lya_net declared[HOSTS];
	size_t n = 0;
	char net[LYA_NET_TEXT];

	lya_text_add(t, "{\"schema\": \"lyncaudit-site/1\", \"name\": \"r\", \"networks\": {");
	for (int kind = 0; kind < 2; kind++) {
		size_t count = next_random(seed) % NETS;

		lya_text_addf(t, "%s\"%s\": [", kind > 0 ? ", " : "",
			      kind > 0 ? "clients" : "internal");
		for (size_t i = 0; i < count; i++) {
			struct lya_net one;

			random_net(seed, &one);
			lya_text_addf(t, "%s\"%s\"", i > 0 ? ", " : "", lya_net_format(&one, net));
		}
		lya_text_add(t, "]");
	}
	lya_text_add(t, "}, \"hosts\": [");
	while (n < HOSTS) {
		bool taken = false;

		random_net(seed, &declared[n]);
		for (size_t i = 0; i < n; i++)
			taken = taken || (declared[i].bits == declared[n].bits &&
					  lya_addr_cmp(&declared[i].addr, &declared[n].addr) == 0);
		if (taken)
			continue;
		lya_net_format(&declared[n], net);
		lya_text_addf(t, "%s{\"name\": \"h%zu\", \"roles\": {\"%s\": [\"%s\"]%s%s%s}}",
			      n > 0 ? ", " : "", n,
			      lya_role_name((enum lya_role)(next_random(seed) % LYA_ROLE_DIRECTOR)),
			      net, n % 3 == 0 ? ", \"front-end\": [\"" : "", n % 3 == 0 ? net : "",
			      n % 3 == 0 ? "\"]" : "");
		n++;
	}
	lya_text_add(t, "]}");
}

static int longest(const struct lya_net *list, size_t n, const struct lya_addr *a)
{
	int best = -1;

	for (size_t i = 0; i < n; i++) {
		if (lya_net_holds(&list[i], a) && list[i].bits > best)
			best = list[i].bits;
	}
	return best;
}

/* The same answer from the lists, one after the other. */
static lya_roles search(const struct lya_site *site, const struct lya_addr *a, int32_t *host)
{
	int client = longest(site->clients, site->n_clients, a);
	int internal = longest(site->internal, site->n_internal, a);
	int best = -1;
	lya_roles roles = 0;
	bool inside = client >= 0 || internal >= 0;
	/* Everything before the directors in the table is perimeter; so is every VIP. */
	const lya_roles perimeter =
	    (LYA_ROLE_BIT(LYA_ROLE_DIRECTOR) - 1) | LYA_ROLES_VIPS | LYA_ROLE_BIT(LYA_ROLE_HLB);

	*host = -1;
	for (size_t h = 0; h < site->n_hosts; h++) {
		for (size_t i = 0; i < site->hosts[h].n_addresses; i++) {
			const struct lya_site_address *d = &site->hosts[h].addresses[i];

			if (!lya_net_holds(&d->net, a) || d->net.bits < best)
				continue;
			if (d->net.bits > best)
				roles = 0;
			roles |= LYA_ROLE_BIT(d->role);
			best = d->net.bits;
			*host = (int32_t)h;
		}
	}
	if (client > best) {
		*host = -1;
		return LYA_ROLE_BIT(LYA_ROLE_CLIENT) | LYA_ROLE_BIT(LYA_ROLE_INTERNAL);
	}
	if (best >= 0)
		return inside && !(roles & perimeter) ? roles | LYA_ROLE_BIT(LYA_ROLE_INTERNAL)
						      : roles;
	if (!inside)
		return LYA_ROLE_BIT(LYA_ROLE_EXTERNAL);
	return LYA_ROLE_BIT(LYA_ROLE_INTERNAL) |
	       (site->n_clients == 0 ? LYA_ROLE_BIT(LYA_ROLE_CLIENT) : 0);
}

/* An address at or beside the edge of some network: where a fault would show. */
static void probe_addr(uint64_t *seed, const struct lya_site *site, struct lya_addr *a)
{
	const struct lya_site_host *host = &site->hosts[next_random(seed) % site->n_hosts];
	const struct lya_net *net = &host->addresses[0].net;
	unsigned width = net->addr.family == 4 ? 4 : 16;

	if (next_random(seed) % 2) {
		random_addr(seed, a);
		return;
	}
	*a = net->addr;
	if (next_random(seed) % 2) { /* its last address */
		for (unsigned i = net->bits; i < width * 8; i++)
			a->bytes[i / 8] |= (uint8_t)(0x80u >> (i % 8));
	}
	if (next_random(seed) % 2) { /* one more or one less */
		int step = next_random(seed) % 2 ? 1 : -1;

		for (unsigned i = width; i-- > 1;) {
			a->bytes[i] = (uint8_t)(a->bytes[i] + step);
			if (a->bytes[i] != (step > 0 ? 0 : 255))
				break;
		}
	}
}

static void random_networks_as_by_plain_search(void **state)
{
	uint64_t seed = UINT64_C(0x1f3c5a7b9d2e4680);

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		struct lya_text text = { 0 };
		struct lya_site *site;

		random_site(&seed, &text);
		site = load(lya_text_str(&text));
		for (int i = 0; i < PROBES; i++) {
			struct lya_endpoint ep;
			struct lya_addr a;
			int32_t host;
			char name[LYA_ADDR_TEXT];

			probe_addr(&seed, site, &a);
			lya_site_classify(site, &a, &ep);
			if (ep.roles != search(site, &a, &host) || ep.host != host)
				fail_msg("round %d: %s is %x under host %d, wanted %x under %d",
					 round, lya_addr_format(&a, name), (unsigned)ep.roles,
					 (int)ep.host, (unsigned)search(site, &a, &host),
					 (int)host);
			if (ep.by.addr.family != 0)
				assert_true(lya_net_holds(&ep.by, &a));
		}
		lya_site_free(site);
		lya_text_fini(&text);
	}
}

static void ends_of_exceptions_match(void **state)
{
	struct lya_site *site = load(named_clients);
	struct lya_site_match role = { .kind = LYA_MATCH_ROLE,
				       .roles = LYA_ROLE_BIT(LYA_ROLE_MEDIATION) };
	struct lya_site_match host = { .kind = LYA_MATCH_HOST, .host = 0 };
	struct lya_site_match net = { .kind = LYA_MATCH_NET };
	struct lya_endpoint ep;
	struct lya_addr addr;

	(void)state;
	assert_true(lya_net_parse("10.2.0.0/24", &net.net, NULL));
	assert_true(lya_addr_parse("10.2.0.11", &addr));
	lya_site_classify(site, &addr, &ep);
	assert_true(lya_site_match(&role, &addr, &ep));
	assert_true(lya_site_match(&host, &addr, &ep));
	assert_true(lya_site_match(&net, &addr, &ep));
	assert_true(lya_addr_parse("10.3.0.1", &addr));
	lya_site_classify(site, &addr, &ep);
	assert_false(lya_site_match(&role, &addr, &ep));
	assert_false(lya_site_match(&host, &addr, &ep));
	assert_false(lya_site_match(&net, &addr, &ep));
	/* An undeclared address is not host number 0. */
	assert_true(lya_addr_parse("10.2.0.99", &addr));
	lya_site_classify(site, &addr, &ep);
	assert_false(lya_site_match(&host, &addr, &ep));
	assert_true(lya_site_match(&net, &addr, &ep));
	lya_site_free(site);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_play_the_roles_of_the_model),
		cmocka_unit_test(without_client_networks_internal_means_client),
		cmocka_unit_test(random_networks_as_by_plain_search),
		cmocka_unit_test(ends_of_exceptions_match),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
