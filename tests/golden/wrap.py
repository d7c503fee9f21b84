#!/usr/bin/env python3
"""The packets of a case behind every tag and inside every tunnel that is opened.

usage: wrap.py PROGRAM CASE [--rules DIR] [--only NAME] [--without-tshark]

Wraps each packet of the capture of CASE in turn in all encapsulations of WRAPPINGS,
as no kernel of a test machine has devices for all of them, and audits the result:
flow log and findings must be those of the bare packets, with VLANs and tunnel noted
on each flow.  IP bytes are the inner packet's, so the volumes are the same too; only
UDP datagrams cut into fragments have more packets and more headers, and just that
many more are demanded.

Where tshark is installed it must read every wrapped packet as meant: the layers of
the wrapping in their order, and inside the ends and ports of the bare packet.
"""

import argparse
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lab"))
sys.path.insert(0, os.path.join(HERE, "..", "differential"))
import carriers  # noqa: E402
import tshark  # noqa: E402
import wire  # noqa: E402

TIMEOUT = 60  # seconds; an audit of these captures takes well below one

EN10MB, PPP, PPP_HDLC, PPP_ETHER, C_HDLC, IPV4, IPV6 = 1, 9, 50, 51, 104, 228, 229

MACS = bytes.fromhex("02005e0000f102005e0000f2")
OUTER4 = socket.inet_aton("192.0.2.1"), socket.inet_aton("192.0.2.2")
OUTER6 = tuple(socket.inet_pton(socket.AF_INET6, "2001:db8:f::%d" % n) for n in (1, 2))


# ---- outer headers -------------------------------------------------------------

def is_ipv4(frame):
    return frame[12:14] == b"\x08\0"


def ip_of(frame):
    """The IP packet without the padding of a short frame."""
    return frame[14:14 + wire.ip_bytes(frame)]


def unpadded(frame):
    return frame[:14] + ip_of(frame)


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ethernet(kind, payload):
    return MACS + struct.pack("!H", kind) + payload


class Count:
    """IP ids and sequence numbers of the outer packets: each differs from the last."""

    def __init__(self):
        self.n = 0

    def next(self):
        self.n = self.n % 0xFFFF + 1
        return self.n


ids = Count()


def in_ipv4(proto, payload):
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), ids.next(), 0, 64, proto, 0)
    head += OUTER4[0] + OUTER4[1]
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def in_ipv6(proto, payload):
    return struct.pack("!IHBB", 6 << 28, len(payload), proto, 64) + OUTER6[0] + OUTER6[1] + payload


def over_ipv4(proto, payload):
    return ethernet(0x0800, in_ipv4(proto, payload))


def over_ipv6(proto, payload):
    return ethernet(0x86DD, in_ipv6(proto, payload))


def over_udp(port, payload):
    return over_ipv4(17, struct.pack("!HHHH", 49152 + ids.next() % 1024, port, 8 + len(payload), 0)
                     + payload)


# ---- tags and link layers --------------------------------------------------------

def tagged(*tags):
    """(EtherType of the tag, its 16 bits), outer first."""
    def carry(frame):
        return frame[:12] + b"".join(struct.pack("!HH", *t) for t in tags) + frame[12:]
    return carry


def snap(frame):
    return b"\xaa\xaa\x03\0\0\0" + unpadded(frame)[12:]


def in_llc(frame):
    """802.3 with LLC and SNAP; a packet too long for that stays as it was."""
    body = snap(frame)
    return frame[:12] + struct.pack("!H", len(body)) + body if len(body) <= 1500 else frame


def in_tagged_llc(frame):
    body = snap(frame)
    if len(body) > 1500:
        return tagged((0x8100, 110))(frame)
    return frame[:12] + struct.pack("!HHH", 0x8100, 110, len(body)) + body


def in_mpls(*labels, wrapping=lambda b: b, whole=False):
    """A label stack; below it the IP packet, or `wrapping` of the whole frame."""
    def carry(frame):
        stack = b"".join(struct.pack("!I", label << 12 | (n == len(labels) - 1) << 8 | 64)
                         for n, label in enumerate(labels))
        return ethernet(0x8847, stack + (wrapping(unpadded(frame)) if whole else ip_of(frame)))
    return carry


def ppp_protocol(frame):
    return b"\0\x21" if is_ipv4(frame) else b"\0\x57"


def pppoe_header(frame):
    body = ppp_protocol(frame) + ip_of(frame)
    return struct.pack("!BBHH", 0x11, 0, 777, len(body)) + body


def in_pppoe(frame):
    return ethernet(0x8864, pppoe_header(frame))


def in_ppp(frame):
    return b"\xff\x03" + ppp_protocol(frame) + ip_of(frame)


def in_short_ppp(frame):
    """Address, control and the first byte of the protocol left out."""
    return ppp_protocol(frame)[1:] + ip_of(frame)


def in_cisco_hdlc(frame):
    return b"\x0f\0" + unpadded(frame)[12:]


# ---- tunnels ---------------------------------------------------------------------

def gre_header(proto, body, key=None, sequence=None, summed=False):
    flags = (key is not None) << 13 | (sequence is not None) << 12 | summed << 15
    head = struct.pack("!HH", flags, proto)
    rest = (struct.pack("!I", key) if key is not None else b"") + \
        (struct.pack("!I", sequence) if sequence is not None else b"")
    if summed:
        head += struct.pack("!HH", checksum(head + b"\0\0\0\0" + rest + body), 0)
    return head + rest + body


def in_gre(over=over_ipv4, **options):
    def carry(frame):
        if "sequence" in options:
            options["sequence"] += 1
        return over(47, gre_header(struct.unpack_from("!H", frame, 12)[0], ip_of(frame),
                                   **options))
    return carry


def in_gre_bridge(frame):
    return over_ipv4(47, gre_header(0x6558, unpadded(frame), key=42))


def in_gre_mpls(frame):
    return over_ipv4(47, gre_header(0x8847, struct.pack("!I", 3001 << 12 | 1 << 8 | 64) +
                                    ip_of(frame)))


def in_erspan1(frame):
    return over_ipv4(47, gre_header(0x88BE, unpadded(frame)))


def in_erspan2(frame):
    head = struct.pack("!HHI", 1 << 12 | 110, 99, 7)
    return over_ipv4(47, gre_header(0x88BE, head + unpadded(frame), sequence=ids.next()))


def in_erspan3(platform):
    def carry(frame):
        head = struct.pack("!HHIHH", 2 << 12 | 110, 99, 123456, 0, platform)
        head += b"\0" * 8 if platform else b""
        return over_ipv4(47, gre_header(0x22EB, head + unpadded(frame), sequence=ids.next()))
    return carry


def in_tzsp(tags):
    def carry(frame):
        return over_udp(37008, b"\1\0\0\1" + tags + unpadded(frame))
    return carry


def in_vxlan(port, inner=unpadded):
    def carry(frame):
        return over_udp(port, struct.pack("!II", 0x08000000, 5001 << 8) + inner(frame))
    return carry


def in_geneve(options, bridged):
    def carry(frame):
        kind = 0x6558 if bridged else struct.unpack_from("!H", frame, 12)[0]
        head = struct.pack("!BBHI", len(options) // 4, 0, kind, 5002 << 8)
        return over_udp(6081, head + options + (unpadded(frame) if bridged else ip_of(frame)))
    return carry


def in_ip(over):
    """IP in IP, by the version inside."""
    def carry(frame):
        return over(4 if is_ipv4(frame) else 41, ip_of(frame))
    return carry


def tagged_vxlan(frame):
    return tagged((0x8100, 20))(in_vxlan(4789, tagged((0x8100, 110)))(unpadded(frame)))


def gre_in_vxlan(frame):
    return in_vxlan(4789)(in_gre(key=42)(frame))


class Wrapping:
    """One way to wrap.  layers: tshark's names of it, in their order.

    options: what tshark has to be told to read it.
    """

    def __init__(self, name, carry, layers, link=EN10MB, vlan=(), tunnel=None, only=wire.is_ip,
                 options=()):
        self.name, self.carry, self.layers, self.link = name, carry, layers, link
        self.options = options
        self.vlan, self.only = list(vlan), only
        self.tunnel = {"kind": tunnel[0], "id": tunnel[1]} if tunnel else None


def is_ipv6(frame):
    return not is_ipv4(frame)


V110 = (0x8100, 110)

WRAPPINGS = [
    Wrapping("802.1Q", tagged(V110), ["eth", "vlan"], vlan=[110]),
    Wrapping("priority tag", tagged((0x8100, 0xA000)), ["eth", "vlan"]),
    Wrapping("QinQ", tagged((0x8100, 20), V110), ["eth", "vlan", "vlan"], vlan=[20, 110]),
    Wrapping("802.1ad", tagged((0x88A8, 20), V110), ["eth", "ieee8021ad", "vlan"],
             vlan=[20, 110]),
    Wrapping("QinQ 9100", tagged((0x9100, 20), V110), ["eth", "vlan", "vlan"],
             vlan=[20, 110]),
    # tshark makes one layer of two tags in a row of 802.1ad, and of all labels of MPLS.
    Wrapping("four tags", tagged((0x88A8, 10), (0x88A8, 20), (0x8100, 30), V110),
             ["ieee8021ad", "vlan", "vlan"], vlan=[10, 20, 30, 110]),
    Wrapping("LLC/SNAP", in_llc, ["eth"]),
    Wrapping("802.1Q and LLC/SNAP", in_tagged_llc, ["eth", "vlan"], vlan=[110]),
    Wrapping("MPLS", in_mpls(3001), ["eth", "mpls"], tunnel=("mpls", 3001)),
    Wrapping("MPLS, three labels", in_mpls(16, 17, 3001), ["mpls"], tunnel=("mpls", 3001)),
    Wrapping("MPLS pseudowire with control word",
             in_mpls(16, 3001, wrapping=lambda b: b"\0\0\0\1" + b, whole=True),
             ["mpls", "pwethcw", "eth"], tunnel=("mpls", 3001)),
    # Nothing on the wire tells this one: tshark has to be told, lyncaudit tries.
    Wrapping("MPLS pseudowire", in_mpls(3001, whole=True), ["mpls", "eth"],
             tunnel=("mpls", 3001), options=("-d", "mpls.label==3001,pwethnocw")),
    Wrapping("PPPoE", in_pppoe, ["eth", "pppoes", "ppp"], tunnel=("pppoe", 777)),
    Wrapping("802.1Q and PPPoE", lambda f: tagged(V110)(in_pppoe(f)), ["vlan", "pppoes"],
             vlan=[110], tunnel=("pppoe", 777)),
    Wrapping("PPPoE as link type", pppoe_header, ["pppoes", "ppp"], link=PPP_ETHER,
             tunnel=("pppoe", 777)),
    Wrapping("PPP", in_ppp, ["ppp"], link=PPP),
    Wrapping("PPP, compressed header", in_short_ppp, ["ppp"], link=PPP),
    Wrapping("PPP in HDLC", in_ppp, ["ppp"], link=PPP_HDLC),
    Wrapping("Cisco HDLC", in_cisco_hdlc, ["chdlc"], link=C_HDLC),
    Wrapping("Cisco HDLC as PPP_HDLC", in_cisco_hdlc, ["chdlc"], link=PPP_HDLC),
    Wrapping("Linux cooked", carriers.cooked, ["sll"], link=carriers.SLL),
    Wrapping("Linux cooked 2", carriers.cooked2, ["sll"], link=carriers.SLL2),
    Wrapping("raw", carriers.raw, ["raw"], link=carriers.RAW),
    Wrapping("raw IPv4", ip_of, ["ip"], link=IPV4, only=is_ipv4),
    Wrapping("raw IPv6", ip_of, ["ipv6"], link=IPV6, only=is_ipv6),
    Wrapping("null, little endian", carriers.null("<"), ["null"], link=carriers.NULL),
    Wrapping("null, big endian", carriers.null(">"), ["null"], link=carriers.NULL),
    Wrapping("loop", carriers.null(">"), ["null"], link=carriers.LOOP),
    Wrapping("GRE", in_gre(), ["ip", "gre"], tunnel=("gre", 0)),
    Wrapping("GRE with key", in_gre(key=42), ["ip", "gre"], tunnel=("gre", 42)),
    Wrapping("GRE with checksum", in_gre(summed=True), ["ip", "gre"], tunnel=("gre", 0)),
    Wrapping("GRE with sequence", in_gre(sequence=0), ["ip", "gre"], tunnel=("gre", 0)),
    Wrapping("GRE with all three", in_gre(key=42, sequence=0, summed=True), ["ip", "gre"],
             tunnel=("gre", 42)),
    Wrapping("GRE over IPv6", in_gre(over=over_ipv6), ["ipv6", "gre"], tunnel=("gre", 0)),
    Wrapping("GRE, bridged", in_gre_bridge, ["gre", "eth"], tunnel=("gre", 42)),
    Wrapping("MPLS over GRE", in_gre_mpls, ["gre", "mpls"], tunnel=("mpls", 3001)),
    Wrapping("ERSPAN I", in_erspan1, ["gre", "eth"], tunnel=("erspan-1", 0)),
    Wrapping("ERSPAN II", in_erspan2, ["gre", "erspan", "eth"], vlan=[110],
             tunnel=("erspan-2", 99)),
    Wrapping("ERSPAN III", in_erspan3(0), ["gre", "erspan", "eth"], vlan=[110],
             tunnel=("erspan-3", 99)),
    Wrapping("ERSPAN III with subheader", in_erspan3(1), ["gre", "erspan", "eth"], vlan=[110],
             tunnel=("erspan-3", 99)),
    Wrapping("TZSP", in_tzsp(b"\1"), ["udp", "tzsp", "eth"], tunnel=("tzsp", 0)),
    Wrapping("TZSP with tags", in_tzsp(b"\0\x0a\1\xc8\0\x28\4\0\0\0\1\1"),
             ["udp", "tzsp", "eth"], tunnel=("tzsp", 0)),
    Wrapping("VXLAN", in_vxlan(4789), ["udp", "vxlan", "eth"], tunnel=("vxlan", 5001)),
    Wrapping("VXLAN on 8472", in_vxlan(8472), ["udp", "vxlan", "eth"], tunnel=("vxlan", 5001)),
    Wrapping("802.1Q, VXLAN, 802.1Q", tagged_vxlan, ["vlan", "udp", "vxlan", "eth", "vlan"],
             vlan=[110], tunnel=("vxlan", 5001)),
    Wrapping("GENEVE", in_geneve(b"", True), ["udp", "geneve", "eth"], tunnel=("geneve", 5002)),
    Wrapping("GENEVE with options, IP inside", in_geneve(b"\1\2\3\1\0\0\0\7", False),
             ["udp", "geneve"], tunnel=("geneve", 5002)),
    Wrapping("IP in IPv4", in_ip(over_ipv4), ["eth", "ip"], tunnel=("ip-in-ip", 0)),
    Wrapping("IP in IPv6", in_ip(over_ipv6), ["eth", "ipv6"], tunnel=("ip-in-ip", 0)),
    Wrapping("GRE in VXLAN", gre_in_vxlan, ["vxlan", "eth", "ip", "gre"], tunnel=("gre", 42)),
]


# Bytes of a fragment, and whether the last one comes first.
FRAGMENTS = [(8, False), (8, True), (64, False), (552, False), (552, True)]


# ---- fragments ---------------------------------------------------------------------

def fragments_name(size, backwards):
    return "fragments of %d bytes%s" % (size, ", backwards" if backwards else "")


def fragments(frame, size):
    """The frame's UDP datagram over IPv4 in fragments of `size` bytes; others whole."""
    packet = ip_of(frame)
    if not is_ipv4(frame) or packet[9] != 17 or packet[6:8] not in (b"\0\0", b"\x40\0") \
            or len(packet) - 20 <= size or packet[0] != 0x45:
        return [frame]
    body, pieces, ident = packet[20:], [], ids.next()
    for at in range(0, len(body), size):
        piece = body[at:at + size]
        more = at + size < len(body)
        head = packet[:2] + struct.pack("!HHH", 20 + len(piece), ident, more << 13 | at // 8) + \
            packet[8:10] + b"\0\0" + packet[12:20]
        head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
        pieces.append(frame[:14] + head + piece)
    return pieces


def fragmented(packets, size, backwards):
    """(packets, further packets by conversation and direction)."""
    out, further = [], {}
    for t, frame, orig in packets:
        pieces = fragments(frame, size)
        e = wire.ends(frame)
        if len(pieces) > 1:
            key = e[:5]
            further[key] = further.get(key, 0) + len(pieces) - 1
        for piece in reversed(pieces) if backwards else pieces:
            out.append((t, piece, orig if len(pieces) == 1 else len(piece)))
    return out, further


# ---- what is said of it --------------------------------------------------------------

class Case:
    def __init__(self, args):
        with open(os.path.join(args.case, "case.json")) as f:
            case = json.load(f)
        (name,) = case["captures"]
        self.argv = [args.program, "audit", "-q", "-s", os.path.join(args.case, case["site"])]
        self.argv += ["--rules", args.rules] if args.rules else []
        self.argv += case["options"]
        self.exit = case["exit"]
        # Not every link type carries ARP, and a packet cut short cannot be wrapped.
        self.packets = [p for p in wire.read_any(os.path.join(args.case, name))
                        if wire.is_ip(p[1]) and len(p[1]) == p[2]]

    def audit(self, path, folder):
        """(flows, report without what names the run and its sources, faults)."""
        flows, report = os.path.join(folder, "flows.jsonl"), os.path.join(folder, "report.json")
        p = subprocess.run(self.argv + ["-r", path, "--flows", flows, "-o", report],
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                           timeout=TIMEOUT)
        if p.returncode not in (0, 1, 3):
            return [], {}, ["exit status %d: %s" % (p.returncode, p.stdout.strip()[-500:])]
        with open(flows) as f:
            lines = [json.loads(line) for line in f]
        with open(report) as f:
            said = json.load(f)
        for key in ("run", "validity", "capture"):
            del said[key]
        return lines, said, []


def order(flows):
    return sorted(flows, key=lambda f: (f["first"], f["transport"], f["src"], f["sport"] or 0,
                                        f["dst"], f["dport"] or 0))


def compare_flows(bare, wrapped):
    """Sentences on every flow that differs in more than it should."""
    faults = []
    if len(bare) != len(wrapped):
        faults.append("%d flows instead of %d" % (len(wrapped), len(bare)))
    for want, got in zip(order(bare), order(wrapped)):
        keys = [k for k in want if want[k] != got[k]]
        if keys:
            faults.append("%s %s:%s -> %s:%s: %s" % (
                want["transport"], want["src"], want["sport"], want["dst"], want["dport"],
                "; ".join("%s %s instead of %s" % (k, json.dumps(got[k]), json.dumps(want[k]))
                          for k in keys)))
    return faults


def with_path(flows, vlan, tunnel):
    return [dict(f, vlan=vlan, tunnel=tunnel) for f in flows]


def with_more(flows, further):
    """The flows with as many more packets, and IPv4 headers, as their fragments make."""
    out = []
    for f in flows:
        f = dict(f, packets=list(f["packets"]), bytes=list(f["bytes"]))
        ends = (f["src"], f["sport"]), (f["dst"], f["dport"])
        for side in (0, 1):
            a, b = ends if side == 0 else ends[::-1]
            n = further.get((f["transport"],) + a + b, 0)
            f["packets"][side] += n
            f["bytes"][side] += 20 * n
        out.append(f)
    return out


def without_volumes(report):
    """What is left of a report where packets, bytes and names of files are others."""
    if isinstance(report, dict):
        return {k: without_volumes(v) for k, v in report.items()
                if k not in ("packets", "bytes", "samples", "packet", "source")}
    if isinstance(report, list):
        return [without_volumes(v) for v in report]
    return report


def without_sources(report):
    """A report without the names of files."""
    report = json.loads(json.dumps(report))
    for finding in report.get("findings", []):
        for sample in finding["samples"]:
            del sample["source"]
        for leg in (finding["proof"] or {}).get("legs", []):
            del leg["source"]
    return report


# ---- what tshark says of it ------------------------------------------------------------

def is_within(wanted, layers):
    rest = iter(layers)
    return all(any(layer == w for layer in rest) for w in wanted)


def innermost(frames):
    return [(f.transport, f.src, f.dst, f.ports() if f.transport else None) for f in frames]


class Tshark:
    """Reads captures with tshark; counts what it was not asked."""

    def __init__(self, args, folder):
        self.there = tshark.available() and not args.without_tshark
        self.folder = folder
        if self.there:
            tshark.configure(folder)

    def read(self, path, options=()):
        return tshark.read(path, self.folder, TIMEOUT, options)[0]

    def faults(self, path, wrapping, bare):
        """Sentences on the first packets that tshark reads otherwise than the bare ones."""
        frames = self.read(path, wrapping.options)
        faults = []
        if len(frames) != len(bare):
            return ["tshark reads %d packets instead of %d" % (len(frames), len(bare))]
        for frame, want, got in zip(frames, bare, innermost(frames)):
            if not is_within(wrapping.layers, frame.layers):
                faults.append("packet %d: tshark reads the layers %s"
                              % (frame.number, ":".join(frame.layers)))
            elif got != want:
                faults.append("packet %d: tshark reads %s instead of %s"
                              % (frame.number, got, want))
        return faults[:3]


# ---- one after the other -----------------------------------------------------------------

class Run:
    def __init__(self, case, reader, folder):
        self.case, self.reader, self.folder = case, reader, folder
        self.path = os.path.join(folder, "wrapped.pcap")
        self.bare = {}

    def bare_of(self, only):
        """(flows, report, what tshark reads) of the packets that `only` lets pass."""
        if only not in self.bare:
            packets = [p for p in self.case.packets if only(p[1])]
            path = os.path.join(self.folder, "bare.pcap")
            carriers.pcap(path, packets)
            flows, report, faults = self.case.audit(path, self.folder)
            if faults:
                raise SystemExit("bare packets: " + faults[0])
            seen = innermost(self.reader.read(path)) if self.reader.there else []
            self.bare[only] = packets, flows, report, seen
        return self.bare[only]

    def wrap(self, wrapping):
        """Faults of one wrapping; None where the case has no packet for it."""
        packets, flows, report, seen = self.bare_of(wrapping.only)
        if not packets:
            return None
        carriers.pcap(self.path, packets, link=wrapping.link, carry=wrapping.carry)
        wrapped, said, faults = self.case.audit(self.path, self.folder)
        faults += compare_flows(with_path(flows, wrapping.vlan, wrapping.tunnel), wrapped)
        if not faults and without_sources(said) != without_sources(report):
            faults.append("the flows are the same, but the report is another")
        if self.reader.there:
            faults += self.reader.faults(self.path, wrapping, seen)
        return faults

    def fragment(self, size, backwards):
        _, flows, report, _ = self.bare_of(wire.is_ip)
        packets, further = fragmented(self.case.packets, size, backwards)
        if not further:
            return None
        carriers.pcap(self.path, packets)
        got, said, faults = self.case.audit(self.path, self.folder)
        faults += compare_flows(with_more(flows, further), got)
        if not faults and without_volumes(said) != without_volumes(report):
            faults.append("the flows are the same, but the report is another")
        if self.reader.there:
            faults += self.fragment_faults(sum(further.values()))
        return faults

    def fragment_faults(self, further):
        frames = self.reader.read(self.path)
        later = [f for f in frames if f.fragment() and f.fragment()[1] > 0]
        if len(later) != further:
            return ["tshark reads %d later fragments instead of %d" % (len(later), further)]
        return []


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("program")
    ap.add_argument("case")
    ap.add_argument("--rules")
    ap.add_argument("--only", help="one wrapping, by its name")
    ap.add_argument("--without-tshark", action="store_true")
    args = ap.parse_args()

    tried = failed = 0
    with tempfile.TemporaryDirectory(prefix="lyncaudit-wrap-") as folder:
        run = Run(Case(args), Tshark(args, folder), folder)
        ways = [(w.name, run.wrap, (w,)) for w in WRAPPINGS]
        for size, backwards in FRAGMENTS:
            ways.append((fragments_name(size, backwards), run.fragment, (size, backwards)))
        for name, method, arguments in ways:
            if args.only not in (None, name):
                continue
            faults = method(*arguments)
            if faults is None:
                continue
            tried += 1
            failed += bool(faults)
            if faults:
                print("wrapped in %s:" % name)
                print("".join("    %s\n" % f for f in faults[:5]), end="")
        print("wrap: %d packets, %d wrappings, %d differ%s"
              % (len(run.case.packets), tried, failed, "" if run.reader.there else
                 "; tshark is not installed, and was not asked"))
    return 1 if failed or not tried else 0


if __name__ == "__main__":
    sys.exit(main())
