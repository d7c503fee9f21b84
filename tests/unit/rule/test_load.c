/*
 * test_load.c - rule files: what they must hold, what is refused, what is noted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lyncaudit/alloc.h"
#include "lyncaudit/rule.h"

#define BIT(name) LYA_ROLE_BIT(LYA_ROLE_##name)

/* formats.md: an entry, whose members a case replaces one at a time. */
static const char *const members[][2] = {
	{ "id", "\"edge.3.4\"" },
	{ "title", "\"SIP signalling\"" },
	{ "from", "[\"any\"]" },
	{ "to", "[\"edge-access-vip\"]" },
	{ "transport", "[\"tcp\"]" },
	{ "ports", "[\"5061\"]" },
	{ "port_of", "\"responder\"" },
	{ "strict", "null" },
	{ "application", "\"sip/mtls\"" },
	{ "feature", "null" },
	{ "required", "true" },
	{ "document", "{\"key\": \"edge\", \"table\": 3, \"row\": 4}" },
};

/* The entry as JSON; `member` has the given value, or is left out when that is NULL. */
static void add_entry(char *text, size_t size, const char *member, const char *value)
{
	const char *comma = "";
	bool done = member == NULL;
	size_t len = strlen(text);

	len += (size_t)snprintf(text + len, size - len, "{");
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		bool this = !done && strcmp(members[i][0], member) == 0;
		const char *v = this ? value : members[i][1];

		done = done || this;
		if (v == NULL)
			continue;
		len += (size_t)snprintf(text + len, size - len, "%s\"%s\": %s", comma,
					members[i][0], v);
		comma = ", ";
	}
	if (!done)
		len += (size_t)snprintf(text + len, size - len, ", \"%s\": %s", member, value);
	(void)snprintf(text + len, size - len, "}");
}

static const char head[] = "{\"schema\": \"lyncaudit-rules/1\", "
			   "\"document\": {\"key\": \"edge\", \"title\": \"Edge\"}, \"rules\": [";

static void make_file(char *text, size_t size, const char *member, const char *value)
{
	(void)snprintf(text, size, "%s", head);
	add_entry(text, size, member, value);
	strcat(text, "]}");
}

static const struct {
	const char *member, *value;
	const char *message; /* the only one, exactly */
} bad[] = {
	{ "id", NULL, "f: rules[0]: member \"id\" is missing" },
	{ "id", "5", "f: rules[0].id: wanted a string, found the number 5" },
	{ "id", "\"edge.3.5\"",
	  "f: rules[0]: id \"edge.3.5\" is not its document reference, \"edge.3.4\"" },
	{ "title", NULL, "f: rules[0]: member \"title\" is missing" },
	{ "title", "\"\"", "f: rules[0].title: wanted a text, found an empty string" },
	{ "from", NULL, "f: rules[0]: member \"from\" is missing" },
	{ "from", "[]", "f: rules[0].from: names no role: the row could match nothing" },
	{ "from", "\"any\"", "f: rules[0].from: wanted an array, found the string \"any\"" },
	{ "from", "[\"frontend\"]",
	  "f: rules[0].from[0]: \"frontend\" is neither a role nor a group of roles" },
	{ "from", "[\"client\", \"client\"]", "f: rules[0].from[1]: \"client\" stands here twice" },
	{ "to", "[]", "f: rules[0].to: names no role: the row could match nothing" },
	{ "to", "[\"edge-av\", 7]", "f: rules[0].to[1]: wanted a string, found the number 7" },
	{ "transport", "[]",
	  "f: rules[0].transport: names no transport: the row could match nothing" },
	{ "transport", "[\"sctp\"]",
	  "f: rules[0].transport[0]: wanted \"tcp\" or \"udp\", found \"sctp\"" },
	{ "transport", "[\"tcp\", \"tcp\"]",
	  "f: rules[0].transport[1]: \"tcp\" stands here twice" },
	{ "transport", "[\"udp\"]",
	  "f: rules[0]: can never match: sip/mtls does not run over udp" },
	{ "ports", "[]", "f: rules[0].ports: names no port: the row could match nothing" },
	{ "ports", "[\"0\"]",
	  "f: rules[0].ports[0]: \"0\" is neither a port (1 to 65535) nor a range "
	  "of ports, lower one first" },
	{ "ports", "[\"443\", \"5070-5060\"]",
	  "f: rules[0].ports[1]: \"5070-5060\" is neither a port (1 to 65535) nor a range of "
	  "ports, "
	  "lower one first" },
	{ "ports", "[\"any\", \"443\"]",
	  "f: rules[0].ports[0]: \"any\" stands alone or not at all" },
	{ "ports", "[443]", "f: rules[0].ports[0]: wanted a string, found the number 443" },
	{ "port_of", "null", "f: rules[0].port_of: wanted a string, found null" },
	{ "port_of", "\"sender\"",
	  "f: rules[0].port_of: wanted \"responder\", \"initiator\" or \"either\", found "
	  "\"sender\"" },
	{ "strict", "[]", "f: rules[0].strict: wanted an object, found an array" },
	{ "strict", "{}", "f: rules[0].strict: wanted \"from\" or \"to\", found neither" },
	{ "strict", "{\"from\": []}",
	  "f: rules[0].strict.from: names no role: the row could match nothing" },
	{ "strict", "{\"to\": [\"director\"]}",
	  "f: rules[0].strict.to: holds roles that the row's \"to\" does not: they can never "
	  "match" },
	{ "strict", "{\"from\": [\"client\"], \"too\": []}",
	  "f: rules[0].strict: unknown member \"too\"" },
	{ "named", "{\"to\": [\"hlb\"]}",
	  "f: rules[0].named.to: holds roles that the row's \"to\" does not: they can never "
	  "match" },
	{ "load_balancing", "\"none\"",
	  "f: rules[0].load_balancing: wanted \"hlb\" or \"dns\", found \"none\"" },
	{ "application", "\"sip/mutual\"",
	  "f: rules[0].application: \"sip/mutual\" is no application of a rule file" },
	{ "application", "\"dhcp\"", "f: rules[0]: can never match: dhcp does not run over tcp" },
	{ "feature", "\"federated\"", "f: rules[0].feature: \"federated\" is no feature" },
	{ "required", "1", "f: rules[0].required: wanted true or false, found the number 1" },
	{ "kind", "\"note\"",
	  "f: rules[0].kind: wanted \"flow\" or \"statement\", found \"note\"" },
	{ "colour", "\"red\"", "f: rules[0]: unknown member \"colour\"" },
	{ "document", NULL, "f: rules[0]: member \"document\" is missing" },
	{ "document", "{\"key\": \"edge\", \"table\": 3, \"row\": 5}",
	  "f: rules[0]: id \"edge.3.4\" is not its document reference, \"edge.3.5\"" },
	{ "document", "{\"key\": \"edge\", \"table\": 0, \"row\": 4}",
	  "f: rules[0].document.table: wanted a number from 1 to 100000, found 0" },
	{ "document", "{\"key\": \"edge\", \"table\": 3}",
	  "f: rules[0].document: member \"row\" is missing" },
	{ "document", "{\"key\": \"edge\", \"statement\": \"av-no-snat\"}",
	  "f: rules[0]: id \"edge.3.4\" is not its document reference, \"edge.p.av-no-snat\"" },
};

static struct lya_rules *load(const char *text, struct lya_diags *diags)
{
	struct lya_error err = { 0 };
	struct lya_rules *rules;

	if (lya_rules_load_text(&rules, "f", text, strlen(text), diags, &err) == LYA_OK)
		return rules;
	assert_null(rules);
	assert_true(diags->errors > 0);
	return NULL;
}

static void bad_members_are_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct lya_diags diags = { 0 };
		char text[4096];

		make_file(text, sizeof(text), bad[i].member, bad[i].value);
		if (load(text, &diags) != NULL)
			fail_msg("accepted: %s", text);
		assert_string_equal(diags.list[0].text, bad[i].message);
		assert_int_equal(diags.n, 1);
		lya_diags_fini(&diags);
	}
}

/* Whole files, and the only message. */
static const struct {
	const char *text, *message;
} bad_files[] = {
	{ "[]", "f: wanted an object, found an array" },
	{ "{\"schema\": \"lyncaudit-rules/2\", \"document\": {\"key\": \"a\", \"title\": \"A\"}, "
	  "\"rules\": []}",
	  "f: schema: wanted \"lyncaudit-rules/1\", found \"lyncaudit-rules/2\"" },
	{ "{\"schema\": \"lyncaudit-rules/1\", \"document\": {\"key\": \"a\", \"title\": \"A\"}, "
	  "\"rules\": []}",
	  "f: rules: holds no rule" },
	{ "{\"schema\": \"lyncaudit-rules/1\", \"document\": {\"key\": \"a\", \"title\": \"A\"}}",
	  "f: member \"rules\" is missing" },
	{ "{\"schema\": \"lyncaudit-rules/1\", \"document\": {\"key\": \"a\", \"title\": \"A\"}, "
	  "\"rules\": [5]}",
	  "f: rules[0]: wanted an object, found the number 5" },
	{ "{\"schema\": \"lyncaudit-rules/1\",\n \"rules\": [}",
	  "f:2:12: wanted a value, found '}'" },
};

static void bad_files_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad_files) / sizeof(bad_files[0]); i++) {
		struct lya_diags diags = { 0 };

		assert_null(load(bad_files[i].text, &diags));
		assert_string_equal(diags.list[0].text, bad_files[i].message);
		lya_diags_fini(&diags);
	}
}

static void all_faults_of_a_file_are_named(void **state)
{
	struct lya_diags diags = { 0 };
	char text[8192];

	(void)state;
	(void)snprintf(text, sizeof(text), "%s", head);
	add_entry(text, sizeof(text), "from", "[\"nobody\"]");
	strcat(text, ", ");
	add_entry(text, sizeof(text), "ports", "[\"0\"]");
	strcat(text, "], \"more\": 1}");
	assert_null(load(text, &diags));
	assert_int_equal(diags.errors, 4); /* and both have one id */
	assert_string_equal(diags.list[0].text, "f: unknown member \"more\"");
	assert_non_null(strstr(diags.list[1].text, "f: rules[0].from[0]: \"nobody\""));
	assert_non_null(strstr(diags.list[2].text, "f: rules[1].ports[0]: \"0\""));
	assert_string_equal(diags.list[3].text,
			    "f: rules[1]: edge.3.4 is an id given before, in f: rules[0]");
	lya_diags_fini(&diags);
}

/* n rows, each with an id of its own; the caller releases it. */
static char *make_many(size_t n)
{
	size_t size = sizeof(head) + n * 512;
	char *text = malloc(size);
	size_t len;

	assert_non_null(text);
	len = (size_t)snprintf(text, size, "%s", head);
	for (size_t i = 1; i <= n; i++)
		len += (size_t)snprintf(
		    text + len, size - len,
		    "%s{\"id\": \"edge.1.%zu\", \"title\": \"T\", \"from\": [\"client\"], "
		    "\"to\": [\"director\"], \"transport\": [\"tcp\"], \"ports\": [\"%zu\"], "
		    "\"port_of\": \"responder\", \"strict\": null, \"application\": \"tcp\", "
		    "\"feature\": null, \"required\": false, "
		    "\"document\": {\"key\": \"edge\", \"table\": 1, \"row\": %zu}}",
		    i > 1 ? "," : "", i, i, i);
	(void)snprintf(text + len, size - len, "]}");
	return text;
}

/* A verdict names rules by their position, in 16 bits: 40000 rules went beyond. */
static void a_set_has_room_for_so_many_rules(void **state)
{
	static const size_t sizes[] = { LYA_RULES_MAX, LYA_RULES_MAX + 1 };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct lya_diags diags = { 0 };
		char *text = make_many(sizes[i]);
		struct lya_rules *rules = load(text, &diags);
		char message[128];

		assert_int_equal(rules != NULL, i == 0);
		if (rules == NULL) {
			(void)snprintf(message, sizeof(message),
				       "f: rules: wanted at most 16384 rules in a rule set, "
				       "found %zu",
				       sizes[i]);
			assert_string_equal(diags.list[0].text, message);
			assert_int_equal(diags.n, 1);
		}
		lya_rules_free(rules);
		lya_diags_fini(&diags);
		free(text);
	}
}

static void a_key_of_another_document_is_refused(void **state)
{
	struct lya_diags diags = { 0 };
	char text[4096];

	(void)state;
	make_file(text, sizeof(text), "document",
		  "{\"key\": \"rproxy\", \"table\": 3, \"row\": 4}");
	assert_null(load(text, &diags));
	assert_string_equal(diags.list[0].text, "f: rules[0].document.key: \"rproxy\" is not the "
						"document of this file, \"edge\"");
	lya_diags_fini(&diags);
}

/* A row that differs from the first in its place alone, or in one member more. */
static const struct {
	const char *member, *value;
	bool same;
} twins[] = {
	{ "title", "\"Other words\"", true },   { "required", "false", true },
	{ "ports", "[\"5061-5061\"]", true },   { "ports", "[\"5062\"]", false },
	{ "from", "[\"external\"]", false },    { "transport", "[\"tcp\", \"udp\"]", false },
	{ "port_of", "\"either\"", false },     { "application", "\"mtls\"", false },
	{ "feature", "\"federation\"", false }, { "strict", "{\"from\": [\"client\"]}", false },
	{ "load_balancing", "\"dns\"", false },
};

static void rows_that_say_the_same_are_noted(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(twins) / sizeof(twins[0]); i++) {
		struct lya_diags diags = { 0 };
		struct lya_rules *rules;
		char text[8192];
		char *at;

		(void)snprintf(text, sizeof(text), "%s", head);
		add_entry(text, sizeof(text), twins[i].member, twins[i].value);
		/* The second is row 5. */
		at = strstr(text, "edge.3.4");
		memcpy(at, "edge.3.5", 8);
		at = strstr(text, "\"row\": 4");
		memcpy(at, "\"row\": 5", 8);
		strcat(text, ", ");
		add_entry(text, sizeof(text), NULL, NULL);
		strcat(text, "]}");
		rules = load(text, &diags);
		assert_non_null(rules);
		assert_int_equal(diags.errors, 0);
		assert_int_equal(diags.n, twins[i].same ? 1 : 0);
		if (twins[i].same) {
			assert_int_equal(diags.list[0].level, LYA_DIAG_NOTE);
			assert_string_equal(diags.list[0].text,
					    "f: rules[1]: edge.3.4 says the same as edge.3.5");
		}
		lya_rules_free(rules);
		lya_diags_fini(&diags);
	}
}

/* row-ends.md, "Shorthand". */
#define ANY_INTERNAL                                                                               \
	(BIT(DIRECTOR) | BIT(DIRECTOR_VIP) | BIT(FRONT_END) | BIT(FRONT_END_VIP) |                 \
	 BIT(MEDIATION) | BIT(MEDIATION_VIP) | BIT(PERSISTENT_CHAT) | BIT(OFFICE_WEB_APPS) |       \
	 BIT(CENTRAL_MANAGEMENT) | BIT(SURVIVABLE_BRANCH) | BIT(CLIENT) | BIT(PSTN_GATEWAY) |      \
	 BIT(TRUSTED_APPLICATION) | BIT(INTERNAL))

/* The ends of a row, with the roles that count as named (policy-model "Verdict of a flow"). */
static const struct {
	const char *list, *strict;
	lya_roles roles, named, narrow;
	bool any, any_internal;
} ends[] = {
	{ "[\"client\"]", NULL, BIT(CLIENT), BIT(CLIENT), 0, false, false },
	{ "[\"FE\", \"DIR\"]", NULL,
	  BIT(FRONT_END) | BIT(FRONT_END_VIP) | BIT(DIRECTOR) | BIT(DIRECTOR_VIP),
	  BIT(FRONT_END) | BIT(FRONT_END_VIP) | BIT(DIRECTOR) | BIT(DIRECTOR_VIP), 0, false,
	  false },
	{ "[\"any\"]", NULL, (1u << LYA_ROLES) - 1, 0, 0, true, false },
	{ "[\"any-internal\"]", "[\"FE\"]", ANY_INTERNAL, BIT(FRONT_END) | BIT(FRONT_END_VIP),
	  BIT(FRONT_END) | BIT(FRONT_END_VIP), false, true },
	{ "[\"any-internal\", \"reverse-proxy-internal\"]", NULL,
	  ANY_INTERNAL | BIT(REVERSE_PROXY_INTERNAL), BIT(REVERSE_PROXY_INTERNAL), 0, false, true },
	{ "[\"external\"]", "[\"federated-partner\"]", BIT(EXTERNAL),
	  BIT(EXTERNAL) | BIT(FEDERATED_PARTNER), BIT(FEDERATED_PARTNER), false, false },
};

static void ends_are_resolved(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		struct lya_diags diags = { 0 };
		struct lya_rules *rules;
		const struct lya_row_end *end;
		char narrow[128] = "null";
		char text[8192];
		char *at;

		if (ends[i].strict != NULL)
			(void)snprintf(narrow, sizeof(narrow), "{\"from\": %s}", ends[i].strict);
		make_file(text, sizeof(text), "from", ends[i].list);
		at = strstr(text, "\"strict\": null");
		assert_non_null(at);
		memmove(at + 10 + strlen(narrow), at + 14, strlen(at + 14) + 1);
		memcpy(at + 10, narrow, strlen(narrow));
		rules = load(text, &diags);
		assert_non_null(rules);
		end = &rules->list[0].from;
		assert_int_equal(end->roles, ends[i].roles);
		assert_int_equal(end->named, ends[i].named);
		assert_int_equal(end->strict, ends[i].narrow);
		assert_int_equal(end->any, ends[i].any);
		assert_int_equal(end->any_internal, ends[i].any_internal);
		lya_rules_free(rules);
		lya_diags_fini(&diags);
	}
}

/* What the words of an entry become. */
static void members_are_read(void **state)
{
	static const struct {
		const char *member, *value;
		int port_of, app, mode, feature, transports;
		bool any_port;
	} cases[] = {
		{ "port_of", "\"responder\"", LYA_PORT_RESPONDER, LYA_ROW_SIP_MTLS, -1, -1,
		  LYA_T_TCP, false },
		{ "port_of", "\"initiator\"", LYA_PORT_INITIATOR, LYA_ROW_SIP_MTLS, -1, -1,
		  LYA_T_TCP, false },
		{ "port_of", "\"either\"", LYA_PORT_EITHER, LYA_ROW_SIP_MTLS, -1, -1, LYA_T_TCP,
		  false },
		{ "load_balancing", "\"dns\"", LYA_PORT_RESPONDER, LYA_ROW_SIP_MTLS, LYA_LB_DNS, -1,
		  LYA_T_TCP, false },
		{ "load_balancing", "\"hlb\"", LYA_PORT_RESPONDER, LYA_ROW_SIP_MTLS, LYA_LB_HLB, -1,
		  LYA_T_TCP, false },
		{ "load_balancing", "null", LYA_PORT_RESPONDER, LYA_ROW_SIP_MTLS, -1, -1, LYA_T_TCP,
		  false },
		{ "feature", "\"e911\"", LYA_PORT_RESPONDER, LYA_ROW_SIP_MTLS, -1, LYA_FEATURE_E911,
		  LYA_T_TCP, false },
		{ "application", "\"rtp\"", LYA_PORT_RESPONDER, LYA_ROW_RTP, -1, -1, LYA_T_TCP,
		  false },
		{ "transport", "[\"udp\", \"tcp\"]", LYA_PORT_RESPONDER, LYA_ROW_SIP_MTLS, -1, -1,
		  LYA_T_TCP | LYA_T_UDP, false },
		{ "ports", "[\"any\"]", LYA_PORT_RESPONDER, LYA_ROW_SIP_MTLS, -1, -1, LYA_T_TCP,
		  true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct lya_diags diags = { 0 };
		const struct lya_rule *rule;
		struct lya_rules *rules;
		char text[4096];

		make_file(text, sizeof(text), cases[i].member, cases[i].value);
		rules = load(text, &diags);
		assert_non_null(rules);
		rule = &rules->list[0];
		assert_int_equal(rule->port_of, cases[i].port_of);
		assert_int_equal(rule->app, cases[i].app);
		assert_int_equal(rule->mode, cases[i].mode);
		assert_int_equal(rule->feature, cases[i].feature);
		assert_int_equal(rule->transports, cases[i].transports);
		assert_int_equal(rule->any_port, cases[i].any_port);
		assert_int_equal(rule->n_ports, cases[i].any_port ? 0 : 1);
		assert_true(rule->required);
		assert_string_equal(rule->doc_key, "edge");
		assert_string_equal(rule->doc_title, "Edge");
		lya_rules_free(rules);
		lya_diags_fini(&diags);
	}
}

/* Statements have no flow, and say so in every member. */
static const char statement[] =
    "{\"schema\": \"lyncaudit-rules/1\", \"document\": {\"key\": \"edge\", \"title\": \"Edge\"}, "
    "\"rules\": [{\"id\": \"edge.p.av-no-snat\", \"kind\": \"statement\", \"title\": \"No SNAT\", "
    "\"from\": [%s], \"to\": [], \"transport\": [%s], \"ports\": [%s], \"port_of\": %s, "
    "\"strict\": null, \"application\": %s, \"feature\": null, \"required\": %s, "
    "\"reason\": \"because\", \"document\": {\"key\": \"edge\", \"statement\": \"av-no-snat\"}}]}";

static void statements_have_no_flow(void **state)
{
	struct lya_diags diags = { 0 };
	struct lya_rules *rules;
	char text[4096];

	(void)state;
	(void)snprintf(text, sizeof(text), statement, "", "", "", "null", "null", "false");
	rules = load(text, &diags);
	assert_non_null(rules);
	assert_int_equal(rules->n, 1);
	assert_int_equal(rules->n_flow, 0);
	assert_true(rules->list[0].statement);
	assert_string_equal(rules->list[0].doc_statement, "av-no-snat");
	assert_string_equal(rules->list[0].reason, "because");
	assert_string_equal(rules->list[0].note, "");
	lya_rules_free(rules);
	(void)snprintf(text, sizeof(text), statement, "\"any\"", "\"tcp\"", "\"1\"", "\"either\"",
		       "\"sip\"", "true");
	assert_null(load(text, &diags));
	assert_int_equal(diags.errors, 6);
	lya_diags_fini(&diags);
}

static void ids_are_found(void **state)
{
	struct lya_diags diags = { 0 };
	struct lya_error err = { 0 };
	struct lya_rules *rules;

	(void)state;
	if (lya_rules_load(&rules, TEST_SOURCE_DIR "/rules/lync-server-2013", &diags, &err) !=
	    LYA_OK)
		fail_msg("%s", err.text);
	for (size_t i = 0; i < rules->n; i++)
		assert_ptr_equal(lya_rules_find(rules, rules->list[i].id), &rules->list[i]);
	assert_null(lya_rules_find(rules, "internal.3.6")); /* blank in the document */
	assert_null(lya_rules_find(rules, ""));
	assert_null(lya_rules_find(rules, "zzz"));
	lya_rules_free(rules);
	lya_diags_fini(&diags);
}

/* policy-model, "Documents and row ids": rows per table of each document. */
static const struct {
	const char *key;
	int table, rows, blank;
} tables[] = {
	{ "director", 1, 9, 0 }, { "internal", 1, 52, 0 }, { "internal", 2, 20, 0 },
	{ "internal", 3, 7, 6 }, { "internal", 4, 12, 0 }, { "edge", 1, 11, 0 },
	{ "edge", 2, 8, 0 },     { "edge", 3, 8, 0 },      { "edge", 4, 6, 0 },
	{ "rproxy", 1, 2, 0 },   { "rproxy", 2, 3, 0 },
};

static void the_shipped_rules_are_whole(void **state)
{
	struct lya_diags diags = { 0 };
	struct lya_rules *rules;
	size_t rows = 0;
	size_t found = 0;

	(void)state;
	assert_int_equal(lya_rules_load(&rules, TEST_SOURCE_DIR "/rules/lync-server-2013/", &diags,
					NULL),
			 LYA_OK);
	assert_string_equal(rules->name, "lync-server-2013");
	assert_int_equal(strlen(rules->sha256), 64);
	for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++) {
		for (int row = 1; row <= tables[t].rows; row++) {
			char id[64];

			(void)snprintf(id, sizeof(id), "%s.%d.%d", tables[t].key, tables[t].table,
				       row);
			if (row == tables[t].blank)
				continue;
			if (lya_rules_find(rules, id) == NULL)
				fail_msg("%s is missing", id);
			rows++;
		}
	}
	for (size_t i = 0; i < rules->n; i++)
		found += rules->list[i].doc_table > 0;
	assert_int_equal(rows, 137);
	assert_int_equal(found, 137);
	for (size_t i = 0; i < diags.n; i++)
		assert_int_equal(diags.list[i].level, LYA_DIAG_NOTE);
	lya_rules_free(rules);
	lya_diags_fini(&diags);
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void a_folder_is_read_in_order_of_names(void **state)
{
	char folder[] = "rules-test.XXXXXX";
	struct lya_diags diags = { 0 };
	struct lya_error err = { 0 };
	struct lya_rules *rules;
	char text[4096];
	char path[64];

	(void)state;
	assert_non_null(mkdtemp(folder));
	assert_int_equal(lya_rules_load(&rules, folder, &diags, &err), LYA_EINPUT);
	assert_non_null(strstr(err.text, "wanted rule files (*.json) in this folder, found none"));
	lya_diags_fini(&diags);

	(void)snprintf(text, sizeof(text), statement, "", "", "", "null", "null", "false");
	(void)snprintf(path, sizeof(path), "%s/b.json", folder);
	write_file(path, text);
	make_file(text, sizeof(text), NULL, NULL);
	(void)snprintf(path, sizeof(path), "%s/a.json", folder);
	write_file(path, text);
	(void)snprintf(path, sizeof(path), "%s/.c.json", folder);
	write_file(path, "not looked at");
	(void)snprintf(path, sizeof(path), "%s/readme.txt", folder);
	write_file(path, "nor this");
	if (lya_rules_load(&rules, folder, &diags, &err) != LYA_OK)
		fail_msg("%s", err.text);
	assert_int_equal(rules->n, 2);
	assert_string_equal(rules->list[0].id, "edge.3.4");
	assert_string_equal(rules->list[1].id, "edge.p.av-no-snat");
	assert_string_equal(rules->name, folder);
	lya_rules_free(rules);

	for (size_t i = 0; i < 4; i++) {
		static const char *const names[] = { "a.json", "b.json", ".c.json", "readme.txt" };

		(void)snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		assert_int_equal(unlink(path), 0);
	}
	assert_int_equal(rmdir(folder), 0);
	lya_diags_fini(&diags);
}

static void what_is_not_there_cannot_be_opened(void **state)
{
	struct lya_diags diags = { 0 };
	struct lya_error err = { 0 };
	struct lya_rules *rules;

	(void)state;
	assert_int_equal(lya_rules_load(&rules, "no-such-folder", &diags, &err), LYA_EIO);
	assert_string_equal(err.text,
			    "no-such-folder: cannot be opened: No such file or directory");
	assert_null(rules);
	assert_int_equal(diags.n, 0);
}

static void no_memory_is_an_answer(void **state)
{
	char text[4096];
	int rc = LYA_ENOMEM;

	(void)state;
	make_file(text, sizeof(text), NULL, NULL);
	for (uint64_t n = 1; rc == LYA_ENOMEM; n++) {
		struct lya_diags diags = { 0 };
		struct lya_error err = { 0 };
		struct lya_rules *rules;

		assert_true(n < 1000);
		lya_alloc_fail_at(n);
		rc = lya_rules_load_text(&rules, "f", text, strlen(text), &diags, &err);
		lya_alloc_fail_at(0);
		assert_true(rc == LYA_OK || rc == LYA_ENOMEM);
		assert_true((rc == LYA_OK) == (rules != NULL));
		lya_rules_free(rules);
		lya_diags_fini(&diags);
	}
}

/* A set that was kept file by file is the same set. */
static void files_that_were_kept_are_the_set(void **state)
{
	struct lya_diags diags = { 0 };
	struct lya_error err = { 0 };
	struct lya_rules *rules, *again;

	(void)state;
	assert_int_equal(lya_rules_load(&rules, TEST_SOURCE_DIR "/rules/lync-server-2013", &diags,
					&err),
			 LYA_OK);
	assert_int_equal(rules->n_files, 4);
	assert_string_equal(rules->files[0].name, "director.json");
	assert_int_equal(lya_rules_load_files(&again, rules->name, rules->files, rules->n_files,
					      &diags, &err),
			 LYA_OK);
	assert_string_equal(again->name, rules->name);
	assert_string_equal(again->sha256, rules->sha256);
	assert_int_equal(again->n, rules->n);
	for (size_t i = 0; i < rules->n; i++)
		assert_string_equal(again->list[i].id, rules->list[i].id);
	lya_rules_free(rules);
	lya_rules_free(again);
	lya_diags_fini(&diags);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_members_are_named),
		cmocka_unit_test(bad_files_are_refused),
		cmocka_unit_test(all_faults_of_a_file_are_named),
		cmocka_unit_test(a_set_has_room_for_so_many_rules),
		cmocka_unit_test(a_key_of_another_document_is_refused),
		cmocka_unit_test(rows_that_say_the_same_are_noted),
		cmocka_unit_test(ends_are_resolved),
		cmocka_unit_test(members_are_read),
		cmocka_unit_test(statements_have_no_flow),
		cmocka_unit_test(ids_are_found),
		cmocka_unit_test(the_shipped_rules_are_whole),
		cmocka_unit_test(a_folder_is_read_in_order_of_names),
		cmocka_unit_test(files_that_were_kept_are_the_set),
		cmocka_unit_test(what_is_not_there_cannot_be_opened),
		cmocka_unit_test(no_memory_is_an_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
