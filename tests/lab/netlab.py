"""The site of docs/examples/site.json, built out of network namespaces.

Every host is a namespace with a veth on one bridge.  What enters the bridge is
copied to a mirror port, so a frame is seen once, and both legs of a load
balancer are seen.  Addresses are on-link everywhere; only what the documents
route through a balancer goes through it: the Edge nodes' default gateway is
the Access VIP, and answers to what came through a balancer return through it.
"""

import contextlib
import ctypes
import fcntl
import os
import selectors
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

PREFIX = "lya-"
CLONE_NEWNET = 0x40000000

MAC_EXT = "02:00:5e:64:00:02"
MAC_INT = "02:00:5e:0a:00:02"
MAC_MED = "02:00:5e:0a:00:04"

# namespace: interfaces, each (name, mac or None, addresses)
HOSTS = {
    "edge01": [("ext0", None, ["198.51.100.21", "198.51.100.22", "198.51.100.23"]),
               ("int0", None, ["10.1.0.21"])],
    "edge02": [("ext0", None, ["198.51.100.31", "198.51.100.32", "198.51.100.33"]),
               ("int0", None, ["10.1.0.22"])],
    # 198.51.100.9 is the balancer's as well; the site description does not know it
    "hlbext": [("eth0", MAC_EXT, ["198.51.100.2", "198.51.100.3", "198.51.100.9",
                                  "198.51.100.11", "198.51.100.12", "198.51.100.13"])],
    "hlbint": [("eth0", MAC_INT, ["10.2.0.2", "10.2.0.3", "10.1.0.2", "10.1.0.11", "10.2.0.10",
                                  "10.2.0.20", "fd00:10:2::2", "fd00:10:2::10"])],
    "hlbmed": [("eth0", MAC_MED, ["10.2.0.4", "10.2.0.30"])],
    "rp01": [("ext0", None, ["198.51.100.41"]), ("int0", None, ["10.1.0.41"])],
    "fe01": [("eth0", None, ["10.2.0.11", "fd00:10:2::11"])],
    "fe02": [("eth0", None, ["10.2.0.12", "fd00:10:2::12"])],
    "dir01": [("eth0", None, ["10.2.0.21"])],
    "dir02": [("eth0", None, ["10.2.0.22"])],
    "med01": [("eth0", None, ["10.2.0.31"])],
    "med02": [("eth0", None, ["10.2.0.32"])],
    "pchat01": [("eth0", None, ["10.2.0.41"])],
    "owas01": [("eth0", None, ["10.2.0.51"])],
    "rcc01": [("eth0", None, ["10.2.0.61"])],
    "pstn01": [("eth0", None, ["10.3.0.5"])],
    "sba01": [("eth0", None, ["10.30.0.11"])],
    # domain controllers (DNS, time, DHCP), SQL Server, file share, an old monitor
    "infra": [("eth0", None, ["10.2.1.10", "10.2.1.11", "10.2.1.20", "10.2.1.30",
                              "10.9.0.10", "10.9.0.20"])],
    "desk1": [("eth0", None, ["10.20.1.10", "10.20.1.11", "10.20.1.12", "10.20.1.13",
                              "fd00:10:20::10"])],
    "desk2": [("eth0", None, ["10.20.2.20", "10.20.2.21", "10.30.20.5"])],
    "partner": [("eth0", None, ["203.0.113.20", "203.0.113.21"])],
    "inet1": [("eth0", None, ["203.0.113.50", "203.0.113.51", "203.0.113.52", "192.0.2.99"])],
    "inet2": [("eth0", None, ["192.0.2.53", "192.0.2.80", "192.0.2.140", "192.0.2.141"])],
}

# Edge nodes: the external address of A/V, the internal one
RELAYS = {"edge01": ("198.51.100.23", "10.1.0.21"), "edge02": ("198.51.100.33", "10.1.0.22")}

EDGE_EXTERNAL = ["198.51.100.21", "198.51.100.22", "198.51.100.23",
                 "198.51.100.31", "198.51.100.32", "198.51.100.33"]

ADDRESS_NS = {a: ns for ns, ifs in HOSTS.items() for _, _, addrs in ifs for a in addrs}


def _macs():
    """(namespace, interface): its address on the wire."""
    cables = [(ns, name, mac) for ns, ifs in HOSTS.items() for name, mac, _ in ifs]
    return {(ns, name): mac or "02:00:5e:00:01:%02x" % n
            for n, (ns, name, mac) in enumerate(cables, 1)}


MACS = _macs()


class Service:
    """One balanced service: what the balancer does with it, and what the truth is to say.

    by: what balances it, "nft", or "haproxy" or "ipvs" (balancers.py).
    keeps: of "haproxy", what it keeps of the client: None, "address" or "all".
    """

    def __init__(self, ns, vip, transport, ports, members, snat=None, stateless=False, by="nft",
                 keeps=None):
        self.ns, self.vip, self.transport, self.ports = ns, vip, transport, ports
        self.members, self.snat, self.stateless = members, snat, stateless
        self.by, self.keeps = by, keeps
        self.next_port = {node: 41001 for node in members}

    def is_for(self, other):
        return (self.vip, self.transport, self.ports) == (other.vip, other.transport, other.ports)

    def member(self, sport):
        """Odd source ports go to the first one."""
        return self.members[0 if len(self.members) == 1 or sport % 2 else 1]

    def leg(self, src, sport, dport):
        """The leg behind the balancer, as (address, port, address, port); None: not known."""
        node = self.member(sport)
        if self.by == "haproxy" and self.keeps != "all":
            return self.snat or src, self._own_port(node), node, dport
        return self.snat or src, sport, node, dport

    def _own_port(self, node):
        """A full proxy takes its source ports in order, for each member anew."""
        if self.keeps:
            return None  # the kernel picks it
        self.next_port[node] += 1
        return self.next_port[node] - 1


def replaced(svcs, *others):
    """The services, others in the place of those that they are for."""
    return [next((o for o in others if o.is_for(s)), s) for s in svcs]


FE = ["10.2.0.11", "10.2.0.12"]
FE6 = ["fd00:10:2::11", "fd00:10:2::12"]
TABLE2 = [5061, 444, 135, 80, 8080, 443, 4443, 5072, 5073, 5075, 5076, 5071, 5080, 448, 5070]


def services(av_udp_snat=None, av_tcp_snat=None, internal_av_snat=None, dns=False):
    """The balancers as they should be.

    av_udp_snat, av_tcp_snat, internal_av_snat: the address that a balancer configured
    wrongly puts in the place of the client's.  dns: only web ports inside.
    """
    if dns:
        return [
            Service("hlbint", "10.2.0.10", "tcp", [80, 443, 8080, 4443], FE, snat="10.2.0.2"),
            Service("hlbint", "10.2.0.20", "tcp", [80, 443, 444, 5061, 4443, 8080],
                    ["10.2.0.21", "10.2.0.22"]),
        ]
    return [
        Service("hlbext", "198.51.100.11", "tcp", [443, 5061, 5269],
                ["198.51.100.21", "198.51.100.31"], snat="198.51.100.11"),
        Service("hlbext", "198.51.100.12", "tcp", [443, 444],
                ["198.51.100.22", "198.51.100.32"], snat="198.51.100.12"),
        Service("hlbext", "198.51.100.13", "tcp", [443],
                ["198.51.100.23", "198.51.100.33"], snat=av_tcp_snat),
        Service("hlbext", "198.51.100.13", "udp", [3478],
                ["198.51.100.23", "198.51.100.33"], snat=av_udp_snat,
                stateless=av_udp_snat is None),
        Service("hlbint", "10.1.0.11", "tcp", [5061], ["10.1.0.21", "10.1.0.22"], snat="10.1.0.2"),
        Service("hlbint", "10.1.0.11", "tcp", [5062], ["10.1.0.21", "10.1.0.22"]),
        Service("hlbint", "10.1.0.11", "tcp", [443], ["10.1.0.21", "10.1.0.22"],
                snat=internal_av_snat),
        Service("hlbint", "10.1.0.11", "udp", [3478], ["10.1.0.21", "10.1.0.22"],
                snat=internal_av_snat),
        Service("hlbint", "10.2.0.10", "tcp", TABLE2, FE, snat="10.2.0.2"),
        Service("hlbint", "fd00:10:2::10", "tcp", TABLE2, FE6, snat="fd00:10:2::2"),
        Service("hlbint", "10.2.0.20", "tcp", [80, 443, 444, 5061, 4443, 8080],
                ["10.2.0.21", "10.2.0.22"]),
        Service("hlbmed", "10.2.0.30", "tcp", [5070], ["10.2.0.31", "10.2.0.32"],
                snat="10.2.0.30"),
    ]


def run(*argv, **kw):
    p = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **kw)
    if p.returncode != 0:
        raise RuntimeError("%s: %s" % (" ".join(argv), p.stdout.strip()))
    return p.stdout


libc = ctypes.CDLL(None, use_errno=True)


def _setns(fd):
    if libc.setns(fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


@contextlib.contextmanager
def inside(ns):
    """Sockets made in here belong to the namespace; they stay there afterwards."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open("/run/netns/" + PREFIX + ns, os.O_RDONLY)
    try:
        _setns(there)
        yield
    finally:
        _setns(home)
        os.close(home)
        os.close(there)


def family(addr):
    return socket.AF_INET6 if ":" in addr else socket.AF_INET


def _no_offload(ifname):
    """Frames on the mirror as they would be on a cable: own checksums, no giants."""
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for cmd in (0x17, 0x1F, 0x25, 0x2C):  # set tx checksums, TSO, GSO, GRO
        value = ctypes.create_string_buffer(struct.pack("II", cmd, 0))
        ifr = struct.pack("16sP16x", ifname.encode(), ctypes.addressof(value))
        with contextlib.suppress(OSError):
            fcntl.ioctl(s, 0x8946, ifr)
    s.close()


class Network:
    """Namespaces, bridge, mirror, balancers.  Takes down what it put up."""

    def __init__(self):
        self.made = []
        self.port = 0

    def up(self):
        left = [n.split()[0] for n in run("ip", "netns", "list").splitlines()
                if n.startswith(PREFIX)]
        if left:
            raise RuntimeError("namespaces of another lab are there: " + " ".join(left))
        self._namespace("net")
        run("ip", "-n", PREFIX + "net", "link", "add", "br0", "type", "bridge",
            "mcast_snooping", "0")
        run("ip", "-n", PREFIX + "net", "link", "set", "br0", "up")
        run("ip", "-n", PREFIX + "net", "link", "add", "mirror", "type", "veth",
            "peer", "name", "sensor")
        for i in ("mirror", "sensor"):
            run("ip", "-n", PREFIX + "net", "link", "set", i, "mtu", "9000", "up")
        for ns, ifs in HOSTS.items():
            self._namespace(ns)
            self._host(ns, ifs)
        for ns, ifs in HOSTS.items():
            self._routes(ns, ifs)

    def down(self):
        for ns in reversed(self.made):
            subprocess.run(["ip", "netns", "del", ns], stderr=subprocess.DEVNULL, check=False)
        self.made = []

    def _namespace(self, ns):
        run("ip", "netns", "add", PREFIX + ns)
        self.made.append(PREFIX + ns)
        with inside(ns):
            self._sysctl("net/ipv6/conf/all/disable_ipv6", 1)
            self._sysctl("net/ipv6/conf/default/disable_ipv6", 1)
            # what programs pick themselves is none of the ports that the lab numbers
            self._sysctl("net/ipv4/ip_local_port_range", "32768 40999")
        run("ip", "-n", PREFIX + ns, "link", "set", "lo", "up")

    @staticmethod
    def _sysctl(name, value):
        """Write /proc/sys of the calling thread's namespace."""
        with open("/proc/sys/" + name, "w") as f:
            f.write(str(value))

    def _host(self, ns, ifs):
        six = any(":" in a for _, _, addrs in ifs for a in addrs)
        with inside(ns):
            for key in ("all", "default"):
                self._sysctl("net/ipv4/conf/%s/rp_filter" % key, 0)
                self._sysctl("net/ipv4/conf/%s/arp_ignore" % key, 1)
                self._sysctl("net/ipv4/conf/%s/arp_announce" % key, 2)
                self._sysctl("net/ipv4/conf/%s/send_redirects" % key, 0)
                if six:
                    self._sysctl("net/ipv6/conf/%s/disable_ipv6" % key, 0)
                    self._sysctl("net/ipv6/conf/%s/accept_ra" % key, 0)
                    self._sysctl("net/ipv6/conf/%s/router_solicitations" % key, 0)
            if ns.startswith("hlb"):
                self._sysctl("net/ipv4/ip_forward", 1)
                if six:
                    self._sysctl("net/ipv6/conf/all/forwarding", 1)
        for name, _, addrs in ifs:
            self._interface(ns, name, MACS[ns, name], addrs)

    def _interface(self, ns, name, mac, addrs):
        self.port += 1
        peer = "p%d" % self.port
        run("ip", "-n", PREFIX + "net", "link", "add", peer, "type", "veth",
            "peer", "name", name, "netns", PREFIX + ns)
        run("ip", "-n", PREFIX + ns, "link", "set", name, "address", mac)
        with inside(ns):
            _no_offload(name)
        with inside("net"):
            _no_offload(peer)
        run("ip", "-n", PREFIX + ns, "link", "set", name, "up")
        run("ip", "-n", PREFIX + "net", "link", "set", peer, "master", "br0", "up")
        run("ip", "netns", "exec", PREFIX + "net", "tc", "qdisc", "add", "dev", peer, "ingress")
        run("ip", "netns", "exec", PREFIX + "net", "tc", "filter", "add", "dev", peer,
            "parent", "ffff:", "protocol", "all", "u32", "match", "u32", "0", "0",
            "action", "mirred", "egress", "mirror", "dev", "mirror")
        for a in addrs:
            if ":" in a:
                run("ip", "-n", PREFIX + ns, "addr", "add", a + "/128", "dev", name, "nodad")
            else:
                run("ip", "-n", PREFIX + ns, "addr", "add", a + "/32", "dev", name)

    def _routes(self, ns, ifs):
        route = ["ip", "-n", PREFIX + ns, "route", "add"]
        if ns.startswith("edge"):
            run(*route, "198.51.100.0/24", "dev", "ext0", "src", ifs[0][2][0])
            run(*route, "10.0.0.0/8", "dev", "int0", "src", ifs[1][2][0])
            run(*route, "default", "via", "198.51.100.11", "dev", "ext0")
            self._return_path(ns, "int0", MAC_INT, "10.1.0.2")
        elif ns == "rp01":
            run(*route, "10.0.0.0/8", "dev", "int0", "src", ifs[1][2][0])
            run(*route, "default", "dev", "ext0", "src", ifs[0][2][0])
        else:
            run(*route, "default", "dev", "eth0", "src", ifs[0][2][0])
            if any(":" in a for a in ifs[0][2]):
                run("ip", "-6", "-n", PREFIX + ns, "route", "add", "default", "dev", "eth0")
        if ns.startswith("dir"):
            self._return_path(ns, "eth0", MAC_INT, "10.2.0.2")

    @staticmethod
    def _return_path(ns, ifname, mac, gateway):
        """Answer through the balancer what came through it (its source is kept)."""
        run("ip", "-n", PREFIX + ns, "rule", "add", "fwmark", "1", "table", "100")
        run("ip", "-n", PREFIX + ns, "route", "add", "10.0.0.0/8", "via", gateway, "dev", ifname,
            "onlink", "table", "100")
        nft(ns, """
table ip way {
 chain in { type filter hook prerouting priority -150
  ether saddr %s ct mark set 1
 }
 chain out { type route hook output priority -150
  ct mark 1 meta mark set 1
 }
}
""" % mac)

    def balance(self, svcs, faults=None):
        """Give the balancers these services; odd source ports go to the first member.

        faults: what the outer balancer does beside: {"snat": [rule], "late": [rule]}
        """
        for ns in ("hlbext", "hlbint", "hlbmed"):
            dnat, snat, raw, late = [], [], [], []
            for s in svcs:
                if s.ns != ns or s.by != "nft":
                    continue
                ip = "ip6" if ":" in s.vip else "ip"
                ports = "{ %s }" % ", ".join(map(str, s.ports))
                for bit, node in ((1, s.members[0]), (0, s.members[-1])):
                    pick = "%s daddr %s %s dport %s %s sport & 1 == %d" % (
                        ip, s.vip, s.transport, ports, s.transport, bit)
                    if s.stateless:
                        raw.append("%s notrack ip daddr set %s" % (pick, node))
                    else:
                        dnat.append("%s dnat %s to %s" % (pick, ip, node))
                if s.snat:
                    for node in dict.fromkeys(s.members):
                        snat.append("%s daddr %s %s dport %s ct original %s daddr %s snat %s to %s"
                                    % (ip, node, s.transport, ports, ip, s.vip, ip, s.snat))
            if ns == "hlbext":
                # What edge01's Access service opens leaves as the VIP, edge02's as itself.
                snat.append("ip saddr 198.51.100.21 ct original ip saddr 198.51.100.21 "
                            "meta l4proto { tcp, udp } th dport { 53, 80, 5061, 5269 } "
                            "snat ip to 198.51.100.11")
                snat += (faults or {}).get("snat", [])
                late += (faults or {}).get("late", [])
            nft(ns, """
table inet lab
delete table inet lab
table inet lab {
 chain raw { type filter hook prerouting priority -300
  %s
 }
 chain pre { type nat hook prerouting priority -100
  %s
 }
 chain post { type nat hook postrouting priority 100
  %s
 }
 chain late { type filter hook postrouting priority 300
  %s
 }
}
""" % tuple("\n  ".join(rules) for rules in (raw, dnat, snat, late)))


def drop(ns, match):
    """A firewall on that host: drop what matches, without a word."""
    nft(ns, """
table inet wall
delete table inet wall
table inet wall {
 chain in { type filter hook input priority 0
  %s drop
 }
}
""" % match)


def nft(ns, text):
    p = subprocess.run(["ip", "netns", "exec", PREFIX + ns, "nft", "-f", "-"], input=text,
                       text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if p.returncode != 0:
        raise RuntimeError("nft in %s: %s" % (ns, p.stdout.strip()))


def _on_cables(*names):
    return "(%s)" % " or ".join("ether host " + MACS[n] for n in names)


class Sensor:
    """tcpdump on the mirror port.

    place: None sees every frame once; "outside" is the cables of whoever is on the
    Internet, "behind" those of the Edge nodes' external interfaces.
    """

    FILTERS = {
        # A node's answer to a direct visitor leaves by its gateway, the balancer, and so
        # does what it answers of itself to what came by a VIP: the second sighting of the
        # same packet, on the balancer's port, is left out.
        None: "not (ether src %s and (%s)) and not (ether src %s and udp src port 3478 and (%s))"
              % (MAC_EXT, " or ".join("src host " + a for a in EDGE_EXTERNAL),
                 MAC_INT, " or ".join("src host " + inner for _, inner in RELAYS.values())),
        "outside": _on_cables(("partner", "eth0"), ("inet1", "eth0"), ("inet2", "eth0")),
        "behind": _on_cables(("edge01", "ext0"), ("edge02", "ext0")),
    }

    def __init__(self, path, place=None):
        self.path = path
        self.log = open(path + ".log", "w+")
        self.proc = subprocess.Popen(
            ["ip", "netns", "exec", PREFIX + "net", "tcpdump", "-n", "-i", "sensor", "-s", "0",
             "-U", "--immediate-mode", "-B", "16384", "--time-stamp-precision=nano",
             "-Z", "root", "-w", path, self.FILTERS[place]], stdout=subprocess.DEVNULL,
            stderr=self.log)
        for _ in range(100):
            time.sleep(0.05)
            self.log.seek(0)
            if "listening on" in self.log.read():
                break
        else:
            raise RuntimeError("tcpdump did not start")
        time.sleep(0.2)

    def stop(self):
        time.sleep(0.7)
        self.proc.send_signal(signal.SIGINT)
        self.proc.wait(10)
        self.log.seek(0)
        text = self.log.read()
        if "0 packets dropped by kernel" not in text:
            raise RuntimeError("the sensor lost packets: " + text)


# ---- servers -------------------------------------------------------------

def sip_answer(data):
    return b"SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP lab;branch=z9hG4bK1\r\nCSeq: 1 OPTIONS\r\n" \
           b"Call-ID: lab\r\nFrom: <sip:a@contoso.example>;tag=1\r\n" \
           b"To: <sip:b@contoso.example>;tag=2\r\nContent-Length: 0\r\n\r\n"


def rpc_answer(data):
    return bytes.fromhex("05000c03100000003c00000001000000" "d016d01600000000" "0400") + \
        b"135\0\0\0" + bytes.fromhex("0100000000000000045d888aeb1cc9119fe808002b10486002000000")


def ssrp_answer(data):
    text = b"ServerName;LAB;InstanceName;RTCLOCAL;IsClustered;No;Version;11.0.2100.60;tcp;1433;;"
    return b"\x05" + struct.pack("<H", len(text)) + text


def ntp_answer(data):
    return b"\x24\x02\x00\xe9" + b"\0" * 8 + b"LAB\0" + data[40:48] * 3 + b"\0" * 8


def rtp_answer(data):
    """Media back: the same clock, another source."""
    return data[:8] + b"\x0b\xad\xca\xfe" + data[12:]


def echo(data):
    return data


def silence(data):
    return None


def stun_answer(data):
    """Binding success that says nothing."""
    return b"\x01\x01\x00\x00" + data[4:20]


def xmpp_answer(data):
    return (b"<?xml version='1.0'?><stream:stream xmlns='jabber:server' id='1' "
            b"xmlns:stream='http://etherx.jabber.org/streams' from='contoso.example' "
            b"version='1.0'><stream:features>"
            b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>"
            b"</stream:features>")


def http_answer(data):
    return b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: keep-alive\r\n\r\nlab\n"


ANSWERS = {
    "http": http_answer, "stun": stun_answer, "xmpp": xmpp_answer, "sip": sip_answer,
    "rpc": rpc_answer, "ssrp": ssrp_answer, "ntp": ntp_answer, "rtp": rtp_answer,
    "media": echo, "file": echo, "smb": echo, "echo": echo, "silence": silence,
}


class Servers:
    """Listeners of the lab: real programs where Debian has one, small ones otherwise."""

    def __init__(self, work):
        self.work = work
        self.procs = []
        self.known = set()
        self.passing = []  # programs of one capture only
        self.turn, self.relays = [], None  # coturn's processes, and what relay() was told
        self.permanent = None
        self.sel = selectors.DefaultSelector()
        self.lock = threading.Lock()
        self.stopping = False
        self.known |= {(a, 3478, "udp") for r in RELAYS.values() for a in r}
        self.known |= {(a, 443, "tcp") for r in RELAYS.values() for a in r}
        self.thread = threading.Thread(target=self._loop, daemon=True)
        self.thread.start()
        self._certificates()

    def stop(self):
        self.stopping = True
        for p in list(self.procs):
            self.end(p)
        self.thread.join(2)

    def forget(self):
        """Before a capture: only the permanent servers listen, and no firewall drops."""
        if self.permanent is None:
            self.permanent = set(self.known)
        for p in list(self.passing):
            self.end(p)
        for key in list(self.sel.get_map().values()):
            self.sel.unregister(key.fileobj)
            key.fileobj.close()
        self.known = set(self.permanent)
        for ns in HOSTS:
            nft(ns, "table inet wall\ndelete table inet wall\n")

    def end(self, p):
        """The program and what it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(p.pid, signal.SIGTERM)
        try:
            p.wait(5)
        except subprocess.TimeoutExpired:
            pass
        with contextlib.suppress(ProcessLookupError):
            os.killpg(p.pid, signal.SIGKILL)
        p.wait()
        self.procs.remove(p)
        if p in self.passing:
            self.passing.remove(p)

    def spawn(self, ns, argv, passing=False, **how):
        """Start a program; a passing one ends with its capture."""
        with open(os.path.join(self.work, "servers.log"), "a") as log:
            how = dict({"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}, **how)
            p = subprocess.Popen(["ip", "netns", "exec", PREFIX + ns] + argv,
                                 start_new_session=True, **how)
        self.procs.append(p)
        if passing:
            self.passing.append(p)
        return p

    # -- certificates: one authority, one certificate a host, for both sides of TLS

    def _certificates(self):
        ca = self.pem("ca")
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30",
            "-subj", "/O=Contoso lab/CN=Contoso lab CA", "-keyout", ca + ".key", "-out",
            ca + ".crt")
        names = {ns: [ns + ".contoso.example"] for ns in HOSTS}
        names["edge01"] += ["sip.contoso.example", "webconf.contoso.example"]
        names["edge02"] += ["sip.contoso.example", "webconf.contoso.example"]
        names["fe01"] += ["pool01.contoso.example"]
        names["fe02"] += ["pool01.contoso.example"]
        names["dir01"] += ["dirpool.contoso.example"]
        names["dir02"] += ["dirpool.contoso.example"]
        names["rp01"] = ["lyncweb.contoso.example", "meet.contoso.example",
                         "lyncdiscover.contoso.example"]
        names["owas01"] = ["owas.contoso.example"]
        names["partner"] = ["sip.fabrikam.example"]
        for ns, dns in names.items():
            self.certificate(ns, dns)

    def certificate(self, name, dns):
        """Key and certificate, at pem(name); signed by the lab's authority."""
        base, ca = self.pem(name), self.pem("ca")
        run("openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=" + dns[0],
            "-keyout", base + ".key", "-out", base + ".csr")
        with open(base + ".ext", "w") as f:
            f.write("subjectAltName=%s\n" % ",".join("DNS:" + d for d in dns))
        run("openssl", "x509", "-req", "-in", base + ".csr", "-CA", ca + ".crt", "-CAkey",
            ca + ".key", "-CAcreateserial", "-days", "30", "-extfile", base + ".ext",
            "-out", base + ".crt")

    def pem(self, ns):
        return os.path.join(self.work, "tls-" + ns)

    # -- listeners

    def ensure(self, addr, port, transport, kind):
        """Have a listener of that kind there.  A port keeps its first kind."""
        key = (addr, port, transport)
        if key in self.known:
            return
        self.known.add(key)
        ns = ADDRESS_NS[addr]
        if kind == "tls":
            self.tls(addr, port, "-CAfile", self.pem("ca") + ".crt", "-verify", "2", "-tls1_2",
                     "-rev", "-quiet")
        else:
            self._listen(addr, port, transport, lambda data, peer: ANSWERS[kind](data))

    def tls(self, addr, port, *more, **how):
        """openssl, with the host's certificate."""
        ns = ADDRESS_NS[addr]
        base = self.pem(ns)
        where = "[%s]:%d" % (addr, port) if ":" in addr else "%s:%d" % (addr, port)
        p = self.spawn(ns, ["openssl", "s_server", "-accept", where, "-cert", base + ".crt",
                            "-key", base + ".key"] + list(more), passing=True, **how)
        self.wait(ns, addr, port)
        return p

    def _listen(self, addr, port, transport, answer):
        """A small server of our own; answer(data, peer) says what it sends back."""
        with inside(ADDRESS_NS[addr]):
            s = socket.socket(family(addr), socket.SOCK_STREAM if transport == "tcp"
                              else socket.SOCK_DGRAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((addr, port))
        if transport == "tcp":
            s.listen(16)
        s.setblocking(False)
        self.sel.register(s, selectors.EVENT_READ,
                          ("accept" if transport == "tcp" else "datagram", answer))

    @staticmethod
    def wait(ns, addr, port):
        """Until something listens; nothing is sent, which a proxy would pass on."""
        raw = socket.inet_pton(family(addr), addr)
        words = struct.unpack("%dI" % (len(raw) // 4), raw)
        end = "".join("%08X" % w for w in words) + ":%04X" % port
        path = "/proc/thread-self/net/tcp" + ("6" if ":" in addr else "")
        for _ in range(250):
            with inside(ns), open(path) as f:
                if any(line.split()[1] == end and line.split()[3] == "0A" for line in f):
                    return
            time.sleep(0.02)
        raise RuntimeError("nothing listens on %s port %d" % (addr, port))

    def _loop(self):
        while not self.stopping:
            for key, _ in self.sel.select(0.05):
                what, answer = key.data
                with contextlib.suppress(OSError, ValueError, KeyError):
                    if what == "accept":
                        c, _ = key.fileobj.accept()
                        c.setblocking(False)
                        self.sel.register(c, selectors.EVENT_READ, ("stream", answer))
                    elif what == "stream":
                        self._serve(key.fileobj, answer)
                    else:
                        data, peer = key.fileobj.recvfrom(2048)
                        said = answer(data, peer)
                        if said is not None:
                            key.fileobj.sendto(said, peer)

    def _serve(self, c, answer):
        try:
            data = c.recv(4096)
        except ConnectionError:
            data = b""
        if data:
            c.send(answer(data, c.getpeername()))
        else:
            self.sel.unregister(c)
            c.close()

    # -- nginx: web servers of the pools, the reverse proxy, the Internet's CRL server

    def web(self):
        pool = ["80", "443 ssl", "8080", "4443 ssl", "444 ssl"]
        for ns, addrs, ports in (
                ("fe01", ["10.2.0.11", "[fd00:10:2::11]"], pool),
                ("fe02", ["10.2.0.12", "[fd00:10:2::12]"], pool),
                ("dir01", ["10.2.0.21"], pool),
                ("dir02", ["10.2.0.22"], pool),
                ("pchat01", ["10.2.0.41"], ["443 ssl"]),
                ("owas01", ["10.2.0.51"], ["443 ssl"]),
                ("edge01", ["10.1.0.21"], ["4443 ssl"]),
                ("edge02", ["10.1.0.22"], ["4443 ssl"]),
                ("inet2", ["192.0.2.80"], ["80", "443 ssl"])):
            body = "".join("  listen %s:%s;\n" % (a, p) for a in addrs for p in ports)
            body += "  location / { return 200 'contoso lab web\\n'; }\n"
            self.nginx(ns, "server {\n%s%s}\n" % (body, self._tls(ns)))
            for a in addrs:
                for p in ports:
                    self.known.add((a.strip("[]"), int(p.split()[0]), "tcp"))
        # The client says which source port the inner leg shall have: the truth
        # about that leg is written before it exists.
        self.nginx("rp01", """
server {
  listen 198.51.100.41:80;
  location / { proxy_bind 10.1.0.41:$http_x_lab_port; proxy_pass http://10.2.0.10:8080; }
}
server {
  listen 198.51.100.41:443 ssl;
%s
  location / { proxy_bind 10.1.0.41:$http_x_lab_port; proxy_pass https://10.2.0.10:4443; }
  location /dir/ { proxy_bind 10.1.0.41:$http_x_lab_port; proxy_pass https://10.2.0.20:4443; }
  location /wopi/ { proxy_bind 10.1.0.41:$http_x_lab_port; proxy_pass https://10.2.0.51:443; }
  location /wrong/ { proxy_bind 10.1.0.41:$http_x_lab_port; proxy_pass https://10.2.0.10:443; }
}
""" % self._tls("rp01"))
        for ns, addr, port in (("fe01", "10.2.0.11", 80), ("fe02", "10.2.0.12", 80),
                               ("dir01", "10.2.0.21", 80), ("dir02", "10.2.0.22", 80),
                               ("pchat01", "10.2.0.41", 443), ("owas01", "10.2.0.51", 443),
                               ("edge01", "10.1.0.21", 4443), ("edge02", "10.1.0.22", 4443),
                               ("inet2", "192.0.2.80", 80), ("rp01", "198.51.100.41", 443)):
            self.wait(ns, addr, port)

    def _tls(self, ns):
        return ("  ssl_certificate %s.crt; ssl_certificate_key %s.key; ssl_protocols TLSv1.2;\n"
                "  ssl_client_certificate %s.crt; ssl_verify_client optional;\n"
                % (self.pem(ns), self.pem(ns), self.pem("ca")))

    def nginx(self, ns, servers, passing=False):
        base = tempfile.mkdtemp(prefix="nginx-" + ns, dir=self.work)
        with open(base + "/nginx.conf", "w") as f:
            f.write("daemon off; master_process off; user root; pid %s/pid;\n"
                    "error_log %s/error.log;\nevents {}\nhttp {\n access_log off;\n"
                    " client_body_temp_path %s/a; proxy_temp_path %s/b; fastcgi_temp_path %s/c;\n"
                    " uwsgi_temp_path %s/d; scgi_temp_path %s/e;\n%s}\n"
                    % (base, base, base, base, base, base, base, servers))
        self.spawn(ns, ["nginx", "-p", base, "-c", base + "/nginx.conf", "-e",
                        base + "/start.log"], passing)

    # -- relays on the Edge nodes, dnsmasq inside and outside

    def relay(self, how=None):
        """What plays the A/V Edge on the nodes; after forget().

        how: by node, more arguments for coturn, or an msturn.Server, or "tls": another
        service at port 443 outside.
        """
        how = {ns: (how or {}).get(ns, []) for ns in RELAYS}
        if how == self.relays:
            return
        for p in [p for p in self.procs if p in self.turn]:
            self.end(p)
        self.turn, self.relays = [], how
        for ns, (ext, inner) in RELAYS.items():
            if isinstance(how[ns], list):
                self._coturn(ns, ext, inner, how[ns])
                continue
            self.relays = None  # it passes with the capture
            if how[ns] == "tls":
                self.tls(ext, 443, "-tls1_2", "-rev", "-quiet")
                continue
            for addr in (ext, inner):
                self._listen(addr, 3478, "udp", how[ns].datagram)
                self._listen(addr, 443, "tcp", how[ns].segment)

    def _coturn(self, ns, ext, inner, more):
        common = ["turnserver", "-n", "-L", ext, "-L", inner, "-E", ext, "--lt-cred-mech",
                  "--user=lab:lab", "--realm=contoso.example", "--min-port=50000",
                  "--max-port=59999", "--no-tls", "--no-dtls", "--no-cli", "--log-file=stdout",
                  "--no-rfc5780", "--simple-log", "-m", "1",
                  "--pidfile=" + os.path.join(self.work, "turn-%s.pid" % ns),
                  "--userdb=" + os.path.join(self.work, "turn-%s.db" % ns)] + more
        self.turn.append(self.spawn(ns, common + ["--listening-port=3478", "--no-tcp"]))
        self.turn.append(self.spawn(ns, common + ["--listening-port=443", "--no-udp"]))
        self.wait(ns, ext, 443)
        self.wait(ns, inner, 443)

    def peer(self, addr):
        """The other end of relayed media: sends back what it gets."""
        key = (addr, 3478, "udp")
        if key not in self.known:
            self.known.add(key)
            self.spawn(ADDRESS_NS[addr], ["turnutils_peer", "-L", addr, "-p", "3478"],
                       passing=True)
            time.sleep(0.3)

    def names(self):
        for ns, addrs in (("infra", ["10.2.1.10", "10.2.1.11"]), ("inet2", ["192.0.2.53"])):
            argv = ["dnsmasq", "-k", "-C", "/dev/null", "--no-resolv", "--no-hosts", "--no-poll",
                    "--pid-file=", "--bind-interfaces", "--except-interface=lo", "-u", "root",
                    "--address=/contoso.example/10.2.0.10",
                    "--address=/fabrikam.example/203.0.113.20"]
            argv += ["--listen-address=" + a for a in addrs]
            if ns == "infra":
                argv += ["--dhcp-range=10.20.1.0,static,255.255.255.0",
                         "--dhcp-leasefile=" + os.path.join(self.work, "leases"),
                         "--dhcp-option=vendor:MS-UC-Client,1,pool01.contoso.example"]
            self.spawn(ns, argv)
            for a in addrs:
                self.known.add((a, 53, "udp"))
                self.known.add((a, 53, "tcp"))
                self.wait(ns, a, 53)


def workdir():
    return tempfile.mkdtemp(prefix="lyncaudit-lab-")
