/*
 * test_pairs.c - the pairs of VIP and node that a site has are within the memory, or it is said.
 */
#include "wire.h"

#include "lyncaudit/alloc.h"
#include "lyncaudit/text.h"

enum { VIPS = 60, NODES = 50, PAIR = 256 };

/* One host with so many addresses of that role, in 198.18.third.x. */
static void add_host(struct lya_text *t, const char *name, const char *role, unsigned third,
		     unsigned n)
{
	lya_text_addf(t, ", {\"name\": \"%s\", \"roles\": {\"%s\": [", name, role);
	for (unsigned i = 0; i < n; i++)
		lya_text_addf(t, "%s\"198.18.%u.%u\"", i > 0 ? ", " : "", third, i + 1);
	lya_text_add(t, "]}}");
}

static void open_site(struct wire *w)
{
	struct lya_text text = { 0 };
	struct lya_diags diags = { 0 };
	struct lya_error err = { 0 };

	memset(w, 0, sizeof(*w));
	lya_text_add(&text, "{\"schema\": \"lyncaudit-site/1\", \"name\": \"t\", \"timezone\": "
			    "\"UTC\", \"networks\": {\"internal\": [\"10.0.0.0/8\"]},"
			    "\"hosts\": [{\"name\": \"fe\", \"roles\": {\"front-end\": "
			    "[\"10.2.0.1\"]}}");
	add_host(&text, "hlb", "edge-av-vip", 0, VIPS);
	add_host(&text, "edge", "edge-av", 1, NODES);
	lya_text_add(&text, "]}");
	assert_int_equal(lya_rules_load(&w->rules, TEST_SOURCE_DIR "/rules/lync-server-2013",
					&diags, &err),
			 LYA_OK);
	if (lya_site_load_text(&w->site, "many.json", lya_text_str(&text), text.len, &diags,
			       &err) != LYA_OK)
		fail_msg("%s", err.text);
	assert_int_equal(lya_policy_new(&w->policy, w->site, w->rules, false, &diags, &err),
			 LYA_OK);
	lya_text_fini(&text);
	lya_diags_fini(&diags);
}

static void test_bound(void **state)
{
	struct lya_snat_options options = { .max_bytes = (size_t)2 * VIPS * NODES * PAIR };
	struct lya_error err = { 0 };
	struct lya_snat_stats stats;
	struct wire w;

	(void)state;
	open_site(&w);
	assert_int_equal(lya_snat_new(&w.snat, w.policy, &options, &err), LYA_OK);
	lya_snat_stats(w.snat, &stats);
	assert_true(stats.bytes <= options.max_bytes);
	lya_snat_free(w.snat);
	options.max_bytes -= 2 * PAIR;
	assert_int_equal(lya_snat_new(&w.snat, w.policy, &options, &err), LYA_ELIMIT);
	assert_null(w.snat);
	assert_string_equal(err.text,
			    "many.json: hosts: 60 A/V VIPs and 50 A/V Edge addresses make more "
			    "pairs than the 2999 that there is memory to tell apart (--max-memory "
			    "raises the limit)");
	wire_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_bound) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
