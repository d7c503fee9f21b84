/*
 * dhcp.c - DHCP and BOOTP (RFC 2131) over Ethernet.
 */
#include "app/machine.h"

#include <string.h>

enum { OP_REQUEST = 1, OP_REPLY = 2, COOKIE_AT = 236 };

bool app_dhcp_datagram(struct lya_app_state *st, unsigned side, const uint8_t *data, size_t len,
		       size_t full_len)
{
	static const uint8_t cookie[4] = { 0x63, 0x82, 0x53, 0x63 };

	if (full_len < COOKIE_AT + sizeof(cookie) || len < COOKIE_AT + sizeof(cookie))
		return false;
	if ((data[0] != OP_REQUEST && data[0] != OP_REPLY) || data[1] != 1 || data[2] != 6 ||
	    memcmp(data + COOKIE_AT, cookie, sizeof(cookie)) != 0)
		return false;
	app_is_single(st, LYA_APP_DHCP, data[0] == OP_REQUEST ? (int)side : (int)!side);
	return true;
}
