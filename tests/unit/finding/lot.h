/*
 * lot.h - a varied lot of flows, and everything that a ledger says of them as text.
 */
#ifndef TESTS_FINDING_LOT_H
#define TESTS_FINDING_LOT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "world.h"

/* A varied lot: many ends, ports, states and times. */
enum { LOT = 4000 };

static inline void make_lot(struct lya_flow *lot)
{
	static const char *const from[] = { "10.1.0.41", "10.2.0.11",    "10.2.0.12",   "10.1.0.21",
					    "10.20.1.1", "203.0.113.99", "198.51.100.2" };
	static const char *const to[] = { "10.2.0.11",     "10.1.0.11",     "10.1.0.21",
					  "198.51.100.23", "198.51.100.11", "10.9.0.20",
					  "10.2.1.20",     "10.2.0.20" };
	static const uint16_t ports[] = { 443, 4443, 80, 5061, 5060, 1433, 3478, 10050, 8057 };
	uint32_t seed = 12345;

	for (size_t i = 0; i < LOT; i++) {
		uint16_t port;
		char addr[32];
		const char *src;

		seed = seed * 1664525 + 1013904223;
		port = seed >> 30 == 0 ? (uint16_t)(seed >> 12 & 0x3ff) : ports[(seed >> 8) % 9];
		src = from[(seed >> 16) % 7];
		if (seed >> 29 == 7) {
			(void)snprintf(addr, sizeof(addr), "192.0.%u.%u", seed >> 20 & 3,
				       seed >> 12 & 255);
			src = addr;
		}
		lot[i] =
		    world_flow(src, (uint16_t)(30000 + i), to[(seed >> 20) % 8], port,
			       seed >> 28 & 1 ? 17 : 6,
			       (enum lya_flow_state)(seed >> 28 & 1 ? 0 : 1 + (seed >> 24) % 5));
		lot[i].first_ns += (int64_t)(seed >> 10) * 1000;
		lot[i].last_ns = lot[i].first_ns + LYA_SECOND_NS;
		lot[i].source = seed >> 9 & 1;
		lot[i].number = i;
	}
}

static inline void put_end(struct lya_text *t, const struct lya_finding_end *end)
{
	lya_text_addf(t, " %d %s %u/%u", (int)end->role, end->host != NULL ? end->host : "-",
		      end->address.bytes[2], end->address.bytes[3]);
	for (size_t i = 0; i < end->n_busiest; i++)
		lya_text_addf(t, " %u.%u:%u", end->busiest[i].addr.bytes[2],
			      end->busiest[i].addr.bytes[3], (unsigned)end->busiest[i].flows);
	lya_text_addf(t, " of %u", (unsigned)end->distinct);
}

static inline void put_edge(struct lya_text *t, const struct lya_ledger *l)
{
	size_t n;
	const struct lya_edge_pool *pools = lya_ledger_edge_pools(l, &n);
	const struct lya_edge_stray *strays;

	for (size_t i = 0; i < n; i++) {
		lya_text_addf(t, "pool %s %u/%u\n",
			      pools[i].site.name != NULL ? pools[i].site.name : "-",
			      (unsigned)pools[i].seen_ipv4, (unsigned)pools[i].seen_ipv6);
		for (size_t k = 0; k < pools[i].n; k++) {
			const struct lya_edge_address *a = &pools[i].list[k];
			char net[LYA_NET_TEXT];

			lya_text_addf(t, "%s %d %s %u/%u/%u %lld-%lld %u\n", a->host->name,
				      (int)a->declared->role,
				      lya_net_format(&a->declared->net, net), (unsigned)a->flows,
				      (unsigned)a->sent, (unsigned)a->senders,
				      (long long)a->first_ns, (long long)a->last_ns, a->digits);
		}
	}
	strays = lya_ledger_edge_strays(l, &n);
	for (size_t i = 0; i < n; i++) {
		char addr[LYA_ADDR_TEXT];

		lya_text_addf(t, "stray %s %s\n", lya_addr_format(&strays[i].addr, addr),
			      strays[i].finding->id);
	}
}

/* Everything that a ledger says, as text. */
static inline void put_ledger(struct lya_text *t, const struct lya_ledger *l)
{
	struct lya_ledger_counts counts;
	size_t n;
	const struct lya_finding *list = lya_ledger_findings(l, &n);
	const struct lya_coverage *rows;
	const struct lya_matrix_row *cells;

	for (size_t i = 0; i < n; i++) {
		const struct lya_finding *f = &list[i];

		lya_text_addf(t, "%s %s %d %d %d %u/%u/%u %lld-%lld\n%s\n%s\n%s\n", f->id, f->type,
			      (int)f->severity, (int)f->basis, f->nearest, (unsigned)f->flows,
			      (unsigned)f->packets, (unsigned)f->bytes, (long long)f->first_ns,
			      (long long)f->last_ns, f->what, f->why, f->fix);
		put_end(t, &f->initiator);
		put_end(t, &f->responder);
		for (size_t k = 0; k < f->n_ports; k++)
			lya_text_addf(t, " %u-%u", f->ports[k].first, f->ports[k].last);
		for (size_t k = 0; k < f->n_samples; k++)
			lya_text_addf(t, " #%u", (unsigned)f->samples[k].packet);
	}
	rows = lya_ledger_coverage(l, &n);
	for (size_t i = 0; i < n; i++)
		lya_text_addf(t, "%d %d %u %u\n", rows[i].rule, (int)rows[i].status,
			      (unsigned)rows[i].flows, (unsigned)rows[i].bytes);
	cells = lya_ledger_matrix(l, &n);
	for (size_t i = 0; i < n; i++)
		lya_text_addf(t, "%d %d %d %u %d %u %u\n", (int)cells[i].from, (int)cells[i].to,
			      cells[i].transport, cells[i].ports.first, (int)cells[i].other,
			      (unsigned)cells[i].flows, (unsigned)cells[i].bytes);
	put_edge(t, l);
	lya_ledger_counts(l, &counts);
	lya_text_addf(t, "%u folded %u %u\n", (unsigned)counts.flows,
		      (unsigned)counts.folded_findings, (unsigned)counts.folded_flows);
	assert_false(t->failed);
}

#endif
