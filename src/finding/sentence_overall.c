/*
 * sentence_overall.c - the words for what all flows together show.
 *
 * Here above all, "tried and not answered" and "never tried" must not be
 * mistaken for each other: the first is a matter of firewalls, routes and
 * services, the second mostly of configuration.
 */
#include "finding/sentence.h"

#include <inttypes.h>

static const struct lya_rule *cited(const struct telling *t)
{
	const struct lya_finding *f = t->finding;

	return f->n_rules > 0 ? &t->ledger->rules->list[f->rules[0]] : NULL;
}

/* blocked-flow ---------------------------------------------------------------------------- */

static const struct {
	uint8_t family, type, code;
	const char *words;
} icmp_words[] = {
	{ 4, 3, 0, "network unreachable" },
	{ 4, 3, 1, "host unreachable" },
	{ 4, 3, 2, "protocol unreachable" },
	{ 4, 3, 3, "port unreachable" },
	{ 4, 3, 9, "network administratively prohibited" },
	{ 4, 3, 10, "host administratively prohibited" },
	{ 4, 3, 13, "administratively prohibited" },
	{ 4, 11, 0, "time to live exceeded" },
	{ 6, 1, 0, "no route to the destination" },
	{ 6, 1, 1, "administratively prohibited" },
	{ 6, 1, 3, "address unreachable" },
	{ 6, 1, 4, "port unreachable" },
	{ 6, 1, 5, "source address failed the policy" },
	{ 6, 1, 6, "route rejected" },
	{ 6, 3, 0, "hop limit exceeded" },
};

static void say_icmp(const struct telling *t)
{
	const struct lya_finding *f = t->finding;
	unsigned type = f->icmp >> 8, code = f->icmp & 0xff;

	if (!f->answered_by_icmp)
		return;
	for (size_t i = 0; f->n_samples > 0 && i < sizeof(icmp_words) / sizeof(icmp_words[0]);
	     i++) {
		if (icmp_words[i].family == f->samples[0].src.family &&
		    icmp_words[i].type == type && icmp_words[i].code == code) {
			say(t, "; an ICMP error said \"%s\"", icmp_words[i].words);
			return;
		}
	}
	say(t, "; an ICMP error of type %u, code %u came back", type, code);
}

static void say_outcome(const struct telling *t)
{
	const struct lya_finding *f = t->finding;
	bool once = f->flows == 1;

	if (f->refused == 0)
		say(t, once ? "was not answered" : "was never answered");
	else if (f->attempted == 0)
		say(t, once ? "was refused" : "was refused every time");
	else
		say(t, "was refused (%" PRIu64 ") or not answered (%" PRIu64 ")", f->refused,
		    f->attempted);
}

static void say_attempts(const struct telling *t)
{
	const struct lya_finding *f = t->finding;

	say_initiator(t);
	say(t, " tried to reach ");
	say_responder(t);
	say(t, " on ");
	say_ports(t);
	if (f->flows > 1)
		say(t, " %" PRIu64 " times", f->flows);
	say(t, " and ");
	say_outcome(t);
}

void what_blocked(const struct telling *t)
{
	say_attempts(t);
	say_icmp(t);
	say(t, ".");
}

void why_blocked(const struct telling *t)
{
	const struct lya_finding *f = t->finding;

	if (cited(t) != NULL) {
		say(t, "It is documented (");
		say_row(t, f->rules[0]);
		say(t, "), and ");
	}
	say(t, "no attempt between these addresses got through: ");
	if (f->refused == 0)
		say(t, "a firewall drops it, a route is missing on the way there or back, or the "
		       "host is down.");
	else if (f->attempted == 0)
		say(t, "nothing listens on the port, or a firewall rejects it.");
	else
		say(t, "nothing listens on the port, or a firewall rejects or drops it.");
}

void fix_blocked(const struct telling *t)
{
	say(t, "Check that ");
	say_firewall(t);
	say(t, " lets pass what goes ");
	say_way(t);
	say(t, ", that the service listens there, and that a route leads back.");
}

/* sip-one-way: the flows shown are those that failed, or else those of the way that works */

static bool never_tried(const struct telling *t)
{
	return t->finding->through > 0;
}

void what_sip(const struct telling *t)
{
	int64_t seconds = ledger_watched_ns(t->ledger) / LYA_SECOND_NS;

	say(t, "SIP between Edge and internal servers works one way only: ");
	if (!never_tried(t)) {
		say_attempts(t);
		say_icmp(t);
		say(t, ", while the other direction is established.");
		return;
	}
	say_initiator(t);
	say(t, " opens ");
	say_ports(t);
	say(t, " to ");
	say_responder(t);
	say(t,
	    ", but the other direction was never tried in the %" PRId64 " minutes of this audit.",
	    seconds / 60);
}

void why_sip(const struct telling *t)
{
	say(t,
	    "SIP must flow both ways for every Edge service (%s); with one direction missing, "
	    "sign-in from outside, presence or federation fail",
	    t->finding->statement != NULL ? t->finding->statement : "edge document");
	if (never_tried(t))
		say(t, "; it was not blocked here, nothing tried it");
	say(t, ".");
}

void fix_sip(const struct telling *t)
{
	const struct lya_finding *f = t->finding;

	if (never_tried(t)) {
		say(t, "Check that the servers on the side of ");
		say_end_short(t, &f->responder);
		say(t, " are configured to use the side of ");
		say_end_short(t, &f->initiator);
		say(t, " as their next hop, and that ");
		say_firewall(t);
		say(t, " lets ");
		say_ports(t);
		say(t, " pass from ");
		say_end_address(t, &f->responder);
		say(t, " to ");
		say_end_address(t, &f->initiator);
		say(t, " too.");
		return;
	}
	fix_blocked(t);
}

/* missing-flow ---------------------------------------------------------------------------- */

void what_missing(const struct telling *t)
{
	int rule = t->finding->rules[0];

	say(t, "Nothing in this audit tried ");
	say_rule_ports(t, rule);
	say(t, " ");
	say_site_ends(t, rule);
	say(t, ", although both ends were seen.");
}

void why_missing(const struct telling *t)
{
	const struct lya_rule *row = cited(t);

	say(t, "A deployment cannot do without ");
	say_row(t, t->finding->rules[0]);
	if (row->reason[0] != '\0')
		say(t, ": %s", row->reason);
	else
		say(t, ".");
	say(t, " Never tried is not blocked: no packet shows anything in its way.");
}

void fix_missing(const struct telling *t)
{
	say(t, "Check that the capture covers this path and a time of normal use, then that the "
	       "servers and names in DNS that lead to it are configured; the firewall is not "
	       "proven wrong by this.");
}

/* edge-routing ---------------------------------------------------------------------------- */

static const struct lya_finding_end *edge_end(const struct telling *t,
					      const struct lya_finding_end **other)
{
	static const lya_roles edge =
	    LYA_ROLE_BIT(LYA_ROLE_EDGE_ACCESS) | LYA_ROLE_BIT(LYA_ROLE_EDGE_WEBCONF) |
	    LYA_ROLE_BIT(LYA_ROLE_EDGE_AV) | LYA_ROLE_BIT(LYA_ROLE_EDGE_INTERNAL);
	const struct lya_finding *f = t->finding;
	bool opens = f->initiator.role < LYA_ROLES && (LYA_ROLE_BIT(f->initiator.role) & edge) != 0;

	*other = opens ? &f->responder : &f->initiator;
	return opens ? &f->initiator : &f->responder;
}

static bool is_internal_side(const struct lya_finding_end *end)
{
	return end->role == LYA_ROLE_EDGE_INTERNAL;
}

void what_routing(const struct telling *t)
{
	const struct lya_finding_end *other, *edge = edge_end(t, &other);

	say_end(t, edge);
	say(t, " sends from its %s interface to ",
	    is_internal_side(edge) ? "internal" : "external");
	say_end(t, other);
	say(t, is_internal_side(edge) ? ", which is outside." : ", which is inside.");
}

void why_routing(const struct telling *t)
{
	const struct lya_finding_end *other, *edge = edge_end(t, &other);

	if (is_internal_side(edge))
		say(t, "The default gateway of an Edge Server belongs to its external side "
		       "(edge.p.access-vip-gateway); what leaves for the Internet by the internal "
		       "interface shows a default gateway there.");
	else
		say(t, "Every internal network needs a persistent route by the internal interface "
		       "(edge.p.internal-routed); where it is missing, packets follow the default "
		       "gateway outside.");
}

void fix_routing(const struct telling *t)
{
	const struct lya_finding_end *other, *edge = edge_end(t, &other);

	if (is_internal_side(edge)) {
		say(t, "On ");
		say_end_short(t, edge);
		say(t, ", remove the default gateway from the internal interface and keep "
		       "persistent routes to the internal networks only.");
		return;
	}
	say(t, "On ");
	say_end_short(t, edge);
	say(t, ", add a persistent route by the internal interface to the network of ");
	say_end_short(t, other);
	say(t, ".");
}

/* gateway-mismatch ------------------------------------------------------------------------ */

static void say_mac(const struct telling *t, const uint8_t *mac)
{
	say(t, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

void what_gateway(const struct telling *t)
{
	const struct lya_finding_gateway *g = t->finding->gateway;

	say_initiator(t);
	say(t, " sends what is for addresses outside to ");
	say_mac(t, g->sent_to);
	say(t, ", which is not the load balancer with the Access VIP, %s (", g->vip_host);
	say_mac(t, g->vip);
	say(t, ", %s).", g->declared ? "as declared" : "as seen");
}

void why_gateway(const struct telling *t)
{
	say(t, "The documents want the Access VIP as the default gateway of the external "
	       "interfaces (edge.p.access-vip-gateway); answers that pass the load balancer by "
	       "may reach clients from another address than they asked.  A related page names "
	       "the router to the Internet instead, which is why this is a matter of low severity.");
}

void fix_gateway(const struct telling *t)
{
	say(t, "Set the default gateway of the external interfaces of ");
	say_end_short(t, &t->finding->initiator);
	say(t, " to the Access VIP, or lower this finding in the site description where the "
	       "router is meant.");
}

/* edge-private-address -------------------------------------------------------------------- */

void what_private(const struct telling *t)
{
	say_initiator(t);
	say(t, " talks with ");
	say_responder(t);
	say(t, " from a private address.");
}

void why_private(const struct telling *t)
{
	say(t, "For A/V the outer firewall leaves the real public address in place in every packet "
	       "(edge.p.av-firewall-keeps-address), and each external interface and VIP has one "
	       "(edge.p.public-addresses); here something on the way to the Internet translates "
	       "it, and nobody outside can reach candidates made of a private address.");
}

void fix_private(const struct telling *t)
{
	const struct lya_finding_end *edge = &t->finding->initiator;

	say(t, "Give %s", is_balancer_role(edge->role) ? "the A/V VIP on " : "the A/V Edge on ");
	say_end_short(t, edge);
	say(t, " a public address, turn off translation for it in the outer firewall, and publish "
	       "the topology with that address.");
}

/* undeclared-server ----------------------------------------------------------------------- */

void what_undeclared(const struct telling *t)
{
	say_responder(t);
	say(t, is_many(&t->finding->responder) ? " answer " : " answers ");
	say_initiator(t);
	say(t, " on ");
	say_ports(t);
	say(t,
	    " as a server of the deployment does, but the site description does not declare %s.",
	    is_many(&t->finding->responder) ? "them" : "it");
}

void why_undeclared(const struct telling *t)
{
	say(t, "Port and protocol are those of ");
	say_row(t, t->finding->rules[0]);
	say(t, "; a server that is not declared is not judged by the rows of its role.");
}

void fix_undeclared(const struct telling *t)
{
	say(t, "Declare the address with its role in the site description, or find out what "
	       "listens there.");
}
