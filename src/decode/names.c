/*
 * names.c - the names of events, tunnels and link types.
 */
#include <stdio.h>

#include "decode/layers.h"

static const struct {
	const char *name;
	bool cut; /* says what the capture lacks, not what the sender got wrong */
} events[LYA_EV_COUNT] = {
	[LYA_EV_LINK_TRUNCATED] = { "link-truncated", true },
	[LYA_EV_LINK_UNKNOWN] = { "link-unknown", false },
	[LYA_EV_VLAN_DEPTH] = { "vlan-depth", false },
	[LYA_EV_MPLS_DEPTH] = { "mpls-depth", false },
	[LYA_EV_TUNNEL_DEPTH] = { "tunnel-depth", false },
	[LYA_EV_TUNNEL_HEADER] = { "tunnel-header", false },
	[LYA_EV_IPV4_HEADER] = { "ipv4-header", false },
	[LYA_EV_IPV4_TRUNCATED] = { "ipv4-truncated", true },
	[LYA_EV_IPV4_OPTIONS] = { "ipv4-options", false },
	[LYA_EV_IPV6_HEADER] = { "ipv6-header", false },
	[LYA_EV_IPV6_TRUNCATED] = { "ipv6-truncated", true },
	[LYA_EV_IPV6_EXT_DEPTH] = { "ipv6-extension-depth", false },
	[LYA_EV_IPV6_JUMBOGRAM] = { "ipv6-jumbogram", false },
	[LYA_EV_FRAGMENT_BAD] = { "fragment", false },
	[LYA_EV_TCP_HEADER] = { "tcp-header", false },
	[LYA_EV_TCP_TRUNCATED] = { "tcp-truncated", true },
	[LYA_EV_UDP_LENGTH] = { "udp-length", false },
	[LYA_EV_UDP_TRUNCATED] = { "udp-truncated", true },
	[LYA_EV_ICMP_TRUNCATED] = { "icmp-truncated", true },
	[LYA_EV_CHECKSUM_IP] = { "ipv4-checksum", false },
	[LYA_EV_MACSEC] = { "macsec", false },
	[LYA_EV_TEREDO] = { "teredo", false },
	[LYA_EV_FRAGMENT_OVERLAP] = { "fragment-overlap", false },
};

static const char *const tunnels[] = {
	[LYA_TUN_NONE] = "none",        [LYA_TUN_GRE] = "gre",
	[LYA_TUN_ERSPAN1] = "erspan-1", [LYA_TUN_ERSPAN2] = "erspan-2",
	[LYA_TUN_ERSPAN3] = "erspan-3", [LYA_TUN_VXLAN] = "vxlan",
	[LYA_TUN_GENEVE] = "geneve",    [LYA_TUN_TZSP] = "tzsp",
	[LYA_TUN_IPIP] = "ip-in-ip",    [LYA_TUN_MPLS] = "mpls",
	[LYA_TUN_PPPOE] = "pppoe",
};

/* Names of DLTs as libpcap gives them, for those that turn up in practice. */
static const struct {
	uint16_t link;
	const char *name;
} links[] = {
	{ 0, "NULL" },
	{ 1, "EN10MB" },
	{ 6, "IEEE802" },
	{ 7, "ARCNET" },
	{ 8, "SLIP" },
	{ 9, "PPP" },
	{ 10, "FDDI" },
	{ 12, "RAW" },
	{ 14, "RAW" },
	{ 50, "PPP_SERIAL" },
	{ 51, "PPP_ETHER" },
	{ 100, "ATM_RFC1483" },
	{ 101, "RAW" },
	{ 104, "C_HDLC" },
	{ 105, "IEEE802_11" },
	{ 107, "FRELAY" },
	{ 108, "LOOP" },
	{ 109, "ENC" },
	{ 113, "LINUX_SLL" },
	{ 114, "LTALK" },
	{ 117, "PFLOG" },
	{ 119, "PRISM_HEADER" },
	{ 122, "IP_OVER_FC" },
	{ 123, "SUNATM" },
	{ 127, "IEEE802_11_RADIO" },
	{ 129, "ARCNET_LINUX" },
	{ 138, "APPLE_IP_OVER_IEEE1394" },
	{ 140, "MTP2" },
	{ 141, "MTP3" },
	{ 143, "DOCSIS" },
	{ 144, "LINUX_IRDA" },
	{ 163, "IEEE802_11_RADIO_AVS" },
	{ 166, "PPP_PPPD" },
	{ 187, "BLUETOOTH_HCI_H4" },
	{ 189, "USB_LINUX" },
	{ 192, "PPI" },
	{ 195, "IEEE802_15_4_WITHFCS" },
	{ 201, "BLUETOOTH_HCI_H4_WITH_PHDR" },
	{ 204, "PPP_WITH_DIR" },
	{ 205, "C_HDLC_WITH_DIR" },
	{ 220, "USB_LINUX_MMAPPED" },
	{ 227, "CAN_SOCKETCAN" },
	{ 228, "IPV4" },
	{ 229, "IPV6" },
	{ 230, "IEEE802_15_4_NOFCS" },
	{ 239, "NFLOG" },
	{ 247, "INFINIBAND" },
	{ 248, "SCTP" },
	{ 249, "USBPCAP" },
	{ 253, "NETLINK" },
	{ 258, "PKTAP" },
	{ 276, "LINUX_SLL2" },
};

const char *lya_event_name(enum lya_event ev)
{
	return (unsigned)ev < LYA_EV_COUNT ? events[ev].name : "unknown";
}

bool lya_event_is_cut(enum lya_event ev)
{
	return (unsigned)ev < LYA_EV_COUNT && events[ev].cut;
}

const char *lya_tunnel_name(enum lya_tunnel_kind kind)
{
	return (unsigned)kind < sizeof(tunnels) / sizeof(tunnels[0]) ? tunnels[kind] : "unknown";
}

const char *lya_link_name(uint16_t link, char buf[static 24])
{
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		if (links[i].link == link)
			return links[i].name;
	snprintf(buf, 24, "LINKTYPE_%u", (unsigned)link);
	return buf;
}
