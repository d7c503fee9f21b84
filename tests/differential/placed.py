#!/usr/bin/env python3
"""Real conversations at the ends that the documents name: no finding on clean traffic.

usage: placed.py FOLDER|FILE... --program PATH [--site FILE] [--rules DIR]

Takes from captures (a folder is searched through) the conversations in which tshark
proves one protocol, gives them the addresses and ports of documented rows, and audits
them.  Each one is put twice:

  - where a row documents its protocol: a `cleartext` or `protocol-mismatch` there is false;
  - where no row does, when all of it was captured: without one of these two it is missed.

What a row documents is read from `rules list --json` and ADMITS below, which is written
from the documents and not from the program.  Rows and protocols are taken in turn, so
that many conversations meet all of them.

Prints what is false or missed and a table by protocol.  Exit status: 0 none, 1 some, 77
tshark is missing.
"""

import argparse
import itertools
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
from collections import Counter

import applications
import compare
import spoken
import tshark

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lab"))
import variants  # noqa: E402
import wire  # noqa: E402

SKIPPED = 77
TOGETHER = 20  # conversations in a capture: so few that each is inspected with all means
BEGIN_NS = 1795262400 * 10**9  # 2026-11-21T12:00:00Z

SECURED = {"tls": "fits", "sip": "cleartext", "http": "cleartext", "xmpp": "cleartext"}
MEDIA = {"rtp": "fits", "rtcp": "fits", "stun": "fits", "ms-turn": "fits"}
# A row's application -> what may be spoken there; all else is a mismatch.  Media on STUN's
# port may go on from an allocation that was not seen, and files may travel in any way.
ADMITS = {
    **dict.fromkeys(("sip/tls", "sip/mtls", "https", "psom/tls", "psom/mtls", "xmpp/mtls", "mtls",
                     "tls", "wcf/tls"), SECURED),
    "http": {"http": "fits"}, "dns": {"dns": "fits"}, "xmpp": {"xmpp": "fits"},
    "dcom-rpc": {"dcerpc": "fits"}, "smb": {"smb": "fits"}, "ssrp": {"ssrp": "fits"},
    "dhcp": {"dhcp": "fits"}, "rtp": MEDIA,
    "stun": {"stun": "fits", "ms-turn": "fits", "rtp": "open", "rtcp": "open"},
    "file-transfer": {"stun": "fits", "ms-turn": "fits", "tls": "open", "rtp": "open",
                      "rtcp": "open"},
    "tcp": dict.fromkeys(spoken.PROOFS, "open"),
}
FINDINGS = {"cleartext", "protocol-mismatch"}

GROUPS = {
    "FE": ("front-end", "front-end-vip"),
    "DIR": ("director", "director-vip"),
    "internal-server": ("front-end", "director", "mediation", "persistent-chat",
                        "office-web-apps", "central-management", "survivable-branch"),
    "any-internal": ("client",),
    "any": ("external",),
}
ADDRESSES = {"client": "10.20.7.%d", "external": "192.0.2.%d"}  # of nobody whom the site declares


class Row:
    """A documented row with ends of the site that it allows."""

    def __init__(self, rule, declared):
        self.rule, self.application = rule["id"], rule["application"]
        self.transports = rule["transport"]
        first = rule["ports"][0].partition("-")
        self.port = int(first[0]) + (10 if "-" in rule["ports"][0] else 0)
        self.ends = next(((a, b) for a in addresses(rule["from"], declared)
                          for b in addresses(rule["to"], declared) if a != b), None)

    def fit(self, protocol):
        return ADMITS[self.application].get(protocol, "protocol-mismatch")


def addresses(roles, declared):
    """One address of every role, or a pattern of one; the site's own hosts first."""
    for role in roles:
        for one in GROUPS.get(role, (role,)):
            if one in declared:
                yield from declared[one]
            elif one in ADDRESSES:
                yield ADDRESSES[one]


def rows_of(args):
    declared = {}
    for host in variants.load(args.site)["hosts"]:
        for role, list_ in host["roles"].items():
            declared.setdefault(role, []).extend(a for a in list_ if ":" not in a)
    listed = subprocess.run([args.program, "rules", "list", "--json", "--rules", args.rules],
                            stdout=subprocess.PIPE, check=True).stdout
    rows = [Row(rule, declared) for rule in json.loads(listed)
            if rule["application"] and rule["ports"] != ["any"]]
    return [row for row in rows if row.ends]


# ---- packets -----------------------------------------------------------------------

def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2 + len(data) % 2),
                              data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def frame(source, target, protocol, header, payload, wire_len, ident):
    """An Ethernet frame of which as much is there as the capture had of the payload."""
    a, b = (socket.inet_aton(address) for address in (source, target))
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(header) + wire_len, ident, 0, 64, protocol,
                     0, a, b)
    ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
    return b"\2\0" + b + b"\2\0" + a + b"\x08\0" + ip + header + payload


def rebuilt(packet, source, target, ident):
    """The packet between other ends: (bytes, length on the wire), or None."""
    if packet.transport == "tcp":
        payload = bytes.fromhex((packet.values("tcp.payload") or [""])[-1])
        length = packet.number("tcp.len")
        header = struct.pack("!HHIIHHHH", source[1], target[1], packet.number("tcp.seq_raw"),
                             packet.number("tcp.ack_raw"), 5 << 12 | packet.number("tcp.flags"),
                             8192, 0, 0)
    else:
        payload = bytes.fromhex((packet.values("udp.payload") or [""])[-1])
        length = packet.number("udp.length") - 8
        header = struct.pack("!HHHH", source[1], target[1], 8 + length, 0)
    if not len(payload) <= length <= 65000:
        return None
    data = frame(source[0], target[0], 6 if packet.transport == "tcp" else 17, header, payload,
                 length, ident)
    return data, len(data) + length - len(payload)


def is_whole(packets):
    """TCP: a SYN, and every byte after it up to the last one seen; UDP: nothing was cut."""
    if packets[0].transport == "udp":
        return all(len(p.all["udp.payload"]) // 2 == p.number("udp.length") - 8 for p in packets)
    runs = {}
    for p in packets:
        sent, n = p.number("tcp.seq_raw"), p.number("tcp.len")
        if p.number("tcp.flags") & 2:
            runs.setdefault(p.ends, []).append((0, 0))
            base = runs[p.ends][0] = (sent + 1) % 2**32, 0
        elif p.ends not in runs or len(p.all["tcp.payload"]) // 2 != n:
            return False
        else:
            base = runs[p.ends][0]
            runs[p.ends].append(((sent - base[0]) % 2**32, n))
    return len(runs) == 2 and all(is_covered(sorted(run[1:])) for run in runs.values())


def is_covered(segments):
    end = 0
    for start, n in segments:
        if n and start > end:
            return False
        end = max(end, start + n)
    return True


# ---- conversations -----------------------------------------------------------------

class Found:
    """A conversation in which tshark proves one protocol, and where it was put."""

    def __init__(self, packets, client, protocol, sound):
        self.packets, self.client, self.protocol, self.sound = packets, client, protocol, sound
        self.places = []  # (row, whether it fits, client end, server end)


def found_in(path, folder):
    """The conversations of a capture that can be placed."""
    flows = applications.flows_by_ends(os.path.join(folder, "flows.jsonl"))
    conversations = spoken.read(path, folder)[0]
    for key in sorted(set(flows) & set(conversations)):
        case = applications.Case(path, key, flows[key], conversations[key])
        packets = conversations[key].packets
        words = [w for w in conversations[key].words() if not w.startswith("(")]
        if len(case.claims) != 1 or words != case.claims or len(flows[key]) != 1 or \
                conversations[key].is_pseudo_tls() or \
                not all(p.plain and not p.is_cut_datagram() for p in packets):
            continue
        flow = flows[key][0]
        sound = flow["application"] == case.claims[0] and is_whole(packets)
        yield Found(packets, (flow["src"], flow["sport"]), case.claims[0], sound)


class Placing:
    """Rows in turn, and ends that no two conversations share."""

    def __init__(self, rows):
        self.rows = rows
        self.turns = {}
        self.used = 0

    def next_row(self, found, fits):
        key = found.packets[0].transport, found.protocol, fits
        if key not in self.turns:
            suitable = [row for row in self.rows if key[0] in row.transports and
                        (row.fit(found.protocol) in ("fits", "open")) == fits]
            self.turns[key] = itertools.cycle(suitable) if suitable else None
        return next(self.turns[key]) if self.turns[key] else None

    def put(self, found, fits):
        row = self.next_row(found, fits)
        if row is None:
            return
        self.used += 1
        client, server = ((a % (1 + self.used // 20000) if "%" in a else a) for a in row.ends)
        found.places.append((row, fits, (client, 20000 + self.used % 20000), (server, row.port)))


def packets_of(found):
    """(time, bytes, length) of every packet, at every place; [] where one cannot be."""
    out = []
    for _, _, client, server in found.places:
        for n, packet in enumerate(found.packets):
            forth = packet.ends[0] == found.client
            data = rebuilt(packet, client if forth else server, server if forth else client,
                           1 + n % 65535)
            if data is None:
                return []
            out.append((packet.time_ns(), *data))
    return out


# ---- judging -----------------------------------------------------------------------

class Result:
    def __init__(self, rows):
        self.rows = {row.rule: row for row in rows}
        self.counts = Counter()  # (protocol, "fits" | "false" | "wrong" | "missed")
        self.met = {True: set(), False: set()}  # rules, where it fits and where not
        self.failed = 0

    def judge(self, args, path, found, flow, types):
        row, fits = found.places.pop(0)[:2]
        rules = [self.rows[r] for r in flow["rules"] if r in self.rows]
        due = due_of({rule.fit(found.protocol) for rule in rules})
        if found.protocol == "xmpp" and due:  # STARTTLS makes one into the other
            due = FINDINGS
        self.met[fits].update(rule.rule for rule in rules)
        self.counts[found.protocol, "fits" if fits else "wrong"] += 1
        if flow["verdict"] == "documented" and is_due(types & FINDINGS, due):
            return
        self.counts[found.protocol, "false" if fits else "missed"] += 1
        self.failed += 1
        print("%s: %s at %s (%s %s:%d -> %s:%d): %s, rules %s, application %s, findings %s" % (
            path, found.protocol, row.rule, flow["transport"], flow["src"], flow["sport"],
            flow["dst"], flow["dport"], flow["verdict"], ", ".join(flow["rules"]),
            flow["application"], ", ".join(sorted(types)) or "none"), flush=True)

    def print(self):
        kinds = ("fits", "false", "wrong", "missed")
        print("\n%-10s" % "protocol" + "".join("%10s" % k for k in kinds))
        for protocol in sorted({p for p, _ in self.counts}):
            print("%-10s" % protocol + "".join("%10d" % self.counts[protocol, k] for k in kinds))
        for fits, what in ((True, "what they document"), (False, "something else")):
            print("rows that met %s: %d of %d" % (what, len(self.met[fits]), len(self.rows)))


def due_of(fits):
    """The finding that the matching rows ask for together; empty: none."""
    if fits & {"fits", "open"}:
        return set()
    return fits if len(fits) == 1 else {"protocol-mismatch"}


def is_due(raised, due):
    return len(raised) == 1 and raised <= due if due else not raised


def take(args, path, named, folder, placing, result):
    outcome = compare.Outcome(path)
    if compare.audit(args, path, named, folder, outcome) is None:
        return
    placed = []
    for found in found_in(path, folder):
        placing.put(found, True)
        if found.sound:
            placing.put(found, False)
        placed.append((found, packets_of(found)))
    placed = [(found, packets) for found, packets in placed if found.places and packets]
    for i in range(0, len(placed), TOGETHER):
        judge_placed(args, path, placed[i:i + TOGETHER], folder, result)


def judge_placed(args, path, placed, folder, result):
    """Audit these conversations in one capture, and judge each at each of its places."""
    outcome = compare.Outcome(path)
    capture = os.path.join(folder, "placed.pcap")
    packets = sorted(itertools.chain(*(packets for _, packets in placed)), key=lambda p: p[0])
    wire.write_pcap(capture, [(t - packets[0][0] + BEGIN_NS, *p) for t, *p in packets])
    report = compare.audit(args, capture, True, folder, outcome)
    if report is None:
        result.failed += 1
        print("%s: placed, %s" % (path, "; ".join(outcome.why)))
        return
    types = {f["id"]: f["type"] for f in report["findings"]}
    flows = applications.flows_by_ends(os.path.join(folder, "flows.jsonl"))
    for found, _ in placed:
        while found.places:
            _, _, client, server = found.places[0]
            key = (found.packets[0].transport,) + tuple(sorted((client, server)))
            for flow in flows[key][:1]:
                result.judge(args, path, found, flow, {types[f] for f in flow["findings"]})


def main():
    ap = argparse.ArgumentParser()
    compare.add_arguments(ap)
    args = ap.parse_args()
    if not tshark.available():
        print("tshark is not installed: nothing was placed")
        return SKIPPED
    rows = rows_of(args)
    placing, result = Placing(rows), Result(rows)
    with tempfile.TemporaryDirectory(prefix="lyncaudit-placed-") as folder:
        for path, named in compare.captures_in(args.paths):
            try:
                take(args, path, named, folder, placing, result)
            except subprocess.TimeoutExpired:
                print("%s: tshark did not end" % path)
    result.print()
    return 1 if result.failed or not result.counts else 0


if __name__ == "__main__":
    sys.exit(main())
