/*
 * policy.c - from configuration as bytes to what flows are judged by.
 */
#include "live/bundle.h"
#include "live/live.h"

static void say_faults(const struct live_watch *w, const struct lya_diags *diags)
{
	for (size_t i = 0; i < diags->n; i++) {
		if (diags->list[i].level == LYA_DIAG_ERROR)
			live_say(w, LYA_WATCH_ERROR, "%s", diags->list[i].text);
		else if (diags->list[i].level == LYA_DIAG_WARNING)
			live_say(w, LYA_WATCH_WARNING, "%s", diags->list[i].text);
	}
	if (diags->dropped > 0)
		live_say(w, LYA_WATCH_ERROR, "and %zu more", diags->dropped);
}

/* Both files' faults in one go. */
static int parse(struct live_policy *p, const struct live_watch *w, const struct bundle *b,
		 struct lya_diags *diags, struct lya_error *err)
{
	const struct lya_watch_options *o = w->options;
	struct lya_error second;
	int rc = lya_rules_load_files(&p->rules, o->rules, b->rules, b->n_rules, diags, err);
	int rc_site = lya_site_load_text(&p->site, b->site.name, b->site.text, b->site.len, diags,
					 rc == LYA_OK ? err : &second);

	if (rc == LYA_OK)
		rc = rc_site;
	if (rc == LYA_OK)
		rc = lya_policy_new(&p->policy, p->site, p->rules, o->strict, diags, err);
	return rc;
}

bool live_policy_load(struct live_policy *p, const struct live_watch *w, int bundle)
{
	struct lya_diags diags = { 0 };
	struct lya_error err;
	struct bundle b;
	int rc = bundle_unpack(&b, bundle, &err);

	*p = (struct live_policy){ .site = NULL };
	if (rc == LYA_OK) {
		rc = parse(p, w, &b, &diags, &err);
		bundle_fini(&b);
	}
	if (rc != LYA_OK && diags.errors == 0)
		live_say(w, LYA_WATCH_ERROR, "%s", err.text);
	say_faults(w, &diags);
	lya_diags_fini(&diags);
	if (rc != LYA_OK)
		live_policy_free(p);
	return rc == LYA_OK;
}

void live_policy_free(struct live_policy *p)
{
	lya_policy_free(p->policy);
	lya_site_free(p->site);
	lya_rules_free(p->rules);
	*p = (struct live_policy){ .site = NULL };
}
