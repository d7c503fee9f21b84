/*
 * unread.c - the audit, but that it looks at no payload: what looking costs.
 *
 * The program's own sources and the library, linked so that what would read payload does
 * not.  A packet whose payload would be inspected marks its flow as one of which all is
 * known; nobody looks for addresses that were rewritten.  All else stays, even the question
 * whether a packet has to be inspected.
 */
#include "flow/table.h"
#include "lyncaudit/snat.h"

void __wrap_flow_inspect_drain(struct lya_flow_table *t);
void __wrap_lya_snat_packets(struct lya_snat *s, struct lya_packet *pkts, size_t n);

void __wrap_flow_inspect_drain(struct lya_flow_table *t)
{
	struct flow_dues *due = &t->inspect.due;

	for (unsigned i = 0; i < due->n; i++)
		flow_set(flow_hot_at(t, due->list[i].flow), FLOW_INSPECTED);
	due->n = 0;
}

void __wrap_lya_snat_packets(struct lya_snat *s, struct lya_packet *pkts, size_t n)
{
	(void)s;
	(void)pkts;
	(void)n;
}
