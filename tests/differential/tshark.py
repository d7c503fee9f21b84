"""What tshark reads in a capture, packet by packet, for comparison with a flow log.

tshark is asked for the layers that lyncaudit opens, and for no more: all other
protocols are switched off.  Then what it says of a packet does not depend on what
its port or its content look like, and a tunnel that lyncaudit leaves closed (GTP,
L2TP, Teredo, ...) is the same outer packet for both.  Fragments are not put
together by tshark: each packet is reported as it is.
"""

import os
import shutil
import subprocess
from decimal import Decimal

TUNNELS = ("gre", "erspan", "vxlan", "geneve", "tzsp", "mpls", "pppoes")
UDP_TUNNELS, TUNNEL_PORTS = ("vxlan", "geneve", "tzsp"), (4789, 8472, 6081, 37008)
# tshark's names of the layers that lyncaudit reads.
LAYERS = TUNNELS + (
    "frame", "eth", "ethertype", "vlan", "ieee8021ad", "llc", "pwethheuristic", "pwethnocw",
    "pwethcw", "ppp", "chdlc", "sll", "raw", "null", "ip", "ipv6", "ipv6.dstopts",
    "ipv6.fraghdr", "ipv6.hopopts", "ipv6.routing", "ah", "tcp", "udp", "icmp", "icmpv6",
    "mipv6", "hip", "shim6", "data")
QUOTES = ("icmp", "icmpv6")  # what follows them in a packet is another packet's header

FIELDS = (
    "frame.number", "frame.encap_type", "frame.time_epoch", "frame.len", "frame.cap_len",
    "frame.protocols",
    "ip.src", "ip.dst", "ip.proto", "ip.hdr_len", "ip.len", "ip.id", "ip.flags.mf",
    "ip.frag_offset", "ipv6.src", "ipv6.dst", "ipv6.plen", "ipv6.fraghdr.nxt",
    "ipv6.fraghdr.offset", "ipv6.fraghdr.more", "ipv6.fraghdr.ident",
    "tcp.srcport", "tcp.dstport", "tcp.hdr_len", "tcp.seq_raw", "tcp.ack_raw", "tcp.flags",
    "tcp.window_size_value", "tcp.options", "tcp.checksum", "tcp.payload",
    "udp.srcport", "udp.dstport", "udp.length", "udp.checksum", "udp.payload",
    "gre.proto", "gre.flags.version", "pppoe.payload_length")

# Fragments as they are; lengths of 0 from segmentation offload; VXLAN's
# old port; no MPLS in UDP and no VXLAN-GPE, which lyncaudit leaves closed.
OPTIONS = ("-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE",
           "-o", "ip.tso_support:TRUE", "-o", "ipv6.tso_support:TRUE",
           "-o", "tcp.analyze_sequence_numbers:FALSE", "-d", "udp.port==8472,vxlan",
           "-d", "udp.port==6635,data", "-d", "udp.port==4790,data")

# What lyncaudit opens in GRE: IP, bridged Ethernet, MPLS, ERSPAN.
GRE_OPENED = {0x0800, 0x86DD, 0x6558, 0x8847, 0x8848, 0x88BE, 0x22EB}
RAW_IP4, RAW_IP6 = "129", "130"  # tshark's numbers of the link types IPV4 and IPV6

# Bytes before the first IP header, by layer; those that may be of any length are not here.
HEADERS = {"eth": 14, "vlan": 4, "ieee8021ad": 4, "sll": 16, "null": 4, "raw": 0, "chdlc": 4,
           "ethertype": 0}


def available():
    return shutil.which("tshark") is not None


def configure(folder):
    """Make `folder` the configuration that switches other protocols off."""
    listed = subprocess.run(["tshark", "-G", "protocols"], stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, text=True, check=True, timeout=120).stdout
    names = {line.split("\t")[2] for line in listed.splitlines()}
    with open(os.path.join(folder, "disabled_protos"), "w") as f:
        f.writelines(n + "\n" for n in sorted(names)
                     if n not in LAYERS and not n.startswith("_ws."))


def number(text, otherwise=0):
    return int(text, 0) if text else otherwise


class Frame:
    """One frame, and the innermost IP packet in it as tshark shows it."""

    def __init__(self, line):
        self.all = dict(zip(FIELDS, line.rstrip("\n").split("\t")))
        self.number = int(self.all["frame.number"])
        self.time_ns = int(Decimal(self.all["frame.time_epoch"] or "0") * 10**9)
        self.wire = int(self.all["frame.len"])
        self.captured = int(self.all["frame.cap_len"])
        self.layers = self.all["frame.protocols"].split(":")
        self.by_source = self.stop_at_source_port()
        inner = self.layers
        for i, layer in enumerate(self.layers):
            if layer in TUNNELS:
                inner = self.layers[i + 1:]
        self.in_tunnel = len(inner) != len(self.layers) or \
            sum(layer in ("ip", "ipv6") for layer in self.layers) > 1
        self.quotes = any(layer in QUOTES for layer in inner)
        versions = [layer for layer in inner if layer in ("ip", "ipv6")]
        self.version = versions[-1] if versions and not self.quotes else None
        self.transport = "tcp" if "tcp" in inner else "udp" if "udp" in inner else None
        if self.version is None:
            self.transport = None
        self.src = self.last(self.version + ".src") if self.version else ""
        self.dst = self.last(self.version + ".dst") if self.version else ""

    def stop_at_source_port(self):
        """Forget what tshark opened in UDP by its source port alone; True where it did."""
        ports = self.all["udp.dstport"].split(",")
        for i, layer in enumerate(self.layers):
            n = self.layers[:i].count("udp")
            if layer in UDP_TUNNELS and n <= len(ports) and \
                    number(ports[n - 1]) not in TUNNEL_PORTS:
                self.layers = self.layers[:i]
                for field in FIELDS:
                    protocol = field.partition(".")[0]
                    if protocol in ("ip", "ipv6", "tcp", "udp"):
                        values = self.all[field].split(",")[:self.layers.count(protocol)]
                        self.all[field] = ",".join(values)
                return True
        return False

    def last(self, field):
        """The innermost value of a field; "" where there is none."""
        return self.all[field].rpartition(",")[2]

    def ports(self):
        """Both ports, or None where the capture does not hold them."""
        source = self.last(self.transport + ".srcport")
        target = self.last(self.transport + ".dstport")
        return (int(source), int(target)) if source and target else None

    def fragment(self):
        """(id, offset, more, protocol) of a fragment, else None."""
        if self.version == "ip":
            offset, more = 8 * number(self.last("ip.frag_offset")), self.last("ip.flags.mf")
            ident, proto = self.last("ip.id"), self.last("ip.proto")
        elif self.version == "ipv6" and "ipv6.fraghdr" in self.layers:
            offset = 8 * number(self.last("ipv6.fraghdr.offset"))
            more, ident = self.last("ipv6.fraghdr.more"), self.last("ipv6.fraghdr.ident")
            proto = self.last("ipv6.fraghdr.nxt")
        else:
            return None
        more = more in ("1", "True")
        return (ident, offset, more, proto) if more or offset else None

    def closed(self):
        """True when tshark opened something in GRE that lyncaudit leaves closed."""
        kinds = [number(k) for k in self.all["gre.proto"].split(",") if k]
        versions = [number(v) for v in self.all["gre.flags.version"].split(",") if v]
        return any(k not in GRE_OPENED for k in kinds) or any(versions)

    def against_link(self):
        """True when the link type promised the other version of IP."""
        link, first = self.all["frame.encap_type"], self.layers[:2]
        return (link == RAW_IP4 and first == ["ip", "ipv6"]) or \
            (link == RAW_IP6 and first == ["ipv6", "ip"])

    def ip_claim(self):
        """Length of the IP packet by its own header; None where it leaves that open."""
        if self.version == "ip":
            return number(self.last("ip.len")) or None
        length = number(self.last("ipv6.plen"))
        return 40 + length if length else None

    def ip_room(self):
        """Bytes that the frame had for the IP packet; None where that is not plain."""
        room = self.wire
        if self.layers[-4:-1].count("pppoes") and self.last("pppoe.payload_length"):
            return int(self.last("pppoe.payload_length")) - 2
        for layer in self.layers[:self.layers.index(self.version)]:
            if layer not in HEADERS:
                return None
            room -= HEADERS[layer]
        return room if not self.in_tunnel else None


def read(path, configuration, timeout, options=()):
    """(frames, what tshark said on standard error).  Raises subprocess.TimeoutExpired."""
    argv = ["tshark", "-n", "-r", path, *OPTIONS, *options, "-T", "fields",
            "-E", "separator=/t", "-E", "occurrence=a", "-E", "aggregator=,"]
    for field in FIELDS:
        argv += ["-e", field]
    p = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                       timeout=timeout, env={**os.environ, "WIRESHARK_CONFIG_DIR": configuration})
    frames = [Frame(line) for line in p.stdout.splitlines()]
    said = [line for line in p.stderr.splitlines() if not line.startswith("Running as user")]
    return frames, " ".join(said)
