/*
 * intern.h - things that many flows share, kept once and named by a number.
 */
#ifndef LYNCAUDIT_FLOW_INTERN_H
#define LYNCAUDIT_FLOW_INTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lyncaudit/decode.h"

struct lya_map;

enum { FLOW_RECENT = 64 };

/*
 * Items of one size, numbered from 1 in order of arrival; bounded.  Number 0
 * is "none", and what comes when all numbers are taken.
 */
struct flow_intern {
	struct lya_map *numbers; /* item to its number */
	uint8_t *items;          /* item n at n - 1 */
	size_t item_size;
	size_t n, cap, max;
	uint32_t recent[FLOW_RECENT]; /* numbers of late answers: traffic comes from few places */
	bool nomem;                   /* an allocation failed; sticky */
};

/* item_size: at least 4. */
int flow_intern_init(struct flow_intern *in, size_t item_size, size_t max);
void flow_intern_fini(struct flow_intern *in);
/* The number of an item (padding zeroed), 0 when there is no room for a new one. */
uint32_t flow_intern_put(struct flow_intern *in, const void *item);
/* The item with that number (not 0), borrowed until the next put. */
const void *flow_intern_at(const struct flow_intern *in, uint32_t number);
size_t flow_intern_bytes(const struct flow_intern *in);

/* Where a flow's first packet came from. */
struct flow_origin {
	uint32_t source;
	uint32_t tunnel_id;
	uint16_t vlan[LYA_VLANS_MAX];
	uint8_t n_vlan, tunnel, n_tunnels, digits;
};

/* What of a path is part of the key. */
struct flow_ctx {
	uint32_t tunnel_id;
	uint16_t vlan[LYA_VLANS_MAX];
	uint8_t n_vlan, tunnel;
	uint8_t split; /* VLANs told two conversations with the same ends apart */
	uint8_t unused;
};

#endif
