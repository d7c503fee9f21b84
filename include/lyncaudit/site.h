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
#include "lyncaudit/text.h"
#include "lyncaudit/zone.h"

enum lya_lb_pool { LYA_LB_FRONT_END, LYA_LB_DIRECTOR, LYA_LB_MEDIATION, LYA_LB_EDGE, LYA_LB_POOLS };

/* The pool that a VIP role's load balancing mode is set for. */
static inline enum lya_lb_pool lya_lb_pool_of(enum lya_role vip)
{
	switch (vip) {
	case LYA_ROLE_FRONT_END_VIP:
		return LYA_LB_FRONT_END;
	case LYA_ROLE_DIRECTOR_VIP:
		return LYA_LB_DIRECTOR;
	case LYA_ROLE_MEDIATION_VIP:
		return LYA_LB_MEDIATION;
	default:
		return LYA_LB_EDGE;
	}
}
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
	struct lya_zone *zone;
	char *text; /* the file as it was read, text_len bytes: to keep beside what was judged by it */
	size_t text_len;
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
	struct lya_net by; /* the declared or site network that decided (family 0: none) */
};

/*
 * Load and validate.  All faults go to diags, each with its path
 * ("hosts[3].roles.edge-av[0]"); with an error the answer is LYA_EINPUT and
 * *site NULL.  A file that cannot be read is told in err alone (LYA_EIO).
 * Times in the past make no fault: expiry is a matter of packets.
 */
int lya_site_load(struct lya_site **site, const char *path, struct lya_diags *diags,
                  struct lya_error *err);
int lya_site_load_text(struct lya_site **site, const char *name, const char *text, size_t len,
                       struct lya_diags *diags, struct lya_error *err);
void lya_site_free(struct lya_site *site);

/*
 * What only shows beside the rules: a port override must name a rule of the
 * set that has ports.  Faults go to diags as above; 0 or LYA_EINPUT.
 */
int lya_site_check_rules(const struct lya_site *site, const struct lya_rules *rules,
                         struct lya_diags *diags, struct lya_error *err);

/* The roles of an address (policy-model "Roles"), by longest prefix.  Never fails. */
void lya_site_classify(const struct lya_site *site, const struct lya_addr *addr,
                       struct lya_endpoint *out);

/*
 * Why the address is what lya_site_classify says, as one plain sentence:
 * "declared under host "fe01" as 10.2.0.11, inside the internal network 10.0.0.0/8".
 */
void lya_site_explain(const struct lya_site *site, const struct lya_addr *addr,
                      struct lya_text *text);

/* True when the endpoint lies within the end of an exception. */
bool lya_site_match(const struct lya_site_match *m, const struct lya_addr *addr,
                    const struct lya_endpoint *ep);

/* Different public addresses of one family on the external side of an Edge pool. */
struct lya_site_public {
	bool in_use; /* an address of the family is declared there, public or not */
	uint64_t declared;
	uint64_t needed; /* edge.p.public-addresses: 3 x (nodes + 1) */
};

struct lya_site_edge_pool {
	const char *name; /* borrowed from the site; NULL: the pool without a name */
	size_t nodes;
	bool balanced; /* in hardware: what is needed is so, and private addresses are a fault */
	struct lya_site_public ipv4, ipv6;
};

/* The pools with an external side of an Edge, by name; *list is freed with lya_free. */
int lya_site_edge_pools(const struct lya_site *site, struct lya_site_edge_pool **list, size_t *n,
			struct lya_error *err);

/*
 * A documented constraint that the site description itself breaks: "site-..."
 * findings.  The types, their statements, and about what there is one each:
 *
 *   site-public-address-count   edge.p.public-addresses   Edge pool and address family
 *   site-private-address        edge.p.public-addresses   host
 *   site-av-snat                edge.p.av-no-snat         host
 *   site-missing-vip            as below                  pool and VIP role
 *   site-vip-without-load-balancing
 *                               as below                  host and VIP role
 *   site-dns-without-vip        internal.p.dns-needs-hlb  pool and VIP role
 *
 * What speaks of a VIP is edge.p.public-addresses outside the Edge, edge.4.1
 * inside it, and internal.p.hlb-ports for the internal pools.
 *
 * The constraints of the Edge are those of the hardware load balanced one; in
 * other modes the documents demand none of them, but the A/V VIP must not
 * rewrite sources in any.  A pool needs VIPs when it has several members, or
 * one and the site says that it is load balanced and has such a VIP nowhere.
 * A branch appliance is no member of a pool, nor is a Mediation Server that
 * shares a front-end's host, whose balancer is the front-end's (internal.2.16).
 */
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

/*
 * Warn of what is allowed and hardly meant, each with its path: VIPs without members, networks
 * that hold everything or a server that none holds, Edge nodes without an inner side,
 * exceptions that waive everything or that stand there twice.
 */
void lya_site_advise(const struct lya_site *site, struct lya_diags *diags);

#endif
