/*
 * site.h - the deployment: which address plays which role, and what the site
 * says about itself.  Immutable once loaded.
 */
#ifndef LYNCAUDIT_SITE_H
#define LYNCAUDIT_SITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lyncaudit/addr.h"
#include "lyncaudit/digest.h"
#include "lyncaudit/role.h"
#include "lyncaudit/rule.h"
#include "lyncaudit/status.h"

enum lya_lb_pool { LYA_LB_FRONT_END, LYA_LB_DIRECTOR, LYA_LB_MEDIATION, LYA_LB_EDGE, LYA_LB_POOLS };
enum lya_place { LYA_PLACE_UNKNOWN, LYA_PLACE_OUTSIDE, LYA_PLACE_BETWEEN, LYA_PLACE_BEHIND };

struct lya_site_address {
	struct lya_net net;
	enum lya_role role;
};

struct lya_site_host {
	char *name;
	char *pool;     /* NULL: the pool without a name */
	lya_roles roles; /* all roles of the host */
	lya_roles snat;  /* its VIP roles that rewrite the source, as declared */
	struct lya_site_address *addresses; /* as declared, role by role */
	size_t n_addresses;
	uint8_t (*macs)[6];
	size_t n_macs;
	char **names;   /* what its certificates may say */
	size_t n_names;
};

/* An end of an exception: exactly one of the kinds. */
enum lya_match_kind { LYA_MATCH_ROLE, LYA_MATCH_HOST, LYA_MATCH_NET };
struct lya_site_match {
	enum lya_match_kind kind;
	lya_roles roles;   /* LYA_MATCH_ROLE: a role or a group */
	size_t host;       /* LYA_MATCH_HOST: index */
	struct lya_net net;
	char *text;        /* as written */
};

struct lya_exception {
	char *id, *reason, *owner, *expires; /* owner, expires: NULL when left out */
	struct lya_site_match from, to;
	uint8_t transports; /* LYA_T_ bits */
	bool any_port;
	struct lya_port_range *ports;
	size_t n_ports;
	bool has_expiry;
	int64_t expires_ns; /* first instant at which it no longer holds (site's time zone) */
	int64_t expires_days; /* the date as days since 1970, for days_left */
};

struct lya_port_override {
	char *rule, *reason;
	struct lya_port_range *ports;
	size_t n_ports;
};

struct lya_sensor {
	char *source;
	enum lya_place place;
};

struct lya_severity_override {
	char *type;
	char *severity;
};

struct lya_site {
	char *name, *timezone, *file;
	char sha256[LYA_SHA256_HEX];
	struct lya_net *internal, *clients;
	size_t n_internal, n_clients;
	struct lya_site_host *hosts;
	size_t n_hosts;
	uint8_t lb[LYA_LB_POOLS];          /* enum lya_lb_mode, defaults applied */
	bool lb_given[LYA_LB_POOLS];
	bool has_features;                 /* "features" was given */
	uint32_t features;                 /* bits 1 << enum lya_feature; all when not given */
	struct lya_exception *exceptions;
	size_t n_exceptions;
	struct lya_port_override *overrides;
	size_t n_overrides;
	struct lya_severity_override *severities;
	size_t n_severities;
	bool vlan_in_key;
	struct lya_sensor *sensors;
	size_t n_sensors;
	struct lya_site_index *index;      /* address to roles */
};

/* What an address is. */
struct lya_endpoint {
	lya_roles roles;
	int32_t host;     /* index of the declaring host; -1: undeclared */
	bool no_role;     /* multicast, broadcast, loopback, link-local, unspecified */
	bool declared;
	struct lya_net by; /* the declared network or the site network that decided (family 0: none) */
};

/*
 * Load and validate.  All faults go to diags, each with its path
 * ("hosts[3].roles.edge-av[0]"); with an error the answer is LYA_EINPUT and
 * *site NULL.  Times in the past make no fault: expiry is a matter of packets.
 */
int lya_site_load(struct lya_site **site, const char *path, struct lya_diags *diags,
                  struct lya_error *err);
int lya_site_load_text(struct lya_site **site, const char *name, const char *text, size_t len,
                       struct lya_diags *diags, struct lya_error *err);
void lya_site_free(struct lya_site *site);

/* The roles of an address (policy-model "Roles"), by longest prefix.  Never fails. */
void lya_site_classify(const struct lya_site *site, const struct lya_addr *addr,
                       struct lya_endpoint *out);

/* True when the endpoint lies within the end of an exception. */
bool lya_site_match(const struct lya_site_match *m, const struct lya_addr *addr,
                    const struct lya_endpoint *ep);

/* A documented constraint that the site description itself breaks: "site-..." findings. */
struct lya_site_fault {
	const char *type;   /* "site-public-address-count", ... */
	const char *rule;   /* "edge.p.public-addresses": the statement it breaks */
	char *place;        /* path in the site description: "hosts[2]" */
	char *what, *why, *fix; /* one sentence each */
	char *about;        /* stable subject for the finding's id: host, role or address */
};

/* Check the constraints; *list is freed with lya_site_faults_free. */
int lya_site_check(const struct lya_site *site, struct lya_site_fault **list, size_t *n,
                   struct lya_error *err);
void lya_site_faults_free(struct lya_site_fault *list, size_t n);

#endif
