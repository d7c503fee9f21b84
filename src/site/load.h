/*
 * load.h - what the files of the site loader share.
 */
#ifndef SITE_LOAD_H
#define SITE_LOAD_H

#include "lyncaudit/json.h"
#include "lyncaudit/site.h"

/* One address as it stands in the file: its network, and the place for messages. */
struct site_declared {
	struct lya_net net;
	size_t host;
	enum lya_role role;
	size_t index; /* in the role's list */
};

/* A site in the making. */
struct site_load {
	struct lya_site *site;
	const char *file;
	struct lya_diags *diags;
	struct site_declared *declared; /* all addresses of all hosts */
	size_t n_declared, cap_declared;
	size_t *by_name; /* hosts that have a name, ordered by it */
	size_t n_by_name;
};

/* load.c: lists of networks, shared by "networks" and hosts. */
bool site_parse_net(const struct lya_json *at, struct lya_net *net);
/* "1433", "389,636,3268-3269", "any" (when any may be NULL: not allowed). */
void site_parse_ports(const struct lya_json *at, struct lya_port_range **ports, size_t *n,
		      bool *any);

/* host.c */
void site_parse_hosts(struct site_load *load, const struct lya_json *root);
/* The host of that name; false: none. */
bool site_find_host(const struct site_load *load, const char *name, size_t *host);

/* exception.c */
void site_parse_exceptions(struct site_load *load, const struct lya_json *root);

/* zone.c: fill expires_ns of all exceptions */
void site_set_expiries(struct lya_site *site);

/* names.c: may a site override the severity of that type; is that a severity? */
bool site_is_finding_type(const char *type);
bool site_is_severity(const char *name);

/* index.c; NULL without memory. */
struct lya_site_index *site_index_new(const struct lya_site *site);
void site_index_free(struct lya_site_index *index);

#endif
