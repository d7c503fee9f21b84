/*
 * sentence.c - what is wrong, why it is thought so, and what to change, in
 * words that can be pasted into a firewall ticket.
 *
 * "Attempted and not answered", "never attempted" and "attempted in a way the
 * documents do not allow" are three different things and are worded so.
 */
#include "finding/sentence.h"

#include "lyncaudit/alloc.h"

static const struct {
	void (*what)(const struct telling *t);
	void (*why)(const struct telling *t);
	void (*fix)(const struct telling *t);
} table[LYA_FINDING_TYPES] = {
	[LYA_FINDING_WRONG_DIRECTION] = { what_wrong_direction, why_nearest, fix_wrong_direction },
	[LYA_FINDING_UNEXPECTED_PORT] = { what_unexpected_port, why_unexpected_port,
					  fix_unexpected_port },
	[LYA_FINDING_UNDOCUMENTED_PATH] = { what_undocumented_path, why_nearest,
					    fix_undocumented_path },
	[LYA_FINDING_AV_EDGE_SNAT] = { what_snat, why_snat, fix_snat },
	[LYA_FINDING_AV_EDGE_RELAY] = { what_relay, why_relay, fix_relay },
	[LYA_FINDING_FEATURE_NOT_DEPLOYED] = { what_feature, why_feature, fix_feature },
	[LYA_FINDING_WRONG_LOAD_BALANCING] = { what_wrong_lb, why_wrong_lb, fix_wrong_lb },
	[LYA_FINDING_CLEARTEXT] = { what_cleartext, why_cleartext, fix_cleartext },
	[LYA_FINDING_PROTOCOL_MISMATCH] = { what_mismatch, why_mismatch, fix_mismatch },
	[LYA_FINDING_MISSING_MUTUAL_TLS] = { what_missing_mutual, why_missing_mutual,
					     fix_missing_mutual },
	[LYA_FINDING_IDENTITY_MISMATCH] = { what_identity, why_identity, fix_identity },
	[LYA_FINDING_ICE_CHECK] = { what_ice, why_ice, fix_ice },
	[LYA_FINDING_BLOCKED_FLOW] = { what_blocked, why_blocked, fix_blocked },
	[LYA_FINDING_SIP_ONE_WAY] = { what_sip, why_sip, fix_sip },
	[LYA_FINDING_MISSING_FLOW] = { what_missing, why_missing, fix_missing },
	[LYA_FINDING_EDGE_ROUTING] = { what_routing, why_routing, fix_routing },
	[LYA_FINDING_GATEWAY_MISMATCH] = { what_gateway, why_gateway, fix_gateway },
	[LYA_FINDING_EDGE_PRIVATE_ADDRESS] = { what_private, why_private, fix_private },
	[LYA_FINDING_UNDECLARED_SERVER] = { what_undeclared, why_undeclared, fix_undeclared },
	[LYA_FINDING_EXCEPTION_EXPIRED] = { what_expired, why_expired, fix_expired },
	[LYA_FINDING_EXCEPTION_EXPIRING] = { what_expiring, why_expiring, fix_expired },
	[LYA_FINDING_EXCEPTION_UNUSED] = { what_unused, why_unused, fix_unused },
};

/* One sentence, capitalised; NULL when out of memory. */
static char *tell(const struct lya_ledger *l, const struct lya_finding *f,
		  void (*fn)(const struct telling *t))
{
	struct lya_text text = { 0 };
	struct telling t = { .ledger = l, .finding = f, .text = &text };
	char *s = NULL;

	if (fn != NULL)
		fn(&t);
	else
		say(&t, "%s.", f->type);
	if (!text.failed)
		s = lya_strdup(lya_text_str(&text));
	lya_text_fini(&text);
	return s;
}

bool sentence_write(const struct lya_ledger *l, struct lya_finding *f)
{
	f->what = tell(l, f, table[f->kind].what);
	f->why = tell(l, f, table[f->kind].why);
	f->fix = tell(l, f, table[f->kind].fix);
	return f->what != NULL && f->why != NULL && f->fix != NULL;
}
