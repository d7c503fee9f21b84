/*
 * details.c - what payloads said that concerns other flows, or comes before
 * what they end as: ports that an endpoint mapper named, listeners that show a
 * certificate of another host, and clients that ask for the name of another.
 *
 * Bounded: when full, no more are learnt.  A child is then judged by its port
 * alone, and of misplaced certificates and names fewer are told; how often is counted.
 */
#include "audit/details.h"

#include <string.h>
#include <strings.h>

#include "lyncaudit/alloc.h"
#include "lyncaudit/hash.h"
#include "lyncaudit/timeutil.h"

struct child_key {
	struct lya_addr server, client;
	uint16_t port;
};

struct child {
	int64_t first_ns, last_ns; /* when it was told */
};

struct listener_key {
	struct lya_addr addr;
	uint16_t port;
};

struct listener {
	int64_t first_ns;
	int32_t shows;
};

/* A flow whose client asked for a name of other hosts. */
struct asked {
	const char *name; /* the site's */
	int32_t host;
	uint16_t answers; /* names of the server's certificate */
	bool own, borne;  /* one of them is the server's own; is the one asked for */
};

enum { CHILD_BYTES = 128, LISTENER_BYTES = 80, ASKED_BYTES = 64 }; /* of the maps, with slots */

/* Names of one certificate come in a row: this one is not over yet. */
struct certificate {
	bool open, own;
	int32_t other;
	uint64_t serial;
	int64_t time_ns;
	struct listener_key at;
	struct lya_policy_end end;
};

struct audit_details {
	const struct lya_policy *policy;
	struct lya_map *children, *listeners, *asked;
	size_t max_children, max_listeners, max_asked;
	struct certificate certificate;
	uint64_t forgotten;
};

struct audit_details *audit_details_new(const struct lya_policy *policy, size_t max_bytes)
{
	struct audit_details *a = lya_calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->policy = policy;
	a->max_children = max_bytes / 2 / CHILD_BYTES + 1;
	a->max_listeners = max_bytes / 4 / LISTENER_BYTES + 1;
	a->max_asked = max_bytes / 4 / ASKED_BYTES + 1;
	a->children = lya_map_new(sizeof(struct child_key), sizeof(struct child), a->max_children);
	a->listeners =
	    lya_map_new(sizeof(struct listener_key), sizeof(struct listener), a->max_listeners);
	a->asked = lya_map_new(sizeof(uint64_t), sizeof(struct asked), a->max_asked);
	if (a->children != NULL && a->listeners != NULL && a->asked != NULL)
		return a;
	audit_details_free(a);
	return NULL;
}

void audit_details_free(struct audit_details *a)
{
	if (a == NULL)
		return;
	lya_map_free(a->children);
	lya_map_free(a->listeners);
	lya_map_free(a->asked);
	lya_free(a);
}

/* *value is NULL when the map is full; out of memory is another matter. */
static int put(struct audit_details *a, struct lya_map *map, size_t max, const void *key,
	       void **value, bool *made)
{
	*value = lya_map_put(map, key, made);
	a->forgotten += *value == NULL;
	return *value != NULL || lya_map_count(map) >= max ? LYA_OK : LYA_ENOMEM;
}

/* Endpoint mapper ------------------------------------------------------------- */

static struct child_key child_key(const struct lya_addr *server, const struct lya_addr *client,
				  uint16_t port)
{
	struct child_key key;

	memset(&key, 0, sizeof(key));
	key.server = *server;
	key.client = *client;
	key.port = port;
	return key;
}

static int take_port(struct audit_details *a, const struct lya_flow_detail *d)
{
	struct child_key key = child_key(&d->addr, &d->peer, d->rpc_port);
	struct child *child;
	void *value;
	bool made;
	int rc = put(a, a->children, a->max_children, &key, &value, &made);

	if (value == NULL)
		return rc;
	child = value;
	if (made)
		child->first_ns = d->time_ns;
	child->last_ns = d->time_ns;
	return LYA_OK;
}

int audit_details_expected(const struct audit_details *a, const struct lya_flow *flow)
{
	if (flow->transport != 6 || flow->unknown != LYA_UNKNOWN_NOT ||
	    lya_map_count(a->children) == 0)
		return -1;
	for (int side = 0; side < 2; side++) {
		struct child_key key =
		    child_key(&flow->addr[side], &flow->addr[1 - side], flow->port[side]);
		const struct child *child = lya_map_find(a->children, &key);

		if (child != NULL && flow->first_ns >= child->first_ns &&
		    flow->first_ns - child->last_ns <= AUDIT_RPC_EXPECTED_S * LYA_SECOND_NS)
			return side;
	}
	return -1;
}

/* Certificates ---------------------------------------------------------------- */

static struct listener_key listener_key(const struct lya_addr *addr, uint16_t port)
{
	struct listener_key key;

	memset(&key, 0, sizeof(key));
	key.addr = *addr;
	key.port = port;
	return key;
}

/* All its names are known: keep it when it belongs elsewhere. */
static int close_certificate(struct audit_details *a)
{
	struct certificate *c = &a->certificate;
	void *value;
	bool made;
	int rc;

	if (!c->open)
		return LYA_OK;
	c->open = false;
	if (c->own || c->other < 0)
		return LYA_OK;
	rc = put(a, a->listeners, a->max_listeners, &c->at, &value, &made);
	if (value != NULL && made)
		*(struct listener *)value = (struct listener){ c->time_ns, c->other };
	return rc;
}

static int take_name(struct audit_details *a, const struct lya_flow_detail *d)
{
	struct listener_key at = listener_key(&d->addr, d->port);
	struct certificate *c = &a->certificate;
	int rc = LYA_OK;

	if (!c->open || c->serial != d->serial || memcmp(&c->at, &at, sizeof(at)) != 0) {
		rc = close_certificate(a);
		*c = (struct certificate){ .open = true, .other = -1, .serial = d->serial };
		c->time_ns = d->time_ns;
		c->at = at;
		lya_policy_end_of(a->policy, &d->addr, &c->end);
	}
	if (c->end.host >= 0)
		lya_policy_cert_name(a->policy, &c->end, d->name, &c->own, &c->other);
	return rc;
}

/* The host whose certificate the flow's server shows; -1: none. */
static int32_t shown_by(const struct audit_details *a, const struct lya_flow *flow)
{
	int client = flow->app.client_side;
	const struct listener *l;
	struct listener_key key;

	if (lya_map_count(a->listeners) == 0 || client < 0 ||
	    (flow->app.tls & LYA_TLS_SERVER_CERT) == 0)
		return -1;
	key = listener_key(&flow->addr[!client], flow->port[!client]);
	l = lya_map_find(a->listeners, &key);
	return l != NULL && flow->last_ns >= l->first_ns ? l->shows : -1;
}

/* Names asked for ------------------------------------------------------------- */

static int take_sni(struct audit_details *a, const struct lya_flow_detail *d)
{
	struct lya_policy_end client, server;
	struct asked asked = { 0 };
	void *value;
	bool made;
	int rc;

	lya_policy_end_of(a->policy, &d->addr, &client);
	lya_policy_end_of(a->policy, &d->peer, &server);
	asked.name = lya_policy_asked(a->policy, &client, &server, d->name, &asked.host);
	if (asked.name == NULL)
		return LYA_OK;
	rc = put(a, a->asked, a->max_asked, &d->serial, &value, &made);
	if (value != NULL && made)
		*(struct asked *)value = asked;
	return rc;
}

/* The server of a flow answers with this name, among others. */
static void take_answer(struct audit_details *a, const struct lya_flow_detail *d)
{
	struct asked *asked =
	    lya_map_count(a->asked) > 0 ? lya_map_find(a->asked, &d->serial) : NULL;
	struct lya_policy_end server;
	int32_t other = -1;

	if (asked == NULL)
		return;
	lya_policy_end_of(a->policy, &d->addr, &server);
	lya_policy_cert_name(a->policy, &server, d->name, &asked->own, &other);
	asked->borne = asked->borne || lya_policy_cert_covers(d->name, asked->name);
	asked->answers++;
}

/*
 * The host whose name the flow's client asked for in vain; -1: none.  The server
 * must have shown who it is, and that it is not the one asked for: no other name
 * of its certificate was left untold.  And the client must have left it at that:
 * one that goes on does not care for names, and what it asks for says nothing;
 * nor does it where the server is who ended it.
 */
static int32_t asked_in_vain(const struct audit_details *a, const struct lya_flow *flow)
{
	const struct asked *asked =
	    lya_map_count(a->asked) > 0 ? lya_map_find(a->asked, &flow->serial) : NULL;

	if (asked == NULL || lya_app_tls_client(&flow->app) == LYA_TLS_CLIENT_REJECTED ||
	    !asked->own || asked->borne || asked->answers >= LYA_CERT_NAMES_MAX ||
	    (flow->app.tls & (LYA_TLS_APP_DATA | LYA_TLS_GAP)) != 0)
		return -1;
	return asked->host;
}

int audit_details_shown(struct audit_details *a, const struct lya_flow *flow, int32_t *host)
{
	int rc = close_certificate(a);
	int32_t asked;

	*host = shown_by(a, flow);
	if (*host >= 0)
		return rc;
	asked = asked_in_vain(a, flow);
	if (asked >= 0)
		*host = -2 - asked;
	return rc;
}

int audit_details_take(struct audit_details *a, const struct lya_flow_detail *d)
{
	if (d->kind == LYA_DETAIL_RPC_PORT)
		return take_port(a, d);
	if (d->kind == LYA_DETAIL_SNI)
		return take_sni(a, d);
	if (d->client) /* its certificate may be carried by whoever translates addresses */
		return LYA_OK;
	take_answer(a, d);
	return take_name(a, d);
}

static int32_t host_by_name(const struct lya_site *site, const char *name)
{
	for (size_t i = 0; i < site->n_hosts; i++) {
		if (strcmp(site->hosts[i].name, name) == 0)
			return (int32_t)i;
	}
	return -1;
}

static void rebase_listeners(struct audit_details *a, const struct lya_site *old,
			     const struct lya_site *new)
{
	const void *key;
	void *value;
	size_t pos = 0;

	while (lya_map_next(a->listeners, &pos, &key, &value)) {
		struct listener *l = value;

		if (l->shows >= 0)
			l->shows = host_by_name(new, old->hosts[l->shows].name);
	}
}

/* The new site's spelling of a name of this host; NULL: it has no such name any more. */
static const char *name_of_host(const struct lya_site *site, int32_t host, const char *name)
{
	const struct lya_site_host *h = &site->hosts[host];

	if (strcasecmp(h->name, name) == 0)
		return h->name;
	for (size_t i = 0; i < h->n_names; i++) {
		if (strcasecmp(h->names[i], name) == 0)
			return h->names[i];
	}
	return NULL;
}

static void rebase_asked(struct audit_details *a, const struct lya_site *old,
			 const struct lya_site *new)
{
	const void *key;
	void *value;
	size_t pos = 0;

	while (lya_map_next(a->asked, &pos, &key, &value)) {
		struct asked *asked = value;
		const char *name = NULL;

		if (asked->host >= 0)
			asked->host = host_by_name(new, old->hosts[asked->host].name);
		if (asked->host >= 0)
			name = name_of_host(new, asked->host, asked->name);
		asked->host = name != NULL ? asked->host : -1;
		asked->name = name != NULL ? name : "";
	}
}

int audit_details_settle(struct audit_details *a)
{
	return close_certificate(a);
}

void audit_details_rebase(struct audit_details *a, const struct lya_policy *policy)
{
	const struct lya_site *old = lya_policy_site(a->policy), *new = lya_policy_site(policy);

	rebase_listeners(a, old, new);
	rebase_asked(a, old, new);
	a->policy = policy;
}

uint64_t audit_details_forgotten(const struct audit_details *a)
{
	return a->forgotten;
}
