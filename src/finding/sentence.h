/*
 * sentence.h - the phrases that findings are written with.
 */
#ifndef LYNCAUDIT_SRC_SENTENCE_H
#define LYNCAUDIT_SRC_SENTENCE_H

#include "finding/ledger.h"

/* One finding being put into words. */
struct telling {
	const struct lya_ledger *ledger;
	const struct lya_finding *finding;
	struct lya_text *text;
};

void say(const struct telling *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* "fe01 (front-end, 10.2.0.11)", "203.0.113.9 (external)", "37 external addresses (...)" */
void say_end(const struct telling *t, const struct lya_finding_end *end);
void say_initiator(const struct telling *t);
void say_responder(const struct telling *t);
/* The short form for orders: "fe01", "203.0.113.9", "these external addresses". */
void say_end_short(const struct telling *t, const struct lya_finding_end *end);
/* "tcp 443", "37 tcp ports (1-20, 1433, ...)" */
void say_ports(const struct telling *t);
/* "tcp 4443", from a rule as it is in force here */
void say_rule_ports(const struct telling *t, int rule);
/* "row edge.3.4 of the edge document, table 3 (title)", and why its port was moved */
void say_row(const struct telling *t, int rule);
/* "from any address to edge-access-vip": the ends as the row writes them, strict or not */
void say_row_ends(const struct telling *t, int rule);
/* The same in the roles that the site has. */
void say_site_ends(const struct telling *t, int rule);
/* "front-end or central-management": one end of it */
void say_row_end(const struct telling *t, const struct lya_row_end *end);
/* "EX-7 (reason; owner dba)" */
void say_exception(const struct telling *t, int exception);

const struct lya_rule *rule_at(const struct telling *t, int rule);
void end_sentence(const struct telling *t);
/* One of the flows got an answer. */
bool got_through(const struct telling *t);
/* " (never answered)", " (every attempt was refused)"; nothing where one got through */
void say_unanswered(const struct telling *t);
/* "fe01 (...) reached 10.9.0.20 (...) on tcp 1433": how many sentences begin */
void what_flow(const struct telling *t);
/* "; exception EX-7 (...) would have waived it, but ended on 2026-11-20" */
void say_expired(const struct telling *t);
/* A stranger cannot be asked what it is doing; the firewall can be closed. */
bool is_stranger(const struct lya_finding_end *end);

/* meant.c: what was probably meant */
/* "tcp 4443": of a row with several ports the one that was meant. */
void say_meant(const struct telling *t);
/* "; probably tcp 4443 was meant, as in row ...: why" */
void say_mixup(const struct telling *t);
/* 4443 between a pair that neither of its two kinds of traffic knows. */
void say_4443(const struct telling *t);
/* The likely row is for the servers behind the VIP: the right service at the wrong address. */
bool is_for_members(const struct telling *t);
/* The end that a strict reading's list leaves out, or NULL: it is not that. */
const struct lya_finding_end *find_unlisted(const struct telling *t,
					    const struct lya_row_end **list);
/* "row ... allows this only from A or B, and X is none of them" */
void say_unlisted(const struct telling *t);
/* The load balancing of the site leaves the likely row out for this VIP. */
bool is_left_out(const struct telling *t);

/* spoken.c: protocols */
/* "SIP", "SIP and HTTP" */
void say_spoken(const struct telling *t);
/* " (first bytes 49 4e 56 49)": no other payload ever leaves. */
void say_prefix(const struct telling *t);
/* "media (RTP) or file transfer": what the cited rows document, each once. */
void say_documented_apps(const struct telling *t);
/* "It matches row ... and row ...", whose service it is not. */
void say_matches(const struct telling *t);

/* where.c: what an order needs to be carried out */
/* "the outer firewall", "the inner firewall", "any firewall between the two" */
void say_firewall(const struct telling *t);
/* "from fe02 (10.2.0.12) to 192.0.2.80 (tcp 443)": what a firewall rule is written for */
void say_way(const struct telling *t);
/* "fe02 (10.2.0.12)": the short form with the address, where there is one */
void say_end_address(const struct telling *t, const struct lya_finding_end *end);
/* The load balancer that is an end, or stands before one; "the load balancer" where several do. */
void say_balancer(const struct telling *t);
/* A load balancer's own address, or a VIP. */
bool is_balancer_role(enum lya_role role);
/* One end is on the internal side of the Edge or of the reverse proxy. */
bool is_inside(const struct telling *t);
/* The end is several addresses: "these external addresses are". */
bool is_many(const struct lya_finding_end *end);

/* sentence_flow.c, sentence_flow_fix.c */
void what_wrong_direction(const struct telling *t);
void what_unexpected_port(const struct telling *t);
void what_undocumented_path(const struct telling *t);
void what_wrong_lb(const struct telling *t);
void what_feature(const struct telling *t);
void why_nearest(const struct telling *t);
void why_unexpected_port(const struct telling *t);
void why_wrong_lb(const struct telling *t);
void why_feature(const struct telling *t);
void fix_wrong_direction(const struct telling *t);
void fix_unexpected_port(const struct telling *t);
void fix_undocumented_path(const struct telling *t);
void fix_wrong_lb(const struct telling *t);
void fix_feature(const struct telling *t);

/* sentence_snat.c */
void what_snat(const struct telling *t);
void what_relay(const struct telling *t);
void why_snat(const struct telling *t);
void why_relay(const struct telling *t);
void fix_snat(const struct telling *t);
void fix_relay(const struct telling *t);

/* sentence_payload.c */
void what_cleartext(const struct telling *t);
void what_mismatch(const struct telling *t);
void what_missing_mutual(const struct telling *t);
void what_identity(const struct telling *t);
void what_ice(const struct telling *t);
void why_cleartext(const struct telling *t);
void why_mismatch(const struct telling *t);
void why_missing_mutual(const struct telling *t);
void why_identity(const struct telling *t);
void why_ice(const struct telling *t);
void fix_cleartext(const struct telling *t);
void fix_mismatch(const struct telling *t);
void fix_missing_mutual(const struct telling *t);
void fix_identity(const struct telling *t);
void fix_ice(const struct telling *t);

/* sentence_exception.c */
void what_expired(const struct telling *t);
void what_expiring(const struct telling *t);
void what_unused(const struct telling *t);
void why_expired(const struct telling *t);
void why_expiring(const struct telling *t);
void why_unused(const struct telling *t);
void fix_expired(const struct telling *t);
void fix_unused(const struct telling *t);

/* sentence_overall.c: what, why and fix of the types that all flows together make */
void what_blocked(const struct telling *t);
void why_blocked(const struct telling *t);
void fix_blocked(const struct telling *t);
void what_sip(const struct telling *t);
void why_sip(const struct telling *t);
void fix_sip(const struct telling *t);
void what_missing(const struct telling *t);
void why_missing(const struct telling *t);
void fix_missing(const struct telling *t);
void what_gateway(const struct telling *t);
void why_gateway(const struct telling *t);
void fix_gateway(const struct telling *t);
void what_routing(const struct telling *t);
void why_routing(const struct telling *t);
void fix_routing(const struct telling *t);
void what_private(const struct telling *t);
void why_private(const struct telling *t);
void fix_private(const struct telling *t);
void what_undeclared(const struct telling *t);
void why_undeclared(const struct telling *t);
void fix_undeclared(const struct telling *t);

#endif
