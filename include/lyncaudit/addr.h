/*
 * addr.h - IPv4 and IPv6 addresses and networks.
 */
#ifndef LYNCAUDIT_ADDR_H
#define LYNCAUDIT_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An address; network order; bytes past an IPv4 address are zero. */
struct lya_addr {
	uint8_t bytes[16];
	uint8_t family; /* 4 or 6; 0 is no address */
};

/* A network: host bits are zero.  A single address has bits 32 or 128. */
struct lya_net {
	struct lya_addr addr;
	uint8_t bits;
};

enum {
	LYA_ADDR_TEXT = 46, /* the longest IPv6 text and its NUL */
	LYA_NET_TEXT = 50
};

/* The text of addr (RFC 5952 for IPv6) in buf; returns buf. */
const char *lya_addr_format(const struct lya_addr *addr, char buf[static LYA_ADDR_TEXT]);
/* "10.0.0.0/8"; a single address without "/32". */
const char *lya_net_format(const struct lya_net *net, char buf[static LYA_NET_TEXT]);

/*
 * Read an address / an address or a network from text.  False when it is none;
 * a network with host bits set ("10.0.0.5/8") is none.  *host_bits (may be NULL)
 * tells that this was the reason.
 */
bool lya_addr_parse(const char *text, struct lya_addr *addr);
bool lya_net_parse(const char *text, struct lya_net *net, bool *host_bits);

/* <0, 0, >0: by family, then as unsigned bytes. */
int lya_addr_cmp(const struct lya_addr *a, const struct lya_addr *b);
bool lya_net_holds(const struct lya_net *net, const struct lya_addr *addr);

bool lya_addr_is_multicast(const struct lya_addr *a);
/* 255.255.255.255; a subnet's own broadcast cannot be told by address alone. */
bool lya_addr_is_broadcast(const struct lya_addr *a);
/* RFC 1918, 100.64.0.0/10, link-local, fc00::/7 (policy-model: "private"). */
bool lya_addr_is_private(const struct lya_addr *a);
/* Multicast, broadcast, loopback, link-local, unspecified (and 0.0.0.0/8): plays no role. */
bool lya_addr_plays_no_role(const struct lya_addr *a);

#endif
