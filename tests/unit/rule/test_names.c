/*
 * test_names.c - applications, features and ports as rule files write them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lyncaudit/rule.h"

/* formats.md, "Rule files". */
static const char *const apps[] = { "sip/tls",  "sip/mtls",  "sip",  "https",   "http",
				    "psom/tls", "psom/mtls", "stun", "rtp",     "dns",
				    "xmpp",     "xmpp/mtls", "mtls", "tls",     "dcom-rpc",
				    "smb",      "ssrp",      "dhcp", "wcf/tls", "file-transfer",
				    "tcp",      "udp" };

/* policy-model, "Features": these ten are all. */
static const char *const features[] = { "federation",
					"federation-ocs2007",
					"xmpp",
					"autodiscover-http",
					"office-web-apps",
					"remote-call-control",
					"mobility",
					"e911",
					"call-admission-control",
					"legacy-meeting-clients" };

static void names_are_found_again(void **state)
{
	enum lya_row_app app;
	enum lya_feature feature;

	(void)state;
	assert_int_equal(sizeof(apps) / sizeof(apps[0]), LYA_ROW_APPS);
	assert_int_equal(sizeof(features) / sizeof(features[0]), LYA_FEATURES);
	for (size_t i = 0; i < LYA_ROW_APPS; i++) {
		assert_true(lya_row_app_find(apps[i], &app));
		assert_string_equal(lya_row_app_name(app), apps[i]);
	}
	for (size_t i = 0; i < LYA_FEATURES; i++) {
		assert_true(lya_feature_find(features[i], &feature));
		assert_string_equal(lya_feature_name(feature), features[i]);
	}
	assert_false(lya_row_app_find("SIP", &app));
	assert_false(lya_row_app_find("", &app));
	assert_false(lya_feature_find("xmpp ", &feature));
}

static const struct {
	const char *text;
	bool ok;
	uint16_t first, last;
	const char *back;
} ports[] = {
	{ "443", true, 443, 443, "443" },
	{ "50000-59999", true, 50000, 59999, "50000-59999" },
	{ "1", true, 1, 1, "1" },
	{ "65535", true, 65535, 65535, "65535" },
	{ "443-443", true, 443, 443, "443" },
	{ "any", true, 1, 65535, "1-65535" },
	{ "0", false, 0, 0, NULL },
	{ "0-80", false, 0, 0, NULL },
	{ "65536", false, 0, 0, NULL },
	{ "4294967739", false, 0, 0, NULL }, /* 443 + 2^32 */
	{ "80-65536", false, 0, 0, NULL },
	{ "5070-5060", false, 0, 0, NULL },
	{ "", false, 0, 0, NULL },
	{ "-", false, 0, 0, NULL },
	{ "80-", false, 0, 0, NULL },
	{ "-80", false, 0, 0, NULL },
	{ "080", false, 0, 0, NULL },
	{ "80 ", false, 0, 0, NULL },
	{ " 80", false, 0, 0, NULL },
	{ "80-90-100", false, 0, 0, NULL },
	{ "80,90", false, 0, 0, NULL },
	{ "0x50", false, 0, 0, NULL },
	{ "http", false, 0, 0, NULL },
};

static void ports_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
		struct lya_port_range r;
		char back[12];

		if (lya_ports_parse(ports[i].text, &r) != ports[i].ok)
			fail_msg("\"%s\"", ports[i].text);
		if (!ports[i].ok)
			continue;
		assert_int_equal(r.first, ports[i].first);
		assert_int_equal(r.last, ports[i].last);
		lya_port_range_format(&r, back);
		assert_string_equal(back, ports[i].back);
	}
}

static void ranges_are_sorted_and_joined(void **state)
{
	struct lya_port_range list[] = {
		{ 443, 443 }, { 80, 90 },       { 85, 100 },  { 1, 1 },
		{ 82, 83 },   { 60000, 65535 }, { 101, 101 }, { 443, 443 }
	};

	(void)state;
	/* 101 begins where 80-100 ended: neighbours stay as they were written. */
	assert_int_equal(lya_ports_sort(list, sizeof(list) / sizeof(list[0])), 5);
	assert_int_equal(list[0].first, 1);
	assert_int_equal(list[1].first, 80);
	assert_int_equal(list[1].last, 100);
	assert_int_equal(list[2].first, 101);
	assert_int_equal(list[3].first, 443);
	assert_int_equal(list[4].first, 60000);
	assert_int_equal(list[4].last, 65535);
	assert_int_equal(lya_ports_sort(list, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_found_again),
		cmocka_unit_test(ports_are_read),
		cmocka_unit_test(ranges_are_sorted_and_joined),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
