/*
 * load.c - a site description from a file or memory (formats.md, "Site description").
 */
#include "site/load.h"

#include <string.h>

#include "lyncaudit/alloc.h"

static const char *const site_members[] = { "schema",     "name",        "timezone",
					    "networks",   "hosts",       "load_balancing",
					    "features",   "exceptions",  "port_overrides",
					    "severities", "vlan_in_key", "sensors",
					    NULL };
static const char *const network_members[] = { "internal", "clients", NULL };
static const char *const override_members[] = { "rule", "ports", "reason", NULL };
static const char *const sensor_members[] = { "source", "place", NULL };
static const char *const pool_members[LYA_LB_POOLS + 1] = {
	[LYA_LB_FRONT_END] = "front-end",
	[LYA_LB_DIRECTOR] = "director",
	[LYA_LB_MEDIATION] = "mediation",
	[LYA_LB_EDGE] = "edge",
};

bool site_parse_net(const struct lya_json *at, struct lya_net *net)
{
	const char *s;
	bool host_bits;

	if (!lya_json_string(at, &s))
		return false;
	if (lya_net_parse(s, net, &host_bits))
		return true;
	if (host_bits)
		lya_json_fault(at, "\"%s\" has bits set behind its prefix length", s);
	else
		lya_json_fault(at, "\"%s\" is not an address or a network", s);
	return false;
}

/* How many parts a comma list has. */
static size_t count_parts(const char *s)
{
	size_t n = 1;

	for (; *s != '\0'; s++)
		n += *s == ',';
	return n;
}

/* One part of a list, blanks around it left out. */
static void cut_part(const char **s, char *part, size_t size)
{
	size_t len = strcspn(*s, ",");
	const char *begin = *s;

	*s += (*s)[len] == ',' ? len + 1 : len;
	while (len > 0 && *begin == ' ') {
		begin++;
		len--;
	}
	while (len > 0 && begin[len - 1] == ' ')
		len--;
	if (len >= size)
		len = size - 1; /* longer than any port: it is none, cut or not */
	memcpy(part, begin, len);
	part[len] = '\0';
}

void site_parse_ports(const struct lya_json *at, struct lya_port_range **ports, size_t *n,
		      bool *any)
{
	char part[16];
	const char *s;
	size_t parts;

	if (!lya_json_text(at, &s))
		return;
	if (any != NULL && strcmp(s, "any") == 0) {
		*any = true;
		return;
	}
	parts = count_parts(s);
	*ports = lya_calloc(parts, sizeof(**ports));
	if (*ports == NULL) {
		(void)lya_json_nomem(at);
		return;
	}
	for (size_t i = 0; i < parts; i++) {
		cut_part(&s, part, sizeof(part));
		if (strcmp(part, "any") == 0 || !lya_ports_parse(part, &(*ports)[*n]))
			lya_json_fault(
			    at,
			    "\"%s\" is neither a port (1 to 65535) nor a range of ports, "
			    "lower one first",
			    part);
		else
			(*n)++;
	}
	*n = lya_ports_sort(*ports, *n);
}

static void parse_networks(const struct lya_json *object, const char *member, bool needed,
			   struct lya_net **nets, size_t *n_nets)
{
	struct lya_json list;
	size_t n;

	if (!(needed ? lya_json_need(object, member, &list) : lya_json_find(object, member, &list)))
		return;
	if (!lya_json_array(&list, &n))
		return;
	*nets = lya_calloc(n, sizeof(**nets));
	if (*nets == NULL) {
		(void)lya_json_nomem(&list);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		struct lya_json at = lya_json_at(&list, i);

		if (site_parse_net(&at, &(*nets)[*n_nets]))
			(*n_nets)++;
	}
}

static void parse_site_networks(const struct lya_json *root, struct lya_site *site)
{
	struct lya_json at;

	if (!lya_json_need(root, "networks", &at) || !lya_json_object(&at))
		return;
	lya_json_known(&at, network_members);
	parse_networks(&at, "internal", true, &site->internal, &site->n_internal);
	parse_networks(&at, "clients", false, &site->clients, &site->n_clients);
}

static void load_zone(const struct lya_json *at, struct lya_site *site)
{
	switch (lya_zone_load(&site->zone, site->timezone, NULL)) {
	case LYA_OK:
		break;
	case LYA_ENOMEM:
		(void)lya_json_nomem(at);
		break;
	default:
		lya_json_fault(at, "\"%s\" is no time zone known here (Europe/Paris)",
			       site->timezone);
	}
}

static void parse_timezone(const struct lya_json *root, struct lya_site *site)
{
	struct lya_json at;

	if (!lya_json_find(root, "timezone", &at)) {
		site->timezone = lya_strdup("UTC");
		if (site->timezone != NULL)
			load_zone(root, site);
		else
			(void)lya_json_nomem(root);
		return;
	}
	if (lya_json_text_dup(&at, &site->timezone))
		load_zone(&at, site);
}

static void parse_load_balancing(const struct lya_json *root, struct lya_site *site)
{
	struct lya_json object;
	struct lya_json at;

	if (!lya_json_find(root, "load_balancing", &object) || !lya_json_object(&object))
		return;
	lya_json_known(&object, pool_members);
	for (unsigned pool = 0; pool < LYA_LB_POOLS; pool++) {
		const char *s;

		if (!lya_json_find(&object, pool_members[pool], &at) || !lya_json_string(&at, &s))
			continue;
		site->lb_given[pool] = true;
		if (strcmp(s, "hlb") == 0)
			site->lb[pool] = LYA_LB_HLB;
		else if (strcmp(s, "dns") == 0)
			site->lb[pool] = LYA_LB_DNS;
		else if (strcmp(s, "none") == 0)
			site->lb[pool] = LYA_LB_NONE;
		else
			lya_json_fault(&at, "wanted \"hlb\", \"dns\" or \"none\", found \"%s\"", s);
	}
}

/* Where nothing was said: hlb when a VIP of that pool is declared. */
static void default_load_balancing(struct lya_site *site)
{
	static const lya_roles vips[LYA_LB_POOLS] = {
		[LYA_LB_FRONT_END] = LYA_ROLE_BIT(LYA_ROLE_FRONT_END_VIP),
		[LYA_LB_DIRECTOR] = LYA_ROLE_BIT(LYA_ROLE_DIRECTOR_VIP),
		[LYA_LB_MEDIATION] = LYA_ROLE_BIT(LYA_ROLE_MEDIATION_VIP),
		[LYA_LB_EDGE] = LYA_ROLE_BIT(LYA_ROLE_EDGE_ACCESS_VIP) |
				LYA_ROLE_BIT(LYA_ROLE_EDGE_WEBCONF_VIP) |
				LYA_ROLE_BIT(LYA_ROLE_EDGE_AV_VIP) |
				LYA_ROLE_BIT(LYA_ROLE_EDGE_INTERNAL_VIP),
	};
	lya_roles declared = 0;

	for (size_t i = 0; i < site->n_hosts; i++)
		declared |= site->hosts[i].roles;
	for (unsigned pool = 0; pool < LYA_LB_POOLS; pool++) {
		if (!site->lb_given[pool])
			site->lb[pool] = (declared & vips[pool]) != 0 ? LYA_LB_HLB : LYA_LB_NONE;
	}
}

static void parse_features(const struct lya_json *root, struct lya_site *site)
{
	struct lya_json list;
	size_t n;

	site->features = (1u << LYA_FEATURES) - 1;
	if (!lya_json_find(root, "features", &list) || !lya_json_array(&list, &n))
		return;
	site->has_features = true;
	site->features = 0;
	for (size_t i = 0; i < n; i++) {
		struct lya_json at = lya_json_at(&list, i);
		enum lya_feature feature;
		const char *s;

		if (!lya_json_text(&at, &s))
			continue;
		if (!lya_feature_find(s, &feature))
			lya_json_fault(&at, "\"%s\" is no feature", s);
		else if (site->features & 1u << feature)
			lya_json_fault(&at, "\"%s\" stands here twice", s);
		else
			site->features |= 1u << feature;
	}
}

static void parse_override(const struct lya_json *at, struct lya_port_override *o)
{
	struct lya_json m;

	lya_json_known(at, override_members);
	if (lya_json_need(at, "rule", &m))
		(void)lya_json_text_dup(&m, &o->rule);
	if (lya_json_need(at, "ports", &m))
		site_parse_ports(&m, &o->ports, &o->n_ports, NULL);
	if (lya_json_need(at, "reason", &m))
		(void)lya_json_text_dup(&m, &o->reason);
}

/* The first of the overrides before number i that names the same rule; i: none. */
static size_t same_rule(const struct lya_site *site, size_t i)
{
	for (size_t k = 0; k < i && site->overrides[i].rule != NULL; k++) {
		if (site->overrides[k].rule != NULL &&
		    strcmp(site->overrides[k].rule, site->overrides[i].rule) == 0)
			return k;
	}
	return i;
}

enum { OVERRIDES_MAX = 10000 }; /* same_rule looks at each pair */

static void parse_overrides(const struct lya_json *root, struct lya_site *site)
{
	struct lya_json list;
	size_t n;

	if (!lya_json_find(root, "port_overrides", &list) || !lya_json_array(&list, &n))
		return;
	if (n > OVERRIDES_MAX) {
		lya_json_fault(&list, "wanted at most %d overrides, found %zu", (int)OVERRIDES_MAX,
			       n);
		return;
	}
	site->overrides = lya_calloc(n, sizeof(*site->overrides));
	if (site->overrides == NULL) {
		(void)lya_json_nomem(&list);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		struct lya_json at = lya_json_at(&list, i);

		site->n_overrides++;
		if (!lya_json_object(&at))
			continue;
		parse_override(&at, &site->overrides[i]);
		if (same_rule(site, i) != i)
			lya_json_fault(&at, "rule \"%s\" is overridden by port_overrides[%zu] too",
				       site->overrides[i].rule, same_rule(site, i));
	}
}

static void parse_severity(const struct lya_json *at, struct lya_site *site)
{
	struct lya_severity_override *o = &site->severities[site->n_severities];
	const char *s;

	if (!site_is_finding_type(at->name)) {
		lya_json_fault(at, "\"%s\" is no type of finding", at->name);
		return;
	}
	if (!lya_json_text(at, &s))
		return;
	if (!site_is_severity(s)) {
		lya_json_fault(at, "wanted critical, high, medium, low or info, found \"%s\"", s);
		return;
	}
	o->type = lya_strdup(at->name);
	o->severity = lya_strdup(s);
	site->n_severities++;
	if (o->type == NULL || o->severity == NULL)
		(void)lya_json_nomem(at);
}

static void parse_severities(const struct lya_json *root, struct lya_site *site)
{
	struct lya_json object;
	struct lya_json at;
	void *iter = NULL;
	size_t n = 0;

	if (!lya_json_find(root, "severities", &object) || !lya_json_object(&object))
		return;
	while (lya_json_next(&object, &iter, &at))
		n++;
	site->severities = lya_calloc(n, sizeof(*site->severities));
	if (site->severities == NULL) {
		(void)lya_json_nomem(&object);
		return;
	}
	for (iter = NULL; lya_json_next(&object, &iter, &at);) {
		if (strncmp(at.name, "x-", 2) != 0)
			parse_severity(&at, site);
	}
}

static void parse_sensor(const struct lya_json *at, struct lya_sensor *sensor)
{
	struct lya_json m;
	const char *s;

	lya_json_known(at, sensor_members);
	if (lya_json_need(at, "source", &m))
		(void)lya_json_text_dup(&m, &sensor->source);
	if (!lya_json_need(at, "place", &m) || !lya_json_string(&m, &s))
		return;
	if (strcmp(s, "outside") == 0)
		sensor->place = LYA_PLACE_OUTSIDE;
	else if (strcmp(s, "between") == 0)
		sensor->place = LYA_PLACE_BETWEEN;
	else if (strcmp(s, "behind") == 0)
		sensor->place = LYA_PLACE_BEHIND;
	else
		lya_json_fault(&m, "wanted \"outside\", \"between\" or \"behind\", found \"%s\"",
			       s);
}

static void parse_sensors(const struct lya_json *root, struct lya_site *site)
{
	struct lya_json list;
	size_t n;

	if (!lya_json_find(root, "sensors", &list) || !lya_json_array(&list, &n))
		return;
	site->sensors = lya_calloc(n, sizeof(*site->sensors));
	if (site->sensors == NULL) {
		(void)lya_json_nomem(&list);
		return;
	}
	for (; site->n_sensors < n; site->n_sensors++) {
		struct lya_json at = lya_json_at(&list, site->n_sensors);

		if (lya_json_object(&at))
			parse_sensor(&at, &site->sensors[site->n_sensors]);
	}
}

static void parse_site(struct site_load *load, const struct lya_json *root)
{
	struct lya_site *site = load->site;
	struct lya_json at;
	const char *s;

	lya_json_known(root, site_members);
	if (lya_json_need(root, "schema", &at) && lya_json_string(&at, &s) &&
	    strcmp(s, "lyncaudit-site/1") != 0)
		lya_json_fault(&at, "wanted \"lyncaudit-site/1\", found \"%s\"", s);
	if (lya_json_need(root, "name", &at))
		(void)lya_json_text_dup(&at, &site->name);
	parse_timezone(root, site);
	parse_site_networks(root, site);
	site_parse_hosts(load, root);
	parse_load_balancing(root, site);
	default_load_balancing(site);
	parse_features(root, site);
	site_parse_exceptions(load, root);
	parse_overrides(root, site);
	parse_severities(root, site);
	if (lya_json_find(root, "vlan_in_key", &at))
		(void)lya_json_bool(&at, &site->vlan_in_key);
	parse_sensors(root, site);
}

static int keep_bytes(const struct lya_json_doc *doc, struct lya_site *site,
			struct lya_error *err)
{
	struct lya_digest *d = lya_digest_new();
	const char *bytes;
	size_t len;

	if (d == NULL)
		return lya_error_nomem(err);
	bytes = lya_json_bytes(doc, &len);
	lya_digest_add(d, bytes, len);
	lya_digest_finish(d, site->sha256);
	site->text = lya_malloc(len + 1);
	if (site->text == NULL)
		return lya_error_nomem(err);
	memcpy(site->text, bytes, len);
	site->text_len = len;
	return LYA_OK;
}

/* Read the document into load->site, whose errors before were `before`. */
static int read_site(struct site_load *load, struct lya_json_doc *doc, struct lya_error *err)
{
	struct lya_site *site = load->site;
	struct lya_json root = lya_json_root(doc);
	size_t before = load->diags->errors;
	int rc;

	site->file = lya_strdup(load->file);
	if (site->file == NULL)
		return lya_error_nomem(err);
	if (lya_json_object(&root))
		parse_site(load, &root);
	if (load->diags->nomem || load->diags->errors > before)
		return lya_diags_error(load->diags, err);
	rc = keep_bytes(doc, site, err);
	if (rc < 0)
		return rc;
	site_set_expiries(site);
	site->index = site_index_new(site);
	return site->index != NULL ? LYA_OK : lya_error_nomem(err);
}

/* The site of a document, which is released. */
static int make_site(struct lya_site **result, const char *file, struct lya_json_doc *doc,
		     struct lya_diags *diags, struct lya_error *err)
{
	struct site_load load = { .file = file, .diags = diags };
	int rc;

	load.site = lya_calloc(1, sizeof(*load.site));
	rc = load.site != NULL ? read_site(&load, doc, err) : lya_error_nomem(err);
	lya_json_free(doc);
	lya_free(load.declared);
	lya_free(load.by_name);
	if (rc < 0) {
		lya_site_free(load.site);
		return rc;
	}
	*result = load.site;
	return LYA_OK;
}

int lya_site_load(struct lya_site **site, const char *path, struct lya_diags *diags,
		  struct lya_error *err)
{
	struct lya_json_doc *doc;
	int rc = lya_json_load(&doc, path, diags, err);

	*site = NULL;
	return rc < 0 ? rc : make_site(site, path, doc, diags, err);
}

int lya_site_load_text(struct lya_site **site, const char *name, const char *text, size_t len,
		       struct lya_diags *diags, struct lya_error *err)
{
	struct lya_json_doc *doc;
	int rc = lya_json_parse(&doc, name, text, len, diags, err);

	*site = NULL;
	return rc < 0 ? rc : make_site(site, name, doc, diags, err);
}

static void free_host(struct lya_site_host *host)
{
	for (size_t i = 0; i < host->n_names; i++)
		lya_free(host->names[i]);
	lya_free(host->names);
	lya_free(host->macs);
	lya_free(host->addresses);
	lya_free(host->pool);
	lya_free(host->name);
}

static void free_exception(struct lya_exception *x)
{
	lya_free(x->id);
	lya_free(x->reason);
	lya_free(x->owner);
	lya_free(x->expires);
	lya_free(x->from.text);
	lya_free(x->to.text);
	lya_free(x->ports);
}

static void free_lists(struct lya_site *site)
{
	for (size_t i = 0; i < site->n_hosts; i++)
		free_host(&site->hosts[i]);
	for (size_t i = 0; i < site->n_exceptions; i++)
		free_exception(&site->exceptions[i]);
	for (size_t i = 0; i < site->n_overrides; i++) {
		lya_free(site->overrides[i].rule);
		lya_free(site->overrides[i].reason);
		lya_free(site->overrides[i].ports);
	}
	for (size_t i = 0; i < site->n_severities; i++) {
		lya_free(site->severities[i].type);
		lya_free(site->severities[i].severity);
	}
	for (size_t i = 0; i < site->n_sensors; i++)
		lya_free(site->sensors[i].source);
}

void lya_site_free(struct lya_site *site)
{
	if (site == NULL)
		return;
	free_lists(site);
	lya_free(site->hosts);
	lya_free(site->exceptions);
	lya_free(site->overrides);
	lya_free(site->severities);
	lya_free(site->sensors);
	lya_free(site->internal);
	lya_free(site->clients);
	site_index_free(site->index);
	lya_free(site->name);
	lya_free(site->timezone);
	lya_zone_free(site->zone);
	lya_free(site->text);
	lya_free(site->file);
	lya_free(site);
}
