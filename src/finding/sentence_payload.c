/*
 * sentence_payload.c - the words for what the payload shows: another protocol than the
 * documented one, no encryption, no proof of identity, or another one.
 */
#include "finding/sentence.h"

/* what --------------------------------------------------------------------------- */

void what_cleartext(const struct telling *t)
{
	what_flow(t);
	say(t, " and spoke ");
	say_spoken(t);
	say(t, " in clear, where TLS is documented.");
}

void what_mismatch(const struct telling *t)
{
	what_flow(t);
	say(t, " and spoke ");
	say_spoken(t);
	say_prefix(t);
	say(t, ", where ");
	say_documented_apps(t);
	say(t, " is documented.");
}

void what_missing_mutual(const struct telling *t)
{
	what_flow(t);
	say(t, " with TLS in which the opener proved no identity: no client certificate was asked "
	       "for or given.");
}

static void what_asked(const struct telling *t)
{
	say_initiator(t);
	say(t, " asked ");
	say_responder(t);
	say(t, " on ");
	say_ports(t);
	say(t, " for a name of %s, was shown another certificate, and left it at that.",
	    t->finding->asked);
}

void what_identity(const struct telling *t)
{
	if (t->finding->asked != NULL) {
		what_asked(t);
		return;
	}
	say_responder(t);
	say(t, " showed the certificate of %s on ", t->finding->shown);
	say_ports(t);
	say(t, " to ");
	say_initiator(t);
	end_sentence(t);
}

void what_ice(const struct telling *t)
{
	say_initiator(t);
	say(t, " sent ICE connectivity checks to ");
	say_responder(t);
	say(t, " on ");
	say_ports(t);
	say_unanswered(t);
	say(t, ", and nothing else.");
}

/* why ---------------------------------------------------------------------------- */

void why_cleartext(const struct telling *t)
{
	say_matches(t);
	say(t, "; without TLS everybody on the way reads what is said, passwords and messages "
	       "included, and can change it.");
}

/* What the field knows of the more frequent mismatches. */
static void say_usual_reason(const struct telling *t)
{
	const struct lya_finding *f = t->finding;
	bool stun = false;

	for (size_t i = 0; i < f->n_rules; i++)
		stun = stun || rule_at(t, f->rules[i])->app == LYA_ROW_STUN;
	if (f->statement != NULL)
		say(t,
		    "; instant messages go through the front-end, never from client to client "
		    "(%s)",
		    f->statement);
	else if (stun && (f->spoken & UINT32_C(1) << LYA_APP_TLS) != 0)
		say(t, "; the A/V Edge only imitates TLS, so a real handshake there is another "
		       "service, a balancer that ends TLS, or an inspecting proxy, and sharing and "
		       "calls from outside fail");
	else if ((f->spoken & UINT32_C(1) << LYA_APP_PSEUDO_TLS) != 0)
		say(t, "; this is how a client greets the A/V Edge, so the addresses of the Edge "
		       "services are probably crossed");
}

void why_mismatch(const struct telling *t)
{
	say_matches(t);
	say_usual_reason(t);
	end_sentence(t);
}

void why_missing_mutual(const struct telling *t)
{
	say_matches(t);
	say(t, "; between servers both ends prove who they are, or whoever reaches the port may "
	       "pose as one of them.");
}

void why_identity(const struct telling *t)
{
	if (t->finding->asked != NULL) {
		say(t,
		    "The site gives that name to %s and to no service at this address, and the "
		    "certificate says so too: the client was sent to the wrong place, by an old "
		    "DNS record or crossed addresses.",
		    t->finding->asked);
		return;
	}
	say(t,
	    "The site gives the names in that certificate to %s and to no service at this "
	    "address, so either the certificate is on the wrong server, the addresses are "
	    "crossed, or the site description is out of date.",
	    t->finding->shown);
}

void why_ice(const struct telling *t)
{
	say(t, "Before every call both ends try all pairs of their addresses with STUN Binding "
	       "requests, and the pairs that no row allows are expected to fail");
	say_expired(t);
	end_sentence(t);
}

/* fix ---------------------------------------------------------------------------- */

/* Who answers in truth: "edge01", "the servers behind hlb-ext". */
static void say_servers(const struct telling *t)
{
	if (is_balancer_role(t->finding->responder.role))
		say(t, "the servers behind ");
	say_end_short(t, &t->finding->responder);
}

/* "the servers behind hlb-ext refuse anything but TLS on tcp 5061" */
static void say_refuse(const struct telling *t)
{
	say_servers(t);
	say(t, " refuse anything but TLS on ");
	say_ports(t);
}

/* The leg of somebody's connection: in clear from its beginning, or from the balancer on. */
static void fix_cleartext_leg(const struct telling *t)
{
	say(t, "Look first at who reaches the VIP in clear, which is a finding of its own; if "
	       "nobody does, ");
	say_balancer(t);
	say(t, " ends TLS itself and has to pass it through; and let ");
	say_refuse(t);
	end_sentence(t);
}

void fix_cleartext(const struct telling *t)
{
	if (is_balancer_role(t->finding->initiator.role)) {
		fix_cleartext_leg(t);
		return;
	}
	if (is_stranger(&t->finding->initiator)) {
		say(t, "Let ");
		say_refuse(t);
		say(t, ", so that who is outside has to use it.");
		return;
	}
	say(t, "On ");
	say_end_short(t, &t->finding->initiator);
	say(t, ", set the transport towards ");
	say_end_short(t, &t->finding->responder);
	say(t, " to TLS, and let ");
	say_refuse(t);
	end_sentence(t);
}

void fix_mismatch(const struct telling *t)
{
	say(t, "Find out which program answers on ");
	say_ports(t);
	say(t, " of ");
	say_end_short(t, &t->finding->responder);
	say(t, ", and whether that is where ");
	say_end_short(t, &t->finding->initiator);
	say(t, " should go; close the way ");
	say_way(t);
	say(t, " for what is not documented there.");
}

void fix_missing_mutual(const struct telling *t)
{
	say(t, "Check that a certificate that the other end trusts is assigned on ");
	say_end_short(t, &t->finding->initiator);
	say(t, ", that mutual TLS is required on ");
	say_ports(t);
	say(t, " of ");
	say_servers(t);
	say(t, ", and that no device between the two ends the TLS connection.");
}

void fix_identity(const struct telling *t)
{
	if (t->finding->asked != NULL) {
		say(t, "Look up what the names of %s resolve to for ", t->finding->asked);
		say_end_short(t, &t->finding->initiator);
		say(t, ", and correct the record, or the addresses.");
		return;
	}
	say(t, "Assign ");
	say_end_short(t, &t->finding->responder);
	say(t, " a certificate with its own names, or correct addresses and names in the site "
	       "description.");
}

void fix_ice(const struct telling *t)
{
	say(t, "Nothing needs to change; keep the way closed, and look at it again only if calls "
	       "between these two have no sound.");
}
