/*
 * pack.c - a ledger as bytes, and back; see packing.h.
 */
#include "finding/packing.h"

#include <string.h>

#include "lyncaudit/alloc.h"

_Static_assert(LYA_ROLES == 27 && LYA_FINDING_TYPES == 24 && LYA_VERDICTS == 7 &&
		   LYA_APP_COUNT == 20 && LYA_BASIS_FIRST_PACKET == 6 && LYA_BUT_RESPONDER == 6 &&
		   LYA_MUTUALS == 5 && LYA_STATE_MIDSTREAM == 6 && LYA_SNAT_KINDS == 6 &&
		   LYA_SEVERITIES == 5,
	       "numbers are packed as they are: raise PACK_VERSION");

/* Names ------------------------------------------------------------------------------------ */

static bool names_init(struct packing_names *names, size_t n_index)
{
	names->n_index = n_index;
	names->number = lya_calloc(n_index + 1, sizeof(*names->number));
	return names->number != NULL;
}

static void names_fini(struct packing_names *names)
{
	lya_free(names->number);
	lya_free(names->list);
}

static bool names_add(struct packing_names *names, uint32_t index)
{
	void *list = names->list;

	if (lya_grow(&list, &names->cap, names->n + 1, sizeof(*names->list)) != LYA_OK)
		return false;
	names->list = list;
	names->list[names->n++] = index;
	names->number[index] = (uint32_t)names->n;
	return true;
}

void packing_name(struct packing *p, struct packing_names *names, int32_t index)
{
	if (index < 0) {
		lya_pack_uint(&p->body, 0);
		return;
	}
	if (names->number[index] == 0 && !names_add(names, (uint32_t)index)) {
		p->body.failed = true;
		return;
	}
	lya_pack_uint(&p->body, names->number[index]);
}

static void pack_exception(struct lya_pack *out, const struct lya_exception *e)
{
	lya_pack_string(out, e->id);
	lya_pack_string(out, e->reason);
	lya_pack_string(out, e->owner);
	lya_pack_string(out, e->expires);
	lya_pack_uint(out, e->has_expiry);
	lya_pack_int(out, e->expires_ns);
	lya_pack_int(out, e->expires_days);
}

static void pack_names(struct lya_pack *out, const struct packing *p)
{
	const struct lya_ledger *l = p->ledger;

	lya_pack_uint(out, p->rules.n);
	for (size_t i = 0; i < p->rules.n; i++)
		lya_pack_string(out, l->rules->list[p->rules.list[i]].id);
	lya_pack_uint(out, p->hosts.n);
	for (size_t i = 0; i < p->hosts.n; i++)
		lya_pack_string(out, ledger_host_name(l, (int32_t)p->hosts.list[i]));
	lya_pack_uint(out, p->exceptions.n);
	for (size_t i = 0; i < p->exceptions.n; i++)
		pack_exception(out, &l->site->exceptions[p->exceptions.list[i]]);
}

/* Writing ---------------------------------------------------------------------------------- */

static void pack_counts(struct packing *p, const struct lya_ledger_counts *c)
{
	lya_pack_uint(&p->body, c->flows);
	lya_pack_uint(&p->body, c->packets);
	lya_pack_uint(&p->body, c->bytes);
	lya_pack_uint(&p->body, c->probes);
	lya_pack_uint(&p->body, c->av_probes);
	for (size_t i = 0; i < LYA_VERDICTS; i++)
		lya_pack_uint(&p->body, c->verdicts[i]);
	for (size_t i = 0; i < LYA_MUTUALS; i++)
		lya_pack_uint(&p->body, c->mutual[i]);
}

static void pack_coverage(struct packing *p, const struct coverage *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++)
		n += c->list[i].flows > 0;
	lya_pack_uint(&p->body, c->seen);
	lya_pack_uint(&p->body, n);
	for (size_t i = 0; i < c->n; i++) {
		const struct lya_coverage *row = &c->list[i];

		if (row->flows == 0)
			continue;
		packing_name(p, &p->rules, row->rule);
		lya_pack_uint(&p->body, row->flows);
		lya_pack_uint(&p->body, row->packets);
		lya_pack_uint(&p->body, row->bytes);
		lya_pack_int(&p->body, row->first_ns);
		lya_pack_int(&p->body, row->last_ns);
		lya_pack_uint(&p->body, row->digits);
	}
}

static void pack_waived(struct packing *p, const struct lya_ledger *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->site->n_exceptions; i++)
		n += l->waived[i] > 0 || l->expired[i];
	lya_pack_uint(&p->body, n);
	for (size_t i = 0; i < l->site->n_exceptions; i++) {
		if (l->waived[i] == 0 && !l->expired[i])
			continue;
		packing_name(p, &p->exceptions, (int32_t)i);
		lya_pack_uint(&p->body, l->waived[i]);
		lya_pack_uint(&p->body, l->expired[i]);
	}
	lya_pack_uint(&p->body, l->former.n_waivers);
	for (size_t i = 0; i < l->former.n_waivers; i++) {
		pack_exception(&p->body, &l->former.waivers[i].exception);
		lya_pack_uint(&p->body, l->former.waivers[i].flows);
	}
}

static bool packing_init(struct packing *p, const struct lya_ledger *l)
{
	*p = (struct packing){ .ledger = l };
	return names_init(&p->rules, l->rules->n) &&
	       names_init(&p->hosts, l->site->n_hosts + l->former.n_hosts) &&
	       names_init(&p->exceptions, l->site->n_exceptions);
}

int lya_ledger_pack(const struct lya_ledger *l, struct lya_pack *out)
{
	struct packing p;
	bool good = packing_init(&p, l);

	if (good) {
		pack_counts(&p, &l->counts);
		pack_coverage(&p, &l->coverage);
		matrix_pack(&p, &l->matrix);
		pack_waived(&p, l);
		pack_overall(&p, &l->overall);
		pack_folds(&p, &l->folds);
		lya_pack_uint(out, PACK_VERSION);
		pack_names(out, &p);
		lya_pack_raw(out, p.body.data, p.body.len);
	}
	good = good && !p.body.failed && !out->failed;
	names_fini(&p.rules);
	names_fini(&p.hosts);
	names_fini(&p.exceptions);
	lya_pack_fini(&p.body);
	return good ? LYA_OK : LYA_ENOMEM;
}

/* Reading ---------------------------------------------------------------------------------- */

static int32_t unpack_index(struct unpacking *u, const int32_t *list, size_t n)
{
	size_t number = (size_t)lya_unpack_uint(&u->in, n);

	return number > 0 ? list[number - 1] : -1;
}

int32_t unpacking_rule(struct unpacking *u)
{
	return unpack_index(u, u->rules, u->n_rules);
}

int32_t unpacking_host(struct unpacking *u)
{
	return unpack_index(u, u->hosts, u->n_hosts);
}

int32_t unpacking_exception(struct unpacking *u)
{
	return unpack_index(u, u->exceptions, u->n_exceptions);
}

int32_t unpacking_expired(struct unpacking *u)
{
	int32_t index = unpacking_exception(u);

	return index >= 0 && u->ledger->site->exceptions[index].has_expiry ? index : -1;
}

uint32_t unpacking_source(struct unpacking *u)
{
	uint32_t source = (uint32_t)lya_unpack_uint(&u->in, UINT32_MAX);

	if (u->sources == NULL)
		return source;
	return source < u->n_sources ? u->sources[source] : UINT32_MAX;
}

/* A list of names becomes one of indices: one byte at least for each. */
static int32_t *unpack_names(struct unpacking *u, size_t *n, int32_t (*find)(struct unpacking *u))
{
	int32_t *list;

	*n = lya_unpack_count(&u->in, INT32_MAX, 1);
	if (unpacking_failed(u))
		return NULL;
	list = lya_calloc(*n + 1, sizeof(*list));
	u->nomem = list == NULL;
	for (size_t i = 0; i < *n && !unpacking_failed(u); i++)
		list[i] = find(u);
	return list;
}

static char *unpack_name(struct unpacking *u)
{
	char *name;

	if (lya_unpack_string(&u->in, PACK_NAME_MAX, &name) && name == NULL)
		lya_unpack_fail(&u->in, "a name is missing");
	u->nomem = u->nomem || (name == NULL && !lya_unpack_failed(&u->in));
	return name;
}

static int32_t find_rule(struct unpacking *u)
{
	char *name = unpack_name(u);
	const struct lya_rule *rule;

	if (name == NULL)
		return -1;
	rule = lya_rules_find(u->ledger->rules, name);
	lya_free(name);
	return rule != NULL ? (int32_t)(rule - u->ledger->rules->list) : -1;
}

static int32_t find_host(struct unpacking *u)
{
	char *name = unpack_name(u);
	int32_t host;

	if (name == NULL)
		return -1;
	host = former_host(u->ledger, name);
	u->nomem = host < 0;
	lya_free(name);
	return host;
}

static void unpack_exception(struct unpacking *u, struct lya_exception *e)
{
	memset(e, 0, sizeof(*e));
	e->id = unpack_name(u);
	e->reason = unpack_name(u);
	if (!lya_unpack_string(&u->in, PACK_NAME_MAX, &e->owner) ||
	    !lya_unpack_string(&u->in, PACK_NAME_MAX, &e->expires))
		u->nomem = u->nomem || !lya_unpack_failed(&u->in);
	e->has_expiry = lya_unpack_bool(&u->in) && e->expires != NULL;
	e->expires_ns = lya_unpack_time(&u->in);
	e->expires_days = lya_unpack_int(&u->in);
	if (e->expires_days > INT32_MAX || e->expires_days < INT32_MIN)
		lya_unpack_fail(&u->in, "there is no such day");
}

static int32_t exception_index(const struct lya_site *site, const char *id)
{
	for (size_t i = 0; id != NULL && i < site->n_exceptions; i++) {
		if (strcmp(site->exceptions[i].id, id) == 0)
			return (int32_t)i;
	}
	return -1;
}

/* What is left of an exception that the site does not have: it is kept if it waived something. */
struct unpacked_exceptions {
	struct lya_exception *list;
	size_t n;
};

static void exceptions_fini(struct unpacked_exceptions *x)
{
	for (size_t i = 0; x->list != NULL && i < x->n; i++) {
		lya_free(x->list[i].id);
		lya_free(x->list[i].reason);
		lya_free(x->list[i].owner);
		lya_free(x->list[i].expires);
	}
	lya_free(x->list);
}

static void unpack_exceptions(struct unpacking *u, struct unpacked_exceptions *x)
{
	x->n = lya_unpack_count(&u->in, INT32_MAX, 7);
	if (unpacking_failed(u))
		return;
	x->list = lya_calloc(x->n + 1, sizeof(*x->list));
	u->exceptions = lya_calloc(x->n + 1, sizeof(*u->exceptions));
	u->nomem = x->list == NULL || u->exceptions == NULL;
	for (size_t i = 0; i < x->n && !unpacking_failed(u); i++) {
		unpack_exception(u, &x->list[i]);
		u->exceptions[i] = exception_index(u->ledger->site, x->list[i].id);
	}
	u->n_exceptions = x->n;
}

static void unpack_counts(struct unpacking *u, struct lya_ledger_counts *c)
{
	c->flows += lya_unpack_uint(&u->in, UINT64_MAX);
	c->packets += lya_unpack_uint(&u->in, UINT64_MAX);
	c->bytes += lya_unpack_uint(&u->in, UINT64_MAX);
	c->probes += lya_unpack_uint(&u->in, UINT64_MAX);
	c->av_probes += lya_unpack_uint(&u->in, UINT64_MAX);
	for (size_t i = 0; i < LYA_VERDICTS; i++)
		c->verdicts[i] += lya_unpack_uint(&u->in, UINT64_MAX);
	for (size_t i = 0; i < LYA_MUTUALS; i++)
		c->mutual[i] += lya_unpack_uint(&u->in, UINT64_MAX);
}

static void unpack_coverage(struct unpacking *u, struct coverage *c)
{
	size_t n;

	c->seen |= (lya_roles)lya_unpack_uint(&u->in, (UINT64_C(1) << LYA_ROLES) - 1);
	n = lya_unpack_count(&u->in, SIZE_MAX, 7);
	for (size_t i = 0; i < n && !unpacking_failed(u); i++) {
		struct lya_coverage row = { .rule = unpacking_rule(u) };

		row.flows = lya_unpack_uint(&u->in, UINT64_MAX);
		row.packets = lya_unpack_uint(&u->in, UINT64_MAX);
		row.bytes = lya_unpack_uint(&u->in, UINT64_MAX);
		row.first_ns = lya_unpack_time(&u->in);
		row.last_ns = lya_unpack_time(&u->in);
		row.digits = (uint8_t)lya_unpack_uint(&u->in, 9);
		if (row.rule >= 0)
			coverage_add(c, &row);
	}
}

static void waive(struct unpacking *u, struct lya_exception *e, uint64_t flows)
{
	int32_t index = exception_index(u->ledger->site, e->id);

	if (index >= 0)
		u->ledger->waived[index] += flows;
	else if (flows > 0 && e->id != NULL && e->reason != NULL) {
		u->nomem = former_waive(&u->ledger->former, e, flows) != LYA_OK;
		memset(e, 0, sizeof(*e)); /* it was taken */
	}
}

static void unpack_waived(struct unpacking *u, struct unpacked_exceptions *x)
{
	size_t n = lya_unpack_count(&u->in, SIZE_MAX, 3);

	for (size_t i = 0; i < n && !unpacking_failed(u); i++) {
		size_t number = (size_t)lya_unpack_uint(&u->in, x->n);
		uint64_t flows = lya_unpack_uint(&u->in, UINT64_MAX);
		bool expired = lya_unpack_bool(&u->in);

		if (number == 0 || unpacking_failed(u))
			continue;
		if (u->exceptions[number - 1] >= 0 && expired)
			u->ledger->expired[u->exceptions[number - 1]] = true;
		waive(u, &x->list[number - 1], flows);
	}
	n = lya_unpack_count(&u->in, SIZE_MAX, 8);
	for (size_t i = 0; i < n && !unpacking_failed(u); i++) {
		struct unpacked_exceptions one = { lya_calloc(1, sizeof(*one.list)), 1 };

		u->nomem = one.list == NULL;
		if (one.list != NULL) {
			unpack_exception(u, one.list);
			waive(u, one.list, lya_unpack_uint(&u->in, UINT64_MAX));
		}
		exceptions_fini(&one);
	}
}

static void unpack_body(struct unpacking *u, struct unpacked_exceptions *x)
{
	struct lya_ledger *l = u->ledger;

	unpack_counts(u, &l->counts);
	unpack_coverage(u, &l->coverage);
	if (!unpacking_failed(u))
		matrix_unpack(u, &l->matrix);
	if (!unpacking_failed(u))
		unpack_waived(u, x);
	if (!unpacking_failed(u))
		unpack_overall(u, &l->overall);
	if (!unpacking_failed(u))
		unpack_folds(u, &l->folds);
	if (u->in.pos != u->in.end)
		lya_unpack_fail(&u->in, "something follows that does not belong to it");
}

static int tell_result(const struct unpacking *u, struct lya_error *err)
{
	if (u->nomem)
		return lya_error_nomem(err);
	if (lya_unpack_failed(&u->in))
		return lya_error_set(err, LYA_EINPUT, NULL, NULL, "packed evidence is damaged: %s",
				     u->in.wrong);
	return LYA_OK;
}

int lya_ledger_unpack(struct lya_ledger *l, const void *data, size_t len, const uint32_t *sources,
		      size_t n_sources, struct lya_error *err)
{
	const uint8_t *bytes = data;
	struct unpacking u = { .ledger = l,
			       .in = { bytes, bytes + len, NULL },
			       .sources = sources,
			       .n_sources = n_sources };
	struct unpacked_exceptions x = { 0 };

	if (lya_unpack_uint(&u.in, UINT64_MAX) != PACK_VERSION)
		lya_unpack_fail(&u.in, "it was packed by another version");
	u.rules = unpack_names(&u, &u.n_rules, find_rule);
	u.hosts = unpack_names(&u, &u.n_hosts, find_host);
	unpack_exceptions(&u, &x);
	if (!unpacking_failed(&u))
		unpack_body(&u, &x);
	exceptions_fini(&x);
	lya_free(u.rules);
	lya_free(u.hosts);
	lya_free(u.exceptions);
	return tell_result(&u, err);
}
