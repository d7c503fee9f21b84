/*
 * role.h - the server roles of the documents, and the groups rows use.
 *
 * Source: policy-model "Roles", row-ends "Shorthand".
 */
#ifndef LYNCAUDIT_ROLE_H
#define LYNCAUDIT_ROLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum lya_role {
	LYA_ROLE_EDGE_ACCESS,
	LYA_ROLE_EDGE_WEBCONF,
	LYA_ROLE_EDGE_AV,
	LYA_ROLE_EDGE_INTERNAL,
	LYA_ROLE_EDGE_ACCESS_VIP,
	LYA_ROLE_EDGE_WEBCONF_VIP,
	LYA_ROLE_EDGE_AV_VIP,
	LYA_ROLE_EDGE_INTERNAL_VIP,
	LYA_ROLE_REVERSE_PROXY_EXTERNAL,
	LYA_ROLE_REVERSE_PROXY_INTERNAL,
	LYA_ROLE_DIRECTOR,
	LYA_ROLE_DIRECTOR_VIP,
	LYA_ROLE_FRONT_END,
	LYA_ROLE_FRONT_END_VIP,
	LYA_ROLE_MEDIATION,
	LYA_ROLE_MEDIATION_VIP,
	LYA_ROLE_PERSISTENT_CHAT,
	LYA_ROLE_OFFICE_WEB_APPS,
	LYA_ROLE_CENTRAL_MANAGEMENT,
	LYA_ROLE_SURVIVABLE_BRANCH,
	LYA_ROLE_PSTN_GATEWAY,
	LYA_ROLE_TRUSTED_APPLICATION,
	LYA_ROLE_HLB,
	LYA_ROLE_FEDERATED_PARTNER,
	LYA_ROLES_DECLARED, /* the roles above can be declared; those below follow from networks */
	LYA_ROLE_CLIENT = LYA_ROLES_DECLARED,
	LYA_ROLE_INTERNAL,
	LYA_ROLE_EXTERNAL,
	LYA_ROLES
};

/* A set of roles: bit 1 << role. */
typedef uint32_t lya_roles; /* the one typedef: a set, not a struct */

#define LYA_ROLE_BIT(role) ((lya_roles)1 << (role))

/* The first role of a set that is not empty, in the order of enum lya_role. */
static inline enum lya_role lya_role_first(lya_roles roles)
{
	return (enum lya_role)__builtin_ctz(roles);
}

extern const lya_roles LYA_ROLES_VIPS;            /* every ...-vip */
extern const lya_roles LYA_ROLES_INTERNAL_SERVER; /* group internal-server */
extern const lya_roles LYA_ROLES_ANY_INTERNAL;    /* group any-internal */
extern const lya_roles LYA_ROLES_ANY;             /* group any: every role */
extern const lya_roles LYA_ROLES_EDGE_OUTSIDE;    /* the Edge's external side: nodes and VIPs */

const char *lya_role_name(enum lya_role role);              /* "edge-access" */
bool lya_role_find(const char *name, enum lya_role *role);  /* false: no such role */
/* A group's roles (any, any-internal, internal-server, FE, DIR); false: no such group. */
bool lya_role_group_find(const char *name, lya_roles *roles);
/* The VIP role in front of a role, and the role behind a VIP; LYA_ROLES when there is none. */
enum lya_role lya_role_vip_of(enum lya_role role);
enum lya_role lya_role_behind(enum lya_role vip);

#endif
