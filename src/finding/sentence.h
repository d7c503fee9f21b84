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
