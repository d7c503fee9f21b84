#!/bin/sh
# lab.sh - make the captures of pcaps/ again, with real programs.
#
# usage: lab.sh [-k] [OUTDIR [CAPTURE...]]
#
# Builds the site of docs/examples/site.json out of network namespaces on a
# bridge, opens the connections that the days describe, records them on a mirror
# port, and writes OUTDIR/NAME.pcapng with OUTDIR/NAME.truth.jsonl (default:
# ./lab-out).  All traffic stays inside the namespaces it makes and takes down.
# -k keeps the servers' logs.  Needs root and these Debian packages (ipvsadm where the
# kernel has IPVS):
PACKAGES="iproute2 nftables tcpdump openssl nginx-light coturn dnsmasq-base curl python3 haproxy \
prosody samba smbclient sip-tester kamailio kamailio-tls-modules"

here=$(cd "$(dirname "$0")" && pwd) || exit 2

if [ "$(id -u)" -ne 0 ]; then
	echo "lab.sh: needs root, to make network namespaces" >&2
	exit 2
fi

missing=
need() { # program package
	command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}
need ip iproute2
need tc iproute2
need nft nftables
need tcpdump tcpdump
need openssl openssl
need nginx nginx-light
need turnserver coturn
need dnsmasq dnsmasq-base
need curl curl
need python3 python3
need haproxy haproxy
need prosody prosody
need smbd samba
need smbclient smbclient
need sipp sip-tester
need kamailio kamailio
ls /usr/lib/*/kamailio/modules/tls.so >/dev/null 2>&1 || missing="$missing kamailio-tls-modules"
if [ -n "$missing" ]; then
	echo "lab.sh: programs are missing; run: apt-get install --no-install-recommends$missing" >&2
	echo "lab.sh: all it uses: $PACKAGES" >&2
	exit 2
fi

exec python3 "$here/lab.py" "$@"
