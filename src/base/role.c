/*
 * role.c - the names of the roles, and which of them belong together.
 */
#include "lyncaudit/role.h"

#include <assert.h>
#include <string.h>

#define BIT(name) LYA_ROLE_BIT(LYA_ROLE_##name)

#define VIPS                                                                                       \
	(BIT(EDGE_ACCESS_VIP) | BIT(EDGE_WEBCONF_VIP) | BIT(EDGE_AV_VIP) |                         \
	 BIT(EDGE_INTERNAL_VIP) | BIT(DIRECTOR_VIP) | BIT(FRONT_END_VIP) | BIT(MEDIATION_VIP))
#define FE (BIT(FRONT_END) | BIT(FRONT_END_VIP))
#define DIR (BIT(DIRECTOR) | BIT(DIRECTOR_VIP))
#define INTERNAL_SERVER                                                                            \
	(DIR | FE | BIT(MEDIATION) | BIT(MEDIATION_VIP) | BIT(PERSISTENT_CHAT) |                   \
	 BIT(OFFICE_WEB_APPS) | BIT(CENTRAL_MANAGEMENT) | BIT(SURVIVABLE_BRANCH))
#define ANY_INTERNAL                                                                               \
	(INTERNAL_SERVER | BIT(CLIENT) | BIT(PSTN_GATEWAY) | BIT(TRUSTED_APPLICATION) |            \
	 BIT(INTERNAL))
#define ANY (LYA_ROLE_BIT(LYA_ROLES) - 1)

const lya_roles LYA_ROLES_VIPS = VIPS;
const lya_roles LYA_ROLES_INTERNAL_SERVER = INTERNAL_SERVER;
const lya_roles LYA_ROLES_ANY_INTERNAL = ANY_INTERNAL;
const lya_roles LYA_ROLES_ANY = ANY;
const lya_roles LYA_ROLES_EDGE_OUTSIDE = BIT(EDGE_ACCESS) | BIT(EDGE_WEBCONF) | BIT(EDGE_AV) |
					 BIT(EDGE_ACCESS_VIP) | BIT(EDGE_WEBCONF_VIP) |
					 BIT(EDGE_AV_VIP);

static const char *const names[LYA_ROLES] = {
	[LYA_ROLE_EDGE_ACCESS] = "edge-access",
	[LYA_ROLE_EDGE_WEBCONF] = "edge-webconf",
	[LYA_ROLE_EDGE_AV] = "edge-av",
	[LYA_ROLE_EDGE_INTERNAL] = "edge-internal",
	[LYA_ROLE_EDGE_ACCESS_VIP] = "edge-access-vip",
	[LYA_ROLE_EDGE_WEBCONF_VIP] = "edge-webconf-vip",
	[LYA_ROLE_EDGE_AV_VIP] = "edge-av-vip",
	[LYA_ROLE_EDGE_INTERNAL_VIP] = "edge-internal-vip",
	[LYA_ROLE_REVERSE_PROXY_EXTERNAL] = "reverse-proxy-external",
	[LYA_ROLE_REVERSE_PROXY_INTERNAL] = "reverse-proxy-internal",
	[LYA_ROLE_DIRECTOR] = "director",
	[LYA_ROLE_DIRECTOR_VIP] = "director-vip",
	[LYA_ROLE_FRONT_END] = "front-end",
	[LYA_ROLE_FRONT_END_VIP] = "front-end-vip",
	[LYA_ROLE_MEDIATION] = "mediation",
	[LYA_ROLE_MEDIATION_VIP] = "mediation-vip",
	[LYA_ROLE_PERSISTENT_CHAT] = "persistent-chat",
	[LYA_ROLE_OFFICE_WEB_APPS] = "office-web-apps",
	[LYA_ROLE_CENTRAL_MANAGEMENT] = "central-management",
	[LYA_ROLE_SURVIVABLE_BRANCH] = "survivable-branch",
	[LYA_ROLE_PSTN_GATEWAY] = "pstn-gateway",
	[LYA_ROLE_TRUSTED_APPLICATION] = "trusted-application",
	[LYA_ROLE_HLB] = "hlb",
	[LYA_ROLE_FEDERATED_PARTNER] = "federated-partner",
	[LYA_ROLE_CLIENT] = "client",
	[LYA_ROLE_INTERNAL] = "internal",
	[LYA_ROLE_EXTERNAL] = "external",
};

static const struct {
	const char *name;
	lya_roles roles;
} groups[] = {
	{ "any", ANY },
	{ "any-internal", ANY_INTERNAL },
	{ "internal-server", INTERNAL_SERVER },
	{ "FE", FE },
	{ "DIR", DIR },
};

/* Which VIP stands in front of which role. */
static const struct {
	enum lya_role vip, behind;
} pairs[] = {
	{ LYA_ROLE_EDGE_ACCESS_VIP, LYA_ROLE_EDGE_ACCESS },
	{ LYA_ROLE_EDGE_WEBCONF_VIP, LYA_ROLE_EDGE_WEBCONF },
	{ LYA_ROLE_EDGE_AV_VIP, LYA_ROLE_EDGE_AV },
	{ LYA_ROLE_EDGE_INTERNAL_VIP, LYA_ROLE_EDGE_INTERNAL },
	{ LYA_ROLE_DIRECTOR_VIP, LYA_ROLE_DIRECTOR },
	{ LYA_ROLE_FRONT_END_VIP, LYA_ROLE_FRONT_END },
	{ LYA_ROLE_MEDIATION_VIP, LYA_ROLE_MEDIATION },
};

const char *lya_role_name(enum lya_role role)
{
	assert(role < LYA_ROLES && "a role has a name");
	return names[role];
}

bool lya_role_find(const char *name, enum lya_role *role)
{
	for (unsigned i = 0; i < LYA_ROLES; i++) {
		if (strcmp(names[i], name) == 0) {
			*role = (enum lya_role)i;
			return true;
		}
	}
	return false;
}

bool lya_role_group_find(const char *name, lya_roles *roles)
{
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		if (strcmp(groups[i].name, name) == 0) {
			*roles = groups[i].roles;
			return true;
		}
	}
	return false;
}

enum lya_role lya_role_vip_of(enum lya_role role)
{
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		if (pairs[i].behind == role)
			return pairs[i].vip;
	}
	return LYA_ROLES;
}

enum lya_role lya_role_behind(enum lya_role vip)
{
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		if (pairs[i].vip == vip)
			return pairs[i].behind;
	}
	return LYA_ROLES;
}
