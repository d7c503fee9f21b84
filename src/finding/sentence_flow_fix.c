/*
 * sentence_flow_fix.c - what to change where a flow is not documented: the program that opens
 * it, the firewall that lets it pass, or the site description.
 */
#include "finding/sentence.h"

static void say_or_exception(const struct telling *t)
{
	const struct lya_finding *f = t->finding;

	say(t, "; if it is needed, write an exception for ");
	if (f->n_ports == 1 && !f->source_port)
		say_ports(t);
	else
		say(t, "it");
	say(t, " with reason, owner and last day into the site description");
}

void fix_wrong_direction(const struct telling *t)
{
	say(t, "Check the rule for ");
	say_ports(t);
	say(t, " in ");
	say_firewall(t);
	say(t, " for exchanged source and destination, and what on ");
	say_end_address(t, &t->finding->initiator);
	say(t, " opens these connections to ");
	say_end_address(t, &t->finding->responder);
	say_or_exception(t);
	end_sentence(t);
}

static void fix_stranger(const struct telling *t)
{
	if (!got_through(t)) {
		say(t, "Nothing got through; let ");
		say_firewall(t);
		say(t, " drop ");
		say_ports(t);
		say(t, ", so that such attempts do not reach ");
		say_end_address(t, &t->finding->responder);
		say(t, " at all.");
		return;
	}
	say(t, "Close the way ");
	say_way(t);
	say(t, " in ");
	say_firewall(t);
	say_or_exception(t);
	end_sentence(t);
}

static void fix_program(const struct telling *t)
{
	say(t, "Find out which program on ");
	say_end_short(t, &t->finding->initiator);
	say(t, t->finding->n_ports > 1 ? " tries these ports, and close the way "
				       : " uses this port, and close the way ");
	say_way(t);
	say(t, " in ");
	say_firewall(t);
	say_or_exception(t);
	end_sentence(t);
}

/* The servers behind the VIP have the service: this port, or the one that was meant. */
static void fix_members(const struct telling *t)
{
	say(t, "Let ");
	say_end_short(t, &t->finding->initiator);
	say(t, " address each of the servers behind ");
	say_end_short(t, &t->finding->responder);
	say(t, " on ");
	say_ports(t);
	say(t, " instead of the VIP, and open that in ");
	say_firewall(t);
	say(t, " (%s).", rule_at(t, t->finding->mixup)->id);
}

static void fix_unlisted(const struct telling *t)
{
	const struct lya_row_end *list = NULL;
	const struct lya_finding_end *end = find_unlisted(t, &list);

	say(t, "If ");
	say_end_short(t, end);
	say(t, is_many(end) ? " are " : " is ");
	say_row_end(t, list);
	say(t, ", declare that in the site description; if not, close the way ");
	say_way(t);
	say(t, " in ");
	say_firewall(t);
	say_or_exception(t);
	end_sentence(t);
}

static void fix_mixup(const struct telling *t)
{
	say(t, "On ");
	say_end_short(t, &t->finding->initiator);
	say(t, ", let what points to ");
	say_end_short(t, &t->finding->responder);
	say(t, " use ");
	say_meant(t);
	if (is_left_out(t))
		say(t, " of the servers behind the VIP");
	say(t, " instead, and open that in ");
	say_firewall(t);
	say(t, " (%s).", rule_at(t, t->finding->mixup)->id);
}

void fix_unexpected_port(const struct telling *t)
{
	const struct lya_row_end *list;

	if (find_unlisted(t, &list) != NULL)
		fix_unlisted(t);
	else if (is_stranger(&t->finding->initiator))
		fix_stranger(t);
	else if (is_for_members(t))
		fix_members(t);
	else if (t->finding->mixup >= 0 && t->finding->n_ports == 1)
		fix_mixup(t);
	else
		fix_program(t);
}

void fix_undocumented_path(const struct telling *t)
{
	const struct lya_row_end *list;

	if (find_unlisted(t, &list) != NULL) {
		fix_unlisted(t);
		return;
	}
	if (is_stranger(&t->finding->initiator)) {
		fix_stranger(t);
		return;
	}
	if (got_through(t)) {
		say(t, "Close the way ");
		say_way(t);
		say(t, " in ");
		say_firewall(t);
	} else {
		say(t, "Nothing got through; find out what makes ");
		say_end_short(t, &t->finding->initiator);
		say(t, " try ");
		say_end_address(t, &t->finding->responder);
		say(t, " on ");
		say_ports(t);
	}
	say_or_exception(t);
	end_sentence(t);
}

void fix_wrong_lb(const struct telling *t)
{
	if (t->finding->but != LYA_BUT_MODE) {
		fix_unexpected_port(t);
		return;
	}
	say(t, "Let ");
	say_end_short(t, &t->finding->initiator);
	say(t, " use the pool's servers themselves for ");
	say_ports(t);
	say(t, ", or, if ");
	say_end_short(t, &t->finding->responder);
	say(t, " is a hardware load balancer, say so in load_balancing of the site description.");
}

void fix_feature(const struct telling *t)
{
	const struct lya_finding *f = t->finding;
	int feature = f->n_rules > 0 ? rule_at(t, f->rules[0])->feature : -1;

	say(t, "Close the way ");
	say_way(t);
	say(t, " in ");
	say_firewall(t);
	say(t, ", or add \"%s\" to the features of the site description if it is deployed.",
	    feature >= 0 ? lya_feature_name((enum lya_feature)feature) : "?");
}
