/*
 * meant.c - what was probably meant: the mix-ups that the field knows, and ends that a row
 * leaves out.
 */
#include "finding/sentence.h"

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

enum { MIXUPS = sizeof(mixups) / sizeof(mixups[0]) };

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
void say_meant(const struct telling *t)
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
void say_mixup(const struct telling *t)
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
void say_4443(const struct telling *t)
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
bool is_for_members(const struct telling *t)
{
	const struct lya_finding *f = t->finding;

	return f->mixup >= 0 && f->but == LYA_BUT_RESPONDER && f->n_ports == 1;
}

/* The end that a strict reading's list leaves out, or NULL: it is not that. */
const struct lya_finding_end *find_unlisted(const struct telling *t,
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
void say_unlisted(const struct telling *t)
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

/* The load balancing of the site leaves the likely row out for this VIP. */
bool is_left_out(const struct telling *t)
{
	enum lya_role vip = t->finding->responder.role;
	lya_roles from, to;

	if (t->finding->mixup < 0 || vip >= LYA_ROLES)
		return false;
	lya_policy_rule_ends(t->ledger->policy, (size_t)t->finding->mixup, &from, &to);
	return (LYA_ROLE_BIT(vip) & LYA_ROLES_VIPS) != 0 && (to & LYA_ROLE_BIT(vip)) == 0;
}
