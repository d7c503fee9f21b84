/*
 * test_load.c - site descriptions: what they may hold, and what each fault is told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "lyncaudit/alloc.h"
#include "lyncaudit/site.h"
#include "lyncaudit/text.h"

#define BIT(name) LYA_ROLE_BIT(LYA_ROLE_##name)

/* A small whole site; a case replaces one member, adds one, or leaves it out. */
static const char *const members[][2] = {
	{ "schema", "\"lyncaudit-site/1\"" },
	{ "name", "\"contoso-hq\"" },
	{ "timezone", "\"Europe/Paris\"" },
	{ "networks", "{\"internal\": [\"10.0.0.0/8\"], \"clients\": [\"10.20.0.0/16\"]}" },
	{ "hosts", "[{\"name\": \"edge01\", \"roles\": {\"edge-av\": [\"198.51.100.23\"]}}, "
		   "{\"name\": \"fe01\", \"roles\": {\"front-end\": [\"10.2.0.11\"]}}]" },
	{ "exceptions", "[]" },
};

static void make_site(struct lya_text *t, const char *member, const char *value)
{
	bool done = member == NULL;
	const char *comma = "{";

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		bool this = !done && strcmp(members[i][0], member) == 0;
		const char *v = this ? value : members[i][1];

		done = done || this;
		if (v == NULL)
			continue;
		lya_text_addf(t, "%s\"%s\": %s", comma, members[i][0], v);
		comma = ", ";
	}
	if (!done)
		lya_text_addf(t, "%s\"%s\": %s", comma, member, value);
	lya_text_add(t, "}");
}

#define HOST(rest) "[{\"name\": \"a\", " rest "}]"
#define ROLES "\"roles\": {\"front-end\": [\"10.2.0.11\"]}"
#define EXCEPTION(id, from, to, transport, ports, rest)                                            \
	"[{\"id\": " id ", \"from\": " from ", \"to\": " to ", \"transport\": " transport          \
	", \"ports\": " ports ", \"reason\": \"why\"" rest "}]"

static const struct {
	const char *member, *value;
	const char *message; /* the only one */
} bad[] = {
	{ "schema", NULL, "s: member \"schema\" is missing" },
	{ "schema", "\"lyncaudit-site/2\"",
	  "s: schema: wanted \"lyncaudit-site/1\", found \"lyncaudit-site/2\"" },
	{ "name", NULL, "s: member \"name\" is missing" },
	{ "name", "[]", "s: name: wanted a string, found an array" },
	{ "timezone", "\"Europe/Pariss\"",
	  "s: timezone: \"Europe/Pariss\" is no time zone known here (Europe/Paris)" },
	{ "timezone", "\"../../etc/passwd\"",
	  "s: timezone: \"../../etc/passwd\" is no time zone known here (Europe/Paris)" },
	{ "timezone", "\"/etc/localtime\"",
	  "s: timezone: \"/etc/localtime\" is no time zone known here (Europe/Paris)" },
	{ "timezone", "\"Europe\"",
	  "s: timezone: \"Europe\" is no time zone known here (Europe/Paris)" },
	{ "timezone", "\"tzdata.zi\"",
	  "s: timezone: \"tzdata.zi\" is no time zone known here (Europe/Paris)" },
	{ "networks", NULL, "s: member \"networks\" is missing" },
	{ "networks", "{}", "s: networks: member \"internal\" is missing" },
	{ "networks", "{\"internal\": \"10.0.0.0/8\"}",
	  "s: networks.internal: wanted an array, found the string \"10.0.0.0/8\"" },
	{ "networks", "{\"internal\": [\"10.0.0.0/33\"]}",
	  "s: networks.internal[0]: \"10.0.0.0/33\" is not an address or a network" },
	{ "networks", "{\"internal\": [\"10.0.0.5/8\"]}",
	  "s: networks.internal[0]: \"10.0.0.5/8\" has bits set behind its prefix length" },
	{ "networks", "{\"internal\": [], \"clients\": [\"10.20.0.0/16\", \"10.21\"]}",
	  "s: networks.clients[1]: \"10.21\" is not an address or a network" },
	{ "networks", "{\"internal\": [], \"guests\": []}",
	  "s: networks: unknown member \"guests\"" },
	{ "hosts", NULL, "s: member \"hosts\" is missing" },
	{ "hosts", "{}", "s: hosts: wanted an array, found an object" },
	{ "hosts", "[5]", "s: hosts[0]: wanted an object, found the number 5" },
	{ "hosts", "[{" ROLES "}]", "s: hosts[0]: member \"name\" is missing" },
	{ "hosts", "[{\"name\": \"a\"}]", "s: hosts[0]: member \"roles\" is missing" },
	{ "hosts", HOST("\"roles\": {}"), "s: hosts[0].roles: names no role" },
	{ "hosts", HOST("\"roles\": {\"front-end\": []}"),
	  "s: hosts[0].roles.front-end: holds no address" },
	{ "hosts", HOST("\"roles\": {\"edge-av\": [\"10.1.0.999\"]}"),
	  "s: hosts[0].roles.edge-av[0]: \"10.1.0.999\" is not an address or a network" },
	{ "hosts", HOST("\"roles\": {\"edge-av\": [\"10.1.0.9\", 5]}"),
	  "s: hosts[0].roles.edge-av[1]: wanted a string, found the number 5" },
	{ "hosts", HOST("\"roles\": {\"edge-av\": [\"10.1.0.9/24\"]}"),
	  "s: hosts[0].roles.edge-av[0]: \"10.1.0.9/24\" has bits set behind its prefix length" },
	{ "hosts", HOST("\"roles\": {\"edge-av\": [\"224.0.0.5\"]}"),
	  "s: hosts[0].roles.edge-av[0]: 224.0.0.5 is multicast, broadcast, loopback, link-local "
	  "or "
	  "unspecified: no host has it as its own" },
	{ "hosts", HOST("\"roles\": {\"edge-media\": [\"10.1.0.9\"]}"),
	  "s: hosts[0].roles.edge-media: \"edge-media\" is no role; roles are edge-access, "
	  "edge-webconf, edge-av, edge-internal, edge-access-vip, edge-webconf-vip, edge-av-vip, "
	  "edge-internal-vip, reverse-proxy-external, reverse-proxy-internal, director, "
	  "director-vip, front-end, front-end-vip, mediation, mediation-vip, persistent-chat, "
	  "office-web-apps, central-management, survivable-branch, pstn-gateway, "
	  "trusted-application, hlb, federated-partner" },
	{ "hosts", HOST("\"roles\": {\"FE\": [\"10.1.0.9\"]}"),
	  "s: hosts[0].roles.FE: \"FE\" is a group of roles: wanted a role" },
	{ "hosts", HOST("\"roles\": {\"client\": [\"10.1.0.9\"]}"),
	  "s: hosts[0].roles.client: \"client\" follows from the networks of the site and cannot "
	  "be "
	  "declared" },
	{ "hosts", HOST("\"roles\": {\"director\": [\"10.1.0.9\", \"10.1.0.8\", \"10.1.0.9\"]}"),
	  "s: hosts[0].roles.director[2]: 10.1.0.9 stands in this list twice" },
	{ "hosts",
	  "[{\"name\": \"a\", " ROLES "}, {\"name\": \"b\", \"roles\": {\"mediation\": "
	  "[\"10.9.9.9\", \"10.2.0.11\"]}}]",
	  "s: hosts[1].roles.mediation[1]: 10.2.0.11 belongs to another host too "
	  "(hosts[0].roles.front-end[0], \"a\")" },
	{ "hosts",
	  "[{\"name\": \"a\", " ROLES "}, {\"name\": \"a\", \"roles\": {\"mediation\": "
	  "[\"10.9.9.9\"]}}]",
	  "s: hosts[1].name: \"a\" is the name of hosts[0] too" },
	{ "hosts", HOST(ROLES ", \"role\": 1"), "s: hosts[0]: unknown member \"role\"" },
	{ "hosts", HOST(ROLES ", \"pool\": \"\""),
	  "s: hosts[0].pool: wanted a text, found an empty string" },
	{ "hosts", HOST(ROLES ", \"macs\": [\"00:0a:49:00:00\"]"),
	  "s: hosts[0].macs[0]: \"00:0a:49:00:00\" is not a MAC address (00:0a:49:00:00:01)" },
	{ "hosts", HOST(ROLES ", \"macs\": [\"00:0a:49:00:00:01:02\"]"),
	  "s: hosts[0].macs[0]: \"00:0a:49:00:00:01:02\" is not a MAC address "
	  "(00:0a:49:00:00:01)" },
	{ "hosts", HOST(ROLES ", \"macs\": [\"01:00:5e:00:00:01\"]"),
	  "s: hosts[0].macs[0]: \"01:00:5e:00:00:01\" is a multicast address: no host has it" },
	{ "hosts", HOST(ROLES ", \"names\": [7]"),
	  "s: hosts[0].names[0]: wanted a string, found the number 7" },
	{ "hosts", HOST(ROLES ", \"snat\": [\"front-end\"]"),
	  "s: hosts[0].snat[0]: wanted the role of a VIP, found \"front-end\"" },
	{ "hosts", HOST(ROLES ", \"snat\": [\"front-end-vip\"]"),
	  "s: hosts[0].snat[0]: \"front-end-vip\" is no role of this host" },
	{ "hosts",
	  HOST("\"roles\": {\"director-vip\": [\"10.2.0.20\"]}, \"snat\": "
	       "[\"director-vip\", \"director-vip\"]"),
	  "s: hosts[0].snat[1]: \"director-vip\" stands here twice" },
	{ "load_balancing", "{\"edge\": \"f5\"}",
	  "s: load_balancing.edge: wanted \"hlb\", \"dns\" or \"none\", found \"f5\"" },
	{ "load_balancing", "{\"edges\": \"hlb\"}", "s: load_balancing: unknown member \"edges\"" },
	{ "features", "[\"xmpp\", \"video\"]", "s: features[1]: \"video\" is no feature" },
	{ "features", "[\"xmpp\", \"xmpp\"]", "s: features[1]: \"xmpp\" stands here twice" },
	{ "exceptions", "5", "s: exceptions: wanted an array, found the number 5" },
	{ "exceptions", "[{}]", NULL }, /* six at once: see below */
	{ "exceptions", EXCEPTION("\"E\"", "\"fe1\"", "\"fe01\"", "\"tcp\"", "\"1\"", ""),
	  "s: exceptions[0].from: \"fe1\" is no role, no host, no address and no network" },
	{ "exceptions", EXCEPTION("\"E\"", "\"fe01\"", "\"10.9.0.1/24\"", "\"tcp\"", "\"1\"", ""),
	  "s: exceptions[0].to: \"10.9.0.1/24\" has bits set behind its prefix length" },
	{ "exceptions", EXCEPTION("\"E\"", "\"FE\"", "\"any\"", "\"tcp,udp\"", "\"1\"", ""),
	  "s: exceptions[0].transport: wanted \"tcp\", \"udp\" or \"any\", found \"tcp,udp\"" },
	{ "exceptions", EXCEPTION("\"E\"", "\"FE\"", "\"any\"", "\"any\"", "\"80, 0\"", ""),
	  "s: exceptions[0].ports: \"0\" is neither a port (1 to 65535) nor a range of ports, "
	  "lower "
	  "one first" },
	{ "exceptions", EXCEPTION("\"E\"", "\"FE\"", "\"any\"", "\"any\"", "\"80,,90\"", ""),
	  "s: exceptions[0].ports: \"\" is neither a port (1 to 65535) nor a range of ports, lower "
	  "one first" },
	{ "exceptions", EXCEPTION("\"E\"", "\"FE\"", "\"any\"", "\"any\"", "\"80,any\"", ""),
	  "s: exceptions[0].ports: \"any\" is neither a port (1 to 65535) nor a range of ports, "
	  "lower one first" },
	{ "exceptions", EXCEPTION("\"E\"", "\"FE\"", "\"any\"", "\"any\"", "1433", ""),
	  "s: exceptions[0].ports: wanted a string, found the number 1433" },
	{ "exceptions",
	  EXCEPTION("\"E\"", "\"FE\"", "\"any\"", "\"any\"", "\"1\"",
		    ", \"expires\": \"2027-02-29\""),
	  "s: exceptions[0].expires: \"2027-02-29\" is not a date (2027-06-30)" },
	{ "exceptions",
	  EXCEPTION("\"E\"", "\"FE\"", "\"any\"", "\"any\"", "\"1\"",
		    ", \"expires\": \"30/06/2027\""),
	  "s: exceptions[0].expires: \"30/06/2027\" is not a date (2027-06-30)" },
	{ "exceptions",
	  EXCEPTION("\"E\"", "\"FE\"", "\"any\"", "\"any\"", "\"1\"", ", \"expires\": null"),
	  "s: exceptions[0].expires: wanted a string, found null" },
	{ "exceptions",
	  EXCEPTION("\"E\"", "\"FE\"", "\"any\"", "\"any\"", "\"1\"", ", \"until\": 1"),
	  "s: exceptions[0]: unknown member \"until\"" },
	{ "port_overrides", "[{\"rule\": \"edge.3.6\", \"ports\": \"444\"}]",
	  "s: port_overrides[0]: member \"reason\" is missing" },
	{ "port_overrides", "[{\"rule\": \"edge.3.6\", \"ports\": \"any\", \"reason\": \"r\"}]",
	  "s: port_overrides[0].ports: \"any\" is neither a port (1 to 65535) nor a range of "
	  "ports, "
	  "lower one first" },
	{ "port_overrides",
	  "[{\"rule\": \"edge.3.6\", \"ports\": \"444\", \"reason\": \"r\"}, "
	  "{\"rule\": \"edge.3.6\", \"ports\": \"445\", \"reason\": \"r\"}]",
	  "s: port_overrides[1]: rule \"edge.3.6\" is overridden by port_overrides[0] too" },
	{ "severities", "{\"wrong-way\": \"high\"}",
	  "s: severities.wrong-way: \"wrong-way\" is no type of finding" },
	{ "severities", "{\"cleartext\": \"severe\"}",
	  "s: severities.cleartext: wanted critical, high, medium, low or info, found \"severe\"" },
	{ "vlan_in_key", "\"yes\"",
	  "s: vlan_in_key: wanted true or false, found the string \"yes\"" },
	{ "sensors", "[{\"source\": \"edge.pcapng\", \"place\": \"inside\"}]",
	  "s: sensors[0].place: wanted \"outside\", \"between\" or \"behind\", found \"inside\"" },
	{ "sensors", "[{\"place\": \"behind\"}]", "s: sensors[0]: member \"source\" is missing" },
	{ "sites", "[]", "s: unknown member \"sites\"" },
};

static struct lya_site *load(const char *member, const char *value, struct lya_diags *diags)
{
	struct lya_text text = { 0 };
	struct lya_error err = { 0 };
	struct lya_site *site;
	int rc;

	make_site(&text, member, value);
	rc = lya_site_load_text(&site, "s", lya_text_str(&text), text.len, diags, &err);
	lya_text_fini(&text);
	assert_int_equal(rc, diags->errors > 0 ? LYA_EINPUT : LYA_OK);
	assert_true((rc == LYA_OK) == (site != NULL));
	return site;
}

static void bad_members_are_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct lya_diags diags = { 0 };

		if (load(bad[i].member, bad[i].value, &diags) != NULL)
			fail_msg("accepted: %s", bad[i].value);
		if (bad[i].message != NULL) {
			assert_string_equal(diags.list[0].text, bad[i].message);
			assert_int_equal(diags.n, 1);
		}
		lya_diags_fini(&diags);
	}
}

static void all_faults_are_named_at_once(void **state)
{
	static const char *const wanted[] = {
		"s: exceptions[0]: member \"id\" is missing",
		"s: exceptions[0]: member \"from\" is missing",
		"s: exceptions[0]: member \"to\" is missing",
		"s: exceptions[0]: member \"transport\" is missing",
		"s: exceptions[0]: member \"ports\" is missing",
		"s: exceptions[0]: member \"reason\" is missing",
	};
	struct lya_diags diags = { 0 };

	(void)state;
	assert_null(load("exceptions", "[{}]", &diags));
	assert_int_equal(diags.n, 6);
	for (size_t i = 0; i < 6; i++)
		assert_string_equal(diags.list[i].text, wanted[i]);
	lya_diags_fini(&diags);
}

static void exception_ids_are_unique(void **state)
{
	struct lya_diags diags = { 0 };

	(void)state;
	assert_null(
	    load("exceptions",
		 "[{\"id\": \"E\", \"from\": \"FE\", \"to\": \"fe01\", \"transport\": \"tcp\", "
		 "\"ports\": \"1\", \"reason\": \"r\"}, {\"id\": \"E\", \"from\": \"FE\", "
		 "\"to\": \"fe01\", \"transport\": \"tcp\", \"ports\": \"2\", \"reason\": "
		 "\"r\"}]",
		 &diags));
	assert_string_equal(diags.list[0].text,
			    "s: exceptions[1].id: \"E\" is the id of exceptions[0] too");
	lya_diags_fini(&diags);
}

static void a_host_may_be_called_like_a_role(void **state)
{
	struct lya_text text = { 0 };
	struct lya_diags diags = { 0 };
	struct lya_site *site;

	(void)state;
	lya_text_add(
	    &text,
	    "{\"schema\": \"lyncaudit-site/1\", \"name\": \"n\", \"networks\": "
	    "{\"internal\": []}, \"hosts\": [{\"name\": \"director\", \"roles\": {\"director\": "
	    "[\"10.0.0.1\"]}}], \"exceptions\": [{\"id\": \"E\", \"from\": \"director\", "
	    "\"to\": \"any\", \"transport\": \"any\", \"ports\": \"any\", \"reason\": \"r\"}]}");
	assert_int_equal(lya_site_load_text(&site, "s", lya_text_str(&text), text.len, &diags,
					    NULL),
			 LYA_OK);
	assert_int_equal(site->exceptions[0].from.kind, LYA_MATCH_ROLE);
	assert_int_equal(diags.n, 1);
	assert_int_equal(diags.list[0].level, LYA_DIAG_WARNING);
	assert_string_equal(diags.list[0].text,
			    "s: exceptions[0].from: \"director\" is a role and a "
			    "host: the role is meant");
	lya_site_free(site);
	lya_diags_fini(&diags);
	lya_text_fini(&text);
}

/* The example of formats.md, word for word. */
static const char contoso[] =
    "{\"schema\": \"lyncaudit-site/1\", \"name\": \"contoso-hq\", \"timezone\": \"Europe/Paris\","
    "\"networks\": {\"internal\": [\"10.0.0.0/8\", \"fd00:10::/32\"],"
    "\"clients\":  [\"10.20.0.0/16\"]},"
    "\"hosts\": [{\"name\": \"edge01\", \"roles\": {"
    "\"edge-access\":   [\"198.51.100.21\"], \"edge-webconf\": [\"198.51.100.22\"],"
    "\"edge-av\":       [\"198.51.100.23\"], \"edge-internal\": [\"10.1.0.21\"]}},"
    "{\"name\": \"hlb-ext\", \"macs\": [\"00:0a:49:00:00:01\"], \"roles\": {"
    "\"hlb\":             [\"198.51.100.2\", \"198.51.100.3\"],"
    "\"edge-access-vip\": [\"198.51.100.11\"], \"edge-webconf-vip\": [\"198.51.100.12\"],"
    "\"edge-av-vip\":     [\"198.51.100.13\"]}},"
    "{\"name\": \"fe01\", \"roles\": {\"front-end\": [\"10.2.0.11\"], \"mediation\": "
    "[\"10.2.0.11\"]}},"
    "{\"name\": \"pstn\", \"roles\": {\"pstn-gateway\": [\"10.3.0.0/28\"]}}],"
    "\"load_balancing\": {\"front-end\": \"hlb\", \"director\": \"hlb\", \"edge\": \"hlb\"},"
    "\"features\": [\"federation\", \"xmpp\"],"
    "\"exceptions\": [{\"id\": \"EX-7\", \"from\": \"front-end\", \"to\": \"10.9.0.0/24\","
    "\"transport\": \"tcp\", \"ports\": \"1433\", \"reason\": \"SQL Server back end\","
    "\"owner\": \"dba\", \"expires\": \"2027-06-30\"}],"
    "\"port_overrides\": [{\"rule\": \"edge.3.6\", \"ports\": \"444\", \"reason\": \"one external "
    "address\"}], \"severities\": {\"unexpected-port\": \"high\"}}";

static struct lya_site *load_contoso(void)
{
	struct lya_diags diags = { 0 };
	struct lya_error err = { 0 };
	struct lya_site *site;

	if (lya_site_load_text(&site, "s", contoso, strlen(contoso), &diags, &err) != LYA_OK)
		fail_msg("%s", err.text);
	assert_int_equal(diags.n, 0);
	lya_diags_fini(&diags);
	return site;
}

static void the_example_is_read(void **state)
{
	struct lya_site *s = load_contoso();
	const uint8_t mac[6] = { 0x00, 0x0a, 0x49, 0x00, 0x00, 0x01 };

	(void)state;
	assert_string_equal(s->name, "contoso-hq");
	assert_string_equal(s->timezone, "Europe/Paris");
	assert_string_equal(s->file, "s");
	assert_int_equal(strlen(s->sha256), 64);
	assert_int_equal(s->n_internal, 2);
	assert_int_equal(s->n_clients, 1);
	assert_int_equal(s->n_hosts, 4);
	assert_string_equal(s->hosts[1].name, "hlb-ext");
	assert_int_equal(s->hosts[1].n_addresses, 5);
	assert_int_equal(s->hosts[1].n_macs, 1);
	assert_memory_equal(s->hosts[1].macs[0], mac, 6);
	assert_int_equal(s->hosts[2].roles, BIT(FRONT_END) | BIT(MEDIATION));
	assert_null(s->hosts[2].pool);
	assert_int_equal(s->lb[LYA_LB_FRONT_END], LYA_LB_HLB);
	assert_int_equal(s->lb[LYA_LB_MEDIATION], LYA_LB_NONE); /* nothing said, no VIP */
	assert_false(s->lb_given[LYA_LB_MEDIATION]);
	assert_true(s->has_features);
	assert_int_equal(s->features, 1u << LYA_FEATURE_FEDERATION | 1u << LYA_FEATURE_XMPP);
	assert_int_equal(s->n_exceptions, 1);
	assert_int_equal(s->exceptions[0].from.kind, LYA_MATCH_ROLE);
	assert_int_equal(s->exceptions[0].from.roles, BIT(FRONT_END));
	assert_int_equal(s->exceptions[0].to.kind, LYA_MATCH_NET);
	assert_int_equal(s->exceptions[0].transports, LYA_T_TCP);
	assert_int_equal(s->exceptions[0].n_ports, 1);
	assert_int_equal(s->exceptions[0].ports[0].first, 1433);
	assert_false(s->exceptions[0].any_port);
	assert_string_equal(s->exceptions[0].owner, "dba");
	assert_int_equal(s->n_overrides, 1);
	assert_int_equal(s->overrides[0].ports[0].first, 444);
	assert_int_equal(s->n_severities, 1);
	assert_string_equal(s->severities[0].severity, "high");
	assert_false(s->vlan_in_key);
	lya_site_free(s);
}

static void optional_members_are_read(void **state)
{
	struct lya_diags diags = { 0 };
	struct lya_site *s;

	(void)state;
	s = load("hosts",
		 "[{\"name\": \"lb\", \"pool\": \"north\", \"names\": [\"*.contoso.example\"], "
		 "\"snat\": [\"director-vip\"], \"macs\": [\"00-0A-49-00-00-fF\"], "
		 "\"x-rack\": 7, \"roles\": {\"x-old\": 5, \"director-vip\": [\"10.0.0.9\"]}}]",
		 &diags);
	assert_non_null(s);
	assert_string_equal(s->hosts[0].pool, "north");
	assert_string_equal(s->hosts[0].names[0], "*.contoso.example");
	assert_int_equal(s->hosts[0].snat, BIT(DIRECTOR_VIP));
	assert_int_equal(s->hosts[0].macs[0][5], 0xff);
	assert_int_equal(s->lb[LYA_LB_DIRECTOR],
			 LYA_LB_HLB); /* the default, where a VIP is declared */
	assert_int_equal(s->lb[LYA_LB_EDGE], LYA_LB_NONE);
	assert_false(s->has_features);
	assert_int_equal(s->features, (1u << LYA_FEATURES) - 1);
	lya_site_free(s);
	s = load("sensors", "[{\"source\": \"eth1\", \"place\": \"between\"}]", &diags);
	assert_non_null(s);
	assert_string_equal(s->sensors[0].source, "eth1");
	assert_int_equal(s->sensors[0].place, LYA_PLACE_BETWEEN);
	lya_site_free(s);
	s = load("vlan_in_key", "true", &diags);
	assert_non_null(s);
	assert_true(s->vlan_in_key);
	lya_site_free(s);
	s = load("timezone", NULL, &diags);
	assert_non_null(s);
	assert_string_equal(s->timezone, "UTC");
	lya_site_free(s);
	s = load("exceptions",
		 EXCEPTION("\"E\"", "\"any-internal\"", "\"fe01\"", "\"any\"",
			   "\"443, 80-90 ,85-100\"", ""),
		 &diags);
	assert_non_null(s);
	assert_int_equal(s->exceptions[0].from.roles, LYA_ROLES_ANY_INTERNAL);
	assert_int_equal(s->exceptions[0].to.kind, LYA_MATCH_HOST);
	assert_int_equal(s->exceptions[0].to.host, 1);
	assert_int_equal(s->exceptions[0].transports, LYA_T_TCP | LYA_T_UDP);
	assert_int_equal(s->exceptions[0].n_ports, 2);
	assert_int_equal(s->exceptions[0].ports[0].last, 100);
	assert_null(s->exceptions[0].owner);
	assert_false(s->exceptions[0].has_expiry);
	lya_site_free(s);
	s = load("exceptions", EXCEPTION("\"E\"", "\"FE\"", "\"any\"", "\"udp\"", "\"any\"", ""),
		 &diags);
	assert_non_null(s);
	assert_true(s->exceptions[0].any_port);
	lya_site_free(s);
	assert_int_equal(diags.n, 0);
}

static void the_digest_is_of_the_bytes(void **state)
{
	struct lya_diags diags = { 0 };
	struct lya_site *one = load(NULL, NULL, &diags);
	struct lya_site *two = load("name", "\"contoso-hq\" /* a comment */", &diags);

	(void)state;
	assert_non_null(one);
	assert_non_null(two);
	assert_string_not_equal(one->sha256, two->sha256);
	lya_site_free(one);
	lya_site_free(two);
}

static void overrides_name_rules_with_ports(void **state)
{
	struct lya_diags diags = { 0 };
	struct lya_rules *rules;
	struct lya_site *site = load_contoso();

	(void)state;
	assert_int_equal(lya_rules_load(&rules, TEST_SOURCE_DIR "/rules/lync-server-2013", &diags,
					NULL),
			 LYA_OK);
	lya_diags_fini(&diags);
	assert_int_equal(lya_site_check_rules(site, rules, &diags, NULL), LYA_OK);
	lya_site_free(site);
	site = load("port_overrides",
		    "[{\"rule\": \"edge.9.9\", \"ports\": \"444\", \"reason\": \"r\"}, "
		    "{\"rule\": \"edge.p.av-no-snat\", \"ports\": \"445\", \"reason\": \"r\"}]",
		    &diags);
	assert_non_null(site);
	assert_int_equal(lya_site_check_rules(site, rules, &diags, NULL), LYA_EINPUT);
	assert_int_equal(diags.n, 2);
	assert_string_equal(
	    diags.list[0].text,
	    "s: port_overrides[0].rule: \"edge.9.9\" is no rule of lync-server-2013");
	assert_string_equal(diags.list[1].text,
			    "s: port_overrides[1].rule: \"edge.p.av-no-snat\" is "
			    "a statement and has no ports");
	lya_site_free(site);
	lya_rules_free(rules);
	lya_diags_fini(&diags);
}

static void the_shipped_example_is_whole(void **state)
{
	struct lya_diags diags = { 0 };
	struct lya_error err = { 0 };
	struct lya_site_fault *faults;
	struct lya_site *site;
	size_t n;

	(void)state;
	if (lya_site_load(&site, TEST_SOURCE_DIR "/docs/examples/site.json", &diags, &err) !=
	    LYA_OK)
		fail_msg("%s", err.text);
	assert_int_equal(diags.n, 0);
	assert_int_equal(lya_site_check(site, &faults, &n, &err), LYA_OK);
	assert_int_equal(n, 0);
	lya_site_faults_free(faults, n);
	lya_site_free(site);
}

static void what_is_not_there_cannot_be_opened(void **state)
{
	struct lya_diags diags = { 0 };
	struct lya_error err = { 0 };
	struct lya_site *site;

	(void)state;
	assert_int_equal(lya_site_load(&site, "no-such-site.json", &diags, &err), LYA_EIO);
	assert_string_equal(err.text,
			    "no-such-site.json: cannot be opened: No such file or directory");
	assert_null(site);
}

static void no_memory_is_an_answer(void **state)
{
	int rc = LYA_ENOMEM;

	(void)state;
	for (uint64_t n = 1; rc == LYA_ENOMEM; n++) {
		struct lya_diags diags = { 0 };
		struct lya_error err = { 0 };
		struct lya_site *site;

		assert_true(n < 2000);
		lya_alloc_fail_at(n);
		rc = lya_site_load_text(&site, "s", contoso, strlen(contoso), &diags, &err);
		lya_alloc_fail_at(0);
		assert_true(rc == LYA_OK || rc == LYA_ENOMEM);
		assert_true((rc == LYA_OK) == (site != NULL));
		lya_site_free(site);
		lya_diags_fini(&diags);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_members_are_named),
		cmocka_unit_test(all_faults_are_named_at_once),
		cmocka_unit_test(exception_ids_are_unique),
		cmocka_unit_test(a_host_may_be_called_like_a_role),
		cmocka_unit_test(the_example_is_read),
		cmocka_unit_test(optional_members_are_read),
		cmocka_unit_test(the_digest_is_of_the_bytes),
		cmocka_unit_test(overrides_name_rules_with_ports),
		cmocka_unit_test(the_shipped_example_is_whole),
		cmocka_unit_test(what_is_not_there_cannot_be_opened),
		cmocka_unit_test(no_memory_is_an_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
