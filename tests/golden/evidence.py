#!/usr/bin/env python3
"""The file of evidence, held against the captures that its packets came from.

usage: evidence.py PROGRAM CASE [--rules DIR] [--carriers]

Audits CASE with --evidence, reads that file with a reader of its own, and checks that

  - every packet is one of a capture, byte for byte, at the same time in the same units, of
    the same original length, link type, snap length and interface name, and says which;
  - every packet is there for a finding of the report, with its id, type and rules, and
    there is a comment for each;
  - every flow that a finding shows is there from the packet that the report names, with the
    handshake of a TCP connection, and so is every leg of a proof;
  - the report counts the packets, and says nothing else than it does without the option;
  - three threads, and standard input, leave the same file.

With --carriers, in every way that carriers.py packs the capture.
"""

import argparse
import json
import os
import re
import stat
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lab"))
import carriers  # noqa: E402
import compare  # noqa: E402
import wire  # noqa: E402

PER_FINDING_MAX = 5 * (16 + 5 + 2) + 3  # five flows, and the legs of a proof
NULL, LOOP = 0, 108
SYN, ACK = 2, 16


class Wrong(Exception):
    """What is said of it is not so."""


def want(holds, what, *args):
    if not holds:
        raise Wrong(what % args)


# ---- reading captures ------------------------------------------------------------

class Packet:
    """ticks: as the file counts them, by the interface's resolution and offset."""

    def __init__(self, iface, ticks, data, orig, comments=()):
        self.iface, self.ticks, self.data, self.orig = iface, ticks, data, orig
        self.comments = list(comments)


class Interface:
    def __init__(self, link, snaplen, name=None, tsresol=6, tsoffset=0, comments=(), big=False):
        self.link, self.snaplen, self.name, self.tsresol = link, snaplen, name, tsresol
        self.tsoffset, self.comments, self.big = tsoffset, list(comments), big

    def described(self):
        """What a file of evidence says of it."""
        link = LOOP if self.link == NULL and self.big else self.link
        return link, self.snaplen, self.name, self.tsresol, self.tsoffset


def read_pcap(raw):
    order = "<" if raw[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    magic, _, _, _, _, snaplen, link = struct.unpack_from(order + "IHHiIII", raw)
    nano = magic == 0xA1B23C4D
    iface = Interface(link, snaplen, tsresol=9 if nano else 6, big=order == ">")
    at = 24
    while at < len(raw):
        sec, frac, cap, orig = struct.unpack_from(order + "IIII", raw, at)
        yield Packet(iface, sec * 10**iface.tsresol + frac, raw[at + 16:at + 16 + cap], orig)
        at += 16 + cap


def options(raw, at, end, order):
    """(code, value); what pads them must be zero, and they must end as they should."""
    while at < end:
        code, size = struct.unpack_from(order + "HH", raw, at)
        want(at + 4 + size <= end, "an option passes its block")
        want(not any(raw[at + 4 + size:at + 4 + (size + 3) // 4 * 4]), "padding that is not zero")
        if code == 0:
            want(size == 0 and at + 4 == end, "options go on behind their end")
            return
        yield code, raw[at + 4:at + 4 + size]
        at += 4 + (size + 3) // 4 * 4
    want(at == end, "options do not end with their block")


def by_code(pairs):
    found = {}
    for code, value in pairs:
        found.setdefault(code, []).append(value)
    return found


def read_pcapng(raw, section=None):
    """section: gets the options of the (last) section header."""
    at, order, ifaces = 0, "<", []
    while at < len(raw):
        kind = struct.unpack_from("<I", raw, at)[0]
        if kind == 0x0A0D0D0A:
            order = "<" if raw[at + 8:at + 12] == b"\x4d\x3c\x2b\x1a" else ">"
        kind, size = struct.unpack_from(order + "II", raw, at)
        end = at + size - 4
        want(size % 4 == 0 and struct.unpack_from(order + "I", raw, end)[0] == size,
             "block of type %x: its lengths differ", kind)
        if kind == 0x0A0D0D0A:
            ifaces = []
            if section is not None:
                section.update(by_code(options(raw, at + 24, end, order)))
        elif kind == 1:
            link, _, snaplen = struct.unpack_from(order + "HHI", raw, at + 8)
            o = by_code(options(raw, at + 16, end, order))
            ifaces.append(Interface(link, snaplen, o.get(2, [None])[0],
                                    o.get(9, [b"\x06"])[0][0],
                                    struct.unpack(order + "q", o.get(14, [bytes(8)])[0])[0],
                                    [c.decode() for c in o.get(1, [])], order == ">"))
        elif kind == 6:
            n, hi, lo, cap, orig = struct.unpack_from(order + "IIIII", raw, at + 8)
            padded = (cap + 3) // 4 * 4
            o = by_code(options(raw, at + 28 + padded, end, order))
            yield Packet(ifaces[n], hi << 32 | lo, raw[at + 28:at + 28 + cap], orig,
                         [c.decode() for c in o.get(1, [])])
        at += size


def read_capture(path):
    with open(path, "rb") as f:
        raw = f.read()
    return list(read_pcapng(raw) if raw[:4] == b"\x0a\x0d\x0d\x0a" else read_pcap(raw))


def nanoseconds(p):
    if p.iface.tsresol & 0x80:
        ns = p.ticks * 10**9 >> (p.iface.tsresol & 0x7F)
    else:
        ns = p.ticks * 10**9 // 10**p.iface.tsresol
    return ns + p.iface.tsoffset * 10**9


# ---- running ----------------------------------------------------------------------

class Run:
    """One audit, its report and its evidence."""

    def __init__(self, args, case, files, stdin, extra=()):
        with tempfile.TemporaryDirectory(prefix="evidence-") as d:
            self.site = site_of(case, args.case, files, d)
            argv = [args.program, "audit", "-q", "-s", self.site, "-o", os.path.join(d, "report"),
                    *case["options"], *extra]
            if args.rules:
                argv += ["--rules", args.rules]
            for f in files:
                argv += ["-r", f]
            with open(stdin or os.devnull, "rb") as source:
                p = subprocess.run(argv + ["--evidence", os.path.join(d, "evidence")],
                                   stdin=source, stderr=subprocess.PIPE, text=True)
            want(p.returncode in (0, 1, 3), "status %d: %s", p.returncode, p.stderr)
            self.report = self.load(d)
            path = os.path.join(d, "evidence")
            want(stat.S_IMODE(os.stat(path).st_mode) == 0o600, "others may read the evidence")
            with open(path, "rb") as f:
                self.raw = f.read()
            with open(stdin or os.devnull, "rb") as source:
                subprocess.run(argv, stdin=source, stderr=subprocess.PIPE, check=False)
            self.plain = self.load(d)

    @staticmethod
    def load(d):
        with open(os.path.join(d, "report"), encoding="utf-8") as f:
            report = json.load(f)
        del report["run"]
        return report


def site_of(case, folder, files, d):
    """The case's site, told where the sensor stands if the case says so."""
    path = os.path.join(folder, case["site"])
    return compare.place_sensor(path, case["place"], files, d) if "place" in case else path


# ---- checking ------------------------------------------------------------------------

ORIGIN = re.compile(r"packet (\d+) of (.*)")
PROOF = re.compile(r"(F-[0-9a-f]+) ([a-z-]+)(?: \(([^)]*)\))?: (.+)", re.S)


def check_packet(p, sources, findings, proven):
    """One packet of the file: where it is from, and what it is there for."""
    origin = ORIGIN.fullmatch(p.comments[-1]) if p.comments else None
    want(origin, "a packet does not say where it is from: %s", p.comments)
    number, name = int(origin.group(1)), origin.group(2)
    name = "-" if name == "standard input" else name
    q = sources[name][number - 1]
    where = "packet %d of %s" % (number, name)
    want(p.data == q.data, "%s: other bytes", where)
    want(p.orig == q.orig, "%s: original length %d, not %d", where, p.orig, q.orig)
    want(p.iface.described() == q.iface.described(), "%s: interface %s, not %s", where,
         p.iface.described(), q.iface.described())
    want(p.ticks == q.ticks, "%s: time %d, not %d", where, p.ticks, q.ticks)
    want(any(name in c or "standard input" in c for c in p.iface.comments),
         "%s: its interface is of %s", where, p.iface.comments)
    want(len(p.comments) > 1, "%s: there for nothing", where)
    ids = []
    for comment in p.comments[:-1]:
        want("\n" not in comment, "%s: a comment of several lines", where)
        m = PROOF.fullmatch(comment)
        want(m and m.group(1) in findings, "%s: comment of no finding: %s", where, comment)
        f = findings[m.group(1)]
        want(m.group(2) == f["type"] and (m.group(3) or "") == ", ".join(f["rules"]) and
             m.group(4) == "%s %s" % (f["what"], f["why"]), "%s: not what the report says: %s",
             where, comment)
        ids.append(f["id"])
    want(len(ids) == len(set(ids)), "%s: a finding twice", where)
    for one in ids:
        proven.setdefault(one, {})[name, number] = p


def is_read(p):
    """A frame whose ends this test can read: of others it knows the place alone."""
    return p.iface.link == 1 and wire.ends(p.data) is not None


def handshake(packets, sample):
    """The SYN and ACK flags of packets between the sample's ends."""
    ends = {(sample["src"], sample["sport"]), (sample["dst"], sample["dport"])}
    found = set()
    for p in packets:
        transport, src, sport, dst, dport, at = wire.ends(p.data)
        if transport == "tcp" and {(src, sport), (dst, dport)} == ends:
            found.add(p.data[at + 13] & (SYN | ACK))
    return found


def check_finding(f, packets):
    """What the report names is there."""
    counted = f["evidence"]
    want(counted == {"packets": len(packets), "left_out": 0}, "%s: the report counts %s, there are"
         " %d", f["id"], counted, len(packets))
    want(len(packets) <= PER_FINDING_MAX, "%s: %d packets", f["id"], len(packets))
    for sample in f["samples"]:
        first = packets.get((sample["source"], sample["packet"]))
        want(first, "%s: packet %d of %s is named and not there", f["id"], sample["packet"],
             sample["source"])
        if sample["state"] in ("established", "closed", "reset") and \
                all(is_read(p) for p in packets.values()):
            want(SYN | ACK in handshake(packets.values(), sample), "%s: no SYN-ACK of packet %d's "
                 "flow", f["id"], sample["packet"])
    for leg in (f["proof"] or {}).get("legs", []):
        want((leg["source"], leg["packet"]) in packets, "%s: leg in packet %d of %s is not there",
             f["id"], leg["packet"], leg["source"])


def without_evidence(report):
    findings = [{k: v for k, v in f.items() if k != "evidence"} for f in report["findings"]]
    return {**report, "findings": findings}


def check(run, sources):
    section = {}
    packets = list(read_pcapng(run.raw, section))
    findings = {f["id"]: f for f in run.report["findings"]}
    proven = {}
    want(section[4] == [b"lyncaudit 0.1.0"] and b"None is missing." in section[1][0],
         "section header: %s", section)
    for p in packets:
        check_packet(p, sources, findings, proven)
    times = [nanoseconds(p) for p in packets]
    want(times == sorted(times), "packets not in order of time")
    for f in findings.values():
        check_finding(f, proven.get(f["id"], {}))
    want(all(f["evidence"] is None for f in run.plain["findings"]), "evidence without the option")
    want(without_evidence(run.report) == without_evidence(run.plain),
         "the report says something else with the option")
    return len(packets)


def check_way(args, case, files, stdin):
    run = Run(args, case, files, stdin)
    listed = run.report["capture"]["sources"]
    sources = {s["name"]: read_capture(stdin if s["name"] == "-" else s["name"])
               for s in listed if not s["skipped"]}
    packets = check(run, sources)
    want(Run(args, case, files, stdin, ["--threads", "3"]).raw == run.raw,
         "three threads leave another file")
    return packets


def ways(args, case, d):
    files = [os.path.join(args.case, name) for name in case["captures"]]
    yield "as it is", files, None
    if len(files) == 1:
        yield "standard input", ["-"], files[0]
    if args.carriers:
        packets = [p for p in wire.read_any(files[0]) if wire.is_ip(p[1])]
        yield from carriers.variants(d, packets)


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("program")
    ap.add_argument("case")
    ap.add_argument("--rules")
    ap.add_argument("--carriers", action="store_true")
    args = ap.parse_args()
    with open(os.path.join(args.case, "case.json"), encoding="utf-8") as f:
        case = json.load(f)
    tried = failed = packets = 0
    with tempfile.TemporaryDirectory(prefix="evidence-") as d:
        for what, files, stdin in ways(args, case, d):
            tried += 1
            try:
                packets += check_way(args, case, files, stdin)
            except Wrong as e:
                failed += 1
                print("%s: %s" % (what, e))
    print("evidence: %d ways, %d packets, %d wrong" % (tried, packets, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
