/*
 * checkpoint.c - what a service hands over, in one transaction.
 */
#include "store/store.h"

#include <stdio.h>
#include <string.h>

#include "lyncaudit/role.h"
#include "lyncaudit/timeutil.h"

/* A digest that there is no memory for matches nothing: the part counts as damaged. */
void store_seal(const void *data, size_t len, char seal[static LYA_SHA256_HEX])
{
	struct lya_digest *d = lya_digest_new();

	seal[0] = '\0';
	if (d == NULL)
		return;
	lya_digest_add(d, data, len);
	lya_digest_finish(d, seal);
}

/* Policies ----------------------------------------------------------------------------------- */

static int pack_rules(const struct lya_rules *rules, struct lya_pack *out)
{
	lya_pack_uint(out, rules->n_files);
	for (size_t i = 0; i < rules->n_files; i++) {
		lya_pack_string(out, rules->files[i].name);
		lya_pack_bytes(out, rules->files[i].text, rules->files[i].len);
	}
	return out->failed ? LYA_ENOMEM : LYA_OK;
}

static int add_policy(struct lya_store *s, struct lya_store_policy *p, struct lya_error *err)
{
	struct lya_pack rules = { 0 };
	int rc = pack_rules(p->rules, &rules);

	if (rc == LYA_OK)
		rc = store_run(s, STORE_POLICY_PUT, err, "ttbttbi", p->site->name, p->site->sha256,
			       (const void *)p->site->text, p->site->text_len, p->rules->name,
			       p->rules->sha256, (const void *)rules.data, rules.len,
			       (int64_t)p->strict);
	else
		(void)lya_error_nomem(err);
	if (rc == LYA_OK)
		p->id = sqlite3_last_insert_rowid(s->db);
	lya_pack_fini(&rules);
	return rc;
}

int lya_store_put_policy(struct lya_store *s, struct lya_store_policy *p, struct lya_error *err)
{
	sqlite3_stmt *st;
	int rc = store_query(s, STORE_POLICY_FIND, err, &st, "ttti", p->site->sha256,
			     p->rules->sha256, p->rules->name, (int64_t)p->strict);

	if (rc != LYA_OK)
		return rc;
	if (st == NULL)
		return add_policy(s, p, err);
	p->id = sqlite3_column_int64(st, 0);
	store_done(st);
	return LYA_OK;
}

/* Periods and stretches ---------------------------------------------------------------------- */

/* The day, and where it has come before, which time this is: "2026-11-21.2". */
static int name_period(struct lya_store *s, const struct lya_store_period *p,
		       char name[static LYA_PERIOD_NAME], struct lya_error *err)
{
	char text[LYA_TIME_TEXT];
	sqlite3_stmt *st;
	int rc = store_query(s, STORE_PERIOD_NAMES, err, &st, "i", p->day);
	int64_t before = st != NULL ? sqlite3_column_int64(st, 0) : 0;

	store_done(st);
	(void)lya_time_format(p->day * 86400 * LYA_SECOND_NS, 0, text);
	if (before == 0)
		(void)snprintf(name, LYA_PERIOD_NAME, "%.10s", text);
	else
		(void)snprintf(name, LYA_PERIOD_NAME, "%.10s.%u", text, (unsigned)before + 1);
	return rc;
}

static int put_period(struct lya_store *s, const struct lya_store_period *p, int64_t *id,
		      char name[static LYA_PERIOD_NAME], struct lya_error *err)
{
	int rc;

	*id = p->id;
	if (p->id != 0)
		return LYA_OK;
	rc = name_period(s, p, name, err);
	if (rc == LYA_OK)
		rc = store_run(s, STORE_PERIOD_PUT, err, "tiiiittii", name, p->day, p->begin_ns,
			       p->end_ns, (int64_t)p->fail_on, p->sensor, p->timezone,
			       (int64_t)p->partial, (int64_t)p->bound);
	*id = sqlite3_last_insert_rowid(s->db);
	return rc;
}

static int put_stretch(struct lya_store *s, const struct lya_store_stretch *t, int64_t period,
		       const struct lya_pack *tally, int64_t *id, struct lya_error *err)
{
	char seal[LYA_SHA256_HEX];
	int rc;

	*id = t->id;
	store_seal(tally->data, tally->len, seal);
	if (t->id != 0)
		return store_run(s, STORE_STRETCH_SET, err, "iibti", t->until_ns, (int64_t)t->final,
				 (const void *)tally->data, tally->len, seal, t->id);
	rc = store_run(s, STORE_STRETCH_PUT, err, "iiiiibt", period, t->policy, t->begin_ns,
		       t->until_ns, (int64_t)t->final, (const void *)tally->data, tally->len, seal);
	*id = sqlite3_last_insert_rowid(s->db);
	return rc;
}

static int put_part(struct lya_store *s, int64_t stretch, bool open, const struct lya_pack *part,
		    struct lya_error *err)
{
	char seal[LYA_SHA256_HEX];

	store_seal(part->data, part->len, seal);
	return store_run(s, STORE_PART_PUT, err, "iibt", stretch, (int64_t)open,
			 (const void *)part->data, part->len, seal);
}

static int put_parts(struct lya_store *s, const struct lya_store_checkpoint *c, int64_t stretch,
		     struct lya_error *err)
{
	int rc = LYA_OK;

	if (c->ended != NULL)
		rc = put_part(s, stretch, false, c->ended, err);
	if (rc == LYA_OK && !c->keep_open)
		rc = store_run(s, STORE_PARTS_DROP, err, "ii", stretch, (int64_t)1);
	if (rc == LYA_OK && c->replaces != 0)
		rc = store_run(s, STORE_PARTS_DROP, err, "ii", c->replaces, (int64_t)1);
	if (rc == LYA_OK && c->open != NULL)
		rc = put_part(s, stretch, true, c->open, err);
	return rc;
}

/* Minutes ------------------------------------------------------------------------------------ */

static int role_word(struct lya_store *s, uint8_t role, int64_t *id, struct lya_error *err)
{
	return store_word(s, role < LYA_ROLES ? lya_role_name((enum lya_role)role) : "none", id,
			  err);
}

static int host_word(struct lya_store *s, const struct lya_site *site, int32_t host, int64_t *id,
		     struct lya_error *err)
{
	*id = 0;
	return host < 0 ? LYA_OK : store_word(s, site->hosts[host].name, id, err);
}

static bool is_allowed(uint8_t verdict)
{
	return verdict == LYA_VERDICT_DOCUMENTED || verdict == LYA_VERDICT_WAIVED ||
	       verdict == LYA_VERDICT_OUT_OF_SCOPE;
}

/* The sums of a host for its night, which stay when minutes go. */
static int put_host(struct lya_store *s, int64_t period, int64_t host, const struct lya_minute *row,
		    struct lya_error *err)
{
	if (host == 0)
		return LYA_OK;
	return store_run(s, STORE_HOST_PUT, err, "iiiiii", period, host, (int64_t)row->opened,
			 is_allowed(row->verdict) ? INT64_C(0) : (int64_t)row->opened,
			 (int64_t)row->packets, (int64_t)row->bytes);
}

static int put_minute(struct lya_store *s, int64_t period, int64_t policy,
		      const struct lya_site *site, const struct lya_minute *row,
		      struct lya_error *err)
{
	int64_t role[2] = { 0, 0 }, host[2] = { 0, 0 }, verdict = 0;
	int rc =
	    store_word(s, lya_verdict_name((enum lya_verdict_kind)row->verdict), &verdict, err);

	for (unsigned i = 0; i < 2 && rc == LYA_OK; i++) {
		rc = role_word(s, row->role[i], &role[i], err);
		if (rc == LYA_OK)
			rc = host_word(s, site, row->host[i], &host[i], err);
	}
	if (rc == LYA_OK)
		rc = store_run(s, STORE_MINUTE_PUT, err, "iiiiiiiiiiiiiii", period, row->minute,
			       policy, role[0], role[1], host[0], host[1], (int64_t)row->transport,
			       verdict, row->other ? INT64_C(-1) : (int64_t)row->ports.first,
			       row->other ? INT64_C(-1) : (int64_t)row->ports.last,
			       (int64_t)row->flows, (int64_t)row->opened, (int64_t)row->packets,
			       (int64_t)row->bytes);
	if (rc == LYA_OK)
		rc = put_host(s, period, host[0], row, err);
	if (rc == LYA_OK && host[1] != host[0])
		rc = put_host(s, period, host[1], row, err);
	return rc;
}

static int put_minutes(struct lya_store *s, int64_t period, int64_t policy,
		       const struct lya_minutes *minutes, struct lya_error *err)
{
	const struct lya_site *site;
	struct lya_minute row;
	size_t pos = 0;
	int rc = LYA_OK;

	if (minutes == NULL)
		return LYA_OK;
	site = lya_policy_site(lya_minutes_policy(minutes));
	while (rc == LYA_OK && lya_minutes_next(minutes, &pos, &row))
		rc = put_minute(s, period, policy, site, &row, err);
	return rc;
}

/* Events ------------------------------------------------------------------------------------- */

const char *lya_event_kind_name(enum lya_event_kind kind)
{
	static const char *const names[LYA_EVENT_KINDS] = {
		[LYA_EVENT_START] = "start",   [LYA_EVENT_STOP] = "stop",
		[LYA_EVENT_RELOAD] = "reload", [LYA_EVENT_GAP] = "gap",
		[LYA_EVENT_DROP] = "drop",     [LYA_EVENT_CLOCK] = "clock",
		[LYA_EVENT_STORE] = "store",
	};

	return names[kind];
}

int store_put_event(struct lya_store *s, const struct lya_store_event *e, struct lya_error *err)
{
	return store_run(s, STORE_EVENT_PUT, err, "iittit", e->from_ns,
			 e->to_ns != LYA_TIME_NONE ? e->to_ns : INT64_MAX,
			 lya_event_kind_name(e->kind), e->source, (int64_t)e->count,
			 e->text != NULL ? e->text : "");
}

static int put_events(struct lya_store *s, const struct lya_store_event *list, size_t n,
		      struct lya_error *err)
{
	int rc = LYA_OK;

	for (size_t i = 0; i < n && rc == LYA_OK; i++)
		rc = store_put_event(s, &list[i], err);
	return rc;
}

int lya_store_put_events(struct lya_store *s, const struct lya_store_event *events, size_t n,
			 struct lya_error *err)
{
	int rc = store_run(s, STORE_BEGIN, err, "");

	return rc == LYA_OK ? store_end(s, put_events(s, events, n, err), err) : rc;
}

/* The whole ---------------------------------------------------------------------------------- */

int lya_store_commit(struct lya_store *s, const struct lya_store_checkpoint *c,
		     struct lya_error *err)
{
	char name[LYA_PERIOD_NAME] = "";
	int64_t period = 0, stretch = 0;
	int rc = store_run(s, STORE_BEGIN, err, "");

	if (rc != LYA_OK)
		return rc;
	rc = put_period(s, c->period, &period, name, err);
	if (rc == LYA_OK)
		rc = put_stretch(s, c->stretch, period, c->tally, &stretch, err);
	if (rc == LYA_OK)
		rc = put_parts(s, c, stretch, err);
	if (rc == LYA_OK)
		rc = put_minutes(s, period, c->stretch->policy, c->minutes, err);
	if (rc == LYA_OK)
		rc = put_events(s, c->events, c->n_events, err);
	rc = store_end(s, rc, err);
	if (rc != LYA_OK)
		return rc;
	if (c->period->id == 0)
		memcpy(c->period->name, name, sizeof(name));
	c->period->id = period;
	c->stretch->id = stretch;
	return LYA_OK;
}

int lya_store_close_period(struct lya_store *s, struct lya_store_period *p, struct lya_error *err)
{
	char name[LYA_PERIOD_NAME] = "";
	int64_t id = 0;
	int rc = store_run(s, STORE_BEGIN, err, "");

	if (rc != LYA_OK)
		return rc;
	rc = put_period(s, p, &id, name, err);
	if (rc == LYA_OK)
		rc = store_run(s, STORE_PERIOD_CLOSE, err, "iiii", p->end_ns, (int64_t)p->partial,
			       p->policy, id);
	rc = store_end(s, rc, err);
	if (rc != LYA_OK)
		return rc;
	if (p->id == 0)
		memcpy(p->name, name, sizeof(name));
	p->id = id;
	p->closed = true;
	return LYA_OK;
}

int lya_store_join(struct lya_store *s, int64_t stretch, const struct lya_pack *evidence,
		   struct lya_error *err)
{
	int rc = store_run(s, STORE_BEGIN, err, "");

	if (rc != LYA_OK)
		return rc;
	rc = store_run(s, STORE_PARTS_DROP, err, "ii", stretch, (int64_t)0);
	if (rc == LYA_OK)
		rc = put_part(s, stretch, false, evidence, err);
	return store_end(s, rc, err);
}
