/*
 * sentence.c - what is wrong, why it is thought so, and what to change, in
 * words that can be pasted into a firewall ticket.
 *
 * "Attempted and not answered", "never attempted" and "attempted in a way the
 * documents do not allow" are three different things and are worded so.
 */
#include "finding/sentence.h"

#include <inttypes.h>
#include <string.h>

#include "lyncaudit/alloc.h"

static const struct lya_rule *rule_at(const struct telling *t, int rule)
{
	return &t->ledger->rules->list[rule];
}

static bool is_port(const struct telling *t, uint16_t port)
{
	const struct lya_finding *f = t->finding;

	return f->n_ports == 1 && f->ports[0].first == port && f->ports[0].last == port;
}

/* The mix-ups that the field knows: what stands there, what was meant, and what it does. */
static const struct {
	uint16_t seen, meant;
	const char *so;
} mixups[] = {
	{ 443, 4443, "443 is the internal web site; published web services listen on 4443" },
	{ 80, 8080, "80 is the internal web site; published web services listen on 8080" },
	{ 5060, 5061, "5060 is SIP in clear; Lync servers speak SIP over TLS on 5061" },
	{ 4443, 443, "4443 is the published web site; inside, 443 is meant" },
	{ 8080, 80, "8080 is the published web site; inside, 80 is meant" },
	{ 5061, 5060, "5061 is SIP over TLS; here plain SIP on 5060 is documented" },
};

static bool rule_has_port(const struct telling *t, int rule, uint16_t port)
{
	const struct lya_port_range *list;
	size_t n;

	list = lya_policy_ports(t->ledger->policy, (size_t)rule, &n);
	for (size_t i = 0; i < n; i++) {
		if (port >= list[i].first && port <= list[i].last)
			return true;
	}
	return false;
}

static bool same_transport(const struct telling *t, int rule)
{
	uint8_t bit = t->finding->transport == 6 ? LYA_T_TCP : LYA_T_UDP;

	return (rule_at(t, rule)->transports & bit) != 0;
}

enum { MIXUPS = sizeof(mixups) / sizeof(mixups[0]) };

/* The known mix-up that the finding and its rule are; MIXUPS: none. */
static size_t find_mixup(const struct telling *t)
{
	size_t i = 0;

	while (i < MIXUPS && !(is_port(t, mixups[i].seen) &&
			       rule_has_port(t, t->finding->mixup, mixups[i].meant)))
		i++;
	return i;
}

/* "tcp 4443": of a row with several ports the one that was meant. */
static void say_meant(const struct telling *t)
{
	const struct lya_finding *f = t->finding;
	const char *other = f->transport == 6 ? "udp" : "tcp";
	size_t i = find_mixup(t);

	if (!same_transport(t, f->mixup) && f->n_ports == 1 &&
	    rule_has_port(t, f->mixup, f->ports[0].first))
		say(t, "%s %u", other, f->ports[0].first);
	else if (i < MIXUPS)
		say(t, "tcp %u", mixups[i].meant);
	else
		say_rule_ports(t, f->mixup);
}

/* "; probably tcp 4443 was meant, as in row ...: why" */
static void say_mixup(const struct telling *t)
{
	int rule = t->finding->mixup;
	size_t i;

	if (rule < 0)
		return;
	say(t, "; probably ");
	say_meant(t);
	say(t, " was meant, as in ");
	say_row(t, rule);
	i = find_mixup(t);
	if (!same_transport(t, rule))
		say(t, ": the port is right, the transport is not");
	else if (i < MIXUPS)
		say(t, ": %s", mixups[i].so);
}

/* 4443 between a pair that neither of its two kinds of traffic knows. */
static void say_4443(const struct telling *t)
{
	const struct lya_rule *caution;

	if (t->finding->transport != 6 || !is_port(t, 4443) || t->finding->mixup >= 0)
		return;
	caution = lya_rules_find(t->ledger->rules, "rproxy.p.4443-caution");
	if (caution == NULL)
		return;
	say(t,
	    "; 4443 is used for two different things, the reverse proxy towards the pool and the "
	    "Central Management Store towards each Edge Server, and the two are easily mixed up "
	    "(%s)",
	    caution->id);
}

/* The likely row is for the servers behind the VIP: the right service at the wrong address. */
static bool is_for_members(const struct telling *t)
{
	const struct lya_finding *f = t->finding;

	return f->mixup >= 0 && f->but == LYA_BUT_RESPONDER && f->n_ports == 1;
}

/* The end that a strict reading's list leaves out, or NULL: it is not that. */
static const struct lya_finding_end *find_unlisted(const struct telling *t,
						   const struct lya_row_end **list)
{
	const struct lya_finding *f = t->finding;
	const struct lya_finding_end *end;

	if (!lya_policy_is_strict(t->ledger->policy) || f->nearest < 0 || f->mixup >= 0 ||
	    f->n_ports != 1)
		return NULL;
	if (f->but == LYA_BUT_INITIATOR) {
		*list = &rule_at(t, f->nearest)->from;
		end = &f->initiator;
	} else if (f->but == LYA_BUT_RESPONDER) {
		*list = &rule_at(t, f->nearest)->to;
		end = &f->responder;
	} else {
		return NULL;
	}
	return (*list)->strict != 0 && end->role < LYA_ROLES &&
			       ((*list)->roles & LYA_ROLE_BIT(end->role)) != 0
		   ? end
		   : NULL;
}

/* "row ... allows this only from A or B, and X is none of them" */
static void say_unlisted(const struct telling *t)
{
	const struct lya_row_end *list = NULL;
	const struct lya_finding_end *end = find_unlisted(t, &list);

	say_row(t, t->finding->nearest);
	say(t, ", allows this only %s ", t->finding->but == LYA_BUT_INITIATOR ? "from" : "to");
	say_row_end(t, list);
	say(t, " (--strict), and ");
	say_end_short(t, end);
	say(t, is_many(end) ? " are none of these" : " is none of these");
}

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

static void say_expired(const struct telling *t)
{
	const struct lya_finding *f = t->finding;

	if (f->exception < 0)
		return;
	say(t, "; ");
	say_exception(t, f->exception);
	say(t, " would have waived it, but ended on %s",
	    t->ledger->site->exceptions[f->exception].expires);
}

/* Who began is not certain: that belongs to the reason. */
static void say_doubt(const struct telling *t)
{
	if (t->finding->has_basis && t->finding->grade == LYA_GRADE_HINT)
		say(t, "; who opened it is a guess (%s), since the capture shows no beginning",
		    lya_basis_name(t->finding->basis));
}

static void end_sentence(const struct telling *t)
{
	say(t, ".");
}

static bool got_through(const struct telling *t)
{
	return t->finding->through > 0;
}

static void say_unanswered(const struct telling *t)
{
	const struct lya_finding *f = t->finding;

	if (got_through(t))
		return;
	if (f->attempted == 0)
		say(t, " (%s refused)", f->flows == 1 ? "the attempt was" : "every attempt was");
	else if (f->refused == 0)
		say(t, " (%s)", f->flows == 1 ? "not answered" : "never answered");
	else
		say(t, " (never answered or refused)");
}

/* what --------------------------------------------------------------------------------- */

static void what_wrong_direction(const struct telling *t)
{
	say_initiator(t);
	if (t->finding->source_port) {
		say(t, "%s from its service port ",
		    got_through(t) ? " opened flows" : " tried to open flows");
		say_ports(t);
		say(t, " to ");
		say_responder(t);
	} else {
		say(t, got_through(t) ? " opened " : " tried to open ");
		say_ports(t);
		say(t, " to ");
		say_responder(t);
	}
	say_unanswered(t);
	say(t, ", the wrong way round.");
}

static void what_flow(const struct telling *t)
{
	say_initiator(t);
	say(t, got_through(t) ? " reached " : " tried to reach ");
	say_responder(t);
	say(t, " on ");
	say_ports(t);
	say_unanswered(t);
}

static void what_unexpected_port(const struct telling *t)
{
	what_flow(t);
	say(t, ", which is not among the ports documented between these roles.");
}

static void what_undocumented_path(const struct telling *t)
{
	what_flow(t);
	say(t, ", although no document lets these roles talk in this direction.");
}

static void what_wrong_lb(const struct telling *t)
{
	what_flow(t);
	say(t, ", a port that this VIP does not serve with the site's load balancing.");
}

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

static void what_snat(const struct telling *t)
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

static void what_relay(const struct telling *t)
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

static void what_feature(const struct telling *t)
{
	const struct lya_finding *f = t->finding;
	int feature = f->n_rules > 0 ? rule_at(t, f->rules[0])->feature : -1;

	what_flow(t);
	say(t, ", which only the feature \"%s\" needs, and the site does not list it.",
	    feature >= 0 ? lya_feature_name((enum lya_feature)feature) : "?");
}

/* Names as people write them; the flow log's name is in the report's "spoken". */
static const char *app_word(enum lya_app app)
{
	static const char *const words[LYA_APP_COUNT] = {
		[LYA_APP_NONE] = "nothing",
		[LYA_APP_UNKNOWN] = "an unknown protocol",
		[LYA_APP_TLS] = "real TLS",
		[LYA_APP_PSEUDO_TLS] = "the imitated TLS of MS-TURN",
		[LYA_APP_STUN] = "STUN",
		[LYA_APP_MSTURN] = "MS-TURN",
		[LYA_APP_RTP] = "RTP",
		[LYA_APP_RTCP] = "RTCP",
		[LYA_APP_SIP] = "SIP",
		[LYA_APP_HTTP] = "HTTP",
		[LYA_APP_DNS] = "DNS",
		[LYA_APP_DHCP] = "DHCP",
		[LYA_APP_XMPP] = "XMPP",
		[LYA_APP_DCERPC] = "DCE/RPC",
		[LYA_APP_SMB] = "SMB",
		[LYA_APP_SSRP] = "SQL Browser",
		[LYA_APP_TDS] = "SQL Server (TDS)",
		[LYA_APP_RDP] = "Remote Desktop (RDP)",
		[LYA_APP_SSH] = "SSH",
		[LYA_APP_DTLS] = "DTLS",
	};

	return app < LYA_APP_COUNT ? words[app] : "?";
}

static const char *row_app_word(enum lya_row_app app)
{
	static const char *const words[LYA_ROW_APPS] = {
		[LYA_ROW_SIP_TLS] = "SIP in TLS",
		[LYA_ROW_SIP_MTLS] = "SIP in mutual TLS",
		[LYA_ROW_SIP] = "SIP",
		[LYA_ROW_HTTPS] = "HTTPS",
		[LYA_ROW_HTTP] = "HTTP",
		[LYA_ROW_PSOM_TLS] = "PSOM in TLS",
		[LYA_ROW_PSOM_MTLS] = "PSOM in mutual TLS",
		[LYA_ROW_STUN] = "STUN and MS-TURN",
		[LYA_ROW_RTP] = "media (RTP)",
		[LYA_ROW_DNS] = "DNS",
		[LYA_ROW_XMPP] = "XMPP",
		[LYA_ROW_XMPP_MTLS] = "XMPP in mutual TLS",
		[LYA_ROW_MTLS] = "mutual TLS",
		[LYA_ROW_TLS] = "TLS",
		[LYA_ROW_DCOM_RPC] = "DCOM and RPC",
		[LYA_ROW_SMB] = "SMB",
		[LYA_ROW_SSRP] = "SQL Browser",
		[LYA_ROW_DHCP] = "DHCP",
		[LYA_ROW_WCF_TLS] = "WCF in TLS",
		[LYA_ROW_FILE_TRANSFER] = "file transfer",
		[LYA_ROW_TCP] = "TCP",
		[LYA_ROW_UDP] = "UDP",
	};

	return words[app];
}

/*
 * The same of a row as it holds for this opener: one listener serves servers and clients, and
 * of clients no certificate is asked (a balancer's leg carries whoever the client is).
 */
static const char *wanted_word(const struct telling *t, enum lya_row_app app)
{
	enum lya_role role = t->finding->initiator.role;
	bool server = role < LYA_ROLES_DECLARED && !is_balancer_role(role);

	if (server)
		return row_app_word(app);
	switch (app) {
	case LYA_ROW_SIP_MTLS:
		return row_app_word(LYA_ROW_SIP_TLS);
	case LYA_ROW_PSOM_MTLS:
		return row_app_word(LYA_ROW_PSOM_TLS);
	case LYA_ROW_XMPP_MTLS:
		return "XMPP in TLS";
	case LYA_ROW_MTLS:
		return row_app_word(LYA_ROW_TLS);
	default:
		return row_app_word(app);
	}
}

/* "SIP", "SIP and HTTP" */
static void say_spoken(const struct telling *t)
{
	uint32_t left = t->finding->spoken;
	bool first = true;

	for (unsigned app = 0; left != 0; app++, left >>= 1) {
		if (!(left & 1))
			continue;
		say(t, "%s%s",
		    first       ? ""
		    : left == 1 ? " and "
				: ", ",
		    app_word((enum lya_app)app));
		first = false;
	}
}

/* " (first bytes 49 4e 56 49)": no other payload ever leaves. */
static void say_prefix(const struct telling *t)
{
	const struct lya_finding *f = t->finding;

	for (size_t i = 0; i < f->prefix_len; i++)
		say(t, "%s%02x", i == 0 ? " (first bytes " : " ", f->prefix[i]);
	if (f->prefix_len > 0)
		say(t, ")");
}

static void what_cleartext(const struct telling *t)
{
	what_flow(t);
	say(t, " and spoke ");
	say_spoken(t);
	say(t, " in clear, where TLS is documented.");
}

/* "media (RTP) or file transfer": what the cited rows document, each once. */
static void say_documented_apps(const struct telling *t)
{
	const struct lya_finding *f = t->finding;
	uint32_t said = 0;

	for (size_t i = 0; i < f->n_rules; i++) {
		const struct lya_rule *rule = rule_at(t, f->rules[i]);

		if (rule->statement || (said & UINT32_C(1) << rule->app) != 0)
			continue;
		say(t, "%s%s", said != 0 ? " or " : "",
		    wanted_word(t, (enum lya_row_app)rule->app));
		said |= UINT32_C(1) << rule->app;
	}
}

static void what_mismatch(const struct telling *t)
{
	what_flow(t);
	say(t, " and spoke ");
	say_spoken(t);
	say_prefix(t);
	say(t, ", where ");
	say_documented_apps(t);
	say(t, " is documented.");
}

static void what_missing_mutual(const struct telling *t)
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

static void what_identity(const struct telling *t)
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

static void what_ice(const struct telling *t)
{
	say_initiator(t);
	say(t, " sent ICE connectivity checks to ");
	say_responder(t);
	say(t, " on ");
	say_ports(t);
	say_unanswered(t);
	say(t, ", and nothing else.");
}

static const struct lya_exception *exception_of(const struct telling *t)
{
	return &t->ledger->site->exceptions[t->finding->exception];
}

static void what_expired(const struct telling *t)
{
	say(t, "%" PRIu64 " flow%s would still need ", t->finding->flows,
	    t->finding->flows == 1 ? "" : "s");
	say_exception(t, t->finding->exception);
	say(t, ", which ended on %s.", exception_of(t)->expires);
}

static void what_expiring(const struct telling *t)
{
	int64_t days = 0;

	(void)deployment_days_left(t->ledger->site, exception_of(t), t->ledger->end.last_ns,
				   &days);
	say(t, "The ");
	say_exception(t, t->finding->exception);
	if (days == 0)
		say(t, " ends today, %s.", exception_of(t)->expires);
	else
		say(t, " ends in %" PRId64 " day%s, on %s.", days, days == 1 ? "" : "s",
		    exception_of(t)->expires);
}

static void what_unused(const struct telling *t)
{
	say(t, "No flow of this audit needed ");
	say_exception(t, t->finding->exception);
	end_sentence(t);
}

/* why ---------------------------------------------------------------------------------- */

static void why_nearest(const struct telling *t)
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

/* The load balancing of the site leaves the likely row out for this VIP. */
static bool is_left_out(const struct telling *t)
{
	enum lya_role vip = t->finding->responder.role;
	lya_roles from, to;

	if (t->finding->mixup < 0 || vip >= LYA_ROLES)
		return false;
	lya_policy_rule_ends(t->ledger->policy, (size_t)t->finding->mixup, &from, &to);
	return (LYA_ROLE_BIT(vip) & LYA_ROLES_VIPS) != 0 && (to & LYA_ROLE_BIT(vip)) == 0;
}

static void why_unexpected_port(const struct telling *t)
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
static void why_wrong_lb(const struct telling *t)
{
	if (t->finding->but == LYA_BUT_MODE)
		why_nearest(t);
	else
		why_unexpected_port(t);
}

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

static void why_relay(const struct telling *t)
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

static void why_snat(const struct telling *t)
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

static void why_feature(const struct telling *t)
{
	const struct lya_finding *f = t->finding;

	say(t, "It matches ");
	for (size_t i = 0; i < f->n_rules; i++) {
		say(t, "%s", i > 0 ? ", " : "");
		say_row(t, f->rules[i]);
	}
	say(t, ", and nothing else documents it.");
}

/* "It matches row ... and row ...", whose service it is not. */
static void say_matches(const struct telling *t)
{
	const struct lya_finding *f = t->finding;
	bool first = true;

	say(t, "It matches ");
	for (size_t i = 0; i < f->n_rules; i++) {
		const struct lya_rule *rule = rule_at(t, f->rules[i]);

		if (rule->statement)
			continue;
		say(t, "%s", first ? "" : ", ");
		say_row(t, f->rules[i]);
		say(t, " for %s", wanted_word(t, (enum lya_row_app)rule->app));
		first = false;
	}
}

static void why_cleartext(const struct telling *t)
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

static void why_mismatch(const struct telling *t)
{
	say_matches(t);
	say_usual_reason(t);
	end_sentence(t);
}

static void why_missing_mutual(const struct telling *t)
{
	say_matches(t);
	say(t, "; between servers both ends prove who they are, or whoever reaches the port may "
	       "pose as one of them.");
}

static void why_identity(const struct telling *t)
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

static void why_ice(const struct telling *t)
{
	say(t, "Before every call both ends try all pairs of their addresses with STUN Binding "
	       "requests, and the pairs that no row allows are expected to fail");
	say_expired(t);
	end_sentence(t);
}

static void why_expired(const struct telling *t)
{
	say(t,
	    "After its last day an exception waives nothing: the flows are judged like any other, "
	    "and have findings of their own.");
}

static void why_expiring(const struct telling *t)
{
	int64_t used = 0;

	used = (int64_t)t->ledger->waived[t->finding->exception];
	if (used == 0)
		say(t, "Nothing in this audit needed it, so it may simply end.");
	else
		say(t,
		    "It waived %" PRId64 " flow%s of this audit; from the day after they will be "
		    "findings.",
		    used, used == 1 ? "" : "s");
}

static void why_unused(const struct telling *t)
{
	say(t, "An exception that nothing needs is an opening that nobody watches%s.",
	    exception_of(t)->has_expiry ? "" : ", and this one has no last day");
}

/* fix ---------------------------------------------------------------------------------- */

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

static void fix_wrong_direction(const struct telling *t)
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

/* A stranger cannot be asked what it is doing; the firewall can be closed. */
static bool is_stranger(const struct lya_finding_end *end)
{
	return end->host == NULL && end->role == LYA_ROLE_EXTERNAL;
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

static void fix_unexpected_port(const struct telling *t)
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

static void fix_undocumented_path(const struct telling *t)
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

static void fix_wrong_lb(const struct telling *t)
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
static void fix_snat(const struct telling *t)
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

static void fix_relay(const struct telling *t)
{
	say(t, "In the topology, give the A/V Edge service the public address and the relay ports "
	       "that the site description has for it (where it is translated, its translated "
	       "address), and publish it again.");
}

static void fix_feature(const struct telling *t)
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

static void fix_cleartext(const struct telling *t)
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

static void fix_mismatch(const struct telling *t)
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

static void fix_missing_mutual(const struct telling *t)
{
	say(t, "Check that a certificate that the other end trusts is assigned on ");
	say_end_short(t, &t->finding->initiator);
	say(t, ", that mutual TLS is required on ");
	say_ports(t);
	say(t, " of ");
	say_servers(t);
	say(t, ", and that no device between the two ends the TLS connection.");
}

static void fix_identity(const struct telling *t)
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

static void fix_ice(const struct telling *t)
{
	say(t, "Nothing needs to change; keep the way closed, and look at it again only if calls "
	       "between these two have no sound.");
}

static void fix_expired(const struct telling *t)
{
	say(t, "Stop the traffic, or have the exception %s renewed", exception_of(t)->id);
	if (exception_of(t)->owner != NULL)
		say(t, " by its owner (%s)", exception_of(t)->owner);
	end_sentence(t);
}

static void fix_unused(const struct telling *t)
{
	say(t,
	    "Delete %s from the site description, and the opening in the firewall, once a capture "
	    "of a typical week shows no use either.",
	    exception_of(t)->id);
}

/* -------------------------------------------------------------------------------------- */

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
