/*
 * sentence_flow.c - flows that no row documents, or a row whose feature is not deployed: what
 * they did, and why that is not documented.  What to change: sentence_flow_fix.c.
 */
#include "finding/sentence.h"

#include <string.h>

/* what --------------------------------------------------------------------------- */

void what_wrong_direction(const struct telling *t)
{
	say_initiator(t);
	if (t->finding->source_port)
		say(t, "%s from its service port ",
		    got_through(t) ? " opened flows" : " tried to open flows");
	else
		say(t, got_through(t) ? " opened " : " tried to open ");
	say_ports(t);
	say(t, " to ");
	say_responder(t);
	say_unanswered(t);
	say(t, ", the wrong way round.");
}

void what_unexpected_port(const struct telling *t)
{
	what_flow(t);
	say(t, ", which is not among the ports documented between these roles.");
}

void what_undocumented_path(const struct telling *t)
{
	what_flow(t);
	say(t, ", although no document lets these roles talk in this direction.");
}

void what_wrong_lb(const struct telling *t)
{
	what_flow(t);
	say(t, ", a port that this VIP does not serve with the site's load balancing.");
}

void what_feature(const struct telling *t)
{
	const struct lya_finding *f = t->finding;
	int feature = f->n_rules > 0 ? rule_at(t, f->rules[0])->feature : -1;

	what_flow(t);
	say(t, ", which only the feature \"%s\" needs, and the site does not list it.",
	    feature >= 0 ? lya_feature_name((enum lya_feature)feature) : "?");
}

/* why ---------------------------------------------------------------------------- */

static void say_nearest(const struct telling *t)
{
	const struct lya_finding *f = t->finding;
	const struct lya_row_end *list;

	if (f->nearest < 0) {
		say(t, "No documented row comes near it");
		return;
	}
	if (find_unlisted(t, &list) != NULL) {
		say(t, "The nearest documented one, ");
		say_unlisted(t);
		return;
	}
	say(t, "The nearest documented one is ");
	say_row(t, f->nearest);
	switch (f->but) {
	case LYA_BUT_DIRECTION:
		say(t, ", which would allow it but for the direction: it is for connections ");
		say_row_ends(t, f->nearest);
		break;
	case LYA_BUT_PORT:
		say(t, ", which would allow it but for the port: it is for ");
		say_rule_ports(t, f->nearest);
		break;
	case LYA_BUT_TRANSPORT:
		say(t, ", which would allow it but for the transport: it is for ");
		say_rule_ports(t, f->nearest);
		break;
	case LYA_BUT_MODE:
		say(t, ", which the load balancing of this site leaves out");
		break;
	case LYA_BUT_INITIATOR:
	case LYA_BUT_RESPONDER:
		say(t, ", which is for traffic ");
		say_row_ends(t, f->nearest);
		break;
	case LYA_BUT_NOTHING:
		break;
	}
}

/* Who began is not certain: that belongs to the reason. */
static void say_doubt(const struct telling *t)
{
	if (t->finding->has_basis && t->finding->grade == LYA_GRADE_HINT)
		say(t, "; who opened it is a guess (%s), since the capture shows no beginning",
		    lya_basis_name(t->finding->basis));
}

void why_nearest(const struct telling *t)
{
	say_nearest(t);
	say_mixup(t);
	say_4443(t);
	say_expired(t);
	say_doubt(t);
	end_sentence(t);
}

/* True when both rules name the same transports and ports, as they are in force. */
static bool same_ports(const struct telling *t, int a, int b)
{
	const struct lya_rule *ra = rule_at(t, a), *rb = rule_at(t, b);
	const struct lya_port_range *la, *lb;
	size_t na, nb;

	la = lya_policy_ports(t->ledger->policy, (size_t)a, &na);
	lb = lya_policy_ports(t->ledger->policy, (size_t)b, &nb);
	return ra->transports == rb->transports && ra->any_port == rb->any_port && na == nb &&
	       (na == 0 || memcmp(la, lb, na * sizeof(*la)) == 0);
}

/* "tcp 443 (edge.3.3, internal.4.2), tcp 5061 (edge.3.4)": rows with the same ports together */
static void say_documented(const struct telling *t)
{
	const struct lya_finding *f = t->finding;
	bool said[LYA_FINDING_RULES] = { false };

	for (size_t i = 0; i < f->n_rules; i++) {
		if (said[i])
			continue;
		say(t, "%s", i > 0 ? ", " : "");
		say_rule_ports(t, f->rules[i]);
		say(t, " (%s", rule_at(t, f->rules[i])->id);
		for (size_t k = i + 1; k < f->n_rules; k++) {
			if (!same_ports(t, f->rules[i], f->rules[k]))
				continue;
			said[k] = true;
			say(t, ", %s", rule_at(t, f->rules[k])->id);
		}
		say(t, ")");
	}
	if (f->n_rules == LYA_FINDING_RULES) /* there may be more than are kept */
		say(t, " and others");
}

void why_unexpected_port(const struct telling *t)
{
	const struct lya_row_end *list;

	if (t->finding->n_rules == 0) {
		why_nearest(t);
		return;
	}
	say(t, "Documented between these roles: ");
	say_documented(t);
	if (is_for_members(t)) {
		say(t, "; this port is documented for each server behind the VIP, not for the "
		       "VIP: ");
		say_row(t, t->finding->mixup);
	} else if (find_unlisted(t, &list) != NULL) {
		say(t, "; ");
		say_unlisted(t);
	} else {
		say_mixup(t);
		if (is_left_out(t))
			say(t, "; with the load balancing of this site that is for the servers "
			       "behind the VIP");
		say_4443(t);
	}
	say_expired(t);
	say_doubt(t);
	end_sentence(t);
}

/* The port is given by another mode, or by none. */
void why_wrong_lb(const struct telling *t)
{
	if (t->finding->but == LYA_BUT_MODE)
		why_nearest(t);
	else
		why_unexpected_port(t);
}

void why_feature(const struct telling *t)
{
	const struct lya_finding *f = t->finding;

	say(t, "It matches ");
	for (size_t i = 0; i < f->n_rules; i++) {
		say(t, "%s", i > 0 ? ", " : "");
		say_row(t, f->rules[i]);
	}
	say(t, ", and nothing else documents it.");
}
