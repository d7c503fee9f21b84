/*
 * details.c - what payloads said that concerns other flows, or comes before
 * what they end as: ports that an endpoint mapper named, servers that show the
 * certificate of another host, and clients that ask for the name of another.
 *
 * Bounded: what was not asked for for longest makes room.  A child is then judged by its
 * port alone, and of misplaced certificates and names fewer are told; how often is counted.
 */
#include "audit/details.h"

#include <string.h>
#include <strings.h>

#include "audit/recent.h"
#include "lyncaudit/alloc.h"
#include "lyncaudit/timeutil.h"

struct child_key {
	struct lya_addr server, client;
	uint16_t port;
};

struct child {
	int64_t first_ns, last_ns; /* when it was told */
};

/* A flow whose server shows the certificate of another host. */
struct shown {
	int32_t host;
	bool judged; /* it has been asked for */
};

/* A flow whose client asked for a name of other hosts. */
struct asked {
	const char *name; /* the site's */
	int32_t host;
	uint16_t answers; /* names of the server's certificate */
	bool own, borne;  /* one of them is the server's own; is the one asked for */
	bool judged;
};

enum { CHILD_BYTES = 128, SHOWN_BYTES = 32, ASKED_BYTES = 64 }; /* of the maps, with slots */

/* Names of one certificate come in a row: this one is not over yet. */
struct certificate {
	bool open, own;
	int32_t other;
	uint64_t serial;
	int64_t time_ns;
	struct lya_policy_end end;
};

struct audit_details {
	const struct lya_policy *policy;
	struct audit_recent children;
	struct audit_recent shown, asked; /* by serial of the flow */
	struct certificate certificate;
};

static bool is_expected(const struct child *child, int64_t time_ns)
{
	return time_ns - child->last_ns <= AUDIT_RPC_EXPECTED_S * LYA_SECOND_NS;
}

static bool child_is_of_use(const void *value, int64_t now_ns)
{
	return is_expected(value, now_ns);
}

/* Of a flow that is open, every pass asks again, and finds it among the young. */
static bool shown_is_of_use(const void *value, int64_t now_ns)
{
	(void)now_ns;
	return !((const struct shown *)value)->judged;
}

static bool asked_is_of_use(const void *value, int64_t now_ns)
{
	(void)now_ns;
	return !((const struct asked *)value)->judged;
}

struct audit_details *audit_details_new(const struct lya_policy *policy, size_t max_bytes)
{
	struct audit_details *a = lya_calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->policy = policy;
	if (audit_recent_init(&a->children, sizeof(struct child_key), sizeof(struct child),
			      max_bytes / 2 / CHILD_BYTES, child_is_of_use) &&
	    audit_recent_init(&a->shown, sizeof(uint64_t), sizeof(struct shown),
			      max_bytes / 4 / SHOWN_BYTES, shown_is_of_use) &&
	    audit_recent_init(&a->asked, sizeof(uint64_t), sizeof(struct asked),
			      max_bytes / 4 / ASKED_BYTES, asked_is_of_use))
		return a;
	audit_details_free(a);
	return NULL;
}

void audit_details_free(struct audit_details *a)
{
	if (a == NULL)
		return;
	audit_recent_fini(&a->children);
	audit_recent_fini(&a->shown);
	audit_recent_fini(&a->asked);
	lya_free(a);
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
	bool made;
	struct child *child = audit_recent_put(&a->children, &key, d->time_ns, &made);

	if (child == NULL)
		return LYA_ENOMEM;
	if (made)
		child->first_ns = d->time_ns;
	child->last_ns = d->time_ns;
	return LYA_OK;
}

int audit_details_expected(struct audit_details *a, const struct lya_flow *flow)
{
	if (flow->transport != 6 || flow->unknown != LYA_UNKNOWN_NOT ||
	    audit_recent_is_empty(&a->children))
		return -1;
	for (int side = 0; side < 2; side++) {
		struct child_key key =
		    child_key(&flow->addr[side], &flow->addr[1 - side], flow->port[side]);
		const struct child *child = audit_recent_find(&a->children, &key);

		if (child != NULL && flow->first_ns >= child->first_ns &&
		    is_expected(child, flow->first_ns))
			return side;
	}
	return -1;
}

/* Certificates ---------------------------------------------------------------- */

/* All its names are known: keep it when it belongs elsewhere. */
static int close_certificate(struct audit_details *a)
{
	struct certificate *c = &a->certificate;
	struct shown *shown;
	bool made;

	if (!c->open)
		return LYA_OK;
	c->open = false;
	if (c->own || c->other < 0)
		return LYA_OK;
	shown = audit_recent_put(&a->shown, &c->serial, c->time_ns, &made);
	if (shown == NULL)
		return LYA_ENOMEM;
	if (made)
		*shown = (struct shown){ .host = c->other };
	return LYA_OK;
}

static int take_name(struct audit_details *a, const struct lya_flow_detail *d)
{
	struct certificate *c = &a->certificate;
	int rc = LYA_OK;

	if (!c->open || c->serial != d->serial) {
		rc = close_certificate(a);
		*c = (struct certificate){ .open = true, .other = -1, .serial = d->serial };
		c->time_ns = d->time_ns;
		lya_policy_end_of(a->policy, &d->addr, &c->end);
	}
	if (c->end.host >= 0)
		lya_policy_cert_name(a->policy, &c->end, d->name, &c->own, &c->other);
	return rc;
}

/* The host whose certificate the flow's server shows; -1: none. */
static int32_t shown_by(struct audit_details *a, const struct lya_flow *flow)
{
	struct shown *shown;

	if ((flow->app.tls & LYA_TLS_SERVER_CERT) == 0 || audit_recent_is_empty(&a->shown))
		return -1;
	shown = audit_recent_find(&a->shown, &flow->serial);
	if (shown == NULL)
		return -1;
	shown->judged = true;
	return shown->host;
}

/* Names asked for ------------------------------------------------------------- */

static int take_sni(struct audit_details *a, const struct lya_flow_detail *d)
{
	struct lya_policy_end client, server;
	struct asked asked = { 0 }, *kept;
	bool made;

	lya_policy_end_of(a->policy, &d->addr, &client);
	lya_policy_end_of(a->policy, &d->peer, &server);
	asked.name = lya_policy_asked(a->policy, &client, &server, d->name, &asked.host);
	if (asked.name == NULL)
		return LYA_OK;
	kept = audit_recent_put(&a->asked, &d->serial, d->time_ns, &made);
	if (kept == NULL)
		return LYA_ENOMEM;
	if (made)
		*kept = asked;
	return LYA_OK;
}

/* The server of a flow answers with this name, among others. */
static void take_answer(struct audit_details *a, const struct lya_flow_detail *d)
{
	struct asked *asked = audit_recent_is_empty(&a->asked)
				  ? NULL
				  : audit_recent_find(&a->asked, &d->serial);
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
static int32_t asked_in_vain(struct audit_details *a, const struct lya_flow *flow)
{
	struct asked *asked = audit_recent_is_empty(&a->asked)
				  ? NULL
				  : audit_recent_find(&a->asked, &flow->serial);

	if (asked == NULL)
		return -1;
	asked->judged = true;
	if (lya_app_tls_client(&flow->app) == LYA_TLS_CLIENT_REJECTED ||
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

struct rebase {
	const struct lya_site *old, *new;
};

static void rebase_shown(void *ctx, void *value)
{
	const struct rebase *r = ctx;
	struct shown *shown = value;

	if (shown->host >= 0)
		shown->host = host_by_name(r->new, r->old->hosts[shown->host].name);
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

static void rebase_asked(void *ctx, void *value)
{
	const struct rebase *r = ctx;
	struct asked *asked = value;
	const char *name = NULL;

	if (asked->host >= 0)
		asked->host = host_by_name(r->new, r->old->hosts[asked->host].name);
	if (asked->host >= 0)
		name = name_of_host(r->new, asked->host, asked->name);
	asked->host = name != NULL ? asked->host : -1;
	asked->name = name != NULL ? name : "";
}

int audit_details_settle(struct audit_details *a)
{
	return close_certificate(a);
}

void audit_details_rebase(struct audit_details *a, const struct lya_policy *policy)
{
	struct rebase r = { lya_policy_site(a->policy), lya_policy_site(policy) };

	audit_recent_each(&a->shown, rebase_shown, &r);
	audit_recent_each(&a->asked, rebase_asked, &r);
	a->policy = policy;
}

uint64_t audit_details_lost(const struct audit_details *a)
{
	return a->children.lost + a->shown.lost + a->asked.lost;
}
