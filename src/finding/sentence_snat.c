/*
 * sentence_snat.c - the words for rewritten addresses in front of the A/V Edge, and for relay
 * addresses that nobody can reach.
 */
#include "finding/sentence.h"

/* what --------------------------------------------------------------------------- */

/* "198.51.100.2 port 4000" */
static void say_socket(const struct telling *t, const struct lya_addr *addr, uint16_t port)
{
	char text[LYA_ADDR_TEXT];

	say(t, "%s port %u", lya_addr_format(addr, text), port);
}

static void what_sticky(const struct telling *t)
{
	say(t, "After an allocation media of ");
	say_initiator(t);
	say(t, " go on through ");
	say_responder(t);
	say(t, " on ");
	say_ports(t);
	say(t, " instead of to the A/V Edge's own address (%s).", t->finding->level);
}

static void what_mapped(const struct telling *t)
{
	const struct lya_snat_proof *p = t->finding->snat;

	say(t, "Addresses are rewritten in front of the A/V Edge: to ");
	say_socket(t, &p->legs[0].client, p->legs[0].client_port);
	say(t, " the answer on ");
	say_ports(t);
	say(t, " of ");
	say_responder(t);
	say(t, " says that the request came from ");
	say_socket(t, &p->mapped.addr, p->mapped.port);
	say(t, " (%s).", t->finding->level);
}

static void what_reply(const struct telling *t)
{
	const struct lya_snat_proof *p = t->finding->snat;

	say(t, "The load balancer rewrites addresses in front of the A/V Edge: %s to ",
	    p->key == LYA_SNAT_BY_ID ? "the answer to a request to the server itself goes"
				     : "media from its relay ports go");
	say_socket(t, &p->legs[0].client, p->legs[0].client_port);
	say(t, " with the VIP as source, ");
	say_socket(t, &p->legs[p->n_legs - 1].server, p->legs[p->n_legs - 1].server_port);
	say(t, " (%s).", t->finding->level);
}

void what_snat(const struct telling *t)
{
	const struct lya_finding *f = t->finding;

	switch (f->snat != NULL ? f->snat->kind : 0) {
	case LYA_SNAT_MAPPED_ADDRESS:
		what_mapped(t);
		return;
	case LYA_SNAT_REPLY_FROM_VIP:
		what_reply(t);
		return;
	case LYA_SNAT_STICKY_VIP:
		what_sticky(t);
		return;
	default:
		break;
	}
	say(t, "The load balancer rewrites addresses in front of the A/V Edge: ");
	say_responder(t);
	say(t, " is reached on ");
	say_ports(t);
	say(t, " from ");
	say_initiator(t);
	say(t, " instead of from the client's own address (%s).", f->level);
}

void what_relay(const struct telling *t)
{
	const struct lya_snat_relay *r = t->finding->relay;
	bool relay = (r->faults & (LYA_RELAY_ADDRESS | LYA_RELAY_PORT)) != 0;

	say(t, "The A/V Edge answers an allocation on ");
	say_ports(t);
	say(t, " of ");
	say_responder(t);
	if (relay) {
		say(t, " with the relay address ");
		say_socket(t, &r->relay.addr, r->relay.port);
	}
	if ((r->faults & LYA_RELAY_ALTERNATE) != 0) {
		say(t, relay ? ", and" : "");
		say(t, " with the alternate server ");
		say_socket(t, &r->alternate.addr, r->alternate.port);
		say(t, ", a VIP");
	}
	end_sentence(t);
}

/* why ---------------------------------------------------------------------------- */

static void say_leg(const struct telling *t, const struct lya_snat_leg *leg)
{
	char when[LYA_TIME_TEXT];

	say_socket(t, &leg->client, leg->client_port);
	say(t, " to ");
	say_socket(t, &leg->server, leg->server_port);
	say(t, " at %s", lya_time_format(leg->time_ns, leg->digits, when));
}

/* "; the transaction 0102... went from ... to ... at ..., and from ... to ... at ..." */
static void say_proof(const struct telling *t)
{
	static const char *const keys[] = {
		[LYA_SNAT_BY_NOTHING] = "the flow",
		[LYA_SNAT_BY_ID] = "the transaction ",
		[LYA_SNAT_BY_ISN] = "the TCP connection with the initial sequence number ",
		[LYA_SNAT_BY_RANDOM] = "the connection with the ClientHello random ",
	};
	const struct lya_snat_proof *p = t->finding->snat;

	if (p == NULL || p->n_legs == 0)
		return;
	say(t, "; %s", keys[p->key]);
	for (size_t i = 0; i < p->value_len; i++)
		say(t, "%02x", p->value[i]);
	say(t, " went from ");
	say_leg(t, &p->legs[0]);
	if (p->n_legs < 2)
		return;
	say(t, p->kind == LYA_SNAT_REPLY_FROM_VIP ? ", and was answered from " : ", and from ");
	if (p->kind != LYA_SNAT_REPLY_FROM_VIP) {
		say_leg(t, &p->legs[1]);
	} else {
		char when[LYA_TIME_TEXT];

		say_socket(t, &p->legs[1].server, p->legs[1].server_port);
		say(t, " at %s", lya_time_format(p->legs[1].time_ns, p->legs[1].digits, when));
	}
}

void why_relay(const struct telling *t)
{
	const struct lya_snat_relay *r = t->finding->relay;
	const char *join = "";
	char when[LYA_TIME_TEXT];

	if ((r->faults & LYA_RELAY_ADDRESS) != 0) {
		say(t, lya_addr_is_private(&r->relay.addr)
			   ? "The relay address is private"
			   : "The relay address is no A/V Edge address of the site description");
		join = "; ";
	}
	if ((r->faults & LYA_RELAY_PORT) != 0) {
		say(t, "%s%s relay port is none of those that the documents give the A/V Edge",
		    join, join[0] != '\0' ? "its" : "The");
		join = "; ";
	}
	if ((r->faults & LYA_RELAY_ALTERNATE) != 0)
		say(t, "%s%s server must name its real address, not the VIP", join,
		    join[0] != '\0' ? "the" : "The");
	say(t, "; candidates made of this cannot be reached (transaction ");
	for (size_t i = 0; i < sizeof(r->id); i++)
		say(t, "%02x", r->id[i]);
	say(t, " at %s).", lya_time_format(r->leg.time_ns, r->leg.digits, when));
}

static void why_sticky(const struct telling *t)
{
	say(t, "Once established, A/V traffic goes between the client and the real server and not "
	       "through the load balancer (edge.p.av-client-to-server)");
	say_proof(t);
	end_sentence(t);
}

void why_snat(const struct telling *t)
{
	if (t->finding->snat_kinds == LYA_SNAT_STICKY_VIP) {
		why_sticky(t);
		return;
	}
	say(t, "The documents forbid source translation for the A/V Edge (edge.p.av-no-snat): the "
	       "server must see each client's real address, or it hands out candidates that nobody "
	       "can reach and calls have one-way audio or none");
	say_proof(t);
	say_expired(t);
	end_sentence(t);
}

/* fix ---------------------------------------------------------------------------- */

static void fix_sticky(const struct telling *t)
{
	bool inside = is_inside(t);

	say(t, "Let %sclients reach each %s's own %saddress on ", inside ? "internal " : "",
	    inside ? "Edge Server" : "A/V Edge Server", inside ? "internal " : "");
	say_ports(t);
	say(t, " in ");
	say_firewall(t);
	say(t, ", and check that the server names it, and not the VIP, in its answers.");
}

/* Outside the balancer is the gateway; inside routes lead to it (edge.p.internal-routed). */
void fix_snat(const struct telling *t)
{
	if (t->finding->snat_kinds == LYA_SNAT_STICKY_VIP) {
		fix_sticky(t);
		return;
	}
	say(t, "On ");
	say_balancer(t);
	say(t, ", turn off source translation (SNAT, \"non-transparent\" mode) for the A/V service "
	       "on ");
	say_ports(t);
	say(t, is_inside(t) ? ", and on each Edge Server route the internal client networks through "
			    : ", and make ");
	say_balancer(t);
	say(t, is_inside(t) ? " by persistent routes, so that answers pass it."
			    : " the gateway of the A/V Edge, so that answers pass it.");
}

void fix_relay(const struct telling *t)
{
	say(t, "In the topology, give the A/V Edge service the public address and the relay ports "
	       "that the site description has for it (where it is translated, its translated "
	       "address), and publish it again.");
}
