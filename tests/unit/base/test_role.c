/*
 * test_role.c - the roles of the documents and their groups.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "lyncaudit/role.h"

/* Policy-model "Roles", in the order of its table. */
static const char *const declared[] = {
	"edge-access",
	"edge-webconf",
	"edge-av",
	"edge-internal",
	"edge-access-vip",
	"edge-webconf-vip",
	"edge-av-vip",
	"edge-internal-vip",
	"reverse-proxy-external",
	"reverse-proxy-internal",
	"director",
	"director-vip",
	"front-end",
	"front-end-vip",
	"mediation",
	"mediation-vip",
	"persistent-chat",
	"office-web-apps",
	"central-management",
	"survivable-branch",
	"pstn-gateway",
	"trusted-application",
	"hlb",
	"federated-partner",
};
static const char *const derived[] = { "client", "internal", "external" };

/* Row-ends "Shorthand". */
static const struct {
	const char *group;
	const char *members; /* blanks between and around */
} groups[] = {
	{ "internal-server",
	  " director director-vip front-end front-end-vip mediation mediation-vip "
	  "persistent-chat office-web-apps central-management "
	  "survivable-branch " },
	{ "any-internal", " director director-vip front-end front-end-vip mediation mediation-vip "
			  "persistent-chat office-web-apps central-management survivable-branch "
			  "client pstn-gateway trusted-application internal " },
	{ "FE", " front-end front-end-vip " },
	{ "DIR", " director director-vip " },
};

static void names_are_found_again(void **state)
{
	enum lya_role role;

	(void)state;
	assert_int_equal(sizeof(declared) / sizeof(declared[0]), LYA_ROLES_DECLARED);
	for (unsigned i = 0; i < LYA_ROLES_DECLARED; i++) {
		assert_true(lya_role_find(declared[i], &role));
		assert_true(role < LYA_ROLES_DECLARED);
		assert_string_equal(lya_role_name(role), declared[i]);
	}
	for (size_t i = 0; i < sizeof(derived) / sizeof(derived[0]); i++) {
		assert_true(lya_role_find(derived[i], &role));
		assert_true(role >= LYA_ROLES_DECLARED);
		assert_string_equal(lya_role_name(role), derived[i]);
	}
	assert_false(lya_role_find("frontend", &role));
	assert_false(lya_role_find("Director", &role));
	assert_false(lya_role_find("", &role));
	assert_false(lya_role_find("any", &role)); /* a group */
}

static void groups_hold_what_the_documents_say(void **state)
{
	lya_roles roles;

	(void)state;
	for (size_t g = 0; g < sizeof(groups) / sizeof(groups[0]); g++) {
		assert_true(lya_role_group_find(groups[g].group, &roles));
		for (unsigned i = 0; i < LYA_ROLES; i++) {
			char word[64] = " ";

			strcat(word, lya_role_name((enum lya_role)i));
			strcat(word, " ");
			if (((roles & LYA_ROLE_BIT(i)) != 0) !=
			    (strstr(groups[g].members, word) != NULL))
				fail_msg("%s and %s", groups[g].group, word);
		}
	}
	assert_true(lya_role_group_find("any", &roles));
	for (unsigned i = 0; i < LYA_ROLES; i++)
		assert_true((roles & LYA_ROLE_BIT(i)) != 0);
	assert_false(lya_role_group_find("fe", &roles));
	assert_false(lya_role_group_find("front-end", &roles));
}

static void a_vip_stands_in_front_of_its_role(void **state)
{
	lya_roles vips = 0;

	(void)state;
	for (unsigned i = 0; i < LYA_ROLES; i++) {
		const char *name = lya_role_name((enum lya_role)i);
		enum lya_role behind = lya_role_behind((enum lya_role)i);
		size_t len = strlen(name);

		if (len > 4 && strcmp(name + len - 4, "-vip") == 0) {
			vips |= LYA_ROLE_BIT(i);
			assert_true(behind < LYA_ROLES);
			assert_int_equal(strlen(lya_role_name(behind)), len - 4);
			assert_memory_equal(lya_role_name(behind), name, len - 4);
			assert_int_equal(lya_role_vip_of(behind), i);
		} else {
			assert_int_equal(behind, LYA_ROLES);
		}
	}
	assert_true(vips == LYA_ROLES_VIPS);
	assert_int_equal(lya_role_vip_of(LYA_ROLE_PERSISTENT_CHAT), LYA_ROLES);
	assert_int_equal(lya_role_vip_of(LYA_ROLE_EDGE_AV_VIP), LYA_ROLES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_found_again),
		cmocka_unit_test(groups_hold_what_the_documents_say),
		cmocka_unit_test(a_vip_stands_in_front_of_its_role),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
